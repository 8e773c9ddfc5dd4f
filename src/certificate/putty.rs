//! PuTTY's private keys (`.ppk`), versions 2 and 3.
//!
//! Read here by hand: the one crate that reads them, `ssh-key`, does so for RSA only together with an unreleased version of `rsa`.

use std::collections::HashMap;

use aes::Aes256;
use argon2::{Algorithm, Argon2, Params, Version};
use base64::Engine as _;
use cbc::Decryptor;
use cbc::cipher::block_padding::NoPadding;
use cbc::cipher::{BlockModeDecrypt, KeyIvInit};
use hmac::{Hmac, KeyInit, Mac};
use sha1::Sha1;
use sha2::{Digest, Sha256};
use zeroize::Zeroizing;

use super::entry::Entry;
use super::rsa_key::Numbers;
use super::{BASE64, Fault};

const NONE: Fault = Fault::Format("it is no private key of PuTTY");
/// Memory and passes of Argon2 that a file may ask for: 1 GiB, and far more passes than PuTTY itself makes.
const MOST_MEMORY: u32 = 1 << 20;
const MOST_PASSES: u32 = 1_000;

/// A file taken apart: names with their values, and the two blobs.
struct File<'f> {
    version: u8,
    algorithm: &'f str,
    values: HashMap<&'f str, &'f str>,
    public: Vec<u8>,
    private: Zeroizing<Vec<u8>>,
}

/// What protects a file: the key and start of the cipher, and the key of the checksum.
struct Keys {
    cipher: Zeroizing<[u8; 32]>,
    start: [u8; 16],
    checksum: Zeroizing<Vec<u8>>,
}

/// The private key of a PuTTY file.
pub(super) fn entry(bytes: &[u8], password: Option<&str>) -> Result<Entry, Fault> {
    let file = File::read(std::str::from_utf8(bytes).map_err(|_| NONE)?).ok_or(NONE)?;
    if file.algorithm != "ssh-rsa" {
        return Err(super::ssh::NOT_RSA);
    }
    let protected = match file.value("Encryption")? {
        "none" => false,
        "aes256-cbc" => true,
        _ => return Err(Fault::Unsupported("its encryption is unknown", "write it anew with puttygen")),
    };
    let mut private = file.private.clone();
    let keys = match (protected, password) {
        (true, None) => return Err(Fault::PasswordMissing),
        // An unprotected key takes no password; one set all the same does no harm.
        (true, Some(password)) => file.keys(password)?,
        (false, _) => file.keys("")?,
    };
    if protected {
        let cipher = Decryptor::<Aes256>::new_from_slices(&*keys.cipher, &keys.start).map_err(|_| NONE)?;
        cipher.decrypt_padded::<NoPadding>(&mut private).map_err(|_| NONE)?;
    }
    if !file.is_genuine(&keys, &private)? {
        return Err(if protected { Fault::Password } else { NONE });
    }
    let mut public = Reader(&file.public);
    let mut secret = Reader(&private);
    let _algorithm = public.bytes()?;
    let (exponent, modulus) = (public.bytes()?, public.bytes()?);
    let (private_exponent, p, q) = (secret.bytes()?, secret.bytes()?, secret.bytes()?);
    let numbers = Numbers {
        modulus,
        exponent,
        private_exponent,
        primes: [p, q],
    };
    Ok(Entry::key(numbers.key()?))
}

impl<'f> File<'f> {
    fn read(text: &'f str) -> Option<Self> {
        let mut lines = text.lines();
        let (version, algorithm) = lines.next()?.strip_prefix("PuTTY-User-Key-File-")?.split_once(": ")?;
        let version = version.parse().ok().filter(|version| [2, 3].contains(version))?;
        let mut values = HashMap::new();
        let mut blobs = HashMap::new();
        while let Some(line) = lines.next() {
            // A comment may be empty, and an editor may have taken the blank behind the colon.
            let (name, value) = line.split_once(':')?;
            let value = value.strip_prefix(' ').unwrap_or(value);
            if let Some(name) = name.strip_suffix("-Lines") {
                let count: usize = value.parse().ok()?;
                let packed: Zeroizing<String> = Zeroizing::new(lines.by_ref().take(count).collect());
                blobs.insert(name, BASE64.decode(packed.as_bytes()).ok()?);
            } else {
                values.insert(name, value);
            }
        }
        Some(Self {
            version,
            algorithm,
            values,
            public: blobs.remove("Public")?,
            private: Zeroizing::new(blobs.remove("Private")?),
        })
    }

