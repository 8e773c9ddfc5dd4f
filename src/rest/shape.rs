//! What to take from an answer, and where in it: a tree of JSON keys compiled from the schema and the columns that are needed.
//!
//! An answer is read in levels: 0 is the envelope, 1 an element of the page, deeper ones the elements of arrays inside of it (embedded
//! pages, `each`). The deepest level makes the rows; values of the levels above are shared by the rows below them.

use std::collections::{BTreeMap, HashMap};
use std::sync::Arc;

use crate::schema::{Codec, JsonPath, Kind, Origin, PageStyle, Table};

/// A column that is taken from the answer or from the request.
#[derive(Debug, Clone)]
pub(super) struct Slot {
    pub(super) name: String,
    pub(super) kind: Kind,
    pub(super) codec: Option<Codec>,
    /// Level of the object that has the value; 0 for what the request knows.
    pub(super) level: usize,
    /// NULL is an error.
    pub(super) key: bool,
    /// A value of another type is NULL and counted.
    pub(super) lenient: bool,
}

/// What happens at one place of the answer.
#[derive(Debug, Default)]
pub(super) struct Node {
    /// Slots that take the value here, with their preference.
    pub(super) leaves: Vec<(usize, usize)>,
    pub(super) children: Vec<(String, Node)>,
    /// Where to find them by their keys, if there are many: a site may have 500 custom fields.
    by_key: HashMap<String, usize>,
    /// The elements here are the objects of that level, under this label.
    pub(super) rows: Option<(usize, Option<Arc<str>>)>,
    /// The value here says something about the page of that level.
    pub(super) page: Option<(usize, PageWord)>,
    /// Something else than an object here is no value, and counted.
    pub(super) lenient: bool,
    /// The object here has what a row of level 1 was asked for: a row without it is cut. Where this is true, it has something in any case.
    pub(super) carries: Option<bool>,
}

/// More children than this are looked up in a table.
const MANY: usize = 16;

impl Node {
    /// Position of the child under a key. Sites write the members of an object in the same order again and again, so the one at `next`,
    /// after the last that was found, is tried first.
    pub(super) fn child(&self, key: &str, next: usize) -> Option<usize> {
        if self.children.get(next).is_some_and(|(name, _)| name == key) {
            return Some(next);
        }
        if self.by_key.is_empty() {
            return self.children.iter().position(|(name, _)| name == key);
        }
        self.by_key.get(key).copied()
    }

    /// Makes the tables of a tree that is complete.
    fn index(&mut self) {
        if self.children.len() > MANY {
            let keys = self.children.iter().enumerate();
            self.by_key = keys.map(|(index, (key, _))| (key.clone(), index)).collect();
        }
        self.children.iter_mut().for_each(|(_, child)| child.index());
    }
}

/// A segment of a path that names an element of an array by the value of one of its members: `[fieldId=customfield_10001]`.
pub(super) fn entry(segment: &str) -> Option<(&str, &str)> {
    segment.strip_prefix('[')?.strip_suffix(']')?.split_once('=')
}

/// What a page says about itself.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum PageWord {
    Last,
    Next,
    Total,
    /// The place of its first row.
    Start,
    /// The address by which the site names it.
    Address,
}

/// The compiled tree.
#[derive(Debug)]
pub(crate) struct Shape {
    pub(super) root: Node,
    pub(super) slots: Vec<Slot>,
    /// Slots of each level.
    pub(super) levels: Vec<Vec<usize>>,
    /// Levels whose elements come in embedded pages, which may be cut.
    pub(super) paged: Vec<bool>,
    /// Slot of the label, if asked for.
    pub(super) label: Option<usize>,
    /// Slots that tell the elements of level 1 apart; empty where nothing does.
    pub(super) identity: Vec<usize>,
    /// Slots that tell the rows of an embedded page apart.
    pub(super) inner: Vec<usize>,
    /// Slots that tell the elements of an embedded page apart, by its level.
    pub(super) apart: Vec<Vec<usize>>,
    /// Whether a node carries what rows were asked for.
    pub(super) carries: bool,
    /// An object of level 1 without any of the members that are looked for is no row.
    pub(super) strict: bool,
    /// An object of level 1 without rows inside is one row all the same.
    pub(super) at_least_one: bool,
    /// Slot of each column, by (table in the chain, column): 0 is the root.
    slot_of: BTreeMap<(usize, usize), usize>,
}

impl Shape {
    /// Slot of a column of the last table.
    pub(super) fn slot(&self, chain: usize, column: usize) -> Option<usize> {
        self.slot_of.get(&(chain, column)).copied()
    }

    /// Level of the rows.
    pub(super) fn depth(&self) -> usize {
        self.levels.len() - 1
    }
}

