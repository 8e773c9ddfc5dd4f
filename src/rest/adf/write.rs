//! The Markdown of a document: CommonMark with tables, task lists, strikethrough and alerts, as GitHub reads it.
//!
//! What Markdown has no word for — colours, layout, widths — is left out; what somebody wrote is not. A node that cannot be shown is a
//! comment with its name.

use serde_json::Value;

use super::node::{self, DEEPEST, LISTS, Own, attribute, content, kind};

/// The Markdown of a document; `None` if it is no document.
pub(crate) fn to_markdown(json: &str) -> Option<String> {
    let document: Value = serde_json::from_str(json).ok()?;
    (kind(&document) == "doc").then(|| blocks(content(&document), 0))
}

/// What stands for a node that cannot be shown.
fn unshown(name: &str) -> String {
    let name: String = name.chars().filter(|c| c.is_alphanumeric()).collect();
    format!("<!-- {name} -->")
}

/// Marks around text in Markdown, the outermost first, and what stands on either side.
const AROUND: &[(&str, &str)] = &[("strong", "**"), ("em", "*"), ("strike", "~~")];

/// Blocks with an empty line between them.
fn blocks(nodes: &[Value], depth: usize) -> String {
    if depth > DEEPEST {
        return unshown("too deep");
    }
    let mut out = String::new();
    let mut last = "";
    let mut rest = nodes;
    while let Some((first, others)) = rest.split_first() {
        let run = rest.iter().take_while(|node| node::is_inline(node)).count();
        let (block, name) = match run {
            0 => (block(first, depth), kind(first)),
            _ => (inline(&rest[..run], depth), "paragraph"),
        };
        rest = if run > 0 { &rest[run..] } else { others };
        if block.is_empty() {
            continue;
        }
        if !out.is_empty() {
            // Two lists after one another would be one.
            let apart = LISTS.contains(&name) && LISTS.contains(&last);
            out.push_str(if apart { "\n\n<!-- -->\n\n" } else { "\n\n" });
        }
        out.push_str(&block);
        last = name;
    }
    out
}

fn block(node: &Value, depth: usize) -> String {
    match kind(node) {
        "heading" => {
            let level = attribute(node, "level")
                .and_then(|level| level.parse().ok())
                .unwrap_or(1)
                .clamp(1, 6);
            let line = inline(content(node), depth + 1).replace("\\\n", "<br>");
            format!("{} {}", "#".repeat(level), line.replace('\n', " "))
                .trim_end()
                .to_owned()
        }
        "codeBlock" => {
            let text: String = content(node)
                .iter()
                .filter_map(|inner| inner.as_str().map(Into::into).or_else(|| node::own(inner).text))
                .collect();
            let fence = fence(&text, 3);
            format!("{fence}{}\n{text}\n{fence}", attribute(node, "language").unwrap_or_default())
        }
        "blockquote" => quoted(&blocks(content(node), depth + 1)),
        "panel" => {
            let alert = match attribute(node, "panelType").as_deref() {
                Some("note") => "IMPORTANT",
                Some("success" | "tip") => "TIP",
                Some("warning") => "WARNING",
                Some("error") => "CAUTION",
                _ => "NOTE",
            };
            quoted(&format!("[!{alert}]\n{}", blocks(content(node), depth + 1)))
        }
        "rule" => "---".to_owned(),
        "table" => table(node, depth),
        name if LISTS.contains(&name) => list(node, depth),
        "expand" | "nestedExpand" => {
            let title = attribute(node, "title").map(|title| format!("**{}**", escaped(title.trim(), true)));
            let inner = blocks(content(node), depth + 1);
            [title.unwrap_or_default(), inner]
                .into_iter()
                .filter(|part| !part.is_empty())
                .collect::<Vec<_>>()
                .join("\n\n")
        }
        _ => {
            let own = led(node);
            if node::is_line(node) {
                return own + &inline(content(node), depth + 1);
            }
            let inner = blocks(content(node), depth + 1);
            [own, inner]
                .into_iter()
                .filter(|part| !part.is_empty())
                .collect::<Vec<_>>()
                .join("\n\n")
        }
    }
}

