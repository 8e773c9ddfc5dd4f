//! What a 429 or 503 asks for: how long to stay away, and from what. Reads headers, all spellings seen in the wild.
//!
//! Vendors, proxies and roll-outs disagree about these headers, so everything here is lenient in one direction: what cannot be
//! understood is as if it were not there. A header we misread must never put a statement to sleep.

use chrono::{DateTime, NaiveDateTime};
use reqwest::header::HeaderMap;
use std::time::{Duration, SystemTime};

/// Atlassian's longest window is an hour; whoever asks for more than a day has a broken clock or unit.
const ABSURD: Duration = Duration::from_secs(24 * 60 * 60);
/// A slower pace is none that a statement can be read at.
const LONGEST_PACE: Duration = Duration::from_secs(60);

/// Which of the site's limits was hit (`RateLimit-Reason`).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Scope {
    /// The hourly points of the whole client (`jira-quota-*`).
    Quota,
    /// Requests per second on this endpoint (`jira-burst-based`).
    Burst,
    /// Writes on this issue (`jira-per-issue-on-write`).
    Issue,
    /// Not said.
    Unknown,
}

/// A refusal for being too fast.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Throttle {
    /// How long to stay away, if the site says so readably.
    pub after: Option<Duration>,
    /// From what.
    pub scope: Scope,
    /// How long one request takes of what the site grants, if it says so: Data Center's tokens and the time in which they come back.
    pub pace: Option<Duration>,
}

impl Throttle {
    /// Reads the headers of an answer with `status`, received at `now`.
    pub(super) fn read(status: u16, headers: &HeaderMap, now: SystemTime) -> Self {
        // Absolute times are on the site's clock; its `Date` makes them relative even if our clock is off.
        let now = text(headers, "date").and_then(http_date).unwrap_or(now);
        let scope = match text(headers, "ratelimit-reason") {
            Some(reason) if reason.starts_with("jira-quota") => Scope::Quota,
            Some("jira-burst-based") => Scope::Burst,
            Some("jira-per-issue-on-write") => Scope::Issue,
            _ => Scope::Unknown,
        };
        let mut after = text(headers, "retry-after").and_then(|value| pause(value, now));
        if status == 429 {
            // These accompany healthy answers as well; only a 429 makes them a request to wait.
            after = after
                .or_else(|| {
                    first(headers, ["x-ratelimit-reset", "x-beta-ratelimit-reset"], |value| {
                        until(iso_date(value)?, now)
                    })
                })
                .or_else(|| first(headers, ["ratelimit", "beta-ratelimit"], exhausted));
            if scope == Scope::Quota {
                after = after.or_else(|| Some(next_hour(now)));
            }
        }
        let number = |name: &str| text(headers, name)?.parse::<u32>().ok().filter(|number| *number > 0);
        let pace = number("x-ratelimit-fillrate")
            .zip(number("x-ratelimit-interval-seconds"))
            .map(|(tokens, seconds)| Duration::from_secs(seconds.into()) / tokens)
            .filter(|pace| *pace <= LONGEST_PACE);
        Self { after, scope, pace }
    }
}

fn text<'h>(headers: &'h HeaderMap, name: &str) -> Option<&'h str> {
    headers.get(name)?.to_str().ok().map(str::trim)
}

fn first(headers: &HeaderMap, names: [&str; 2], read: impl Fn(&str) -> Option<Duration>) -> Option<Duration> {
    names.iter().filter_map(|name| text(headers, name)).find_map(read)
}

/// `Retry-After`: seconds (whole or decimal), an HTTP date, or an ISO date.
fn pause(value: &str, now: SystemTime) -> Option<Duration> {
    match value.parse::<f64>() {
        // Refuses negative numbers, NaN and overflow.
        Ok(seconds) => sane(Duration::try_from_secs_f64(seconds).ok()?),
        Err(_) => until(http_date(value).or_else(|| iso_date(value))?, now),
    }
}

