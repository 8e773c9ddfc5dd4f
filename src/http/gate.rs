//! The rate gate: which request may go at which instant, for one client and each of its endpoints.
//!
//! A 429 closes an endpoint (or the whole client) until the site wants to hear from it again. After a burst refusal the endpoint
//! is also paced: opening the gate to everybody at once would only spend the next second's tokens in a moment. The pace slows by
//! half with each refusal and recovers with each success (additive-increase, multiplicative-decrease, as in TCP). Pure: all
//! instants are arguments.

use super::Method;
use std::collections::HashMap;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;
use tokio::time::Instant;

/// Pace after the first refusal: Jira Cloud's own refill rate, 100 requests per second and endpoint.
const FIRST_PACE: Duration = Duration::from_millis(10);
/// The slowest pace, so that a site that refuses everything still shows when it recovers.
const SLOWEST_PACE: Duration = Duration::from_secs(1);
/// Below this a pace is no longer worth a timer.
const FREE_PACE: Duration = Duration::from_millis(1);
/// Each success takes off this fraction of the pace: quick enough to recover in seconds, slow enough to rarely overshoot.
const RECOVERY: u32 = 64;

/// An endpoint: method and path template, the unit of Jira Cloud's burst limit.
pub(super) type Endpoint = (Method, Arc<str>);

/// Whether a request may go.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Admission {
    /// It may go now.
    Open,
    /// Another one went too short a time ago; ask again then.
    Paced(Instant),
    /// The site wants silence until then.
    Closed(Instant),
}

/// The gate of one client.
#[derive(Debug, Default)]
pub(super) struct Gate(Mutex<Lanes>);

#[derive(Debug, Default)]
struct Lanes {
    client: Option<Instant>,
    endpoints: HashMap<Endpoint, Lane>,
}

#[derive(Debug, Default)]
struct Lane {
    closed: Option<Instant>,
    pace: Duration,
    next: Option<Instant>,
    /// Requests that were answered since the first refusal.
    granted: u64,
}

impl Gate {
    /// Asks for a request to go at `now`. [`Admission::Open`] uses up the endpoint's turn; the others change nothing, so that
    /// a waiter may vanish.
    pub(super) fn admit(&self, endpoint: &Endpoint, now: Instant) -> Admission {
        let mut lanes = self.lock();
        if let Some(until) = lanes.client.filter(|until| *until > now) {
            return Admission::Closed(until);
        }
        // An endpoint that was never refused has no lane.
        let Some(lane) = lanes.endpoints.get_mut(endpoint) else {
            return Admission::Open;
        };
        if let Some(until) = lane.closed.filter(|until| *until > now) {
            return Admission::Closed(until);
        }
        match lane.next.filter(|next| *next > now) {
            Some(next) => Admission::Paced(next),
            None => {
                lane.next = Some(now + lane.pace);
                Admission::Open
            }
        }
    }

    /// Closes the whole client until `until`.
    pub(super) fn close_client(&self, until: Instant) {
        let client = &mut self.lock().client;
        *client = (*client).max(Some(until));
    }

    /// Closes one endpoint until `until` and slows it down, to the pace that the site grants where it says so.
    pub(super) fn close_endpoint(&self, endpoint: &Endpoint, now: Instant, until: Instant, granted: Option<Duration>) {
        let mut lanes = self.lock();
        let lane = lanes.endpoints.entry(endpoint.clone()).or_default();
        // Requests that were in flight together are refused together: that is one signal, not many.
        if lane.closed.is_none_or(|closed| closed <= now) {
            lane.pace = (lane.pace * 2).clamp(FIRST_PACE, SLOWEST_PACE);
        }
        lane.pace = granted.map_or(lane.pace, |granted| granted.max(lane.pace));
        lane.closed = lane.closed.max(Some(until));
    }

    /// Notes an answered request: the endpoint may go a little faster.
    pub(super) fn succeeded(&self, endpoint: &Endpoint) {
        let mut lanes = self.lock();
        if let Some(lane) = lanes.endpoints.get_mut(endpoint) {
            lane.granted += 1;
            lane.pace -= lane.pace / RECOVERY;
            if lane.pace < FREE_PACE {
                lane.pace = Duration::ZERO;
            }
        }
    }

    /// How many requests of an endpoint were answered since it was first refused.
    pub(super) fn granted(&self, endpoint: &Endpoint) -> u64 {
        self.lock().endpoints.get(endpoint).map_or(0, |lane| lane.granted)
    }

    fn lock(&self) -> std::sync::MutexGuard<'_, Lanes> {
        // No code panics while holding it, and a half-updated pace would still be a pace.
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

#[cfg(test)]
mod tests {
    use super::Admission::*;
    use super::*;

    fn endpoint(path: &str) -> Endpoint {
        (Method::Get, path.into())
    }

    fn ms(ms: u64) -> Duration {
        Duration::from_millis(ms)
    }

    #[test]
    fn a_closed_endpoint_leaves_the_others_open() {
        let (gate, now) = (Gate::default(), Instant::now());
        gate.close_endpoint(&endpoint("/a"), now, now + ms(500), None);
        gate.close_endpoint(&endpoint("/a"), now, now + ms(100), None);
        assert_eq!(
            gate.admit(&endpoint("/a"), now),
            Closed(now + ms(500)),
            "a shorter closing does not shorten the longer one"
        );
        assert_eq!(gate.admit(&endpoint("/b"), now), Open);
        assert_eq!(gate.admit(&(Method::Post, "/a".into()), now), Open, "limits are per method");
        assert_eq!(gate.admit(&endpoint("/a"), now + ms(500)), Open);
    }

    #[test]
    fn a_closed_client_closes_every_endpoint() {
        let (gate, now) = (Gate::default(), Instant::now());
        gate.close_client(now + ms(500));
        gate.close_client(now + ms(100));
        assert_eq!(gate.admit(&endpoint("/a"), now), Closed(now + ms(500)));
        assert_eq!(gate.admit(&endpoint("/a"), now + ms(500)), Open);
    }

    #[test]
    fn a_refused_endpoint_is_paced_and_recovers() {
        let (gate, a, mut now) = (Gate::default(), endpoint("/a"), Instant::now());
        gate.close_endpoint(&a, now, now + ms(100), None);
        gate.close_endpoint(&a, now, now + ms(100), None); // refused in the same breath: no second slow-down
        now += ms(100);
        assert_eq!(gate.admit(&a, now), Open);
        assert_eq!(gate.admit(&a, now), Paced(now + ms(10)));
        gate.close_endpoint(&a, now, now + ms(100), None);
        now += ms(100);
        assert_eq!(gate.admit(&a, now), Open);
        assert_eq!(
            gate.admit(&a, now),
            Paced(now + ms(20)),
            "twice as slow after the second refusal"
        );
        for _ in 0..400 {
            gate.succeeded(&a);
        }
        now += ms(20);
        assert_eq!(gate.admit(&a, now), Open);
        assert_eq!(gate.admit(&a, now), Open, "free again");
    }
}
