//! Operations that write, and procedures, as a schema file writes them: the serde mirror, and nothing more.
//!
//! As in [`file`](super::file) nothing is checked here; the doc comments become part of `schemas/schema.json`.

use indexmap::IndexMap;
use serde::Deserialize;

use super::file::{ColumnFile, ExampleFile, OneOrMany};

/// One endpoint that is called for rows that are written, or by a procedure. "Column" means a parameter there.
#[derive(Debug, Deserialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
#[serde(deny_unknown_fields)]
pub(super) struct OperationFile {
    /// `"METHOD /path/{column}"`. The columns of the path must be given.
    pub call: String,
    /// Further columns that must be given and not be NULL.
    #[serde(default)]
    pub required: Vec<String>,
    /// Where columns go in the JSON body: column = dotted path, `""` for the body itself. INSERT leaves NULL out, UPDATE sends it.
    #[serde(default)]
    pub body: IndexMap<String, PlaceFile>,
    /// Columns that are sent as query parameters: column = parameter.
    #[serde(default)]
    pub query: IndexMap<String, String>,
    /// The endpoint takes a list: rows that agree in everything else share a request.
    pub list: Option<BatchFile>,
    /// Columns whose value the site is asked for first: by a name, or where they are not given.
    #[serde(default)]
    pub find: IndexMap<String, FindFile>,
    /// Lists of columns: exactly one of each list must be given.
    #[serde(default)]
    pub either: Vec<Vec<String>>,
    /// The endpoint that takes several rows, each with the body that it has alone.
    pub bulk: Option<BulkFile>,
    /// Where the custom fields of the site go in the body; `{id}` stands for the id of the field.
    pub custom: Option<String>,
    /// Rich text of custom fields is sent as plain text, not as a document.
    #[serde(default)]
    pub plain_text: bool,
    /// Where the answer has the rows: `""` is the answer itself. Without it the answer is not read.
    pub answer: Option<String>,
    /// The answer has the key and little else: what it leaves out is what was sent.
    #[serde(default)]
    pub brief: bool,
    /// Status of an answer that shows a row which was there before: the operation has made nothing.
    pub existed: Option<u16>,
    /// The answer is a page of the table's rows, as they are after the change: a row that it does not bear out has not come about.
    #[serde(default)]
    pub shows: bool,
    /// What to do next when the site refuses a row as malformed.
    pub hint: Option<String>,
}

/// Where a column goes in the body: the path alone, or with its peculiarities.
#[derive(Debug, Deserialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
#[serde(untagged)]
pub(super) enum PlaceFile {
    /// A dotted path.
    At(String),
    /// The path and its peculiarities.
    Detailed(PlaceDetail),
}

/// A place in the body with peculiarities.
#[derive(Debug, Deserialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
#[serde(deny_unknown_fields)]
pub(super) struct PlaceDetail {
    /// A dotted path; `""` is the body itself.
    pub at: String,
    /// How the value is written, where the type of the column does not say it.
    #[serde(default, rename = "as")]
    pub encoding: EncodingFile,
    /// The value, or each of a list, is sent as an object that has it under this name.
    pub member: Option<String>,
    /// What is sent when the column is not given.
    pub default: Option<String>,
    /// Column whose value is sent when this one is not given.
    #[serde(rename = "or")]
    pub otherwise: Option<String>,
    /// `value = "JSON"`, where the site spells a value differently. There are no other values then.
    #[serde(default)]
    pub values: IndexMap<String, String>,
}

/// How the value of a custom field is written.
#[derive(Debug, Clone, Default, Deserialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
#[serde(deny_unknown_fields)]
pub(super) struct FormFile {
    /// As in the body of an operation.
    #[serde(default, rename = "as")]
    pub encoding: EncodingFile,
    /// The value, or each of a list, is sent as an object that has it under this name.
    pub member: Option<String>,
}

/// How a value is written into a body.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Deserialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
#[serde(rename_all = "snake_case")]
pub(super) enum EncodingFile {
    /// As the type of the column says.
    #[default]
    Plain,
    /// Text as a number, lists of texts as lists of numbers.
    Number,
    /// A JSON object of field values; also the list of `{fieldId, value}` that reading gives.
    Fields,
    /// Text as a document in the Atlassian Document Format, a paragraph for each line; such a document as it is.
    Adf,
    /// `parent / child` as a choice and the choice below it.
    Cascade,
}

/// A list of values in one request.
#[derive(Debug, Deserialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
#[serde(deny_unknown_fields)]
pub(super) struct BatchFile {
    /// Column whose values make the list.
    pub column: String,
    /// Path of the list in the body.
    pub at: String,
    /// Most values in a request.
    pub max: usize,
}

/// Several rows in one request.
#[derive(Debug, Deserialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
#[serde(deny_unknown_fields)]
pub(super) struct BulkFile {
    /// `"METHOD /path"`.
    pub call: String,
    /// Member of the body with the list of rows.
    pub at: String,
    /// Most rows in a request.
    pub max: usize,
    /// Member of the answer with what came of the rows that were taken, in their order.
    pub rows: String,
    /// Member of the answer with what is wrong with the others.
    pub errors: String,
    /// Member of an error with the number of its row, from 0.
    pub number: String,
    /// Member of an error with the words of the site.
    pub words: String,
}

