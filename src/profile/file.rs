//! The file of profiles, `config.toml`, as it is read.

use std::fs::File;
use std::path::PathBuf;

use toml_edit::{DocumentMut, Item, Table};
use zeroize::Zeroizing;

use super::folder;
use crate::connection::{OptionRow, Secret};
use crate::error::{Error, ErrorKind, Result};

/// The profiles that are kept: a table for each in `[profiles]`, options by their names.
#[derive(Debug)]
pub(crate) struct Profiles {
    pub(super) path: PathBuf,
    pub(super) document: DocumentMut,
    /// Whether others may read the file.
    pub(super) open: bool,
}

impl Profiles {
    /// Reads the file that JSMQL_CONFIG names, or else `config.toml` in the user's configuration folder. It need not exist.
    pub(crate) fn load() -> Result<Self> {
        let named = std::env::var_os("JSMQL_CONFIG").filter(|path| !path.is_empty());
        let path = match named {
            Some(path) => PathBuf::from(path),
            None => folder().map(|folder| folder.join("config.toml")).ok_or_else(|| {
                Error::new(ErrorKind::Option, "there is no home folder with profiles").hint("set HOME, or JSMQL_CONFIG to a file")
            })?,
        };
        Self::at(path)
    }

    fn at(path: PathBuf) -> Result<Self> {
        let failed = |what: String| Error::new(ErrorKind::Option, format!("{}: {what}", path.display()));
        let (text, open) = match File::open(&path) {
            Err(error) if error.kind() == std::io::ErrorKind::NotFound => (String::new(), false),
            Err(error) => return Err(failed(format!("cannot be read: {error}"))),
            Ok(file) => {
                let open = is_open(&file);
                (contents(file).map_err(|why| failed(format!("cannot be read: {why}")))?, open)
            }
        };
        let document = text.parse::<DocumentMut>().map_err(|error| {
            // Only where it is: the text itself may be a secret.
            let line = error
                .span()
                .map_or(0, |span| text[..span.start.min(text.len())].lines().count().max(1));
            failed(format!("line {line} is no TOML")).hint("values stand in quotation marks: User = \"ann@acme.example\"")
        })?;
        Ok(Self { path, document, open })
    }

    pub(super) fn table(&self, name: &str) -> Option<&Table> {
        self.document.get("profiles")?.as_table()?.get(name)?.as_table()
    }

    /// The names, in the order of the file, each with its URL.
    pub(crate) fn list(&self) -> Vec<(String, String)> {
        let Some(all) = self.document.get("profiles").and_then(Item::as_table) else {
            return Vec::new();
        };
        let named = all.iter().filter_map(|(name, item)| Some((name, item.as_table()?)));
        named
            .map(|(name, table)| {
                let url = table
                    .iter()
                    .find(|(key, _)| OptionRow::find(key).is_some_and(|row| row.name == "URL"));
                (
                    name.to_owned(),
                    url.and_then(|(_, item)| item.as_str()).unwrap_or_default().to_owned(),
                )
            })
            .collect()
    }

    /// The options of a profile, `${VARIABLE}` replaced by the environment.
    pub(crate) fn pairs(&self, name: &str) -> Result<Vec<(String, Secret)>> {
        let table = self.table(name).ok_or_else(|| self.absent(name))?;
        let mut pairs = Vec::new();
        for (key, item) in table {
            let wrong = |what: &str| Error::new(ErrorKind::Option, format!("profile {name}: {key} {what}"));
            let text = match item.as_value() {
                Some(toml_edit::Value::String(text)) => text.value().clone(),
                Some(toml_edit::Value::Integer(number)) => number.value().to_string(),
                Some(toml_edit::Value::Boolean(flag)) => flag.value().to_string(),
                _ => return Err(wrong("is neither text, number nor true or false").hint("write it in quotation marks")),
            };
            let secret = OptionRow::find(key).is_some_and(|row| row.secret);
            if secret && self.open && !text.starts_with("${") {
                return Err(Error::new(
                    ErrorKind::Option,
                    format!(
                        "other users may read {}, and the profile {name} holds {key}",
                        self.path.display()
                    ),
                )
                .hint(format!(
                    "chmod 600 {}; or keep the secret elsewhere with {key}Command or {key}File",
                    self.path.display()
                )));
            }
            pairs.push((
                key.to_owned(),
                expanded(&text, |name| std::env::var(name).ok())
                    .map_err(|variable| {
                        wrong(&format!("names the environment variable {variable}, which is not set"))
                            .hint(format!("set {variable}"))
                    })?
                    .into(),
            ));
        }
        Ok(pairs)
    }

