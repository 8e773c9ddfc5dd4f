//! What a connection has: catalogs, schemas, tables, columns and keys, as the metadata tables of the session tell it.

use std::collections::HashMap;
use std::sync::Arc;

use adbc_core::error::Result as AdbcResult;
use adbc_core::options::ObjectDepth;
use arrow::array::{Array, AsArray, RecordBatch};
use arrow::compute::cast;
use arrow::datatypes::{DataType, SchemaRef};
use futures::TryStreamExt;

use super::cancel::Execution;
use super::engine::Engine;
use super::errors::{exported, missing};
use super::pattern::{exact, wants};
use super::tree::{CatalogNode, ColumnNode, ConstraintNode, FOREIGN, PRIMARY, SchemaNode, TableNode};
use crate::error::{Error, ErrorKind, Result};
use crate::rest::type_name;
use crate::session::{Prepared, Rows, Session};

/// The one catalog.
pub(super) const CATALOG: &str = "jsm";
/// The schema of the tables of the site, which names without a schema mean first.
pub(super) const SCHEMA: &str = "public";
/// The schema of the tables of the session.
pub(super) const SCRATCH: &str = "temp";

const TABLE: &str = "TABLE";
/// The same in the words of `information_schema`, in which some clients ask.
const BASE_TABLE: &str = "BASE TABLE";
const VIEW: &str = "VIEW";
const TEMPORARY: &str = "LOCAL TEMPORARY";
const SYSTEM: &str = "SYSTEM TABLE";
/// The types of tables, in the words of JDBC.
pub(super) const TABLE_TYPES: [&str; 4] = [TEMPORARY, SYSTEM, TABLE, VIEW];

/// Which objects are asked for. Each name may be a pattern.
pub(super) struct Filter<'f> {
    pub(super) catalog: Option<&'f str>,
    pub(super) schema: Option<&'f str>,
    pub(super) table: Option<&'f str>,
    pub(super) types: Option<&'f [&'f str]>,
    pub(super) column: Option<&'f str>,
}

/// The number of rows of a table.
pub(super) struct Count {
    pub(super) schema: String,
    pub(super) table: String,
    pub(super) rows: i64,
}

/// Asks a session about itself.
pub(super) struct Metadata<'c> {
    engine: &'c Engine,
    session: &'c Session,
    execution: Arc<Execution>,
}

/// A row of a metadata table, as text.
type Row = Vec<Option<String>>;

impl<'c> Metadata<'c> {
    pub(super) fn new(engine: &'c Engine, session: &'c Session, execution: Arc<Execution>) -> Self {
        Self {
            engine,
            session,
            execution,
        }
    }

    /// Everything that the filter lets through, down to a depth.
    pub(super) fn tree(&self, depth: ObjectDepth, filter: &Filter<'_>) -> AdbcResult<Vec<CatalogNode>> {
        if !wants(filter.catalog, CATALOG) {
            return Ok(Vec::new());
        }
        let schemas = match depth {
            ObjectDepth::Catalogs => None,
            depth => Some(self.schemas(depth, filter).map_err(exported)?),
        };
        Ok(vec![CatalogNode {
            name: CATALOG.to_owned(),
            schemas,
        }])
    }

    fn schemas(&self, depth: ObjectDepth, filter: &Filter<'_>) -> Result<Vec<SchemaNode>> {
        let names = self.rows(&format!(
            "SELECT schema_name FROM information_schema.schemata WHERE catalog_name = '{CATALOG}' ORDER BY 1"
        ))?;
        let names = names.into_iter().filter_map(|mut row| row.swap_remove(0));
        let mut schemas: Vec<SchemaNode> = names
            .filter(|name| wants(filter.schema, name))
            .map(|name| SchemaNode { name, tables: None })
            .collect();
        if depth == ObjectDepth::Schemas {
            return Ok(schemas);
        }
        let mut tables = self.tables(filter)?;
        for schema in &mut schemas {
            schema.tables = Some(tables.remove(&schema.name).unwrap_or_default());
        }
        if depth != ObjectDepth::Tables {
            self.complete(&mut schemas, filter)?;
        }
        Ok(schemas)
    }

