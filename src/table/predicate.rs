//! From SQL predicates to what is known about columns: pure functions over DataFusion expressions.

use std::collections::BTreeSet;

use datafusion::common::ScalarValue;
use datafusion::logical_expr::{BinaryExpr, Expr, Operator, expr::InList};

use super::filter;
use crate::error::{Error, ErrorKind, Result};
use crate::rest::clause::{Clause, Test};
use crate::rest::jql;
use crate::rest::plan::Known;
use crate::rest::search::Filter;
use crate::schema::{JqlOp, Kind, Origin, Table};

/// What a predicate is to the site.
#[derive(Debug, Clone, PartialEq)]
pub(crate) enum Meaning {
    /// The column has one of these values: the site may be asked for just them, and rows are checked against them.
    Values(usize, Vec<String>),
    /// A search may be asked for the clause, and rows are checked against the test.
    Test(usize, Test, Option<Clause>),
    /// A search may be asked for it, but finds more.
    Clause(Clause),
    /// No row matters whose column has one of these values: who is not asked about cannot refuse. Evaluated here all the same.
    Without(usize, BTreeSet<String>),
    /// Anything else: evaluated here, after reading.
    Residue,
}

/// Reads a predicate.
///
/// # Errors
/// An input column is used in another way than `=`, IN or IS NULL: it has no value to compare with until the site is asked for it.
pub(crate) fn meaning(table: &Table, predicate: &Expr) -> Result<Meaning> {
    let write_only = predicate.column_refs().into_iter().find_map(|name| {
        table
            .columns
            .iter()
            .find(|column| column.write_only && column.name == name.name)
    });
    if let Some(column) = write_only {
        return Err(Error::new(
            ErrorKind::Statement,
            format!(
                "the column {} is only written: no row has a value to compare with",
                column.name
            ),
        )
        .hint("leave it out of the conditions; it is for INSERT and UPDATE")
        .table(&table.name));
    }
    if let Some((column, values)) = values(table, predicate) {
        return Ok(Meaning::Values(column, values));
    }
    let nullness = matches!(predicate, Expr::IsNull(_) | Expr::IsNotNull(_));
    let names = predicate.column_refs();
    let input = names
        .iter()
        .find_map(|name| table.columns.iter().find(|column| column.input && column.name == name.name));
    if table.search.is_some() && input.is_none() {
        let clause = filter::clause(table, predicate);
        if let Some((column, test)) = filter::test(table, predicate) {
            return Ok(Meaning::Test(column, test, clause));
        }
        if let Some(clause) = clause {
            return Ok(Meaning::Clause(clause));
        }
    }
    if table.search.is_none()
        && input.is_none()
        && let Some(Clause::Values {
            column,
            values,
            negated: true,
        }) = filter::clause(table, predicate)
        && is_bindable(table, column)
    {
        return Ok(Meaning::Without(column, values.into_iter().collect()));
    }
    match input {
        Some(input) if !nullness => Err(Error::new(
            ErrorKind::Statement,
            format!(
                "the input column {} can only be compared by = or IN with constants",
                input.name
            ),
        )
        .hint(format!(
            "write {} = '…' as a condition of its own, not inside OR or a function",
            input.name
        ))
        .table(&table.name)),
        _ => Ok(Meaning::Residue),
    }
}

/// The column and its values, for `=`, IN, boolean columns and ORs of those over one column.
fn values(table: &Table, predicate: &Expr) -> Option<(usize, Vec<String>)> {
    match predicate {
        Expr::BinaryExpr(BinaryExpr {
            left,
            op: Operator::Eq,
            right,
        }) => match (left.as_ref(), right.as_ref()) {
            (Expr::Column(column), Expr::Literal(value, _)) | (Expr::Literal(value, _), Expr::Column(column)) => {
                Some((table.column(&column.name)?, vec![text(value)?]))
            }
            _ => None,
        },
        Expr::InList(InList {
            expr,
            list,
            negated: false,
        }) => match expr.as_ref() {
            Expr::Column(column) => {
                let list = list.iter().map(|item| match item {
                    Expr::Literal(value, _) => text(value),
                    _ => None,
                });
                Some((table.column(&column.name)?, list.collect::<Option<_>>()?))
            }
            _ => None,
        },
        Expr::BinaryExpr(BinaryExpr { op: Operator::Or, .. }) => either(table, predicate),
        Expr::Column(column) => Some((table.column(&column.name)?, vec!["true".to_owned()])),
        Expr::IsTrue(inner) => values(table, inner),
        Expr::Not(inner) | Expr::IsFalse(inner) => match inner.as_ref() {
            Expr::Column(column) => Some((table.column(&column.name)?, vec!["false".to_owned()])),
            _ => None,
        },
        _ => None,
    }
}

/// An OR over one column, however long: walked without recursion along its left side.
fn either(table: &Table, predicate: &Expr) -> Option<(usize, Vec<String>)> {
    let mut found: Option<(usize, Vec<String>)> = None;
    let mut rest = vec![predicate];
    while let Some(expression) = rest.pop() {
        if let Expr::BinaryExpr(BinaryExpr {
            left,
            op: Operator::Or,
            right,
        }) = expression
        {
            rest.push(right);
            rest.push(left);
            continue;
        }
        let (column, more) = values(table, expression)?;
        match &mut found {
            None => found = Some((column, more)),
            Some((known, values)) if *known == column => values.extend(more),
            Some(_) => return None,
        }
    }
    found
}

