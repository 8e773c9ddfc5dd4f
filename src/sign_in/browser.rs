//! The user's browser: shown a page, and listened to when it comes back.

use std::net::{Ipv4Addr, Ipv6Addr};
use std::time::Duration;

use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};
use url::{Host, Url};

use crate::connection::Secret;
use crate::error::{Error, ErrorKind, Result};

/// How long a user may take to sign in.
const PATIENCE: Duration = Duration::from_secs(300);
/// Longest head of a request.
const HEAD: usize = 16 << 10;

/// How a page is shown to the user.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Prompt {
    /// Whether a browser is started, besides printing the address.
    pub(crate) browser: bool,
}

impl Default for Prompt {
    /// A browser where there is a desktop.
    fn default() -> Self {
        let desktop = cfg!(any(windows, target_os = "macos"))
            || ["DISPLAY", "WAYLAND_DISPLAY"]
                .iter()
                .any(|name| std::env::var_os(name).is_some_and(|value| !value.is_empty()));
        Self { browser: desktop }
    }
}

impl Prompt {
    /// Prints the address to standard error, which no rows go to, and opens it.
    pub(super) fn show(self, url: &Url) {
        eprintln!("to sign in, open this address in a browser:\n{url}");
        if self.browser {
            // The address is there to be copied if this fails.
            let _ = open::that_detached(url.as_str());
        }
    }
}

/// What a sign-in ends with.
pub(super) struct Answer {
    pub(super) code: Secret,
    /// None: only the code was copied.
    pub(super) state: Option<String>,
}

impl Answer {
    /// A code, or the whole address of a callback with the code in it.
    pub(super) fn read(text: &str) -> Self {
        let text = text.trim();
        let parsed = Url::parse(text).ok().filter(|url| matches!(url.scheme(), "http" | "https"));
        let Some(url) = parsed else {
            return Self {
                code: text.into(),
                state: None,
            };
        };
        let pair = |name: &str| {
            url.query_pairs()
                .find(|(known, _)| known == name)
                .map(|(_, value)| value.into_owned())
        };
        Self {
            code: pair("code").or_else(|| pair("oauth_verifier")).unwrap_or_default().into(),
            state: pair("state").or_else(|| pair("oauth_token")),
        }
    }
}

/// A listener on the callback's port.
#[derive(Debug)]
pub(super) struct Listening {
    listeners: Vec<TcpListener>,
    path: String,
}

/// Listens on `callback`. None: it does not lead to this machine.
pub(super) async fn listen(callback: &Url) -> Result<Option<Listening>> {
    let port = callback.port_or_known_default().unwrap_or(80);
    // A browser takes `localhost` for either address.
    let addresses: Vec<std::net::IpAddr> = match callback.host() {
        _ if callback.scheme() != "http" => return Ok(None),
        Some(Host::Domain("localhost")) => vec![Ipv4Addr::LOCALHOST.into(), Ipv6Addr::LOCALHOST.into()],
        Some(Host::Ipv4(address)) if address.is_loopback() => vec![address.into()],
        Some(Host::Ipv6(address)) if address.is_loopback() => vec![address.into()],
        _ => return Ok(None),
    };
    let mut listeners = Vec::new();
    let mut trouble = None;
    for address in addresses {
        match TcpListener::bind((address, port)).await {
            Ok(listener) => listeners.push(listener),
            Err(error) => trouble = Some(error),
        }
    }
    if let (true, Some(error)) = (listeners.is_empty(), trouble) {
        return Err(
            Error::new(ErrorKind::Io, format!("cannot listen on the port of CallbackURL: {error}"))
                .hint("end the program that uses it, or register another port with the OAuth app and set CallbackURL"),
        );
    }
    Ok(Some(Listening {
        listeners,
        path: callback.path().to_owned(),
    }))
}

