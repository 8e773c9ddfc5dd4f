//! The types that rows have when they leave a session: one decision for every front end, format and program.
//!
//! The engine keeps the same value in many encodings, and its functions choose among them. Clients read few: Java knows no views
//! (apache/arrow-java#807), pyarrow one kind of interval, DuckDB no half floats; Flight's encoder changes some types in its stream and
//! not in what is told before it. So whatever leaves is in its plain encoding, and every schema is told in the same.
//!
//! It knows types and batches, neither statements nor formats.

use std::sync::Arc;

use datafusion::arrow::array::{Array, ArrayRef, AsArray, RecordBatch, RecordBatchOptions, UnionArray};
use datafusion::arrow::compute::{CastOptions, cast_with_options};
use datafusion::arrow::datatypes::{DataType, Field, FieldRef, Fields, IntervalUnit, Schema, SchemaRef, TimeUnit, UnionFields};
use datafusion::arrow::error::ArrowError;

use crate::error::{Error, ErrorKind, Result};

/// The plain encoding of a type.
///
/// Nothing is lost by it but what no reader could hold: text of more than 2 GiB in one batch, and seconds beyond what milliseconds count,
/// 290 million years away. Those are errors. Seconds are told as milliseconds since Parquet has none, and its readers would see numbers.
pub(crate) fn plain(kind: &DataType) -> DataType {
    remade(kind, &|kind| match kind {
        DataType::Utf8View | DataType::LargeUtf8 => DataType::Utf8,
        DataType::BinaryView | DataType::LargeBinary => DataType::Binary,
        DataType::Float16 => DataType::Float32,
        DataType::Decimal32(precision, scale)
        | DataType::Decimal64(precision, scale)
        | DataType::Decimal128(precision, scale)
        | DataType::Decimal256(precision, scale) => decimal(precision, scale).unwrap_or(kind),
        DataType::Timestamp(TimeUnit::Second, zone) => DataType::Timestamp(TimeUnit::Millisecond, zone),
        // In Parquet, whose dates have no milliseconds, it would be a number.
        DataType::Date64 => DataType::Timestamp(TimeUnit::Millisecond, None),
        DataType::Time32(TimeUnit::Second) => DataType::Time32(TimeUnit::Millisecond),
        DataType::Interval(_) => DataType::Interval(IntervalUnit::MonthDayNano),
        DataType::Dictionary(_, values) => *values,
        DataType::RunEndEncoded(_, values) => values.data_type().clone(),
        DataType::LargeList(item) | DataType::ListView(item) | DataType::LargeListView(item) => DataType::List(item),
        kind => kind,
    })
}

/// A decimal of the width that everybody reads, and without a negative scale, which Parquet has not; none if it has too many digits.
fn decimal(precision: u8, scale: i8) -> Option<DataType> {
    let zeros = u8::try_from(-i16::from(scale.min(0))).ok()?;
    let (precision, scale) = (precision.checked_add(zeros)?, scale.max(0));
    match precision {
        ..=38 => Some(DataType::Decimal128(precision, scale)),
        39..=76 => Some(DataType::Decimal256(precision, scale)),
        _ => None,
    }
}

/// A type with every type inside of it, and then itself, decided anew.
pub(crate) fn remade(kind: &DataType, decide: &dyn Fn(DataType) -> DataType) -> DataType {
    let field = |field: &FieldRef| retyped(field, remade(field.data_type(), decide));
    decide(match kind {
        DataType::Dictionary(keys, values) => DataType::Dictionary(keys.clone(), Box::new(remade(values, decide))),
        DataType::RunEndEncoded(ends, values) => DataType::RunEndEncoded(ends.clone(), field(values)),
        DataType::List(item) => DataType::List(field(item)),
        DataType::LargeList(item) => DataType::LargeList(field(item)),
        DataType::ListView(item) => DataType::ListView(field(item)),
        DataType::LargeListView(item) => DataType::LargeListView(field(item)),
        DataType::FixedSizeList(item, size) => DataType::FixedSizeList(field(item), *size),
        DataType::Struct(fields) => DataType::Struct(fields.iter().map(field).collect::<Fields>()),
        DataType::Map(entries, sorted) => DataType::Map(field(entries), *sorted),
        DataType::Union(fields, mode) => {
            let fields = fields.iter().map(|(id, of)| (id, field(of)));
            DataType::Union(fields.collect::<UnionFields>(), *mode)
        }
        kind => kind.clone(),
    })
}

/// Whether a type is such a one, or holds one.
#[cfg(feature = "shell")]
pub(crate) fn holds(kind: &DataType, is_such: impl Fn(&DataType) -> bool) -> bool {
    let found = std::cell::Cell::new(false);
    remade(kind, &|kind| {
        found.set(found.get() || is_such(&kind));
        kind
    });
    found.get()
}

