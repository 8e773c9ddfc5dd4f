//! Keys that the site answers under another key: an issue that moved to another project has a new key, and is found by the old one for
//! ever.
//!
//! # Design
//!
//! Where an answer says whose rows it has, in the rows or in its own address, a row of the new key is no row of the old one: it does not
//! come out, and a warning names both keys. What hangs on a request names it by its id or not at all, and to look at the request first
//! would double the requests of every statement that names a key: such rows stand under the key that they were asked for by. But what has
//! an id that no other row of the site has (`sitewide`) does not come twice. Where keys of two projects, as an old and a new one are, have
//! lists that begin with the same such rows, the parents are asked for their keys, all of them together and side by side, and the rows of
//! an old key whose new one was asked for as well are left out. For that the rows wait until there are enough for a batch. What cannot be
//! asked is a warning: it speaks against no row. Transitions, participants and SLAs of different issues are often alike, so that they say
//! nothing about their issues: they stand under both keys.

use std::collections::{BTreeMap, BTreeSet, HashMap, HashSet};
use std::hash::{DefaultHasher, Hash, Hasher};
use std::sync::{Arc, PoisonError};

use arrow::array::{Array, AsArray, RecordBatch};
use arrow::compute::concat_batches;
use futures::{StreamExt, stream};

use super::decode::{Decoder, PageInfo};
use super::plan::{Call, EndpointRef};
use super::read::{Listing, Reader, Stop, arrived, some_of};
use super::request::{Wants, request};
use super::search::Needs;
use super::shape;
use super::sweep::{Found, IdAndKey, names};
use crate::error::{Error, ErrorKind, Result};
use crate::http::Terms;
use crate::schema::{Endpoint, Format, Origin, Segment, Table};

/// Keys without a row of their own that are asked for one by one.
const MOST_RENAMED: usize = 20;

/// The lists that are read by keys of issues, as far as two keys of one issue could be told by them.
#[derive(Debug)]
pub(super) struct Firsts {
    /// The column with the key.
    key: usize,
    /// The keys that are asked for.
    asked: HashSet<String>,
    /// Whether rows tell that lists are those of one issue: the keys are of several projects, so that one may be the new one of another,
    /// and no two issues have a row alike.
    tells: bool,
    /// The key whose list is being read.
    current: String,
    /// The keys of the lists that begin with the same rows.
    alike: HashMap<u64, Vec<String>>,
    /// Keys that the parents were asked about.
    known: HashSet<String>,
    /// Those that are old keys of others that are asked for.
    old: BTreeSet<String>,
    /// Rows that wait, and the key that each batch was asked for by.
    held: Vec<(String, RecordBatch)>,
    /// Keys of which rows have gone out.
    sent: HashSet<String>,
    /// Under a LIMIT, rows of an old key have taken the place of others.
    again: bool,
}

/// What the site says of the parent that has a key.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Now {
    /// This is its key.
    Key(String),
    /// There is none.
    Nobody,
    /// It could not be asked.
    Unsaid,
}

impl Firsts {
    /// For calls about what hangs on issues; `None` where they are about something else.
    pub(super) fn of(table: &Table, calls: &[Call]) -> Option<Self> {
        let key = key_of_parent(table)?;
        let asked = calls.iter().map(|call| call.values.get(&key).cloned());
        let asked: HashSet<String> = asked.collect::<Option<_>>()?;
        Some(Self {
            key,
            tells: table.sitewide && are_of_several_projects(asked.iter().map(String::as_str)),
            asked,
            current: String::new(),
            alike: HashMap::new(),
            known: HashSet::new(),
            old: BTreeSet::new(),
            held: Vec::new(),
            sent: HashSet::new(),
            again: false,
        })
    }

    /// The old keys without which the lists are to be read again, if they are.
    pub(super) fn to_leave_out(&self) -> Option<&BTreeSet<String>> {
        self.again.then_some(&self.old)
    }

    /// Whether a call is about one of these keys.
    pub(super) fn is_about(&self, call: &Call, keys: &BTreeSet<String>) -> bool {
        call.values.get(&self.key).is_some_and(|value| keys.contains(value))
    }

