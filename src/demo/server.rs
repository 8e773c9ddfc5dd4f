//! HTTP on loopback: reads requests, lets faults have their way, and sends what is left of the answer.

use std::convert::Infallible;
use std::io::{self, Write};
use std::sync::atomic::{AtomicUsize, Ordering::Relaxed};
use std::sync::{Arc, Mutex, RwLock};
use std::time::{Duration, Instant};

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use bytes::Bytes;
use futures::stream;
use http_body_util::combinators::BoxBody;
use http_body_util::{BodyExt, Full, StreamBody};
use hyper::body::{Frame, Incoming};
use hyper::service::service_fn;
use hyper::{Request, Response};
use hyper_util::rt::TokioIo;
use percent_encoding::percent_decode_str;
use tokio::net::{TcpListener, TcpStream};

use super::answer::{Answer, Asked};
use super::damage::damaged;
use super::date::{Clock, Day, MINUTE};
use super::fault::{Faults, Kind, instead};
use super::jql::zone;
use super::limit::Limit;
use super::page::Quirks;
use super::person::{CUSTOMERS, DANA};
use super::state::State;
use super::{DemoOptions, TOKEN, account, route};

/// A request that the site was asked, for tests.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub struct Served {
    /// HTTP method.
    pub method: String,
    /// Path and query as they were sent.
    pub address: String,
    /// Status of the answer; 0 where the connection was broken instead.
    pub status: u16,
    /// The body that was sent, where it was a text.
    pub body: String,
    /// The account that signed in, as [`account`](super::account) counts them.
    pub account: Option<usize>,
}

/// A site, as far as the wire is concerned.
pub(super) struct Server {
    url: String,
    latency: Duration,
    limit: Option<Limit>,
    faults: Faults,
    state: RwLock<State>,
    served: Mutex<Vec<Served>>,
    under_way: AtomicUsize,
    most_at_once: AtomicUsize,
}

/// Requests that are remembered.
const REMEMBERED: usize = 100_000;

impl Server {
    pub(super) fn new(url: String, options: DemoOptions) -> Self {
        let faults = Faults::new(options.faults);
        let clock = Clock::new(options.date.unwrap_or_else(Day::yesterday));
        let mut state = State::new(options.seed, options.requests, clock, zone(&options.time_zone));
        state.gone = faults.include(Kind::FieldGone).then_some("customfield_10301");
        state.odd_fields = faults.include(Kind::OddFields);
        state.moved = faults.include(Kind::Moved);
        state.tasks = faults.include(Kind::Tasks);
        state.public_comments = faults.include(Kind::PublicComments);
        state.blocked = faults.include(Kind::Blocked);
        state.more_fields = if faults.include(Kind::ManyFields) { 5_000 } else { 0 };
        Self {
            url,
            latency: options.latency,
            limit: options.rate_limit.map(Limit::new),
            faults,
            state: RwLock::new(state),
            served: Mutex::default(),
            under_way: AtomicUsize::new(0),
            most_at_once: AtomicUsize::new(0),
        }
    }

    pub(super) fn served(&self) -> Vec<Served> {
        self.served.lock().map(|served| served.clone()).unwrap_or_default()
    }

    pub(super) fn most_at_once(&self) -> usize {
        self.most_at_once.load(Relaxed)
    }

    fn note(&self, asked: &Head, status: u16) {
        if let Ok(mut served) = self.served.lock()
            && served.len() < REMEMBERED
        {
            served.push(Served {
                method: asked.method.clone(),
                address: asked.address.clone(),
                status,
                body: String::from_utf8_lossy(&asked.body).into_owned(),
                account: asked.who,
            });
        }
    }

