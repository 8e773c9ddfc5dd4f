//! What a client must be told: plain values, checked when the client is made.

use super::tls::Tls;
use super::{Authorization, RetryPolicy};
use crate::connection::Route;
use crate::error::{Error, ErrorKind, Result};
use crate::log::Redactor;
use crate::schema::Scopes;
use async_trait::async_trait;
use std::fmt;
use std::sync::Arc;
use std::time::Duration;
use url::{Host, Url};

/// The options of a [`Client`](super::Client).
#[derive(Debug, Clone)]
pub(crate) struct ClientOptions {
    /// Root of the site, `http` or `https`; may have a context path (`https://host/jira`), no user, query or fragment.
    pub base: Url,
    /// Credentials, sent to `base` and nowhere else.
    pub authorization: Authorization,
    /// Finds the root that requests go to where it is not `base`: the gateway of Atlassian Cloud, by the site's cloud id.
    pub locator: Option<Arc<dyn Locator>>,
    /// Which scopes requests need, for messages.
    pub scopes: Arc<Scopes>,
    /// What is presented to the server, and accepted from it.
    pub tls: Tls,
    /// The way to the site.
    pub route: Route,
    /// The log of the session. None: events go where the embedding program sends them.
    pub log: Option<tracing::Dispatch>,
    /// Takes secrets out of what the site says, and of what is told about requests.
    pub redactor: Arc<Redactor>,
    /// `Accept-Language` of every request.
    pub language: Option<String>,
    /// Most requests in flight at a time, over all statements; at least 1.
    pub max_concurrency: usize,
    /// Longest time for one request with all its attempts and waits; `None` waits as long as the site takes.
    pub timeout: Option<Duration>,
    /// Longest time to make a connection, TLS included.
    pub connect_timeout: Duration,
    /// Largest answer in bytes after decompression.
    pub max_body_bytes: usize,
    /// `User-Agent` of every request.
    pub user_agent: String,
    /// When to try again.
    pub retry: RetryPolicy,
}

/// Finds the root that requests go to.
#[async_trait]
pub(crate) trait Locator: fmt::Debug + Send + Sync {
    /// The root. Asked once; a failure is asked again by the next request.
    async fn root(&self) -> Result<Url>;
}

impl ClientOptions {
    /// The defaults for a site: anonymous, 16 requests at a time, 120 s per request, 10 s to connect, answers up to 64 MiB.
    pub(crate) fn site(base: Url) -> Self {
        Self {
            base,
            authorization: Authorization::None,
            locator: None,
            log: None,
            redactor: Arc::default(),
            scopes: Arc::default(),
            tls: Tls::default(),
            route: Route::default(),
            language: None,
            max_concurrency: 16,
            timeout: Some(Duration::from_secs(120)),
            connect_timeout: Duration::from_secs(10),
            max_body_bytes: 64 << 20,
            user_agent: concat!(env!("CARGO_PKG_NAME"), "/", env!("CARGO_PKG_VERSION")).into(),
            retry: RetryPolicy::default(),
        }
    }

    /// Refuses what cannot work, in the words of the connection string.
    pub(super) fn check(&self) -> Result<()> {
        let base = &self.base;
        if !matches!(base.scheme(), "http" | "https") || base.host().is_none() {
            return Err(Error::new(
                ErrorKind::Option,
                "option URL must start with https:// and name a host",
            ));
        }
        if !base.username().is_empty() || base.password().is_some() {
            return Err(
                Error::new(ErrorKind::Option, "option URL must not contain a user or password")
                    .hint("use the options User and APIToken"),
            );
        }
        if base.query().is_some() || base.fragment().is_some() {
            return Err(Error::new(ErrorKind::Option, "option URL must not contain ? or #"));
        }
        if self.max_concurrency == 0 {
            return Err(Error::new(ErrorKind::Option, "option MaxConcurrency must be at least 1"));
        }
        Ok(())
    }

    /// Whether the site runs on this machine. Such a site is spoken to directly: a proxy from the environment would look for it
    /// on *its* loopback, and the demo site must work on every desk. Other sites use `HTTPS_PROXY`, `HTTP_PROXY` and `NO_PROXY`.
    pub(super) fn is_loopback(&self) -> bool {
        match self.base.host() {
            Some(Host::Domain(name)) => name == "localhost" || name.ends_with(".localhost"),
            Some(Host::Ipv4(address)) => address.is_loopback(),
            Some(Host::Ipv6(address)) => address.is_loopback(),
            None => false,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn site(base: &str) -> ClientOptions {
        ClientOptions::site(Url::parse(base).unwrap())
    }

    #[test]
    fn bases_that_cannot_work_are_refused() {
        for (base, fragment) in [
            ("ftp://jira.example.com", "https://"),
            ("mailto:ann@example.com", "https://"),
            ("https://ann:pw@jira.example.com", "user or password"),
            ("https://jira.example.com/?a=b", "? or #"),
            ("https://jira.example.com/#top", "? or #"),
        ] {
            let error = site(base).check().unwrap_err();
            assert_eq!(error.kind(), ErrorKind::Option, "{base}");
            assert!(
                error.message().contains(fragment) && !error.message().contains("pw"),
                "{base}: {error}"
            );
        }
        assert!(site("https://jira.example.com/jira/").check().is_ok());
        let zero = ClientOptions {
            max_concurrency: 0,
            ..site("https://jira.example.com")
        };
        assert!(zero.check().unwrap_err().message().contains("MaxConcurrency"));
    }

    #[test]
    fn loopback_is_recognised() {
        for base in [
            "http://localhost:1",
            "http://127.0.0.2:1",
            "http://[::1]:1",
            "http://jira.localhost",
        ] {
            assert!(site(base).is_loopback(), "{base}");
        }
        for base in ["http://localhost.example.com", "http://10.0.0.1", "http://[::2]"] {
            assert!(!site(base).is_loopback(), "{base}");
        }
    }
}
