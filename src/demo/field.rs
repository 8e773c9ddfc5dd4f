//! The fields of issues: what `GET /rest/api/3/field` says, and how JQL looks at each.
//!
//! It holds the oddities of real sites: fields that share a name, names that are no identifiers, a field named like a built-in one,
//! types nobody has heard of. It knows no issue.

use super::answer::Answer;
use super::json::Object;

/// A field of issues.
#[derive(Debug, Clone, Copy)]
pub(super) struct Field {
    pub(super) id: &'static str,
    pub(super) name: &'static str,
    /// Names in JQL besides the display name of a custom field and `cf[…]`.
    pub(super) clauses: &'static [&'static str],
    /// `type`, `items` and `custom` (or `system`) of its schema; a few system fields have none.
    pub(super) schema: Option<(&'static str, Option<&'static str>, &'static str)>,
    pub(super) search: Search,
}

/// How JQL compares a field.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Search {
    /// Not at all.
    Never,
    /// By things the site knows: names and ids. What it does not know is refused.
    Thing,
    /// By values nobody declares, such as labels: what is unknown is nowhere.
    Word,
    Moment,
    Day,
    Number,
    /// By `~` alone.
    Text,
    /// By text as a whole.
    Whole,
}

impl Field {
    /// The number of a custom field.
    pub(super) fn number(&self) -> Option<i64> {
        self.id.strip_prefix("customfield_")?.parse().ok()
    }
}

const fn system(
    id: &'static str,
    name: &'static str,
    clauses: &'static [&'static str],
    kind: &'static str,
    items: Option<&'static str>,
    search: Search,
) -> Field {
    Field {
        id,
        name,
        clauses,
        schema: Some((kind, items, id)),
        search,
    }
}

const fn custom(
    id: &'static str,
    name: &'static str,
    kind: &'static str,
    items: Option<&'static str>,
    custom: &'static str,
    search: Search,
) -> Field {
    Field {
        id,
        name,
        clauses: &[],
        schema: Some((kind, items, custom)),
        search,
    }
}

macro_rules! plain {
    ($key:literal) => {
        concat!("com.atlassian.jira.plugin.system.customfieldtypes:", $key)
    };
}