fn list(whole: &Value, depth: usize) -> String {
    let mut number = node::first_number(whole);
    let mut lines: Vec<String> = Vec::new();
    for item in content(whole) {
        if LISTS.contains(&kind(item)) {
            lines.extend(list(item, depth + 1).lines().map(|line| format!("  {line}")));
            continue;
        }
        let (mark, box_) = match kind(whole) {
            "orderedList" => (format!("{number}. "), ""),
            "taskList" => ("- ".to_owned(), if node::is_done(item) { "[x] " } else { "[ ] " }),
            _ => ("- ".to_owned(), ""),
        };
        number += 1;
        let state = node::undecided(item).map(|state| format!("\\[{}\\] ", escaped(&state, false)));
        let inner = state.unwrap_or_default() + &inside(item, depth + 2, entry);
        let pad = " ".repeat(mark.len());
        for (at, line) in format!("{box_}{inner}").split('\n').enumerate() {
            let line = format!("{}{line}", if at == 0 { &mark } else { &pad });
            lines.push(line.trim_end().to_owned());
        }
    }
    lines.join("\n")
}

/// What is in an item or a cell: what stands in its place, a line, or blocks.
fn inside(node: &Value, depth: usize, blocks: fn(&[Value], usize) -> String) -> String {
    if node::is_inline(node) {
        return inline(std::slice::from_ref(node), depth);
    }
    let own = led(node);
    match node::is_line(node) {
        true => own + &inline(content(node), depth),
        false if own.is_empty() => blocks(content(node), depth),
        false => format!("{own}\n\n{}", blocks(content(node), depth)).trim_end().to_owned(),
    }
}

/// What a block itself says, as a link where it leads somewhere.
fn led(node: &Value) -> String {
    match node::link(node) {
        Some(address) => link(&own(node), &address),
        None => own(node),
    }
}

/// The blocks of an item: a list stands right below its line, so that the list around it stays a tight one.
fn entry(nodes: &[Value], depth: usize) -> String {
    match nodes {
        [first, second] if kind(first) == "paragraph" && LISTS.contains(&kind(second)) => {
            format!("{}\n{}", block(first, depth), block(second, depth))
        }
        nodes => blocks(nodes, depth),
    }
}

fn table(table: &Value, depth: usize) -> String {
    let mut rows: Vec<Vec<String>> = Vec::new();
    let mut has_head = false;
    for (at, row) in content(table).iter().enumerate() {
        has_head |= at == 0 && content(row).iter().any(|cell| kind(cell) == "tableHeader");
        let cell = |cell: &Value| {
            let text = inside(cell, depth + 2, blocks);
            let text = text.replace("\\\n", "<br>").replace("\n\n", "<br>").replace('\n', "<br>");
            // A bar divides cells even inside of code.
            unbarred(&text)
        };
        // A text in the place of a row is a cell.
        rows.push(match node::is_inline(row) {
            true => vec![cell(row)],
            false => content(row).iter().map(cell).collect(),
        });
    }
    let width = rows.iter().map(Vec::len).max().unwrap_or(0);
    if width == 0 {
        return String::new();
    }
    if !has_head {
        rows.insert(0, vec![String::new(); width]);
    }
    let mut lines = Vec::new();
    for (at, mut row) in rows.into_iter().enumerate() {
        row.resize(width, String::new());
        lines.push(format!("| {} |", row.join(" | ")));
        if at == 0 {
            lines.push(format!("|{}", " --- |".repeat(width)));
        }
    }
    lines.join("\n")
}

/// A line, or several with hard breaks between them.
fn inline(nodes: &[Value], depth: usize) -> String {
    let mut line = Line::default();
    linked(nodes, depth, &mut line);
    // A break at the end breaks nothing.
    let mut text = line.out.as_str();
    while let Some(rest) = text
        .trim_end_matches([' ', '\n'])
        .strip_suffix('\\')
        .filter(|_| text.ends_with("\\\n"))
    {
        text = rest;
    }
    text.trim_matches([' ', '\n']).to_owned()
}

