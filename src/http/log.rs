//! The request log of a client: the newest attempts, for `sys.requests`. Holds no headers and no bodies, so no secrets.

use super::{Method, Request, Safety, Statement};
use crate::log::Redactor;
use std::collections::VecDeque;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Instant, SystemTime, UNIX_EPOCH};

/// Entries kept: some 3 MB, and more than anybody scrolls.
const CAPACITY: usize = 10_000;

/// Characters of a body that are kept.
const LONGEST_BODY: usize = 1_000;

/// One attempt, as it was sent.
#[derive(Debug, Clone, PartialEq)]
pub struct LoggedRequest {
    /// Number of the statement it was sent for.
    pub statement: u64,
    /// When it was sent, in milliseconds since 1970-01-01 UTC.
    pub started: i64,
    /// HTTP method.
    pub method: &'static str,
    /// Path below the site's root, as sent.
    pub path: String,
    /// Query as `name=value&…`, readable: not percent-encoded, control characters escaped. No form to parse. For a POST that only
    /// reads, the beginning of its body.
    pub query: String,
    /// HTTP status, if an answer began to arrive.
    pub status: Option<u16>,
    /// Milliseconds from sending to the end of the answer or to the failure.
    pub elapsed_ms: f64,
    /// Bytes of the body after decompression.
    pub bytes: u64,
    /// Which attempt of the request this is, from 1.
    pub attempt: u32,
    /// What went wrong, in a few words.
    pub error: Option<String>,
}

/// What is said to have gone wrong with a request that was let go.
const CANCELLED: &str = "cancelled";

impl LoggedRequest {
    /// Whether nobody waited for the answer any more: the statement had all its rows, or was cancelled.
    pub fn was_cancelled(&self) -> bool {
        self.status.is_none() && self.error.as_deref() == Some(CANCELLED)
    }
}

/// A ring buffer of the newest 10,000 attempts.
#[derive(Debug, Default)]
pub(crate) struct RequestLog(Mutex<VecDeque<LoggedRequest>>);

impl RequestLog {
    /// The entries, in the order their attempts ended.
    pub(crate) fn snapshot(&self) -> Vec<LoggedRequest> {
        self.0
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
            .iter()
            .cloned()
            .collect()
    }

    fn push(&self, entry: LoggedRequest) {
        let mut entries = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        if entries.len() == CAPACITY {
            entries.pop_front();
        }
        entries.push_back(entry);
    }

    /// Starts the entry of an attempt that is about to be sent.
    pub(super) fn begin(&self, request: &Request, statement: &Arc<Statement>, attempt: u32, redactor: &Redactor) -> Attempt<'_> {
        statement.attempt_began(attempt);
        let entry = LoggedRequest {
            statement: statement.number(),
            started: SystemTime::now()
                .duration_since(UNIX_EPOCH)
                .map_or(0, |elapsed| elapsed.as_millis() as i64),
            method: Method::as_str(request.method),
            path: redactor.redacted(&request.path),
            query: redactor.redacted(&match (&request.body, request.safety) {
                // What a POST reads by stands in its body: JQL, fields, ids, and no secrets.
                (Some(body), Safety::Read) => readable_body(body),
                _ => readable(&request.query),
            }),
            status: None,
            elapsed_ms: 0.0,
            bytes: 0,
            attempt,
            error: Some(CANCELLED.into()),
        };
        Attempt {
            log: self,
            statement: Arc::clone(statement),
            began: Instant::now(),
            entry: Some(entry),
        }
    }
}

/// An attempt in flight. Dropping it unfinished, because its future was dropped, logs it as cancelled.
#[derive(Debug)]
pub(super) struct Attempt<'l> {
    log: &'l RequestLog,
    statement: Arc<Statement>,
    began: Instant,
    entry: Option<LoggedRequest>,
}

impl Attempt<'_> {
    /// Time since it was sent.
    pub(super) fn elapsed(&self) -> std::time::Duration {
        self.began.elapsed()
    }

    /// Notes how the attempt ended; the entry is written when this is dropped.
    pub(super) fn ended(&mut self, status: Option<u16>, bytes: usize, error: Option<String>) {
        if let Some(entry) = &mut self.entry {
            entry.status = status;
            entry.bytes = bytes as u64;
            entry.error = error;
        }
    }
}

impl Drop for Attempt<'_> {
    fn drop(&mut self) {
        let Some(mut entry) = self.entry.take() else { return };
        entry.elapsed_ms = self.began.elapsed().as_secs_f64() * 1000.0;
        self.statement.attempt_ended(entry.bytes);
        self.log.push(entry);
    }
}

/// The beginning of a body, on one line.
fn readable_body(body: &[u8]) -> String {
    let text = String::from_utf8_lossy(body);
    let mut short: String = text.chars().take(LONGEST_BODY).filter(|c| !c.is_control()).collect();
    if short.len() < text.len() {
        short.push('…');
    }
    short
}

fn readable(query: &[(impl AsRef<str>, String)]) -> String {
    let mut text = String::new();
    for (name, value) in query {
        if !text.is_empty() {
            text.push('&');
        }
        for part in [name.as_ref(), "=", value] {
            for c in part.chars() {
                // A line break in a JQL literal must not look like the next entry.
                if c.is_control() {
                    text.extend(c.escape_default())
                } else {
                    text.push(c)
                }
            }
        }
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    fn request() -> Request {
        Request {
            method: Method::Get,
            path: "/rest/x".into(),
            template: "/rest/x".into(),
            query: vec![("jql".into(), "summary ~ \"a\nb é\"".into()), ("fields".into(), "id".into())],
            headers: vec![],
            body: None,
            safety: Safety::Read,
            table: None,
        }
    }

    #[test]
    fn the_log_keeps_the_newest() {
        let (log, statement) = (RequestLog::default(), Statement::new(7, None));
        for attempt in 1..=CAPACITY as u32 + 5 {
            log.begin(&request(), &statement, attempt, &Redactor::default())
                .ended(Some(200), 1, None);
        }
        let entries = log.snapshot();
        assert_eq!((entries.len(), entries[0].attempt), (CAPACITY, 6));
        assert_eq!(statement.bytes(), CAPACITY as u64 + 5);
    }

    #[test]
    fn an_entry_is_readable_and_a_dropped_attempt_is_cancelled() {
        let (log, statement) = (RequestLog::default(), Statement::new(7, None));
        drop(log.begin(&request(), &statement, 1, &Redactor::default()));
        let entry = log.snapshot().remove(0);
        assert_eq!(entry.query, "jql=summary ~ \"a\\nb é\"&fields=id");
        assert_eq!((entry.statement, entry.method, entry.status), (7, "GET", None));
        assert_eq!(entry.error.as_deref(), Some("cancelled"));
        assert!(entry.started > 1_700_000_000_000, "{}", entry.started);
    }
}
