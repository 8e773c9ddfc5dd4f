//! From values to the body of a request: JSON built from typed parts, never from text.
//!
//! JSON that the user gives is checked and spliced in as it was written, so that a number keeps every digit.

use std::borrow::Cow;
use std::collections::BTreeMap;

use bytes::Bytes;
use serde::Serialize;
use serde_json::value::{RawValue, to_raw_value};

use super::adf;
use super::value::Value;
use crate::schema::{Column, Encoding, Form, Kind, Operation, Place};

/// A body under construction. Keys are in alphabetical order, so that the same values give the same bytes.
#[derive(Debug, Serialize)]
#[serde(untagged)]
enum Node {
    Object(BTreeMap<String, Node>),
    List(Vec<Node>),
    Leaf(Box<RawValue>),
}

/// Values of one row, or arguments of one call, by column: `None` where the column is not given.
pub(crate) type Given = [Option<Value>];

/// The body of an operation for these values; `list` are the values of its list. `None` where it has no body.
///
/// # Errors
/// A column and why its value cannot be sent.
pub(super) fn body(
    operation: &Operation,
    columns: &[Column],
    given: &Given,
    list: &[&str],
    nulls: bool,
) -> Result<Option<Bytes>, (usize, String)> {
    let mut root: Option<Node> = None;
    // Objects that others may be put into come first: `field_values` before the fields with a column of their own.
    let mut places: Vec<_> = operation.body.iter().collect();
    places.sort_by_key(|place| place.at.len());
    for place in places {
        let Some(value) = sent(place, &columns[place.column], given, nulls) else {
            continue;
        };
        let node = write(&value, place).map_err(|what| (place.column, what))?;
        put(&mut root, &place.at, node).map_err(|what| (place.column, what))?;
    }
    if let Some(batch) = &operation.batch {
        let mut values: Vec<&str> = Vec::new();
        for value in list {
            if !values.contains(value) {
                values.push(value);
            }
        }
        put(&mut root, &batch.at, leaf(&values)).map_err(|what| (batch.column, what))?;
    }
    // An operation with a body sends one even when nothing is in it.
    if root.is_none() && !operation.body.is_empty() {
        root = Some(Node::Object(BTreeMap::new()));
    }
    Ok(root.map(|root| Bytes::from(serde_json::to_vec(&root).unwrap_or_else(|_| unreachable!("keys are texts")))))
}

/// The value that goes to a place, if one does.
fn sent<'a>(place: &Place, column: &Column, given: &'a Given, nulls: bool) -> Option<Cow<'a, Value>> {
    let here = |column: usize| given[column].as_ref().filter(|value| **value != Value::Null);
    if let Some(value) = here(place.column).or_else(|| here(place.otherwise?)) {
        return Some(Cow::Borrowed(value));
    }
    match (&place.default, column.kind) {
        (Some(default), Kind::Boolean) => Some(Cow::Owned(Value::Boolean(default == "true"))),
        (Some(default), _) => Some(Cow::Owned(Value::Text(default.clone()))),
        // The site empties a list by one without elements.
        (None, Kind::List) if nulls && given[place.column].is_some() => Some(Cow::Owned(Value::List(Vec::new()))),
        (None, _) if nulls && given[place.column].is_some() => Some(Cow::Owned(Value::Null)),
        (None, _) => None,
    }
}

/// The value as its place wants it.
fn write(value: &Value, place: &Place) -> Result<Node, String> {
    if place.values.is_empty() || *value == Value::Null {
        return form(value, &place.form);
    }
    let text = value.text().unwrap_or_default();
    let known = place.values.iter().find(|(known, _)| *known == text);
    let json = known.ok_or_else(|| format!("the site has no word for {text:?}"))?.1.clone();
    RawValue::from_string(json)
        .map(Node::Leaf)
        .map_err(|error| format!("the schema file sends what is no JSON: {error}"))
}

fn form(value: &Value, form: &Form) -> Result<Node, String> {
    let Some(member) = &form.member else {
        return encode(value, form.encoding);
    };
    let within = |node| Node::Object(BTreeMap::from([(member.clone(), node)]));
    Ok(match value {
        Value::Null => encode(value, form.encoding)?,
        Value::List(items) => {
            let items = items
                .iter()
                .map(|item| encode(&Value::Text(item.clone()), form.encoding).map(within));
            Node::List(items.collect::<Result<_, _>>()?)
        }
        value => within(encode(value, form.encoding)?),
    })
}

