//! One connection to one site, and the SQL that runs on it.

mod call;
mod check;
mod context;
mod copy;
mod correlated;
mod distinct;
mod documents;
mod exists;
pub(crate) mod exit;
mod extent;
mod far;
mod fields;
mod fit;
mod fractions;
mod guard;
mod heading;
mod held;
mod ingest;
mod install;
mod lengths;
mod listed;
#[cfg(feature = "flight")]
pub(crate) mod listing;
mod lists;
mod membership;
mod memory;
mod merged;
mod moments;
mod named;
mod names;
mod outer;
mod overflow;
mod passed;
mod pattern;
mod placeholder;
mod planner;
mod planning;
mod prepared;
mod push;
mod regexes;
mod rewrite;
mod rows;
mod rules;
mod shifts;
mod similar;
mod skipped;
mod spelling;
mod subquery;
mod sums;
mod sys;
mod temp;
pub(crate) mod ticks;
mod tied;
mod to_char;
mod totals;
mod unnest;
mod unnested;
mod views;
mod wildcard;
mod written;

use std::panic::AssertUnwindSafe;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering::Relaxed};
use std::time::Duration;

use datafusion::common::ParamValues;
use datafusion::error::DataFusionError;
use datafusion::prelude::SessionContext;
use datafusion::sql::parser::Statement as SqlStatement;
use futures::FutureExt;
use futures::future::BoxFuture;
use tracing::instrument::WithSubscriber;

use crate::connection::Connection;
use crate::error::{Error, ErrorKind, Result};
use crate::http::{Client, ClientOptions, LoggedRequest, Memory, Statement};
use crate::rest::site::{Site, Writing};
use crate::schema::Catalog;
use crate::sign_in::{Prompt, SignIn};
use crate::table::Calls;
use call::Procedures;
pub use check::Findings;
pub use copy::CopyTo;
pub use ingest::{Ingest, IngestMode};
use memory::Pooled;
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
    memory: Arc<dyn Memory>,
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
        let redactor = Arc::new(crate::log::Redactor::of(&connection));
        #[cfg(feature = "otel")]
        let reader = crate::http::spans(redactor.clone())?;
        #[cfg(not(feature = "otel"))]
        let reader = None;
        let log = crate::log::dispatch(&connection, &redactor, reader)?;
        let views = Views::read(connection.views_file())?;
        for warning in connection.warnings() {
            event(log.as_ref(), || tracing::warn!(target: "jsmql::auth", "{warning}"));
        }
        let options = ClientOptions {
            log: log.clone(),
            redactor,
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
        let memory = Pooled::new(&context.runtime_env().memory_pool);
        Ok(Self {
            shared: Arc::new(Shared {
                connection,
                catalog,
                site,
                sign_in,
                log,
                context,
                memory,
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
        self.start(statement, None, Caps::of(&self.shared.connection)).await
    }

    /// Runs a question that a front end itself has about tables and columns. The limits of the connection are for statements of its user:
    /// metadata that were cut would look like tables and columns that there are not.
    #[cfg(any(feature = "adbc", feature = "flight", feature = "shell"))]
    pub(crate) async fn ask(&self, sql: &str) -> Result<Rows> {
        let statement = self.statement(sql).await?;
        self.make_views().await?;
        self.start(statement, None, Caps::default()).await
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
    async fn start(&self, statement: ParsedStatement, values: Option<ParamValues>, caps: Caps) -> Result<Rows> {
        let number = self.shared.statements.fetch_add(1, Relaxed) + 1;
        event(self.shared.log.as_ref(), || {
            let sql = call::shown(&statement.statement, &self.shared.catalog);
            tracing::info!(target: "jsmql::sql", number, sql, "statement");
        });
        let memory = self.shared.memory.clone();
        let cost = Statement::within(number, caps.requests, Some(memory));
        self.shared.site.recent.push(cost.clone());
        let planner = self.planner(Some(cost.clone()));
        let catalog = self.shared.catalog.clone();
        let ending = self.ending(&statement, &cost);
        on_large_stack(async move {
            let outcome = planner.start(statement.statement, values, caps.rows, cost).await;
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

    /// Memory of this session for what is kept of its statements: nothing yet.
    #[cfg(feature = "flight")]
    pub(crate) fn memory(&self) -> crate::http::Held {
        crate::http::Held::new(Some(self.shared.memory.clone()))
    }

    pub(crate) fn client(&self) -> &Client {
        &self.shared.site.client
    }
}

/// How much a statement may read.
#[derive(Debug, Clone, Copy, Default)]
struct Caps {
    rows: Option<usize>,
    requests: Option<u64>,
}

impl Caps {
    /// What the connection allows its user.
    fn of(connection: &Connection) -> Self {
        Self {
            rows: connection.max_rows(),
            requests: connection.max_requests(),
        }
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

/// Runs with a large stack: a deep statement would overflow that of a worker and abort the process.
///
/// # Design
/// The stack is there while the work is polled and not while it waits, so there are never more of them than threads that work, and who
/// drops the future ends the work. A thread for each statement had neither; threads of our own would be lost in a process that forks.
fn on_large_stack<'w, T>(work: impl Future<Output = Result<T>> + Send + 'w) -> impl Future<Output = Result<T>> + Send + 'w
where
    T: Send + 'w,
{
    // On the heap: as a part of its callers' futures it would fill the stacks that those are on.
    let mut work: BoxFuture<'w, Result<T>> = work.boxed();
    let polled = std::future::poll_fn(move |context| stacker::grow(STACK, || work.as_mut().poll(context)));
    // Also where there is no memory for the stack.
    AssertUnwindSafe(polled).catch_unwind().map(|done| {
        done.unwrap_or_else(|_| Err(Error::new(ErrorKind::Internal, "planning failed").hint("please report the statement")))
    })
}
