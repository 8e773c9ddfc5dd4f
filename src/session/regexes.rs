//! `x ~ '.*'`, which any text is and NULL is not.
//!
//! # Design
//! The engine (DataFusion 55, apache/datafusion#24379) makes `x IS NOT NULL` of it, which is false for NULL, so that NOT of it keeps such
//! rows. It knows the pattern by its text. So that text is another one of the same meaning, and so is every pattern that is computed, since
//! what it comes to may be known only after this rule.

use datafusion::common::config::ConfigOptions;
use datafusion::common::tree_node::Transformed;
use datafusion::common::{DFSchema, ScalarValue};
use datafusion::error::Result;
use datafusion::logical_expr::expr::ScalarFunction;
use datafusion::logical_expr::{BinaryExpr, Expr, ExprSchemable, LogicalPlan, Operator, binary_expr, lit};
use datafusion::optimizer::AnalyzerRule;

use super::rewrite::everywhere;

/// What the engine knows by its text.
const ANY: &str = ".*";

/// A group of nothing: before a pattern, it says nothing.
const NOTHING: &str = "(?:)";

/// The rule.
#[derive(Debug)]
pub(super) struct AnyText;

impl AnalyzerRule for AnyText {
    fn name(&self) -> &str {
        "any_text"
    }

    fn analyze(&self, plan: LogicalPlan, _: &ConfigOptions) -> Result<LogicalPlan> {
        everywhere(plan, matched)
    }
}

fn matched(expression: Expr, schema: &DFSchema) -> Result<Transformed<Expr>> {
    match expression {
        Expr::BinaryExpr(BinaryExpr { left, op, right }) if matches!(op, Operator::RegexMatch | Operator::RegexIMatch) => {
            let right = pattern(*right, schema)?;
            Ok(right.update_data(|right| binary_expr(*left, op, right)))
        }
        Expr::ScalarFunction(ScalarFunction { func, mut args }) if func.name() == "regexp_like" && args.len() > 1 => {
            let read = pattern(args[1].clone(), schema)?;
            let transformed = read.transformed;
            args[1] = read.data;
            let call = Expr::ScalarFunction(ScalarFunction { func, args });
            Ok(Transformed::new_transformed(call, transformed))
        }
        other => Ok(Transformed::no(other)),
    }
}

fn pattern(pattern: Expr, schema: &DFSchema) -> Result<Transformed<Expr>> {
    match &pattern {
        Expr::Literal(value, _) if value.try_as_str().flatten() != Some(ANY) => Ok(Transformed::no(pattern)),
        _ => {
            let nothing = ScalarValue::from(NOTHING).cast_to(&pattern.get_type(schema)?)?;
            Ok(Transformed::yes(binary_expr(lit(nothing), Operator::StringConcat, pattern)))
        }
    }
}
