//! A request as the platform API sees it: an issue with all its fields.
//!
//! Facts that requests do not have are drawn under names of their own, so that they change nothing about the requests.

use std::sync::Arc;

use serde_json::{Value, json};

use super::adf;
use super::answer::Asked;
use super::chance::Chance;
use super::date::{DAY, HOUR, MINUTE, Stamp, write_date};
use super::edits::{LINK_TYPES, Named, Worklog};
use super::field::{FIELDS, Field};
use super::json::{Array, Object};
use super::link;
use super::person::{AGENTS, Person};
use super::request::fill_sla;
use super::state::State;
use super::ticket::{Comment, Ticket};

/// Comments and worklogs that an issue carries at most; more must be asked for.
const MOST_EMBEDDED: usize = 20;
/// Changes that `expand=changelog` carries at most.
const MOST_CHANGES: usize = 40;

const LABELS: &[&str] = &["vpn", "VPN", "printer", "needs \"care\"", "größe", "a\\b", "night-shift"];
/// Components of each desk: id and name.
pub(super) const COMPONENTS: [&[(&str, &str)]; 3] = [
    &[
        ("10401", "Network"),
        ("10402", "network devices"),
        ("10403", "Laptops & phones"),
    ],
    &[("10411", "Payroll")],
    &[],
];
/// Versions of each desk: id, name, release date, whether released.
pub(super) const VERSIONS: [&[(&str, &str, &str, bool)]; 3] = [
    &[
        ("10501", "2026.1", "2026-04-01", true),
        ("10502", "2026.2", "2026-10-01", true),
        ("10503", "2027.1", "2027-04-01", false),
    ],
    &[],
    &[],
];
pub(super) const PRIORITIES: [&str; 5] = ["Highest", "High", "Medium", "Low", "Lowest"];
pub(super) const RESOLUTIONS: [(&str, &str); 3] = [("10000", "Done"), ("10001", "Won't Do"), ("10002", "Duplicate")];
pub(super) const TYPES: [(&str, &str); 2] = [("10011", "IT help"), ("10012", "Service request")];
pub(super) const LEVELS: [(&str, &str); 1] = [("10601", "Internal \"staff\"")];
/// Categories of statuses: id, key, name.
pub(super) const CATEGORIES: [(i64, &str, &str); 4] = [
    (1, "undefined", "No Category"),
    (2, "new", "To Do"),
    (4, "indeterminate", "In Progress"),
    (3, "done", "Done"),
];
const SYSTEMS: &[(&str, &str)] = &[
    ("10101", "E-mail"),
    ("10102", "VPN"),
    ("10103", "\"Payroll\" & expenses"),
    ("10104", "Drucker / 印刷"),
];
const IMPACTS: &[(&str, &str)] = &[("10711", "High"), ("10712", "Low"), ("10713", "10712")];
const DEVICES: &[(&str, &str)] = &[("10721", "Laptop"), ("10722", "Phone"), ("10723", "Say \"Ah\\\"")];
const FLAGS: &[(&str, &str)] = &[("10731", "Impediment")];
const ODD: &[(&str, &str)] = &[("10741", "Yes"), ("10742", "No")];
pub(super) const GROUPS: [(&str, &str); 3] = [
    ("276f955c-63d7-42c8-9520-92d01dca0625", "jira-users"),
    ("6e87dc72-4f1f-421f-9382-2fee8b652487", "service desk \"agents\""),
    ("b5e4a1d2-0000-4000-8000-1d8d8d8d8d8d", "On-Call"),
];

/// The choices of a custom field that has some.
pub(super) fn choices(id: &str) -> &'static [(&'static str, &'static str)] {
    match id {
        "customfield_10201" => SYSTEMS,
        "customfield_10301" => IMPACTS,
        "customfield_10304" => DEVICES,
        "customfield_10311" => FLAGS,
        "customfield_10319" => ODD,
        "customfield_10305" | "customfield_10306" => &GROUPS,
        _ => &[],
    }
}

/// Id of a status of a desk.
pub(super) fn status_id(desk: usize, status: usize) -> String {
    format!("{}", 10_800 + desk * 10 + status)
}

/// An issue.
#[derive(Debug, Clone)]
pub(super) struct Issue {
    chance: Chance,
    index: u64,
    pub(super) ticket: Arc<Ticket>,
}

