//! JQL: the one place where it is written, from typed parts, and where JQL that a user wrote is looked at before it is put among them.
//!
//! # Design
//!
//! What is written finds all the rows that SQL wants, and maybe more; what it cannot say, it leaves out. The rules, each with its test:
//!
//! - Names compare without case and by several spellings: `=` and IN find more than SQL wants, so the rows are checked again. For the same
//!   reason `!=` and NOT IN are written only where the schema says that the literal means one value (ids, account ids, numbers), and of
//!   texts only those that look like an id: `assignee != "Dana"` is about whoever is called Dana.
//! - A value that the site does not know is refused with 400, not answered with no rows: such values are found out and left out.
//! - Dates are read to the minute in the time zone of the caller's profile, which may be any from twelve hours behind UTC to fourteen
//!   ahead of it: bounds are moved outward by that much. Days have no zone.
//! - `~` looks for words by their stem and knows no common words: no LIKE of SQL is sure to be answered by it, so none is sent.
//! - Numbers and dates are compared one by one: a list of them is not documented for every field.
//! - An empty text is EMPTY to JQL and a value to SQL, so it is never sent.

use std::collections::BTreeSet;
use std::fmt::Write as _;

use super::clause::{Amount, Clause, Comparison, Test};
use super::plan::Known;
use crate::error::{Error, ErrorKind, Result};
use crate::schema::{Jql, JqlLiteral, JqlOp, Kind, Table};

/// Values of one list; a longer one is left out, and the rows are checked after reading.
pub(super) const MOST_VALUES: usize = 300;
/// Hours that local time may be behind UTC or ahead of it.
const BEHIND: i64 = 12 * HOUR;
const AHEAD: i64 = 14 * HOUR;
const HOUR: i64 = 60 * MINUTE;
const MINUTE: i64 = 60_000;

/// Values that the site was found not to know, by column.
pub(crate) type Unknown = BTreeSet<(usize, String)>;

/// What a predicate becomes.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Condition {
    /// Every row may satisfy it.
    True,
    /// No row does.
    False,
    /// Rows that the JQL does not find do not satisfy it. `Any` at its top must be put in brackets.
    Jql { text: String, loose: bool },
}

impl Condition {
    fn jql(text: String) -> Self {
        Self::Jql { text, loose: false }
    }
}

/// A text in quotes, by the grammar of JQL: quotes and backslashes escaped, control characters as `\uXXXX`.
pub(crate) fn quote(text: &str) -> String {
    let mut quoted = String::with_capacity(text.len() + 2);
    quoted.push('"');
    for c in text.chars() {
        match c {
            '"' | '\\' => {
                quoted.push('\\');
                quoted.push(c);
            }
            '\n' => quoted.push_str("\\n"),
            '\r' => quoted.push_str("\\r"),
            '\t' => quoted.push_str("\\t"),
            // The grammar takes neither control characters nor the code points that are no characters.
            c if c.is_control() || matches!(c, '\u{fdd0}'..='\u{fdef}' | '\u{fffe}' | '\u{ffff}') => {
                let _ = write!(quoted, "\\u{:04x}", u32::from(c));
            }
            c => quoted.push(c),
        }
    }
    quoted.push('"');
    quoted
}

/// What is known of the columns of a table, and its clause, as one condition: without values that the site does not know, and without
/// the columns that are not to be spoken of.
pub(crate) fn condition(
    table: &Table,
    known: &Known,
    clauses: &[Clause],
    (unknown, unsaid): (&Unknown, &BTreeSet<usize>),
) -> Condition {
    let of_known = known.columns().map(|column| {
        let values = known.get(column).into_iter().flat_map(|values| values.iter().cloned());
        Clause::Values {
            column,
            values: values.collect(),
            negated: false,
        }
    });
    let parts = of_known
        .chain(clauses.iter().cloned())
        .map(|clause| write(table, &clause, unknown, unsaid));
    all(parts.collect())
}