/// Every field, in the order the site lists them.
pub(super) const FIELDS: &[Field] = &[
    Field {
        schema: None,
        ..system(
            "issuekey",
            "Key",
            &["id", "issue", "issuekey", "key"],
            "",
            None,
            Search::Thing,
        )
    },
    system("summary", "Summary", &["summary"], "string", None, Search::Text),
    system("description", "Description", &["description"], "string", None, Search::Text),
    system("environment", "Environment", &["environment"], "string", None, Search::Text),
    system("status", "Status", &["status"], "status", None, Search::Thing),
    Field {
        schema: None,
        ..system(
            "statusCategory",
            "Status Category",
            &["statusCategory"],
            "",
            None,
            Search::Thing,
        )
    },
    system(
        "issuetype",
        "Issue Type",
        &["issuetype", "type"],
        "issuetype",
        None,
        Search::Thing,
    ),
    system("project", "Project", &["project"], "project", None, Search::Thing),
    system("priority", "Priority", &["priority"], "priority", None, Search::Thing),
    system("resolution", "Resolution", &["resolution"], "resolution", None, Search::Thing),
    system("assignee", "Assignee", &["assignee"], "user", None, Search::Thing),
    system("reporter", "Reporter", &["reporter"], "user", None, Search::Thing),
    system("creator", "Creator", &["creator"], "user", None, Search::Thing),
    system("labels", "Labels", &["labels"], "array", Some("string"), Search::Word),
    system(
        "components",
        "Components",
        &["component"],
        "array",
        Some("component"),
        Search::Thing,
    ),
    system(
        "fixVersions",
        "Fix versions",
        &["fixVersion"],
        "array",
        Some("version"),
        Search::Thing,
    ),
    system(
        "versions",
        "Affects versions",
        &["affectedVersion"],
        "array",
        Some("version"),
        Search::Thing,
    ),
    Field {
        schema: None,
        ..system("parent", "Parent", &["parent"], "", None, Search::Thing)
    },
    system(
        "created",
        "Created",
        &["created", "createdDate"],
        "datetime",
        None,
        Search::Moment,
    ),
    system(
        "updated",
        "Updated",
        &["updated", "updatedDate"],
        "datetime",
        None,
        Search::Moment,
    ),
    system(
        "resolutiondate",
        "Resolved",
        &["resolutiondate", "resolved"],
        "datetime",
        None,
        Search::Moment,
    ),
    system("duedate", "Due date", &["due", "duedate"], "date", None, Search::Day),
    system(
        "timeestimate",
        "Remaining Estimate",
        &["remainingEstimate", "timeestimate"],
        "number",
        None,
        Search::Never,
    ),
    system("timespent", "Time Spent", &["timespent"], "number", None, Search::Number),
    system("votes", "Votes", &["votes"], "votes", None, Search::Number),
    system("watches", "Watchers", &["watchers"], "watches", None, Search::Number),
    system("security", "Security Level", &["level"], "securitylevel", None, Search::Thing),
    system(
        "attachment",
        "Attachment",
        &["attachments"],
        "array",
        Some("attachment"),
        Search::Never,
    ),
    system("comment", "Comment", &["comment"], "comments-page", None, Search::Text),
    system(
        "issuelinks",
        "Linked Issues",
        &["issueLink"],
        "array",
        Some("issuelinks"),
        Search::Never,
    ),
    system("worklog", "Log Work", &[], "array", Some("worklog"), Search::Never),
    Field {
        clauses: &["organizations"],
        ..custom(
            "customfield_10002",
            "Organizations",
            "array",
            Some("sd-customerorganization"),
            "com.atlassian.servicedesk:sd-customer-organizations",
            Search::Thing,
        )
    },
    custom(
        "customfield_10010",
        "Request Type",
        "sd-customerrequesttype",
        None,
        "com.atlassian.servicedesk:vp-origin",
        Search::Thing,
    ),
    custom(
        "customfield_10026",
        "Request participants",
        "array",
        Some("user"),
        "com.atlassian.servicedesk:sd-request-participants",
        Search::Thing,
    ),
    custom(
        "customfield_10027",
        "Satisfaction",
        "sd-feedback",
        None,
        "com.atlassian.servicedesk:sd-request-feedback",
        Search::Number,
    ),
    custom(
        "customfield_10028",
        "Satisfaction date",
        "datetime",
        None,
        "com.atlassian.servicedesk:sd-request-feedback-date",
        Search::Moment,
    ),
    custom(
        "customfield_10029",
        "Approvals",
        "sd-approvals",
        None,
        "com.atlassian.servicedesk.approvals-plugin:sd-approvals",
        Search::Never,
    ),
    custom(
        "customfield_10033",
        "Time to resolution",
        "sd-servicelevelagreement",
        None,
        "com.atlassian.servicedesk:sd-sla-field",
        Search::Never,
    ),
    custom(
        "customfield_10034",
        "Time to first response",
        "sd-servicelevelagreement",
        None,
        "com.atlassian.servicedesk:sd-sla-field",
        Search::Never,
    ),
    custom(
        "customfield_10036",
        "Time to done",
        "sd-servicelevelagreement",
        None,
        "com.atlassian.servicedesk:sd-sla-field",
        Search::Never,
    ),
    custom(
        "customfield_10035",
        "Request language",
        "sd-request-lang",
        None,
        "com.atlassian.servicedesk.servicedesk-lingo-integration-plugin:sd-request-language",
        Search::Never,
    ),
    custom(
        "customfield_10201",
        "Affected system",
        "option",
        None,
        plain!("select"),
        Search::Thing,
    ),
    custom(
        "customfield_10202",
        "For whom",
        "user",
        None,
        plain!("userpicker"),
        Search::Thing,
    ),
    custom("customfield_10203", "Until", "date", None, plain!("datepicker"), Search::Day),
    custom(
        "customfield_10204",
        "Cost in EUR",
        "number",
        None,
        plain!("float"),
        Search::Number,
    ),
    custom(
        "customfield_10205",
        "Where",
        "option-with-child",
        None,
        plain!("cascadingselect"),
        Search::Never,
    ),
    // Three fields whose names become the same identifier.
    custom("customfield_10301", "Impact", "option", None, plain!("select"), Search::Thing),
    custom("customfield_10302", "Impact", "number", None, plain!("float"), Search::Number),
    custom(
        "customfield_10303",
        "Impact!",
        "string",
        None,
        plain!("textfield"),
        Search::Text,
    ),
    custom(
        "customfield_10304",
        "Devices",
        "array",
        Some("option"),
        plain!("multiselect"),
        Search::Thing,
    ),
    custom(
        "customfield_10305",
        "Approver group",
        "group",
        None,
        plain!("grouppicker"),
        Search::Thing,
    ),
    custom(
        "customfield_10306",
        "Groups",
        "array",
        Some("group"),
        plain!("multigrouppicker"),
        Search::Thing,
    ),
    custom(
        "customfield_10307",
        "Reviewers",
        "array",
        Some("user"),
        plain!("multiuserpicker"),
        Search::Thing,
    ),
    custom(
        "customfield_10308",
        "Outage start",
        "datetime",
        None,
        plain!("datetime"),
        Search::Moment,
    ),
    custom(
        "customfield_10309",
        "Tags",
        "array",
        Some("string"),
        plain!("labels"),
        Search::Word,
    ),
    custom("customfield_10310", "Runbook", "string", None, plain!("url"), Search::Whole),
    custom(
        "customfield_10311",
        "Flags",
        "array",
        Some("option"),
        plain!("multicheckboxes"),
        Search::Thing,
    ),
    custom("customfield_10312", "Notes", "string", None, plain!("textarea"), Search::Text),
    custom(
        "customfield_10313",
        "Affected assets",
        "array",
        Some("cmdb-object-field"),
        "com.atlassian.jira.plugins.cmdb:cmdb-object-cftype",
        Search::Never,
    ),
    custom(
        "customfield_10314",
        "Development",
        "any",
        None,
        "com.atlassian.jira.plugins.jira-development-integration-plugin:devsummarycf",
        Search::Never,
    ),
    custom(
        "customfield_10315",
        "Rank",
        "any",
        None,
        "com.pyxis.greenhopper.jira:gh-lexo-rank",
        Search::Never,
    ),
    // A number that is not always one.
    custom("customfield_10316", "Effort", "number", None, plain!("float"), Search::Number),
    // Named like a built-in field.
    custom(
        "customfield_10317",
        "Status",
        "string",
        None,
        plain!("textfield"),
        Search::Text,
    ),
    custom(
        "customfield_10318",
        "備考 2",
        "string",
        None,
        plain!("textfield"),
        Search::Text,
    ),
    custom(
        "customfield_10319",
        "§§",
        "option",
        None,
        plain!("radiobuttons"),
        Search::Thing,
    ),
];

