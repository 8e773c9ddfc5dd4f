//! From what was written to what it means: every check of a schema file and every cross-reference between them.

use std::collections::{BTreeMap, HashMap};
use std::sync::Arc;

use super::endpoint::Endpoint;
use super::file::{
    ApiFile, CodecFile, ColumnFile, EmbedBulkFile, FormatFile, KindFile, ListFile, OneOrMany, PageFile, TableFile,
};
use super::operation::{Form, Operation, Tables};
use super::operation_file::ProcedureFile;
use super::procedure::Procedure;
use super::scopes::Scopes;
use super::{
    Api, Catalog, Codec, Column, Custom, Embed, EmbedBulk, Example, Format, Jql, JsonPath, Kind, Lookup, Origin, Page, Parent,
    Push, Search, SlaPart, Source, Table,
};
use crate::error::{Error, ErrorKind, Result};

/// Suffix, path and type of the columns of a user object. On Data Center users have a name and no account id.
const USER: &[(&str, &[&str], Kind, &str)] = &[
    (
        "account_id",
        &["accountId", "name"],
        Kind::Text,
        "account id; the user name on Data Center",
    ),
    ("display_name", &["displayName"], Kind::Text, "display name"),
    (
        "email_address",
        &["emailAddress"],
        Kind::Text,
        "e-mail address; NULL where it is hidden",
    ),
    ("active", &["active"], Kind::Boolean, "whether the account is active"),
    ("time_zone", &["timeZone"], Kind::Text, "time zone"),
];

/// Refuses two files of one origin that mean one table or procedure: which of them counts would depend on the names of folders.
fn distinct(sources: &[(String, String)]) -> Result<()> {
    let mut seen: HashMap<(bool, &str), &str> = HashMap::new();
    for (path, _) in sources {
        let (folder, name) = path.rsplit_once('/').unwrap_or(("", path));
        if name == "_api.toml" {
            continue;
        }
        if let Some(other) = seen.insert((folder == PROCEDURES, name), path) {
            return Err(
                Error::new(ErrorKind::Schema, format!("{other} and {path} define the same name"))
                    .hint("rename or remove one of them: the name of the file is that of the table or procedure"),
            );
        }
    }
    Ok(())
}

/// Compiles the schema files that come with the program and those of the user, given as (path, text); one of the user replaces another
/// with the same stem.
pub(super) fn compile(embedded: &[(String, String)], own: &[(String, String)]) -> Result<Catalog> {
    distinct(embedded)?;
    distinct(own)?;
    let mut apis = HashMap::new();
    let mut files: HashMap<&str, (&str, TableFile)> = HashMap::new();
    let mut procedures: BTreeMap<&str, (&str, ProcedureFile)> = BTreeMap::new();
    let mut texts: HashMap<&str, Source> = HashMap::new();
    for (path, text) in embedded.iter().chain(own) {
        let (folder, name) = path.rsplit_once('/').unwrap_or(("", path));
        let stem = name.strip_suffix(".toml").unwrap_or(name);
        if stem == "_api" {
            apis.insert(folder, parse::<ApiFile>(path, text)?);
        } else if folder == PROCEDURES {
            procedures.insert(stem, (path, parse(path, text)?));
        } else {
            texts.insert(
                stem,
                Source {
                    folder: if folder.is_empty() { MAIN_FOLDER } else { folder }.to_owned(),
                    text: text.clone(),
                },
            );
            files.insert(stem, (path, parse(path, text)?));
        }
    }
    // Files directly in a user's directory speak the main API.
    let mut folders = HashMap::new();
    for (folder, api) in &apis {
        folders.insert(*folder, folder_of(folder, api)?);
    }
    let mut compiler = Compiler {
        files: &files,
        folders: &folders,
        done: HashMap::new(),
        open: Vec::new(),
    };
    let mut names: Vec<_> = files.keys().copied().collect();
    names.sort_unstable();
    let tables = names
        .into_iter()
        .map(|name| compiler.table(name))
        .collect::<Result<Vec<_>>>()?;
    let tables = tables
        .iter()
        .map(|table| compiler.written(table))
        .collect::<Result<Vec<_>>>()?;
    let procedures = procedures
        .into_iter()
        .map(|(name, (path, file))| procedure(name, path, &file, &folders, &compiler.done))
        .collect::<Result<Vec<_>>>()?;
    let mut apis: Vec<_> = apis.iter().collect();
    apis.sort_by_key(|(folder, _)| **folder);
    let scopes = Scopes::compile(apis.into_iter().map(|(_, api)| &api.scopes), &tables, &procedures);
    let sources = tables.iter().filter_map(|table| texts.remove(table.name.as_str())).collect();
    Ok(Catalog {
        tables,
        procedures,
        sources: Arc::new(sources),
        scopes: Arc::new(scopes),
    })
}

