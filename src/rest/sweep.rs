//! Driving a search: pages of ids, batches beside them, tokens that must lead somewhere, and values that the site does not know.

use std::collections::{BTreeMap, BTreeSet, HashSet, VecDeque};
use std::sync::Arc;
use std::sync::atomic::Ordering::Relaxed;

use arrow::array::AsArray;
use futures::StreamExt;
use serde::Deserialize;
use serde_json::json;
use tokio::time::Instant;

use super::decode::{Check, Cut, Decoder, PageInfo};
use super::field;
use super::jql::{Condition, Unknown, among, clause_of, jql, literal};
use super::login;
use super::plan::{Known, Question, Read, plan};
use super::read::{InFlight, Listing, Reader, Stop, arrived, checks, columns_of_parent, open, some_of, task_ended};
use super::repair::{Repaired, repaired};
use super::request::Wants;
use super::roll::Wanted;
use super::search::{FEW_PAGES, Needs, Search, Way, clauses};
use super::seen::Seen;
use super::shape;
use super::touched::MOST;
use crate::error::{Error, ErrorKind, Result};
use crate::http::{Method, Request, Response, Safety, Terms};
use crate::schema::{self, Lookup, Origin, Table};

/// Pages without a row that may follow each other before a search counts as endless.
const MOST_EMPTY: usize = 20;
/// Sweeps of ids that may wait for their batches.
pub(super) const IDS_AHEAD: usize = 3;
/// Times that a search is put in other words after it was refused.
const MOST_TRIES: usize = 4;
/// Refusals of values of a column after which a search says nothing about it.
const MOST_REFUSALS: usize = 8;
/// Rows with a cut page that are asked for one by one, rather than together.
const FEW_CUT: usize = 2;

/// A page of ids and keys.
#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct IdPage {
    issues: Vec<Option<IdAndKey>>,
    #[serde(default, deserialize_with = "field::word")]
    next_page_token: Option<String>,
    #[serde(default, deserialize_with = "field::truth")]
    is_last: Option<bool>,
    /// What searches of another age have in place of both.
    #[serde(default, deserialize_with = "field::word")]
    total: Option<String>,
}

impl IdPage {
    /// Its rows, and how many are null.
    pub(super) fn rows(self) -> (Vec<IdAndKey>, u64) {
        let received = self.issues.len();
        let rows: Vec<IdAndKey> = self.issues.into_iter().flatten().collect();
        let nulls = received - rows.len();
        (rows, nulls as u64)
    }
}

#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
pub(super) struct IdAndKey {
    #[serde(deserialize_with = "field::id")]
    pub(super) id: String,
    pub(super) key: String,
}

/// What a page of a search says of what follows.
#[derive(Debug, Clone, Default)]
pub(super) struct Follows {
    pub(super) last: Option<bool>,
    pub(super) token: Option<String>,
    /// How many rows all pages have together.
    pub(super) total: Option<u64>,
    /// How many the page was to have at most.
    pub(super) asked: usize,
}

/// The tokens of a search so far: each may come once.
#[derive(Default)]
pub(super) struct Tokens {
    seen: HashSet<String>,
    empty: usize,
    /// Rows that came, each once.
    came: u64,
}

impl Tokens {
    /// The token of the next page, if there is one.
    pub(super) fn next(&mut self, table: &Table, follows: Follows, received: usize, fresh: usize) -> Result<Option<String>> {
        self.came += fresh as u64;
        let Follows { last, token, .. } = follows;
        let has_room = received < follows.asked && follows.total.is_none_or(|total| total <= self.came);
        let broken = |what: &str| {
            Err(Error::new(ErrorKind::Decode, what)
                .hint("the rows would not be complete, so the statement fails")
                .table(&table.name))
        };
        let token = match (last, token.filter(|token| !token.is_empty())) {
            (Some(true), None) => return Ok(None),
            // The last page has no token, and a gateway may have taken the other word away. It may have taken both.
            (None, None) if has_room => return Ok(None),
            (None, None) => return broken("a page of the search says neither that it is the last nor where the next one is"),
            // A token after the last page is a contradiction: the page that it asks for tells, and an empty one proves the end.
            (Some(true), _) if received == 0 => return Ok(None),
            (Some(false), None) => return broken("a page of the search is not the last, but has no token of the next"),
            (_, Some(token)) => token,
        };
        if received > 0 && fresh == 0 {
            return broken("the site sends the same rows again as another page of the search");
        }
        self.empty = if received == 0 { self.empty + 1 } else { 0 };
        if self.empty > MOST_EMPTY {
            return broken("the search goes on without giving rows");
        }
        if !self.seen.insert(token.clone()) {
            return broken("the token of the next page of the search repeats itself");
        }
        Ok(Some(token))
    }
}

/// One search: its JQL, and what is asked of each row.
pub(super) struct Found<'a> {
    pub(super) search: &'a Search,
    pub(super) words: &'a schema::Search,
    needs: &'a Needs,
    jql: String,
    /// Issues that the index may not know as they are.
    reconcile: &'a [i64],
}

impl<'a> Found<'a> {
    /// Rows that no search has to find.
    fn by_key(search: &'a Search, words: &'a schema::Search, needs: &'a Needs) -> Self {
        Self {
            search,
            words,
            needs,
            jql: String::new(),
            reconcile: &[],
        }
    }

    /// The column of the table that is read with the values of a column of the rows that are found.
    fn own(&self, column: usize) -> Option<usize> {
        let step = |there: usize, table: &Arc<Table>| {
            let columns = &table.parent.as_ref()?.columns;
            columns.iter().find(|(_, of)| *of == there).map(|&(here, _)| here)
        };
        self.search.chain.iter().try_fold(column, step)
    }

