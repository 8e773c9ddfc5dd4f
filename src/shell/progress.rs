//! A line about a long read, on a terminal only.

use std::io::IsTerminal;
use std::time::Duration;

use indicatif::{HumanBytes, HumanCount, HumanDuration, ProgressBar, ProgressDrawTarget, ProgressStyle};
use tokio_util::task::AbortOnDropHandle;

use crate::session::{Meter, Progress};

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
    // Nothing is drawn before somebody has waited.
    let bar = ProgressBar::with_draw_target(None, ProgressDrawTarget::hidden());
    if let Ok(style) = ProgressStyle::with_template("{spinner} {elapsed} {msg}") {
        bar.set_style(style);
    }
    let line = bar.clone();
    let task = tokio::spawn(async move {
        tokio::time::sleep(PATIENCE).await;
        line.set_draw_target(ProgressDrawTarget::stderr());
        loop {
            line.set_message(said(&meter.progress(), line.elapsed()));
            line.tick();
            tokio::time::sleep(REFRESH).await;
        }
    });
    ProgressLine {
        bar,
        _task: Some(AbortOnDropHandle::new(task)),
    }
}

/// The text of the line. The time that is left is told where the number of requests is known.
fn said(progress: &Progress, elapsed: Duration) -> String {
    let counted = |number: u64, noun: &str| format!("{} {noun}{}", HumanCount(number), if number == 1 { "" } else { "s" });
    let done = progress.requests.saturating_sub(progress.in_flight);
    let mut text = counted(progress.rows, "row") + ", ";
    text += &match progress.expected > done {
        true => format!("{} of {}", HumanCount(done), counted(progress.expected, "request")),
        false => counted(progress.requests, "request"),
    };
    text.push_str(&format!(
        " ({} in flight, {} retried), {}",
        progress.in_flight,
        progress.retries,
        HumanBytes(progress.bytes)
    ));
    if progress.expected > done && done > 0 {
        let left = elapsed.mul_f64((progress.expected - done) as f64 / done as f64);
        text.push_str(&format!(", about {} left", HumanDuration(left)));
    }
    text
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
