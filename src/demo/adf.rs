//! Text as the Atlassian Document Format that the platform API speaks.

use serde_json::Value;

use super::json::{self, Array};

/// A document: paragraphs for lines, a list for lines that begin with `* `.
pub(super) fn document(text: &str) -> Vec<u8> {
    json::document(|o| {
        o.text("type", "doc");
        o.int("version", 1);
        o.array("content", |a| {
            let mut items = Vec::new();
            for line in text.lines() {
                match line.strip_prefix("* ") {
                    Some(item) => items.push(item),
                    None => {
                        list(a, &mut items);
                        paragraph(a, line);
                    }
                }
            }
            list(a, &mut items);
        });
    })
}

/// The text of a document: a line for each block, and a mark before the items of lists; `None` where it is no document.
pub(super) fn text(document: &Value) -> Option<String> {
    let is_document = document["type"] == "doc" && document["version"].is_number();
    let content = document["content"].as_array().filter(|_| is_document)?;
    let mut lines = Vec::new();
    blocks(content, "", &mut lines)?;
    Some(lines.join("\n"))
}

fn blocks(nodes: &[Value], mark: &str, lines: &mut Vec<String>) -> Option<()> {
    for node in nodes {
        let kind = node["type"].as_str()?;
        let content = node["content"].as_array().map(Vec::as_slice).unwrap_or_default();
        if kind == "paragraph" || content.iter().any(|inner| inner["type"] == "text") {
            let mut line = mark.to_owned();
            for inner in content {
                match inner["type"].as_str()? {
                    // A text is never empty.
                    "text" => line.push_str(inner["text"].as_str().filter(|text| !text.is_empty())?),
                    "hardBreak" => line.push('\n'),
                    _ => line.push_str(inner["attrs"]["text"].as_str().unwrap_or_default()),
                }
            }
            lines.push(line);
        } else {
            blocks(content, if kind == "listItem" { "* " } else { mark }, lines)?;
        }
    }
    Some(())
}

fn list(a: &mut Array, items: &mut Vec<&str>) {
    if items.is_empty() {
        return;
    }
    a.object(|o| {
        o.text("type", "bulletList");
        o.array("content", |a| {
            for item in items.drain(..) {
                a.object(|o| {
                    o.text("type", "listItem");
                    o.array("content", |a| paragraph(a, item));
                });
            }
        });
    });
}

fn paragraph(a: &mut Array, line: &str) {
    a.object(|o| {
        o.text("type", "paragraph");
        o.array("content", |a| {
            if !line.is_empty() {
                a.object(|o| {
                    o.text("type", "text");
                    o.text("text", line);
                });
            }
        });
    });
}
