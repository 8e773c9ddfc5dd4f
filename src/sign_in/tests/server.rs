//! A server of a few lines: each request goes to a function, which answers it.

use std::collections::HashMap;
use std::sync::Arc;

use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};
use url::form_urlencoded;

/// A request taken apart.
pub(super) struct Asked {
    pub(super) method: String,
    pub(super) path: String,
    pub(super) query: HashMap<String, String>,
    /// By name in lower case.
    pub(super) headers: HashMap<String, String>,
    pub(super) body: String,
}

impl Asked {
    pub(super) fn header(&self, name: &str) -> &str {
        self.headers.get(name).map_or("", String::as_str)
    }

    pub(super) fn form(&self) -> HashMap<String, String> {
        form_urlencoded::parse(self.body.as_bytes()).into_owned().collect()
    }
}

/// An answer: status, further header lines, body.
pub(super) type Answer = (u16, String, String);

pub(super) fn json(status: u16, body: impl ToString) -> Answer {
    (status, "Content-Type: application/json\r\n".into(), body.to_string())
}

/// Starts a server; its root, with `/` at the end.
pub(super) async fn start(answer: impl Fn(Asked) -> Answer + Send + Sync + 'static) -> String {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let url = format!("http://{}/", listener.local_addr().unwrap());
    let answer = Arc::new(answer);
    tokio::spawn(async move {
        loop {
            let (stream, _) = listener.accept().await.unwrap();
            let answer = Arc::clone(&answer);
            tokio::spawn(async move { serve(stream, &*answer).await });
        }
    });
    url
}

async fn serve(mut stream: TcpStream, answer: &(dyn Fn(Asked) -> Answer + Send + Sync)) -> Option<()> {
    let asked = read(&mut stream).await?;
    let (status, headers, body) = answer(asked);
    // Status 0 breaks the connection: the request was handled, its answer is lost.
    if status == 0 {
        return None;
    }
    let text = format!(
        "HTTP/1.1 {status} X\r\nConnection: close\r\nContent-Length: {}\r\n{headers}\r\n{body}",
        body.len()
    );
    stream.write_all(text.as_bytes()).await.ok()
}

async fn read(stream: &mut TcpStream) -> Option<Asked> {
    let mut bytes = Vec::new();
    let mut chunk = [0; 4096];
    loop {
        let n = stream.read(&mut chunk).await.ok().filter(|n| *n > 0)?;
        bytes.extend_from_slice(&chunk[..n]);
        let text = String::from_utf8_lossy(&bytes).into_owned();
        let Some((head, body)) = text.split_once("\r\n\r\n") else {
            continue;
        };
        let headers: HashMap<String, String> = head
            .lines()
            .skip(1)
            .filter_map(|line| line.split_once(": "))
            .map(|(name, value)| (name.to_ascii_lowercase(), value.to_owned()))
            .collect();
        let length = headers
            .get("content-length")
            .and_then(|length| length.parse().ok())
            .unwrap_or(0);
        if body.len() < length {
            continue;
        }
        let mut words = head.split(' ');
        let (method, target) = (words.next()?.to_owned(), words.next()?);
        let (path, query) = target.split_once('?').unwrap_or((target, ""));
        return Some(Asked {
            method,
            path: path.to_owned(),
            query: form_urlencoded::parse(query.as_bytes()).into_owned().collect(),
            headers,
            body: body.to_owned(),
        });
    }
}
