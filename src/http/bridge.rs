//! A tunnel through the proxies that reqwest cannot speak to: HTTP Digest, SOCKS4 with a user, CONNECT for plain HTTP.
//!
//! # Design
//!
//! reqwest opens its connections itself and answers no challenge of a proxy. So it is given a SOCKS5 proxy on loopback, which this
//! module is: each connection is accepted there, made through the real proxy, and bytes are copied both ways. TLS runs inside, from
//! reqwest to the site. A password made for this bridge alone keeps other programs of the machine from using it.

use crate::connection::{Hop, Protocol, Secret};
use crate::error::{Error, ErrorKind, Result};
use std::fmt;
use std::net::{Ipv4Addr, SocketAddr};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;
use tokio::io::{AsyncReadExt, AsyncWriteExt, copy_bidirectional};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::oneshot;
use tokio_socks::tcp::Socks4Stream;
use url::Url;

/// Longest time to get through the proxy.
const PATIENCE: Duration = Duration::from_secs(10);
/// Longest head of a proxy's answer.
const HEAD: usize = 16 << 10;

/// A running bridge. It stops when it is dropped.
pub(super) struct Bridge {
    address: SocketAddr,
    password: Secret,
    trouble: Arc<Mutex<Option<Error>>>,
    _stop: oneshot::Sender<()>,
}

impl fmt::Debug for Bridge {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Bridge")
            .field("address", &self.address)
            .finish_non_exhaustive()
    }
}

/// What each connection needs.
struct Way {
    hop: Hop,
    password: Secret,
    /// The challenge that the proxy sent last: answered at once by the next connection, with its count going up.
    challenge: Mutex<Option<digest_auth::WwwAuthenticateHeader>>,
    trouble: Arc<Mutex<Option<Error>>>,
}

impl Bridge {
    /// Starts a bridge through `hop` on a thread of its own: clients are made outside of any runtime, too.
    pub(super) fn start(hop: Hop) -> Result<Self> {
        let failed = |error: std::io::Error| Error::new(ErrorKind::Io, format!("cannot listen on loopback: {error}"));
        let listener = std::net::TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).map_err(failed)?;
        listener.set_nonblocking(true).map_err(failed)?;
        let address = listener.local_addr().map_err(failed)?;
        let password = Secret::from(oauth2::CsrfToken::new_random().into_secret());
        let trouble = Arc::default();
        let way = Arc::new(Way {
            hop,
            password: password.clone(),
            challenge: Mutex::default(),
            trouble: Arc::clone(&trouble),
        });
        let (stop, stopped) = oneshot::channel::<()>();
        let runtime = tokio::runtime::Builder::new_current_thread()
            .enable_all()
            .build()
            .map_err(failed)?;
        std::thread::Builder::new()
            .name("jsmql-bridge".into())
            .spawn(move || {
                runtime.block_on(async move {
                    tokio::select! {
                        _ = stopped => {}
                        () = serve(listener, way) => {}
                    }
                });
            })
            .map_err(failed)?;
        Ok(Self {
            address,
            password,
            trouble,
            _stop: stop,
        })
    }

    /// The bridge as a proxy.
    pub(super) fn url(&self) -> Url {
        let text = format!("socks5h://jsmql:{}@{}", self.password.expose(), self.address);
        Url::parse(&text).expect("an address and a password of base64url make a URL")
    }

    /// What kept the newest connection from being made.
    pub(super) fn trouble(&self) -> Option<Error> {
        let trouble = self.trouble.lock().unwrap_or_else(PoisonError::into_inner);
        trouble.as_ref().map(Error::again)
    }
}

async fn serve(listener: std::net::TcpListener, way: Arc<Way>) {
    let Ok(listener) = TcpListener::from_std(listener) else {
        return;
    };
    loop {
        let Ok((stream, _)) = listener.accept().await else {
            tokio::time::sleep(Duration::from_millis(50)).await;
            continue;
        };
        let way = Arc::clone(&way);
        tokio::spawn(async move {
            // A connection that breaks is noticed at its ends.
            let _ = way.carry(stream).await;
        });
    }
}