    /// The condition that leaves a row out, in the words of the table that is read.
    fn without(&self, row: &Wanted) -> Option<String> {
        let table = self.search.chain.last().unwrap_or(&self.search.root);
        let by_id = Some((self.own(self.words.id), &*row.asked)).filter(|_| !row.asked.contains('-'));
        let by_key = Some((self.own(self.words.key), row.key())).filter(|(_, key)| key.contains('-'));
        let mut ways = [by_id, by_key].into_iter().flatten();
        let (column, value) = ways.find_map(|(column, value)| Some((column?, value)))?;
        Some(format!("AND {} <> '{value}'", table.columns[column].name))
    }
}

impl Reader {
    /// Reads what JQL finds.
    pub(super) async fn search(&self, search: &Search) -> Result<(), Stop> {
        let Some(words) = &search.root.search else { return Ok(()) };
        if let way @ Way::Keys(_) = search.way(&self.read, &search.needs(&self.read)) {
            return self.search_keys(search, words, way).await;
        }
        let reconcile = self.reconcile(search, words).await?;
        let inputs = self.inputs(search).await?;
        let mut inputs = inputs.iter().peekable();
        let (mut search, mut unknown) = (search.clone(), Unknown::new());
        let mut listing = self.found_listing(&search, false);
        let mut sent = false;
        while let Some((values, written)) = inputs.peek() {
            listing.begin_values(values)?;
            let needs = search.needs(&self.read);
            let found = Found {
                search: &search,
                words,
                needs: &needs,
                jql: String::new(),
                reconcile: &reconcile,
            };
            match self.find(found, written, &mut unknown, &mut listing).await? {
                None => {
                    inputs.next();
                }
                // From here on the rows are checked for what the site cannot be asked.
                Some(unsaid) => {
                    search.unsaid.extend(unsaid);
                    self.emit(&mut listing, true).await?;
                    sent |= listing.sent;
                    let (budget, cut) = (listing.decoder.budget(), listing.cut);
                    listing = self.found_listing(&search, false);
                    listing.decoder.allow(budget);
                    listing.cut = cut;
                }
            }
        }
        self.emit(&mut listing, true).await?;
        if !unknown.is_empty() && !listing.sent && !sent {
            // A stranger knows none of the values either.
            login::check(&self.scope, "the site says that it does not know the values").await?;
        }
        self.follow_found(&search, words, &mut listing).await
    }

    /// Reads what is known by id or key.
    async fn search_keys(&self, search: &Search, words: &schema::Search, way: Way) -> Result<(), Stop> {
        let mut listing = self.found_listing(search, false);
        listing.begin_values(&BTreeMap::new())?;
        let bulk = search.bulk_of(&way);
        let Way::Keys(keys) = way else { return Ok(()) };
        let needs = search.needs(&self.read);
        let by_key = Found::by_key(search, words, &needs);
        let missing = match bulk {
            Some(bulk) => self.carried_by(&by_key, bulk, &mut listing, keys).await?,
            None => {
                let keys = keys.into_iter().map(Wanted::from).collect();
                self.batches(&by_key, &mut listing, keys, None).await?
            }
        };
        let told = self.note_renamed(&by_key).await?;
        for name in missing.iter().filter(|name| !told.contains(*name)) {
            let column = if name.contains('-') { words.key } else { words.id };
            self.note_absent(format!("{} {name}", search.root.columns[column].name));
        }
        self.emit(&mut listing, true).await?;
        self.follow_found(search, words, &mut listing).await
    }

    /// Reads what the rows carried in part.
    async fn follow_found(&self, search: &Search, words: &schema::Search, listing: &mut Listing) -> Result<(), Stop> {
        let Some(table) = search.chain.last() else { return Ok(()) };
        match (search.bulk(), keys_of_cut(listing)) {
            (Some(bulk), Some(keys)) if keys.len() > FEW_CUT => {
                self.scope.stats.followed.fetch_add(keys.len() as u64, Relaxed);
                let needs = search.needs(&self.read);
                let by_key = Found::by_key(search, words, &needs);
                // What is gone by now has no rows: it was there a moment ago.
                self.carried_by(&by_key, bulk, listing, keys).await.map(|_| ())
            }
            _ => self.follow_cut(&table.clone(), &search.known, listing).await,
        }
    }

    /// A decoder for rows that are found, or for what they carry; `bare` rows have nothing of their own but id and key.
    pub(super) fn found_listing(&self, search: &Search, bare: bool) -> Listing {
        let read = &self.read;
        let mut chain = vec![search.root.clone()];
        chain.extend(search.chain.iter().cloned());
        let last = chain.len() - 1;
        let table = chain[last].clone();
        let bound = if last > 0 { columns_of_parent(&table) } else { Vec::new() };
        let columns: Vec<usize> = read
            .needed()
            .chain(search.known.columns())
            .chain(bound.iter().copied())
            .collect();
        // Only what the rows themselves carry can be checked in them.
        let words = search.root.search.as_ref();
        let has = |column: usize| !bare || words.is_some_and(|words| [words.id, words.key].contains(&column));
        let in_rows = |column: &usize| matches!(search.root.columns[*column].origin, Origin::Json { .. }) && has(*column);
        let root_columns: Vec<usize> = search.root_known.columns().filter(in_rows).collect();
        let mut shape = shape::compile(&chain, &columns, &root_columns, true);
        if let Some(words) = words.filter(|_| !bare) {
            let needs = search.needs(read);
            if needs.all || !needs.fields.is_empty() {
                // Where no field is one that every row has, a row may have none of them.
                let is_full = needs.all || words.always.iter().any(|field| needs.fields.contains(field));
                shape.require(&search.root.page.rows, &words.fields, is_full);
            }
        }
        let answered = search.answered(read);
        let unanswered = |column: usize| shape.slot(last, column).filter(|_| !answered.contains(&column));
        let mut all = checks(&read.checks, unanswered);
        if last > 0 {
            all.extend(checks(&search.known, |column| shape.slot(last, column)));
        }
        all.extend(
            checks(&search.root_known, |column| shape.slot(0, column))
                .into_iter()
                .filter(|_| last > 0),
        );
        all.extend(
            read.tests
                .iter()
                .filter_map(|(column, test)| Some(Check::Test(unanswered(*column)?, test.clone()))),
        );
        let output = read.columns.iter().filter_map(|&column| shape.slot(last, column)).collect();
        let follow = bound.iter().filter_map(|&column| shape.slot(last, column)).collect();
        let echoed = (0..search.root.columns.len())
            .filter(|&column| last == 0 && search.root.columns[column].origin == Origin::Request)
            .filter_map(|column| shape.slot(0, column).map(|slot| (column, slot)))
            .collect();
        let schema = super::arrow_schema(&table, &read.columns);
        let by_id = words.filter(|words| search.root_known.get(words.id).is_some());
        let by_id = by_id.and_then(|words| shape.slot(0, words.id));
        let mut decoder = Decoder::new(shape, schema, output, all, follow, read.limit);
        if let Some(slot) = by_id {
            decoder.know_by(slot);
        }
        Listing {
            table: search.root.clone(),
            wants: Wants::default(),
            decoder,
            echoed,
            apart: true,
            sent: false,
            cut: Vec::new(),
            firsts: None,
        }
    }

