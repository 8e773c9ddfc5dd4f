//! Takes secrets out of a text that leaves the process.
//!
//! Two ways, either of which would do for what is known today. The secrets of the connection, and the proofs that requests went out
//! with, are looked for in every form in which they can come back: as they are, inside of base64, in hexadecimal digits, in Latin-1, cut
//! off behind their beginning, and escaped as forms, URLs, JSON and HTML do it, twice over. And what stands behind a name that announces a
//! secret, or before the host of an address, is taken out whatever it is.

use std::collections::VecDeque;
use std::sync::{PoisonError, RwLock};

use base64::Engine as _;
use base64::engine::general_purpose::{STANDARD, STANDARD_NO_PAD, URL_SAFE_NO_PAD};
use zeroize::Zeroizing;

use crate::connection::{Connection, Credentials, Secret};

/// Shorter secrets are no secrets, and would take letters out of words.
const SHORTEST: usize = 4;

/// Bytes of a secret that are one although the rest is cut off.
const TELLING: usize = 8;

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

/// Names of parameters in the query of an address behind which a secret stands.
const PARAMETERS: &[&str] = &[
    "token",
    "secret",
    "api_key",
    "apikey",
    "signature",
    "sig",
    "jwt",
    "auth",
    "pwd",
];

/// What is looked for: all of it, or as much of its beginning as tells something.
#[derive(PartialEq)]
struct Needle {
    bytes: Zeroizing<Vec<u8>>,
    least: usize,
}

/// Knows the secrets of one connection. `Debug` prints none.
#[derive(Default)]
pub(crate) struct Redactor {
    secrets: Vec<Needle>,
    /// What the newest requests proved themselves with, the oldest first, and what is looked for of each.
    proofs: RwLock<VecDeque<(Secret, Vec<Needle>)>>,
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
            for secret in spellings(secret.expose()) {
                forms(&secret, 0, &mut needles);
                for user in user.into_iter().flat_map(spellings) {
                    let pair = Zeroizing::new([&user[..], b":", &secret].concat());
                    forms(&pair, user.len() + 1, &mut needles);
                    forms(STANDARD.encode(&*pair).as_bytes(), 0, &mut needles);
                }
            }
        }
        each_once(&mut needles);
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
        let is_known = |proofs: &VecDeque<(Secret, Vec<Needle>)>| proofs.iter().any(|(known, _)| known.expose() == token);
        if token.len() < SHORTEST || is_known(&self.proofs.read().unwrap_or_else(PoisonError::into_inner)) {
            return;
        }
        // Once for each proof, and not for each text that is looked through.
        let mut needles = Vec::new();
        forms(token.as_bytes(), 0, &mut needles);
        each_once(&mut needles);
        let mut proofs = self.proofs.write().unwrap_or_else(PoisonError::into_inner);
        if is_known(&proofs) {
            return;
        }
        if proofs.len() == PROOFS {
            proofs.pop_front();
        }
        proofs.push_back((token.into(), needles));
    }

    /// `text` with `***` in the place of every secret.
    pub(crate) fn redacted(&self, text: &str) -> String {
        let proofs = self.proofs.read().unwrap_or_else(PoisonError::into_inner);
        let needles = self.secrets.iter().chain(proofs.iter().flat_map(|(_, needles)| needles));
        let mut text = without(text, &needles.collect::<Vec<_>>());
        drop(proofs);
        let lower = text.to_ascii_lowercase();
        // What stands behind a name is taken out, so that no name comes up that was not there before.
        for name in NAMES.iter().filter(|name| lower.contains(name.trim_end_matches(":\""))) {
            text = behind(&text, name);
            // With a space, as people lay out JSON.
            if let Some(stem) = name.strip_suffix(":\"") {
                text = behind(&text, &format!("{stem}: \""));
            }
        }
        if text.contains(['?', '&']) {
            for (mark, name) in PARAMETERS.iter().flat_map(|name| [('?', name), ('&', name), (';', name)]) {
                text = behind(&text, &format!("{mark}{name}="));
            }
        }
        without_users(text)
    }
}

/// Each once. The order means nothing: what is found is put together by its place in the text.
fn each_once(needles: &mut Vec<Needle>) {
    needles.sort_by(|a, b| (b.bytes.len(), b.bytes.as_slice(), b.least).cmp(&(a.bytes.len(), a.bytes.as_slice(), a.least)));
    needles.dedup();
}

/// A text in the bytes of UTF-8 and of Latin-1, and as forms write it, whose spaces are a plus.
fn spellings(text: &str) -> Vec<Zeroizing<Vec<u8>>> {
    let mut all = vec![Zeroizing::new(text.as_bytes().to_vec())];
    let latin: Option<Vec<u8>> = text.chars().map(|c| u8::try_from(c as u32).ok()).collect();
    all.extend(latin.map(Zeroizing::new));
    if text.contains(' ') {
        all.push(Zeroizing::new(text.replace(' ', "+").into_bytes()));
    }
    all.dedup();
    all
}