/// A field that changed: its name and id, what it was and what it became, as id and text.
type Item = (&'static str, &'static str, Half, Half);
type Half = (Option<String>, Option<String>);

/// One moment at which fields changed.
pub(super) struct Change {
    pub(super) id: u64,
    author: usize,
    pub(super) at: i64,
    items: Vec<Item>,
}

impl Issue {
    pub(super) fn new(state: &State, index: usize, ticket: Arc<Ticket>) -> Self {
        Self {
            chance: state.chance(),
            index: index as u64,
            ticket,
        }
    }

    /// Where chance has no say it draws the first, which is none of anything.
    fn below(&self, what: &str, end: usize) -> usize {
        if self.ticket.edits.blank {
            0
        } else {
            self.chance.below(what, self.index, end)
        }
    }

    fn happens(&self, what: &str, percent: usize) -> bool {
        !self.ticket.edits.blank && self.chance.happens(what, self.index, percent)
    }

    pub(super) fn labels(&self) -> Vec<String> {
        if let Some(labels) = &self.ticket.edits.labels {
            return labels.clone();
        }
        let many = [0, 0, 1, 1, 2][self.below("issue labels", 5)];
        (0..many)
            .map(|nth| LABELS[(self.below("issue label", LABELS.len()) + nth * 3) % LABELS.len()].to_owned())
            .collect()
    }

    pub(super) fn components(&self) -> Vec<Named> {
        if let Some(components) = &self.ticket.edits.components {
            return components.clone();
        }
        let all = COMPONENTS[self.ticket.desk];
        if all.is_empty() || !self.happens("issue components", 50) {
            return Vec::new();
        }
        let first = self.below("issue component", all.len());
        let two = self.happens("issue components two", 30) && all.len() > 1;
        [Some(first), two.then_some((first + 1) % all.len())]
            .into_iter()
            .flatten()
            .map(|at| all[at])
            .collect()
    }

    pub(super) fn versions(&self, which: &str) -> Vec<Named> {
        let edits = &self.ticket.edits;
        if let Some(versions) = if which == "versions" {
            &edits.versions
        } else {
            &edits.fix_versions
        } {
            return versions.clone();
        }
        let all = VERSIONS[self.ticket.desk];
        if all.is_empty() || !self.happens(which, 30) {
            return Vec::new();
        }
        let (id, name, _, _) = all[self.chance.below(which, self.index + 1_000_000, all.len())];
        vec![(id, name)]
    }

    pub(super) fn resolution(&self) -> Option<(&'static str, &'static str)> {
        let drawn = || RESOLUTIONS[[0, 0, 0, 1, 2][self.below("issue resolution", 5)]];
        (!self.ticket.is_open()).then(|| self.ticket.edits.resolution.unwrap_or_else(drawn))
    }

    pub(super) fn resolved(&self) -> Option<i64> {
        self.ticket
            .statuses
            .last()
            .filter(|_| !self.ticket.is_open())
            .map(|&(_, at)| at)
    }

    /// Days since 1970.
    pub(super) fn due(&self) -> Option<i64> {
        if let Some(due) = self.ticket.edits.due {
            return due;
        }
        self.happens("issue due", 40)
            .then(|| (self.ticket.created + self.below("issue due days", 60) as i64 * DAY).div_euclid(DAY))
    }

    /// A document, or null.
    fn environment(&self) -> Value {
        match &self.ticket.edits.environment {
            Some(document) => document.clone(),
            None if self.happens("issue environment", 20) => document_of("Windows 11, build 22631"),
            None => Value::Null,
        }
    }

    pub(super) fn environment_text(&self) -> Option<String> {
        adf::text(&self.environment())
    }

    fn estimate(&self) -> Option<i64> {
        self.happens("issue estimate", 30)
            .then(|| 900 * (1 + self.below("issue estimate size", 40) as i64))
    }

    pub(super) fn spent(&self) -> Option<i64> {
        let worklogs = self.worklogs();
        (!worklogs.is_empty()).then(|| worklogs.iter().map(|worklog| worklog.seconds).sum())
    }

    pub(super) fn votes(&self) -> usize {
        [0, 0, 0, 1, 2][self.below("issue votes", 5)]
    }

    pub(super) fn watchers(&self) -> Vec<usize> {
        if let Some(watchers) = &self.ticket.edits.watchers {
            return watchers.clone();
        }
        let many = [0, 0, 0, 1, 3][self.below("issue watchers", 5)];
        (0..many)
            .map(|nth| (self.below("issue watcher", 100) + nth * 7) % 100)
            .collect()
    }

