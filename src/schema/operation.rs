//! An operation that is sent values: an endpoint, where each value goes, and what comes back. Compiled from [`operation_file`].
//!
//! The same type serves INSERT, UPDATE and DELETE, whose values are columns of a table, and the steps of procedures, whose values are
//! parameters: both are [`Column`]s, named by index.

use std::collections::{HashMap, HashSet};
use std::sync::Arc;

use super::compile::{find, json_path};
use super::endpoint::{Endpoint, Verb};
use super::operation_file::{BatchFile, BulkFile, EncodingFile, FindFile, FormFile, OperationFile, PlaceFile};
use super::{Column, JsonPath, Kind, Table};

/// One endpoint and the way values enter it.
#[derive(Debug, Clone)]
pub(crate) struct Operation {
    pub(crate) endpoint: Endpoint,
    /// Columns that must be given besides those of the path.
    pub(crate) required: Vec<usize>,
    pub(crate) body: Vec<Place>,
    /// Columns sent as query parameters.
    pub(crate) query: Vec<(usize, String)>,
    pub(crate) batch: Option<Batch>,
    pub(crate) bulk: Option<Bulk>,
    pub(crate) finds: Vec<Find>,
    /// Columns of each of which exactly one must be given.
    pub(crate) either: Vec<Vec<usize>>,
    /// Where custom fields go.
    custom: Option<CustomPlace>,
    /// Where the answer has its rows; `None` where it says nothing.
    pub(crate) answer: Option<JsonPath>,
    /// What the answer leaves out is what was sent.
    pub(crate) brief: bool,
    /// Status of an answer that shows a row which was there before.
    pub(crate) existed: Option<u16>,
    /// The answer shows the rows as they are after the change.
    pub(crate) shows: bool,
    /// What to do when the site refuses the values.
    pub(crate) hint: Option<String>,
}

/// Where a column goes in the body.
#[derive(Debug, Clone)]
pub(crate) struct Place {
    pub(crate) column: usize,
    pub(crate) at: JsonPath,
    pub(crate) form: Form,
    /// Sent where the column is not given.
    pub(crate) default: Option<String>,
    /// Column whose value is sent where this one is not given.
    pub(crate) otherwise: Option<usize>,
    /// Value → JSON that is sent for it; empty where values are sent as they are.
    pub(crate) values: Vec<(String, String)>,
}

/// How a value is written: by itself, and within an object.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Form {
    pub(crate) encoding: Encoding,
    /// Name of the value in the object around it.
    pub(crate) member: Option<String>,
}

/// Where custom fields go in a body.
#[derive(Debug, Clone)]
struct CustomPlace {
    at: String,
    plain_text: bool,
}

/// How a value is written.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Encoding {
    /// As the type of the column says.
    Plain,
    /// As a number.
    Number,
    /// As an object of field values.
    Fields,
    /// As a document.
    Adf,
    /// As a choice and the choice below it.
    Cascade,
}

/// Rows that agree in everything else share a request.
#[derive(Debug, Clone)]
pub(crate) struct Batch {
    pub(crate) column: usize,
    pub(crate) at: JsonPath,
    pub(crate) max: usize,
}

/// Several rows in one request.
#[derive(Debug, Clone)]
pub(crate) struct Bulk {
    pub(crate) endpoint: Endpoint,
    pub(crate) at: String,
    pub(crate) max: usize,
    pub(crate) rows: String,
    pub(crate) errors: String,
    pub(crate) number: String,
    pub(crate) words: String,
}

/// A value that the site is asked for before the operation.
#[derive(Debug, Clone)]
pub(crate) struct Find {
    /// The column that gets the value.
    pub(crate) column: usize,
    /// The table that is read; `None` for the one that is written.
    pub(crate) table: Option<Arc<Table>>,
    /// Pairs of (column there, column here).
    pub(crate) bind: Vec<(usize, usize)>,
    /// The column that says which row.
    pub(crate) given: usize,
    /// Columns there that are compared with it.
    pub(crate) by: Vec<usize>,
    /// The column there that has the value.
    pub(crate) take: usize,
    /// What to do where several rows there fit.
    pub(crate) several: Option<String>,
    /// The column there that is false where the row cannot be taken now.
    pub(crate) possible: Option<usize>,
    /// Whether a row that has the given value already needs no operation.
    pub(crate) already: bool,
}

