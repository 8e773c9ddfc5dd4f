//! The log of a session, over `tracing`: what to write, in which file, and without secrets.
//!
//! Every part of the program emits events with a target `jsmql::sql`, `jsmql::http` or `jsmql::auth`; a session with a Logfile has a
//! subscriber of its own, under which its work runs. Without one the events go to whatever subscriber the embedding program has set.
//!
//! # Verbosity
//!
//! 1: what went wrong. 2: statements and sign-ins. 3: each request with its status and time, and what each statement took. 4: the headers of each answer.
//! 5: the bodies of requests and answers. Credentials are in none of these: headers and bodies of the sign-in are never logged, and
//! [`Redactor`] looks over every line.

mod redact;

use std::io::Write;
use std::sync::{Arc, LazyLock, Mutex, PoisonError};

use file_rotate::compression::Compression;
use file_rotate::suffix::AppendCount;
use file_rotate::{ContentLimit, FileRotate};
use tracing::subscriber::NoSubscriber;
use tracing::{Dispatch, Level, Metadata};
use tracing_subscriber::filter::filter_fn;
use tracing_subscriber::fmt::MakeWriter;
use tracing_subscriber::layer::SubscriberExt;
use tracing_subscriber::{Layer, Registry};

use crate::connection::{Connection, LogOptions, LogPlace};
use crate::error::{Error, ErrorKind, Result};
pub(crate) use redact::Redactor;

/// Most files that are kept where all are.
const ALL: usize = 1_000_000;

/// Where there is but one subscriber, `tracing` takes it for that of all threads: an event that another thread came upon first would be off for
/// good. So there are always two.
static OTHER: LazyLock<Dispatch> = LazyLock::new(|| Dispatch::new(NoSubscriber::default()));

/// A further reader of the events of a session.
pub(crate) type Reader = Box<dyn Layer<Registry> + Send + Sync>;

/// The subscriber of a session: its log, and a further reader. None: it has neither.
pub(crate) fn dispatch(connection: &Connection, redactor: &Arc<Redactor>, reader: Option<Reader>) -> Result<Option<Dispatch>> {
    let log = connection.log().map(|options| writer(redactor, options)).transpose()?;
    if log.is_none() && reader.is_none() {
        return Ok(None);
    }
    let layer = connection.log().cloned().zip(log).map(|(wanted, writer)| {
        tracing_subscriber::fmt::layer()
            .with_ansi(false)
            .with_writer(writer)
            .with_filter(filter_fn(move |metadata| wants(&wanted, metadata)))
    });
    LazyLock::force(&OTHER);
    Ok(Some(Dispatch::new(Registry::default().with(reader).with(layer))))
}

/// What writes the log.
fn writer(redactor: &Arc<Redactor>, options: &LogOptions) -> Result<Writer> {
    let sink: Box<dyn Write + Send> = match &options.place {
        LogPlace::Stdout => Box::new(std::io::stdout()),
        LogPlace::Stderr => Box::new(std::io::stderr()),
        LogPlace::File(path) => {
            // The rotating writer would only stop writing.
            let mut open = std::fs::OpenOptions::new();
            open.create(true).append(true);
            #[cfg(unix)]
            std::os::unix::fs::OpenOptionsExt::mode(&mut open, 0o600);
            open.open(path).map_err(|error| {
                Error::new(ErrorKind::Io, format!("cannot write the Logfile {}: {error}", path.display()))
                    .hint("check Logfile, and that its folder exists")
            })?;
            Box::new(FileRotate::new(
                path,
                AppendCount::new(options.max_files.unwrap_or(ALL)),
                ContentLimit::BytesSurpassed(options.max_size),
                Compression::None,
                Some(open),
            ))
        }
    };
    Ok(Writer {
        sink: Arc::new(Mutex::new(sink)),
        redactor: redactor.clone(),
    })
}

/// Whether an event is logged.
fn wants(options: &LogOptions, metadata: &Metadata<'_>) -> bool {
    let Some(part) = metadata.target().strip_prefix("jsmql::") else {
        return false;
    };
    let mut words = part.split("::");
    let (module, detail) = (words.next().unwrap_or_default(), words.next());
    let needed = match detail {
        Some("body") => 5,
        Some("headers") => 4,
        _ => match *metadata.level() {
            Level::ERROR | Level::WARN => 1,
            Level::INFO => 2,
            Level::DEBUG => 3,
            Level::TRACE => 4,
        },
    };
    options.verbosity >= needed && (options.modules.is_empty() || options.modules.contains(&module))
}

/// Writes whole events, without secrets.
#[derive(Clone)]
struct Writer {
    sink: Arc<Mutex<Box<dyn Write + Send>>>,
    redactor: Arc<Redactor>,
}

/// One event.
struct Line {
    bytes: Vec<u8>,
    writer: Writer,
}

impl<'w> MakeWriter<'w> for Writer {
    type Writer = Line;

    fn make_writer(&'w self) -> Line {
        Line {
            bytes: Vec::new(),
            writer: self.clone(),
        }
    }
}

impl Write for Line {
    fn write(&mut self, bytes: &[u8]) -> std::io::Result<usize> {
        self.bytes.extend_from_slice(bytes);
        Ok(bytes.len())
    }

    fn flush(&mut self) -> std::io::Result<()> {
        Ok(())
    }
}

impl Drop for Line {
    fn drop(&mut self) {
        let text = String::from_utf8_lossy(&self.bytes);
        let text = self.writer.redactor.redacted(&text);
        let mut sink = self.writer.sink.lock().unwrap_or_else(PoisonError::into_inner);
        // A log that cannot be written must not fail the statement.
        let _ = sink.write_all(text.as_bytes());
        let _ = sink.flush();
    }
}
