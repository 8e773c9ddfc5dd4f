//! What hangs on many rows that were found, from an endpoint that takes their ids.
//!
//! # Design
//!
//! Such an endpoint tells everything about a thousand rows, where a batch of the rows themselves has a hundred and carries the latest of what
//! hangs on them. Its answers name the rows by id, and one row may come in several pages. They are put into the words of the list that
//! carries the same, so that one decoder reads both.

use std::collections::{BTreeMap, HashMap, HashSet, VecDeque};

use futures::{StreamExt, TryStreamExt, stream};
use serde_json::json;
use serde_json::value::RawValue;

use super::field;
use super::read::{InFlight, Listing, Reader, Stop, arrived};
use super::repair::{Repaired, repaired};
use super::roll::Wanted;
use super::search::Needs;
use super::seen::Seen;
use super::sweep::{Follows, Found, IDS_AHEAD, IdAndKey, IdPage, Sweep, Tokens, arriving, ask, front};
use crate::error::{Error, ErrorKind, Result};
use crate::schema::{EmbedBulk, Origin, Table};

impl Reader {
    /// Reads what hangs on rows that are known by id or key. The answer is which of them the site did not give.
    pub(super) async fn carried_by(
        &self,
        found: &Found<'_>,
        bulk: &EmbedBulk,
        listing: &mut Listing,
        keys: Vec<String>,
    ) -> Result<Vec<String>, Stop> {
        let mut asked: HashSet<String> = keys.iter().cloned().collect();
        let (mut rows, missing) = self.ids_of(found, keys).await?;
        // A row that came under another key is none of those that were asked for.
        rows.retain(|row| asked.remove(&row.key) | asked.remove(&row.id));
        self.carried(found, bulk, listing, rows.into(), None).await?;
        Ok(missing)
    }

    /// Reads what hangs on the rows that a sweep brings, but for those that a first page has brought already.
    pub(super) async fn carried_beside(
        &self,
        found: &Found<'_>,
        bulk: &EmbedBulk,
        listing: &mut Listing,
        sweep: Sweep,
    ) -> Result<(), Stop> {
        self.carried(found, bulk, listing, VecDeque::new(), Some(sweep)).await
    }

    /// Ids and keys of rows that are known by either, and which are missing.
    async fn ids_of(&self, found: &Found<'_>, keys: Vec<String>) -> Result<(Vec<IdAndKey>, Vec<String>)> {
        let most = self.scope.site.client.max_concurrency();
        let batches = stream::unfold((keys.into_iter().map(Wanted::from), false), |(mut keys, tries)| async move {
            let batch: Vec<Wanted> = keys.by_ref().take(self.batch_of(found, &Needs::default(), tries)).collect();
            (!batch.is_empty()).then_some((batch, (keys, true)))
        });
        let mut pages = batches.map(|batch| self.ids_of_batch(found, batch)).buffered(most).boxed();
        let (mut rows, mut missing) = (Vec::new(), Vec::new());
        while let Some((mut page, mut without)) = pages.try_next().await? {
            rows.append(&mut page);
            missing.append(&mut without);
        }
        Ok((rows, missing))
    }

    async fn ids_of_batch(&self, found: &Found<'_>, batch: Vec<Wanted>) -> Result<(Vec<IdAndKey>, Vec<String>)> {
        let mut waiting = VecDeque::from([batch]);
        let (mut rows, mut missing) = (Vec::new(), Vec::new());
        while let Some(batch) = waiting.pop_front() {
            let is_large = batch.len() > found.words.batch;
            let names: Vec<String> = batch.iter().map(|row| row.asked.clone()).collect();
            let response = match arrived(self.send_batch(found, &Needs::default(), &names)).await {
                Ok(response) => response,
                Err(error) => {
                    waiting.extend(self.parts_of(found, error, &batch)?);
                    continue;
                }
            };
            if is_large {
                self.scope.site.note_large_batch(true);
            }
            self.scope.stats.add(&response);
            let page: IdPage = serde_json::from_slice(&response.body).map_err(|error| broken(&error))?;
            let (mut page, nulls) = page.rows();
            self.note_nulls(nulls);
            let elements = page.len() + usize::try_from(nulls).unwrap_or_default();
            let mut lacking = self.call_roll(found, &batch, &page, elements)?;
            missing.append(&mut lacking.missing);
            waiting.extend((!lacking.again.is_empty()).then_some(lacking.again));
            rows.append(&mut page);
        }
        Ok((rows, missing))
    }

