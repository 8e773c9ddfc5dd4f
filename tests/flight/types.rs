//! One schema for a statement, whoever tells it: FlightInfo, GetSchema, prepared statements, streams and the list of tables.

use arrow::array::AsArray;
use arrow::datatypes::{DataType, Schema};
use arrow_flight::sql::{CommandGetTables, CommandStatementQuery, ProstMessageExt};
use arrow_flight::{FlightDescriptor, IpcMessage};
use futures::TryStreamExt;
use prost::Message;

use super::support::*;

/// Every type of Arrow, as `arrow_cast` names it. A unit test beside the formats notices when arrow adds one.
const TYPES: [&str; 54] = [
    "Null",
    "Boolean",
    "Int8",
    "Int16",
    "Int32",
    "Int64",
    "UInt8",
    "UInt16",
    "UInt32",
    "UInt64",
    "Float16",
    "Float32",
    "Float64",
    "Decimal32(9, 2)",
    "Decimal64(18, 2)",
    "Decimal128(38, 2)",
    "Decimal256(76, 2)",
    "Decimal128(5, -2)",
    "Date32",
    "Date64",
    "Time32(s)",
    "Time32(ms)",
    "Time64(us)",
    "Time64(ns)",
    "Timestamp(s)",
    "Timestamp(ms)",
    "Timestamp(us)",
    "Timestamp(ns)",
    "Timestamp(s, \"Europe/Berlin\")",
    "Timestamp(ms, \"UTC\")",
    "Timestamp(ns, \"+05:30\")",
    "Duration(s)",
    "Duration(ms)",
    "Duration(us)",
    "Duration(ns)",
    "Interval(YearMonth)",
    "Interval(DayTime)",
    "Interval(MonthDayNano)",
    "Utf8",
    "LargeUtf8",
    "Utf8View",
    "Binary",
    "LargeBinary",
    "BinaryView",
    "FixedSizeBinary(2)",
    "Dictionary(Int8, Utf8)",
    "RunEndEncoded(\"run_ends\": non-null Int32, \"values\": Utf8)",
    "List(Utf8View)",
    "LargeList(LargeUtf8)",
    "ListView(Dictionary(Int32, Utf8))",
    "LargeListView(Int64)",
    "FixedSizeList(2 x Utf8View)",
    "Struct(\"a\": Utf8View, \"b\": List(LargeUtf8))",
    "Map(\"entries\": non-null Struct(\"keys\": non-null Utf8View, \"values\": Dictionary(Int8, Utf8)), unsorted)",
];

/// What JDBC, Go or Python do not read, or read as something else.
fn is_strange(kind: &DataType) -> bool {
    match kind {
        DataType::Utf8View
        | DataType::BinaryView
        | DataType::LargeUtf8
        | DataType::LargeBinary
        | DataType::Float16
        | DataType::Date64 => true,
        DataType::Dictionary(..) | DataType::RunEndEncoded(..) => true,
        DataType::LargeList(_) | DataType::ListView(_) | DataType::LargeListView(_) => true,
        DataType::List(item) | DataType::FixedSizeList(item, _) | DataType::Map(item, _) => is_strange(item.data_type()),
        DataType::Struct(fields) => fields.iter().any(|field| is_strange(field.data_type())),
        _ => false,
    }
}

#[tokio::test]
async fn every_type_has_one_schema_wherever_it_is_told() {
    let served = open().await;
    let mut client = served.client().await;
    let columns = TYPES
        .iter()
        .enumerate()
        .map(|(i, kind)| format!("arrow_cast(NULL, '{kind}') AS c{i}"));
    let all = format!("SELECT {} UNION ALL SELECT {0}", columns.collect::<Vec<_>>().join(", "));
    let made = client.execute_update(format!("CREATE TABLE temp.every AS {all}"), None).await;
    made.unwrap();
    for sql in [
        all.as_str(),
        "SELECT * FROM temp.every",
        "SELECT issue_id::TEXT, array_agg(issue_id::TEXT) FROM issues GROUP BY 1",
    ] {
        let info = client.execute(sql.to_owned(), None).await.unwrap();
        let promised = info.clone().try_decode_schema().unwrap();
        let strange: Vec<_> = promised
            .fields()
            .iter()
            .filter(|field| is_strange(field.data_type()))
            .collect();
        assert!(strange.is_empty(), "{strange:#?}");

        let command = CommandStatementQuery {
            query: sql.to_owned(),
            transaction_id: None,
        };
        let descriptor = FlightDescriptor::new_cmd(command.as_any().encode_to_vec());
        let told = client.inner_mut().get_schema(descriptor).await.unwrap().into_inner();
        assert_eq!(Schema::try_from(&told).unwrap(), promised, "GetSchema of {sql}");

        let mut prepared = client.prepare(sql.to_owned(), None).await.unwrap();
        assert_eq!(prepared.dataset_schema().unwrap(), &promised, "prepared {sql}");
        let again = prepared.execute().await.unwrap();
        assert_eq!(
            again.clone().try_decode_schema().unwrap(),
            promised,
            "FlightInfo of prepared {sql}"
        );

        for info in [info, again] {
            let mut stream = client.do_get(ticket(&info)).await.unwrap();
            let first = stream.try_next().await.unwrap().unwrap();
            assert_eq!(first.schema().as_ref(), &promised, "stream of {sql}");
            assert_eq!(stream.schema().unwrap().as_ref(), &promised, "stream of {sql}");
        }
    }
    let command = CommandGetTables {
        table_name_filter_pattern: Some("every".into()),
        include_schema: true,
        ..CommandGetTables::default()
    };
    let info = client.get_tables(command).await.unwrap();
    let tables = fetch(&mut client, &info).await.unwrap();
    let bytes = tables[0].column(4).as_binary::<i32>().value(0).to_vec();
    let listed = Schema::try_from(IpcMessage(bytes.into())).unwrap();
    let star = client
        .execute("SELECT * FROM temp.every".to_owned(), None)
        .await
        .unwrap()
        .try_decode_schema()
        .unwrap();
    let types = |schema: &Schema| -> Vec<DataType> { schema.fields().iter().map(|field| field.data_type().clone()).collect() };
    assert_eq!(types(&listed), types(&star));
}
