//! Which endpoint answers what is asked, and with which values: a pure decision.
//!
//! In order: *get* (one request per key), *list* (all placeholders of an endpoint bound; the fewest requests win, then the narrowest),
//! *embedded* (the parent's list carries the rows), *fan-out* (one request per row of the parent). The same function decides at
//! planning time, with the literals of the statement, and again while running, when a join has bound more columns.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use super::clause::Test;
use super::search::{Filter, Search};
use crate::error::{Error, ErrorKind, Result};
use crate::schema::{Column, Endpoint, Origin, Table};

/// More combinations of values than this are no plan: most of them do not exist, and the memory for so many calls ends a process.
const MOST_COMBINATIONS: usize = 100_000;

/// What is known about columns: the values each may have, as text. A column that is not listed may have any value.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(crate) struct Known(BTreeMap<usize, Arc<BTreeSet<String>>>);

impl Known {
    /// Narrows `column` to `values`: what was known before still holds.
    pub(crate) fn restrict(&mut self, column: usize, values: impl IntoIterator<Item = String>) {
        let values: BTreeSet<String> = values.into_iter().collect();
        let values = match self.0.get(&column) {
            Some(known) => known.intersection(&values).cloned().collect(),
            None => values,
        };
        self.0.insert(column, Arc::new(values));
    }

    /// The values `column` may have, if anything is known about it.
    pub(crate) fn get(&self, column: usize) -> Option<&Arc<BTreeSet<String>>> {
        self.0.get(&column)
    }

    /// The columns something is known about.
    pub(crate) fn columns(&self) -> impl Iterator<Item = usize> + '_ {
        self.0.keys().copied()
    }

    /// The value of `column` if there is just one.
    pub(super) fn single(&self, column: usize) -> Option<&str> {
        self.get(column)
            .filter(|values| values.len() == 1)
            .and_then(|values| values.first())
            .map(String::as_str)
    }

    fn count(&self, column: usize) -> usize {
        self.get(column).map_or(1, |values| values.len())
    }
}

/// Which endpoint of a table.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum EndpointRef {
    Get(usize),
    List(usize),
}

impl EndpointRef {
    pub(crate) fn of(self, table: &Table) -> &Endpoint {
        match self {
            Self::Get(index) => &table.gets[index],
            Self::List(index) => &table.lists[index],
        }
    }
}

/// One call of an endpoint, pages aside.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Call {
    pub(crate) endpoint: EndpointRef,
    /// The one value of each bound column: fills the path and is echoed in the rows.
    pub(crate) values: BTreeMap<usize, String>,
    /// Query parameters of pushed predicates.
    pub(crate) query: Vec<(String, String)>,
}

/// How the rows of a table are reached.
#[derive(Debug, Clone)]
pub(crate) enum Path {
    /// No row can match: nothing is asked.
    Empty,
    /// These calls together answer it.
    Calls(Vec<Call>),
    /// The list of the root carries the rows, over one or more levels of `expand`.
    Embedded(Embedded),
    /// One call per row of another read.
    Fan(Box<Fan>),
    /// JQL finds the rows, or those that carry them.
    Search(Box<Search>),
    /// The site does not answer this unless more columns are bound, which a join may still do: message and hint.
    Unbound(String, String),
}

/// Rows carried inside the list of an ancestor.
#[derive(Debug, Clone)]
pub(crate) struct Embedded {
    /// The ancestor whose list is read.
    pub(crate) root: Arc<Table>,
    /// The lists that carry the rows.
    pub(crate) calls: Vec<Call>,
    /// Tables from below the root down to the one that is read.
    pub(crate) chain: Vec<Arc<Table>>,
    /// What is known of the root's columns, to check its rows.
    pub(crate) root_known: Known,
    /// What is known of the columns of the table itself.
    pub(crate) known: Known,
}

/// One call per row of `source`.
#[derive(Debug, Clone)]
pub(crate) struct Fan {
    /// The parent, or the table itself where only `get` carries all columns.
    pub(crate) source: Read,
    /// Pairs of (column bound, position in the rows of `source`).
    pub(crate) bind: Vec<(usize, usize)>,
    /// Endpoint, and what is bound besides.
    pub(crate) call: Call,
}

/// What to read: only data, so that it can be shown, compared and sent elsewhere.
#[derive(Debug, Clone)]
pub(crate) struct Read {
    pub(crate) table: Arc<Table>,
    /// Columns of the rows that come out.
    pub(crate) columns: Vec<usize>,
    pub(crate) path: Path,
    /// Rows whose values are not among these are dropped: a site may read a filter more widely than SQL does.
    pub(crate) checks: Known,
    /// Rows whose values do not pass these are dropped.
    pub(crate) tests: Vec<(usize, Test)>,
    /// Rows with these values do not matter: what is bound to them is not asked.
    pub(crate) without: Vec<(usize, BTreeSet<String>)>,
    /// Whether the values that are bound come from elsewhere than a comparison with one: what the site does not know of them is a row less.
    pub(crate) gathered: bool,
    /// Whether one row is looked for below many parents: one that refuses is no obstacle where another has it.
    pub(crate) spares: bool,
    /// No more rows than this are needed.
    pub(crate) limit: Option<usize>,
    /// Where to ask for the keys that the list does not show: a list may hold only the caller's own rows, a key reaches every visible one.
    pub(crate) unlisted: Option<EndpointRef>,
}