/// `"policy";r=0;t=12, …`: the longest `t` of the policies with nothing left.
fn exhausted(value: &str) -> Option<Duration> {
    let parameter = |policy: &str, name: &str| {
        let mut pairs = policy.split(';').filter_map(|pair| pair.split_once('='));
        pairs
            .find(|(key, _)| key.trim().eq_ignore_ascii_case(name))
            .map(|(_, value)| value.trim().parse::<f64>())
    };
    value
        .split(',')
        .filter(|policy| !matches!(parameter(policy, "r"), Some(Ok(left)) if left > 0.0))
        .filter_map(|policy| sane(Duration::try_from_secs_f64(parameter(policy, "t")?.ok()?).ok()?))
        .max()
}

/// From `now` until `instant`; nothing if that has passed.
fn until(instant: SystemTime, now: SystemTime) -> Option<Duration> {
    sane(instant.duration_since(now).ok()?)
}

fn sane(pause: Duration) -> Option<Duration> {
    (pause <= ABSURD).then_some(pause)
}

/// Quotas refill at the top of the UTC hour.
fn next_hour(now: SystemTime) -> Duration {
    let since_epoch = now.duration_since(SystemTime::UNIX_EPOCH).unwrap_or_default();
    Duration::from_secs(3600 - since_epoch.as_secs() % 3600)
}

fn http_date(value: &str) -> Option<SystemTime> {
    DateTime::parse_from_rfc2822(value).ok().map(SystemTime::from)
}

/// RFC 3339, also without seconds (`2026-11-03T16:00Z`), also without a zone (then UTC).
fn iso_date(value: &str) -> Option<SystemTime> {
    if let Ok(date) = DateTime::parse_from_rfc3339(value) {
        return Some(date.into());
    }
    if let Ok(date) = DateTime::parse_from_str(value, "%Y-%m-%dT%H:%M%#z") {
        return Some(date.into());
    }
    let local = value.strip_suffix(['Z', 'z']).unwrap_or(value);
    let date = ["%Y-%m-%dT%H:%M", "%Y-%m-%dT%H:%M:%S%.f"]
        .iter()
        .find_map(|f| NaiveDateTime::parse_from_str(local, f).ok())?;
    Some(date.and_utc().into())
}

#[cfg(test)]
mod tests {
    use super::*;
    use reqwest::header::{HeaderName, HeaderValue};

    /// 2026-11-03T15:59:30Z
    fn now() -> SystemTime {
        iso_date("2026-11-03T15:59:30Z").unwrap()
    }

    fn read(status: u16, headers: &[(&str, &str)]) -> Throttle {
        let headers = headers
            .iter()
            .map(|(name, value)| (HeaderName::try_from(*name).unwrap(), HeaderValue::try_from(*value).unwrap()))
            .collect();
        Throttle::read(status, &headers, now())
    }

    #[test]
    fn retry_after_in_all_spellings() {
        for (value, seconds) in [
            ("7", Some(7.0)),
            (" 7 ", Some(7.0)),
            ("0", Some(0.0)),
            ("1.5", Some(1.5)),
            ("1847", Some(1847.0)),
            ("Tue, 03 Nov 2026 16:00:00 GMT", Some(30.0)),
            ("2026-11-03T16:00:00Z", Some(30.0)),
            ("2026-11-03T16:00:00.500Z", Some(30.5)),
            ("2026-11-03T17:00:00+01:00", Some(30.0)),
            ("2026-11-03T17:00:00+0100", None),
            ("2026-11-03T17:00+01:00", Some(30.0)),
            ("2026-11-03T16:00Z", Some(30.0)),
            ("2026-11-03T16:00", Some(30.0)),
            ("Tue, 03 Nov 2026 15:00:00 GMT", None),
            ("2026-11-03T15:00Z", None),
            ("-5", None),
            ("soon", None),
            ("", None),
            ("1000000000", None),
            ("1e400", None),
            ("NaN", None),
            ("inf", None),
            ("99999999999999999999999", None),
            ("9999-12-31T23:59:59Z", None),
            ("5 s", None),
        ] {
            let expected = seconds.map(Duration::from_secs_f64);
            assert_eq!(read(429, &[("Retry-After", value)]).after, expected, "{value:?}");
            assert_eq!(read(503, &[("retry-after", value)]).after, expected, "{value:?} on 503");
        }
    }

