//! The document of a text: a paragraph for each line.

use serde_json::json;

/// The document with this text, so that reading it gives the text again. A text that is a document stays as it is.
///
/// A text of a document holds neither line breaks nor control characters: any kind of line break begins a paragraph, a tab is four
/// spaces.
///
/// # Errors
/// The text holds another control character, which no document can.
pub(in crate::rest) fn document(text: &str) -> Result<String, String> {
    if text.trim_start().starts_with('{') && super::text(text).is_some() {
        return Ok(text.to_owned());
    }
    let text = text.replace("\r\n", "\n").replace('\t', "    ");
    let lines = text.split(['\n', '\r', '\u{b}', '\u{c}', '\u{85}', '\u{2028}', '\u{2029}']);
    let mut paragraphs = Vec::new();
    for line in lines {
        if let Some(odd) = line.chars().find(|c| c.is_control()) {
            return Err(format!(
                "the text holds the control character U+{:04X}, which a document cannot",
                odd as u32
            ));
        }
        // A node without a text is no node.
        let content = if line.is_empty() {
            json!([])
        } else {
            json!([{"type": "text", "text": line}])
        };
        paragraphs.push(json!({"type": "paragraph", "content": content}));
    }
    Ok(json!({"type": "doc", "version": 1, "content": paragraphs}).to_string())
}

#[cfg(test)]
mod tests {
    use super::super::text;
    use super::*;

    #[test]
    fn a_text_becomes_a_document_that_reads_as_the_text() {
        let read = |json: &str| text(json).unwrap().text;
        for written in ["a", "a\n\nb \"c\"", "* no list", "{no document}", "日本\n"] {
            assert_eq!(read(&document(written).unwrap()), written.trim_end_matches('\n'));
        }
        for (written, expected) in [
            ("a\r\nb", "a\nb"),
            ("a\rb", "a\nb"),
            ("a\u{2028}b\u{b}c", "a\nb\nc"),
            ("a\tb", "a    b"),
        ] {
            assert_eq!(read(&document(written).unwrap()), expected);
        }
        assert!(document("a\u{7}").unwrap_err().contains("U+0007"));
        assert_eq!(
            document("a\n").unwrap(),
            r#"{"content":[{"content":[{"text":"a","type":"text"}],"type":"paragraph"},{"content":[],"type":"paragraph"}],"type":"doc","version":1}"#
        );
        let given = r#"{"version":1,"type":"doc","content":[{"type":"rule"}]}"#;
        assert_eq!(document(given).unwrap(), given);
    }
}
