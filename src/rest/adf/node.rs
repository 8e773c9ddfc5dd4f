//! The nodes and marks of documents: what is known about each, and how what they say is found. The tables are documentation as well.

use std::borrow::Cow;

use serde_json::Value;

/// Where a node stands.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Place {
    /// It is a block that has blocks.
    Blocks,
    /// It is a block that has a line of text.
    Line,
    /// It stands within a line.
    Inline,
    /// It is a block that has nothing in it, or stands within a line.
    Either,
}

/// A kind of node: its name, where it stands, and how it reads as text and as Markdown.
pub(crate) struct NodeRow {
    pub(crate) name: &'static str,
    place: Place,
    #[cfg_attr(not(test), expect(dead_code, reason = "for the documentation"))]
    pub(crate) text: &'static str,
    #[cfg_attr(not(test), expect(dead_code, reason = "for the documentation"))]
    pub(crate) markdown: &'static str,
}

macro_rules! nodes {
    ($($name:literal $place:ident $text:literal $markdown:literal;)*) => {
        /// Every kind of node that Atlassian documents.
        pub(crate) const NODES: &[NodeRow] = &[$(NodeRow { name: $name, place: Place::$place, text: $text, markdown: $markdown }),*];
    };
}

nodes! {
    "doc" Blocks "its blocks, each on lines of its own" "its blocks, with an empty line between them";
    "paragraph" Line "a line" "a paragraph";
    "heading" Line "a line" "`#` to `######`";
    "blockquote" Blocks "its blocks" "`> `";
    "codeBlock" Line "its text" "a fenced block with its language";
    "panel" Blocks "its blocks" "`> ` with `[!NOTE]`, `[!TIP]`, `[!WARNING]`, `[!CAUTION]` or `[!IMPORTANT]`";
    "rule" Blocks "`---`" "`---`";
    "bulletList" Blocks "`* ` before each item" "`- ` before each item";
    "orderedList" Blocks "`1. `, `2. ` … before each item, from its first number on" "the same";
    "listItem" Blocks "its blocks, indented" "its blocks, indented";
    "taskList" Blocks "its items; a list in it is indented" "its items; a list in it is indented";
    "taskItem" Line "`[x] ` when done, `[ ] ` before that" "`- [x] `, `- [ ] `";
    "blockTaskItem" Blocks "as a taskItem" "as a taskItem";
    "decisionList" Blocks "its items" "its items";
    "decisionItem" Line "`* `, and its state in brackets where it is not `DECIDED`" "`- `, and the same";
    "expand" Blocks "its title on a line, then its blocks" "its title in bold, then its blocks";
    "nestedExpand" Blocks "its title on a line, then its blocks" "its title in bold, then its blocks";
    "table" Blocks "a line for each row" "a table; where a cell has more than a line, its lines are divided by `<br>`";
    "tableRow" Blocks "its cells, with tabs between them" "a row";
    "tableHeader" Blocks "its blocks in one line" "a cell";
    "tableCell" Blocks "its blocks in one line" "a cell";
    "layoutSection" Blocks "its columns, one after the other" "its columns, one after the other";
    "layoutColumn" Blocks "its blocks" "its blocks";
    "mediaGroup" Blocks "its files" "its files";
    "mediaSingle" Blocks "its file, then its caption" "its file, then its caption";
    "caption" Line "a line" "a paragraph";
    "media" Either "its alternative text or file name, and its address; else its id; and where its link leads" "`![text](address)`, where it has an address; `[…](link)` around it";
    "mediaInline" Inline "as media" "as media";
    "blockCard" Either "its name and address" "a link";
    "embedCard" Either "its name and address" "a link";
    "inlineCard" Inline "its name and address" "a link";
    "text" Inline "its text, with the address of a link behind it in parentheses" "its text with its marks";
    "hardBreak" Inline "a line break" "a line break";
    "mention" Inline "its text; without one `@` and the account id" "the same";
    "emoji" Inline "the character; else its short name" "the same";
    "date" Inline "`2026-03-01`" "the same";
    "status" Inline "its text" "its text";
    "placeholder" Inline "its text" "its text";
    "extension" Blocks "its text; else the name of the macro in brackets" "the same";
    "bodiedExtension" Blocks "its blocks" "its blocks";
    "multiBodiedExtension" Blocks "its blocks" "its blocks";
    "extensionFrame" Blocks "its blocks" "its blocks";
    "inlineExtension" Inline "its text; else the name of the macro in brackets" "the same";
    "syncBlock" Blocks "counted: its blocks are in another document" "the same";
    "bodiedSyncBlock" Blocks "its blocks" "its blocks";
    "unsupportedBlock" Blocks "what its original value says" "the same";
    "unsupportedInline" Inline "what its original value says" "the same";
}

