//! Comma- and tab-separated rows.

use std::sync::Arc;

use arrow::array::{ArrayRef, RecordBatch};
use arrow::csv;
use arrow::datatypes::{DataType, Field, FieldRef, Schema, SchemaRef};
use arrow::error::ArrowError;

use super::json::json_texts;
use super::values::texts;
use super::{RowWriter, Sink};

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

/// CSV has texts, numbers and truth values: what is made of several is written as JSON, all else as in other formats of text.
fn flat(batch: &RecordBatch) -> Result<RecordBatch, ArrowError> {
    let (mut fields, mut columns): (Vec<FieldRef>, Vec<ArrayRef>) = Default::default();
    for (field, column) in batch.schema_ref().fields().iter().zip(batch.columns()) {
        let kind = field.data_type();
        if kind.is_numeric() || matches!(kind, DataType::Utf8 | DataType::Boolean | DataType::Null) {
            fields.push(field.clone());
            columns.push(column.clone());
        } else {
            fields.push(Arc::new(Field::new(field.name(), DataType::Utf8, true)));
            columns.push(Arc::new(match kind.is_nested() {
                true => json_texts(field, column)?,
                false => texts(column)?,
            }));
        }
    }
    RecordBatch::try_new(Arc::new(Schema::new(fields)), columns)
}
