//! From a parsed statement to a running plan.

use std::sync::Arc;

use datafusion::common::display::{PlanType, ToStringifiedPlan};
use datafusion::common::format::ExplainStatementOptions;
use datafusion::common::tree_node::{Transformed, TreeNode};
use datafusion::common::{DFSchema, ParamValues, ScalarValue, internal_err};
use datafusion::error::DataFusionError;
use datafusion::execution::SessionState;
use datafusion::logical_expr::{
    Analyze, EmptyRelation, Explain, Expr, LogicalPlan, LogicalPlanBuilder, Prepare, Statement as LogicalStatement,
};
use datafusion::prelude::SessionContext;
use datafusion::sql::parser::{ExplainStatement, Statement as SqlStatement};
use datafusion::sql::sqlparser::ast::{
    DataType as SqlType, Expr as SqlExpr, ExprWithAlias, Ident, ObjectName, Statement as AstStatement,
};

use super::call::{Procedures, with_secrets_in};
use super::held::HeldExec;
use super::named::{NamedStatements, plain};
use super::placeholder::parameters;
use super::planning::optimizing;
use super::rows::Rows;
use super::temp::{Scratch, check_write};
use super::{fields, guard, listed, names, overflow};
use crate::catalog::with_names;
use crate::error::{Error, ErrorKind};
use crate::http::Statement;
use crate::table::{CallNode, WriteNode, constant, to_datafusion};

/// Plans one statement.
pub(super) struct Planner {
    pub(super) state: SessionState,
    pub(super) context: SessionContext,
    pub(super) procedures: Procedures,
    pub(super) scratch: Arc<Scratch>,
    pub(super) named: Arc<NamedStatements>,
}

impl Planner {
    /// The plan of a statement; nothing runs.
    pub(super) async fn plan(&self, mut statement: SqlStatement) -> Result<LogicalPlan, DataFusionError> {
        let names = names::names(&statement);
        let (state, procedures) = (&self.state, &self.procedures);
        let planned = async {
            fields::by_name(state, &mut statement).await?;
            match statement {
                SqlStatement::Explain(explain) => {
                    let inner = procedures.plan(state, *explain.statement).await?;
                    if explain.options.analyze && has_effects(&inner) {
                        let error = Error::new(
                            ErrorKind::Unsupported,
                            "EXPLAIN ANALYZE would run the statement, and EXPLAIN never writes",
                        )
                        .hint("EXPLAIN shows the requests; connect with DryRun=true to see their bodies");
                        return Err(to_datafusion(error));
                    }
                    explained(state, explain.options, inner).await
                }
                SqlStatement::CopyTo(_) => Err(to_datafusion(guard::no_files())),
                SqlStatement::Statement(inner) => match *inner {
                    AstStatement::Prepare {
                        name,
                        data_types,
                        statement,
                    } => self.prepared(&name, data_types, *statement).await,
                    inner => procedures.plan(state, SqlStatement::Statement(Box::new(inner))).await,
                },
                statement => procedures.plan(state, statement).await,
            }
        };
        let plan = with_names(names, self.state.config().get_extension::<Statement>(), planned).await?;
        match plan {
            LogicalPlan::Statement(statement) if self.procedures.site.writing.served && sets_runtime(&statement) => {
                let error = Error::new(ErrorKind::Permission, "the server's limits are not set by its clients");
                Err(to_datafusion(error.hint("ask who runs the server to raise them")))
            }
            LogicalPlan::Dml(dml) => {
                check_write(&dml).map_err(to_datafusion)?;
                Ok(LogicalPlan::Dml(dml))
            }
            LogicalPlan::Ddl(ddl) => self.scratch.check(ddl).map(LogicalPlan::Ddl).map_err(to_datafusion),
            plan => Ok(plan),
        }
    }

    /// The plan with its types, and with what is not allowed refused.
    pub(super) fn analyzed(&self, plan: LogicalPlan, is_open: bool) -> Result<LogicalPlan, DataFusionError> {
        let config = self.state.config_options();
        match self.state.analyzer().execute_and_check(plan.clone(), config, |_, _| {}) {
            // Some functions take no argument whose type is still open; the values will tell.
            Err(_) if is_open => Ok(plan),
            outcome => outcome,
        }
    }

