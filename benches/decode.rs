//! How long does it take to turn a row of `GET /request` into ten Arrow columns?
//!
//! `cargo bench --bench decode`. The page has a hundred rows of the demo site, fetched once; the best of seven rounds counts.

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

fn main() {
    let runtime = tokio::runtime::Runtime::new().expect("a runtime");
    let page = runtime.block_on(fetch());
    let mut decode = Decode::new("requests", &COLUMNS).expect("the columns exist");
    let rows = decode.page(&page).expect("the page is right");
    let best = (0..ROUNDS)
        .map(|_| {
            let began = Instant::now();
            for _ in 0..PAGES {
                assert_eq!(decode.page(&page).expect("the page is right"), rows);
            }
            began.elapsed()
        })
        .min()
        .unwrap_or(Duration::MAX);
    let each = best.as_secs_f64() / (PAGES * rows) as f64;
    let speed = page.len() as f64 / rows as f64 / each / 1e6;
    println!(
        "decode: {rows} rows of {} bytes, {} columns: {:.2} µs a row, {speed:.0} MB/s",
        page.len() / rows,
        COLUMNS.len(),
        each * 1e6
    );
}

/// The body of the first page.
async fn fetch() -> Vec<u8> {
    let site = DemoSite::start(DemoOptions::default()).await.expect("a free port");
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
