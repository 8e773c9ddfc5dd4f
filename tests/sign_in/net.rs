//! An internet of a few hosts behind one proxy: a site of Cloud, Atlassian's gateway and authorization server, a Data Center site, Crowd
//! and Okta, all with one certificate. What the sites show is the demo site's.

use std::collections::HashMap;
use std::path::Path;
use std::sync::{Arc, Mutex};

use base64::Engine as _;
use base64::engine::general_purpose::{STANDARD, URL_SAFE_NO_PAD};
use jsmql::demo::{DemoOptions, DemoSite, TOKEN, USER};
use rcgen::{CertificateParams, KeyPair};
use rustls::ServerConfig;
use rustls::pki_types::PrivatePkcs8KeyDer;
use sha2::{Digest, Sha256};
use tokio::io::{AsyncRead, AsyncReadExt, AsyncWrite, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};
use tokio_rustls::TlsAcceptor;
use url::{Url, form_urlencoded};

const HOSTS: [&str; 7] = [
    // The proxy.
    "localhost",
    "acme.atlassian.net",
    "api.atlassian.com",
    "auth.atlassian.com",
    "jira.example.net",
    "crowd.example.net",
    "acme.okta.com",
];

/// Atlassian's id of the site.
pub(super) const CLOUD_ID: &str = "1324a887-45db-4bf4-8f1a-3f5c3f1c2a4b";

/// What the hosts know.
#[derive(Default)]
pub(super) struct State {
    /// Number of the newest pair of tokens, `a0` and `r0`.
    pub(super) number: u32,
    pub(super) refreshes: u32,
    /// API requests that the newest access token is still good for. None: any number.
    pub(super) good_for: Option<u32>,
    /// The Data Center site shows everything to everybody.
    pub(super) open: bool,
    /// Scopes that the authorization server says it granted.
    pub(super) scope: String,
    /// Paths of the API that the token has no scope for.
    pub(super) unscoped: Vec<&'static str>,
    /// What was asked: method, host and path.
    pub(super) asked: Vec<String>,
    challenge: String,
    session: u32,
}

/// The hosts, and the way to them.
pub(super) struct Net {
    port: u16,
    folder: tempfile::TempDir,
    pub(super) demo: DemoSite,
    pub(super) state: Arc<Mutex<State>>,
}

impl Net {
    pub(super) async fn start() -> Self {
        let folder = tempfile::tempdir().unwrap();
        let key = KeyPair::generate().unwrap();
        let certificate = CertificateParams::new(HOSTS.map(str::to_owned).to_vec())
            .unwrap()
            .self_signed(&key)
            .unwrap();
        std::fs::write(folder.path().join("ca.pem"), certificate.pem()).unwrap();
        let config = ServerConfig::builder_with_provider(rustls::crypto::aws_lc_rs::default_provider().into())
            .with_safe_default_protocol_versions()
            .unwrap()
            .with_no_client_auth()
            .with_single_cert(
                vec![certificate.der().clone()],
                PrivatePkcs8KeyDer::from(key.serialize_der()).into(),
            );
        let acceptor = TlsAcceptor::from(Arc::new(config.unwrap()));
        let demo = DemoSite::start(DemoOptions::fixed()).await.unwrap();
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let port = listener.local_addr().unwrap().port();
        let state = Arc::<Mutex<State>>::default();
        let host = Host {
            state: Arc::clone(&state),
            demo: demo.url().to_owned(),
            client: reqwest::Client::builder().no_proxy().build().unwrap(),
        };
        tokio::spawn(async move {
            while let Ok((stream, _)) = listener.accept().await {
                let (acceptor, host) = (acceptor.clone(), host.clone());
                tokio::spawn(async move { host.connected(stream, acceptor).await });
            }
        });
        Self {
            port,
            folder,
            demo,
            state,
        }
    }

    /// The proxy, as the environment names it.
    pub(super) fn proxy(&self) -> String {
        format!("http://127.0.0.1:{}", self.port)
    }

    /// The file with the certificate of all hosts.
    pub(super) fn trust(&self) -> String {
        self.folder.path().join("ca.pem").display().to_string()
    }

    /// The options that lead here.
    pub(super) fn way(&self) -> String {
        let trust = self.folder.path().join("ca.pem");
        format!(
            "ProxyServer=127.0.0.1;ProxyPort={};SSLServerCert={}",
            self.port,
            trust.display()
        )
    }

