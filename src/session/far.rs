//! Functions of moments for every year: dates of 1600 and 9999 stand in due dates and contracts.
//!
//! # Design
//! The engine (DataFusion 55) computes with nanoseconds, which hold the years 1677 to 2262, and what does not fit is an error or, in some
//! functions, NULL. `date_trunc` computes by the calendar where a moment is outside of them; the seconds of a duration are divided from its
//! own ticks; a series of such moments, which must be nanoseconds, is an error that names the moment.

use std::sync::{Arc, LazyLock};

use chrono::{Datelike, Months, NaiveDate, NaiveDateTime, NaiveTime, Offset, TimeDelta, TimeZone, Timelike};
use datafusion::arrow::array::timezone::Tz;
use datafusion::arrow::array::{ArrayRef, AsArray, BooleanArray, Float64Array, Int64Array, IntervalMonthDayNanoArray};
use datafusion::arrow::compute::kernels::zip::zip;
use datafusion::arrow::compute::nullif;
use datafusion::arrow::datatypes::{DataType, FieldRef, Int64Type, IntervalMonthDayNano, TimeUnit};
use datafusion::common::config::ConfigOptions;
use datafusion::common::tree_node::{Transformed, TransformedResult, TreeNode};
use datafusion::common::{ScalarValue, internal_err};
use datafusion::error::{DataFusionError, Result};
use datafusion::functions::datetime;
use datafusion::functions_nested::range::{gen_series_udf, range_udf};
use datafusion::logical_expr::preimage::PreimageResult;
use datafusion::logical_expr::simplify::SimplifyContext;
use datafusion::logical_expr::sort_properties::{ExprProperties, SortProperties};
use datafusion::logical_expr::{
    ColumnarValue, Expr, LogicalPlan, ReturnFieldArgs, ScalarFunctionArgs, ScalarUDF, ScalarUDFImpl, Signature,
};

use datafusion::optimizer::AnalyzerRule;

use super::overflow::strict;
use super::ticks::per_second;
use crate::error::{Error, ErrorKind};
use crate::table::to_datafusion;

/// The rule, for EXTRACT, which the engine plans as a function of its own and not as the one that is registered.
#[derive(Debug)]
pub(super) struct EveryYear;

impl AnalyzerRule for EveryYear {
    fn name(&self) -> &str {
        "every_year"
    }

    fn analyze(&self, plan: LogicalPlan, _: &ConfigOptions) -> Result<LogicalPlan> {
        plan.transform_up_with_subqueries(|plan| {
            plan.map_expressions(|expression| {
                expression.transform_up(|expression| match expression {
                    Expr::ScalarFunction(mut function) if function.func == datetime::date_part() => {
                        function.func = PART.clone();
                        Ok(Transformed::yes(Expr::ScalarFunction(function)))
                    }
                    other => Ok(Transformed::no(other)),
                })
            })
        })
        .data()
    }
}

static PART: LazyLock<Arc<ScalarUDF>> = LazyLock::new(|| {
    Arc::new(ScalarUDF::from(Far {
        what: What::Part,
        engine: datetime::date_part(),
    }))
});