    /// The inputs whose values are JQL, or stand for some: for each combination what is echoed and what is sent.
    async fn inputs(&self, search: &Search) -> Result<Vec<(BTreeMap<usize, String>, Vec<String>)>> {
        let table = &search.root;
        let mut combinations = vec![(BTreeMap::new(), Vec::new())];
        for column in search.root_known.columns().filter(|&column| table.columns[column].input) {
            let push = table.columns[column].push.as_ref();
            let Some(push) = push.filter(|push| push.raw || push.lookup.is_some()) else {
                continue;
            };
            let mut clauses: Vec<(String, String)> = Vec::new();
            for value in search.root_known.get(column).into_iter().flat_map(|values| values.iter()) {
                let name = &table.columns[column].name;
                match &push.lookup {
                    None => {
                        let clause = clause_of(value, &format!("the value of {name}"))?;
                        if clause.is_empty() {
                            return Err(
                                Error::new(ErrorKind::Statement, format!("the value of {name} holds no clause")).hint(format!(
                                    "leave the condition on {name} out to read all rows; sort with the ORDER BY of SQL"
                                )),
                            );
                        }
                        clauses.push((value.clone(), clause));
                    }
                    Some(lookup) => {
                        let texts = self.looked_up(lookup, value).await?;
                        if texts.is_empty() {
                            self.note_absent(format!("{name} {value}"));
                        }
                        for text in texts {
                            let clause = clause_of(&text, &format!("the JQL of {name} {value}"))?;
                            let clause = if clause.is_empty() { self.bound(search) } else { clause };
                            clauses.push((value.clone(), clause));
                        }
                    }
                }
            }
            combinations = combinations
                .iter()
                .flat_map(|(values, written)| {
                    clauses.iter().map(move |(value, clause)| {
                        let (mut values, mut written): (BTreeMap<usize, String>, Vec<String>) = (values.clone(), written.clone());
                        values.insert(column, value.clone());
                        written.push(clause.clone());
                        (values, written)
                    })
                })
                .collect();
        }
        Ok(combinations)
    }

    /// What another table says of a value. The parent that has it is not known, so one that is for others is no obstacle.
    async fn looked_up(&self, lookup: &Lookup, value: &str) -> Result<Vec<String>> {
        let mut known = Known::default();
        known.restrict(lookup.by, [value.to_owned()]);
        let question = Question {
            table: &lookup.table,
            columns: &[lookup.take],
            known: &known,
            parent_known: None,
            filter: None,
            limit: None,
        };
        let read = plan(&question, self.scope.site.context())?;
        let mut rows = open(self.scope.clone(), Read { spares: true, ..read });
        let mut texts = Vec::new();
        while let Some(batch) = rows.next().await {
            let batch = batch?;
            texts.extend(batch.column(0).as_string::<i32>().iter().flatten().map(str::to_owned));
        }
        Ok(texts)
    }

    fn bound(&self, search: &Search) -> String {
        search
            .root
            .search
            .as_ref()
            .map(|search| search.bound.clone())
            .unwrap_or_default()
    }

    /// Runs one search. Where the site refuses it because of values that it does not know, they are found out and left out. The answer is
    /// the columns that the search must say nothing about, if it is to be tried again without them.
    async fn find(
        &self,
        mut found: Found<'_>,
        written: &[String],
        unknown: &mut Unknown,
        listing: &mut Listing,
    ) -> Result<Option<BTreeSet<usize>>, Stop> {
        let Found { search, needs, .. } = found;
        let way = search.way(&self.read, needs);
        let light = !matches!(way, Way::Pages { .. } | Way::Batches { page_first: true });
        let mut tries = 0;
        let first = loop {
            let Some(jql) = search.jql(written, unknown) else {
                // No row can satisfy the rest; what the user wrote may be wrong all the same.
                if !(written.is_empty() || unknown.is_empty()) {
                    found.jql = clauses(written).join(" AND ");
                    let checked = arrived(self.send_search(&found, true, 1, None)?).await;
                    checked.map_err(|error| with_jql(error, &found.jql))?;
                }
                return Ok(None);
            };
            found.jql = jql;
            let most = self.search_rows(&found, light);
            let rows = self.read.limit.map_or(most, |limit| limit.clamp(1, most));
            match arrived(self.send_search(&found, light, rows, None)?).await {
                Ok(first) => break (first, rows),
                Err(error) if is_refused(&error) && tries < MOST_TRIES => {
                    tries += 1;
                    let refused = self.refused_values(&found, written, unknown, &error).await?;
                    if !refused.unsaid.is_empty() {
                        unknown.extend(refused.unknown);
                        return Ok(Some(refused.unsaid));
                    }
                    if refused.unknown.is_empty() {
                        return Err(with_jql(error, &found.jql).into());
                    }
                    unknown.extend(refused.unknown);
                }
                Err(error) => return Err(with_jql(error, &found.jql).into()),
            }
        };
        let (pages, then_batches) = match way {
            Way::Batches { page_first: false } => {
                let (first, asked) = first;
                let page = SweepPage::Arrived(Some(first));
                let sweep = Sweep { page, asked };
                return self.two_phase(&found, listing, sweep).await.map(|()| None);
            }
            Way::Batches { page_first: true } => (1, true),
            Way::Pages { then_batches: true } => (FEW_PAGES, true),
            Way::Pages { then_batches: false } | Way::Ids | Way::Keys(_) => (usize::MAX, false),
        };
        let more = self.pages(&found, listing, light, first, pages).await?;
        if more && then_batches {
            let sweep = self.sweep_on(&found, None)?;
            self.two_phase(&found, listing, sweep).await?;
        }
        Ok(None)
    }

