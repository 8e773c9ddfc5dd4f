//! How to reach a site: the connection string and environment, checked and typed as a [`Connection`].
//!
//! Everything here is pure: no variable is read, no file opened, no request sent. It knows the site's address and account, and
//! the limits a statement runs under; what the site offers is for `schema/`, and sending for `http/`.
//!
//! # Design
//!
//! What was written (`OptionValues`) and what it means ([`Connection`]) are different types, and every check lies between them.
//! An option is one row of [`OPTIONS`]; the parser, [`docs`] and `sys.options` read it there.

use std::path::{Path, PathBuf};
use std::time::Duration;

use url::Url;

use crate::error::{Error, ErrorKind, Result};
use credentials::{SignIn, sign_in};
use values::OptionValues;

mod credentials;
pub(crate) mod docs;
mod listing;
mod logging;
mod oauth;
mod option;
mod parse;
mod pseudo;
mod registry;
mod route;
mod secret;
#[cfg(feature = "flight")]
mod served;
mod site;
mod sources;
mod sso;
mod store;
mod suggest;
#[cfg(test)]
mod tests;
mod tls;
mod uri;
mod values;

pub(crate) use credentials::{Credentials, Gateway};
pub(crate) use listing::Listing;
pub(crate) use logging::{LogOptions, LogPlace};
pub(crate) use oauth::{Initiate, OAuth1Options, OAuth2Options, Signing, TokenPlace};
pub use option::{Category, OptionKind, OptionRow, Status};
#[cfg(any(feature = "adbc", feature = "shell", test))]
pub(crate) use parse::ConnectionString;
pub use pseudo::PseudoColumns;
pub(crate) use registry::OPTIONS;
pub(crate) use route::{Hop, Protocol, Route};
pub(crate) use secret::Secret;
#[cfg(feature = "adbc")]
pub(crate) use site::is_cloud;
pub(crate) use sources::SecretPlace;
pub use sources::Source;
pub(crate) use sso::{Provider, SsoOptions};
pub(crate) use store::{StoreFormat, StoreOptions, StorePlace};
pub(crate) use suggest::closest;
pub(crate) use tls::{ServerTrust, TlsOptions};
pub(crate) use values::Kept;

/// How to reach one site, complete and free of contradictions. `Debug` shows no secret.
#[derive(Debug, Clone)]
pub struct Connection {
    values: OptionValues,
    site: Url,
    sign_in: SignIn,
    profile: Option<String>,
    log: Option<LogOptions>,
    tls: TlsOptions,
    route: Route,
    service_desk_ids: Vec<String>,
    request_language: Option<String>,
    attachment_dir: Option<PathBuf>,
    schema_dir: Option<PathBuf>,
    views_file: Option<PathBuf>,
    listing: Listing,
    pseudo_columns: PseudoColumns,
    local_files: bool,
    memory: Option<usize>,
}

/// The state of one option, as `sys.options` shows it.
#[derive(Debug, Clone)]
pub struct OptionState {
    /// The option.
    pub row: &'static OptionRow,
    /// Its value in canonical spelling; `***` for a secret that is not empty.
    pub value: String,
    /// Who set it.
    pub source: Source,
}

impl Connection {
    /// Reads a connection string together with the environment, of which only `JSMQL_` variables matter.
    ///
    /// An option in `text` wins over the environment; empty `text` stands for `JSMQL_CONNECTION`. Errors name the option and
    /// quote no value; only hints on URL show its host and path, once it is certain to hold no password.
    pub fn parse(text: &str, environment: impl IntoIterator<Item = (String, String)>) -> Result<Self> {
        Self::parse_with(text, environment, Kept::NOTHING)
    }

    /// Reads a connection string together with the environment and what is kept: a profile, and secrets elsewhere.
    pub(crate) fn parse_with(
        text: &str,
        environment: impl IntoIterator<Item = (String, String)>,
        kept: Kept<'_>,
    ) -> Result<Self> {
        let profile = kept.profile.as_ref().map(|(name, _)| name.clone());
        let values = OptionValues::read_with(text, environment, kept)?;
        let site = site::site(values.text("URL"), values.boolean("AllowInsecure"))?;
        Ok(Self {
            sign_in: sign_in(&values, &site)?,
            profile,
            log: logging::log(&values)?,
            tls: tls::tls(&values)?,
            route: route::route(&values, site.scheme() == "https")?,
            service_desk_ids: desk_ids(values.text("ServiceDeskID"))?,
            request_language: values.filled("RequestLanguage").map(language).transpose()?,
            attachment_dir: values.filled("AttachmentDir").map(PathBuf::from),
            schema_dir: values.filled("SchemaDir").map(PathBuf::from),
            views_file: values.filled("UserDefinedViews").map(PathBuf::from),
            listing: Listing::read(&values)?,
            pseudo_columns: PseudoColumns::parse(values.text("PseudoColumns"))?,
            local_files: true,
            memory: None,
            site,
            values,
        })
    }

