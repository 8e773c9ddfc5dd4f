//! `x IN (SELECT …)` where NULL decides.
//!
//! # Design
//! The engine (DataFusion 55) makes a join of it. A join knows NULL only where NOT IN is a condition of its own, compares a column and is not
//! correlated; anywhere else NULL counts as *not found*, so that `a OR x NOT IN (SELECT …)` keeps rows which it must not. What such a
//! comparison says is therefore written with EXISTS, which is never NULL: where only a true condition counts, `x NOT IN S` is *no row of S
//! that is x or may be*; elsewhere it is true, NULL or false one after the other. In a SELECT, where the engine takes neither, the rows that
//! are found are counted.

use std::sync::Arc;

use datafusion::common::config::ConfigOptions;
use datafusion::common::tree_node::{Transformed, TransformedResult, TreeNode};
use datafusion::common::{Column, DFSchema, ExprSchema, ScalarValue, Spans, internal_err};
use datafusion::error::Result;
use datafusion::functions::core::expr_fn::coalesce;
use datafusion::functions_aggregate::count::count;
use datafusion::logical_expr::expr::{Exists, InSubquery};
use datafusion::logical_expr::expr_rewriter::NamePreserver;
use datafusion::logical_expr::{
    BinaryExpr, Expr, ExprSchemable, Filter, LogicalPlan, LogicalPlanBuilder, Operator, Subquery, lit, not, when,
};
use datafusion::optimizer::AnalyzerRule;

use super::subquery::of_inputs;

/// The rule.
#[derive(Debug)]
pub(super) struct Membership;

impl AnalyzerRule for Membership {
    fn name(&self) -> &str {
        "membership"
    }

    fn analyze(&self, plan: LogicalPlan, _: &ConfigOptions) -> Result<LogicalPlan> {
        // What is NULL where it was not is so in every plan above.
        let mut may_be_null = false;
        plan.transform_up_with_subqueries(|plan| match plan {
            LogicalPlan::Filter(filter) if has_membership(&filter.predicate)? => {
                let predicate = condition(filter.predicate, filter.input.schema(), true)?;
                Ok(Transformed::yes(LogicalPlan::Filter(Filter::try_new(
                    predicate,
                    filter.input,
                )?)))
            }
            LogicalPlan::Join(mut join) if join.filter.as_ref().map_or(Ok(false), has_membership)? => {
                let rows = join.left.schema().join(join.right.schema())?;
                let filter = join.filter.take();
                join.filter = filter.map(|filter| condition(filter, &rows, true)).transpose()?;
                Ok(Transformed::yes(LogicalPlan::Join(join)))
            }
            LogicalPlan::Projection(projection) if is_asked(&projection.expr)? => {
                may_be_null = true;
                let rows = projection.input.schema().clone();
                let names = NamePreserver::new_for_projection();
                let shown = LogicalPlan::Projection(projection).map_expressions(|expression| {
                    let name = names.save(&expression);
                    let shown = shown(expression, &rows)?;
                    Ok(shown.update_data(|expression| name.restore(expression)))
                });
                shown?.map_data(LogicalPlan::recompute_schema)
            }
            LogicalPlan::Union(union) if may_be_null => Ok(Transformed::yes(LogicalPlan::Union(of_inputs(union)?))),
            plan if may_be_null => Ok(Transformed::yes(plan.recompute_schema()?)),
            plan => Ok(Transformed::no(plan)),
        })
        .data()
    }
}

/// A value of a SELECT, which the engine makes no join of: what is found is counted.
fn shown(expression: Expr, rows: &DFSchema) -> Result<Transformed<Expr>> {
    expression.transform_up(|expression| {
        Ok(Transformed::yes(match expression {
            Expr::Exists(exists) => match exists.negated {
                true => not(is_found(exists.subquery)?),
                false => is_found(exists.subquery)?,
            },
            Expr::InSubquery(member) => member_of(&member, rows)?,
            other => return Ok(Transformed::no(other)),
        }))
    })
}

/// Whether a subquery has a row; never NULL.
fn is_found(subquery: Subquery) -> Result<Expr> {
    let rows = LogicalPlanBuilder::from(subquery.subquery.as_ref().clone());
    let rows = match subquery.outer_ref_columns.is_empty() {
        true => rows.limit(0, Some(1))?,
        false => rows,
    };
    let counted = rows.aggregate(Vec::<Expr>::new(), vec![count(lit(1))])?.build()?;
    let count = Expr::ScalarSubquery(subquery.with_plan(Arc::new(counted)));
    Ok(coalesce(vec![count, lit(0_i64)]).gt(lit(0_i64)))
}

/// What IN says as a value: true where a row is equal, NULL where one may be, else false; the other way round for NOT IN.
fn member_of(member: &InSubquery, rows: &DFSchema) -> Result<Expr> {
    let inner = member.subquery.subquery.as_ref();
    let element = inner.schema().qualified_field(0);
    let Expr::Exists(equal) = exists(member, rows, false, |equal| equal)? else {
        return internal_err!("a comparison with rows is EXISTS");
    };
    let mut value = when(is_found(equal.subquery)?, lit(!member.negated));
    let unknown = lit(ScalarValue::Boolean(None));
    if member.expr.nullable(rows)? {
        let nothing = member.expr.as_ref().clone().is_null();
        value.when(nothing.and(is_found(member.subquery.clone())?), unknown.clone());
    }
    if element.1.is_nullable() {
        let nothing = Expr::Column(Column::from(element)).is_null();
        let nothing = LogicalPlanBuilder::from(inner.clone()).filter(nothing)?.build()?;
        value.when(is_found(member.subquery.with_plan(Arc::new(nothing)))?, unknown);
    }
    value.otherwise(lit(member.negated))
}

