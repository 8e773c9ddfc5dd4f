//! The memory of a session, as far as the engine does not count it: answers in flight, rows that are to be written, results that wait.

use std::sync::Arc;

use datafusion::execution::memory_pool::{MemoryConsumer, MemoryPool, MemoryReservation};

use crate::error::{Error, ErrorKind, Result};
use crate::http::Memory;

/// A part of the engine's own pool, so that one limit holds for all.
#[derive(Debug)]
pub(super) struct Pooled(MemoryReservation);

impl Pooled {
    pub(super) fn new(pool: &Arc<dyn MemoryPool>) -> Arc<Self> {
        Arc::new(Self(MemoryConsumer::new("answers and rows").register(pool)))
    }
}

impl Memory for Pooled {
    fn grow(&self, bytes: usize) -> Result<()> {
        // The engine's own error would be told in place of this one, which says what to do.
        self.0.try_grow(bytes).map_err(|_| {
            let message = format!(
                "the session has no memory left for {bytes} bytes of answers and rows; it holds {} of them",
                self.0.size()
            );
            Error::new(ErrorKind::Limit, message).hint(
                "ask for fewer rows or columns at a time (LIMIT, WHERE), let fewer statements run side by side, \
                 drop tables of temp, or raise --max-memory of the server",
            )
        })
    }

    fn shrink(&self, bytes: usize) {
        self.0.shrink(bytes);
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::http::Held;
    use datafusion::execution::memory_pool::GreedyMemoryPool;

    #[test]
    fn the_limit_of_the_engine_holds_for_answers_and_rows() {
        let pool: Arc<dyn MemoryPool> = Arc::new(GreedyMemoryPool::new(1_000));
        let memory = Pooled::new(&pool);
        let mut held = Held::new(Some(memory));
        held.grow(900).unwrap();
        let error = held.grow(101).unwrap_err();
        assert_eq!(error.kind(), ErrorKind::Limit);
        assert!(error.hint_text().unwrap().contains("--max-memory"), "{error}");
        let sort = MemoryConsumer::new("sort").register(&pool);
        assert!(sort.try_grow(200).is_err(), "the engine has what is left");
        drop(held);
        sort.try_grow(200).unwrap();
    }
}