/// The tables that an operation may refer to.
pub(super) struct Tables<'a> {
    /// Name of the table that has the operation, if a table has it.
    pub(super) own: Option<&'a str>,
    pub(super) others: &'a HashMap<String, Arc<Table>>,
}

impl Operation {
    /// Compiles what was written; the error says what is wrong.
    pub(super) fn compile(file: &OperationFile, columns: &[Column], tables: &Tables<'_>) -> Result<Self, String> {
        let mut body = Vec::new();
        for (name, place) in &file.body {
            let column = find(columns, name)?;
            body.push(match place {
                PlaceFile::At(at) => Place {
                    column,
                    at: json_path(at),
                    form: Form::compile(EncodingFile::Plain, None, &columns[column])?,
                    default: None,
                    otherwise: None,
                    values: Vec::new(),
                },
                PlaceFile::Detailed(detail) => Place {
                    column,
                    at: json_path(&detail.at),
                    form: Form::compile(detail.encoding, detail.member.as_ref(), &columns[column])?,
                    default: detail.default.clone(),
                    otherwise: detail.otherwise.as_ref().map(|name| find(columns, name)).transpose()?,
                    values: detail
                        .values
                        .iter()
                        .map(|(value, json)| (value.clone(), json.clone()))
                        .collect(),
                },
            });
        }
        let whole = body.iter().filter(|place| place.at.is_empty()).count();
        if whole > 0 && (body.len() > 1 || file.list.is_some()) {
            return Err("a column that is the whole body leaves no place for others".to_owned());
        }
        let endpoint = Endpoint::parse_any(&file.call, columns)?;
        if endpoint.verb == Verb::Get && (!body.is_empty() || file.list.is_some()) {
            return Err(format!("`{}` has a body, which a GET cannot have", file.call));
        }
        let bulk = file.bulk.as_ref().map(|bulk| bulk_of(bulk, columns)).transpose()?;
        if bulk.is_some() && (endpoint.placeholders().next().is_some() || file.list.is_some() || !file.find.is_empty()) {
            return Err(
                "`bulk` sends bodies and nothing else: the operation has neither placeholders, `list` nor `find`".to_owned(),
            );
        }
        let query = |(name, parameter): (&String, &String)| Ok::<_, String>((find(columns, name)?, parameter.clone()));
        Ok(Self {
            endpoint,
            required: file
                .required
                .iter()
                .map(|name| find(columns, name))
                .collect::<Result<_, _>>()?,
            body,
            query: file.query.iter().map(query).collect::<Result<_, _>>()?,
            batch: file.list.as_ref().map(|list| batch(list, columns)).transpose()?,
            finds: file
                .find
                .iter()
                .map(|(name, file)| find_of(name, file, columns, tables))
                .collect::<Result<_, _>>()?,
            bulk,
            either: file
                .either
                .iter()
                .map(|names| names.iter().map(|name| find(columns, name)).collect())
                .collect::<Result<_, _>>()?,
            custom: file.custom.as_ref().map(|at| CustomPlace {
                at: at.clone(),
                plain_text: file.plain_text,
            }),
            answer: file.answer.as_deref().map(json_path),
            brief: file.brief,
            existed: file.existed,
            shows: file.shows,
            hint: file.hint.clone(),
        })
    }

    /// Columns whose values are sent, each once: those of the path first.
    pub(crate) fn sends(&self) -> Vec<usize> {
        let mut seen = HashSet::new();
        self.all().filter(|column| seen.insert(*column)).collect()
    }

    /// Whether the value of the column is sent.
    pub(crate) fn takes(&self, column: usize) -> bool {
        self.all().any(|other| other == column)
    }

