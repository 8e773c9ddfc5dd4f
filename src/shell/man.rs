//! The pages of the manual.

use std::io::{self, Write};

use clap_mangen::Man;
use clap_mangen::roff::{Roff, bold, roman};

use super::{args, meta};
use crate::connection::docs::options_help;
use crate::error::{Error, ErrorKind, Result};

const STATUS: &[(&str, &str)] = &[
    ("0", "All statements succeeded."),
    ("1", "A statement failed, or was called off by Ctrl-C."),
    (
        "2",
        "The command line, the connection string or an option is wrong; nothing was run.",
    ),
];

const FILES: &[(&str, &str)] = &[
    (
        "~/.jsmqlrc",
        "Statements and commands that run before the prompt; --no-rc leaves it aside.",
    ),
    (
        "$XDG_STATE_HOME/jsmql/history, ~/.local/state/jsmql/history",
        "Lines of the prompt, for this user only. Those that hold a secret are left out.",
    ),
    (
        "$XDG_CONFIG_HOME/jsmql, ~/.config/jsmql",
        "Connections that are kept under a name (jsmql profile).",
    ),
];

const ENVIRONMENT: &[(&str, &str)] = &[
    ("JSMQL_CONNECTION", "The connection string, where --connection is not given."),
    (
        "JSMQL_PROFILE",
        "The name of a kept connection, where --profile is not given.",
    ),
    ("JSMQL_<OPTION>", "A single option of the connection, such as JSMQL_APITOKEN."),
    (
        "PAGER, EDITOR, VISUAL",
        "What shows long answers at the prompt, and what \\e edits with.",
    ),
    ("NO_COLOR", "The prompt has no colours."),
];

/// Prints the page of the command that these words name; of jsmql itself where there are none.
///
/// # Errors
/// There is no such command, or it cannot be written.
pub(super) fn man(words: &[String], sink: &mut dyn Write) -> Result<()> {
    let mut command = args::described();
    command.build();
    let mut page = &command;
    for word in words {
        page = page.find_subcommand(word).ok_or_else(|| {
            let names: Vec<&str> = page.get_subcommands().map(clap::Command::get_name).collect();
            Error::new(ErrorKind::Option, format!("there is no command {}", words.join(" ")))
                .hint(format!("there are {}", names.join(", ")))
        })?;
    }
    let page = page.clone();
    let written = match words.is_empty() {
        true => whole(page, sink),
        false => Man::new(page).render(sink),
    };
    written.map_err(|error| Error::new(ErrorKind::Io, format!("cannot write the manual page: {error}")))
}

/// The page of jsmql: that of the arguments, with what no argument tells.
fn whole(command: clap::Command, sink: &mut dyn Write) -> io::Result<()> {
    let page = Man::new(command);
    page.render_title(sink)?;
    page.render_name_section(sink)?;
    page.render_synopsis_section(sink)?;
    page.render_description_section(sink)?;
    page.render_options_section(sink)?;
    page.render_subcommands_section(sink)?;
    let commands: Vec<(String, &str)> = meta::rows().collect();
    let commands = commands.iter().map(|(call, doc)| (call.as_str(), *doc));
    section("COMMANDS OF THE PROMPT", commands, sink)?;
    let mut options = Roff::new();
    options.control("SH", ["CONNECTION STRING"]);
    // One line for each, as they are.
    options.control("nf", []);
    options.text([roman(options_help())]);
    options.control("fi", []);
    options.to_writer(sink)?;
    section("EXIT STATUS", STATUS.iter().copied(), sink)?;
    section("ENVIRONMENT", ENVIRONMENT.iter().copied(), sink)?;
    section("FILES", FILES.iter().copied(), sink)?;
    page.render_version_section(sink)
}

fn section<'a>(title: &str, rows: impl IntoIterator<Item = (&'a str, &'a str)>, sink: &mut dyn Write) -> io::Result<()> {
    let mut page = Roff::new();
    page.control("SH", [title]);
    for (name, doc) in rows {
        page.control("TP", []);
        page.text([bold(name)]);
        page.text([roman(doc)]);
    }
    page.to_writer(sink)
}
