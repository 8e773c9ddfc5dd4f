//! The schema `sys`: what the tables, columns, keys, procedures and options are, which requests were sent, what is worth knowing about the
//! rows of statements, and what became of the rows of the last write.

use std::fmt;
use std::sync::Arc;

use async_trait::async_trait;
use datafusion::arrow::array::RecordBatch;
use datafusion::arrow::array::{
    ArrayRef, BooleanArray, Float64Array, Int64Array, StringArray, TimestampMillisecondArray, UInt64Array,
};
use datafusion::arrow::datatypes::SchemaRef;
use datafusion::catalog::{SchemaProvider, Session, TableProvider};
use datafusion::datasource::{MemTable, TableType};
use datafusion::error::Result;
use datafusion::logical_expr::Expr;
use datafusion::physical_plan::ExecutionPlan;

use crate::catalog::{SiteSchema, is_listed};
use crate::connection::{Connection, OptionKind, Status};
use crate::rest::arrow_field;
use crate::rest::site::Site;
use crate::schema::{Catalog, Column, Example, Procedure, Table};
use crate::table::{Delivery, delivery};

/// What the metadata is made from.
#[derive(Clone)]
struct Facts {
    connection: Connection,
    catalog: Catalog,
    site: Arc<Site>,
}

/// A metadata table: its name and how its rows are made. They are made anew for every statement.
type Maker = fn(&Facts) -> Result<RecordBatch>;
const TABLES: &[(&str, Maker)] = &[
    ("columns", columns),
    ("examples", examples),
    ("keys", keys),
    ("options", options),
    ("procedure_parameters", procedure_parameters),
    ("procedures", procedures),
    ("requests", requests),
    ("tables", tables),
    ("warnings", warnings),
    ("writes", writes),
];

/// Tables that tell of columns, some of which depend on the site.
const ABOUT_COLUMNS: &[&str] = &["columns", "keys"];

/// Schema `sys`.
pub(super) struct SysSchema {
    facts: Facts,
    tables: Arc<SiteSchema>,
}

impl fmt::Debug for SysSchema {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("SysSchema")
    }
}

impl SysSchema {
    pub(super) fn new(connection: Connection, catalog: Catalog, site: Arc<Site>, tables: Arc<SiteSchema>) -> Self {
        Self {
            tables,
            facts: Facts {
                connection,
                catalog,
                site,
            },
        }
    }
}

#[async_trait]
impl SchemaProvider for SysSchema {
    fn table_names(&self) -> Vec<String> {
        TABLES.iter().map(|(name, _)| (*name).to_owned()).collect()
    }

    async fn table(&self, name: &str) -> Result<Option<Arc<dyn TableProvider>>> {
        let Some((name, maker)) = TABLES.iter().find(|(known, _)| *known == name) else {
            return Ok(None);
        };
        let mut facts = self.facts.clone();
        if ABOUT_COLUMNS.contains(name) {
            facts.catalog = self.tables.completed().await;
        }
        facts.catalog = facts.catalog.retain(|table| is_listed(facts.connection.listing(), table));
        let schema = maker(&facts)?.schema();
        Ok(Some(Arc::new(SysTable {
            name,
            maker: *maker,
            facts,
            schema,
        })))
    }

    /// Without the table itself: a list of tables must not ask the site for columns.
    async fn table_type(&self, name: &str) -> Result<Option<TableType>> {
        Ok(self.table_exist(name).then_some(TableType::View))
    }

    fn table_exist(&self, name: &str) -> bool {
        TABLES.iter().any(|(known, _)| *known == name)
    }
}

struct SysTable {
    name: &'static str,
    maker: Maker,
    facts: Facts,
    schema: SchemaRef,
}

impl fmt::Debug for SysTable {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "sys.{}", self.name)
    }
}

#[async_trait]
impl TableProvider for SysTable {
    fn schema(&self) -> SchemaRef {
        self.schema.clone()
    }

    fn table_type(&self) -> TableType {
        TableType::View
    }

