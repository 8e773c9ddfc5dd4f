//! What there is: catalogs, schemas, tables, keys, types and facts.

use arrow::array::{Array, AsArray};
use arrow::datatypes::{Int32Type, UInt32Type};
use arrow_flight::sql::{
    CommandGetCrossReference, CommandGetDbSchemas, CommandGetExportedKeys, CommandGetImportedKeys, CommandGetPrimaryKeys,
    CommandGetTables, CommandGetXdbcTypeInfo, SqlInfo,
};
use arrow_flight::{FlightInfo, IpcMessage};

use super::support::*;

/// The answer, which has the columns that were promised.
async fn answer(client: &mut Client, info: FlightInfo) -> Vec<Vec<String>> {
    let batches = fetch(client, &info).await.unwrap();
    let promised = info.try_decode_schema().unwrap();
    assert!(batches.iter().all(|batch| *batch.schema() == promised), "{promised:?}");
    texts(&batches)
}

#[tokio::test]
async fn catalogs_schemas_and_tables_are_listed() {
    let served = open().await;
    let mut client = served.client().await;
    let info = client.get_catalogs().await.unwrap();
    assert_eq!(answer(&mut client, info).await, [["jsm"]]);

    let schemas = |catalog: Option<&str>, pattern: Option<&str>| CommandGetDbSchemas {
        catalog: catalog.map(str::to_owned),
        db_schema_filter_pattern: pattern.map(str::to_owned),
    };
    for (command, expected) in [
        (schemas(None, None), &["public", "sys", "temp"][..]),
        (schemas(Some("jsm"), Some("p%")), &["public"]),
        (schemas(Some("other"), None), &[]),
        (schemas(Some(""), None), &[]),
    ] {
        let info = client.get_db_schemas(command).await.unwrap();
        let found: Vec<String> = answer(&mut client, info)
            .await
            .into_iter()
            .map(|row| row[1].clone())
            .collect();
        assert_eq!(found, expected);
    }

    let info = client.get_table_types().await.unwrap();
    let types = answer(&mut client, info).await.concat();
    assert_eq!(types, ["LOCAL TEMPORARY", "SYSTEM TABLE", "TABLE", "VIEW"]);

    client
        .execute_update("CREATE TABLE temp.t AS SELECT 1 AS a".into(), None)
        .await
        .unwrap();
    client
        .execute_update("CREATE VIEW temp.v AS SELECT 1 AS a".into(), None)
        .await
        .unwrap();
    let tables = |schema: Option<&str>, name: Option<&str>, types: &[&str]| CommandGetTables {
        catalog: None,
        db_schema_filter_pattern: schema.map(str::to_owned),
        table_name_filter_pattern: name.map(str::to_owned),
        table_types: types.iter().map(|kind| (*kind).to_owned()).collect(),
        include_schema: false,
    };
    let info = client.get_tables(tables(None, None, &[])).await.unwrap();
    let all = answer(&mut client, info).await;
    assert!(all.len() > 50, "{}", all.len());
    for (command, expected) in [
        (tables(Some("temp"), None, &[]), vec!["t LOCAL TEMPORARY", "v VIEW"]),
        (tables(None, Some("service\\_desks"), &[]), vec!["service_desks TABLE"]),
        (
            tables(None, Some("request_comments"), &["TABLE"]),
            vec!["request_comments TABLE"],
        ),
        (
            tables(Some("sys"), Some("key%"), &["SYSTEM TABLE"]),
            vec!["keys SYSTEM TABLE"],
        ),
        (tables(None, Some("request_com%"), &["VIEW"]), vec![]),
        // The word of `information_schema`, which Grafana asks with.
        (
            tables(None, Some("request_comments"), &["BASE TABLE"]),
            vec!["request_comments TABLE"],
        ),
    ] {
        let info = client.get_tables(command).await.unwrap();
        let found: Vec<String> = answer(&mut client, info)
            .await
            .into_iter()
            .map(|row| format!("{} {}", row[2], row[3]))
            .collect();
        assert_eq!(found, expected);
    }
    assert_eq!(served.asked(), 0, "a list of names is no question to the site");
}

#[tokio::test]
async fn tables_come_with_the_columns_that_a_star_shows() {
    let served = open().await;
    let mut client = served.client().await;
    let command = CommandGetTables {
        table_name_filter_pattern: Some("requests".into()),
        db_schema_filter_pattern: Some("public".into()),
        include_schema: true,
        ..CommandGetTables::default()
    };
    let info = client.get_tables(command).await.unwrap();
    let batches = fetch(&mut client, &info).await.unwrap();
    assert_eq!(batches[0].num_rows(), 1);
    let bytes = batches[0].column(4).as_binary::<i32>().value(0).to_vec();
    let schema = arrow::datatypes::Schema::try_from(IpcMessage(bytes.into())).unwrap();
    let star = client.execute("SELECT * FROM requests".into(), None).await.unwrap();
    let plain = |schema: &arrow::datatypes::Schema| -> Vec<_> {
        let fields = schema.fields().iter();
        fields
            .map(|field| (field.name().clone(), field.data_type().clone(), field.is_nullable()))
            .collect()
    };
    assert_eq!(plain(&schema), plain(&star.try_decode_schema().unwrap()));
    let fact = |column: &str, name: &str| {
        let field = schema.field_with_name(column).unwrap();
        field
            .metadata()
            .get(&format!("ARROW:FLIGHT:SQL:{name}"))
            .cloned()
            .unwrap_or_default()
    };
    for (column, name, value) in [
        ("summary", "TYPE_NAME", "text"),
        ("summary", "CATALOG_NAME", "jsm"),
        ("summary", "DB_SCHEMA_NAME", "public"),
        ("summary", "TABLE_NAME", "requests"),
        ("summary", "IS_SEARCHABLE", "1"),
        // The server does not let its clients write.
        ("summary", "IS_READ_ONLY", "1"),
        ("created", "TYPE_NAME", "timestamp"),
    ] {
        assert_eq!(fact(column, name), value, "{column} {name}");
    }
    let remarks = cell(
        &mut client,
        "SELECT description FROM sys.columns WHERE table_name = 'requests' AND column_name = 'summary'",
    )
    .await;
    assert_eq!(fact("summary", "REMARKS"), remarks);
    assert!(schema.field_with_name("summary").is_ok());
    let everything = CommandGetTables {
        include_schema: true,
        ..CommandGetTables::default()
    };
    let info = client.get_tables(everything).await.unwrap();
    let rows: usize = fetch(&mut client, &info)
        .await
        .unwrap()
        .iter()
        .map(|batch| batch.num_rows())
        .sum();
    assert!(rows > 50, "{rows}");
}

