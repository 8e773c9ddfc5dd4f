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
