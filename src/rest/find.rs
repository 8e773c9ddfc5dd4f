//! Values that the site is asked for before an operation: the id of what was named, or what was left out.

use std::sync::Arc;

use arrow::array::{AsArray, RecordBatch};
use futures::TryStreamExt;

use super::plan::{Known, Question, plan};
use super::read::{Scope, open};
use super::value::Value;
use crate::error::{Error, ErrorKind, Result};
use crate::schema::{Find, Operation, Table};

/// Candidates that an error names.
const NAMED: usize = 8;

/// Fills in the values that the operation finds on the site; `own` is the table that is written, if one is.
///
/// # Errors
/// What is named does not exist, or reading fails.
pub(super) async fn fill(
    scope: &Scope,
    operation: &Operation,
    own: Option<&Arc<Table>>,
    given: &mut [Option<Value>],
) -> Result<()> {
    for find in &operation.finds {
        if !is_due(find, given) {
            continue;
        }
        let table = find
            .table
            .as_ref()
            .or(own)
            .ok_or_else(|| Error::new(ErrorKind::Internal, "a value is to be found in no table"))?;
        let found = look(scope, find, table, given).await?;
        given[find.column] = Some(Value::Text(found));
    }
    Ok(())
}

/// Whether the site must be asked for the value.
fn is_due(find: &Find, given: &[Option<Value>]) -> bool {
    let has = |column: usize| matches!(&given[column], Some(value) if *value != Value::Null);
    match (find.given == find.column, find.by.is_empty()) {
        (true, true) => !has(find.column),
        (true, false) => has(find.column),
        (false, _) => !has(find.column) && has(find.given),
    }
}

/// Whether the row has the value already that the operation would be found by.
pub(super) async fn is_so_already(scope: &Scope, operation: &Operation, own: &Arc<Table>, given: &[Option<Value>]) -> bool {
    for find in operation.finds.iter().filter(|find| find.already) {
        let mut known = Known::default();
        for key in own.key() {
            known.restrict(key, given[key].as_ref().and_then(Value::text).map(|text| text.into_owned()));
        }
        let wanted = given[find.given].as_ref().and_then(Value::text);
        // What cannot be read is not known to be so; the error of the operation stands.
        if let (Some(wanted), Ok(batches)) = (wanted, rows(scope, own, &[find.given], &known).await)
            && texts(&batches, 0).iter().any(|present| present.as_deref() == Some(&*wanted))
        {
            return true;
        }
    }
    false
}

/// The rows of a table that are known in part.
async fn rows(scope: &Scope, table: &Arc<Table>, columns: &[usize], known: &Known) -> Result<Vec<RecordBatch>> {
    let question = Question {
        table,
        columns,
        known,
        parent_known: None,
        filter: None,
        limit: None,
    };
    let read = plan(&question, scope.site.context())?;
    open(scope.clone(), read).try_collect().await
}

/// Values of one column, all rows after one another.
fn texts(batches: &[RecordBatch], position: usize) -> Vec<Option<String>> {
    let columns = batches.iter().map(|batch| batch.column(position).as_string_opt::<i32>());
    let texts = columns
        .flatten()
        .flat_map(|texts| texts.iter().map(|text| text.map(str::to_owned)));
    texts.collect()
}

async fn look(scope: &Scope, find: &Find, table: &Arc<Table>, given: &[Option<Value>]) -> Result<String> {
    let mut known = Known::default();
    for &(there, here) in &find.bind {
        known.restrict(
            there,
            given[here].as_ref().and_then(Value::text).map(|text| text.into_owned()),
        );
    }
    let mut columns = vec![find.take];
    columns.extend(&find.by);
    let batches = rows(scope, table, &columns, &known).await?;
    let values = |position: usize| texts(&batches, position);
    let taken = values(0);
    let wanted = given[find.given].as_ref().and_then(Value::text);
    let row = match (&wanted, find.by.is_empty()) {
        (Some(wanted), false) => (1..columns.len()).find_map(|position| {
            let candidates = values(position);
            candidates
                .iter()
                .position(|candidate| candidate.as_deref() == Some(&**wanted))
        }),
        _ => Some(0).filter(|_| !taken.is_empty()),
    };
    if let Some(found) = row.and_then(|row| taken.get(row).cloned().flatten()) {
        return Ok(found);
    }
    let described = |name: &str| table.columns[find.bind[0].0].name.clone() + " " + name;
    let place = find
        .bind
        .first()
        .and_then(|(_, here)| given[*here].as_ref()?.text().map(|text| described(&text)))
        .unwrap_or_default();
    let last = columns.len() - 1;
    let mut known: Vec<String> = Vec::new();
    for value in values(last).into_iter().flatten() {
        if known.len() < NAMED && !known.contains(&value) {
            known.push(value);
        }
    }
    Err(match wanted {
        Some(wanted) => Error::new(
            ErrorKind::NotFound,
            format!("{} has no row {wanted:?} for {place}", table.name),
        )
        .hint(if known.is_empty() {
            "there are none at all, or the account may not see them".to_owned()
        } else {
            format!("there are {}", known.join(", "))
        }),
        None => Error::new(ErrorKind::NotFound, format!("{} has no row for {place}", table.name))
            .hint("it does not exist, or the account may not see it"),
    })
}
