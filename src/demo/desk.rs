//! The three service desks: their request types, fields, groups and queues; and what the site says about them.

use super::answer::{Answer, Asked};
use super::issue::Issue;
use super::json::{self, Array, Object};
use super::organization;
use super::page::page;
use super::person::CUSTOMERS;
use super::state::State;
use super::ticket::Ticket;

/// A service desk and its project.
#[derive(Debug, Clone)]
pub(super) struct Desk {
    pub(super) id: &'static str,
    pub(super) project_id: &'static str,
    pub(super) key: &'static str,
    pub(super) name: &'static str,
    pub(super) groups: &'static [(&'static str, &'static str)],
    pub(super) types: Vec<RequestType>,
    pub(super) queues: &'static [Queue],
    /// The statuses of the workflow, first to last: name and category.
    pub(super) statuses: &'static [(&'static str, &'static str)],
}

/// A request type.
#[derive(Debug, Clone)]
pub(super) struct RequestType {
    pub(super) id: String,
    pub(super) name: String,
    pub(super) description: String,
    pub(super) help: String,
    pub(super) groups: Vec<String>,
    pub(super) issue_type: &'static str,
    pub(super) practice: Option<&'static str>,
    pub(super) restricted: bool,
    /// Deleted: its requests remain.
    pub(super) gone: bool,
    pub(super) approval: bool,
    pub(super) fields: &'static [Field],
    /// What people ask for.
    pub(super) summaries: &'static [&'static str],
    /// Key and JSON of each property.
    pub(super) properties: Vec<(String, String)>,
}

/// A field of the form of a request type.
#[derive(Debug, Clone, Copy)]
pub(super) struct Field {
    pub(super) id: &'static str,
    pub(super) name: &'static str,
    pub(super) required: bool,
    pub(super) visible: bool,
    pub(super) kind: FieldKind,
}

/// What a field holds.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum FieldKind {
    Summary,
    Description,
    Attachment,
    /// Values to choose from: id and label.
    Select(&'static [(&'static str, &'static str)]),
    /// Values and their children.
    Cascade(&'static [(&'static str, &'static [&'static str])]),
    Number,
    Date,
    Person,
    Labels,
}

/// A saved search of agents.
#[derive(Debug, Clone, Copy)]
pub(super) struct Queue {
    pub(super) id: &'static str,
    pub(super) name: &'static str,
    pub(super) jql: &'static str,
    pub(super) fields: &'static [&'static str],
    /// The same search as a function.
    pub(super) holds: fn(&Ticket) -> bool,
}

const SUMMARY: Field = field("summary", "What do you need?", true, FieldKind::Summary);
const DESCRIPTION: Field = field("description", "Why do you need this?", false, FieldKind::Description);
const ATTACHMENT: Field = field("attachment", "Attachment", false, FieldKind::Attachment);
const SYSTEMS: &[(&str, &str)] = &[
    ("10101", "E-mail"),
    ("10102", "VPN"),
    ("10103", "\"Payroll\" & expenses"),
    ("10104", "Drucker / 印刷"),
];
const SITES: &[(&str, &[&str])] = &[("Berlin", &["Mitte", "Adlershof"]), ("Tokyo", &["Shibuya"]), ("Remote", &[])];
const HELP: &[Field] = &[
    SUMMARY,
    DESCRIPTION,
    ATTACHMENT,
    field("customfield_10201", "Affected system", true, FieldKind::Select(SYSTEMS)),
];
const ACCESS: &[Field] = &[
    SUMMARY,
    DESCRIPTION,
    field("customfield_10202", "For whom", true, FieldKind::Person),
    field("customfield_10203", "Until", false, FieldKind::Date),
    Field {
        visible: false,
        ..field("labels", "Labels", false, FieldKind::Labels)
    },
];
const HARDWARE: &[Field] = &[
    SUMMARY,
    DESCRIPTION,
    field("customfield_10204", "Cost in EUR", false, FieldKind::Number),
    field("customfield_10205", "Where", true, FieldKind::Cascade(SITES)),
];
const PLAIN: &[Field] = &[SUMMARY, DESCRIPTION, ATTACHMENT];
pub(super) const SHORT: &[Field] = &[SUMMARY];

