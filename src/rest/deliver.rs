//! Delivering rows of a write: the requests of a unit, and what the site's answers mean for its rows. What becomes of them is kept by
//! [`write`](super::write).

use std::collections::BTreeMap;
use std::sync::atomic::Ordering::Relaxed;

use arrow::array::RecordBatch;
use bytes::Bytes;
use tokio::time::Instant;

use super::outcome::Outcome;
use super::request::{operation_body, operation_request};
use super::said::{self, Difference};
use super::unit::Unit;
use super::value::Value;
use super::write::{Change, Output, Writer};
use super::{answer, bulk, find};
use crate::error::{Error, ErrorKind, RequestContext, Result};
use crate::http::{Request, Response, Terms, complaint, is_outcome_unknown};
use crate::schema::{Bulk, Format, Operation, Segment};

/// What became of a unit.
pub(super) enum Fate {
    /// Applied; the answer as a row, where it is one, and what it shows otherwise than it was sent.
    Applied(Option<RecordBatch>, Vec<Difference>),
    /// Accepted, but for these rows, of which the answer shows the contrary.
    Shown(Vec<usize>),
    /// There before; the answer as a row.
    Existed(RecordBatch),
    /// Accepted, and the answer is about another row.
    Another(RecordBatch, Vec<Difference>),
    Gone,
    Failed(Error),
    Unknown(Error),
    /// Nothing was sent.
    Untouched(Error),
}

