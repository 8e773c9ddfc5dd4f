//! What there is to select from, for front ends that list it in formats of their own.
//!
//! The same can be read by SQL (`information_schema`, `sys.keys`); a listing is not a statement, so that neither `MaxRows` nor a limit on
//! requests cuts it short, and it sends no request.

use datafusion::datasource::TableType;

use super::Session;
use crate::error::Result;
use crate::table::from_datafusion;

/// A table or view by its whole name.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct ListedTable {
    pub(crate) schema: String,
    pub(crate) name: String,
    /// Whether it is a view.
    pub(crate) view: bool,
}

/// A column of a key. The tables of a site are in its schema `public`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct ListedKey {
    pub(crate) table: String,
    pub(crate) column: String,
    /// Its place among the columns of the primary key, from 1. None: it is no part of it, but references another table.
    pub(crate) ordinal: Option<i32>,
    /// The table and column that it references.
    pub(crate) references: Option<(String, String)>,
}

/// The catalog of every session.
pub(crate) const CATALOG: &str = "jsm";
/// The schema of the tables of the site.
pub(crate) const PUBLIC: &str = "public";
/// The schema of the tables and views of the session.
pub(crate) const SCRATCH: &str = "temp";

impl Session {
    /// The schemas, in the order of their names. That of the SQL standard, `information_schema`, is not among them.
    pub(crate) fn schemas(&self) -> Vec<String> {
        let mut names = self
            .shared
            .context
            .catalog(CATALOG)
            .map(|jsm| jsm.schema_names())
            .unwrap_or_default();
        names.sort();
        names
    }

    /// The tables and views of all schemas, in the order of schemas and names.
    pub(crate) async fn tables(&self) -> Result<Vec<ListedTable>> {
        let mut tables = Vec::new();
        for schema in self.schemas() {
            let Some(provider) = self.shared.context.catalog(CATALOG).and_then(|jsm| jsm.schema(&schema)) else {
                continue;
            };
            for name in provider.table_names() {
                // Looking up a table of the site, or one that tells of its columns, may be a question to the site.
                let view = match schema.as_str() {
                    SCRATCH => provider.table_type(&name).await.map_err(from_datafusion)? == Some(TableType::View),
                    schema => schema != PUBLIC,
                };
                tables.push(ListedTable {
                    schema: schema.clone(),
                    name,
                    view,
                });
            }
        }
        tables.sort();
        Ok(tables)
    }

    /// The columns of all keys of the site's tables.
    pub(crate) fn keys(&self) -> Vec<ListedKey> {
        let mut keys = Vec::new();
        for table in self.shared.catalog.tables() {
            let primary = table.key().filter(|_| table.unique);
            keys.extend((1..).zip(primary).map(|(ordinal, column)| ListedKey {
                table: table.name.clone(),
                column: table.columns[column].name.clone(),
                ordinal: Some(ordinal),
                references: None,
            }));
            let foreign = table.columns.iter().filter(|column| column.references.is_some());
            keys.extend(foreign.map(|column| ListedKey {
                table: table.name.clone(),
                column: column.name.clone(),
                ordinal: None,
                references: column.references.clone(),
            }));
        }
        keys
    }
}