impl Way {
    /// One connection from reqwest to the site.
    async fn carry(&self, mut near: TcpStream) -> std::io::Result<()> {
        let (host, port) = self.greet(&mut near).await?;
        let made = tokio::time::timeout(PATIENCE, self.dial(&host, port)).await;
        let made = made.unwrap_or_else(|_| Err(self.error(ErrorKind::Unreachable, "gave no answer in time")));
        *self.trouble.lock().unwrap_or_else(PoisonError::into_inner) = made.as_ref().err().map(Error::again);
        match made {
            Ok(mut far) => {
                near.write_all(&[5, 0, 0, 1, 0, 0, 0, 0, 0, 0]).await?;
                copy_bidirectional(&mut near, &mut far).await.map(drop)
            }
            // "General failure": the reason is in `trouble`.
            Err(_) => near.write_all(&[5, 1, 0, 1, 0, 0, 0, 0, 0, 0]).await,
        }
    }

    /// The server's side of SOCKS5 (RFC 1928 and 1929), as far as reqwest speaks it: user and password, CONNECT.
    async fn greet(&self, near: &mut TcpStream) -> std::io::Result<(String, u16)> {
        let refuse = || std::io::Error::from(std::io::ErrorKind::PermissionDenied);
        let methods = near.read_u16().await? & 0xff;
        let mut offered = vec![0; methods.into()];
        near.read_exact(&mut offered).await?;
        if !offered.contains(&2) {
            near.write_all(&[5, 0xff]).await?;
            return Err(refuse());
        }
        near.write_all(&[5, 2]).await?;
        near.read_u8().await?;
        let (_, password) = (text(near).await?, text(near).await?);
        if password != self.password.expose().as_bytes() {
            near.write_all(&[1, 1]).await?;
            return Err(refuse());
        }
        near.write_all(&[1, 0]).await?;
        let mut head = [0; 4];
        near.read_exact(&mut head).await?;
        let host = match head {
            [5, 1, _, 1] => Ipv4Addr::from(near.read_u32().await?).to_string(),
            [5, 1, _, 4] => std::net::Ipv6Addr::from(near.read_u128().await?).to_string(),
            [5, 1, _, 3] => String::from_utf8(text(near).await?).map_err(|_| refuse())?,
            _ => return Err(refuse()),
        };
        Ok((host, near.read_u16().await?))
    }

    /// A connection to the site through the proxy.
    async fn dial(&self, host: &str, port: u16) -> Result<TcpStream> {
        let Hop { protocol, account, .. } = &self.hop;
        match protocol {
            Protocol::Socks4 => {
                let user = account.as_ref().map_or("", |(user, _)| user);
                let proxy = (self.hop.host.as_str(), self.hop.port);
                let made = Socks4Stream::connect_with_userid(proxy, (host, port), user).await;
                made.map(Socks4Stream::into_inner)
                    .map_err(|error| self.error(ErrorKind::Unreachable, &format!("refused: {error}")))
            }
            Protocol::Http => self.tunnel(&authority(host, port)).await,
            Protocol::Https | Protocol::Socks5 => Err(Error::new(ErrorKind::Internal, "reqwest speaks to this proxy itself")),
        }
    }

