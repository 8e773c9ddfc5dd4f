//! From SQL predicates to what a search can be asked, and to what is checked in the rows: pure functions over DataFusion expressions.
//!
//! A [`Clause`] may let more rows through than its predicate, never fewer: what cannot be said is left out of an AND, and makes an OR
//! unsayable. NOT is moved down to the comparisons, which is sound where NULL is concerned, because a comparison with NULL is
//! neither true nor false on both sides of the move.

use std::collections::BTreeSet;

use datafusion::arrow::array::Array;
use datafusion::common::ScalarValue;
use datafusion::logical_expr::expr::{InList, ScalarFunction};
use datafusion::logical_expr::{Between, BinaryExpr, Expr, Operator};

use super::predicate::text;
use crate::rest::clause::{Amount, Clause, Comparison, Test};
use crate::schema::{Kind, Origin, Table};

/// Moments, days and decimals of a list: each becomes a condition of its own, so a longer list is evaluated here.
const MOST_AMOUNTS: usize = 50;

/// What a search can be asked so that every row that satisfies the predicate is found.
pub(super) fn clause(table: &Table, predicate: &Expr) -> Option<Clause> {
    walk(table, predicate, false)
}

fn walk(table: &Table, predicate: &Expr, negated: bool) -> Option<Clause> {
    match predicate {
        Expr::BinaryExpr(BinaryExpr {
            left,
            op: op @ (Operator::And | Operator::Or),
            right,
        }) => {
            let parts = [walk(table, left, negated), walk(table, right, negated)];
            let conjunction = (*op == Operator::And) != negated;
            if conjunction {
                let parts: Vec<Clause> = parts.into_iter().flatten().collect();
                (!parts.is_empty()).then_some(Clause::All(parts))
            } else {
                let [left, right] = parts;
                Some(Clause::Any(vec![left?, right?]))
            }
        }
        Expr::Not(inner) => walk(table, inner, !negated),
        // Only rows for which it is true matter.
        Expr::IsTrue(inner) if !negated => walk(table, inner, false),
        Expr::IsFalse(inner) if !negated => walk(table, inner, true),
        Expr::Between(Between {
            expr,
            negated: outside,
            low,
            high,
        }) => {
            let half = |op: Operator, bound: &Expr| compare(table, expr, op, bound, *outside != negated);
            let (low, high) = (half(Operator::GtEq, low), half(Operator::LtEq, high));
            if *outside != negated {
                Some(Clause::Any(vec![low?, high?]))
            } else {
                let parts: Vec<Clause> = [low, high].into_iter().flatten().collect();
                (!parts.is_empty()).then_some(Clause::All(parts))
            }
        }
        Expr::BinaryExpr(BinaryExpr { left, op, right }) => compare(table, left, *op, right, negated),
        Expr::InList(InList {
            expr,
            list,
            negated: without,
        }) => {
            let (column, negated) = (column(table, expr)?, *without != negated);
            if is_amount(table.columns[column].kind) {
                return amounts(table, expr, list, negated);
            }
            Some(Clause::Values {
                column,
                values: texts(list)?,
                negated,
            })
        }
        Expr::ScalarFunction(function) if !negated => {
            let (column, values) = has(table, function)?;
            Some(Clause::Values {
                column,
                values,
                negated: false,
            })
        }
        _ => {
            let (column, test) = null(table, predicate)?;
            Some(Clause::Test(column, if negated { opposite(&test)? } else { test }))
        }
    }
}

/// Whether values of this kind are told apart by their amount, and not by the text of it.
fn is_amount(kind: Kind) -> bool {
    matches!(kind, Kind::Timestamp | Kind::Date | Kind::Double)
}

/// A list of amounts, one by one.
fn amounts(table: &Table, expression: &Expr, list: &[Expr], negated: bool) -> Option<Clause> {
    let each = list
        .iter()
        .map(|item| compare(table, expression, Operator::Eq, item, negated));
    let each: Vec<Clause> = (list.len() <= MOST_AMOUNTS).then(|| each.collect::<Option<_>>())??;
    Some(if negated { Clause::All(each) } else { Clause::Any(each) })
}

