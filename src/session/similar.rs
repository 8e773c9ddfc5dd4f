//! `x SIMILAR TO 'VPN%'`, as a regular expression: the engine (DataFusion 55) takes the pattern of SQL for one as it stands.

use std::iter::Peekable;
use std::str::Chars;

use datafusion::sql::sqlparser::ast::{BinaryOperator, Expr, Value};

use crate::error::{Error, ErrorKind, Result};

/// What a comparison is for the engine; `None` where it is no SIMILAR TO.
///
/// # Errors
/// The pattern is not written out, or is none.
pub(super) fn rewritten(expression: &Expr) -> Result<Option<Expr>> {
    let Expr::SimilarTo {
        negated,
        expr,
        pattern,
        escape_char,
    } = expression
    else {
        return Ok(None);
    };
    let Some(text) = text(pattern) else {
        let error = Error::new(ErrorKind::Unsupported, "SIMILAR TO takes a pattern that is written out");
        return Err(error.hint("write LIKE for % and _, or ~ with a regular expression: x ~ '^(?:a|b)$'"));
    };
    let escape = match escape_char {
        None => Some('\\'),
        Some(escape) => match &escape.value {
            Value::SingleQuotedString(escape) if escape.chars().count() < 2 => escape.chars().next(),
            other => {
                let error = Error::new(ErrorKind::Statement, format!("{other} is no character to escape by"));
                return Err(error.hint("write one character: ESCAPE '!'"));
            }
        },
    };
    let op = match negated {
        true => BinaryOperator::PGRegexNotMatch,
        false => BinaryOperator::PGRegexMatch,
    };
    // Brackets around all of it, since the comparison may stand inside of others.
    Ok(Some(Expr::Nested(Box::new(Expr::BinaryOp {
        left: expr.clone(),
        op,
        right: Box::new(Expr::value(Value::SingleQuotedString(regex(text, escape)?))),
    }))))
}

fn text(pattern: &Expr) -> Option<&str> {
    match pattern {
        Expr::Nested(inner) => text(inner),
        Expr::Value(value) => match &value.value {
            Value::SingleQuotedString(text) => Some(text),
            _ => None,
        },
        _ => None,
    }
}

/// The regular expression that matches the same texts, whole.
fn regex(pattern: &str, escape: Option<char>) -> Result<String> {
    let wrong = |what: &str| {
        let error = Error::new(ErrorKind::Statement, format!("the pattern {pattern} of SIMILAR TO {what}"));
        Err(error.hint("% is any text, _ any character; | * + ? {m,n} ( ) [ ] are as in regular expressions, and a backslash stands before what is meant as it is"))
    };
    let mut regex = String::from("(?s)^(?:");
    let mut rest = pattern.chars().peekable();
    while let Some(next) = rest.next() {
        match next {
            escaped if Some(escaped) == escape => match rest.next() {
                Some(next) => literal(next, &mut regex),
                None => return wrong("ends with the character that escapes"),
            },
            '%' => regex.push_str(".*"),
            '_' => regex.push('.'),
            '(' => regex.push_str("(?:"),
            '[' => {
                if !bracket(&mut rest, escape, &mut regex) {
                    return wrong("opens a [ that it does not close");
                }
            }
            '|' | '*' | '+' | '?' | '{' | '}' | ')' => regex.push(next),
            next => literal(next, &mut regex),
        }
    }
    regex.push_str(")$");
    Ok(regex)
}

/// A set of characters, up to its end.
fn bracket(rest: &mut Peekable<Chars<'_>>, escape: Option<char>, regex: &mut String) -> bool {
    regex.push('[');
    if rest.next_if_eq(&'^').is_some() {
        regex.push('^');
    }
    // The first may be the bracket itself.
    if rest.next_if_eq(&']').is_some() {
        regex.push_str(r"\]");
    }
    while let Some(next) = rest.next() {
        match next {
            ']' => {
                regex.push(']');
                return true;
            }
            // A class: [:alpha:].
            '[' if rest.peek() == Some(&':') => {
                regex.push('[');
                for next in rest.by_ref() {
                    regex.push(next);
                    if next == ']' {
                        break;
                    }
                }
            }
            escaped if Some(escaped) == escape => match rest.next() {
                Some(next) => literal(next, regex),
                None => return false,
            },
            // A range.
            '-' => regex.push('-'),
            next => literal(next, regex),
        }
    }
    false
}

fn literal(character: char, regex: &mut String) {
    if r"\.+*?()|[]{}^$#&-~".contains(character) {
        regex.push('\\');
    }
    regex.push(character);
}

#[cfg(test)]
mod tests {
    use super::regex;

    #[test]
    fn patterns() {
        for (pattern, escape, expected) in [
            ("abc", Some('\\'), "(?s)^(?:abc)$"),
            ("%(b|d)%", Some('\\'), "(?s)^(?:.*(?:b|d).*)$"),
            ("a.c_", Some('\\'), r"(?s)^(?:a\.c.)$"),
            (r"100\%", Some('\\'), "(?s)^(?:100%)$"),
            ("100!%%", Some('!'), "(?s)^(?:100%.*)$"),
            (r"a\b", None, r"(?s)^(?:a\\b)$"),
            ("[^a-c&]{2}", Some('\\'), r"(?s)^(?:[^a-c\&]{2})$"),
            ("[[:alpha:]]+", Some('\\'), "(?s)^(?:[[:alpha:]]+)$"),
            ("^a$", Some('\\'), r"(?s)^(?:\^a\$)$"),
        ] {
            assert_eq!(regex(pattern, escape).unwrap(), expected, "{pattern}");
        }
        for pattern in ["[ab", r"a\"] {
            assert!(regex(pattern, Some('\\')).is_err(), "{pattern}");
        }
    }
}
