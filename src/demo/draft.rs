//! The fields of an issue that is created or edited: what the site checks, and what it then does to the issue.

use serde_json::{Map, Value};

use super::adf;
use super::desk::FieldKind;
use super::edits::Named;
use super::field::FIELDS;
use super::issue::{COMPONENTS, GROUPS, LEVELS, PRIORITIES, TYPES, VERSIONS, choices};
use super::state::State;
use super::ticket::Ticket;

/// Longest text of a field.
const LONGEST: usize = 32_767;

/// Something that is done to an issue when all of its fields are right.
pub(super) type Change = Box<dyn FnOnce(&mut Ticket)>;

/// What is wrong with fields: id and words.
pub(super) type Wrong = Vec<(String, String)>;

/// What the fields of an issue of a desk do to it; `index` is that of an issue that exists already.
pub(super) fn changes(
    state: &State,
    desk: usize,
    index: Option<usize>,
    fields: &Map<String, Value>,
) -> Result<Vec<Change>, Wrong> {
    let (mut changes, mut wrong) = (Vec::new(), Vec::new());
    for (id, value) in fields {
        match change(state, desk, index, id, value) {
            Ok(change) => changes.push(change),
            Err(what) => wrong.push((id.clone(), what)),
        }
    }
    if wrong.is_empty() { Ok(changes) } else { Err(wrong) }
}

/// The desk whose project an issue is created in.
pub(super) fn project(state: &State, value: Option<&Value>) -> Option<usize> {
    let value = value?;
    let is = |desk: &super::desk::Desk| value["key"] == desk.key || value["id"] == desk.project_id;
    state.desks.iter().position(is)
}

fn change(state: &State, desk: usize, index: Option<usize>, id: &str, value: &Value) -> Result<Change, String> {
    let texts = || -> Result<Vec<String>, String> {
        let items = value.as_array().ok_or("data was not an array")?;
        let text = |item: &Value| item.as_str().map(str::to_owned).ok_or("string expected".to_owned());
        items.iter().map(text).collect()
    };
    Ok(match id {
        "project" if index.is_none() => Box::new(|_| ()),
        "issuetype" => {
            let kind = named(&TYPES, value).ok_or("Specify a valid issue type")?;
            Box::new(move |ticket| ticket.edits.issue_type = Some(kind))
        }
        "summary" => {
            let text = summary(value)?;
            Box::new(move |ticket| ticket.summary = text)
        }
        "description" => {
            let (text, document) = document(value)?;
            Box::new(move |ticket| {
                ticket.description = text;
                ticket.edits.description = Some(document);
            })
        }
        "environment" => {
            let (_, document) = document(value)?;
            Box::new(move |ticket| ticket.edits.environment = Some(document))
        }
        "priority" => {
            let is = |&(at, name): &(usize, &&str)| value["name"] == *name || value["id"].as_str() == Some(&(at + 1).to_string());
            let found = PRIORITIES.iter().enumerate().find(|pair| is(pair));
            let (priority, _) = found.ok_or("The priority selected is invalid.")?;
            Box::new(move |ticket| ticket.priority = priority)
        }
        "assignee" if value.is_null() => Box::new(|ticket| ticket.assignee = None),
        "assignee" => {
            let person = person(state, value)?;
            Box::new(move |ticket| ticket.assignee = Some(person))
        }
        "reporter" => {
            let person = person(state, value)?;
            Box::new(move |ticket| ticket.reporter = person)
        }
        "duedate" => {
            let due = if value.is_null() { None } else { Some(day(value)?) };
            Box::new(move |ticket| ticket.edits.due = Some(due))
        }
        "labels" => {
            let labels = texts()?;
            if let Some(label) = labels.iter().find(|label| label.contains(char::is_whitespace)) {
                return Err(format!("The label '{label}' contains spaces which is invalid."));
            }
            Box::new(move |ticket| ticket.edits.labels = Some(labels))
        }
        "components" => {
            let all = several(COMPONENTS[desk], value, "Component name")?;
            Box::new(move |ticket| ticket.edits.components = Some(all))
        }
        "fixVersions" | "versions" => {
            let known: Vec<Named> = VERSIONS[desk].iter().map(|&(id, name, ..)| (id, name)).collect();
            let all = several(&known, value, "Version name")?;
            let fixed = id == "fixVersions";
            Box::new(move |ticket| {
                let versions = if fixed {
                    &mut ticket.edits.fix_versions
                } else {
                    &mut ticket.edits.versions
                };
                *versions = Some(all);
            })
        }
        "parent" if value.is_null() => Box::new(|ticket| ticket.edits.parent = Some(None)),
        "parent" => {
            let key = value["key"].as_str().or(value["id"].as_str()).unwrap_or_default();
            let parent = state.find(key).filter(|parent| Some(*parent) != index);
            let parent = parent.ok_or("Given parent work item does not exist.")?;
            Box::new(move |ticket| ticket.edits.parent = Some(Some(parent)))
        }
        "security" if value.is_null() => Box::new(|ticket| ticket.edits.level = Some(None)),
        "security" => {
            let level = named(&LEVELS, value).ok_or("Security level is not valid.")?;
            Box::new(move |ticket| ticket.edits.level = Some(Some(level)))
        }
        _ => return custom(state, id, value),
    })
}

