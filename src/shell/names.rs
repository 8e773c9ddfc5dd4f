//! Names of the site for completion, read in the background.

use std::collections::BTreeMap;
use std::sync::{Arc, PoisonError, RwLock};

use arrow::array::{Array, AsArray, StringArray};
use arrow::datatypes::DataType;
use futures::StreamExt;

use crate::error::{Error, ErrorKind, Result};
use crate::session::Session;

const PROCEDURES: &str = "SELECT procedure_name FROM sys.procedures";
const PARAMETERS: &str = "SELECT procedure_name, parameter_name FROM sys.procedure_parameters WHERE direction = 'in'";
const FUNCTIONS: &str = "SELECT DISTINCT routine_name FROM information_schema.routines";
const OPTIONS: &str = "SELECT name FROM sys.options";
const TABLES: &str = "SELECT table_name FROM sys.tables";
const COLUMNS: &str = "SELECT table_name, column_name FROM sys.columns \
                       UNION ALL SELECT concat(table_schema, '.', table_name), column_name \
                       FROM information_schema.columns WHERE table_schema IN ('temp', 'sys')";

/// What can be named. Clones are the same names.
#[derive(Debug, Clone, Default)]
pub(super) struct Names(Arc<RwLock<Known>>);

/// What is known so far.
#[derive(Debug, Clone, Default)]
pub(super) struct Known {
    /// Columns by table; a table of this session is `temp.name`.
    pub(super) tables: BTreeMap<String, Vec<String>>,
    /// Parameters by procedure.
    pub(super) procedures: BTreeMap<String, Vec<String>>,
    pub(super) functions: Vec<String>,
    pub(super) options: Vec<String>,
    pub(super) profiles: Vec<String>,
}

impl Known {
    /// The columns of a table by any of its names.
    pub(super) fn columns(&self, table: &str) -> Option<&Vec<String>> {
        let of_site = table.strip_prefix("public.").unwrap_or(table);
        self.tables.get(of_site).or_else(|| self.tables.get(&format!("temp.{table}")))
    }

    /// All names of all tables.
    pub(super) fn table_names(&self) -> impl Iterator<Item = String> {
        self.tables.keys().flat_map(|name| {
            let other = match name.strip_prefix("temp.") {
                Some(own) => Some(own.to_owned()),
                None if !name.contains('.') => Some(format!("public.{name}")),
                None => None,
            };
            [Some(name.clone()), other].into_iter().flatten()
        })
    }

    /// What the site has no part in.
    async fn at_once(session: &Session) -> Result<Self> {
        let named = |name: String| (name, Vec::new());
        let mut known = Self {
            tables: list(session, TABLES).await?.into_iter().map(named).collect(),
            procedures: list(session, PROCEDURES).await?.into_iter().map(named).collect(),
            functions: list(session, FUNCTIONS).await?,
            options: list(session, OPTIONS).await?,
            profiles: crate::profile::Profiles::load().map_or_else(
                |_| Vec::new(),
                |profiles| profiles.list().into_iter().map(|(name, _)| name).collect(),
            ),
        };
        for (procedure, parameter) in pairs(session, PARAMETERS).await? {
            known.procedures.entry(procedure).or_default().push(parameter);
        }
        Ok(known)
    }

    /// The columns, some of which only the site knows.
    async fn with_columns(mut self, session: &Session) -> Result<Self> {
        for (table, column) in pairs(session, COLUMNS).await? {
            self.tables.entry(table).or_default().push(column);
        }
        Ok(self)
    }
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
            let Ok(known) = Known::at_once(&session).await else { return };
            names.set(known.clone());
            if let Ok(known) = known.with_columns(&session).await {
                names.set(known);
            }
        });
    }

    fn set(&self, known: Known) {
        *self.0.write().unwrap_or_else(PoisonError::into_inner) = known;
    }
}

async fn list(session: &Session, sql: &str) -> Result<Vec<String>> {
    let rows = texts::<1>(session, sql).await?;
    Ok(rows.into_iter().map(|[name]| name).collect())
}

async fn pairs(session: &Session, sql: &str) -> Result<Vec<(String, String)>> {
    let rows = texts::<2>(session, sql).await?;
    Ok(rows.into_iter().map(|[first, second]| (first, second)).collect())
}

/// Rows of so many texts; those with a NULL are left out.
async fn texts<const N: usize>(session: &Session, sql: &str) -> Result<Vec<[String; N]>> {
    let mut rows = session.ask(sql).await?;
    let mut found = Vec::new();
    while let Some(batch) = rows.next().await {
        let batch = batch?;
        let columns = batch.columns().iter().map(|column| {
            let column = arrow::compute::cast(column, &DataType::Utf8);
            column.map(|column| column.as_string::<i32>().clone())
        });
        let columns: Vec<StringArray> = columns
            .collect::<Result<_, _>>()
            .map_err(|error| Error::new(ErrorKind::Internal, format!("names cannot be read: {error}")))?;
        for row in 0..batch.num_rows() {
            let cells = columns
                .iter()
                .filter(|column| column.is_valid(row))
                .map(|column| column.value(row).to_owned());
            found.extend(<[String; N]>::try_from(cells.collect::<Vec<_>>()).ok());
        }
    }
    Ok(found)
}

#[cfg(test)]
#[allow(clippy::unwrap_used, reason = "a test may fail")]
mod tests {
    use super::*;
    use crate::connection::Connection;

    #[tokio::test]
    async fn what_the_site_has_no_part_in_is_known_without_it() {
        let text = "URL=https://acme.invalid;AuthScheme=Anonymous";
        let session = Session::open(Connection::parse(text, std::iter::empty()).unwrap()).unwrap();
        let known = Known::at_once(&session).await.unwrap();
        assert!(known.tables.contains_key("requests"));
        assert!(known.procedures["transition_request"].contains(&"issue_key".to_owned()));
        assert!(known.functions.contains(&"substr".to_owned()));
        assert!(known.options.contains(&"URL".to_owned()));
    }
}
