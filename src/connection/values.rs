//! What was written: the value of each option that somebody set, and who set it.
//!
//! Values are checked one by one, against their own row of the registry. What they mean together is not known here.
//!
//! # Precedence
//!
//! Connection string, then environment (`JSMQL_<NAME>`), then profile, then default, option by option. `JSMQL_CONNECTION` takes the
//! place of an empty connection string as a whole: merged into another one it would send the credentials of one site to the other.
//! For the same reason it is not read beside a profile, and only one of them may name the site.

use super::option::{OptionRow, Status};
use super::registry::row;
use super::secret::Secret;
use super::sources::{SecretPlace, Source, Value, Written, pairs, profile, variables};
use crate::error::{Error, ErrorKind, Result};

/// All options that somebody set, at most once each, every value in canonical spelling.
#[derive(Debug, Clone)]
pub(super) struct OptionValues(Vec<Set>);

/// An option that somebody set, its value in canonical spelling.
#[derive(Debug, Clone)]
struct Set {
    row: &'static OptionRow,
    value: Secret,
    source: Source,
}

/// What options come from besides the connection string and the environment.
pub(crate) struct Kept<'k> {
    /// A profile: its name and its pairs.
    pub(crate) profile: Option<(String, Vec<(String, Secret)>)>,
    /// Gets a secret from where it is kept; asked only for options that count.
    pub(crate) secret: &'k dyn Fn(&SecretPlace) -> Result<Secret>,
    /// Options of the server, whatever else was written.
    pub(crate) fixed: &'k [(&'static str, &'static str)],
}

impl Kept<'_> {
    /// No profile, and secrets only where they are written out.
    pub(super) const NOTHING: Kept<'static> = Kept {
        profile: None,
        secret: &|_| {
            Err(Error::new(ErrorKind::Unsupported, "secrets kept elsewhere cannot be read here").hint("write the secret out"))
        },
        fixed: &[],
    };
}

impl OptionValues {
    /// Reads the connection string and the environment.
    #[cfg(test)]
    pub(super) fn read(text: &str, environment: impl IntoIterator<Item = (String, String)>) -> Result<Self> {
        Self::read_with(text, environment, Kept::NOTHING)
    }

    /// Reads the connection string, the environment, and what is kept.
    pub(super) fn read_with(text: &str, environment: impl IntoIterator<Item = (String, String)>, kept: Kept<'_>) -> Result<Self> {
        let environment = variables(environment)?;
        let mut written = match environment.whole {
            Some((whole, source)) if text.trim().is_empty() && kept.profile.is_none() => pairs(whole.expose(), source)?,
            _ => pairs(text, Source::ConnectionString)?,
        };
        for option in environment.single {
            if !written.iter().any(|known| known.row.name == option.row.name) {
                written.push(option);
            }
        }
        if let Some((name, pairs)) = kept.profile {
            for option in profile(&name, pairs)? {
                match written.iter().find(|known| known.row.name == option.row.name) {
                    None => written.push(option),
                    Some(other) if option.row.name == "URL" => {
                        let message = format!("URL is set by {} and by {}", other.source, option.source);
                        return Err(Error::new(ErrorKind::Option, message)
                            .hint("a profile signs in to its own site only: leave out one of them"));
                    }
                    Some(_) => {}
                }
            }
        }
        let resolved = written.into_iter().map(|option| resolved(option, kept.secret));
        let values = resolved.map(|option| option.and_then(checked)).collect::<Result<_>>()?;
        Self(values).with(kept.fixed, &Source::Server)
    }

