//! Who signs in, and how: the account options become credentials.
//!
//! It decides from values; it sends nothing and cannot know whether the site agrees. Every contradiction is an error that names
//! the options: a password left in the environment must not decide which account a statement runs as.

use url::Url;

use super::oauth::{self, OAuth1Options, OAuth2Options};
use super::secret::Secret;
use super::site::{is_cloud, is_gateway};
use super::sso::{self, SsoOptions};
use super::values::OptionValues;
use crate::error::{Error, ErrorKind, Result};

/// What a request carries to be let in.
#[derive(Debug, Clone)]
pub(crate) enum Credentials {
    /// Nothing.
    Anonymous,
    /// `Authorization: Basic`, from a user name without `:` and a password or API token.
    Basic {
        /// E-mail address (Cloud) or user name (Data Center).
        user: String,
        /// API token or password.
        password: Secret,
    },
    /// `Authorization: Bearer`, with a token that stays the same.
    Bearer(Secret),
    /// OAuth 2.0: a token that is refreshed.
    OAuth2(Box<OAuth2Options>),
    /// OAuth 1.0a: a signature for each request.
    OAuth1(Box<OAuth1Options>),
    /// Crowd or Okta: the cookie of a session.
    Sso(Box<SsoOptions>),
}

/// Credentials, and in words how they were chosen.
#[derive(Debug, Clone)]
pub(super) struct SignIn {
    pub(super) credentials: Credentials,
    pub(super) scheme: &'static str,
    /// Where requests go, if not to the site itself.
    pub(super) gateway: Option<Gateway>,
}

/// Atlassian's gateway, which takes OAuth tokens and API tokens with scopes for all sites of Cloud.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Gateway {
    /// The site with this cloud id.
    Known(String),
    /// The site that URL names; its cloud id must be looked up.
    Unknown,
}

impl SignIn {
    fn new(credentials: Credentials, scheme: &'static str) -> Self {
        Self {
            credentials,
            scheme,
            gateway: None,
        }
    }
}

/// Credentials from AuthScheme and the options that belong to it.
pub(super) fn sign_in(values: &OptionValues, site: &Url) -> Result<SignIn> {
    let has = |name| values.filled(name).is_some();
    let scheme = values.text("AuthScheme");
    let oauth = scheme == "OAuth" || (scheme == "Auto" && means_oauth(values));
    if !oauth {
        unused(values, oauth::ALL)?;
    }
    if !matches!(scheme, "Crowd" | "Okta") {
        unused(values, sso::ALL)?;
    }
    let found = match scheme {
        _ if oauth => oauth_scheme(values, site),
        "Auto" => inferred(values, site),
        "APIToken" => unused(values, &["Password"]).and_then(|()| api_token(values, "APIToken")),
        // What drivers of 2022 and before called Basic included the API tokens of Cloud.
        "Basic" if has("APIToken") && !has("Password") => api_token(values, "Basic, with the API token"),
        "Basic" => unused(values, &["APIToken"]).and_then(|()| basic(values, site, "Basic")),
        "PAT" => unused(values, &["User", "Password"]).and_then(|()| bearer(values, site, "PAT")),
        "Anonymous" => {
            unused(values, &["User", "Password", "APIToken"]).map(|()| SignIn::new(Credentials::Anonymous, "Anonymous"))
        }
        sso => single_sign_on(values, site, if sso == "Crowd" { "Crowd" } else { "Okta" }),
    }?;
    through_gateway(values, site, found)
}

/// The same sign-in through Atlassian's gateway, where the token needs it.
fn through_gateway(values: &OptionValues, site: &Url, mut found: SignIn) -> Result<SignIn> {
    let cloud_id = values.filled("CloudId").map(str::trim);
    if let Some(id) = cloud_id
        && !id.chars().all(|c| c.is_ascii_alphanumeric() || c == '-')
    {
        return Err(option("CloudId is not the id of a site".into())
            .hint("it is shown at https://<site>.atlassian.net/_edge/tenant_info; leave it out to have it looked up"));
    }
    let wanted = match &found.credentials {
        Credentials::OAuth2(oauth) => oauth.cloud,
        _ => values.boolean("ScopedToken") || cloud_id.is_some(),
    };
    if !wanted {
        return Ok(found);
    }
    let name = if cloud_id.is_some() { "CloudId" } else { "ScopedToken" };
    let fits = matches!(found.credentials, Credentials::Basic { .. } | Credentials::OAuth2(_));
    if !fits || !(is_cloud(site) || is_gateway(site)) {
        return Err(option(format!(
            "{name} is set, but only API tokens and OAuth at Atlassian Cloud have a gateway"
        ))
        .hint(format!("leave {name} out ({})", values.source(name))));
    }
    found.gateway = match cloud_id {
        Some(id) => Some(Gateway::Known(id.to_owned())),
        // The address of the gateway with the id in it needs nothing more.
        None if is_gateway(site) && site.path().len() > 1 => None,
        None => Some(Gateway::Unknown),
    };
    Ok(found)
}

/// Whether AuthScheme=Auto stands for OAuth. `User` may stand beside it, as it does on forms; a password or API token may not.
fn means_oauth(values: &OptionValues) -> bool {
    oauth::SIGNS.iter().any(|name| values.filled(name).is_some())
}

