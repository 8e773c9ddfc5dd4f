//! The site's own words in an error answer, whichever of its envelopes they come in.

use serde_json::{Map, Value};

/// Longest message; some proxies answer with pages.
const LONGEST: usize = 500;

/// What the site says in `body`, as one line without a final full stop; nothing if it says nothing.
///
/// Known envelopes: Service Management `{errorMessage}`, platform `{errorMessages, errors: {field: text}}`, bulk
/// `{errors: [{elementErrors}]}`, forms `{errors: [{title, detail}]}`, gateway `{message}`, OAuth `{error, error_description}`,
/// the title of a web page, plain text.
pub(super) fn message(content_type: Option<&str>, body: &[u8]) -> Option<String> {
    let body = strip_bom(body);
    if let Ok(value) = serde_json::from_slice::<Value>(body) {
        let words = match &value {
            Value::Object(object) => object_words(object),
            Value::String(text) => vec![text.clone()],
            _ => Vec::new(),
        };
        return tidy(&words.join("; "));
    }
    let text = String::from_utf8_lossy(body);
    if is_html(content_type, body) {
        tidy(element(&text, "title").or_else(|| element(&text, "message"))?)
    } else {
        tidy(&text)
    }
}

/// What the body of a success says that only a refusal would say.
pub(crate) fn complaint(body: &[u8]) -> Option<String> {
    let Ok(Value::Object(mut object)) = serde_json::from_slice(strip_bom(body)) else {
        return None;
    };
    object.retain(|name, _| matches!(name.as_str(), "errorMessage" | "errorMessages" | "errors" | "error"));
    tidy(&object_words(&object).join("; "))
}

/// Whether an answer is a web page. XML counts as one: no JSON API answers with either on purpose.
pub(super) fn is_html(content_type: Option<&str>, body: &[u8]) -> bool {
    let declared = content_type.is_some_and(|value| value.trim_start().to_ascii_lowercase().starts_with("text/html"));
    declared || strip_bom(body).trim_ascii_start().starts_with(b"<")
}

/// `bytes` without a UTF-8 byte order mark.
pub(super) fn strip_bom(bytes: &[u8]) -> &[u8] {
    bytes.strip_prefix(b"\xef\xbb\xbf").unwrap_or(bytes)
}

fn object_words(object: &Map<String, Value>) -> Vec<String> {
    let text = |name: &str| {
        object
            .get(name)
            .and_then(Value::as_str)
            .filter(|text| !text.trim().is_empty())
    };
    if let Some(text) = text("errorMessage") {
        return vec![text.into()];
    }
    let mut words: Vec<String> = Vec::new();
    if let Some(Value::Array(messages)) = object.get("errorMessages") {
        let messages = messages.iter().filter_map(Value::as_str);
        words.extend(messages.filter(|text| !text.trim().is_empty()).map(str::to_owned));
    }
    match object.get("errors") {
        Some(Value::Object(fields)) => {
            let fields = fields.iter().filter(|(_, text)| !says_nothing(text));
            words.extend(fields.map(|(field, text)| match text {
                Value::String(text) => format!("{field}: {text}"),
                other => format!("{field}: {other}"),
            }));
        }
        Some(Value::Array(errors)) => words.extend(errors.iter().filter_map(Value::as_object).flat_map(element_words)),
        _ => {}
    }
    if words.is_empty() {
        // OAuth's `error` is a code, its description the sentence.
        let pair = [text("error"), text("error_description")];
        words.extend(text("message").map(str::to_owned).or_else(|| {
            let pair: Vec<&str> = pair.into_iter().flatten().collect();
            (!pair.is_empty()).then(|| pair.join(": "))
        }));
    }
    words
}

/// Whether a field has nothing to complain of: some sites name each of their fields.
fn says_nothing(text: &Value) -> bool {
    match text {
        Value::Null | Value::Bool(false) => true,
        Value::String(text) => text.trim().is_empty(),
        Value::Array(texts) => texts.iter().all(says_nothing),
        Value::Object(texts) => texts.values().all(says_nothing),
        Value::Bool(true) | Value::Number(_) => false,
    }
}

/// One element of an `errors` list: of a bulk operation or of the forms API.
fn element_words(element: &Map<String, Value>) -> Vec<String> {
    if let Some(Value::Object(nested)) = element.get("elementErrors") {
        return object_words(nested);
    }
    let parts: Vec<&str> = ["title", "detail"]
        .iter()
        .filter_map(|name| element.get(*name)?.as_str())
        .collect();
    if parts.is_empty() {
        object_words(element)
    } else {
        vec![parts.join(": ")]
    }
}

