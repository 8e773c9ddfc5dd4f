//! The root of the site: checks the option URL and brings it into one form.
//!
//! It knows nothing of accounts. No error quotes the text, which may hold a password (`https://user:password@host`); hints show
//! at most host and path, once it is certain that there is none.

use url::{Host, ParseError, Url};

use crate::error::{Error, ErrorKind, Result};

const EXAMPLE: &str = "for example URL=https://acme.atlassian.net;User=ann@acme.example;APIToken=…";

/// First folders of Jira's pages and endpoints. With something after it, such a folder shows that a page was pasted; alone it may
/// be the context path of a Data Center site, such as `https://help.example.com/servicedesk`.
const PAGES: &[&str] = &["browse", "login.jsp", "plugins", "projects", "rest", "secure", "servicedesk"];

/// The root named by `text`: https (or http, where that is safe or `allow_insecure`), host, port and context path.
///
/// Its path ends with `/`, so that `join("rest/…")` keeps the context path; it has no user, query or fragment.
pub(super) fn site(text: &str, allow_insecure: bool) -> Result<Url> {
    if text.is_empty() {
        return Err(error("is missing", EXAMPLE));
    }
    // `Url::parse` drops line breaks and takes `\` for `/`; what is called must be what was read.
    if text.contains(|c: char| c.is_whitespace() || c.is_control() || c == '\\') {
        return Err(error("holds white space or a backslash", "separate the options with `;`"));
    }
    let Some((_, after)) = text.split_once("://") else {
        let hint = if is_host(text) {
            format!("write URL=https://{text}")
        } else {
            EXAMPLE.to_owned()
        };
        return Err(error("does not begin with https://", &hint));
    };
    if after.is_empty() || after.starts_with(['/', '?', '#']) {
        return Err(error("names no host", EXAMPLE));
    }
    let mut url = Url::parse(text).map_err(|reason| match reason {
        ParseError::EmptyHost => error("names no host", EXAMPLE),
        reason => error(&format!("cannot be read: {reason}"), EXAMPLE),
    })?;
    if !matches!(url.scheme(), "https" | "http") {
        return Err(error("does not begin with https://", EXAMPLE));
    }
    if !url.username().is_empty() || url.password().is_some() {
        return Err(error(
            "holds a user name or password",
            "set them in User and APIToken (or Password), and remove them from URL",
        ));
    }
    let page = context_path(&url);
    let asks = url.query().is_some() || url.fragment().is_some();
    url.set_query(None);
    url.set_fragment(None);
    if let Some(context) = page {
        url.set_path(&context);
        return Err(error(
            "names a page, not the root of the site",
            &format!("write URL={}", url.as_str().trim_end_matches('/')),
        ));
    }
    if asks {
        return Err(error(
            "holds `?` or `#`",
            &format!("write URL={}", url.as_str().trim_end_matches('/')),
        ));
    }
    if url.scheme() == "http" && !allow_insecure && !is_loopback(&url) {
        return Err(error(
            "is http, which would send the credentials unencrypted",
            "use https, or set AllowInsecure=true in a network you trust",
        ));
    }
    let path: Vec<_> = url.path().split('/').filter(|folder| !folder.is_empty()).collect();
    let path = if path.is_empty() {
        "/".to_owned()
    } else {
        format!("/{}/", path.join("/"))
    };
    url.set_path(&path);
    Ok(url)
}

/// A page that the option `name` leads to and that passwords may be sent to: https, or http to this machine.
pub(super) fn page(name: &str, text: &str, allow_insecure: bool) -> Result<Url> {
    let wrong =
        |what: String| Error::new(ErrorKind::Option, format!("{name} {what}")).hint("write the whole address, with https://");
    let url = Url::parse(text.trim()).map_err(|reason| wrong(format!("cannot be read: {reason}")))?;
    if !url.username().is_empty() || url.password().is_some() {
        return Err(wrong("holds a user name or password".into()));
    }
    match url.scheme() {
        "https" if url.host().is_some() => Ok(url),
        "http" if is_loopback(&url) || allow_insecure => Ok(url),
        "http" => Err(wrong("is http, which would send the password unencrypted".into())),
        _ => Err(wrong("does not begin with https://".into())),
    }
}

/// Whether this is a site of Atlassian Cloud under its own name.
pub(crate) fn is_cloud(site: &Url) -> bool {
    site.domain()
        .is_some_and(|host| host.trim_end_matches('.').ends_with(".atlassian.net"))
}

/// Whether this is the gateway that serves scoped tokens and OAuth for all sites of Atlassian Cloud.
pub(super) fn is_gateway(site: &Url) -> bool {
    site.domain()
        .is_some_and(|host| host.trim_end_matches('.') == "api.atlassian.com")
}

/// The path of the root, if `url` is a page below it.
fn context_path(url: &Url) -> Option<String> {
    let folders: Vec<_> = url.path().split('/').filter(|folder| !folder.is_empty()).collect();
    if is_cloud(url) {
        return (!folders.is_empty()).then(String::new);
    }
    let page = folders.iter().position(|folder| PAGES.contains(folder))?;
    (page + 1 < folders.len()).then(|| folders[..page].join("/"))
}

/// Whether `text` is surely a host, with port and path at most, so that it may be shown: a token set in URL by mistake has no dot.
fn is_host(text: &str) -> bool {
    let host = text.split([':', '/']).next().unwrap_or_default();
    let plain = text
        .chars()
        .all(|c| c.is_ascii_alphanumeric() || matches!(c, '.' | '-' | ':' | '/'));
    plain && (host == "localhost" || host.contains('.')) && Url::parse(&format!("https://{text}")).is_ok()
}

