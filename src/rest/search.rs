//! How rows are found by JQL: which fields are asked for, and which of the ways to read them wins. Pure.
//!
//! # Design
//!
//! A page of a search with fields has a hundred rows, and pages come one after the other; ids alone come five thousand a page, and issues
//! by id in batches side by side. So a wide read is a sweep of ids and batches beside it; a short one is a page or a few; what needs
//! nothing but ids and keys is the sweep alone; and rows that are known by id or key need no search.

use std::collections::BTreeSet;
use std::fmt;
use std::sync::Arc;

use super::clause::{Clause, Test};
use super::jql::{self, Condition, Unknown};
use super::plan::{Known, Read};
use crate::schema::{EmbedBulk, Jql, JqlOp, Origin, Table};

/// Rows that are worth a sweep: three pages take as long as a sweep and its batches.
pub(super) const FEW_PAGES: usize = 3;

/// Rows found by JQL, or what hangs on them.
#[derive(Debug, Clone)]
pub(crate) struct Search {
    /// The table that is searched.
    pub(crate) root: Arc<Table>,
    /// Tables from below the root down to the one that is read; empty where it is the root.
    pub(crate) chain: Vec<Arc<Table>>,
    /// What is known of the columns of the root.
    pub(crate) root_known: Known,
    /// What is known of the columns of the last table of the chain.
    pub(crate) known: Known,
    /// What else the rows of the root must satisfy, as far as the site can be asked for it.
    pub(crate) clauses: Vec<Clause>,
    /// Columns that the JQL leaves out, because the site refuses what would be said about them.
    pub(crate) unsaid: BTreeSet<usize>,
    /// Columns of the root that the rows come ordered by, and whether the largest come first.
    pub(crate) order: Vec<(usize, bool)>,
}

/// What is asked of each row.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(crate) struct Needs {
    pub(crate) fields: BTreeSet<String>,
    pub(crate) properties: BTreeSet<String>,
    pub(crate) expand: BTreeSet<String>,
    /// All fields.
    pub(crate) all: bool,
}

/// How the rows are reached.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Way {
    /// Batches of rows that are known by id or key.
    Keys(Vec<String>),
    /// Pages of ids and keys.
    Ids,
    /// Pages with fields. Where the JQL finds more than is wanted, or who knows how many rows carry what is read, the way goes on by ids
    /// and batches after a few pages.
    Pages { then_batches: bool },
    /// Pages of ids, and batches beside them; after a first page with fields where that may be all.
    Batches { page_first: bool },
}

impl Search {
    /// What the rows of a read must be asked for.
    pub(crate) fn needs(&self, read: &Read) -> Needs {
        self.needs_beside(read, &self.answered(read))
    }

    /// The same, if these columns need no second look.
    fn needs_beside(&self, read: &Read, answered: &BTreeSet<usize>) -> Needs {
        let mut needs = Needs::default();
        let Some(search) = &self.root.search else { return needs };
        let mut take = |column: usize| {
            let column = &self.root.columns[column];
            needs.expand.extend(column.expand.clone());
            if let Some(property) = &column.property {
                needs.properties.insert(property.clone());
            } else if let Origin::Json { paths, .. } = &column.origin {
                for path in paths {
                    match path.strip_prefix(&search.fields[..]) {
                        Some([]) => needs.all = true,
                        Some([field, ..]) => {
                            needs.fields.insert(field.clone());
                        }
                        None => {}
                    }
                }
            }
        };
        if self.chain.is_empty() {
            let looked_at = read.needed().filter(|column| !answered.contains(column));
            looked_at.chain(read.columns.iter().copied()).for_each(&mut take);
        } else {
            self.root_known.columns().for_each(&mut take);
            for embed in self.chain.iter().filter_map(|table| table.embed.as_ref()) {
                needs.fields.extend(embed.field.clone());
                needs.expand.extend(embed.expand.clone());
            }
        }
        let is_open = !needs.all && !needs.fields.is_empty() && !search.always.iter().any(|field| needs.fields.contains(field));
        // Also where one field more makes the batches smaller: without it a row that was cut would pass for one without values.
        if is_open {
            needs.fields.extend(search.always.first().cloned());
        }
        needs
    }

