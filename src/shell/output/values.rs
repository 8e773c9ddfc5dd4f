//! Values as text: which of them have one, and how moments in a zone are written.
//!
//! arrow's formatters write an error, or `<invalid>`, in the place of a value that they cannot show, and JSON's has no way to fail. So a
//! batch is looked through before it is written in any format of text: a value without a text is an error of the statement.

use arrow::array::{Array, ArrayRef, AsArray, Int64Array, RecordBatch, StringArray, StringBuilder};
use arrow::compute::{cast, max, min};
use arrow::datatypes::{DataType, Field, Int64Type, TimeUnit};
use arrow::error::ArrowError;
use arrow::util::display::{ArrayFormatter, ArrayFormatterFactory, DisplayIndex, FormatOptions, FormatResult};
use chrono::{DateTime, TimeDelta, Utc};

use crate::error::{Error, ErrorKind, Result};
use crate::session::exit::quoted;
use crate::session::ticks::per_second;

const SECONDS_OF_DAY: i64 = 86_400;
/// The last seconds that have a date in every zone: years go from -262142 to 262141.
const FIRST: i64 = DateTime::<Utc>::MIN_UTC.timestamp() + 2 * SECONDS_OF_DAY;
const LAST: i64 = DateTime::<Utc>::MAX_UTC.timestamp() - 2 * SECONDS_OF_DAY;

/// Checks that every value of the rows has a text.
///
/// # Errors
/// One has none. The message names its column, the hint a cast.
pub(super) fn check(batch: &RecordBatch) -> Result<()> {
    for (field, column) in batch.schema_ref().fields().iter().zip(batch.columns()) {
        if let Some((number, kind)) = without_text(column.as_ref()) {
            let message = format!(
                "a value of the column {} cannot be written as text: {number} of {kind}",
                field.name()
            );
            let name = quoted(field.name());
            return Err(
                Error::new(ErrorKind::Statement, message).hint(match field.data_type().is_nested() {
                    true => format!("leave such values out of {name}, or write the rows to a Parquet or Arrow file"),
                    false => format!("write CAST({name} AS BIGINT) for the number, or leave such rows out"),
                }),
            );
        }
    }
    Ok(())
}

/// A value that has no text, as the number that it is, and its type.
fn without_text(values: &dyn Array) -> Option<(i64, DataType)> {
    let inner = |values: &ArrayRef, offsets: &[i32]| {
        let (first, last) = (*offsets.first()? as usize, *offsets.last()? as usize);
        without_text(&values.slice(first, last - first))
    };
    let kind = values.data_type();
    match kind {
        DataType::List(_) => {
            let list = values.as_list::<i32>();
            inner(list.values(), list.value_offsets())
        }
        DataType::Map(..) => {
            let map = values.as_map();
            inner(map.keys(), map.value_offsets()).or_else(|| inner(map.values(), map.value_offsets()))
        }
        DataType::FixedSizeList(..) => without_text(values.as_fixed_size_list().values()),
        DataType::Struct(_) => values.as_struct().columns().iter().find_map(|column| without_text(column)),
        DataType::Union(members, _) => {
            let union = values.as_union();
            members.iter().find_map(|(id, _)| without_text(union.child(id)))
        }
        kind => {
            let (least, most) = range(kind)?;
            let numbers = cast(values, &DataType::Int64).ok()?;
            let numbers = numbers.as_primitive::<Int64Type>();
            let ends = [min(numbers), max(numbers)];
            let outside = ends.into_iter().flatten().find(|number| !(least..=most).contains(number))?;
            Some((outside, kind.clone()))
        }
    }
}

/// The numbers of a type of time that have a text. None: all have.
fn range(kind: &DataType) -> Option<(i64, i64)> {
    let date = |per_second: i64| (FIRST.saturating_mul(per_second), LAST.saturating_mul(per_second));
    let limits = match kind {
        DataType::Date32 => (FIRST / SECONDS_OF_DAY, LAST / SECONDS_OF_DAY),
        DataType::Timestamp(unit, _) => date(per_second(*unit)),
        DataType::Time32(unit) | DataType::Time64(unit) => (0, SECONDS_OF_DAY * per_second(*unit) - 1),
        DataType::Duration(TimeUnit::Second) => (TimeDelta::MIN.num_seconds(), TimeDelta::MAX.num_seconds()),
        DataType::Duration(TimeUnit::Millisecond) => (TimeDelta::MIN.num_milliseconds(), TimeDelta::MAX.num_milliseconds()),
        _ => return None,
    };
    Some(limits)
}

/// The values of a column as texts.
pub(super) fn texts(values: &ArrayRef) -> Result<StringArray, ArrowError> {
    if let Some(texts) = values.as_string_opt::<i32>() {
        return Ok(texts.clone());
    }
    // An error inside of a value would be shown in its place.
    let options = FormatOptions::new()
        .with_display_error(false)
        .with_formatter_factory(Some(&Moments));
    let formatter = match Moments.create_array_formatter(values.as_ref(), &options, None)? {
        Some(formatter) => formatter,
        None => ArrayFormatter::try_new(values.as_ref(), &options)?,
    };
    let nulls = values.logical_nulls();
    let mut texts = StringBuilder::new();
    for row in 0..values.len() {
        if nulls.as_ref().is_some_and(|nulls| nulls.is_null(row)) {
            texts.append_null();
        } else {
            formatter.value(row).write(&mut texts)?;
            texts.append_value("");
        }
    }
    Ok(texts.finish())
}