fn encode(value: &Value, encoding: Encoding) -> Result<Node, String> {
    let number = |text: &str| {
        let is_number = text.starts_with(|c: char| c == '-' || c.is_ascii_digit());
        RawValue::from_string(text.to_owned())
            .ok()
            .filter(|_| is_number)
            .ok_or_else(|| format!("the site wants a number here, not {text:?}"))
    };
    Ok(match (value, encoding) {
        (Value::Text(text), Encoding::Number) => Node::Leaf(number(text)?),
        (Value::List(items), Encoding::Number) => leaf(&items.iter().map(|item| number(item)).collect::<Result<Vec<_>, _>>()?),
        (Value::Json(text), Encoding::Fields) => fields(text)?,
        (Value::Text(text), Encoding::Adf) => {
            Node::Leaf(RawValue::from_string(adf::document(text)?).map_err(|error| format!("the text is no document: {error}"))?)
        }
        (Value::Text(text), Encoding::Cascade) => {
            let choice = |value: &str| BTreeMap::from([("value".to_owned(), leaf(value))]);
            Node::Object(match text.split_once(" / ") {
                Some((parent, child)) => {
                    let mut object = choice(parent);
                    object.insert("child".to_owned(), Node::Object(choice(child)));
                    object
                }
                None => choice(text),
            })
        }
        (Value::Json(text), _) => {
            let raw = RawValue::from_string(text.clone()).map_err(|error| format!("the value is no JSON: {error}"))?;
            match serde_json::from_str::<BTreeMap<String, Box<RawValue>>>(text) {
                Ok(object) => Node::Object(object.into_iter().map(|(key, value)| (key, Node::Leaf(value))).collect()),
                Err(_) => Node::Leaf(raw),
            }
        }
        (Value::Null, _) => Node::Leaf(RawValue::NULL.to_owned()),
        (Value::Text(text), _) => leaf(text),
        (Value::Boolean(value), _) => leaf(value),
        (Value::Bigint(value), _) => leaf(value),
        (Value::Double(value), _) => leaf(value),
        (Value::List(items), _) => leaf(items),
        (Value::Timestamp(_) | Value::Date(_), _) => leaf(&value.instant().ok_or("the date is out of range")?),
    })
}

fn leaf(value: &(impl Serialize + ?Sized)) -> Node {
    // Texts, numbers and lists of them always have a JSON form.
    Node::Leaf(to_raw_value(value).unwrap_or_else(|_| RawValue::NULL.to_owned()))
}

/// Field values: an object as it is, or the list that reading gives, without what is empty there.
fn fields(text: &str) -> Result<Node, String> {
    #[derive(serde::Deserialize)]
    struct Field {
        #[serde(rename = "fieldId")]
        id: String,
        value: Option<Box<RawValue>>,
    }
    #[derive(serde::Deserialize)]
    #[serde(transparent)]
    struct Object(BTreeMap<String, Box<RawValue>>);
    // Not an untagged enum: that would lose the text of the values.
    let object = if text.trim_start().starts_with('[') {
        let list: Vec<Field> =
            serde_json::from_str(text).map_err(|error| format!("the list is not one of field values: {error}"))?;
        list.into_iter().filter_map(|field| Some((field.id, field.value?))).collect()
    } else {
        let Object(object) =
            serde_json::from_str(text).map_err(|error| format!("the value is no object of field values: {error}"))?;
        object
    };
    Ok(Node::Object(
        object.into_iter().map(|(key, value)| (key, Node::Leaf(value))).collect(),
    ))
}

