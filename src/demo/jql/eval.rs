//! Whether an issue satisfies a query, and in which order issues come.
//!
//! A query is checked whole before an issue is looked at: a field or a value that the site does not know is refused, as on a real site.

use std::cmp::Ordering;

use serde_json::Value;

use super::parse::{Clause, Op, Operand, parse};
use crate::demo::date::{DAY, HOUR, MINUTE};
use crate::demo::field::{Field, Search, by_clause};
use crate::demo::issue::{
    CATEGORIES, COMPONENTS, Issue, LEVELS, PRIORITIES, RESOLUTIONS, TYPES, VERSIONS, category_of, choices, status_id,
};
use crate::demo::person::DANA;
use crate::demo::state::State;

/// Fields that a search may be ordered by.
const MOST_KEYS: usize = 7;

/// A query, checked against the site.
#[derive(Debug)]
pub(in crate::demo) struct Compiled {
    condition: Condition,
    order: Vec<(&'static Field, bool)>,
}

#[derive(Debug)]
enum Condition {
    All(Vec<Condition>),
    Any(Vec<Condition>),
    Not(Box<Condition>),
    /// Several fields where a name means several.
    Test(Vec<&'static Field>, Test),
}

#[derive(Debug)]
enum Test {
    Empty(bool),
    /// Ids of things, or words in lower case; whether one of them must be there, or none.
    Among(Vec<String>, bool),
    Compare(Op, f64),
    /// Amounts; whether it must be one of them, or none.
    Amounts(Vec<f64>, bool),
    /// Words, the last of them maybe only begun, and whether they must be there.
    Words(Vec<(String, bool)>, bool),
}

/// What Jira says against a query: a sentence for each thing that is wrong with it.
pub(in crate::demo) type Said = Vec<String>;

/// Checks a query; the error is what Jira says.
pub(in crate::demo) fn compile(state: &State, jql: &str) -> Result<Compiled, Said> {
    let query = parse(jql).map_err(|said| vec![said])?;
    let Some(clause) = query.clause else {
        return Err(vec![
            "Unbounded JQL queries are not allowed here. Please add a search restriction to your query.".into(),
        ]);
    };
    if query.order.len() > MOST_KEYS {
        return Err(vec![format!("The query is ordered by more than {MOST_KEYS} fields.")]);
    }
    let mut order = Vec::new();
    for (name, descending) in query.order {
        match by_clause(&name)[..] {
            [field, ..] => order.push((field, descending)),
            [] => return Err(vec![no_field(&name)]),
        }
    }
    Ok(Compiled {
        condition: condition(state, &clause)?,
        order,
    })
}

fn no_field(name: &str) -> String {
    format!("Field '{name}' does not exist or you do not have permission to view it.")
}

/// All of some results, or all that is said against them.
fn every<T>(results: impl Iterator<Item = Result<T, Said>>) -> Result<Vec<T>, Said> {
    let (mut good, mut said) = (Vec::new(), Said::new());
    for result in results {
        match result {
            Ok(result) => good.push(result),
            Err(more) => said.extend(more),
        }
    }
    if said.is_empty() { Ok(good) } else { Err(said) }
}

fn condition(state: &State, clause: &Clause) -> Result<Condition, Said> {
    let each = |parts: &[Clause]| every(parts.iter().map(|part| condition(state, part)));
    Ok(match clause {
        Clause::All(parts) => Condition::All(each(parts)?),
        Clause::Any(parts) => Condition::Any(each(parts)?),
        Clause::Not(inner) => Condition::Not(Box::new(condition(state, inner)?)),
        Clause::Term { field, op, operand } => {
            let fields = by_clause(field);
            let Some(first) = fields.first().copied() else {
                return Err(vec![no_field(field)]);
            };
            if first.search == Search::Never || state.lacks(first.id) {
                return Err(vec![no_field(field)]);
            }
            let test = test(state, field, first, *op, operand)?;
            Condition::Test(fields, test)
        }
    })
}

fn test(state: &State, name: &str, field: &'static Field, op: Op, operand: &Operand) -> Result<Test, Said> {
    let unfit = || {
        let sign = match op {
            Op::Equal => "=",
            Op::Unequal => "!=",
            Op::Like => "~",
            Op::Unlike => "!~",
            Op::Less => "<",
            Op::AtMost => "<=",
            Op::Greater => ">",
            Op::AtLeast => ">=",
            Op::In => "in",
            Op::NotIn => "not in",
            Op::Is => "is",
            Op::IsNot => "is not",
        };
        Err(vec![format!("The operator '{sign}' is not supported by the '{name}' field.")])
    };
    if let (Op::Is | Op::IsNot | Op::Equal | Op::Unequal, Operand::Empty) = (op, operand) {
        return Ok(Test::Empty(matches!(op, Op::Is | Op::Equal)));
    }
    match (field.search, op) {
        (_, Op::Is | Op::IsNot) | (Search::Text, Op::Equal | Op::Unequal | Op::In | Op::NotIn) => unfit(),
        (Search::Text, Op::Like | Op::Unlike) => match operand {
            Operand::Text(text) | Operand::Number(text) => {
                let words = words(text).into_iter().map(|word| match word.strip_suffix('*') {
                    Some(stem) => (stem.to_owned(), true),
                    None => (stem(&word), false),
                });
                let words: Vec<_> = words.filter(|(word, _)| !STOP.contains(&word.as_str())).collect();
                if words.is_empty() {
                    return Err(vec![format!("The text '{text}' has no word to search for.")]);
                }
                Ok(Test::Words(words, op == Op::Like))
            }
            _ => unfit(),
        },
        (Search::Thing | Search::Word | Search::Whole, Op::Equal | Op::Unequal | Op::In | Op::NotIn) => {
            let operands = match operand {
                Operand::List(list) => &list[..],
                one => std::slice::from_ref(one),
            };
            let values = operands
                .iter()
                .map(|operand| things(state, name, field, operand).map_err(|said| vec![said]));
            Ok(Test::Among(every(values)?.concat(), matches!(op, Op::Equal | Op::In)))
        }
        // Priorities have an order, the highest above the others.
        (Search::Thing, Op::Less | Op::AtMost | Op::Greater | Op::AtLeast) if field.id == "priority" => {
            let found = things(state, name, field, operand).map_err(|said| vec![said])?;
            let rank = found.first().and_then(|id| id.parse::<f64>().ok()).unwrap_or_default();
            Ok(Test::Compare(op, -rank))
        }
        (Search::Moment | Search::Day | Search::Number, Op::Like | Op::Unlike) => unfit(),
        (Search::Moment | Search::Day | Search::Number, Op::In | Op::NotIn) => match operand {
            Operand::List(list) => {
                let amounts = list
                    .iter()
                    .map(|item| number(state, name, field, item).map_err(|said| vec![said]));
                Ok(Test::Amounts(every(amounts)?, op == Op::In))
            }
            _ => unfit(),
        },
        (Search::Moment | Search::Day | Search::Number, _) => {
            let amount = number(state, name, field, operand).map_err(|said| vec![said])?;
            Ok(Test::Compare(op, amount))
        }
        _ => unfit(),
    }
}

/// Ids or words that a value means.
fn things(state: &State, name: &str, field: &'static Field, operand: &Operand) -> Result<Vec<String>, String> {
    let unknown = |value: &str| format!("The value '{value}' does not exist for the field '{name}'.");
    let (text, id_first) = match operand {
        Operand::Text(text) => (text.as_str(), false),
        Operand::Number(text) => (text.as_str(), true),
        Operand::Function(function, _) if function.eq_ignore_ascii_case("currentUser") => {
            return Ok(vec![state.people[DANA].account_id.clone()]);
        }
        Operand::Function(function, _) => return Err(format!("Unable to find JQL function '{function}()'.")),
        Operand::Empty => return Ok(vec![String::new()]),
        Operand::List(_) => return Err("Error in the JQL Query: a list within a list.".into()),
    };
    if field.search != Search::Thing {
        return Ok(vec![text.to_lowercase()]);
    }
    let known = known(state, field);
    let lower = text.to_lowercase();
    let by_name = || -> Vec<String> {
        known
            .iter()
            .filter(|(_, names)| names.iter().any(|name| name.to_lowercase() == lower))
            .map(|(id, _)| id.clone())
            .collect()
    };
    let by_id = || -> Vec<String> { known.iter().filter(|(id, _)| *id == text).map(|(id, _)| id.clone()).collect() };
    let (first, second): (Vec<String>, Vec<String>) = if id_first {
        (by_id(), by_name())
    } else {
        (by_name(), by_id())
    };
    let mut found = if first.is_empty() { second } else { first };
    found.dedup();
    if matches!(field.id, "issuekey" | "parent") {
        found = state
            .find(text)
            .map(|index| state.ticket(index).id.to_string())
            .into_iter()
            .collect();
    }
    if field.id == "resolution" && lower == "unresolved" {
        return Ok(vec![String::new()]);
    }
    if found.is_empty() { Err(unknown(text)) } else { Ok(found) }
}

/// What there is to compare a field with: ids and names.
fn known(state: &State, field: &Field) -> Vec<(String, Vec<String>)> {
    let pairs = |all: &[(&str, &str)]| -> Vec<(String, Vec<String>)> {
        all.iter()
            .map(|(id, name)| ((*id).to_owned(), vec![(*name).to_owned()]))
            .collect()
    };
    match field.id {
        "project" => state
            .desks
            .iter()
            .map(|desk| (desk.project_id.to_owned(), vec![desk.key.to_owned(), desk.name.to_owned()]))
            .collect(),
        "status" => (0..state.desks.len())
            .flat_map(|desk| (0..state.desks[desk].statuses.len()).map(move |status| (desk, status)))
            .map(|(desk, status)| (status_id(desk, status), vec![state.desks[desk].statuses[status].0.to_owned()]))
            .collect(),
        "statusCategory" => CATEGORIES
            .iter()
            .map(|(id, key, name)| (id.to_string(), vec![(*name).to_owned(), (*key).to_owned()]))
            .collect(),
        "issuetype" => pairs(&TYPES),
        "priority" => PRIORITIES
            .iter()
            .enumerate()
            .map(|(at, name)| ((at + 1).to_string(), vec![(*name).to_owned()]))
            .collect(),
        "resolution" => pairs(&RESOLUTIONS),
        "security" => pairs(&LEVELS),
        "components" => COMPONENTS.iter().flat_map(|all| pairs(all)).collect(),
        "fixVersions" | "versions" => VERSIONS
            .iter()
            .flat_map(|all| all.iter())
            .map(|(id, name, ..)| ((*id).to_owned(), vec![(*name).to_owned()]))
            .collect(),
        "customfield_10002" => state
            .organizations
            .iter()
            .map(|organization| (organization.id.clone(), vec![organization.name.clone()]))
            .collect(),
        // Types of different desks may share a name: then the key of the project must follow it.
        "customfield_10010" => state
            .desks
            .iter()
            .flat_map(|desk| desk.types.iter().map(move |kind| (desk, kind)))
            .map(|(desk, kind)| {
                (
                    format!("type-{}", kind.id),
                    vec![format!("{} ({})", kind.name, desk.key), kind.name.clone()],
                )
            })
            .collect(),
        _ => match field.schema {
            Some(("user", ..) | ("array", Some("user"), _)) => state
                .people
                .iter()
                .map(|person| {
                    let names = person.email.iter().chain([&person.name]).cloned();
                    (person.account_id.clone(), names.collect())
                })
                .collect(),
            _ => pairs(choices(field.id)),
        },
    }
}

/// A number, or a moment in milliseconds.
fn number(state: &State, name: &str, field: &Field, operand: &Operand) -> Result<f64, String> {
    let text = match operand {
        Operand::Text(text) | Operand::Number(text) => text.as_str(),
        Operand::Function(function, arguments) if field.search != Search::Number => {
            let moment = boundary(state, function, arguments, field.search == Search::Day);
            return moment
                .map(|moment| moment as f64)
                .ok_or_else(|| format!("Unable to find JQL function '{function}({})'.", arguments.join(", ")));
        }
        _ => return Err(format!("The operand of '{name}' is not supported.")),
    };
    if field.search == Search::Number {
        return text
            .parse()
            .map_err(|_| format!("Value '{text}' is not a number for the field '{name}'."));
    }
    moment(state, text, field.search == Search::Day)
        .map(|moment| moment as f64)
        .ok_or_else(|| {
            format!(
                "Date value '{text}' for field '{name}' is invalid. Valid formats include: 'yyyy/MM/dd HH:mm', 'yyyy-MM-dd HH:mm', 'yyyy/MM/dd', 'yyyy-MM-dd', or a period format e.g. '-5d', '4w 2d'."
            )
        })
}

/// What `now`, `startOfDay("-1d")` and their like mean.
fn boundary(state: &State, function: &str, arguments: &[String], day: bool) -> Option<i64> {
    use chrono::{DateTime, Datelike, Months, NaiveDate, TimeDelta};
    let (now, zone) = (state.clock.now, state.zone());
    let function = function.to_lowercase();
    if function == "now" {
        return arguments.is_empty().then_some(now);
    }
    let (end, unit) = match (function.strip_prefix("startof"), function.strip_prefix("endof")) {
        (Some(unit), _) => (false, unit),
        (_, Some(unit)) => (true, unit),
        _ => return None,
    };
    let today = DateTime::from_timestamp_millis(zone.local(now))?.date_naive();
    let back = |date: NaiveDate, days: u32| date.checked_sub_signed(TimeDelta::days(i64::from(days)));
    let start = match unit {
        "day" => today,
        "week" => back(today, today.weekday().num_days_from_sunday())?,
        "month" => today.with_day(1)?,
        "year" => today.with_ordinal(1)?,
        _ => return None,
    };
    // An offset without a unit is one of the function's own.
    let (mut months, mut millis) = (0, 0);
    match arguments {
        [] => {}
        [offset] => match (offset.parse::<i64>(), unit) {
            (Ok(count), "day") => millis = count * DAY,
            (Ok(count), "week") => millis = count * 7 * DAY,
            (Ok(count), "month") => months = count,
            (Ok(count), _) => months = 12 * count,
            (Err(_), _) => millis = period(offset)?,
        },
        _ => return None,
    }
    if end {
        match unit {
            "day" => millis += DAY,
            "week" => millis += 7 * DAY,
            "month" => months += 1,
            _ => months += 12,
        }
    }
    let by = Months::new(u32::try_from(months.abs()).ok()?);
    let date = if months < 0 {
        start.checked_sub_months(by)
    } else {
        start.checked_add_months(by)
    }?;
    // An end is the last millisecond.
    let local = date.signed_duration_since(NaiveDate::default()).num_days() * DAY + millis - i64::from(end);
    Some(if day {
        local.div_euclid(DAY) * DAY
    } else {
        zone.moment(local)
    })
}

/// A date as JQL writes it: to the minute, in the zone of the caller; a period from now, or a number of milliseconds.
fn moment(state: &State, text: &str, day: bool) -> Option<i64> {
    let zone = state.zone();
    if let Some(period) = period(text) {
        return Some(state.clock.now + period);
    }
    // Milliseconds since 1970.
    if let Ok(millis) = text.parse::<i64>() {
        return Some(if day {
            zone.local(millis).div_euclid(DAY) * DAY
        } else {
            millis
        });
    }
    let text = text.replace('/', "-");
    let (date, time) = text.split_once(' ').unwrap_or((&text, "00:00"));
    let mut parts = date.split('-').map(|part| part.parse::<u32>().ok());
    let (year, month, of_month) = (parts.next()??, parts.next()??, parts.next()??);
    let date = chrono::NaiveDate::from_ymd_opt(i32::try_from(year).ok()?, month, of_month)?;
    let (hour, minute) = time.split_once(':')?;
    let (hour, minute): (i64, i64) = (hour.parse().ok()?, minute.parse().ok()?);
    if parts.next().is_some() || hour > 23 || minute > 59 {
        return None;
    }
    let local = date.signed_duration_since(chrono::NaiveDate::default()).num_days() * DAY + hour * HOUR + minute * MINUTE;
    Some(if day { local } else { zone.moment(local) })
}

fn period(text: &str) -> Option<i64> {
    let (sign, rest) = match text.strip_prefix('-') {
        Some(rest) => (-1, rest),
        None => (1, text.strip_prefix('+').unwrap_or(text)),
    };
    let mut sum = 0;
    for part in rest.split_whitespace() {
        let (digits, unit) = part.split_at(part.len().checked_sub(1).filter(|at| part.is_char_boundary(*at))?);
        let unit = match unit {
            "m" => MINUTE,
            "h" => HOUR,
            "d" => DAY,
            "w" => 7 * DAY,
            _ => return None,
        };
        sum += digits.parse::<i64>().ok()? * unit;
    }
    Some(sign * sum)
}

/// Words that are too common to be looked for.
const STOP: [&str; 8] = ["a", "an", "and", "in", "is", "no", "of", "the"];

fn words(text: &str) -> Vec<String> {
    text.to_lowercase()
        .split(|c: char| !c.is_alphanumeric() && c != '*')
        .filter(|word| !word.is_empty())
        .map(str::to_owned)
        .collect()
}

/// English endings make no difference.
fn stem(word: &str) -> String {
    let stemmed = ["ing", "ed", "es", "s"]
        .iter()
        .find_map(|ending| word.strip_suffix(ending).filter(|stem| stem.chars().count() > 2));
    stemmed.unwrap_or(word).to_owned()
}

impl Compiled {
    /// Whether the issue satisfies the query.
    pub(in crate::demo) fn takes(&self, state: &State, issue: &Issue) -> bool {
        holds(state, issue, &self.condition)
    }

