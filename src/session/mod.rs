//! One connection to one site, and the SQL that runs on it.

mod call;
mod check;
mod context;
mod copy;
mod distinct;
mod guard;
mod heading;
mod held;
mod ingest;
mod install;
#[cfg(feature = "flight")]
pub(crate) mod listing;
mod named;
mod names;
mod outer;
mod placeholder;
mod planner;
mod planning;
mod prepared;
mod push;
mod rows;
mod rules;
mod subquery;
mod sys;
mod temp;
mod unnest;
mod views;
mod wildcard;

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering::Relaxed};
use std::time::Duration;

use datafusion::common::ParamValues;
use datafusion::error::DataFusionError;
use datafusion::prelude::SessionContext;
use datafusion::sql::parser::Statement as SqlStatement;
use tracing::instrument::WithSubscriber;

use crate::connection::Connection;
use crate::error::{Error, ErrorKind, Result};
use crate::http::{Client, ClientOptions, LoggedRequest, Statement};
use crate::rest::site::{Site, Writing};
use crate::schema::Catalog;
use crate::sign_in::{Prompt, SignIn};
use crate::table::Calls;
use call::Procedures;
pub use check::Findings;
pub use copy::Copy;
pub use ingest::{Ingest, IngestMode};
use named::NamedStatements;
use planner::{Planner, has_effects};
use planning::planning;
pub use prepared::{Parameters, Prepared};
use rows::Ending;
pub use rows::{Meter, Progress, Rows};
use temp::Scratch;
use views::Views;

/// One connection to one site. Cheap to clone; clones share caches, rate limits and the request log.
///
/// Connecting sends no request: a wrong password is noticed by the first statement, or by [`check`](Self::check); with
/// `ConnectOnOpen=true`, by [`connect`](Self::connect).
#[derive(Debug, Clone)]
pub struct Session {
    shared: Arc<Shared>,
}

struct Shared {
    connection: Connection,
    catalog: Arc<Catalog>,
    site: Arc<Site>,
    sign_in: SignIn,
    log: Option<tracing::Dispatch>,
    context: SessionContext,
    scratch: Arc<Scratch>,
    named: Arc<NamedStatements>,
    views: Views,
    statements: AtomicU64,
}

impl std::fmt::Debug for Shared {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Session")
            .field("site", &self.connection.site().as_str())
            .finish_non_exhaustive()
    }
}

impl Session {
    /// Connects by a connection string, with `JSMQL_` environment variables for what it leaves open.
    ///
    /// # Errors
    /// The string or a variable is wrong, or a schema file of `SchemaDir` is. With `ConnectOnOpen`: the site does not accept the credentials.
    pub async fn connect(connection: &str) -> Result<Self> {
        let connection = connection.to_owned();
        // Files of schemas and certificates are read, and keys may be derived from passwords.
        let open = move || Self::open(crate::profile::connection(&connection, None)?);
        let opened = tokio::task::spawn_blocking(open)
            .await
            .map_err(|error| Error::new(ErrorKind::Internal, format!("connecting failed: {error}")).hint("please report this"))?;
        let session = opened?;
        session.greet().await?;
        Ok(session)
    }

    /// Connects by checked options.
    ///
    /// # Errors
    /// A schema file of `SchemaDir` is wrong, or the secure transport cannot be set up.
    pub fn open(connection: Connection) -> Result<Self> {
        let catalog = Arc::new(Catalog::load(connection.schema_dir())?);
        #[cfg(feature = "otel")]
        let reader = crate::http::spans(crate::log::Redactor::of(&connection))?;
        #[cfg(not(feature = "otel"))]
        let reader = None;
        let log = crate::log::dispatch(&connection, reader)?;
        let views = Views::read(connection.views_file())?;
        for warning in connection.warnings() {
            event(log.as_ref(), || tracing::warn!(target: "jsmql::auth", "{warning}"));
        }
        let options = ClientOptions {
            log: log.clone(),
            scopes: catalog.scopes().clone(),
            tls: connection.tls().clone().into(),
            route: connection.route().clone(),
            language: connection.request_language().map(str::to_owned),
            max_concurrency: connection.max_concurrency(),
            timeout: connection.timeout(),
            connect_timeout: Duration::from_secs(10),
            max_body_bytes: connection.max_body_bytes(),
            ..ClientOptions::site(connection.site().clone())
        };
        let sign_in = SignIn::new(&connection, &options)?;
        let client = Client::new(ClientOptions {
            authorization: sign_in.authorization.clone(),
            locator: sign_in.locator.clone(),
            ..options
        })?;
        let language = connection.request_language().map(str::to_owned);
        let desks = connection.service_desk_ids().to_vec();
        let site = Site::new(client, language, connection.page_size(), desks, writing(&connection));
        let site = Arc::new(site.with_granting(sign_in.granting.clone()));
        let scratch = Arc::new(Scratch::new(catalog.clone()));
        let context = context::context(&connection, &catalog, &site, &scratch)?;
        Ok(Self {
            shared: Arc::new(Shared {
                connection,
                catalog,
                site,
                sign_in,
                log,
                context,
                scratch,
                named: Arc::default(),
                views,
                statements: AtomicU64::new(0),
            }),
        })
    }

