//! The rows of a statement, and what they have cost so far.

use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll};
use std::time::{Duration, Instant};

use datafusion::arrow::array::RecordBatch;
use datafusion::arrow::datatypes::{Schema, SchemaRef};
use datafusion::execution::SendableRecordBatchStream;
use futures::{Stream, StreamExt};

use super::exit::Exit;
use super::heading::{renamed, shown};
use crate::error::{Error, Result};
use crate::http::Statement;
use crate::table::from_datafusion;

/// The rows of a statement as a stream of batches. Dropping it cancels the statement and its requests.
pub struct Rows {
    stream: SendableRecordBatchStream,
    exit: Exit,
    statement: Arc<Statement>,
    /// Rows that may still be given, where `MaxRows` caps them.
    left: Option<usize>,
    capped: bool,
    ending: Option<Ending>,
}

impl std::fmt::Debug for Rows {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Rows").field("schema", &self.schema()).finish_non_exhaustive()
    }
}

/// What a statement has cost so far.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[non_exhaustive]
pub struct Progress {
    /// Rows that the site has given.
    pub rows: u64,
    /// Requests sent, every attempt counted.
    pub requests: u64,
    /// Requests that are known to be needed in all; 0 where only the site knows. Pages of a list without a total are not known.
    pub expected: u64,
    /// Requests that wait for their answer.
    pub in_flight: u64,
    /// Attempts after the first.
    pub retries: u64,
    /// Bytes received, after decompression.
    pub bytes: u64,
    /// Time spent waiting for rate limits and between attempts, summed over requests.
    pub waited: Duration,
}

/// Reads the progress of a statement, also while its rows are being read elsewhere.
#[derive(Debug, Clone)]
pub struct Meter(Arc<Statement>);

impl Meter {
    /// Cancels the statement: requests in flight are aborted, and the rows end in an error. Dropping the rows cancels as well.
    pub fn cancel(&self) {
        self.0.cancel();
    }

    /// What the statement has cost so far.
    pub fn progress(&self) -> Progress {
        let statement = &self.0;
        Progress {
            rows: statement.rows(),
            requests: statement.requests(),
            expected: statement.expected(),
            in_flight: statement.in_flight(),
            retries: statement.retries(),
            bytes: statement.bytes(),
            waited: statement.waited(),
        }
    }
}

impl Meter {
    /// What is worth knowing about the rows so far, such as values that could not be read. Final when the stream has ended.
    pub fn warnings(&self) -> Vec<String> {
        self.0.warnings()
    }
}

impl Rows {
    pub(super) fn new(stream: SendableRecordBatchStream, statement: Arc<Statement>, max_rows: Option<usize>) -> Self {
        Self {
            exit: Exit::plain(&shown(&stream.schema())),
            stream,
            statement,
            left: max_rows,
            capped: false,
            ending: None,
        }
    }

    /// The same rows, whose end the log is told.
    pub(super) fn told(self, ending: Option<Ending>) -> Self {
        Self { ending, ..self }
    }

    /// The same rows, with columns that are nullable where they were promised so when the statement was prepared.
    pub(super) fn promised(self, promised: &Schema) -> Self {
        Self {
            exit: self.exit.promised(promised),
            ..self
        }
    }

    /// Columns of the rows, in plain encodings: no views, dictionaries or large variants, at any depth.
    pub fn schema(&self) -> SchemaRef {
        self.exit.schema()
    }

    /// Reads the cost of the statement while it runs.
    pub fn meter(&self) -> Meter {
        Meter(self.statement.clone())
    }

    /// Number of the statement, as in `sys.requests`.
    pub fn statement(&self) -> u64 {
        self.statement.number()
    }

    /// Whether `MaxRows` has cut the rows off, which is among the warnings as well. Final when the stream has ended.
    pub fn is_capped(&self) -> bool {
        self.capped
    }
}

impl Stream for Rows {
    type Item = Result<RecordBatch>;

    fn poll_next(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<Option<Self::Item>> {
        let Poll::Ready(item) = self.stream.poll_next_unpin(context) else {
            return Poll::Pending;
        };
        let item = item.map(|item| {
            item.map_err(from_datafusion)
                .and_then(renamed)
                .and_then(|batch| self.exit.leave(batch))
        });
        if let Some(ending) = &mut self.ending {
            match &item {
                Some(Ok(batch)) => ending.rows += batch.num_rows() as u64,
                Some(Err(_)) => {}
                None => self.ending = None,
            }
        }
        Poll::Ready(match item {
            None => None,
            Some(Err(error)) => {
                if let Some(ending) = &mut self.ending {
                    ending.failed(&error);
                }
                Some(Err(error))
            }
            Some(Ok(batch)) => match self.left {
                Some(left) if batch.num_rows() > left => {
                    self.left = Some(0);
                    if !self.capped {
                        self.capped = true;
                        self.statement.warn("the rows end at MaxRows; there are more", 1);
                    }
                    Some(Ok(batch.slice(0, left)))
                }
                Some(left) => {
                    self.left = Some(left - batch.num_rows());
                    Some(Ok(batch))
                }
                None => Some(Ok(batch)),
            },
        })
    }
}

/// Tells the log how a statement ended, when it is dropped: at the end of the rows, or when nobody wants more.
#[derive(Debug)]
pub(super) struct Ending {
    log: Option<tracing::Dispatch>,
    /// The statement without its constants.
    query: String,
    begin: Instant,
    rows: u64,
    statement: Arc<Statement>,
    error: Option<String>,
}

impl Ending {
    pub(super) fn new(log: Option<tracing::Dispatch>, query: String, statement: Arc<Statement>) -> Self {
        Self {
            log,
            query,
            begin: Instant::now(),
            rows: 0,
            statement,
            error: None,
        }
    }

    pub(super) fn failed(&mut self, error: &Error) {
        self.error = Some(error.message().to_owned());
    }
}

impl Drop for Ending {
    fn drop(&mut self) {
        let (number, requests) = (self.statement.number(), self.statement.requests());
        let (rows, query, error) = (self.rows, self.query.as_str(), self.error.as_deref());
        let elapsed_us = self.begin.elapsed().as_micros() as u64;
        super::event(self.log.as_ref(), || {
            tracing::debug!(target: "jsmql::sql", number, rows, requests, elapsed_us, query, error, "statement ended");
        });
    }
}