    /// Reads what hangs on rows, those `waiting` and those that a sweep brings, a page of each batch after the other.
    async fn carried(
        &self,
        found: &Found<'_>,
        bulk: &EmbedBulk,
        before: &mut Listing,
        mut waiting: VecDeque<IdAndKey>,
        mut sweep: Option<Sweep>,
    ) -> Result<(), Stop> {
        let Some(table) = found.search.chain.last() else {
            return Ok(());
        };
        self.emit(before, true).await?;
        // One row may come in several pages: this decoder does not take it for a row that comes twice.
        let mut listing = self.found_listing(found.search, true);
        listing.decoder.allow(before.decoder.budget());
        let most = self.scope.site.client.max_concurrency();
        let own = |most: usize| self.scope.site.page_size.map_or(most, |own| own.clamp(1, most));
        let (size, rows) = (own(bulk.batch), own(bulk.max));
        let send = |batch: &Batch, token: Option<&str>| {
            let ids: Vec<&String> = batch.keys.keys().collect();
            let mut body = json!({"issueIdsOrKeys": ids, "maxResults": rows});
            ask(&mut body, "nextPageToken", token.map(Into::into));
            self.post(table, &bulk.call, &body)
        };
        let mut queue: VecDeque<(Batch, InFlight)> = VecDeque::new();
        let (mut tokens, mut seen) = (Tokens::default(), Seen::default());
        loop {
            while queue.len() < most && (waiting.len() >= size || sweep.is_none() && !waiting.is_empty()) {
                let rows = waiting.drain(..size.min(waiting.len()));
                let batch = Batch {
                    keys: rows.map(|row| (row.id, row.key)).collect(),
                    tokens: Tokens::default(),
                    seen: Seen::default(),
                };
                let in_flight = send(&batch, None);
                queue.push_back((batch, in_flight));
            }
            if queue.is_empty() && sweep.is_none() {
                break;
            }
            let room = waiting.len() < IDS_AHEAD * found.words.light;
            tokio::select! {
                biased;
                response = arriving(&mut sweep), if sweep.is_some() && room => {
                    let (rows, next) = self.take_ids(found, response, &mut tokens, &mut seen)?;
                    waiting.extend(rows.into_iter().filter(|row| !before.decoder.has_seen(&row.key)));
                    sweep = next;
                }
                response = front(&mut queue), if !queue.is_empty() => {
                    let Some((mut batch, _)) = queue.pop_front() else { continue };
                    let response = response?;
                    self.scope.stats.add(&response);
                    let body = repaired(&response.body);
                    let page = batch.page(&body.json, bulk, table)?;
                    self.note_nulls(page.nulls);
                    self.scope.stats.duplicates.fetch_add(page.repeated as u64, std::sync::atomic::Ordering::Relaxed);
                    let words = page.in_words_of(&found.search.root, table, &batch.keys);
                    if let Some(token) = page.next {
                        let in_flight = send(&batch, Some(&token));
                        queue.push_front((batch, in_flight));
                    }
                    listing.decoder.restart();
                    let words = Repaired { json: words.into_bytes().into(), mark: body.mark };
                    self.take_rows(&mut listing, &words)?;
                    self.emit(&mut listing, false).await?;
                }
            }
        }
        self.emit(&mut listing, true).await?;
        before.sent |= listing.sent;
        before.decoder.allow(listing.decoder.budget());
        Ok(())
    }
}

fn broken(what: &dyn std::fmt::Display) -> Error {
    Error::new(ErrorKind::Decode, format!("the answer is not what the API promises: {what}"))
        .hint("the rows would not be known to be complete, so the statement fails; sys.requests shows the request")
}

/// Rows that are asked about together.
struct Batch {
    /// Key of each id.
    keys: BTreeMap<String, String>,
    tokens: Tokens,
    /// What has come so far.
    seen: Seen,
}

/// What a page says: what hangs on each id, as it was sent.
struct Carried<'a> {
    of: BTreeMap<String, Vec<&'a RawValue>>,
    next: Option<String>,
    /// What had come in an earlier page.
    repeated: usize,
    /// What is null in place of an object.
    nulls: u64,
}

