//! Errors of planning in words that help: which name was meant, where names are listed.

use std::collections::BTreeSet;

use datafusion::common::{Column, SchemaError};
use datafusion::error::DataFusionError;

use super::fields::is_id;
use super::heading::written;
use crate::connection::closest;
use crate::error::{Error, ErrorKind};
use crate::schema::{Catalog, Table};
use crate::table::{from_datafusion, to_datafusion};

/// Most columns that a hint names.
const MOST_NAMED: usize = 8;

/// Which column was meant: those that begin so, the closest, or where they are listed.
fn column_hint(field: &Column, valid: &[Column], catalog: &Catalog) -> String {
    let tables: BTreeSet<&str> = valid
        .iter()
        .filter_map(|field| Some(field.relation.as_ref()?.table()))
        .collect();
    // What is named by a table is meant of that one.
    let own = field.relation.as_ref().map(|relation| relation.table());
    if let Some(own) = own
        && !tables.is_empty()
        && !tables.contains(own)
    {
        let has_it = |table: &&&str| {
            let of_it = |known: &&Column| known.relation.as_ref().is_some_and(|relation| relation.table() == **table);
            valid.iter().filter(of_it).any(|known| known.name == field.name)
        };
        if let Some(table) = tables.iter().find(has_it) {
            return format!("did you mean {table}.{}?", field.name);
        }
        let tables: Vec<&str> = tables.into_iter().collect();
        return format!("nothing is called {own} here; there is {}", tables.join(", "));
    }
    let is_own = |known: &&Column| own.is_none() || known.relation.as_ref().map(|relation| relation.table()) == own;
    let known = valid.iter().filter(is_own).map(|known| written(&known.name));
    let qualified = |name: &str| match own {
        Some(own) => format!("{own}.{name}"),
        None => name.to_owned(),
    };
    match known.clone().filter(|known| *known == field.name).count() {
        0 => {}
        1 => return "its query sorts or groups by a column that is called so: give what it selects a name by AS".into(),
        _ => return "two columns are called so: give one another name by AS".into(),
    }
    let begin = known
        .clone()
        .filter(|known| field.name.len() > 2 && known.starts_with(&field.name));
    let begin: BTreeSet<&str> = begin.collect();
    if !begin.is_empty() && begin.len() <= MOST_NAMED {
        let names: Vec<String> = begin.into_iter().map(qualified).collect();
        return match &names[..] {
            [name] => format!("did you mean {name}?"),
            _ => format!("these begin so: {}", names.join(", ")),
        };
    }
    let table = match own.map_or_else(|| tables.into_iter().collect(), |own| vec![own])[..] {
        [table] if catalog.table(table).is_some() => table,
        _ => of_columns(known.clone().collect(), catalog).unwrap_or("…"),
    };
    let list = format!("SELECT column_name FROM sys.columns WHERE table_name = '{table}'");
    // The name of a custom field may be any; its id stands in the description of its column.
    if is_id(&field.name) {
        return format!(
            "{list} AND description LIKE '%({})%' says how the column of this field is called",
            field.name
        );
    }
    match closest(&field.name, known) {
        Some(near) => format!("did you mean {}?", qualified(near)),
        None => format!("{list} lists the columns"),
    }
}

/// The table of the catalog that has just these columns, whatever it is called in the statement. Custom fields come on top.
fn of_columns<'a>(known: BTreeSet<&str>, catalog: &'a Catalog) -> Option<&'a str> {
    let has_just_these = |table: &&std::sync::Arc<Table>| {
        // A star leaves out what is only asked.
        let mut shown = table.columns.iter().filter(|column| !column.input);
        shown.all(|column| known.contains(column.name.as_str()))
            && (table.custom.is_some() || known.iter().all(|name| table.column(name).is_some()))
    };
    let tables = catalog.tables().iter().filter(has_just_these);
    tables
        .max_by_key(|table| table.columns.len())
        .map(|table| table.name.as_str())
}

/// An error of the optimizer. Names are known by then: one that it does not find is one that it has lost.
pub(super) fn optimizing(error: DataFusionError) -> DataFusionError {
    match error.find_root() {
        DataFusionError::SchemaError(schema, _) if matches!(schema.as_ref(), SchemaError::FieldNotFound { .. }) => {
            to_datafusion(not_joined())
        }
        _ => error,
    }
}

fn not_joined() -> Error {
    Error::new(
        ErrorKind::Unsupported,
        "a subquery that looks at the rows around it cannot be joined with them as it is written",
    )
    .hint("join the rows instead: … LEFT JOIN (SELECT k, count(*) AS n FROM … GROUP BY k) t ON t.k = …")
}

