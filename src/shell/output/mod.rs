//! Where rows go, and in which format.

mod columnar;
mod csv;
mod json;
mod keys;
mod pager;
mod text;
mod values;

use std::fs::File;
use std::io::{self, BufWriter, IsTerminal, Write};
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, PoisonError};

use arrow::array::RecordBatch;
use arrow::datatypes::SchemaRef;
use arrow::error::ArrowError;

use super::format::Format;
use crate::error::{Error, ErrorKind, Result};
use crate::session::exit::Exit;

/// Writes the rows of one statement in one format.
trait RowWriter: Send {
    fn write(&mut self, batch: &RecordBatch) -> Result<(), ArrowError>;
    fn end(self: Box<Self>) -> Result<(), ArrowError>;
}

/// Where bytes go. Clones are the same place: writers of files own theirs.
#[derive(Clone)]
struct Sink(Arc<Mutex<Box<dyn Write + Send>>>);

impl Sink {
    fn new(place: impl Write + Send + 'static) -> Self {
        Self(Arc::new(Mutex::new(Box::new(place))))
    }
}

impl Write for Sink {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).write(bytes)
    }

    fn flush(&mut self) -> io::Result<()> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).flush()
    }
}

/// Where rows go. A file appears under its name only when everything was written to it.
pub(super) struct Output {
    format: Format,
    sink: Sink,
    file: Option<Partial>,
    /// Whether tables longer than the terminal are shown by pages.
    pages: bool,
    writer: Option<Box<dyn RowWriter>>,
    /// The way of the rows into the types of the format.
    exit: Option<Exit>,
    /// Whether the statement gives no rows, but is to say that it has been done.
    silent: bool,
    /// What a pager will show.
    paged: Option<pager::Pages>,
    statements: usize,
    closed: bool,
}

/// A file that has not its name yet.
struct Partial {
    partial: PathBuf,
    path: PathBuf,
}

impl Drop for Partial {
    fn drop(&mut self) {
        // Half an answer must not be taken for a whole one. Where all was written it has its name by now.
        let _ = std::fs::remove_file(&self.partial);
    }
}

impl Output {
    /// Standard output.
    pub(super) fn standard(format: Format) -> Self {
        Self {
            format,
            sink: Sink::new(BufWriter::new(io::stdout())),
            file: None,
            pages: false,
            writer: None,
            exit: None,
            silent: false,
            paged: None,
            statements: 0,
            closed: false,
        }
    }

    /// A file.
    ///
    /// # Errors
    /// It cannot be written.
    pub(super) fn file(format: Format, path: &Path) -> Result<Self> {
        let mut partial = path.as_os_str().to_owned();
        partial.push(".partial");
        let partial = PathBuf::from(partial);
        let file = File::create(&partial)
            .map_err(|error| Error::new(ErrorKind::Io, format!("cannot write {}: {error}", partial.display())))?;
        Ok(Self {
            sink: Sink::new(BufWriter::new(file)),
            file: Some(Partial {
                partial,
                path: path.to_owned(),
            }),
            ..Self::standard(format)
        })
    }

    /// Whether the reader of a pipe has gone: the rest is not wanted.
    pub(super) fn is_closed(&self) -> bool {
        self.closed
    }

    /// Whether it is standard output.
    pub(super) fn is_standard(&self) -> bool {
        self.file.is_none()
    }

    /// How the rows of the next statement are written.
    pub(super) fn set_format(&mut self, format: Format) {
        self.format = format;
    }

    /// Whether long answers are shown by pages, where somebody looks at them.
    pub(super) fn set_pages(&mut self, pages: bool) {
        self.pages = pages && self.file.is_none() && io::stdout().is_terminal();
    }

    /// Begins the rows of a statement.
    ///
    /// # Errors
    /// The format is one of files and this is none, or has the rows of a statement already.
    pub(super) fn begin(&mut self, schema: SchemaRef) -> Result<()> {
        self.silent = schema.fields().is_empty();
        if self.silent {
            return Ok(());
        }
        self.statements += 1;
        if self.format.is_binary() {
            if self.file.is_none() && io::stdout().is_terminal() {
                return Err(Error::new(ErrorKind::Option, "a terminal does not show this format").hint("name a file: -o FILE"));
            }
            if self.statements > 1 {
                return Err(
                    Error::new(ErrorKind::Option, "a Parquet or Arrow file holds the rows of one statement")
                        .hint("write COPY (SELECT …) TO 'FILE' for each statement"),
                );
            }
        }
        if self.format == Format::Parquet {
            columnar::check_parquet(&schema)?;
        }
        self.exit =
            matches!(self.format, Format::Json | Format::Ndjson | Format::Csv | Format::Tsv).then(|| json::named(&schema));
        let mut sink = self.sink.clone();
        if self.pages && self.format.is_for_people() {
            let pages = pager::Pages::default();
            sink = Sink::new(pages.clone());
            self.paged = Some(pages);
        }
        let writer = writer(self.format, sink, schema);
        self.writer = Some(self.heed(writer)?);
        Ok(())
    }