const fn field(id: &'static str, name: &'static str, required: bool, kind: FieldKind) -> Field {
    Field {
        id,
        name,
        required,
        visible: true,
        kind,
    }
}

const HELP_SUMMARIES: &[&str] = &[
    "VPN drops every few minutes",
    "Outlook says \"cannot connect\"",
    "Drucker im 3. Stock druckt nur Hälfte",
    "印刷できません",
    "Laptop is slow after update",
    "No sound in video calls 🔇",
    "Wi-Fi password does not work",
];
const ACCESS_SUMMARIES: &[&str] = &[
    "Access to the finance share",
    "Admin rights for a test server",
    "Zugriff auf Jira-Projekt MKT",
    "Acceso al CRM",
];
const HARDWARE_SUMMARIES: &[&str] = &[
    "New laptop for a new colleague",
    "Second monitor 27\"",
    "Ergonomische Tastatur",
    "Headset, 100% wireless",
];
const PEOPLE_SUMMARIES: &[&str] = &[
    "Question about parental leave",
    "Wrong amount on payslip",
    "Änderung der Bankverbindung",
    "Demande d'attestation",
    "Change of address",
];
const LEAVE_SUMMARIES: &[&str] = &["Leave request for August", "Urlaub über Weihnachten", "有給休暇の申請"];
const ROOM_SUMMARIES: &[&str] = &[
    "Heating in room 4.12 is cold",
    "Light flickers in the stairwell",
    "Meeting room _Oslo_ smells",
    "Parking card lost",
    "Kitchen sink leaks",
];

