//! A statement that runs: its rows as they go to the client, or their number.

use std::pin::Pin;
use std::time::Duration;

use arrow::array::{Array, AsArray, RecordBatch};
use arrow::datatypes::{Int64Type, SchemaRef, UInt64Type};
use arrow_flight::FlightData;
use arrow_flight::encode::FlightDataEncoderBuilder;
use arrow_flight::error::FlightError;
use futures::{Stream, StreamExt, TryStreamExt};
use tonic::metadata::{MetadataMap, MetadataValue};
use tonic::{Code, Status};

use super::client::{Bound, Running, Sent};
use super::status::in_stream;
use crate::error::{Error, ErrorKind, Result};
use crate::http::Held;
use crate::session::{Parameters, Prepared, Rows};

/// What `DoGet` answers.
pub(super) type FlightStream = Pin<Box<dyn Stream<Item = Result<FlightData, Status>> + Send>>;

/// A statement that runs: once for each row of values bound to its parameters. Dropping it stops it and its requests.
pub(super) struct Run {
    prepared: Prepared,
    values: Values,
    rows: Option<Rows>,
    /// What is worth knowing about the rows of the runs that have ended.
    warnings: Vec<String>,
    running: Running,
}

/// The rows of values that a statement is still to run with.
enum Values {
    /// It runs once, without any.
    Nothing { done: bool },
    /// A row of these batches for each run.
    Bound {
        sent: Sent,
        batch: usize,
        row: usize,
        done: usize,
    },
}

impl Values {
    fn next(&mut self) -> Option<Result<Parameters>> {
        match self {
            Self::Nothing { done } => (!std::mem::replace(done, true)).then_some(Ok(Parameters::None)),
            Self::Bound { sent, batch, row, done } => {
                let batches = &sent.batches;
                while batches.get(*batch).is_some_and(|values| *row >= values.num_rows()) {
                    (*batch, *row) = (*batch + 1, 0);
                }
                let values = Parameters::from_row(batches.get(*batch)?, *row);
                *row += 1;
                *done += 1;
                Some(values)
            }
        }
    }

    /// Runs before the one under way, where there may be several.
    fn before(&self) -> usize {
        match self {
            Self::Nothing { .. } => 0,
            Self::Bound { done, .. } => done.saturating_sub(1),
        }
    }
}

impl Run {
    /// Starts a statement: what fails at once fails here.
    pub(super) async fn start(statement: Bound, running: Running) -> Result<Self> {
        let mut run = Self {
            prepared: statement.prepared,
            values: match statement.values {
                None => Values::Nothing { done: false },
                Some(sent) => Values::Bound {
                    sent,
                    batch: 0,
                    row: 0,
                    done: 0,
                },
            },
            rows: None,
            warnings: Vec::new(),
            running,
        };
        run.begin().await?;
        Ok(run)
    }

    /// Begins the next run. Whether there was one.
    async fn begin(&mut self) -> Result<bool> {
        let Some(values) = self.values.next() else { return Ok(false) };
        let begun = match values {
            Ok(values) => within(&self.running, self.prepared.run(values)).await.flatten(),
            Err(error) => Err(error),
        };
        self.rows = Some(begun.map_err(|error| self.told(error))?);
        Ok(true)
    }

    /// Columns of the rows: those that were promised, where no value of a parameter has changed them.
    fn schema(&self) -> SchemaRef {
        match (&self.rows, &self.values) {
            (Some(rows), Values::Bound { .. }) => rows.schema(),
            _ => self.prepared.schema(),
        }
    }

    async fn next(&mut self) -> Result<Option<RecordBatch>> {
        loop {
            let Some(rows) = &mut self.rows else { return Ok(None) };
            match within(&self.running, rows.next()).await.and_then(Option::transpose) {
                Ok(Some(batch)) => return Ok(Some(batch)),
                Ok(None) => {
                    // The cap is of the server, whose clients do not know of it: to them fewer rows would be all the rows there are.
                    if rows.is_capped() {
                        return Err(
                            Error::new(ErrorKind::Limit, "the rows end at MaxRows of the server; there are more")
                                .hint("add a LIMIT to the statement, or start the server with a higher MaxRows"),
                        );
                    }
                    self.warnings.extend(rows.meter().warnings());
                    self.rows = None;
                    self.begin().await?;
                }
                Err(error) => return Err(self.told(error)),
            }
        }
    }

    /// The error, with what took effect before it: those runs are not undone.
    fn told(&self, error: Error) -> Error {
        match self.values.before() {
            before if before > 0 && self.prepared.has_effects() => {
                let kind = error.kind();
                let hint = match error.hint_text() {
                    Some(hint) => format!("{hint}; leave out the rows that are done"),
                    None => "leave out the rows that are done".to_owned(),
                };
                let message = format!(
                    "row {} of the bound values: {error}; the {before} before it took effect",
                    before + 1
                );
                Error::new(kind, message).hint(hint).source(error)
            }
            _ => error,
        }
    }

    /// The rows as messages, each read when the client is ready for it.
    pub(super) fn stream(self) -> FlightStream {
        let schema = self.schema();
        let batches = futures::stream::unfold(Some(self), |run| async {
            let mut run = run?;
            match run.next().await {
                Ok(Some(batch)) => Some((Ok(batch), Some(run))),
                Ok(None) => Some((Err(trailer(&run.warnings)?.into()), None)),
                Err(error) => Some((Err(in_stream(&error)), None)),
            }
        });
        encoded(schema, batches)
    }

