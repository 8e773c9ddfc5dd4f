//! The Flight SQL server as its clients see it, in front of the demo site: every test tells what was asked of the site, too.

#![allow(clippy::unwrap_used, reason = "a test may fail")]

#[path = "flight/support.rs"]
mod support;

#[path = "flight/limits.rs"]
mod limits;
#[path = "flight/login.rs"]
mod login;
#[path = "flight/metadata.rs"]
mod metadata;
#[path = "flight/prepared.rs"]
mod prepared;
#[path = "flight/secrets.rs"]
mod secrets;
#[path = "flight/session.rs"]
mod session;
#[path = "flight/statement.rs"]
mod statement;
#[path = "flight/tls.rs"]
mod tls;
#[path = "flight/types.rs"]
mod types;
