//! The command line: statements in, rows out. It speaks [`Session`](crate::Session) and knows no Jira.

mod adbc;
mod args;
mod check;
mod console;
mod counted;
mod describe;
mod editor;
mod format;
mod helper;
mod history;
mod interrupt;
mod man;
mod meta;
mod names;
mod output;
mod path;
mod profile;
mod progress;
mod prompt;
mod report;
mod run;
mod script;
#[cfg(feature = "flight")]
mod serve;
mod site;

use std::process::ExitCode;

use crate::error::{Error, ErrorKind};

/// Runs the command `jsmql` with the arguments of the process.
///
/// Exit status: 0, 1 when a statement failed, 2 when the command line or the connection string is wrong.
pub fn main() -> ExitCode {
    let command = match args::read(std::env::args_os()) {
        Ok(command) => command,
        // Help and version are no errors; clap knows which stream they belong to.
        Err(error) => {
            let _ = error.print();
            return ExitCode::from(if error.use_stderr() { 2 } else { 0 });
        }
    };
    let runtime = match tokio::runtime::Builder::new_multi_thread().enable_all().build() {
        Ok(runtime) => runtime,
        Err(error) => return fail(&Error::new(ErrorKind::Internal, format!("cannot start the runtime: {error}"))),
    };
    let outcome = runtime.block_on(run::run(command));
    // A request that hangs must not keep the process.
    runtime.shutdown_background();
    match outcome {
        Ok(status) => status,
        Err(error) => fail(&error),
    }
}

fn fail(error: &Error) -> ExitCode {
    complain(error);
    ExitCode::from(error.kind().row().exit)
}

/// Shows an error.
fn complain(error: &Error) {
    eprintln!("error: {error}");
    if let Some(hint) = error.hint_text() {
        eprintln!("hint: {hint}");
    }
}

#[cfg(test)]
pub(crate) use output::types_markdown;