impl Batch {
    /// Takes a page apart.
    ///
    /// # Errors
    /// It is not of the form that the schema tells, tells about rows that nobody asked about, or leads nowhere.
    fn page<'a>(&mut self, body: &'a [u8], bulk: &EmbedBulk, table: &Table) -> Result<Carried<'a>> {
        type Members<'a> = HashMap<String, &'a RawValue>;
        let member = |members: &Members<'a>, name: &str| {
            let value = members.get(name).copied();
            value.ok_or_else(|| broken(&format!("`{name}` is missing")))
        };
        let text = |value: &'a RawValue, name: &str| -> Result<String> {
            field::scalar(value.get()).ok_or_else(|| broken(&format!("`{name}` is neither text nor number")))
        };
        let objects = |value: &'a RawValue| -> Result<Vec<&'a RawValue>> {
            serde_json::from_str(value.get()).map_err(|error| broken(&error))
        };
        let members =
            |value: &'a RawValue| -> Result<Members<'a>> { serde_json::from_str(value.get()).map_err(|error| broken(&error)) };
        let answer: Members<'a> = serde_json::from_slice(body).map_err(|error| broken(&error))?;
        let mut page = Carried {
            of: BTreeMap::new(),
            next: None,
            repeated: 0,
            nulls: 0,
        };
        let is_null = |value: &RawValue| value.get() == "null";
        let (mut received, mut fresh) = (0, 0);
        for parent in objects(member(&answer, &bulk.parents)?)? {
            if is_null(parent) {
                page.nulls += 1;
                continue;
            }
            let parent = members(parent)?;
            let id = text(member(&parent, &bulk.parent)?, &bulk.parent)?;
            if !self.keys.contains_key(&id) {
                return Err(broken(&format!("`{}` {id} was not asked about", bulk.parent)));
            }
            let rows = page.of.entry(id.clone()).or_default();
            for row in objects(member(&parent, &bulk.rows)?)? {
                if is_null(row) {
                    page.nulls += 1;
                    continue;
                }
                received += 1;
                let own = text(member(&members(row)?, &bulk.id)?, &bulk.id)?;
                if self.seen.insert(&format!("{id}\u{1f}{own}")) {
                    fresh += 1;
                    rows.push(row);
                }
            }
        }
        page.repeated = received - fresh;
        // The last page has no token, or one that is null.
        let token: Option<String> = match answer.get("nextPageToken") {
            None => None,
            Some(token) if token.get() == "null" => None,
            Some(token) => Some(field::scalar(token.get()).ok_or_else(|| broken(&"the token is neither text nor number"))?),
        };
        let last = Some(token.as_deref().is_none_or(str::is_empty));
        let follows = Follows {
            last,
            token,
            ..Follows::default()
        };
        page.next = self.tokens.next(table, follows, received, fresh)?;
        Ok(page)
    }
}

impl Carried<'_> {
    /// The same as a page of the parent's list that carries all of it.
    fn in_words_of(&self, root: &Table, table: &Table, keys: &BTreeMap<String, String>) -> String {
        let (Some(search), Some(embed)) = (&root.search, &table.embed) else {
            return String::new();
        };
        let place = |column: usize| match &root.columns[column].origin {
            Origin::Json { paths, .. } => paths.first().map(Vec::as_slice).unwrap_or_default(),
            _ => &[],
        };
        let text = |text: &str| serde_json::Value::from(text).to_string();
        let parents = self.of.iter().map(|(id, rows)| {
            let key = keys.get(id).map(String::as_str).unwrap_or_default();
            let list: Vec<&str> = rows.iter().map(|row| row.get()).collect();
            let (whole, whole_at) = match &table.page.total {
                Some(total) => (rows.len().to_string(), total),
                None => ("true".to_owned(), &table.page.last),
            };
            let members = [
                member(place(search.id), &text(id)),
                member(place(search.key), &text(key)),
                member(&[&embed.at[..], &embed.rows].concat(), &format!("[{}]", list.join(","))),
                member(&[&embed.at[..], whole_at].concat(), &whole),
            ];
            format!("{{{}}}", members.join(","))
        });
        let parents: Vec<String> = parents.collect();
        format!("{{{}}}", member(&root.page.rows, &format!("[{}]", parents.join(","))))
    }
}

