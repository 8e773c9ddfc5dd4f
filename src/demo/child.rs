//! What hangs on an issue of the platform is written: comments, worklogs, watchers.

use serde_json::Value;

use super::answer::{Answer, Asked};
use super::draft::{document, moment};
use super::edit::body;
use super::edits::Worklog;
use super::issue::{Issue, fill_comment, fill_worklog};
use super::json;
use super::person::DANA;
use super::state::State;
use super::ticket::Comment;

/// Writes to `/issue/{key}/…`; `rest` are the segments after the key.
pub(super) fn change(state: &mut State, asked: &Asked, index: usize, rest: &[&str]) -> Result<Answer, Answer> {
    match (asked.method.as_str(), rest) {
        ("POST", ["comment"]) => comment(state, asked, index, None),
        ("PUT", ["comment", id]) => comment(state, asked, index, Some(id)),
        ("DELETE", ["comment", id]) => {
            let at = comment_at(state, index, id)?;
            state.change(index, |ticket| {
                ticket.comments.remove(at);
            });
            Ok(Answer::none())
        }
        ("POST", ["worklog"]) => worklog(state, asked, index, None),
        ("PUT", ["worklog", id]) => worklog(state, asked, index, Some(id)),
        ("DELETE", ["worklog", id]) => {
            let (mut all, at) = worklog_at(state, index, id)?;
            all.remove(at);
            state.change(index, |ticket| ticket.edits.worklogs = Some(all));
            Ok(Answer::none())
        }
        ("POST" | "DELETE", ["watchers"]) => watch(state, asked, index),
        _ => Err(super::route::refuse_method(asked)),
    }
}

fn comment_at(state: &State, index: usize, id: &str) -> Result<usize, Answer> {
    let position = state
        .ticket(index)
        .comments
        .iter()
        .position(|comment| comment.id.to_string() == id);
    position.ok_or_else(|| Answer::refuse_platform(404, format_args!("Can not find a comment for the id: {id}.")))
}

fn comment(state: &mut State, asked: &Asked, index: usize, id: Option<&str>) -> Result<Answer, Answer> {
    let known = id.map(|id| comment_at(state, index, id)).transpose()?;
    let body = body(asked)?;
    let wrong = |what: &str| Answer::refuse_fields(400, &[("comment".into(), what.into())]);
    if body["body"].is_null() {
        return Err(wrong("Comment body can not be empty!"));
    }
    let (text, document) = document(&body["body"]).map_err(|what| match what.contains("too long") {
        true => wrong(&what),
        false => Answer::refuse_platform(400, "Comment body is not valid!"),
    })?;
    if text.trim().is_empty() {
        return Err(wrong("Comment body can not be empty!"));
    }
    let properties = body["properties"].as_array().map(Vec::as_slice).unwrap_or_default();
    let internal = properties.iter().find(|property| property["key"] == "sd.public.comment");
    let internal = internal.and_then(|property| property["value"]["internal"].as_bool());
    let internal = internal.map(|internal| internal && !state.public_comments);
    let visibility = body.get("visibility").filter(|value| !value.is_null()).cloned();
    if let Some(visibility) = &visibility
        && !matches!(visibility["type"].as_str(), Some("group" | "role"))
    {
        return Err(Answer::refuse_fields(
            400,
            &[("visibility".into(), "The type is group or role.".into())],
        ));
    }
    let at = state.tick();
    let mut position = known;
    state.change(index, |ticket| {
        ticket.updated = at;
        let at_place = *position.get_or_insert(ticket.comments.len());
        if at_place == ticket.comments.len() {
            let last = ticket.comments.iter().map(|comment| comment.id + 1).max();
            let files = ticket.attachments.len();
            ticket.comments.push(Comment {
                id: last.unwrap_or(ticket.id * 1_000),
                author: DANA,
                at,
                public: true,
                body: String::new(),
                attachments: files..files,
                document: None,
                edited: None,
                visibility: None,
            });
        }
        let comment = &mut ticket.comments[at_place];
        comment.public = internal.map_or(comment.public, |internal| !internal);
        comment.body = text;
        comment.document = Some(document);
        comment.edited = Some(at);
        comment.visibility = visibility;
    });
    let ticket = state.ticket(index);
    let comment = &ticket.comments[position.unwrap_or_default()];
    let answer = Answer::json(json::document(|o| fill_comment(o, state, &ticket, comment, asked)));
    Ok(if known.is_some() { answer } else { answer.with_status(201) })
}

