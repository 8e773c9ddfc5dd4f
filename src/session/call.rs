//! Statements that the engine does not plan as they are meant: CALL and EXECUTE of a procedure, named arguments of a procedure in FROM,
//! and INSERT … RETURNING.

use std::ops::ControlFlow;
use std::sync::Arc;

use datafusion::common::tree_node::{Transformed, TreeNode};
use datafusion::common::{DFSchema, TableReference};
use datafusion::error::DataFusionError;
use datafusion::execution::SessionState;
use datafusion::logical_expr::{Expr, LogicalPlan};
use datafusion::sql::parser::Statement as SqlStatement;
use datafusion::sql::sqlparser::ast::{
    BinaryOperator, Expr as SqlExpr, ExprWithAlias, FunctionArg, FunctionArgExpr, FunctionArguments, Ident, Insert, ObjectName,
    Statement, TableFactor, TableObject, Value, ValueWithSpan, VisitMut, VisitorMut, visit_expressions,
};

use super::wildcard::Wildcards;
use crate::connection::PseudoColumns;
use crate::error::{Error, ErrorKind, Result};
use crate::rest::site::Site;
use crate::schema::{Catalog, Procedure};
use crate::table::{CallNode, insert_returning, to_datafusion, usage};

/// What statements may call.
#[derive(Debug, Clone)]
pub(super) struct Procedures {
    pub(super) site: Arc<Site>,
    pub(super) catalog: Arc<Catalog>,
    /// Input columns that `RETURNING *` shows too.
    pub(super) shown: PseudoColumns,
}

impl Procedures {
    /// The plan of one statement; nothing runs.
    pub(super) async fn plan(&self, state: &SessionState, mut statement: SqlStatement) -> Result<LogicalPlan, DataFusionError> {
        if let SqlStatement::Statement(inner) = &mut statement {
            match inner.as_mut() {
                Statement::Insert(insert) if insert.returning.is_some() => return self.returning(state, insert).await,
                other => {
                    if let Some((procedure, arguments)) = self.call(other).map_err(to_datafusion)? {
                        return self.call_plan(state, &procedure, arguments);
                    }
                    if let ControlFlow::Break(error) = other.visit(&mut Names(self)) {
                        return Err(to_datafusion(error));
                    }
                }
            }
        }
        state.statement_to_plan(statement).await
    }

    /// The procedure that a statement calls; EXECUTE of anything else is that of a prepared statement.
    fn call(&self, statement: &Statement) -> Result<Option<(Arc<Procedure>, Vec<Argument>)>> {
        match statement {
            Statement::Call(function) => {
                let procedure = self.find(&function.name).ok_or_else(|| {
                    let known: Vec<&str> = self
                        .catalog
                        .procedures()
                        .iter()
                        .map(|procedure| procedure.name.as_str())
                        .collect();
                    Error::new(ErrorKind::Statement, format!("there is no procedure {}", function.name))
                        .hint(format!("there are {}", known.join(", ")))
                })?;
                let arguments = match &function.args {
                    FunctionArguments::None => Vec::new(),
                    FunctionArguments::List(list) => list.args.iter().map(Argument::read).collect::<Result<_>>()?,
                    FunctionArguments::Subquery(_) => {
                        return Err(
                            Error::new(ErrorKind::Unsupported, "a procedure takes no subquery as its arguments")
                                .hint(usage(&procedure)),
                        );
                    }
                };
                Ok(Some((procedure, arguments)))
            }
            Statement::Execute {
                name: Some(name),
                parameters,
                ..
            } => Ok(self
                .find(name)
                .map(|procedure| (procedure, parameters.iter().map(Argument::assigned).collect()))),
            _ => Ok(None),
        }
    }

    /// The procedure of this name.
    pub(super) fn find(&self, name: &ObjectName) -> Option<Arc<Procedure>> {
        let last = name.0.last()?.as_ident()?;
        self.catalog.procedure(&last.value.to_lowercase()).cloned()
    }

