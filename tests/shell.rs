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

/// The arguments, with the day on which the data of the demo site end, so that its answers are the same on any day.
fn dated<'a>(arguments: &[&'a str]) -> Vec<&'a str> {
    let pinned = |argument: &&'a str| match *argument {
        demo @ ("--demo" | "demo") => vec![demo, "--date", "2026-10-31"],
        other => vec![other],
    };
    arguments.iter().flat_map(pinned).collect()
}

fn run(arguments: &[&str]) -> (i32, String, String) {
    told(jsmql().args(dated(arguments)).stdin(Stdio::null()).output().unwrap())
}

fn told(output: Output) -> (i32, String, String) {
    let text = |bytes: Vec<u8>| String::from_utf8(bytes).unwrap();
    (output.status.code().unwrap_or(-1), text(output.stdout), text(output.stderr))
}

#[test]
fn the_demo_goes_on_until_yesterday() {
    let sql = "SELECT count(*) FILTER (WHERE created > now() - interval '7 days') > 0 AS recent, max(status_date) < date_trunc('day', now()) AS past, \
               max(status_date) > date_trunc('day', now()) - interval '1 day' AS yesterday FROM requests";
    let (status, out, err) = told(
        jsmql()
            .args(["--demo", "--format", "csv", "-c", sql])
            .stdin(Stdio::null())
            .output()
            .unwrap(),
    );
    assert_eq!(
        (status, out.as_str()),
        (0, "recent,past,yesterday\ntrue,true,true\n"),
        "{err}"
    );
    let (status, _, err) = told(
        jsmql()
            .args(["--demo", "--date", "31.10.2026"])
            .stdin(Stdio::null())
            .output()
            .unwrap(),
    );
    assert!(status == 2 && err.contains("a day is written as 2026-10-31"), "{err}");
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
        .args(dated(&["--demo", "--format", "csv"]))
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
#[cfg(feature = "flight")]
fn a_server_that_clients_pass_through_takes_all_but_the_account_from_the_environment() {
    let serve = || {
        let mut command = jsmql();
        command.args(["serve", "--pass-through", "--bind", "127.0.0.1:0"]);
        command
    };
    // A user is refused, and not left aside.
    let account = "URL=http://127.0.0.1:1;User=a@b.example;APIToken=canary";
    let (status, out, err) = told(serve().env("JSMQL_CONNECTION", account).output().unwrap());
    assert_eq!((status, out.as_str()), (2, ""), "{err}");
    assert!(
        err.contains("AuthScheme is Anonymous, which does not use User") && !err.contains("canary"),
        "{err}"
    );
    // So is a token, also beside a scheme that would take it.
    let account = "URL=http://127.0.0.1:1;AuthScheme=PAT;APIToken=canary";
    for (arguments, variables) in [
        (&[][..], &[("JSMQL_CONNECTION", account)][..]),
        (&["--connection", account], &[]),
        (&[], &[("JSMQL_APITOKEN", "canary"), ("JSMQL_URL", "http://127.0.0.1:1")]),
    ] {
        let command = serve().args(arguments).envs(variables.iter().copied()).output();
        let (status, out, err) = told(command.unwrap());
        assert_eq!((status, out.as_str()), (2, ""), "{err}");
        assert!(
            err.contains("AuthScheme is Anonymous, which does not use APIToken") && !err.contains("canary"),
            "{err}"
        );
    }
    let mut child = serve()
        .env("JSMQL_CONNECTION", "URL=http://127.0.0.1:1;MaxRows=5")
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .unwrap();
    let mut url = String::new();
    std::io::BufRead::read_line(&mut std::io::BufReader::new(child.stdout.take().unwrap()), &mut url).unwrap();
    child.kill().unwrap();
    let (_, _, err) = told(child.wait_with_output().unwrap());
    assert!(url.starts_with("grpc://127.0.0.1:"), "{url}{err}");
}

#[test]
fn a_text_that_a_column_never_is_is_told() {
    let ask = |sql: &str| run(&["--demo", "--format", "csv", "-c", sql]);
    let told = "warning: issues: status_category is never 'Done'; it is one of new, indeterminate, done, undefined\n";
    for (condition, count, told) in [
        ("status_category <> 'Done'", 300, told),
        ("status_category IN ('Done', 'done')", 226, told),
        ("CASE status_category WHEN 'Done' THEN true ELSE false END", 0, told),
        ("status_category <> 'done'", 74, ""),
    ] {
        let statement = format!("SELECT count(*) AS n FROM issues i WHERE {condition}");
        let (status, out, err) = ask(&statement);
        assert_eq!((status, out, err.as_str()), (0, format!("n\n{count}\n"), told), "{condition}");
    }
}

#[test]
fn sql_may_begin_with_a_comment() {
    let (status, out, _) = run(&["--demo", "--format", "csv", "-c", "-- a note\nSELECT 1 AS one"]);
    assert_eq!((status, out.as_str()), (0, "one\n1\n"));
}

#[test]
fn rows_that_end_at_max_rows_say_so() {
    let asked = ["--demo", "--connection", "MaxRows=2", "--format", "csv", "-c"];
    let ask = |sql| run(&[asked.as_slice(), &[sql]].concat());
    let (status, out, err) = ask("SELECT id FROM service_desks ORDER BY id");
    assert_eq!((status, out.as_str()), (0, "id\n1\n2\n"));
    assert_eq!(err, "warning: the rows end at MaxRows; there are more\n");
    let (_, _, err) = ask("SELECT id FROM service_desks ORDER BY id LIMIT 2");
    assert_eq!(err, "");
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
            .args(dated(&["demo", "--port", "0", "--seed", "3", "--requests", "20"]))
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

#[test]
fn values_stand_below_each_other() {
    let (status, out, _) = run(&["--demo", "--format", "vertical", "-c", TWO]);
    assert_eq!(
        (status, out.as_str()),
        (
            0,
            "-[ row 1 ]------------\nid           | 1\nproject_name | IT Help\nfirst        | true\ncreated      | 2026-03-01T11:47:40.810Z\n\
             -[ row 2 ]------------\nid           | 2\nproject_name | HR & People\nfirst        | false\ncreated      | \n2 rows\n"
        )
    );
}

#[test]
fn files_of_columns_hold_the_rows() {
    use std::fs::File;
    let folder = tempfile::tempdir().unwrap();
    let name = |file: &str| folder.path().join(file).to_str().unwrap().to_owned();
    let sql = "SELECT issue_key, created FROM requests ORDER BY issue_key LIMIT 5";
    for file in ["a.parquet", "a.arrow"] {
        let (status, out, error) = run(&["--demo", "-o", &name(file), "-c", sql]);
        assert_eq!((status, out.as_str()), (0, ""), "{error}");
    }
    let copies = format!(
        "COPY ({sql}) TO '{}'; COPY requests TO '{}' STORED AS parquet;",
        name("b.csv"),
        name("all")
    );
    let (status, _, error) = run(&["--demo", "-c", &copies]);
    assert_eq!(status, 0, "{error}");
    assert!(error.contains("5 rows in"), "{error}");
    let rows = |file: &str| -> usize {
        let file = File::open(name(file)).unwrap();
        let reader = parquet::arrow::arrow_reader::ParquetRecordBatchReaderBuilder::try_new(file)
            .unwrap()
            .build()
            .unwrap();
        reader.map(|batch| batch.unwrap().num_rows()).sum()
    };
    assert_eq!((rows("a.parquet"), rows("all")), (5, 300));
    let arrow = arrow_ipc::reader::FileReader::try_new(File::open(name("a.arrow")).unwrap(), None).unwrap();
    assert_eq!(arrow.schema().field(0).name(), "issue_key");
    assert_eq!(arrow.map(|batch| batch.unwrap().num_rows()).sum::<usize>(), 5);
    let csv = std::fs::read_to_string(name("b.csv")).unwrap();
    assert!(csv.starts_with("issue_key,created\nFAC-1,"), "{csv}");
    // A second statement has no place in such a file, and what failed leaves none.
    let (status, _, error) = run(&[
        "--demo",
        "-o",
        &name("two.parquet"),
        "-c",
        "SELECT 1 AS a",
        "-c",
        "SELECT 2 AS a",
    ]);
    assert_eq!(status, 2, "{error}");
    assert!(error.contains("one statement"), "{error}");
    let (status, _, _) = run(&["--demo", "-c", &format!("COPY (SELECT 1 / 0) TO '{}'", name("c.csv"))]);
    assert_eq!(status, 1);
    let left: Vec<_> = std::fs::read_dir(folder.path())
        .unwrap()
        .map(|entry| entry.unwrap().file_name())
        .collect();
    assert_eq!(left.len(), 4, "{left:?}");
}

#[test]
fn commands_work_in_scripts() {
    let script = "\\mode csv\nSELECT 1 AS a;\n.mode ndjson\nSELECT 2 AS a;\n\\timing on\nSELECT 3 AS a;\n\\q\nSELECT 4 AS a;";
    let mut child = jsmql()
        .args(dated(&["--demo"]))
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .unwrap();
    child.stdin.take().unwrap().write_all(script.as_bytes()).unwrap();
    let (status, out, error) = told(child.wait_with_output().unwrap());
    assert_eq!((status, out.as_str()), (0, "a\n1\n{\"a\":2}\n{\"a\":3}\n"), "{error}");
    assert!(error.contains("Time: "), "{error}");
}

#[test]
fn a_text_with_a_mistake_in_it_does_nothing() {
    for wrong in ["SELEC 2;", "\\nonsense"] {
        let (status, out, error) = run(&["--demo", "-c", &format!("SELECT 1;\n{wrong}")]);
        assert_eq!((status, out.as_str()), (1, ""), "{error}");
        assert!(error.contains("hint: ") || error.contains("error: "), "{error}");
    }
    // What only the site can tell ends a text at its place, unless that was said otherwise.
    let (status, out, _) = run(&[
        "--demo",
        "--format",
        "csv",
        "-c",
        "SELECT 1 AS a; SELECT * FROM nothing; SELECT 2 AS a;",
    ]);
    assert_eq!((status, out.as_str()), (1, "a\n1\n"));
    let (status, out, error) = run(&[
        "--demo",
        "--format",
        "csv",
        "-c",
        ".bail off\nSELECT 1 AS a;\nSELECT * FROM nothing;\nSELECT 2 AS a;",
    ]);
    assert_eq!((status, out.as_str()), (1, "a\n1\na\n2\n"), "{error}");
}

#[test]
fn tables_columns_procedures_and_requests_are_described() {
    let (status, out, error) = run(&[
        "--demo",
        "--format",
        "csv",
        "-c",
        "\\d",
        "-c",
        "\\d request_comments",
        "-c",
        "\\df create_customer",
        "-c",
        "\\l",
        "-c",
        "CREATE TABLE temp.mine AS SELECT 1 AS own_column;\n\\d mine\n\\d temp.mine",
    ]);
    assert_eq!(status, 0, "{error}");
    for expected in [
        "request_comments,insert ,servicedesk,",
        "issue_key,text,key ,\"=, IN: exact\",insert ,",
        "email,in,text,true,",
        "public,",
    ] {
        assert!(out.contains(expected), "{expected}: {out}");
    }
    assert_eq!(out.matches("own_column,").count(), 2, "{out}");
    let (status, out, error) = run(&[
        "--demo",
        "--format",
        "csv",
        "-c",
        "SELECT id FROM service_desks LIMIT 1;\n\\requests\n\\requests trace",
    ]);
    assert_eq!(status, 0, "{error}");
    assert!(
        out.contains("1 x GET /rest/servicedeskapi/servicedesk  ") && out.contains("?") && out.contains("1 request, "),
        "{out}"
    );
    for wrong in ["\\d nothing", "\\df nothing", "\\mode xml", "\\requests"] {
        let (status, _, error) = run(&["--demo", "-c", wrong]);
        assert!(status != 0 && error.contains("hint: "), "{wrong}: {error}");
    }
}

#[test]
fn completions_and_the_manual_are_printed() {
    for shell in ["bash", "zsh", "fish"] {
        let (status, out, _) = run(&["completions", shell]);
        assert!(status == 0 && out.contains("jsmql") && out.contains("connection"), "{out}");
    }
    let (status, out, _) = run(&["man"]);
    assert_eq!(status, 0);
    for text in [
        ".TH jsmql",
        "AuthScheme",
        ".SH \"COMMANDS OF THE PROMPT\"",
        "watch [seconds]",
        ".SH \"EXIT STATUS\"",
        ".SH \"CONNECTION STRING\"",
        ".SH FILES",
        "jsmqlrc",
    ] {
        assert!(out.contains(text), "no {text} in {out}");
    }
    assert!(!out.contains("EXTRA"), "{out}");
    let (status, out, _) = run(&["man", "profile", "add"]);
    assert!(
        status == 0 && out.contains(".TH jsmql-profile-add") && out.contains("VARIABLE"),
        "{out}"
    );
    let (status, _, error) = run(&["man", "nothing"]);
    assert!(
        status == 2 && error.contains("there is no command nothing") && error.contains("profile"),
        "{error}"
    );
}

#[test]
fn a_definition_that_fails_says_not_ok() {
    let ask = |sql| run(&["--demo", "-c", sql]);
    let (status, out, error) = ask("CREATE TABLE temp.t AS SELECT 1 / 0 AS x");
    assert_eq!((status, out.as_str()), (1, ""), "{error}");
    let (status, out, _) = ask("CREATE TABLE temp.t AS SELECT 1 AS x");
    assert_eq!((status, out.as_str()), (0, "OK\n"));
}

#[test]
fn a_file_that_includes_itself_ends_with_a_hint() {
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("it self.sql");
    std::fs::write(&file, format!("SELECT 1 AS a;\n\\i '{}'\n", file.display())).unwrap();
    let (status, out, error) = run(&["--demo", "--format", "csv", "-f", file.to_str().unwrap()]);
    assert_eq!((status, out.as_str()), (1, "a\n1\n".repeat(17).as_str()), "{error}");
    assert!(error.contains("more than 16 deep") && error.contains("hint: "), "{error}");
}

#[test]
fn the_name_of_a_file_and_its_format_do_not_contradict_each_other() {
    let folder = tempfile::tempdir().unwrap();
    let name = |file: &str| folder.path().join(file).to_str().unwrap().to_owned();
    let ask = |arguments: &[&str]| run(&[&["--demo"], arguments, &["-c", "SELECT 1 AS a"]].concat());
    let (status, _, error) = ask(&["--format", "csv", "-o", &name("a.parquet")]);
    assert!(
        status == 2 && error.contains("is parquet by its name, and csv was asked for"),
        "{error}"
    );
    let (status, _, error) = ask(&["-o", &name("a.foo")]);
    assert!(
        status == 1 && error.contains("does not say the format") && error.contains("--format"),
        "{error}"
    );
    assert_eq!(ask(&["--format", "csv", "-o", &name("a.foo")]).0, 0);
    assert_eq!(std::fs::read_to_string(name("a.foo")).unwrap(), "a\n1\n");
    // At the prompt the mode is for what is shown; a file is what its name says.
    let script = format!("\\mode csv\n\\o {}\nSELECT 1 AS a;\n\\o\n", name("b.ndjson"));
    assert_eq!(run(&["--demo", "-c", &script]).0, 0);
    assert_eq!(std::fs::read_to_string(name("b.ndjson")).unwrap(), "{\"a\":1}\n");
    assert_eq!(std::fs::read_dir(folder.path()).unwrap().count(), 2);
}

#[test]
fn what_editors_and_people_write_is_read() {
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("bom.sql");
    std::fs::write(&file, "\u{feff}SELECT 1 AS \"a|b\";").unwrap();
    let (status, out, error) = run(&["--demo", "--format", "markdown", "-f", file.to_str().unwrap()]);
    assert_eq!((status, out.as_str()), (0, "| a\\|b |\n|---|\n| 1 |\n"), "{error}");
    let copy = format!("COPY (SELECT 1 AS a) TO '{}'", folder.path().join("one.csv").display());
    assert!(run(&["--demo", "-c", &copy]).2.starts_with("1 row in "));
}

#[test]
fn hints_name_what_can_be_done_here() {
    let (_, _, error) = run(&["--demo", "-c", "SELECT $1"]);
    assert!(
        error.contains("hint: ") && error.contains("PREPARE") && !error.contains("Session"),
        "{error}"
    );
}

#[path = "shell/exits.rs"]
mod exits;
#[path = "shell/prompt.rs"]
mod prompt;
