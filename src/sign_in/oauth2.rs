//! OAuth 2.0: tokens from Atlassian's authorization server or a Data Center site's own, kept and refreshed.
//!
//! # Design
//!
//! Refresh tokens rotate: each is good for one use, and losing the answer to a refresh means logging in again. So a refresh runs in a
//! task of its own, which a cancelled statement cannot stop; only one runs in this process (`state`) and, by a lock beside the kept
//! tokens, only one on this machine; whoever gets the lock first looks whether another has refreshed meanwhile; and the new tokens
//! are on disk before they are used. Where the network fails the *same* refresh token is sent again: the server allows it for a while.

use std::pin::Pin;
use std::sync::Arc;
use std::time::{Duration, Instant};

use async_trait::async_trait;
use oauth2::basic::{BasicClient, BasicErrorResponseType, BasicTokenResponse};
use oauth2::{
    AsyncHttpClient, AuthType, AuthUrl, AuthorizationCode, ClientId, ClientSecret, CsrfToken, EndpointNotSet, EndpointSet,
    HttpRequest, HttpResponse, PkceCodeChallenge, PkceCodeVerifier, RedirectUrl, RefreshToken, RequestTokenError, Scope,
    TokenResponse, TokenUrl,
};
use tokio::sync::Mutex;
use tracing::instrument::WithSubscriber;
use url::Url;

use super::browser::{self, Prompt};
use super::store::Store;
use super::tokens::{Pending, Tokens, fingerprint, now};
use crate::connection::{Initiate, OAuth2Options, Secret};
use crate::error::{Error, ErrorKind, Result};
use crate::http::{Asking, Grant, Method, Proof, Signer, Wire, WireRequest};
use crate::schema::Scopes;

/// How often one refresh token is sent where the network fails.
const ATTEMPTS: u32 = 4;
/// Wait before it is sent again, doubled each time.
const PAUSE: Duration = Duration::from_millis(250);

/// The two addresses of an authorization server.
#[derive(Debug, Clone)]
pub(super) struct Endpoints {
    pub(super) authorize: Url,
    pub(super) token: Url,
}

impl Endpoints {
    fn new(cloud: bool, site: &Url) -> Result<Self> {
        let parse = |text: &str| {
            let url = if cloud { Url::parse(text) } else { site.join(text) };
            url.map_err(|_| Error::new(ErrorKind::Internal, "an address of the authorization server is malformed"))
        };
        let (authorize, token) = if cloud {
            (
                "https://auth.atlassian.com/authorize",
                "https://auth.atlassian.com/oauth/token",
            )
        } else {
            ("rest/oauth2/latest/authorize", "rest/oauth2/latest/token")
        };
        Ok(Self {
            authorize: parse(authorize)?,
            token: parse(token)?,
        })
    }
}

/// OAuth 2.0 at one site in the name of one client.
#[derive(Debug)]
pub(crate) struct OAuth2 {
    settings: OAuth2Options,
    endpoints: Endpoints,
    wire: Wire,
    store: Store,
    /// Scopes that requests need.
    known: Arc<Scopes>,
    state: Mutex<Option<Held>>,
    /// For an `Arc` of itself: a refresh must outlive the statement that began it.
    myself: std::sync::Weak<OAuth2>,
}

/// Tokens in use.
#[derive(Debug, Clone)]
struct Held {
    tokens: Tokens,
    /// When to refresh, on a clock that nobody sets. None: when the site refuses the token.
    refresh_at: Option<Instant>,
}

impl Held {
    fn new(tokens: Tokens) -> Self {
        let refresh_at = tokens.expires_in.map(|lifetime| match tokens.age() {
            // At four fifths of the lifetime.
            Some(age) => Instant::now() + Duration::from_secs((lifetime * 4 / 5).saturating_sub(age)),
            None => Instant::now(),
        });
        Self { tokens, refresh_at }
    }

    fn is_fresh(&self) -> bool {
        !self.tokens.access_token.expose().is_empty() && self.refresh_at.is_none_or(|at| Instant::now() < at)
    }
}

