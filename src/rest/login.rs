//! Whether the site knows who asks. Asked where it says that it does not know values and no row is left: to a stranger, whose login has
//! expired, it says the same of values that exist.

use serde::Deserialize;

use super::read::Scope;
use crate::error::{Error, ErrorKind, Result};
use crate::http::{Request, Terms};
use crate::schema::MYSELF;

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Myself {
    account_id: Option<String>,
}

/// Makes sure that the site answers for an account, where the connection signs in at all.
///
/// # Errors
/// It does not.
pub(super) async fn check(scope: &Scope) -> Result<()> {
    if !scope.site.client.signs_in() {
        return Ok(());
    }
    let request = Request::about_site(MYSELF);
    let response = scope.ask(&request, Terms::default()).await?;
    scope.stats.add(&response);
    match serde_json::from_slice(&response.body) {
        Ok(Myself { account_id: Some(_) }) => Ok(()),
        _ => Err(Error::new(
            ErrorKind::Authentication,
            "the site says that it does not know the values, and does not say who is asking",
        )
        .hint("the login may have expired: jsmql test shows whether it is good")),
    }
}
