//! What clients send: statements that write, values for parameters, and rows.

use std::sync::Arc;

use arrow::array::RecordBatch;
use arrow_flight::FlightData;
use arrow_flight::decode::FlightRecordBatchStream;
use arrow_flight::error::FlightError;
use arrow_flight::sql::{CommandStatementIngest, TableDefinitionOptions, TableExistsOption, TableNotExistOption};
use datafusion::error::DataFusionError;
use datafusion::physical_plan::stream::RecordBatchStreamAdapter;
use futures::{Stream, StreamExt, TryStreamExt};
use tonic::{Status, Streaming};

use super::client::{Client, Sent};
use super::status::{creating, from_stream, status, unsupported};
use crate::error::{Error, ErrorKind, Result};
use crate::session::listing::CATALOG;
use crate::session::{Ingest, IngestMode};

/// The batches of a call whose first message was read to see what is wanted.
pub(super) fn batches(first: FlightData, rest: Streaming<FlightData>) -> FlightRecordBatchStream {
    // A command without rows comes without a schema.
    let first = (!first.data_header.is_empty()).then_some(Ok(first));
    decoded(futures::stream::iter(first).chain(rest))
}

fn decoded(messages: impl Stream<Item = Result<FlightData, Status>> + Send + 'static) -> FlightRecordBatchStream {
    FlightRecordBatchStream::new_from_flight_data(messages.map_err(FlightError::from))
}

/// How much a client has sent, against what it may.
struct Load {
    sent: usize,
    most: usize,
}

impl Load {
    fn add(&mut self, batch: &RecordBatch) -> Result<()> {
        self.sent += batch.get_array_memory_size();
        if self.sent <= self.most {
            return Ok(());
        }
        Err(Error::new(
            ErrorKind::Limit,
            format!("more than {} MiB of rows were sent at a time", self.most >> 20),
        )
        .hint("send them in several parts, or raise --max-memory"))
    }
}

/// Values for the parameters of a statement: all rows that were sent. None: nothing was.
pub(super) async fn values(client: &Client, mut stream: FlightRecordBatchStream) -> Result<Option<Sent>> {
    let mut load = Load {
        sent: 0,
        most: client.memory(),
    };
    let (mut values, mut held) = (Vec::new(), client.session.memory());
    while let Some(batch) = stream.try_next().await.map_err(from_stream)? {
        load.add(&batch)?;
        held.grow(batch.get_array_memory_size())?;
        values.push(batch);
    }
    Ok(stream.schema().map(|_| Sent::new(values, held)))
}

/// Puts rows into a table: how many.
pub(super) async fn ingest(
    client: &Arc<Client>,
    command: CommandStatementIngest,
    mut stream: FlightRecordBatchStream,
) -> Result<i64, Status> {
    let target = target(&command)?;
    let is_new = target.mode == IngestMode::Create;
    let running = client.run()?;
    // The schema comes with the first batch, or alone.
    let first = stream.try_next().await.map_err(from_stream)?;
    let schema = stream.schema().cloned().ok_or_else(|| {
        Error::new(ErrorKind::Invalid, "the rows come without a schema")
            .hint("send the schema first, even where there are no rows")
    })?;
    let mut load = Load {
        sent: 0,
        most: client.memory(),
    };
    let rows = futures::stream::iter(first.map(Ok)).chain(stream).map(move |batch| {
        let batch = batch.map_err(from_stream).and_then(|batch| load.add(&batch).map(|()| batch));
        batch.map_err(|error| DataFusionError::External(Box::new(error)))
    });
    let rows = Box::pin(RecordBatchStreamAdapter::new(schema, rows));
    let work = client.session.ingest(target, rows);
    let count = super::query::within(&running, work).await?;
    let count = count.map_err(|error| if is_new { creating(&error) } else { status(&error) })?;
    i64::try_from(count).map_err(|_| Error::new(ErrorKind::Internal, "more rows than a number holds").into())
}

/// What is to become of the rows.
fn target(command: &CommandStatementIngest) -> Result<Ingest> {
    let invalid = |what: &str, hint: &str| Err(Error::new(ErrorKind::Invalid, what).hint(hint));
    if command.transaction_id.as_ref().is_some_and(|id| !id.is_empty()) {
        return Err(super::service::no_transactions());
    }
    if command.catalog.as_deref().is_some_and(|catalog| catalog != CATALOG) {
        return invalid("there is only the catalog jsm", "leave the catalog out");
    }
    if let Some(name) = command.options.keys().next() {
        return Err(unsupported(
            &format!("there is no option {name} for rows that are sent"),
            "leave it out",
        ));
    }
    let schema = match (command.temporary, command.schema.as_deref()) {
        (true, None | Some("temp")) => Some("temp".to_owned()),
        (true, Some(_)) => return invalid("temporary tables are in the schema temp", "leave the schema out"),
        (false, schema) => schema.map(str::to_owned),
    };
    let options = command.table_definition_options.unwrap_or(TableDefinitionOptions {
        if_not_exist: TableNotExistOption::Fail as i32,
        if_exists: TableExistsOption::Append as i32,
    });
    let mode = match (
        TableNotExistOption::try_from(options.if_not_exist),
        TableExistsOption::try_from(options.if_exists),
    ) {
        (Ok(TableNotExistOption::Create), Ok(TableExistsOption::Fail)) => IngestMode::Create,
        (Ok(TableNotExistOption::Create), Ok(TableExistsOption::Append)) => IngestMode::CreateAppend,
        (Ok(TableNotExistOption::Create), Ok(TableExistsOption::Replace)) => IngestMode::Replace,
        (Ok(TableNotExistOption::Fail), Ok(TableExistsOption::Append)) => IngestMode::Append,
        _ => {
            return invalid(
                "what to do with the table is not said, or contradicts itself",
                "create a table, append to it, or replace it",
            );
        }
    };
    Ok(Ingest {
        table: command.table.clone(),
        schema,
        mode,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn commands_become_targets() {
        let command = |temporary, schema: Option<&str>| CommandStatementIngest {
            table: "t".into(),
            temporary,
            schema: schema.map(str::to_owned),
            ..CommandStatementIngest::default()
        };
        assert_eq!(target(&command(true, None)).unwrap().schema.as_deref(), Some("temp"));
        assert_eq!(target(&command(false, None)).unwrap().schema, None);
        assert!(target(&command(true, Some("public"))).is_err());
        let other = CommandStatementIngest {
            catalog: Some("other".into()),
            ..command(false, None)
        };
        assert!(target(&other).is_err());
        let options = CommandStatementIngest {
            options: [("a".to_owned(), "b".to_owned())].into(),
            ..command(false, None)
        };
        assert!(target(&options).is_err_and(|error| error.kind() == ErrorKind::Unsupported));
    }
}