/// The folder of procedures, all of which speak the main API.
const PROCEDURES: &str = "procedures";

fn procedure(
    name: &str,
    path: &str,
    file: &ProcedureFile,
    folders: &HashMap<&str, Folder>,
    tables: &HashMap<String, Arc<Table>>,
) -> Result<Arc<Procedure>> {
    let fail = |what: String| Error::new(ErrorKind::Schema, format!("{path}: {what}"));
    if !is_name(name) {
        return Err(fail(format!("the procedure name `{name}` is not lower case snake_case")));
    }
    let folder = folders
        .get(MAIN_FOLDER)
        .ok_or_else(|| fail(format!("the folder `{MAIN_FOLDER}` has no `_api.toml`")))?;
    Procedure::compile(name, file, &folder.api, tables)
        .map(Arc::new)
        .map_err(fail)
}

fn parse<T: serde::de::DeserializeOwned>(path: &str, text: &str) -> Result<T> {
    toml::from_str(text).map_err(|error| {
        let line = error
            .span()
            .map_or(1, |span| text[..span.start.min(text.len())].matches('\n').count() + 1);
        Error::new(ErrorKind::Schema, format!("{path}:{line}: {}", error.message()))
            .hint("schemas/schema.json describes the words of a schema file; CONTRIBUTING.md shows how to add a table")
    })
}

struct Folder {
    api: Arc<Api>,
    page: PageFile,
}

fn folder_of(name: &str, file: &ApiFile) -> Result<Folder> {
    let headers = file
        .headers
        .iter()
        .map(|(key, value)| (Arc::from(key.as_str()), Arc::from(value.as_str())))
        .collect();
    Ok(Folder {
        api: Arc::new(Api {
            name: name.to_owned(),
            deployment: file.deployment.clone(),
            headers,
            language: file.language.clone(),
        }),
        page: file.page.clone(),
    })
}

/// The folder that schema files outside of any folder belong to.
const MAIN_FOLDER: &str = "servicedesk";

struct Compiler<'a> {
    files: &'a HashMap<&'a str, (&'a str, TableFile)>,
    folders: &'a HashMap<&'a str, Folder>,
    done: HashMap<String, Arc<Table>>,
    /// Tables being compiled, to find circles of parents.
    open: Vec<String>,
}

