//! What is listed where tables are listed: the options BrowsableSchemas, Tables and Views.
//!
//! It hides, it does not forbid: what is not listed can still be named.

use super::values::OptionValues;
use crate::error::{Error, ErrorKind, Result};

/// Which schemas and tables are listed.
#[derive(Debug, Clone, Default)]
pub(crate) struct Listing {
    /// None: all.
    schemas: Option<Vec<String>>,
    /// Tables that can be written to.
    tables: Option<Vec<String>>,
    /// Tables that can only be read.
    views: Option<Vec<String>>,
}

impl Listing {
    pub(super) fn read(values: &OptionValues) -> Result<Self> {
        Ok(Self {
            schemas: names(values, "BrowsableSchemas")?,
            tables: names(values, "Tables")?,
            views: names(values, "Views")?,
        })
    }

    pub(crate) fn shows_schema(&self, name: &str) -> bool {
        is_in(self.schemas.as_deref(), name)
    }

    /// Whether a table of the site is listed; `writable` says whether any statement changes it.
    pub(crate) fn shows_table(&self, name: &str, writable: bool) -> bool {
        is_in(
            if writable {
                self.tables.as_deref()
            } else {
                self.views.as_deref()
            },
            name,
        )
    }
}

fn is_in(names: Option<&[String]>, name: &str) -> bool {
    names.is_none_or(|names| names.iter().any(|known| known == name))
}

fn names(values: &OptionValues, option: &'static str) -> Result<Option<Vec<String>>> {
    let Some(text) = values.filled(option) else { return Ok(None) };
    let names: Vec<String> = text.split(',').map(|name| name.trim().to_lowercase()).collect();
    if names.iter().any(String::is_empty) {
        return Err(Error::new(ErrorKind::Option, format!("{option} is not a list of names"))
            .hint(format!("separate the names with commas; leave {option} out to list all")));
    }
    Ok(Some(names))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn tables_and_views_are_limited_apart() {
        let read = |text: &str| Listing::read(&OptionValues::read(text, []).unwrap());
        let listing = read("Tables=Organizations, request_comments;BrowsableSchemas=public").unwrap();
        assert!(listing.shows_table("organizations", true) && !listing.shows_table("requests", true));
        assert!(listing.shows_table("queues", false), "views are not limited");
        assert!(listing.shows_schema("public") && !listing.shows_schema("sys"));
        let listing = read("Views=queues").unwrap();
        assert!(listing.shows_table("organizations", true) && !listing.shows_table("knowledge_base", false));
        assert!(read("").unwrap().shows_schema("sys"));
        let error = read("Views=a,,b").unwrap_err();
        assert_eq!(error.message(), "Views is not a list of names");
    }
}
