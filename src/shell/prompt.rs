//! The prompt: lines from a terminal, statements and commands one after the other.

use std::path::PathBuf;

use rustyline::error::ReadlineError;
use rustyline::history::FileHistory;
use rustyline::{CompletionType, Config, Editor};

use super::complain;
use super::console::{Console, Next};
use super::helper::Typist;
use super::history::History;
use super::meta::{self, Meta};
use super::names::Names;
use super::script::{is_complete, is_open};
use crate::error::{Error, ErrorKind, Result};

/// The prompt of a text, of a statement that goes on, and of a literal or comment that goes on.
const PROMPTS: [&str; 3] = ["jsmql> ", "    -> ", "   '> "];
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
        && run(&mut console, &text).await == Next::Leave
    {
        return console.close();
    }
    let names = Names::default();
    names.refresh(console.session());
    let mut history = History::open();
    history.meet(console.session());
    let mut editor = editor(&names)?;
    history.load(&mut editor);
    loop {
        let text;
        (editor, text) = typed(editor).await?;
        let Some(text) = text else { break };
        history.keep(&mut editor, &text);
        let next = run(&mut console, &text).await;
        for text in console.take_edited() {
            history.keep(&mut editor, &text);
        }
        if next == Next::Leave {
            break;
        }
        if console.take_changed() {
            history.meet(console.session());
            names.refresh(console.session());
        }
    }
    console.close()
}

/// Runs a text. Whatever goes wrong in it, the prompt goes on.
async fn run(console: &mut Console, text: &str) -> Next {
    console.begin();
    console.run(text).await.unwrap_or_else(|error| {
        complain(&error);
        Next::Go
    })
}

type Lines = Editor<Typist, FileHistory>;

/// A command or statements, over as many lines as they need. None: nothing more will come.
async fn typed(mut editor: Lines) -> Result<(Lines, Option<String>)> {
    let mut text = String::new();
    loop {
        let line;
        (editor, line) = read(editor, text.clone()).await?;
        let line = match line {
            Ok(line) => line,
            // Ctrl-C drops what was typed.
            Err(ReadlineError::Interrupted) => {
                text.clear();
                continue;
            }
            Err(ReadlineError::Eof) => return Ok((editor, None)),
            Err(error) => return Err(broken(&error)),
        };
        if !text.is_empty() && line.trim_start().starts_with('\\') && matches!(meta::read(&line), Ok(Meta::Quit)) {
            if !is_open(&text) {
                return Ok((editor, None));
            }
            eprintln!("note: a literal or comment is open, and \\q is part of it; Ctrl-C drops the statement, Ctrl-D leaves");
        }
        text.push_str(&line);
        if text.trim().is_empty() {
            text.clear();
        } else if is_complete(&text) {
            return Ok((editor, Some(text)));
        } else {
            text.push('\n');
        }
    }
}

/// Reads a line that goes on with what was typed before. The editor waits for keys, and statements for the site: each in its own kind
/// of thread.
async fn read(mut editor: Lines, earlier: String) -> Result<(Lines, rustyline::Result<String>)> {
    let read = tokio::task::spawn_blocking(move || {
        if let Some(typist) = editor.helper_mut() {
            typist.go_on(&earlier);
        }
        let line = editor.readline(PROMPTS[usize::from(!earlier.is_empty()) + usize::from(is_open(&earlier))]);
        (editor, line)
    });
    read.await.map_err(|error| broken(&error))
}

fn editor(names: &Names) -> Result<Lines> {
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
