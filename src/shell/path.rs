//! A file that a command names: quotes around it and `~` before it are no part of the name.

use std::path::PathBuf;

/// The file that is meant.
pub(super) fn path(argument: &str) -> PathBuf {
    let quoted = ['\'', '"']
        .into_iter()
        .find_map(|quote| argument.strip_prefix(quote)?.strip_suffix(quote));
    at_home(quoted.unwrap_or(argument))
}

/// `~` is the home of the user, where there is one.
fn at_home(text: &str) -> PathBuf {
    let below = match text.strip_prefix('~') {
        Some("") => Some(""),
        Some(rest) => rest.strip_prefix('/'),
        None => None,
    };
    match (below, std::env::var_os("HOME")) {
        (Some(below), Some(home)) => PathBuf::from(home).join(below),
        _ => PathBuf::from(text),
    }
}

/// What a name that is half written may become.
pub(super) fn candidates(argument: &str) -> Vec<String> {
    let quote = argument.chars().next().filter(|c| matches!(c, '\'' | '"'));
    let name = &argument[quote.map_or(0, char::len_utf8)..];
    let (folder, begun) = name.split_at(name.rfind('/').map_or(0, |at| at + 1));
    let place = if folder.is_empty() {
        PathBuf::from(".")
    } else {
        at_home(folder)
    };
    let Ok(entries) = std::fs::read_dir(place) else {
        return Vec::new();
    };
    let candidate = |entry: std::fs::DirEntry| {
        let name = entry.file_name().into_string().ok()?;
        if !name.starts_with(begun) || (name.starts_with('.') && begun.is_empty()) {
            return None;
        }
        let is_folder = entry.path().is_dir();
        let mut text: String = quote.into_iter().collect();
        text.push_str(folder);
        text.push_str(&name);
        text.extend(if is_folder { Some('/') } else { quote });
        Some(text)
    };
    entries.filter_map(Result::ok).filter_map(candidate).collect()
}

#[cfg(test)]
#[allow(clippy::unwrap_used, reason = "a test may fail")]
mod tests {
    use super::*;

    #[test]
    fn quotes_and_the_home_are_understood() {
        let home = PathBuf::from(std::env::var_os("HOME").unwrap_or_default());
        for (argument, expected) in [
            ("a b.sql", PathBuf::from("a b.sql")),
            ("'a b.sql'", PathBuf::from("a b.sql")),
            ("\"it's.sql\"", PathBuf::from("it's.sql")),
            ("'open", PathBuf::from("'open")),
            ("~/a.sql", home.join("a.sql")),
            ("'~/a b.sql'", home.join("a b.sql")),
            ("~other/a.sql", PathBuf::from("~other/a.sql")),
        ] {
            assert_eq!(path(argument), expected, "{argument}");
        }
    }

    #[test]
    fn names_are_offered_as_they_are_begun() {
        let folder = tempfile::tempdir().unwrap();
        std::fs::write(folder.path().join("report one.sql"), "").unwrap();
        std::fs::create_dir(folder.path().join("reports")).unwrap();
        std::fs::write(folder.path().join(".hidden"), "").unwrap();
        let at = |begun: &str| format!("{}/{begun}", folder.path().display());
        let sorted = |argument: &str| {
            let mut found = candidates(argument);
            found.sort();
            found
        };
        assert_eq!(sorted(&at("rep")), [at("report one.sql"), at("reports/")]);
        assert_eq!(sorted(&at("")).len(), 2);
        assert_eq!(sorted(&at(".h")), [at(".hidden")]);
        let quoted = format!("'{}", at("report "));
        assert_eq!(sorted(&quoted), [format!("'{}'", at("report one.sql"))]);
        assert!(candidates("/no/such/folder/x").is_empty());
    }
}
