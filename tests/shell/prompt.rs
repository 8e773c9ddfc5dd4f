//! The prompt on a terminal of its own, with a home of its own.

use std::path::Path;
use std::time::Duration;

use rexpect::ReadUntil;
use rexpect::session::{PtySession, spawn_command};

use super::*;

fn start_with(home: &Path, arguments: &[&str], variables: &[(&str, &str)]) -> PtySession {
    let mut command = jsmql();
    command
        .args(dated(arguments))
        .env("HOME", home)
        .env("TERM", "xterm")
        .env("PAGER", "cat")
        .env("NO_COLOR", "1")
        .envs(variables.iter().copied());
    command.env_remove("XDG_STATE_HOME").env_remove("XDG_CONFIG_HOME");
    let mut session = spawn_command(command, Some(30_000)).unwrap();
    session.exp_string("jsmql> ").unwrap();
    session
}

fn start(home: &Path, arguments: &[&str]) -> PtySession {
    start_with(home, arguments, &[])
}

fn ask(session: &mut PtySession, line: &str, answer: &str) {
    session.send_line(line).unwrap();
    session.exp_string(answer).unwrap_or_else(|error| panic!("{line}: {error}"));
}

fn leave(mut session: PtySession) {
    ask(&mut session, "\\q", "");
    session.exp_eof().unwrap();
}

fn history(home: &Path) -> String {
    std::fs::read_to_string(home.join(".local/state/jsmql/history")).unwrap()
}

/// Presses keys that end in a tab, then Enter, until the names are there: they are read in the background.
fn complete(session: &mut PtySession, keys: &str, rest: &str, answer: &str) {
    for _ in 0..40 {
        session.send(&format!("{keys}\t{rest}\n")).unwrap();
        session.flush().unwrap();
        let needles = [answer, "error: "].map(|needle| ReadUntil::String(needle.to_owned()));
        let (_, found) = session
            .exp_any(needles.into())
            .unwrap_or_else(|error| panic!("{keys}: {error}"));
        if found == answer {
            return;
        }
        std::thread::sleep(Duration::from_millis(250));
    }
    panic!("{keys} was never completed");
}

#[test]
fn statements_go_over_lines_and_errors_do_not_end_it() {
    let home = tempfile::tempdir().unwrap();
    std::fs::write(home.path().join(".jsmqlrc"), "\\timing on\n").unwrap();
    let mut session = start(home.path(), &["--demo"]);
    ask(&mut session, "SELECT id", "    -> ");
    ask(&mut session, "FROM service_desks WHERE id = '2';", "1 row");
    session.exp_string("Time: ").unwrap();
    ask(&mut session, "SELECT * FROM nothing;", "error: there is no table");
    ask(&mut session, "\\x on", "expanded rows on");
    ask(&mut session, "SELECT 'é' AS \"name\";", "-[ row 1 ]");
    ask(&mut session, "\\d request_comments", "issue_key");
    ask(&mut session, "CREATE TABLE temp.t AS SELECT 1 AS one;", "OK");
    ask(&mut session, "SELECT one + 41 AS answer FROM t;", "42");
    // Typed while a statement runs.
    ask(
        &mut session,
        "SELECT 'c4n4ry' AS x, 'Password=' AS y;\nSELECT 4 * 11 AS answer;",
        "44",
    );
    leave(session);
    let history = history(home.path());
    assert!(history.contains("service_desks") && !history.contains("c4n4ry"), "{history}");
    let file = home.path().join(".local/state/jsmql/history");
    let mode = std::os::unix::fs::PermissionsExt::mode(&std::fs::metadata(&file).unwrap().permissions());
    assert_eq!(mode & 0o777, 0o600);
}

#[test]
fn what_is_half_written_can_be_left() {
    let home = tempfile::tempdir().unwrap();
    let mut session = start(home.path(), &["--demo"]);
    ask(&mut session, "SELECT 'open", "   '> ");
    ask(&mut session, "\\q", "note: a literal or comment is open");
    session.exp_string("   '> ").unwrap();
    session.send_control('c').unwrap();
    session.exp_string("jsmql> ").unwrap();
    ask(&mut session, "SELECT 40 + 2", "    -> ");
    ask(&mut session, "AS answer;", "42");
    ask(&mut session, "SELECT 1", "    -> ");
    leave(session);
}

