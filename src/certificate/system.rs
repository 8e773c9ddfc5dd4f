//! The certificate stores of the operating system: those of Windows, and the keychains of macOS.
//!
//! The system's own command exports the certificates that have private keys, as PKCS #12 under a password that is made for this one
//! answer. Which command that is and what its answer means depends on values alone, so that all of it is tested on every system.
//!
//! # Design
//!
//! A crate for each system (schannel, security-framework) would hand over certificates as well, but compiles on that system only. The
//! keys would not have to leave the store if TLS and OAuth signed through the system's interface, at the price of two more signers;
//! keys that must not leave it are therefore refused.

use std::path::PathBuf;
use std::time::Duration;

use base64::Engine as _;
use zeroize::Zeroizing;

use super::entry::Entry;
use super::program::{Answer, Program, Silence, line};
use super::{BASE64, Fault, fault, pkcs12, select};
use crate::connection::{Secret, StoreOptions, StorePlace};
use crate::error::{Error, ErrorKind, Result};

/// Long enough for a person to answer the system's question whether the key may be exported.
const PATIENCE: Duration = Duration::from_secs(60);

/// What helps where the command does not.
const FILE_INSTEAD: &str = "export certificate and key as a PKCS #12 file, and set the type to PFXFILE";

/// Asks Windows. For each certificate with a private key it prints `pfx` and the certificate with its key and those that vouch for it;
/// or, where the key cannot be had, `sealed`, the certificate and the reason. `failed` and the reason ends it. All are in base64: the
/// console has another encoding on each machine.
///
/// What is not its own it is told by variables: a name of a store that became a part of it could be a command. It is of the language
/// of PowerShell 5 without any cmdlet, since PowerShell 5 started from PowerShell 7 does not find its modules; and without double
/// quotes, which would have to be escaped on the way.
const SCRIPT: &str = "\
$ErrorActionPreference = 'Stop';
function Reason($failure) { [Convert]::ToBase64String([Text.Encoding]::UTF8.GetBytes($failure.Exception.GetBaseException().Message)) };
try {
  $location = [Security.Cryptography.X509Certificates.StoreLocation]$env:CERTIFICATE_EXPORT_LOCATION;
  $store = [Security.Cryptography.X509Certificates.X509Store]::new([string]$env:CERTIFICATE_EXPORT_STORE, $location);
  $store.Open([Security.Cryptography.X509Certificates.OpenFlags]'ReadOnly, OpenExistingOnly');
  foreach ($certificate in $store.Certificates) {
    if (-not $certificate.HasPrivateKey) { continue };
    try {
      $set = [Security.Cryptography.X509Certificates.X509Certificate2Collection]::new();
      [void]$set.Add($certificate);
      $chain = [Security.Cryptography.X509Certificates.X509Chain]::new();
      $chain.ChainPolicy.RevocationMode = 'NoCheck';
      $chain.ChainPolicy.UrlRetrievalTimeout = [TimeSpan]::FromSeconds(1);
      [void]$chain.Build($certificate);
      for ($i = 1; $i -lt $chain.ChainElements.Count; $i++) {
        $issuer = [byte[]]$chain.ChainElements[$i].Certificate.RawData;
        [void]$set.Add([Security.Cryptography.X509Certificates.X509Certificate2]::new($issuer));
      };
      $type = [Security.Cryptography.X509Certificates.X509ContentType]::Pfx;
      $bytes = $set.Export($type, [string]$env:CERTIFICATE_EXPORT_PASSWORD);
      [Console]::Out.WriteLine('pfx ' + [Convert]::ToBase64String($bytes));
    } catch {
      [Console]::Out.WriteLine('sealed ' + [Convert]::ToBase64String($certificate.RawData) + ' ' + (Reason $_));
    };
  };
} catch {
  [Console]::Out.WriteLine('failed ' + (Reason $_));
  exit 1;
}";

/// How a store is exported: here, or as a test has it.
#[derive(Debug)]
pub(super) struct Export {
    /// The operating system, as [`std::env::consts::OS`] spells it.
    pub(super) os: &'static str,
    /// What is run in place of the system's command.
    pub(super) program: Option<PathBuf>,
    /// Protects what is exported on its way.
    pub(super) password: Secret,
    pub(super) patience: Duration,
}

