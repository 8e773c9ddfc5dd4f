//! The options of a session, and its end.

use std::collections::HashMap;
use std::time::Duration;

use arrow_flight::Action;
use futures::TryStreamExt;
use jsmql::demo::DemoOptions;
use jsmql::flight::Limits;
use prost::Message;
use tonic::Code;

use super::support::*;

/// The messages as the protocol has them, written once more: what the server reads is what others write.
#[derive(Clone, PartialEq, prost::Message)]
struct Options {
    #[prost(map = "string, message", tag = "1")]
    options: HashMap<String, OptionValue>,
}

#[derive(Clone, PartialEq, prost::Message)]
struct OptionValue {
    #[prost(oneof = "Value", tags = "1, 2, 3")]
    value: Option<Value>,
}

#[derive(Clone, PartialEq, prost::Oneof)]
enum Value {
    #[prost(string, tag = "1")]
    Text(String),
    #[prost(bool, tag = "2")]
    Flag(bool),
    #[prost(sfixed64, tag = "3")]
    Integer(i64),
}

#[derive(Clone, PartialEq, prost::Message)]
struct Errors {
    #[prost(map = "string, message", tag = "1")]
    errors: HashMap<String, Wrong>,
}

#[derive(Clone, PartialEq, prost::Message)]
struct Wrong {
    #[prost(int32, tag = "1")]
    reason: i32,
}

async fn act(client: &mut Client, name: &str, body: Vec<u8>) -> Vec<u8> {
    let answers: Vec<_> = client
        .do_action(Action::new(name, body))
        .await
        .unwrap()
        .try_collect()
        .await
        .unwrap();
    answers[0].body.to_vec()
}

async fn options(client: &mut Client) -> HashMap<String, Value> {
    let body = act(client, "GetSessionOptions", Vec::new()).await;
    let options = Options::decode(&*body).unwrap().options;
    options
        .into_iter()
        .map(|(name, option)| (name, option.value.unwrap()))
        .collect()
}

/// Sets options; the reasons why some could not be.
async fn set(client: &mut Client, options: &[(&str, Option<Value>)]) -> Vec<(String, i32)> {
    let options = options
        .iter()
        .map(|(name, value)| ((*name).to_owned(), OptionValue { value: value.clone() }));
    let request = Options {
        options: options.collect(),
    };
    let body = act(client, "SetSessionOptions", request.encode_to_vec()).await;
    let errors = Errors::decode(&*body).unwrap().errors;
    let mut errors: Vec<(String, i32)> = errors.into_iter().map(|(name, wrong)| (name, wrong.reason)).collect();
    errors.sort();
    errors
}

#[tokio::test]
async fn options_are_read_and_set() {
    let limits = Limits {
        time: Some(Duration::from_secs(100)),
        ..Limits::default()
    };
    let served = with_limits(DemoOptions::fixed(), limits).await;
    let mut client = served.client().await;
    let expected = [
        ("catalog", Value::Text("jsm".into())),
        ("schema", Value::Text("public".into())),
        ("read_only", Value::Flag(true)),
        ("statement_timeout", Value::Integer(100)),
    ];
    assert_eq!(
        options(&mut client).await,
        expected.map(|(name, value)| (name.to_owned(), value)).into()
    );

    let good = [
        ("catalog", Some(Value::Text("jsm".into()))),
        ("schema", None),
        ("statement_timeout", Some(Value::Integer(7))),
    ];
    assert_eq!(set(&mut client, &good).await, []);
    assert_eq!(options(&mut client).await["statement_timeout"], Value::Integer(7));
    let bad = [
        ("catalog", Some(Value::Text("other".into()))),
        ("schema", Some(Value::Flag(true))),
        ("statement_timeout", Some(Value::Integer(101))),
        ("read_only", Some(Value::Flag(false))),
        ("nonsense", Some(Value::Flag(true))),
    ];
    let wrong = set(&mut client, &bad).await;
    let expected = [
        ("catalog", 2),
        ("nonsense", 1),
        ("read_only", 3),
        ("schema", 2),
        ("statement_timeout", 2),
    ];
    assert_eq!(wrong, expected.map(|(name, reason)| (name.to_owned(), reason)));
    assert_eq!(
        set(&mut client, &[("statement_timeout", Some(Value::Integer(0)))])
            .await
            .len(),
        1,
        "no end is beyond the limit"
    );
    assert_eq!(set(&mut client, &[("statement_timeout", None)]).await, []);
    assert_eq!(options(&mut client).await["statement_timeout"], Value::Integer(100));
    // Another session has its own.
    let mut other = served.client().await;
    set(&mut client, &[("statement_timeout", Some(Value::Integer(9)))]).await;
    assert_eq!(options(&mut other).await["statement_timeout"], Value::Integer(100));
}

#[tokio::test]
async fn a_closed_session_has_nothing_left() {
    let served = open().await;
    let mut client = served.client().await;
    client
        .execute_update("CREATE TABLE temp.t AS SELECT 1 AS a".into(), None)
        .await
        .unwrap();
    let info = client.execute("SELECT a FROM temp.t".into(), None).await.unwrap();
    assert_eq!(act(&mut client, "CloseSession", Vec::new()).await, [8, 1], "status CLOSED");
    refused(fetch(&mut client, &info).await, Code::NotFound, "no statement");
    refused(
        query(&mut client, "SELECT a FROM temp.t").await,
        Code::InvalidArgument,
        "temp.t",
    );
}
