//! How a client proves who it is. Knows the `Authorization` header, not where credentials come from.

use super::Secret;
use crate::error::{Error, ErrorKind, Result};
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use reqwest::header::HeaderValue;
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
    /// OAuth access token, or personal access token on Data Center.
    Bearer(Secret),
}

impl Authorization {
    /// Whether no credentials are sent.
    pub(super) fn is_none(&self) -> bool {
        matches!(self, Self::None)
    }

    /// The header's value, marked sensitive so that no layer below prints it or stores it in an HPACK table.
    pub(super) fn header(&self) -> Result<Option<HeaderValue>> {
        let text = Zeroizing::new(match self {
            Self::None => return Ok(None),
            Self::Basic { user, password } => {
                let pair = Zeroizing::new(format!("{user}:{}", password.expose()));
                format!("Basic {}", STANDARD.encode(pair.as_bytes()))
            }
            Self::Bearer(token) => format!("Bearer {}", token.expose()),
        });
        // Only a bearer token can fail here: base64 is always a legal header value.
        let mut value = HeaderValue::from_str(&text).map_err(|_| {
            Error::new(ErrorKind::Option, "the token contains a character that cannot be sent")
                .hint("look for a line break at the end of the token, or at the end of the file it was read from")
        })?;
        value.set_sensitive(true);
        Ok(Some(value))
    }
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
    }

    #[test]
    fn a_line_break_in_a_token_is_an_option_error_without_the_token() {
        let error = Authorization::Bearer(Secret::from("abc\n")).header().unwrap_err();
        assert_eq!(error.kind(), ErrorKind::Option);
        assert!(!format!("{error:?}").contains("abc"));
    }
}
