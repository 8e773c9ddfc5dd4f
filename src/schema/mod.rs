//! What a site offers: tables, their columns and endpoints, compiled from schema files.
//!
//! This floor knows TOML and the vocabulary of [`file`]; it knows nothing of HTTP, SQL or Arrow. A [`Table`] is checked whole:
//! every cross-reference is resolved to an index, so the floors above cannot meet a dangling name.

mod compile;
#[cfg(test)]
mod coverage;
mod custom;
#[cfg(test)]
mod docs;
mod endpoint;
mod file;
mod operation;
mod operation_file;
mod procedure;
mod scopes;
mod search;

use std::path::Path;
use std::sync::Arc;

use crate::error::{Error, ErrorKind, Result};
pub(crate) use custom::{Custom, FieldMetadata, resolve};
#[cfg(test)]
pub(crate) use docs::{procedures_markdown, schema_json, tables_markdown};
pub(crate) use endpoint::{Endpoint, Segment, Verb};
pub(crate) use file::{Moves, PageStyle};
pub(crate) use operation::{Bulk, Encoding, Find, Form, Operation, Place};
pub(crate) use procedure::{Action, Expect, Grants, Procedure, Step};
pub(crate) use scopes::{MYSELF, Scopes};
pub(crate) use search::{Jql, JqlLiteral, JqlOp, Lookup, Search};

/// The schema files that are part of the program: path below `schemas/` and text.
static EMBEDDED: &[(&str, &str)] = &include!(concat!(env!("OUT_DIR"), "/schemas.rs"));

/// Every table of a site, and every procedure.
#[derive(Debug, Clone)]
pub(crate) struct Catalog {
    tables: Vec<Arc<Table>>,
    /// In the order of their names.
    procedures: Vec<Arc<Procedure>>,
    /// What each table was compiled from, in the order of the tables.
    sources: Arc<Vec<Source>>,
    scopes: Arc<Scopes>,
}

/// A schema file as it was read.
#[derive(Debug, Clone)]
pub(crate) struct Source {
    /// The folder that it belongs to.
    pub(crate) folder: String,
    pub(crate) text: String,
}

impl Catalog {
    /// The embedded schema files, and those of `directory` on top: a file there replaces the embedded one of the same name.
    pub(crate) fn load(directory: Option<&Path>) -> Result<Self> {
        let embedded: Vec<(String, String)> = EMBEDDED.iter().map(|&(path, text)| (path.into(), text.into())).collect();
        let mut own = Vec::new();
        if let Some(directory) = directory {
            read_directory(directory, "", &mut own)?;
        }
        compile::compile(&embedded, &own)
    }

    /// Procedures in the order of their names.
    pub(crate) fn procedures(&self) -> &[Arc<Procedure>] {
        &self.procedures
    }

    /// The procedure of that name.
    pub(crate) fn procedure(&self, name: &str) -> Option<&Arc<Procedure>> {
        self.procedures.iter().find(|procedure| procedure.name == name)
    }

    /// Which scopes requests need.
    pub(crate) fn scopes(&self) -> &Arc<Scopes> {
        &self.scopes
    }

    /// The schema file of the table of that name.
    pub(crate) fn source(&self, table: &str) -> Option<&Source> {
        let index = self.tables.iter().position(|known| known.name == table)?;
        self.sources.get(index)
    }

    /// The same catalog with other definitions of its tables, in the same order.
    pub(crate) fn with(&self, tables: Vec<Arc<Table>>) -> Self {
        Self { tables, ..self.clone() }
    }

    /// The same catalog with the tables that `keep` accepts.
    pub(crate) fn retain(&self, keep: impl Fn(&Table) -> bool) -> Self {
        let kept = self.tables.iter().zip(&*self.sources).filter(|(table, _)| keep(table));
        let (tables, sources) = kept.map(|(table, source)| (table.clone(), source.clone())).unzip();
        Self {
            tables,
            sources: Arc::new(sources),
            ..self.clone()
        }
    }

