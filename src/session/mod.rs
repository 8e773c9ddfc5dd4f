//! One connection to one site, and the SQL that runs on it.

mod call;
mod check;
mod context;
mod copy;
mod guard;
mod held;
mod ingest;
mod install;
#[cfg(feature = "flight")]
pub(crate) mod listing;
mod names;
mod placeholder;
mod planning;
mod prepared;
mod rows;
mod sys;
mod temp;
mod views;
mod wildcard;

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering::Relaxed};
use std::time::Duration;

use datafusion::common::ParamValues;
use datafusion::common::display::{PlanType, ToStringifiedPlan};
use datafusion::common::format::ExplainStatementOptions;
use datafusion::error::DataFusionError;
use datafusion::execution::SessionState;
use datafusion::logical_expr::{Analyze, Explain, LogicalPlan, LogicalPlanBuilder, Statement as LogicalStatement};
use datafusion::prelude::SessionContext;
use datafusion::sql::parser::{ExplainStatement, Statement as SqlStatement};
use tracing::instrument::WithSubscriber;

use crate::catalog::with_names;
use crate::connection::Connection;
use crate::error::{Error, ErrorKind, Result};
use crate::http::{Client, ClientOptions, LoggedRequest, Statement};
use crate::rest::site::{Site, Writing};
use crate::schema::Catalog;
use crate::sign_in::{Prompt, SignIn};
use crate::table::{CallNode, Calls, WriteNode, to_datafusion};
use call::Procedures;
pub use check::Findings;
pub use copy::Copy;
use held::HeldExec;
pub use ingest::{Ingest, IngestMode};
use planning::planning;
pub use prepared::{Parameters, Prepared};
use rows::Ending;
pub use rows::{Meter, Progress, Rows};
use temp::{Scratch, check_write};
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
                let plan = planner.plan(statement.statement.clone()).await?;
                let has_effects = has_effects(&plan);
                let config = planner.state.config_options();
                let analyzed = planner.state.analyzer().execute_and_check(plan.clone(), config, |_, _| {});
                let plan = match analyzed {
                    Ok(analyzed) => analyzed,
                    // Some functions take no argument whose type is still open; the values will tell.
                    Err(_) if !statement.parameters.is_empty() => plan,
                    Err(error) => return Err(error),
                };
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
        }
    }

    /// Number of the newest statement, as in `sys.requests`; 0 before the first.
    pub fn statement_number(&self) -> u64 {
        self.shared.statements.load(Relaxed)
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

/// Plans one statement.
struct Planner {
    state: SessionState,
    context: SessionContext,
    procedures: Procedures,
    scratch: Arc<Scratch>,
}

impl Planner {
    /// The plan of a statement; nothing runs.
    async fn plan(&self, statement: SqlStatement) -> Result<LogicalPlan, DataFusionError> {
        let names = names::names(&statement);
        let (state, procedures) = (&self.state, &self.procedures);
        let planned = async {
            match statement {
                SqlStatement::Explain(explain) => {
                    let inner = procedures.plan(state, *explain.statement).await?;
                    if explain.options.analyze && has_effects(&inner) {
                        let error = Error::new(
                            ErrorKind::Unsupported,
                            "EXPLAIN ANALYZE would run the statement, and EXPLAIN never writes",
                        )
                        .hint("EXPLAIN shows the requests; connect with DryRun=true to see their bodies");
                        return Err(to_datafusion(error));
                    }
                    explained(state, explain.options, inner).await
                }
                SqlStatement::CopyTo(_) => Err(to_datafusion(guard::no_files())),
                statement => procedures.plan(state, statement).await,
            }
        };
        let plan = with_names(names, planned).await?;
        match plan {
            // What EXECUTE runs is the prepared plan, as if it had been written.
            LogicalPlan::Statement(LogicalStatement::Execute(_)) => {
                let frame = self.context.execute_logical_plan(plan).await?;
                let plan = frame.into_unoptimized_plan();
                self.scratch.current(&plan).map_err(to_datafusion)?;
                Ok(plan)
            }
            LogicalPlan::Statement(statement) if self.procedures.site.writing.served && sets_runtime(&statement) => {
                let error = Error::new(ErrorKind::Permission, "the server's limits are not set by its clients");
                Err(to_datafusion(error.hint("ask who runs the server to raise them")))
            }
            LogicalPlan::Dml(dml) => {
                check_write(&dml).map_err(to_datafusion)?;
                Ok(LogicalPlan::Dml(dml))
            }
            LogicalPlan::Ddl(ddl) => self.scratch.check(ddl).map(LogicalPlan::Ddl).map_err(to_datafusion),
            plan => Ok(plan),
        }
    }

    async fn start(
        self,
        statement: SqlStatement,
        values: Option<ParamValues>,
        max_rows: Option<usize>,
        cost: Arc<Statement>,
    ) -> Result<Rows, DataFusionError> {
        let plan = self.plan(statement).await?;
        let plan = match values {
            Some(values) => plan.with_param_values(values)?,
            None => plan,
        };
        let plan = match plan {
            // SET, PREPARE and the like take effect here.
            LogicalPlan::Statement(_) => self.context.execute_logical_plan(plan).await?.into_unoptimized_plan(),
            LogicalPlan::Ddl(ddl) => {
                let stream = self.scratch.run(&self.state, ddl).await?;
                return Ok(Rows::new(stream, cost, None));
            }
            plan => plan,
        };
        // What was done is told whole: fewer rows than were written would look like rows that were not.
        let max_rows = max_rows.filter(|_| !has_effects(&plan));
        let plan = match plan {
            LogicalPlan::Explain(_) | LogicalPlan::Analyze(_) | LogicalPlan::DescribeTable(_) => plan,
            // One row more than allowed tells whether the cap was reached.
            plan => match max_rows {
                Some(most) => LogicalPlanBuilder::from(plan)
                    .limit(0, Some(most + 1))
                    .and_then(LogicalPlanBuilder::build)?,
                None => plan,
            },
        };
        let mut physical = self.state.create_physical_plan(&plan).await?;
        if let LogicalPlan::Dml(dml) = &plan {
            // What is left of these goes into the scratch schema.
            physical = HeldExec::below(physical, dml.table_name.table(), &self.scratch.held())?;
        }
        let stream = datafusion::physical_plan::execute_stream(physical, self.state.task_ctx())?;
        Ok(Rows::new(stream, cost, max_rows))
    }
}

/// Whether a statement sets what the engine may use of the machine.
fn sets_runtime(statement: &LogicalStatement) -> bool {
    let variable = match statement {
        LogicalStatement::SetVariable(set) => &set.variable,
        LogicalStatement::ResetVariable(reset) => &reset.variable,
        _ => return false,
    };
    variable.to_ascii_lowercase().starts_with("datafusion.runtime")
}

/// Whether running a plan may change the site or the session.
fn has_effects(plan: &LogicalPlan) -> bool {
    if matches!(plan, LogicalPlan::Explain(_) | LogicalPlan::Analyze(_)) {
        return false;
    }
    matches!(
        plan,
        LogicalPlan::Dml(_) | LogicalPlan::Ddl(_) | LogicalPlan::Copy(_) | LogicalPlan::Statement(_)
    ) || WriteNode::is_in(plan)
        || CallNode::is_in(plan)
}

/// EXPLAIN of a plan that the engine cannot make from the statement: it makes that of another statement, and the plan takes its place.
async fn explained(
    state: &SessionState,
    options: ExplainStatementOptions,
    inner: LogicalPlan,
) -> Result<LogicalPlan, DataFusionError> {
    let any = state.sql_to_statement("SELECT 1", &state.config_options().sql_parser.dialect)?;
    let explain = SqlStatement::Explain(ExplainStatement {
        options,
        statement: Box::new(any),
    });
    Ok(match state.statement_to_plan(explain).await? {
        LogicalPlan::Explain(explain) => LogicalPlan::Explain(Explain {
            stringified_plans: vec![inner.to_stringified(PlanType::InitialLogicalPlan)],
            plan: Arc::new(inner),
            ..explain
        }),
        LogicalPlan::Analyze(analyze) => LogicalPlan::Analyze(Analyze {
            input: Arc::new(inner),
            ..analyze
        }),
        other => other,
    })
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