/// The functions, in place of the engine's.
pub(super) fn functions() -> [ScalarUDF; 4] {
    [
        (What::Trunc, datetime::date_trunc()),
        (What::Part, datetime::date_part()),
        (What::Series, range_udf()),
        (What::Series, gen_series_udf()),
    ]
    .map(|(what, engine)| ScalarUDF::from(Far { what, engine }))
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
enum What {
    Trunc,
    Part,
    Series,
}

/// A function of the engine's that is asked for what it can.
#[derive(Debug, PartialEq, Eq, Hash)]
struct Far {
    what: What,
    engine: Arc<ScalarUDF>,
}

impl ScalarUDFImpl for Far {
    fn name(&self) -> &str {
        self.engine.name()
    }

    fn aliases(&self) -> &[String] {
        self.engine.aliases()
    }

    fn signature(&self) -> &Signature {
        self.engine.signature()
    }

    fn return_type(&self, types: &[DataType]) -> Result<DataType> {
        self.engine.return_type(types)
    }

    fn return_field_from_args(&self, args: ReturnFieldArgs<'_>) -> Result<FieldRef> {
        self.engine.return_field_from_args(args)
    }

    fn coerce_types(&self, types: &[DataType]) -> Result<Vec<DataType>> {
        self.engine.coerce_types(types)
    }

    fn preimage(&self, args: &[Expr], literal: &Expr, info: &SimplifyContext) -> Result<PreimageResult> {
        self.engine.preimage(args, literal, info)
    }

    fn output_ordering(&self, inputs: &[ExprProperties]) -> Result<SortProperties> {
        self.engine.output_ordering(inputs)
    }

    fn preserves_lex_ordering(&self, inputs: &[ExprProperties]) -> Result<bool> {
        self.engine.preserves_lex_ordering(inputs)
    }

    fn invoke_with_args(&self, args: ScalarFunctionArgs) -> Result<ColumnarValue> {
        match (self.what, &args.args[..]) {
            (What::Trunc, [ColumnarValue::Scalar(_), _]) => self.truncated(args),
            (What::Part, [ColumnarValue::Scalar(part), durations]) if matches!(durations.data_type(), DataType::Duration(_)) => {
                let is_epoch = matches!(part.try_as_str(), Some(Some(part)) if part.eq_ignore_ascii_case("epoch"));
                let (values, field, durations) = (durations.to_array(1)?, args.arg_fields[1].clone(), durations.clone());
                if let (true, DataType::Duration(unit)) = (is_epoch, values.data_type()) {
                    let ticks = strict(&values, &DataType::Int64)?;
                    let a_second = per_second(*unit) as f64;
                    let seconds: Float64Array = ticks.as_primitive::<Int64Type>().unary(|ticks| ticks as f64 / a_second);
                    return given(Arc::new(seconds), args.return_field.data_type(), &durations);
                }
                // As in PostgreSQL, five days and six hours have the hour 6: the engine counts all hours.
                let intervals: ArrayRef = Arc::new(days_and_time(&values, &field)?);
                let mut args = args;
                args.arg_fields[1] = Arc::new(field.as_ref().clone().with_data_type(intervals.data_type().clone()));
                args.args[1] = ColumnarValue::Array(intervals);
                args.number_rows = values.len();
                let result = args.return_field.data_type().clone();
                let parts = self.engine.invoke_with_args(args)?.to_array(values.len())?;
                given(parts, &result, &durations)
            }
            (What::Series, moments) => {
                for moments in moments {
                    if let DataType::Timestamp(unit, zone) = moments.data_type()
                        && unit != TimeUnit::Nanosecond
                    {
                        strict(&moments.to_array(1)?, &DataType::Timestamp(TimeUnit::Nanosecond, zone))
                            .map_err(|_| no_series())?;
                    }
                }
                self.engine.invoke_with_args(args)
            }
            _ => self.engine.invoke_with_args(args),
        }
    }
}

impl Far {
    /// Moments cut to a part of the calendar: by the engine, but for those that are far.
    fn truncated(&self, mut args: ScalarFunctionArgs) -> Result<ColumnarValue> {
        let [ColumnarValue::Scalar(part), moments] = &args.args[..] else {
            return self.engine.invoke_with_args(args);
        };
        let (DataType::Timestamp(unit, zone), Some(Some(part))) = (moments.data_type(), part.try_as_str()) else {
            return self.engine.invoke_with_args(args);
        };
        let (asked, values) = (moments.clone(), moments.to_array(1)?);
        let ticks = strict(&values, &DataType::Int64)?;
        let ticks = ticks.as_primitive::<Int64Type>();
        let are_far: BooleanArray = ticks
            .iter()
            .map(|ticks| Some(ticks.is_some_and(|ticks| is_far(ticks, unit))))
            .collect();
        let Some(part) = Part::read(part).filter(|_| are_far.true_count() > 0) else {
            return self.engine.invoke_with_args(args);
        };
        let zone: Option<Tz> = zone.as_ref().map(|zone| zone.parse()).transpose()?;
        let cut = |ticks| {
            part.truncated(ticks, unit, zone)
                .ok_or_else(|| beyond(&args.arg_fields[1], ticks))
        };
        let far: Int64Array = ticks
            .iter()
            .map(|ticks| ticks.filter(|ticks| is_far(*ticks, unit)).map(cut).transpose())
            .collect::<Result<_>>()?;
        let result = args.return_field.data_type().clone();
        let far = strict(&(Arc::new(far) as ArrayRef), &result)?;
        args.args[1] = ColumnarValue::Array(nullif(&values, &are_far)?);
        args.number_rows = values.len();
        let near = self.engine.invoke_with_args(args)?.into_array(values.len())?;
        given(zip(&are_far, &far, &near)?, &result, &asked)
    }
}

/// An answer in its type, for one value where one was asked about.
fn given(array: ArrayRef, result: &DataType, asked: &ColumnarValue) -> Result<ColumnarValue> {
    let array = strict(&array, result)?;
    Ok(match asked {
        ColumnarValue::Scalar(_) => ColumnarValue::Scalar(ScalarValue::try_from_array(&array, 0)?),
        ColumnarValue::Array(_) => ColumnarValue::Array(array),
    })
}

/// Durations in days and what is left of the last.
fn days_and_time(durations: &ArrayRef, field: &FieldRef) -> Result<IntervalMonthDayNanoArray> {
    let DataType::Duration(unit) = durations.data_type() else {
        return internal_err!("{} is no duration", durations.data_type());
    };
    let a_second = per_second(*unit);
    let ticks = strict(durations, &DataType::Int64)?;
    ticks.as_primitive::<Int64Type>().try_unary(|ticks| {
        let days = i32::try_from(ticks / (86_400 * a_second)).map_err(|_| beyond(field, ticks))?;
        let rest = ticks % (86_400 * a_second) * (1_000_000_000 / a_second);
        Ok(IntervalMonthDayNano::new(0, days, rest))
    })
}

fn beyond(field: &FieldRef, ticks: i64) -> DataFusionError {
    let message = format!("{ticks} of {} is out of the years that can be computed with", field.name());
    to_datafusion(Error::new(ErrorKind::Statement, message).hint("leave such rows out by a condition"))
}

fn no_series() -> DataFusionError {
    let message = "a series of moments is computed in nanoseconds, which hold the years 1677 to 2262 only";
    let hint = "a series of dates takes every year: range(DATE '1600-01-01', DATE '1601-01-01', interval '1 day')";
    to_datafusion(Error::new(ErrorKind::Statement, message).hint(hint))
}

/// Whether a moment, or the year that it is in, may be out of what nanoseconds hold.
fn is_far(ticks: i64, unit: TimeUnit) -> bool {
    // The beginnings of 1679 and 2261.
    let seconds = ticks.div_euclid(per_second(unit));
    unit != TimeUnit::Nanosecond && !(-9_183_110_400..9_183_110_400).contains(&seconds)
}

/// What is cut off behind.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Part {
    Year,
    Quarter,
    Month,
    Week,
    Day,
    Hour,
    Minute,
    Second,
    Millisecond,
    Microsecond,
}