fn linked(nodes: &[Value], depth: usize, line: &mut Line) {
    let mut rest = nodes;
    while let Some(first) = rest.first() {
        let address = node::link(first);
        let run = rest.iter().take_while(|node| node::link(node) == address).count();
        match address {
            None => marked(&rest[..run], AROUND, depth, line),
            Some(address) => {
                let mut label = Line::default();
                marked(&rest[..run], AROUND, depth, &mut label);
                let label = label.out.as_str();
                line.text(&label[..label.len() - label.trim_start().len()]);
                line.whole(&link(label, &address));
                line.text(&label[label.trim_end().len().max(label.len() - label.trim_start().len())..]);
            }
        }
        rest = &rest[run..];
    }
}

fn marked(nodes: &[Value], marks: &[(&str, &str)], depth: usize, line: &mut Line) {
    let Some(((name, around), inner)) = marks.split_first() else {
        nodes.iter().for_each(|node| leaf(node, depth, line));
        return;
    };
    let mut rest = nodes;
    while let Some(first) = rest.first() {
        let has = node::mark(first, name).is_some();
        let run = rest.iter().take_while(|node| node::mark(node, name).is_some() == has).count();
        if has {
            let mut part = Line::default();
            marked(&rest[..run], inner, depth, &mut part);
            line.around(around, &part.out);
        } else {
            marked(&rest[..run], inner, depth, line);
        }
        rest = &rest[run..];
    }
}

fn leaf(node: &Value, depth: usize, line: &mut Line) {
    match kind(node) {
        "hardBreak" => line.whole("\\\n"),
        "text" if node::mark(node, "code").is_some() => {
            let text = node::said(&node["text"]).unwrap_or_default().replace('\n', " ");
            let fence = fence(&text, 1);
            let pad = if text.starts_with('`') || text.ends_with('`') || (text.starts_with(' ') && text.ends_with(' ')) {
                " "
            } else {
                ""
            };
            line.whole(&format!("{fence}{pad}{text}{pad}{fence}"));
        }
        _ => {
            let own = own(node);
            line.text(&own);
            if depth <= DEEPEST {
                let inner = content(node);
                linked(inner, depth + 1, line);
            }
        }
    }
}

/// What a node itself says.
fn own(node: &Value) -> String {
    if let Some(text) = node.as_str() {
        return escaped(text, false);
    }
    let own = node::own(node);
    if own.is_nothing() && !node::may_be_silent(node) {
        return unshown(kind(node));
    }
    match own {
        Own {
            text,
            address: Some(address),
        } if kind(node).starts_with("media") => {
            format!("![{}]({})", escaped(&text.unwrap_or_default(), true), destination(&address))
        }
        Own {
            text,
            address: Some(address),
        } => link(&escaped(&text.unwrap_or_default(), true), &address),
        Own { text: Some(text), .. } => escaped(&text, false),
        _ => String::new(),
    }
}

/// A line under construction. Delimiters of marks are read as such only where what stands around them lets them be.
#[derive(Default)]
struct Line {
    out: String,
    /// A delimiter closed behind punctuation: what follows must not be a letter.
    closed: bool,
    /// It ends with a delimiter.
    is_delimited: bool,
}

fn is_punctuation(c: char) -> bool {
    !c.is_alphanumeric() && !c.is_whitespace()
}

/// A character that reads as itself and looks like punctuation.
fn entity(c: char) -> String {
    format!("&#{};", c as u32)
}

impl Line {
    fn text(&mut self, text: &str) {
        let mut rest = text;
        if let Some(first) = text.chars().next()
            && self.closed
            && first.is_alphanumeric()
        {
            self.out.push_str(&entity(first));
            rest = &text[first.len_utf8()..];
        }
        self.closed &= text.is_empty();
        self.is_delimited &= text.is_empty();
        self.out.push_str(rest);
    }

    fn whole(&mut self, text: &str) {
        (self.closed, self.is_delimited) = (false, false);
        self.out.push_str(text);
    }

