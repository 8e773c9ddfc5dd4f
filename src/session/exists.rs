//! EXISTS asks whether there is a row: one is enough to know.
//!
//! The engine (DataFusion 55) reads the whole sub-select of an EXISTS that does not depend on the rows around it.

use std::sync::Arc;

use datafusion::common::config::ConfigOptions;
use datafusion::common::tree_node::{Transformed, TransformedResult, TreeNode};
use datafusion::error::Result;
use datafusion::logical_expr::expr::Exists;
use datafusion::logical_expr::{Expr, LogicalPlan, LogicalPlanBuilder, Subquery};
use datafusion::optimizer::AnalyzerRule;

/// The analyzer rule.
#[derive(Debug)]
pub(super) struct OneRowExists;

impl AnalyzerRule for OneRowExists {
    fn name(&self) -> &str {
        "one_row_exists"
    }

    fn analyze(&self, plan: LogicalPlan, _: &ConfigOptions) -> Result<LogicalPlan> {
        plan.transform_up_with_subqueries(|plan| plan.map_expressions(|expression| expression.transform_up(of_one_row)))
            .data()
    }
}

fn of_one_row(expression: Expr) -> Result<Transformed<Expr>> {
    let Expr::Exists(Exists { subquery, negated }) = expression else {
        return Ok(Transformed::no(expression));
    };
    if !subquery.outer_ref_columns.is_empty() || matches!(*subquery.subquery, LogicalPlan::Limit(_)) {
        return Ok(Transformed::no(Expr::Exists(Exists { subquery, negated })));
    }
    let first = LogicalPlanBuilder::from(subquery.subquery.as_ref().clone()).limit(0, Some(1))?;
    let subquery = Subquery {
        subquery: Arc::new(first.build()?),
        ..subquery
    };
    Ok(Transformed::yes(Expr::Exists(Exists { subquery, negated })))
}
