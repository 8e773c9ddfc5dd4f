//! The plan node that reads a table of the site, and what EXPLAIN says about it.

use std::collections::BTreeSet;
use std::fmt;
use std::sync::Arc;
use std::sync::atomic::Ordering::Relaxed;

use datafusion::arrow::datatypes::SchemaRef;
use datafusion::common::config::ConfigOptions;
use datafusion::common::stats::Precision;
use datafusion::common::tree_node::TreeNodeRecursion;
use datafusion::common::{Statistics, internal_err};
use datafusion::error::Result;
use datafusion::execution::{SendableRecordBatchStream, TaskContext};
use datafusion::physical_expr::{EquivalenceProperties, Partitioning, PhysicalExpr};
use datafusion::physical_plan::execution_plan::{Boundedness, EmissionType, ReplaceChildrenOptions};
use datafusion::physical_plan::filter_pushdown::{
    ChildPushdownResult, FilterPushdownPhase, FilterPushdownPropagation, PushedDown,
};
use datafusion::physical_plan::metrics::{Count, Metric, MetricValue, MetricsSet};
use datafusion::physical_plan::statistics::StatisticsArgs;
use datafusion::physical_plan::stream::RecordBatchStreamAdapter;
use datafusion::physical_plan::{DisplayAs, DisplayFormatType, ExecutionPlan, PlanProperties};
use futures::{StreamExt, TryStreamExt};

use super::{late, to_datafusion};
use crate::error::{Error, ErrorKind};
use crate::http::Statement;
use crate::rest::plan::{Known, Path, Question, Read, plan};
use crate::rest::read::{Scope, Stats, open};
use crate::rest::request::{Wants, describe};
use crate::rest::search::{Filter, Way, show as show_search};
use crate::rest::site::Site;
use crate::rest::{arrow_schema, jql};
use crate::schema::Table;

/// What a scan was asked for.
#[derive(Debug, Clone)]
pub(super) struct ScanRequest {
    pub(super) table: Arc<Table>,
    pub(super) site: Arc<Site>,
    pub(super) columns: Vec<usize>,
    pub(super) known: Known,
    /// What a join knows about the parents of the rows: see [`parent`](super::parent).
    pub(super) parent_known: Option<Known>,
    /// What else a search is asked for.
    pub(super) filter: Filter,
    pub(super) limit: Option<usize>,
    pub(super) pushdown: bool,
    /// Input columns that the statement compares: they must be bound before anything is read.
    pub(super) compared: BTreeSet<usize>,
    /// Predicates the site answers exactly, as text.
    pub(super) exact: Vec<String>,
    /// Predicates that the rows are checked for while they are read, as text: the site is asked for more, or for nothing.
    pub(super) checked: Vec<String>,
    /// Predicates left to the engine, as text.
    pub(super) residue: Vec<String>,
}

/// Reads one table.
#[derive(Debug, Clone)]
pub(crate) struct ScanExec {
    request: ScanRequest,
    /// The decision at planning time; taken again when the scan runs, with what joins have bound by then.
    read: Read,
    schema: SchemaRef,
    properties: Arc<PlanProperties>,
    late: Vec<Arc<dyn PhysicalExpr>>,
    stats: Arc<Stats>,
}

/// Rows assumed of a list that was never read: enough that a join builds on anything smaller.
const ROWS_OF_A_LIST: usize = 10_000;
/// Rows assumed of a search: it reaches every row of the site, a list only what the caller takes part in.
const ROWS_OF_A_SEARCH: usize = 100_000;
/// Rows assumed of a child without a bound parent: a join must never build on it, since it could then not be bound late.
const ROWS_OF_UNBOUND: usize = 1_000_000_000;
/// Rows assumed where an input is still to be bound: the join that binds it must build on anything else.
const ROWS_OF_UNBOUND_INPUT: usize = 10 * ROWS_OF_UNBOUND;
/// Rows assumed of one call that is bound to a parent or a key.
const ROWS_OF_A_CALL: usize = 10;

impl ScanExec {
    pub(super) fn new(request: ScanRequest) -> Result<Self> {
        let read = decide(&request, &request.known)?;
        let schema = arrow_schema(&request.table, &request.columns);
        let properties = PlanProperties::new(
            EquivalenceProperties::new(schema.clone()),
            Partitioning::UnknownPartitioning(1),
            EmissionType::Incremental,
            Boundedness::Bounded,
        );
        Ok(Self {
            request,
            read,
            schema,
            properties: Arc::new(properties),
            late: Vec::new(),
            stats: Arc::default(),
        })
    }

