//! Takes secrets out of a text that leaves the process.
//!
//! Two ways, either of which would do for what is known today. The secrets of the connection, and the proofs that requests went out
//! with, are looked for in every form in which they can come back: as they are, inside of base64, and escaped as URLs, JSON and HTML
//! do it, twice over. And what stands behind a name that announces a secret is taken out whatever it is.

use std::sync::{PoisonError, RwLock};

use base64::Engine as _;
use base64::engine::general_purpose::{STANDARD_NO_PAD, URL_SAFE_NO_PAD};

use crate::connection::{Connection, Credentials, Secret};

/// Shorter secrets are no secrets, and would take letters out of words.
const SHORTEST: usize = 4;

/// Proofs that are remembered: tokens live for an hour or so.
const PROOFS: usize = 16;

/// Escapes in each other that are looked through.
const DEPTH: usize = 2;

/// Names behind which a secret stands, in lower case, with what follows the name.
const NAMES: &[&str] = &[
    "authorization: ",
    "cookie: ",
    "set-cookie: ",
    "x-api-key: ",
    "bearer ",
    "basic ",
    "jsessionid=",
    "access_token\":\"",
    "refresh_token\":\"",
    "id_token\":\"",
    "client_secret\":\"",
    "client_assertion\":\"",
    "sessiontoken\":\"",
    "password\":\"",
    "access_token=",
    "refresh_token=",
    "id_token=",
    "client_secret=",
    "client_assertion=",
    "samlresponse=",
    "samlart=",
    "password=",
    "os_password=",
    "code_verifier=",
    "ticket=",
    "x-amz-signature=",
    "x-amz-security-token=",
];

/// Knows the secrets of one connection. `Debug` prints none.
#[derive(Default)]
pub(crate) struct Redactor {
    secrets: Vec<Secret>,
    /// What the newest requests proved themselves with, the oldest first.
    proofs: RwLock<Vec<Secret>>,
}

impl std::fmt::Debug for Redactor {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Redactor")
    }
}

impl Redactor {
    /// For the secrets of `connection`.
    pub(crate) fn of(connection: &Connection) -> Self {
        let user = match connection.credentials() {
            Credentials::Basic { user, .. } => Some(user.as_str()),
            _ => None,
        };
        Self::new(connection.secrets().collect(), user)
    }

    /// User and password are sent as one.
    fn new(secrets: Vec<Secret>, user: Option<&str>) -> Self {
        let mut needles = Vec::new();
        for secret in secrets.iter().filter(|secret| secret.expose().len() >= SHORTEST) {
            forms(secret.expose(), &mut needles);
            if let Some(user) = user {
                forms(&format!("{user}:{}", secret.expose()), &mut needles);
            }
        }
        sort(&mut needles);
        Self {
            secrets: needles,
            proofs: RwLock::default(),
        }
    }

    /// Learns what a request proves itself with: a scheme and a token.
    pub(crate) fn learn(&self, proof: &Secret) {
        let proof = proof.expose();
        self.keep(proof.split_once(' ').map_or(proof, |(_, token)| token).trim());
    }

    /// Learns cookies, written as in a request: each value by itself, since it may come back under another name.
    pub(crate) fn learn_cookies(&self, cookies: &Secret) {
        for cookie in cookies.expose().split(';') {
            self.keep(cookie.split_once('=').map_or(cookie, |(_, value)| value).trim());
        }
    }

    /// Remembers a secret that no option of the connection holds; the last few of them.
    pub(crate) fn keep(&self, token: &str) {
        let proofs = self.proofs.read().unwrap_or_else(PoisonError::into_inner);
        if token.len() < SHORTEST || proofs.iter().any(|known| known.expose() == token) {
            return;
        }
        drop(proofs);
        let mut proofs = self.proofs.write().unwrap_or_else(PoisonError::into_inner);
        if proofs.len() == PROOFS {
            proofs.remove(0);
        }
        proofs.push(token.into());
    }

    /// `text` with `***` in the place of every secret.
    pub(crate) fn redacted(&self, text: &str) -> String {
        let mut proofs = Vec::new();
        for proof in self.proofs.read().unwrap_or_else(PoisonError::into_inner).iter() {
            forms(proof.expose(), &mut proofs);
        }
        sort(&mut proofs);
        let needles: Vec<&[u8]> = self
            .secrets
            .iter()
            .chain(&proofs)
            .map(|secret| secret.expose().as_bytes())
            .collect();
        let mut text = without(text, &needles);
        for name in NAMES {
            text = behind(&text, name);
        }
        text
    }
}

