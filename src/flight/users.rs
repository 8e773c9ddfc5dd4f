//! Who may use a server that reads the site as its own account: names and passwords in a file.

use std::collections::HashMap;
use std::path::Path;

use super::handle::{Digest, digest};
use crate::error::{Error, ErrorKind, Result};

/// Names and passwords. Only digests are kept.
pub(super) struct Users(HashMap<String, Digest>);

impl Users {
    /// Reads a file with a `name:password` on each line; empty lines and those that begin with `#` are left out.
    pub(super) fn read(path: &Path) -> Result<Self> {
        let text = crate::profile::text::read(path).map_err(|error| {
            Error::new(ErrorKind::Io, format!("cannot read the users in {}: {error}", path.display()))
                .hint("write a file with one name:password on each line")
        })?;
        #[cfg(unix)]
        {
            use std::os::unix::fs::PermissionsExt;
            let open = std::fs::metadata(path).is_ok_and(|metadata| metadata.permissions().mode() & 0o077 != 0);
            if open {
                return Err(Error::new(
                    ErrorKind::Option,
                    format!("others can read the passwords in {}", path.display()),
                )
                .hint(format!("run chmod 600 {}", path.display())));
            }
        }
        Self::parse(&text)
    }

    fn parse(text: &str) -> Result<Self> {
        let mut users = HashMap::new();
        for (number, line) in (1..).zip(text.lines()) {
            let line = line.trim_end_matches('\r');
            if line.trim().is_empty() || line.starts_with('#') {
                continue;
            }
            // Not quoted: the whole line may be a password.
            let wrong = |what: &str| {
                Error::new(ErrorKind::Option, format!("line {number} of the users {what}")).hint("write name:password")
            };
            let (name, password) = line.split_once(':').ok_or_else(|| wrong("has no `:`"))?;
            if name.is_empty() || password.is_empty() {
                return Err(wrong("has no name or no password"));
            }
            if users.insert(name.to_owned(), digest(&[password])).is_some() {
                return Err(wrong("names a user for the second time"));
            }
        }
        if users.is_empty() {
            return Err(Error::new(ErrorKind::Option, "there are no users, so nobody could log in").hint("write name:password"));
        }
        Ok(Self(users))
    }

    /// Whether this is the password of that user.
    pub(super) fn know(&self, name: &str, password: &str) -> bool {
        // The digest is made in any case, so that the time does not tell which names exist.
        let given = digest(&[password]);
        self.0.get(name).is_some_and(|known| *known == given)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lines_are_names_and_passwords() {
        let users = Users::parse("# team\nann:pass:word\r\n\nbob: x\n").unwrap();
        assert!(users.know("ann", "pass:word") && users.know("bob", " x"));
        assert!(!users.know("ann", "pass") && !users.know("eve", "x") && !users.know("", ""));
        for (text, fragment) in [
            ("canary", "line 1 of the users has no `:`"),
            ("a:b\n:canary", "line 2 of the users has no name"),
            ("a:", "no password"),
            ("a:b\na:c", "second time"),
            ("", "no users"),
        ] {
            let error = Users::parse(text).err().unwrap();
            assert!(error.message().contains(fragment), "{error}");
            assert!(!format!("{error:?}").contains("canary"));
        }
    }
}