fn write(table: &Table, clause: &Clause, unknown: &Unknown, unsaid: &BTreeSet<usize>) -> Condition {
    let each = |parts: &[Clause]| parts.iter().map(|part| write(table, part, unknown, unsaid)).collect();
    match clause {
        Clause::All(parts) => all(each(parts)),
        Clause::Any(parts) => any(each(parts)),
        Clause::Values { column, .. } | Clause::Test(column, _) if unsaid.contains(column) => Condition::True,
        Clause::Values { column, values, negated } => match jql(table, *column) {
            Some(jql) => values_condition(jql, *column, values, *negated, unknown),
            None => Condition::True,
        },
        Clause::Test(column, test) => match jql(table, *column) {
            Some(jql) => test_condition(jql, table.columns[*column].kind, test),
            None => Condition::True,
        },
    }
}

/// How a column takes part in a search, if it does.
pub(crate) fn jql(table: &Table, column: usize) -> Option<&Jql> {
    table.columns[column].push.as_ref()?.jql.as_ref()
}

fn all(parts: Vec<Condition>) -> Condition {
    let mut texts = Vec::new();
    for part in parts {
        match part {
            Condition::True => {}
            Condition::False => return Condition::False,
            Condition::Jql { text, loose: true } => texts.push(format!("({text})")),
            Condition::Jql { text, .. } => texts.push(text),
        }
    }
    match texts.len() {
        0 => Condition::True,
        _ => Condition::jql(texts.join(" AND ")),
    }
}

fn any(parts: Vec<Condition>) -> Condition {
    let mut texts = Vec::new();
    for part in parts {
        match part {
            Condition::True => return Condition::True,
            Condition::False => {}
            // AND binds more strongly than OR.
            Condition::Jql { text, .. } => texts.push(text),
        }
    }
    match texts.len() {
        0 => Condition::False,
        1 => Condition::Jql {
            text: texts.remove(0),
            loose: true,
        },
        _ => Condition::Jql {
            text: texts.join(" OR "),
            loose: true,
        },
    }
}

fn values_condition(jql: &Jql, column: usize, values: &[String], negated: bool, unknown: &Unknown) -> Condition {
    let op = if negated { JqlOp::Unequal } else { JqlOp::Equal };
    if !jql.takes(op) {
        return Condition::True;
    }
    let mut literals = Vec::new();
    for value in values {
        if unknown.contains(&(column, value.clone())) {
            match (negated, jql.vague) {
                // Every row differs from what is nowhere, and none equals it.
                (true, _) | (false, false) => continue,
                (false, true) => return Condition::True,
            }
        }
        match literal(jql, value) {
            // A name may be that of somebody or something else: only what looks like an id is excluded.
            Some(_) if negated && jql.values.is_empty() && jql.literal == JqlLiteral::Text && !is_opaque(value) => {}
            Some(literal) => literals.push(literal),
            // What cannot be said is left out: for `!=` the value, for `=` the whole.
            None if negated => {}
            None => return Condition::True,
        }
    }
    if literals.len() > MOST_VALUES {
        return Condition::True;
    }
    among(jql, &literals, negated)
}

/// That a field is one of these, or none of them.
pub(super) fn among(jql: &Jql, literals: &[String], negated: bool) -> Condition {
    let field = &jql.field;
    let each = |sign: &str, between: &str| {
        let each: Vec<String> = literals.iter().map(|literal| format!("{field} {sign} {literal}")).collect();
        each.join(between)
    };
    match (literals, negated) {
        ([], true) => Condition::True,
        ([], false) => Condition::False,
        ([_], true) => Condition::jql(each("!=", "")),
        ([_], false) => Condition::jql(each("=", "")),
        // Not every kind of field that holds numbers or dates is documented to take a list.
        (_, true) if is_amount(jql) => Condition::jql(each("!=", " AND ")),
        (_, false) if is_amount(jql) => Condition::Jql {
            text: each("=", " OR "),
            loose: true,
        },
        (many, true) => Condition::jql(format!("{field} NOT IN ({})", many.join(", "))),
        (many, false) => Condition::jql(format!("{field} IN ({})", many.join(", "))),
    }
}

/// Whether the field holds numbers or dates, of which none is unknown to the site.
fn is_amount(jql: &Jql) -> bool {
    matches!(jql.literal, JqlLiteral::Number | JqlLiteral::Date | JqlLiteral::Moment)
}

