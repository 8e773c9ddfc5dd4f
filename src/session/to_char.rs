//! `to_char` with the patterns of PostgreSQL beside those of strftime, which the engine knows alone: to it, `YYYY-MM` is a text like any other.
//!
//! A pattern with `%` is strftime's. Letters that neither knows are an error, and never a text on every row.

use std::sync::Arc;

use chrono::format::{Item, StrftimeItems};
use chrono::{Offset, TimeZone};
use datafusion::arrow::array::timezone::Tz;
use datafusion::arrow::array::{Array, ArrayRef, AsArray, StringArray};
use datafusion::arrow::compute::cast;
use datafusion::arrow::datatypes::{DataType, TimeUnit, TimestampMicrosecondType};
use datafusion::arrow::temporal_conversions::timestamp_us_to_datetime;
use datafusion::error::{DataFusionError, Result};
use datafusion::functions::datetime;
use datafusion::logical_expr::{ColumnarValue, ScalarFunctionArgs, ScalarUDF, ScalarUDFImpl, Signature};

use super::pattern::Pattern;
use crate::error::{Error, ErrorKind};
use crate::table::to_datafusion;

/// The function, in place of the engine's.
pub(super) fn function() -> ScalarUDF {
    ScalarUDF::from(ToChar(datetime::to_char()))
}

/// The engine's function, for strftime's patterns.
#[derive(Debug, PartialEq, Eq, Hash)]
struct ToChar(Arc<ScalarUDF>);

impl ScalarUDFImpl for ToChar {
    fn name(&self) -> &str {
        self.0.name()
    }

    fn aliases(&self) -> &[String] {
        self.0.aliases()
    }

    fn signature(&self) -> &Signature {
        self.0.signature()
    }

    fn return_type(&self, types: &[DataType]) -> Result<DataType> {
        self.0.return_type(types)
    }

    fn invoke_with_args(&self, args: ScalarFunctionArgs) -> Result<ColumnarValue> {
        let [value, pattern] = &args.args[..] else {
            return self.0.invoke_with_args(args);
        };
        let patterns = pattern.to_array(1)?;
        let texts = cast(&patterns, &DataType::Utf8)?;
        let texts = texts.as_string::<i32>();
        let is_ours = texts
            .iter()
            .flatten()
            .map(|pattern| !pattern.contains('%'))
            .collect::<Vec<_>>();
        // What takes time has forms of its own, and the engine writes it the same way whatever else the pattern says.
        if matches!(value.data_type(), DataType::Duration(_) | DataType::Interval(_)) {
            return match texts.iter().flatten().find(|pattern| !is_form_of_durations(pattern)) {
                Some(pattern) => Err(of_durations(pattern)),
                None => self.0.invoke_with_args(args),
            };
        }
        match is_ours.iter().filter(|ours| **ours).count() {
            0 => {
                texts.iter().flatten().try_for_each(known)?;
                self.0.invoke_with_args(args)
            }
            ours if ours == is_ours.len() => {
                let is_scalar = args.args.iter().all(|arg| matches!(arg, ColumnarValue::Scalar(_)));
                let values = value.to_array(args.number_rows)?;
                let written: ArrayRef = Arc::new(write(&values, texts)?);
                match is_scalar {
                    true => Ok(ColumnarValue::Scalar(datafusion::common::ScalarValue::try_from_array(
                        &written, 0,
                    )?)),
                    false => Ok(ColumnarValue::Array(written)),
                }
            }
            _ => {
                let error = Error::new(ErrorKind::Statement, "to_char: some patterns are strftime's and some are not");
                Err(to_datafusion(error.hint("write all of them with %, as in %Y-%m")))
            }
        }
    }
}

/// Moments by the patterns, of which there is one, or one for each.
fn write(values: &ArrayRef, patterns: &StringArray) -> Result<StringArray> {
    let zone = match values.data_type() {
        DataType::Timestamp(_, zone) => zone.clone(),
        _ => None,
    };
    let is_time = matches!(values.data_type(), DataType::Time32(_) | DataType::Time64(_));
    let ticks = match is_time {
        // A time of the day is one of the first day.
        true => &cast(&cast(values, &DataType::Time64(TimeUnit::Microsecond))?, &DataType::Int64)?,
        false => values,
    };
    let moments = cast(ticks, &DataType::Timestamp(TimeUnit::Microsecond, zone.clone()))?;
    let moments = moments.as_primitive::<TimestampMicrosecondType>();
    let zone: Option<Tz> = zone.map(|zone| zone.parse()).transpose()?;
    let mut last: Option<(&str, Pattern)> = None;
    let mut written = Vec::with_capacity(moments.len());
    for (row, moment) in moments.iter().enumerate() {
        let at = if patterns.len() == 1 { 0 } else { row };
        let (Some(moment), true) = (moment, patterns.is_valid(at)) else {
            written.push(None);
            continue;
        };
        let text = patterns.value(at);
        if last.as_ref().is_none_or(|(known, _)| *known != text) {
            let pattern = Pattern::read(text).map_err(|letters| unknown(&letters, text))?;
            if is_time && !pattern.is_of_a_day() {
                return Err(of_times(text));
            }
            last = Some((text, pattern));
        }
        let utc = timestamp_us_to_datetime(moment)
            .ok_or_else(|| DataFusionError::Execution(format!("to_char: no calendar reaches {moment} µs")))?;
        let ahead = zone.map_or(0, |zone| zone.offset_from_utc_datetime(&utc).fix().local_minus_utc());
        let local = utc + chrono::TimeDelta::seconds(ahead.into());
        written.push(last.as_ref().map(|(_, pattern)| pattern.write(local, ahead)));
    }
    Ok(StringArray::from(written))
}

/// Checks a pattern of strftime.
fn known(pattern: &str) -> Result<()> {
    match StrftimeItems::new(pattern).any(|item| item == Item::Error) {
        true => Err(unknown("%", pattern)),
        false => Ok(()),
    }
}

/// What the engine knows of forms for durations: `5 days 6 hours`, `PT453787.5S`.
fn is_form_of_durations(pattern: &str) -> bool {
    ["pretty", "iso8601"].iter().any(|form| form.eq_ignore_ascii_case(pattern))
}

fn of_durations(pattern: &str) -> DataFusionError {
    let message = format!("to_char writes moments, and what takes time only as 'pretty' or 'ISO8601', not as '{pattern}'");
    to_datafusion(
        Error::new(ErrorKind::Unsupported, message).hint(
            "compute what is to be seen: extract(epoch FROM resolved - created) / 3600, extract(hour FROM resolved - created)",
        ),
    )
}

fn of_times(pattern: &str) -> DataFusionError {
    let message = format!("a time of the day has no date for the pattern '{pattern}'");
    to_datafusion(Error::new(ErrorKind::Statement, message).hint("write hours, minutes and seconds: HH24:MI:SS"))
}

fn unknown(letters: &str, pattern: &str) -> DataFusionError {
    let message = format!("to_char does not know {letters} in the pattern '{pattern}'");
    to_datafusion(Error::new(ErrorKind::Statement, message).hint(
        "write it as PostgreSQL does, with other text in double quotes: YYYY-MM-DD\"T\"HH24:MI:SS; or as strftime: %Y-%m-%dT%H:%M:%S",
    ))
}