fn worklog_at(state: &State, index: usize, id: &str) -> Result<(Vec<Worklog>, usize), Answer> {
    let all = Issue::new(state, index, state.ticket(index)).worklogs();
    let position = all.iter().position(|worklog| worklog.id.to_string() == id);
    let position = position.ok_or_else(|| Answer::refuse_platform(404, format_args!("Cannot find worklog with id: '{id}'.")))?;
    Ok((all, position))
}

fn worklog(state: &mut State, asked: &Asked, index: usize, id: Option<&str>) -> Result<Answer, Answer> {
    let (mut all, known) = match id {
        Some(id) => worklog_at(state, index, id).map(|(all, at)| (all, Some(at)))?,
        None => (Issue::new(state, index, state.ticket(index)).worklogs(), None),
    };
    let body = body(asked)?;
    let wrong = |field: &str, what: String| Answer::refuse_fields(400, &[(field.into(), what)]);
    let seconds = match &body["timeSpentSeconds"] {
        Value::Null => None,
        value => match value.as_i64() {
            Some(seconds) if seconds > 0 => Some(seconds),
            _ => return Err(wrong("timeLogged", "Time spent must be greater than zero.".into())),
        },
    };
    let started = match &body["started"] {
        Value::Null => None,
        value => Some(moment(value).map_err(|what| wrong("started", what))?),
    };
    let comment = match body.get("comment") {
        None => None,
        Some(value) => Some(document(value).map_err(|what| wrong("comment", what))?.1),
    };
    if known.is_none() && seconds.is_none() {
        return Err(wrong("timeLogged", "You must indicate the time spent working.".into()));
    }
    let at = state.tick();
    let position = known.unwrap_or(all.len());
    if known.is_none() {
        let last = all.iter().map(|worklog| worklog.id + 1).max();
        all.push(Worklog {
            id: last.unwrap_or(500_000 + state.ticket(index).id * 100),
            author: DANA,
            started: at,
            seconds: 0,
            comment: None,
            created: at,
            updated: at,
        });
    }
    let worklog = &mut all[position];
    worklog.seconds = seconds.unwrap_or(worklog.seconds);
    worklog.started = started.unwrap_or(worklog.started);
    if let Some(comment) = comment {
        worklog.comment = Some(comment).filter(|comment| !comment.is_null());
    }
    worklog.updated = at;
    let written = worklog.clone();
    state.change(index, |ticket| {
        ticket.edits.worklogs = Some(all);
        ticket.updated = at;
    });
    let ticket = state.ticket(index);
    let answer = Answer::json(json::document(|o| fill_worklog(o, state, &ticket, &written, asked)));
    Ok(if known.is_some() { answer } else { answer.with_status(201) })
}

fn watch(state: &mut State, asked: &Asked, index: usize) -> Result<Answer, Answer> {
    let adds = asked.method == "POST";
    let account = match adds {
        true if asked.body.is_empty() => Some(state.people[DANA].account_id.clone()),
        true => body(asked)?.as_str().map(str::to_owned),
        false => asked.one("accountId").map(str::to_owned),
    };
    let Some(account) = account else {
        return Err(Answer::refuse_platform(400, "The account id is a string."));
    };
    let Some(person) = state.person(&account) else {
        return Err(Answer::refuse_platform(
            404,
            format_args!("The user with accountId {account} does not exist."),
        ));
    };
    let mut watchers = Issue::new(state, index, state.ticket(index)).watchers();
    watchers.retain(|watcher| *watcher != person);
    if adds {
        watchers.push(person);
    }
    state.change(index, |ticket| ticket.edits.watchers = Some(watchers));
    Ok(Answer::none())
}
