//! Input columns that a statement compares with something: their scans must know the values before they read.
//!
//! # Design
//!
//! An input column is a question to the site, and NULL in rows that were read without it. Compared with NULL, every row would drop out
//! without a word: `queue_id IN (SELECT …)` would be an empty answer instead of the rows of those queues. So the rule finds, by way of the
//! plan as the engine has optimized it, every input column that a condition or a join looks at, and tells its table; a join then builds on
//! its other side, and the scan fails where nothing has bound the column by the time it starts.

use std::any::Any;
use std::collections::BTreeSet;
use std::sync::Arc;

use datafusion::common::tree_node::{Transformed, TreeNode, TreeNodeRecursion};
use datafusion::common::{Column, DFSchema};
use datafusion::datasource::{provider_as_source, source_as_provider};
use datafusion::error::Result;
use datafusion::logical_expr::utils::grouping_set_to_exprlist;
use datafusion::logical_expr::{Expr, LogicalPlan, TableScan, lit};
use datafusion::optimizer::{OptimizerConfig, OptimizerRule};

use super::provider::SiteTable;

/// The optimizer rule; it must come last.
#[derive(Debug, Default)]
pub(crate) struct ComparedInputs;

impl OptimizerRule for ComparedInputs {
    fn name(&self) -> &str {
        "compared_inputs"
    }

    fn rewrite(&self, plan: LogicalPlan, _: &dyn OptimizerConfig) -> Result<Transformed<LogicalPlan>> {
        mark(plan, &Columns::new())
    }
}

type Columns = BTreeSet<Column>;

/// Tells the tables of a plan, of whose rows these columns are compared.
fn mark(plan: LogicalPlan, compared: &Columns) -> Result<Transformed<LogicalPlan>> {
    let plan = plan.map_subqueries(|inner| mark(inner, &Columns::new()))?;
    let changed = plan.transformed;
    let marked = match plan.data {
        LogicalPlan::TableScan(scan) => mark_scan(scan, compared),
        plan => {
            let mut below = below(&plan, compared)?.into_iter();
            plan.map_children(|child| mark(child, &below.next().unwrap_or_default()))
        }
    }?;
    Ok(Transformed::new(
        marked.data,
        changed || marked.transformed,
        TreeNodeRecursion::Continue,
    ))
}

fn mark_scan(scan: TableScan, compared: &Columns) -> Result<Transformed<LogicalPlan>> {
    let no = |scan| Ok(Transformed::no(LogicalPlan::TableScan(scan)));
    let Ok(provider) = source_as_provider(&scan.source) else {
        return no(scan);
    };
    let Some(site_table) = (provider.as_ref() as &dyn Any).downcast_ref::<SiteTable>() else {
        return no(scan);
    };
    let table = site_table.table();
    let inputs = compared
        .iter()
        .filter_map(|column| table.column(&column.name))
        .filter(|&column| table.columns[column].input);
    let Some(marked) = site_table.with_compared(inputs.collect()) else {
        return no(scan);
    };
    Ok(Transformed::yes(LogicalPlan::TableScan(TableScan {
        source: provider_as_source(Arc::new(marked)),
        ..scan
    })))
}

/// The columns of each input of a plan that are compared, by the plan itself or above it.
fn below(plan: &LogicalPlan, compared: &Columns) -> Result<Vec<Columns>> {
    let schema = plan.schema();
    let places: Vec<usize> = compared
        .iter()
        .filter_map(|column| schema.maybe_index_of_column(column))
        .collect();
    let made_of = |expressions: Vec<&Expr>| -> Columns {
        let made = places.iter().filter_map(|&place| expressions.get(place));
        made.flat_map(|expression| expression.column_refs()).cloned().collect()
    };
    let inputs = plan.inputs();
    let mut own = Columns::new();
    plan.apply_expressions(|expression| conditions(expression, &mut own))?;
    let by_name = |columns: &Columns| inputs.iter().map(|input| of(input.schema(), columns)).collect();
    let mut below: Vec<Columns> = match plan {
        LogicalPlan::Projection(projection) => by_name(&made_of(projection.expr.iter().collect())),
        LogicalPlan::Aggregate(aggregate) => {
            let mut made = grouping_set_to_exprlist(&aggregate.group_expr)?;
            let id = lit(0);
            if matches!(&aggregate.group_expr[..], [Expr::GroupingSet(_)]) {
                // The engine's own column, which tells the sets apart.
                made.push(&id);
            }
            made.extend(&aggregate.aggr_expr);
            by_name(&made_of(made))
        }
        LogicalPlan::Window(window) => {
            let own = window.input.schema().fields().len();
            let made = places
                .iter()
                .filter_map(|place| window.window_expr.get(place.checked_sub(own)?));
            let mut columns: Columns = made.flat_map(Expr::column_refs).cloned().collect();
            columns.extend(compared.iter().cloned());
            by_name(&columns)
        }
        LogicalPlan::Filter(filter) => {
            let mut columns = compared.clone();
            compares(&filter.predicate, &mut columns)?;
            by_name(&columns)
        }
        LogicalPlan::Join(join) => {
            let mut columns = compared.clone();
            for (left, right) in &join.on {
                columns.extend(left.column_refs().into_iter().chain(right.column_refs()).cloned());
            }
            if let Some(filter) = &join.filter {
                compares(filter, &mut columns)?;
            }
            by_name(&columns)
        }
        // The names of these are not those of what is below, or may not be.
        LogicalPlan::SubqueryAlias(_) | LogicalPlan::Union(_) | LogicalPlan::RecursiveQuery(_) => inputs
            .iter()
            .map(|input| {
                let fields = places.iter().filter(|&&place| place < input.schema().fields().len());
                fields
                    .map(|&place| Column::from(input.schema().qualified_field(place)))
                    .collect()
            })
            .collect(),
        _ => by_name(compared),
    };
    for (columns, input) in below.iter_mut().zip(&inputs) {
        columns.extend(of(input.schema(), &own));
    }
    Ok(below)
}

/// The columns that an expression compares, wherever it stands: in the FILTER of an aggregate, in CASE, in what is sorted by.
fn conditions(expression: &Expr, columns: &mut Columns) -> Result<TreeNodeRecursion> {
    expression.apply(|expression| {
        let condition = match expression {
            Expr::BinaryExpr(binary) if binary.op.negate().is_some() => expression,
            Expr::InList(_) | Expr::Like(_) | Expr::Between(_) => expression,
            Expr::Case(case) => match &case.expr {
                Some(base) => base.as_ref(),
                None => return Ok(TreeNodeRecursion::Continue),
            },
            _ => return Ok(TreeNodeRecursion::Continue),
        };
        compares(condition, columns)?;
        Ok(TreeNodeRecursion::Continue)
    })
}

fn of(schema: &DFSchema, columns: &Columns) -> Columns {
    columns.iter().filter(|column| schema.has_column(column)).cloned().collect()
}

/// The columns that a predicate looks at, but for those of which it asks only whether they are NULL.
fn compares(predicate: &Expr, columns: &mut Columns) -> Result<()> {
    predicate.apply(|expression| {
        Ok(match expression {
            Expr::IsNull(inner) | Expr::IsNotNull(inner) if matches!(inner.as_ref(), Expr::Column(_)) => TreeNodeRecursion::Jump,
            Expr::Column(column) => {
                columns.insert(column.clone());
                TreeNodeRecursion::Continue
            }
            _ => TreeNodeRecursion::Continue,
        })
    })?;
    Ok(())
}
