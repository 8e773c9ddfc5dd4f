//! The client of one site: the connection pool and what all calls share.

use super::bridge::Bridge;
use super::budget::Budget;
use super::call::Call;
use super::gate::Gate;
use super::jitter::Jitter;
use super::link::{Link, root_path};
use super::log::{Attempt, RequestLog};
use super::{ClientOptions, Method, Request, Response, Statement, Terms, route};
use crate::connection::Route;
use crate::error::{Error, ErrorKind, Result};
use reqwest::header::{ACCEPT, ACCEPT_LANGUAGE, AUTHORIZATION, CONTENT_TYPE, HeaderMap, HeaderName, HeaderValue};
use std::fmt;
use std::sync::Arc;
use std::time::Duration;
use tokio::sync::{OnceCell, Semaphore};
use tracing::instrument::WithSubscriber;
use url::Url;

/// Probes that keep firewalls from forgetting a connection, and that find a dead one.
const KEEPALIVE: Duration = Duration::from_secs(30);

/// Sends requests to one site. Cheap to clone: clones share connections, rate gate, retry budget and log.
///
/// # Design
///
/// Redirects are never followed, so credentials never leave the configured origin. One thing is repeated below this module and not
/// counted as an attempt: a request that a closing HTTP connection provably did not take (an idle connection closed, an HTTP/2
/// stream refused).
#[derive(Clone)]
pub(crate) struct Client(Arc<Shared>);

/// What the clones of a client share.
pub(super) struct Shared {
    pub(super) options: ClientOptions,
    pub(super) http: reqwest::Client,
    /// For files that a site keeps elsewhere: has no credentials.
    pub(super) stranger: reqwest::Client,
    /// Where requests go, where that is not the site itself.
    root: OnceCell<Url>,
    /// Live as long as the connections through them.
    pub(super) bridge: Option<Bridge>,
    _stranger_bridge: Option<Bridge>,
    pub(super) log: RequestLog,
    pub(super) gate: Gate,
    pub(super) permits: Semaphore,
    pub(super) budget: Budget,
    pub(super) jitter: Jitter,
}

impl Client {
    /// A client with `options`. Connects to nothing yet.
    pub(crate) fn new(options: ClientOptions) -> Result<Self> {
        options.check()?;
        let mut headers = HeaderMap::new();
        headers.insert(ACCEPT, HeaderValue::from_static("application/json"));
        if let Some(language) = &options.language {
            let value = HeaderValue::from_str(language)
                .map_err(|_| Error::new(ErrorKind::Option, "option Language is not a language tag").hint("for example en-GB"))?;
            headers.insert(ACCEPT_LANGUAGE, value);
        }
        if let Some(value) = options.authorization.header()? {
            headers.insert(AUTHORIZATION, value);
        }
        let (builder, bridge) = transport(&options)?;
        let http = builder
            .default_headers(headers)
            .user_agent(&options.user_agent)
            .redirect(reqwest::redirect::Policy::none())
            .connect_timeout(options.connect_timeout)
            .pool_max_idle_per_host(options.max_concurrency)
            .tcp_keepalive(KEEPALIVE)
            .tcp_nodelay(true)
            .build()
            .map_err(no_certificates)?;
        let (stranger, stranger_bridge) = stranger(&options)?;
        Ok(Self(Arc::new(Shared {
            permits: Semaphore::new(options.max_concurrency.min(Semaphore::MAX_PERMITS)),
            options,
            http,
            stranger,
            root: OnceCell::new(),
            bridge,
            _stranger_bridge: stranger_bridge,
            log: RequestLog::default(),
            gate: Gate::default(),
            budget: Budget::full(),
            jitter: Jitter::from_clock(),
        })))
    }

    /// Sends `request` for `statement`: with retries, in its turn, within its limits.
    ///
    /// Only a 2xx with a usable body is `Ok`. Every other answer is an error with the site's own words and a
    /// [`RequestContext`](crate::error::RequestContext); a row that does not exist is kind `NotFound`, status 404. After a failed write,
    /// [`is_outcome_unknown`](super::is_outcome_unknown) tells whether it may have taken effect. Dropping the future aborts the request.
    pub(crate) async fn send(&self, request: &Request, statement: &Arc<Statement>) -> Result<Response> {
        self.send_on(request, &Terms::default(), statement).await
    }

    /// As [`send`](Self::send), with what is special about the request.
    pub(crate) async fn send_on(&self, request: &Request, terms: &Terms, statement: &Arc<Statement>) -> Result<Response> {
        let call = Call::new(&self.0, request, terms, statement).run();
        match &self.0.options.log {
            Some(log) => call.with_subscriber(log.clone()).await,
            None => call.await,
        }
    }

    /// The newest attempts of all statements.
    pub(crate) fn log(&self) -> &RequestLog {
        &self.0.log
    }

    /// Takes apart a link the site supplied; an error of kind `Decode` if it leads to another origin or outside the base path.
    pub(crate) fn follow(&self, link: &str) -> Result<Link> {
        // The gateway's answers name either the gateway or the site; only path and query are taken from them.
        match self.0.root.get() {
            Some(root) => Link::parse(root, link).or_else(|_| Link::parse(&self.0.options.base, link)),
            None => Link::parse(&self.0.options.base, link),
        }
    }