    fn call_plan(
        &self,
        state: &SessionState,
        procedure: &Arc<Procedure>,
        arguments: Vec<Argument>,
    ) -> Result<LogicalPlan, DataFusionError> {
        let arguments = positions(procedure, arguments)
            .map_err(to_datafusion)?
            .into_iter()
            .map(|(parameter, expression)| {
                let asks = |expression: &SqlExpr| match expression {
                    SqlExpr::Subquery(_) | SqlExpr::Exists { .. } | SqlExpr::InSubquery { .. } => ControlFlow::Break(()),
                    _ => ControlFlow::Continue(()),
                };
                if visit_expressions(&expression, asks).is_break() {
                    let error = Error::new(
                        ErrorKind::Unsupported,
                        format!("{}: an argument cannot be a subquery", procedure.name),
                    );
                    return Err(to_datafusion(
                        error.hint("SELECT the value first and give it as a constant or parameter"),
                    ));
                }
                let written = ExprWithAlias {
                    expr: expression,
                    alias: None,
                };
                Ok((
                    parameter,
                    state.create_logical_expr_from_sql_expr(written, &DFSchema::empty())?,
                ))
            })
            .collect::<Result<Vec<(usize, Expr)>, DataFusionError>>()?;
        CallNode::plan(self.site.clone(), self.catalog.clone(), procedure.clone(), arguments).map_err(to_datafusion)
    }

    /// INSERT … RETURNING: the columns are planned as those of a SELECT from the table, and the table is then replaced by the INSERT.
    async fn returning(&self, state: &SessionState, insert: &mut Insert) -> Result<LogicalPlan, DataFusionError> {
        let items = insert.returning.take().unwrap_or_default();
        let TableObject::TableName(name) = &insert.table else {
            let error = Error::new(ErrorKind::Unsupported, "rows are inserted into tables only").hint("name the table");
            return Err(to_datafusion(error));
        };
        let items: Vec<String> = items.iter().map(ToString::to_string).collect();
        let select = format!("SELECT {} FROM {name}", items.join(", "));
        let mut select = state.sql_to_statement(&select, &state.config_options().sql_parser.dialect)?;
        if let SqlStatement::Statement(select) = &mut select {
            let ControlFlow::Continue(()) = select.visit(&mut Wildcards::new(&self.catalog, &self.shown));
        }
        let select = state.statement_to_plan(select).await?;
        let insert = SqlStatement::Statement(Box::new(Statement::Insert(insert.clone())));
        let insert = state.statement_to_plan(insert).await?;
        let Some(write) = insert_returning(&insert)? else {
            let error = Error::new(ErrorKind::Unsupported, "RETURNING is for tables of the site")
                .hint("leave it out, and SELECT the rows afterwards");
            return Err(to_datafusion(error));
        };
        if self.site.writing.dry_run {
            return Ok(write);
        }
        let mut write = Some(write);
        let replaced = select.transform_up(|node| match &node {
            LogicalPlan::TableScan(scan) => {
                let name = scan.table_name.clone();
                match write.take() {
                    Some(write) => Ok(Transformed::yes(aliased(write, name)?)),
                    None => Ok(Transformed::no(node)),
                }
            }
            _ => Ok(Transformed::no(node)),
        });
        replaced.map(|replaced| replaced.data)
    }
}

/// A statement as a log may show it: where a procedure takes secrets, without any constant.
pub(super) fn shown(statement: &SqlStatement, catalog: &Catalog) -> String {
    let text = statement.to_string();
    match with_secrets_in(&text, catalog) {
        Some(_) => without_constants(statement),
        None => text,
    }
}

/// Procedures that take secrets.
pub(super) fn with_secrets(catalog: &Catalog) -> impl Iterator<Item = &Arc<Procedure>> {
    catalog
        .procedures()
        .iter()
        .filter(|procedure| procedure.secret.contains(&true))
}

/// A procedure that takes secrets and that a text names.
pub(super) fn with_secrets_in<'a>(text: &str, catalog: &'a Catalog) -> Option<&'a str> {
    let lower = text.to_lowercase();
    with_secrets(catalog)
        .map(|procedure| procedure.name.as_str())
        .find(|name| lower.contains(name))
}

/// A statement with `?` for each constant.
pub(super) fn without_constants(statement: &SqlStatement) -> String {
    match statement {
        SqlStatement::Statement(inner) => {
            let mut inner = inner.clone();
            let ControlFlow::Continue(()) = inner.visit(&mut Veil);
            inner.to_string()
        }
        SqlStatement::Explain(explain) => format!("EXPLAIN {}", without_constants(&explain.statement)),
        // What the engine adds to SQL; the site has none of it.
        _ => "OTHER".to_owned(),
    }
}

/// Replaces constants.
struct Veil;

impl VisitorMut for Veil {
    type Break = std::convert::Infallible;

    fn pre_visit_value(&mut self, value: &mut ValueWithSpan) -> ControlFlow<Self::Break> {
        value.value = Value::Placeholder("?".to_owned());
        ControlFlow::Continue(())
    }
}