impl Read {
    /// Columns whose values are needed: of the rows that come out, or to tell whether they do.
    pub(crate) fn needed(&self) -> impl Iterator<Item = usize> + '_ {
        let tested = self.tests.iter().map(|(column, _)| *column);
        self.columns.iter().copied().chain(self.checks.columns()).chain(tested)
    }
}

/// What is asked of a table.
#[derive(Debug, Clone)]
pub(crate) struct Question<'a> {
    pub(crate) table: &'a Arc<Table>,
    pub(crate) columns: &'a [usize],
    pub(crate) known: &'a Known,
    /// What a join knows about the columns of the parent: any row that matters belongs to such a parent.
    pub(crate) parent_known: Option<&'a Known>,
    /// What else is asked of a table that is searched.
    pub(crate) filter: Option<&'a Filter>,
    pub(crate) limit: Option<usize>,
}

/// How many pages a list took when it was last read whole; `None` when it never was.
pub(crate) trait Sizes {
    fn pages(&self, table: &Table, call: &Call) -> Option<usize>;
}

/// What a decision depends on besides the question.
#[derive(Clone, Copy)]
pub(crate) struct Context<'a> {
    pub(crate) sizes: &'a dyn Sizes,
    /// The service desks that the connection option `ServiceDeskID` names; empty for all.
    pub(crate) desks: &'a [String],
}

/// Decides how to read.
///
/// What is not bound yet is [`Path::Unbound`], no error.
///
/// # Errors
/// An input is bound to what the site does not take.
pub(crate) fn plan(question: &Question<'_>, context: Context<'_>) -> Result<Read> {
    let Question {
        table, columns, limit, ..
    } = *question;
    let mut known = Known::default();
    for column in question.known.columns() {
        let values = question.known.get(column).into_iter().flat_map(|values| values.iter());
        let matters = |value: &&String| {
            let mut out = question.filter.into_iter().flat_map(|filter| filter.out_of(column));
            out.all(|values| !values.contains(*value))
        };
        let values = values.filter(|value| table.columns[column].possible(value)).filter(matters);
        known.restrict(column, values.cloned());
    }
    for (index, column) in table.columns.iter().enumerate() {
        if column.desk && !context.desks.is_empty() && known.get(index).is_none() {
            known.restrict(index, context.desks.iter().cloned());
        }
    }
    check_inputs(table, &known)?;
    let checks = checks_of(table, &known);
    let path = if known.columns().any(|column| known.count(column) == 0) {
        Path::Empty
    } else {
        choose(
            &Question {
                known: &known,
                ..question.clone()
            },
            context,
        )?
    };
    let unlisted = unlisted(table, &path, &known);
    Ok(Read {
        table: table.clone(),
        columns: columns.to_vec(),
        path,
        checks,
        tests: question.filter.map(|filter| filter.tests.clone()).unwrap_or_default(),
        without: question.filter.map(|filter| filter.without.clone()).unwrap_or_default(),
        gathered: false,
        spares: false,
        limit,
        unlisted,
    })
}

impl Read {
    /// Whether rows with this value of a column do not matter.
    pub(crate) fn is_left_out(&self, column: usize, value: &str) -> bool {
        let tested = self.tests.iter().filter_map(|(of, test)| match test {
            Test::Without(values) => Some((of, values)),
            _ => None,
        });
        let without = self.without.iter().map(|(of, values)| (of, values));
        tested
            .chain(without)
            .any(|(of, values)| *of == column && values.contains(value))
    }
}

/// Values that the rows themselves carry can be checked in the rows.
fn checks_of(table: &Table, known: &Known) -> Known {
    let mut checks = Known::default();
    for column in known.columns() {
        if matches!(table.columns[column].origin, Origin::Json { .. }) {
            checks.restrict(
                column,
                known.get(column).into_iter().flat_map(|values| values.iter().cloned()),
            );
        }
    }
    checks
}

/// The endpoint for keys that a list of the whole site was read for, in place of asking for each of them.
fn unlisted(table: &Table, path: &Path, known: &Known) -> Option<EndpointRef> {
    match path {
        Path::Calls(calls) if calls.iter().all(|call| is_list_of_site(table, call.endpoint)) => {
            let get = best_get(table, known).map(|get| get.endpoint);
            get.filter(|get| is_by_identity(table, *get))
        }
        _ => None,
    }
}

/// Whether an endpoint asks for a row by the one column that tells rows apart. Of several columns, it is not known which of their
/// combinations there are.
fn is_by_identity(table: &Table, endpoint: EndpointRef) -> bool {
    table.identity.len() == 1 && endpoint.of(table).placeholders().eq(table.identity.iter().copied())
}

fn is_list_of_site(table: &Table, endpoint: EndpointRef) -> bool {
    matches!(endpoint, EndpointRef::List(_)) && endpoint.of(table).placeholders().next().is_none()
}

