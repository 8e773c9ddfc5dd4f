//! The command as its users run it: arguments in; rows, errors and an exit status out. Needs no linking of the library.

#![allow(clippy::unwrap_used, reason = "a test may fail")]

use std::io::Write;
use std::process::{Command, Output, Stdio};

fn jsmql() -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_jsmql"));
    // The environment of whoever runs the tests says nothing here.
    for (name, _) in std::env::vars().filter(|(name, _)| name.starts_with("JSMQL_")) {
        command.env_remove(name);
    }
    command
}

fn run(arguments: &[&str]) -> (i32, String, String) {
    told(jsmql().args(arguments).stdin(Stdio::null()).output().unwrap())
}

fn told(output: Output) -> (i32, String, String) {
    let text = |bytes: Vec<u8>| String::from_utf8(bytes).unwrap();
    (output.status.code().unwrap_or(-1), text(output.stdout), text(output.stderr))
}

const TWO: &str = "SELECT id, project_name, id = '1' AS first, created FROM (SELECT id, project_name FROM service_desks ORDER BY id LIMIT 2) \
                   LEFT JOIN (SELECT service_desk_id, min(created) AS created FROM requests WHERE service_desk_id = '1' GROUP BY 1) \
                   ON service_desk_id = id ORDER BY id";

#[test]
fn every_format() {
    for (format, expected) in [
        (
            "csv",
            "id,project_name,first,created\n1,IT Help,true,2026-03-01T11:47:40.810Z\n2,HR & People,false,\n",
        ),
        (
            "tsv",
            "id\tproject_name\tfirst\tcreated\n1\tIT Help\ttrue\t2026-03-01T11:47:40.810Z\n2\tHR & People\tfalse\t\n",
        ),
        (
            "ndjson",
            "{\"id\":\"1\",\"project_name\":\"IT Help\",\"first\":true,\"created\":\"2026-03-01T11:47:40.810Z\"}\n\
             {\"id\":\"2\",\"project_name\":\"HR & People\",\"first\":false,\"created\":null}\n",
        ),
        (
            "json",
            "[\n{\"id\":\"1\",\"project_name\":\"IT Help\",\"first\":true,\"created\":\"2026-03-01T11:47:40.810Z\"},\n\
             {\"id\":\"2\",\"project_name\":\"HR & People\",\"first\":false,\"created\":null}\n]\n",
        ),
        (
            "markdown",
            "| id | project_name | first | created |\n|---|---|---|---|\n\
             | 1 | IT Help | true | 2026-03-01T11:47:40.810Z |\n| 2 | HR & People | false |  |\n",
        ),
        (
            "table",
            "+----+--------------+-------+--------------------------+\n\
             | id | project_name | first | created                  |\n\
             +----+--------------+-------+--------------------------+\n\
             | 1  | IT Help      | true  | 2026-03-01T11:47:40.810Z |\n\
             | 2  | HR & People  | false |                          |\n\
             +----+--------------+-------+--------------------------+\n2 rows\n",
        ),
    ] {
        let (status, out, err) = run(&["--demo", "--format", format, "-c", TWO]);
        assert_eq!((status, out.as_str(), err.as_str()), (0, expected, ""), "{format}");
    }
}

#[test]
fn json_columns_are_nested_and_lists_are_arrays() {
    let sql = "SELECT fields, jql LIKE 'project = HR%' AS hr FROM queues WHERE service_desk_id = '2' AND id = '2001'";
    let (_, out, _) = run(&["--demo", "--format", "ndjson", "-c", sql]);
    assert_eq!(
        out,
        "{\"fields\":[\"issuekey\",\"summary\",\"status\",\"reporter\",\"created\"],\"hr\":true}\n"
    );
    let sql = "SELECT value FROM organization_properties WHERE organization_id = '1' ORDER BY key";
    let (_, out, _) = run(&["--demo", "--format", "ndjson", "-c", sql]);
    assert_eq!(
        out,
        "{\"value\":{\"mail\":\"charlie@example.com\",\"phone\":\"0800-1233456789\"}}\n{\"value\":\"gold\"}\n"
    );
}

