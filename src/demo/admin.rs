//! What administrators and agents change: service desks and their request types, organizations, customers.

use super::act::people;
use super::answer::{Answer, Asked};
use super::body::Body;
use super::desk::{self, request_type};
use super::json;
use super::organization::{self, Organization};
use super::person::Person;
use super::state::State;

/// Longest property.
const LONGEST: usize = 32_768;

/// Changes a service desk; `rest` are the segments after `servicedesk`.
pub(super) fn desk(state: &mut State, asked: &Asked, rest: &[&str]) -> Answer {
    let [id, rest @ ..] = rest else {
        return super::route::refuse_method(asked);
    };
    let Some(index) = desk::find(state, id).and_then(|found| state.desks.iter().position(|desk| desk.id == found.id)) else {
        return Answer::refuse(404, "The service desk ID you entered doesn't exist.");
    };
    let done = match (asked.method.as_str(), rest) {
        ("POST", ["attachTemporaryFile"]) => Ok(super::upload::take(state, asked)),
        ("POST", ["customer", "invite"]) => invite(state, index, asked),
        ("POST", ["customer"]) => customers(state, index, asked),
        ("DELETE", ["customer"]) if !asked.experimental => Ok(desk::experimental()),
        ("DELETE", ["customer"]) => customers(state, index, asked),
        ("POST" | "DELETE", ["organization"]) => organizations(state, index, asked),
        (_, ["requesttype", ..]) if !asked.experimental => Ok(desk::experimental()),
        ("POST", ["requesttype"]) => create_type(state, index, asked),
        ("POST", ["requesttype", "permissions", "check"]) => permissions(state, index, asked),
        (method, ["requesttype", kind, rest @ ..]) => {
            let Some(kind) = state.desks[index]
                .types
                .iter()
                .position(|known| known.id == *kind && !known.gone)
            else {
                return Answer::refuse(404, "The request type you are trying to access does not exist.");
            };
            match (method, rest) {
                ("DELETE", []) => {
                    state.desks[index].types[kind].gone = true;
                    Ok(Answer::none())
                }
                ("PUT" | "DELETE", ["property", key]) => property(&mut state.desks[index].types[kind].properties, asked, key),
                _ => Ok(super::route::refuse_method(asked)),
            }
        }
        _ => Ok(super::route::refuse_method(asked)),
    };
    done.unwrap_or_else(|refusal| refusal)
}

/// Changes an organization; `rest` are the segments after `organization`.
pub(super) fn organization(state: &mut State, asked: &Asked, rest: &[&str]) -> Answer {
    let done = match (asked.method.as_str(), rest) {
        ("POST", []) => create_organization(state, asked),
        (method, [id, rest @ ..]) => {
            let Some(index) = state.organizations.iter().position(|known| known.id == *id) else {
                return Answer::refuse(404, "The organization does not exist.");
            };
            match (method, rest) {
                ("DELETE", []) => {
                    state.remove_organization(index);
                    Ok(Answer::none())
                }
                ("POST" | "DELETE", ["user"]) => members(state, index, asked),
                ("PUT" | "DELETE", ["property", key]) => property(&mut state.organizations[index].properties, asked, key),
                _ => Ok(super::route::refuse_method(asked)),
            }
        }
        _ => Ok(super::route::refuse_method(asked)),
    };
    done.unwrap_or_else(|refusal| refusal)
}

/// Changes the customers of the site; `rest` are the segments after `customer`.
pub(super) fn customer(state: &mut State, asked: &Asked, rest: &[&str]) -> Answer {
    let done = match (asked.method.as_str(), rest) {
        ("POST", []) => create_customer(state, asked),
        ("PUT", ["user", account, "revoke-portal-only-access"]) => Ok(match state.person(account) {
            Some(person) if account.starts_with("qm:") => {
                state.people[person].active = false;
                Answer::none()
            }
            Some(_) => Answer::refuse(400, "The user does not have portal-only access."),
            None => Answer::refuse(404, "The account ID is invalid."),
        }),
        _ => Ok(super::route::refuse_method(asked)),
    };
    done.unwrap_or_else(|refusal| refusal)
}

