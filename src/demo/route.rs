//! From a request to its answer: which part of the site is asked.

use super::answer::{Answer, Asked};
use super::date::Stamp;
use super::state::State;
use super::{act, admin, desk, edit, json, knowledge, organization, page, platform, request, search, upload};

/// What a Data Center says where it has nothing.
const NOT_THERE: &str = "<html><head><title>Oops, you&#39;ve found a dead link. - Jira</title></head><body></body></html>";

/// Changes the site as a caller asks who has signed in.
pub(super) fn change(state: &mut State, asked: &Asked) -> Answer {
    let segments: Vec<&str> = asked.segments.iter().map(String::as_str).collect();
    match &segments[..] {
        ["rest", "servicedeskapi", "request", rest @ ..] => act::act(state, asked, rest),
        ["rest", "servicedeskapi", "servicedesk", rest @ ..] => admin::desk(state, asked, rest),
        ["rest", "servicedeskapi", "organization", rest @ ..] => admin::organization(state, asked, rest),
        ["rest", "servicedeskapi", "customer", rest @ ..] => admin::customer(state, asked, rest),
        ["rest", "api", "3", ..] if asked.paging.data_center => Answer::new(404, "text/html", NOT_THERE),
        ["rest", "api", "2" | "3" | "latest", rest @ ..] => edit::change(state, asked, rest),
        _ => refuse_method(asked),
    }
}

/// Answers a request of a caller who has signed in, or asks for what needs no sign-in.
pub(super) fn answer(state: &State, asked: &Asked) -> Answer {
    let segments: Vec<&str> = asked.segments.iter().map(String::as_str).collect();
    let here = match &segments[..] {
        ["rest", "servicedeskapi", rest @ ..] => {
            return if asked.method == "GET" {
                read(state, asked, rest)
            } else {
                refuse_method(asked)
            };
        }
        [
            "servicedesk",
            "customershim",
            "secure",
            kind @ ("attachment" | "thumbnail"),
            id,
            _,
        ] => {
            return upload::content(state, id, *kind == "thumbnail");
        }
        ["rest", "api", "3", ..] if asked.paging.data_center => return Answer::new(404, "text/html", NOT_THERE),
        ["rest", "api", "2" | "3" | "latest", rest @ ..] => rest,
        _ => return unknown(asked),
    };
    match (asked.method.as_str(), here) {
        (_, ["search"]) => search::removed(),
        (_, ["search", "jql" | "approximate-count"] | ["issue", "bulkfetch"] | ["changelog", "bulkfetch"] | ["issue", _, ..]) => {
            search::answer(state, asked, here)
        }
        ("GET", _) => platform::answer(state, asked, here),
        _ => refuse_method(asked),
    }
}

fn read(state: &State, asked: &Asked, rest: &[&str]) -> Answer {
    match rest {
        ["info"] => info(state, asked),
        ["request", rest @ ..] => request::answer(state, asked, rest),
        ["servicedesk", rest @ ..] => desk::answer(state, asked, rest),
        ["requesttype"] if !asked.experimental => desk::experimental(),
        ["requesttype"] => {
            let wanted: Vec<&str> = asked.all("serviceDeskId").collect();
            let desks = state
                .desks
                .iter()
                .filter(|desk| wanted.is_empty() || wanted.contains(&desk.id));
            desk::list_types(asked, desks.flat_map(|desk| desk.types.iter().map(move |kind| (desk, kind))))
        }
        ["organization", rest @ ..] => organization::answer(state, asked, rest),
        ["knowledgebase", "article", "view", id] => knowledge::view(id),
        ["knowledgebase", "article"] => knowledge::answer(asked, None),
        ["assets" | "insight", "workspace"] => page::page(asked, 1, 50, |a, _| {
            a.object(|o| o.text("workspaceId", "1060ba0e-178b-4e0e-a0b1-1edb02cccb5f"))
        }),
        _ => unknown(asked),
    }
}

/// Whether an operation answers callers who have not signed in.
pub(super) fn is_public(segments: &[String]) -> bool {
    let segments: Vec<&str> = segments.iter().map(String::as_str).collect();
    matches!(
        &segments[..],
        ["rest", "servicedeskapi", "info"] | ["rest", "api", _, "serverInfo"]
    )
}

fn info(state: &State, asked: &Asked) -> Answer {
    let built = state.clock.opening();
    const BUILD: &str = "c6c33a4381164a65dc4b8ecd123c6fa071fac773";
    Answer::json(json::document(|o| {
        o.text("version", BUILD);
        o.text("platformVersion", BUILD);
        // A recorded oddity: two offsets in one date.
        o.object("buildDate", |o| {
            o.text("iso8601", Stamp::iso(built));
            o.text("jira", Stamp::jira_utc(built));
            o.text("friendly", "Sunday 8:00 AM");
            o.int("epochMillis", built);
        });
        o.text("buildChangeSet", BUILD);
        o.flag("isLicensedForUse", true);
        o.object("_links", |o| {
            o.text("self", format_args!("{}/rest/servicedeskapi/info", asked.base))
        });
    }))
}

/// The answer to an address that the site does not know.
pub(super) fn unknown(asked: &Asked) -> Answer {
    Answer::refuse(404, format_args!("null for uri: {}{}", asked.base, asked.path))
}

/// The refusal of a method that an address does not take.
pub(super) fn refuse_method(asked: &Asked) -> Answer {
    Answer::refuse(405, format_args!("The demo site does not take {} here.", asked.method))
}
