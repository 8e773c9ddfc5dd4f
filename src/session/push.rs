//! Filters of the physical plan on their way down: those of joins, which bind scans late, and those that were left above a node.
//!
//! # Design
//! The engine (DataFusion 55, apache/datafusion#25244) looks up the columns of a filter by name in the rows below a node. Where two of them
//! have one name, or a side of a semi join has a column of the name that is not its key, the filter lands on another column, and rows that
//! are meant are not read. So this rule asks the nodes as the engine's own does, and finds the columns itself, by position.

use std::sync::Arc;

use datafusion::common::config::ConfigOptions;
use datafusion::common::internal_err;
use datafusion::common::tree_node::{Transformed, TreeNode};
use datafusion::error::Result;
use datafusion::logical_expr::JoinType;
use datafusion::physical_expr::PhysicalExpr;
use datafusion::physical_expr::expressions::Column;
use datafusion::physical_expr::utils::collect_columns;
use datafusion::physical_expr_common::physical_expr::is_volatile;
use datafusion::physical_optimizer::PhysicalOptimizerRule;
use datafusion::physical_plan::ExecutionPlan;
use datafusion::physical_plan::aggregates::AggregateExec;
use datafusion::physical_plan::execution_plan::replace_children_if_necessary;
use datafusion::physical_plan::filter::FilterExec;
use datafusion::physical_plan::filter_pushdown::{
    ChildFilterPushdownResult, ChildPushdownResult, FilterPushdownPhase, FilterPushdownPropagation, PushedDown,
};
use datafusion::physical_plan::joins::HashJoinExec;
use datafusion::physical_plan::projection::ProjectionExec;
use datafusion::physical_plan::union::UnionExec;

/// The optimizer rule, in place of the engine's of the same name.
#[derive(Debug)]
pub(super) struct PushFilters {
    phase: FilterPushdownPhase,
}

impl PushFilters {
    /// The rule that binds scans late.
    pub(super) const LATE: &str = "FilterPushdown(Post)";

    /// In place of the rule of this name, if it is one of the two.
    pub(super) fn in_place_of(name: &str) -> Option<Self> {
        [FilterPushdownPhase::Pre, FilterPushdownPhase::Post]
            .into_iter()
            .map(|phase| Self { phase })
            .find(|rule| rule.name() == name)
    }
}

impl PhysicalOptimizerRule for PushFilters {
    fn name(&self) -> &str {
        match self.phase {
            FilterPushdownPhase::Pre => "FilterPushdown",
            FilterPushdownPhase::Post => Self::LATE,
        }
    }

    fn schema_check(&self) -> bool {
        true
    }

    fn optimize(&self, plan: Arc<dyn ExecutionPlan>, config: &ConfigOptions) -> Result<Arc<dyn ExecutionPlan>> {
        let pushed = self.push(&plan, &[], config)?;
        Ok(pushed.updated_node.unwrap_or(plan))
    }
}

type Filter = Arc<dyn PhysicalExpr>;

impl PushFilters {
    /// Pushes filters over the rows of a node into it and what is below; says which of them it keeps.
    fn push(
        &self,
        node: &Arc<dyn ExecutionPlan>,
        filters: &[Filter],
        config: &ConfigOptions,
    ) -> Result<FilterPushdownPropagation<Arc<dyn ExecutionPlan>>> {
        // A filter that answers differently each time must be asked where it stands.
        let steady: Vec<usize> = (0..filters.len()).filter(|&filter| !is_volatile(&filters[filter])).collect();
        let offered = steady.iter().map(|&filter| filters[filter].clone()).collect();
        let answer = node.gather_filters_for_pushdown(self.phase, offered, config)?;
        let (inherited, own) = (answer.parent_filters(), answer.self_filters());
        let children = node.children();
        if inherited.len() != children.len() || own.len() != children.len() {
            return internal_err!("{} does not say of each of its inputs which filters it takes", node.name());
        }
        let mut kept = vec![vec![PushedDown::No; children.len()]; filters.len()];
        let mut kept_own = Vec::with_capacity(children.len());
        let mut pushed = Vec::with_capacity(children.len());
        for (place, child) in children.into_iter().enumerate() {
            let mut taken = Vec::new();
            let mut below_child = Vec::new();
            for (number, filter) in own[place].iter().enumerate().filter(|(_, filter)| !is_volatile(filter)) {
                taken.push(Origin::Own(number));
                below_child.push(filter.clone());
            }
            for (&number, offered) in steady.iter().zip(&inherited[place]) {
                if matches!(offered.discriminant, PushedDown::Yes)
                    && let Some(filter) = below(node.as_ref(), place, &filters[number])?
                    && self.may_keep(child, &filter)
                {
                    taken.push(Origin::Inherited(number));
                    below_child.push(filter);
                }
            }
            let result = self.push(child, &below_child, config)?;
            pushed.push(result.updated_node.unwrap_or_else(|| child.clone()));
            let mut of_own = vec![PushedDown::No; own[place].len()];
            for (origin, support) in taken.into_iter().zip(result.filters) {
                match origin {
                    Origin::Own(number) => of_own[number] = support,
                    Origin::Inherited(number) => kept[number][place] = support,
                }
            }
            let of_own = of_own.into_iter().zip(&own[place]);
            kept_own.push(
                of_own
                    .map(|(support, filter)| support.wrap_expression(filter.clone()))
                    .collect(),
            );
        }
        let updated = replace_children_if_necessary(node.clone(), pushed)?;
        let parent_filters = filters.iter().cloned().zip(kept);
        let parent_filters = parent_filters.map(|(filter, child_results)| ChildFilterPushdownResult { filter, child_results });
        let result = ChildPushdownResult {
            parent_filters: parent_filters.collect(),
            self_filters: kept_own,
        };
        let mut result = updated.handle_child_pushdown_result(self.phase, result, config)?;
        if result.updated_node.is_none() && !Arc::ptr_eq(&updated, node) {
            result.updated_node = Some(updated);
        }
        Ok(result)
    }