fn create_customer(state: &mut State, asked: &Asked) -> Result<Answer, Answer> {
    let body = Body::read(asked, &["displayName", "email", "fullName"])?;
    let person = add_person(state, body.needed("displayName")?, body.needed("email")?, asked)?;
    Ok(Answer::json(json::document(|o| state.people[person].fill(o, asked))).with_status(201))
}

fn invite(state: &mut State, index: usize, asked: &Asked) -> Result<Answer, Answer> {
    let body = Body::read(asked, &["displayName", "email"])?;
    let email = body.needed("email")?;
    let known = state.people.iter().position(|person| person.email.as_deref() == Some(email));
    let person = match known {
        Some(person) => person,
        None => add_person(state, body.text("displayName")?.unwrap_or(email), email, asked)?,
    };
    let desk = state.desks[index].id;
    state.customers.insert((desk, person), true);
    Ok(Answer::json(json::document(|o| state.people[person].fill(o, asked))).with_status(201))
}

fn add_person(state: &mut State, name: &str, email: &str, asked: &Asked) -> Result<usize, Answer> {
    if !email.contains('@') {
        return Err(Answer::refuse(400, "The email address is invalid."));
    }
    if state.people.iter().any(|person| person.email.as_deref() == Some(email)) {
        let status = if asked.flag("strictConflictStatusCode", false) {
            409
        } else {
            400
        };
        return Err(Answer::refuse(status, "An account already exists for this email"));
    }
    let number = state.next_number();
    state.people.push(Person {
        account_id: format!("qm:a713c8ea-1075-4e30-9d96-891a7d181739:new-{number:06}"),
        name: name.to_owned(),
        email: Some(email.to_owned()),
        active: true,
        time_zone: Some("Europe/Berlin"),
    });
    Ok(state.people.len() - 1)
}

fn customers(state: &mut State, index: usize, asked: &Asked) -> Result<Answer, Answer> {
    let body = Body::read(asked, &["accountIds"])?;
    let people = people(state, &body.texts("accountIds")?)?;
    let desk = state.desks[index].id;
    for person in people {
        state.customers.insert((desk, person), asked.method == "POST");
    }
    Ok(Answer::none())
}

fn members(state: &mut State, index: usize, asked: &Asked) -> Result<Answer, Answer> {
    let body = Body::read(asked, &["accountIds"])?;
    let people = people(state, &body.texts("accountIds")?)?;
    let members = &mut state.organizations[index].members;
    for person in people {
        let there = members.contains(&person);
        if asked.method == "POST" && !there {
            members.push(person);
        } else if asked.method == "DELETE" {
            members.retain(|known| *known != person);
        }
    }
    Ok(Answer::none())
}

fn organizations(state: &mut State, index: usize, asked: &Asked) -> Result<Answer, Answer> {
    let body = Body::read(asked, &["organizationId", "serviceDeskId"])?;
    let id = body.number("organizationId")?.to_string();
    let desk = state.desks[index].id;
    let Some(organization) = state.organizations.iter_mut().find(|known| known.id == id) else {
        return Err(Answer::refuse(404, "The organization does not exist."));
    };
    let there = organization.desks.contains(&desk);
    match asked.method.as_str() {
        "POST" if !there => organization.desks.push(desk),
        "DELETE" => organization.desks.retain(|known| *known != desk),
        _ => {}
    }
    Ok(Answer::none())
}

fn create_organization(state: &mut State, asked: &Asked) -> Result<Answer, Answer> {
    let body = Body::read(asked, &["name"])?;
    let name = body.text("name")?.unwrap_or_default();
    if !(1..=200).contains(&name.trim().chars().count()) {
        return Err(Answer::refuse(400, "Organization name must contain 1-200 characters."));
    }
    // As on a real site, a name that is taken is no error.
    if let Some(known) = state.organizations.iter().find(|known| known.name == name.trim()) {
        return Ok(Answer::json(json::document(|o| organization::fill(o, known, asked))));
    }
    let number = state.next_number() + 5;
    let created = Organization {
        id: number.to_string(),
        name: name.to_owned(),
        uuid: Some(format!("6f1c2f40-0000-4000-8000-{number:012}")),
        created: Some(state.clock.now),
        members: Vec::new(),
        desks: Vec::new(),
        properties: Vec::new(),
    };
    let answer = Answer::json(json::document(|o| organization::fill(o, &created, asked))).with_status(201);
    state.organizations.push(created);
    Ok(answer)
}

