//! `lead(x, n) IGNORE NULLS`.
//!
//! # Design
//! The engine (DataFusion 55, apache/datafusion#25471) loses count of the values that follow, and below a LIMIT reads only `n` rows more. The
//! n-th value of the rows that follow is the same, and right.

use datafusion::common::ScalarValue;
use datafusion::common::config::ConfigOptions;
use datafusion::common::tree_node::{Transformed, TransformedResult, TreeNode};
use datafusion::error::Result;
use datafusion::functions_window::nth_value::nth_value_udwf;
use datafusion::logical_expr::expr::{NullTreatment, WindowFunction};
use datafusion::logical_expr::{
    Expr, LogicalPlan, WindowFrame, WindowFrameBound, WindowFrameUnits, WindowFunctionDefinition, lit,
};
use datafusion::optimizer::AnalyzerRule;

use super::rewrite::expressions;
use crate::error::{Error, ErrorKind};
use crate::table::to_datafusion;

/// The rule.
#[derive(Debug)]
pub(super) struct LeadOfValues;

impl AnalyzerRule for LeadOfValues {
    fn name(&self) -> &str {
        "lead_of_values"
    }

    fn analyze(&self, plan: LogicalPlan, _: &ConfigOptions) -> Result<LogicalPlan> {
        plan.transform_up_with_subqueries(|plan| {
            let LogicalPlan::Window(_) = plan else {
                return Ok(Transformed::no(plan));
            };
            expressions(plan, |expression, _| expression.transform_up(counted))
        })
        .data()
    }
}

fn counted(expression: Expr) -> Result<Transformed<Expr>> {
    let Expr::WindowFunction(window) = &expression else {
        return Ok(Transformed::no(expression));
    };
    let is_lead = matches!(&window.fun, WindowFunctionDefinition::WindowUDF(function) if function.name() == "lead");
    if !is_lead || window.params.null_treatment != Some(NullTreatment::IgnoreNulls) {
        return Ok(Transformed::no(expression));
    }
    let mut args = window.params.args.iter();
    let (value, by, otherwise) = (args.next(), args.next(), args.next());
    let by = match by {
        None => Some(1),
        Some(Expr::Literal(by, _)) => by.to_string().parse::<i64>().ok().filter(|by| *by > 0),
        Some(_) => None,
    };
    let nothing = otherwise.is_none_or(|value| matches!(value, Expr::Literal(value, _) if value.is_null()));
    let (Some(value), Some(by), true) = (value, by, nothing) else {
        let error = Error::new(
            ErrorKind::Unsupported,
            "lead(…) IGNORE NULLS takes a number above 0, and no value for what is not there",
        );
        return Err(to_datafusion(
            error.hint("write coalesce(lead(x, 2) IGNORE NULLS OVER (…), 0)"),
        ));
    };
    let mut params = window.params.clone();
    params.args = vec![value.clone(), lit(by)];
    params.window_frame = WindowFrame::new_bounds(
        WindowFrameUnits::Rows,
        WindowFrameBound::Following(ScalarValue::UInt64(Some(1))),
        WindowFrameBound::Following(ScalarValue::UInt64(None)),
    );
    Ok(Transformed::yes(Expr::WindowFunction(Box::new(WindowFunction {
        fun: WindowFunctionDefinition::WindowUDF(nth_value_udwf()),
        params,
    }))))
}
