//! SQL for Jira Service Management.
//!
//! jsmql turns a Jira Service Management site into a database: every REST resource is a table that Apache DataFusion can scan, with
//! filters, limits and projections pushed down into REST queries. A [`Session`] is one connection to one site:
//!
//! ```no_run
//! # async fn example() -> jsmql::Result<()> {
//! use futures::TryStreamExt;
//!
//! let session = jsmql::Session::connect("URL=https://acme.atlassian.net;User=ann@acme.example;APIToken=…").await?;
//! let rows = session.sql("SELECT issue_key, summary FROM requests LIMIT 10").await?;
//! let batches: Vec<_> = rows.try_collect().await?;
//! # Ok(()) }
//! ```
//!
//! Answers are never silently wrong or short: a statement returns exact rows, or an [`Error`] that says why it could not.

#[cfg(feature = "adbc")]
mod adbc;
mod catalog;
mod certificate;
mod connection;
#[cfg(feature = "demo")]
pub mod demo;
#[cfg(test)]
mod docs;
mod error;
#[cfg(feature = "flight")]
pub mod flight;
mod http;
mod log;
mod profile;
mod rest;
mod schema;
mod session;
#[cfg(feature = "shell")]
pub mod shell;
mod sign_in;
mod table;

/// Schemas, arrays and batches: what rows are made of.
pub use arrow;
pub use connection::{
    Category as OptionCategory, Connection, OptionKind, OptionRow, OptionState, PseudoColumns, Source as OptionSource,
    Status as OptionStatus,
};
/// The engine, in the version whose contexts, values and streams this library takes and gives.
pub use datafusion;
pub use error::{Error, ErrorKind, KINDS, KindRow, RequestContext, Result};
pub use http::LoggedRequest;
#[doc(hidden)]
pub use rest::measure;
pub use session::{CopyTo, Findings, Ingest, IngestMode, Meter, Parameters, ParsedStatement, Prepared, Progress, Rows, Session};
pub use url::Url;
