//! The client against a site of raw bytes: each fault gives the right bytes or a typed error.

mod proxy;
mod site;
mod tls;

use super::*;
use crate::error::{Error, ErrorKind, Result};
use site::{Reply, Site, bytes, gzip, ok, reply};
use std::sync::Arc;
use std::time::{Duration, Instant};
use url::Url;

const MS: Duration = Duration::from_millis(1);

fn options(base: &Url) -> ClientOptions {
    ClientOptions {
        authorization: Authorization::Basic {
            user: "ann@example.com".into(),
            password: Secret::from("canary"),
        },
        timeout: Some(Duration::from_secs(10)),
        max_body_bytes: 1 << 20,
        retry: RetryPolicy {
            transient_base: MS,
            throttle_base: MS,
            ..RetryPolicy::default()
        },
        ..ClientOptions::site(base.clone())
    }
}

fn client(site: &Site) -> Client {
    Client::new(options(&site.url)).unwrap()
}

fn request(safety: Safety) -> Request {
    Request {
        method: match safety {
            Safety::Read => Method::Get,
            Safety::Once => Method::Post,
        },
        path: "/rest/issue/A-1".into(),
        template: "/rest/issue/{issue_key}".into(),
        query: vec![("expand".into(), "a b".into())],
        headers: vec![],
        body: (safety != Safety::Read).then(|| "{}".into()),
        safety,
        table: Some("issues".into()),
    }
}

fn statement() -> Arc<Statement> {
    Statement::new(1, None)
}

/// Sends one request through `script`: the result, and how often the site was asked.
async fn send(safety: Safety, script: Vec<Reply>) -> (Result<Response>, usize) {
    let site = Site::start(script).await;
    let result = client(&site).send(&request(safety), &statement()).await;
    (result, site.requests().len())
}

fn status(error: &Error) -> Option<u16> {
    error.request_context().unwrap().status
}