    pub(super) fn absent(&self, name: &str) -> Error {
        let names: Vec<_> = self.list().into_iter().map(|(name, _)| name).collect();
        Error::new(
            ErrorKind::Option,
            format!("there is no profile {name} in {}", self.path.display()),
        )
        .hint(match names.is_empty() {
            true => format!("add one: jsmql profile add {name} --connection 'URL=…;User=…'"),
            false => format!("the profiles are: {}", names.join(", ")),
        })
    }
}

fn is_open(file: &File) -> bool {
    #[cfg(unix)]
    {
        use std::os::unix::fs::PermissionsExt;
        file.metadata()
            .is_ok_and(|metadata| metadata.permissions().mode() & 0o077 != 0)
    }
    #[cfg(not(unix))]
    {
        let _ = file;
        false
    }
}

/// The text with each `${NAME}` replaced. The error is the name of a variable that is not set.
fn expanded(text: &str, variable: impl Fn(&str) -> Option<String>) -> Result<String, String> {
    let mut result = String::new();
    let mut rest = text;
    while let Some(start) = rest.find("${") {
        let Some(end) = rest[start..].find('}') else { break };
        let name = &rest[start + 2..start + end];
        result += &rest[..start];
        result += &variable(name).ok_or_else(|| name.to_owned())?;
        rest = &rest[start + end + 1..];
    }
    Ok(result + rest)
}

fn contents(mut file: File) -> Result<String, String> {
    let mut bytes = Zeroizing::new(Vec::new());
    std::io::Read::read_to_end(&mut file, &mut bytes).map_err(|error| error.to_string())?;
    Ok(super::text::decoded(&bytes)?.to_string())
}

#[cfg(test)]
mod tests {
    use super::super::change::Change;
    use super::*;
    use crate::connection::ConnectionString;
    use crate::connection::{Connection, Kept};

    fn shown(pairs: &[(String, Secret)]) -> Vec<String> {
        pairs.iter().map(|(key, value)| format!("{key}={}", value.expose())).collect()
    }

    #[test]
    fn variables_are_replaced() {
        let variable = |name: &str| (name == "A").then(|| "1".to_owned());
        for (text, expected) in [
            ("x${A}y${A}", Ok("x1y1")),
            ("$A {A} ${A", Ok("$A {A} ${A")),
            ("${B}", Err("B")),
        ] {
            let found = expanded(text, variable);
            assert_eq!(found.as_deref().map_err(String::as_str), expected, "{text}");
        }
    }