    /// A folder that goes with the net.
    pub(super) fn folder(&self) -> &Path {
        self.folder.path()
    }

    /// A user who opens the address in a browser and agrees; the address that the browser comes back to.
    pub(super) fn agree(&self, url: &str) -> String {
        let url = Url::parse(url).unwrap();
        let asked: HashMap<String, String> = url.query_pairs().into_owned().collect();
        if url.path() == "/plugins/servlet/oauth/authorize" {
            assert_eq!(asked["oauth_token"], "request-token");
            return "http://localhost:33333/?oauth_token=request-token&oauth_verifier=v3rifier".to_owned();
        }
        assert!(["/authorize", "/rest/oauth2/latest/authorize"].contains(&url.path()), "{url}");
        assert_eq!(
            (asked["client_id"].as_str(), asked["response_type"].as_str()),
            ("kqZ81", "code")
        );
        assert!(!asked["scope"].is_empty());
        self.state.lock().unwrap().challenge = asked["code_challenge"].clone();
        format!("{}?code=c0de&state={}", asked["redirect_uri"], asked["state"])
    }

    /// Method, host and path of what was asked since the last call.
    pub(super) fn asked(&self) -> Vec<String> {
        std::mem::take(&mut self.state.lock().unwrap().asked)
    }
}

/// One request.
struct Asked {
    method: String,
    /// With its query.
    path: String,
    headers: HashMap<String, String>,
    body: Vec<u8>,
}

impl Asked {
    fn header(&self, name: &str) -> &str {
        self.headers.get(name).map_or("", String::as_str)
    }

    fn form(&self) -> HashMap<String, String> {
        form_urlencoded::parse(&self.body).into_owned().collect()
    }
}

/// What becomes of a request.
enum Outcome {
    /// Status, further header lines, body.
    Answer(u16, String, String),
    /// What the demo site says to this path, with further header lines; its links name this host.
    Demo(String, String, &'static str),
}

fn json(status: u16, body: impl Into<String>) -> Outcome {
    Outcome::Answer(status, "Content-Type: application/json\r\n".to_owned(), body.into())
}

#[derive(Clone)]
struct Host {
    state: Arc<Mutex<State>>,
    demo: String,
    client: reqwest::Client,
}

impl Host {
    /// A connection to the proxy, in TLS or not.
    async fn connected(self, stream: TcpStream, acceptor: TlsAcceptor) -> Option<()> {
        const HANDSHAKE: u8 = 0x16;
        let mut first = [0];
        stream.peek(&mut first).await.ok()?;
        if first[0] == HANDSHAKE {
            let stream = acceptor.accept(stream).await.ok()?;
            self.state.lock().unwrap().asked.push("TLS".to_owned());
            return self.proxied(stream, acceptor).await;
        }
        self.proxied(stream, acceptor).await
    }

    async fn proxied(self, mut stream: impl AsyncRead + AsyncWrite + Unpin, acceptor: TlsAcceptor) -> Option<()> {
        let asked = read(&mut stream).await?;
        assert_eq!(asked.method, "CONNECT");
        let host = asked.path.strip_suffix(":443").unwrap().to_owned();
        stream.write_all(b"HTTP/1.1 200 OK\r\n\r\n").await.ok()?;
        let mut stream = acceptor.accept(stream).await.ok()?;
        loop {
            let asked = read(&mut stream).await?;
            let (status, headers, body) = self.serve(&host, &asked).await;
            let head = format!("HTTP/1.1 {status} X\r\nContent-Length: {}\r\n{headers}\r\n", body.len());
            stream.write_all(head.as_bytes()).await.ok()?;
            stream.write_all(&body).await.ok()?;
        }
    }

