//! Prepared statements, values for their parameters, and rows for tables.

use std::sync::Arc;

use arrow::array::{Array, ArrayRef, Int64Array, ListArray, RecordBatch, StringArray};
use arrow::datatypes::{DataType, Int64Type};
use arrow_flight::Action;
use arrow_flight::error::FlightError;
use arrow_flight::sql::{
    ActionClosePreparedStatementRequest, CommandStatementIngest, ProstMessageExt, TableDefinitionOptions, TableExistsOption,
    TableNotExistOption,
};
use futures::TryStreamExt;
use jsmql::flight::{Limits, ServeOptions};
use prost::Message;
use tonic::Code;

use super::support::*;

fn keys(keys: &[&str]) -> RecordBatch {
    let column: ArrayRef = Arc::new(StringArray::from(keys.to_vec()));
    RecordBatch::try_from_iter([("1", column)]).unwrap()
}

#[tokio::test]
async fn a_prepared_query_runs_with_the_values_that_are_bound() {
    let served = open().await;
    let mut client = served.client().await;
    let sql = "SELECT issue_key, issue_id FROM requests WHERE issue_key = $1";
    let mut prepared = client.prepare(sql.into(), None).await.unwrap();
    assert_eq!(prepared.dataset_schema().unwrap().fields().len(), 2);
    let parameters = prepared.parameter_schema().unwrap();
    assert_eq!(
        (parameters.field(0).name().as_str(), parameters.field(0).data_type()),
        ("1", &DataType::Utf8)
    );
    refused(
        match prepared.execute().await {
            Ok(info) => fetch(&mut client, &info).await,
            Err(error) => Err(error),
        },
        Code::InvalidArgument,
        "1 parameters",
    );
    assert_eq!(served.asked(), 0);

    for (bound, expected) in [
        (&["ITSM-9"][..], vec!["ITSM-9"]),
        (&["ITSM-12"], vec!["ITSM-12"]),
        // A run for each row, one after the other.
        (&["ITSM-12", "ITSM-9", "ITSM-12"], vec!["ITSM-12", "ITSM-9", "ITSM-12"]),
        (&[], vec![]),
    ] {
        prepared.set_parameters(keys(bound)).unwrap();
        let info = prepared.execute().await.unwrap();
        let before = served.asked();
        let rows = texts(&fetch(&mut client, &info).await.unwrap());
        let found: Vec<&str> = rows.iter().map(|row| row[0].as_str()).collect();
        assert_eq!(found, expected);
        assert_eq!(served.asked() - before, expected.len());
        refused(fetch(&mut client, &info).await, Code::NotFound, "no statement");
    }
    // What is bound later does not change what was asked for.
    prepared.set_parameters(keys(&["ITSM-9"])).unwrap();
    let first = prepared.execute().await.unwrap();
    prepared.set_parameters(keys(&["ITSM-12"])).unwrap();
    let second = prepared.execute().await.unwrap();
    assert_eq!(texts(&fetch(&mut client, &second).await.unwrap())[0][0], "ITSM-12");
    assert_eq!(texts(&fetch(&mut client, &first).await.unwrap())[0][0], "ITSM-9");

    let mut two = served.client().await;
    let request = ActionClosePreparedStatementRequest {
        prepared_statement_handle: "unknown".into(),
    };
    // Closing what is not there is no error; running it is.
    let close = Action::new("ClosePreparedStatement", request.as_any().encode_to_vec());
    let closed: Vec<_> = two.do_action(close).await.unwrap().try_collect().await.unwrap();
    assert!(closed.is_empty());
    let copy = prepared.clone();
    prepared.close().await.unwrap();
    let mut copy = copy;
    refused(copy.execute().await, Code::NotFound, "no prepared statement");
}