/// Every mark that Atlassian documents, with what becomes of it in text and in Markdown.
#[cfg(test)]
pub(crate) const MARKS: &[(&str, &str, &str)] = &[
    (
        "link",
        "the address behind the text, in parentheses, where the text is not the address",
        "`[text](address)`",
    ),
    ("strong", "—", "`**text**`"),
    ("em", "—", "`*text*`"),
    ("strike", "—", "`~~text~~`"),
    ("code", "—", "`` `text` ``"),
    ("underline", "—", "—"),
    ("subsup", "—", "—"),
    ("textColor", "—", "—"),
    ("backgroundColor", "—", "—"),
    ("alignment", "—", "—"),
    ("indentation", "—", "—"),
    ("fontSize", "—", "—"),
    ("border", "—", "—"),
    ("breakout", "—", "—"),
    ("annotation", "—", "—"),
    ("dataConsumer", "—", "—"),
    ("fragment", "—", "—"),
];

/// Lists of every kind.
pub(super) const LISTS: &[&str] = &["bulletList", "orderedList", "taskList", "decisionList"];

/// Deepest nesting that is followed; a document of a person has some ten levels. The JSON reader stops soon behind it.
pub(super) const DEEPEST: usize = 100;

pub(super) fn kind(node: &Value) -> &str {
    node["type"].as_str().unwrap_or_default()
}

/// The nodes inside of a node.
pub(super) fn content(node: &Value) -> &[Value] {
    several(&node["content"])
}

/// The elements of a list; apps write one element without a list around it.
fn several(value: &Value) -> &[Value] {
    match value {
        Value::Array(values) => values,
        Value::Null => &[],
        one => std::slice::from_ref(one),
    }
}

/// An attribute as text; an empty one is none.
pub(super) fn attribute<'a>(node: &'a Value, name: &str) -> Option<Cow<'a, str>> {
    said(&node["attrs"][name])
}

/// A value that says something.
pub(super) fn said(value: &Value) -> Option<Cow<'_, str>> {
    match value {
        Value::String(text) if !text.is_empty() => Some(text.as_str().into()),
        Value::Number(number) => Some(number.to_string().into()),
        _ => None,
    }
}

/// A mark of a text, by name.
pub(super) fn mark<'a>(node: &'a Value, name: &str) -> Option<&'a Value> {
    several(&node["marks"]).iter().find(|mark| kind(mark) == name)
}

/// The address of the link that a text is.
pub(super) fn link(node: &Value) -> Option<Cow<'_, str>> {
    attribute(mark(node, "link")?, "href")
}

fn place(name: &str) -> Option<Place> {
    NODES.iter().find(|row| row.name == name).map(|row| row.place)
}

/// Whether the nodes of a node stand within a line: nodes nobody has heard of stand where the others do.
pub(super) fn is_line(node: &Value) -> bool {
    let has = |wanted: &[Place]| {
        let mut places = content(node).iter().filter_map(|inner| place(kind(inner)));
        places.any(|place| wanted.contains(&place))
    };
    place(kind(node)) == Some(Place::Line) || (has(&[Place::Inline]) && !has(&[Place::Blocks, Place::Line]))
}

/// Whether a node stands within a line.
pub(super) fn is_inline(node: &Value) -> bool {
    node.is_string() || place(kind(node)) == Some(Place::Inline)
}

