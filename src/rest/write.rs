//! Driving a write: rows → bindings → requests → outcomes.
//!
//! All rows are known and checked before the first request: a write never reads what it has written, a wrong value spoils nothing, and
//! limits are kept or the statement fails before it starts. Then requests go out one by one in the order of the rows
//! (`OnRowError=stop`), or to several parents at a time and in order for each of them (`continue`). Every row ends in one
//! outcome; see [`outcome`](super::outcome).

use std::collections::{BTreeMap, HashMap, HashSet};
use std::sync::atomic::{AtomicBool, Ordering::Relaxed};
use std::sync::{Arc, Mutex, PoisonError};

use arrow::array::{RecordBatch, UInt64Array};
use arrow::datatypes::{DataType, Field, Schema, SchemaRef};
use bytes::Bytes;
use futures::StreamExt;

use super::deliver::{Fate, is_fatal};
use super::dry::{requests_schema, show};
use super::outcome::{Ledger, Outcome};
use super::read::Scope;
use super::request::operation_body;
use super::said::{self, Difference};
use super::unit::{self, Unit};
use super::value::Value;
use super::{answer, arrow_field, bulk};
use crate::error::{Error, ErrorKind, Result};
use crate::http::{Held, Request};
use crate::schema::{Operation, Table};

/// What is done to rows.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub(crate) enum Change {
    Insert,
    Update,
    Delete,
}

/// What a write answers.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub(crate) enum Output {
    /// How many rows the site took.
    Count,
    /// The rows, as the site answered them.
    Rows,
    /// The requests, unsent.
    Requests,
}

/// A write: only data.
#[derive(Debug, Clone)]
pub(crate) struct Write {
    pub(crate) table: Arc<Table>,
    pub(crate) change: Change,
    /// Columns that the rows come with.
    pub(crate) columns: Vec<usize>,
    /// Those of them that are set, where rows are changed.
    pub(crate) set: Vec<usize>,
    pub(crate) output: Output,
    /// Nothing but the rows themselves is read: no other rows, and no other tables.
    pub(crate) alone: bool,
}

impl Write {
    /// The operations that each row takes.
    pub(crate) fn operations(&self) -> Vec<&Operation> {
        match self.change {
            Change::Insert => self.table.insert.iter().collect(),
            Change::Delete => self.table.delete.iter().collect(),
            Change::Update => {
                let sets = |update: &&Operation| self.set.iter().any(|&column| update.sets(column));
                self.table.updates.iter().filter(sets).collect()
            }
        }
    }

    /// Columns of what the write answers.
    pub(crate) fn schema(&self) -> SchemaRef {
        match self.output {
            Output::Count => Arc::new(Schema::new(vec![Field::new("count", DataType::UInt64, false)])),
            Output::Rows => Arc::new(Schema::new(
                self.table
                    .columns
                    .iter()
                    .map(|column| arrow_field(column).with_nullable(true))
                    .collect::<Vec<_>>(),
            )),
            Output::Requests => requests_schema(),
        }
    }
}

fn unfit(error: arrow::error::ArrowError) -> Error {
    Error::new(ErrorKind::Internal, format!("the columns do not fit together: {error}"))
}

/// Rows to write, with the columns of the write.
pub(crate) struct Lot {
    pub(crate) rows: RecordBatch,
    /// Rows with a value that does not fit its column, and what is wrong with it.
    pub(crate) wrong: BTreeMap<usize, String>,
}

/// The error of rows for which there was no room.
pub(crate) fn unsent(error: &Error) -> Error {
    let unsent = Error::new(error.kind(), format!("{}; nothing was sent", error.message()));
    match error.hint_text() {
        Some(hint) => unsent.hint(hint),
        None => unsent,
    }
}

/// Writes rows.
///
/// # Errors
/// A row was not applied: the message says how many were, and `sys.writes` lists them all.
pub(crate) async fn run(scope: Scope, write: &Write, lots: &[Lot]) -> Result<RecordBatch> {
    let writer = Writer::new(scope, write, lots).map_err(|error| error.table(&write.table.name))?;
    writer.run().await.map_err(|error| error.table(&write.table.name))
}