/// The fields that a name means in JQL: several where custom fields share it.
pub(super) fn by_clause(name: &str) -> Vec<&'static Field> {
    if let Some(number) = name.strip_prefix("cf[").and_then(|rest| rest.strip_suffix(']')) {
        return FIELDS
            .iter()
            .filter(|field| field.number().is_some_and(|own| own.to_string() == number))
            .collect();
    }
    let system: Vec<_> = FIELDS
        .iter()
        .filter(|field| field.clauses.iter().any(|clause| clause.eq_ignore_ascii_case(name)))
        .collect();
    if !system.is_empty() {
        return system;
    }
    FIELDS
        .iter()
        .filter(|field| field.number().is_some() && field.name.eq_ignore_ascii_case(name))
        .collect()
}

/// `GET /rest/api/3/field`: a bare array. `more` made-up text fields follow.
pub(super) fn list(more: usize, odd: bool) -> Answer {
    Answer::json(super::json::list(|a| {
        if odd {
            a.raw("null");
            a.object(|o| o.text("name", "Of an app that is gone"));
            a.object(|o| {
                o.text("id", "customfield_10398");
                o.raw("name", "null");
                o.object("schema", |o| {
                    o.raw("type", "null");
                    o.text("customId", "10398");
                });
            });
            FIELDS.iter().rev().take(1).for_each(|field| a.object(|o| fill(o, field)));
        }
        for field in FIELDS {
            a.object(|o| fill(o, field));
        }
        for nth in 0..more {
            a.object(|o| {
                o.text("id", format_args!("customfield_{}", 20_000 + nth));
                o.text("key", format_args!("customfield_{}", 20_000 + nth));
                // Fifty share each name.
                o.text("name", format_args!("Extra {}", nth / 50));
                o.flag("custom", true);
                o.flag("searchable", true);
                o.texts("clauseNames", [format!("cf[{}]", 20_000 + nth)]);
                o.object("schema", |o| {
                    o.text("type", "string");
                    o.text("custom", plain!("textfield"));
                    o.int("customId", 20_000 + nth as i64);
                });
            });
        }
    }))
}

fn fill(o: &mut Object, field: &Field) {
    o.text("id", field.id);
    o.text("key", field.id);
    o.text("name", field.name);
    if field.number().is_some() {
        o.text("untranslatedName", field.name);
    }
    o.flag("custom", field.number().is_some());
    o.flag("orderable", true);
    o.flag("navigable", true);
    o.flag("searchable", field.search != Search::Never);
    o.array("clauseNames", |a| {
        field.clauses.iter().for_each(|clause| a.text(clause));
        if let Some(number) = field.number() {
            a.text(format_args!("cf[{number}]"));
            a.text(field.name);
        }
    });
    if let Some((kind, items, key)) = field.schema {
        o.object("schema", |o| {
            o.text("type", kind);
            o.maybe("items", items);
            match field.number() {
                Some(number) => {
                    o.text("custom", key);
                    o.int("customId", number);
                }
                None => o.text("system", key),
            }
        });
    }
}
