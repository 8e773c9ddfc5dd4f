//! Comma- and tab-separated rows.

use std::sync::Arc;

use arrow::array::{ArrayRef, RecordBatch};
use arrow::csv;
use arrow::datatypes::{DataType, Field, FieldRef, Schema, SchemaRef};
use arrow::error::ArrowError;

use super::json::json_texts;
use super::{INSTANT, RowWriter, Sink};

/// Rows between delimiters, with a header.
pub(super) struct CsvWriter {
    sink: Sink,
    schema: SchemaRef,
    delimiter: u8,
    started: bool,
}

impl CsvWriter {
    pub(super) fn new(sink: Sink, schema: SchemaRef, delimiter: u8) -> Self {
        Self {
            sink,
            schema,
            delimiter,
            started: false,
        }
    }
}

impl RowWriter for CsvWriter {
    fn write(&mut self, batch: &RecordBatch) -> Result<(), ArrowError> {
        let mut writer = csv::WriterBuilder::new()
            .with_header(!std::mem::replace(&mut self.started, true))
            .with_delimiter(self.delimiter)
            .with_timestamp_tz_format(INSTANT.to_owned())
            .build(&mut self.sink);
        writer.write(&flat(batch)?)
    }

    fn end(mut self: Box<Self>) -> Result<(), ArrowError> {
        // No rows: the header still says what there would have been.
        if self.started {
            return Ok(());
        }
        let nothing = RecordBatch::new_empty(self.schema.clone());
        self.write(&nothing)
    }
}

/// CSV has no lists: they are written as JSON arrays.
fn flat(batch: &RecordBatch) -> Result<RecordBatch, ArrowError> {
    let schema = batch.schema();
    let is_list = |field: &FieldRef| matches!(field.data_type(), DataType::List(_));
    if !schema.fields().iter().any(is_list) {
        return Ok(batch.clone());
    }
    let (mut fields, mut columns): (Vec<FieldRef>, Vec<ArrayRef>) = Default::default();
    for (field, column) in schema.fields().iter().zip(batch.columns()) {
        if is_list(field) {
            fields.push(Arc::new(Field::new(field.name(), DataType::Utf8, true)));
            columns.push(Arc::new(json_texts(field, column)?));
        } else {
            fields.push(field.clone());
            columns.push(column.clone());
        }
    }
    RecordBatch::try_new(Arc::new(Schema::new(fields)), columns)
}