    /// The root of the site. Its path ends with `/`, so that `join("rest/…")` keeps a context path.
    pub fn site(&self) -> &Url {
        &self.site
    }

    /// What requests to the origin of [`Connection::site`], and to no other, carry.
    pub(crate) fn credentials(&self) -> &Credentials {
        &self.sign_in.credentials
    }

    /// How the credentials were chosen, such as `APIToken (inferred from User and APIToken)`.
    pub fn scheme_text(&self) -> &'static str {
        self.sign_in.scheme
    }

    /// The name under which the connection is kept. None: it was given in full.
    pub(crate) fn profile(&self) -> Option<&str> {
        self.profile.as_deref()
    }

    /// Where requests go, if not to the site itself.
    pub(crate) fn gateway(&self) -> Option<&Gateway> {
        self.sign_in.gateway.as_ref()
    }

    /// The log of the session. None: there is none.
    pub(crate) fn log(&self) -> Option<&LogOptions> {
        self.log.as_ref()
    }

    /// Every secret that an option holds, for whoever takes secrets out of texts.
    pub(crate) fn secrets(&self) -> impl Iterator<Item = Secret> + '_ {
        let filled = OPTIONS
            .iter()
            .filter(|row| row.secret)
            .filter_map(|row| self.values.filled(row.name));
        filled.map(Secret::from)
    }

    /// What the user should know about a connection that is allowed all the same.
    pub(crate) fn warnings(&self) -> Vec<&'static str> {
        let mut warnings = Vec::new();
        if self.tls.server == ServerTrust::Anything {
            warnings
                .push("SSLServerCert=* accepts every server: anybody on the way can read the credentials and change the answers");
        }
        if self.values.boolean("AllowInsecure") && self.site.scheme() == "http" {
            warnings.push("AllowInsecure=true: credentials and answers cross the network unencrypted");
        }
        warnings
    }

    /// What is presented to the server, and accepted from it.
    pub(crate) fn tls(&self) -> &TlsOptions {
        &self.tls
    }

    /// The way to the site.
    pub(crate) fn route(&self) -> &Route {
        &self.route
    }

    /// The service desks that tables are limited to where a query names none. Empty: no limit is set, all desks are read.
    pub fn service_desk_ids(&self) -> &[String] {
        &self.service_desk_ids
    }

    /// A value for the `Accept-Language` header, fit to be one.
    pub fn request_language(&self) -> Option<&str> {
        self.request_language.as_deref()
    }

    /// Most rows a statement returns. None: all.
    pub fn max_rows(&self) -> Option<usize> {
        self.values.integer("MaxRows").and_then(|rows| rows.try_into().ok())
    }

    /// Most requests a statement may send. None: no limit.
    pub fn max_requests(&self) -> Option<u64> {
        self.values.integer("MaxRequests").filter(|requests| *requests > 0)
    }

    /// Most requests under way at the same time; at least 1.
    pub fn max_concurrency(&self) -> usize {
        self.bounded("MaxConcurrency")
    }

    /// Rows to ask for in one page; at least 1. None: as many as the API allows.
    pub fn page_size(&self) -> Option<usize> {
        Some(self.bounded("Pagesize")).filter(|rows| *rows > 0)
    }

    /// How long one request may take, with its retries and waits. None: without end.
    pub fn timeout(&self) -> Option<Duration> {
        self.values
            .integer("Timeout")
            .filter(|seconds| *seconds > 0)
            .map(Duration::from_secs)
    }

    /// Whether filters, limits and columns reach the site.
    pub fn pushdown(&self) -> bool {
        self.values.boolean("Pushdown")
    }

    /// Whether custom fields become columns; `None` where nobody said so, and each table does as it is best for it.
    pub fn include_custom_fields(&self) -> Option<bool> {
        (*self.values.source("IncludeCustomFields") != Source::Default).then(|| self.values.boolean("IncludeCustomFields"))
    }

    /// The folder with further schema files; neither it nor its files are known to exist.
    pub fn schema_dir(&self) -> Option<&Path> {
        self.schema_dir.as_deref()
    }

    /// The file with views of the user; not known to exist.
    pub(crate) fn views_file(&self) -> Option<&Path> {
        self.views_file.as_deref()
    }

    /// Which schemas and tables are listed.
    pub(crate) fn listing(&self) -> &Listing {
        &self.listing
    }

    /// Whether connecting asks the site who we are.
    pub(crate) fn connects_on_open(&self) -> bool {
        self.values.boolean("ConnectOnOpen")
    }

    /// Which input columns `SELECT *` shows.
    pub fn pseudo_columns(&self) -> &PseudoColumns {
        &self.pseudo_columns
    }

    /// Largest answer to accept, in bytes after decompression; at least one MiB.
    pub fn max_body_bytes(&self) -> usize {
        self.bounded("MaxBodySize") * 1024 * 1024
    }

    /// Whether every statement that changes the site is refused.
    pub fn readonly(&self) -> bool {
        self.values.boolean("Readonly")
    }

    /// Whether UPDATE and DELETE without WHERE are refused.
    pub fn require_where(&self) -> bool {
        self.values.boolean("RequireWhere")
    }

    /// Most rows one statement may write. None: no limit.
    pub fn max_write_rows(&self) -> Option<u64> {
        self.values.integer("MaxWriteRows").filter(|rows| *rows > 0)
    }

    /// Whether a statement goes on after a row that failed.
    pub fn goes_on_after_errors(&self) -> bool {
        self.values.text("OnRowError") == "continue"
    }

    /// Whether the requests of writes are shown instead of sent.
    pub fn dry_run(&self) -> bool {
        self.values.boolean("DryRun")
    }

    /// Rows written in one request; at least 1. None: as many as the API takes.
    pub fn batch_size(&self) -> Option<usize> {
        let rows = self.values.integer("BatchSize").filter(|rows| *rows > 0)?;
        Some(rows.try_into().unwrap_or(usize::MAX))
    }

    /// The folder of attachments; not known to exist.
    pub fn attachment_dir(&self) -> Option<&Path> {
        self.attachment_dir.as_deref()
    }

    /// Whether paths in statements mean files of this machine.
    pub(crate) fn has_local_files(&self) -> bool {
        self.local_files
    }

    /// Most bytes that a session may use for what it sorts, joins and groups. None: no limit.
    pub(crate) fn memory(&self) -> Option<usize> {
        self.memory
    }

    /// Largest file to upload, in bytes; at least one MiB.
    pub fn max_upload_bytes(&self) -> u64 {
        self.bounded("MaxUploadSize") as u64 * 1024 * 1024
    }

    /// Every option in the order of the registry, secrets as `***`.
    pub fn options(&self) -> impl Iterator<Item = OptionState> {
        OPTIONS.iter().map(|row| {
            let value = self.values.text(row.name);
            let value = if row.secret {
                Secret::from(value).to_string()
            } else {
                value.to_owned()
            };
            OptionState {
                row,
                value,
                source: self.values.source(row.name).clone(),
            }
        })
    }

    fn bounded(&self, name: &'static str) -> usize {
        let value = self.values.integer(name).and_then(|value| value.try_into().ok());
        value.expect("the registry bounds this option between 0 and a number that fits 32 bits")
    }
}