    fn all(&self) -> impl Iterator<Item = usize> + '_ {
        self.endpoint
            .placeholders()
            .chain(
                self.body
                    .iter()
                    .flat_map(|place| [Some(place.column), place.otherwise].into_iter().flatten()),
            )
            .chain(self.query.iter().map(|(column, _)| *column))
            .chain(self.batch.iter().map(|batch| batch.column))
            .chain(
                self.finds
                    .iter()
                    .flat_map(|find| find.bind.iter().map(|&(_, here)| here).chain([find.given])),
            )
    }

    /// Lets the operation set a custom field, which is that column, if it takes custom fields.
    pub(super) fn set_custom(&mut self, column: usize, field: &str, form: &Form) {
        let Some(custom) = &self.custom else { return };
        let encoding = match form.encoding {
            Encoding::Adf if custom.plain_text => Encoding::Plain,
            encoding => encoding,
        };
        self.body.push(Place {
            column,
            at: json_path(&custom.at.replace("{id}", field)),
            form: Form {
                encoding,
                member: form.member.clone(),
            },
            default: None,
            otherwise: None,
            values: Vec::new(),
        });
    }

    /// Whether the value of the column is sent as part of what is changed, not to say which row it is.
    pub(crate) fn sets(&self, column: usize) -> bool {
        self.body.iter().any(|place| place.column == column) || self.query.iter().any(|(other, _)| *other == column)
    }

    /// Whether a row cannot be written without this column.
    pub(crate) fn needs(&self, column: usize) -> bool {
        let found = self
            .finds
            .iter()
            .any(|find| find.column == column && (find.by.is_empty() || find.given != column));
        let in_path = self.endpoint.placeholders().any(|placeholder| placeholder == column);
        let in_list = self.batch.as_ref().is_some_and(|batch| batch.column == column);
        !found && (in_path || in_list || self.required.contains(&column))
    }
}

impl Form {
    /// Checks that values of the column can be written like this.
    fn compile(encoding: EncodingFile, member: Option<&String>, column: &Column) -> Result<Self, String> {
        let encoding = match (encoding, column.kind) {
            (EncodingFile::Plain, _) => Encoding::Plain,
            (EncodingFile::Number, Kind::Text | Kind::List) => Encoding::Number,
            (EncodingFile::Fields, Kind::Json) => Encoding::Fields,
            (EncodingFile::Adf, Kind::Text) => Encoding::Adf,
            (EncodingFile::Cascade, Kind::Text) => Encoding::Cascade,
            _ => {
                return Err(format!(
                    "the body cannot write `{}` as that: the type of the column does not fit",
                    column.name
                ));
            }
        };
        Ok(Self {
            encoding,
            member: member.cloned(),
        })
    }

    /// How values of a custom field are written.
    pub(super) fn of_custom(file: &FormFile, column: &Column) -> Result<Self, String> {
        Self::compile(file.encoding, file.member.as_ref(), column)
    }
}

fn bulk_of(file: &BulkFile, columns: &[Column]) -> Result<Bulk, String> {
    let endpoint = Endpoint::parse_any(&file.call, columns)?;
    if file.max < 2 || endpoint.placeholders().next().is_some() {
        return Err("`bulk` needs a path without placeholders and room for two rows".to_owned());
    }
    Ok(Bulk {
        endpoint,
        at: file.at.clone(),
        max: file.max,
        rows: file.rows.clone(),
        errors: file.errors.clone(),
        number: file.number.clone(),
        words: file.words.clone(),
    })
}

fn batch(file: &BatchFile, columns: &[Column]) -> Result<Batch, String> {
    let at = json_path(&file.at);
    if file.max == 0 || at.is_empty() {
        return Err("`list` needs a place in the body and room for a value".to_owned());
    }
    Ok(Batch {
        column: find(columns, &file.column)?,
        at,
        max: file.max,
    })
}