impl Compiler<'_> {
    fn table(&mut self, name: &str) -> Result<Arc<Table>> {
        if let Some(table) = self.done.get(name) {
            return Ok(table.clone());
        }
        let (path, file) = &self.files[name];
        let fail = |what: String| Error::new(ErrorKind::Schema, format!("{path}: {what}"));
        if self.open.iter().any(|open| open == name) {
            return Err(fail(format!("the parents form a circle: {}", self.open.join(" → "))));
        }
        self.open.push(name.to_owned());
        let table = self.build(name, path, file).map_err(|error| match error {
            Problem::Here(what) => fail(what),
            Problem::Elsewhere(error) => error,
        })?;
        self.open.pop();
        let table = Arc::new(table);
        self.done.insert(name.to_owned(), table.clone());
        Ok(table)
    }

    fn build(&mut self, name: &str, path: &str, file: &TableFile) -> Result<Table, Problem> {
        if !is_name(name) {
            return Err(format!("the table name `{name}` is not lower case snake_case").into());
        }
        let folder_name = path.rsplit_once('/').map_or(MAIN_FOLDER, |(folder, _)| folder);
        let folder = self
            .folders
            .get(folder_name)
            .ok_or_else(|| format!("the folder `{folder_name}` has no `_api.toml`"))?;
        let page = page(&folder.page, &file.read.page)?;
        let each: Vec<_> = file
            .read
            .each
            .iter()
            .map(|(label, path)| (label.clone(), json_path(path)))
            .collect();
        let level = if each.is_empty() { 1 } else { 2 };
        let mut columns = columns(file, level)?;
        for (name, column) in &file.columns {
            if let Some(push) = &column.push
                && let Some(by) = &push.lookup
            {
                let lookup = self.lookup(name, by, push.take.as_deref())?;
                let index = find(&columns, name)?;
                if let Some(push) = &mut columns[index].push {
                    push.lookup = Some(lookup);
                }
            }
        }
        let search = file
            .read
            .search
            .as_ref()
            .map(|search| search.compile(|name| find(&columns, name)))
            .transpose()?;
        let mut custom = file
            .custom
            .as_ref()
            .map(|custom| custom_of(file, custom, &columns))
            .transpose()?;
        if let (Some(custom), Some(like)) = (&mut custom, file.custom.as_ref().and_then(|custom| custom.like.as_ref())) {
            if !self.files.contains_key(like.as_str()) {
                return Err(format!("`custom.like` names the table `{like}`, which does not exist").into());
            }
            custom.like = Some(self.table(like).map_err(Problem::Elsewhere)?);
        }

        let mut gets = Vec::new();
        for call in file.read.get.iter() {
            gets.push(Endpoint::parse(call, &columns)?);
        }
        let mut lists = Vec::new();
        for list in file.read.list.iter() {
            let (call, ignores) = match list {
                ListFile::Call(call) => (call, &[][..]),
                ListFile::Detailed(detail) => (&detail.call, &detail.ignores[..]),
            };
            let mut endpoint = Endpoint::parse(call, &columns)?;
            endpoint.ignores = ignores.iter().map(|name| find(&columns, name)).collect::<Result<_, _>>()?;
            lists.push(endpoint);
        }
        if gets.is_empty() && lists.is_empty() && search.is_none() && file.read.embed.is_none() {
            return Err("`read` has neither `list`, `get`, `search` nor `embed`".to_owned().into());
        }
        for (index, column) in columns.iter().enumerate() {
            let in_path = |endpoint: &Endpoint| endpoint.placeholders().any(|placeholder| placeholder == index);
            let sent = column.push.is_some() || lists.iter().chain(&gets).any(in_path);
            // An embedded row takes it from the row around it.
            let carried = file.read.embed.is_some() && file.columns.get(&column.name).is_some_and(|file| file.parent.is_some());
            if column.origin == Origin::Request && !sent && !carried && !column.write_only {
                return Err(format!("column `{}` is taken from the request, but no endpoint sends it", column.name).into());
            }
            if column.detail && gets.is_empty() {
                return Err(format!("column `{}` is a detail, but there is no `get`", column.name).into());
            }
        }

        let parent = self.parent(file, &columns)?;
        let embed = match (&file.read.embed, &parent) {
            (None, _) => None,
            (Some(embed), Some(parent)) if embed.expand.is_some() != embed.field.is_some() => Some(Embed {
                expand: embed.expand.clone(),
                field: embed.field.clone(),
                at: json_path(&embed.at),
                rows: embed.rows.as_ref().map_or_else(|| page.rows.clone(), |rows| json_path(rows)),
                bulk: embed.bulk.as_ref().map(|bulk| embed_bulk(bulk, parent)).transpose()?,
            }),
            (Some(_), Some(_)) => return Err("`embed` needs either `expand` or `field`".to_owned().into()),
            (Some(_), None) => return Err("`embed` needs a column with `parent`".to_owned().into()),
        };
        let unless = match &parent {
            Some(parent) => file
                .read
                .unless
                .iter()
                .map(|(name, value)| Ok((find(&parent.table.columns, name)?, value.clone())))
                .collect::<Result<Vec<_>, String>>()?,
            None if file.read.unless.is_empty() => Vec::new(),
            None => return Err("`unless` needs a column with `parent`".to_owned().into()),
        };
        if lists.is_empty()
            && search.is_none()
            && embed.is_none()
            && parent.is_none()
            && gets.iter().all(|get| get.placeholders().next().is_some())
        {
            return Err("no endpoint can list the rows".to_owned().into());
        }
        let identity: Vec<usize> = match &file.read.identity[..] {
            [] => (0..columns.len()).filter(|&index| columns[index].key).collect(),
            names => names.iter().map(|name| find(&columns, name)).collect::<Result<_, _>>()?,
        };
        // Only what the elements of a page themselves carry can tell them apart.
        let identity: Vec<_> = identity
            .into_iter()
            .filter(|&index| matches!(columns[index].origin, Origin::Json { level: 1, .. }))
            .collect();
        if file.read.sitewide && (parent.is_none() || identity.is_empty()) {
            return Err("`sitewide` needs a column with `parent`, and a key in the rows"
                .to_owned()
                .into());
        }
        let mut query: Vec<_> = file
            .read
            .query
            .iter()
            .map(|(key, value)| (key.clone(), value.clone()))
            .collect();
        query.sort();
        Ok(Table {
            name: name.to_owned(),
            doc: file.doc.trim().to_owned(),
            api: folder.api.clone(),
            unique: file.read.identity.is_empty() && columns.iter().any(|column| column.key),
            columns,
            gets,
            lists,
            page,
            query,
            each,
            parent,
            embed,
            identity,
            sitewide: file.read.sitewide,
            search,
            unless,
            optional: file.read.optional,
            custom,
            insert: None,
            updates: Vec::new(),
            delete: None,
            examples: Example::all(&file.examples),
        })
    }

    /// The table with what writes it. Writing may look into any table, its own children among them, so all tables are read first.
    fn written(&self, table: &Arc<Table>) -> Result<Arc<Table>> {
        let (path, file) = &self.files[table.name.as_str()];
        let fail = |what: String| Error::new(ErrorKind::Schema, format!("{path}: {what}"));
        let tables = Tables {
            own: Some(&table.name),
            others: &self.done,
        };
        let write = |file| Operation::compile(file, &table.columns, &tables).map_err(fail);
        let insert = file.insert.as_ref().map(write).transpose()?;
        let updates: Vec<Operation> = file.update.iter().map(write).collect::<Result<_>>()?;
        let delete = file.delete.as_ref().map(write).transpose()?;
        check_writes(&table.columns, insert.as_ref(), &updates, delete.as_ref()).map_err(fail)?;
        if insert.is_none() && updates.is_empty() && delete.is_none() {
            return Ok(table.clone());
        }
        let mut written = (**table).clone();
        (written.insert, written.updates, written.delete) = (insert, updates, delete);
        Ok(Arc::new(written))
    }

    /// The table and columns in which the JQL of an input is found.
    fn lookup(&mut self, name: &str, by: &str, take: Option<&str>) -> Result<Lookup, Problem> {
        let (table, by) = split_reference(name, by)?;
        let take = take.ok_or_else(|| format!("column `{name}`: `lookup` needs `take`"))?;
        if !self.files.contains_key(table.as_str()) {
            return Err(format!("column `{name}` looks into the table `{table}`, which does not exist").into());
        }
        let table = self.table(&table).map_err(Problem::Elsewhere)?;
        Ok(Lookup {
            by: find(&table.columns, &by)?,
            take: find(&table.columns, take)?,
            table,
        })
    }

    fn parent(&mut self, file: &TableFile, columns: &[Column]) -> Result<Option<Parent>, Problem> {
        let mut parent: Option<Parent> = None;
        for (name, column) in &file.columns {
            let Some(reference) = &column.parent else { continue };
            let (table, parent_column) = split_reference(name, reference)?;
            if !self.files.contains_key(table.as_str()) {
                return Err(format!("column `{name}` has the parent `{reference}`, but there is no table `{table}`").into());
            }
            let table = self.table(&table).map_err(Problem::Elsewhere)?;
            let there = table
                .column(&parent_column)
                .ok_or_else(|| format!("column `{name}` has the parent `{reference}`, but there is no such column"))?;
            let pair = (find(columns, name)?, there);
            match &mut parent {
                None => {
                    parent = Some(Parent {
                        table,
                        columns: vec![pair],
                    })
                }
                Some(known) if known.table.name == table.name => known.columns.push(pair),
                Some(known) => {
                    return Err(format!("columns have two parents, `{}` and `{}`", known.table.name, table.name).into());
                }
            }
        }
        Ok(parent)
    }
}

