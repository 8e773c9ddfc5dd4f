//! Long answers by pages, on a terminal.

use std::io::{self, Write};
use std::process::{Command, Stdio};
use std::sync::{Arc, Mutex, PoisonError};

use console::Term;

/// What will be shown. Clones are the same text.
#[derive(Debug, Clone, Default)]
pub(super) struct Pages(Arc<Mutex<Vec<u8>>>);

impl Write for Pages {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).write(bytes)
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

impl Pages {
    /// Shows the text: in the program that PAGER names, `less` if there is none, where it does not fit on the terminal.
    pub(super) fn show(self, sink: &mut dyn Write) -> io::Result<()> {
        let text = std::mem::take(&mut *self.0.lock().unwrap_or_else(PoisonError::into_inner));
        if fits(&text) {
            return sink.write_all(&text);
        }
        sink.flush()?;
        let program = std::env::var("PAGER").ok().filter(|program| !program.is_empty());
        let started = Command::new("sh")
            .args(["-c", program.as_deref().unwrap_or("less -S")])
            .stdin(Stdio::piped())
            .spawn();
        let Ok(mut pager) = started else {
            return sink.write_all(&text);
        };
        if let Some(mut input) = pager.stdin.take() {
            // Whoever leaves the pager early has seen enough.
            let _ = input.write_all(&text);
        }
        let status = pager.wait()?;
        // The shell's own words for "there is no such program".
        if status.code() == Some(127) {
            sink.write_all(&text)
        } else {
            Ok(())
        }
    }
}

fn fits(text: &[u8]) -> bool {
    let (height, width) = Term::stdout().size();
    let text = String::from_utf8_lossy(text);
    let mut lines = 0;
    for line in text.lines() {
        lines += 1;
        if lines >= usize::from(height) || console::measure_text_width(line) > usize::from(width) {
            return false;
        }
    }
    true
}
