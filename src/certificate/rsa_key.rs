//! An RSA private key that signs, from any encoding, and RSA keys that are written as numbers.

use std::fmt;

use base64::Engine as _;
use pkcs8::{DecodePrivateKey, EncodePrivateKey};
use rsa::pkcs1::DecodeRsaPrivateKey;
use rsa::{BoxedUint, PrivateKey as Rsa};
use serde::Deserialize;
use sha1::Sha1;
use zeroize::Zeroizing;

use super::entry::{Entry, PrivateKey};
use super::{BASE64, Fault};

/// An RSA private key.
#[derive(Clone)]
pub(crate) struct RsaKey(Rsa);

impl fmt::Debug for RsaKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("***")
    }
}

impl RsaKey {
    /// The key, or what it is instead.
    pub(super) fn decode(key: &PrivateKey) -> Result<Self, &'static str> {
        const OTHER: &str = "its key is not an RSA key";
        match key {
            PrivateKey::Pkcs8(der) => Rsa::from_pkcs8_der(der).map_err(|_| OTHER),
            PrivateKey::Pkcs1(der) => Rsa::from_pkcs1_der(der).map_err(|_| "its RSA key is malformed"),
            PrivateKey::Sec1(_) => Err(OTHER),
        }
        .map(Self)
    }

    /// The signature of RSA-SHA1 (PKCS #1 v1.5), as OAuth 1.0 wants it.
    pub(crate) fn sign_sha1(&self, message: &[u8]) -> Option<Vec<u8>> {
        self.0.pkcs1v15_sign::<Sha1>(message).ok()
    }
}

/// The numbers of a private key, big-endian.
pub(super) struct Numbers<'n> {
    pub(super) modulus: &'n [u8],
    pub(super) exponent: &'n [u8],
    pub(super) private_exponent: &'n [u8],
    pub(super) primes: [&'n [u8]; 2],
}

impl Numbers<'_> {
    /// The key with these numbers.
    pub(super) fn key(&self) -> Result<PrivateKey, Fault> {
        const WRONG: Fault = Fault::Format("the numbers in it make no RSA key");
        let number = |bytes: &[u8]| {
            // Leading zeros are no part of a number, but would count as its size.
            let start = bytes.iter().position(|byte| *byte != 0).unwrap_or(bytes.len());
            BoxedUint::from_be_slice_vartime(&bytes[start..])
        };
        let primes = self.primes.iter().map(|prime| number(prime)).collect();
        let key = Rsa::from_components(
            number(self.modulus),
            number(self.exponent),
            number(self.private_exponent),
            primes,
        )
        .map_err(|_| WRONG)?;
        let der = key.to_pkcs8_der().map_err(|_| WRONG)?;
        Ok(PrivateKey::Pkcs8(Zeroizing::new(der.as_bytes().to_vec())))
    }
}

/// A key as JOSE writes it (RFC 7517).
#[derive(Deserialize)]
struct Jwk {
    kty: String,
    n: Option<String>,
    e: Option<String>,
    d: Option<String>,
    p: Option<String>,
    q: Option<String>,
}

/// The RSA key of a JWK. Without `d`, `p` and `q` it is a public key: an entry with nothing to use.
pub(super) fn jwk_entry(bytes: &[u8]) -> Result<Entry, Fault> {
    let jwk: Jwk = serde_json::from_slice(bytes).map_err(|_| Fault::Format("it is no JSON Web Key"))?;
    if jwk.kty != "RSA" {
        return Err(Fault::Unsupported("its key is not an RSA key", "use an RSA key"));
    }
    let number = |text: &Option<String>| -> Result<Option<Zeroizing<Vec<u8>>>, Fault> {
        let Some(text) = text else { return Ok(None) };
        let text = Zeroizing::new(text.replace('-', "+").replace('_', "/"));
        let bytes = BASE64.decode(text.as_bytes());
        bytes
            .map(|bytes| Some(Zeroizing::new(bytes)))
            .map_err(|_| Fault::Format("a number in it is not base64"))
    };
    let (Some(n), Some(e)) = (number(&jwk.n)?, number(&jwk.e)?) else {
        return Err(Fault::Format("the members n and e are missing"));
    };
    match (number(&jwk.d)?, number(&jwk.p)?, number(&jwk.q)?) {
        (Some(d), Some(p), Some(q)) => {
            let numbers = Numbers {
                modulus: &n,
                exponent: &e,
                private_exponent: &d,
                primes: [&p, &q],
            };
            Ok(Entry::key(numbers.key()?))
        }
        _ => Ok(Entry::default()),
    }
}
