//! Rows as text: the formats of the command line and where they go.

use std::fs::File;
use std::io::{self, BufWriter, Write};
use std::path::{Path, PathBuf};
use std::sync::Arc;

use arrow::array::{Array, ArrayRef, RecordBatch, StringArray};
use arrow::csv;
use arrow::datatypes::{DataType, Field, FieldRef, Schema, SchemaRef};
use arrow::error::ArrowError;
use arrow::json::writer::{Encoder, EncoderFactory, EncoderOptions, JsonArray, LineDelimited, NullableEncoder};
use arrow::json::{Writer as JsonWriter, WriterBuilder};
use arrow::util::display::{ArrayFormatter, FormatOptions};
use arrow::util::pretty::pretty_format_batches_with_options;

use super::args::Format;
use super::run::format_of;
use crate::error::{Error, ErrorKind, Result};

/// Timestamps as in every other format: ISO 8601 in UTC.
const INSTANT: &str = "%Y-%m-%dT%H:%M:%S%.3fZ";

/// Where rows go. A file appears under its name only when everything was written to it.
pub(super) struct Output {
    format: Format,
    sink: Box<dyn Write + Send>,
    file: Option<(PathBuf, PathBuf)>,
    state: State,
    closed: bool,
}

/// The statement that is being written.
enum State {
    Idle,
    /// Formats that need all rows before the first line.
    Whole(SchemaRef, Vec<RecordBatch>),
    Csv(SchemaRef, bool),
    Lines,
    Array(bool),
}

impl Output {
    /// Opens the output; a file name may say the format where `--format` was left at its default.
    pub(super) fn new(format: Format, path: Option<&Path>) -> Result<Self> {
        let Some(path) = path else {
            let sink = Box::new(BufWriter::new(io::stdout()));
            return Ok(Self {
                format,
                sink,
                file: None,
                state: State::Idle,
                closed: false,
            });
        };
        let format = if format == Format::Table {
            format_of(path).unwrap_or(format)
        } else {
            format
        };
        let mut partial = path.as_os_str().to_owned();
        partial.push(".partial");
        let partial = PathBuf::from(partial);
        let file = File::create(&partial)
            .map_err(|error| Error::new(ErrorKind::Io, format!("cannot write {}: {error}", partial.display())))?;
        let sink = Box::new(BufWriter::new(file));
        Ok(Self {
            format,
            sink,
            file: Some((partial, path.to_owned())),
            state: State::Idle,
            closed: false,
        })
    }

    /// Whether the reader of a pipe has gone: the rest is not wanted.
    pub(super) fn is_closed(&self) -> bool {
        self.closed
    }

    /// Begins the rows of a statement.
    pub(super) fn begin(&mut self, schema: SchemaRef) -> Result<()> {
        self.state = match self.format {
            Format::Table | Format::Markdown => State::Whole(schema, Vec::new()),
            Format::Csv | Format::Tsv => State::Csv(schema, false),
            Format::Ndjson => State::Lines,
            Format::Json => State::Array(false),
        };
        Ok(())
    }

    /// Writes some rows.
    pub(super) fn write(&mut self, batch: &RecordBatch) -> Result<()> {
        let outcome = match &mut self.state {
            State::Idle => Ok(()),
            State::Whole(_, batches) => {
                batches.push(batch.clone());
                Ok(())
            }
            State::Csv(_, started) => {
                let header = !std::mem::replace(started, true);
                write_csv(&mut self.sink, batch, self.format, header)
            }
            State::Lines => write_lines(&mut self.sink, batch),
            State::Array(started) => write_elements(&mut self.sink, batch, started),
        };
        self.heed(outcome)
    }

    /// Ends the rows of a statement.
    pub(super) fn end(&mut self) -> Result<()> {
        let outcome = match std::mem::replace(&mut self.state, State::Idle) {
            State::Idle | State::Csv(_, true) | State::Lines => Ok(()),
            // No rows: the header still says what there would have been.
            State::Csv(schema, false) => write_csv(&mut self.sink, &RecordBatch::new_empty(schema), self.format, true),
            State::Whole(schema, batches) if self.format == Format::Markdown => write_markdown(&mut self.sink, &schema, &batches),
            State::Whole(schema, batches) => write_table(&mut self.sink, &schema, &batches),
            State::Array(started) => self
                .sink
                .write_all(if started { b"\n]\n" } else { b"[]\n" })
                .map_err(ArrowError::from),
        };
        let outcome = outcome.and_then(|()| self.sink.flush().map_err(ArrowError::from));
        self.heed(outcome)
    }