/// The desks as the site begins with them.
pub(super) fn desks() -> Vec<Desk> {
    vec![
        Desk {
            id: "1",
            project_id: "10001",
            key: "ITSM",
            name: "IT Help",
            groups: &[("11", "Common requests"), ("12", "Accounts & access"), ("13", "Hardware")],
            types: vec![
                RequestType {
                    practice: Some("incident_management"),
                    ..request_type("101", "Get IT help", &["11"], HELP, HELP_SUMMARIES)
                },
                RequestType {
                    practice: Some("service_request"),
                    ..request_type("102", "Report a system problem", &["11", "12"], HELP, HELP_SUMMARIES)
                },
                RequestType {
                    approval: true,
                    practice: Some("service_request"),
                    properties: vec![
                        ("approval.policy".into(), r#"{"approvers":2,"unanimous":false}"#.into()),
                        ("form/id 7%".into(), r#""f-17""#.into()),
                    ],
                    ..request_type("103", "Request access", &["12"], ACCESS, ACCESS_SUMMARIES)
                },
                RequestType {
                    approval: true,
                    ..request_type("104", "Request new hardware", &["13"], HARDWARE, HARDWARE_SUMMARIES)
                },
                RequestType {
                    restricted: true,
                    ..request_type("105", "Set up an admin account", &["12"], ACCESS, ACCESS_SUMMARIES)
                },
                // Hidden in the portal: it belongs to no group.
                request_type("106", "E-mail request", &[], SHORT, HELP_SUMMARIES),
            ],
            queues: &[
                Queue {
                    id: "1001",
                    name: "All open",
                    jql: "project = ITSM AND resolution = Unresolved ORDER BY \"Time to resolution\" ASC",
                    fields: &[
                        "issuetype",
                        "issuekey",
                        "summary",
                        "status",
                        "priority",
                        "assignee",
                        "reporter",
                        "created",
                        "updated",
                    ],
                    holds: |ticket| ticket.is_open(),
                },
                Queue {
                    id: "1002",
                    name: "Unassigned",
                    jql: "project = ITSM AND assignee is EMPTY AND resolution = Unresolved ORDER BY created DESC",
                    fields: &["issuekey", "summary", "assignee", "created"],
                    holds: |ticket| ticket.is_open() && ticket.assignee.is_none(),
                },
                Queue {
                    id: "1003",
                    name: "Urgent",
                    jql: "project = ITSM AND priority in (Highest, High) AND resolution = Unresolved",
                    // Two of them are fields of this site alone.
                    fields: &[
                        "issuekey",
                        "summary",
                        "priority",
                        "status",
                        "customfield_10201",
                        "customfield_10301",
                    ],
                    holds: |ticket| ticket.is_open() && ticket.priority < 2,
                },
            ],
            statuses: &[
                ("Waiting for support", "NEW"),
                ("In progress", "INDETERMINATE"),
                ("Waiting for customer", "INDETERMINATE"),
                ("Resolved", "DONE"),
            ],
        },
        Desk {
            id: "2",
            project_id: "10002",
            key: "HR",
            name: "HR & People",
            groups: &[("21", "Pay"), ("22", "Leave")],
            types: vec![
                request_type("201", "Ask HR", &["21", "22"], PLAIN, PEOPLE_SUMMARIES),
                RequestType {
                    approval: true,
                    ..request_type("202", "Request leave", &["22"], PLAIN, LEAVE_SUMMARIES)
                },
                request_type("203", "Payroll question", &["21"], PLAIN, PEOPLE_SUMMARIES),
            ],
            queues: &[
                Queue {
                    id: "2001",
                    name: "Open",
                    jql: "project = HR AND statusCategory != Done",
                    fields: &["issuekey", "summary", "status", "reporter", "created"],
                    holds: |ticket| ticket.is_open(),
                },
                Queue {
                    id: "2002",
                    name: "Nobody's",
                    jql: "project = HR AND labels = never",
                    fields: &["issuekey"],
                    holds: |_| false,
                },
            ],
            // Sites with a workflow of their own have statuses without a category.
            statuses: &[
                ("Open", "UNDEFINED"),
                ("In review", "INDETERMINATE"),
                ("Waiting for customer", "INDETERMINATE"),
                ("Done", "DONE"),
            ],
        },
        Desk {
            id: "3",
            project_id: "10003",
            key: "FAC",
            name: "Facilities",
            groups: &[("31", "Buildings")],
            types: vec![
                request_type("301", "Something is broken", &["31"], PLAIN, ROOM_SUMMARIES),
                request_type("302", "Move a desk", &["31"], SHORT, ROOM_SUMMARIES),
            ],
            queues: &[Queue {
                id: "3001",
                name: "To do",
                jql: "project = FAC AND status = \"To do\"",
                fields: &["issuekey", "summary", "status", "assignee", "updated"],
                holds: |ticket| ticket.is_open(),
            }],
            statuses: &[
                ("To do", "NEW"),
                ("Scheduled", "INDETERMINATE"),
                ("Waiting for customer", "INDETERMINATE"),
                ("Done", "DONE"),
            ],
        },
    ]
}

pub(super) fn request_type(
    id: &str,
    name: &str,
    groups: &[&str],
    fields: &'static [Field],
    summaries: &'static [&'static str],
) -> RequestType {
    RequestType {
        id: id.to_owned(),
        name: name.to_owned(),
        description: format!("{name}: we answer within a day."),
        help: if id.ends_with('1') {
            "Please describe the problem in your own words.".to_owned()
        } else {
            String::new()
        },
        groups: groups.iter().map(|&group| group.to_owned()).collect(),
        issue_type: if id.ends_with('4') { "10012" } else { "10011" },
        practice: None,
        restricted: false,
        gone: false,
        approval: false,
        fields,
        summaries,
        properties: Vec::new(),
    }
}

/// Answers `/servicedesk/…`; `rest` are the segments after `servicedesk`.
pub(super) fn answer(state: &State, asked: &Asked, rest: &[&str]) -> Answer {
    let [id, rest @ ..] = rest else {
        let desks: Vec<&Desk> = state.desks.iter().filter(|desk| !state.is_business(desk)).collect();
        return page(asked, desks.len(), 50, |a, row| a.object(|o| fill_desk(o, desks[row], asked)));
    };
    let Some(desk) = find(state, id) else {
        return Answer::refuse(404, "The service desk ID you entered doesn't exist.");
    };
    match rest {
        [] => Answer::json(json::document(|o| fill_desk(o, desk, asked))),
        ["requesttypegroup"] => page(asked, desk.groups.len(), 50, |a, row| {
            let (id, name) = desk.groups[row];
            a.object(|o| {
                o.text("id", id);
                o.text("name", name);
            });
        }),
        ["requesttype", rest @ ..] => request_types(state, desk, asked, rest),
        ["queue", rest @ ..] => queues(state, desk, asked, rest),
        ["customer"] => {
            if !asked.experimental {
                return experimental();
            }
            let query = asked.one("query").unwrap_or_default();
            let found: Vec<usize> = customers(state, desk)
                .filter(|&person| state.people[person].matches(query))
                .collect();
            page(asked, found.len(), 50, |a, row| state.people[found[row]].push(a, asked))
        }
        ["organization"] => organization::list(state, asked, |organization| organization.desks.contains(&desk.id)),
        ["knowledgebase", "article"] => super::knowledge::answer(asked, Some(desk.key)),
        _ => super::route::unknown(asked),
    }
}

/// The refusal of an operation that was not opted into.
pub(super) fn experimental() -> Answer {
    Answer::refuse(
        412,
        "This API is experimental. To use it, set the header X-ExperimentalApi: opt-in.",
    )
}

/// Who may raise requests at a desk: every customer at some desks.
fn customers<'a>(state: &'a State, desk: &'a Desk) -> impl Iterator<Item = usize> + 'a {
    let step = match desk.id {
        "1" => 1,
        "2" => 2,
        _ => 5,
    };
    (0..state.people.len()).filter(move |&person| match state.customers.get(&(desk.id, person)) {
        Some(&is_customer) => is_customer,
        None => CUSTOMERS.contains(&person) && person % step == 0,
    })
}

/// A desk by any of the spellings of its id.
pub(super) fn find<'a>(state: &'a State, id: &str) -> Option<&'a Desk> {
    let (kind, value) = id.split_once(':').unwrap_or(("", id));
    let mut desks = state.desks.iter().filter(|desk| !state.is_business(desk));
    desks.find(|desk| match kind {
        "" => desk.id == value || desk.key == value,
        "projectKey" => desk.key == value,
        "projectId" => desk.project_id == value,
        "serviceDeskId" => desk.id == value,
        _ => false,
    })
}

