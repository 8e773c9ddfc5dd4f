//! The text of a document in the Atlassian Document Format: what a person would read, without formatting; and the document of a text.
//!
//! Blocks become lines, items of lists begin with `* ` or `1. `, cells of a table are divided by tabs. Nodes nobody has heard of give the
//! text inside of them, so that nothing that was written is lost.

use serde::Deserialize;

/// Deepest nesting that is followed; a document of a person has some ten levels.
const DEEPEST: usize = 100;

#[derive(Debug, Default, Deserialize)]
#[serde(default)]
struct Node {
    #[serde(rename = "type")]
    kind: String,
    text: Option<String>,
    content: Vec<Node>,
    attrs: Attributes,
}

#[derive(Debug, Default, Deserialize)]
#[serde(default)]
struct Attributes {
    text: Option<String>,
    url: Option<String>,
    #[serde(rename = "shortName")]
    short_name: Option<String>,
    timestamp: Option<serde_json::Value>,
}

/// The text of a document, without a line break at its end; `None` if it is no document.
pub(super) fn text(json: &str) -> Option<String> {
    let document: Node = serde_json::from_str(json).ok()?;
    if document.kind != "doc" {
        return None;
    }
    let mut text = String::new();
    blocks(&document.content, "", 0, &mut text);
    text.truncate(text.trim_end_matches('\n').len());
    Some(text)
}

/// The document with this text, a paragraph for each line, so that reading it gives the text again. A text that is a document stays as it is.
pub(super) fn document(text: &str) -> String {
    if text.trim_start().starts_with('{') && self::text(text).is_some() {
        return text.to_owned();
    }
    let paragraph = |line: &str| {
        let line = line.strip_suffix('\r').unwrap_or(line);
        match line {
            // A node without a text is no node.
            "" => serde_json::json!({"type": "paragraph", "content": []}),
            line => serde_json::json!({"type": "paragraph", "content": [{"type": "text", "text": line}]}),
        }
    };
    let paragraphs: Vec<_> = text.split('\n').map(paragraph).collect();
    serde_json::json!({"type": "doc", "version": 1, "content": paragraphs}).to_string()
}

fn blocks(nodes: &[Node], indent: &str, depth: usize, out: &mut String) {
    if depth > DEEPEST {
        return;
    }
    for node in nodes {
        match node.kind.as_str() {
            "bulletList" | "orderedList" | "taskList" | "decisionList" => {
                for (index, item) in node.content.iter().enumerate() {
                    let mark = match node.kind.as_str() {
                        "orderedList" => format!("{}. ", index + 1),
                        _ => "* ".to_owned(),
                    };
                    let mut inner = String::new();
                    if is_inline(&item.content) {
                        inline(&item.content, depth + 1, &mut inner);
                    } else {
                        blocks(&item.content, "", depth + 2, &mut inner);
                    }
                    let pad = " ".repeat(mark.len());
                    for (line, text) in inner.trim_end_matches('\n').split('\n').enumerate() {
                        out.push_str(indent);
                        out.push_str(if line == 0 { &mark } else { &pad });
                        out.push_str(text);
                        out.push('\n');
                    }
                }
            }
            "table" => {
                for row in &node.content {
                    let cells = row.content.iter().map(|cell| {
                        let mut inner = String::new();
                        blocks(&cell.content, "", depth + 3, &mut inner);
                        inner.trim_end_matches('\n').replace('\n', " ")
                    });
                    out.push_str(indent);
                    out.push_str(&cells.collect::<Vec<_>>().join("\t"));
                    out.push('\n');
                }
            }
            "rule" => {
                out.push_str(indent);
                out.push_str("---\n");
            }
            _ if is_inline(&node.content) => {
                let mut line = String::new();
                own(node, &mut line);
                inline(&node.content, depth + 1, &mut line);
                out.push_str(indent);
                out.push_str(&line);
                out.push('\n');
            }
            // Panels, quotes, expands and whatever comes next.
            _ => blocks(&node.content, indent, depth + 1, out),
        }
    }
}

/// Whether the nodes stand within a line.
fn is_inline(nodes: &[Node]) -> bool {
    nodes.iter().all(|node| {
        matches!(
            node.kind.as_str(),
            "text"
                | "hardBreak"
                | "mention"
                | "emoji"
                | "inlineCard"
                | "date"
                | "status"
                | "inlineExtension"
                | "mediaInline"
                | "placeholder"
        )
    })
}

fn inline(nodes: &[Node], depth: usize, out: &mut String) {
    for node in nodes.iter().filter(|_| depth <= DEEPEST) {
        own(node, out);
        inline(&node.content, depth + 1, out);
    }
}