    /// Writes some rows.
    ///
    /// # Errors
    /// They cannot be written there, or a value of them not in this format.
    pub(super) fn write(&mut self, batch: RecordBatch) -> Result<()> {
        let batch = match &self.exit {
            Some(exit) => exit.leave(batch)?,
            None => batch,
        };
        if !self.format.is_binary() {
            values::check(&batch)?;
        }
        let mut outcome = self.writer.as_mut().map_or(Ok(()), |writer| writer.write(&batch));
        if self.file.is_none() && outcome.is_ok() {
            // Whoever reads a pipe has the first rows while the others are still asked for.
            outcome = self.sink.flush().map_err(ArrowError::from);
        }
        self.heed(outcome)
    }

    /// Ends the rows of a statement.
    pub(super) fn end(&mut self) -> Result<()> {
        let outcome = match self.writer.take() {
            Some(writer) => writer.end(),
            None if self.silent && self.format.is_for_people() => writeln!(self.sink, "OK").map_err(ArrowError::from),
            None => Ok(()),
        };
        let outcome = match self.paged.take() {
            Some(pages) => outcome.and_then(|()| pages.show(&mut self.sink).map_err(ArrowError::from)),
            None => outcome,
        };
        let outcome = outcome.and_then(|()| self.sink.flush().map_err(ArrowError::from));
        self.heed(outcome)
    }

    /// Gives up the rows of a statement that failed.
    pub(super) fn abandon(&mut self) {
        self.writer = None;
        self.paged = None;
    }

    /// Ends the output: a file gets its name now.
    pub(super) fn close(mut self) -> Result<()> {
        if self.closed {
            return Ok(());
        }
        let outcome = self.sink.flush().map_err(ArrowError::from);
        self.heed(outcome)?;
        if let Some(file) = &self.file {
            std::fs::rename(&file.partial, &file.path)
                .map_err(|error| Error::new(ErrorKind::Io, format!("cannot write {}: {error}", file.path.display())))?;
        }
        Ok(())
    }

    fn heed<T>(&mut self, outcome: Result<T, ArrowError>) -> Result<T> {
        outcome.map_err(|error| {
            self.closed = matches!(&error, ArrowError::IoError(_, source) if source.kind() == io::ErrorKind::BrokenPipe);
            Error::new(ErrorKind::Io, format!("cannot write the rows: {error}"))
        })
    }
}

fn writer(format: Format, sink: Sink, schema: SchemaRef) -> Result<Box<dyn RowWriter>, ArrowError> {
    if matches!(format, Format::Json | Format::Ndjson | Format::Parquet | Format::Arrow) {
        let keys = keys::apart(&schema);
        if keys != schema {
            let inner = writer(format, sink, keys.clone())?;
            return Ok(Box::new(keys::Apart { inner, schema: keys }));
        }
    }
    Ok(match format {
        Format::Table => Box::new(text::TableWriter::new(sink, &schema)),
        Format::Vertical => Box::new(text::VerticalWriter::new(sink, schema)),
        Format::Markdown => Box::new(text::MarkdownWriter::new(sink, &schema)?),
        Format::Csv => Box::new(csv::CsvWriter::new(sink, schema, b',')),
        Format::Tsv => Box::new(csv::CsvWriter::new(sink, schema, b'\t')),
        Format::Json => Box::new(json::ArrayWriter::new(sink)),
        Format::Ndjson => Box::new(json::LineWriter::new(sink)),
        Format::Parquet => Box::new(columnar::ParquetWriter::new(sink, schema)?),
        Format::Arrow => Box::new(columnar::ArrowFileWriter::new(sink, &schema)?),
    })
}

#[cfg(test)]
mod matrix;
#[cfg(test)]
pub(crate) use matrix::types_markdown;