/// Every column that is only written is written by something; what is updated or deleted is named by columns that rows have.
fn check_writes(
    columns: &[Column],
    insert: Option<&Operation>,
    updates: &[Operation],
    delete: Option<&Operation>,
) -> Result<(), String> {
    for (index, column) in columns.iter().enumerate().filter(|(_, column)| column.write_only) {
        let written = insert.into_iter().chain(updates).any(|operation| operation.takes(index));
        if !written {
            return Err(format!("column `{}` is only written, but nothing writes it", column.name));
        }
        if delete.is_some_and(|delete| delete.takes(index)) {
            return Err(format!("`delete` needs the column `{}`, which no row has", column.name));
        }
    }
    for update in updates {
        if update.batch.is_some() {
            return Err("`update` writes row by row: it has no `list`".to_owned());
        }
        if let Some(place) = update.body.iter().find(|place| columns[place.column].key) {
            return Err(format!(
                "`update` sets `{}`, which is part of the key",
                columns[place.column].name
            ));
        }
    }
    Ok(())
}

/// Where an error belongs: to this file, or to a file it refers to.
enum Problem {
    Here(String),
    Elsewhere(Error),
}

impl From<String> for Problem {
    fn from(what: String) -> Self {
        Self::Here(what)
    }
}

fn page(folder: &PageFile, own: &PageFile) -> Result<Page, String> {
    fn word<T: Clone>(name: &str, own: &Option<T>, folder: &Option<T>) -> Result<T, String> {
        own.clone()
            .or_else(|| folder.clone())
            .ok_or_else(|| format!("`page.{name}` is given neither here nor in `_api.toml`"))
    }
    Ok(Page {
        style: word("style", &own.style, &folder.style)?,
        rows: json_path(&word("rows", &own.rows, &folder.rows)?),
        start: word("start", &own.start, &folder.start)?,
        limit: word("limit", &own.limit, &folder.limit)?,
        last: json_path(&word("last", &own.last, &folder.last)?),
        next: json_path(&word("next", &own.next, &folder.next)?),
        total: own.total.as_ref().or(folder.total.as_ref()).map(|path| json_path(path)),
        max: word("max", &own.max, &folder.max)?.max(1),
        moves: own.moves.or(folder.moves),
    })
}