    async fn scan(
        &self,
        state: &dyn Session,
        projection: Option<&Vec<usize>>,
        filters: &[Expr],
        limit: Option<usize>,
    ) -> Result<Arc<dyn ExecutionPlan>> {
        let rows = (self.maker)(&self.facts)?;
        MemTable::try_new(self.schema.clone(), vec![vec![rows]])?
            .scan(state, projection, filters, limit)
            .await
    }
}

fn text<T: AsRef<str>>(values: impl IntoIterator<Item = T>) -> ArrayRef {
    Arc::new(StringArray::from_iter_values(values))
}

fn maybe_text(values: impl IntoIterator<Item = Option<String>>) -> ArrayRef {
    Arc::new(values.into_iter().collect::<StringArray>())
}

fn flags(values: impl IntoIterator<Item = bool>) -> ArrayRef {
    Arc::new(values.into_iter().map(Some).collect::<BooleanArray>())
}

fn numbers(values: impl IntoIterator<Item = i64>) -> ArrayRef {
    Arc::new(Int64Array::from_iter_values(values))
}

fn batch(columns: Vec<(&str, ArrayRef)>) -> Result<RecordBatch> {
    Ok(RecordBatch::try_from_iter_with_nullable(
        columns.into_iter().map(|(name, values)| (name, values, true)),
    )?)
}

fn tables(facts: &Facts) -> Result<RecordBatch> {
    let tables = facts.catalog.tables();
    batch(vec![
        ("table_name", text(tables.iter().map(|table| &table.name))),
        ("description", text(tables.iter().map(|table| &table.doc))),
        ("insertable", flags(tables.iter().map(|table| table.insert.is_some()))),
        ("updatable", flags(tables.iter().map(|table| !table.updates.is_empty()))),
        ("deletable", flags(tables.iter().map(|table| table.delete.is_some()))),
        ("api", text(tables.iter().map(|table| &table.api.name))),
    ])
}

fn columns(facts: &Facts) -> Result<RecordBatch> {
    let rows: Vec<(&Table, i64, usize, &Column)> = facts
        .catalog
        .tables()
        .iter()
        .flat_map(|table| {
            (1..)
                .zip(table.columns.iter().enumerate())
                .map(|(ordinal, (index, column))| (table.as_ref(), ordinal, index, column))
        })
        .collect();
    let pushdown = |table: &Table, index: usize| match delivery(table, index) {
        Delivery::Exact => Some("=, IN: exact".to_owned()),
        Delivery::ExactWith(others) => Some(format!("=, IN: exact together with {}", others.join(", "))),
        Delivery::Search(ops, widened) => {
            Some(format!("{}: {}", ops.join(", "), if widened { "widened" } else { "exact" })).filter(|_| !ops.is_empty())
        }
        Delivery::Local => None,
    };
    batch(vec![
        ("table_name", text(rows.iter().map(|(table, ..)| &table.name))),
        ("column_name", text(rows.iter().map(|(.., column)| &column.name))),
        ("ordinal", numbers(rows.iter().map(|(_, ordinal, ..)| *ordinal))),
        ("data_type", text(rows.iter().map(|(.., column)| column.kind.sql_name()))),
        (
            "nullable",
            flags(rows.iter().map(|(.., column)| arrow_field(column).is_nullable())),
        ),
        ("is_key", flags(rows.iter().map(|(.., column)| column.key))),
        ("required", flags(rows.iter().map(|(.., column)| column.required))),
        ("filter_only", flags(rows.iter().map(|(.., column)| column.input))),
        (
            "pushdown",
            maybe_text(rows.iter().map(|(table, _, index, _)| pushdown(table, *index))),
        ),
        (
            "insertable",
            flags(rows.iter().map(|(table, _, index, _)| table.is_insertable(*index))),
        ),
        (
            "updatable",
            flags(rows.iter().map(|(table, _, index, _)| table.is_updatable(*index))),
        ),
        ("description", text(rows.iter().map(|(.., column)| &column.doc))),
    ])
}