    /// The tables of each schema, in the order of their names.
    fn tables(&self, filter: &Filter<'_>) -> Result<HashMap<String, Vec<TableNode>>> {
        let rows = self.rows(&format!(
            "SELECT table_schema, table_name, table_type FROM information_schema.tables WHERE table_catalog = '{CATALOG}' ORDER BY 1, 2"
        ))?;
        let mut tables: HashMap<String, Vec<TableNode>> = HashMap::new();
        for row in rows {
            let [Some(schema), Some(name), Some(kind)] = row.as_slice() else {
                continue;
            };
            let kind = match schema.as_str() {
                SCHEMA => TABLE,
                SCRATCH if kind == VIEW => VIEW,
                SCRATCH => TEMPORARY,
                _ => SYSTEM,
            };
            let wanted = wants(filter.schema, schema) && wants(filter.table, name);
            let is_asked_for = |types: &[&str]| {
                types
                    .iter()
                    .any(|asked| *asked == kind || (*asked, kind) == (BASE_TABLE, TABLE))
            };
            if wanted && filter.types.is_none_or(is_asked_for) {
                tables.entry(schema.clone()).or_default().push(TableNode {
                    name: name.clone(),
                    kind,
                    columns: None,
                    constraints: None,
                });
            }
        }
        Ok(tables)
    }

    /// Adds columns and keys.
    fn complete(&self, schemas: &mut [SchemaNode], filter: &Filter<'_>) -> Result<()> {
        for schema in schemas {
            let Some(tables) = schema.tables.as_mut().filter(|tables| !tables.is_empty()) else {
                continue;
            };
            let of_site = schema.name == SCHEMA;
            let (mut columns, mut keys) = match of_site {
                true => (self.columns()?, self.keys()?),
                false => Default::default(),
            };
            for table in tables {
                let mut found = match of_site {
                    true => columns.remove(&table.name).unwrap_or_default(),
                    false => described(&self.prepare(Some(&schema.name), &table.name)?.schema()),
                };
                found.retain(|column| wants(filter.column, &column.name));
                table.columns = Some(found);
                table.constraints = Some(keys.remove(&table.name).unwrap_or_default());
            }
        }
        Ok(())
    }

    /// The columns of every table of the site.
    fn columns(&self) -> Result<HashMap<String, Vec<ColumnNode>>> {
        let rows = self.rows(
            "SELECT table_name, column_name, ordinal, description, data_type, nullable FROM sys.columns ORDER BY table_name, ordinal",
        )?;
        let mut columns: HashMap<String, Vec<ColumnNode>> = HashMap::new();
        for row in rows {
            if let [Some(table), Some(name), Some(ordinal), remarks, Some(kind), nullable] = row.as_slice() {
                columns.entry(table.clone()).or_default().push(ColumnNode {
                    name: name.clone(),
                    ordinal: ordinal.parse().unwrap_or_default(),
                    remarks: remarks.clone().filter(|remarks| !remarks.is_empty()),
                    type_name: kind.clone(),
                    nullable: nullable.as_deref() != Some("false"),
                });
            }
        }
        Ok(columns)
    }

    /// The keys of every table of the site: one primary key of some columns, foreign keys of one column each.
    fn keys(&self) -> Result<HashMap<String, Vec<ConstraintNode>>> {
        let rows = self.rows(
            "SELECT table_name, column_name, kind, referenced_table, referenced_column FROM sys.keys \
             ORDER BY table_name, kind DESC, ordinal",
        )?;
        let mut keys: HashMap<String, Vec<ConstraintNode>> = HashMap::new();
        for row in rows {
            let of_table = match row.first() {
                Some(Some(table)) => keys.entry(table.clone()).or_default(),
                _ => continue,
            };
            match row.as_slice() {
                [Some(table), Some(column), Some(kind), ..] if kind == "primary" => match of_table.last_mut() {
                    Some(key) if key.kind == PRIMARY => key.columns.push(column.clone()),
                    _ => of_table.push(ConstraintNode {
                        name: format!("{table}_pkey"),
                        kind: PRIMARY,
                        columns: vec![column.clone()],
                        usage: Vec::new(),
                    }),
                },
                [Some(table), Some(column), _, Some(other), Some(referenced)] => of_table.push(ConstraintNode {
                    name: format!("{table}_{column}_fkey"),
                    kind: FOREIGN,
                    columns: vec![column.clone()],
                    usage: vec![(other.clone(), referenced.clone())],
                }),
                _ => {}
            }
        }
        Ok(keys)
    }

