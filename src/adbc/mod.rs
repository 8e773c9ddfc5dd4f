//! The ADBC driver: a shared library that programs load to run SQL on a site, with the Arrow C interfaces on both sides.
//!
//! It speaks [`Session`](crate::Session) and knows no Jira. `cargo rustc --lib --crate-type cdylib --features adbc` builds it;
//! `docs/adbc.md` says what of the specification applies.
//!
//! # Design
//!
//! Everything but `export` is safe Rust over the traits of `adbc_core`. A call of C may come from any thread and waits for its answer, so
//! each database owns a runtime (`engine`), and every wait ends when the statement is cancelled. A statement that changes something runs to
//! its end within the call; any other has sent the requests of its first rows when the call returns, so that a refused credential is an
//! error of the call with its code, and sends the rest while the rows are read.

mod bind;
mod cancel;
mod connection;
mod database;
mod driver;
mod engine;
mod errors;
mod export;
mod info;
mod metadata;
mod objects;
mod options;
mod pattern;
mod reader;
mod sql_type;
mod statement;
mod statistics;
mod target;
mod tree;
