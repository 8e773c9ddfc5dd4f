//! Keys that the site answers under another key: an issue that moved to another project has a new key, and is found by the old one for
//! ever.
//!
//! # Design
//!
//! A row of the new key is no row of the old one, in all tables alike: it does not come out, and one warning names both keys. Where the
//! answer has the key of its row, or its own address has, that is plain. What hangs on an issue names it by its id, or not at all. To look
//! at the issue first would double the requests of every statement that names a key, so a list that is asked for alone stands under the
//! key that it was asked for by. But no row may come twice: where two keys are of two projects, as an old and a new one are, and their
//! first pages are alike, the parent is asked which key is the present one, and the read begins again without the other.

use std::collections::{BTreeSet, HashMap, HashSet};
use std::hash::{DefaultHasher, Hash, Hasher};

use arrow::array::{Array, AsArray};
use futures::StreamExt;

use super::decode::PageInfo;
use super::plan::{Call, Known, Question, Read, plan};
use super::read::{Listing, Reader, arrived, open};
use super::search::Needs;
use super::sweep::{Found, IdAndKey, names};
use crate::error::{Error, ErrorKind, Result};
use crate::schema::{Endpoint, Format, Segment, Table};

/// Rows under other keys that are asked for one by one.
const MOST_RENAMED: usize = 20;

/// The first pages of lists that hang on issues, by which two keys of one issue are told.
#[derive(Debug)]
pub(super) struct Firsts {
    /// The column with the key.
    key: usize,
    /// Whether the keys are of several projects, so that one may be the new one of another.
    pub(super) several: bool,
    /// The first key with each page.
    pages: HashMap<u64, String>,
    /// Keys that the parent has a row of.
    present: HashSet<String>,
}

impl Firsts {
    /// For calls about what hangs on issues; `None` where they are about something else.
    pub(super) fn of(table: &Table, calls: &[Call]) -> Option<Self> {
        let key = key_of_parent(table)?;
        let keys = calls.iter().map(|call| call.values.get(&key).map(String::as_str));
        let keys: Option<Vec<&str>> = keys.collect();
        Some(Self {
            key,
            several: are_of_several_projects(keys?),
            pages: HashMap::new(),
            present: HashSet::new(),
        })
    }

    /// Whether a call is about this key.
    pub(super) fn is_about(&self, call: &Call, key: &str) -> bool {
        call.values.get(&self.key).is_some_and(|value| value == key)
    }
}

/// The column of a table that has the key of the issue that its rows hang on.
pub(super) fn key_of_parent(table: &Table) -> Option<usize> {
    let columns = table.parent.iter().flat_map(|parent| &parent.columns);
    let mut keys = columns.filter(|(here, _)| table.columns[*here].format == Some(Format::IssueKey));
    keys.next().map(|&(here, _)| here)
}

/// Whether one of these keys may be the new one of another: an issue that moves gets the key of another project.
pub(super) fn are_of_several_projects<'a>(keys: impl IntoIterator<Item = &'a str>) -> bool {
    let projects: BTreeSet<&str> = keys.into_iter().map(project).collect();
    projects.len() > 1
}

fn project(key: &str) -> &str {
    key.rsplit_once('-').map_or(key, |(project, _)| project)
}

/// The value of a column in an address that the site gives an answer of an endpoint.
fn named_by<'a>(address: &'a str, endpoint: &Endpoint, column: usize) -> Option<&'a str> {
    let path = address.split(['?', '#']).next()?;
    let mut segments = path.rsplit('/');
    for segment in endpoint.segments.iter().rev() {
        let there = segments.next()?;
        match segment {
            Segment::Column(own) if *own == column => return Some(there),
            Segment::Literal(text) if **text == *there => {}
            Segment::Column(_) | Segment::Literal(_) => return None,
        }
    }
    None
}

