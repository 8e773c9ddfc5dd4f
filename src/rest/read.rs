//! Driving a read: pages in parallel, children by fan-out, what was cut or reordered read again; batches come out as a stream.
//!
//! The work runs in a task of its own behind a channel of two batches: it is ahead of the consumer by that much and no more, and it is
//! aborted, with every request in flight, when the stream is dropped.

use std::collections::{BTreeMap, BTreeSet, HashSet, VecDeque};
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering::Relaxed};
use std::sync::{Arc, Mutex, PoisonError};

use arrow::array::{Array, AsArray, RecordBatch};
use futures::stream::{self, BoxStream};
use futures::{StreamExt, TryStreamExt};
use tokio::sync::mpsc;
use tokio::task::JoinError;
use tokio_util::task::AbortOnDropHandle;

use super::cell::Odd;
use super::decode::{Check, Cut, Decoder, PageInfo};
use super::deployment;
use super::login;
use super::moved::{Firsts, Now, Unseen, are_of_several_projects};
use super::moving::{self, Moving, Order, Step, Window};
use super::pages::{self, NOT_ALL, Next};
use super::plan::{Call, Embedded, EndpointRef, Fan, Known, Path, Question, Read, plan};
use super::request::{Span, Wants, request};
use super::said;
use super::search::{Needs, Way};
use super::shape::{self, Shape};
use super::site::Site;
use super::sweep::names;
use crate::error::{Error, ErrorKind, Result};
use crate::http::{OpenEnd, Request, Response, Statement, Terms};
use crate::schema::{Moves, Origin, PageStyle, Table};

/// A stream of batches.
pub(crate) type Batches = BoxStream<'static, Result<RecordBatch>>;

/// Batches that may wait between the reader and its consumer.
const AHEAD: usize = 2;
/// Rows that are worth a batch; the first batch goes out with whatever the first answer has.
const BATCH_ROWS: usize = 512;
/// Pages without a row, one after the other, after which a list counts as endless: rows that are hidden from the caller may fill many pages,
/// and a wrong error is worse than a late one.
const MOST_EMPTY: usize = 1_000;
/// A list with more pages than this never ends.
const MAX_PAGES: usize = 200_000;

/// What a read has cost so far.
#[derive(Debug, Default)]
pub(crate) struct Stats {
    /// Counted as they are sent, those that nobody waits for any more as well.
    pub(crate) requests: Arc<AtomicU64>,
    pub(crate) retries: AtomicU64,
    pub(crate) bytes: AtomicU64,
    pub(crate) waited_ms: AtomicU64,
    pub(crate) duplicates: AtomicU64,
    pub(crate) followed: AtomicU64,
    /// Rows asked for by id or key that the site did not give.
    pub(crate) missing: AtomicU64,
    /// Values of another type than their column.
    pub(crate) misfits: AtomicU64,
}

impl Stats {
    pub(super) fn add(&self, response: &Response) {
        self.retries
            .fetch_add(u64::from(response.attempts.saturating_sub(1)), Relaxed);
        self.bytes.fetch_add(response.body.len() as u64, Relaxed);
        self.waited_ms
            .fetch_add(u64::try_from(response.waited.as_millis()).unwrap_or(u64::MAX), Relaxed);
    }
}

/// Whom to ask, on whose account.
#[derive(Debug, Clone)]
pub(crate) struct Scope {
    pub(crate) site: Arc<Site>,
    pub(crate) statement: Arc<Statement>,
    pub(crate) stats: Arc<Stats>,
}

impl Scope {
    /// Sends a request, on the account of the scan.
    pub(super) async fn ask(&self, request: &Request, terms: Terms) -> Result<Response> {
        let terms = Terms {
            counter: Some(self.stats.requests.clone()),
            ..terms
        };
        self.site.client.send_on(request, &terms, &self.statement).await
    }

    /// The same, beside what is done meanwhile.
    pub(super) fn start(&self, request: Request) -> InFlight {
        let scope = self.clone();
        AbortOnDropHandle::new(tokio::spawn(async move { scope.ask(&request, Terms::default()).await }))
    }

    /// The error of an answer that does not say that the site did it, without the secrets that the answer may repeat.
    pub(super) fn doubt(&self, status: u16, body: &[u8], unread: Option<&Error>) -> Error {
        let doubt = said::doubt(status, body, unread);
        let words = self.site.client.redacted(doubt.message());
        Error::new(doubt.kind(), words).hint(doubt.hint_text().unwrap_or_default())
    }

    /// Where the number of requests is known, a statement that may not send them fails before it starts.
    pub(super) fn afford(&self, requests: u64) -> Result<()> {
        let statement = &self.statement;
        statement.expect(requests);
        match statement.max_requests() {
            Some(most) if statement.requests() + requests > most => Err(Error::new(
                ErrorKind::Limit,
                format!("the statement needs at least {requests} more requests, which exceeds MaxRequests={most}"),
            )
            .hint("raise option MaxRequests, or narrow the WHERE clause; EXPLAIN shows the requests")),
            _ => Ok(()),
        }
    }
}

/// Reads; requests are sent as soon as the stream is first polled.
pub(crate) fn open(scope: Scope, read: Read) -> Batches {
    open_beyond(scope, read, Beyond::default())
}

/// What is known of a list before it is read.
#[derive(Debug, Default)]
struct Beyond {
    /// It has more rows than this.
    came: usize,
    /// What its first rows are known by, where they have come out already.
    carried: Vec<String>,
    /// The parents that the site does not know, where another reader tells them.
    unknown: Option<Arc<Mutex<BTreeSet<String>>>>,
}

/// Reads what is known in part.
fn open_beyond(scope: Scope, read: Read, beyond: Beyond) -> Batches {
    let table = read.table.name.clone();
    let start = async move {
        let (sender, receiver) = mpsc::channel(AHEAD);
        let task = AbortOnDropHandle::new(tokio::spawn(
            Reader {
                scope,
                read: Arc::new(read),
                unknown: beyond.unknown.clone().unwrap_or_default(),
                beyond,
                sender,
                unseen: Mutex::default(),
                absent: Mutex::default(),
                hidden: Mutex::default(),
                heard: AtomicBool::new(false),
                rows_came: AtomicBool::new(false),
            }
            .run(),
        ));
        stream::unfold(Some((receiver, task)), |state| async move {
            let (mut receiver, task) = state?;
            match receiver.recv().await {
                Some(batch) => Some((Ok(batch), Some((receiver, task)))),
                // The channel also closes when the task fails or panics: only a task that ended well has given all rows.
                None => match task.await {
                    Ok(Ok(())) => None,
                    Ok(Err(error)) => Some((Err(error), None)),
                    Err(error) => Some((Err(task_ended("reading", &error)), None)),
                },
            }
        })
    };
    stream::once(start)
        .flatten()
        .map_err(move |error| error.table(&table))
        .boxed()
}

