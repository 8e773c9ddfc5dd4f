//! Chance without randomness: every "random" fact of the demo site is a pure function of (seed, what is asked, index).
//!
//! Nothing is stored and nothing depends on the order of calls, so a site of a million requests needs no memory for
//! what nobody reads, and two runs agree byte for byte.

/// The source of all facts of one site.
#[derive(Debug, Clone, Copy)]
pub(super) struct Chance {
    seed: u64,
}

impl Chance {
    pub(super) fn new(seed: u64) -> Chance {
        Chance { seed }
    }

    /// 64 bits for the `index`-th thing called `what`.
    pub(super) fn bits(self, what: &str, index: u64) -> u64 {
        // FNV-1a names the stream, two rounds of splitmix64 spread it: neighbours in `index` share nothing.
        let stream = what.bytes().fold(0xcbf2_9ce4_8422_2325_u64, |hash, byte| {
            (hash ^ u64::from(byte)).wrapping_mul(0x0100_0000_01b3)
        });
        splitmix(splitmix(self.seed ^ stream).wrapping_add(index))
    }

    /// A number below `end`; 0 when `end` is 0.
    pub(super) fn below(self, what: &str, index: u64, end: usize) -> usize {
        // The high half times `end`, shifted back: no modulo bias worth naming and no division.
        (((self.bits(what, index) >> 32) * end as u64) >> 32) as usize
    }

    /// True for `percent` of all indices.
    pub(super) fn happens(self, what: &str, index: u64, percent: usize) -> bool {
        self.below(what, index, 100) < percent
    }
}

fn splitmix(state: u64) -> u64 {
    let z = state.wrapping_add(0x9e37_79b9_7f4a_7c15);
    let z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
    let z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
    z ^ (z >> 31)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn same_question_same_answer() {
        let chance = Chance::new(7);
        assert_eq!(chance.bits("status", 5), Chance::new(7).bits("status", 5));
        assert_ne!(chance.bits("status", 5), chance.bits("status", 6));
        assert_ne!(chance.bits("status", 5), chance.bits("desk", 5));
        assert_ne!(chance.bits("status", 5), Chance::new(8).bits("status", 5));
    }

    #[test]
    fn percentages_are_met() {
        let chance = Chance::new(7);
        let hits = (0..10_000).filter(|&index| chance.happens("gift", index, 30)).count();
        assert!((2_800..3_200).contains(&hits), "{hits}");
        assert!((0..1_000).all(|index| chance.below("small", index, 3) < 3));
    }
}