    /// Columns that get no second look, because JQL says just what SQL does about them and nothing but ids is read. Rows that come with
    /// fields are always looked at: they may have changed since the index of the site took notice of them.
    pub(crate) fn answered(&self, read: &Read) -> BTreeSet<usize> {
        let exact = self.exact(read);
        match self.way(read, &self.needs_beside(read, &exact)) {
            Way::Ids => exact,
            Way::Keys(_) | Way::Pages { .. } | Way::Batches { .. } => BTreeSet::new(),
        }
    }

    /// Whether the rows are asked for by just the values of this column that SQL wants.
    pub(crate) fn asks_exactly(&self, read: &Read, column: usize) -> bool {
        let by_key = || {
            let keys = self.root.search.as_ref().map(|search| [search.key, search.id]);
            self.keys().is_some() && keys.is_some_and(|keys| keys.contains(&column))
        };
        self.root.columns[column].input || by_key() || self.exact(read).contains(&column)
    }

    /// Whether the JQL finds just the rows that are wanted.
    fn is_exact(&self, read: &Read) -> bool {
        let exact = self.exact(read);
        let mut looked_at = read.checks.columns().chain(read.tests.iter().map(|(column, _)| *column));
        // What is asked by an input is echoed as it was asked.
        self.chain.is_empty() && looked_at.all(|column| self.root.columns[column].input || exact.contains(&column))
    }

    /// Columns about which JQL says just what SQL does.
    fn exact(&self, read: &Read) -> BTreeSet<usize> {
        if !self.chain.is_empty() {
            return BTreeSet::new();
        }
        let says = |column: usize, op: JqlOp| {
            jql::jql(&self.root, column).filter(|jql| jql.takes(op) && jql.exact.contains(&op) && !jql.vague)
        };
        let values = |column: usize, op: JqlOp, values: &BTreeSet<String>| {
            let sayable = |jql: &Jql| values.iter().all(|value| jql::literal(jql, value).is_some());
            says(column, op).is_some_and(|jql| sayable(jql) && values.len() <= jql::MOST_VALUES)
        };
        let mut answered: BTreeSet<usize> = read
            .checks
            .columns()
            .chain(read.tests.iter().map(|(column, _)| *column))
            .filter(|column| !self.unsaid.contains(column))
            .collect();
        for column in read.checks.columns() {
            if !read
                .checks
                .get(column)
                .is_some_and(|known| values(column, JqlOp::Equal, known))
            {
                answered.remove(&column);
            }
        }
        for (column, test) in &read.tests {
            let exact = match test {
                Test::Null(true) => says(*column, JqlOp::Empty).is_some(),
                Test::Null(false) => says(*column, JqlOp::NotEmpty).is_some(),
                Test::Without(known) => values(*column, JqlOp::Unequal, known),
                // Bounds beyond what JQL can write are left out.
                Test::Has(_) | Test::Compare(..) => false,
            };
            if !exact {
                answered.remove(column);
            }
        }
        answered
    }

    /// Ids or keys that the rows are known by, if nothing else can tell which are meant.
    fn keys(&self) -> Option<&Arc<BTreeSet<String>>> {
        let search = self.root.search.as_ref()?;
        if self.root_known.columns().any(|column| self.root.columns[column].input) {
            return None;
        }
        [search.key, search.id]
            .into_iter()
            .find_map(|column| self.root_known.get(column))
    }

    /// Which way wins for a read.
    pub(crate) fn way(&self, read: &Read, needs: &Needs) -> Way {
        let then_batches = !self.is_exact(read);
        let Some(search) = &self.root.search else {
            return Way::Pages { then_batches };
        };
        if let Some(keys) = self.keys() {
            return Way::Keys(keys.iter().cloned().collect());
        }
        if needs.is_light() {
            return Way::Ids;
        }
        match read.limit {
            Some(limit) if limit <= FEW_PAGES * search.rows => Way::Pages { then_batches },
            _ if !self.order.is_empty() => Way::Pages { then_batches },
            _ => Way::Batches {
                page_first: !self.clauses.is_empty() || self.root_known.columns().next().is_some(),
            },
        }
    }

    /// Where what many rows carry is had at once.
    pub(crate) fn bulk(&self) -> Option<&EmbedBulk> {
        match &self.chain[..] {
            [table] => table.embed.as_ref()?.bulk.as_ref(),
            _ => None,
        }
    }

