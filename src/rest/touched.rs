//! Issues that the session has written to lately: a search is told of them, because its index may not know yet what was written.
//!
//! A search takes ids alone, and most writes know a key: so the id of a key is asked for once, by the first search that needs it.

use std::collections::VecDeque;
use std::time::Duration;

use tokio::time::Instant;

/// Issues that a search can be told of.
pub(super) const MOST: usize = 50;
/// How long the index may take.
const LONG: Duration = Duration::from_secs(300);

/// Issues, the latest last.
#[derive(Debug, Default)]
pub(super) struct Touched {
    latest: VecDeque<Touch>,
    /// When the last of those that had to make room was written to.
    crowded_out: Option<Instant>,
}

#[derive(Debug)]
struct Touch {
    key: String,
    id: Option<i64>,
    at: Instant,
}

impl Touched {
    /// The issue was written to.
    pub(super) fn note(&mut self, key: &str, now: Instant) {
        let known = self.latest.iter().position(|touch| touch.key == key);
        let id = known.and_then(|position| self.latest.remove(position)?.id);
        if self.latest.len() == MOST {
            self.crowded_out = self.latest.pop_front().map(|touch| touch.at);
        }
        self.latest.push_back(Touch {
            key: key.to_owned(),
            id,
            at: now,
        });
    }

    /// The issue is no more.
    pub(super) fn forget(&mut self, key: &str) {
        self.latest.retain(|touch| touch.key != key);
    }

    /// Keys whose ids must be found before a search can be told.
    pub(super) fn unknown(&mut self, now: Instant) -> Vec<String> {
        self.latest.retain(|touch| touch.at + LONG > now);
        let unknown = self.latest.iter().filter(|touch| touch.id.is_none());
        unknown.map(|touch| touch.key.clone()).collect()
    }

    /// What was found about these keys. One without an id is an issue that is no more.
    pub(super) fn learn(&mut self, keys: &[String], ids: &[(String, i64)]) {
        for touch in self.latest.iter_mut().filter(|touch| keys.contains(&touch.key)) {
            touch.id = ids.iter().find(|(key, _)| *key == touch.key).map(|(_, id)| *id);
        }
        self.latest.retain(|touch| touch.id.is_some() || !keys.contains(&touch.key));
    }

    /// Whether issues were written to of which a search can be told no more, and which the index may not know yet.
    pub(super) fn is_crowded(&self, now: Instant) -> bool {
        self.crowded_out.is_some_and(|at| at + LONG > now)
    }

    /// What a search is told.
    pub(super) fn ids(&self) -> Vec<i64> {
        self.latest.iter().filter_map(|touch| touch.id).collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_search_is_told_of_the_latest() {
        let (mut touched, now) = (Touched::default(), Instant::now());
        for number in 0..60 {
            touched.note(&format!("A-{number}"), now);
        }
        touched.note("A-12", now);
        let keys = touched.unknown(now);
        assert_eq!((keys.len(), keys[0].as_str(), keys[49].as_str()), (50, "A-10", "A-12"));
        let ids: Vec<_> = keys.iter().skip(1).cloned().zip(0..).collect();
        touched.learn(&keys, &ids);
        assert!(touched.is_crowded(now) && !touched.is_crowded(now + LONG));
        assert_eq!(touched.unknown(now), Vec::<String>::new());
        assert_eq!(touched.ids(), (0..49).collect::<Vec<i64>>(), "A-10 is no more");
        touched.note("A-11", now + LONG / 2);
        assert_eq!(touched.unknown(now + LONG), Vec::<String>::new());
        assert_eq!(touched.ids(), [0], "the others have had their time");
        touched.forget("A-11");
        assert_eq!(touched.ids(), Vec::<i64>::new());
    }
}
