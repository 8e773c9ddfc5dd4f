//! The connection string as text: `Key=value;…` into pairs and back.
//!
//! It knows no options, so it cannot know which part is secret: no error here quotes any of the text.
//!
//! # Grammar
//!
//! Parts are separated by `;`; empty ones are skipped. The key ends at the first `=`. A value that begins with `'` or `"` ends at
//! the same mark, which is doubled to stand for itself; such a value may hold anything. Any other value ends at `;`, may hold `=`
//! and quotation marks, loses white space at both ends and may not span lines: there, a `;` was forgotten.

use super::secret::Secret;
use super::uri;
use crate::error::{Error, ErrorKind, Result};

/// The pairs of a connection string, in the order written. Whether the keys are options is not checked here.
#[derive(Debug, Clone, Default)]
pub(crate) struct ConnectionString {
    pairs: Vec<(String, Secret)>,
}

impl ConnectionString {
    /// Reads `text`. White space and empty parts give no pairs.
    pub(crate) fn parse(text: &str) -> Result<Self> {
        let mut pairs = Vec::new();
        let mut rest = text;
        loop {
            rest = rest.trim_start_matches(|c: char| c == ';' || c.is_whitespace());
            if rest.is_empty() {
                return Ok(Self { pairs });
            }
            let part = pairs.len() + 1;
            let head = rest.split(';').next().unwrap_or_default();
            let Some((key, _)) = head.split_once('=') else {
                return Err(error(part, "has no `=`").hint("write Key=value;…, and quote a value that contains `;`"));
            };
            let after = &rest[key.len() + 1..];
            let (value, tail) = value(after).map_err(|what| error(part, what).hint(QUOTING))?;
            let key = key.trim();
            if key.is_empty() {
                return Err(error(part, "has no option name before `=`").hint("write Key=value;…"));
            }
            pairs.push((key.to_owned(), value));
            rest = tail;
        }
    }

    /// Reads `text`, which may also be a URI.
    pub(crate) fn read(text: &str) -> Result<Self> {
        uri::parse(text).unwrap_or_else(|| Self::parse(text))
    }

    /// Adds a pair. A key that could not be read back, such as one with `=`, is an error.
    pub(crate) fn push(&mut self, key: &str, value: impl Into<Secret>) -> Result<()> {
        if key.trim().is_empty() || key != key.trim() || key.contains(['=', ';']) {
            return Err(Error::new(
                ErrorKind::Option,
                "an option name is empty or holds `=`, `;` or outer white space",
            ));
        }
        self.pairs.push((key.to_owned(), value.into()));
        Ok(())
    }

    /// The pairs in the order written.
    pub(crate) fn pairs(&self) -> impl Iterator<Item = (&str, &Secret)> {
        self.pairs.iter().map(|(key, value)| (key.as_str(), value))
    }

    #[cfg(any(feature = "adbc", feature = "shell", test))]
    /// The text that [`ConnectionString::parse`] reads as these pairs. It holds every secret in full, hence the type.
    pub(crate) fn to_text(&self) -> Secret {
        // Reserved in full beforehand: a growing String would leave copies of its text behind in freed memory.
        let room = self
            .pairs
            .iter()
            .map(|(key, value)| key.len() + 2 * value.expose().len() + 4)
            .sum();
        let mut text = String::with_capacity(room);
        for (key, value) in self.pairs() {
            text.push_str(key);
            text.push('=');
            let value = value.expose();
            let bare = value.trim() == value && !value.contains([';', '\'', '"']) && !value.contains(char::is_control);
            if bare {
                text.push_str(value);
            } else {
                text.push('"');
                for c in value.chars() {
                    text.push(c);
                    if c == '"' {
                        text.push(c);
                    }
                }
                text.push('"');
            }
            text.push(';');
        }
        text.into()
    }
}

const QUOTING: &str = "quote a value with ' or \" and double that mark inside it; separate parts with `;`";

fn error(part: usize, what: &str) -> Error {
    Error::new(ErrorKind::Option, format!("part {part} of the connection string {what}"))
}

/// The value at the start of `text`, and what follows it.
fn value(text: &str) -> Result<(Secret, &str), &'static str> {
    let start = text.trim_start();
    if let Some(mark) = start.chars().next().filter(|c| matches!(c, '\'' | '"')) {
        let (value, tail) = quoted(&start[1..], mark).ok_or("has no closing quotation mark")?;
        let tail = tail.trim_start();
        if !tail.is_empty() && !tail.starts_with(';') {
            return Err("goes on after the closing quotation mark");
        }
        return Ok((value, tail));
    }
    let end = text.find(';').unwrap_or(text.len());
    // Only the blanks of its own line are trimmed in front: a value on the next line is the next part, its `;` forgotten.
    let value = text[..end].trim_end().trim_start_matches([' ', '\t']);
    if value.contains(char::is_control) {
        return Err("has a line break or another control character in its value");
    }
    Ok((value.into(), &text[end..]))
}

