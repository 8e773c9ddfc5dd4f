//! What became of the rows of a write: four outcomes that always add up, kept for `sys.writes`.

use std::sync::{Mutex, PoisonError};

/// What became of one row.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Outcome {
    /// The site took it.
    Applied,
    /// The site, or a check before sending, refused it: it provably had no effect.
    Failed,
    /// It was sent and no usable answer came: it may have taken effect.
    Unknown,
    /// It was not sent.
    NotAttempted,
    /// It was to be deleted and was no longer there: not a row of this statement any more.
    Gone,
}

impl Outcome {
    /// Its name in `sys.writes`.
    pub(crate) fn name(self) -> &'static str {
        match self {
            Self::Applied => "applied",
            Self::Failed => "failed",
            Self::Unknown => "unknown",
            Self::NotAttempted => "not attempted",
            Self::Gone => "gone",
        }
    }
}

/// One row of a write.
#[derive(Debug, Clone)]
pub(crate) struct WrittenRow {
    /// Its number in the statement, from 1.
    pub(crate) row: u64,
    pub(crate) outcome: Outcome,
    /// Values of its key, the new ones included.
    pub(crate) key: Option<String>,
    pub(crate) error: Option<String>,
}

/// How many rows had each outcome.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub(crate) struct Counts {
    pub(crate) applied: u64,
    pub(crate) failed: u64,
    pub(crate) unknown: u64,
    pub(crate) not_attempted: u64,
}

impl std::fmt::Display for Counts {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(
            f,
            "{} applied, {} failed, {} unknown, {} not attempted",
            self.applied, self.failed, self.unknown, self.not_attempted
        )
    }
}

/// The rows of the last write of a session.
///
/// # Design
/// A row is *unknown* from before its request is sent until the answer is there. So what a cancelled statement leaves behind is right
/// without anybody writing it down.
#[derive(Debug, Default)]
pub(crate) struct WriteLog(Mutex<(u64, Vec<WrittenRow>)>);

impl WriteLog {
    /// Forgets the last write: statement number `statement` is about to write rows with these keys.
    pub(super) fn begin(&self, statement: u64, keys: impl Iterator<Item = Option<String>>) {
        let rows = keys.zip(1..).map(|(key, row)| WrittenRow {
            row,
            outcome: Outcome::NotAttempted,
            key,
            error: None,
        });
        *self.0.lock().unwrap_or_else(PoisonError::into_inner) = (statement, rows.collect());
    }

    /// Notes what became of a row, given by its position.
    pub(super) fn note(&self, statement: u64, row: usize, outcome: Outcome, error: Option<String>) {
        let mut log = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        // Another statement may have begun to write meanwhile: the log is of the last one.
        if log.0 == statement
            && let Some(entry) = log.1.get_mut(row)
        {
            entry.outcome = outcome;
            entry.error = error;
        }
    }

    /// Notes the key that a row got.
    pub(super) fn note_key(&self, statement: u64, row: usize, key: String) {
        let mut log = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        if log.0 == statement
            && let Some(entry) = log.1.get_mut(row)
        {
            entry.key = Some(key);
        }
    }

    /// Number of the last statement that wrote, and its rows.
    pub(crate) fn snapshot(&self) -> (u64, Vec<WrittenRow>) {
        let log = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let rows = log.1.iter().filter(|row| row.outcome != Outcome::Gone);
        (log.0, rows.cloned().collect())
    }
}
