//! Whether a failed attempt is tried again, and when. Pure: knows neither clock nor network.

use super::Safety;
use super::throttle::{Scope, Throttle};
use std::time::Duration;

/// Attempts beyond this do harm: a site that failed five times needs a pause, not a sixth request.
const MOST_ATTEMPTS: u32 = 5;
/// Tokens of the retry budget for a retry after a failure, and after a 429 (the site is well, only busy).
const TRANSIENT_COST: u32 = 14;
const THROTTLE_COST: u32 = 5;

/// When to try again.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct RetryPolicy {
    /// How often a request is sent at most, the first time included; at least 1, above 5 counts as 5.
    pub attempts: u32,
    /// First pause after a failure; doubles with each attempt.
    pub transient_base: Duration,
    /// First pause after a 429; doubles with each attempt. Added to what the site asks for.
    pub throttle_base: Duration,
    /// Longest pause of our own choosing.
    pub max_backoff: Duration,
    /// Longest pause a site may ask for; beyond it the request fails at once and the error says until when.
    pub max_wait: Duration,
}

impl Default for RetryPolicy {
    /// 3 attempts; pauses from 50 ms after a failure and 1 s after a 429, up to 20 s; the site may ask for 60 s.
    fn default() -> Self {
        Self {
            attempts: 3,
            transient_base: Duration::from_millis(50),
            throttle_base: Duration::from_secs(1),
            max_backoff: Duration::from_secs(20),
            max_wait: Duration::from_secs(60),
        }
    }
}

/// How an attempt failed, as far as retrying is concerned.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Outcome {
    /// No connection: the site provably did not get the request.
    Unsent,
    /// The connection broke after bytes of the request may have reached the site, or before its whole answer reached us.
    Lost,
    /// The site answered with a status other than 2xx.
    Refused {
        /// HTTP status.
        status: u16,
        /// What it asks for.
        throttle: Throttle,
    },
}

impl Outcome {
    /// Whether the site may have done what it was asked. A proxy's 502 or 504 says nothing about Jira behind it.
    pub(super) fn maybe_processed(self) -> bool {
        match self {
            Self::Unsent => false,
            Self::Lost => true,
            Self::Refused { status, .. } => status >= 500,
        }
    }
}

/// What to do about a failed attempt.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Decision {
    /// Send it again.
    Retry {
        /// Pause before sending.
        after: Duration,
        /// Tokens it takes from the retry budget.
        cost: u32,
    },
    /// Report the failure.
    Fail,
}

/// Decides about attempt number `attempt` (from 1) of a request that ended in `outcome`.
///
/// `tokens` is what the retry budget holds; `roll`, in `0.0..1.0`, scatters the pause. The rows, in the order of the code:
///
/// | outcome | read | once |
/// |---|---|---|
/// | unsent | retry | retry |
/// | lost, 500, 502, 503, 504 | retry | never |
/// | 429, quota used up or pause > `max_wait` | never | never |
/// | 429 with a pause | retry | retry: it was refused unread |
/// | 429 without a pause | retry | never |
/// | anything else | never | never |
pub(super) fn decide(safety: Safety, attempt: u32, outcome: Outcome, policy: &RetryPolicy, tokens: u32, roll: f64) -> Decision {
    let (allowed, asked, cost) = match outcome {
        Outcome::Unsent => (true, None, TRANSIENT_COST),
        Outcome::Lost => (safety == Safety::Read, None, TRANSIENT_COST),
        Outcome::Refused { status: 429, throttle } => {
            let allowed = throttle.scope != Scope::Quota && (throttle.after.is_some() || safety != Safety::Once);
            (allowed, throttle.after, THROTTLE_COST)
        }
        Outcome::Refused {
            status: 500 | 502 | 503 | 504,
            throttle,
        } => (safety == Safety::Read, throttle.after, TRANSIENT_COST),
        Outcome::Refused { .. } => (false, None, 0),
    };
    let asked = asked.unwrap_or_default();
    if !allowed || attempt >= policy.attempts.min(MOST_ATTEMPTS) || tokens < cost || asked > policy.max_wait {
        return Decision::Fail;
    }
    let base = if cost == THROTTLE_COST {
        policy.throttle_base
    } else {
        policy.transient_base
    };
    Decision::Retry {
        after: asked + backoff(base, attempt, policy.max_backoff).mul_f64(roll),
        cost,
    }
}

/// `base` doubled with each attempt. The caller scatters it over its whole length ("full jitter").
fn backoff(base: Duration, attempt: u32, most: Duration) -> Duration {
    base.saturating_mul(1 << (attempt.clamp(1, MOST_ATTEMPTS) - 1)).min(most)
}

#[cfg(test)]
mod tests {
    use super::*;
    use Safety::{Once, Read};