fn check_inputs(table: &Table, known: &Known) -> Result<()> {
    let fail = |message: String, hint: String| Err(Error::new(ErrorKind::Statement, message).hint(hint).table(&table.name));
    for (index, column) in table.columns.iter().enumerate().filter(|(_, column)| column.input) {
        let Some(values) = known.get(index) else { continue };
        if let Some(value) = values
            .iter()
            .find(|value| !column.one_of.is_empty() && !column.one_of.contains(value))
        {
            return fail(
                format!("the column {} cannot be {value:?}", column.name),
                format!("the site takes {}", column.one_of.join(", ")),
            );
        }
        for (other, value) in column.push.iter().flat_map(|push| &push.with) {
            let satisfied = match (value, known.single(*other)) {
                (Some(value), Some(bound)) => value == bound,
                (None, bound) => bound.is_some(),
                (Some(_), None) => false,
            };
            if !satisfied {
                let other = &table.columns[*other].name;
                return fail(
                    format!("the site takes {} only together with {other}", column.name),
                    match value {
                        Some(value) => format!("add AND {other} = '{value}'"),
                        None => format!("add AND {other} = '…'"),
                    },
                );
            }
        }
    }
    Ok(())
}

fn choose(question: &Question<'_>, context: Context<'_>) -> Result<Path> {
    let Question {
        table, columns, known, ..
    } = *question;
    if let Some((_, column)) = table
        .columns
        .iter()
        .enumerate()
        .find(|(index, column)| column.required && known.get(*index).is_none())
    {
        return Ok(Path::Unbound(
            format!("the site answers only when the column {} is bound", column.name),
            format!("add WHERE {} = '…', or join on it", column.name),
        ));
    }
    if table.search.is_some() {
        let filter = question.filter.cloned().unwrap_or_default();
        return Ok(Path::Search(Box::new(Search {
            root: table.clone(),
            chain: Vec::new(),
            root_known: known.clone(),
            known: Known::default(),
            clauses: filter.clauses,
            unsaid: BTreeSet::new(),
            order: filter.order,
        })));
    }
    let details = columns.iter().any(|&column| table.columns[column].detail);
    let list = best_list(table, known);
    let get = best_get(table, known).filter(|get| list.is_none() || get.is_sane(table, known));
    match (get, list) {
        (Some(get), Some(list)) if !details => {
            let calls = list.calls(table, known)?;
            let pages: usize = calls
                .iter()
                .map(|call| context.sizes.pages(table, call).unwrap_or(usize::MAX))
                .fold(0, usize::saturating_add);
            // A list with placeholders belongs to one parent: it is short, one page unless seen otherwise.
            let short = list.endpoint.of(table).placeholders().next().is_some();
            let pages = if pages == usize::MAX && short { calls.len() } else { pages };
            // One pass over a list of the site tells which keys it does not show; several passes could not be told apart.
            let told = calls.len() == 1 && is_by_identity(table, get.endpoint) || !is_list_of_site(table, list.endpoint);
            Ok(Path::Calls(if get.count <= pages || !told {
                get.calls(table, known)?
            } else {
                calls
            }))
        }
        (Some(get), _) => get.calls(table, known).map(Path::Calls),
        (None, Some(list)) if !details => {
            // Many parents one by one, or one pass over the lists that carry their rows.
            let carried = if list.count > 1 {
                embedded(question, &above(question), context)?
            } else {
                None
            };
            // A search takes the keys of many parents at once.
            if let Some(search @ Path::Search(_)) = carried {
                return Ok(search);
            }
            if let Some(Path::Embedded(embedded)) = carried {
                let pages = embedded.calls.iter().map(|call| context.sizes.pages(&embedded.root, call));
                if pages.sum::<Option<usize>>().is_some_and(|pages| pages < list.count) {
                    return Ok(Path::Embedded(embedded));
                }
            }
            list.calls(table, known).map(Path::Calls)
        }
        (None, Some(_)) => details_of(question, context),
        (None, None) => through_parent(question, context),
    }
}

/// Whether the values of the placeholders may be combined freely. With several values for two columns that come from a parent, most
/// combinations do not exist: the parent knows which do.
fn combines(table: &Table, endpoint: &Endpoint, known: &Known) -> bool {
    let of_parent = |column: &usize| {
        table
            .parent
            .as_ref()
            .is_some_and(|parent| parent.columns.iter().any(|(here, _)| here == column))
    };
    endpoint.placeholders().all(|column| known.get(column).is_some())
        && endpoint
            .placeholders()
            .filter(of_parent)
            .filter(|&column| known.count(column) > 1)
            .count()
            < 2
}

/// A way to ask one endpoint. It is weighed by its number of calls before any is made: two columns with 20,000 values each have 400
/// million combinations, and another endpoint may need 20,000 calls.
struct Way {
    endpoint: EndpointRef,
    pushed: Vec<usize>,
    count: usize,
}

impl Way {
    fn new(table: &Table, endpoint: EndpointRef, known: &Known, mut pushed: Vec<usize>) -> Self {
        if !is_sane(&factors(table, endpoint, known, &pushed), known) {
            // What the rows themselves carry is checked in them: the site may as well send more.
            pushed.retain(|&column| {
                let definition = &table.columns[column];
                let checked = matches!(definition.origin, Origin::Json { .. }) && !definition.input;
                !checked || known.count(column) == 1 || is_repeated(definition, known.count(column))
            });
        }
        let factors = factors(table, endpoint, known, &pushed);
        Self {
            endpoint,
            pushed,
            count: product(&factors, known),
        }
    }

    /// Whether there is a point in making its calls.
    fn is_sane(&self, table: &Table, known: &Known) -> bool {
        is_sane(&factors(table, self.endpoint, known, &self.pushed), known)
    }

