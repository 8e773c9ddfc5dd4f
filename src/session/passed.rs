//! A node that passes rows on: what the engine must not carry from one side to the other ends at it.

use std::fmt;
use std::sync::Arc;

use datafusion::common::config::ConfigOptions;
use datafusion::common::tree_node::TreeNodeRecursion;
use datafusion::error::Result;
use datafusion::execution::{SendableRecordBatchStream, TaskContext};
use datafusion::physical_expr::{EquivalenceProperties, PhysicalExpr};
use datafusion::physical_plan::execution_plan::{CardinalityEffect, ChildrenPropertiesMode, ReplaceChildrenOptions};
use datafusion::physical_plan::filter_pushdown::{
    ChildPushdownResult, FilterDescription, FilterPushdownPhase, FilterPushdownPropagation,
};
use datafusion::physical_plan::{DisplayAs, DisplayFormatType, ExecutionPlan, PlanProperties};

/// Passes rows on.
#[derive(Debug)]
pub(super) struct PassedRows {
    input: Arc<dyn ExecutionPlan>,
    why: Why,
    properties: Arc<PlanProperties>,
}

/// Why such a node stands there.
#[derive(Debug, Clone, Copy)]
enum Why {
    /// What is known below does not hold above.
    Outer,
    /// What is known holds, but a sort must not come to stand below.
    Skipped,
}

impl PassedRows {
    /// Rows of which nothing is known.
    pub(super) fn of_outer(input: Arc<dyn ExecutionPlan>) -> Arc<dyn ExecutionPlan> {
        Self::above(input, Why::Outer)
    }

    /// Rows behind others that were skipped, in the order that they have.
    pub(super) fn of_skipped(input: Arc<dyn ExecutionPlan>) -> Arc<dyn ExecutionPlan> {
        Self::above(input, Why::Skipped)
    }

    fn above(input: Arc<dyn ExecutionPlan>, why: Why) -> Arc<dyn ExecutionPlan> {
        let known = input.properties();
        let rows = match why {
            Why::Outer => EquivalenceProperties::new(input.schema()),
            Why::Skipped => known.eq_properties.clone(),
        };
        let properties = PlanProperties::new(rows, known.partitioning.clone(), known.emission_type, known.boundedness);
        Arc::new(Self {
            input,
            why,
            properties: Arc::new(properties),
        })
    }
}

impl DisplayAs for PassedRows {
    fn fmt_as(&self, _: DisplayFormatType, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}", self.name())
    }
}

impl ExecutionPlan for PassedRows {
    fn name(&self) -> &'static str {
        match self.why {
            Why::Outer => "OuterRows",
            Why::Skipped => "SkippedRows",
        }
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
        Ok(match children.pop() {
            Some(input) => Self::above(input, self.why),
            None => self,
        })
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
