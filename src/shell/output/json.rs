//! Rows as JSON objects.

use std::io::Write;
use std::sync::Arc;

use arrow::array::{Array, ArrayRef, ArrowPrimitiveType, AsArray, PrimitiveArray, RecordBatch, StringArray, UnionArray};
use arrow::datatypes::{DataType, Field, FieldRef, Fields, Float32Type, Float64Type, SchemaRef};
use arrow::error::ArrowError;
use arrow::json::writer::{Encoder, EncoderFactory, EncoderOptions, JsonFormat, LineDelimited, NullableEncoder, make_encoder};
use arrow::json::{Writer as JsonWriter, WriterBuilder};
use serde::Serialize;

use super::{RowWriter, Sink};
use crate::session::exit::{Exit, remade};

/// One object per line.
pub(super) struct LineWriter(JsonWriter<Sink, LineDelimited>);

impl LineWriter {
    pub(super) fn new(sink: Sink) -> Self {
        Self(json_builder().build(sink))
    }
}

impl RowWriter for LineWriter {
    fn write(&mut self, batch: &RecordBatch) -> Result<(), ArrowError> {
        self.0.write(batch)
    }

    fn end(mut self: Box<Self>) -> Result<(), ArrowError> {
        self.0.finish()
    }
}

/// One array that spans batches, an element per line.
pub(super) struct ArrayWriter {
    sink: Sink,
    writer: JsonWriter<Sink, Elements>,
    is_empty: bool,
}

impl ArrayWriter {
    pub(super) fn new(sink: Sink) -> Self {
        Self {
            writer: json_builder().build(sink.clone()),
            sink,
            is_empty: true,
        }
    }
}

impl RowWriter for ArrayWriter {
    fn write(&mut self, batch: &RecordBatch) -> Result<(), ArrowError> {
        self.is_empty &= batch.num_rows() == 0;
        self.writer.write(batch)
    }

    fn end(mut self: Box<Self>) -> Result<(), ArrowError> {
        match self.is_empty {
            true => self.sink.write_all(b"[]\n").map_err(ArrowError::from),
            false => self.writer.finish(),
        }
    }
}

/// The elements of an array, each on its line.
#[derive(Debug, Default)]
struct Elements;

impl JsonFormat for Elements {
    fn start_row<W: Write>(&self, writer: &mut W, is_first_row: bool) -> Result<(), ArrowError> {
        writer.write_all(if is_first_row { b"[\n" } else { b",\n" })?;
        Ok(())
    }

    fn end_stream<W: Write>(&self, writer: &mut W) -> Result<(), ArrowError> {
        writer.write_all(b"\n]\n")?;
        Ok(())
    }
}

/// The way of rows into JSON, where the names of a map's values are texts.
pub(super) fn named(schema: &SchemaRef) -> Exit {
    Exit::by(schema, |kind| remade(kind, &text_keys))
}

fn text_keys(kind: DataType) -> DataType {
    let DataType::Map(entries, sorted) = &kind else { return kind };
    let DataType::Struct(fields) = entries.data_type() else {
        return kind;
    };
    let fields = fields.iter().enumerate().map(|(place, field)| match place {
        0 => Arc::new(field.as_ref().clone().with_data_type(DataType::Utf8)),
        _ => field.clone(),
    });
    let kind = DataType::Struct(fields.collect::<Fields>());
    DataType::Map(Arc::new(Field::clone(entries).with_data_type(kind)), *sorted)
}

/// Values as JSON texts.
pub(super) fn json_texts(field: &FieldRef, column: &ArrayRef) -> Result<StringArray, ArrowError> {
    let options = EncoderOptions::default()
        .with_explicit_nulls(true)
        .with_encoder_factory(Arc::new(Values));
    let mut encoder = make_encoder(field, column.as_ref(), &options)?;
    let texts = (0..column.len()).map(|row| {
        (!encoder.is_null(row)).then(|| {
            let mut text = Vec::new();
            encoder.encode(row, &mut text);
            String::from_utf8_lossy(&text).into_owned()
        })
    });
    Ok(texts.collect())
}

fn json_builder() -> WriterBuilder {
    WriterBuilder::new()
        .with_explicit_nulls(true)
        .with_encoder_factory(Arc::new(Values))
}

