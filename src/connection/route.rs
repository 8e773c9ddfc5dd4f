//! The way to the site: directly, through the proxy of the environment, or through a proxy or firewall that options name.
//!
//! Pure: it decides from the options Proxy… and Firewall…; the environment's proxy is looked up elsewhere.

use super::secret::Secret;
use super::values::OptionValues;
use crate::error::{Error, ErrorKind, Result};

/// The way to the site.
#[derive(Debug, Clone, Default)]
pub(crate) enum Route {
    /// As `HTTPS_PROXY`, `HTTP_PROXY`, `ALL_PROXY` and `NO_PROXY` say, or else the system's settings on Windows and macOS.
    #[default]
    Environment,
    /// No proxy.
    Direct,
    /// Through this proxy.
    Through(Hop),
}

/// How a proxy is spoken to.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Protocol {
    Http,
    /// HTTP inside TLS.
    Https,
    Socks4,
    Socks5,
}

/// A proxy.
#[derive(Debug, Clone)]
pub(crate) struct Hop {
    /// The option that names it, for messages.
    pub(crate) option: &'static str,
    pub(crate) protocol: Protocol,
    pub(crate) host: String,
    pub(crate) port: u16,
    /// User and password.
    pub(crate) account: Option<(String, Secret)>,
    /// Whether the account is proven by HTTP Digest rather than Basic.
    pub(crate) digest: bool,
    /// Whether plain HTTP, too, goes through a tunnel (CONNECT).
    pub(crate) tunnel: bool,
    /// Hosts and domains that are reached without it.
    pub(crate) exceptions: Vec<String>,
}

/// Reads the options Proxy…, UseProxySettings and Firewall…; `https` says whether the site is.
pub(super) fn route(values: &OptionValues, https: bool) -> Result<Route> {
    let firewall = values.text("FirewallType");
    orphans(values, firewall)?;
    let automatic = ["ProxyAutoDetect", "UseProxySettings"];
    let on = automatic
        .into_iter()
        .find(|name| values.is_written(name) && values.boolean(name));
    let off = automatic.into_iter().find(|name| !values.boolean(name));
    if let (Some(on), Some(off)) = (on, off) {
        return Err(contradiction(on, "true", off, "false"));
    }
    let named = if firewall != "NONE" {
        Some("FirewallServer")
    } else {
        values.filled("ProxyServer").map(|_| "ProxyServer")
    };
    match (named, on) {
        (Some(named), Some(on)) => Err(contradiction(on, "true", named, "set")),
        (Some("ProxyServer"), None) => proxy(values, https).map(Route::Through),
        (Some(_), None) => wall(values, firewall).map(Route::Through),
        (None, _) if off.is_some() => Ok(Route::Direct),
        (None, _) => Ok(Route::Environment),
    }
}

/// An error if an option is set that only matters together with another, or if both kinds of proxy are.
fn orphans(values: &OptionValues, firewall: &str) -> Result<()> {
    let proxy = values.filled("ProxyServer").is_some();
    if firewall != "NONE" && proxy {
        return Err(contradiction("FirewallType", firewall, "ProxyServer", "set"));
    }
    let of_proxy = [
        "ProxyPort",
        "ProxyAuthScheme",
        "ProxyUser",
        "ProxyPassword",
        "ProxySSLType",
        "ProxyExceptions",
    ];
    let of_wall = ["FirewallServer", "FirewallPort", "FirewallUser", "FirewallPassword"];
    for (missing, names, what) in [
        (!proxy, &of_proxy[..], "ProxyServer is not"),
        (firewall == "NONE", &of_wall[..], "FirewallType is NONE"),
    ] {
        if let Some(name) = names.iter().copied().find(|name| missing && values.differs(name)) {
            return Err(option(format!("{name} is set, but {what}")).hint(format!(
                "set {}, or leave {name} out ({})",
                what.split(' ').next().unwrap_or_default(),
                values.source(name)
            )));
        }
    }
    Ok(())
}