fn find_of(name: &str, file: &FindFile, columns: &[Column], tables: &Tables<'_>) -> Result<Find, String> {
    let column = find(columns, name)?;
    let given = file.given.as_ref().map_or(Ok(column), |name| find(columns, name))?;
    if given != column && file.by.is_empty() {
        return Err(format!("`find.{name}` has `given` and nothing to compare it with"));
    }
    let table = match tables.own {
        Some(own) if own == file.table => None,
        _ => Some(
            tables
                .others
                .get(&file.table)
                .cloned()
                .ok_or_else(|| format!("`find.{name}` reads the table `{}`, which does not exist", file.table))?,
        ),
    };
    let there = table.as_ref().map_or(columns, |table| &table.columns);
    let bind = |(there_name, here): (&String, &String)| Ok::<_, String>((find(there, there_name)?, find(columns, here)?));
    Ok(Find {
        column,
        bind: file.bind.iter().map(bind).collect::<Result<_, _>>()?,
        given,
        by: file.by.iter().map(|name| find(there, name)).collect::<Result<_, _>>()?,
        take: find(there, &file.take)?,
        several: file.several.clone(),
        possible: file.possible.as_ref().map(|name| find(there, name)).transpose()?,
        already: file.already,
        table,
    })
}

#[cfg(test)]
mod tests {
    use crate::schema::Catalog;

    const TABLE: &str = r#"
        doc = "Things."
        read.list = "GET /things"
        read.get = "GET /things/{id}"
        [columns]
        id = { type = "text", key = true, doc = "Id." }
        name = { type = "text", doc = "Name." }
        note = { type = "text", write_only = true, doc = "Note." }
        size = { type = "bigint", doc = "Size." }
    "#;

    fn problem(more: &str) -> String {
        let folder = tempfile::tempdir().unwrap();
        std::fs::write(folder.path().join("things.toml"), format!("{TABLE}{more}")).unwrap();
        match Catalog::load(Some(folder.path())) {
            Ok(_) => "none".to_owned(),
            Err(error) => error.message().to_owned(),
        }
    }

    #[test]
    fn what_cannot_be_written_is_found_when_files_are_read() {
        let table = |line: &str| {
            problem(&format!(
                "[insert]\ncall = \"POST /things\"\nbody = {{ note = \"note\" }}\n{line}"
            ))
        };
        assert_eq!(table(""), "none");
        for (problem, fragment) in [
            (problem(""), "column `note` is only written, but nothing writes it"),
            (table("required = [\"nothing\"]"), "no column `nothing`"),
            (table("query = { nothing = \"x\" }"), "no column `nothing`"),
            (
                table("list = { column = \"name\", at = \"\", max = 5 }"),
                "`list` needs a place",
            ),
            (
                table("find.name = { table = \"nothing\", bind = {}, take = \"id\" }"),
                "which does not exist",
            ),
            (
                table("find.name = { table = \"things\", bind = {}, given = \"note\", take = \"id\" }"),
                "nothing to compare",
            ),
            (
                table("[delete]\ncall = \"DELETE /things/{note}\""),
                "`delete` needs the column `note`",
            ),
            (
                table("[update]\ncall = \"PUT /things/{id}\"\nbody = { id = \"id\" }"),
                "part of the key",
            ),
            (
                table("[update]\ncall = \"PUT /things/{id}\"\nlist = { column = \"name\", at = \"a\", max = 5 }"),
                "has no `list`",
            ),
            (table("[delete]\ncall = \"PATCH /things/{id}\""), "METHOD /path"),
            (
                table("[delete]\ncall = \"GET /things/{id}\"\nbody = { name = \"a\" }"),
                "which a GET cannot have",
            ),
            (
                table("[delete]\ncall = \"DELETE /things/{id}\"\nbody = { name = \"\", size = \"b\" }"),
                "whole body",
            ),
            (
                table("[delete]\ncall = \"DELETE /things/{id}\"\nbody = { size = { at = \"a\", as = \"number\" } }"),
                "the type of the column does not fit",
            ),
            (table("[delete]\ncall = \"DELETE /things/{id}\"\nbdy = {}"), "bdy"),
        ] {
            assert!(problem.contains(fragment), "{problem:?} does not say {fragment:?}");
        }
    }
}
