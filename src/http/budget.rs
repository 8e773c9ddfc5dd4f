//! The retry budget of a client: in an outage every request fails, and retrying them all would multiply the load.
//!
//! The figures are those of the AWS SDKs' standard mode: 500 tokens, a retry takes some, a success gives them back.

use std::sync::atomic::{AtomicU32, Ordering};

/// Tokens of a fresh client.
pub(super) const CAPACITY: u32 = 500;
/// Given back by a request that succeeded without a retry.
const TRICKLE: u32 = 1;

/// A bounded count of tokens, shared by all calls of a client.
#[derive(Debug)]
pub(super) struct Budget(AtomicU32);

impl Budget {
    /// A full budget.
    pub(super) fn full() -> Self {
        Self(AtomicU32::new(CAPACITY))
    }

    /// Tokens left. Another call may take some before this one does: the budget is a brake, not an account.
    pub(super) fn tokens(&self) -> u32 {
        self.0.load(Ordering::Relaxed)
    }

    /// Takes `cost`, or what is left.
    pub(super) fn take(&self, cost: u32) {
        self.update(|tokens| tokens.saturating_sub(cost));
    }

    /// Gives back what the retries of a successful request took.
    pub(super) fn refund(&self, spent: u32) {
        self.update(|tokens| (tokens + spent.max(TRICKLE)).min(CAPACITY));
    }

    fn update(&self, change: impl Fn(u32) -> u32) {
        let mut tokens = self.tokens();
        while let Err(current) = self
            .0
            .compare_exchange_weak(tokens, change(tokens), Ordering::Relaxed, Ordering::Relaxed)
        {
            tokens = current;
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn never_below_zero_nor_above_capacity() {
        let budget = Budget::full();
        budget.refund(14);
        assert_eq!(budget.tokens(), CAPACITY);
        budget.take(490);
        budget.take(14);
        assert_eq!(budget.tokens(), 0);
        budget.refund(0);
        budget.refund(14);
        assert_eq!(budget.tokens(), 15);
    }
}
