//! OAuth 1.0a: each request carries a signature, made with the client's key and the secret of an access token.

use std::collections::BTreeSet;
use std::fmt::Display;
use std::fmt::Write as _;

use async_trait::async_trait;
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use oauth1_request::signature_method::{HmacSha1, Sign, SignatureMethod};
use oauth1_request::{Builder, Credentials};
use percent_encoding::{AsciiSet, NON_ALPHANUMERIC, utf8_percent_encode};
use tokio::sync::Mutex;
use url::{Url, form_urlencoded};

use super::browser::{self, Prompt};
use super::store::Store;
use super::tokens::{Pending, Tokens, fingerprint, now};
use crate::certificate::{self, RsaKey};
use crate::connection::{Initiate, OAuth1Options, Secret, Signing};
use crate::error::{Error, ErrorKind, Result};
use crate::http::{Method, Proof, ProofKind, Signer, Wire, WireRequest};

/// What RFC 3986 leaves as it is.
const RESERVED: &AsciiSet = &NON_ALPHANUMERIC.remove(b'-').remove(b'.').remove(b'_').remove(b'~');

/// OAuth 1.0a at one site in the name of one consumer.
#[derive(Debug)]
pub(crate) struct OAuth1 {
    settings: OAuth1Options,
    key: Option<RsaKey>,
    site: Url,
    wire: Wire,
    store: Store,
    access: Mutex<Option<Pair>>,
}

/// A token and its secret.
#[derive(Debug, Clone)]
pub(crate) struct Pair {
    pub(crate) token: Secret,
    pub(crate) secret: Secret,
}

/// A sign-in that was begun: where the user goes, and the request token that waits.
#[derive(Debug)]
pub(crate) struct Begun {
    /// The page where the user agrees.
    pub(crate) url: Url,
    pub(crate) request: Pair,
}

impl OAuth1 {
    pub(super) fn new(settings: &OAuth1Options, site: &Url, profile: Option<&str>, wire: Wire) -> Result<Self> {
        let key = match &settings.signing {
            Signing::HmacSha1(_) => None,
            Signing::RsaSha1(store) => {
                let unfit = |what: &str| {
                    Error::new(ErrorKind::Option, format!("{}: {what}", store.option))
                        .hint("OAuth 1.0 signs with an RSA private key: the one whose public key the application link of the site holds")
                };
                let entry = certificate::open(store)?;
                let key = entry.rsa().ok_or_else(|| unfit("it holds no private key"))?;
                Some(key.map_err(unfit)?)
            }
        };
        Ok(Self {
            store: Store::new(&settings.place, site.as_str(), &settings.consumer_key, profile)?,
            settings: settings.clone(),
            key,
            site: site.clone(),
            wire,
            access: Mutex::new(None),
        })
    }

    /// The access token: of the options, kept, or from a sign-in.
    async fn access(&self) -> Result<Pair> {
        let mut access = self.access.lock().await;
        if let Some(pair) = &*access {
            return Ok(pair.clone());
        }
        let pair = match self.initial().await? {
            Some(pair) => pair,
            None if self.settings.initiate == Initiate::GetAndRefresh => self.browse(Prompt::default()).await?,
            None => {
                return Err(Error::new(ErrorKind::Authentication, "there is no access token").hint(
                    "set OAuthAccessToken and OAuthAccessTokenSecret, or InitiateOAuth=GETANDREFRESH and run jsmql login",
                ));
            }
        };
        Ok(access.insert(pair).clone())
    }

    async fn initial(&self) -> Result<Option<Pair>> {
        let given = self.settings.access.as_ref().map(|(token, secret)| Pair {
            token: token.clone(),
            secret: secret.clone(),
        });
        if self.settings.initiate == Initiate::Off {
            return Ok(given);
        }
        let kept = self
            .store
            .load()
            .await?
            .filter(|tokens| !tokens.access_token.expose().is_empty());
        Ok(match (kept, given) {
            (Some(kept), given) if given.is_none() || kept.origin == self.origin() => Some(Pair {
                token: kept.access_token,
                secret: kept.token_secret,
            }),
            (_, given) => given,
        })
    }

    fn origin(&self) -> String {
        fingerprint(&[self.settings.access.as_ref().map_or("", |(token, _)| token.expose())])
    }

