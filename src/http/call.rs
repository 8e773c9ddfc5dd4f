//! One call: a request with all its attempts, waits and limits. The loop between the pure parts and the wire.

use super::bridge::Bridge;
use super::client::Shared;
use super::exchange::{Answer, exchange};
use super::gate::{Admission, Endpoint};
use super::refusal;
use super::retry::{Decision, Outcome, decide};
use super::throttle::{Scope, Throttle};
use super::trace::{trace_answer, trace_attempt};
use super::transport::{Failure, lost_error, unsent_error};
use super::unknown::OutcomeUnknown;
use super::{ClientOptions, Proof, ProofKind, Request, Response, Safety, Statement, Terms};
use crate::error::{Error, ErrorKind, RequestContext, Result};
use std::borrow::Cow;
use std::sync::Arc;
use std::sync::atomic::Ordering::Relaxed;
use std::time::{Duration, SystemTime};
use tokio::sync::SemaphorePermit;
use tokio::time::{Instant, sleep_until};
use url::Url;

/// Attempts where the site is well and only says when to come back: others may have taken the turn meanwhile.
const MOST_TURNS: u32 = 20;
/// Longest trace id shown; real ones have 32 to 36 characters.
const LONGEST_TRACE: usize = 64;

/// A request on its way.
pub(super) struct Call<'c> {
    shared: &'c Shared,
    request: &'c Request,
    terms: &'c Terms,
    statement: &'c Arc<Statement>,
    endpoint: Endpoint,
    /// When it began to stand in line.
    began: Instant,
    /// When its first attempt began: from then on its time runs. Standing in line before that is the doing of other requests, which have
    /// an end of their own, and a site that was never asked is not slow.
    started: Option<Instant>,
    waited: Duration,
    attempts: u32,
    /// Requests of the endpoint that were answered by the time of the last refusal.
    granted: u64,
    /// Tokens its retries took from the budget.
    spent: u32,
    /// Whether some attempt may have been carried out although no usable answer came back.
    doubt: bool,
    /// Of the newest answer.
    status: Option<u16>,
    trace_id: Option<String>,
    /// What the newest attempt proved itself with, if that changes.
    proof: Option<Proof>,
    /// Whether the site refused a proof and got another: once is enough.
    renewed: bool,
    /// Whether the site wants a CAPTCHA solved before anything else.
    locked: bool,
}

/// Why a call does not go on, or an attempt failed.
struct Failed {
    error: Error,
    /// What the retry table is asked about; nothing where a retry is out of the question.
    outcome: Option<Outcome>,
    cause: Option<reqwest::Error>,
}

impl From<Error> for Failed {
    fn from(error: Error) -> Self {
        Self {
            error,
            outcome: None,
            cause: None,
        }
    }
}

impl<'c> Call<'c> {
    pub(super) fn new(shared: &'c Shared, request: &'c Request, terms: &'c Terms, statement: &'c Arc<Statement>) -> Self {
        Self {
            shared,
            request,
            terms,
            statement,
            endpoint: (request.method, Arc::clone(&request.template)),
            began: Instant::now(),
            started: None,
            waited: Duration::ZERO,
            attempts: 0,
            granted: 0,
            spent: 0,
            doubt: false,
            status: None,
            trace_id: None,
            proof: None,
            renewed: false,
            locked: false,
        }
    }

    /// Sends until there is an answer, or none to be hoped for.
    pub(super) async fn run(mut self) -> Result<Response> {
        match self.attempts().await {
            Ok(answer) => Ok(Response {
                status: answer.status,
                account_id: answer.header("x-aaccountid").map(str::to_owned),
                media_type: answer.content_type().map(str::to_owned),
                disposition: answer.disposition(),
                saved: answer.saved,
                body: answer.body,
                held: answer.held,
                attempts: self.attempts,
                elapsed: self.began.elapsed(),
                waited: self.waited,
            }),
            Err(failed) => Err(self.report(failed)),
        }
    }

