//! A request as the layers above describe it: typed parts, no reqwest.

use bytes::Bytes;
use std::borrow::Cow;
use std::sync::Arc;

/// An HTTP method.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub(crate) enum Method {
    /// Read.
    Get,
    /// Create, or read with a body.
    Post,
    /// Replace.
    Put,
    /// Remove.
    Delete,
}

impl Method {
    /// Its name on the wire.
    pub(crate) fn as_str(self) -> &'static str {
        match self {
            Self::Get => "GET",
            Self::Post => "POST",
            Self::Put => "PUT",
            Self::Delete => "DELETE",
        }
    }
}

/// What happens when the site gets the same request twice. It decides what is retried (table in `retry.rs`).
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub(crate) enum Safety {
    /// Nothing: a GET, or a POST that only reads (`search/jql`, `bulkfetch`).
    Read,
    /// A second comment, a second ticket: Jira has no idempotency keys. PUT and DELETE too: what they did first may have been undone by
    /// somebody since.
    Once,
}

/// One request to the site.
#[derive(Debug, Clone)]
pub(crate) struct Request {
    /// The method.
    pub method: Method,
    /// Path below the site's root, already percent-encoded, starting with `/`, without `.` and `..` segments.
    pub path: String,
    /// The path as the schema file writes it, `/request/{issue_key}`: names the endpoint in errors and in the rate gate.
    pub template: Arc<str>,
    /// Query pairs in order, not yet encoded.
    pub query: Vec<(Cow<'static, str>, String)>,
    /// Headers beyond the client's own; these win over the client's.
    pub headers: Vec<(Arc<str>, Arc<str>)>,
    /// Body; JSON unless `headers` say otherwise.
    pub body: Option<Bytes>,
    /// What a second sending would do.
    pub safety: Safety,
    /// The table it is sent for, named in errors.
    pub table: Option<Arc<str>>,
}

impl Request {
    /// A question about the site itself, for no table: a GET of a path without placeholders.
    pub(crate) fn about_site(path: &str) -> Self {
        Self {
            method: Method::Get,
            path: path.to_owned(),
            template: Arc::from(path),
            query: Vec::new(),
            headers: Vec::new(),
            body: None,
            safety: Safety::Read,
            table: None,
        }
    }
}
