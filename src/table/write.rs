//! A write in a plan: the logical node, what plans it, and the plan node that runs it. All of them are pure until the stream is polled.

use std::cmp::Ordering;
use std::collections::{BTreeMap, HashMap};
use std::fmt;
use std::hash::{Hash, Hasher};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering::AcqRel};

use async_trait::async_trait;
use datafusion::arrow::array::{Array, ArrayRef, AsArray, RecordBatch};
use datafusion::arrow::compute::{cast, is_not_null};
use datafusion::arrow::datatypes::DataType;
use datafusion::arrow::util::display::array_value_to_string;
use datafusion::catalog::Session;
use datafusion::common::tree_node::TreeNodeRecursion;
use datafusion::common::{DFSchema, DFSchemaRef, TableReference, internal_err};
use datafusion::error::{DataFusionError, Result};
use datafusion::execution::{SendableRecordBatchStream, TaskContext};
use datafusion::logical_expr::physical_planning_context::PhysicalPlanningContext;
use datafusion::logical_expr::{Expr, Extension, LogicalPlan, UserDefinedLogicalNode, UserDefinedLogicalNodeCore};
use datafusion::physical_expr::{Distribution, EquivalenceProperties, Partitioning, PhysicalExpr};
use datafusion::physical_plan::execution_plan::{Boundedness, EmissionType, ReplaceChildrenOptions};
use datafusion::physical_plan::stream::RecordBatchStreamAdapter;
use datafusion::physical_plan::{DisplayAs, DisplayFormatType, ExecutionPlan, PlanProperties};
use datafusion::physical_planner::{ExtensionPlanner, PhysicalPlanner};
use futures::{StreamExt, TryStreamExt};

use super::{for_each_node, from_datafusion, to_datafusion};
use crate::error::{Error, ErrorKind};
use crate::http::{Misfit, Statement};
use crate::rest::arrow_schema;
use crate::rest::read::Scope;
use crate::rest::site::Site;
use crate::rest::write::{Change, Lot, Output, Write, run, unsent};

/// Rows of a plan that are written to a table of the site.
#[derive(Debug, Clone)]
pub(crate) struct WriteNode {
    site: Arc<Site>,
    write: Arc<Write>,
    input: Arc<LogicalPlan>,
    schema: DFSchemaRef,
}

impl WriteNode {
    /// A plan that writes the rows of `input`, which has the columns of the write. Its own columns are qualified by `name` where it
    /// answers rows.
    pub(super) fn plan(site: Arc<Site>, write: Write, input: LogicalPlan, name: &TableReference) -> Result<LogicalPlan> {
        let schema = match write.output {
            Output::Rows => DFSchema::try_from_qualified_schema(name.clone(), &write.schema())?,
            Output::Count | Output::Requests => DFSchema::try_from(write.schema())?,
        };
        Ok(LogicalPlan::Extension(Extension {
            node: Arc::new(Self {
                site,
                write: Arc::new(write),
                input: Arc::new(input),
                schema: Arc::new(schema),
            }),
        }))
    }

    /// Whether a plan writes.
    pub(crate) fn is_in(plan: &LogicalPlan) -> bool {
        let mut found = false;
        for_each_node(plan, |_: &Self| found = true);
        found
    }

    fn identity(&self) -> (&str, Change, &[usize], &[usize], Output) {
        let write = &self.write;
        (&write.table.name, write.change, &write.columns, &write.set, write.output)
    }
}

impl PartialEq for WriteNode {
    fn eq(&self, other: &Self) -> bool {
        self.identity() == other.identity() && self.input == other.input
    }
}

impl Eq for WriteNode {}

impl Hash for WriteNode {
    fn hash<H: Hasher>(&self, state: &mut H) {
        self.identity().hash(state);
        self.input.hash(state);
    }
}

impl PartialOrd for WriteNode {
    fn partial_cmp(&self, other: &Self) -> Option<Ordering> {
        (self == other).then_some(Ordering::Equal)
    }
}

impl UserDefinedLogicalNodeCore for WriteNode {
    fn name(&self) -> &'static str {
        "SiteWrite"
    }

    fn inputs(&self) -> Vec<&LogicalPlan> {
        vec![&self.input]
    }

    fn schema(&self) -> &DFSchemaRef {
        &self.schema
    }

    fn expressions(&self) -> Vec<Expr> {
        Vec::new()
    }

    fn fmt_for_explain(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        show(f, &self.site, &self.write)
    }

    fn with_exprs_and_inputs(&self, _: Vec<Expr>, mut inputs: Vec<LogicalPlan>) -> Result<Self> {
        match (inputs.pop(), inputs.is_empty()) {
            (Some(input), true) => Ok(Self {
                input: Arc::new(input),
                ..self.clone()
            }),
            _ => internal_err!("a write has one input"),
        }
    }
}

