//! The document of a Markdown text: CommonMark with tables, task lists, strikethrough and alerts.
//!
//! Everything becomes nodes that the site takes: images beside text are links, HTML is text.

use pulldown_cmark::{BlockQuoteKind, CodeBlockKind, Event, HeadingLevel, Options, Parser, Tag, TagEnd};
use serde_json::{Value, json};

/// The document that a Markdown text describes.
pub(crate) fn from_markdown(text: &str) -> String {
    let options = Options::ENABLE_TABLES | Options::ENABLE_TASKLISTS | Options::ENABLE_STRIKETHROUGH | Options::ENABLE_GFM;
    let mut reader = Reader::default();
    for event in Parser::new_ext(text, options) {
        reader.event(event);
    }
    let content = reader.end();
    json!({"type": "doc", "version": 1, "content": content}).to_string()
}

/// An open block: what closes it into a node, and what is in it so far.
struct Open {
    node: Value,
    content: Vec<Value>,
    /// Whether its content stands in lines.
    is_line: bool,
    /// Whether the line that is open in it was opened by text, not by the Markdown.
    is_implied: bool,
}

#[derive(Default)]
struct Reader {
    open: Vec<Open>,
    done: Vec<Value>,
    marks: Vec<Value>,
    /// The address of the image that is being read, and its text.
    image: Option<(String, String)>,
    /// Tasks so far: each has an id of its own.
    tasks: u64,
    in_html: bool,
}

fn level(level: HeadingLevel) -> u8 {
    level as u8
}

impl Reader {
    fn event(&mut self, event: Event<'_>) {
        match event {
            Event::Start(tag) => self.start(tag),
            Event::End(tag) => self.close(tag),
            Event::Text(text) | Event::InlineMath(text) | Event::DisplayMath(text) => self.text(&text),
            Event::Code(text) => {
                // Code takes no other mark than a link.
                let marks = std::mem::take(&mut self.marks);
                self.marks = marks.iter().filter(|mark| mark["type"] == "link").cloned().collect();
                self.marks.push(json!({"type": "code"}));
                self.text(&text);
                self.marks = marks;
            }
            Event::SoftBreak => self.text(" "),
            Event::HardBreak => self.inline(json!({"type": "hardBreak"})),
            Event::Rule => self.put(json!({"type": "rule"})),
            Event::TaskListMarker(done) => self.task(done),
            Event::Html(html) | Event::InlineHtml(html) => self.html(&html),
            Event::FootnoteReference(name) => self.text(&format!("[^{name}]")),
        }
    }

    fn push(&mut self, node: Value, is_line: bool) {
        self.open.push(Open {
            node,
            content: Vec::new(),
            is_line,
            is_implied: false,
        });
    }

    fn start(&mut self, tag: Tag<'_>) {
        match tag {
            Tag::Paragraph => self.block(json!({"type": "paragraph"}), true),
            Tag::Heading { level: of, .. } => self.block(json!({"type": "heading", "attrs": {"level": level(of)}}), true),
            Tag::BlockQuote(alert) => {
                let panel = |kind: &str| json!({"type": "panel", "attrs": {"panelType": kind}});
                let node = match alert {
                    None => json!({"type": "blockquote"}),
                    Some(BlockQuoteKind::Note) => panel("info"),
                    Some(BlockQuoteKind::Important) => panel("note"),
                    Some(BlockQuoteKind::Tip) => panel("success"),
                    Some(BlockQuoteKind::Warning) => panel("warning"),
                    Some(BlockQuoteKind::Caution) => panel("error"),
                };
                self.block(node, false);
            }
            Tag::CodeBlock(kind) => {
                let node = match kind {
                    CodeBlockKind::Fenced(language) if !language.is_empty() => {
                        json!({"type": "codeBlock", "attrs": {"language": language.as_ref()}})
                    }
                    _ => json!({"type": "codeBlock"}),
                };
                self.block(node, true);
            }
            Tag::List(None) => self.block(json!({"type": "bulletList"}), false),
            Tag::List(Some(1)) => self.block(json!({"type": "orderedList"}), false),
            Tag::List(Some(first)) => self.block(json!({"type": "orderedList", "attrs": {"order": first}}), false),
            Tag::Item => self.push(json!({"type": "listItem"}), false),
            Tag::Table(_) => self.block(json!({"type": "table"}), false),
            Tag::TableHead => {
                self.push(json!({"type": "tableRow", "head": true}), false);
            }
            Tag::TableRow => self.push(json!({"type": "tableRow"}), false),
            Tag::TableCell => {
                let is_head = self.open.last().is_some_and(|row| row.node["head"] == true);
                self.push(json!({"type": if is_head { "tableHeader" } else { "tableCell" }}), false);
            }
            Tag::Emphasis => self.marks.push(json!({"type": "em"})),
            Tag::Strong => self.marks.push(json!({"type": "strong"})),
            Tag::Strikethrough => self.marks.push(json!({"type": "strike"})),
            Tag::Link { dest_url, .. } => self.marks.push(json!({"type": "link", "attrs": {"href": dest_url.as_ref()}})),
            Tag::Image { dest_url, .. } => self.image = Some((dest_url.into_string(), String::new())),
            Tag::HtmlBlock => self.in_html = true,
            _ => {}
        }
    }