/// What is in the first element of a name: the title of a page, the message of the XML that stores of files answer.
fn element<'p>(page: &'p str, name: &str) -> Option<&'p str> {
    // ASCII lower case keeps every byte offset.
    let lower = page.to_ascii_lowercase();
    let open = lower.find(&format!("<{name}"))?;
    let start = open + lower[open..].find('>')? + 1;
    let end = start + lower[start..].find(&format!("</{name}"))?;
    Some(&page[start..end])
}

/// One line: control characters and runs of white space become one space, long text is cut.
fn tidy(text: &str) -> Option<String> {
    let spaced: String = text.chars().map(|c| if c.is_control() { ' ' } else { c }).collect();
    let mut line = spaced.split_whitespace().collect::<Vec<_>>().join(" ");
    if let Some((cut, _)) = line.char_indices().nth(LONGEST) {
        line.truncate(cut);
        line.push('…');
    }
    let line = line.trim_end_matches('.');
    (!line.is_empty()).then(|| line.to_owned())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_envelope_speaks() {
        for (body, expected) in [
            (
                r#"{"errorMessage":"No such desk.","i18nErrorMessage":{"i18nKey":"sd.x","parameters":[]}}"#,
                Some("No such desk"),
            ),
            (r#"{"errorMessages":["one","two"],"errors":{}}"#, Some("one; two")),
            (
                r#"{"errorMessages":[],"errors":{"summary":"is required","n":7}}"#,
                Some("n: 7; summary: is required"),
            ),
            (
                r#"{"errorMessages":["NotFoundInsightException: Не удалось найти"]}"#,
                Some("NotFoundInsightException: Не удалось найти"),
            ),
            (
                r#"{"code":401,"message":"Unauthorized; scope does not match"}"#,
                Some("Unauthorized; scope does not match"),
            ),
            (
                r#"{"errors":[{"status":404,"code":"FORM_NOT_FOUND","title":"Form Not Found","detail":"The form was not found."}]}"#,
                Some("Form Not Found: The form was not found"),
            ),
            (
                r#"{"issues":[],"errors":[{"status":400,"elementErrors":{"errorMessages":[],"errors":{"project":"is required"}}}]}"#,
                Some("project: is required"),
            ),
            (r#"{"errors":[{"message":"bad"}]}"#, Some("bad")),
            (
                r#"{"error":"invalid_grant","error_description":"Unknown token."}"#,
                Some("invalid_grant: Unknown token"),
            ),
            (r#"{"error":"invalid_grant"}"#, Some("invalid_grant")),
            (r#"{"errorMessages":[],"errors":{}}"#, None),
            (r#"{"errorMessage":"","message":"fallback"}"#, Some("fallback")),
            (r#""just text""#, Some("just text")),
            ("{}", None),
            ("[1]", None),
            ("", None),
            (" \r\n ", None),
            ("upstream connect error", Some("upstream connect error")),
            ("two\r\nlines\u{1b}[31m", Some("two lines [31m")),
            (
                "<html><head><TITLE class=x>Log in\n to Jira</title></head>secret",
                Some("Log in to Jira"),
            ),
            ("<html>no title</html>", None),
            (
                "<?xml version=\"1.0\"?><Error><Code>X</Code><Message>Request has expired</Message></Error>",
                Some("Request has expired"),
            ),
            ("<title", None),
            ("\u{feff}{\"message\":\"marked\"}", Some("marked")),
        ] {
            assert_eq!(message(None, body.as_bytes()).as_deref(), expected, "{body}");
        }
    }

    #[test]
    fn long_and_broken_texts_are_cut_not_feared() {
        let long = message(None, "é".repeat(600).as_bytes()).unwrap();
        assert_eq!(long.chars().count(), LONGEST + 1);
        assert_eq!(message(None, b"caf\xe9").as_deref(), Some("caf\u{fffd}"));
        assert!(
            message(None, "[".repeat(100_000).as_bytes()).is_some(),
            "nesting is refused by the parser, not by the stack"
        );
    }

    #[test]
    fn web_pages_are_recognised() {
        assert!(is_html(Some("Text/HTML; charset=utf-8"), b""));
        assert!(is_html(Some("application/json"), b"\xef\xbb\xbf\n <!doctype html>"));
        assert!(!is_html(Some("application/json"), b"{\"a\":\"<b>\"}"));
        assert!(!is_html(None, b""));
    }
}
