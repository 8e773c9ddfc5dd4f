//! An operation that is sent values: an endpoint, where each value goes, and what comes back. Compiled from [`operation_file`].
//!
//! The same type serves INSERT, UPDATE and DELETE, whose values are columns of a table, and the steps of procedures, whose values are
//! parameters: both are [`Column`]s, named by index.

use std::collections::HashMap;
use std::sync::Arc;

use super::compile::{find, json_path};
use super::endpoint::{Endpoint, Verb};
use super::operation_file::{BatchFile, EncodingFile, FindFile, OperationFile, PlaceFile};
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
    pub(crate) finds: Vec<Find>,
    /// Where the answer has its rows; `None` where it says nothing.
    pub(crate) answer: Option<JsonPath>,
    /// What to do when the site refuses the values.
    pub(crate) hint: Option<String>,
}

/// Where a column goes in the body.
#[derive(Debug, Clone)]
pub(crate) struct Place {
    pub(crate) column: usize,
    pub(crate) at: JsonPath,
    pub(crate) encoding: Encoding,
    /// Sent where the column is not given.
    pub(crate) default: Option<String>,
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
}

/// Rows that agree in everything else share a request.
#[derive(Debug, Clone)]
pub(crate) struct Batch {
    pub(crate) column: usize,
    pub(crate) at: JsonPath,
    pub(crate) max: usize,
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
            let (at, encoding, default) = match place {
                PlaceFile::At(at) => (at, EncodingFile::Plain, None),
                PlaceFile::Detailed(detail) => (&detail.at, detail.encoding, detail.default.clone()),
            };
            let column = find(columns, name)?;
            let encoding = match (encoding, columns[column].kind) {
                (EncodingFile::Plain, _) => Encoding::Plain,
                (EncodingFile::Number, Kind::Text | Kind::List) => Encoding::Number,
                (EncodingFile::Fields, Kind::Json) => Encoding::Fields,
                _ => {
                    return Err(format!(
                        "the body cannot write `{name}` as that: the type of the column does not fit"
                    ));
                }
            };
            body.push(Place {
                column,
                at: json_path(at),
                encoding,
                default,
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
            answer: file.answer.as_deref().map(json_path),
            hint: file.hint.clone(),
        })
    }

    /// Columns whose values are sent, each once: those of the path first.
    pub(crate) fn sends(&self) -> Vec<usize> {
        let mut columns: Vec<usize> = Vec::new();
        let all = self
            .endpoint
            .placeholders()
            .chain(self.body.iter().map(|place| place.column))
            .chain(self.query.iter().map(|(column, _)| *column))
            .chain(self.batch.iter().map(|batch| batch.column))
            .chain(
                self.finds
                    .iter()
                    .flat_map(|find| find.bind.iter().map(|&(_, here)| here).chain([find.given])),
            );
        for column in all {
            if !columns.contains(&column) {
                columns.push(column);
            }
        }
        columns
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
