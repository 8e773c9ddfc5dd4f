//! A site as reading and writing see it: the client, what the connection says about both, what was learnt about the size of lists, and
//! what became of the rows that were written.

use std::collections::HashMap;
use std::hash::{DefaultHasher, Hash, Hasher};
use std::path::PathBuf;
use std::sync::{Arc, Mutex, MutexGuard, OnceLock, PoisonError};

use tokio::time::Instant;

use super::deployment::Deployment;
use super::metadata::Metadata;
use super::outcome::WriteLog;
use super::pace::Paces;
use super::plan::{Call, Context, Sizes};
use super::touched::Touched;
use super::value::Value;
use crate::http::{Client, Granting, Recent};
use crate::schema::{Column, Format, Table};

/// What the connection says about writing.
#[derive(Debug, Clone, Default)]
pub(crate) struct Writing {
    /// Nothing may change the site.
    pub(crate) readonly: bool,
    /// UPDATE and DELETE need a WHERE.
    pub(crate) require_where: bool,
    /// Most rows of a statement.
    pub(crate) max_rows: Option<u64>,
    /// Other rows are still written after one that failed.
    pub(crate) goes_on: bool,
    /// Requests are shown instead of sent.
    pub(crate) dry_run: bool,
    /// Most rows of a request, where the API takes more.
    pub(crate) batch: Option<usize>,
    /// Statements come from elsewhere: a path in them means no file of this machine.
    pub(crate) served: bool,
    /// The folder that downloads are written to, and the only one that files are uploaded from where it is set.
    pub(crate) attachments: Option<PathBuf>,
    /// Largest file that is uploaded, in bytes.
    pub(crate) max_upload: u64,
    /// The folder of the user's schema files.
    pub(crate) schemas: Option<PathBuf>,
}

/// Everything a read needs besides what to read.
#[derive(Debug)]
pub(crate) struct Site {
    pub(crate) client: Client,
    /// The authorization server, where the connection uses OAuth.
    pub(crate) granting: Option<Arc<dyn Granting>>,
    /// Language of names and messages.
    pub(crate) language: Option<String>,
    /// Rows to ask for in a page, where fewer than the API allows.
    pub(crate) page_size: Option<usize>,
    /// Default filter of the columns marked `desk`.
    pub(crate) desks: Vec<String>,
    pub(crate) writing: Writing,
    /// What became of the rows of the last write.
    pub(crate) writes: WriteLog,
    /// The newest statements.
    pub(crate) recent: Recent,
    paces: Mutex<Paces>,
    touched: Mutex<Touched>,
    sizes: Mutex<Remembered>,
    /// How far a page of an endpoint reaches, by its path: the site may give fewer rows than are asked for.
    strides: Mutex<HashMap<String, usize>>,
    /// The fields of the site.
    pub(crate) metadata: Metadata,
    pub(super) deployment: Deployment,
    /// Whether the site takes batches larger than it takes for certain; unknown until it was asked for one.
    large_batches: OnceLock<bool>,
    /// Whether the site has said once who asks, or cannot be asked.
    known: OnceLock<()>,
}

impl Site {
    pub(crate) fn new(
        client: Client,
        language: Option<String>,
        page_size: Option<usize>,
        desks: Vec<String>,
        writing: Writing,
    ) -> Self {
        Self {
            client,
            granting: None,
            language,
            page_size,
            desks,
            writing,
            writes: WriteLog::default(),
            recent: Recent::default(),
            paces: Mutex::default(),
            touched: Mutex::default(),
            sizes: Mutex::default(),
            strides: Mutex::default(),
            metadata: Metadata::default(),
            deployment: Deployment::default(),
            large_batches: OnceLock::new(),
            known: OnceLock::new(),
        }
    }

    /// The same site with the authorization server of its connection.
    pub(crate) fn with_granting(self, granting: Option<Arc<dyn Granting>>) -> Self {
        Self { granting, ..self }
    }

