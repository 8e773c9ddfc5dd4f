//! Casts to whole numbers round: `2.7::int` is 3, as in PostgreSQL and DuckDB.
//!
//! # Design
//! The engine (DataFusion 55, by arrow's casts) cuts the fraction off, and `(4.35 * 100)::int` would be 434: the product is a hair below
//! 435. Doubles are rounded to the nearest whole number, halves to the even one; decimals away from zero.

use std::sync::{Arc, LazyLock};

use datafusion::arrow::array::{ArrayRef, AsArray, Float64Array};
use datafusion::arrow::compute::cast;
use datafusion::arrow::datatypes::{DECIMAL128_MAX_PRECISION, DECIMAL256_MAX_PRECISION, DataType, Float64Type};
use datafusion::common::config::ConfigOptions;
use datafusion::common::tree_node::{Transformed, TransformedResult, TreeNode};
use datafusion::common::{DFSchema, ScalarValue};
use datafusion::error::Result;
use datafusion::logical_expr::expr::{Cast, TryCast};
use datafusion::logical_expr::expr_rewriter::NamePreserver;
use datafusion::logical_expr::utils::merge_schema;
use datafusion::logical_expr::{
    ColumnarValue, Expr, ExprSchemable, LogicalPlan, ScalarFunctionArgs, ScalarUDF, ScalarUDFImpl, Signature, Volatility,
};
use datafusion::optimizer::AnalyzerRule;

/// The analyzer rule; it must come after the coercion of types.
#[derive(Debug)]
pub(super) struct WholeNumbers;

impl AnalyzerRule for WholeNumbers {
    fn name(&self) -> &str {
        "whole_numbers"
    }

    fn analyze(&self, plan: LogicalPlan, _: &ConfigOptions) -> Result<LogicalPlan> {
        let plan = plan.transform_up_with_subqueries(|plan| {
            let schema = merge_schema(&plan.inputs());
            let names = NamePreserver::new(&plan);
            plan.map_expressions(|expression| {
                let name = names.save(&expression);
                let whole = expression.transform_up(|expression| Ok(rounded(expression, &schema)))?;
                Ok(whole.update_data(|expression| name.restore(expression)))
            })
        });
        plan.data().map(for_writes)
    }
}

/// The plan of a write with the casts to its columns as they were: a fraction is no value of a whole number's column, and refused there.
fn for_writes(plan: LogicalPlan) -> LogicalPlan {
    let LogicalPlan::Dml(mut write) = plan else { return plan };
    write.input = Arc::new(as_given(write.input.as_ref().clone()));
    LogicalPlan::Dml(write)
}

/// The rows of a write: its columns, and the VALUES below them, which are cast where they stand.
fn as_given(rows: LogicalPlan) -> LogicalPlan {
    match rows {
        LogicalPlan::Projection(mut columns) => {
            columns.expr = columns.expr.into_iter().map(unrounded).collect();
            if matches!(columns.input.as_ref(), LogicalPlan::Values(_)) {
                columns.input = Arc::new(as_given(columns.input.as_ref().clone()));
            }
            LogicalPlan::Projection(columns)
        }
        LogicalPlan::Values(mut values) => {
            let rows = values.values.into_iter();
            values.values = rows.map(|row| row.into_iter().map(unrounded).collect()).collect();
            LogicalPlan::Values(values)
        }
        other => other,
    }
}

fn unrounded(column: Expr) -> Expr {
    match column {
        Expr::Alias(mut alias) => {
            alias.expr = Box::new(unrounded(*alias.expr));
            Expr::Alias(alias)
        }
        Expr::Cast(mut cast) if cast.field.data_type().is_integer() => {
            cast.expr = match *cast.expr {
                Expr::ScalarFunction(nearest) if nearest.func == *NEAREST && nearest.args.len() == 1 => {
                    Box::new(nearest.args[0].clone())
                }
                Expr::Cast(inner) if is_without_scale(inner.field.data_type()) => inner.expr,
                other => Box::new(other),
            };
            Expr::Cast(cast)
        }
        other => other,
    }
}

fn is_without_scale(kind: &DataType) -> bool {
    [WITHOUT_SCALE, WIDE_WITHOUT_SCALE].contains(kind)
}

/// Decimals without digits behind their point: the cast to one rounds.
const WITHOUT_SCALE: DataType = DataType::Decimal128(DECIMAL128_MAX_PRECISION, 0);
const WIDE_WITHOUT_SCALE: DataType = DataType::Decimal256(DECIMAL256_MAX_PRECISION, 0);

fn rounded(expression: Expr, schema: &DFSchema) -> Transformed<Expr> {
    let input = match &expression {
        Expr::Cast(Cast { expr, field }) | Expr::TryCast(TryCast { expr, field }) if field.data_type().is_integer() => expr,
        _ => return Transformed::no(expression),
    };
    let whole = match (input.as_ref(), input.get_type(schema)) {
        (Expr::ScalarFunction(function), _) if function.func == *NEAREST => return Transformed::no(expression),
        (_, Ok(DataType::Float16 | DataType::Float32 | DataType::Float64)) => NEAREST.call(vec![input.as_ref().clone()]),
        (_, Ok(DataType::Decimal128(_, scale))) if scale > 0 => without_scale(input, WITHOUT_SCALE),
        (_, Ok(DataType::Decimal256(_, scale))) if scale > 0 => without_scale(input, WIDE_WITHOUT_SCALE),
        _ => return Transformed::no(expression),
    };
    Transformed::yes(match expression {
        Expr::TryCast(TryCast { field, .. }) => Expr::TryCast(TryCast::new_from_field(Box::new(whole), field)),
        Expr::Cast(Cast { field, .. }) => Expr::Cast(Cast::new_from_field(Box::new(whole), field)),
        other => other,
    })
}

fn without_scale(input: &Expr, kind: DataType) -> Expr {
    Expr::Cast(Cast::new(Box::new(input.clone()), kind))
}

static NEAREST: LazyLock<Arc<ScalarUDF>> =
    LazyLock::new(|| Arc::new(ScalarUDF::from(Nearest(Signature::any(1, Volatility::Immutable)))));

/// The nearest whole number of a floating point number.
#[derive(Debug, PartialEq, Eq, Hash)]
struct Nearest(Signature);

impl ScalarUDFImpl for Nearest {
    fn name(&self) -> &str {
        "nearest_whole_number"
    }

    fn signature(&self) -> &Signature {
        &self.0
    }

    fn return_type(&self, _: &[DataType]) -> Result<DataType> {
        Ok(DataType::Float64)
    }

    fn invoke_with_args(&self, args: ScalarFunctionArgs) -> Result<ColumnarValue> {
        let is_scalar = matches!(args.args[..], [ColumnarValue::Scalar(_)]);
        let arrays = ColumnarValue::values_to_arrays(&args.args)?;
        let numbers = cast(&arrays[0], &DataType::Float64)?;
        let nearest: Float64Array = numbers.as_primitive::<Float64Type>().unary(f64::round_ties_even);
        let nearest: ArrayRef = Arc::new(nearest);
        Ok(match is_scalar {
            true => ColumnarValue::Scalar(ScalarValue::try_from_array(&nearest, 0)?),
            false => ColumnarValue::Array(nearest),
        })
    }
}
