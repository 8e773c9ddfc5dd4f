//! Rows for people.

use std::io::Write;

use arrow::array::RecordBatch;
use arrow::datatypes::SchemaRef;
use arrow::error::ArrowError;
use arrow::util::display::{ArrayFormatter, FormatOptions};
use arrow::util::pretty::pretty_format_batches_with_options;

use super::{INSTANT, RowWriter, Sink};
use crate::shell::counted::counted;

fn options() -> FormatOptions<'static> {
    FormatOptions::default().with_timestamp_tz_format(Some(INSTANT))
}

/// Text of a ticket must not move the cursor or change the title of somebody's terminal.
fn safe(text: &str) -> String {
    let shown = |c: char| if c.is_control() && c != '\n' { '\u{fffd}' } else { c };
    text.chars().map(shown).collect()
}

fn formatters<'a>(batch: &'a RecordBatch, options: &'a FormatOptions<'_>) -> Result<Vec<ArrayFormatter<'a>>, ArrowError> {
    let columns = batch.columns().iter();
    columns.map(|column| ArrayFormatter::try_new(column, options)).collect()
}

/// Columns side by side. Their widths are known when all rows are there.
pub(super) struct TableWriter {
    sink: Sink,
    schema: SchemaRef,
    batches: Vec<RecordBatch>,
}

impl TableWriter {
    pub(super) fn new(sink: Sink, schema: SchemaRef) -> Self {
        Self {
            sink,
            schema,
            batches: Vec::new(),
        }
    }
}

impl RowWriter for TableWriter {
    fn write(&mut self, batch: &RecordBatch) -> Result<(), ArrowError> {
        self.batches.push(batch.clone());
        Ok(())
    }

    fn end(mut self: Box<Self>) -> Result<(), ArrowError> {
        if self.batches.is_empty() {
            self.batches.push(RecordBatch::new_empty(self.schema.clone()));
        }
        let text = pretty_format_batches_with_options(&self.batches, &options())?.to_string();
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
        let options = options();
        let columns = formatters(batch, &options)?;
        for row in 0..batch.num_rows() {
            self.rows += 1;
            writeln!(self.sink, "-[ row {} ]{}", self.rows, "-".repeat(width.max(12)))?;
            for (field, column) in self.schema.fields().iter().zip(&columns) {
                // Further lines of a value stand below its first.
                let value = safe(&column.value(row).to_string()).replace('\n', &format!("\n{} | ", " ".repeat(width)));
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
        let options = options();
        let columns = formatters(batch, &options)?;
        for row in 0..batch.num_rows() {
            let cells: Vec<String> = columns.iter().map(|column| cell(&column.value(row).to_string())).collect();
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
