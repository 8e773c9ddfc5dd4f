//! Requests that are not for the site's API: token endpoints, identity providers, the look-up of a site's cloud id.
//!
//! It carries no credentials of its own and logs only origins and paths: what a caller puts into headers and bodies goes to the URL
//! it names and nowhere else. TLS and proxy are those of the site's client.

use super::client::transport;
use super::link::origin;
use super::transport::{lost_error, unsent_error};
use super::{Bridge, ClientOptions, Method, Secret};
use crate::error::{Error, ErrorKind, Result};
use bytes::Bytes;
use reqwest::cookie::{CookieStore, Jar};
use reqwest::header::{HeaderName, HeaderValue};
use std::fmt;
use std::sync::Arc;
use std::time::Duration;
use url::Url;

/// Longest time for one request with its answer.
const PATIENCE: Duration = Duration::from_secs(30);
/// Largest answer: tokens and forms are small.
const LARGEST: usize = 1 << 20;
/// Fields of forms that tell nothing. The value of any other may grant something, whatever a page calls it.
const HARMLESS: &[&str] = &[
    "grant_type",
    "client_id",
    "redirect_uri",
    "response_type",
    "scope",
    "audience",
    "RelayState",
    "username",
    "os_username",
    "os_destination",
];
/// Fields whose values grant something, however short they are.
const SECRET: &[&str] = &["code", "password"];
/// Shorter values of other fields are words of the page, `true` or `Log in`.
const SHORTEST: usize = 8;
/// What an answer grants, by its names for it.
const GRANTED: &[&str] = &[
    "access_token",
    "refresh_token",
    "id_token",
    "sessionToken",
    "token",
    "oauth_token",
    "oauth_token_secret",
];
/// The media type of a form.
const FORM: &str = "application/x-www-form-urlencoded";
/// Most redirects of a browser.
const REDIRECTS: usize = 10;

/// A client without credentials. Cheap to clone.
#[derive(Clone)]
pub(crate) struct Wire {
    http: reqwest::Client,
    options: Arc<ClientOptions>,
    jar: Option<Arc<Jar>>,
    _bridge: Option<Arc<Bridge>>,
}

impl fmt::Debug for Wire {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Wire")
    }
}

/// A request to any URL.
#[derive(Debug, Clone)]
pub(crate) struct WireRequest {
    pub method: Method,
    pub url: Url,
    /// Names and values; values may be secret.
    pub headers: Vec<(String, Secret)>,
    /// Media type and content; the content may be secret.
    pub body: Option<(&'static str, Secret)>,
}

/// An answer of any status.
#[derive(Debug)]
pub(crate) struct WireAnswer {
    pub status: u16,
    pub body: Bytes,
}

impl WireAnswer {
    /// The body as text.
    pub(crate) fn text(&self) -> std::borrow::Cow<'_, str> {
        String::from_utf8_lossy(&self.body)
    }
}

impl Wire {
    /// A client that follows no redirect and keeps no cookies.
    pub(crate) fn new(options: &ClientOptions) -> Result<Self> {
        let (builder, bridge) = transport(options)?;
        Self::build(builder.redirect(reqwest::redirect::Policy::none()), options, None, bridge)
    }

    /// A client that keeps cookies and follows redirects, as a browser does.
    pub(crate) fn browser(options: &ClientOptions) -> Result<Self> {
        let (builder, bridge) = transport(options)?;
        let jar = Arc::new(Jar::default());
        let builder = builder
            .redirect(reqwest::redirect::Policy::limited(REDIRECTS))
            .cookie_provider(Arc::clone(&jar));
        Self::build(builder, options, Some(jar), bridge)
    }

    fn build(
        builder: reqwest::ClientBuilder,
        options: &ClientOptions,
        jar: Option<Arc<Jar>>,
        bridge: Option<Bridge>,
    ) -> Result<Self> {
        let http = builder
            .user_agent(&options.user_agent)
            .connect_timeout(options.connect_timeout)
            .timeout(PATIENCE)
            .build()
            .map_err(super::client::no_certificates)?;
        Ok(Self {
            http,
            options: Arc::new(options.clone()),
            jar,
            _bridge: bridge.map(Arc::new),
        })
    }

    /// Sends one request, once. Every status is an answer.
    pub(crate) async fn send(&self, request: WireRequest) -> Result<WireAnswer> {
        let method = match request.method {
            Method::Get => reqwest::Method::GET,
            Method::Post => reqwest::Method::POST,
            Method::Put => reqwest::Method::PUT,
            Method::Delete => reqwest::Method::DELETE,
        };
        let place = format!("{}{}", origin(&request.url), request.url.path());
        let mut wire = reqwest::Request::new(method, request.url.clone());
        let illegal = || {
            Error::new(
                ErrorKind::Option,
                "a value for the sign-in holds a character that cannot be sent",
            )
        };
        if let Some((kind, content)) = &request.body {
            if *kind == FORM {
                self.learn_form(content);
            }
            wire.headers_mut()
                .insert(reqwest::header::CONTENT_TYPE, HeaderValue::from_static(kind));
            *wire.body_mut() = Some(content.expose().to_owned().into());
        }
        for (name, value) in &request.headers {
            let name = HeaderName::try_from(name.as_str()).map_err(|_| illegal())?;
            let mut value = HeaderValue::from_str(value.expose()).map_err(|_| illegal())?;
            value.set_sensitive(true);
            wire.headers_mut().insert(name, value);
        }
        let answer = self.exchange(wire, &request.url).await;
        match &answer {
            Ok(answer) => {
                tracing::info!(target: "jsmql::auth", method = request.method.as_str(), place, status = answer.status, "sign-in request")
            }
            Err(error) => {
                tracing::warn!(target: "jsmql::auth", method = request.method.as_str(), place, %error, "sign-in request failed")
            }
        }
        answer
    }

