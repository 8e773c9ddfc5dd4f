//! The organizations of the demo site, and properties of anything.

use super::answer::{Answer, Asked};
use super::date::{Clock, DAY, write_date};
use super::json::{self, Object};
use super::page::page;
use super::person::{CUSTOMERS, DANA};
use super::state::State;

/// A group of customers.
#[derive(Debug, Clone)]
pub(super) struct Organization {
    pub(super) id: String,
    pub(super) name: String,
    /// Older organizations have neither this nor a creation date.
    pub(super) uuid: Option<String>,
    pub(super) created: Option<i64>,
    pub(super) members: Vec<usize>,
    pub(super) desks: Vec<&'static str>,
    /// Key and JSON of each property.
    pub(super) properties: Vec<(String, String)>,
}

/// The organizations as the site begins with them. Dana is a member of each.
pub(super) fn organizations(clock: Clock) -> Vec<Organization> {
    let members = |step: usize, offset: usize| {
        let others = CUSTOMERS.filter(|person| person % step == offset);
        std::iter::once(DANA).chain(others).collect()
    };
    let organization = |id: &str, name: &str, members: Vec<usize>, desks: &[&'static str]| Organization {
        id: id.to_owned(),
        name: name.to_owned(),
        uuid: Some(format!("6f1c2f40-0000-4000-8000-0000000000{id:0>2}")),
        created: Some(clock.opening() - 400 * DAY),
        members,
        desks: desks.to_vec(),
        properties: Vec::new(),
    };
    vec![
        Organization {
            properties: vec![
                (
                    "organization.attributes".into(),
                    r#"{"mail":"charlie@example.com","phone":"0800-1233456789"}"#.into(),
                ),
                ("tier".into(), r#""gold""#.into()),
            ],
            ..organization("1", "Charlie Cakes Franchises", members(2, 0), &["1", "2"])
        },
        organization("2", "Atlas Coffee Co", members(3, 1), &["1"]),
        Organization {
            uuid: None,
            created: None,
            ..organization("3", "The Adjustment Bureau", members(5, 2), &["1", "3"])
        },
        organization("4", "Müller & Söhne GmbH", members(7, 3), &["2"]),
        organization("5", "株式会社デモ", members(11, 5), &[]),
    ]
}

/// Answers `/organization/…`; `rest` are the segments after `organization`.
pub(super) fn answer(state: &State, asked: &Asked, rest: &[&str]) -> Answer {
    let [id, rest @ ..] = rest else {
        return list(state, asked, |_| true);
    };
    let Some(organization) = state.organizations.iter().find(|organization| organization.id == *id) else {
        return Answer::refuse(404, "The organization does not exist.");
    };
    match rest {
        [] => Answer::json(json::document(|o| fill(o, organization, asked))),
        ["user"] => page(asked, organization.members.len(), 50, |a, row| {
            state.people[organization.members[row]].push(a, asked)
        }),
        ["property", rest @ ..] => {
            let at = format!("{}/rest/servicedeskapi/organization/{}", asked.base, organization.id);
            properties(&organization.properties, &at, rest)
        }
        _ => super::route::unknown(asked),
    }
}

/// The organizations that a list answers with.
pub(super) fn list(state: &State, asked: &Asked, among: impl Fn(&Organization) -> bool) -> Answer {
    let account = asked.one("accountId");
    let found: Vec<&Organization> = state
        .organizations
        .iter()
        .filter(|organization| among(organization))
        .filter(|organization| {
            account.is_none_or(|id| {
                organization
                    .members
                    .iter()
                    .any(|&person| state.people[person].account_id == id)
            })
        })
        .collect();
    page(asked, found.len(), 50, |a, row| a.object(|o| fill(o, found[row], asked)))
}

pub(super) fn fill(o: &mut Object, organization: &Organization, asked: &Asked) {
    o.text("id", &organization.id);
    o.maybe("uuid", organization.uuid.as_ref());
    o.text("name", &organization.name);
    if let Some(created) = organization.created {
        write_date(o, "created", created);
        o.flag("scimManaged", false);
    }
    o.object("_links", |o| {
        o.text(
            "self",
            format_args!("{}/rest/servicedeskapi/organization/{}", asked.base, organization.id),
        )
    });
}

/// Answers `…/property` and `…/property/{key}`.
pub(super) fn properties(properties: &[(String, String)], at: &str, rest: &[&str]) -> Answer {
    match rest {
        [] => Answer::json(json::document(|o| {
            o.array("keys", |a| {
                for (key, _) in properties {
                    a.object(|o| {
                        let encoded = percent_encoding::utf8_percent_encode(key, percent_encoding::NON_ALPHANUMERIC);
                        o.text("self", format_args!("{at}/property/{encoded}"));
                        o.text("key", key);
                    });
                }
            });
        })),
        [key] => match properties.iter().find(|(known, _)| known == key) {
            Some((key, value)) => Answer::json(json::document(|o| {
                o.text("key", key);
                o.raw("value", value);
            })),
            None => Answer::refuse(404, "The property with the given key does not exist."),
        },
        _ => Answer::refuse(404, "There is nothing here."),
    }
}
