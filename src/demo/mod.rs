//! The demo site: a small, deterministic Jira Service Management Cloud over real HTTP on loopback.
//!
//! Newcomers, tests and benches all use it. It knows nothing of the rest of the crate: it is the other side of the wire, and what it
//! says is taken from the vendor's API description and from recorded answers, oddities included.
//!
//! `route` tells reading from writing: `raise`, `act`, `admin` and `upload` change the state, and on the platform `edit`, `child` and `link`;
//! everything else only reads it.
//!
//! `state` holds the facts (made by `chance`, so that a site of a million requests costs no memory), `route` finds the answer to
//! a request, `server` speaks HTTP, `fault` breaks what `server` would have said.

mod act;
mod adf;
mod admin;
mod answer;
mod body;
mod chance;
mod child;
mod damage;
mod date;
mod desk;
mod directory;
mod draft;
mod edit;
mod edits;
mod fault;
mod field;
mod issue;
mod jql;
mod json;
mod knowledge;
mod limit;
mod link;
mod organization;
mod page;
mod person;
mod platform;
mod raise;
mod request;
mod route;
mod search;
mod server;
mod state;
mod ticket;
mod upload;
mod words;

use std::fmt;
use std::io;
use std::sync::Arc;
use std::time::Duration;

pub use date::Day;
pub use fault::Fault;
pub use jql::ZONES;
pub use server::Served;

/// E-mail address of the account that the demo site knows.
pub const USER: &str = "dana@demo.example";
/// API token of [`USER`]. It opens nothing but a demo site.
pub const TOKEN: &str = "demo-token";

/// E-mail address and API token of an account: 0 is that of [`USER`], the others up to 167 are its colleagues and customers. They see
/// the requests that they raised or take part in.
pub fn account(index: usize) -> (String, String) {
    match index {
        person::DANA => (USER.to_owned(), TOKEN.to_owned()),
        _ => (format!("person{index}@customer.example"), format!("{TOKEN}-{index}")),
    }
}

/// What a demo site is like.
#[derive(Debug, Clone)]
pub struct DemoOptions {
    /// Port on 127.0.0.1; 0 takes any free one.
    pub port: u16,
    /// Seed of all data: the same seed gives the same site.
    pub seed: u64,
    /// Number of customer requests.
    pub requests: usize,
    /// The last day of the data, in whose afternoon the clock of the site stands still; `None` for yesterday.
    pub date: Option<Day>,
    /// Time before each answer.
    pub latency: Duration,
    /// Requests per second and endpoint before the site answers 429; `None` for no limit.
    pub rate_limit: Option<u32>,
    /// What goes wrong.
    pub faults: Vec<Fault>,
    /// Time zone of the caller's profile, in which JQL reads dates: one of [`ZONES`].
    pub time_zone: String,
}

impl Default for DemoOptions {
    /// Any free port, seed 7, 300 requests until yesterday, at once, no limit, no faults, Europe/Berlin.
    fn default() -> Self {
        Self {
            port: 0,
            seed: 7,
            requests: 300,
            date: None,
            latency: Duration::ZERO,
            rate_limit: None,
            faults: Vec::new(),
            time_zone: ZONES[0].into(),
        }
    }
}

impl DemoOptions {
    /// The default with data that end on 2026-10-31, so that the site says the same on any day.
    pub fn fixed() -> Self {
        Self {
            date: Some(Day::FIXED),
            ..Self::default()
        }
    }
}

/// A running demo site. It stops when it is dropped.
pub struct DemoSite {
    url: String,
    server: Arc<server::Server>,
    task: tokio::task::JoinHandle<()>,
}

impl fmt::Debug for DemoSite {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("DemoSite").field("url", &self.url).finish_non_exhaustive()
    }
}

impl DemoSite {
    /// Starts a site on 127.0.0.1.
    ///
    /// # Errors
    /// The port is taken.
    pub async fn start(options: DemoOptions) -> io::Result<Self> {
        let listener = tokio::net::TcpListener::bind((std::net::Ipv4Addr::LOCALHOST, options.port)).await?;
        let url = format!("http://{}", listener.local_addr()?);
        let server = Arc::new(server::Server::new(url.clone(), options));
        let task = tokio::spawn(server::serve(listener, server.clone()));
        Ok(Self { url, server, task })
    }

    /// Root of the site, for the connection option `URL`.
    pub fn url(&self) -> &str {
        &self.url
    }

    /// What the site was asked so far, oldest first.
    pub fn served(&self) -> Vec<Served> {
        self.server.served()
    }

    /// Most requests that were under way at the same time so far.
    pub fn most_at_once(&self) -> usize {
        self.server.most_at_once()
    }

    /// Serves for as long as the process runs.
    pub async fn wait(&self) {
        std::future::pending::<()>().await;
    }
}

impl Drop for DemoSite {
    fn drop(&mut self) {
        self.task.abort();
    }
}
