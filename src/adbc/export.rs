//! The C interface: the one symbol that driver managers look for, and rows whose errors keep their codes.
//!
//! `adbc_ffi` makes the table of functions. Some of them are ours:
//!
//! - It has none that tells the code of an error that came while rows were read, which is when a site refuses: streams of rows are wrapped in
//!   one that remembers it.
//! - It never says how many rows a statement changed that was executed for its rows.
//! - It panics when rows are bound of which some are null as a whole, and refuses every call from then on.
//! - It cancels through a `&mut` of the handle, which the thread that is to be stopped has too: handles are listed as they are made, and
//!   cancelled by the list.
//!
//! # Safety
//!
//! The only file with `unsafe`: C hands over bare pointers. Each is used as `adbc.h` and the C stream interface define it, each that may be
//! null is compared with null, and no panic crosses: `adbc_ffi` catches those of the driver, [`Reader`](super::reader::Reader) its own, and
//! the functions here call nothing that panics.
#![allow(unsafe_code, reason = "C hands over bare pointers")]
#![allow(unreachable_pub, missing_docs, reason = "the symbol is for the linker")]

use std::ffi::{c_char, c_int, c_void};
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::ptr;
use std::sync::{Arc, Mutex, PoisonError};

use adbc_core::constants::{ADBC_ERROR_VENDOR_CODE_PRIVATE_DATA, ADBC_STATUS_OK};
use adbc_core::error::{AdbcStatusCode, Error, Status};
use adbc_core::options::AdbcVersion;
use adbc_ffi::{
    FFI_AdbcConnection, FFI_AdbcDatabase, FFI_AdbcDriver, FFI_AdbcError, FFI_AdbcStatement, FFIDriver, check_err, check_not_null,
};
use arrow::array::{ArrayData, RecordBatch, RecordBatchIterator, StructArray};
use arrow::datatypes::DataType;
use arrow::ffi::{FFI_ArrowArray, FFI_ArrowSchema, from_ffi};
use arrow::ffi_stream::FFI_ArrowArrayStream;

use super::cancel;
use super::driver::Driver;
use super::errors::{invalid, out_of_order};
use super::reader::followed;

/// What a C stream answers when it was stopped, as the system numbers it.
const ECANCELED: c_int = if cfg!(target_os = "macos") {
    89
} else if cfg!(windows) {
    105
} else {
    125
};
const EIO: c_int = 5;
const EINVAL: c_int = 22;

/// Fills in the table of functions.
///
/// # Safety
/// `driver` is null or points to a table of ADBC 1.1, `error` is null or points to an error, as `adbc.h` says.
#[allow(non_snake_case, reason = "the name is the specification's")]
#[unsafe(no_mangle)]
pub unsafe extern "C" fn AdbcDriverInit(version: c_int, driver: *mut c_void, error: *mut FFI_AdbcError) -> AdbcStatusCode {
    let version = check_err!(AdbcVersion::try_from(version), error);
    if version != AdbcVersion::V110 {
        let message = "the driver speaks ADBC 1.1 only";
        check_err!(Err(Error::with_message_and_status(message, Status::NotImplemented)), error);
    }
    check_not_null!(driver, error);
    let mut functions = Driver::ffi_driver();
    functions.StatementExecuteQuery = Some(execute_query);
    functions.ErrorFromArrayStream = Some(error_from_stream);
    functions.ConnectionInit = Some(connection_init);
    functions.ConnectionRelease = Some(connection_release);
    functions.ConnectionCancel = Some(connection_cancel);
    functions.StatementNew = Some(statement_new);
    functions.StatementRelease = Some(statement_release);
    functions.StatementCancel = Some(statement_cancel);
    functions.StatementBind = Some(statement_bind);
    // SAFETY: the caller hands over memory for a table of this version.
    unsafe { ptr::write_unaligned(driver.cast::<FFI_AdbcDriver>(), functions) };
    ADBC_STATUS_OK
}

/// The address behind a handle, which stays the same for as long as the handle is in use.
macro_rules! address {
    ($handle:expr) => {
        // SAFETY: null, or a handle that the caller owns; nothing but this number is read of it.
        unsafe { $handle.as_ref() }.map_or(0, |handle| handle.private_data as usize)
    };
}

/// Calls the function of `adbc_ffi`.
macro_rules! original {
    ($function:ident($($argument:expr),*)) => {
        match Driver::ffi_driver().$function {
            // SAFETY: the arguments of the caller are passed on as they are.
            Some(function) => unsafe { function($($argument),*) },
            None => Status::Internal.into(),
        }
    };
}

