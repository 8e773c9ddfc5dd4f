//! What one client has: its session, its statements, and how much of both.

use std::collections::{HashMap, HashSet, VecDeque};
use std::fmt;
use std::net::IpAddr;
use std::sync::atomic::{AtomicBool, Ordering::Relaxed};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use arrow::array::RecordBatch;
use bytes::Bytes;
use indexmap::IndexMap;
use tokio::sync::{OwnedSemaphorePermit, Semaphore};
use tokio_util::sync::CancellationToken;

use super::handle::{Digest, digest, unguessable};
use super::limits::Limits;
use super::query::Done;
use crate::error::{Error, ErrorKind, Result};
use crate::http::Held;
use crate::session::{Prepared, Session};

/// How long after the last call of a client the rows of a planned statement are waited for.
const SOON: Duration = Duration::from_secs(5);

/// Handles that are remembered after their statement made room for another.
const REMEMBERED: usize = 1_000;

/// Whom a session belongs to.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Owner {
    User(String),
    /// Somebody at this address who does not say who it is.
    Address(IpAddr),
}

impl fmt::Display for Owner {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::User(name) => f.write_str(name),
            Self::Address(address) => address.fmt(f),
        }
    }
}

/// One client. What others have is nowhere in it.
pub(super) struct Client {
    pub(super) session: Session,
    pub(super) owner: Owner,
    born: Instant,
    used: Mutex<Instant>,
    statements: Mutex<Statements>,
    permits: Arc<Semaphore>,
    limits: Limits,
    time: Mutex<Option<Duration>>,
    ended: CancellationToken,
    /// The open connections that it was used on.
    wires: Mutex<HashSet<u64>>,
    /// Whether something may be left in the session that its client counts on: tables, settings.
    kept: AtomicBool,
}

/// A statement with the rows of values for its parameters. None: it has none, or nobody bound them.
#[derive(Clone)]
pub(super) struct Bound {
    pub(super) prepared: Prepared,
    pub(super) values: Option<Sent>,
}

/// Rows of values that a client has sent, and what they take of the memory of its session.
#[derive(Clone)]
pub(super) struct Sent {
    pub(super) batches: Vec<RecordBatch>,
    _held: Arc<Held>,
}

impl Sent {
    pub(super) fn new(batches: Vec<RecordBatch>, held: Held) -> Self {
        let _held = Arc::new(held);
        Self { batches, _held }
    }
}

/// What a ticket stands for.
pub(super) enum Planned {
    /// A statement that runs when its rows are asked for.
    Statement(Box<Bound>),
    /// What a statement that changes something has answered: it ran when it was sent, since clients that want no rows never ask for them.
    Done(Done),
}

/// Statements by the digest of their handle.
#[derive(Default)]
struct Statements {
    /// Planned and not yet run, the oldest first.
    planned: IndexMap<Digest, Planned>,
    /// Prepared, that which was not used for longest first.
    prepared: IndexMap<Digest, Bound>,
    /// Those that made room for others, the latest last: who asks for one is told.
    pushed_out: VecDeque<Digest>,
    running: HashMap<Digest, CancellationToken>,
}

/// What became of a wish to cancel.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Cancelled {
    /// It will send nothing more, or never began.
    Yes,
    /// It has ended, or there was none.
    TooLate,
}

/// A statement that runs. While it lives the statement can be cancelled, and counts.
pub(super) struct Running {
    client: Arc<Client>,
    key: Digest,
    pub(super) cancelled: CancellationToken,
    /// When it must have ended, and how long it had.
    pub(super) deadline: Option<(tokio::time::Instant, Duration)>,
    _permit: OwnedSemaphorePermit,
}

impl Drop for Running {
    fn drop(&mut self) {
        self.client.statements().running.remove(&self.key);
        self.client.touch(Instant::now());
    }
}

fn key(handle: &[u8]) -> Digest {
    digest(&[&String::from_utf8_lossy(handle)])
}

fn unknown(what: &str) -> Error {
    Error::new(ErrorKind::NotFound, format!("you have no {what} of this handle"))
        .hint("a handle is for one use by the client that got it, and ends with its session; ask for the statement again")
}