/// What is written, and by which requests.
fn show(f: &mut fmt::Formatter<'_>, site: &Site, write: &Write) -> fmt::Result {
    let table = &write.table;
    let names = |columns: &[usize]| {
        let names: Vec<&str> = columns.iter().map(|&column| table.columns[column].name.as_str()).collect();
        names.join(", ")
    };
    let change = match write.change {
        Change::Insert => "insert",
        Change::Update => "update",
        Change::Delete => "delete",
    };
    write!(f, "SiteWrite: table={}, {change}", table.name)?;
    for operation in write.operations() {
        for find in &operation.finds {
            let there = find.table.as_ref().unwrap_or(table);
            write!(f, ", finds {} in {}", table.columns[find.column].name, there.name)?;
        }
        write!(f, ", {} {}", operation.endpoint.verb.as_str(), operation.endpoint.template)?;
        match &operation.batch {
            Some(batch) => {
                let most = site.writing.batch.map_or(batch.max, |rows| rows.clamp(1, batch.max));
                write!(f, " for up to {most} rows")?;
            }
            None => write!(f, " for each row")?,
        }
        if let Some(bulk) = &operation.bulk {
            let (verb, most) = (bulk.endpoint.verb.as_str(), bulk.max);
            let most = site.writing.batch.map_or(most, |rows| rows.clamp(1, most));
            write!(f, ", {verb} {} for up to {most} rows", bulk.endpoint.template)?;
        }
    }
    let columns = if write.change == Change::Update {
        &write.set
    } else {
        &write.columns
    };
    write!(f, ", columns=[{}]", names(columns))?;
    write!(f, ", on_row_error={}", if site.writing.goes_on { "continue" } else { "stop" })?;
    if write.output == Output::Requests {
        write!(f, ", dry run")?;
    }
    Ok(())
}

/// Plans [`WriteNode`].
#[derive(Debug)]
pub(crate) struct WritePlanner;

#[async_trait]
impl ExtensionPlanner for WritePlanner {
    async fn plan_extension(
        &self,
        _: &dyn PhysicalPlanner,
        node: &dyn UserDefinedLogicalNode,
        _: &[&LogicalPlan],
        inputs: &[Arc<dyn ExecutionPlan>],
        session: &dyn Session,
        _: &PhysicalPlanningContext,
    ) -> Result<Option<Arc<dyn ExecutionPlan>>> {
        let Some(node) = node.as_any().downcast_ref::<WriteNode>() else {
            return Ok(None);
        };
        let [input] = inputs else {
            return internal_err!("a write has one input");
        };
        // What is computed from a value that could not be read must not be sent; subqueries are read before the rows are.
        if let Some(statement) = session.config().get_extension::<Statement>() {
            statement.keep_misfits();
        }
        Ok(Some(Arc::new(WriteExec::new(
            node.site.clone(),
            node.write.clone(),
            input.clone(),
        ))))
    }
}

/// Writes the rows of its input, once.
#[derive(Debug)]
struct WriteExec {
    site: Arc<Site>,
    write: Arc<Write>,
    input: Arc<dyn ExecutionPlan>,
    properties: Arc<PlanProperties>,
    begun: Arc<AtomicBool>,
}

impl WriteExec {
    fn new(site: Arc<Site>, write: Arc<Write>, input: Arc<dyn ExecutionPlan>) -> Self {
        let properties = PlanProperties::new(
            EquivalenceProperties::new(write.schema()),
            Partitioning::UnknownPartitioning(1),
            EmissionType::Final,
            Boundedness::Bounded,
        );
        Self {
            site,
            write,
            input,
            properties: Arc::new(properties),
            begun: Arc::default(),
        }
    }

    fn with_input(&self, mut children: Vec<Arc<dyn ExecutionPlan>>) -> Result<Arc<dyn ExecutionPlan>> {
        match (children.pop(), children.is_empty()) {
            (Some(input), true) => Ok(Arc::new(Self {
                site: self.site.clone(),
                write: self.write.clone(),
                input,
                properties: self.properties.clone(),
                begun: self.begun.clone(),
            })),
            _ => internal_err!("a write has one input"),
        }
    }
}

