//! Errors of the engine and of Arrow in words that help; those of our own pass through it whole.

use datafusion::arrow::error::ArrowError;
use datafusion::error::DataFusionError;

use crate::error::{Error, ErrorKind};

/// Into DataFusion's error; [`from_datafusion`] brings it back whole.
pub(crate) fn to_datafusion(error: Error) -> DataFusionError {
    DataFusionError::External(Box::new(error))
}

/// The way round for moments that nanoseconds do not hold.
const FAR: &str = "CAST(… AS TIMESTAMP), date_trunc and extract take every year; or leave such rows out by a condition";

/// Out of DataFusion's error: our own error if one is inside, else one made from the engine's message.
pub(crate) fn from_datafusion(error: DataFusionError) -> Error {
    if let DataFusionError::ResourcesExhausted(message) = error.find_root() {
        return Error::new(ErrorKind::Limit, message.clone()).hint("read fewer rows or columns, or allow more memory");
    }
    match error {
        DataFusionError::External(inner) => match inner.downcast::<Error>() {
            Ok(error) => *error,
            Err(inner) => match inner.downcast::<DataFusionError>() {
                Ok(error) => from_datafusion(*error),
                Err(inner) => Error::new(ErrorKind::Internal, inner.to_string()),
            },
        },
        DataFusionError::Context(_, inner) | DataFusionError::Diagnostic(_, inner) => from_datafusion(*inner),
        DataFusionError::ArrowError(error, _) => from_arrow(*error),
        DataFusionError::Shared(shared) => match shared.as_ref() {
            DataFusionError::External(inner) if inner.downcast_ref::<Error>().is_some() => {
                let error = inner.downcast_ref::<Error>().map(Error::again);
                error.unwrap_or_else(|| Error::new(ErrorKind::Internal, shared.to_string()))
            }
            _ => Error::new(ErrorKind::Statement, shared.to_string()),
        },
        DataFusionError::Execution(message) | DataFusionError::Plan(message)
            if message.contains("converted value exceeds the representable") =>
        {
            let what = message.split(": converted").next().unwrap_or(&message);
            Error::new(
                ErrorKind::Statement,
                format!("{what}: nanoseconds hold the years 1677 to 2262 only"),
            )
            .hint(FAR)
        }
        DataFusionError::Execution(message) if message.contains("represented as nanoseconds have to be between") => Error::new(
            ErrorKind::Statement,
            "this function takes moments of the years 1677 to 2262 only",
        )
        .hint(FAR),
        // The engine's own words, without the names of its layers.
        DataFusionError::Plan(message) | DataFusionError::Execution(message) => Error::new(ErrorKind::Statement, message),
        DataFusionError::SQL(error, _) => {
            let text = error.to_string();
            not_parsed(text.strip_prefix("sql parser error: ").unwrap_or(&text))
        }
        DataFusionError::SchemaError(error, _) => Error::new(ErrorKind::Statement, error.to_string()),
        error @ DataFusionError::NotImplemented(_) => Error::new(ErrorKind::Unsupported, error.strip_backtrace()),
        error @ (DataFusionError::Internal(_) | DataFusionError::ExecutionJoin(_)) => {
            Error::new(ErrorKind::Internal, error.strip_backtrace())
        }
        error => Error::new(ErrorKind::Statement, error.strip_backtrace()),
    }
}

/// Out of Arrow's error.
fn from_arrow(error: ArrowError) -> Error {
    match error {
        ArrowError::ExternalError(inner) => from_datafusion(DataFusionError::External(inner)),
        ArrowError::ArithmeticOverflow(what) => {
            let what = what.trim_start_matches("Overflow happened on: ").trim();
            let error = Error::new(ErrorKind::Statement, format!("{what} does not fit into its type"));
            error.hint("cast to a larger type, as in CAST(… AS DECIMAL(38, 0)), or leave such rows out by a condition")
        }
        ArrowError::DivideByZero => Error::new(ErrorKind::Statement, "something is divided by zero")
            .hint("nullif(…, 0) makes the quotient NULL: a / nullif(b, 0)"),
        ArrowError::CastError(message) | ArrowError::ParseError(message) => {
            unreadable(&message).unwrap_or_else(|| Error::new(ErrorKind::Statement, message))
        }
        other => Error::new(
            ErrorKind::Statement,
            DataFusionError::ArrowError(Box::new(other), None).strip_backtrace(),
        ),
    }
}

