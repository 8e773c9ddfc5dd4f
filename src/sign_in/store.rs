//! Where tokens are kept: a file, this process, or the keyring of the operating system. One holder at a time may change them.

use std::collections::HashMap;
use std::fs::{File, OpenOptions, TryLockError};
use std::io::Write;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};

use tokio::sync::OwnedMutexGuard;

use super::tokens::{Tokens, fingerprint};
use crate::connection::TokenPlace;
use crate::error::{Error, ErrorKind, Result};
use crate::profile::keyring;

/// Longest wait for another process that changes the same tokens; a refresh takes seconds.
const PATIENCE: Duration = Duration::from_secs(90);

/// The place of the tokens of one site and client.
#[derive(Debug)]
pub(super) struct Store {
    place: Place,
    site: String,
    client: String,
}

#[derive(Debug, Clone)]
enum Place {
    File(PathBuf),
    Memory(String),
    Keyring(String),
}

/// Held by whoever changes the tokens. Dropping it lets the next one.
#[derive(Debug)]
pub(super) enum Hold {
    /// The lock ends when the file is closed, also by the end of the process.
    File(#[expect(dead_code)] File),
    Memory(#[expect(dead_code)] OwnedMutexGuard<()>),
}

/// Tokens of this process, and who changes them, by name.
static MEMORY: Mutex<Option<HashMap<String, Remembered>>> = Mutex::new(None);

/// Tokens, and the lock of whoever changes them.
type Remembered = (Tokens, Arc<tokio::sync::Mutex<()>>);

fn memory<T>(name: &str, work: impl FnOnce(&mut Remembered) -> T) -> T {
    let mut all = MEMORY.lock().unwrap_or_else(PoisonError::into_inner);
    work(all.get_or_insert_default().entry(name.to_owned()).or_default())
}

impl Place {
    fn load(&self) -> Result<Option<String>> {
        match self {
            Self::Memory(name) => {
                let tokens = memory(name, |(tokens, _)| tokens.clone());
                Ok((!tokens.site.is_empty()).then(|| tokens.write().expose().to_owned()))
            }
            Self::Keyring(name) => keyring::load(name),
            Self::File(path) => read(path),
        }
    }

    fn save(&self, tokens: &Tokens) -> Result<()> {
        match self {
            Self::Memory(name) => {
                memory(name, |(kept, _)| *kept = tokens.clone());
                Ok(())
            }
            Self::Keyring(name) => keyring::save(name, tokens.write().expose()),
            Self::File(path) => write(path, tokens.write().expose().as_bytes()),
        }
    }

    fn remove(&self) -> Result<bool> {
        match self {
            Self::Memory(name) => Ok(memory(name, |(kept, _)| !std::mem::take(kept).site.is_empty())),
            Self::Keyring(name) => keyring::remove(name),
            Self::File(path) => match std::fs::remove_file(path) {
                Ok(()) => Ok(true),
                Err(error) if error.kind() == std::io::ErrorKind::NotFound => Ok(false),
                Err(error) => Err(failed("remove", path, &error)),
            },
        }
    }
}

impl Store {
    /// The store that `place` names.
    pub(super) fn new(place: &TokenPlace, site: &str, client: &str, profile: Option<&str>) -> Result<Self> {
        let place = match place {
            TokenPlace::File(path) => Place::File(path.clone()),
            TokenPlace::Memory(name) => Place::Memory(name.clone()),
            TokenPlace::Keyring(name) if name.is_empty() => Place::Keyring(key(site, client, profile)),
            TokenPlace::Keyring(name) => Place::Keyring(name.clone()),
            TokenPlace::Default => Place::File(tokens_folder()?.join(format!("{}.json", key(site, client, profile)))),
        };
        Ok(Self {
            place,
            site: site.to_owned(),
            client: client.to_owned(),
        })
    }

    /// The place in words.
    pub(super) fn name(&self) -> String {
        match &self.place {
            Place::File(path) => path.display().to_string(),
            Place::Memory(name) => format!("memory://{name}"),
            Place::Keyring(name) => format!("keyring://{name}"),
        }
    }

    /// Tokens without content, for this site and client.
    pub(super) fn blank(&self) -> Tokens {
        Tokens::new(&self.site, &self.client)
    }

    /// What is kept. None: nothing.
    pub(super) async fn load(&self) -> Result<Option<Tokens>> {
        match self.blocking(Place::load).await? {
            Some(text) => Tokens::read(&text, &self.site, &self.client, &self.name()).map(Some),
            None => Ok(None),
        }
    }

    /// Keeps `tokens` in place of what is there. When it returns they survive a crash.
    pub(super) async fn save(&self, tokens: &Tokens) -> Result<()> {
        let tokens = tokens.clone();
        self.blocking(move |place| place.save(&tokens)).await
    }

    /// Forgets what is kept; whether there was anything.
    pub(super) async fn remove(&self) -> Result<bool> {
        self.blocking(Place::remove).await
    }

    /// Works on the place where waiting holds up no other statement: a keyring may ask its owner for a password, a disk may be slow.
    async fn blocking<T: Send + 'static>(&self, work: impl FnOnce(&Place) -> Result<T> + Send + 'static) -> Result<T> {
        let place = self.place.clone();
        let done = tokio::task::spawn_blocking(move || work(&place)).await;
        done.map_err(|error| Error::new(ErrorKind::Internal, format!("the store of tokens failed: {error}")))?
    }

    /// Waits until nobody else changes the tokens.
    pub(super) async fn hold(&self) -> Result<Hold> {
        let path = match &self.place {
            Place::Memory(name) => return Ok(Hold::Memory(memory(name, |(_, lock)| Arc::clone(lock)).lock_owned().await)),
            // Beside the tokens: the file itself is replaced while the lock is held.
            Place::File(path) => with_suffix(path, ".lock"),
            Place::Keyring(name) => tokens_folder()?.join(format!("keyring-{}.lock", fingerprint(&[name]))),
        };
        let began = Instant::now();
        make_folder(&path)?;
        let mut options = OpenOptions::new();
        options.create(true).truncate(false).write(true);
        private(&mut options);
        let file = options.open(&path).map_err(|error| failed("open", &path, &error))?;
        loop {
            match file.try_lock() {
                Ok(()) => return Ok(Hold::File(file)),
                Err(TryLockError::WouldBlock) if began.elapsed() < PATIENCE => {
                    tokio::time::sleep(Duration::from_millis(20)).await
                }
                Err(TryLockError::WouldBlock) => {
                    return Err(Error::new(
                        ErrorKind::Timeout,
                        format!("another process has held {} for too long", path.display()),
                    )
                    .hint("look for a jsmql that hangs, and end it"));
                }
                Err(TryLockError::Error(error)) => return Err(failed("lock", &path, &error)),
            }
        }
    }
}

/// A name for the tokens of a site, client and profile: readable, and different wherever one of them is.
fn key(site: &str, client: &str, profile: Option<&str>) -> String {
    let host = url::Url::parse(site)
        .ok()
        .and_then(|url| url.host_str().map(str::to_owned))
        .unwrap_or_default();
    let host: String = host
        .chars()
        .map(|c| {
            if c.is_ascii_alphanumeric() || c == '.' || c == '-' {
                c
            } else {
                '_'
            }
        })
        .collect();
    format!("{host}-{}", fingerprint(&[site, client, profile.unwrap_or_default()]))
}

fn tokens_folder() -> Result<PathBuf> {
    crate::profile::folder().map(|folder| folder.join("tokens")).ok_or_else(|| {
        Error::new(ErrorKind::Option, "there is no home folder to keep tokens in").hint("set OAuthSettingsLocation, or HOME")
    })
}

/// The text of the file, if it exists and nobody else may read it.
fn read(path: &Path) -> Result<Option<String>> {
    let file = match File::open(path) {
        Ok(file) => file,
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => return Ok(None),
        Err(error) => return Err(failed("read", path, &error)),
    };
    #[cfg(unix)]
    {
        use std::os::unix::fs::PermissionsExt;
        let mode = file
            .metadata()
            .map_err(|error| failed("read", path, &error))?
            .permissions()
            .mode();
        if mode & 0o077 != 0 {
            return Err(Error::new(
                ErrorKind::Option,
                format!(
                    "other users may read the tokens in {} (mode {:03o})",
                    path.display(),
                    mode & 0o777
                ),
            )
            .hint(format!(
                "chmod 600 {}; if others may have read it, run jsmql login",
                path.display()
            )));
        }
    }
    std::io::read_to_string(file)
        .map(Some)
        .map_err(|error| failed("read", path, &error))
}

/// Puts a new file in the place of `path`, all of it or nothing, on disk when this returns.
fn write(path: &Path, content: &[u8]) -> Result<()> {
    let folder = make_folder(path)?;
    let failed = |error: std::io::Error| failed("write", path, &error);
    // Made with mode 0600.
    let mut file = tempfile::Builder::new()
        .prefix(".jsmql-tokens")
        .tempfile_in(&folder)
        .map_err(failed)?;
    file.write_all(content).map_err(failed)?;
    file.as_file().sync_all().map_err(failed)?;
    file.persist(path).map_err(|error| failed(error.error))?;
    #[cfg(unix)]
    File::open(&folder).and_then(|folder| folder.sync_all()).map_err(failed)?;
    Ok(())
}

/// Makes the folder that `path` lies in, for its owner only.
fn make_folder(path: &Path) -> Result<PathBuf> {
    let folder = match path.parent() {
        Some(folder) if !folder.as_os_str().is_empty() => folder.to_owned(),
        _ => PathBuf::from("."),
    };
    let mut builder = std::fs::DirBuilder::new();
    builder.recursive(true);
    #[cfg(unix)]
    std::os::unix::fs::DirBuilderExt::mode(&mut builder, 0o700);
    builder
        .create(&folder)
        .map_err(|error| failed("make the folder of", path, &error))?;
    Ok(folder)
}

fn private(options: &mut OpenOptions) {
    #[cfg(unix)]
    std::os::unix::fs::OpenOptionsExt::mode(options, 0o600);
    #[cfg(not(unix))]
    let _ = options;
}

fn with_suffix(path: &Path, suffix: &str) -> PathBuf {
    let mut name = path.as_os_str().to_owned();
    name.push(suffix);
    PathBuf::from(name)
}

fn failed(what: &str, path: &Path, error: &std::io::Error) -> Error {
    Error::new(ErrorKind::Io, format!("cannot {what} {}: {error}", path.display())).hint("check OAuthSettingsLocation")
}

#[cfg(all(test, unix))]
mod tests {
    use super::*;

    /// On a runtime with one thread: a keyring that asks for a password would hold up every other statement.
    #[tokio::test]
    async fn a_store_that_waits_holds_up_nobody() {
        let folder = tempfile::tempdir().unwrap();
        // Whoever opens it waits until somebody writes.
        let path = folder.path().join("tokens");
        let made = std::process::Command::new("mkfifo").args(["-m", "600"]).arg(&path).status();
        assert!(made.unwrap().success());
        let store = Store::new(&TokenPlace::File(path.clone()), "https://acme.example", "client", None).unwrap();
        let text = store.blank().write().expose().to_owned();
        let other = async {
            tokio::time::sleep(Duration::from_millis(50)).await;
            tokio::task::spawn_blocking(move || std::fs::write(path, text))
                .await
                .unwrap()
                .unwrap();
        };
        let (loaded, ()) = tokio::join!(store.load(), other);
        assert!(loaded.unwrap().is_some());
    }
}
