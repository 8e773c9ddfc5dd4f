//! Intervals by their length: `interval '1 day' < interval '25 hours'`.
//!
//! # Design
//! The engine (DataFusion 55) compares intervals field by field, months before days before the rest, and turns what a subtraction of
//! timestamps gives into an interval without days: no resolution took longer than `interval '3 days'`. So wherever intervals are compared,
//! sorted, joined or grouped, they are first brought into the one form in which the fields decide: no months, whole days, and less than
//! one day besides. `interval '1 day'` and `interval '24 hours'` are then equal, and one group. A month has no length, so an interval with
//! months is an error there, in place of an answer that depends on the month. The same holds for intervals in lists, structs and maps, which
//! are compared element by element, and for functions that compare elements: `array_sort`, `array_has`.

use std::sync::{Arc, LazyLock};

use datafusion::arrow::array::{
    Array, ArrayRef, AsArray, FixedSizeListArray, GenericListArray, IntervalMonthDayNanoArray, MapArray, OffsetSizeTrait,
    StructArray,
};
use datafusion::arrow::compute::cast;
use datafusion::arrow::datatypes::{
    DataType, FieldRef, Fields, Int64Type, IntervalDayTimeType, IntervalMonthDayNano, IntervalMonthDayNanoType, IntervalUnit,
};
use datafusion::common::config::ConfigOptions;
use datafusion::common::tree_node::{Transformed, TreeNode, TreeNodeRecursion};
use datafusion::common::{Column, DFSchema, ScalarValue};
use datafusion::error::Result;
use datafusion::logical_expr::expr::{AggregateFunction, InList, InSubquery, ScalarFunction, Sort, WindowFunction};
use datafusion::logical_expr::expr_rewriter::NamePreserver;
use datafusion::logical_expr::utils::merge_schema;
use datafusion::logical_expr::{
    Between, BinaryExpr, Case, ColumnarValue, Distinct, Expr, ExprSchemable, LogicalPlan, LogicalPlanBuilder, Operator,
    ScalarFunctionArgs, ScalarUDF, ScalarUDFImpl, Signature, Subquery, Volatility,
};
use datafusion::optimizer::analyzer::AnalyzerRule;

use super::overflow::strict;
use super::rewrite::expressions;
use super::ticks::per_second;
use crate::error::{Error, ErrorKind};
use crate::table::to_datafusion;

/// The analyzer rule; it must come after the engine's own coercion of types.
#[derive(Debug)]
pub(super) struct IntervalsByLength;

impl AnalyzerRule for IntervalsByLength {
    fn name(&self) -> &'static str {
        "intervals_by_length"
    }

    fn analyze(&self, plan: LogicalPlan, _: &ConfigOptions) -> Result<LogicalPlan> {
        plan.transform_up_with_subqueries(node).map(|transformed| transformed.data)
    }
}

