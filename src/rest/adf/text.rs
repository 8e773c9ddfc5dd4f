//! The text of a document: what a person would read, without formatting.
//!
//! Blocks become lines, items of lists begin with a mark, cells of a table are divided by tabs. Nodes nobody has heard of give the text
//! inside of them.

use serde_json::Value;

use super::node::{self, DEEPEST, LISTS, content, kind};

/// What reading a document gave.
#[derive(Debug, Default, PartialEq, Eq)]
pub(in crate::rest) struct Reading {
    /// Without a line break at its end.
    pub(in crate::rest) text: String,
    /// Nodes that say something which cannot be shown.
    pub(in crate::rest) unshown: u64,
}

/// The text of a document; `None` if it is no document.
pub(in crate::rest) fn text(json: &str) -> Option<Reading> {
    let document: Value = serde_json::from_str(json).ok()?;
    if kind(&document) != "doc" {
        return None;
    }
    let mut reading = Reading::default();
    reading.blocks(content(&document), "", 0);
    reading.text.truncate(reading.text.trim_end_matches('\n').len());
    Some(reading)
}

impl Reading {
    /// What a part of the document says, by itself.
    fn part(&mut self, read: impl FnOnce(&mut Self)) -> String {
        let mut part = Self::default();
        read(&mut part);
        self.unshown += part.unshown;
        part.text.truncate(part.text.trim_end_matches('\n').len());
        part.text
    }

    fn line(&mut self, indent: &str, line: &str) {
        self.text.push_str(indent);
        self.text.push_str(line);
        self.text.push('\n');
    }

    fn blocks(&mut self, nodes: &[Value], indent: &str, depth: usize) {
        if depth > DEEPEST {
            self.unshown += nodes.len() as u64;
            return;
        }
        let mut rest = nodes;
        while let Some((node, others)) = rest.split_first() {
            // What stands within a line makes one, also where blocks should be.
            let run = rest.iter().take_while(|node| node::is_inline(node)).count();
            if run > 0 {
                let line = self.part(|part| part.inline(&rest[..run], depth));
                self.line(indent, &line);
                rest = &rest[run..];
                continue;
            }
            rest = others;
            self.block(node, indent, depth);
        }
    }

    fn block(&mut self, node: &Value, indent: &str, depth: usize) {
        match kind(node) {
            name if LISTS.contains(&name) => self.list(node, indent, depth),
            "table" => {
                for row in content(node) {
                    let own = self.part(|part| part.own(row));
                    let cells = content(row)
                        .iter()
                        .map(|cell| self.part(|part| part.inside(cell, depth + 2)).replace(['\n', '\t'], " "));
                    // A text in the place of a row is a cell.
                    let own = Some(own).filter(|own| !own.is_empty());
                    let cells: Vec<String> = own.into_iter().chain(cells).collect();
                    self.line(indent, &cells.join("\t"));
                }
            }
            "rule" => self.line(indent, "---"),
            _ => {
                let own = self.part(|part| part.linked(node));
                if node::is_line(node) || (content(node).is_empty() && own.is_empty() && node::may_be_silent(node)) {
                    let inner = self.part(|part| part.inline(content(node), depth + 1));
                    return self.line(indent, &(own + &inner));
                }
                // Panels, quotes, folds and whatever comes next.
                if !own.is_empty() {
                    self.line(indent, &own);
                }
                self.blocks(content(node), indent, depth + 1);
            }
        }
    }

    /// What a node itself says, and where it leads.
    fn linked(&mut self, node: &Value) {
        self.own(node);
        if let Some(address) = node::link(node) {
            let label = self.text.clone();
            self.address(&label, &address);
        }
    }

    /// What is in an item or a cell: what stands in its place, blocks, or a line.
    fn inside(&mut self, node: &Value, depth: usize) {
        if node::is_inline(node) {
            return self.inline(std::slice::from_ref(node), depth);
        }
        let own = self.part(|part| part.linked(node));
        if node::is_line(node) {
            self.text.push_str(&own);
            self.inline(content(node), depth);
        } else {
            if !own.is_empty() {
                self.line("", &own);
            }
            self.blocks(content(node), "", depth);
        }
    }

    fn list(&mut self, list: &Value, indent: &str, depth: usize) {
        let mut number = node::first_number(list);
        for item in content(list) {
            // A list of tasks may lie in another without an item around it.
            if LISTS.contains(&kind(item)) {
                self.list(item, &format!("{indent}    "), depth + 1);
                continue;
            }
            let mark = match kind(list) {
                "orderedList" => format!("{number}. "),
                "taskList" => if node::is_done(item) { "[x] " } else { "[ ] " }.to_owned(),
                _ => "* ".to_owned(),
            };
            let state = node::undecided(item).map(|state| format!("[{state}] ")).unwrap_or_default();
            number += 1;
            let inner = state + &self.part(|part| part.inside(item, depth + 2));
            let pad = " ".repeat(mark.len());
            for (line, text) in inner.split('\n').enumerate() {
                self.line(indent, &format!("{}{text}", if line == 0 { &mark } else { &pad }));
            }
        }
    }

