//! One connection to one site, and the SQL that runs on it.

mod check;
mod context;
mod guard;
mod names;
mod planning;
mod rows;
mod sys;
mod wildcard;

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering::Relaxed};
use std::time::Duration;

use datafusion::error::DataFusionError;
use datafusion::execution::SessionState;
use datafusion::logical_expr::{LogicalPlan, LogicalPlanBuilder};
use datafusion::prelude::SessionContext;
use datafusion::sql::parser::Statement as SqlStatement;

use crate::catalog::with_names;
use crate::connection::{Connection, Credentials};
use crate::error::{Error, ErrorKind, Result};
use crate::http::{Authorization, Client, ClientOptions, LoggedRequest, Statement};
use crate::rest::site::Site;
use crate::schema::Catalog;
use crate::table::to_datafusion;
pub use check::Findings;
use planning::planning;
pub use rows::{Meter, Progress, Rows};

/// One connection to one site. Cheap to clone; clones share caches, rate limits and the request log.
///
/// Connecting sends no request: a wrong password is noticed by the first statement, or by [`check`](Self::check).
#[derive(Debug, Clone)]
pub struct Session {
    shared: Arc<Shared>,
}

struct Shared {
    connection: Connection,
    catalog: Catalog,
    site: Arc<Site>,
    context: SessionContext,
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
    /// The string or a variable is wrong, or a schema file of `SchemaDir` is.
    pub fn connect(connection: &str) -> Result<Self> {
        Self::open(Connection::parse(connection, std::env::vars())?)
    }

    /// Connects by checked options.
    ///
    /// # Errors
    /// A schema file of `SchemaDir` is wrong, or the secure transport cannot be set up.
    pub fn open(connection: Connection) -> Result<Self> {
        let catalog = Catalog::load(connection.schema_dir())?;
        let authorization = match connection.credentials() {
            Credentials::Anonymous => Authorization::None,
            Credentials::Basic { user, password } => Authorization::Basic {
                user: user.clone(),
                password: password.clone(),
            },
            Credentials::Bearer(token) => Authorization::Bearer(token.clone()),
        };
        let client = Client::new(ClientOptions {
            authorization,
            language: connection.request_language().map(str::to_owned),
            max_concurrency: connection.max_concurrency(),
            timeout: connection.timeout(),
            connect_timeout: Duration::from_secs(10),
            max_body_bytes: connection.max_body_bytes(),
            ..ClientOptions::site(connection.site().clone())
        })?;
        let language = connection.request_language().map(str::to_owned);
        let site = Arc::new(Site::new(
            client,
            language,
            connection.page_size(),
            connection.service_desk_ids().to_vec(),
        ));
        let context = context::context(&connection, &catalog, &site)?;
        Ok(Self {
            shared: Arc::new(Shared {
                connection,
                catalog,
                site,
                context,
                statements: AtomicU64::new(0),
            }),
        })
    }

    /// Takes a text apart into statements.
    ///
    /// # Errors
    /// The text is not SQL.
    pub async fn statements(&self, sql: &str) -> Result<Vec<PreparedText>> {
        let state = self.shared.context.state();
        let (sql, shared) = (sql.to_owned(), self.shared.clone());
        on_large_stack(async move { guard::parse(&sql, &state, &shared.catalog, shared.connection.pseudo_columns()) }).await
    }

    /// Plans one statement and starts it; requests are sent while the rows are read.
    ///
    /// # Errors
    /// The text is not one SQL statement, names what does not exist, or asks for what is not supported.
    pub async fn sql(&self, sql: &str) -> Result<Rows> {
        let mut statements = self.statements(sql).await?;
        match statements.len() {
            1 => self.execute(statements.remove(0)).await,
            0 => Err(Error::new(ErrorKind::Statement, "the text has no statement")
                .hint("write a statement such as SELECT * FROM requests")),
            count => Err(Error::new(
                ErrorKind::Statement,
                format!("the text has {count} statements where one is expected"),
            )
            .hint("take it apart with Session::statements, and run them one by one")),
        }
    }

    /// Plans a statement and starts it.
    ///
    /// # Errors
    /// As for [`sql`](Self::sql).
    pub async fn execute(&self, statement: PreparedText) -> Result<Rows> {
        let number = self.shared.statements.fetch_add(1, Relaxed) + 1;
        let cost = Statement::new(number, self.shared.connection.max_requests());
        let mut state = self.shared.context.state();
        state.config_mut().set_extension(cost.clone());
        let context = self.shared.context.clone();
        let max_rows = self.shared.connection.max_rows();
        let catalog = self.shared.catalog.clone();
        on_large_stack(async move {
            let outcome = start(state, context, statement.0, max_rows, cost).await;
            outcome.map_err(|error| planning(error, &catalog))
        })
        .await
    }

    /// HTTP requests of this session, oldest first; the newest 10,000 are kept.
    pub fn requests(&self) -> Vec<LoggedRequest> {
        self.shared.site.client.log().snapshot()
    }

    /// The options of this session.
    pub fn connection(&self) -> &Connection {
        &self.shared.connection
    }

    pub(crate) fn client(&self) -> &Client {
        &self.shared.site.client
    }
}

/// One parsed statement.
#[derive(Debug, Clone)]
pub struct PreparedText(SqlStatement);

async fn start(
    state: SessionState,
    context: SessionContext,
    statement: SqlStatement,
    max_rows: Option<usize>,
    cost: Arc<Statement>,
) -> Result<Rows, DataFusionError> {
    let names = names::names(&statement);
    let plan = with_names(names, state.statement_to_plan(statement)).await?;
    let plan = match plan {
        LogicalPlan::Statement(_) => {
            let frame = context.execute_logical_plan(plan).await?;
            let stream = frame.execute_stream().await?;
            return Ok(Rows::new(stream, cost, None));
        }
        LogicalPlan::Explain(_) | LogicalPlan::Analyze(_) | LogicalPlan::DescribeTable(_) => plan,
        LogicalPlan::Dml(_) | LogicalPlan::Ddl(_) | LogicalPlan::Copy(_) => return Err(to_datafusion(guard::refused(&plan))),
        // One row more than allowed tells whether the cap was reached.
        plan => match max_rows {
            Some(most) => LogicalPlanBuilder::from(plan)
                .limit(0, Some(most + 1))
                .and_then(LogicalPlanBuilder::build)?,
            None => plan,
        },
    };
    let physical = state.create_physical_plan(&plan).await?;
    let task = state.task_ctx();
    let stream = datafusion::physical_plan::execute_stream(physical, task)?;
    Ok(Rows::new(stream, cost, max_rows))
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
