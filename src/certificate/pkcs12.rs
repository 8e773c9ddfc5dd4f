//! PKCS #12 (PFX): certificates and keys, protected by a password.

use p12_keystore::Pkcs12Archive;
use p12_keystore::error::Error;
use zeroize::Zeroizing;

use super::entry::{Entry, PrivateKey};
use super::{Fault, pem};

/// Every key with its certificate, then every certificate without key.
pub(super) fn entries(bytes: &[u8], password: Option<&str>) -> Result<Vec<Entry>, Fault> {
    let archive = Pkcs12Archive::from_pkcs12(bytes, password.unwrap_or_default()).map_err(|error| match error {
        // A key under another password than the store fails while its padding is checked.
        Error::MacError(_) | Error::UnpadError | Error::Pkcs5Error(_) if password.is_some() => Fault::Password,
        Error::MacError(_) | Error::UnpadError | Error::Pkcs5Error(_) => Fault::PasswordMissing,
        Error::UnsupportedMacAlgorithm | Error::UnsupportedEncryptionScheme => Fault::Unsupported(
            "the store is encrypted in an unusual way",
            "write it anew with openssl pkcs12 -export",
        ),
        _ => Fault::Format("it is no PKCS #12"),
    })?;
    let certificates: Vec<_> = archive.certs.iter().map(|bag| bag.cert.as_der().to_vec()).collect();
    let mut keyed = Vec::new();
    let mut entries = Vec::new();
    for key in &archive.keys {
        let id = key.local_key_id.as_ref().map(|id| id.as_ref().to_vec());
        let own = archive
            .certs
            .iter()
            .position(|bag| id.is_some() && bag.local_key_id == id)
            // Some programs write no ids; with one key there is no doubt.
            .or((archive.keys.len() == 1 && !certificates.is_empty()).then_some(0));
        let chain = match own {
            Some(own) => {
                keyed.push(own);
                pem::chain(&certificates, own)
            }
            None => Vec::new(),
        };
        let der = Zeroizing::new(key.key.as_der().to_vec());
        entries.push(Entry::new(Some(PrivateKey::Pkcs8(der)), chain)?);
    }
    for (position, certificate) in certificates.into_iter().enumerate() {
        if !keyed.contains(&position) {
            entries.push(Entry::new(None, vec![certificate])?);
        }
    }
    Ok(entries)
}
