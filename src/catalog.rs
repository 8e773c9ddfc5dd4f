//! The tables of a site as a DataFusion schema.

use std::collections::HashMap;
use std::sync::Arc;

use async_trait::async_trait;
use datafusion::catalog::{SchemaProvider, TableProvider};
use datafusion::error::Result;

use crate::rest::site::Site;
use crate::schema::Catalog;
use crate::table::SiteTable;

/// Schema `public` of catalog `jsm`.
#[derive(Debug)]
pub(crate) struct SiteSchema {
    names: Vec<String>,
    tables: HashMap<String, Arc<dyn TableProvider>>,
}

impl SiteSchema {
    /// One provider per table of the catalog.
    pub(crate) fn new(catalog: &Catalog, site: &Arc<Site>, pushdown: bool) -> Self {
        let names = catalog.tables().iter().map(|table| table.name.clone()).collect();
        let tables = catalog
            .tables()
            .iter()
            .map(|table| {
                let provider = SiteTable::new(table.clone(), site.clone(), pushdown);
                (table.name.clone(), Arc::new(provider) as Arc<dyn TableProvider>)
            })
            .collect();
        Self { names, tables }
    }
}

#[async_trait]
impl SchemaProvider for SiteSchema {
    fn table_names(&self) -> Vec<String> {
        self.names.clone()
    }

    async fn table(&self, name: &str) -> Result<Option<Arc<dyn TableProvider>>> {
        Ok(self.tables.get(name).cloned())
    }

    fn table_exist(&self, name: &str) -> bool {
        self.tables.contains_key(name)
    }
}
