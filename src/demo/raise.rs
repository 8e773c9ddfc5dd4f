//! Raising a request: what the site checks, and what comes of it.

use serde_json::{Map, Value};

use super::answer::{Answer, Asked};
use super::body::Body;
use super::desk::{Field, FieldKind};
use super::edits::Edits;
use super::json;
use super::person::DANA;
use super::request;
use super::state::State;
use super::ticket::Ticket;

/// Keys of a `RequestCreateDTO`.
const KEYS: &[&str] = &[
    "serviceDeskId",
    "requestTypeId",
    "requestFieldValues",
    "requestParticipants",
    "raiseOnBehalfOf",
    "isAdfRequest",
    "form",
    "channel",
];

/// What was sent, understood.
struct Draft {
    desk: usize,
    kind: usize,
    summary: String,
    description: String,
    fields: Vec<(&'static str, String)>,
    reporter: usize,
    participants: Vec<usize>,
}

/// What is wrong with what was sent.
enum Wrong {
    /// With the request as a whole.
    Refused(Answer),
    /// With fields: id, name and what about it.
    Fields(Vec<(String, String, String)>),
}

impl From<Answer> for Wrong {
    fn from(answer: Answer) -> Self {
        Self::Refused(answer)
    }
}

/// `POST /request`.
pub(super) fn raise(state: &mut State, asked: &Asked) -> Answer {
    let draft = match draft(state, asked) {
        Ok(draft) => draft,
        Err(Wrong::Refused(answer)) => return answer,
        Err(Wrong::Fields(fields)) => {
            let words: Vec<String> = fields
                .iter()
                .map(|(id, name, what)| format!("{name} ({id}): {what}"))
                .collect();
            return Answer::refuse(
                400,
                format_args!(
                    "Your request could not be created. Please check the fields have been correctly filled in. {}",
                    words.join(" ")
                ),
            );
        }
    };
    let index = state.raise(
        |id, number, at| {
            let key = number;
            Ticket {
                id,
                desk: draft.desk,
                kind: draft.kind,
                key,
                summary: draft.summary,
                description: draft.description,
                fields: draft.fields,
                created: at,
                updated: at,
                reporter: draft.reporter,
                assignee: None,
                priority: 2,
                organization: None,
                participants: draft.participants,
                statuses: vec![(0, at)],
                comments: Vec::new(),
                attachments: Vec::new(),
                approvals: Vec::new(),
                slas: Vec::new(),
                feedback: None,
                subscribed: draft.reporter == DANA,
                edits: Edits {
                    blank: true,
                    ..Edits::default()
                },
            }
        },
        draft.desk,
    );
    let ticket = state.ticket(index);
    Answer::json(json::document(|o| request::fill(o, state, &ticket, asked))).with_status(201)
}

/// `POST /request/validate`.
pub(super) fn validate(state: &State, asked: &Asked) -> Answer {
    match draft(state, asked) {
        Ok(_) => Answer::json(json::document(|o| {
            o.flag("valid", true);
            o.null("errorMessage");
            o.array("fieldErrors", |_| ());
            o.array("formErrors", |_| ());
        })),
        Err(Wrong::Refused(answer)) => {
            let message: Value = serde_json::from_slice(&answer.body).unwrap_or_default();
            Answer::json(json::document(|o| {
                o.flag("valid", false);
                o.raw("errorMessage", &message["errorMessage"]);
                o.array("fieldErrors", |_| ());
                o.array("formErrors", |_| ());
            }))
            .with_status(400)
        }
        Err(Wrong::Fields(fields)) => Answer::json(json::document(|o| {
            o.flag("valid", false);
            o.null("errorMessage");
            o.array("fieldErrors", |a| {
                for (id, name, what) in &fields {
                    a.object(|o| {
                        o.text("fieldId", id);
                        o.text("errorMessage", format_args!("{name}: {what}"));
                    });
                }
            });
            o.array("formErrors", |_| ());
        }))
        .with_status(400),
    }
}

fn draft(state: &State, asked: &Asked) -> Result<Draft, Wrong> {
    let body = Body::read(asked, KEYS)?;
    let (desk_id, kind_id) = (body.needed("serviceDeskId")?, body.needed("requestTypeId")?);
    let Some(desk) = state.desks.iter().position(|desk| desk.id == desk_id) else {
        return Err(Answer::refuse(404, "The service desk ID you entered doesn't exist.").into());
    };
    let kinds = &state.desks[desk].types;
    let Some(kind) = kinds.iter().position(|kind| kind.id == kind_id && !kind.gone) else {
        return Err(Answer::refuse(
            400,
            "The request type you are trying to access does not exist in this service desk.",
        )
        .into());
    };
    if kinds[kind].restricted {
        return Err(Answer::refuse(403, "You do not have permission to create requests of this type.").into());
    }
    let person = |account: &str| {
        state
            .person(account)
            .ok_or_else(|| Answer::refuse(400, format_args!("The user with account ID '{account}' does not exist.")))
    };
    let reporter = match body.text("raiseOnBehalfOf")? {
        Some(account) => person(account)?,
        None => asked.who,
    };
    let participants = body
        .texts("requestParticipants")?
        .into_iter()
        .map(person)
        .collect::<Result<Vec<_>, _>>()?;
    body.flag("isAdfRequest", false)?;
    body.text("channel")?;
    if body.value("form").is_some_and(|form| !form["answers"].is_object()) {
        return Err(Answer::refuse(400, "form must have answers.").into());
    }
    let empty = Map::new();
    let values = match body.value("requestFieldValues") {
        None => &empty,
        Some(Value::Object(values)) => values,
        Some(_) => return Err(Answer::refuse(400, "requestFieldValues must be an object.").into()),
    };
    let known = kinds[kind].fields;
    let mut wrong: Vec<(String, String, String)> = Vec::new();
    for id in values.keys().filter(|id| !known.iter().any(|field| field.id == **id)) {
        wrong.push((
            id.clone(),
            id.clone(),
            "Field cannot be set. It is not on the form of the request type.".into(),
        ));
    }
    let mut fields = Vec::new();
    for field in known {
        match values.get(field.id).filter(|value| !value.is_null()) {
            None if field.required => wrong.push((field.id.into(), field.name.into(), "This field is required.".into())),
            None => {}
            Some(value) => match understand(state, field, value) {
                Ok(json) => fields.push((field.id, json)),
                Err(what) => wrong.push((field.id.into(), field.name.into(), what)),
            },
        }
    }
    if !wrong.is_empty() {
        return Err(Wrong::Fields(wrong));
    }
    let text = |id: &str| values.get(id).and_then(Value::as_str).unwrap_or_default().to_owned();
    Ok(Draft {
        desk,
        kind,
        summary: text("summary"),
        description: text("description"),
        fields: fields
            .into_iter()
            .filter(|(id, _)| !matches!(*id, "summary" | "description"))
            .collect(),
        reporter,
        participants,
    })
}

/// The value of a field as the site keeps it.
fn understand(state: &State, field: &Field, value: &Value) -> Result<String, String> {
    let text = || value.as_str().ok_or("Operation value must be a string.".to_owned());
    match field.kind {
        FieldKind::Summary => match text()? {
            "" => Err("You must specify a summary of the issue.".into()),
            text if text.chars().count() > 255 => Err("Summary must be less than 255 characters.".into()),
            text if text.contains(['\n', '\r']) => Err("The summary is invalid because it contains newline characters.".into()),
            _ => Ok(value.to_string()),
        },
        FieldKind::Description => text().map(|_| value.to_string()),
        FieldKind::Attachment | FieldKind::Labels => value
            .as_array()
            .map(|_| value.to_string())
            .ok_or("data was not an array".into()),
        FieldKind::Select(choices) => {
            let known = choices
                .iter()
                .find(|(id, label)| value["id"].as_str() == Some(*id) || value["value"].as_str() == Some(*label));
            match known {
                Some((id, label)) => Ok(format!(r#"{{"id":"{id}","value":{}}}"#, Value::from(*label))),
                None => Err("Option id or value is not valid.".into()),
            }
        }
        FieldKind::Cascade(choices) => {
            let known = choices.iter().any(|(label, _)| value["value"].as_str() == Some(*label));
            if known {
                Ok(value.to_string())
            } else {
                Err("Option value is not valid.".into())
            }
        }
        FieldKind::Number if value.is_number() => Ok(value.to_string()),
        FieldKind::Number => Err("Operation value must be a number.".into()),
        FieldKind::Date => match text()?.split('-').map(str::len).collect::<Vec<_>>()[..] {
            [4, 2, 2] => Ok(value.to_string()),
            _ => Err("Error parsing date: use yyyy-MM-dd.".into()),
        },
        FieldKind::Person => match value["accountId"].as_str().and_then(|account| state.person(account)) {
            Some(person) => Ok(format!(
                r#"{{"accountId":{},"displayName":{}}}"#,
                Value::from(state.people[person].account_id.as_str()),
                Value::from(state.people[person].name.as_str())
            )),
            None => Err("User does not exist.".into()),
        },
    }
}
