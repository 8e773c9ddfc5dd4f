//! The newest statements of a session, for what is worth knowing about their rows (`sys.warnings`).

use std::collections::VecDeque;
use std::sync::{Arc, Mutex, PoisonError};

use super::Statement;

/// Statements kept: more than anybody scrolls.
const CAPACITY: usize = 1_000;

/// A ring buffer of statements.
#[derive(Debug, Default)]
pub(crate) struct Recent(Mutex<VecDeque<Arc<Statement>>>);

impl Recent {
    /// Keeps a statement that has begun.
    pub(crate) fn push(&self, statement: Arc<Statement>) {
        let mut statements = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        if statements.len() == CAPACITY {
            statements.pop_front();
        }
        statements.push_back(statement);
    }

    /// The warnings of each statement so far, with its number, oldest first.
    pub(crate) fn warnings(&self) -> Vec<(u64, String)> {
        let statements = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let of = |statement: &Arc<Statement>| {
            let number = statement.number();
            statement.warnings().into_iter().map(move |warning| (number, warning))
        };
        statements.iter().flat_map(of).collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_oldest_statement_makes_room() {
        let recent = Recent::default();
        for number in 1..=CAPACITY as u64 + 1 {
            let statement = Statement::new(number, None);
            statement.warn("{} values", 2);
            recent.push(statement);
        }
        let warnings = recent.warnings();
        assert_eq!((warnings.len(), &warnings[0]), (CAPACITY, &(2, "2 values".to_owned())));
    }
}
