//! A statement in the editor of the user.

use std::io::Write;
use std::process::Command;

use crate::error::{Error, ErrorKind, Result};

/// Lets the user edit a text: in VISUAL, EDITOR, or vi.
///
/// # Errors
/// The editor cannot be started, or fails.
pub(super) fn edit(text: &str) -> Result<String> {
    let failed = |what: String| Error::new(ErrorKind::Io, what).hint("set EDITOR to the editor of your choice");
    // Only this user can read it.
    let mut file = tempfile::Builder::new()
        .suffix(".sql")
        .tempfile()
        .map_err(|error| failed(format!("cannot write a file for the editor: {error}")))?;
    file.write_all(text.as_bytes())
        .map_err(|error| failed(format!("cannot write a file for the editor: {error}")))?;
    let named = |name: &str| std::env::var(name).ok().filter(|program| !program.is_empty());
    let program = named("VISUAL").or_else(|| named("EDITOR")).unwrap_or_else(|| "vi".to_owned());
    // The variable may hold arguments.
    let status = Command::new("sh")
        .args(["-c", &format!("{program} \"$1\""), "sh"])
        .arg(file.path())
        .status()
        .map_err(|error| failed(format!("cannot start {program}: {error}")))?;
    if !status.success() {
        return Err(failed(format!("{program} ended with {status}; nothing was run")));
    }
    std::fs::read_to_string(file.path()).map_err(|error| failed(format!("cannot read what was edited: {error}")))
}