pub(super) struct Reader {
    pub(super) scope: Scope,
    pub(super) read: Arc<Read>,
    /// What is known of each list that is read.
    beyond: Beyond,
    sender: mpsc::Sender<RecordBatch>,
    /// Parents that were asked about and that the site does not know; a first one shows whether it does.
    unknown: Arc<Mutex<BTreeSet<String>>>,
    /// Rows that were asked for by key and did not come under it.
    pub(super) unseen: Mutex<Unseen>,
    /// Rows that were asked for by key and that the site does not know.
    absent: Mutex<BTreeSet<String>>,
    /// Rows that the site counts in each list and rows that came, where the pages ended before: a list may be read several times.
    hidden: Mutex<BTreeMap<String, (u64, u64)>>,
    /// Whether anything was answered, and whether a row was.
    heard: AtomicBool,
    rows_came: AtomicBool,
}

/// The consumer has gone or needs no more rows: an early, orderly end.
pub(super) enum Stop {
    Enough,
    Failed(Error),
}

impl From<Error> for Stop {
    fn from(error: Error) -> Self {
        Self::Failed(error)
    }
}

impl Reader {
    async fn run(self) -> Result<()> {
        let read = self.read.clone();
        let outcome = match &read.path {
            Path::Empty => Ok(()),
            Path::Unbound(message, hint) => Err(Error::new(ErrorKind::Statement, message.as_str()).hint(hint.as_str()).into()),
            Path::Calls(calls) => self.calls(calls).await,
            Path::Fan(fan) => self.fan(&read.table, fan).await,
            Path::Embedded(embedded) => self.embedded(embedded).await,
            Path::Search(search) => self.search(search).await,
        };
        self.say_unknown();
        self.say_hidden();
        match outcome {
            Ok(()) if self.is_list_of_site() && self.heard.load(Relaxed) && !self.rows_came.load(Relaxed) => {
                login::check_once(&self.scope).await
            }
            Ok(()) | Err(Stop::Enough) => Ok(()),
            Err(Stop::Failed(error)) => {
                let Scope { site, statement, .. } = &self.scope;
                Err(deployment::explain(error, site, &read.table, statement).await)
            }
        }
    }

    /// Whether what is read is a list of the site itself, which has rows for most accounts, and not what hangs on one row of it.
    fn is_list_of_site(&self) -> bool {
        let of_site = |table: &Table, calls: &[Call]| {
            calls.iter().all(|call| {
                matches!(call.endpoint, EndpointRef::List(_)) && call.endpoint.of(table).placeholders().next().is_none()
            })
        };
        match &self.read.path {
            Path::Calls(calls) => of_site(&self.read.table, calls),
            Path::Embedded(embedded) => of_site(&embedded.root, &embedded.calls),
            Path::Search(search) => !matches!(search.way(&self.read, &search.needs(&self.read)), Way::Keys(_)),
            // The rows of the parents are read by another reader.
            Path::Fan(_) | Path::Empty | Path::Unbound(..) => false,
        }
    }

    /// Notes how many rows an answer had.
    pub(super) fn note_heard(&self, rows: usize) {
        self.heard.store(true, Relaxed);
        self.rows_came.fetch_or(rows > 0, Relaxed);
    }

    /// A decoder for the answers of an endpoint of the read's own table.
    fn decoder(&self, endpoint: EndpointRef) -> Listing {
        let read = &self.read;
        let table = &read.table;
        // What is bound by the request is echoed, what is checked must be decoded.
        let columns: Vec<usize> = read.needed().collect();
        let shape = shape::compile(
            std::slice::from_ref(table),
            &columns,
            &[],
            matches!(endpoint, EndpointRef::List(_)),
        );
        let slot = |column: &usize| shape.slot(0, *column);
        let output = read.columns.iter().filter_map(slot).collect();
        let mut checks = checks(&read.checks, |column| shape.slot(0, column));
        let tests = read.tests.iter();
        checks.extend(tests.filter_map(|(column, test)| Some(Check::Test(shape.slot(0, *column)?, test.clone()))));
        let echoed = echoed(table, &shape);
        let schema = super::arrow_schema(table, &read.columns);
        let mut decoder = Decoder::new(shape, schema, output, checks, Vec::new(), read.limit);
        decoder.tell_identities();
        // What is asked for by all that tells its rows apart is one row, however often and by whatever key it comes.
        let whole =
            matches!(endpoint, EndpointRef::Get(_)) && endpoint.of(table).placeholders().eq(table.identity.iter().copied());
        Listing {
            table: table.clone(),
            wants: Wants::of(table, &columns, None),
            decoder,
            echoed,
            apart: !whole,
            sent: false,
            cut: Vec::new(),
            firsts: None,
        }
    }

    async fn calls(&self, calls: &[Call]) -> Result<(), Stop> {
        let mut calls = calls.to_vec();
        loop {
            let Some(first) = calls.first() else { return Ok(()) };
            self.scope.afford(calls.len() as u64)?;
            let mut listing = self.decoder(first.endpoint);
            listing.firsts = Firsts::of(&self.read.table, &calls);
            let stream = stream::iter(calls.iter().cloned().map(Ok)).boxed();
            let outcome = self.run_calls(stream, &mut listing, None).await;
            let firsts = listing.firsts.as_ref();
            if let Some((firsts, old)) = firsts.and_then(|firsts| Some((firsts, firsts.to_leave_out()?))) {
                calls.retain(|call| !firsts.is_about(call, old));
                continue;
            }
            outcome?;
            return match self.read.unlisted {
                Some(get) => self.unlisted(get, listing).await,
                None => Ok(()),
            };
        }
    }

    /// Asks for the keys that a list was to show and did not.
    async fn unlisted(&self, get: EndpointRef, listing: Listing) -> Result<(), Stop> {
        let table = &self.read.table;
        // The plan has seen to it that this one column tells the rows of the list apart.
        let key = get.of(table).placeholders().next();
        let Some((key, values)) = key.and_then(|key| Some((key, self.read.checks.get(key)?))) else {
            return Ok(());
        };
        let missing: Vec<Call> = values
            .iter()
            .filter(|value| !listing.decoder.has_seen(value))
            .map(|value| Call {
                endpoint: get,
                values: BTreeMap::from([(key, value.clone())]),
                query: Vec::new(),
            })
            .collect();
        self.scope.afford(missing.len() as u64)?;
        let before = listing.decoder;
        let mut listing = self.decoder(get);
        listing.decoder.go_on(before);
        let calls = stream::iter(missing.into_iter().map(Ok)).boxed();
        self.run_calls(calls, &mut listing, None).await
    }

