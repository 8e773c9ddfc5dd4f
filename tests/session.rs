//! A session against sites of its own making: bodies no demo site would send, tables from a directory, statements of great length.

#![allow(clippy::unwrap_used, reason = "a test may fail")]

use std::sync::Arc;
use std::time::Duration;

use arrow::array::{Array, AsArray, RecordBatch};
use futures::{StreamExt, TryStreamExt};
use jsmql::demo::{DemoOptions, DemoSite, TOKEN, USER};
use jsmql::{Connection, Error, ErrorKind, Session};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpListener;

#[path = "session/advance.rs"]
mod advance;
#[path = "session/contrary.rs"]
mod contrary;
#[path = "session/doubtful.rs"]
mod doubtful;
#[path = "session/engine.rs"]
mod engine;
#[path = "session/extent.rs"]
mod extent;
#[path = "session/extremes.rs"]
mod extremes;
#[path = "session/headings.rs"]
mod headings;
#[path = "session/library.rs"]
mod library;
#[path = "session/listing.rs"]
mod listing;
#[path = "session/names.rs"]
mod names;
#[path = "session/odd.rs"]
mod odd;
#[path = "session/secrets.rs"]
mod secrets;

fn open(options: &str) -> Session {
    Session::open(Connection::parse(options, std::iter::empty()).unwrap()).unwrap()
}

async fn demo(options: &str) -> (DemoSite, Session) {
    let site = DemoSite::start(DemoOptions::fixed()).await.unwrap();
    let session = open(&format!("URL={};User={USER};APIToken={TOKEN};{options}", site.url()));
    (site, session)
}

async fn rows(session: &Session, sql: &str) -> Result<Vec<RecordBatch>, Error> {
    session.sql(sql).await?.try_collect().await
}

/// The only cell of an answer, as text.
async fn cell(session: &Session, sql: &str) -> Result<String, Error> {
    let batches = rows(session, sql).await?;
    let column = batches[0].column(0);
    let column = arrow::compute::cast(column, &arrow::datatypes::DataType::Utf8).unwrap();
    let values = column.as_string::<i32>();
    Ok(if values.is_null(0) {
        "NULL".into()
    } else {
        values.value(0).to_owned()
    })
}

/// A site that answers every request with what `answer` makes of its path and query.
async fn site(answer: impl Fn(&str) -> Vec<u8> + Send + Sync + 'static) -> Session {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let url = format!("http://{}", listener.local_addr().unwrap());
    let answer = Arc::new(answer);
    tokio::spawn(async move {
        while let Ok((mut stream, _)) = listener.accept().await {
            let answer = answer.clone();
            tokio::spawn(async move {
                let mut head = Vec::new();
                let mut chunk = [0; 4096];
                while !head.windows(4).any(|end| end == b"\r\n\r\n") {
                    match stream.read(&mut chunk).await {
                        Ok(read) if read > 0 => head.extend_from_slice(&chunk[..read]),
                        _ => return,
                    }
                }
                let head = String::from_utf8_lossy(&head).into_owned();
                let path = head.split(' ').nth(1).unwrap_or_default().to_owned();
                let _ = stream.write_all(&answer(&path)).await;
            });
        }
    });
    open(&format!("URL={url};User=a@b.example;APIToken=canary-token"))
}

fn json(body: impl AsRef<[u8]>) -> Vec<u8> {
    let body = body.as_ref();
    let head = format!(
        "HTTP/1.1 200 OK\r\nConnection: close\r\nContent-Type: application/json\r\nContent-Length: {}\r\n\r\n",
        body.len()
    );
    [head.as_bytes(), body].concat()
}

/// One page with this row of `service_desks` or `requests`.
fn page(row: &str) -> Vec<u8> {
    json(format!(
        r#"{{"size":1,"start":0,"limit":100,"isLastPage":true,"values":[{row}]}}"#
    ))
}