fn node(plan: LogicalPlan) -> Result<Transformed<LogicalPlan>> {
    let schema = merge_schema(&plan.inputs());
    let plan = expressions(plan, |expression, schema| {
        expression.transform_up(|expression| compared(expression, schema))
    })?;
    let changed = plan.transformed;
    let plan = match plan.data {
        LogicalPlan::Sort(mut sort) => {
            sort.expr = sorted(sort.expr, &schema)?;
            Transformed::yes(LogicalPlan::Sort(sort))
        }
        LogicalPlan::Join(mut join) => {
            let (left, right) = (join.left.schema().clone(), join.right.schema().clone());
            let keys = join.on.into_iter();
            let keys = keys.map(|(one, other)| Ok((length(one, &left)?, length(other, &right)?)));
            join.on = keys.collect::<Result<_>>()?;
            Transformed::yes(LogicalPlan::Join(join))
        }
        LogicalPlan::Aggregate(mut aggregate) => {
            // The sets of ROLLUP and the like are lists of expressions, each with a name.
            let names = NamePreserver::new_for_projection();
            let groups = aggregate.group_expr.into_iter().map(|group| {
                let group = group.transform_down(|group| {
                    if matches!(group, Expr::GroupingSet(_)) {
                        return Ok(Transformed::no(group));
                    }
                    let name = names.save(&group);
                    let group = name.restore(length(group, &schema)?);
                    Ok(Transformed::new(group, true, TreeNodeRecursion::Jump))
                });
                Ok(group?.data)
            });
            aggregate.group_expr = groups.collect::<Result<_>>()?;
            Transformed::yes(LogicalPlan::Aggregate(aggregate))
        }
        LogicalPlan::Distinct(Distinct::All(input)) => {
            let input = Arc::new(lengths(Arc::unwrap_or_clone(input))?);
            Transformed::yes(LogicalPlan::Distinct(Distinct::All(input)))
        }
        LogicalPlan::Distinct(Distinct::On(mut on)) => {
            let each = on.on_expr.into_iter();
            on.on_expr = each.map(|expression| length(expression, &schema)).collect::<Result<_>>()?;
            on.sort_expr = on.sort_expr.map(|order| sorted(order, &schema)).transpose()?;
            Transformed::yes(LogicalPlan::Distinct(Distinct::On(on)))
        }
        LogicalPlan::RecursiveQuery(mut query) if query.is_distinct => {
            query.static_term = Arc::new(lengths(Arc::unwrap_or_clone(query.static_term))?);
            query.recursive_term = Arc::new(lengths(Arc::unwrap_or_clone(query.recursive_term))?);
            Transformed::yes(LogicalPlan::RecursiveQuery(query))
        }
        plan => return Ok(Transformed::new_transformed(plan, changed)),
    };
    plan.map_data(LogicalPlan::recompute_schema)
}

/// Whether values of this type are compared field by field where the fields do not decide, or have such values in them.
fn has_interval(data_type: &DataType) -> bool {
    match data_type {
        DataType::Interval(IntervalUnit::MonthDayNano | IntervalUnit::DayTime) => true,
        DataType::List(element)
        | DataType::LargeList(element)
        | DataType::FixedSizeList(element, _)
        | DataType::Map(element, _) => has_interval(element.data_type()),
        DataType::Struct(fields) => fields.iter().any(|field| has_interval(field.data_type())),
        _ => false,
    }
}

/// The type of what is compared.
fn of_lengths(data_type: &DataType) -> DataType {
    match data_type {
        DataType::Interval(IntervalUnit::DayTime) => DataType::Interval(IntervalUnit::MonthDayNano),
        DataType::List(element) => DataType::List(field_of_lengths(element)),
        DataType::LargeList(element) => DataType::LargeList(field_of_lengths(element)),
        DataType::FixedSizeList(element, length) => DataType::FixedSizeList(field_of_lengths(element), *length),
        DataType::Map(entry, sorted) => DataType::Map(field_of_lengths(entry), *sorted),
        DataType::Struct(fields) => DataType::Struct(fields_of_lengths(fields)),
        other => other.clone(),
    }
}

fn field_of_lengths(field: &FieldRef) -> FieldRef {
    Arc::new(field.as_ref().clone().with_data_type(of_lengths(field.data_type())))
}

fn fields_of_lengths(fields: &Fields) -> Fields {
    fields.iter().map(field_of_lengths).collect()
}

/// Functions that compare the elements of lists, or the keys of maps.
fn compares_elements(function: &str) -> bool {
    matches!(
        function,
        "array_sort"
            | "array_has"
            | "array_has_all"
            | "array_has_any"
            | "array_position"
            | "array_positions"
            | "array_max"
            | "array_min"
            | "array_distinct"
            | "array_union"
            | "array_intersect"
            | "array_except"
            | "array_remove"
            | "array_remove_n"
            | "array_remove_all"
            | "array_replace"
            | "array_replace_n"
            | "array_replace_all"
            | "arrays_overlap"
            | "map"
            | "map_extract"
    )
}