fn aliased(plan: LogicalPlan, name: TableReference) -> Result<LogicalPlan, DataFusionError> {
    datafusion::logical_expr::LogicalPlanBuilder::from(plan).alias(name)?.build()
}

/// An argument as it is written.
struct Argument {
    name: Option<String>,
    value: SqlExpr,
}

impl Argument {
    /// `value`, `name => value`, `name := value`.
    fn read(argument: &FunctionArg) -> Result<Self> {
        let (name, value) = match argument {
            FunctionArg::Named { name, arg, .. } => (Some(name.value.clone()), arg),
            FunctionArg::ExprNamed { name, arg, .. } => (Some(name.to_string()), arg),
            FunctionArg::Unnamed(arg) => (None, arg),
        };
        match value {
            FunctionArgExpr::Expr(value) => Ok(match name {
                None => Self::assigned(value),
                name => Self {
                    name,
                    value: value.clone(),
                },
            }),
            _ => Err(
                Error::new(ErrorKind::Statement, format!("{argument} is no argument of a procedure")).hint("write name => value"),
            ),
        }
    }

    /// `name = value`, `@name = value`, or a value alone.
    fn assigned(value: &SqlExpr) -> Self {
        if let SqlExpr::BinaryOp {
            left,
            op: BinaryOperator::Eq,
            right,
        } = value
            && let SqlExpr::Identifier(name) = left.as_ref()
        {
            return Self {
                name: Some(name.value.clone()),
                value: right.as_ref().clone(),
            };
        }
        Self {
            name: None,
            value: value.clone(),
        }
    }
}

/// The parameter of each argument: by name, or by position before the first name.
fn positions(procedure: &Procedure, arguments: Vec<Argument>) -> Result<Vec<(usize, SqlExpr)>> {
    let wrong = |what: String| Error::new(ErrorKind::Statement, format!("{}: {what}", procedure.name)).hint(usage(procedure));
    let mut found: Vec<(usize, SqlExpr)> = Vec::new();
    let mut named = false;
    for (position, argument) in arguments.into_iter().enumerate() {
        let parameter = match argument.name {
            Some(name) => {
                named = true;
                let plain = name.trim_start_matches('@').to_lowercase();
                let position = procedure.parameters.iter().position(|parameter| parameter.name == plain);
                position.ok_or_else(|| wrong(format!("there is no parameter {plain}")))?
            }
            None if named => return Err(wrong("a value without a name follows one with a name".to_owned())),
            None if position < procedure.parameters.len() => position,
            None => return Err(wrong(format!("there are only {} parameters", procedure.parameters.len()))),
        };
        if found.iter().any(|(known, _)| *known == parameter) {
            return Err(wrong(format!(
                "the parameter {} is given twice",
                procedure.parameters[parameter].name
            )));
        }
        found.push((parameter, argument.value));
    }
    Ok(found)
}

/// Puts named arguments of procedures in FROM in order: the engine takes them by position only.
struct Names<'a>(&'a Procedures);

impl Names<'_> {
    fn order(&self, name: &mut ObjectName, arguments: &mut Vec<FunctionArg>) -> Result<()> {
        let Some(procedure) = self.0.find(name) else { return Ok(()) };
        // CALL takes a procedure with its schema, and so does FROM; the engine knows functions by their bare name.
        *name = ObjectName::from(vec![Ident::new(procedure.name.clone())]);
        if arguments.iter().all(|argument| matches!(argument, FunctionArg::Unnamed(_))) {
            return Ok(());
        }
        let read = arguments.iter().map(Argument::read).collect::<Result<_>>()?;
        let found = positions(&procedure, read)?;
        let last = found.iter().map(|(parameter, _)| *parameter).max().unwrap_or_default();
        let mut ordered = vec![SqlExpr::value(Value::Null); last + 1];
        for (parameter, value) in found {
            ordered[parameter] = value;
        }
        *arguments = ordered
            .into_iter()
            .map(|value| FunctionArg::Unnamed(FunctionArgExpr::Expr(value)))
            .collect();
        Ok(())
    }
}

impl VisitorMut for Names<'_> {
    type Break = Error;

    fn pre_visit_table_factor(&mut self, factor: &mut TableFactor) -> ControlFlow<Error> {
        let outcome = match factor {
            TableFactor::Table {
                name,
                args: Some(arguments),
                ..
            } => self.order(name, &mut arguments.args),
            TableFactor::Function { name, args, .. } => self.order(name, args),
            _ => Ok(()),
        };
        match outcome {
            Ok(()) => ControlFlow::Continue(()),
            Err(error) => ControlFlow::Break(error),
        }
    }
}
