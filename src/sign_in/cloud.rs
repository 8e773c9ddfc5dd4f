//! Atlassian's gateway: the root under which it serves one site, by the site's cloud id.

use std::sync::Arc;
use std::time::Duration;

use async_trait::async_trait;
use serde::Deserialize;
use url::Url;

use super::OAuth2;
use crate::connection::{Gateway, Secret};
use crate::error::{Error, ErrorKind, Result};
use crate::http::{Locator, Method, Wire, WireAnswer, WireRequest};

/// What is said of a token that the gateway does not take.
const REFUSED: &str = "the gateway does not accept the OAuth token";
const GATEWAY: &str = "https://api.atlassian.com/";

/// Finds the root of a site at the gateway.
#[derive(Debug)]
pub(crate) struct Cloud {
    site: Url,
    known: Gateway,
    /// OAuth, which knows the sites that it was granted for. None: the site itself is asked for its id.
    granted: Option<Arc<OAuth2>>,
    wire: Wire,
    /// Where the gateway is.
    gateway: String,
}

/// Waits before a question is asked again that the gateway or a proxy did not answer.
const PAUSES: [Duration; 3] = [Duration::from_millis(100), Duration::from_millis(500), Duration::from_secs(2)];

/// A site that an OAuth token was granted for.
#[derive(Debug)]
struct Resource {
    id: String,
    url: String,
}

impl Resource {
    /// The sites of a list; an entry without an id is none.
    fn list(json: &[u8]) -> Option<Vec<Self>> {
        let entries: Vec<serde_json::Value> = serde_json::from_slice(json).ok()?;
        let read = |entry: &serde_json::Value| {
            Some(Self {
                id: entry["id"].as_str().filter(|id| !id.is_empty())?.to_owned(),
                url: entry["url"].as_str().unwrap_or_default().to_owned(),
            })
        };
        Some(entries.iter().filter_map(read).collect())
    }
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct TenantInfo {
    cloud_id: String,
}

impl Cloud {
    pub(super) fn new(site: &Url, known: &Gateway, granted: Option<Arc<OAuth2>>, wire: Wire) -> Self {
        Self::at(GATEWAY, site, known, granted, wire)
    }

    pub(super) fn at(gateway: &str, site: &Url, known: &Gateway, granted: Option<Arc<OAuth2>>, wire: Wire) -> Self {
        Self {
            site: site.clone(),
            known: known.clone(),
            granted,
            wire,
            gateway: gateway.to_owned(),
        }
    }

    /// The id of the site, for a token that was granted just now.
    pub(super) async fn id_for(&self, token: &Secret) -> Result<String> {
        match &self.known {
            Gateway::Known(id) => Ok(id.clone()),
            Gateway::Unknown => self.granted_id(token).await,
        }
    }

    /// The id, from what the token was granted for.
    async fn granted_id(&self, token: &Secret) -> Result<String> {
        let answer = self
            .get(
                &format!("{}oauth/token/accessible-resources", self.gateway),
                vec![("authorization".to_owned(), format!("Bearer {}", token.expose()).into())],
            )
            .await?;
        let resources: Vec<Resource> = match answer.status {
            200 => Resource::list(&answer.body).ok_or_else(|| unexpected("the gateway"))?,
            401 => {
                return Err(Error::new(ErrorKind::Authentication, REFUSED)
                    .hint("run jsmql login, or check OAuthAccessToken: it may have expired"));
            }
            status => return Err(failed("the gateway", status)),
        };
        let same = |resource: &&Resource| Url::parse(&resource.url).is_ok_and(|url| url.origin() == self.site.origin());
        if let Some(found) = resources.iter().find(same) {
            return Ok(found.id.clone());
        }
        // The address of the gateway names no site; then there must be one only.
        let mut ids: Vec<&str> = resources.iter().map(|resource| resource.id.as_str()).collect();
        ids.dedup();
        let names_no_site = self.site.host_str() == Some("api.atlassian.com");
        if let (true, [id]) = (names_no_site, &ids[..]) {
            return Ok((*id).to_owned());
        }
        let sites: Vec<_> = resources
            .iter()
            .map(|site| format!("{} (CloudId={})", site.url, site.id))
            .take(10)
            .collect();
        let message = match (sites.is_empty(), names_no_site) {
            (true, _) => "the OAuth token was granted for no site".to_owned(),
            (_, true) => "the OAuth token was granted for several sites".to_owned(),
            _ => format!("the OAuth token was not granted for {}", self.site),
        };
        Err(Error::new(ErrorKind::Authentication, message).hint(if sites.is_empty() {
            "run jsmql login, and choose the site there".to_owned()
        } else {
            format!(
                "set URL or CloudId to one of: {}; or run jsmql login and choose the site there",
                sites.join(", ")
            )
        }))
    }