    /// CONNECT, a second time if the proxy has a challenge.
    async fn tunnel(&self, target: &str) -> Result<TcpStream> {
        for last in [false, true] {
            let mut stream = TcpStream::connect((self.hop.host.as_str(), self.hop.port))
                .await
                .map_err(|error| self.error(ErrorKind::Unreachable, &format!("cannot be reached: {error}")))?;
            let answered = self.connect(&mut stream, target).await;
            let (status, challenge) =
                answered.map_err(|error| self.error(ErrorKind::Unavailable, &format!("ended the connection: {error}")))?;
            match status {
                200..300 => return Ok(stream),
                407 if last || !self.hop.digest || challenge.is_none() => {
                    return Err(self.error(ErrorKind::Authentication, "does not accept user and password"));
                }
                // Many proxies end the connection after a challenge, so the answer goes over a fresh one.
                407 => *self.challenge.lock().unwrap_or_else(PoisonError::into_inner) = challenge,
                status => return Err(self.error(ErrorKind::Unreachable, &format!("refused to connect: HTTP {status}"))),
            }
        }
        Err(Error::new(ErrorKind::Internal, "a tunnel was neither made nor refused"))
    }

    /// Sends CONNECT; the status of the answer, and its Digest challenge.
    async fn connect(
        &self,
        stream: &mut TcpStream,
        target: &str,
    ) -> std::io::Result<(u16, Option<digest_auth::WwwAuthenticateHeader>)> {
        let mut request = format!("CONNECT {target} HTTP/1.1\r\nHost: {target}\r\n");
        if let Some(proof) = self.proof(target) {
            request += &format!("Proxy-Authorization: {proof}\r\n");
        }
        request += "\r\n";
        stream.write_all(request.as_bytes()).await?;
        let mut head = Vec::new();
        while !head.ends_with(b"\r\n\r\n") {
            // One byte at a time: the next ones may already belong to the site.
            head.push(stream.read_u8().await?);
            if head.len() > HEAD {
                return Err(std::io::Error::from(std::io::ErrorKind::InvalidData));
            }
        }
        let head = String::from_utf8_lossy(&head);
        let status = head.split(' ').nth(1).and_then(|status| status.parse().ok());
        let challenge = head.lines().find_map(|line| {
            let (name, value) = line.split_once(':')?;
            let digest = value.trim_start().get(..7)?.eq_ignore_ascii_case("digest ");
            let asked = name.eq_ignore_ascii_case("proxy-authenticate") && digest;
            asked.then(|| digest_auth::parse(value.trim()).ok()).flatten()
        });
        Ok((status.unwrap_or_default(), challenge))
    }

    /// The value of `Proxy-Authorization`. None: there is no account, or no challenge yet.
    fn proof(&self, target: &str) -> Option<String> {
        let (user, password) = self.hop.account.as_ref()?;
        if !self.hop.digest {
            use base64::Engine as _;
            let pair = format!("{user}:{}", password.expose());
            return Some(format!("Basic {}", base64::engine::general_purpose::STANDARD.encode(pair)));
        }
        let mut challenge = self.challenge.lock().unwrap_or_else(PoisonError::into_inner);
        let context = digest_auth::AuthContext::new_with_method(
            user,
            password.expose(),
            target,
            None::<&[u8]>,
            digest_auth::HttpMethod::CONNECT,
        );
        Some(challenge.as_mut()?.respond(&context).ok()?.to_header_string())
    }

    fn error(&self, kind: ErrorKind, what: &str) -> Error {
        let Hop { option, host, port, .. } = &self.hop;
        let error = Error::new(kind, format!("the proxy {} {what}", authority(host, *port)));
        let user = option.replace("Server", "User");
        match kind {
            ErrorKind::Authentication => error.hint(format!("check {user} and {}", option.replace("Server", "Password"))),
            _ => error.hint(format!("check {option} and {}", option.replace("Server", "Port"))),
        }
    }
}

/// Bytes with their length in front.
async fn text(stream: &mut TcpStream) -> std::io::Result<Vec<u8>> {
    let mut bytes = vec![0; stream.read_u8().await?.into()];
    stream.read_exact(&mut bytes).await?;
    Ok(bytes)
}

/// `host:port`, an IPv6 address in brackets.
fn authority(host: &str, port: u16) -> String {
    if host.contains(':') {
        format!("[{host}]:{port}")
    } else {
        format!("{host}:{port}")
    }
}