/// Writes what arrow's encoders write as something else, or not at all.
#[derive(Debug)]
struct Values;

impl EncoderFactory for Values {
    fn make_default_encoder<'a>(
        &self,
        field: &'a FieldRef,
        array: &'a dyn Array,
        options: &'a EncoderOptions,
    ) -> Result<Option<NullableEncoder<'a>>, ArrowError> {
        let encoder: Option<Box<dyn Encoder + 'a>> = match array.data_type() {
            DataType::Utf8 if is_json(field) => Some(Box::new(RawJson(array.as_string()))),
            DataType::Float32 => Floats::of(array.as_primitive::<Float32Type>()),
            DataType::Float64 => Floats::of(array.as_primitive::<Float64Type>()),
            DataType::Union(..) => Some(Box::new(Members::of(array.as_union(), options)?)),
            _ => None,
        };
        Ok(encoder.map(|encoder| NullableEncoder::new(encoder, array.logical_nulls())))
    }
}

/// Columns with the extension type `arrow.json` are the JSON they hold, not a text that quotes it.
fn is_json(field: &FieldRef) -> bool {
    field
        .metadata()
        .get("ARROW:extension:name")
        .is_some_and(|name| name == "arrow.json")
}

/// Floats of which some are no numbers: JSON has no word for those, and arrow writes null. They are written as texts, as PostgreSQL does.
struct Floats<'a, T: ArrowPrimitiveType>(&'a PrimitiveArray<T>);

impl<'a, T: ArrowPrimitiveType> Floats<'a, T>
where
    T::Native: Into<f64>,
{
    /// None: all are numbers.
    fn of(values: &'a PrimitiveArray<T>) -> Option<Box<dyn Encoder + 'a>>
    where
        T::Native: Serialize,
    {
        let is_number = |value: &T::Native| (*value).into().is_finite();
        (!values.values().iter().all(is_number)).then(|| Box::new(Self(values)) as Box<dyn Encoder + 'a>)
    }
}

impl<T: ArrowPrimitiveType> Encoder for Floats<'_, T>
where
    T::Native: Into<f64> + Serialize,
{
    fn encode(&mut self, row: usize, out: &mut Vec<u8>) {
        let value = self.0.value(row);
        let number: f64 = value.into();
        match number {
            _ if number.is_nan() => out.extend(b"\"NaN\""),
            f64::INFINITY => out.extend(b"\"Infinity\""),
            f64::NEG_INFINITY => out.extend(b"\"-Infinity\""),
            // Writing into memory does not fail.
            _ => drop(serde_json::to_writer(out, &value)),
        }
    }
}

/// The values of a union, each as its member writes it.
struct Members<'a> {
    union: &'a UnionArray,
    members: Vec<(i8, NullableEncoder<'a>)>,
}

impl<'a> Members<'a> {
    fn of(union: &'a UnionArray, options: &'a EncoderOptions) -> Result<Self, ArrowError> {
        let DataType::Union(fields, _) = union.data_type() else {
            return Err(ArrowError::JsonError("a union has another type".to_owned()));
        };
        let members = fields
            .iter()
            .map(|(id, field)| Ok((id, make_encoder(field, union.child(id).as_ref(), options)?)));
        let members = members.collect::<Result<_, ArrowError>>()?;
        Ok(Self { union, members })
    }
}

impl Encoder for Members<'_> {
    fn encode(&mut self, row: usize, out: &mut Vec<u8>) {
        let (id, row) = (self.union.type_id(row), self.union.value_offset(row));
        match self.members.iter_mut().find(|(member, _)| *member == id) {
            Some((_, member)) if !member.is_null(row) => member.encode(row, out),
            _ => out.extend(b"null"),
        }
    }
}

struct RawJson<'a>(&'a StringArray);

impl Encoder for RawJson<'_> {
    fn encode(&mut self, row: usize, out: &mut Vec<u8>) {
        // One line per object: JSON allows line breaks only between its words, where a space does as well.
        out.extend(
            self.0
                .value(row)
                .bytes()
                .map(|byte| if matches!(byte, b'\n' | b'\r') { b' ' } else { byte }),
        );
    }
}
