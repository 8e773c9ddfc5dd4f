//! A schema file as it is written: the serde mirror of the TOML vocabulary, and nothing more.
//!
//! Nothing is checked here beyond the spelling of keys (`deny_unknown_fields`) and the types of values; what the words mean is
//! decided in [`compile`](super::compile). The doc comments of this file become `schemas/schema.json`.

use indexmap::IndexMap;
use serde::Deserialize;

use super::custom::CustomFile;
use super::operation_file::{FormFile, OperationFile};
use super::search::{JqlLiteral, JqlOp, SearchFile};

/// One table of the site.
#[derive(Debug, Deserialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
#[serde(deny_unknown_fields)]
pub(super) struct TableFile {
    /// What a row is, and what the reader must know: defaults of the API, who sees which rows.
    pub doc: String,
    /// How rows are read.
    pub read: ReadFile,
    /// Columns in the order of `SELECT *`.
    pub columns: IndexMap<String, ColumnFile>,
    /// Columns made from the fields of the site.
    #[serde(default)]
    pub custom: Option<CustomFile>,
    /// What INSERT does for each row.
    #[serde(default)]
    pub insert: Option<OperationFile>,
    /// What UPDATE does for each row. Several operations share the columns: each is sent when one of its columns is assigned.
    #[serde(default)]
    pub update: OneOrMany<OperationFile>,
    /// What DELETE does for each row.
    #[serde(default)]
    pub delete: Option<OperationFile>,
    /// Statements shown in the documentation and run by the tests.
    #[serde(default)]
    pub examples: Vec<ExampleFile>,
}

/// How the rows of a table are read.
#[derive(Debug, Deserialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
#[serde(deny_unknown_fields)]
pub(super) struct ReadFile {
    /// Endpoints that list rows, as `"GET /path/{column}"`. The narrowest one whose placeholders are bound is used.
    #[serde(default)]
    pub list: OneOrMany<ListFile>,
    /// Endpoints that return one row by its key. A 404 means: no such row.
    #[serde(default)]
    pub get: OneOrMany<String>,
    /// Query parameters sent with every request of the table.
    #[serde(default)]
    pub query: IndexMap<String, String>,
    /// Paging, where it differs from the folder's `_api.toml`.
    #[serde(default)]
    pub page: PageFile,
    /// Arrays (or single objects) inside a row whose elements are the rows of this table: label = path.
    #[serde(default)]
    pub each: IndexMap<String, String>,
    /// Where a parent's list carries the rows of this table.
    #[serde(default)]
    pub embed: Option<EmbedFile>,
    /// Columns that tell the rows of a list apart where the key does not. Without it the key is unique.
    #[serde(default)]
    pub identity: Vec<String>,
    /// What tells the rows of a list apart does so on the whole site: lists that share a row are those of one parent.
    #[serde(default)]
    pub sitewide: bool,
    /// The rows are found by JQL.
    #[serde(default)]
    pub search: Option<SearchFile>,
    /// A row of the parent with this value in that column has no rows here: column = value.
    #[serde(default)]
    pub unless: IndexMap<String, String>,
    /// A `get` that answers 404 misses nothing: the parent is there without it.
    #[serde(default)]
    pub optional: bool,
}

/// A list endpoint: the call alone, or with the filters it does not take.
#[derive(Debug, Deserialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
#[serde(untagged)]
pub(super) enum ListFile {
    /// `"GET /path/{column}"`.
    Call(String),
    /// The call and its peculiarities.
    Detailed(ListDetail),
}

/// A list endpoint with peculiarities.
#[derive(Debug, Deserialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
#[serde(deny_unknown_fields)]
pub(super) struct ListDetail {
    /// `"GET /path/{column}"`.
    pub call: String,
    /// Columns whose `push` this endpoint does not take.
    #[serde(default)]
    pub ignores: Vec<String>,
}

