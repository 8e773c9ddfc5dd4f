//! A connection string for every scheme, run with marked secrets at the highest verbosity: they show up nowhere.
//!
//! The sites are the demo site, which knows one account, and a port where nobody listens; most statements fail, and failures are what
//! tells most.

#![allow(clippy::unwrap_used, reason = "a test may fail")]

use std::fmt::Write as _;
use std::path::Path;

use futures::TryStreamExt;
use jsmql::Session;
use jsmql::demo::{DemoOptions, DemoSite, TOKEN, USER};

const CANARY: &str = "C4N4RY";

/// Everything that a session says: rows, plans, errors, its own description.
async fn said(connection: &str) -> String {
    let mut text = String::new();
    let session = match Session::connect(connection).await {
        Ok(session) => session,
        Err(error) => return format!("{error} {error:?} {:?}", error.hint_text()),
    };
    let _ = write!(text, "{session:?} {:?}", session.connection());
    for sql in [
        "SELECT issue_key, summary FROM requests LIMIT 3",
        "EXPLAIN SELECT issue_key FROM requests",
        "SELECT * FROM sys.options",
        "SELECT * FROM sys.requests",
        "SELECT * FROM no_such_table",
    ] {
        let rows = match session.sql(sql).await {
            Ok(rows) => rows.try_collect::<Vec<_>>().await,
            Err(error) => Err(error),
        };
        match rows {
            Ok(batches) => {
                for batch in batches {
                    let _ = write!(text, "{batch:?}");
                }
            }
            Err(error) => {
                let mut cause: Option<&dyn std::error::Error> = Some(&error);
                while let Some(error) = cause {
                    let _ = write!(text, "{error} {error:?}");
                    cause = error.source();
                }
                let _ = write!(text, "{:?}", error.hint_text());
            }
        }
    }
    if let Err(error) = session.check().await {
        let _ = write!(text, "{error} {error:?} {:?}", error.hint_text());
    }
    if let Err(error) = session.logout().await {
        let _ = write!(text, "{error:?}");
    }
    text
}

/// Every scheme with a marked secret, `SITE` for the site's root.
const STRINGS: &[&str] = &[
    "AuthScheme=APIToken;User=ann@acme.example;APIToken=C4N4RY1",
    "AuthScheme=Basic;User=ann;Password='C4N4RY2 &;='",
    "AuthScheme=PAT;APIToken=C4N4RY3",
    "AuthScheme=OAuth;OAuthAccessToken=C4N4RY4",
    "AuthScheme=OAuth;InitiateOAuth=REFRESH;OAuthClientId=c;OAuthClientSecret=C4N4RY5;OAuthRefreshToken=C4N4RY6;OAuthAccessToken=C4N4RY7;\
     OAuthSettingsLocation=memory://canary",
    "AuthScheme=OAuth;InitiateOAuth=GETANDREFRESH;OAuthClientId=c;OAuthClientSecret=C4N4RY8;OAuthVerifier=C4N4RY9;\
     OAuthSettingsLocation=memory://canary2",
    "AuthScheme=OAuth;OAuthVersion=1.0;OAuthClientId=c;OAuthClientSecret=C4N4RY10;OAuthAccessToken=C4N4RY11;OAuthAccessTokenSecret=C4N4RY12",
    "AuthScheme=Crowd;User=ann;Password=C4N4RY13;SSOLoginURL=SITEcrowd/x;SSOExchangeUrl=SITEplugins/servlet/samlconsumer;SSOAppName=a;\
     SSOAppPassword=C4N4RY14",
    "AuthScheme=Okta;User=ann;Password=C4N4RY15;SSOLoginURL=SITEhome/x;SSOExchangeUrl=SITEplugins/servlet/samlconsumer;\
     SSOProperties='APIToken=C4N4RY16'",
    "AuthScheme=Anonymous;ProxyServer=127.0.0.1;ProxyPort=1;ProxyUser=u;ProxyPassword=C4N4RY17",
    "AuthScheme=Anonymous;ProxyServer=127.0.0.1;ProxyPort=1;ProxyAuthScheme=DIGEST;ProxyUser=u;ProxyPassword=C4N4RY18",
    "AuthScheme=Anonymous;FirewallType=SOCKS5;FirewallServer=127.0.0.1;FirewallPort=1;FirewallUser=u;FirewallPassword=C4N4RY19",
    "AuthScheme=Anonymous;SSLClientCert=C4N4RY20;SSLClientCertPassword=C4N4RY21",
    "AuthScheme=Anonymous;SSLServerCert=*;SSLClientCert=C4N4RY22;SSLClientCertType=PFXBLOB",
];

