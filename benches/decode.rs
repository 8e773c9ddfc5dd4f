//! How long does it take to turn a row of `GET /request` into ten Arrow columns?
//!
//! And what does a site with 500 custom fields cost, where all of them are columns?
//!
//! `cargo bench --bench decode`. The page has a hundred rows of the demo site, fetched once; that of the wide site is made here, most of
//! its fields empty as on real ones. The best of seven rounds counts.

use std::time::{Duration, Instant};

use jsmql::demo::{DemoOptions, DemoSite, TOKEN, USER};
use jsmql::measure::Decode;
use tokio::io::{AsyncReadExt, AsyncWriteExt};

const COLUMNS: [&str; 10] = [
    "issue_key",
    "issue_id",
    "summary",
    "request_type_id",
    "service_desk_id",
    "created",
    "reporter_account_id",
    "reporter_display_name",
    "status",
    "status_date",
];
const ROUNDS: usize = 7;
const PAGES: usize = 200;
/// Custom fields of the wide site.
const FIELDS: usize = 500;

fn main() {
    let runtime = tokio::runtime::Runtime::new().expect("a runtime");
    let page = runtime.block_on(fetch());
    let mut decode = Decode::new("requests", &COLUMNS).expect("the columns exist");
    report("requests", &mut decode, &page, COLUMNS.len(), PAGES);
    let (fields, page) = wide();
    let names: Vec<String> = (0..FIELDS).map(|number| format!("field_{number}")).collect();
    let names: Vec<&str> = names.iter().map(String::as_str).collect();
    // The first ten have a value in half of the rows, and so have those at the end.
    let costs = [10, FIELDS].map(|columns| {
        let mut decode = Decode::on_site("issues", &fields, &names[..columns]).expect("the columns exist");
        report("500 custom fields", &mut decode, &page, columns, PAGES / 10)
    });
    println!(
        "decode: all fields cost {:.2} times as much as ten of them",
        costs[1] / costs[0]
    );
}

/// Measures a page: seconds a row.
fn report(name: &str, decode: &mut Decode, page: &[u8], columns: usize, pages: usize) -> f64 {
    let rows = decode.page(page).expect("the page is right");
    let best = (0..ROUNDS)
        .map(|_| {
            let began = Instant::now();
            for _ in 0..pages {
                assert_eq!(decode.page(page).expect("the page is right"), rows);
            }
            began.elapsed()
        })
        .min()
        .unwrap_or(Duration::MAX);
    let each = best.as_secs_f64() / (pages * rows) as f64;
    let speed = page.len() as f64 / rows as f64 / each / 1e6;
    println!(
        "decode: {name}: {rows} rows of {} bytes, {columns} columns: {:.2} µs a row, {speed:.0} MB/s",
        page.len() / rows,
        each * 1e6
    );
    each
}

/// The fields of a site, and a page of its issues: a fifth of the fields have a value.
fn wide() -> (String, Vec<u8>) {
    let kind = |number: usize| ["string", "number", "datetime", "option"][number / 5 % 4];
    let field = |number| {
        let kind = kind(number);
        format!(
            r#"{{"id":"customfield_{}","name":"Field {number}","custom":true,"schema":{{"type":"{kind}","customId":{}}}}}"#,
            10_000 + number,
            10_000 + number
        )
    };
    let value = |number: usize| match (number % 5, kind(number)) {
        (0, "string") => format!("\"The text of field {number}\""),
        (0, "number") => format!("{number}.5"),
        (0, "datetime") => "\"2026-03-01T10:20:30.123+0100\"".to_owned(),
        (0, _) => format!(
            r#"{{"self":"https://acme.atlassian.net/rest/api/3/customFieldOption/{number}","value":"Choice {number}","id":"{number}"}}"#
        ),
        _ => "null".to_owned(),
    };
    let fields: Vec<String> = (0..FIELDS).map(field).collect();
    let values: Vec<String> = (0..FIELDS)
        .map(|number| format!("\"customfield_{}\":{}", 10_000 + number, value(number)))
        .collect();
    let values = values.join(",");
    let issues: Vec<String> = (1..=100)
        .map(|number| format!(r#"{{"id":"{number}","key":"ITSM-{number}","fields":{{{values}}}}}"#))
        .collect();
    let page = format!(r#"{{"issues":[{}],"isLast":true}}"#, issues.join(","));
    (format!("[{}]", fields.join(",")), page.into_bytes())
}

/// The body of the first page.
async fn fetch() -> Vec<u8> {
    let site = DemoSite::start(DemoOptions::fixed()).await.expect("a free port");
    let address = site.url().strip_prefix("http://").expect("plain http");
    let mut stream = tokio::net::TcpStream::connect(address).await.expect("the site listens");
    let credentials = base64::Engine::encode(&base64::engine::general_purpose::STANDARD, format!("{USER}:{TOKEN}"));
    let request = format!(
        "GET /rest/servicedeskapi/request?limit=100 HTTP/1.1\r\nHost: demo\r\nAuthorization: Basic {credentials}\r\nConnection: close\r\n\r\n"
    );
    stream.write_all(request.as_bytes()).await.expect("the site reads");
    let mut answer = Vec::new();
    stream.read_to_end(&mut answer).await.expect("the site answers");
    let head = answer
        .windows(4)
        .position(|end| end == b"\r\n\r\n")
        .expect("an answer has a head");
    answer.split_off(head + 4)
}