    /// Whether no row goes out before there are many: it may be one of an old key.
    pub(super) fn waits(&self) -> bool {
        self.tells
    }

    /// Rows that wait.
    pub(super) fn waiting(&self) -> usize {
        self.held.iter().map(|(_, rows)| rows.num_rows()).sum()
    }

    /// Begins the list of another key; the rows are those of the one before.
    pub(super) fn begin(&mut self, call: &Call, rows: Option<RecordBatch>) {
        self.hold(rows);
        self.current = call.values.get(&self.key).cloned().unwrap_or_default();
    }

    fn hold(&mut self, rows: Option<RecordBatch>) {
        self.held.extend(rows.map(|rows| (self.current.clone(), rows)));
    }

    /// Notes how the list that is being read begins.
    pub(super) fn note_first(&mut self, identities: &[u64]) {
        if !self.tells || identities.is_empty() {
            return;
        }
        let mut hasher = DefaultHasher::new();
        identities.hash(&mut hasher);
        let alike = self.alike.entry(hasher.finish()).or_default();
        if !alike.contains(&self.current) {
            alike.push(self.current.clone());
        }
    }

    /// Keys that may be two of one issue, and that nobody has asked about.
    fn suspects(&self) -> Vec<String> {
        let groups = self.alike.values();
        let groups = groups.filter(|keys| are_of_several_projects(keys.iter().map(String::as_str)));
        let suspects: BTreeSet<&String> = groups.flatten().filter(|key| !self.known.contains(*key)).collect();
        suspects.into_iter().cloned().collect()
    }

    /// Takes notice of what the site says of a key.
    fn judge(&mut self, key: String, now: &Now) {
        if matches!(now, Now::Key(now) if *now != key && self.asked.contains(now)) {
            self.old.insert(key.clone());
        }
        self.known.insert(key);
    }

    /// The rows that wait, without those of old keys; `limited` is whether others would have come in their place.
    ///
    /// # Errors
    /// Rows have gone out that may be those of an old key, or that would come again.
    fn take(&mut self, table: &Table, limited: bool) -> Result<Vec<RecordBatch>> {
        let before = self.waiting();
        self.held.retain(|(key, _)| !self.old.contains(key));
        let was_cut = limited && self.waiting() < before;
        let gone = self.old.iter().find(|key| self.sent.contains(*key));
        let gone = gone.or(self.old.first().filter(|_| was_cut && !self.sent.is_empty()));
        if let Some(old) = gone {
            let what = format!("{old} is an old key of another one that is asked for, and rows have come before that showed");
            let hint = format!("leave the old key out: AND {} <> '{old}'", table.columns[self.key].name);
            return Err(Error::new(ErrorKind::Incomplete, what).hint(hint));
        }
        self.again = was_cut;
        let held = std::mem::take(&mut self.held);
        if was_cut {
            return Ok(Vec::new());
        }
        self.sent.extend(held.iter().map(|(key, _)| key.clone()));
        Ok(held.into_iter().map(|(_, rows)| rows).collect())
    }
}

/// Keys that were asked for together and of which no row came, and rows that came under keys that nobody asked for.
#[derive(Debug, Default)]
pub(super) struct Unseen {
    keys: Vec<String>,
    others: Vec<IdAndKey>,
    /// Projects of all keys that were asked for.
    projects: BTreeSet<String>,
}