/// What a node itself says.
fn own(node: &Node, out: &mut String) {
    match node.kind.as_str() {
        "hardBreak" => out.push('\n'),
        "date" => out.extend(node.attrs.timestamp.as_ref().and_then(day)),
        "emoji" => out.extend(node.attrs.text.as_deref().or(node.attrs.short_name.as_deref())),
        "inlineCard" | "blockCard" | "embedCard" => out.extend(node.attrs.url.as_deref()),
        _ => out.extend(node.text.as_deref().or(node.attrs.text.as_deref())),
    }
}

/// A date of a document is milliseconds since 1970, as text or number.
fn day(timestamp: &serde_json::Value) -> Option<String> {
    let millis = match timestamp {
        serde_json::Value::String(text) => text.parse().ok()?,
        other => other.as_i64()?,
    };
    Some(
        chrono::DateTime::from_timestamp_millis(millis)?
            .format("%Y-%m-%d")
            .to_string(),
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn documents_become_text() {
        for (content, expected) in [
            ("", ""),
            (r#"{"type":"paragraph"}"#, ""),
            (
                r#"{"type":"paragraph","content":[{"type":"text","text":"a "},{"type":"text","text":"b","marks":[{"type":"strong"}]},{"type":"hardBreak"},{"type":"mention","attrs":{"id":"1","text":"@Ann"}}]}"#,
                "a b\n@Ann",
            ),
            (
                r#"{"type":"heading","attrs":{"level":1},"content":[{"type":"text","text":"T"}]},{"type":"orderedList","content":[{"type":"listItem","content":[{"type":"paragraph","content":[{"type":"text","text":"x"}]},{"type":"bulletList","content":[{"type":"listItem","content":[{"type":"paragraph","content":[{"type":"text","text":"y"}]}]}]}]}]}"#,
                "T\n1. x\n   * y",
            ),
            (
                r#"{"type":"table","content":[{"type":"tableRow","content":[{"type":"tableCell","content":[{"type":"paragraph","content":[{"type":"text","text":"l"}]}]},{"type":"tableCell","content":[{"type":"paragraph","content":[{"type":"text","text":"r"}]}]}]}]}"#,
                "l\tr",
            ),
            (
                r#"{"type":"panel","content":[{"type":"paragraph","content":[{"type":"emoji","attrs":{"shortName":":x:"}},{"type":"inlineCard","attrs":{"url":"https://a.example"}}]}]},{"type":"rule"},{"type":"codeBlock","content":[{"type":"text","text":"c\nd"}]}"#,
                ":x:https://a.example\n---\nc\nd",
            ),
            (
                r#"{"type":"never heard of","content":[{"type":"paragraph","content":[{"type":"date","attrs":{"timestamp":"1772348400000"}}]}]}"#,
                "2026-03-01",
            ),
        ] {
            let json = format!(r#"{{"type":"doc","version":1,"content":[{content}]}}"#);
            assert_eq!(text(&json).as_deref(), Some(expected), "{content}");
        }
        assert_eq!(text("{}"), None);
        assert_eq!(text(r#"{"errorMessage":"x"}"#), None);
    }

    #[test]
    fn a_text_becomes_a_document_that_reads_as_the_text() {
        for written in ["a", "a\n\nb \"c\"", "* no list", "{no document}", "日本\n"] {
            assert_eq!(text(&document(written)).as_deref(), Some(written.trim_end_matches('\n')));
        }
        assert_eq!(text(&document("a\r\nb")).as_deref(), Some("a\nb"));
        assert_eq!(
            document("a\n"),
            r#"{"content":[{"content":[{"text":"a","type":"text"}],"type":"paragraph"},{"content":[],"type":"paragraph"}],"type":"doc","version":1}"#
        );
        let given = r#"{"version":1,"type":"doc","content":[{"type":"rule"}]}"#;
        assert_eq!(document(given), given);
    }

    #[test]
    fn a_document_without_end_is_no_danger() {
        let deep = r#"{"type":"panel","content":["#.repeat(60) + &"]}".repeat(60);
        assert!(text(&format!(r#"{{"type":"doc","content":[{deep}]}}"#)).is_some());
        let deeper = r#"{"type":"panel","content":["#.repeat(5_000) + &"]}".repeat(5_000);
        assert_eq!(
            text(&format!(r#"{{"type":"doc","content":[{deeper}]}}"#)),
            None,
            "the JSON reader refuses it"
        );
    }
}
