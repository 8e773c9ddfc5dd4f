//! One SQL statement as HTTP sees it: what it may spend, what it spent, and whether it was cancelled.

use super::memory::{Held, Memory};
use crate::error::{Error, ErrorKind, Result};
use std::collections::BTreeMap;
use std::sync::atomic::{AtomicU64, Ordering::Relaxed};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;
use tokio_util::sync::CancellationToken;

/// A value of a row that was read and did not fit its column, so that it is NULL.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Misfit {
    /// The values of the key of the row, as far as they were read.
    pub(crate) key: String,
    pub(crate) column: String,
    /// What the answer had, in words.
    pub(crate) what: String,
}

/// The budget, counters and cancellation of one statement; shared by all its requests.
#[derive(Debug)]
pub(crate) struct Statement {
    number: u64,
    max_requests: Option<u64>,
    memory: Option<Arc<dyn Memory>>,
    cancelled: CancellationToken,
    requests: AtomicU64,
    expected: AtomicU64,
    open_ends: AtomicU64,
    retries: AtomicU64,
    in_flight: AtomicU64,
    bytes: AtomicU64,
    waited_micros: AtomicU64,
    rows: AtomicU64,
    warnings: Mutex<BTreeMap<String, u64>>,
    /// By table; `None` where nobody asks for them.
    misfits: Mutex<Option<BTreeMap<String, Vec<Misfit>>>>,
}

impl Statement {
    /// Statement number `number` of a session, allowed to send `max_requests` requests; `None` is no limit.
    pub(crate) fn new(number: u64, max_requests: Option<u64>) -> Arc<Self> {
        Self::within(number, max_requests, None)
    }

    /// The same, with what its answers and rows take counted.
    pub(crate) fn within(number: u64, max_requests: Option<u64>, memory: Option<Arc<dyn Memory>>) -> Arc<Self> {
        Arc::new(Self {
            number,
            max_requests,
            memory,
            cancelled: CancellationToken::new(),
            requests: AtomicU64::new(0),
            expected: AtomicU64::new(0),
            open_ends: AtomicU64::new(0),
            retries: AtomicU64::new(0),
            in_flight: AtomicU64::new(0),
            bytes: AtomicU64::new(0),
            waited_micros: AtomicU64::new(0),
            rows: AtomicU64::new(0),
            warnings: Mutex::default(),
            misfits: Mutex::default(),
        })
    }

    /// Notes that this many further requests are known to be needed.
    pub(crate) fn expect(&self, requests: u64) {
        let sent = self.requests();
        let more = |expected: u64| Some(expected.max(sent) + requests);
        let _ = self.expected.fetch_update(Relaxed, Relaxed, more);
    }

    /// Notes that something is read whose end is not known, as long as the answer lives.
    pub(crate) fn open_end(self: &Arc<Self>) -> OpenEnd {
        self.open_ends.fetch_add(1, Relaxed);
        OpenEnd(self.clone())
    }

    /// Requests that are known to be needed in all; 0 where that is not known.
    pub(crate) fn expected(&self) -> u64 {
        let (expected, is_open) = (self.expected.load(Relaxed), self.open_ends.load(Relaxed) > 0);
        if is_open || expected < self.requests() { 0 } else { expected }
    }

    /// Memory for something of this statement: nothing yet.
    pub(crate) fn memory(&self) -> Held {
        Held::new(self.memory.clone())
    }

    /// Its number in the session.
    pub(crate) fn number(&self) -> u64 {
        self.number
    }

    /// How many requests it may send, every attempt counted.
    pub(crate) fn max_requests(&self) -> Option<u64> {
        self.max_requests
    }

    /// Requests sent so far, every attempt counted.
    pub(crate) fn requests(&self) -> u64 {
        self.requests.load(Relaxed)
    }

    /// How many of [`Self::requests`] were second or later attempts.
    pub(crate) fn retries(&self) -> u64 {
        self.retries.load(Relaxed)
    }

    /// Requests being answered right now.
    pub(crate) fn in_flight(&self) -> u64 {
        self.in_flight.load(Relaxed)
    }

    /// Bytes of all answers after decompression.
    pub(crate) fn bytes(&self) -> u64 {
        self.bytes.load(Relaxed)
    }

    /// Time its requests slept between attempts and at the rate gate, added up: with requests in parallel it may exceed the
    /// time that passed.
    pub(crate) fn waited(&self) -> Duration {
        Duration::from_micros(self.waited_micros.load(Relaxed))
    }

    /// Rows decoded so far.
    pub(crate) fn rows(&self) -> u64 {
        self.rows.load(Relaxed)
    }

