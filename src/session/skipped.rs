//! Rows that OFFSET leaves out, below a sort.
//!
//! # Design
//! The engine (DataFusion 55, apache/datafusion#24958) moves a sort below a LIMIT with OFFSET, and lets the sort keep as many rows as LIMIT
//! says: OFFSET then leaves those out that were to be shown. So a node that no sort goes through stands above every OFFSET. It knows the
//! order of its rows: what is sorted already is not sorted again.

use std::sync::Arc;

use datafusion::common::config::ConfigOptions;
use datafusion::common::tree_node::{Transformed, TransformedResult, TreeNode};
use datafusion::error::Result;
use datafusion::physical_optimizer::PhysicalOptimizerRule;
use datafusion::physical_plan::ExecutionPlan;
use datafusion::physical_plan::limit::GlobalLimitExec;

use super::passed::PassedRows;

/// The optimizer rule: like [`ForgetConstants`](super::outer::ForgetConstants), it comes before the rules that reason about orders.
#[derive(Debug)]
pub(super) struct KeepOffsets;

impl KeepOffsets {
    pub(super) const NAME: &str = "keep_offsets";
}

impl PhysicalOptimizerRule for KeepOffsets {
    fn name(&self) -> &str {
        Self::NAME
    }

    fn schema_check(&self) -> bool {
        true
    }

    fn optimize(&self, plan: Arc<dyn ExecutionPlan>, _: &ConfigOptions) -> Result<Arc<dyn ExecutionPlan>> {
        plan.transform_up(|node| {
            let skips = node.downcast_ref::<GlobalLimitExec>().is_some_and(|limit| limit.skip() > 0);
            Ok(match skips {
                true => Transformed::yes(PassedRows::of_skipped(node)),
                false => Transformed::no(node),
            })
        })
        .data()
    }
}