/// One row.
pub(super) struct Row {
    pub(super) given: Vec<Option<Value>>,
    /// What is wrong with it, found before anything is sent.
    problem: Option<Error>,
}

pub(super) struct Writer<'a> {
    pub(super) scope: Scope,
    pub(super) write: &'a Write,
    pub(super) operations: Vec<&'a Operation>,
    pub(super) name: Arc<str>,
    pub(super) rows: Vec<Row>,
    ledger: Arc<Ledger>,
    pub(super) stopped: AtomicBool,
    /// What the rows, their answers and the requests that are shown take of the memory of the statement.
    held: Mutex<Held>,
    /// The first row that was not applied, and why.
    trouble: Mutex<Option<(usize, Error)>>,
    answers: Mutex<HashMap<usize, RecordBatch>>,
    /// Keys that the site gave to rows.
    keys: Mutex<HashSet<String>>,
}

impl<'a> Writer<'a> {
    fn new(scope: Scope, write: &'a Write, lots: &[Lot]) -> Result<Self> {
        let operations = write.operations();
        if operations.is_empty() {
            return Err(Error::new(
                ErrorKind::Internal,
                "a table that is not written to is to be written to",
            ));
        }
        let held = scope.statement.memory();
        let mut writer = Self {
            scope,
            write,
            operations,
            name: Arc::from(write.table.name.as_str()),
            rows: Vec::new(),
            ledger: Arc::default(),
            stopped: AtomicBool::new(false),
            held: Mutex::new(held),
            trouble: Mutex::default(),
            answers: Mutex::default(),
            keys: Mutex::default(),
        };
        let count: usize = lots.iter().map(|lot| lot.rows.num_rows()).sum();
        if let Some(most) = writer.scope.site.writing.max_rows
            && count as u64 > most
        {
            return Err(Error::new(
                ErrorKind::Limit,
                format!("the statement would write {count} rows, which exceeds MaxWriteRows={most}; nothing was sent"),
            )
            .hint("narrow the WHERE clause, or raise option MaxWriteRows"));
        }
        // The values of a row, and the texts in them, once more.
        let size = count * write.table.columns.len() * size_of::<Option<Value>>();
        let texts: usize = lots.iter().map(|lot| lot.rows.get_array_memory_size()).sum();
        writer.hold(size + texts).map_err(|error| unsent(&error))?;
        for lot in lots {
            for row in 0..lot.rows.num_rows() {
                let row = writer.row(&lot.rows, row, lot.wrong.get(&row));
                writer.rows.push(row);
            }
        }
        if write.change != Change::Insert {
            writer.once_each();
        }
        let keys = writer.rows.iter().map(|row| writer.key(&row.given));
        writer.ledger = Arc::new(Ledger::new(writer.scope.statement.number(), keys));
        Ok(writer)
    }

    fn hold(&self, bytes: usize) -> Result<()> {
        self.held.lock().unwrap_or_else(PoisonError::into_inner).grow(bytes)
    }

    fn row(&self, batch: &RecordBatch, row: usize, wrong: Option<&String>) -> Row {
        let table = &self.write.table;
        let mut given = vec![None; table.columns.len()];
        let mut problem = wrong.cloned();
        let mut hint = "correct the value and write the row again".to_owned();
        for (position, &index) in self.write.columns.iter().enumerate() {
            let column = &table.columns[index];
            let value = Value::read(column, batch.column(position), row);
            // What says which row it is comes from the site, so it is good as it is.
            let is_new = self.write.change == Change::Insert || self.write.set.contains(&index);
            let checked = value.and_then(|value| {
                if is_new {
                    value.check(column).map(|()| value)
                } else {
                    Ok(value)
                }
            });
            match checked {
                Ok(value) => given[index] = Some(value),
                Err(what) => {
                    problem.get_or_insert(format!("{}: {what}", column.name));
                }
            }
        }
        if problem.is_none() {
            problem = self.missing(&given);
            if let Some((along, wanted)) = problem.as_ref().and_then(|_| self.wants(&given)) {
                problem = Some(format!("{along} is set only along with {wanted}, which is not given"));
                hint = format!("add {wanted} to SET, or leave {along} out");
            }
        }
        Row {
            given,
            problem: problem.map(|what| Error::new(ErrorKind::Statement, what).hint(hint)),
        }
    }