/// A member of an object that leads to a value by a path.
fn member(path: &[String], value: &str) -> String {
    let name = |name: &String| serde_json::Value::from(name.as_str()).to_string();
    match path {
        [] => String::new(),
        [last] => format!("{}:{value}", name(last)),
        [first, rest @ ..] => format!("{}:{{{}}}", name(first), member(rest, value)),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::schema::Catalog;

    /// Changes of issues 1 and 2, page after page: the words of the parent's list for each, and the token of the next.
    fn read(pages: &[&str]) -> Result<Vec<(String, Option<String>)>> {
        let catalog = Catalog::load(None)?;
        let carries = |table: &&std::sync::Arc<Table>| table.embed.as_ref().is_some_and(|embed| embed.bulk.is_some());
        let table = catalog.tables().iter().find(carries).expect("some table is read that way");
        let root = &table.parent.as_ref().expect("it has a parent").table;
        let bulk = table
            .embed
            .as_ref()
            .and_then(|embed| embed.bulk.as_ref())
            .expect("found by it");
        let key = |id: &str| (id.to_owned(), format!("A-{id}"));
        let mut batch = Batch {
            keys: ["1", "2"].map(key).into(),
            tokens: Tokens::default(),
            seen: Seen::default(),
        };
        let one = |page: &&str| {
            let page = batch.page(page.as_bytes(), bulk, table)?;
            Ok((page.in_words_of(root, table, &batch.keys), page.next))
        };
        pages.iter().map(one).collect()
    }

    fn page(rows: &str, token: &str) -> String {
        format!(r#"{{"issueChangeLogs":[{rows}],"nextPageToken":{token}}}"#)
    }

    fn rows(parent: &str, ids: &[u32]) -> String {
        let rows: Vec<String> = ids.iter().map(|id| format!(r#"{{"id":"{id}"}}"#)).collect();
        format!(r#"{{"issueId":"{parent}","changeHistories":[{}]}}"#, rows.join(","))
    }

    #[test]
    fn pages_are_put_into_the_words_of_the_list() {
        let first = page(&format!("{},{}", rows("1", &[7, 8]), rows("2", &[9])), "\"t\"");
        // What has come does not come again.
        let second = page(&format!("{},{}", rows("1", &[8]), rows("1", &[10])), "null");
        assert_eq!(
            read(&[&first, &second]).unwrap(),
            [
                (
                    concat!(
                        r#"{"issues":[{"id":"1","key":"A-1","changelog":{"histories":[{"id":"7"},{"id":"8"}]},"changelog":{"total":2}},"#,
                        r#"{"id":"2","key":"A-2","changelog":{"histories":[{"id":"9"}]},"changelog":{"total":1}}]}"#
                    )
                    .to_owned(),
                    Some("t".to_owned())
                ),
                (
                    r#"{"issues":[{"id":"1","key":"A-1","changelog":{"histories":[{"id":"10"}]},"changelog":{"total":1}}]}"#.to_owned(),
                    None
                ),
            ]
        );
        assert_eq!(
            read(&[r#"{"issueChangeLogs":[]}"#]).unwrap(),
            [(r#"{"issues":[]}"#.to_owned(), None)]
        );
    }

    #[test]
    fn what_is_not_as_promised_is_an_error() {
        let again = page(&rows("1", &[7]), "\"t\"");
        let more = page(&rows("1", &[8]), "\"t\"");
        for (pages, fragment) in [
            (vec!["{}"], "`issueChangeLogs` is missing"),
            (vec![r#"{"issueChangeLogs":null}"#], "invalid type: null"),
            (
                vec![r#"{"issueChangeLogs":[{"issueId":"1"}]}"#],
                "`changeHistories` is missing",
            ),
            (
                vec![r#"{"issueChangeLogs":[{"issueId":"3","changeHistories":[]}]}"#],
                "`issueId` 3 was not asked",
            ),
            (
                vec![r#"{"issueChangeLogs":[{"issueId":"1","changeHistories":[{}]}]}"#],
                "`id` is missing",
            ),
            (vec!["[]"], "invalid type: sequence"),
            (vec![&again, &again], "same rows again"),
            (vec![&again, &more], "repeats itself"),
        ] {
            let error = read(&pages).unwrap_err();
            assert!(
                error.message().contains(fragment) && error.hint_text().is_some(),
                "{pages:?}: {error}"
            );
        }
    }
}
