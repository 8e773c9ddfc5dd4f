//! Certificate stores: the private keys, public keys and certificates in files of every usual format, and in the operating system.
//!
//! It reads what [`StoreOptions`] names and picks one entry of it. What the entry is for, a TLS client certificate or the signing of
//! OAuth 1.0 requests, is not known here; who needs a key or a certificate says so and is told which option is to blame.
//!
//! # Design
//!
//! Decoding is left to a crate for each format; a format module only turns the crate's entries into [`Entry`]. No error quotes a
//! store or a password.

mod entry;
mod jks;
mod pem;
mod pkcs12;
mod pkcs7;
mod program;
mod putty;
mod rsa_key;
mod ssh;
mod subject;
mod system;
#[cfg(test)]
mod tests;
mod xml;

use base64::Engine as _;
use base64::engine::DecodePaddingMode;
use base64::engine::general_purpose::{GeneralPurpose, GeneralPurposeConfig};
use zeroize::Zeroizing;

use crate::connection::{StoreFormat, StoreOptions, StorePlace};
use crate::error::{Error, ErrorKind, Result};
pub(crate) use entry::{Entry, PrivateKey};
pub(crate) use pem::{certificates, key_of, public_key};
pub(crate) use rsa_key::RsaKey;

/// The entry of the store that its subject selects.
pub(crate) fn open(store: &StoreOptions) -> Result<Entry> {
    if store.format == StoreFormat::System {
        return system::Export::here()?.open(store);
    }
    let bytes = bytes(store)?;
    let password = store.password.as_ref().map(|password| password.expose());
    let entries = match store.format {
        StoreFormat::System => unreachable!("opened above"),
        StoreFormat::Pkcs12 => pkcs12::entries(&bytes, password),
        StoreFormat::Jks => jks::entries(&bytes, password),
        StoreFormat::Pem => pem::entries(&bytes, password),
        StoreFormat::Public => pem::public_entries(&bytes),
        StoreFormat::SshPublic => ssh::public_entry(&bytes).map(|entry| vec![entry]),
        StoreFormat::Pkcs7 => pkcs7::entries(&bytes),
        StoreFormat::Ppk => putty::entry(&bytes, password).map(|entry| vec![entry]),
        StoreFormat::Xml => xml::entry(&bytes).map(|entry| vec![entry]),
        StoreFormat::Jwk => rsa_key::jwk_entry(&bytes).map(|entry| vec![entry]),
        StoreFormat::Bcfks => Err(Fault::Unsupported(
            "Bouncy Castle key stores cannot be read",
            "convert it with keytool -importkeystore -deststoretype PKCS12, and use PFXFILE",
        )),
    }
    .map_err(|fault| fault.of(store))?;
    select(store, entries)
}

/// What is wrong with a store, before it is known which option names it.
#[derive(Debug)]
enum Fault {
    /// The bytes are not what the type says.
    Format(&'static str),
    /// The password does not open it.
    Password,
    /// It wants a password, and none is set.
    PasswordMissing,
    /// It is well written, but of a kind that cannot be used; and what to do.
    Unsupported(&'static str, &'static str),
}

impl Fault {
    fn of(self, store: &StoreOptions) -> Error {
        let StoreOptions { option, kind, .. } = store;
        let password = if *option == "SSLClientCert" {
            "SSLClientCertPassword"
        } else {
            "CertificateStorePassword"
        };
        match self {
            Fault::Format(what) => fault(format!("{option} cannot be read as {kind}: {what}"))
                .hint(format!("check the file, and that {kind} is its type")),
            Fault::Password => fault(format!("{option} cannot be opened: {password} is wrong"))
                .hint(format!("check {password}; keys and store must have the same password")),
            Fault::PasswordMissing => fault(format!("{option} is protected by a password")).hint(format!("set {password}")),
            Fault::Unsupported(what, hint) => Error::new(ErrorKind::Unsupported, format!("{option}: {what}")).hint(hint),
        }
    }
}

fn fault(message: String) -> Error {
    Error::new(ErrorKind::Option, message)
}

/// The bytes of the store.
fn bytes(store: &StoreOptions) -> Result<Zeroizing<Vec<u8>>> {
    match &store.place {
        StorePlace::File(path) => std::fs::read(path.expose()).map(Zeroizing::new).map_err(|error| {
            // The path is no secret, but the option that holds it may hold a key by mistake.
            let seems_content = path.expose().len() > 1000;
            Error::new(ErrorKind::Io, format!("cannot read the file of {}: {error}", store.option)).hint(if seems_content {
                format!(
                    "{} names a file; for the content itself use the type that ends with BLOB",
                    store.kind
                )
            } else {
                format!("check the path in {}", store.option)
            })
        }),
        StorePlace::Blob(text) => {
            let text = text.expose();
            if is_text(store.format, text) {
                return Ok(Zeroizing::new(text.as_bytes().to_vec()));
            }
            let packed: Zeroizing<String> = Zeroizing::new(text.chars().filter(|c| !c.is_whitespace()).collect());
            BASE64.decode(packed.as_bytes()).map(Zeroizing::new).map_err(|_| {
                fault(format!("{} is not base64", store.option)).hint(format!(
                    "{} takes the content of the file in base64, such as base64 -w0 FILE prints it",
                    store.kind
                ))
            })
        }
    }
}

/// Whether a blob is the text of a format that is text, rather than base64.
fn is_text(format: StoreFormat, text: &str) -> bool {
    let text = text.trim_start();
    match format {
        StoreFormat::Pem | StoreFormat::Public | StoreFormat::Pkcs7 => text.starts_with("-----"),
        StoreFormat::SshPublic => text.starts_with("ssh-") || text.starts_with("-----") || text.starts_with("----"),
        StoreFormat::Ppk => text.starts_with("PuTTY-"),
        StoreFormat::Xml => text.starts_with('<'),
        StoreFormat::Jwk => text.starts_with('{'),
        _ => false,
    }
}

const BASE64: GeneralPurpose = GeneralPurpose::new(
    &base64::alphabet::STANDARD,
    GeneralPurposeConfig::new().with_decode_padding_mode(DecodePaddingMode::Indifferent),
);

/// The entry whose whole subject is meant, else the first whose subject contains the text. `*` is the first: one with a key, if any.
fn select(store: &StoreOptions, entries: Vec<Entry>) -> Result<Entry> {
    let wanted = store.subject.trim();
    let position = if wanted == "*" {
        let keyed = entries.iter().position(|entry| entry.key.is_some());
        keyed.or((!entries.is_empty()).then_some(0))
    } else {
        let exact = entries.iter().position(|entry| subject::is(&entry.subjects, wanted));
        exact.or_else(|| entries.iter().position(|entry| subject::contains(&entry.subjects, wanted)))
    };
    let mut entries = entries;
    match position {
        Some(position) => Ok(entries.swap_remove(position)),
        None if entries.is_empty() => {
            Err(fault(format!("{} holds no certificate and no key", store.option)).hint("check the file"))
        }
        None => {
            let subjects: Vec<_> = entries
                .iter()
                .filter_map(|entry| entry.subjects.first())
                .take(5)
                .cloned()
                .collect();
            Err(
                fault(format!("{} holds no certificate of that subject", store.option)).hint(if subjects.is_empty() {
                    "it has no subjects at all: set the subject to *".to_owned()
                } else {
                    format!("it holds: {}", subjects.join("; "))
                }),
            )
        }
    }
}
