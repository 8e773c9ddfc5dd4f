//! Pages that are known to be there are asked for before any has come.

use std::time::Duration;

use futures::StreamExt;
use jsmql::demo::{DemoOptions, DemoSite, TOKEN, USER};

use super::{open, rows};

/// Long enough that all requests are sent before the first answer comes.
const LATENCY: Duration = Duration::from_secs(1);

#[tokio::test(flavor = "multi_thread")]
async fn a_list_that_was_read_before_is_asked_for_at_once() {
    let options = DemoOptions {
        requests: 450,
        latency: LATENCY,
        ..DemoOptions::fixed()
    };
    let site = DemoSite::start(options).await.unwrap();
    let session = open(&format!("URL={};User={USER};APIToken={TOKEN}", site.url()));
    let sql = "SELECT issue_key FROM requests WHERE request_ownership = 'ALL_REQUESTS'";
    let (mut found, mut at_once) = (Vec::new(), Vec::new());
    for _ in 0..2 {
        let mut stream = session.sql(sql).await.unwrap();
        let meter = stream.meter();
        let reading = tokio::spawn(async move {
            let mut rows = 0;
            while let Some(batch) = stream.next().await {
                rows += batch.unwrap().num_rows();
            }
            rows
        });
        // What was sent by the time that the first byte of an answer came.
        let mut sent = 0;
        while meter.progress().bytes == 0 {
            sent = meter.progress().requests;
            tokio::time::sleep(Duration::from_millis(5)).await;
        }
        at_once.push(sent);
        found.push((reading.await.unwrap(), meter.progress().requests));
    }
    let pages = 5;
    assert_eq!(at_once, [1, pages], "requests before the first answer");
    assert_eq!(found[0].0, found[1].0);
    assert!(found[0].0 > 400, "{found:?}");
    assert_eq!(
        found[1].1,
        pages + 1,
        "no request beyond the end that is known, but one for the front"
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn how_many_requests_are_needed_is_known_where_the_list_is() {
    let options = DemoOptions {
        requests: 450,
        latency: Duration::from_millis(100),
        ..DemoOptions::fixed()
    };
    let site = DemoSite::start(options).await.unwrap();
    let session = open(&format!("URL={};User={USER};APIToken={TOKEN}", site.url()));
    // The most that was ever known while the rows came.
    let expected = async |sql: &str| {
        let mut rows = session.sql(sql).await.unwrap();
        let meter = rows.meter();
        let mut most = 0;
        loop {
            let next = tokio::time::timeout(Duration::from_millis(10), rows.next()).await;
            most = most.max(meter.progress().expected);
            if matches!(next, Ok(None)) {
                return (most, meter.progress().requests);
            }
        }
    };
    let list = "SELECT issue_key FROM requests WHERE request_ownership = 'ALL_REQUESTS'";
    assert!(
        expected(list).await.0 <= 1,
        "of a list that was never read only the first page is known"
    );
    assert_eq!(
        expected(list).await,
        (6, 6),
        "its pages are remembered, and its front is looked at again"
    );
    // Ids first; with the last of them the number of batches is known.
    let (known, sent) = expected("SELECT issue_key, summary, description FROM issues").await;
    assert!(known > 2 && known == sent, "{known} expected, {sent} sent");
}

/// What was asked for in advance, and let go when the end was known, was sent all the same.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_plan_counts_all_that_was_sent() {
    let site = DemoSite::start(DemoOptions {
        requests: 450,
        latency: Duration::from_millis(100),
        ..DemoOptions::fixed()
    })
    .await
    .unwrap();
    let session = open(&format!("URL={};User={USER};APIToken={TOKEN}", site.url()));
    let explained = rows(&session, "EXPLAIN ANALYZE SELECT issue_key FROM requests")
        .await
        .unwrap();
    let sent = session.requests().len();
    assert!(sent > 6, "more than its pages: {sent}");
    let text = format!("{explained:?}");
    assert!(text.contains(&format!("requests={sent},")), "{sent} were sent: {text}");
}

/// Statements that stand in line for the only place are not late: the site was not asked for them yet.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn standing_in_line_is_no_timeout() {
    let site = DemoSite::start(DemoOptions {
        latency: Duration::from_millis(200),
        ..DemoOptions::fixed()
    })
    .await
    .unwrap();
    let session = open(&format!(
        "URL={};User={USER};APIToken={TOKEN};MaxConcurrency=1;Timeout=1",
        site.url()
    ));
    let all = (1..=10).map(|_| rows(&session, "SELECT count(*) FROM service_desks"));
    for answer in futures::future::join_all(all).await {
        answer.unwrap();
    }
}

/// Planning asks the site for its fields; who gives up the statement gives up that request.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn planning_ends_with_its_caller() {
    let site = DemoSite::start(DemoOptions {
        latency: Duration::from_secs(60),
        ..DemoOptions::fixed()
    })
    .await
    .unwrap();
    let session = open(&format!("URL={};User={USER};APIToken={TOKEN}", site.url()));
    let planned = tokio::time::timeout(Duration::from_secs(2), session.sql("SELECT * FROM issues")).await;
    assert!(planned.is_err(), "the site answers in a minute");
    let requests = session.requests();
    assert_eq!(requests.len(), 1);
    assert!(requests[0].was_cancelled(), "{requests:?}");
}

/// 500 threads with a stack of 256 MiB would be 125 GiB of addresses.
#[cfg(target_os = "linux")]
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn planning_needs_no_stack_for_each_statement() {
    let session = open("URL=http://127.0.0.1:9;User=a;APIToken=b");
    let tasks = (0..500).map(|number| {
        let session = session.clone();
        tokio::spawn(async move { session.statements(&format!("SELECT {number}")).await.map(|all| all.len()) })
    });
    for task in tasks.collect::<Vec<_>>() {
        assert_eq!(task.await.unwrap().unwrap(), 1);
    }
    let status = std::fs::read_to_string("/proc/self/status").unwrap();
    let most = status.lines().find_map(|line| line.strip_prefix("VmPeak:")).unwrap();
    let most: u64 = most.trim().trim_end_matches(" kB").parse().unwrap();
    assert!(most < 64 << 20, "{most} kB of addresses");
}