    /// Notes `n` more decoded rows.
    pub(crate) fn add_rows(&self, n: u64) {
        self.rows.fetch_add(n, Relaxed);
    }

    /// Notes that something is worth knowing about the rows, `count` times; `{}` in the text stands for how often.
    pub(crate) fn warn(&self, text: impl Into<String>, count: u64) {
        let mut warnings = self.warnings.lock().unwrap_or_else(PoisonError::into_inner);
        *warnings.entry(text.into()).or_default() += count;
    }

    /// What is worth knowing about the rows so far.
    pub(crate) fn warnings(&self) -> Vec<String> {
        let warnings = self.warnings.lock().unwrap_or_else(PoisonError::into_inner);
        warnings
            .iter()
            .map(|(text, count)| text.replacen("{}", &count.to_string(), 1))
            .collect()
    }

    /// Keeps which rows had a value that did not fit, from now on: the statement writes what it reads.
    pub(crate) fn keep_misfits(&self) {
        self.misfits
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
            .get_or_insert_default();
    }

    /// Notes rows of a table with values that did not fit.
    pub(crate) fn note_misfits(&self, table: &str, rows: Vec<Misfit>) {
        if let (Some(kept), false) = (
            self.misfits.lock().unwrap_or_else(PoisonError::into_inner).as_mut(),
            rows.is_empty(),
        ) {
            kept.entry(table.to_owned()).or_default().extend(rows);
        }
    }

    /// Takes the values that did not fit, by table. They are not kept: the last statements of a session are.
    pub(crate) fn take_misfits(&self) -> BTreeMap<String, Vec<Misfit>> {
        let mut kept = self.misfits.lock().unwrap_or_else(PoisonError::into_inner);
        kept.as_mut().map(std::mem::take).unwrap_or_default()
    }

    /// Cancels it: requests in flight are aborted, later ones are refused. For ever.
    pub(crate) fn cancel(&self) {
        self.cancelled.cancel();
    }

    /// Completes when the statement is cancelled.
    pub(crate) async fn cancelled(&self) {
        self.cancelled.cancelled().await;
    }

    /// Takes one request from the budget.
    pub(super) fn spend(&self) -> Result<()> {
        let most = self.max_requests.unwrap_or(u64::MAX);
        let one_more = |sent: u64| (sent < most).then_some(sent + 1);
        match self.requests.fetch_update(Relaxed, Relaxed, one_more) {
            Ok(_) => Ok(()),
            Err(_) => Err(Error::new(
                ErrorKind::Limit,
                format!("the statement needs more than MaxRequests={most} requests"),
            )
            .hint("raise option MaxRequests, or narrow the WHERE clause; EXPLAIN shows the requests")),
        }
    }

    pub(super) fn add_wait(&self, time: Duration) {
        self.waited_micros.fetch_add(time.as_micros() as u64, Relaxed);
    }

    pub(super) fn attempt_began(&self, attempt: u32) {
        self.in_flight.fetch_add(1, Relaxed);
        if attempt > 1 {
            self.retries.fetch_add(1, Relaxed);
        }
    }

    pub(super) fn attempt_ended(&self, bytes: u64) {
        self.in_flight.fetch_sub(1, Relaxed);
        self.bytes.fetch_add(bytes, Relaxed);
    }
}

/// Something whose end is not known.
#[derive(Debug)]
pub(crate) struct OpenEnd(Arc<Statement>);

impl Drop for OpenEnd {
    fn drop(&mut self) {
        self.0.open_ends.fetch_sub(1, Relaxed);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_needed_in_all_is_known_when_every_end_is() {
        let statement = Statement::new(1, None);
        assert_eq!(statement.expected(), 0);
        statement.spend().unwrap();
        statement.expect(3);
        assert_eq!(statement.expected(), 4, "what was sent before counts as well");
        let end = statement.open_end();
        statement.expect(2);
        assert_eq!(statement.expected(), 0);
        drop(end);
        assert_eq!(statement.expected(), 6);
    }

    #[test]
    fn the_budget_is_exact() {
        let statement = Statement::new(1, Some(2));
        assert!(statement.spend().is_ok() && statement.spend().is_ok());
        let error = statement.spend().unwrap_err();
        assert_eq!((error.kind(), statement.requests()), (ErrorKind::Limit, 2));
        assert!(error.message().contains("MaxRequests=2") && error.hint_text().unwrap().contains("WHERE"));
        assert!(
            Statement::new(1, Some(0)).spend().is_err(),
            "a budget of nothing is nothing, not everything"
        );
    }
}