#[tokio::test]
async fn odd_but_right_bodies_are_read() {
    for (row, sql, expected) in [
        // Unknown keys, keys in another order, duplicate keys (the last one counts, as in every JSON reader), escapes.
        (
            r#"{"new":{"deep":[1,{"a":null}]},"id":"7","projectName":"\u65e5\u672c \ud83d\ude00"}"#,
            "project_name",
            "日本 😀",
        ),
        (r#"{"id":7,"projectId":10001}"#, "id || project_id", "710001"),
        (r#"{"id":"7","projectName":null}"#, "project_name", "NULL"),
        (r#"{"id":"7"}"#, "project_name", "NULL"),
        (r#"{"id":"7","projectName":""}"#, "project_name", ""),
    ] {
        let session = site(move |_| page(row)).await;
        let found = cell(&session, &format!("SELECT {sql} FROM service_desks")).await;
        assert_eq!(found.unwrap(), expected, "{row}");
    }
}

#[tokio::test]
async fn a_body_that_is_not_what_the_api_promises_is_an_error_that_names_the_column() {
    let deep = format!("{{\"id\":{}1{}}}", "[".repeat(10_000), "]".repeat(10_000));
    for (row, fragment) in [
        (r#"{"id":{"a":1}}"#.to_owned(), "id"),
        (r#"{"id":["a"]}"#.to_owned(), "id"),
        (r#"{"projectName":"no key"}"#.to_owned(), "id"),
        (r#"{"id":null}"#.to_owned(), "id"),
        (r#"{"id":"7","projectName":{"a":1}}"#.to_owned(), "project_name"),
        (deep, "id"),
        // Beyond 64 bits a number would lose digits.
        (r#"{"id":123456789012345678901234567890}"#.to_owned(), "id"),
        ("{\"id\":\"7\"".to_owned(), "not the JSON"),
        ("7".to_owned(), ""),
    ] {
        let body = page(&row);
        let session = site(move |_| body.clone()).await;
        let error = rows(&session, "SELECT * FROM service_desks").await.unwrap_err();
        assert_eq!(error.kind(), ErrorKind::Decode, "{row}: {error}");
        assert!(
            error.to_string().contains(fragment),
            "{}: {error}",
            row.get(..60).unwrap_or(&row)
        );
        assert!(error.hint_text().is_some(), "{error}");
        assert!(!error.to_string().contains("canary"));
    }
}

#[tokio::test]
async fn an_answer_without_rows_is_no_empty_table() {
    for body in [
        "{}",
        "[]",
        "null",
        "{\"values\":null}",
        "\"values\"",
        "{\"isLastPage\":true}",
        "true",
        "\u{feff}{}",
    ] {
        let session = site(move |_| json(body)).await;
        let error = rows(&session, "SELECT * FROM service_desks").await.unwrap_err();
        assert_eq!(error.kind(), ErrorKind::Decode, "{body}: {error}");
    }
    // A page that does not say whether it is the last, nor where the next is.
    let session = site(|_| json(r#"{"values":[{"id":"1"}]}"#)).await;
    let error = rows(&session, "SELECT * FROM service_desks").await.unwrap_err();
    assert!(error.message().contains("neither that a page is the last"), "{error}");
}

#[tokio::test]
async fn a_moment_that_is_no_moment_costs_itself_and_far_ones_are_kept() {
    for (date, expected) in [
        (r#"{"epochMillis":-62135596800000}"#, "0001-01-01T00:00:00Z"),
        (r#"{"epochMillis":253402300799999}"#, "9999-12-31T23:59:59.999Z"),
        (r#"{"epochMillis":"253402300799999"}"#, "9999-12-31T23:59:59.999Z"),
        (r#"{"jira":"2026-03-29T02:30:00.000+0200"}"#, "2026-03-29T00:30:00Z"),
        (r#"{"iso8601":"2026-03-29T02:30:00+0900"}"#, "2026-03-28T17:30:00Z"),
        (r#"{"epochMillis":1e400}"#, "NULL"),
        (r#"{"epochMillis":"soon"}"#, "NULL"),
        (r#"{"epochMillis":99999999999999999999}"#, "NULL"),
    ] {
        let row = format!(r#"{{"issueKey":"A-1","createdDate":{date}}}"#);
        let session = site(move |_| page(&row)).await;
        let found = cell(&session, "SELECT created FROM requests").await;
        assert_eq!(found.unwrap(), expected, "{date}");
        let told = cell(&session, "SELECT count(*) FROM sys.warnings").await.unwrap();
        assert_eq!(told, if expected == "NULL" { "1" } else { "0" }, "{date}");
    }
}

#[tokio::test]
async fn ten_megabytes_in_one_field_are_read_and_a_bomb_is_not() {
    let body = page(&format!(r#"{{"id":"7","projectName":"{}"}}"#, "x".repeat(10 << 20)));
    let session = site(move |_| body.clone()).await;
    assert_eq!(
        cell(&session, "SELECT length(project_name) FROM service_desks")
            .await
            .unwrap(),
        (10 << 20).to_string()
    );

    let mut encoder = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::best());
    for _ in 0..200 {
        std::io::Write::write_all(&mut encoder, &vec![b' '; 1 << 20]).unwrap();
    }
    let bomb = encoder.finish().unwrap();
    assert!(bomb.len() < 1 << 20);
    let head = format!(
        "HTTP/1.1 200 OK\r\nConnection: close\r\nContent-Encoding: gzip\r\nContent-Length: {}\r\n\r\n",
        bomb.len()
    );
    let answer = [head.as_bytes(), &bomb].concat();
    let session = site(move |_| answer.clone()).await;
    let error = rows(&session, "SELECT * FROM service_desks").await.unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Limit, "{error}");
    assert!(error.hint_text().unwrap().contains("MaxBodySize"), "{:?}", error.hint_text());
}

#[tokio::test]
async fn a_table_is_added_by_a_file() {
    let directory = tempfile::tempdir().unwrap();
    std::fs::write(
        directory.path().join("desk_people.toml"),
        r#"
            doc = "Customers of a desk, by hand."
            [read]
            list = "GET /rest/servicedeskapi/servicedesk/{desk}/customer"
            [columns]
            desk = { type = "text", key = true, format = "integer", parent = "service_desks.id", doc = "Desk." }
            id = { type = "text", key = true, from = "accountId", doc = "Account." }
            name = { type = "text", from = "displayName", doc = "Name." }
            [[examples]]
            doc = "All."
            sql = "SELECT * FROM desk_people"
        "#,
    )
    .unwrap();
    let path = directory.path().display().to_string();
    let (_site, session) = demo(&format!("SchemaDir={path}")).await;
    assert_eq!(
        cell(&session, "SELECT count(*) FROM desk_people WHERE desk = '3'")
            .await
            .unwrap(),
        "32"
    );
    let same =
        "SELECT count(*) FROM desk_people p JOIN service_desk_customers c ON c.service_desk_id = p.desk AND c.account_id = p.id";
    assert_eq!(cell(&session, same).await.unwrap(), "272");
    assert_eq!(
        cell(
            &session,
            "SELECT description FROM sys.tables WHERE table_name = 'desk_people'"
        )
        .await
        .unwrap(),
        "Customers of a desk, by hand."
    );
}

/// The example of CONTRIBUTING.md, by its own words.
#[tokio::test]
async fn the_worked_example_works() {
    let text = std::fs::read_to_string("CONTRIBUTING.md").unwrap();
    let (_, rest) = text.split_once("```toml\n").unwrap();
    let (file, _) = rest.split_once("```").unwrap();
    let directory = tempfile::tempdir().unwrap();
    std::fs::write(directory.path().join("insight_workspaces.toml"), file).unwrap();
    let (site, session) = demo(&format!("SchemaDir={}", directory.path().display())).await;
    let found = cell(&session, "SELECT workspace_id FROM insight_workspaces").await.unwrap();
    assert_eq!(
        found,
        cell(&session, "SELECT workspace_id FROM assets_workspaces").await.unwrap()
    );
    let asked = site.served();
    assert_eq!(asked[0].address, "/rest/servicedeskapi/insight/workspace?limit=100");
}

#[test]
fn a_wrong_schema_file_is_shown_by_line() {
    let open = |text: &str| {
        let directory = tempfile::tempdir().unwrap();
        std::fs::write(directory.path().join("broken.toml"), text).unwrap();
        let options = format!(
            "URL=http://127.0.0.1:1;AuthScheme=Anonymous;SchemaDir={}",
            directory.path().display()
        );
        let outcome = Session::open(Connection::parse(&options, std::iter::empty()).unwrap());
        outcome.map(drop).unwrap_err()
    };
    for (text, fragment) in [
        ("doc = 1", "broken.toml:1:"),
        ("doc = \"x\"\nlist = 3", "broken.toml:2: unknown field `list`"),
        (
            "doc = \"x\"\n[read]\nlist = \"GET /a/{b}\"\n[columns]\nid = { type = \"text\", doc = \"x\" }",
            "names `b`, which is not a column",
        ),
        (
            "doc = \"x\"\n[read]\nlist = \"POST /a\"\n[columns]\nid = { type = \"text\", doc = \"x\" }",
            "GET /path",
        ),
        (
            "doc = \"x\"\n[read]\nlist = \"GET /a/{id}\"\n[columns]\nid = { type = \"text\", doc = \"x\", parent = \"nowhere.id\" }",
            "nowhere",
        ),
        (
            "doc = \"x\"\n[read]\nlist = \"GET /a\"\nsitewide = true\n[columns]\nid = { type = \"text\", key = true, doc = \"x\" }",
            "`sitewide` needs a column with `parent`",
        ),
    ] {
        let error = open(text);
        assert_eq!(error.kind(), ErrorKind::Schema, "{text}: {error}");
        assert!(error.to_string().contains(fragment), "{text}: {error}");
    }
    let options = "URL=http://127.0.0.1:1;AuthScheme=Anonymous;SchemaDir=/no/such/folder";
    let error = Session::open(Connection::parse(options, std::iter::empty()).unwrap())
        .map(drop)
        .unwrap_err();
    assert!(
        error.to_string().contains("/no/such/folder") && error.hint_text().is_some(),
        "{error}"
    );
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn long_and_deep_expressions_end_in_a_result_or_one_clear_error() {
    let (_site, session) = demo("").await;
    let chain =
        |term: &dyn Fn(usize) -> String, operator: &str, count: usize| (0..count).map(term).collect::<Vec<_>>().join(operator);
    let numbers = |count| chain(&|number| number.to_string(), " + ", count);
    // Equalities over one column become IN, however many.
    let keys = chain(&|number| format!("issue_key = 'ITSM-{}'", number % 90 + 1), " OR ", 20_000);
    assert_eq!(
        cell(&session, &format!("SELECT count(*) FROM requests WHERE {keys}"))
            .await
            .unwrap(),
        "90"
    );
    let list = chain(&|number| format!("'NOPE-{number}'"), ",", 100_000);
    assert_eq!(
        cell(
            &session,
            &format!("SELECT count(*) FROM service_desks WHERE project_name IN ({list})")
        )
        .await
        .unwrap(),
        "0"
    );
    assert_eq!(
        cell(&session, &format!("SELECT {}", numbers(900))).await.unwrap(),
        (0..900).sum::<usize>().to_string()
    );
    for sql in [
        format!("SELECT {}", numbers(20_000)),
        format!("SELECT {}1", "- ".repeat(20_000)),
        format!("SELECT {}1{}", "(".repeat(10_000), ")".repeat(10_000)),
        format!("SELECT {}", chain(&|number| format!("id LIKE '{number}'"), " OR ", 20_000)),
        format!("SELECT 1 WHERE {}true", "NOT ".repeat(20_000)),
        format!("SELECT '{}'", "x".repeat(9 << 20)),
        String::new(),
        "-- only a comment".to_owned(),
        ";;".to_owned(),
        "SELECT 'open".to_owned(),
        "\0".to_owned(),
    ] {
        let error = rows(&session, &sql).await.unwrap_err();
        assert!(
            matches!(error.kind(), ErrorKind::Limit | ErrorKind::Statement),
            "{:.60}: {error}",
            sql
        );
        assert!(
            error.message().len() < 500,
            "{:.60}: a message of {} bytes",
            sql,
            error.message().len()
        );
    }
    // A hundred parentheses are what a report tool writes.
    assert_eq!(
        cell(&session, &format!("SELECT {}1{}", "(".repeat(100), ")".repeat(100)))
            .await
            .unwrap(),
        "1"
    );
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn dropping_the_rows_stops_the_requests() {
    let site = DemoSite::start(DemoOptions {
        requests: 20_000,
        latency: Duration::from_millis(20),
        ..DemoOptions::fixed()
    })
    .await
    .unwrap();
    let session = open(&format!("URL={};User={USER};APIToken={TOKEN};MaxConcurrency=4", site.url()));
    let mut stream = session.sql("SELECT issue_key, summary FROM requests").await.unwrap();
    stream.next().await.unwrap().unwrap();
    drop(stream);
    tokio::time::sleep(Duration::from_millis(200)).await;
    let before = site.served().len();
    assert!(before < 40, "{before} of 200 pages were read for one batch");
    tokio::time::sleep(Duration::from_millis(200)).await;
    assert_eq!(site.served().len(), before, "requests after the end");
    assert!(site.most_at_once() <= 4);
}

#[tokio::test]
async fn no_secret_is_shown() {
    let session = site(|_| b"HTTP/1.1 401 \r\nContent-Length: 0\r\n\r\n".to_vec()).await;
    let error = rows(&session, "SELECT * FROM requests").await.unwrap_err();
    let options = rows(&session, "SELECT * FROM sys.options").await.unwrap();
    let requests = rows(&session, "SELECT * FROM sys.requests").await.unwrap();
    let plan = rows(&session, "EXPLAIN VERBOSE SELECT * FROM requests").await.unwrap();
    let shown = format!(
        "{error} {error:?} {session:?} {:?} {options:?} {requests:?} {plan:?}",
        session.connection()
    );
    assert!(!shown.contains("canary"), "a secret is shown");
    assert!(shown.contains("a@b.example"), "nothing was looked at");
}