/// The same column with another type. Of a dictionary nothing is left, not even its id, which would tell the field from others.
///
/// A union has no NULLs of its own, only its members have; so says Flight's encoder of its field, and knows no metadata of it.
fn retyped(field: &Field, kind: DataType) -> FieldRef {
    Arc::new(match kind {
        DataType::Union(..) => Field::new(field.name(), kind, false),
        kind => Field::new(field.name(), kind, field.is_nullable()).with_metadata(field.metadata().clone()),
    })
}

/// Rows on their way to other types: columns keep names, order and meaning.
#[derive(Debug, Clone)]
pub(crate) struct Exit {
    schema: SchemaRef,
    is_same: bool,
}

impl Exit {
    /// The way of rows out of the session.
    pub(crate) fn plain(schema: &SchemaRef) -> Self {
        Self::by(schema, plain)
    }

    /// The way to the types that are decided for each column.
    pub(crate) fn by(schema: &SchemaRef, decide: impl Fn(&DataType) -> DataType) -> Self {
        let fields = schema.fields().iter().map(|field| {
            let kind = decide(field.data_type());
            match &kind == field.data_type() && !matches!(kind, DataType::Union(..)) {
                true => field.clone(),
                false => retyped(field, kind),
            }
        });
        let remade = Schema::new_with_metadata(fields.collect::<Fields>(), schema.metadata().clone());
        let is_same = &remade == schema.as_ref();
        Self {
            schema: if is_same { schema.clone() } else { Arc::new(remade) },
            is_same,
        }
    }

    /// The same way to columns that were promised before the rows were there: nullable where they were promised so.
    pub(crate) fn promised(self, promised: &Schema) -> Self {
        let fields = self.schema.fields().iter().zip(promised.fields());
        let fields = fields.map(|(field, promised)| match promised.is_nullable() && !field.is_nullable() {
            true => Arc::new(field.as_ref().clone().with_nullable(true)),
            false => field.clone(),
        });
        let schema = Schema::new_with_metadata(fields.collect::<Fields>(), self.schema.metadata().clone());
        match schema == *self.schema {
            true => self,
            false => Self {
                schema: Arc::new(schema),
                is_same: false,
            },
        }
    }

    /// The columns behind it.
    pub(crate) fn schema(&self) -> SchemaRef {
        self.schema.clone()
    }

    /// The rows behind it.
    ///
    /// # Errors
    /// A value does not fit; the message names its column.
    pub(crate) fn leave(&self, batch: RecordBatch) -> Result<RecordBatch> {
        if self.is_same {
            return Ok(batch);
        }
        let columns = self.schema.fields().iter().zip(batch.columns());
        let columns = columns.map(|(field, column)| {
            remade_values(column, field.data_type()).map_err(|error| {
                let message = format!("a value of the column {} does not fit into its type: {error}", field.name());
                Error::new(ErrorKind::Statement, message).hint(match field.data_type().is_temporal() {
                    true => format!("write CAST({} AS BIGINT) for the number", quoted(field.name())),
                    false => format!(
                        "read fewer rows at a time, or CAST({} AS …) to a type that holds it",
                        quoted(field.name())
                    ),
                })
            })
        });
        let columns = columns.collect::<Result<Vec<_>>>()?;
        let options = RecordBatchOptions::new().with_row_count(Some(batch.num_rows()));
        RecordBatch::try_new_with_options(self.schema.clone(), columns, &options).map_err(|error| {
            Error::new(ErrorKind::Internal, format!("the rows cannot leave: {error}")).hint("please report this")
        })
    }
}

/// A name as SQL has it.
pub(crate) fn quoted(name: &str) -> String {
    let is_plain = name.starts_with(|c: char| c.is_ascii_lowercase() || c == '_')
        && name.bytes().all(|byte| matches!(byte, b'a'..=b'z' | b'0'..=b'9' | b'_'));
    match is_plain {
        true => name.to_owned(),
        false => format!("\"{}\"", name.replace('"', "\"\"")),
    }
}

fn remade_values(values: &ArrayRef, kind: &DataType) -> Result<ArrayRef, ArrowError> {
    if values.data_type() == kind {
        return Ok(values.clone());
    }
    if let (DataType::Union(..), DataType::Union(fields, _)) = (values.data_type(), kind) {
        // The engine's cast has unions go only to the type of one of their members.
        let (_, ids, offsets, members) = values.as_union().clone().into_parts();
        let members = fields
            .iter()
            .zip(members)
            .map(|((_, field), member)| remade_values(&member, field.data_type()));
        return Ok(Arc::new(UnionArray::try_new(
            fields.clone(),
            ids,
            offsets,
            members.collect::<Result<_, _>>()?,
        )?));
    }
    // What does not fit is an error, not a NULL.
    let strict = CastOptions {
        safe: false,
        ..CastOptions::default()
    };
    cast_with_options(values, kind, &strict)
}
