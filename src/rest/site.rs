//! A site as reading sees it: the client, what the connection says about reading, and what was learnt about the size of lists.

use std::collections::HashMap;
use std::sync::Mutex;
use std::sync::atomic::{AtomicBool, Ordering::Relaxed};

use super::metadata::Metadata;
use super::plan::{Call, Context, Sizes};
use crate::http::Client;
use crate::schema::Table;

/// Everything a read needs besides what to read.
#[derive(Debug)]
pub(crate) struct Site {
    pub(crate) client: Client,
    /// Language of names and messages.
    pub(crate) language: Option<String>,
    /// Rows to ask for in a page, where fewer than the API allows.
    pub(crate) page_size: Option<usize>,
    /// Default filter of the columns marked `desk`.
    pub(crate) desks: Vec<String>,
    sizes: Mutex<HashMap<String, usize>>,
    /// The fields of the site.
    pub(crate) metadata: Metadata,
    /// The site has refused a batch larger than it takes for certain.
    small_batches: AtomicBool,
}

impl Site {
    pub(crate) fn new(client: Client, language: Option<String>, page_size: Option<usize>, desks: Vec<String>) -> Self {
        Self {
            client,
            language,
            page_size,
            desks,
            sizes: Mutex::default(),
            metadata: Metadata::default(),
            small_batches: AtomicBool::new(false),
        }
    }

    /// The facts that decisions about this site depend on.
    pub(crate) fn context(&self) -> Context<'_> {
        Context {
            sizes: self,
            desks: &self.desks,
        }
    }

    /// Rows of a page that are asked for.
    pub(super) fn page_rows(&self, table: &Table) -> usize {
        self.page_size.map_or(table.page.max, |size| size.clamp(1, table.page.max))
    }

    pub(super) fn takes_large_batches(&self) -> bool {
        !self.small_batches.load(Relaxed)
    }

    pub(super) fn refuse_large_batches(&self) {
        self.small_batches.store(true, Relaxed);
    }

    /// Remembers how many pages a list took.
    pub(super) fn remember(&self, table: &Table, call: &Call, pages: usize) {
        if let Ok(mut sizes) = self.sizes.lock() {
            sizes.insert(size_key(table, call), pages);
        }
    }
}

impl Sizes for Site {
    fn pages(&self, table: &Table, call: &Call) -> Option<usize> {
        self.sizes.lock().ok()?.get(&size_key(table, call)).copied()
    }
}

fn size_key(table: &Table, call: &Call) -> String {
    format!("{} {:?} {:?}", call.endpoint.of(table).template, call.values, call.query)
}
