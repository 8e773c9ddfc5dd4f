//! The tables of a site as a DataFusion schema.
//!
//! Most tables are the same on every site. Those whose columns depend on the site are completed from its field metadata when a statement
//! first names them: one request for all of them and for as long as the session lives.

use std::collections::HashMap;
use std::sync::Arc;

use async_trait::async_trait;
use datafusion::catalog::{SchemaProvider, TableProvider};
use datafusion::error::Result;
use tokio::sync::OnceCell;

use crate::error::Error;
use crate::http::Statement;
use crate::rest::site::Site;
use crate::schema::{Catalog, Table, resolve};
use crate::table::{SiteTable, to_datafusion};

/// Schema `public` of catalog `jsm`.
#[derive(Debug)]
pub(crate) struct SiteSchema {
    catalog: Catalog,
    site: Arc<Site>,
    pushdown: bool,
    /// Whether custom fields become columns, where the connection says so.
    custom_fields: Option<bool>,
    providers: HashMap<String, OnceCell<Arc<SiteTable>>>,
}

impl SiteSchema {
    /// One provider per table of the catalog.
    pub(crate) fn new(catalog: &Catalog, site: &Arc<Site>, pushdown: bool, custom_fields: Option<bool>) -> Self {
        let names = catalog.tables().iter().map(|table| table.name.clone());
        Self {
            providers: names.map(|name| (name, OnceCell::new())).collect(),
            catalog: catalog.clone(),
            site: site.clone(),
            pushdown,
            custom_fields,
        }
    }

    /// The catalog with the columns that its tables have on this site. Where the site does not answer, they are those of every site: what
    /// is known without it must be readable without it.
    pub(crate) async fn completed(&self) -> Catalog {
        let mut tables = Vec::new();
        for table in self.catalog.tables() {
            tables.push(self.complete(table).await.unwrap_or_else(|_| table.clone()));
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
        let fields = fields.map_err(|error| error.table(&table.name))?;
        Ok(Arc::new(resolve(table, &fields, include)))
    }
}

#[async_trait]
impl SchemaProvider for SiteSchema {
    fn table_names(&self) -> Vec<String> {
        self.catalog.tables().iter().map(|table| table.name.clone()).collect()
    }

    async fn table(&self, name: &str) -> Result<Option<Arc<dyn TableProvider>>> {
        let (Some(table), Some(provider)) = (self.catalog.table(name), self.providers.get(name)) else {
            return Ok(None);
        };
        let make = || async {
            let table = self.complete(table).await?;
            Ok::<_, Error>(Arc::new(SiteTable::new(table, self.site.clone(), self.pushdown)))
        };
        let provider = provider.get_or_try_init(make).await.map_err(to_datafusion)?;
        Ok(Some(provider.clone()))
    }

    fn table_exist(&self, name: &str) -> bool {
        self.providers.contains_key(name)
    }
}
