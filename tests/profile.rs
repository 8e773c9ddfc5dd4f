//! Profiles and the commands about connections, through the binary; the connection commands of each section of `docs/options.md`.

#![allow(clippy::unwrap_used, reason = "a test may fail")]

use std::path::Path;
use std::process::Command;

/// Runs the binary with a configuration of its own: status, standard output and error.
fn run(home: &Path, arguments: &[&str], variables: &[(&str, &str)]) -> (i32, String, String) {
    let output = Command::new(env!("CARGO_BIN_EXE_jsmql"))
        .args(arguments)
        .env_clear()
        .env("PATH", std::env::var_os("PATH").unwrap_or_default())
        .env("XDG_CONFIG_HOME", home)
        .env("HOME", home)
        .env("APPDATA", home)
        .envs(variables.iter().copied())
        .output()
        .unwrap();
    let text = |bytes: Vec<u8>| String::from_utf8(bytes).unwrap();
    (output.status.code().unwrap_or(-1), text(output.stdout), text(output.stderr))
}

#[test]
fn a_profile_is_kept_used_and_shown_without_secrets() {
    let home = tempfile::tempdir().unwrap();
    let run = |arguments: &[&str], variables: &[(&str, &str)]| run(home.path(), arguments, variables);
    let string = "URL=https://jira.example.net;APIToken=${JIRA_TOKEN};MaxRows=5";
    let (status, _, err) = run(&["profile", "add", "acme", "--connection", string], &[]);
    assert_eq!(status, 0, "{err}");
    let file = home.path().join("jsmql/config.toml");
    assert!(std::fs::read_to_string(&file).unwrap().contains("[profiles.acme]"));
    let (_, out, _) = run(&["profile", "list"], &[]);
    assert_eq!(out, "acme  https://jira.example.net\n");

    let token = [("JIRA_TOKEN", "c4n4ry")];
    let (status, out, err) = run(&["config", "show", "--profile", "acme"], &token);
    assert_eq!(status, 0, "{err}");
    for line in [
        "URL = https://jira.example.net  (profile acme)",
        "APIToken = ***  (profile acme)",
        "sign-in: PAT (inferred from APIToken without User)",
    ] {
        assert!(out.contains(line), "{out}");
    }
    let variables = [("JIRA_TOKEN", "c4n4ry"), ("JSMQL_PROFILE", "acme"), ("JSMQL_MAXROWS", "7")];
    let (_, out, _) = run(&["config", "show"], &variables);
    assert!(out.contains("MaxRows = 7  (JSMQL_MAXROWS)"), "{out}");
    let (status, _, err) = run(&["config", "show", "--profile", "acme"], &[]);
    assert!(status == 2 && err.contains("JIRA_TOKEN"), "{err}");

    let edit = "ApiToken=;APITokenCommand=echo c4n4ry2";
    let (status, _, err) = run(&["profile", "edit", "acme", "--connection", edit], &[]);
    assert_eq!(status, 0, "{err}");
    let (status, out, err) = run(&["config", "show", "--profile", "acme"], &[]);
    assert!(
        status == 0 && out.contains("APIToken = ***") && !out.contains("c4n4ry"),
        "{out}{err}"
    );

    for (arguments, message) in [
        (
            &["profile", "add", "acme", "--connection", "URL=https://x"][..],
            "there is a profile acme already",
        ),
        (&["profile", "add", "a/b", "--connection", "URL=https://x"], "holds `/`"),
        (
            &["profile", "add", "new", "--connection", "Urll=https://x"],
            "Urll is not an option",
        ),
        (
            &["profile", "edit", "nobody", "--connection", "MaxRows=1"],
            "there is no profile nobody",
        ),
        (&["profile", "delete", "nobody"], "there is no profile nobody"),
        (&["test", "--profile", "nobody"], "there is no profile nobody"),
        (
            &[
                "-c",
                "SELECT 1",
                "--connection",
                "URL=https://x;APITokenCommand=touch /tmp/evil",
            ],
            "must not run programs",
        ),
    ] {
        let (status, _, err) = run(arguments, &[]);
        assert!(
            status == 2 && err.contains(message) && err.contains("hint: "),
            "{arguments:?}: {err}"
        );
    }
    assert_eq!(run(&["profile", "delete", "acme"], &[]).0, 0);
    assert_eq!(run(&["profile", "list"], &[]).1, "");
}

#[test]
fn secrets_come_from_a_file_a_variable_or_a_program() {
    let home = tempfile::tempdir().unwrap();
    let file = home.path().join("token");
    std::fs::write(&file, "t0ken\n").unwrap();
    let url = "URL=https://jira.example.net";
    let by_file = format!("{url};APITokenFile={}", file.display());
    for (string, variables) in [
        (by_file.as_str(), &[][..]),
        ("URL=https://jira.example.net;API Token Variable=MINE", &[("MINE", "t0ken")]),
        (url, &[("JSMQL_APITOKEN_COMMAND", "echo t0ken")]),
    ] {
        let (status, out, err) = run(home.path(), &["config", "show", "--connection", string], variables);
        assert!(status == 0 && out.contains("APIToken = ***"), "{string}: {out}{err}");
    }
    let (status, _, err) = run(
        home.path(),
        &["config", "show", "--connection", &format!("{url};APITokenFile=/none")],
        &[],
    );
    assert!(
        status == 1 && err.contains("APIToken cannot be got: the file cannot be read"),
        "{status} {err}"
    );
}

#[test]
fn login_is_for_oauth() {
    let home = tempfile::tempdir().unwrap();
    for command in ["login", "logout"] {
        let (status, _, err) = run(
            home.path(),
            &[command, "--connection", "URL=https://jira.example.net;PAT=t"],
            &[],
        );
        assert!(status == 2 && err.contains("login and logout are for OAuth"), "{err}");
    }
    let string = "URL=https://jira.example.net;OAuthClientId=c;InitiateOAuth=GETANDREFRESH";
    let (status, out, err) = run(home.path(), &["logout", "--connection", string], &[]);
    assert!(
        status == 0 && out.contains("there were no tokens in") && out.contains("jira.example.net-"),
        "{out}{err}"
    );
    let string = format!("{string};CallbackURL=https://app.example/x");
    let (status, _, err) = run(home.path(), &["login", "--no-browser", "--connection", &string], &[]);
    assert!(
        status == 1 && err.contains("https://jira.example.net/rest/oauth2/latest/authorize?"),
        "{err}"
    );
    assert!(err.contains("OAuthVerifier"), "{err}");
}

#[test]
fn a_test_names_the_step_that_failed() {
    let home = tempfile::tempdir().unwrap();
    for (string, step, hint) in [
        ("URL=https://site.invalid;PAT=t", "resolve      FAILED", "ProxyServer"),
        ("URL=http://127.0.0.1:1;PAT=t", "connect      FAILED", "FirewallType"),
        ("jsm+http://127.0.0.1:1?PAT=t", "connect      FAILED", "FirewallType"),
    ] {
        let (status, out, err) = run(home.path(), &["test", "--connection", string], &[]);
        assert!(status == 1 && out.contains(step), "{out}");
        assert!(err.contains("hint: ") && err.contains(hint), "{err}");
    }
    let (_, _, err) = run(
        home.path(),
        &["test", "--connection", "URL=https://127.0.0.1:1;PAT=t;SSLServerCert=*"],
        &[],
    );
    assert!(err.contains("warning: SSLServerCert=* accepts every server"), "{err}");
}
