//! `x NOT IN (1, 2) OR x NOT IN (3)`: two lists about one expression.
//!
//! # Design
//! The engine (DataFusion 55, apache/datafusion#24246) makes one list of two, without a thought for NULL: what no value is left for becomes
//! true or false, and is NULL for a NULL. It also takes expressions that are written otherwise for other values, and NULL in a list for a value.
//! It knows two lists to be about one expression by comparing these. So where that would matter, all but the first are about the same
//! value through a function. A condition for rows is as good with false as with NULL: lists below AND are left as they are, and reach the site.
//!
//! A list that is written out becomes IN as well: `array_has([x, 1], 2)`, which is false where x is NULL. So it is hidden.

use std::sync::Arc;

use datafusion::arrow::datatypes::{DataType, FieldRef};
use datafusion::common::config::ConfigOptions;
use datafusion::common::tree_node::{Transformed, TransformedResult, TreeNode, TreeNodeRecursion};
use datafusion::common::{ScalarValue, plan_err};
use datafusion::error::Result;
use datafusion::logical_expr::expr::{Case, Cast, InList, ScalarFunction, TryCast};
use datafusion::logical_expr::{
    BinaryExpr, ColumnarValue, Expr, LogicalPlan, Operator, ReturnFieldArgs, ScalarFunctionArgs, ScalarUDF, ScalarUDFImpl,
    Signature, Volatility, lit,
};
use datafusion::optimizer::AnalyzerRule;

use super::rewrite::expressions;
use super::subquery::or_null;

/// The rule.
#[derive(Debug)]
pub(super) struct ListsApart;

impl AnalyzerRule for ListsApart {
    fn name(&self) -> &str {
        "lists_apart"
    }

    fn analyze(&self, plan: LogicalPlan, _: &ConfigOptions) -> Result<LogicalPlan> {
        plan.transform_up_with_subqueries(|plan| {
            let of_rows = matches!(plan, LogicalPlan::Filter(_) | LogicalPlan::Join(_));
            expressions(plan, |expression, _| apart(expression, of_rows))
        })
        .data()
    }
}

/// The expression, of which the engine makes nothing else; `of_rows` where it is a condition that rows meet or not.
fn apart(expression: Expr, of_rows: bool) -> Result<Transformed<Expr>> {
    let mut merged = Vec::new();
    read(&expression, false, of_rows, &mut merged)?;
    let mut seen: Vec<Expr> = Vec::new();
    expression.transform_up(|expression| match expression {
        Expr::InList(list) if merged.contains(bare(&list.expr)) => {
            let before = seen.iter().filter(|seen| *seen == bare(&list.expr)).count();
            seen.push(bare(&list.expr).clone());
            if before == 0 {
                return Ok(Transformed::no(Expr::InList(list)));
            }
            let expr = Box::new(same(*list.expr, before as u64));
            Ok(Transformed::yes(Expr::InList(InList { expr, ..list })))
        }
        Expr::ScalarFunction(ScalarFunction { func, mut args })
            if func.name() == "array_has" && args.first().is_some_and(is_written_out) =>
        {
            let list = std::mem::replace(&mut args[0], lit(ScalarValue::Null));
            args[0] = or_null(list);
            Ok(Transformed::yes(Expr::ScalarFunction(ScalarFunction { func, args })))
        }
        other => Ok(Transformed::no(other)),
    })
}

/// What is compared, without the casts around it, which the engine takes away where it can.
fn bare(expression: &Expr) -> &Expr {
    match expression {
        Expr::Cast(Cast { expr, .. }) | Expr::TryCast(TryCast { expr, .. }) => bare(expr),
        other => other,
    }
}

/// Whether a list is written out, so that the engine would look into it.
fn is_written_out(list: &Expr) -> bool {
    match list {
        Expr::ScalarFunction(function) => function.name() == "make_array",
        Expr::Cast(Cast { expr, .. }) => is_written_out(expr),
        _ => false,
    }
}

/// A comparison with a list, as NOT around it leaves it.
struct Compared<'a> {
    expression: &'a Expr,
    negated: bool,
    is_plain: bool,
}