fn columns(file: &TableFile, level: usize) -> Result<Vec<Column>, String> {
    let mut columns = Vec::new();
    for (name, column) in file.columns.iter().filter(|(name, _)| !is_template(name)) {
        if column.write.is_some() {
            return Err(format!(
                "column `{name}`: `write` is for `custom.types`; operations say what they write"
            ));
        }
        if !is_name(name) {
            return Err(format!("the column name `{name}` is not lower case snake_case"));
        }
        if column.kind == KindFile::User {
            columns.extend(user_columns(name, column, level)?);
        } else {
            columns.push(plain_column(name, column, level)?);
        }
    }
    for column in &mut columns {
        // Whatever stands in a field of an issue, it must not make the others unreadable.
        column.lenient |= file.read.search.is_some() && !column.key;
    }
    for (index, column) in columns.iter().enumerate() {
        if columns[..index].iter().any(|earlier| earlier.name == column.name) {
            return Err(format!("there are two columns `{}`", column.name));
        }
    }
    // A push may depend on columns that are declared later.
    for (name, column) in file
        .columns
        .iter()
        .filter(|(name, column)| !is_template(name) && column.kind != KindFile::User)
    {
        if let Some(push) = &column.push {
            let with = push
                .with
                .iter()
                .map(|(other, value)| Ok((find(&columns, other)?, Some(value.clone()).filter(|value| !value.is_empty()))))
                .collect::<Result<_, String>>()?;
            let index = find(&columns, name)?;
            if let Some(push) = &mut columns[index].push {
                push.with = with;
            }
        }
    }
    Ok(columns)
}

