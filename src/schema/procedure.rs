//! A procedure: parameters, the operations that it calls one after the other, and the shape of its result. Compiled from
//! [`operation_file`](super::operation_file).

use std::collections::HashMap;
use std::sync::Arc;

use super::compile::{find, json_path, plain_column, user_columns};
use super::endpoint::Verb;
use super::file::{ColumnFile, KindFile, OneOrMany, PageStyle};
use super::operation::Tables;
use super::operation_file::{ExpectFile, GrantFile, ParameterFile, ProcedureFile, StepFile};
use super::{Api, Column, Example, JsonPath, Operation, Origin, Page, Table};

/// One procedure.
#[derive(Debug)]
pub(crate) struct Procedure {
    pub(crate) name: String,
    pub(crate) doc: String,
    pub(crate) api: Arc<Api>,
    /// In the order of positional arguments.
    pub(crate) parameters: Vec<Column>,
    /// What the site does where a parameter is not given, for the documentation.
    pub(crate) defaults: Vec<Option<String>>,
    /// Which parameters are shown in no plan and no log.
    pub(crate) secret: Vec<bool>,
    pub(crate) action: Action,
    /// Whether it changes the site.
    pub(crate) changes: bool,
    /// Shape of the result: a table without endpoints.
    pub(crate) result: Arc<Table>,
    /// Columns of the result that are parameters: (column, parameter).
    pub(crate) echoes: Vec<(usize, usize)>,
    /// Columns of the result that show what a parameter has sent: (column, parameter).
    pub(crate) repeats: Vec<(usize, usize)>,
    pub(crate) at_least_one: bool,
    pub(crate) examples: Vec<Example>,
}

/// What a procedure does.
#[derive(Debug)]
pub(crate) enum Action {
    /// Calls the site.
    Steps(Vec<Step>),
    /// Writes the schema file of the table named by one parameter to the file named by another.
    Schema { table: usize, file: usize },
    /// Asks the authorization server of the connection.
    OAuth(Grants),
}

/// What an authorization server is asked for. The numbers are parameters.
#[derive(Debug, Clone, Copy)]
pub(crate) enum Grants {
    /// The page where a user agrees.
    Consent { callback: usize, scope: usize, state: usize },
    /// Tokens for a code.
    Exchange {
        mode: usize,
        code: usize,
        callback: usize,
        scope: usize,
        token: usize,
        key: usize,
    },
    /// Tokens for a refresh token.
    Refresh { token: usize },
}

impl Grants {
    fn compile(file: GrantFile, parameters: &[Column]) -> Result<Self, String> {
        let at = |name| find(parameters, name);
        Ok(match file {
            GrantFile::Consent => Self::Consent {
                callback: at("callback_url")?,
                scope: at("scope")?,
                state: at("state")?,
            },
            GrantFile::Exchange => Self::Exchange {
                mode: at("auth_mode")?,
                code: at("verifier")?,
                callback: at("callback_url")?,
                scope: at("scope")?,
                token: at("auth_token")?,
                key: at("auth_key")?,
            },
            GrantFile::Refresh => Self::Refresh {
                token: at("oauth_refresh_token")?,
            },
        })
    }
}

/// One operation of a procedure.
#[derive(Debug)]
pub(crate) struct Step {
    pub(crate) operation: Operation,
    /// Only when one of these is given.
    pub(crate) when: Vec<usize>,
    /// Only when none of these is given.
    pub(crate) unless: Vec<usize>,
    pub(crate) upload: Option<Upload>,
    /// Parameters that the answer sets.
    pub(crate) into: Vec<(usize, JsonPath)>,
    /// The parameter that names the file which takes the answer.
    pub(crate) save: Option<usize>,
    /// What is known about that file.
    pub(crate) expect: Option<Expect>,
    /// The result column that takes the answer as a text.
    pub(crate) text: Option<usize>,
    /// Statuses besides 2xx whose body is an answer.
    pub(crate) accepts: Vec<u16>,
}

/// Where a file is described: its size in bytes, its media type and its name.
#[derive(Debug, Clone)]
pub(crate) struct Expect {
    pub(crate) table: Arc<Table>,
    /// Pairs of (column there, parameter).
    pub(crate) bind: Vec<(usize, usize)>,
    pub(crate) size: usize,
    pub(crate) media_type: usize,
    pub(crate) name: usize,
}

impl Expect {
    fn compile(file: &ExpectFile, parameters: &[Column], tables: &Tables<'_>) -> Result<Self, String> {
        let table = tables.others.get(&file.table).cloned();
        let table = table.ok_or_else(|| format!("`expect` reads the table `{}`, which does not exist", file.table))?;
        let there = |name: &str| find(&table.columns, name);
        let bind = |(column, parameter): (&String, &String)| Ok::<_, String>((there(column)?, find(parameters, parameter)?));
        Ok(Self {
            bind: file.bind.iter().map(bind).collect::<Result<_, _>>()?,
            size: there(&file.size)?,
            media_type: there(&file.media_type)?,
            name: there(&file.name)?,
            table,
        })
    }
}

/// The parameters of a file that is sent.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Upload {
    pub(crate) file: usize,
    pub(crate) content: usize,
    pub(crate) name: usize,
}