unsafe extern "C" fn connection_init(
    connection: *mut FFI_AdbcConnection,
    database: *mut FFI_AdbcDatabase,
    error: *mut FFI_AdbcError,
) -> AdbcStatusCode {
    let status = original!(ConnectionInit(connection, database, error));
    if status == ADBC_STATUS_OK {
        cancel::list(address!(connection));
    }
    status
}

unsafe extern "C" fn connection_release(connection: *mut FFI_AdbcConnection, error: *mut FFI_AdbcError) -> AdbcStatusCode {
    cancel::forget(address!(connection));
    original!(ConnectionRelease(connection, error))
}

unsafe extern "C" fn connection_cancel(connection: *mut FFI_AdbcConnection, error: *mut FFI_AdbcError) -> AdbcStatusCode {
    check_not_null!(connection, error);
    let found = cancel::cancel(address!(connection));
    check_err!(found.then_some(()).ok_or_else(nothing_to_cancel), error);
    ADBC_STATUS_OK
}

unsafe extern "C" fn statement_new(
    connection: *mut FFI_AdbcConnection,
    statement: *mut FFI_AdbcStatement,
    error: *mut FFI_AdbcError,
) -> AdbcStatusCode {
    let status = original!(StatementNew(connection, statement, error));
    if status == ADBC_STATUS_OK {
        cancel::list(address!(statement));
    }
    status
}

unsafe extern "C" fn statement_release(statement: *mut FFI_AdbcStatement, error: *mut FFI_AdbcError) -> AdbcStatusCode {
    cancel::forget(address!(statement));
    original!(StatementRelease(statement, error))
}

unsafe extern "C" fn statement_cancel(statement: *mut FFI_AdbcStatement, error: *mut FFI_AdbcError) -> AdbcStatusCode {
    check_not_null!(statement, error);
    let found = cancel::cancel(address!(statement));
    check_err!(found.then_some(()).ok_or_else(nothing_to_cancel), error);
    ADBC_STATUS_OK
}

unsafe extern "C" fn statement_bind(
    statement: *mut FFI_AdbcStatement,
    values: *mut FFI_ArrowArray,
    schema: *mut FFI_ArrowSchema,
    error: *mut FFI_AdbcError,
) -> AdbcStatusCode {
    check_not_null!(statement, error);
    check_not_null!(values, error);
    check_not_null!(schema, error);
    // SAFETY: the caller hands both over.
    let (values, schema) = unsafe { (FFI_ArrowArray::from_raw(values), FFI_ArrowSchema::from_raw(schema)) };
    let read = catch_unwind(AssertUnwindSafe(|| {
        // SAFETY: they describe the same rows, as the C data interface says.
        let data = unsafe { from_ffi(values, &schema) };
        data.map_err(Error::from).and_then(rows)
    }));
    let rows = check_err!(read.unwrap_or_else(|_| Err(not_rows())), error);
    let schema = rows.schema();
    let mut stream = FFI_ArrowArrayStream::new(Box::new(RecordBatchIterator::new([Ok(rows)], schema)));
    original!(StatementBindStream(statement, &raw mut stream, error))
}

/// The rows that an array is.
fn rows(data: ArrayData) -> Result<RecordBatch, Error> {
    if !matches!(data.data_type(), DataType::Struct(_)) || data.null_count() > 0 {
        return Err(not_rows());
    }
    Ok(RecordBatch::from(StructArray::from(data)))
}

fn not_rows() -> Error {
    invalid(
        "what is bound is not an array of structs without nulls",
        "bind a record batch: nulls belong in its columns",
    )
}

fn nothing_to_cancel() -> Error {
    out_of_order("the handle is not in use", "cancel before it is released")
}

unsafe extern "C" fn execute_query(
    statement: *mut FFI_AdbcStatement,
    out: *mut FFI_ArrowArrayStream,
    affected: *mut i64,
    error: *mut FFI_AdbcError,
) -> AdbcStatusCode {
    // What an earlier call left behind belongs to no rows any more.
    drop(followed());
    let status = original!(StatementExecuteQuery(statement, out, affected, error));
    let Some(followed) = followed() else {
        return status;
    };
    if status != ADBC_STATUS_OK || out.is_null() {
        return status;
    }
    if let Some(rows) = followed.affected.filter(|_| !affected.is_null()) {
        // SAFETY: not null, and the caller's to be written.
        unsafe { ptr::write_unaligned(affected, rows) };
    }
    // SAFETY: the call has just written a stream there, which is moved into the one that takes its place.
    unsafe {
        let inner = ptr::read_unaligned(out);
        ptr::write_unaligned(out, Stream::wrap(inner, followed.failure));
    }
    status
}

