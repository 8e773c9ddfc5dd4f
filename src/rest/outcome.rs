//! What became of the rows of a write: outcomes that always add up, kept for `sys.writes`.

use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

/// What became of one row.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Outcome {
    /// The site took it.
    Applied,
    /// The site, or a check before sending, refused it: it had no effect.
    Failed,
    /// It was sent and no usable answer came, or came for a part of it: it may have taken effect.
    Unknown,
    /// It was not sent.
    NotAttempted,
    /// It was to be inserted and was there before: the site made nothing.
    Existed,
    /// The site accepted it, and its answer shows the contrary.
    Contradicted,
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
            Self::Existed => "existed",
            Self::Contradicted => "contradicted",
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
    pub(crate) existed: u64,
    pub(crate) contradicted: u64,
}

impl std::fmt::Display for Counts {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(
            f,
            "{} applied, {} failed, {} unknown, {} not attempted",
            self.applied, self.failed, self.unknown, self.not_attempted
        )?;
        for (count, outcome) in [(self.existed, Outcome::Existed), (self.contradicted, Outcome::Contradicted)] {
            if count > 0 {
                write!(f, ", {count} {}", outcome.name())?;
            }
        }
        Ok(())
    }
}

/// The rows of one write.
///
/// # Design
/// A row is *unknown* from before its request is sent until the answer is there. So what a cancelled statement leaves behind is right
/// without anybody writing it down.
#[derive(Debug, Default)]
pub(crate) struct Ledger {
    statement: u64,
    rows: Mutex<Vec<WrittenRow>>,
}

impl Ledger {
    /// The ledger of statement number `statement`, which has not written any of its rows yet; `keys` are theirs.
    pub(super) fn new(statement: u64, keys: impl Iterator<Item = Option<String>>) -> Self {
        let rows = keys.zip(1..).map(|(key, row)| WrittenRow {
            row,
            outcome: Outcome::NotAttempted,
            key,
            error: None,
        });
        Self {
            statement,
            rows: Mutex::new(rows.collect()),
        }
    }

    /// Notes what became of a row, given by its position.
    pub(super) fn note(&self, row: usize, outcome: Outcome, error: Option<String>) {
        if let Some(entry) = self.lock().get_mut(row) {
            entry.outcome = outcome;
            entry.error = error;
        }
    }

    /// Notes the key that a row got.
    pub(super) fn note_key(&self, row: usize, key: String) {
        if let Some(entry) = self.lock().get_mut(row) {
            entry.key = Some(key);
        }
    }

    /// Whether the site says itself that a row is not as the statement would have it.
    pub(super) fn is_contradicted(&self, row: usize) -> bool {
        self.lock()
            .get(row)
            .is_some_and(|entry| entry.outcome == Outcome::Contradicted)
    }

    pub(super) fn counts(&self) -> Counts {
        let mut counts = Counts::default();
        for row in self.lock().iter() {
            match row.outcome {
                Outcome::Applied => counts.applied += 1,
                Outcome::Failed => counts.failed += 1,
                Outcome::Unknown => counts.unknown += 1,
                Outcome::NotAttempted => counts.not_attempted += 1,
                Outcome::Existed => counts.existed += 1,
                Outcome::Contradicted => counts.contradicted += 1,
                Outcome::Gone => {}
            }
        }
        counts
    }

    fn lock(&self) -> MutexGuard<'_, Vec<WrittenRow>> {
        self.rows.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// The last write of a session. Where several run at a time, it is the one that began last; each counts its own rows.
#[derive(Debug, Default)]
pub(crate) struct WriteLog(Mutex<Arc<Ledger>>);

impl WriteLog {
    /// Forgets the last write for one that is about to begin.
    pub(super) fn begin(&self, ledger: Arc<Ledger>) {
        *self.lock() = ledger;
    }

    /// Number of the last statement that wrote, and its rows.
    pub(crate) fn snapshot(&self) -> (u64, Vec<WrittenRow>) {
        let ledger = self.lock().clone();
        let rows = ledger.lock();
        let present = rows.iter().filter(|row| row.outcome != Outcome::Gone).cloned().collect();
        (ledger.statement, present)
    }

    /// What became of the rows of a statement, if it is the last that wrote.
    pub(crate) fn counts(&self, statement: u64) -> Option<Counts> {
        let ledger = self.lock().clone();
        (ledger.statement == statement).then(|| ledger.counts())
    }

    fn lock(&self) -> MutexGuard<'_, Arc<Ledger>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