    /// The id, from the site itself, which tells it to everybody.
    async fn site_id(&self) -> Result<String> {
        let url = self.site.join("_edge/tenant_info").map_err(|_| unexpected("the site"))?;
        let answer = self.get(url.as_str(), Vec::new()).await?;
        match answer.status {
            200 => serde_json::from_slice::<TenantInfo>(&answer.body)
                .map(|info| info.cloud_id)
                .map_err(|_| unexpected("the site")),
            404 => Err(Error::new(ErrorKind::NotFound, format!("there is no site at {}", self.site))
                .hint("check option URL, or set CloudId")),
            status => Err(failed("the site", status)),
        }
    }

    async fn get(&self, url: &str, mut headers: Vec<(String, Secret)>) -> Result<WireAnswer> {
        headers.push(("accept".to_owned(), "application/json".into()));
        let request = WireRequest {
            method: Method::Get,
            url: Url::parse(url).map_err(|_| unexpected("the gateway"))?,
            headers,
            body: None,
        };
        // It changes nothing, so it is asked again as any read is.
        for pause in PAUSES {
            let answer = self.wire.send(request.clone()).await;
            let is_failing = match &answer {
                Ok(answer) => matches!(answer.status, 429 | 500..),
                Err(error) => matches!(
                    error.kind(),
                    ErrorKind::Unavailable | ErrorKind::Unreachable | ErrorKind::Timeout
                ),
            };
            if !is_failing {
                return answer;
            }
            tokio::time::sleep(pause).await;
        }
        self.wire.send(request).await
    }

    /// The id, from what the token was granted for. A token that the gateway refuses is exchanged for another, once.
    async fn id_by(&self, oauth: &Arc<OAuth2>) -> Result<String> {
        let token = oauth.access().await?;
        match self.granted_id(&token).await {
            Err(error) if error.kind() == ErrorKind::Authentication && error.message().contains(REFUSED) => {
                match oauth.access_instead_of(&token).await {
                    Ok(Some(token)) => self.granted_id(&token).await,
                    Err(other) if other.kind() != ErrorKind::Authentication => Err(other),
                    Ok(None) | Err(_) => Err(error),
                }
            }
            other => other,
        }
    }
}

#[async_trait]
impl Locator for Cloud {
    async fn root(&self) -> Result<Url> {
        let id = match (&self.known, &self.granted) {
            (Gateway::Known(id), _) => id.clone(),
            (Gateway::Unknown, Some(oauth)) => self.id_by(oauth).await?,
            (Gateway::Unknown, None) => self.site_id().await?,
        };
        if id.is_empty() || !id.chars().all(|c| c.is_ascii_alphanumeric() || c == '-') {
            return Err(unexpected("the site"));
        }
        Url::parse(&format!("{}ex/jira/{id}/", self.gateway)).map_err(|_| unexpected("the gateway"))
    }
}

fn unexpected(who: &str) -> Error {
    Error::new(ErrorKind::Decode, format!("{who} did not tell the cloud id of the site"))
        .hint("set CloudId; it is shown at https://<site>.atlassian.net/_edge/tenant_info")
}

fn failed(who: &str, status: u16) -> Error {
    Error::new(
        ErrorKind::Unavailable,
        format!("{who} did not tell the cloud id of the site: HTTP {status}"),
    )
    .hint("try again later, or set CloudId")
}
