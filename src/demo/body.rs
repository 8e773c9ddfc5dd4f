//! The body of a request, read as strictly as the site does: unknown keys and wrong types are refused.

use serde_json::{Map, Value};

use super::answer::{Answer, Asked};

/// A JSON object that was sent.
#[derive(Debug)]
pub(super) struct Body(Map<String, Value>);

impl Body {
    /// Reads an object that has no other keys than these.
    pub(super) fn read(asked: &Asked, keys: &[&str]) -> Result<Self, Answer> {
        let Ok(Value::Object(object)) = serde_json::from_slice(&asked.body) else {
            return Err(Answer::refuse(400, "The request body is not a JSON object."));
        };
        match object.keys().find(|key| !keys.contains(&key.as_str())) {
            Some(key) => Err(Answer::refuse(
                400,
                format_args!("Unrecognized field \"{key}\" in the request body."),
            )),
            None => Ok(Self(object)),
        }
    }

    /// The value of a key, unless it is null.
    pub(super) fn value(&self, key: &str) -> Option<&Value> {
        self.0.get(key).filter(|value| !value.is_null())
    }

    /// A text.
    pub(super) fn text(&self, key: &str) -> Result<Option<&str>, Answer> {
        match self.value(key) {
            None => Ok(None),
            Some(Value::String(text)) => Ok(Some(text)),
            Some(_) => Err(Answer::refuse(400, format_args!("{key} must be a string."))),
        }
    }

    /// A text that must be there and not be blank.
    pub(super) fn needed(&self, key: &str) -> Result<&str, Answer> {
        self.text(key)?
            .filter(|text| !text.trim().is_empty())
            .ok_or_else(|| Answer::refuse(400, format_args!("{key} is required.")))
    }

    /// True or false.
    pub(super) fn flag(&self, key: &str, default: bool) -> Result<bool, Answer> {
        match self.value(key) {
            None => Ok(default),
            Some(Value::Bool(flag)) => Ok(*flag),
            Some(_) => Err(Answer::refuse(400, format_args!("{key} must be true or false."))),
        }
    }

    /// A whole number.
    pub(super) fn number(&self, key: &str) -> Result<i64, Answer> {
        self.value(key)
            .and_then(Value::as_i64)
            .ok_or_else(|| Answer::refuse(400, format_args!("{key} must be a whole number.")))
    }

    /// A list of texts; empty where it is not there.
    pub(super) fn texts(&self, key: &str) -> Result<Vec<&str>, Answer> {
        let wrong = || Answer::refuse(400, format_args!("{key} must be a list of strings."));
        match self.value(key) {
            None => Ok(Vec::new()),
            Some(Value::Array(items)) => items.iter().map(|item| item.as_str().ok_or_else(wrong)).collect(),
            Some(_) => Err(wrong()),
        }
    }

    /// The text of a comment that comes along: `{key: {"body": …}}`.
    pub(super) fn comment(&self, key: &str) -> Result<Option<&str>, Answer> {
        match self.value(key) {
            None => Ok(None),
            Some(Value::Object(comment)) => match comment.get("body").and_then(Value::as_str) {
                Some(body) if !body.trim().is_empty() => Ok(Some(body)),
                _ => Err(Answer::refuse(400, "The comment has no body.")),
            },
            Some(_) => Err(Answer::refuse(400, format_args!("{key} must be an object."))),
        }
    }
}