/// A value as JQL writes it; `None` where it cannot be written.
pub(crate) fn literal(jql: &Jql, value: &str) -> Option<String> {
    if !jql.values.is_empty() {
        let (_, literal) = jql.values.iter().find(|(own, _)| own == value)?;
        return Some(literal.clone());
    }
    match jql.literal {
        JqlLiteral::Text => (!value.is_empty()).then(|| quote(value)),
        // Only as the site itself writes ids: 007 is none.
        JqlLiteral::Id => value
            .parse::<u32>()
            .ok()
            .filter(|id| id.to_string() == value)
            .map(|id| id.to_string()),
        JqlLiteral::Number => value.parse::<i64>().ok().map(|number| number_literal(number.to_string())),
        JqlLiteral::Date | JqlLiteral::Moment => None,
    }
}

/// Whether a text is an id that nobody is called: JQL looks people up by name and e-mail address as well.
fn is_opaque(text: &str) -> bool {
    text.len() >= 16
        && text.bytes().any(|byte| byte.is_ascii_digit())
        && text
            .bytes()
            .all(|byte| byte.is_ascii_alphanumeric() || matches!(byte, b':' | b'-'))
}

fn test_condition(jql: &Jql, kind: Kind, test: &Test) -> Condition {
    let field = &jql.field;
    match test {
        Test::Null(true) if jql.takes(JqlOp::Empty) => Condition::jql(format!("{field} IS EMPTY")),
        Test::Null(false) if jql.takes(JqlOp::NotEmpty) => Condition::jql(format!("{field} IS NOT EMPTY")),
        Test::Null(_) | Test::Without(_) | Test::Has(_) => Condition::True,
        Test::Compare(comparison, amount) => {
            let op = match comparison {
                Comparison::Equal => JqlOp::Equal,
                Comparison::Unequal => JqlOp::Unequal,
                _ => JqlOp::Compare,
            };
            if jql.takes(op) {
                compare(jql, kind, *comparison, *amount)
            } else {
                Condition::True
            }
        }
    }
}

fn compare(jql: &Jql, kind: Kind, comparison: Comparison, amount: Amount) -> Condition {
    use Comparison::*;
    let field = &jql.field;
    let sign = match comparison {
        Less => "<",
        AtMost => "<=",
        Greater => ">",
        AtLeast => ">=",
        Equal => "=",
        Unequal => "!=",
    };
    let written = |literal: Option<String>| match literal {
        Some(literal) => Condition::jql(format!("{field} {sign} {literal}")),
        None => Condition::True,
    };
    match (jql.literal, kind, amount) {
        (JqlLiteral::Moment, Kind::Timestamp, Amount::Whole(millis)) => {
            let from = || earlier(millis).map(|literal| format!("{field} >= {literal}"));
            let to = || later(millis).map(|literal| format!("{field} <= {literal}"));
            let text = match comparison {
                Greater | AtLeast => from(),
                Less | AtMost => to(),
                Equal => from().zip(to()).map(|(from, to)| format!("{from} AND {to}")),
                Unequal => None,
            };
            text.map_or(Condition::True, Condition::jql)
        }
        (JqlLiteral::Date, Kind::Date, Amount::Whole(days)) => written(day(days).filter(|_| comparison != Unequal)),
        (JqlLiteral::Number, _, Amount::Whole(number)) => written(Some(number_literal(number.to_string()))),
        (JqlLiteral::Number, _, Amount::Float(number)) => written(number.is_finite().then(|| number_literal(number.to_string()))),
        _ => Condition::True,
    }
}

/// Unquoted where the grammar takes it: a minus or an exponent must be quoted.
fn number_literal(text: String) -> String {
    if text.bytes().all(|byte| byte.is_ascii_digit()) {
        text
    } else {
        quote(&text)
    }
}

/// A literal that no zone reads as later than the moment.
fn earlier(millis: i64) -> Option<String> {
    minute(millis.checked_sub(BEHIND)?.div_euclid(MINUTE))
}

/// A literal that no zone reads as earlier than the moment.
fn later(millis: i64) -> Option<String> {
    let up = millis.checked_add(AHEAD)?.checked_add(MINUTE - 1)?;
    minute(up.div_euclid(MINUTE))
}