    /// The columns that `SELECT *` gives of a table.
    pub(super) fn table_schema(&self, schema: Option<&str>, table: &str) -> AdbcResult<SchemaRef> {
        let error = match self.prepare(schema, table) {
            Ok(prepared) => return Ok(prepared.schema()),
            Err(error) => error,
        };
        if error.kind() == ErrorKind::Statement {
            let hint = error
                .hint_text()
                .unwrap_or("SELECT table_name FROM sys.tables lists the tables")
                .to_owned();
            return Err(missing(error.message(), &hint));
        }
        Err(exported(error))
    }

    /// The tables whose number of rows is known, or worth finding out: those of the scratch schema, and a table of the site that is asked
    /// for by its name and exactly, since it must be read for that.
    pub(super) fn counts(&self, filter: &Filter<'_>, approximate: bool) -> AdbcResult<Vec<Count>> {
        if !wants(filter.catalog, CATALOG) {
            return Ok(Vec::new());
        }
        let mut counts = Vec::new();
        let mut tables = self.tables(filter).map_err(exported)?;
        for schema in [SCHEMA, SCRATCH] {
            for table in tables.remove(schema).unwrap_or_default() {
                let worth_it = match table.kind {
                    TEMPORARY => true,
                    TABLE => !approximate && exact(filter.table) == Some(&table.name),
                    _ => false,
                };
                if worth_it {
                    let sql = format!("SELECT count(*) FROM {}", quoted(Some(schema), &table.name));
                    // This one reads the table, which its user has limited.
                    let rows = self.read(self.session.sql(&sql)).map_err(exported)?;
                    let rows = rows.into_iter().next().and_then(|mut row| row.swap_remove(0)?.parse().ok());
                    counts.extend(rows.map(|rows| Count {
                        schema: schema.to_owned(),
                        table: table.name,
                        rows,
                    }));
                }
            }
        }
        Ok(counts)
    }

    fn prepare(&self, schema: Option<&str>, table: &str) -> Result<Prepared> {
        let sql = format!("SELECT * FROM {}", quoted(schema, table));
        self.engine.wait(&self.execution, self.session.prepare(&sql))
    }

    fn rows(&self, sql: &str) -> Result<Vec<Row>> {
        self.read(self.session.ask(sql))
    }

    fn read(&self, asked: impl Future<Output = Result<Rows>>) -> Result<Vec<Row>> {
        let read = async {
            let rows = asked.await?;
            self.execution.reads(rows.meter());
            rows.try_collect::<Vec<RecordBatch>>().await
        };
        let mut found = Vec::new();
        for batch in self.engine.wait(&self.execution, read)? {
            let columns = batch.columns().iter().map(|column| cast(column, &DataType::Utf8));
            let columns: Vec<_> = columns.collect::<std::result::Result<_, _>>().map_err(|error| {
                Error::new(ErrorKind::Internal, format!("the metadata cannot be read: {error}")).hint("please report this")
            })?;
            let text = |column: &Arc<dyn Array>, row: usize| {
                let column = column.as_string::<i32>();
                column.is_valid(row).then(|| column.value(row).to_owned())
            };
            found.extend((0..batch.num_rows()).map(|row| columns.iter().map(|column| text(column, row)).collect()));
        }
        Ok(found)
    }
}

fn quoted(schema: Option<&str>, table: &str) -> String {
    let quote = |name: &str| format!("\"{}\"", name.replace('"', "\"\""));
    match schema {
        Some(schema) => format!("{}.{}", quote(schema), quote(table)),
        None => quote(table),
    }
}

/// The columns of a table that is not of the site.
fn described(schema: &SchemaRef) -> Vec<ColumnNode> {
    let columns = (1..).zip(schema.fields());
    columns
        .map(|(ordinal, field)| ColumnNode {
            name: field.name().clone(),
            ordinal,
            remarks: None,
            type_name: type_name(field.data_type()).to_owned(),
            nullable: field.is_nullable(),
        })
        .collect()
}
