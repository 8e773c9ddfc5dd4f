//! A link the site supplied (`_links.next`): whether it is ours to follow, and its parts.
//!
//! Credentials go where requests go, so a link to another origin is an error, never followed. Even a good link is only taken
//! apart: the request is rebuilt from path and query on the configured base.

use crate::error::{Error, ErrorKind, Result};
use url::Url;

/// A link below the site's root.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Link {
    /// Path below the root, percent-encoded, starting with `/`: fit for [`Request::path`](super::Request::path).
    pub path: String,
    /// Query pairs in order, decoded.
    pub query: Vec<(String, String)>,
}

impl Link {
    /// Takes apart `link`, an absolute URL of the same origin below `base`, or a path with or without the base's own path.
    pub(super) fn parse(base: &Url, link: &str) -> Result<Self> {
        // Joining is what a browser would do: it sees through `//host`, `/\host`, tabs and `..`.
        let url = base
            .join(link)
            .map_err(|_| Error::new(ErrorKind::Decode, "the site sent a link that is not a URL"))?;
        if url.origin() != base.origin() {
            return Err(foreign(base, &url, "leads to another site"));
        }
        if !url.username().is_empty() || url.password().is_some() {
            return Err(foreign(base, &url, "contains a user name"));
        }
        let root = root_path(base);
        let path = match url.path().strip_prefix(root) {
            Some(path) if path.starts_with('/') => path,
            // A path without a host may leave the context path out.
            _ if link.starts_with('/') => url.path(),
            _ => return Err(foreign(base, &url, "leads outside the configured path")),
        };
        Ok(Self {
            path: path.into(),
            query: url.query_pairs().into_owned().collect(),
        })
    }
}

/// The base's path without the closing `/`: empty, or the context path.
pub(super) fn root_path(base: &Url) -> &str {
    base.path().trim_end_matches('/')
}

/// `scheme://host:port` of a URL, for messages: no user, no path, no query.
pub(super) fn origin(url: &Url) -> String {
    url.origin().ascii_serialization()
}

fn foreign(base: &Url, url: &Url, what: &str) -> Error {
    let message = format!(
        "a link sent by the site {what}: it names {}, option URL names {}",
        origin(url),
        origin(base)
    );
    Error::new(ErrorKind::Decode, message)
        .hint("set option URL to the address the site itself uses, or correct the site's base URL")
}

#[cfg(test)]
mod tests {
    use super::*;

    fn parse(base: &str, link: &str) -> Result<Link> {
        Link::parse(&Url::parse(base).unwrap(), link)
    }

    #[test]
    fn links_below_the_base_are_taken_apart() {
        for (base, link, path) in [
            ("https://a.net", "https://a.net/rest/x?start=50", "/rest/x"),
            ("https://a.net/", "https://A.NET:443/rest/x?start=50", "/rest/x"),
            ("https://a.net/jira", "https://a.net/jira/rest/x?start=50", "/rest/x"),
            ("https://a.net/jira/", "https://a.net/jira/rest/x?start=50", "/rest/x"),
            ("https://a.net/jira", "/jira/rest/x?start=50", "/rest/x"),
            ("https://a.net/jira", "/rest/x?start=50", "/rest/x"),
            ("https://a.net", "/rest/a/../x?start=50#top", "/rest/x"),
            ("http://127.0.0.1:8080", "http://127.0.0.1:8080/rest/x?start=50", "/rest/x"),
        ] {
            let link = parse(base, link).unwrap_or_else(|error| panic!("{link}: {error}"));
            assert_eq!(
                link,
                Link {
                    path: path.into(),
                    query: vec![("start".into(), "50".into())]
                },
                "{base}"
            );
        }
    }

    #[test]
    fn query_pairs_are_decoded_and_paths_are_not() {
        let link = parse("https://a.net", "/rest/a%20b?q=a%26b+c&q=%C3%A9&empty=").unwrap();
        assert_eq!(link.path, "/rest/a%20b");
        let pairs = [("q", "a&b c"), ("q", "é"), ("empty", "")];
        assert_eq!(link.query, pairs.map(|(k, v)| (k.to_owned(), v.to_owned())));
    }

    #[test]
    fn links_elsewhere_are_refused() {
        for (base, link) in [
            ("https://a.net", "https://evil.net/rest/x"),
            ("https://a.net", "https://a.net.evil.net/rest/x"),
            ("https://a.net", "http://a.net/rest/x"),
            ("https://a.net", "https://a.net:8443/rest/x"),
            ("https://a.net", "//evil.net/rest/x"),
            ("https://a.net", "/\\evil.net/rest/x"),
            ("https://a.net", "\\\\evil.net/rest/x"),
            ("https://a.net", "/\t/evil.net/rest/x"),
            ("https://a.net", "  https://evil.net/rest/x"),
            ("https://a.net", "https://a.net@evil.net/rest/x"),
            ("https://a.net", "https://ann:pw@a.net/rest/x"),
            ("https://a.net", "https://ann@a.net/rest/x"),
            ("https://a.net", "javascript:alert(1)"),
            ("https://a.net", "file:///etc/passwd"),
            ("https://a.net", "https://"),
            ("https://a.net/jira", "https://a.net/rest/x"),
            ("https://a.net/jira", "https://a.net/jirax/rest"),
            ("https://a.net/jira", "https://a.net/jira/../admin"),
            ("https://a.net/jira", "https://a.net/jira/%2e%2e/admin"),
            ("https://a.net/jira", "https://a.net/jira"),
        ] {
            let error = parse(base, link).expect_err(link);
            assert_eq!(error.kind(), ErrorKind::Decode, "{link}");
            assert!(!error.to_string().contains("pw"), "{error}");
        }
    }

    #[test]
    fn the_error_names_both_hosts_and_what_to_do() {
        let error = parse("https://a.net/jira", "https://evil.net/steal?token=1").unwrap_err();
        assert!(
            error.message().contains("https://evil.net") && error.message().contains("https://a.net"),
            "{error}"
        );
        assert!(!error.message().contains("token"));
        assert!(error.hint_text().unwrap().contains("option URL"));
    }
}
