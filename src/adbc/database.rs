//! A database: which site, by whom. Connecting to it sends nothing, unless ConnectOnOpen says so.

use std::sync::Arc;

use adbc_core::error::{Result, Status};
use adbc_core::options::{OptionConnection, OptionDatabase, OptionValue};

use super::cancel::Execution;
use super::connection::Connection;
use super::engine::Engine;
use super::errors::{exported, out_of_order, with_status};
use super::options::{absent, optionable, text, unknown};
use crate::connection::{Connection as Checked, ConnectionString, OptionRow, check_names, is_cloud};
use crate::session::Session;

const URI: &str = "uri";
const USER: &str = "username";
const PASSWORD: &str = "password";
/// A connection that is kept under a name. Plain `profile` belongs to the driver managers, which have profiles of their own.
const PROFILE: &str = "jsmql.profile";
const PREFIX: &str = "jsmql.";

/// A database.
pub(super) struct Database {
    engine: Arc<Engine>,
    string: ConnectionString,
    profile: Option<String>,
    checked: Checked,
}

impl Database {
    /// Reads the options; everything that can be wrong with them is an error here.
    pub(super) fn open(options: impl IntoIterator<Item = (OptionDatabase, OptionValue)>) -> Result<Self> {
        let mut written: Vec<(String, String)> = Vec::new();
        for (key, value) in options {
            let key = key.as_ref().to_owned();
            let value = text(&key, value)?;
            written.push((key, value));
        }
        // They come from a hash table; the first error should not be a matter of chance.
        written.sort();
        let mut take = |wanted: &str| {
            let at = written.iter().position(|(key, _)| key == wanted)?;
            Some(written.remove(at).1).filter(|value| !value.is_empty())
        };
        let (uri, user, password, profile) = (take(URI), take(USER), take(PASSWORD), take(PROFILE));
        let mut string = ConnectionString::read(uri.as_deref().unwrap_or_default()).map_err(exported)?;
        for (key, value) in written {
            string.push(name(&key)?, value).map_err(exported)?;
        }
        if let Some(user) = user {
            string.push("User", user).map_err(exported)?;
        }
        if let Some(password) = password {
            let secret = password_option(&string);
            string.push(secret, password).map_err(exported)?;
        }
        let checked = checked(&string, profile.as_deref())?;
        Ok(Self {
            engine: Engine::start()?,
            string,
            profile,
            checked,
        })
    }

    fn set(&mut self, key: &str, _: OptionValue) -> Result<()> {
        if ![URI, USER, PASSWORD, PROFILE].contains(&key) {
            name(key)?;
        }
        Err(out_of_order(
            &format!("the option {key} cannot be changed once the database is initialised"),
            "open another database",
        ))
    }

    fn get(&self, key: &str) -> Result<OptionValue> {
        let name = match key {
            URI => "URL",
            USER => "User",
            PROFILE => return self.profile.clone().map(OptionValue::String).ok_or_else(|| absent(key)),
            other => other.strip_prefix(PREFIX).unwrap_or(other),
        };
        let row = OptionRow::find(name).ok_or_else(|| absent(key))?;
        // A secret is `***` here.
        let state = self.checked.options().find(|state| state.row.name == row.name);
        state.map(|state| OptionValue::String(state.value)).ok_or_else(|| absent(key))
    }
}

optionable!(Database, OptionDatabase);

impl adbc_core::Database for Database {
    type ConnectionType = Connection;

    fn new_connection(&self) -> Result<Connection> {
        self.new_connection_with_opts([])
    }

    fn new_connection_with_opts(&self, options: impl IntoIterator<Item = (OptionConnection, OptionValue)>) -> Result<Connection> {
        let options: Vec<_> = options.into_iter().collect();
        let wants = |(key, value): &(OptionConnection, OptionValue)| {
            *key == OptionConnection::ReadOnly && bool::try_from(value).is_ok_and(|wanted| wanted)
        };
        let read_only = options.iter().any(wants) && !self.checked.readonly();
        let checked = if read_only {
            let mut string = ConnectionString::default();
            for (key, value) in self.string.pairs().filter(|(key, _)| !is_readonly(key)) {
                string.push(key, value.clone()).map_err(exported)?;
            }
            string.push("Readonly", "true").map_err(exported)?;
            checked(&string, self.profile.as_deref())?
        } else {
            self.checked.clone()
        };
        let session = self.engine.within(|| Session::open(checked)).map_err(exported)?;
        let opening = Execution::default();
        self.engine.wait(&opening, session.greet()).map_err(exported)?;
        let mut connection = Connection::new(self.engine.clone(), session);
        for (key, value) in options {
            connection.set(key.as_ref(), value)?;
        }
        Ok(connection)
    }
}

fn checked(string: &ConnectionString, profile: Option<&str>) -> Result<Checked> {
    crate::profile::connection(string.to_text().expose(), profile).map_err(exported)
}

