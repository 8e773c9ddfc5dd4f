//! Profiles written: the file is changed so that comments and order stay. For the command line; a library only reads.

use std::path::Path;

use toml_edit::{Item, Table, value};

use super::Profiles;
use crate::connection::{ConnectionString, OptionRow};
use crate::error::{Error, ErrorKind, Result};

/// How a profile is written.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Change {
    /// It must not be there yet.
    Add,
    /// It must be there; options with empty values are taken out.
    Edit,
}

impl Profiles {
    /// The file.
    #[cfg(feature = "shell")]
    pub(crate) fn path(&self) -> &Path {
        &self.path
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

    /// Puts the new text in the place of the file, readable by its owner only.
    fn save(&mut self) -> Result<()> {
        let failed = |error: std::io::Error| Error::new(ErrorKind::Io, format!("cannot write {}: {error}", self.path.display()));
        let folder = self
            .path
            .parent()
            .filter(|folder| !folder.as_os_str().is_empty())
            .unwrap_or(Path::new("."));
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
