//! The client through real proxies, started here: HTTP with and without accounts, SOCKS4 and SOCKS5.

use super::site::{Site, ok};
use super::*;
use crate::connection::Connection;
use std::sync::Mutex;
use tokio::io::{AsyncReadExt, AsyncWriteExt, copy_bidirectional};
use tokio::net::{TcpListener, TcpStream};

const USER: &str = "ann";
const PASSWORD: &str = "p c4n4ry";

/// How a proxy is spoken to.
#[derive(Clone, Copy, PartialEq)]
enum Kind {
    Open,
    Basic,
    Digest,
    /// Answers every request with 403.
    Refusing,
    Socks4,
    Socks5,
}

/// A proxy that notes what it was asked: `CONNECT host:port`, or method and URL.
struct Proxy {
    port: u16,
    seen: Arc<Mutex<Vec<String>>>,
}

impl Proxy {
    async fn start(kind: Kind) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let port = listener.local_addr().unwrap().port();
        let seen = Arc::default();
        let noted = Arc::clone(&seen);
        tokio::spawn(async move {
            loop {
                let (stream, _) = listener.accept().await.unwrap();
                let noted = Arc::clone(&noted);
                tokio::spawn(async move {
                    match kind {
                        Kind::Socks4 => socks4(stream, noted).await,
                        Kind::Socks5 => socks5(stream, noted).await,
                        kind => http(stream, kind, noted).await,
                    }
                });
            }
        });
        Self { port, seen }
    }

    fn seen(&self) -> Vec<String> {
        self.seen.lock().unwrap().clone()
    }
}

async fn join(mut near: TcpStream, target: &str, greeting: &[u8]) -> Option<()> {
    // The site of these tests lives on loopback, whatever name it is asked for.
    let port = target.rsplit(':').next()?;
    let mut far = TcpStream::connect(format!("127.0.0.1:{port}")).await.ok()?;
    near.write_all(greeting).await.ok()?;
    copy_bidirectional(&mut near, &mut far).await.ok().map(drop)
}

async fn http(mut stream: TcpStream, kind: Kind, seen: Arc<Mutex<Vec<String>>>) -> Option<()> {
    let mut head = Vec::new();
    while !head.ends_with(b"\r\n\r\n") {
        head.push(stream.read_u8().await.ok()?);
    }
    let head = String::from_utf8(head).unwrap();
    let line = head.lines().next()?.to_owned();
    let proof = head.lines().find_map(|line| {
        let (name, value) = line.split_once(": ")?;
        name.eq_ignore_ascii_case("proxy-authorization").then(|| value.to_owned())
    });
    let accepted = match kind {
        Kind::Open => true,
        Kind::Basic => proof.as_deref() == Some("Basic YW5uOnAgYzRuNHJ5"),
        Kind::Digest => proof.as_deref().is_some_and(|proof| is_right(proof, &line)),
        _ => false,
    };
    seen.lock()
        .unwrap()
        .push(format!("{}{}", if accepted { "" } else { "refused " }, line));
    if !accepted {
        let (status, challenge) = match kind {
            Kind::Basic => (
                "407 Proxy Authentication Required",
                "Proxy-Authenticate: Basic realm=\"x\"\r\n",
            ),
            Kind::Digest => (
                "407 Proxy Authentication Required",
                "Proxy-Authenticate: Digest realm=\"x\", nonce=\"n1\", qop=\"auth\", algorithm=MD5\r\n",
            ),
            _ => ("403 Forbidden", ""),
        };
        let answer = format!("HTTP/1.1 {status}\r\n{challenge}Content-Length: 0\r\nConnection: close\r\n\r\n");
        return stream.write_all(answer.as_bytes()).await.ok();
    }
    let mut parts = line.split(' ');
    let (method, target) = (parts.next()?, parts.next()?);
    if method == "CONNECT" {
        return join(stream, target, b"HTTP/1.1 200 OK\r\n\r\n").await;
    }
    // A plain request: handed on as it is, to the port in its URL.
    let url = Url::parse(target).unwrap();
    let mut far = TcpStream::connect(("127.0.0.1", url.port().unwrap())).await.ok()?;
    far.write_all(head.as_bytes()).await.ok()?;
    copy_bidirectional(&mut stream, &mut far).await.ok().map(drop)
}

