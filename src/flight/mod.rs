//! The Flight SQL server: a [`Session`](crate::Session) for each client, over gRPC.
//!
//! It speaks `Session` and knows no Jira. `server` listens and ends, `service` takes calls apart, `login` and `sessions` decide
//! who may go on, `client` is what one client has: its session, statements and limits.
//!
//! # Design
//!
//! The calls are told apart here, by [`Command`](arrow_flight::sql::Command), and not by the trait `FlightSqlService`: that one has two
//! methods for each question about metadata, of which one only repeats the schema of the other, and none for `GetSchema` and
//! `PollFlightInfo`, which clients use to plan without running.
//!
//! A query is planned when its `FlightInfo` is asked for and runs when its ticket is redeemed, once. Whoever asks again plans again. A
//! statement that changes something runs when its `FlightInfo` is asked for: clients that want no rows of it never redeem the ticket, or
//! cancel the call, and the write would be lost without a word. `GetSchema` and `CreatePreparedStatement` run nothing.

mod action;
mod client;
mod column;
mod flood;
mod handle;
mod info;
mod limits;
mod login;
mod metadata;
mod options;
mod peer;
mod put;
mod query;
mod server;
mod service;
mod session_option;
mod sessions;
mod status;
mod tls;
mod types;
mod users;
mod wire;

pub use limits::Limits;
pub use options::{Access, ServeOptions, TlsFiles};
pub use server::Server;
