//! The scratch schema `temp`: tables and views of this session, for staging and joining. They are kept in memory and end with the session.

use std::any::Any;
use std::sync::Arc;

use datafusion::arrow::array::RecordBatch;
use datafusion::arrow::datatypes::Schema;
use datafusion::catalog::{MemorySchemaProvider, SchemaProvider, TableProvider};
use datafusion::common::TableReference;
use datafusion::common::tree_node::TreeNodeRecursion;
use datafusion::datasource::{MemTable, ViewTable, source_as_provider};
use datafusion::error::{DataFusionError, Result as EngineResult};
use datafusion::execution::{SendableRecordBatchStream, SessionState};
use datafusion::logical_expr::{DdlStatement, DmlStatement, LogicalPlan, TableScan, WriteOp};
use datafusion::optimizer::Analyzer;
use datafusion::optimizer::analyzer::type_coercion::TypeCoercion;
use datafusion::physical_plan::stream::RecordBatchStreamAdapter;
use futures::TryStreamExt;

use super::guard::no_such_definition;
use super::heading::apart;
use super::held::{Held, Load};
use crate::error::{Error, ErrorKind, Result};
use crate::schema::Catalog;
use crate::table::{CallNode, to_datafusion};

/// The scratch schema of a session.
#[derive(Debug)]
pub(super) struct Scratch {
    catalog: Arc<Catalog>,
    tables: Arc<MemorySchemaProvider>,
    held: Arc<Held>,
}

/// What CREATE does where the name is taken.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Taken {
    Refuse,
    Keep,
    Replace,
}

impl Scratch {
    pub(super) fn new(catalog: Arc<Catalog>) -> Self {
        Self {
            catalog,
            tables: Arc::default(),
            held: Arc::default(),
        }
    }

    /// The tables, as the engine looks them up.
    pub(super) fn tables(&self) -> Arc<dyn SchemaProvider> {
        self.tables.clone()
    }

    /// What the tables hold of the memory of the session.
    pub(super) fn held(&self) -> Arc<Held> {
        self.held.clone()
    }

    /// Whether the session has a table or view of this name.
    pub(super) fn has(&self, name: &str) -> bool {
        self.tables.table_exist(name)
    }

    /// Checks what can be told before a definition runs.
    ///
    /// # Errors
    /// It defines something other than a table or view of this schema.
    pub(super) fn check(&self, mut ddl: DdlStatement) -> Result<DdlStatement> {
        match &mut ddl {
            DdlStatement::CreateMemoryTable(table) => {
                self.name(&table.name)?;
                if table.constraints.iter().next().is_some() {
                    return Err(
                        Error::new(ErrorKind::Unsupported, "a table of the scratch schema has no constraints")
                            .hint("leave out PRIMARY KEY and UNIQUE: they would not be checked"),
                    );
                }
                taken(table.or_replace, table.if_not_exists)?;
                table.input = apart(&table.input)?;
            }
            DdlStatement::CreateView(view) => {
                self.name(&view.name)?;
                if CallNode::is_in(&view.input) {
                    return Err(Error::new(
                        ErrorKind::Unsupported,
                        "a view cannot call a procedure: every SELECT from it would run it",
                    )
                    .hint("CREATE TABLE temp.name AS SELECT * FROM procedure(…) runs it once and keeps the rows"));
                }
                view.input = apart(&view.input)?;
            }
            DdlStatement::DropTable(table) => {
                self.name(&table.name)?;
            }
            DdlStatement::DropView(view) => {
                self.name(&view.name)?;
            }
            _ => return Err(no_such_definition()),
        }
        Ok(ddl)
    }

    /// The name within this schema that a statement means.
    fn name(&self, reference: &TableReference) -> Result<String> {
        let name = reference.table().to_owned();
        if !matches!(reference.catalog(), None | Some("jsm")) || !matches!(reference.schema(), None | Some("temp")) {
            return Err(Error::new(
                ErrorKind::Unsupported,
                format!("{reference} cannot be made or dropped: only the schema temp holds tables of this session"),
            )
            .hint(format!("write temp.{name}")));
        }
        if reference.schema().is_none() && self.catalog.table(&name).is_some() {
            return Err(Error::new(
                ErrorKind::Unsupported,
                format!("{name} is a table of the site, which is neither made nor dropped"),
            )
            .hint(format!("write temp.{name} for a table of this session")));
        }
        Ok(name)
    }

