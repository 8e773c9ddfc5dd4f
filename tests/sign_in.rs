//! Signing in at hosts as they are called in the documentation: each connection string of `docs/options.md`, the OAuth procedures, and
//! tokens that end while rows are read.

#![allow(clippy::unwrap_used, reason = "a test may fail")]

use std::collections::BTreeMap;

use arrow::array::{Array, AsArray, RecordBatch};
use arrow::compute::cast;
use arrow::datatypes::DataType;
use futures::TryStreamExt;
use jsmql::demo::{TOKEN, USER};
use jsmql::{Connection, Error, ErrorKind, Session};

#[path = "sign_in/net.rs"]
mod net;
use net::{CLOUD_ID, Net};

fn open(text: &str) -> Session {
    Session::open(Connection::parse(text, std::iter::empty()).unwrap_or_else(|error| panic!("{text}: {error}"))).unwrap()
}

async fn batches(session: &Session, sql: &str) -> Result<Vec<RecordBatch>, Error> {
    session.sql(sql).await?.try_collect().await
}

/// Rows as texts, NULL as `-`.
async fn rows(session: &Session, sql: &str) -> Result<Vec<Vec<String>>, Error> {
    let mut rows = Vec::new();
    for batch in batches(session, sql).await? {
        let columns: Vec<_> = batch
            .columns()
            .iter()
            .map(|column| cast(column, &DataType::Utf8).unwrap())
            .collect();
        for row in 0..batch.num_rows() {
            let cell = |column: &std::sync::Arc<dyn Array>| match column.is_null(row) {
                true => "-".to_owned(),
                false => column.as_string::<i32>().value(row).to_owned(),
            };
            rows.push(columns.iter().map(cell).collect());
        }
    }
    Ok(rows)
}

/// What the demo site has, asked directly.
async fn known(net: &Net, sql: &str) -> Vec<Vec<String>> {
    let session = open(&format!("URL={};User={USER};APIToken={TOKEN}", net.demo.url()));
    rows(&session, sql).await.unwrap()
}

/// Signs in as a program does that shows the page in a browser of its own.
async fn agree(net: &Net, session: &Session) -> Vec<String> {
    let url = rows(session, "SELECT url FROM get_oauth_authorization_url()").await.unwrap();
    let back = net.agree(&url[0][0]);
    let sql = format!("SELECT * FROM get_oauth_access_token(verifier => '{back}')");
    rows(session, &sql).await.unwrap().remove(0)
}

/// The options of an OAuth client that keeps its tokens in a file of the net.
fn client(net: &Net, site: &str, rest: &str) -> String {
    let file = net.folder().join("tokens.json");
    format!(
        "AuthScheme=OAuth;URL=https://{site};OAuthClientId=kqZ81;OAuthClientSecret=ATOAx9;OAuthSettingsLocation={};{};{rest}",
        file.display(),
        net.way()
    )
}

