//! Carries the filters of a parent to the child it is joined with.
//!
//! `requests r JOIN request_comments c ON c.issue_key = r.issue_key WHERE r.service_desk_id = '1'`: when the join leaves many requests, the
//! comments are read in one pass over the list of requests that carries them. That pass may be as narrow as the parent's own, because
//! only comments of such requests can join.

use std::sync::Arc;

use datafusion::common::config::ConfigOptions;
use datafusion::common::tree_node::{Transformed, TreeNode};
use datafusion::error::Result;
use datafusion::logical_expr::JoinType;
use datafusion::physical_expr::PhysicalExpr;
use datafusion::physical_expr::expressions::Column;
use datafusion::physical_optimizer::PhysicalOptimizerRule;
use datafusion::physical_plan::ExecutionPlan;
use datafusion::physical_plan::execution_plan::replace_children_if_necessary;
use datafusion::physical_plan::filter::FilterExec;
use datafusion::physical_plan::joins::HashJoinExec;
use datafusion::physical_plan::projection::ProjectionExec;

use super::scan::{ScanExec, ScanRequest};
use crate::rest::plan::Known;
use crate::schema::Table;

/// The optimizer rule.
#[derive(Debug, Default)]
pub(crate) struct CarryParentFilters;

impl PhysicalOptimizerRule for CarryParentFilters {
    fn name(&self) -> &'static str {
        "carry_parent_filters"
    }

    fn schema_check(&self) -> bool {
        true
    }

    fn optimize(&self, plan: Arc<dyn ExecutionPlan>, _config: &ConfigOptions) -> Result<Arc<dyn ExecutionPlan>> {
        plan.transform_up(|node| match node.downcast_ref::<HashJoinExec>() {
            Some(join) => match carry(join)? {
                Some(probe) => {
                    let children = vec![join.left().clone(), probe];
                    Ok(Transformed::yes(replace_children_if_necessary(node.clone(), children)?))
                }
                None => Ok(Transformed::no(node)),
            },
            None => Ok(Transformed::no(node)),
        })
        .map(|transformed| transformed.data)
    }
}

/// The probe side with what the build side knows about its parents.
fn carry(join: &HashJoinExec) -> Result<Option<Arc<dyn ExecutionPlan>>> {
    // Only where a probe row without a partner is dropped.
    if !matches!(
        join.join_type(),
        JoinType::Inner | JoinType::Left | JoinType::LeftSemi | JoinType::RightSemi | JoinType::LeftAnti | JoinType::LeftMark
    ) {
        return Ok(None);
    }
    for (build_key, probe_key) in join.on() {
        let Some((parent, parent_column)) = origin(join.left(), build_key) else {
            continue;
        };
        let Some((child, child_column)) = origin(join.right(), probe_key) else {
            continue;
        };
        let (parent, table) = (parent.request(), &child.request().table);
        let belongs = table.parent.as_ref().is_some_and(|link| {
            link.table.name == parent.table.name
                && link
                    .columns
                    .iter()
                    .any(|&(here, there)| here == child_column && there == parent_column)
        });
        if belongs && child.is_bound_late() && parent.known != Known::default() {
            let known = table
                .parent
                .as_ref()
                .map(|link| known_of(parent, &link.table))
                .unwrap_or_default();
            let bound = Arc::new(child.with_parent_known(known)?) as Arc<dyn ExecutionPlan>;
            return replace(join.right(), &bound).map(Some);
        }
    }
    Ok(None)
}

/// What a scan knows, in the columns of the table as a child sees it: that one lacks what is added for the site.
fn known_of(scan: &ScanRequest, table: &Table) -> Known {
    let mut known = Known::default();
    for column in scan.known.columns() {
        let values = scan.known.get(column).into_iter().flat_map(|values| values.iter().cloned());
        if let Some(there) = table.column(&scan.table.columns[column].name) {
            known.restrict(there, values);
        }
    }
    known
}

/// The scan, and its column, that an expression over a plan comes from; only through nodes that drop rows or columns.
fn origin<'a>(plan: &'a Arc<dyn ExecutionPlan>, expression: &Arc<dyn PhysicalExpr>) -> Option<(&'a ScanExec, usize)> {
    let column = expression.downcast_ref::<Column>()?;
    if let Some(scan) = plan.downcast_ref::<ScanExec>() {
        return Some((scan, *scan.request().columns.get(column.index())?));
    }
    if let Some(projection) = plan.downcast_ref::<ProjectionExec>() {
        return origin(projection.input(), &projection.expr().get(column.index())?.expr);
    }
    if let Some(filter) = plan.downcast_ref::<FilterExec>() {
        if filter.projection().is_some() {
            return None;
        }
        return origin(filter.input(), expression);
    }
    let [only] = plan.children()[..] else { return None };
    // Coalescing and repartitioning keep rows and columns as they are.
    (plan.schema() == only.schema()
        && matches!(
            plan.name(),
            "CooperativeExec" | "CoalesceBatchesExec" | "CoalescePartitionsExec" | "RepartitionExec"
        ))
    .then(|| origin(only, expression))?
}

/// The plan with its scan replaced; the way down to it is the one [`origin`] went.
fn replace(plan: &Arc<dyn ExecutionPlan>, scan: &Arc<dyn ExecutionPlan>) -> Result<Arc<dyn ExecutionPlan>> {
    if plan.downcast_ref::<ScanExec>().is_some() {
        return Ok(scan.clone());
    }
    let children = plan
        .children()
        .into_iter()
        .map(|child| replace(child, scan))
        .collect::<Result<_>>()?;
    replace_children_if_necessary(plan.clone(), children)
}