fn proxy(values: &OptionValues, https: bool) -> Result<Hop> {
    let scheme = values.text("ProxyAuthScheme");
    let account = account(values, "ProxyUser", "ProxyPassword")?;
    match (scheme, &account) {
        ("NEGOTIATE" | "NTLM" | "PROPRIETARY", _) => {
            return Err(
                Error::new(ErrorKind::Unsupported, format!("ProxyAuthScheme is {scheme}, which jsmql does not speak")).hint(
                    "use BASIC or DIGEST; for NTLM and Kerberos run a relay such as cntlm or px on this machine and name it in ProxyServer",
                ),
            );
        }
        ("NONE", Some(_)) => return Err(contradiction("ProxyAuthScheme", "NONE", "ProxyUser", "set")),
        ("DIGEST", None) => return Err(contradiction("ProxyAuthScheme", "DIGEST", "ProxyUser", "not")),
        _ => {}
    }
    let digest = scheme == "DIGEST";
    let (protocol, tunnel) = match values.text("ProxySSLType") {
        "ALWAYS" if digest => {
            return Err(Error::new(
                ErrorKind::Unsupported,
                "ProxyAuthScheme is DIGEST and ProxySSLType is ALWAYS: Digest works with unencrypted proxies only",
            )
            .hint("use ProxyAuthScheme=BASIC, which the encryption protects"));
        }
        "ALWAYS" => (Protocol::Https, false),
        "NEVER" if https => {
            return Err(option("ProxySSLType is NEVER, but URL is https".into())
                .hint("leave ProxySSLType out: https goes through the proxy encrypted, from here to the site"));
        }
        "TUNNEL" => (Protocol::Http, true),
        _ => (Protocol::Http, false),
    };
    let exceptions = values.text("ProxyExceptions").split([';', ',']).map(str::trim);
    Ok(Hop {
        option: "ProxyServer",
        protocol,
        host: host(values, "ProxyServer")?,
        port: port(values, "ProxyPort", 80)?,
        account,
        digest,
        tunnel,
        exceptions: exceptions.filter(|host| !host.is_empty()).map(str::to_owned).collect(),
    })
}

fn wall(values: &OptionValues, kind: &str) -> Result<Hop> {
    let (protocol, usual) = match kind {
        "SOCKS4" => (Protocol::Socks4, 1080),
        "SOCKS5" => (Protocol::Socks5, 1080),
        _ => (Protocol::Http, 80),
    };
    if protocol == Protocol::Socks4 && values.filled("FirewallPassword").is_some() {
        return Err(option("FirewallPassword is set, but SOCKS4 knows no passwords".into())
            .hint("use FirewallType=SOCKS5, or leave FirewallPassword out"));
    }
    Ok(Hop {
        option: "FirewallServer",
        protocol,
        host: host(values, "FirewallServer")?,
        port: port(values, "FirewallPort", usual)?,
        account: account(values, "FirewallUser", "FirewallPassword")?,
        digest: false,
        tunnel: true,
        exceptions: Vec::new(),
    })
}

fn account(values: &OptionValues, user: &'static str, password: &'static str) -> Result<Option<(String, Secret)>> {
    match (values.filled(user), values.filled(password)) {
        (None, None) => Ok(None),
        (None, Some(_)) => Err(option(format!("{password} is set without {user}")).hint(format!("set {user}"))),
        (Some(name), _) if name.contains(':') => {
            Err(option(format!("{user} holds `:`")).hint(format!("set only the name; the password belongs in {password}")))
        }
        (Some(name), word) => Ok(Some((name.to_owned(), word.unwrap_or_default().into()))),
    }
}

/// A bare host name or address.
fn host(values: &OptionValues, name: &'static str) -> Result<String> {
    let Some(text) = values.filled(name).map(str::trim).filter(|text| !text.is_empty()) else {
        return Err(option(format!("{name} is missing")).hint(format!("set {name} to the host name")));
    };
    let plain = text.trim_matches(['[', ']']);
    let address = plain.parse::<std::net::IpAddr>().is_ok();
    let named = plain.chars().all(|c| c.is_alphanumeric() || matches!(c, '.' | '-' | '_'));
    if address || named {
        return Ok(plain.to_owned());
    }
    // Not quoted: it may be a URL with a password in it.
    Err(option(format!("{name} is not a host name"))
        .hint("write the host alone; port, user and password have options of their own"))
}

fn port(values: &OptionValues, name: &'static str, usual: u16) -> Result<u16> {
    let port = values
        .integer(name)
        .and_then(|port| u16::try_from(port).ok())
        .unwrap_or_default();
    Ok(if port == 0 { usual } else { port })
}

fn contradiction(one: &str, value: &str, other: &str, state: &str) -> Error {
    option(format!("{one} is {value}, but {other} is {state}")).hint(format!("leave out {one} or {other}"))
}