    #[test]
    fn profiles_are_added_changed_and_deleted() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("sub/config.toml");
        let parse = |text: &str| ConnectionString::parse(text).unwrap();
        let mut profiles = Profiles::at(path.clone()).unwrap();
        let string = parse("url=https://jira.example.net;apitoken=t;MaxRows=5");
        profiles.change("acme", &string, Change::Add).unwrap();
        assert!(
            profiles
                .change("acme", &string, Change::Add)
                .unwrap_err()
                .message()
                .contains("already")
        );
        std::fs::write(&path, std::fs::read_to_string(&path).unwrap() + "# kept\n").unwrap();
        let mut profiles = Profiles::at(path.clone()).unwrap();
        profiles.change("acme", &parse("Api Token=u;MaxRows="), Change::Edit).unwrap();
        let profiles = Profiles::at(path.clone()).unwrap();
        assert_eq!(profiles.list(), [("acme".to_owned(), "https://jira.example.net".to_owned())]);
        assert_eq!(
            shown(&profiles.pairs("acme").unwrap()),
            ["URL=https://jira.example.net", "APIToken=u"]
        );
        assert!(std::fs::read_to_string(&path).unwrap().contains("# kept"));
        let mut profiles = profiles;
        for name in ["", "a/b", "a:b", " a"] {
            assert!(profiles.change(name, &string, Change::Add).is_err(), "{name}");
        }
        assert!(
            profiles
                .change("other", &string, Change::Edit)
                .unwrap_err()
                .hint_text()
                .unwrap()
                .contains("acme")
        );
        profiles.delete("acme").unwrap();
        assert!(profiles.delete("acme").is_err() && profiles.list().is_empty());
    }

    #[cfg(unix)]
    #[test]
    fn a_secret_in_a_file_for_all_is_refused() {
        use std::os::unix::fs::PermissionsExt;
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("config.toml");
        std::fs::write(
            &path,
            "[profiles.a]\nURL = \"https://a.example\"\nAPIToken = \"c4n4ry\"\n[profiles.b]\nMaxRows = 5\n",
        )
        .unwrap();
        std::fs::set_permissions(&path, std::fs::Permissions::from_mode(0o644)).unwrap();
        let profiles = Profiles::at(path.clone()).unwrap();
        let error = profiles.pairs("a").unwrap_err();
        assert!(error.message().contains("other users may read") && !format!("{error:?}").contains("c4n4ry"));
        assert_eq!(shown(&profiles.pairs("b").unwrap()), ["MaxRows=5"]);
        std::fs::write(&path, "[profiles.a]\nAPIToken = c4n4ry\n").unwrap();
        let error = Profiles::at(path).unwrap_err();
        assert!(
            error.message().contains("line 2 is no TOML") && !format!("{error:?}").contains("c4n4ry"),
            "{error:?}"
        );
    }

    #[test]
    fn a_profile_is_weaker_than_string_and_environment() {
        let kept = |pairs: &[(&str, &str)]| Kept {
            profile: Some((
                "acme".into(),
                pairs
                    .iter()
                    .map(|(key, value)| (key.to_string(), Secret::from(*value)))
                    .collect(),
            )),
            secret: &|place| Ok(format!("{place:?}").into()),
            fixed: &[],
        };
        let profile = [
            ("URL", "https://jira.example.net"),
            ("APITokenCommand", "pass"),
            ("MaxRows", "1"),
            ("Timeout", "1"),
        ];
        let environment = [
            ("JSMQL_MAXROWS", "2"),
            ("JSMQL_CONNECTION", "URL=https://other.example;PAT=x"),
        ];
        let environment = || environment.iter().map(|(name, value)| (name.to_string(), value.to_string()));
        let connection = Connection::parse_with("Timeout=3", environment(), kept(&profile)).unwrap();
        assert_eq!(connection.site().as_str(), "https://jira.example.net/");
        assert_eq!(
            (connection.max_rows(), connection.timeout().map(|time| time.as_secs())),
            (Some(2), Some(3))
        );
        assert_eq!(connection.profile(), Some("acme"));
        let state = connection.options().find(|state| state.row.name == "APIToken").unwrap();
        assert_eq!(
            (state.value.as_str(), state.source.to_string().as_str()),
            ("***", "profile acme")
        );
        for (text, message) in [
            (
                "URL=https://evil.example",
                "URL is set by connection string and by profile acme",
            ),
            ("APITokenCommand=evil", "must not run programs"),
        ] {
            let error = Connection::parse_with(text, environment(), kept(&profile)).unwrap_err();
            assert!(error.message().contains(message), "{error}");
        }
    }
}