impl Unseen {
    /// Takes notice of a batch: what was asked for, what of that did not come, and what came.
    pub(super) fn note(&mut self, asked: &[String], absent: &[&String], came: &[&IdAndKey]) {
        let is_key = |name: &&String| name.contains('-');
        self.projects
            .extend(asked.iter().filter(is_key).map(|key| project(key).to_owned()));
        let absent = absent.iter().copied().filter(is_key);
        let before = self.keys.len();
        self.keys.extend(absent.cloned());
        if self.keys.len() > before {
            let is_other = |row: &&&IdAndKey| !asked.contains(&row.key) && !asked.contains(&row.id);
            self.others.extend(came.iter().filter(is_other).copied().cloned());
        }
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

    /// Says which keys that were asked for together are old ones: their rows came under other keys, or not at all where those were asked for
    /// as well. The answer is the keys of which nothing more is to be said.
    ///
    /// # Errors
    /// The site has one of them under that key, and has not given it.
    pub(super) async fn note_renamed(&self, found: &Found<'_>) -> Result<Vec<String>> {
        let unseen = std::mem::take(&mut *self.unseen.lock().unwrap_or_else(PoisonError::into_inner));
        let Unseen { keys, others, projects } = unseen;
        // The site gives a row once that it is asked for by both keys.
        if keys.is_empty() || others.is_empty() && projects.len() < 2 {
            return Ok(Vec::new());
        }
        let table = &found.search.root;
        let mut told = Vec::new();
        let came = match others.is_empty() {
            true => self.names_of(found, &keys).await,
            false => others.clone(),
        };
        let pairs: Vec<(String, String)> = match (&keys[..], &came[..]) {
            (_, []) => Vec::new(),
            ([old], [new]) => vec![(old.clone(), new.key.clone())],
            _ => {
                told.extend(keys.iter().skip(MOST_RENAMED).cloned());
                if !told.is_empty() {
                    let text = format!(
                        "{}: {{}} keys more have no row of their own; their issues may have others now",
                        table.name
                    );
                    self.scope.statement.warn(text, told.len() as u64);
                }
                self.names_of_each(found, &keys[..keys.len().min(MOST_RENAMED)]).await
            }
        };
        if let Some((key, _)) = pairs.iter().find(|(old, new)| old == new) {
            let what = format!("{key} is there, and the answer that was to have it among others does not");
            return Err(Error::new(ErrorKind::Incomplete, what)
                .hint("run the statement again; sys.requests shows what was asked")
                .table(&table.name));
        }
        for (old, new) in pairs {
            self.say_moved(table, &old, &new);
            told.push(old);
        }
        Ok(told)
    }

    /// The keys, and those that their rows have now: which of them is which, the site says of one alone.
    async fn names_of_each(&self, found: &Found<'_>, keys: &[String]) -> Vec<(String, String)> {
        let ask = |old: &String| {
            let old = old.clone();
            async move {
                let rows = self.names_of(found, std::slice::from_ref(&old)).await;
                rows.into_iter().next().map(|row| (old, row.key))
            }
        };
        let asked: Vec<_> = keys.iter().map(ask).collect();
        let pairs = stream::iter(asked).buffered(self.scope.site.client.max_concurrency());
        pairs.filter_map(std::future::ready).collect().await
    }

    /// The rows that the site has by these keys, whatever their keys are now.
    async fn names_of(&self, found: &Found<'_>, keys: &[String]) -> Vec<IdAndKey> {
        let mut rows = Vec::new();
        for keys in keys.chunks(found.words.batch) {
            match arrived(self.send_batch(found, &Needs::default(), keys)).await {
                Ok(response) => {
                    self.scope.stats.add(&response);
                    rows.append(&mut names(&response));
                }
                Err(error) => self.say_unsaid(&found.search.root, keys, &error),
            }
        }
        rows
    }

    /// Says that the site could not be asked whether these are old keys.
    fn say_unsaid(&self, table: &Table, keys: &[String], error: &Error) {
        let text = format!(
            "{}: whether {} have other keys by now could not be asked: {}",
            table.name,
            some_of(keys.iter().map(String::as_str)),
            error.message()
        );
        self.scope.statement.warn(text, 1);
    }

    /// Whether an answer says that it is about another key than it was asked for by: its rows are none of that key.
    pub(super) fn is_of_another(&self, listing: &Listing, call: &Call, page: &PageInfo) -> bool {
        let (table, Some(firsts)) = (&listing.table, &listing.firsts) else {
            return false;
        };
        let named = page.address.as_deref();
        let named = named.and_then(|address| named_by(address, call.endpoint.of(table), firsts.key));
        let now = named.filter(|now| *now != firsts.current && table.columns[firsts.key].possible(now));
        if let Some(now) = now {
            self.say_moved(table, &firsts.current, now);
        }
        now.is_some()
    }

    /// The rows that wait, without those of keys that are old ones of others that were asked for.
    ///
    /// # Errors
    /// Rows have gone out that may be those of an old key.
    pub(super) async fn ready(&self, listing: &mut Listing) -> Result<Option<RecordBatch>, Stop> {
        let rows = listing.decoder.take()?;
        let table = listing.table.clone();
        let Some(firsts) = &mut listing.firsts else { return Ok(rows) };
        firsts.hold(rows);
        for (key, now) in self.parents_now(&table, firsts.key, firsts.suspects()).await {
            firsts.judge(key, &now);
        }
        let rows = firsts.take(&table, self.read.limit.is_some())?;
        match &rows[..] {
            [] if firsts.again => Err(Stop::Enough),
            [] => Ok(None),
            [first, ..] => Ok(Some(concat_batches(&first.schema(), &rows).map_err(|error| {
                Error::new(
                    ErrorKind::Internal,
                    format!("rows of several lists do not fit together: {error}"),
                )
            })?)),
        }
    }

    /// What the site says of the parents that rows of a table are asked for by. Those that have other keys by now are told.
    pub(super) async fn parents_now(&self, table: &Table, column: usize, keys: Vec<String>) -> Vec<(String, Now)> {
        let Some((source, there)) = source(table, column) else {
            return keys.into_iter().map(|key| (key, Now::Unsaid)).collect();
        };
        let ask = |key: String| async move {
            let now = match self.key_now(source, there, &key).await {
                Ok(Some(now)) => Now::Key(now),
                Ok(None) => Now::Nobody,
                Err(error) => {
                    self.say_unsaid(table, std::slice::from_ref(&key), &error);
                    Now::Unsaid
                }
            };
            (key, now)
        };
        let asked: Vec<_> = keys.into_iter().map(ask).collect();
        let most = self.scope.site.client.max_concurrency();
        let answers: Vec<(String, Now)> = stream::iter(asked).buffered(most).collect().await;
        for (key, now) in &answers {
            if let Now::Key(now) = now
                && now != key
            {
                self.say_moved(source, key, now);
            }
        }
        answers
    }

    /// The key that a row has by now; `None` where the site has no such row.
    async fn key_now(&self, table: &Arc<Table>, column: usize, key: &str) -> Result<Option<String>> {
        if let Some(search) = &table.search {
            let body = serde_json::json!({"issueIdsOrKeys": [key], "fields": Needs::default().words()});
            let response = arrived(self.post(table, &search.bulk, &body)).await?;
            self.scope.stats.add(&response);
            return Ok(names(&response).into_iter().next().map(|row| row.key));
        }
        let get = table.gets.iter().position(|get| get.placeholders().eq([column]));
        let Some(get) = get else { return Ok(Some(key.to_owned())) };
        let call = Call {
            endpoint: EndpointRef::Get(get),
            values: BTreeMap::from([(column, key.to_owned())]),
            query: Vec::new(),
        };
        let request = request(&self.scope.site, table, &call, &Wants::default(), None)?;
        let response = match self.scope.ask(&request, Terms::default()).await {
            Err(error) if error.kind() == ErrorKind::NotFound => return Ok(None),
            other => other?,
        };
        self.scope.stats.add(&response);
        let shape = shape::compile(std::slice::from_ref(table), &[column], &[], false);
        let output = shape.slot(0, column).into_iter().collect();
        let schema = super::arrow_schema(table, &[column]);
        let mut decoder = Decoder::new(shape, schema, output, Vec::new(), Vec::new(), None);
        decoder.read(&response.body)?;
        let row = decoder.take()?.filter(|row| row.column(0).is_valid(0));
        Ok(row.map(|row| row.column(0).as_string::<i32>().value(0).to_owned()))
    }
}

/// The table that knows the key of the issue that the rows of a table hang on, and its column: a parent may itself hang on it.
fn source(table: &Table, column: usize) -> Option<(&Arc<Table>, usize)> {
    let parent = table.parent.as_ref()?;
    let &(_, there) = parent.columns.iter().find(|(here, _)| *here == column)?;
    match parent.table.columns[there].origin {
        Origin::Request => source(&parent.table, there),
        _ => Some((&parent.table, there)),
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
