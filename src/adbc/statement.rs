//! A statement: a query or an ingestion, what is bound to it, and its execution.

use std::sync::Arc;

use adbc_core::error::{Error, Result, Status};
use adbc_core::options::{OptionStatement, OptionValue};
use adbc_core::{PartitionedResult, constants};
use arrow::array::{AsArray, RecordBatch, RecordBatchReader};
use arrow::datatypes::{DataType, Field, Schema, SchemaRef, UInt64Type};

use super::bind::{self, Bound, Inputs};
use super::cancel::{Current, Execution};
use super::connection::{Answer, no_partitions};
use super::engine::Engine;
use super::errors::{exported, out_of_order, unsupported, with_status};
use super::options::{absent, optionable, switch, unknown};
use super::reader::{Reader, Source, changed};
use super::target::Target;
use crate::error::ErrorKind;
use crate::session::{Ingest, Prepared, Session};

/// Whether bound columns are parameters by their names and not by their order. An option of the driver managers, not of the header.
const BY_NAME: &str = "adbc.statement.bind_by_name";
/// What is worth knowing about the rows that were read, such as values that could not be read.
const WARNINGS: &str = "jsmql.statement.warnings";
/// Requests that the execution has sent.
const REQUESTS: &str = "jsmql.statement.requests";

/// A statement. It is used by one thread at a time, but cancelled by any.
pub(super) struct Statement {
    engine: Arc<Engine>,
    session: Session,
    current: Arc<Current>,
    sql: Option<String>,
    prepared: Option<Prepared>,
    target: Target,
    bound: Option<Bound>,
    by_name: bool,
}

impl Statement {
    pub(super) fn new(engine: Arc<Engine>, session: Session) -> Self {
        Self {
            engine,
            session,
            current: Current::of_handle(),
            sql: None,
            prepared: None,
            target: Target::default(),
            bound: None,
            by_name: false,
        }
    }

    fn set(&mut self, key: &str, value: OptionValue) -> Result<()> {
        if self.target.set(key, value.clone())? {
            if key == constants::ADBC_INGEST_OPTION_TARGET_TABLE && self.target.is_set() {
                self.sql = None;
                self.prepared = None;
            }
            return Ok(());
        }
        match key {
            BY_NAME => self.by_name = switch(key, value)?,
            constants::ADBC_STATEMENT_OPTION_INCREMENTAL => {
                if switch(key, value)? {
                    return Err(no_partitions());
                }
            }
            _ => return Err(unknown(key)),
        }
        Ok(())
    }

    fn get(&self, key: &str) -> Result<OptionValue> {
        if let Some(value) = self.target.get(key) {
            return Ok(value);
        }
        let meter = self.current.last().meter();
        match key {
            BY_NAME => Ok(self.by_name.into()),
            constants::ADBC_STATEMENT_OPTION_INCREMENTAL => Ok(false.into()),
            // Rows that the site has given; how many there will be is not known before the end.
            constants::ADBC_STATEMENT_OPTION_PROGRESS => {
                Ok(OptionValue::Double(meter.map_or(0.0, |meter| meter.progress().rows as f64)))
            }
            constants::ADBC_STATEMENT_OPTION_MAX_PROGRESS => Ok(OptionValue::Double(0.0)),
            REQUESTS => {
                let requests = meter.map_or(0, |meter| meter.progress().requests);
                Ok(OptionValue::Int(requests.try_into().unwrap_or(i64::MAX)))
            }
            WARNINGS => Ok(meter.map(|meter| meter.warnings().join("\n")).unwrap_or_default().into()),
            _ => Err(absent(key)),
        }
    }

    /// The plan: the one that was prepared, or one for this execution.
    fn plan(&self, execution: &Execution) -> Result<Prepared> {
        if let Some(prepared) = &self.prepared {
            return Ok(prepared.clone());
        }
        let Some(sql) = &self.sql else {
            return Err(out_of_order(
                "the statement has no query",
                "set a query, or a table to ingest into",
            ));
        };
        self.engine.wait(execution, self.session.prepare(sql)).map_err(exported)
    }

    /// Runs a statement that changes something, for every row of its parameters.
    fn change(&mut self, mut source: Source, schema: &SchemaRef) -> Result<(Vec<RecordBatch>, Option<i64>)> {
        let (mut batches, mut affected) = (Vec::new(), Affected::new(schema));
        loop {
            match source.next() {
                Ok(Some(batch)) => {
                    affected.add(&batch);
                    batches.push(batch);
                }
                Ok(None) => return Ok((batches, affected.count())),
                Err(error) => {
                    let mut error = stopped(error);
                    if source.done > 0 {
                        // What was done stays done, and whoever repeats the whole would do it twice.
                        let rows = affected.count().map(|rows| format!(" ({rows} rows)")).unwrap_or_default();
                        error.message.push_str(&format!(
                            "\nnote: the {} executions before this one took effect{rows}",
                            source.done
                        ));
                    }
                    return Err(error);
                }
            }
        }
    }

    fn ingest(&mut self, target: Ingest) -> Result<i64> {
        let Some(bound) = self.bound.take() else {
            return Err(out_of_order(
                "no rows are bound to ingest",
                "bind a batch or a stream of them first",
            ));
        };
        let execution = self.current.begin();
        let ingested = bind::stream(bound).and_then(|rows| self.engine.wait(&execution, self.session.ingest(target, rows)));
        match ingested {
            Ok(count) => Ok(count.try_into().unwrap_or(i64::MAX)),
            Err(error) => {
                // In the words of the specification: the table exists, or exists with other columns; and a value that does not fit.
                let status = match error.kind() {
                    ErrorKind::Conflict | ErrorKind::Statement => Some(Status::AlreadyExists),
                    ErrorKind::Invalid => Some(Status::InvalidData),
                    _ => None,
                };
                let error = stopped(error);
                Err(match status {
                    Some(status) => with_status(error, status),
                    None => error,
                })
            }
        }
    }
}