/// The longest first: a secret may be part of another.
fn sort(needles: &mut Vec<Secret>) {
    needles.sort_by(|a, b| (b.expose().len(), b.expose()).cmp(&(a.expose().len(), a.expose())));
    needles.dedup();
}

/// A secret as it is, and what stays the same of it wherever in base64 it stands: one that begins one or two bytes later than another
/// looks different.
fn forms(secret: &str, needles: &mut Vec<Secret>) {
    needles.push(secret.into());
    for skipped in 0..3 {
        let mut shifted = vec![0; skipped];
        shifted.extend_from_slice(secret.as_bytes());
        for engine in [STANDARD_NO_PAD, URL_SAFE_NO_PAD] {
            let text = engine.encode(&shifted);
            // The first characters hold bits of what stands before, the last of what follows.
            let begin = [0, 2, 3][skipped];
            let end = shifted.len() * 8 / 6;
            let inner = text.get(begin..end).unwrap_or_default();
            if inner.len() >= 2 * SHORTEST - 2 {
                needles.push(inner.into());
            }
        }
    }
}

/// A byte of a text with its escapes resolved, and where it stands in the text.
#[derive(Clone, Copy)]
struct Piece {
    byte: u8,
    from: usize,
    to: usize,
}

/// `text` without the needles, in whatever escapes they stand.
fn without(text: &str, needles: &[&[u8]]) -> String {
    let mut found: Vec<(usize, usize)> = Vec::new();
    let mut pieces: Vec<Piece> = text
        .bytes()
        .enumerate()
        .map(|(at, byte)| Piece {
            byte,
            from: at,
            to: at + 1,
        })
        .collect();
    for depth in 0..=DEPTH {
        let bytes: Vec<u8> = pieces.iter().map(|piece| piece.byte).collect();
        for needle in needles {
            for at in memchr::memmem::find_iter(&bytes, needle) {
                found.push((pieces[at].from, pieces[at + needle.len() - 1].to));
            }
        }
        let resolved = resolved(&pieces);
        if depth == DEPTH || resolved.len() == pieces.len() {
            break;
        }
        pieces = resolved;
    }
    if found.is_empty() {
        return text.to_owned();
    }
    found.sort_unstable();
    let mut result = String::with_capacity(text.len());
    let mut done = 0;
    for (from, to) in found {
        if from >= done {
            result.push_str(&text[done..from]);
            result.push_str("***");
        }
        done = done.max(to);
    }
    result.push_str(&text[done..]);
    result
}

/// The text with one layer of escapes resolved.
fn resolved(pieces: &[Piece]) -> Vec<Piece> {
    let mut out = Vec::with_capacity(pieces.len());
    let mut at = 0;
    while let Some(piece) = pieces.get(at) {
        let rest = &pieces[at..];
        match escape(rest) {
            Some((character, length)) => {
                let (from, to) = (piece.from, rest[length - 1].to);
                let mut buffer = [0; 4];
                match character {
                    Resolved::Byte(byte) => out.push(Piece { byte, from, to }),
                    Resolved::Char(c) => out.extend(c.encode_utf8(&mut buffer).bytes().map(|byte| Piece { byte, from, to })),
                }
                at += length;
            }
            None => {
                out.push(*piece);
                at += 1;
            }
        }
    }
    out
}

enum Resolved {
    Byte(u8),
    Char(char),
}

