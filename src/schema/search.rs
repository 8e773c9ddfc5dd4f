//! What a table that is read by JQL says about the search and about how its columns take part in it.

use std::sync::Arc;

use serde::Deserialize;

use super::{JsonPath, Table};

/// A table read by JQL, as it is written (`[read.search]`).
#[derive(Debug, Deserialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
#[serde(deny_unknown_fields)]
pub(super) struct SearchFile {
    /// Endpoint that takes the JQL, as `"POST /path"`. It only reads.
    pub call: String,
    /// Endpoint that takes ids or keys, as `"POST /path"`. It only reads.
    pub bulk: String,
    /// Column with the id of a row: what a search of ids gives and the bulk endpoint takes.
    pub id: String,
    /// Column with the key of a row, which the bulk endpoint takes as well.
    pub key: String,
    /// A clause that is true of every row: the site refuses a search without any.
    pub bound: String,
    /// Path of the object in a row whose members are the fields that are asked for.
    pub fields: String,
    /// Fields that every row has: one of them is asked for with each row, so that a row without any is known to be cut.
    pub always: Vec<String>,
    /// Rows of a page with fields, and with ids and keys alone.
    pub rows: usize,
    /// Rows of a page with ids and keys alone.
    pub light: usize,
    /// Rows of a batch.
    pub batch: usize,
    /// A larger batch that the site takes where little is asked for.
    pub narrow: NarrowFile,
}

/// When the site takes a larger batch.
#[derive(Debug, Deserialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
#[serde(deny_unknown_fields)]
pub(super) struct NarrowFile {
    /// Rows of such a batch.
    pub batch: usize,
    /// Most fields that may be asked for.
    pub fields: usize,
    /// Fields that are too much for it.
    pub without: Vec<String>,
}

/// How a column takes part in a search.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
pub(crate) enum JqlOp {
    /// `=` and `IN`; for a list, that it has a value.
    #[serde(rename = "=")]
    Equal,
    /// `!=` and `NOT IN`. Only where the literal means one value and no other: JQL compares names without case.
    #[serde(rename = "!=")]
    Unequal,
    /// `<`, `<=`, `>` and `>=`.
    #[serde(rename = "<")]
    Compare,
    /// `IS NULL`.
    #[serde(rename = "is empty")]
    Empty,
    /// `IS NOT NULL`.
    #[serde(rename = "is not empty")]
    NotEmpty,
}

/// How a value is written in JQL.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Deserialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
#[serde(rename_all = "lowercase")]
pub(crate) enum JqlLiteral {
    /// In quotes.
    #[default]
    Text,
    /// A whole number without quotes, which JQL takes for an id before it takes it for a name.
    Id,
    /// A number.
    Number,
    /// A day.
    Date,
    /// A moment: widened, since JQL reads it to the minute in the time zone of the caller.
    Moment,
}

/// The JQL side of a column.
#[derive(Debug, Clone)]
pub(crate) struct Jql {
    /// Field in JQL, quoted where it must be.
    pub(crate) field: String,
    pub(crate) ops: Vec<JqlOp>,
    /// Those of them that find no more than SQL wants.
    pub(crate) exact: Vec<JqlOp>,
    pub(crate) literal: JqlLiteral,
    /// Value → literal, where they differ. Other values are not sent.
    pub(crate) values: Vec<(String, String)>,
    /// The site sorts by it as SQL does.
    pub(crate) order: bool,
    /// A value that the site does not know may yet be that of some row.
    pub(crate) vague: bool,
}

impl Jql {
    pub(crate) fn takes(&self, op: JqlOp) -> bool {
        self.ops.contains(&op)
    }
}

/// Where the JQL of an input is looked up.
#[derive(Debug, Clone)]
pub(crate) struct Lookup {
    pub(crate) table: Arc<Table>,
    /// Column that has the value of the input.
    pub(crate) by: usize,
    /// Column that has the JQL.
    pub(crate) take: usize,
}

/// A table read by JQL.
#[derive(Debug, Clone)]
pub(crate) struct Search {
    pub(crate) call: Arc<str>,
    pub(crate) bulk: Arc<str>,
    pub(crate) id: usize,
    pub(crate) key: usize,
    pub(crate) bound: String,
    pub(crate) fields: JsonPath,
    pub(crate) always: Vec<String>,
    pub(crate) rows: usize,
    pub(crate) light: usize,
    pub(crate) batch: usize,
    pub(crate) narrow: usize,
    pub(crate) narrow_fields: usize,
    pub(crate) narrow_without: Vec<String>,
}

/// The path of `POST /path`, of an endpoint that takes everything in its body.
pub(super) fn post_path(call: &str) -> Result<Arc<str>, String> {
    match call.strip_prefix("POST ") {
        Some(path) if path.starts_with('/') && !path.contains(['{', '?']) => Ok(Arc::from(path)),
        _ => Err(format!("`{call}` is not of the form `POST /path`")),
    }
}

impl SearchFile {
    /// Checks it; `find` finds a column by name.
    pub(super) fn compile(&self, find: impl Fn(&str) -> Result<usize, String>) -> Result<Search, String> {
        let some = |name: &str, rows: usize| {
            if rows == 0 {
                Err(format!("`search.{name}` cannot be 0"))
            } else {
                Ok(rows)
            }
        };
        Ok(Search {
            call: post_path(&self.call)?,
            bulk: post_path(&self.bulk)?,
            id: find(&self.id)?,
            key: find(&self.key)?,
            bound: self.bound.clone(),
            fields: super::compile::json_path(&self.fields),
            always: self.always.clone(),
            rows: some("rows", self.rows)?,
            light: some("light", self.light)?,
            batch: some("batch", self.batch)?,
            narrow: some("narrow.batch", self.narrow.batch)?,
            narrow_fields: self.narrow.fields,
            narrow_without: self.narrow.without.clone(),
        })
    }
}