/// The fields of a `ServiceDeskDTO`.
pub(super) fn fill_desk(o: &mut Object, desk: &Desk, asked: &Asked) {
    o.text("id", desk.id);
    o.text("projectId", desk.project_id);
    o.text("projectName", desk.name);
    o.text("projectKey", desk.key);
    o.text("projectTypeKey", "service_desk");
    o.object("_links", |o| {
        o.text(
            "self",
            format_args!("{}/rest/servicedeskapi/servicedesk/{}", asked.base, desk.id),
        )
    });
}

/// The fields of a `RequestTypeDTO`.
pub(super) fn fill_type(o: &mut Object, desk: &Desk, kind: &RequestType, asked: &Asked) {
    o.texts("_expands", ["field"]);
    o.text("id", &kind.id);
    o.object("_links", |o| {
        o.text(
            "self",
            format_args!(
                "{}/rest/servicedeskapi/servicedesk/{}/requesttype/{}",
                asked.base, desk.id, kind.id
            ),
        );
    });
    o.text("name", &kind.name);
    // Live sites send it; the API description does not know it.
    o.text("defaultName", &kind.name);
    o.text("description", &kind.description);
    o.text("helpText", &kind.help);
    o.text("issueTypeId", kind.issue_type);
    o.text("serviceDeskId", desk.id);
    o.text("portalId", desk.id);
    o.texts("groupIds", &kind.groups);
    o.object("icon", |o| {
        o.text("id", "10525");
        o.object("_links", |o| {
            o.object("iconUrls", |o| {
                for (size, name) in [
                    ("48x48", "large"),
                    ("24x24", "small"),
                    ("16x16", "xsmall"),
                    ("32x32", "medium"),
                ] {
                    o.text(
                        size,
                        format_args!(
                            "{}/secure/viewavatar?avatarType=SD_REQTYPE&size={name}&avatarId=10525",
                            asked.base
                        ),
                    );
                }
            });
        });
    });
    o.maybe("practice", kind.practice);
    o.text("restrictionStatus", if kind.restricted { "RESTRICTED" } else { "OPEN" });
    o.flag("canCreateRequest", !kind.restricted);
    if asked.expands("field") {
        o.object("fields", |o| fill_fields(o, kind, asked));
    }
}

