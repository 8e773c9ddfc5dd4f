//! What the site answers to a write or a call, as rows.

use std::collections::HashSet;
use std::sync::Arc;

use arrow::array::{Array, AsArray, RecordBatch};
use bytes::Bytes;

use super::cell::{Builder, Cell};
use super::decode::{Decoder, PageInfo};
use super::encode::Given;
use super::shape;
use crate::error::{Error, ErrorKind, Result};
use crate::schema::{Column, Origin, Table};

/// Reads an answer whose rows have the shape of a table: the answer itself is the row, or has rows at the table's own place.
///
/// `echo` gives the value of a column that is taken from the request.
pub(super) fn read(
    table: &Arc<Table>,
    columns: &[usize],
    body: &Bytes,
    rows: bool,
    at_least_one: bool,
    echo: impl Fn(usize) -> Option<String>,
) -> Result<Option<RecordBatch>> {
    let mut decoder = decoder(table, columns, rows, at_least_one, echo)?;
    decoder.read(body)?;
    decoder.take()
}

fn decoder(
    table: &Arc<Table>,
    columns: &[usize],
    rows: bool,
    at_least_one: bool,
    echo: impl Fn(usize) -> Option<String>,
) -> Result<Decoder> {
    let mut shape = shape::compile(std::slice::from_ref(table), columns, &[], rows);
    shape.at_least_one = at_least_one;
    if !rows {
        shape.take_any();
    }
    let echoed: Vec<_> = columns
        .iter()
        .filter(|&&column| table.columns[column].origin == Origin::Request)
        .filter_map(|&column| Some((shape.slot(0, column)?, echo(column))))
        .collect();
    let output = columns.iter().filter_map(|&column| shape.slot(0, column)).collect();
    let mut decoder = Decoder::new(
        shape,
        super::arrow_schema(table, columns),
        output,
        Vec::new(),
        Vec::new(),
        None,
    );
    decoder
        .bind(echoed.iter().map(|(slot, value)| (*slot, value.as_deref())))
        .map_err(|what| Error::new(ErrorKind::Decode, what))?;
    Ok(decoder)
}

/// The values of a column in a page of rows of the table, and what the page says about itself.
pub(super) fn shown(
    table: &Arc<Table>,
    column: usize,
    body: &Bytes,
    echo: impl Fn(usize) -> Option<String>,
) -> Result<(PageInfo, HashSet<String>)> {
    let columns: Vec<usize> = table.key().collect();
    let mut decoder = decoder(table, &columns, true, false, echo)?;
    let page = decoder.read(body)?;
    let rows = decoder.take()?;
    let name = &table.columns[column].name;
    let values = rows
        .as_ref()
        .and_then(|rows| rows.column_by_name(name)?.as_string_opt::<i32>());
    let values = values.into_iter().flatten().flatten().map(str::to_owned).collect();
    Ok((page, values))
}

/// A row that was answered, with the values that were sent where the answer has none.
pub(super) fn completed(table: &Table, columns: &[usize], answer: &RecordBatch, given: &Given) -> Result<RecordBatch> {
    let sent = of_values(table, columns, given)?;
    let values = answer.columns().iter().zip(sent.columns());
    let values = values.map(|(answered, sent)| if answered.is_null(0) { sent.clone() } else { answered.clone() });
    RecordBatch::try_new(sent.schema(), values.collect())
        .map_err(|error| Error::new(ErrorKind::Internal, format!("the values do not fit together: {error}")))
}

/// One row of the values that were sent, where the site answers nothing.
pub(super) fn of_values(table: &Table, columns: &[usize], given: &Given) -> Result<RecordBatch> {
    let mut cell = Cell::default();
    let values = columns.iter().map(|&column| {
        let mut builder = Builder::new(table.columns[column].kind);
        cell.clear();
        if let Some(value) = &given[column] {
            value.fill(&mut cell);
        }
        builder.append(&cell);
        builder.finish()
    });
    // What the site made of the row is not known, so its key may be missing.
    let nullable = |column: &Column| super::arrow_field(column).with_nullable(true);
    let fields: Vec<_> = columns.iter().map(|&column| nullable(&table.columns[column])).collect();
    RecordBatch::try_new(Arc::new(arrow::datatypes::Schema::new(fields)), values.collect())
        .map_err(|error| Error::new(ErrorKind::Internal, format!("the values do not fit together: {error}")))
}