    /// Ends the output: a file gets its name now.
    pub(super) fn close(mut self) -> Result<()> {
        let outcome = self.sink.flush().map_err(ArrowError::from);
        self.heed(outcome)?;
        if let Some((partial, path)) = self.file.take() {
            std::fs::rename(&partial, &path)
                .map_err(|error| Error::new(ErrorKind::Io, format!("cannot write {}: {error}", path.display())))?;
        }
        Ok(())
    }

    fn heed(&mut self, outcome: Result<(), ArrowError>) -> Result<()> {
        outcome.map_err(|error| {
            self.closed = matches!(&error, ArrowError::IoError(_, source) if source.kind() == io::ErrorKind::BrokenPipe);
            Error::new(ErrorKind::Io, format!("cannot write the rows: {error}"))
        })
    }
}

impl Drop for Output {
    fn drop(&mut self) {
        if let Some((partial, _)) = &self.file {
            // Half an answer must not be taken for a whole one.
            let _ = std::fs::remove_file(partial);
        }
    }
}

fn options() -> FormatOptions<'static> {
    FormatOptions::default().with_timestamp_tz_format(Some(INSTANT))
}

fn write_table(sink: &mut dyn Write, schema: &SchemaRef, batches: &[RecordBatch]) -> Result<(), ArrowError> {
    let batches = if batches.is_empty() {
        &[RecordBatch::new_empty(schema.clone())][..]
    } else {
        batches
    };
    let text = pretty_format_batches_with_options(batches, &options())?.to_string();
    // Text of a ticket must not move the cursor or change the title of somebody's terminal.
    let safe: String = text
        .chars()
        .map(|c| if c.is_control() && c != '\n' { '\u{fffd}' } else { c })
        .collect();
    let rows: usize = batches.iter().map(RecordBatch::num_rows).sum();
    writeln!(sink, "{safe}\n{rows} {}", if rows == 1 { "row" } else { "rows" }).map_err(ArrowError::from)
}

fn write_markdown(sink: &mut dyn Write, schema: &SchemaRef, batches: &[RecordBatch]) -> Result<(), ArrowError> {
    let names: Vec<&str> = schema.fields().iter().map(|field| field.name().as_str()).collect();
    writeln!(sink, "| {} |", names.join(" | "))?;
    writeln!(sink, "|{}", "---|".repeat(names.len()))?;
    let options = options();
    for batch in batches {
        let columns: Vec<ArrayFormatter<'_>> = batch
            .columns()
            .iter()
            .map(|column| ArrayFormatter::try_new(column, &options))
            .collect::<Result<_, _>>()?;
        for row in 0..batch.num_rows() {
            let cells: Vec<String> = columns
                .iter()
                .map(|column| {
                    column
                        .value(row)
                        .to_string()
                        .replace('|', "\\|")
                        .replace('\n', "<br>")
                        .replace(char::is_control, " ")
                })
                .collect();
            writeln!(sink, "| {} |", cells.join(" | "))?;
        }
    }
    Ok(())
}

fn write_csv(sink: &mut dyn Write, batch: &RecordBatch, format: Format, header: bool) -> Result<(), ArrowError> {
    let delimiter = if format == Format::Tsv { b'\t' } else { b',' };
    let mut writer = csv::WriterBuilder::new()
        .with_header(header)
        .with_delimiter(delimiter)
        .with_timestamp_tz_format(INSTANT.to_owned())
        .build(sink);
    writer.write(&flat(batch)?)
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

fn json_texts(field: &FieldRef, column: &ArrayRef) -> Result<StringArray, ArrowError> {
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

fn write_lines(sink: &mut dyn Write, batch: &RecordBatch) -> Result<(), ArrowError> {
    let mut writer: JsonWriter<_, LineDelimited> = json_builder().build(sink);
    writer.write(batch)?;
    writer.finish()
}

/// The rows as elements of an array that spans batches, one per line.
fn write_elements(sink: &mut dyn Write, batch: &RecordBatch, started: &mut bool) -> Result<(), ArrowError> {
    for row in 0..batch.num_rows() {
        sink.write_all(if std::mem::replace(started, true) { b",\n" } else { b"[\n" })?;
        let mut element = Vec::new();
        let mut writer: JsonWriter<_, JsonArray> = json_builder().build(&mut element);
        writer.write(&batch.slice(row, 1))?;
        writer.finish()?;
        let text = element
            .strip_prefix(b"[")
            .and_then(|text| text.strip_suffix(b"]"))
            .unwrap_or(&element);
        sink.write_all(text)?;
    }
    Ok(())
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
