//! Conditions on totals: on rows that an aggregate makes even of no rows.
//!
//! # Design
//! The engine (DataFusion 55) carries a condition below an aggregate where it names only columns that rows are grouped by. A condition on no
//! column at all, such as `(SELECT …)`, is carried below totals too, where it takes the rows away and not the total. So it becomes EXISTS of
//! one row under that condition, which is a join of its own and stays where it is.

use std::sync::Arc;

use datafusion::common::config::ConfigOptions;
use datafusion::common::tree_node::{Transformed, TransformedResult, TreeNode, TreeNodeRecursion};
use datafusion::error::Result;
use datafusion::logical_expr::utils::{conjunction, split_conjunction_owned};
use datafusion::logical_expr::{Expr, Filter, LogicalPlan, LogicalPlanBuilder, exists, lit};
use datafusion::optimizer::AnalyzerRule;

/// The rule.
#[derive(Debug)]
pub(super) struct ConditionsOnTotals;

impl AnalyzerRule for ConditionsOnTotals {
    fn name(&self) -> &str {
        "conditions_on_totals"
    }

    fn analyze(&self, plan: LogicalPlan, _: &ConfigOptions) -> Result<LogicalPlan> {
        plan.transform_up_with_subqueries(|plan| match plan {
            LogicalPlan::Filter(filter) if has_total(&filter.input)? => {
                let terms = split_conjunction_owned(filter.predicate).into_iter().map(apart);
                let terms = terms.collect::<Result<Vec<_>>>()?;
                let predicate = conjunction(terms).unwrap_or_else(|| lit(true));
                Ok(Transformed::yes(LogicalPlan::Filter(Filter::try_new(
                    predicate,
                    filter.input,
                )?)))
            }
            plan => Ok(Transformed::no(plan)),
        })
        .data()
    }
}

/// Whether an aggregate below makes a row of no rows.
fn has_total(plan: &LogicalPlan) -> Result<bool> {
    plan.exists(|plan| {
        Ok(matches!(plan, LogicalPlan::Aggregate(aggregate)
            if aggregate.group_expr.iter().all(|key| matches!(key, Expr::GroupingSet(_)))))
    })
}

/// A condition on no column, as one that no aggregate is asked about. What the engine computes while it plans needs no such care.
fn apart(term: Expr) -> Result<Expr> {
    let mut is_left = false;
    let mut is_correlated = false;
    term.apply(|expression| {
        is_correlated |= matches!(expression, Expr::OuterReferenceColumn(..));
        is_left |= matches!(
            expression,
            Expr::ScalarSubquery(_) | Expr::ScalarFunction(_) | Expr::Cast(_) | Expr::TryCast(_)
        );
        Ok(TreeNodeRecursion::Continue)
    })?;
    if !is_left || is_correlated || !term.column_refs().is_empty() {
        return Ok(term);
    }
    let row = LogicalPlanBuilder::empty(true).filter(term)?.build()?;
    Ok(exists(Arc::new(row)))
}
