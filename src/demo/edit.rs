//! Issues of the platform are created, edited, moved through their workflow and deleted.

use serde_json::{Map, Value};

use super::answer::{Answer, Asked};
use super::draft::{self, Wrong};
use super::edits::Edits;
use super::issue::RESOLUTIONS;
use super::json::{self, Object};
use super::person::DANA;
use super::request::{target, transitions};
use super::state::State;
use super::ticket::Ticket;
use super::{child, link};

/// Issues that are created in one request.
const MOST: usize = 50;

/// Writes to `/rest/api/{version}/…`; `rest` are the segments after the version.
pub(super) fn change(state: &mut State, asked: &Asked, rest: &[&str]) -> Answer {
    let done = match (asked.method.as_str(), rest) {
        ("POST", ["issue"]) => create(state, asked),
        ("POST", ["issue", "bulk"]) => bulk(state, asked),
        ("POST" | "DELETE", ["issueLink", rest @ ..]) => link::change(state, asked, rest),
        (method, ["issue", key, rest @ ..]) => match (state.find(key), method, rest) {
            (None, ..) => Err(no_issue()),
            (Some(index), "PUT", []) => edit(state, asked, index),
            (Some(index), "DELETE", []) => {
                state.delete(index);
                Ok(Answer::none())
            }
            (Some(index), "POST", ["transitions"]) => transition(state, asked, index),
            (Some(index), _, rest) => child::change(state, asked, index, rest),
        },
        _ => Err(super::route::refuse_method(asked)),
    };
    done.unwrap_or_else(|refusal| refusal)
}

pub(super) fn no_issue() -> Answer {
    Answer::refuse_platform(404, "Issue does not exist or you do not have permission to see it.")
}

/// A JSON body.
pub(super) fn body(asked: &Asked) -> Result<Value, Answer> {
    serde_json::from_slice(&asked.body).map_err(|_| {
        Answer::refuse_platform(
            400,
            "Invalid request payload. Refer to the REST API documentation and try again.",
        )
    })
}

fn create(state: &mut State, asked: &Asked) -> Result<Answer, Answer> {
    let body = body(asked)?;
    match created(state, &body) {
        Ok(index) => Ok(Answer::json(json::document(|o| fill(o, state, index, asked))).with_status(201)),
        Err(wrong) => Err(Answer::refuse_fields(400, &wrong)),
    }
}

fn bulk(state: &mut State, asked: &Asked) -> Result<Answer, Answer> {
    let body = body(asked)?;
    let Some(drafts) = body["issueUpdates"].as_array().filter(|drafts| !drafts.is_empty()) else {
        return Err(Answer::refuse_platform(400, "issueUpdates is required."));
    };
    if drafts.len() > MOST {
        return Err(Answer::refuse_platform(
            400,
            format_args!("You can create up to {MOST} issues at once."),
        ));
    }
    let (mut made, mut refused) = (Vec::new(), Vec::new());
    for (number, draft) in drafts.iter().enumerate() {
        match created(state, draft) {
            Ok(index) => made.push(index),
            Err(wrong) => refused.push((number, wrong)),
        }
    }
    let status = if made.is_empty() { 400 } else { 201 };
    Ok(Answer::json(json::document(|o| {
        o.array("issues", |a| {
            made.iter().for_each(|&index| a.object(|o| fill(o, state, index, asked)))
        });
        o.array("errors", |a| {
            for (number, wrong) in &refused {
                a.object(|o| {
                    o.int("status", 400);
                    o.object("elementErrors", |o| {
                        o.texts::<&str>("errorMessages", []);
                        o.object("errors", |o| wrong.iter().for_each(|(id, what)| o.text(id, what)));
                    });
                    o.int("failedElementNumber", *number as i64);
                });
            }
        });
    }))
    .with_status(status))
}

fn fill(o: &mut Object, state: &State, index: usize, asked: &Asked) {
    let ticket = state.ticket(index);
    o.text("id", ticket.id);
    o.text("key", &ticket.key);
    o.text("self", format_args!("{}/rest/api/3/issue/{}", asked.base, ticket.id));
}

fn created(state: &mut State, draft: &Value) -> Result<usize, Wrong> {
    let none = Map::new();
    let fields = draft["fields"].as_object().unwrap_or(&none);
    let mut wrong = Wrong::new();
    let project = draft::project(state, fields.get("project"));
    if project.is_none() {
        wrong.push(("project".into(), "Specify a valid project ID or key".into()));
    }
    for (id, what) in [
        ("issuetype", "Specify an issue type"),
        ("summary", "You must specify a summary of the issue."),
    ] {
        if !fields.contains_key(id) {
            wrong.push((id.into(), what.into()));
        }
    }
    let Some(desk) = project.filter(|_| wrong.is_empty()) else {
        return Err(wrong);
    };
    let changes = draft::changes(state, desk, None, fields)?;
    let make = |id: u64, key: String, at: i64| {
        let mut ticket = Ticket {
            id,
            desk,
            kind: 0,
            key,
            summary: String::new(),
            description: String::new(),
            fields: Vec::new(),
            created: at,
            updated: at,
            reporter: DANA,
            assignee: None,
            priority: 2,
            organization: None,
            participants: Vec::new(),
            statuses: vec![(0, at)],
            comments: Vec::new(),
            attachments: Vec::new(),
            approvals: Vec::new(),
            slas: Vec::new(),
            feedback: None,
            subscribed: false,
            edits: Edits {
                blank: true,
                issue_only: true,
                ..Edits::default()
            },
        };
        changes.into_iter().for_each(|change| change(&mut ticket));
        ticket
    };
    Ok(state.raise(make, desk))
}

fn edit(state: &mut State, asked: &Asked, index: usize) -> Result<Answer, Answer> {
    let body = body(asked)?;
    let Some(fields) = body["fields"].as_object() else {
        return Err(Answer::refuse_platform(400, "one of 'fields' or 'update' required"));
    };
    let desk = state.ticket(index).desk;
    let changes = draft::changes(state, desk, Some(index), fields).map_err(|wrong| Answer::refuse_fields(400, &wrong))?;
    let at = state.tick();
    state.change(index, |ticket| {
        changes.into_iter().for_each(|change| change(ticket));
        ticket.updated = at;
    });
    Ok(Answer::none())
}

fn transition(state: &mut State, asked: &Asked, index: usize) -> Result<Answer, Answer> {
    let body = body(asked)?;
    let id = body["transition"]["id"].as_str().unwrap_or_default();
    if !transitions(&state.ticket(index)).iter().any(|(known, _)| *known == id) {
        let what = format!("Transition id '{id}' is not valid for this issue.");
        return Err(Answer::refuse_platform(400, what));
    }
    let mut resolution = None;
    for (field, value) in body["fields"].as_object().unwrap_or(&Map::new()) {
        let known = RESOLUTIONS
            .iter()
            .find(|(id, name)| value["id"] == *id || value["name"] == *name);
        match (field.as_str(), known, target(id)) {
            ("resolution", Some(known), 3) => resolution = Some(*known),
            ("resolution", None, 3) => {
                return Err(Answer::refuse_fields(
                    400,
                    &[(field.clone(), "Resolution is not valid".into())],
                ));
            }
            _ => {
                let what = format!("Field '{field}' cannot be set. It is not on the appropriate screen, or unknown.");
                return Err(Answer::refuse_fields(400, &[(field.clone(), what)]));
            }
        }
    }
    let at = state.tick();
    state.change(index, |ticket| {
        super::act::moved(ticket, target(id), at);
        ticket.edits.resolution = resolution.or(ticket.edits.resolution);
    });
    Ok(Answer::none())
}