    /// The value of `Authorization` for a request. `token` is the access or the request token, if there is one yet.
    fn signature(&self, method: &str, url: &Url, token: Option<&Pair>, callback: Option<&str>, verifier: Option<&str>) -> Secret {
        let client = |secret| Credentials::new(self.settings.consumer_key.as_str(), secret);
        let mut bare = url.clone();
        bare.set_query(None);
        bare.set_fragment(None);
        // Sorted, as the signature wants them.
        let pairs: BTreeSet<(String, String)> = url.query_pairs().into_owned().collect();
        let request = oauth1_request::request::AssertSorted::new(pairs.iter().map(|(name, value)| (name, value)));
        let token = token.map(|pair| Credentials::new(pair.token.expose(), pair.secret.expose()));
        match (&self.settings.signing, &self.key) {
            (Signing::HmacSha1(secret), _) => {
                let mut builder = Builder::new(client(secret.expose()), HmacSha1::new());
                builder.token(token).callback(callback).verifier(verifier);
                builder.authorize(method, bare.as_str(), &request)
            }
            (Signing::RsaSha1(_), key) => {
                let mut builder = Builder::new(client(""), RsaSha1(key.as_ref()));
                builder.token(token).callback(callback).verifier(verifier);
                builder.authorize(method, bare.as_str(), &request)
            }
        }
        .into()
    }

    fn address(&self, path: &str) -> Result<Url> {
        let url = self.site.join(&format!("plugins/servlet/oauth/{path}"));
        url.map_err(|_| Error::new(ErrorKind::Internal, "an address of the site is malformed"))
    }

    /// Asks for a token: a request token, or an access token for it.
    async fn token(&self, path: &str, token: Option<&Pair>, callback: Option<&str>, verifier: Option<&str>) -> Result<Pair> {
        let url = self.address(path)?;
        let proof = self.signature("POST", &url, token, callback, verifier);
        let answer = self
            .wire
            .send(WireRequest {
                method: Method::Post,
                url,
                headers: vec![("authorization".to_owned(), proof)],
                body: Some(("application/x-www-form-urlencoded", Secret::default())),
            })
            .await?;
        let field = |name: &str| {
            let mut pairs = form_urlencoded::parse(&answer.body);
            pairs.find(|(known, _)| known == name).map(|(_, value)| value.into_owned())
        };
        match (answer.status, field("oauth_token"), field("oauth_token_secret")) {
            (200, Some(token), Some(secret)) => Ok(Pair {
                token: token.into(),
                secret: secret.into(),
            }),
            (200, ..) => {
                Err(Error::new(ErrorKind::Decode, "the site answered something that is no token").hint("check option URL"))
            }
            (status, ..) => {
                // The one word that says what is wrong, such as `signature_invalid`; anything longer may quote the request.
                let problem = field("oauth_problem")
                    .filter(|word| word.len() < 40)
                    .unwrap_or_else(|| format!("HTTP {status}"));
                Err(Error::new(ErrorKind::Authentication, format!("the site granted no token: {problem}"))
                    .hint("check OAuthClientId and the key: the site's application link must hold the consumer key and the public key; check the clock, too"))
            }
        }
    }

    /// Begins a sign-in: gets a request token, and keeps it until the code comes.
    pub(crate) async fn begin(&self, callback: Option<&Url>) -> Result<Begun> {
        let callback = callback.unwrap_or(&self.settings.callback).as_str();
        let request = self.token("request-token", None, Some(callback), None).await?;
        let mut url = self.address("authorize")?;
        url.query_pairs_mut().append_pair("oauth_token", request.token.expose());
        let _hold = self.store.hold().await?;
        let kept = self.store.load().await?.unwrap_or_else(|| self.store.blank());
        self.store
            .save(&Tokens {
                pending: Some(Pending {
                    state: request.token.expose().to_owned(),
                    verifier: request.secret.clone(),
                }),
                ..kept
            })
            .await?;
        Ok(Begun { url, request })
    }

    /// Exchanges the request token and the code that a browser brought back, and keeps the access token.
    /// Without `request` it is the one of the options, or the one that was kept.
    pub(crate) async fn finish(&self, code: &Secret, request: Option<Pair>) -> Result<Pair> {
        let _hold = self.store.hold().await?;
        let kept = self.store.load().await?.unwrap_or_else(|| self.store.blank());
        let given = self.settings.request.clone().map(|(token, secret)| Pair { token, secret });
        let waiting = kept.pending.clone().map(|pending| Pair {
            token: pending.state.into(),
            secret: pending.verifier,
        });
        let Some(request) = request.or(given).or(waiting) else {
            return Err(
                Error::new(ErrorKind::Option, "OAuthVerifier is set, but no sign-in waits for it")
                    .hint("run jsmql login without OAuthVerifier first; or set AuthToken and AuthKey of the sign-in"),
            );
        };
        let answer = browser::Answer::read(code.expose());
        let pair = self
            .token("access-token", Some(&request), None, Some(answer.code.expose()))
            .await?;
        if self.settings.initiate == Initiate::Off {
            // The caller keeps the token: here only the sign-in is over.
            self.store.save(&Tokens { pending: None, ..kept }).await?;
            return Ok(pair);
        }
        self.store
            .save(&Tokens {
                access_token: pair.token.clone(),
                token_secret: pair.secret.clone(),
                issued: now(),
                origin: self.origin(),
                pending: None,
                ..kept
            })
            .await?;
        Ok(pair)
    }

