//! The file of profiles, `config.toml`: read, and changed so that comments and order stay.

use std::fs::File;
use std::path::PathBuf;

use toml_edit::{DocumentMut, Item, Table, value};

use super::folder;
use crate::connection::{ConnectionString, OptionRow, Secret};
use crate::error::{Error, ErrorKind, Result};

/// The profiles that are kept: a table for each in `[profiles]`, options by their names.
#[derive(Debug)]
pub(crate) struct Profiles {
    path: PathBuf,
    document: DocumentMut,
    /// Whether others may read the file.
    open: bool,
}

/// How a profile is written.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Change {
    /// It must not be there yet.
    Add,
    /// It must be there; options with empty values are taken out.
    Edit,
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
                (
                    std::io::read_to_string(file).map_err(|error| failed(format!("cannot be read: {error}")))?,
                    open,
                )
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

    /// The file.
    pub(crate) fn path(&self) -> &std::path::Path {
        &self.path
    }

    fn table(&self, name: &str) -> Option<&Table> {
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

    /// Writes the options of a connection string into a profile.
    pub(crate) fn change(&mut self, name: &str, options: &ConnectionString, change: Change) -> Result<()> {
        check_name(name)?;
        let exists = self.table(name).is_some();
        match (change, exists) {
            (Change::Add, true) => {
                return Err(Error::new(ErrorKind::Option, format!("there is a profile {name} already"))
                    .hint(format!("change it with jsmql profile edit {name}, or take another name")));
            }
            (Change::Edit, false) => return Err(self.absent(name)),
            _ => {}
        }
        let all = self.document.entry("profiles").or_insert_with(|| {
            let mut all = Table::new();
            all.set_implicit(true);
            Item::Table(all)
        });
        let table = all
            .as_table_mut()
            .and_then(|all| all.entry(name).or_insert(Item::Table(Table::new())).as_table_mut())
            .ok_or_else(|| {
                Error::new(ErrorKind::Option, "profiles is no table in the configuration file").hint("write [profiles.NAME]")
            })?;
        for (key, text) in options.pairs() {
            let own = OptionRow::find(key).map(|row| row.name);
            let same = |known: &str| known == key || (own.is_some() && OptionRow::find(known).map(|row| row.name) == own);
            let known: Vec<String> = table
                .iter()
                .map(|(known, _)| known.to_owned())
                .filter(|known| same(known))
                .collect();
            if text.expose().is_empty() && change == Change::Edit {
                for known in known {
                    table.remove(&known);
                }
                continue;
            }
            let key = known.into_iter().next().unwrap_or_else(|| own.unwrap_or(key).to_owned());
            table[&key] = value(text.expose());
        }
        self.save()
    }

    /// Removes a profile.
    pub(crate) fn delete(&mut self, name: &str) -> Result<()> {
        if self.table(name).is_none() {
            return Err(self.absent(name));
        }
        if let Some(all) = self.document.get_mut("profiles").and_then(Item::as_table_mut) {
            all.remove(name);
        }
        self.save()
    }

    fn absent(&self, name: &str) -> Error {
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

    /// Puts the new text in the place of the file, readable by its owner only.
    fn save(&mut self) -> Result<()> {
        let failed = |error: std::io::Error| Error::new(ErrorKind::Io, format!("cannot write {}: {error}", self.path.display()));
        let folder = self
            .path
            .parent()
            .filter(|folder| !folder.as_os_str().is_empty())
            .unwrap_or(std::path::Path::new("."));
        std::fs::create_dir_all(folder).map_err(failed)?;
        let mut file = tempfile::Builder::new()
            .prefix(".jsmql-config")
            .tempfile_in(folder)
            .map_err(failed)?;
        std::io::Write::write_all(&mut file, self.document.to_string().as_bytes()).map_err(failed)?;
        file.as_file().sync_all().map_err(failed)?;
        file.persist(&self.path).map_err(|error| failed(error.error))?;
        self.open = false;
        Ok(())
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

fn check_name(name: &str) -> Result<()> {
    if name.trim().is_empty() || name != name.trim() || name.contains(['/', ':']) || name.contains(char::is_control) {
        return Err(Error::new(
            ErrorKind::Option,
            "the name of a profile is empty, or holds `/`, `:` or outer white space",
        )
        .hint("take a short name such as acme or acme-test"));
    }
    Ok(())
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

#[cfg(test)]
mod tests {
    use super::*;
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
