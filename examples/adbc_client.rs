//! The ADBC driver as a program in Rust loads it, on the demo site, with an answer checked at every step:
//! `cargo rustc --lib --crate-type cdylib --features adbc`, then `cargo run --features adbc --example adbc_client -- target/debug/libjsmql.so`

use std::collections::HashSet;
use std::error::Error;
use std::sync::Arc;

use adbc_core::error::Status;
use adbc_core::options::{AdbcVersion, InfoCode, IngestMode, ObjectDepth, OptionDatabase, OptionStatement};
use adbc_core::{Connection, Database, Driver, Optionable, Statement};
use adbc_driver_manager::{ManagedConnection, ManagedDriver};
use arrow::array::{Array, AsArray, Int64Array, RecordBatch, RecordBatchReader, StringArray};
use arrow::compute::concat_batches;
use arrow::datatypes::{DataType, Int64Type};
use arrow::error::ArrowError;
use arrow::util::display::{ArrayFormatter, FormatOptions};
use jsmql::demo::{DemoOptions, DemoSite, TOKEN, USER};

type Checked<T = ()> = Result<T, Box<dyn Error>>;
type Reader = Box<dyn RecordBatchReader + Send>;

#[tokio::main]
async fn main() -> Checked {
    let library = std::env::args().nth(1).ok_or("which library? target/debug/libjsmql.so")?;
    let site = DemoSite::start(DemoOptions::default()).await?;
    let url = site.url().to_string();
    // Calls of ADBC wait for their answers, which the demo site gives on the other threads.
    tokio::task::spawn_blocking(move || all(&library, &url).map_err(|error| error.to_string())).await??;
    println!("every answer is as expected");
    Ok(())
}

fn all(library: &str, url: &str) -> Checked {
    let mut driver = ManagedDriver::load_dynamic_from_filename(library, Some(b"AdbcDriverInit"), AdbcVersion::V110)?;
    let database = driver.new_database_with_opts([
        (OptionDatabase::Other("URL".into()), url.into()),
        (OptionDatabase::Username, USER.into()),
        (OptionDatabase::Password, TOKEN.into()),
    ])?;
    let mut connection = database.new_connection()?;
    queries(&mut connection)?;
    prepared(&mut connection)?;
    writes(&mut connection)?;
    ingestion(&mut connection)?;
    metadata(&connection)?;
    errors(&mut connection)?;
    cancelling(&mut connection)
}

fn queries(connection: &mut ManagedConnection) -> Checked {
    let sql = "SELECT issue_key, service_desk_id FROM requests WHERE issue_key = 'HR-1'";
    let before = sent(connection)?;
    same(rows(connection, sql)?, [["HR-1", "2"]])?;
    same(sent(connection)? - before, 1)?;
    same(rows(connection, "SELECT count(*) FROM requests")?, [["300"]])?;
    let mut statement = connection.new_statement()?;
    statement.set_sql_query(sql)?;
    let schema = statement.execute_schema()?;
    same(
        schema.fields().iter().map(|field| field.name().as_str()).collect::<Vec<_>>(),
        ["issue_key", "service_desk_id"],
    )
}

/// One execution for each row of what is bound.
fn prepared(connection: &mut ManagedConnection) -> Checked {
    let mut statement = connection.new_statement()?;
    statement.set_sql_query("SELECT issue_key, service_desk_id FROM requests WHERE issue_key = ?")?;
    statement.prepare()?;
    let parameters = statement.get_parameter_schema()?;
    same(parameters.fields().len(), 1)?;
    for keys in [vec!["HR-1", "ITSM-1", "NO-1"], vec!["ITSM-2"]] {
        let keys = RecordBatch::try_from_iter([("key", Arc::new(StringArray::from(keys)) as _)])?;
        let before = sent(connection)?;
        statement.bind(keys.clone())?;
        let found = cells(statement.execute()?)?;
        same(sent(connection)? - before, keys.num_rows() as i64)?;
        match keys.num_rows() {
            3 => same(found, [["HR-1", "2"], ["ITSM-1", "1"]])?,
            _ => same(found, [["ITSM-2", "1"]])?,
        }
    }
    Ok(())
}

