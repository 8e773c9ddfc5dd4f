//! How rows are written, and which file names ask for it.

use std::path::Path;

use clap::ValueEnum;

use crate::error::{Error, ErrorKind, Result};

/// How a file may be named to say its format.
pub(super) const NAME_IT: &str = "name it so: .csv, .tsv, .json, .ndjson, .md, .parquet or .arrow";

/// A file whose name says no format.
pub(super) fn no_format_named(path: &Path) -> Error {
    Error::new(
        ErrorKind::Statement,
        format!("the name {} does not say the format", path.display()),
    )
}

/// How rows are written.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub(super) enum Format {
    /// For people.
    Table,
    /// For people: one line per value.
    Vertical,
    /// Comma-separated, with a header.
    Csv,
    /// Tab-separated, with a header.
    Tsv,
    /// One array of objects per statement.
    Json,
    /// One object per line.
    Ndjson,
    /// A Markdown table.
    Markdown,
    /// A Parquet file (zstd).
    Parquet,
    /// An Arrow IPC file.
    Arrow,
}

impl Format {
    /// The format of this name, `jsonl` and `line` included.
    pub(super) fn named(name: &str) -> Option<Self> {
        match name.to_ascii_lowercase().as_str() {
            "jsonl" | "nd-json" => Some(Self::Ndjson),
            "line" => Some(Self::Vertical),
            "md" => Some(Self::Markdown),
            name => Self::from_str(name, true).ok(),
        }
    }

    /// Its name.
    pub(super) fn name(self) -> String {
        self.to_possible_value()
            .map(|value| value.get_name().to_owned())
            .unwrap_or_default()
    }

    /// The names of all formats.
    pub(super) fn names() -> Vec<String> {
        Self::value_variants().iter().map(|format| format.name()).collect()
    }

    /// The format that a file name asks for.
    pub(super) fn of(path: &Path) -> Option<Self> {
        match path.extension()?.to_str()?.to_ascii_lowercase().as_str() {
            "csv" => Some(Self::Csv),
            "tsv" => Some(Self::Tsv),
            "json" => Some(Self::Json),
            "ndjson" | "jsonl" => Some(Self::Ndjson),
            "md" => Some(Self::Markdown),
            "parquet" => Some(Self::Parquet),
            "arrow" | "feather" | "ipc" => Some(Self::Arrow),
            _ => None,
        }
    }

    /// The format of a file: `chosen`, or what its name says.
    ///
    /// # Errors
    /// The two contradict each other, or neither says it.
    pub(super) fn of_file(chosen: Option<Self>, path: &Path) -> Result<Self> {
        match (chosen, Self::of(path)) {
            (Some(chosen), Some(named)) if chosen != named => Err(Error::new(
                ErrorKind::Option,
                format!(
                    "{} is {} by its name, and {} was asked for",
                    path.display(),
                    named.name(),
                    chosen.name()
                ),
            )
            .hint("leave the format out, or change the name of the file")),
            (Some(format), _) | (None, Some(format)) => Ok(format),
            (None, None) => Err(no_format_named(path).hint(format!("{NAME_IT}; or choose one, by --format or \\mode"))),
        }
    }

    /// Whether the rows are bytes that no terminal shows, and a file of which holds the rows of one statement.
    pub(super) fn is_binary(self) -> bool {
        matches!(self, Self::Parquet | Self::Arrow)
    }

    /// Whether people read it: it is shown by pages on a terminal.
    pub(super) fn is_for_people(self) -> bool {
        matches!(self, Self::Table | Self::Vertical | Self::Markdown)
    }
}

#[cfg(test)]
#[allow(clippy::unwrap_used, reason = "a test may fail")]
mod tests {
    use super::*;

    #[test]
    fn a_file_has_the_format_that_was_chosen_or_that_of_its_name() {
        let of = |chosen, path: &str| Format::of_file(chosen, Path::new(path)).map_err(|error| error.to_string());
        assert_eq!(of(None, "a.parquet"), Ok(Format::Parquet));
        assert_eq!(of(Some(Format::Parquet), "a.parquet"), Ok(Format::Parquet));
        assert_eq!(of(Some(Format::Csv), "a.txt"), Ok(Format::Csv));
        assert_eq!(
            of(Some(Format::Csv), "a.parquet"),
            Err("a.parquet is parquet by its name, and csv was asked for".into())
        );
        assert_eq!(of(None, "a.txt"), Err("the name a.txt does not say the format".into()));
    }
}
