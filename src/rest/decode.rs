//! From the bytes of an answer to Arrow columns: one pass, driven by a [`Shape`], without a tree of JSON values in between.
//!
//! A [`Decoder`] lives as long as a list is read, so that it knows which rows it has seen. A value of the wrong type is an error that
//! names the column: guessing would be a wrong answer.

use std::borrow::Cow;
use std::collections::{BTreeMap, BTreeSet, HashMap, HashSet};
use std::fmt;
use std::sync::Arc;

use arrow::array::{RecordBatch, RecordBatchOptions};
use arrow::datatypes::SchemaRef;
use serde::de::{DeserializeSeed, Deserializer, IgnoredAny, MapAccess, SeqAccess, Visitor};
use serde_json::value::RawValue;

use super::cell::{Builder, Cell, Odd};
use super::clause::Test;
use super::field;
use super::repair::{BROKEN, Repaired, repaired};
use super::seen::Seen;
use super::shape::{Node, PageWord, Shape, Slot, entry};
use super::sweep::Follows;
use crate::error::{Error, ErrorKind, Result};
use crate::http::Misfit;
use crate::schema::{Codec, Kind};

/// What an answer said besides its rows.
#[derive(Debug, Default)]
pub(crate) struct PageInfo {
    /// Whether it says that it is the last page.
    pub(crate) last: Option<bool>,
    /// Link to the next page, or its token.
    pub(crate) next: Option<String>,
    /// How many rows all pages have together.
    pub(crate) total: Option<u64>,
    /// The address by which the site names it.
    pub(super) address: Option<String>,
    /// Values, or parts of them, that do not fit their column, by column.
    pub(crate) misfits: BTreeMap<(String, Odd), u64>,
    /// Rows that came out with such a value.
    pub(crate) odd: Vec<Misfit>,
    /// Elements in the page.
    pub(crate) received: usize,
    /// Elements that were not seen before.
    pub(crate) fresh: usize,
    /// Elements that were seen before in the same pass over the list.
    pub(crate) repeated: usize,
    /// Elements of any level that are null; those of the page count as elements.
    pub(super) nulls: u64,
    /// Characters that are none, in values that came out.
    pub(super) broken: u64,
    /// What the elements are known by, in order; empty where nothing tells them apart, or where nobody wants to know.
    pub(super) identities: Vec<u64>,
    /// Stands for all of its rows, where nothing tells them apart and a link leads from page to page.
    pub(super) digest: Option<u64>,
    /// Objects whose embedded page was cut or missing.
    pub(super) cut: Vec<Cut>,
}

impl PageInfo {
    /// What it says of the page that follows it in a search; it was to have so many rows at most.
    pub(super) fn follows(&mut self, asked: usize) -> Follows {
        Follows {
            last: self.last,
            token: self.next.take(),
            total: self.total,
            asked,
        }
    }
}

/// An object whose embedded page was cut or missing.
#[derive(Debug)]
pub(super) struct Cut {
    /// Values of the `follow` slots, `None` where the level is deeper.
    pub(super) values: Vec<Option<String>>,
    /// Rows that came: there is at least one more.
    pub(super) came: u64,
    /// What the rows that came are known by, in order, where they come out; empty where they do not.
    pub(super) carried: Vec<String>,
}

/// Reads answers of one shape.
#[derive(Debug)]
pub(crate) struct Decoder {
    shape: Shape,
    schema: SchemaRef,
    output: Vec<usize>,
    checks: Vec<Check>,
    /// Slots that tell which parent an embedded page belongs to.
    follow: Vec<usize>,
    builders: Vec<Builder>,
    rows: usize,
    /// Rows that may still come out.
    budget: usize,
    cells: Vec<Cell>,
    pending: Vec<Pending>,
    /// Where the pending rows of the open object of each level start.
    starts: Vec<usize>,
    /// Whether the embedded page of each level was seen, and whether it was whole.
    whole: Vec<bool>,
    /// Rows of the embedded page of each level: how many there are, and how many came.
    totals: Vec<Option<u64>>,
    came: Vec<u64>,
    /// Whether the embedded page of each level contradicts itself, or does not begin with the first row.
    torn: Vec<bool>,
    /// What the rows of the embedded page of each level are known by.
    known: Vec<HashSet<String>>,
    /// Whether the open object of level 1 has what it was asked for.
    carried: bool,
    seen: Seen,
    /// Another slot that the elements of level 1 are known by, and its values that were seen.
    alias: Option<(usize, Seen)>,
    /// Elements of the page that have no value in what tells them apart, and how often each came.
    nameless: HashMap<String, usize>,
    /// Rows that a cut embedded page must have to come out, in place of being read again; none does where there is no number.
    keeps: Option<u64>,
    /// Whether a page tells the identities of its elements.
    tells: bool,
    /// What was seen in the present pass, where a list is read again to find what its reordering hid.
    pass: Option<Seen>,
    key: String,
    page: PageInfo,
    /// What stands in the answer for characters that are none.
    mark: Option<char>,
    /// Whether the answer had a place for rows at all.
    found: bool,
    problem: Option<String>,
}

/// What a value of a slot must be for its row to come out.
#[derive(Debug, Clone)]
pub(super) enum Check {
    Among(usize, Arc<BTreeSet<String>>),
    Test(usize, Test),
}

impl Check {
    fn slot(&self) -> usize {
        match self {
            Self::Among(slot, _) | Self::Test(slot, _) => *slot,
        }
    }

    fn passes(&self, cells: &[Cell]) -> bool {
        match self {
            Self::Among(slot, values) => {
                let value = cells[*slot].canonical();
                value.is_some_and(|value| values.contains(value.as_ref()))
            }
            Self::Test(slot, test) => test.passes(&cells[*slot]),
        }
    }
}

/// A row, or the place of a cut page, that waits for the objects around it to end: their values may come later in the text.
#[derive(Debug)]
struct Pending {
    cut: Option<CutPage>,
    cells: Vec<Cell>,
}

