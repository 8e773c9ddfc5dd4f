//! The runtime of a database: started with it, and kept for as long as anything of it is in use.

use std::future::Future;
use std::panic::AssertUnwindSafe;
use std::sync::Arc;
use std::time::Duration;

use super::cancel::Execution;
use adbc_core::error::Result as AdbcResult;
use futures::FutureExt;
use tokio::runtime::{Builder, Runtime};

use super::errors::exported;
use crate::error::{Error, ErrorKind, Result};

/// How long a program waits at the end for what cannot be interrupted, such as a token that is being written to disk.
const PARTING: Duration = Duration::from_secs(2);

/// Runs the work of calls that come from threads of other languages.
pub(super) struct Engine(Option<Runtime>);

impl Engine {
    /// Starts the runtime.
    pub(super) fn start() -> AdbcResult<Arc<Self>> {
        let runtime = Builder::new_multi_thread()
            .worker_threads(2)
            .thread_name("jsmql-adbc")
            .enable_all()
            .build()
            .map_err(|error| exported(Error::new(ErrorKind::Internal, format!("cannot start the runtime: {error}"))))?;
        Ok(Arc::new(Self(Some(runtime))))
    }

    /// Does the work on the calling thread, or stops it when the execution is cancelled.
    pub(super) fn wait<T>(&self, execution: &Execution, work: impl Future<Output = Result<T>>) -> Result<T> {
        let Some(runtime) = &self.0 else {
            return Err(Error::new(ErrorKind::Internal, "the runtime has ended").hint("please report this"));
        };
        runtime.block_on(async {
            tokio::select! {
                biased;
                () = execution.token().cancelled() => Err(Error::new(ErrorKind::Cancelled, "cancelled")),
                // What panics here must not reach the thread of another language.
                outcome = AssertUnwindSafe(work).catch_unwind() => outcome.unwrap_or_else(|_| {
                    Err(Error::new(ErrorKind::Internal, "the statement failed").hint("please report the statement"))
                }),
            }
        })
    }

    /// Does what only needs to know the runtime, such as dropping what runs on it.
    pub(super) fn within<T>(&self, work: impl FnOnce() -> T) -> T {
        let _entered = self.0.as_ref().map(Runtime::enter);
        work()
    }
}

impl Drop for Engine {
    fn drop(&mut self) {
        if let Some(runtime) = self.0.take() {
            runtime.shutdown_timeout(PARTING);
        }
    }
}