/// An error of planning or starting a statement. Errors of our own pass unchanged.
pub(super) fn planning(error: DataFusionError, catalog: &Catalog) -> Error {
    if let DataFusionError::SchemaError(schema, _) = error.find_root()
        && let SchemaError::FieldNotFound { field, valid_fields } = schema.as_ref()
    {
        return Error::new(
            ErrorKind::Statement,
            format!("there is no column {}", field.quoted_flat_name()),
        )
        .hint(column_hint(field, valid_fields, catalog));
    }
    let error = from_datafusion(error);
    if error.hint_text().is_some() {
        return error;
    }
    if let Some(error) = reworded(error.message()) {
        return error;
    }
    if let Some(name) = error
        .message()
        .strip_prefix("table '")
        .and_then(|rest| rest.strip_suffix("' not found"))
    {
        let known = catalog.tables().iter().map(|table| table.name.as_str());
        let hint = match closest(name.rsplit('.').next().unwrap_or(name), known) {
            Some(near) => format!("did you mean {near}?"),
            None => "SELECT table_name FROM sys.tables lists the tables".into(),
        };
        return Error::new(ErrorKind::Statement, format!("there is no table {name}")).hint(hint);
    }
    if error.message().contains("Inconsistent data length across values list")
        || error.message().contains("Column count doesn't match insert query")
    {
        return error.hint("name the columns that the values are for: INSERT INTO table (column, …) VALUES (…)");
    }
    if error.message().contains("'avg(Interval") {
        return Error::new(ErrorKind::Statement, "there is no average of intervals")
            .hint("avg(extract(epoch FROM x)) is the average in seconds; what timestamps differ by has an average: avg(resolved - created)");
    }
    if error.message().contains("Correlated scalar subquery must be aggregated") {
        return error.hint("say which of its rows: max(x), min(x), or first_value(x ORDER BY …)");
    }
    if error.message().contains("Insert into not implemented") {
        return error.hint("SELECT table_name FROM sys.tables WHERE insertable lists the tables that take rows");
    }
    if error.message().contains("RecursionLimitExceeded") || error.message().contains("recursion limit") {
        return error.hint("the statement nests too deeply; use WITH, or IN instead of OR");
    }
    error
}

/// Errors that the engine takes for its own, or words by its structures.
fn reworded(message: &str) -> Option<Error> {
    if let Some(name) = (message.split_once("Schema contains qualified field name "))
        .and_then(|(_, rest)| rest.split_once(" and unqualified field name "))
        .and_then(|(_, rest)| rest.strip_suffix(" which would be ambiguous"))
    {
        let name = written(name);
        let error = Error::new(ErrorKind::Statement, format!("two columns are called {name}"));
        return Some(error.hint(format!(
            "give the other a name of its own: AS {name}_2, or leave it out of *: * EXCLUDE ({name})"
        )));
    }
    if let Some(name) = message.strip_prefix("Ambiguous reference to unqualified field ") {
        let name = written(name);
        let error = Error::new(ErrorKind::Statement, format!("{name} may be a column of several tables"));
        return Some(error.hint(format!("say of which: t.{name}")));
    }
    if let Some(at) = message.find("Failed to coerce types") {
        let what = message[at..].split(". ").next().unwrap_or_default();
        return Some(Error::new(ErrorKind::Statement, what).hint("cast one side to the type of the other: CAST(… AS …)"));
    }
    if message.contains("Too many columns! The subquery should only return one column") {
        let what = "a subquery inside of an expression answers one column";
        let hint = "select one; for (a, b) IN (SELECT x, y …), write EXISTS (SELECT 1 FROM … WHERE x = a AND y = b)";
        return Some(Error::new(ErrorKind::Unsupported, what).hint(hint));
    }
    if message.contains("Unnest should be rewritten to LogicalPlan::Unnest") {
        let what = "unnest is a column of SELECT, or stands in FROM";
        let hint = "put it into a subquery: SELECT … FROM (SELECT …, unnest(xs) AS x FROM …) t WHERE x = … ORDER BY x";
        return Some(Error::new(ErrorKind::Unsupported, what).hint(hint));
    }
    let condition = |what: &str| {
        let message = format!("{what} is a condition of WHERE or HAVING, or a value of SELECT");
        Some(Error::new(ErrorKind::Unsupported, message).hint("as a value, write (SELECT count(*) FROM … WHERE …) > 0"))
    };
    if message.contains("In/Exist/SetComparison subquery can only be used in") {
        return condition("IN or EXISTS with a subquery");
    }
    for (node, what) in [("InSubquery(", "IN with a subquery"), ("Exists(", "EXISTS")] {
        if message.contains("does not support logical expression") && message.contains(node) {
            return condition(what);
        }
    }
    (message.contains("does not support logical expression")
        && ["OuterReferenceColumn(", "ScalarSubquery("]
            .iter()
            .any(|node| message.contains(node)))
    .then(not_joined)
}