/// The place of an embedded page that was cut.
#[derive(Debug)]
struct CutPage {
    /// The level of the object that has it.
    level: usize,
    /// Rows of it that came.
    came: u64,
    /// What they are known by, where they come out.
    carried: Vec<String>,
}

/// What tells a row apart: the values of these slots.
fn write_identity(identity: &mut String, slots: &[usize], cells: &[Cell]) {
    identity.clear();
    for (position, &slot) in slots.iter().enumerate() {
        if position > 0 {
            identity.push('\u{1f}');
        }
        identity.push_str(cells[slot].canonical().as_deref().unwrap_or("\u{0}"));
    }
}

impl Decoder {
    pub(super) fn new(
        shape: Shape,
        schema: SchemaRef,
        output: Vec<usize>,
        checks: Vec<Check>,
        follow: Vec<usize>,
        limit: Option<usize>,
    ) -> Self {
        let levels = shape.levels.len();
        Self {
            builders: output.iter().map(|&slot| Builder::new(shape.slots[slot].kind)).collect(),
            cells: vec![Cell::default(); shape.slots.len()],
            shape,
            schema,
            output,
            checks,
            follow,
            rows: 0,
            budget: limit.unwrap_or(usize::MAX),
            pending: Vec::new(),
            starts: vec![0; levels],
            whole: vec![false; levels],
            totals: vec![None; levels],
            came: vec![0; levels],
            torn: vec![false; levels],
            known: vec![HashSet::new(); levels],
            carried: false,
            seen: Seen::default(),
            alias: None,
            nameless: HashMap::new(),
            keeps: None,
            tells: false,
            pass: None,
            key: String::new(),
            page: PageInfo::default(),
            mark: None,
            found: false,
            problem: None,
        }
    }