    /// Words of the site without what we have sent it in secret.
    pub(crate) fn redacted(&self, words: &str) -> String {
        self.0.options.redactor.redacted(words)
    }

    /// Whether requests carry credentials.
    pub(crate) fn signs_in(&self) -> bool {
        !self.0.options.authorization.is_none()
    }

    /// Most requests in flight at a time.
    pub(crate) fn max_concurrency(&self) -> usize {
        self.0.options.max_concurrency
    }
}

impl fmt::Debug for Client {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Client")
            .field("options", &self.0.options)
            .finish_non_exhaustive()
    }
}

/// A builder with the TLS configuration and the proxy of `options`, and the bridge that lives as long as the client.
pub(super) fn transport(options: &ClientOptions) -> Result<(reqwest::ClientBuilder, Option<Bridge>)> {
    let (mut builder, bridge) = route::apply(reqwest::Client::builder(), options)?;
    if let Some(config) = options.tls.config()? {
        builder = builder.tls_backend_preconfigured(config);
    } else if options.base.scheme() == "http" && !matches!(options.route, Route::Through(_)) && options.is_loopback() {
        // Plain HTTP needs no certificates: reading the system's takes a moment, and a bare container has none.
        builder = builder.tls_certs_only([]);
    }
    Ok((builder.tls_version_min(reqwest::tls::Version::TLS_1_2), bridge))
}

/// A client for other origins: through the same proxy, but with neither the credentials nor the client certificate of the site.
fn stranger(options: &ClientOptions) -> Result<(reqwest::Client, Option<Bridge>)> {
    let (mut builder, bridge) = route::apply(reqwest::Client::builder(), options)?;
    if let Some(config) = options.tls.anonymous().config()? {
        builder = builder.tls_backend_preconfigured(config);
    } else if options.base.scheme() == "http" && options.is_loopback() {
        builder = builder.tls_certs_only([]);
    }
    let client = builder
        .user_agent(&options.user_agent)
        .redirect(reqwest::redirect::Policy::none())
        .connect_timeout(options.connect_timeout)
        .tls_version_min(reqwest::tls::Version::TLS_1_2)
        .build()
        .map_err(no_certificates)?;
    Ok((client, bridge))
}

/// The error for a client that cannot be built.
pub(super) fn no_certificates(error: reqwest::Error) -> Error {
    Error::new(
        ErrorKind::Tls,
        "secure connections are not possible: the system's certificates cannot be read",
    )
    .hint("install the package ca-certificates, or set SSL_CERT_FILE to a file of certificates")
    .source(error)
}

impl Shared {
    /// Notes an attempt that is about to be sent.
    pub(super) fn begin(&self, request: &Request, statement: &Arc<Statement>, attempt: u32) -> Attempt<'_> {
        self.log.begin(request, statement, attempt, &self.options.redactor)
    }

    /// The root that requests go to: the site's own, or the gateway's once it is known.
    pub(super) async fn root(&self) -> Result<&Url> {
        match &self.options.locator {
            None => Ok(&self.options.base),
            Some(locator) => self.root.get_or_try_init(|| locator.root()).await,
        }
    }

    /// The request in reqwest's terms.
    pub(super) fn wire(&self, root: &Url, request: &Request, terms: &Terms) -> Result<reqwest::Request> {
        let method = match request.method {
            Method::Get => reqwest::Method::GET,
            Method::Post => reqwest::Method::POST,
            Method::Put => reqwest::Method::PUT,
            Method::Delete => reqwest::Method::DELETE,
        };
        let mut wire = reqwest::Request::new(method, address(root, request)?);
        if let Some(body) = &request.body {
            wire.headers_mut()
                .insert(CONTENT_TYPE, HeaderValue::from_static("application/json"));
            *wire.body_mut() = Some(body.clone().into());
        }
        for (name, value) in &request.headers {
            let (Ok(name), Ok(value)) = (HeaderName::try_from(name.as_ref()), HeaderValue::try_from(value.as_ref())) else {
                return Err(Error::new(
                    ErrorKind::Schema,
                    format!("“{name}: {value}” is not a valid header"),
                ));
            };
            wire.headers_mut().insert(name, value);
        }
        if terms.text || terms.save.is_some() {
            wire.headers_mut().insert(ACCEPT, HeaderValue::from_static("*/*"));
        }
        match &terms.upload {
            Some(upload) => upload.attach(&self.http, wire),
            None => Ok(wire),
        }
    }
}

/// The base, the request's path below it, its query.
fn address(base: &Url, request: &Request) -> Result<Url> {
    let path = format!("{}{}", root_path(base), request.path);
    let mut url = base.clone();
    url.set_path(&path);
    // `..`, `%2e%2e`, `\` or a raw space change while parsing, and an empty value moves what follows: the request would ask for
    // something else than was meant.
    if !request.path.starts_with('/') || request.path.contains("//") || url.path() != path {
        return Err(Error::new(ErrorKind::Invalid, "a value cannot be part of a path")
            .hint("keys and ids must not be empty, a dot or two dots"));
    }
    if !request.query.is_empty() {
        url.query_pairs_mut().extend_pairs(&request.query);
    }
    Ok(url)
}
