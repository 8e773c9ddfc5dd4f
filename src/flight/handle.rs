//! Words that nobody guesses: bearer tokens, and the handles of statements.

use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use sha2::{Digest as _, Sha256};

use crate::connection::Secret;
use crate::error::{Error, ErrorKind, Result};

/// What is kept of a secret to know it again.
pub(super) type Digest = [u8; 32];

/// 256 bits of the system's randomness, in characters that fit a header.
pub(super) fn unguessable() -> Result<Secret> {
    let mut bytes = [0; 32];
    getrandom::fill(&mut bytes)
        .map_err(|error| Error::new(ErrorKind::Internal, format!("the system gives no random numbers: {error}")))?;
    Ok(URL_SAFE_NO_PAD.encode(bytes).into())
}

/// The digest of a secret. Tables are keyed by it: how long a look-up takes then says nothing about the secret.
pub(super) fn digest(parts: &[&str]) -> Digest {
    let mut hash = Sha256::new();
    for part in parts {
        // The length keeps ("a", "bc") from being ("ab", "c").
        hash.update((part.len() as u64).to_le_bytes());
        hash.update(part.as_bytes());
    }
    hash.finalize().into()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn no_two_are_the_same_and_parts_stay_apart() {
        let (one, other) = (unguessable().unwrap(), unguessable().unwrap());
        assert_ne!(one, other);
        assert_eq!(one.expose().len(), 43);
        assert_ne!(digest(&["a", "bc"]), digest(&["ab", "c"]));
        assert_eq!(digest(&["a", "bc"]), digest(&["a", "bc"]));
    }
}
