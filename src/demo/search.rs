//! Issues by JQL and by key, and what hangs on one issue: the part of `/rest/api` that reads issues.

use std::hash::{DefaultHasher, Hash, Hasher};

use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use serde_json::Value;

use super::answer::{Answer, Asked};
use super::issue::{Fields, Issue, fill_user, status_id};
use super::jql::{Said, compile};
use super::json::{self, Array};
use super::page::platform_page;
use super::request::{target, transitions};
use super::state::State;
use super::ticket::Ticket;

/// Issues of a page with fields, and with nothing but ids and keys.
const MOST: usize = 100;
const MOST_LIGHT: usize = 5_000;
/// Comments or worklogs of a page.
const MOST_BELOW: usize = 5_000;
/// Issues of a batch, and of one that asks for little.
const BATCH: usize = 100;
const BATCH_NARROW: usize = 1_000;
/// The issue that cannot be fetched, on request of a fault.
const BROKEN: usize = 5;
/// Issues that a search may be told to reconcile.
const MOST_RECONCILED: usize = 50;

/// What Atlassian says since it removed the old search.
pub(super) fn removed() -> Answer {
    Answer::refuse_platform(
        410,
        "The requested API has been removed. Please migrate to the /rest/api/3/search/jql API. A full migration guideline is available at https://developer.atlassian.com/changelog/#CHANGE-2046",
    )
}

/// Answers `/search/…`, `/issue/…` and `/changelog/…`; `rest` are the segments after the version.
pub(super) fn answer(state: &State, asked: &Asked, rest: &[&str]) -> Answer {
    let words = Words::read(asked);
    let words = match words {
        Ok(words) => words,
        Err(refusal) => return refusal,
    };
    match (asked.method.as_str(), rest) {
        ("GET" | "POST", ["search", "jql"]) => search(state, asked, &words),
        ("POST", ["search", "approximate-count"]) => match found(state, asked, &words) {
            Ok(found) => Answer::json(json::document(|o| o.int("count", found.len() as i64))),
            Err(said) => Answer::refuse_all(400, &said),
        },
        ("POST", ["issue", "bulkfetch"]) => bulk(state, asked, &words),
        ("POST", ["changelog", "bulkfetch"]) => changelogs(state, asked, &words),
        ("GET", ["issue", key, rest @ ..]) => one(state, asked, &words, key, rest),
        _ => super::route::refuse_method(asked),
    }
}

/// Parameters, from the query of a GET or the body of a POST.
struct Words(Value);

impl Words {
    fn read(asked: &Asked) -> Result<Self, Answer> {
        if asked.method == "POST" {
            return serde_json::from_slice(&asked.body)
                .map(Self)
                .map_err(|error| Answer::refuse_platform(400, format_args!("Invalid request payload. {error}")));
        }
        // A list may be given as repeated parameters, or in one between commas.
        let mut words = serde_json::Map::new();
        for (name, value) in &asked.query {
            match words.get_mut(name) {
                Some(Value::String(known)) => {
                    known.push(',');
                    known.push_str(value);
                }
                _ => {
                    words.insert(name.clone(), Value::String(value.clone()));
                }
            }
        }
        Ok(Self(Value::Object(words)))
    }

    fn text(&self, name: &str) -> Option<&str> {
        self.0.get(name)?.as_str()
    }

    fn number(&self, name: &str) -> Option<usize> {
        match self.0.get(name)? {
            Value::Number(number) => usize::try_from(number.as_u64()?).ok(),
            Value::String(text) => text.parse().ok(),
            _ => None,
        }
    }

    /// A list, or texts between commas.
    fn list(&self, name: &str) -> Vec<String> {
        match self.0.get(name) {
            Some(Value::Array(items)) => items
                .iter()
                .map(|item| item.as_str().map_or_else(|| item.to_string(), str::to_owned))
                .collect(),
            Some(Value::String(text)) => text.split(',').map(|word| word.trim().to_owned()).collect(),
            _ => Vec::new(),
        }
    }
}

/// Indices of the issues that the JQL finds, in its order.
fn found(state: &State, asked: &Asked, words: &Words) -> Result<std::sync::Arc<Vec<usize>>, Said> {
    let jql = words.text("jql").unwrap_or_default();
    let reconcile = words.list("reconcileIssues");
    if reconcile.len() > MOST_RECONCILED {
        return Err(vec![format!("reconcileIssues takes at most {MOST_RECONCILED} issues.")]);
    }
    if let Some((field, value)) = asked.paging.stranger.then(|| first_value(jql)).flatten() {
        return Err(vec![format!("The value '{value}' does not exist for the field '{field}'.")]);
    }
    let query = compile(state, jql).map_err(|said| match asked.paging.nameless {
        true => vec!["The JQL query is not valid.".to_owned()],
        false => said,
    })?;
    let look = |index: usize| {
        let ticket = state.ticket(index);
        let known = !asked.paging.stale || reconcile.contains(&ticket.id.to_string());
        let ticket = if known { ticket } else { state.indexed(index)? };
        Some((index, Issue::new(state, index, ticket)))
    };
    let name = format!("jql {} {reconcile:?} {jql}", asked.paging.stale);
    Ok(state.found(&name, || {
        let mut issues: Vec<(usize, Issue)> = state
            .indices()
            .filter_map(look)
            .filter(|(_, issue)| query.takes(state, issue))
            .collect();
        issues.sort_by(|(_, a), (_, b)| query.compare(state, a, b));
        issues.into_iter().map(|(index, _)| index).collect()
    }))
}

