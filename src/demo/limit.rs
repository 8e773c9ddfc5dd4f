//! The burst limit: a bucket of tokens per endpoint and method, as Atlassian describes it.

use std::collections::HashMap;
use std::sync::Mutex;
use std::time::Instant;

/// Buckets of one site.
#[derive(Debug)]
pub(super) struct Limit {
    per_second: f64,
    buckets: Mutex<HashMap<String, (f64, Instant)>>,
}

impl Limit {
    pub(super) fn new(per_second: u32) -> Self {
        Self {
            per_second: f64::from(per_second.max(1)),
            buckets: Mutex::default(),
        }
    }

    /// Takes a token for a call; false when the bucket is empty.
    pub(super) fn admit(&self, method: &str, segments: &[String], now: Instant) -> bool {
        // Ids and keys are not part of an endpoint.
        let endpoint: Vec<&str> = segments
            .iter()
            .map(|segment| {
                if segment.contains(|c: char| c.is_ascii_digit()) {
                    "*"
                } else {
                    segment
                }
            })
            .collect();
        let Ok(mut buckets) = self.buckets.lock() else { return true };
        let (tokens, then) = buckets
            .entry(format!("{method} {}", endpoint.join("/")))
            .or_insert((self.per_second, now));
        *tokens = (*tokens + now.duration_since(*then).as_secs_f64() * self.per_second).min(self.per_second);
        *then = now;
        if *tokens < 1.0 {
            return false;
        }
        *tokens -= 1.0;
        true
    }
}
