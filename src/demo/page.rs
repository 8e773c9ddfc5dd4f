//! Pages of `/rest/servicedeskapi`: the envelope, the caps, and the ways in which a page can surprise.

use percent_encoding::{NON_ALPHANUMERIC, utf8_percent_encode};

use super::answer::{Answer, Asked};
use super::json::{self, Array, Object};

/// How pages are broken, on request of a fault.
#[derive(Debug, Clone, Copy, Default)]
pub(super) struct Quirks {
    /// Half of what was asked for, although more is there.
    pub(super) short: bool,
    /// No link to the next page.
    pub(super) linkless: bool,
    /// Every other ten places belong to rows that the caller may not see.
    pub(super) hidden: bool,
    /// Every page is the first.
    pub(super) repeat: bool,
    /// The last page does not say so, and neither do the empty ones after it.
    pub(super) endless: bool,
    /// The link to the next page leads to another host.
    pub(super) foreign: bool,
    /// Every page says that it is the last, also where it names the next.
    pub(super) torn: bool,
    /// The login has expired.
    pub(super) stranger: bool,
    /// One issue cannot be fetched.
    pub(super) broken_issue: bool,
    /// A token of a next page has expired.
    pub(super) expired: bool,
    /// A hundred issues at a time, however little is asked of each.
    pub(super) hundred: bool,
    /// Some issues are deleted between being found and being fetched.
    pub(super) vanish: bool,
    /// A search does not see changes.
    pub(super) stale: bool,
    /// What is wrong with a search is not told.
    pub(super) nameless: bool,
    /// The site says that it is a Data Center.
    pub(super) data_center: bool,
}

/// Places of a block that are all visible or all hidden, where rows are hidden.
const BLOCK: usize = 10;

/// Answers one page of `total` rows; `cap` is what this endpoint gives at most, whatever is asked for.
pub(super) fn page(asked: &Asked, total: usize, cap: usize, mut write: impl FnMut(&mut Array, usize)) -> Answer {
    let bound = |name: &str, default: usize| match asked.one(name) {
        None => Ok(default),
        Some(text) => text
            .parse::<usize>()
            .map_err(|_| Answer::refuse(400, format_args!("The {name} parameter must be a number: {text}"))),
    };
    let (start, limit) = match (bound("start", 0), bound("limit", 50)) {
        (Ok(start), Ok(limit)) => (start, limit),
        (Err(refusal), _) | (_, Err(refusal)) => return refusal,
    };
    let quirks = asked.paging;
    let mut rows = limit.min(cap);
    if quirks.short {
        rows = rows.div_ceil(2);
    }
    let from = if quirks.repeat { 0 } else { start };
    // Places are what `start` counts; rows are what the caller gets to see.
    let places = if quirks.hidden {
        total / BLOCK * 2 * BLOCK + total % BLOCK
    } else {
        total
    };
    let row_at = |place: usize| match quirks.hidden {
        false => Some(place),
        true if (place / BLOCK).is_multiple_of(2) => Some(place / (2 * BLOCK) * BLOCK + place % BLOCK),
        true => None,
    };
    let shown: Vec<usize> = (from..from.saturating_add(rows).min(places))
        .filter_map(row_at)
        .filter(|&row| row < total)
        .collect();
    let next = start.saturating_add(rows);
    let last = !quirks.repeat && !quirks.endless && next >= places;
    Answer::json(json::document(|o| {
        o.texts::<&str>("_expands", []);
        o.int("size", shown.len() as i64);
        o.int("start", start as i64);
        o.int("limit", limit.min(cap) as i64);
        o.flag("isLastPage", last || quirks.torn);
        o.object("_links", |o| {
            o.text("self", link(asked, start, limit.min(cap)));
            o.text("base", format_args!("{}/rest/servicedeskapi", asked.base));
            o.text("context", "");
            if !last && !quirks.linkless {
                let link = link(asked, next, limit.min(cap));
                if quirks.foreign {
                    o.text("next", link.replacen(&asked.base, "https://evil.example", 1));
                } else {
                    o.text("next", link);
                }
            }
            if start > 0 {
                o.text("prev", self::link(asked, start.saturating_sub(rows), limit.min(cap)));
            }
        });
        o.array("values", |a| shown.into_iter().for_each(|row| write(a, row)));
    }))
}

/// Answers one page of a list of `/rest/api`: under a name, with the offset and the total; `last` is whether it also says that it ends.
pub(super) fn platform_page(
    asked: &Asked,
    total: usize,
    cap: usize,
    rows: &str,
    last: bool,
    mut write: impl FnMut(&mut Array, usize),
) -> Answer {
    let bound = |name: &str, default: usize| asked.one(name).and_then(|text| text.parse().ok()).unwrap_or(default);
    let (start, mut many) = (bound("startAt", 0), bound("maxResults", 50).min(cap));
    if asked.paging.short {
        many = many.div_ceil(2);
    }
    let end = start.saturating_add(many).min(total);
    Answer::json(json::document(|o| {
        o.int("maxResults", many as i64);
        o.int("startAt", start as i64);
        o.int("total", total as i64);
        if last {
            o.flag("isLast", end >= total || asked.paging.torn);
        }
        if asked.paging.torn && end < total {
            o.text(
                "nextPage",
                format_args!("{}{}?startAt={end}&maxResults={many}", asked.base, asked.path),
            );
        }
        o.array(rows, |a| (start..end).for_each(|row| write(a, row)));
    }))
}

/// Answers one page of a list of `/rest/api` that is nothing but an array.
pub(super) fn bare_page(asked: &Asked, total: usize, cap: usize, mut write: impl FnMut(&mut Array, usize)) -> Answer {
    let bound = |name: &str, default: usize| asked.one(name).and_then(|text| text.parse().ok()).unwrap_or(default);
    let (start, many) = (bound("startAt", 0), bound("maxResults", 50).min(cap));
    let end = start.saturating_add(many).min(total);
    Answer::json(json::list(|a| (start..end).for_each(|row| write(a, row))))
}

/// The address of another page of the same list.
fn link(asked: &Asked, start: usize, limit: usize) -> String {
    let mut link = format!("{}{}?", asked.base, asked.path);
    for (name, value) in asked
        .query
        .iter()
        .filter(|(name, _)| !matches!(name.as_str(), "start" | "limit"))
    {
        let encoded = utf8_percent_encode(value, NON_ALPHANUMERIC);
        link.push_str(&format!("{name}={encoded}&"));
    }
    link.push_str(&format!("start={start}&limit={limit}"));
    link
}

/// A page inside of an object: its first `cap` rows, of `total`.
pub(super) fn embedded(o: &mut Object, key: &str, total: usize, cap: usize, mut write: impl FnMut(&mut Array, usize)) {
    o.object(key, |o| {
        o.texts::<&str>("_expands", []);
        o.int("size", total.min(cap) as i64);
        o.int("start", 0);
        o.int("limit", cap as i64);
        o.flag("isLastPage", total <= cap);
        o.array("values", |a| (0..total.min(cap)).for_each(|row| write(a, row)));
    });
}