#[tokio::test]
async fn a_prepared_write_runs_once_for_each_row_of_values() {
    let served = writable().await;
    let mut client = served.client().await;
    let sql = "INSERT INTO request_comments (issue_key, body, public) VALUES (?, ?, true)";
    let mut prepared = client.prepare(sql.into(), None).await.unwrap();
    let bodies: ArrayRef = Arc::new(StringArray::from(vec!["one", "two", "three"]));
    let issues: ArrayRef = Arc::new(StringArray::from(vec!["ITSM-9"; 3]));
    prepared
        .set_parameters(RecordBatch::try_from_iter([("1", issues), ("2", bodies)]).unwrap())
        .unwrap();
    assert_eq!(prepared.execute_update().await.unwrap(), 3);
    assert_eq!(served.written(), 3);

    // The second cannot be; the first has taken effect, and that is said.
    let issues: ArrayRef = Arc::new(StringArray::from(vec!["ITSM-9", "ITSM-999999", "ITSM-9"]));
    let bodies: ArrayRef = Arc::new(StringArray::from(vec!["four", "five", "six"]));
    prepared
        .set_parameters(RecordBatch::try_from_iter([("1", issues), ("2", bodies)]).unwrap())
        .unwrap();
    let error = status(prepared.execute_update().await.unwrap_err());
    assert_eq!(error.code(), Code::NotFound, "{error:?}");
    assert!(error.message().contains("row 2 of the bound values"), "{error:?}");
    assert!(error.message().contains("the 1 before it took effect"), "{error:?}");
    let sql = "SELECT count(*) FROM request_comments WHERE issue_key = 'ITSM-9' AND body IN ('four', 'five', 'six')";
    assert_eq!(cell(&mut client, sql).await, "1");

    let one: ArrayRef = Arc::new(StringArray::from(vec!["ITSM-9"]));
    prepared
        .set_parameters(RecordBatch::try_from_iter([("1", one)]).unwrap())
        .unwrap();
    refused(prepared.execute_update().await, Code::InvalidArgument, "2 parameters");
}

#[tokio::test]
async fn handles_of_others_and_of_nobody_are_not_found() {
    let served = open().await;
    let (mut client, mut other) = (served.client().await, served.client().await);
    let prepared = client.prepare("SELECT 1".into(), None).await.unwrap();
    drop(prepared);
    let mut foreign = other.prepare("SELECT 2".into(), None).await.unwrap();
    // The same handle over another connection.
    let command = arrow_flight::sql::CommandPreparedStatementQuery {
        prepared_statement_handle: "guess".into(),
    };
    let descriptor = arrow_flight::FlightDescriptor::new_cmd(command.as_any().encode_to_vec());
    let guessed = client.inner_mut().get_flight_info(descriptor).await.unwrap_err();
    assert_eq!(guessed.code(), Code::NotFound);
    let info = foreign.execute().await.unwrap();
    refused(fetch(&mut client, &info).await, Code::NotFound, "no statement");
    assert_eq!(texts(&fetch(&mut other, &info).await.unwrap()), [["2"]]);
}

fn command(table: &str, schema: Option<&str>, how: (TableNotExistOption, TableExistsOption)) -> CommandStatementIngest {
    CommandStatementIngest {
        table_definition_options: Some(TableDefinitionOptions {
            if_not_exist: how.0 as i32,
            if_exists: how.1 as i32,
        }),
        table: table.into(),
        schema: schema.map(str::to_owned),
        ..CommandStatementIngest::default()
    }
}

fn numbers(numbers: std::ops::Range<i64>) -> RecordBatch {
    let column: ArrayRef = Arc::new(Int64Array::from_iter_values(numbers));
    RecordBatch::try_from_iter([("a", column)]).unwrap()
}

fn stream(batches: Vec<RecordBatch>) -> impl futures::Stream<Item = Result<RecordBatch, FlightError>> + Send + 'static {
    futures::stream::iter(batches.into_iter().map(Ok))
}

#[tokio::test]
async fn rows_that_do_not_fit_are_named() {
    let served = open().await;
    let mut client = served.client().await;
    let create = command("n", Some("temp"), (TableNotExistOption::Create, TableExistsOption::Append));
    let sent = client.execute_ingest(create.clone(), stream(vec![numbers(0..3)])).await;
    assert_eq!(sent.unwrap(), 3);
    let texts = |values: [&str; 2]| -> ArrayRef { Arc::new(StringArray::from(values.to_vec())) };
    let lists = || ListArray::from_iter_primitive::<Int64Type, _, _>([None, Some([Some(1), Some(2)])]);
    let cases: [(ArrayRef, &str); 3] = [
        (texts(["1", "abc"]), "row 2, column a: \"abc\" is no bigint"),
        (Arc::new(lists()), "row 2, column a: \"[1, 2]\" is no bigint"),
        (Arc::new(lists().slice(0, 1)), "column a: a value of List(Int64) is no bigint"),
    ];
    for (values, message) in cases {
        let rows = RecordBatch::try_from_iter_with_nullable([("a", values, true)]).unwrap();
        let sent = client.execute_ingest(create.clone(), stream(vec![rows])).await;
        refused(sent, Code::InvalidArgument, message);
    }
    let rows = RecordBatch::try_from_iter([("a", texts(["4", "5"]))]).unwrap();
    assert_eq!(client.execute_ingest(create, stream(vec![rows])).await.unwrap(), 2);
    assert_eq!(cell(&mut client, "SELECT sum(a) FROM temp.n").await, "12");
}

