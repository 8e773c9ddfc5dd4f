//! Rows for people.

use std::io::Write;
use std::sync::Arc;

use arrow::array::{Array, ArrayRef, RecordBatch, StringArray};
use arrow::datatypes::{DataType, Field, Schema, SchemaRef};
use arrow::error::ArrowError;
use arrow::util::pretty::pretty_format_batches;

use super::values::texts;
use super::{RowWriter, Sink};
use crate::shell::counted::counted;

/// Text of a ticket must not move the cursor or change the title of somebody's terminal.
fn safe(text: &str) -> String {
    let shown = |c: char| if c.is_control() && c != '\n' { '\u{fffd}' } else { c };
    text.chars().map(shown).collect()
}

fn columns(batch: &RecordBatch) -> Result<Vec<StringArray>, ArrowError> {
    batch.columns().iter().map(texts).collect()
}

/// The text of a value; that of NULL is empty.
fn text(column: &StringArray, row: usize) -> &str {
    if column.is_null(row) { "" } else { column.value(row) }
}

/// Columns side by side. Their widths are known when all rows are there.
pub(super) struct TableWriter {
    sink: Sink,
    /// The columns as texts.
    schema: SchemaRef,
    batches: Vec<RecordBatch>,
}

impl TableWriter {
    pub(super) fn new(sink: Sink, schema: &SchemaRef) -> Self {
        let fields = schema
            .fields()
            .iter()
            .map(|field| Field::new(field.name(), DataType::Utf8, true));
        Self {
            sink,
            schema: Arc::new(Schema::new(fields.collect::<Vec<_>>())),
            batches: Vec::new(),
        }
    }
}

impl RowWriter for TableWriter {
    fn write(&mut self, batch: &RecordBatch) -> Result<(), ArrowError> {
        let columns = columns(batch)?.into_iter().map(|column| Arc::new(column) as ArrayRef);
        self.batches
            .push(RecordBatch::try_new(self.schema.clone(), columns.collect())?);
        Ok(())
    }

    fn end(mut self: Box<Self>) -> Result<(), ArrowError> {
        if self.batches.is_empty() {
            self.batches.push(RecordBatch::new_empty(self.schema.clone()));
        }
        let text = pretty_format_batches(&self.batches)?.to_string();
        let rows = self.batches.iter().map(RecordBatch::num_rows).sum();
        writeln!(self.sink, "{}\n{}", safe(&text), counted(rows, "row")).map_err(ArrowError::from)
    }
}

/// One line per value, one paragraph per row.
pub(super) struct VerticalWriter {
    sink: Sink,
    schema: SchemaRef,
    rows: usize,
}

impl VerticalWriter {
    pub(super) fn new(sink: Sink, schema: SchemaRef) -> Self {
        Self { sink, schema, rows: 0 }
    }
}

impl RowWriter for VerticalWriter {
    fn write(&mut self, batch: &RecordBatch) -> Result<(), ArrowError> {
        let names = self.schema.fields().iter().map(|field| field.name());
        let width = names.map(|name| name.chars().count()).max().unwrap_or_default();
        let columns = columns(batch)?;
        for row in 0..batch.num_rows() {
            self.rows += 1;
            writeln!(self.sink, "-[ row {} ]{}", self.rows, "-".repeat(width.max(12)))?;
            for (field, column) in self.schema.fields().iter().zip(&columns) {
                // Further lines of a value stand below its first.
                let value = safe(text(column, row)).replace('\n', &format!("\n{} | ", " ".repeat(width)));
                writeln!(self.sink, "{:<width$} | {value}", field.name())?;
            }
        }
        Ok(())
    }

    fn end(mut self: Box<Self>) -> Result<(), ArrowError> {
        writeln!(self.sink, "{}", counted(self.rows, "row")).map_err(ArrowError::from)
    }
}

/// A Markdown table.
pub(super) struct MarkdownWriter {
    sink: Sink,
}

impl MarkdownWriter {
    pub(super) fn new(mut sink: Sink, schema: &SchemaRef) -> Result<Self, ArrowError> {
        let names: Vec<String> = schema.fields().iter().map(|field| cell(field.name())).collect();
        writeln!(sink, "| {} |", names.join(" | "))?;
        writeln!(sink, "|{}", "---|".repeat(names.len()))?;
        Ok(Self { sink })
    }
}

impl RowWriter for MarkdownWriter {
    fn write(&mut self, batch: &RecordBatch) -> Result<(), ArrowError> {
        let columns = columns(batch)?;
        for row in 0..batch.num_rows() {
            let cells: Vec<String> = columns.iter().map(|column| cell(text(column, row))).collect();
            writeln!(self.sink, "| {} |", cells.join(" | "))?;
        }
        Ok(())
    }

    fn end(self: Box<Self>) -> Result<(), ArrowError> {
        Ok(())
    }
}

fn cell(value: &str) -> String {
    value.replace('|', "\\|").replace('\n', "<br>").replace(char::is_control, " ")
}