    pub(super) fn level(&self) -> Option<Named> {
        if let Some(level) = self.ticket.edits.level {
            return level;
        }
        self.happens("issue level", 5).then_some(LEVELS[0])
    }

    pub(super) fn issue_type(&self, state: &State) -> Named {
        if let Some(kind) = self.ticket.edits.issue_type {
            return kind;
        }
        let id = state.desks[self.ticket.desk].types[self.ticket.kind].issue_type;
        TYPES[usize::from(id == TYPES[1].0)]
    }

    /// Key and id of the issue it is part of.
    pub(super) fn parent(&self, state: &State) -> Option<(String, u64)> {
        let index = match self.ticket.edits.parent {
            Some(parent) => parent?,
            None => {
                let back = 10 + self.below("issue parent distance", 10) as u64;
                let index = self.index.checked_sub(back).filter(|_| self.happens("issue parent", 8))?;
                usize::try_from(index).ok()?
            }
        };
        let ticket = state.ticket(Some(index).filter(|&index| state.is_there(index))?);
        Some((ticket.key.clone(), ticket.id))
    }

    /// Index of the issue that this one blocks.
    pub(super) fn blocks(&self) -> Option<usize> {
        let index = self.index.checked_sub(3).filter(|_| self.happens("issue blocks", 10))?;
        usize::try_from(index).ok()
    }

    pub(super) fn worklogs(&self) -> Vec<Worklog> {
        if let Some(worklogs) = &self.ticket.edits.worklogs {
            return worklogs.clone();
        }
        let many = match self.index % 101 {
            7 if !self.ticket.edits.blank => 25,
            _ => [0, 0, 0, 0, 1, 2, 3][self.below("issue worklogs", 7)],
        };
        let span = (self.ticket.updated - self.ticket.created).max(1);
        (0..many as i64)
            .map(|nth| {
                let draw = self.ticket.id * 100 + nth as u64;
                let started = self.ticket.created + span * nth / many as i64;
                let has_text = self.chance.happens("issue worklog text", draw, 60);
                Worklog {
                    id: 500_000 + draw,
                    author: self.chance.below("issue worklog author", draw, AGENTS.len()),
                    started,
                    seconds: 300 * (1 + self.chance.below("issue worklog size", draw, 30) as i64),
                    comment: has_text.then(|| document_of("Talked to the customer.\nFixed it.")),
                    created: started + HOUR,
                    updated: started + HOUR,
                }
            })
            .collect()
    }

    pub(super) fn changes(&self, state: &State) -> Vec<Change> {
        let desk = self.ticket.desk;
        let author = self.ticket.assignee.unwrap_or(1);
        let status = |status: usize| {
            (
                Some(status_id(desk, status)),
                Some(state.desks[desk].statuses[status].0.to_owned()),
            )
        };
        let mut changes: Vec<Change> = self
            .ticket
            .statuses
            .windows(2)
            .map(|pair| Change {
                id: 0,
                author,
                at: pair[1].1,
                items: vec![("status", "status", status(pair[0].0), status(pair[1].0))],
            })
            .collect();
        if let (Some(last), Some((id, name))) = (changes.last_mut(), self.resolution()) {
            let resolved = (
                "resolution",
                "resolution",
                (None, None),
                (Some(id.to_owned()), Some(name.to_owned())),
            );
            last.items.insert(0, resolved);
        }
        if self.index % 89 == 3 && !self.ticket.edits.blank {
            for nth in 0..45_i64 {
                changes.push(Change {
                    id: 0,
                    author: self.ticket.reporter,
                    at: self.ticket.created + nth,
                    items: vec![(
                        "Notes",
                        "customfield_10312",
                        (Some(String::new()), Some(format!("note {nth}"))),
                        (Some(String::new()), Some(format!("note {}", nth + 1))),
                    )],
                });
            }
        }
        changes.sort_by_key(|change| change.at);
        for (nth, change) in changes.iter_mut().enumerate() {
            change.id = self.ticket.id * 1_000 + nth as u64;
        }
        changes
    }