    pub(super) fn request(&self) -> &ScanRequest {
        &self.request
    }

    /// The same scan with what a join knows about the parents of its rows.
    pub(super) fn with_parent_known(&self, known: Known) -> Result<Self> {
        let request = ScanRequest {
            parent_known: Some(known),
            ..self.request.clone()
        };
        let read = decide(&request, &request.known)?;
        Ok(Self {
            request,
            read,
            ..self.clone()
        })
    }

    /// The same scan with its rows ordered by some of its columns and no more than the first `fetch`, if the site orders as SQL does
    /// and nothing is left to be filtered afterwards.
    pub(super) fn with_order(&self, order: &[(usize, bool)], fetch: usize) -> Option<Self> {
        let ScanRequest { table, columns, .. } = &self.request;
        if !self.request.residue.is_empty() || !self.request.pushdown || self.is_bound_late() || self.request.limit.is_some() {
            return None;
        }
        let order = order.iter().map(|&(position, descending)| {
            let column = *columns.get(position)?;
            jql(table, column).filter(|jql| jql.order).map(|_| (column, descending))
        });
        let mut request = self.request.clone();
        request.filter.order = order.collect::<Option<_>>()?;
        request.limit = Some(fetch);
        let read = decide(&request, &request.known).ok()?;
        // Rows that are known by key come in an order of their own, all of them.
        let Path::Search(search) = &read.path else { return None };
        // Several values of an input are several searches, each with an order of its own.
        let known = &search.root_known;
        let several = |column: usize| known.get(column).is_some_and(|values| values.len() > 1);
        if known.columns().any(|column| table.columns[column].input && several(column)) {
            return None;
        }
        let way = search.way(&read, &search.needs(&read));
        matches!(way, Way::Pages { .. } | Way::Ids).then(|| Self {
            request,
            read,
            ..self.clone()
        })
    }

    /// Whether joins may bind more columns while the statement runs.
    pub(super) fn is_bound_late(&self) -> bool {
        !self.late.is_empty()
    }

    /// An input column that is compared and that nothing has bound; or several values have, which are asked for together: the rows do not
    /// say which of them they are for.
    fn unbound(request: &ScanRequest, known: &Known) -> Option<usize> {
        let repeats = |column: usize| request.table.columns[column].push.as_ref().is_some_and(|push| push.repeat);
        let is_open = |&column: &usize| known.get(column).is_none_or(|values| repeats(column) && values.len() > 1);
        request.compared.iter().copied().find(is_open)
    }

    fn rows(&self) -> usize {
        if Self::unbound(&self.request, &self.request.known).is_some() {
            return ROWS_OF_UNBOUND_INPUT;
        }
        match &self.read.path {
            Path::Empty => 0,
            Path::Calls(calls) => {
                let bound = calls
                    .iter()
                    .all(|call| call.endpoint.of(&self.request.table).placeholders().next().is_some());
                if bound { calls.len() * ROWS_OF_A_CALL } else { ROWS_OF_A_LIST }
            }
            Path::Search(search) => match search.way(&self.read, &search.needs(&self.read)) {
                Way::Keys(keys) if search.chain.is_empty() => keys.len(),
                Way::Keys(keys) => keys.len() * ROWS_OF_A_CALL,
                _ if search.chain.is_empty() => ROWS_OF_A_SEARCH,
                _ => ROWS_OF_UNBOUND,
            },
            Path::Embedded(_) | Path::Fan(_) | Path::Unbound(..) => ROWS_OF_UNBOUND,
        }
    }
}

fn decide(request: &ScanRequest, known: &Known) -> Result<Read> {
    let ScanRequest {
        table,
        site,
        columns,
        parent_known,
        filter,
        limit,
        ..
    } = request;
    let question = Question {
        table,
        columns,
        known,
        parent_known: parent_known.as_ref(),
        filter: Some(filter),
        limit: *limit,
    };
    plan(&question, site.context()).map_err(to_datafusion)
}

