//! Subqueries that look at the rows around them: in EXISTS and IN, as a value, and after LATERAL.
//!
//! # Design
//! The engine (DataFusion 55) makes a join of such a subquery: it takes out the conditions that tie it to the rows around it, and carries
//! them above all that stands between. That is right for few things. [`super::tied`] knows them, and refuses all others; here the
//! subquery is made one of these where that can be done.
//!
//! - A total has no row where there is nothing to count, where SQL has one (apache/datafusion#10553). A value (`SELECT (SELECT count(*) …)`)
//!   is completed, EXISTS and IN are not. So EXISTS of a total, which always has one row, is a constant, and IN is a comparison with the one
//!   value. ORDER BY, DISTINCT, LIMIT and names of subqueries above a total, which hide it from the engine, say nothing and are left out.
//! - A window is computed over the rows of all groups. So it is partitioned by what ties them.
//! - Rows are grouped by the column that is compared, and not by what is compared: `CAST(x AS date) = d` and `lower(x) = d` make several groups
//!   of one. So that is computed before.
//! - Of UNION, EXISTS and IN are those of its parts.

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
use datafusion::logical_expr::utils::{disjunction, merge_schema};
use datafusion::logical_expr::{
    Distinct, Expr, FetchType, Join, Limit, LogicalPlan, Operator, Projection, SkipType, Subquery, SubqueryAlias, binary_expr,
    lit, not,
};
use datafusion::optimizer::AnalyzerRule;
use datafusion::physical_expr::create_physical_expr;

use super::tied::{self, Place, refused};

/// The rule.
#[derive(Debug)]
pub(super) struct TiedSubqueries;

impl AnalyzerRule for TiedSubqueries {
    fn name(&self) -> &str {
        "tied_subqueries"
    }

    fn analyze(&self, plan: LogicalPlan, _: &ConfigOptions) -> Result<LogicalPlan> {
        plan.transform_up_with_subqueries(|plan| {
            let plan = match plan {
                LogicalPlan::Join(join) => LogicalPlan::Join(lateral(join)?),
                plan => plan,
            };
            let rows = merge_schema(&plan.inputs());
            plan.map_expressions(|expression| expression.transform_up(|expression| read(expression, &rows)))
        })
        .data()
    }
}

fn read(expression: Expr, rows: &DFSchema) -> Result<Transformed<Expr>> {
    Ok(match expression {
        Expr::Exists(Exists { subquery, negated }) if tied::is_tied(&subquery.subquery) => {
            if let Some(parts) = parts(&subquery) {
                let exists = parts.into_iter().map(|subquery| {
                    let part = Expr::Exists(Exists {
                        subquery,
                        negated: false,
                    });
                    read(part, rows).data()
                });
                return any(exists.collect::<Result<_>>()?, negated);
            }
            let (subquery, rows) = readied(subquery, Place::Exists, rows)?;
            match rows {
                Rows::One => Transformed::yes(lit(!negated)),
                Rows::Few | Rows::Any => Transformed::yes(Expr::Exists(Exists { subquery, negated })),
            }
        }
        Expr::InSubquery(InSubquery { expr, subquery, negated }) if tied::is_tied(&subquery.subquery) => {
            if let Some(parts) = parts(&subquery) {
                let members = parts.into_iter().map(|subquery| {
                    let part = InSubquery {
                        expr: expr.clone(),
                        subquery,
                        negated: false,
                    };
                    read(Expr::InSubquery(part), rows).data()
                });
                return any(members.collect::<Result<_>>()?, negated);
            }
            let (subquery, rows) = readied(subquery, Place::In, rows)?;
            match rows {
                Rows::One => {
                    let op = if negated { Operator::NotEq } else { Operator::Eq };
                    Transformed::yes(binary_expr(*expr, op, Expr::ScalarSubquery(subquery)))
                }
                Rows::Few | Rows::Any => Transformed::yes(Expr::InSubquery(InSubquery { expr, subquery, negated })),
            }
        }
        Expr::ScalarSubquery(subquery) if tied::is_tied(&subquery.subquery) => {
            let (subquery, _) = readied(subquery, Place::Value, rows)?;
            Transformed::yes(Expr::ScalarSubquery(subquery))
        }
        other => Transformed::no(other),
    })
}

/// Whether one of several conditions holds.
fn any(conditions: Vec<Expr>, negated: bool) -> Result<Transformed<Expr>> {
    let any = disjunction(conditions).unwrap_or_else(|| lit(false));
    Ok(Transformed::yes(if negated { not(any) } else { any }))
}

/// The parts of a UNION, each as a subquery of its own.
fn parts(subquery: &Subquery) -> Option<Vec<Subquery>> {
    let mut plan = subquery.subquery.as_ref();
    loop {
        plan = match plan {
            LogicalPlan::Distinct(Distinct::All(input)) => input,
            LogicalPlan::Sort(sort) if sort.fetch.is_none() => &sort.input,
            LogicalPlan::SubqueryAlias(alias) => &alias.input,
            LogicalPlan::Union(union) => {
                let part = |input: &Arc<LogicalPlan>| Subquery {
                    subquery: Arc::clone(input),
                    outer_ref_columns: input.all_out_ref_exprs(),
                    spans: subquery.spans.clone(),
                };
                return Some(union.inputs.iter().map(part).collect());
            }
            _ => return None,
        };
    }
}

