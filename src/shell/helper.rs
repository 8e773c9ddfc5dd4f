//! What the prompt knows while somebody types: completion, colours, and where a statement ends.

use std::borrow::Cow;

use rustyline::completion::Completer;
use rustyline::highlight::{CmdKind, Highlighter};
use rustyline::validate::{ValidationContext, ValidationResult, Validator};
use rustyline::{Context, Helper, Hinter};
use sqlparser::dialect::GenericDialect;
use sqlparser::keywords::Keyword;
use sqlparser::tokenizer::{Token, Tokenizer, Whitespace};

use super::format::Format;
use super::meta;
use super::names::{Known, Names};
use super::script::is_complete;

/// Words that are offered and coloured: those that statements here are made of.
const KEYWORDS: &[&str] = &[
    "ALL",
    "ANALYZE",
    "AND",
    "AS",
    "ASC",
    "BETWEEN",
    "BY",
    "CALL",
    "CASE",
    "CAST",
    "COPY",
    "CREATE",
    "CROSS",
    "DEALLOCATE",
    "DELETE",
    "DESC",
    "DESCRIBE",
    "DISTINCT",
    "DROP",
    "ELSE",
    "END",
    "EXCEPT",
    "EXCLUDE",
    "EXECUTE",
    "EXISTS",
    "EXPLAIN",
    "FALSE",
    "FROM",
    "FULL",
    "GROUP",
    "HAVING",
    "ILIKE",
    "IN",
    "INNER",
    "INSERT",
    "INTERSECT",
    "INTERVAL",
    "INTO",
    "IS",
    "JOIN",
    "LEFT",
    "LIKE",
    "LIMIT",
    "NOT",
    "NULL",
    "NULLS",
    "OFFSET",
    "ON",
    "OR",
    "ORDER",
    "OUTER",
    "OVER",
    "PARTITION",
    "PREPARE",
    "REPLACE",
    "RETURNING",
    "RIGHT",
    "SELECT",
    "SET",
    "SHOW",
    "TABLE",
    "TABLES",
    "TEMPORARY",
    "THEN",
    "TO",
    "TRUE",
    "UNION",
    "UPDATE",
    "USING",
    "VALUES",
    "VIEW",
    "WHEN",
    "WHERE",
    "WITH",
];

/// The helper of the line editor.
#[derive(Helper, Hinter)]
pub(super) struct Typist {
    names: Names,
    colours: bool,
}

impl Typist {
    pub(super) fn new(names: Names, colours: bool) -> Self {
        Self { names, colours }
    }
}

impl Completer for Typist {
    type Candidate = String;

    fn complete(&self, line: &str, position: usize, _: &Context<'_>) -> rustyline::Result<(usize, Vec<String>)> {
        Ok(candidates(&line[..position], &self.names.known()))
    }
}

impl Validator for Typist {
    fn validate(&self, context: &mut ValidationContext<'_>) -> rustyline::Result<ValidationResult> {
        Ok(if is_complete(context.input()) {
            ValidationResult::Valid(None)
        } else {
            ValidationResult::Incomplete
        })
    }
}

impl Highlighter for Typist {
    fn highlight<'l>(&self, line: &'l str, _: usize) -> Cow<'l, str> {
        match self.colours.then(|| coloured(line)).flatten() {
            Some(text) => Cow::Owned(text),
            None => Cow::Borrowed(line),
        }
    }

    fn highlight_char(&self, _: &str, _: usize, kind: CmdKind) -> bool {
        self.colours && kind != CmdKind::MoveCursor
    }
}

/// The text with colours; `None` while a literal is still open.
fn coloured(line: &str) -> Option<String> {
    let tokens = Tokenizer::new(&GenericDialect {}, line)
        .with_unescape(false)
        .tokenize()
        .ok()?;
    let mut text = String::new();
    for token in tokens {
        let colour = match &token {
            Token::Word(word) if word.quote_style.is_none() && is_keyword(word.keyword, &word.value) => "1;34",
            Token::SingleQuotedString(_) => "32",
            Token::Number(..) | Token::Placeholder(_) => "36",
            Token::Whitespace(Whitespace::SingleLineComment { .. } | Whitespace::MultiLineComment(_)) => "90",
            _ => {
                text.push_str(&token.to_string());
                continue;
            }
        };
        text.push_str(&format!("\x1b[{colour}m{token}\x1b[0m"));
    }
    // The editor counts on the same characters in the same places.
    let plain = console::strip_ansi_codes(&text) == line;
    plain.then_some(text)
}

fn is_keyword(keyword: Keyword, word: &str) -> bool {
    keyword != Keyword::NoKeyword && KEYWORDS.binary_search(&word.to_uppercase().as_str()).is_ok()
}

