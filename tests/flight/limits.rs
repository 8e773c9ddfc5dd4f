//! What clients may use, and how the server ends.

use std::time::Duration;

use futures::StreamExt;
use jsmql::demo::DemoOptions;
use jsmql::flight::{Access, Limits, ServeOptions};
use tonic::Code;

use super::support::*;

fn slow(requests: usize) -> DemoOptions {
    DemoOptions {
        requests,
        latency: Duration::from_millis(20),
        ..DemoOptions::fixed()
    }
}

#[tokio::test]
async fn sessions_statements_and_messages_are_limited() {
    let limits = Limits {
        sessions: 2,
        statements: 3,
        running: 1,
        message: 64 << 10,
        ..Limits::default()
    };
    let served = with_limits(slow(20_000), limits).await;
    let (mut one, mut two, mut three) = (served.client().await, served.client().await, served.client().await);
    assert_eq!(cell(&mut one, "SELECT 1").await, "1");
    assert_eq!(cell(&mut two, "SELECT 1").await, "1");
    refused(query(&mut three, "SELECT 1").await, Code::ResourceExhausted, "2 sessions");
    drop(two);
    let mut answer = query(&mut three, "SELECT 1").await;
    for _ in 0..500 {
        if answer.is_ok() {
            break;
        }
        tokio::time::sleep(Duration::from_millis(10)).await;
        answer = query(&mut three, "SELECT 1").await;
    }
    answer.expect("the session of a client that is gone makes room");

    let info = one.execute("SELECT issue_key FROM requests".into(), None).await.unwrap();
    let mut stream = one.do_get(ticket(&info)).await.unwrap();
    stream.next().await.unwrap().unwrap();
    let second = one.execute("SELECT 1".into(), None).await.unwrap();
    refused(fetch(&mut one, &second).await, Code::ResourceExhausted, "are running");
    // The others go on.
    assert_eq!(cell(&mut three, "SELECT 1").await, "1");
    drop(stream);
    let mut outcome = one.do_get(ticket(&second)).await.map(drop);
    for _ in 0..500 {
        if outcome.is_ok() {
            break;
        }
        tokio::time::sleep(Duration::from_millis(10)).await;
        outcome = one.do_get(ticket(&second)).await.map(drop);
    }
    outcome.expect("a ticket that could not be redeemed is still good");

    // Statements that nobody closes make room for others; the one that was used longest ago goes.
    let mut prepared = Vec::new();
    for number in 0..3 {
        prepared.push(three.prepare(format!("SELECT {number}"), None).await.unwrap());
    }
    prepared[0].execute().await.unwrap();
    let mut latest = three.prepare("SELECT 3".into(), None).await.unwrap();
    refused(prepared[1].execute().await, Code::NotFound, "made room for later ones");
    for statement in [0, 2] {
        prepared[statement].execute().await.unwrap();
    }
    latest.execute().await.unwrap();
    // Plans that nobody comes back for make room for others.
    let forgotten = three.execute("SELECT 1".into(), None).await.unwrap();
    for _ in 0..3 {
        three.execute("SELECT 1".into(), None).await.unwrap();
    }
    refused(fetch(&mut three, &forgotten).await, Code::NotFound, "no statement");

    let huge = format!("SELECT '{}'", "x".repeat(100 << 10));
    let status = status(three.execute(huge, None).await.unwrap_err());
    assert!(
        matches!(status.code(), Code::OutOfRange | Code::ResourceExhausted),
        "{status:?}"
    );
    assert_eq!(cell(&mut three, "SELECT 1").await, "1");
}

#[tokio::test]
async fn a_statement_ends_when_its_time_is_up() {
    let limits = Limits {
        time: Some(Duration::from_millis(300)),
        ..Limits::default()
    };
    let served = with_limits(slow(20_000), limits).await;
    let mut client = served.client().await;
    refused(
        query(&mut client, "SELECT issue_key FROM requests").await,
        Code::DeadlineExceeded,
        "longer than 0.3 seconds",
    );
    let asked = served.asked();
    tokio::time::sleep(Duration::from_millis(300)).await;
    assert!(served.asked() - asked <= 1, "the requests went on");
}

