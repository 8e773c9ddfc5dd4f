//! One table in DataFusion: a provider that turns predicates into a [`Read`](crate::rest::plan::Read), and the plan node that runs it.
//!
//! The only floor between the site and the SQL engine: below it nothing knows DataFusion, above it nothing knows requests.

mod analyze;
mod call;
mod engine;
mod filter;
mod input;
mod late;
mod order;
mod parent;
mod predicate;
mod provider;
mod scan;
mod write;

pub(crate) use analyze::{WritesAsNodes, insert_returning, is_kept};
pub(crate) use call::{CallNode, CallPlanner, Calls, ProcedureFunction, constant, usage};
pub(crate) use engine::{from_datafusion, to_datafusion};
pub(crate) use input::ComparedInputs;
pub(crate) use order::PushOrderedLimit;
pub(crate) use parent::CarryParentFilters;
pub(crate) use predicate::{Delivery, delivery};
pub(crate) use provider::SiteTable;
pub(crate) use write::{WriteNode, WritePlanner};

use std::any::Any;
use std::sync::Arc;

use datafusion::catalog::TableProvider;
use datafusion::common::tree_node::TreeNodeRecursion;
use datafusion::datasource::source_as_provider;
use datafusion::error::DataFusionError;
use datafusion::logical_expr::{LogicalPlan, TableScan};

use crate::schema::Table;

/// The table of the site that a scan reads, if it reads one.
pub(crate) fn site_table(scan: &TableScan) -> Option<Arc<Table>> {
    provided(source_as_provider(&scan.source).ok()?.as_ref())
}

/// The table of the site that a provider reads, if it reads one.
pub(crate) fn provided(provider: &dyn TableProvider) -> Option<Arc<Table>> {
    let table = (provider as &dyn Any).downcast_ref::<SiteTable>()?;
    Some(table.table().clone())
}

/// Calls `act` for every node of one kind in a plan, those of its subqueries and expressions included.
fn for_each_node<N: 'static>(plan: &LogicalPlan, mut act: impl FnMut(&N)) {
    let walked = plan.apply_with_subqueries(|node| {
        if let LogicalPlan::Extension(extension) = node
            && let Some(node) = extension.node.as_any().downcast_ref::<N>()
        {
            act(node);
        }
        Ok::<_, DataFusionError>(TreeNodeRecursion::Continue)
    });
    // The closure never fails.
    debug_assert!(walked.is_ok());
}