/// What is checked in the rows so that just those that satisfy the predicate come out, where that can be said of one value.
pub(super) fn test(table: &Table, predicate: &Expr) -> Option<(usize, Test)> {
    let found = match predicate {
        Expr::BinaryExpr(BinaryExpr { .. }) | Expr::InList(_) | Expr::Not(_) => match walk(table, predicate, false)? {
            Clause::Test(column, test) => (column, test),
            Clause::Values {
                column,
                values,
                negated: true,
            } => (column, Test::Without(values.into_iter().collect())),
            _ => return None,
        },
        Expr::ScalarFunction(function) => {
            let (column, values) = has(table, function)?;
            (column, Test::Has(values.into_iter().collect::<BTreeSet<_>>()))
        }
        _ => null(table, predicate)?,
    };
    // What the request echoes is not in the rows.
    matches!(table.columns[found.0].origin, Origin::Json { .. }).then_some(found)
}

fn null(table: &Table, predicate: &Expr) -> Option<(usize, Test)> {
    match predicate {
        Expr::IsNull(inner) => Some((column(table, inner)?, Test::Null(true))),
        Expr::IsNotNull(inner) => Some((column(table, inner)?, Test::Null(false))),
        _ => None,
    }
}

fn opposite(test: &Test) -> Option<Test> {
    match test {
        Test::Null(wanted) => Some(Test::Null(!wanted)),
        _ => None,
    }
}

fn column(table: &Table, expression: &Expr) -> Option<usize> {
    match expression {
        Expr::Column(column) => table.column(&column.name),
        _ => None,
    }
}

fn texts(list: &[Expr]) -> Option<Vec<String>> {
    let text_of = |item: &Expr| match item {
        Expr::Literal(value, _) => text(value),
        _ => None,
    };
    list.iter().map(text_of).collect()
}

/// Whether a list has a value, or one of several.
fn has(table: &Table, function: &ScalarFunction) -> Option<(usize, Vec<String>)> {
    let [list, values] = &function.args[..] else { return None };
    let column = column(table, list).filter(|&column| table.columns[column].kind == Kind::List)?;
    let values = match (function.name(), values) {
        ("array_has", Expr::Literal(value, _)) => vec![text(value)?],
        ("array_has_any", Expr::Literal(ScalarValue::List(values), _)) if values.len() == 1 => {
            let values = values.value(0);
            let texts = (0..values.len()).map(|at| text(&ScalarValue::try_from_array(&values, at).ok()?));
            texts.collect::<Option<Vec<_>>>()?
        }
        ("array_has_any", Expr::ScalarFunction(made)) if made.name() == "make_array" => texts(&made.args)?,
        _ => return None,
    };
    Some((column, values))
}

fn compare(table: &Table, left: &Expr, op: Operator, right: &Expr, negated: bool) -> Option<Clause> {
    let (column_at, value, op) = match (left, right) {
        (Expr::Column(_), Expr::Literal(value, _)) => (column(table, left)?, value, op),
        (Expr::Literal(value, _), Expr::Column(_)) => (column(table, right)?, value, op.swap()?),
        _ => return None,
    };
    let op = if negated { op.negate()? } else { op };
    let kind = table.columns[column_at].kind;
    let comparison = match op {
        Operator::Eq => Comparison::Equal,
        Operator::NotEq => Comparison::Unequal,
        Operator::Lt => Comparison::Less,
        Operator::LtEq => Comparison::AtMost,
        Operator::Gt => Comparison::Greater,
        Operator::GtEq => Comparison::AtLeast,
        _ => return None,
    };
    if matches!(kind, Kind::Text | Kind::Bigint | Kind::Boolean) && matches!(op, Operator::Eq | Operator::NotEq) {
        return Some(Clause::Values {
            column: column_at,
            values: vec![text(value)?],
            negated: op == Operator::NotEq,
        });
    }
    let amount = match (kind, value) {
        (Kind::Timestamp, ScalarValue::TimestampMillisecond(Some(millis), _)) => Amount::Whole(*millis),
        (Kind::Date, ScalarValue::Date32(Some(days))) => Amount::Whole(i64::from(*days)),
        (Kind::Bigint, ScalarValue::Int64(Some(number))) => Amount::Whole(*number),
        (Kind::Double, ScalarValue::Float64(Some(number))) => Amount::Float(*number),
        _ => return None,
    };
    // Floats of SQL have an order of their own for what is no number.
    if let Amount::Float(number) = amount
        && !number.is_finite()
    {
        return None;
    }
    Some(Clause::Test(column_at, Test::Compare(comparison, amount)))
}