#[tokio::test]
async fn a_request_is_sent_as_described() {
    let site = Site::start(vec![ok()]).await;
    let options = ClientOptions {
        base: site.url.join("/jira/").unwrap(),
        language: Some("en-GB".into()),
        ..options(&site.url)
    };
    let client = Client::new(options).unwrap();
    let mut request = request(Safety::Once);
    request.headers.push(("X-ExperimentalApi".into(), "opt-in".into()));
    let statement = statement();
    let response = client.send(&request, &statement).await.unwrap();
    assert_eq!(
        (response.status, &response.body[..], response.attempts),
        (200, &br#"{"ok":true}"#[..], 1)
    );
    assert_eq!(response.account_id.as_deref(), Some("5b10"));
    assert_eq!(
        (
            statement.requests(),
            statement.retries(),
            statement.bytes(),
            statement.in_flight()
        ),
        (1, 0, 11, 0)
    );

    let seen = site.requests().remove(0);
    assert!(
        seen.starts_with("POST /jira/rest/issue/A-1?expand=a+b HTTP/1.1\r\n"),
        "{seen}"
    );
    for header in [
        "accept: application/json",
        "accept-language: en-GB",
        "accept-encoding: gzip",
        "authorization: Basic YW5uQGV4YW1wbGUuY29tOmNhbmFyeQ==",
        "content-type: application/json",
        "x-experimentalapi: opt-in",
    ] {
        assert!(seen.contains(header), "{header} missing in {seen}");
    }
    let entry = client.log().snapshot().remove(0);
    assert_eq!(
        (entry.method, entry.path.as_str(), entry.query.as_str()),
        ("POST", "/rest/issue/A-1", "expand=a b")
    );
    assert_eq!(
        (entry.status, entry.bytes, entry.attempt, entry.error),
        (Some(200), 11, 1, None)
    );
}

#[tokio::test]
async fn a_header_of_the_request_replaces_the_clients() {
    let site = Site::start(vec![ok()]).await;
    let mut request = request(Safety::Once);
    request.headers = vec![("Content-Type".into(), "text/plain".into()), ("Accept".into(), "*/*".into())];
    client(&site).send(&request, &statement()).await.unwrap();
    let seen = site.requests().remove(0);
    assert!(
        seen.contains("content-type: text/plain") && seen.contains("accept: */*") && !seen.contains("application/json"),
        "{seen}"
    );
}

#[tokio::test]
async fn a_path_that_would_change_is_not_sent() {
    let site = Site::start(vec![ok()]).await;
    for path in [
        "/rest/../admin",
        "/rest/%2e%2e/admin",
        "/rest/./x",
        "/rest//x",
        "/rest/a b",
        "/rest?x=1",
        "/rest#x",
        "/rest\\x",
        "rest",
    ] {
        let request = Request {
            path: path.into(),
            ..request(Safety::Read)
        };
        let error = client(&site).send(&request, &statement()).await.expect_err(path);
        assert_eq!(error.kind(), ErrorKind::Invalid, "{path}");
    }
    assert_eq!(site.requests().len(), 0);
}

#[tokio::test]
async fn a_broken_connection_is_repeated_only_where_that_is_safe() {
    let broken = [
        ("reset before the answer", Reply::Reset(vec![])),
        ("closed before the answer", Reply::Bytes(vec![])),
        ("reset in the body", Reply::Reset(bytes("200 OK", "", 20, b"{\"ok\":"))),
        ("closed in the body", Reply::Bytes(bytes("200 OK", "", 20, b"{\"ok\":"))),
        ("503", reply("503 Service Unavailable", "", "")),
    ];
    for (fault, reply) in broken {
        for (safety, failures_survived) in [(Safety::Read, 2), (Safety::Once, 0)] {
            let survived = [vec![reply.clone(); failures_survived], vec![ok()]].concat();
            let (result, asked) = send(safety, survived).await;
            let response = result.unwrap_or_else(|error| panic!("{fault}, {safety:?}: {error}"));
            assert_eq!(&response.body[..], br#"{"ok":true}"#, "{fault}, {safety:?}");
            assert_eq!(
                (response.attempts as usize, asked),
                (failures_survived + 1, failures_survived + 1)
            );

            let (result, asked) = send(safety, [vec![reply.clone(); failures_survived + 1], vec![ok()]].concat()).await;
            let error = result.expect_err(fault);
            assert_eq!(
                (error.kind(), asked),
                (ErrorKind::Unavailable, failures_survived + 1),
                "{fault}, {safety:?}: {error}"
            );
            assert_eq!(is_outcome_unknown(&error), safety != Safety::Read, "{fault}, {safety:?}");
            assert_eq!(
                error.message().contains("outcome of the request is unknown"),
                safety != Safety::Read,
                "{error}"
            );
            assert_eq!(error.table_name(), Some("issues"));
        }
    }
}

#[tokio::test]
async fn a_refused_connection_is_retried_and_never_in_doubt() {
    let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
    let base = Url::parse(&format!("http://{}", listener.local_addr().unwrap())).unwrap();
    drop(listener);
    let client = Client::new(options(&base)).unwrap();
    let statement = statement();
    let error = client.send(&request(Safety::Once), &statement).await.unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Unreachable);
    assert!(
        error.message().contains(&base.port().unwrap().to_string()) && error.message().contains("refused"),
        "{error}"
    );
    assert!(!error.to_string().contains("expand"), "a query in {error}");
    assert!(!is_outcome_unknown(&error));
    assert_eq!((statement.requests(), statement.retries()), (3, 2));
}

#[tokio::test]
async fn an_unknown_host_and_a_bad_handshake_are_told_apart() {
    let nowhere = Url::parse("https://jira.invalid").unwrap();
    let error = Client::new(options(&nowhere))
        .unwrap()
        .send(&request(Safety::Read), &statement())
        .await
        .unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Unreachable, "{error}");
    assert!(error.message().contains("jira.invalid"), "{error}");

    let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
    let base = Url::parse(&format!("https://{}", listener.local_addr().unwrap())).unwrap();
    tokio::spawn(async move {
        while let Ok((mut stream, _)) = listener.accept().await {
            _ = tokio::io::AsyncWriteExt::write_all(&mut stream, b"this is no TLS").await;
        }
    });
    let error = Client::new(options(&base))
        .unwrap()
        .send(&request(Safety::Read), &statement())
        .await
        .unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Tls, "{error}");
}

