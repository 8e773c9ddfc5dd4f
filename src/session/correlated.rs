//! Subqueries that look at the rows around them and make a total, or leave rows out by OFFSET.
//!
//! # Design
//! The engine (DataFusion 55) makes a join of such a subquery: it groups a total by what ties it to the rows around it, and then has no row
//! for those of which there is nothing to count, where SQL has one. A value (`SELECT (SELECT count(*) …)`) is completed, EXISTS and IN are
//! not, nor is a HAVING that such a row would pass; an OFFSET is dropped. So EXISTS of a total, which always has one row, is a constant, IN is a comparison
//! with the one value, and the others are refused.

use std::collections::HashMap;
use std::sync::Arc;

use datafusion::arrow::array::{RecordBatch, RecordBatchOptions};
use datafusion::arrow::datatypes::Schema;
use datafusion::common::config::ConfigOptions;
use datafusion::common::tree_node::{Transformed, TransformedResult, TreeNode};
use datafusion::common::{Column, DFSchema, ExprSchema, ScalarValue};
use datafusion::error::Result;
use datafusion::execution::context::ExecutionProps;
use datafusion::logical_expr::expr::{Exists, InSubquery};
use datafusion::logical_expr::physical_planning_context::PhysicalPlanningContext;
use datafusion::logical_expr::{Expr, FetchType, LogicalPlan, Operator, SkipType, Subquery, binary_expr, lit};
use datafusion::optimizer::AnalyzerRule;
use datafusion::physical_expr::create_physical_expr;

use crate::error::{Error, ErrorKind};
use crate::table::to_datafusion;

/// The rule.
#[derive(Debug)]
pub(super) struct CorrelatedTotals;

impl AnalyzerRule for CorrelatedTotals {
    fn name(&self) -> &str {
        "correlated_totals"
    }

    fn analyze(&self, plan: LogicalPlan, _: &ConfigOptions) -> Result<LogicalPlan> {
        plan.transform_up_with_subqueries(|plan| plan.map_expressions(|expression| expression.transform_up(read)))
            .data()
    }
}

fn read(expression: Expr) -> Result<Transformed<Expr>> {
    Ok(match expression {
        Expr::Exists(Exists { subquery, negated }) if is_correlated(&subquery) => match rows(&subquery.subquery)? {
            Rows::One => Transformed::yes(lit(!negated)),
            Rows::Any => Transformed::no(Expr::Exists(Exists { subquery, negated })),
        },
        Expr::InSubquery(InSubquery { expr, subquery, negated }) if is_correlated(&subquery) => match rows(&subquery.subquery)? {
            Rows::One => {
                let op = if negated { Operator::NotEq } else { Operator::Eq };
                Transformed::yes(binary_expr(*expr, op, Expr::ScalarSubquery(subquery)))
            }
            Rows::Any => Transformed::no(Expr::InSubquery(InSubquery { expr, subquery, negated })),
        },
        Expr::ScalarSubquery(subquery) if is_correlated(&subquery) => {
            rows(&subquery.subquery)?;
            Transformed::no(Expr::ScalarSubquery(subquery))
        }
        other => Transformed::no(other),
    })
}

fn is_correlated(subquery: &Subquery) -> bool {
    !subquery.outer_ref_columns.is_empty()
}

/// How many rows a subquery has, whatever the row around it.
enum Rows {
    One,
    Any,
}

/// # Errors
/// The engine would read it otherwise than it says.
fn rows(plan: &LogicalPlan) -> Result<Rows> {
    match plan {
        LogicalPlan::Projection(projection) => rows(&projection.input),
        LogicalPlan::SubqueryAlias(alias) => rows(&alias.input),
        LogicalPlan::Sort(sort) => rows(&sort.input),
        LogicalPlan::Distinct(distinct) => rows(distinct.input()),
        LogicalPlan::Limit(limit) => {
            if !matches!(limit.get_skip_type()?, SkipType::Literal(0)) {
                return Err(refused(
                    "OFFSET in a subquery that looks at the rows around it is not supported",
                    "number the rows in the subquery: row_number() OVER (ORDER BY …) > n",
                ));
            }
            match (rows(&limit.input)?, limit.get_fetch_type()?) {
                (Rows::One, FetchType::Literal(None | Some(1..))) => Ok(Rows::One),
                _ => Ok(Rows::Any),
            }
        }
        LogicalPlan::Aggregate(aggregate) if aggregate.group_expr.is_empty() => Ok(Rows::One),
        LogicalPlan::Filter(filter) => match rows(&filter.input)? {
            // Where nothing counted has no row, the engine's answer is that of SQL.
            Rows::One if is_of_some(&filter.predicate, &filter.input) => Ok(Rows::Any),
            Rows::One => Err(refused(
                "a total under a condition, in a subquery that looks at the rows around it, is not supported",
                "write the condition into the value: (SELECT CASE WHEN count(*) > 1 THEN max(x) END FROM …)",
            )),
            Rows::Any => Ok(Rows::Any),
        },
        _ => Ok(Rows::Any),
    }
}

/// Whether a condition on a total is known not to be true of the total of no rows.
fn is_of_some(condition: &Expr, input: &LogicalPlan) -> bool {
    let LogicalPlan::Aggregate(aggregate) = input else {
        return false;
    };
    let totals = aggregate.schema.columns().into_iter().zip(&aggregate.aggr_expr);
    let of_none: HashMap<Column, ScalarValue> = totals
        .filter_map(|(column, total)| {
            let kind = aggregate.schema.data_type(&column).ok()?;
            let is_count = matches!(total.clone().unalias(), Expr::AggregateFunction(total) if total.func.name() == "count");
            let value = match is_count {
                true => ScalarValue::new_zero(kind),
                false => ScalarValue::try_from(kind),
            };
            Some((column, value.ok()?))
        })
        .collect();
    let of_none = condition.clone().transform_up(|expression| match &expression {
        Expr::Column(column) if let Some(value) = of_none.get(column) => Ok(Transformed::yes(lit(value.clone()))),
        _ => Ok(Transformed::no(expression)),
    });
    let value = of_none.data().and_then(|condition| {
        let rows = RecordBatch::try_new_with_options(
            Arc::new(Schema::empty()),
            Vec::new(),
            &RecordBatchOptions::new().with_row_count(Some(1)),
        )?;
        let condition = create_physical_expr(
            &condition,
            &DFSchema::empty(),
            &ExecutionProps::new(),
            &PhysicalPlanningContext::default(),
        )?;
        ScalarValue::try_from_array(&condition.evaluate(&rows)?.into_array(1)?, 0)
    });
    matches!(value, Ok(ScalarValue::Boolean(Some(false) | None)))
}

fn refused(what: &str, hint: &str) -> datafusion::error::DataFusionError {
    to_datafusion(Error::new(ErrorKind::Unsupported, what).hint(hint))
}