    async fn fan(&self, table: &Table, fan: &Fan) -> Result<(), Stop> {
        let _end = self.scope.statement.open_end();
        let mut listing = self.decoder(fan.call.endpoint);
        let bind = fan.bind.clone();
        let template = fan.call.clone();
        // These columns of the parent follow those that are bound.
        let unless: Vec<(usize, String)> = match fan.source.table.name == table.name {
            true => Vec::new(),
            false => table
                .unless
                .iter()
                .map(|(_, value)| value.clone())
                .enumerate()
                .map(|(nth, value)| (bind.len() + nth, value))
                .collect(),
        };
        let without = self.read.without.clone();
        let matters = move |call: &Call| {
            let is_out = |(column, values): &(usize, BTreeSet<String>)| {
                call.values.get(column).is_some_and(|value| values.contains(value))
            };
            !without.iter().any(is_out)
        };
        let calls = open(self.scope.clone(), fan.source.clone())
            .map_ok(move |batch| {
                let calls: Vec<Result<Call>> = (0..batch.num_rows())
                    .filter(|&row| !unless.iter().any(|(position, value)| holds(&batch, *position, row, value)))
                    .map(|row| call_of_row(&template, &bind, &batch, row))
                    .filter(|call| call.as_ref().map_or(true, &matters))
                    .collect();
                stream::iter(calls)
            })
            .try_flatten()
            .boxed();
        let parent = table
            .parent
            .as_ref()
            .filter(|_| fan.source.table.name != table.name)
            .map(|_| fan);
        self.run_calls(calls, &mut listing, parent).await
    }

    /// Runs calls of one endpoint: their first pages side by side, further pages of one call at a time, in order.
    async fn run_calls(
        &self,
        mut calls: BoxStream<'_, Result<Call>>,
        listing: &mut Listing,
        fan: Option<&Fan>,
    ) -> Result<(), Stop> {
        let most = self.scope.site.client.max_concurrency();
        // With a LIMIT the first call may be enough: go wide only when it is not.
        let mut window = if self.read.limit.is_some() { 1 } else { most };
        let mut queue: VecDeque<Opened> = VecDeque::new();
        let mut exhausted = false;
        let mut spared = None;
        loop {
            while !exhausted && queue.len() < window {
                match calls.next().await {
                    Some(call) => queue.push_back(self.open_call(listing, call?)?),
                    None => exhausted = true,
                }
            }
            let Some(opened) = queue.pop_front() else {
                break;
            };
            let Opened {
                call,
                span,
                first,
                further,
                end,
            } = opened;
            window = (window * 2).min(most);
            let Some(response) = self.first_page(&listing.table, &call, fan, first, &mut spared).await? else {
                continue;
            };
            self.scope.stats.add(&response);
            listing.begin(&call)?;
            let carried = listing.decoder.take_for_seen(&self.beyond.carried);
            let page = self.absorb(listing, &response)?;
            // Its body is done with, and the further pages need the room.
            drop(response);
            if self.is_of_another(listing, &call, &page) {
                listing.decoder.forget()?;
                continue;
            }
            listing.note_first(&page);
            self.emit(listing, false).await?;
            match call.endpoint {
                EndpointRef::List(_) => {
                    self.further_pages(listing, &call, (carried, span, page), further, end)
                        .await?
                }
                EndpointRef::Get(_) => self.note_moved(listing, &call, &page),
            }
        }
        self.emit(listing, true).await?;
        match spared.filter(|_| !listing.sent) {
            Some(error) => Err(error.into()),
            None => Ok(()),
        }
    }

    /// The first page of a call. There is none where an error means that there are no rows, and where it is `spared`.
    async fn first_page(
        &self,
        table: &Arc<Table>,
        call: &Call,
        fan: Option<&Fan>,
        first: InFlight,
        spared: &mut Option<Error>,
    ) -> Result<Option<Response>> {
        let error = match arrived(first).await {
            Ok(response) => return Ok(Some(response)),
            Err(error) => error,
        };
        if self.is_no_row(&error, table, call, fan).await? {
            return Ok(None);
        }
        let is_spared = self.read.spares && is_about_parent(&error);
        // Where one row is looked for, the statement has no words for its parent.
        let is_one_of_several = !self.read.spares && self.has_several(table, fan);
        let error = of_whom(error, table, call, is_one_of_several);
        if !is_spared {
            return Err(error);
        }
        spared.get_or_insert(error);
        Ok(None)
    }

    /// Asks for the first page of a call, and with it for the others that are known to be there.
    fn open_call(&self, listing: &Listing, call: Call) -> Result<Opened> {
        let (table, wants) = (&listing.table, &listing.wants);
        let rows = self.first_rows(table);
        let send = |start| Ok((start, self.send(table, &call, wants, Span { start, rows })?));
        let overlap = Moving::new(order(table, listing.decoder.has_identity())).overlap();
        let (start, first) = send(self.beyond.carried.len().saturating_sub(overlap))?;
        let stride = self.scope.site.stride(table, &call);
        let further = (1..self.pages_at_once(table, &call, stride)).map(|page| send(page * (stride - overlap)));
        Ok(Opened {
            further: further.collect::<Result<_>>()?,
            first,
            end: self.expect_pages(table, &call),
            span: Span { start, rows },
            call,
        })
    }

    /// Notes the pages of a list that are asked for after its first. Where it was not read before, what is given back stands for them.
    fn expect_pages(&self, table: &Table, call: &Call) -> Option<OpenEnd> {
        let Scope { site, statement, .. } = &self.scope;
        if !matches!(call.endpoint, EndpointRef::List(_)) {
            return None;
        }
        let pages = site.context().sizes.pages(table, call);
        let is_whole = table.page.style == PageStyle::Offset && self.read.limit.is_none() && self.beyond.carried.is_empty();
        match pages.filter(|_| is_whole) {
            Some(pages) => {
                let front = match table.page.moves.filter(|_| pages > 1) {
                    Some(Moves::Front) => 1,
                    Some(Moves::Anywhere) => pages,
                    None => 0,
                };
                statement.expect((pages.saturating_sub(1) + front) as u64);
                None
            }
            None => Some(statement.open_end()),
        }
    }

    /// Pages of a call that can be asked for before any has come: they are there, or were the last time.
    fn pages_at_once(&self, table: &Table, call: &Call, stride: usize) -> usize {
        let site = &self.scope.site;
        let by_offset = table.page.style == PageStyle::Offset && matches!(call.endpoint, EndpointRef::List(_));
        // What moves before the first page is read is not seen in its front: only a page that nothing crosses meanwhile allows for that.
        if !by_offset || self.read.limit.is_some() || stride < moving::FRONT || !self.beyond.carried.is_empty() {
            return 1;
        }
        let remembered = site.context().sizes.pages(table, call).unwrap_or(1);
        remembered
            .max(self.beyond.came / stride + 1)
            .min(site.client.max_concurrency())
    }

