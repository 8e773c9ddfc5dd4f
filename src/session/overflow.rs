//! Arithmetic that does not fit into its type: `9223372036854775807 + votes`.
//!
//! # Design
//! The engine (DataFusion 55) computes with whole numbers as a processor does: what is too large begins again at the other end, while a
//! statement runs as much as where constants are computed before it does. Sums of decimals get more digits than their type has, and lose
//! some when they are shown. So such an operator becomes a function that computes the same or is an error, which names the way round.
//! What the engine checks itself stays as it is: quotients of whole numbers, moments and intervals.

use std::sync::Arc;

use datafusion::arrow::array::{ArrayRef, AsArray, Decimal128Array};
use datafusion::arrow::compute::kernels::numeric;
use datafusion::arrow::compute::{CastOptions, cast_with_options, try_binary};
use datafusion::arrow::datatypes::{DataType, Decimal32Type, Decimal64Type, Decimal128Type, Decimal256Type, Field, FieldRef};
use datafusion::arrow::error::ArrowError;
use datafusion::common::config::ConfigOptions;
use datafusion::common::tree_node::{Transformed, TransformedResult, TreeNode};
use datafusion::common::{DFSchema, ScalarValue, internal_err};
use datafusion::error::{DataFusionError, Result};
use datafusion::logical_expr::type_coercion::binary::BinaryTypeCoercer;
use datafusion::logical_expr::{
    BinaryExpr, ColumnarValue, Expr, ExprSchemable, LogicalPlan, Operator, ReturnFieldArgs, ScalarFunctionArgs, ScalarUDF,
    ScalarUDFImpl, Signature, Volatility,
};
use datafusion::optimizer::AnalyzerRule;
use datafusion::physical_expr_common::datum::apply;

use super::rewrite::everywhere;
use crate::error::{Error, ErrorKind};
use crate::table::to_datafusion;

/// The rule; it must come after the coercion of types.
#[derive(Debug)]
pub(super) struct NoOverflow;

impl AnalyzerRule for NoOverflow {
    fn name(&self) -> &str {
        "no_overflow"
    }

    fn analyze(&self, plan: LogicalPlan, _: &ConfigOptions) -> Result<LogicalPlan> {
        everywhere(plan, |expression, schema| Ok(checked(expression, schema)))
    }
}

/// A constant whose operators do not overflow in silence.
pub(super) fn constant(expression: Expr) -> Result<Expr> {
    let none = DFSchema::empty();
    expression.transform_up(|expression| Ok(checked(expression, &none))).data()
}

fn checked(expression: Expr, schema: &DFSchema) -> Transformed<Expr> {
    match expression {
        // The type of a parameter may be open.
        Expr::BinaryExpr(BinaryExpr { left, op, right }) if may_overflow(&left, op, &right, schema).unwrap_or(false) => {
            let function = ScalarUDF::from(Checked {
                op,
                signature: Signature::user_defined(Volatility::Immutable),
            });
            Transformed::yes(function.call(vec![*left, *right]))
        }
        Expr::Negative(value) => match value.get_type(schema).map(|kind| ScalarValue::new_zero(&kind)) {
            Ok(Ok(zero)) if zero.data_type().is_signed_integer() => {
                let zero = Box::new(Expr::Literal(zero, None));
                checked(Expr::BinaryExpr(BinaryExpr::new(zero, Operator::Minus, value)), schema)
            }
            _ => Transformed::no(Expr::Negative(value)),
        },
        other => Transformed::no(other),
    }
}

fn may_overflow(left: &Expr, op: Operator, right: &Expr, schema: &DFSchema) -> Result<bool> {
    use Operator::*;
    if !matches!(op, Plus | Minus | Multiply | Divide | BitwiseShiftLeft | BitwiseShiftRight) {
        return Ok(false);
    }
    let (left, right) = (left.get_type(schema)?, right.get_type(schema)?);
    Ok(match BinaryTypeCoercer::new(&left, &op, &right).get_result_type()? {
        result if result.is_integer() => op != Divide && left.is_integer() && right.is_integer(),
        // With fewer digits than the type may have, there is one more than the operands need.
        DataType::Decimal32(9, _) | DataType::Decimal64(18, _) | DataType::Decimal128(38, _) | DataType::Decimal256(76, _) => {
            true
        }
        _ => false,
    })
}

/// An operator that is an error where the result does not fit.
#[derive(Debug, PartialEq, Eq, Hash)]
struct Checked {
    op: Operator,
    signature: Signature,
}

impl ScalarUDFImpl for Checked {
    fn name(&self) -> &str {
        match self.op {
            Operator::Plus => "add",
            Operator::Minus => "subtract",
            Operator::Multiply => "multiply",
            Operator::Divide => "divide",
            Operator::BitwiseShiftLeft => "shift_left",
            _ => "shift_right",
        }
    }