fn is_loopback(url: &Url) -> bool {
    match url.host() {
        Some(Host::Domain(name)) => name == "localhost",
        Some(Host::Ipv4(address)) => address.is_loopback(),
        Some(Host::Ipv6(address)) => address.is_loopback(),
        None => false,
    }
}

fn error(what: &str, hint: &str) -> Error {
    Error::new(ErrorKind::Option, format!("URL {what}")).hint(hint)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn one_form() {
        for (text, expected) in [
            ("https://acme.atlassian.net", "https://acme.atlassian.net/"),
            ("https://acme.atlassian.net/", "https://acme.atlassian.net/"),
            ("HTTPS://ACME.atlassian.net:443//", "https://acme.atlassian.net/"),
            ("https://help.example.com/jira", "https://help.example.com/jira/"),
            ("https://help.example.com//jira//x/", "https://help.example.com/jira/x/"),
            (
                "https://help.example.com/servicedesk",
                "https://help.example.com/servicedesk/",
            ),
            ("https://help.example.com/a%20b", "https://help.example.com/a%20b/"),
            ("https://help.example.com:8443/jira", "https://help.example.com:8443/jira/"),
            (
                "https://api.atlassian.com/ex/jira/1-2",
                "https://api.atlassian.com/ex/jira/1-2/",
            ),
            ("https://[2001:db8::1]:8443", "https://[2001:db8::1]:8443/"),
            ("https://münchen.example", "https://xn--mnchen-3ya.example/"),
            ("http://localhost:8080", "http://localhost:8080/"),
            ("http://127.8.9.1:1", "http://127.8.9.1:1/"),
            ("http://[::1]/jira", "http://[::1]/jira/"),
        ] {
            assert_eq!(
                site(text, false).unwrap_or_else(|error| panic!("{text}: {error}")).as_str(),
                expected
            );
        }
        assert_eq!(
            site("http://jira.example.com", true).unwrap().as_str(),
            "http://jira.example.com/"
        );
        let root = site("https://help.example.com/jira", false).unwrap();
        assert_eq!(
            root.join("rest/api").unwrap().as_str(),
            "https://help.example.com/jira/rest/api"
        );
    }

    #[test]
    fn refused() {
        for (text, message, hint) in [
            ("", "URL is missing", "URL=https://acme.atlassian.net;User="),
            (
                "acme.atlassian.net",
                "does not begin with https://",
                "write URL=https://acme.atlassian.net",
            ),
            (
                "localhost:8080/jira",
                "does not begin with https://",
                "write URL=https://localhost:8080/jira",
            ),
            ("https:/acme.atlassian.net", "does not begin with https://", "for example"),
            ("canary", "does not begin with https://", "for example"),
            ("ann.x:canary", "does not begin with https://", "for example"),
            ("u:canary@acme.atlassian.net", "does not begin with https://", "for example"),
            ("ftp://acme.atlassian.net", "does not begin with https://", "for example"),
            ("https://", "names no host", "for example"),
            ("https:///jira", "names no host", "for example"),
            ("https://?x", "names no host", "for example"),
            ("https://a b", "white space or a backslash", "separate the options"),
            (
                "https://acme.atlassian.net User=canary",
                "white space or a backslash",
                "separate the options",
            ),
            ("https://a\\@b", "white space or a backslash", "separate"),
            ("https://acme:99999", "cannot be read: invalid port number", "for example"),
            ("https://[::g]", "cannot be read: invalid IPv6 address", "for example"),
            (
                "https://u:canary@acme.atlassian.net",
                "holds a user name or password",
                "APIToken",
            ),
            (
                "https://canary@acme.atlassian.net/browse/ABC-1?x",
                "holds a user name or password",
                "APIToken",
            ),
            (
                "https://jira.example.com/jira?canary=1",
                "holds `?` or `#`",
                "write URL=https://jira.example.com/jira",
            ),
            (
                "https://jira.example.com/#canary",
                "holds `?` or `#`",
                "write URL=https://jira.example.com",
            ),
            ("http://jira.example.com", "is http", "AllowInsecure"),
            ("http://localhost.example.com", "is http", "AllowInsecure"),
            ("http://10.0.0.1", "is http", "AllowInsecure"),
        ] {
            let error = site(text, false).unwrap_err();
            assert!(error.message().contains(message), "{text}: {error}");
            assert!(error.hint_text().unwrap().contains(hint), "{text}: {:?}", error.hint_text());
            assert!(!format!("{error:?}").contains("canary"), "{error:?}");
        }
    }

    #[test]
    fn a_pasted_page_is_answered_with_the_root() {
        for (text, root) in [
            (
                "https://acme.atlassian.net/jira/servicedesk/projects/HELP/queues/1",
                "https://acme.atlassian.net",
            ),
            (
                "https://acme.atlassian.net/browse/ABC-1?focusedId=2#x",
                "https://acme.atlassian.net",
            ),
            ("https://acme.atlassian.net/rest/api/3", "https://acme.atlassian.net"),
            ("https://acme.atlassian.net/wiki", "https://acme.atlassian.net"),
            (
                "https://jira.example.com:8443/jira/browse/ABC-1",
                "https://jira.example.com:8443/jira",
            ),
            (
                "https://jira.example.com/servicedesk/customer/portals",
                "https://jira.example.com",
            ),
            ("https://jira.example.com/secure/Dashboard.jspa", "https://jira.example.com"),
            (
                "https://api.atlassian.com/ex/jira/1-2/rest/api/3",
                "https://api.atlassian.com/ex/jira/1-2",
            ),
        ] {
            let error = site(text, false).unwrap_err();
            assert!(error.message().contains("names a page"), "{text}: {error}");
            assert_eq!(error.hint_text(), Some(format!("write URL={root}").as_str()), "{text}");
        }
    }
}
