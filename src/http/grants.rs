//! What users grant to programs at an authorization server: for programs that keep tokens themselves. Words only; `sign_in` does it.

use std::fmt;

use async_trait::async_trait;
use url::Url;

use super::Secret;
use crate::error::Result;

/// How a user is asked. What is empty is as the connection says.
#[derive(Debug, Default)]
pub(crate) struct Asking {
    /// Where the browser goes afterwards.
    pub(crate) callback: Option<Url>,
    /// Scopes, separated by blanks.
    pub(crate) scope: Option<String>,
    /// What the callback must carry.
    pub(crate) state: Option<String>,
}

/// A sign-in that was begun.
#[derive(Debug)]
pub(crate) struct Consent {
    /// The page where the user agrees.
    pub(crate) url: Url,
    /// The request token of OAuth 1.0a and its secret.
    pub(crate) request: Option<(Secret, Secret)>,
}

/// Tokens that were granted.
#[derive(Debug)]
pub(crate) struct Grant {
    pub(crate) access_token: Secret,
    /// Of OAuth 1.0a.
    pub(crate) token_secret: Option<Secret>,
    /// Of OAuth 2.0.
    pub(crate) refresh_token: Option<Secret>,
    /// Seconds. None: without end, or unknown.
    pub(crate) expires_in: Option<u64>,
    /// Of Atlassian Cloud.
    pub(crate) cloud_id: Option<String>,
}

/// Gets tokens from an authorization server.
#[async_trait]
pub(crate) trait Granting: fmt::Debug + Send + Sync {
    /// Begins a sign-in in the browser of somebody else.
    async fn consent(&self, asking: Asking) -> Result<Consent>;

    /// Exchanges the code that such a browser brought back; `request` is what [`consent`](Self::consent) gave.
    async fn exchange(&self, code: Secret, callback: Option<Url>, request: Option<(Secret, Secret)>) -> Result<Grant>;

    /// Signs in with a browser on this machine.
    async fn browse(&self, asking: Asking) -> Result<Grant>;

    /// Exchanges a refresh token.
    async fn refresh(&self, token: Secret) -> Result<Grant>;
}
