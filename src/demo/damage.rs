//! Answers that are not what the site means: rows left out, twice or in place of others, words that contradict each other, values that are
//! spelled in other ways. Each is a fault of its own, and breaks an answer in the same way whenever it is asked for.

use serde_json::{Value, json};

use super::answer::{Answer, Asked};
use super::fault::Kind;

/// Members whose elements are rows.
const ROWS: &[&str] = &[
    "values",
    "issues",
    "comments",
    "worklogs",
    "histories",
    "changeHistories",
    "attachment",
    "issuelinks",
    "watchers",
    "transitions",
    "approvers",
    "completedCycles",
];

/// Members of a request that are pages.
const PAGES: &[&str] = &["comments", "participants", "attachments", "sla", "status"];

/// The answer as the fault has it; as it was where it does not concern it.
pub(super) fn damaged(kind: Kind, asked: &Asked, answer: Answer) -> Answer {
    if answer.status != 200 {
        return answer;
    }
    if kind == Kind::BrokenText {
        return broken_text(answer);
    }
    let Ok(mut body) = serde_json::from_slice::<Value>(&answer.body) else {
        return answer;
    };
    let path: Vec<&str> = asked.segments.iter().map(String::as_str).collect();
    let is_bulk = path.last() == Some(&"bulkfetch");
    match kind {
        Kind::BareIssue => rows_of(&mut body, "issues").for_each(|issue| {
            if issue["key"] == "ITSM-1" {
                match is_bulk {
                    true => issue["fields"] = json!({}),
                    false => drop(issue.as_object_mut().map(|issue| issue.remove("fields"))),
                }
            }
        }),
        Kind::OtherIssue if is_bulk => {
            if let Some(last) = rows_of(&mut body, "issues").skip(1).last() {
                last["id"] = json!("999999");
                last["key"] = json!("FAC-1");
            }
        }
        Kind::RowTwice => {
            if let Some(rows) = body.as_array_mut() {
                twice(rows);
            }
            for name in ["issues", "watchers"].iter().filter(|name| is_bulk || **name == "watchers") {
                if let Some(rows) = body.get_mut(*name).and_then(Value::as_array_mut) {
                    twice(rows);
                }
            }
            each_page(&mut body, |_, rows, _| twice(rows));
        }
        Kind::EarlyLast if body.get("total").is_some() => {
            if let Some(rows) = body.get_mut("values").and_then(Value::as_array_mut) {
                rows.truncate(2);
                body["isLast"] = json!(true);
            }
        }
        Kind::EmbeddedNext => each_page(&mut body, |page, _, _| {
            if page.get("isLastPage") == Some(&json!(false)) {
                page["isLastPage"] = json!(true);
                page["_links"] = json!({"next": "http://localhost/next"});
            }
        }),
        Kind::EmbeddedLate => each_page(&mut body, |page, rows, start| {
            if !rows.is_empty() {
                rows.remove(0);
                page[start] = json!(1);
                if page.get("total").is_some() {
                    page["total"] = json!(rows.len());
                }
            }
        }),
        Kind::OddNumbers => rows_of(&mut body, "issues").for_each(|issue| {
            let fields = issue.get_mut("fields").and_then(Value::as_object_mut);
            for (_, value) in fields
                .into_iter()
                .flatten()
                .filter(|(name, value)| name.starts_with("custom") && value.is_f64())
            {
                *value = json!("NaN");
            }
        }),
        Kind::Sorry => {
            const WHAT: &[&str] = &[
                "priority",
                "resolution",
                "status",
                "issuetype",
                "info",
                "notification",
                "feedback",
                "myself",
            ];
            if path.last().is_some_and(|last| WHAT.contains(last)) {
                body = json!({"errorMessages": ["Sorry"]});
            }
        }
        Kind::StrangerUnsaid => {
            for name in ["values", "issues"] {
                if body.get(name).is_some_and(Value::is_array) {
                    body = match name {
                        "issues" => json!({"issues": [], "isLast": true}),
                        _ => json!({"values": [], "isLast": true, "isLastPage": true, "total": 0, "size": 0}),
                    };
                }
            }
        }
        Kind::SamePage if body.get("_links").is_some() => {
            let times: u32 = asked.one("again").and_then(|again| again.parse().ok()).unwrap_or(0);
            let query = asked.query.iter().filter(|(name, _)| name != "again");
            let query: Vec<String> = query.map(|(name, value)| format!("{name}={value}")).collect();
            let again = times + 1;
            body["isLastPage"] = json!(false);
            body["_links"]["next"] = json!(format!("{}{}?{}&again={again}", asked.base, asked.path, query.join("&")));
        }
        Kind::OtherSpelling => {
            rows_of(&mut body, "issueChangeLogs").for_each(|issue| {
                let number = issue["issueId"].as_str().and_then(|id| id.parse::<u64>().ok());
                issue["issueId"] = json!(number);
                rows_of(issue, "changeHistories").enumerate().for_each(|(nth, change)| {
                    change["created"] = match nth % 3 {
                        0 => json!(change["created"].to_string()),
                        1 => json!(change["created"].as_f64()),
                        _ => json!({"at": change["created"]}),
                    };
                });
            });
            if let Some(last) = body.get("isLast").and_then(Value::as_bool) {
                body["isLast"] = json!(u8::from(last));
            }
        }
        Kind::NullRows => null_rows(&mut body),
        Kind::Unended => {
            if body.get("nextPageToken").is_none() {
                body.as_object_mut().map(|body| body.remove("isLast"));
            }
        }
        _ => return answer,
    }
    Answer {
        body: body.to_string().into_bytes(),
        ..answer
    }
}