/// A sign-in that was begun: where the user goes, and what the answer must fit.
#[derive(Debug)]
pub(crate) struct Begun {
    /// The page where the user agrees.
    pub(crate) url: Url,
    pending: Pending,
}

impl OAuth2 {
    /// `known` are the scopes to ask for where no option says otherwise.
    pub(super) fn new(
        settings: &OAuth2Options,
        site: &Url,
        profile: Option<&str>,
        wire: Wire,
        known: Arc<Scopes>,
    ) -> Result<Self> {
        let endpoints = Endpoints::new(settings.cloud, site)?;
        let oauth = Self::at(endpoints, settings, site, profile, wire)?;
        Ok(Self { known, ..oauth })
    }

    pub(super) fn at(
        endpoints: Endpoints,
        settings: &OAuth2Options,
        site: &Url,
        profile: Option<&str>,
        wire: Wire,
    ) -> Result<Self> {
        Ok(Self {
            store: Store::new(&settings.place, site.as_str(), &settings.client_id, profile)?,
            settings: settings.clone(),
            endpoints,
            wire,
            known: Arc::default(),
            state: Mutex::new(None),
            myself: std::sync::Weak::new(),
        })
    }

    /// The access token, refreshed where it is about to expire, or got with a browser where InitiateOAuth says so.
    pub(super) async fn access(self: &Arc<Self>) -> Result<Secret> {
        if let Some(held) = &*self.state.lock().await
            && held.is_fresh()
        {
            return Ok(held.tokens.access_token.clone());
        }
        self.detached(None).await
    }

    /// A token in place of one that was refused; `None` where there is no other.
    pub(super) async fn access_instead_of(self: &Arc<Self>, refused: &Secret) -> Result<Option<Secret>> {
        let token = self.detached(Some(refused.clone())).await?;
        Ok((token != *refused).then_some(token))
    }

    /// Gets a usable token in a task that nobody can cancel. `refused` is a token that the site did not accept.
    async fn detached(self: &Arc<Self>, refused: Option<Secret>) -> Result<Secret> {
        let this = Arc::clone(self);
        let task = async move {
            let mut state = this.state.lock().await;
            let acceptable = |tokens: &Tokens| refused.as_ref().is_none_or(|refused| tokens.access_token != *refused);
            if let Some(held) = state.as_ref().filter(|held| held.is_fresh() && acceptable(&held.tokens)) {
                return Ok(held.tokens.access_token.clone());
            }
            let held = this.obtain(state.take(), refused.as_ref()).await?;
            let token = held.tokens.access_token.clone();
            *state = Some(held);
            Ok(token)
        };
        // What it logs belongs to the session, whatever becomes of the statement.
        let task = tokio::spawn(task.with_current_subscriber());
        task.await
            .unwrap_or_else(|_| Err(Error::new(ErrorKind::Internal, "refreshing the access token failed")))
    }

    /// A fresh token: the kept one, a refreshed one, or one from a sign-in.
    async fn obtain(&self, held: Option<Held>, refused: Option<&Secret>) -> Result<Held> {
        if self.settings.initiate == Initiate::Off {
            return self.given(refused);
        }
        let usable = |held: &Held| held.is_fresh() && refused != Some(&held.tokens.access_token);
        let current = match held {
            Some(held) => Some(held),
            None => self.initial().await?.map(Held::new),
        };
        if let Some(current) = current.as_ref().filter(|current| usable(current)) {
            return Ok(current.clone());
        }
        let hold = self.store.hold().await?;
        // Another process may have refreshed while we waited.
        let current = match self.initial().await?.map(Held::new) {
            Some(kept) if usable(&kept) => return Ok(kept),
            Some(kept) => Some(kept),
            None => current,
        };
        match current {
            Some(current) if !current.tokens.refresh_token.expose().is_empty() => self.refresh(current.tokens).await,
            // Not while signing in, which takes as long as the user does.
            _ => {
                drop(hold);
                self.unrefreshable(refused).await
            }
        }
    }