const SOME: &str = "SELECT issue_key, summary FROM requests WHERE service_desk_id = '1' ORDER BY issue_key LIMIT 5";

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn every_connection_string_of_the_documentation_works() {
    let text = std::fs::read_to_string("docs/options.md").unwrap();
    let strings: Vec<&str> = text
        .lines()
        .filter(|line| line.starts_with("AuthScheme=") || line.starts_with("URL="))
        .collect();
    assert_eq!(strings.len(), 13);
    let mut seen = BTreeMap::new();
    for string in strings {
        let net = Net::start().await;
        net.state.lock().unwrap().open = string.contains("Anonymous");
        let mut text = format!(
            "{};{}",
            string.replace("/etc/jsmql/jira.pem", "tests/certificates/client.pem"),
            net.way()
        );
        if string.contains("InitiateOAuth") {
            text += &format!(";OAuthSettingsLocation={}", net.folder().join("tokens.json").display());
        }
        let session = open(&text);
        if string.contains("GETANDREFRESH") {
            agree(&net, &session).await;
        }
        let found = rows(&session, SOME).await.unwrap_or_else(|error| panic!("{string}: {error}"));
        assert_eq!(found, known(&net, SOME).await, "{string}");
        assert_eq!(found.len(), 5);
        let findings = session.check().await.unwrap_or_else(|error| panic!("{string}: {error}"));
        assert!(findings.account.contains("Dana"), "{string}: {findings:?}");
        let mut hosts: Vec<String> = net
            .asked()
            .iter()
            .map(|asked| asked.split([' ', '/']).nth(1).unwrap().to_owned())
            .collect();
        hosts.sort();
        hosts.dedup();
        seen.insert(session.connection().scheme_text().to_owned() + " " + &hosts.join(" "), ());
    }
    let seen: Vec<String> = seen.into_keys().collect();
    assert_eq!(
        seen,
        [
            "APIToken (inferred from User and APIToken) acme.atlassian.net",
            "APIToken acme.atlassian.net",
            "APIToken acme.atlassian.net api.atlassian.com",
            "Anonymous jira.example.net",
            "Basic jira.example.net",
            "Crowd crowd.example.net jira.example.net",
            "OAuth 1.0a jira.example.net",
            "OAuth 2.0 api.atlassian.com",
            "OAuth 2.0 api.atlassian.com auth.atlassian.com",
            "OAuth 2.0 jira.example.net",
            "Okta acme.okta.com jira.example.net",
            "PAT jira.example.net",
        ]
    );
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_program_gets_tokens_by_the_procedures() {
    let net = Net::start().await;
    let log = net.folder().join("log");
    let text = client(&net, "acme.atlassian.net", &format!("Logfile={};Verbosity=5", log.display()));
    let session = open(&text);
    let error = rows(&session, SOME).await.unwrap_err();
    assert_eq!(error.message(), "OAuthAccessToken is missing");
    assert!(error.hint_text().unwrap().contains("get_oauth_access_token"), "{error:?}");
    let granted = agree(&net, &session).await;
    assert_eq!(granted, ["a1", "-", "r1", CLOUD_ID, "3600"]);
    assert!(session.requests().is_empty(), "the site itself was asked nothing");
    // The caller keeps the tokens: the connection does not.
    assert!(rows(&session, SOME).await.is_err());
    let kept = std::fs::read_to_string(net.folder().join("tokens.json")).unwrap();
    assert!(!kept.contains("r1") && !kept.contains("pending"), "{kept}");
    let session = open(&format!("{text};OAuthAccessToken=a1"));
    assert_eq!(rows(&session, SOME).await.unwrap(), known(&net, SOME).await);
    let again = rows(&session, "EXECUTE refresh_oauth_access_token oauth_refresh_token = 'r1'").await;
    assert_eq!(again.unwrap(), [["a2", "r2", "3600"]]);
    let explained = rows(&session, "EXPLAIN SELECT * FROM refresh_oauth_access_token('r2')")
        .await
        .unwrap();
    let explained = explained.concat().join("\n");
    assert!(
        explained.contains("oauth_refresh_token => ***") && !explained.contains("r2"),
        "{explained}"
    );
    let error = rows(&session, "SELECT * FROM refresh_oauth_access_token('c4n4ry')")
        .await
        .unwrap_err();
    assert!(error.message().contains("the refresh token was refused"), "{error}");
    assert_eq!(net.state.lock().unwrap().refreshes, 2);
    drop(session);
    let log = std::fs::read_to_string(log).unwrap();
    assert!(
        log.contains("get_oauth_access_token(verifier => ?)"),
        "the statements are logged without their constants"
    );
    for secret in ["c0de", "'r1'", "c4n4ry", "\"a1\"", "ATOAx9"] {
        assert!(!log.contains(secret), "{secret}");
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn tokens_that_the_connection_keeps_are_used_at_once() {
    let net = Net::start().await;
    let text = client(
        &net,
        "jira.example.net",
        "InitiateOAuth=GETANDREFRESH;CallbackURL=https://app.example/done",
    );
    let session = open(&text);
    // The examples of the documentation, in the order of their use.
    let sql = "SELECT sql FROM sys.examples WHERE table_name LIKE '%oauth%' ORDER BY CASE WHEN sql LIKE '%authorization%' THEN 1 \
               WHEN sql LIKE '%WEB%' THEN 2 ELSE 3 END";
    let examples = rows(&session, sql).await.unwrap().concat();
    assert_eq!(examples.len(), 3);
    let url = rows(&session, &examples[0]).await.unwrap().remove(0).remove(0);
    assert!(net.agree(&url).starts_with("https://app.example/done?"));
    assert_eq!(rows(&session, &examples[1]).await.unwrap(), [["a1", "r1", "-"]]);
    assert_eq!(rows(&session, SOME).await.unwrap(), known(&net, SOME).await);
    assert_eq!(rows(&session, &examples[2]).await.unwrap(), [["a2", "r2", "3600"]]);
    // The refreshed token was the connection's own, and so is the next.
    assert_eq!(rows(&session, SOME).await.unwrap(), known(&net, SOME).await);
    assert_eq!(rows(&open(&text), SOME).await.unwrap(), known(&net, SOME).await);
    assert_eq!(net.state.lock().unwrap().refreshes, 1);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_procedures_of_oauth_1_give_a_token_and_its_secret() {
    let net = Net::start().await;
    let text = format!(
        "OAuthVersion=1.0;URL=https://jira.example.net;OAuthClientId=jsmql;OAuthClientSecret=hm4c;OAuthSettingsLocation={};{}",
        net.folder().join("tokens.json").display(),
        net.way()
    );
    let session = open(&text);
    let begun = rows(&session, "CALL get_oauth_authorization_url()").await.unwrap().remove(0);
    assert_eq!(begun[1..], ["request-token", "request-key"]);
    assert!(
        begun[0].ends_with("/plugins/servlet/oauth/authorize?oauth_token=request-token"),
        "{begun:?}"
    );
    let sql = "CALL get_oauth_access_token('WEB', 'v3rifier', auth_token => 'request-token', auth_key => 'request-key')";
    let granted = rows(&session, sql).await.unwrap().remove(0);
    assert_eq!(granted, ["access-token", "access-key", "-", "-", "-"]);
    let session = open(&format!(
        "{text};OAuthAccessToken=access-token;OAuthAccessTokenSecret=access-key"
    ));
    assert_eq!(rows(&session, SOME).await.unwrap(), known(&net, SOME).await);
    let error = rows(&session, "CALL refresh_oauth_access_token('x')").await.unwrap_err();
    assert!(error.message().contains("OAuth 1.0 has no refresh tokens"), "{error}");
    let error = rows(&session, "CALL get_oauth_authorization_url(state => 'x')")
        .await
        .unwrap_err();
    assert!(error.message().contains("state is of OAuth 2.0"), "{error}");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_does_not_fit_a_procedure_is_told() {
    let net = Net::start().await;
    let session = open(&client(&net, "jira.example.net", "InitiateOAuth=GETANDREFRESH"));
    let url = rows(&session, "SELECT url FROM get_oauth_authorization_url(state => 'mine')")
        .await
        .unwrap();
    assert!(net.agree(&url[0][0]).ends_with("state=mine"));
    for (arguments, message) in [
        ("'http://localhost:33333/?code=c0de&state=other'", "its state is wrong"),
        ("'wrong'", "the code of the sign-in was refused"),
        ("'x', auth_mode => 'APP'", "auth_mode is APP, which takes no verifier"),
        ("'x', auth_token => 'y'", "auth_token and auth_key belong together"),
        (
            "'x', auth_token => 'y', auth_key => 'z'",
            "auth_token and auth_key are of OAuth 1.0",
        ),
        ("'x', callback_url => 'nowhere'", "callback_url is no URL"),
        ("NULL, auth_mode => 'WEB'", "verifier is missing"),
        ("'x', auth_mode => 'OTHER'", "auth_mode"),
    ] {
        let sql = format!("SELECT * FROM get_oauth_access_token(verifier => {arguments})");
        let error = rows(&session, &sql).await.expect_err(&sql);
        assert!(error.message().contains(message), "{error}\n  lacks {message}");
        assert!(error.hint_text().is_some(), "{error}");
    }
    let plain = open(&format!(
        "URL=https://jira.example.net;AuthScheme=PAT;APIToken=MDk4NzY1;{}",
        net.way()
    ));
    let error = rows(&plain, "CALL refresh_oauth_access_token('r0')").await.unwrap_err();
    assert!(error.message().contains("the connection does not use OAuth"), "{error}");
    assert_eq!(net.state.lock().unwrap().refreshes, 0);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_token_that_ends_while_rows_are_read_is_refreshed_once_and_no_row_is_lost() {
    for (sql, dies_after) in [
        // Pages of one list, several at a time.
        ("SELECT issue_key, summary FROM requests", 4),
        // One request for each row of the parent.
        (
            "SELECT c.id, c.issue_key FROM requests r JOIN request_comments c ON c.issue_key = r.issue_key WHERE r.service_desk_id = '1'",
            7,
        ),
        // Keys first, then batches of issues.
        ("SELECT issue_key, summary FROM issues WHERE project_key = 'ITSM'", 2),
    ] {
        let net = Net::start().await;
        net.state.lock().unwrap().good_for = Some(dies_after);
        let rest = "InitiateOAuth=REFRESH;OAuthAccessToken=a0;OAuthRefreshToken=r0;Pagesize=20";
        let session = open(&client(&net, "jira.example.net", rest));
        let mut found = rows(&session, sql).await.unwrap_or_else(|error| panic!("{sql}: {error}"));
        let mut expected = known(&net, sql).await;
        assert!(found.len() > 50, "{sql}: {}", found.len());
        found.sort();
        expected.sort();
        assert_eq!(found, expected, "{sql}");
        let (refreshes, refused) = {
            let refused = session
                .requests()
                .iter()
                .filter(|request| request.status == Some(401))
                .count();
            (net.state.lock().unwrap().refreshes, refused)
        };
        assert_eq!(refreshes, 1, "{sql}");
        // As many as were under way at the time.
        assert!((1..=8).contains(&refused), "{sql}: {refused}");
    }
    // A token that stays refused is an error, not a loop.
    let net = Net::start().await;
    net.state.lock().unwrap().good_for = Some(4);
    let session = open(&client(&net, "jira.example.net", "OAuthAccessToken=a0;Pagesize=20"));
    let error = rows(&session, "SELECT issue_key FROM requests").await.unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Authentication);
    assert!(
        error.message().contains("OAuthAccessToken was not accepted by the site"),
        "{error}"
    );
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn wrong_credentials_are_noticed_while_connecting_where_that_is_wanted() {
    let net = Net::start().await;
    let text = |rest: &str| format!("URL={};User={USER};{rest}", net.demo.url());
    assert!(Session::connect(&text("APIToken=wrong")).await.is_ok());
    assert!(net.demo.served().is_empty(), "nothing was asked");
    let error = Session::connect(&text("APIToken=wrong;ConnectOnOpen=true"))
        .await
        .unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Authentication, "{error}");
    assert!(
        Session::connect(&text(&format!("APIToken={TOKEN};ConnectOnOpen=true")))
            .await
            .is_ok()
    );
    let served: Vec<String> = net.demo.served().iter().map(|served| served.address.clone()).collect();
    assert_eq!(served, ["/rest/api/2/myself"; 2]);
    let anonymous = format!("URL={};AuthScheme=Anonymous;ConnectOnOpen=true", net.demo.url());
    assert!(Session::connect(&anonymous).await.is_ok());
}

/// What `jsmql test` says of scopes.
async fn scopes(session: &Session) -> String {
    let mut said = String::new();
    let mut report = |step: &'static str, found: Option<String>| {
        if step == "scopes" {
            said = found.unwrap_or_default();
        }
    };
    session.check_steps(&mut report).await.unwrap();
    said
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn missing_scopes_are_named_with_the_tables_that_need_them() {
    let net = Net::start().await;
    // The authorization server says what it granted.
    net.state.lock().unwrap().scope = "read:servicedesk-request write:servicedesk-request read:jira-work read:jira-user".into();
    let session = open(&client(
        &net,
        "acme.atlassian.net",
        "InitiateOAuth=REFRESH;OAuthRefreshToken=r0",
    ));
    let said = scopes(&session).await;
    assert!(said.starts_with("missing manage:servicedesk-customer (to read "), "{said}");
    for part in ["organizations", "manage:servicedesk-customer (to write "] {
        assert!(said.contains(part), "{said}");
    }
    assert!(!said.contains("read:jira-work"), "{said}");
    // Of an API token nobody says it: the site is asked.
    let token = |rest: &str| {
        format!(
            "URL=https://acme.atlassian.net;User=ann@acme.example;APIToken=ATSTT3xFf;ScopedToken=true;{};{rest}",
            net.way()
        )
    };
    let session = open(&token("Readonly=true"));
    assert_eq!(
        scopes(&session).await,
        "all that reading takes; only a write shows whether it may write"
    );
    net.state.lock().unwrap().unscoped = vec!["/rest/servicedeskapi/organization", "/rest/servicedeskapi/customer"];
    let session = open(&token("Readonly=true"));
    let said = scopes(&session).await;
    assert!(said.starts_with("missing manage:servicedesk-customer (to read "), "{said}");
    assert!(said.contains("organizations") && !said.contains("(to write"), "{said}");
    let error = rows(&session, "SELECT * FROM organizations").await.unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Permission);
    assert!(
        error.hint_text().unwrap().contains("manage:servicedesk-customer"),
        "{error:?}"
    );
    // With the id at hand the site is not asked for it.
    net.asked();
    let session = open(&token(&format!("CloudId={CLOUD_ID}")));
    assert_eq!(rows(&session, SOME).await.unwrap(), known(&net, SOME).await);
    assert!(net.asked().iter().all(|asked| asked.contains("api.atlassian.com")));
}

/// `jsmql test` in a process of its own, with these variables.
fn command(connection: &str, variables: &[(&str, &str)]) -> (bool, String) {
    let mut command = std::process::Command::new(env!("CARGO_BIN_EXE_jsmql"));
    for (name, _) in std::env::vars().filter(|(name, _)| name.starts_with("JSMQL_") || name.to_lowercase().ends_with("_proxy")) {
        command.env_remove(name);
    }
    let output = command
        .args(["test", "--connection", connection])
        .envs(variables.iter().copied())
        .output()
        .unwrap();
    let text = [output.stdout, output.stderr]
        .map(|bytes| String::from_utf8(bytes).unwrap())
        .concat();
    (output.status.success(), text)
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_proxy_of_the_environment_is_found_unless_it_is_not_wanted() {
    let net = Net::start().await;
    let proxy = net.proxy();
    let run = |connection: &str, variables: &[(&str, &str)]| tokio::task::block_in_place(|| command(connection, variables));
    let acme = format!(
        "URL=https://acme.atlassian.net;User=ann@acme.example;APIToken=ATATT3xFf;Timeout=20;SSLServerCert={}",
        net.trust()
    );
    for (options, variable) in [
        ("", "HTTPS_PROXY"),
        ("ProxyAutoDetect=true", "https_proxy"),
        ("UseProxySettings=true", "ALL_PROXY"),
    ] {
        let (done, said) = run(&format!("{acme};{options}"), &[(variable, &proxy)]);
        assert!(done, "{variable}: {said}");
        assert!(said.contains(&format!("the proxy in {variable}")), "{said}");
        assert!(
            net.asked()
                .iter()
                .any(|asked| asked == "GET acme.atlassian.net/rest/api/2/myself")
        );
    }
    for (options, exceptions) in [
        ("ProxyAutoDetect=false", ""),
        ("UseProxySettings=false", ""),
        ("", "acme.atlassian.net"),
    ] {
        // Without the proxy there is no such site, or it has another certificate.
        let (done, said) = run(
            &format!("{acme};{options}"),
            &[("HTTPS_PROXY", &proxy), ("NO_PROXY", exceptions)],
        );
        assert!(!done, "{options}: {said}");
        assert!(net.asked().is_empty(), "{options}: {said}");
    }
    // A site on this machine is spoken to directly.
    let text = format!("URL={};User={USER};APIToken={TOKEN}", net.demo.url());
    let (done, said) = run(&text, &[("HTTP_PROXY", &proxy), ("ALL_PROXY", &proxy)]);
    assert!(done && net.asked().is_empty(), "{said}");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_proxy_may_be_spoken_to_in_tls() {
    for (ssl, encrypted) in [("AUTO", false), ("ALWAYS", true), ("TUNNEL", false)] {
        let net = Net::start().await;
        let session = open(&format!(
            "URL=https://acme.atlassian.net;User=ann@acme.example;APIToken=ATATT3xFf;ProxySSLType={ssl};{}",
            net.way()
        ));
        let found = rows(&session, SOME).await.unwrap_or_else(|error| panic!("{ssl}: {error}"));
        assert_eq!(found, known(&net, SOME).await);
        assert_eq!(net.asked().iter().any(|asked| asked == "TLS"), encrypted, "{ssl}");
    }
}
