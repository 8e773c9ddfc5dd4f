//! What an attempt writes to the log: target `jsmql::http`, more of it with each level. Headers that carry credentials are left out.

use std::time::Duration;

use super::Request;
use super::exchange::Answer;

/// Most bytes of a body that are logged.
const BODY: usize = 64 << 10;

/// An attempt that ended.
pub(super) fn trace_attempt(
    request: &Request,
    statement: u64,
    status: Option<u16>,
    bytes: usize,
    elapsed: Duration,
    attempt: u32,
    error: Option<&str>,
) {
    let (method, path, template) = (request.method.as_str(), request.path.as_str(), request.template.as_ref());
    let (elapsed_ms, elapsed_us) = (elapsed.as_millis() as u64, elapsed.as_micros() as u64);
    match error {
        Some(error) => tracing::warn!(
            target: "jsmql::http",
            statement, method, path, template, status, elapsed_ms, elapsed_us, attempt, error, "request failed"
        ),
        None => tracing::debug!(
            target: "jsmql::http",
            statement, method, path, template, status, bytes, elapsed_ms, elapsed_us, attempt, "request"
        ),
    }
    tracing::trace!(target: "jsmql::http::headers", query = ?request.query, headers = ?request.headers, "as asked");
    if let Some(body) = &request.body {
        tracing::trace!(target: "jsmql::http::body", body = %text(body), "sent");
    }
}

/// A whole answer.
pub(super) fn trace_answer(answer: &Answer) {
    tracing::trace!(target: "jsmql::http::headers", status = answer.status, headers = %headers(answer), "answer");
    tracing::trace!(target: "jsmql::http::body", body = %text(&answer.body), "received");
}

fn headers(answer: &Answer) -> String {
    let named = answer
        .headers
        .iter()
        .filter(|(name, _)| !["set-cookie", "authorization"].contains(&name.as_str()));
    let lines = named.map(|(name, value)| {
        let value = value.to_str().unwrap_or("?");
        // What a redirect carries behind the address may be as good as a password.
        let value = match name.as_str() {
            "location" | "content-location" | "refresh" | "link" => value.split(['?', '#']).next().unwrap_or_default(),
            _ => value,
        };
        format!("{name}: {value}")
    });
    lines.collect::<Vec<_>>().join(", ")
}

/// The start of a body on one line.
fn text(body: &[u8]) -> String {
    let text = String::from_utf8_lossy(&body[..body.len().min(BODY)]);
    text.chars().map(|c| if c.is_control() { ' ' } else { c }).collect()
}