/// The first value that a query names, and its field.
fn first_value(jql: &str) -> Option<(&str, &str)> {
    let (before, after) = jql.split_once(" = ").or_else(|| jql.split_once(" IN ("))?;
    let field = before.rsplit([' ', '(']).next()?;
    let value = match after.strip_prefix('"') {
        Some(quoted) => quoted.split('"').next()?,
        None => after.split([' ', ',', ')']).next()?,
    };
    Some((field, value))
}

fn search(state: &State, asked: &Asked, words: &Words) -> Answer {
    let found = match found(state, asked, words) {
        Ok(found) => found,
        Err(said) => return Answer::refuse_all(400, &said),
    };
    let fields = Fields::read(&words.list("fields"), "id");
    let cap = if fields.is_light() { MOST_LIGHT } else { MOST };
    let mut rows = words.number("maxResults").unwrap_or(50).min(cap);
    if asked.paging.short {
        rows = rows.div_ceil(2);
    }
    let jql = words.text("jql").unwrap_or_default();
    let mut hasher = DefaultHasher::new();
    jql.hash(&mut hasher);
    let stamp = hasher.finish();
    let start = match words.text("nextPageToken") {
        None => 0,
        Some(_) if asked.paging.expired => {
            return Answer::refuse_platform(400, "The nextPageToken has expired. Please start the search again.");
        }
        Some(token) => match read_token(token, stamp) {
            Some(start) => start,
            None => return Answer::refuse_platform(400, "The nextPageToken is not valid for this search."),
        },
    };
    let from = if asked.paging.repeat { 0 } else { start };
    let end = from.saturating_add(rows).min(found.len());
    let last = end >= found.len() && !asked.paging.repeat && !asked.paging.endless;
    let (expand, properties) = (words.list("expand"), words.list("properties"));
    let expand: Vec<&str> = expand.iter().map(String::as_str).collect();
    Answer::json(json::document(|o| {
        o.flag("isLast", last || asked.paging.torn);
        if !last {
            let next = if asked.paging.repeat { rows } else { start + rows };
            o.text("nextPageToken", URL_SAFE_NO_PAD.encode(format!("{stamp:x}.{next}")));
        }
        o.array("issues", |a| {
            for &index in &found[from.min(end)..end] {
                let issue = Issue::new(state, index, state.ticket(index));
                a.object(|o| issue.fill(o, state, &fields, asked, &expand, &properties));
            }
        });
    }))
}

fn read_token(token: &str, stamp: u64) -> Option<usize> {
    let text = String::from_utf8(URL_SAFE_NO_PAD.decode(token).ok()?).ok()?;
    let (own, start) = text.split_once('.')?;
    (u64::from_str_radix(own, 16).ok()? == stamp).then(|| start.parse().ok())?
}

fn bulk(state: &State, asked: &Asked, words: &Words) -> Answer {
    let keys = words.list("issueIdsOrKeys");
    let fields = Fields::read(&words.list("fields"), "*navigable");
    let (expand, properties) = (words.list("expand"), words.list("properties"));
    let narrow = fields.is_narrow() && expand.is_empty() && properties.is_empty() && !asked.paging.hundred;
    let most = if narrow { BATCH_NARROW } else { BATCH };
    if keys.len() > most {
        return Answer::refuse_platform(
            400,
            format_args!("You can request up to {most} issues, but {} were requested.", keys.len()),
        );
    }
    if asked.paging.broken_issue && keys.iter().any(|key| state.find(key) == Some(BROKEN)) {
        return Answer::refuse_platform(500, "Internal server error");
    }
    let expand: Vec<&str> = expand.iter().map(String::as_str).collect();
    let (mut indices, mut missing) = (Vec::new(), Vec::new());
    for key in &keys {
        match state.find(key).filter(|index| !asked.paging.vanish || index % 7 != 3) {
            Some(index) => indices.push(index),
            None => missing.push(key),
        }
    }
    indices.sort_unstable();
    indices.dedup();
    Answer::json(json::document(|o| {
        o.text(
            "expand",
            "renderedFields,names,schema,operations,editmeta,changelog,versionedRepresentations",
        );
        o.array("issueErrors", |a| {
            for key in missing {
                a.object(|o| {
                    o.text("id", key);
                    o.text(
                        "errorMessage",
                        "Issue does not exist or you do not have permission to see it.",
                    );
                });
            }
        });
        o.array("issues", |a| {
            for index in indices {
                let issue = Issue::new(state, index, state.ticket(index));
                a.object(|o| issue.fill(o, state, &fields, asked, &expand, &properties));
            }
        });
    }))
}

