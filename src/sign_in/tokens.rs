//! Tokens as they are kept: what an authorization server granted, for which site and client, and when.
//!
//! The only place where secrets are written out in full.

use serde::{Deserialize, Deserializer, Serialize, Serializer};
use sha2::{Digest, Sha256};
use std::time::{SystemTime, UNIX_EPOCH};

use crate::connection::Secret;
use crate::error::{Error, ErrorKind, Result};

/// Version of the format.
const VERSION: u32 = 1;

/// What is kept for one site, client and profile.
#[derive(Debug, Clone, Default, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Tokens {
    pub(super) version: u32,
    /// Root of the site.
    pub(super) site: String,
    /// Client id or consumer key.
    pub(super) client: String,
    /// Empty: there is none.
    #[serde(default, with = "text")]
    pub(super) access_token: Secret,
    /// Of an OAuth 1.0a access token.
    #[serde(default, with = "text", skip_serializing_if = "is_empty")]
    pub(super) token_secret: Secret,
    /// Empty: there is none.
    #[serde(default, with = "text", skip_serializing_if = "is_empty")]
    pub(super) refresh_token: Secret,
    /// When the access token was issued, in Unix seconds, by the clock of this machine.
    #[serde(default)]
    pub(super) issued: u64,
    /// Lifetime of the access token in seconds. None: unknown, or without end.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(super) expires_in: Option<u64>,
    /// Scopes granted, separated by spaces.
    #[serde(default, skip_serializing_if = "String::is_empty")]
    pub(super) scope: String,
    /// Fingerprint of the option these tokens descend from: another value there begins anew.
    #[serde(default, skip_serializing_if = "String::is_empty")]
    pub(super) origin: String,
    /// A sign-in that waits for its code.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(super) pending: Option<Pending>,
}

/// A sign-in that was begun and waits for the code that the browser shows.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Pending {
    /// OAuth 2.0: the state that the callback must carry. OAuth 1.0a: the request token.
    pub(super) state: String,
    /// OAuth 2.0: the PKCE verifier. OAuth 1.0a: the secret of the request token.
    #[serde(with = "text")]
    pub(super) verifier: Secret,
}

impl Tokens {
    pub(super) fn new(site: &str, client: &str) -> Self {
        Self {
            version: VERSION,
            site: site.to_owned(),
            client: client.to_owned(),
            ..Self::default()
        }
    }

    /// Reads what [`Tokens::write`] wrote for the same site and client. `place` is where it was found.
    pub(super) fn read(text: &str, site: &str, client: &str, place: &str) -> Result<Self> {
        let unusable = |what: &str, hint: &str| {
            // Without the cause: serde quotes what it cannot read.
            Error::new(ErrorKind::Option, format!("the tokens in {place} {what}")).hint(hint.to_owned())
        };
        let tokens: Self = serde_json::from_str(text).map_err(|_| {
            unusable(
                "cannot be read: it is no token file of jsmql, or damaged",
                "nothing was changed; move it away and run jsmql login, or name another place in OAuthSettingsLocation",
            )
        })?;
        if tokens.version != VERSION {
            return Err(unusable(
                "were written by a newer version of jsmql",
                "update jsmql, or run jsmql login",
            ));
        }
        if tokens.site != site || tokens.client != client {
            return Err(unusable(
                "belong to another site or client",
                "name a place of its own for each connection in OAuthSettingsLocation, or leave it out",
            ));
        }
        Ok(tokens)
    }

    /// As text, secrets in full.
    pub(super) fn write(&self) -> Secret {
        serde_json::to_string_pretty(self).unwrap_or_default().into()
    }

    /// Seconds since the access token was issued. None: by the clock it lies in the future.
    pub(super) fn age(&self) -> Option<u64> {
        // Clocks of two machines that share a file may differ a little.
        const SKEW: u64 = 300;
        let now = now();
        (self.issued <= now + SKEW).then(|| now.saturating_sub(self.issued))
    }
}

/// Unix seconds.
pub(super) fn now() -> u64 {
    SystemTime::now()
        .duration_since(UNIX_EPOCH)
        .map_or(0, |elapsed| elapsed.as_secs())
}

/// A fingerprint that tells whether a secret is still the same, and nothing else about it.
pub(super) fn fingerprint(parts: &[&str]) -> String {
    let mut hash = Sha256::new();
    for part in parts {
        hash.update((part.len() as u64).to_be_bytes());
        hash.update(part);
    }
    hash.finalize().iter().take(8).map(|byte| format!("{byte:02x}")).collect()
}

fn is_empty(secret: &Secret) -> bool {
    secret.expose().is_empty()
}

mod text {
    use super::{Deserialize, Deserializer, Secret, Serializer};

    pub(super) fn serialize<S: Serializer>(secret: &Secret, to: S) -> Result<S::Ok, S::Error> {
        to.serialize_str(secret.expose())
    }

    pub(super) fn deserialize<'d, D: Deserializer<'d>>(from: D) -> Result<Secret, D::Error> {
        String::deserialize(from).map(Secret::from)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_written_is_read() {
        let mut tokens = Tokens::new("https://a.net/", "c");
        tokens.access_token = "at".into();
        tokens.pending = Some(Pending {
            state: "s".into(),
            verifier: "v".into(),
        });
        let text = tokens.write();
        let again = Tokens::read(text.expose(), "https://a.net/", "c", "x").unwrap();
        assert_eq!(again.access_token, tokens.access_token);
        assert_eq!(again.pending, tokens.pending);
        assert!(!format!("{again:?}").contains("at\""));
        for (site, client) in [("https://b.net/", "c"), ("https://a.net/", "d")] {
            let error = Tokens::read(text.expose(), site, client, "x").unwrap_err();
            assert!(error.message().contains("another site or client"), "{error}");
        }
        let error = Tokens::read("{\"access_token\": \"c4n4ry\"", "a", "b", "x").unwrap_err();
        assert!(error.message().contains("damaged") && !format!("{error:?}").contains("c4n4ry"));
    }
}
