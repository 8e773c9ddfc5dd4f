//! The way to the site in reqwest's terms: which proxy, and how it is spoken to.

use super::ClientOptions;
use super::bridge::Bridge;
use crate::connection::{Hop, Protocol, Route};
use crate::error::{Error, ErrorKind, Result};
use reqwest::{ClientBuilder, NoProxy, Proxy};
use std::net::IpAddr;
use url::Url;

/// The builder with the route of `options`, and the bridge that it needs while it lives.
pub(super) fn apply(builder: ClientBuilder, options: &ClientOptions) -> Result<(ClientBuilder, Option<Bridge>)> {
    match &options.route {
        Route::Direct => Ok((builder.no_proxy(), None)),
        Route::Environment if options.is_loopback() => Ok((builder.no_proxy(), None)),
        Route::Environment => Ok((builder, None)),
        Route::Through(hop) => {
            let bridge = if needs_bridge(hop, options.base.scheme() == "http") {
                Some(Bridge::start(hop.clone())?)
            } else {
                None
            };
            let url = match &bridge {
                Some(bridge) => bridge.url(),
                None => url(hop)?,
            };
            let exceptions = NoProxy::from_string(&hop.exceptions.join(","));
            let proxy = Proxy::all(url).map_err(|error| unusable(hop, &error))?.no_proxy(exceptions);
            Ok((builder.proxy(proxy), bridge))
        }
    }
}

/// What reqwest's own proxies cannot do: Digest, a SOCKS4 user, and a tunnel for plain HTTP.
fn needs_bridge(hop: &Hop, plain: bool) -> bool {
    hop.digest
        || (hop.protocol == Protocol::Socks4 && hop.account.is_some())
        || (hop.protocol == Protocol::Http && hop.tunnel && plain)
}

/// The proxy as a URL, credentials included: it goes to reqwest and nowhere else.
fn url(hop: &Hop) -> Result<Url> {
    let scheme = match hop.protocol {
        Protocol::Http => "http",
        Protocol::Https => "https",
        Protocol::Socks4 => "socks4",
        // The proxy looks up the name: inside a firewall there may be no one else who can.
        Protocol::Socks5 => "socks5h",
    };
    let host = match hop.host.parse() {
        Ok(IpAddr::V6(address)) => format!("[{address}]"),
        _ => hop.host.clone(),
    };
    let mut url = Url::parse(&format!("{scheme}://{host}:{}", hop.port)).map_err(|error| unusable(hop, &error))?;
    if let Some((user, password)) = &hop.account {
        let set = url
            .set_username(user)
            .and_then(|()| url.set_password(Some(password.expose())));
        set.map_err(|()| unusable(hop, &"user or password cannot be sent"))?;
    }
    Ok(url)
}

fn unusable(hop: &Hop, why: &dyn std::fmt::Display) -> Error {
    Error::new(ErrorKind::Option, format!("{} cannot be used: {why}", hop.option)).hint(format!("check {}", hop.option))
}