    /// The one place where an error means "no rows": a 404 on a get by the full key, and on a child of a parent that the site does not
    /// know, where the parent was not named alone.
    async fn is_no_row(&self, error: &Error, table: &Table, call: &Call, fan: Option<&Fan>) -> Result<bool> {
        let not_found =
            error.kind() == ErrorKind::NotFound && error.request_context().is_some_and(|request| request.status == Some(404));
        if !not_found {
            return Ok(false);
        }
        deployment::check(&self.scope.site, table, &self.scope.statement).await?;
        if matches!(call.endpoint, EndpointRef::Get(_)) {
            // Of values of several columns, it is not known which of their combinations were meant.
            let has_several = |column: &usize| self.read.checks.get(*column).is_some_and(|values| values.len() > 1);
            let is_meant = call.endpoint.of(table).placeholders().filter(has_several).count() < 2;
            if !table.optional && is_meant {
                self.note_absent(of_call(table, call).trim_start_matches(" of ").to_owned());
            }
            return Ok(true);
        }
        let Some(parent) = table.parent.as_ref().filter(|_| self.has_several(table, fan)) else {
            return Ok(false);
        };
        let is_first = self.unknown.lock().unwrap_or_else(PoisonError::into_inner).is_empty();
        let source = fan.map_or(&parent.table, |fan| &fan.source.table);
        if is_first && !self.lacks_parent(source, table, call).await? {
            return Ok(false);
        }
        self.note_unknown_parent(of_call(table, call).trim_start_matches(" of ").to_owned());
        Ok(true)
    }

    fn note_unknown_parent(&self, parent: String) {
        let mut unknown = self.unknown.lock().unwrap_or_else(PoisonError::into_inner);
        unknown.insert(parent);
    }

    /// Whether the parent was not named alone, so that others may have rows. Several calls may be about one parent.
    fn has_several(&self, table: &Table, fan: Option<&Fan>) -> bool {
        let calls = match &self.read.path {
            Path::Calls(calls) => calls,
            Path::Embedded(embedded) => &embedded.calls,
            _ => return fan.is_some() || self.read.gathered,
        };
        let columns: Vec<usize> = match (&table.parent, calls.first()) {
            (Some(parent), _) => parent.columns.iter().map(|&(here, _)| here).collect(),
            (None, Some(call)) => call.endpoint.of(table).placeholders().collect(),
            (None, None) => Vec::new(),
        };
        let parent = |call: &Call| {
            columns
                .iter()
                .map(|column| call.values.get(column).cloned())
                .collect::<Vec<_>>()
        };
        let several = calls.first().is_some_and(|first| {
            let first = parent(first);
            calls.iter().any(|call| parent(call) != first)
        });
        fan.is_some() || self.read.gathered || several
    }

    /// Whether the site does not know the parent of what a call asks for.
    async fn lacks_parent(&self, source: &Arc<Table>, table: &Table, call: &Call) -> Result<bool> {
        let columns = table.parent.iter().flat_map(|parent| &parent.columns);
        let values: BTreeMap<usize, String> = columns
            .filter_map(|(here, there)| call.values.get(here).map(|value| (*there, value.clone())))
            .collect();
        let Some(get) =
            (0..source.gets.len()).find(|&get| source.gets[get].placeholders().all(|column| values.contains_key(&column)))
        else {
            return self.is_unlisted(source, &values).await;
        };
        let look = Call {
            endpoint: EndpointRef::Get(get),
            values,
            query: Vec::new(),
        };
        let request = request(&self.scope.site, source, &look, &Wants::default(), None)?;
        match self.scope.ask(&request, Terms::default()).await {
            Ok(response) => {
                self.scope.stats.add(&response);
                Ok(false)
            }
            Err(error) => Ok(error.kind() == ErrorKind::NotFound),
        }
    }

    /// Whether the site has no row with these values, where no endpoint gives one by them.
    async fn is_unlisted(&self, table: &Arc<Table>, values: &BTreeMap<usize, String>) -> Result<bool> {
        if let Some(search) = &table.search {
            let Some(name) = values.get(&search.key).or_else(|| values.get(&search.id)) else {
                return Ok(false);
            };
            let body = serde_json::json!({"issueIdsOrKeys": [name], "fields": Needs::default().words()});
            let response = arrived(self.post(table, &search.bulk, &body)).await?;
            self.scope.stats.add(&response);
            return Ok(names(&response).is_empty());
        }
        let mut known = Known::default();
        values
            .iter()
            .for_each(|(&column, value)| known.restrict(column, [value.clone()]));
        let columns: Vec<usize> = values.keys().copied().collect();
        let question = Question {
            table,
            columns: &columns,
            known: &known,
            parent_known: None,
            filter: None,
            limit: Some(1),
        };
        let mut rows = open(self.scope.clone(), plan(&question, self.scope.site.context())?);
        while let Some(batch) = rows.next().await {
            match batch {
                Ok(batch) if batch.num_rows() == 0 => {}
                // What cannot be read is no proof.
                Ok(_) | Err(_) => return Ok(false),
            }
        }
        Ok(true)
    }

    /// Notes a row that was asked for by id or key, and that the site does not have.
    pub(super) fn note_absent(&self, row: String) {
        let mut absent = self.absent.lock().unwrap_or_else(PoisonError::into_inner);
        self.scope.stats.missing.fetch_add(u64::from(absent.insert(row)), Relaxed);
    }

    /// Says which lists end before the site's own count of them comes true.
    fn say_hidden(&self) {
        let hidden = std::mem::take(&mut *self.hidden.lock().unwrap_or_else(PoisonError::into_inner));
        for (of, (total, came)) in hidden.into_iter().filter(|(_, (total, came))| total > came) {
            let table = &self.read.table.name;
            let text = format!(
                "{table}{of}: the site counts {total} rows, and its pages end after {came}: {{}} may be hidden from this account"
            );
            self.scope.statement.warn(text, total - came);
        }
    }

    /// Says which rows and parents the site does not know.
    fn say_unknown(&self) {
        let mut unknown = std::mem::take(&mut *self.absent.lock().unwrap_or_else(PoisonError::into_inner));
        if self.beyond.unknown.is_none() {
            let parents = self.unknown.lock().unwrap_or_else(PoisonError::into_inner);
            unknown.extend(parents.iter().cloned());
        }
        if unknown.is_empty() {
            return;
        }
        let text = format!(
            "{}: the site knows nothing here of {}: it does not exist, is of another kind, or is not for this account",
            self.read.table.name,
            some_of(unknown.iter().map(String::as_str))
        );
        self.scope.statement.warn(text, unknown.len() as u64);
    }

    /// Rows to ask for in the first page.
    fn first_rows(&self, table: &Table) -> usize {
        let most = self.scope.site.page_rows(table);
        self.read.limit.map_or(most, |limit| limit.clamp(1, most))
    }

    fn send(&self, table: &Table, call: &Call, wants: &Wants, span: Span) -> Result<InFlight> {
        Ok(self.scope.start(request(&self.scope.site, table, call, wants, Some(span))?))
    }

    /// Says how many rows are null.
    pub(super) fn note_nulls(&self, nulls: u64) {
        if nulls > 0 {
            let text = format!("{}: {{}} rows of the answer are null, and left out", self.read.table.name);
            self.scope.statement.warn(text, nulls);
        }
    }

