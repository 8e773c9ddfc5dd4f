//! What stands between a text and the planner: statements that are refused, and expressions too long to be planned.
//!
//! # Design
//! The parser builds a chain of operators as a tree that is as deep as the chain is long, and the planner recurses into it; time is worse
//! than linear. So a long chain of equalities over one column becomes an IN list, other long chains of AND and OR become balanced trees,
//! and what is still too long is an error.

use std::collections::HashSet;
use std::ops::ControlFlow;

use datafusion::execution::SessionState;
use datafusion::sql::parser::{DFParserBuilder, Statement as SqlStatement};
use datafusion::sql::sqlparser::ast::{
    AssignmentTarget, BinaryOperator, Delete, Expr, FromTable, Ident, ObjectName, Query, Set, SetExpr, SetOperator,
    SetQuantifier, Statement, TableFactor, Update, Value, VisitMut, VisitorMut,
};
use datafusion::sql::sqlparser::dialect::dialect_from_str;

use super::ParsedStatement;
use super::copy::query;
use super::distinct::turn;
use super::extent::Extent;
use super::heading::Headings;
use super::merged::Merged;
use super::named::plain;
use super::placeholder::parameters;
use super::planning::planning;
use super::spelling::{Clauses, Expressions};
use super::unnest::Unnested;
use super::wildcard::Wildcards;
use super::written::below_insert;
use crate::connection::PseudoColumns;
use crate::error::{Error, ErrorKind, Result};
use crate::schema::Catalog;

/// Longest text of a statement, in bytes.
const MAX_TEXT: usize = 8 << 20;
/// Terms of one chain of operators that the planner takes without growing slow.
const MAX_TERMS: usize = 1_000;

/// Parses a text into statements that can be planned.
pub(super) fn parse(sql: &str, state: &SessionState, catalog: &Catalog, shown: &PseudoColumns) -> Result<Vec<ParsedStatement>> {
    if sql.len() > MAX_TEXT {
        return Err(Error::new(
            ErrorKind::Limit,
            format!("the statement is longer than {} MiB", MAX_TEXT >> 20),
        )
        .hint("read the values from a file or a join instead of writing them out"));
    }
    let options = &state.config_options().sql_parser;
    let dialect = dialect_from_str(options.dialect)
        .ok_or_else(|| Error::new(ErrorKind::Option, format!("there is no SQL dialect {}", options.dialect)))?;
    let statements = DFParserBuilder::new(sql)
        .with_dialect(dialect.as_ref())
        .with_recursion_limit(options.recursion_limit.get())
        .build()
        .and_then(|mut parser| parser.parse_statements())
        .map_err(|error| planning(error, catalog))?;
    statements
        .into_iter()
        .map(|statement| check(statement, Wildcards::new(catalog, shown)))
        .collect()
}

fn check(mut statement: SqlStatement, wildcards: Wildcards<'_>) -> Result<ParsedStatement> {
    let parameters = match &mut statement {
        SqlStatement::Statement(inner) => check_inner(inner.as_mut(), wildcards, false)?,
        SqlStatement::Explain(explain) => match explain.statement.as_mut() {
            SqlStatement::Statement(inner) => check_inner(inner.as_mut(), wildcards, true)?,
            // EXPLAIN ANALYZE of a COPY would write the file.
            SqlStatement::CopyTo(_) | SqlStatement::CreateExternalTable(_) => return Err(no_files()),
            _ => Vec::new(),
        },
        SqlStatement::CopyTo(copy) => {
            let query = query(copy)?;
            let mut inner = Statement::Query(Box::new(query.clone()));
            let parameters = check_inner(&mut inner, wildcards, false)?;
            if let Statement::Query(checked) = inner {
                *query = *checked;
            }
            parameters
        }
        SqlStatement::CreateExternalTable(_) => return Err(no_files()),
        _ => Vec::new(),
    };
    Ok(ParsedStatement { statement, parameters })
}