    /// Value of a custom field, as JSON.
    pub(super) fn custom(&self, state: &State, id: &str) -> Value {
        let ticket = &self.ticket;
        if let Some(value) = ticket.edits.custom.get(id) {
            return value.clone();
        }
        let blank = ticket.edits.blank;
        let pick = |what: &str, all: &'static [(&'static str, &'static str)]| all[self.below(what, all.len())];
        let option =
            |(id, value): (&str, &str)| json!({"id": id, "value": value, "self": format!("/rest/api/3/customFieldOption/{id}")});
        let person = |at: usize| user_value(&state.people[at]);
        let draw = |percent: usize| self.happens(id, percent);
        let desk = &state.desks[ticket.desk];
        let given = |id: &str| {
            let field = ticket.fields.iter().find(|(own, _)| *own == id);
            field
                .and_then(|(_, text)| serde_json::from_str(text).ok())
                .unwrap_or(Value::Null)
        };
        match id {
            "customfield_10002" => match ticket.organization {
                Some(at) => {
                    let organization = &state.organizations[at];
                    json!([{"id": organization.id, "name": organization.name}])
                }
                None => json!([]),
            },
            "customfield_10010" if ticket.edits.issue_only => Value::Null,
            "customfield_10010" => {
                let kind = &desk.types[ticket.kind];
                json!({
                    "requestType": {"id": kind.id, "name": kind.name, "serviceDeskId": desk.id, "issueTypeId": kind.issue_type, "portalId": desk.id},
                    "currentStatus": {"status": desk.statuses[ticket.statuses.last().map_or(0, |s| s.0)].0}
                })
            }
            "customfield_10026" => ticket.participants.iter().map(|&at| person(at)).collect(),
            "customfield_10027" => match &ticket.feedback {
                Some((rating, _)) => json!({"rating": rating}),
                None => Value::Null,
            },
            "customfield_10028" => match &ticket.feedback {
                Some(_) => json!(Stamp::jira(ticket.updated).to_string()),
                None => Value::Null,
            },
            "customfield_10035" if !blank => {
                let code = ["en", "de", "ja"][self.below(id, 3)];
                json!({"languageCode": code, "displayName": "…"})
            }
            "customfield_10201" | "customfield_10203" | "customfield_10204" | "customfield_10205" => given(id),
            "customfield_10202" if blank => given(id),
            "customfield_10202" if desk.types[ticket.kind].fields.iter().any(|field| field.id == id) => person(ticket.reporter),
            "customfield_10301" if draw(60) => option(pick("issue impact", IMPACTS)),
            "customfield_10302" if draw(40) => json!(self.below("issue impact number", 400) as f64 / 4.0 - 20.0),
            "customfield_10303" if draw(30) => Value::from(["none", "", "None", "a lot"][self.below("issue impact text", 4)]),
            "customfield_10304" if draw(40) => {
                let first = self.below("issue device", DEVICES.len());
                let two = self.happens("issue devices", 40);
                let second = two.then_some((first + 1) % DEVICES.len());
                [Some(first), second]
                    .into_iter()
                    .flatten()
                    .map(|at| option(DEVICES[at]))
                    .collect()
            }
            "customfield_10305" if draw(20) => {
                let (id, name) = GROUPS[self.below("issue group", GROUPS.len())];
                json!({"name": name, "groupId": id})
            }
            "customfield_10306" if draw(20) => GROUPS[..1 + self.below("issue groups", 2)]
                .iter()
                .map(|(id, name)| json!({"name": name, "groupId": id}))
                .collect(),
            "customfield_10307" if draw(20) => (0..1 + self.below("issue reviewers", 2)).map(person).collect(),
            "customfield_10308" if draw(30) => {
                json!(Stamp::jira(ticket.created - HOUR + self.below("issue outage", 3_600) as i64 * 1_000 + 7).to_string())
            }
            "customfield_10309" if draw(40) => json!([LABELS[self.below("issue tag", LABELS.len())]]),
            "customfield_10310" if draw(20) => {
                json!(format!("https://wiki.example/{}?a=1&b=\"x\"", self.below("issue runbook", 3)))
            }
            "customfield_10311" if draw(10) => json!([option(FLAGS[0])]),
            "customfield_10312" if draw(20) => document_of("Call back.\nBring a \"spare\"."),
            "customfield_10313" if draw(15) => {
                let at = 1 + self.below("issue asset", 9);
                json!([{"workspaceId": "5e037d73-1c0a-43ce-adca-f169a42557f1", "id": format!("5e037d73-1c0a-43ce-adca-f169a42557f1:{at}"), "objectId": at.to_string()}])
            }
            "customfield_10314" if !blank => match self.below(id, 3) {
                0 => json!("{}"),
                1 => json!(
                    "{pullrequest={dataType=pullrequest, state=OPEN, stateCount=1}, json={\"cachedValue\":{\"errors\":[]}}}"
                ),
                _ => Value::Null,
            },
            "customfield_10315" => json!(format!("0|i{:05x}:", self.index)),
            "customfield_10316" if !blank => match self.below(id, 6) {
                0 => json!({"errorMessage": "The Service Desk you are trying to view does not exist.",
                    "i18nErrorMessage": {"i18nKey": "sd.agent.servicedesk.error.servicedesk.missing", "parameters": []}}),
                1 => json!("14.0"),
                2 => json!(""),
                3 => json!(self.below("issue effort", 100)),
                4 => json!("a lot"),
                _ => Value::Null,
            },
            "customfield_10317" if draw(50) => Value::from(["Done", "custom"][self.below("issue own status", 2)]),
            "customfield_10318" if draw(10) => json!("済み"),
            "customfield_10319" if draw(30) => option(pick("issue odd", ODD)),
            _ => Value::Null,
        }
    }

