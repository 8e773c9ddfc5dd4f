//! Who signs in, and how: the account options become credentials.
//!
//! It decides from values; it sends nothing and cannot know whether the site agrees. Every contradiction is an error that names
//! the options: a password left in the environment must not decide which account a statement runs as.

use url::Url;

use super::secret::Secret;
use super::site::{is_cloud, is_gateway};
use super::values::OptionValues;
use crate::error::{Error, ErrorKind, Result};

/// What a request carries to be let in.
#[derive(Debug, Clone)]
pub enum Credentials {
    /// Nothing.
    Anonymous,
    /// `Authorization: Basic`, from a user name without `:` and a password or API token.
    Basic {
        /// E-mail address (Cloud) or user name (Data Center).
        user: String,
        /// API token or password.
        password: Secret,
    },
    /// `Authorization: Bearer`, with a personal access token.
    Bearer(Secret),
}

/// Credentials, and in words how they were chosen.
#[derive(Debug, Clone)]
pub(super) struct SignIn {
    pub(super) credentials: Credentials,
    pub(super) scheme: &'static str,
}

/// Credentials from AuthScheme, User, Password and APIToken.
pub(super) fn sign_in(values: &OptionValues, site: &Url) -> Result<SignIn> {
    let has = |name| values.filled(name).is_some();
    match values.text("AuthScheme") {
        "Auto" => inferred(values, site),
        "APIToken" => unused(values, &["Password"]).and_then(|()| api_token(values, "APIToken")),
        // What drivers of 2022 and before called Basic included the API tokens of Cloud.
        "Basic" if has("APIToken") && !has("Password") => api_token(values, "Basic, with the API token"),
        "Basic" => unused(values, &["APIToken"]).and_then(|()| basic(values, site, "Basic")),
        "PAT" => unused(values, &["User", "Password"]).and_then(|()| bearer(values, site, "PAT")),
        "Anonymous" => unused(values, &["User", "Password", "APIToken"]).map(|()| SignIn {
            credentials: Credentials::Anonymous,
            scheme: "Anonymous",
        }),
        later => Err(Error::new(
            ErrorKind::Unsupported,
            format!("AuthScheme is {later}, and signing in that way is still to come"),
        )
        .hint("set AuthScheme to APIToken (Cloud), or to PAT or Basic (Data Center)")),
    }
}

/// AuthScheme=Auto: the scheme follows from what is set.
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
    Ok(SignIn { credentials, scheme })
}

fn basic(values: &OptionValues, site: &Url, scheme: &'static str) -> Result<SignIn> {
    let user = user(values)?;
    let password = values.filled("Password").ok_or_else(|| missing(values, "Password"))?;
    if is_cloud(site) || is_gateway(site) {
        return Err(option("Password is set, but Atlassian Cloud accepts no passwords".into())
            .hint("create an API token at https://id.atlassian.com/manage-profile/security/api-tokens and set it in APIToken"));
    }
    Ok(SignIn {
        credentials: Credentials::Basic {
            user,
            password: password.into(),
        },
        scheme,
    })
}

fn bearer(values: &OptionValues, site: &Url, scheme: &'static str) -> Result<SignIn> {
    let token = token(values)?;
    if is_cloud(site) {
        return Err(
            option("User is missing: Atlassian Cloud has no personal access tokens".into())
                .hint("set User to the e-mail address of the account that the API token belongs to"),
        );
    }
    Ok(SignIn {
        credentials: Credentials::Bearer(token),
        scheme,
    })
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
    match names.iter().copied().find(|name| values.filled(name).is_some()) {
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