impl Reader {
    /// Says that a row has another key than it was asked for by: it is no row of the old key.
    pub(super) fn note_moved(&self, listing: &Listing, call: &Call, page: &PageInfo) {
        let table = &listing.table;
        let [key] = table.identity[..] else { return };
        let placeholders = call.endpoint.of(table).placeholders();
        if table.columns[key].format != Some(Format::IssueKey) || !placeholders.eq([key]) || page.received != 1 {
            return;
        }
        let now = listing.decoder.last_identity();
        if let Some(asked) = call.values.get(&key).filter(|asked| *asked != now) {
            self.say_moved(table, asked, now);
        }
    }

    pub(super) fn say_moved(&self, table: &Table, asked: &str, now: &str) {
        self.scope
            .statement
            .warn(format!("{}: {asked} is {now} now: ask for it by that key", table.name), 1);
    }

    /// Says which of the rows that were asked for together came under other keys than they were asked for by: they are no rows of the old
    /// keys. Of those that were asked for, `unseen` brought no row of their own. The answer is how many are old keys of others of them.
    pub(super) async fn note_renamed(
        &self,
        found: &Found<'_>,
        asked: &[String],
        unseen: &[&String],
        received: usize,
        rows: impl FnOnce() -> Vec<IdAndKey>,
    ) -> Result<usize> {
        let is_key = |name: &&&String| name.contains('-');
        let unseen: Vec<String> = unseen.iter().filter(is_key).map(|key| (*key).clone()).collect();
        if unseen.is_empty() {
            return Ok(0);
        }
        let table = &found.search.root;
        // The site gives a row once that it is asked for by both keys.
        let are_gone = received + unseen.len() <= asked.len();
        if are_gone && !are_of_several_projects(asked.iter().map(String::as_str)) {
            return Ok(0);
        }
        let present = match are_gone {
            true => self.names_of(found, &unseen).await?,
            false => {
                let is_other = |row: &IdAndKey| !asked.contains(&row.key) && !asked.contains(&row.id);
                rows().into_iter().filter(is_other).collect()
            }
        };
        let others = if are_gone { 0 } else { present.len() };
        let mut moved = 0;
        match (&unseen[..], &present[..]) {
            (_, []) => {}
            ([old], [new]) => {
                self.say_moved(table, old, &new.key);
                moved = 1;
            }
            // Which of them is which, the site says of one alone.
            (unseen, _) => {
                let rest = unseen.len().saturating_sub(MOST_RENAMED);
                if rest > 0 {
                    let text = format!(
                        "{}: {{}} keys more have no row of their own; their issues may have others now",
                        table.name
                    );
                    self.scope.statement.warn(text, rest as u64);
                }
                for old in unseen.iter().take(MOST_RENAMED) {
                    if let [new] = &self.names_of(found, std::slice::from_ref(old)).await?[..]
                        && new.key != *old
                    {
                        self.say_moved(table, old, &new.key);
                        moved += 1;
                    }
                }
            }
        }
        Ok(usize::saturating_sub(moved, others))
    }

    async fn names_of(&self, found: &Found<'_>, keys: &[String]) -> Result<Vec<IdAndKey>> {
        let response = arrived(self.send_batch(found, &Needs::default(), keys)).await?;
        self.scope.stats.add(&response);
        Ok(names(&response))
    }

    /// The key of those that were asked for that is an old one, as far as the first page of a call shows it.
    ///
    /// # Errors
    /// Rows have gone out that may be those of the old key.
    pub(super) async fn moved(&self, listing: &mut Listing, call: &Call, page: &PageInfo) -> Result<Option<String>> {
        let table = listing.table.clone();
        let Some(firsts) = &mut listing.firsts else { return Ok(None) };
        let column = firsts.key;
        let Some((old, now)) = self.old_and_new(&table, firsts, call, page).await? else {
            return Ok(None);
        };
        if listing.sent {
            let what = format!("{old} is {now} now, and rows have come before that showed");
            let hint = format!("leave the old key out: AND {} <> '{old}'", table.columns[column].name);
            return Err(Error::new(ErrorKind::Incomplete, what).hint(hint));
        }
        Ok(Some(old))
    }

