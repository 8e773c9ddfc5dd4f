//! A table of the site as DataFusion sees it.

use std::collections::BTreeSet;
use std::sync::Arc;

use async_trait::async_trait;
use datafusion::arrow::datatypes::SchemaRef;
use datafusion::catalog::{Session, TableProvider};
use datafusion::common::{Constraint, Constraints};
use datafusion::datasource::TableType;
use datafusion::error::{DataFusionError, Result};
use datafusion::logical_expr::dml::InsertOp;
use datafusion::logical_expr::{Expr, TableProviderFilterPushDown};
use datafusion::physical_plan::ExecutionPlan;

use super::predicate::{self, Meaning, known};
use super::scan::{ScanExec, ScanRequest};
use super::to_datafusion;
use crate::error::{Error, ErrorKind};
use crate::rest::arrow_schema;
use crate::rest::plan::{Path, Question, Read, plan};
use crate::rest::site::Site;
use crate::schema::{Column, Table};

/// A table of a site. Planning is pure: nothing here sends a request.
#[derive(Debug, Clone)]
pub(crate) struct SiteTable {
    table: Arc<Table>,
    site: Arc<Site>,
    pushdown: bool,
    schema: SchemaRef,
    constraints: Constraints,
    /// Input columns that the statement compares: see [`input`](super::input).
    compared: BTreeSet<usize>,
}

impl SiteTable {
    /// The same table with these input columns compared; `None` if it is that already.
    pub(super) fn with_compared(&self, compared: BTreeSet<usize>) -> Option<Self> {
        (self.compared != compared).then(|| Self {
            compared,
            ..self.clone()
        })
    }

    /// What the table is.
    pub(super) fn table(&self) -> &Arc<Table> {
        &self.table
    }

    /// The site that has it.
    pub(super) fn site(&self) -> &Arc<Site> {
        &self.site
    }

    pub(crate) fn new(table: Arc<Table>, site: Arc<Site>, pushdown: bool) -> Self {
        let all: Vec<usize> = (0..table.columns.len()).collect();
        let key: Vec<usize> = table.key().collect();
        // The engine takes a declared key for a fact: it drops columns from GROUP BY, and DISTINCT, because of it. Two values of an input
        // are two questions, which the same row may answer.
        let asked_twice = |column: &Column| column.input && !column.push.as_ref().is_some_and(|push| push.repeat);
        let constraints = if table.unique && !key.is_empty() && !table.columns.iter().any(asked_twice) {
            vec![Constraint::PrimaryKey(key)]
        } else {
            Vec::new()
        };
        Self {
            schema: arrow_schema(&table, &all),
            constraints: Constraints::new_unverified(constraints),
            table,
            site,
            pushdown,
            compared: BTreeSet::new(),
        }
    }

    fn refusal(&self) -> DataFusionError {
        to_datafusion(
            Error::new(ErrorKind::Unsupported, "this context does not write to the site")
                .hint("write through a Session: it knows exactly which rows a statement means")
                .table(&self.table.name),
        )
    }

    fn meanings<'a>(&self, filters: impl Iterator<Item = &'a Expr>) -> Result<Vec<Meaning>> {
        filters
            .map(|filter| predicate::meaning(&self.table, filter))
            .collect::<Result<_, _>>()
            .map_err(to_datafusion)
    }

    fn read(&self, columns: &[usize], meanings: &[Meaning], limit: Option<usize>) -> Result<Read> {
        let known = known(&self.table, self.pushdown, meanings.iter());
        let filter = predicate::filter(self.pushdown, meanings.iter());
        let question = Question {
            table: &self.table,
            columns,
            known: &known,
            parent_known: None,
            filter: Some(&filter),
            limit,
        };
        plan(&question, self.site.context()).map_err(to_datafusion)
    }

    /// Whether the rows that come out satisfy the predicate for certain, because the site itself was asked for just them.
    fn is_exact(&self, read: &Read, meaning: &Meaning) -> bool {
        match meaning {
            Meaning::Values(column, _) if self.table.columns[*column].input => true,
            Meaning::Values(column, _) => self.pushdown && predicate::is_bindable(&self.table, *column) && read.sends(*column),
            Meaning::Test(..) => self.pushdown,
            Meaning::Clause(_) | Meaning::Without(..) | Meaning::Residue => false,
        }
    }
}