impl Writer<'_> {
    /// Sends a unit and notes what became of its rows. A list that was refused is sent again value by value, so that the right row gets
    /// the blame: nothing of it was taken, and adding or removing a member is the same for one as for many.
    pub(super) async fn deliver(&self, unit: Unit) {
        let operation = self.operations[0];
        if let (Some(bulk), [_, _, ..]) = (&operation.bulk, &unit.rows[..]) {
            return self.deliver_bulk(operation, bulk, &unit.rows).await;
        }
        let is_list = operation.batch.is_some() && unit.rows.len() > 1;
        match self.attempt(&unit.rows).await {
            Fate::Failed(error) if is_list && blames_a_row(&error) => {
                for &row in &unit.rows {
                    self.note(row, Outcome::NotAttempted, None);
                }
                for row in unit.rows {
                    if self.stopped.load(Relaxed) {
                        return;
                    }
                    let fate = self.attempt(&[row]).await;
                    self.settle(&[row], fate);
                }
            }
            fate => self.settle(&unit.rows, fate),
        }
    }

    /// Sends rows in one request that says of each what came of it.
    async fn deliver_bulk(&self, operation: &Operation, bulk: &Bulk, rows: &[usize]) {
        let (mut sent, mut bodies) = (Vec::new(), Vec::new());
        for &row in rows {
            match operation_body(operation, &self.write.table.columns, &self.rows[row].given, &[], false) {
                Ok(body) => {
                    bodies.extend(body);
                    sent.push(row);
                }
                Err(error) => self.settle(&[row], Fate::Failed(error)),
            }
            if self.stopped.load(Relaxed) {
                break;
            }
        }
        if sent.is_empty() {
            return;
        }
        let request = bulk::request(&self.name, &self.write.table.api, bulk, &bodies);
        for &row in &sent {
            self.note(row, Outcome::Unknown, None);
        }
        // Where every row is wrong the status says so, too, and the answer still says what is wrong with which.
        let terms = Terms {
            accepts: vec![400],
            ..Terms::default()
        };
        let response = match self.scope.site.client.send_on(&request, &terms, &self.scope.statement).await {
            Ok(response) => response,
            Err(error) => {
                let fate = self.refused(operation, error);
                return self.settle(&sent, fate);
            }
        };
        self.scope.stats.add(&response);
        let Some(verdicts) = bulk::verdicts(bulk, sent.len(), &response.body) else {
            let fate = if response.status == 400 {
                let words = String::from_utf8_lossy(&response.body).chars().take(200).collect::<String>();
                Fate::Failed(self.blame(
                    operation,
                    &request,
                    &response,
                    format!("the site took none of the rows: {words}"),
                ))
            } else {
                let unread = Error::new(ErrorKind::Decode, "it does not say what came of each row");
                Fate::Unknown(self.scope.doubt(response.status, &response.body, Some(&unread)))
            };
            return self.settle(&sent, fate);
        };
        for (row, verdict) in sent.into_iter().zip(verdicts) {
            let fate = match verdict {
                Ok(body) => self.applied(operation, &self.rows[row].given, response.status, &body),
                Err(words) => Fate::Failed(self.blame(operation, &request, &response, words)),
            };
            self.settle(&[row], fate);
        }
    }

    /// The error of a row that the site refused among others.
    fn blame(&self, operation: &Operation, request: &Request, response: &Response, words: String) -> Error {
        let context = RequestContext {
            method: request.method.as_str(),
            path: request.template.to_string(),
            status: Some(response.status),
            attempts: response.attempts,
            trace_id: None,
        };
        let words = self.scope.site.client.redacted(&words);
        let error = Error::new(ErrorKind::Invalid, words).request(context);
        self.explain(operation, error)
    }

    /// The requests of a unit, one after the other. All are made before the first is sent: what cannot be made spoils nothing.
    async fn attempt(&self, rows: &[usize]) -> Fate {
        let mut given = self.rows[rows[0]].given.clone();
        let mut requests = Vec::new();
        for &operation in &self.operations {
            match self.request(operation, rows, &mut given).await {
                Ok(request) => requests.push((operation, request)),
                Err(error) if is_fatal(&error) => return Fate::Untouched(error),
                Err(error) if self.is_so_already(operation, &given, &error).await => {}
                Err(error) => return Fate::Failed(error),
            }
        }
        let all = requests.len();
        let mut last = None;
        for (done, (operation, request)) in requests.into_iter().enumerate() {
            self.scope.wait_for_turn(operation, &self.write.table.columns, &given).await;
            for &row in rows {
                self.note(row, Outcome::Unknown, None);
            }
            self.touch(&given);
            match self.scope.site.client.send(&request, &self.scope.statement).await {
                Ok(response) => {
                    self.scope.stats.add(&response);
                    if operation.answer.is_none() && !operation.shows {
                        match said::aside(response.status, &response.body) {
                            Ok(false) => {}
                            Ok(true) => {
                                let text = format!(
                                    "{}: {{}} rows were taken with an answer, where the site gives none; look whether they are as they should be",
                                    self.write.table.name
                                );
                                self.scope.statement.warn(text, rows.len() as u64);
                            }
                            Err(_) => return Fate::Unknown(self.scope.doubt(response.status, &response.body, None)),
                        }
                    }
                    last = Some((operation, response));
                }
                // A part of the row is written, so it has not failed as a whole.
                Err(error) if done > 0 => return Fate::Unknown(partly(&error, done, all)),
                Err(error) => return self.refused(operation, error),
            }
        }
        match last {
            Some((operation, response)) if operation.shows => self.shown(operation, rows, &given, &response),
            Some((operation, response)) if rows.len() == 1 => self.applied(operation, &given, response.status, &response.body),
            _ => Fate::Applied(None, Vec::new()),
        }
    }

    /// What an error means for the rows of its request.
    fn refused(&self, operation: &Operation, error: Error) -> Fate {
        if is_outcome_unknown(&error) {
            Fate::Unknown(error)
        } else if self.is_gone(operation, &error) {
            Fate::Gone
        } else if error.request_context().is_none_or(|request| request.attempts == 0) {
            Fate::Untouched(error)
        } else {
            Fate::Failed(self.explain(operation, error))
        }
    }

    /// What the site answered to a row that it took.
    fn applied(&self, operation: &Operation, given: &[Option<Value>], status: u16, body: &Bytes) -> Fate {
        let is_update = self.write.change == Change::Update;
        // What is changed is named whole by its address: a site that has nothing to add has done it.
        if operation.answer.is_none() || (is_update && body.is_empty() && status != 202) {
            return Fate::Applied(None, Vec::new());
        }
        let table = &self.write.table;
        let comparable = said::comparable(operation);
        let columns: Vec<usize> = match self.write.output {
            Output::Rows => (0..table.columns.len()).collect(),
            _ => {
                let wanted = |index: &usize| table.columns[*index].key || comparable.contains(index);
                (0..table.columns.len()).filter(wanted).collect()
            }
        };
        let echo = |column: usize| given[column].as_ref()?.text().map(std::borrow::Cow::into_owned);
        let answer = match answer::read(table, &columns, body, false, false, echo) {
            Ok(Some(answer)) if said::shows_anything(&table.columns, &answer) => answer,
            Ok(_) => return Fate::Unknown(self.scope.doubt(status, body, None)),
            Err(error) => return Fate::Unknown(self.scope.doubt(status, body, Some(&error))),
        };
        let sent = comparable
            .iter()
            .filter_map(|&column| Some((column, given[column].as_ref()?)));
        let differences = said::differences(&table.columns, &answer, sent);
        if let Some(words) = complaint(body) {
            let words = self.scope.site.client.redacted(&words);
            self.scope.statement.warn(
                format!("{}: {{}} rows were taken, and the site complains: {words}", table.name),
                1,
            );
        }
        let answer = match (operation.brief || is_update) && answer.num_rows() == 1 {
            true => match answer::completed(table, &columns, &answer, given) {
                Ok(answer) => answer,
                Err(error) => return Fate::Unknown(error),
            },
            false => answer,
        };
        let existed = operation.existed == Some(status);
        if differences.iter().any(|difference| difference.names) || (existed && !differences.is_empty()) {
            Fate::Another(answer, differences)
        } else if existed {
            Fate::Existed(answer)
        } else {
            Fate::Applied(Some(answer), differences)
        }
    }

    /// What the rows of the table that the site answered say of the rows of a unit. A page that is cut says nothing of what it lacks.
    fn shown(&self, operation: &Operation, rows: &[usize], given: &[Option<Value>], response: &Response) -> Fate {
        let table = &self.write.table;
        let Some(column) = operation.batch.as_ref().map(|batch| batch.column) else {
            return Fate::Applied(None, Vec::new());
        };
        if response.body.is_empty() && response.status != 202 {
            let text = format!("{}: the site showed nothing, so {{}} rows are not borne out", table.name);
            self.scope.statement.warn(text, rows.len() as u64);
            return Fate::Applied(None, Vec::new());
        }
        let echo = |column: usize| given[column].as_ref()?.text().map(std::borrow::Cow::into_owned);
        let (page, shown) = match answer::shown(table, column, &response.body, echo) {
            Ok(shown) => shown,
            Err(error) => return Fate::Unknown(self.scope.doubt(response.status, &response.body, Some(&error))),
        };
        let is_there = |row: &usize| {
            self.rows[*row].given[column]
                .as_ref()
                .and_then(Value::text)
                .is_some_and(|own| shown.contains(&*own))
        };
        let contradicted: Vec<usize> = match self.write.change {
            Change::Delete => rows.iter().copied().filter(is_there).collect(),
            _ if page.last == Some(true) => rows.iter().copied().filter(|row| !is_there(row)).collect(),
            _ => Vec::new(),
        };
        Fate::Shown(contradicted)
    }

    /// Remembers the issues that are written to; not those that are deleted.
    fn touch(&self, given: &[Option<Value>]) {
        let table = &self.write.table;
        let keys = table.columns.iter().zip(given).filter(|(column, _)| column.key);
        if self.write.change == Change::Delete && table.search.is_some() {
            for key in keys.filter_map(|(_, value)| value.as_ref()?.text()) {
                self.scope.site.touched().forget(&key);
            }
        } else {
            self.scope.site.touch(keys);
        }
    }

    /// Remembers the issue that a row has become.
    pub(super) fn touch_answered(&self, answer: &RecordBatch) {
        let table = &self.write.table;
        for key in table.key().filter(|&key| table.columns[key].format == Some(Format::IssueKey)) {
            let value = answer.column_by_name(&table.columns[key].name);
            if let Some(Ok(Value::Text(key))) = value.map(|value| Value::read(&table.columns[key], value, 0)) {
                self.scope.site.touched().note(&key, Instant::now());
            }
        }
    }

    pub(super) async fn request(&self, operation: &Operation, rows: &[usize], given: &mut [Option<Value>]) -> Result<Request> {
        find::fill(&self.scope, operation, Some(&self.write.table), given).await?;
        let list: Vec<&str> = match &operation.batch {
            Some(batch) => rows
                .iter()
                .filter_map(|&row| match &self.rows[row].given[batch.column] {
                    Some(Value::Text(text)) => Some(text.as_str()),
                    _ => None,
                })
                .collect(),
            None => Vec::new(),
        };
        let table = &self.write.table;
        let nulls = self.write.change == Change::Update;
        operation_request(&self.name, &table.api, operation, &table.columns, given, &list, nulls)
    }

    /// Whether an operation that could not be made, since what it would bring about was not found, has nothing to do: the row is so
    /// already.
    pub(super) async fn is_so_already(&self, operation: &Operation, given: &[Option<Value>], error: &Error) -> bool {
        let sets = self.write.set.iter().filter(|&&column| operation.sets(column));
        error.kind() == ErrorKind::NotFound
            && self.write.change == Change::Update
            && sets.count() == 1
            && find::is_so_already(&self.scope, operation, &self.write.table, given).await
    }

    /// What is to be deleted and is named whole by the address has gone when the site does not find it.
    fn is_gone(&self, operation: &Operation, error: &Error) -> bool {
        let not_found = error.request_context().is_some_and(|request| request.status == Some(404));
        let by_path = matches!(operation.endpoint.segments.last(), Some(Segment::Column(_)));
        self.write.change == Change::Delete
            && not_found
            && operation.body.is_empty()
            && operation.batch.is_none()
            && (by_path || self.write.table.key().all(|key| operation.takes(key)))
    }

    /// The site's refusal, with what the schema knows about it.
    fn explain(&self, operation: &Operation, error: Error) -> Error {
        if error.kind() != ErrorKind::Invalid {
            return error;
        }
        let columns = &self.write.table.columns;
        let places = operation
            .body
            .iter()
            .map(|place| (place.column, &place.at))
            .chain(operation.batch.iter().map(|batch| (batch.column, &batch.at)));
        // The site speaks of its own fields; where they are called otherwise here, say which columns are meant.
        let mut named: BTreeMap<&String, Vec<&str>> = BTreeMap::new();
        for (column, at) in places {
            let Some(field) = at.last() else { continue };
            let spoken = error
                .message()
                .split(|c: char| !c.is_alphanumeric() && c != '_')
                .any(|word| word == field);
            if spoken && !columns.iter().any(|other| other.name == *field) {
                named.entry(field).or_default().push(&columns[column].name);
            }
        }
        let mut hints: Vec<String> = named
            .into_iter()
            .map(|(field, columns)| format!("{field} is the column {}", columns.join(" or ")))
            .collect();
        hints.extend(operation.hint.clone());
        if hints.is_empty() {
            error
        } else {
            error.hint(hints.join("; "))
        }
    }
}

/// Whether a refused list may have one wrong value: the site looked at it and took nothing.
fn blames_a_row(error: &Error) -> bool {
    matches!(
        error.request_context().and_then(|request| request.status),
        Some(400 | 404 | 409 | 422)
    )
}

/// Whether the next row would meet the same trouble.
pub(super) fn is_fatal(error: &Error) -> bool {
    matches!(
        error.kind(),
        ErrorKind::Authentication
            | ErrorKind::Unreachable
            | ErrorKind::Tls
            | ErrorKind::Cancelled
            | ErrorKind::Limit
            | ErrorKind::RateLimited
            | ErrorKind::Internal
    )
}

/// A row of which a part was written already.
fn partly(error: &Error, done: usize, all: usize) -> Error {
    let message = format!(
        "{}; {done} of the {all} requests of the row were applied before",
        error.message()
    );
    let look = "look at the row before writing it again: a part of it is written";
    let hint = error
        .hint_text()
        .map_or_else(|| look.to_owned(), |hint| format!("{look}; {hint}"));
    let partly = Error::new(error.kind(), message).hint(hint);
    match error.request_context() {
        Some(request) => partly.request(request.clone()),
        None => partly,
    }
}
