//! Where the next page of a list begins: decided by what the site says, never by how full a page is.

use std::borrow::Cow;
use std::collections::HashMap;
use std::hash::{DefaultHasher, Hash, Hasher};

use serde_json::value::RawValue;

use super::decode::PageInfo;
use crate::error::{Error, ErrorKind, Result};
use crate::http::Client;
use crate::schema::{PageStyle, Table};

/// What is said of the rows of a list that was not read to its end.
pub(super) const NOT_ALL: &str = "the rows that came are not all of them";

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

/// A number that stands for the rows of an answer as they were sent, where nothing else tells one page from another.
pub(super) fn digest(body: &[u8], rows: &[String]) -> Option<u64> {
    let mut at: &RawValue = serde_json::from_slice(body).ok()?;
    for member in rows {
        at = serde_json::from_str::<HashMap<Cow<'_, str>, &RawValue>>(at.get())
            .ok()?
            .get(member.as_str())
            .copied()?;
    }
    let mut hasher = DefaultHasher::new();
    at.get().hash(&mut hasher);
    Some(hasher.finish())
}

/// Decides what comes after the page that began at `start`.
///
/// A page that calls itself the last is believed where nothing contradicts it: a link to another, or a total that is not reached. Then the
/// next page is asked for, and an empty one proves the end.
///
/// # Errors
/// The page says neither that it is the last nor where the next begins, it makes no progress, or its link leads to another site.
pub(super) fn next(client: &Client, table: &Table, start: usize, page: &PageInfo) -> Result<Next> {
    let broken = |what: &str| Error::new(ErrorKind::Decode, what).hint(NOT_ALL).table(&table.name);
    let ends = page.received == 0 && page.last == Some(true);
    if table.page.style == PageStyle::Single || ends {
        return Ok(Next::End);
    }
    let after = start + page.received;
    if table.page.style == PageStyle::Array {
        // The site may hide rows of a page, but not all of them: the list ends with an empty page.
        return Ok(if page.received == 0 { Next::End } else { Next::Start(after) });
    }
    let link = page.next.as_deref().filter(|link| !link.is_empty());
    let link = link.map(|link| client.follow(link)).transpose()?;
    let total = page.total.filter(|_| table.page.total.is_some());
    let more = total.is_some_and(|total| (after as u64) < total);
    match page.last {
        Some(true) if link.is_none() && !more => return Ok(Next::End),
        None if link.is_none() => match total {
            // What the total counts beside the rows that came is not for this account: there is nothing where it should be.
            Some(_) if !more || page.received == 0 => return Ok(Next::End),
            Some(_) => {}
            None => {
                return Err(broken(
                    "the site says neither that a page is the last nor where the next one is",
                ));
            }
        },
        _ => {}
    }
    if table.page.style == PageStyle::Link {
        if page.received > 0 && page.fresh == 0 {
            return Err(broken("the site sends the same rows again as another page"));
        }
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
    match linked.unwrap_or(after) {
        next if next > start => Ok(Next::Start(next)),
        _ => Err(broken("a page that is not the last leads nowhere")),
    }
}