    async fn serve(&self, host: &str, asked: &Asked) -> (u16, String, Vec<u8>) {
        let outcome = {
            let mut state = self.state.lock().unwrap();
            let path = asked.path.split('?').next().unwrap_or_default();
            state.asked.push(format!("{} {host}{path}", asked.method));
            answer(&mut state, host, path, asked)
        };
        let (path, headers, named) = match outcome {
            Outcome::Answer(status, headers, body) => return (status, headers, body.into_bytes()),
            Outcome::Demo(path, headers, named) => (path, headers, named),
        };
        let method = reqwest::Method::from_bytes(asked.method.as_bytes()).unwrap();
        let mut request = self.client.request(method, format!("{}{path}", self.demo));
        for name in ["content-type", "x-experimentalapi", "accept-language"] {
            if let Some(value) = asked.headers.get(name) {
                request = request.header(name, value);
            }
        }
        let answer = request
            .basic_auth(USER, Some(TOKEN))
            .body(asked.body.clone())
            .send()
            .await
            .unwrap();
        let status = answer.status().as_u16();
        let body = answer.text().await.unwrap().replace(&self.demo, named);
        (
            status,
            format!("Content-Type: application/json\r\n{headers}"),
            body.into_bytes(),
        )
    }
}

async fn read(stream: &mut (impl AsyncRead + AsyncWrite + Unpin)) -> Option<Asked> {
    let mut head = Vec::new();
    while !head.ends_with(b"\r\n\r\n") {
        head.push(stream.read_u8().await.ok()?);
    }
    let head = String::from_utf8(head).unwrap();
    let mut words = head.split(' ');
    let (method, path) = (words.next()?.to_owned(), words.next()?.to_owned());
    let headers: HashMap<String, String> = head
        .lines()
        .skip(1)
        .filter_map(|line| line.split_once(": "))
        .map(|(name, value)| (name.to_ascii_lowercase(), value.to_owned()))
        .collect();
    let length = headers.get("content-length").map_or(0, |length| length.parse().unwrap());
    let mut body = vec![0; length];
    stream.read_exact(&mut body).await.ok()?;
    Some(Asked {
        method,
        path,
        headers,
        body,
    })
}

fn answer(state: &mut State, host: &str, path: &str, asked: &Asked) -> Outcome {
    let basic = |pair: &str| asked.header("authorization") == format!("Basic {}", STANDARD.encode(pair));
    let refused = || json(401, r#"{"message":"Client must be authenticated to access this resource."}"#);
    match host {
        "acme.atlassian.net" => match path {
            "/_edge/tenant_info" => json(200, format!("{{\"cloudId\":\"{CLOUD_ID}\"}}")),
            _ if basic("ann@acme.example:ATATT3xFf") => demo(asked, "", "https://acme.atlassian.net"),
            _ => refused(),
        },
        "auth.atlassian.com" if path == "/oauth/token" => token(state, asked),
        "api.atlassian.com" => {
            if !basic("ann@acme.example:ATSTT3xFf") && !is_newest(state, asked) {
                return refused();
            }
            if path == "/oauth/token/accessible-resources" {
                return json(
                    200,
                    format!("[{{\"id\":\"{CLOUD_ID}\",\"url\":\"https://acme.atlassian.net\"}}]"),
                );
            }
            let root = format!("/ex/jira/{CLOUD_ID}");
            match path.strip_prefix(&root) {
                Some(rest) if state.unscoped.iter().any(|known| rest.starts_with(known)) => {
                    json(401, r#"{"code":401,"message":"Unauthorized; scope does not match"}"#)
                }
                Some(_) => demo(asked, &root, "https://acme.atlassian.net"),
                None => json(404, "{}"),
            }
        }
        "jira.example.net" => match path {
            "/rest/oauth2/latest/token" => token(state, asked),
            "/plugins/servlet/oauth/request-token" if signed(asked, "") => Outcome::Answer(
                200,
                String::new(),
                "oauth_token=request-token&oauth_token_secret=request-key".into(),
            ),
            "/plugins/servlet/oauth/access-token"
                if signed(asked, "oauth_token=\"request-token\"") && signed(asked, "oauth_verifier=\"v3rifier\"") =>
            {
                Outcome::Answer(
                    200,
                    String::new(),
                    "oauth_token=access-token&oauth_token_secret=access-key".into(),
                )
            }
            "/plugins/servlet/samlconsumer" => {
                if asked.form()["SAMLResponse"] != saml() {
                    return json(403, "{}");
                }
                state.session += 1;
                let cookie = format!("Set-Cookie: JSESSIONID=session-{}; Path=/; HttpOnly\r\n", state.session);
                Outcome::Answer(302, format!("Location: /secure/Dashboard.jspa\r\n{cookie}"), String::new())
            }
            "/secure/Dashboard.jspa" => Outcome::Answer(200, "Content-Type: text/html\r\n".into(), "<html>hello</html>".into()),
            _ => {
                let session = format!("JSESSIONID=session-{}", state.session);
                let named = asked.header("authorization");
                if state.session > 0 && named.is_empty() && asked.header("cookie").contains(&session) {
                    return match demo(asked, "", "https://jira.example.net") {
                        Outcome::Demo(path, _, named) => Outcome::Demo(path, "X-AUSERNAME: ann\r\n".into(), named),
                        other => other,
                    };
                }
                let known =
                    basic("svc_sql:s3cr3t") || named == "Bearer MDk4NzY1" || signed(asked, "oauth_token=\"access-token\"");
                match known || (state.open && named.is_empty()) || is_newest(state, asked) {
                    true => demo(asked, "", "https://jira.example.net"),
                    false => refused(),
                }
            }
        },
        "crowd.example.net" => match path {
            "/crowd/rest/usermanagement/1/session" if basic("jira:4pp") => json(201, r#"{"token":"crowd-session"}"#),
            "/crowd/rest/usermanagement/1/config/cookie" if basic("jira:4pp") => {
                json(200, r#"{"secure":true,"name":"crowd.key"}"#)
            }
            "/crowd/plugins/servlet/samlidp" if asked.header("cookie").contains("crowd.key=crowd-session") => form(),
            _ => json(401, "{}"),
        },
        "acme.okta.com" => match path {
            "/api/v1/authn" => json(200, r#"{"status":"SUCCESS","sessionToken":"once"}"#),
            "/login/sessionCookieRedirect" => Outcome::Answer(
                302,
                "Location: https://acme.okta.com/home/jira/0oa1/46\r\nSet-Cookie: sid=okta-session; Path=/\r\n".into(),
                String::new(),
            ),
            "/home/jira/0oa1/46" if asked.header("cookie").contains("sid=okta-session") => form(),
            _ => json(401, "{}"),
        },
        _ => json(404, "{}"),
    }
}

fn demo(asked: &Asked, below: &str, named: &'static str) -> Outcome {
    Outcome::Demo(asked.path[below.len()..].to_owned(), String::new(), named)
}

/// Whether the request carries the newest access token, which may have expired meanwhile.
fn is_newest(state: &mut State, asked: &Asked) -> bool {
    if asked.header("authorization") != format!("Bearer a{}", state.number) {
        return false;
    }
    match &mut state.good_for {
        Some(0) => false,
        Some(more) => {
            *more -= 1;
            true
        }
        None => true,
    }
}

/// Whether OAuth 1.0 signed the request in the name of the client, with these words in the header.
fn signed(asked: &Asked, words: &str) -> bool {
    let header = asked.header("authorization");
    ["OAuth ", "oauth_consumer_key=\"jsmql\"", "oauth_signature=", words]
        .iter()
        .all(|word| header.contains(word))
}

/// The token endpoint of either authorization server.
fn token(state: &mut State, asked: &Asked) -> Outcome {
    let form = asked.form();
    let field = |name: &str| form.get(name).map_or("", String::as_str);
    if (field("client_id"), field("client_secret")) != ("kqZ81", "ATOAx9") {
        return json(401, r#"{"error":"invalid_client"}"#);
    }
    let granted = match field("grant_type") {
        "refresh_token" => {
            state.refreshes += 1;
            field("refresh_token") == format!("r{}", state.number)
        }
        _ => {
            let challenge = URL_SAFE_NO_PAD.encode(Sha256::digest(field("code_verifier")));
            field("code") == "c0de" && challenge == state.challenge
        }
    };
    if !granted {
        return json(400, r#"{"error":"invalid_grant"}"#);
    }
    state.number += 1;
    state.good_for = None;
    let (n, scope) = (state.number, &state.scope);
    json(
        200,
        format!(r#"{{"access_token":"a{n}","refresh_token":"r{n}","token_type":"bearer","expires_in":3600,"scope":"{scope}"}}"#),
    )
}

fn saml() -> String {
    STANDARD.encode(
        "<Response xmlns=\"urn:oasis:names:tc:SAML:2.0:protocol\"><Status>\
         <StatusCode Value=\"urn:oasis:names:tc:SAML:2.0:status:Success\"/></Status></Response>",
    )
}

/// The page of an identity provider that knows the user.
fn form() -> Outcome {
    let page = format!(
        "<html><form method=post action=\"https://jira.example.net/plugins/servlet/samlconsumer\">\
         <input type=hidden name=SAMLResponse value=\"{}\"></form></html>",
        saml()
    );
    Outcome::Answer(200, "Content-Type: text/html\r\n".into(), page)
}
