//! Options of handles: values as text, and the codes for what is not an option.

use adbc_core::error::{Error, Result, Status};
use adbc_core::options::OptionValue;

use super::errors::{invalid, missing, unsupported, with_status};

/// The value as text. Numbers are taken where an option is a number.
pub(super) fn text(key: &str, value: OptionValue) -> Result<String> {
    match value {
        OptionValue::String(text) => Ok(text),
        OptionValue::Int(number) => Ok(number.to_string()),
        _ => Err(invalid(
            format!("the value of the option {key} has the wrong type"),
            "give it as text",
        )),
    }
}

/// The value of a switch.
pub(super) fn switch(key: &str, value: OptionValue) -> Result<bool> {
    bool::try_from(&value).map_err(|_| invalid(format!("the option {key} is neither true nor false"), "give it as text"))
}

/// Setting an option that there is not.
pub(super) fn unknown(key: &str) -> Error {
    unsupported(
        &format!("{} is not an option that can be set here", shown(key)),
        "docs/options.md lists the options of a database, docs/adbc.md those of connections and statements",
    )
}

/// Reading an option that there is not.
pub(super) fn absent(key: &str) -> Error {
    missing(
        format!("{} is not an option that has a value here", shown(key)),
        "docs/options.md lists the options of a database, docs/adbc.md those of connections and statements",
    )
}

/// A key as it may be shown. One that does not look like a name may be a secret in the wrong place.
fn shown(key: &str) -> &str {
    let like_a_name = key.len() <= 64
        && key
            .chars()
            .all(|c| c.is_ascii_alphanumeric() || matches!(c, '.' | '_' | '-' | ' '));
    if like_a_name { key } else { "the name given" }
}

/// The number that a value is.
pub(super) fn integer(key: &str, value: OptionValue) -> Result<i64> {
    match value {
        OptionValue::Int(number) => Ok(number),
        OptionValue::String(text) => text.parse().map_err(|_| not_a_number(key)),
        _ => Err(not_a_number(key)),
    }
}

/// The number that a value is.
pub(super) fn double(key: &str, value: OptionValue) -> Result<f64> {
    match value {
        OptionValue::Double(number) => Ok(number),
        OptionValue::Int(number) => Ok(number as f64),
        OptionValue::String(text) => text.parse().map_err(|_| not_a_number(key)),
        _ => Err(not_a_number(key)),
    }
}

/// The value as text, whatever it is.
pub(super) fn shown_value(key: &str, value: OptionValue) -> Result<String> {
    match value {
        OptionValue::Double(number) => Ok(number.to_string()),
        value => text(key, value),
    }
}

fn not_a_number(key: &str) -> Error {
    with_status(
        invalid(format!("the value of the option {key} is no such number"), "read it as text"),
        Status::NotFound,
    )
}

/// Makes a handle `Optionable` by its methods `set` and `get`, which know the options by their keys.
macro_rules! optionable {
    ($handle:ty, $key:ty) => {
        impl adbc_core::Optionable for $handle {
            type Option = $key;

            fn set_option(&mut self, key: Self::Option, value: adbc_core::options::OptionValue) -> adbc_core::error::Result<()> {
                self.set(key.as_ref(), value)
            }

            fn get_option_string(&self, key: Self::Option) -> adbc_core::error::Result<String> {
                $crate::adbc::options::shown_value(key.as_ref(), self.get(key.as_ref())?)
            }

            fn get_option_bytes(&self, key: Self::Option) -> adbc_core::error::Result<Vec<u8>> {
                $crate::adbc::options::shown_value(key.as_ref(), self.get(key.as_ref())?).map(String::into_bytes)
            }

            fn get_option_int(&self, key: Self::Option) -> adbc_core::error::Result<i64> {
                $crate::adbc::options::integer(key.as_ref(), self.get(key.as_ref())?)
            }

            fn get_option_double(&self, key: Self::Option) -> adbc_core::error::Result<f64> {
                $crate::adbc::options::double(key.as_ref(), self.get(key.as_ref())?)
            }
        }
    };
}
pub(super) use optionable;