#[test]
fn the_join_of_the_readme() {
    let sql = "SELECT r.issue_key, c.body FROM requests r JOIN request_comments c ON c.issue_key = r.issue_key WHERE r.service_desk_id = '1' LIMIT 5";
    let (status, out, err) = run(&["--demo", "--format", "ndjson", "-c", sql]);
    assert_eq!((status, out.lines().count(), err.as_str()), (0, 5, ""), "{out}");
    let (status, out, _) = run(&["--demo", "-c", &format!("EXPLAIN {sql}")]);
    assert!(
        status == 0 && out.contains("GET /rest/servicedeskapi/request?serviceDeskId=1&expand=comment"),
        "{out}"
    );
    let (status, out, _) = run(&["--demo", "-c", &format!("EXPLAIN ANALYZE {sql}")]);
    assert!(status == 0 && out.contains("requests=1") && out.contains("bytes="), "{out}");
}

#[test]
fn statements_come_from_arguments_files_and_standard_input() {
    let directory = tempfile::tempdir().unwrap();
    let file = directory.path().join("two.sql");
    std::fs::write(&file, "SELECT 2 AS n; -- a comment\nSELECT 3 AS n;").unwrap();
    let (status, out, _) = run(&[
        "--demo",
        "--format",
        "csv",
        "-c",
        "SELECT 1 AS n",
        "-f",
        file.to_str().unwrap(),
        "-c",
        "SELECT 4 AS n",
    ]);
    assert_eq!((status, out.as_str()), (0, "n\n1\nn\n2\nn\n3\nn\n4\n"));
    let mut child = jsmql()
        .args(["--demo", "--format", "csv"])
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .unwrap();
    child
        .stdin
        .take()
        .unwrap()
        .write_all(b"SELECT count(*) AS n FROM service_desks")
        .unwrap();
    assert_eq!(told(child.wait_with_output().unwrap()), (0, "n\n3\n".into(), String::new()));
}

#[test]
fn an_output_file_appears_when_all_rows_are_there() {
    let directory = tempfile::tempdir().unwrap();
    let file = directory.path().join("desks.csv");
    let name = file.to_str().unwrap();
    let (status, out, err) = run(&["--demo", "-o", name, "-c", "SELECT id FROM service_desks ORDER BY id"]);
    assert_eq!((status, out.as_str(), err.as_str()), (0, "", ""));
    assert_eq!(
        std::fs::read_to_string(&file).unwrap(),
        "id\n1\n2\n3\n",
        "the format follows the name"
    );
    let (status, ..) = run(&["--demo", "-o", name, "-c", "SELECT nothing FROM service_desks"]);
    assert_eq!(status, 1);
    assert_eq!(
        std::fs::read_to_string(&file).unwrap(),
        "id\n1\n2\n3\n",
        "a failed statement replaces nothing"
    );
    assert_eq!(
        std::fs::read_dir(directory.path()).unwrap().count(),
        1,
        "nothing is left behind"
    );
    let (status, _, err) = run(&["--demo", "-o", "/no/such/folder/x.csv", "-c", "SELECT 1"]);
    assert!(status == 1 && err.contains("/no/such/folder/x.csv"), "{err}");
}

#[test]
fn errors_and_their_exit_status() {
    let wrong_token = "URL=http://127.0.0.1:1;User=a@b.example;APIToken=canary";
    for (arguments, status, fragments) in [
        (
            &["--demo", "-c", "SELECT * FROM request"][..],
            1,
            &["error: there is no table", "hint: did you mean requests?"][..],
        ),
        (
            &["--demo", "-c", "SELECT sumary FROM requests"],
            1,
            &["there is no column sumary", "hint: did you mean summary?"],
        ),
        (&["--demo", "-c", "SELECT"], 1, &["error: "]),
        (
            &["--demo", "--connection", "MaxRow=3", "-c", "SELECT 1"],
            2,
            &["MaxRow is not an option", "hint: did you mean MaxRows?"],
        ),
        (
            &["--demo", "--connection", "Timeout=soon", "-c", "SELECT 1"],
            2,
            &["Timeout must be a whole number"],
        ),
        (&["-c", "SELECT 1"], 2, &["URL", "hint: "]),
        (
            &["--connection", wrong_token, "-c", "SELECT * FROM requests"],
            1,
            &["error: requests: ", "hint: "],
        ),
        (
            &["--connection", "URL=http://example.com;User=a;APIToken=b", "-c", "SELECT 1"],
            2,
            &["http", "hint: "],
        ),
        (
            &["--connection", "URL=https://a.invalid;User=a;APIToken=b", "test"],
            2,
            &["error"],
        ),
        (
            &["test", "--connection", "URL=https://a.invalid;User=a;APIToken=canary"],
            1,
            &["error: ", "a.invalid", "hint: "],
        ),
        (&["--format", "xml"], 2, &["xml", "markdown"]),
        (
            &["--demo", "--fault", "flood", "-c", "SELECT 1"],
            2,
            &["there is no fault flood"],
        ),
        (
            &["--demo", "--fault", "401", "-c", "SELECT * FROM requests"],
            1,
            &["HTTP 401", "hint: check options User and APIToken"],
        ),
        (&["-f", "/no/such.sql", "--demo"], 1, &["cannot read /no/such.sql"]),
    ] {
        let (found, out, err) = run(arguments);
        assert_eq!(found, status, "{arguments:?}: {out}{err}");
        for fragment in fragments {
            assert!(err.contains(fragment), "{arguments:?}: no {fragment:?} in {err}");
        }
        assert!(!err.contains("canary") && !err.contains("panicked"), "{err}");
    }
}