/// Makes a statement one that can be planned; the names of its parameters.
fn check_inner(inner: &mut Statement, mut wildcards: Wildcards<'_>, explained: bool) -> Result<Vec<String>> {
    if let Statement::Explain { .. } = inner {
        return Err(Error::new(ErrorKind::Unsupported, "EXPLAIN of an EXPLAIN says nothing").hint("explain the statement itself"));
    }
    refuse(inner)?;
    if let Statement::Set(set @ Set::SetTimeZone { .. }) = inner {
        *set = Set::SingleAssignment {
            scope: None,
            hivevar: false,
            variable: ObjectName::from(vec![Ident::new("timezone")]),
            values: vec![Expr::value(Value::SingleQuotedString("UTC".into()))],
        };
    }
    if let ControlFlow::Break(error) = inner.visit(&mut Clauses) {
        return Err(error);
    }
    if let ControlFlow::Break(error) = inner.visit(&mut Chains) {
        // The rest of the chain is as deep as it is long: this thread has the stack to drop it.
        return Err(error);
    }
    if let ControlFlow::Break(error) = inner.visit(&mut Extent::default()) {
        return Err(error);
    }
    if let ControlFlow::Break(error) = inner.visit(&mut Counted) {
        return Err(error);
    }
    if let ControlFlow::Break(error) = inner.visit(&mut Quantified) {
        return Err(error);
    }
    let ControlFlow::Continue(()) = inner.visit(&mut Unnested);
    if let ControlFlow::Break(error) = inner.visit(&mut Merged) {
        return Err(error);
    }
    below_insert(inner);
    let ControlFlow::Continue(()) = inner.visit(&mut wildcards);
    let mut headings = Headings::new(explained);
    let ControlFlow::Continue(()) = inner.visit(&mut headings);
    if let ControlFlow::Break(error) = inner.visit(&mut Expressions) {
        return Err(error);
    }
    parameters(inner)
}

/// Why a statement about files is refused.
pub(super) fn no_files() -> Error {
    Error::new(ErrorKind::Unsupported, "files are not read or written by SQL here")
        .hint("write the rows with `jsmql -o FILE`, or embed the library and use its batches")
}

/// Statements that the engine would take differently from what they say.
fn refuse(statement: &Statement) -> Result<()> {
    let (what, hint) = match statement {
        Statement::StartTransaction { .. }
        | Statement::Commit { .. }
        | Statement::Rollback { .. }
        | Statement::Savepoint { .. } => (
            "the site has no transactions",
            "run the statements one by one; each takes effect by itself",
        ),
        Statement::Merge(_) => (
            "the site has no MERGE",
            "use INSERT … SELECT and UPDATE with a WHERE, one after the other",
        ),
        Statement::Truncate(_) => ("the site has no TRUNCATE", "use DELETE with a WHERE that names the rows"),
        Statement::Update(update) if update.from.is_some() => (
            "UPDATE takes no FROM",
            "set a column to a subquery: SET value = (SELECT … WHERE …), and say which rows by WHERE … IN (SELECT …)",
        ),
        Statement::Update(update) if update.returning.is_some() => (
            "UPDATE answers how many rows it changed, not the rows",
            "leave RETURNING out; SELECT the rows afterwards",
        ),
        Statement::Update(update) if let Some(column) = set_twice(update) => {
            let message = format!("UPDATE sets {column} twice");
            return Err(Error::new(ErrorKind::Statement, message).hint("set each column once"));
        }
        // The engine leaves the alias out, and a name of the table could mean that of a subquery.
        Statement::Delete(delete) if has_alias(delete) => (
            "the table of a DELETE takes no alias",
            "write the name of the table in place of the alias",
        ),
        Statement::Delete(delete) if delete.returning.is_some() => (
            "DELETE answers how many rows it removed, not the rows",
            "leave RETURNING out; SELECT the rows before",
        ),
        Statement::Prepare { statement, .. } => match statement.as_ref() {
            Statement::Execute { .. } | Statement::Prepare { .. } | Statement::Deallocate { .. } => (
                "a statement about prepared statements cannot be prepared",
                "prepare the statement itself; a procedure is prepared as CALL",
            ),
            statement => return refuse(statement),
        },
        Statement::Set(set) => return refuse_set(set),
        Statement::Query(query) if !query.locks.is_empty() => ("the site has no row locks", "leave out FOR UPDATE or FOR SHARE"),
        _ => return Ok(()),
    };
    Err(Error::new(ErrorKind::Unsupported, what).hint(hint))
}