/// A stream of rows that knows the code of its failure.
struct Stream {
    inner: FFI_ArrowArrayStream,
    failure: Arc<Mutex<Option<Error>>>,
    /// The failure as C sees it, once somebody asked.
    status: AdbcStatusCode,
    error: Option<Box<FFI_AdbcError>>,
}

impl Stream {
    fn wrap(inner: FFI_ArrowArrayStream, failure: Arc<Mutex<Option<Error>>>) -> FFI_ArrowArrayStream {
        let stream = Box::new(Self {
            inner,
            failure,
            status: ADBC_STATUS_OK,
            error: None,
        });
        FFI_ArrowArrayStream {
            get_schema: Some(get_schema),
            get_next: Some(get_next),
            get_last_error: Some(get_last_error),
            release: Some(release),
            private_data: Box::into_raw(stream).cast(),
        }
    }

    /// The wrapped stream behind a C stream, if it is one of ours and was not released.
    ///
    /// # Safety
    /// `stream` is null or points to a C stream that nobody else uses for as long as the answer is used.
    unsafe fn behind<'s>(stream: *mut FFI_ArrowArrayStream) -> Option<&'s mut Self> {
        // SAFETY: see above; only streams of ours have this function, and `private_data` is what `wrap` put there.
        unsafe {
            let stream = stream.as_ref()?;
            let ours = stream
                .release
                .is_some_and(|function| ptr::fn_addr_eq(function, release as unsafe extern "C" fn(_)));
            if !ours {
                return None;
            }
            stream.private_data.cast::<Self>().as_mut()
        }
    }

    /// Keeps the failure for C, and its number.
    fn fail(&mut self, code: c_int) -> c_int {
        let Some(mut error) = self.failure.lock().unwrap_or_else(PoisonError::into_inner).take() else {
            return code;
        };
        let code = match error.status {
            Status::Cancelled => ECANCELED,
            Status::InvalidArguments | Status::NotImplemented => EINVAL,
            _ => EIO,
        };
        self.status = error.status.into();
        // Programs that read the details look for this number.
        error.vendor_code = ADBC_ERROR_VENDOR_CODE_PRIVATE_DATA;
        self.error = FFI_AdbcError::try_from(error).ok().map(Box::new);
        code
    }
}

unsafe extern "C" fn get_schema(stream: *mut FFI_ArrowArrayStream, out: *mut FFI_ArrowSchema) -> c_int {
    // SAFETY: called as the C stream interface says.
    unsafe {
        let Some(stream) = Stream::behind(stream) else {
            return EINVAL;
        };
        let Some(schema) = stream.inner.get_schema else {
            return EINVAL;
        };
        schema(&raw mut stream.inner, out)
    }
}

unsafe extern "C" fn get_next(stream: *mut FFI_ArrowArrayStream, out: *mut FFI_ArrowArray) -> c_int {
    // SAFETY: called as the C stream interface says.
    unsafe {
        let Some(stream) = Stream::behind(stream) else {
            return EINVAL;
        };
        let Some(next) = stream.inner.get_next else {
            return EINVAL;
        };
        match next(&raw mut stream.inner, out) {
            0 => 0,
            code => stream.fail(code),
        }
    }
}

unsafe extern "C" fn get_last_error(stream: *mut FFI_ArrowArrayStream) -> *const c_char {
    // SAFETY: called as the C stream interface says.
    unsafe {
        let Some(stream) = Stream::behind(stream) else {
            return ptr::null();
        };
        match (&stream.error, stream.inner.get_last_error) {
            (Some(error), _) => error.message,
            (None, Some(last)) => last(&raw mut stream.inner),
            (None, None) => ptr::null(),
        }
    }
}

unsafe extern "C" fn release(stream: *mut FFI_ArrowArrayStream) {
    // SAFETY: called once, as the C stream interface says; what `wrap` made is taken back.
    unsafe {
        let Some(wrapped) = Stream::behind(stream) else {
            return;
        };
        drop(Box::from_raw(wrapped));
        (*stream).private_data = ptr::null_mut();
        (*stream).release = None;
    }
}

/// The failure of a stream, which lives as long as the stream; null where there is none, or the stream is of somebody else.
unsafe extern "C" fn error_from_stream(stream: *mut FFI_ArrowArrayStream, status: *mut AdbcStatusCode) -> *const FFI_AdbcError {
    // SAFETY: called as `adbc.h` says: with a stream that nobody reads meanwhile.
    unsafe {
        let Some(stream) = Stream::behind(stream) else {
            return ptr::null();
        };
        let Some(error) = &stream.error else {
            return ptr::null();
        };
        if !status.is_null() {
            ptr::write_unaligned(status, stream.status);
        }
        &raw const **error
    }
}