/// Whether the site is asked for just the rows that satisfy a predicate which no row that comes out violates.
fn asks_exactly(read: &Read, meaning: &Meaning) -> bool {
    let (Meaning::Values(column, _) | Meaning::Test(column, ..)) = meaning else {
        return true;
    };
    match &read.path {
        Path::Search(search) if search.chain.is_empty() => search.asks_exactly(read, *column),
        _ => true,
    }
}

#[async_trait]
impl TableProvider for SiteTable {
    fn schema(&self) -> SchemaRef {
        self.schema.clone()
    }

    fn constraints(&self) -> Option<&Constraints> {
        Some(&self.constraints)
    }

    fn table_type(&self) -> TableType {
        TableType::Base
    }

    fn supports_filters_pushdown(&self, filters: &[&Expr]) -> Result<Vec<TableProviderFilterPushDown>> {
        let meanings = self.meanings(filters.iter().copied())?;
        let read = self.read(&[], &meanings, None)?;
        let classify = |meaning| {
            if self.is_exact(&read, meaning) {
                TableProviderFilterPushDown::Exact
            } else {
                TableProviderFilterPushDown::Inexact
            }
        };
        Ok(meanings.iter().map(classify).collect())
    }

    async fn scan(
        &self,
        _state: &dyn Session,
        projection: Option<&Vec<usize>>,
        filters: &[Expr],
        limit: Option<usize>,
    ) -> Result<Arc<dyn ExecutionPlan>> {
        let columns: Vec<usize> = projection.cloned().unwrap_or_else(|| (0..self.table.columns.len()).collect());
        let meanings = self.meanings(filters.iter())?;
        let whole = self.read(&columns, &meanings, None)?;
        let exact: Vec<bool> = meanings.iter().map(|meaning| self.is_exact(&whole, meaning)).collect();
        // Reading checks the values of every bindable column itself, so a predicate that was called exact stays true on any path;
        // what is left to the engine must not be cut short by a limit.
        let checked =
            |meaning: &Meaning| matches!(meaning, Meaning::Values(column, _) if predicate::is_bindable(&self.table, *column));
        let limit = limit.filter(|_| {
            exact
                .iter()
                .zip(&meanings)
                .all(|(exact, meaning)| *exact || checked(meaning) && self.pushdown)
        });
        // What the site is asked for may be wider than what comes out, even where nothing is left to the engine.
        let asked: Vec<bool> = meanings.iter().map(|meaning| asks_exactly(&whole, meaning)).collect();
        let text = |wanted: &dyn Fn(bool, bool) -> bool| {
            let wanted = (0..filters.len()).filter(|&at| wanted(exact[at], asked[at]));
            wanted.map(|at| filters[at].to_string()).collect()
        };
        Ok(Arc::new(ScanExec::new(ScanRequest {
            table: self.table.clone(),
            site: self.site.clone(),
            columns,
            known: known(&self.table, self.pushdown, meanings.iter()),
            parent_known: None,
            filter: predicate::filter(self.pushdown, meanings.iter()),
            limit,
            pushdown: self.pushdown,
            compared: self.compared.clone(),
            exact: text(&|exact, asked| exact && asked),
            checked: text(&|exact, asked| exact && !asked),
            residue: text(&|exact, _| !exact),
        })?))
    }

    // The engine hands these hooks the filters that it could push down: none for `WHERE false` and for subqueries, which would mean every
    // row. Writes reach the site as [`WriteNode`](super::write::WriteNode) only.

    async fn insert_into(&self, _: &dyn Session, _: Arc<dyn ExecutionPlan>, _: InsertOp) -> Result<Arc<dyn ExecutionPlan>> {
        Err(self.refusal())
    }

    async fn delete_from(&self, _: &dyn Session, _: Vec<Expr>) -> Result<Arc<dyn ExecutionPlan>> {
        Err(self.refusal())
    }

    async fn update(&self, _: &dyn Session, _: Vec<(String, Expr)>, _: Vec<Expr>) -> Result<Arc<dyn ExecutionPlan>> {
        Err(self.refusal())
    }

    async fn truncate(&self, _: &dyn Session) -> Result<Arc<dyn ExecutionPlan>> {
        Err(self.refusal())
    }
}