    /// Runs to the end: how many rows the statement changed, -1 where it does not say.
    async fn count(mut self) -> Result<(i64, Vec<String>)> {
        let mut total = None;
        while let Some(batch) = self.next().await? {
            let counted = counted(&batch);
            total = match (total, counted) {
                (None, counted) => Some(counted),
                (Some(Some(total)), Some(counted)) => Some(Some(total + counted)),
                _ => Some(None),
            };
        }
        let count = total.flatten().filter(|_| self.prepared.has_effects()).unwrap_or(-1);
        Ok((count, self.warnings))
    }
}

/// The number that a write answers with.
fn counted(batch: &RecordBatch) -> Option<i64> {
    let schema = batch.schema();
    if schema.fields().len() != 1 || schema.field(0).name() != "count" {
        return None;
    }
    let column = batch.column(0);
    if let Some(counts) = column.as_primitive_opt::<UInt64Type>() {
        return counts.iter().flatten().map(|count| i64::try_from(count).ok()).sum();
    }
    let counts = column.as_primitive_opt::<Int64Type>()?;
    (counts.null_count() == 0).then(|| counts.iter().flatten().sum())
}

/// Waits for work, unless the statement is cancelled or its time is up.
pub(super) async fn within<T>(running: &Running, work: impl Future<Output = T>) -> Result<T> {
    let late = async {
        match running.deadline {
            Some((at, time)) => {
                tokio::time::sleep_until(at).await;
                time
            }
            None => std::future::pending::<Duration>().await,
        }
    };
    tokio::select! {
        biased;
        () = running.cancelled.cancelled() => {
            Err(Error::new(ErrorKind::Cancelled, "the statement was cancelled").hint("its session ended, or a call cancelled it"))
        }
        time = late => {
            Err(Error::new(ErrorKind::Timeout, format!("the statement ran longer than {} seconds", time.as_secs_f64()))
                .hint("ask for less, or raise --statement-timeout"))
        }
        done = work => Ok(done),
    }
}

/// What a statement that ran to its end has answered, as long as it waits to be fetched.
pub(super) struct Done {
    pub(super) schema: SchemaRef,
    rows: Vec<RecordBatch>,
    warnings: Vec<String>,
    /// What the rows take of the memory of the session.
    held: Held,
}

impl Done {
    /// The rows as messages.
    pub(super) fn stream(self) -> FlightStream {
        let held = self.held;
        let told = trailer(&self.warnings).map(|status| Err(status.into()));
        let rows = futures::stream::iter(self.rows.into_iter().map(Ok).chain(told)).map(move |batch| {
            let _ = &held;
            batch
        });
        encoded(self.schema, rows)
    }
}

/// Runs a statement that changes something to its end: its rows are kept until they are fetched.
pub(super) async fn done(statement: Bound, running: Running, mut held: Held) -> Result<Done> {
    let mut run = Run::start(statement, running).await?;
    let (columns, mut rows) = (run.schema(), Vec::new());
    while let Some(batch) = run.next().await? {
        held.grow(batch.get_array_memory_size()).map_err(|error| {
            let message = format!("the statement took effect, but {}", error.message());
            let look = "do not run it again to see its rows: sys.writes lists what was written";
            let hint = error
                .hint_text()
                .map_or_else(|| look.to_owned(), |hint| format!("{look}; {hint}"));
            Error::new(error.kind(), message).hint(hint)
        })?;
        rows.push(batch);
    }
    Ok(Done {
        schema: columns,
        rows,
        warnings: run.warnings,
        held,
    })
}

/// Name of the trailing metadata with what is worth knowing about the rows: UTF-8, a line for each.
const WARNINGS: &str = "jsmql-warnings-bin";

/// Longest warnings that go into a trailer, in bytes: clients refuse metadata beyond 8 KiB.
const LONGEST: usize = 4 << 10;

/// The end of a call that went well, with warnings. None: there are none.
pub(super) fn trailer(warnings: &[String]) -> Option<Status> {
    let mut text = warnings.join("\n");
    if text.is_empty() {
        return None;
    }
    if text.len() > LONGEST {
        let end = text.floor_char_boundary(LONGEST);
        text.truncate(end);
        text.push('…');
    }
    let mut metadata = MetadataMap::new();
    metadata.insert_bin(WARNINGS, MetadataValue::from_bytes(text.as_bytes()));
    Some(Status::with_metadata(Code::Ok, "", metadata))
}

/// Batches as messages.
pub(super) fn encoded(
    schema: SchemaRef,
    batches: impl Stream<Item = Result<RecordBatch, FlightError>> + Send + 'static,
) -> FlightStream {
    let messages = FlightDataEncoderBuilder::new().with_schema(schema).build(batches);
    Box::pin(messages.map_err(Status::from))
}

/// One batch as an answer.
pub(super) fn answer(batch: RecordBatch) -> FlightStream {
    encoded(batch.schema(), futures::stream::iter([Ok(batch)]))
}

/// Runs a statement to its end: how many rows it changed, and what is worth knowing about them.
pub(super) async fn count(statement: Bound, running: Running) -> Result<(i64, Vec<String>)> {
    Run::start(statement, running).await?.count().await
}
