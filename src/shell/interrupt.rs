//! Ctrl-C: heard from the first text on, whatever is going on then.

use futures::FutureExt;
#[cfg(unix)]
use tokio::signal::unix::{Signal, SignalKind, signal};
#[cfg(windows)]
use tokio::signal::windows::{CtrlC as Signal, ctrl_c};

use crate::error::{Error, ErrorKind, Result};

/// Hears Ctrl-C once it listens; before, the system ends the process. What nobody waited for is heard by what comes next.
#[derive(Default)]
pub(super) struct Interrupts(Option<Signal>);

impl Interrupts {
    /// Listens from now on. Where the system does not allow it, Ctrl-C ends the process as before.
    pub(super) fn listen(&mut self) {
        if self.0.is_none() {
            #[cfg(unix)]
            let signal = signal(SignalKind::interrupt());
            #[cfg(windows)]
            let signal = ctrl_c();
            self.0 = signal.ok();
        }
    }

    /// Works until Ctrl-C.
    pub(super) async fn during<T>(&mut self, work: impl Future<Output = Result<T>>) -> Result<T> {
        let Some(signal) = &mut self.0 else {
            return work.await;
        };
        tokio::select! {
            // First, so that nothing begins that was called off already.
            biased;
            _ = signal.recv() => Err(cancelled()),
            outcome = work => outcome,
        }
    }

    /// An error if Ctrl-C was heard since somebody listened last.
    pub(super) fn check(&mut self) -> Result<()> {
        match self.0.as_mut().and_then(|signal| signal.recv().now_or_never()) {
            Some(_) => Err(cancelled()),
            None => Ok(()),
        }
    }

    /// Leaves aside what was meant for somebody else: the editor, or what has ended by now.
    pub(super) fn forget(&mut self) {
        let _ = self.check();
    }
}

fn cancelled() -> Error {
    Error::new(ErrorKind::Cancelled, "cancelled")
}