/// Compiles the shape of the answers of one endpoint.
///
/// `chain` is the table alone, or the root of an embedded read and the tables below it. `columns` are the columns needed of the last
/// table, `root_columns` those of the root. `page` tells whether the answer is a page (a list) or the object itself (a get).
pub(super) fn compile(chain: &[Arc<Table>], columns: &[usize], root_columns: &[usize], page: bool) -> Shape {
    let mut shape = Shape {
        root: Node::default(),
        slots: Vec::new(),
        levels: vec![Vec::new(), Vec::new()],
        paged: vec![false, false],
        label: None,
        identity: Vec::new(),
        inner: Vec::new(),
        apart: Vec::new(),
        carries: false,
        strict: false,
        at_least_one: false,
        slot_of: BTreeMap::new(),
    };
    let root = &chain[0];
    // Path of the array of level 1, and of every deeper array relative to the object around it.
    let mut prefixes: Vec<JsonPath> = vec![Vec::new()];
    if page {
        let rows = &root.page.rows;
        prefixes.push(rows.clone());
        node_at(&mut shape.root, rows).rows = Some((1, None));
        if !matches!(root.page.style, PageStyle::Single | PageStyle::Array) {
            node_at(&mut shape.root, &root.page.last).page = Some((1, PageWord::Last));
            node_at(&mut shape.root, &root.page.next).page = Some((1, PageWord::Next));
            if let Some(total) = &root.page.total {
                node_at(&mut shape.root, total).page = Some((1, PageWord::Total));
            }
        }
        if super::moved::key_of_parent(root).is_some() && root.page.style != PageStyle::Array {
            let mut at = match root.page.style {
                PageStyle::Single => Vec::new(),
                _ => root.page.next.clone(),
            };
            at.pop();
            at.push("self".to_owned());
            let node = node_at(&mut shape.root, &at);
            node.page = Some((1, PageWord::Address));
            // A word that is not needed: whatever stands there does no harm.
            node.lenient = true;
        }
    } else {
        prefixes.push(Vec::new());
        shape.root.rows = Some((1, None));
    }
    for &column in &root.identity {
        shape.add(chain, &mut prefixes, 0, column);
    }
    shape.identity = root.identity.iter().filter_map(|&column| shape.slot(0, column)).collect();
    if root.identity.is_empty() {
        shape.know_members(root, &prefixes.concat());
    }
    for (position, table) in chain.iter().enumerate() {
        if position > 0
            && let Some(embed) = &table.embed
        {
            let level = shape.levels.len();
            shape.levels.push(Vec::new());
            // Where the list of the child has no pages, an embedded one is whole.
            shape.paged.push(table.page.style != PageStyle::Single);
            let around = prefixes.concat();
            let joined = |path: &JsonPath| [around.clone(), embed.at.clone(), path.clone()].concat();
            node_at(&mut shape.root, &joined(&embed.rows)).rows = Some((level, None));
            if table.page.style != PageStyle::Single {
                match &table.page.total {
                    Some(total) => node_at(&mut shape.root, &joined(total)).page = Some((level, PageWord::Total)),
                    None => node_at(&mut shape.root, &joined(&table.page.last)).page = Some((level, PageWord::Last)),
                }
                for (path, word) in [
                    (table.page.next.clone(), PageWord::Next),
                    (vec![table.page.start.clone()], PageWord::Start),
                ] {
                    let node = node_at(&mut shape.root, &joined(&path));
                    node.page = Some((level, word));
                    node.lenient = true;
                }
            }
            prefixes.push([embed.at.clone(), embed.rows.clone()].concat());
        }
        if position + 1 == chain.len() && !table.each.is_empty() {
            let level = shape.levels.len();
            shape.levels.push(Vec::new());
            shape.paged.push(false);
            let around = prefixes.concat();
            for (label, path) in &table.each {
                let at = [around.clone(), path.clone()].concat();
                node_at(&mut shape.root, &at).rows = Some((level, Some(label.as_str().into())));
            }
        }
    }
    let last = chain.len() - 1;
    if last > 0 && chain[last].each.is_empty() {
        let identity = chain[last].identity.iter();
        shape.inner = identity
            .map(|&column| shape.add(chain, &mut prefixes, last, column))
            .collect();
    }
    shape.apart = vec![Vec::new(); shape.levels.len()];
    for (position, table) in chain.iter().enumerate().skip(1) {
        for &column in &table.identity {
            let slot = shape.add(chain, &mut prefixes, position, column);
            if shape.slots[slot].level == position + 1 {
                shape.apart[position + 1].push(slot);
            }
        }
    }
    for &column in root_columns {
        shape.add(chain, &mut prefixes, 0, column);
    }
    for &column in columns {
        shape.add(chain, &mut prefixes, chain.len() - 1, column);
    }
    shape.root.index();
    shape
}