/// What a node says by itself, without the nodes inside of it: a name, and an address. `None`: it is known to say nothing.
pub(super) fn own(node: &Value) -> Own<'_> {
    let attribute = |name: &str| attribute(node, name);
    match kind(node) {
        "text" => Own::text(said(&node["text"])),
        "hardBreak" => Own::text(Some("\n".into())),
        "mention" => Own::text(attribute("text").or_else(|| Some(format!("@{}", attribute("id")?).into()))),
        "emoji" => Own::text(
            attribute("text")
                .or_else(|| attribute("shortName"))
                .or_else(|| attribute("id")),
        ),
        "date" => Own::text(
            attribute("timestamp")
                .and_then(|timestamp| day(&timestamp))
                .map(Into::into)
                .or_else(|| attribute("timestamp")),
        ),
        "inlineCard" | "blockCard" | "embedCard" => {
            let data = &node["attrs"]["data"];
            let name = ["name", "title"].iter().find_map(|name| said(&data[name]));
            Own {
                text: name,
                address: attribute("url").or_else(|| said(&data["url"])).or_else(|| said(&data["@id"])),
            }
        }
        "media" | "mediaInline" => {
            let name = ["alt", "__fileName", "fileName", "name"]
                .iter()
                .find_map(|name| attribute(name));
            let address = attribute("url");
            let id = attribute("id").filter(|_| name.is_none() && address.is_none());
            Own {
                text: name.or_else(|| Some(format!("[{}]", id?).into())),
                address,
            }
        }
        "extension" | "inlineExtension" => {
            let title = &node["attrs"]["parameters"]["macroMetadata"]["title"];
            let key = || Some(format!("[{}]", attribute("extensionKey")?).into());
            Own::text(attribute("text").or_else(|| said(title)).or_else(key))
        }
        "unsupportedBlock" | "unsupportedInline" => own(&node["attrs"]["originalValue"]),
        // Nodes that nobody has heard of: whatever they may call it.
        _ => Own {
            text: said(&node["text"]).or_else(|| {
                ["text", "title", "name", "alt", "label"]
                    .iter()
                    .find_map(|name| attribute(name))
            }),
            address: attribute("url").or_else(|| attribute("href")),
        },
    }
}

/// What a node says by itself.
#[derive(Debug, Default, PartialEq)]
pub(super) struct Own<'a> {
    pub(super) text: Option<Cow<'a, str>>,
    pub(super) address: Option<Cow<'a, str>>,
}

impl<'a> Own<'a> {
    fn text(text: Option<Cow<'a, str>>) -> Self {
        Self { text, address: None }
    }

    pub(super) fn is_nothing(&self) -> bool {
        self.text.is_none() && self.address.is_none()
    }
}

/// Whether a node may say nothing without anything being lost: it is there for what is inside of it, or is no node at all.
pub(super) fn may_be_silent(node: &Value) -> bool {
    match place(kind(node)) {
        Some(Place::Blocks | Place::Line) => !matches!(kind(node), "syncBlock" | "extension" | "unsupportedBlock"),
        // Nobody wrote an empty text.
        Some(Place::Inline | Place::Either) => kind(node) == "text" && node["text"].is_string(),
        None => !content(node).is_empty() || node.is_null(),
    }
}

/// The first number of an ordered list.
pub(super) fn first_number(list: &Value) -> u64 {
    let order = attribute(list, "order").and_then(|order| whole(&order));
    order.and_then(|order| order.try_into().ok()).unwrap_or(1)
}

/// A whole number; some write it as `5.0`.
pub(super) fn whole(number: &str) -> Option<i64> {
    let digits = number.trim().split_once('.');
    match digits {
        Some((whole, zeros)) if zeros.bytes().all(|digit| digit == b'0') => whole.parse().ok(),
        _ => number.trim().parse().ok(),
    }
}

pub(super) fn is_done(item: &Value) -> bool {
    attribute(item, "state").is_some_and(|state| state == "DONE")
}

/// The state of a decision that is not made: to decide something is what decisions are for, so that is not worth a word.
pub(super) fn undecided(item: &Value) -> Option<Cow<'_, str>> {
    attribute(item, "state").filter(|state| kind(item) == "decisionItem" && !state.eq_ignore_ascii_case("DECIDED"))
}

/// A date of a document is milliseconds since 1970, as text or number.
fn day(timestamp: &str) -> Option<String> {
    let moment = chrono::DateTime::from_timestamp_millis(whole(timestamp)?)?;
    Some(moment.format("%Y-%m-%d").to_string())
}
