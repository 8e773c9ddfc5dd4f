//! Texts that are none: half of a surrogate pair, or bytes that are no UTF-8. One of them would cost a whole answer, and costs itself: it
//! becomes U+FFFD, which is what Unicode has for it.

use std::borrow::Cow;
use std::ops::RangeInclusive;

const HIGH: RangeInclusive<u16> = 0xD800..=0xDBFF;
const LOW: RangeInclusive<u16> = 0xDC00..=0xDFFF;

/// A JSON text that can be read, and how many characters of it could not be.
pub(super) fn repaired(json: &[u8]) -> (Cow<'_, [u8]>, u64) {
    let (text, broken) = match String::from_utf8_lossy(json) {
        Cow::Borrowed(_) => (Cow::Borrowed(json), 0),
        Cow::Owned(text) => {
            let there = String::from_utf8_lossy(json).matches('\u{fffd}').count();
            let before = json.windows(3).filter(|bytes| *bytes == "\u{fffd}".as_bytes()).count();
            (Cow::Owned(text.into_bytes()), there.saturating_sub(before) as u64)
        }
    };
    let halves = halves(&text);
    if halves.is_empty() {
        return (text, broken);
    }
    let count = broken + halves.len() as u64;
    let mut text = text.into_owned();
    for at in halves {
        text[at..at + 4].copy_from_slice(b"fffd");
    }
    (Cow::Owned(text), count)
}

/// Where the digits of escapes are that stand for half of a pair.
fn halves(json: &[u8]) -> Vec<usize> {
    let unit = |at: usize| {
        let digits = json.get(at..at + 6)?.strip_prefix(b"\\u")?;
        u16::from_str_radix(std::str::from_utf8(digits).ok()?, 16).ok()
    };
    let (mut found, mut at) = (Vec::new(), 0);
    while let Some(next) = json.get(at..).and_then(|rest| rest.iter().position(|byte| *byte == b'\\')) {
        at += next;
        at += match unit(at) {
            Some(high) if HIGH.contains(&high) && unit(at + 6).is_some_and(|low| LOW.contains(&low)) => 12,
            Some(half) if HIGH.contains(&half) || LOW.contains(&half) => {
                found.push(at + 2);
                6
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
            ("\"\u{fffd}\"".as_bytes(), "\u{fffd}", 0),
        ] {
            let (repaired, replaced) = repaired(json);
            assert_eq!(serde_json::from_slice::<String>(&repaired).unwrap(), text);
            assert_eq!(replaced, count, "{text}");
        }
    }
}
