//! A program of the operating system that answers once and in time.
//!
//! It knows nothing of certificates. Whoever calls it waits: it belongs where files are read, not into a task of the async runtime.

use std::io::{self, Read, Write};
use std::path::PathBuf;
use std::process::{Child, Command, Stdio};
use std::sync::mpsc::{self, Receiver};
use std::time::{Duration, Instant};

use zeroize::Zeroizing;

use crate::connection::Secret;

/// More than any store holds. A program that prints more runs into the end of patience.
const LONGEST: u64 = 16 << 20;

/// What is run and what it is told.
#[derive(Debug, Clone)]
pub(super) struct Program {
    pub(super) path: PathBuf,
    /// Every user of the machine can read them: no secrets.
    pub(super) arguments: Vec<&'static str>,
    pub(super) variables: Vec<(&'static str, Secret)>,
    /// Its standard input.
    pub(super) input: Secret,
}

/// What it said.
#[derive(Debug, Default)]
pub(super) struct Answer {
    pub(super) success: bool,
    pub(super) output: Zeroizing<Vec<u8>>,
    /// The first line of its standard error, or else how it ended.
    pub(super) complaint: String,
}

/// Why there is no answer.
#[derive(Debug)]
pub(super) enum Silence {
    /// It could not be started, or not be waited for.
    Failed(io::Error),
    /// It ran for too long, and was ended.
    Late,
}

impl Program {
    /// Runs it to its end, but not for longer than `patience`.
    pub(super) fn run(&self, patience: Duration) -> Result<Answer, Silence> {
        let deadline = Instant::now() + patience;
        let mut child = Command::new(&self.path)
            .args(&self.arguments)
            .envs(self.variables.iter().map(|(name, value)| (name, value.expose())))
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            .spawn()
            .map_err(Silence::Failed)?;
        let answer = listen(&mut child, self.input.expose(), deadline);
        if answer.is_err() {
            // It may have ended meanwhile.
            let _ = child.kill();
            let _ = child.wait();
        }
        answer
    }
}

fn listen(child: &mut Child, input: &str, deadline: Instant) -> Result<Answer, Silence> {
    if let Some(mut pipe) = child.stdin.take() {
        // A program that ended before it read says why by itself.
        let _ = pipe.write_all(input.as_bytes());
    }
    let output = child.stdout.take().map(all_of);
    let errors = child.stderr.take().map(all_of);
    let wait = |pipe: Option<Receiver<_>>| match pipe {
        None => Ok(Zeroizing::default()),
        Some(pipe) => pipe
            .recv_timeout(deadline.saturating_duration_since(Instant::now()))
            .map_err(|_| Silence::Late),
    };
    let output = wait(output)?;
    let errors = wait(errors)?;
    // Both pipes are closed: it is about to end.
    let status = loop {
        match child.try_wait().map_err(Silence::Failed)? {
            Some(status) => break status,
            None if Instant::now() < deadline => std::thread::sleep(Duration::from_millis(5)),
            None => return Err(Silence::Late),
        }
    };
    let complaint = line(&String::from_utf8_lossy(&errors));
    Ok(Answer {
        success: status.success(),
        output,
        complaint: if complaint.is_empty() { status.to_string() } else { complaint },
    })
}

/// What comes out of a pipe until it is closed, read on a thread: a program of which a pipe is left unread comes to a halt.
fn all_of(pipe: impl Read + Send + 'static) -> Receiver<Zeroizing<Vec<u8>>> {
    let (sender, receiver) = mpsc::channel();
    std::thread::spawn(move || {
        let mut bytes = Zeroizing::new(Vec::new());
        // What came before a failure is judged by its content.
        let _ = pipe.take(LONGEST).read_to_end(&mut bytes);
        // Nobody waits any longer: it was late.
        let _ = sender.send(bytes);
    });
    receiver
}

/// The first line of a text that says something, of a length for a message.
pub(super) fn line(text: &str) -> String {
    let line = text.lines().map(str::trim).find(|line| !line.is_empty()).unwrap_or_default();
    line.chars().filter(|c| !c.is_control()).take(200).collect()
}
