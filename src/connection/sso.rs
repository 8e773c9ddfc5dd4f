//! Single sign-on: the options SSO… for Crowd and Okta.
//!
//! Pure: it checks what is set; signing in is done elsewhere.

use url::Url;

use super::parse::ConnectionString;
use super::secret::Secret;
use super::values::OptionValues;
use crate::error::{Error, ErrorKind, Result};

/// The identity provider.
#[derive(Debug, Clone)]
pub(crate) enum Provider {
    /// Crowd, asked in the name of an application of it.
    Crowd {
        /// The application.
        name: String,
        /// Its password.
        password: Secret,
    },
    /// Okta.
    Okta {
        /// Origin of Okta's own API; the sign-in page may have another.
        domain: Url,
        /// An API token of Okta, which lifts its rate limits.
        token: Option<Secret>,
    },
}

/// Single sign-on to a site.
#[derive(Debug, Clone)]
pub(crate) struct SsoOptions {
    pub(crate) provider: Provider,
    pub(crate) user: String,
    pub(crate) password: Secret,
    /// The page of the provider that answers with a form for the site.
    pub(crate) login: Url,
    /// Where the site takes that form.
    pub(crate) exchange: Url,
}

/// All options of this chapter.
pub(super) const ALL: &[&str] = &[
    "SSOLoginURL",
    "SSOProperties",
    "SSOExchangeUrl",
    "SSOAppName",
    "SSOAppPassword",
];

/// The sign-in that AuthScheme (`Crowd` or `Okta`) asks for.
pub(super) fn sso(values: &OptionValues, site: &Url, scheme: &str, user: String) -> Result<SsoOptions> {
    let filled = |name: &'static str| {
        values
            .filled(name)
            .ok_or_else(|| option(format!("{name} is missing")).hint(format!("AuthScheme is {scheme}: set {name}")))
    };
    let login = url("SSOLoginURL", filled("SSOLoginURL")?, values)?;
    let exchange = url("SSOExchangeUrl", filled("SSOExchangeUrl")?, values)?;
    if exchange.origin() != site.origin() {
        return Err(option("SSOExchangeUrl is not an address of the site that URL names".into())
            .hint(format!("such as {}plugins/servlet/samlconsumer", site)));
    }
    let properties = properties(values)?;
    let property = |name: &str| {
        let mut pairs = properties.pairs();
        pairs
            .find(|(known, _)| known.eq_ignore_ascii_case(name))
            .map(|(_, value)| value.clone())
    };
    let provider = if scheme == "Crowd" {
        known(&properties, &[], scheme)?;
        Provider::Crowd {
            name: filled("SSOAppName")?.to_owned(),
            password: filled("SSOAppPassword")?.into(),
        }
    } else {
        known(&properties, &["Domain", "APIToken"], scheme)?;
        if let Some(name) = ["SSOAppName", "SSOAppPassword"].into_iter().find(|name| values.differs(name)) {
            return Err(option(format!("AuthScheme is Okta, which does not use {name}"))
                .hint(format!("leave {name} out ({})", values.source(name))));
        }
        let domain = match property("Domain") {
            Some(domain) => {
                let text = domain.expose().trim();
                let text = if text.contains("://") {
                    text.to_owned()
                } else {
                    format!("https://{text}")
                };
                url("SSOProperties", &text, values)?
            }
            None => login.clone(),
        };
        Provider::Okta {
            domain,
            token: property("APIToken"),
        }
    };
    Ok(SsoOptions {
        provider,
        user,
        password: filled("Password")?.into(),
        login,
        exchange,
    })
}

/// SSOProperties: `name=value;…`.
fn properties(values: &OptionValues) -> Result<ConnectionString> {
    ConnectionString::parse(values.text("SSOProperties"))
        .map_err(|_| option("SSOProperties is not a list of properties".into()).hint("write name=value;…, in quotation marks"))
}

fn known(properties: &ConnectionString, names: &[&str], scheme: &str) -> Result<()> {
    // Names are not quoted: what looks like one may be a piece of a secret.
    if properties
        .pairs()
        .all(|(name, _)| names.iter().any(|known| known.eq_ignore_ascii_case(name)))
    {
        return Ok(());
    }
    let hint = match names {
        [] => format!("{scheme} has none: leave SSOProperties out"),
        names => format!("{scheme} has {}", names.join(" and ")),
    };
    Err(option(format!("SSOProperties holds a property that {scheme} does not have")).hint(hint))
}

/// A URL that a password may be sent to.
fn url(name: &'static str, text: &str, values: &OptionValues) -> Result<Url> {
    super::site::page(name, text, values.boolean("AllowInsecure"))
}

fn option(message: String) -> Error {
    Error::new(ErrorKind::Option, message)
}
