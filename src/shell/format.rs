//! How rows are written, and which file names ask for it.

use std::path::Path;

use clap::ValueEnum;

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

    /// The names of all formats.
    pub(super) fn names() -> Vec<String> {
        let names = Self::value_variants().iter().filter_map(ValueEnum::to_possible_value);
        names.map(|value| value.get_name().to_owned()).collect()
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

    /// Whether the rows are bytes that no terminal shows, and a file of which holds the rows of one statement.
    pub(super) fn is_binary(self) -> bool {
        matches!(self, Self::Parquet | Self::Arrow)
    }

    /// Whether people read it: it is shown by pages on a terminal.
    pub(super) fn is_for_people(self) -> bool {
        matches!(self, Self::Table | Self::Vertical | Self::Markdown)
    }
}
