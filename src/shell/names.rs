//! Names of the site for completion, read in the background.

use std::collections::BTreeMap;
use std::sync::{Arc, PoisonError, RwLock};

use arrow::array::{Array, AsArray};
use arrow::datatypes::DataType;
use futures::StreamExt;

use crate::error::Result;
use crate::session::Session;

/// What can be named. Clones are the same names.
#[derive(Debug, Clone, Default)]
pub(super) struct Names(Arc<RwLock<Known>>);

/// What is known so far.
#[derive(Debug, Clone, Default)]
pub(super) struct Known {
    /// Columns by table; a table of this session is `temp.name`.
    pub(super) tables: BTreeMap<String, Vec<String>>,
    pub(super) procedures: Vec<String>,
    pub(super) functions: Vec<String>,
    pub(super) options: Vec<String>,
    pub(super) profiles: Vec<String>,
}

impl Names {
    /// What is known now.
    pub(super) fn known(&self) -> Known {
        self.0.read().unwrap_or_else(PoisonError::into_inner).clone()
    }

    /// Reads the names anew, in the background. Where a site does not answer, there are fewer of them.
    pub(super) fn refresh(&self, session: &Session) {
        let (names, session) = (self.clone(), session.clone());
        tokio::spawn(async move {
            // What the site has no part in comes first.
            let list = async |sql: &str| column(&session, sql).await.unwrap_or_default();
            let mut known = Known {
                tables: BTreeMap::new(),
                procedures: list("SELECT procedure_name FROM sys.procedures").await,
                functions: list("SELECT DISTINCT routine_name FROM information_schema.routines").await,
                options: list("SELECT name FROM sys.options").await,
                profiles: crate::profile::Profiles::load().map_or_else(
                    |_| Vec::new(),
                    |profiles| profiles.list().into_iter().map(|(name, _)| name).collect(),
                ),
            };
            for table in list("SELECT table_name FROM sys.tables").await {
                known.tables.insert(table, Vec::new());
            }
            names.set(known.clone());
            let pairs = "SELECT table_name, column_name FROM sys.columns \
                         UNION ALL SELECT concat(table_schema, '.', table_name), column_name \
                         FROM information_schema.columns WHERE table_schema IN ('temp', 'sys')";
            for (table, column) in two_columns(&session, pairs).await.unwrap_or_default() {
                known.tables.entry(table).or_default().push(column);
            }
            names.set(known);
        });
    }

    fn set(&self, known: Known) {
        *self.0.write().unwrap_or_else(PoisonError::into_inner) = known;
    }
}

async fn column(session: &Session, sql: &str) -> Result<Vec<String>> {
    let sql = format!("SELECT a, a FROM ({sql}) AS t(a)");
    Ok(two_columns(session, &sql).await?.into_iter().map(|(name, _)| name).collect())
}

async fn two_columns(session: &Session, sql: &str) -> Result<Vec<(String, String)>> {
    let mut rows = session.sql(sql).await?;
    let mut pairs = Vec::new();
    while let Some(batch) = rows.next().await {
        let batch = batch?;
        let text = |index: usize| arrow::compute::cast(batch.column(index), &DataType::Utf8);
        let (Ok(first), Ok(second)) = (text(0), text(1)) else {
            continue;
        };
        let (first, second) = (first.as_string::<i32>(), second.as_string::<i32>());
        let whole = (0..batch.num_rows()).filter(|&row| first.is_valid(row) && second.is_valid(row));
        pairs.extend(whole.map(|row| (first.value(row).to_owned(), second.value(row).to_owned())));
    }
    Ok(pairs)
}
