//! What the answer to a write or a call says besides its status: what it shows of the values that were sent, and what it complains of.
//! Pure.
//!
//! A status of success is believed only as far as the answer bears it out. What the site may write otherwise (case, white space,
//! punctuation, markup, a number as a text) is no difference: a warning is never false, and may be missing.

use std::collections::BTreeSet;

use arrow::array::{Array, RecordBatch};
use serde_json::Value as Json;

use super::adf;
use super::value::{Value, quoted};
use crate::error::{Error, ErrorKind, Result};
use crate::http::complaint;
use crate::schema::{Column, Encoding, Operation, Origin};

/// A value that the answer shows otherwise than it was sent.
#[derive(Debug, PartialEq)]
pub(super) struct Difference {
    pub(super) column: String,
    sent: String,
    shown: String,
    /// It says which thing it is: the answer is about another one.
    pub(super) names: bool,
}

impl std::fmt::Display for Difference {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "{} is {} and not {}", self.column, self.shown, self.sent)
    }
}

/// The differences in one sentence.
pub(super) fn told(differences: &[Difference]) -> String {
    let all: Vec<String> = differences.iter().map(ToString::to_string).collect();
    format!("the site took it, and its answer shows that {}", all.join(", "))
}

/// Names of the columns that differ.
pub(super) fn columns(differences: &[Difference]) -> String {
    let names: BTreeSet<&str> = differences.iter().map(|difference| &*difference.column).collect();
    names.into_iter().collect::<Vec<_>>().join(", ")
}

/// Columns whose values the site takes as they are, so that its answer may be held against them: not those that are written by another
/// name or as a choice of a list.
pub(super) fn comparable(operation: &Operation) -> BTreeSet<usize> {
    let plain = operation.body.iter().filter(|place| {
        place.form.member.is_none() && matches!(place.form.encoding, Encoding::Plain | Encoding::Number | Encoding::Adf)
    });
    operation
        .endpoint
        .placeholders()
        .chain(plain.map(|place| place.column))
        .collect()
}

/// What a row of an answer shows otherwise than it was sent: `sent` are the values by the column that shows them.
pub(super) fn differences<'a>(
    columns: &[Column],
    answer: &RecordBatch,
    sent: impl Iterator<Item = (usize, &'a Value)>,
) -> Vec<Difference> {
    let differ = |(index, sent): (usize, &Value)| {
        let column = &columns[index];
        // What the answer does not carry is taken from the request; what the site lets anything stand in has a form of its own.
        if !matches!(column.origin, Origin::Json { .. }) || column.lenient || column.write_only || column.input {
            return None;
        }
        let shown = answer.column_by_name(&column.name).filter(|_| answer.num_rows() > 0)?;
        let shown = Value::read(column, shown, 0).ok()?;
        let names = column.key || column.format.is_some();
        is_other(sent, &shown, names).then(|| Difference {
            column: column.name.clone(),
            sent: brief(sent),
            shown: brief(&shown),
            names,
        })
    };
    sent.filter_map(differ).collect()
}

/// Whether a row of an answer shows anything by itself, beyond what is taken from the request.
pub(super) fn shows_anything(columns: &[Column], answer: &RecordBatch) -> bool {
    let own = |column: &&Column| column.origin != Origin::Request;
    answer.num_rows() > 0
        && columns
            .iter()
            .filter(own)
            .filter_map(|column| answer.column_by_name(&column.name))
            .any(|values| !values.is_null(0))
}

/// What an answer says where nothing is due: `true` where it says something all the same.
///
/// # Errors
/// It is no answer of a site that did what it was asked, or does it later.
pub(super) fn aside(status: u16, body: &[u8]) -> Result<bool> {
    if body.trim_ascii().is_empty() && status != 202 {
        return Ok(false);
    }
    let is_json = serde_json::from_slice::<serde::de::IgnoredAny>(body).is_ok();
    if status == 202 || !is_json || complaint(body).is_some() {
        return Err(doubt(status, body, None));
    }
    Ok(true)
}

/// The error of an answer that does not say that the site did it: nobody knows whether it did.
pub(super) fn doubt(status: u16, body: &[u8], unread: Option<&Error>) -> Error {
    let is_json = serde_json::from_slice::<serde::de::IgnoredAny>(body).is_ok();
    let what = match (complaint(body), unread) {
        (Some(words), _) => format!("the site answered {status}, and in it a refusal: {words}"),
        (None, _) if status == 202 => "the site will see to it later (202)".to_owned(),
        (None, Some(error)) if is_json => format!("the answer does not show what was written: {}", error.message()),
        (None, None) if is_json => "the answer does not show what was written".to_owned(),
        _ => "the answer is not the one of a site that took the row".to_owned(),
    };
    Error::new(ErrorKind::Decode, format!("{what}: whether it was done is not known"))
        .hint("look at the site before writing it again")
}