    /// A column without which the row cannot be written.
    fn missing(&self, given: &[Option<Value>]) -> Option<String> {
        let has = |column: usize| matches!(&given[column], Some(value) if *value != Value::Null);
        for operation in &self.operations {
            for (index, column) in self.write.table.columns.iter().enumerate() {
                if operation.needs(index) && !has(index) {
                    return Some(format!("{}: a value is required", column.name));
                }
            }
            for columns in &operation.either {
                if columns.iter().filter(|&&column| has(column)).count() != 1 {
                    let names: Vec<&str> = columns
                        .iter()
                        .map(|&column| &*self.write.table.columns[column].name)
                        .collect();
                    return Some(format!("one of {} is required, and no more than one", names.join(", ")));
                }
            }
            // A value that is found by another needs that other one, and what is bound to find it.
            for find in &operation.finds {
                let here = |column: usize| &self.write.table.columns[column].name;
                if operation.required.contains(&find.column) && !has(find.column) && !has(find.given) {
                    return Some(format!(
                        "{}: a value is required, or one for {}",
                        here(find.column),
                        here(find.given)
                    ));
                }
            }
        }
        None
    }

    /// A column that is set, and the one that the site wants along with it and that is not set.
    fn wants(&self, given: &[Option<Value>]) -> Option<(&str, &str)> {
        let name = |column: usize| self.write.table.columns[column].name.as_str();
        let is_update = self.write.change == Change::Update;
        self.operations.iter().filter(|_| is_update).find_map(|operation| {
            let wanted = operation.required.iter().find(|&&column| given[column].is_none())?;
            let along = self.write.set.iter().find(|&&column| operation.sets(column))?;
            Some((name(*along), name(*wanted)))
        })
    }

    /// A row that was read several times is written once.
    fn once_each(&mut self) {
        let mut seen = HashSet::new();
        let rows = std::mem::take(&mut self.rows);
        let first = |row: &Row| self.key(&row.given).is_none_or(|key| seen.insert(key));
        self.rows = rows.into_iter().filter(first).collect();
    }

    /// The key of a row, as far as it is given.
    fn key(&self, given: &[Option<Value>]) -> Option<String> {
        let texts: Vec<String> = self
            .write
            .table
            .key()
            .filter_map(|column| given[column].as_ref()?.text().map(std::borrow::Cow::into_owned))
            .collect();
        (!texts.is_empty()).then(|| texts.join(", "))
    }

    async fn run(&self) -> Result<RecordBatch> {
        let goes_on = self.scope.site.writing.goes_on;
        let wrong = self.rows.iter().position(|row| row.problem.is_some());
        let dry = self.write.output == Output::Requests;
        if !dry {
            self.scope.site.writes.begin(self.ledger.clone());
        }
        if let Some(row) = wrong
            && (!goes_on || dry)
        {
            let error = self.problem(row);
            if !dry {
                self.note(row, Outcome::Failed, Some(&error));
            }
            self.trouble(row, error);
            return Err(self.verdict());
        }
        let units = self.units();
        self.scope.afford((units.len() * self.operations.len()) as u64)?;
        if dry {
            return self.show(&units).await;
        }
        for (row, _) in self.rows.iter().enumerate().filter(|(_, row)| row.problem.is_some()) {
            let error = self.problem(row);
            self.note(row, Outcome::Failed, Some(&error));
            self.trouble(row, error);
        }
        if goes_on {
            self.side_by_side(units).await;
        } else {
            for unit in units {
                self.deliver(unit).await;
                if self.stopped.load(Relaxed) {
                    break;
                }
            }
        }
        if self.trouble.lock().unwrap_or_else(PoisonError::into_inner).is_some() {
            return Err(self.verdict());
        }
        self.done()
    }

    fn problem(&self, row: usize) -> Error {
        let problem = self.rows[row].problem.as_ref();
        problem.map_or_else(|| Error::new(ErrorKind::Internal, "a row is wrong"), Error::again)
    }

