//! Text as the Atlassian Document Format that the platform API speaks.

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