/// Whether a Digest proof is right (RFC 7616), computed here on its own.
fn is_right(proof: &str, line: &str) -> bool {
    use sha2::Digest as _;
    let hash = |text: String| {
        let bytes = md5::Md5::digest(text.as_bytes());
        bytes.iter().map(|byte| format!("{byte:02x}")).collect::<String>()
    };
    let field = |name: &str| {
        let rest = proof.split(&format!("{name}=")).nth(1).unwrap_or_default();
        rest.trim_start_matches('"')
            .split(['"', ','])
            .next()
            .unwrap_or_default()
            .to_owned()
    };
    let mut parts = line.split(' ');
    let (method, uri) = (parts.next().unwrap(), parts.next().unwrap());
    let (a1, a2) = (hash(format!("{USER}:x:{PASSWORD}")), hash(format!("{method}:{uri}")));
    let expected = hash(format!("{a1}:n1:{}:{}:auth:{a2}", field("nc"), field("cnonce")));
    field(" response") == expected && field(" nonce") == "n1"
}

async fn socks4(mut stream: TcpStream, seen: Arc<Mutex<Vec<String>>>) -> Option<()> {
    let mut head = [0; 8];
    stream.read_exact(&mut head).await.ok()?;
    let port = u16::from_be_bytes([head[2], head[3]]);
    let user = zero(&mut stream).await?;
    let accepted = user == USER;
    seen.lock().unwrap().push(format!("SOCKS4 {user}"));
    if !accepted {
        return stream.write_all(&[0, 93, 0, 0, 0, 0, 0, 0]).await.ok();
    }
    join(stream, &format!("x:{port}"), &[0, 90, 0, 0, 0, 0, 0, 0]).await
}

async fn zero(stream: &mut TcpStream) -> Option<String> {
    let mut bytes = Vec::new();
    loop {
        match stream.read_u8().await.ok()? {
            0 => return String::from_utf8(bytes).ok(),
            byte => bytes.push(byte),
        }
    }
}

async fn socks5(mut stream: TcpStream, seen: Arc<Mutex<Vec<String>>>) -> Option<()> {
    async fn text(stream: &mut TcpStream) -> Option<String> {
        let mut bytes = vec![0; stream.read_u8().await.ok()?.into()];
        stream.read_exact(&mut bytes).await.ok()?;
        String::from_utf8(bytes).ok()
    }
    let mut head = [0; 2];
    stream.read_exact(&mut head).await.ok()?;
    let mut methods = vec![0; head[1].into()];
    stream.read_exact(&mut methods).await.ok()?;
    if !methods.contains(&2) {
        seen.lock().unwrap().push("SOCKS5 without an account".into());
        return stream.write_all(&[5, 0xff]).await.ok();
    }
    stream.write_all(&[5, 2]).await.ok()?;
    stream.read_u8().await.ok()?;
    let (user, password) = (text(&mut stream).await?, text(&mut stream).await?);
    let accepted = user == USER && password == PASSWORD;
    stream.write_all(&[1, u8::from(!accepted)]).await.ok()?;
    if !accepted {
        seen.lock().unwrap().push("SOCKS5 refused".into());
        return None;
    }
    let mut head = [0; 4];
    stream.read_exact(&mut head).await.ok()?;
    let host = if head[3] == 3 {
        text(&mut stream).await?
    } else {
        stream.read_u32().await.ok()?;
        "address".into()
    };
    let port = stream.read_u16().await.ok()?;
    seen.lock().unwrap().push(format!("SOCKS5 {host}"));
    join(stream, &format!("{host}:{port}"), &[5, 0, 0, 1, 0, 0, 0, 0, 0, 0]).await
}