/// A text that is no value of a type, where Arrow's message says so.
fn unreadable(message: &str) -> Option<Error> {
    let statement = |what: String| Error::new(ErrorKind::Statement, what);
    if let Some((moment, _)) = (message.strip_prefix("Overflow converting ")).and_then(|rest| rest.split_once(" to Nanosecond."))
    {
        let error = statement(format!("{moment}: nanoseconds hold the years 1677 to 2262 only"));
        return Some(error.hint(format!("write no more than six digits of the second; {FAR}")));
    }
    let (value, kind) = match message.strip_prefix("Error parsing timestamp from '") {
        Some(rest) => (rest.rsplit_once("': ")?.0, "Timestamp"),
        None => {
            let rest = message.strip_prefix("Cannot cast ")?;
            let rest = rest.strip_prefix("string '").or_else(|| rest.strip_prefix("value '"))?;
            let (value, kind) = rest.rsplit_once("' to value of ")?;
            (value, kind.strip_suffix(" type")?)
        }
    };
    const TRY: &str = "TRY_CAST(… AS …) is NULL where a value cannot be read";
    let (kind, hint) = match kind {
        _ if kind.starts_with("Date") => (
            "date",
            "a date is '2026-10-31', with a year of four digits; with a time of day, write TIMESTAMP '2026-10-31 12:00:00'",
        ),
        _ if kind.starts_with("Timestamp") => (
            "timestamp",
            "a timestamp is '2026-10-31 12:00:00', with a year of four digits",
        ),
        _ if kind.starts_with("Time") => ("time", "a time is '12:00:00'"),
        _ if kind.starts_with("Int") || kind.starts_with("UInt") => ("whole number", TRY),
        _ if kind.starts_with("Float") || kind.starts_with("Decimal") => ("number", TRY),
        "Boolean" => ("boolean", TRY),
        other => (other, TRY),
    };
    Some(statement(format!("'{value}' cannot be read as a {kind}")).hint(hint))
}

/// A statement that cannot be parsed. A character that nobody sees is named.
fn not_parsed(message: &str) -> Error {
    let named = |c: char| match is_invisible(c) {
        true => format!("U+{:04X}", u32::from(c)),
        false => c.to_string(),
    };
    let error = Error::new(ErrorKind::Statement, message.chars().map(named).collect::<String>());
    match message.chars().any(is_invisible) {
        true => error.hint("this character cannot be seen, and belongs to no statement: write the line anew, or take it out"),
        false => error,
    }
}

/// Spaces that are none to the parser, and characters without a shape, as they come along when a text is copied.
fn is_invisible(c: char) -> bool {
    matches!(c, '\u{a0}' | '\u{ad}' | '\u{180e}' | '\u{2000}'..='\u{200f}' | '\u{2028}'..='\u{202f}' | '\u{205f}'..='\u{206f}' | '\u{3000}' | '\u{feff}')
        || c.is_control() && !matches!(c, '\n' | '\r' | '\t')
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_cannot_be_read_is_named_by_its_type_in_sql() {
        for (error, said, hint) in [
            (
                ArrowError::CastError("Cannot cast string '2026-10-20 12:00' to value of Date32 type".into()),
                "'2026-10-20 12:00' cannot be read as a date",
                "TIMESTAMP '2026",
            ),
            (
                ArrowError::CastError("Cannot cast string 'it's' to value of Int32 type".into()),
                "'it's' cannot be read as a whole number",
                "TRY_CAST",
            ),
            (
                ArrowError::CastError("Cannot cast value 'yes?' to value of Boolean type".into()),
                "'yes?' cannot be read as a boolean",
                "TRY_CAST",
            ),
            (
                ArrowError::CastError("Cannot cast string '25:00' to value of Time64(ns) type".into()),
                "'25:00' cannot be read as a time",
                "12:00:00",
            ),
            (
                ArrowError::ParseError("Error parsing timestamp from '51502-01-01': error parsing date".into()),
                "'51502-01-01' cannot be read as a timestamp",
                "four digits",
            ),
            (
                ArrowError::CastError("Overflow converting 9999-12-31 00:00:00.123456789 to Nanosecond. The dates …".into()),
                "9999-12-31 00:00:00.123456789: nanoseconds hold",
                "six digits",
            ),
        ] {
            let error = from_datafusion(DataFusionError::ArrowError(Box::new(error), None));
            assert!(error.message().starts_with(said), "{error}");
            assert!(error.hint_text().is_some_and(|given| given.contains(hint)), "{error}");
            assert_eq!(error.kind(), ErrorKind::Statement);
        }
        let other = ArrowError::ParseError("Invalid input syntax for type interval: \"x\"".into());
        let error = from_datafusion(DataFusionError::ArrowError(Box::new(other), None));
        assert_eq!(error.message(), "Invalid input syntax for type interval: \"x\"");
    }

    #[test]
    fn a_character_that_nobody_sees_is_named() {
        for (said, expected) in [
            ("found: \u{200b} at Line: 1", "found: U+200B at Line: 1"),
            ("found: \u{feff}SELECT", "found: U+FEFFSELECT"),
            ("found: größe at Line: 1", "found: größe at Line: 1"),
        ] {
            let error = not_parsed(said);
            assert_eq!(error.message(), expected);
            assert_eq!(error.hint_text().is_some(), said != expected);
        }
    }
}