    /// Says how many characters could not be read.
    fn note_broken(&self, broken: u64) {
        if broken > 0 {
            let text = format!("{}: {{}} characters of the answer are none, and U+FFFD", self.read.table.name);
            self.scope.statement.warn(text, broken);
        }
    }

    /// Says which values could not be read.
    pub(super) fn note_misfits(&self, page: &mut PageInfo) {
        self.note_nulls(page.nulls);
        self.note_broken(page.broken);
        for ((column, odd), count) in std::mem::take(&mut page.misfits) {
            self.scope.stats.misfits.fetch_add(count, Relaxed);
            let table = &self.read.table.name;
            let text = match odd {
                Odd::Value => format!("{table}: {{}} values of {column} are of another type than the column, and NULL"),
                Odd::Element => {
                    format!("{table}: {{}} values of {column} have elements of another type than the column, which are NULL")
                }
                Odd::Part => format!("{table}: {{}} values of {column} have parts that cannot be shown; the JSON has them"),
            };
            self.scope.statement.warn(text, count);
        }
        self.scope
            .statement
            .note_misfits(&self.read.table.name, std::mem::take(&mut page.odd));
    }

    async fn decode(&self, listing: &mut Listing, response: &Response) -> Result<PageInfo, Stop> {
        let page = self.absorb(listing, response)?;
        self.emit(listing, false).await?;
        Ok(page)
    }

    /// Takes the rows out of an answer.
    fn absorb(&self, listing: &mut Listing, response: &Response) -> Result<PageInfo> {
        let mut page = listing.decoder.read(&response.body)?;
        self.note_heard(page.received);
        self.note_misfits(&mut page);
        listing.cut.append(&mut page.cut);
        self.scope
            .stats
            .duplicates
            .fetch_add((page.received - page.fresh) as u64, Relaxed);
        // Where nothing tells rows apart, pages are.
        if listing.table.page.style == PageStyle::Link && !listing.decoder.has_identity() && page.received > 0 {
            page.digest = pages::digest(&response.body, &listing.table.page.rows);
        }
        Ok(page)
    }

    /// Hands over the rows, when they are worth it or must go.
    pub(super) async fn emit(&self, listing: &mut Listing, all: bool) -> Result<(), Stop> {
        let done = listing.decoder.budget() == 0;
        let firsts = listing.firsts.as_ref();
        let first = !listing.sent && !firsts.is_some_and(Firsts::waits);
        let waiting = listing.decoder.waiting() + firsts.map_or(0, Firsts::waiting);
        if (all || done || first || waiting >= BATCH_ROWS)
            && let Some(batch) = self.ready(listing).await?
        {
            listing.sent = true;
            self.scope.statement.add_rows(batch.num_rows() as u64);
            self.sender.send(batch).await.map_err(|_| Stop::Enough)?;
        }
        if done { Err(Stop::Enough) } else { Ok(()) }
    }

    /// The pages after the first one, several at a time once the site has shown how far a page reaches; some are under way already.
    async fn further_pages(
        &self,
        listing: &mut Listing,
        call: &Call,
        (carried, first, page): (Vec<u64>, Span, PageInfo),
        mut queue: VecDeque<(usize, InFlight)>,
        mut end: Option<OpenEnd>,
    ) -> Result<(), Stop> {
        let client = &self.scope.site.client;
        let table = listing.table.clone();
        if table.page.style == PageStyle::Link {
            return self.linked_pages(listing, call, page).await;
        }
        let mut moving = Moving::new(order(&table, listing.decoder.has_identity()));
        let overlap = moving.overlap();
        let mut count = 1;
        // Where the site says how many rows there are, no page is asked for beyond them.
        let total = page.total.and_then(|total| usize::try_from(total).ok()).unwrap_or(usize::MAX);
        let most = self.scope.site.page_rows(&table).max(1 + overlap);
        let window = self.window(listing, call, first.start, page)?;
        // How far a page reaches.
        let mut reach = match window.end - window.start {
            rows if rows == first.rows && !window.last => most,
            _ if window.last => most,
            rows => rows.max(1 + overlap),
        };
        if self.read.limit.is_none() && total < usize::MAX && end.take().is_some() {
            let rows = if window.last { 0 } else { total.saturating_sub(window.end) };
            self.scope.statement.expect(rows.div_ceil(reach.max(1)) as u64);
        }
        // The list of one parent is short as a rule: pages are asked for in advance only as it proves long, half as many as have come. A
        // list of the site is long as a rule, unless it was read before and is known to end. A bare array says nothing about what follows.
        let bare = table.page.style == PageStyle::Array;
        let of_parent = call.endpoint.of(&table).placeholders().next().is_some();
        let short = bare || of_parent;
        // Whether the last page was shorter than the others: the one after it will be empty as a rule.
        let mut ends = false;
        let mut widest = client.max_concurrency();
        let known = self.scope.site.context().sizes.pages(&table, call).unwrap_or(usize::MAX);
        let (mut empty, mut surprises) = (0, 0);
        let is_whole = carried.is_empty();
        let mut step = match carried {
            none if none.is_empty() => moving.take(window),
            carried => moving.go_on(carried, window),
        };
        // Where the next page that is asked for in advance begins.
        let mut ahead = match step {
            Step::Forward(start) => start,
            _ => 0,
        };
        if queue.front().is_some_and(|&(start, _)| start == ahead) {
            ahead += queue.len() * (reach - overlap);
        } else {
            // The site's pages are shorter than those that were asked for.
            queue.clear();
        }
        loop {
            let (start, in_flight) = match step {
                Step::Done => break,
                Step::Restless => return Err(restless(&table, call).into()),
                Step::Repeats => return Err(repeats(&table, call, listing.decoder.elements(), total).into()),
                Step::Again | Step::Front(_) => {
                    queue.clear();
                    let rows = match step {
                        Step::Front(rows) => most.max(rows.min(table.page.max)),
                        _ => {
                            listing.decoder.read_again();
                            most
                        }
                    };
                    (0, self.send(&table, call, &listing.wants, Span { start: 0, rows })?)
                }
                Step::Aside(start) => {
                    let rows = most;
                    (start, self.send(&table, call, &listing.wants, Span { start, rows })?)
                }
                Step::Forward(start) => {
                    if queue.front().is_none_or(|&(asked, _)| asked != start) {
                        // What was asked for in advance begins at the wrong places: go on from where the site says.
                        queue.clear();
                        ahead = start;
                    }
                    let window = match (ends || empty > 0, short) {
                        (true, _) => 1,
                        (false, true) => (count / 2).clamp(1, widest),
                        (false, false) => widest,
                    };
                    let budget = listing.decoder.budget().saturating_add(overlap);
                    let is_there = |ahead, waiting| ahead < total && moving.pages() + waiting < known;
                    while queue.len() < window && ahead - start < budget && (queue.is_empty() || is_there(ahead, queue.len())) {
                        let rows = reach.min(most).min(budget - (ahead - start));
                        queue.push_back((ahead, self.send(&table, call, &listing.wants, Span { start: ahead, rows })?));
                        ahead += reach - overlap;
                    }
                    let Some(next) = queue.pop_front() else { break };
                    next
                }
            };
            let response = arrived(in_flight).await?;
            self.scope.stats.add(&response);
            count += 1;
            if count > MAX_PAGES {
                return Err(Error::new(
                    ErrorKind::Decode,
                    format!("the list has more than {MAX_PAGES} pages and never ends"),
                )
                .hint("narrow the WHERE clause")
                .into());
            }
            let page = self.decode(listing, &response).await?;
            empty = if page.received == 0 { empty + 1 } else { 0 };
            if empty > MOST_EMPTY {
                return Err(endless(&table, call, MOST_EMPTY).into());
            }
            let window = self.window(listing, call, start, page)?;
            ends = false;
            if matches!(step, Step::Forward(_)) && !window.last && window.end != start + reach {
                if bare && window.end < start + reach {
                    ends = true;
                } else {
                    queue.clear();
                    reach = (window.end - start).max(1 + overlap);
                    surprises += 1;
                    if surprises > 1 {
                        widest = 1;
                    }
                }
            }
            step = moving.take(window);
        }
        drop(queue);
        if !is_whole {
            // Other pages would come to all of it.
            return Ok(());
        }
        self.scope
            .site
            .remember(&table, call, moving.pages(), (surprises == 0).then_some(reach));
        Ok(())
    }

