//! The lines that were typed, kept for the next time.

use std::fs::OpenOptions;
use std::path::PathBuf;

use super::meta::{self, Meta};
use super::script::{Piece, pieces};
use crate::connection::{Connection, OPTIONS};
use crate::error::{Error, ErrorKind, Result};
use crate::log::Redactor;

/// Words that announce a secret whatever the options are called.
const WORDS: &[&str] = &["password", "token", "secret"];

/// The file with the history, made for this user only if there is none; `None` where the user has no home.
///
/// # Errors
/// It cannot be made.
pub(super) fn file() -> Result<Option<PathBuf>> {
    let variable = |name: &str| std::env::var_os(name).map(PathBuf::from).filter(|path| path.is_absolute());
    let state = variable("XDG_STATE_HOME").or_else(|| variable("HOME").map(|home| home.join(".local/state")));
    let Some(folder) = state.map(|state| state.join("jsmql")) else {
        return Ok(None);
    };
    let path = folder.join("history");
    let made = std::fs::create_dir_all(&folder).and_then(|()| {
        let mut open = OpenOptions::new();
        open.create(true).append(true);
        #[cfg(unix)]
        std::os::unix::fs::OpenOptionsExt::mode(&mut open, 0o600);
        let file = open.open(&path)?;
        #[cfg(unix)]
        file.set_permissions(std::os::unix::fs::PermissionsExt::from_mode(0o600))?;
        drop(file);
        Ok(())
    });
    made.map_err(|error| {
        Error::new(
            ErrorKind::Io,
            format!("cannot keep the history in {}: {error}", path.display()),
        )
        .hint("lines are not kept this time")
    })?;
    Ok(Some(path))
}

/// Whether a line may be kept: it holds no secret of the connection and sets none.
pub(super) fn may_keep(line: &str, connection: &Connection) -> bool {
    // A connection string is made of secrets, and an address may have one before its host.
    let connects = |piece: &Piece| matches!(piece, Piece::Command(line) if matches!(meta::read(line), Ok(Meta::Connect(_))));
    if pieces(line).iter().any(connects) || Redactor::of(connection).redacted(line) != line {
        return false;
    }
    let plain: String = line.to_lowercase().split_whitespace().collect();
    let secret_options = OPTIONS.iter().filter(|row| row.secret).map(|row| row.name.to_lowercase());
    let mut names = secret_options.chain(WORDS.iter().map(|word| (*word).to_owned()));
    !names.any(|name| plain.contains(&format!("{name}=")))
}

#[cfg(test)]
#[allow(clippy::unwrap_used, reason = "a test may fail")]
mod tests {
    use super::*;

    #[test]
    fn lines_with_secrets_are_not_kept() {
        let connection = Connection::parse(
            "URL=https://acme.atlassian.net;User=a@b.example;APIToken=c4n4ry",
            std::iter::empty(),
        )
        .unwrap();
        for line in [
            "SELECT 'c4n4ry';",
            "\\c URL=https://x.example;API Token = other",
            ".connect jsm://ann:other@acme.atlassian.net",
            "SELECT 1;\n\\c jsm://ann:other@acme.atlassian.net",
            "CALL p(password => 'x');",
            "EXEC p @access_token='x'",
        ] {
            assert!(!may_keep(line, &connection), "{line}");
        }
        for line in [
            "SELECT * FROM requests;",
            "\\d requests",
            "SELECT token FROM t WHERE a = 'password'",
        ] {
            assert!(may_keep(line, &connection), "{line}");
        }
    }
}