    /// The right answer, before faults break it on the wire.
    fn answer(&self, head: &Head, met: &[Kind]) -> Answer {
        let segments: Vec<String> = head
            .path()
            .split('/')
            .skip(1)
            .map(|segment| percent_decode_str(segment).decode_utf8_lossy().into_owned())
            .collect();
        if head.who.is_none() && !route::is_public(&segments) {
            return Answer::refuse_platform(401, "Client must be authenticated to access this resource.")
                .header("www-authenticate", "OAuth realm=\"demo\"");
        }
        if let Some(limit) = &self.limit
            && !limit.admit(&head.method, &segments, Instant::now())
        {
            return Answer::refuse_platform(429, "Rate limit exceeded.")
                .header("retry-after", "1")
                .header("ratelimit-reason", "jira-burst-based");
        }
        let has = |kind: Kind| met.contains(&kind);
        if has(Kind::RefusedAsDone) && head.writes() {
            return Answer::refuse_platform(200, "The workflow does not allow it.");
        }
        let asked = Asked {
            // What is public looks the same to everybody.
            who: head.who.unwrap_or(DANA),
            method: head.method.clone(),
            path: head.path().to_owned(),
            query: url::form_urlencoded::parse(head.query().as_bytes()).into_owned().collect(),
            experimental: head.experimental,
            base: self.url.clone(),
            media_type: head.media_type.clone(),
            unforged: head.unforged,
            body: head.body.clone(),
            paging: Quirks {
                short: has(Kind::ShortPages),
                linkless: has(Kind::Linkless),
                hidden: has(Kind::Hidden),
                repeat: has(Kind::Repeat),
                endless: has(Kind::Endless),
                foreign: has(Kind::Foreign),
                torn: has(Kind::LastWithNext),
                stranger: has(Kind::Stranger),
                broken_issue: has(Kind::BrokenIssue),
                expired: has(Kind::TokenExpired),
                hundred: has(Kind::NarrowRefused),
                vanish: has(Kind::Vanish),
                stale: has(Kind::StaleSearch),
                nameless: has(Kind::Nameless),
                data_center: has(Kind::DataCenter),
            },
            segments,
        };
        if has(Kind::Gone)
            && let [_, _, request, key, _, ..] = &asked.segments[..]
            && request == "request"
            && key.ends_with(['3', '6', '9'])
        {
            return Answer::no_request();
        }
        if has(Kind::ForbiddenParent)
            && let [.., parent, key, _] = &asked.segments[..]
            && matches!((&**parent, &**key), ("issue" | "request", "ITSM-6") | ("organization", "2"))
        {
            return Answer::refuse_platform(403, "You do not have the permission to see this.");
        }
        if has(Kind::ForbiddenDesk)
            && let [.., parent, desk, _] = &asked.segments[..]
            && (&**parent, &**desk) == ("servicedesk", "2")
        {
            return Answer::refuse_platform(403, "You do not have the permission to see this.");
        }
        if has(Kind::BrokenParent)
            && let [.., parent, key, _] = &asked.segments[..]
            && matches!((&**parent, &**key), ("issue" | "request", "ITSM-6") | ("organization", "2"))
        {
            return Answer::refuse_platform(500, "Internal server error");
        }
        let is_strange = has(Kind::Stranger) || has(Kind::StrangerUnsaid);
        if is_strange && asked.segments.last().is_some_and(|segment| segment == "myself") {
            return Answer::refuse_platform(401, "Client must be authenticated to access this resource.");
        }
        let of_requests = asked.segments.last().is_some_and(|segment| segment == "request");
        if has(Kind::Deleted) && of_requests {
            self.delete_read(&asked);
        }
        if has(Kind::Swapped) && of_requests {
            self.delete_read(&asked);
            self.reorder(&asked);
        }
        if has(Kind::Reorder) && asked.segments.last().is_some_and(|segment| segment == "request") {
            self.reorder(&asked);
        }
        if head.writes() {
            return match self.state.write() {
                Ok(mut state) => route::change(&mut state, &asked),
                Err(_) => Answer::refuse_platform(500, "Internal server error"),
            };
        }
        match self.state.read() {
            Ok(state) => met
                .iter()
                .fold(route::answer(&state, &asked), |answer, &kind| damaged(kind, &asked, answer)),
            Err(_) => Answer::refuse_platform(500, "Internal server error"),
        }
    }

