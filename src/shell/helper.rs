//! What the prompt knows while somebody types: completion and colours.

use std::borrow::Cow;

use rustyline::completion::Completer;
use rustyline::highlight::{CmdKind, Highlighter};
use rustyline::{Context, Helper, Hinter, Validator};
use sqlparser::dialect::GenericDialect;
use sqlparser::keywords::Keyword;
use sqlparser::tokenizer::{Token, Tokenizer, Whitespace};

use super::format::Format;
use super::names::{Known, Names};
use super::{describe, meta, path};

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
#[derive(Helper, Hinter, Validator)]
pub(super) struct Typist {
    names: Names,
    colours: bool,
    /// The lines of the statement before the one that is typed.
    earlier: String,
}

impl Typist {
    pub(super) fn new(names: Names, colours: bool) -> Self {
        Self {
            names,
            colours,
            earlier: String::new(),
        }
    }

    /// The line that is typed next goes on with this.
    pub(super) fn go_on(&mut self, earlier: &str) {
        earlier.clone_into(&mut self.earlier);
    }
}

impl Completer for Typist {
    type Candidate = String;

    fn complete(&self, line: &str, position: usize, _: &Context<'_>) -> rustyline::Result<(usize, Vec<String>)> {
        let before = format!("{}{}", self.earlier, &line[..position]);
        let (start, found) = candidates(&before, &self.names.known());
        Ok((start.saturating_sub(self.earlier.len()), found))
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
    let (word, mut found) = match before.trim_start().strip_prefix(['\\', '.']) {
        Some(command) => of_command(before.trim_start(), command, known),
        None => of_statement(before, known),
    };
    let lower = word.to_lowercase();
    found.retain(|name| name.to_lowercase().starts_with(&lower));
    found.sort();
    found.dedup();
    (before.len() - word.len(), found)
}

/// The word of a command that is being written, and what it may become.
fn of_command<'a>(line: &'a str, command: &'a str, known: &Known) -> (&'a str, Vec<String>) {
    let Some((name, argument)) = command.split_once(char::is_whitespace) else {
        let sign = &line[..1];
        return (line, meta::names().map(|name| format!("{sign}{name}")).collect());
    };
    let argument = argument.trim_start();
    let owned = |words: &[&str]| words.iter().map(|word| (*word).to_owned()).collect();
    match meta::argument(name) {
        "table" => (argument, known.table_names().collect()),
        "procedure" => (argument, known.procedures.keys().cloned().collect()),
        "format" => (argument, Format::names()),
        "name" => (argument, known.profiles.clone()),
        "statement" => (argument, owned(&describe::SQL_HELP.map(|(name, _)| name))),
        "file" | "FILE" => (argument, path::candidates(argument)),
        "STRING" => {
            let option = argument.rsplit(';').next().unwrap_or_default().trim_start();
            (option, known.options.iter().map(|option| format!("{option}=")).collect())
        }
        words => (argument, owned(&words.split('|').collect::<Vec<_>>())),
    }
}

/// The word of a statement that is being written, and what it may become.
fn of_statement<'a>(before: &'a str, known: &Known) -> (&'a str, Vec<String>) {
    let start = before
        .rfind(|c: char| !(c.is_alphanumeric() || matches!(c, '_' | '.' | '"')))
        .map_or(0, |at| at + before[at..].chars().next().map_or(1, char::len_utf8));
    let (earlier, word) = before.split_at(start);
    let found = match earlier.split_whitespace().next_back().map(str::to_uppercase).as_deref() {
        None => KEYWORDS.iter().map(|word| (*word).to_owned()).collect(),
        Some("FROM" | "JOIN" | "INTO" | "UPDATE" | "TABLE" | "DESCRIBE") => {
            let tables = known
                .table_names()
                .filter(|name| word.contains('.') || !name.starts_with("public."));
            tables.chain(known.procedures.keys().cloned()).collect()
        }
        Some("CALL" | "EXECUTE" | "EXEC") => known.procedures.keys().cloned().collect(),
        Some(last) => {
            let parameters = parameters(earlier, known).filter(|_| !last.ends_with(['>', '=']));
            parameters.unwrap_or_else(|| expressions(before, word, known))
        }
    };
    (word, found)
}