    fn inline(&mut self, nodes: &[Value], depth: usize) {
        if depth > DEEPEST {
            self.unshown += nodes.len() as u64;
            return;
        }
        let mut label = String::new();
        for (index, node) in nodes.iter().enumerate() {
            let start = self.text.len();
            self.own(node);
            self.inline(content(node), depth + 1);
            // A link may be several texts, such as one in bold; its address stands behind the last.
            let Some(address) = node::link(node) else { continue };
            label.push_str(&self.text[start..]);
            if nodes.get(index + 1).and_then(node::link).as_ref() != Some(&address) {
                self.address(&label, &address);
                label.clear();
            }
        }
    }

    /// The address behind what leads to it, where that is not the same.
    fn address(&mut self, label: &str, address: &str) {
        let bare = |text: &str| {
            let text = text.trim().trim_end_matches('/');
            ["mailto:", "https://", "http://"]
                .iter()
                .fold(text.to_owned(), |text, scheme| text.trim_start_matches(scheme).to_owned())
        };
        match label.trim() {
            "" => self.text.push_str(address),
            label if bare(label) == bare(address) => {}
            _ => {
                self.text.push_str(" (");
                self.text.push_str(address);
                self.text.push(')');
            }
        }
    }

    /// What a node itself says.
    fn own(&mut self, node: &Value) {
        if let Some(text) = node.as_str() {
            return self.text.push_str(text);
        }
        let own = node::own(node);
        if own.is_nothing() && !node::may_be_silent(node) {
            self.unshown += 1;
        }
        let text = own.text.unwrap_or_default();
        self.text.push_str(&text);
        if let Some(address) = own.address {
            self.address(&text, &address);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(content: &str) -> (String, u64) {
        let reading = text(&format!(r#"{{"type":"doc","version":1,"content":[{content}]}}"#)).unwrap();
        (reading.text, reading.unshown)
    }

    fn paragraph(inner: &str) -> String {
        format!(r#"{{"type":"paragraph","content":[{inner}]}}"#)
    }

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
            // Attributes that are null, and nodes that are.
            (
                r#"{"type":"heading","attrs":null,"content":[{"type":"text","text":"T","marks":null},null]},null,{"type":"paragraph","content":null}"#,
                "T",
            ),
            (
                r#"{"type":"orderedList","attrs":{"order":5},"content":[{"type":"listItem","content":[{"type":"paragraph","content":[{"type":"text","text":"x"}]}]},{"type":"listItem","content":[{"type":"paragraph","content":[{"type":"text","text":"y"}]}]}]}"#,
                "5. x\n6. y",
            ),
            (
                r#"{"type":"taskList","content":[{"type":"taskItem","attrs":{"state":"DONE"},"content":[{"type":"text","text":"a"}]},{"type":"taskList","content":[{"type":"taskItem","attrs":{"state":"TODO"},"content":[{"type":"text","text":"b"}]}]}]}"#,
                "[x] a\n    [ ] b",
            ),
            (
                r#"{"type":"expand","attrs":{"title":"More"},"content":[{"type":"nestedExpand","attrs":{"title":"Less"},"content":[{"type":"paragraph","content":[{"type":"text","text":"x"}]}]}]}"#,
                "More\nLess\nx",
            ),
            (
                r#"{"type":"mediaSingle","content":[{"type":"media","attrs":{"type":"external","url":"https://a.example/p.png","alt":"A cat"}},{"type":"caption","content":[{"type":"text","text":"c"}]}]}"#,
                "A cat (https://a.example/p.png)\nc",
            ),
            (
                r#"{"type":"mediaGroup","content":[{"type":"media","attrs":{"id":"7f","type":"file"}},{"type":"media","attrs":{"id":"8","__fileName":"x.pdf"}}]}"#,
                "[7f]\nx.pdf",
            ),
            (
                r#"{"type":"blockCard","attrs":{"data":{"@type":"Document","name":"Plan","url":"https://a.example/plan"}}}"#,
                "Plan (https://a.example/plan)",
            ),
        ] {
            assert_eq!(read(content), (expected.to_owned(), 0), "{content}");
        }
        assert_eq!(text("{}"), None);
        assert_eq!(text(r#"{"errorMessage":"x"}"#), None);
    }

    #[test]
    fn nothing_within_a_line_is_lost() {
        let link = |label: &str, more: &str, address: &str| {
            format!(r#"{{"type":"text","text":"{label}","marks":[{more}{{"type":"link","attrs":{{"href":"{address}"}}}}]}}"#)
        };
        let address = "https://a.example/x";
        for (inner, expected) in [
            (link("here", "", address), "here (https://a.example/x)"),
            (link(address, "", address), address),
            (link("a.example/x", "", address), "a.example/x"),
            (link("ann@a.example", "", "mailto:ann@a.example"), "ann@a.example"),
            (
                format!(
                    "{},{},{}",
                    link("a", "", address),
                    link("b", r#"{"type":"strong"},"#, address),
                    r#"{"type":"text","text":" c"}"#
                ),
                "ab (https://a.example/x) c",
            ),
            (r#"{"type":"mention","attrs":{"id":"5b10"}}"#.into(), "@5b10"),
            (r#"{"type":"emoji","attrs":{"text":"😀","shortName":":grin:"}}"#.into(), "😀"),
            (r#"{"type":"status","attrs":{"text":"DONE","color":"green"}}"#.into(), "DONE"),
            (r#"{"type":"date","attrs":{"timestamp":1772348400000}}"#.into(), "2026-03-01"),
            (
                r#"{"type":"text","text":"a"},{"type":"future","attrs":{"text":"b"}},{"type":"text","text":"c"}"#.into(),
                "abc",
            ),
            (r#"{"type":"future","content":[{"type":"text","text":"b"}]}"#.into(), "b"),
            (r#"{"type":"text","text":"a"},"bare",null"#.into(), "abare"),
            (
                r#"{"type":"inlineExtension","attrs":{"extensionKey":"jira-chart"}}"#.into(),
                "[jira-chart]",
            ),
        ] {
            assert_eq!(read(&paragraph(&inner)), (expected.to_owned(), 0), "{inner}");
        }
    }

    #[test]
    fn what_apps_write_otherwise_is_read() {
        let link = r#""marks":[{"type":"link","attrs":{"href":"https://a.example/x"}}]"#;
        for (content, expected) in [
            (
                format!(r#"{{"type":"mediaSingle","content":[{{"type":"media","attrs":{{"id":"7","alt":"cat"}},{link}}}]}}"#),
                "cat (https://a.example/x)",
            ),
            (
                format!(r#"{{"type":"mediaSingle",{link},"content":[{{"type":"media","attrs":{{"id":"7"}}}}]}}"#),
                "https://a.example/x\n[7]",
            ),
            (
                r#"{"type":"paragraph","content":[{"type":"text","text":"a","marks":{"type":"link","attrs":{"href":"https://a.example/x"}}}]}"#
                    .to_owned(),
                "a (https://a.example/x)",
            ),
            (
                r#"{"type":"orderedList","attrs":{"order":5.0},"content":{"type":"listItem","content":{"type":"paragraph","content":"x"}}}"#
                    .to_owned(),
                "5. x",
            ),
            (
                r#"{"type":"bulletList","content":["a",{"type":"text","text":"b"},{"type":"listItem","content":"c"}]}"#.to_owned(),
                "* a\n* b\n* c",
            ),
            (
                r#"{"type":"table","content":["a",{"type":"tableRow","content":["b",{"type":"tableCell","content":"c"}]}]}"#.to_owned(),
                "a\nb\tc",
            ),
            (r#"{"type":"codeBlock","content":"c"}"#.to_owned(), "c"),
            (
                r#"{"type":"decisionList","content":[{"type":"decisionItem","attrs":{"state":"UNDECIDED"},"content":[{"type":"text","text":"a"}]},{"type":"decisionItem","attrs":{"state":"DECIDED"},"content":[{"type":"text","text":"b"}]}]}"#
                    .to_owned(),
                "* [UNDECIDED] a\n* b",
            ),
            (paragraph(r#"{"type":"date","attrs":{"timestamp":1772348400000.0}}"#), "2026-03-01"),
        ] {
            assert_eq!(read(&content), (expected.to_owned(), 0), "{content}");
        }
        assert_eq!(read(r#"{"type":"paragraph","content":7}"#).1, 1, "a number is no node");
    }

    #[test]
    fn what_cannot_be_shown_is_counted() {
        for (content, expected, unshown) in [
            (
                paragraph(r#"{"type":"text","text":"a"},{"type":"future","attrs":{"x":1}}"#),
                "a",
                1,
            ),
            (r#"{"type":"syncBlock","attrs":{"resourceId":"7"}}"#.to_owned(), "", 1),
            (paragraph(r#"{"type":"text"}"#), "", 1),
            (paragraph(r#"{"type":"text","text":""}"#), "", 0),
        ] {
            assert_eq!(read(&content), (expected.to_owned(), unshown), "{content}");
        }
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