    fn close(&mut self, tag: TagEnd) {
        match tag {
            TagEnd::Emphasis | TagEnd::Strong | TagEnd::Strikethrough | TagEnd::Link => {
                self.marks.pop();
            }
            TagEnd::Image => self.picture(),
            TagEnd::HtmlBlock => {
                self.in_html = false;
                self.end_line();
            }
            TagEnd::Paragraph
            | TagEnd::Heading(_)
            | TagEnd::BlockQuote(_)
            | TagEnd::CodeBlock
            | TagEnd::List(_)
            | TagEnd::Item
            | TagEnd::Table
            | TagEnd::TableHead
            | TagEnd::TableRow
            | TagEnd::TableCell => {
                self.end_line();
                self.shut();
            }
            _ => {}
        }
    }

    /// Opens a block where blocks may stand.
    fn block(&mut self, node: Value, is_line: bool) {
        self.end_line();
        self.push(node, is_line);
    }

    /// Ends a line that text has opened by itself.
    fn end_line(&mut self) {
        if self.open.last().is_some_and(|open| open.is_implied) {
            self.shut();
        }
    }

    /// Closes the innermost block.
    fn shut(&mut self) {
        let Some(open) = self.open.pop() else { return };
        if let Some(node) = closed(open, &mut self.tasks) {
            self.put(node);
        }
    }

    fn put(&mut self, node: Value) {
        self.end_line();
        match self.open.last_mut() {
            Some(open) => open.content.push(node),
            None => self.done.push(node),
        }
    }

    /// Something within a line; where no line is open it opens one.
    fn inline(&mut self, node: Value) {
        if !self.open.last().is_some_and(|open| open.is_line) {
            self.push(json!({"type": "paragraph"}), true);
            if let Some(open) = self.open.last_mut() {
                open.is_implied = true;
            }
        }
        let Some(open) = self.open.last_mut() else { return };
        // Texts with the same marks are one.
        if let Some(last) = open.content.last_mut()
            && last["type"] == "text"
            && node["type"] == "text"
            && last["marks"] == node["marks"]
        {
            let joined = format!(
                "{}{}",
                last["text"].as_str().unwrap_or_default(),
                node["text"].as_str().unwrap_or_default()
            );
            last["text"] = joined.into();
            return;
        }
        open.content.push(node);
    }

    fn text(&mut self, text: &str) {
        if let Some((_, alternative)) = &mut self.image {
            alternative.push_str(text);
            return;
        }
        let is_code = self.open.last().is_some_and(|open| open.node["type"] == "codeBlock");
        // A text of a document holds no control characters; code has its lines.
        let text: String = text
            .chars()
            .filter(|&c| !c.is_control() || (is_code && matches!(c, '\n' | '\t')))
            .collect();
        if text.is_empty() {
            return;
        }
        let node = match self.marks.is_empty() || is_code {
            true => json!({"type": "text", "text": text}),
            false => json!({"type": "text", "text": text, "marks": self.marks}),
        };
        self.inline(node);
    }

    fn html(&mut self, html: &str) {
        let tag = html.trim();
        if tag.starts_with("<!--") && tag.ends_with("-->") {
            return;
        }
        match tag.to_ascii_lowercase().replace(' ', "").as_str() {
            "<br>" | "<br/>" => self.inline(json!({"type": "hardBreak"})),
            _ if self.in_html => {
                for line in html.trim_end_matches('\n').split('\n') {
                    if self
                        .open
                        .last()
                        .is_some_and(|open| open.is_implied && !open.content.is_empty())
                    {
                        self.inline(json!({"type": "hardBreak"}));
                    }
                    self.text(line);
                }
            }
            _ => self.text(html),
        }
    }

    /// A picture alone in its paragraph is one; beside text it is a link.
    fn picture(&mut self) {
        let Some((address, alternative)) = self.image.take() else {
            return;
        };
        self.inline(json!({"type": "image", "address": address, "alternative": alternative, "marks": self.marks}));
    }

    fn task(&mut self, done: bool) {
        let items = self.open.iter_mut().rev();
        if let Some(item) = items.into_iter().find(|open| open.node["type"] == "listItem") {
            item.node["done"] = done.into();
        }
    }

    fn end(mut self) -> Vec<Value> {
        while !self.open.is_empty() {
            self.shut();
        }
        self.done
    }
}

