//! The mark of a write whose outcome nobody knows: it was sent, and no usable answer came back.
//!
//! It travels as the source of the error, so that the write layer can tell *failed* from *unknown* without reading messages.

use crate::error::Error;
use std::fmt;

/// Source of an error after which the site may or may not have done what it was asked.
#[derive(Debug)]
pub(super) struct OutcomeUnknown(pub(super) Option<reqwest::Error>);

impl fmt::Display for OutcomeUnknown {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("the outcome of the request is unknown")
    }
}

impl std::error::Error for OutcomeUnknown {
    fn source(&self) -> Option<&(dyn std::error::Error + 'static)> {
        self.0.as_ref().map(|error| error as _)
    }
}

/// Whether the request that failed with `error` may have been carried out all the same. Never true for a read.
pub(crate) fn is_outcome_unknown(error: &Error) -> bool {
    std::error::Error::source(error).is_some_and(|source| source.is::<OutcomeUnknown>())
}