fn option(message: String) -> Error {
    Error::new(ErrorKind::Option, message)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(text: &str) -> Result<Route> {
        route(&OptionValues::read(text, [])?, true)
    }

    fn hop(text: &str) -> Hop {
        match read(text) {
            Ok(Route::Through(hop)) => hop,
            other => panic!("{text}: {other:?}"),
        }
    }

    #[test]
    fn the_environment_is_the_default() {
        assert!(matches!(read(""), Ok(Route::Environment)));
        assert!(matches!(read("UseProxySettings=true"), Ok(Route::Environment)));
        assert!(matches!(read("ProxyAutoDetect=true"), Ok(Route::Environment)));
        assert!(matches!(read("UseProxySettings=false"), Ok(Route::Direct)));
        assert!(matches!(read("ProxyAutoDetect=false"), Ok(Route::Direct)));
        assert_eq!(hop("ProxyAutoDetect=false;ProxyServer=p").port, 80);
    }

    #[test]
    fn a_proxy_or_a_firewall() {
        let proxy =
            hop("ProxyServer=p.example;ProxyPort=3128;ProxyUser=a;ProxyPassword=b;ProxyExceptions='x.example; .y.example'");
        assert_eq!(
            (proxy.protocol, proxy.host.as_str(), proxy.port),
            (Protocol::Http, "p.example", 3128)
        );
        assert_eq!(proxy.exceptions, ["x.example", ".y.example"]);
        assert_eq!(proxy.account.map(|(user, _)| user).as_deref(), Some("a"));
        assert!(hop("ProxyServer=p;ProxyUser=a;ProxyAuthScheme=digest").digest);
        assert_eq!(hop("ProxyServer=p;ProxySSLType=ALWAYS").protocol, Protocol::Https);
        assert!(hop("ProxyServer=p;ProxySSLType=TUNNEL").tunnel);
        assert_eq!(hop("ProxyServer=[::1]").host, "::1");
        for (kind, protocol, port) in [
            ("TUNNEL", Protocol::Http, 80),
            ("SOCKS4", Protocol::Socks4, 1080),
            ("SOCKS5", Protocol::Socks5, 1080),
        ] {
            let wall = hop(&format!("FirewallType={kind};FirewallServer=w;FirewallUser=u"));
            assert_eq!((wall.protocol, wall.port, wall.tunnel), (protocol, port, true));
        }
        assert_eq!(hop("FirewallType=SOCKS5;FirewallServer=w;FirewallPort=9").port, 9);
    }

    #[test]
    fn contradictions_name_both_options() {
        for (text, message) in [
            (
                "ProxyAutoDetect=true;ProxyServer=p",
                "ProxyAutoDetect is true, but ProxyServer is set",
            ),
            (
                "UseProxySettings=true;FirewallType=SOCKS5;FirewallServer=w",
                "UseProxySettings is true, but FirewallServer is set",
            ),
            (
                "UseProxySettings=true;ProxyAutoDetect=false",
                "UseProxySettings is true, but ProxyAutoDetect is false",
            ),
            (
                "ProxyServer=p;FirewallType=TUNNEL;FirewallServer=w",
                "FirewallType is TUNNEL, but ProxyServer is set",
            ),
            ("ProxyUser=u", "ProxyUser is set, but ProxyServer is not"),
            ("ProxyExceptions=a", "ProxyExceptions is set, but ProxyServer is not"),
            ("FirewallServer=w", "FirewallServer is set, but FirewallType is NONE"),
            ("FirewallType=SOCKS5", "FirewallServer is missing"),
            (
                "FirewallType=SOCKS4;FirewallServer=w;FirewallUser=u;FirewallPassword=c4n4ry",
                "SOCKS4 knows no passwords",
            ),
            ("ProxyServer=p;ProxyPassword=c4n4ry", "ProxyPassword is set without ProxyUser"),
            (
                "ProxyServer=p;ProxyAuthScheme=NONE;ProxyUser=u",
                "ProxyAuthScheme is NONE, but ProxyUser is set",
            ),
            (
                "ProxyServer=p;ProxyAuthScheme=DIGEST",
                "ProxyAuthScheme is DIGEST, but ProxyUser is not",
            ),
            (
                "ProxyServer=p;ProxyAuthScheme=NTLM;ProxyUser=u",
                "ProxyAuthScheme is NTLM, which jsmql does not speak",
            ),
            ("ProxyServer=p;ProxySSLType=NEVER", "ProxySSLType is NEVER, but URL is https"),
            ("ProxyServer='http://u:c4n4ry@p:1'", "ProxyServer is not a host name"),
            ("ProxyServer=p;ProxyUser=u:c4n4ry", "ProxyUser holds `:`"),
        ] {
            let error = read(text).expect_err(text);
            assert!(error.message().contains(message), "{error}\n  lacks {message}");
            assert!(error.hint_text().is_some());
            assert!(!format!("{error:?}").contains("c4n4ry"));
        }
    }
}