/// The node of a block that is complete. None: nothing is left of it.
fn closed(open: Open, tasks: &mut u64) -> Option<Value> {
    let Open {
        mut node, mut content, ..
    } = open;
    match node["type"].as_str().unwrap_or_default() {
        "codeBlock" => {
            // The fence stands on a line of its own.
            if let Some(last) = content.last_mut() {
                let text = last["text"].as_str().unwrap_or_default();
                last["text"] = text.strip_suffix('\n').unwrap_or(text).into();
            }
            content.retain(|text| text["text"] != "");
        }
        "paragraph" => match &content[..] {
            [image] if image["type"] == "image" && marks(image).len() == link(image).iter().count() => {
                return Some(media(image));
            }
            _ => content = content.into_iter().flat_map(beside_text).collect(),
        },
        "heading" => content = content.into_iter().flat_map(beside_text).collect(),
        "bulletList" => return Some(list(node, content, tasks)),
        "orderedList" => content.iter_mut().for_each(unmarked),
        // An item has a paragraph before anything else.
        "listItem" => {
            let first = content.first().and_then(|first| first["type"].as_str());
            if !matches!(first, Some("paragraph" | "codeBlock" | "mediaSingle")) {
                content.insert(0, json!({"type": "paragraph", "content": []}));
            }
        }
        "tableCell" | "tableHeader" if content.is_empty() => content.push(json!({"type": "paragraph", "content": []})),
        // A head of empty cells stands before rows that have none.
        "tableRow" if node["head"] == true => {
            let is_empty = |cell: &Value| {
                cell["content"]
                    .as_array()
                    .is_some_and(|inner| inner.iter().all(|block| block["content"] == json!([])))
            };
            if content.iter().all(is_empty) {
                return None;
            }
            node.as_object_mut()?.remove("head");
        }
        _ => {}
    }
    node["content"] = content.into();
    Some(node)
}

/// A list whose items are all tasks is a list of tasks: they have a line each, and lists of tasks between them.
fn list(mut node: Value, mut items: Vec<Value>, tasks: &mut u64) -> Value {
    let is_task = |item: &Value| {
        let inner = item["content"].as_array().map(Vec::as_slice).unwrap_or_default();
        let first = inner.first().is_some_and(|first| first["type"] == "paragraph");
        item["done"].is_boolean() && first && inner[1..].iter().all(|block| block["type"] == "taskList")
    };
    if items.is_empty() || !items.iter().all(is_task) {
        items.iter_mut().for_each(unmarked);
        node["content"] = items.into();
        return node;
    }
    let mut id = || {
        *tasks += 1;
        tasks.to_string()
    };
    let mut content = Vec::new();
    for mut item in items {
        let state = if item["done"] == true { "DONE" } else { "TODO" };
        let mut inner = item["content"].take().as_array().cloned().unwrap_or_default().into_iter();
        let line = inner
            .next()
            .map(|mut line| line["content"].take())
            .unwrap_or_else(|| json!([]));
        content.push(json!({"type": "taskItem", "attrs": {"localId": id(), "state": state}, "content": line}));
        content.extend(inner);
    }
    json!({"type": "taskList", "attrs": {"localId": id()}, "content": content})
}

/// An item of a list that has other items than tasks: its box is text.
fn unmarked(item: &mut Value) {
    let done = item.as_object_mut().and_then(|item| item.remove("done"));
    let Some(done) = done.and_then(|done| done.as_bool()) else {
        return;
    };
    let text = json!({"type": "text", "text": if done { "[x] " } else { "[ ] " }});
    if let Some(line) = item["content"][0]["content"].as_array_mut() {
        line.insert(0, text);
    }
}

fn marks(node: &Value) -> &[Value] {
    node["marks"].as_array().map_or(&[], Vec::as_slice)
}

/// The mark of the link around a picture.
fn link(image: &Value) -> Option<&Value> {
    marks(image).iter().find(|mark| mark["type"] == "link")
}

fn media(image: &Value) -> Value {
    let mut attributes = json!({"type": "external", "url": image["address"]});
    if image["alternative"] != "" {
        attributes["alt"] = image["alternative"].clone();
    }
    let mut media = json!({"type": "media", "attrs": attributes});
    if let Some(link) = link(image) {
        media["marks"] = json!([link]);
    }
    json!({"type": "mediaSingle", "content": [media]})
}

/// A picture beside text: a link to it. Where it leads elsewhere itself, its address stands behind it.
fn beside_text(node: Value) -> Vec<Value> {
    if node["type"] != "image" {
        return vec![node];
    }
    let (address, alternative) = (&node["address"], &node["alternative"]);
    let text = if alternative == "" { address } else { alternative };
    let others: Vec<Value> = marks(&node).iter().filter(|mark| mark["type"] != "link").cloned().collect();
    let linked = |text: &Value, link: Value| {
        let marks: Vec<Value> = others.iter().cloned().chain([link]).collect();
        json!({"type": "text", "text": text, "marks": marks})
    };
    let own = json!({"type": "link", "attrs": {"href": address}});
    match link(&node) {
        Some(link) if text != address => vec![
            linked(text, link.clone()),
            json!({"type": "text", "text": " ("}),
            linked(address, own),
            json!({"type": "text", "text": ")"}),
        ],
        Some(link) => vec![linked(text, link.clone())],
        None => vec![linked(text, own)],
    }
}
