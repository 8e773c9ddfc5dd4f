//! `x NOT IN (1, 2) OR x NOT IN (3)`: two lists about one expression.
//!
//! # Design
//! The engine (DataFusion 55, apache/datafusion#24246) makes one list of two, without a thought for NULL: what no value is left for becomes
//! true or false, and is NULL for a NULL. It also takes expressions that are written otherwise for other values, and NULL in a list for a value.
//! It knows two lists to be about one expression by comparing these. So where that would matter, all but the first are about the same
//! value through a function. A condition for rows is as good with false as with NULL: lists below AND are left as they are, and reach the site.
//!
//! Conditions that were written in different queries come to stand in one node while the engine optimizes, and it makes lists of `x = 1 OR
//! x = 2`. So this rule goes before each run of the one that makes one list of two.
//!
//! A list that is written out becomes IN as well: `array_has([x, 1], 2)`, which is false where x is NULL. So it is hidden.

use std::sync::Arc;

use datafusion::arrow::datatypes::{DataType, FieldRef};
use datafusion::common::tree_node::{Transformed, TreeNode, TreeNodeRecursion};
use datafusion::common::{ScalarValue, plan_err};
use datafusion::error::Result;
use datafusion::logical_expr::expr::{Cast, InList, ScalarFunction, TryCast};
use datafusion::logical_expr::{
    BinaryExpr, ColumnarValue, Expr, LogicalPlan, Operator, ReturnFieldArgs, ScalarFunctionArgs, ScalarUDF, ScalarUDFImpl,
    Signature, Volatility, lit,
};
use datafusion::optimizer::{OptimizerConfig, OptimizerRule};

use super::rewrite::expressions;
use super::subquery::or_null;

/// The rule.
#[derive(Debug)]
pub(super) struct ListsApart;

impl OptimizerRule for ListsApart {
    fn name(&self) -> &'static str {
        "lists_apart"
    }

    fn rewrite(&self, plan: LogicalPlan, _: &dyn OptimizerConfig) -> Result<Transformed<LogicalPlan>> {
        plan.transform_up_with_subqueries(|plan| {
            let of_rows = matches!(
                plan,
                LogicalPlan::Filter(_) | LogicalPlan::Join(_) | LogicalPlan::TableScan(_)
            );
            expressions(plan, |expression, _| match of_rows {
                true => without_nulls(expression, false)?.transform_data(|expression| apart(expression, true)),
                false => apart(expression, false),
            })
        })
    }
}

/// A condition for rows without what is only NULL: `x IN (1, NULL)` is true where `x IN (1)` is.
fn without_nulls(expression: Expr, negated: bool) -> Result<Transformed<Expr>> {
    match expression {
        Expr::Not(_) => expression.map_children(|child| without_nulls(child, !negated)),
        Expr::BinaryExpr(BinaryExpr {
            op: Operator::And | Operator::Or,
            ..
        }) => expression.map_children(|child| without_nulls(child, negated)),
        Expr::InList(mut list) if list.negated == negated && list.list.iter().any(is_value) => {
            let before = list.list.len();
            list.list.retain(|item| !is_null(item));
            let dropped = list.list.len() < before;
            Ok(Transformed::new_transformed(Expr::InList(list), dropped))
        }
        other => Ok(Transformed::no(other)),
    }
}

