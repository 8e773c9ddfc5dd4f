//! How a client proves who it is. Knows headers, not where credentials come from.

use super::{Method, Secret};
use crate::error::{Error, ErrorKind, Result};
use async_trait::async_trait;
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use reqwest::header::{AUTHORIZATION, COOKIE, HeaderName, HeaderValue};
use std::fmt;
use std::sync::Arc;
use url::Url;
use zeroize::Zeroizing;

/// The credentials of a client. `Debug` prints the user, never the secret.
#[derive(Debug, Clone)]
pub(crate) enum Authorization {
    /// Anonymous.
    None,
    /// E-mail and API token on Cloud, user and password on Data Center.
    Basic {
        /// E-mail address or user name.
        user: String,
        /// API token or password.
        password: Secret,
    },
    /// Personal access token on Data Center, or any other token that stays the same.
    Bearer(Secret),
    /// A proof made for each request: a token that is renewed, a signature, or the cookie of a session.
    Signed(Arc<dyn Signer>),
}

/// Where proofs come from that change.
#[async_trait]
pub(crate) trait Signer: fmt::Debug + Send + Sync {
    /// The proof for a request. It may ask a server first, such as for a token in time before the old one expires.
    async fn proof(&self, method: Method, url: &Url) -> Result<Proof>;

    /// The site did not accept `refused`. Whether a better proof can now be had; an error says why it cannot be.
    async fn renew(&self, refused: &Proof) -> Result<bool>;

    /// Which options to look at when the site accepts no proof.
    fn hint(&self) -> &'static str;
}

/// What one request carries.
#[derive(Debug, Clone)]
pub(crate) struct Proof {
    pub(crate) kind: ProofKind,
    pub(crate) value: Secret,
}

/// The header that a proof goes into.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum ProofKind {
    /// `Authorization`.
    Authorization,
    /// `Cookie`.
    Cookie,
}

impl Proof {
    /// `Authorization: Bearer`.
    pub(crate) fn bearer(token: &Secret) -> Self {
        Self {
            kind: ProofKind::Authorization,
            value: format!("Bearer {}", token.expose()).into(),
        }
    }

    /// The header, marked sensitive so that no layer below prints it or stores it in an HPACK table.
    pub(super) fn header(&self) -> Result<(HeaderName, HeaderValue)> {
        let name = match self.kind {
            ProofKind::Authorization => AUTHORIZATION,
            ProofKind::Cookie => COOKIE,
        };
        sensitive(self.value.expose()).map(|value| (name, value))
    }
}

impl Authorization {
    /// Whether no credentials are sent.
    pub(super) fn is_none(&self) -> bool {
        matches!(self, Self::None)
    }

    /// The header's value where it is the same for all requests.
    pub(super) fn header(&self) -> Result<Option<HeaderValue>> {
        let text = Zeroizing::new(match self {
            Self::None | Self::Signed(_) => return Ok(None),
            Self::Basic { user, password } => {
                let pair = Zeroizing::new(format!("{user}:{}", password.expose()));
                format!("Basic {}", STANDARD.encode(pair.as_bytes()))
            }
            Self::Bearer(token) => format!("Bearer {}", token.expose()),
        });
        sensitive(&text).map(Some)
    }

    /// What makes proofs, if they change.
    pub(super) fn signer(&self) -> Option<&Arc<dyn Signer>> {
        match self {
            Self::Signed(signer) => Some(signer),
            _ => None,
        }
    }
}

fn sensitive(text: &str) -> Result<HeaderValue> {
    // Only a token can fail here: base64 is always a legal header value.
    let mut value = HeaderValue::from_str(text).map_err(|_| {
        Error::new(ErrorKind::Option, "the token contains a character that cannot be sent")
            .hint("look for a line break at the end of the token, or at the end of the file it was read from")
    })?;
    value.set_sensitive(true);
    Ok(value)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn debug_prints_no_secret() {
        let basic = Authorization::Basic {
            user: "ann@example.com".into(),
            password: Secret::from("hunter2"),
        };
        assert_eq!(format!("{basic:?}"), r#"Basic { user: "ann@example.com", password: *** }"#);
        assert_eq!(
            format!("{:?} {}", Authorization::Bearer(Secret::from("t")), Secret::from("t")),
            "Bearer(***) ***"
        );
        assert!(basic.header().unwrap().unwrap().is_sensitive());
        assert_eq!(basic.header().unwrap().unwrap(), "Basic YW5uQGV4YW1wbGUuY29tOmh1bnRlcjI=");
        assert!(Proof::bearer(&Secret::from("t")).header().unwrap().1.is_sensitive());
    }

    #[test]
    fn a_line_break_in_a_token_is_an_option_error_without_the_token() {
        let error = Authorization::Bearer(Secret::from("abc\n")).header().unwrap_err();
        assert_eq!(error.kind(), ErrorKind::Option);
        assert!(!format!("{error:?}").contains("abc"));
    }
}