#[tokio::test]
async fn a_statement_that_needs_too_much_memory_is_refused() {
    let limits = Limits {
        memory: 1 << 20,
        ..Limits::default()
    };
    let served = with_limits(DemoOptions::fixed(), limits).await;
    let mut client = served.client().await;
    let sql = "SELECT value, count(*) FROM generate_series(1, 2000000) GROUP BY value ORDER BY 2, 1";
    let status = status(query(&mut client, sql).await.unwrap_err());
    assert_eq!(status.code(), Code::ResourceExhausted, "{status:?}");
    assert!(status.message().to_lowercase().contains("memory"), "{status:?}");
    let kept = "CREATE TABLE temp.much AS SELECT value FROM generate_series(1, 2000000)";
    let error = client.execute_update(kept.into(), None).await.unwrap_err();
    assert_eq!(super::support::status(error).code(), Code::ResourceExhausted);
    assert_eq!(
        cell(&mut client, "SELECT count(*) FROM generate_series(1, 1000)").await,
        "1000"
    );
}

#[tokio::test]
async fn answers_count_against_the_memory_of_a_session() {
    let limits = Limits {
        memory: 64 << 10,
        ..Limits::default()
    };
    let served = with_limits(DemoOptions::fixed(), limits).await;
    let mut client = served.client().await;
    refused(
        query(&mut client, "SELECT issue_key, summary FROM requests").await,
        Code::ResourceExhausted,
        "no memory left",
    );
    assert_eq!(served.asked(), 1, "an answer that does not fit is not asked for again");
    assert_eq!(cell(&mut client, "SELECT count(*) FROM service_desks").await, "3");
}

/// A server that shows what it would write.
async fn dry(memory: usize) -> Served {
    let access = Access::Own {
        writes: true,
        users: None,
    };
    let limits = Limits {
        memory,
        ..Limits::default()
    };
    let options = ServeOptions {
        access,
        limits,
        ..ServeOptions::default()
    };
    serve_with(DemoOptions::fixed(), options, "DryRun=true").await
}

#[tokio::test]
async fn rows_to_write_and_requests_to_show_count_against_it() {
    for (rows, length) in [(200_000, 1), (2_000, 3_000)] {
        let served = dry(16 << 20).await;
        let mut client = served.client().await;
        let sql = format!(
            "INSERT INTO request_comments (issue_key, body) \
             SELECT 'ITSM-1', repeat('x', {length}) FROM generate_series(1, {rows})"
        );
        refused(query(&mut client, &sql).await, Code::ResourceExhausted, "nothing was sent");
        assert_eq!(served.written(), 0);
        assert_eq!(cell(&mut client, "SELECT 1").await, "1");
    }
}

#[tokio::test]
async fn results_that_nobody_fetches_count_against_it() {
    let served = dry(8 << 20).await;
    let mut client = served.client().await;
    let sql = "INSERT INTO request_comments (issue_key, body) SELECT 'ITSM-1', repeat('x', 1000) FROM generate_series(1, 500)";
    let mut kept = Vec::new();
    let full = loop {
        match client.execute(sql.into(), None).await {
            Ok(info) => kept.push(info),
            Err(error) => break status(error),
        }
        assert!(kept.len() < 20, "they are kept without end");
    };
    assert_eq!(full.code(), Code::ResourceExhausted, "{full:?}");
    assert!(full.message().contains("no memory left"), "{full:?}");
    assert!(!kept.is_empty());
    for info in &kept {
        fetch(&mut client, info).await.unwrap();
    }
    client.execute(sql.into(), None).await.expect("what was fetched makes room");
}

#[tokio::test]
async fn a_server_that_stops_lets_statements_end() {
    let mut served = serve(slow(1_000), Default::default()).await;
    let (mut client, mut idle) = (served.client().await, served.client().await);
    assert_eq!(cell(&mut idle, "SELECT 1").await, "1");
    let mut prepared = client.prepare("SELECT 1".into(), None).await.unwrap();
    let dropped = client.prepare("SELECT 1".into(), None).await.unwrap();
    let planned = client
        .execute("SELECT id FROM service_desks ORDER BY id".into(), None)
        .await
        .unwrap();
    let info = client.execute("SELECT issue_key FROM requests".into(), None).await.unwrap();
    let mut stream = client.do_get(ticket(&info)).await.unwrap();
    let mut rows = stream.next().await.unwrap().unwrap().num_rows();
    served.stop();
    // Nothing begins, on whatever connection.
    until_refused(&mut idle).await;
    let ended = "the server is shutting down";
    refused(query(&mut client, "SELECT 1").await, Code::Unavailable, ended);
    refused(
        client.prepare("SELECT 1".into(), None).await.map(drop),
        Code::Unavailable,
        ended,
    );
    refused(prepared.execute().await, Code::Unavailable, ended);
    let mut stranger = served.client().await;
    refused(query(&mut stranger, "SELECT 1").await, Code::Unavailable, ended);
    assert!(stranger.handshake("", "").await.is_err());
    // What was begun is done: rows are read, and statements closed.
    dropped.close().await.unwrap();
    assert_eq!(texts(&fetch(&mut client, &planned).await.unwrap()), [["1"], ["2"], ["3"]]);
    while let Some(batch) = stream.next().await {
        rows += batch.unwrap().num_rows();
    }
    assert!(rows > 500, "{rows}");
    drop(stream);
    // Clients that only hold their connections do not keep it.
    served.stopped().await;
    assert!(std::net::TcpStream::connect(served.url.trim_start_matches("http://")).is_err());
}

