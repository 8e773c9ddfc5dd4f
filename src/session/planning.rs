//! Errors of planning in words that help: which name was meant, where names are listed.

use datafusion::common::SchemaError;
use datafusion::error::DataFusionError;

use crate::connection::closest;
use crate::error::{Error, ErrorKind};
use crate::schema::Catalog;
use crate::table::from_datafusion;

/// An error of planning or starting a statement. Errors of our own pass unchanged.
pub(super) fn planning(error: DataFusionError, catalog: &Catalog) -> Error {
    if let DataFusionError::SchemaError(schema, _) = error.find_root()
        && let SchemaError::FieldNotFound { field, valid_fields } = schema.as_ref()
    {
        let known = valid_fields.iter().map(|field| field.name.as_str());
        let hint = match closest(&field.name, known) {
            Some(near) => format!("did you mean {near}?"),
            None => "SELECT column_name FROM sys.columns WHERE table_name = '…' lists the columns".into(),
        };
        return Error::new(
            ErrorKind::Statement,
            format!("there is no column {}", field.quoted_flat_name()),
        )
        .hint(hint);
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
    if let Some(at) = message.find("Failed to coerce types") {
        let what = message[at..].split(". ").next().unwrap_or_default();
        return Some(Error::new(ErrorKind::Statement, what).hint("cast one side to the type of the other: CAST(… AS …)"));
    }
    for (node, what) in [("InSubquery(", "IN with a subquery"), ("Exists(", "EXISTS")] {
        if message.contains("does not support logical expression") && message.contains(node) {
            let hint = "as a value, write (SELECT count(*) FROM … WHERE …) > 0";
            return Some(
                Error::new(
                    ErrorKind::Unsupported,
                    format!("{what} is a condition of WHERE or HAVING only"),
                )
                .hint(hint),
            );
        }
    }
    None
}
