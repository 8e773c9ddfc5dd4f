//! Texts that are none: half of a surrogate pair, or bytes that are no UTF-8. One of them would cost a whole answer, and costs itself: it
//! becomes U+FFFD, which is what Unicode has for it.
//!
//! # Design
//!
//! A site may send U+FFFD itself, and much of an answer is read by nobody. So what is broken gets a mark that the answer has nowhere, and
//! what comes out of it is looked through for the mark.

use std::borrow::Cow;
use std::ops::RangeInclusive;

use memchr::{memchr, memmem};

const HIGH: RangeInclusive<u16> = 0xD800..=0xDBFF;
const LOW: RangeInclusive<u16> = 0xDC00..=0xDFFF;

/// Characters that mean nothing and that nobody sends; Unicode keeps them for marks such as ours.
const MARKS: RangeInclusive<char> = '\u{fdd0}'..='\u{fdef}';

/// What stands for a character that is none.
pub(super) const BROKEN: char = '\u{fffd}';

/// A JSON text that can be read.
#[derive(Debug)]
pub(super) struct Repaired<'a> {
    pub(super) json: Cow<'a, [u8]>,
    /// What stands in the place of each character that could not be read, if there are any.
    pub(super) mark: Option<char>,
}

pub(super) fn repaired(json: &[u8]) -> Repaired<'_> {
    let halves = halves(json);
    if halves.is_empty() && std::str::from_utf8(json).is_ok() {
        return Repaired {
            json: Cow::Borrowed(json),
            mark: None,
        };
    }
    let mark = MARKS.clone().find(|mark| !has(json, *mark)).unwrap_or(BROKEN);
    let mut buffer = [0; 4];
    let written = mark.encode_utf8(&mut buffer).as_bytes();
    let mut whole = Vec::with_capacity(json.len());
    let mut from = 0;
    for at in halves.into_iter().chain([json.len()]) {
        for chunk in json[from..at].utf8_chunks() {
            whole.extend_from_slice(chunk.valid().as_bytes());
            if !chunk.invalid().is_empty() {
                whole.extend_from_slice(written);
            }
        }
        if at < json.len() {
            whole.extend_from_slice(written);
        }
        from = at + ESCAPE;
    }
    Repaired {
        json: Cow::Owned(whole),
        mark: Some(mark),
    }
}

/// Whether a JSON text has a character, as it is or escaped.
fn has(json: &[u8], character: char) -> bool {
    let escape = format!("\\u{:04x}", character as u32);
    memmem::find(json, character.encode_utf8(&mut [0; 4]).as_bytes()).is_some()
        || memmem::find_iter(json, b"\\u").any(|at| {
            json.get(at..at + ESCAPE)
                .is_some_and(|own| own.eq_ignore_ascii_case(escape.as_bytes()))
        })
}

/// Length of `\ud83d`.
const ESCAPE: usize = 6;

/// Where the escapes are that stand for half of a pair.
fn halves(json: &[u8]) -> Vec<usize> {
    // Most answers have none, and it is dear to go through all the other escapes.
    if [&b"\\ud"[..], b"\\uD"]
        .iter()
        .all(|begin| memmem::find(json, begin).is_none())
    {
        return Vec::new();
    }
    let unit = |at: usize| {
        let digits = json.get(at..at + ESCAPE)?.strip_prefix(b"\\u")?;
        u16::from_str_radix(std::str::from_utf8(digits).ok()?, 16).ok()
    };
    let (mut found, mut at) = (Vec::new(), 0);
    while let Some(next) = json.get(at..).and_then(|rest| memchr(b'\\', rest)) {
        at += next;
        at += match unit(at) {
            Some(high) if HIGH.contains(&high) && unit(at + ESCAPE).is_some_and(|low| LOW.contains(&low)) => 2 * ESCAPE,
            Some(half) if HIGH.contains(&half) || LOW.contains(&half) => {
                found.push(at);
                ESCAPE
            }
            // What is escaped by it is no escape.
            _ => 2,
        };
    }
    found
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_no_character_becomes_the_one_that_stands_for_it() {
        for (json, text, count) in [
            (&br#""plain \n \u00e9 \\u""#[..], "plain \n é \\u", 0),
            (br#""\ud83d\ude00""#, "😀", 0),
            (br#""\uD83D""#, "\u{fffd}", 1),
            (br#""a\ude00b\ud83dc""#, "a\u{fffd}b\u{fffd}c", 2),
            (br#""\ud83d\ud83d\ude00""#, "\u{fffd}😀", 1),
            // A backslash and letters.
            (br#""\\ud83d""#, "\\ud83d", 0),
            (b"\"a\xffb\"", "a\u{fffd}b", 1),
            (b"\"\\ud83d\xff\"", "\u{fffd}\u{fffd}", 2),
            // What the site itself sends is not broken, beside what is.
            ("\"\u{fffd}\"".as_bytes(), "\u{fffd}", 0),
            ("\"\u{fffd}\\udc00\"".as_bytes(), "\u{fffd}\u{fffd}", 1),
            // Nor is a character that would do as a mark.
            ("\"\u{fdd0}\\uFDD1\\udc00\"".as_bytes(), "\u{fdd0}\u{fdd1}\u{fffd}", 1),
        ] {
            let repaired = repaired(json);
            let read = serde_json::from_slice::<String>(&repaired.json).unwrap();
            let marks = repaired.mark.map_or(0, |mark| read.matches(mark).count());
            let shown = repaired.mark.map_or(read.clone(), |mark| read.replace(mark, "\u{fffd}"));
            assert_eq!((shown.as_str(), marks), (text, count), "{text}");
        }
    }
}
