//! The keyring of the operating system: Keychain, Credential Manager, or the Secret Service of a desktop.

use crate::error::{Error, ErrorKind, Result};

/// The name under which all entries are kept.
#[cfg(feature = "keyring")]
const SERVICE: &str = "jsmql";

/// The entry of this name. None: there is none.
pub(crate) fn load(name: &str) -> Result<Option<String>> {
    #[cfg(feature = "keyring")]
    return match entry(name)?.get_password() {
        Ok(text) => Ok(Some(text)),
        Err(keyring::Error::NoEntry) => Ok(None),
        Err(error) => Err(failed(&error)),
    };
    #[cfg(not(feature = "keyring"))]
    Err(absent(name))
}

/// Keeps `text` under this name.
pub(crate) fn save(name: &str, text: &str) -> Result<()> {
    #[cfg(feature = "keyring")]
    return entry(name)?.set_password(text).map_err(|error| failed(&error));
    #[cfg(not(feature = "keyring"))]
    {
        let _ = text;
        Err(absent(name))
    }
}

/// Removes the entry of this name; whether there was one.
pub(crate) fn remove(name: &str) -> Result<bool> {
    #[cfg(feature = "keyring")]
    return match entry(name)?.delete_credential() {
        Ok(()) => Ok(true),
        Err(keyring::Error::NoEntry) => Ok(false),
        Err(error) => Err(failed(&error)),
    };
    #[cfg(not(feature = "keyring"))]
    Err(absent(name))
}

#[cfg(feature = "keyring")]
fn entry(name: &str) -> Result<keyring::Entry> {
    keyring::Entry::new(SERVICE, name).map_err(|error| failed(&error))
}

#[cfg(feature = "keyring")]
fn failed(error: &keyring::Error) -> Error {
    // Why there is no store is told apart.
    let why = match (error, keyring::Entry::store_status()) {
        (keyring::Error::NoDefaultStore, Err(reason)) => reason.to_string(),
        _ => error.to_string(),
    };
    Error::new(ErrorKind::Io, format!("the keyring cannot be used: {why}"))
        .hint("a keyring needs a desktop session; without one keep tokens in a file (OAuthSettingsLocation) and secrets in JSMQL_ variables")
}

#[cfg(not(feature = "keyring"))]
fn absent(name: &str) -> Error {
    Error::new(
        ErrorKind::Unsupported,
        format!("keyring://{name}: this jsmql was built without the feature `keyring`"),
    )
    .hint("build it with --features keyring, or use a file")
}

#[cfg(test)]
mod tests {
    use super::*;

    /// With a desktop session the entry is not there; without one, or without the feature, the error says what to do.
    #[test]
    fn what_is_not_there_is_told() {
        match load("jsmql test of what is not there") {
            Ok(found) => assert!(cfg!(feature = "keyring") && found.is_none()),
            Err(error) => {
                let hint = error.hint_text().unwrap();
                let word = if cfg!(feature = "keyring") {
                    "desktop session"
                } else {
                    "--features keyring"
                };
                assert!(hint.contains(word), "{error}: {hint}");
            }
        }
    }

    /// By hand, without a desktop too: `dbus-run-session -- sh -c 'printf pw | gnome-keyring-daemon --unlock --components=secrets;
    /// cargo test --features keyring --lib -- --ignored in_a_desktop_session'`.
    #[cfg(feature = "keyring")]
    #[tokio::test(flavor = "multi_thread")]
    #[ignore = "needs a desktop session with a keyring that is unlocked"]
    async fn what_is_kept_is_there_in_a_desktop_session() {
        const NAME: &str = "jsmql test of what is kept";
        // Tokens are longer than most passwords, and are written from within the async runtime.
        let long = "t0ken-ü-".repeat(2000);
        remove(NAME).unwrap();
        assert_eq!(load(NAME).unwrap(), None);
        for text in ["first", long.as_str(), "last"] {
            save(NAME, text).unwrap();
            assert_eq!(load(NAME).unwrap().as_deref(), Some(text));
        }
        assert!(remove(NAME).unwrap());
        assert!(!remove(NAME).unwrap());
        assert_eq!(load(NAME).unwrap(), None);
    }
}
