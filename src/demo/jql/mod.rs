//! JQL as the site understands it: a text becomes tokens, a query, and a decision for each issue.
//!
//! Written from Atlassian's grammar and documentation, with the ways in which JQL differs from SQL: `!=` and `NOT IN` drop empty
//! values, names compare without case and what the site does not know is refused, dates are read in the zone of the caller to the minute,
//! `~` looks for words.

mod eval;
mod lex;
mod parse;
mod zone;

pub(super) use eval::{Said, compile};
pub use zone::ZONES;
pub(super) use zone::{Zone, home, zone};
