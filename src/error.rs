//! The one error type of the crate: what went wrong, in whose words, and what to do next.
//!
//! Every failure is an [`Error`]: one line, an optional `hint:`, and the request it belongs to. The table [`KINDS`] maps
//! each kind to the codes that front ends speak; `docs/errors.md` is generated from it.

use std::fmt;

/// What kind of failure an [`Error`] is. Front ends translate it through [`KINDS`].
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum ErrorKind {
    /// The connection string, an option or a command-line argument is wrong.
    Option,
    /// A schema file is wrong.
    Schema,
    /// The SQL statement cannot be parsed or planned.
    Statement,
    /// The feature is not supported; the hint names the alternative.
    Unsupported,
    /// The site refused the request as malformed (HTTP 400 and kin).
    Invalid,
    /// The site does not know who we are (HTTP 401).
    Authentication,
    /// The site knows us and says no (HTTP 403).
    Permission,
    /// What was named does not exist, or may not be seen (HTTP 404).
    NotFound,
    /// The state of the site does not allow it (HTTP 409).
    Conflict,
    /// The site's rate limit stands in the way (HTTP 429).
    RateLimited,
    /// The site failed to answer properly (HTTP 5xx, dropped connections).
    Unavailable,
    /// The site cannot be reached at all: name, route, refused connection.
    Unreachable,
    /// The secure connection could not be made.
    Tls,
    /// The statement or a request ran out of time.
    Timeout,
    /// The statement was cancelled.
    Cancelled,
    /// The site answered something that is not what its API promises.
    Decode,
    /// The rows cannot be shown to be complete.
    Incomplete,
    /// The statement would exceed a limit set on the connection.
    Limit,
    /// A local file or stream failed.
    Io,
    /// A defect of jsmql itself.
    Internal,
}

/// The codes one kind of error has in each front end.
#[derive(Debug)]
pub struct KindRow {
    /// The kind this row describes.
    pub kind: ErrorKind,
    /// Its name in documentation and logs.
    pub name: &'static str,
    /// SQLSTATE, five characters.
    pub sqlstate: &'static str,
    /// ADBC status name.
    pub adbc: &'static str,
    /// gRPC status name.
    pub grpc: &'static str,
    /// Exit status of the command line.
    pub exit: u8,
    /// What it means, for the documentation.
    pub doc: &'static str,
}

macro_rules! kinds {
    ($($kind:ident $name:literal $sqlstate:literal $adbc:literal $grpc:literal $exit:literal $doc:literal;)*) => {
        /// One row per [`ErrorKind`]: the only place that knows the codes.
        pub static KINDS: &[KindRow] = &[$(KindRow {
            kind: ErrorKind::$kind, name: $name, sqlstate: $sqlstate, adbc: $adbc, grpc: $grpc, exit: $exit, doc: $doc,
        }),*];
    };
}

