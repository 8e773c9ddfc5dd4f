//! What clients ask for besides rows: prepared statements, cancelling, options of the session.

use std::sync::Arc;

use arrow::datatypes::SchemaRef;
use arrow::ipc::writer::IpcWriteOptions;
use arrow_flight::sql::{
    ActionCancelQueryRequest, ActionCancelQueryResult, ActionClosePreparedStatementRequest, ActionCreatePreparedStatementRequest,
    ActionCreatePreparedStatementResult, Any, Command, ProstMessageExt,
};
use arrow_flight::{
    Action, ActionType, CancelFlightInfoRequest, CancelFlightInfoResult, CancelStatus, FlightInfo, IpcMessage, SchemaAsIpc,
};
use bytes::Bytes;
use prost::Message;

use super::client::{Cancelled, Client};
use super::service::{command, no_transactions};
use super::session_option::{self, CloseResult, SessionEnd};
use super::status::{malformed, unsupported};
use crate::error::{Error, ErrorKind, Result};

/// Actions by name, with what they are for.
const ACTIONS: &[(&str, &str)] = &[
    (
        "CreatePreparedStatement",
        "Prepares a statement: ActionCreatePreparedStatementRequest, ActionCreatePreparedStatementResult.",
    ),
    (
        "ClosePreparedStatement",
        "Closes a prepared statement: ActionClosePreparedStatementRequest.",
    ),
    (
        "CancelQuery",
        "Cancels a statement: ActionCancelQueryRequest, ActionCancelQueryResult.",
    ),
    (
        "CancelFlightInfo",
        "Cancels a statement: CancelFlightInfoRequest, CancelFlightInfoResult.",
    ),
    (
        "SetSessionOptions",
        "Sets options of the session: SetSessionOptionsRequest, SetSessionOptionsResult.",
    ),
    (
        "GetSessionOptions",
        "Tells the options of the session: GetSessionOptionsRequest, GetSessionOptionsResult.",
    ),
    ("CloseSession", "Ends the session: CloseSessionRequest, CloseSessionResult."),
];

/// What `ListActions` answers.
pub(super) fn list() -> Vec<ActionType> {
    let action = |(name, doc): &(&str, &str)| ActionType {
        r#type: (*name).to_owned(),
        description: (*doc).to_owned(),
    };
    ACTIONS.iter().map(action).collect()
}

/// What an action led to.
pub(super) enum Outcome {
    Nothing,
    Body(Vec<u8>),
    /// The session is to be ended, then this is the answer.
    Close(Vec<u8>),
}

/// Whether an action begins something, as a server that ends does not allow.
pub(super) fn begins(action: &Action) -> bool {
    action.r#type == "CreatePreparedStatement"
}

/// Does what a client asks for.
pub(super) async fn act(client: &Arc<Client>, action: &Action) -> Result<Outcome> {
    let body = action.body.clone();
    Ok(match action.r#type.as_str() {
        "CreatePreparedStatement" => {
            let request: ActionCreatePreparedStatementRequest = unpack(&body)?;
            if request.transaction_id.is_some_and(|id| !id.is_empty()) {
                return Err(no_transactions());
            }
            let prepared = client.session.prepare(&request.query).await?;
            let (columns, parameters) = (ipc(&prepared.schema())?, ipc(&prepared.parameters())?);
            let result = ActionCreatePreparedStatementResult {
                prepared_statement_handle: client.prepare(prepared)?,
                dataset_schema: columns,
                parameter_schema: parameters,
            };
            Outcome::Body(result.as_any().encode_to_vec())
        }
        "ClosePreparedStatement" => {
            let request: ActionClosePreparedStatementRequest = unpack(&body)?;
            client.close(&request.prepared_statement_handle);
            Outcome::Nothing
        }
        "CancelQuery" => {
            let request: ActionCancelQueryRequest = unpack(&body)?;
            let info = FlightInfo::decode(request.info).map_err(|error| malformed("the FlightInfo to cancel", error))?;
            // The numbers of ActionCancelQueryResult.CancelResult and of CancelStatus are the same.
            let result = cancel(client, &info)? as i32;
            Outcome::Body(ActionCancelQueryResult { result }.as_any().encode_to_vec())
        }
        "CancelFlightInfo" => {
            let request = CancelFlightInfoRequest::decode(body).map_err(|error| malformed("CancelFlightInfoRequest", error))?;
            let status = cancel(client, &request.info.unwrap_or_default())? as i32;
            Outcome::Body(CancelFlightInfoResult { status }.encode_to_vec())
        }
        "SetSessionOptions" => {
            let request =
                session_option::SetRequest::decode(body).map_err(|error| malformed("SetSessionOptionsRequest", error))?;
            Outcome::Body(session_option::set(client, request).encode_to_vec())
        }
        "GetSessionOptions" => Outcome::Body(session_option::get(client).encode_to_vec()),
        "CloseSession" => Outcome::Close(
            CloseResult {
                status: SessionEnd::Closed.into(),
            }
            .encode_to_vec(),
        ),
        "BeginTransaction" | "EndTransaction" | "BeginSavepoint" | "EndSavepoint" => return Err(no_transactions()),
        "CreatePreparedSubstraitPlan" => return Err(unsupported("statements are SQL, not Substrait plans", "send SQL")),
        other => {
            let names: Vec<&str> = ACTIONS.iter().map(|(name, _)| *name).collect();
            return Err(unsupported(
                &format!("there is no action {other}"),
                &format!("use one of {}", names.join(", ")),
            ));
        }
    })
}

fn unpack<M: ProstMessageExt>(body: &Bytes) -> Result<M> {
    let any = Any::decode(body.clone()).map_err(|error| malformed(M::type_url(), error))?;
    let message = any.unpack().map_err(|error| malformed(M::type_url(), error))?;
    message.ok_or_else(|| malformed(M::type_url(), "the body is another message"))
}

/// Cancels the statements that the tickets of an answer stand for.
fn cancel(client: &Client, info: &FlightInfo) -> Result<CancelStatus> {
    let tickets = info.endpoint.iter().filter_map(|endpoint| endpoint.ticket.as_ref());
    let mut handles = Vec::new();
    for ticket in tickets {
        if let Command::TicketStatementQuery(ticket) = command(&ticket.ticket)? {
            handles.push(ticket.statement_handle);
        }
    }
    if handles.is_empty() {
        return Err(Error::new(ErrorKind::Invalid, "the FlightInfo is not that of a statement")
            .hint("send the one that GetFlightInfo answered for the statement"));
    }
    let outcomes: Vec<Cancelled> = handles.iter().map(|handle| client.cancel(handle)).collect();
    Ok(match outcomes.contains(&Cancelled::Yes) {
        true => CancelStatus::Cancelled,
        false => CancelStatus::NotCancellable,
    })
}

/// A schema as an IPC message.
pub(super) fn ipc(schema: &SchemaRef) -> Result<Bytes> {
    let options = IpcWriteOptions::default();
    let message: Result<IpcMessage, _> = SchemaAsIpc::new(schema, &options).try_into();
    let IpcMessage(bytes) =
        message.map_err(|error| Error::new(ErrorKind::Internal, format!("the columns cannot be encoded: {error}")))?;
    Ok(bytes)
}