/// What the files say about columns that depend on the site.
fn custom_of(file: &TableFile, custom: &super::custom::CustomFile, columns: &[Column]) -> Result<Custom, String> {
    let fields = match custom.fields.strip_prefix("GET ") {
        Some(path) if path.starts_with('/') && !path.contains(['{', '?']) => path.to_owned(),
        _ => return Err(format!("`custom.fields` is `GET /path`, not `{}`", custom.fields)),
    };
    let (mut parts, mut templates) = (Vec::new(), Vec::new());
    for (name, column) in &file.columns {
        let Some(key) = &column.custom else {
            if is_template(name) {
                return Err(format!("column `{name}`: a template needs `custom`"));
            }
            continue;
        };
        if is_template(name) {
            let mut template = plain_column(name, column, 1)?;
            template.lenient = true;
            templates.push((key.clone(), template));
        } else if column.kind == KindFile::User {
            return Err(format!("column `{name}`: a part of a field is no user"));
        } else {
            let index = find(columns, name)?;
            let paths = match (&column.from, &columns[index].origin) {
                (Some(_), Origin::Json { paths, .. }) => paths.clone(),
                _ => vec![Vec::new()],
            };
            parts.push((index, key.clone(), paths));
        }
    }
    let types = custom.types.iter().map(|(key, column)| {
        let mut prototype = plain_column("field", column, 1)?;
        // It is the value of the field itself, unless told otherwise.
        if let (None, Origin::Json { paths, .. }) = (&column.from, &mut prototype.origin) {
            *paths = vec![Vec::new()];
        }
        prototype.lenient = true;
        let form = column
            .write
            .as_ref()
            .map(|form| Form::of_custom(form, &prototype))
            .transpose()?;
        Ok((key.clone(), prototype, form))
    });
    Ok(Custom {
        fields,
        at: custom.at.clone(),
        needed: custom.needed,
        parts,
        templates,
        types: types.collect::<Result<_, String>>()?,
        like: None,
    })
}

/// Whether a column name is a pattern for several columns.
fn is_template(name: &str) -> bool {
    name.contains("{name}")
}

pub(super) fn plain_column(name: &str, file: &ColumnFile, level: usize) -> Result<Column, String> {
    let kind = match file.kind {
        KindFile::Text => Kind::Text,
        KindFile::Boolean => Kind::Boolean,
        KindFile::Bigint => Kind::Bigint,
        KindFile::Double => Kind::Double,
        KindFile::Timestamp => Kind::Timestamp,
        KindFile::Date => Kind::Date,
        KindFile::Json => Kind::Json,
        KindFile::List => Kind::List,
        KindFile::User => return Err(format!("column `{name}` is a user")),
    };
    if file.flatten {
        return Err(format!("column `{name}`: `flatten` is for `type = \"user\"`"));
    }
    let in_address = file.input || file.push.as_ref().is_some_and(|push| push.jql.is_none());
    if in_address && !matches!(kind, Kind::Text | Kind::Boolean | Kind::Bigint) {
        return Err(format!(
            "column `{name}`: only text, boolean and bigint columns can be sent to the site"
        ));
    }
    if file.write_only && (file.input || file.key || file.from.is_some() || file.push.is_some() || file.parent.is_some()) {
        return Err(format!(
            "column `{name}`: what is only written has neither `from`, `key`, `parent` nor `push`"
        ));
    }
    if file.required && !file.input {
        return Err(format!("column `{name}`: `required` is for inputs"));
    }
    if file.input && (file.from.is_some() || file.key) {
        return Err(format!("column `{name}`: an input has neither `from` nor `key`"));
    }
    let origin = match &file.from {
        None if file.input || file.write_only || file.parent.is_some() => Origin::Request,
        None if file.custom.is_some() || is_template(name) => json_origin(name, &[String::new()], level, codec_of(file)?)?,
        None if file.property.is_some() => Origin::Json {
            level,
            paths: vec![vec!["properties".into(), file.property.clone().unwrap_or_default()]],
            codec: codec_of(file)?,
        },
        None => json_origin(name, &[camel_case(name)], level, codec_of(file)?)?,
        Some(OneOrMany::One(label)) if label == "@each" => Origin::Label,
        Some(from) => json_origin(name, &from.iter().cloned().collect::<Vec<_>>(), level, codec_of(file)?)?,
    };
    if origin == Origin::Label && level == 1 {
        return Err(format!("column `{name}`: `@each` needs `read.each`"));
    }
    let references = file
        .parent
        .as_ref()
        .or(file.references.as_ref())
        .map(|text| split_reference(name, text))
        .transpose()?;
    Ok(Column {
        name: name.to_owned(),
        doc: file.doc.clone(),
        kind,
        origin,
        key: file.key,
        references,
        input: file.input,
        required: file.required,
        push: file.push.as_ref().map(|push| push_of(name, push)).transpose()?,
        one_of: file.one_of.clone(),
        format: file.format.map(|format| match format {
            FormatFile::Integer => Format::Integer,
            FormatFile::IssueKey => Format::IssueKey,
        }),
        expand: file.expand.clone(),
        ask: file.ask.iter().map(|(key, value)| (key.clone(), value.clone())).collect(),
        detail: file.detail,
        desk: file.desk,
        property: file.property.clone(),
        lenient: false,
        write_only: file.write_only,
        max_chars: file.max_chars,
        field: None,
    })
}

