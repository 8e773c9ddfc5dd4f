//! A look at a site: who we are there, what it is, what we may do.

use std::sync::Arc;
use std::time::{Duration, Instant};

use serde::Deserialize;
use serde::de::DeserializeOwned;

use super::Session;
use crate::error::{Error, ErrorKind, Result};
use crate::http::{Method, Request, Safety, Statement};

/// What a site told about itself and about us.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub struct Findings {
    /// Cloud or Data Center, and the version.
    pub deployment: String,
    /// Name and id of the account.
    pub account: String,
    /// Global permissions that the account has, of those that matter for service desks.
    pub permissions: Vec<String>,
    /// What Jira Service Management says.
    pub service_desk: String,
    /// Time of one request on an open connection.
    pub round_trip: Duration,
}

/// Permissions that decide what is visible.
const PERMISSIONS: &str = "ADMINISTER,BROWSE_PROJECTS,SERVICEDESK_AGENT,USER_PICKER";

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Myself {
    account_id: Option<String>,
    name: Option<String>,
    display_name: Option<String>,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct ServerInfo {
    deployment_type: Option<String>,
    version: Option<String>,
}

#[derive(Deserialize)]
struct MyPermissions {
    #[serde(default)]
    permissions: std::collections::BTreeMap<String, Permission>,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Permission {
    #[serde(default)]
    have_permission: bool,
}

#[derive(Deserialize)]
struct Info {
    version: Option<String>,
}

impl Session {
    /// Asks the site who we are and what we may do: five small requests.
    ///
    /// # Errors
    /// The site cannot be reached, does not accept the credentials, or has no Jira Service Management for this account.
    pub async fn check(&self) -> Result<Findings> {
        let server: ServerInfo = self.look("/rest/api/2/serverInfo", &[]).await?;
        let begin = Instant::now();
        let myself: Myself = self.look("/rest/api/2/myself", &[]).await?;
        let round_trip = begin.elapsed();
        let granted: MyPermissions = self
            .look("/rest/api/2/mypermissions", &[("permissions", PERMISSIONS)])
            .await?;
        let info: Info = self.look("/rest/servicedeskapi/info", &[]).await?;
        // `/info` answers everybody; only a real resource shows whether the account may use the product.
        let _: serde::de::IgnoredAny = self.look("/rest/servicedeskapi/servicedesk", &[("limit", "1")]).await?;
        let unknown = || "unknown".to_owned();
        let id = myself.account_id.or(myself.name).unwrap_or_else(unknown);
        Ok(Findings {
            deployment: format!(
                "{} {}",
                server.deployment_type.map_or_else(unknown, |kind| if kind == "Server" {
                    "Data Center".to_owned()
                } else {
                    kind
                }),
                server.version.unwrap_or_default()
            ),
            account: format!("{} ({id})", myself.display_name.unwrap_or_else(unknown)),
            permissions: granted
                .permissions
                .into_iter()
                .filter(|(_, permission)| permission.have_permission)
                .map(|(name, _)| name)
                .collect(),
            service_desk: format!("answers, version {}", info.version.unwrap_or_else(unknown)),
            round_trip,
        })
    }

    async fn look<T: DeserializeOwned>(&self, path: &str, query: &[(&'static str, &str)]) -> Result<T> {
        let request = Request {
            method: Method::Get,
            path: path.to_owned(),
            template: Arc::from(path),
            query: query.iter().map(|&(name, value)| (name.into(), value.to_owned())).collect(),
            headers: Vec::new(),
            body: None,
            safety: Safety::Read,
            table: None,
        };
        let response = self.client().send(&request, &Statement::new(0, None)).await?;
        serde_json::from_slice(&response.body).map_err(|error| {
            Error::new(ErrorKind::Decode, format!("{path} answered something unexpected: {error}")).hint("check the option URL")
        })
    }
}
