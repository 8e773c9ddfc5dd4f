//! What OAuth needs to know: the options OAuth…, Scope, CallbackURL, CloudId, AuthToken, AuthKey and CertificateStore….
//!
//! Pure: no token is asked for, no file opened.

use std::path::PathBuf;

use url::{Host, Url};

use super::secret::Secret;
use super::site::{is_cloud, is_gateway};
use super::store::{SIGNING, StoreOptions, store};
use super::values::OptionValues;
use crate::error::{Error, ErrorKind, Result};

/// Who gets the tokens.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Initiate {
    /// The caller; a token that has expired is an error.
    Off,
    /// The caller once, jsmql from then on.
    Refresh,
    /// jsmql, with a browser.
    GetAndRefresh,
}

/// Where tokens are kept.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum TokenPlace {
    /// A file of its own for each site, client and profile, in the user's configuration folder.
    Default,
    /// This file.
    File(PathBuf),
    /// This process, under a name.
    Memory(String),
    /// The keyring of the operating system, under a name.
    Keyring(String),
}

/// OAuth 2.0.
#[derive(Debug, Clone)]
pub(crate) struct OAuth2Options {
    /// Whether the site is one of Atlassian Cloud, with Atlassian's authorization server.
    pub(crate) cloud: bool,
    pub(crate) initiate: Initiate,
    pub(crate) client_id: String,
    pub(crate) client_secret: Option<Secret>,
    pub(crate) access_token: Option<Secret>,
    pub(crate) refresh_token: Option<Secret>,
    /// Lifetime of `access_token` in seconds.
    pub(crate) expires_in: Option<u64>,
    /// When `access_token` was issued, in Unix milliseconds.
    pub(crate) issued: Option<u64>,
    /// Scopes to ask for. Empty: all that jsmql uses.
    pub(crate) scopes: Vec<String>,
    pub(crate) callback: Url,
    /// The code of a sign-in in another browser.
    pub(crate) verifier: Option<Secret>,
    pub(crate) place: TokenPlace,
}

/// How OAuth 1.0a requests are signed.
#[derive(Debug, Clone)]
pub(crate) enum Signing {
    /// RSA-SHA1 with the key of this store.
    RsaSha1(Box<StoreOptions>),
    /// HMAC-SHA1 with the client's secret.
    HmacSha1(Secret),
}

/// OAuth 1.0a.
#[derive(Debug, Clone)]
pub(crate) struct OAuth1Options {
    pub(crate) initiate: Initiate,
    pub(crate) consumer_key: String,
    pub(crate) signing: Signing,
    /// The access token and its secret.
    pub(crate) access: Option<(Secret, Secret)>,
    /// The request token and its secret, of a sign-in that was begun elsewhere.
    pub(crate) request: Option<(Secret, Secret)>,
    pub(crate) verifier: Option<Secret>,
    pub(crate) callback: Url,
    pub(crate) place: TokenPlace,
}

/// Options that only OAuth 2.0 knows.
const ONLY_2: &[&str] = &[
    "OAuthRefreshToken",
    "OAuthExpiresIn",
    "OAuthTokenTimestamp",
    "Scope",
    "CloudId",
];
/// Options that only OAuth 1.0 knows.
const ONLY_1: &[&str] = &[
    "OAuthAccessTokenSecret",
    "AuthToken",
    "AuthKey",
    "CertificateStoreType",
    "CertificateStore",
    "CertificateStorePassword",
    "CertificateSubject",
];

/// Options of OAuth that a scheme without OAuth does not use. CloudId is not among them: tokens with scopes use it, too.
pub(super) const ALL: &[&str] = &[
    "InitiateOAuth",
    "OAuthVersion",
    "OAuthClientId",
    "OAuthClientSecret",
    "OAuthAccessToken",
    "OAuthAccessTokenSecret",
    "Scope",
    "OAuthSettingsLocation",
    "CallbackURL",
    "OAuthVerifier",
    "AuthToken",
    "AuthKey",
    "OAuthRefreshToken",
    "OAuthExpiresIn",
    "OAuthTokenTimestamp",
    "CertificateStoreType",
    "CertificateStore",
    "CertificateStorePassword",
    "CertificateSubject",
];