/// An expression with the intervals that it compares by their length.
fn compared(expression: Expr, schema: &DFSchema) -> Result<Transformed<Expr>> {
    let all = |expressions: Vec<Expr>| -> Result<Vec<Expr>> {
        let each = expressions.into_iter();
        each.map(|expression| length(expression, schema)).collect()
    };
    let boxed = |expression: Box<Expr>| length(*expression, schema).map(Box::new);
    Ok(Transformed::yes(match expression {
        Expr::BinaryExpr(BinaryExpr { left, op, right }) if is_comparison(op) => Expr::BinaryExpr(BinaryExpr {
            left: boxed(left)?,
            op,
            right: boxed(right)?,
        }),
        Expr::Between(between) => Expr::Between(Between {
            expr: boxed(between.expr)?,
            low: boxed(between.low)?,
            high: boxed(between.high)?,
            ..between
        }),
        Expr::InList(list) => Expr::InList(InList {
            expr: boxed(list.expr)?,
            list: all(list.list)?,
            ..list
        }),
        Expr::InSubquery(within) => {
            let subquery = lengths(Arc::unwrap_or_clone(within.subquery.subquery))?;
            Expr::InSubquery(InSubquery {
                expr: boxed(within.expr)?,
                subquery: Subquery {
                    subquery: Arc::new(subquery),
                    ..within.subquery
                },
                ..within
            })
        }
        Expr::Case(Case {
            expr: Some(base),
            when_then_expr,
            else_expr,
        }) => {
            let each = when_then_expr.into_iter();
            Expr::Case(Case {
                expr: Some(boxed(base)?),
                when_then_expr: each.map(|(when, then)| Ok((boxed(when)?, then))).collect::<Result<_>>()?,
                else_expr,
            })
        }
        Expr::ScalarFunction(function)
            if matches!(function.name(), "greatest" | "least" | "nullif")
                || compares_elements(function.name())
                || function.name() == "get_field" && is_map(function.args.first(), schema) =>
        {
            Expr::ScalarFunction(ScalarFunction {
                args: all(function.args)?,
                ..function
            })
        }
        Expr::AggregateFunction(AggregateFunction { func, mut params }) => {
            if params.distinct || compares(func.name()) {
                params.args = all(params.args)?;
            }
            params.order_by = sorted(params.order_by, schema)?;
            Expr::AggregateFunction(AggregateFunction { func, params })
        }
        Expr::WindowFunction(mut window) => {
            let WindowFunction { fun, params } = window.as_mut();
            if params.distinct || compares(fun.name()) {
                params.args = all(std::mem::take(&mut params.args))?;
            }
            params.partition_by = all(std::mem::take(&mut params.partition_by))?;
            params.order_by = sorted(std::mem::take(&mut params.order_by), schema)?;
            Expr::WindowFunction(window)
        }
        other => return Ok(Transformed::no(other)),
    }))
}

fn is_map(expression: Option<&Expr>, schema: &DFSchema) -> bool {
    let of = expression.map(|expression| expression.get_type(schema));
    matches!(of, Some(Ok(DataType::Map(..))))
}

pub(super) fn is_comparison(op: Operator) -> bool {
    use Operator::*;
    matches!(op, Eq | NotEq | Lt | LtEq | Gt | GtEq | IsDistinctFrom | IsNotDistinctFrom)
}

/// Aggregate functions that compare their argument.
fn compares(function: &str) -> bool {
    matches!(function, "min" | "max" | "approx_distinct")
}

fn sorted(order: Vec<Sort>, schema: &DFSchema) -> Result<Vec<Sort>> {
    let each = order.into_iter();
    each.map(|sort| {
        Ok(Sort {
            expr: length(sort.expr, schema)?,
            ..sort
        })
    })
    .collect()
}

/// The rows of a plan with their intervals in the form that is compared.
fn lengths(plan: LogicalPlan) -> Result<LogicalPlan> {
    let schema = plan.schema().clone();
    if !schema.fields().iter().any(|field| has_interval(field.data_type())) {
        return Ok(plan);
    }
    let columns = schema.iter().map(|(qualifier, field)| {
        let column = Expr::Column(Column::new(qualifier.cloned(), field.name()));
        Ok(match has_interval(field.data_type()) {
            true => length(column, &schema)?.alias_qualified(qualifier.cloned(), field.name()),
            false => column,
        })
    });
    LogicalPlanBuilder::from(plan)
        .project(columns.collect::<Result<Vec<_>>>()?)?
        .build()
}