impl ExecutionPlan for WriteExec {
    fn name(&self) -> &'static str {
        "SiteWrite"
    }

    fn properties(&self) -> &Arc<PlanProperties> {
        &self.properties
    }

    fn children(&self) -> Vec<&Arc<dyn ExecutionPlan>> {
        vec![&self.input]
    }

    fn required_input_distribution(&self) -> Vec<Distribution> {
        vec![Distribution::SinglePartition]
    }

    fn maintains_input_order(&self) -> Vec<bool> {
        // Rows are written in the order they come in, so an ORDER BY below is not for nothing: without this the optimizer drops it.
        vec![true]
    }

    fn benefits_from_input_partitioning(&self) -> Vec<bool> {
        vec![false]
    }

    fn replace_children(
        self: Arc<Self>,
        children: Vec<Arc<dyn ExecutionPlan>>,
        _: ReplaceChildrenOptions,
    ) -> Result<Arc<dyn ExecutionPlan>> {
        self.with_input(children)
    }

    fn with_new_children(self: Arc<Self>, children: Vec<Arc<dyn ExecutionPlan>>) -> Result<Arc<dyn ExecutionPlan>> {
        self.with_input(children)
    }

    fn apply_expressions(
        &self,
        _: &mut dyn FnMut(&Arc<dyn PhysicalExpr>) -> Result<TreeNodeRecursion>,
    ) -> Result<TreeNodeRecursion> {
        Ok(TreeNodeRecursion::Continue)
    }

    fn execute(&self, partition: usize, context: Arc<TaskContext>) -> Result<SendableRecordBatchStream> {
        if partition != 0 || self.begun.swap(true, AcqRel) {
            return internal_err!("a write runs once, in one partition");
        }
        let statement = context
            .session_config()
            .get_extension::<Statement>()
            .unwrap_or_else(|| Statement::new(0, None));
        let scope = Scope {
            site: self.site.clone(),
            statement,
            stats: Arc::default(),
        };
        let write = self.write.clone();
        let mut input = self.input.execute(0, context)?;
        let done = async move {
            // The whole input is there before the first request: see `rest::write`.
            let (mut lots, mut held) = (Vec::new(), scope.statement.memory());
            while let Some(batch) = input.try_next().await.map_err(|error| unread(&write, error))? {
                let lot = typed(&write, &batch)?;
                let fits = held.grow(lot.rows.get_array_memory_size());
                fits.map_err(|error| to_datafusion(unsent(&error).table(&write.table.name)))?;
                lots.push(lot);
            }
            let lots = without_misfits(&write, lots, scope.statement.take_misfits())?;
            run(scope, &write, &lots).await.map_err(to_datafusion)
        };
        let stream = futures::stream::once(done).boxed();
        Ok(Box::pin(RecordBatchStreamAdapter::new(self.write.schema(), stream)))
    }
}

/// The error of rows that could not be had: nothing was written. A value that does not fit its column names no column by itself.
fn unread(write: &Write, error: DataFusionError) -> DataFusionError {
    let error = from_datafusion(error);
    if error.hint_text().is_some() || error.request_context().is_some() {
        return to_datafusion(error);
    }
    let columns = if write.change == Change::Update {
        &write.set
    } else {
        &write.columns
    };
    let typed = |&column: &usize| {
        let column = &write.table.columns[column];
        format!("{} {}", column.name, column.kind.sql_name())
    };
    let typed: Vec<String> = columns.iter().map(typed).collect();
    let message = format!("the rows cannot be made: {}; nothing was sent", error.message());
    let error = Error::new(error.kind(), message).hint(format!("the columns are {}", typed.join(", ")));
    to_datafusion(error.table(&write.table.name))
}