    /// Tables in the order of their names.
    pub(crate) fn tables(&self) -> &[Arc<Table>] {
        &self.tables
    }

    /// The table of that name.
    pub(crate) fn table(&self, name: &str) -> Option<&Arc<Table>> {
        self.tables
            .binary_search_by(|table| table.name.as_str().cmp(name))
            .ok()
            .map(|index| &self.tables[index])
    }
}

/// Schema files of a user's directory; one level of folders, each with an optional `_api.toml`, as in `schemas/`.
fn read_directory(directory: &Path, prefix: &str, sources: &mut Vec<(String, String)>) -> Result<()> {
    let fail = |error: std::io::Error| {
        Error::new(
            ErrorKind::Schema,
            format!("cannot read the schema directory {}: {error}", directory.display()),
        )
        .hint("SchemaDir names a directory of .toml files; see CONTRIBUTING.md, \"Add a table\"")
    };
    let mut entries = std::fs::read_dir(directory)
        .map_err(fail)?
        .collect::<Result<Vec<_>, _>>()
        .map_err(fail)?;
    entries.sort_by_key(std::fs::DirEntry::file_name);
    for entry in entries {
        let path = entry.path();
        let name = format!("{prefix}{}", entry.file_name().to_string_lossy());
        if path.is_dir() && prefix.is_empty() {
            read_directory(&path, &format!("{name}/"), sources)?;
        } else if path.extension().is_some_and(|extension| extension == "toml") {
            let text = std::fs::read_to_string(&path).map_err(fail)?;
            sources.push((name, text));
        }
    }
    Ok(())
}

/// What the endpoints of one folder of schema files share.
#[derive(Debug)]
pub(crate) struct Api {
    /// Name of the folder.
    pub(crate) name: String,
    /// Kind of the sites that have the endpoints, where not every kind does.
    pub(crate) deployment: Option<String>,
    /// Headers of every request.
    pub(crate) headers: Vec<(Arc<str>, Arc<str>)>,
    /// Query parameter that carries the language.
    pub(crate) language: Option<String>,
}

/// One table.
#[derive(Debug, Clone)]
pub(crate) struct Table {
    pub(crate) name: String,
    pub(crate) doc: String,
    pub(crate) api: Arc<Api>,
    pub(crate) columns: Vec<Column>,
    /// Endpoints that answer one row.
    pub(crate) gets: Vec<Endpoint>,
    /// Endpoints that answer many rows.
    pub(crate) lists: Vec<Endpoint>,
    pub(crate) page: Page,
    /// Constant query parameters.
    pub(crate) query: Vec<(String, String)>,
    /// Arrays inside a row whose elements are the rows: label and path.
    pub(crate) each: Vec<(String, JsonPath)>,
    pub(crate) parent: Option<Parent>,
    pub(crate) embed: Option<Embed>,
    /// Columns that tell the elements of a page apart; empty where nothing does.
    pub(crate) identity: Vec<usize>,
    /// Whether it tells them apart on the whole site, and not only in the list of one parent.
    pub(crate) sitewide: bool,
    /// Whether the key columns identify a row.
    pub(crate) unique: bool,
    /// How rows are found by JQL, where they are.
    pub(crate) search: Option<Search>,
    /// Columns of the parent and the values with which it has no rows here.
    pub(crate) unless: Vec<(usize, String)>,
    /// Whether a row that is asked for by its key may be none without anything missing: a parent has it or not.
    pub(crate) optional: bool,
    /// Columns that depend on the site, until they are resolved.
    pub(crate) custom: Option<Custom>,
    /// What writes a row.
    pub(crate) insert: Option<Operation>,
    /// What changes a row: one or several operations, each for some of the columns.
    pub(crate) updates: Vec<Operation>,
    /// What removes a row.
    pub(crate) delete: Option<Operation>,
    pub(crate) examples: Vec<Example>,
}

