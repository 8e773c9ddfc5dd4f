//! Rows of the embedding program into a table: one of the scratch schema, or one of the site.

use std::fmt;
use std::sync::atomic::{AtomicU64, Ordering::Relaxed};
use std::sync::{Arc, Mutex, PoisonError};

use datafusion::arrow::array::{AsArray, RecordBatch};
use datafusion::arrow::datatypes::{SchemaRef, UInt64Type};
use datafusion::catalog::streaming::StreamingTable;
use datafusion::common::TableReference;
use datafusion::datasource::MemTable;
use datafusion::execution::{SendableRecordBatchStream, TaskContext};
use datafusion::physical_plan::stream::RecordBatchStreamAdapter;
use datafusion::physical_plan::streaming::PartitionStream;
use futures::TryStreamExt;

use super::Session;
use super::fit::Fit;
use super::held::Load;
use super::temp::{Scratch, Taken, exists, unknown};
use crate::catalog::with_names;
use crate::error::{Error, ErrorKind, Result};
use crate::table::{from_datafusion, to_datafusion};

/// Where rows go.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Ingest {
    /// Name of the table.
    pub table: String,
    /// `temp` or `public`. Without it, the table of the site that has the name, else one of the scratch schema.
    pub schema: Option<String>,
    /// What happens to what is there.
    pub mode: IngestMode,
}

/// What happens to the table that rows go to. Tables of the site exist already and cannot be replaced.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum IngestMode {
    /// The table is made; it must not exist.
    Create,
    /// The table must exist; rows are added to it.
    Append,
    /// The table is made; one that exists is dropped.
    Replace,
    /// The table is made if it does not exist; rows are added to it.
    CreateAppend,
}

impl Session {
    /// Writes rows into a table, matching columns by name; how many there were.
    ///
    /// A table of the site takes them as an INSERT does: with the same checks, requests and accounting.
    ///
    /// # Errors
    /// The mode does not fit what exists, a column is unknown, or the INSERT fails; the message then says what was written.
    pub async fn ingest(&self, target: Ingest, rows: SendableRecordBatchStream) -> Result<u64> {
        let scratch = &self.shared.scratch;
        let name = &target.table;
        let of_site = match target.schema.as_deref() {
            None => self.shared.catalog.table(name).is_some(),
            Some("public") => true,
            Some("temp") => false,
            Some(other) => {
                return Err(
                    Error::new(ErrorKind::NotFound, format!("there is no schema {other} to write to"))
                        .hint("temp holds tables of this session, public those of the site"),
                );
            }
        };
        if of_site {
            return match target.mode {
                IngestMode::Append | IngestMode::CreateAppend => self.append("public", name, rows).await,
                IngestMode::Create => Err(
                    Error::new(ErrorKind::Conflict, format!("{name} exists: it is a table of the site"))
                        .hint("append to it, or name the schema temp"),
                ),
                IngestMode::Replace => Err(Error::new(
                    ErrorKind::Unsupported,
                    format!("{name} cannot be replaced: it is a table of the site"),
                )
                .hint("append to it, or name the schema temp")),
            };
        }
        let there = scratch.has(name);
        match target.mode {
            IngestMode::Append if !there => return Err(unknown(name)),
            IngestMode::Create if there => return Err(exists(name)),
            IngestMode::Append | IngestMode::CreateAppend if there => return self.append("temp", name, rows).await,
            _ => {}
        }
        let schema = rows.schema();
        let load = Load::new(name, &self.shared.context.runtime_env().memory_pool);
        let counted = rows.and_then(|batch| std::future::ready(load.add(&batch).map(|()| batch)));
        let batches: Vec<RecordBatch> = counted.try_collect().await.map_err(from_datafusion)?;
        let count = batches.iter().map(|batch| batch.num_rows() as u64).sum();
        let table = MemTable::try_new(schema, vec![batches]).map_err(from_datafusion)?;
        let taken = if target.mode == IngestMode::Replace {
            Taken::Replace
        } else {
            Taken::Refuse
        };
        scratch.put(name, taken, Arc::new(table))?;
        scratch.held().keep(name, load);
        Ok(count)
    }

