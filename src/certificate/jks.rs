//! Java key stores, in the format of old (JKS) and in the one that today's `keytool` writes (PKCS #12).

use ::jks::{KeyStore, KeyStoreError};
use zeroize::Zeroizing;

use super::entry::{Entry, PrivateKey};
use super::{Fault, pkcs12};

/// What each Java key store begins with.
const JKS: &[u8] = &[0xfe, 0xed, 0xfe, 0xed];
const JCEKS: &[u8] = &[0xce, 0xce, 0xce, 0xce];

/// Every key with its chain, then every trusted certificate, each by its alias in alphabetical order.
pub(super) fn entries(bytes: &[u8], password: Option<&str>) -> Result<Vec<Entry>, Fault> {
    if bytes.starts_with(JCEKS) {
        return Err(Fault::Unsupported(
            "key stores of type JCEKS cannot be read",
            "convert it with keytool -importkeystore -deststoretype PKCS12, and use PFXFILE",
        ));
    }
    if !bytes.starts_with(JKS) {
        // Since Java 9 keytool writes PKCS #12 whatever the file is called.
        return pkcs12::entries(bytes, password);
    }
    let word = password.ok_or(Fault::PasswordMissing)?.as_bytes();
    let fault = |error| match error {
        KeyStoreError::InvalidDigest => Fault::Password,
        KeyStoreError::UnsupportedAlgorithm => Fault::Unsupported(
            "a key in it is protected in an unusual way",
            "convert it with keytool -importkeystore -deststoretype PKCS12, and use PFXFILE",
        ),
        _ => Fault::Format("it is no Java key store"),
    };
    let mut store = KeyStore::new();
    store.load(bytes, word).map_err(fault)?;
    let mut aliases = store.aliases();
    aliases.sort();
    let (keys, trusted): (Vec<_>, Vec<_>) = aliases.into_iter().partition(|alias| store.is_private_key_entry(alias));
    let mut entries = Vec::new();
    for alias in keys {
        let found = store.get_private_key_entry(&alias, word).map_err(fault)?;
        let chain = found
            .certificate_chain
            .into_iter()
            .map(|certificate| certificate.content)
            .collect();
        let key = PrivateKey::Pkcs8(Zeroizing::new(found.private_key));
        entries.push(Entry::new(Some(key), chain)?);
    }
    for alias in trusted {
        let found = store.get_trusted_certificate_entry(&alias).map_err(fault)?;
        entries.push(Entry::new(None, vec![found.certificate.content])?);
    }
    Ok(entries)
}
