//! Moments that are finer than what they are compared with: `created = '2026-03-01 11:47:40.8105'`, where `created` has milliseconds.
//!
//! # Design
//! The engine (DataFusion 55) takes the cast of a column away by casting the constant instead, and cuts its last digits off: the row of .810
//! is then equal. So a bound with digits that the column cannot have becomes the next one below that it can have: what is later than
//! .8105 is later than .810, and what is not is not. Such a bound reaches the site as any other, and of days it is a day: `due_date < now()`.
//! What is to be equal goes through a function that the engine does not look into. Queries put into each other meet only while the engine optimizes, so this rule goes before each run
//! of the one that takes casts away, and it computes constants as that one does.

use std::sync::Arc;

use datafusion::arrow::datatypes::DataType;
use datafusion::common::tree_node::{Transformed, TreeNode};
use datafusion::common::{DFSchema, ScalarValue};
use datafusion::error::Result;
use datafusion::logical_expr::expr::{Cast, InList, TryCast};
use datafusion::logical_expr::simplify::SimplifyContext;
use datafusion::logical_expr::{Between, BinaryExpr, Expr, ExprSchemable, LogicalPlan, Operator};
use datafusion::optimizer::simplify_expressions::ExprSimplifier;
use datafusion::optimizer::{OptimizerConfig, OptimizerRule};

use super::lengths::is_comparison;
use super::moments::is_elsewhere;
use super::rewrite::expressions;
use super::subquery::or_null;
use super::ticks::per_second;

/// The rule.
#[derive(Debug)]
pub(super) struct WholeFractions;

impl OptimizerRule for WholeFractions {
    fn name(&self) -> &'static str {
        "whole_fractions"
    }

    fn rewrite(&self, plan: LogicalPlan, config: &dyn OptimizerConfig) -> Result<Transformed<LogicalPlan>> {
        plan.transform_up_with_subqueries(|plan| {
            expressions(plan, |expression, schema| {
                let around = Around { schema, config };
                expression.transform_up(|expression| Ok(around.mended(expression)))
            })
        })
    }
}

/// What an expression stands in.
struct Around<'a> {
    schema: &'a DFSchema,
    config: &'a dyn OptimizerConfig,
}

/// A moment, in ticks of the unit in which it is compared.
struct Moment {
    ticks: i64,
    kind: DataType,
}

impl Moment {
    fn of(value: &ScalarValue) -> Option<Self> {
        let (ScalarValue::TimestampSecond(Some(ticks), _)
        | ScalarValue::TimestampMillisecond(Some(ticks), _)
        | ScalarValue::TimestampMicrosecond(Some(ticks), _)
        | ScalarValue::TimestampNanosecond(Some(ticks), _)) = value
        else {
            return None;
        };
        Some(Self {
            ticks: *ticks,
            kind: value.data_type(),
        })
    }

    fn is_whole(&self, coarse: i64) -> bool {
        self.ticks % coarse == 0
    }

    /// The last one before it that a column of the coarser unit can have.
    fn floor(&self, coarse: i64) -> Option<ScalarValue> {
        let ticks = self.ticks.checked_sub(self.ticks.rem_euclid(coarse))?;
        ScalarValue::Int64(Some(ticks)).cast_to(&self.kind).ok()
    }
}