    /// Writes the issue with some of its fields.
    pub(super) fn fill(
        &self,
        o: &mut Object,
        state: &State,
        fields: &Fields,
        asked: &Asked,
        expand: &[&str],
        properties: &[String],
    ) {
        let ticket = &self.ticket;
        o.text(
            "expand",
            "operations,versionedRepresentations,editmeta,changelog,renderedFields",
        );
        o.text("id", ticket.id);
        if fields.bare {
            return;
        }
        o.text("self", format_args!("{}/rest/api/3/issue/{}", asked.base, ticket.id));
        o.text("key", &ticket.key);
        if properties.iter().any(|name| name == "request.channel.type") {
            o.object("properties", |o| {
                if !self.happens("issue without channel", 5) {
                    o.object("request.channel.type", |o| o.text("value", self.channel()));
                }
            });
        }
        if expand.contains(&"changelog") {
            let changes = self.changes(state);
            o.object("changelog", |o| {
                o.int("startAt", 0);
                o.int("maxResults", changes.len().min(MOST_CHANGES) as i64);
                o.int("total", changes.len() as i64);
                o.array("histories", |a| {
                    // Newest first, unlike the list of changes itself.
                    changes
                        .iter()
                        .rev()
                        .take(MOST_CHANGES)
                        .for_each(|change| change.push(a, state, asked));
                });
            });
        }
        if expand.contains(&"transitions") {
            o.array("transitions", |a| super::search::push_transitions(a, state, ticket));
        }
        o.object("fields", |o| {
            for field in FIELDS.iter().filter(|field| fields.holds(field)) {
                self.field(o, state, field, asked);
            }
        });
    }

