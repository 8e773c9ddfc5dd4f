//! The memory that statements take for answers and rows. Who grants it is a matter of upper floors.

use crate::error::Result;
use std::fmt::Debug;
use std::sync::Arc;

/// Grants memory.
pub(crate) trait Memory: Debug + Send + Sync {
    /// Takes so many bytes.
    ///
    /// # Errors
    /// There are not so many left. The hint says what to do.
    fn grow(&self, bytes: usize) -> Result<()>;

    /// Gives so many bytes back.
    fn shrink(&self, bytes: usize);
}

/// Memory that something takes as long as it lives.
#[derive(Debug)]
pub(crate) struct Held {
    memory: Option<Arc<dyn Memory>>,
    bytes: usize,
}

impl Held {
    /// Nothing yet; without `memory` nothing is counted.
    pub(crate) fn new(memory: Option<Arc<dyn Memory>>) -> Self {
        Self { memory, bytes: 0 }
    }

    /// Takes so many bytes more.
    ///
    /// # Errors
    /// There are not so many left.
    pub(crate) fn grow(&mut self, bytes: usize) -> Result<()> {
        if let Some(memory) = &self.memory {
            memory.grow(bytes)?;
            self.bytes += bytes;
        }
        Ok(())
    }

    /// Takes as many bytes as are lacking to so many.
    ///
    /// # Errors
    /// There are not so many left.
    pub(crate) fn reach(&mut self, bytes: usize) -> Result<()> {
        match bytes.saturating_sub(self.bytes) {
            0 => Ok(()),
            more => self.grow(more),
        }
    }
}

impl Drop for Held {
    fn drop(&mut self) {
        if let Some(memory) = &self.memory {
            memory.shrink(self.bytes);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::error::{Error, ErrorKind};
    use std::sync::atomic::{AtomicUsize, Ordering::Relaxed};

    /// So many bytes and no more.
    #[derive(Debug)]
    struct Bytes {
        most: usize,
        taken: AtomicUsize,
    }

    impl Bytes {
        fn most(most: usize) -> Arc<Self> {
            let taken = AtomicUsize::new(0);
            Arc::new(Self { most, taken })
        }
    }

    impl Memory for Bytes {
        fn grow(&self, bytes: usize) -> Result<()> {
            let more = |taken: usize| (taken + bytes <= self.most).then_some(taken + bytes);
            let taken = self.taken.fetch_update(Relaxed, Relaxed, more);
            taken
                .map(|_| ())
                .map_err(|_| Error::new(ErrorKind::Limit, "no memory is left"))
        }

        fn shrink(&self, bytes: usize) {
            self.taken.fetch_sub(bytes, Relaxed);
        }
    }

    #[test]
    fn what_is_held_comes_back() {
        let memory = Bytes::most(100);
        let mut one = Held::new(Some(memory.clone()));
        let mut other = Held::new(Some(memory.clone()));
        one.grow(40).unwrap();
        one.reach(60).unwrap();
        one.reach(10).unwrap();
        assert_eq!(memory.taken.load(Relaxed), 60);
        assert!(other.grow(41).is_err());
        drop(one);
        other.grow(41).unwrap();
        drop(other);
        assert_eq!(memory.taken.load(Relaxed), 0);
        Held::new(None).grow(usize::MAX).unwrap();
    }
}