    /// The same values, with these in place of what was written.
    pub(super) fn with(&self, pairs: &[(&'static str, &str)], source: &Source) -> Result<Self> {
        let others = |set: &&Set| !pairs.iter().any(|(name, _)| *name == set.row.name);
        let mut values: Vec<Set> = self.0.iter().filter(others).cloned().collect();
        for (name, value) in pairs {
            values.push(checked(Set {
                row: row(name),
                value: Secret::from(*value),
                source: source.clone(),
            })?);
        }
        Ok(Self(values))
    }

    /// The value of the option, which may be its default.
    pub(super) fn text(&self, name: &'static str) -> &str {
        match self.written(name) {
            Some(written) => written.value.expose(),
            None => row(name).default,
        }
    }

    /// The value of the option, unless it is empty.
    pub(super) fn filled(&self, name: &'static str) -> Option<&str> {
        Some(self.text(name)).filter(|text| !text.is_empty())
    }

    /// The value of a Boolean option.
    pub(super) fn boolean(&self, name: &'static str) -> bool {
        self.text(name) == "true"
    }

    /// The value of an integer option, unless it is negative.
    pub(super) fn integer(&self, name: &'static str) -> Option<u64> {
        self.text(name).parse().ok()
    }

    /// Whether somebody set the option, be it to nothing.
    pub(super) fn is_written(&self, name: &'static str) -> bool {
        self.written(name).is_some()
    }

    /// Whether the option has another value than its default.
    pub(super) fn differs(&self, name: &'static str) -> bool {
        self.text(name) != row(name).default
    }

    /// Who set the option.
    pub(super) fn source(&self, name: &'static str) -> &Source {
        self.written(name).map_or(&Source::Default, |written| &written.source)
    }

    fn written(&self, name: &'static str) -> Option<&Set> {
        self.0.iter().find(|written| written.row.name == name)
    }
}

/// The option with its value in canonical spelling; an error if the value is wrong, or the option is not for use.
fn checked(set: Set) -> Result<Set> {
    let Set { row, value, source } = set;
    let canonical = row.canonical(value.expose());
    // Whether the value of an option not for use is well written helps nobody, so its status goes first.
    let obstacle = match row.status {
        _ if canonical.as_deref() == Ok(row.default) => None,
        Status::Works => None,
        Status::Refused(reason) => Some(format!("{} cannot be set: {reason}", row.name)),
    };
    if let Some(message) = obstacle {
        return Err(Error::new(ErrorKind::Unsupported, message).hint(format!("leave it out ({source})")));
    }
    let value = canonical.map_err(|reason| {
        let error = Error::new(ErrorKind::Option, format!("{} {reason}", row.name));
        match row.default {
            "" => error.hint(format!("it is set by: {source}")),
            default => error.hint(format!("it is set by: {source}; leave it out for the default, {default}")),
        }
    })?;
    let value = value.into();
    Ok(Set { row, value, source })
}

/// The option with its value, got from where it is kept.
fn resolved(written: Written, secret: &dyn Fn(&SecretPlace) -> Result<Secret>) -> Result<Set> {
    let Written { row, value, source } = written;
    let value = match value {
        Value::Text(text) => text,
        // Connection strings travel in documents and workbooks; opening one must not run programs.
        Value::Kept(SecretPlace::Command(_)) if source == Source::ConnectionString => {
            let message = format!(
                "{}Command is set in the connection string, which must not run programs",
                row.name
            );
            return Err(
                Error::new(ErrorKind::Option, message).hint(format!("set it in a profile, or in {}_COMMAND", row.variable()))
            );
        }
        Value::Kept(place) => secret(&place).map_err(|error| {
            let kind = error.kind();
            let hint = error
                .hint_text()
                .map_or_else(|| format!("it is set by: {source}"), str::to_owned);
            Error::new(kind, format!("{} cannot be got: {}", row.name, error.message())).hint(hint)
        })?,
    };
    Ok(Set { row, value, source })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(text: &str, environment: &[(&str, &str)]) -> Result<OptionValues> {
        OptionValues::read(
            text,
            environment.iter().map(|(name, value)| (name.to_string(), value.to_string())),
        )
    }

    #[test]
    fn the_stronger_source_wins() {
        let environment = [
            ("JSMQL_TIMEOUT", "5"),
            ("JSMQL_AUTH_SCHEME", "basic"),
            ("HOME", "/x"),
            ("JSMQL_LOG", "debug"),
        ];
        let values = read("max rows=7; TIMEOUT=6", &environment).unwrap();
        assert_eq!(values.text("Timeout"), "6");
        assert_eq!(values.source("Timeout"), &Source::ConnectionString);
        assert_eq!(values.text("AuthScheme"), "Basic");
        assert_eq!(values.source("AuthScheme").to_string(), "JSMQL_AUTH_SCHEME");
        assert_eq!(values.integer("MaxRows"), Some(7));
        assert_eq!(values.integer("MaxConcurrency"), Some(8));
        assert_eq!(values.source("MaxConcurrency"), &Source::Default);
        assert_eq!(values.filled("User"), None);
        assert!(!values.is_written("User"));
    }

    #[test]
    fn a_whole_string_in_the_environment_is_not_merged() {
        let environment = [
            ("JSMQL_CONNECTION", "Timeout=1;MaxRows=1"),
            ("JSMQL_MAXROWS", "2"),
            ("JSMQL_MAXREQUESTS", "3"),
        ];
        let values = read(" ", &environment).unwrap();
        assert_eq!(
            (values.text("Timeout"), values.text("MaxRows"), values.text("MaxRequests")),
            ("1", "1", "3")
        );
        assert_eq!(values.source("Timeout").to_string(), "JSMQL_CONNECTION");
        let values = read("Pushdown=off", &environment).unwrap();
        assert_eq!(
            (values.text("Timeout"), values.text("MaxRows"), values.boolean("Pushdown")),
            ("60", "2", false)
        );
    }

    #[test]
    fn an_option_not_for_use_says_so_unless_it_has_its_default() {
        for (text, fragment, hint) in [
            ("AutoCache=yes", "CREATE TABLE temp.x AS SELECT", "leave it out"),
            ("RTK=canary", "RTK cannot be set: jsmql needs no licence key", "leave it out"),
            ("PoolMaxSize=5", "use MaxConcurrency", "leave it out"),
            ("Location=/canary", "name their folder in SchemaDir", "leave it out"),
        ] {
            let error = read(text, &[]).unwrap_err();
            assert_eq!(error.kind(), ErrorKind::Unsupported, "{text}");
            assert!(error.message().contains(fragment), "{text}: {error}");
            assert!(error.hint_text().unwrap().contains(hint), "{text}: {:?}", error.hint_text());
            assert!(!format!("{error:?}").contains("canary"), "{error:?}");
        }
        let defaults = "AutoCache=False;InitiateOAuth=off;OAuthVersion=2.0;RTK=;PoolMaxSize=0100;SSLClientCertType=PFXFILE;\
            SSL Client Cert Subject=*;FirewallType=none;ProxyPort=80;Verbosity=1;MaxLogFileSize=100MB;SupportEnhancedSQL=true";
        assert!(read(defaults, &[]).is_ok());
    }

    #[test]
    fn a_wrong_value_names_option_and_source() {
        let error = read("", &[("JSMQL_TIMEOUT", "canary")]).unwrap_err();
        assert_eq!(error.to_string(), "Timeout must be a whole number from 0 to 86400");
        assert_eq!(
            error.hint_text(),
            Some("it is set by: JSMQL_TIMEOUT; leave it out for the default, 60")
        );
    }
}