    /// Rows straight from so many pages of the search. The answer is whether there are more.
    async fn pages(
        &self,
        found: &Found<'_>,
        listing: &mut Listing,
        light: bool,
        (first, first_rows): (Response, usize),
        most: usize,
    ) -> Result<bool, Stop> {
        let _end = self.scope.statement.open_end();
        let mut tokens = Tokens::default();
        let (mut response, mut asked) = (first, first_rows);
        for count in 1.. {
            let mut page = self.take_page(listing, &response)?;
            let next = match listing.decoder.budget() {
                // Whatever follows is not wanted.
                0 => None,
                _ => tokens.next(&found.search.root, page.follows(asked), page.received, page.fresh)?,
            };
            // The next page is on its way while this one goes out.
            let in_flight = match &next {
                Some(token) if count < most => {
                    asked = self.search_rows(found, light);
                    Some(self.send_search(found, light, asked, Some(token))?)
                }
                _ => None,
            };
            self.emit(listing, false).await?;
            match in_flight {
                Some(in_flight) => response = arrived(in_flight).await.map_err(|error| with_jql(error, &found.jql))?,
                None => return Ok(next.is_some()),
            }
        }
        Ok(false)
    }

    /// Ids first, then batches beside them.
    async fn two_phase(&self, found: &Found<'_>, listing: &mut Listing, sweep: Sweep) -> Result<(), Stop> {
        if let Some(bulk) = found.search.bulk() {
            return self.carried_beside(found, bulk, listing, sweep).await;
        }
        let missing = self.batches(found, listing, VecDeque::new(), Some(sweep)).await?.len() as u64;
        self.scope.stats.missing.fetch_add(missing, Relaxed);
        if missing > 0 {
            self.scope.statement.warn(
                format!(
                    "{}: {{}} rows that the search found were gone when they were read: deleted meanwhile, or no longer visible",
                    found.search.root.name
                ),
                missing,
            );
        }
        Ok(())
    }

    /// Reads rows by id or key: those `waiting`, and those that a sweep brings. The answer is which of them the site did not give.
    async fn batches(
        &self,
        found: &Found<'_>,
        listing: &mut Listing,
        mut waiting: VecDeque<Wanted>,
        mut sweep: Option<Sweep>,
    ) -> Result<Vec<String>, Stop> {
        let site = &self.scope.site;
        let most = site.client.max_concurrency();
        let mut queue: VecDeque<(Vec<Wanted>, InFlight)> = VecDeque::new();
        let send = |batch: &[Wanted]| {
            let names: Vec<String> = batch.iter().map(|row| row.asked.clone()).collect();
            self.send_batch(found, found.needs, &names)
        };
        let (mut tokens, mut seen, mut missing) = (Tokens::default(), Seen::default(), Vec::new());
        let mut end = Some(self.scope.statement.open_end());
        // Batches come in order, the rows of one do not: where the order matters, the first rows are sure to be there only when a batch ends.
        let enough = match found.search.order.is_empty() {
            true => 0,
            false => usize::MAX - listing.decoder.budget(),
        };
        if enough > 0 {
            listing.decoder.allow_all();
        }
        let is_large = |batch: &[Wanted]| batch.len() > found.words.batch;
        loop {
            let size = |queue: &VecDeque<(Vec<Wanted>, InFlight)>| {
                let tries = queue.iter().any(|(batch, _)| is_large(batch));
                self.batch_of(found, found.needs, tries)
            };
            // All ids are here, and with them the number of batches.
            if sweep.is_none() && end.take().is_some() {
                self.scope
                    .statement
                    .expect(waiting.len().div_ceil(size(&queue).max(1)) as u64);
            }
            while queue.len() < most && (waiting.len() >= size(&queue) || sweep.is_none() && !waiting.is_empty()) {
                let batch: Vec<Wanted> = waiting.drain(..size(&queue).min(waiting.len())).collect();
                let in_flight = send(&batch);
                queue.push_back((batch, in_flight));
            }
            if queue.is_empty() && sweep.is_none() {
                break;
            }
            let room = waiting.len() < IDS_AHEAD * found.words.light;
            tokio::select! {
                biased;
                response = arriving(&mut sweep), if sweep.is_some() && room => {
                    let (rows, next) = self.take_ids(found, response, &mut tokens, &mut seen)?;
                    // The first page has brought some rows already.
                    waiting.extend(rows.into_iter().filter(|row| !listing.decoder.has_seen(&row.key)).map(Wanted::from));
                    sweep = next;
                }
                response = front(&mut queue), if !queue.is_empty() => {
                    let Some((batch, _)) = queue.pop_front() else { continue };
                    let response = match response {
                        Err(error) => {
                            // They come in the place of the whole, since batches come in order.
                            for part in self.parts_of(found, error, &batch)?.into_iter().rev() {
                                let in_flight = send(&part);
                                queue.push_front((part, in_flight));
                            }
                            continue;
                        }
                        Ok(response) => response,
                    };
                    if is_large(&batch) {
                        site.note_large_batch(true);
                    }
                    let page = self.take_page(listing, &response)?;
                    // The keys tell as a rule; the ids are looked at only where they do not.
                    let is_whole = page.received == batch.len() && batch.iter().all(|row| listing.decoder.has_seen(row.key()));
                    if !is_whole {
                        let mut lacking = self.call_roll(found, &batch, &names(&response), page.received)?;
                        missing.append(&mut lacking.missing);
                        if !lacking.again.is_empty() {
                            let in_flight = send(&lacking.again);
                            queue.push_front((lacking.again, in_flight));
                        }
                    }
                    self.emit(listing, false).await?;
                    if listing.decoder.budget() <= enough {
                        self.emit(listing, true).await?;
                        return Err(Stop::Enough);
                    }
                }
            }
        }
        Ok(missing)
    }