#[test]
fn names_are_completed() {
    let home = tempfile::tempdir().unwrap();
    std::fs::write(home.path().join("a file.sql"), "SELECT 'from the file';").unwrap();
    let mut session = start(home.path(), &["--demo"]);
    ask(&mut session, "CREATE TABLE temp.mine AS SELECT 7 AS own_column;", "OK");
    for (keys, rest, answer) in [
        ("SELECT id FROM service_desks WHERE project_k", " = 'HR';", "1 row"),
        ("\\df create_cust", "", "display_name"),
        ("SELECT regexp_repl", "'aXb', 'X', '-');", "a-b"),
        ("SELECT own_column + 35 FROM public.myse", " CROSS JOIN mine LIMIT 1;", "42"),
        ("SELECT own_column * 3 AS n FROM mine WHERE own_c", " = 7;", "21"),
        ("SELECT * FROM transition_request(iss", "'ITSM-0');", "transition"),
        ("\\h ins", "", "INSERT INTO table"),
        ("\\i ~/a", "", "from the file"),
        (".timi", "", "timing on"),
        ("\\mode vert", "", "jsmql> "),
    ] {
        complete(&mut session, keys, rest, answer);
    }
    // A connection string that cannot be used says so by the name of the option.
    session.send("\\c MaxReq\tx\n").unwrap();
    session.flush().unwrap();
    session.exp_string("MaxRequests").unwrap();
    session.exp_string("error: ").unwrap();
    leave(session);
}

#[test]
fn ctrl_c_ends_the_statement_and_not_the_prompt() {
    let home = tempfile::tempdir().unwrap();
    let mut session = start(home.path(), &["--demo", "--requests", "2000", "--latency-ms", "2000"]);
    session.send_line("SELECT count(*) FROM request_comments;").unwrap();
    session.exp_string("in flight").unwrap();
    session.send_control('c').unwrap();
    session.exp_string("error: cancelled").unwrap();
    ask(&mut session, "SELECT 40 + 2 AS answer;", "42");
    ask(&mut session, "\\watch 0.2", "Ctrl-C ends it");
    session.exp_string("42").unwrap();
    session.exp_string("42").unwrap();
    session.send_control('c').unwrap();
    ask(&mut session, "\\conninfo", "AuthScheme");
    leave(session);
}

#[test]
fn a_write_that_is_cancelled_says_what_became_of_its_rows() {
    let home = tempfile::tempdir().unwrap();
    let mut session = start(home.path(), &["--demo", "--fault", "hang:every=2"]);
    session
        .send_line("INSERT INTO organizations (name) VALUES ('a'), ('b'), ('c');")
        .unwrap();
    session.exp_string("in flight").unwrap();
    session.send_control('c').unwrap();
    session
        .exp_string("error: cancelled: 1 applied, 0 failed, 1 unknown, 1 not attempted")
        .unwrap();
    ask(&mut session, "SELECT key FROM sys.writes WHERE outcome = 'applied';", "1 row");
    leave(session);
}

#[test]
fn ctrl_c_ends_the_whole_text() {
    let home = tempfile::tempdir().unwrap();
    let file = home.path().join("two.sql");
    let text = "SELECT count(*) FROM request_comments;\nCREATE TABLE temp.made AS SELECT 1 AS one;\n";
    std::fs::write(&file, text).unwrap();
    let mut session = start(home.path(), &["--demo", "--requests", "2000", "--latency-ms", "2000"]);
    let pasted = format!("\x1b[200~{}\x1b[201~", text.trim_end());
    for line in [format!("\\i {}", file.display()), pasted] {
        session.send_line(&line).unwrap();
        session.exp_string("in flight").unwrap();
        session.send_control('c').unwrap();
        session.exp_string("error: cancelled").unwrap();
        ask(&mut session, "SELECT one FROM temp.made;", "error: there is no table");
    }
    leave(session);
}

#[test]
fn ctrl_c_ends_commands_that_wait() {
    let home = tempfile::tempdir().unwrap();
    let mut session = start(home.path(), &["--demo", "--latency-ms", "20000"]);
    session.send_line("\\d issues").unwrap();
    // The terminal must have been given back by the editor.
    std::thread::sleep(Duration::from_millis(1_500));
    session.send_control('c').unwrap();
    session.exp_string("error: cancelled").unwrap();
    ask(&mut session, "SELECT 40 + 2 AS answer;", "42");
    leave(session);
}