    fn channel(&self) -> &'static str {
        ["portal", "email", "jira"][self.below("issue channel", 3)]
    }

    fn field(&self, o: &mut Object, state: &State, field: &Field, asked: &Asked) {
        let ticket = &self.ticket;
        let desk = &state.desks[ticket.desk];
        let at = |o: &mut Object, kind: &str, id: &str| o.text("self", format_args!("{}/rest/api/3/{kind}/{id}", asked.base));
        let named = |o: &mut Object, kind: &str, (id, name): (&str, &str)| {
            at(o, kind, id);
            o.text("id", id);
            o.text("name", name);
        };
        let key = field.id;
        match key {
            "issuekey" => {}
            "summary" => o.text(key, &ticket.summary),
            "description" => match &ticket.edits.description {
                Some(document) => o.raw(key, document),
                None if ticket.edits.issue_only => o.null(key),
                None => o.raw(key, String::from_utf8_lossy(&adf::document(&ticket.description))),
            },
            "environment" => o.raw(key, self.environment()),
            "status" => {
                let status = ticket.statuses.last().map_or(0, |&(status, _)| status);
                o.object(key, |o| fill_status(o, state, ticket.desk, status, asked));
            }
            "statusCategory" => {
                let status = ticket.statuses.last().map_or(0, |&(status, _)| status);
                o.object(key, |o| fill_category(o, desk.statuses[status].1, asked));
            }
            "issuetype" => o.object(key, |o| {
                named(o, "issuetype", self.issue_type(state));
                o.flag("subtask", false);
                o.int("hierarchyLevel", 0);
            }),
            "project" => o.object(key, |o| {
                at(o, "project", desk.project_id);
                o.text("id", desk.project_id);
                o.text("key", desk.key);
                o.text("name", desk.name);
                o.text("projectTypeKey", state.project_type(desk));
                o.flag("simplified", false);
            }),
            "priority" => o.object(key, |o| {
                named(
                    o,
                    "priority",
                    (&(ticket.priority + 1).to_string(), PRIORITIES[ticket.priority]),
                );
            }),
            "resolution" => match self.resolution() {
                Some(resolution) => o.object(key, |o| named(o, "resolution", resolution)),
                None => o.null(key),
            },
            "assignee" => match ticket.assignee {
                Some(person) => o.object(key, |o| fill_user(o, &state.people[person], asked)),
                None => o.null(key),
            },
            "reporter" | "creator" => o.object(key, |o| fill_user(o, &state.people[ticket.reporter], asked)),
            "labels" => o.texts(key, self.labels()),
            "components" => o.array(key, |a| {
                self.components()
                    .into_iter()
                    .for_each(|component| a.object(|o| named(o, "component", component)))
            }),
            "fixVersions" | "versions" => o.array(key, |a| {
                self.versions(key)
                    .into_iter()
                    .for_each(|version| a.object(|o| named(o, "version", version)))
            }),
            "parent" => {
                if let Some((parent, id)) = self.parent(state) {
                    o.object(key, |o| {
                        o.text("id", id);
                        o.text("key", parent);
                    });
                }
            }
            "created" => o.text(key, Stamp::jira(ticket.created)),
            "updated" => o.text(key, Stamp::jira(ticket.updated)),
            "resolutiondate" => match self.resolved() {
                Some(moment) => o.text(key, Stamp::jira(moment)),
                None => o.null(key),
            },
            "duedate" => match self.due() {
                Some(day) => o.text(key, Stamp::day(day * DAY)),
                None => o.null(key),
            },
            "timeestimate" => number(o, key, self.estimate()),
            "timespent" => number(o, key, self.spent()),
            "votes" => o.object(key, |o| {
                o.int("votes", self.votes() as i64);
                o.flag("hasVoted", false);
            }),
            "watches" => o.object(key, |o| {
                o.int("watchCount", self.watchers().len() as i64);
                o.flag("isWatching", false);
            }),
            "security" => match self.level() {
                Some(level) => o.object(key, |o| named(o, "securitylevel", level)),
                None => o.null(key),
            },
            "attachment" => o.array(key, |a| {
                for attachment in &ticket.attachments {
                    a.object(|o| {
                        o.text("self", format_args!("{}/rest/api/3/attachment/{}", asked.base, attachment.id));
                        o.text("id", attachment.id);
                        o.text("filename", &attachment.name);
                        o.object("author", |o| fill_user(o, &state.people[attachment.author], asked));
                        o.text("created", Stamp::jira(attachment.at));
                        o.int("size", attachment.size as i64);
                        o.text("mimeType", &attachment.media_type);
                        o.text(
                            "content",
                            format_args!("{}/rest/api/3/attachment/content/{}", asked.base, attachment.id),
                        );
                    });
                }
            }),
            "comment" => o.object(key, |o| self.comments(o, state, asked, 0, MOST_EMBEDDED)),
            "worklog" => o.object(key, |o| self.worklog_page(o, state, asked, 0, MOST_EMBEDDED)),
            "issuelinks" => o.array(key, |a| self.links(a, state, asked)),
            "customfield_10029" => o.null(key),
            "customfield_10033" | "customfield_10034" | "customfield_10036" => {
                match ticket.slas.iter().find(|sla| sla.name == field.name) {
                    Some(sla) => o.object(key, |o| fill_sla(o, state, ticket, sla, asked)),
                    None => o.null(key),
                }
            }
            "customfield_10028" => match &ticket.feedback {
                // Some sites send the date object here.
                Some(_) if self.index.is_multiple_of(2) => write_date(o, key, ticket.updated),
                Some(_) => o.text(key, Stamp::jira(ticket.updated)),
                None => o.null(key),
            },
            _ => o.raw(key, self.custom(state, key)),
        }
    }

    pub(super) fn comments(&self, o: &mut Object, state: &State, asked: &Asked, start: usize, rows: usize) {
        let all = &self.ticket.comments;
        o.array("comments", |a| {
            for comment in all.iter().skip(start).take(rows) {
                a.object(|o| fill_comment(o, state, &self.ticket, comment, asked));
            }
        });
        o.text(
            "self",
            format_args!("{}/rest/api/3/issue/{}/comment", asked.base, self.ticket.id),
        );
        o.int("maxResults", rows as i64);
        o.int("total", all.len() as i64);
        o.int("startAt", start as i64);
    }

    pub(super) fn worklog_page(&self, o: &mut Object, state: &State, asked: &Asked, start: usize, rows: usize) {
        let all = self.worklogs();
        o.int("startAt", start as i64);
        o.int("maxResults", rows as i64);
        o.int("total", all.len() as i64);
        o.array("worklogs", |a| {
            for worklog in all.iter().skip(start).take(rows) {
                a.object(|o| fill_worklog(o, state, &self.ticket, worklog, asked));
            }
        });
    }

    fn links(&self, a: &mut Array, state: &State, asked: &Asked) {
        let index = usize::try_from(self.index).unwrap_or_default();
        for link in link::all(state, index) {
            let (side, other) = match link.from == index {
                true => ("outwardIssue", link.to),
                false => ("inwardIssue", link.from),
            };
            let other = state.ticket(other);
            let (id, name, inward, outward) = LINK_TYPES[link.kind];
            a.object(|o| {
                o.text("id", link.id);
                o.text("self", format_args!("{}/rest/api/3/issueLink/{}", asked.base, link.id));
                o.object("type", |o| {
                    o.text("id", id);
                    o.text("name", name);
                    o.text("inward", inward);
                    o.text("outward", outward);
                });
                o.object(side, |o| {
                    o.text("id", other.id);
                    o.text("key", &other.key);
                    o.object("fields", |o| o.text("summary", &other.summary));
                });
            });
        }
    }
}