    /// Sets the values that the request knows, for the answers to come.
    pub(super) fn bind<'a>(&mut self, values: impl Iterator<Item = (usize, Option<&'a str>)>) -> Result<(), String> {
        for (slot, value) in values {
            let Slot { kind, name, .. } = &self.shape.slots[slot];
            let cell = &mut self.cells[slot];
            cell.clear();
            let Some(value) = value else { continue };
            match kind {
                Kind::Boolean => cell.set_boolean(value == "true"),
                Kind::Bigint => cell.set_integer(value.parse().map_err(|_| format!("column {name} cannot be {value:?}"))?),
                _ => cell.set_text(value),
            }
        }
        Ok(())
    }

    /// Forgets which rows were seen: another list begins.
    pub(super) fn restart(&mut self) {
        self.seen.clear();
        if let Some((_, seen)) = &mut self.alias {
            seen.clear();
        }
        self.pass = None;
    }

    /// Lets [`has_seen`](Self::has_seen) know elements of level 1 by the value of this slot as well.
    pub(super) fn know_by(&mut self, slot: usize) {
        self.alias = Some((slot, Seen::default()));
    }

    /// Goes on where another decoder of the same rows has ended: what it has seen was seen, and what it may no longer give is given.
    pub(super) fn go_on(&mut self, before: Self) {
        self.seen = before.seen;
        self.budget = self.budget.min(before.budget);
    }

    /// Gives the rows of embedded pages that are cut after so many rows or more: whoever reads on does not want them again.
    pub(super) fn keep_cut(&mut self, least: u64) {
        self.keeps = Some(least);
    }

    /// Takes rows that are known by these for seen, and tells the numbers that stand for them.
    pub(super) fn take_for_seen(&mut self, identities: &[String]) -> Vec<u64> {
        let take = |identity: &String| {
            self.seen.insert(identity);
            self.seen.number(identity)
        };
        identities.iter().map(take).collect()
    }

    /// Tells the identities of the elements of each page from now on.
    pub(super) fn tell_identities(&mut self) {
        self.tells = true;
    }

    /// What the element that was read last is known by.
    pub(super) fn last_identity(&self) -> &str {
        &self.key
    }

    /// Begins another pass over the same list.
    pub(super) fn read_again(&mut self) {
        self.pass = Some(Seen::default());
    }

    /// Whether an element of level 1 with this identity was seen.
    pub(super) fn has_seen(&self, identity: &str) -> bool {
        self.seen.contains(identity) || self.alias.as_ref().is_some_and(|(_, seen)| seen.contains(identity))
    }

    /// Elements of the list so far.
    pub(super) fn elements(&self) -> usize {
        self.seen.len()
    }

    /// Whether the elements of a page can be told apart.
    pub(super) fn has_identity(&self) -> bool {
        !self.shape.identity.is_empty()
    }

    /// Rows that wait for [`take`](Self::take).
    pub(super) fn waiting(&self) -> usize {
        self.rows
    }

    /// The slot of a column of the last table, if that column alone tells the elements of a page apart.
    pub(super) fn is_identity(&self, slot: usize) -> bool {
        self.shape.identity == [slot]
    }

    /// Lets no more rows come out than this.
    pub(super) fn allow(&mut self, rows: usize) {
        self.budget = self.budget.min(rows);
    }

    /// Lets any number of rows come out.
    pub(super) fn allow_all(&mut self) {
        self.budget = usize::MAX;
    }

    /// Rows that may still come out.
    pub(super) fn budget(&self) -> usize {
        self.budget
    }

    /// Reads one answer; the rows wait for [`take`](Self::take).
    pub(super) fn read(&mut self, body: &[u8]) -> Result<PageInfo> {
        self.read_repaired(&repaired(body))
    }

    /// The same, of an answer that was repaired.
    pub(super) fn read_repaired(&mut self, body: &Repaired<'_>) -> Result<PageInfo> {
        self.page = PageInfo::default();
        self.mark = body.mark;
        self.nameless.clear();
        self.pending.clear();
        self.found = false;
        self.problem = None;
        for level in 0..self.shape.levels.len() {
            self.clear_level(level);
        }
        let mut input = serde_json::Deserializer::from_slice(&body.json);
        // The tree is lent out while the state changes.
        let root = std::mem::take(&mut self.shape.root);
        let outcome = NodeSeed {
            node: &root,
            state: self,
        }
        .deserialize(&mut input)
        .and_then(|()| input.end());
        self.shape.root = root;
        if let Err(error) = outcome {
            let what = self
                .problem
                .take()
                .unwrap_or_else(|| format!("the answer is not the JSON that the API promises: {error}"));
            return Err(Error::new(ErrorKind::Decode, what)
                .hint("the site or a proxy in front of it answered something unexpected; sys.requests shows the request"));
        }
        if !self.found {
            return Err(
                Error::new(ErrorKind::Decode, "the answer has no rows, not even an empty list of them")
                    .hint("the site or a proxy in front of it answered something unexpected; sys.requests shows the request"),
            );
        }
        self.flush(0).map_err(|what| Error::new(ErrorKind::Decode, what))?;
        Ok(std::mem::take(&mut self.page))
    }

    /// The rows read since the last call.
    pub(super) fn take(&mut self) -> Result<Option<RecordBatch>> {
        if self.rows == 0 {
            return Ok(None);
        }
        let columns = self.builders.iter_mut().map(Builder::finish).collect();
        let options = RecordBatchOptions::new().with_row_count(Some(self.rows));
        self.rows = 0;
        RecordBatch::try_new_with_options(self.schema.clone(), columns, &options)
            .map(Some)
            .map_err(|error| {
                Error::new(
                    ErrorKind::Internal,
                    format!("the decoded columns do not fit together: {error}"),
                )
            })
    }

    /// Takes back the rows that wait: they are none of those that were asked for.
    pub(super) fn forget(&mut self) -> Result<()> {
        let rows = self.rows;
        self.take()?;
        self.budget = self.budget.saturating_add(rows);
        Ok(())
    }

    fn clear_level(&mut self, level: usize) {
        for &slot in &self.shape.levels[level] {
            self.cells[slot].clear();
        }
    }

    fn begin_row(&mut self, level: usize, label: Option<&str>) {
        self.clear_level(level);
        self.starts[level] = self.pending.len();
        self.found = true;
        self.came[level] += 1;
        if level < self.shape.depth() {
            self.whole[level + 1] = !self.shape.paged[level + 1];
            self.totals[level + 1] = None;
            self.came[level + 1] = 0;
            self.torn[level + 1] = false;
            self.known[level + 1].clear();
        }
        if level == 1 {
            self.carried = false;
        }
        if let (Some(slot), Some(label)) = (self.shape.label, label) {
            self.cells[slot].set_text(label);
        }
    }

    fn end_row(&mut self, level: usize) -> Result<(), String> {
        let start = self.starts[level];
        if level == 1 {
            self.page.received += 1;
            let is_first = self.first_sight()?;
            if self.shape.carries && !self.carried {
                return Err(format!("the answer has {} without the fields that were asked for", self.key));
            }
            if !is_first {
                self.pending.truncate(start);
                return Ok(());
            }
            self.page.fresh += 1;
        }
        let depth = self.shape.depth();
        if level > 1 && self.is_repeated(level) {
            // Where one comes twice, another may be missing.
            self.torn[level] = true;
            self.pending.truncate(start);
            return Ok(());
        }
        if level < depth {
            if let Some(total) = self.totals[level + 1] {
                self.whole[level + 1] = self.came[level + 1] == total;
            }
            self.whole[level + 1] &= !(self.torn[level + 1] && self.shape.paged[level + 1]);
        }
        if level == depth {
            if depth == 1 && self.shape.levels[0].is_empty() {
                // The common case: nothing to wait for.
                let cells = std::mem::take(&mut self.cells);
                let outcome = self.emit(&cells);
                self.cells = cells;
                return outcome;
            }
            self.pending.push(Pending {
                cut: None,
                cells: self.cells.clone(),
            });
        } else if !self.whole[level + 1] {
            let came = self.came[level + 1];
            let mut carried = Vec::new();
            if level + 1 == depth && !self.shape.inner.is_empty() && self.keeps.is_some_and(|least| came >= least) {
                self.complete_pending(start, level);
                let mut identity = String::new();
                carried.extend(self.pending[start..].iter().map(|row| {
                    write_identity(&mut identity, &self.shape.inner, &row.cells);
                    identity.clone()
                }));
            } else {
                // A cut page says nothing about the order of what is missing: all of it is read again from its own endpoint.
                self.pending.truncate(start);
            }
            self.pending.push(Pending {
                cut: Some(CutPage { level, came, carried }),
                cells: self.cells.clone(),
            });
        } else {
            if self.shape.at_least_one && level + 1 == depth && self.pending.len() == start {
                self.clear_level(depth);
                self.pending.push(Pending {
                    cut: None,
                    cells: self.cells.clone(),
                });
            }
            self.complete_pending(start, level);
        }
        if level == 1 && self.shape.levels[0].is_empty() {
            return self.flush(start);
        }
        Ok(())
    }

    /// Gives the rows that wait the values of the object around them.
    fn complete_pending(&mut self, start: usize, level: usize) {
        for pending in &mut self.pending[start..] {
            for &slot in &self.shape.levels[level] {
                pending.cells[slot].clone_from(&self.cells[slot]);
            }
        }
    }

    /// An element is null: it takes a place, and that is all.
    fn null_row(&mut self, level: usize) {
        self.page.nulls += 1;
        self.came[level] += 1;
        if level == 1 {
            self.page.received += 1;
            self.page.fresh += 1;
        }
    }

    /// Whether the element of an embedded page that just ended has come before in it.
    fn is_repeated(&mut self, level: usize) -> bool {
        let slots = &self.shape.apart[level];
        if slots.is_empty() || slots.iter().any(|&slot| self.cells[slot].is_null()) {
            return false;
        }
        let mut identity = String::new();
        write_identity(&mut identity, slots, &self.cells);
        !self.known[level].insert(identity)
    }

    /// Whether the element of level 1 that just ended was not seen before.
    fn first_sight(&mut self) -> Result<bool, String> {
        if self.shape.identity.is_empty() {
            return Ok(true);
        }
        let is_null = |slot: &&usize| self.cells[**slot].is_null();
        if let Some(&slot) = self
            .shape
            .identity
            .iter()
            .filter(|slot| self.shape.slots[**slot].key)
            .find(is_null)
        {
            return Err(without_key(&self.shape.slots[slot]));
        }
        let is_nameless = self.shape.identity.iter().any(|slot| is_null(&slot));
        write_identity(&mut self.key, &self.shape.identity, &self.cells);
        if is_nameless {
            // What would tell it apart could not be read: those that look like it are counted, so that each comes out.
            let count = self.nameless.entry(self.key.clone()).or_default();
            *count += 1;
            self.key.push_str(&format!("\u{1f}{count}"));
        }
        if let Some((slot, seen)) = &mut self.alias
            && let Some(value) = self.cells[*slot].canonical()
        {
            seen.insert(&value);
        }
        let first = self.seen.insert(&self.key);
        let first_in_pass = self.pass.as_mut().map_or(first, |pass| pass.insert(&self.key));
        self.page.repeated += usize::from(!first_in_pass);
        if self.tells {
            self.page.identities.push(self.seen.number(&self.key));
        }
        Ok(first)
    }

    fn flush(&mut self, start: usize) -> Result<(), String> {
        let pending: Vec<Pending> = self.pending.drain(start..).collect();
        for mut pending in pending {
            for &slot in &self.shape.levels[0] {
                pending.cells[slot].clone_from(&self.cells[slot]);
            }
            match pending.cut {
                None => self.emit(&pending.cells)?,
                Some(CutPage { level, came, carried }) => {
                    let belongs = |check: &Check| self.shape.slots[check.slot()].level > level || check.passes(&pending.cells);
                    if !self.checks.iter().all(belongs) {
                        continue;
                    }
                    let values = self.follow.iter().map(|&slot| {
                        let known = self.shape.slots[slot].level <= level;
                        pending.cells[slot].canonical().filter(|_| known).map(Cow::into_owned)
                    });
                    self.page.cut.push(Cut {
                        values: values.collect(),
                        came,
                        carried,
                    });
                }
            }
        }
        Ok(())
    }

    /// Counts a value of another type than its column, which is NULL.
    fn misfit(&mut self, slot: usize, what: &str) {
        self.cells[slot].clear();
        self.note_misfit(slot, Odd::Value, what, 1);
    }

    /// Counts what of a value is odd.
    fn note_misfit(&mut self, slot: usize, odd: Odd, what: &str, count: u64) {
        self.cells[slot].note_misfit(odd, what);
        self.count_misfits(slot, odd, count);
    }

    fn count_misfits(&mut self, slot: usize, odd: Odd, count: u64) {
        let column = self.shape.slots[slot].name.clone();
        *self.page.misfits.entry((column, odd)).or_default() += count;
    }

    /// Notes what a row that comes out has in place of values; the texts of some slots are `broken`.
    fn note_odd(&mut self, cells: &[Cell], broken: &[usize]) {
        let of_key = self.output.iter().filter(|&&slot| self.shape.slots[slot].key);
        let key: Vec<_> = of_key.filter_map(|&slot| cells[slot].canonical()).collect();
        for (position, (slot, cell)) in self.shape.slots.iter().zip(cells).enumerate() {
            let broken = broken.contains(&position).then_some("a text with a character that is none");
            if let Some(what) = cell.misfit().map(|(_, what)| what).or(broken) {
                self.page.odd.push(Misfit {
                    key: key.join(", "),
                    column: slot.name.clone(),
                    what: what.to_owned(),
                });
            }
        }
    }

    fn emit(&mut self, cells: &[Cell]) -> Result<(), String> {
        let Some(mark) = self.mark else {
            return self.emit_whole(cells, &[]);
        };
        let (mut cells, mut broken, mut count) = (cells.to_vec(), Vec::new(), 0);
        for (slot, cell) in cells.iter_mut().enumerate() {
            let there = cell.replace(mark, BROKEN);
            if there > 0 {
                broken.push(slot);
                count += if self.output.contains(&slot) { there as u64 } else { 0 };
            }
        }
        let before = self.rows;
        self.emit_whole(&cells, &broken)?;
        self.page.broken += if self.rows > before { count } else { 0 };
        Ok(())
    }

    /// Lets a row come out that passes the checks, the texts of some of whose slots were `broken`.
    fn emit_whole(&mut self, cells: &[Cell], broken: &[usize]) -> Result<(), String> {
        if self.budget == 0 || !self.checks.iter().all(|check| check.passes(cells)) {
            return Ok(());
        }
        for (builder, &slot) in self.builders.iter_mut().zip(&self.output) {
            let cell = &cells[slot];
            if self.shape.slots[slot].key && cell.is_null() {
                return Err(without_key(&self.shape.slots[slot]));
            }
            builder.append(cell);
        }
        if !self.page.misfits.is_empty() || !broken.is_empty() {
            self.note_odd(cells, broken);
        }
        self.rows += 1;
        self.budget -= 1;
        Ok(())
    }
}

