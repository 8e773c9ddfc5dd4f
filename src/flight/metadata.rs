//! What there is: catalogs, schemas, tables and keys, in the columns that Flight SQL gives them.

use std::sync::Arc;

use arrow::array::{ArrayRef, AsArray, Int32Array, RecordBatch, StringArray, UInt8Array};
use arrow::datatypes::{DataType, Field, Schema, SchemaRef};
use arrow_flight::sql::metadata::GetTablesBuilder;
use arrow_flight::sql::{
    CommandGetCatalogs, CommandGetCrossReference, CommandGetDbSchemas, CommandGetExportedKeys, CommandGetImportedKeys,
    CommandGetPrimaryKeys, CommandGetTableTypes, CommandGetTables, UpdateDeleteRules,
};

use super::column::Columns;
use crate::error::{Error, ErrorKind, Result};
use crate::session::Session;
use crate::session::listing::{CATALOG, ListedKey, PUBLIC, SCRATCH};

/// The types that tables have: those of the site, those that tell about the session, and what the client itself made.
const TABLE: &str = "TABLE";
/// The same in the words of `information_schema`, in which some clients ask.
const BASE_TABLE: &str = "BASE TABLE";
const SYSTEM: &str = "SYSTEM TABLE";
const TEMPORARY: &str = "LOCAL TEMPORARY";
const VIEW: &str = "VIEW";

fn arrow_failed(error: impl std::fmt::Display) -> Error {
    Error::new(ErrorKind::Internal, format!("metadata cannot be put together: {error}"))
}

/// The catalog: there is one.
pub(super) fn catalogs(command: CommandGetCatalogs) -> Result<RecordBatch> {
    let mut builder = command.into_builder();
    builder.append(CATALOG);
    builder.build().map_err(arrow_failed)
}

/// The schemas.
pub(super) fn schemas(session: &Session, command: CommandGetDbSchemas) -> Result<RecordBatch> {
    let mut builder = command.into_builder();
    for schema in session.schemas() {
        builder.append(CATALOG, schema);
    }
    builder.build().map_err(arrow_failed)
}

/// The types of tables.
pub(super) fn table_types(command: CommandGetTableTypes) -> Result<RecordBatch> {
    let mut builder = command.into_builder();
    for name in [TABLE, SYSTEM, TEMPORARY, VIEW] {
        builder.append(name);
    }
    builder.build().map_err(arrow_failed)
}

/// The tables; with their columns, those that `SELECT *` shows, and what is known of these, where that is asked for.
pub(super) async fn tables(session: &Session, command: CommandGetTables) -> Result<RecordBatch> {
    let with_columns = command.include_schema;
    let meant = |asked: String| if asked == BASE_TABLE { TABLE.to_owned() } else { asked };
    let names_only = CommandGetTables {
        include_schema: false,
        table_types: command.table_types.into_iter().map(meant).collect(),
        ..command
    };
    let mut builder = names_only.into_builder();
    let nothing = Schema::empty();
    for table in session.tables().await? {
        let kind = match (table.schema.as_str(), table.view) {
            (PUBLIC, _) => TABLE,
            (SCRATCH, false) => TEMPORARY,
            (SCRATCH, true) => VIEW,
            _ => SYSTEM,
        };
        builder
            .append(CATALOG, table.schema, table.name, kind, &nothing)
            .map_err(arrow_failed)?;
    }
    let found = builder.build().map_err(arrow_failed)?;
    if !with_columns {
        return Ok(found);
    }
    // Only now, since the columns of some tables are a question to the site.
    let described = Columns::of(session).await?;
    let mut builder = everything();
    let text = |column: usize| found.column(column).as_string::<i32>();
    for row in 0..found.num_rows() {
        let (schema, name) = (text(1).value(row), text(2).value(row));
        let columns = session
            .prepare(&format!(
                "SELECT * FROM {}.{}.{}",
                quoted(CATALOG),
                quoted(schema),
                quoted(name)
            ))
            .await?
            .schema();
        let columns = described.described(schema, name, &columns);
        builder
            .append(CATALOG, schema, name, text(3).value(row), &columns)
            .map_err(arrow_failed)?;
    }
    builder.build().map_err(arrow_failed)
}

fn everything() -> GetTablesBuilder {
    GetTablesBuilder::new(None::<String>, None::<String>, None::<String>, Vec::<String>::new(), true)
}

/// A name as SQL has it, whatever it is made of.
fn quoted(name: &str) -> String {
    format!("\"{}\"", name.replace('"', "\"\""))
}

/// Whether names that a client gives mean the schema of the site's tables. None: they mean any.
fn is_site(catalog: Option<&str>, schema: Option<&str>) -> bool {
    catalog.is_none_or(|catalog| catalog == CATALOG) && schema.is_none_or(|schema| schema == PUBLIC)
}

