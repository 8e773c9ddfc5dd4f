//! From a call to an HTTP request: the path is built from segments and encoded here, nowhere else.

use std::borrow::Cow;
use std::sync::Arc;

use bytes::Bytes;
use percent_encoding::{AsciiSet, NON_ALPHANUMERIC, utf8_percent_encode};

use super::encode::{self, Given};
use super::plan::{Call, EndpointRef};
use super::site::Site;
use super::value::Value;
use crate::error::{Error, ErrorKind, Result};
use crate::http::{Method, Request, Safety};
use crate::schema::{Api, Column, Endpoint, Operation, Segment, Table, Verb};

/// Everything but the unreserved characters of RFC 3986.
const SEGMENT: &AsciiSet = &NON_ALPHANUMERIC.remove(b'-').remove(b'.').remove(b'_').remove(b'~');

/// What the columns that are read cost: `expand` values and query parameters.
#[derive(Debug, Default, Clone, PartialEq, Eq)]
pub(crate) struct Wants {
    pub(crate) expand: Vec<String>,
    pub(crate) ask: Vec<(String, String)>,
}

impl Wants {
    /// What these columns of a table need; `prefix` is the expansion that carries the table.
    pub(crate) fn of(table: &Table, columns: &[usize], prefix: Option<&str>) -> Self {
        let mut wants = Self::default();
        if let Some(prefix) = prefix {
            wants.expand.push(prefix.to_owned());
        }
        for &column in columns {
            let column = &table.columns[column];
            if let Some(expand) = &column.expand {
                wants
                    .expand
                    .push(prefix.map_or_else(|| expand.clone(), |prefix| format!("{prefix}.{expand}")));
            }
            wants.ask.extend(column.ask.iter().cloned());
        }
        wants.expand.sort();
        wants.expand.dedup();
        wants.ask.sort();
        wants.ask.dedup();
        wants
    }
}

/// Part of a list.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Span {
    pub(super) start: usize,
    pub(super) rows: usize,
}

/// The request of one page of a call, or of the whole call where it has no pages.
pub(super) fn request(site: &Site, table: &Table, call: &Call, wants: &Wants, span: Option<Span>) -> Result<Request> {
    let endpoint = call.endpoint.of(table);
    let path = path(endpoint, &table.columns, |column| {
        call.values.get(&column).map(|value| value.as_str().into())
    })
    .map_err(|error| error.table(&table.name))?;
    let mut query: Vec<(Cow<'static, str>, String)> = Vec::new();
    let mut push = |name: &str, value: &str| query.push((Cow::Owned(name.to_owned()), value.to_owned()));
    for (name, value) in table.query.iter().chain(&call.query).chain(&wants.ask) {
        push(name, value);
    }
    for (name, column) in &endpoint.query {
        push(name, call.values.get(column).map_or("", String::as_str));
    }
    if !wants.expand.is_empty() {
        push("expand", &wants.expand.join(","));
    }
    if let (Some(parameter), Some(language)) = (&table.api.language, &site.language) {
        push(parameter, language);
    }
    if let (Some(span), EndpointRef::List(_)) = (span, call.endpoint) {
        if span.start > 0 {
            push(&table.page.start, &span.start.to_string());
        }
        push(&table.page.limit, &span.rows.to_string());
    }
    Ok(Request {
        method: Method::Get,
        path,
        template: endpoint.template.clone(),
        query,
        headers: table.api.headers.clone(),
        body: None,
        safety: Safety::Read,
        table: Some(Arc::from(table.name.as_str())),
    })
}

/// The path of an endpoint with these values in it.
pub(super) fn path<'a>(endpoint: &Endpoint, columns: &[Column], value: impl Fn(usize) -> Option<Cow<'a, str>>) -> Result<String> {
    let mut path = String::new();
    for segment in &endpoint.segments {
        path.push('/');
        match segment {
            Segment::Literal(text) => path.push_str(text),
            Segment::Column(column) => {
                let value = value(*column).unwrap_or_default();
                // A dot segment would be resolved away and name another resource, even when it is encoded.
                if matches!(&*value, "" | "." | "..") {
                    let name = &columns[*column].name;
                    return Err(Error::new(ErrorKind::Statement, format!("{name} cannot be {value:?}"))
                        .hint("the value becomes part of the request's path"));
                }
                path.extend(utf8_percent_encode(&value, SEGMENT));
            }
        }
    }
    Ok(path)
}