impl Around<'_> {
    fn mended(&self, expression: Expr) -> Transformed<Expr> {
        let mended = match &expression {
            Expr::BinaryExpr(BinaryExpr { left, op, right }) if is_comparison(*op) => {
                let swapped = || op.swap().and_then(|op| self.compared(right, op, left));
                self.compared(left, *op, right).or_else(swapped)
            }
            Expr::Between(between) => self.between(between),
            Expr::InList(list) => self.listed(list),
            _ => None,
        };
        match mended {
            Some(mended) => Transformed::yes(mended),
            None => Transformed::no(expression),
        }
    }

    /// The comparison in place of that of a column with a constant of which digits would be cut off, or with the time of a day.
    fn compared(&self, moment: &Expr, op: Operator, constant: &Expr) -> Option<Expr> {
        let bound = self.constant(constant)?;
        let coarse = self.coarse(moment)?;
        let floor = bound.floor(coarse.ticks).filter(|_| coarse.is_by_ticks);
        let day = input_of_cast(moment).filter(|(inner, _)| matches!(inner.get_type(self.schema), Ok(DataType::Date32)));
        let (op, floor) = match (op, floor) {
            (_, floor) if bound.is_whole(coarse.ticks) => (op, floor.filter(|_| day.is_some())?),
            (Operator::Lt | Operator::LtEq, Some(floor)) => (Operator::LtEq, floor),
            (Operator::Gt | Operator::GtEq, Some(floor)) => (Operator::Gt, floor),
            _ => return Some(binary(or_null(moment.clone()), op, constant.clone())),
        };
        let Some((day, _)) = day else {
            return Some(binary(moment.clone(), op, Expr::Literal(floor, None)));
        };
        // The engine does not compare a column of days as such, and the site knows no other way.
        let floor = floor.cast_to(&DataType::Date32).ok()?;
        Some(binary(day.clone(), op, Expr::Literal(floor, None)))
    }

    fn between(
        &self,
        Between {
            expr,
            negated,
            low,
            high,
        }: &Between,
    ) -> Option<Expr> {
        let bounds = [(Operator::GtEq, low), (Operator::LtEq, high)];
        let mended = bounds.map(|(op, bound)| self.compared(expr, op, bound));
        if mended.iter().all(Option::is_none) {
            return None;
        }
        let [from, to] = std::array::from_fn(|place| {
            let (op, bound) = bounds[place];
            (mended[place].clone()).unwrap_or_else(|| binary(expr.as_ref().clone(), op, bound.as_ref().clone()))
        });
        let both = from.and(to);
        Some(if *negated { !both } else { both })
    }

    /// A list without what no moment of the column can be.
    fn listed(&self, InList { expr, list, negated }: &InList) -> Option<Expr> {
        let coarse = self.coarse(expr)?;
        let may_be = |item: &&Expr| self.constant(item).is_none_or(|moment| moment.is_whole(coarse.ticks));
        let left: Vec<Expr> = list.iter().filter(may_be).cloned().collect();
        match left.len() {
            all if all == list.len() => None,
            // Elsewhere, what is no whole day by its ticks may begin one all the same.
            left if left == 0 || !coarse.is_by_ticks => Some(or_null(expr.as_ref().clone()).in_list(list.clone(), *negated)),
            _ => Some(expr.as_ref().clone().in_list(left, *negated)),
        }
    }

    /// The value of a constant, if it is a moment.
    fn constant(&self, constant: &Expr) -> Option<Moment> {
        if let Expr::Literal(value, _) = constant {
            return Moment::of(value);
        }
        let is_moment = matches!(constant.get_type(self.schema), Ok(DataType::Timestamp(..)));
        if !is_moment || !constant.column_refs().is_empty() || constant.contains_outer() {
            return None;
        }
        match self.simplified(constant)? {
            Expr::Literal(value, _) => Moment::of(&value),
            _ => None,
        }
    }

    /// The coarsest unit on the way of a moment to the unit in which it is compared, where it is coarser than that.
    fn coarse(&self, moment: &Expr) -> Option<Coarse> {
        let simplified = match moment {
            Expr::Cast(_) | Expr::TryCast(_) | Expr::Column(_) => None,
            other => Some(self.simplified(other)?),
        };
        let (mut inner, finest) = input_of_cast(simplified.as_ref().unwrap_or(moment))?;
        let DataType::Timestamp(unit, zone) = finest else {
            return None;
        };
        let second = per_second(*unit);
        let mut ticks = 1;
        let mut zones = vec![zone.clone()];
        loop {
            let next = input_of_cast(inner);
            let kind = match next {
                Some((_, kind)) => kind.clone(),
                None => inner.get_type(self.schema).ok()?,
            };
            match kind {
                DataType::Date32 | DataType::Date64 => ticks = 86_400 * second,
                DataType::Timestamp(own, zone) => {
                    ticks = ticks.max(second / per_second(own));
                    zones.push(zone);
                }
                _ => break,
            }
            let Some((further, _)) = next else { break };
            inner = further;
        }
        let is_elsewhere = zones.iter().flatten().any(|zone| is_elsewhere(zone));
        (ticks > 1).then_some(Coarse {
            ticks,
            is_by_ticks: ticks <= second || !is_elsewhere,
        })
    }

    /// What the engine makes of an expression.
    fn simplified(&self, expression: &Expr) -> Option<Expr> {
        let context = SimplifyContext::builder()
            .with_schema(Arc::new(self.schema.clone()))
            .with_config_options(self.config.options())
            .with_query_execution_start_time(self.config.query_execution_start_time());
        // What cannot be computed is an error where it runs.
        ExprSimplifier::new(context.build()).simplify(expression.clone()).ok()
    }
}

/// A unit that is coarser than that of a comparison.
struct Coarse {
    /// How many ticks of the comparison are one of it.
    ticks: i64,
    /// Whether each such number of ticks begins one: a day elsewhere begins at another moment.
    is_by_ticks: bool,
}

fn input_of_cast(expression: &Expr) -> Option<(&Expr, &DataType)> {
    match expression {
        Expr::Cast(Cast { expr, field }) | Expr::TryCast(TryCast { expr, field }) => Some((expr, field.data_type())),
        _ => None,
    }
}

fn binary(left: Expr, op: Operator, right: Expr) -> Expr {
    Expr::BinaryExpr(BinaryExpr {
        left: Box::new(left),
        op,
        right: Box::new(right),
    })
}
