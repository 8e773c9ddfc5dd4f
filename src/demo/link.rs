//! Links between issues: those that chance made, and those that were made and taken back since.

use super::answer::{Answer, Asked};
use super::edit::{body, no_issue};
use super::edits::{LINK_TYPES, Link};
use super::issue::Issue;
use super::state::State;

/// Id of the first link that chance made: it belongs to the issue that blocks another.
pub(super) const FIRST_ID: u64 = 700_000;

/// Writes to `/issueLink…`.
pub(super) fn change(state: &mut State, asked: &Asked, rest: &[&str]) -> Result<Answer, Answer> {
    match (asked.method.as_str(), rest) {
        ("POST", []) => link(state, asked),
        ("DELETE", [id]) => {
            let known = id.parse().ok().filter(|&id| exists(state, id));
            let id = known.ok_or_else(|| Answer::refuse_platform(404, format_args!("No issue link with id '{id}' exists.")))?;
            state.unlink(id);
            Ok(Answer::none())
        }
        _ => Err(super::route::refuse_method(asked)),
    }
}

fn link(state: &mut State, asked: &Asked) -> Result<Answer, Answer> {
    let body = body(asked)?;
    let kind = &body["type"];
    let known = LINK_TYPES
        .iter()
        .position(|(id, name, ..)| kind["id"] == *id || kind["name"] == *name);
    let Some(kind) = known else {
        let name = kind["name"].as_str().or(kind["id"].as_str()).unwrap_or_default();
        return Err(Answer::refuse_platform(
            404,
            format_args!("No issue link type with name '{name}' found."),
        ));
    };
    let end = |side: &str| {
        let key = body[side]["key"].as_str().or(body[side]["id"].as_str()).unwrap_or_default();
        state.find(key).ok_or_else(no_issue)
    };
    let (from, to) = (end("inwardIssue")?, end("outwardIssue")?);
    if from == to {
        return Err(Answer::refuse_platform(400, "You cannot link an issue to itself."));
    }
    let same = |link: &&Link| (link.kind, link.from, link.to) == (kind, from, to);
    // A link that is there already is as good as made.
    if !all(state, from).iter().any(|link| same(&link)) {
        state.link(kind, from, to);
    }
    Ok(Answer::new(201, "", ""))
}

/// The links of an issue, from it and to it.
pub(super) fn all(state: &State, index: usize) -> Vec<Link> {
    let by_chance = [Some(index), index.checked_add(3)];
    let mut links: Vec<Link> = by_chance
        .into_iter()
        .flatten()
        .filter_map(|from| made_by_chance(state, from))
        .collect();
    links.extend(state.links.iter().filter(|link| link.from == index || link.to == index));
    links.retain(|link| state.is_there(link.from) && state.is_there(link.to));
    links
}

fn made_by_chance(state: &State, from: usize) -> Option<Link> {
    if from >= state.total() {
        return None;
    }
    let to = Issue::new(state, from, state.ticket(from)).blocks()?;
    let id = FIRST_ID + from as u64;
    (!state.unlinked.contains(&id)).then_some(Link { id, kind: 0, from, to })
}

fn exists(state: &State, id: u64) -> bool {
    let by_chance = id
        .checked_sub(FIRST_ID)
        .and_then(|from| made_by_chance(state, usize::try_from(from).ok()?));
    let mut all = by_chance.iter().chain(&state.links);
    all.any(|link| link.id == id && state.is_there(link.from) && state.is_there(link.to))
}
