//! Where options are written: in a connection string, and in `JSMQL_` variables. Each text becomes options with their source.
//!
//! Names are resolved here, values are not looked at, and neither source knows the other.

use std::fmt;

use super::option::{OptionRow, normalise};
use super::parse::ConnectionString;
use super::registry::OPTIONS;
use super::secret::Secret;
use super::suggest::closest;
use crate::error::{Error, ErrorKind, Result};

/// What the environment variables of jsmql begin with.
pub(super) const PREFIX: &str = "JSMQL_";

/// Who set an option.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Source {
    /// Nobody.
    Default,
    /// The connection string handed over.
    ConnectionString,
    /// The environment variable of this name.
    Environment(String),
    /// The profile of this name.
    Profile(String),
    /// The login of a client of the server.
    Login,
    /// The server itself, whatever else was written.
    Server,
}

impl fmt::Display for Source {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Source::Default => f.write_str("default"),
            Source::ConnectionString => f.write_str("connection string"),
            Source::Environment(name) => f.write_str(name),
            Source::Profile(name) => write!(f, "profile {name}"),
            Source::Login => f.write_str("login"),
            Source::Server => f.write_str("server"),
        }
    }
}

/// An option that somebody set.
#[derive(Debug, Clone)]
pub(super) struct Written {
    pub(super) row: &'static OptionRow,
    pub(super) value: Value,
    pub(super) source: Source,
}

/// What was written for an option.
#[derive(Debug, Clone)]
pub(super) enum Value {
    /// The value. A secret whatever the option: a forgotten `;` puts the token into any other value.
    Text(Secret),
    /// Where a secret is kept.
    Kept(SecretPlace),
}

/// Where a secret is kept that is not written out: `APITokenFile`, `APITokenCommand` and so on, for every secret option.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum SecretPlace {
    /// The first line of a file.
    File(String),
    /// The first line that a program prints.
    Command(String),
    /// An environment variable.
    Variable(String),
    /// The keyring of the operating system.
    Keyring(String),
}

/// A secret option and where its value is kept, if `name` says so: the option's name with the place behind it.
fn kept(name: &str, value: &Secret) -> Option<(&'static OptionRow, SecretPlace)> {
    type Place = fn(String) -> SecretPlace;
    let places: [(&str, Place); 4] = [
        ("file", SecretPlace::File),
        ("command", SecretPlace::Command),
        ("variable", SecretPlace::Variable),
        ("keyring", SecretPlace::Keyring),
    ];
    let name = normalise(name);
    places.into_iter().find_map(|(suffix, place)| {
        let row = OptionRow::find(name.strip_suffix(suffix)?).filter(|row| row.secret)?;
        Some((row, place(value.expose().trim().to_owned())))
    })
}

/// The options of a profile, in its own spellings.
pub(super) fn profile(name: &str, pairs: Vec<(String, Secret)>) -> Result<Vec<Written>> {
    let mut options: Vec<Written> = Vec::new();
    for (key, value) in pairs {
        let option = written(&key, &value, &Source::Profile(name.to_owned()))
            .ok_or_else(|| unknown(&key, options.last()).hint(format!("it stands in the profile {name}")))?;
        if options.iter().any(|known| known.row.name == option.row.name) {
            return Err(twice(option.row, &format!("in the profile {name}")));
        }
        options.push(option);
    }
    Ok(options)
}

/// The option of this key, or where its value is kept. None: there is no such option.
fn written(key: &str, value: &Secret, source: &Source) -> Option<Written> {
    let (row, value) = match OptionRow::find(key) {
        Some(row) => (row, Value::Text(value.clone())),
        None => kept(key, value).map(|(row, place)| (row, Value::Kept(place)))?,
    };
    Some(Written {
        row,
        value,
        source: source.clone(),
    })
}

/// What the environment says.
pub(super) struct Environment {
    /// `JSMQL_CONNECTION`: a whole connection string, and the variable.
    pub(super) whole: Option<(Secret, Source)>,
    /// Options set one by one.
    pub(super) single: Vec<Written>,
}

/// The options of a connection string.
pub(super) fn pairs(text: &str, source: Source) -> Result<Vec<Written>> {
    let string = ConnectionString::read(text)?;
    let mut options: Vec<Written> = Vec::new();
    for (key, value) in string.pairs() {
        let Some(option) = written(key, value, &source) else {
            return Err(unknown(key, options.last()));
        };
        if options.iter().any(|known| known.row.name == option.row.name) {
            return Err(twice(option.row, "in the connection string"));
        }
        options.push(option);
    }
    Ok(options)
}