    /// InitiateOAuth=OFF: the token of the connection string, and no other.
    fn given(&self, refused: Option<&Secret>) -> Result<Held> {
        let held = Held::new(self.given_tokens());
        if held.tokens.access_token.expose().is_empty() {
            return Err(Error::new(ErrorKind::Authentication, "OAuthAccessToken is missing").hint(
                "InitiateOAuth is OFF: call get_oauth_authorization_url and get_oauth_access_token, and set OAuthAccessToken; \
                 or let jsmql keep tokens with InitiateOAuth=GETANDREFRESH and jsmql login",
            ));
        }
        let expired = self
            .settings
            .expires_in
            .is_some_and(|lifetime| held.tokens.age().is_some_and(|age| age >= lifetime));
        if refused.is_some() || expired {
            let why = if expired {
                "has expired"
            } else {
                "was not accepted by the site"
            };
            return Err(Error::new(ErrorKind::Authentication, format!("OAuthAccessToken {why}"))
                .hint("get a new one; or let jsmql refresh it: InitiateOAuth=REFRESH with OAuthRefreshToken and OAuthClientId"));
        }
        Ok(Held {
            refresh_at: None,
            ..held
        })
    }

    /// There is nothing to refresh with.
    async fn unrefreshable(&self, refused: Option<&Secret>) -> Result<Held> {
        if self.settings.initiate == Initiate::GetAndRefresh {
            let tokens = self.browse(Prompt::default()).await?;
            return Ok(Held::new(tokens));
        }
        let what = if refused.is_some() {
            "the access token was not accepted, and there is no refresh token".to_owned()
        } else {
            format!(
                "there are no tokens: OAuthRefreshToken is not set, and {} holds none",
                self.store.name()
            )
        };
        Err(Error::new(ErrorKind::Authentication, what)
            .hint("set OAuthRefreshToken once; or set InitiateOAuth=GETANDREFRESH and run jsmql login"))
    }

    /// What there is to begin with: the kept tokens, unless the options hold newer ones.
    async fn initial(&self) -> Result<Option<Tokens>> {
        let kept = self
            .store
            .load()
            .await?
            .filter(|tokens| !tokens.access_token.expose().is_empty() || !tokens.refresh_token.expose().is_empty());
        let options = self.given_tokens();
        let given = !options.access_token.expose().is_empty() || !options.refresh_token.expose().is_empty();
        Ok(match kept {
            // Whoever puts other tokens into the options means those.
            Some(kept) if !given || kept.origin == options.origin => Some(kept),
            _ => given.then_some(options),
        })
    }

    fn given_tokens(&self) -> Tokens {
        let settings = &self.settings;
        let (access, refresh) = (settings.access_token.clone(), settings.refresh_token.clone());
        let parts = [&access, &refresh].map(|secret| secret.as_ref().map_or("", Secret::expose));
        Tokens {
            // The refresh token names the grant; where there is none the access token does.
            origin: fingerprint(&[if parts[1].is_empty() { parts[0] } else { parts[1] }]),
            issued: settings.issued.map_or_else(now, |milliseconds| milliseconds / 1000),
            expires_in: settings.expires_in,
            access_token: access.unwrap_or_default(),
            refresh_token: refresh.unwrap_or_default(),
            ..self.store.blank()
        }
    }

    /// Exchanges the refresh token of `tokens`, and keeps what comes back. The store is held.
    async fn refresh(&self, tokens: Tokens) -> Result<Held> {
        let mut current = tokens;
        let mut looked = false;
        loop {
            match self.exchange_refresh(&current.refresh_token).await {
                Ok(granted) => {
                    let tokens = self.keep(granted, current).await?;
                    tracing::info!(target: "jsmql::auth", "the access token was refreshed");
                    return Ok(Held::new(tokens));
                }
                Err(error) if error.kind() == ErrorKind::Authentication && !looked => {
                    looked = true;
                    // A program that takes no lock may have been faster.
                    match self.initial().await? {
                        Some(kept) if kept.refresh_token != current.refresh_token => current = kept,
                        _ => return Err(error),
                    }
                }
                Err(error) => return Err(error),
            }
        }
    }

