//! A procedure in a plan: the logical node that CALL and the table function share, what plans it, and the plan node that runs it.
//!
//! Front ends plan a statement several times, so nothing runs before the stream is polled. A statement that reads one call several times
//! (a common table expression does) runs it once: the result is kept with the [`Calls`] of the statement.

use std::cmp::Ordering;
use std::collections::HashMap;
use std::fmt;
use std::hash::{Hash, Hasher};
use std::sync::atomic::{AtomicU64, Ordering::Relaxed};
use std::sync::{Arc, Mutex, PoisonError};

use async_trait::async_trait;
use datafusion::arrow::array::{ArrayRef, RecordBatch, RecordBatchOptions};
use datafusion::arrow::compute::{CastOptions, cast_with_options};
use datafusion::arrow::datatypes::{Schema, SchemaRef};
use datafusion::catalog::{Session, TableFunctionArgs, TableFunctionImpl, TableProvider};
use datafusion::common::tree_node::{Transformed, TreeNode, TreeNodeRecursion};
use datafusion::common::{DFSchema, DFSchemaRef, ScalarValue, internal_err};
use datafusion::datasource::ViewTable;
use datafusion::error::Result;
use datafusion::execution::{SendableRecordBatchStream, TaskContext};
use datafusion::logical_expr::physical_planning_context::PhysicalPlanningContext;
use datafusion::logical_expr::{Expr, Extension, LogicalPlan, UserDefinedLogicalNode, UserDefinedLogicalNodeCore};
use datafusion::physical_expr::{EquivalenceProperties, Partitioning, PhysicalExpr};
use datafusion::physical_plan::execution_plan::{Boundedness, EmissionType, ReplaceChildrenOptions};
use datafusion::physical_plan::stream::RecordBatchStreamAdapter;
use datafusion::physical_plan::{DisplayAs, DisplayFormatType, ExecutionPlan, PlanProperties};
use datafusion::physical_planner::{ExtensionPlanner, PhysicalPlanner};
use futures::StreamExt;
use tokio::sync::OnceCell;

use super::{for_each_node, to_datafusion};
use crate::error::{Error, ErrorKind};
use crate::http::Statement;
use crate::rest::arrow_field;
use crate::rest::invoke::{check, invoke, result_schema};
use crate::rest::read::Scope;
use crate::rest::site::Site;
use crate::rest::value::Value;
use crate::schema::{Action, Catalog, Procedure};

/// What the calls of one statement have answered.
#[derive(Debug, Default)]
pub(crate) struct Calls(Mutex<HashMap<u64, Answer>>);

type Answer = Arc<OnceCell<Result<RecordBatch, Error>>>;

impl Calls {
    fn of(&self, call: u64) -> Answer {
        let mut calls = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        calls.entry(call).or_default().clone()
    }
}

/// A call of a procedure with its arguments.
#[derive(Debug, Clone)]
pub(crate) struct CallNode {
    /// Tells calls apart, also where they are written alike.
    id: u64,
    site: Arc<Site>,
    catalog: Arc<Catalog>,
    procedure: Arc<Procedure>,
    /// Parameters that are given, in the order of the arguments.
    given: Vec<usize>,
    arguments: Vec<Expr>,
    schema: DFSchemaRef,
}