impl Listening {
    /// Waits for the callback that carries `state`; its code. Any other request is turned away.
    pub(super) async fn wait(self, state: &str) -> Result<Secret> {
        let waiting = async {
            let mut strangers = 0;
            loop {
                let stream = self.accept().await?;
                // A browser that opens a connection and says nothing must not keep others from coming through.
                let answered = tokio::time::timeout(Duration::from_secs(5), self.answer(stream, state)).await;
                match answered {
                    Ok(Some(Ok(code))) => return Ok(code),
                    Ok(Some(Err(Turned::Refused(words)))) => {
                        return Err(
                            Error::new(ErrorKind::Authentication, format!("the sign-in was refused: {words}"))
                                .hint("agree to the request, and check that the app's scopes and redirect URL are right"),
                        );
                    }
                    Ok(Some(Err(Turned::Stranger))) => {
                        strangers += 1;
                        tracing::warn!(target: "jsmql::auth", strangers, "a callback with a wrong state was turned away");
                    }
                    Ok(None) | Err(_) => {}
                }
            }
        };
        tokio::time::timeout(PATIENCE, waiting).await.unwrap_or_else(|_| {
            Err(Error::new(ErrorKind::Timeout, "nobody signed in within five minutes")
                .hint("run jsmql login again; on a machine without a browser copy the code to OAuthVerifier"))
        })
    }

    async fn accept(&self) -> Result<TcpStream> {
        let accepted = match &self.listeners[..] {
            [one, other, ..] => tokio::select! {
                accepted = one.accept() => accepted,
                accepted = other.accept() => accepted,
            },
            [one] => one.accept().await,
            [] => std::future::pending().await,
        };
        accepted
            .map(|(stream, _)| stream)
            .map_err(|error| Error::new(ErrorKind::Io, format!("cannot take the callback: {error}")))
    }

    /// Answers one request. None: it was no callback at all.
    async fn answer(&self, mut stream: TcpStream, state: &str) -> Option<Result<Secret, Turned>> {
        let mut head = Vec::new();
        while !head.ends_with(b"\r\n\r\n") && head.len() < HEAD {
            head.push(stream.read_u8().await.ok()?);
        }
        let head = String::from_utf8_lossy(&head);
        let mut words = head.split(' ');
        let (method, target) = (words.next()?, words.next()?);
        let url = Url::parse("http://localhost").ok()?.join(target).ok()?;
        if method != "GET" || url.path() != self.path {
            page(&mut stream, "404 Not Found", "There is nothing here.").await;
            return None;
        }
        let pair = |name: &str| {
            url.query_pairs()
                .find(|(known, _)| known == name)
                .map(|(_, value)| value.into_owned())
        };
        let fits = pair("state")
            .or_else(|| pair("oauth_token"))
            .is_some_and(|found| found == state);
        if !fits {
            page(
                &mut stream,
                "400 Bad Request",
                "This sign-in was not begun here. Go back to the terminal and use its address.",
            )
            .await;
            return Some(Err(Turned::Stranger));
        }
        if let Some(code) = pair("code")
            .or_else(|| pair("oauth_verifier"))
            .filter(|code| code != "denied")
        {
            page(&mut stream, "200 OK", "You are signed in. You can close this page.").await;
            return Some(Ok(code.into()));
        }
        page(&mut stream, "200 OK", "You are not signed in. You can close this page.").await;
        let words = pair("error_description")
            .or_else(|| pair("error"))
            .unwrap_or_else(|| "no reason was given".into());
        Some(Err(Turned::Refused(words.chars().take(200).collect())))
    }
}

/// Why a callback brings no code.
enum Turned {
    /// It does not belong to this sign-in.
    Stranger,
    /// The user or the server said no.
    Refused(String),
}

async fn page(stream: &mut TcpStream, status: &str, words: &str) {
    let body = format!("<!doctype html><title>jsmql</title><p>{words}</p>");
    let answer = format!(
        "HTTP/1.1 {status}\r\nContent-Type: text/html; charset=utf-8\r\nContent-Length: {}\r\n\
         Referrer-Policy: no-referrer\r\nCache-Control: no-store\r\nConnection: close\r\n\r\n{body}",
        body.len()
    );
    let _ = stream.write_all(answer.as_bytes()).await;
    let _ = stream.shutdown().await;
}