/// The request types that a list answers with: the filters are the same for one desk and for all.
pub(super) fn list_types<'a>(asked: &Asked, all: impl Iterator<Item = (&'a Desk, &'a RequestType)>) -> Answer {
    let group = match asked.number("groupId") {
        Ok(group) => group.map(|group| group.to_string()),
        Err(refusal) => return refusal,
    };
    let search = asked
        .one("searchQuery")
        .map(str::to_lowercase)
        .filter(|text| !text.is_empty());
    let hidden_too = search.is_none() || asked.flag("includeHiddenRequestTypesInSearch", false);
    let restricted = match asked.one("restrictionStatus").map(str::to_ascii_lowercase).as_deref() {
        None => None,
        Some("open") => Some(false),
        Some("restricted") => Some(true),
        Some(other) => return Answer::refuse(400, format_args!("Unknown restriction status: {other}")),
    };
    let found: Vec<_> = all
        .filter(|(_, kind)| !kind.gone)
        .filter(|(_, kind)| group.as_ref().is_none_or(|group| kind.groups.contains(group)))
        .filter(|(_, kind)| restricted.is_none_or(|restricted| kind.restricted == restricted))
        .filter(|(_, kind)| hidden_too || !kind.groups.is_empty())
        .filter(|(_, kind)| {
            search.as_ref().is_none_or(|search| {
                let words = format!("{} {}", kind.name, kind.description).to_lowercase();
                words.split_whitespace().any(|word| word.starts_with(search.as_str()))
            })
        })
        .collect();
    page(asked, found.len(), 100, |a, row| {
        a.object(|o| fill_type(o, found[row].0, found[row].1, asked))
    })
}

fn request_types(state: &State, desk: &Desk, asked: &Asked, rest: &[&str]) -> Answer {
    let [id, rest @ ..] = rest else {
        return list_types(asked, desk.types.iter().map(|kind| (desk, kind)));
    };
    let Some(kind) = desk.types.iter().find(|kind| kind.id == *id && !kind.gone) else {
        return Answer::refuse(404, "The request type you are trying to access does not exist.");
    };
    match rest {
        [] => Answer::json(json::document(|o| fill_type(o, desk, kind, asked))),
        ["field"] => Answer::json(json::document(|o| fill_fields(o, kind, asked))),
        ["property", rest @ ..] => {
            if !asked.experimental {
                return experimental();
            }
            let at = format!(
                "{}/rest/servicedeskapi/servicedesk/{}/requesttype/{}",
                asked.base, desk.id, kind.id
            );
            super::organization::properties(&kind.properties, &at, rest)
        }
        _ => {
            let _ = state;
            super::route::unknown(asked)
        }
    }
}

fn fill_fields(o: &mut Object, kind: &RequestType, asked: &Asked) {
    let hidden_too = asked.expands("hiddenFields");
    o.array("requestTypeFields", |a| {
        for field in kind.fields.iter().filter(|field| field.visible || hidden_too) {
            a.object(|o| fill_field(o, field));
        }
    });
    o.flag("canRaiseOnBehalfOf", true);
    o.flag("canAddRequestParticipants", true);
}

