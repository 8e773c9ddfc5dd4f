//! Whether a file that came is the file that was asked for: what came is held against what the site says about it elsewhere. Pure.
//!
//! A redirect, a proxy or a single sign-on answers with a page of its own and status 200; names and status say nothing.

use crate::error::{Error, ErrorKind, Result};
use crate::http::Response;

/// What the site says about a file.
#[derive(Debug, Default, Clone, PartialEq, Eq)]
pub(super) struct Described {
    pub(super) size: Option<u64>,
    pub(super) media_type: Option<String>,
}

/// Media types that sites, and what stands before them, speak in place of a file.
const SPOKEN: &[&str] = &[
    "text/html",
    "application/xhtml+xml",
    "application/json",
    "application/problem+json",
];

/// A media type without its parameters.
fn essence(media_type: &str) -> String {
    media_type.split(';').next().unwrap_or_default().trim().to_ascii_lowercase()
}

/// Holds an answer, whose body went to a file, against what is known of it.
///
/// # Errors
/// It is not that file, or not all of it.
pub(super) fn check(described: &Described, response: &Response) -> Result<()> {
    let (status, saved) = (response.status, response.saved);
    let wrong = |kind: ErrorKind, what: String, hint: &str| Err(Error::new(kind, format!("{what}; nothing was kept")).hint(hint));
    let look = "sys.requests shows the request; open the attachment in a browser to see what is there";
    if status != 200 {
        return wrong(
            ErrorKind::Decode,
            format!("the site answered with HTTP {status} in place of the whole file"),
            look,
        );
    }
    let came = response.media_type.as_deref().map(essence).unwrap_or_default();
    let told = described.media_type.as_deref().map(essence);
    let is_size = described.size.map(|size| size == saved);
    // A page that is asked for and has no known size is like any page that stands in its place.
    let is_other = told.as_ref() != Some(&came) || is_size.is_none();
    if SPOKEN.contains(&came.as_str()) && is_other && is_size != Some(true) {
        let kind = if came.contains("html") {
            ErrorKind::Authentication
        } else {
            ErrorKind::Decode
        };
        let what = match told {
            Some(told) if told == came => format!("the answer is {came}, and the site does not say how large the file is"),
            Some(told) => format!("the answer is {came} in place of the file ({told})"),
            None => format!("the answer is {came} in place of the file"),
        };
        return wrong(
            kind,
            what,
            "a login page, a proxy or an error may stand in its place: check the credentials, and whether the site keeps the file elsewhere",
        );
    }
    match described.size {
        Some(size) if size != saved => wrong(
            ErrorKind::Incomplete,
            format!("the file has {size} bytes, and {saved} came"),
            "run the statement again; if it stays so, look at proxies between here and the site",
        ),
        _ => Ok(()),
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;
    use crate::http::Held;

    #[test]
    fn a_page_in_place_of_a_file_is_no_file() {
        use ErrorKind::*;
        let pdf = (Some(3), Some("application/pdf"));
        let page = (Some(3), Some("text/html"));
        for ((size, told), status, came, saved, expected) in [
            (pdf, 200, "application/pdf", 3, None),
            // Some sites have one type for all.
            (pdf, 200, "application/octet-stream", 3, None),
            (pdf, 200, "text/html; charset=utf-8", 90, Some(Authentication)),
            (pdf, 200, "application/json", 90, Some(Decode)),
            (pdf, 200, "application/pdf", 2, Some(Incomplete)),
            (pdf, 204, "", 0, Some(Decode)),
            (pdf, 206, "application/pdf", 3, Some(Decode)),
            // An attachment may be a page.
            (page, 200, "text/html", 3, None),
            (page, 200, "text/html", 4, Some(Incomplete)),
            ((None, Some("text/html")), 200, "text/html", 4, Some(Authentication)),
            ((None, Some("application/json")), 200, "application/json", 4, Some(Decode)),
            ((None, Some("application/pdf")), 200, "application/pdf", 4, None),
            // Nothing is known of it.
            ((None, None), 200, "image/png", 4, None),
            ((None, None), 200, "text/html", 4, Some(Authentication)),
        ] {
            let described = Described {
                size,
                media_type: told.map(str::to_owned),
            };
            let response = Response {
                status,
                body: bytes::Bytes::new(),
                attempts: 1,
                elapsed: Duration::ZERO,
                waited: Duration::ZERO,
                account_id: None,
                media_type: Some(came.to_owned()),
                disposition: None,
                saved,
                held: Held::new(None),
            };
            let found = check(&described, &response).err();
            assert_eq!(found.as_ref().map(Error::kind), expected, "{status} {came} {saved}");
            assert!(found.is_none_or(|error| error.hint_text().is_some()));
        }
    }
}
