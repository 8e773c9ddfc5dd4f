//! The options in words: `docs/options.md` and the list in `--help`. Pure text from the registry; it reads no values.

#[cfg(any(feature = "shell", test))]
use std::fmt::Write as _;

#[cfg(any(feature = "shell", test))]
use super::option::Status;
use super::option::{OptionKind, OptionRow};
#[cfg(any(feature = "shell", test))]
use super::registry::OPTIONS;

#[cfg(test)]
const HEAD: &str = "# Options

Generated from the option registry (`src/connection/registry.rs`); do not edit.

A connection string is a list of options, `Name=value;Name=value`. Case, spaces, `_` and `-` in names do not matter: `Auth Scheme`
is `AuthScheme`. A value that contains `;`, or blanks at an end, is quoted with `'` or `\"`; the mark is doubled to stand for itself.

Every option can also be set by an environment variable: `JSMQL_` and the name in capitals, such as `JSMQL_APITOKEN`. The connection
string wins over the environment. `JSMQL_CONNECTION` holds a whole connection string, used where none is given. A name that is
no option is an error in both places.

An option that is *still to come* or *refused* is an error as soon as it has another value than its default.
";

/// The text of `docs/options.md`: a table per category.
#[cfg(test)]
pub(crate) fn options_markdown() -> String {
    let mut text = HEAD.to_owned();
    for rows in OPTIONS.chunk_by(|a, b| a.category == b.category) {
        let title = rows[0].category.title();
        text += &format!("\n## {title}\n\n| option | type | default | description | status |\n| --- | --- | --- | --- | --- |\n");
        for row in rows {
            let _ = writeln!(
                text,
                "| `{}` | {} | {} | {} | {} |",
                row.name,
                kind(row),
                if row.default.is_empty() {
                    String::new()
                } else {
                    format!("`{}`", row.default)
                },
                description(row).replace('|', "\\|"),
                status(row),
            );
        }
    }
    text
}

#[cfg(any(feature = "shell", test))]
/// The options that work, for `--help`: name, type and default, then what it does, wrapped at 80 characters.
pub(crate) fn options_help() -> String {
    let mut text = String::new();
    for row in OPTIONS.iter().filter(|row| row.status == Status::Works) {
        let _ = write!(text, "  {}=<{}>", row.name, kind(row));
        if !row.default.is_empty() {
            let _ = write!(text, " [default: {}]", row.default);
        }
        text.push('\n');
        wrap(&mut text, &description(row).replace('`', ""));
    }
    text
}

pub(crate) fn kind(row: &OptionRow) -> String {
    match row.kind {
        _ if row.secret => "secret".into(),
        OptionKind::Text | OptionKind::Lines => "text".into(),
        OptionKind::Boolean => "true, false".into(),
        OptionKind::Url => "URL".into(),
        OptionKind::Path => "path".into(),
        OptionKind::Integer { min, max: i64::MAX } => format!("integer, {min} or more"),
        OptionKind::Integer { min, max } => format!("integer, {min} to {max}"),
        OptionKind::Choice(words) => words.join(", "),
    }
}

#[cfg(any(feature = "shell", test))]
fn description(row: &OptionRow) -> String {
    match row.aliases {
        [] => row.doc.to_owned(),
        aliases => format!("{} Also: `{}`.", row.doc, aliases.join("`, `")),
    }
}

#[cfg(test)]
fn status(row: &OptionRow) -> String {
    match row.status {
        Status::Works => "works".into(),
        Status::Later(what) => format!("still to come: {what}"),
        Status::Refused(reason) => format!("refused: {reason}"),
    }
}

#[cfg(any(feature = "shell", test))]
/// Appends `words` in lines of at most 80 characters, indented by six.
fn wrap(text: &mut String, words: &str) {
    let mut width = 0;
    for word in words.split_whitespace() {
        if width > 0 && width + 1 + word.chars().count() <= 80 {
            text.push(' ');
            width += 1;
        } else {
            text.push_str(if width > 0 { "\n      " } else { "      " });
            width = 6;
        }
        text.push_str(word);
        width += word.chars().count();
    }
    text.push('\n');
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_option_has_a_row_of_five_cells() {
        let text = options_markdown();
        for row in OPTIONS {
            let line = text
                .lines()
                .find(|line| line.starts_with(&format!("| `{}` |", row.name)))
                .expect(row.name);
            assert_eq!(line.replace("\\|", "").matches('|').count(), 6, "{line}");
            assert!(row.doc.ends_with('.'), "{}", row.name);
        }
        assert!(text.contains("| `Timeout` | integer, 0 to 86400 | `60` | Seconds one request may take"));
        assert!(text.contains("| `Password` | secret |  |"));
    }

    #[test]
    fn help_lists_what_works() {
        let text = options_help();
        assert!(text.contains("  MaxRows=<integer, -1 or more> [default: -1]\n      Most rows a statement returns. -1: all.\n"));
        assert!(!text.contains("RTK"));
        for line in text.lines().filter(|line| line.starts_with("      ")) {
            assert!(line.chars().count() <= 80, "{line}");
        }
    }
}