/// Writes moments in a zone with the offset that the zone has then.
#[derive(Debug)]
struct Moments;

impl ArrayFormatterFactory for Moments {
    fn create_array_formatter<'formatter>(
        &self,
        array: &'formatter dyn Array,
        options: &FormatOptions<'formatter>,
        _: Option<&'formatter Field>,
    ) -> Result<Option<ArrayFormatter<'formatter>>, ArrowError> {
        let DataType::Timestamp(unit, Some(zone)) = array.data_type() else {
            return Ok(None);
        };
        let patterns = match zone.as_ref() {
            "UTC" | "Etc/UTC" | "Z" | "+00:00" => ["%FT%T%.3fZ", "%FT%T%.6fZ", "%FT%T%.9fZ"],
            _ => ["%FT%T%.3f%:z", "%FT%T%.6f%:z", "%FT%T%.9f%:z"],
        };
        let by_digits =
            patterns.map(|pattern| ArrayFormatter::try_new(array, &options.clone().with_timestamp_tz_format(Some(pattern))));
        let [milliseconds, microseconds, nanoseconds] = by_digits;
        let moments = MomentArray {
            numbers: cast(array, &DataType::Int64)?.as_primitive::<Int64Type>().clone(),
            per_second: per_second(*unit),
            milliseconds: milliseconds?,
            microseconds: microseconds?,
            nanoseconds: nanoseconds?,
        };
        Ok(Some(ArrayFormatter::new(Box::new(moments), options.safe())))
    }
}

/// Moments with three digits behind the second, or as many more as they have.
struct MomentArray<'a> {
    numbers: Int64Array,
    per_second: i64,
    milliseconds: ArrayFormatter<'a>,
    microseconds: ArrayFormatter<'a>,
    nanoseconds: ArrayFormatter<'a>,
}

impl DisplayIndex for MomentArray<'_> {
    fn write(&self, row: usize, to: &mut dyn std::fmt::Write) -> FormatResult {
        let rest = self.numbers.value(row) % self.per_second;
        let is_whole = |parts: i64| rest % (self.per_second / parts).max(1) == 0;
        let formatter = match (is_whole(1_000), is_whole(1_000_000)) {
            (true, _) => &self.milliseconds,
            (_, true) => &self.microseconds,
            _ => &self.nanoseconds,
        };
        Ok(formatter.value(row).write(to)?)
    }
}

#[cfg(test)]
#[allow(clippy::unwrap_used, reason = "a test may fail")]
mod tests {
    use std::sync::Arc;

    use arrow::array::{ListArray, TimestampMillisecondArray, TimestampNanosecondArray};
    use arrow::datatypes::TimestampMillisecondType;

    use super::*;

    #[test]
    fn moments_keep_their_zone_and_every_digit() {
        let text = |number: i64, zone: &str| {
            let column: ArrayRef = Arc::new(TimestampNanosecondArray::from(vec![number]).with_timezone(zone));
            texts(&column).unwrap().value(0).to_owned()
        };
        assert_eq!(text(0, "UTC"), "1970-01-01T00:00:00.000Z");
        assert_eq!(text(0, "America/New_York"), "1969-12-31T19:00:00.000-05:00");
        assert_eq!(text(80_000_000, "+05:30"), "1970-01-01T05:30:00.080+05:30");
        assert_eq!(text(1_000, "UTC"), "1970-01-01T00:00:00.000001Z");
        assert_eq!(text(-1, "UTC"), "1969-12-31T23:59:59.999999999Z");
        let column: ArrayRef = Arc::new(TimestampMillisecondArray::from(vec![Some(0), None]));
        let texts = texts(&column).unwrap();
        assert_eq!((texts.value(0), texts.is_null(1)), ("1970-01-01T00:00:00", true));
    }

    #[test]
    fn a_value_without_a_text_is_found_wherever_it_stands() {
        let checked = |column: ArrayRef| {
            let batch = RecordBatch::try_from_iter([("t", column)]).unwrap();
            check(&batch).map_err(|error| (error.to_string(), error.hint_text().unwrap_or_default().to_owned()))
        };
        let list = |values: Vec<Option<i64>>| ListArray::from_iter_primitive::<TimestampMillisecondType, _, _>([Some(values)]);
        assert_eq!(checked(Arc::new(list(vec![Some(0), None]))), Ok(()));
        let (message, hint) = checked(Arc::new(list(vec![Some(i64::MAX)]))).unwrap_err();
        assert_eq!(
            message,
            "a value of the column t cannot be written as text: 9223372036854775807 of Timestamp(ms)"
        );
        assert!(hint.contains("Parquet or Arrow"), "{hint}");
        // What a slice leaves out does not matter.
        let two = ListArray::from_iter_primitive::<TimestampMillisecondType, _, _>([Some([Some(0)]), Some([Some(i64::MIN)])]);
        assert_eq!(checked(Arc::new(two.slice(0, 1))), Ok(()));
        let (_, hint) = checked(Arc::new(TimestampMillisecondArray::from(vec![i64::MIN]))).unwrap_err();
        assert!(hint.contains("CAST(t AS BIGINT)"), "{hint}");
    }
}