/// An error unless every key of `string` is an option, or says where a secret is kept.
#[cfg(any(feature = "adbc", feature = "shell"))]
pub(crate) fn check_names(string: &ConnectionString) -> Result<()> {
    sources::pairs(string.to_text().expose(), Source::ConnectionString).map(drop)
}

/// The ids in a list separated by commas, each once.
fn desk_ids(text: &str) -> Result<Vec<String>> {
    let mut ids = Vec::new();
    for id in text.split(',').map(str::trim).filter(|_| !text.is_empty()) {
        // The API also takes a project identifier, such as a key.
        if id.is_empty() || !id.chars().all(|c| c.is_ascii_alphanumeric() || matches!(c, '_' | '-' | ':')) {
            return Err(
                Error::new(ErrorKind::Option, "ServiceDeskID is not a list of service desk ids")
                    .hint("write one id, or several separated by commas, such as ServiceDeskID=1,4"),
            );
        }
        if !ids.iter().any(|known| known == id) {
            ids.push(id.to_owned());
        }
    }
    Ok(ids)
}

fn language(text: &str) -> Result<String> {
    let text = text.trim();
    if text
        .chars()
        .all(|c| c.is_ascii_alphanumeric() || matches!(c, '-' | '_' | ',' | ';' | '=' | '.' | '*' | ' '))
    {
        return Ok(text.to_owned());
    }
    Err(Error::new(ErrorKind::Option, "RequestLanguage is not a language").hint("write a language tag, such as de or pt-BR"))
}
