//! Where the next page of a list begins: decided by what the site says, never by how full a page is.

use super::decode::PageInfo;
use crate::error::{Error, ErrorKind, Result};
use crate::http::Client;
use crate::schema::{PageStyle, Table};

/// What comes after a page.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Next {
    /// Nothing: this was the last page.
    End,
    /// The page that begins at this offset.
    Start(usize),
    /// The page that these query parameters ask for.
    Query(Vec<(String, String)>),
}

/// Decides what comes after the page that began at `start`.
///
/// # Errors
/// The page says neither that it is the last nor where the next begins, it makes no progress, or its link leads to another site.
pub(super) fn next(client: &Client, table: &Table, start: usize, page: &PageInfo) -> Result<Next> {
    let broken = |what: &str| {
        Error::new(ErrorKind::Decode, what)
            .hint("the rows would not be complete, so none are given")
            .table(&table.name)
    };
    if table.page.style == PageStyle::Single || page.last == Some(true) {
        return Ok(Next::End);
    }
    if table.page.style == PageStyle::Array {
        // The site may hide rows of a page, but not all of them: the list ends with an empty page.
        return Ok(match page.received {
            0 => Next::End,
            received => Next::Start(start + received),
        });
    }
    if let Some(total) = page.total.filter(|_| page.last.is_none() && table.page.total.is_some()) {
        let next = start + page.received;
        return match (page.received, (next as u64) < total) {
            (_, false) => Ok(Next::End),
            (0, true) => Err(broken("a page that is not the last leads nowhere")),
            (_, true) => Ok(Next::Start(next)),
        };
    }
    let link = page.next.as_deref().map(|link| client.follow(link)).transpose()?;
    if page.last.is_none() && link.is_none() {
        return Err(broken(
            "the site says neither that a page is the last nor where the next one is",
        ));
    }
    if page.received > 0 && page.fresh == 0 {
        return Err(broken("the site sends the same rows again as another page"));
    }
    if table.page.style == PageStyle::Link {
        let link = link.ok_or_else(|| broken("a page that is not the last has no link to the next"))?;
        return Ok(Next::Query(link.query));
    }
    // Rows that the caller may not see can take a place without being returned: the site's own link knows better than the count.
    let linked = link
        .and_then(|link| link.query.into_iter().find(|(name, _)| *name == table.page.start))
        .map(|(_, value)| {
            value
                .parse::<usize>()
                .map_err(|_| broken("the link to the next page has no readable start"))
        })
        .transpose()?;
    match linked.unwrap_or(start + page.received) {
        next if next > start => Ok(Next::Start(next)),
        _ => Err(broken("a page that is not the last leads nowhere")),
    }
}