/// The text up to the closing `mark`, and what follows the mark.
fn quoted(text: &str, mark: char) -> Option<(Secret, &str)> {
    let mut value = String::with_capacity(text.len());
    let mut rest = text;
    loop {
        let end = rest.find(mark)?;
        value.push_str(&rest[..end]);
        rest = &rest[end + 1..];
        match rest.strip_prefix(mark) {
            Some(tail) => {
                value.push(mark);
                rest = tail;
            }
            None => return Some((value.into(), rest)),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn pairs(string: &ConnectionString) -> Vec<(String, String)> {
        string
            .pairs()
            .map(|(key, value)| (key.to_owned(), value.expose().to_owned()))
            .collect()
    }

    #[test]
    fn reads() {
        for (text, expected) in [
            ("", &[][..]),
            (" ;; \n;", &[]),
            ("A=1;B=2", &[("A", "1"), ("B", "2")]),
            (" Auth Scheme = Basic ;\n B=2;\n", &[("Auth Scheme", "Basic"), ("B", "2")]),
            ("A=", &[("A", "")]),
            ("A=;B=\n", &[("A", ""), ("B", "")]),
            ("A='';B=\"\"", &[("A", ""), ("B", "")]),
            ("A=x==;B==", &[("A", "x=="), ("B", "=")]),
            ("A='a;b=c';B=1", &[("A", "a;b=c"), ("B", "1")]),
            ("A = \" x \" ; B=1", &[("A", " x "), ("B", "1")]),
            ("A='it''s \"x\"'", &[("A", "it's \"x\"")]),
            ("A=\"say \"\"x\"\"\"", &[("A", "say \"x\"")]),
            ("A=it's", &[("A", "it's")]),
            ("A='l1\nl2'", &[("A", "l1\nl2")]),
            ("A='ü;日本'", &[("A", "ü;日本")]),
            ("P=*=*", &[("P", "*=*")]),
        ] {
            let string = ConnectionString::parse(text).unwrap_or_else(|error| panic!("{text:?}: {error}"));
            let found = pairs(&string);
            let found: Vec<_> = found.iter().map(|(k, v)| (k.as_str(), v.as_str())).collect();
            assert_eq!(found, expected, "{text:?}");
        }
    }

    #[test]
    fn refuses_without_quoting_the_text() {
        for (text, fragment) in [
            ("canary", "part 1 of the connection string has no `=`"),
            ("A=1;canary;B=2", "part 2 of the connection string has no `=`"),
            ("=canary", "part 1 of the connection string has no option name"),
            ("A='canary", "no closing quotation mark"),
            ("A='canary''", "no closing quotation mark"),
            ("A='x'canary", "goes on after the closing quotation mark"),
            ("A='x' B=canary", "goes on after the closing quotation mark"),
            ("A=x\nB=canary", "line break"),
            ("A=\nB=canary", "line break"),
            ("A=canary\0x", "control character"),
        ] {
            let error = ConnectionString::parse(text).unwrap_err();
            assert!(error.message().contains(fragment), "{text:?}: {error}");
            assert!(!format!("{error:?}").contains("canary"), "{error:?}");
        }
    }

    #[test]
    fn a_key_that_cannot_be_read_back_is_refused() {
        for key in ["", " ", "a=b", "a;b", " a"] {
            assert!(ConnectionString::default().push(key, "x").is_err(), "{key:?}");
        }
    }

    proptest! {
        #[test]
        fn what_is_written_is_read_back(written in prop::collection::vec(("[A-Za-z][A-Za-z0-9 _-]{0,8}[A-Za-z0-9]", any::<String>()), 0..5)) {
            let mut string = ConnectionString::default();
            for (key, value) in &written {
                string.push(key, value.as_str()).unwrap();
            }
            prop_assert_eq!(pairs(&ConnectionString::parse(string.to_text().expose()).unwrap()), written);
        }

        #[test]
        fn awkward_values_are_read_back(value in "[;='\" \n\t\0\\\\a]{0,12}") {
            let mut string = ConnectionString::default();
            string.push("Key", value.as_str()).unwrap();
            string.push("Next", "1").unwrap();
            prop_assert_eq!(pairs(&ConnectionString::parse(string.to_text().expose()).unwrap()), [("Key".into(), value), ("Next".into(), "1".into())]);
        }

        #[test]
        fn any_text_is_read_or_refused(text in any::<String>()) {
            let _ = ConnectionString::parse(&text);
        }
    }
}