impl CallNode {
    /// A plan that calls the procedure with the arguments, given as (parameter, expression).
    ///
    /// # Errors
    /// A required parameter is missing, or the connection is read-only and the procedure changes the site.
    pub(crate) fn plan(
        site: Arc<Site>,
        catalog: Arc<Catalog>,
        procedure: Arc<Procedure>,
        arguments: Vec<(usize, Expr)>,
    ) -> Result<LogicalPlan, Error> {
        static NEXT: AtomicU64 = AtomicU64::new(1);
        if site.writing.readonly && procedure.changes {
            return Err(Error::new(
                ErrorKind::Permission,
                format!(
                    "{} is refused: it changes the site, and the connection is read-only",
                    procedure.name
                ),
            )
            .hint("connect with Readonly=false to run it"));
        }
        // Present or not is known now; the values are checked when there are values.
        let mut present = vec![None; procedure.parameters.len()];
        for (parameter, expression) in &arguments {
            let is_null = matches!(expression, Expr::Literal(value, _) if value.is_null());
            present[*parameter] = (!is_null).then_some(());
        }
        if let Some(missing) = (0..present.len()).find(|&index| procedure.parameters[index].required && present[index].is_none())
        {
            return Err(Error::new(
                ErrorKind::Statement,
                format!(
                    "{}: the parameter {} is required",
                    procedure.name, procedure.parameters[missing].name
                ),
            )
            .hint(usage(&procedure)));
        }
        let typed = |(parameter, expression): (usize, Expr)| {
            let field = Arc::new(arrow_field(&procedure.parameters[parameter]).with_nullable(true));
            let typed = expression.transform(|expression| match expression {
                Expr::Placeholder(mut placeholder) if placeholder.field.is_none() => {
                    placeholder.field = Some(field.clone());
                    Ok(Transformed::yes(Expr::Placeholder(placeholder)))
                }
                other => Ok(Transformed::no(other)),
            });
            typed.map(|typed| (parameter, typed.data))
        };
        let arguments = arguments
            .into_iter()
            .map(typed)
            .collect::<Result<Vec<_>>>()
            .map_err(super::from_datafusion)?;
        let schema = DFSchema::try_from(result_schema(&procedure, site.writing.dry_run)).map_err(super::from_datafusion)?;
        let (given, arguments) = arguments.into_iter().unzip();
        Ok(LogicalPlan::Extension(Extension {
            node: Arc::new(Self {
                id: NEXT.fetch_add(1, Relaxed),
                site,
                catalog,
                procedure,
                given,
                arguments,
                schema: Arc::new(schema),
            }),
        }))
    }

    /// Whether a plan calls a procedure.
    pub(crate) fn is_in(plan: &LogicalPlan) -> bool {
        let mut found = false;
        for_each_node(plan, |_: &Self| found = true);
        found
    }

    /// The calls of a plan that change the site, with the names of their procedures.
    pub(crate) fn changing(plan: &LogicalPlan) -> HashMap<u64, String> {
        let mut found = HashMap::new();
        for_each_node(plan, |node: &Self| {
            if node.procedure.changes {
                found.insert(node.id, node.procedure.name.clone());
            }
        });
        found
    }
}

/// How a procedure is called, for hints.
pub(crate) fn usage(procedure: &Procedure) -> String {
    let parameters: Vec<String> = procedure
        .parameters
        .iter()
        .map(|parameter| {
            let text = format!("{} => …", parameter.name);
            if parameter.required { text } else { format!("[{text}]") }
        })
        .collect();
    format!("CALL {}({})", procedure.name, parameters.join(", "))
}

impl PartialEq for CallNode {
    fn eq(&self, other: &Self) -> bool {
        self.id == other.id && self.arguments == other.arguments
    }
}

impl Eq for CallNode {}

impl Hash for CallNode {
    fn hash<H: Hasher>(&self, state: &mut H) {
        self.id.hash(state);
        self.arguments.hash(state);
    }
}

impl PartialOrd for CallNode {
    fn partial_cmp(&self, other: &Self) -> Option<Ordering> {
        self.id.partial_cmp(&other.id)
    }
}

impl UserDefinedLogicalNodeCore for CallNode {
    fn name(&self) -> &'static str {
        "SiteCall"
    }

    fn inputs(&self) -> Vec<&LogicalPlan> {
        Vec::new()
    }

    fn schema(&self) -> &DFSchemaRef {
        &self.schema
    }

    fn expressions(&self) -> Vec<Expr> {
        self.arguments.clone()
    }

    fn fmt_for_explain(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let arguments: Vec<String> = self
            .given
            .iter()
            .zip(&self.arguments)
            .map(|(&parameter, argument)| match self.procedure.secret[parameter] {
                true => format!("{} => ***", self.procedure.parameters[parameter].name),
                false => format!("{} => {argument}", self.procedure.parameters[parameter].name),
            })
            .collect();
        write!(f, "SiteCall: {}({})", self.procedure.name, arguments.join(", "))
    }

    fn with_exprs_and_inputs(&self, arguments: Vec<Expr>, inputs: Vec<LogicalPlan>) -> Result<Self> {
        if !inputs.is_empty() || arguments.len() != self.arguments.len() {
            return internal_err!("a call has its arguments and no input");
        }
        Ok(Self {
            arguments,
            ..self.clone()
        })
    }
}