    fn value(&self, name: &str) -> Result<&'f str, Fault> {
        self.values.get(name).copied().ok_or(NONE)
    }

    fn number(&self, name: &str, most: u32) -> Result<u32, Fault> {
        let number = self.value(name)?.parse().ok();
        number.filter(|number| *number <= most).ok_or(NONE)
    }

    fn keys(&self, password: &str) -> Result<Keys, Fault> {
        if self.version == 2 {
            let half = |count: u8| Sha1::new().chain_update([0, 0, 0, count]).chain_update(password).finalize();
            let mut cipher = Zeroizing::new([0; 32]);
            cipher[..20].copy_from_slice(&half(0));
            cipher[20..].copy_from_slice(&half(1)[..12]);
            let checksum = Sha1::new()
                .chain_update("putty-private-key-file-mac-key")
                .chain_update(password)
                .finalize();
            return Ok(Keys {
                cipher,
                start: [0; 16],
                checksum: Zeroizing::new(checksum.to_vec()),
            });
        }
        let mut keys = Keys {
            cipher: Zeroizing::new([0; 32]),
            start: [0; 16],
            checksum: Zeroizing::new(Vec::new()),
        };
        let Ok(kind) = self.value("Key-Derivation") else {
            // Unprotected: the checksum has an empty key.
            return Ok(keys);
        };
        let algorithm = match kind {
            "Argon2id" => Algorithm::Argon2id,
            "Argon2i" => Algorithm::Argon2i,
            "Argon2d" => Algorithm::Argon2d,
            _ => return Err(NONE),
        };
        let memory = self.number("Argon2-Memory", MOST_MEMORY)?;
        let passes = self.number("Argon2-Passes", MOST_PASSES)?;
        let lanes = self.number("Argon2-Parallelism", 64)?;
        let salt = hex(self.value("Argon2-Salt")?)?;
        let mut derived = Zeroizing::new([0; 80]);
        let params = Params::new(memory, passes, lanes, Some(derived.len())).map_err(|_| NONE)?;
        let argon = Argon2::new(algorithm, Version::V0x13, params);
        argon
            .hash_password_into(password.as_bytes(), &salt, &mut *derived)
            .map_err(|_| NONE)?;
        keys.cipher.copy_from_slice(&derived[..32]);
        keys.start.copy_from_slice(&derived[32..48]);
        keys.checksum = Zeroizing::new(derived[48..].to_vec());
        Ok(keys)
    }

    /// Whether the checksum over everything, the private blob in the open, is right: it shows a wrong password.
    fn is_genuine(&self, keys: &Keys, private: &[u8]) -> Result<bool, Fault> {
        let mut text = Zeroizing::new(Vec::new());
        let comment = self.values.get("Comment").copied().unwrap_or_default();
        let parts = [
            self.algorithm.as_bytes(),
            self.value("Encryption")?.as_bytes(),
            comment.as_bytes(),
            &self.public,
            private,
        ];
        for part in parts {
            text.extend_from_slice(&u32::try_from(part.len()).map_err(|_| NONE)?.to_be_bytes());
            text.extend_from_slice(part);
        }
        let checksum = hex(self.value("Private-MAC")?)?;
        Ok(if self.version == 2 {
            let mac = Hmac::<Sha1>::new_from_slice(&keys.checksum).map_err(|_| NONE)?;
            mac.chain_update(&*text).verify_slice(&checksum).is_ok()
        } else {
            let mac = Hmac::<Sha256>::new_from_slice(&keys.checksum).map_err(|_| NONE)?;
            mac.chain_update(&*text).verify_slice(&checksum).is_ok()
        })
    }
}

/// Fields with their length in front.
struct Reader<'b>(&'b [u8]);

impl<'b> Reader<'b> {
    fn bytes(&mut self) -> Result<&'b [u8], Fault> {
        let (length, rest) = self.0.split_first_chunk::<4>().ok_or(NONE)?;
        let length = u32::from_be_bytes(*length) as usize;
        let (bytes, rest) = rest.split_at_checked(length).ok_or(NONE)?;
        self.0 = rest;
        Ok(bytes)
    }
}

fn hex(text: &str) -> Result<Vec<u8>, Fault> {
    let digits = text.as_bytes();
    if !digits.len().is_multiple_of(2) {
        return Err(NONE);
    }
    let digit = |byte: u8| char::from(byte).to_digit(16);
    let pairs = digits
        .chunks_exact(2)
        .map(|pair| Some((digit(pair[0])? * 16 + digit(pair[1])?) as u8));
    pairs.collect::<Option<_>>().ok_or(NONE)
}