/// The options that show that OAuth is meant.
pub(super) const SIGNS: &[&str] = &["OAuthAccessToken", "OAuthRefreshToken", "OAuthClientId"];

fn initiate(values: &OptionValues) -> Initiate {
    match values.text("InitiateOAuth") {
        "REFRESH" => Initiate::Refresh,
        "GETANDREFRESH" => Initiate::GetAndRefresh,
        _ => Initiate::Off,
    }
}

/// OAuth 2.0, complete for what InitiateOAuth asks.
pub(super) fn oauth2(values: &OptionValues, site: &Url) -> Result<OAuth2Options> {
    let unfit = ONLY_1.iter().copied().find(|name| values.differs(name));
    if let Some(name) = unfit {
        return Err(option(format!("{name} is set, but OAuthVersion is 2.0"))
            .hint(format!("leave {name} out ({}), or set OAuthVersion=1.0", values.source(name))));
    }
    let initiate = initiate(values);
    let cloud = is_cloud(site) || is_gateway(site);
    let client_id = values.text("OAuthClientId").to_owned();
    let options = OAuth2Options {
        cloud,
        initiate,
        client_secret: values.filled("OAuthClientSecret").map(Secret::from),
        access_token: token(values, "OAuthAccessToken")?,
        refresh_token: token(values, "OAuthRefreshToken")?,
        expires_in: values.integer("OAuthExpiresIn"),
        issued: values.integer("OAuthTokenTimestamp"),
        scopes: values
            .text("Scope")
            .split([' ', ','])
            .filter(|scope| !scope.is_empty())
            .map(str::to_owned)
            .collect(),
        callback: callback(values)?,
        verifier: token(values, "OAuthVerifier")?,
        place: place(values)?,
        client_id,
    };
    if options.issued.is_some() && options.expires_in.is_none() {
        return Err(option("OAuthTokenTimestamp is set without OAuthExpiresIn".into()).hint("set OAuthExpiresIn, in seconds"));
    }
    if initiate == Initiate::Off {
        // With a client there are the procedures, which get a token.
        let has_client = !options.client_id.is_empty();
        if options.access_token.is_none() && !has_client {
            return Err(option("OAuthAccessToken is missing".into())
                .hint("InitiateOAuth is OFF: set OAuthAccessToken; or let jsmql get one with InitiateOAuth=GETANDREFRESH and jsmql login"));
        }
        let idle: &[&str] = match has_client {
            true => &["OAuthRefreshToken", "OAuthVerifier"],
            false => &["OAuthRefreshToken", "OAuthVerifier", "OAuthSettingsLocation", "Scope"],
        };
        if let Some(name) = idle.iter().copied().find(|name| values.differs(name)) {
            return Err(
                option(format!("{name} is set, but InitiateOAuth is OFF, which does not use it")).hint(format!(
                    "set InitiateOAuth=REFRESH or GETANDREFRESH, or leave {name} out ({})",
                    values.source(name)
                )),
            );
        }
        return Ok(options);
    }
    if options.client_id.is_empty() {
        return Err(option("OAuthClientId is missing".into())
            .hint("set the client id of your OAuth app: tokens are refreshed in its name"));
    }
    if cloud && options.client_secret.is_none() {
        return Err(option("OAuthClientSecret is missing".into())
            .hint("Atlassian's authorization server wants it: copy it from the app's settings at developer.atlassian.com"));
    }
    Ok(options)
}