/// The parameters of the procedure whose arguments are being written, as they are given values there.
fn parameters(earlier: &str, known: &Known) -> Option<Vec<String>> {
    let last_word = |text: &str| {
        text.split(|c: char| !(c.is_alphanumeric() || c == '_'))
            .next_back()
            .map(str::to_lowercase)
    };
    let mut words = earlier.split_whitespace();
    let executed = words
        .next()
        .filter(|word| ["EXECUTE", "EXEC"].iter().any(|verb| word.eq_ignore_ascii_case(verb)))
        .and_then(|_| words.next());
    let (procedure, sign) = match (open_bracket(earlier), executed) {
        (Some(at), _) => (last_word(earlier[..at].trim_end())?, "=>"),
        (None, Some(procedure)) => (procedure.to_lowercase(), "="),
        (None, None) => return None,
    };
    let names = known.procedures.get(&procedure)?;
    Some(names.iter().map(|name| format!("{name} {sign} ")).collect())
}

/// Where the innermost bracket stands that is still open; brackets in literals do not count.
fn open_bracket(text: &str) -> Option<usize> {
    let (mut open, mut quoted) = (Vec::new(), false);
    for (at, c) in text.char_indices() {
        match c {
            '\'' => quoted = !quoted,
            '(' if !quoted => open.push(at),
            ')' if !quoted => drop(open.pop()),
            _ => {}
        }
    }
    open.pop()
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
        let mut tables = words.iter().copied().filter(|word| known.columns(word).is_some());
        let columns = known.columns(tables.find(named).unwrap_or(qualifier)).into_iter().flatten();
        let columns = columns.map(|column| format!("{qualifier}.{column}"));
        return columns.chain(known.table_names().filter(|name| name.contains('.'))).collect();
    }
    let columns = words.iter().filter_map(|word| known.columns(word)).flatten();
    let mut found: Vec<String> = columns.cloned().collect();
    found.extend(KEYWORDS.iter().map(|word| (*word).to_owned()));
    if !word.is_empty() {
        found.extend(known.functions.iter().map(|function| format!("{function}(")));
        found.extend(known.table_names().filter(|name| !name.starts_with("public.")));
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
                ("temp.mine".to_owned(), columns(&["note"])),
            ]
            .into(),
            procedures: [("create_customer".to_owned(), columns(&["email", "display_name"]))].into(),
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
            ("SELECT * FROM public.req", vec!["public.request_comments", "public.requests"]),
            ("SELECT * FROM mi", vec!["mine"]),
            ("SELECT * FROM mine WHERE no", vec!["NOT", "note"]),
            ("SELECT m.n FROM temp.mine m WHERE m.no", vec!["m.note"]),
            ("\\ti", vec!["\\timer", "\\timing"]),
            (".ti", vec![".timer", ".timing"]),
            ("\\h ins", vec!["INSERT"]),
            ("\\timing ", vec!["off", "on"]),
            ("\\requests t", vec!["trace"]),
            ("\\d temp.", vec!["temp.mine"]),
            ("\\df cr", vec!["create_customer"]),
            ("\\i src/li", vec!["src/lib.rs"]),
            (".o 'src/li", vec!["'src/lib.rs'"]),
            ("\\c User=a;U", vec!["URL="]),
            ("\\mode pa", vec!["parquet"]),
            ("\\c U", vec!["URL="]),
            ("\\profile ", vec!["work"]),
            ("CALL cre", vec!["create_customer"]),
            ("CALL create_customer(em", vec!["email => "]),
            ("CALL create_customer('a(b', dis", vec!["display_name => "]),
            ("CALL create_customer(email => subs", vec!["substr("]),
            ("SELECT * FROM create_customer(\n  em", vec!["email => "]),
            ("EXECUTE create_customer em", vec!["email = "]),
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
