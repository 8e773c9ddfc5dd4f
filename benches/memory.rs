//! How much memory does a long scan take, and does it grow?
//!
//! `cargo bench --bench memory`. A million requests are streamed from a demo site in a process of its own; the resident memory of this
//! process is read from `/proc/self/status` after every hundred thousand rows. Linux only. `ROWS=n` reads another number.

use std::io::{BufRead, BufReader};
use std::process::{Command, Stdio};
use std::time::Instant;

use futures::StreamExt;
use jsmql::demo::{TOKEN, USER};
use jsmql::{Connection, Session};

const SQL: &str = "SELECT issue_key, issue_id, summary, request_type_id, service_desk_id, created, reporter_account_id, \
                   reporter_display_name, status, status_date FROM requests";

fn main() {
    let rows: usize = std::env::var("ROWS")
        .ok()
        .and_then(|rows| rows.parse().ok())
        .unwrap_or(1_000_000);
    let mut site = Command::new(env!("CARGO_BIN_EXE_jsmql"))
        .args(["demo", "--date", "2026-10-31", "--port", "0", "--requests", &rows.to_string()])
        .stdout(Stdio::piped())
        .stderr(Stdio::null())
        .spawn()
        .expect("the demo site starts");
    let mut url = String::new();
    BufReader::new(site.stdout.take().expect("a pipe"))
        .read_line(&mut url)
        .expect("the site says its address");
    let text = format!("URL={};User={USER};APIToken={TOKEN};Timeout=600", url.trim());
    tokio::runtime::Runtime::new()
        .expect("a runtime")
        .block_on(stream(&text, rows));
    site.kill().expect("the demo site stops");
    site.wait().expect("the demo site stops");
}

async fn stream(connection: &str, rows: usize) {
    let connection = Connection::parse(connection, std::iter::empty()).expect("the options are right");
    let session = Session::open(connection).expect("a session");
    // The site makes its data when it is first asked.
    let mut warm = session
        .sql("SELECT issue_key FROM requests LIMIT 1")
        .await
        .expect("a statement");
    while warm.next().await.is_some() {}
    let (mut seen, mut most) = (0, 0.0_f64);
    let (began, cpu) = (Instant::now(), cpu_seconds());
    let mut stream = session.sql(SQL).await.expect("the statement is right");
    println!("| rows | resident MB |\n|---:|---:|\n| 0 | {:.0} |", resident_mb());
    while let Some(batch) = stream.next().await {
        let before = seen;
        seen += batch.expect("rows").num_rows();
        let now = resident_mb();
        most = most.max(now);
        if seen / (rows / 10).max(1) > before / (rows / 10).max(1) {
            println!("| {seen} | {now:.0} |");
        }
    }
    assert_eq!(seen, rows, "the scan is short");
    let micros = (cpu_seconds() - cpu) * 1e6 / rows as f64;
    println!(
        "\n{seen} rows in {:.1} s; at most {most:.0} MB; {micros:.1} µs of processor time a row, HTTP and gzip included",
        began.elapsed().as_secs_f64()
    );
}

/// A field of a file below `/proc/self`, in its own unit.
fn resident_mb() -> f64 {
    let status = std::fs::read_to_string("/proc/self/status").expect("Linux");
    let line = status.lines().find(|line| line.starts_with("VmRSS:")).expect("Linux says it");
    line.split_whitespace()
        .nth(1)
        .and_then(|kb| kb.parse::<f64>().ok())
        .expect("a number")
        / 1024.0
}

/// User and system time of this process, in seconds: fields 14 and 15 of `stat`, in ticks of 10 ms.
fn cpu_seconds() -> f64 {
    let stat = std::fs::read_to_string("/proc/self/stat").expect("Linux");
    let fields = stat.rsplit_once(')').map_or("", |(_, rest)| rest).split_whitespace();
    fields
        .skip(11)
        .take(2)
        .filter_map(|ticks| ticks.parse::<f64>().ok())
        .sum::<f64>()
        / 100.0
}
