//! A connection as a URI: `jsm://site.atlassian.net?User=…&APIToken=…`, as ADBC drivers are given.
//!
//! It knows no options: host, port and path become URL, the query becomes the other pairs. No error quotes the text.

use percent_encoding::percent_decode_str;
use url::Url;

use super::parse::ConnectionString;
use crate::error::{Error, ErrorKind, Result};

/// The pairs of a URI. None: the text is none.
pub(super) fn parse(text: &str) -> Option<Result<ConnectionString>> {
    let text = text.trim();
    let (scheme, rest) = [("https", "jsm://"), ("http", "jsm+http://")]
        .into_iter()
        .find_map(|(scheme, prefix)| Some((scheme, text.strip_prefix(prefix)?)))?;
    Some(pairs(scheme, rest))
}

fn pairs(scheme: &str, rest: &str) -> Result<ConnectionString> {
    let wrong = |what: &str| {
        Error::new(ErrorKind::Option, format!("the connection URI {what}"))
            .hint("write jsm://acme.atlassian.net?User=…&APIToken=…, values percent-encoded")
    };
    let url = Url::parse(&format!("{scheme}://{rest}")).map_err(|reason| wrong(&format!("cannot be read: {reason}")))?;
    if !url.username().is_empty() || url.password().is_some() {
        return Err(wrong("holds a user name or password before the host"));
    }
    if url.fragment().is_some() {
        return Err(wrong("holds `#`"));
    }
    let mut root = url.clone();
    root.set_query(None);
    let mut string = ConnectionString::default();
    string.push("URL", root.as_str())?;
    // `+` is a plus and `%20` a blank: addresses such as ann+sql@acme.example are written as they are.
    for pair in url.query().unwrap_or_default().split('&').filter(|pair| !pair.is_empty()) {
        let (key, value) = pair.split_once('=').unwrap_or((pair, ""));
        let decoded = |text: &str| percent_decode_str(text).decode_utf8().map(std::borrow::Cow::into_owned);
        let (Ok(key), Ok(value)) = (decoded(key), decoded(value)) else {
            return Err(wrong("holds percent-encoded bytes that are not UTF-8"));
        };
        string.push(&key, value).map_err(|_| wrong("holds a pair without a name"))?;
    }
    Ok(string)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_uri_is_a_connection_string() {
        let string = parse("jsm://acme.atlassian.net?User=ann%40acme.example&APIToken=a%3Bb%2B")
            .unwrap()
            .unwrap();
        let pairs: Vec<_> = string
            .pairs()
            .map(|(key, value)| format!("{key}={}", value.expose()))
            .collect();
        assert_eq!(
            pairs,
            ["URL=https://acme.atlassian.net/", "User=ann@acme.example", "APIToken=a;b+"]
        );
        let string = parse("jsm://acme.example?User=ann+sql@acme.example&Password=a%20b+c%2B")
            .unwrap()
            .unwrap();
        let values: Vec<_> = string.pairs().skip(1).map(|(_, value)| value.expose().to_owned()).collect();
        assert_eq!(values, ["ann+sql@acme.example", "a b+c+"]);
        let string = parse("jsm+http://localhost:8080/jira").unwrap().unwrap();
        assert_eq!(string.pairs().next().unwrap().1.expose(), "http://localhost:8080/jira");
        assert!(parse("URL=jsm://x").is_none());
        for (text, message) in [
            ("jsm://ann:c4n4ry@acme.example", "before the host"),
            ("jsm://acme.example?=c4n4ry", "without a name"),
            ("jsm://", "cannot be read"),
            ("jsm://a.example#c4n4ry", "holds `#`"),
            ("jsm://a.example?Password=c4n4ry%ff", "not UTF-8"),
        ] {
            let error = parse(text).unwrap().unwrap_err();
            assert!(error.message().contains(message), "{text}: {error}");
            assert!(!format!("{error:?}").contains("c4n4ry"));
        }
    }
}