/// Years that JQL can write; a bound beyond them is left out.
const YEARS: std::ops::RangeInclusive<i32> = 1971..=9998;

fn minute(minutes: i64) -> Option<String> {
    use chrono::Datelike;
    let moment = chrono::DateTime::from_timestamp(minutes.checked_mul(60)?, 0)?;
    YEARS
        .contains(&moment.year())
        .then(|| quote(&moment.format("%Y-%m-%d %H:%M").to_string()))
}

fn day(days: i64) -> Option<String> {
    use chrono::Datelike;
    let day = chrono::NaiveDate::default().checked_add_signed(chrono::TimeDelta::try_days(days)?)?;
    YEARS
        .contains(&day.year())
        .then(|| quote(&day.format("%Y-%m-%d").to_string()))
}

/// JQL that somebody else wrote, without its ORDER BY, fit to be put in brackets among other clauses.
///
/// # Errors
/// It has an open quote or bracket: it would swallow what stands around it.
pub(crate) fn clause_of(text: &str, what: &str) -> Result<String> {
    let fail = |why: &str| {
        Err(Error::new(ErrorKind::Statement, format!("{what} {why}"))
            .hint("it must be a whole JQL clause, such as project = ITSM AND labels = vpn"))
    };
    let (mut depth, mut quote, mut escaped) = (0_usize, None, false);
    let mut end = text.len();
    let mut word_start = None;
    let mut previous: Option<(usize, &str)> = None;
    for (at, c) in text.char_indices().chain([(text.len(), ' ')]) {
        if let Some(open) = quote {
            match c {
                _ if escaped => escaped = false,
                '\\' => escaped = true,
                c if c == open => quote = None,
                _ => {}
            }
            continue;
        }
        if escaped && at == text.len() {
            return fail("ends with a backslash");
        }
        // Outside of quotes, too, a backslash takes its meaning from what follows: it is a part of a word.
        let is_escaped = std::mem::take(&mut escaped);
        escaped = c == '\\' && !is_escaped;
        let in_word = is_escaped || c.is_alphanumeric() || matches!(c, '_' | '.' | '-' | '\\');
        match (in_word, word_start) {
            (true, None) => word_start = Some(at),
            (false, Some(start)) => {
                let word = &text[start..at];
                if depth == 0
                    && word.eq_ignore_ascii_case("BY")
                    && let Some((order, before)) = previous
                    && before.eq_ignore_ascii_case("ORDER")
                    && text[order + before.len()..start].trim().is_empty()
                {
                    end = order;
                    break;
                }
                previous = Some((start, word));
                word_start = None;
            }
            _ => {}
        }
        match c {
            _ if is_escaped => {}
            '"' | '\'' => quote = Some(c),
            '(' => depth += 1,
            ')' => match depth.checked_sub(1) {
                Some(less) => depth = less,
                None => return fail("closes a bracket that it does not open"),
            },
            _ => {}
        }
    }
    if quote.is_some() {
        return fail("has a quote without its end");
    }
    if depth > 0 {
        return fail("has a bracket without its end");
    }
    Ok(text[..end].trim().to_owned())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn clauses_of_others_are_looked_at() {
        for (text, expected) in [
            ("project = A ORDER BY \"Time to resolution\" ASC", Ok("project = A")),
            ("project = \"order by\" order  BY x", Ok("project = \"order by\"")),
            ("a = 'it''s' and (b = c)", Ok("a = 'it''s' and (b = c)")),
            ("ORDER BY created", Ok("")),
            ("reorder = by", Ok("reorder = by")),
            ("a = \"x\\\" ORDER BY y\"", Ok("a = \"x\\\" ORDER BY y\"")),
            ("a = b) OR (c = d", Err("closes a bracket")),
            ("(a = b", Err("without its end")),
            ("a = \"b", Err("quote")),
            ("a = \"b\\\"", Err("quote")),
            // A backslash outside of quotes.
            ("summary ~ a\\\" ) OR ( summary ~ \"x\\\" y\"", Err("closes a bracket")),
            ("a = b\\) OR c = d", Ok("a = b\\) OR c = d")),
            ("a = b\\\\ ORDER BY c", Ok("a = b\\\\")),
            ("(a = b\\)", Err("without its end")),
            ("a = b\\", Err("ends with a backslash")),
        ] {
            match (clause_of(text, "the JQL"), expected) {
                (Ok(found), Ok(expected)) => assert_eq!(found, expected, "{text}"),
                (Err(error), Err(fragment)) => assert!(error.message().contains(fragment), "{text}: {error}"),
                (found, _) => panic!("{text}: {found:?}"),
            }
        }
    }

    #[test]
    fn bounds_move_outward() {
        // 2026-03-01T07:00:30.500Z
        let moment = 1_772_348_430_500;
        assert_eq!(earlier(moment).unwrap(), "\"2026-02-28 19:00\"");
        assert_eq!(later(moment).unwrap(), "\"2026-03-01 21:01\"");
        assert_eq!(earlier(i64::MIN), None);
        assert_eq!(later(i64::MAX), None);
        assert_eq!(day(20_513).unwrap(), "\"2026-03-01\"");
    }
}

