//! Values as text: zones, times that no text shows, types that a format has not, and metadata under the limits of a user.

use super::run;

#[test]
fn moments_keep_their_zone_and_their_digits() {
    let sql = "SELECT arrow_cast(1793156645080, 'Timestamp(ms, \"America/New_York\")') AS t, \
                      arrow_cast(1793156645000000001, 'Timestamp(ns, \"UTC\")') AS n, arrow_cast(0, 'Timestamp(ms)') AS z";
    let (zoned, exact, bare) = (
        "2026-10-27T23:04:05.080-04:00",
        "2026-10-28T03:04:05.000000001Z",
        "1970-01-01T00:00:00",
    );
    for (format, expected) in [
        ("csv", format!("t,n,z\n{zoned},{exact},{bare}\n")),
        (
            "ndjson",
            format!("{{\"t\":\"{zoned}\",\"n\":\"{exact}\",\"z\":\"{bare}\"}}\n"),
        ),
        (
            "markdown",
            format!("| t | n | z |\n|---|---|---|\n| {zoned} | {exact} | {bare} |\n"),
        ),
    ] {
        assert_eq!(
            run(&["--demo", "--format", format, "-c", sql]),
            (0, expected, String::new()),
            "{format}"
        );
    }
    let (_, out, _) = run(&["--demo", "-c", sql]);
    assert!(out.contains(&format!("| {zoned} | {exact} | {bare} |")), "{out}");
}

#[test]
fn a_value_without_a_text_is_an_error_of_the_statement() {
    let cases = [
        (
            "arrow_cast(9223372036854775807, 'Timestamp(ms, \"UTC\")')",
            "9223372036854775807",
        ),
        ("arrow_cast(2147483647, 'Date32')", "2147483647"),
        ("arrow_cast(-1, 'Time64(ns)')", "-1"),
        ("arrow_cast(9223372036854775807, 'Duration(s)')", "9223372036854775807"),
    ];
    let column = |i| format!("\"the end {i}\"");
    let shown: Vec<String> = (0..)
        .zip(cases)
        .map(|(i, (value, _))| format!("SELECT {value} AS {}", column(i)))
        .collect();
    let shown = format!("\\bail off\n{}", shown.join(";\n"));
    let numbers: Vec<String> = cases
        .iter()
        .map(|(value, _)| format!("SELECT CAST({value} AS BIGINT) AS n"))
        .collect();
    for format in ["table", "vertical", "csv", "tsv", "json", "ndjson", "markdown"] {
        let (status, out, err) = run(&["--demo", "--format", format, "-c", &shown]);
        assert_eq!(status, 1, "{format}: {out}");
        assert!(!out.contains("ERROR") && !out.contains("invalid"), "{format}: {out}");
        for (i, (_, number)) in cases.iter().enumerate() {
            assert!(!out.contains(number), "{format}: {out}");
            let hint = format!("hint: write CAST({} AS BIGINT)", column(i));
            assert!(
                err.contains(&format!("column the end {i}")) && err.contains(&hint),
                "{format}: {err}"
            );
        }
        let (status, out, err) = run(&["--demo", "--format", format, "-c", &numbers.join(";")]);
        assert_eq!(status, 0, "{format}: {err}");
        assert!(cases.iter().all(|(_, number)| out.contains(number)), "{format}: {out}");
    }
}

#[test]
fn what_is_made_of_several_is_json_in_csv_and_intervals_have_no_parquet() {
    let sql = "SELECT struct(1 AS a, 'x' AS b) AS s, map([1], ['y']) AS m, arrow_cast([1, 2], 'FixedSizeList(2, Int64)') AS l, 'NaN'::double AS d";
    let (_, out, err) = run(&["--demo", "--format", "csv", "-c", sql]);
    let expected = "s,m,l,d\n\"{\"\"a\"\":1,\"\"b\"\":\"\"x\"\"}\",\"{\"\"1\"\":\"\"y\"\"}\",\"[1,2]\",NaN\n";
    assert_eq!((out.as_str(), err.as_str()), (expected, ""));
    let (_, out, _) = run(&["--demo", "--format", "ndjson", "-c", sql]);
    assert_eq!(
        out,
        "{\"s\":{\"a\":1,\"b\":\"x\"},\"m\":{\"1\":\"y\"},\"l\":[1,2],\"d\":\"NaN\"}\n"
    );
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("ages.parquet");
    let file = file.to_str().unwrap();
    let (status, _, err) = run(&["--demo", "-o", file, "-c", "SELECT interval '1 month' AS age"]);
    assert_eq!(status, 1);
    assert!(
        err.contains("column age") && err.contains("CAST(age AS TEXT) AS age"),
        "{err}"
    );
    assert!(!std::path::Path::new(file).exists());
    let (status, _, err) = run(&["--demo", "-o", file, "-c", "SELECT CAST(interval '1 month' AS TEXT) AS age"]);
    assert_eq!(status, 0, "{err}");
}

#[test]
fn the_limits_of_the_user_do_not_cut_what_describes_a_table() {
    let (status, out, err) = run(&["--demo", "--connection", "MaxRows=5;MaxRequests=1", "-c", "\\d requests"]);
    assert_eq!(status, 0, "{err}");
    assert!(out.lines().filter(|line| line.starts_with("| ")).count() > 12, "{out}");
    assert!(!err.contains("MaxRows"), "{err}");
}
