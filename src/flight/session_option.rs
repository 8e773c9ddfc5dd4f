//! The options of a session that its client may read and set.
//!
//! The messages are those of Flight's own protocol, which the crate of Flight does not have yet.

use std::collections::HashMap;
use std::time::Duration;

use super::client::Client;
use crate::session::listing::{CATALOG, PUBLIC};

/// `SetSessionOptionsRequest`.
#[derive(Clone, PartialEq, prost::Message)]
pub(super) struct SetRequest {
    #[prost(map = "string, message", tag = "1")]
    pub(super) options: HashMap<String, OptionValue>,
}

/// `SetSessionOptionsResult`: the options that could not be set.
#[derive(Clone, PartialEq, prost::Message)]
pub(super) struct SetResult {
    #[prost(map = "string, message", tag = "1")]
    pub(super) errors: HashMap<String, SetError>,
}

/// Why an option could not be set.
#[derive(Clone, PartialEq, prost::Message)]
pub(super) struct SetError {
    #[prost(enumeration = "Reason", tag = "1")]
    pub(super) reason: i32,
}

/// `SetSessionOptionsResult.ErrorValue`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, prost::Enumeration)]
#[repr(i32)]
pub(super) enum Reason {
    Unspecified = 0,
    InvalidName = 1,
    InvalidValue = 2,
    Error = 3,
}

/// `GetSessionOptionsResult`.
#[derive(Clone, PartialEq, prost::Message)]
pub(super) struct GetResult {
    #[prost(map = "string, message", tag = "1")]
    pub(super) options: HashMap<String, OptionValue>,
}

/// `CloseSessionResult`.
#[derive(Clone, PartialEq, prost::Message)]
pub(super) struct CloseResult {
    #[prost(enumeration = "SessionEnd", tag = "1")]
    pub(super) status: i32,
}

/// `CloseSessionResult.Status`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, prost::Enumeration)]
#[repr(i32)]
pub(super) enum SessionEnd {
    Unspecified = 0,
    Closed = 1,
    Closing = 2,
    NotCloseable = 3,
}

/// `SessionOptionValue`; without a value the option is set back.
#[derive(Clone, PartialEq, prost::Message)]
pub(super) struct OptionValue {
    #[prost(oneof = "Value", tags = "1, 2, 3, 4, 5")]
    pub(super) value: Option<Value>,
}

/// What an option may be.
#[derive(Clone, PartialEq, prost::Oneof)]
pub(super) enum Value {
    #[prost(string, tag = "1")]
    Text(String),
    #[prost(bool, tag = "2")]
    Flag(bool),
    #[prost(sfixed64, tag = "3")]
    Integer(i64),
    #[prost(double, tag = "4")]
    Number(f64),
    #[prost(message, tag = "5")]
    Texts(Texts),
}

/// `SessionOptionValue.StringListValue`.
#[derive(Clone, PartialEq, prost::Message)]
pub(super) struct Texts {
    #[prost(string, repeated, tag = "1")]
    pub(super) values: Vec<String>,
}

/// Seconds that a statement may run; 0 is without end.
const TIMEOUT: &str = "statement_timeout";

/// The options as they are.
pub(super) fn get(client: &Client) -> GetResult {
    let seconds = client
        .time()
        .map_or(0, |time| i64::try_from(time.as_secs()).unwrap_or(i64::MAX));
    let options = [
        ("catalog", Value::Text(CATALOG.into())),
        ("schema", Value::Text(PUBLIC.into())),
        ("read_only", Value::Flag(client.session.connection().readonly())),
        (TIMEOUT, Value::Integer(seconds)),
    ];
    let options = options
        .into_iter()
        .map(|(name, value)| (name.to_owned(), OptionValue { value: Some(value) }));
    GetResult {
        options: options.collect(),
    }
}

/// Sets what can be set, and says what cannot.
pub(super) fn set(client: &Client, request: SetRequest) -> SetResult {
    let refused = request.options.into_iter().filter_map(|(name, option)| {
        let reason = set_one(client, &name, option.value).err()?;
        Some((name, SetError { reason: reason.into() }))
    });
    SetResult {
        errors: refused.collect(),
    }
}

fn set_one(client: &Client, name: &str, value: Option<Value>) -> Result<(), Reason> {
    let fixed = |known: &str| match &value {
        None => Ok(()),
        Some(Value::Text(text)) if text == known => Ok(()),
        Some(_) => Err(Reason::InvalidValue),
    };
    match name {
        // Other places are named in the statement.
        "catalog" => fixed(CATALOG),
        "schema" => fixed(PUBLIC),
        TIMEOUT => {
            let seconds = match value {
                None => {
                    client.reset_time();
                    return Ok(());
                }
                Some(Value::Integer(seconds)) => u64::try_from(seconds).ok(),
                Some(Value::Text(text)) => text.parse().ok(),
                Some(_) => None,
            };
            let seconds = seconds.ok_or(Reason::InvalidValue)?;
            let time = Some(Duration::from_secs(seconds)).filter(|time| !time.is_zero());
            if client.set_time(time) {
                Ok(())
            } else {
                Err(Reason::InvalidValue)
            }
        }
        "read_only" => Err(Reason::Error),
        _ => Err(Reason::InvalidName),
    }
}