    /// Whether a node that keeps a filter for itself would find its columns: one that filters and leaves columns out looks for them by name.
    fn may_keep(&self, node: &Arc<dyn ExecutionPlan>, filter: &Filter) -> bool {
        match node.downcast_ref::<FilterExec>() {
            Some(keeper) if keeper.projection().is_some() && matches!(self.phase, FilterPushdownPhase::Pre) => {
                let names = keeper.input().schema();
                let mut columns = collect_columns(filter).into_iter();
                columns.all(|column| is_one(&names, column.name()))
            }
            _ => true,
        }
    }
}

/// Where a filter that a child is offered comes from.
enum Origin {
    Own(usize),
    Inherited(usize),
}

fn is_one(schema: &datafusion::arrow::datatypes::Schema, name: &str) -> bool {
    schema.fields().iter().filter(|field| field.name() == name).count() == 1
}

/// A filter over the rows of a node in the columns of one of its inputs; `None` where a column is not one of that input.
fn below(node: &dyn ExecutionPlan, place: usize, filter: &Filter) -> Result<Option<Filter>> {
    let mut is_whole = true;
    let moved = filter.clone().transform_up(|expression| {
        let Some(column) = expression.downcast_ref::<Column>() else {
            return Ok(Transformed::no(expression));
        };
        match origin(node, place, column) {
            Some(origin) => Ok(Transformed::yes(origin)),
            None => {
                is_whole = false;
                Ok(Transformed::no(expression))
            }
        }
    })?;
    Ok(is_whole.then_some(moved.data))
}

/// What a column of a node is in the columns of one of its inputs.
fn origin(node: &dyn ExecutionPlan, place: usize, column: &Column) -> Option<Filter> {
    let index = column.index();
    let child = *node.children().get(place)?;
    if let Some(projection) = node.downcast_ref::<ProjectionExec>() {
        return Some(projection.expr().get(index)?.expr.clone());
    }
    if let Some(aggregate) = node.downcast_ref::<AggregateExec>() {
        return Some(aggregate.group_expr().expr().get(index)?.0.clone());
    }
    if let Some(join) = node.downcast_ref::<HashJoinExec>() {
        return of_join(join, place, index);
    }
    if let Some(filter) = node.downcast_ref::<FilterExec>() {
        return match filter.projection() {
            Some(shown) => at(child, *shown.get(index)?),
            None => at(child, index),
        };
    }
    let (outer, inner) = (node.schema(), child.schema());
    let same = outer
        .fields()
        .iter()
        .zip(inner.fields())
        .all(|(outer, inner)| outer.name() == inner.name());
    if node.is::<UnionExec>() || outer.fields().len() == inner.fields().len() && same {
        return at(child, index);
    }
    // A node that we do not know finds columns by name.
    let clear = is_one(&outer, column.name()) && is_one(&inner, column.name());
    clear.then(|| at(child, inner.index_of(column.name()).ok()?))?
}

fn at(child: &Arc<dyn ExecutionPlan>, index: usize) -> Option<Filter> {
    let schema = child.schema();
    Some(Arc::new(Column::new(schema.fields().get(index)?.name(), index)))
}

fn of_join(join: &HashJoinExec, place: usize, index: usize) -> Option<Filter> {
    let index = match &join.projection {
        Some(shown) => *shown.get(index)?,
        None => index,
    };
    let sides = [join.left(), join.right()];
    let left = sides[0].schema().fields().len();
    let (side, index) = match join.join_type() {
        JoinType::Inner | JoinType::Left | JoinType::Right | JoinType::Full if index >= left => (1, index - left),
        JoinType::RightSemi | JoinType::RightAnti | JoinType::RightMark => (1, index),
        _ => (0, index),
    };
    let own = at(sides[side], index)?;
    if side == place {
        return Some(own);
    }
    // Rows that come out of a semi join have their key on the other side too.
    let is_semi = matches!(join.join_type(), JoinType::LeftSemi | JoinType::RightSemi);
    let mut pairs = join
        .on()
        .iter()
        .map(|(left, right)| if side == 0 { (left, right) } else { (right, left) });
    let partner = pairs.find(|(here, _)| is_semi && here.as_ref() == own.as_ref());
    partner.map(|(_, there)| there.clone())
}
