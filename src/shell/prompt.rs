//! The prompt: lines from a terminal, statements and commands one after the other.

use std::path::PathBuf;

use rustyline::error::ReadlineError;
use rustyline::history::FileHistory;
use rustyline::{CompletionType, Config, Editor};

use super::console::{Console, Next};
use super::helper::Typist;
use super::history;
use super::names::Names;
use crate::error::{Error, ErrorKind, Result};

const PROMPT: &str = "jsmql> ";
/// Lines of the history that are kept.
const KEPT: usize = 5_000;

/// Reads and runs until the end of the input or `\q`.
///
/// # Errors
/// The terminal cannot be read.
pub(super) async fn prompt(mut console: Console, rc: bool) -> Result<()> {
    println!(
        "jsmql {} on {}\nStatements end with a semicolon; \\? lists commands, \\d tables, \\q leaves.",
        env!("CARGO_PKG_VERSION"),
        console.session().connection().site()
    );
    if rc
        && let Some(text) = rc_text()?
        && console.run(&text).await? == Next::Leave
    {
        return console.close();
    }
    let names = Names::default();
    names.refresh(console.session());
    let history = history::file().unwrap_or_else(|error| {
        super::complain(&error);
        None
    });
    let mut editor = editor(&names, history.as_ref())?;
    loop {
        // The editor waits for keys, and statements for the site: each in its own kind of thread.
        let read = tokio::task::spawn_blocking(move || {
            let line = editor.readline(PROMPT);
            (editor, line)
        });
        let line;
        (editor, line) = read.await.map_err(|error| broken(&error))?;
        let text = match line {
            Ok(text) => text,
            // Ctrl-C empties the line.
            Err(ReadlineError::Interrupted) => continue,
            Err(ReadlineError::Eof) => break,
            Err(error) => return Err(broken(&error)),
        };
        if text.trim().is_empty() {
            continue;
        }
        if history::may_keep(&text, console.session().connection())
            && editor.add_history_entry(&text).is_ok_and(|added| added)
            && let Some(path) = &history
            && let Err(error) = editor.append_history(path)
        {
            eprintln!("warning: the history cannot be kept: {error}");
        }
        if console.run(&text).await? == Next::Leave {
            break;
        }
        if console.take_changed() {
            names.refresh(console.session());
        }
    }
    console.close()
}

fn editor(names: &Names, history: Option<&PathBuf>) -> Result<Editor<Typist, FileHistory>> {
    let config = Config::builder()
        .completion_type(CompletionType::List)
        .max_history_size(KEPT)
        .and_then(|config| config.history_ignore_dups(true))
        .map_err(|error| broken(&error))?
        .history_ignore_space(true)
        .build();
    let mut editor = Editor::with_config(config).map_err(|error| broken(&error))?;
    let colours = std::env::var_os("NO_COLOR").is_none_or(|value| value.is_empty());
    editor.set_helper(Some(Typist::new(names.clone(), colours)));
    if let Some(path) = history {
        // A history that cannot be read is none.
        let _ = editor.load_history(path);
    }
    Ok(editor)
}

/// The text of `~/.jsmqlrc`; `None` where there is none.
fn rc_text() -> Result<Option<String>> {
    let Some(home) = std::env::var_os("HOME") else {
        return Ok(None);
    };
    let path = PathBuf::from(home).join(".jsmqlrc");
    match std::fs::read_to_string(&path) {
        Ok(text) => Ok(Some(text)),
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => Ok(None),
        Err(error) => Err(Error::new(ErrorKind::Io, format!("cannot read {}: {error}", path.display()))
            .hint("correct the file, or start with --no-rc")),
    }
}

fn broken(error: &dyn std::fmt::Display) -> Error {
    Error::new(ErrorKind::Io, format!("cannot read the terminal: {error}")).hint("give the SQL by -c or -f")
}
