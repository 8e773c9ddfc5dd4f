//! The tables of a site as a DataFusion schema.
//!
//! Most tables are the same on every site. Those whose columns depend on the site are completed from its field metadata when a statement
//! first names one of those columns: one request for all of them and for as long as the session lives.

use std::collections::{BTreeMap, HashMap, HashSet};
use std::sync::Arc;

use async_trait::async_trait;
use datafusion::catalog::{SchemaProvider, TableProvider};
use datafusion::datasource::TableType;
use datafusion::error::Result;
use tokio::sync::OnceCell;

use crate::connection::Listing;
use crate::error::{Error, ErrorKind};
use crate::http::Statement;
use crate::rest::deployment::explain;
use crate::rest::site::Site;
use crate::schema::{Catalog, Table, resolve};
use crate::table::{SiteTable, to_datafusion};

tokio::task_local! {
    /// Names in the statement that is being planned; `None` where it may mean any column.
    static NAMES: Option<Arc<HashSet<String>>>;
    /// What the statement that is being planned is told; `None` where nobody runs it.
    static TOLD: Option<Arc<Statement>>;
}

/// Plans a statement that can mean no other columns than these; what is worth knowing about them is told to `told`.
pub(crate) async fn with_names<T>(
    names: Option<HashSet<String>>,
    told: Option<Arc<Statement>>,
    work: impl Future<Output = T>,
) -> T {
    NAMES.scope(names.map(Arc::new), TOLD.scope(told, work)).await
}

/// Tells the statement that is being planned what is worth knowing.
fn tell(what: impl FnOnce(&Statement)) {
    let _ = TOLD.try_with(|told| {
        if let Some(told) = told {
            what(told);
        }
    });
}

/// Schema `public` of catalog `jsm`.
#[derive(Debug)]
pub(crate) struct SiteSchema {
    catalog: Catalog,
    site: Arc<Site>,
    pushdown: bool,
    /// Whether custom fields become columns, where the connection says so.
    custom_fields: Option<bool>,
    listing: Listing,
    providers: HashMap<String, OnceCell<Arc<SiteTable>>>,
    /// Where a name without a schema is looked up that the site does not have.
    scratch: Arc<dyn SchemaProvider>,
}

impl SiteSchema {
    /// One provider per table of the catalog.
    pub(crate) fn new(
        catalog: &Catalog,
        site: &Arc<Site>,
        pushdown: bool,
        custom_fields: Option<bool>,
        listing: &Listing,
        scratch: Arc<dyn SchemaProvider>,
    ) -> Self {
        let names = catalog.tables().iter().map(|table| table.name.clone());
        Self {
            providers: names.map(|name| (name, OnceCell::new())).collect(),
            catalog: catalog.clone(),
            site: site.clone(),
            pushdown,
            custom_fields,
            listing: listing.clone(),
            scratch,
        }
    }

    /// The catalog with the columns that its tables have on this site. Where the site does not answer, they are those of every site: what
    /// is known without it must be readable without it. Then a warning says what is missing.
    pub(crate) async fn completed(&self) -> Catalog {
        let (mut tables, mut missing) = (Vec::new(), BTreeMap::<String, Vec<&str>>::new());
        for table in self.catalog.tables() {
            let complete = self.complete(table).await;
            if let Err(error) = &complete {
                missing.entry(error.message().to_owned()).or_default().push(&table.name);
            }
            tables.push(complete.unwrap_or_else(|_| table.clone()));
        }
        for (why, of) in missing {
            let of = of.join(", ");
            tell(|told| {
                told.warn(
                    format!("the columns that only this site has are missing here, those of {of}: {why}"),
                    1,
                )
            });
        }
        self.catalog.with(tables)
    }

    /// The table with the columns that it has on this site.
    async fn complete(&self, table: &Arc<Table>) -> Result<Arc<Table>, Error> {
        let Some(custom) = &table.custom else {
            return Ok(table.clone());
        };
        let include = self.custom_fields.unwrap_or(custom.needed);
        if !include && !custom.needed {
            return Ok(Arc::new(resolve(table, &[], false)));
        }
        // It belongs to no statement: whichever comes first needs it for all.
        let statement = Statement::new(0, None);
        let fields = self.site.metadata.fields(&self.site, &custom.fields, &statement).await;
        let fields = match fields {
            Ok(fields) => fields,
            Err(error) => {
                let error = explain(error.table(&table.name), &self.site, table, &statement).await;
                // The way round is another one than for rows that may not be seen.
                return Err(match error.kind() {
                    ErrorKind::Permission => error.hint(
                        "the list of fields, which says what the columns of the site are, may not be read; name the columns that every site has instead of *",
                    ),
                    ErrorKind::NotFound => error.hint(
                        "the site has no such list of fields, as a Data Center has none: connect with IncludeCustomFields=false, or name the columns that every site has instead of *",
                    ),
                    _ => error,
                });
            }
        };
        tell(|told| statement.warnings().into_iter().for_each(|warning| told.warn(warning, 1)));
        Ok(Arc::new(resolve(table, &fields, include)))
    }
}

/// Whether a table is listed where tables are.
pub(crate) fn is_listed(listing: &Listing, table: &Table) -> bool {
    let writable = table.insert.is_some() || !table.updates.is_empty() || table.delete.is_some();
    listing.shows_table(&table.name, writable)
}

#[async_trait]
impl SchemaProvider for SiteSchema {
    fn table_names(&self) -> Vec<String> {
        let tables = self.catalog.tables().iter().filter(|table| is_listed(&self.listing, table));
        tables.map(|table| table.name.clone()).collect()
    }

    async fn table(&self, name: &str) -> Result<Option<Arc<dyn TableProvider>>> {
        let (Some(table), Some(provider)) = (self.catalog.table(name), self.providers.get(name)) else {
            return self.scratch.table(name).await;
        };
        // Where nothing is named that depends on the site, the site is not asked.
        if let Some(custom) = table.custom.as_ref().filter(|_| !provider.initialized()) {
            let same_everywhere = |name: &String| table.column(name).is_some_and(|column| !custom.depends(column));
            let known = NAMES.try_with(|names| names.as_ref().is_some_and(|names| names.iter().all(same_everywhere)));
            if known.unwrap_or(false) {
                let table = Arc::new(resolve(table, &[], false));
                return Ok(Some(Arc::new(SiteTable::new(table, self.site.clone(), self.pushdown))));
            }
        }
        let make = || async {
            let table = self.complete(table).await?;
            Ok::<_, Error>(Arc::new(SiteTable::new(table, self.site.clone(), self.pushdown)))
        };
        let provider = provider.get_or_try_init(make).await.map_err(to_datafusion)?;
        Ok(Some(provider.clone()))
    }

    /// Without the table itself, whose columns may depend on the site: a list of tables must not ask it.
    async fn table_type(&self, name: &str) -> Result<Option<TableType>> {
        if self.providers.contains_key(name) {
            return Ok(Some(TableType::Base));
        }
        self.scratch.table_type(name).await
    }

    fn table_exist(&self, name: &str) -> bool {
        self.providers.contains_key(name) || self.scratch.table_exist(name)
    }
}