#[tokio::test]
async fn compressed_answers_are_read_and_their_faults_repeated() {
    let body = vec![b' '; 300_000];
    let packed = gzip(&body);
    let good = reply("200 OK", "Content-Encoding: gzip\r\n", &packed);
    let cut = &packed[..packed.len() - 20];
    let truncated = reply("200 OK", "Content-Encoding: gzip\r\n", cut);
    let garbage = reply("200 OK", "Content-Encoding: gzip\r\n", "not gzip");
    let (result, asked) = send(Safety::Read, vec![truncated, garbage, good]).await;
    assert_eq!((result.unwrap().body.len(), asked), (body.len(), 3));
}

#[tokio::test]
async fn an_answer_that_unpacks_beyond_the_limit_is_refused_once() {
    let bomb = gzip(&vec![b' '; 8 << 20]);
    assert!(bomb.len() < 1 << 20, "the limit must not be met by the packed bytes");
    let (result, asked) = send(Safety::Read, vec![reply("200 OK", "Content-Encoding: gzip\r\n", bomb)]).await;
    let error = result.unwrap_err();
    assert_eq!((error.kind(), asked, status(&error)), (ErrorKind::Limit, 1, Some(200)));
    assert!(error.message().contains("1048576"), "{error}");

    let exact = reply("200 OK", "", vec![b' '; 1 << 20]);
    assert!(send(Safety::Read, vec![exact]).await.0.is_ok());
}

#[tokio::test]
async fn bodies_that_are_odd_but_fine() {
    let (result, _) = send(Safety::Read, vec![reply("200 OK", "", "\u{feff}{}")]).await;
    assert_eq!(&result.unwrap().body[..], b"{}");
    let no_content = Reply::Bytes(b"HTTP/1.1 204 No Content\r\nConnection: close\r\n\r\n".to_vec());
    let (result, _) = send(Safety::Once, vec![no_content]).await;
    let response = result.unwrap();
    assert_eq!((response.status, response.body.len()), (204, 0));
}

#[tokio::test]
async fn a_web_page_is_an_authentication_error() {
    for (headers, body) in [
        ("Content-Type: text/html\r\n", "sign in"),
        ("Content-Type: application/json\r\n", " <html>"),
    ] {
        let (result, asked) = send(Safety::Read, vec![reply("200 OK", headers, body)]).await;
        let error = result.unwrap_err();
        assert_eq!((error.kind(), asked), (ErrorKind::Authentication, 1));
        assert!(error.message().contains("web page"), "{error}");
    }
}

#[tokio::test]
async fn redirects_are_not_followed() {
    let other = Site::start(vec![ok()]).await;
    let location = format!("Location: {}rest/x\r\n", other.url);
    for status in ["301 Moved", "302 Found", "303 See Other", "307 Temporary", "308 Permanent"] {
        let (result, asked) = send(Safety::Read, vec![reply(status, &location, "")]).await;
        let error = result.unwrap_err();
        assert_eq!((error.kind(), asked), (ErrorKind::Decode, 1));
        assert!(
            error.message().contains("not followed") && error.hint_text().unwrap().contains("URL"),
            "{error}"
        );
    }
    assert_eq!(other.requests().len(), 0, "credentials may not travel");
}

