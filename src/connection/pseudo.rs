//! Which input columns `SELECT *` shows: the option PseudoColumns.
//!
//! An input column only filters; selected by name it is always there. It does not know which tables and columns exist, so a
//! name that fits none has no effect: tables may come from a folder that is read later.

use crate::error::{Error, ErrorKind, Result};

/// The input columns to show, as `table=column` with `*` for all.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct PseudoColumns(Vec<(String, String)>);

impl PseudoColumns {
    /// Reads `table=column,…`. Empty text shows none.
    pub(super) fn parse(text: &str) -> Result<Self> {
        if text.is_empty() {
            return Ok(Self::default());
        }
        let pairs = text.split(',').map(|pair| {
            let (table, column) = pair.split_once('=')?;
            let (table, column) = (table.trim(), column.trim());
            let plain = !table.is_empty() && !column.is_empty() && !column.contains('=');
            plain.then(|| (table.to_owned(), column.to_owned()))
        });
        pairs.collect::<Option<_>>().map(Self).ok_or_else(|| {
            Error::new(ErrorKind::Option, "PseudoColumns is not a list of table=column")
                .hint("write PseudoColumns=table=column,table=*; or PseudoColumns=*=* for all")
        })
    }

    /// Whether `SELECT *` shows this input column. Case does not matter.
    pub fn shows(&self, table: &str, column: &str) -> bool {
        let fits = |pattern: &str, name: &str| pattern == "*" || pattern.eq_ignore_ascii_case(name);
        self.0
            .iter()
            .any(|(tables, columns)| fits(tables, table) && fits(columns, column))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn shows_what_is_named() {
        for (text, table, column, expected) in [
            ("", "requests", "search", false),
            ("*=*", "requests", "search", true),
            ("requests=search", "Requests", "SEARCH", true),
            ("requests=search", "requests", "query", false),
            (" requests = search , customers=*", "customers", "query", true),
            ("*=query", "organizations", "query", true),
            ("*=query", "organizations", "search", false),
        ] {
            assert_eq!(
                PseudoColumns::parse(text).unwrap().shows(table, column),
                expected,
                "{text}: {table}.{column}"
            );
        }
    }

    #[test]
    fn refuses_what_is_no_list() {
        for text in ["*", "a", "a=b=c", "a=", "=b", "a=b,", ","] {
            let error = PseudoColumns::parse(text).unwrap_err();
            assert!(
                error.message().contains("PseudoColumns is not a list of table=column"),
                "{text}"
            );
        }
    }
}