/// An interval in the form that is compared; any other expression as it is.
fn length(expression: Expr, schema: &DFSchema) -> Result<Expr> {
    // The type of a parameter may be open.
    if !expression.get_type(schema).is_ok_and(|own| has_interval(&own)) {
        return Ok(expression);
    }
    Ok(match expression {
        Expr::Literal(ScalarValue::IntervalMonthDayNano(Some(interval)), metadata) => {
            Expr::Literal(ScalarValue::IntervalMonthDayNano(Some(normal(interval)?)), metadata)
        }
        Expr::ScalarFunction(function) if function.func == *LENGTH => Expr::ScalarFunction(function),
        // The engine's cast holds no more than 292 years.
        Expr::Cast(cast) if matches!(cast.expr.get_type(schema)?, DataType::Duration(_)) => LENGTH.call(vec![*cast.expr]),
        expression => LENGTH.call(vec![expression]),
    })
}

static LENGTH: LazyLock<Arc<ScalarUDF>> =
    LazyLock::new(|| Arc::new(ScalarUDF::from(Length(Signature::any(1, Volatility::Immutable)))));

/// From a duration or an interval to the interval that is compared.
#[derive(Debug, PartialEq, Eq, Hash)]
struct Length(Signature);

impl ScalarUDFImpl for Length {
    fn name(&self) -> &str {
        "length_of_interval"
    }

    fn signature(&self) -> &Signature {
        &self.0
    }

    fn return_type(&self, types: &[DataType]) -> Result<DataType> {
        Ok(match types {
            [nested] if nested.is_nested() => of_lengths(nested),
            _ => DataType::Interval(IntervalUnit::MonthDayNano),
        })
    }

    fn invoke_with_args(&self, args: ScalarFunctionArgs) -> Result<ColumnarValue> {
        let is_scalar = matches!(args.args[..], [ColumnarValue::Scalar(_)]);
        let arrays = ColumnarValue::values_to_arrays(&args.args)?;
        let lengths = compared_form(&arrays[0])?;
        Ok(match is_scalar {
            true => ColumnarValue::Scalar(ScalarValue::try_from_array(&lengths, 0)?),
            false => ColumnarValue::Array(lengths),
        })
    }
}

/// Values with the intervals among them, or in them, in the form that is compared.
fn compared_form(array: &ArrayRef) -> Result<ArrayRef> {
    Ok(match array.data_type() {
        DataType::List(element) => list_of_lengths::<i32>(array, element)?,
        DataType::LargeList(element) => list_of_lengths::<i64>(array, element)?,
        DataType::FixedSizeList(element, length) => {
            let list = array.as_fixed_size_list();
            let values = compared_form(list.values())?;
            let list = FixedSizeListArray::try_new(field_of_lengths(element), *length, values, list.nulls().cloned())?;
            Arc::new(list)
        }
        DataType::Struct(_) => Arc::new(struct_of_lengths(array.as_struct())?),
        DataType::Map(entry, sorted) => {
            let map = array.as_map();
            let entries = struct_of_lengths(map.entries())?;
            let (entry, nulls) = (field_of_lengths(entry), map.nulls().cloned());
            Arc::new(MapArray::try_new(entry, map.offsets().clone(), entries, nulls, *sorted)?)
        }
        other if other.is_primitive() && (has_interval(other) || matches!(other, DataType::Duration(_))) => {
            Arc::new(lengths_of(array)?)
        }
        _ => array.clone(),
    })
}

fn list_of_lengths<O: OffsetSizeTrait>(array: &ArrayRef, element: &FieldRef) -> Result<ArrayRef> {
    let list = array.as_list::<O>();
    let (values, nulls) = (compared_form(list.values())?, list.nulls().cloned());
    let list = GenericListArray::<O>::try_new(field_of_lengths(element), list.offsets().clone(), values, nulls)?;
    Ok(Arc::new(list))
}

