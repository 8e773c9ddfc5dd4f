//! Refresh tokens that rotate, and processes that are killed while they refresh: no login is lost, and ten of them refresh once.
//!
//! The server is one of a few lines: a refresh token is good once, and its successor's answer may be asked for again for a while, as
//! Atlassian's is.

#![allow(clippy::unwrap_used, reason = "a test may fail")]

use std::io::{Read, Write};
use std::net::{TcpListener, TcpStream};
use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::sync::{Arc, Mutex};
use std::time::Duration;

#[derive(Default)]
struct State {
    /// Number of the newest pair of tokens.
    number: u64,
    /// Refreshes answered with an error.
    refused: u32,
    /// Lifetime of access tokens in seconds.
    lifetime: u64,
}

fn start(lifetime: u64) -> (String, Arc<Mutex<State>>) {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let url = format!("http://{}/", listener.local_addr().unwrap());
    let state = Arc::new(Mutex::new(State {
        lifetime,
        ..State::default()
    }));
    let own = Arc::clone(&state);
    std::thread::spawn(move || {
        for stream in listener.incoming().flatten() {
            let state = Arc::clone(&own);
            std::thread::spawn(move || serve(stream, &state));
        }
    });
    (url, state)
}

fn serve(mut stream: TcpStream, state: &Mutex<State>) -> Option<()> {
    let mut text = String::new();
    let mut chunk = [0; 4096];
    let body = loop {
        let n = stream.read(&mut chunk).ok().filter(|n| *n > 0)?;
        text += &String::from_utf8_lossy(&chunk[..n]);
        let Some((head, body)) = text.split_once("\r\n\r\n") else {
            continue;
        };
        let length = head
            .lines()
            .find_map(|line| line.to_ascii_lowercase().strip_prefix("content-length: ")?.parse().ok());
        if body.len() >= length.unwrap_or(0) {
            break body.to_owned();
        }
    };
    let (status, answer) = if text.starts_with("POST /rest/oauth2/latest/token") {
        let mut state = state.lock().unwrap();
        let sent: Option<u64> = body
            .split('&')
            .find_map(|pair| pair.strip_prefix("refresh_token=r")?.parse().ok());
        let newest = state.number;
        if sent == Some(newest) {
            state.number += 1;
        } else if sent != newest.checked_sub(1) || sent.is_none() {
            state.refused += 1;
        }
        match state.refused {
            0 => {
                let (n, lifetime) = (state.number, state.lifetime);
                (
                    200,
                    format!(r#"{{"access_token":"a{n}","refresh_token":"r{n}","token_type":"bearer","expires_in":{lifetime}}}"#),
                )
            }
            _ => (400, r#"{"error":"invalid_grant"}"#.to_owned()),
        }
    } else {
        (
            200,
            r#"{"version":"1","displayName":"Ann","values":[],"permissions":{}}"#.to_owned(),
        )
    };
    // Time for a kill between the rotation and its answer.
    std::thread::sleep(Duration::from_millis(5));
    let head = format!(
        "HTTP/1.1 {status} X\r\nContent-Type: application/json\r\nConnection: close\r\nContent-Length: {}\r\n\r\n",
        answer.len()
    );
    stream.write_all((head + &answer).as_bytes()).ok()
}

fn spawn(url: &str, file: &Path) -> Child {
    let connection = format!(
        "URL={url};OAuthClientId=c;InitiateOAuth=REFRESH;OAuthRefreshToken=r0;OAuthSettingsLocation={}",
        file.display()
    );
    Command::new(env!("CARGO_BIN_EXE_jsmql"))
        .args(["test", "--connection", &connection])
        .env_remove("JSMQL_CONNECTION")
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .unwrap()
}

fn succeeded(child: Child) -> bool {
    let output = child.wait_with_output().unwrap();
    let text = String::from_utf8_lossy(&output.stderr).into_owned();
    assert!(output.status.success(), "{text}");
    output.status.success()
}

#[test]
fn two_hundred_kills_lose_no_login() {
    // Without a lifetime every request refreshes first.
    let (url, state) = start(0);
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("tokens.json");
    for round in 0..200_u64 {
        let mut child = spawn(&url, &file);
        // Spread over the whole run of a process, which takes some 100 ms.
        std::thread::sleep(Duration::from_millis(10 + round * 7 % 110));
        child.kill().unwrap();
        child.wait().unwrap();
    }
    let before = state.lock().unwrap().number;
    assert!(before > 20, "the kills came too early: {before} refreshes");
    assert!(succeeded(spawn(&url, &file)));
    let state = state.lock().unwrap();
    assert!(state.refused == 0 && state.number > before);
}

#[test]
fn ten_processes_refresh_once() {
    let (url, state) = start(3600);
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("tokens.json");
    let children: Vec<_> = (0..10).map(|_| spawn(&url, &file)).collect();
    assert!(children.into_iter().all(succeeded));
    assert_eq!(state.lock().unwrap().number, 1);
}