/// Whether two values cannot be the same. What is not shown is no other value.
fn is_other(sent: &Value, shown: &Value, names: bool) -> bool {
    match (sent, shown) {
        (Value::Text(sent), Value::Text(shown)) if names => is_another_name(sent, shown),
        (Value::Text(sent), Value::Text(shown)) => is_another_text(sent, shown),
        (Value::Json(sent), Value::Json(shown)) => is_another_json(sent, shown),
        (Value::List(sent), Value::List(shown)) => {
            let set = |items: &[String]| items.iter().map(|item| letters(item)).collect::<BTreeSet<_>>();
            set(sent) != set(shown)
        }
        (Value::Boolean(sent), Value::Boolean(shown)) => sent != shown,
        (Value::Bigint(sent), Value::Bigint(shown)) => sent != shown,
        (Value::Date(sent), Value::Date(shown)) => sent != shown,
        (Value::Double(sent), Value::Double(shown)) => (sent - shown).abs() > 1e-9 * sent.abs().max(shown.abs()),
        // Sites keep moments by the second.
        (Value::Timestamp(sent), Value::Timestamp(shown)) => sent.div_euclid(1000) != shown.div_euclid(1000),
        _ => false,
    }
}

fn is_another_name(sent: &str, shown: &str) -> bool {
    let (sent, shown) = (sent.trim(), shown.trim());
    match (sent.parse::<i64>(), shown.parse::<i64>()) {
        (Ok(sent), Ok(shown)) => sent != shown,
        _ => !sent.eq_ignore_ascii_case(shown),
    }
}

/// Letters and digits in lower case: what is left when a site tidies a text.
fn letters(text: &str) -> String {
    text.chars()
        .filter(|c| c.is_alphanumeric())
        .flat_map(char::to_lowercase)
        .collect()
}

fn is_another_text(sent: &str, shown: &str) -> bool {
    // Signs that are put together from several have more than one spelling.
    let is_composed = |c: char| matches!(c, '\u{300}'..='\u{36f}' | '\u{1100}'..='\u{11ff}' | '\u{3099}' | '\u{309a}');
    let wanted = letters(sent);
    if wanted.is_empty() || sent.chars().chain(shown.chars()).any(is_composed) {
        return false;
    }
    // Sites write markup in their own way, and make cards of addresses and pictures of smileys: of such a text some word is left.
    let is_marked = sent.contains(['*', '_', '{', '[', '|', '!', '\\', '^', '~', '#', '@', '&', '<', '(', '`'])
        || ["://", ":)", ";)", ":D", ":P", "bq.", "h1."]
            .iter()
            .any(|sign| sent.contains(sign));
    if !is_marked {
        return wanted != letters(shown);
    }
    let found = letters(shown);
    let mut words = sent.split(|c: char| !c.is_alphanumeric()).filter(|word| !word.is_empty());
    !words.any(|word| found.contains(&letters(word)))
}

/// Whether a document is another one by its text, and another object by a value that both have.
fn is_another_json(sent: &str, shown: &str) -> bool {
    if let (Some(sent), Some(shown)) = (adf::text(sent), adf::text(shown)) {
        return is_another_text(&sent.text, &shown.text);
    }
    let (Ok(Json::Object(sent)), Ok(Json::Object(shown))) = (serde_json::from_str(sent), serde_json::from_str(shown)) else {
        return false;
    };
    let plain = |value: &Json| match value {
        Json::String(text) => Some(letters(text)),
        Json::Number(number) => Some(letters(&number.to_string())),
        Json::Bool(value) => Some(value.to_string()),
        _ => None,
    };
    sent.iter().any(|(name, sent)| {
        let pair = (plain(sent), shown.get(name).and_then(plain));
        matches!(pair, (Some(sent), Some(shown)) if sent != shown)
    })
}

