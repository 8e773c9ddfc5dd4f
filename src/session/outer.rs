//! Rows that an outer join, or grouping by ROLLUP and the like, may complete with NULL, and rows that UNION ALL puts beside others.
//!
//! # Design
//! The engine (DataFusion 55) takes a column that a filter holds constant for constant above these too, where it may be NULL as well. It then
//! drops the column from ORDER BY, and a LIMIT above that keeps the wrong rows. So a node that passes rows on, and no knowledge about
//! constants, stands between such a filter and what is above it.

use std::fmt;
use std::sync::Arc;

use datafusion::common::JoinType;
use datafusion::common::config::ConfigOptions;
use datafusion::common::tree_node::{Transformed, TransformedResult, TreeNode, TreeNodeRecursion};
use datafusion::error::Result;
use datafusion::execution::{SendableRecordBatchStream, TaskContext};
use datafusion::physical_expr::{EquivalenceProperties, PhysicalExpr};
use datafusion::physical_optimizer::PhysicalOptimizerRule;
use datafusion::physical_plan::aggregates::AggregateExec;
use datafusion::physical_plan::execution_plan::{CardinalityEffect, ChildrenPropertiesMode, ReplaceChildrenOptions};
use datafusion::physical_plan::filter_pushdown::{
    ChildPushdownResult, FilterDescription, FilterPushdownPhase, FilterPushdownPropagation,
};
use datafusion::physical_plan::joins::{HashJoinExec, NestedLoopJoinExec, SortMergeJoinExec};
use datafusion::physical_plan::union::{InterleaveExec, UnionExec};
use datafusion::physical_plan::{DisplayAs, DisplayFormatType, ExecutionPlan, ExecutionPlanProperties, PlanProperties};

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
            let inputs = inputs.map(|(input, doubtful)| if doubtful { OuterRowsExec::above(input) } else { input });
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

/// Passes rows on.
#[derive(Debug)]
struct OuterRowsExec {
    input: Arc<dyn ExecutionPlan>,
    properties: Arc<PlanProperties>,
}

impl OuterRowsExec {
    fn above(input: Arc<dyn ExecutionPlan>) -> Arc<dyn ExecutionPlan> {
        let known = input.properties();
        let properties = PlanProperties::new(
            EquivalenceProperties::new(input.schema()),
            known.partitioning.clone(),
            known.emission_type,
            known.boundedness,
        );
        Arc::new(Self {
            input,
            properties: Arc::new(properties),
        })
    }
}

impl DisplayAs for OuterRowsExec {
    fn fmt_as(&self, _: DisplayFormatType, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "OuterRows")
    }
}

impl ExecutionPlan for OuterRowsExec {
    fn name(&self) -> &'static str {
        "OuterRows"
    }

    fn properties(&self) -> &Arc<PlanProperties> {
        &self.properties
    }

    fn children(&self) -> Vec<&Arc<dyn ExecutionPlan>> {
        vec![&self.input]
    }

    fn replace_children(
        self: Arc<Self>,
        mut children: Vec<Arc<dyn ExecutionPlan>>,
        _: ReplaceChildrenOptions,
    ) -> Result<Arc<dyn ExecutionPlan>> {
        Ok(children.pop().map_or(self, Self::above))
    }

    fn with_new_children(self: Arc<Self>, children: Vec<Arc<dyn ExecutionPlan>>) -> Result<Arc<dyn ExecutionPlan>> {
        self.replace_children(children, ReplaceChildrenOptions::new(ChildrenPropertiesMode::Recompute))
    }

    fn apply_expressions(
        &self,
        _: &mut dyn FnMut(&Arc<dyn PhysicalExpr>) -> Result<TreeNodeRecursion>,
    ) -> Result<TreeNodeRecursion> {
        Ok(TreeNodeRecursion::Continue)
    }

    fn execute(&self, partition: usize, context: Arc<TaskContext>) -> Result<SendableRecordBatchStream> {
        self.input.execute(partition, context)
    }

    fn supports_limit_pushdown(&self) -> bool {
        true
    }

    fn cardinality_effect(&self) -> CardinalityEffect {
        CardinalityEffect::Equal
    }

    // The keys of a join, for late binding, go through.
    fn gather_filters_for_pushdown(
        &self,
        _: FilterPushdownPhase,
        filters: Vec<Arc<dyn PhysicalExpr>>,
        _: &ConfigOptions,
    ) -> Result<FilterDescription> {
        FilterDescription::from_children(filters, &self.children())
    }

    fn handle_child_pushdown_result(
        &self,
        _: FilterPushdownPhase,
        result: ChildPushdownResult,
        _: &ConfigOptions,
    ) -> Result<FilterPushdownPropagation<Arc<dyn ExecutionPlan>>> {
        Ok(FilterPushdownPropagation::if_all(result))
    }
}
