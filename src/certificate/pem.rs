//! PEM files: private keys and certificates, in any order; and certificates or public keys as bare DER.

use pkcs8::EncryptedPrivateKeyInfoRef;
use x509_parser::pem::Pem;
use x509_parser::prelude::{FromDer, SubjectPublicKeyInfo, X509Certificate};
use zeroize::Zeroizing;

use super::entry::{Entry, PrivateKey};
use super::{Fault, ssh};

/// The sections of a PEM text. None at all: it is no PEM.
pub(super) fn sections(bytes: &[u8]) -> Result<Vec<Pem>, Fault> {
    if !bytes.windows(11).any(|window| window == b"-----BEGIN ") {
        return Ok(Vec::new());
    }
    Pem::iter_from_buffer(bytes)
        .collect::<Result<_, _>>()
        .map_err(|_| Fault::Format("it is no PEM"))
}

/// One entry: the first key with all certificates, or, without a key, an entry for each certificate.
pub(super) fn entries(bytes: &[u8], password: Option<&str>) -> Result<Vec<Entry>, Fault> {
    let mut key = None;
    let mut certificates = Vec::new();
    let text = String::from_utf8_lossy(bytes);
    if text.contains("Proc-Type: 4,ENCRYPTED") {
        return Err(Fault::Unsupported(
            "its key is encrypted in the traditional way of OpenSSL",
            "write it anew with openssl pkcs8 -topk8 -in FILE",
        ));
    }
    for section in sections(bytes)? {
        let found = match section.label.as_str() {
            "CERTIFICATE" | "X509 CERTIFICATE" | "TRUSTED CERTIFICATE" => {
                certificates.push(section.contents);
                continue;
            }
            "PRIVATE KEY" => PrivateKey::Pkcs8(section.contents.into()),
            "RSA PRIVATE KEY" => PrivateKey::Pkcs1(section.contents.into()),
            "EC PRIVATE KEY" => PrivateKey::Sec1(section.contents.into()),
            "ENCRYPTED PRIVATE KEY" => PrivateKey::Pkcs8(decrypted(&section.contents, password)?),
            "OPENSSH PRIVATE KEY" => ssh::openssh_key(&section.contents, password)?,
            // Parameters of curves, requests, public keys: nothing to use.
            _ => continue,
        };
        key.get_or_insert(found);
    }
    match key {
        Some(key) if certificates.is_empty() => Ok(vec![Entry::key(key)]),
        Some(key) => Ok(vec![Entry::new(Some(key), certificates)?]),
        None if certificates.is_empty() => Err(Fault::Format("it holds neither a private key nor a certificate")),
        None => certificates.into_iter().map(|der| Entry::new(None, vec![der])).collect(),
    }
}

fn decrypted(der: &[u8], password: Option<&str>) -> Result<Zeroizing<Vec<u8>>, Fault> {
    let info = EncryptedPrivateKeyInfoRef::try_from(der).map_err(|_| {
        Fault::Unsupported(
            "its key is encrypted in an unusual way",
            "write it anew with openssl pkcs8 -topk8 -in FILE",
        )
    })?;
    let password = password.ok_or(Fault::PasswordMissing)?;
    let document = info.decrypt(password).map_err(|_| Fault::Password)?;
    Ok(Zeroizing::new(document.as_bytes().to_vec()))
}

/// A certificate or public key, PEM or DER: an entry without private key.
pub(super) fn public_entries(bytes: &[u8]) -> Result<Vec<Entry>, Fault> {
    let sections = sections(bytes)?;
    if sections.is_empty() {
        return match X509Certificate::from_der(bytes) {
            Ok(_) => Ok(vec![Entry::new(None, vec![bytes.to_vec()])?]),
            Err(_) if SubjectPublicKeyInfo::from_der(bytes).is_ok() => Ok(vec![Entry::default()]),
            Err(_) => Err(Fault::Format("it is no certificate and no public key")),
        };
    }
    sections
        .into_iter()
        .filter(|section| section.label.contains("CERTIFICATE") || section.label.ends_with("PUBLIC KEY"))
        .map(|section| match section.label.ends_with("PUBLIC KEY") {
            true => Ok(Entry::default()),
            false => Entry::new(None, vec![section.contents]),
        })
        .collect()
}

/// The certificates of a PEM text as DER. Not for stores: for the option SSLServerCert.
pub(crate) fn certificates(text: &[u8]) -> Option<Vec<Vec<u8>>> {
    let sections = sections(text).ok()?;
    let found = sections.into_iter().filter(|section| section.label.contains("CERTIFICATE"));
    let found: Vec<_> = found.map(|section| section.contents).collect();
    let sound = found.iter().all(|der| X509Certificate::from_der(der).is_ok());
    (sound && !found.is_empty()).then_some(found)
}

/// The public key of a PEM text, as the DER that certificates hold.
pub(crate) fn public_key(text: &[u8]) -> Option<Vec<u8>> {
    let section = sections(text)
        .ok()?
        .into_iter()
        .find(|section| section.label == "PUBLIC KEY")?;
    SubjectPublicKeyInfo::from_der(&section.contents)
        .is_ok()
        .then_some(section.contents)
}

/// The public key of a certificate, as the DER that [`public_key`] gives.
pub(crate) fn key_of(certificate: &[u8]) -> Option<Vec<u8>> {
    let (_, certificate) = X509Certificate::from_der(certificate).ok()?;
    Some(certificate.public_key().raw.to_vec())
}

/// The certificate at `own`, and those that vouch for it, each by the subject that the one before names as its issuer.
pub(super) fn chain(certificates: &[Vec<u8>], own: usize) -> Vec<Vec<u8>> {
    let mut chain = vec![certificates[own].clone()];
    while let Some((_, last)) = chain.last().and_then(|der| X509Certificate::from_der(der).ok()) {
        let issuer = certificates.iter().find(|der| {
            !chain.contains(der)
                && X509Certificate::from_der(der).is_ok_and(|(_, candidate)| candidate.subject() == last.issuer())
        });
        match issuer {
            Some(issuer) => {
                let issuer = issuer.clone();
                chain.push(issuer);
            }
            None => break,
        }
    }
    chain
}