fn without_key(slot: &Slot) -> String {
    format!("a row has no {}, which is part of its key", slot.name)
}

/// Reads the value at a node of the shape.
struct NodeSeed<'a> {
    node: &'a Node,
    state: &'a mut Decoder,
}

impl<'de> DeserializeSeed<'de> for NodeSeed<'_> {
    type Value = ();

    fn deserialize<D: Deserializer<'de>>(self, input: D) -> Result<(), D::Error> {
        let Self { node, state } = self;
        // What an element itself holds is read when the element is, see `ElementSeed`.
        if node.rows.is_some()
            && node
                .leaves
                .iter()
                .any(|(slot, _)| state.shape.slots[*slot].kind != Kind::Json)
        {
            return input.deserialize_any(ObjectVisitor { node, state });
        }
        let plain = node.children.is_empty() && node.rows.is_none() && node.page.is_none() && node.carries.is_none();
        let direct =
            |slot: &Slot| slot.kind != Kind::Json && matches!(slot.codec, None | Some(Codec::UrlTail | Codec::LowerCase));
        match &node.leaves[..] {
            [] => input.deserialize_any(ObjectVisitor { node, state }),
            // What is taken from the place of rows is taken from each of them.
            _ if node.rows.is_some() => input.deserialize_any(ObjectVisitor { node, state }),
            [(slot, preference)] if plain && direct(&state.shape.slots[*slot]) => input.deserialize_any(LeafVisitor {
                slot: *slot,
                preference: *preference,
                state,
            }),
            leaves => {
                // Several things are taken from one place: keep its text and read it once for each.
                let raw = <&RawValue as serde::Deserialize>::deserialize(input)?;
                read_leaves(leaves, raw, state).map_err(serde::de::Error::custom)?;
                if plain {
                    return Ok(());
                }
                let mut text = serde_json::Deserializer::from_str(raw.get());
                text.deserialize_any(ObjectVisitor { node, state })
                    .map_err(serde::de::Error::custom)
            }
        }
    }
}