kinds! {
    Option         "option"         "08001" "INVALID_ARGUMENT" "INVALID_ARGUMENT"    2 "The connection string, an option or a command-line argument is wrong.";
    Schema         "schema"         "F0000" "INVALID_ARGUMENT" "INVALID_ARGUMENT"    1 "A schema file is wrong; the message points at the line.";
    Statement      "statement"      "42000" "INVALID_ARGUMENT" "INVALID_ARGUMENT"    1 "The SQL statement cannot be parsed or planned.";
    Unsupported    "unsupported"    "0A000" "NOT_IMPLEMENTED"  "UNIMPLEMENTED"       1 "The feature is not supported; the hint names the alternative.";
    Invalid        "invalid"        "22023" "INVALID_ARGUMENT" "INVALID_ARGUMENT"    1 "The site refused the request as malformed (HTTP 400, 412, 413, 414, 422).";
    Authentication "authentication" "28000" "UNAUTHENTICATED"  "UNAUTHENTICATED"     1 "The site does not accept the credentials (HTTP 401), or answered with a login page.";
    Permission     "permission"     "42501" "UNAUTHORIZED"     "PERMISSION_DENIED"   1 "The site knows the account and refuses (HTTP 403).";
    NotFound       "not found"      "02000" "NOT_FOUND"        "NOT_FOUND"           1 "What was named does not exist or may not be seen by the account (HTTP 404, 410).";
    Conflict       "conflict"       "40001" "INVALID_STATE"    "ABORTED"             1 "The state of the site does not allow it (HTTP 409).";
    RateLimited    "rate limited"   "53400" "IO"               "RESOURCE_EXHAUSTED"  1 "The rate limit of the site stands in the way (HTTP 429); the message says until when.";
    Unavailable    "unavailable"    "08006" "IO"               "UNAVAILABLE"         1 "The site failed to answer properly after all attempts (HTTP 5xx, dropped connections).";
    Unreachable    "unreachable"    "08001" "IO"               "UNAVAILABLE"         1 "The site cannot be reached: name, route, refused connection.";
    Tls            "tls"            "08001" "IO"               "UNAVAILABLE"         1 "The secure connection could not be made.";
    Timeout        "timeout"        "57014" "TIMEOUT"          "DEADLINE_EXCEEDED"   1 "The statement or a request ran out of time (option Timeout).";
    Cancelled      "cancelled"      "57014" "CANCELLED"        "CANCELLED"           1 "The statement was cancelled.";
    Decode         "decode"         "22P02" "INVALID_DATA"     "DATA_LOSS"           1 "The site answered something that is not what its API promises.";
    Incomplete     "incomplete"     "55000" "INVALID_STATE"    "ABORTED"             1 "The rows changed while they were read and could not be shown to be complete; run the statement again.";
    Limit          "limit"          "54000" "INVALID_STATE"    "RESOURCE_EXHAUSTED"  1 "The statement would exceed a limit set on the connection (MaxRequests, response size, statement size).";
    Io             "io"             "58030" "IO"               "UNKNOWN"             1 "A local file or stream failed.";
    Internal       "internal"       "XX000" "INTERNAL"         "INTERNAL"            1 "A defect of jsmql itself; please report it.";
}

impl ErrorKind {
    /// The row of [`KINDS`] for this kind.
    pub fn row(self) -> &'static KindRow {
        KINDS
            .iter()
            .find(|row| row.kind == self)
            .expect("KINDS has one row per kind: a test checks it")
    }
}

/// The request an error belongs to. Never holds a query string or a secret.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct RequestContext {
    /// HTTP method.
    pub method: &'static str,
    /// Path as written in the schema file, `{placeholders}` included: safe to log.
    pub path: String,
    /// HTTP status of the last answer, if there was one.
    pub status: Option<u16>,
    /// How often the request was sent.
    pub attempts: u32,
    /// The site's own id of the request (`X-ARequestId` or `atl-traceid`).
    pub trace_id: Option<String>,
}

/// A failure: one line, a hint, and where it happened.
///
/// `Display` prints the message with table and request; the hint is separate, so that a front end can put it on a line of its own.
#[derive(Debug)]
pub struct Error(Box<Inner>);

#[derive(Debug)]
struct Inner {
    kind: ErrorKind,
    message: String,
    hint: Option<String>,
    table: Option<String>,
    request: Option<RequestContext>,
    source: Option<Box<dyn std::error::Error + Send + Sync>>,
}

/// Result with the crate's [`Error`].
pub type Result<T, E = Error> = std::result::Result<T, E>;

impl Error {
    /// A new error of `kind`; `message` is one line without a final full stop.
    pub fn new(kind: ErrorKind, message: impl Into<String>) -> Self {
        Self(Box::new(Inner {
            kind,
            message: one_line(message.into()),
            hint: None,
            table: None,
            request: None,
            source: None,
        }))
    }

    /// Says what to do next.
    pub fn hint(mut self, hint: impl Into<String>) -> Self {
        self.0.hint = Some(one_line(hint.into()));
        self
    }

    /// Says in the message whom it is about.
    pub(crate) fn about(mut self, whom: &str) -> Self {
        self.0.message = format!("{} ({whom})", self.0.message);
        self
    }

