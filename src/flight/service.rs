//! The calls of Flight: who makes them, and what they ask for.

use std::pin::Pin;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering::Relaxed};

use arrow::datatypes::SchemaRef;
use arrow_flight::flight_service_server::FlightService;
use arrow_flight::sql::metadata::{GetCatalogsBuilder, GetDbSchemasBuilder, GetTablesBuilder};
use arrow_flight::sql::{
    Any, Command, CommandGetTableTypes, CommandStatementQuery, CommandStatementUpdate, DoPutPreparedStatementResult,
    DoPutUpdateResult, ProstMessageExt, TicketStatementQuery,
};
use arrow_flight::{
    Action, ActionType, BasicAuth, Criteria, Empty, FlightData, FlightDescriptor, FlightEndpoint, FlightInfo, HandshakeRequest,
    HandshakeResponse, PollInfo, PutResult, SchemaResult, Ticket,
};
use bytes::Bytes;
use futures::{Stream, StreamExt};
use prost::Message;
use tonic::metadata::MetadataMap;
use tonic::{Extensions, Request, Response, Status, Streaming};

use super::action::{self, Outcome};
use super::client::{Bound, Client, Owner, Planned, Sent};
use super::handle::{digest, unguessable};
use super::info;
use super::limits::Limits;
use super::login::Login;
use super::metadata;
use super::peer::{Authorization, Peer};
use super::put;
use super::query::{self, FlightStream, Run};
use super::sessions::{Key, Sessions};
use super::status::{malformed, status, unsupported};
use super::types;
use crate::connection::Secret;
use crate::error::{Error, ErrorKind, Result};

/// The server as its clients see it.
pub(super) struct Service {
    login: Login,
    sessions: Arc<Sessions>,
    limits: Limits,
    draining: Arc<AtomicBool>,
}

type Answers<T> = Pin<Box<dyn Stream<Item = Result<T, Status>> + Send>>;

/// The message inside of a command, ticket or action.
pub(super) fn command(bytes: &[u8]) -> Result<Command> {
    let any = Any::decode(bytes).map_err(|error| malformed("the command", error))?;
    Command::try_from(any).map_err(|error| malformed("the command", error))
}

pub(super) fn no_transactions() -> Error {
    unsupported(
        "the site has no transactions",
        "run the statements one by one; each takes effect by itself",
    )
}

fn stay_outside(id: Option<&Bytes>) -> Result<()> {
    match id {
        Some(id) if !id.is_empty() => Err(no_transactions()),
        _ => Ok(()),
    }
}

impl Service {
    pub(super) fn new(login: Login, sessions: Arc<Sessions>, limits: Limits, draining: Arc<AtomicBool>) -> Self {
        Self {
            login,
            sessions,
            limits,
            draining,
        }
    }

    /// Refuses what would begin while the server ends.
    fn check_open(&self) -> Result<()> {
        match self.draining.load(Relaxed) {
            false => Ok(()),
            true => Err(Error::new(ErrorKind::Unavailable, "the server is shutting down").hint("connect again in a moment")),
        }
    }

    /// Who makes the call, and the key of its session.
    async fn client(&self, metadata: &MetadataMap, extensions: &Extensions) -> Result<(Key, Arc<Client>)> {
        let peer = Peer::of(metadata, extensions)?;
        let key = match &peer.authorization {
            Some(Authorization::Bearer(token)) => Key::Token(digest(&[token.expose()])),
            Some(Authorization::Basic { user, secret }) => Key::Credentials(digest(&[user, secret.expose()])),
            None => Key::Wire(peer.wire.number),
        };
        if let Some(client) = self.sessions.find(&key) {
            client.on(peer.wire.number);
            return Ok((key, client));
        }
        let client = match &peer.authorization {
            Some(Authorization::Bearer(_)) => {
                let what = match self.sessions.was_pushed_out(&key) {
                    true => "the session of this token has ended: it was unused, and made room for another",
                    false => "the session of this token has ended, or there never was one",
                };
                return Err(Error::new(ErrorKind::Authentication, what).hint("log in again"));
            }
            Some(Authorization::Basic { user, secret }) => self.log_in(&peer, Some((user, secret))).await?,
            None => self.log_in(&peer, None).await?,
        };
        Ok((key.clone(), self.sessions.keep(key, client)?))
    }

    /// A session for somebody, or for nobody in particular.
    async fn log_in(&self, peer: &Peer, who: Option<(&str, &Secret)>) -> Result<Arc<Client>> {
        self.check_open()?;
        self.sessions.has_room()?;
        let address = peer.wire.address.ip();
        let (session, owner) = match who {
            Some((user, secret)) => (self.login.user(address, user, secret).await?, Owner::User(user.to_owned())),
            None => (self.login.stranger().await?, Owner::Address(address)),
        };
        let client = Client::new(session, owner, &self.limits);
        client.on(peer.wire.number);
        Ok(client)
    }