/// A secret as it is, in hexadecimal digits, and what stays the same of it wherever in base64 it stands: one that begins one or two bytes
/// later than another looks different. The first `known` bytes are no secret by themselves.
fn forms(secret: &[u8], known: usize, needles: &mut Vec<Needle>) {
    // How many bytes tell something of it, where it is written in a way that nobody uses for anything else.
    let telling = match known {
        0 => TELLING.max(secret.len() / 2),
        known => known + 1,
    };
    let mut add = |bytes: &[u8], least: usize| {
        needles.push(Needle {
            least: least.min(bytes.len()),
            bytes: Zeroizing::new(bytes.to_vec()),
        });
    };
    // A word of a person may begin as a short secret does; the name of a user is none.
    add(
        secret,
        if known == 0 {
            (TELLING + SHORTEST).max(secret.len() / 2)
        } else {
            secret.len()
        },
    );
    for digits in [b"0123456789abcdef", b"0123456789ABCDEF"] {
        let hex = secret.iter().flat_map(|byte| [byte >> 4, byte & 15]);
        let hex: Zeroizing<Vec<u8>> = Zeroizing::new(hex.map(|digit| digits[usize::from(digit)]).collect());
        add(&hex, 2 * telling);
    }
    for skipped in 0..3 {
        let mut shifted = vec![0; skipped];
        shifted.extend_from_slice(secret);
        for engine in [STANDARD_NO_PAD, URL_SAFE_NO_PAD] {
            let text = engine.encode(&shifted);
            // The first characters hold bits of what stands before, the last of what follows.
            let begin = [0, 2, 3][skipped];
            let end = shifted.len() * 8 / 6;
            let inner = text.get(begin..end).unwrap_or_default();
            if inner.len() >= 2 * SHORTEST - 2 {
                add(inner.as_bytes(), (skipped + telling) * 8 / 6 - begin);
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
fn without(text: &str, needles: &[&Needle]) -> String {
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
            for at in memchr::memmem::find_iter(&bytes, &needle.bytes[..needle.least]) {
                let more = bytes[at..]
                    .iter()
                    .zip(needle.bytes.iter())
                    .take_while(|(a, b)| a == b)
                    .count();
                found.push((pieces[at].from, pieces[at + more - 1].to));
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
    for (mut from, mut to) in found {
        // Bytes of another encoding may end within a character of this one.
        while !text.is_char_boundary(from) {
            from -= 1;
        }
        while !text.is_char_boundary(to) {
            to += 1;
        }
        if from >= done {
            result.push_str(&text[done..from]);
            result.push_str("***");
        }
        done = done.max(to);
    }
    result.push_str(&text[done..]);
    result
}

/// `text` with `***` in the place of users and passwords in addresses.
fn without_users(text: String) -> String {
    if !text.contains('@') {
        return text;
    }
    let mut parts = text.split("://");
    let mut result = parts.next().unwrap_or_default().to_owned();
    for part in parts {
        result.push_str("://");
        let end = part
            .find(|c: char| c.is_whitespace() || matches!(c, '/' | '?' | '#' | '"' | '\'' | '<' | '>' | '\\'))
            .unwrap_or(part.len());
        match part[..end].rfind('@') {
            Some(at) => {
                result.push_str("***");
                result.push_str(&part[at..]);
            }
            None => result.push_str(part),
        }
    }
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
    fn other_spellings_hide_nothing() {
        let (user, password) = ("dana@demo.example", "pä ss!word");
        let redactor = Redactor::new(vec![password.into()], Some(user));
        let pair = format!("{user}:{password}");
        let latin: Vec<u8> = pair.chars().map(|c| c as u8).collect();
        let hex = |bytes: &[u8]| bytes.iter().map(|byte| format!("{byte:02x}")).collect::<String>();
        let basic = STANDARD.encode(&pair);
        for text in [
            "value p%C3%A4+ss%21word rejected".to_owned(),
            "value p%E4%20ss%21word rejected".to_owned(),
            format!("got {}", hex(password.as_bytes())),
            format!("got {}", hex(password.as_bytes()).to_uppercase()),
            format!("got {}", hex(basic.as_bytes())),
            format!("got {}", STANDARD.encode(format!("Basic {basic}"))),
            format!("got {}", STANDARD.encode(&latin)),
            format!("got {}…", &basic[..30]),
            format!("got {}", &STANDARD.encode(&latin)[..30]),
        ] {
            let found = redactor.redacted(&text);
            assert!(found.contains("***") && found.len() < text.len(), "{text}: {found}");
            let left = found.replace("***", " ");
            let words = left
                .split([' ', '…'])
                .filter(|word| !["value", "rejected", "got"].contains(word));
            // A few characters at the ends, which hold bits of something else.
            let basic = STANDARD.encode("Basic ");
            assert!(
                words.clone().all(|word| word.len() <= 4 || word.starts_with(&basic)),
                "{text}: {found}"
            );
        }
        let redactor = Redactor::new(vec!["tk-0123456789abcdef".into()], None);
        assert_eq!(
            redactor.redacted("the token tk-0123456789a… is wrong"),
            "the token ***… is wrong"
        );
        assert_eq!(redactor.redacted("tk-012 is no token"), "tk-012 is no token");
        // A byte of Latin-1 is not cut out of a character.
        let redactor = Redactor::new(vec!["ÃÃÃÃ".into()], None);
        assert_eq!(redactor.redacted("ää€"), "ää€");
        for (text, expected) in [
            ("X-Proxy: https://u:pw77@h/x", "X-Proxy: https://***@h/x"),
            (
                "at https://a.example/x?token=tk99secret&b=1",
                "at https://a.example/x?token=***&b=1",
            ),
            ("a?x=1&amp;token=tk99", "a?x=1&amp;token=***"),
            (
                "mail ann@a.example, https://a.example/@x",
                "mail ann@a.example, https://a.example/@x",
            ),
            (r#"{"password": "x"}"#, r#"{"password": "***"}"#),
            ("nextPageToken=abc", "nextPageToken=abc"),
        ] {
            assert_eq!(redactor.redacted(text), expected);
        }
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