    /// The facts that decisions about this site depend on.
    pub(crate) fn context(&self) -> Context<'_> {
        Context {
            sizes: self,
            desks: &self.desks,
        }
    }

    /// When the next write to an issue may be sent.
    pub(super) fn pace(&self, issue: &str, now: tokio::time::Instant) -> tokio::time::Instant {
        self.paces.lock().unwrap_or_else(PoisonError::into_inner).take(issue, now)
    }

    /// Remembers the issues that these values name: they are about to be written to.
    pub(super) fn touch<'a>(&self, values: impl Iterator<Item = (&'a Column, &'a Option<Value>)>) {
        for (column, value) in values {
            if let (Some(Format::IssueKey), Some(Value::Text(key))) = (column.format, value) {
                self.touched().note(key, Instant::now());
            }
        }
    }

    /// What a search must be told about what the session has written.
    pub(super) fn touched(&self) -> MutexGuard<'_, Touched> {
        self.touched.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Rows of a page that are asked for.
    pub(super) fn page_rows(&self, table: &Table) -> usize {
        self.page_size.map_or(table.page.max, |size| size.clamp(1, table.page.max))
    }

    /// Rows of the next batch, of `large` where the site takes so many and of `small`, which it takes for certain, where it does not. Until
    /// one of them is answered, one large batch is tried beside small ones: a refusal then costs one request.
    pub(super) fn batch_rows(&self, large: usize, small: usize, tries: bool) -> usize {
        match self.large_batches.get() {
            Some(true) => large,
            None if !tries => large,
            Some(false) | None => large.min(small),
        }
    }

    /// Whether nothing more is to be asked about who asks.
    pub(super) fn is_known(&self) -> bool {
        self.known.get().is_some()
    }

    /// Remembers that the site has said who asks, or cannot be asked.
    pub(super) fn note_known(&self) {
        let _ = self.known.set(());
    }

    /// Remembers whether the site takes large batches.
    pub(super) fn note_large_batch(&self, taken: bool) {
        // What was found out first holds.
        let _ = self.large_batches.set(taken);
    }

    /// Remembers how many pages a list took, and how far each of them reached; `None` where they differ.
    pub(super) fn remember(&self, table: &Table, call: &Call, pages: usize, stride: Option<usize>) {
        if let Ok(mut sizes) = self.sizes.lock() {
            sizes.keep(size_key(table, call), pages);
        }
        // One page does not tell how far another would have reached.
        if pages > 1
            && let Ok(mut strides) = self.strides.lock()
        {
            let path = call.endpoint.of(table).template.to_string();
            match stride {
                Some(stride) => strides.insert(path, stride),
                None => strides.remove(&path),
            };
        }
    }

    /// How far a page of this call reaches, as far as is known.
    pub(super) fn stride(&self, table: &Table, call: &Call) -> usize {
        let strides = self.strides.lock().unwrap_or_else(PoisonError::into_inner);
        let shown = strides.get(&*call.endpoint.of(table).template);
        shown.copied().unwrap_or_else(|| self.page_rows(table))
    }
}

impl Sizes for Site {
    fn pages(&self, table: &Table, call: &Call) -> Option<usize> {
        self.sizes.lock().ok()?.get(size_key(table, call))
    }
}

/// The lists that were read lately and their pages; who knows how many there are, so the oldest are forgotten.
#[derive(Debug, Default)]
struct Remembered {
    young: HashMap<u64, usize>,
    old: HashMap<u64, usize>,
}

impl Remembered {
    /// Lists of a generation.
    const MOST: usize = 10_000;

    fn get(&self, key: u64) -> Option<usize> {
        self.young.get(&key).or_else(|| self.old.get(&key)).copied()
    }

    fn keep(&mut self, key: u64, pages: usize) {
        if self.young.len() >= Self::MOST {
            self.old = std::mem::take(&mut self.young);
        }
        self.young.insert(key, pages);
    }
}

fn size_key(table: &Table, call: &Call) -> u64 {
    let mut hasher = DefaultHasher::new();
    (&call.endpoint.of(table).template, &call.values, &call.query).hash(&mut hasher);
    hasher.finish()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_oldest_lists_are_forgotten() {
        let mut lists = Remembered::default();
        for key in 0..50_000 {
            lists.keep(key, 1);
            assert!(lists.young.len() + lists.old.len() <= 2 * Remembered::MOST);
        }
        assert_eq!((lists.get(49_999), lists.get(0)), (Some(1), None));
        lists.keep(49_999, 3);
        assert_eq!(lists.get(49_999), Some(3));
    }
}