    fn calls(&self, table: &Table, known: &Known) -> Result<Vec<Call>> {
        let factors = factors(table, self.endpoint, known, &self.pushed);
        if !is_sane(&factors, known) {
            let names: Vec<&str> = factors.iter().map(|&column| &*table.columns[column].name).collect();
            let template = &self.endpoint.of(table).template;
            return Err(Error::new(
                ErrorKind::Limit,
                format!("the statement would ask {template} {} times", self.count),
            )
            .hint(format!("ask for fewer values of {} at a time", names.join(" or ")))
            .table(&table.name));
        }
        Ok(calls(table, self.endpoint, known, &self.pushed))
    }
}

/// One get per combination of key values. An input is for lists only.
fn best_get(table: &Table, known: &Known) -> Option<Way> {
    if known.columns().any(|column| table.columns[column].input) {
        return None;
    }
    (0..table.gets.len())
        .filter(|&index| combines(table, &table.gets[index], known))
        .map(|index| Way::new(table, EndpointRef::Get(index), known, Vec::new()))
        .min_by_key(|way| way.count)
}

fn best_list(table: &Table, known: &Known) -> Option<Way> {
    (0..table.lists.len())
        .filter(|&index| combines(table, &table.lists[index], known))
        .map(|index| {
            let pushed = pushed(table, EndpointRef::List(index), known);
            (index, pushed)
        })
        .filter(|(index, pushed)| takes_inputs(table, &table.lists[*index], known, pushed))
        .map(|(index, pushed)| Way::new(table, EndpointRef::List(index), known, pushed))
        .min_by_key(|way| {
            let narrow = way.endpoint.of(table).placeholders().count() + way.pushed.len();
            (way.count, usize::MAX - narrow)
        })
}

/// An input that an endpoint does not take would be ignored: then another endpoint must answer.
fn takes_inputs(table: &Table, endpoint: &Endpoint, known: &Known, pushed: &[usize]) -> bool {
    known
        .columns()
        .filter(|&column| table.columns[column].input)
        .all(|column| pushed.contains(&column) || endpoint.placeholders().any(|placeholder| placeholder == column))
}

/// Columns whose known values the endpoint takes as query parameters.
pub(crate) fn pushed(table: &Table, endpoint: EndpointRef, known: &Known) -> Vec<usize> {
    let EndpointRef::List(_) = endpoint else { return Vec::new() };
    let endpoint = endpoint.of(table);
    known
        .columns()
        .filter(|column| !endpoint.ignores.contains(column) && !endpoint.placeholders().any(|placeholder| placeholder == *column))
        .filter(|&column| {
            table.columns[column].push.as_ref().is_some_and(|push| {
                let with = push.with.iter().all(|(other, value)| {
                    known
                        .single(*other)
                        .is_some_and(|bound| value.as_ref().is_none_or(|value| value == bound))
                });
                let spelled = push.when.is_empty()
                    || known
                        .single(column)
                        .is_some_and(|bound| push.when.iter().any(|(value, _)| value == bound));
                with && spelled
            })
        })
        .collect()
}

/// Whether one request carries all of several values of a column.
fn is_repeated(column: &Column, values: usize) -> bool {
    values > 1 && column.push.as_ref().is_some_and(|push| push.query.is_some() && push.repeat)
}

/// Columns of which each value is a call of its own.
fn factors(table: &Table, endpoint: EndpointRef, known: &Known, pushed: &[usize]) -> Vec<usize> {
    let multiplies = |&column: &usize| {
        let definition = &table.columns[column];
        let is_parameter = definition.push.as_ref().is_some_and(|push| push.query.is_some());
        is_parameter && !is_repeated(definition, known.count(column))
    };
    let parameters = pushed.iter().copied().filter(multiplies);
    let all = endpoint.of(table).placeholders().chain(parameters);
    all.filter(|&column| known.count(column) > 1).collect()
}

fn product(factors: &[usize], known: &Known) -> usize {
    factors
        .iter()
        .map(|&column| known.count(column))
        .fold(1, usize::saturating_mul)
}

/// One long list of values is what was asked for; the product of several is nothing that anybody meant.
fn is_sane(factors: &[usize], known: &Known) -> bool {
    factors.len() < 2 || product(factors, known) <= MOST_COMBINATIONS
}

/// One call per combination of the values of the placeholders and of the parameters that cannot be repeated.
fn calls(table: &Table, endpoint: EndpointRef, known: &Known, pushed: &[usize]) -> Vec<Call> {
    let mut calls = vec![Call {
        endpoint,
        values: BTreeMap::new(),
        query: Vec::new(),
    }];
    for column in endpoint.of(table).placeholders() {
        calls = combine(&calls, known, column, |call, value| {
            call.values.insert(column, value.to_owned());
        });
    }
    for &column in pushed {
        let Some(push) = &table.columns[column].push else { continue };
        if let Some(parameter) = &push.query {
            if is_repeated(&table.columns[column], known.count(column)) {
                // One request for all values: the site does not say which of them a row answers to, so nothing is echoed.
                let values = known.get(column).into_iter().flat_map(|values| values.iter());
                let repeated: Vec<_> = values.map(|value| (parameter.clone(), value.clone())).collect();
                calls.iter_mut().for_each(|call| call.query.extend(repeated.iter().cloned()));
            } else {
                calls = combine(&calls, known, column, |call, value| {
                    call.values.insert(column, value.to_owned());
                    call.query.push((parameter.clone(), value.to_owned()));
                });
            }
        } else if let Some(value) = known.single(column)
            && let Some((_, sent)) = push.when.iter().find(|(spelling, _)| spelling == value)
        {
            for call in &mut calls {
                call.values.insert(column, value.to_owned());
                call.query.push(sent.clone());
            }
        }
    }
    calls.iter_mut().for_each(|call| insist(table, call));
    calls
}