    /// The parts in which a batch is sent again that the site did not answer, in order: as many rows at a time as it takes for certain, where
    /// it refused more; halves, where it failed on it, since one of them may be what it fails on: the others can be read, and that one be
    /// named.
    ///
    /// # Errors
    /// There is nothing to be divided.
    pub(super) fn parts_of(&self, found: &Found<'_>, error: Error, batch: &[Wanted]) -> Result<Vec<Vec<Wanted>>> {
        if is_refused(&error) && batch.len() > found.words.batch {
            self.scope.site.note_large_batch(false);
            return Ok(batch.chunks(found.words.batch).map(<[Wanted]>::to_vec).collect());
        }
        if !is_failed(&error) {
            return Err(error);
        }
        if batch.len() > 1 {
            let (left, right) = batch.split_at(batch.len() / 2);
            return Ok(vec![left.to_vec(), right.to_vec()]);
        }
        let names = some_of(batch.iter().map(|row| row.asked.as_str()));
        let error = error.about(&format!("{} {names}", found.search.root.name));
        let without = batch.first().and_then(|row| found.without(row));
        Err(match (without, error.hint_text().map(str::to_owned)) {
            (Some(without), Some(hint)) => error.hint(format!("{hint}; to leave it out: {without}")),
            _ => error,
        })
    }

    /// Takes the rows out of a page of ids that were not seen before, and asks for the next page.
    pub(super) fn take_ids(
        &self,
        found: &Found<'_>,
        (response, asked): (Result<Response>, usize),
        tokens: &mut Tokens,
        seen: &mut Seen,
    ) -> Result<(Vec<IdAndKey>, Option<Sweep>)> {
        let response = response.map_err(|error| with_jql(error, &found.jql))?;
        self.scope.stats.add(&response);
        let page: IdPage = serde_json::from_slice(&response.body).map_err(|error| {
            Error::new(
                ErrorKind::Decode,
                format!("the answer of the search is not what the API promises: {error}"),
            )
            .hint("sys.requests shows the request")
        })?;
        let follows = Follows {
            last: page.is_last,
            token: page.next_page_token.clone(),
            total: page.total.as_ref().and_then(|total| total.parse().ok()),
            asked,
        };
        let (mut rows, nulls) = page.rows();
        self.note_nulls(nulls);
        let received = rows.len();
        self.note_heard(received);
        rows.retain(|row| seen.insert(&row.id));
        let fresh = rows.len();
        self.scope.stats.duplicates.fetch_add((received - fresh) as u64, Relaxed);
        rows.retain(|row| self.matters(found, row));
        let token = tokens.next(&found.search.root, follows, received, fresh)?;
        let next = token.map(|token| self.sweep_on(found, Some(&token)));
        Ok((rows, next.transpose()?))
    }

    /// Asks for a page of ids.
    fn sweep_on(&self, found: &Found<'_>, token: Option<&str>) -> Result<Sweep> {
        let asked = self.search_rows(found, true);
        let page = SweepPage::Sent(self.send_search(found, true, asked, token)?);
        Ok(Sweep { page, asked })
    }

    /// Rows of a page of a search.
    fn search_rows(&self, found: &Found<'_>, light: bool) -> usize {
        let most = if light { found.words.light } else { found.words.rows };
        self.scope.site.page_size.map_or(most, |own| own.clamp(1, most))
    }

    /// Whether a row can be one that is wanted, or on which what is wanted hangs, as far as its id and key tell: others are not asked for.
    fn matters(&self, found: &Found<'_>, row: &IdAndKey) -> bool {
        let names = [(found.words.id, &row.id), (found.words.key, &row.key)];
        names.into_iter().all(|(column, name)| {
            let own = found.own(column);
            own.is_none_or(|own| !self.read.is_left_out(own, name))
        })
    }

    /// Rows of the next batch that asks for so much; `tries` is whether a large one is on its way.
    pub(super) fn batch_of(&self, found: &Found<'_>, needs: &Needs, tries: bool) -> usize {
        let site = &self.scope.site;
        let size = site.batch_rows(found.search.batch(needs), found.words.batch, tries);
        site.page_size.map_or(size, |own| own.clamp(1, size))
    }

    /// Reads one answer; the rows wait to go out.
    fn take_page(&self, listing: &mut Listing, response: &Response) -> Result<PageInfo> {
        self.scope.stats.add(response);
        self.take_rows(listing, &repaired(&response.body))
    }