impl Table {
    /// Index of the column of that name.
    pub(crate) fn column(&self, name: &str) -> Option<usize> {
        self.columns.iter().position(|column| column.name == name)
    }

    /// Whether INSERT takes the column.
    pub(crate) fn is_insertable(&self, column: usize) -> bool {
        self.insert.as_ref().is_some_and(|insert| insert.takes(column))
    }

    /// Whether UPDATE can set the column.
    pub(crate) fn is_updatable(&self, column: usize) -> bool {
        !self.columns[column].key && self.updates.iter().any(|update| update.sets(column))
    }

    /// Columns of the key.
    pub(crate) fn key(&self) -> impl Iterator<Item = usize> + '_ {
        (0..self.columns.len()).filter(|&index| self.columns[index].key)
    }
}

/// The table whose rows the rows of another belong to.
#[derive(Debug, Clone)]
pub(crate) struct Parent {
    pub(crate) table: Arc<Table>,
    /// Pairs of (column here, column of the parent).
    pub(crate) columns: Vec<(usize, usize)>,
}

/// Where a row of the parent carries rows of this table.
#[derive(Debug, Clone)]
pub(crate) struct Embed {
    /// Value of the parent's `expand` parameter.
    pub(crate) expand: Option<String>,
    /// Field of the parent.
    pub(crate) field: Option<String>,
    /// Path of the embedded page.
    pub(crate) at: JsonPath,
    /// Path of the rows inside of it.
    pub(crate) rows: JsonPath,
    /// Where the rows of many parents are had at once.
    pub(crate) bulk: Option<EmbedBulk>,
}

/// An endpoint that takes ids of the parent's rows and answers what they carry.
#[derive(Debug, Clone)]
pub(crate) struct EmbedBulk {
    pub(crate) call: Arc<str>,
    /// Ids of a request.
    pub(crate) batch: usize,
    /// Carried rows of a page.
    pub(crate) max: usize,
    /// Member of the answer with an object for each row of the parent.
    pub(crate) parents: String,
    /// Member of such an object with the id of the parent.
    pub(crate) parent: String,
    /// Member of such an object with the carried rows.
    pub(crate) rows: String,
    /// Member of a carried row that tells it apart from the others of its parent.
    pub(crate) id: String,
}

/// One column.
#[derive(Debug, Clone)]
pub(crate) struct Column {
    pub(crate) name: String,
    pub(crate) doc: String,
    pub(crate) kind: Kind,
    pub(crate) origin: Origin,
    pub(crate) key: bool,
    /// `table.column` it refers to, as parent or otherwise.
    pub(crate) references: Option<(String, String)>,
    /// Filter-only.
    pub(crate) input: bool,
    /// An input that must be bound.
    pub(crate) required: bool,
    pub(crate) push: Option<Push>,
    pub(crate) one_of: Vec<String>,
    pub(crate) format: Option<Format>,
    pub(crate) expand: Option<String>,
    pub(crate) ask: Vec<(String, String)>,
    pub(crate) detail: bool,
    pub(crate) desk: bool,
    /// Entity property that has the value.
    pub(crate) property: Option<String>,
    /// A value of another type is NULL and a warning: the site lets anything stand in a field.
    pub(crate) lenient: bool,
    /// NULL in every row that is read.
    pub(crate) write_only: bool,
    /// Most characters of a value that is written.
    pub(crate) max_chars: Option<usize>,
    /// Id of the custom field that it shows, or shows a part of.
    pub(crate) field: Option<String>,
}

impl Column {
    /// Whether `value` can be the value of some row: what cannot is never sent to the site.
    pub(crate) fn possible(&self, value: &str) -> bool {
        self.format.is_none_or(|format| format.accepts(value))
    }
}

/// Type of a column's values.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Kind {
    Text,
    Boolean,
    Bigint,
    Double,
    Timestamp,
    Date,
    Json,
    List,
}

