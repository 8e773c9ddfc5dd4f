//! The shell's own commands: `\` or `.` before a name.

use std::time::Duration;

use crate::connection::closest;
use crate::error::{Error, ErrorKind, Result};

/// A command of the shell.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Meta {
    Help,
    SqlHelp(String),
    Quit,
    Describe(Option<String>),
    Procedures(Option<String>),
    Schemas,
    Connection,
    Connect(String),
    Switch(Switch, Option<bool>),
    Mode(Option<String>),
    Output(Option<String>),
    Include(String),
    Edit,
    Watch(Duration),
    Requests { trace: bool },
    Profile(Option<String>),
}

/// What can be on or off.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Switch {
    Timing,
    Expanded,
    Pager,
    Bail,
}

/// One command: its names, the one that help shows first; how its argument is written; what it does.
struct Row {
    names: &'static [&'static str],
    argument: &'static str,
    doc: &'static str,
    make: fn(&str) -> Result<Meta>,
}

impl Row {
    fn call(&self) -> String {
        format!("\\{} {}", self.names[0], self.argument).trim_end().to_owned()
    }
}

const ROWS: &[Row] = &[
    Row {
        names: &["?", "help"],
        argument: "",
        doc: "this list",
        make: |_| Ok(Meta::Help),
    },
    Row {
        names: &["h"],
        argument: "[statement]",
        doc: "how a statement is written",
        make: |argument| Ok(Meta::SqlHelp(argument.to_owned())),
    },
    Row {
        names: &["q", "quit", "exit"],
        argument: "",
        doc: "leave",
        make: |_| Ok(Meta::Quit),
    },
    Row {
        names: &["d", "dt", "tables", "schema"],
        argument: "[table]",
        doc: "the tables; or the columns of one: types, keys, what the site filters, what can be written",
        make: |argument| Ok(Meta::Describe(optional(argument))),
    },
    Row {
        names: &["df", "procedures"],
        argument: "[procedure]",
        doc: "the procedures; or the parameters of one",
        make: |argument| Ok(Meta::Procedures(optional(argument))),
    },
    Row {
        names: &["l", "databases", "dn"],
        argument: "",
        doc: "the schemas",
        make: |_| Ok(Meta::Schemas),
    },
    Row {
        names: &["conninfo"],
        argument: "",
        doc: "which site, and which options are set",
        make: |_| Ok(Meta::Connection),
    },
    Row {
        names: &["c", "connect"],
        argument: "STRING",
        doc: "connect by another connection string",
        make: |argument| match argument {
            "" => Err(needs("c", "a connection string")),
            text => Ok(Meta::Connect(text.to_owned())),
        },
    },
    Row {
        names: &["profile"],
        argument: "[name]",
        doc: "the kept connections; or connect by one",
        make: |argument| Ok(Meta::Profile(optional(argument))),
    },
    Row {
        names: &["timing", "timer"],
        argument: "[on|off]",
        doc: "how long each statement takes",
        make: |argument| switch(Switch::Timing, argument),
    },
    Row {
        names: &["x"],
        argument: "[on|off]",
        doc: "one line per value in place of a table",
        make: |argument| switch(Switch::Expanded, argument),
    },
    Row {
        names: &["pager"],
        argument: "[on|off]",
        doc: "long answers by pages",
        make: |argument| switch(Switch::Pager, argument),
    },
    Row {
        names: &["bail"],
        argument: "[on|off]",
        doc: "stop a file at its first error; the prompt goes on in any case",
        make: |argument| switch(Switch::Bail, argument),
    },
    Row {
        names: &["mode", "format"],
        argument: "[format]",
        doc: "how rows are written",
        make: |argument| Ok(Meta::Mode(optional(argument))),
    },
    Row {
        names: &["o", "output"],
        argument: "[file]",
        doc: "rows into a file; without a name, the file is finished and rows are shown again",
        make: |argument| Ok(Meta::Output(optional(argument))),
    },
    Row {
        names: &["i", "read"],
        argument: "FILE",
        doc: "run the SQL of a file",
        make: |argument| match argument {
            "" => Err(needs("i", "a file")),
            file => Ok(Meta::Include(file.to_owned())),
        },
    },
    Row {
        names: &["e", "edit"],
        argument: "",
        doc: "edit the last statement in EDITOR, and run it",
        make: |_| Ok(Meta::Edit),
    },
    Row {
        names: &["watch"],
        argument: "[seconds]",
        doc: "run the last statement again and again, until Ctrl-C",
        make: |argument| {
            let seconds = if argument.is_empty() {
                Ok(2.0)
            } else {
                argument.parse::<f64>()
            };
            let interval = seconds.ok().and_then(|seconds| Duration::try_from_secs_f64(seconds).ok());
            match interval {
                Some(interval) if !interval.is_zero() => Ok(Meta::Watch(interval)),
                _ => Err(needs("watch", "a number of seconds above 0")),
            }
        },
    },
    Row {
        names: &["requests", "http"],
        argument: "[summary|trace]",
        doc: "the HTTP requests of the last statement",
        make: |argument| match argument {
            "" | "summary" => Ok(Meta::Requests { trace: false }),
            "trace" => Ok(Meta::Requests { trace: true }),
            _ => Err(needs("requests", "summary or trace")),
        },
    },
];