/// Settings that the engine does not know, and the zone of the session: the columns of the site are in UTC, and texts that they are compared
/// with are read so.
fn refuse_set(set: &Set) -> Result<()> {
    let zone = |value: &Expr| {
        let value = value.to_string();
        let name = value.trim_matches('\'').to_ascii_uppercase();
        match name.as_str() {
            "UTC" | "Z" | "GMT" | "ETC/UTC" | "+00:00" | "DEFAULT" | "LOCAL" => Ok(()),
            _ => Err(
                Error::new(ErrorKind::Unsupported, "the session is in UTC, as the site is").hint(format!(
                    "write the zone where a moment is shown: created AT TIME ZONE {value}"
                )),
            ),
        }
    };
    match set {
        Set::SetTimeZone { value, .. } => zone(value),
        Set::SingleAssignment { variable, values, .. } => {
            let variable = variable.to_string().to_ascii_lowercase();
            match matches!(variable.as_str(), "timezone" | "time.zone" | "datafusion.execution.time_zone") {
                true => values.iter().try_for_each(zone),
                false => Ok(()),
            }
        }
        other => Err(
            Error::new(ErrorKind::Unsupported, format!("the session has no such setting: {other}"))
                .hint("SHOW ALL lists the settings; leave the statement out"),
        ),
    }
}

/// Why a definition is refused.
pub(super) fn no_such_definition() -> Error {
    Error::new(
        ErrorKind::Unsupported,
        "only tables and views of the scratch schema temp are made and dropped",
    )
    .hint("write CREATE TABLE temp.name AS SELECT … for an intermediate result")
}

/// A column that an UPDATE sets twice.
fn set_twice(update: &Update) -> Option<String> {
    let names = update.assignments.iter().flat_map(|assignment| match &assignment.target {
        AssignmentTarget::ColumnName(name) => std::slice::from_ref(name),
        AssignmentTarget::Tuple(names) => names,
    });
    let mut seen = HashSet::new();
    let mut columns = names.filter_map(|name| name.0.last()?.as_ident().map(plain));
    columns.find(|column| !seen.insert(column.clone()))
}

fn has_alias(delete: &Delete) -> bool {
    let (FromTable::WithFromKeyword(from) | FromTable::WithoutKeyword(from)) = &delete.from;
    from.iter()
        .any(|table| matches!(&table.relation, TableFactor::Table { alias: Some(_), .. }))
}

/// INTERSECT ALL and EXCEPT ALL, of which the engine counts only whether there is such a row.
struct Counted;

impl VisitorMut for Counted {
    type Break = Error;

    fn pre_visit_query(&mut self, query: &mut Query) -> ControlFlow<Error> {
        let mut bodies = vec![query.body.as_ref()];
        while let Some(body) = bodies.pop() {
            let SetExpr::SetOperation {
                op,
                set_quantifier,
                left,
                right,
            } = body
            else {
                continue;
            };
            if *op != SetOperator::Union && matches!(set_quantifier, SetQuantifier::All | SetQuantifier::AllByName) {
                let hint = "number equal rows on both sides by row_number() OVER (PARTITION BY …), and leave ALL out";
                return ControlFlow::Break(Error::new(ErrorKind::Unsupported, format!("{op} ALL is not supported")).hint(hint));
            }
            bodies.extend([left.as_ref(), right.as_ref()]);
        }
        ControlFlow::Continue(())
    }
}

/// Comparisons with the rows of a subquery. The engine mistakes a column of the subquery for one of the outer table where both have the
/// same name, so that every row would be meant.
struct Quantified;

impl VisitorMut for Quantified {
    type Break = Error;

    fn pre_visit_expr(&mut self, expression: &mut Expr) -> ControlFlow<Error> {
        let (left, op, right, all) = match expression {
            Expr::AnyOp {
                left, compare_op, right, ..
            } => (left, compare_op, right, false),
            Expr::AllOp { left, compare_op, right } => (left, compare_op, right, true),
            _ => return ControlFlow::Continue(()),
        };
        let mut inner = right.as_mut();
        while let Expr::Nested(nested) = inner {
            inner = nested.as_mut();
        }
        let Expr::Subquery(query) = inner else {
            return ControlFlow::Continue(());
        };
        let negated = match (&*op, all) {
            (BinaryOperator::Eq, false) => false,
            (BinaryOperator::NotEq, true) => true,
            (op, all) => {
                let word = if all { "ALL" } else { "ANY" };
                let hint = "use IN, NOT IN or EXISTS, or compare with (SELECT min(…) …) or (SELECT max(…) …)";
                let error = Error::new(ErrorKind::Unsupported, format!("{op} {word} of a subquery is not supported"));
                return ControlFlow::Break(error.hint(hint));
            }
        };
        *expression = Expr::InSubquery {
            expr: left.clone(),
            subquery: query.clone(),
            negated,
        };
        ControlFlow::Continue(())
    }
}

