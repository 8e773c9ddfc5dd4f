//! Keys of OpenSSH: private and public.

use ssh_key::private::KeypairData;
use ssh_key::{PrivateKey as SshKey, PublicKey};

use super::Fault;
use super::entry::{Entry, PrivateKey};
use super::rsa_key::Numbers;

pub(super) const NOT_RSA: Fault = Fault::Unsupported("its key is not an RSA key", "use an RSA key");

/// A public key: nothing in it signs or is a certificate.
pub(super) fn public_entry(bytes: &[u8]) -> Result<Entry, Fault> {
    let text = std::str::from_utf8(bytes).map_err(|_| Fault::Format("it is no text"))?.trim();
    // RFC 4716, as PuTTY exports it, has dashes; it is a public key all the same.
    if text.starts_with("---- BEGIN SSH2 PUBLIC KEY ----") || PublicKey::from_openssh(text).is_ok() {
        return Ok(Entry::default());
    }
    Err(Fault::Format("it is no public key of OpenSSH"))
}

/// The private key in a PEM section of OpenSSH.
pub(super) fn openssh_key(bytes: &[u8], password: Option<&str>) -> Result<PrivateKey, Fault> {
    let key = SshKey::from_bytes(bytes).map_err(|_| Fault::Format("it is no private key of OpenSSH"))?;
    let key = match password {
        _ if !key.is_encrypted() => key,
        None => return Err(Fault::PasswordMissing),
        Some(password) => key.decrypt(password).map_err(|_| Fault::Password)?,
    };
    rsa(&key)
}

fn rsa(key: &SshKey) -> Result<PrivateKey, Fault> {
    let KeypairData::Rsa(pair) = key.key_data() else {
        return Err(NOT_RSA);
    };
    let (public, private) = (pair.public(), pair.private());
    let numbers = Numbers {
        modulus: public.n().as_bytes(),
        exponent: public.e().as_bytes(),
        private_exponent: private.d().as_bytes(),
        primes: [private.p().as_bytes(), private.q().as_bytes()],
    };
    numbers.key()
}