    /// A request of a page before this one is deleted.
    fn delete_read(&self, asked: &Asked) {
        let start: usize = asked.one("start").and_then(|start| start.parse().ok()).unwrap_or(0);
        let Ok(mut state) = self.state.write() else { return };
        let all = state.list("all, before a deletion", |_| true);
        if let Some(&index) = all.get(start / 2).filter(|_| start > 0) {
            state.delete(index);
        }
    }

    /// Something happens to a request that this page has not reached yet: it moves to the front of the list.
    fn reorder(&self, asked: &Asked) {
        let start: usize = asked.one("start").and_then(|start| start.parse().ok()).unwrap_or(0);
        let limit: usize = asked.one("limit").and_then(|limit| limit.parse().ok()).unwrap_or(50);
        let Ok(mut state) = self.state.write() else { return };
        // The name of the unfiltered list does not matter: it is asked for once more after the change.
        let all = state.list("all, before a reordering", |_| true);
        if let Some(&index) = all.get(start + limit + 5) {
            let latest = state.ticket(all[0]).updated;
            state.change(index, |ticket| ticket.updated = latest + MINUTE);
        }
    }
}

/// What matters of a request.
struct Head {
    method: String,
    address: String,
    who: Option<usize>,
    experimental: bool,
    gzip: bool,
    media_type: String,
    unforged: bool,
    body: Vec<u8>,
}

impl Head {
    fn read(request: &Request<Incoming>) -> Self {
        let header = |name: &str| {
            request
                .headers()
                .get(name)
                .and_then(|value| value.to_str().ok())
                .unwrap_or_default()
        };
        let authorization = header("authorization");
        let basic = || {
            let given = authorization.strip_prefix("Basic ")?;
            let given = String::from_utf8(STANDARD.decode(given).ok()?).ok()?;
            let (user, token) = given.split_once(':')?;
            // The number in the token saves making up everybody's.
            let index = token
                .strip_prefix(TOKEN)?
                .strip_prefix('-')
                .map_or(Ok(DANA), str::parse)
                .ok()?;
            (index < CUSTOMERS.end && account(index) == (user.to_owned(), token.to_owned())).then_some(index)
        };
        let bearer = authorization.strip_prefix("Bearer ").is_some_and(|token| token == TOKEN);
        Self {
            method: request.method().to_string(),
            address: request.uri().to_string(),
            who: bearer.then_some(DANA).or_else(basic),
            experimental: matches!(header("x-experimentalapi"), "opt-in" | "true"),
            gzip: header("accept-encoding").contains("gzip"),
            media_type: header("content-type").to_owned(),
            unforged: header("x-atlassian-token") == "no-check",
            body: Vec::new(),
        }
    }

    /// Whether the request may change something.
    fn writes(&self) -> bool {
        // Some of the platform's POSTs only read: searches and lists that are too long for an address.
        let reads =
            self.path().starts_with("/rest/api/") && (self.path().contains("/search") || self.path().ends_with("/bulkfetch"));
        self.method != "GET" && !reads
    }

    fn path(&self) -> &str {
        self.address.split_once('?').map_or(&*self.address, |(path, _)| path)
    }

    fn query(&self) -> &str {
        self.address.split_once('?').map_or("", |(_, query)| query)
    }
}

/// Serves connections until the task is aborted.
pub(super) async fn serve(listener: TcpListener, server: Arc<Server>) {
    let mut connections = tokio::task::JoinSet::new();
    loop {
        // Finished connections are let go of; the open ones end with this task.
        while connections.try_join_next().is_some() {}
        let Ok((stream, _)) = listener.accept().await else { continue };
        connections.spawn(connection(stream, server.clone()));
    }
}