fn embed_bulk(file: &EmbedBulkFile, parent: &Parent) -> Result<EmbedBulk, String> {
    // Its answers name the rows of the parent by id: the parent's search knows which key an id has.
    let by_key = |search: &Search| {
        parent
            .columns
            .iter()
            .all(|(_, there)| [search.id, search.key].contains(there))
    };
    if !parent.table.search.as_ref().is_some_and(by_key) {
        return Err("`embed.bulk` needs a parent that is found by JQL, and columns from its id and key alone".to_owned());
    }
    if file.batch == 0 || file.max == 0 {
        return Err("`embed.bulk.batch` and `embed.bulk.max` cannot be 0".to_owned());
    }
    Ok(EmbedBulk {
        call: super::search::post_path(&file.call)?,
        batch: file.batch,
        max: file.max,
        parents: file.parents.clone(),
        parent: file.parent.clone(),
        rows: file.rows.clone(),
        id: file.id.clone(),
    })
}

fn codec_of(file: &ColumnFile) -> Result<Option<Codec>, String> {
    if !file.pick.is_empty() {
        return match file.codec {
            None => Ok(Some(Codec::Pick(file.pick.clone()))),
            Some(_) => Err("`pick` is itself a codec".to_owned()),
        };
    }
    Ok(file.codec.map(|codec| match codec {
        CodecFile::UrlTail => Codec::UrlTail,
        CodecFile::LowerCase => Codec::LowerCase,
        CodecFile::Adf => Codec::Adf,
        CodecFile::Epoch => Codec::Epoch,
        CodecFile::Cascade => Codec::Cascade,
        CodecFile::SlaBreached => Codec::Sla(SlaPart::Breached),
        CodecFile::SlaRemaining => Codec::Sla(SlaPart::Remaining),
        CodecFile::SlaBreachTime => Codec::Sla(SlaPart::BreachTime),
        CodecFile::SlaCompleted => Codec::Sla(SlaPart::Completed),
    }))
}

fn push_of(column: &str, file: &super::file::PushFile) -> Result<Push, String> {
    let ways = [
        file.query.is_some(),
        !file.when.is_empty(),
        file.jql.is_some(),
        file.raw,
        file.lookup.is_some(),
    ];
    if ways.into_iter().filter(|way| *way).count() != 1 {
        return Err(format!(
            "column `{column}`: `push` needs one of `query`, `when`, `jql`, `raw` and `lookup`"
        ));
    }
    if let Some(op) = file.exact.iter().find(|op| !file.ops.contains(op)) {
        return Err(format!(
            "column `{column}`: `push.exact` has {op:?}, which `push.ops` has not"
        ));
    }
    let when = file
        .when
        .iter()
        .map(|(value, sent)| {
            let (parameter, sent) = sent
                .split_once('=')
                .ok_or_else(|| format!("column `{column}`: `push.when` is `value = \"parameter=value\"`, not `{sent}`"))?;
            Ok((value.clone(), (parameter.to_owned(), sent.to_owned())))
        })
        .collect::<Result<_, String>>()?;
    Ok(Push {
        query: file.query.clone(),
        repeat: file.repeat,
        when,
        default: file.default.clone(),
        with: Vec::new(),
        jql: file.jql.as_ref().map(|field| Jql {
            field: field.clone(),
            ops: file.ops.clone(),
            exact: file.exact.clone(),
            literal: file.literal,
            values: file
                .values
                .iter()
                .map(|(value, literal)| (value.clone(), literal.clone()))
                .collect(),
            order: file.order,
            vague: file.vague,
        }),
        raw: file.raw,
        lookup: None,
    })
}

