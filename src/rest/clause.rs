//! A predicate as typed parts: what SQL asks of the columns of a table, before it is written in the language of the site.
//!
//! It knows columns by their index and nothing of SQL expressions. NULL never satisfies a part, as in SQL.

use std::collections::BTreeSet;

use super::cell::Cell;

/// A condition on a row.
#[derive(Debug, Clone, PartialEq)]
pub(crate) enum Clause {
    All(Vec<Clause>),
    Any(Vec<Clause>),
    /// The column, or a value of the list that it holds, is one of these, or is none of them.
    Values {
        column: usize,
        values: Vec<String>,
        negated: bool,
    },
    Test(usize, Test),
}

/// A condition on one value.
#[derive(Debug, Clone, PartialEq)]
pub(crate) enum Test {
    /// NULL, or anything but.
    Null(bool),
    Compare(Comparison, Amount),
    /// A value that is none of these.
    Without(BTreeSet<String>),
    /// A list with one of these.
    Has(BTreeSet<String>),
}

/// How a value compares.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Comparison {
    Less,
    AtMost,
    Greater,
    AtLeast,
    Equal,
    Unequal,
}

/// What a value is compared with.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(crate) enum Amount {
    /// A whole number; milliseconds or days since 1970 where the column is a timestamp or a date.
    Whole(i64),
    Float(f64),
}

impl Test {
    /// Whether the value of a cell passes.
    pub(super) fn passes(&self, cell: &Cell) -> bool {
        match self {
            Self::Null(wanted) => cell.is_null() == *wanted,
            Self::Without(values) => cell.canonical().is_some_and(|value| !values.contains(value.as_ref())),
            Self::Has(values) => cell.items().iter().flatten().any(|item| values.contains(item)),
            Self::Compare(comparison, amount) => {
                let ordering = match (cell.whole(), cell.float(), amount) {
                    (Some(own), _, Amount::Whole(other)) => Some(own.cmp(other)),
                    (_, Some(own), Amount::Float(other)) => own.partial_cmp(other),
                    _ => None,
                };
                ordering.is_some_and(|ordering| match comparison {
                    Comparison::Less => ordering.is_lt(),
                    Comparison::AtMost => ordering.is_le(),
                    Comparison::Greater => ordering.is_gt(),
                    Comparison::AtLeast => ordering.is_ge(),
                    Comparison::Equal => ordering.is_eq(),
                    Comparison::Unequal => ordering.is_ne(),
                })
            }
        }
    }
}
