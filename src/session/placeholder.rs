//! The parameters of a statement: `?` becomes `$1`, `$2`, … in the order of the text, and every parameter gets its name.

use std::collections::BTreeSet;
use std::ops::ControlFlow;

use datafusion::sql::sqlparser::ast::{Statement, Value, ValueWithSpan, VisitMut, VisitorMut};
use datafusion::sql::sqlparser::tokenizer::Location;

use crate::error::{Error, ErrorKind, Result};

/// Parameters beyond this number are an error: a number is an index, and `$4000000000` would ask for that many values.
const MOST: usize = 10_000;

/// Numbers the parameters that have none, and gives the names of all: `1`, `2`, … where they are numbered, else the names that are written,
/// in the order of the text.
///
/// # Errors
/// Numbers, names and question marks are mixed, or a number is out of range.
pub(super) fn parameters(statement: &mut Statement) -> Result<Vec<String>> {
    // What PREPARE prepares takes its values from EXECUTE.
    let (statement, own) = match statement {
        Statement::Prepare { statement, .. } => (statement.as_mut(), false),
        other => (other, true),
    };
    let mut found = Found::default();
    let ControlFlow::Continue(()) = statement.visit(&mut found);
    let mut written = found.0;
    written.sort_by_key(|(place, _)| *place);
    let unnumbered: Vec<Location> = (written.iter().filter(|(_, name)| name == "?"))
        .map(|(place, _)| *place)
        .collect();
    if !unnumbered.is_empty() && unnumbered.len() < written.len() {
        return Err(mixed());
    }
    let ControlFlow::Continue(()) = statement.visit(&mut Number(&unnumbered));
    if !own {
        return Ok(Vec::new());
    }
    if !unnumbered.is_empty() {
        return numbered(unnumbered.len());
    }
    let mut names: Vec<String> = Vec::new();
    let mut numbers = BTreeSet::new();
    for (_, name) in written {
        let name = name.trim_start_matches(['$', ':', '@']).to_owned();
        if name.bytes().all(|byte| byte.is_ascii_digit()) {
            numbers.insert(name.parse::<usize>().unwrap_or(usize::MAX));
        } else if !names.contains(&name) {
            names.push(name);
        }
    }
    match (numbers.last(), names.is_empty()) {
        (Some(_), false) => Err(mixed()),
        (Some(&last), true) => numbered(last),
        (None, _) => Ok(names),
    }
}

fn numbered(count: usize) -> Result<Vec<String>> {
    if count > MOST {
        return Err(
            Error::new(ErrorKind::Limit, format!("a statement takes at most {MOST} parameters"))
                .hint("ingest the values as a table, and join it"),
        );
    }
    Ok((1..=count).map(|number| number.to_string()).collect())
}

fn mixed() -> Error {
    Error::new(ErrorKind::Statement, "parameters are written in several ways")
        .hint("write them all as ?, all as $1, $2, …, or all as $name")
}

/// Collects placeholders with their places in the text.
#[derive(Default)]
struct Found(Vec<(Location, String)>);

impl VisitorMut for Found {
    type Break = std::convert::Infallible;

    fn pre_visit_value(&mut self, value: &mut ValueWithSpan) -> ControlFlow<Self::Break> {
        if let Value::Placeholder(name) = &value.value {
            self.0.push((value.span.start, name.clone()));
        }
        ControlFlow::Continue(())
    }
}

/// Numbers `?` by its place: the tree is not walked in the order of the text everywhere.
struct Number<'a>(&'a [Location]);

impl VisitorMut for Number<'_> {
    type Break = std::convert::Infallible;

    fn pre_visit_value(&mut self, value: &mut ValueWithSpan) -> ControlFlow<Self::Break> {
        if let Value::Placeholder(name) = &mut value.value
            && name == "?"
            && let Ok(index) = self.0.binary_search(&value.span.start)
        {
            *name = format!("${}", index + 1);
        }
        ControlFlow::Continue(())
    }
}

#[cfg(test)]
#[allow(clippy::unwrap_used, reason = "a test may fail")]
mod tests {
    use datafusion::sql::sqlparser::dialect::GenericDialect;
    use datafusion::sql::sqlparser::parser::Parser;

    use super::*;

    fn read(sql: &str) -> Result<(String, Vec<String>)> {
        let mut statement = Parser::parse_sql(&GenericDialect {}, sql).unwrap().remove(0);
        let names = parameters(&mut statement)?;
        Ok((statement.to_string(), names))
    }

    #[test]
    fn question_marks_are_numbered_in_the_order_of_the_text() {
        let (sql, names) =
            read("SELECT ?, a FROM t JOIN u ON u.x = ? WHERE b BETWEEN ? AND ?\n  ORDER BY a LIMIT ? OFFSET ?").unwrap();
        assert_eq!(
            sql,
            "SELECT $1, a FROM t JOIN u ON u.x = $2 WHERE b BETWEEN $3 AND $4 ORDER BY a LIMIT $5 OFFSET $6"
        );
        assert_eq!(names, ["1", "2", "3", "4", "5", "6"]);
        let (sql, names) = read("UPDATE t SET a = ?, b = (SELECT ? FROM x) WHERE c = ?").unwrap();
        assert_eq!(sql, "UPDATE t SET a = $1, b = (SELECT $2 FROM x) WHERE c = $3");
        assert_eq!(names.len(), 3);
    }

    #[test]
    fn names_and_numbers_are_taken_as_they_are_written() {
        assert_eq!(read("SELECT $b, $a, $b").unwrap().1, ["b", "a"]);
        assert_eq!(read("SELECT $3, $1").unwrap().1, ["1", "2", "3"]);
        assert!(read("SELECT '?', 1").unwrap().1.is_empty());
        assert!(read("PREPARE p AS SELECT ?").unwrap().1.is_empty());
    }

    #[test]
    fn mixtures_and_giants_are_refused() {
        for sql in ["SELECT ?, $1", "SELECT $1, $a", "SELECT $a, ?", "SELECT $4000000000"] {
            assert!(read(sql).is_err(), "{sql}");
        }
    }
}