/// Asks the site through what `options` say. `host` is a name that only the proxies know.
async fn ask(site: &Site, host: &str, options: &str) -> Result<Response> {
    let text = format!(
        "URL=http://{host}:{}/;AllowInsecure=true;AuthScheme=Anonymous;{options}",
        site.url.port().unwrap()
    );
    let connection = Connection::parse(&text, [])?;
    let client = Client::new(ClientOptions {
        route: connection.route().clone(),
        retry: RetryPolicy {
            transient_base: MS,
            ..RetryPolicy::default()
        },
        ..ClientOptions::site(connection.site().clone())
    })?;
    client.send(&request(Safety::Read), &statement()).await
}

const INSIDE: &str = "jira.test.invalid";

#[tokio::test]
async fn a_proxy_is_used_with_and_without_an_account() {
    for (kind, account, ssl, seen) in [
        (Kind::Open, "", "AUTO", &["GET http://"][..]),
        (Kind::Open, "", "NEVER", &["GET http://"]),
        (Kind::Open, "", "TUNNEL", &["CONNECT jira.test.invalid:"]),
        (Kind::Basic, "BASIC", "AUTO", &["GET http://"]),
        (Kind::Basic, "BASIC", "TUNNEL", &["CONNECT jira.test.invalid:"]),
        (
            Kind::Digest,
            "DIGEST",
            "AUTO",
            &["refused CONNECT jira.test.invalid:", "CONNECT jira.test.invalid:"],
        ),
    ] {
        let (site, proxy) = (Site::start(vec![ok()]).await, Proxy::start(kind).await);
        let account = match account {
            "" => String::new(),
            scheme => format!("ProxyAuthScheme={scheme};ProxyUser={USER};ProxyPassword='{PASSWORD}';"),
        };
        let options = format!("ProxyServer=127.0.0.1;ProxyPort={};ProxySSLType={ssl};{account}", proxy.port);
        let answer = ask(&site, INSIDE, &options).await;
        assert_eq!(answer.unwrap_or_else(|error| panic!("{options}: {error}")).status, 200);
        let found = proxy.seen();
        assert_eq!(found.len(), seen.len(), "{found:?}");
        assert!(
            found.iter().zip(seen).all(|(found, seen)| found.starts_with(seen)),
            "{found:?}"
        );
    }
}

#[tokio::test]
async fn the_exceptions_are_reached_directly() {
    let (site, proxy) = (Site::start(vec![ok()]).await, Proxy::start(Kind::Open).await);
    let options = format!(
        "ProxyServer=127.0.0.1;ProxyPort={};ProxyExceptions='x.example;127.0.0.1'",
        proxy.port
    );
    assert!(ask(&site, "127.0.0.1", &options).await.is_ok());
    assert_eq!(proxy.seen(), [""; 0]);
}

#[tokio::test]
async fn firewalls() {
    for (kind, word, host, account, seen) in [
        (Kind::Open, "TUNNEL", INSIDE, "", "CONNECT jira.test.invalid:"),
        (
            Kind::Basic,
            "TUNNEL",
            INSIDE,
            "FirewallUser=ann;FirewallPassword='p c4n4ry'",
            "CONNECT jira.test.invalid:",
        ),
        (Kind::Socks4, "SOCKS4", "127.0.0.1", "FirewallUser=ann", "SOCKS4 ann"),
        (
            Kind::Socks5,
            "SOCKS5",
            INSIDE,
            "FirewallUser=ann;FirewallPassword='p c4n4ry'",
            "SOCKS5 jira.test.invalid",
        ),
    ] {
        let (site, wall) = (Site::start(vec![ok()]).await, Proxy::start(kind).await);
        let options = format!(
            "FirewallType={word};FirewallServer=127.0.0.1;FirewallPort={};{account}",
            wall.port
        );
        let answer = ask(&site, host, &options).await;
        assert_eq!(answer.unwrap_or_else(|error| panic!("{word}: {error}")).status, 200);
        assert!(wall.seen()[0].starts_with(seen), "{:?}", wall.seen());
    }
}

