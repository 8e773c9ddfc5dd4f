//! Spans of statements and requests for OpenTelemetry: OTLP over HTTP in JSON, to the collector that `OTEL_EXPORTER_OTLP_ENDPOINT` names.
//! Behind the feature `otel`.
//!
//! # Design
//!
//! The events of the log tell when a statement or a request is over, how long it took and what came of it; a span is made from each. So no
//! span is open while rows are read elsewhere, and no crate of OpenTelemetry comes with it. Constants of statements are `?`, paths are those
//! of the schema files, and the redactor looks over every text. Whatever a collector does, no statement waits for it: spans that it does
//! not take in time are dropped.

use std::fmt;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering::Relaxed};
use std::sync::mpsc::{Receiver, SyncSender, sync_channel};
use std::time::{Duration, Instant, SystemTime, UNIX_EPOCH};

use serde_json::{Value as Json, json};
use sha2::{Digest, Sha256};
use tracing::field::{Field, Visit};
use tracing::{Event, Subscriber};
use tracing_subscriber::Layer;
use tracing_subscriber::layer::Context;
use url::Url;

use crate::error::{Error, ErrorKind, Result};
use crate::log::{Reader, Redactor};

/// Spans that wait for the collector.
const WAITING: usize = 4_096;
/// Most spans of one message.
const BATCH: usize = 512;
/// How long spans are gathered.
const GATHERED: Duration = Duration::from_millis(500);
/// How long a collector may take.
const PATIENCE: Duration = Duration::from_secs(5);
/// `SPAN_KIND_CLIENT` and `STATUS_CODE_ERROR`.
const CLIENT: u8 = 3;
const FAILED: u8 = 2;

/// What makes spans of the events of one session. None: the environment names no collector.
pub(crate) fn spans(redactor: Arc<Redactor>) -> Result<Option<Reader>> {
    let variable = |name: &str| std::env::var(name).ok().filter(|value| !value.is_empty());
    let address = match (
        variable("OTEL_EXPORTER_OTLP_TRACES_ENDPOINT"),
        variable("OTEL_EXPORTER_OTLP_ENDPOINT"),
    ) {
        (Some(address), _) => address,
        (None, Some(root)) => format!("{}/v1/traces", root.trim_end_matches('/')),
        (None, None) => return Ok(None),
    };
    let wrong = |what: &str| {
        Error::new(ErrorKind::Option, format!("OTEL_EXPORTER_OTLP_ENDPOINT {what}"))
            .hint("name the HTTP port of a collector, such as http://localhost:4318")
    };
    let address = Url::parse(&address).map_err(|reason| wrong(&format!("cannot be read: {reason}")))?;
    let mut client = reqwest::Client::builder().timeout(PATIENCE);
    if matches!(address.host_str(), Some("localhost" | "127.0.0.1" | "[::1]")) {
        client = client.no_proxy();
    }
    let client = client
        .build()
        .map_err(|error| wrong(&format!("cannot be reached: {error}")))?;
    let headers = variable("OTEL_EXPORTER_OTLP_HEADERS").unwrap_or_default();
    let headers = headers.split(',').filter_map(|pair| pair.split_once('='));
    let collector = Collector {
        address,
        client,
        headers: headers
            .map(|(name, value)| (name.trim().to_owned(), value.trim().to_owned()))
            .collect(),
        service: variable("OTEL_SERVICE_NAME").unwrap_or_else(|| env!("CARGO_PKG_NAME").to_owned()),
    };
    let mut session = [0; 8];
    getrandom::fill(&mut session).map_err(|error| wrong(&format!("cannot be used: there is no randomness: {error}")))?;
    let (sender, receiver) = sync_channel(WAITING);
    let thread = std::thread::Builder::new().name("jsmql-otlp".into());
    let thread = thread
        .spawn(move || collector.serve(&receiver))
        .map_err(|error| wrong(&format!("cannot be used: {error}")))?;
    Ok(Some(Box::new(Spans {
        session: u64::from_be_bytes(session),
        sent: AtomicU64::new(0),
        redactor,
        sender: Some(sender),
        thread: Some(thread),
    })))
}

/// Makes spans of events.
struct Spans {
    /// First half of the ids of its traces.
    session: u64,
    /// Spans so far.
    sent: AtomicU64,
    redactor: Arc<Redactor>,
    sender: Option<SyncSender<Json>>,
    thread: Option<std::thread::JoinHandle<()>>,
}

impl Spans {
    fn trace(&self, statement: u64) -> String {
        format!("{:016x}{statement:016x}", self.session)
    }

    /// The id of the span of a statement, or of a part of it.
    fn id(&self, statement: u64, part: u64) -> String {
        let mut hash = Sha256::new();
        for number in [self.session, statement, part] {
            hash.update(number.to_be_bytes());
        }
        hash.finalize().iter().take(8).map(|byte| format!("{byte:02x}")).collect()
    }

    fn text(&self, key: &str, value: &str) -> Json {
        json!({"key": key, "value": {"stringValue": self.redactor.redacted(value)}})
    }