fn writes(connection: &mut ManagedConnection) -> Checked {
    let mut statement = connection.new_statement()?;
    statement.set_sql_query("CREATE TABLE temp.desks AS SELECT id, project_key FROM service_desks")?;
    statement.execute_update()?;
    statement.set_sql_query("INSERT INTO temp.desks VALUES ('x', 'X'), ('y', 'Y')")?;
    same(statement.execute_update()?, Some(2))?;
    same(
        rows(
            connection,
            "SELECT id FROM temp.desks WHERE project_key IN ('X', 'Y') ORDER BY id",
        )?,
        [["x"], ["y"]],
    )?;
    statement.set_sql_query("INSERT INTO organizations (name) VALUES ('Rust One'), ('Rust Two')")?;
    same(statement.execute_update()?, Some(2))?;
    same(
        rows(
            connection,
            "SELECT name FROM organizations WHERE name LIKE 'Rust %' ORDER BY name",
        )?,
        [["Rust One"], ["Rust Two"]],
    )?;
    statement.set_sql_query("DELETE FROM organizations WHERE name LIKE 'Rust %'")?;
    same(statement.execute_update()?, Some(2))
}

fn ingestion(connection: &mut ManagedConnection) -> Checked {
    let data = RecordBatch::try_from_iter([
        ("number", Arc::new(Int64Array::from(vec![Some(1), None, Some(3)])) as _),
        ("word", Arc::new(StringArray::from(vec!["one", "two", "three"])) as _),
    ])?;
    for (mode, total) in [(IngestMode::Create, 3), (IngestMode::Append, 6), (IngestMode::Replace, 3)] {
        let mut statement = connection.new_statement()?;
        statement.set_option(OptionStatement::TargetTable, "staged".into())?;
        statement.set_option(OptionStatement::IngestMode, mode.into())?;
        statement.bind(data.clone())?;
        same(statement.execute_update()?, Some(3))?;
        same(
            rows(connection, "SELECT count(*), sum(number) FROM temp.staged")?,
            [[total.to_string(), (total / 3 * 4).to_string()]],
        )?;
    }
    let mut statement = connection.new_statement()?;
    statement.set_option(OptionStatement::TargetTable, "staged".into())?;
    statement.bind(data)?;
    refused(statement.execute_update(), Status::AlreadyExists, "staged")
}

fn metadata(connection: &ManagedConnection) -> Checked {
    let info = whole(connection.get_info(Some(HashSet::from([InfoCode::VendorName, InfoCode::DriverName])))?)?;
    same(info.num_rows(), 2)?;
    let types = cells(connection.get_table_types()?)?;
    if !types.contains(&vec!["TABLE".to_owned()]) {
        return Err(format!("no tables among the types of tables: {types:?}").into());
    }
    let schema = connection.get_table_schema(None, Some("public"), "requests")?;
    same(schema.field_with_name("issue_key")?.data_type(), &DataType::Utf8)?;
    let schema = connection.get_table_schema(None, Some("temp"), "staged")?;
    same(schema.field_with_name("number")?.data_type(), &DataType::Int64)?;
    refused(
        connection.get_table_schema(None, None, "no_such_table"),
        Status::NotFound,
        "no_such_table",
    )?;

    let objects = connection.get_objects(ObjectDepth::All, None, Some("public"), Some("request_comments"), None, None)?;
    let objects = whole(objects)?;
    same(
        objects
            .column_by_name("catalog_name")
            .map(|names| names.as_string::<i32>().value(0)),
        Some("jsm"),
    )?;
    let schemas = first(&objects, "catalog_db_schemas")?;
    same(
        schemas
            .column_by_name("db_schema_name")
            .map(|names| names.as_string::<i32>().value(0)),
        Some("public"),
    )?;
    let tables = first(&schemas, "db_schema_tables")?;
    same(
        tables
            .column_by_name("table_name")
            .map(|names| names.as_string::<i32>().value(0)),
        Some("request_comments"),
    )?;
    let columns = first(&tables, "table_columns")?;
    let names = columns
        .column_by_name("column_name")
        .ok_or("no names of columns")?
        .as_string::<i32>();
    if !names.iter().flatten().any(|name| name == "body") {
        return Err(format!("no column body: {names:?}").into());
    }
    match first(&tables, "table_constraints")?.num_rows() {
        0 => Err("no keys".into()),
        _ => Ok(()),
    }
}

