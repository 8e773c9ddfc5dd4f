//! Spans for OpenTelemetry, as a collector gets them. Only with the feature `otel`.

#![cfg(feature = "otel")]
#![allow(clippy::unwrap_used, reason = "a test may fail")]

use std::io::{Read, Write};
use std::net::{TcpListener, TcpStream};
use std::sync::{Arc, Mutex};

use serde_json::Value;

/// Messages of the OTLP, with the value of one header.
type Messages = Arc<Mutex<Vec<(String, Value)>>>;

fn collector() -> (String, Messages) {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let address = format!("http://{}", listener.local_addr().unwrap());
    let messages = Messages::default();
    let own = Arc::clone(&messages);
    std::thread::spawn(move || {
        for stream in listener.incoming().flatten() {
            let own = Arc::clone(&own);
            std::thread::spawn(move || serve(stream, &own));
        }
    });
    (address, messages)
}

fn serve(mut stream: TcpStream, messages: &Messages) -> Option<()> {
    loop {
        let mut head = Vec::new();
        while !head.ends_with(b"\r\n\r\n") {
            let mut byte = [0];
            stream.read_exact(&mut byte).ok()?;
            head.push(byte[0]);
        }
        let head = String::from_utf8(head).unwrap().to_ascii_lowercase();
        let header = |name: &str| {
            head.lines()
                .find_map(|line| line.strip_prefix(&format!("{name}: ")))
                .map(str::to_owned)
        };
        assert!(head.starts_with("post /v1/traces "), "{head}");
        assert_eq!(header("content-type").as_deref(), Some("application/json"));
        let mut body = vec![0; header("content-length")?.parse().unwrap()];
        stream.read_exact(&mut body).ok()?;
        let message = serde_json::from_slice(&body).unwrap();
        messages
            .lock()
            .unwrap()
            .push((header("x-tenant").unwrap_or_default(), message));
        stream
            .write_all(b"HTTP/1.1 200 OK\r\nContent-Type: application/json\r\nContent-Length: 2\r\n\r\n{}")
            .ok()?;
    }
}

fn attribute<'s>(span: &'s Value, key: &str) -> Option<&'s str> {
    let found = span["attributes"]
        .as_array()
        .unwrap()
        .iter()
        .find(|pair| pair["key"] == key)?;
    found["value"]["stringValue"]
        .as_str()
        .or_else(|| found["value"]["intValue"].as_str())
}

#[test]
fn statements_and_requests_become_spans_without_secrets() {
    let (address, messages) = collector();
    let mut command = std::process::Command::new(env!("CARGO_BIN_EXE_jsmql"));
    for (name, _) in std::env::vars().filter(|(name, _)| name.starts_with("JSMQL_") || name.starts_with("OTEL_")) {
        command.env_remove(name);
    }
    let output = command
        .args([
            "--demo",
            "--date",
            "2026-10-31",
            "-c",
            "SELECT issue_key FROM requests WHERE issue_key IN ('ITSM-1', 'C4N4RY-1') LIMIT 3; SELECT id FROM service_desks",
        ])
        .env("OTEL_EXPORTER_OTLP_ENDPOINT", &address)
        .env("OTEL_EXPORTER_OTLP_HEADERS", "x-tenant=acme")
        .env("OTEL_SERVICE_NAME", "help desk")
        .output()
        .unwrap();
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    let messages = messages.lock().unwrap();
    let mut spans = Vec::new();
    for (tenant, message) in messages.iter() {
        assert_eq!(tenant, "acme");
        let resource = &message["resourceSpans"][0];
        assert_eq!(resource["resource"]["attributes"][0]["value"]["stringValue"], "help desk");
        spans.extend(resource["scopeSpans"][0]["spans"].as_array().unwrap().iter());
    }
    let statements: Vec<_> = spans
        .iter()
        .filter(|span| attribute(span, "db.query.text").is_some())
        .collect();
    assert_eq!(statements.len(), 2, "{spans:?}");
    let query = attribute(statements[0], "db.query.text").unwrap();
    assert_eq!(query, "SELECT issue_key FROM requests WHERE issue_key IN (?, ?) LIMIT ?");
    assert_eq!(attribute(statements[0], "db.response.returned_rows"), Some("1"));
    assert_eq!(attribute(statements[1], "db.response.returned_rows"), Some("3"));
    assert_ne!(statements[0]["traceId"], statements[1]["traceId"]);
    let (mut parts, mut ids) = (0, std::collections::HashSet::new());
    for span in &spans {
        let (begin, end) = (
            span["startTimeUnixNano"].as_str().unwrap(),
            span["endTimeUnixNano"].as_str().unwrap(),
        );
        assert!(begin.parse::<u128>().unwrap() <= end.parse::<u128>().unwrap());
        assert_eq!(
            (
                span["traceId"].as_str().unwrap().len(),
                span["spanId"].as_str().unwrap().len()
            ),
            (32, 16)
        );
        assert!(ids.insert(span["spanId"].as_str().unwrap().to_owned()), "{span}");
        if let Some(template) = attribute(span, "url.template") {
            let parent = statements
                .iter()
                .find(|statement| statement["spanId"] == span["parentSpanId"])
                .unwrap();
            assert_eq!(parent["traceId"], span["traceId"]);
            assert_eq!(span["name"], format!("GET {template}"));
            parts += 1;
        }
    }
    // One for each key, and the list of desks.
    assert_eq!(parts, 3);
    let text = format!("{messages:?}");
    for secret in ["C4N4RY", "demo-token", "ITSM-1"] {
        assert!(!text.contains(secret), "{secret}: {text}");
    }
}
