//! A small random source, so that clients which failed together do not come back together. Not for secrets.

use std::sync::atomic::{AtomicU64, Ordering};
use std::time::{SystemTime, UNIX_EPOCH};

/// Random numbers by Marsaglia's xorshift64*.
#[derive(Debug)]
pub(super) struct Jitter(AtomicU64);

impl Jitter {
    /// A source whose numbers follow from `seed`.
    pub(super) fn seeded(seed: u64) -> Self {
        // Zero is xorshift's one fixed point.
        Self(AtomicU64::new(seed.max(1)))
    }

    /// A source seeded by the clock: two processes started by one cron job differ in their nanoseconds.
    pub(super) fn from_clock() -> Self {
        let since_epoch = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
        Self::seeded(since_epoch.as_nanos() as u64)
    }

    /// The next number, in `0.0..1.0`.
    pub(super) fn roll(&self) -> f64 {
        let mut x = self.0.load(Ordering::Relaxed);
        x ^= x >> 12;
        x ^= x << 25;
        x ^= x >> 27;
        // Two threads may draw the same number; nothing depends on their difference.
        self.0.store(x, Ordering::Relaxed);
        (x.wrapping_mul(0x2545_F491_4F6C_DD1D) >> 11) as f64 / (1u64 << 53) as f64
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn rolls_cover_the_unit_interval() {
        let jitter = Jitter::seeded(0);
        let rolls: Vec<f64> = (0..1000).map(|_| jitter.roll()).collect();
        assert!(rolls.iter().all(|roll| (0.0..1.0).contains(roll)));
        let mean = rolls.iter().sum::<f64>() / 1000.0;
        assert!((0.45..0.55).contains(&mean), "mean {mean}");
    }
}