    /// Reads the rows of an answer; they wait to go out.
    pub(super) fn take_rows(&self, listing: &mut Listing, body: &Repaired<'_>) -> Result<PageInfo> {
        let mut page = listing.decoder.read_repaired(body)?;
        self.note_heard(page.received);
        listing.cut.append(&mut page.cut);
        self.scope
            .stats
            .duplicates
            .fetch_add((page.received - page.fresh) as u64, Relaxed);
        self.note_misfits(&mut page);
        Ok(page)
    }

    fn send_search(&self, found: &Found<'_>, light: bool, rows: usize, token: Option<&str>) -> Result<InFlight> {
        let fields = if light { vec!["key"] } else { found.needs.words() };
        let mut body = json!({"jql": found.jql, "fields": fields, "maxResults": rows});
        ask(&mut body, "nextPageToken", token.map(Into::into));
        // The same on each page, as the site wants it.
        ask(
            &mut body,
            "reconcileIssues",
            (!found.reconcile.is_empty()).then(|| found.reconcile.into()),
        );
        if !light {
            // Here it is one text, in a batch a list.
            let expand: Vec<&str> = found.needs.expand.iter().map(String::as_str).collect();
            ask(&mut body, "expand", (!expand.is_empty()).then(|| expand.join(",").into()));
            ask(&mut body, "properties", list(&found.needs.properties));
        }
        Ok(self.post(&found.search.root, &found.words.call, &body))
    }

    /// Ids of the issues that the session has written to lately: the index may not know them yet.
    async fn reconcile(&self, search: &Search, words: &schema::Search) -> Result<Vec<i64>> {
        let site = &self.scope.site;
        let now = Instant::now();
        if site.touched().is_crowded(now) {
            let text = format!(
                "more than {MOST} issues were written within five minutes, and a search can be told of no more: the index of the site may \
                 not know all of the others yet"
            );
            self.scope.statement.warn(text, 1);
        }
        let unknown = site.touched().unknown(now);
        if !unknown.is_empty() {
            let needs = Needs::default();
            let response = arrived(self.send_batch(&Found::by_key(search, words, &needs), &needs, &unknown)).await?;
            self.scope.stats.add(&response);
            let page: IdPage = serde_json::from_slice(&response.body).map_err(|error| {
                Error::new(ErrorKind::Decode, format!("the answer is not what it should be: {error}")).table(&search.root.name)
            })?;
            let ids = page.rows().0.into_iter();
            let ids = ids.filter_map(|issue| Some((issue.key, issue.id.parse().ok()?)));
            let ids: Vec<(String, i64)> = ids.collect();
            site.touched().learn(&unknown, &ids);
        }
        Ok(site.touched().ids())
    }

    /// Asks for rows by id or key.
    pub(super) fn send_batch(&self, found: &Found<'_>, needs: &Needs, rows: &[String]) -> InFlight {
        let mut body = json!({"issueIdsOrKeys": rows, "fields": needs.words()});
        ask(&mut body, "expand", list(&needs.expand));
        ask(&mut body, "properties", list(&needs.properties));
        self.post(&found.search.root, &found.words.bulk, &body)
    }

    /// Sends a POST that only reads.
    pub(super) fn post(&self, table: &Table, path: &Arc<str>, body: &serde_json::Value) -> InFlight {
        self.scope.start(search_request(table, path, body))
    }

    /// What a search must leave out after it was refused.
    ///
    /// # Design
    /// Jira answers values that it does not know with 400 and a sentence for each, in the language of the caller. The sentence is not read,
    /// but a value that we ask of one field alone, that no clause of the user has, and that stands in it in quotes without being the name of
    /// a field, is what it is about. Where no sentence names any, values are tried, each column's together and then halved. That costs
    /// requests for each unknown value, so after a few refusals the search says nothing about the column, and the rows are checked.
    async fn refused_values(&self, found: &Found<'_>, written: &[String], unknown: &Unknown, error: &Error) -> Result<Refused> {
        let mut values = found.search.values();
        for (column, values) in &mut values {
            values.retain(|value| !unknown.contains(&(*column, value.clone())));
        }
        let mut said = error.message().to_owned();
        if said.ends_with('…') {
            said = self.refusal(found).await?.unwrap_or(said);
        }
        let mut refused = Refused {
            unknown: named(&found.search.root, &values, written, &said),
            unsaid: BTreeSet::new(),
        };
        if !refused.unknown.is_empty() {
            return Ok(refused);
        }
        for (column, values) in values.into_iter().filter(|(_, values)| !values.is_empty()) {
            let Some(jql) = jql(&found.search.root, column) else {
                continue;
            };
            let mut trials = vec![values.into_iter().collect::<Vec<_>>()];
            let (mut mine, mut refusals) = (Unknown::new(), 0);
            while let Some(values) = trials.pop() {
                let literals: Vec<String> = values.iter().filter_map(|value| literal(jql, value)).collect();
                let Condition::Jql { text, .. } = among(jql, &literals, false) else {
                    continue;
                };
                if self.is_accepted(found, text).await? {
                    continue;
                }
                refusals += 1;
                match &values[..] {
                    [one] => {
                        mine.insert((column, one.clone()));
                    }
                    many => {
                        let (left, right) = many.split_at(many.len() / 2);
                        trials.extend([left.to_vec(), right.to_vec()]);
                    }
                }
                if refusals == MOST_REFUSALS {
                    break;
                }
            }
            // A field that the site does not take at all is another matter: its values are not unknown, the question is.
            if refusals == 0 || !self.is_accepted(found, format!("{} IS NOT EMPTY", jql.field)).await? {
                continue;
            }
            match refusals {
                MOST_REFUSALS => {
                    refused.unsaid.insert(column);
                }
                _ => refused.unknown.append(&mut mine),
            }
        }
        Ok(refused)
    }

