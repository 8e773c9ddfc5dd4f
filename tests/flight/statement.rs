//! Statements: planned as often as a client likes, run once, broken off when it goes away.

use std::time::Duration;

use arrow_flight::sql::{CommandStatementQuery, ProstMessageExt};
use arrow_flight::{Action, CancelFlightInfoRequest, CancelFlightInfoResult, CancelStatus, FlightDescriptor, Ticket};
use futures::{StreamExt, TryStreamExt};
use jsmql::demo::DemoOptions;
use jsmql::flight::ServeOptions;
use prost::Message;
use tonic::Code;

use super::support::*;

#[tokio::test]
async fn a_query_is_planned_often_and_run_once() {
    let served = open().await;
    let mut client = served.client().await;
    let sql = "SELECT issue_key, summary FROM requests LIMIT 7";
    let descriptor = FlightDescriptor::new_cmd(
        CommandStatementQuery {
            query: sql.into(),
            transaction_id: None,
        }
        .as_any()
        .encode_to_vec(),
    );
    let schema = client.inner_mut().get_schema(descriptor.clone()).await.unwrap().into_inner();
    let schema: arrow::datatypes::Schema = (&schema).try_into().unwrap();
    let polled = client.inner_mut().poll_flight_info(descriptor).await.unwrap().into_inner();
    let info = client.execute(sql.into(), None).await.unwrap();
    assert_eq!(info.clone().try_decode_schema().unwrap(), schema);
    assert_eq!(
        (polled.info.unwrap().schema, polled.flight_descriptor),
        (info.schema.clone(), None)
    );
    assert_eq!(served.asked(), 0, "planning sends no request");

    let rows = texts(&fetch(&mut client, &info).await.unwrap());
    assert_eq!(rows.len(), 7);
    assert_eq!(rows[0].len(), 2);
    let asked = served.asked();
    assert_eq!(asked, 1, "{:?}", served.requests());
    refused(fetch(&mut client, &info).await, Code::NotFound, "no statement of this handle");
    assert_eq!(served.asked(), asked, "the ticket was for one use");
}

#[tokio::test]
async fn a_write_takes_effect_once() {
    let served = writable().await;
    let mut client = served.client().await;
    let insert = |text: &str| format!("INSERT INTO request_comments (issue_key, body, public) VALUES ('ITSM-9', '{text}', true)");
    assert_eq!(client.execute_update(insert("by update"), None).await.unwrap(), 1);
    assert_eq!(served.written(), 1);

    // Clients that run everything as a query may never ask for its rows: it takes effect when it is sent.
    let info = client.execute(insert("by query"), None).await.unwrap();
    assert_eq!(served.written(), 2);
    assert_eq!(texts(&fetch(&mut client, &info).await.unwrap()), [["1"]]);
    refused(fetch(&mut client, &info).await, Code::NotFound, "no statement");
    let prepared = client.prepare(insert("never"), None).await.unwrap();
    assert_eq!(prepared.dataset_schema().unwrap().fields().len(), 1);
    assert_eq!(served.written(), 2, "preparing runs nothing");

    let found = query(
        &mut client,
        "SELECT body FROM request_comments WHERE issue_key = 'ITSM-9' AND body LIKE 'by %' ORDER BY 1",
    )
    .await;
    assert_eq!(texts(&found.unwrap()), [["by query"], ["by update"]]);
    // Nothing is changed, and nothing is said about how much.
    assert_eq!(client.execute_update("SELECT 1".into(), None).await.unwrap(), -1);
    assert_eq!(
        client
            .execute_update("CREATE TABLE temp.t AS SELECT 1 AS a".into(), None)
            .await
            .unwrap(),
        -1
    );
    assert_eq!(cell(&mut client, "SELECT count(*) FROM temp.t").await, "1");
}

#[tokio::test]
async fn the_servers_own_account_only_reads_unless_it_is_allowed_more() {
    let served = open().await;
    let mut client = served.client().await;
    let insert = "INSERT INTO request_comments (issue_key, body) VALUES ('ITSM-9', 'x')";
    refused(
        client.execute_update(insert.into(), None).await,
        Code::PermissionDenied,
        "Readonly",
    );
    refused(query(&mut client, insert).await, Code::PermissionDenied, "Readonly");
    refused(
        query(&mut client, "SELECT * FROM transition_request('ITSM-9', '11')").await,
        Code::PermissionDenied,
        "Readonly",
    );
    assert_eq!(served.written(), 0);
    // The scratch schema is the session's own.
    client
        .execute_update("CREATE TABLE temp.t AS SELECT 2 AS a".into(), None)
        .await
        .unwrap();
    assert_eq!(cell(&mut client, "SELECT a FROM temp.t").await, "2");
}