#[tokio::test]
async fn a_proxy_that_refuses_is_named() {
    for (kind, options, message, hint) in [
        (
            Kind::Refusing,
            "ProxyServer=127.0.0.1;ProxyPort=PORT;ProxySSLType=TUNNEL",
            "refused to connect: HTTP 403",
            "ProxyServer",
        ),
        (
            Kind::Digest,
            "ProxyServer=127.0.0.1;ProxyPort=PORT;ProxyAuthScheme=DIGEST;ProxyUser=ann;ProxyPassword=c4n4ry",
            "does not accept user and password",
            "ProxyPassword",
        ),
        (
            Kind::Basic,
            "ProxyServer=127.0.0.1;ProxyPort=PORT;ProxyUser=ann;ProxyPassword=c4n4ry",
            "407",
            "ProxyPassword",
        ),
        (
            Kind::Basic,
            "FirewallType=TUNNEL;FirewallServer=127.0.0.1;FirewallPort=PORT;FirewallUser=ann;FirewallPassword=c4n4ry",
            "does not accept user and password",
            "FirewallPassword",
        ),
        (
            Kind::Socks4,
            "FirewallType=SOCKS4;FirewallServer=127.0.0.1;FirewallPort=PORT;FirewallUser=bob",
            "refused",
            "FirewallServer",
        ),
        (
            Kind::Socks5,
            "FirewallType=SOCKS5;FirewallServer=127.0.0.1;FirewallPort=PORT;FirewallUser=ann;FirewallPassword=c4n4ry",
            "proxy",
            "Firewall",
        ),
        (
            Kind::Socks5,
            "FirewallType=SOCKS5;FirewallServer=127.0.0.1;FirewallPort=PORT",
            "proxy",
            "Firewall",
        ),
    ] {
        let (site, proxy) = (Site::start(vec![ok()]).await, Proxy::start(kind).await);
        let options = options.replace("PORT", &proxy.port.to_string());
        let host = if kind == Kind::Socks4 { "127.0.0.1" } else { INSIDE };
        let error = ask(&site, host, &options).await.expect_err(&options);
        assert!(error.message().contains(message), "{options}: {error}\n  lacks {message}");
        assert!(
            error.hint_text().unwrap().contains(hint),
            "{options}: {:?}",
            error.hint_text()
        );
        assert!(!format!("{error:?} {error}").contains("c4n4ry"), "{error:?}");
        assert!(site.requests().is_empty());
    }
}

#[tokio::test]
async fn a_bridge_serves_nobody_else() {
    let hop = match Connection::parse(
        "URL=https://a.example;AuthScheme=Anonymous;ProxyServer=127.0.0.1;ProxyAuthScheme=DIGEST;ProxyUser=a",
        [],
    )
    .unwrap()
    .route()
    {
        crate::connection::Route::Through(hop) => hop.clone(),
        _ => panic!("no proxy"),
    };
    let bridge = crate::http::bridge::Bridge::start(hop).unwrap();
    let address = format!("127.0.0.1:{}", bridge.url().port().unwrap());
    let mut stream = TcpStream::connect(&address).await.unwrap();
    stream.write_all(&[5, 1, 0]).await.unwrap();
    let mut answer = [0; 2];
    stream.read_exact(&mut answer).await.unwrap();
    assert_eq!(answer, [5, 0xff]);
    let mut stream = TcpStream::connect(&address).await.unwrap();
    stream.write_all(&[5, 1, 2, 1, 1, b'a', 1, b'b']).await.unwrap();
    let mut answer = [0; 4];
    stream.read_exact(&mut answer).await.unwrap();
    assert_eq!(answer, [5, 2, 1, 1]);
}