    /// Carries a definition out when the stream is read; the stream has no rows.
    pub(super) async fn run(
        self: &Arc<Self>,
        state: &SessionState,
        ddl: DdlStatement,
    ) -> EngineResult<SendableRecordBatchStream> {
        let schema = Arc::new(Schema::empty());
        let (scratch, work) = (self.clone(), self.work(state, ddl).await?);
        let pool = state.runtime_env().memory_pool.clone();
        let done = async move {
            match work {
                Work::Table {
                    name,
                    taken,
                    mut table,
                    rows,
                } => {
                    if taken == Taken::Refuse && scratch.has(&name) {
                        return Err(to_datafusion(exists(&name)));
                    }
                    if taken == Taken::Keep && scratch.has(&name) {
                        return Ok(());
                    }
                    let load = Load::new(&name, &pool);
                    if let Some(rows) = rows {
                        let counted = rows.and_then(|batch| std::future::ready(load.add(&batch).map(|()| batch)));
                        let batches: Vec<RecordBatch> = counted.try_collect().await?;
                        table = MemTable::try_new(table.schema(), vec![batches])?;
                    }
                    scratch.put(&name, taken, Arc::new(table)).map_err(to_datafusion)?;
                    scratch.held.keep(&name, load);
                    Ok(())
                }
                Work::View { name, taken, view } => scratch.put(&name, taken, view).map_err(to_datafusion),
                Work::Drop { name, what, if_exists } => scratch.discard(&name, what, if_exists).map_err(to_datafusion),
            }
        };
        let nothing = futures::stream::once(done).try_filter_map(|()| async { Ok(None) });
        Ok(Box::pin(RecordBatchStreamAdapter::new(schema, nothing)))
    }

    async fn work(&self, state: &SessionState, ddl: DdlStatement) -> EngineResult<Work> {
        let name = |reference: &TableReference| self.name(reference).map_err(to_datafusion);
        Ok(match ddl {
            DdlStatement::CreateMemoryTable(create) => {
                let physical = state.create_physical_plan(&create.input).await?;
                let table = MemTable::try_new(physical.schema(), vec![Vec::new()])?;
                let rows = match create.input.as_ref() {
                    LogicalPlan::EmptyRelation(_) => None,
                    _ => Some(datafusion::physical_plan::execute_stream(physical, state.task_ctx())?),
                };
                Work::Table {
                    name: name(&create.name)?,
                    taken: taken(create.or_replace, create.if_not_exists).map_err(to_datafusion)?,
                    table: table.with_column_defaults(create.column_defaults.into_iter().collect()),
                    rows,
                }
            }
            DdlStatement::CreateView(create) => {
                let coercion = Analyzer::with_rules(vec![Arc::new(TypeCoercion::new())]);
                let plan = coercion.execute_and_check(Arc::unwrap_or_clone(create.input), state.config_options(), |_, _| {})?;
                Work::View {
                    name: name(&create.name)?,
                    taken: if create.or_replace { Taken::Replace } else { Taken::Refuse },
                    view: Arc::new(ViewTable::new(plan, create.definition)),
                }
            }
            DdlStatement::DropTable(dropped) => Work::Drop {
                name: name(&dropped.name)?,
                what: Kind::Table,
                if_exists: dropped.if_exists,
            },
            DdlStatement::DropView(dropped) => Work::Drop {
                name: name(&dropped.name)?,
                what: Kind::View,
                if_exists: dropped.if_exists,
            },
            _ => return Err(to_datafusion(no_such_definition())),
        })
    }

    /// Puts a table or view in its place.
    ///
    /// # Errors
    /// The name is taken, or what has it is read by a view.
    pub(super) fn put(&self, name: &str, taken: Taken, table: Arc<dyn TableProvider>) -> Result<()> {
        if taken == Taken::Replace && self.has(name) {
            self.remove(name)?;
        }
        match self.tables.register_table(name.to_owned(), table) {
            Ok(_) => Ok(()),
            Err(_) if taken == Taken::Keep => Ok(()),
            Err(_) => Err(exists(name)),
        }
    }

