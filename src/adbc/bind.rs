//! What is bound to a statement: rows of parameters, one execution each, or rows to ingest.

use std::panic::{AssertUnwindSafe, catch_unwind};

use adbc_core::error::Result as AdbcResult;
use arrow::array::{RecordBatch, RecordBatchIterator, RecordBatchReader};
use arrow::error::ArrowError;
use datafusion::error::DataFusionError;
use datafusion::execution::SendableRecordBatchStream;
use datafusion::physical_plan::stream::RecordBatchStreamAdapter;

use crate::error::{Error, ErrorKind, Result};
use crate::session::Parameters;

/// Rows that a program handed over. They are read once, as they are needed.
pub(super) type Bound = Box<dyn RecordBatchReader + Send>;

/// One batch as rows.
pub(super) fn batch(batch: RecordBatch) -> AdbcResult<Bound> {
    let schema = batch.schema();
    Ok(Box::new(RecordBatchIterator::new([Ok(batch)], schema)))
}

/// The parameters of the executions of a statement.
pub(super) enum Inputs {
    /// One execution without values.
    Once,
    /// One execution for each row.
    Rows(Rows),
    /// No further execution.
    None,
}

/// Rows of parameters.
pub(super) struct Rows {
    bound: Bound,
    by_name: bool,
    batch: Option<RecordBatch>,
    next: usize,
}

impl Inputs {
    pub(super) fn new(bound: Option<Bound>, by_name: bool) -> Self {
        match bound {
            None => Self::Once,
            Some(bound) => Self::Rows(Rows {
                bound,
                by_name,
                batch: None,
                next: 0,
            }),
        }
    }

    /// The values of the next execution, if there is one.
    pub(super) fn next(&mut self) -> Result<Option<Parameters>> {
        match self {
            Self::None => Ok(None),
            Self::Once => {
                *self = Self::None;
                Ok(Some(Parameters::None))
            }
            Self::Rows(rows) => rows.next(),
        }
    }
}

impl Rows {
    fn next(&mut self) -> Result<Option<Parameters>> {
        loop {
            if let Some(batch) = self.batch.as_ref().filter(|batch| self.next < batch.num_rows()) {
                let values = Parameters::from_row(batch, self.next)?;
                self.next += 1;
                return Ok(Some(match values {
                    Parameters::Positional(values) if self.by_name => {
                        let names = batch.schema_ref().fields().iter().map(|field| field.name().clone());
                        Parameters::Named(names.zip(values).collect())
                    }
                    values => values,
                }));
            }
            let Some(batch) = pull(&mut self.bound)? else {
                return Ok(None);
            };
            self.batch = Some(batch);
            self.next = 0;
        }
    }
}

/// The next batch. A panic is an error too: rows that nobody reads would be missing without a word.
fn pull(bound: &mut Bound) -> Result<Option<RecordBatch>> {
    let next = catch_unwind(AssertUnwindSafe(|| bound.next()));
    let next = next.unwrap_or_else(|_| Some(Err(ArrowError::CDataInterface("the stream is not one of rows".into()))));
    next.transpose().map_err(unreadable)
}

/// The rows as a stream for the session. A thread of its own reads them, since the program may have to be waited for.
pub(super) fn stream(bound: Bound) -> Result<SendableRecordBatchStream> {
    let schema = bound.schema();
    let (sender, receiver) = tokio::sync::mpsc::channel(2);
    let read = move || {
        let mut bound = bound;
        while let Some(batch) = pull(&mut bound).transpose() {
            let batch = batch.map_err(|error| DataFusionError::External(Box::new(error)));
            let failed = batch.is_err();
            // The statement may have ended meanwhile.
            if sender.blocking_send(batch).is_err() || failed {
                return;
            }
        }
    };
    std::thread::Builder::new()
        .name("jsmql-ingest".into())
        .spawn(read)
        .map_err(|error| {
            Error::new(
                ErrorKind::Internal,
                format!("cannot start the thread that reads the rows: {error}"),
            )
        })?;
    let rows = futures::stream::unfold(
        receiver,
        |mut receiver| async move { Some((receiver.recv().await?, receiver)) },
    );
    Ok(Box::pin(RecordBatchStreamAdapter::new(schema, rows)))
}

fn unreadable(error: ArrowError) -> Error {
    Error::new(ErrorKind::Io, format!("the bound rows cannot be read: {error}"))
        .hint("the program that binds them hands them over as they are read")
}

#[cfg(test)]
#[allow(clippy::unwrap_used, reason = "a test may fail")]
mod tests {
    use std::sync::Arc;

    use arrow::array::{ArrayRef, DictionaryArray, Int64Array, LargeStringArray};
    use arrow::datatypes::Int8Type;

    use super::*;

    fn rows() -> RecordBatch {
        let words: DictionaryArray<Int8Type> = ["a", "b", "a"].into_iter().collect();
        let columns: [(&str, ArrayRef); 3] = [
            ("word", Arc::new(words)),
            ("text", Arc::new(LargeStringArray::from(vec!["x", "y", "z"]))),
            ("n", Arc::new(Int64Array::from(vec![1, 2, 3]))),
        ];
        RecordBatch::try_from_iter(columns).unwrap()
    }

    #[test]
    fn each_row_is_one_execution_with_plain_values() {
        let mut inputs = Inputs::new(Some(batch(rows()).unwrap()), false);
        let mut found = Vec::new();
        while let Some(parameters) = inputs.next().unwrap() {
            found.push(format!("{parameters:?}"));
        }
        assert_eq!(found.len(), 3);
        assert_eq!(found[2], r#"Positional([Utf8("a"), Utf8("z"), Int64(3)])"#);
        let mut named = Inputs::new(Some(batch(rows().slice(1, 1)).unwrap()), true);
        let Some(Parameters::Named(values)) = named.next().unwrap() else {
            panic!("not by name")
        };
        assert_eq!(values["word"].to_string(), "b");
        let mut once = Inputs::new(None, false);
        assert_eq!(once.next().unwrap(), Some(Parameters::None));
        assert_eq!(once.next().unwrap(), None);
    }
}
