//! Errors in the words of ADBC: a status, a SQLSTATE, the site's HTTP status as the code of the vendor, and details.

use std::ffi::c_char;

use adbc_core::error::{Error as AdbcError, Status};

use crate::error::{Error, ErrorKind};

/// The error as a program sees it.
///
/// The message carries the hint on a line of its own; the details name what else is known, each under its own key, since the code of the
/// vendor does not reach programs that read details.
pub(super) fn exported(error: Error) -> AdbcError {
    let row = error.kind().row();
    let mut message = error.to_string();
    if let Some(hint) = error.hint_text() {
        message.push_str("\nhint: ");
        message.push_str(hint);
    }
    let request = error.request_context();
    let http = request.and_then(|request| request.status);
    let details = [
        ("jsmql.kind", Some(row.name.to_owned())),
        ("jsmql.hint", error.hint_text().map(str::to_owned)),
        ("jsmql.table", error.table_name().map(str::to_owned)),
        (
            "jsmql.request",
            request.map(|request| format!("{} {}", request.method, request.path)),
        ),
        ("jsmql.http_status", http.map(|status| status.to_string())),
        ("jsmql.attempts", request.map(|request| request.attempts.to_string())),
        ("jsmql.trace_id", request.and_then(|request| request.trace_id.clone())),
    ];
    let details = details
        .into_iter()
        .filter_map(|(key, value)| Some((key.to_owned(), value?.into_bytes())));
    AdbcError {
        message,
        status: status(row.adbc),
        vendor_code: http.map_or(0, i32::from),
        sqlstate: sqlstate(row.sqlstate),
        details: Some(details.collect()),
    }
}

/// The same error with another status, where the specification wants one that depends on the call.
pub(super) fn with_status(mut error: AdbcError, status: Status) -> AdbcError {
    error.status = status;
    error
}

/// A call that does not fit the state of the handle.
pub(super) fn out_of_order(message: &str, hint: &str) -> AdbcError {
    AdbcError {
        sqlstate: sqlstate("HY010"),
        ..AdbcError::with_message_and_status(format!("{message}\nhint: {hint}"), Status::InvalidState)
    }
}

/// A function that there is not.
pub(super) fn unsupported(message: &str, hint: &str) -> AdbcError {
    exported(Error::new(ErrorKind::Unsupported, message).hint(hint))
}

/// An argument that cannot be meant.
pub(super) fn invalid(message: impl Into<String>, hint: &str) -> AdbcError {
    AdbcError {
        sqlstate: sqlstate("HY024"),
        ..AdbcError::with_message_and_status(format!("{}\nhint: {hint}", message.into()), Status::InvalidArguments)
    }
}

/// Something that was named and is not there.
pub(super) fn missing(message: impl Into<String>, hint: &str) -> AdbcError {
    exported(Error::new(ErrorKind::NotFound, message).hint(hint))
}

/// The status by the name that the table of kinds gives it.
fn status(name: &str) -> Status {
    match name {
        "NOT_IMPLEMENTED" => Status::NotImplemented,
        "NOT_FOUND" => Status::NotFound,
        "INVALID_ARGUMENT" => Status::InvalidArguments,
        "INVALID_STATE" => Status::InvalidState,
        "INVALID_DATA" => Status::InvalidData,
        "IO" => Status::IO,
        "CANCELLED" => Status::Cancelled,
        "TIMEOUT" => Status::Timeout,
        "UNAUTHENTICATED" => Status::Unauthenticated,
        "UNAUTHORIZED" => Status::Unauthorized,
        // A test checks that this is the only name left.
        _ => Status::Internal,
    }
}

fn sqlstate(code: &str) -> [c_char; 5] {
    let mut state = [0; 5];
    for (to, from) in state.iter_mut().zip(code.bytes()) {
        *to = from as c_char;
    }
    state
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::error::{KINDS, RequestContext};

    #[test]
    fn every_kind_has_a_status() {
        for row in KINDS {
            let found = status(row.adbc);
            assert_eq!(found == Status::Internal, row.adbc == "INTERNAL", "{}", row.name);
        }
    }

    #[test]
    fn what_is_known_reaches_the_program() {
        let error = Error::new(ErrorKind::Authentication, "the site does not accept the credentials")
            .hint("check APIToken")
            .table("requests")
            .request(RequestContext {
                method: "GET",
                path: "/rest/servicedeskapi/request".into(),
                status: Some(401),
                attempts: 1,
                trace_id: None,
            });
        let error = exported(error);
        assert_eq!((error.status, error.vendor_code), (Status::Unauthenticated, 401));
        assert_eq!(error.sqlstate.map(|c| c as u8), *b"28000");
        assert!(error.message.starts_with("requests: the site") && error.message.ends_with("\nhint: check APIToken"));
        let details = error.details.unwrap_or_default();
        assert!(
            details.contains(&("jsmql.http_status".to_owned(), b"401".to_vec())),
            "{details:?}"
        );
        assert!(details.iter().all(|(key, _)| key != "jsmql.trace_id"));
    }
}