#[tokio::test]
async fn keys_lead_from_table_to_table() {
    let served = open().await;
    let mut client = served.client().await;
    let primary = |table: &str, schema: Option<&str>| CommandGetPrimaryKeys {
        catalog: None,
        db_schema: schema.map(str::to_owned),
        table: table.to_owned(),
    };
    let info = client.get_primary_keys(primary("request_comments", None)).await.unwrap();
    let rows = answer(&mut client, info).await;
    let columns: Vec<[&str; 3]> = rows
        .iter()
        .map(|row| [row[2].as_str(), row[3].as_str(), row[4].as_str()])
        .collect();
    assert_eq!(
        columns,
        [["request_comments", "issue_key", "1"], ["request_comments", "id", "2"]]
    );
    let info = client
        .get_primary_keys(primary("request_comments", Some("temp")))
        .await
        .unwrap();
    assert!(answer(&mut client, info).await.is_empty());

    let imported = CommandGetImportedKeys {
        table: "request_comments".into(),
        ..CommandGetImportedKeys::default()
    };
    let info = client.get_imported_keys(imported).await.unwrap();
    let rows = answer(&mut client, info).await;
    let to_requests = rows
        .iter()
        .find(|row| row[2] == "requests")
        .unwrap_or_else(|| panic!("comments belong to no request: {rows:?}"))
        .clone();
    assert_eq!(
        to_requests[3..],
        [
            "issue_key",
            "jsm",
            "public",
            "request_comments",
            "issue_key",
            "1",
            "request_comments_issue_key_fkey",
            "requests_pkey",
            "3",
            "3"
        ]
    );

    let exported = CommandGetExportedKeys {
        table: "requests".into(),
        ..CommandGetExportedKeys::default()
    };
    let info = client.get_exported_keys(exported).await.unwrap();
    let rows = answer(&mut client, info).await;
    assert!(rows.len() > 3 && rows.iter().all(|row| row[2] == "requests"), "{rows:?}");
    assert!(rows.contains(&to_requests));

    let cross = CommandGetCrossReference {
        pk_table: "requests".into(),
        fk_table: "request_comments".into(),
        ..CommandGetCrossReference::default()
    };
    let info = client.get_cross_reference(cross.clone()).await.unwrap();
    assert_eq!(answer(&mut client, info).await, [to_requests]);
    let nowhere = CommandGetCrossReference {
        fk_catalog: Some("other".into()),
        ..cross
    };
    let info = client.get_cross_reference(nowhere).await.unwrap();
    assert!(answer(&mut client, info).await.is_empty());
    assert_eq!(served.asked(), 0);
}

#[tokio::test]
async fn facts_and_types_are_told() {
    let served = open().await;
    let mut client = served.client().await;
    let info = client
        .get_sql_info(vec![SqlInfo::FlightSqlServerName, SqlInfo::FlightSqlServerReadOnly])
        .await
        .unwrap();
    let batches = fetch(&mut client, &info).await.unwrap();
    assert_eq!(batches[0].column(0).as_primitive::<UInt32Type>().values(), &[0, 3]);
    let values = batches[0].column(1).as_union();
    assert_eq!(values.value(0).as_string::<i32>().value(0), "jsmql");
    assert!(values.value(1).as_boolean().value(0), "it reads only");
    let info = client.get_sql_info(Vec::new()).await.unwrap();
    assert!(fetch(&mut client, &info).await.unwrap()[0].num_rows() > 80);

    let info = client
        .get_xdbc_type_info(CommandGetXdbcTypeInfo { data_type: None })
        .await
        .unwrap();
    let batches = fetch(&mut client, &info).await.unwrap();
    let names = batches[0].column(0).as_string::<i32>();
    assert!(names.iter().flatten().any(|name| name == "varchar"));
    // Every name is one that SQL knows.
    for row in 0..names.len() {
        let sql = format!("SELECT CAST(NULL AS {})", names.value(row));
        client
            .execute(sql.clone(), None)
            .await
            .unwrap_or_else(|error| panic!("{sql}: {error}"));
    }
    let numbers = batches[0].column(1).as_primitive::<Int32Type>();
    assert!(numbers.values().is_sorted(), "in the order of the numbers");
}