fn brief(value: &Value) -> String {
    match value {
        Value::Text(text) | Value::Json(text) => quoted(text),
        Value::List(items) => quoted(&items.join(", ")),
        value => value.text().map_or_else(|| "NULL".to_owned(), std::borrow::Cow::into_owned),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_a_site_writes_otherwise_is_no_difference() {
        let text = |text: &str| Value::Text(text.to_owned());
        let json = |text: &str| Value::Json(text.to_owned());
        for (sent, shown, names, other) in [
            (Value::Boolean(false), Value::Boolean(true), false, true),
            (Value::Boolean(false), Value::Null, false, false),
            (Value::Bigint(600), Value::Bigint(60), false, true),
            (Value::Double(0.1), Value::Double(0.1 + 1e-17), false, false),
            (Value::Timestamp(1_999), Value::Timestamp(1_000), false, false),
            (Value::Timestamp(1_000), Value::Timestamp(61_000), false, true),
            (text("2"), text("02"), true, false),
            (text("2"), text("20"), true, true),
            (text("ITSM-1"), text("itsm-1"), true, false),
            (text("acc-1"), text("acc-10"), true, true),
            (text(" Neu  AG "), text("Neu AG"), false, false),
            (text("Neu AG"), text("Andere AG"), false, true),
            (text("Grace@Example.com"), text("grace@example.com"), false, false),
            (text("a\r\nb"), text("a\nb"), false, false),
            (text("\"so\" -- it is"), text("“so” – it is"), false, false),
            (text("cafe\u{301}"), text("café"), false, false),
            (text("👍"), text("(y)"), false, false),
            (text("画面が出ない"), text("画面が出ない。"), false, false),
            (text("画面が出ない"), text("別の文"), false, true),
            (text("see *this* (y)"), text("see this 👍"), false, false),
            (text("see *this* (y)"), text("about something else"), false, true),
            (
                text("https://a.example/x"),
                text("[https://a.example/x|https://a.example/x|smart-link]"),
                false,
                false,
            ),
            (
                Value::List(vec!["a".into(), "b".into()]),
                Value::List(vec!["B".into(), "a".into()]),
                false,
                false,
            ),
            (Value::List(vec!["a".into()]), Value::List(vec![]), false, true),
            (
                json(r#"{"type":"role","value":"Agents"}"#),
                json(r#"{"type":"role","value":"Agents","identifier":"7"}"#),
                false,
                false,
            ),
            (
                json(r#"{"type":"role","value":"Agents"}"#),
                json(r#"{"type":"group","value":"Agents"}"#),
                false,
                true,
            ),
            (
                json(r#"{"type":"doc","content":[{"type":"paragraph","content":[{"type":"text","text":"a"}]}]}"#),
                json(r#"{"type":"doc","content":[{"type":"paragraph","content":[{"type":"text","text":"b"}]}]}"#),
                false,
                true,
            ),
        ] {
            assert_eq!(is_other(&sent, &shown, names), other, "{sent:?} {shown:?}");
        }
    }

    #[test]
    fn where_nothing_is_due_a_refusal_is_no_success() {
        for (status, body, expected) in [
            (204, "", Ok(false)),
            (200, " \n", Ok(false)),
            (200, "{}", Ok(true)),
            (200, "null", Ok(true)),
            (200, "[]", Ok(true)),
            (200, r#"{"errorMessages":[],"errors":{}}"#, Ok(true)),
            // Fields that have nothing to complain of.
            (
                200,
                r#"{"errors":{"summary":null,"labels":[],"priority":"","x":false}}"#,
                Ok(true),
            ),
            (200, r#"{"errorMessages":[""]}"#, Ok(true)),
            (
                200,
                r#"{"errors":{"summary":null,"labels":["No."]}}"#,
                Err("a refusal: labels: [\"No.\"]"),
            ),
            (
                200,
                r#"{"errorMessages":["No."],"errors":{}}"#,
                Err("the site answered 200, and in it a refusal: No: whether"),
            ),
            (200, r#"{"errorMessage":"No."}"#, Err("a refusal: No: whether")),
            (
                200,
                r#"{"errors":{"priority":"not on screen"}}"#,
                Err("a refusal: priority: not on screen"),
            ),
            (202, r#"{"taskId":"77"}"#, Err("will see to it later (202)")),
            (202, "", Err("will see to it later (202)")),
            (200, "Service is being upgraded", Err("not the one of a site")),
        ] {
            match (aside(status, body.as_bytes()), expected) {
                (Ok(said), Ok(expected)) => assert_eq!(said, expected, "{body}"),
                (Err(error), Err(expected)) => assert!(error.message().contains(expected), "{body}: {}", error.message()),
                (said, _) => panic!("{status} {body}: {said:?}"),
            }
        }
    }
}
