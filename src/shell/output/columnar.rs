//! Rows as Parquet and Arrow files.

use arrow::array::RecordBatch;
use arrow::datatypes::SchemaRef;
use arrow::error::ArrowError;
use arrow_ipc::writer::FileWriter;
use parquet::arrow::ArrowWriter;
use parquet::basic::{Compression, ZstdLevel};
use parquet::errors::ParquetError;
use parquet::file::properties::WriterProperties;

use super::{RowWriter, Sink};

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
