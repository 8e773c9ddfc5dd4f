//! A site of raw bytes: answers each connection with the next line of a script, and notes what it was asked.

use std::io::Write;
use std::sync::{Arc, Mutex};
use std::time::Duration;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};
use url::Url;

/// What to do with one request.
#[derive(Clone)]
pub(super) enum Reply {
    /// Send these bytes and close.
    Bytes(Vec<u8>),
    /// Send these bytes and break the connection.
    Reset(Vec<u8>),
    /// Send these bytes and then nothing, for as long as the test lasts.
    Hang(Vec<u8>),
    /// Answer with an empty object after a while.
    Slow(Duration),
}

/// An answer with a right `Content-Length`.
pub(super) fn reply(status: &str, headers: &str, body: impl AsRef<[u8]>) -> Reply {
    Reply::Bytes(bytes(status, headers, body.as_ref().len(), body.as_ref()))
}

/// An answer whose `Content-Length` may lie.
pub(super) fn bytes(status: &str, headers: &str, length: usize, body: &[u8]) -> Vec<u8> {
    let head = format!("HTTP/1.1 {status}\r\nConnection: close\r\nContent-Length: {length}\r\n{headers}\r\n");
    [head.as_bytes(), body].concat()
}

pub(super) fn ok() -> Reply {
    reply(
        "200 OK",
        "Content-Type: application/json\r\nX-AACCOUNTID: 5b10\r\n",
        r#"{"ok":true}"#,
    )
}

pub(super) fn gzip(body: &[u8]) -> Vec<u8> {
    let mut encoder = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::best());
    encoder.write_all(body).unwrap();
    encoder.finish().unwrap()
}

pub(super) struct Site {
    pub(super) url: Url,
    requests: Arc<Mutex<Vec<String>>>,
}

impl Site {
    /// Serves `script`, one entry per connection; its last entry for ever.
    pub(super) async fn start(script: Vec<Reply>) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let url = Url::parse(&format!("http://{}", listener.local_addr().unwrap())).unwrap();
        let requests = Arc::new(Mutex::new(Vec::new()));
        let seen = Arc::clone(&requests);
        tokio::spawn(async move {
            for n in 0.. {
                let (stream, _) = listener.accept().await.unwrap();
                let reply = script[n.min(script.len() - 1)].clone();
                tokio::spawn(serve(stream, reply, Arc::clone(&seen)));
            }
        });
        Self { url, requests }
    }

    /// The requests so far, head and body, in the order they arrived.
    pub(super) fn requests(&self) -> Vec<String> {
        self.requests.lock().unwrap().clone()
    }
}

async fn serve(mut stream: TcpStream, reply: Reply, seen: Arc<Mutex<Vec<String>>>) {
    let Some(request) = read_request(&mut stream).await else {
        return;
    };
    seen.lock().unwrap().push(request);
    match reply {
        Reply::Bytes(bytes) => _ = stream.write_all(&bytes).await,
        Reply::Reset(bytes) => {
            _ = stream.write_all(&bytes).await;
            // A reset overtakes bytes still in the receiver's buffer.
            tokio::time::sleep(Duration::from_millis(20)).await;
            stream.set_zero_linger().unwrap();
        }
        Reply::Hang(bytes) => {
            _ = stream.write_all(&bytes).await;
            std::future::pending().await
        }
        Reply::Slow(time) => {
            tokio::time::sleep(time).await;
            _ = stream.write_all(&bytes("200 OK", "", 2, b"{}")).await;
        }
    }
}

async fn read_request(stream: &mut TcpStream) -> Option<String> {
    let mut text = Vec::new();
    let mut chunk = [0; 4096];
    loop {
        let n = stream.read(&mut chunk).await.ok().filter(|n| *n > 0)?;
        text.extend_from_slice(&chunk[..n]);
        let request = String::from_utf8_lossy(&text);
        let Some((head, body)) = request.split_once("\r\n\r\n") else {
            continue;
        };
        let length = head
            .lines()
            .find_map(|line| line.to_ascii_lowercase().strip_prefix("content-length: ")?.parse().ok());
        if body.len() >= length.unwrap_or(0) {
            return Some(request.into_owned());
        }
    }
}