    /// A page as the decision about moving rows sees it.
    fn window(&self, listing: &Listing, call: &Call, start: usize, page: PageInfo) -> Result<Window> {
        let table = &listing.table;
        if let Some(total) = page.total.filter(|_| page.received == 0) {
            let came = match listing.decoder.has_identity() {
                true => listing.decoder.elements(),
                false => start,
            };
            let mut hidden = self.hidden.lock().unwrap_or_else(PoisonError::into_inner);
            hidden.insert(of_call(table, call), (total, came as u64));
        }
        let next = pages::next(&self.scope.site.client, table, start, &page).map_err(|error| match of_call(table, call) {
            of if of.is_empty() => error,
            of => error.hint(format!("the list is that{of}; {NOT_ALL}")),
        })?;
        let end = match next {
            Next::Start(end) => Some(end),
            Next::End | Next::Query(_) => None,
        };
        Ok(Window {
            start,
            end: end.unwrap_or(start + page.received),
            last: end.is_none(),
            received: page.received,
            repeated: page.repeated,
            rows: page.identities,
        })
    }

    /// Pages that are reached by following the site's links, one after the other.
    async fn linked_pages(&self, listing: &mut Listing, call: &Call, mut page: PageInfo) -> Result<(), Stop> {
        let client = &self.scope.site.client;
        let table = listing.table.clone();
        let (mut visited, mut empty) = (HashSet::new(), 0);
        let mut digests: HashSet<u64> = page.digest.into_iter().collect();
        let wants = Wants::default();
        while let Next::Query(query) = pages::next(client, &table, 0, &page)? {
            if !visited.insert(query.clone()) || visited.len() > MAX_PAGES {
                return Err(Error::new(ErrorKind::Decode, "the links to the next page lead in a circle")
                    .hint(NOT_ALL)
                    .into());
            }
            // The link carries every parameter of the call, so the call gives only the path.
            let mut linked = request(&self.scope.site, &table, call, &wants, None)?;
            linked.query = query.into_iter().map(|(name, value)| (name.into(), value)).collect();
            // The next page is under way while the consumer takes the rows of this one.
            let in_flight = self.scope.start(linked);
            self.emit(listing, false).await?;
            let response = arrived(in_flight).await?;
            self.scope.stats.add(&response);
            page = self.absorb(listing, &response)?;
            empty = if page.received == 0 { empty + 1 } else { 0 };
            if empty > MOST_EMPTY {
                return Err(endless(&table, call, MOST_EMPTY).into());
            }
            if !page.digest.is_none_or(|digest| digests.insert(digest)) {
                return Err(repeats(&table, call, visited.len() * page.received, usize::MAX).into());
            }
        }
        Ok(())
    }

    /// Reads the rows out of the parent's list, then those that it did not carry whole.
    async fn embedded(&self, embedded: &Embedded) -> Result<(), Stop> {
        let table = embedded.chain.last().unwrap_or(&embedded.root);
        let bound = columns_of_parent(table);
        let (mut listing, key) = self.embedded_listing(embedded, table, &bound);
        self.scope.afford(embedded.calls.len() as u64)?;
        let calls = stream::iter(embedded.calls.iter().cloned().map(Ok)).boxed();
        self.run_calls(calls, &mut listing, None).await?;

        let mut follow_up = cut(&embedded.known, &bound, &mut listing);
        if let Some(column) = key {
            let unlisted = self.unlisted_parents(table, column, embedded, &listing).await;
            follow_up.extend(unlisted.into_iter().map(|key| {
                let mut known = embedded.known.clone();
                known.restrict(column, [key]);
                (known, Beyond::default())
            }));
        }
        self.follow(table, follow_up, listing.decoder.budget()).await
    }

    /// A decoder for the answers of the parent's list; and the column with the keys of the parents that are asked for, where these tell them
    /// apart. `bound` are the columns of the table that have values of its parent.
    fn embedded_listing(&self, embedded: &Embedded, table: &Arc<Table>, bound: &[usize]) -> (Listing, Option<usize>) {
        let read = &self.read;
        let mut chain = vec![embedded.root.clone()];
        chain.extend(embedded.chain.iter().cloned());
        let last = chain.len() - 1;
        let columns = read.columns.iter().copied().chain(read.checks.columns());
        let columns = columns.chain(embedded.known.columns()).chain(bound.iter().copied());
        let root_columns: Vec<usize> = embedded.root_known.columns().collect();
        let shape = shape::compile(&chain, &columns.collect::<Vec<_>>(), &root_columns, true);
        let slot = |column: usize| shape.slot(last, column);
        let mut all_checks = checks(&embedded.known, slot);
        all_checks.extend(checks(&embedded.root_known, |column| shape.slot(0, column)));
        let output = read.columns.iter().filter_map(|&column| slot(column)).collect();
        let follow = bound.iter().filter_map(|&column| slot(column)).collect();
        let key = bound.iter().copied().find(|column| embedded.known.get(*column).is_some());
        let key = key.and_then(|column| Some((column, slot(column)?)));
        let echoed = echoed(&embedded.root, &shape);
        let schema = super::arrow_schema(table, &read.columns);
        let mut decoder = Decoder::new(shape, schema, output, all_checks, follow, read.limit);
        decoder.tell_identities();
        if goes_on_where_cut(table, bound, &embedded.known) {
            // Where a page of the list would bring what came and more, going on saves nothing.
            decoder.keep_cut(self.scope.site.page_rows(table).div_ceil(2) as u64);
        }
        let key = key.filter(|(_, slot)| decoder.is_identity(*slot)).map(|(column, _)| column);
        let root = &embedded.root;
        let mut endpoints = embedded.calls.iter().map(|call| call.endpoint.of(root));
        let listing = Listing {
            table: root.clone(),
            wants: embedded_wants(read, embedded),
            decoder,
            echoed,
            apart: endpoints.any(|endpoint| endpoint.placeholders().next().is_some()),
            sent: false,
            cut: Vec::new(),
            firsts: None,
        };
        (listing, key)
    }

