//! ORDER BY with a LIMIT over a search: the site sorts, so that only the first rows are read.
//!
//! The sort stays where it is: what it gets is as many rows as it gives, so it costs nothing, and nothing rests on the order in which
//! rows arrive.

use std::sync::Arc;

use datafusion::common::config::ConfigOptions;
use datafusion::common::tree_node::{Transformed, TreeNode};
use datafusion::error::Result;
use datafusion::physical_expr::PhysicalExpr;
use datafusion::physical_expr::expressions::Column;
use datafusion::physical_optimizer::PhysicalOptimizerRule;
use datafusion::physical_plan::ExecutionPlan;
use datafusion::physical_plan::execution_plan::replace_children_if_necessary;
use datafusion::physical_plan::projection::ProjectionExec;
use datafusion::physical_plan::sorts::sort::SortExec;

use super::scan::ScanExec;

/// Fields that JQL takes in its ORDER BY.
const MOST_KEYS: usize = 7;
/// Rows that are worth reading in order: pages come one after the other.
const MOST_ROWS: usize = 1_000;

/// The optimizer rule.
#[derive(Debug, Default)]
pub(crate) struct PushOrderedLimit;

impl PhysicalOptimizerRule for PushOrderedLimit {
    fn name(&self) -> &'static str {
        "push_ordered_limit"
    }

    fn schema_check(&self) -> bool {
        true
    }

    fn optimize(&self, plan: Arc<dyn ExecutionPlan>, _config: &ConfigOptions) -> Result<Arc<dyn ExecutionPlan>> {
        plan.transform_up(|node| match node.downcast_ref::<SortExec>().and_then(ordered) {
            Some(input) => Ok(Transformed::yes(replace_children_if_necessary(node.clone(), vec![input])?)),
            None => Ok(Transformed::no(node)),
        })
        .map(|transformed| transformed.data)
    }
}

/// The input of a sort with its scan ordered and limited, if the site can do that.
fn ordered(sort: &SortExec) -> Option<Arc<dyn ExecutionPlan>> {
    let fetch = sort.fetch().filter(|fetch| *fetch <= MOST_ROWS)?;
    let keys: Vec<(Arc<dyn PhysicalExpr>, bool)> = sort
        .expr()
        .iter()
        .map(|key| (key.expr.clone(), key.options.descending))
        .collect();
    (keys.len() <= MOST_KEYS).then(|| push(sort.input(), &keys, fetch))?
}

fn push(plan: &Arc<dyn ExecutionPlan>, keys: &[(Arc<dyn PhysicalExpr>, bool)], fetch: usize) -> Option<Arc<dyn ExecutionPlan>> {
    let index = |key: &Arc<dyn PhysicalExpr>| key.downcast_ref::<Column>().map(Column::index);
    if let Some(scan) = plan.downcast_ref::<ScanExec>() {
        let order = keys.iter().map(|(key, descending)| Some((index(key)?, *descending)));
        let ordered = scan.with_order(&order.collect::<Option<Vec<_>>>()?, fetch)?;
        return Some(Arc::new(ordered));
    }
    let inner = if let Some(projection) = plan.downcast_ref::<ProjectionExec>() {
        let below = keys
            .iter()
            .map(|(key, descending)| Some((projection.expr().get(index(key)?)?.expr.clone(), *descending)));
        push(projection.input(), &below.collect::<Option<Vec<_>>>()?, fetch)?
    } else {
        let [only] = plan.children()[..] else { return None };
        let keeps_rows = matches!(
            plan.name(),
            "CooperativeExec" | "CoalesceBatchesExec" | "CoalescePartitionsExec"
        );
        if !keeps_rows || plan.schema() != only.schema() {
            return None;
        }
        push(only, keys, fetch)?
    };
    replace_children_if_necessary(plan.clone(), vec![inner]).ok()
}
