//! One value on its way to the site: read out of an Arrow column, checked against what the schema says about its column.

use std::borrow::Cow;

use arrow::array::{Array, AsArray};
use arrow::datatypes::{Date32Type, Float64Type, Int64Type, TimestampMillisecondType};

use super::cell::Cell;
use crate::schema::{Column, Kind};

/// A value that was given; a column that was not given has none.
#[derive(Debug, Clone, PartialEq)]
pub(crate) enum Value {
    Null,
    Text(String),
    Boolean(bool),
    Bigint(i64),
    Double(f64),
    /// Milliseconds since 1970 in UTC.
    Timestamp(i64),
    /// Days since 1970.
    Date(i32),
    Json(String),
    List(Vec<String>),
}

impl Value {
    /// The value at `row` of an array that has the Arrow type of the column; the error says what is wrong with it.
    pub(crate) fn read(column: &Column, array: &dyn Array, row: usize) -> Result<Self, String> {
        if array.is_null(row) {
            return Ok(Self::Null);
        }
        let other = || format!("the values have the type {}", array.data_type());
        Ok(match column.kind {
            Kind::Text => Self::Text(array.as_string_opt::<i32>().ok_or_else(other)?.value(row).to_owned()),
            Kind::Json => Self::Json(array.as_string_opt::<i32>().ok_or_else(other)?.value(row).to_owned()),
            Kind::Boolean => Self::Boolean(array.as_boolean_opt().ok_or_else(other)?.value(row)),
            Kind::Bigint => Self::Bigint(array.as_primitive_opt::<Int64Type>().ok_or_else(other)?.value(row)),
            Kind::Double => Self::Double(array.as_primitive_opt::<Float64Type>().ok_or_else(other)?.value(row)),
            Kind::Timestamp => Self::Timestamp(
                array
                    .as_primitive_opt::<TimestampMillisecondType>()
                    .ok_or_else(other)?
                    .value(row),
            ),
            Kind::Date => Self::Date(array.as_primitive_opt::<Date32Type>().ok_or_else(other)?.value(row)),
            Kind::List => {
                let items = array.as_list_opt::<i32>().ok_or_else(other)?.value(row);
                let items = items.as_string_opt::<i32>().ok_or_else(other)?;
                if items.null_count() > 0 {
                    return Err("the list has a NULL".to_owned());
                }
                Self::List(items.iter().flatten().map(str::to_owned).collect())
            }
        })
    }

    /// Whether the site can be told of it at all; the error says why not.
    pub(crate) fn check(&self, column: &Column) -> Result<(), String> {
        let texts: Vec<&str> = match self {
            Self::Text(text) | Self::Json(text) => vec![text],
            Self::List(items) => items.iter().map(String::as_str).collect(),
            Self::Double(number) if !number.is_finite() => return Err(format!("{number} is no number that JSON can write")),
            _ => return Ok(()),
        };
        if matches!(self, Self::Json(_)) {
            serde_json::from_str::<serde::de::IgnoredAny>(texts[0]).map_err(|error| format!("the value is no JSON: {error}"))?;
        }
        for text in texts {
            if !column.one_of.is_empty() && !column.one_of.iter().any(|known| known == text) {
                return Err(format!(
                    "the value cannot be {}; it is one of {}",
                    quoted(text),
                    column.one_of.join(", ")
                ));
            }
            if !column.possible(text) {
                return Err(format!("the value cannot be {}", quoted(text)));
            }
            if let Some(most) = column.max_chars
                && text.chars().count() > most
            {
                return Err(format!(
                    "the value has {} characters; the site takes {most}",
                    text.chars().count()
                ));
            }
        }
        Ok(())
    }

    /// As text for paths, query parameters and keys; `None` for NULL and lists.
    pub(crate) fn text(&self) -> Option<Cow<'_, str>> {
        match self {
            Self::Text(text) | Self::Json(text) => Some(text.into()),
            Self::Boolean(value) => Some(value.to_string().into()),
            Self::Bigint(value) => Some(value.to_string().into()),
            Self::Double(value) => Some(value.to_string().into()),
            Self::Timestamp(_) | Self::Date(_) => self.instant().map(Cow::Owned),
            Self::Null | Self::List(_) => None,
        }
    }

    /// A point in time as the site writes it.
    pub(super) fn instant(&self) -> Option<String> {
        match self {
            Self::Timestamp(millis) => {
                let instant = chrono::DateTime::from_timestamp_millis(*millis)?;
                Some(instant.format("%Y-%m-%dT%H:%M:%S%.3f+0000").to_string())
            }
            Self::Date(days) => {
                let day = chrono::NaiveDate::default().checked_add_signed(chrono::TimeDelta::days(i64::from(*days)))?;
                Some(day.format("%Y-%m-%d").to_string())
            }
            _ => None,
        }
    }

    /// Fills the cell that the value would have been decoded into.
    pub(super) fn fill(&self, cell: &mut Cell) {
        cell.clear();
        match self {
            Self::Null => {}
            Self::Text(text) | Self::Json(text) => cell.set_text(text),
            Self::Boolean(value) => cell.set_boolean(*value),
            Self::Bigint(value) | Self::Timestamp(value) => cell.set_integer(*value),
            Self::Double(value) => cell.set_float(*value),
            Self::Date(days) => cell.set_integer(i64::from(*days)),
            Self::List(items) => cell.set_list().extend(items.iter().cloned().map(Some)),
        }
    }
}

pub(super) fn quoted(text: &str) -> String {
    let short: String = text.chars().take(40).collect();
    format!("{short:?}{}", if short.len() < text.len() { "…" } else { "" })
}
