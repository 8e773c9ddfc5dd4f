//! Several rows in one request, each with a body of its own, and an answer that says what came of each. Pure.
//!
//! The answer has what came of the rows that were taken, in their order, and beside it the numbers of those that were not: so the number
//! of a row counts the rows as they were sent.

use bytes::Bytes;
use serde::Deserialize;
use serde_json::value::RawValue;
use serde_json::{Map, Value};
use std::collections::BTreeMap;
use std::sync::Arc;

use super::request::method;
use crate::http::{Request, Safety};
use crate::schema::{Api, Bulk};

/// What came of one row: the answer about it, or the words of the site.
pub(super) type Verdict = Result<Bytes, String>;

/// The request that sends these bodies.
pub(super) fn request(name: &Arc<str>, api: &Api, bulk: &Bulk, bodies: &[Bytes]) -> Request {
    let list: Vec<&[u8]> = bodies.iter().map(Bytes::as_ref).collect();
    let mut body = format!("{{{}:[", Value::from(bulk.at.as_str())).into_bytes();
    body.extend(list.join(&b','));
    body.extend(b"]}");
    Request {
        method: method(bulk.endpoint.verb),
        path: bulk.endpoint.template.to_string(),
        template: bulk.endpoint.template.clone(),
        query: Vec::new(),
        headers: api.headers.clone(),
        body: Some(body.into()),
        safety: Safety::Once,
        table: Some(name.clone()),
    }
}

/// What came of each of `rows` rows; `None` where the answer does not say it of every row.
pub(super) fn verdicts(bulk: &Bulk, rows: usize, body: &[u8]) -> Option<Vec<Verdict>> {
    let answer: BTreeMap<String, &RawValue> = serde_json::from_slice(body).ok()?;
    let list = |name: &str| match answer.get(name) {
        Some(list) => Option::<Vec<&RawValue>>::deserialize(*list)
            .ok()
            .map(Option::unwrap_or_default),
        None => Some(Vec::new()),
    };
    let mut refused: BTreeMap<usize, String> = BTreeMap::new();
    for error in list(&bulk.errors)? {
        let error: Value = serde_json::from_str(error.get()).ok()?;
        let number = match error.get(&bulk.number)? {
            Value::String(number) => number.trim().parse().ok()?,
            number => usize::try_from(number.as_u64()?).ok()?,
        };
        refused.insert(number, words(error.get(&bulk.words)));
    }
    let taken = list(&bulk.rows)?;
    if refused.keys().any(|&number| number >= rows) || refused.len() + taken.len() != rows {
        return None;
    }
    let mut taken = taken.into_iter();
    (0..rows)
        .map(|row| match refused.remove(&row) {
            Some(words) => Some(Err(words)),
            None => Some(Ok(Bytes::copy_from_slice(taken.next()?.get().as_bytes()))),
        })
        .collect()
}

/// The site's words about one row: messages, and those about fields after the name of the field.
fn words(error: Option<&Value>) -> String {
    let messages = error
        .and_then(|error| error.get("errorMessages")?.as_array())
        .into_iter()
        .flatten();
    let messages = messages.filter_map(Value::as_str).map(str::to_owned);
    let fields = error
        .and_then(|error| error.get("errors")?.as_object())
        .into_iter()
        .flat_map(Map::iter);
    let fields = fields.map(|(field, text)| match text {
        Value::String(text) => format!("{field}: {text}"),
        other => format!("{field}: {other}"),
    });
    let all: Vec<String> = messages.chain(fields).collect();
    match &all[..] {
        [] => "the site refused it without a word".to_owned(),
        all => all.join("; ").trim_end_matches('.').to_owned(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::schema::Catalog;

    #[test]
    fn the_right_row_is_blamed() {
        let catalog = Catalog::load(None).unwrap();
        let insert = catalog.table("issues").unwrap().insert.clone().unwrap();
        let bulk = insert.bulk.unwrap();
        let said = |rows: usize, body: &str| {
            verdicts(&bulk, rows, body.as_bytes()).map(|verdicts| {
                let show = |verdict: Verdict| verdict.map(|row| String::from_utf8(row.to_vec()).unwrap());
                verdicts.into_iter().map(show).collect::<Vec<_>>()
            })
        };
        let error = r#"{"status":400,"elementErrors":{"errorMessages":["No."],"errors":{"summary":"Too long."}},"failedElementNumber":1}"#;
        assert_eq!(
            said(
                3,
                &format!(r#"{{"issues":[{{"key":"A-1"}},{{"key":"A-2"}}],"errors":[{error}]}}"#)
            ),
            Some(vec![
                Ok(r#"{"key":"A-1"}"#.to_owned()),
                Err("No.; summary: Too long".to_owned()),
                Ok(r#"{"key":"A-2"}"#.to_owned())
            ])
        );
        // A number may be a text, and no error null.
        let spelled = error.replace("\"failedElementNumber\":1", "\"failedElementNumber\":\"1\"");
        assert_eq!(
            said(2, &format!(r#"{{"issues":[{{"key":"A-1"}}],"errors":[{spelled}]}}"#)),
            Some(vec![
                Ok(r#"{"key":"A-1"}"#.to_owned()),
                Err("No.; summary: Too long".to_owned())
            ])
        );
        assert_eq!(
            said(1, r#"{"issues":[{"key":"A-1"}],"errors":null}"#),
            Some(vec![Ok(r#"{"key":"A-1"}"#.to_owned())])
        );
        // Whoever does not say it of every row says it of none.
        for body in [
            r#"{"issues":[{"key":"A-1"}],"errors":[]}"#.to_owned(),
            format!(r#"{{"issues":[{{}},{{}},{{}}],"errors":[{error}]}}"#),
            r#"{"errorMessages":["No."],"errors":{}}"#.to_owned(),
            "<html>".to_owned(),
        ] {
            assert_eq!(said(3, &body), None, "{body}");
        }
        let request = request(
            &Arc::from("issues"),
            &catalog.table("issues").unwrap().api,
            &bulk,
            &["{}".into(), "{}".into()],
        );
        assert_eq!(request.body.unwrap(), r#"{"issueUpdates":[{},{}]}"#);
    }
}