/// The columns of a table's primary key, in order.
pub(super) fn primary_keys(session: &Session, command: &CommandGetPrimaryKeys) -> Result<RecordBatch> {
    let mut keys = session.keys();
    let here = is_site(command.catalog.as_deref(), command.db_schema.as_deref());
    keys.retain(|key| here && key.ordinal.is_some() && key.table == command.table);
    let columns: Vec<ArrayRef> = vec![
        texts(keys.iter().map(|_| CATALOG)),
        texts(keys.iter().map(|_| PUBLIC)),
        texts(keys.iter().map(|key| key.table.as_str())),
        texts(keys.iter().map(|key| key.column.as_str())),
        Arc::new(Int32Array::from_iter(keys.iter().map(|key| key.ordinal))),
        texts(keys.iter().map(|key| primary_name(&key.table))),
    ];
    RecordBatch::try_new(primary_schema(), columns).map_err(arrow_failed)
}

/// The columns by which other tables reference this one.
pub(super) fn exported_keys(session: &Session, command: &CommandGetExportedKeys) -> Result<RecordBatch> {
    let here = is_site(command.catalog.as_deref(), command.db_schema.as_deref());
    foreign(session, |_, (table, _)| here && *table == command.table)
}

/// The columns by which this table references others.
pub(super) fn imported_keys(session: &Session, command: &CommandGetImportedKeys) -> Result<RecordBatch> {
    let here = is_site(command.catalog.as_deref(), command.db_schema.as_deref());
    foreign(session, |key, _| here && key.table == command.table)
}

/// The columns by which one table references the other.
pub(super) fn cross_reference(session: &Session, command: &CommandGetCrossReference) -> Result<RecordBatch> {
    let here = is_site(command.pk_catalog.as_deref(), command.pk_db_schema.as_deref())
        && is_site(command.fk_catalog.as_deref(), command.fk_db_schema.as_deref());
    foreign(session, |key, (table, _)| {
        here && *table == command.pk_table && key.table == command.fk_table
    })
}

/// References that are wanted. Each column is a key of its own: the schema files do not tie several together.
fn foreign(session: &Session, wanted: impl Fn(&ListedKey, &(String, String)) -> bool) -> Result<RecordBatch> {
    let mut keys: Vec<(ListedKey, (String, String))> = session
        .keys()
        .into_iter()
        .filter_map(|key| key.references.clone().map(|to| (key, to)))
        .filter(|(key, to)| wanted(key, to))
        .collect();
    keys.sort_by(|(a, to), (b, other)| (&to.0, &a.table, &a.column).cmp(&(&other.0, &b.table, &b.column)));
    let rules = || -> ArrayRef { Arc::new(UInt8Array::from(vec![UpdateDeleteRules::NoAction as u8; keys.len()])) };
    let columns: Vec<ArrayRef> = vec![
        texts(keys.iter().map(|_| CATALOG)),
        texts(keys.iter().map(|_| PUBLIC)),
        texts(keys.iter().map(|(_, to)| to.0.as_str())),
        texts(keys.iter().map(|(_, to)| to.1.as_str())),
        texts(keys.iter().map(|_| CATALOG)),
        texts(keys.iter().map(|_| PUBLIC)),
        texts(keys.iter().map(|(key, _)| key.table.as_str())),
        texts(keys.iter().map(|(key, _)| key.column.as_str())),
        Arc::new(Int32Array::from(vec![1; keys.len()])),
        texts(keys.iter().map(|(key, _)| format!("{}_{}_fkey", key.table, key.column))),
        texts(keys.iter().map(|(_, to)| primary_name(&to.0))),
        rules(),
        rules(),
    ];
    RecordBatch::try_new(foreign_schema(), columns).map_err(arrow_failed)
}

fn primary_name(table: &str) -> String {
    format!("{table}_pkey")
}

fn texts<T: AsRef<str>>(values: impl IntoIterator<Item = T>) -> ArrayRef {
    Arc::new(StringArray::from_iter_values(values))
}

fn fields(fields: &[(&str, DataType, bool)]) -> SchemaRef {
    let fields = fields
        .iter()
        .map(|(name, kind, nullable)| Field::new(*name, kind.clone(), *nullable));
    Arc::new(Schema::new(fields.collect::<Vec<_>>()))
}

/// Columns of the answer about primary keys.
pub(super) fn primary_schema() -> SchemaRef {
    fields(&[
        ("catalog_name", DataType::Utf8, true),
        ("db_schema_name", DataType::Utf8, true),
        ("table_name", DataType::Utf8, false),
        ("column_name", DataType::Utf8, false),
        ("key_sequence", DataType::Int32, false),
        ("key_name", DataType::Utf8, true),
    ])
}

/// Columns of the answers about references.
pub(super) fn foreign_schema() -> SchemaRef {
    fields(&[
        ("pk_catalog_name", DataType::Utf8, true),
        ("pk_db_schema_name", DataType::Utf8, true),
        ("pk_table_name", DataType::Utf8, false),
        ("pk_column_name", DataType::Utf8, false),
        ("fk_catalog_name", DataType::Utf8, true),
        ("fk_db_schema_name", DataType::Utf8, true),
        ("fk_table_name", DataType::Utf8, false),
        ("fk_column_name", DataType::Utf8, false),
        ("key_sequence", DataType::Int32, false),
        ("fk_key_name", DataType::Utf8, true),
        ("pk_key_name", DataType::Utf8, true),
        ("update_rule", DataType::UInt8, false),
        ("delete_rule", DataType::UInt8, false),
    ])
}
