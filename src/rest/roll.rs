//! Whether the rows that come are those that were asked for by id or key: each of them once, and no others.
//!
//! # Design
//!
//! The ids of a search are asked for in batches, so what comes in place of one of them would be taken for what the search found, and be
//! changed or deleted by it. An id is never another's. A key may be an old one, and what comes under its new one is no row of it: see
//! `moved.rs`. What is missing is named, and never made up for by a row that comes twice: where one comes twice, or is null, the answer
//! contradicts itself, and what it lacks is asked for again.

use std::collections::HashSet;
use std::sync::PoisonError;

use super::read::{Reader, some_of};
use super::sweep::{Found, IdAndKey};
use crate::error::{Error, ErrorKind, Result};

/// A row that is asked for.
#[derive(Debug, Clone)]
pub(super) struct Wanted {
    /// What it is asked for by.
    pub(super) asked: String,
    /// Its key, where another is asked for.
    key: Option<String>,
}

impl Wanted {
    /// Its key, as far as it is known.
    pub(super) fn key(&self) -> &str {
        self.key.as_deref().unwrap_or(&self.asked)
    }
}

/// By id or key, whichever the user gave.
impl From<String> for Wanted {
    fn from(asked: String) -> Self {
        Self { asked, key: None }
    }
}

/// By the id of a row that was found: its key may be another by now.
impl From<IdAndKey> for Wanted {
    fn from(row: IdAndKey) -> Self {
        Self {
            asked: row.id,
            key: Some(row.key),
        }
    }
}

/// What came of the rows that were asked for.
#[derive(Debug, PartialEq, Eq)]
struct Roll<'a> {
    /// Rows that came, each once.
    rows: Vec<&'a IdAndKey>,
    /// What was asked for, and did not come under that name.
    absent: Vec<&'a String>,
    /// The first of what came that nobody asked for, where no old key can explain it.
    stranger: Option<&'a str>,
}

/// What an answer lacks.
#[derive(Debug, Default)]
pub(super) struct Lacking {
    /// To be asked for again: the answer had others in their places.
    pub(super) again: Vec<Wanted>,
    /// What did not come under the name that it was asked for by.
    pub(super) missing: Vec<String>,
}

fn roll<'a>(asked: &'a [String], came: &'a [IdAndKey]) -> Roll<'a> {
    let wanted: HashSet<&str> = asked.iter().map(String::as_str).collect();
    let mut ids = HashSet::new();
    let rows: Vec<&IdAndKey> = came.iter().filter(|row| ids.insert(row.id.as_str())).collect();
    let names: HashSet<&str> = rows.iter().flat_map(|row| [row.id.as_str(), row.key.as_str()]).collect();
    let absent: Vec<&String> = asked.iter().filter(|name| !names.contains(name.as_str())).collect();
    let old = absent.iter().filter(|name| name.contains('-')).count();
    let others = rows
        .iter()
        .filter(|row| ![&row.id, &row.key].iter().any(|name| wanted.contains(name.as_str())));
    let stranger = others.skip(old).map(|row| row.key.as_str()).next();
    Roll { rows, absent, stranger }
}

impl Reader {
    /// What an answer of so many elements lacks of the rows that were asked for. Nothing is asked for again of which no part came.
    ///
    /// # Errors
    /// It has rows that nobody asked for.
    pub(super) fn call_roll(&self, found: &Found<'_>, asked: &[Wanted], came: &[IdAndKey], elements: usize) -> Result<Lacking> {
        let names: Vec<String> = asked.iter().map(|wanted| wanted.asked.clone()).collect();
        let Roll { rows, absent, stranger } = roll(&names, came);
        if let Some(stranger) = stranger {
            let keys = asked.iter().filter(|wanted| absent.contains(&&wanted.asked)).map(Wanted::key);
            let missing = match some_of(keys.collect::<Vec<_>>().into_iter()) {
                none if none.is_empty() => none,
                some => format!(", and {some} did not come"),
            };
            let what = format!("the answer has {stranger}, which was not asked for{missing}");
            return Err(Error::new(ErrorKind::Decode, what)
                .hint("the rows would not be those that were found, so the statement fails; sys.requests shows the request")
                .table(&found.search.root.name));
        }
        if rows.len() < elements && absent.len() < asked.len() {
            let again = asked.iter().filter(|wanted| absent.contains(&&wanted.asked)).cloned();
            return Ok(Lacking {
                again: again.collect(),
                missing: Vec::new(),
            });
        }
        let mut unseen = self.unseen.lock().unwrap_or_else(PoisonError::into_inner);
        unseen.note(&names, &absent, &rows);
        Ok(Lacking {
            again: Vec::new(),
            missing: absent.into_iter().cloned().collect(),
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_row_is_answered_once_and_no_other() {
        let row = |text: &str| {
            let (id, key) = text.split_once(' ').expect("an id and a key");
            IdAndKey {
                id: id.into(),
                key: key.into(),
            }
        };
        for (asked, came, distinct, absent, stranger) in [
            (&["1", "2"][..], &["1 A-1", "2 A-2"][..], 2, &[][..], None),
            (&["A-1", "2"], &["2 A-2", "1 A-1"], 2, &[], None),
            // One twice, another not.
            (&["1", "2"], &["1 A-1", "1 A-1"], 1, &["2"], None),
            (&["1", "2"], &["1 A-1"], 1, &["2"], None),
            // One in place of another, or beside it.
            (&["1", "2"], &["1 A-1", "3 A-3"], 2, &["2"], Some("A-3")),
            (&["1"], &["1 A-1", "3 A-3"], 2, &[], Some("A-3")),
            // The key may be an old one, but of one row.
            (&["A-1"], &["1 B-7"], 1, &["A-1"], None),
            (&["A-1"], &["1 B-7", "3 A-3"], 2, &["A-1"], Some("A-3")),
            // The row has moved since its id was found.
            (&["1"], &["1 B-7"], 1, &[], None),
        ] {
            let asked: Vec<String> = asked.iter().map(|&name| name.to_owned()).collect();
            let came: Vec<IdAndKey> = came.iter().copied().map(row).collect();
            let roll = roll(&asked, &came);
            assert_eq!(roll.rows.len(), distinct, "{asked:?}");
            assert_eq!(roll.absent, absent.to_vec(), "{asked:?}");
            assert_eq!(roll.stranger, stranger, "{asked:?}");
        }
    }
}