    /// A statement, planned.
    async fn planned(&self, client: &Client, sql: &str, transaction: Option<&Bytes>) -> Result<Bound> {
        self.check_open()?;
        stay_outside(transaction)?;
        Ok(Bound {
            prepared: client.session.prepare(sql).await?,
            values: None,
        })
    }

    /// The statement that a command is about, and the columns of the answer. None: it is about metadata.
    async fn described(&self, client: &Client, command: &Command) -> Result<(SchemaRef, Option<Bound>)> {
        let statement = match command {
            Command::CommandStatementQuery(CommandStatementQuery { query, transaction_id }) => {
                self.planned(client, query, transaction_id.as_ref()).await?
            }
            Command::CommandPreparedStatementQuery(query) => {
                self.check_open()?;
                client.prepared(&query.prepared_statement_handle)?
            }
            // Clients ask for the columns of a write as well, before they decide how to run it.
            Command::CommandStatementUpdate(CommandStatementUpdate { query, transaction_id }) => {
                self.planned(client, query, transaction_id.as_ref()).await?
            }
            other => return Ok((metadata_schema(other)?, None)),
        };
        Ok((statement.prepared.schema(), Some(statement)))
    }

    async fn info(&self, client: &Arc<Client>, descriptor: FlightDescriptor) -> Result<FlightInfo> {
        let command = command(&descriptor.cmd)?;
        if matches!(command, Command::CommandStatementUpdate(_)) {
            return Err(malformed("the command", "an update is sent with DoPut"));
        }
        let (schema, statement) = self.described(client, &command).await?;
        let mut schema = Some(schema);
        let ticket = match statement {
            Some(statement) => {
                // With values bound the columns may have other types than without: the rows will tell.
                schema = schema.filter(|_| statement.values.is_none());
                let planned = match statement.prepared.has_effects() {
                    false => Planned::Statement(Box::new(statement)),
                    true => {
                        let done = query::done(statement, client.run()?, client.session.memory()).await?;
                        schema = Some(done.schema.clone());
                        Planned::Done(done)
                    }
                };
                let statement_handle = client.plan(planned)?;
                TicketStatementQuery { statement_handle }.as_any().encode_to_vec()
            }
            // The question is its own ticket.
            None => descriptor.cmd.to_vec(),
        };
        let endpoint = FlightEndpoint::new().with_ticket(Ticket::new(ticket));
        let mut info = FlightInfo::new();
        if let Some(schema) = schema {
            info = info
                .try_with_schema(&schema)
                .map_err(|error| Error::new(ErrorKind::Internal, format!("the columns cannot be encoded: {error}")))?;
        }
        Ok(info.with_descriptor(descriptor).with_endpoint(endpoint).with_ordered(true))
    }

    async fn rows(&self, client: &Arc<Client>, ticket: &Ticket) -> Result<FlightStream> {
        let session = &client.session;
        let batch = match command(&ticket.ticket)? {
            Command::TicketStatementQuery(ticket) => {
                return Ok(match client.redeem(&ticket.statement_handle)? {
                    (Planned::Statement(statement), running) => Run::start(*statement, running).await?.stream(),
                    (Planned::Done(done), _) => done.stream(),
                });
            }
            Command::CommandGetCatalogs(command) => metadata::catalogs(command)?,
            Command::CommandGetDbSchemas(command) => metadata::schemas(session, command)?,
            Command::CommandGetTables(command) => metadata::tables(session, command).await?,
            Command::CommandGetTableTypes(command) => metadata::table_types(command)?,
            Command::CommandGetPrimaryKeys(command) => metadata::primary_keys(session, &command)?,
            Command::CommandGetExportedKeys(command) => metadata::exported_keys(session, &command)?,
            Command::CommandGetImportedKeys(command) => metadata::imported_keys(session, &command)?,
            Command::CommandGetCrossReference(command) => metadata::cross_reference(session, &command)?,
            Command::CommandGetSqlInfo(command) => info::rows(session, &self.limits, command)?,
            Command::CommandGetXdbcTypeInfo(command) => types::rows(command)?,
            other => {
                return Err(unsupported(
                    &format!("{} is no ticket", other.type_url()),
                    "ask with GetFlightInfo first",
                ));
            }
        };
        Ok(query::answer(batch))
    }

