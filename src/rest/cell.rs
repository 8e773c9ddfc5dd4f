//! One value on its way from JSON to Arrow: a reusable cell, and the column builder it is appended to.

use std::collections::HashMap;
use std::sync::Arc;

use arrow::array::{
    ArrayRef, BooleanBuilder, Date32Builder, Float64Builder, Int64Builder, ListBuilder, StringBuilder,
    TimestampMillisecondBuilder,
};
use arrow::datatypes::{DataType, Field, Schema, SchemaRef, TimeUnit};

use crate::schema::{Column, Kind, Table};

/// The value of one column of one row. Buffers are reused from row to row.
#[derive(Debug, Clone, Default)]
pub(crate) struct Cell {
    state: State,
    text: String,
    list: Vec<Option<String>>,
    /// Position of the path that gave the value, where a column has several.
    pub(super) preference: usize,
    /// What the answer had in its place, where that did not fit the column.
    misfit: Option<(Odd, Box<str>)>,
}

/// What of a value is odd.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Odd {
    /// It is of another type than its column, and NULL.
    Value,
    /// So are elements of it.
    Element,
    /// Parts of it cannot be shown.
    Part,
}

#[derive(Debug, Clone, Copy, PartialEq, Default)]
enum State {
    #[default]
    Null,
    Text,
    Integer(i64),
    Float(f64),
    Boolean(bool),
    List,
}

impl Cell {
    pub(super) fn clear(&mut self) {
        self.state = State::Null;
        self.preference = usize::MAX;
        self.misfit = None;
    }

    /// Remembers that something of the value is odd: what the answer had, in words.
    pub(super) fn note_misfit(&mut self, odd: Odd, what: &str) {
        self.misfit = Some((odd, what.into()));
    }

    pub(super) fn misfit(&self) -> Option<(Odd, &str)> {
        self.misfit.as_ref().map(|(odd, what)| (*odd, what.as_ref()))
    }

    pub(super) fn is_null(&self) -> bool {
        self.state == State::Null
    }

    pub(super) fn set_text(&mut self, text: &str) {
        self.text.clear();
        self.text.push_str(text);
        self.state = State::Text;
    }

    pub(super) fn set_integer(&mut self, value: i64) {
        self.state = State::Integer(value);
    }

    pub(super) fn set_float(&mut self, value: f64) {
        self.state = State::Float(value);
    }

    pub(super) fn set_boolean(&mut self, value: bool) {
        self.state = State::Boolean(value);
    }

    pub(super) fn set_list(&mut self) -> &mut Vec<Option<String>> {
        self.list.clear();
        self.state = State::List;
        &mut self.list
    }

    /// A whole number, a date or a timestamp.
    pub(super) fn whole(&self) -> Option<i64> {
        match self.state {
            State::Integer(value) => Some(value),
            _ => None,
        }
    }

    /// A floating point number.
    pub(super) fn float(&self) -> Option<f64> {
        match self.state {
            State::Float(value) => Some(value),
            _ => None,
        }
    }

    /// Values of a list.
    pub(super) fn items(&self) -> &[Option<String>] {
        if self.state == State::List { &self.list } else { &[] }
    }

    /// Puts another character in the place of each of these. The answer is how many there were.
    pub(super) fn replace(&mut self, mark: char, character: char) -> usize {
        let texts: Vec<&mut String> = match self.state {
            State::Text => vec![&mut self.text],
            State::List => self.list.iter_mut().flatten().collect(),
            _ => Vec::new(),
        };
        let mut count = 0;
        for text in texts {
            let there = text.matches(mark).count();
            if there > 0 {
                *text = text.replace(mark, character.encode_utf8(&mut [0; 4]));
            }
            count += there;
        }
        count
    }

    /// The value as the text that predicates and paths use; `None` for NULL and lists.
    pub(super) fn canonical(&self) -> Option<std::borrow::Cow<'_, str>> {
        match self.state {
            State::Text => Some(self.text.as_str().into()),
            State::Integer(value) => Some(value.to_string().into()),
            State::Float(value) => Some(value.to_string().into()),
            State::Boolean(value) => Some(value.to_string().into()),
            State::Null | State::List => None,
        }
    }
}

/// The column under construction.
#[derive(Debug)]
pub(super) enum Builder {
    Text(StringBuilder),
    Boolean(BooleanBuilder),
    Bigint(Int64Builder),
    Double(Float64Builder),
    Timestamp(TimestampMillisecondBuilder),
    Date(Date32Builder),
    List(ListBuilder<StringBuilder>),
}