fn errors(connection: &mut ManagedConnection) -> Checked {
    let mut statement = connection.new_statement()?;
    statement.set_sql_query("SELECT no_such_column FROM requests")?;
    let failed = statement.execute().map(|_| ());
    if let Err(error) = &failed {
        same(error.sqlstate.map(|byte| byte as u8), *b"42000")?;
    }
    refused(failed, Status::InvalidArguments, "no_such_column")?;
    refused(connection.commit(), Status::InvalidState, "transaction")
}

fn cancelling(connection: &mut ManagedConnection) -> Checked {
    let mut statement = connection.new_statement()?;
    statement.set_sql_query("SELECT issue_key FROM requests")?;
    let mut reader = statement.execute()?;
    statement.cancel()?;
    match reader.find_map(Result::err) {
        Some(error) if error.to_string().contains("cancelled") => {}
        other => return Err(format!("not cancelled: {other:?}").into()),
    }
    // The statement itself can be run again.
    same(cells(statement.execute()?)?.len(), 300)
}

fn rows(connection: &mut ManagedConnection, sql: &str) -> Checked<Vec<Vec<String>>> {
    let mut statement = connection.new_statement()?;
    statement.set_sql_query(sql)?;
    cells(statement.execute()?)
}

/// How many requests the connection has sent.
fn sent(connection: &mut ManagedConnection) -> Checked<i64> {
    let mut statement = connection.new_statement()?;
    statement.set_sql_query("SELECT count(*) FROM sys.requests")?;
    let batch = whole(statement.execute()?)?;
    Ok(batch.column(0).as_primitive::<Int64Type>().value(0))
}

fn whole(reader: Reader) -> Result<RecordBatch, ArrowError> {
    let schema = reader.schema();
    concat_batches(&schema, &reader.collect::<Result<Vec<_>, _>>()?)
}

fn cells(reader: Reader) -> Checked<Vec<Vec<String>>> {
    let batch = whole(reader)?;
    let options = FormatOptions::default();
    let columns = batch.columns().iter().map(|column| ArrayFormatter::try_new(column, &options));
    let columns = columns.collect::<Result<Vec<_>, _>>()?;
    Ok((0..batch.num_rows())
        .map(|row| columns.iter().map(|column| column.value(row).to_string()).collect())
        .collect())
}

/// The first list of structures in a column, as a batch.
fn first(batch: &RecordBatch, column: &str) -> Checked<RecordBatch> {
    let column = batch.column_by_name(column).ok_or_else(|| format!("no column {column}"))?;
    let list = column.as_list::<i32>();
    same(list.len(), 1)?;
    Ok(list.value(0).as_struct().into())
}

fn same<A: PartialEq<B> + std::fmt::Debug, B: std::fmt::Debug>(found: A, expected: B) -> Checked {
    match found == expected {
        true => Ok(()),
        false => Err(format!("{found:?} instead of {expected:?}").into()),
    }
}

fn refused<T>(outcome: adbc_core::error::Result<T>, status: Status, says: &str) -> Checked {
    match outcome {
        Err(error) if error.status == status && error.message.contains(says) => Ok(()),
        Err(error) => Err(format!("{error:?} instead of {status:?} about {says}").into()),
        Ok(_) => Err(format!("nothing failed, instead of {status:?} about {says}").into()),
    }
}