/// Adds the parameters that the site insists on, where nothing was said about them.
fn insist(table: &Table, call: &mut Call) {
    if !matches!(call.endpoint, EndpointRef::List(_)) {
        return;
    }
    for push in table.columns.iter().filter_map(|column| column.push.as_ref()) {
        if let (Some(parameter), Some(default)) = (&push.query, &push.default)
            && !call.query.iter().any(|(name, _)| name == parameter)
        {
            call.query.push((parameter.clone(), default.clone()));
        }
    }
}

fn combine(calls: &[Call], known: &Known, column: usize, mut set: impl FnMut(&mut Call, &str)) -> Vec<Call> {
    let values = known.get(column).into_iter().flat_map(|values| values.iter());
    values
        .flat_map(|value| calls.iter().map(move |call| (call.clone(), value)))
        .map(|(mut call, value)| {
            set(&mut call, value);
            call
        })
        .collect()
}

/// The list gives the keys, `get` the rest, row by row.
fn details_of(question: &Question<'_>, context: Context<'_>) -> Result<Path> {
    let Question { table, .. } = *question;
    let get = &table.gets[0];
    let keys: Vec<usize> = get.placeholders().collect();
    let source = plan(
        &Question {
            columns: &keys,
            limit: None,
            ..question.clone()
        },
        context,
    )?;
    Ok(Path::Fan(Box::new(Fan {
        source,
        bind: keys
            .iter()
            .enumerate()
            .map(|(position, &column)| (column, position))
            .collect(),
        call: Call {
            endpoint: EndpointRef::Get(0),
            values: BTreeMap::new(),
            query: Vec::new(),
        },
    })))
}

/// What is known of the parent of every row that is asked for.
fn above(question: &Question<'_>) -> Known {
    let mut above = question.parent_known.cloned().unwrap_or_default();
    for &(here, there) in question.table.parent.iter().flat_map(|parent| &parent.columns) {
        if let Some(values) = question.known.get(here) {
            above.restrict(there, values.iter().cloned());
        }
    }
    above
}

fn through_parent(question: &Question<'_>, context: Context<'_>) -> Result<Path> {
    let Question {
        table, columns, known, ..
    } = *question;
    let unreachable = || {
        let mut needed: Vec<&str> = table
            .lists
            .iter()
            .chain(&table.gets)
            .flat_map(Endpoint::placeholders)
            .map(|column| table.columns[column].name.as_str())
            .collect();
        needed.dedup();
        let hint = format!("bind {} with = or IN", needed.join(", "));
        Ok(Path::Unbound(
            "no endpoint of the site takes these filters together".to_owned(),
            hint,
        ))
    };
    let Some(parent) = &table.parent else { return unreachable() };
    let above = above(question);
    if let Some(carried) = embedded(question, &above, context)? {
        return Ok(carried);
    }
    let bound = |column: usize| parent.columns.iter().any(|&(here, _)| here == column);
    let reachable = |endpoint: &Endpoint| {
        endpoint
            .placeholders()
            .all(|column| bound(column) || known.single(column).is_some())
    };
    let details = columns.iter().any(|&column| table.columns[column].detail);
    let list = (0..table.lists.len())
        .find(|&index| reachable(&table.lists[index]))
        .map(EndpointRef::List);
    let get = (0..table.gets.len())
        .find(|&index| reachable(&table.gets[index]))
        .map(EndpointRef::Get);
    let Some(endpoint) = list.or(get) else { return unreachable() };
    if details && list.is_some() {
        return details_of(question, context);
    }
    let source_columns: Vec<usize> = parent
        .columns
        .iter()
        .map(|&(_, there)| there)
        .chain(table.unless.iter().map(|(there, _)| *there))
        .collect();
    let mut matters = Filter::default();
    for &(here, there) in &parent.columns {
        for values in question.filter.into_iter().flat_map(|filter| filter.out_of(here)) {
            match parent.table.search {
                Some(_) => matters.tests.push((there, Test::Without(values.clone()))),
                None => matters.without.push((there, values.clone())),
            }
        }
    }
    let source = plan(
        &Question {
            table: &parent.table,
            columns: &source_columns,
            known: &above,
            parent_known: None,
            filter: Some(&matters),
            limit: None,
        },
        context,
    )?;
    // What the fan-out binds row by row is not a parameter of the call.
    let mut rest = Known::default();
    for column in known.columns().filter(|&column| !bound(column)) {
        rest.restrict(
            column,
            known.get(column).into_iter().flat_map(|values| values.iter().cloned()),
        );
    }
    let pushed: Vec<usize> = pushed(table, endpoint, &rest)
        .into_iter()
        .filter(|&column| rest.single(column).is_some())
        .collect();
    if !takes_inputs(table, endpoint.of(table), known, &pushed) {
        return unreachable();
    }
    let mut call = Call {
        endpoint,
        values: BTreeMap::new(),
        query: Vec::new(),
    };
    for &column in &pushed {
        let Some(push) = &table.columns[column].push else { continue };
        let value = rest.single(column).unwrap_or_default();
        call.values.insert(column, value.to_owned());
        match &push.query {
            Some(parameter) => call.query.push((parameter.clone(), value.to_owned())),
            None => call.query.extend(
                push.when
                    .iter()
                    .filter(|(spelling, _)| spelling == value)
                    .map(|(_, sent)| sent.clone()),
            ),
        }
    }
    for column in endpoint.of(table).placeholders().filter(|&column| !bound(column)) {
        call.values
            .insert(column, known.single(column).unwrap_or_default().to_owned());
    }
    insist(table, &mut call);
    let bind = parent
        .columns
        .iter()
        .enumerate()
        .map(|(position, &(here, _))| (here, position))
        .collect();
    Ok(Path::Fan(Box::new(Fan { source, bind, call })))
}