/// A comment as the platform API writes one.
pub(super) fn fill_comment(o: &mut Object, state: &State, ticket: &Ticket, comment: &Comment, asked: &Asked) {
    let base = &asked.base;
    o.text(
        "self",
        format_args!("{base}/rest/api/3/issue/{}/comment/{}", ticket.id, comment.id),
    );
    o.text("id", comment.id);
    o.object("author", |o| fill_user(o, &state.people[comment.author], asked));
    match &comment.document {
        Some(document) => o.raw("body", document),
        None => o.raw("body", String::from_utf8_lossy(&adf::document(&comment.body))),
    }
    o.object("updateAuthor", |o| fill_user(o, &state.people[comment.author], asked));
    o.text("created", Stamp::jira(comment.at));
    o.text("updated", Stamp::jira(comment.edited.unwrap_or(comment.at + MINUTE)));
    if let Some(visibility) = &comment.visibility {
        o.raw("visibility", visibility);
    }
    o.flag("jsdPublic", comment.public);
}

/// A worklog as the platform API writes one.
pub(super) fn fill_worklog(o: &mut Object, state: &State, ticket: &Ticket, worklog: &Worklog, asked: &Asked) {
    o.object("author", |o| fill_user(o, &state.people[worklog.author], asked));
    if let Some(comment) = &worklog.comment {
        o.raw("comment", comment);
    }
    o.text("created", Stamp::jira(worklog.created));
    o.text("updated", Stamp::jira(worklog.updated));
    o.text("started", Stamp::jira(worklog.started));
    o.text("timeSpent", format_args!("{}m", worklog.seconds / 60));
    o.int("timeSpentSeconds", worklog.seconds);
    o.text("id", worklog.id);
    o.text("issueId", ticket.id);
}

fn document_of(text: &str) -> Value {
    serde_json::from_slice(&adf::document(text)).unwrap_or(Value::Null)
}

impl Change {
    pub(super) fn push(&self, a: &mut Array, state: &State, asked: &Asked) {
        self.push_with(a, state, asked, |o| o.text("created", Stamp::jira(self.at)));
    }

    /// The same, where the moment is written otherwise: a recorded oddity of the list of the changes of many issues.
    pub(super) fn push_with(&self, a: &mut Array, state: &State, asked: &Asked, created: impl Fn(&mut Object)) {
        let half = |o: &mut Object, key: &str, value: &Option<String>| match value {
            Some(value) => o.text(key, value),
            None => o.null(key),
        };
        a.object(|o| {
            o.text("id", self.id);
            o.object("author", |o| fill_user(o, &state.people[self.author], asked));
            created(o);
            o.array("items", |a| {
                for (field, id, from, to) in &self.items {
                    a.object(|o| {
                        o.text("field", field);
                        o.text("fieldtype", if id.starts_with("custom") { "custom" } else { "jira" });
                        o.text("fieldId", id);
                        half(o, "from", &from.0);
                        half(o, "fromString", &from.1);
                        half(o, "to", &to.0);
                        half(o, "toString", &to.1);
                    });
                }
            });
        });
    }
}