    fn discard(&self, name: &str, what: Kind, if_exists: bool) -> Result<()> {
        let Some(table) = self.find(name) else {
            return if if_exists { Ok(()) } else { Err(unknown(name)) };
        };
        let is = if is_view(table.as_ref()) { Kind::View } else { Kind::Table };
        if is != what {
            let (is, verb) = match is {
                Kind::Table => ("a table", "DROP TABLE"),
                Kind::View => ("a view", "DROP VIEW"),
            };
            return Err(Error::new(ErrorKind::Statement, format!("temp.{name} is {is}")).hint(format!("use {verb}")));
        }
        self.remove(name)
    }

    fn remove(&self, name: &str) -> Result<()> {
        let Some(table) = self.find(name) else { return Ok(()) };
        // The plan of a view holds the table itself: it would go on reading what is no longer there.
        let reads = |other: &String| self.find(other).is_some_and(|view| reads(view.as_ref(), &table));
        if let Some(view) = self.tables.table_names().into_iter().find(reads) {
            return Err(
                Error::new(ErrorKind::Conflict, format!("temp.{name} is read by the view temp.{view}"))
                    .hint(format!("DROP VIEW temp.{view} first")),
            );
        }
        let removed = self.tables.deregister_table(name);
        self.held.free(name);
        removed.map(drop).map_err(crate::table::from_datafusion)
    }

    fn find(&self, name: &str) -> Option<Arc<dyn TableProvider>> {
        // The provider is a map in memory: its future is ready at once.
        futures::FutureExt::now_or_never(self.tables.table(name))?.ok()?
    }
}

/// Checks a write: that of the scratch schema is the engine's own, which takes an UPDATE or DELETE with a subquery for one of every row.
pub(super) fn check_write(dml: &DmlStatement) -> Result<()> {
    let scratch = source_as_provider(&dml.target).is_ok_and(|provider| (provider.as_ref() as &dyn Any).is::<MemTable>());
    if scratch && !matches!(dml.op, WriteOp::Insert(_)) {
        return Err(Error::new(
            ErrorKind::Unsupported,
            "tables of the scratch schema take INSERT, not UPDATE or DELETE",
        )
        .hint(format!(
            "CREATE OR REPLACE TABLE {0} AS SELECT … FROM {0} makes it anew",
            dml.table_name
        )));
    }
    Ok(())
}

/// What a definition does when it runs.
enum Work {
    Table {
        name: String,
        taken: Taken,
        table: MemTable,
        rows: Option<SendableRecordBatchStream>,
    },
    View {
        name: String,
        taken: Taken,
        view: Arc<ViewTable>,
    },
    Drop {
        name: String,
        what: Kind,
        if_exists: bool,
    },
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Kind {
    Table,
    View,
}

fn taken(or_replace: bool, if_not_exists: bool) -> Result<Taken> {
    match (or_replace, if_not_exists) {
        (true, true) => {
            Err(Error::new(ErrorKind::Statement, "OR REPLACE and IF NOT EXISTS contradict each other").hint("write one of them"))
        }
        (true, false) => Ok(Taken::Replace),
        (false, true) => Ok(Taken::Keep),
        (false, false) => Ok(Taken::Refuse),
    }
}

pub(super) fn exists(name: &str) -> Error {
    Error::new(ErrorKind::Conflict, format!("temp.{name} exists already")).hint("choose another name, or write CREATE OR REPLACE")
}

pub(super) fn unknown(name: &str) -> Error {
    Error::new(ErrorKind::NotFound, format!("there is no temp.{name}"))
        .hint("SELECT table_name FROM information_schema.tables WHERE table_schema = 'temp' lists the tables of this session")
}

fn is_view(table: &dyn TableProvider) -> bool {
    (table as &dyn Any).is::<ViewTable>()
}

/// Whether a view reads a table.
fn reads(view: &dyn TableProvider, table: &Arc<dyn TableProvider>) -> bool {
    let Some(view) = (view as &dyn Any).downcast_ref::<ViewTable>() else {
        return false;
    };
    let mut found = false;
    for_each_scan(view.logical_plan(), &mut |_, provider| found |= Arc::ptr_eq(provider, table));
    found
}

fn for_each_scan(plan: &LogicalPlan, act: &mut dyn FnMut(&TableScan, &Arc<dyn TableProvider>)) {
    let walked = plan.apply_with_subqueries(|node| {
        if let LogicalPlan::TableScan(scan) = node
            && let Ok(provider) = source_as_provider(&scan.source)
        {
            act(scan, &provider);
        }
        Ok::<_, DataFusionError>(TreeNodeRecursion::Continue)
    });
    // The closure never fails.
    debug_assert!(walked.is_ok());
}
