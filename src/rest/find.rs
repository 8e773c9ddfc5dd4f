//! Values that the site is asked for before an operation: the id of what was named, or what was left out.

use std::sync::Arc;

use arrow::array::{AsArray, RecordBatch};
use arrow::datatypes::Int64Type;
use futures::TryStreamExt;

use super::described::Described;
use super::plan::{Known, Question, plan};
use super::read::{Scope, open};
use super::value::Value;
use crate::error::{Error, ErrorKind, Result};
use crate::schema::{Expect, Find, Operation, Table};

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

/// What the site says about a file elsewhere; nothing where it has no such row.
pub(super) async fn described(scope: &Scope, expect: &Expect, given: &[Option<Value>]) -> Result<Described> {
    let mut known = Known::default();
    for &(there, here) in &expect.bind {
        known.restrict(
            there,
            given[here].as_ref().and_then(Value::text).map(std::borrow::Cow::into_owned),
        );
    }
    let batches = rows(scope, &expect.table, &[expect.size, expect.media_type, expect.name], &known).await?;
    let sizes = batches
        .iter()
        .filter_map(|batch| batch.column(0).as_primitive_opt::<Int64Type>());
    let size = sizes.flat_map(|sizes| sizes.iter()).next().flatten();
    Ok(Described {
        size: size.and_then(|size| size.try_into().ok()),
        media_type: texts(&batches, 1).into_iter().next().flatten(),
        name: texts(&batches, 2).into_iter().next().flatten(),
    })
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

/// Truth of one column, all rows after one another; what is not said is true.
fn flags(batches: &[RecordBatch], position: Option<usize>) -> Vec<bool> {
    let columns = position
        .into_iter()
        .flat_map(|position| batches.iter().map(move |batch| batch.column(position).as_boolean_opt()));
    columns
        .flatten()
        .flat_map(|flags| flags.iter().map(|flag| flag != Some(false)))
        .collect()
}

/// What fits a name.
#[derive(Debug, PartialEq, Eq)]
enum Chosen {
    None,
    One(String),
    Several(Vec<String>),
    Impossible(Vec<String>),
}

/// The row that is meant. `values` are the columns: the value that is taken, then those that may equal what is wanted, in order of
/// preference: the first of these with a fitting row decides. A row that cannot be taken is none where another can.
fn choose(values: &[Vec<Option<String>>], possible: &[bool], wanted: Option<&str>) -> Chosen {
    let taken = &values[0];
    let rows = 0..taken.len();
    let fitting: Vec<usize> = match wanted {
        Some(wanted) if values.len() > 1 => {
            let fits = |by: &Vec<Option<String>>| {
                let fitting: Vec<usize> = rows.clone().filter(|&row| by[row].as_deref() == Some(wanted)).collect();
                (!fitting.is_empty()).then_some(fitting)
            };
            values[1..].iter().find_map(fits).unwrap_or_default()
        }
        _ => rows.collect(),
    };
    let is_possible = |row: &usize| possible.get(*row) != Some(&false);
    let distinct = |rows: &mut dyn Iterator<Item = usize>| {
        let mut found: Vec<String> = Vec::new();
        rows.filter_map(|row| taken[row].clone()).for_each(|value| {
            if !found.contains(&value) {
                found.push(value)
            }
        });
        found
    };
    let mut found = distinct(&mut fitting.iter().copied().filter(is_possible));
    match found.len() {
        1 => Chosen::One(found.remove(0)),
        0 if fitting.is_empty() => Chosen::None,
        0 => match distinct(&mut fitting.into_iter()) {
            found if found.is_empty() => Chosen::None,
            found => Chosen::Impossible(found),
        },
        _ => Chosen::Several(found),
    }
}

fn named(wanted: Option<&str>) -> String {
    wanted.map_or_else(|| "what was given".to_owned(), |wanted| format!("{wanted:?}"))
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
    columns.extend(find.possible);
    let batches = rows(scope, table, &columns, &known).await?;
    let values: Vec<Vec<Option<String>>> = (0..=find.by.len()).map(|position| texts(&batches, position)).collect();
    let possible = flags(&batches, find.possible.map(|_| columns.len() - 1));
    let wanted = given[find.given].as_ref().and_then(Value::text);
    match choose(&values, &possible, wanted.as_deref()) {
        Chosen::One(found) => return Ok(found),
        Chosen::None => {}
        Chosen::Several(found) => {
            let error = format!(
                "several rows of {} fit {}: {}",
                table.name,
                named(wanted.as_deref()),
                found.join(", ")
            );
            let hint = find
                .several
                .clone()
                .unwrap_or_else(|| "name one of them by its id".to_owned());
            return Err(Error::new(ErrorKind::Statement, error).hint(hint));
        }
        Chosen::Impossible(found) => {
            let error = format!(
                "{} has {} for {}, which cannot be taken now",
                table.name,
                found.join(", "),
                named(wanted.as_deref())
            );
            let possible = &find.possible.map_or("", |column| table.columns[column].name.as_str());
            return Err(Error::new(ErrorKind::NotFound, error).hint(format!(
                "{possible} is false: the site says that its conditions are not met; nothing was sent for the row"
            )));
        }
    }
    let described = |name: &str| table.columns[find.bind[0].0].name.clone() + " " + name;
    let place = find
        .bind
        .first()
        .and_then(|(_, here)| given[*here].as_ref()?.text().map(|text| described(&text)))
        .unwrap_or_default();
    let mut known: Vec<String> = Vec::new();
    for value in values.iter().next_back().into_iter().flatten().flatten() {
        if known.len() < NAMED && !known.contains(value) {
            known.push(value.clone());
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

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_named_is_found_once_and_possible() {
        let column = |values: &[&str]| {
            values
                .iter()
                .map(|&value| (!value.is_empty()).then(|| value.to_owned()))
                .collect::<Vec<_>>()
        };
        let ids = column(&["11", "21", "31", "31", ""]);
        let names = column(&["Close", "Reject", "Wait", "Wait", "Lost"]);
        let status = column(&["Closed", "Closed", "Waiting", "Waiting", "Lost"]);
        let one = |id: &str| Chosen::One(id.to_owned());
        let several = |ids: &[&str]| Chosen::Several(ids.iter().map(|&id| id.to_owned()).collect());
        for (by, possible, wanted, expected) in [
            (&status, vec![], Some("Closed"), several(&["11", "21"])),
            (&status, vec![true, false, true, true, true], Some("Closed"), one("11")),
            (
                &status,
                vec![false; 5],
                Some("Closed"),
                Chosen::Impossible(vec!["11".into(), "21".into()]),
            ),
            (&status, vec![], Some("Waiting"), one("31")),
            (&status, vec![], Some("Done"), Chosen::None),
            (&status, vec![], Some("Lost"), Chosen::None),
            (&names, vec![], Some("Reject"), one("21")),
            (&ids, vec![], Some("21"), one("21")),
        ] {
            assert_eq!(choose(&[ids.clone(), by.clone()], &possible, wanted), expected, "{wanted:?}");
        }
        // An id comes before a name that looks like one.
        let names = column(&["21", "Reject", "", "", ""]);
        assert_eq!(choose(&[ids.clone(), ids.clone(), names], &[], Some("21")), one("21"));
        // Nothing to compare with: the only row there is.
        assert_eq!(choose(&[column(&["7"])], &[], None), one("7"));
        assert_eq!(choose(&[column(&["7", "8"])], &[], None), several(&["7", "8"]));
        assert_eq!(choose(&[vec![]], &[], None), Chosen::None);
    }
}