/// The first of two summaries has half of a surrogate pair, the second a byte that is no UTF-8.
fn broken_text(answer: Answer) -> Answer {
    const BEFORE: &[u8] = b"\"summary\":\"";
    let mut body = Vec::with_capacity(answer.body.len());
    let mut rest = &answer.body[..];
    for broken in [&b"\\ud83d"[..], b"\xff"] {
        let Some(at) = rest.windows(BEFORE.len()).position(|window| window == BEFORE) else {
            break;
        };
        let (before, after) = rest.split_at(at + BEFORE.len());
        body.extend_from_slice(before);
        body.extend_from_slice(broken);
        rest = after;
    }
    body.extend_from_slice(rest);
    Answer { body, ..answer }
}

fn rows_of<'a>(body: &'a mut Value, name: &str) -> impl Iterator<Item = &'a mut Value> {
    body.get_mut(name).and_then(Value::as_array_mut).into_iter().flatten()
}

/// Of three rows or more the last is the first again.
fn twice(rows: &mut [Value]) {
    if let [first, _, .., last] = rows {
        last.clone_from(first);
    }
}

/// Calls with each page inside of a row: the page without its rows, these, and how it calls its start.
fn each_page(body: &mut Value, mut with: impl FnMut(&mut Value, &mut Vec<Value>, &str)) {
    let mut one = |page: &mut Value, rows: &str, start: &str| {
        if let Some(mut own) = page.get_mut(rows).and_then(Value::as_array_mut).map(std::mem::take) {
            with(page, &mut own, start);
            page[rows] = own.into();
        }
    };
    for request in rows_of(body, "values") {
        for name in PAGES {
            if let Some(page) = request.get_mut(*name) {
                one(page, "values", "start");
            }
        }
    }
    for issue in rows_of(body, "issues") {
        if let Some(page) = issue.pointer_mut("/fields/comment") {
            one(page, "comments", "startAt");
        }
    }
}

/// Of two rows or more the last is null.
fn null_rows(body: &mut Value) {
    let cut = |rows: &mut Vec<Value>| {
        if let [_, .., last] = &mut rows[..] {
            *last = Value::Null;
        }
    };
    match body {
        Value::Array(rows) => {
            rows.iter_mut().for_each(null_rows);
            cut(rows);
        }
        Value::Object(members) => {
            for (name, member) in members {
                match member {
                    Value::Array(rows) if ROWS.contains(&name.as_str()) => {
                        rows.iter_mut().for_each(null_rows);
                        cut(rows);
                    }
                    Value::Object(_) => null_rows(member),
                    _ => {}
                }
            }
        }
        _ => {}
    }
}
