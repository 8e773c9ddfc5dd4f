//! One operation: bindings in, batches out.
//!
//! [`plan`] decides which endpoint answers what is asked (pure), [`request`] writes the request, [`shape`] and [`decode`] turn the
//! answer into Arrow rows, [`read`] drives pages and children. This floor knows Arrow and the schema; it knows no DataFusion.

mod adf;
mod answer;
mod bulk;
mod carried;
mod cell;
pub(crate) mod clause;
mod decode;
mod deliver;
pub(crate) mod deployment;
mod described;
mod dry;
mod encode;
mod field;
mod files;
mod find;
pub(crate) mod invoke;
mod jql;
mod login;
#[doc(hidden)]
pub mod measure;
mod metadata;
mod moved;
mod moving;
pub(crate) mod outcome;
mod pace;
mod pages;
pub(crate) mod plan;
pub(crate) mod read;
mod repair;
pub(crate) mod request;
mod roll;
mod said;
pub(crate) mod search;
mod seen;
mod shape;
pub(crate) mod site;
mod sweep;
mod touched;
mod type_name;
mod unit;
pub(crate) mod value;
pub(crate) mod write;

#[cfg(test)]
pub(crate) use adf::{MARKS, NODES};
pub(crate) use adf::{from_markdown, to_markdown};
pub(crate) use cell::{arrow_field, arrow_schema};
pub(crate) use jql::jql;
pub(crate) use type_name::type_name;