#[test]
fn no_error_ends_the_prompt() {
    let home = tempfile::tempdir().unwrap();
    std::fs::write(home.path().join(".jsmqlrc"), ".bail on\nSELECT * FROM nothing;\n").unwrap();
    std::fs::write(home.path().join("self.sql"), "\\i ~/self.sql\n").unwrap();
    std::fs::write(
        home.path().join("two.sql"),
        "SELECT * FROM nothing;\nCREATE TABLE temp.made AS SELECT 1 AS one;\n",
    )
    .unwrap();
    let mut session = start(home.path(), &["--demo"]);
    ask(&mut session, "SELECT * FROM nothing;", "error: there is no table");
    ask(&mut session, "\\nonsense", "error: there is no command");
    ask(&mut session, "\\i '~/self.sql'", "error: files include each other");
    ask(&mut session, "\\i ~/two.sql", "error: there is no table");
    ask(&mut session, "SELECT one FROM made;", "error: there is no table");
    ask(&mut session, ".bail off", "bail off");
    ask(&mut session, "\\i ~/two.sql", "OK");
    ask(&mut session, "SELECT one + 41 FROM made;", "42");
    leave(session);
}

#[test]
fn secrets_are_not_kept() {
    let home = tempfile::tempdir().unwrap();
    let mut session = start(home.path(), &["--demo"]);
    for (line, answer) in [
        ("SET APIToken TO 'c4n4ry';", "error: "),
        ("\\conect jsm://ann:c4n4ry@acme.example", "error: "),
        ("SELECT '{\"password\": \"c4n4ry\"}';", "1 row"),
        ("SELECT 40 + 2 AS answer;", "42"),
        ("\\c URL=http://127.0.0.1:1;AuthScheme=Anonymous", "connected to"),
        // That of the demo site, which the shell has left.
        ("SELECT 'demo-token';", "1 row"),
    ] {
        ask(&mut session, line, answer);
    }
    leave(session);
    let history = history(home.path());
    assert!(history.contains("answer"), "{history}");
    for secret in ["c4n4ry", "demo-token"] {
        assert!(!history.contains(secret), "{history}");
    }
}

#[test]
fn commands_show_what_there_is() {
    let home = tempfile::tempdir().unwrap();
    let mut session = start(home.path(), &["--demo"]);
    for (line, answer) in [
        ("\\?", "run the last statement again and again"),
        ("\\h", "COPY table"),
        ("\\h insert", "RETURNING"),
        ("\\h nothing", "error: there is no help"),
        ("\\df", "transition_request"),
        ("\\df create_customer", "display_name"),
        ("\\l", "Tables of the site."),
        ("\\mode", "table; there are table, vertical"),
        ("\\requests", "error: no statement was run yet"),
        ("SELECT id FROM service_desks ORDER BY id;", "3 rows"),
        ("\\requests", "1 x GET /rest/servicedeskapi/servicedesk"),
        ("\\requests trace", "+0 ms  GET"),
        ("\\mode csv", "jsmql> "),
        ("SELECT 7 AS a, 8 AS b;", "7,8"),
        ("\\profile", "kept in "),
        ("\\profile nothing", "error: there is no profile"),
        ("\\pager off", "pager off"),
        ("\\bail", "bail on"),
    ] {
        ask(&mut session, line, answer);
    }
    leave(session);
}

#[test]
fn rows_go_to_files_and_statements_come_from_an_editor() {
    let home = tempfile::tempdir().unwrap();
    let editor = "sh -c 'echo \"SELECT 40 + 2 AS edited;\" > \"$1\"' edit";
    let mut session = start_with(home.path(), &["--demo"], &[("EDITOR", editor), ("VISUAL", "")]);
    ask(&mut session, "\\o '~/two desks.csv'", "jsmql> ");
    ask(&mut session, "SELECT id FROM service_desks ORDER BY id LIMIT 2;", "jsmql> ");
    ask(&mut session, "\\o", "jsmql> ");
    ask(&mut session, "\\o ~/x.nothing", "error: the name");
    ask(&mut session, "\\e", "42");
    leave(session);
    assert_eq!(
        std::fs::read_to_string(home.path().join("two desks.csv")).unwrap(),
        "id\n1\n2\n"
    );
    assert!(history(home.path()).contains("AS edited;"));
}

#[test]
fn long_answers_are_shown_by_pages() {
    let home = tempfile::tempdir().unwrap();
    let pager = [("PAGER", "sed 's/^/paged: /'")];
    let mut session = start_with(home.path(), &["--demo"], &pager);
    let sql = "SELECT value FROM generate_series(1, 200);";
    ask(&mut session, sql, "paged: 200 rows");
    ask(&mut session, "\\pager off", "pager off");
    session.send_line(sql).unwrap();
    let shown = session.exp_string("200 rows").unwrap();
    assert!(!shown.contains("paged"), "{shown}");
    leave(session);
}