#[tokio::test]
async fn an_error_answer_keeps_its_words_even_if_it_breaks_off() {
    let headers = "X-ARequestId: 4f1c\r\n";
    let missing = reply("404 Not Found", headers, r#"{"errorMessage":"No such desk."}"#);
    let (result, asked) = send(Safety::Read, vec![missing]).await;
    let error = result.unwrap_err();
    assert_eq!((error.kind(), status(&error), asked), (ErrorKind::NotFound, Some(404), 1));
    assert_eq!(
        error.to_string(),
        "issues: No such desk [GET /rest/issue/{issue_key}, HTTP 404, trace 4f1c]"
    );

    let broken = Reply::Bytes(bytes("403 Forbidden", "", 50, b"no"));
    let (result, asked) = send(Safety::Read, vec![broken]).await;
    assert_eq!((result.unwrap_err().kind(), asked), (ErrorKind::Permission, 1));
}

#[tokio::test]
async fn a_short_throttle_is_waited_out_by_writes_too() {
    let busy = reply(
        "429 Too Many Requests",
        "Retry-After: 0.02\r\nRateLimit-Reason: jira-burst-based\r\n",
        "",
    );
    for safety in [Safety::Read, Safety::Once] {
        let (result, asked) = send(safety, vec![busy.clone(), busy.clone(), ok()]).await;
        let response = result.unwrap();
        assert_eq!((response.attempts, asked), (3, 3));
        assert!(
            response.waited >= 40 * MS && response.elapsed >= response.waited,
            "{response:?}"
        );
    }
    let silent = reply("429 Too Many Requests", "", "");
    assert_eq!(send(Safety::Read, vec![silent.clone(), ok()]).await.1, 2);
    let (result, asked) = send(Safety::Once, vec![silent, ok()]).await;
    let error = result.unwrap_err();
    assert_eq!(
        (error.kind(), asked, is_outcome_unknown(&error)),
        (ErrorKind::RateLimited, 1, false)
    );
}

#[tokio::test]
async fn a_used_up_quota_fails_at_once_and_stops_the_whole_client() {
    for headers in [
        "Retry-After: 1847\r\nRateLimit-Reason: jira-quota-tenant-based\r\n",
        "Retry-After: 1847\r\n",
    ] {
        let site = Site::start(vec![reply("429 Too Many Requests", headers, ""), ok()]).await;
        let (client, statement) = (client(&site), statement());
        let began = Instant::now();
        let error = client.send(&request(Safety::Read), &statement).await.unwrap_err();
        assert_eq!(error.kind(), ErrorKind::RateLimited);
        assert!(error.message().contains("until 2"), "no time in {error}");

        let elsewhere = Request {
            template: "/rest/other".into(),
            path: "/rest/other".into(),
            ..request(Safety::Read)
        };
        let error = client.send(&elsewhere, &statement).await.unwrap_err();
        assert_eq!(
            (error.kind(), error.request_context().unwrap().attempts),
            (ErrorKind::RateLimited, 0)
        );
        assert!(error.message().contains("until 2"), "no time in {error}");
        assert_eq!(site.requests().len(), 1, "the gate is closed");
        assert!(began.elapsed() < Duration::from_secs(5));
    }
}

#[tokio::test]
async fn a_burst_stops_its_endpoint_only() {
    let busy = reply(
        "429 Too Many Requests",
        "Retry-After: 50\r\nRateLimit-Reason: jira-burst-based\r\n",
        "",
    );
    let site = Site::start(vec![busy, ok()]).await;
    let (client, statement) = (client(&site), statement());
    // The pause outlasts the timeout of 10 s: fail now, with the site's reason, rather than later with a timeout.
    let error = client.send(&request(Safety::Read), &statement).await.unwrap_err();
    assert_eq!(error.kind(), ErrorKind::RateLimited);
    assert_eq!(
        client.send(&request(Safety::Read), &statement).await.unwrap_err().kind(),
        ErrorKind::RateLimited
    );
    assert_eq!(site.requests().len(), 1);
    let elsewhere = Request {
        template: "/rest/other".into(),
        ..request(Safety::Read)
    };
    assert!(client.send(&elsewhere, &statement).await.is_ok());
}

#[tokio::test]
async fn an_outage_exhausts_the_retry_budget() {
    let site = Site::start(vec![reply("503 Service Unavailable", "", "")]).await;
    let (client, statement) = (client(&site), statement());
    for _ in 0..100 {
        assert!(client.send(&request(Safety::Read), &statement).await.is_err());
    }
    // 500 tokens at 14 a retry.
    assert_eq!((statement.retries(), site.requests().len()), (35, 135));
}

#[tokio::test]
async fn a_success_gives_back_what_its_retries_took() {
    let failing = reply("503 Service Unavailable", "", "");
    let site = Site::start(vec![[failing, ok()]; 60].concat()).await;
    let (client, statement) = (client(&site), statement());
    for n in 0..60 {
        assert!(client.send(&request(Safety::Read), &statement).await.is_ok(), "request {n}");
    }
    assert_eq!(statement.retries(), 60, "more than 500 tokens pay for");
}

#[tokio::test]
async fn a_sleeping_request_leaves_its_place_to_others() {
    let busy = reply(
        "429 Too Many Requests",
        "Retry-After: 0.3\r\nRateLimit-Reason: jira-burst-based\r\n",
        "",
    );
    let site = Site::start(vec![busy, ok()]).await;
    let client = Client::new(ClientOptions {
        max_concurrency: 1,
        ..options(&site.url)
    })
    .unwrap();
    let (statement, began) = (statement(), Instant::now());
    let (refused, other) = (
        request(Safety::Read),
        Request {
            template: "/rest/other".into(),
            ..request(Safety::Read)
        },
    );
    let at_the_gate = request(Safety::Read);
    let other = async {
        // The first has been refused and sleeps; the second stands at the closed gate.
        while client.log().snapshot().is_empty() {
            tokio::task::yield_now().await;
        }
        client.send(&other, &statement).await.unwrap();
        began.elapsed()
    };
    let (first, second, other) = tokio::join!(
        client.send(&refused, &statement),
        client.send(&at_the_gate, &statement),
        other
    );
    assert!(other < 250 * MS, "{other:?}");
    assert!(first.unwrap().waited >= 300 * MS && second.unwrap().waited > 200 * MS);
    assert!(statement.waited() >= 500 * MS);
}

#[tokio::test]
async fn the_clock_starts_with_the_first_attempt() {
    let site = Site::start(vec![Reply::Slow(60 * MS)]).await;
    let options = ClientOptions {
        max_concurrency: 1,
        timeout: Some(Duration::from_millis(300)),
        ..options(&site.url)
    };
    let client = Client::new(options).unwrap();
    // The last one stands in line for more than half a second.
    let began = Instant::now();
    let (request, statement) = (request(Safety::Read), statement());
    let all = (0..10).map(|_| client.send(&request, &statement));
    for answer in futures::future::join_all(all).await {
        answer.unwrap();
    }
    assert!(began.elapsed() >= 600 * MS);
}

#[tokio::test]
async fn a_slow_site_is_a_timeout_and_a_slow_write_is_in_doubt() {
    for hang in [Reply::Hang(vec![]), Reply::Hang(bytes("200 OK", "", 20, b"{"))] {
        for safety in [Safety::Read, Safety::Once] {
            let site = Site::start(vec![hang.clone()]).await;
            let client = Client::new(ClientOptions {
                timeout: Some(80 * MS),
                ..options(&site.url)
            })
            .unwrap();
            let statement = statement();
            let error = client.send(&request(safety), &statement).await.unwrap_err();
            assert_eq!(error.kind(), ErrorKind::Timeout);
            assert!(error.message().contains("80ms") && error.hint_text().is_some(), "{error}");
            assert_eq!(is_outcome_unknown(&error), safety != Safety::Read);
            assert_eq!(statement.in_flight(), 0);
            assert!(
                client.log().snapshot()[0]
                    .error
                    .as_deref()
                    .unwrap()
                    .contains("not answered within")
            );
        }
    }
}

#[tokio::test]
async fn a_dropped_future_is_logged_and_gives_back_its_place() {
    let site = Site::start(vec![Reply::Hang(vec![]), ok()]).await;
    let client = Client::new(ClientOptions {
        max_concurrency: 1,
        ..options(&site.url)
    })
    .unwrap();
    let statement = statement();
    assert!(
        tokio::time::timeout(50 * MS, client.send(&request(Safety::Read), &statement))
            .await
            .is_err()
    );
    let entry = client.log().snapshot().remove(0);
    assert_eq!((entry.error.as_deref(), entry.status), (Some("cancelled"), None));
    assert!(entry.elapsed_ms >= 10.0, "{entry:?}");
    assert_eq!(statement.in_flight(), 0);
    assert!(
        client.send(&request(Safety::Read), &statement).await.is_ok(),
        "the place is free again"
    );
}

#[tokio::test]
async fn a_cancelled_statement_aborts_and_sends_no_more() {
    let site = Site::start(vec![Reply::Hang(vec![]), ok()]).await;
    let (client, statement) = (client(&site), statement());
    let cancel = async {
        while statement.in_flight() == 0 {
            tokio::task::yield_now().await;
        }
        statement.cancel();
    };
    let write = request(Safety::Once);
    let (result, ()) = tokio::join!(client.send(&write, &statement), cancel);
    let error = result.unwrap_err();
    assert_eq!((error.kind(), is_outcome_unknown(&error)), (ErrorKind::Cancelled, true));
    let error = client.send(&write, &statement).await.unwrap_err();
    assert_eq!(
        (error.kind(), is_outcome_unknown(&error), statement.requests()),
        (ErrorKind::Cancelled, false, 1)
    );
    assert!(
        client.send(&write, &Statement::new(2, None)).await.is_ok(),
        "other statements go on"
    );
}

#[tokio::test]
async fn max_requests_counts_attempts() {
    let site = Site::start(vec![reply("503 Service Unavailable", "", ""), ok()]).await;
    let (client, statement) = (client(&site), Statement::new(1, Some(2)));
    assert!(client.send(&request(Safety::Read), &statement).await.is_ok());
    let error = client.send(&request(Safety::Read), &statement).await.unwrap_err();
    assert_eq!((error.kind(), site.requests().len()), (ErrorKind::Limit, 2));
    assert!(error.message().contains("MaxRequests=2"), "{error}");
}

#[tokio::test]
async fn concurrency_is_bounded() {
    let site = Site::start(vec![Reply::Slow(5 * MS)]).await;
    let client = Client::new(ClientOptions {
        max_concurrency: 3,
        ..options(&site.url)
    })
    .unwrap();
    let statement = statement();
    let most = std::sync::atomic::AtomicU64::new(0);
    let request = request(Safety::Read);
    let all = futures::future::join_all((0..20).map(|_| async {
        client.send(&request, &statement).await.unwrap();
        most.fetch_max(statement.in_flight() + 1, std::sync::atomic::Ordering::Relaxed);
    }));
    all.await;
    assert_eq!(most.into_inner(), 3);
}

#[tokio::test]
async fn no_secret_is_printed() {
    let site = Site::start(vec![reply(
        "401 Unauthorized",
        "",
        r#"{"code":401,"message":"Unauthorized; scope does not match"}"#,
    )])
    .await;
    let client = client(&site);
    let error = client.send(&request(Safety::Read), &statement()).await.unwrap_err();
    let printed = format!("{client:?} {error:?} {error} {:?}", client.log().snapshot());
    assert!(
        !printed.contains("canary") && !printed.contains("YW5uQGV4YW1wbGUuY29tOmNhbmFyeQ"),
        "{printed}"
    );
    assert!(printed.contains("***"), "{printed}");
}

#[tokio::test]
async fn a_file_is_fetched_from_elsewhere_without_credentials() {
    let folder = tempfile::tempdir().unwrap();
    let terms = Terms {
        save: Some(folder.path().join("file")),
        ..Terms::default()
    };
    let elsewhere = Site::start(vec![reply("200 OK", "Content-Type: text/html\r\n", "<p>the file</p>")]).await;
    let location = format!("Location: {}media/file?token=1\r\n", elsewhere.url);
    let site = Site::start(vec![reply("303 See Other", &location, "")]).await;
    let statement = Statement::new(1, None);
    let response = client(&site)
        .send_on(&request(Safety::Read), &terms, &statement)
        .await
        .unwrap();
    assert_eq!((response.saved, response.body.len()), (15, 0));
    assert_eq!(
        std::fs::read_to_string(folder.path().join("file")).unwrap(),
        "<p>the file</p>"
    );
    assert!(site.requests()[0].to_lowercase().contains("authorization:"));
    let stranger = elsewhere.requests().remove(0).to_lowercase();
    assert!(
        stranger.starts_with("get /media/file?token=1") && !stranger.contains("authorization"),
        "{stranger}"
    );

    // Not every way is followed: none to a login page, none without end.
    for (location, kind) in [
        ("/login.jsp?os_destination=x".to_owned(), ErrorKind::Authentication),
        ("/again".to_owned(), ErrorKind::Decode),
    ] {
        let site = Site::start(vec![reply("302 Found", &format!("Location: {location}\r\n"), "")]).await;
        let error = client(&site)
            .send_on(&request(Safety::Read), &terms, &statement)
            .await
            .unwrap_err();
        assert_eq!(error.kind(), kind, "{location}: {error}");
        assert!(site.requests().len() <= 4);
    }
}