/// Takes the values of several slots from one place.
fn read_leaves(leaves: &[(usize, usize)], raw: &RawValue, state: &mut Decoder) -> Result<(), serde_json::Error> {
    for &(slot, preference) in leaves {
        let Slot {
            kind,
            codec,
            lenient,
            name,
            key,
            ..
        } = &state.shape.slots[slot];
        let is_moment = *kind == Kind::Timestamp && !key;
        let better = preference <= state.cells[slot].preference;
        if *kind == Kind::Json {
            if raw.get() != "null" && better {
                state.cells[slot].set_text(raw.get());
                state.cells[slot].preference = preference;
            }
            continue;
        }
        match codec {
            None | Some(Codec::UrlTail | Codec::LowerCase) => {
                serde_json::Deserializer::from_str(raw.get()).deserialize_any(LeafVisitor {
                    slot,
                    preference,
                    state: &mut *state,
                })?;
            }
            Some(_) if raw.get() == "null" || !better => {}
            Some(codec) => {
                let cell = &mut state.cells[slot];
                cell.clear();
                cell.preference = preference;
                if field::read(cell, *kind, codec, raw.get()) {
                    if let Some((odd, _)) = cell.misfit() {
                        state.count_misfits(slot, odd, 1);
                    }
                    continue;
                }
                cell.clear();
                let name = name.clone();
                // As for a moment that is no date: see `LeafVisitor::mismatch`.
                if *lenient || is_moment {
                    state.misfit(slot, &short(raw.get()));
                } else {
                    let what = format!("column {name}: the answer has something else than the API promises");
                    state.problem.get_or_insert(what);
                    return Err(serde::de::Error::custom("unexpected value"));
                }
            }
        }
    }
    Ok(())
}

/// Walks into an object, or over an array of rows.
struct ObjectVisitor<'a> {
    node: &'a Node,
    state: &'a mut Decoder,
}

impl ObjectVisitor<'_> {
    /// What is no object: nothing to take, unless it is a word about the page.
    fn scalar<E: serde::de::Error>(self, word: Word<'_>) -> Result<(), E> {
        match (self.node.page, word) {
            (Some((level, PageWord::Last)), word) if word.truth().is_some() => match (level, word.truth()) {
                (1, last) => self.state.page.last = last,
                (level, last) => self.state.whole[level] = last == Some(true),
            },
            (Some((_, PageWord::Address)), Word::Text(link)) => self.state.page.address = Some(link.to_owned()),
            (Some((level, PageWord::Next)), Word::Text(link)) if level > 1 => self.state.torn[level] |= !link.is_empty(),
            (Some((level, PageWord::Start)), word) => {
                self.state.torn[level] |= word.count() != Some(0) && !matches!(word, Word::Null)
            }
            (Some((1, PageWord::Next)), Word::Text(link)) => self.state.page.next = Some(link.to_owned()),
            (Some((1, PageWord::Next)), Word::Number(Some(token))) => self.state.page.next = Some(token.to_string()),
            (Some((_, PageWord::Total)), Word::Number(None)) => {}
            (Some((1, PageWord::Total)), word) if word.count().is_some() => self.state.page.total = word.count(),
            (Some((level, PageWord::Total)), word) if word.count().is_some() => self.state.totals[level] = word.count(),
            (_, Word::Null) => {}
            _ if self.node.lenient => {
                let state = self.state;
                misfits_below(self.node, word.name(), state);
            }
            _ => {
                let what = if self.node.rows.is_some() { "rows" } else { "an object" };
                self.state
                    .problem
                    .get_or_insert(format!("the answer has {} where {what} should be", word.name()));
                return Err(E::custom("unexpected value"));
            }
        }
        Ok(())
    }
}

/// Counts what could not be read below a node.
fn misfits_below(node: &Node, what: &str, state: &mut Decoder) {
    for (slot, _) in &node.leaves {
        state.misfit(*slot, what);
    }
    node.children.iter().for_each(|(_, child)| misfits_below(child, what, state));
}

impl ObjectVisitor<'_> {
    /// An array whose elements are told apart by one of their members.
    fn entries<'de, A: SeqAccess<'de>>(self, mut elements: A) -> Result<(), A::Error> {
        while let Some(element) = elements.next_element::<&RawValue>()? {
            // All children look at the same member, as a rule.
            let mut looked_at: Option<(&str, Option<Cow<'_, str>>)> = None;
            for (key, child) in &self.node.children {
                let Some((member, wanted)) = entry(key) else { continue };
                let text = match &looked_at {
                    Some((known, text)) if *known == member => text,
                    _ => &looked_at.insert((member, text_of(element.get(), member))).1,
                };
                if text.as_deref() == Some(wanted) {
                    NodeSeed {
                        node: child,
                        state: &mut *self.state,
                    }
                    .deserialize(&mut serde_json::Deserializer::from_str(element.get()))
                    .map_err(serde::de::Error::custom)?;
                }
            }
        }
        Ok(())
    }
}