    /// Takes a text apart into statements.
    ///
    /// # Errors
    /// The text is not SQL.
    pub async fn statements(&self, sql: &str) -> Result<Vec<ParsedStatement>> {
        let state = self.shared.context.state();
        let (sql, shared) = (sql.to_owned(), self.shared.clone());
        on_large_stack(async move { guard::parse(&sql, &state, &shared.catalog, shared.connection.pseudo_columns()) }).await
    }

    /// Plans one statement and starts it; requests are sent while the rows are read.
    ///
    /// # Errors
    /// The text is not one SQL statement, names what does not exist, or asks for what is not supported.
    pub async fn sql(&self, sql: &str) -> Result<Rows> {
        let statement = self.statement(sql).await?;
        self.execute(statement).await
    }

    /// Plans a statement and starts it.
    ///
    /// # Errors
    /// As for [`sql`](Self::sql); a statement with parameters is [prepared](Self::prepare) instead.
    pub async fn execute(&self, statement: ParsedStatement) -> Result<Rows> {
        if let Some(first) = statement.parameters.first() {
            let message = format!("the statement has parameters, the first is {first}, and no values");
            return Err(Error::new(ErrorKind::Statement, message).hint(
                "write the values into the statement, or give them to a prepared one: PREPARE name AS …; EXECUTE name(value, …)",
            ));
        }
        self.make_views().await?;
        self.start(statement, None).await
    }

    /// Plans one statement, which may have parameters: `?`, `$1` or `$name`. Nothing runs; the site is asked at most for the columns of
    /// its tables.
    ///
    /// ```no_run
    /// # async fn example(session: &jsmql::Session) -> jsmql::Result<()> {
    /// use datafusion::common::ScalarValue;
    ///
    /// let open = session.prepare("SELECT issue_key FROM requests WHERE status = ? LIMIT 10").await?;
    /// let rows = open.run(jsmql::Parameters::Positional(vec![ScalarValue::from("Waiting for support")])).await?;
    /// # Ok(()) }
    /// ```
    ///
    /// # Errors
    /// As for [`sql`](Self::sql).
    pub async fn prepare(&self, sql: &str) -> Result<Prepared> {
        self.make_views().await?;
        let statement = self.statement(sql).await?;
        let planner = self.planner(None);
        let (session, catalog) = (self.clone(), self.shared.catalog.clone());
        on_large_stack(async move {
            let described = async {
                let (runs, values) = planner.resolve(statement.statement.clone(), None)?;
                let plan = planner.plan(runs).await?;
                let plan = match values {
                    Some(values) => plan.with_param_values(values)?,
                    None => plan,
                };
                let has_effects = has_effects(&plan);
                let plan = planner.analyzed(plan, !statement.parameters.is_empty())?;
                Ok::<_, DataFusionError>((plan, has_effects))
            };
            let (plan, has_effects) = described.await.map_err(|error| planning(error, &catalog))?;
            Prepared::new(session, statement, &plan, has_effects)
        })
        .await
    }

    async fn statement(&self, sql: &str) -> Result<ParsedStatement> {
        let mut statements = self.statements(sql).await?;
        match statements.len() {
            1 => Ok(statements.remove(0)),
            0 => Err(Error::new(ErrorKind::Statement, "the text has no statement")
                .hint("write a statement such as SELECT * FROM requests")),
            count => Err(Error::new(
                ErrorKind::Statement,
                format!("the text has {count} statements where one is expected"),
            )
            .hint("send one statement at a time")),
        }
    }

    /// Plans a statement with the values of its parameters, and starts it.
    async fn start(&self, statement: ParsedStatement, values: Option<ParamValues>) -> Result<Rows> {
        let number = self.shared.statements.fetch_add(1, Relaxed) + 1;
        event(self.shared.log.as_ref(), || {
            let sql = call::shown(&statement.statement, &self.shared.catalog);
            tracing::info!(target: "jsmql::sql", number, sql, "statement");
        });
        let cost = Statement::new(number, self.shared.connection.max_requests());
        let planner = self.planner(Some(cost.clone()));
        let max_rows = self.shared.connection.max_rows();
        let catalog = self.shared.catalog.clone();
        let ending = self.ending(&statement, &cost);
        on_large_stack(async move {
            let outcome = planner.start(statement.statement, values, max_rows, cost).await;
            match (outcome, ending) {
                (Ok(rows), ending) => Ok(rows.told(ending)),
                (Err(error), ending) => {
                    let error = planning(error, &catalog);
                    if let Some(mut ending) = ending {
                        ending.failed(&error);
                    }
                    Err(error)
                }
            }
        })
        .await
    }

