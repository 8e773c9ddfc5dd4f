//! How many requests do statements take, and how near is their time to what those requests must take?
//!
//! `cargo bench --bench scan`. A demo site of 2,000 requests with 50 ms latency; the best of three runs, each in a session of its own.
//! *Least* is the smallest number of requests that can answer; *bound* is the time of those requests at MaxConcurrency 8: one
//! round trip for each request that must wait for another, and the rest eight at a time.

use std::time::{Duration, Instant};

use futures::StreamExt;
use jsmql::demo::{DemoOptions, DemoSite, TOKEN, USER};
use jsmql::{Connection, Session};

const LATENCY: Duration = Duration::from_millis(50);
const REQUESTS: usize = 2_000;
const CONCURRENCY: usize = 8;

struct Work {
    name: &'static str,
    sql: String,
    /// The smallest number of requests.
    least: usize,
    /// Round trips one after the other, at this concurrency.
    trips: usize,
    /// Whether the session has run the statement before.
    again: bool,
}

/// Round trips of a list of so many pages: the first, then the others side by side.
const fn list(pages: usize) -> usize {
    1 + (pages - 1).div_ceil(CONCURRENCY)
}

fn works() -> Vec<Work> {
    let work = |name, sql: &str, least, trips| Work {
        name,
        sql: sql.to_owned(),
        least,
        trips,
        again: false,
    };
    let pages = REQUESTS / 100;
    let keys: Vec<String> = (1..=40).map(|number| format!("'ITSM-{number}'")).collect();
    let keys = keys.join(", ");
    let ten = "SELECT issue_key, issue_id, summary, request_type_id, service_desk_id, created, reporter_account_id, reporter_display_name, status, status_date FROM requests";
    vec![
        work("scan, ten columns", ten, pages, list(pages)),
        Work {
            again: true,
            // How many pages there are is known.
            ..work("the same again", ten, pages, pages.div_ceil(CONCURRENCY))
        },
        work("count(*)", "SELECT count(*) FROM requests", pages, list(pages)),
        work("LIMIT 10", "SELECT issue_key, summary FROM requests LIMIT 10", 1, 1),
        work(
            "one desk",
            "SELECT issue_key, summary FROM requests WHERE service_desk_id = '3'",
            2,
            list(2),
        ),
        work(
            "issue_key IN (40 keys)",
            &format!("SELECT issue_key, summary FROM requests WHERE issue_key IN ({keys})"),
            40,
            40 / CONCURRENCY,
        ),
        work(
            "status history of all",
            "SELECT * FROM request_status_history",
            pages,
            list(pages),
        ),
        work("SLAs of all", "SELECT * FROM request_slas", pages, list(pages)),
        // The pages that the list cut are read after it: of so many requests two pages of fifty, and of four a third.
        work(
            "participants of all",
            "SELECT * FROM request_participants",
            pages + 18 * 2,
            list(pages) + (18_usize * 2).div_ceil(CONCURRENCY),
        ),
        work(
            "comments of all",
            "SELECT * FROM request_comments",
            pages + 21 * 2 + 4,
            list(pages) + (21_usize * 2 + 4).div_ceil(CONCURRENCY),
        ),
        work(
            "join of 20 keys",
            "SELECT r.issue_key, n.subscribed FROM requests r JOIN request_notifications n ON n.issue_key = r.issue_key WHERE r.service_desk_id = '3' AND r.request_status = 'OPEN_REQUESTS'",
            0,
            0,
        ),
    ]
}

struct Run {
    rows: usize,
    requests: usize,
    first: Duration,
    whole: Duration,
}

async fn run(sql: &str, again: bool) -> Run {
    let options = DemoOptions {
        requests: REQUESTS,
        latency: LATENCY,
        ..DemoOptions::fixed()
    };
    let site = DemoSite::start(options).await.expect("a free port");
    let text = format!("URL={};User={USER};APIToken={TOKEN};MaxConcurrency={CONCURRENCY}", site.url());
    let open = || Session::open(Connection::parse(&text, std::iter::empty()).expect("the options are right")).expect("a session");
    let drain = async |session: &Session, sql: &str| {
        let mut rows = session.sql(sql).await.expect("a statement");
        while let Some(batch) = rows.next().await {
            batch.expect("rows");
        }
    };
    // The site makes its data when it is first asked; that is not what is measured. Another session asks, so that the one that is
    // measured has its connections, but knows nothing of the list.
    drain(&open(), "SELECT count(*) FROM requests").await;
    let session = open();
    drain(
        &session,
        "SELECT count(*) FROM requests WHERE request_status = 'CLOSED_REQUESTS'",
    )
    .await;
    if again {
        drain(&session, sql).await;
    }
    let began = Instant::now();
    let mut stream = session.sql(sql).await.expect("the statement is right");
    let (mut rows, mut first) = (0, None);
    while let Some(batch) = stream.next().await {
        rows += batch.expect("rows").num_rows();
        first.get_or_insert_with(|| began.elapsed());
    }
    let whole = began.elapsed();
    Run {
        rows,
        requests: usize::try_from(stream.meter().progress().requests).expect("not so many"),
        first: first.unwrap_or(whole),
        whole,
    }
}

fn main() {
    let runtime = tokio::runtime::Runtime::new().expect("a runtime");
    println!(
        "| statement | rows | requests | least | first batch ms | ms | bound ms | ratio |\n|---|---:|---:|---:|---:|---:|---:|---:|"
    );
    for work in works() {
        let runs: Vec<Run> = (0..3).map(|_| runtime.block_on(run(&work.sql, work.again))).collect();
        let best = runs.iter().min_by_key(|run| run.whole).expect("three runs");
        // A join first reads its keys, in as many pages as they take, and then as many requests as there are.
        let (least, trips) = match work.trips {
            0 => (1 + best.rows, 1 + best.rows.div_ceil(CONCURRENCY)),
            trips => (work.least, trips),
        };
        let bound = LATENCY * u32::try_from(trips).unwrap_or(u32::MAX);
        println!(
            "| {} | {} | {} | {least} | {:.0} | {:.0} | {:.0} | {:.2} |",
            work.name,
            best.rows,
            best.requests,
            best.first.as_secs_f64() * 1e3,
            best.whole.as_secs_f64() * 1e3,
            bound.as_secs_f64() * 1e3,
            best.whole.as_secs_f64() / bound.as_secs_f64()
        );
    }
}