fn oauth_scheme(values: &OptionValues, site: &Url) -> Result<SignIn> {
    let auto = values.text("AuthScheme") == "Auto";
    if let Some(name) = ["APIToken", "Password"]
        .into_iter()
        .find(|name| values.filled(name).is_some())
    {
        let sign = oauth::SIGNS.iter().find(|name| values.filled(name).is_some());
        return Err(match sign {
            Some(sign) if auto => option(format!(
                "{sign} ({}) and {name} ({}) are both set",
                values.source(sign),
                values.source(name)
            ))
            .hint("keep one of them, or say which with AuthScheme"),
            _ => option(format!("AuthScheme is OAuth, which does not use {name}"))
                .hint(format!("leave {name} out ({}), or change AuthScheme", values.source(name))),
        });
    }
    Ok(if values.text("OAuthVersion") == "1.0" {
        let options = oauth::oauth1(values, site)?;
        SignIn::new(
            Credentials::OAuth1(Box::new(options)),
            if auto {
                "OAuth 1.0a (inferred from OAuthClientId)"
            } else {
                "OAuth 1.0a"
            },
        )
    } else {
        let options = oauth::oauth2(values, site)?;
        SignIn::new(
            Credentials::OAuth2(Box::new(options)),
            match values.filled("OAuthAccessToken") {
                _ if !auto => "OAuth 2.0",
                Some(_) => "OAuth 2.0 (inferred from OAuthAccessToken)",
                None => "OAuth 2.0 (inferred from OAuthClientId)",
            },
        )
    })
}

fn single_sign_on(values: &OptionValues, site: &Url, scheme: &'static str) -> Result<SignIn> {
    unused(values, &["APIToken"])?;
    let options = sso::sso(values, site, scheme, user(values)?)?;
    Ok(SignIn::new(Credentials::Sso(Box::new(options)), scheme))
}

/// AuthScheme=Auto without OAuth: the scheme follows from what is set.
fn inferred(values: &OptionValues, site: &Url) -> Result<SignIn> {
    let has = |name| values.filled(name).is_some();
    match (has("Password"), has("APIToken")) {
        (true, true) => {
            let (password, token) = (values.source("Password"), values.source("APIToken"));
            Err(option(format!("Password ({password}) and APIToken ({token}) are both set"))
                .hint("keep one of them, or say which with AuthScheme"))
        }
        (true, false) => basic(values, site, "Basic (inferred from User and Password)"),
        // A User set to nothing is a slip, such as an unset shell variable: without it the token would mean something else.
        (false, true) if values.is_written("User") => api_token(values, "APIToken (inferred from User and APIToken)"),
        (false, true) => bearer(values, site, "PAT (inferred from APIToken without User)"),
        (false, false) => Err(
            match ["APIToken", "Password"].into_iter().find(|name| values.is_written(name)) {
                Some(name) => missing(values, name),
                None if has("User") => option("User is set without APIToken or Password".into()),
                None => option("there are no credentials".into()),
            }
            .hint("set User and APIToken (Cloud), or APIToken alone for a personal access token (Data Center)"),
        ),
    }
}

fn api_token(values: &OptionValues, scheme: &'static str) -> Result<SignIn> {
    let credentials = Credentials::Basic {
        user: user(values)?,
        password: token(values)?,
    };
    Ok(SignIn::new(credentials, scheme))
}

fn basic(values: &OptionValues, site: &Url, scheme: &'static str) -> Result<SignIn> {
    let user = user(values)?;
    let password = values.filled("Password").ok_or_else(|| missing(values, "Password"))?;
    if is_cloud(site) || is_gateway(site) {
        return Err(option("Password is set, but Atlassian Cloud accepts no passwords".into())
            .hint("create an API token at https://id.atlassian.com/manage-profile/security/api-tokens and set it in APIToken"));
    }
    Ok(SignIn::new(
        Credentials::Basic {
            user,
            password: password.into(),
        },
        scheme,
    ))
}

fn bearer(values: &OptionValues, site: &Url, scheme: &'static str) -> Result<SignIn> {
    let token = token(values)?;
    if is_cloud(site) {
        return Err(
            option("User is missing: Atlassian Cloud has no personal access tokens".into())
                .hint("set User to the e-mail address of the account that the API token belongs to"),
        );
    }
    Ok(SignIn::new(Credentials::Bearer(token), scheme))
}

fn user(values: &OptionValues) -> Result<String> {
    let user = values.filled("User").ok_or_else(|| missing(values, "User"))?;
    // RFC 7617 has no way to write it. Not quoted: what follows the `:` may well be the token.
    if user.contains(':') {
        return Err(option("User holds `:`".into())
            .hint("set only the e-mail address or user name; the token has its own option, APIToken"));
    }
    Ok(user.to_owned())
}

/// The token, certain to be fit for a header. A space, line break or typographic quotation mark comes from pasting.
fn token(values: &OptionValues) -> Result<Secret> {
    let token = values.filled("APIToken").ok_or_else(|| missing(values, "APIToken"))?;
    if !token.chars().all(|c| c.is_ascii_graphic()) {
        return Err(option("APIToken holds white space or a character that no token has".into())
            .hint("copy the token again, on one line"));
    }
    Ok(token.into())
}

fn missing(values: &OptionValues, name: &'static str) -> Error {
    let error = option(format!(
        "{name} is {}",
        if values.is_written(name) { "empty" } else { "missing" }
    ));
    match values.is_written(name) {
        true => error.hint(format!("it is set by: {}", values.source(name))),
        false => error.hint(format!("AuthScheme is {}: set {name}", values.text("AuthScheme"))),
    }
}

/// An error if an option is set that the chosen scheme does not use.
fn unused(values: &OptionValues, names: &[&'static str]) -> Result<()> {
    match names.iter().copied().find(|name| values.differs(name)) {
        None => Ok(()),
        Some(name) => Err(option(format!(
            "AuthScheme is {}, which does not use {name}",
            values.text("AuthScheme")
        ))
        .hint(format!("leave {name} out ({}), or change AuthScheme", values.source(name)))),
    }
}

fn option(message: String) -> Error {
    Error::new(ErrorKind::Option, message)
}
