//! A text that must not be seen: it prints as `***` and is overwritten when dropped.
//!
//! It knows nothing of options or sites. Whoever calls [`Secret::expose`] answers for where the text goes.

use std::fmt;

use zeroize::Zeroizing;

/// A password, token or whole connection string.
///
/// `Debug` and `Display` print `***`, or nothing at all where the secret is empty: that it is empty is worth knowing and no secret.
#[derive(Clone, Default, PartialEq, Eq)]
pub(crate) struct Secret(Zeroizing<String>);

impl Secret {
    /// The text itself. It may go into a request header, never into a log, error, plan or URL.
    pub(crate) fn expose(&self) -> &str {
        &self.0
    }
}

impl From<String> for Secret {
    fn from(text: String) -> Self {
        Self(Zeroizing::new(text))
    }
}

impl From<&str> for Secret {
    fn from(text: &str) -> Self {
        Self::from(text.to_owned())
    }
}

impl fmt::Display for Secret {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(if self.0.is_empty() { "" } else { "***" })
    }
}

impl fmt::Debug for Secret {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn prints_stars() {
        let secret = Secret::from("canary");
        assert_eq!(format!("{secret} {secret:?} {:?}", Some(&secret)), "*** *** Some(***)");
        assert_eq!(secret.clone().expose(), "canary");
        assert_eq!(Secret::default().to_string(), "");
    }
}