pub(super) fn user_columns(name: &str, file: &ColumnFile, level: usize) -> Result<Vec<Column>, String> {
    let in_address = file.push.as_ref().is_some_and(|push| push.jql.is_none());
    if file.input || in_address || file.parent.is_some() || file.codec.is_some() {
        return Err(format!(
            "column `{name}`: a user takes only `from`, `key`, `expand`, `flatten` and `doc`"
        ));
    }
    let bases: Vec<String> = file
        .from
        .as_ref()
        .map_or_else(|| vec![camel_case(name)], |from| from.iter().cloned().collect());
    USER.iter()
        .enumerate()
        .map(|(index, (suffix, keys, kind, doc))| {
            let column_name = if file.flatten {
                (*suffix).to_owned()
            } else {
                format!("{name}_{suffix}")
            };
            let paths: Vec<_> = bases
                .iter()
                .flat_map(|base| {
                    keys.iter().map(move |key| {
                        if base.is_empty() {
                            (*key).to_owned()
                        } else {
                            format!("{base}.{key}")
                        }
                    })
                })
                .collect();
            Ok(Column {
                doc: format!("{} ({doc}).", file.doc.trim_end_matches('.')),
                kind: *kind,
                origin: json_origin(&column_name, &paths, level, None)?,
                name: column_name,
                key: file.key && index == 0,
                references: None,
                input: false,
                required: false,
                // The site looks people up by their account id.
                push: if index == 0 {
                    file.push.as_ref().map(|push| push_of(name, push)).transpose()?
                } else {
                    None
                },
                one_of: Vec::new(),
                format: None,
                expand: file.expand.clone(),
                ask: Vec::new(),
                detail: false,
                desk: false,
                property: None,
                lenient: false,
                write_only: false,
                max_chars: None,
                field: None,
            })
        })
        .collect()
}

fn json_origin(column: &str, from: &[String], level: usize, codec: Option<Codec>) -> Result<Origin, String> {
    let ups = |path: &str| path.split('/').take_while(|part| *part == "..").count();
    let up = from.first().map_or(0, |path| ups(path));
    if from.is_empty() || from.iter().any(|path| ups(path) != up) {
        return Err(format!(
            "column `{column}`: the paths of `from` must start in the same object"
        ));
    }
    if up > level {
        return Err(format!("column `{column}`: `{}` leaves the answer", from[0]));
    }
    let paths = from.iter().map(|path| json_path(path.trim_start_matches("../"))).collect();
    Ok(Origin::Json {
        level: level - up,
        paths,
        codec,
    })
}

pub(super) fn json_path(text: &str) -> JsonPath {
    text.split('.').filter(|key| !key.is_empty()).map(str::to_owned).collect()
}

pub(super) fn find(columns: &[Column], name: &str) -> Result<usize, String> {
    columns
        .iter()
        .position(|column| column.name == name)
        .ok_or_else(|| format!("there is no column `{name}`"))
}

fn split_reference(column: &str, reference: &str) -> Result<(String, String), String> {
    reference
        .split_once('.')
        .map(|(table, column)| (table.to_owned(), column.to_owned()))
        .ok_or_else(|| format!("column `{column}`: `{reference}` is not of the form `table.column`"))
}

fn is_name(name: &str) -> bool {
    name.starts_with(|c: char| c.is_ascii_lowercase())
        && name.chars().all(|c| c.is_ascii_lowercase() || c.is_ascii_digit() || c == '_')
}

fn camel_case(name: &str) -> String {
    let mut parts = name.split('_');
    let mut result = parts.next().unwrap_or_default().to_owned();
    for part in parts {
        let mut chars = part.chars();
        result.extend(chars.next().map(|c| c.to_ascii_uppercase()));
        result.push_str(chars.as_str());
    }
    result
}

#[cfg(test)]
mod tests {
    use crate::schema::Catalog;

    #[test]
    fn two_files_of_one_name_are_an_error() {
        let folder = tempfile::tempdir().unwrap();
        let table =
            "doc = \"Things.\"\nread.list = \"GET /things\"\n[columns]\nid = { type = \"text\", key = true, doc = \"Id.\" }\n";
        let write = |path: &str| {
            let path = folder.path().join(path);
            std::fs::create_dir_all(path.parent().unwrap()).unwrap();
            std::fs::write(path, table).unwrap();
        };
        // One in place of ours is wanted.
        write("platform/labels.toml");
        assert!(
            Catalog::load(Some(folder.path()))
                .unwrap()
                .table("labels")
                .unwrap()
                .column("id")
                .is_some()
        );
        write("a/things.toml");
        write("b/things.toml");
        let error = Catalog::load(Some(folder.path())).unwrap_err();
        assert!(error.message().contains("a/things.toml and b/things.toml"), "{error}");
        assert!(error.hint_text().is_some());
    }
}