fn changelogs(state: &State, asked: &Asked, words: &Words) -> Answer {
    let keys = words.list("issueIdsOrKeys");
    if keys.is_empty() || keys.len() > BATCH_NARROW {
        return Answer::refuse_platform(400, "You can request the changelogs of 1 to 1000 issues.");
    }
    let mut indices: Vec<usize> = keys.iter().filter_map(|key| state.find(key)).collect();
    indices.sort_unstable();
    indices.dedup();
    let rows = words.number("maxResults").unwrap_or(1_000).clamp(1, 10_000);
    let issues: Vec<Issue> = indices
        .into_iter()
        .map(|index| Issue::new(state, index, state.ticket(index)))
        .collect();
    // The oldest change of all issues comes first: one issue comes in several pages.
    let changes = issues.iter().flat_map(|issue| {
        let changes = issue.changes(state).into_iter();
        changes.map(|change| (issue.ticket.id, change))
    });
    let mut changes: Vec<_> = changes.collect();
    changes.sort_by_key(|(id, change)| (change.at, *id));
    let mut hasher = DefaultHasher::new();
    keys.hash(&mut hasher);
    let stamp = hasher.finish();
    let start = match words.text("nextPageToken") {
        None => 0,
        Some(token) => match read_token(token, stamp) {
            Some(start) => start,
            None => return Answer::refuse_platform(400, "The nextPageToken is not valid for this request."),
        },
    };
    let from = if asked.paging.repeat { 0 } else { start };
    let end = from.saturating_add(rows).min(changes.len());
    let mut page: Vec<_> = changes[from.min(end)..end].iter().collect();
    page.sort_by_key(|(id, _)| *id);
    Answer::json(json::document(|o| {
        o.array("issueChangeLogs", |a| {
            for of_issue in page.chunk_by(|a, b| a.0 == b.0) {
                a.object(|o| {
                    o.text("issueId", of_issue[0].0);
                    o.array("changeHistories", |a| {
                        for (_, change) in of_issue {
                            change.push_with(a, state, asked, |o| o.int("created", change.at));
                        }
                    });
                });
            }
        });
        if end < changes.len() {
            o.text("nextPageToken", URL_SAFE_NO_PAD.encode(format!("{stamp:x}.{}", start + rows)));
        }
    }))
}

/// Answers `/issue/{key}…`.
fn one(state: &State, asked: &Asked, words: &Words, key: &str, rest: &[&str]) -> Answer {
    let Some(index) = state.find(key) else {
        return Answer::refuse_platform(404, "Issue does not exist or you do not have permission to see it.");
    };
    let issue = Issue::new(state, index, state.ticket(index));
    let bound = |name: &str, default: usize| asked.one(name).and_then(|text| text.parse().ok()).unwrap_or(default);
    let (start, rows) = (bound("startAt", 0), bound("maxResults", 100).clamp(1, MOST_BELOW));
    let rows = if asked.paging.short { rows.div_ceil(2) } else { rows };
    match rest {
        [] => {
            let fields = Fields::read(&words.list("fields"), "*all");
            let expand = words.list("expand");
            let expand: Vec<&str> = expand.iter().map(String::as_str).collect();
            let properties = words.list("properties");
            Answer::json(json::document(|o| issue.fill(o, state, &fields, asked, &expand, &properties)))
        }
        ["comment"] => Answer::json(json::document(|o| issue.comments(o, state, asked, start, rows))),
        ["worklog"] => Answer::json(json::document(|o| issue.worklog_page(o, state, asked, start, rows))),
        ["changelog"] => {
            let changes = issue.changes(state);
            platform_page(asked, changes.len(), 100, "values", true, |a, row| {
                changes[row].push(a, state, asked)
            })
        }
        ["watchers"] => Answer::json(json::document(|o| {
            let watchers = issue.watchers();
            let key = &issue.ticket.key;
            o.text("self", format_args!("{}/rest/api/3/issue/{key}/watchers", asked.base));
            o.flag("isWatching", false);
            o.int("watchCount", watchers.len() as i64);
            o.array("watchers", |a| {
                for &person in &watchers {
                    a.object(|o| fill_user(o, &state.people[person], asked));
                }
            });
        })),
        ["transitions"] => Answer::json(json::document(|o| {
            o.text("expand", "transitions");
            o.array("transitions", |a| push_transitions(a, state, &issue.ticket));
        })),
        _ => Answer::refuse_platform(404, format_args!("null for uri: {}{}", asked.base, asked.path)),
    }
}

/// What the workflow lets Dana do with an issue.
pub(super) fn push_transitions(a: &mut Array, state: &State, ticket: &Ticket) {
    for (id, name) in transitions(ticket) {
        a.object(|o| {
            o.text("id", id);
            o.text("name", name);
            let status = target(id);
            o.object("to", |o| {
                o.text("id", status_id(ticket.desk, status));
                o.text("name", state.desks[ticket.desk].statuses[status].0);
            });
            o.flag("hasScreen", false);
            o.flag("isGlobal", false);
            o.flag("isAvailable", !state.blocked);
        });
    }
}
