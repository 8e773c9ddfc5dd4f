//! An endpoint: a method and a path whose placeholders are columns.

use std::sync::Arc;

use super::Column;

/// What an endpoint is asked to do.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Verb {
    Get,
    Post,
    Put,
    Delete,
}

impl Verb {
    /// The word before the path.
    pub(crate) fn as_str(self) -> &'static str {
        match self {
            Self::Get => "GET",
            Self::Post => "POST",
            Self::Put => "PUT",
            Self::Delete => "DELETE",
        }
    }
}

/// `GET /path/{column}`.
#[derive(Debug, Clone)]
pub(crate) struct Endpoint {
    pub(crate) verb: Verb,
    /// The path as written: safe to log, and the name of the endpoint for rate limits.
    pub(crate) template: Arc<str>,
    pub(crate) segments: Vec<Segment>,
    /// Query parameters whose values are columns.
    pub(crate) query: Vec<(String, usize)>,
    /// Columns whose push this endpoint does not take.
    pub(crate) ignores: Vec<usize>,
}

/// One segment of a path.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Segment {
    Literal(String),
    Column(usize),
}

impl Endpoint {
    /// Reads `GET /path/{column}`; the error says what is wrong.
    pub(super) fn parse(call: &str, columns: &[Column]) -> Result<Self, String> {
        match Self::parse_any(call, columns)? {
            endpoint if endpoint.verb == Verb::Get => Ok(endpoint),
            _ => Err(format!("`{call}` is not of the form `GET /path/{{column}}`")),
        }
    }

    /// Reads `METHOD /path/{column}`; the error says what is wrong.
    pub(super) fn parse_any(call: &str, columns: &[Column]) -> Result<Self, String> {
        let verbs = [Verb::Get, Verb::Post, Verb::Put, Verb::Delete];
        let Some((verb, template)) = verbs
            .into_iter()
            .find_map(|verb| Some((verb, call.strip_prefix(verb.as_str())?.strip_prefix(' ')?)))
        else {
            return Err(format!("`{call}` is not of the form `METHOD /path/{{column}}`"));
        };
        let Some(path) = template.strip_prefix('/') else {
            return Err(format!("the path `{template}` does not start with `/`"));
        };
        let (path, parameters) = path.split_once('?').unwrap_or((path, ""));
        let query = parameters
            .split('&')
            .filter(|pair| !pair.is_empty())
            .map(|pair| {
                let column = pair.split_once('=').and_then(|(name, value)| {
                    let column = value.strip_prefix('{')?.strip_suffix('}')?;
                    Some((name.to_owned(), columns.iter().position(|known| known.name == column)?))
                });
                column.ok_or_else(|| format!("the parameter `{pair}` of `{template}` is not of the form `name={{column}}`"))
            })
            .collect::<Result<_, _>>()?;
        let segments = path
            .split('/')
            .map(
                |segment| match segment.strip_prefix('{').and_then(|rest| rest.strip_suffix('}')) {
                    Some(name) => columns
                        .iter()
                        .position(|column| column.name == name)
                        .map(Segment::Column)
                        .ok_or_else(|| format!("the path `{template}` names `{name}`, which is not a column")),
                    None if segment.is_empty() || segment.contains(['{', '}', '?', '#', '%']) => {
                        Err(format!("the path `{template}` has the unusable segment `{segment}`"))
                    }
                    None => Ok(Segment::Literal(segment.to_owned())),
                },
            )
            .collect::<Result<_, _>>()?;
        Ok(Self {
            verb,
            template: template.split('?').next().unwrap_or_default().into(),
            segments,
            query,
            ignores: Vec::new(),
        })
    }

    /// Columns that the address needs.
    pub(crate) fn placeholders(&self) -> impl Iterator<Item = usize> + '_ {
        let in_path = self.segments.iter().filter_map(|segment| match segment {
            Segment::Column(column) => Some(*column),
            Segment::Literal(_) => None,
        });
        in_path.chain(self.query.iter().map(|(_, column)| *column))
    }
}