fn forms() -> Vec<String> {
    use base64::Engine as _;
    let encode = |text: &str| base64::engine::general_purpose::STANDARD.encode(text);
    // What base64 makes of the mark at each of its three offsets, edges cut off.
    let shifted = |text: &str| encode(text).trim_end_matches('=')[4..10].to_owned();
    vec![
        CANARY.to_owned(),
        CANARY.to_ascii_lowercase(),
        shifted("xxxC4N4RYxx"),
        shifted("xxxxC4N4RYx")[2..].to_owned(),
    ]
}

fn assert_clean(what: &str, text: &str) {
    for form in forms() {
        assert!(!text.contains(&form), "{what} shows {form}: {text}");
    }
}

fn assert_folder_clean(folder: &Path) -> usize {
    let mut bytes = 0;
    for entry in std::fs::read_dir(folder).unwrap() {
        let path = entry.unwrap().path();
        let text = String::from_utf8_lossy(&std::fs::read(&path).unwrap()).into_owned();
        bytes += text.len();
        assert_clean(&path.display().to_string(), &text);
    }
    bytes
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn secrets_show_up_nowhere() {
    let demo = DemoSite::start(DemoOptions::fixed()).await.unwrap();
    let folder = tempfile::tempdir().unwrap();
    for (index, string) in STRINGS.iter().enumerate() {
        for site in [format!("{}/", demo.url()), "http://127.0.0.1:1/".to_owned()] {
            let log = folder.path().join(format!("{index}.log"));
            let string = string.replace("SITE", &site);
            let text = said(&format!(
                "URL={site};{string};Logfile={};Verbosity=5;Timeout=5",
                log.display()
            ))
            .await;
            assert_clean(&string, &text);
            assert!(!text.is_empty());
        }
    }
    assert!(assert_folder_clean(folder.path()) > 1_000, "nothing was logged");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_log_says_what_its_verbosity_promises() {
    let demo = DemoSite::start(DemoOptions::fixed()).await.unwrap();
    let folder = tempfile::tempdir().unwrap();
    let log = |name: &str| folder.path().join(name);
    let run = async |name: &str, rest: &str| {
        let text = format!(
            "URL={};User={USER};APIToken={TOKEN};Logfile={};{rest}",
            demo.url(),
            log(name).display()
        );
        let session = Session::connect(&text).await.unwrap();
        let rows = session.sql("SELECT issue_key FROM requests LIMIT 1").await.unwrap();
        rows.try_collect::<Vec<_>>().await.unwrap();
        drop(session);
        std::fs::read_to_string(log(name)).unwrap()
    };
    let (sql, request, header, body) = ("SELECT issue_key", "GET", "content-type", "issueKey");
    for (verbosity, there, absent) in [
        ("1", &[][..], &[sql, request][..]),
        ("2", &[sql], &[request]),
        ("3", &[sql, request], &[header]),
        ("4", &[sql, request, header], &[body]),
        ("5", &[sql, request, header, body], &[]),
    ] {
        let text = run(verbosity, &format!("Verbosity={verbosity}")).await;
        assert!(there.iter().all(|word| text.contains(word)), "{verbosity}: {text}");
        assert!(!absent.iter().any(|word| text.contains(word)), "{verbosity}: {text}");
        assert!(!text.contains(TOKEN));
    }
    let text = run("modules", "Verbosity=5;LogModules=SQL").await;
    assert!(text.contains(sql) && !text.contains(request), "{text}");
    run("rotated", "Verbosity=5;MaxLogFileSize=1KB;MaxLogFileCount=2").await;
    let files = std::fs::read_dir(folder.path()).unwrap();
    let files: Vec<_> = files.map(|entry| entry.unwrap().file_name().into_string().unwrap()).collect();
    let rotated = files.iter().filter(|name| name.starts_with("rotated")).count();
    assert!((2..=3).contains(&rotated), "{files:?}");
    let error = Session::connect(&format!("URL={};User=a;APIToken=b;Logfile=/no/such/folder/x", demo.url()))
        .await
        .unwrap_err();
    assert!(error.to_string().contains("cannot write the Logfile"), "{error}");
}