    async fn append(&self, schema: &str, table: &str, rows: SendableRecordBatchStream) -> Result<u64> {
        if schema == "public" && self.connection().dry_run() {
            return Err(Error::new(
                ErrorKind::Unsupported,
                "DryRun lists requests, and ingestion has no place for the list",
            )
            .hint("use INSERT, or connect with DryRun=false"));
        }
        let rows = self.fitting(schema, table, rows).await?;
        let quoted = |name: &str| format!("\"{}\"", name.replace('"', "\"\""));
        let columns: Vec<String> = rows.schema().fields().iter().map(|field| quoted(field.name())).collect();
        let source = Source::register(&self.shared.scratch, rows)?;
        let columns = columns.join(", ");
        let insert = format!(
            "INSERT INTO {schema}.{} ({columns}) SELECT {columns} FROM temp.{}",
            quoted(table),
            source.name
        );
        let answer = self.sql(&insert).await?.try_collect::<Vec<RecordBatch>>().await;
        let answer = answer.map_err(of_rows)?;
        let counts = answer
            .iter()
            .flat_map(|batch| batch.column(0).as_primitive::<UInt64Type>().iter().flatten());
        Ok(counts.sum())
    }

    /// The rows, with an error at the first that does not fit the table.
    async fn fitting(&self, schema: &str, table: &str, rows: SendableRecordBatchStream) -> Result<SendableRecordBatchStream> {
        let columns = rows.schema();
        let names = columns.fields().iter().map(|field| field.name().clone()).collect();
        let named = TableReference::partial(schema, table);
        let provider = with_names(Some(names), None, self.shared.context.table_provider(named)).await;
        let mut fit = Fit::new(provider.map_err(from_datafusion)?.schema());
        if let Some(error) = fit.impossible(&columns) {
            let checked = rows.try_for_each(|batch| std::future::ready(fit.check(&batch).map_err(to_datafusion)));
            return Err(checked.await.map_or_else(from_datafusion, |()| error));
        }
        let checked = rows.and_then(move |batch| {
            let fits = fit.check(&batch).map_err(to_datafusion);
            std::future::ready(fits.map(|()| batch))
        });
        Ok(Box::pin(RecordBatchStreamAdapter::new(columns, checked)))
    }
}

/// The statement is ours and was planned: what fails while it runs is in the rows.
fn of_rows(error: Error) -> Error {
    if error.kind() != ErrorKind::Statement {
        return error;
    }
    let hint = error
        .hint_text()
        .unwrap_or("correct the rows, or leave those out that do not fit")
        .to_owned();
    Error::new(ErrorKind::Invalid, error.to_string()).hint(hint).source(error)
}

/// Rows that a statement reads by a name, as long as this lives.
struct Source {
    scratch: Arc<Scratch>,
    name: String,
}

impl Source {
    fn register(scratch: &Arc<Scratch>, rows: SendableRecordBatchStream) -> Result<Self> {
        static NEXT: AtomicU64 = AtomicU64::new(1);
        let name = format!("ingest_{}", NEXT.fetch_add(1, Relaxed));
        let once = Arc::new(Once {
            schema: rows.schema(),
            rows: Mutex::new(Some(rows)),
        });
        let table = StreamingTable::try_new(once.schema.clone(), vec![once]).map_err(from_datafusion)?;
        scratch.put(&name, Taken::Refuse, Arc::new(table))?;
        Ok(Self {
            scratch: scratch.clone(),
            name,
        })
    }
}

impl Drop for Source {
    fn drop(&mut self) {
        // It is ours, and no view can have been made of it under a name that nobody knows.
        let _ = self.scratch.tables().deregister_table(&self.name);
    }
}

/// A stream that is read once.
struct Once {
    schema: SchemaRef,
    rows: Mutex<Option<SendableRecordBatchStream>>,
}

impl fmt::Debug for Once {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Once").field("schema", &self.schema).finish_non_exhaustive()
    }
}

impl PartitionStream for Once {
    fn schema(&self) -> &SchemaRef {
        &self.schema
    }

    fn execute(&self, _: Arc<TaskContext>) -> SendableRecordBatchStream {
        let rows = self.rows.lock().unwrap_or_else(PoisonError::into_inner).take();
        rows.unwrap_or_else(|| {
            let error = Error::new(ErrorKind::Internal, "the rows to write were read twice").hint("please report this");
            let failed = futures::stream::once(async { Err(to_datafusion(error)) });
            Box::pin(RecordBatchStreamAdapter::new(self.schema.clone(), failed))
        })
    }
}
