//! Takes secrets out of a text that leaves the process.
//!
//! Two ways, either of which would do for what is known today: the secrets of the connection are looked for as they are, in base64
//! and percent-encoded; and what stands behind a name that announces a secret is taken out whatever it is.

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use percent_encoding::{NON_ALPHANUMERIC, utf8_percent_encode};

use crate::connection::{Connection, Credentials, Secret};

/// Shorter secrets are no secrets, and would take letters out of words.
const SHORTEST: usize = 4;

/// Names behind which a secret stands, in lower case, with what follows the name.
const NAMES: &[&str] = &[
    "authorization: ",
    "cookie: ",
    "set-cookie: ",
    "bearer ",
    "basic ",
    "jsessionid=",
    "access_token\":\"",
    "refresh_token\":\"",
    "client_secret\":\"",
    "sessiontoken\":\"",
    "password\":\"",
    "access_token=",
    "refresh_token=",
    "client_secret=",
    "samlresponse=",
    "password=",
    "code_verifier=",
];

/// Knows the secrets of one connection. `Debug` prints none.
pub(crate) struct Redactor(Vec<Secret>);

impl std::fmt::Debug for Redactor {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Redactor")
    }
}

impl Redactor {
    /// For the secrets of `connection`.
    pub(crate) fn of(connection: &Connection) -> Self {
        let mut secrets: Vec<Secret> = connection.secrets().collect();
        if let Credentials::Basic { user, password } = connection.credentials() {
            secrets.push(STANDARD.encode(format!("{user}:{}", password.expose())).into());
        }
        Self::new(secrets)
    }

    fn new(secrets: Vec<Secret>) -> Self {
        let mut forms: Vec<Secret> = Vec::new();
        for secret in secrets.into_iter().filter(|secret| secret.expose().len() >= SHORTEST) {
            let text = secret.expose();
            forms.push(STANDARD.encode(text).into());
            forms.push(utf8_percent_encode(text, NON_ALPHANUMERIC).to_string().into());
            // As `Debug` and JSON write it.
            forms.push(text.escape_debug().to_string().into());
            forms.push(secret);
        }
        // The longest first: a secret may be part of another.
        forms.sort_by_key(|form| std::cmp::Reverse(form.expose().len()));
        forms.dedup();
        Self(forms)
    }

    /// `text` with `***` in the place of every secret.
    pub(crate) fn redacted(&self, text: &str) -> String {
        let mut text = text.to_owned();
        for secret in &self.0 {
            if text.contains(secret.expose()) {
                text = text.replace(secret.expose(), "***");
            }
        }
        for name in NAMES {
            text = behind(&text, name);
        }
        text
    }
}

/// `text` with `***` behind each `name`, up to the end of the word.
fn behind(text: &str, name: &str) -> String {
    let lower = text.to_ascii_lowercase();
    let mut result = String::with_capacity(text.len());
    let mut from = 0;
    while let Some(at) = lower[from..].find(name) {
        let start = from + at + name.len();
        // A scheme and its proof, or a list of cookies, is more than a word.
        let whole_line = name.ends_with(": ");
        let ends = |c: char| {
            if whole_line {
                c == '\n' || c == '"'
            } else {
                c.is_whitespace() || matches!(c, '"' | '&' | ',' | ';' | '\'')
            }
        };
        let end = text[start..].find(ends).map_or(text.len(), |length| start + length);
        result += &text[from..start];
        result += if end > start { "***" } else { "" };
        from = end;
    }
    result + &text[from..]
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn secrets_are_taken_out_in_every_form() {
        let redactor = Redactor::new(vec!["c4n4ry+/1".into(), "ab".into()]);
        for text in [
            "a c4n4ry+/1 b",
            "a YzRuNHJ5Ky8x b",
            "a c4n4ry%2B%2F1 b",
            "Authorization: Basic other\nnext",
            "authorization: Bearer other",
            r#"{"access_token":"other","x":1}"#,
            "grant=x&refresh_token=other&y=1",
            "cookie: JSESSIONID=other; a=b",
            "JSESSIONID=other; path",
        ] {
            let found = redactor.redacted(text);
            assert!(found.contains("***"), "{text}");
            assert!(
                !found.contains("other") && !found.contains("c4n4ry") && !found.contains("YzRuN"),
                "{found}"
            );
        }
        assert_eq!(redactor.redacted("GET /rest/api about=1"), "GET /rest/api about=1");
        assert_eq!(redactor.redacted("x&access_token=a&b=c"), "x&access_token=***&b=c");
    }
}