    /// The same, if the rows are read that way and it takes fewer requests than batches of them do.
    pub(crate) fn bulk_of(&self, way: &Way) -> Option<&EmbedBulk> {
        let wins = match way {
            // Its answers have ids alone: what is known by key costs a request that tells them.
            Way::Keys(keys) => keys.len() > 2 * self.root.search.as_ref()?.batch,
            Way::Batches { .. } => true,
            Way::Ids | Way::Pages { .. } => false,
        };
        self.bulk().filter(|_| wins)
    }

    /// Rows of a batch.
    pub(crate) fn batch(&self, needs: &Needs) -> usize {
        let Some(search) = &self.root.search else { return 1 };
        let narrow = !needs.all
            && needs.expand.is_empty()
            && needs.properties.is_empty()
            && needs.fields.len() <= search.narrow_fields
            && !needs.fields.iter().any(|field| search.narrow_without.contains(field));
        if narrow { search.narrow } else { search.batch }
    }

    /// The JQL, with clauses that users wrote; `None` where no row can satisfy it.
    pub(crate) fn jql(&self, written: &[String], unknown: &Unknown) -> Option<String> {
        let mut known = Known::default();
        for column in self.root_known.columns().filter(|&column| !self.root.columns[column].input) {
            known.restrict(
                column,
                self.root_known
                    .get(column)
                    .into_iter()
                    .flat_map(|values| values.iter().cloned()),
            );
        }
        let mut parts = clauses(written);
        match jql::condition(&self.root, &known, &self.clauses, (unknown, &self.unsaid)) {
            Condition::False => return None,
            Condition::True => {}
            Condition::Jql { text, .. } => parts.push(text),
        }
        if parts.is_empty() {
            parts.extend(self.root.search.as_ref().map(|search| search.bound.clone()));
        }
        let mut text = parts.join(" AND ");
        for (position, (column, descending)) in self.order.iter().enumerate() {
            let Some(jql) = jql::jql(&self.root, *column) else { continue };
            text.push_str(if position == 0 { " ORDER BY " } else { ", " });
            text.push_str(&jql.field);
            text.push_str(if *descending { " DESC" } else { " ASC" });
        }
        Some(text)
    }

    /// Every value that the JQL names, by column, where the site may not know it.
    pub(crate) fn values(&self) -> Vec<(usize, BTreeSet<String>)> {
        fn walk(clause: &Clause, take: &mut impl FnMut(usize, &str)) {
            match clause {
                Clause::All(parts) | Clause::Any(parts) => parts.iter().for_each(|part| walk(part, take)),
                Clause::Values { column, values, .. } => values.iter().for_each(|value| take(*column, value)),
                Clause::Test(..) => {}
            }
        }
        let mut found: std::collections::BTreeMap<usize, BTreeSet<String>> = Default::default();
        let mut take = |column: usize, value: &str| {
            if jql::jql(&self.root, column).is_some_and(|jql| jql::literal(jql, value).is_some()) {
                found.entry(column).or_default().insert(value.to_owned());
            }
        };
        for column in self.root_known.columns() {
            let values = self.root_known.get(column).into_iter().flat_map(|values| values.iter());
            values.for_each(|value| take(column, value));
        }
        self.clauses.iter().for_each(|clause| walk(clause, &mut take));
        found
            .into_iter()
            .filter(|(column, _)| !self.unsaid.contains(column))
            .collect()
    }
}

/// Clauses of the user, each in brackets of its own.
pub(super) fn clauses(written: &[String]) -> Vec<String> {
    written.iter().map(|clause| format!("({clause})")).collect()
}

impl Needs {
    /// Whether ids and keys are enough.
    pub(crate) fn is_light(&self) -> bool {
        !self.all && self.fields.is_empty() && self.properties.is_empty() && self.expand.is_empty()
    }

    /// What the `fields` of a request name.
    pub(crate) fn words(&self) -> Vec<&str> {
        match (self.all, self.fields.is_empty()) {
            (true, _) => vec!["*all"],
            (false, true) => vec!["key"],
            (false, false) => self.fields.iter().map(String::as_str).collect(),
        }
    }
}