/// A constant as the text that paths, query parameters and checks use; `None` where equality of texts is not equality of values.
pub(crate) fn text(value: &ScalarValue) -> Option<String> {
    match value {
        ScalarValue::Utf8(value) | ScalarValue::Utf8View(value) | ScalarValue::LargeUtf8(value) => value.clone(),
        ScalarValue::Boolean(value) => value.map(|value| value.to_string()),
        ScalarValue::Int64(value) => value.map(|value| value.to_string()),
        ScalarValue::Dictionary(_, value) => text(value),
        _ => None,
    }
}

/// Whether knowing values of the column can change what is asked of the site.
pub(crate) fn is_bindable(table: &Table, column: usize) -> bool {
    let definition = &table.columns[column];
    definition.push.is_some()
        || definition.input
        // Rows that are found are checked for whatever is known.
        || table.search.is_some() && matches!(definition.origin, Origin::Json { .. })
        || table
            .gets
            .iter()
            .chain(&table.lists)
            .any(|endpoint| endpoint.placeholders().any(|placeholder| placeholder == column))
        || table
            .parent
            .as_ref()
            .is_some_and(|parent| parent.columns.iter().any(|(here, _)| *here == column))
}

/// What the predicates say about bindable columns. Without pushdown only questions count: inputs, and the columns that an endpoint
/// with an input may need besides.
pub(crate) fn known<'a>(table: &Table, pushdown: bool, meanings: impl Iterator<Item = &'a Meaning> + Clone) -> Known {
    let asks = || {
        meanings
            .clone()
            .any(|meaning| matches!(meaning, Meaning::Values(column, _) if table.columns[*column].input))
    };
    let mut known = Known::default();
    if !pushdown && !asks() {
        return known;
    }
    for meaning in meanings {
        if let Meaning::Values(column, values) = meaning
            && is_bindable(table, *column)
        {
            known.restrict(*column, values.iter().cloned());
        }
    }
    known
}

/// What the predicates ask of a search.
pub(super) fn filter<'a>(pushdown: bool, meanings: impl Iterator<Item = &'a Meaning>) -> Filter {
    let mut filter = Filter::default();
    for meaning in meanings.filter(|_| pushdown) {
        match meaning {
            Meaning::Test(column, test, clause) => {
                filter.tests.push((*column, test.clone()));
                filter.clauses.extend(clause.clone());
            }
            Meaning::Clause(clause) => filter.clauses.push(clause.clone()),
            Meaning::Without(column, values) => filter.without.push((*column, values.clone())),
            Meaning::Values(..) | Meaning::Residue => {}
        }
    }
    filter
}

/// How the site can be asked for values of a column.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Delivery {
    /// Equality and IN reach the site as they are.
    Exact,
    /// They do when these columns are bound too.
    ExactWith(Vec<String>),
    /// JQL finds the rows for these operators; they are checked again, here or while they are read. The flag: whether JQL finds more.
    Search(Vec<&'static str>, bool),
    /// They are evaluated here.
    Local,
}

/// What pushdown can do for a column, for the metadata and the documentation.
pub(crate) fn delivery(table: &Table, column: usize) -> Delivery {
    let definition = &table.columns[column];
    let name = |index: usize| table.columns[index].name.clone();
    if let Some(jql) = jql(table, column) {
        let name = |op: &JqlOp| match op {
            JqlOp::Equal if definition.kind == Kind::List => "array_has",
            JqlOp::Equal => "=, IN",
            JqlOp::Unequal => "!=, NOT IN",
            JqlOp::Compare => "<, <=, >, >=",
            JqlOp::Empty => "IS NULL",
            JqlOp::NotEmpty => "IS NOT NULL",
        };
        let widened = jql.ops.iter().any(|op| !jql.exact.contains(op));
        return Delivery::Search(jql.ops.iter().map(name).collect(), widened);
    }
    if let Some(push) = &definition.push {
        return match &push.with[..] {
            [] => Delivery::Exact,
            with => Delivery::ExactWith(with.iter().map(|(other, _)| name(*other)).collect()),
        };
    }
    let of_parent = table
        .parent
        .as_ref()
        .is_some_and(|parent| parent.columns.iter().any(|(here, _)| *here == column));
    // The endpoint that needs the fewest other columns.
    let others = table
        .gets
        .iter()
        .chain(&table.lists)
        .filter(|endpoint| endpoint.placeholders().any(|placeholder| placeholder == column))
        .map(|endpoint| {
            endpoint
                .placeholders()
                .filter(|&other| other != column)
                .map(name)
                .collect::<Vec<_>>()
        })
        .min_by_key(Vec::len);
    match others {
        Some(others) if others.is_empty() || of_parent => Delivery::Exact,
        Some(others) => Delivery::ExactWith(others),
        None if of_parent || definition.input => Delivery::Exact,
        None => Delivery::Local,
    }
}
