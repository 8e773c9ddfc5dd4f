//! The fields of a site, read once per session however many statements ask for them at the same time.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, PoisonError};

use tokio::sync::OnceCell;

use super::site::Site;
use crate::error::{Error, ErrorKind, Result};
use crate::http::{Request, Statement};
use crate::schema::FieldMetadata;

type Cell = Arc<OnceCell<Arc<Vec<FieldMetadata>>>>;

/// Field metadata by the path that gives it.
#[derive(Debug, Default)]
pub(crate) struct Metadata(Mutex<HashMap<String, Cell>>);

impl Metadata {
    /// The fields that the endpoint lists. Who comes while they are being read waits for them; a failure is tried again by the next.
    pub(crate) async fn fields(&self, site: &Site, path: &str, statement: &Arc<Statement>) -> Result<Arc<Vec<FieldMetadata>>> {
        let cell = {
            let mut cells = self.0.lock().unwrap_or_else(PoisonError::into_inner);
            cells.entry(path.to_owned()).or_default().clone()
        };
        cell.get_or_try_init(|| read(site, path, statement)).await.cloned()
    }
}

async fn read(site: &Site, path: &str, statement: &Arc<Statement>) -> Result<Arc<Vec<FieldMetadata>>> {
    let request = Request::about_site(path);
    let response = site.client.send(&request, statement).await?;
    let (fields, odd) = FieldMetadata::list(&response.body).map_err(|error| {
        Error::new(
            ErrorKind::Decode,
            format!("the list of fields is not what the API promises: {error}"),
        )
        .hint("sys.requests shows the request")
    })?;
    if odd > 0 {
        statement.warn("the list of fields: {} entries have no id, and make no column", odd);
    }
    Ok(Arc::new(fields))
}