#[tokio::test]
async fn errors_have_the_code_the_text_and_the_hint_of_ours() {
    let served = open().await;
    let mut client = served.client().await;
    for (sql, code, fragment) in [
        ("SELEC 1", Code::InvalidArgument, "SELEC"),
        ("SELECT nonsense FROM requests", Code::InvalidArgument, "nonsense"),
        ("SELECT * FROM request", Code::InvalidArgument, "request"),
        ("SELECT 1; SELECT 2", Code::InvalidArgument, "2 statements"),
        ("", Code::InvalidArgument, "no statement"),
        ("BEGIN", Code::Unimplemented, "no transactions"),
        ("COPY (SELECT 1) TO '/tmp/x.csv'", Code::Unimplemented, "files"),
        (
            "CREATE EXTERNAL TABLE x STORED AS CSV LOCATION 'http://127.0.0.1:1/x'",
            Code::Unimplemented,
            "files",
        ),
        ("SELECT * FROM '/etc/hostname'", Code::InvalidArgument, "/etc/hostname"),
    ] {
        let error = client.execute(sql.into(), None).await.map(drop);
        let status = status(error.err().unwrap_or_else(|| panic!("{sql} was planned")));
        assert_eq!(status.code(), code, "{sql}: {status:?}");
        assert!(status.message().contains(fragment), "{sql}: {status:?}");
    }
    let transaction = client.execute("SELECT 1".into(), Some("tx".into())).await.map(drop);
    refused(transaction, Code::Unimplemented, "no transactions");
    assert_eq!(served.asked(), 0);
}

#[tokio::test]
async fn no_statement_reaches_the_files_of_the_server() {
    let served = writable().await;
    let mut client = served.client().await;
    for sql in [
        "SELECT * FROM add_attachment('ITSM-9', '/etc/hostname')",
        "CALL add_attachment('ITSM-9', '/etc/hostname')",
        "SELECT * FROM create_schema('organizations', 'x.toml')",
    ] {
        refused(
            query(&mut client, sql).await,
            Code::PermissionDenied,
            "neither reads nor writes files",
        );
    }
    assert_eq!(served.written(), 0);
    // Limits that protect the server are not for its clients to lift.
    for sql in [
        "SET datafusion.runtime.memory_limit = '100G'",
        "SET datafusion.runtime.temp_directory = '/tmp/elsewhere'",
    ] {
        refused(
            client.execute_update(sql.into(), None).await,
            Code::PermissionDenied,
            "the server",
        );
    }
}

#[tokio::test]
async fn what_is_no_flight_sql_is_refused_and_hurts_nobody() {
    let served = open().await;
    let mut client = served.client().await;
    let bytes: Vec<Vec<u8>> = vec![
        Vec::new(),
        b"\xff\xff\xff\xff".to_vec(),
        b"SELECT 1".to_vec(),
        vec![0x0a, 0xff],
        CommandStatementQuery::default().encode_to_vec(),
        arrow_flight::sql::CommandStatementSubstraitPlan::default()
            .as_any()
            .encode_to_vec(),
        arrow_flight::sql::ActionBeginTransactionRequest::default()
            .as_any()
            .encode_to_vec(),
    ];
    for bytes in bytes {
        let info = client
            .inner_mut()
            .get_flight_info(FlightDescriptor::new_cmd(bytes.clone()))
            .await;
        let code = info.err().unwrap().code();
        assert!(
            matches!(code, Code::InvalidArgument | Code::Unimplemented),
            "{bytes:?}: {code:?}"
        );
        let schema = client.inner_mut().get_schema(FlightDescriptor::new_cmd(bytes.clone())).await;
        assert!(schema.is_err(), "{bytes:?}");
        let rows = client.inner_mut().do_get(Ticket::new(bytes.clone())).await;
        let code = rows.err().unwrap().code();
        assert!(
            matches!(code, Code::InvalidArgument | Code::Unimplemented),
            "{bytes:?}: {code:?}"
        );
        for action in [
            "CreatePreparedStatement",
            "CancelQuery",
            "CancelFlightInfo",
            "SetSessionOptions",
            "NoSuchAction",
        ] {
            let body = if bytes.is_empty() { vec![0xff] } else { bytes.clone() };
            let answer = client.inner_mut().do_action(Action::new(action, body)).await;
            assert!(answer.is_err(), "{action}: {bytes:?}");
        }
    }
    assert!(client.inner_mut().do_put(futures::stream::empty()).await.is_err());
    let nameless = futures::stream::iter([arrow_flight::FlightData::default()]);
    assert!(client.inner_mut().do_put(nameless).await.is_err());
    assert!(
        client
            .inner_mut()
            .list_flights(arrow_flight::Criteria::default())
            .await
            .is_err()
    );
    assert_eq!(cell(&mut client, "SELECT 1").await, "1");
}

fn slow() -> DemoOptions {
    DemoOptions {
        requests: 20_000,
        latency: Duration::from_millis(20),
        ..DemoOptions::fixed()
    }
}

/// The number of requests stops growing.
async fn quiet(served: &Served) {
    let mut before = usize::MAX;
    for _ in 0..500 {
        let now = served.asked();
        if now == before {
            return;
        }
        before = now;
        tokio::time::sleep(Duration::from_millis(200)).await;
    }
    panic!("the requests never end");
}