/// The text of a member of an object.
fn text_of<'a>(json: &'a str, member: &str) -> Option<Cow<'a, str>> {
    struct Member<'m>(&'m str);

    impl<'de> Visitor<'de> for Member<'_> {
        type Value = Option<&'de RawValue>;

        fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
            f.write_str("an object")
        }

        fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Self::Value, A::Error> {
            let mut found = None;
            while let Some(key) = map.next_key::<Cow<'de, str>>()? {
                if key == self.0 {
                    found = Some(map.next_value()?);
                } else {
                    map.next_value::<IgnoredAny>()?;
                }
            }
            Ok(found)
        }
    }

    #[derive(serde::Deserialize)]
    struct Text<'a>(#[serde(borrow)] Cow<'a, str>);

    let found = serde_json::Deserializer::from_str(json)
        .deserialize_map(Member(member))
        .ok()??;
    serde_json::from_str::<Text<'a>>(found.get()).ok().map(|text| text.0)
}

/// A JSON scalar.
#[derive(Clone, Copy)]
enum Word<'a> {
    Null,
    Boolean(bool),
    /// A number; its value where it can count something.
    Number(Option<u64>),
    Text(&'a str),
    Array,
}

impl Word<'_> {
    /// A truth value, however it is spelled.
    fn truth(self) -> Option<bool> {
        match self {
            Self::Boolean(value) => Some(value),
            Self::Number(Some(number @ (0 | 1))) => Some(number == 1),
            Self::Text(text) if text.eq_ignore_ascii_case("true") => Some(true),
            Self::Text(text) if text.eq_ignore_ascii_case("false") => Some(false),
            _ => None,
        }
    }

    /// How many, however it is spelled.
    fn count(self) -> Option<u64> {
        match self {
            Self::Number(number) => number,
            Self::Text(text) => text.trim().parse().ok(),
            _ => None,
        }
    }

    fn name(self) -> &'static str {
        match self {
            Self::Null => "null",
            Self::Boolean(_) => "a boolean",
            Self::Number(_) => "a number",
            Self::Text(_) => "a text",
            Self::Array => "an array",
        }
    }
}

impl<'de> Visitor<'de> for ObjectVisitor<'_> {
    type Value = ();

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("an object")
    }

    fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<(), A::Error> {
        let Self { node, state } = self;
        if let Some((level, label)) = &node.rows {
            state.begin_row(*level, label.as_deref());
        }
        let (mut next, mut is_known, mut is_empty) = (0, false, true);
        while let Some(child) = map.next_key_seed(KeySeed { node, next })? {
            is_empty = false;
            match child {
                Some(index) => {
                    is_known = true;
                    next = index + 1;
                    map.next_value_seed(NodeSeed {
                        node: &node.children[index].1,
                        state: &mut *state,
                    })?;
                }
                None => {
                    map.next_value::<IgnoredAny>()?;
                }
            }
        }
        if let Some(is_full) = node.carries {
            state.carried = !(is_full && is_empty);
        }
        if let Some((level, _)) = &node.rows {
            let known = match *level == 1 && state.shape.strict && !is_known {
                true => Err("the answer has an object with nothing of what a row has".to_owned()),
                false => Ok(()),
            };
            known.and_then(|()| state.end_row(*level)).map_err(|what| {
                state.problem.get_or_insert(what);
                serde::de::Error::custom("unusable row")
            })?;
        }
        Ok(())
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut elements: A) -> Result<(), A::Error> {
        if self.node.rows.is_none() {
            if self.node.children.iter().any(|(key, _)| entry(key).is_some()) {
                return self.entries(elements);
            }
            if self.node.lenient {
                while elements.next_element::<IgnoredAny>()?.is_some() {}
            }
            return self.scalar(Word::Array);
        }
        self.state.found |= matches!(self.node.rows, Some((1, _)));
        while elements
            .next_element_seed(ElementSeed {
                node: self.node,
                state: &mut *self.state,
            })?
            .is_some()
        {}
        Ok(())
    }

    fn visit_bool<E: serde::de::Error>(self, value: bool) -> Result<(), E> {
        self.scalar(Word::Boolean(value))
    }

    fn visit_str<E: serde::de::Error>(self, value: &str) -> Result<(), E> {
        self.scalar(Word::Text(value))
    }

    fn visit_i64<E: serde::de::Error>(self, value: i64) -> Result<(), E> {
        self.scalar(Word::Number(value.try_into().ok()))
    }

    fn visit_u64<E: serde::de::Error>(self, value: u64) -> Result<(), E> {
        self.scalar(Word::Number(Some(value)))
    }

    fn visit_f64<E: serde::de::Error>(self, value: f64) -> Result<(), E> {
        self.scalar(Word::Number(whole(value).and_then(|number| number.try_into().ok())))
    }

    fn visit_unit<E: serde::de::Error>(self) -> Result<(), E> {
        self.scalar(Word::Null)
    }
}

/// An element of an array of rows: an object; a value where the row has nothing but that value.
struct ElementSeed<'a> {
    node: &'a Node,
    state: &'a mut Decoder,
}

impl<'de> DeserializeSeed<'de> for ElementSeed<'_> {
    type Value = ();

    fn deserialize<D: Deserializer<'de>>(self, input: D) -> Result<(), D::Error> {
        let Self { node, state } = self;
        let (Some((level, label)), false) = (&node.rows, node.leaves.is_empty()) else {
            return input.deserialize_any(ElementVisitor(ObjectVisitor { node, state }));
        };
        // The element itself is a value.
        let raw = <&RawValue as serde::Deserialize>::deserialize(input)?;
        if raw.get() == "null" {
            state.null_row(*level);
            return Ok(());
        }
        state.begin_row(*level, label.as_deref());
        read_leaves(&node.leaves, raw, state).map_err(serde::de::Error::custom)?;
        state.end_row(*level).map_err(|what| {
            state.problem.get_or_insert(what);
            serde::de::Error::custom("unusable row")
        })
    }
}