    /// What is answered to what a client sends, and what is worth knowing about it.
    async fn put(&self, client: &Arc<Client>, mut messages: Streaming<FlightData>) -> Result<(Vec<u8>, Vec<String>), Status> {
        self.check_open()?;
        let first = messages
            .message()
            .await
            .map_err(|status| super::status::from_stream(status.into()))?
            .ok_or_else(|| malformed("the call", "nothing was sent"))?;
        let descriptor = first.flight_descriptor.clone();
        let descriptor = descriptor.ok_or_else(|| malformed("the call", "the first message says not what it is for"))?;
        let (count, warnings) = match command(&descriptor.cmd)? {
            Command::CommandStatementUpdate(CommandStatementUpdate { query, transaction_id }) => {
                let statement = self.planned(client, &query, transaction_id.as_ref()).await?;
                query::count(statement, client.run()?).await?
            }
            Command::CommandPreparedStatementUpdate(update) => {
                let mut statement = client.prepared(&update.prepared_statement_handle)?;
                if let Some(values) = put::values(client, put::batches(first, messages)).await? {
                    statement.values = Some(values);
                }
                query::count(statement, client.run()?).await?
            }
            Command::CommandPreparedStatementQuery(query) => {
                let handle = query.prepared_statement_handle;
                let values = put::values(client, put::batches(first, messages)).await?;
                client.bind(
                    &handle,
                    values.unwrap_or_else(|| Sent::new(Vec::new(), client.session.memory())),
                )?;
                let bound = DoPutPreparedStatementResult {
                    prepared_statement_handle: Some(handle),
                };
                return Ok((bound.encode_to_vec(), Vec::new()));
            }
            Command::CommandStatementIngest(command) => {
                (put::ingest(client, command, put::batches(first, messages)).await?, Vec::new())
            }
            other => {
                return Err(unsupported(
                    &format!("{} cannot be sent with DoPut", other.type_url()),
                    "send an update, values for a prepared statement, or rows for a table",
                )
                .into());
            }
        };
        Ok((DoPutUpdateResult { record_count: count }.encode_to_vec(), warnings))
    }

    async fn greet(&self, request: Request<Streaming<HandshakeRequest>>) -> Result<Secret> {
        let (metadata, extensions, mut messages) = request.into_parts();
        let mut peer = Peer::of(&metadata, &extensions)?;
        if peer.authorization.is_none() {
            // Older clients put user and password into the first message.
            let first = messages
                .message()
                .await
                .map_err(|status| super::status::from_stream(status.into()))?;
            let payload = first.map(|message| message.payload).filter(|payload| !payload.is_empty());
            if let Some(payload) = payload {
                let BasicAuth { username, password } =
                    BasicAuth::decode(payload).map_err(|_| malformed("the handshake", "it holds no BasicAuth"))?;
                peer.authorization = Some(Authorization::Basic {
                    user: username,
                    secret: password.into(),
                });
            }
        }
        let client = match &peer.authorization {
            Some(Authorization::Basic { user, secret }) => self.log_in(&peer, Some((user, secret))).await?,
            Some(Authorization::Bearer(_)) => {
                return Err(Error::new(ErrorKind::Authentication, "a token is no login").hint("log in with user and password"));
            }
            None => self.log_in(&peer, None).await?,
        };
        let token = unguessable()?;
        self.sessions.keep(Key::Token(digest(&[token.expose()])), client)?;
        Ok(token)
    }
}

/// The columns of an answer about metadata.
fn metadata_schema(command: &Command) -> Result<SchemaRef> {
    Ok(match command {
        Command::CommandGetCatalogs(_) => GetCatalogsBuilder::new().schema(),
        Command::CommandGetDbSchemas(_) => GetDbSchemasBuilder::new(None::<String>, None::<String>).schema(),
        Command::CommandGetTables(command) => {
            let nothing = None::<String>;
            GetTablesBuilder::new(
                nothing.clone(),
                nothing.clone(),
                nothing,
                Vec::<String>::new(),
                command.include_schema,
            )
            .schema()
        }
        Command::CommandGetTableTypes(command) => CommandGetTableTypes::into_builder(*command).schema(),
        Command::CommandGetPrimaryKeys(_) => metadata::primary_schema(),
        Command::CommandGetExportedKeys(_) | Command::CommandGetImportedKeys(_) | Command::CommandGetCrossReference(_) => {
            metadata::foreign_schema()
        }
        Command::CommandGetSqlInfo(_) => info::schema(),
        Command::CommandGetXdbcTypeInfo(_) => types::schema()?,
        Command::CommandStatementSubstraitPlan(_) => {
            return Err(unsupported("statements are SQL, not Substrait plans", "send SQL"));
        }
        other => {
            return Err(unsupported(
                &format!("{} cannot be asked for", other.type_url()),
                "ask for a statement or for metadata",
            ));
        }
    })
}

fn one<T: Send + 'static>(answer: T) -> Answers<T> {
    Box::pin(futures::stream::iter([Ok(answer)]))
}