#[tokio::test]
async fn rows_go_into_tables_of_the_session() {
    use TableExistsOption as There;
    use TableNotExistOption as Missing;
    let served = open().await;
    let (mut client, mut other) = (served.client().await, served.client().await);
    let sum = "SELECT sum(a) FROM temp.n";
    let create = command("n", Some("temp"), (Missing::Create, There::Fail));
    let sent = client
        .execute_ingest(create.clone(), stream(vec![numbers(0..3), numbers(3..5)]))
        .await;
    assert_eq!(sent.unwrap(), 5);
    assert_eq!(cell(&mut client, sum).await, "10");
    refused(
        client.execute_ingest(create, stream(vec![numbers(0..1)])).await,
        Code::AlreadyExists,
        "exists already",
    );
    let append = command("n", Some("temp"), (Missing::Fail, There::Append));
    assert_eq!(
        client
            .execute_ingest(append.clone(), stream(vec![numbers(5..6)]))
            .await
            .unwrap(),
        1
    );
    assert_eq!(cell(&mut client, sum).await, "15");
    let replace = command("n", None, (Missing::Create, There::Replace));
    assert_eq!(client.execute_ingest(replace, stream(vec![numbers(7..8)])).await.unwrap(), 1);
    assert_eq!(cell(&mut client, sum).await, "7");

    // Another client has tables of its own.
    refused(query(&mut other, sum).await, Code::InvalidArgument, "temp.n");
    refused(
        other.execute_ingest(append, stream(vec![numbers(0..1)])).await,
        Code::NotFound,
        "no temp.n",
    );
    let temporary = CommandStatementIngest {
        temporary: true,
        ..command("n", None, (Missing::Create, There::Append))
    };
    assert_eq!(other.execute_ingest(temporary, stream(vec![numbers(0..2)])).await.unwrap(), 2);
    assert_eq!(cell(&mut other, sum).await, "1");
    assert_eq!(served.asked(), 0);

    for (command, code) in [
        (
            command("n", Some("temp"), (Missing::Unspecified, There::Append)),
            Code::InvalidArgument,
        ),
        (
            command("n", Some("temp"), (Missing::Fail, There::Fail)),
            Code::InvalidArgument,
        ),
        (
            command("n", Some("elsewhere"), (Missing::Create, There::Append)),
            Code::NotFound,
        ),
        (
            CommandStatementIngest {
                transaction_id: Some("x".into()),
                ..command("n", None, (Missing::Create, There::Append))
            },
            Code::Unimplemented,
        ),
        // The server's own account only reads.
        (
            command("request_comments", None, (Missing::Fail, There::Append)),
            Code::InvalidArgument,
        ),
    ] {
        let error = client
            .execute_ingest(command.clone(), stream(vec![numbers(0..1)]))
            .await
            .unwrap_err();
        assert_eq!(status(error).code(), code, "{command:?}");
    }
}

#[tokio::test]
async fn rows_go_into_tables_of_the_site() {
    let served = writable().await;
    let mut client = served.client().await;
    let issues: ArrayRef = Arc::new(StringArray::from(vec!["ITSM-9", "ITSM-12"]));
    let bodies: ArrayRef = Arc::new(StringArray::from(vec!["sent", "sent"]));
    let rows = RecordBatch::try_from_iter([("issue_key", issues), ("body", bodies)]).unwrap();
    let append = command(
        "request_comments",
        None,
        (TableNotExistOption::Fail, TableExistsOption::Append),
    );
    assert_eq!(client.execute_ingest(append, stream(vec![rows])).await.unwrap(), 2);
    assert_eq!(served.written(), 2);
}

#[tokio::test]
async fn a_client_sends_no_more_than_fits() {
    let limits = Limits {
        memory: 1 << 20,
        ..Limits::default()
    };
    let options = ServeOptions {
        limits,
        ..ServeOptions::default()
    };
    let served = serve(Default::default(), options).await;
    let mut client = served.client().await;
    let create = command("n", Some("temp"), (TableNotExistOption::Create, TableExistsOption::Fail));
    let batches: Vec<RecordBatch> = (0..20).map(|_| numbers(0..10_000)).collect();
    refused(
        client.execute_ingest(create.clone(), stream(batches.clone())).await,
        Code::ResourceExhausted,
        "more than 1 MiB",
    );
    assert_eq!(
        client.execute_ingest(create, stream(batches[..2].to_vec())).await.unwrap(),
        20_000
    );
    let mut prepared = client.prepare("SELECT $1".into(), None).await.unwrap();
    let texts: ArrayRef = Arc::new(StringArray::from(vec!["x".repeat(2 << 20)]));
    assert_eq!(texts.len(), 1);
    prepared
        .set_parameters(RecordBatch::try_from_iter([("1", texts)]).unwrap())
        .unwrap();
    refused(prepared.execute().await, Code::ResourceExhausted, "more than 1 MiB");
}