impl Client {
    pub(super) fn new(session: Session, owner: Owner, limits: &Limits) -> Arc<Self> {
        let now = Instant::now();
        Arc::new(Self {
            session,
            owner,
            born: now,
            used: Mutex::new(now),
            statements: Mutex::default(),
            permits: Arc::new(Semaphore::new(limits.running)),
            time: Mutex::new(limits.time),
            limits: limits.clone(),
            ended: CancellationToken::new(),
            wires: Mutex::default(),
            kept: AtomicBool::new(false),
        })
    }

    fn statements(&self) -> MutexGuard<'_, Statements> {
        self.statements.lock().unwrap_or_else(PoisonError::into_inner)
    }

    pub(super) fn touch(&self, now: Instant) {
        *self.used.lock().unwrap_or_else(PoisonError::into_inner) = now;
    }

    /// When the session was used last.
    pub(super) fn used(&self) -> Instant {
        *self.used.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Notes that it is used on a connection.
    pub(super) fn on(&self, wire: u64) {
        self.wires.lock().unwrap_or_else(PoisonError::into_inner).insert(wire);
    }

    /// Notes that a connection has closed.
    pub(super) fn off(&self, wire: u64) {
        self.wires.lock().unwrap_or_else(PoisonError::into_inner).remove(&wire);
    }

    /// Whether the session could end for another, and its client would not notice: nothing runs, and nothing is kept in it.
    pub(super) fn is_idle(&self) -> bool {
        !self.is_busy() && !self.kept.load(Relaxed) && self.statements().prepared.is_empty()
    }

    /// Whether nothing runs, and no connection is open on which it was used.
    pub(super) fn is_left(&self) -> bool {
        !self.is_busy() && self.wires.lock().unwrap_or_else(PoisonError::into_inner).is_empty()
    }

    /// Whether the session is over: unused for too long, or too old.
    pub(super) fn has_expired(&self, limits: &Limits, now: Instant) -> bool {
        let idle = now.duration_since(self.used()) >= limits.idle && self.statements().running.is_empty();
        idle || now.duration_since(self.born) >= limits.life
    }

    /// Whether a statement runs, or was planned a moment ago and its rows are still to be asked for.
    pub(super) fn is_busy(&self) -> bool {
        // Many clients plan to learn the columns, and never come back.
        let is_recent = self.used().elapsed() < SOON;
        let statements = self.statements();
        !statements.running.is_empty() || is_recent && !statements.planned.is_empty()
    }

    /// Ends the session: what runs is cancelled.
    pub(super) fn end(&self) {
        self.ended.cancel();
    }

    /// How long a statement may run.
    pub(super) fn time(&self) -> Option<Duration> {
        *self.time.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Sets how long a statement may run; the server's own limit cannot be exceeded. Whether it could be set.
    pub(super) fn set_time(&self, time: Option<Duration>) -> bool {
        let within = match (time, self.limits.time) {
            (Some(time), Some(most)) => time <= most,
            (None, Some(_)) => false,
            (_, None) => true,
        };
        if within {
            *self.time.lock().unwrap_or_else(PoisonError::into_inner) = time;
            self.kept.store(true, Relaxed);
        }
        within
    }

    /// Statements may run as long as the server allows.
    pub(super) fn reset_time(&self) {
        *self.time.lock().unwrap_or_else(PoisonError::into_inner) = self.limits.time;
    }

    /// Most bytes that the client may send at a time.
    pub(super) fn memory(&self) -> usize {
        self.limits.memory
    }

    /// Keeps a planned statement until its ticket is redeemed.
    pub(super) fn plan(&self, statement: Planned) -> Result<Bytes> {
        let handle = unguessable()?;
        let mut statements = self.statements();
        // Clients plan to learn the columns, and never come back. The oldest goes; who wants it all the same is told.
        while statements.planned.len() >= self.limits.statements {
            statements.planned.shift_remove_index(0);
        }
        statements.planned.insert(key(handle.expose().as_bytes()), statement);
        Ok(handle.expose().to_owned().into())
    }

    /// Takes a planned statement to run it: a ticket is redeemed once.
    pub(super) fn redeem(self: &Arc<Self>, handle: &[u8]) -> Result<(Planned, Running)> {
        let key = key(handle);
        let permit = self.permit()?;
        let mut statements = self.statements();
        let statement = statements.planned.shift_remove(&key).ok_or_else(|| unknown("statement"))?;
        let running = self.running(key, permit, &mut statements);
        Ok((statement, running))
    }

    /// Counts a statement that runs at once, since it changes something.
    pub(super) fn run(self: &Arc<Self>) -> Result<Running> {
        self.kept.store(true, Relaxed);
        let permit = self.permit()?;
        let key = key(unguessable()?.expose().as_bytes());
        Ok(self.running(key, permit, &mut self.statements()))
    }

    fn permit(&self) -> Result<OwnedSemaphorePermit> {
        self.permits.clone().try_acquire_owned().map_err(|_| {
            Error::new(
                ErrorKind::Limit,
                format!("{} of your statements are running, and no more may", self.limits.running),
            )
            .hint("read one to its end, or cancel it")
        })
    }

    fn running(self: &Arc<Self>, key: Digest, permit: OwnedSemaphorePermit, statements: &mut Statements) -> Running {
        let cancelled = self.ended.child_token();
        statements.running.insert(key, cancelled.clone());
        Running {
            client: self.clone(),
            key,
            cancelled,
            deadline: self.time().map(|time| (tokio::time::Instant::now() + time, time)),
            _permit: permit,
        }
    }

    /// Cancels a statement, whether it runs or was only planned.
    pub(super) fn cancel(&self, handle: &[u8]) -> Cancelled {
        let key = key(handle);
        let mut statements = self.statements();
        if statements.planned.shift_remove(&key).is_some() {
            return Cancelled::Yes;
        }
        match statements.running.get(&key) {
            Some(running) => {
                running.cancel();
                Cancelled::Yes
            }
            None => Cancelled::TooLate,
        }
    }

    /// Keeps a prepared statement until it is closed.
    pub(super) fn prepare(&self, prepared: Prepared) -> Result<Bytes> {
        let handle = unguessable()?;
        let mut statements = self.statements();
        // Clients forget to close what they have prepared; JDBC closes only the last.
        while statements.prepared.len() >= self.limits.statements {
            let Some((oldest, _)) = statements.prepared.shift_remove_index(0) else {
                break;
            };
            if statements.pushed_out.len() == REMEMBERED {
                statements.pushed_out.pop_front();
            }
            statements.pushed_out.push_back(oldest);
        }
        let statement = Bound { prepared, values: None };
        statements.prepared.insert(key(handle.expose().as_bytes()), statement);
        Ok(handle.expose().to_owned().into())
    }

    /// A prepared statement as it is bound now.
    pub(super) fn prepared(&self, handle: &[u8]) -> Result<Bound> {
        let mut statements = self.statements();
        self.used_again(&mut statements, handle).cloned()
    }

    /// A prepared statement, which is now the one that was used last.
    fn used_again<'s>(&self, statements: &'s mut Statements, handle: &[u8]) -> Result<&'s mut Bound> {
        let key = key(handle);
        let Some(at) = statements.prepared.get_index_of(&key) else {
            return Err(match statements.pushed_out.contains(&key) {
                true => Error::new(
                    ErrorKind::NotFound,
                    format!(
                        "this prepared statement made room for later ones: a session keeps {}",
                        self.limits.statements
                    ),
                )
                .hint("prepare it again, and close those that are not needed"),
                false => unknown("prepared statement"),
            });
        };
        statements.prepared.move_index(at, statements.prepared.len() - 1);
        statements.prepared.get_mut(&key).ok_or_else(|| unknown("prepared statement"))
    }

    /// Binds values to a prepared statement, in place of those before.
    pub(super) fn bind(&self, handle: &[u8], values: Sent) -> Result<()> {
        let mut statements = self.statements();
        self.used_again(&mut statements, handle)?.values = Some(values);
        Ok(())
    }

    /// Closes a prepared statement. One that was closed before is closed.
    pub(super) fn close(&self, handle: &[u8]) {
        self.statements().prepared.shift_remove(&key(handle));
    }
}
