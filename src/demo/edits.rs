//! What was written to an issue beyond the facts of a request: it stands before what chance says.

use std::collections::HashMap;

use serde_json::Value;

/// Id and name of a thing that the site knows.
pub(super) type Named = (&'static str, &'static str);

/// What was written to an issue. Nothing, until somebody writes.
#[derive(Debug, Clone, Default)]
pub(super) struct Edits {
    /// The issue was not made by chance: what it was not given it does not have.
    pub(super) blank: bool,
    /// It was created on the platform: it is no request.
    pub(super) issue_only: bool,
    /// The description as a document.
    pub(super) description: Option<Value>,
    pub(super) environment: Option<Value>,
    pub(super) labels: Option<Vec<String>>,
    pub(super) components: Option<Vec<Named>>,
    pub(super) fix_versions: Option<Vec<Named>>,
    pub(super) versions: Option<Vec<Named>>,
    /// Days since 1970.
    pub(super) due: Option<Option<i64>>,
    pub(super) level: Option<Option<Named>>,
    pub(super) issue_type: Option<Named>,
    /// Index of the issue that it is part of.
    pub(super) parent: Option<Option<usize>>,
    pub(super) resolution: Option<Named>,
    pub(super) watchers: Option<Vec<usize>>,
    pub(super) worklogs: Option<Vec<Worklog>>,
    /// Values of custom fields, by id.
    pub(super) custom: HashMap<&'static str, Value>,
}

/// Time somebody worked.
#[derive(Debug, Clone)]
pub(super) struct Worklog {
    pub(super) id: u64,
    pub(super) author: usize,
    pub(super) started: i64,
    pub(super) seconds: i64,
    /// What was done, as a document.
    pub(super) comment: Option<Value>,
    pub(super) created: i64,
    pub(super) updated: i64,
}

/// A link between two issues, given by their indices.
#[derive(Debug, Clone, Copy)]
pub(super) struct Link {
    pub(super) id: u64,
    /// Which of the types.
    pub(super) kind: usize,
    /// The issue that the link comes from, and the one that it leads to.
    pub(super) from: usize,
    pub(super) to: usize,
}

/// Types of links: id, name, and what they say of each end.
pub(super) const LINK_TYPES: [(&str, &str, &str, &str); 3] = [
    ("10000", "Blocks", "is blocked by", "blocks"),
    ("10001", "Duplicate", "is duplicated by", "duplicates"),
    ("10002", "Relates", "relates to", "relates to"),
];