fn is_asked(expressions: &[Expr]) -> Result<bool> {
    let asks =
        |expression: &Expr| expression.exists(|expression| Ok(matches!(expression, Expr::InSubquery(_) | Expr::Exists(_))));
    expressions
        .iter()
        .try_fold(false, |found, expression| Ok(found || asks(expression)?))
}

fn has_membership(expression: &Expr) -> Result<bool> {
    expression.exists(|expression| Ok(matches!(expression, Expr::InSubquery(_))))
}

/// An expression that is true for the same rows; `alone` where it is a condition by itself, which the engine makes a join of.
fn condition(expression: Expr, rows: &DFSchema, alone: bool) -> Result<Expr> {
    match expression {
        Expr::BinaryExpr(BinaryExpr { left, op, right }) if matches!(op, Operator::And | Operator::Or) => {
            let alone = alone && op == Operator::And;
            let (left, right) = (condition(*left, rows, alone)?, condition(*right, rows, alone)?);
            Ok(Expr::BinaryExpr(BinaryExpr::new(Box::new(left), op, Box::new(right))))
        }
        Expr::Not(inner) => match *inner {
            Expr::Not(inner) => condition(*inner, rows, alone),
            Expr::InSubquery(mut member) => {
                member.negated = !member.negated;
                condition(Expr::InSubquery(member), rows, alone)
            }
            Expr::BinaryExpr(BinaryExpr { left, op, right }) if matches!(op, Operator::And | Operator::Or) => {
                let op = if op == Operator::And { Operator::Or } else { Operator::And };
                let opposite = BinaryExpr::new(Box::new(not(*left)), op, Box::new(not(*right)));
                condition(Expr::BinaryExpr(opposite), rows, alone)
            }
            inner => value(not(inner), rows),
        },
        Expr::InSubquery(member) if !member.negated || is_joined(&member, alone) => Ok(Expr::InSubquery(member)),
        Expr::InSubquery(member) if may_be_null(&member, rows)? => exists(&member, rows, true, Expr::is_not_false),
        // The engine would ask whether what ties the rows to those outside may be NULL, which does not matter.
        Expr::InSubquery(member) if alone => exists(&member, rows, true, |equal| equal),
        Expr::InSubquery(member) => Ok(Expr::InSubquery(member)),
        other => value(other, rows),
    }
}

/// Whether the engine makes a join of NOT IN that knows NULL.
fn is_joined(member: &InSubquery, alone: bool) -> bool {
    alone && member.subquery.outer_ref_columns.is_empty() && !member.expr.column_refs().is_empty()
}

/// The expression with every comparison inside of it as a value of three.
fn value(expression: Expr, rows: &DFSchema) -> Result<Expr> {
    let rewritten = expression.transform_up(|expression| match expression {
        Expr::InSubquery(member) if may_be_null(&member, rows)? => {
            let found = exists(&member, rows, false, |equal| equal)?;
            let unknown = exists(&member, rows, false, Expr::is_null)?;
            let value = when(found, lit(!member.negated))
                .when(unknown, lit(ScalarValue::Boolean(None)))
                .otherwise(lit(member.negated))?;
            Ok(Transformed::yes(value))
        }
        other => Ok(Transformed::no(other)),
    });
    rewritten.data()
}

/// EXISTS of the rows of the subquery for which the comparison with them is as `test` says.
fn exists(member: &InSubquery, rows: &DFSchema, negated: bool, test: impl Fn(Expr) -> Expr) -> Result<Expr> {
    let inner = member.subquery.subquery.as_ref();
    let element = Expr::Column(Column::from(inner.schema().qualified_field(0)));
    let mut outer_columns = member.subquery.outer_ref_columns.clone();
    let outer = member.expr.as_ref().clone().transform_up(|expression| match expression {
        // A column of the outer query, as it is seen from the subquery.
        Expr::Column(column) => {
            let field = rows.field_from_column(&column)?.clone();
            let seen = Expr::OuterReferenceColumn(field, column);
            if !outer_columns.contains(&seen) {
                outer_columns.push(seen.clone());
            }
            Ok(Transformed::yes(seen))
        }
        other => Ok(Transformed::no(other)),
    });
    let outer = outer.data()?;
    let subquery = LogicalPlanBuilder::from(inner.clone())
        .filter(test(element.eq(outer)))?
        .build()?;
    Ok(Expr::Exists(Exists {
        subquery: Subquery {
            subquery: Arc::new(subquery),
            outer_ref_columns: outer_columns,
            spans: Spans::new(),
        },
        negated,
    }))
}

/// Whether the comparison may be NULL: a side that a constraint keeps from it needs nothing of all this.
fn may_be_null(member: &InSubquery, rows: &DFSchema) -> Result<bool> {
    let of_rows = member.subquery.subquery.schema().field(0).is_nullable();
    Ok(of_rows || member.expr.nullable(rows)?)
}
