//! How fast one issue may be written to: Jira takes 20 writes in two seconds and 100 in thirty, and refuses what comes sooner.
//!
//! Staying below the limit costs less than being refused: a refusal is a request, and it makes the site wait longer. Reckoning is pure; the
//! waiting is at the end.

use std::collections::{HashMap, VecDeque};
use std::time::Duration;

use tokio::time::{Instant, sleep_until};

use super::encode::Given;
use super::read::Scope;
use super::value::Value;
use crate::schema::{Column, Format, Operation};

/// Writes, and the time in which no more than that may be sent.
const LIMITS: [(usize, Duration); 2] = [(20, Duration::from_secs(2)), (100, Duration::from_secs(30))];
/// Issues that are remembered; the limits outlast a burst of writes to more than these only by a refusal.
const REMEMBERED: usize = 10_000;

/// When the last writes to each issue were sent.
#[derive(Debug, Default)]
pub(super) struct Paces(HashMap<String, VecDeque<Instant>>);

impl Paces {
    /// Takes the next place among the writes to `issue`: when it may be sent.
    pub(super) fn take(&mut self, issue: &str, now: Instant) -> Instant {
        let longest = LIMITS[1].1;
        if self.0.len() >= REMEMBERED {
            self.0.retain(|_, sent| sent.back().is_some_and(|&last| last + longest > now));
        }
        let sent = self.0.entry(issue.to_owned()).or_default();
        let mut at = now.max(sent.back().copied().unwrap_or(now));
        for (most, time) in LIMITS {
            if let Some(&earlier) = sent.len().checked_sub(most).and_then(|index| sent.get(index)) {
                at = at.max(earlier + time);
            }
        }
        sent.push_back(at);
        if sent.len() > LIMITS[1].0 {
            sent.pop_front();
        }
        at
    }
}

impl Scope {
    /// Waits where the issue that an operation writes to has been written to as often as Jira takes it.
    pub(super) async fn wait_for_turn(&self, operation: &Operation, columns: &[Column], given: &Given) {
        let issue = operation
            .endpoint
            .placeholders()
            .find(|&column| columns[column].format == Some(Format::IssueKey))
            .and_then(|column| given[column].as_ref().and_then(Value::text));
        let Some(issue) = issue else { return };
        let now = Instant::now();
        let at = self.site.pace(&issue, now);
        if at > now {
            tokio::select! {
                () = sleep_until(at) => {}
                () = self.statement.cancelled() => {}
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_issue_is_written_to_at_its_own_pace() {
        let mut paces = Paces::default();
        let now = Instant::now();
        let after = |at: Instant| (at - now).as_millis();
        let times: Vec<u128> = (0..120).map(|_| after(paces.take("A-1", now))).collect();
        assert_eq!(
            (times[0], times[19], times[20], times[39], times[40]),
            (0, 0, 2_000, 2_000, 4_000)
        );
        assert_eq!((times[99], times[100], times[119]), (8_000, 30_000, 30_000));
        assert_eq!(after(paces.take("A-2", now)), 0, "another issue waits for nobody");
        assert_eq!(after(paces.take("A-1", now + Duration::from_secs(90))), 90_000);
    }
}
