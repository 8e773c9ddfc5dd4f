//! Rows as a program reads them: batch by batch, and no error without its code.

use std::cell::RefCell;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::{Arc, Mutex, PoisonError};

use adbc_core::error::Error as AdbcError;
use arrow::array::{RecordBatch, RecordBatchIterator, RecordBatchReader};
use arrow::datatypes::SchemaRef;
use arrow::error::ArrowError;
use futures::StreamExt;

use super::bind::Inputs;
use super::cancel::Execution;
use super::connection::Answer;
use super::engine::Engine;
use super::errors::exported;
use crate::error::{Error, ErrorKind, Result};
use crate::session::{Prepared, Rows};

/// What a program may ask about rows after they were handed over.
#[derive(Debug, Clone, Default)]
pub(super) struct Followed {
    /// Why the rows ended early.
    pub(super) failure: Arc<Mutex<Option<AdbcError>>>,
    /// How many rows were changed, where the statement changed some.
    pub(super) affected: Option<i64>,
}

thread_local! {
    /// The traits of the driver have no place for these; the export takes them on the same thread, when the call returns to it.
    static FOLLOWED: RefCell<Option<Followed>> = const { RefCell::new(None) };
}

/// What is to be known about the rows that this thread has just got.
pub(super) fn followed() -> Option<Followed> {
    FOLLOWED.take()
}

/// Rows that are all there.
pub(super) fn whole(batch: RecordBatch) -> Answer {
    let schema = batch.schema();
    Box::new(RecordBatchIterator::new([Ok(batch)], schema))
}

/// The rows of a statement that changed something.
pub(super) fn changed(schema: SchemaRef, batches: Vec<RecordBatch>, affected: Option<i64>) -> Answer {
    FOLLOWED.set(Some(Followed {
        affected,
        ..Followed::default()
    }));
    Box::new(RecordBatchIterator::new(batches.into_iter().map(Ok), schema))
}

/// The rows of all executions of a statement, one after the other.
pub(super) struct Source {
    engine: Arc<Engine>,
    execution: Arc<Execution>,
    prepared: Prepared,
    inputs: Inputs,
    rows: Option<Rows>,
    /// Executions that have ended well.
    pub(super) done: u64,
}

impl Source {
    pub(super) fn new(engine: Arc<Engine>, execution: Arc<Execution>, prepared: Prepared, inputs: Inputs) -> Self {
        Self {
            engine,
            execution,
            prepared,
            inputs,
            rows: None,
            done: 0,
        }
    }

    /// The next batch that has rows; the schema of the execution that it belongs to.
    pub(super) fn next(&mut self) -> Result<Option<RecordBatch>> {
        loop {
            let Some(rows) = &mut self.rows else {
                if !self.start()? {
                    return Ok(None);
                }
                continue;
            };
            let next = async { rows.next().await.transpose() };
            match self.engine.wait(&self.execution, next)? {
                Some(batch) if batch.num_rows() == 0 => {}
                Some(batch) => return Ok(Some(batch)),
                None => {
                    self.rows = None;
                    self.done += 1;
                }
            }
        }
    }

    /// Starts the next execution, unless there is none.
    fn start(&mut self) -> Result<bool> {
        let Some(parameters) = self.inputs.next()? else {
            return Ok(false);
        };
        let rows = self.engine.wait(&self.execution, self.prepared.run(parameters))?;
        self.execution.reads(rows.meter());
        self.rows = Some(rows);
        Ok(true)
    }

    /// Columns of the execution under way, else those that the plan has.
    fn schema(&self) -> SchemaRef {
        self.rows.as_ref().map_or_else(|| self.prepared.schema(), Rows::schema)
    }
}

impl Drop for Source {
    fn drop(&mut self) {
        let rows = self.rows.take();
        self.engine.within(|| drop(rows));
    }
}

/// The rows of a statement that only reads.
pub(super) struct Reader {
    source: Source,
    schema: SchemaRef,
    first: Option<RecordBatch>,
    ended: bool,
    followed: Followed,
}

impl Reader {
    /// Waits for the first rows, or for the knowledge that there are none.
    pub(super) fn open(mut source: Source) -> Result<Self> {
        source.start()?;
        let schema = source.schema();
        let first = source.next()?;
        let followed = Followed::default();
        FOLLOWED.set(Some(followed.clone()));
        Ok(Self {
            ended: first.is_none(),
            first,
            source,
            schema,
            followed,
        })
    }

    fn pull(&mut self) -> Result<Option<RecordBatch>> {
        let next = match self.first.take() {
            Some(first) => Some(first),
            None => self.source.next()?,
        };
        match next {
            Some(batch) if !same(&batch.schema(), &self.schema) => Err(Error::new(
                ErrorKind::Statement,
                "the columns of the result depend on the values that were bound",
            )
            .hint("execute the statement once for each row of values")),
            next => Ok(next),
        }
    }
}

/// Whether rows of the one schema can stand for rows of the other.
fn same(one: &SchemaRef, other: &SchemaRef) -> bool {
    let (one, other) = (one.fields(), other.fields());
    one.len() == other.len() && one.iter().zip(other).all(|(one, other)| one.data_type() == other.data_type())
}

impl Iterator for Reader {
    type Item = std::result::Result<RecordBatch, ArrowError>;

    fn next(&mut self) -> Option<Self::Item> {
        if self.ended {
            return None;
        }
        // The stream is called by C, where a panic would end the process.
        let pulled = catch_unwind(AssertUnwindSafe(|| self.pull())).unwrap_or_else(|_| {
            Err(Error::new(ErrorKind::Internal, "reading the rows failed").hint("please report the statement"))
        });
        match pulled {
            Ok(Some(batch)) => Some(Ok(batch)),
            Ok(None) => {
                self.ended = true;
                None
            }
            Err(error) => {
                self.ended = true;
                let error = exported(error);
                let message = error.message.clone();
                *self.followed.failure.lock().unwrap_or_else(PoisonError::into_inner) = Some(error);
                Some(Err(ArrowError::ExternalError(message.into())))
            }
        }
    }
}

impl RecordBatchReader for Reader {
    fn schema(&self) -> SchemaRef {
        self.schema.clone()
    }
}
