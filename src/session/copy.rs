//! COPY … TO: which rows go where. The session writes no files; a front end that may does.

use datafusion::sql::parser::{CopyToSource, CopyToStatement, Statement as SqlStatement};
use datafusion::sql::sqlparser::ast::{Query, Statement};
use datafusion::sql::sqlparser::dialect::GenericDialect;
use datafusion::sql::sqlparser::parser::Parser;

use super::ParsedStatement;
use crate::error::{Error, ErrorKind, Result};

/// A COPY, taken apart.
#[derive(Debug, Clone)]
pub struct CopyTo {
    /// The statement whose rows are meant.
    pub rows: ParsedStatement,
    /// Where they go, as it is written.
    pub target: String,
    /// The format after STORED AS, in lower case.
    pub format: Option<String>,
}

impl ParsedStatement {
    /// The parts of a COPY; `None` for other statements. [`Session::execute`](super::Session::execute) refuses a COPY.
    pub fn copy(&self) -> Option<CopyTo> {
        let SqlStatement::CopyTo(copy) = &self.statement else {
            return None;
        };
        let CopyToSource::Query(query) = &copy.source else {
            return None;
        };
        let statement = SqlStatement::Statement(Box::new(Statement::Query(query.clone())));
        Some(CopyTo {
            rows: Self {
                statement,
                parameters: self.parameters.clone(),
            },
            target: copy.target.clone(),
            format: copy.stored_as.as_ref().map(|format| format.to_lowercase()),
        })
    }
}

/// The query of a COPY, in place: a table becomes `SELECT * FROM table`.
///
/// # Errors
/// It has options that nobody would heed.
pub(super) fn query(copy: &mut CopyToStatement) -> Result<&mut Query> {
    if !copy.options.is_empty() || !copy.partitioned_by.is_empty() {
        return Err(
            Error::new(ErrorKind::Unsupported, "COPY takes no OPTIONS and no PARTITIONED BY")
                .hint("the name of the file, or STORED AS, says the format"),
        );
    }
    if let CopyToSource::Relation(name) = &copy.source {
        let unreadable = |_| Error::new(ErrorKind::Statement, format!("{name} is no table")).hint("COPY (SELECT …) TO 'file'");
        let parsed = Parser::parse_sql(&GenericDialect {}, &format!("SELECT * FROM {name}")).map_err(unreadable)?;
        if let Some(Statement::Query(query)) = parsed.into_iter().next() {
            copy.source = CopyToSource::Query(query);
        }
    }
    match &mut copy.source {
        CopyToSource::Query(query) => Ok(query),
        CopyToSource::Relation(name) => {
            Err(Error::new(ErrorKind::Statement, format!("{name} is no table")).hint("COPY (SELECT …) TO 'file'"))
        }
    }
}