fn create_type(state: &mut State, index: usize, asked: &Asked) -> Result<Answer, Answer> {
    let body = Body::read(asked, &["name", "description", "helpText", "issueTypeId"])?;
    let (name, issue_type) = (body.needed("name")?, body.needed("issueTypeId")?);
    let issue_type = ["10011", "10012"]
        .into_iter()
        .find(|known| *known == issue_type)
        .ok_or_else(|| {
            Answer::refuse(
                400,
                format_args!("The issue type {issue_type} does not exist in this project."),
            )
        })?;
    if state.desks[index].types.iter().any(|kind| kind.name == name && !kind.gone) {
        return Err(Answer::refuse(409, "A request type with this name already exists."));
    }
    let (description, help) = (body.text("description")?, body.text("helpText")?);
    let id = format!("{}", 900 + state.next_number());
    let mut kind = request_type(&id, name, &[], super::desk::SHORT, &[]);
    kind.description = description.unwrap_or_default().to_owned();
    kind.help = help.unwrap_or_default().to_owned();
    kind.issue_type = issue_type;
    state.desks[index].types.push(kind);
    let desk = &state.desks[index];
    let kind = &desk.types[desk.types.len() - 1];
    Ok(Answer::json(json::document(|o| desk::fill_type(o, desk, kind, asked))))
}

fn permissions(state: &State, index: usize, asked: &Asked) -> Result<Answer, Answer> {
    let body = Body::read(asked, &["accountId", "permissions", "requestTypeIds"])?;
    let wanted = body.texts("permissions")?;
    let ids: Vec<String> = match body.value("requestTypeIds") {
        Some(serde_json::Value::Array(ids)) => {
            let number = |id: &serde_json::Value| {
                id.as_i64()
                    .map(|id| id.to_string())
                    .ok_or_else(|| Answer::refuse(400, "requestTypeIds must be numbers."))
            };
            ids.iter().map(number).collect::<Result<_, _>>()?
        }
        _ => Vec::new(),
    };
    let kinds = || {
        state.desks[index]
            .types
            .iter()
            .filter(|kind| ids.contains(&kind.id) && !kind.gone)
    };
    Ok(Answer::json(json::document(|o| {
        if wanted.contains(&"canCreateRequest") {
            o.array("canCreateRequest", |a| {
                kinds().filter(|kind| !kind.restricted).for_each(|kind| a.raw(&kind.id));
            });
        }
        if wanted.contains(&"canAdminister") {
            o.array("canAdminister", |a| kinds().for_each(|kind| a.raw(&kind.id)));
        }
    })))
}

/// `PUT` and `DELETE` of `…/property/{key}`.
fn property(properties: &mut Vec<(String, String)>, asked: &Asked, key: &str) -> Result<Answer, Answer> {
    let there = properties.iter().position(|(known, _)| known == key);
    if asked.method == "DELETE" {
        let Some(there) = there else {
            return Err(Answer::refuse(404, "The property with the given key does not exist."));
        };
        properties.remove(there);
        return Ok(Answer::none());
    }
    let value = String::from_utf8(asked.body.clone())
        .ok()
        .filter(|text| serde_json::from_str::<serde::de::IgnoredAny>(text).is_ok());
    let Some(value) = value.filter(|text| text.len() <= LONGEST && key.len() <= 255) else {
        return Err(Answer::refuse(
            400,
            "The property value must be valid, non-empty JSON of at most 32768 characters.",
        ));
    };
    match there {
        Some(there) => {
            properties[there].1 = value;
            Ok(Answer::new(200, "", ""))
        }
        None => {
            properties.push((key.to_owned(), value));
            Ok(Answer::new(201, "", ""))
        }
    }
}
