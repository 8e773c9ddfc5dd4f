//! The lists of `/rest/api` beside issues: projects, people, groups, and the words that issues are made of.

use super::answer::{Answer, Asked};
use super::desk::Desk;
use super::field;
use super::issue::{COMPONENTS, GROUPS, Issue, PRIORITIES, RESOLUTIONS, TYPES, VERSIONS, fill_status, fill_user};
use super::json::{self, Object};
use super::page::{bare_page, platform_page};
use super::person::DANA;
use super::state::State;

/// Saved filters: id, name, JQL.
const FILTERS: &[(&str, &str, &str)] = &[
    (
        "10900",
        "My open requests",
        "assignee = currentUser() AND resolution = Unresolved",
    ),
    (
        "10901",
        "VPN \"trouble\"",
        "project = ITSM AND summary ~ vpn ORDER BY created DESC",
    ),
];

/// Answers `/rest/api/{version}/…`; `rest` are the segments after the version.
pub(super) fn answer(state: &State, asked: &Asked, rest: &[&str]) -> Answer {
    match rest {
        ["field"] => field::list(state.more_fields, state.odd_fields),
        ["project", "search"] => platform_page(asked, state.desks.len(), 50, "values", true, |a, row| {
            a.object(|o| fill_project(o, state, &state.desks[row], asked))
        }),
        ["project", key, rest @ ..] => match state
            .desks
            .iter()
            .position(|desk| desk.key == *key || desk.project_id == *key)
        {
            Some(at) => project(state, at, asked, rest),
            None => Answer::refuse_platform(404, format_args!("No project could be found with key '{key}'.")),
        },
        // Filtering happens after paging: a page may be short without being the last.
        ["users", "search"] => bare_page(asked, state.people.len(), 50, |a, row| {
            a.object(|o| fill_user(o, &state.people[row], asked))
        }),
        ["user"] => match state
            .people
            .iter()
            .find(|person| asked.one("accountId") == Some(&person.account_id))
        {
            Some(person) => Answer::json(json::document(|o| fill_user(o, person, asked))),
            None => Answer::refuse_platform(404, "Specified user does not exist or you do not have required permissions"),
        },
        ["group", "bulk"] => platform_page(asked, GROUPS.len(), 50, "values", true, |a, row| {
            a.object(|o| {
                o.text("name", GROUPS[row].1);
                o.text("groupId", GROUPS[row].0);
            })
        }),
        ["group", "member"] => match GROUPS.iter().position(|(id, _)| asked.one("groupId") == Some(id)) {
            Some(at) => {
                let members: Vec<usize> = (0..state.people.len()).filter(|person| person % (at + 2) == 0).collect();
                platform_page(asked, members.len(), 50, "values", true, |a, row| {
                    a.object(|o| fill_user(o, &state.people[members[row]], asked))
                })
            }
            None => Answer::refuse_platform(404, "The group does not exist."),
        },
        ["status"] => Answer::json(json::list(|a| {
            for desk in 0..state.desks.len() {
                for status in 0..state.desks[desk].statuses.len() {
                    a.object(|o| fill_status(o, state, desk, status, asked));
                }
            }
        })),
        ["priority"] => Answer::json(json::list(|a| {
            for (at, name) in PRIORITIES.iter().enumerate() {
                a.object(|o| {
                    o.text("id", at + 1);
                    o.text("name", name);
                    o.text("description", "");
                    o.text("statusColor", "#cc0000");
                    o.flag("isDefault", at == 2);
                });
            }
        })),
        ["resolution"] => Answer::json(json::list(|a| {
            for (id, name) in RESOLUTIONS {
                a.object(|o| {
                    o.text("id", id);
                    o.text("name", name);
                    o.text("description", format_args!("{name}."));
                });
            }
        })),
        ["issuetype"] => Answer::json(json::list(|a| {
            for (id, name) in TYPES {
                a.object(|o| {
                    o.text("id", id);
                    o.text("name", name);
                    o.text("description", "");
                    o.flag("subtask", false);
                    o.int("hierarchyLevel", 0);
                });
            }
        })),
        ["label"] => {
            let mut labels: Vec<String> = state
                .indices()
                .flat_map(|index| Issue::new(state, index, state.ticket(index)).labels())
                .collect();
            labels.sort_unstable();
            labels.dedup();
            platform_page(asked, labels.len(), 1_000, "values", true, |a, row| a.text(&labels[row]))
        }
        ["filter", "search"] => platform_page(asked, FILTERS.len(), 50, "values", true, |a, row| {
            a.object(|o| fill_filter(o, state, FILTERS[row], asked))
        }),
        ["filter", id] => match FILTERS.iter().find(|(own, ..)| own == id) {
            Some(&filter) => Answer::json(json::document(|o| fill_filter(o, state, filter, asked))),
            None => Answer::refuse_platform(404, "The selected filter is not available to you."),
        },
        _ => Answer::refuse_platform(404, format_args!("null for uri: {}{}", asked.base, asked.path)),
    }
}

fn project(state: &State, at: usize, asked: &Asked, rest: &[&str]) -> Answer {
    let desk = &state.desks[at];
    match rest {
        [] => Answer::json(json::document(|o| fill_project(o, state, desk, asked))),
        ["component"] => platform_page(asked, COMPONENTS[at].len(), 50, "values", true, |a, row| {
            let (id, name) = COMPONENTS[at][row];
            a.object(|o| {
                o.text("id", id);
                o.text("name", name);
                o.text("description", "");
                o.object("lead", |o| fill_user(o, &state.people[DANA], asked));
                o.text("assigneeType", "PROJECT_DEFAULT");
                o.text("project", desk.key);
                o.raw("projectId", desk.project_id);
            })
        }),
        ["version"] => platform_page(asked, VERSIONS[at].len(), 50, "values", true, |a, row| {
            let (id, name, date, released) = VERSIONS[at][row];
            a.object(|o| {
                o.text("id", id);
                o.text("name", name);
                o.flag("archived", false);
                o.flag("released", released);
                o.text("releaseDate", date);
                o.raw("projectId", desk.project_id);
            })
        }),
        _ => Answer::refuse_platform(404, format_args!("null for uri: {}{}", asked.base, asked.path)),
    }
}

fn fill_project(o: &mut Object, state: &State, desk: &Desk, asked: &Asked) {
    o.text("self", format_args!("{}/rest/api/3/project/{}", asked.base, desk.project_id));
    o.text("id", desk.project_id);
    o.text("key", desk.key);
    o.text("name", desk.name);
    if asked.expands("description") || asked.segments.len() == 5 {
        o.text("description", format_args!("Requests for {}.", desk.name));
    }
    if asked.expands("lead") || asked.segments.len() == 5 {
        o.object("lead", |o| fill_user(o, &state.people[DANA], asked));
    }
    o.text("projectTypeKey", state.project_type(desk));
    o.text("style", "classic");
    o.flag("simplified", false);
    o.flag("isPrivate", false);
}

fn fill_filter(o: &mut Object, state: &State, (id, name, jql): (&str, &str, &str), asked: &Asked) {
    let whole = asked.segments.last().is_some_and(|last| last != "search");
    o.text("self", format_args!("{}/rest/api/3/filter/{id}", asked.base));
    o.text("id", id);
    o.text("name", name);
    if whole || asked.expands("description") {
        o.text("description", "");
    }
    if whole || asked.expands("owner") {
        o.object("owner", |o| fill_user(o, &state.people[DANA], asked));
    }
    if whole || asked.expands("jql") {
        o.text("jql", jql);
    }
    if whole || asked.expands("favourite") {
        o.flag("favourite", id == "10900");
    }
}
