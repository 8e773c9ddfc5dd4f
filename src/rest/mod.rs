//! One operation: bindings in, batches out.
//!
//! [`plan`] decides which endpoint answers what is asked (pure), [`request`] writes the request, [`shape`] and [`decode`] turn the
//! answer into Arrow rows, [`read`] drives pages and children. This floor knows Arrow and the schema; it knows no DataFusion.

mod answer;
mod cell;
mod decode;
mod encode;
mod files;
mod find;
pub(crate) mod invoke;
#[doc(hidden)]
pub mod measure;
pub(crate) mod outcome;
mod pace;
mod pages;
pub(crate) mod plan;
pub(crate) mod read;
pub(crate) mod request;
mod seen;
mod shape;
pub(crate) mod site;
pub(crate) mod value;
pub(crate) mod write;

pub(crate) use cell::{arrow_field, arrow_schema};