/// Plans [`CallNode`]: the arguments get their values and are checked, nothing is sent.
#[derive(Debug)]
pub(crate) struct CallPlanner;

#[async_trait]
impl ExtensionPlanner for CallPlanner {
    async fn plan_extension(
        &self,
        _: &dyn PhysicalPlanner,
        node: &dyn UserDefinedLogicalNode,
        _: &[&LogicalPlan],
        _: &[Arc<dyn ExecutionPlan>],
        session: &dyn Session,
        _: &PhysicalPlanningContext,
    ) -> Result<Option<Arc<dyn ExecutionPlan>>> {
        let Some(node) = node.as_any().downcast_ref::<CallNode>() else {
            return Ok(None);
        };
        let parameters = &node.procedure.parameters;
        let mut arguments: Vec<Option<Value>> = vec![None; parameters.len()];
        let strict = CastOptions {
            safe: false,
            ..CastOptions::default()
        };
        for (&parameter, expression) in node.given.iter().zip(&node.arguments) {
            let column = &parameters[parameter];
            let wrong = |what: String| {
                let message = format!("{}: the parameter {} {what}", node.procedure.name, column.name);
                to_datafusion(Error::new(ErrorKind::Statement, message).hint(usage(&node.procedure)))
            };
            let value = constant(session, expression.clone())?;
            let value = cast_with_options(&value, arrow_field(column).data_type(), &strict).map_err(|_| {
                match node.procedure.secret[parameter] {
                    true => wrong(format!("takes a {}", column.kind.sql_name())),
                    false => wrong(format!("takes a {}, not {expression}", column.kind.sql_name())),
                }
            })?;
            let value = Value::read(column, &value, 0).map_err(|what| wrong(format!("cannot be used: {what}")))?;
            arguments[parameter] = Some(value).filter(|value| *value != Value::Null);
        }
        check(&node.procedure, &arguments).map_err(to_datafusion)?;
        Ok(Some(Arc::new(CallExec::new(node, arguments))))
    }
}

/// The value of an expression without columns, as an array of one.
pub(crate) fn constant(session: &dyn Session, expression: Expr) -> Result<ArrayRef> {
    let one = RecordBatch::try_new_with_options(
        Arc::new(Schema::empty()),
        Vec::new(),
        &RecordBatchOptions::new().with_row_count(Some(1)),
    )?;
    session
        .create_physical_expr(expression, &DFSchema::empty())?
        .evaluate(&one)?
        .into_array(1)
}

/// Runs a procedure.
#[derive(Debug)]
struct CallExec {
    id: u64,
    site: Arc<Site>,
    catalog: Arc<Catalog>,
    procedure: Arc<Procedure>,
    arguments: Vec<Option<Value>>,
    schema: SchemaRef,
    properties: Arc<PlanProperties>,
}

impl CallExec {
    fn new(node: &CallNode, arguments: Vec<Option<Value>>) -> Self {
        let schema: SchemaRef = Arc::new(node.schema.as_arrow().clone());
        let properties = PlanProperties::new(
            EquivalenceProperties::new(schema.clone()),
            Partitioning::UnknownPartitioning(1),
            EmissionType::Final,
            Boundedness::Bounded,
        );
        Self {
            id: node.id,
            site: node.site.clone(),
            catalog: node.catalog.clone(),
            procedure: node.procedure.clone(),
            arguments,
            schema,
            properties: Arc::new(properties),
        }
    }
}