impl Part {
    fn read(text: &str) -> Option<Self> {
        Some(match text.to_ascii_lowercase().as_str() {
            "year" => Self::Year,
            "quarter" => Self::Quarter,
            "month" => Self::Month,
            "week" => Self::Week,
            "day" => Self::Day,
            "hour" => Self::Hour,
            "minute" => Self::Minute,
            "second" => Self::Second,
            "millisecond" => Self::Millisecond,
            "microsecond" => Self::Microsecond,
            _ => return None,
        })
    }

    /// The beginning of the part of the calendar that a moment is in; `None` beyond the calendar.
    fn truncated(self, ticks: i64, unit: TimeUnit, zone: Option<Tz>) -> Option<i64> {
        let a_second = per_second(unit);
        let (seconds, rest) = (ticks.div_euclid(a_second), ticks.rem_euclid(a_second));
        let nanoseconds = u32::try_from(rest * (1_000_000_000 / a_second)).ok()?;
        let utc = chrono::DateTime::from_timestamp(seconds, nanoseconds)?.naive_utc();
        let ahead = zone.map_or(0, |zone| zone.offset_from_utc_datetime(&utc).fix().local_minus_utc());
        let local = self.begin(utc.checked_add_signed(TimeDelta::seconds(ahead.into()))?)?;
        let utc = match zone {
            None => local,
            // Within an hour, the clock goes on as it does.
            Some(_) if self.is_within_a_day() => local.checked_sub_signed(TimeDelta::seconds(ahead.into()))?,
            Some(zone) => zone.from_local_datetime(&local).earliest()?.naive_utc(),
        };
        let seconds = utc.and_utc().timestamp().checked_mul(a_second)?;
        seconds.checked_add(i64::from(utc.nanosecond()) * a_second / 1_000_000_000)
    }

