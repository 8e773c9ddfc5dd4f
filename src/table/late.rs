//! Late binding: what a join knows about our columns once its other side was read.
//!
//! A hash join publishes the keys of its build side as a dynamic filter. When the scan starts, that filter is complete and holds a list
//! of values; the scan then asks for just those.

use std::sync::Arc;

use datafusion::common::ScalarValue;
use datafusion::logical_expr::Operator;
use datafusion::physical_expr::expressions::{BinaryExpr, Column, DynamicFilterPhysicalExpr, InListExpr, Literal};
use datafusion::physical_expr::{PhysicalExpr, ScalarFunctionExpr};

use super::predicate::{is_bindable, text};
use crate::rest::plan::Known;
use crate::schema::Table;

/// Whether the filter may bind a column of the table while the statement runs.
pub(super) fn is_useful(table: &Table, filter: &Arc<dyn PhysicalExpr>) -> bool {
    filter.downcast_ref::<DynamicFilterPhysicalExpr>().is_some_and(|filter| {
        filter.children().iter().any(|child| {
            child
                .downcast_ref::<Column>()
                .and_then(|column| table.column(column.name()))
                .is_some_and(|column| is_bindable(table, column))
        })
    })
}

/// Waits for the joins and adds what they know.
pub(super) async fn bind(table: &Table, filters: &[Arc<dyn PhysicalExpr>], known: &mut Known) -> datafusion::error::Result<()> {
    for filter in filters {
        if let Some(filter) = filter.downcast_ref::<DynamicFilterPhysicalExpr>() {
            filter.wait_complete().await;
            learn(table, &filter.current()?, known);
        }
    }
    Ok(())
}

/// Reads a conjunction; what it does not understand it leaves out, which only widens the read.
fn learn(table: &Table, filter: &Arc<dyn PhysicalExpr>, known: &mut Known) {
    let column_of = |expression: &Arc<dyn PhysicalExpr>| {
        let name = expression.downcast_ref::<Column>()?.name();
        table.column(name).filter(|&column| is_bindable(table, column))
    };
    let constant =
        |expression: &Arc<dyn PhysicalExpr>| expression.downcast_ref::<Literal>().and_then(|literal| text(literal.value()));
    if let Some(binary) = filter.downcast_ref::<BinaryExpr>() {
        match binary.op() {
            Operator::And => {
                learn(table, binary.left(), known);
                learn(table, binary.right(), known);
            }
            Operator::Eq => {
                if let (Some(column), Some(value)) = (column_of(binary.left()), constant(binary.right())) {
                    known.restrict(column, [value]);
                }
            }
            _ => {}
        }
    } else if let Some(list) = filter.downcast_ref::<InListExpr>()
        && !list.negated()
    {
        for (position, expression) in joined(list.expr()).into_iter().enumerate() {
            if let Some(column) = column_of(expression)
                && let Some(values) = values(list, position, table.columns[column].key)
            {
                known.restrict(column, values);
            }
        }
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
        let value = match item.downcast_ref::<Literal>()?.value() {
            ScalarValue::Struct(fields) => ScalarValue::try_from_array(fields.column(position), 0).ok()?,
            value => value.clone(),
        };
        if value.is_null() {
            // NULL equals nothing, unless the join is by IS NOT DISTINCT FROM: then it matters where the column can be NULL.
            if never_null {
                continue;
            }
            return None;
        }
        values.push(text(&value)?);
    }
    Some(values)
}
