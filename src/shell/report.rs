//! The HTTP requests of a statement, for people.

use std::collections::BTreeMap;
use std::fmt::Write;

use indicatif::HumanBytes;

use super::counted::counted;
use crate::http::LoggedRequest;

/// Every request on a line of its own.
pub(super) fn trace(requests: &[LoggedRequest]) -> String {
    let first = requests.iter().map(|request| request.started).min().unwrap_or_default();
    let mut text = String::new();
    for request in requests {
        let query = if request.query.is_empty() {
            String::new()
        } else {
            format!("?{}", request.query)
        };
        let outcome = match (request.status, &request.error) {
            (_, Some(error)) => error.clone(),
            (Some(status), None) => status.to_string(),
            (None, None) => "no answer".to_owned(),
        };
        let attempt = if request.attempt > 1 {
            format!(", attempt {}", request.attempt)
        } else {
            String::new()
        };
        // Writing to a String cannot fail.
        let _ = writeln!(
            text,
            "{:>7} ms  {} {}{query}  {outcome}, {:.0} ms, {}{attempt}",
            format!("+{}", request.started - first),
            request.method,
            request.path,
            request.elapsed_ms,
            HumanBytes(request.bytes)
        );
    }
    text + &summary(requests)
}

/// What was asked how often, and how long it took.
pub(super) fn summary(requests: &[LoggedRequest]) -> String {
    let mut endpoints: BTreeMap<(String, &str), Vec<&LoggedRequest>> = BTreeMap::new();
    for request in requests {
        endpoints
            .entry((endpoint(&request.path), request.method))
            .or_default()
            .push(request);
    }
    let mut text = String::new();
    for ((path, method), requests) in &endpoints {
        let mut times: Vec<f64> = requests.iter().map(|request| request.elapsed_ms).collect();
        times.sort_by(f64::total_cmp);
        let bytes: u64 = requests.iter().map(|request| request.bytes).sum();
        let failed = |request: &&&LoggedRequest| !request.was_cancelled() && request.status.is_none_or(|status| status >= 400);
        let mut notes = String::new();
        for (many, word) in [
            (requests.iter().filter(failed).count(), "failed"),
            // Pages asked for in advance beyond the end of a list, as a rule.
            (requests.iter().filter(|request| request.was_cancelled()).count(), "cancelled"),
        ] {
            if many > 0 {
                let _ = write!(notes, ", {many} {word}");
            }
        }
        let _ = writeln!(
            text,
            "{:>6} x {method} {path}  {:.0}/{:.0}/{:.0} ms least/median/most, {}{notes}",
            requests.len(),
            times.first().copied().unwrap_or_default(),
            times.get(times.len() / 2).copied().unwrap_or_default(),
            times.last().copied().unwrap_or_default(),
            HumanBytes(bytes)
        );
    }
    let retries = requests.iter().filter(|request| request.attempt > 1).count();
    let bytes: u64 = requests.iter().map(|request| request.bytes).sum();
    let _ = writeln!(
        text,
        "{}, {retries} of them again, {}",
        counted(requests.len(), "request"),
        HumanBytes(bytes)
    );
    text
}

/// The path without what differs from one request to the next: words with a digit in them.
fn endpoint(path: &str) -> String {
    let mut words = Vec::new();
    for (position, word) in path.split('/').enumerate() {
        // `/rest/api/3` is the version of the API.
        let varies = position > 3 && word.bytes().any(|byte| byte.is_ascii_digit());
        words.push(if varies { "…" } else { word });
    }
    words.join("/")
}

#[cfg(test)]
mod tests {
    use super::*;

    fn request(path: &str, attempt: u32, status: u16) -> LoggedRequest {
        LoggedRequest {
            statement: 1,
            started: 5,
            method: "GET",
            path: path.into(),
            query: "start=0".into(),
            status: Some(status),
            elapsed_ms: 12.0,
            bytes: 100,
            attempt,
            error: None,
        }
    }

    #[test]
    fn endpoints_are_counted_together() {
        let mut dropped = request("/rest/servicedeskapi/request/HR-3", 1, 0);
        (dropped.status, dropped.error) = (None, Some("cancelled".into()));
        let requests = [
            dropped,
            request("/rest/servicedeskapi/request/HR-1", 1, 503),
            request("/rest/servicedeskapi/request/HR-1", 2, 200),
            request("/rest/servicedeskapi/request/HR-2", 1, 200),
            request("/rest/api/3/field", 1, 200),
        ];
        let text = summary(&requests);
        assert!(text.contains("4 x GET /rest/servicedeskapi/request/…"), "{text}");
        assert!(
            text.contains("1 failed, 1 cancelled") && text.contains("/rest/api/3/field"),
            "{text}"
        );
        assert!(text.ends_with("5 requests, 1 of them again, 500 B\n"), "{text}");
        assert_eq!(trace(&requests).lines().count(), 5 + 3);
    }
}