/// The `JSMQL_` variables of the environment.
pub(super) fn variables(environment: impl IntoIterator<Item = (String, String)>) -> Result<Environment> {
    let mut whole = None;
    let mut single: Vec<Written> = Vec::new();
    for (name, value) in environment {
        let value = Secret::from(value);
        if !name
            .get(..PREFIX.len())
            .is_some_and(|prefix| prefix.eq_ignore_ascii_case(PREFIX))
        {
            continue;
        }
        let rest = name[PREFIX.len()..].to_ascii_uppercase();
        if let Some(option) = written(&rest, &value, &Source::Environment(name.clone())) {
            if let Some(other) = single.iter().find(|known| known.row.name == option.row.name) {
                return Err(twice(option.row, &format!("in the environment: {} and {name}", other.source)));
            }
            single.push(option);
        } else if rest == "CONNECTION" {
            whole = Some((value, Source::Environment(name)));
        } else if !["LOG", "PROFILE", "CONFIG"].contains(&rest.as_str()) && !rest.starts_with("TEST_") {
            // Other programs own no JSMQL_ variable, so this is a slip; ignored, it would change what a statement does.
            let error = Error::new(
                ErrorKind::Option,
                format!("the environment variable {name} names no option of jsmql"),
            );
            return Err(match closest(&rest, names()).and_then(OptionRow::find) {
                Some(row) => error.hint(format!("did you mean {}?", row.variable())),
                None => error.hint("unset it; docs/options.md lists the options"),
            });
        }
    }
    Ok(Environment { whole, single })
}

fn twice(row: &OptionRow, place: &str) -> Error {
    let error = Error::new(ErrorKind::Option, format!("{} is set twice {place}", row.name));
    match row.aliases {
        [] => error.hint("keep one of them"),
        aliases => error.hint(format!("keep one of them; {} means {} too", aliases.join(" and "), row.name)),
    }
}

/// Every name of every option.
fn names() -> impl Iterator<Item = &'static str> {
    OPTIONS.iter().flat_map(OptionRow::names)
}

/// The error for a key that is no option.
///
/// The key may be no key: with `Password=a;b=c`, not quoted, it is a piece of the password. It is shown only where it looks like a
/// name and either resembles an option or does not follow a secret.
fn unknown(key: &str, previous: Option<&Written>) -> Error {
    let near = closest(key, names());
    let follows_secret = previous.filter(|previous| previous.row.secret);
    let like_a_name = key.len() <= 32
        && key
            .chars()
            .all(|c| c.is_ascii_alphanumeric() || matches!(c, ' ' | '_' | '-' | '.'));
    match (near, follows_secret) {
        (Some(near), _) if like_a_name => {
            Error::new(ErrorKind::Option, format!("{key} is not an option")).hint(format!("did you mean {near}?"))
        }
        (_, Some(previous)) => Error::new(
            ErrorKind::Option,
            format!("what follows {} is not an option", previous.row.name),
        )
        .hint("quote a value that contains `;`"),
        _ if like_a_name => {
            Error::new(ErrorKind::Option, format!("{key} is not an option")).hint("docs/options.md lists the options")
        }
        _ => Error::new(
            ErrorKind::Option,
            "the connection string holds something before `=` that is not an option",
        )
        .hint("write Key=value;…, and quote a value that contains `;`"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Both sources read on their own, up to the first error.
    fn read(text: &str, environment: &[(&str, &str)]) -> Result<()> {
        pairs(text, Source::ConnectionString)?;
        variables(environment.iter().map(|(name, value)| (name.to_string(), value.to_string()))).map(drop)
    }

    #[test]
    fn an_option_is_set_once() {
        for (text, environment, fragment) in [
            ("User=a;USER=b", &[][..], "User is set twice in the connection string"),
            ("APIToken=a;PAT=b", &[], "APIToken is set twice"),
            (
                "",
                &[("JSMQL_API_TOKEN", "a"), ("JSMQL_APITOKEN", "b")],
                "JSMQL_API_TOKEN and JSMQL_APITOKEN",
            ),
        ] {
            let error = read(text, environment).unwrap_err();
            assert!(error.message().contains(fragment), "{text}: {error}");
        }
    }

    #[test]
    fn an_unknown_name_is_an_error_with_a_suggestion() {
        for (text, environment, message, hint) in [
            ("Uesr=a", &[][..], "Uesr is not an option", "did you mean User?"),
            ("Colour=a", &[], "Colour is not an option", "docs/options.md"),
            ("APIToken=x;Urll=a", &[], "Urll is not an option", "did you mean URL?"),
            (
                "Password=x;canary=y",
                &[],
                "what follows Password is not an option",
                "quote a value",
            ),
            (
                "APIToken=x;canary'x=y",
                &[],
                "what follows APIToken is not an option",
                "quote a value",
            ),
            ("can/ary=y", &[], "something before `=`", "Key=value"),
            (
                "ATATT3xFfGcanarycanarycanarycanary=AB12",
                &[],
                "something before `=`",
                "Key=value",
            ),
            (
                "",
                &[("JSMQL_APITOKN", "canary")],
                "JSMQL_APITOKN names no option",
                "did you mean JSMQL_APITOKEN?",
            ),
            (
                "",
                &[("JSMQL_LOGFLIE", "canary")],
                "JSMQL_LOGFLIE names no option",
                "did you mean JSMQL_LOGFILE?",
            ),
            ("", &[("jsmql_colour", "canary")], "jsmql_colour names no option", "unset it"),
        ] {
            let error = read(text, environment).unwrap_err();
            assert!(error.message().contains(message), "{text}: {error}");
            assert!(error.hint_text().unwrap().contains(hint), "{text}: {:?}", error.hint_text());
            assert!(!format!("{error:?}").contains("canary"), "{error:?}");
        }
        assert!(
            read(
                "",
                &[("JSMQL_TEST_SITE", "x"), ("JSMQLX", "x"), ("JSMQ", "x"), ("日本語", "x")]
            )
            .is_ok()
        );
    }
}
