//! Rows that an outer join, or grouping by ROLLUP and the like, may complete with NULL, and rows that UNION ALL puts beside others.
//!
//! # Design
//! The engine (DataFusion 55) takes a column that a filter holds constant for constant above these too, where it may be NULL as well. It then
//! drops the column from ORDER BY, and a LIMIT above that keeps the wrong rows. So a node that passes rows on, and no knowledge about
//! constants, stands between such a filter and what is above it.

use std::sync::Arc;

use datafusion::common::JoinType;
use datafusion::common::config::ConfigOptions;
use datafusion::common::tree_node::{Transformed, TransformedResult, TreeNode};
use datafusion::error::Result;
use datafusion::physical_optimizer::PhysicalOptimizerRule;
use datafusion::physical_plan::aggregates::AggregateExec;
use datafusion::physical_plan::execution_plan::{ChildrenPropertiesMode, ReplaceChildrenOptions};
use datafusion::physical_plan::joins::{HashJoinExec, NestedLoopJoinExec, SortMergeJoinExec};
use datafusion::physical_plan::union::{InterleaveExec, UnionExec};
use datafusion::physical_plan::{ExecutionPlan, ExecutionPlanProperties};

use super::passed::PassedRows;

/// The optimizer rule: it must come before the rules that reason about orders.
#[derive(Debug)]
pub(super) struct ForgetConstants;

impl ForgetConstants {
    pub(super) const NAME: &str = "forget_constants";
    /// The rule that it comes before.
    pub(super) const BEFORE: &str = "EnsureRequirements";
}

impl PhysicalOptimizerRule for ForgetConstants {
    fn name(&self) -> &str {
        Self::NAME
    }

    fn schema_check(&self) -> bool {
        true
    }

    fn optimize(&self, plan: Arc<dyn ExecutionPlan>, _: &ConfigOptions) -> Result<Arc<dyn ExecutionPlan>> {
        plan.transform_up(|node| {
            let may_differ = may_differ(node.as_ref());
            let inputs: Vec<Arc<dyn ExecutionPlan>> = node.children().into_iter().cloned().collect();
            let knows = |input: &Arc<dyn ExecutionPlan>| !input.equivalence_properties().constants().is_empty();
            let doubtful: Vec<bool> = inputs
                .iter()
                .zip(may_differ)
                .map(|(input, differs)| differs && knows(input))
                .collect();
            if !doubtful.contains(&true) {
                return Ok(Transformed::no(node));
            }
            let inputs = inputs.into_iter().zip(doubtful);
            let inputs = inputs.map(|(input, doubtful)| if doubtful { PassedRows::of_outer(input) } else { input });
            let options = ReplaceChildrenOptions::new(ChildrenPropertiesMode::Recompute);
            node.replace_children(inputs.collect(), options).map(Transformed::yes)
        })
        .data()
    }
}

/// For each input of a node: whether its columns may have another value above the node than the one that they have below it.
fn may_differ(node: &dyn ExecutionPlan) -> Vec<bool> {
    if let Some(aggregate) = node.downcast_ref::<AggregateExec>() {
        return vec![!aggregate.group_expr().is_single()];
    }
    // What is constant in each input is not the same in all of them, and the first rows of all are found together.
    if node.downcast_ref::<UnionExec>().is_some() || node.downcast_ref::<InterleaveExec>().is_some() {
        return vec![true; node.children().len()];
    }
    let join = join_type(node);
    vec![
        matches!(join, Some(JoinType::Right | JoinType::Full)),
        matches!(join, Some(JoinType::Left | JoinType::Full)),
    ]
}

fn join_type(node: &dyn ExecutionPlan) -> Option<JoinType> {
    if let Some(join) = node.downcast_ref::<HashJoinExec>() {
        return Some(*join.join_type());
    }
    if let Some(join) = node.downcast_ref::<NestedLoopJoinExec>() {
        return Some(*join.join_type());
    }
    node.downcast_ref::<SortMergeJoinExec>().map(|join| join.join_type)
}