fn number(o: &mut Object, key: &str, value: Option<i64>) {
    match value {
        Some(value) => o.int(key, value),
        None => o.null(key),
    }
}

fn user_value(person: &Person) -> Value {
    json!({"accountId": person.account_id, "displayName": person.name, "active": person.active})
}

/// A user as the platform API writes one.
pub(super) fn fill_user(o: &mut Object, person: &Person, asked: &Asked) {
    let id = percent_encoding::utf8_percent_encode(&person.account_id, percent_encoding::NON_ALPHANUMERIC);
    o.text("self", format_args!("{}/rest/api/3/user?accountId={id}", asked.base));
    o.text("accountId", &person.account_id);
    o.maybe("emailAddress", person.email.as_ref());
    o.text("displayName", &person.name);
    o.flag("active", person.active);
    o.maybe("timeZone", person.time_zone);
    o.text(
        "accountType",
        if person.account_id.starts_with("qm:") {
            "customer"
        } else {
            "atlassian"
        },
    );
}

/// A status as the platform API writes one.
pub(super) fn fill_status(o: &mut Object, state: &State, desk: usize, status: usize, asked: &Asked) {
    let (name, category) = state.desks[desk].statuses[status];
    let id = status_id(desk, status);
    o.text("self", format_args!("{}/rest/api/3/status/{id}", asked.base));
    o.text("description", "");
    o.text("name", name);
    o.text("id", id);
    o.object("statusCategory", |o| fill_category(o, category, asked));
}

fn fill_category(o: &mut Object, category: &str, asked: &Asked) {
    let (id, key, name) = category_of(category);
    o.text("self", format_args!("{}/rest/api/3/statuscategory/{id}", asked.base));
    o.int("id", id);
    o.text("key", key);
    o.text("name", name);
}

/// The category that a desk calls like this.
pub(super) fn category_of(category: &str) -> (i64, &'static str, &'static str) {
    let found = CATEGORIES.iter().find(|(_, key, _)| key.eq_ignore_ascii_case(category));
    *found.unwrap_or(&CATEGORIES[0])
}

/// Which fields an answer holds.
#[derive(Debug, Clone)]
pub(super) struct Fields {
    /// The id and nothing else, as a search answers by default.
    pub(super) bare: bool,
    all: bool,
    named: Vec<String>,
    without: Vec<String>,
}

impl Fields {
    /// Reads the `fields` parameter; `default` stands for an empty one.
    pub(super) fn read(words: &[String], default: &str) -> Self {
        let default = [default.to_owned()];
        let words = if words.is_empty() { &default[..] } else { words };
        Self {
            bare: words.iter().all(|word| word == "id"),
            all: words
                .iter()
                .any(|word| matches!(word.as_str(), "*all" | "*navigable") || word.starts_with('-')),
            named: words.to_vec(),
            without: words
                .iter()
                .filter_map(|word| word.strip_prefix('-').map(str::to_owned))
                .collect(),
        }
    }

    /// Whether nothing but id and key is asked for.
    pub(super) fn is_light(&self) -> bool {
        !self.all
            && self
                .named
                .iter()
                .all(|word| word == "id" || word == "key" || word == "issuekey")
    }

    /// Whether so little is asked for that a large batch is taken.
    pub(super) fn is_narrow(&self) -> bool {
        const HEAVY: &[&str] = &["comment", "worklog", "attachment", "issuelinks", "description", "environment"];
        !self.all && self.named.len() <= 10 && !self.named.iter().any(|word| HEAVY.contains(&word.as_str()))
    }

    fn holds(&self, field: &Field) -> bool {
        let heavy = matches!(field.id, "comment" | "worklog" | "attachment");
        let all = self.named.iter().any(|word| word == "*all" || word.starts_with('-'));
        let navigable = self.named.iter().any(|word| word == "*navigable") && !heavy;
        (all || navigable || self.named.iter().any(|word| word == field.id)) && !self.without.iter().any(|word| word == field.id)
    }
}
