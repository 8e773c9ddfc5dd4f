//! What a failure below HTTP means: no route, no TLS, a broken connection. Never prints a URL: reqwest's own text would.

use super::ClientOptions;
use super::link::origin;
use crate::connection::Route;
use crate::error::{Error, ErrorKind};
use std::error::Error as StdError;
use std::io;

/// A failed attempt without a usable answer.
#[derive(Debug)]
pub(super) enum Failure {
    /// No connection was made: nothing was sent.
    Unsent(reqwest::Error),
    /// The connection broke later, `status` was received or not.
    Lost {
        /// Status, if the answer had begun.
        status: Option<u16>,
        /// What broke.
        error: reqwest::Error,
    },
    /// The body of a 2xx answer is larger than allowed.
    TooLarge {
        /// Status of the answer.
        status: u16,
        /// Bytes read until then.
        bytes: usize,
    },
    /// The memory of the statement has no room for the body of the answer.
    NoRoom {
        /// Status of the answer.
        status: u16,
        /// What there is no room in, and what to do.
        error: Error,
    },
    /// The answer came, but not into the file that was to take it.
    Unkept(Error),
}

impl Failure {
    /// A failure while sending, before any answer.
    pub(super) fn sending(error: reqwest::Error) -> Self {
        let error = error.without_url();
        if error.is_connect() {
            Self::Unsent(error)
        } else {
            Self::Lost { status: None, error }
        }
    }
}

/// The error for a connection that could not be made, to the host in the options: to the site, or `elsewhere`, where the site sends us.
pub(super) fn unsent_error(options: &ClientOptions, elsewhere: bool, error: &reqwest::Error) -> Error {
    let error = why_unsent(options, error);
    let hint = match error.kind() {
        ErrorKind::Unreachable => {
            "the site keeps the file at that host and redirects there: check the network connection, and whether a proxy is needed for it (ProxyServer, HTTPS_PROXY)"
        }
        ErrorKind::Tls => {
            "the site keeps the file at that host and redirects there: its authority must be trusted by the operating system, or named in SSLServerCert"
        }
        _ => return error,
    };
    if elsewhere { error.hint(hint) } else { error }
}

fn why_unsent(options: &ClientOptions, error: &reqwest::Error) -> Error {
    let site = origin(&options.base);
    let cause = innermost(error);
    let through = match &options.route {
        Route::Through(hop) => format!(" through the proxy {}:{}", hop.host, hop.port),
        _ => String::new(),
    };
    if ["authorization required", "authentication failed", "credentials"]
        .iter()
        .any(|words| cause.contains(words))
    {
        let message = format!(
            "the proxy{} did not accept user and password: {cause}",
            through.trim_start_matches(" through the proxy")
        );
        return Error::new(ErrorKind::Authentication, message).hint(account_hint(options));
    }
    if error.is_dns() {
        return Error::new(
            ErrorKind::Unreachable,
            format!("cannot find the host of {site}{through}: {cause}"),
        )
        .hint("check the spelling of option URL, and the network connection");
    }
    if error.is_timeout() {
        return Error::new(
            ErrorKind::Unreachable,
            format!("cannot connect to {site}{through}: no answer in time"),
        )
        .hint("check option URL, the network connection, and whether a proxy is needed (ProxyServer, or HTTPS_PROXY)");
    }
    if let Some(alert) = alert(error) {
        return ended(&alert);
    }
    if is_tls(error) {
        return Error::new(ErrorKind::Tls, format!("cannot make a secure connection to {site}{through}: {cause}"))
            .hint("check that option URL names the host of the certificate; a private authority must be trusted by the operating system, or named in SSLServerCert");
    }
    Error::new(ErrorKind::Unreachable, format!("cannot connect to {site}{through}: {cause}")).hint(match &options.route {
        Route::Through(hop) => format!("check {} and its port, and whether it lets you reach the site", hop.option),
        _ => {
            "check host and port of option URL, and whether a proxy is needed (ProxyServer, HTTPS_PROXY) or in the way (NO_PROXY)"
                .to_owned()
        }
    })
}

/// Which options hold the account at the proxy.
pub(super) fn account_hint(options: &ClientOptions) -> &'static str {
    match &options.route {
        Route::Through(hop) if hop.option == "FirewallServer" => "check FirewallUser and FirewallPassword",
        Route::Through(_) => "check ProxyUser and ProxyPassword, and ProxyAuthScheme",
        _ => {
            "the proxy wants credentials: set ProxyServer, ProxyUser and ProxyPassword, or HTTPS_PROXY=http://user:password@host:port, or ProxyAutoDetect=false to do without it"
        }
    }
}

/// The error for a connection that broke.
pub(super) fn lost_error(status: Option<u16>, error: &reqwest::Error) -> Error {
    if let Some(alert) = alert(error) {
        return ended(&alert);
    }
    let when = if status.is_some() {
        "in the middle of the answer"
    } else {
        "before the site answered"
    };
    Error::new(
        ErrorKind::Unavailable,
        format!("the connection broke {when}: {}", innermost(error)),
    )
    .hint("run the statement again; if it happens often, look at proxies between here and the site")
}

fn ended(alert: &str) -> Error {
    Error::new(ErrorKind::Tls, format!("the server ended the secure connection: {alert}"))
        .hint("the server may want a client certificate, or another one: set SSLClientCert")
}

/// The TLS alert by which a server says why it does not go on.
fn alert(error: &reqwest::Error) -> Option<String> {
    causes(error).find_map(|cause| match cause.downcast_ref::<rustls::Error>()? {
        alert @ rustls::Error::AlertReceived(_) => Some(alert.to_string()),
        _ => None,
    })
}

/// The last cause in the chain says it best ("Connection refused"); the outer ones say "error sending request".
fn innermost(error: &reqwest::Error) -> String {
    causes(error)
        .last()
        .map_or_else(|| "no cause given".into(), ToString::to_string)
}

/// rustls reports what is wrong with certificates and handshakes as invalid data, and nothing else here does.
fn is_tls(error: &reqwest::Error) -> bool {
    causes(error).any(|cause| {
        cause
            .downcast_ref::<io::Error>()
            .is_some_and(|io| io.kind() == io::ErrorKind::InvalidData)
    })
}

fn causes(error: &reqwest::Error) -> impl Iterator<Item = &(dyn StdError + 'static)> {
    std::iter::successors(error.source(), |cause| {
        // `io::Error::source` skips the error it wraps.
        let wrapped = cause.downcast_ref::<io::Error>().and_then(io::Error::get_ref);
        wrapped
            .map(|wrapped| wrapped as &(dyn StdError + 'static))
            .or_else(|| (*cause).source())
    })
}
