//! Keys below UNNEST: a list makes several rows of one, so what told rows apart does not any more.
//!
//! # Design
//! The engine (DataFusion 55) keeps the keys of the rows that go into an `Unnest` for those that come out of it, and leaves out what a key
//! makes needless: a DISTINCT, what is sorted or grouped by behind the key, a join. So its keys are forgotten before each rule that looks
//! at them; the rules between make such nodes anew, and remember.

use std::sync::Arc;

use datafusion::common::FunctionalDependencies;
use datafusion::common::tree_node::{Transformed, TransformedResult, TreeNodeRecursion};
use datafusion::error::Result;
use datafusion::logical_expr::LogicalPlan;
use datafusion::optimizer::{OptimizerConfig, OptimizerRule};

/// The rule.
#[derive(Debug)]
pub(super) struct ForgetKeys;

impl ForgetKeys {
    pub(super) const NAME: &'static str = "forget_keys";

    /// Rules of the engine that look at keys.
    pub(super) const BEFORE: [&'static str; 4] = [
        "replace_distinct_aggregate",
        "eliminate_join",
        "eliminate_duplicated_expr",
        "optimize_projections",
    ];
}

impl OptimizerRule for ForgetKeys {
    fn name(&self) -> &str {
        Self::NAME
    }

    fn rewrite(&self, plan: LogicalPlan, _: &dyn OptimizerConfig) -> Result<Transformed<LogicalPlan>> {
        let mut remembers = false;
        plan.apply_with_subqueries(|plan| {
            remembers |= has_keys(plan);
            Ok(TreeNodeRecursion::Continue)
        })?;
        if !remembers {
            return Ok(Transformed::no(plan));
        }
        let forgotten = plan.transform_up_with_subqueries(|plan| {
            Ok(Transformed::yes(match plan {
                LogicalPlan::Unnest(mut unnest) => {
                    let schema = unnest.schema.as_ref().clone();
                    unnest.schema = Arc::new(schema.with_functional_dependencies(FunctionalDependencies::empty())?);
                    LogicalPlan::Unnest(unnest)
                }
                plan => plan.recompute_schema()?,
            }))
        });
        forgotten.data().map(Transformed::yes)
    }
}

fn has_keys(plan: &LogicalPlan) -> bool {
    matches!(plan, LogicalPlan::Unnest(unnest) if !unnest.schema.functional_dependencies().is_empty())
}
