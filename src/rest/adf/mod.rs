//! Documents in the Atlassian Document Format: as text, and from text. Pure; knows no columns.
//!
//! A document is read leniently: apps leave out attributes, and write `null` for them. What is read is what somebody wrote: whatever
//! cannot be shown is counted, never dropped in silence.

mod node;
mod plain;
mod text;

pub(super) use plain::document;
pub(super) use text::{Reading, text};