/// OAuth 1.0a, complete for what InitiateOAuth asks.
pub(super) fn oauth1(values: &OptionValues, site: &Url) -> Result<OAuth1Options> {
    if is_cloud(site) || is_gateway(site) {
        return Err(option("OAuthVersion is 1.0, which Atlassian Cloud does not offer".into()).hint("leave OAuthVersion out"));
    }
    if let Some(name) = ONLY_2.iter().copied().find(|name| values.differs(name)) {
        return Err(option(format!("{name} is set, but OAuthVersion is 1.0"))
            .hint(format!("leave {name} out ({}), or OAuthVersion", values.source(name))));
    }
    let initiate = match initiate(values) {
        Initiate::Refresh => {
            return Err(
                option("InitiateOAuth is REFRESH, but tokens of OAuth 1.0 are not refreshed".into())
                    .hint("use InitiateOAuth=GETANDREFRESH, or OFF with OAuthAccessToken and OAuthAccessTokenSecret"),
            );
        }
        initiate => initiate,
    };
    let consumer_key = values.text("OAuthClientId").to_owned();
    if consumer_key.is_empty() {
        return Err(option("OAuthClientId is missing".into()).hint("set it to the consumer key of the application link"));
    }
    let signing = match (store(values, &SIGNING)?, values.filled("OAuthClientSecret")) {
        (Some(_), Some(_)) => {
            return Err(option("CertificateStore and OAuthClientSecret are both set".into())
                .hint("keep CertificateStore for RSA-SHA1, or OAuthClientSecret for HMAC-SHA1"));
        }
        (Some(store), None) => Signing::RsaSha1(Box::new(store)),
        (None, Some(secret)) => Signing::HmacSha1(secret.into()),
        (None, None) => {
            return Err(option("CertificateStore is missing".into())
                .hint("set it to the RSA key of the application link (RSA-SHA1), or set OAuthClientSecret (HMAC-SHA1)"));
        }
    };
    let pair = |one: &'static str, other: &'static str| match (token(values, one)?, token(values, other)?) {
        (Some(one), Some(other)) => Ok(Some((one, other))),
        (None, None) => Ok(None),
        (Some(_), None) => Err(option(format!("{other} is missing")).hint(format!("{one} needs it"))),
        (None, Some(_)) => Err(option(format!("{one} is missing")).hint(format!("{other} needs it"))),
    };
    Ok(OAuth1Options {
        initiate,
        consumer_key,
        signing,
        access: pair("OAuthAccessToken", "OAuthAccessTokenSecret")?,
        request: pair("AuthToken", "AuthKey")?,
        verifier: token(values, "OAuthVerifier")?,
        callback: callback(values)?,
        place: place(values)?,
    })
}

/// A token, certain to be fit for a header.
fn token(values: &OptionValues, name: &'static str) -> Result<Option<Secret>> {
    match values.filled(name) {
        None => Ok(None),
        Some(text) if text.chars().all(|c| c.is_ascii_graphic()) => Ok(Some(text.into())),
        Some(_) => Err(option(format!("{name} holds white space or a character that no token has"))
            .hint("copy the token again, on one line")),
    }
}

/// The redirect URL of the app: https, or http on this machine.
fn callback(values: &OptionValues) -> Result<Url> {
    let wrong = |what: &str| {
        option(format!("CallbackURL {what}")).hint("write the redirect URL of the OAuth app, such as http://localhost:33333")
    };
    let url = Url::parse(values.text("CallbackURL")).map_err(|reason| wrong(&format!("cannot be read: {reason}")))?;
    let local = match url.host() {
        Some(Host::Domain(name)) => name == "localhost",
        Some(Host::Ipv4(address)) => address.is_loopback(),
        Some(Host::Ipv6(address)) => address.is_loopback(),
        None => return Err(wrong("names no host")),
    };
    match url.scheme() {
        "https" => Ok(url),
        "http" if local => Ok(url),
        "http" => Err(wrong("is http to another machine, which would send the code unencrypted")),
        _ => Err(wrong("is neither http nor https")),
    }
}

fn place(values: &OptionValues) -> Result<TokenPlace> {
    let text = values.text("OAuthSettingsLocation").trim();
    let named = |prefix: &str| text.strip_prefix(prefix).map(|name| name.trim_matches('/').to_owned());
    if let Some(name) = named("memory://") {
        return Ok(TokenPlace::Memory(name));
    }
    if let Some(name) = named("keyring://") {
        return Ok(TokenPlace::Keyring(name));
    }
    match text.split_once("://") {
        Some(_) => Err(option("OAuthSettingsLocation names an unknown kind of place".into())
            .hint("write a file, memory://name or keyring://name")),
        None if text.is_empty() => Ok(TokenPlace::Default),
        None => Ok(TokenPlace::File(PathBuf::from(text))),
    }
}

fn option(message: String) -> Error {
    Error::new(ErrorKind::Option, message)
}
