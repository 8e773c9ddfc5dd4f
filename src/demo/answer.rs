//! What a request asked and what the site answers, without the wire.

use super::json;

/// A request, taken apart.
#[derive(Debug, Clone)]
pub(super) struct Asked {
    /// Index of the person who asks.
    pub(super) who: usize,
    pub(super) method: String,
    /// Decoded segments of the path.
    pub(super) segments: Vec<String>,
    /// The path as it was sent.
    pub(super) path: String,
    /// Decoded pairs of the query, in order.
    pub(super) query: Vec<(String, String)>,
    /// Whether experimental operations are opted into.
    pub(super) experimental: bool,
    /// Root of the site, for links.
    pub(super) base: String,
    /// `Content-Type`.
    pub(super) media_type: String,
    /// Whether the header says that no browser was tricked into sending this.
    pub(super) unforged: bool,
    /// The body as it was sent.
    pub(super) body: Vec<u8>,
    /// How pages are to be broken.
    pub(super) paging: super::page::Quirks,
}

impl Asked {
    /// The first value of a query parameter.
    pub(super) fn one(&self, name: &str) -> Option<&str> {
        self.query
            .iter()
            .find(|(key, _)| key == name)
            .map(|(_, value)| value.as_str())
    }

    /// All values of a query parameter; commas separate as repetition does.
    pub(super) fn all<'a>(&'a self, name: &'a str) -> impl Iterator<Item = &'a str> {
        let values = self.query.iter().filter(move |(key, _)| key == name);
        values
            .flat_map(|(_, value)| value.split(','))
            .map(str::trim)
            .filter(|value| !value.is_empty())
    }

    /// Whether `expand` names this.
    pub(super) fn expands(&self, what: &str) -> bool {
        self.all("expand").any(|value| value == what)
    }

    /// A query parameter that must be a 32-bit number.
    pub(super) fn number(&self, name: &str) -> Result<Option<i32>, Answer> {
        self.one(name)
            .map(|text| {
                text.parse()
                    .map_err(|_| Answer::refuse(400, format_args!("The value of '{name}' is not a number: {text}")))
            })
            .transpose()
    }

    /// A query parameter that is true or false; some clients write it with a capital.
    pub(super) fn flag(&self, name: &str, default: bool) -> bool {
        self.one(name).map_or(default, |text| text.eq_ignore_ascii_case("true"))
    }
}

/// An answer before it is sent.
#[derive(Debug, Clone)]
pub(super) struct Answer {
    pub(super) status: u16,
    pub(super) headers: Vec<(&'static str, String)>,
    pub(super) body: Vec<u8>,
}

impl Answer {
    /// 200 with this JSON.
    pub(super) fn json(body: Vec<u8>) -> Self {
        Self::new(200, "application/json;charset=UTF-8", body)
    }

    pub(super) fn new(status: u16, content_type: &str, body: impl Into<Vec<u8>>) -> Self {
        let headers = if content_type.is_empty() {
            Vec::new()
        } else {
            vec![("content-type", content_type.to_owned())]
        };
        Self {
            status,
            headers,
            body: body.into(),
        }
    }

    pub(super) fn header(mut self, name: &'static str, value: impl Into<String>) -> Self {
        self.headers.push((name, value.into()));
        self
    }

    /// 204 without a body.
    pub(super) fn none() -> Self {
        Self::new(204, "", "")
    }

    pub(super) fn with_status(mut self, status: u16) -> Self {
        self.status = status;
        self
    }

    /// A refusal in the words of `/rest/servicedeskapi`.
    pub(super) fn refuse(status: u16, message: impl std::fmt::Display) -> Self {
        let body = json::document(|o| {
            o.text("errorMessage", &message);
            o.object("i18nErrorMessage", |o| {
                o.text("i18nKey", "sd.error");
                o.texts("parameters", [&message]);
            });
        });
        Self {
            status,
            ..Self::json(body)
        }
    }

    /// A refusal in the words of `/rest/api`.
    pub(super) fn refuse_platform(status: u16, message: impl std::fmt::Display) -> Self {
        Self::refuse_all(status, &[message])
    }

    /// The same with several sentences.
    pub(super) fn refuse_all(status: u16, messages: &[impl std::fmt::Display]) -> Self {
        let body = json::document(|o| {
            o.texts("errorMessages", messages);
            o.object("errors", |_| ());
        });
        Self {
            status,
            ..Self::json(body)
        }
    }

    /// A refusal of fields, in the words of `/rest/api`.
    pub(super) fn refuse_fields(status: u16, fields: &[(String, String)]) -> Self {
        let body = json::document(|o| {
            o.texts::<&str>("errorMessages", []);
            o.object("errors", |o| fields.iter().for_each(|(field, what)| o.text(field, what)));
        });
        Self {
            status,
            ..Self::json(body)
        }
    }

    /// 404 for a request that does not exist or may not be seen.
    pub(super) fn no_request() -> Self {
        Self::refuse(
            404,
            "The request you're looking for doesn't exist, or you don't have permission to view it.",
        )
    }
}