fn is_readonly(key: &str) -> bool {
    OptionRow::find(key).is_some_and(|row| row.name == "Readonly")
}

/// The name of the option that a key means.
fn name(key: &str) -> Result<&str> {
    let name = key.strip_prefix(PREFIX).unwrap_or(key);
    let mut string = ConnectionString::default();
    string.push(name, "").map_err(|_| unknown(key))?;
    // The specification has one code for all options that a driver does not know.
    check_names(&string).map_err(|error| with_status(exported(error), Status::NotImplemented))?;
    Ok(name)
}

/// The option that `password` means: ADBC has one name for every secret, and Atlassian Cloud takes no passwords.
fn password_option(string: &ConnectionString) -> &'static str {
    let value = |name: &str| {
        let mut pairs = string.pairs();
        pairs.find_map(|(key, value)| (OptionRow::find(key)?.name == name).then(|| value.expose().trim().to_lowercase()))
    };
    let cloud = || {
        value("URL")
            .and_then(|url| url::Url::parse(&url).ok())
            .is_some_and(|url| is_cloud(&url))
    };
    match value("AuthScheme").as_deref() {
        Some("apitoken" | "api token" | "pat") => "APIToken",
        None | Some("" | "auto") if cloud() => "APIToken",
        _ => "Password",
    }
}

#[cfg(test)]
#[allow(clippy::unwrap_used, reason = "a test may fail")]
mod tests {
    use adbc_core::error::Error;

    use super::*;

    fn open(options: &[(&str, &str)]) -> Result<Database> {
        Database::open(
            options
                .iter()
                .map(|(key, value)| (OptionDatabase::from(*key), OptionValue::from(*value))),
        )
    }

    fn refused(options: &[(&str, &str)]) -> Error {
        open(options).err().unwrap()
    }

    fn value(database: &Database, key: &str) -> String {
        match database.get(key).unwrap() {
            OptionValue::String(text) => text,
            other => panic!("{other:?}"),
        }
    }

    #[test]
    fn options_are_those_of_the_registry_and_the_names_of_adbc() {
        let database = open(&[
            ("uri", "jsm://acme.atlassian.net?MaxRows=7"),
            ("username", "ann@acme.example"),
            ("password", "canary"),
            ("jsmql.MaxRequests", "9"),
            ("timeout", "5"),
        ])
        .unwrap();
        assert_eq!(value(&database, "uri"), "https://acme.atlassian.net/");
        assert_eq!(value(&database, "username"), "ann@acme.example");
        assert_eq!(
            (value(&database, "MaxRows"), value(&database, "jsmql.max_requests")),
            ("7".into(), "9".into())
        );
        assert_eq!(
            (value(&database, "Timeout"), value(&database, "APIToken")),
            ("5".into(), "***".into())
        );
        assert_eq!(database.checked.scheme_text(), "APIToken (inferred from User and APIToken)");
        let server = open(&[
            ("URL", "https://jira.acme.example"),
            ("username", "ann"),
            ("password", "canary"),
        ])
        .unwrap();
        assert!(
            server.checked.scheme_text().starts_with("Basic"),
            "{}",
            server.checked.scheme_text()
        );
    }

    #[test]
    fn wrong_options_have_the_codes_of_the_specification_and_show_no_value() {
        let url = ("URL", "https://acme.atlassian.net");
        for (options, status, says) in [
            (&[url, ("Uesr", "canary")][..], Status::NotImplemented, "did you mean User?"),
            (&[url, ("adbc.nonsense", "canary")], Status::NotImplemented, "adbc.nonsense"),
            (
                &[url, ("MaxRows", "canary")],
                Status::InvalidArguments,
                "MaxRows must be a whole number",
            ),
            (
                &[("uri", "jsm://acme.atlassian.net?URL=canary")],
                Status::InvalidArguments,
                "URL is set twice",
            ),
            (&[("uri", "canary")], Status::InvalidArguments, "has no `=`"),
            (&[("username", "ann")], Status::InvalidArguments, "URL"),
            (&[url, ("a=b", "canary")], Status::NotImplemented, "the name given"),
        ] {
            let error = refused(options);
            assert_eq!(error.status, status, "{error}");
            assert!(error.message.contains(says) && !error.message.contains("canary"), "{error}");
        }
        let bytes = Database::open([(OptionDatabase::from("URL"), OptionValue::from(&b"x"[..]))])
            .err()
            .unwrap();
        assert_eq!(bytes.status, Status::InvalidArguments);
        let mut database = open(&[url, ("AuthScheme", "Anonymous")]).unwrap();
        assert_eq!(database.set("MaxRows", "1".into()).unwrap_err().status, Status::InvalidState);
        assert_eq!(
            database.set("nonsense", "1".into()).unwrap_err().status,
            Status::NotImplemented
        );
        assert_eq!(database.get("nonsense").unwrap_err().status, Status::NotFound);
    }
}