    fn is_within_a_day(self) -> bool {
        matches!(
            self,
            Self::Hour | Self::Minute | Self::Second | Self::Millisecond | Self::Microsecond
        )
    }

    fn begin(self, moment: NaiveDateTime) -> Option<NaiveDateTime> {
        let (date, time) = (moment.date(), moment.time());
        let first = |month| NaiveDate::from_ymd_opt(date.year(), month, 1);
        let day = match self {
            Self::Year => first(1)?,
            Self::Quarter => first(1)?.checked_add_months(Months::new(date.month0() / 3 * 3))?,
            Self::Month => first(date.month())?,
            Self::Week => date.checked_sub_signed(TimeDelta::days(date.weekday().num_days_from_monday().into()))?,
            _ => date,
        };
        let nanosecond = time.nanosecond();
        let time = match self {
            Self::Hour => NaiveTime::from_hms_opt(time.hour(), 0, 0)?,
            Self::Minute => NaiveTime::from_hms_opt(time.hour(), time.minute(), 0)?,
            Self::Second => time.with_nanosecond(0)?,
            Self::Millisecond => time.with_nanosecond(nanosecond / 1_000_000 * 1_000_000)?,
            Self::Microsecond => time.with_nanosecond(nanosecond / 1_000 * 1_000)?,
            _ => NaiveTime::MIN,
        };
        Some(day.and_time(time))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn moments_of_every_year_are_cut_by_the_calendar() {
        let berlin: Tz = "Europe/Berlin".parse().unwrap();
        for (moment, part, zone, begin) in [
            ("9999-12-31T23:59:59.999", Part::Year, None, "9999-01-01T00:00:00"),
            ("9999-12-31T23:59:59.999", Part::Quarter, None, "9999-10-01T00:00:00"),
            ("9999-12-31T23:59:59.999", Part::Month, None, "9999-12-01T00:00:00"),
            ("9999-12-31T23:59:59.999", Part::Week, None, "9999-12-27T00:00:00"),
            ("9999-12-31T23:59:59.999", Part::Minute, None, "9999-12-31T23:59:00"),
            ("9999-12-31T23:59:59.999", Part::Millisecond, None, "9999-12-31T23:59:59.999"),
            ("1600-02-29T12:30:00", Part::Month, None, "1600-02-01T00:00:00"),
            ("1600-02-29T12:30:00", Part::Hour, None, "1600-02-29T12:00:00"),
            ("0001-01-01T00:00:00", Part::Year, None, "0001-01-01T00:00:00"),
            ("2500-06-30T23:30:00", Part::Day, Some(berlin), "2500-06-30T23:00:00"),
        ] {
            let ticks = |text: &str| text.parse::<NaiveDateTime>().unwrap().and_utc().timestamp_millis();
            let found = part.truncated(ticks(moment), TimeUnit::Millisecond, zone);
            assert_eq!(found, Some(ticks(begin)), "{moment} {part:?}");
        }
        assert_eq!(Part::Year.truncated(i64::MAX, TimeUnit::Millisecond, None), None);
    }
}
