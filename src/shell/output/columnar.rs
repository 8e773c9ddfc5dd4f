//! Rows as Parquet and Arrow files.

use arrow::array::RecordBatch;
use arrow::datatypes::{DataType, Schema, SchemaRef};
use arrow::error::ArrowError;
use arrow_ipc::writer::FileWriter;
use parquet::arrow::ArrowWriter;
use parquet::basic::{Compression, ZstdLevel};
use parquet::errors::ParquetError;
use parquet::file::properties::WriterProperties;

use super::{RowWriter, Sink};
use crate::error::{Error, ErrorKind, Result};
use crate::session::exit::{holds, quoted};

/// Checks that Parquet has the types of the columns.
///
/// # Errors
/// It has not. The message names the column, the hint a cast.
pub(super) fn check_parquet(schema: &Schema) -> Result<()> {
    for field in schema.fields() {
        let (name, quoted) = (field.name(), quoted(field.name()));
        let kind = field.data_type();
        let refusal = |what: &str, hint: String| {
            let message = format!("Parquet has no type for {what}, which the column {name} holds");
            Err(Error::new(ErrorKind::Unsupported, message).hint(hint))
        };
        if holds(kind, |kind| matches!(kind, DataType::Interval(_))) {
            return refusal(
                "intervals",
                match kind.is_nested() {
                    true => "write an Arrow file".to_owned(),
                    false => format!("write CAST({quoted} AS TEXT) AS {quoted}, or an Arrow file"),
                },
            );
        }
        if holds(kind, |kind| matches!(kind, DataType::Union(..))) {
            return refusal("unions", format!("write union_extract({quoted}, 'member'), or an Arrow file"));
        }
        if holds(kind, |kind| matches!(kind, DataType::Struct(fields) if fields.is_empty())) {
            return refusal(
                "structs without members",
                format!("leave {quoted} out, or write an Arrow file"),
            );
        }
    }
    Ok(())
}

/// A Parquet file, compressed by zstd.
pub(super) struct ParquetWriter(ArrowWriter<Sink>);

impl ParquetWriter {
    pub(super) fn new(sink: Sink, schema: SchemaRef) -> Result<Self, ArrowError> {
        let level = ZstdLevel::try_new(3).map_err(arrow_error)?;
        let properties = WriterProperties::builder().set_compression(Compression::ZSTD(level)).build();
        let writer = ArrowWriter::try_new(sink, schema, Some(properties)).map_err(arrow_error)?;
        Ok(Self(writer))
    }
}

impl RowWriter for ParquetWriter {
    fn write(&mut self, batch: &RecordBatch) -> Result<(), ArrowError> {
        self.0.write(batch).map_err(arrow_error)
    }

    fn end(self: Box<Self>) -> Result<(), ArrowError> {
        self.0.close().map(drop).map_err(arrow_error)
    }
}

fn arrow_error(error: ParquetError) -> ArrowError {
    match error {
        // What the pipe says matters: a reader that has gone is no error.
        ParquetError::External(inner) => match inner.downcast::<std::io::Error>() {
            Ok(error) => ArrowError::from(*error),
            Err(inner) => ArrowError::ParquetError(inner.to_string()),
        },
        other => ArrowError::ParquetError(other.to_string()),
    }
}

/// An Arrow IPC file.
pub(super) struct ArrowFileWriter(FileWriter<Sink>);

impl ArrowFileWriter {
    pub(super) fn new(sink: Sink, schema: &SchemaRef) -> Result<Self, ArrowError> {
        FileWriter::try_new(sink, schema).map(Self)
    }
}

impl RowWriter for ArrowFileWriter {
    fn write(&mut self, batch: &RecordBatch) -> Result<(), ArrowError> {
        self.0.write(batch)
    }

    fn end(mut self: Box<Self>) -> Result<(), ArrowError> {
        self.0.finish()
    }
}