/// Where the word before the cursor begins, and what it may become.
fn candidates(before: &str, known: &Known) -> (usize, Vec<String>) {
    let start = before
        .rfind(|c: char| !(c.is_alphanumeric() || matches!(c, '_' | '.' | '\\' | '"')))
        .map_or(0, |at| at + before[at..].chars().next().map_or(1, char::len_utf8));
    let word = &before[start..];
    let earlier: Vec<&str> = before[..start].split_whitespace().collect();
    let mut found: Vec<String> = match earlier.as_slice() {
        [] if word.starts_with('\\') => meta::names().collect(),
        [command] if command.starts_with('\\') || command.starts_with('.') => match &command[1..] {
            "d" | "dt" | "schema" | "tables" => known.tables.keys().cloned().collect(),
            "df" | "procedures" => known.procedures.clone(),
            "mode" | "format" => Format::names(),
            "profile" => known.profiles.clone(),
            "c" | "connect" => known.options.iter().map(|option| format!("{option}=")).collect(),
            "requests" | "http" => vec!["summary".into(), "trace".into()],
            "timing" | "timer" | "x" | "pager" | "bail" => vec!["on".into(), "off".into()],
            _ => Vec::new(),
        },
        [.., last] => match last.to_uppercase().as_str() {
            "FROM" | "JOIN" | "INTO" | "UPDATE" | "TABLE" | "DESCRIBE" => {
                known.tables.keys().chain(&known.procedures).cloned().collect()
            }
            "CALL" | "EXECUTE" | "EXEC" => known.procedures.clone(),
            _ => expressions(before, word, known),
        },
        [] => KEYWORDS.iter().map(|word| (*word).to_owned()).collect(),
    };
    let lower = word.to_lowercase();
    found.retain(|name| name.to_lowercase().starts_with(&lower));
    found.sort();
    found.dedup();
    (start, found)
}

/// Columns of the tables that the statement names, then what can stand anywhere.
fn expressions(before: &str, word: &str, known: &Known) -> Vec<String> {
    let words: Vec<&str> = before
        .split(|c: char| c.is_whitespace() || matches!(c, ',' | '(' | ')' | ';'))
        .filter(|word| !word.is_empty())
        .collect();
    if let Some((qualifier, _)) = word.rsplit_once('.') {
        // A table, or the word after it: its alias.
        let named = |table: &&str| {
            let after = words
                .iter()
                .position(|word| word == table)
                .and_then(|at| words.get(at + 1..))
                .unwrap_or_default();
            let alias = after.iter().find(|word| !word.eq_ignore_ascii_case("AS"));
            *table == qualifier || alias.is_some_and(|alias| *alias == qualifier)
        };
        let table = words
            .iter()
            .copied()
            .filter(|word| known.tables.contains_key(*word))
            .find(named);
        let columns = known.tables.get(table.unwrap_or(qualifier)).into_iter().flatten();
        let columns = columns.map(|column| format!("{qualifier}.{column}"));
        return columns
            .chain(known.tables.keys().filter(|name| name.contains('.')).cloned())
            .collect();
    }
    let columns = words.iter().filter_map(|word| known.tables.get(*word)).flatten();
    let mut found: Vec<String> = columns.cloned().collect();
    found.extend(KEYWORDS.iter().map(|word| (*word).to_owned()));
    if !word.is_empty() {
        found.extend(known.functions.iter().map(|function| format!("{function}(")));
        found.extend(known.tables.keys().cloned());
    }
    found
}

#[cfg(test)]
mod tests {
    use super::*;

    fn known() -> Known {
        let columns = |names: &[&str]| names.iter().map(|name| (*name).to_owned()).collect();
        Known {
            tables: [
                ("requests".to_owned(), columns(&["issue_key", "status", "summary"])),
                ("request_comments".to_owned(), columns(&["issue_key", "body"])),
            ]
            .into(),
            procedures: vec!["create_customer".into()],
            functions: vec!["substr".into()],
            options: vec!["URL".into()],
            profiles: vec!["work".into()],
        }
    }

    #[test]
    fn what_is_offered_depends_on_what_stands_before() {
        for (before, expected) in [
            ("SELECT * FROM re", vec!["request_comments", "requests"]),
            ("\\d requests", vec!["requests"]),
            ("\\ti", vec!["\\timer", "\\timing"]),
            ("\\mode pa", vec!["parquet"]),
            ("\\c U", vec!["URL="]),
            ("\\profile ", vec!["work"]),
            ("CALL cre", vec!["create_customer"]),
            ("SELECT c.b FROM request_comments c WHERE c.b", vec!["c.body"]),
            ("SELECT * FROM requests WHERE st", vec!["status"]),
            ("SELECT subs", vec!["substr("]),
            ("sel", vec!["SELECT"]),
        ] {
            assert_eq!(candidates(before, &known()).1, expected, "{before}");
        }
        let (start, _) = candidates("SELECT * FROM re", &known());
        assert_eq!(start, "SELECT * FROM ".len());
    }

    #[test]
    fn colours_change_no_character() {
        let line = "SELECT 'it''s', 1.5 FROM \"a b\" -- é\nWHERE status = $1";
        assert_eq!(console::strip_ansi_codes(&coloured(line).unwrap_or_default()), line);
        assert_eq!(coloured("SELECT 'open"), None);
        assert!(coloured("SELECT 1").is_some_and(|text| text.starts_with("\x1b[1;34mSELECT")));
    }

    #[test]
    fn keywords_are_in_order() {
        assert!(KEYWORDS.is_sorted(), "they are looked up by halves");
    }
}
