//! Rows as JSON objects.

use std::io::Write;
use std::sync::Arc;

use arrow::array::{Array, ArrayRef, RecordBatch, StringArray};
use arrow::datatypes::FieldRef;
use arrow::error::ArrowError;
use arrow::json::writer::{Encoder, EncoderFactory, EncoderOptions, JsonArray, LineDelimited, NullableEncoder};
use arrow::json::{Writer as JsonWriter, WriterBuilder};

use super::{RowWriter, Sink};

/// One object per line.
pub(super) struct LineWriter(pub(super) Sink);

impl RowWriter for LineWriter {
    fn write(&mut self, batch: &RecordBatch) -> Result<(), ArrowError> {
        let mut writer: JsonWriter<_, LineDelimited> = json_builder().build(&mut self.0);
        writer.write(batch)?;
        writer.finish()
    }

    fn end(self: Box<Self>) -> Result<(), ArrowError> {
        Ok(())
    }
}

/// One array that spans batches, an element per line.
pub(super) struct ArrayWriter {
    sink: Sink,
    started: bool,
}

impl ArrayWriter {
    pub(super) fn new(sink: Sink) -> Self {
        Self { sink, started: false }
    }
}

impl RowWriter for ArrayWriter {
    fn write(&mut self, batch: &RecordBatch) -> Result<(), ArrowError> {
        for row in 0..batch.num_rows() {
            let before: &[u8] = if std::mem::replace(&mut self.started, true) {
                b",\n"
            } else {
                b"[\n"
            };
            self.sink.write_all(before)?;
            let mut element = Vec::new();
            let mut writer: JsonWriter<_, JsonArray> = json_builder().build(&mut element);
            writer.write(&batch.slice(row, 1))?;
            writer.finish()?;
            let text = element
                .strip_prefix(b"[")
                .and_then(|text| text.strip_suffix(b"]"))
                .unwrap_or(&element);
            self.sink.write_all(text)?;
        }
        Ok(())
    }

    fn end(mut self: Box<Self>) -> Result<(), ArrowError> {
        let end: &[u8] = if self.started { b"\n]\n" } else { b"[]\n" };
        self.sink.write_all(end).map_err(ArrowError::from)
    }
}

/// Values as JSON texts.
pub(super) fn json_texts(field: &FieldRef, column: &ArrayRef) -> Result<StringArray, ArrowError> {
    let encoder_options = EncoderOptions::default();
    let mut encoder = arrow::json::writer::make_encoder(field, column.as_ref(), &encoder_options)?;
    let texts = (0..column.len()).map(|row| {
        column.is_valid(row).then(|| {
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
        .with_encoder_factory(Arc::new(NestedJson))
}

/// Writes columns with the extension type `arrow.json` as the JSON they are, not as a text that quotes it.
#[derive(Debug)]
struct NestedJson;

impl EncoderFactory for NestedJson {
    fn make_default_encoder<'a>(
        &self,
        field: &'a FieldRef,
        array: &'a dyn Array,
        _options: &'a EncoderOptions,
    ) -> Result<Option<NullableEncoder<'a>>, ArrowError> {
        let is_json = field
            .metadata()
            .get("ARROW:extension:name")
            .is_some_and(|name| name == "arrow.json");
        let Some(texts) = array.as_any().downcast_ref::<StringArray>().filter(|_| is_json) else {
            return Ok(None);
        };
        Ok(Some(NullableEncoder::new(Box::new(RawJson(texts)), texts.nulls().cloned())))
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