    async fn keep(&self, granted: BasicTokenResponse, before: Tokens) -> Result<Tokens> {
        let tokens = after(granted, before);
        // The refresh token that was sent is spent, so the one that came is kept whatever else came.
        self.store.save(&tokens).await?;
        usable(tokens)
    }

    /// Sends the refresh token, again where the network fails.
    async fn exchange_refresh(&self, token: &Secret) -> Result<BasicTokenResponse> {
        let token = RefreshToken::new(token.expose().to_owned());
        let mut pause = PAUSE;
        for attempt in 1.. {
            let client = self.client(&self.settings.callback);
            let http = Http(&self.wire);
            let request = client.exchange_refresh_token(&token);
            // Data Center wants it, and Cloud does not mind.
            let request = request.add_extra_param("redirect_uri", self.settings.callback.as_str());
            match request.request_async(&http).await {
                Ok(granted) => return Ok(granted),
                Err(RequestTokenError::Request(error)) if attempt < ATTEMPTS && is_passing(&error) => {
                    tokio::time::sleep(pause).await;
                    pause *= 2;
                }
                Err(error) => return Err(refused("refresh token", error)),
            }
        }
        unreachable!("the loop ends by returning")
    }

    fn client(&self, callback: &Url) -> BasicClient<EndpointSet, EndpointNotSet, EndpointNotSet, EndpointNotSet, EndpointSet> {
        let client = BasicClient::new(ClientId::new(self.settings.client_id.clone()));
        let client = match &self.settings.client_secret {
            Some(secret) => client.set_client_secret(ClientSecret::new(secret.expose().to_owned())),
            None => client,
        };
        client
            .set_auth_uri(AuthUrl::from_url(self.endpoints.authorize.clone()))
            .set_token_uri(TokenUrl::from_url(self.endpoints.token.clone()))
            .set_redirect_uri(RedirectUrl::from_url(callback.clone()))
            .set_auth_type(AuthType::RequestBody)
    }

    /// Begins a sign-in: the page where the user agrees. `state` and the PKCE verifier are kept until the code comes.
    pub(crate) async fn begin(&self, callback: Option<&Url>, scopes: Option<&str>, state: Option<&str>) -> Result<Begun> {
        let (challenge, verifier) = PkceCodeChallenge::new_random_sha256();
        let state = state.map_or_else(CsrfToken::new_random, |state| CsrfToken::new(state.to_owned()));
        let client = self.client(callback.unwrap_or(&self.settings.callback));
        let mut request = client.authorize_url(|| state.clone()).set_pkce_challenge(challenge);
        for scope in self.scopes(scopes) {
            request = request.add_scope(Scope::new(scope));
        }
        if self.settings.cloud {
            request = request
                .add_extra_param("audience", "api.atlassian.com")
                .add_extra_param("prompt", "consent");
        }
        let (url, state) = request.url();
        let pending = Pending {
            state: state.into_secret(),
            verifier: verifier.into_secret().into(),
        };
        let _hold = self.store.hold().await?;
        let kept = self.store.load().await?.unwrap_or_else(|| self.store.blank());
        self.store
            .save(&Tokens {
                pending: Some(pending.clone()),
                ..kept
            })
            .await?;
        Ok(Begun { url, pending })
    }

    /// The scopes granted, if the server told them and they are those of Cloud.
    pub(super) async fn scope(&self) -> Option<String> {
        let kept = self.store.load().await.ok()??;
        (self.settings.cloud && !kept.scope.is_empty()).then_some(kept.scope)
    }

    fn scopes(&self, wanted: Option<&str>) -> Vec<String> {
        let own = |text: &str| {
            text.split([' ', ','])
                .filter(|scope| !scope.is_empty())
                .map(str::to_owned)
                .collect()
        };
        match wanted {
            Some(text) => own(text),
            None if !self.settings.scopes.is_empty() => self.settings.scopes.clone(),
            None if self.settings.cloud => {
                let mut scopes = self.known.used().to_vec();
                // Without it there is no refresh token.
                scopes.push("offline_access".to_owned());
                scopes
            }
            None => vec!["WRITE".to_owned()],
        }
    }