/// A custom field that people may set.
fn custom(state: &State, id: &str, value: &Value) -> Result<Change, String> {
    let unknown = || format!("Field '{id}' cannot be set. It is not on the appropriate screen, or unknown.");
    let field = FIELDS
        .iter()
        .find(|field| field.id == id && field.number().is_some() && !state.lacks(id));
    let field = field.ok_or_else(unknown)?;
    let (kind, items, key) = field.schema.ok_or_else(unknown)?;
    if !key.starts_with("com.atlassian.jira.plugin.system.customfieldtypes:") {
        return Err(unknown());
    }
    let kept = if value.is_null() {
        Value::Null
    } else {
        match (kind, items) {
            ("array", Some(items)) => {
                let all = value.as_array().ok_or("data was not an array")?;
                all.iter()
                    .map(|item| custom_value(state, id, items, item))
                    .collect::<Result<Value, _>>()?
            }
            ("string", _) if key.ends_with(":textarea") => document(value)?.1,
            _ => custom_value(state, id, kind, value)?,
        }
    };
    let id = field.id;
    Ok(Box::new(move |ticket| {
        // The portal shows the value of a field on its form.
        if let Some((_, own)) = ticket.fields.iter_mut().find(|(own, _)| *own == id) {
            *own = kept.to_string();
        }
        ticket.edits.custom.insert(id, kept);
    }))
}

fn custom_value(state: &State, id: &str, kind: &str, value: &Value) -> Result<Value, String> {
    let option = |(id, value): Named| serde_json::json!({"id": id, "value": value});
    match kind {
        "string" => value
            .as_str()
            .map(Value::from)
            .ok_or("Operation value must be a string".into()),
        "number" if value.is_number() => Ok(value.clone()),
        "number" => Err("Operation value must be a number".into()),
        "date" => day(value).map(|_| value.clone()),
        "datetime" => moment(value).map(|moment| super::date::Stamp::jira(moment).to_string().into()),
        "user" => {
            let person = &state.people[person(state, value)?];
            Ok(serde_json::json!({"accountId": person.account_id, "displayName": person.name, "active": person.active}))
        }
        "group" => {
            let group = GROUPS
                .iter()
                .find(|(id, name)| value["name"] == *name || value["groupId"] == *id);
            let (id, name) = group.ok_or("The group does not exist.")?;
            Ok(serde_json::json!({"name": name, "groupId": id}))
        }
        "option" => {
            let is = |&&(id, label): &&Named| value["value"] == label || value["id"] == id;
            let known = choices(id).iter().find(is);
            let said = value["value"].as_str().or(value["id"].as_str()).unwrap_or_default();
            known
                .copied()
                .map(option)
                .ok_or(format!("Option value '{said}' is not valid"))
        }
        "option-with-child" => {
            let forms = state.desks.iter().flat_map(|desk| &desk.types).flat_map(|kind| kind.fields);
            let mut all = forms.filter(|field| field.id == id).filter_map(|field| match field.kind {
                FieldKind::Cascade(choices) => Some(choices),
                _ => None,
            });
            let known = all
                .next()
                .unwrap_or_default()
                .iter()
                .find(|(label, _)| value["value"] == *label);
            let (_, children) = known.ok_or("Option value is not valid")?;
            match value.get("child") {
                Some(child) if !children.iter().any(|known| child["value"] == *known) => {
                    Err("Option value of the child is not valid".into())
                }
                _ => Ok(value.clone()),
            }
        }
        other => Err(format!("Values of the type {other} cannot be set here.")),
    }
}

fn named(known: &[Named], value: &Value) -> Option<Named> {
    known
        .iter()
        .find(|(id, name)| value["id"] == *id || value["name"] == *name)
        .copied()
}

fn several(known: &[Named], value: &Value, what: &str) -> Result<Vec<Named>, String> {
    let items = value.as_array().ok_or("data was not an array")?;
    let one = |item: &Value| {
        let name = item["name"].as_str().or(item["id"].as_str()).unwrap_or_default();
        named(known, item).ok_or_else(|| format!("{what} '{name}' is not valid"))
    };
    items.iter().map(one).collect()
}

fn person(state: &State, value: &Value) -> Result<usize, String> {
    let account = value["accountId"].as_str().or(value["id"].as_str());
    account
        .and_then(|account| state.person(account))
        .ok_or("Specify a valid value for the user".into())
}

fn summary(value: &Value) -> Result<String, String> {
    match value.as_str() {
        None if value.is_null() => Err("You must specify a summary of the issue.".into()),
        None => Err("Operation value must be a string".into()),
        Some(text) if text.trim().is_empty() => Err("You must specify a summary of the issue.".into()),
        Some(text) if text.chars().count() > 255 => Err("Summary can't exceed 255 characters.".into()),
        Some(text) if text.contains(['\n', '\r']) => Err("The summary is invalid because it contains newline characters.".into()),
        Some(text) => Ok(text.to_owned()),
    }
}

/// A document and its text; nothing is one without a text.
pub(super) fn document(value: &Value) -> Result<(String, Value), String> {
    if value.is_null() {
        return Ok((String::new(), Value::Null));
    }
    let text = adf::text(value).ok_or("Operation value must be an Atlassian Document (see the Atlassian Document Format)")?;
    if text.chars().count() > LONGEST {
        return Err(format!(
            "The entered text is too long. It exceeds the allowed limit of {LONGEST} characters."
        ));
    }
    Ok((text, value.clone()))
}

/// Days since 1970.
fn day(value: &Value) -> Result<i64, String> {
    let text = value.as_str().unwrap_or_default();
    let day = chrono::NaiveDate::parse_from_str(text, "%Y-%m-%d");
    day.map(|day| day.signed_duration_since(chrono::NaiveDate::default()).num_days())
        .map_err(|_| format!("Error parsing date string: {text}"))
}

/// Milliseconds since 1970.
pub(super) fn moment(value: &Value) -> Result<i64, String> {
    let text = value.as_str().unwrap_or_default();
    chrono::DateTime::parse_from_str(text, "%Y-%m-%dT%H:%M:%S%.3f%z")
        .map(|moment| moment.timestamp_millis())
        .map_err(|_| format!("Error parsing time: {text}"))
}
