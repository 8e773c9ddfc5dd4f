//! Documents and Markdown, there and back.

use serde_json::{Value, json};

use super::{from_markdown, text, to_markdown};

fn back(markdown: &str) -> String {
    to_markdown(&from_markdown(markdown)).unwrap()
}

#[test]
fn markdown_that_is_written_is_read_the_same() {
    for markdown in [
        "",
        "a",
        "a **b** *c* ~~d~~ `e`",
        "# One\n\n## Two\n\ntext",
        "a\\\nb",
        "- a\n- b\n  - c\n  - d\n- e",
        "3. a\n4. b",
        "- [x] a\n- [ ] b\n  - [ ] c",
        "> quote\n>\n> more",
        "> [!WARNING]\n> hot",
        "```rust\nlet a = 1;\n\n  b\n```",
        "````\n```\n````",
        "| a | b |\n| --- | --- |\n| 1 | 2<br>3 |",
        "|  |  |\n| --- | --- |\n| 1 | 2 |",
        "[label](https://a.example/x)",
        "<https://a.example/x>",
        "![A cat](https://a.example/cat.png)",
        "[![A cat](https://a.example/cat.png)](https://a.example/x)",
        "---",
        "- a\n\n<!-- -->\n\n1. b",
        "\\*no emphasis\\* \\_at\\_ \\[all\\] \\<b\\> 1 \\& 2",
        "1\\. no list",
        "\\# no heading",
        "\\- no list",
    ] {
        assert_eq!(back(markdown), markdown);
    }
}

#[test]
fn what_somebody_wrote_is_in_the_document() {
    for (markdown, expected) in [
        ("a <b>c</b>", "a <b>c</b>"),
        ("<div>\nx\n</div>", "<div>\nx\n</div>"),
        (
            "see ![cat](https://a.example/c.png) there",
            "see cat (https://a.example/c.png) there",
        ),
        (
            "see [![cat](https://a.example/c.png)](https://a.example/x) there",
            "see cat (https://a.example/x) (https://a.example/c.png) there",
        ),
        ("a\nb", "a b"),
        ("- [x] a\n- b", "* [x] a\n* b"),
        ("1. [ ] a", "1. [ ] a"),
        ("[a](<b c>)", "a (b c)"),
        ("a\u{7}b", "ab"),
        ("Title\n=====", "Title"),
        ("- ```\n  code\n  ```", "* code"),
    ] {
        assert_eq!(text(&from_markdown(markdown)).unwrap().text, expected, "{markdown}");
    }
}

/// The document without what Markdown has no word for.
fn document(content: Value) -> String {
    json!({"type": "doc", "version": 1, "content": content}).to_string()
}

#[test]
fn texts_with_marks_come_back_whatever_stands_beside_them() {
    let words = ["a", "b:", ":c", " d ", "*", "e f", "_g_", "1.", "h`i", "|", "日本", "!"];
    let marks = [
        json!([]),
        json!([{"type": "strong"}]),
        json!([{"type": "em"}]),
        json!([{"type": "strike"}]),
        json!([{"type": "link", "attrs": {"href": "https://a.example/(x)?y=1&z"}}]),
    ];
    let mut seed = 7_u64;
    let mut roll = |most: usize| {
        seed = seed
            .wrapping_mul(6_364_136_223_846_793_005)
            .wrapping_add(1_442_695_040_888_963_407);
        (seed >> 33) as usize % most
    };
    let mut wrong = Vec::new();
    for _ in 0..2_000 {
        let mut nodes: Vec<Value> = Vec::new();
        for _ in 0..1 + roll(4) {
            let (word, mark) = (words[roll(words.len())], &marks[roll(marks.len())]);
            nodes.push(json!({"type": "text", "text": word, "marks": mark}));
        }
        let given = document(json!([{"type": "paragraph", "content": nodes}]));
        let markdown = to_markdown(&given).unwrap();
        // What a person reads is the same; blanks at the ends of a link stand outside of it.
        let plain = |json: &str| text(json).unwrap().text.split_whitespace().collect::<String>();
        if plain(&from_markdown(&markdown)) != plain(&given) {
            wrong.push((plain(&given), markdown));
        }
    }
    assert!(
        wrong.is_empty(),
        "{} of 2000: {:?}",
        wrong.len(),
        &wrong[..wrong.len().min(5)]
    );
}

#[test]
fn nodes_of_every_kind_are_written() {
    let paragraph = |text: &str| json!({"type": "paragraph", "content": [{"type": "text", "text": text}]});
    for (node, expected) in [
        (
            json!({"type": "expand", "attrs": {"title": "More"}, "content": [paragraph("x")]}),
            "**More**\n\nx",
        ),
        (
            json!({"type": "panel", "attrs": {"panelType": "error"}, "content": [paragraph("x")]}),
            "> [!CAUTION]\n> x",
        ),
        (
            json!({"type": "mediaSingle", "content": [{"type": "media", "attrs": {"id": "7"}}]}),
            "\\[7\\]",
        ),
        (
            json!({"type": "blockCard", "attrs": {"url": "https://a.example"}}),
            "<https://a.example>",
        ),
        (
            json!({"type": "paragraph", "content": [{"type": "mention", "attrs": {"id": "5", "text": "@Ann"}}, {"type": "status", "attrs": {"text": "DONE"}}]}),
            "@AnnDONE",
        ),
        (
            json!({"type": "decisionList", "content": [{"type": "decisionItem", "content": [{"type": "text", "text": "a"}]}]}),
            "- a",
        ),
        (
            json!({"type": "decisionList", "content": [{"type": "decisionItem", "attrs": {"state": "UNDECIDED"}, "content": "a"}]}),
            "- \\[UNDECIDED\\] a",
        ),
        (json!({"type": "codeBlock", "content": "a"}), "```\na\n```"),
        (
            json!({"type": "table", "content": ["a", {"type": "tableRow", "content": "b"}]}),
            "|  |\n| --- |\n| a |\n| b |",
        ),
        (
            json!({"type": "unheard of", "content": [paragraph("a"), null, paragraph("b")]}),
            "a\n\nb",
        ),
        (
            json!({"type": "heading", "attrs": null, "content": [{"type": "text", "text": "T"}]}),
            "# T",
        ),
    ] {
        assert_eq!(to_markdown(&document(json!([node]))).unwrap(), expected);
    }
    assert_eq!(to_markdown("{}"), None);
    let lost = document(json!([{"type": "syncBlock"}]));
    assert_eq!(to_markdown(&lost).unwrap(), "<!-- syncBlock -->");
}
