//! The OAuth of a connection for programs that keep tokens themselves: what the three procedures of OAuth ask for.

use std::sync::Arc;

use async_trait::async_trait;
use url::Url;

use super::browser::Prompt;
use super::oauth1::Pair;
use super::{Cloud, OAuth};
use crate::connection::Secret;
use crate::error::{Error, ErrorKind, Result};
use crate::http::{Asking, Consent, Grant, Granting};

/// OAuth of either version, and who knows the id of the site.
#[derive(Debug)]
pub(super) struct Grants {
    oauth: OAuth,
    cloud: Option<Arc<Cloud>>,
}

impl Grants {
    pub(super) fn new(oauth: OAuth, cloud: Option<Arc<Cloud>>) -> Self {
        Self { oauth, cloud }
    }

    /// The grant with the id of the site, where it has one.
    async fn complete(&self, mut grant: Grant) -> Grant {
        if let Some(cloud) = &self.cloud {
            // The code is spent: the tokens must not be lost because the id was not found.
            match cloud.id_for(&grant.access_token).await {
                Ok(id) => grant.cloud_id = Some(id),
                Err(error) => tracing::warn!(target: "jsmql::auth", %error, "the cloud id was not found"),
            }
        }
        grant
    }
}

fn of_pair(pair: Pair) -> Grant {
    Grant {
        access_token: pair.token,
        token_secret: Some(pair.secret),
        refresh_token: None,
        expires_in: None,
        cloud_id: None,
    }
}

#[async_trait]
impl Granting for Grants {
    async fn consent(&self, asking: Asking) -> Result<Consent> {
        match &self.oauth {
            OAuth::Two(oauth) => {
                let (scope, state) = (asking.scope.as_deref(), asking.state.as_deref());
                let begun = oauth.begin(asking.callback.as_ref(), scope, state).await?;
                Ok(Consent {
                    url: begun.url,
                    request: None,
                })
            }
            OAuth::One(oauth) => {
                only_2(&asking)?;
                let begun = oauth.begin(asking.callback.as_ref()).await?;
                Ok(Consent {
                    url: begun.url,
                    request: Some((begun.request.token, begun.request.secret)),
                })
            }
        }
    }

    async fn exchange(&self, code: Secret, callback: Option<Url>, request: Option<(Secret, Secret)>) -> Result<Grant> {
        match &self.oauth {
            OAuth::Two(_) if request.is_some() => Err(Error::new(
                ErrorKind::Statement,
                "auth_token and auth_key are of OAuth 1.0, and the connection uses 2.0",
            )
            .hint("leave them out")),
            OAuth::Two(oauth) => Ok(self.complete(oauth.finish(&code, callback.as_ref()).await?).await),
            OAuth::One(oauth) => {
                let request = request.map(|(token, secret)| Pair { token, secret });
                oauth.finish(&code, request).await.map(of_pair)
            }
        }
    }

    async fn browse(&self, asking: Asking) -> Result<Grant> {
        match &self.oauth {
            OAuth::Two(oauth) => {
                let grant = oauth.sign_in(Prompt::default(), &asking).await?;
                Ok(self.complete(grant).await)
            }
            OAuth::One(oauth) => {
                only_2(&asking)?;
                oauth.sign_in(Prompt::default(), asking.callback.as_ref()).await.map(of_pair)
            }
        }
    }

    async fn refresh(&self, token: Secret) -> Result<Grant> {
        match &self.oauth {
            OAuth::Two(oauth) => oauth.renewed(&token).await,
            OAuth::One(_) => Err(Error::new(
                ErrorKind::Unsupported,
                "OAuth 1.0 has no refresh tokens: its access tokens are good until they are revoked",
            )
            .hint("use the access token as it is, or get another with get_oauth_access_token")),
        }
    }
}

/// An error if something is asked for that only OAuth 2.0 knows.
fn only_2(asking: &Asking) -> Result<()> {
    let given = match asking {
        Asking { scope: Some(_), .. } => "scope",
        Asking { state: Some(_), .. } => "state",
        _ => return Ok(()),
    };
    Err(Error::new(
        ErrorKind::Statement,
        format!("{given} is of OAuth 2.0, and the connection uses 1.0"),
    )
    .hint(format!("leave {given} out")))
}