/// Rows carried by the parent's list.
#[derive(Debug, Deserialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
#[serde(deny_unknown_fields)]
pub(super) struct EmbedFile {
    /// Value of the parent's `expand` parameter that brings the rows.
    pub expand: Option<String>,
    /// Field of the parent that has the rows, where the parent is asked for fields.
    pub field: Option<String>,
    /// Path of the embedded page inside a row of the parent.
    pub at: String,
    /// Path of the array of rows inside of it, where it differs from `page.rows`.
    pub rows: Option<String>,
    /// Where the rows of many rows of the parent are had at once, and whole.
    pub bulk: Option<EmbedBulkFile>,
}

/// An endpoint that takes ids of the parent's rows and answers what they carry, in pages with tokens. It only reads.
#[derive(Debug, Deserialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
#[serde(deny_unknown_fields)]
pub(super) struct EmbedBulkFile {
    /// `"POST /path"`.
    pub call: String,
    /// Ids that a request takes.
    pub batch: usize,
    /// Carried rows of a page.
    pub max: usize,
    /// Member of the answer with an object for each row of the parent.
    pub parents: String,
    /// Member of such an object with the id of the row of the parent.
    pub parent: String,
    /// Member of such an object with the carried rows. One parent may come in several pages.
    pub rows: String,
    /// Member of a carried row that tells it apart from the others of its parent.
    pub id: String,
}

/// How a list is paged. Every word has a folder-wide value in `_api.toml`.
#[derive(Debug, Clone, Default, Deserialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
#[serde(deny_unknown_fields)]
pub(super) struct PageFile {
    /// How to get the next page.
    pub style: Option<PageStyle>,
    /// Path of the array of rows; `""` is the answer itself.
    pub rows: Option<String>,
    /// Query parameter for the offset of the first row.
    pub start: Option<String>,
    /// Query parameter for the number of rows.
    pub limit: Option<String>,
    /// Path of the boolean that says: this is the last page.
    pub last: Option<String>,
    /// Path of the link to the next page, or of its token.
    pub next: Option<String>,
    /// Path of the number of all rows, where a page says that instead of whether it is the last.
    pub total: Option<String>,
    /// How many rows to ask for at most.
    pub max: Option<usize>,
    /// Where a row moves to that changes; left out: it keeps its place.
    pub moves: Option<Moves>,
}

/// Where a row of a list moves to that changes.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
#[serde(rename_all = "lowercase")]
pub(crate) enum Moves {
    /// To the front: the list is sorted by latest activity.
    Front,
    /// To any place: the list is sorted by what may change. Lists of several pages are read twice.
    Anywhere,
}

/// The ways to get the next page.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
#[serde(rename_all = "lowercase")]
pub(crate) enum PageStyle {
    /// An offset and a number of rows; pages can be asked for in parallel.
    Offset,
    /// The server's link to the next page is followed, on the same origin only.
    Link,
    /// There is one answer and no page.
    Single,
    /// A bare array that says nothing about itself: the list ends with an empty one.
    Array,
    /// The answer has a token that asks for the next page.
    Token,
}

