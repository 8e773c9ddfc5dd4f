//! Words of SQL that the engine does not know, in its own: `FETCH FIRST 5 ROWS ONLY` is LIMIT, `FROM t` is `SELECT * FROM t`. Clauses that
//! it would pass over in silence are refused.

use std::ops::ControlFlow;

use datafusion::sql::sqlparser::ast::{
    Array, BinaryOperator, DataType, Expr, Fetch, LimitClause, Query, Select, SelectFlavor, SelectItem, TableFactor,
    UnaryOperator, Value, VisitorMut, WildcardAdditionalOptions,
};

use super::similar;
use crate::error::{Error, ErrorKind};

/// Rewrites the clauses of a statement, before its wildcards are.
pub(super) struct Clauses;

impl VisitorMut for Clauses {
    type Break = Error;

    fn pre_visit_query(&mut self, query: &mut Query) -> ControlFlow<Error> {
        let Some(fetch) = query.fetch.take() else {
            return ControlFlow::Continue(());
        };
        match limit(fetch, query.limit_clause.take()) {
            Ok(limit) => query.limit_clause = Some(limit),
            Err(error) => return ControlFlow::Break(error),
        }
        ControlFlow::Continue(())
    }

    fn pre_visit_select(&mut self, select: &mut Select) -> ControlFlow<Error> {
        if select.into.is_some() {
            return refused("SELECT … INTO makes no table", "write CREATE TABLE temp.name AS SELECT …");
        }
        if select.projection.is_empty() && !select.from.is_empty() {
            if select.flavor != SelectFlavor::FromFirstNoSelect {
                let error = Error::new(ErrorKind::Statement, "the SELECT names no column");
                return ControlFlow::Break(error.hint("write SELECT * for all columns"));
            }
            select.flavor = SelectFlavor::Standard;
            select.projection = vec![SelectItem::Wildcard(WildcardAdditionalOptions::default())];
        }
        ControlFlow::Continue(())
    }

    fn pre_visit_table_factor(&mut self, factor: &mut TableFactor) -> ControlFlow<Error> {
        match factor {
            TableFactor::Table { sample: Some(_), .. } | TableFactor::Derived { sample: Some(_), .. } => refused(
                "the site draws no samples",
                "read some rows: LIMIT 100, or WHERE random() < 0.1",
            ),
            _ => ControlFlow::Continue(()),
        }
    }
}

/// Rewrites expressions, after the columns are called as these were written.
pub(super) struct Expressions;

impl VisitorMut for Expressions {
    type Break = Error;

    fn pre_visit_expr(&mut self, expression: &mut Expr) -> ControlFlow<Error> {
        // A number that is cast to a decimal is never a double on the way, which has 15 digits.
        if let Expr::Cast { expr, data_type, .. } = expression
            && matches!(data_type, DataType::Decimal(_) | DataType::Numeric(_) | DataType::Dec(_))
            && let Some(digits) = number(expr)
        {
            **expr = Expr::value(Value::SingleQuotedString(digits));
        }
        match similar::rewritten(expression) {
            Ok(Some(rewritten)) => *expression = rewritten,
            Ok(None) => written_out(expression),
            Err(error) => return ControlFlow::Break(error),
        }
        ControlFlow::Continue(())
    }
}

/// The digits of a number as it is written.
fn number(expression: &Expr) -> Option<String> {
    match expression {
        Expr::Value(literal) => match &literal.value {
            Value::Number(digits, _) if !digits.contains(['e', 'E']) => Some(digits.to_string()),
            _ => None,
        },
        Expr::UnaryOp {
            op: UnaryOperator::Minus,
            expr,
        } => number(expr).map(|digits| format!("-{digits}")),
        _ => None,
    }
}

/// `x = ANY (ARRAY[1, NULL])` is `x IN (1, NULL)`, and of a list that is not written out *not unlike all of them*: unlike `array_has`, which
/// the engine makes of it, these are NULL where they may be either.
fn written_out(expression: &mut Expr) {
    let (left, right, negated) = match expression {
        Expr::AnyOp {
            left,
            compare_op: BinaryOperator::Eq,
            right,
            ..
        } => (left, right, false),
        Expr::AllOp {
            left,
            compare_op: BinaryOperator::NotEq,
            right,
        } => (left, right, true),
        _ => return,
    };
    let mut array = right.as_mut();
    while let Expr::Nested(nested) = array {
        array = nested.as_mut();
    }
    let left = left.clone();
    match array {
        Expr::Array(Array { elem, .. }) if !elem.is_empty() => {
            let list = std::mem::take(elem);
            *expression = Expr::InList {
                expr: left,
                list,
                negated,
            };
        }
        Expr::Subquery(_) => {}
        _ if negated => {}
        list => {
            let all = Expr::AllOp {
                left,
                compare_op: BinaryOperator::NotEq,
                right: Box::new(list.clone()),
            };
            *expression = Expr::UnaryOp {
                op: UnaryOperator::Not,
                expr: Box::new(Expr::Nested(Box::new(all))),
            };
        }
    }
}

fn refused(what: &str, hint: &str) -> ControlFlow<Error> {
    ControlFlow::Break(Error::new(ErrorKind::Unsupported, what).hint(hint))
}

/// FETCH, with the LIMIT or OFFSET beside it, as one LIMIT.
fn limit(fetch: Fetch, beside: Option<LimitClause>) -> Result<LimitClause, Error> {
    let unsupported = |what: &str, hint: &str| Err(Error::new(ErrorKind::Unsupported, what).hint(hint));
    if fetch.percent {
        return unsupported("FETCH takes no PERCENT", "say how many rows: FETCH FIRST 10 ROWS ONLY");
    }
    if fetch.with_ties {
        return unsupported(
            "FETCH takes no WITH TIES",
            "filter by rank() OVER (ORDER BY …) in a subquery, or write ROWS ONLY",
        );
    }
    let offset = match beside {
        None => None,
        Some(LimitClause::LimitOffset {
            limit: None,
            offset,
            limit_by,
        }) if limit_by.is_empty() => offset,
        Some(_) => return unsupported("LIMIT and FETCH say the same", "leave one of them out"),
    };
    Ok(LimitClause::LimitOffset {
        // FETCH FIRST ROW ONLY is one row.
        limit: Some(
            fetch
                .quantity
                .unwrap_or_else(|| Expr::value(Value::Number("1".into(), false))),
        ),
        offset,
        limit_by: Vec::new(),
    })
}
