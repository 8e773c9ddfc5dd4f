//! The sessions of a server, and how long they live.

use std::collections::{HashMap, VecDeque};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Instant;

use super::client::Client;
use super::handle::Digest;
use super::limits::Limits;
use crate::error::{Error, ErrorKind, Result};

/// What a client is known by.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub(super) enum Key {
    /// The bearer token that its login gave.
    Token(Digest),
    /// User and password, sent with every call.
    Credentials(Digest),
    /// Its connection, where nobody says who it is.
    Wire(u64),
}

/// All sessions by what their clients are known by.
pub(super) struct Sessions {
    limits: Limits,
    clients: Mutex<HashMap<Key, Arc<Client>>>,
    /// Those that made room for others, the latest last: who comes back is told.
    pushed_out: Mutex<VecDeque<Key>>,
}

/// Sessions that are remembered after they made room for another.
const REMEMBERED: usize = 1_000;

impl Sessions {
    pub(super) fn new(limits: Limits) -> Self {
        Self {
            limits,
            clients: Mutex::default(),
            pushed_out: Mutex::default(),
        }
    }

    /// Whether the session that was known by this made room for another.
    pub(super) fn was_pushed_out(&self, key: &Key) -> bool {
        self.pushed_out.lock().unwrap_or_else(PoisonError::into_inner).contains(key)
    }

    fn push_out(&self, key: Key, client: &Client) {
        client.end();
        let mut pushed_out = self.pushed_out.lock().unwrap_or_else(PoisonError::into_inner);
        if pushed_out.len() == REMEMBERED {
            pushed_out.pop_front();
        }
        pushed_out.push_back(key);
    }

    /// Notes that a connection has closed: its own session ends, and the others that were used on it may make room.
    pub(super) fn closed(&self, wire: u64) {
        self.end(&Key::Wire(wire));
        self.clients().values().for_each(|client| client.off(wire));
    }

    fn clients(&self) -> MutexGuard<'_, HashMap<Key, Arc<Client>>> {
        // Nothing panics while it is held, and a map is whole between two calls in any case.
        self.clients.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// The client that is known by this, unless its session has ended. It counts as used.
    pub(super) fn find(&self, key: &Key) -> Option<Arc<Client>> {
        let now = Instant::now();
        let mut clients = self.clients();
        let client = clients.get(key)?;
        if client.has_expired(&self.limits, now) {
            clients.remove(key).inspect(|client| client.end());
            return None;
        }
        client.touch(now);
        Some(client.clone())
    }

    /// Keeps a client; the one that is already known by this stays. Where there are too many, one that nobody misses makes room.
    pub(super) fn keep(&self, key: Key, client: Arc<Client>) -> Result<Arc<Client>> {
        self.sweep();
        let mut clients = self.clients();
        if let Some(known) = clients.get(&key) {
            return Ok(known.clone());
        }
        let Limits {
            sessions,
            sessions_per_user: own,
            ..
        } = self.limits;
        if !self.make_room(&mut clients, own, |other| other.owner == client.owner) {
            return Err(Error::new(
                ErrorKind::Limit,
                format!("{} has {own} sessions, and may have no more", client.owner),
            )
            .hint("close sessions that are not needed, or raise --max-sessions-per-user"));
        }
        if !self.make_room(&mut clients, sessions, |_| true) {
            return Err(full(sessions));
        }
        clients.insert(key, client.clone());
        Ok(client)
    }

    /// Makes room for one more among the sessions that count, by ending that which was not used for longest. Whether there is room.
    fn make_room(&self, clients: &mut HashMap<Key, Arc<Client>>, most: usize, counts: impl Fn(&Client) -> bool) -> bool {
        let counted = clients.iter().filter(|(_, client)| counts(client));
        if counted.clone().count() < most {
            return true;
        }
        let spare = counted.filter(|(key, client)| is_spare(key, client));
        let oldest = spare.min_by_key(|(_, client)| client.used()).map(|(key, _)| key.clone());
        let Some((key, client)) = oldest.and_then(|key| clients.remove_entry(&key)) else {
            return false;
        };
        self.push_out(key, &client);
        true
    }

    /// An error if there is no room for another session: better said before a login is tried.
    pub(super) fn has_room(&self) -> Result<()> {
        self.sweep();
        let clients = self.clients();
        match clients.len() < self.limits.sessions || clients.iter().any(|(key, client)| is_spare(key, client)) {
            true => Ok(()),
            false => Err(full(self.limits.sessions)),
        }
    }

    /// Ends a session and all that runs in it. Whether there was one.
    pub(super) fn end(&self, key: &Key) -> bool {
        let client = self.clients().remove(key);
        client.inspect(|client| client.end()).is_some()
    }

    /// Ends the sessions that are over, and what still runs in them: nobody could cancel it any more.
    pub(super) fn sweep(&self) {
        let now = Instant::now();
        self.clients().retain(|_, client| {
            let is_over = client.has_expired(&self.limits, now);
            if is_over {
                client.end();
            }
            !is_over
        });
    }

    /// Whether any client waits for the end of a statement.
    pub(super) fn are_busy(&self) -> bool {
        self.clients().values().any(|client| client.is_busy())
    }

    /// Ends everything.
    pub(super) fn end_all(&self) {
        for (_, client) in self.clients().drain() {
            client.end();
        }
    }
}

/// Whether a session can be ended in favour of another. One that belongs to a connection goes with it; a client with a token, if it is still
/// there, must log in again and so is told; one that says who it is with each call would not be, so what it keeps stays.
fn is_spare(key: &Key, client: &Client) -> bool {
    match key {
        Key::Wire(_) => false,
        Key::Credentials(..) => client.is_idle(),
        Key::Token(..) => client.is_idle() || client.is_left(),
    }
}

fn full(most: usize) -> Error {
    Error::new(ErrorKind::Limit, format!("the server has {most} sessions, and takes no more"))
        .hint("close sessions that are not needed, or raise --max-sessions")
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::super::client::Owner;
    use super::super::handle::digest;
    use super::*;
    use crate::connection::Connection;
    use crate::session::Session;

    #[test]
    fn what_runs_in_a_session_that_is_too_old_is_cancelled() {
        let connection = Connection::parse("URL=http://127.0.0.1:9;User=a;APIToken=b", std::iter::empty()).unwrap();
        let session = Session::open(connection).unwrap();
        let limits = Limits {
            life: Duration::ZERO,
            ..Limits::default()
        };
        let sessions = Sessions::new(limits.clone());
        let ends: [fn(&Sessions, &Key); 2] = [
            |sessions, _| sessions.sweep(),
            |sessions, key| assert!(sessions.find(key).is_none()),
        ];
        for end in ends {
            let client = Client::new(session.clone(), Owner::User("a".into()), &limits);
            let key = Key::Token(digest(&["a"]));
            sessions.keep(key.clone(), client.clone()).unwrap();
            let running = client.run().unwrap();
            end(&sessions, &key);
            assert!(running.cancelled.is_cancelled());
            assert!(!sessions.are_busy());
        }
    }
}
