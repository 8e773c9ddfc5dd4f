//! Moments that are finer than what they are compared with: `created = '2026-03-01 11:47:40.8105'`, where `created` has milliseconds.
//!
//! # Design
//! The engine (DataFusion 55) takes the cast of a column away by casting the constant instead, and cuts its last digits off: the row of .810
//! is then equal. So where the constant has digits that the column cannot have, or where they are not known yet, the cast goes through a
//! function that the engine does not look into. All other comparisons reach the site as before.

use datafusion::arrow::datatypes::DataType;
use datafusion::common::config::ConfigOptions;
use datafusion::common::tree_node::Transformed;
use datafusion::common::{DFSchema, ScalarValue};
use datafusion::error::Result;
use datafusion::logical_expr::expr::{Cast, InList};
use datafusion::logical_expr::{Between, BinaryExpr, Expr, ExprSchemable, LogicalPlan};
use datafusion::optimizer::AnalyzerRule;

use super::lengths::is_comparison;
use super::rewrite::everywhere;
use super::subquery::or_null;
use super::ticks::per_second;

/// The rule; it must come after the coercion of types.
#[derive(Debug)]
pub(super) struct WholeFractions;

impl AnalyzerRule for WholeFractions {
    fn name(&self) -> &str {
        "whole_fractions"
    }

    fn analyze(&self, plan: LogicalPlan, _: &ConfigOptions) -> Result<LogicalPlan> {
        everywhere(plan, |expression, schema| Ok(compared(expression, schema)))
    }
}

fn compared(expression: Expr, schema: &DFSchema) -> Transformed<Expr> {
    match expression {
        Expr::BinaryExpr(BinaryExpr { left, op, right }) if is_comparison(op) => {
            let (cut_left, cut_right) = (is_cut(&left, &[&right], schema), is_cut(&right, &[&left], schema));
            let kept = BinaryExpr {
                left: kept(left, cut_left),
                op,
                right: kept(right, cut_right),
            };
            Transformed::new_transformed(Expr::BinaryExpr(kept), cut_left || cut_right)
        }
        Expr::Between(between) => {
            let cut = is_cut(&between.expr, &[&between.low, &between.high], schema);
            let expr = kept(between.expr, cut);
            Transformed::new_transformed(Expr::Between(Between { expr, ..between }), cut)
        }
        Expr::InList(list) => {
            let cut = is_cut(&list.expr, &list.list.iter().collect::<Vec<_>>(), schema);
            let expr = kept(list.expr, cut);
            Transformed::new_transformed(Expr::InList(InList { expr, ..list }), cut)
        }
        other => Transformed::no(other),
    }
}

fn kept(expression: Box<Expr>, cut: bool) -> Box<Expr> {
    if cut { Box::new(or_null(*expression)) } else { expression }
}

/// Whether the engine would take the cast of `expression` away, and cut off what these constants have beyond it.
fn is_cut(expression: &Expr, constants: &[&Expr], schema: &DFSchema) -> bool {
    let Expr::Cast(Cast { expr, field }) = expression else {
        return false;
    };
    let (DataType::Timestamp(finer, _), Ok(own)) = (field.data_type(), expr.get_type(schema)) else {
        return false;
    };
    let coarse = match own {
        DataType::Date32 | DataType::Date64 => 86_400 * per_second(*finer),
        DataType::Timestamp(own, _) if per_second(own) < per_second(*finer) => per_second(*finer) / per_second(own),
        _ => return false,
    };
    let is_constant = |other: &&&Expr| other.column_refs().is_empty() && !other.contains_outer();
    let finer = field.data_type();
    (constants.iter().filter(is_constant)).any(|constant| match known(constant, finer) {
        Some(Some(ticks)) => ticks % coarse != 0,
        Some(None) => false,
        None => true,
    })
}

/// The value of a constant in ticks of a timestamp, if it is known; none inside: it is NULL.
fn known(constant: &Expr, kind: &DataType) -> Option<Option<i64>> {
    match value(constant)?.cast_to(kind).ok()? {
        ScalarValue::TimestampSecond(ticks, _)
        | ScalarValue::TimestampMillisecond(ticks, _)
        | ScalarValue::TimestampMicrosecond(ticks, _)
        | ScalarValue::TimestampNanosecond(ticks, _) => Some(ticks),
        _ => None,
    }
}

fn value(constant: &Expr) -> Option<ScalarValue> {
    match constant {
        Expr::Literal(value, _) => Some(value.clone()),
        Expr::Cast(Cast { expr, field }) => value(expr)?.cast_to(field.data_type()).ok(),
        _ => None,
    }
}
