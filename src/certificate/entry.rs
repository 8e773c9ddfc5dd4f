//! One entry of a store: a key, certificates, or both.

use std::fmt;

use x509_parser::prelude::{FromDer, X509Certificate};
use zeroize::Zeroizing;

use super::{Fault, RsaKey, subject};

/// A private key as DER.
#[derive(Clone)]
pub(crate) enum PrivateKey {
    /// PKCS #8, of any algorithm.
    Pkcs8(Zeroizing<Vec<u8>>),
    /// PKCS #1: RSA.
    Pkcs1(Zeroizing<Vec<u8>>),
    /// SEC 1: elliptic curves.
    Sec1(Zeroizing<Vec<u8>>),
}

impl fmt::Debug for PrivateKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("***")
    }
}

/// What a store holds under one name.
#[derive(Debug, Clone, Default)]
pub(crate) struct Entry {
    /// The private key.
    pub(crate) key: Option<PrivateKey>,
    /// Certificates as DER: the one of the key first, then those that vouch for it.
    pub(crate) chain: Vec<Vec<u8>>,
    /// The subject of the first certificate, as it can be written: from the country down, and from the common name up.
    pub(super) subjects: Vec<String>,
}

impl Entry {
    /// A key, the certificate that belongs to it, and others.
    pub(super) fn new(key: Option<PrivateKey>, chain: Vec<Vec<u8>>) -> Result<Self, Fault> {
        let subjects = match chain.first() {
            None => Vec::new(),
            Some(der) => {
                let (_, certificate) =
                    X509Certificate::from_der(der).map_err(|_| Fault::Format("a certificate in it is malformed"))?;
                subject::spellings(certificate.subject())
            }
        };
        Ok(Self { key, chain, subjects })
    }

    /// A bare key without certificate.
    pub(super) fn key(key: PrivateKey) -> Self {
        Self {
            key: Some(key),
            ..Self::default()
        }
    }

    /// Its key as an RSA key. None: there is no private key.
    pub(crate) fn rsa(&self) -> Option<Result<RsaKey, &'static str>> {
        self.key.as_ref().map(RsaKey::decode)
    }
}