    /// Which rows share a request.
    fn units(&self) -> Vec<Unit> {
        let rows = self.rows.iter().enumerate().filter(|(_, row)| row.problem.is_none());
        let rows = rows.map(|(index, row)| (index, &row.given[..]));
        unit::units(self.operations[0], self.write.change, self.scope.site.writing.batch, rows)
    }

    /// Several parents at a time, each in order.
    async fn side_by_side(&self, units: Vec<Unit>) {
        let mut lanes: Vec<Vec<Unit>> = Vec::new();
        let mut of: HashMap<String, usize> = HashMap::new();
        for unit in units {
            match unit.lane.as_ref().and_then(|lane| of.get(lane)) {
                Some(&lane) => lanes[lane].push(unit),
                None => {
                    of.extend(unit.lane.clone().map(|lane| (lane, lanes.len())));
                    lanes.push(vec![unit]);
                }
            }
        }
        let most = self.scope.site.client.max_concurrency();
        futures::stream::iter(lanes)
            .for_each_concurrent(most, |lane| async move {
                for unit in lane {
                    if self.stopped.load(Relaxed) {
                        return;
                    }
                    self.deliver(unit).await;
                }
            })
            .await;
    }

    pub(super) fn settle(&self, rows: &[usize], fate: Fate) {
        let goes_on = self.scope.site.writing.goes_on;
        let (outcome, error) = match fate {
            Fate::Applied(answer, differences) => {
                if let Some(error) = answer.as_ref().and_then(|answer| self.is_of_another_row(answer)) {
                    return self.settle(rows, Fate::Unknown(error));
                }
                for &row in rows {
                    self.note(row, Outcome::Applied, None);
                }
                self.differ(rows, Outcome::Applied, &differences);
                return self.keep(rows, answer);
            }
            Fate::Another(answer, differences) => {
                self.differ(rows, Outcome::Contradicted, &differences);
                return self.keep(rows, Some(answer));
            }
            Fate::Gone => {
                for &row in rows {
                    self.note(row, Outcome::Gone, None);
                }
                return;
            }
            Fate::Existed(answer) => {
                let text = format!(
                    "{}: {{}} rows were there already, and the site made nothing",
                    self.write.table.name
                );
                self.scope.statement.warn(text, rows.len() as u64);
                for &row in rows {
                    self.note(row, Outcome::Existed, None);
                }
                return self.keep(rows, Some(answer));
            }
            Fate::Shown(contradicted) => {
                for &row in rows {
                    self.note(row, Outcome::Applied, None);
                }
                if !contradicted.is_empty() {
                    let shows = match self.write.change {
                        Change::Delete => "still shows",
                        Change::Insert | Change::Update => "does not show",
                    };
                    let what = format!("the site accepted the request, and its answer {shows} the row");
                    let text = format!(
                        "{}: {{}} rows were accepted by the site, whose answer {shows} them",
                        self.write.table.name
                    );
                    self.scope.statement.warn(text, contradicted.len() as u64);
                    for row in contradicted {
                        self.ledger.note(row, Outcome::Contradicted, Some(what.clone()));
                    }
                }
                return;
            }
            Fate::Failed(error) => (Outcome::Failed, error),
            Fate::Unknown(error) => (Outcome::Unknown, error),
            Fate::Untouched(error) => (Outcome::NotAttempted, error),
        };
        for &row in rows {
            self.note(row, outcome, Some(&error));
        }
        if !goes_on || is_fatal(&error) {
            self.stopped.store(true, Relaxed);
        }
        self.trouble(rows[0], error);
    }

    /// Notes what the site shows otherwise than it was sent.
    fn differ(&self, rows: &[usize], outcome: Outcome, differences: &[Difference]) {
        if differences.is_empty() {
            return;
        }
        let text = format!(
            "{}: {{}} rows were taken by the site, whose answer shows another {}",
            self.write.table.name,
            said::columns(differences)
        );
        self.scope.statement.warn(text, rows.len() as u64);
        for &row in rows {
            self.ledger.note(row, outcome, Some(said::told(differences)));
        }
    }