/// A join whose right side may be LATERAL.
fn lateral(join: Join) -> Result<Join> {
    let ready = |subquery: &Subquery| -> Result<Arc<LogicalPlan>> {
        let (subquery, _) = readied(subquery.clone(), Place::Lateral, join.left.schema())?;
        Ok(Arc::new(LogicalPlan::Subquery(subquery)))
    };
    let right = match join.right.as_ref() {
        LogicalPlan::Subquery(subquery) if tied::is_tied(&subquery.subquery) => ready(subquery)?,
        LogicalPlan::SubqueryAlias(alias) => match alias.input.as_ref() {
            LogicalPlan::Subquery(subquery) if tied::is_tied(&subquery.subquery) => {
                let alias = SubqueryAlias::try_new(ready(subquery)?, alias.alias.clone())?;
                Arc::new(LogicalPlan::SubqueryAlias(alias))
            }
            _ => return Ok(join),
        },
        _ => return Ok(join),
    };
    Ok(Join { right, ..join })
}

/// The subquery as the engine reads it right, and how many rows it has.
///
/// # Errors
/// The engine would read it otherwise than it says.
fn readied(subquery: Subquery, place: Place, around: &DFSchema) -> Result<(Subquery, Rows)> {
    tied::check_scope(&subquery.subquery, around)?;
    let mut plan = subquery.subquery.as_ref();
    // Whether there is a row, a LIMIT leaves as it is.
    while place == Place::Exists
        && let LogicalPlan::Limit(limit) = plan
        && leaves_some(limit)?
    {
        plan = &limit.input;
    }
    let (plan, rows) = bare(plan)?;
    if let (Rows::Few, Place::Lateral) = (&rows, place) {
        return Err(refused(
            "a total under a condition after LATERAL is not supported",
            "write the condition outside: … l WHERE l.n > 0",
        ));
    }
    let plan = tied::partitioned(tied::computed(plan)?)?;
    // EXISTS of a total is not asked for its rows.
    if !matches!((&rows, place), (Rows::One, Place::Exists)) {
        tied::check(
            &plan,
            if matches!(place, Place::In) && matches!(rows, Rows::One) {
                Place::Value
            } else {
                place
            },
        )?;
    }
    Ok((subquery.with_plan(Arc::new(plan)), rows))
}

/// How many rows a subquery has, whatever the row around it.
#[derive(Debug, Clone, Copy)]
enum Rows {
    One,
    /// One or none: a total under a condition.
    Few,
    Any,
}

/// The plan, with nothing but projections and conditions above a total.
///
/// # Errors
/// The engine would read it otherwise than it says.
fn bare(plan: &LogicalPlan) -> Result<(LogicalPlan, Rows)> {
    let as_it_is = |rows| Ok((plan.clone(), rows));
    match plan {
        LogicalPlan::Projection(projection) => {
            let (input, rows) = bare(&projection.input)?;
            let projection = Projection::try_new(projection.expr.clone(), Arc::new(input))?;
            Ok((LogicalPlan::Projection(projection), rows))
        }
        LogicalPlan::SubqueryAlias(alias) => {
            let (input, rows) = bare(&alias.input)?;
            if let Rows::Any = rows {
                return as_it_is(rows);
            }
            let columns = input.schema().columns().into_iter().map(|column| {
                let name = column.name.clone();
                Expr::Column(column).alias_qualified(Some(alias.alias.clone()), name)
            });
            let columns = columns.collect();
            Ok((LogicalPlan::Projection(Projection::try_new(columns, Arc::new(input))?), rows))
        }
        // An order of rows that nothing cuts off says nothing.
        LogicalPlan::Sort(sort) if sort.fetch.is_none() => bare(&sort.input),
        LogicalPlan::Distinct(Distinct::All(input)) => Ok(match bare(input)? {
            (_, Rows::Any) => (plan.clone(), Rows::Any),
            total => total,
        }),
        LogicalPlan::Limit(limit) => {
            let some = leaves_some(limit)?;
            Ok(match bare(&limit.input)? {
                (input, rows @ (Rows::One | Rows::Few)) if some => (input, rows),
                _ => (plan.clone(), Rows::Any),
            })
        }
        LogicalPlan::Aggregate(aggregate) if aggregate.group_expr.is_empty() => as_it_is(Rows::One),
        LogicalPlan::Filter(filter) => match bare(&filter.input)?.1 {
            // Where nothing counted has no row, the engine's answer is that of SQL.
            Rows::One if is_of_some(&filter.predicate, &filter.input) => as_it_is(Rows::Few),
            Rows::One | Rows::Few => Err(refused(
                "a total under a condition, in a subquery that looks at the rows around it, is not supported",
                "write the condition into the value: (SELECT CASE WHEN count(*) > 1 THEN max(x) END FROM …)",
            )),
            Rows::Any => as_it_is(Rows::Any),
        },
        _ => as_it_is(Rows::Any),
    }
}

/// Whether a LIMIT leaves the first row.
fn leaves_some(limit: &Limit) -> Result<bool> {
    let skips = !matches!(limit.get_skip_type()?, SkipType::Literal(0));
    Ok(!skips && matches!(limit.get_fetch_type()?, FetchType::Literal(None | Some(1..))))
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