fn examples(facts: &Facts) -> Result<RecordBatch> {
    let of_tables = facts.catalog.tables().iter().map(|table| (&table.name, &table.examples));
    let of_procedures = facts.catalog.procedures().iter();
    let of_procedures = of_procedures.map(|procedure| (&procedure.name, &procedure.examples));
    let rows: Vec<(&String, i64, &Example)> = of_tables
        .chain(of_procedures)
        .flat_map(|(name, examples)| (1..).zip(examples).map(move |(ordinal, example)| (name, ordinal, example)))
        .collect();
    batch(vec![
        ("table_name", text(rows.iter().map(|(name, ..)| name))),
        ("ordinal", numbers(rows.iter().map(|(_, ordinal, _)| *ordinal))),
        ("description", text(rows.iter().map(|(.., example)| &example.doc))),
        ("sql", text(rows.iter().map(|(.., example)| &example.sql))),
    ])
}

fn keys(facts: &Facts) -> Result<RecordBatch> {
    type Row<'a> = (&'a str, &'a str, i64, &'a str, Option<(String, String)>);
    let mut rows: Vec<Row<'_>> = Vec::new();
    for table in facts.catalog.tables() {
        let keys: Vec<usize> = if table.unique { table.key().collect() } else { Vec::new() };
        rows.extend((1..).zip(keys).map(|(ordinal, column)| {
            (
                table.name.as_str(),
                table.columns[column].name.as_str(),
                ordinal,
                "primary",
                None,
            )
        }));
        let foreign = table.columns.iter().filter(|column| column.references.is_some());
        rows.extend((1..).zip(foreign).map(|(ordinal, column)| {
            (
                table.name.as_str(),
                column.name.as_str(),
                ordinal,
                "foreign",
                column.references.clone(),
            )
        }));
    }
    batch(vec![
        ("table_name", text(rows.iter().map(|row| row.0))),
        ("column_name", text(rows.iter().map(|row| row.1))),
        ("ordinal", numbers(rows.iter().map(|row| row.2))),
        ("kind", text(rows.iter().map(|row| row.3))),
        (
            "referenced_table",
            maybe_text(rows.iter().map(|row| row.4.as_ref().map(|reference| reference.0.clone()))),
        ),
        (
            "referenced_column",
            maybe_text(rows.iter().map(|row| row.4.as_ref().map(|reference| reference.1.clone()))),
        ),
    ])
}

fn options(facts: &Facts) -> Result<RecordBatch> {
    let options: Vec<_> = facts.connection.options().collect();
    let allowed = |kind: &OptionKind| match kind {
        OptionKind::Choice(choices) => Some(choices.join(", ")),
        OptionKind::Integer { min, max } => Some(format!("{min} to {max}")),
        _ => None,
    };
    let description = |row: &crate::connection::OptionRow| match row.status {
        Status::Works => row.doc.to_owned(),
        Status::Refused(why) => format!("{} Refused: {why}", row.doc),
    };
    batch(vec![
        ("name", text(options.iter().map(|option| option.row.name))),
        ("category", text(options.iter().map(|option| option.row.category.title()))),
        (
            "data_type",
            text(options.iter().map(|option| crate::connection::docs::kind(option.row))),
        ),
        ("default_value", text(options.iter().map(|option| option.row.default))),
        (
            "allowed_values",
            maybe_text(options.iter().map(|option| allowed(&option.row.kind))),
        ),
        ("secret", flags(options.iter().map(|option| option.row.secret))),
        ("value", text(options.iter().map(|option| &option.value))),
        ("source", text(options.iter().map(|option| option.source.to_string()))),
        ("description", text(options.iter().map(|option| description(option.row)))),
    ])
}

fn procedures(facts: &Facts) -> Result<RecordBatch> {
    let procedures = facts.catalog.procedures();
    batch(vec![
        ("procedure_name", text(procedures.iter().map(|procedure| &procedure.name))),
        ("description", text(procedures.iter().map(|procedure| &procedure.doc))),
        ("changes_data", flags(procedures.iter().map(|procedure| procedure.changes))),
    ])
}

