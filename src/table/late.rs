//! Late binding: what is known about our columns only while the statement runs.
//!
//! A hash join publishes the keys of its build side as a dynamic filter. When the scan starts, that filter is complete and holds a list
//! of values; the scan then asks for just those. The answer of a subquery that stands for one value is there before the scan starts.

use std::sync::Arc;

use datafusion::arrow::datatypes::Schema;
use datafusion::arrow::record_batch::RecordBatch;
use datafusion::common::ScalarValue;
use datafusion::common::tree_node::{TreeNode, TreeNodeRecursion};
use datafusion::logical_expr::{ColumnarValue, Operator};
use datafusion::physical_expr::expressions::{BinaryExpr, Column, DynamicFilterPhysicalExpr, InListExpr, Literal};
use datafusion::physical_expr::scalar_subquery::ScalarSubqueryExpr;
use datafusion::physical_expr::{PhysicalExpr, ScalarFunctionExpr};

use super::predicate::{is_bindable, text};
use crate::rest::plan::Known;
use crate::schema::Table;

/// Whether the filter may bind a column of the table while the statement runs.
pub(super) fn is_useful(table: &Table, filter: &Arc<dyn PhysicalExpr>, pushdown: bool) -> bool {
    let may_bind = |child: &&Arc<dyn PhysicalExpr>| column_of(table, child, pushdown).is_some();
    if let Some(filter) = filter.downcast_ref::<DynamicFilterPhysicalExpr>() {
        return filter.children().iter().any(may_bind);
    }
    let compares = filter
        .downcast_ref::<BinaryExpr>()
        .is_some_and(|binary| *binary.op() == Operator::Eq)
        || filter.downcast_ref::<InListExpr>().is_some_and(|list| !list.negated());
    compares && waits(filter) && filter.children().iter().any(may_bind)
}

/// What a filter is about.
pub(super) fn columns(filter: &Arc<dyn PhysicalExpr>) -> Vec<&Arc<dyn PhysicalExpr>> {
    let mut children = filter.children();
    if filter.downcast_ref::<DynamicFilterPhysicalExpr>().is_none() {
        children.retain(|child| child.downcast_ref::<Column>().is_some());
    }
    children
}

/// Whether an expression has the answer of a subquery in it.
fn waits(expression: &Arc<dyn PhysicalExpr>) -> bool {
    let mut waits = false;
    let look = |inner: &Arc<dyn PhysicalExpr>| {
        waits |= inner.downcast_ref::<ScalarSubqueryExpr>().is_some();
        Ok(TreeNodeRecursion::Continue)
    };
    expression.apply(look).is_ok() && waits
}

/// Adds what is known by now, for which it waits.
pub(super) async fn bind(
    table: &Table,
    filters: &[Arc<dyn PhysicalExpr>],
    pushdown: bool,
    known: &mut Known,
) -> datafusion::error::Result<()> {
    for filter in filters {
        if let Some(filter) = filter.downcast_ref::<DynamicFilterPhysicalExpr>() {
            filter.wait_complete().await;
            learn(table, &filter.current()?, pushdown, known);
        } else {
            learn(table, filter, pushdown, known);
        }
    }
    Ok(())
}

/// The column that an expression is, if it may be bound. Without pushdown nothing is learned but what must be asked: inputs, and the
/// columns that an endpoint cannot do without.
fn column_of(table: &Table, expression: &Arc<dyn PhysicalExpr>, pushdown: bool) -> Option<usize> {
    let column = table.column(expression.downcast_ref::<Column>()?.name())?;
    let with_input = |other: &crate::schema::Column| {
        let with = other.push.iter().flat_map(|push| &push.with);
        other.input && with.into_iter().any(|(with, _)| *with == column)
    };
    let definition = &table.columns[column];
    let must = || definition.input || definition.required || table.columns.iter().any(with_input);
    (is_bindable(table, column) && (pushdown || must())).then_some(column)
}

/// Reads a conjunction; what it does not understand it leaves out, which only widens the read.
fn learn(table: &Table, filter: &Arc<dyn PhysicalExpr>, pushdown: bool, known: &mut Known) {
    let column_of = |expression: &Arc<dyn PhysicalExpr>| column_of(table, expression, pushdown);
    if let Some(binary) = filter.downcast_ref::<BinaryExpr>() {
        match binary.op() {
            Operator::And => {
                learn(table, binary.left(), pushdown, known);
                learn(table, binary.right(), pushdown, known);
            }
            Operator::Eq => {
                for (one, other) in [(binary.left(), binary.right()), (binary.right(), binary.left())] {
                    let Some((column, value)) = column_of(one).zip(constant(other)) else {
                        continue;
                    };
                    if value.is_null() {
                        known.restrict(column, []);
                    } else if let Some(value) = text(&value) {
                        known.restrict(column, [value]);
                    }
                }
            }
            _ => {}
        }
    } else if let Some(list) = filter.downcast_ref::<InListExpr>()
        && !list.negated()
    {
        for (position, expression) in joined(list.expr()).into_iter().enumerate() {
            if let Some(column) = column_of(expression)
                // An input is never NULL where it is bound.
                && let Some(values) = values(list, position, table.columns[column].key || table.columns[column].input)
            {
                known.restrict(column, values);
            }
        }
    }
}

/// The value of an expression without columns, the answer of a subquery among them.
fn constant(expression: &Arc<dyn PhysicalExpr>) -> Option<ScalarValue> {
    if let Some(literal) = expression.downcast_ref::<Literal>() {
        return Some(literal.value().clone());
    }
    if !waits(expression) || !datafusion::physical_expr::utils::collect_columns(expression).is_empty() {
        return None;
    }
    match expression.evaluate(&RecordBatch::new_empty(Arc::new(Schema::empty()))) {
        Ok(ColumnarValue::Scalar(value)) => Some(value),
        _ => None,
    }
}

/// The expressions that are looked up together: a join over several columns makes a `struct` of them.
fn joined(expression: &Arc<dyn PhysicalExpr>) -> Vec<&Arc<dyn PhysicalExpr>> {
    match expression.downcast_ref::<ScalarFunctionExpr>() {
        Some(function) if function.fun().name() == "struct" => function.args().iter().collect(),
        _ => vec![expression],
    }
}

/// The values at one position of the list; `None` where they cannot all be told.
fn values(list: &InListExpr, position: usize, never_null: bool) -> Option<Vec<String>> {
    let mut values = Vec::with_capacity(list.list().len());
    for item in list.list() {
        let value = match constant(item)? {
            ScalarValue::Struct(fields) => ScalarValue::try_from_array(fields.column(position), 0).ok()?,
            value => value,
        };
        if value.is_null() {
            // NULL equals nothing, unless the join is by IS NOT DISTINCT FROM: then it matters where the column can be NULL.
            if never_null || waits(item) {
                continue;
            }
            return None;
        }
        values.push(text(&value)?);
    }
    Some(values)
}