    #[test]
    fn rate_limit_headers_step_in_on_429_only() {
        for (headers, seconds) in [
            (vec![("X-RateLimit-Reset", "2026-11-03T16:00Z")], Some(30)),
            (vec![("X-RateLimit-Reset", "2026-11-03T15:59:40Z")], Some(10)),
            (vec![("X-Beta-RateLimit-Reset", "2026-11-03T15:59:40Z")], Some(10)),
            (vec![("X-RateLimit-Reset", "2026-11-03T15:00Z")], None),
            (vec![("X-RateLimit-Reset", "1793721600")], None),
            (vec![("RateLimit", r#""burst";r=0;t=4"#)], Some(4)),
            (vec![("Beta-RateLimit", r#""tenant-app-quota"; T=9; R=0"#)], Some(9)),
            (vec![("RateLimit", r#""a";r=0;t=4, "b";r=0;t=6, "c";r=80;t=1800"#)], Some(6)),
            (vec![("RateLimit", r#""a";r=80;t=1800"#)], None),
            (vec![("RateLimit", r#""a";t=3"#)], Some(3)),
            (vec![("RateLimit", r#""a";r=0;t=-1"#)], None),
            (vec![("RateLimit", "garbage")], None),
            (
                vec![("Retry-After", "2"), ("X-RateLimit-Reset", "2026-11-03T16:00Z")],
                Some(2),
            ),
            (vec![("Retry-After", "soon"), ("RateLimit", r#""a";r=0;t=4"#)], Some(4)),
        ] {
            assert_eq!(read(429, &headers).after, seconds.map(Duration::from_secs), "{headers:?}");
            if headers.iter().all(|(name, _)| *name != "Retry-After") {
                assert_eq!(read(503, &headers).after, None, "{headers:?} on 503");
            }
        }
    }

    #[test]
    fn the_reason_names_the_scope_and_a_quota_refills_on_the_hour() {
        for (reason, scope, seconds) in [
            ("jira-quota-global-based", Scope::Quota, Some(30)),
            ("jira-quota-tenant-based", Scope::Quota, Some(30)),
            ("jira-burst-based", Scope::Burst, None),
            ("jira-per-issue-on-write", Scope::Issue, None),
            ("something-else", Scope::Unknown, None),
        ] {
            let throttle = read(429, &[("RateLimit-Reason", reason)]);
            assert_eq!(
                throttle,
                Throttle {
                    after: seconds.map(Duration::from_secs),
                    scope,
                    pace: None,
                },
                "{reason}"
            );
        }
    }

    #[test]
    fn tokens_and_the_time_they_take_are_a_pace() {
        let pace = |tokens: &str, seconds: &str| {
            let headers = [("X-RateLimit-FillRate", tokens), ("X-RateLimit-Interval-Seconds", seconds)];
            read(429, &headers).pace
        };
        assert_eq!(pace("10", "5"), Some(Duration::from_millis(500)));
        assert_eq!(pace("0", "5"), None);
        assert_eq!(pace("10", "soon"), None);
        assert_eq!(pace("1", "4000000000"), None);
    }

    #[test]
    fn the_clock_of_the_site_counts() {
        let skewed = [
            ("Date", "Tue, 03 Nov 2026 16:09:30 GMT"),
            ("Retry-After", "Tue, 03 Nov 2026 16:09:35 GMT"),
        ];
        assert_eq!(read(429, &skewed).after, Some(Duration::from_secs(5)));
    }
}