    /// What PREPARE plans: the statement that it keeps, which is planned to see that it can be.
    async fn prepared(
        &self,
        name: &Ident,
        data_types: Vec<SqlType>,
        mut statement: AstStatement,
    ) -> Result<LogicalPlan, DataFusionError> {
        let named = ObjectName::from(vec![name.clone()]);
        if self.procedures.find(&named).is_some() {
            let error = Error::new(
                ErrorKind::Conflict,
                format!("{name} is a procedure, which EXECUTE {name} calls"),
            );
            return Err(to_datafusion(error.hint("choose another name for the statement")));
        }
        // EXECUTE would bring the secret into logs and histories, where nothing tells it from another value.
        if let Some(procedure) = with_secrets_in(&statement.to_string(), &self.procedures.catalog) {
            let message = format!("{procedure} takes secrets, so it cannot be prepared under a name");
            return Err(to_datafusion(
                Error::new(ErrorKind::Unsupported, message).hint("call it, or give the values as parameters of the program"),
            ));
        }
        // The engine reads the names of the types, for a statement that it can plan in any case.
        let any = self
            .state
            .sql_to_statement("SELECT 1", &self.state.config_options().sql_parser.dialect)?;
        let SqlStatement::Statement(any) = any else {
            return internal_err!("SELECT 1 is a statement");
        };
        let typed = SqlStatement::Statement(Box::new(AstStatement::Prepare {
            name: name.clone(),
            data_types,
            statement: any,
        }));
        let LogicalPlan::Statement(LogicalStatement::Prepare(prepare)) = self.state.statement_to_plan(typed).await? else {
            return internal_err!("PREPARE was planned as something else");
        };
        let is_open = !parameters(&mut statement).map_err(to_datafusion)?.is_empty();
        let input = Box::pin(self.plan(SqlStatement::Statement(Box::new(statement)))).await?;
        let input = self.analyzed(input, is_open)?;
        Ok(LogicalPlan::Statement(LogicalStatement::Prepare(Prepare {
            name: plain(name),
            fields: prepare.fields,
            input: Arc::new(input),
        })))
    }

    /// What a statement runs: for EXECUTE of a kept statement that one, with its values; else the statement itself.
    pub(super) fn resolve(
        &self,
        statement: SqlStatement,
        values: Option<ParamValues>,
    ) -> Result<(SqlStatement, Option<ParamValues>), DataFusionError> {
        match statement {
            SqlStatement::Explain(explain) => {
                let (inner, values) = self.resolve(*explain.statement, values)?;
                let explain = ExplainStatement {
                    statement: Box::new(inner),
                    ..explain
                };
                Ok((SqlStatement::Explain(explain), values))
            }
            SqlStatement::Statement(inner) => match *inner {
                AstStatement::Execute {
                    name: Some(name),
                    parameters,
                    using,
                    ..
                } if self.procedures.find(&name).is_none() => {
                    if !using.is_empty() {
                        let error = Error::new(ErrorKind::Unsupported, "EXECUTE takes no USING");
                        return Err(to_datafusion(
                            error.hint("write the values in parentheses: EXECUTE name(value, …)"),
                        ));
                    }
                    let given = parameters.into_iter().map(|value| self.value(value, values.as_ref()));
                    let given = given.collect::<Result<Option<Vec<_>>, _>>()?;
                    let last = name.0.last().and_then(|part| part.as_ident());
                    let name = last.map_or_else(|| name.to_string(), plain);
                    self.named.get(&name, given).map_err(to_datafusion)
                }
                inner => Ok((SqlStatement::Statement(Box::new(inner)), values)),
            },
            other => Ok((other, values)),
        }
    }

    /// The value of a constant expression; `None` where it has a parameter and there are no values.
    fn value(&self, written: SqlExpr, values: Option<&ParamValues>) -> Result<Option<ScalarValue>, DataFusionError> {
        let written = ExprWithAlias {
            expr: written,
            alias: None,
        };
        let expression = self.state.create_logical_expr_from_sql_expr(written, &DFSchema::empty())?;
        let mut open = false;
        let expression = expression.transform(|expression| match (&expression, values) {
            (Expr::Placeholder(placeholder), Some(values)) => {
                let value = values.get_placeholders_with_values(&placeholder.id)?;
                Ok(Transformed::yes(Expr::Literal(value.value, None)))
            }
            (Expr::Placeholder(_), None) => {
                open = true;
                Ok(Transformed::no(expression))
            }
            _ => Ok(Transformed::no(expression)),
        })?;
        if open {
            return Ok(None);
        }
        let expression = overflow::constant(expression.data)?;
        ScalarValue::try_from_array(&constant(&self.state, expression)?, 0).map(Some)
    }