optionable!(Statement, OptionStatement);

/// Why a statement that changes something ended early. Rows may have been written by then.
fn stopped(error: crate::error::Error) -> Error {
    exported(match error.kind() {
        ErrorKind::Cancelled => error.hint("SELECT * FROM sys.writes says what became of each row"),
        _ => error,
    })
}

/// Counts the rows that a statement changes.
enum Affected {
    /// Its result says how many.
    Said(u64),
    /// Its result are the rows.
    Shown(u64),
    /// It has no result.
    Unknown,
}

impl Affected {
    fn new(schema: &SchemaRef) -> Self {
        let counts = |field: &Field| field.name() == "count" && field.data_type() == &DataType::UInt64;
        match schema.fields().as_ref() {
            [] => Self::Unknown,
            [field] if counts(field) => Self::Said(0),
            _ => Self::Shown(0),
        }
    }

    fn add(&mut self, batch: &RecordBatch) {
        match self {
            Self::Said(rows) => {
                let counts = batch.column(0).as_primitive::<UInt64Type>();
                *rows += counts.iter().flatten().sum::<u64>();
            }
            Self::Shown(rows) => *rows += batch.num_rows() as u64,
            Self::Unknown => {}
        }
    }

    fn count(&self) -> Option<i64> {
        match self {
            Self::Said(rows) | Self::Shown(rows) => Some((*rows).try_into().unwrap_or(i64::MAX)),
            Self::Unknown => None,
        }
    }
}

impl adbc_core::Statement for Statement {
    fn bind(&mut self, batch: RecordBatch) -> Result<()> {
        self.bound = Some(bind::batch(batch)?);
        Ok(())
    }

    fn bind_stream(&mut self, reader: Box<dyn RecordBatchReader + Send>) -> Result<()> {
        self.bound = Some(reader);
        Ok(())
    }

    fn execute(&mut self) -> Result<Answer> {
        if let Some(target) = self.target.ingest()? {
            let count = self.ingest(target)?;
            return Ok(changed(Arc::new(Schema::empty()), Vec::new(), Some(count)));
        }
        let execution = self.current.begin();
        let plan = self.plan(&execution)?;
        let inputs = Inputs::new(self.bound.take(), self.by_name);
        let (schema, changes) = (plan.schema(), plan.has_effects());
        let source = Source::new(self.engine.clone(), execution, plan, inputs);
        if changes {
            let (batches, affected) = self.change(source, &schema)?;
            let schema = batches.first().map_or(schema, RecordBatch::schema);
            return Ok(changed(schema, batches, affected));
        }
        Ok(Box::new(Reader::open(source).map_err(exported)?))
    }

    fn execute_update(&mut self) -> Result<Option<i64>> {
        if let Some(target) = self.target.ingest()? {
            return self.ingest(target).map(Some);
        }
        let execution = self.current.begin();
        let plan = self.plan(&execution)?;
        let inputs = Inputs::new(self.bound.take(), self.by_name);
        let (schema, changes) = (plan.schema(), plan.has_effects());
        let mut source = Source::new(self.engine.clone(), execution, plan, inputs);
        if changes {
            return self.change(source, &schema).map(|(_, affected)| affected);
        }
        // Nobody wants the rows, but whoever runs a query wants to hear that it fails.
        while source.next().map_err(exported)?.is_some() {}
        Ok(None)
    }

    fn execute_schema(&mut self) -> Result<Schema> {
        if self.target.is_set() {
            return Err(out_of_order("an ingestion has no result", "set a query first"));
        }
        let execution = self.current.begin();
        Ok(Schema::clone(&self.plan(&execution)?.schema()))
    }

    fn execute_partitions(&mut self) -> Result<PartitionedResult> {
        Err(no_partitions())
    }

    fn get_parameter_schema(&self) -> Result<Schema> {
        let Some(prepared) = &self.prepared else {
            return Err(out_of_order("the statement is not prepared", "prepare it first"));
        };
        // A number is a place and not a name.
        let fields = prepared.parameters();
        let fields = fields.fields().iter().map(|field| {
            let numbered = field.name().bytes().all(|byte| byte.is_ascii_digit());
            Field::new(if numbered { "" } else { field.name() }, field.data_type().clone(), true)
        });
        Ok(Schema::new(fields.collect::<Vec<_>>()))
    }

    fn prepare(&mut self) -> Result<()> {
        if self.target.is_set() {
            return Err(out_of_order("an ingestion cannot be prepared", "set a query first"));
        }
        self.prepared = None;
        let execution = self.current.begin();
        self.prepared = Some(self.plan(&execution)?);
        Ok(())
    }

    fn set_sql_query(&mut self, query: impl AsRef<str>) -> Result<()> {
        self.sql = Some(query.as_ref().to_owned());
        self.prepared = None;
        self.target.clear();
        // Values that were bound to another statement must not be taken for those of this one.
        self.bound = None;
        Ok(())
    }

    fn set_substrait_plan(&mut self, _: impl AsRef<[u8]>) -> Result<()> {
        Err(unsupported("Substrait plans are not supported", "set a SQL query"))
    }

    fn cancel(&mut self) -> Result<()> {
        self.current.cancel();
        Ok(())
    }
}