impl Builder {
    /// It grows with its rows: arrow's own defaults are for a thousand of them, and the answer to a write is one.
    pub(super) fn new(kind: Kind) -> Self {
        let text = || StringBuilder::with_capacity(0, 0);
        match kind {
            Kind::Text | Kind::Json => Self::Text(text()),
            Kind::Boolean => Self::Boolean(BooleanBuilder::with_capacity(0)),
            Kind::Bigint => Self::Bigint(Int64Builder::with_capacity(0)),
            Kind::Double => Self::Double(Float64Builder::with_capacity(0)),
            Kind::Timestamp => Self::Timestamp(TimestampMillisecondBuilder::with_capacity(0).with_timezone("UTC")),
            Kind::Date => Self::Date(Date32Builder::with_capacity(0)),
            Kind::List => Self::List(ListBuilder::with_capacity(text(), 0)),
        }
    }

    /// Appends the cell. The decoder fills a cell only with what its column holds, so anything else is NULL.
    pub(super) fn append(&mut self, cell: &Cell) {
        match (self, cell.state) {
            (Self::Text(builder), State::Text) => builder.append_value(&cell.text),
            (Self::Text(builder), _) => builder.append_null(),
            (Self::Boolean(builder), State::Boolean(value)) => builder.append_value(value),
            (Self::Boolean(builder), _) => builder.append_null(),
            (Self::Bigint(builder), State::Integer(value)) => builder.append_value(value),
            (Self::Bigint(builder), _) => builder.append_null(),
            (Self::Double(builder), State::Float(value)) => builder.append_value(value),
            (Self::Double(builder), _) => builder.append_null(),
            (Self::Timestamp(builder), State::Integer(value)) => builder.append_value(value),
            (Self::Timestamp(builder), _) => builder.append_null(),
            (Self::Date(builder), State::Integer(value)) => builder.append_option(i32::try_from(value).ok()),
            (Self::Date(builder), _) => builder.append_null(),
            (Self::List(builder), State::List) => {
                cell.list
                    .iter()
                    .for_each(|item| builder.values().append_option(item.as_ref()));
                builder.append(true);
            }
            (Self::List(builder), _) => builder.append_null(),
        }
    }

    pub(super) fn finish(&mut self) -> ArrayRef {
        match self {
            Self::Text(builder) => Arc::new(builder.finish()),
            Self::Boolean(builder) => Arc::new(builder.finish()),
            Self::Bigint(builder) => Arc::new(builder.finish()),
            Self::Double(builder) => Arc::new(builder.finish()),
            Self::Timestamp(builder) => Arc::new(builder.finish()),
            Self::Date(builder) => Arc::new(builder.finish()),
            Self::List(builder) => Arc::new(builder.finish()),
        }
    }
}

/// The Arrow field of a column. Key columns are not nullable: a row without its key is an error.
pub(crate) fn arrow_field(column: &Column) -> Field {
    let data_type = match column.kind {
        Kind::Text | Kind::Json => DataType::Utf8,
        Kind::Boolean => DataType::Boolean,
        Kind::Bigint => DataType::Int64,
        Kind::Double => DataType::Float64,
        Kind::Timestamp => DataType::Timestamp(TimeUnit::Millisecond, Some("UTC".into())),
        Kind::Date => DataType::Date32,
        Kind::List => DataType::List(Arc::new(Field::new_list_field(DataType::Utf8, true))),
    };
    let field = Field::new(&column.name, data_type, !column.key);
    if column.kind == Kind::Json {
        let json = [("ARROW:extension:name", "arrow.json"), ("ARROW:extension:metadata", "")];
        return field.with_metadata(HashMap::from(json.map(|(key, value)| (key.to_owned(), value.to_owned()))));
    }
    field
}

/// The Arrow schema of some columns of a table.
pub(crate) fn arrow_schema(table: &Table, columns: &[usize]) -> SchemaRef {
    Arc::new(Schema::new(
        columns
            .iter()
            .map(|&column| arrow_field(&table.columns[column]))
            .collect::<Vec<_>>(),
    ))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_column_of_one_row_is_small() {
        for kind in [
            Kind::Text,
            Kind::Json,
            Kind::Boolean,
            Kind::Bigint,
            Kind::Double,
            Kind::Timestamp,
            Kind::Date,
            Kind::List,
        ] {
            for cell in [Cell::default(), {
                let mut cell = Cell::default();
                cell.set_text("Waiting for support");
                cell
            }] {
                let mut builder = Builder::new(kind);
                builder.append(&cell);
                let size = builder.finish().get_array_memory_size();
                assert!(size <= 640, "{kind:?}: {size} bytes");
            }
        }
    }
}