    /// Which of two issues comes first.
    pub(in crate::demo) fn compare(&self, state: &State, a: &Issue, b: &Issue) -> Ordering {
        for (field, descending) in &self.order {
            let ordering = rank(state, a, field)
                .partial_cmp(&rank(state, b, field))
                .unwrap_or(Ordering::Equal);
            let ordering = if *descending { ordering.reverse() } else { ordering };
            if ordering != Ordering::Equal {
                return ordering;
            }
        }
        // Unless it is told otherwise, the newest come first.
        b.ticket.id.cmp(&a.ticket.id)
    }
}

fn holds(state: &State, issue: &Issue, condition: &Condition) -> bool {
    match condition {
        Condition::All(parts) => parts.iter().all(|part| holds(state, issue, part)),
        Condition::Any(parts) => parts.iter().any(|part| holds(state, issue, part)),
        Condition::Not(inner) => !holds(state, issue, inner),
        Condition::Test(fields, test) => fields.iter().any(|field| passes(state, issue, field, test)),
    }
}

fn passes(state: &State, issue: &Issue, field: &Field, test: &Test) -> bool {
    match test {
        Test::Empty(wanted) => is_empty(state, issue, field) == *wanted,
        Test::Among(values, wanted) => {
            let own = ids(state, issue, field);
            // An empty value is among the empty ones, and never among what is not.
            if own.is_empty() {
                return *wanted && values.iter().any(String::is_empty);
            }
            own.iter().any(|id| values.contains(id)) == *wanted
        }
        Test::Compare(op, value) => {
            let Some(own) = amount(state, issue, field) else {
                return false;
            };
            match op {
                Op::Equal => is_same(field, own, *value),
                Op::Unequal => !is_same(field, own, *value),
                Op::Less => own < *value,
                Op::AtMost => own <= *value,
                Op::Greater => own > *value,
                _ => own >= *value,
            }
        }
        Test::Amounts(values, wanted) => {
            amount(state, issue, field).is_some_and(|own| values.iter().any(|value| is_same(field, own, *value)) == *wanted)
        }
        Test::Words(wanted, present) => {
            let Some(text) = text(state, issue, field) else { return false };
            let own = words(&text);
            let found = wanted.iter().all(|(word, begun)| match begun {
                true => own.iter().any(|own| own.starts_with(word) && !STOP.contains(&own.as_str())),
                false => own.iter().any(|own| stem(own) == *word),
            });
            found == *present
        }
    }
}

/// A day and a minute are what the site tells apart.
fn is_same(field: &Field, own: f64, value: f64) -> bool {
    match field.search {
        Search::Moment => (own / MINUTE as f64).floor() == (value / MINUTE as f64).floor(),
        _ => own == value,
    }
}

fn is_empty(state: &State, issue: &Issue, field: &Field) -> bool {
    match field.search {
        Search::Moment | Search::Day | Search::Number => {
            amount(state, issue, field).is_none() && matches!(issue.custom(state, field.id), Value::Null)
        }
        Search::Text => text(state, issue, field).is_none(),
        _ => ids(state, issue, field).is_empty(),
    }
}

/// Ids of the things in a field, or its words in lower case.
fn ids(state: &State, issue: &Issue, field: &Field) -> Vec<String> {
    let ticket = &issue.ticket;
    let desk = &state.desks[ticket.desk];
    let status = ticket.statuses.last().map_or(0, |&(status, _)| status);
    let one = |id: &str| vec![id.to_owned()];
    let pairs = |pairs: Vec<(&str, &str)>| pairs.into_iter().map(|(id, _)| id.to_owned()).collect();
    match field.id {
        "issuekey" => one(&ticket.id.to_string()),
        "project" => one(desk.project_id),
        "status" => one(&status_id(ticket.desk, status)),
        "statusCategory" => one(&category_of(desk.statuses[status].1).0.to_string()),
        "issuetype" => one(issue.issue_type(state).0),
        "priority" => one(&(ticket.priority + 1).to_string()),
        "resolution" => pairs(issue.resolution().into_iter().collect()),
        "security" => pairs(issue.level().into_iter().collect()),
        "assignee" => ticket
            .assignee
            .map(|at| state.people[at].account_id.clone())
            .into_iter()
            .collect(),
        "reporter" | "creator" => one(&state.people[ticket.reporter].account_id),
        "labels" => issue.labels().iter().map(|label| label.to_lowercase()).collect(),
        "components" => pairs(issue.components()),
        "fixVersions" | "versions" => pairs(issue.versions(field.id)),
        "parent" => issue.parent(state).map(|(_, id)| id.to_string()).into_iter().collect(),
        "customfield_10010" => one(&format!("type-{}", desk.types[ticket.kind].id)),
        _ => {
            let value = issue.custom(state, field.id);
            let items = match value {
                Value::Array(items) => items,
                Value::Null => Vec::new(),
                other => vec![other],
            };
            items
                .iter()
                .filter_map(|item| match item {
                    Value::String(text) => Some(text.to_lowercase()),
                    item => ["accountId", "groupId", "id"]
                        .iter()
                        .find_map(|key| item.get(key)?.as_str())
                        .map(str::to_owned),
                })
                .collect()
        }
    }
}

/// A number, or a moment in milliseconds.
fn amount(state: &State, issue: &Issue, field: &Field) -> Option<f64> {
    let ticket = &issue.ticket;
    let moment = |moment: Option<i64>| moment.map(|moment| moment as f64);
    match field.id {
        "created" => moment(Some(ticket.created)),
        "updated" => moment(Some(ticket.updated)),
        "resolutiondate" => moment(issue.resolved()),
        "duedate" => moment(issue.due().map(|day| day * DAY)),
        "priority" => Some(-(ticket.priority as f64 + 1.0)),
        "votes" => Some(issue.votes() as f64),
        "watches" => Some(issue.watchers().len() as f64),
        "timespent" => moment(issue.spent()),
        "customfield_10027" => ticket.feedback.as_ref().map(|(rating, _)| *rating as f64),
        "customfield_10028" => moment(ticket.feedback.as_ref().map(|_| ticket.updated)),
        _ => match (field.search, issue.custom(state, field.id)) {
            (Search::Number, Value::Number(number)) => number.as_f64(),
            (Search::Number, Value::String(text)) => text.parse().ok(),
            (_, Value::String(text)) => chrono::DateTime::parse_from_str(&text, "%Y-%m-%dT%H:%M:%S%.f%z")
                .map(|moment| moment.timestamp_millis())
                .ok()
                .or_else(|| {
                    let day = chrono::NaiveDate::parse_from_str(&text, "%Y-%m-%d").ok()?;
                    Some(day.signed_duration_since(chrono::NaiveDate::default()).num_days() * DAY)
                })
                .map(|moment| moment as f64),
            _ => None,
        },
    }
}

fn text(state: &State, issue: &Issue, field: &Field) -> Option<String> {
    let ticket = &issue.ticket;
    match field.id {
        "summary" => Some(ticket.summary.clone()),
        "description" => Some(ticket.description.clone()),
        "environment" => issue.environment_text(),
        "comment" => Some(
            ticket
                .comments
                .iter()
                .map(|comment| &*comment.body)
                .collect::<Vec<_>>()
                .join("\n"),
        ),
        _ => match issue.custom(state, field.id) {
            // The site takes an empty text for none.
            Value::String(text) => Some(text).filter(|text| !text.is_empty()),
            Value::Null => None,
            document => Some(document.to_string()),
        },
    }
}

/// What a field is ordered by; what is empty comes last.
fn rank(state: &State, issue: &Issue, field: &Field) -> (bool, f64, String) {
    let ticket = &issue.ticket;
    match field.search {
        Search::Moment | Search::Day | Search::Number => match amount(state, issue, field) {
            Some(amount) => (false, amount, String::new()),
            None => (true, 0.0, String::new()),
        },
        _ if field.id == "priority" => (false, amount(state, issue, field).unwrap_or_default(), String::new()),
        _ if field.id == "issuekey" => {
            let number = ticket.key.rsplit_once('-').and_then(|(_, number)| number.parse().ok());
            // By project, then by number.
            (false, ticket.desk as f64 * 1e9 + number.unwrap_or(0.0), String::new())
        }
        Search::Text => match text(state, issue, field) {
            Some(text) => (false, 0.0, text.to_lowercase()),
            None => (true, 0.0, String::new()),
        },
        _ => match ids(state, issue, field).first() {
            Some(id) => (false, id.parse().unwrap_or_default(), id.clone()),
            None => (true, 0.0, String::new()),
        },
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::demo::date::{Clock, Day};
    use crate::demo::jql::zone;

    fn site(zone_name: &str) -> State {
        State::new(7, 200, Clock::new(Day::FIXED), zone(zone_name))
    }

    fn found(state: &State, jql: &str) -> Result<Vec<String>, Said> {
        let query = compile(state, jql)?;
        let issues = (0..state.total()).map(|index| Issue::new(state, index, state.ticket(index)));
        Ok(issues
            .filter(|issue| query.takes(state, issue))
            .map(|issue| issue.ticket.key.clone())
            .collect())
    }

    #[test]
    fn jql_is_not_sql() {
        let state = site("UTC");
        let count = |jql: &str| found(&state, jql).unwrap_or_else(|said| panic!("{jql}: {said:?}")).len();
        let all = count("created >= \"1970-01-01\"");
        // What is empty is neither equal nor unequal.
        assert_eq!(count("labels = vpn") + count("labels != vpn") + count("labels is EMPTY"), all);
        assert!(count("labels is EMPTY") > 0);
        assert_eq!(
            count("assignee not in (\"Dana Demo\")") + count("assignee = currentUser()") + count("assignee is EMPTY"),
            all
        );
        // Names compare without case; an id without quotes goes before a name.
        assert_eq!(count("status = \"DONE\""), count("status = Done"));
        assert_eq!(count("cf[10301] = \"10712\""), count("cf[10301] = 10713"));
        assert_ne!(count("cf[10301] = 10712"), 0);
        assert_eq!(count("project = hr"), count("project = 10002"));
        assert_eq!(count("NOT (project = HR OR project = FAC)"), count("project = ITSM"));
        assert_eq!(count("resolution = Unresolved"), count("resolution is EMPTY"));
        // Lists of numbers and dates.
        assert_eq!(count("votes in (0, 2)"), count("votes = 0 OR votes = 2"));
        assert_eq!(count("votes not in (0, 2)") + count("votes in (0, 2)"), all);
        assert!(count("due in (\"2026-06-01\", \"2026-06-02\")") <= count("due is not EMPTY"));
        // Words by their stem, and none of the common ones.
        assert_eq!(count("summary ~ drop"), count("summary ~ \"drop*\""));
        assert!(compile(&state, "summary ~ the").is_err());
    }

    #[test]
    fn what_the_site_does_not_know_is_refused() {
        let state = site("UTC");
        for (jql, fragment) in [
            ("", "Unbounded"),
            ("ORDER BY created", "Unbounded"),
            ("nothing = 1", "does not exist"),
            ("status = Nope", "The value 'Nope' does not exist"),
            ("key = NOPE-1", "does not exist"),
            ("summary = x", "is not supported"),
            ("created = tomorrow", "Date value"),
            (
                "status = Done ORDER BY key, created, updated, due, votes, priority, status, project",
                "more than 7",
            ),
        ] {
            let said = compile(&state, jql).expect_err(jql).join(" ");
            assert!(said.contains(fragment), "{jql}: {said}");
        }
        let said = compile(&state, "status in (Nope, Done, Never) OR assignee = Nobody").expect_err("refused");
        assert_eq!(said.len(), 3, "{said:?}");
    }

    #[test]
    fn priorities_and_days_have_an_order() {
        let state = site("UTC");
        let count = |jql: &str| found(&state, jql).unwrap_or_else(|said| panic!("{jql}: {said:?}")).len();
        let all = count("created >= 0");
        assert_eq!(all, state.total());
        assert_eq!(count("priority > Medium"), count("priority in (High, Highest)"));
        assert_eq!(count("priority <= Low"), count("priority in (Low, Lowest)"));
        assert!(compile(&state, "status > Done").is_err());
        // 2026-06-01T00:00Z.
        assert_eq!(count("created < 1780272000000"), count("created < \"2026-06-01\""));
        assert!((1..all).contains(&count("created < 1780272000000")));
        assert_eq!(count("created >= startOfDay(-7d)"), count("created >= startOfDay(\"-1w\")"));
        assert_eq!(count("created < startOfMonth() OR created > endOfMonth(-1)"), all);
        assert_eq!(
            count("created < startOfYear(1) AND created <= endOfWeek() AND created <= now()"),
            all
        );
        assert_eq!(
            count("due >= startOfDay() AND due <= endOfDay()"),
            count("due = startOfDay()")
        );
        for jql in ["created > startOfDay(x)", "created > startOfHour()", "votes > now()"] {
            assert!(compile(&state, jql).is_err(), "{jql}");
        }
    }

    #[test]
    fn dates_are_read_where_the_caller_lives() {
        let keys = |zone: &str| found(&site(zone), "created >= \"2026-06-01 00:00\" AND created < \"2026-06-02\"").unwrap();
        assert_ne!(keys("Pacific/Kiritimati"), keys("Pacific/Pago_Pago"));
    }
}