fn not_bound(table: &Table, column: usize) -> Error {
    let name = &table.columns[column].name;
    Error::new(
        ErrorKind::Statement,
        format!("the input column {name} is compared with what is not known before the rows are read: it would be NULL in all of them"),
    )
    .hint(format!(
        "give its value as a constant, {name} = '…', after a SELECT of its own that tells it; or join by {name} alone, keeping no rows of {} that have no partner",
        table.name
    ))
    .table(&table.name)
}

impl ExecutionPlan for ScanExec {
    fn name(&self) -> &'static str {
        "SiteScan"
    }

    fn properties(&self) -> &Arc<PlanProperties> {
        &self.properties
    }

    fn children(&self) -> Vec<&Arc<dyn ExecutionPlan>> {
        Vec::new()
    }

    fn replace_children(
        self: Arc<Self>,
        children: Vec<Arc<dyn ExecutionPlan>>,
        _options: ReplaceChildrenOptions,
    ) -> Result<Arc<dyn ExecutionPlan>> {
        if children.is_empty() {
            Ok(self)
        } else {
            internal_err!("a scan has no children")
        }
    }

    fn with_new_children(self: Arc<Self>, children: Vec<Arc<dyn ExecutionPlan>>) -> Result<Arc<dyn ExecutionPlan>> {
        if children.is_empty() {
            Ok(self)
        } else {
            internal_err!("a scan has no children")
        }
    }

    fn apply_expressions(
        &self,
        visit: &mut dyn FnMut(&Arc<dyn PhysicalExpr>) -> Result<TreeNodeRecursion>,
    ) -> Result<TreeNodeRecursion> {
        for filter in &self.late {
            if visit(filter)? == TreeNodeRecursion::Stop {
                return Ok(TreeNodeRecursion::Stop);
            }
        }
        Ok(TreeNodeRecursion::Continue)
    }

    fn handle_child_pushdown_result(
        &self,
        _phase: FilterPushdownPhase,
        result: ChildPushdownResult,
        _config: &ConfigOptions,
    ) -> Result<FilterPushdownPropagation<Arc<dyn ExecutionPlan>>> {
        // Every filter stays where it is: the ones kept here are only listened to.
        let filters = vec![PushedDown::No; result.parent_filters.len()];
        let useful: Vec<_> = result
            .parent_filters
            .iter()
            .map(|parent| parent.filter.clone())
            .filter(|filter| late::is_useful(&self.request.table, filter, self.request.pushdown))
            .collect();
        let updated_node = (!useful.is_empty()).then(|| {
            let mut node = self.clone();
            node.late.extend(useful);
            Arc::new(node) as Arc<dyn ExecutionPlan>
        });
        Ok(FilterPushdownPropagation { filters, updated_node })
    }

    fn statistics_from_inputs(&self, _inputs: &[Arc<Statistics>], _args: &StatisticsArgs) -> Result<Arc<Statistics>> {
        let mut statistics = Statistics::new_unknown(&self.schema);
        let rows = self.request.limit.map_or_else(|| self.rows(), |limit| limit.min(self.rows()));
        statistics.num_rows = Precision::Inexact(rows);
        statistics.total_byte_size = Precision::Inexact(rows.saturating_mul(100));
        Ok(Arc::new(statistics))
    }

    fn metrics(&self) -> Option<MetricsSet> {
        let mut metrics = MetricsSet::new();
        let Stats {
            requests,
            retries,
            bytes,
            waited_ms,
            duplicates,
            followed,
            missing,
            misfits,
        } = self.stats.as_ref();
        for (name, value) in [
            ("requests", requests.as_ref()),
            ("bytes", bytes),
            ("retries", retries),
            ("waited_ms", waited_ms),
            ("duplicates", duplicates),
            ("followed", followed),
            ("missing", missing),
            ("misfits", misfits),
        ] {
            let count = Count::new();
            count.add(usize::try_from(value.load(Relaxed)).unwrap_or(usize::MAX));
            metrics.push(Arc::new(Metric::new(
                MetricValue::Count {
                    name: name.into(),
                    count,
                },
                None,
            )));
        }
        Some(metrics)
    }

    fn execute(&self, partition: usize, context: Arc<TaskContext>) -> Result<SendableRecordBatchStream> {
        if partition != 0 {
            return internal_err!("a scan has one partition, not {partition}");
        }
        let statement = context
            .session_config()
            .get_extension::<Statement>()
            .unwrap_or_else(|| Statement::new(0, None));
        let scope = Scope {
            site: self.request.site.clone(),
            statement,
            stats: self.stats.clone(),
        };
        let (request, filters) = (self.request.clone(), self.late.clone());
        let start = async move {
            let mut known = request.known.clone();
            late::bind(&request.table, &filters, request.pushdown, &mut known).await?;
            if let Some(column) = Self::unbound(&request, &known) {
                return Err(to_datafusion(not_bound(&request.table, column)));
            }
            let mut read = decide(&request, &known)?;
            let parents = request.table.parent.iter().flat_map(|parent| &parent.columns);
            read.gathered = parents
                .into_iter()
                .any(|&(here, _)| known.get(here) != request.known.get(here));
            Ok::<_, datafusion::error::DataFusionError>(open(scope, read).map_err(to_datafusion))
        };
        let stream = futures::stream::once(start).try_flatten().boxed();
        Ok(Box::pin(RecordBatchStreamAdapter::new(self.schema.clone(), stream)))
    }
}

