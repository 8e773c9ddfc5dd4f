//! Secrets that are kept outside of connection strings, got when they are needed.

use std::path::Path;
use std::process::{Command, Stdio};

use zeroize::Zeroizing;

use super::{keyring, text};
use crate::connection::{Secret, SecretPlace};
use crate::error::{Error, ErrorKind, Result};

/// The secret that is kept at `place`: of files and programs the first line. Empty is an error.
pub(super) fn get(place: &SecretPlace) -> Result<Secret> {
    let secret = match place {
        SecretPlace::File(path) => {
            let text = text::read(Path::new(path))
                .map_err(|error| Error::new(ErrorKind::Io, format!("the file cannot be read: {error}")).hint(ENCODING))?;
            text::first_line(&text).into()
        }
        SecretPlace::Variable(name) => match std::env::var(name) {
            Ok(text) => text.into(),
            Err(_) => {
                return Err(
                    Error::new(ErrorKind::Option, "the environment variable is not set").hint("set the variable that it names")
                );
            }
        },
        SecretPlace::Keyring(name) => match keyring::load(name)? {
            Some(text) => text.into(),
            None => {
                return Err(Error::new(ErrorKind::Option, "the keyring has no entry of that name")
                    .hint("add one for the service jsmql, with the name as its user"));
            }
        },
        SecretPlace::Command(line) => run(line)?,
    };
    if secret.expose().is_empty() {
        return Err(Error::new(ErrorKind::Option, "what is kept is empty"));
    }
    Ok(secret)
}

/// The first line that a shell's command prints. Its errors go to the terminal, where a program such as `pass` may also ask.
fn run(line: &str) -> Result<Secret> {
    let failed =
        |why: String| Error::new(ErrorKind::Io, format!("the program {why}")).hint("run it in a terminal to see what it says");
    let (shell, flag) = if cfg!(windows) { ("cmd", "/C") } else { ("sh", "-c") };
    let output = Command::new(shell)
        .args([flag, line])
        .stderr(Stdio::inherit())
        .output()
        .map_err(|error| failed(format!("cannot be run: {error}")))?;
    if !output.status.success() {
        return Err(failed(format!("failed: {}", output.status)));
    }
    let text = text::decoded(&Zeroizing::new(output.stdout)).map_err(|why| failed(format!("printed no text: {why}")))?;
    Ok(text::first_line(&text).into())
}

const ENCODING: &str = "write the secret as text in UTF-8, alone on the first line";

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn secrets_are_got() {
        let folder = tempfile::tempdir().unwrap();
        let file = folder.path().join("token");
        std::fs::write(&file, "t0ken\nmore\n").unwrap();
        assert_eq!(get(&SecretPlace::File(file.display().to_string())).unwrap().expose(), "t0ken");
        assert_eq!(
            get(&SecretPlace::Variable("CARGO_PKG_NAME".into())).unwrap().expose(),
            "jsmql"
        );
        #[cfg(unix)]
        assert_eq!(
            get(&SecretPlace::Command("printf 't0ken\\nuser: x'".into()))
                .unwrap()
                .expose(),
            "t0ken"
        );
        // Notepad and PowerShell write this.
        std::fs::write(&file, b"\xff\xfet\x000\0k\0e\0n\0\r\0\n\0").unwrap();
        assert_eq!(get(&SecretPlace::File(file.display().to_string())).unwrap().expose(), "t0ken");
        std::fs::write(&file, b"\xef\xbb\xbft0ken\r\n").unwrap();
        assert_eq!(get(&SecretPlace::File(file.display().to_string())).unwrap().expose(), "t0ken");
        let latin = folder.path().join("latin");
        std::fs::write(&latin, b"t\xf6ken").unwrap();
        for (place, message) in [
            (SecretPlace::File(latin.display().to_string()), "neither in UTF-8"),
            (SecretPlace::File("/no/such/file".into()), "the file cannot be read"),
            (SecretPlace::Variable("NO_SUCH_VARIABLE".into()), "is not set"),
            (SecretPlace::Command("exit 3".into()), "the program failed"),
            (SecretPlace::Command("true".into()), "is empty"),
        ] {
            let error = get(&place).unwrap_err();
            assert!(error.message().contains(message), "{error}");
        }
    }
}