/// Waits until a client's statements are refused.
async fn until_refused(client: &mut Client) {
    for _ in 0..500 {
        if query(client, "SELECT 1").await.is_err() {
            return;
        }
        tokio::time::sleep(Duration::from_millis(10)).await;
    }
    panic!("the server goes on");
}

#[tokio::test]
async fn a_server_that_stops_breaks_off_what_takes_too_long() {
    let limits = Limits {
        drain: Duration::from_millis(200),
        ..Limits::default()
    };
    let mut served = with_limits(slow(100_000), limits).await;
    let mut client = served.client().await;
    let info = client.execute("SELECT issue_key FROM requests".into(), None).await.unwrap();
    let mut stream = client.do_get(ticket(&info)).await.unwrap();
    stream.next().await.unwrap().unwrap();
    served.stop();
    let mut end = None;
    while let Some(batch) = stream.next().await {
        if let Err(error) = batch {
            end = Some(error);
            break;
        }
    }
    let end = status(end.expect("a broken statement seemed to be complete"));
    assert_eq!(end.code(), Code::Cancelled, "{end:?}");
    served.stopped().await;
    let asked = served.asked();
    tokio::time::sleep(Duration::from_millis(200)).await;
    assert_eq!(served.asked(), asked, "requests were sent by a server that has stopped");
}

#[tokio::test]
async fn statements_that_nobody_closes_are_kept_few() {
    // More than are remembered after they made room.
    const PREPARED: usize = 3_000;
    const KEPT: usize = 100;
    let limits = Limits {
        statements: KEPT,
        ..Limits::default()
    };
    let served = with_limits(DemoOptions::fixed(), limits).await;
    let mut client = served.client().await;
    let (mut first, mut latest) = (None, Vec::new());
    for number in 0..PREPARED {
        let prepared = client.prepare("SELECT 1".into(), None).await.unwrap();
        match number {
            0 => first = Some(prepared),
            _ if number + 3 * KEPT >= PREPARED => latest.push(prepared),
            _ => {}
        }
    }
    // Not even that it made room is remembered for ever.
    refused(first.unwrap().execute().await, Code::NotFound, "handle");
    let mut alive = 0;
    for prepared in &mut latest {
        match prepared.execute().await {
            Ok(info) => {
                assert_eq!(texts(&fetch(&mut client, &info).await.unwrap()), [["1"]]);
                alive += 1;
            }
            outcome => refused(outcome, Code::NotFound, "made room for later ones: a session keeps 100"),
        }
    }
    assert_eq!(alive, KEPT);
}

#[tokio::test]
async fn warnings_come_with_the_end_of_the_rows() {
    let served = super::support::writable().await;
    let mut client = served.client().await;
    let insert = "INSERT INTO organizations (name) VALUES ('Atlas Coffee Co') RETURNING id";
    let info = client.execute(insert.into(), None).await.unwrap();
    let mut stream = client.do_get(ticket(&info)).await.unwrap();
    while let Some(batch) = stream.next().await {
        batch.unwrap();
    }
    let trailers = stream.trailers().expect("trailing metadata");
    let told = trailers.get_bin("jsmql-warnings-bin").expect("a warning").to_bytes().unwrap();
    assert!(String::from_utf8_lossy(&told).contains("1 rows were there already"));
    let info = client.execute("SELECT 1".into(), None).await.unwrap();
    let mut stream = client.do_get(ticket(&info)).await.unwrap();
    while let Some(batch) = stream.next().await {
        batch.unwrap();
    }
    assert!(
        stream
            .trailers()
            .is_none_or(|trailers| trailers.get_bin("jsmql-warnings-bin").is_none())
    );
}