    /// Exchanges the code that a browser brought back. `code` may be the whole address of the callback.
    pub(crate) async fn finish(&self, code: &Secret, callback: Option<&Url>) -> Result<Grant> {
        let tokens = self.exchange_code(code, callback, None).await?;
        Ok(self.taken(tokens).await)
    }

    /// Signs in with a browser on this machine.
    pub(super) async fn sign_in(&self, prompt: Prompt, asking: &Asking) -> Result<Grant> {
        let tokens = self.consent(prompt, asking).await?;
        Ok(self.taken(tokens).await)
    }

    /// Uses new tokens from now on, unless the caller keeps tokens; the tokens for the caller.
    async fn taken(&self, tokens: Tokens) -> Grant {
        let grant = for_caller(&tokens);
        if self.settings.initiate != Initiate::Off {
            *self.state.lock().await = Some(Held::new(tokens));
        }
        grant
    }

    /// Exchanges a refresh token once. What comes back is kept here only if that token was.
    pub(crate) async fn renewed(self: &Arc<Self>, refresh_token: &Secret) -> Result<Grant> {
        let (this, token) = (Arc::clone(self), refresh_token.clone());
        // As with any refresh: a cancelled statement must not lose the next token of this connection.
        let task = async move {
            let _hold = this.store.hold().await?;
            let own = match this.settings.initiate {
                Initiate::Off => None,
                _ => this.initial().await?.filter(|tokens| tokens.refresh_token == token),
            };
            let granted = this.exchange_refresh(&token).await?;
            let before = own.clone().unwrap_or_else(|| Tokens {
                refresh_token: token,
                ..this.store.blank()
            });
            let tokens = after(granted, before);
            Ok(match own {
                Some(_) => {
                    this.store.save(&tokens).await?;
                    this.taken(usable(tokens)?).await
                }
                // Whoever keeps tokens themselves must have the next one, whatever else came.
                None => for_caller(&tokens),
            })
        };
        tokio::spawn(task.with_current_subscriber())
            .await
            .unwrap_or_else(|_| Err(Error::new(ErrorKind::Internal, "refreshing the access token failed")))
    }

    async fn exchange_code(&self, code: &Secret, callback: Option<&Url>, pending: Option<Pending>) -> Result<Tokens> {
        let _hold = self.store.hold().await?;
        let kept = self.store.load().await?.unwrap_or_else(|| self.store.blank());
        let pending = pending.or_else(|| kept.pending.clone());
        let answer = browser::Answer::read(code.expose());
        if let (Some(state), Some(pending)) = (&answer.state, &pending)
            && *state != pending.state
        {
            return Err(Error::new(
                ErrorKind::Authentication,
                "the code belongs to another sign-in: its state is wrong",
            )
            .hint("run jsmql login again, and use the newest address"));
        }
        let client = self.client(callback.unwrap_or(&self.settings.callback));
        let mut request = client.exchange_code(AuthorizationCode::new(answer.code.expose().to_owned()));
        if let Some(pending) = &pending {
            request = request.set_pkce_verifier(PkceCodeVerifier::new(pending.verifier.expose().to_owned()));
        }
        let http = Http(&self.wire);
        let granted = request
            .request_async(&http)
            .await
            .map_err(|error| refused("code of the sign-in", error))?;
        if self.settings.initiate == Initiate::Off {
            // The caller keeps the tokens: here only the sign-in is over.
            self.store.save(&Tokens { pending: None, ..kept }).await?;
            return Ok(after(granted, self.store.blank()));
        }
        let origin = self.given_tokens().origin;
        self.keep(granted, Tokens { origin, ..kept }).await
    }

    /// Signs in: with the code in OAuthVerifier, or through a browser that comes back to CallbackURL.
    async fn browse(&self, prompt: Prompt) -> Result<Tokens> {
        if let Some(code) = &self.settings.verifier {
            return self.exchange_code(code, None, None).await;
        }
        self.consent(prompt, &Asking::default()).await
    }