/// The parent's list carries the rows, if nothing is asked that the embedded form lacks.
fn embedded(question: &Question<'_>, above: &Known, context: Context<'_>) -> Result<Option<Path>> {
    let Question {
        table, columns, known, ..
    } = *question;
    let (Some(parent), Some(_)) = (&table.parent, &table.embed) else {
        return Ok(None);
    };
    let lacking = |&column: &usize| {
        let column = &table.columns[column];
        column.detail || !column.ask.is_empty() || matches!(column.origin, Origin::Json { level: 0, .. })
    };
    if columns.iter().any(lacking) || known.columns().any(|column| table.columns[column].input) {
        return Ok(None);
    }
    let carrier = plan(
        &Question {
            table: &parent.table,
            columns: &[],
            known: above,
            parent_known: None,
            filter: None,
            limit: None,
        },
        context,
    )?;
    let carried = match carrier.path {
        Path::Search(mut search) => {
            search.chain.push(table.clone());
            search.known = known.clone();
            Path::Search(search)
        }
        Path::Calls(calls) if calls.iter().all(|call| matches!(call.endpoint, EndpointRef::List(_))) => {
            Path::Embedded(Embedded {
                root: parent.table.clone(),
                calls,
                chain: vec![table.clone()],
                root_known: carrier.checks,
                known: known.clone(),
            })
        }
        Path::Embedded(mut outer) => {
            outer.chain.push(table.clone());
            outer.known = known.clone();
            Path::Embedded(outer)
        }
        Path::Empty | Path::Calls(_) | Path::Fan(_) | Path::Unbound(..) => return Ok(None),
    };
    Ok(Some(carried))
}