/// One column.
#[derive(Debug, Clone, Default, Deserialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
#[serde(deny_unknown_fields)]
pub(super) struct ColumnFile {
    /// Type of the values.
    #[serde(rename = "type")]
    pub kind: KindFile,
    /// One sentence: meaning, unit, when it is NULL.
    pub doc: String,
    /// Path of the value in a row (`a.b`); several paths: the first with a value. `../a` is the enclosing object, `@each` the
    /// label of `read.each`. Default: the name in camelCase; for a column with `parent`, the value sent in the request.
    pub from: Option<OneOrMany<String>>,
    /// Part of the key. Never NULL.
    #[serde(default)]
    pub key: bool,
    /// `table.column` whose values this column takes: a row belongs to a row of that table.
    pub parent: Option<String>,
    /// `table.column` that this column refers to (shown in `sys.keys`), where it is no parent.
    pub references: Option<String>,
    /// Filter-only: sent to the site when bound by `=` or IN and echoed in the row; otherwise NULL.
    #[serde(default)]
    pub input: bool,
    /// An input without which the site does not answer.
    #[serde(default)]
    pub required: bool,
    /// How an equality on this column reaches the site.
    pub push: Option<PushFile>,
    /// Values the column can have, where the API names them. Other values of a response are kept as they are.
    #[serde(default)]
    pub one_of: Vec<String>,
    /// What a value must look like to be sent: anything else cannot match a row.
    pub format: Option<FormatFile>,
    /// How the JSON value becomes the column's value.
    pub codec: Option<CodecFile>,
    /// The value is an object, or a list of objects, of which the first of these members that is there is taken.
    #[serde(default)]
    pub pick: Vec<String>,
    /// `custom` key of the schema of the field of the site that has the value; `from` is then within the value of the field.
    pub custom: Option<String>,
    /// Entity property that has the value; asked for only when the column is selected.
    pub property: Option<String>,
    /// Value of the `expand` parameter needed for this column; sent only when the column is selected.
    pub expand: Option<String>,
    /// Query parameters sent only when the column is selected.
    #[serde(default)]
    pub ask: IndexMap<String, String>,
    /// Only the `get` endpoint carries this column: rows are read one by one when it is selected.
    #[serde(default)]
    pub detail: bool,
    /// For `type = "user"`: do not prefix the columns with this column's name.
    #[serde(default)]
    pub flatten: bool,
    /// The connection option `ServiceDeskID` is the default filter of this column.
    #[serde(default)]
    pub desk: bool,
    /// Only ever written: NULL in every row that is read, and no filter.
    #[serde(default)]
    pub write_only: bool,
    /// Most characters of a value that is written, where the API names a limit.
    pub max_chars: Option<usize>,
    /// For `custom.types`: how the value is written. Without it such fields are only read.
    pub write: Option<FormFile>,
}

/// How an equality reaches the site.
#[derive(Debug, Clone, Default, Deserialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
#[serde(deny_unknown_fields)]
pub(super) struct PushFile {
    /// Query parameter that takes the value.
    pub query: Option<String>,
    /// The parameter may be repeated, so that IN is one request.
    #[serde(default)]
    pub repeat: bool,
    /// `value = "parameter=value"`, where the site spells a value differently. Other values are not pushed.
    #[serde(default)]
    pub when: IndexMap<String, String>,
    /// Sent when the column is not bound, where the site insists on the parameter.
    pub default: Option<String>,
    /// The parameter is only taken together with these columns: bound to anything (`""`) or to the value named.
    #[serde(default)]
    pub with: IndexMap<String, String>,
    /// Field in JQL that has the value.
    pub jql: Option<String>,
    /// Predicates that JQL answers with all the rows, at least, that SQL wants.
    #[serde(default)]
    pub ops: Vec<JqlOp>,
    /// Those of `ops` that JQL answers with just the rows that SQL wants: they need no second look.
    #[serde(default)]
    pub exact: Vec<JqlOp>,
    /// How a value is written in JQL.
    #[serde(default, rename = "as")]
    pub literal: JqlLiteral,
    /// `value = "literal"`, where JQL spells a value differently. Other values are not sent.
    #[serde(default)]
    pub values: IndexMap<String, String>,
    /// JQL sorts by the field as SQL does: it is never NULL and no text.
    #[serde(default)]
    pub order: bool,
    /// A value that the site does not know may yet be that of some row: the predicate is then not sent.
    #[serde(default)]
    pub vague: bool,
    /// The value is itself JQL.
    #[serde(default)]
    pub raw: bool,
    /// The JQL is that of the row of another table: `table.column` that has the value.
    pub lookup: Option<String>,
    /// Column of that table with the JQL.
    pub take: Option<String>,
}