impl Procedure {
    /// Compiles what was written; the error says what is wrong.
    pub(super) fn compile(
        name: &str,
        file: &ProcedureFile,
        api: &Arc<Api>,
        tables: &HashMap<String, Arc<Table>>,
    ) -> Result<Self, String> {
        let parameters: Vec<Column> = file
            .parameters
            .iter()
            .map(|(name, file)| parameter(name, file))
            .collect::<Result<_, _>>()?;
        let each: Vec<_> = file
            .each
            .iter()
            .map(|(label, path)| (label.clone(), json_path(path)))
            .collect();
        let level = if each.is_empty() { 1 } else { 2 };
        let mut echoes = Vec::new();
        let mut columns = Vec::new();
        for (name, file) in &file.result {
            match &file.from {
                Some(OneOrMany::One(from)) if from.starts_with('@') && from != "@each" => {
                    echoes.push((columns.len(), find(&parameters, &from[1..])?));
                    let plain = ColumnFile {
                        from: None,
                        ..file.clone()
                    };
                    let mut column = plain_column(name, &plain, level)?;
                    column.origin = Origin::Request;
                    columns.push(column);
                }
                _ if file.kind == KindFile::User => columns.extend(user_columns(name, file, level)?),
                _ => columns.push(plain_column(name, file, level)?),
            }
        }
        let repeats = file
            .repeats
            .iter()
            .map(|(column, parameter)| Ok::<_, String>((find(&columns, column)?, find(&parameters, parameter)?)))
            .collect::<Result<_, _>>()?;
        let action = match (&file.schema, file.oauth, file.execute.iter().next()) {
            (Some(local), None, None) => Action::Schema {
                table: find(&parameters, &local.table)?,
                file: find(&parameters, &local.file)?,
            },
            (None, Some(word), None) => Action::OAuth(Grants::compile(word, &parameters)?),
            (None, None, Some(_)) => Action::Steps(
                file.execute
                    .iter()
                    .map(|step| Step::compile(step, &parameters, &columns, tables))
                    .collect::<Result<_, _>>()?,
            ),
            _ => return Err("a procedure has one of `execute`, `schema` and `oauth`".to_owned()),
        };
        let changes = match &action {
            Action::Steps(steps) => !file.reads && steps.iter().any(|step| step.operation.endpoint.verb != Verb::Get),
            Action::Schema { .. } | Action::OAuth(_) => false,
        };
        let rows = match &action {
            Action::Steps(steps) => steps.iter().rev().find_map(|step| step.operation.answer.clone()),
            Action::Schema { .. } | Action::OAuth(_) => None,
        };
        let result = Table {
            name: name.to_owned(),
            doc: file.doc.trim().to_owned(),
            api: api.clone(),
            columns,
            gets: Vec::new(),
            lists: Vec::new(),
            page: Page {
                style: PageStyle::Single,
                rows: rows.unwrap_or_default(),
                start: String::new(),
                limit: String::new(),
                last: Vec::new(),
                next: Vec::new(),
                total: None,
                max: 1,
                moves: None,
            },
            query: Vec::new(),
            each,
            parent: None,
            embed: None,
            identity: Vec::new(),
            sitewide: false,
            unique: false,
            search: None,
            unless: Vec::new(),
            optional: false,
            custom: None,
            insert: None,
            updates: Vec::new(),
            delete: None,
            examples: Vec::new(),
        };
        Ok(Self {
            name: name.to_owned(),
            doc: file.doc.trim().to_owned(),
            api: api.clone(),
            defaults: file.parameters.values().map(|file| file.default.clone()).collect(),
            secret: file.parameters.values().map(|file| file.secret).collect(),
            parameters,
            action,
            changes,
            result: Arc::new(result),
            echoes,
            repeats,
            at_least_one: file.at_least_one,
            examples: Example::all(&file.examples),
        })
    }
}

impl Step {
    /// Whether the site has nothing to say but that it was done.
    pub(crate) fn is_answered_nothing(&self) -> bool {
        self.operation.answer.is_none() && self.save.is_none() && self.text.is_none() && self.into.is_empty()
    }

    fn compile(
        file: &StepFile,
        parameters: &[Column],
        result: &[Column],
        tables: &HashMap<String, Arc<Table>>,
    ) -> Result<Self, String> {
        let all = |names: &OneOrMany<String>| names.iter().map(|name| find(parameters, name)).collect::<Result<_, _>>();
        let tables = Tables {
            own: None,
            others: tables,
        };
        let operation = Operation::compile(&file.operation, parameters, &tables)?;
        if operation.batch.is_some() {
            return Err("a procedure calls once: it has no `list`".to_owned());
        }
        Ok(Self {
            operation,
            when: all(&file.when)?,
            unless: all(&file.unless)?,
            upload: file
                .upload
                .as_ref()
                .map(|upload| {
                    Ok::<_, String>(Upload {
                        file: find(parameters, &upload.file)?,
                        content: find(parameters, &upload.content)?,
                        name: find(parameters, &upload.name)?,
                    })
                })
                .transpose()?,
            into: file
                .into
                .iter()
                .map(|(name, path)| Ok::<_, String>((find(parameters, name)?, json_path(path))))
                .collect::<Result<_, _>>()?,
            save: file.save.as_ref().map(|name| find(parameters, name)).transpose()?,
            expect: file
                .expect
                .as_ref()
                .map(|expect| Expect::compile(expect, parameters, &tables))
                .transpose()?,
            text: file.text.as_ref().map(|name| find(result, name)).transpose()?,
            accepts: file.accepts.clone(),
        })
    }
}

fn parameter(name: &str, file: &ParameterFile) -> Result<Column, String> {
    let written = ColumnFile {
        kind: file.kind,
        doc: file.doc.clone(),
        one_of: file.one_of.clone(),
        format: file.format,
        max_chars: file.max_chars,
        ..ColumnFile::default()
    };
    let mut column = plain_column(name, &written, 1)?;
    column.origin = Origin::Request;
    column.input = true;
    column.required = file.required;
    Ok(column)
}