fn procedure_parameters(facts: &Facts) -> Result<RecordBatch> {
    struct Row<'a> {
        procedure: &'a Procedure,
        ordinal: i64,
        column: &'a Column,
        default: Option<String>,
        is_input: bool,
    }
    let mut rows: Vec<Row<'_>> = Vec::new();
    for procedure in facts.catalog.procedures() {
        let inputs = procedure.parameters.iter().zip(&procedure.defaults);
        rows.extend((1..).zip(inputs).map(|(ordinal, (column, default))| Row {
            procedure,
            ordinal,
            column,
            default: default.clone(),
            is_input: true,
        }));
        rows.extend((1..).zip(&procedure.result.columns).map(|(ordinal, column)| Row {
            procedure,
            ordinal,
            column,
            default: None,
            is_input: false,
        }));
    }
    let allowed = |column: &Column| (!column.one_of.is_empty()).then(|| column.one_of.join(", "));
    batch(vec![
        ("procedure_name", text(rows.iter().map(|row| &row.procedure.name))),
        ("parameter_name", text(rows.iter().map(|row| &row.column.name))),
        ("ordinal", numbers(rows.iter().map(|row| row.ordinal))),
        (
            "direction",
            text(rows.iter().map(|row| if row.is_input { "in" } else { "out" })),
        ),
        ("data_type", text(rows.iter().map(|row| row.column.kind.sql_name()))),
        ("required", flags(rows.iter().map(|row| row.is_input && row.column.required))),
        ("default_value", maybe_text(rows.iter().map(|row| row.default.clone()))),
        ("allowed_values", maybe_text(rows.iter().map(|row| allowed(row.column)))),
        ("description", text(rows.iter().map(|row| &row.column.doc))),
    ])
}

fn writes(facts: &Facts) -> Result<RecordBatch> {
    let (statement, rows) = facts.site.writes.snapshot();
    batch(vec![
        (
            "statement",
            Arc::new(UInt64Array::from_iter_values(rows.iter().map(|_| statement))),
        ),
        ("row", Arc::new(UInt64Array::from_iter_values(rows.iter().map(|row| row.row)))),
        ("outcome", text(rows.iter().map(|row| row.outcome.name()))),
        ("key", maybe_text(rows.iter().map(|row| row.key.clone()))),
        ("error", maybe_text(rows.iter().map(|row| row.error.clone()))),
    ])
}

fn warnings(facts: &Facts) -> Result<RecordBatch> {
    let rows = facts.site.recent.warnings();
    batch(vec![
        (
            "statement",
            Arc::new(UInt64Array::from_iter_values(rows.iter().map(|row| row.0))),
        ),
        ("warning", text(rows.iter().map(|row| &row.1))),
    ])
}

fn requests(facts: &Facts) -> Result<RecordBatch> {
    let requests = facts.site.client.log().snapshot();
    let started =
        TimestampMillisecondArray::from_iter_values(requests.iter().map(|request| request.started)).with_timezone("UTC");
    batch(vec![
        (
            "statement",
            Arc::new(UInt64Array::from_iter_values(
                requests.iter().map(|request| request.statement),
            )),
        ),
        ("started", Arc::new(started)),
        ("method", text(requests.iter().map(|request| request.method))),
        ("path", text(requests.iter().map(|request| &request.path))),
        ("query", text(requests.iter().map(|request| &request.query))),
        (
            "status",
            Arc::new(
                requests
                    .iter()
                    .map(|request| request.status.map(i64::from))
                    .collect::<Int64Array>(),
            ),
        ),
        (
            "elapsed_ms",
            Arc::new(Float64Array::from_iter_values(
                requests.iter().map(|request| request.elapsed_ms),
            )),
        ),
        (
            "bytes",
            Arc::new(UInt64Array::from_iter_values(requests.iter().map(|request| request.bytes))),
        ),
        ("attempt", numbers(requests.iter().map(|request| i64::from(request.attempt)))),
        ("error", maybe_text(requests.iter().map(|request| request.error.clone()))),
    ])
}