/// JQL literals read back by a lexer that shares nothing with the code that writes them.
#[cfg(test)]
mod literals {
    use super::quote;
    use proptest::prelude::*;

    /// The quoted string of Atlassian's grammar (`QUOTE_STRING` in `Jql.g`), from the text after the opening quote: value and rest.
    fn read(text: &str) -> Option<(String, &str)> {
        let mut value: Vec<u16> = Vec::new();
        let mut at = 0;
        loop {
            let c = text[at..].chars().next()?;
            at += c.len_utf8();
            match c {
                '"' => return Some((String::from_utf16(&value).ok()?, &text[at..])),
                '\\' => {
                    let escape = text[at..].chars().next()?;
                    at += escape.len_utf8();
                    let unit = match escape {
                        't' => 9,
                        'n' => 10,
                        'r' => 13,
                        '"' | '\'' | '\\' | ' ' => escape as u16,
                        'u' => {
                            let unit = u16::from_str_radix(text.get(at..at + 4)?, 16).ok()?;
                            at += 4;
                            unit
                        }
                        _ => return None,
                    };
                    value.push(unit);
                }
                // Control characters other than line breaks, and what is no character, end the grammar's patience.
                c if (c < ' ' && c != '\n' && c != '\r')
                    || ('\u{7f}'..='\u{9f}').contains(&c)
                    || ('\u{fdd0}'..='\u{fdef}').contains(&c)
                    || ('\u{fffe}'..='\u{ffff}').contains(&c) =>
                {
                    return None;
                }
                c => {
                    let mut units = [0; 2];
                    value.extend_from_slice(c.encode_utf16(&mut units));
                }
            }
        }
    }

    fn round_trips(text: &str) {
        let quoted = quote(text);
        let inside = quoted.strip_prefix('"').expect("begins with a quote");
        let (value, rest) = read(inside).unwrap_or_else(|| panic!("{quoted} is no JQL string"));
        assert_eq!((value.as_str(), rest), (text, ""), "{quoted}");
    }

    #[test]
    fn what_people_try_stays_data() {
        for text in [
            "",
            "\"",
            "\\",
            "a\\",
            "a\\\\\"",
            "\" OR \"1\"=\"1",
            "x\" ORDER BY y --",
            "currentUser()",
            "a\nb\r\nc\td",
            "\0\u{1}\u{7f}\u{9f}",
            "👩‍💻 𝕊 \u{fffe}\u{fdd0}",
            "')) OR project is not EMPTY AND ((summary ~ '",
        ] {
            round_trips(text);
        }
        round_trips(&"é\"\\".repeat(3_334));
    }

    proptest! {
        #[test]
        fn any_text_round_trips(text in any::<String>()) {
            round_trips(&text);
        }

        #[test]
        fn any_mix_of_difficult_characters_round_trips(text in "[\"\\\\'\\n\\r\\t()=~ua0-9 \\x00-\\x1f\\x7f-\\x9f]{0,60}") {
            round_trips(&text);
        }
    }
}
