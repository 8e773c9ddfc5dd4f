//! Expressions of a plan made into others, under the names that they had.

use datafusion::common::DFSchema;
use datafusion::common::tree_node::{Transformed, TransformedResult, TreeNode};
use datafusion::error::Result;
use datafusion::logical_expr::expr_rewriter::NamePreserver;
use datafusion::logical_expr::utils::merge_schema;
use datafusion::logical_expr::{Expr, LogicalPlan};

/// The expressions of one node, each made into another that knows the columns below. What is a column stays one.
pub(super) fn expressions(
    plan: LogicalPlan,
    mut change: impl FnMut(Expr, &DFSchema) -> Result<Transformed<Expr>>,
) -> Result<Transformed<LogicalPlan>> {
    let schema = match &plan {
        // It has no input: its filters are about all columns of the table.
        LogicalPlan::TableScan(scan) => DFSchema::try_from_qualified_schema(scan.table_name.clone(), &scan.source.schema())?,
        plan => merge_schema(&plan.inputs()),
    };
    let names = NamePreserver::new(&plan);
    plan.map_expressions(|expression| {
        if let Expr::Column(_) = expression {
            return Ok(Transformed::no(expression));
        }
        let name = names.save(&expression);
        let changed = change(expression, &schema)?;
        Ok(changed.update_data(|expression| name.restore(expression)))
    })
}

/// All parts of the expressions of a plan and of its subqueries, the inner ones first.
pub(super) fn everywhere(
    plan: LogicalPlan,
    change: impl Fn(Expr, &DFSchema) -> Result<Transformed<Expr>>,
) -> Result<LogicalPlan> {
    plan.transform_up_with_subqueries(|plan| {
        expressions(plan, |expression, schema| {
            expression.transform_up(|expression| change(expression, schema))
        })
    })
    .data()
}