async fn connection(stream: TcpStream, server: Arc<Server>) {
    let _ = stream.set_nodelay(true);
    let service = service_fn(move |request| {
        let server = server.clone();
        async move { exchange(&server, request).await }
    });
    // A connection that ends badly is the client's business, or a fault's.
    let _ = hyper::server::conn::http1::Builder::new()
        .serve_connection(TokioIo::new(stream), service)
        .await;
}

type Body = BoxBody<Bytes, io::Error>;

/// One request. An error closes the connection without an answer.
async fn exchange(server: &Server, request: Request<Incoming>) -> Result<Response<Body>, io::Error> {
    let mut head = Head::read(&request);
    let now = server.under_way.fetch_add(1, Relaxed) + 1;
    server.most_at_once.fetch_max(now, Relaxed);
    let _under_way = UnderWay(&server.under_way);
    // A body that is not read would be taken for the next request.
    if let Ok(body) = request.into_body().collect().await {
        head.body = body.to_bytes().to_vec();
    }
    let due = Instant::now() + server.latency;
    // What is read by POST is told apart by its body.
    let address = format!("{} {}", head.address, String::from_utf8_lossy(&head.body));
    let met = server.faults.meet(&address, head.writes());
    let broken = |kind: Kind| met.contains(&kind);
    if broken(Kind::Hang) {
        std::future::pending::<()>().await;
    }
    let response = if broken(Kind::Reset) {
        None
    } else {
        let answer = met
            .iter()
            .find_map(|&kind| instead(kind))
            .unwrap_or_else(|| server.answer(&head, &met));
        let lost = broken(Kind::LostAnswer) && head.writes();
        (!lost).then(|| respond(&head, answer, &met))
    };
    // Making the answer is part of the time that it takes.
    if !server.latency.is_zero() {
        tokio::time::sleep_until(due.into()).await;
    }
    server.note(&head, response.as_ref().map_or(0, |response| response.status().as_u16()));
    response.ok_or_else(|| io::ErrorKind::ConnectionReset.into())
}

struct UnderWay<'a>(&'a AtomicUsize);

impl Drop for UnderWay<'_> {
    fn drop(&mut self) {
        self.0.fetch_sub(1, Relaxed);
    }
}

fn respond(head: &Head, answer: Answer, met: &[Kind]) -> Response<Body> {
    let mut response = Response::builder()
        .status(answer.status)
        .header("x-arequestid", "demo")
        .header("x-aaccountid", "demo");
    for (name, value) in answer.headers {
        response = response.header(name, value);
    }
    let mut body = answer.body;
    if met.contains(&Kind::BadJson) {
        body.truncate(body.len() / 2);
    }
    if head.gzip && body.len() > 256 {
        body = gzip(&body);
        if met.contains(&Kind::TruncatedGzip) {
            body.truncate(body.len() / 2);
        }
        response = response.header("content-encoding", "gzip");
    }
    let body = if met.contains(&Kind::Truncated) && !body.is_empty() {
        response = response.header("content-length", body.len());
        let half = Bytes::copy_from_slice(&body[..body.len() / 2]);
        let broken = [Ok(Frame::data(half)), Err(io::ErrorKind::ConnectionReset.into())];
        BodyExt::boxed(StreamBody::new(stream::iter(broken)))
    } else {
        Full::new(Bytes::from(body))
            .map_err(|never: Infallible| match never {})
            .boxed()
    };
    response
        .body(body)
        .unwrap_or_else(|_| Response::new(Full::default().map_err(|never: Infallible| match never {}).boxed()))
}

fn gzip(body: &[u8]) -> Vec<u8> {
    let mut encoder = flate2::write::GzEncoder::new(Vec::with_capacity(body.len() / 4), flate2::Compression::fast());
    // Writing to a Vec cannot fail.
    let _ = encoder.write_all(body);
    encoder.finish().unwrap_or_default()
}
