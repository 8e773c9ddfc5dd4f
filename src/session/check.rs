//! A look at a site: who we are there, what it is, what we may do.

use std::collections::{BTreeMap, BTreeSet};
use std::time::{Duration, Instant};

use serde::Deserialize;
use serde::de::DeserializeOwned;

use super::Session;
use crate::connection::{Credentials, Route};
use crate::error::{Error, ErrorKind, Result};
use crate::http::{Method, Request, Safety, Statement, is_scope_error};
use crate::schema::{Endpoint, MYSELF, Table};

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

/// Longest time to wait for a connection.
const PATIENCE: Duration = Duration::from_secs(10);

/// Tells what the steps find.
struct Step<'r>(&'r mut (dyn FnMut(&'static str, Option<String>) + Send));

impl Step<'_> {
    fn found(&mut self, name: &'static str, what: String) {
        (self.0)(name, Some(what));
    }

    /// What a step led to; a failure is told.
    fn of<T>(&mut self, name: &'static str, outcome: Result<T>) -> Result<T> {
        if outcome.is_err() {
            (self.0)(name, None);
        }
        outcome
    }
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
        self.check_steps(&mut |_, _| ()).await
    }

    /// Asks the site who we are, where ConnectOnOpen says so. Nobody, to whom a site says little, asks what it is.
    ///
    /// # Errors
    /// The site cannot be reached, or does not accept the credentials.
    pub(crate) async fn greet(&self) -> Result<()> {
        if !self.connection().connects_on_open() {
            return Ok(());
        }
        let path = match self.connection().credentials() {
            Credentials::Anonymous => "/rest/api/2/serverInfo",
            _ => MYSELF,
        };
        self.look::<serde::de::IgnoredAny>(path, &[]).await.map(drop)
    }

    /// Does the same step by step: `report` hears each step with what was found, or without it if the step failed.
    ///
    /// # Errors
    /// As for [`check`](Self::check), of the first step that failed.
    pub async fn check_steps(&self, report: &mut (dyn FnMut(&'static str, Option<String>) + Send)) -> Result<Findings> {
        let mut step = Step(report);
        let reached = step.of("resolve", self.resolve().await)?;
        step.found("resolve", reached);
        let reached = step.of("connect", self.knock().await)?;
        step.found("connect", reached);
        let unknown = || "unknown".to_owned();
        // Answered to everybody: what fails here is the way to the site, its encryption included. With OAuth it is the token.
        let begin = Instant::now();
        let server: Result<ServerInfo> = self.look("/rest/api/2/serverInfo", &[]).await;
        let name = match &server {
            Err(error) if error.kind() == ErrorKind::Tls => "tls",
            Err(error) if matches!(error.kind(), ErrorKind::Authentication | ErrorKind::Permission) => "authenticate",
            _ => "http",
        };
        let server = step.of(name, server)?;
        if self.connection().site().scheme() == "https" {
            step.found("tls", "the certificate is accepted".into());
        }
        step.found(
            "http",
            format!("answers within {:.0} ms", begin.elapsed().as_secs_f64() * 1_000.0),
        );
        let begin = Instant::now();
        let myself: Myself = step.of("authenticate", self.look(MYSELF, &[]).await)?;
        let round_trip = begin.elapsed();
        step.found("authenticate", "the credentials are accepted".into());
        let id = myself.account_id.or(myself.name).unwrap_or_else(unknown);
        let permissions = self.look("/rest/api/2/mypermissions", &[("permissions", PERMISSIONS)]).await;
        let granted: MyPermissions = step.of("permissions", permissions)?;
        let info: Info = step.of("service desk", self.look("/rest/servicedeskapi/info", &[]).await)?;
        // `/info` answers everybody; only a real resource shows whether the account may use the product.
        let desks = self.look("/rest/servicedeskapi/servicedesk", &[("limit", "1")]).await;
        let _: serde::de::IgnoredAny = step.of("licence", desks)?;
        let findings = Findings {
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
        };
        step.found("deployment", findings.deployment.clone());
        step.found("account", findings.account.clone());
        step.found(
            "permissions",
            match findings.permissions.is_empty() {
                true => "none of those asked for".into(),
                false => findings.permissions.join(", "),
            },
        );
        step.found("service desk", findings.service_desk.clone());
        step.found("licence", "the account may use Jira Service Management".into());
        step.found("scopes", self.scopes().await);
        step.found("round trip", format!("{:.0} ms", findings.round_trip.as_secs_f64() * 1_000.0));
        Ok(findings)
    }

    /// Asks the site whether it knows the account: one request.
    #[cfg(feature = "flight")]
    pub(crate) async fn authenticate(&self) -> Result<()> {
        let _: serde::de::IgnoredAny = self.look(MYSELF, &[]).await?;
        Ok(())
    }

    /// Looks up the name of the site, where nobody does it for us.
    async fn resolve(&self) -> Result<String> {
        let site = self.connection().site();
        let (Some(host), Some(port)) = (site.host_str(), site.port_or_known_default()) else {
            return Ok("no name to look up".into());
        };
        if let Some(proxy) = self.proxy() {
            return Ok(format!("left to {proxy}"));
        }
        let found = tokio::net::lookup_host((host.trim_matches(['[', ']']), port)).await;
        match found.map(Iterator::collect::<Vec<_>>) {
            Ok(addresses) if !addresses.is_empty() => {
                let texts: Vec<_> = addresses.iter().map(|address| address.ip().to_string()).collect();
                Ok(format!("{host} is {}", texts.join(", ")))
            }
            other => {
                let why = other
                    .err()
                    .map_or_else(|| "it has no address".to_owned(), |error| error.to_string());
                Err(Error::new(ErrorKind::Unreachable, format!("cannot find the host {host}: {why}"))
                    .hint("check the spelling of option URL, and the network connection; where only a proxy knows the name, set ProxyServer"))
            }
        }
    }

    /// Opens a connection and closes it again.
    async fn knock(&self) -> Result<String> {
        let site = self.connection().site();
        let (Some(host), Some(port)) = (site.host_str(), site.port_or_known_default()) else {
            return Ok("nothing to connect to".into());
        };
        if let Some(proxy) = self.proxy() {
            return Ok(format!("through {proxy}"));
        }
        let begin = Instant::now();
        let made = tokio::time::timeout(
            PATIENCE,
            tokio::net::TcpStream::connect((host.trim_matches(['[', ']']), port)),
        )
        .await;
        let why = match made {
            Ok(Ok(_)) => {
                return Ok(format!(
                    "port {port} is open, {:.0} ms",
                    begin.elapsed().as_secs_f64() * 1_000.0
                ));
            }
            Ok(Err(error)) => error.to_string(),
            Err(_) => "no answer in time".to_owned(),
        };
        Err(Error::new(
            ErrorKind::Unreachable,
            format!("cannot connect to {host}, port {port}: {why}"),
        )
        .hint("check host and port of option URL, and whether a proxy or firewall is in the way: ProxyServer, FirewallType"))
    }

    /// The proxy that connections go through, in words.
    fn proxy(&self) -> Option<String> {
        match self.connection().route() {
            Route::Direct => None,
            Route::Through(hop) => Some(format!("the proxy {}:{}", hop.host, hop.port)),
            Route::Environment => {
                let names = [
                    "HTTPS_PROXY",
                    "https_proxy",
                    "ALL_PROXY",
                    "all_proxy",
                    "HTTP_PROXY",
                    "http_proxy",
                ];
                let set = names
                    .into_iter()
                    .find(|name| std::env::var_os(name).is_some_and(|value| !value.is_empty()))?;
                let host = self.connection().site().host_str().unwrap_or_default();
                let local = host == "localhost" || host.starts_with("127.") || host == "[::1]";
                (!local).then(|| format!("the proxy in {set}"))
            }
        }
    }

    /// Which scopes the token lacks, and for which tables: as the authorization server said, or as the site shows.
    async fn scopes(&self) -> String {
        match self.shared.sign_in.scopes().await {
            // Each stands for a part of a classic one; which part of which table would be guesswork.
            Some(granted) if granted.split(' ').any(|scope| scope.matches(':').count() > 1) => {
                format!("granular ones, which are not compared: {granted}")
            }
            Some(granted) => {
                let missing = self.needs(|scope| !granted.split(' ').any(|known| known == scope));
                if missing.is_empty() {
                    return "all that reading and writing take".into();
                }
                format!("missing {}", missing.join("; "))
            }
            None if self.shared.sign_in.locator.is_some() => self.probed().await,
            None => "not asked for: the account's permissions decide".into(),
        }
    }

    /// The scopes that `wanted` names, and for which tables.
    fn needs(&self, wanted: impl Fn(&str) -> bool) -> Vec<String> {
        let (catalog, readonly) = (&self.shared.catalog, self.connection().readonly());
        let mut found: BTreeMap<(&str, bool), BTreeSet<&str>> = BTreeMap::new();
        for need in catalog.tables().iter().flat_map(|table| catalog.scopes().needs(table)) {
            if wanted(need.scope) && !(need.writes && readonly) {
                found.entry((need.scope, need.writes)).or_default().insert(need.table);
            }
        }
        let words = |((scope, writes), tables): ((&str, bool), BTreeSet<&str>)| {
            let what = if writes { "write" } else { "read" };
            format!("{scope} (to {what} {})", tables.into_iter().collect::<Vec<_>>().join(", "))
        };
        found.into_iter().map(words).collect()
    }

    /// Asks for the first row of one list for each scope: nobody tells which scopes an API token has.
    async fn probed(&self) -> String {
        let catalog = &self.shared.catalog;
        let mut lists: BTreeMap<&str, (&Table, &Endpoint)> = BTreeMap::new();
        for table in catalog
            .tables()
            .iter()
            .filter(|table| !table.columns.iter().any(|column| column.required))
        {
            let open = table.lists.iter().find(|endpoint| endpoint.placeholders().next().is_none());
            if let Some(endpoint) = open
                && let Some(scope) = catalog.scopes().needed(&endpoint.template, false)
            {
                lists.entry(scope).or_insert((table, endpoint));
            }
        }
        let (mut missing, mut unknown) = (BTreeSet::new(), BTreeSet::new());
        for (scope, (table, endpoint)) in lists {
            let one = (!table.page.limit.is_empty()).then_some((table.page.limit.as_str(), "1"));
            let request = Request {
                method: Method::Get,
                path: endpoint.template.to_string(),
                template: endpoint.template.clone(),
                query: one
                    .into_iter()
                    .map(|(name, value)| (name.to_owned().into(), value.to_owned()))
                    .collect(),
                headers: table.api.headers.clone(),
                body: None,
                safety: Safety::Read,
                table: None,
            };
            match self.client().send(&request, &Statement::new(0, None)).await {
                Ok(_) => {}
                Err(error) if is_scope_error(&error) => drop(missing.insert(scope)),
                Err(_) => drop(unknown.insert(scope)),
            }
        }
        let missing = self.needs(|scope| missing.contains(scope));
        let mut words = vec![match missing.is_empty() {
            true if unknown.is_empty() => "all that reading takes".to_owned(),
            true => "none is missing that could be looked for".to_owned(),
            false => format!("missing {}", missing.join("; ")),
        }];
        if !unknown.is_empty() {
            words.push(format!("not known: {}", unknown.into_iter().collect::<Vec<_>>().join(", ")));
        }
        words.push("only a write shows whether it may write".to_owned());
        words.join("; ")
    }

    async fn look<T: DeserializeOwned>(&self, path: &str, query: &[(&'static str, &str)]) -> Result<T> {
        let request = Request {
            query: query.iter().map(|&(name, value)| (name.into(), value.to_owned())).collect(),
            ..Request::about_site(path)
        };
        let response = self.client().send(&request, &Statement::new(0, None)).await?;
        serde_json::from_slice(&response.body).map_err(|error| {
            Error::new(ErrorKind::Decode, format!("{path} answered something unexpected: {error}")).hint("check the option URL")
        })
    }
}
