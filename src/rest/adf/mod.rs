//! Documents in the Atlassian Document Format: as text, from text, as Markdown and from Markdown. Pure; knows no columns.
//!
//! A document is read leniently: apps leave out attributes, and write `null` for them. What is read is what somebody wrote: whatever
//! cannot be shown is counted, never dropped in silence.

mod node;
mod plain;
mod read;
#[cfg(test)]
mod tests;
mod text;
mod write;

#[cfg(test)]
pub(crate) use node::{MARKS, NODES};
pub(super) use plain::document;
pub(crate) use read::from_markdown;
pub(super) use text::{Reading, text};
pub(crate) use write::to_markdown;