impl Kind {
    /// Name of the type in metadata and documentation.
    pub(crate) fn sql_name(self) -> &'static str {
        match self {
            Self::Text => "text",
            Self::Boolean => "boolean",
            Self::Bigint => "bigint",
            Self::Double => "double",
            Self::Timestamp => "timestamp",
            Self::Date => "date",
            Self::Json => "json",
            Self::List => "list of text",
        }
    }
}

/// Where a column's value comes from.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Origin {
    /// The response: level of the object (0 = the envelope, 1 = an element of the page, 2 = inside of it), paths in order of preference.
    Json {
        level: usize,
        paths: Vec<JsonPath>,
        codec: Option<Codec>,
    },
    /// The request that was sent: the value bound to this column.
    Request,
    /// The label of the array that the row was found in.
    Label,
}

/// Keys that lead to a value. Empty: the object itself.
pub(crate) type JsonPath = Vec<String>;

/// How an equality on a column reaches the site.
#[derive(Debug, Clone)]
pub(crate) struct Push {
    pub(crate) query: Option<String>,
    pub(crate) repeat: bool,
    /// Value → (parameter, value).
    pub(crate) when: Vec<(String, (String, String))>,
    pub(crate) default: Option<String>,
    /// Columns that must be bound too: to anything, or to a value.
    pub(crate) with: Vec<(usize, Option<String>)>,
    pub(crate) jql: Option<Jql>,
    /// The value is JQL.
    pub(crate) raw: bool,
    /// The value stands for JQL that is found elsewhere.
    pub(crate) lookup: Option<Lookup>,
}

/// What a value must look like to match a row.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Format {
    Integer,
    IssueKey,
}

impl Format {
    fn accepts(self, value: &str) -> bool {
        match self {
            // Canonical only: the site reads `007` as 7, but no row has the id `007`.
            Self::Integer => value.parse::<i64>().is_ok_and(|number| number.to_string() == value),
            // Lower case and ids are accepted by the site as other spellings of a key, which then would be echoed as if they were one.
            Self::IssueKey => value.rsplit_once('-').is_some_and(|(project, number)| {
                project.starts_with(char::is_alphabetic)
                    && project
                        .chars()
                        .all(|c| (c.is_alphanumeric() && !c.is_lowercase()) || c == '_')
                    && number.starts_with(|c: char| c.is_ascii_digit() && c != '0')
                    && number.bytes().all(|c| c.is_ascii_digit())
            }),
        }
    }
}

/// How a JSON value becomes a column's value.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Codec {
    /// Last segment of a URL.
    UrlTail,
    /// In lower case.
    LowerCase,
    /// Text of a document.
    Adf,
    /// A moment as text, in milliseconds, or in seconds.
    Epoch,
    /// A choice and the choice below it.
    Cascade,
    /// A member of the object, or of each object of the list.
    Pick(Vec<String>),
    /// Part of an SLA.
    Sla(SlaPart),
}

/// What of an SLA.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum SlaPart {
    Breached,
    Remaining,
    BreachTime,
    Completed,
}

/// How a list is paged.
#[derive(Debug, Clone)]
pub(crate) struct Page {
    pub(crate) style: PageStyle,
    pub(crate) rows: JsonPath,
    pub(crate) start: String,
    pub(crate) limit: String,
    pub(crate) last: JsonPath,
    pub(crate) next: JsonPath,
    /// Number of all rows, where the page says that.
    pub(crate) total: Option<JsonPath>,
    pub(crate) max: usize,
    /// Where a row moves to that changes; none: it keeps its place.
    pub(crate) moves: Option<Moves>,
}

/// A documented statement.
#[derive(Debug, Clone)]
pub(crate) struct Example {
    pub(crate) doc: String,
    pub(crate) sql: String,
}

impl Example {
    fn all(files: &[file::ExampleFile]) -> Vec<Self> {
        let example = |file: &file::ExampleFile| Self {
            doc: file.doc.trim().into(),
            sql: file.sql.trim().into(),
        };
        files.iter().map(example).collect()
    }
}