    /// Remembers what a form carries in secret, which no option of the connection need hold: an answer may repeat it in its words.
    fn learn_form(&self, form: &Secret) {
        for (name, value) in url::form_urlencoded::parse(form.expose().as_bytes()) {
            let is_word = value.len() < SHORTEST && !SECRET.contains(&&*name);
            if !is_word && !HARMLESS.contains(&&*name) {
                self.options.redactor.keep(&value);
            }
        }
    }

    /// Remembers what an answer grants, a form or an object of JSON, from the moment on that it is here.
    fn learn_granted(&self, body: &[u8]) {
        let redactor = &self.options.redactor;
        if let Ok(object) = serde_json::from_slice::<serde_json::Map<String, serde_json::Value>>(body) {
            let granted = GRANTED.iter().filter_map(|name| object.get(*name)?.as_str());
            granted.for_each(|value| redactor.keep(value));
            return;
        }
        let fields = url::form_urlencoded::parse(body);
        let granted = fields.filter(|(name, _)| GRANTED.contains(&&**name));
        granted.for_each(|(_, value)| redactor.keep(&value));
    }

    async fn exchange(&self, wire: reqwest::Request, url: &Url) -> Result<WireAnswer> {
        // The error names the host that was asked, not the site.
        let asked = ClientOptions {
            base: url.clone(),
            ..ClientOptions::clone(&self.options)
        };
        let failed = |error: reqwest::Error| {
            let error = error.without_url();
            match error.is_connect() {
                true => unsent_error(&asked, false, &error),
                false if error.is_timeout() => Error::new(
                    ErrorKind::Timeout,
                    format!("{} gave no answer within {PATIENCE:?}", origin(url)),
                ),
                false => lost_error(None, &error),
            }
        };
        let mut response = self.http.execute(wire).await.map_err(failed)?;
        let mut body = bytes::BytesMut::new();
        let (status, url) = (response.status().as_u16(), response.url().clone());
        while let Some(chunk) = response.chunk().await.map_err(failed)? {
            body.extend_from_slice(&chunk);
            if body.len() > LARGEST {
                return Err(Error::new(
                    ErrorKind::Limit,
                    format!("{} sent more than a sign-in takes", origin(&url)),
                ));
            }
        }
        // A refusal may repeat in its words what it was asked with.
        let body = match status {
            400.. => self.options.redactor.redacted(&String::from_utf8_lossy(&body)).into(),
            _ => {
                self.learn_granted(&body);
                body.freeze()
            }
        };
        Ok(WireAnswer { status, body })
    }

    /// The cookies for `url` as the value of a `Cookie` header. None: there are none.
    pub(crate) fn cookies(&self, url: &Url) -> Option<Secret> {
        let value = self.jar.as_ref()?.cookies(url)?;
        value.to_str().ok().map(Secret::from)
    }

    /// Keeps a cookie, written as in `Set-Cookie`.
    pub(crate) fn keep(&self, cookie: &str, url: &Url) {
        if let Some(jar) = &self.jar {
            jar.add_cookie_str(cookie, url);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_a_sign_in_sends_and_gets_is_secret_from_then_on() {
        let options = ClientOptions::site(Url::parse("https://a.example").unwrap());
        let wire = Wire::new(&options).unwrap();
        wire.learn_form(&"SAMLResponse=PHg%2Bc4n4ry&RelayState=ss:mem:relay&remember=true&code=c4n4".into());
        wire.learn_granted(br#"{"status":"SUCCESS","sessionToken":"c4n4ry-session","expires_in":3600}"#);
        wire.learn_granted(b"oauth_token=c4n4ry-t&oauth_token_secret=c4n4ry-s");
        wire.learn_granted(b"<html>c4n4ry-page</html>");
        let redactor = &wire.options.redactor;
        for secret in ["PHg+c4n4ry", "PHg%2Bc4n4ry", "c4n4ry-session", "c4n4ry-t", "c4n4ry-s", "c4n4"] {
            let text = redactor.redacted(&format!("the answer repeats {secret} here"));
            assert_eq!(text, "the answer repeats *** here", "{secret}");
        }
        for word in ["ss:mem:relay", "true", "SUCCESS", "3600"] {
            assert_eq!(redactor.redacted(word), word);
        }
    }
}