/// Reads a line that is a command.
///
/// # Errors
/// There is no such command, or its argument is wrong.
pub(super) fn read(line: &str) -> Result<Meta> {
    let line = line.trim().trim_end_matches(';');
    let line = line.strip_prefix(['\\', '.']).unwrap_or_default();
    let (name, argument) = line.split_once(char::is_whitespace).unwrap_or((line, ""));
    let row = ROWS.iter().find(|row| row.names.contains(&name)).ok_or_else(|| {
        let hint = match closest(name, ROWS.iter().flat_map(|row| row.names.iter().copied())) {
            Some(near) => format!("did you mean \\{near}? \\? lists the commands"),
            None => "\\? lists the commands".to_owned(),
        };
        Error::new(ErrorKind::Statement, format!("there is no command \\{name}")).hint(hint)
    })?;
    (row.make)(argument.trim())
}

/// The list of all commands.
pub(super) fn help() -> String {
    let mut text = String::from("Statements end with a semicolon. Commands, also written with a dot:\n");
    for row in ROWS {
        let call = row.call();
        let others: Vec<String> = row.names[1..].iter().map(|name| format!(".{name}")).collect();
        text.push_str(&format!("  {call:<28} {:<20} {}\n", others.join(" "), row.doc));
    }
    text
}

/// Names of the commands.
pub(super) fn names() -> impl Iterator<Item = &'static str> {
    ROWS.iter().flat_map(|row| row.names.iter().copied())
}

/// The commands as the manual lists them: how one is called, and what it does.
pub(super) fn rows() -> impl Iterator<Item = (String, &'static str)> {
    ROWS.iter().map(|row| (row.call(), row.doc))
}

/// What the argument of a command is; nothing where there is no such command, or it takes none.
pub(super) fn argument(name: &str) -> &'static str {
    let row = ROWS.iter().find(|row| row.names.contains(&name));
    row.map_or("", |row| row.argument.trim_matches(['[', ']']))
}

fn optional(argument: &str) -> Option<String> {
    (!argument.is_empty()).then(|| argument.to_owned())
}

fn needs(name: &str, what: &str) -> Error {
    Error::new(ErrorKind::Statement, format!("\\{name} needs {what}")).hint("\\? lists the commands")
}

fn switch(which: Switch, argument: &str) -> Result<Meta> {
    match argument {
        "" => Ok(Meta::Switch(which, None)),
        "on" | "true" | "yes" => Ok(Meta::Switch(which, Some(true))),
        "off" | "false" | "no" => Ok(Meta::Switch(which, Some(false))),
        _ => Err(Error::new(ErrorKind::Statement, format!("{argument} is neither on nor off"))
            .hint("write on, off, or nothing to change it")),
    }
}

#[cfg(test)]
#[allow(clippy::unwrap_used, reason = "a test may fail")]
mod tests {
    use super::*;

    #[test]
    fn both_spellings_mean_the_same() {
        for (line, meta) in [
            ("\\d requests", Meta::Describe(Some("requests".into()))),
            (".schema requests;", Meta::Describe(Some("requests".into()))),
            (".tables", Meta::Describe(None)),
            ("\\timing", Meta::Switch(Switch::Timing, None)),
            (".timer on", Meta::Switch(Switch::Timing, Some(true))),
            ("\\watch 0.5", Meta::Watch(Duration::from_millis(500))),
            ("\\requests trace", Meta::Requests { trace: true }),
            ("\\profile work", Meta::Profile(Some("work".into()))),
        ] {
            assert_eq!(read(line).unwrap(), meta, "{line}");
        }
    }

    #[test]
    fn what_is_wrong_is_said_with_a_hint() {
        for line in [
            "\\tmiing",
            "\\watch 0",
            "\\watch x",
            "\\i",
            "\\x maybe",
            "\\requests all",
            "\\",
        ] {
            let error = read(line).unwrap_err();
            assert!(error.hint_text().is_some(), "{line}");
        }
        assert!(read("\\tmiing").unwrap_err().hint_text().unwrap().contains("\\timing"));
    }

    #[test]
    fn no_name_has_two_meanings() {
        let mut names: Vec<_> = ROWS.iter().flat_map(|row| row.names).collect();
        let all = names.len();
        names.sort();
        names.dedup();
        assert_eq!(names.len(), all);
    }
}