/// The request of an operation with these values; `list` are the values of its list.
///
/// # Errors
/// A value cannot be sent: the message names its column.
pub(super) fn operation_request(
    name: &Arc<str>,
    api: &Api,
    operation: &Operation,
    columns: &[Column],
    given: &Given,
    list: &[&str],
    nulls: bool,
) -> Result<Request> {
    let text = |column: usize| given[column].as_ref().and_then(Value::text);
    let path = path(&operation.endpoint, columns, text)?;
    let query = operation
        .query
        .iter()
        .filter_map(|(column, parameter)| Some((Cow::Owned(parameter.clone()), text(*column)?.into_owned())));
    let body = operation_body(operation, columns, given, list, nulls)?;
    let verb = operation.endpoint.verb;
    Ok(Request {
        method: method(verb),
        path,
        template: operation.endpoint.template.clone(),
        query: query.collect(),
        headers: api.headers.clone(),
        body,
        // A write whose answer is lost may have been done: it is never sent again, not even where that would be harmless.
        safety: if verb == Verb::Get { Safety::Read } else { Safety::Once },
        table: Some(name.clone()),
    })
}

/// The body of such a request.
///
/// # Errors
/// A value cannot be sent: the message names its column.
pub(super) fn operation_body(
    operation: &Operation,
    columns: &[Column],
    given: &Given,
    list: &[&str],
    nulls: bool,
) -> Result<Option<Bytes>> {
    encode::body(operation, columns, given, list, nulls).map_err(|(column, what)| {
        Error::new(ErrorKind::Statement, format!("{}: {what}", columns[column].name))
            .hint("correct the value and run the statement again")
    })
}

pub(super) fn method(verb: Verb) -> Method {
    match verb {
        Verb::Get => Method::Get,
        Verb::Post => Method::Post,
        Verb::Put => Method::Put,
        Verb::Delete => Method::Delete,
    }
}

/// The address of a call as EXPLAIN shows it: decoded, without paging.
pub(crate) fn describe(table: &Table, call: &Call, wants: &Wants) -> String {
    let endpoint = call.endpoint.of(table);
    let mut text = String::from("GET ");
    for segment in &endpoint.segments {
        text.push('/');
        match segment {
            Segment::Literal(literal) => text.push_str(literal),
            Segment::Column(column) => match call.values.get(column) {
                Some(value) => text.extend(utf8_percent_encode(value, SEGMENT)),
                None => {
                    text.push('{');
                    text.push_str(&table.columns[*column].name);
                    text.push('}');
                }
            },
        }
    }
    let expand = (!wants.expand.is_empty()).then(|| ("expand".to_owned(), wants.expand.join(",")));
    let bound: Vec<_> = endpoint
        .query
        .iter()
        .map(|(name, column)| {
            let value = call.values.get(column).cloned();
            (
                name.clone(),
                value.unwrap_or_else(|| format!("{{{}}}", table.columns[*column].name)),
            )
        })
        .collect();
    for (index, (name, value)) in table
        .query
        .iter()
        .chain(&bound)
        .chain(&call.query)
        .chain(&wants.ask)
        .chain(&expand)
        .enumerate()
    {
        text.push(if index == 0 { '?' } else { '&' });
        text.push_str(name);
        text.push('=');
        text.push_str(&value.replace(char::is_control, "\u{fffd}"));
    }
    text
}
