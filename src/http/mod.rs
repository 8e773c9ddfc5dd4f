//! One request: how it is sent, retried, paced, limited, logged, and what its failure means.
//!
//! The only module that knows reqwest. It knows no tables, no paging and no JSON beyond error envelopes: a caller hands over a
//! [`Request`] and gets the bytes of a 2xx answer, or a typed [`Error`](crate::error::Error).
//!
//! # Design
//!
//! Deciding is pure and tested with tables: `retry` (again, and when?), `throttle` (what a 429 asks for), `gate` (who may go, at
//! which instant), `envelope` and `refusal` (what an answer means), `link` (which server-supplied links are ours). Doing is thin:
//! `exchange` sends one attempt, `call` loops over attempts, `client` owns what calls share.

mod authorization;
mod bridge;
mod budget;
mod call;
mod client;
mod envelope;
mod exchange;
mod gate;
mod grants;
mod jitter;
mod link;
mod log;
mod memory;
mod options;
#[cfg(feature = "otel")]
mod otlp;
mod recent;
mod refusal;
mod request;
mod response;
mod retry;
mod route;
mod statement;
mod terms;
mod throttle;
mod tls;
mod trace;
mod transport;
mod unknown;
mod wire;

#[cfg(test)]
mod tests;

pub(crate) use crate::connection::Secret;
pub(crate) use authorization::{Authorization, Proof, ProofKind, Signer};
use bridge::Bridge;
pub(crate) use client::Client;
pub(crate) use envelope::complaint;
pub(crate) use grants::{Asking, Consent, Grant, Granting};
pub use log::LoggedRequest;
pub(crate) use memory::{Held, Memory};
pub(crate) use options::{ClientOptions, Locator};
#[cfg(feature = "otel")]
pub(crate) use otlp::spans;
pub(crate) use recent::Recent;
pub(crate) use refusal::is_scope_error;
pub(crate) use request::{Method, Request, Safety};
pub(crate) use response::Response;
pub(crate) use retry::RetryPolicy;
pub(crate) use statement::{Misfit, OpenEnd, Statement};
pub(crate) use terms::{Content, Terms, Upload};
pub(crate) use unknown::is_outcome_unknown;
pub(crate) use wire::{Wire, WireAnswer, WireRequest};
