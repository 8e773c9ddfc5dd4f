//! What the clients of a server may use.

use std::time::Duration;

/// What the clients of a server may use. What exceeds a limit is an error of that client (`RESOURCE_EXHAUSTED`), never of another.
#[derive(Debug, Clone)]
pub struct Limits {
    /// Largest message to accept, in bytes.
    pub message: usize,
    /// Most connections at a time; further ones are closed at once.
    pub connections: usize,
    /// Most sessions at a time.
    pub sessions: usize,
    /// Most sessions of a user at a time; of an address, where nobody says who they are.
    pub sessions_per_user: usize,
    /// Most statements that a session may have planned or prepared without running or closing them.
    pub statements: usize,
    /// Most statements that a session may run at a time.
    pub running: usize,
    /// Longest time that a statement may run, from the first request to the last row. None: no end.
    pub time: Option<Duration>,
    /// Most bytes that a session may hold in memory: what it sorts, joins and groups, answers of the site until they are read, rows that
    /// are to be written, results that wait to be fetched, values that its client has bound.
    pub memory: usize,
    /// A session that is not used for so long ends.
    pub idle: Duration,
    /// A session ends after so long, used or not; its client logs in again.
    pub life: Duration,
    /// Wrong logins that one address may try in a minute.
    pub wrong_logins: usize,
    /// How long statements may go on once the server is told to stop.
    pub drain: Duration,
}

impl Default for Limits {
    /// 16 MiB a message, 1,000 connections and sessions, 250 of them of a user, 100 statements of which 16 run, no time limit, 256 MiB, half an hour idle, twelve
    /// hours of life, 10 wrong logins, 30 seconds to drain.
    fn default() -> Self {
        Self {
            message: 16 << 20,
            connections: 1_000,
            sessions: 1_000,
            sessions_per_user: 250,
            statements: 100,
            running: 16,
            time: None,
            memory: 256 << 20,
            idle: Duration::from_secs(30 * 60),
            life: Duration::from_secs(12 * 60 * 60),
            wrong_logins: 10,
            drain: Duration::from_secs(30),
        }
    }
}
