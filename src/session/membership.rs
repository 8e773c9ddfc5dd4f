//! `x IN (SELECT …)` where NULL decides.
//!
//! # Design
//! The engine (DataFusion 55) makes a join of it. A join knows NULL only where NOT IN is a condition of its own, compares a column and is not
//! correlated; anywhere else NULL counts as *not found*, so that `a OR x NOT IN (SELECT …)` keeps rows which it must not. What such a
//! comparison says is therefore written with EXISTS, which is never NULL: where only a true condition counts, `x NOT IN S` is *no row of S
//! that is x or may be*; elsewhere it is true, NULL or false one after the other.

use std::sync::Arc;

use datafusion::common::config::ConfigOptions;
use datafusion::common::tree_node::{Transformed, TransformedResult, TreeNode};
use datafusion::common::{Column, DFSchema, ExprSchema, ScalarValue, Spans};
use datafusion::error::Result;
use datafusion::logical_expr::expr::{Exists, InSubquery};
use datafusion::logical_expr::{
    BinaryExpr, Expr, ExprSchemable, Filter, LogicalPlan, LogicalPlanBuilder, Operator, Subquery, lit, not, when,
};
use datafusion::optimizer::AnalyzerRule;

/// The rule.
#[derive(Debug)]
pub(super) struct Membership;

impl AnalyzerRule for Membership {
    fn name(&self) -> &str {
        "membership"
    }

    fn analyze(&self, plan: LogicalPlan, _: &ConfigOptions) -> Result<LogicalPlan> {
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
            plan => Ok(Transformed::no(plan)),
        })
        .data()
    }
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