    /// Text between delimiters; white space at its ends stands outside of them.
    fn around(&mut self, delimiter: &str, inner: &str) {
        let text = inner.trim();
        let start = &inner[..inner.len() - inner.trim_start().len()];
        let end = &inner[inner.trim_end().len()..];
        let (Some(first), Some(last)) = (text.chars().next(), text.chars().next_back()) else {
            return self.text(inner);
        };
        self.text(start);
        if let Some(before) = self
            .out
            .chars()
            .next_back()
            .filter(|before| before.is_alphanumeric() && is_punctuation(first))
        {
            self.out.truncate(self.out.len() - before.len_utf8());
            self.out.push_str(&entity(before));
        } else if self.is_delimited && !self.out.ends_with(' ') {
            // Two delimiters after one another would be one.
            self.out.push_str("<!-- -->");
        }
        self.closed = false;
        self.out.push_str(delimiter);
        self.out.push_str(text);
        self.out.push_str(delimiter);
        (self.closed, self.is_delimited) = (is_punctuation(last), true);
        self.text(end);
    }
}

fn link(label: &str, address: &str) -> String {
    let label = label.trim();
    if label.is_empty() || label == escaped(address, false) || label == address {
        let is_plain = address.contains(':') && !address.contains(|c: char| c.is_whitespace() || c == '<' || c == '>');
        if is_plain
            && address
                .split(':')
                .next()
                .is_some_and(|scheme| (2..=32).contains(&scheme.len()) && scheme.chars().all(char::is_alphanumeric))
        {
            return format!("<{address}>");
        }
    }
    format!("[{label}]({})", destination(address))
}

/// An address as the destination of a link.
fn destination(address: &str) -> String {
    let address = address.replace('\n', "%0A").replace('\r', "%0D");
    let is_plain =
        !address.contains(|c: char| c.is_whitespace() || c.is_control() || matches!(c, '(' | ')' | '<' | '>' | '\\' | '&'));
    if is_plain && !address.is_empty() {
        return address;
    }
    format!(
        "<{}>",
        address
            .replace('\\', "\\\\")
            .replace('<', "\\<")
            .replace('>', "\\>")
            .replace('&', "&amp;")
    )
}

/// Backticks of which the text has no such run.
fn fence(text: &str, least: usize) -> String {
    let longest = text.split(|c| c != '`').map(str::len).max().unwrap_or(0);
    "`".repeat(least.max(longest + 1))
}

fn quoted(text: &str) -> String {
    text.split('\n')
        .map(|line| format!("> {line}").trim_end().to_owned())
        .collect::<Vec<_>>()
        .join("\n")
}

/// Text with bars escaped, where they are not yet.
fn unbarred(text: &str) -> String {
    let mut out = String::with_capacity(text.len());
    let mut is_escaped = false;
    for c in text.chars() {
        if c == '|' && !is_escaped {
            out.push('\\');
        }
        is_escaped = c == '\\' && !is_escaped;
        out.push(c);
    }
    out
}

/// Text in which nothing means anything. A line break within it is a hard one; within a label it is a blank.
fn escaped(text: &str, is_label: bool) -> String {
    let mut out = String::with_capacity(text.len());
    let mut at_start = true;
    for c in text.chars() {
        match c {
            '\n' if is_label => out.push(' '),
            '\n' => out.push_str("\\\n"),
            '\\' | '`' | '*' | '_' | '[' | ']' | '<' | '>' | '&' | '~' | '|' | '!' | '#' => {
                out.push('\\');
                out.push(c);
            }
            // What begins a block, at the beginning of a line; behind digits it begins a list.
            '+' | '-' | '=' if at_start => {
                out.push('\\');
                out.push(c);
            }
            '.' | ')'
                if out
                    .rsplit('\n')
                    .next()
                    .is_some_and(|line| !line.is_empty() && line.len() < 10 && line.bytes().all(|b| b.is_ascii_digit())) =>
            {
                out.push('\\');
                out.push(c);
            }
            c => out.push(c),
        }
        at_start = c == '\n' || (at_start && c == ' ');
    }
    out
}