/// An element of an array of rows that is an object, or null.
struct ElementVisitor<'a>(ObjectVisitor<'a>);

impl<'de> Visitor<'de> for ElementVisitor<'_> {
    type Value = ();

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("an object")
    }

    fn visit_map<A: MapAccess<'de>>(self, map: A) -> Result<(), A::Error> {
        self.0.visit_map(map)
    }

    fn visit_unit<E>(self) -> Result<(), E> {
        let Self(ObjectVisitor { node, state }) = self;
        if let Some((level, _)) = &node.rows {
            state.null_row(*level);
        }
        Ok(())
    }
}

/// Position of a key among the children, without copying the key.
struct KeySeed<'a> {
    node: &'a Node,
    /// The child that is expected.
    next: usize,
}

impl<'de> DeserializeSeed<'de> for KeySeed<'_> {
    type Value = Option<usize>;

    fn deserialize<D: Deserializer<'de>>(self, input: D) -> Result<Option<usize>, D::Error> {
        input.deserialize_identifier(self)
    }
}

impl Visitor<'_> for KeySeed<'_> {
    type Value = Option<usize>;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a key")
    }

    fn visit_str<E>(self, key: &str) -> Result<Option<usize>, E> {
        Ok(self.node.child(key, self.next))
    }
}

/// Reads the value of one column.
struct LeafVisitor<'a> {
    slot: usize,
    preference: usize,
    state: &'a mut Decoder,
}

impl LeafVisitor<'_> {
    /// The cell to fill, unless a better path has filled it.
    fn cell(&mut self) -> Option<(&Slot, &mut Cell)> {
        let cell = &mut self.state.cells[self.slot];
        if self.preference > cell.preference {
            return None;
        }
        cell.clear();
        cell.preference = self.preference;
        Some((&self.state.shape.slots[self.slot], cell))
    }

    fn mismatch<E: serde::de::Error>(self, got: &str) -> Result<(), E> {
        let slot = &self.state.shape.slots[self.slot];
        // A moment that cannot be read is a value of the site; anything else of another type is another API.
        if slot.lenient || (slot.kind == Kind::Timestamp && !slot.key) {
            self.state.misfit(self.slot, got);
            return Ok(());
        }
        let expected = match slot.kind {
            Kind::Text => "a text",
            Kind::Boolean => "true or false",
            Kind::Bigint => "a whole number of 64 bits",
            Kind::Double => "a number",
            Kind::Timestamp => "a date",
            Kind::Date => "a day",
            Kind::Json => "JSON",
            Kind::List => "a list of texts",
        };
        let what = format!("column {}: the answer has {got} where {expected} should be", slot.name);
        self.state.problem.get_or_insert(what);
        Err(E::custom("unexpected value"))
    }
}

/// The largest whole number below which every whole number is a 64-bit float.
const EXACT: f64 = 9_007_199_254_740_992.0;

/// A number that is whole and exact.
#[expect(clippy::cast_possible_truncation, reason = "checked to be whole and small")]
pub(super) fn whole(value: f64) -> Option<i64> {
    (value.fract() == 0.0 && value.abs() < EXACT).then_some(value as i64)
}

/// A whole number, as a number or as text.
pub(super) fn count(json: &str) -> Option<i64> {
    let text = serde_json::from_str::<Cow<'_, str>>(json);
    let text = text.as_deref().unwrap_or(json).trim();
    text.parse().ok().or_else(|| whole(text.parse().ok()?))
}

