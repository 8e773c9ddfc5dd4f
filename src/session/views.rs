//! The views of the option UserDefinedViews: read from a file when the session opens, made in the scratch schema by the first statement.

use std::path::Path;

use futures::TryStreamExt;
use indexmap::IndexMap;
use serde::Deserialize;
use tokio::sync::OnceCell;

use super::{Caps, Session};
use crate::error::{Error, ErrorKind, Result};

/// One view, as the file has it.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct View {
    query: String,
}

/// The views of a file, and whether they were made.
#[derive(Debug, Default)]
pub(super) struct Views {
    views: IndexMap<String, View>,
    made: OnceCell<()>,
}

impl Views {
    /// Reads the file: `{"name": {"query": "SELECT …"}}`.
    pub(super) fn read(path: Option<&Path>) -> Result<Self> {
        let Some(path) = path else { return Ok(Self::default()) };
        let wrong = |what: String| {
            Error::new(ErrorKind::Option, format!("UserDefinedViews: {}: {what}", path.display()))
                .hint("the file holds views: {\"my_view\": {\"query\": \"SELECT …\"}}")
        };
        let text = crate::profile::text::read(path).map_err(wrong)?;
        let views: IndexMap<String, View> = serde_json::from_str(&text).map_err(|error| wrong(error.to_string()))?;
        let plain = |name: &str| {
            let word = name.chars().all(|c| c.is_ascii_alphanumeric() || c == '_');
            word && name.starts_with(|c: char| c.is_ascii_alphabetic() || c == '_')
        };
        if let Some(name) = views.keys().find(|name| !plain(name)) {
            return Err(wrong(format!("the name {name:?} is not made of letters, digits and _")));
        }
        Ok(Self {
            views,
            made: OnceCell::new(),
        })
    }
}

impl Session {
    /// Makes the views, the first time.
    pub(super) async fn make_views(&self) -> Result<()> {
        let all = &self.shared.views;
        let make = || async {
            for (name, view) in &all.views {
                let made = async {
                    let text = format!("CREATE VIEW temp.{} AS {}", name.to_lowercase(), view.query);
                    let statement = self.statement(&text).await?;
                    self.start(statement, None, Caps::default())
                        .await?
                        .try_for_each(|_| async { Ok(()) })
                        .await
                };
                made.await.map_err(|error: Error| {
                    let message = format!("UserDefinedViews: the view {name}: {}", error.message());
                    let hint = error.hint_text().unwrap_or("correct its query in the file").to_owned();
                    Error::new(error.kind(), message).hint(hint)
                })?;
            }
            Ok(())
        };
        all.made.get_or_try_init(make).await.copied()
    }
}