    /// All that the site has to say against a search.
    async fn refusal(&self, found: &Found<'_>) -> Result<Option<String>> {
        #[derive(Deserialize)]
        #[serde(rename_all = "camelCase")]
        struct Said {
            error_messages: Vec<String>,
        }
        let body = json!({"jql": found.jql, "fields": ["key"], "maxResults": 1});
        let request = search_request(&found.search.root, &found.words.call, &body);
        let terms = Terms {
            accepts: vec![400],
            ..Terms::default()
        };
        let response = self.scope.ask(&request, terms).await?;
        self.scope.stats.add(&response);
        let said = serde_json::from_slice::<Said>(&response.body).ok();
        Ok(said.map(|said| said.error_messages.join("\n")))
    }

    /// Whether the site takes the JQL.
    async fn is_accepted(&self, found: &Found<'_>, jql: String) -> Result<bool> {
        let body = json!({"jql": jql, "fields": ["key"], "maxResults": 1});
        match arrived(self.post(&found.search.root, &found.words.call, &body)).await {
            Ok(response) => {
                self.scope.stats.add(&response);
                Ok(true)
            }
            Err(error) if is_refused(&error) => Ok(false),
            Err(error) => Err(error),
        }
    }
}

/// A POST that only reads.
fn search_request(table: &Table, path: &Arc<str>, body: &serde_json::Value) -> Request {
    Request {
        method: Method::Post,
        path: path.to_string(),
        template: path.clone(),
        query: Vec::new(),
        headers: table.api.headers.clone(),
        body: Some(body.to_string().into()),
        safety: Safety::Read,
        table: Some(Arc::from(table.name.as_str())),
    }
}

/// What a search must leave out.
struct Refused {
    /// Values that the site does not know.
    unknown: Unknown,
    /// Columns whose values are refused so often that they are checked here.
    unsaid: BTreeSet<usize>,
}

/// The values that stand in quotes in what the site says.
fn named(table: &Table, values: &[(usize, BTreeSet<String>)], written: &[String], said: &str) -> Unknown {
    const QUOTES: &str = "'\"‘’‚“”„«»‹›「」";
    let is_quoted = |(at, value): (usize, &str)| {
        let space = |c: &char| matches!(c, ' ' | '\u{a0}' | '\u{202f}');
        let (before, after) = (&said[..at], &said[at + value.len()..]);
        let before = before.chars().rev().find(|c| !space(c));
        let after = after.chars().find(|c| !space(c));
        [before, after].iter().all(|c| c.is_some_and(|c| QUOTES.contains(c)))
    };
    let is_field = |value: &str| {
        table.columns.iter().any(|column| {
            let jql = column.push.as_ref().and_then(|push| push.jql.as_ref());
            column.name.eq_ignore_ascii_case(value) || jql.is_some_and(|jql| jql.field.eq_ignore_ascii_case(value))
        })
    };
    let all = || {
        values
            .iter()
            .flat_map(|(column, values)| values.iter().map(move |value| (*column, value)))
    };
    // The sentence may be about the same value of another field, or about a longer value that quotes this one.
    let is_clear = |column: usize, value: &String| {
        !written.iter().any(|clause| clause.contains(value.as_str()))
            && all().all(|(other, longer)| match longer == value {
                true => other == column,
                false => !(longer.contains(value.as_str()) && longer.contains(|c| QUOTES.contains(c))),
            })
    };
    let is_named = |value: &str| !is_field(value) && said.match_indices(value).any(is_quoted);
    all()
        .filter(|(column, value)| is_named(value) && is_clear(*column, value))
        .map(|(column, value)| (column, value.clone()))
        .collect()
}

/// A page of ids.
pub(super) struct Sweep {
    page: SweepPage,
    /// How many it was to have at most.
    asked: usize,
}

/// It has arrived, or is on its way.
enum SweepPage {
    Arrived(Option<Response>),
    Sent(InFlight),
}

/// The page of ids, and how many it was to have.
pub(super) async fn arriving(sweep: &mut Option<Sweep>) -> (Result<Response>, usize) {
    let Some(Sweep { page, asked }) = sweep else {
        return std::future::pending().await;
    };
    let response = match page {
        SweepPage::Arrived(response) => match response.take() {
            Some(response) => Ok(response),
            None => std::future::pending().await,
        },
        SweepPage::Sent(in_flight) => task(in_flight).await,
    };
    (response, *asked)
}

pub(super) async fn front<T>(queue: &mut VecDeque<(T, InFlight)>) -> Result<Response> {
    match queue.front_mut() {
        Some((_, in_flight)) => task(in_flight).await,
        None => std::future::pending().await,
    }
}

async fn task(in_flight: &mut InFlight) -> Result<Response> {
    in_flight.await.map_err(|error| task_ended("request", &error))?
}

fn is_refused(error: &Error) -> bool {
    error.request_context().is_some_and(|request| request.status == Some(400))
}

/// Whether the site failed on the request, and not because it is down: then others succeed.
fn is_failed(error: &Error) -> bool {
    error.request_context().is_some_and(|request| request.status == Some(500))
}

/// The error with the JQL that it is about.
fn with_jql(error: Error, jql: &str) -> Error {
    const LONGEST: usize = 2_000;
    let mut short: String = jql.chars().take(LONGEST).collect();
    if short.len() < jql.len() {
        short.push('…');
    }
    if is_refused(&error) {
        error.hint(format!("the JQL sent was: {short}"))
    } else {
        error
    }
}

/// Keys of the rows whose embedded page was cut, where the key is all that is needed to ask again.
fn keys_of_cut(listing: &Listing) -> Option<Vec<String>> {
    let key = |cut: &Cut| match &cut.values[..] {
        [key] => key.clone(),
        _ => None,
    };
    listing.cut.iter().map(key).collect()
}

/// The ids and keys of the rows of an answer.
pub(super) fn names(response: &Response) -> Vec<IdAndKey> {
    serde_json::from_slice::<IdPage>(&response.body).map_or_else(|_| Vec::new(), |page| page.rows().0)
}