    /// Signs in through a browser that comes back to the callback.
    async fn consent(&self, prompt: Prompt, asking: &Asking) -> Result<Tokens> {
        let callback = asking.callback.as_ref();
        let begun = self.begin(callback, asking.scope.as_deref(), asking.state.as_deref()).await?;
        let listening = browser::listen(callback.unwrap_or(&self.settings.callback)).await?;
        let Some(listening) = listening else {
            // Nobody can come back to us: the code is copied by hand, in another run.
            prompt.show(&begun.url);
            return Err(Error::new(ErrorKind::Authentication, "the sign-in waits for its code")
                .hint(format!("open {} and set OAuthVerifier to the code it leads to", begun.url)));
        };
        prompt.show(&begun.url);
        let code = listening.wait(&begun.pending.state).await?;
        self.exchange_code(&code, callback, Some(begun.pending)).await
    }

    /// Signs in anew; says where the tokens are kept.
    pub(super) async fn login(&self, prompt: Prompt) -> Result<String> {
        if self.settings.initiate != Initiate::GetAndRefresh {
            return Err(
                Error::new(ErrorKind::Option, "login is for connections with InitiateOAuth=GETANDREFRESH")
                    .hint("set InitiateOAuth=GETANDREFRESH"),
            );
        }
        let tokens = self.browse(prompt).await?;
        *self.state.lock().await = Some(Held::new(tokens));
        Ok(self.store.name())
    }

    pub(super) async fn logout(&self) -> Result<String> {
        let _hold = self.store.hold().await?;
        *self.state.lock().await = None;
        let place = self.store.name();
        Ok(if self.store.remove().await? {
            format!("removed the tokens in {place}")
        } else {
            format!("there were no tokens in {place}")
        })
    }

    /// For an `Arc`, which the trait object does not give out.
    pub(super) fn shared(self) -> Arc<Self> {
        Arc::new_cyclic(|myself| Self {
            myself: myself.clone(),
            ..self
        })
    }
}

#[async_trait]
impl Signer for OAuth2 {
    async fn proof(&self, _: Method, _: &Url) -> Result<Proof> {
        let this = self.myself.upgrade().ok_or_else(gone)?;
        this.access().await.map(|token| Proof::bearer(&token))
    }

    async fn renew(&self, refused: &Proof) -> Result<bool> {
        let this = self.myself.upgrade().ok_or_else(gone)?;
        let token = refused.value.expose().strip_prefix("Bearer ").unwrap_or_default();
        let token = this.detached(Some(token.into())).await?;
        Ok(Proof::bearer(&token).value != refused.value)
    }

    fn hint(&self) -> &'static str {
        match self.settings.initiate {
            Initiate::Off => "check OAuthAccessToken: it may have expired, or lack a scope; see jsmql test",
            _ => "run jsmql login to sign in anew; see jsmql test for missing scopes",
        }
    }
}

/// What is kept once a server has granted something.
fn after(granted: BasicTokenResponse, before: Tokens) -> Tokens {
    Tokens {
        access_token: granted.access_token().secret().as_str().into(),
        // A server that rotates nothing sends none; the old one stays good.
        refresh_token: granted
            .refresh_token()
            .map_or(before.refresh_token, |token| token.secret().as_str().into()),
        issued: now(),
        expires_in: granted.expires_in().map(|lifetime| lifetime.as_secs()),
        scope: granted
            .scopes()
            .map(|scopes| scopes.iter().map(|scope| scope.as_str()).collect::<Vec<_>>().join(" "))
            .unwrap_or(before.scope),
        pending: None,
        ..before
    }
}

/// Tokens, if there is one to be used.
fn usable(tokens: Tokens) -> Result<Tokens> {
    if tokens.access_token.expose().is_empty() {
        let what = "the authorization server granted no access token";
        return Err(
            Error::new(ErrorKind::Decode, what).hint("run the statement again; what it gave for the next refresh is kept")
        );
    }
    Ok(tokens)
}