/// The escape at the beginning, and how long it is.
fn escape(pieces: &[Piece]) -> Option<(Resolved, usize)> {
    let text = |from: usize, to: usize| -> Option<String> {
        let bytes = pieces.get(from..to)?.iter().map(|piece| piece.byte).collect();
        String::from_utf8(bytes).ok()
    };
    match pieces[0].byte {
        b'%' => Some((Resolved::Byte(u8::from_str_radix(&text(1, 3)?, 16).ok()?), 3)),
        b'\\' => Some(match pieces.get(1)?.byte {
            b'u' => match pieces.get(2)?.byte {
                // As `Debug` writes it.
                b'{' => {
                    let end = pieces.iter().take(10).position(|piece| piece.byte == b'}')?;
                    (
                        Resolved::Char(char::from_u32(u32::from_str_radix(&text(3, end)?, 16).ok()?)?),
                        end + 1,
                    )
                }
                _ => (
                    Resolved::Char(char::from_u32(u32::from_str_radix(&text(2, 6)?, 16).ok()?)?),
                    6,
                ),
            },
            b'x' => (Resolved::Byte(u8::from_str_radix(&text(2, 4)?, 16).ok()?), 4),
            b'n' => (Resolved::Byte(b'\n'), 2),
            b't' => (Resolved::Byte(b'\t'), 2),
            b'r' => (Resolved::Byte(b'\r'), 2),
            byte @ (b'"' | b'\'' | b'\\' | b'/') => (Resolved::Byte(byte), 2),
            _ => return None,
        }),
        b'&' => {
            let end = pieces.iter().take(10).position(|piece| piece.byte == b';')?;
            let name = text(1, end)?;
            let character = match name.as_str() {
                "amp" => '&',
                "lt" => '<',
                "gt" => '>',
                "quot" => '"',
                "apos" => '\'',
                name => {
                    let number = name.strip_prefix('#')?;
                    let number = match number.strip_prefix(['x', 'X']) {
                        Some(hex) => u32::from_str_radix(hex, 16),
                        None => number.parse(),
                    };
                    char::from_u32(number.ok()?)?
                }
            };
            Some((Resolved::Char(character), end + 1))
        }
        _ => None,
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
    use base64::engine::general_purpose::STANDARD;
    use percent_encoding::{NON_ALPHANUMERIC, utf8_percent_encode};

    use super::*;

    #[test]
    fn secrets_are_taken_out_in_every_form() {
        let redactor = Redactor::new(vec!["c4n4ry+/1".into(), "ab".into()], Some("ann@a.example"));
        for text in [
            "a c4n4ry+/1 b",
            "a YzRuNHJ5Ky8x b",
            "a c4n4ry%2B%2F1 b",
            "a c4n4ry%2b/1 b",
            r"a c4n4ry+\/1 b",
            r"a c4n4ry\u002b/1 b",
            "a c4n4ry&#43;&#x2F;1 b",
            "a c4n4ry%252B%252F1 b",
            r#"{"url":"https:\/\/a.example\/?t=c4n4ry%2B\/1"}"#,
            "https://ann:c4n4ry+/1@a.example/",
            "Authorization: Basic other\nnext",
            "authorization: Bearer other",
            r#"{"access_token":"other","x":1}"#,
            "grant=x&refresh_token=other&y=1",
            "cookie: JSESSIONID=other; a=b",
            "JSESSIONID=other; path",
            "https://a.example/cas?ticket=other",
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

    #[test]
    fn each_cookie_is_a_secret_by_itself() {
        let redactor = Redactor::new(Vec::new(), None);
        redactor.learn_cookies(&"JSESSIONID=c4n4ry1; atlassian.xsrf.token=c4n4ry2".into());
        let found = redactor.redacted(r#"{"name":"JSESSIONID","value":"c4n4ry1"} and c4n4ry2"#);
        assert_eq!(found, r#"{"name":"JSESSIONID","value":"***"} and ***"#);
    }

    #[test]
    fn a_secret_inside_of_base64_is_found_wherever_it_begins() {
        let redactor = Redactor::new(vec!["s3cr3t-canary".into()], Some("ann"));
        for before in ["", "x", "xy", "ann:", "someone else:", "{\"t\":\""] {
            for after in ["", "!", "!!", "\"}"] {
                let whole = format!("{before}s3cr3t-canary{after}");
                for encoded in [STANDARD.encode(&whole), URL_SAFE_NO_PAD.encode(&whole)] {
                    let escaped = utf8_percent_encode(&encoded, NON_ALPHANUMERIC).to_string();
                    for text in [format!("a {encoded} b"), format!("a {escaped} b")] {
                        let found = redactor.redacted(&text);
                        assert!(found.contains("***"), "{whole}: {found}");
                        // What is left of it is a few characters at its ends.
                        assert!(found.len() < text.len(), "{found}");
                    }
                }
            }
        }
    }

    #[test]
    fn proofs_are_learnt_and_the_oldest_forgotten() {
        let redactor = Redactor::default();
        for number in 0..=PROOFS {
            redactor.learn(&format!("Bearer token-{number}-x").into());
            redactor.learn(&format!("Bearer token-{number}-x").into());
        }
        assert_eq!(redactor.redacted("a token-16-x b"), "a *** b");
        assert_eq!(redactor.redacted("a token-0-x b"), "a token-0-x b");
    }
}