#[tokio::test]
async fn a_client_that_goes_away_stops_its_requests() {
    let served = serve(slow(), Default::default()).await;
    let mut client = served.client().await;
    let all = "SELECT issue_key, summary FROM requests";
    let info = client.execute(all.into(), None).await.unwrap();
    let mut stream = client.do_get(ticket(&info)).await.unwrap();
    stream.next().await.unwrap().unwrap();
    drop(stream);
    quiet(&served).await;
    let asked = served.asked();
    assert!(asked < 150, "{asked} requests, where all are 200");

    // The whole connection is gone in the middle of a stream.
    let mut other = served.client().await;
    let info = other.execute(all.into(), None).await.unwrap();
    let mut stream = other.do_get(ticket(&info)).await.unwrap();
    stream.next().await.unwrap().unwrap();
    drop((stream, other));
    quiet(&served).await;
    assert!(served.asked() - asked < 150, "{} requests more", served.asked() - asked);
}

#[tokio::test]
async fn rows_wait_for_a_client_that_is_slow() {
    let served = serve(
        DemoOptions {
            requests: 20_000,
            ..DemoOptions::fixed()
        },
        Default::default(),
    )
    .await;
    let mut client = served.client().await;
    let info = client.execute("SELECT * FROM requests".into(), None).await.unwrap();
    let mut stream = client.do_get(ticket(&info)).await.unwrap();
    stream.next().await.unwrap().unwrap();
    quiet(&served).await;
    let asked = served.asked();
    assert!(
        asked < 150,
        "{asked} requests were sent for a client that reads nothing, of 200"
    );
    let mut rows = 0;
    while let Some(batch) = stream.next().await {
        rows += batch.unwrap().num_rows();
    }
    assert!(rows > 10_000, "{rows}");
}

#[tokio::test]
async fn a_statement_can_be_cancelled() {
    let served = serve(slow(), Default::default()).await;
    let mut client = served.client().await;
    let mut other = served.client().await;
    let info = client.execute("SELECT issue_key FROM requests".into(), None).await.unwrap();
    let mut stream = client.do_get(ticket(&info)).await.unwrap();
    stream.next().await.unwrap().unwrap();

    async fn cancel(client: &mut Client, info: &arrow_flight::FlightInfo) -> CancelStatus {
        let request = CancelFlightInfoRequest::new(info.clone());
        let action = Action::new("CancelFlightInfo", request.encode_to_vec());
        let answers: Vec<_> = client.do_action(action).await.unwrap().try_collect().await.unwrap();
        CancelFlightInfoResult::decode(&*answers[0].body)
            .unwrap()
            .status
            .try_into()
            .unwrap()
    }
    assert_eq!(
        cancel(&mut other, &info).await,
        CancelStatus::NotCancellable,
        "it is another's"
    );
    assert_eq!(cancel(&mut client, &info).await, CancelStatus::Cancelled);
    let end = loop {
        match stream.next().await {
            Some(Ok(_)) => {}
            Some(Err(error)) => break status(error),
            None => panic!("a cancelled statement seemed to be complete"),
        }
    };
    assert_eq!(end.code(), Code::Cancelled, "{end:?}");
    quiet(&served).await;
    assert!(served.asked() < 150);
    drop(stream);
    assert_eq!(cancel(&mut client, &info).await, CancelStatus::NotCancellable, "it has ended");

    // What was only planned never runs.
    let planned = client.execute("SELECT issue_key FROM requests".into(), None).await.unwrap();
    assert_eq!(cancel(&mut client, &planned).await, CancelStatus::Cancelled);
    refused(fetch(&mut client, &planned).await, Code::NotFound, "no statement");
    // The action of older clients.
    let planned = client.execute("SELECT issue_key FROM requests".into(), None).await.unwrap();
    let request = arrow_flight::sql::ActionCancelQueryRequest {
        info: planned.encode_to_vec().into(),
    };
    let action = Action::new("CancelQuery", request.as_any().encode_to_vec());
    let answers: Vec<_> = client.do_action(action).await.unwrap().try_collect().await.unwrap();
    let any = arrow_flight::sql::Any::decode(&*answers[0].body).unwrap();
    let result: arrow_flight::sql::ActionCancelQueryResult = any.unpack().unwrap().unwrap();
    assert_eq!(result.result, 1);
}

#[tokio::test]
async fn rows_beyond_the_cap_of_the_server_are_an_error_and_never_missing() {
    let served = serve_with(DemoOptions::fixed(), ServeOptions::default(), "MaxRows=5").await;
    let mut client = served.client().await;
    let info = client.execute("SELECT issue_key FROM requests".into(), None).await.unwrap();
    let mut stream = client.do_get(ticket(&info)).await.unwrap();
    let (mut rows, mut ended) = (0, None);
    while let Some(item) = stream.next().await {
        match item {
            Ok(batch) => rows += batch.num_rows(),
            Err(error) => ended = Some(error),
        }
    }
    assert_eq!(rows, 5);
    refused(
        Err::<(), _>(ended.unwrap()),
        Code::ResourceExhausted,
        "the rows end at MaxRows",
    );
    assert_eq!(served.asked(), 1, "{:?}", served.requests());
    // As many rows as there may be are all of them.
    let five = query(&mut client, "SELECT issue_key FROM requests LIMIT 5").await.unwrap();
    assert_eq!(texts(&five).len(), 5);
}