    /// The span that ends with the event. None: the event ends nothing.
    fn span(&self, target: &str, told: &Told) -> Option<Json> {
        let (statement, mut attributes, name, parent, part) = match (target, told.message.as_str()) {
            ("jsmql::sql", "statement ended") => {
                let statement = told.number("number")?;
                let query = told.text("query");
                let word = query.split_whitespace().next().unwrap_or("statement").to_uppercase();
                let attributes = vec![
                    self.text("db.system.name", "jira_service_management"),
                    self.text("db.operation.name", &word),
                    self.text("db.query.text", query),
                    number("db.response.returned_rows", told.number("rows")?),
                    number("jsmql.requests", told.number("requests")?),
                ];
                (statement, attributes, word, None, 0)
            }
            ("jsmql::http", "request" | "request failed") => {
                let statement = told.number("statement")?;
                let (method, template) = (told.text("method"), told.text("template"));
                let mut attributes = vec![self.text("http.request.method", method), self.text("url.template", template)];
                attributes.extend(
                    told.number("status")
                        .map(|status| number("http.response.status_code", status)),
                );
                let again = told.number("attempt").filter(|attempt| *attempt > 1);
                attributes.extend(again.map(|attempt| number("http.request.resend_count", attempt - 1)));
                // What the session asks by itself belongs to no statement.
                let parent = (statement > 0).then(|| self.id(statement, 0));
                let name = format!("{method} {template}");
                (statement, attributes, name, parent, self.sent.fetch_add(1, Relaxed) + 1)
            }
            _ => return None,
        };
        let end = SystemTime::now().duration_since(UNIX_EPOCH).ok()?;
        let begin = end.saturating_sub(Duration::from_micros(told.number("elapsed_us")?));
        let mut span = json!({
            "traceId": self.trace(statement),
            "spanId": self.id(statement, part),
            "name": name,
            "kind": CLIENT,
            "startTimeUnixNano": begin.as_nanos().to_string(),
            "endTimeUnixNano": end.as_nanos().to_string(),
        });
        if let Some(parent) = parent {
            span["parentSpanId"] = parent.into();
        }
        let error = told.text("error");
        if !error.is_empty() {
            attributes.push(self.text("error.type", error.split(':').next().unwrap_or_default()));
            span["status"] = json!({"code": FAILED, "message": self.redactor.redacted(error)});
        }
        span["attributes"] = attributes.into();
        Some(span)
    }
}

fn number(key: &str, value: u64) -> Json {
    // 64-bit numbers are texts in the JSON of protocol buffers.
    json!({"key": key, "value": {"intValue": value.to_string()}})
}

impl fmt::Debug for Spans {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Spans")
    }
}

impl<S: Subscriber> Layer<S> for Spans {
    fn on_event(&self, event: &Event<'_>, _: Context<'_, S>) {
        let mut told = Told::default();
        event.record(&mut told);
        if let (Some(span), Some(sender)) = (self.span(event.metadata().target(), &told), &self.sender) {
            let _ = sender.try_send(span);
        }
    }
}

impl Drop for Spans {
    /// Waits for what was not delivered yet, as long as the collector may take.
    fn drop(&mut self) {
        drop(self.sender.take());
        if let Some(thread) = self.thread.take() {
            let _ = thread.join();
        }
    }
}

/// The fields of an event.
#[derive(Debug, Default)]
struct Told {
    message: String,
    numbers: Vec<(&'static str, u64)>,
    texts: Vec<(&'static str, String)>,
}

impl Told {
    fn number(&self, name: &str) -> Option<u64> {
        self.numbers.iter().find(|(known, _)| *known == name).map(|(_, value)| *value)
    }

    fn text(&self, name: &str) -> &str {
        let found = self.texts.iter().find(|(known, _)| *known == name);
        found.map_or("", |(_, value)| value.as_str())
    }
}

impl Visit for Told {
    fn record_u64(&mut self, field: &Field, value: u64) {
        self.numbers.push((field.name(), value));
    }

    fn record_str(&mut self, field: &Field, value: &str) {
        self.texts.push((field.name(), value.to_owned()));
    }

    fn record_debug(&mut self, field: &Field, value: &dyn fmt::Debug) {
        if field.name() == "message" {
            self.message = format!("{value:?}");
        }
    }
}

/// Where spans go.
struct Collector {
    address: Url,
    client: reqwest::Client,
    headers: Vec<(String, String)>,
    service: String,
}

impl Collector {
    /// Delivers spans until their maker is dropped.
    fn serve(&self, spans: &Receiver<Json>) {
        let Ok(runtime) = tokio::runtime::Builder::new_current_thread().enable_all().build() else {
            return;
        };
        while let Ok(first) = spans.recv() {
            let mut batch = vec![first];
            let until = Instant::now() + GATHERED;
            while batch.len() < BATCH
                && let Ok(span) = spans.recv_timeout(until.saturating_duration_since(Instant::now()))
            {
                batch.push(span);
            }
            // There is nobody to tell: the log is what failed.
            let _ = runtime.block_on(self.deliver(batch));
        }
    }

    async fn deliver(&self, spans: Vec<Json>) -> std::result::Result<(), reqwest::Error> {
        let service = json!({"key": "service.name", "value": {"stringValue": self.service}});
        let message = json!({"resourceSpans": [{
            "resource": {"attributes": [service]},
            "scopeSpans": [{
                "scope": {"name": env!("CARGO_PKG_NAME"), "version": env!("CARGO_PKG_VERSION")},
                "spans": spans,
            }],
        }]});
        let mut request = self
            .client
            .post(self.address.clone())
            .header("content-type", "application/json");
        for (name, value) in &self.headers {
            request = request.header(name, value);
        }
        request.body(message.to_string()).send().await?.error_for_status().map(drop)
    }
}