impl Export {
    /// The store of this operating system, under a password of its own.
    pub(super) fn here() -> Result<Self> {
        let mut bytes = Zeroizing::new([0; 16]);
        getrandom::fill(bytes.as_mut_slice()).map_err(|error| {
            Error::new(ErrorKind::Internal, format!("there is no randomness: {error}")).hint("please report this")
        })?;
        Ok(Self {
            os: std::env::consts::OS,
            program: None,
            password: format!("{:032x}", u128::from_ne_bytes(*bytes)).into(),
            patience: PATIENCE,
        })
    }

    /// The entry of `store` that its subject selects, of those with a private key.
    pub(super) fn open(&self, store: &StoreOptions) -> Result<Entry> {
        let StoreOptions { option, kind, .. } = store;
        let system = System::of(self.os).ok_or_else(|| {
            let message = format!("{option}: there is no {kind} certificate store on this operating system");
            Error::new(ErrorKind::Unsupported, message).hint(FILE_INSTEAD)
        })?;
        let mut program = system.program(store, &self.password)?;
        if let Some(path) = &self.program {
            program.path.clone_from(path);
        }
        let answer = program.run(self.patience).map_err(|silence| {
            let name = program.path.display();
            match silence {
                Silence::Failed(error) => {
                    let message =
                        format!("{option}: {name}, which exports from the {kind} certificate store, cannot be run: {error}");
                    Error::new(ErrorKind::Io, message).hint(FILE_INSTEAD)
                }
                Silence::Late => {
                    let message = format!(
                        "{option}: {name}, which exports from the {kind} certificate store, did not end within {} s",
                        self.patience.as_secs_f32()
                    );
                    Error::new(ErrorKind::Timeout, message)
                        .hint(format!("it may have asked for a permission on the screen; or {FILE_INSTEAD}"))
                }
            }
        })?;
        let found = system.read(&answer, &self.password).map_err(|unread| unread.of(store))?;
        if found.entries.is_empty() {
            return Err(Unread::Empty.of(store));
        }
        let entry = select(store, found.entries)?;
        if entry.key.is_some() {
            return Ok(entry);
        }
        let reason = found.sealed.iter().find(|(der, _)| entry.chain.first() == Some(der));
        let message = format!(
            "{option}: the private key of {} cannot be exported from the {kind} certificate store: {}",
            entry.subjects.first().map_or("it", String::as_str),
            reason.map_or("no reason given", |(_, reason)| reason.as_str())
        );
        Err(Error::new(ErrorKind::Unsupported, message).hint(
            "keys that are not marked as exportable stay in the store: use the file that it was imported from, with the type PFXFILE",
        ))
    }
}

/// The operating systems that have certificate stores.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum System {
    Windows,
    MacOs,
}

/// What was exported.
#[derive(Debug, Default)]
struct Found {
    entries: Vec<Entry>,
    /// Certificates whose keys could not be had, which are entries without key, and why.
    sealed: Vec<(Vec<u8>, String)>,
}

/// Why nothing was exported.
#[derive(Debug)]
enum Unread {
    /// The command says so.
    Refused(String),
    /// Its answer is not what it should be.
    Garbled(&'static str),
    Empty,
}

impl Unread {
    fn of(self, store: &StoreOptions) -> Error {
        let StoreOptions { option, kind, .. } = store;
        let name = format!("check the name of the store in {option}, and that it holds a certificate with a private key");
        match self {
            Unread::Refused(reason) => Error::new(
                ErrorKind::Io,
                format!("{option}: nothing could be exported from the {kind} certificate store: {reason}"),
            )
            .hint(format!("{name}; or {FILE_INSTEAD}")),
            Unread::Garbled(what) => Error::new(
                ErrorKind::Io,
                format!("{option}: what was exported from the {kind} certificate store cannot be read: {what}"),
            )
            .hint(FILE_INSTEAD),
            Unread::Empty => fault(format!(
                "{option}: the {kind} certificate store holds no certificate with a private key"
            ))
            .hint(name),
        }
    }
}

impl System {
    fn of(os: &str) -> Option<Self> {
        match os {
            "windows" => Some(System::Windows),
            "macos" => Some(System::MacOs),
            _ => None,
        }
    }