    /// A column is called as the engine calls it.
    fn schema_name(&self, args: &[Expr]) -> Result<String> {
        let [left, right] = args else {
            return internal_err!("{} has two operands", self.op);
        };
        Ok(format!("{} {} {}", left.schema_name(), self.op, right.schema_name()))
    }

    fn signature(&self) -> &Signature {
        &self.signature
    }

    fn coerce_types(&self, types: &[DataType]) -> Result<Vec<DataType>> {
        let [left, right] = types else {
            return internal_err!("{} has two operands", self.op);
        };
        let (left, right) = BinaryTypeCoercer::new(left, &self.op, right).get_input_types()?;
        Ok(vec![left, right])
    }

    fn return_type(&self, types: &[DataType]) -> Result<DataType> {
        let [left, right] = types else {
            return internal_err!("{} has two operands", self.op);
        };
        BinaryTypeCoercer::new(left, &self.op, right).get_result_type()
    }

    fn return_field_from_args(&self, args: ReturnFieldArgs<'_>) -> Result<FieldRef> {
        let types: Vec<DataType> = args.arg_fields.iter().map(|field| field.data_type().clone()).collect();
        let nullable = args.arg_fields.iter().any(|field| field.is_nullable());
        Ok(Arc::new(Field::new(self.name(), self.return_type(&types)?, nullable)))
    }

    fn invoke_with_args(&self, args: ScalarFunctionArgs) -> Result<ColumnarValue> {
        let [left, right] = &args.args[..] else {
            return internal_err!("{} has two operands", self.op);
        };
        let result = args.return_field.data_type();
        let computed = match self.op {
            Operator::Plus => apply(left, right, numeric::add),
            Operator::Minus => apply(left, right, numeric::sub),
            Operator::Multiply => apply(left, right, numeric::mul),
            Operator::Divide => apply(left, right, numeric::div),
            op => shifted(op, left, right, result),
        };
        computed
            .and_then(|value| {
                match &value {
                    ColumnarValue::Array(array) => check_digits(array, result)?,
                    ColumnarValue::Scalar(scalar) => check_digits(&scalar.to_array()?, result)?,
                }
                Ok(value)
            })
            .map_err(|error| worded(error, result))
    }
}

/// Shifts, as multiplications and divisions by powers of two.
fn shifted(op: Operator, left: &ColumnarValue, right: &ColumnarValue, result: &DataType) -> Result<ColumnarValue> {
    let is_constant = matches!((left, right), (ColumnarValue::Scalar(_), ColumnarValue::Scalar(_)));
    let sides = ColumnarValue::values_to_arrays(&[left.clone(), right.clone()])?;
    let wide: Vec<ArrayRef> = sides.iter().map(|side| strict(side, &WIDE)).collect::<Result<_, _>>()?;
    let (left, right) = (
        wide[0].as_primitive::<Decimal128Type>(),
        wide[1].as_primitive::<Decimal128Type>(),
    );
    let shifted: Decimal128Array = try_binary(left, right, |value: i128, by: i128| {
        let too_large = || ArrowError::ArithmeticOverflow(format!("Overflow happened on: {value} {op} {by}"));
        match (u32::try_from(by).map_err(|_| too_large())?, op) {
            (by, Operator::BitwiseShiftRight) => Ok(value >> by.min(i128::BITS - 1)),
            _ if value == 0 => Ok(0),
            (by @ 0..64, _) => Some(value << by)
                .filter(|shifted| fits(*shifted, result))
                .ok_or_else(too_large),
            _ => Err(too_large()),
        }
    })?;
    let shifted = strict(&(Arc::new(shifted.with_data_type(WIDE)) as ArrayRef), result)?;
    Ok(match is_constant {
        true => ColumnarValue::Scalar(ScalarValue::try_from_array(&shifted, 0)?),
        false => ColumnarValue::Array(shifted),
    })
}

/// Holds every whole number of 64 bits, and sums of as many as there may be.
pub(super) const WIDE: DataType = DataType::Decimal128(38, 0);

/// Whether a type of whole numbers has this one.
fn fits(number: i128, of: &DataType) -> bool {
    let (least, most) = match of {
        DataType::Int8 => (i8::MIN.into(), i8::MAX.into()),
        DataType::Int16 => (i16::MIN.into(), i16::MAX.into()),
        DataType::Int32 => (i32::MIN.into(), i32::MAX.into()),
        DataType::UInt8 => (0, u8::MAX.into()),
        DataType::UInt16 => (0, u16::MAX.into()),
        DataType::UInt32 => (0, u32::MAX.into()),
        DataType::UInt64 => (0, u64::MAX.into()),
        _ => (i128::from(i64::MIN), i128::from(i64::MAX)),
    };
    (least..=most).contains(&number)
}

/// A cast that is an error where a value does not fit.
pub(super) fn strict(array: &ArrayRef, to: &DataType) -> Result<ArrayRef, ArrowError> {
    let options = CastOptions {
        safe: false,
        ..CastOptions::default()
    };
    cast_with_options(array, to, &options)
}