impl Shape {
    /// Says where the objects of level 1, at `rows`, have what they are asked for. An object may have none of it only where it is not full.
    pub(super) fn require(&mut self, rows: &[String], path: &[String], is_full: bool) {
        node_at(&mut self.root, &[rows, path].concat()).carries = Some(is_full);
        self.carries = true;
        self.root.index();
    }

    /// Takes an object for a row whatever it has: what answers a write may tell less.
    pub(super) fn take_any(&mut self) {
        self.identity.clear();
        self.strict = false;
    }

    /// Looks for the members of the objects of level 1, where no key of their own tells that they are rows.
    fn know_members(&mut self, root: &Table, rows: &[String]) {
        for column in &root.columns {
            let Origin::Json { paths, level: 1, .. } = &column.origin else {
                continue;
            };
            for member in paths.iter().filter_map(|path| path.first()) {
                // Whatever stands there does no harm.
                node_at(&mut self.root, &[rows, std::slice::from_ref(member)].concat()).lenient = true;
                self.strict = true;
            }
        }
    }

    /// Adds the slot of a column, and the places its value comes from.
    fn add(&mut self, chain: &[Arc<Table>], prefixes: &mut Vec<JsonPath>, position: usize, column: usize) -> usize {
        if let Some(slot) = self.slot(position, column) {
            return slot;
        }
        let table = &chain[position];
        let definition = &table.columns[column];
        // A column that takes its value from the parent is, in an embedded read, the parent's own column.
        if position > 0
            && definition.origin == Origin::Request
            && let Some(parent) = &table.parent
            && let Some(&(_, there)) = parent.columns.iter().find(|(here, _)| *here == column)
        {
            let slot = self.add(chain, prefixes, position - 1, there);
            self.slot_of.insert((position, column), slot);
            return slot;
        }
        let slot = self.slots.len();
        let (codec, level) = match &definition.origin {
            Origin::Json { level, codec, .. } => (codec.clone(), if *level == 0 { position } else { position + level }),
            Origin::Request => (None, 0),
            Origin::Label => (None, self.depth()),
        };
        self.slots.push(Slot {
            name: definition.name.clone(),
            kind: definition.kind,
            codec,
            level,
            key: definition.key,
            lenient: definition.lenient,
        });
        self.slot_of.insert((position, column), slot);
        match &definition.origin {
            Origin::Json { paths, .. } => {
                self.levels[level].push(slot);
                for (preference, path) in paths.iter().enumerate() {
                    for around in self.places(chain, prefixes, position, level) {
                        let outer = around.len();
                        let at = [around, path.clone()].concat();
                        node_at(&mut self.root, &at).leaves.push((slot, preference));
                        if definition.lenient {
                            // Objects on the way to the value, not those around the row.
                            for length in outer + 1..at.len() {
                                node_at(&mut self.root, &at[..length]).lenient = true;
                            }
                        }
                    }
                }
            }
            Origin::Label => {
                self.levels[level].push(slot);
                self.label = Some(slot);
            }
            Origin::Request => {}
        }
        slot
    }

    /// Where the objects of a level lie: several places for the arrays of `each`.
    fn places(&self, chain: &[Arc<Table>], prefixes: &[JsonPath], position: usize, level: usize) -> Vec<JsonPath> {
        let table = &chain[position];
        if level > position + 1 {
            let around = prefixes[..=position + 1].concat();
            return table
                .each
                .iter()
                .map(|(_, path)| [around.clone(), path.clone()].concat())
                .collect();
        }
        vec![prefixes[..=level.min(prefixes.len() - 1)].concat()]
    }
}

/// The node at a path, made where it is missing.
fn node_at<'a>(node: &'a mut Node, path: &[String]) -> &'a mut Node {
    let Some((key, rest)) = path.split_first() else { return node };
    let index = node.children.iter().position(|(name, _)| name == key).unwrap_or_else(|| {
        node.children.push((key.clone(), Node::default()));
        node.children.len() - 1
    });
    node_at(&mut node.children[index].1, rest)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn children_are_found_whatever_their_number_and_order() {
        for count in [1, MANY, MANY + 1, 500] {
            let mut root = Node::default();
            for number in 0..count {
                node_at(&mut root, &[format!("customfield_{number}")]);
            }
            root.index();
            for next in [0, 1, count - 1, count] {
                for number in 0..count {
                    assert_eq!(root.child(&format!("customfield_{number}"), next), Some(number));
                }
                assert_eq!(root.child("customfield_", next), None);
            }
        }
    }
}
