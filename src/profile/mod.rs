//! What the user keeps about connections: profiles, and secrets in files, programs, variables and the keyring.
//!
//! The edge of [`Connection`], which itself reads nothing: files and programs are opened here, and only for options that count.

#[cfg(any(test, feature = "shell"))]
mod change;
mod file;
mod folder;
pub(crate) mod keyring;
mod secret;
pub(crate) mod text;

#[cfg(feature = "shell")]
pub(crate) use change::Change;
pub(crate) use file::Profiles;
pub(crate) use folder::folder;

use crate::connection::{Connection, Kept};
use crate::error::{Error, ErrorKind, Result};

/// Reads a connection: from `text`, the environment, and the profile `name`, or else that of the variable JSMQL_PROFILE.
pub(crate) fn connection(text: &str, name: Option<&str>) -> Result<Connection> {
    read(text, name, &[])
}

/// Reads a connection from the same places, for clients that bring their own accounts: it signs in as nobody, and what names an account
/// is refused.
#[cfg(all(feature = "shell", feature = "flight"))]
pub(crate) fn without_account(text: &str, name: Option<&str>) -> Result<Connection> {
    read(text, name, &[("AuthScheme", "Anonymous")])
}

fn read(text: &str, name: Option<&str>, fixed: &[(&'static str, &'static str)]) -> Result<Connection> {
    let text_of =
        |(name, value): (std::ffi::OsString, std::ffi::OsString)| Some((name.into_string().ok()?, value.into_string().ok()?));
    let environment: Vec<(String, String)> = std::env::vars_os().filter_map(text_of).collect();
    let variable = |wanted: &str| environment.iter().find(|(known, value)| known == wanted && !value.is_empty());
    let name = match (name, variable("JSMQL_PROFILE")) {
        (Some(name), _) => Some(name.to_owned()),
        // A connection string names a site of its own; the profile is for when none is given.
        (None, Some((_, name))) if text.trim().is_empty() => {
            if variable("JSMQL_CONNECTION").is_some() {
                return Err(
                    Error::new(ErrorKind::Option, "JSMQL_PROFILE and JSMQL_CONNECTION are both set").hint("unset one of them"),
                );
            }
            Some(name.clone())
        }
        _ => None,
    };
    let profile = match name {
        Some(name) => {
            let pairs = Profiles::load()?.pairs(&name)?;
            Some((name, pairs))
        }
        None => None,
    };
    Connection::parse_with(
        text,
        environment,
        Kept {
            profile,
            secret: &secret::get,
            fixed,
        },
    )
}
