//! A site that repeats in its words what it was sent in secret, in every encoding in which it can come back: none of it is told to anybody.

use base64::Engine as _;
use base64::engine::general_purpose::{STANDARD, URL_SAFE_NO_PAD};

use super::odd::{lines, status, talking};
use super::*;

const SECRET: &str = "c4n4ry+t0k/en~s3cret";

/// The secret in all forms.
fn forms() -> Vec<String> {
    let escaped = |text: &str| text.bytes().map(|byte| format!("%{byte:02x}")).collect::<String>();
    let pair = format!("a@b.example:{SECRET}");
    let basic = STANDARD.encode(&pair);
    vec![
        SECRET.to_owned(),
        basic.clone(),
        format!("Authorization: Basic {basic}"),
        STANDARD.encode(SECRET),
        URL_SAFE_NO_PAD.encode(format!("xy{pair}!")),
        escaped(SECRET),
        escaped(&escaped(SECRET)),
        escaped(&basic),
        SECRET.replace('/', "\\\\/").replace('+', "\\\\u002b"),
        SECRET.replace('+', "&#43;").replace('/', "&#x2F;"),
        format!("https://a%40b.example:{}@acme.example/rest?x=1", SECRET.replace('/', "%2F")),
    ]
}

/// Parts of the secret that nobody may read, plain and in base64 wherever it begins.
fn assert_silent(text: &str, what: &str) {
    let mut parts = vec!["c4n4ry".to_owned(), "s3cret".to_owned()];
    for skipped in 0..3 {
        let whole = STANDARD.encode([&b"\0\0"[..skipped], SECRET.as_bytes()].concat());
        parts.push(whole[4..12].to_owned());
        parts.push(whole[12..20].to_owned());
    }
    let resolved = percent_encoding::percent_decode_str(text).decode_utf8_lossy().into_owned();
    for part in &parts {
        assert!(
            !text.contains(part.as_str()) && !resolved.contains(part.as_str()),
            "{what}: {part} in {text}"
        );
    }
}

#[tokio::test]
async fn what_the_site_repeats_is_told_to_nobody() {
    let folder = tempfile::tempdir().unwrap();
    for (number, form) in forms().into_iter().enumerate() {
        let log = folder.path().join(format!("log{number}"));
        let options = format!("APIToken={SECRET};Logfile={};Verbosity=5", log.display());
        let said = form.clone();
        let answer = move |line: &str, _: &str| match line {
            line if line.contains("/redirected") || line.contains("/organization") => {
                let head = format!(
                    "HTTP/1.1 302 Found\r\nConnection: close\r\nContent-Length: 0\r\nLocation: https://sso.example/cas?ticket={said}\r\n\r\n"
                );
                head.into_bytes()
            }
            line if line.contains("/requesttype") => status("200 OK", &format!("<html><title>{said}</title></html>")),
            _ => status(
                "400 Bad Request",
                &format!(r#"{{"errorMessages":["no: {said}"],"errors":{{"x":"{said}"}}}}"#),
            ),
        };
        // The secret stands twice in the connection string otherwise.
        let (url, _) = talking("", answer).await;
        let url = url.connection().site().to_string();
        let session = open(&format!("URL={url};User=a@b.example;{options}"));
        for sql in [
            "SELECT * FROM service_desks",
            "SELECT * FROM organizations",
            "SELECT * FROM request_types WHERE service_desk_id = '1'",
            "INSERT INTO organizations (name) VALUES ('x')",
            "INSERT INTO service_desk_organizations (service_desk_id, organization_id) VALUES ('1', '2')",
        ] {
            let error = rows(&session, sql).await.unwrap_err();
            assert_silent(
                &format!("{error} {error:?} {:?}", error.hint_text()),
                &format!("{form}: {sql}"),
            );
        }
        let told = lines(&session, "SELECT concat(path, query, error) FROM sys.requests")
            .await
            .join("\n");
        assert_silent(&told, "sys.requests");
        let told = lines(&session, "SELECT concat(key, error) FROM sys.writes").await.join("\n");
        assert_silent(&told, "sys.writes");
        let log = std::fs::read_to_string(&log).unwrap();
        assert!(log.contains("request"), "{log}");
        assert_silent(&log, "the log");
    }
}

#[tokio::test]
async fn a_ticket_behind_an_address_is_in_no_log() {
    let folder = tempfile::tempdir().unwrap();
    let log = folder.path().join("log");
    let (site, _) = talking("", |_, _| {
        b"HTTP/1.1 302 Found\r\nConnection: close\r\nContent-Length: 0\r\nLocation: https://sso.example/path?t=ST-secret#frag-secret\r\n\r\n".to_vec()
    })
    .await;
    let url = site.connection().site().to_string();
    let session = open(&format!(
        "URL={url};User=a@b.example;APIToken=x;Logfile={};Verbosity=4",
        log.display()
    ));
    let error = rows(&session, "SELECT * FROM service_desks").await.unwrap_err();
    let log = std::fs::read_to_string(&log).unwrap();
    assert!(log.contains("https://sso.example/path"), "{log}");
    assert!(!log.contains("secret") && !format!("{error:?}").contains("secret"), "{log}");
}