/// Checks that decimals have no more digits than their type.
pub(super) fn check_digits(array: &ArrayRef, result: &DataType) -> Result<(), ArrowError> {
    match result {
        DataType::Decimal32(digits, _) => array.as_primitive::<Decimal32Type>().validate_decimal_precision(*digits),
        DataType::Decimal64(digits, _) => array.as_primitive::<Decimal64Type>().validate_decimal_precision(*digits),
        DataType::Decimal128(digits, _) => array.as_primitive::<Decimal128Type>().validate_decimal_precision(*digits),
        DataType::Decimal256(digits, _) => array.as_primitive::<Decimal256Type>().validate_decimal_precision(*digits),
        _ => Ok(()),
    }
}

/// Why there is no such value, and the way round.
fn worded(error: DataFusionError, result: &DataType) -> DataFusionError {
    let DataFusionError::ArrowError(arrow, _) = &error else {
        return error;
    };
    match (arrow.as_ref(), result) {
        (ArrowError::ArithmeticOverflow(what), result) if result.is_integer() => {
            let what = what.trim_start_matches("Overflow happened on: ");
            let message = format!(
                "{what} does not fit into {}",
                if is_long(result) { "64 bits" } else { "its type" }
            );
            let hint = "compute with decimals: CAST(… AS DECIMAL(38, 0)) on one side";
            to_datafusion(Error::new(ErrorKind::Statement, message).hint(hint))
        }
        (ArrowError::ArithmeticOverflow(what) | ArrowError::InvalidArgumentError(what), _) => {
            let what = what.trim_start_matches("Overflow happened on: ");
            let message = format!("a decimal would have more digits than its type: {what}");
            let hint = "compute with fewer digits behind the point, or with CAST(… AS DOUBLE)";
            to_datafusion(Error::new(ErrorKind::Statement, message).hint(hint))
        }
        _ => error,
    }
}

fn is_long(result: &DataType) -> bool {
    matches!(result, DataType::Int64 | DataType::UInt64)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn computed(left: ScalarValue, op: Operator, right: ScalarValue) -> String {
        let one = |value: &ScalarValue| Arc::new(Field::new("", value.data_type(), true));
        let function = ScalarUDF::from(Checked {
            op,
            signature: Signature::user_defined(Volatility::Immutable),
        });
        let result = function.return_type(&[left.data_type(), right.data_type()]).unwrap();
        let args = ScalarFunctionArgs {
            arg_fields: vec![one(&left), one(&right)],
            args: vec![ColumnarValue::Scalar(left), ColumnarValue::Scalar(right)],
            number_rows: 1,
            return_field: Arc::new(Field::new("", result, true)),
            config_options: Arc::default(),
        };
        function
            .invoke_with_args(args)
            .map_or_else(|_| "error".to_owned(), |value| value.to_string())
    }

    #[test]
    fn a_result_is_right_or_an_error() {
        use Operator::*;
        let long = |value: i64| ScalarValue::Int64(Some(value));
        let digits = |value: i128| ScalarValue::Decimal128(Some(value), 38, 0);
        const NINES: i128 = 10_i128.pow(38) - 1;
        for (left, op, right, result) in [
            (long(i64::MAX), Plus, long(1), "error"),
            (long(i64::MAX), Plus, long(-1), "9223372036854775806"),
            (long(i64::MIN), Minus, long(1), "error"),
            (long(i64::MAX), Multiply, long(2), "error"),
            (long(i64::MIN), Multiply, long(-1), "error"),
            (ScalarValue::Int64(None), Plus, long(1), ""),
            (ScalarValue::Int8(Some(127)), Plus, ScalarValue::Int8(Some(1)), "error"),
            (
                ScalarValue::UInt64(Some(u64::MAX)),
                Plus,
                ScalarValue::UInt64(Some(1)),
                "error",
            ),
            (long(1), BitwiseShiftLeft, long(62), "4611686018427387904"),
            (long(1), BitwiseShiftLeft, long(63), "error"),
            (long(-1), BitwiseShiftLeft, long(63), "-9223372036854775808"),
            (long(1), BitwiseShiftLeft, long(64), "error"),
            (long(0), BitwiseShiftLeft, long(1_000), "0"),
            (long(1), BitwiseShiftLeft, long(-1), "error"),
            (long(-8), BitwiseShiftRight, long(1), "-4"),
            (long(-8), BitwiseShiftRight, long(64), "-1"),
            (long(8), BitwiseShiftRight, long(-1), "error"),
            (digits(NINES), Plus, digits(1), "error"),
            (digits(NINES), Minus, digits(1), "99999999999999999999999999999999999998"),
            (digits(NINES), Multiply, digits(10), "error"),
        ] {
            let told = format!("{left} {op} {right}");
            let found = computed(left, op, right);
            assert!(
                found == result || result != "error" && found.contains(result),
                "{told}: {found}"
            );
        }
    }
}
