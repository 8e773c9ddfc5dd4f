//! The lines that were typed, kept for the next time; those with secrets are not.

use std::fs::OpenOptions;
use std::path::PathBuf;

use rustyline::history::FileHistory;
use rustyline::{Editor, Helper};

use super::meta::{self, Meta};
use super::script::{Piece, pieces};
use crate::Session;
use crate::connection::OPTIONS;
use crate::error::{Error, ErrorKind, Result};
use crate::log::Redactor;

/// Words that announce a secret whatever the options are called.
const WORDS: &[&str] = &["password", "token", "secret"];

/// What was typed.
pub(super) struct History {
    /// None: it is kept for this time only.
    file: Option<PathBuf>,
    /// Who knows the secrets of all connections that there were.
    redactors: Vec<Redactor>,
    /// Procedures that take secrets.
    procedures: Vec<String>,
}

impl History {
    /// The history of the user.
    pub(super) fn open() -> Self {
        let file = file().unwrap_or_else(|error| {
            super::complain(&error);
            None
        });
        Self {
            file,
            redactors: Vec::new(),
            procedures: Vec::new(),
        }
    }

    /// Gives an editor what was typed before.
    pub(super) fn load<H: Helper>(&self, editor: &mut Editor<H, FileHistory>) {
        if let Some(path) = &self.file {
            // A history that cannot be read is none.
            let _ = editor.load_history(path);
        }
    }

    /// From now on the secrets of this connection are kept out, too.
    pub(super) fn meet(&mut self, session: &Session) {
        self.redactors.push(Redactor::of(session.connection()));
        self.procedures = session.procedures_with_secrets();
    }

    /// Keeps a line, if it may be kept.
    pub(super) fn keep<H: Helper>(&self, editor: &mut Editor<H, FileHistory>, line: &str) {
        if self.may_keep(line)
            && editor.add_history_entry(line).is_ok_and(|added| added)
            && let Some(path) = &self.file
            && let Err(error) = editor.append_history(path)
        {
            eprintln!("warning: the history cannot be kept: {error}");
        }
    }

    /// Whether a line holds no secret of a connection and sets none.
    fn may_keep(&self, line: &str) -> bool {
        // A connection string is made of secrets.
        let connects = |piece: &Piece| matches!(piece, Piece::Command(line) if matches!(meta::read(line), Ok(Meta::Connect(_))));
        let tells = |redactor: &Redactor| redactor.redacted(line) != line;
        let lower = line.to_lowercase();
        let calls = |procedure: &String| lower.contains(procedure);
        !(pieces(line).iter().any(connects)
            || self.redactors.iter().any(tells)
            || self.procedures.iter().any(calls)
            || has_userinfo(line)
            || sets_secret(line))
    }
}

/// The file with the history, made for this user only if there is none; `None` where the user has no home.
///
/// # Errors
/// It cannot be made.
fn file() -> Result<Option<PathBuf>> {
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

/// Whether an address has somebody before its host, and so perhaps a password.
fn has_userinfo(line: &str) -> bool {
    line.split("://").skip(1).any(|rest| {
        let authority = rest.split(|c: char| c.is_whitespace() || matches!(c, '/' | '?' | '#' | '\'' | '"'));
        authority.take(1).any(|authority| authority.contains('@'))
    })
}

/// Whether a name that announces a secret is given a value: `name=…`, `"name": …`, `name TO …`, `name '…'`.
fn sets_secret(line: &str) -> bool {
    let line = line.to_lowercase();
    let plain: String = line
        .chars()
        .filter(|c| !(c.is_whitespace() || matches!(c, '\'' | '"')))
        .collect();
    let secret_options = OPTIONS.iter().filter(|row| row.secret).map(|row| row.name.to_lowercase());
    let mut names = secret_options.chain(WORDS.iter().map(|word| (*word).to_owned()));
    names.any(|name| plain.contains(&format!("{name}=")) || plain.contains(&format!("{name}:")) || is_given(&line, &name))
}

/// Whether SQL gives the name a value without a sign between them.
fn is_given(line: &str, name: &str) -> bool {
    line.split(name).skip(1).any(|rest| {
        let rest = rest.trim_start_matches('"');
        let value = rest.trim_start();
        rest != value
            && (value.starts_with('\'')
                || value
                    .strip_prefix("to")
                    .is_some_and(|value| value.starts_with(char::is_whitespace)))
    })
}

#[cfg(test)]
#[allow(clippy::unwrap_used, reason = "a test may fail")]
mod tests {
    use super::*;
    use crate::Connection;

    #[test]
    fn lines_with_secrets_are_not_kept() {
        let mut history = History {
            file: None,
            redactors: Vec::new(),
            procedures: Vec::new(),
        };
        for token in ["c4n4ry", "former"] {
            let text = format!("URL=https://acme.atlassian.net;User=a@b.example;APIToken={token}");
            let connection = Connection::parse(&text, std::iter::empty()).unwrap();
            history.meet(&Session::open(connection).unwrap());
        }
        for line in [
            "SELECT 'c4n4ry';",
            "SELECT 'former';",
            "\\c URL=https://x.example;API Token = other",
            ".connect jsm://ann:other@acme.atlassian.net",
            "\\conect jsm://ann:other@acme.atlassian.net",
            ".conn jsm://ann:other@acme.atlassian.net",
            "SELECT 1;\n\\c jsm://ann:other@acme.atlassian.net",
            "SELECT 1; \\c jsm://ann:other@acme.atlassian.net;",
            "SELECT 'https://ann:other@acme.example/x';",
            "CALL p(password => 'x');",
            "CALL refresh_oauth_access_token('other');",
            "SELECT * FROM Get_OAuth_Access_Token('other')",
            "EXEC p @access_token='x'",
            "SET APIToken TO 'other';",
            "SET \"Proxy Password\" = 'other';",
            "ALTER USER ann PASSWORD 'other';",
            "SELECT '{\"password\": \"other\"}';",
            "SELECT '{\"client_secret\" : \"other\"}';",
        ] {
            assert!(!history.may_keep(line), "{line}");
        }
        for line in [
            "SELECT * FROM requests;",
            "\\d requests",
            "SELECT token FROM t WHERE a = 'password'",
            "SELECT 'https://acme.example/@ann', 'a@b.example';",
            "SELECT token total FROM t;",
        ] {
            assert!(history.may_keep(line), "{line}");
        }
    }
}