    /// The error of an answer that gives a row the key that another row of the statement has got.
    fn is_of_another_row(&self, answer: &RecordBatch) -> Option<Error> {
        let is_new = self.write.change == Change::Insert && self.write.table.key().any(|key| !self.write.columns.contains(&key));
        let key = self.new_key(answer).filter(|_| is_new)?;
        let mut keys = self.keys.lock().unwrap_or_else(PoisonError::into_inner);
        let what =
            format!("the site answers with the key {key}, which it gave to another row: whether it took this one is not known");
        (!keys.insert(key))
            .then(|| Error::new(ErrorKind::Decode, what).hint("look at the site for the row before writing it again"))
    }

    /// Notes what the site answered to a row, and keeps it for those who asked for rows. Where there is no room, the rows so far are
    /// written, and no others.
    fn keep(&self, rows: &[usize], answer: Option<RecordBatch>) {
        let (Some(answer), &[row]) = (answer, rows) else { return };
        self.touch_answered(&answer);
        if let Some(key) = self.new_key(&answer) {
            self.ledger.note_key(row, key);
        }
        if self.write.output != Output::Rows {
            return;
        }
        match self.hold(answer.get_array_memory_size()) {
            Ok(()) => {
                let mut answers = self.answers.lock().unwrap_or_else(PoisonError::into_inner);
                answers.insert(row, answer);
            }
            Err(error) => {
                self.stopped.store(true, Relaxed);
                self.trouble(row, error);
            }
        }
    }

    fn new_key(&self, answer: &RecordBatch) -> Option<String> {
        let table = &self.write.table;
        let texts: Vec<String> = table
            .key()
            .filter_map(|key| {
                let position = answer.schema().index_of(&table.columns[key].name).ok()?;
                let value = Value::read(&table.columns[key], answer.column(position), 0).ok()?;
                value.text().map(std::borrow::Cow::into_owned)
            })
            .collect();
        (!texts.is_empty()).then(|| texts.join(", "))
    }

    pub(super) fn note(&self, row: usize, outcome: Outcome, error: Option<&Error>) {
        let error = error.map(|error| error.message().to_owned());
        self.ledger.note(row, outcome, error);
    }

    /// Remembers the first row that was not applied.
    fn trouble(&self, row: usize, error: Error) {
        let mut trouble = self.trouble.lock().unwrap_or_else(PoisonError::into_inner);
        if trouble.as_ref().is_none_or(|(first, _)| row < *first) {
            *trouble = Some((row, error));
        }
    }

    /// The error of the statement: what happened to the first row in trouble, and to all rows together.
    fn verdict(&self) -> Error {
        let mut trouble = self.trouble.lock().unwrap_or_else(PoisonError::into_inner);
        let Some((row, first)) = trouble.take() else {
            return Error::new(ErrorKind::Internal, "a write went wrong and nobody knows why");
        };
        let counts = self.ledger.counts();
        let of = if self.rows.len() == 1 {
            String::new()
        } else {
            format!("row {} of {}: ", row + 1, self.rows.len())
        };
        let message = format!("{of}{} ({counts})", first.message());
        let mut hints: Vec<&str> = first.hint_text().into_iter().collect();
        if self.rows.len() > 1 && self.write.output != Output::Requests {
            hints.push("SELECT * FROM sys.writes lists the rows");
        }
        let mut error = Error::new(first.kind(), message);
        if !hints.is_empty() {
            error = error.hint(hints.join("; "));
        }
        if let Some(request) = first.request_context() {
            error = error.request(request.clone());
        }
        error.source(first)
    }

    fn done(&self) -> Result<RecordBatch> {
        if self.write.output == Output::Rows {
            let schema = self.write.schema();
            let all: Vec<usize> = (0..self.write.table.columns.len()).collect();
            let mut answers = self.answers.lock().unwrap_or_else(PoisonError::into_inner);
            let rows: Vec<RecordBatch> = (0..self.rows.len())
                .filter(|&row| !self.ledger.is_contradicted(row))
                .map(|row| {
                    let batch = match answers.remove(&row) {
                        Some(batch) => batch,
                        None => answer::of_values(&self.write.table, &all, &self.rows[row].given)?,
                    };
                    batch.with_schema(schema.clone()).map_err(unfit)
                })
                .collect::<Result<_>>()?;
            return arrow::compute::concat_batches(&schema, &rows).map_err(unfit);
        }
        let count = UInt64Array::from(vec![self.ledger.counts().applied]);
        RecordBatch::try_new(self.write.schema(), vec![Arc::new(count)]).map_err(unfit)
    }