    async fn old_and_new(
        &self,
        table: &Table,
        firsts: &mut Firsts,
        call: &Call,
        page: &PageInfo,
    ) -> Result<Option<(String, String)>> {
        let Some(asked) = call.values.get(&firsts.key) else {
            return Ok(None);
        };
        let address = page.address.as_deref();
        let named = address.and_then(|address| named_by(address, call.endpoint.of(table), firsts.key));
        if let Some(now) = named.filter(|now| *now != asked && table.columns[firsts.key].possible(now)) {
            self.say_moved(table, asked, now);
            return Ok(Some((asked.clone(), now.to_owned())));
        }
        if !firsts.several || page.identities.is_empty() {
            return Ok(None);
        }
        let mut hasher = DefaultHasher::new();
        page.identities.hash(&mut hasher);
        let other = firsts.pages.entry(hasher.finish()).or_insert_with(|| asked.clone()).clone();
        if project(&other) == project(asked) {
            return Ok(None);
        }
        for key in [&other, asked] {
            if firsts.present.contains(key) {
                continue;
            }
            match self.present_key(table, firsts.key, key).await? {
                Some(now) if now != *key => return Ok(Some((key.clone(), now))),
                Some(_) => {
                    firsts.present.insert(key.clone());
                }
                None => {}
            }
        }
        Ok(None)
    }

    /// The key under which the site knows the parent that is asked for by this key; `None` where it has no such row. The read of the
    /// parent says so where they differ.
    pub(super) async fn present_key(&self, table: &Table, column: usize, key: &str) -> Result<Option<String>> {
        let Some(parent) = &table.parent else { return Ok(None) };
        let Some(&(_, there)) = parent.columns.iter().find(|(here, _)| *here == column) else {
            return Ok(None);
        };
        let mut known = Known::default();
        known.restrict(there, [key.to_owned()]);
        let question = Question {
            table: &parent.table,
            columns: &[there],
            known: &known,
            parent_known: None,
            filter: None,
            limit: None,
        };
        let read = plan(&question, self.scope.site.context())?;
        // Whatever its key is.
        let read = Read {
            checks: Known::default(),
            ..read
        };
        let mut rows = open(self.scope.clone(), read);
        while let Some(batch) = rows.next().await {
            let batch = batch?;
            let keys = batch.column(0).as_string::<i32>();
            if !keys.is_empty() && keys.is_valid(0) {
                return Ok(Some(keys.value(0).to_owned()));
            }
        }
        Ok(None)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::schema::Catalog;

    #[test]
    fn an_address_names_whose_list_it_is() {
        let catalog = Catalog::load(None).expect("the tables are whole");
        let mut looked_at = 0;
        for table in catalog.tables() {
            let Some(key) = key_of_parent(table) else { continue };
            for endpoint in table.lists.iter().filter(|endpoint| endpoint.placeholders().eq([key])) {
                looked_at += 1;
                let address = |key: &str| {
                    let segments = endpoint.segments.iter().map(|segment| match segment {
                        Segment::Literal(text) => text.as_str(),
                        Segment::Column(_) => key,
                    });
                    segments.collect::<Vec<_>>().join("/")
                };
                for (address, expected) in [
                    (format!("https://a.example/{}", address("NEW-7")), Some("NEW-7")),
                    (format!("https://a.example/jira/{}?start=1", address("NEW-7")), Some("NEW-7")),
                    (format!("https://a.example/{}", address("10001")), Some("10001")),
                    (format!("https://a.example/{}/more", address("NEW-7")), None),
                    ("https://a.example/".to_owned(), None),
                    (String::new(), None),
                ] {
                    assert_eq!(named_by(&address, endpoint, key), expected, "{address}");
                }
            }
        }
        assert!(looked_at > 3, "some lists are read by the key of an issue");
    }

    #[test]
    fn keys_of_one_project_are_keys_of_different_issues() {
        for (keys, expected) in [
            (&["A-1", "A-2"][..], false),
            (&["A-1", "B-1"], true),
            (&["A-1"], false),
            (&[], false),
        ] {
            assert_eq!(are_of_several_projects(keys.iter().copied()), expected, "{keys:?}");
        }
    }
}