    /// Plans a statement with the values of its parameters, and starts it.
    pub(super) async fn start(
        self,
        statement: SqlStatement,
        values: Option<ParamValues>,
        max_rows: Option<usize>,
        cost: Arc<Statement>,
    ) -> Result<Rows, DataFusionError> {
        let (statement, values) = self.resolve(statement, values)?;
        let written = match &statement {
            SqlStatement::Statement(inner)
                if matches!(inner.as_ref(), AstStatement::Prepare { .. } | AstStatement::Deallocate { .. }) =>
            {
                Some(inner.as_ref().clone())
            }
            _ => None,
        };
        let plan = self.plan(statement).await?;
        let plan = match values {
            Some(values) => plan.with_param_values(values)?,
            None => plan,
        };
        let plan = match (plan, written) {
            (LogicalPlan::Statement(LogicalStatement::Prepare(prepare)), Some(AstStatement::Prepare { statement, .. })) => {
                let kept = self.named.keep(prepare.name, *statement, prepare.fields);
                kept.map_err(to_datafusion)?;
                nothing()
            }
            (LogicalPlan::Statement(LogicalStatement::Deallocate(_)), Some(AstStatement::Deallocate { name, .. })) => {
                self.named.forget(&name).map_err(to_datafusion)?;
                nothing()
            }
            (plan, _) => plan,
        };
        must_run(&self.state, &plan)?;
        for warning in listed::warnings(&plan)? {
            cost.warn(warning, 1);
        }
        let plan = match plan {
            // SET and the like take effect here.
            LogicalPlan::Statement(_) => self.context.execute_logical_plan(plan).await?.into_unoptimized_plan(),
            LogicalPlan::Ddl(ddl) => {
                let stream = self.scratch.run(&self.state, ddl).await?;
                return Ok(Rows::new(stream, cost, None));
            }
            plan => plan,
        };
        // What was done is told whole: fewer rows than were written would look like rows that were not.
        let max_rows = max_rows.filter(|_| !has_effects(&plan));
        let plan = match plan {
            LogicalPlan::Explain(_) | LogicalPlan::Analyze(_) | LogicalPlan::DescribeTable(_) => plan,
            // One row more than allowed tells whether the cap was reached.
            plan => match max_rows {
                Some(most) => LogicalPlanBuilder::from(plan)
                    .limit(0, Some(most + 1))
                    .and_then(LogicalPlanBuilder::build)?,
                None => plan,
            },
        };
        let mut physical = self.state.create_physical_plan(&plan).await.map_err(optimizing)?;
        if let LogicalPlan::Dml(dml) = &plan {
            // What is left of these goes into the scratch schema.
            physical = HeldExec::below(physical, dml.table_name.table(), &self.scratch.held())?;
        }
        let stream = datafusion::physical_plan::execute_stream(physical, self.state.task_ctx())?;
        Ok(Rows::new(stream, cost, max_rows))
    }
}

/// The plan of a statement that answers nothing.
fn nothing() -> LogicalPlan {
    LogicalPlan::EmptyRelation(EmptyRelation {
        produce_one_row: false,
        schema: Arc::new(DFSchema::empty()),
    })
}

/// Checks that a plan still has the calls of procedures that the statement was written for: the optimizer drops what no row comes from.
///
/// # Errors
/// A call would not run.
fn must_run(state: &SessionState, plan: &LogicalPlan) -> Result<(), DataFusionError> {
    let written = CallNode::changing(plan);
    if written.is_empty() || matches!(plan, LogicalPlan::Explain(_) | LogicalPlan::Analyze(_)) {
        return Ok(());
    }
    let left = CallNode::changing(&state.optimize(plan)?);
    match written.into_iter().find(|(call, _)| !left.contains_key(call)) {
        None => Ok(()),
        Some((_, procedure)) => {
            let message = format!("{procedure} would not run: no row of it can come out of this statement; nothing was sent");
            let hint =
                format!("CALL {procedure}(…) runs it, and so does SELECT without a condition or LIMIT 0 that excludes every row");
            Err(to_datafusion(Error::new(ErrorKind::Statement, message).hint(hint)))
        }
    }
}

/// Whether a statement sets what the engine may use of the machine.
fn sets_runtime(statement: &LogicalStatement) -> bool {
    let variable = match statement {
        LogicalStatement::SetVariable(set) => &set.variable,
        LogicalStatement::ResetVariable(reset) => &reset.variable,
        _ => return false,
    };
    variable.to_ascii_lowercase().starts_with("datafusion.runtime")
}

/// Whether running a plan may change the site or the session.
pub(super) fn has_effects(plan: &LogicalPlan) -> bool {
    if matches!(plan, LogicalPlan::Explain(_) | LogicalPlan::Analyze(_)) {
        return false;
    }
    matches!(
        plan,
        LogicalPlan::Dml(_) | LogicalPlan::Ddl(_) | LogicalPlan::Copy(_) | LogicalPlan::Statement(_)
    ) || WriteNode::is_in(plan)
        || CallNode::is_in(plan)
}

/// EXPLAIN of a plan that the engine cannot make from the statement: it makes that of another statement, and the plan takes its place.
async fn explained(
    state: &SessionState,
    options: ExplainStatementOptions,
    inner: LogicalPlan,
) -> Result<LogicalPlan, DataFusionError> {
    let any = state.sql_to_statement("SELECT 1", &state.config_options().sql_parser.dialect)?;
    let explain = SqlStatement::Explain(ExplainStatement {
        options,
        statement: Box::new(any),
    });
    Ok(match state.statement_to_plan(explain).await? {
        LogicalPlan::Explain(explain) => LogicalPlan::Explain(Explain {
            stringified_plans: vec![inner.to_stringified(PlanType::InitialLogicalPlan)],
            plan: Arc::new(inner),
            ..explain
        }),
        LogicalPlan::Analyze(analyze) => LogicalPlan::Analyze(Analyze {
            input: Arc::new(inner),
            ..analyze
        }),
        other => other,
    })
}