/// Types of columns.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Deserialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
#[serde(rename_all = "lowercase")]
pub(super) enum KindFile {
    /// UTF-8 text; numbers of the response are kept as written.
    #[default]
    Text,
    /// True or false.
    Boolean,
    /// 64-bit integer.
    Bigint,
    /// 64-bit floating point.
    Double,
    /// Milliseconds since 1970 in UTC; from a date object, an ISO 8601 text or epoch milliseconds.
    Timestamp,
    /// A day.
    Date,
    /// JSON as text, with the extension type `arrow.json`.
    Json,
    /// List of texts.
    List,
    /// A user object: five columns (`account_id`, `display_name`, `email_address`, `active`, `time_zone`).
    User,
}

/// What a value must look like to be sent.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
#[serde(rename_all = "snake_case")]
pub(super) enum FormatFile {
    /// A canonical whole number that fits 64 bits.
    Integer,
    /// `PROJ-123`.
    IssueKey,
}

/// How a JSON value becomes the value of a column.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
#[serde(rename_all = "snake_case")]
pub(super) enum CodecFile {
    /// The last segment of a URL: ids that the API only gives inside links.
    UrlTail,
    /// In lower case: keys that another API of the site writes so.
    LowerCase,
    /// A document in the Atlassian Document Format as plain text.
    Adf,
    /// A moment as text, or as a number of milliseconds or, below 10¹¹, of seconds since 1970. For moments after 1973 alone.
    Epoch,
    /// A cascading choice as `parent / child`.
    Cascade,
    /// Whether the ongoing cycle of an SLA, or else the last one, was missed.
    SlaBreached,
    /// Working time that remains of that cycle, in milliseconds; negative when it was missed.
    SlaRemaining,
    /// When the goal of that cycle is or was missed.
    SlaBreachTime,
    /// Working time that the last completed cycle took, in milliseconds.
    SlaCompleted,
}

/// A statement for the documentation.
#[derive(Debug, Clone, Deserialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
#[serde(deny_unknown_fields)]
pub(super) struct ExampleFile {
    /// What the statement answers.
    pub doc: String,
    /// The statement.
    pub sql: String,
}

/// Defaults of a folder of schema files (`_api.toml`).
#[derive(Debug, Deserialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
#[serde(deny_unknown_fields)]
pub(super) struct ApiFile {
    /// What the API is.
    #[expect(dead_code, reason = "for the readers of the file")]
    pub doc: String,
    /// The `deploymentType` of the sites that have these endpoints, where not every kind of Jira does.
    pub deployment: Option<String>,
    /// Headers sent with every request.
    #[serde(default)]
    pub headers: IndexMap<String, String>,
    /// Query parameter that carries the connection option `RequestLanguage`.
    pub language: Option<String>,
    /// OAuth scopes of Atlassian Cloud: beginning of a path, where `{}` is any segment = scopes. The longest that fits decides.
    #[serde(default)]
    pub scopes: IndexMap<String, ScopeFile>,
    /// Paging of the lists.
    pub page: PageFile,
}

/// The classic scopes of requests to one part of an API.
#[derive(Debug, Clone, Deserialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
#[serde(deny_unknown_fields)]
pub(super) struct ScopeFile {
    /// To read.
    pub read: String,
    /// To change something.
    pub write: String,
}

/// One value or several.
#[derive(Debug, Clone, Deserialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
#[serde(untagged)]
pub(super) enum OneOrMany<T> {
    /// One value.
    One(T),
    /// Several values.
    Many(Vec<T>),
}

impl<T> Default for OneOrMany<T> {
    fn default() -> Self {
        Self::Many(Vec::new())
    }
}

impl<T> OneOrMany<T> {
    /// The values in order.
    pub(super) fn iter(&self) -> std::slice::Iter<'_, T> {
        match self {
            Self::One(value) => std::slice::from_ref(value).iter(),
            Self::Many(values) => values.iter(),
        }
    }
}
