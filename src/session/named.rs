//! Statements kept under a name: PREPARE, EXECUTE and DEALLOCATE.
//!
//! # Design
//! A statement is kept as it was written, and planned when it is executed, as if it stood there with its values. The engine would keep an
//! optimised plan: one that no longer shows whether a DELETE had a WHERE, and that reads tables which may be gone by now.

use std::collections::HashMap;
use std::sync::{Mutex, MutexGuard, PoisonError};

use datafusion::arrow::datatypes::FieldRef;
use datafusion::common::{ParamValues, ScalarValue};
use datafusion::sql::parser::Statement as SqlStatement;
use datafusion::sql::sqlparser::ast::{Ident, Statement};

use super::placeholder::parameters;
use super::{ParsedStatement, prepared::Parameters};
use crate::error::{Error, ErrorKind, Result};
use crate::table::{from_datafusion, is_kept};

/// Statements that a session may keep.
const MOST: usize = 1_000;

/// The kept statements of a session.
#[derive(Debug, Default)]
pub(super) struct NamedStatements(Mutex<HashMap<String, Named>>);

/// A statement and the types of its parameters, where PREPARE names them.
#[derive(Debug, Clone)]
struct Named {
    statement: ParsedStatement,
    types: Vec<FieldRef>,
}

impl NamedStatements {
    /// Keeps a statement.
    ///
    /// # Errors
    /// The name is taken, the types are not as many as the parameters, or too many are kept.
    pub(super) fn keep(&self, name: String, mut statement: Statement, types: Vec<FieldRef>) -> Result<()> {
        let parameters = parameters(&mut statement)?;
        if !types.is_empty() && types.len() != parameters.len() {
            return Err(Error::new(
                ErrorKind::Statement,
                format!("PREPARE {name}: parameters: {}, types: {}", parameters.len(), types.len()),
            )
            .hint("give each parameter a type, or none of them"));
        }
        let mut kept = self.lock();
        if kept.contains_key(&name) {
            return Err(
                Error::new(ErrorKind::Conflict, format!("a statement {name} is prepared already"))
                    .hint(format!("DEALLOCATE {name} first, or choose another name")),
            );
        }
        if kept.len() == MOST {
            return Err(Error::new(
                ErrorKind::Limit,
                format!("{MOST} statements are prepared, and no more may be"),
            )
            .hint("DEALLOCATE what is not needed; DEALLOCATE ALL forgets them all"));
        }
        let statement = ParsedStatement {
            statement: SqlStatement::Statement(Box::new(statement)),
            parameters,
        };
        kept.insert(name, Named { statement, types });
        Ok(())
    }

    /// Forgets a statement; all of them for `ALL`.
    ///
    /// # Errors
    /// There is none of this name.
    pub(super) fn forget(&self, name: &Ident) -> Result<()> {
        let mut kept = self.lock();
        if name.quote_style.is_none() && name.value.eq_ignore_ascii_case("all") {
            kept.clear();
            return Ok(());
        }
        let name = plain(name);
        kept.remove(&name).map(drop).ok_or_else(|| unknown(&name))
    }

    /// The statement of this name, with these values for its parameters; without values while it is only planned.
    ///
    /// # Errors
    /// There is none of this name, or it takes other values.
    pub(super) fn get(&self, name: &str, values: Option<Vec<ScalarValue>>) -> Result<(SqlStatement, Option<ParamValues>)> {
        let Named { statement, types } = self.lock().get(name).cloned().ok_or_else(|| unknown(name))?;
        let Some(values) = values else {
            return Ok((statement.statement, None));
        };
        let wrong = |error: Error| {
            let whole = Error::new(error.kind(), format!("EXECUTE {name}: {}", error.message()));
            whole.hint(error.hint_text().unwrap_or("give a value for each parameter, in order"))
        };
        let cast = |(index, value): (usize, ScalarValue)| match types.get(index) {
            Some(field) if is_kept(&value, field.data_type()) => value.cast_to(field.data_type()).map_err(from_datafusion),
            Some(field) => {
                let message = format!("{value} is no {}", field.data_type());
                Err(Error::new(ErrorKind::Statement, message).hint("give a value of the type that PREPARE names"))
            }
            None => Ok(value),
        };
        let values = values.into_iter().enumerate().map(cast).collect::<Result<Vec<_>>>();
        let given = match values.map_err(wrong)? {
            values if values.is_empty() => Parameters::None,
            values => Parameters::Positional(values),
        };
        let values = given.values(&statement.parameters).map_err(wrong)?;
        Ok((statement.statement, values))
    }

    fn lock(&self) -> MutexGuard<'_, HashMap<String, Named>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// A name as the engine reads it: in lower case unless it is quoted.
pub(super) fn plain(name: &Ident) -> String {
    match name.quote_style {
        Some(_) => name.value.clone(),
        None => name.value.to_lowercase(),
    }
}

fn unknown(name: &str) -> Error {
    Error::new(ErrorKind::Statement, format!("no statement {name} is prepared"))
        .hint("PREPARE it first; for a procedure see SELECT procedure_name FROM sys.procedures")
}
