//! Which kind of Jira a site is: asked once, when an endpoint that not every kind has answers 404.
//!
//! Where the endpoint does not exist, 404 says nothing about rows: then it is neither "no such row" nor "no such issue".

use std::sync::Arc;

use serde::Deserialize;
use tokio::sync::OnceCell;

use super::site::Site;
use crate::error::{Error, ErrorKind, Result};
use crate::http::{Request, Statement};
use crate::schema::Table;

/// Answered by every kind of Jira, to everybody.
const INFO: &str = "/rest/api/2/serverInfo";

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct ServerInfo {
    deployment_type: String,
}

/// What the site says that it is.
#[derive(Debug, Default)]
pub(super) struct Deployment(OnceCell<String>);

/// Makes sure that the site has the endpoints of a table, one of which has answered 404.
///
/// # Errors
/// It is of a kind that does not have them, or does not say of which.
pub(super) async fn check(site: &Site, table: &Table, statement: &Arc<Statement>) -> Result<()> {
    let Some(needed) = &table.api.deployment else { return Ok(()) };
    let kind = site.deployment.0.get_or_try_init(|| ask(site, statement)).await?;
    if kind.eq_ignore_ascii_case(needed) {
        return Ok(());
    }
    let kind = if kind == "Server" { "Data Center" } else { kind };
    Err(Error::new(
        ErrorKind::Unsupported,
        format!(
            "{} can be read and written on Jira {needed} alone, and this site is {kind}",
            table.name
        ),
    )
    .hint("SELECT table_name FROM sys.tables WHERE api = 'servicedesk' shows the tables that every site has")
    .table(&table.name))
}

async fn ask(site: &Site, statement: &Arc<Statement>) -> Result<String> {
    let request = Request::about_site(INFO);
    let response = site.client.send(&request, statement).await?;
    let info: ServerInfo = serde_json::from_slice(&response.body).map_err(|error| {
        Error::new(ErrorKind::Decode, format!("the site does not say what it is: {error}")).hint("sys.requests shows the request")
    })?;
    Ok(info.deployment_type)
}

/// The error of a request for a table, or what is behind it where the site does not have the endpoint.
pub(crate) async fn explain(error: Error, site: &Site, table: &Table, statement: &Arc<Statement>) -> Error {
    let status = error.request_context().and_then(|request| request.status);
    if status != Some(404) {
        return error;
    }
    match check(site, table, statement).await {
        Err(better) if better.kind() == ErrorKind::Unsupported => better,
        _ => error,
    }
}