    /// Names the table; the innermost name wins.
    pub fn table(mut self, table: impl Into<String>) -> Self {
        self.0.table.get_or_insert(table.into());
        self
    }

    /// Names the request; the innermost wins.
    pub fn request(mut self, request: RequestContext) -> Self {
        self.0.request.get_or_insert(request);
        self
    }

    /// Keeps the cause. It is not printed by `Display`: a cause may quote what must stay secret.
    pub fn source(mut self, source: impl Into<Box<dyn std::error::Error + Send + Sync>>) -> Self {
        self.0.source = Some(source.into());
        self
    }

    /// The same error once more, without its source: for a failure that several consumers hear of.
    pub(crate) fn again(&self) -> Self {
        let Inner {
            kind,
            message,
            hint,
            table,
            request,
            ..
        } = self.0.as_ref();
        let (message, hint, table, request) = (message.clone(), hint.clone(), table.clone(), request.clone());
        Self(Box::new(Inner {
            kind: *kind,
            message,
            hint,
            table,
            request,
            source: None,
        }))
    }

    /// The same error with its words as `reworded` makes them.
    pub(crate) fn reworded(mut self, reworded: impl Fn(&str) -> String) -> Self {
        self.0.message = reworded(&self.0.message);
        self.0.hint = self.0.hint.as_deref().map(reworded);
        self
    }

    /// What kind of failure this is.
    pub fn kind(&self) -> ErrorKind {
        self.0.kind
    }

    /// The message alone, without table and request.
    pub fn message(&self) -> &str {
        &self.0.message
    }

    /// What to do next, if anything is known.
    pub fn hint_text(&self) -> Option<&str> {
        self.0.hint.as_deref()
    }

    /// The table it happened on, if any.
    pub fn table_name(&self) -> Option<&str> {
        self.0.table.as_deref()
    }

    /// The request it happened on, if any.
    pub fn request_context(&self) -> Option<&RequestContext> {
        self.0.request.as_ref()
    }
}

impl fmt::Display for Error {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if let Some(table) = &self.0.table {
            write!(f, "{table}: ")?;
        }
        f.write_str(&self.0.message)?;
        if let Some(request) = &self.0.request {
            write!(f, " [{} {}", request.method, request.path)?;
            if let Some(status) = request.status {
                write!(f, ", HTTP {status}")?;
            }
            if request.attempts > 1 {
                write!(f, ", {} attempts", request.attempts)?;
            }
            if let Some(id) = &request.trace_id {
                write!(f, ", trace {id}")?;
            }
            f.write_str("]")?;
        }
        Ok(())
    }
}

impl std::error::Error for Error {
    fn source(&self) -> Option<&(dyn std::error::Error + 'static)> {
        self.0.source.as_deref().map(|source| source as _)
    }
}

/// Control characters in a message could forge a second line in a log or on a terminal.
fn one_line(text: String) -> String {
    if text.chars().any(char::is_control) {
        text.chars().map(|c| if c.is_control() { ' ' } else { c }).collect()
    } else {
        text
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::collections::HashSet;

    #[test]
    fn kinds_are_listed_once() {
        let kinds: HashSet<_> = KINDS.iter().map(|row| row.kind).collect();
        assert_eq!(kinds.len(), KINDS.len());
        assert_eq!(KINDS.len(), ErrorKind::Internal as usize + 1, "a kind without a row");
    }

    #[test]
    fn display_names_table_and_request() {
        let error = Error::new(ErrorKind::NotFound, "no such request")
            .table("requests")
            .request(RequestContext {
                method: "GET",
                path: "/rest/servicedeskapi/request/{issue_key}".into(),
                status: Some(404),
                attempts: 1,
                trace_id: None,
            });
        assert_eq!(
            error.to_string(),
            "requests: no such request [GET /rest/servicedeskapi/request/{issue_key}, HTTP 404]"
        );
    }

    #[test]
    fn control_characters_cannot_forge_a_line() {
        assert_eq!(Error::new(ErrorKind::Invalid, "a\nerror: b").message(), "a error: b");
    }
}
