//! Signing in where that takes more than a header: OAuth 2.0, OAuth 1.0a, Crowd, Okta, and Atlassian's gateway.
//!
//! It turns [`Credentials`] into what the HTTP client needs: an [`Authorization`] that makes proofs, and a [`Locator`] of the root that
//! requests go to. It sends requests to authorization servers and identity providers, never to the site's API, and knows no tables.

mod browser;
mod cloud;
mod crowd;
mod form;
mod granted;
mod grants;
mod oauth1;
mod oauth2;
mod okta;
mod sso;
mod store;
#[cfg(test)]
mod tests;
mod tokens;

use std::sync::Arc;

use crate::connection::{Connection, Credentials};
use crate::error::{Error, ErrorKind, Result};
use crate::http::{Authorization, ClientOptions, Granting, Locator, Wire};
pub(crate) use browser::Prompt;
pub(crate) use cloud::Cloud;
pub(crate) use oauth1::OAuth1;
pub(crate) use oauth2::OAuth2;

/// How a session signs in.
#[derive(Debug)]
pub(crate) struct SignIn {
    /// What requests carry.
    pub(crate) authorization: Authorization,
    /// Finds the root that requests go to, where it is not the site itself.
    pub(crate) locator: Option<Arc<dyn Locator>>,
    /// OAuth of either version, for `login` and `logout`.
    pub(crate) oauth: Option<OAuth>,
    /// The same for the procedures.
    pub(crate) granting: Option<Arc<dyn Granting>>,
}

/// OAuth of either version.
#[derive(Debug, Clone)]
pub(crate) enum OAuth {
    Two(Arc<OAuth2>),
    One(Arc<OAuth1>),
}

impl SignIn {
    /// What `connection` asks for. `options` holds the way to the site: authorization servers are reached the same way.
    pub(crate) fn new(connection: &Connection, options: &ClientOptions) -> Result<Self> {
        let mut oauth = None;
        let authorization = match connection.credentials() {
            Credentials::Anonymous => Authorization::None,
            Credentials::Basic { user, password } => Authorization::Basic {
                user: user.clone(),
                password: password.clone(),
            },
            Credentials::Bearer(token) => Authorization::Bearer(token.clone()),
            Credentials::OAuth2(settings) => {
                let wire = Wire::new(options)?;
                let signer = OAuth2::new(
                    settings,
                    connection.site(),
                    connection.profile(),
                    wire,
                    options.scopes.clone(),
                )?
                .shared();
                oauth = Some(OAuth::Two(Arc::clone(&signer)));
                Authorization::Signed(signer)
            }
            Credentials::OAuth1(settings) => {
                let wire = Wire::new(options)?;
                let signer = Arc::new(OAuth1::new(settings, connection.site(), connection.profile(), wire)?);
                oauth = Some(OAuth::One(Arc::clone(&signer)));
                Authorization::Signed(signer)
            }
            Credentials::Sso(settings) => {
                Authorization::Signed(Arc::new(sso::Sso::new(settings, connection.site(), options.clone())))
            }
        };
        let cloud = match connection.gateway() {
            None => None,
            Some(gateway) => {
                let granted = match &oauth {
                    Some(OAuth::Two(oauth)) => Some(Arc::clone(oauth)),
                    _ => None,
                };
                Some(Arc::new(Cloud::new(connection.site(), gateway, granted, Wire::new(options)?)))
            }
        };
        let granting = oauth.clone().map(|oauth| {
            let grants = grants::Grants::new(oauth, cloud.clone());
            Arc::new(grants) as Arc<dyn Granting>
        });
        Ok(Self {
            authorization,
            locator: cloud.map(|cloud| cloud as Arc<dyn Locator>),
            oauth,
            granting,
        })
    }

    /// The scopes that OAuth was granted, separated by blanks. None: the sign-in has none, or nobody knows them.
    pub(crate) async fn scopes(&self) -> Option<String> {
        match &self.oauth {
            Some(OAuth::Two(oauth)) => oauth.scope().await,
            _ => None,
        }
    }

    /// Gets tokens with a browser, whatever tokens there are.
    pub(crate) async fn login(&self, prompt: Prompt) -> Result<String> {
        match &self.oauth {
            Some(OAuth::Two(oauth)) => oauth.login(prompt).await,
            Some(OAuth::One(oauth)) => oauth.login(prompt).await,
            None => Err(nothing_to_keep()),
        }
    }

    /// Forgets the tokens that are kept; where they were.
    pub(crate) async fn logout(&self) -> Result<String> {
        match &self.oauth {
            Some(OAuth::Two(oauth)) => oauth.logout().await,
            Some(OAuth::One(oauth)) => oauth.logout().await,
            None => Err(nothing_to_keep()),
        }
    }
}

fn nothing_to_keep() -> Error {
    Error::new(
        ErrorKind::Option,
        "login and logout are for OAuth; this connection signs in with each request",
    )
    .hint("set AuthScheme=OAuth, InitiateOAuth=GETANDREFRESH and OAuthClientId; or check the connection with jsmql test")
}
