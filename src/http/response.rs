//! A 2xx answer with its whole body.

use super::memory::Held;
use bytes::Bytes;
use std::time::Duration;

/// A 2xx answer. Its body was read to the end, is within the size limit and is no web page; it need not be valid JSON.
#[derive(Debug)]
pub(crate) struct Response {
    /// HTTP status: 200 to 299, or another that the terms accept.
    pub status: u16,
    /// The decompressed body without byte order mark; empty on 204.
    pub body: Bytes,
    /// How often the request was sent, at least 1.
    pub attempts: u32,
    /// From the call to the end of the body, with all attempts and waits.
    #[cfg_attr(not(test), expect(dead_code, reason = "for the tests of this floor"))]
    pub elapsed: Duration,
    /// The part of `elapsed` spent sleeping: between attempts, and at the rate gate.
    pub waited: Duration,
    /// Account id of the caller as the site sees it (`X-AACCOUNTID`).
    #[cfg_attr(not(test), expect(dead_code, reason = "for the tests of this floor"))]
    pub account_id: Option<String>,
    /// `Content-Type`.
    pub media_type: Option<String>,
    /// The file name in `Content-Disposition`, as the site wrote it: not to be trusted.
    pub disposition: Option<String>,
    /// Bytes written to the file that the terms name.
    pub saved: u64,
    /// What the body takes of the memory of its statement, for as long as the answer is kept.
    #[expect(dead_code, reason = "gives it back when it is dropped")]
    pub held: Held,
}