    async fn attempts(&mut self) -> Result<Answer, Failed> {
        loop {
            let permit = self.admission().await?;
            let failed = match self.attempt().await {
                Ok(answer) => return Ok(answer),
                Err(failed) => failed,
            };
            // Not held while sleeping: a waiting request must not keep a healthy one from being sent.
            drop(permit);
            let failed = match self.renewal(failed).await {
                None => continue,
                Some(failed) => failed,
            };
            let Some((until, cost)) = self.retry(&failed) else {
                return Err(failed);
            };
            self.shared.budget.take(cost);
            self.spent += cost;
            self.sleep(until).await?;
        }
    }

    /// Waits until the gate lets this request go and there is room for one more in flight.
    async fn admission(&mut self) -> Result<SemaphorePermit<'c>, Failed> {
        loop {
            let acquired = self.interruptible(self.shared.permits.acquire()).await?;
            let permit = acquired.map_err(|_| Error::new(ErrorKind::Internal, "the permits of a client were closed"))?;
            // The gate comes second: it may have closed while we stood in line.
            let now = Instant::now();
            let until = match self.shared.gate.admit(&self.endpoint, now) {
                Admission::Open => return Ok(permit),
                Admission::Paced(until) => until,
                Admission::Closed(until) if until - now > self.shared.options.retry.max_wait || self.too_late(until) => {
                    return Err(refusal::gate_closed(until - now, SystemTime::now()).into());
                }
                Admission::Closed(until) => until,
            };
            drop(permit);
            self.sleep(until).await?;
        }
    }

    /// Sends the request once.
    async fn attempt(&mut self) -> Result<Answer, Failed> {
        self.started.get_or_insert_with(Instant::now);
        let root = self.interruptible(self.shared.root()).await??;
        let mut wire = self.shared.wire(root, self.request, self.terms)?;
        if let Some(signer) = self.shared.options.authorization.signer() {
            let proof = self.interruptible(signer.proof(self.request.method, wire.url())).await??;
            let (name, value) = proof.header()?;
            wire.headers_mut().insert(name, value);
            match proof.kind {
                ProofKind::Cookie => self.shared.options.redactor.learn_cookies(&proof.value),
                ProofKind::Authorization => self.shared.options.redactor.learn(&proof.value),
            }
            self.proof = Some(proof);
        }
        self.statement.spend()?;
        if let Some(counter) = &self.terms.counter {
            counter.fetch_add(1, Relaxed);
        }
        self.attempts += 1;
        let mut entry = self.shared.begin(self.request, self.statement, self.attempts);
        let exchanged = self
            .interruptible(exchange(self.shared, wire, self.terms, self.statement))
            .await;
        let (status, bytes, judged) = match exchanged {
            Ok(Ok(answer)) => (Some(answer.status), answer.bytes(), self.judge(answer)),
            Ok(Err((place, failure))) => self.failed(place, failure),
            Err(interrupted) => {
                self.doubt = true;
                (None, 0, Err(interrupted.into()))
            }
        };
        // The site may repeat in its words what we have sent it.
        let judged = judged.map_err(|failed| Failed {
            error: failed.error.reworded(|words| self.shared.options.redactor.redacted(words)),
            ..failed
        });
        let error = judged.as_ref().err().map(|failed| failed.error.message().to_owned());
        let (statement, elapsed) = (self.statement.number(), entry.elapsed());
        trace_attempt(
            self.request,
            statement,
            status,
            bytes,
            elapsed,
            self.attempts,
            error.as_deref(),
        );
        entry.ended(status, bytes, error);
        judged
    }

    /// Looks at a whole answer.
    fn judge(&mut self, answer: Answer) -> Result<Answer, Failed> {
        trace_answer(&answer);
        self.status = Some(answer.status);
        let trace_id = answer.header("x-arequestid").or_else(|| answer.header("atl-traceid"));
        let options = &self.shared.options;
        self.trace_id = trace_id.map(|id| options.redactor.redacted(id).chars().take(LONGEST_TRACE).collect());
        self.locked = refusal::is_locked(&answer);
        if (200..300).contains(&answer.status) || self.terms.accepts.contains(&answer.status) {
            if let Some(error) = refusal::unusable(&answer, self.terms, options) {
                self.doubt = true;
                return Err(error.into());
            }
            self.healthy();
            return Ok(answer);
        }
        // A considered "no", such as 404 for a child that a request does not have, is the answer of a site that is well.
        if (400..500).contains(&answer.status) && answer.status != 429 {
            self.healthy();
        }
        let now = SystemTime::now();
        let throttle = Throttle::read(answer.status, &answer.headers, now);
        let outcome = Outcome::Refused {
            status: answer.status,
            throttle,
        };
        self.doubt |= outcome.maybe_processed();
        Err(Failed {
            error: if refusal::lacks_scope(&answer) {
                let writes = self.request.safety != Safety::Read;
                refusal::scope_error(options.scopes.needed(&self.request.template, writes))
            } else {
                refusal::status_error(&answer, &throttle, options, now)
            },
            outcome: Some(outcome),
            cause: None,
        })
    }

    /// Notes that the site answers: the endpoint may go faster, and what the retries of this call took comes back.
    fn healthy(&mut self) {
        self.shared.gate.succeeded(&self.endpoint);
        self.shared.budget.refund(std::mem::take(&mut self.spent));
    }

    /// Looks at an attempt without a whole answer: its status, bytes and failure.
    fn failed(&mut self, place: Option<Url>, failure: Failure) -> (Option<u16>, usize, Result<Answer, Failed>) {
        // The error names the host that failed, not the site that has sent us there.
        let is_elsewhere = place.is_some();
        let options = match place {
            Some(base) => Cow::Owned(ClientOptions {
                base,
                ..self.shared.options.clone()
            }),
            None => Cow::Borrowed(&self.shared.options),
        };
        let (status, bytes, outcome, error, cause) = match failure {
            Failure::Unsent(cause) => {
                let trouble = self.shared.bridge.as_ref().and_then(Bridge::trouble);
                let error = trouble.unwrap_or_else(|| unsent_error(&options, is_elsewhere, &cause));
                // A proxy that does not accept an account is not asked again: it may count the failures.
                let outcome = (error.kind() != ErrorKind::Authentication).then_some(Outcome::Unsent);
                (None, 0, outcome, error, Some(cause))
            }
            Failure::Lost { status, error: cause } => (status, 0, Some(Outcome::Lost), lost_error(status, &cause), Some(cause)),
            Failure::TooLarge { status, bytes } => (Some(status), bytes, None, refusal::too_large(&options), None),
            Failure::NoRoom { status, error } => (Some(status), 0, None, error, None),
            Failure::Unkept(error) => (Some(200), 0, None, error, None),
        };
        self.status = status;
        self.trace_id = None;
        // An answer that is too large is an answer all the same: the site did what it was asked.
        self.doubt |= outcome.map_or(status.is_some(), Outcome::maybe_processed);
        (status, bytes, Err(Failed { error, outcome, cause }))
    }

    /// None: the site refused the proof, and there is a better one to try. Nothing was done, so a write, too, may be sent again.
    async fn renewal(&mut self, failed: Failed) -> Option<Failed> {
        let signer = self.shared.options.authorization.signer();
        let (Some(signer), Some(proof), false) = (signer, self.proof.take(), self.renewed) else {
            return Some(failed);
        };
        // A lock-out counts every further attempt, and a write that may have been done is not sent again.
        let in_doubt = self.doubt && self.request.safety != Safety::Read;
        if failed.error.kind() != ErrorKind::Authentication || self.locked || in_doubt {
            return Some(failed);
        }
        self.renewed = true;
        match self.interruptible(signer.renew(&proof)).await {
            Ok(Ok(true)) => {
                self.doubt = false;
                None
            }
            Ok(Ok(false)) => Some(failed),
            Ok(Err(error)) | Err(error) => Some(error.into()),
        }
    }

    /// When to send again and what that costs, if at all. Tells the gate what the site asked for.
    fn retry(&mut self, failed: &Failed) -> Option<(Instant, u32)> {
        let outcome = failed.outcome?;
        let policy = &self.shared.options.retry;
        // A site that lets others through meanwhile keeps its word: whoever waits has lost no attempt.
        let granted = self.shared.gate.granted(&self.endpoint);
        let waits = matches!(outcome, Outcome::Refused { status: 429, throttle } if throttle.after.is_some());
        let is_turn = waits && granted > self.granted && self.attempts < MOST_TURNS;
        // Nor does it use up what all may try again.
        let (attempts, tokens) = match is_turn {
            true => (1, u32::MAX),
            false => (self.attempts, self.shared.budget.tokens()),
        };
        self.granted = granted;
        let decision = decide(
            self.request.safety,
            attempts,
            outcome,
            policy,
            tokens,
            self.shared.jitter.roll(),
        );
        let now = Instant::now();
        if let Outcome::Refused { status: 429, throttle } = outcome {
            let pause = match decision {
                Decision::Retry { after, .. } => throttle.after.unwrap_or(after),
                Decision::Fail => throttle.after.unwrap_or_default(),
            };
            match throttle.scope {
                Scope::Issue => {}
                Scope::Quota => self.shared.gate.close_client(now + pause),
                // So long a silence is no matter of one endpoint.
                Scope::Unknown if pause > policy.max_wait => self.shared.gate.close_client(now + pause),
                Scope::Burst | Scope::Unknown => self
                    .shared
                    .gate
                    .close_endpoint(&self.endpoint, now, now + pause, throttle.pace),
            }
        }
        match decision {
            // A pause that outlasts the timeout can only end in a message that says less than this failure.
            Decision::Retry { after, cost } if !self.too_late(now + after) => Some((now + after, if is_turn { 0 } else { cost })),
            _ => None,
        }
    }

    async fn sleep(&mut self, until: Instant) -> Result<(), Failed> {
        let began = Instant::now();
        let slept = self.interruptible(sleep_until(until)).await;
        let time = began.elapsed();
        self.waited += time;
        self.statement.add_wait(time);
        Ok(slept?)
    }

    /// Runs `work` until the statement is cancelled or the call's time is up; dropping `work` aborts it.
    async fn interruptible<T>(&self, work: impl Future<Output = T>) -> Result<T> {
        let deadline = async {
            match self.started.and_then(|started| self.deadline(started)) {
                Some(deadline) => sleep_until(deadline).await,
                None => std::future::pending().await,
            }
        };
        tokio::select! {
            biased;
            () = self.statement.cancelled() => Err(Error::new(ErrorKind::Cancelled, "the statement was cancelled")),
            done = work => Ok(done),
            () = deadline => {
                let timeout = self.shared.options.timeout.unwrap_or_default();
                Err(Error::new(ErrorKind::Timeout, format!("the request was not answered within {timeout:?}"))
                    .hint("raise option Timeout, or ask for less at a time"))
            }
        }
    }

    fn deadline(&self, started: Instant) -> Option<Instant> {
        self.shared.options.timeout.and_then(|timeout| started.checked_add(timeout))
    }

    /// Whether waiting until then takes longer than there is time. A silence that the site asks for counts as if the request had begun.
    fn too_late(&self, instant: Instant) -> bool {
        let started = self.started.unwrap_or_else(Instant::now);
        self.deadline(started).is_some_and(|deadline| deadline <= instant)
    }

    /// The error as the caller sees it: with its request, its table, and whether the outcome is in doubt.
    fn report(self, Failed { mut error, cause, .. }: Failed) -> Error {
        if self.doubt && self.request.safety != Safety::Read {
            let message = format!("{}; the outcome of the request is unknown", error.message());
            error = Error::new(error.kind(), message)
                .hint("it was not sent again: look at the site whether it took effect before you repeat it")
                .source(OutcomeUnknown(cause));
        } else if let Some(cause) = cause {
            error = error.source(cause);
        }
        if let Some(table) = &self.request.table {
            error = error.table(table.as_ref());
        }
        error.request(RequestContext {
            method: self.request.method.as_str(),
            path: self.request.template.as_ref().into(),
            status: self.status,
            attempts: self.attempts,
            trace_id: self.trace_id,
        })
    }
}