/// The search of a read as EXPLAIN shows it.
pub(crate) fn show(f: &mut fmt::Formatter<'_>, search: &Search, read: &Read) -> fmt::Result {
    let Some(words) = &search.root.search else { return Ok(()) };
    let needs = search.needs(read);
    let way = search.way(read, &needs);
    let batch = search.batch(&needs);
    if let (Way::Keys(keys), Some(bulk)) = (&way, search.bulk_of(&way)) {
        let ids = keys.len().div_ceil(search.batch(&Needs::default()));
        write!(f, "access=keys, POST {}, {} keys", words.bulk, keys.len())?;
        show_needs(f, &Needs::default())?;
        let (call, batches) = (&bulk.call, keys.len().div_ceil(bulk.batch));
        return write!(f, ", requests={ids} and POST {call} {batches}+");
    }
    if let Way::Keys(keys) = &way {
        write!(f, "access=keys, POST {}, {} keys", words.bulk, keys.len())?;
        show_needs(f, &needs)?;
        return write!(f, ", requests={}", keys.len().div_ceil(batch));
    }
    let name = match way {
        Way::Ids => "ids",
        Way::Pages { .. } => "search",
        _ => "two-phase",
    };
    write!(f, "access={name}, POST {}", words.call)?;
    for column in search
        .root_known
        .columns()
        .filter(|&column| search.root.columns[column].input)
    {
        let values = search.root_known.get(column).into_iter().flat_map(|values| values.iter());
        let values: Vec<&str> = values.map(String::as_str).collect();
        write!(f, ", {}={values:?}", search.root.columns[column].name)?;
    }
    match search.jql(&[], &Unknown::new()) {
        Some(jql) => write!(f, ", jql=[{}]", jql.replace(char::is_control, "\u{fffd}"))?,
        None => return write!(f, ", requests=0"),
    }
    // A page of ids asks for nothing else.
    let bare = matches!(way, Way::Batches { page_first: false }) && search.bulk().is_some();
    let bare_needs = Needs::default();
    show_needs(f, if bare { &bare_needs } else { &needs })?;
    match way {
        Way::Ids => match read.limit {
            Some(limit) if limit <= words.light => write!(f, ", requests=1"),
            _ => write!(f, ", requests=1 per {} rows", words.light),
        },
        Way::Pages { then_batches } => {
            match read.limit {
                Some(limit) if limit <= words.rows => write!(f, ", requests=1+")?,
                _ => write!(f, ", requests=1 per {} rows", words.rows)?,
            }
            if then_batches {
                write!(f, ", after {FEW_PAGES} pages ")?;
                show_batches(f, search, batch)?;
            }
            Ok(())
        }
        Way::Batches { page_first } => {
            if page_first {
                write!(f, ", requests=1 for {} rows; for more ", words.rows)?;
            } else {
                write!(f, ", requests=")?;
            }
            show_batches(f, search, batch)
        }
        Way::Keys(_) => Ok(()),
    }
}

fn show_batches(f: &mut fmt::Formatter<'_>, search: &Search, batch: usize) -> fmt::Result {
    let Some(words) = &search.root.search else { return Ok(()) };
    match search.bulk() {
        Some(bulk) => write!(
            f,
            "1 per {} ids and POST {} 1+ per {} rows",
            words.light, bulk.call, bulk.batch
        ),
        None => write!(f, "1 per {} ids and POST {} 1 per {batch} rows", words.light, words.bulk),
    }
}

fn show_needs(f: &mut fmt::Formatter<'_>, needs: &Needs) -> fmt::Result {
    write!(f, ", fields=[{}]", needs.words().join(", "))?;
    for (name, words) in [("expand", &needs.expand), ("properties", &needs.properties)] {
        if !words.is_empty() {
            let words: Vec<&str> = words.iter().map(String::as_str).collect();
            write!(f, ", {name}=[{}]", words.join(", "))?;
        }
    }
    Ok(())
}

impl Filter {
    /// Values of a column whose rows do not matter.
    pub(crate) fn out_of(&self, column: usize) -> impl Iterator<Item = &BTreeSet<String>> {
        let tested = self.tests.iter().filter_map(move |(of, test)| match test {
            Test::Without(values) if *of == column => Some(values),
            _ => None,
        });
        let without = self.without.iter().filter(move |(of, _)| *of == column);
        tested.chain(without.map(|(_, values)| values))
    }
}

/// What a statement asks of a table besides values of columns.
#[derive(Debug, Clone, Default, PartialEq)]
pub(crate) struct Filter {
    /// For the site: it may find more.
    pub(crate) clauses: Vec<Clause>,
    /// For us: rows that fail do not come out.
    pub(crate) tests: Vec<(usize, Test)>,
    /// Values of columns whose rows do not matter, where the rows are no search's.
    pub(crate) without: Vec<(usize, BTreeSet<String>)>,
    pub(crate) order: Vec<(usize, bool)>,
}