    /// Parents that were asked for by key and did not come by in the list: the site may have them all the same.
    async fn unlisted_parents(&self, table: &Table, column: usize, embedded: &Embedded, listing: &Listing) -> Vec<String> {
        let Some(keys) = embedded.known.get(column) else {
            return Vec::new();
        };
        let unlisted = keys.iter().filter(|key| !listing.decoder.has_seen(key)).cloned();
        if !(self.read.table.sitewide && are_of_several_projects(keys.iter().map(String::as_str))) {
            return unlisted.collect();
        }
        // One may be an old key of another of these parents, whose rows come under that.
        let mut left = Vec::new();
        for (key, now) in self.parents_now(table, column, unlisted.collect()).await {
            match now {
                Now::Key(now) if now != key && keys.contains(&now) => {}
                Now::Nobody => self.note_unknown_parent(format!("{} {key}", table.columns[column].name)),
                Now::Key(_) | Now::Unsaid => left.push(key),
            }
        }
        left
    }

    /// Reads what a search did not carry whole, from its own endpoint.
    pub(super) async fn follow_cut(&self, table: &Arc<Table>, known: &Known, listing: &mut Listing) -> Result<(), Stop> {
        let rest = cut(known, &columns_of_parent(table), listing);
        self.follow(table, rest, listing.decoder.budget()).await
    }

    /// Reads what an embedded pass did not give whole, from its own endpoint.
    async fn follow(&self, table: &Arc<Table>, known: Vec<(Known, Beyond)>, mut budget: usize) -> Result<(), Stop> {
        let limit = self.read.limit;
        self.scope.stats.followed.fetch_add(known.len() as u64, Relaxed);
        let most = if limit.is_some() {
            1
        } else {
            self.scope.site.client.max_concurrency()
        };
        let most_rows = budget;
        // A parent that was named alone is an error where the site does not know it, and one among several is not.
        let alone = match (&self.read.path, &table.parent) {
            (Path::Embedded(embedded), Some(parent)) => {
                parent.columns.iter().all(|&(here, _)| embedded.known.single(here).is_some())
            }
            _ => false,
        };
        let gathered = self.read.gathered || !alone;
        let planned = |(known, beyond): (Known, Beyond)| {
            let question = Question {
                table,
                columns: &self.read.columns,
                known: &known,
                parent_known: None,
                filter: None,
                limit: limit.map(|_| most_rows),
            };
            match plan(&question, self.scope.site.context()) {
                Ok(read) => {
                    let unknown = Some(self.unknown.clone());
                    open_beyond(self.scope.clone(), Read { gathered, ..read }, Beyond { unknown, ..beyond })
                }
                Err(error) => stream::iter([Err(error)]).boxed(),
            }
        };
        let mut batches = stream::iter(known).map(planned).flatten_unordered(most);
        while let Some(batch) = batches.next().await {
            let batch = batch?;
            let batch = batch.slice(0, batch.num_rows().min(budget));
            budget -= batch.num_rows();
            self.sender.send(batch).await.map_err(|_| Stop::Enough)?;
            if budget == 0 {
                return Err(Stop::Enough);
            }
        }
        Ok(())
    }
}

/// What the list of the root must be asked for to carry the rows of an embedded read.
pub(crate) fn embedded_wants(read: &Read, embedded: &Embedded) -> Wants {
    let mut wants = Wants::default();
    let mut expansion = String::new();
    for table in &embedded.chain {
        let Some(expand) = table.embed.as_ref().and_then(|embed| embed.expand.as_ref()) else {
            continue;
        };
        if !expansion.is_empty() {
            expansion.push('.');
        }
        expansion.push_str(expand);
        wants.expand.push(expansion.clone());
    }
    let columns: Vec<usize> = read.columns.iter().copied().chain(read.checks.columns()).collect();
    wants.expand.extend(Wants::of(&read.table, &columns, Some(&expansion)).expand);
    wants.expand.sort();
    wants.expand.dedup();
    wants
}

/// A call whose first page is on its way, with those after it that are known to be there: (start, request).
struct Opened {
    call: Call,
    span: Span,
    first: InFlight,
    further: VecDeque<(usize, InFlight)>,
    /// Stands for the pages that nobody knows of yet.
    end: Option<OpenEnd>,
}

/// A list being read: its decoder and what the decoder needs to hear about each call.
pub(super) struct Listing {
    pub(super) table: Arc<Table>,
    pub(super) wants: Wants,
    pub(super) decoder: Decoder,
    /// (column, slot) of the values that are echoed from the request.
    pub(super) echoed: Vec<(usize, usize)>,
    /// Whether each call has rows of its own, whose identities mean nothing in another call.
    pub(super) apart: bool,
    /// Whether the first batch has gone out.
    pub(super) sent: bool,
    /// Parents whose embedded page was cut.
    pub(super) cut: Vec<Cut>,
    /// What tells two keys of one parent, where keys are asked for that may be old ones.
    pub(super) firsts: Option<Firsts>,
}

impl Listing {
    fn begin(&mut self, call: &Call) -> Result<()> {
        if let Some(firsts) = &mut self.firsts {
            firsts.begin(call, self.decoder.take()?);
        }
        self.begin_values(&call.values)
    }

    /// Notes how the list of a call begins.
    fn note_first(&mut self, page: &PageInfo) {
        if let Some(firsts) = &mut self.firsts {
            firsts.note_first(&page.identities);
        }
    }

    /// Begins a list whose rows echo these values.
    pub(super) fn begin_values(&mut self, values: &BTreeMap<usize, String>) -> Result<()> {
        let values = self
            .echoed
            .iter()
            .map(|&(column, slot)| (slot, values.get(&column).map(String::as_str)));
        if self.apart {
            self.decoder.restart();
        }
        self.decoder
            .bind(values)
            .map_err(|what| Error::new(ErrorKind::Statement, what))
    }
}

/// The columns of a table that have values of its parent.
pub(super) fn columns_of_parent(table: &Table) -> Vec<usize> {
    let parents = table.parent.iter();
    parents
        .flat_map(|parent| parent.columns.iter().map(|&(here, _)| here))
        .collect()
}