fn list(words: &std::collections::BTreeSet<String>) -> Option<serde_json::Value> {
    (!words.is_empty()).then(|| words.iter().cloned().collect())
}

pub(super) fn ask(body: &mut serde_json::Value, name: &str, value: Option<serde_json::Value>) {
    if let (Some(value), Some(body)) = (value, body.as_object_mut()) {
        body.insert(name.to_owned(), value);
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::schema::Catalog;

    #[test]
    fn a_refusal_names_what_it_is_about() {
        let catalog = Catalog::load(None).expect("the tables are whole");
        let table = catalog.tables().iter().find(|table| table.search.is_some());
        let table = table.expect("some table is searched");
        let values = |pairs: &[(usize, &str)]| -> Vec<(usize, BTreeSet<String>)> {
            pairs
                .iter()
                .map(|&(column, value)| (column, BTreeSet::from([value.to_owned()])))
                .collect()
        };
        let english = "The value 'Nope' does not exist for the field 'status'.";
        for (said, pairs, expected) in [
            (english, &[(1, "Nope"), (2, "Done")][..], &[1][..]),
            ("Der Wert „Nope“ existiert nicht", &[(1, "Nope")], &[1]),
            ("La valeur «\u{a0}Nope\u{a0}» n'existe pas", &[(1, "Nope")], &[1]),
            ("値「Nope」は存在しません", &[(1, "Nope")], &[1]),
            // Part of a word, no quotes, the name of a field.
            (english, &[(1, "Nop")], &[]),
            ("There is no Nope", &[(1, "Nope")], &[]),
            (english, &[(1, "status")], &[]),
            // Of which field, and whose quotes?
            (english, &[(1, "Nope"), (2, "Nope")], &[]),
            (
                "The value 'x 'Nope' y' does not exist",
                &[(1, "Nope"), (2, "x 'Nope' y")],
                &[2],
            ),
        ] {
            let found: Vec<usize> = named(table, &values(pairs), &[], said)
                .into_iter()
                .map(|(column, _)| column)
                .collect();
            assert_eq!(found, expected, "{said}");
        }
    }

    /// What comes after each of some pages of ten rows: (last, token, received, fresh).
    fn follow(pages: &[(Option<bool>, Option<&str>, usize, usize)]) -> Result<Vec<Option<String>>> {
        follow_counted(pages, None)
    }

    /// The same where the site counts them.
    fn follow_counted(pages: &[(Option<bool>, Option<&str>, usize, usize)], total: Option<u64>) -> Result<Vec<Option<String>>> {
        let catalog = Catalog::load(None)?;
        let searched = catalog.tables().iter().find(|table| table.search.is_some());
        let table = searched.expect("some table is searched");
        let mut tokens = Tokens::default();
        pages
            .iter()
            .map(|&(last, token, received, fresh)| {
                let token = token.map(str::to_owned);
                let follows = Follows {
                    last,
                    token,
                    total,
                    asked: 10,
                };
                tokens.next(table, follows, received, fresh)
            })
            .collect()
    }

    #[test]
    fn the_site_says_where_a_search_ends() {
        let some = |token: &str| Some(token.to_owned());
        assert_eq!(follow(&[(Some(true), None, 3, 3)]).unwrap(), [None]);
        assert_eq!(follow(&[(None, None, 3, 3)]).unwrap(), [None]);
        assert_eq!(follow(&[(Some(true), Some("left over"), 0, 0)]).unwrap(), [None]);
        assert_eq!(
            follow(&[(Some(true), Some("a"), 3, 3), (Some(true), Some("b"), 0, 0)]).unwrap(),
            [some("a"), None]
        );
        assert_eq!(
            follow(&[(None, Some("a"), 3, 3), (Some(false), Some("b"), 0, 0)]).unwrap(),
            [some("a"), some("b")]
        );
        // What a search of another age counts is all there.
        for (pages, total) in [
            (&[(None, None, 3, 3)][..], 3),
            (&[(None, None, 0, 0)], 0),
            (&[(Some(false), Some("a"), 10, 10), (None, None, 2, 2)], 12),
        ] {
            assert_eq!(follow_counted(pages, Some(total)).unwrap().last(), Some(&None), "{pages:?}");
        }
        for (pages, total) in [
            (&[(None, None, 0, 0)][..], Some(24)),
            (&[(None, None, 3, 3)], Some(26)),
            // A row that comes twice is none of those that are missing.
            (&[(None, None, 3, 2)], Some(3)),
            // A page that is full may have others behind it.
            (&[(None, None, 10, 10)], None),
        ] {
            let error = follow_counted(pages, total).unwrap_err();
            assert!(error.message().contains("says neither"), "{pages:?}: {error}");
        }
        let empty = vec![(Some(false), Some("a"), 0, 0); 2];
        for (pages, fragment) in [
            (&[(Some(false), None, 3, 3)][..], "has no token"),
            (&[(Some(false), Some(""), 3, 3)], "has no token"),
            (
                &[(Some(false), Some("a"), 3, 3), (Some(false), Some("a"), 3, 3)],
                "repeats itself",
            ),
            (
                &[(Some(false), Some("a"), 3, 3), (Some(false), Some("b"), 3, 0)],
                "same rows again",
            ),
            (&empty, "repeats itself"),
        ] {
            let error = follow(pages).unwrap_err();
            assert!(
                error.message().contains(fragment) && error.hint_text().is_some(),
                "{pages:?}: {error}"
            );
        }
        let names: Vec<String> = (0..=MOST_EMPTY).map(|number| number.to_string()).collect();
        let endless: Vec<_> = names.iter().map(|name| (Some(false), Some(name.as_str()), 0, 0)).collect();
        assert!(follow(&endless).unwrap_err().message().contains("goes on without"));
    }
}