/// How the site is asked for a value.
#[derive(Debug, Deserialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
#[serde(deny_unknown_fields)]
pub(super) struct FindFile {
    /// The table that is read.
    pub table: String,
    /// Which of its rows: column of that table = column here.
    pub bind: IndexMap<String, String>,
    /// Column that says which row, instead of the column itself: asked for only where the column is not given.
    pub given: Option<String>,
    /// Columns of that table that may equal what was given, in order of preference. Without them the value is asked for where none was given.
    #[serde(default)]
    pub by: Vec<String>,
    /// Column of that table whose value is sent.
    pub take: String,
    /// What to do where several rows of that table fit.
    pub several: Option<String>,
    /// Column of that table that is false where the row cannot be taken now.
    pub possible: Option<String>,
    /// A row that has the given value already needs no operation: where the value is not found, the row itself is looked at.
    #[serde(default)]
    pub already: bool,
}

/// One procedure.
#[derive(Debug, Deserialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
#[serde(deny_unknown_fields)]
pub(super) struct ProcedureFile {
    /// What it does, and what the caller must know.
    pub doc: String,
    /// It changes nothing on the site although it is no GET.
    #[serde(default)]
    pub reads: bool,
    /// Parameters in the order of positional arguments.
    pub parameters: IndexMap<String, ParameterFile>,
    /// What is called, step by step. The answer of the last step is the result.
    #[serde(default)]
    pub execute: OneOrMany<StepFile>,
    /// Writes a schema file instead of calling the site.
    pub schema: Option<LocalFile>,
    /// Asks the authorization server of the connection instead of the site; parameters and result have the names that each word says.
    pub oauth: Option<GrantFile>,
    /// Columns of the result. `from = "@parameter"` is the value of a parameter.
    pub result: IndexMap<String, ColumnFile>,
    /// What the answer shows of what was sent: result column = parameter. What it shows otherwise is told.
    #[serde(default)]
    pub repeats: IndexMap<String, String>,
    /// Arrays inside the answer whose elements are the rows: label = path.
    #[serde(default)]
    pub each: IndexMap<String, String>,
    /// An answer without elements of `each` is one row all the same.
    #[serde(default)]
    pub at_least_one: bool,
    /// Statements shown in the documentation and run by the tests.
    #[serde(default)]
    pub examples: Vec<ExampleFile>,
}

/// One parameter of a procedure.
#[derive(Debug, Deserialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
#[serde(deny_unknown_fields)]
pub(super) struct ParameterFile {
    /// Type of the values.
    #[serde(rename = "type")]
    pub kind: super::file::KindFile,
    /// What it means.
    pub doc: String,
    /// It must be given.
    #[serde(default)]
    pub required: bool,
    /// Value where it is not given, for the documentation: the site's own default.
    pub default: Option<String>,
    /// The values it may have.
    #[serde(default)]
    pub one_of: Vec<String>,
    /// What a value must look like.
    pub format: Option<super::file::FormatFile>,
    /// Most characters of a value.
    pub max_chars: Option<usize>,
    /// Its value is shown in no plan and no log.
    #[serde(default)]
    pub secret: bool,
}

/// One step of a procedure: an operation, and what is special about it.
#[derive(Debug, Deserialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
#[serde(deny_unknown_fields)]
pub(super) struct StepFile {
    /// The operation.
    pub operation: OperationFile,
    /// Only when one of these parameters is given (and not false).
    #[serde(default)]
    pub when: OneOrMany<String>,
    /// Only when none of these parameters is given.
    #[serde(default)]
    pub unless: OneOrMany<String>,
    /// The body is a file.
    pub upload: Option<UploadFile>,
    /// Values of the answer that become parameters of the next steps: parameter = path.
    #[serde(default)]
    pub into: IndexMap<String, String>,
    /// The answer is a file, kept under the name in this parameter.
    pub save: Option<String>,
    /// What is known about that file: it must be what comes.
    pub expect: Option<ExpectFile>,
    /// The answer is a text, not JSON; it is taken whole by the result column of this name.
    pub text: Option<String>,
    /// Statuses besides 2xx whose body is an answer.
    #[serde(default)]
    pub accepts: Vec<u16>,
}

/// A row that describes a file.
#[derive(Debug, Deserialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
#[serde(deny_unknown_fields)]
pub(super) struct ExpectFile {
    /// The table that has it.
    pub table: String,
    /// Which of its rows: column of that table = parameter.
    pub bind: IndexMap<String, String>,
    /// Column of that table with the number of bytes.
    pub size: String,
    /// Column of that table with the media type.
    pub media_type: String,
    /// Column of that table with the name of the file.
    pub name: String,
}

/// A file that is sent.
#[derive(Debug, Deserialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
#[serde(deny_unknown_fields)]
pub(super) struct UploadFile {
    /// Parameter with the path of the file.
    pub file: String,
    /// Parameter with the content in base64, instead of a path.
    pub content: String,
    /// Parameter with the name that the site is told.
    pub name: String,
}

/// What an authorization server is asked for.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
#[serde(rename_all = "snake_case")]
pub(crate) enum GrantFile {
    /// The page where a user agrees. Takes `callback_url`, `scope`, `state`; gives `url`, `auth_token`, `auth_key`.
    Consent,
    /// Tokens for the code of such a user, or of one at this machine. Takes `auth_mode`, `verifier`, `scope`, `callback_url`, `auth_token`,
    /// `auth_key`; gives `oauth_access_token`, `oauth_access_token_secret`, `oauth_refresh_token`, `cloud_id`, `expires_in`.
    Exchange,
    /// Tokens for a refresh token. Takes `oauth_refresh_token`; gives `oauth_access_token`, `oauth_refresh_token`, `expires_in`.
    Refresh,
}

/// A schema file that is written.
#[derive(Debug, Deserialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
#[serde(deny_unknown_fields)]
pub(super) struct LocalFile {
    /// Parameter with the name of the table.
    pub table: String,
    /// Parameter with the name of the file.
    pub file: String,
}
