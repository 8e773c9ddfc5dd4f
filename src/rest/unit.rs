//! Which rows of a write share a request. Pure.

use std::collections::HashMap;

use super::encode::Given;
use super::value::Value;
use super::write::Change;
use crate::schema::Operation;

/// Rows that share a request.
#[derive(Debug, Clone)]
pub(super) struct Unit {
    pub(super) rows: Vec<usize>,
    /// What must not be written to twice at a time; nothing where each row is a thing of its own.
    pub(super) lane: Option<String>,
}

/// The units of some rows, given by number and values, in the order of the first row of each; `batch` is how many rows may share a
/// request, where the API takes more.
pub(super) fn units<'a>(
    operation: &Operation,
    change: Change,
    batch: Option<usize>,
    rows: impl Iterator<Item = (usize, &'a Given)>,
) -> Vec<Unit> {
    let cap = |most: usize| batch.map_or(most, |rows| rows.clamp(1, most));
    let lane = operation.endpoint.placeholders().next();
    let text = |given: &Given, column: usize| given[column].as_ref().and_then(Value::text).unwrap_or_default().into_owned();
    let sent = operation.sends();
    let texts = |given: &Given, left_out: Option<usize>| {
        let sent = sent.iter().filter(|&&column| Some(column) != left_out);
        let texts: Vec<String> = sent.map(|&column| text(given, column)).collect();
        texts.join("\u{1f}")
    };
    let mut units: Vec<Unit> = Vec::new();
    let mut open: HashMap<String, usize> = HashMap::new();
    for (index, given) in rows {
        // What rows must agree in to share a request, and how many may.
        let shared = match (&operation.batch, &operation.bulk) {
            (Some(batch), _) => Some((texts(given, Some(batch.column)), cap(batch.max))),
            (None, Some(bulk)) => Some((String::new(), cap(bulk.max))),
            // Two rows may show one thing, such as a link between two issues: it is deleted once.
            (None, None) if change == Change::Delete => Some((texts(given, None), usize::MAX)),
            (None, None) => None,
        };
        let known = shared.as_ref().and_then(|(key, most)| {
            let unit = *open.get(key)?;
            (units[unit].rows.len() < *most).then_some(unit)
        });
        match known {
            Some(unit) => units[unit].rows.push(index),
            None => {
                open.extend(shared.map(|(key, _)| (key, units.len())));
                units.push(Unit {
                    rows: vec![index],
                    lane: lane.map(|column| text(given, column)),
                });
            }
        }
    }
    units
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::schema::Catalog;

    /// The rows of each unit, for rows that are given by texts of some columns.
    fn shared(table: &str, change: Change, batch: Option<usize>, columns: &[&str], rows: &[&[&str]]) -> Vec<Vec<usize>> {
        let catalog = Catalog::load(None).unwrap();
        let table = catalog.table(table).unwrap();
        let operation = match change {
            Change::Insert => table.insert.as_ref(),
            Change::Update => table.updates.first(),
            Change::Delete => table.delete.as_ref(),
        };
        let given = rows.iter().map(|texts| {
            let mut given = vec![None; table.columns.len()];
            for (name, text) in columns.iter().zip(*texts) {
                given[table.column(name).unwrap()] = Some(Value::Text((*text).to_owned()));
            }
            given
        });
        let given: Vec<Vec<Option<Value>>> = given.collect();
        let rows = given.iter().map(Vec::as_slice).enumerate();
        let units = units(operation.unwrap(), change, batch, rows);
        units.into_iter().map(|unit| unit.rows).collect()
    }

    #[test]
    fn rows_share_a_request_where_one_says_all() {
        let (key, person) = ("issue_key", "account_id");
        for (table, change, batch, columns, rows, expected) in [
            // A list takes what agrees in everything else.
            (
                "request_participants",
                Change::Insert,
                None,
                &[key, person][..],
                &[&["A-1", "x"][..], &["A-2", "x"], &["A-1", "y"]][..],
                vec![vec![0, 2], vec![1]],
            ),
            (
                "request_participants",
                Change::Insert,
                Some(1),
                &[key, person],
                &[&["A-1", "x"], &["A-1", "y"]],
                vec![vec![0], vec![1]],
            ),
            // Issues have nothing in common but the request.
            (
                "issues",
                Change::Insert,
                Some(2),
                &["summary"],
                &[&["a"], &["b"], &["c"]],
                vec![vec![0, 1], vec![2]],
            ),
            // A link has a row at either end.
            (
                "issue_links",
                Change::Delete,
                None,
                &[key, "id"],
                &[&["A-1", "7"], &["A-1", "8"], &["B-1", "7"]],
                vec![vec![0, 2], vec![1]],
            ),
            (
                "issue_comments",
                Change::Delete,
                None,
                &[key, "id"],
                &[&["A-1", "7"], &["B-1", "7"]],
                vec![vec![0], vec![1]],
            ),
            // Two comments are two.
            (
                "issue_comments",
                Change::Insert,
                None,
                &[key, "body"],
                &[&["A-1", "x"], &["A-1", "x"]],
                vec![vec![0], vec![1]],
            ),
        ] {
            assert_eq!(shared(table, change, batch, columns, rows), expected, "{table}");
        }
    }
}