    /// What tells the log how a statement ends, if anybody listens.
    fn ending(&self, statement: &ParsedStatement, cost: &Arc<Statement>) -> Option<Ending> {
        let log = &self.shared.log;
        let listens = log.is_some() || tracing::enabled!(target: "jsmql::sql", tracing::Level::DEBUG);
        listens.then(|| Ending::new(log.clone(), call::without_constants(&statement.statement), cost.clone()))
    }

    /// What plans one statement; with what its requests are counted by, if it is to run.
    fn planner(&self, cost: Option<Arc<Statement>>) -> Planner {
        let mut state = self.shared.context.state();
        if let Some(cost) = cost {
            state.config_mut().set_extension(cost);
        }
        state.config_mut().set_extension(Arc::new(Calls::default()));
        Planner {
            state,
            context: self.shared.context.clone(),
            procedures: Procedures {
                site: self.shared.site.clone(),
                catalog: self.shared.catalog.clone(),
                shown: self.shared.connection.pseudo_columns().clone(),
            },
            scratch: self.shared.scratch.clone(),
            named: self.shared.named.clone(),
        }
    }

    /// Number of the newest statement, as in `sys.requests`; 0 before the first.
    pub fn statement_number(&self) -> u64 {
        self.shared.statements.load(Relaxed)
    }

    /// What became of the rows that a statement wrote, in words, if no other has written since: also after it was cancelled.
    /// `sys.writes` lists them.
    pub fn written(&self, statement: u64) -> Option<String> {
        self.shared.site.writes.counts(statement).map(|counts| counts.to_string())
    }

    /// HTTP requests of this session, oldest first; the newest 10,000 are kept.
    pub fn requests(&self) -> Vec<LoggedRequest> {
        self.shared.site.client.log().snapshot()
    }

    /// Gets OAuth tokens with a browser and keeps them; where they are kept. Without `browser` the address is only printed.
    ///
    /// # Errors
    /// The connection does not use OAuth with `InitiateOAuth=GETANDREFRESH`, or nobody agreed.
    pub async fn login(&self, browser: bool) -> Result<String> {
        let prompt = Prompt::default();
        let browser = browser && prompt.browser;
        let login = self.shared.sign_in.login(Prompt { browser });
        match &self.shared.log {
            Some(log) => login.with_subscriber(log.clone()).await,
            None => login.await,
        }
    }

    /// Forgets the OAuth tokens that are kept; says what was removed.
    ///
    /// # Errors
    /// The connection does not use OAuth, or the tokens cannot be removed.
    pub async fn logout(&self) -> Result<String> {
        self.shared.sign_in.logout().await
    }

    /// The options of this session.
    pub fn connection(&self) -> &Connection {
        &self.shared.connection
    }

    /// Names of procedures that take secrets.
    #[cfg(feature = "shell")]
    pub(crate) fn procedures_with_secrets(&self) -> Vec<String> {
        call::with_secrets(&self.shared.catalog)
            .map(|procedure| procedure.name.clone())
            .collect()
    }

    pub(crate) fn client(&self) -> &Client {
        &self.shared.site.client
    }
}

fn writing(connection: &Connection) -> Writing {
    Writing {
        readonly: connection.readonly(),
        require_where: connection.require_where(),
        max_rows: connection.max_write_rows(),
        goes_on: connection.goes_on_after_errors(),
        dry_run: connection.dry_run(),
        batch: connection.batch_size(),
        served: !connection.has_local_files(),
        attachments: connection.attachment_dir().map(Into::into),
        max_upload: connection.max_upload_bytes(),
        schemas: connection.schema_dir().map(Into::into),
    }
}

/// Emits an event to the log of a session, or to that of the embedding program.
fn event(log: Option<&tracing::Dispatch>, emit: impl FnOnce()) {
    match log {
        Some(log) => tracing::dispatcher::with_default(log, emit),
        None => emit(),
    }
}

/// One parsed statement; prints as SQL.
#[derive(Debug, Clone)]
pub struct ParsedStatement {
    statement: SqlStatement,
    /// Names of its parameters.
    parameters: Vec<String>,
}

impl std::fmt::Display for ParsedStatement {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        self.statement.fmt(f)
    }
}

/// Stack for parsing and planning: both recurse as deep as the statement nests.
const STACK: usize = 256 << 20;

/// Runs on a thread with a large stack: a long chain of operators would overflow that of a worker and abort the process.
async fn on_large_stack<T: Send + 'static>(work: impl Future<Output = Result<T>> + Send + 'static) -> Result<T> {
    let (sender, receiver) = tokio::sync::oneshot::channel();
    let handle = tokio::runtime::Handle::current();
    std::thread::Builder::new()
        .name("jsmql-plan".into())
        .stack_size(STACK)
        .spawn(move || {
            // Nobody waits any more when the statement was cancelled.
            let _ = sender.send(handle.block_on(work));
        })
        .map_err(|error| Error::new(ErrorKind::Internal, format!("cannot start the planning thread: {error}")))?;
    receiver
        .await
        .map_err(|_| Error::new(ErrorKind::Internal, "planning failed").hint("please report the statement"))?
}