/// Makes long chains of operators shallow, from the top down: a chain is rewritten before anything recurses into it.
struct Chains;

impl VisitorMut for Chains {
    type Break = Error;

    fn pre_visit_expr(&mut self, expression: &mut Expr) -> ControlFlow<Error> {
        // Before brackets of ours pass for brackets of the statement.
        if let Err(error) = turn(expression) {
            return ControlFlow::Break(error);
        }
        let Expr::BinaryOp { op, .. } = expression else {
            return ControlFlow::Continue(());
        };
        let op = op.clone();
        if chain_length(expression, &op) <= 16 {
            return ControlFlow::Continue(());
        }
        let whole = std::mem::replace(expression, Expr::value(datafusion::sql::sqlparser::ast::Value::Null));
        let mut terms = take_apart(whole, &op);
        if op == BinaryOperator::Or {
            terms = gather(terms);
        }
        if terms.len() > MAX_TERMS {
            return ControlFlow::Break(
                Error::new(
                    ErrorKind::Limit,
                    format!(
                        "an expression chains {} terms by {op}; at most {MAX_TERMS} can be planned",
                        terms.len()
                    ),
                )
                .hint("use IN (…) for values of one column, or split the statement"),
            );
        }
        *expression = match op {
            BinaryOperator::And | BinaryOperator::Or => balance(terms, &op),
            // Only AND and OR may be regrouped: the others round, overflow or concatenate in order.
            _ => chain(terms, &op),
        };
        ControlFlow::Continue(())
    }
}

/// Terms along the left side of a chain of `op`.
fn chain_length(expression: &Expr, op: &BinaryOperator) -> usize {
    let (mut length, mut rest) = (1, expression);
    while let Expr::BinaryOp { left, op: other, .. } = rest
        && other == op
    {
        length += 1;
        rest = left;
    }
    length
}

/// The terms of a chain in order, without recursion.
fn take_apart(expression: Expr, op: &BinaryOperator) -> Vec<Expr> {
    let (mut terms, mut rest) = (Vec::new(), expression);
    loop {
        match rest {
            Expr::BinaryOp { left, op: other, right } if other == *op => {
                terms.push(*right);
                rest = *left;
            }
            last => {
                terms.push(last);
                terms.reverse();
                return terms;
            }
        }
    }
}

/// `a = 1 OR a = 2 OR b = 3` → `a IN (1, 2) OR b = 3`: the same truth value, NULL included.
fn gather(terms: Vec<Expr>) -> Vec<Expr> {
    let mut gathered: Vec<(Expr, Vec<Expr>)> = Vec::new();
    let mut others = Vec::new();
    for term in terms {
        match term {
            Expr::BinaryOp {
                left,
                op: BinaryOperator::Eq,
                right,
            } if matches!(*left, Expr::Identifier(_) | Expr::CompoundIdentifier(_)) && matches!(*right, Expr::Value(_)) => {
                match gathered.iter_mut().find(|(column, _)| *column == *left) {
                    Some((_, values)) => values.push(*right),
                    None => gathered.push((*left, vec![*right])),
                }
            }
            other => others.push(other),
        }
    }
    let lists = gathered.into_iter().map(|(column, list)| Expr::InList {
        expr: Box::new(column),
        list,
        negated: false,
    });
    lists.chain(others).collect()
}

fn balance(mut terms: Vec<Expr>, op: &BinaryOperator) -> Expr {
    if terms.len() == 1 {
        return terms.remove(0);
    }
    let right = terms.split_off(terms.len() / 2);
    let (left, right) = (Box::new(balance(terms, op)), Box::new(balance(right, op)));
    // Parentheses keep the tree as it is when it is printed and read again.
    Expr::Nested(Box::new(Expr::BinaryOp {
        left,
        op: op.clone(),
        right,
    }))
}

fn chain(terms: Vec<Expr>, op: &BinaryOperator) -> Expr {
    let mut terms = terms.into_iter();
    let first = terms
        .next()
        .unwrap_or_else(|| Expr::value(datafusion::sql::sqlparser::ast::Value::Null));
    terms.fold(first, |left, right| Expr::BinaryOp {
        left: Box::new(left),
        op: op.clone(),
        right: Box::new(right),
    })
}