impl Read {
    /// Whether the site itself is asked for this column's known values only.
    pub(crate) fn sends(&self, column: usize) -> bool {
        let taken = |call: &Call| {
            let sent = call.values.contains_key(&column);
            let repeated = self.table.columns[column].push.as_ref().and_then(|push| push.query.as_ref());
            sent || repeated.is_some_and(|parameter| call.query.iter().any(|(name, _)| name == parameter))
        };
        let above = || {
            self.table
                .parent
                .as_ref()?
                .columns
                .iter()
                .find(|(here, _)| *here == column)
                .map(|&(_, there)| there)
        };
        match &self.path {
            Path::Empty => true,
            Path::Unbound(..) => false,
            Path::Calls(calls) => calls.iter().all(taken),
            Path::Fan(fan) if fan.source.table.name == self.table.name => fan.source.sends(column),
            Path::Fan(fan) => taken(&fan.call) || above().is_some_and(|above| fan.source.sends(above)),
            // Whatever the site finds, the rows are checked as they are read.
            Path::Search(search) => {
                let definition = &self.table.columns[column];
                search.chain.is_empty() || matches!(definition.origin, Origin::Json { .. }) || above().is_some()
            }
            Path::Embedded(embedded) => {
                embedded.chain.len() == 1
                    && above().is_some_and(|above| embedded.calls.iter().all(|call| call.values.contains_key(&above)))
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::schema::Catalog;

    /// Nothing was read yet.
    struct NoSizes;

    impl Sizes for NoSizes {
        fn pages(&self, _: &Table, _: &Call) -> Option<usize> {
            None
        }
    }

    struct Fixed(usize);

    impl Sizes for Fixed {
        fn pages(&self, _: &Table, _: &Call) -> Option<usize> {
            Some(self.0)
        }
    }

    fn decide(table: &str, columns: &[&str], filters: &[(&str, &[&str])], sizes: &dyn Sizes) -> Result<String> {
        decide_in(&Catalog::load(None).unwrap(), table, columns, filters, sizes)
    }

    fn decide_in(
        catalog: &Catalog,
        table: &str,
        columns: &[&str],
        filters: &[(&str, &[&str])],
        sizes: &dyn Sizes,
    ) -> Result<String> {
        let table = catalog.table(table).unwrap();
        let mut known = Known::default();
        for (column, values) in filters {
            known.restrict(table.column(column).unwrap(), values.iter().map(|value| (*value).to_owned()));
        }
        let columns: Vec<usize> = columns.iter().map(|column| table.column(column).unwrap()).collect();
        let question = Question {
            table,
            columns: &columns,
            known: &known,
            parent_known: None,
            filter: None,
            limit: None,
        };
        plan(&question, Context { sizes, desks: &[] }).map(|read| show(&read))
    }

    fn show(read: &Read) -> String {
        let call = |table: &Table, call: &Call| {
            let query: Vec<String> = call.query.iter().map(|(name, value)| format!("{name}={value}")).collect();
            let values: Vec<&str> = call.values.values().map(String::as_str).collect();
            format!(
                "{} ({}) ?{}",
                call.endpoint.of(table).template.rsplit("servicedeskapi/").next().unwrap(),
                values.join(","),
                query.join("&")
            )
        };
        match &read.path {
            Path::Empty => "empty".into(),
            Path::Unbound(message, _) => format!("unbound: {message}"),
            Path::Calls(calls) => {
                let kind = if matches!(calls[0].endpoint, EndpointRef::Get(_)) {
                    "get"
                } else {
                    "list"
                };
                format!("{kind} {} ×{}", call(&read.table, &calls[0]), calls.len())
            }
            Path::Embedded(embedded) => {
                let chain: Vec<&str> = embedded.chain.iter().map(|table| table.name.as_str()).collect();
                format!(
                    "{} in {} ×{}",
                    chain.join(" in "),
                    call(&embedded.root, &embedded.calls[0]),
                    embedded.calls.len()
                )
            }
            Path::Fan(fan) => format!("{} per [{}]", call(&read.table, &fan.call), show(&fan.source)),
            Path::Search(search) => format!("search {:?}", search.jql(&[], &Default::default())),
        }
    }

    #[test]
    fn the_narrowest_way_is_taken() {
        for (table, columns, filters, expected) in [
            ("requests", &[][..], &[][..], "list request () ? ×1"),
            (
                "requests",
                &[],
                &[("issue_key", &["A-1", "A-2"][..])],
                "get request/{issue_key} (A-1) ? ×2",
            ),
            ("requests", &[], &[("issue_id", &["7"])], "get request/{issue_id} (7) ? ×1"),
            (
                "requests",
                &[],
                &[("service_desk_id", &["1"])],
                "list request (1) ?serviceDeskId=1 ×1",
            ),
            ("requests", &[], &[("request_type_id", &["5"])], "list request () ? ×1"),
            (
                "requests",
                &[],
                &[("request_type_id", &["5"]), ("service_desk_id", &["1"])],
                "list request (5,1) ?requestTypeId=5&serviceDeskId=1 ×1",
            ),
            (
                "requests",
                &[],
                &[("request_ownership", &["APPROVER", "OWNED_REQUESTS"])],
                "list request () ?requestOwnership=APPROVER&requestOwnership=OWNED_REQUESTS ×1",
            ),
            // Not a key: no row can have it, so nothing is asked.
            ("requests", &[], &[("issue_key", &["../../x"])], "empty"),
            ("requests", &[], &[("issue_key", &["a-1"])], "empty"),
            ("requests", &[], &[("service_desk_id", &["01"])], "empty"),
            // A key and an input: only the list takes inputs.
            (
                "requests",
                &[],
                &[("issue_key", &["A-1"]), ("search_term", &["x"])],
                "list request (x) ?searchTerm=x ×1",
            ),
            ("request_comments", &[], &[], "request_comments in request () ? ×1"),
            (
                "request_comments",
                &[],
                &[("issue_key", &["A-1"])],
                "list request/{issue_key}/comment (A-1) ? ×1",
            ),
            (
                "request_comments",
                &[],
                &[("issue_key", &["A-1"]), ("id", &["3"])],
                "get request/{issue_key}/comment/{id} (A-1,3) ? ×1",
            ),
            (
                "request_comments",
                &[],
                &[("issue_key", &["A-1"]), ("id", &["3", "4"])],
                "list request/{issue_key}/comment (A-1) ? ×1",
            ),
            (
                "request_comments",
                &[],
                &[("issue_key", &["A-1"]), ("public", &["true"])],
                "list request/{issue_key}/comment (A-1,true) ?internal=false ×1",
            ),
            (
                "request_comment_attachments",
                &[],
                &[],
                "request_comments in request_comment_attachments in request () ? ×1",
            ),
            (
                "request_comment_attachments",
                &[],
                &[("issue_key", &["A-1"])],
                "request_comment_attachments in request/{issue_key}/comment (A-1) ? ×1",
            ),
            (
                "queues",
                &[],
                &[],
                "servicedesk/{service_desk_id}/queue () ? per [list servicedesk () ? ×1]",
            ),
            (
                "queue_issues",
                &[],
                &[("service_desk_id", &["1"])],
                "servicedesk/{service_desk_id}/queue/{queue_id}/issue () ? per [list servicedesk/{service_desk_id}/queue (1) ? ×1]",
            ),
            // Two lists of values for two columns of one parent: the parent knows which pairs exist.
            (
                "queue_issues",
                &[],
                &[("service_desk_id", &["1", "2"]), ("queue_id", &["10", "20"])],
                "servicedesk/{service_desk_id}/queue/{queue_id}/issue () ? per [list servicedesk/{service_desk_id}/queue (1) ? ×2]",
            ),
            (
                "organization_properties",
                &["key"],
                &[("organization_id", &["1"])],
                "list organization/{organization_id}/property (1) ? ×1",
            ),
            (
                "organization_properties",
                &["value"],
                &[("organization_id", &["1"])],
                "organization/{organization_id}/property/{key} () ? per [list organization/{organization_id}/property (1) ? ×1]",
            ),
            ("request_types", &[], &[], "list requesttype () ? ×1"),
            (
                "request_types",
                &[],
                &[("service_desk_id", &["1"])],
                "list servicedesk/{service_desk_id}/requesttype (1) ? ×1",
            ),
            (
                "request_types",
                &[],
                &[("service_desk_id", &["1", "2"])],
                "list requesttype () ?serviceDeskId=1&serviceDeskId=2 ×1",
            ),
            (
                "request_types",
                &[],
                &[("group_id", &["1"])],
                "unbound: no endpoint of the site takes these filters together",
            ),
            (
                "knowledge_base_articles",
                &[],
                &[],
                "unbound: the site answers only when the column query is bound",
            ),
        ] {
            assert_eq!(
                decide(table, columns, filters, &NoSizes).unwrap(),
                expected,
                "{table} {filters:?}"
            );
        }
    }

    #[test]
    fn many_keys_are_read_in_one_pass_where_that_is_cheaper() {
        let keys: Vec<String> = (1..=30).map(|number| format!("A-{number}")).collect();
        let keys: Vec<&str> = keys.iter().map(String::as_str).collect();
        let filters = [("issue_key", &keys[..])];
        assert_eq!(
            decide("request_comments", &[], &filters, &NoSizes).unwrap(),
            "list request/{issue_key}/comment (A-1) ? ×30"
        );
        assert_eq!(
            decide("request_comments", &[], &filters, &Fixed(29)).unwrap(),
            "request_comments in request () ? ×1"
        );
        assert_eq!(
            decide("request_comments", &[], &filters, &Fixed(30)).unwrap(),
            "list request/{issue_key}/comment (A-1) ? ×30"
        );
        assert_eq!(decide("requests", &[], &filters, &Fixed(29)).unwrap(), "list request () ? ×1");
        assert_eq!(
            decide("requests", &[], &filters, &NoSizes).unwrap(),
            "get request/{issue_key} (A-1) ? ×30"
        );
    }

    /// What the site insists on is said in the calls of a parent and in those of its children.
    #[test]
    fn a_default_is_sent_below_another_one() {
        let directory = tempfile::tempdir().unwrap();
        let write = |name: &str, text: &str| std::fs::write(directory.path().join(name), text).unwrap();
        write(
            "boards.toml",
            r#"doc = "x"
            [read]
            list = "GET /rest/servicedeskapi/board"
            [columns]
            id = { type = "text", key = true, format = "integer", doc = "x" }
            mode = { type = "text", input = true, push = { query = "mode", default = "all" }, doc = "x" }"#,
        );
        write(
            "board_rows.toml",
            r#"doc = "x"
            [read]
            list = "GET /rest/servicedeskapi/board/{board_id}/row"
            [columns]
            board_id = { type = "text", key = true, format = "integer", parent = "boards.id", doc = "x" }
            id = { type = "text", key = true, format = "integer", doc = "x" }
            side = { type = "text", input = true, push = { query = "side", default = "left" }, doc = "x" }"#,
        );
        let catalog = Catalog::load(Some(directory.path())).unwrap();
        for (filters, expected) in [
            (&[][..], "board/{board_id}/row () ?side=left per [list board () ?mode=all ×1]"),
            (
                &[("side", &["right"][..])],
                "board/{board_id}/row (right) ?side=right per [list board () ?mode=all ×1]",
            ),
            (&[("board_id", &["1", "2"])], "list board/{board_id}/row (1) ?side=left ×2"),
        ] {
            assert_eq!(
                decide_in(&catalog, "board_rows", &["id"], filters, &NoSizes).unwrap(),
                expected
            );
        }
    }

    /// Calls are counted without being made: 9 million of them would take 4 GB.
    #[test]
    fn products_of_long_lists_are_counted_and_not_made() {
        let keys: Vec<String> = (1..=3000).map(|number| format!("A-{number}")).collect();
        let numbers: Vec<String> = (1..=3000).map(|number| number.to_string()).collect();
        let keys: Vec<&str> = keys.iter().map(String::as_str).collect();
        let numbers: Vec<&str> = numbers.iter().map(String::as_str).collect();
        let catalog = Catalog::load(None).unwrap();
        for (table, columns, filters, expected) in [
            (
                "request_comments",
                &[][..],
                [("issue_key", &keys[..]), ("id", &numbers[..])],
                "list request/{issue_key}/comment (A-1) ? ×3000",
            ),
            (
                "request_comments",
                &["issue_key"],
                [("id", &numbers[..]), ("issue_key", &keys[..])],
                "list request/{issue_key}/comment (A-1) ? ×3000",
            ),
            // Only the endpoint of one property has its value: the keys that exist are listed first.
            (
                "organization_properties",
                &["value"],
                [("organization_id", &numbers[..]), ("key", &keys[..])],
                "organization/{organization_id}/property/{key} () ? per [list organization/{organization_id}/property (1) ? ×3000]",
            ),
        ] {
            let began = std::time::Instant::now();
            assert_eq!(decide_in(&catalog, table, columns, &filters, &NoSizes).unwrap(), expected);
            let taken = began.elapsed();
            assert!(taken < std::time::Duration::from_millis(100), "{table}: {taken:?}");
        }
    }

    #[test]
    fn inputs_that_the_site_does_not_take_are_refused() {
        for (filters, fragment) in [
            (&[("request_status", &["OPEN"][..])][..], "cannot be \"OPEN\""),
            (
                &[("approval_status", &["MY_PENDING_APPROVAL"])],
                "only together with request_ownership",
            ),
            (
                &[("organization_id", &["1"]), ("request_ownership", &["APPROVER"])],
                "only together with request_ownership",
            ),
        ] {
            let error = decide("requests", &[], filters, &NoSizes).unwrap_err();
            assert!(error.message().contains(fragment), "{error}");
            assert!(error.hint_text().is_some());
        }
    }
}