impl DisplayAs for ScanExec {
    fn fmt_as(&self, _: DisplayFormatType, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "SiteScan: table={}, ", self.request.table.name)?;
        show(f, &self.read, &self.request.site)?;
        let ScanRequest {
            exact, checked, residue, ..
        } = &self.request;
        for (name, predicates) in [("exact", exact), ("checked", checked), ("residue", residue)] {
            if !predicates.is_empty() {
                write!(f, ", {name}=[{}]", predicates.join(", "))?;
            }
        }
        if let Some(limit) = self.request.limit {
            write!(f, ", limit={limit}")?;
        }
        if self.is_bound_late() {
            let filters: Vec<String> = self
                .late
                .iter()
                .flat_map(late::columns)
                .map(|column| column.to_string())
                .collect();
            write!(f, ", late=[{}]", filters.join(", "))?;
        }
        Ok(())
    }
}

/// The access path of a read and its requests.
fn show(f: &mut fmt::Formatter<'_>, read: &Read, site: &Site) -> fmt::Result {
    let table = &read.table;
    let columns: Vec<usize> = read.needed().collect();
    let wants = Wants::of(table, &columns, None);
    match &read.path {
        Path::Empty => write!(f, "access=none, requests=0"),
        Path::Search(search) => show_search(f, search, read),
        Path::Unbound(message, _) => write!(f, "access=late, needs: {message}"),
        Path::Calls(calls) => {
            let Some(first) = calls.first() else { return Ok(()) };
            let one_each = matches!(first.endpoint, crate::rest::plan::EndpointRef::Get(_));
            write!(
                f,
                "access={}, {}",
                if one_each { "get" } else { "list" },
                describe(table, first, &wants)
            )?;
            if calls.len() > 1 {
                write!(f, " and {} more", calls.len() - 1)?;
            }
            let small = read.limit.is_some_and(|limit| limit <= table.page.max) && calls.len() == 1;
            if one_each || small {
                return write!(f, ", requests={}", calls.len());
            }
            // What the same lists took when they were last read is the best guess there is.
            let sizes = calls.iter().map(|call| site.context().sizes.pages(table, call));
            let unlisted = if read.unlisted.is_some() {
                " and 1 per key not listed"
            } else {
                ""
            };
            match sizes.sum::<Option<usize>>() {
                Some(pages) => write!(f, ", requests≈{pages}{unlisted}"),
                None => write!(f, ", requests={}+{unlisted}", calls.len()),
            }
        }
        Path::Embedded(embedded) => {
            let Some(first) = embedded.calls.first() else { return Ok(()) };
            let wants = crate::rest::read::embedded_wants(read, embedded);
            write!(f, "access=embedded, {}", describe(&embedded.root, first, &wants))?;
            if embedded.calls.len() > 1 {
                write!(f, " and {} more", embedded.calls.len() - 1)?;
            }
            write!(
                f,
                ", requests=1 per {} {}, and 1 per embedded page that is cut",
                embedded.root.page.max, embedded.root.name
            )
        }
        Path::Fan(fan) => {
            write!(
                f,
                "access=fan-out, {}, requests=1 per row of [{}: ",
                describe(table, &fan.call, &wants),
                fan.source.table.name
            )?;
            show(f, &fan.source, site)?;
            write!(f, "]")
        }
    }
}