#[test]
fn options_come_from_the_environment_too() {
    let output = jsmql()
        .args(["-c", "SELECT 1"])
        .env("JSMQL_CONNECTION", "URL=http://127.0.0.1:1;AuthScheme=Anonymous")
        .env("JSMQL_MAXROW", "3")
        .output()
        .unwrap();
    let (status, _, err) = told(output);
    assert!(status == 2 && err.contains("did you mean JSMQL_MAXROWS?"), "{err}");
    let output = jsmql()
        .args([
            "--format",
            "csv",
            "-c",
            "SELECT value, source FROM sys.options WHERE name IN ('MaxRows', 'APIToken') ORDER BY name",
        ])
        .env("JSMQL_CONNECTION", "URL=http://127.0.0.1:1;User=a@b.example")
        .env("JSMQL_APITOKEN", "canary")
        .env("JSMQL_MAXROWS", "3")
        .output()
        .unwrap();
    let (status, out, err) = told(output);
    assert_eq!((status, err.as_str()), (0, ""));
    assert_eq!(out, "value,source\n***,JSMQL_APITOKEN\n3,JSMQL_MAXROWS\n");
}

#[test]
fn help_names_the_options_and_the_test_names_us() {
    let (status, out, _) = run(&["--help"]);
    assert_eq!(status, 0);
    for text in [
        "--demo",
        "--connection",
        "MaxConcurrency=<integer, 1 to 64> [default: 8]",
        "APIToken=<secret>",
    ] {
        assert!(out.contains(text), "no {text} in --help");
    }
    assert_eq!(run(&["--version"]).1, format!("jsmql {}\n", env!("CARGO_PKG_VERSION")));
    let (status, out, _) = run(&["test", "--demo"]);
    assert_eq!(status, 0);
    for text in ["Cloud 1001.0.0", "Dana Demo", "SERVICEDESK_AGENT", "round trip", "APIToken"] {
        assert!(out.contains(text), "no {text} in {out}");
    }
}

#[test]
fn a_closed_pipe_is_no_error() {
    let mut child = jsmql()
        .args([
            "--demo",
            "--requests",
            "5000",
            "--format",
            "ndjson",
            "-c",
            "SELECT * FROM requests",
        ])
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .unwrap();
    let mut first = [0; 100];
    std::io::Read::read_exact(child.stdout.as_mut().unwrap(), &mut first).unwrap();
    drop(child.stdout.take());
    let (status, _, err) = told(child.wait_with_output().unwrap());
    assert_eq!((status, err.as_str()), (0, ""));
}

#[test]
fn the_demo_site_serves_alone_and_is_deterministic() {
    let ask = || {
        let mut child = jsmql()
            .args(["demo", "--port", "0", "--seed", "3", "--requests", "20"])
            .stdout(Stdio::piped())
            .stderr(Stdio::null())
            .spawn()
            .unwrap();
        let mut url = String::new();
        std::io::BufRead::read_line(&mut std::io::BufReader::new(child.stdout.take().unwrap()), &mut url).unwrap();
        let connection = format!("URL={};User=dana@demo.example;APIToken=demo-token", url.trim());
        let sql = "SELECT issue_key, summary, status, created FROM requests ORDER BY created";
        let (status, out, err) = run(&["--connection", &connection, "--format", "csv", "-c", sql]);
        child.kill().unwrap();
        child.wait().unwrap();
        assert_eq!((status, err.as_str()), (0, ""));
        out
    };
    let first = ask();
    assert_eq!(first.lines().count(), 21);
    assert_eq!(first, ask());
}