/// The comparisons that the engine may come to find side by side; those whose lists it would make a wrong one of go to `merged`.
fn read<'a>(expression: &'a Expr, negated: bool, of_rows: bool, merged: &mut Vec<Expr>) -> Result<Vec<Compared<'a>>> {
    match expression {
        Expr::Not(inner) => read(inner, !negated, of_rows, merged),
        Expr::Alias(alias) => read(&alias.expr, negated, of_rows, merged),
        Expr::BinaryExpr(BinaryExpr { left, op, right }) if matches!(op, Operator::And | Operator::Or) => {
            let (mut one, other) = (read(left, negated, of_rows, merged)?, read(right, negated, of_rows, merged)?);
            let both = (*op == Operator::And) != negated;
            for (one, other) in one.iter().flat_map(|one| other.iter().map(move |other| (one, other))) {
                if one.expression == other.expression && is_wrong(one, other, both, of_rows) {
                    merged.push(one.expression.clone());
                }
            }
            one.extend(other);
            Ok(one)
        }
        Expr::InList(list) => Ok(vec![Compared {
            expression: bare(&list.expr),
            negated: negated != list.negated,
            is_plain: list.list.iter().all(is_value) && !list.expr.is_volatile(),
        }]),
        // Of a choice between truth values, the engine makes AND and OR.
        Expr::Case(case) if is_of_truth(case) => {
            let mut all = Vec::new();
            expression.apply_children(|child| {
                all.extend(read_whole(child, merged)?);
                Ok(TreeNodeRecursion::Continue)
            })?;
            merged.extend(all);
            Ok(Vec::new())
        }
        other => {
            other.apply_children(|child| {
                read(child, false, false, merged)?;
                Ok(TreeNodeRecursion::Continue)
            })?;
            Ok(Vec::new())
        }
    }
}

/// All that is compared with a list.
fn read_whole(expression: &Expr, merged: &mut Vec<Expr>) -> Result<Vec<Expr>> {
    let found = read(expression, false, false, merged)?;
    Ok(found.into_iter().map(|compared| compared.expression.clone()).collect())
}

/// Whether what the engine makes of the two under AND (`both`) or OR is not what they are.
fn is_wrong(one: &Compared<'_>, other: &Compared<'_>, both: bool, of_rows: bool) -> bool {
    let is_plain = one.is_plain && other.is_plain;
    match (both, one.negated && other.negated) {
        // All that is in either list.
        (true, true) => false,
        (true, false) => !(is_plain && of_rows),
        (false, negated) => negated,
    }
}

fn is_of_truth(case: &Case) -> bool {
    let results = case.when_then_expr.iter().map(|(_, then)| then).chain(&case.else_expr);
    results.into_iter().any(|result| {
        matches!(
            result.as_ref(),
            Expr::Literal(ScalarValue::Boolean(_), _) | Expr::InList(_) | Expr::Not(_) | Expr::BinaryExpr(_)
        )
    })
}

/// Whether an item of a list is a value, and not NULL.
fn is_value(item: &Expr) -> bool {
    match item {
        Expr::Literal(value, _) => !value.is_null(),
        Expr::Cast(Cast { expr, .. }) => is_value(expr),
        _ => false,
    }
}

/// The same value, which the engine takes for another one at each place.
fn same(expression: Expr, place: u64) -> Expr {
    let function = ScalarUDF::from(Same {
        signature: Signature::any(2, Volatility::Immutable),
    });
    function.call(vec![expression, lit(place)])
}

/// What it is given first.
#[derive(Debug, PartialEq, Eq, Hash)]
struct Same {
    signature: Signature,
}

impl ScalarUDFImpl for Same {
    fn name(&self) -> &'static str {
        "same"
    }

    fn signature(&self) -> &Signature {
        &self.signature
    }

    fn return_type(&self, types: &[DataType]) -> Result<DataType> {
        Ok(types.first().cloned().unwrap_or(DataType::Null))
    }

    fn return_field_from_args(&self, args: ReturnFieldArgs<'_>) -> Result<FieldRef> {
        match args.arg_fields.first() {
            Some(field) => Ok(Arc::clone(field)),
            None => plan_err!("same() takes a value"),
        }
    }

    fn invoke_with_args(&self, args: ScalarFunctionArgs) -> Result<ColumnarValue> {
        let first = args.args.into_iter().next();
        Ok(first.unwrap_or(ColumnarValue::Scalar(ScalarValue::Null)))
    }
}