    async fn browse(&self, prompt: Prompt) -> Result<Pair> {
        if let Some(code) = &self.settings.verifier {
            return self.finish(code, None).await;
        }
        self.sign_in(prompt, None).await
    }

    /// Signs in through a browser that comes back to the callback.
    pub(super) async fn sign_in(&self, prompt: Prompt, callback: Option<&Url>) -> Result<Pair> {
        let begun = self.begin(callback).await?;
        let Some(listening) = browser::listen(callback.unwrap_or(&self.settings.callback)).await? else {
            prompt.show(&begun.url);
            return Err(Error::new(ErrorKind::Authentication, "the sign-in waits for its code")
                .hint(format!("open {} and set OAuthVerifier to the code it leads to", begun.url)));
        };
        prompt.show(&begun.url);
        let code = listening.wait(begun.request.token.expose()).await?;
        self.finish(&code, Some(begun.request)).await
    }

    /// Signs in anew; says where the token is kept.
    pub(super) async fn login(&self, prompt: Prompt) -> Result<String> {
        if self.settings.initiate != Initiate::GetAndRefresh {
            return Err(
                Error::new(ErrorKind::Option, "login is for connections with InitiateOAuth=GETANDREFRESH")
                    .hint("set InitiateOAuth=GETANDREFRESH"),
            );
        }
        let pair = self.browse(prompt).await?;
        *self.access.lock().await = Some(pair);
        Ok(self.store.name())
    }

    pub(super) async fn logout(&self) -> Result<String> {
        let _hold = self.store.hold().await?;
        *self.access.lock().await = None;
        let place = self.store.name();
        Ok(if self.store.remove().await? {
            format!("removed the token in {place}")
        } else {
            format!("there was no token in {place}")
        })
    }
}

#[async_trait]
impl Signer for OAuth1 {
    async fn proof(&self, method: Method, url: &Url) -> Result<Proof> {
        let pair = self.access().await?;
        Ok(Proof {
            kind: ProofKind::Authorization,
            value: self.signature(method.as_str(), url, Some(&pair), None, None),
        })
    }

    async fn renew(&self, _: &Proof) -> Result<bool> {
        // Another signature of the same token is no better.
        Ok(false)
    }

    fn hint(&self) -> &'static str {
        "the token was revoked or has expired, or the clock is wrong: run jsmql login, or set another OAuthAccessToken"
    }
}

/// The signature method RSA-SHA1; the crate's own takes keys of an older version of `rsa`.
#[derive(Debug, Clone, Copy)]
struct RsaSha1<'k>(Option<&'k RsaKey>);

/// What is signed.
struct RsaText<'k> {
    key: Option<&'k RsaKey>,
    text: String,
}

impl<'k> SignatureMethod for RsaSha1<'k> {
    type Sign = RsaText<'k>;

    fn sign_with(self, _client_secret: &str, _token_secret: Option<&str>) -> Self::Sign {
        RsaText {
            key: self.0,
            text: String::new(),
        }
    }
}

impl Sign for RsaText<'_> {
    type Signature = String;

    fn get_signature_method_name(&self) -> &'static str {
        "RSA-SHA1"
    }

    fn request_method(&mut self, method: &str) {
        let _ = write!(self.text, "{method}&");
    }

    fn uri<T: Display>(&mut self, uri: T) {
        let _ = write!(self.text, "{uri}&");
    }

    fn parameter<V: Display>(&mut self, key: &str, value: V) {
        let _ = write!(self.text, "{key}%3D{value}");
    }

    fn delimiter(&mut self) {
        self.text += "%26";
    }

    fn end(self) -> String {
        // Without a key, or with one too short to sign, the signature is empty and the site says what it thinks of it.
        let signature = self
            .key
            .and_then(|key| key.sign_sha1(self.text.as_bytes()))
            .unwrap_or_default();
        utf8_percent_encode(&STANDARD.encode(signature), RESERVED).to_string()
    }
}