/// The call's own words for an error.
fn said<T>(outcome: Result<T>) -> Result<Response<T>, Status> {
    outcome.map(Response::new).map_err(|error| status(&error))
}

#[tonic::async_trait]
impl FlightService for Service {
    type HandshakeStream = Answers<HandshakeResponse>;
    type ListFlightsStream = Answers<FlightInfo>;
    type DoGetStream = FlightStream;
    type DoPutStream = Answers<PutResult>;
    type DoActionStream = Answers<arrow_flight::Result>;
    type ListActionsStream = Answers<ActionType>;
    type DoExchangeStream = FlightStream;

    async fn handshake(&self, request: Request<Streaming<HandshakeRequest>>) -> Result<Response<Self::HandshakeStream>, Status> {
        let token = self.greet(request).await.map_err(|error| status(&error))?;
        let mut response: Response<Self::HandshakeStream> = Response::new(one(HandshakeResponse {
            protocol_version: 0,
            payload: token.expose().to_owned().into(),
        }));
        if let Ok(header) = format!("Bearer {}", token.expose()).parse() {
            response.metadata_mut().insert("authorization", header);
        }
        Ok(response)
    }

    async fn get_flight_info(&self, request: Request<FlightDescriptor>) -> Result<Response<FlightInfo>, Status> {
        let (metadata, extensions, descriptor) = request.into_parts();
        said(
            async {
                let (_, client) = self.client(&metadata, &extensions).await?;
                self.info(&client, descriptor).await
            }
            .await,
        )
    }

    async fn poll_flight_info(&self, request: Request<FlightDescriptor>) -> Result<Response<PollInfo>, Status> {
        let info = self.get_flight_info(request).await?.into_inner();
        // Rows are made while they are read: there is nothing to wait for.
        Ok(Response::new(PollInfo {
            info: Some(info),
            flight_descriptor: None,
            progress: None,
            expiration_time: None,
        }))
    }

    async fn get_schema(&self, request: Request<FlightDescriptor>) -> Result<Response<SchemaResult>, Status> {
        let (metadata, extensions, descriptor) = request.into_parts();
        said(
            async {
                let (_, client) = self.client(&metadata, &extensions).await?;
                let (schema, _) = self.described(&client, &command(&descriptor.cmd)?).await?;
                let schema = action::ipc(&schema)?;
                Ok(SchemaResult { schema })
            }
            .await,
        )
    }

    async fn do_get(&self, request: Request<Ticket>) -> Result<Response<Self::DoGetStream>, Status> {
        let (metadata, extensions, ticket) = request.into_parts();
        said(
            async {
                let (_, client) = self.client(&metadata, &extensions).await?;
                self.rows(&client, &ticket).await
            }
            .await,
        )
    }

    async fn do_put(&self, request: Request<Streaming<FlightData>>) -> Result<Response<Self::DoPutStream>, Status> {
        let (metadata, extensions, messages) = request.into_parts();
        let (_, client) = self.client(&metadata, &extensions).await?;
        let (app_metadata, warnings) = self.put(&client, messages).await?;
        let answer = PutResult {
            app_metadata: app_metadata.into(),
        };
        let told = query::trailer(&warnings).map(Err);
        Ok(Response::new(Box::pin(futures::stream::iter(
            std::iter::once(Ok(answer)).chain(told),
        ))))
    }

    async fn do_action(&self, request: Request<Action>) -> Result<Response<Self::DoActionStream>, Status> {
        let (metadata, extensions, action) = request.into_parts();
        said(
            async {
                let (key, client) = self.client(&metadata, &extensions).await?;
                if action::begins(&action) {
                    self.check_open()?;
                }
                let body = match action::act(&client, &action).await? {
                    Outcome::Nothing => return Ok(futures::stream::empty().boxed() as Self::DoActionStream),
                    Outcome::Body(body) => body,
                    Outcome::Close(body) => {
                        self.sessions.end(&key);
                        body
                    }
                };
                Ok(one(arrow_flight::Result { body: body.into() }) as Self::DoActionStream)
            }
            .await,
        )
    }

    async fn list_actions(&self, _: Request<Empty>) -> Result<Response<Self::ListActionsStream>, Status> {
        let actions = action::list().into_iter().map(Ok);
        Ok(Response::new(Box::pin(futures::stream::iter(actions))))
    }

    async fn list_flights(&self, _: Request<Criteria>) -> Result<Response<Self::ListFlightsStream>, Status> {
        Err(status(&unsupported(
            "there is no list of flights",
            "ask for the tables with CommandGetTables",
        )))
    }

    async fn do_exchange(&self, _: Request<Streaming<FlightData>>) -> Result<Response<Self::DoExchangeStream>, Status> {
        Err(status(&unsupported(
            "nothing is exchanged",
            "send rows with DoPut, and read them with DoGet",
        )))
    }
}
