//! Taking a text apart: SQL, and commands of the shell on lines of their own.

use sqlparser::dialect::GenericDialect;
use sqlparser::tokenizer::{Token, Tokenizer};

/// A piece of a text.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Piece {
    /// One or more statements.
    Sql(String),
    /// A command of the shell, without the line break.
    Command(String),
}

/// The pieces of a text. The last statement needs no semicolon.
pub(super) fn pieces(text: &str) -> Vec<Piece> {
    let mut pieces = Vec::new();
    let mut sql = String::new();
    // Some editors begin a file with a mark of its encoding.
    for line in text.trim_start_matches('\u{feff}').lines() {
        if sql.trim().is_empty() && is_command(line) {
            sql.clear();
            pieces.push(Piece::Command(line.trim().to_owned()));
            continue;
        }
        sql.push_str(line);
        sql.push('\n');
        if line.contains(';') && ends(&sql) {
            pieces.push(Piece::Sql(std::mem::take(&mut sql)));
        }
    }
    if !sql.trim().is_empty() {
        pieces.push(Piece::Sql(sql));
    }
    pieces
}

/// Whether nothing more is to be typed: a command, or statements up to their semicolon.
pub(super) fn is_complete(text: &str) -> bool {
    match pieces(text).last() {
        None | Some(Piece::Command(_)) => true,
        Some(Piece::Sql(sql)) => ends(sql) || is_comment(sql),
    }
}

/// `\d`, `.tables`; a number such as `.5` is none.
fn is_command(line: &str) -> bool {
    let line = line.trim_start();
    line.starts_with('\\') || (line.starts_with('.') && line[1..].starts_with(|c: char| c.is_ascii_alphabetic()))
}

/// Whether the last word of the text is a semicolon, outside of literals and comments.
fn ends(sql: &str) -> bool {
    let Ok(tokens) = Tokenizer::new(&GenericDialect {}, sql).tokenize() else {
        // A literal or a comment that goes on.
        return false;
    };
    let last = tokens.iter().rev().find(|token| !matches!(token, Token::Whitespace(_)));
    last.is_some_and(|token| matches!(token, Token::SemiColon))
}

/// Whether a literal or a comment goes on beyond the text.
pub(super) fn is_open(text: &str) -> bool {
    let open = |piece: &Piece| matches!(piece, Piece::Sql(sql) if Tokenizer::new(&GenericDialect {}, sql).tokenize().is_err());
    pieces(text).last().is_some_and(open)
}

fn is_comment(sql: &str) -> bool {
    let tokens = Tokenizer::new(&GenericDialect {}, sql).tokenize();
    tokens.is_ok_and(|tokens| tokens.iter().all(|token| matches!(token, Token::Whitespace(_))))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn commands_stand_on_lines_of_their_own() {
        let sql = |text: &str| Piece::Sql(text.to_owned());
        let command = |text: &str| Piece::Command(text.to_owned());
        for (text, expected) in [
            ("SELECT 1", vec![sql("SELECT 1\n")]),
            (
                "\\timing on\nSELECT 1;\n.tables",
                vec![command("\\timing on"), sql("SELECT 1;\n"), command(".tables")],
            ),
            ("SELECT '\n\\d\n';", vec![sql("SELECT '\n\\d\n';\n")]),
            ("SELECT 1; SELECT 2;", vec![sql("SELECT 1; SELECT 2;\n")]),
            ("SELECT 1; -- one\n\\x", vec![sql("SELECT 1; -- one\n"), command("\\x")]),
            ("SELECT ';\n", vec![sql("SELECT ';\n")]),
            ("SELECT\n.5;", vec![sql("SELECT\n.5;\n")]),
            ("\n\n", vec![]),
            ("\u{feff}\\x\nSELECT 1;", vec![command("\\x"), sql("SELECT 1;\n")]),
        ] {
            assert_eq!(pieces(text), expected, "{text}");
        }
    }

    #[test]
    fn a_text_is_complete_at_its_semicolon() {
        for text in [
            "",
            "SELECT 1;",
            "\\d requests",
            ".help",
            "-- nothing",
            "SELECT ';';",
            "SELECT 1; -- done",
        ] {
            assert!(is_complete(text), "{text}");
        }
        for text in ["SELECT 1", "SELECT ';", "SELECT 1 /* ;", "SELECT \";", "SELECT 1 -- ;"] {
            assert!(!is_complete(text), "{text}");
        }
        for (text, open) in [
            ("SELECT 1", false),
            ("SELECT ';", true),
            ("SELECT 1 /* ;", true),
            ("SELECT 1; -- ;", false),
        ] {
            assert_eq!(is_open(text), open, "{text}");
        }
    }
}