fn for_caller(tokens: &Tokens) -> Grant {
    Grant {
        access_token: tokens.access_token.clone(),
        token_secret: None,
        refresh_token: Some(tokens.refresh_token.clone()).filter(|token| !token.expose().is_empty()),
        expires_in: tokens.expires_in,
        cloud_id: None,
    }
}

fn gone() -> Error {
    Error::new(ErrorKind::Internal, "the sign-in was dropped while it was used")
}

/// The HTTP client that the `oauth2` crate wants.
struct Http<'w>(&'w Wire);

impl<'c> AsyncHttpClient<'c> for Http<'_> {
    type Error = Error;
    type Future = Pin<Box<dyn Future<Output = Result<HttpResponse>> + Send + 'c>>;

    fn call(&'c self, request: HttpRequest) -> Self::Future {
        Box::pin(send(self.0, request))
    }
}

/// One request of the `oauth2` crate through our wire.
async fn send(wire: &Wire, request: HttpRequest) -> Result<HttpResponse> {
    let url = Url::parse(&request.uri().to_string())
        .map_err(|_| Error::new(ErrorKind::Internal, "an address of the authorization server is malformed"))?;
    let accept = ("accept".to_owned(), Secret::from("application/json"));
    let answer = wire
        .send(WireRequest {
            method: Method::Post,
            url: url.clone(),
            headers: vec![accept],
            body: Some((
                "application/x-www-form-urlencoded",
                String::from_utf8_lossy(request.body()).into_owned().into(),
            )),
        })
        .await?;
    let host = url.host_str().unwrap_or_default();
    match answer.status {
        // Passing troubles must not look like a refusal.
        429 | 500.. => Err(Error::new(
            ErrorKind::Unavailable,
            format!("the authorization server {host} failed: HTTP {}", answer.status),
        )
        .hint("try again later")),
        status => {
            let body = match status {
                200..300 => super::granted::tidied(&answer.body),
                _ => None,
            };
            let mut response = HttpResponse::new(body.unwrap_or_else(|| answer.body.to_vec()));
            *response.status_mut() = oauth2::http::StatusCode::from_u16(status)
                .map_err(|_| Error::new(ErrorKind::Decode, format!("{host} answered with HTTP {status}")))?;
            Ok(response)
        }
    }
}

/// Whether the same request may succeed in a moment.
fn is_passing(error: &Error) -> bool {
    matches!(
        error.kind(),
        ErrorKind::Unavailable | ErrorKind::Unreachable | ErrorKind::Timeout
    )
}

/// What it means that the authorization server did not grant anything.
fn refused(what: &str, error: RequestTokenError<Error, oauth2::StandardErrorResponse<BasicErrorResponseType>>) -> Error {
    match error {
        RequestTokenError::Request(error) => error,
        RequestTokenError::ServerResponse(answer) => {
            let words: String = answer
                .error_description()
                .map_or_else(|| answer.error().to_string(), |text| text.chars().take(200).collect());
            match answer.error() {
                BasicErrorResponseType::InvalidClient | BasicErrorResponseType::UnauthorizedClient => Error::new(
                    ErrorKind::Authentication,
                    format!("the authorization server does not accept the client: {words}"),
                )
                .hint("check OAuthClientId and OAuthClientSecret, and that the app is not disabled"),
                BasicErrorResponseType::InvalidScope => Error::new(
                    ErrorKind::Authentication,
                    format!("the authorization server does not grant the scopes: {words}"),
                )
                .hint("add the scopes to the OAuth app, or name fewer in Scope"),
                _ => Error::new(ErrorKind::Authentication, format!("the {what} was refused: {words}"))
                    .hint("run jsmql login to sign in anew; a refresh token ends after 90 days without use, and by revoking it"),
            }
        }
        // Their texts may quote an answer with tokens in it.
        RequestTokenError::Parse(..) | RequestTokenError::Other(_) => Error::new(
            ErrorKind::Decode,
            "the authorization server answered something that is no token",
        )
        .hint("check that option URL names the site, and look at proxies between here and the server"),
    }
}
