//! A line about a long read, on a terminal only.

use std::io::IsTerminal;
use std::time::Duration;

use indicatif::{HumanBytes, HumanCount, ProgressBar, ProgressStyle};
use tokio_util::task::AbortOnDropHandle;

use crate::session::Meter;

/// How long a statement runs before the line appears.
const PATIENCE: Duration = Duration::from_millis(700);
const REFRESH: Duration = Duration::from_millis(150);

/// The line of one statement; it goes away when dropped.
pub(super) struct ProgressLine {
    bar: ProgressBar,
    _task: Option<AbortOnDropHandle<()>>,
}

/// Shows the progress of a statement, unless standard error is no terminal.
pub(super) fn show(meter: Meter) -> ProgressLine {
    if !std::io::stderr().is_terminal() {
        return ProgressLine {
            bar: ProgressBar::hidden(),
            _task: None,
        };
    }
    let bar = ProgressBar::new_spinner();
    if let Ok(style) = ProgressStyle::with_template("{spinner} {elapsed} {msg}") {
        bar.set_style(style);
    }
    let line = bar.clone();
    let task = tokio::spawn(async move {
        tokio::time::sleep(PATIENCE).await;
        loop {
            let progress = meter.progress();
            line.set_message(format!(
                "{} rows, {} requests ({} in flight, {} retried), {}",
                HumanCount(progress.rows),
                HumanCount(progress.requests),
                progress.in_flight,
                progress.retries,
                HumanBytes(progress.bytes),
            ));
            line.tick();
            tokio::time::sleep(REFRESH).await;
        }
    });
    ProgressLine {
        bar,
        _task: Some(AbortOnDropHandle::new(task)),
    }
}

impl ProgressLine {
    /// Hides the line while `write` prints rows.
    pub(super) fn pause<T>(&self, write: impl FnOnce() -> T) -> T {
        self.bar.suspend(write)
    }
}

impl Drop for ProgressLine {
    fn drop(&mut self) {
        self.bar.finish_and_clear();
    }
}
