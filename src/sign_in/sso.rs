//! Single sign-on: an identity provider signs the user in, its SAML answer is exchanged for a session of the site.
//!
//! The session is a cookie. When the site no longer knows it, the sign-in is repeated once.

use std::sync::Arc;

use async_trait::async_trait;
use tokio::sync::Mutex;
use url::Url;

use super::{crowd, form, okta};
use crate::connection::{Provider, Secret, SsoOptions};
use crate::error::{Error, ErrorKind, Result};
use crate::http::{ClientOptions, Method, Proof, ProofKind, Signer, Wire, WireRequest};

/// The cookie of a Jira session.
const SESSION: &str = "JSESSIONID=";

/// Single sign-on to one site.
#[derive(Debug)]
pub(super) struct Sso {
    shared: Arc<Shared>,
}

#[derive(Debug)]
struct Shared {
    settings: SsoOptions,
    site: Url,
    options: ClientOptions,
    cookie: Mutex<Option<Secret>>,
}

/// What a provider is asked with.
pub(super) struct Ways {
    /// For passwords: follows no redirect, so that they go nowhere else.
    pub(super) plain: Wire,
    /// For pages: follows redirects and keeps cookies, as the user's browser would.
    pub(super) browser: Wire,
}

impl Sso {
    pub(super) fn new(settings: &SsoOptions, site: &Url, options: ClientOptions) -> Self {
        Self {
            shared: Arc::new(Shared {
                settings: settings.clone(),
                site: site.clone(),
                options,
                cookie: Mutex::new(None),
            }),
        }
    }

    /// The cookie, a newer one than `refused`.
    async fn cookie(&self, refused: Option<&Secret>) -> Result<Secret> {
        let mut held = self.shared.cookie.lock().await;
        match &*held {
            Some(cookie) if refused != Some(cookie) => Ok(cookie.clone()),
            _ => {
                *held = None;
                let cookie = self.shared.sign_in().await?;
                Ok(held.insert(cookie).clone())
            }
        }
    }
}

impl Shared {
    async fn sign_in(&self) -> Result<Secret> {
        let ways = Ways {
            plain: Wire::new(&self.options)?,
            browser: Wire::browser(&self.options)?,
        };
        let page = match &self.settings.provider {
            Provider::Crowd { name, password } => crowd::page(&self.settings, name, password, &ways).await?,
            Provider::Okta { domain, token } => okta::page(&self.settings, domain, token.as_ref(), &ways).await?,
        };
        let Some(fields) = form::saml_fields(&page) else {
            return Err(Error::new(
                ErrorKind::Authentication,
                "the page of the identity provider holds no SAML answer for the site",
            )
            .hint("check SSOLoginURL, and that the user may use the application at the identity provider"));
        };
        if let Some((_, answer)) = fields.iter().find(|(name, _)| name == "SAMLResponse") {
            form::check_saml(answer.expose())?;
        }
        let answer = ways
            .browser
            .send(WireRequest {
                method: Method::Post,
                url: self.settings.exchange.clone(),
                headers: Vec::new(),
                body: Some(("application/x-www-form-urlencoded", form::encoded(&fields))),
            })
            .await?;
        let cookie = ways
            .browser
            .cookies(&self.site)
            .filter(|cookie| cookie.expose().contains(SESSION));
        match cookie {
            Some(cookie) if answer.status < 400 => Ok(cookie),
            _ => Err(Error::new(
                ErrorKind::Authentication,
                format!("the site did not take the SAML answer: HTTP {}, no session", answer.status),
            )
            .hint("check SSOExchangeUrl, and that the site trusts the identity provider and knows the user")),
        }
    }
}

#[async_trait]
impl Signer for Sso {
    async fn proof(&self, _: Method, _: &Url) -> Result<Proof> {
        let value = self.cookie(None).await?;
        Ok(Proof {
            kind: ProofKind::Cookie,
            value,
        })
    }

    async fn renew(&self, refused: &Proof) -> Result<bool> {
        self.cookie(Some(&refused.value)).await.map(|_| true)
    }

    fn hint(&self) -> &'static str {
        "check User and Password, and that the user may log in to the site through the identity provider"
    }
}