    /// The command that exports `store` under `password`.
    fn program(self, store: &StoreOptions, password: &Secret) -> Result<Program> {
        let (StorePlace::File(name) | StorePlace::Blob(name)) = &store.place;
        let name = name.expose().trim();
        // Each command of `security` is a line of at most 4096 bytes, and a variable ends at a zero.
        if name.len() > 1000 || name.contains(char::is_control) {
            return Err(
                fault(format!("{} is no name of a certificate store", store.option)).hint(format!(
                    "{} takes a name such as MY; for a file set the type to PFXFILE",
                    store.kind
                )),
            );
        }
        let of_machine = store.kind == "MACHINE";
        // Windows' name for the store of one's own certificates, so that one connection string does for both systems.
        let own = name.is_empty() || name.eq_ignore_ascii_case("MY");
        Ok(match self {
            System::Windows => Program {
                path: "powershell.exe".into(),
                arguments: vec![
                    "-NoLogo",
                    "-NoProfile",
                    "-NonInteractive",
                    "-OutputFormat",
                    "Text",
                    "-Command",
                    SCRIPT,
                ],
                variables: vec![
                    (
                        "CERTIFICATE_EXPORT_LOCATION",
                        if of_machine { "LocalMachine" } else { "CurrentUser" }.into(),
                    ),
                    ("CERTIFICATE_EXPORT_STORE", if own { "MY" } else { name }.into()),
                    ("CERTIFICATE_EXPORT_PASSWORD", password.clone()),
                ],
                input: Secret::default(),
            },
            System::MacOs => {
                let keychain = match (of_machine, own) {
                    (false, true) => "login.keychain".to_owned(),
                    (true, true) => "/Library/Keychains/System.keychain".to_owned(),
                    (true, false) if !name.contains('/') => format!("/Library/Keychains/{name}"),
                    _ => name.to_owned(),
                };
                let keychain = keychain.replace('\\', r"\\").replace('"', "\\\"");
                Program {
                    path: "/usr/bin/security".into(),
                    // Its commands are read from standard input: arguments, the password among them, could be seen by other users.
                    arguments: vec!["-q", "-i"],
                    variables: Vec::new(),
                    input: format!("export -k \"{keychain}\" -t identities -f pkcs12 -P {}\n", password.expose()).into(),
                }
            }
        })
    }

    /// What the answer to [`program`](Self::program) holds: the entries with private keys, and those whose keys cannot be had.
    fn read(self, answer: &Answer, password: &Secret) -> Result<Found, Unread> {
        let mut found = Found::default();
        match self {
            System::Windows => {
                let text = std::str::from_utf8(&answer.output).map_err(|_| Unread::Garbled("it is no text"))?;
                for said in text.lines().filter(|line| !line.trim().is_empty()) {
                    let words: Vec<_> = said.split_whitespace().collect();
                    match words.as_slice() {
                        ["pfx", store] => found.entries.extend(keyed(&decoded(store)?, password)?),
                        ["sealed", certificate, why] => {
                            let der = decoded(certificate)?.to_vec();
                            let entry = Entry::new(None, vec![der.clone()]);
                            found
                                .entries
                                .push(entry.map_err(|_| Unread::Garbled("a certificate in it is malformed"))?);
                            found.sealed.push((der, reason(why)?));
                        }
                        ["failed", why] => return Err(Unread::Refused(reason(why)?)),
                        _ if answer.success => return Err(Unread::Garbled("it is no list of certificates")),
                        _ => {}
                    }
                }
            }
            System::MacOs if answer.success && !answer.output.is_empty() => found.entries = keyed(&answer.output, password)?,
            System::MacOs => {}
        }
        if answer.success {
            Ok(found)
        } else {
            Err(Unread::Refused(answer.complaint.clone()))
        }
    }
}

fn decoded(text: &str) -> Result<Zeroizing<Vec<u8>>, Unread> {
    BASE64
        .decode(text)
        .map(Zeroizing::new)
        .map_err(|_| Unread::Garbled("it is not base64"))
}

fn reason(text: &str) -> Result<String, Unread> {
    Ok(line(&String::from_utf8_lossy(&decoded(text)?)))
}

/// The entries with private keys of an exported store. The certificates that vouch for them are none that a subject should select.
fn keyed(bytes: &[u8], password: &Secret) -> Result<Vec<Entry>, Unread> {
    let mut entries = pkcs12::entries(bytes, Some(password.expose())).map_err(|fault| match fault {
        Fault::Format(what) | Fault::Unsupported(what, _) => Unread::Garbled(what),
        Fault::Password | Fault::PasswordMissing => Unread::Garbled("it is under another password than was asked for"),
    })?;
    entries.retain(|entry| entry.key.is_some());
    Ok(entries)
}

#[cfg(test)]
mod tests;
