//! The cancellation of what runs on a handle, by another thread.
//!
//! # Design
//!
//! A handle is used by one thread at a time, but cancelled while another uses it. What cancels must therefore not be reached through the
//! handle, which the other thread holds as `&mut`: it is listed by the address that C knows the handle by.

use std::cell::RefCell;
use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use tokio_util::sync::CancellationToken;

use crate::session::Meter;

/// One execution, as somebody sees it who wants to stop it.
#[derive(Debug, Default)]
pub(super) struct Execution {
    token: CancellationToken,
    meter: Mutex<Option<Meter>>,
}

impl Execution {
    /// What is cancelled with it.
    pub(super) fn token(&self) -> &CancellationToken {
        &self.token
    }

    /// Notes whose rows are being read.
    pub(super) fn reads(&self, meter: Meter) {
        // A cancellation between the two would miss the requests of these rows.
        if self.token.is_cancelled() {
            meter.cancel();
        }
        *lock(&self.meter) = Some(meter);
    }

    /// What it has cost so far.
    pub(super) fn meter(&self) -> Option<Meter> {
        lock(&self.meter).clone()
    }

    /// Stops it, whether somebody waits for it at this moment or not.
    fn cancel(&self) {
        self.token.cancel();
        if let Some(meter) = self.meter() {
            meter.cancel();
        }
    }
}

/// The execution that began last on a handle.
#[derive(Debug, Default)]
pub(super) struct Current(Mutex<Arc<Execution>>);

thread_local! {
    /// That of the handle which this thread has made last, until it is listed.
    static NEWEST: RefCell<Option<Arc<Current>>> = const { RefCell::new(None) };
}

/// Those of all handles, by their addresses.
static LISTED: Mutex<BTreeMap<usize, Arc<Current>>> = Mutex::new(BTreeMap::new());

/// Lists the handle that this thread has made last.
pub(super) fn list(address: usize) {
    if let Some(newest) = NEWEST.take() {
        lock(&LISTED).insert(address, newest);
    }
}

/// Forgets a handle, before its address can become that of another.
pub(super) fn forget(address: usize) {
    lock(&LISTED).remove(&address);
}

/// Stops what runs on a handle; whether there is such a handle.
pub(super) fn cancel(address: usize) -> bool {
    let found = lock(&LISTED).get(&address).cloned();
    found.as_ref().map(|current| current.cancel()).is_some()
}

impl Current {
    /// For a new handle.
    pub(super) fn of_handle() -> Arc<Self> {
        let current = Arc::<Self>::default();
        NEWEST.set(Some(current.clone()));
        current
    }

    /// Begins an execution; cancellations of before do not reach it.
    pub(super) fn begin(&self) -> Arc<Execution> {
        let execution = Arc::<Execution>::default();
        *lock(&self.0) = execution.clone();
        execution
    }

    /// Stops the execution that began last.
    pub(super) fn cancel(&self) {
        self.last().cancel();
    }

    /// The execution that began last.
    pub(super) fn last(&self) -> Arc<Execution> {
        lock(&self.0).clone()
    }
}

fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}