/// The rows, where those are wrong of which SET or WHERE read a value that did not fit its column: it was NULL to them. Which rows came
/// of it is known where the statement reads nothing but the rows that it changes.
fn without_misfits(write: &Write, mut lots: Vec<Lot>, mut misfits: BTreeMap<String, Vec<Misfit>>) -> Result<Vec<Lot>> {
    let table = &write.table;
    let own = if write.alone { misfits.remove(&table.name) } else { None };
    if let Some((of, first)) = misfits.iter().find_map(|(name, misfits)| Some((name, misfits.first()?))) {
        let message = format!(
            "the rows are made of a value that does not fit its column: {} of {of} {} is {}; nothing was sent",
            first.column, first.key, first.what
        );
        let error = Error::new(ErrorKind::Statement, message).hint(
            "leave the row out by its key, or do without the column; the value itself can be read where the table has it as JSON",
        );
        return Err(to_datafusion(error.table(&table.name)));
    }
    let own = own.unwrap_or_default();
    let odd: HashMap<&str, &Misfit> = own.iter().rev().map(|misfit| (misfit.key.as_str(), misfit)).collect();
    if odd.is_empty() {
        return Ok(lots);
    }
    for lot in &mut lots {
        for row in 0..lot.rows.num_rows() {
            let keys = table.key().filter_map(|column| {
                let value = lot.rows.column_by_name(&table.columns[column].name)?;
                (!value.is_null(row)).then(|| array_value_to_string(value, row))
            });
            let key = keys.collect::<std::result::Result<Vec<_>, _>>()?.join(", ");
            if let Some(misfit) = odd.get(key.as_str()) {
                let what = format!(
                    "{}: the row has {}, which does not fit the column, and the statement reads it",
                    misfit.column, misfit.what
                );
                lot.wrong.insert(row, what);
            }
        }
    }
    Ok(lots)
}

/// The batch with the types of the table's columns: the engine may carry texts in another layout, and the values of parameters come with
/// types of their own. What does not fit its column is NULL there, and noted.
fn typed(write: &Write, batch: &RecordBatch) -> Result<Lot> {
    let schema = arrow_schema(&write.table, &write.columns);
    let mut wrong = BTreeMap::new();
    let mut columns = Vec::new();
    for ((column, field), &index) in batch.columns().iter().zip(schema.fields()).zip(&write.columns) {
        let column_of = &write.table.columns[index];
        let kind = column_of.kind.sql_name();
        let fitted = cast(column, field.data_type()).map_err(|_| {
            let message = format!("{}: a {} is no {kind}; nothing was sent", column_of.name, column.data_type());
            to_datafusion(Error::new(ErrorKind::Statement, message).table(&write.table.name))
        })?;
        if matches!(field.data_type(), DataType::List(_)) {
            for (row, text) in lists_in_text(column)? {
                let what = format!(
                    "{}: {text} is a text and no list; lists are written as ['a', 'b'], and the text itself as ['{text}']",
                    column_of.name
                );
                wrong.entry(row).or_insert(what);
            }
        }
        for row in lost(column, &fitted)? {
            let value = array_value_to_string(column, row)?;
            wrong
                .entry(row)
                .or_insert_with(|| format!("{}: {value} is no {kind}", column_of.name));
        }
        columns.push(fitted);
    }
    let fields: Vec<_> = schema
        .fields()
        .iter()
        .map(|field| field.as_ref().clone().with_nullable(true))
        .collect();
    let rows = RecordBatch::try_new(Arc::new(datafusion::arrow::datatypes::Schema::new(fields)), columns)?;
    Ok(Lot { rows, wrong })
}

/// Rows with a text that looks like a list of PostgreSQL's or of JSON, which would become a list of one such text.
fn lists_in_text(column: &ArrayRef) -> Result<Vec<(usize, String)>> {
    if !column.data_type().is_string() {
        return Ok(Vec::new());
    }
    let texts = cast(column, &DataType::Utf8)?;
    let texts = texts.as_string::<i32>().iter().enumerate();
    let is_list = |text: &str| {
        [('{', '}'), ('[', ']')]
            .iter()
            .any(|(open, close)| text.starts_with(*open) && text.ends_with(*close))
    };
    let lists = texts.filter_map(|(row, text)| Some((row, text?.trim())).filter(|(_, text)| is_list(text)));
    Ok(lists.map(|(row, text)| (row, text.to_owned())).collect())
}

/// Rows whose value was lost on the way to another type.
fn lost(from: &ArrayRef, to: &ArrayRef) -> Result<Vec<usize>> {
    let had = is_not_null(from)?;
    let mut lost: Vec<usize> = (0..from.len()).filter(|&row| had.value(row) && to.is_null(row)).collect();
    let fractions = from.data_type().is_floating() || from.data_type().is_decimal();
    if fractions && to.data_type().is_integer() {
        let back = cast(to, from.data_type())?;
        let same = datafusion::arrow::compute::kernels::cmp::not_distinct(&back, from)?;
        lost.extend((0..from.len()).filter(|&row| !to.is_null(row) && !same.value(row)));
    }
    Ok(lost)
}

impl DisplayAs for WriteExec {
    fn fmt_as(&self, _: DisplayFormatType, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        show(f, &self.site, &self.write)
    }
}