/// The expression, of which the engine makes nothing else; `of_rows` where it is a condition that rows meet or not.
fn apart(expression: Expr, of_rows: bool) -> Result<Transformed<Expr>> {
    let mut merged = Vec::new();
    read(&expression, false, of_rows, &mut merged)?;
    let mut seen: Vec<Expr> = Vec::new();
    let mut set_apart = |expression: Expr| {
        let about = bare(&expression);
        if !merged.contains(about) {
            return Transformed::no(expression);
        }
        let place = seen.iter().filter(|seen| *seen == about).count();
        seen.push(about.clone());
        at_place(expression, place as u64)
    };
    expression.transform_up(|expression| match expression {
        Expr::InList(list) => {
            let about = set_apart(*list.expr);
            Ok(about.update_data(|expr| {
                Expr::InList(InList {
                    expr: Box::new(expr),
                    ..list
                })
            }))
        }
        Expr::BinaryExpr(BinaryExpr {
            left,
            op: Operator::Eq,
            right,
        }) => {
            let (left, right) = match is_value(&left) {
                true => (Transformed::no(*left), set_apart(*right)),
                false if is_value(&right) => (set_apart(*left), Transformed::no(*right)),
                false => (Transformed::no(*left), Transformed::no(*right)),
            };
            let changed = left.transformed || right.transformed;
            Ok(Transformed::new_transformed(left.data.eq(right.data), changed))
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

/// What is compared, without the casts around it, which the engine takes away where it can, and without what set it apart before.
fn bare(expression: &Expr) -> &Expr {
    match expression {
        Expr::Cast(Cast { expr, .. }) | Expr::TryCast(TryCast { expr, .. }) => bare(expr),
        Expr::ScalarFunction(ScalarFunction { func, args }) if func.name() == Same::NAME => args.first().map_or(expression, bare),
        other => other,
    }
}

/// Whether a list is written out, so that the engine would look into it.
fn is_written_out(list: &Expr) -> bool {
    match list {
        Expr::ScalarFunction(function) => function.name() == "make_array",
        Expr::Literal(ScalarValue::List(_), _) => true,
        Expr::Cast(Cast { expr, .. }) => is_written_out(expr),
        _ => false,
    }
}

/// A comparison with a list, as NOT around it leaves it.
#[derive(Clone)]
struct Compared<'a> {
    expression: &'a Expr,
    negated: bool,
    is_plain: bool,
    /// Not so for `x = 1`, unless another one stands beside it under OR.
    is_list: bool,
    /// Whether nobody knows what becomes of the expression around it.
    is_inside: bool,
}

/// The comparisons that the engine may come to find side by side; those whose lists it would make a wrong one of go to `merged`.
fn read<'a>(expression: &'a Expr, negated: bool, of_rows: bool, merged: &mut Vec<Expr>) -> Result<Vec<Compared<'a>>> {
    match expression {
        Expr::Not(inner) => read(inner, !negated, of_rows, merged),
        Expr::Alias(alias) => read(&alias.expr, negated, of_rows, merged),
        Expr::BinaryExpr(BinaryExpr { left, op, right }) if matches!(op, Operator::And | Operator::Or) => {
            let (mut one, mut other) = (read(left, negated, of_rows, merged)?, read(right, negated, of_rows, merged)?);
            let both = (*op == Operator::And) != negated;
            for one in &mut one {
                for other in other.iter_mut().filter(|other| one.expression == other.expression) {
                    if *op == Operator::Or && one.negated == negated && other.negated == negated {
                        (one.is_list, other.is_list) = (true, true);
                    }
                    if is_wrong(one, other, both, of_rows) {
                        merged.push(one.expression.clone());
                    }
                }
            }
            one.append(&mut other);
            Ok(one)
        }
        Expr::BinaryExpr(BinaryExpr {
            left,
            op: Operator::Eq,
            right,
        }) if is_value(left) || is_value(right) => {
            let mut all = read_inside(expression, merged)?;
            all.push(Compared {
                expression: bare(if is_value(left) { right } else { left }),
                negated,
                is_plain: true,
                is_list: false,
                is_inside: false,
            });
            Ok(all)
        }
        Expr::InList(list) => Ok(vec![Compared {
            expression: bare(&list.expr),
            negated: negated != list.negated,
            is_plain: list.list.iter().all(is_value) && !list.expr.is_volatile(),
            is_list: true,
            is_inside: false,
        }]),
        other => read_inside(other, merged),
    }
}

/// What an expression is made of; the engine may take away what is around it, and put its parts beside each other.
fn read_inside<'a>(expression: &'a Expr, merged: &mut Vec<Expr>) -> Result<Vec<Compared<'a>>> {
    let mut all: Vec<Compared<'a>> = Vec::new();
    expression.apply_children(|child| {
        let found = read(child, false, false, merged)?;
        for one in found.into_iter().filter(|one| one.is_list) {
            if all.iter().any(|other| other.expression == one.expression) {
                merged.push(one.expression.clone());
            }
            all.push(Compared { is_inside: true, ..one });
        }
        Ok(TreeNodeRecursion::Continue)
    })?;
    Ok(all)
}

/// Whether what the engine makes of the two under AND (`both`) or OR is not what they are.
fn is_wrong(one: &Compared<'_>, other: &Compared<'_>, both: bool, of_rows: bool) -> bool {
    if !one.is_list || !other.is_list {
        return false;
    }
    let is_plain = one.is_plain && other.is_plain;
    match (both, one.negated && other.negated) {
        _ if one.is_inside || other.is_inside => true,
        // All that is in either list.
        (true, true) => false,
        (true, false) => !(is_plain && of_rows),
        (false, negated) => negated,
    }
}

/// Whether an item of a list is a value, and not NULL.
fn is_value(item: &Expr) -> bool {
    match item {
        Expr::Literal(value, _) => !value.is_null(),
        Expr::Cast(Cast { expr, .. }) => is_value(expr),
        _ => false,
    }
}

fn is_null(item: &Expr) -> bool {
    match item {
        Expr::Literal(value, _) => value.is_null(),
        Expr::Cast(Cast { expr, .. }) => is_null(expr),
        _ => false,
    }
}

/// The same value, which the engine takes for another one at each place but the first.
fn at_place(expression: Expr, place: u64) -> Transformed<Expr> {
    let (value, before) = match expression {
        Expr::ScalarFunction(ScalarFunction { func, mut args }) if func.name() == Same::NAME && args.len() == 2 => {
            (args.swap_remove(0), Some(args.swap_remove(0)))
        }
        other => (other, None),
    };
    let after = (place > 0).then(|| lit(place));
    let changed = before != after;
    let placed = match after {
        Some(after) => ScalarUDF::from(Same::new()).call(vec![value, after]),
        None => value,
    };
    Transformed::new_transformed(placed, changed)
}

/// What it is given first.
#[derive(Debug, PartialEq, Eq, Hash)]
struct Same {
    signature: Signature,
}

impl Same {
    const NAME: &'static str = "same";

    fn new() -> Self {
        Self {
            signature: Signature::any(2, Volatility::Immutable),
        }
    }
}

impl ScalarUDFImpl for Same {
    fn name(&self) -> &'static str {
        Self::NAME
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
