//! Which rows of a list were already seen, in little memory.
//!
//! Keys such as `ITSM-42` or `10042` are kept as numbers in a compressed bitmap per prefix (a million of them in some 130 kB);
//! anything else by a 128-bit hash.

use std::collections::{HashMap, HashSet};
use std::hash::{BuildHasher, RandomState};

use roaring::RoaringTreemap;

/// A set of row identities.
#[derive(Debug, Default)]
pub(super) struct Seen {
    numbered: HashMap<Box<str>, RoaringTreemap>,
    other: HashSet<u128>,
    hashers: (RandomState, RandomState),
}

impl Seen {
    /// Adds an identity; false if it was there.
    pub(super) fn insert(&mut self, identity: &str) -> bool {
        match split_number(identity) {
            Some((prefix, number)) => match self.numbered.get_mut(prefix) {
                Some(numbers) => numbers.insert(number),
                None => self.numbered.entry(prefix.into()).or_default().insert(number),
            },
            None => self.other.insert(self.hash(identity)),
        }
    }

    /// Forgets them; the numbers that stand for identities stay the same.
    pub(super) fn clear(&mut self) {
        self.numbered.clear();
        self.other.clear();
    }

    /// How many identities were added.
    pub(super) fn len(&self) -> usize {
        let numbered: u64 = self.numbered.values().map(RoaringTreemap::len).sum();
        self.other.len() + usize::try_from(numbered).unwrap_or(usize::MAX)
    }

    /// Whether the identity was added.
    pub(super) fn contains(&self, identity: &str) -> bool {
        match split_number(identity) {
            Some((prefix, number)) => self.numbered.get(prefix).is_some_and(|numbers| numbers.contains(number)),
            None => self.other.contains(&self.hash(identity)),
        }
    }

    /// A number that stands for an identity, in place of its text.
    pub(super) fn number(&self, identity: &str) -> u64 {
        self.hashers.0.hash_one(identity)
    }

    fn hash(&self, identity: &str) -> u128 {
        u128::from(self.hashers.0.hash_one(identity)) << 64 | u128::from(self.hashers.1.hash_one(identity))
    }
}

/// The text before the trailing digits and their number; `None` where the digits are no canonical number.
fn split_number(identity: &str) -> Option<(&str, u64)> {
    let prefix = identity.trim_end_matches(|c: char| c.is_ascii_digit());
    let digits = &identity[prefix.len()..];
    if digits.starts_with('0') {
        return None;
    }
    digits.parse().ok().map(|number| (prefix, number))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn identities_are_kept_apart() {
        let mut seen = Seen::default();
        let identities = [
            "ITSM-1",
            "ITSM-2",
            "HR-1",
            "1",
            "01",
            "",
            "0",
            "a",
            "ITSM-",
            "ITSM-01",
            "99999999999999999999999",
        ];
        for identity in identities {
            assert!(seen.insert(identity), "{identity} was taken for another");
        }
        for identity in identities {
            assert!(!seen.insert(identity));
            assert!(seen.contains(identity));
        }
        assert!(!seen.contains("ITSM-3"));
    }
}
