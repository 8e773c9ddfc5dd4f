//! Errors as gRPC says them.

use arrow_flight::error::FlightError;
use tonic::{Code, Status};

use crate::error::{Error, ErrorKind};

/// Longest message, in characters: it travels in a header, where clients take 8 KiB, and each character may become three.
const LONGEST: usize = 2_000;

/// The status for an error: its message, and on a second line what to do next.
pub(super) fn status(error: &Error) -> Status {
    let mut message = error.to_string();
    if let Some(hint) = error.hint_text() {
        message.push_str("\nhint: ");
        message.push_str(hint);
    }
    if let Some((end, _)) = message.char_indices().nth(LONGEST) {
        message.truncate(end);
        message.push('…');
    }
    Status::new(code(error.kind().row().grpc), message)
}

/// The status for rows that were sent to a table to be made: gRPC has a word of its own for one that is there.
pub(super) fn creating(error: &Error) -> Status {
    let said = status(error);
    match error.kind() {
        ErrorKind::Conflict => Status::new(Code::AlreadyExists, said.message()),
        _ => said,
    }
}

impl From<Error> for Status {
    fn from(error: Error) -> Self {
        status(&error)
    }
}

/// The same for the streams of Flight.
pub(super) fn in_stream(error: &Error) -> FlightError {
    FlightError::Tonic(Box::new(status(error)))
}

/// A message that cannot be understood. What is wrong with it is for the author of the client.
pub(super) fn malformed(what: &str, error: impl std::fmt::Display) -> Error {
    Error::new(ErrorKind::Invalid, format!("{what} cannot be understood: {error}"))
        .hint("the server speaks Flight SQL: use a client for that, such as an ADBC or JDBC driver")
}

/// Something that Flight SQL has and a site has not.
pub(super) fn unsupported(what: &str, hint: &str) -> Error {
    Error::new(ErrorKind::Unsupported, what).hint(hint)
}

/// Out of a client's stream, whose errors are its own.
pub(super) fn from_stream(error: FlightError) -> Error {
    match error {
        FlightError::Tonic(status) if status.code() == Code::OutOfRange || status.code() == Code::ResourceExhausted => {
            Error::new(ErrorKind::Limit, status.message()).hint("send smaller batches, or raise --max-message")
        }
        FlightError::Tonic(status) => Error::new(
            ErrorKind::Cancelled,
            format!("the client stopped sending: {}", status.message()),
        ),
        other => Error::new(ErrorKind::Invalid, format!("the rows that were sent cannot be read: {other}")),
    }
}

fn code(name: &str) -> Code {
    match name {
        "CANCELLED" => Code::Cancelled,
        "INVALID_ARGUMENT" => Code::InvalidArgument,
        "DEADLINE_EXCEEDED" => Code::DeadlineExceeded,
        "NOT_FOUND" => Code::NotFound,
        "PERMISSION_DENIED" => Code::PermissionDenied,
        "RESOURCE_EXHAUSTED" => Code::ResourceExhausted,
        "ABORTED" => Code::Aborted,
        "UNIMPLEMENTED" => Code::Unimplemented,
        "INTERNAL" => Code::Internal,
        "UNAVAILABLE" => Code::Unavailable,
        "DATA_LOSS" => Code::DataLoss,
        "UNAUTHENTICATED" => Code::Unauthenticated,
        _ => Code::Unknown,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::error::KINDS;

    #[test]
    fn every_kind_has_its_code() {
        for row in KINDS {
            assert_eq!(code(row.grpc) == Code::Unknown, row.grpc == "UNKNOWN", "{}", row.grpc);
        }
    }

    #[test]
    fn a_message_is_short_enough_for_a_header() {
        let long = Error::new(ErrorKind::Statement, "ä".repeat(5_000)).hint("less");
        let status = status(&long);
        assert_eq!(status.message().chars().count(), LONGEST + 1);
        let short = super::status(&Error::new(ErrorKind::NotFound, "gone").hint("look elsewhere"));
        assert_eq!(
            (short.code(), short.message()),
            (Code::NotFound, "gone\nhint: look elsewhere")
        );
    }
}