    const PLENTY: u32 = 500;

    fn refused(status: u16, after: Option<u64>, scope: Scope) -> Outcome {
        Outcome::Refused {
            status,
            throttle: Throttle {
                after: after.map(Duration::from_secs),
                scope,
                pace: None,
            },
        }
    }

    /// The pause in milliseconds at the largest roll, `None` for failure.
    fn pause(safety: Safety, attempt: u32, outcome: Outcome, tokens: u32) -> Option<u128> {
        match decide(safety, attempt, outcome, &RetryPolicy::default(), tokens, 1.0) {
            Decision::Retry { after, .. } => Some(after.as_millis()),
            Decision::Fail => None,
        }
    }

    #[test]
    fn the_table() {
        use Scope::*;
        // outcome, then the pause before attempt 2 and before attempt 3, for read and once.
        let never = [None, None];
        let transient = [Some(50), Some(100)];
        #[rustfmt::skip]
        let rows = [
            (Outcome::Unsent,                     [transient, transient]),
            (Outcome::Lost,                       [transient, never]),
            (refused(429, Some(2), Unknown),      [[Some(3000), Some(4000)]; 2]),
            (refused(429, Some(2), Burst),        [[Some(3000), Some(4000)]; 2]),
            (refused(429, Some(2), Issue),        [[Some(3000), Some(4000)]; 2]),
            (refused(429, Some(0), Burst),        [[Some(1000), Some(2000)]; 2]),
            (refused(429, Some(60), Burst),       [[Some(61_000), Some(62_000)]; 2]),
            (refused(429, Some(61), Burst),       [never, never]),
            (refused(429, Some(2), Quota),        [never, never]),
            (refused(429, None, Unknown),         [[Some(1000), Some(2000)], never]),
            (refused(500, None, Unknown),         [transient, never]),
            (refused(502, None, Unknown),         [transient, never]),
            (refused(503, Some(1), Unknown),      [[Some(1050), Some(1100)], never]),
            (refused(503, Some(61), Unknown),     [never, never]),
            (refused(504, None, Unknown),         [transient, never]),
            (refused(501, None, Unknown),         [never, never]),
            (refused(302, None, Unknown),         [never, never]),
            (refused(400, Some(1), Unknown),      [never, never]),
            (refused(401, None, Unknown),         [never, never]),
            (refused(403, None, Unknown),         [never, never]),
            (refused(404, None, Unknown),         [never, never]),
            (refused(409, None, Unknown),         [never, never]),
        ];
        for (outcome, expected) in rows {
            for (safety, expected) in [Read, Once].into_iter().zip(expected) {
                let actual = [1, 2].map(|attempt| pause(safety, attempt, outcome, PLENTY));
                assert_eq!(actual, expected, "{outcome:?} {safety:?}");
                assert_eq!(
                    pause(safety, 3, outcome, PLENTY),
                    None,
                    "a fourth attempt: {outcome:?} {safety:?}"
                );
            }
        }
    }

    #[test]
    fn an_empty_budget_fails_and_a_throttle_costs_less() {
        let busy = refused(429, Some(0), Scope::Unknown);
        assert_eq!(pause(Read, 1, Outcome::Lost, 13), None);
        assert!(pause(Read, 1, Outcome::Lost, 14).is_some());
        assert_eq!(pause(Read, 1, busy, 4), None);
        assert!(pause(Read, 1, busy, 5).is_some());
    }

    #[test]
    fn attempts_are_configurable_up_to_five_and_pauses_are_capped() {
        let policy = RetryPolicy {
            attempts: 100,
            max_backoff: Duration::from_millis(120),
            ..Default::default()
        };
        let after = |attempt, roll| match decide(Read, attempt, Outcome::Lost, &policy, PLENTY, roll) {
            Decision::Retry { after, .. } => Some(after.as_millis()),
            Decision::Fail => None,
        };
        assert_eq!(
            [1, 2, 3, 4, 5].map(|n| after(n, 1.0)),
            [Some(50), Some(100), Some(120), Some(120), None]
        );
        assert_eq!(after(1, 0.0), Some(0));
        let once = RetryPolicy {
            attempts: 1,
            ..Default::default()
        };
        assert_eq!(decide(Read, 1, Outcome::Unsent, &once, PLENTY, 0.5), Decision::Fail);
    }

    #[test]
    fn only_a_lost_answer_or_a_failing_server_leaves_doubt() {
        let doubtful = |status| refused(status, None, Scope::Unknown).maybe_processed();
        assert!(!Outcome::Unsent.maybe_processed() && Outcome::Lost.maybe_processed());
        assert!(doubtful(500) && doubtful(504) && !doubtful(429) && !doubtful(400));
    }
}