fn fill_field(o: &mut Object, field: &Field) {
    o.text("fieldId", field.id);
    o.text("name", field.name);
    o.text("description", "");
    o.flag("required", field.required);
    o.array("defaultValues", |_| ());
    o.array("validValues", |a| match field.kind {
        FieldKind::Select(values) => values.iter().for_each(|&(id, label)| choice(a, id, label, &[])),
        FieldKind::Cascade(values) => {
            values
                .iter()
                .enumerate()
                .for_each(|(index, &(label, children))| choice(a, &format!("{}", 10_300 + index * 10), label, children));
        }
        _ => {}
    });
    if field.kind == FieldKind::Labels {
        o.texts("presetValues", ["portal"]);
    }
    o.object("jiraSchema", |o| {
        let (kind, items, custom) = match field.kind {
            FieldKind::Summary | FieldKind::Description => ("string", None, None),
            FieldKind::Attachment => ("array", Some("attachment"), None),
            FieldKind::Labels => ("array", Some("string"), None),
            FieldKind::Select(_) => ("option", None, Some("select")),
            FieldKind::Cascade(_) => ("option-with-child", None, Some("cascadingselect")),
            FieldKind::Number => ("number", None, Some("float")),
            FieldKind::Date => ("date", None, Some("datepicker")),
            FieldKind::Person => ("user", None, Some("userpicker")),
        };
        o.text("type", kind);
        o.maybe("items", items);
        match (
            custom,
            field.id.strip_prefix("customfield_").and_then(|number| number.parse().ok()),
        ) {
            (Some(custom), Some(number)) => {
                o.text(
                    "custom",
                    format_args!("com.atlassian.jira.plugin.system.customfieldtypes:{custom}"),
                );
                o.int("customId", number);
            }
            _ => o.text("system", field.id),
        }
    });
    o.flag("visible", field.visible);
}

fn choice(a: &mut Array, id: &str, label: &str, children: &[&str]) {
    a.object(|o| {
        o.text("value", id);
        o.text("label", label);
        o.array("children", |a| {
            children
                .iter()
                .enumerate()
                .for_each(|(index, child)| choice(a, &format!("{id}{index}"), child, &[]))
        });
    });
}

fn queues(state: &State, desk: &Desk, asked: &Asked, rest: &[&str]) -> Answer {
    let [id, rest @ ..] = rest else {
        return page(asked, desk.queues.len(), 50, |a, row| {
            a.object(|o| fill_queue(o, state, desk, &desk.queues[row], asked))
        });
    };
    let Some(queue) = desk.queues.iter().find(|queue| queue.id == *id) else {
        return Answer::refuse(404, "The queue you are trying to access does not exist.");
    };
    match rest {
        [] => Answer::json(json::document(|o| fill_queue(o, state, desk, queue, asked))),
        ["issue"] => {
            let tickets = in_queue(state, desk, queue);
            page(asked, tickets.len(), 50, |a, row| {
                let issue = Issue::new(state, tickets[row], state.ticket(tickets[row]));
                let custom = |field: &str| issue.custom(state, field);
                a.object(|o| issue.ticket.fill_issue(o, state, (queue.fields, &custom), asked));
            })
        }
        _ => super::route::unknown(asked),
    }
}

fn fill_queue(o: &mut Object, state: &State, desk: &Desk, queue: &Queue, asked: &Asked) {
    o.text("id", queue.id);
    o.text("name", queue.name);
    o.text("jql", queue.jql);
    o.texts("fields", queue.fields);
    if asked.flag("includeCount", false) {
        o.int("issueCount", in_queue(state, desk, queue).len() as i64);
    }
    o.object("_links", |o| {
        o.text(
            "self",
            format_args!(
                "{}/rest/servicedeskapi/servicedesk/{}/queue/{}",
                asked.base, desk.id, queue.id
            ),
        );
    });
}

fn in_queue(state: &State, desk: &Desk, queue: &Queue) -> std::sync::Arc<Vec<usize>> {
    state.list(&format!("queue {}", queue.id), |ticket| {
        state.desks[ticket.desk].id == desk.id && (queue.holds)(ticket)
    })
}