fn put(root: &mut Option<Node>, path: &[String], value: Node) -> Result<(), String> {
    let Some((key, rest)) = path.split_first() else {
        if root.is_some() {
            return Err("its place is already taken".to_owned());
        }
        *root = Some(value);
        return Ok(());
    };
    match root.get_or_insert_with(|| Node::Object(BTreeMap::new())) {
        Node::Leaf(_) | Node::List(_) => Err(format!("there is no place for {key} in a value that is no object")),
        Node::Object(object) => match object.remove(key) {
            Some(_) if rest.is_empty() => Err(format!("{key} is given twice, here and by another column")),
            mut child => {
                put(&mut child, rest, value)?;
                object.extend(child.map(|child| (key.clone(), child)));
                Ok(())
            }
        },
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::schema::Catalog;

    fn encoded(table: &str, values: &[(&str, Value)], list: &[&str]) -> Result<String, String> {
        let catalog = Catalog::load(None).unwrap();
        let table = catalog.table(table).unwrap();
        let mut given: Vec<Option<Value>> = vec![None; table.columns.len()];
        for (column, value) in values {
            given[table.column(column).unwrap()] = Some(value.clone());
        }
        body(table.insert.as_ref().unwrap(), &table.columns, &given, list, false)
            .map(|body| body.map_or_else(String::new, |body| String::from_utf8(body.to_vec()).unwrap()))
            .map_err(|(column, what)| format!("{}: {what}", table.columns[column].name))
    }

    fn text(text: &str) -> Value {
        Value::Text(text.to_owned())
    }

    #[test]
    fn bodies_are_what_the_api_wants() {
        let json = |text: &str| Value::Json(text.to_owned());
        for (table, values, list, expected) in [
            (
                "request_comments",
                vec![("body", text("a \"b\"\n日本")), ("public", Value::Boolean(false))],
                vec![],
                r#"{"body":"a \"b\"\n日本","public":false}"#,
            ),
            // NULL is left out.
            (
                "request_comments",
                vec![("body", text("a")), ("public", Value::Null)],
                vec![],
                r#"{"body":"a"}"#,
            ),
            (
                "request_participants",
                vec![("issue_key", text("A-1"))],
                vec!["x", "y", "x"],
                r#"{"accountIds":["x","y"]}"#,
            ),
            (
                "request_feedback",
                vec![("rating", Value::Bigint(4))],
                vec![],
                r#"{"rating":4,"type":"csat"}"#,
            ),
            (
                "service_desk_organizations",
                vec![("organization_id", text("12"))],
                vec![],
                r#"{"organizationId":12}"#,
            ),
            // The whole body, every digit kept.
            (
                "organization_properties",
                vec![("value", json("12345678901234567890.10"))],
                vec![],
                "12345678901234567890.10",
            ),
            (
                "requests",
                vec![
                    ("service_desk_id", text("1")),
                    ("summary", text("s")),
                    ("field_values", json(r#"{"customfield_1":{"id":"7"},"n":1.50}"#)),
                    ("request_participants", Value::List(vec!["q".into()])),
                ],
                vec![],
                r#"{"requestFieldValues":{"customfield_1":{"id":"7"},"n":1.50,"summary":"s"},"requestParticipants":["q"],"serviceDeskId":"1"}"#,
            ),
            // What was read can be written.
            (
                "requests",
                vec![(
                    "field_values",
                    json(r#"[{"fieldId":"a","label":"A","value":[1]},{"fieldId":"b","value":null}]"#),
                )],
                vec![],
                r#"{"requestFieldValues":{"a":[1]}}"#,
            ),
            ("request_notifications", vec![("issue_key", text("A-1"))], vec![], ""),
        ] {
            assert_eq!(encoded(table, &values, &list).unwrap(), expected, "{table}");
        }
    }

    #[test]
    fn what_cannot_be_sent_names_its_column() {
        for (table, column, value, fragment) in [
            (
                "service_desk_organizations",
                "organization_id",
                text("1e"),
                "organization_id: the site wants a number",
            ),
            (
                "service_desk_organizations",
                "organization_id",
                text("true"),
                "organization_id: the site wants a number",
            ),
            (
                "requests",
                "field_values",
                Value::Json("7".into()),
                "field_values: the value is no object",
            ),
            (
                "requests",
                "field_values",
                Value::Json("[1]".into()),
                "field_values: the list is not",
            ),
        ] {
            let problem = encoded(table, &[(column, value)], &[]).unwrap_err();
            assert!(problem.contains(fragment), "{problem}");
        }
        let twice = [
            ("summary", text("a")),
            ("field_values", Value::Json(r#"{"summary":"b"}"#.into())),
        ];
        assert!(encoded("requests", &twice, &[]).unwrap_err().contains("given twice"));
    }
}