impl<'de> Visitor<'de> for LeafVisitor<'_> {
    type Value = ();

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a value")
    }

    fn visit_unit<E>(self) -> Result<(), E> {
        Ok(())
    }

    fn visit_str<E: serde::de::Error>(mut self, value: &str) -> Result<(), E> {
        let Some((slot, cell)) = self.cell() else { return Ok(()) };
        match slot.kind {
            Kind::Text => match slot.codec {
                Some(Codec::UrlTail) => cell.set_text(url_tail(value)),
                Some(Codec::LowerCase) => cell.set_text(&value.to_lowercase()),
                _ => cell.set_text(value),
            },
            Kind::List => cell.set_list().push(Some(value.to_owned())),
            // Sites write an empty text where they mean nothing.
            _ if value.is_empty() => cell.clear(),
            Kind::Boolean if value.eq_ignore_ascii_case("true") => cell.set_boolean(true),
            Kind::Boolean if value.eq_ignore_ascii_case("false") => cell.set_boolean(false),
            Kind::Bigint => match value.parse().ok().or_else(|| value.parse().ok().and_then(whole)) {
                Some(number) => cell.set_integer(number),
                None => return self.mismatch(&quoted(value)),
            },
            // Words for what JSON has no number for are no numbers.
            Kind::Double => match value.parse::<f64>() {
                Ok(number) if number.is_finite() => cell.set_float(number),
                _ => return self.mismatch(&quoted(value)),
            },
            Kind::Timestamp => match epoch_millis(value) {
                Some(millis) => cell.set_integer(millis),
                None => return self.mismatch(&quoted(value)),
            },
            Kind::Date => match epoch_days(value) {
                Some(days) => cell.set_integer(days),
                None => return self.mismatch(&quoted(value)),
            },
            Kind::Boolean | Kind::Json => return self.mismatch(&quoted(value)),
        }
        Ok(())
    }

    fn visit_bool<E: serde::de::Error>(mut self, value: bool) -> Result<(), E> {
        let Some((slot, cell)) = self.cell() else { return Ok(()) };
        match slot.kind {
            Kind::Boolean => cell.set_boolean(value),
            Kind::Text => cell.set_text(if value { "true" } else { "false" }),
            _ => return self.mismatch("a boolean"),
        }
        Ok(())
    }

    fn visit_i64<E: serde::de::Error>(mut self, value: i64) -> Result<(), E> {
        let Some((slot, cell)) = self.cell() else { return Ok(()) };
        match slot.kind {
            Kind::Text => cell.set_text(&value.to_string()),
            Kind::Bigint | Kind::Timestamp => cell.set_integer(value),
            #[expect(clippy::cast_precision_loss, reason = "a double column holds doubles")]
            Kind::Double => cell.set_float(value as f64),
            _ => return self.mismatch("a number"),
        }
        Ok(())
    }

    fn visit_u64<E: serde::de::Error>(mut self, value: u64) -> Result<(), E> {
        match i64::try_from(value) {
            Ok(value) => self.visit_i64(value),
            Err(_) => {
                let Some((slot, cell)) = self.cell() else { return Ok(()) };
                match slot.kind {
                    Kind::Text => cell.set_text(&value.to_string()),
                    #[expect(clippy::cast_precision_loss, reason = "a double column holds doubles")]
                    Kind::Double => cell.set_float(value as f64),
                    _ => return self.mismatch(&format!("the number {value}")),
                }
                Ok(())
            }
        }
    }

    fn visit_f64<E: serde::de::Error>(mut self, value: f64) -> Result<(), E> {
        let Some((slot, cell)) = self.cell() else { return Ok(()) };
        match (slot.kind, whole(value)) {
            (Kind::Double, _) => cell.set_float(value),
            (Kind::Bigint | Kind::Timestamp, Some(number)) => cell.set_integer(number),
            (Kind::Text, Some(number)) => cell.set_text(&number.to_string()),
            // Beyond that the text of the number is lost: 12345678901234567890123 must not become another number.
            (Kind::Text, None) if value.abs() < EXACT => {
                cell.set_text(&serde_json::Number::from_f64(value).map_or_else(String::new, |n| n.to_string()))
            }
            _ => return self.mismatch(&format!("the number {value:e}")),
        }
        Ok(())
    }

    fn visit_seq<A: SeqAccess<'de>>(mut self, mut elements: A) -> Result<(), A::Error> {
        let is_list = self.state.shape.slots[self.slot].kind == Kind::List;
        if !is_list {
            while elements.next_element::<IgnoredAny>()?.is_some() {}
            return self.mismatch("an array");
        }
        // An element that is no text costs itself.
        let (mut items, mut wrong) = (Vec::new(), false);
        while let Some(item) = elements.next_element::<Item>()? {
            items.push(match item {
                Item::Text(text) => Some(text),
                Item::Number(number) => Some(number.to_string()),
                Item::Boolean(value) => Some(value.to_string()),
                Item::Null(()) => None,
                Item::Other(_) => {
                    wrong = true;
                    None
                }
            });
        }
        let Some((_, cell)) = self.cell() else { return Ok(()) };
        *cell.set_list() = items;
        if wrong {
            self.state
                .note_misfit(self.slot, Odd::Element, "a list with something else than texts", 1);
        }
        Ok(())
    }

    fn visit_map<A: MapAccess<'de>>(mut self, mut map: A) -> Result<(), A::Error> {
        let is_date = self.state.shape.slots[self.slot].kind == Kind::Timestamp;
        if !is_date {
            while map.next_entry::<IgnoredAny, IgnoredAny>()?.is_some() {}
            return self.mismatch("an object");
        }
        // A date object: epochMillis is exact, `jira` has milliseconds, `iso8601` seconds, `friendly` is for people.
        let (mut millis, mut jira, mut iso, mut keys) = (None, None, None, 0);
        while let Some(key) = map.next_key::<Cow<'de, str>>()? {
            keys += 1;
            match key.as_ref() {
                "epochMillis" => millis = map.next_value::<&RawValue>().map(|raw| count(raw.get()))?,
                "jira" => {
                    jira = map
                        .next_value::<&RawValue>()
                        .map(|raw| serde_json::from_str::<String>(raw.get()).ok())?
                }
                "iso8601" => {
                    iso = map
                        .next_value::<&RawValue>()
                        .map(|raw| serde_json::from_str::<String>(raw.get()).ok())?
                }
                _ => {
                    map.next_value::<IgnoredAny>()?;
                }
            }
        }
        let millis = millis
            .or_else(|| jira.as_deref().and_then(epoch_millis))
            .or_else(|| iso.as_deref().and_then(epoch_millis));
        match millis {
            Some(millis) => {
                if let Some((_, cell)) = self.cell() {
                    cell.set_integer(millis);
                }
                Ok(())
            }
            None if keys == 0 => Ok(()),
            None => self.mismatch("an unreadable date object"),
        }
    }
}

/// An element of a list of texts.
#[derive(serde::Deserialize)]
#[serde(untagged)]
enum Item {
    Text(String),
    Number(serde_json::Number),
    Boolean(bool),
    Null(()),
    Other(IgnoredAny),
}

/// The beginning of a JSON text.
fn short(json: &str) -> String {
    let short: String = json.chars().take(40).collect();
    if short.len() < json.len() { short + "…" } else { short }
}

fn quoted(text: &str) -> String {
    let short: String = text.chars().take(40).collect();
    format!("the text {short:?}{}", if short.len() < text.len() { "…" } else { "" })
}

/// `2026-03-01T10:20:30.123+0100` in milliseconds since 1970; the offset may lack its colon or be `Z`.
pub(super) fn epoch_millis(text: &str) -> Option<i64> {
    use chrono::DateTime;
    DateTime::parse_from_str(text, "%Y-%m-%dT%H:%M:%S%.f%z")
        .or_else(|_| DateTime::parse_from_rfc3339(text))
        .ok()
        .map(|instant| instant.timestamp_millis())
}

/// `2026-03-01`, with or without a time behind it, in days since 1970.
fn epoch_days(text: &str) -> Option<i64> {
    let day = text.get(..10)?;
    let day = chrono::NaiveDate::parse_from_str(day, "%Y-%m-%d").ok()?;
    Some(day.signed_duration_since(chrono::NaiveDate::default()).num_days())
}

/// The last segment of a URL.
fn url_tail(text: &str) -> &str {
    let path = text.split(['?', '#']).next().unwrap_or_default().trim_end_matches('/');
    path.rsplit('/').next().unwrap_or_default()
}