impl ExecutionPlan for CallExec {
    fn name(&self) -> &'static str {
        "SiteCall"
    }

    fn properties(&self) -> &Arc<PlanProperties> {
        &self.properties
    }

    fn children(&self) -> Vec<&Arc<dyn ExecutionPlan>> {
        Vec::new()
    }

    fn replace_children(
        self: Arc<Self>,
        _: Vec<Arc<dyn ExecutionPlan>>,
        _: ReplaceChildrenOptions,
    ) -> Result<Arc<dyn ExecutionPlan>> {
        Ok(self)
    }

    fn with_new_children(self: Arc<Self>, _: Vec<Arc<dyn ExecutionPlan>>) -> Result<Arc<dyn ExecutionPlan>> {
        Ok(self)
    }

    fn apply_expressions(
        &self,
        _: &mut dyn FnMut(&Arc<dyn PhysicalExpr>) -> Result<TreeNodeRecursion>,
    ) -> Result<TreeNodeRecursion> {
        Ok(TreeNodeRecursion::Continue)
    }

    fn execute(&self, partition: usize, context: Arc<TaskContext>) -> Result<SendableRecordBatchStream> {
        if partition != 0 {
            return internal_err!("a call has one partition, not {partition}");
        }
        let statement = context
            .session_config()
            .get_extension::<Statement>()
            .unwrap_or_else(|| Statement::new(0, None));
        let answer = context
            .session_config()
            .get_extension::<Calls>()
            .unwrap_or_default()
            .of(self.id);
        let scope = Scope {
            site: self.site.clone(),
            statement,
            stats: Arc::default(),
        };
        let (catalog, procedure, arguments) = (self.catalog.clone(), self.procedure.clone(), self.arguments.clone());
        let done = async move {
            let run = || async { invoke(scope, &catalog, &procedure, arguments).await };
            match answer.get_or_init(run).await {
                Ok(batch) => Ok(batch.clone()),
                Err(error) => Err(to_datafusion(error.again())),
            }
        };
        let stream = futures::stream::once(done).boxed();
        Ok(Box::pin(RecordBatchStreamAdapter::new(self.schema.clone(), stream)))
    }
}

impl DisplayAs for CallExec {
    fn fmt_as(&self, _: DisplayFormatType, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "SiteCall: procedure={}", self.procedure.name)?;
        match &self.procedure.action {
            Action::Steps(steps) => {
                for step in steps {
                    let endpoint = &step.operation.endpoint;
                    write!(f, ", {} {}", endpoint.verb.as_str(), endpoint.template)?;
                }
            }
            Action::Schema { .. } => write!(f, ", requests=0")?,
            Action::OAuth(_) => write!(f, ", authorization server")?,
        }
        let names: Vec<&str> = (self.procedure.parameters.iter().zip(&self.arguments))
            .filter(|(_, argument)| argument.is_some())
            .map(|(parameter, _)| parameter.name.as_str())
            .collect();
        write!(f, ", arguments=[{}]", names.join(", "))
    }
}

/// A procedure as a function in FROM: `SELECT * FROM p(…)`. Arguments are by position; NULL stands for one that is not given.
#[derive(Debug)]
pub(crate) struct ProcedureFunction {
    pub(crate) site: Arc<Site>,
    pub(crate) catalog: Arc<Catalog>,
    pub(crate) procedure: Arc<Procedure>,
}

impl TableFunctionImpl for ProcedureFunction {
    fn call_with_args(&self, arguments: TableFunctionArgs) -> Result<Arc<dyn TableProvider>> {
        let given = arguments.exprs();
        if given.len() > self.procedure.parameters.len() {
            return Err(to_datafusion(
                Error::new(
                    ErrorKind::Statement,
                    format!(
                        "{} takes {} arguments, not {}",
                        self.procedure.name,
                        self.procedure.parameters.len(),
                        given.len()
                    ),
                )
                .hint(usage(&self.procedure)),
            ));
        }
        let is_null = |expression: &Expr| matches!(expression, Expr::Literal(value, _) if *value == ScalarValue::Null);
        let arguments = given
            .iter()
            .cloned()
            .enumerate()
            .filter(|(_, expression)| !is_null(expression))
            .collect();
        let plan =
            CallNode::plan(self.site.clone(), self.catalog.clone(), self.procedure.clone(), arguments).map_err(to_datafusion)?;
        Ok(Arc::new(ViewTable::new(plan, None)))
    }
}
