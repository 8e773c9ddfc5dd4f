//! Writes JSON straight into a byte buffer.
//!
//! The shapes of the site are written down where their facts are, as calls in the order of the keys; no tree is built, so
//! a page of a hundred requests costs well under a millisecond.

use std::fmt::{Display, Write};

/// The document whose top is one object.
pub(super) fn document(fill: impl FnOnce(&mut Object)) -> Vec<u8> {
    let mut out = Vec::with_capacity(1024);
    object(&mut out, fill);
    out
}

/// The document whose top is an array.
pub(super) fn list(fill: impl FnOnce(&mut Array)) -> Vec<u8> {
    let mut out = Vec::with_capacity(1024);
    array(&mut out, fill);
    out
}

/// An object being written.
pub(super) struct Object<'a> {
    out: &'a mut Vec<u8>,
    empty: bool,
}

/// An array being written.
pub(super) struct Array<'a> {
    out: &'a mut Vec<u8>,
    empty: bool,
}

impl Object<'_> {
    pub(super) fn text(&mut self, key: &str, value: impl Display) {
        self.key(key);
        text(self.out, value);
    }

    /// Leaves the key out when there is no value, as the API does.
    pub(super) fn maybe(&mut self, key: &str, value: Option<impl Display>) {
        if let Some(value) = value {
            self.text(key, value);
        }
    }

    pub(super) fn int(&mut self, key: &str, value: i64) {
        self.raw(key, value);
    }

    pub(super) fn flag(&mut self, key: &str, value: bool) {
        self.raw(key, value);
    }

    /// A value whose `Display` is JSON already: numbers, `null`, a `serde_json::Value`.
    pub(super) fn raw(&mut self, key: &str, value: impl Display) {
        self.key(key);
        // Writing to a Vec cannot fail.
        let _ = write!(Plain(self.out), "{value}");
    }

    pub(super) fn null(&mut self, key: &str) {
        self.raw(key, "null");
    }

    pub(super) fn object(&mut self, key: &str, fill: impl FnOnce(&mut Object)) {
        self.key(key);
        object(self.out, fill);
    }

    pub(super) fn array(&mut self, key: &str, fill: impl FnOnce(&mut Array)) {
        self.key(key);
        array(self.out, fill);
    }

    pub(super) fn texts<T: Display>(&mut self, key: &str, values: impl IntoIterator<Item = T>) {
        self.array(key, |array| values.into_iter().for_each(|value| array.text(value)));
    }

    fn key(&mut self, key: &str) {
        separate(self.out, &mut self.empty);
        self.out.push(b'"');
        escape(self.out, key.as_bytes());
        self.out.extend_from_slice(b"\":");
    }
}

impl Array<'_> {
    /// An element whose `Display` is JSON already.
    pub(super) fn raw(&mut self, value: impl Display) {
        separate(self.out, &mut self.empty);
        let _ = write!(Plain(self.out), "{value}");
    }

    pub(super) fn text(&mut self, value: impl Display) {
        separate(self.out, &mut self.empty);
        text(self.out, value);
    }

    pub(super) fn object(&mut self, fill: impl FnOnce(&mut Object)) {
        separate(self.out, &mut self.empty);
        object(self.out, fill);
    }
}

fn object(out: &mut Vec<u8>, fill: impl FnOnce(&mut Object)) {
    out.push(b'{');
    fill(&mut Object { out, empty: true });
    out.push(b'}');
}

fn array(out: &mut Vec<u8>, fill: impl FnOnce(&mut Array)) {
    out.push(b'[');
    fill(&mut Array { out, empty: true });
    out.push(b']');
}

fn separate(out: &mut Vec<u8>, empty: &mut bool) {
    if !std::mem::replace(empty, false) {
        out.push(b',');
    }
}

fn text(out: &mut Vec<u8>, value: impl Display) {
    out.push(b'"');
    let _ = write!(Escaped(out), "{value}");
    out.push(b'"');
}

struct Plain<'a>(&'a mut Vec<u8>);

impl Write for Plain<'_> {
    fn write_str(&mut self, text: &str) -> std::fmt::Result {
        self.0.extend_from_slice(text.as_bytes());
        Ok(())
    }
}

struct Escaped<'a>(&'a mut Vec<u8>);

impl Write for Escaped<'_> {
    fn write_str(&mut self, text: &str) -> std::fmt::Result {
        escape(self.0, text.as_bytes());
        Ok(())
    }
}

/// Writes what stands between the quotes of a string.
fn escape(out: &mut Vec<u8>, mut rest: &[u8]) {
    while let Some(at) = first_special(rest) {
        out.extend_from_slice(&rest[..at]);
        match rest[at] {
            b'\n' => out.extend_from_slice(b"\\n"),
            b'\r' => out.extend_from_slice(b"\\r"),
            b'\t' => out.extend_from_slice(b"\\t"),
            byte @ (b'"' | b'\\') => out.extend_from_slice(&[b'\\', byte]),
            byte => out.extend_from_slice(format!("\\u{byte:04x}").as_bytes()),
        }
        rest = &rest[at + 1..];
    }
    out.extend_from_slice(rest);
}

/// Where the first byte is that cannot stand in a string as it is.
fn first_special(text: &[u8]) -> Option<usize> {
    const BLOCK: usize = 16;
    let special = |byte: &u8| *byte < 0x20 || *byte == b'"' || *byte == b'\\';
    // A block is looked at whole, which compiles to a few instructions.
    let clean = |block: &&[u8]| !block.iter().fold(false, |found, byte| found | special(byte));
    let skipped = text.chunks_exact(BLOCK).take_while(clean).count() * BLOCK;
    text[skipped..].iter().position(special).map(|at| skipped + at)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_written_reads_back() {
        let bytes = document(|o| {
            o.text("quote\"", "a \"b\" \\ \n\r\t \u{1} 日本 🎉");
            o.int("int", -3);
            o.flag("flag", true);
            o.null("none");
            o.maybe("absent", None::<&str>);
            o.texts("texts", ["x", "y"]);
            o.object("empty", |_| ());
            o.array("rows", |a| {
                a.object(|o| o.int("n", 1));
            });
        });
        let value: serde_json::Value = serde_json::from_slice(&bytes).expect("valid JSON");
        let expected = serde_json::json!({
            "quote\"": "a \"b\" \\ \n\r\t \u{1} 日本 🎉", "int": -3, "flag": true, "none": null,
            "texts": ["x", "y"], "empty": {}, "rows": [{"n": 1}]
        });
        assert_eq!(value, expected);
    }
}