fn struct_of_lengths(array: &StructArray) -> Result<StructArray> {
    let columns = array.columns().iter().map(|column| match column.data_type() {
        // In a list or struct it is compared with its like.
        DataType::Duration(_) => Ok(column.clone()),
        _ => compared_form(column),
    });
    let fields = fields_of_lengths(array.fields());
    Ok(StructArray::try_new(
        fields,
        columns.collect::<Result<_>>()?,
        array.nulls().cloned(),
    )?)
}

fn lengths_of(array: &ArrayRef) -> Result<IntervalMonthDayNanoArray> {
    let amounts: IntervalMonthDayNanoArray = match array.data_type() {
        DataType::Duration(unit) => {
            let a_tick = i128::from(1_000_000_000 / per_second(*unit));
            let ticks = strict(array, &DataType::Int64)?;
            let span = |ticks| regular(0, i128::from(ticks) * a_tick);
            ticks.as_primitive::<Int64Type>().try_unary(span)?
        }
        DataType::Interval(IntervalUnit::DayTime) => array
            .as_primitive::<IntervalDayTimeType>()
            .try_unary(|value| regular(0, i128::from(value.days) * DAY + i128::from(value.milliseconds) * 1_000_000))?,
        _ => {
            let array = cast(array, &DataType::Interval(IntervalUnit::MonthDayNano))?;
            array.as_primitive::<IntervalMonthDayNanoType>().try_unary(normal)?
        }
    };
    Ok(amounts)
}

/// Nanoseconds of a day.
const DAY: i128 = 86_400 * 1_000_000_000;

fn normal(interval: IntervalMonthDayNano) -> Result<IntervalMonthDayNano> {
    regular(
        interval.months,
        i128::from(interval.days) * DAY + i128::from(interval.nanoseconds),
    )
}

/// The one interval of this length.
fn regular(months: i32, nanoseconds: i128) -> Result<IntervalMonthDayNano> {
    if months != 0 {
        let error = Error::new(
            ErrorKind::Statement,
            "intervals with months cannot be compared: a month has no length",
        );
        return Err(to_datafusion(error.hint(
            "compare dates, as in created < now() - interval '1 month', or write days: interval '30 days'",
        )));
    }
    let days = i32::try_from(nanoseconds.div_euclid(DAY)).map_err(|_| {
        let error = Error::new(ErrorKind::Statement, "a duration is longer than five million years");
        to_datafusion(error.hint("leave the row out by a condition"))
    })?;
    // Less than a day is far less than what 64 bits hold.
    Ok(IntervalMonthDayNano::new(0, days, nanoseconds.rem_euclid(DAY) as i64))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn intervals_of_one_length_have_one_form_and_longer_ones_come_later() {
        let hour = 3_600 * 1_000_000_000;
        // Shortest first; those of one row are equally long.
        let rows = [
            vec![(-2, 0), (-1, -24 * hour)],
            vec![(0, -1)],
            vec![(0, 0), (1, -24 * hour)],
            vec![(0, 2 * hour)],
            vec![(1, 0), (0, 24 * hour)],
            vec![(0, 25 * hour), (1, hour), (2, -23 * hour)],
        ];
        let forms: Vec<IntervalMonthDayNano> = rows
            .into_iter()
            .map(|row| {
                let mut forms = row.into_iter();
                let mut next = || {
                    forms
                        .next()
                        .map(|(days, nanos)| normal(IntervalMonthDayNano::new(0, days, nanos)).unwrap())
                };
                let first = next().unwrap();
                while let Some(other) = next() {
                    assert_eq!(first, other);
                }
                first
            })
            .collect();
        assert!(
            forms.is_sorted() && forms.windows(2).all(|pair| pair[0] != pair[1]),
            "{forms:?}"
        );
        assert!(normal(IntervalMonthDayNano::new(1, 0, 0)).is_err());
    }

    #[test]
    fn the_longest_durations_of_all_units_have_a_length_or_are_an_error() {
        let span = |ticks: i64, a_tick: i128| regular(0, i128::from(ticks) * a_tick);
        assert!(span(i64::MAX, 1).is_ok() && span(i64::MIN, 1_000).is_ok());
        assert!(span(i64::MAX, 1_000_000_000).is_err());
    }
}
