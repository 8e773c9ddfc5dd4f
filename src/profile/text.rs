//! Text as editors and shells write it to files: with a mark of the byte order before it, or in the UTF-16 of Windows.

use std::path::Path;

use zeroize::Zeroizing;

/// The text of a file.
///
/// # Errors
/// It cannot be read, or is no text; the words say which.
pub(crate) fn read(path: &Path) -> Result<Zeroizing<String>, String> {
    let bytes = std::fs::read(path).map_err(|error| error.to_string())?;
    decoded(&Zeroizing::new(bytes)).map_err(str::to_owned)
}

/// The text of these bytes, without a byte order mark.
///
/// # Errors
/// They are no text.
pub(super) fn decoded(bytes: &[u8]) -> Result<Zeroizing<String>, &'static str> {
    let wide = |bytes: &[u8], unit: fn([u8; 2]) -> u16| {
        let units: Zeroizing<Vec<u16>> = Zeroizing::new(bytes.chunks_exact(2).map(|pair| unit([pair[0], pair[1]])).collect());
        match bytes.len() % 2 {
            0 => String::from_utf16(&units).map_err(|_| "it begins like UTF-16, and is none"),
            _ => Err("it begins like UTF-16, and ends within a character"),
        }
    };
    let text = match bytes {
        [0xef, 0xbb, 0xbf, rest @ ..] => std::str::from_utf8(rest)
            .map(str::to_owned)
            .map_err(|_| "it begins like UTF-8, and is none"),
        [0xff, 0xfe, rest @ ..] => wide(rest, u16::from_le_bytes),
        [0xfe, 0xff, rest @ ..] => wide(rest, u16::from_be_bytes),
        // Without a mark: no text that somebody typed has a NUL.
        [a, 0, ..] if *a != 0 => wide(bytes, u16::from_le_bytes),
        [0, a, ..] if *a != 0 => wide(bytes, u16::from_be_bytes),
        _ => std::str::from_utf8(bytes)
            .map(str::to_owned)
            .map_err(|_| "it is text neither in UTF-8 nor in UTF-16"),
    };
    let text = Zeroizing::new(text?);
    if text.contains('\0') {
        Err("it holds a NUL, which no text does")
    } else {
        Ok(text)
    }
}

/// The first line, however lines end.
pub(super) fn first_line(text: &str) -> &str {
    text.split(['\n', '\r']).next().unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_text_is_the_same_in_every_encoding() {
        let wide = |mark: &str, unit: fn(u16) -> [u8; 2]| {
            format!("{mark}pässword\r\nx")
                .encode_utf16()
                .flat_map(unit)
                .collect::<Vec<u8>>()
        };
        for bytes in [
            b"p\xc3\xa4ssword\r\nx".to_vec(),
            b"\xef\xbb\xbfp\xc3\xa4ssword\nx".to_vec(),
            b"p\xc3\xa4ssword\rx".to_vec(),
            wide("\u{feff}", u16::to_le_bytes),
            wide("\u{feff}", u16::to_be_bytes),
            wide("", u16::to_le_bytes),
            wide("", u16::to_be_bytes),
        ] {
            assert_eq!(first_line(&decoded(&bytes).unwrap()), "pässword", "{bytes:?}");
        }
        for bytes in [
            &b"p\xe4ss"[..],
            b"\xff\xfea",
            b"\xff\xfe\x00\xd8",
            b"\xef\xbb\xbf\xff",
            b"ab\0c",
        ] {
            assert!(decoded(bytes).is_err(), "{bytes:?}");
        }
        assert_eq!(&**decoded(b"").unwrap(), "");
    }
}