/// What an embedded pass did not carry whole: whose rows, and what is known of them.
fn cut(known: &Known, bound: &[usize], listing: &mut Listing) -> Vec<(Known, Beyond)> {
    let of_row = |cut: Cut| {
        let mut known = known.clone();
        for (&column, value) in bound.iter().zip(&cut.values) {
            if let Some(value) = value {
                known.restrict(column, [value.clone()]);
            }
        }
        let beyond = Beyond {
            came: usize::try_from(cut.came).unwrap_or_default(),
            carried: cut.carried,
            unknown: None,
        };
        (known, beyond)
    };
    std::mem::take(&mut listing.cut).into_iter().map(of_row).collect()
}

/// What can become of the rows of a list while it is read.
fn order(table: &Table, has_identity: bool) -> Order {
    match table.page.style {
        PageStyle::Offset if has_identity => match table.page.moves {
            Some(Moves::Front) => Order::Latest,
            Some(Moves::Anywhere) => Order::Any,
            None => Order::Kept,
        },
        _ => Order::Bare,
    }
}

/// Whether a list can be read from where an embedded page of it was cut: nothing but its parent is known of its rows, so that its places are
/// those of the embedded page.
fn goes_on_where_cut(table: &Table, bound: &[usize], known: &Known) -> bool {
    let is_list = table.lists.iter().any(|list| list.placeholders().eq(bound.iter().copied()));
    let is_kept = table.page.style == PageStyle::Offset && table.page.moves.is_none();
    is_list && is_kept && known.columns().all(|column| bound.contains(&column))
}

/// Whose list it is: ` of issue_key ITSM-5`; nothing for a list of the site.
fn of_call(table: &Table, call: &Call) -> String {
    let named = call
        .endpoint
        .of(table)
        .placeholders()
        .filter_map(|column| Some(format!("{} {}", table.columns[column].name, call.values.get(&column)?)));
    match named.collect::<Vec<_>>().join(", ") {
        none if none.is_empty() => none,
        named => format!(" of {named}"),
    }
}

/// Whether the site may have refused or failed because of the parent that was asked about, and answer about others.
fn is_about_parent(error: &Error) -> bool {
    let status = error.request_context().and_then(|request| request.status);
    matches!(status, Some(403 | 404 | 500))
}

/// An error that says whom it is about, where the request was about one of several, and how to do without.
fn of_whom(error: Error, table: &Table, call: &Call, is_one_of_several: bool) -> Error {
    let whom = of_call(table, call);
    if whom.is_empty() || !is_about_parent(&error) {
        return error;
    }
    let first = call.endpoint.of(table).placeholders().next();
    let way = first.and_then(|column| Some((&table.columns[column].name, call.values.get(&column)?)));
    let hint = error.hint_text().unwrap_or_default().to_owned();
    let error = error.about(whom.trim_start_matches(" of "));
    match way.filter(|_| is_one_of_several) {
        Some((name, value)) => error.hint(format!(
            "{hint}; to leave it out: AND {name} <> '{}'",
            value.replace('\'', "''")
        )),
        None => error,
    }
}

/// A few of many, for a message.
pub(super) fn some_of<'a>(all: impl ExactSizeIterator<Item = &'a str>) -> String {
    const MOST: usize = 5;
    let more = all.len().saturating_sub(MOST);
    let few = all.take(MOST).collect::<Vec<_>>().join(", ");
    match more {
        0 => few,
        more => format!("{few} and {more} more"),
    }
}

fn endless(table: &Table, call: &Call, pages: usize) -> Error {
    let of = of_call(table, call);
    Error::new(
        ErrorKind::Decode,
        format!("the site sent {pages} empty pages of the list{of} in a row without calling one the last"),
    )
    .hint("the rows would not be known to be complete, so the statement fails; narrow the WHERE clause")
    .table(&table.name)
}

fn restless(table: &Table, call: &Call) -> Error {
    let of = of_call(table, call);
    Error::new(
        ErrorKind::Incomplete,
        format!("the list{of} kept moving while it was read, so that rows may be missing"),
    )
    .hint("run the statement again when the site is quieter, or narrow the WHERE clause")
    .table(&table.name)
}

fn repeats(table: &Table, call: &Call, rows: usize, total: usize) -> Error {
    let of = of_call(table, call);
    let of_total = if total < usize::MAX {
        format!(" of {total}")
    } else {
        String::new()
    };
    Error::new(
        ErrorKind::Decode,
        format!("the site sends the same rows again as other pages of the list{of}: {rows} rows{of_total} came"),
    )
    .hint(NOT_ALL)
    .table(&table.name)
}

/// Whether a value of a batch is this one.
fn holds(batch: &RecordBatch, position: usize, row: usize, value: &str) -> bool {
    let column = batch.column(position);
    let options = arrow::util::display::FormatOptions::default();
    column.is_valid(row)
        && arrow::util::display::ArrayFormatter::try_new(column, &options)
            .is_ok_and(|format| format.value(row).to_string() == value)
}

pub(super) type InFlight = AbortOnDropHandle<Result<Response>>;

pub(super) async fn arrived(in_flight: InFlight) -> Result<Response> {
    in_flight.await.map_err(|error| task_ended("request", &error))?
}

/// The error of a task that did not come to its end. The words of a panic may quote anything that came: they are not told.
pub(super) fn task_ended(task: &str, error: &JoinError) -> Error {
    let how = if error.is_panic() { "panicked" } else { "was broken off" };
    Error::new(ErrorKind::Internal, format!("the {task} task {how}"))
}

/// Columns of the first table of a shape whose values the request knows, and their slots.
pub(super) fn echoed(table: &Table, shape: &Shape) -> Vec<(usize, usize)> {
    (0..table.columns.len())
        .filter(|&column| table.columns[column].origin == Origin::Request)
        .filter_map(|column| shape.slot(0, column).map(|slot| (column, slot)))
        .collect()
}

pub(super) fn checks(known: &Known, slot: impl Fn(usize) -> Option<usize>) -> Vec<Check> {
    known
        .columns()
        .filter_map(|column| Some(Check::Among(slot(column)?, known.get(column)?.clone())))
        .collect()
}

/// The call for one row of the source.
fn call_of_row(template: &Call, bind: &[(usize, usize)], batch: &RecordBatch, row: usize) -> Result<Call> {
    let mut call = template.clone();
    for &(column, position) in bind {
        let values = batch
            .column(position)
            .as_string_opt::<i32>()
            .filter(|values| values.is_valid(row));
        let value = values.ok_or_else(|| {
            Error::new(
                ErrorKind::Decode,
                format!("a row of the parent has no {}", batch.schema().field(position).name()),
            )
        })?;
        call.values.insert(column, value.value(row).to_owned());
    }
    Ok(call)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn what_a_panic_quotes_is_not_told() {
        let task = tokio::spawn(async {
            let secret = "é-c4n4ry";
            let _ = &secret[..secret.len().min(1)];
        });
        let error = task_ended("reading", &task.await.unwrap_err());
        assert_eq!(error.message(), "the reading task panicked");
        assert!(!format!("{error:?}").contains("c4n4ry"), "{error:?}");
    }
}