    async fn show(&self, units: &[Unit]) -> Result<RecordBatch> {
        let mut requests = Vec::new();
        let mut counted = 0;
        for unit in units {
            // What was made for the units before: once as it is kept, and once as it will be shown.
            let size = |(_, _, request): &(usize, usize, Request)| {
                let body = request.body.as_ref().map_or(0, Bytes::len);
                size_of::<Request>() + request.path.len() + 2 * body
            };
            let made: usize = requests[counted..].iter().map(size).sum();
            counted = requests.len();
            self.hold(made).map_err(|error| unsent(&error))?;
            let first = unit.rows[0];
            if let (Some(bulk), [_, _, ..]) = (&self.operations[0].bulk, &unit.rows[..]) {
                let body = |&row: &usize| {
                    operation_body(
                        self.operations[0],
                        &self.write.table.columns,
                        &self.rows[row].given,
                        &[],
                        false,
                    )
                };
                let bodies: Vec<Option<Bytes>> = unit.rows.iter().map(body).collect::<Result<_>>()?;
                let bodies: Vec<Bytes> = bodies.into_iter().flatten().collect();
                let request = bulk::request(&self.name, &self.write.table.api, bulk, &bodies);
                requests.push((first, unit.rows.len(), request));
                continue;
            }
            let mut given = self.rows[first].given.clone();
            for operation in &self.operations {
                match self.request(operation, &unit.rows, &mut given).await {
                    Ok(request) => requests.push((first, unit.rows.len(), request)),
                    Err(error) if self.is_so_already(operation, &given, &error).await => {}
                    Err(error) => {
                        self.trouble(first, error);
                        return Err(self.verdict());
                    }
                }
            }
        }
        let requests: Vec<_> = requests
            .into_iter()
            .map(|(row, rows, request)| {
                let body = request.body.as_ref().map(|body| String::from_utf8_lossy(body).into_owned());
                (row, rows, request, body)
            })
            .collect();
        show(&requests)
    }
}

#[cfg(test)]
mod tests {
    use arrow::array::StringArray;

    use super::*;
    use crate::http::{Client, ClientOptions, Statement};
    use crate::rest::arrow_schema;
    use crate::rest::site::{Site, Writing};
    use crate::schema::Catalog;

    #[test]
    fn answers_are_kept_only_for_those_who_read_them() {
        let client = Client::new(ClientOptions::site("http://127.0.0.1:9".parse().unwrap())).unwrap();
        let site = Arc::new(Site::new(client, None, None, Vec::new(), Writing::default()));
        let catalog = Catalog::load(None).unwrap();
        let table = catalog.table("request_comments").unwrap();
        let columns: Vec<usize> = ["issue_key", "body"].map(|name| table.column(name).unwrap()).into();
        let values = ["ITSM-1", "Hello"].map(|text| Arc::new(StringArray::from(vec![text])) as _);
        let rows = RecordBatch::try_new(arrow_schema(table, &columns), values.into()).unwrap();
        let wrong = BTreeMap::new();
        let lots = [Lot { rows, wrong }];
        for (output, kept) in [(Output::Count, 0), (Output::Rows, 1)] {
            let write = Write {
                table: table.clone(),
                change: Change::Insert,
                columns: columns.clone(),
                set: Vec::new(),
                output,
                alone: false,
            };
            let scope = Scope {
                site: site.clone(),
                statement: Statement::new(1, None),
                stats: Arc::default(),
            };
            let writer = Writer::new(scope, &write, &lots).unwrap();
            let answer = answer::of_values(table, &columns, &writer.rows[0].given).unwrap();
            writer.settle(&[0], Fate::Applied(Some(answer), Vec::new()));
            assert_eq!(writer.answers.lock().unwrap().len(), kept, "{output:?}");
            assert_eq!(writer.ledger.counts().applied, 1);
        }
    }
}
