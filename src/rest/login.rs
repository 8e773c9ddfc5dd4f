//! Whether the site knows who asks. A stranger, whose login has expired, is told that the values of a search do not exist, or sees lists
//! without a row: where all that a statement got is nothing, the site is asked who we are.

use serde::Deserialize;

use super::read::Scope;
use crate::error::{Error, ErrorKind, Result};
use crate::http::{Request, Response, Terms};
use crate::schema::MYSELF;

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Myself {
    account_id: Option<String>,
    /// What a Data Center has in its place.
    name: Option<String>,
}

/// Makes sure that the site answers for an account, where the connection signs in at all; `why` is what made us ask.
///
/// # Errors
/// It does not.
pub(super) async fn check(scope: &Scope, why: &str) -> Result<()> {
    if !scope.site.client.signs_in() {
        return Ok(());
    }
    let response = ask(scope).await?;
    if !names_us(&response) {
        return Err(unknown(why));
    }
    scope.site.note_known();
    Ok(())
}

/// The same where a list of the site is empty: once in a session, and only a site that does not know us is an error. Where it cannot be
/// asked, nothing speaks against the list, nor against the next one.
///
/// # Errors
/// It does not know us.
pub(super) async fn check_once(scope: &Scope) -> Result<()> {
    const WHY: &str = "the list is empty";
    if scope.site.is_known() || !scope.site.client.signs_in() {
        return Ok(());
    }
    match ask(scope).await {
        Ok(response) if names_us(&response) => {}
        Ok(_) => return Err(unknown(WHY)),
        Err(error) if error.kind() == ErrorKind::Authentication => {
            let hint = format!("{WHY}, and the site does not know who is asking: it may have rows for whoever signs in");
            return Err(error.hint(hint));
        }
        // A token without the scope for it, or a site that fails on it: asking for each empty list would change nothing.
        Err(_) => {}
    }
    scope.site.note_known();
    Ok(())
}

async fn ask(scope: &Scope) -> Result<Response> {
    let response = scope.ask(&Request::about_site(MYSELF), Terms::default()).await?;
    scope.stats.add(&response);
    Ok(response)
}

fn names_us(response: &Response) -> bool {
    let myself = serde_json::from_slice::<Myself>(&response.body);
    myself.is_ok_and(|myself| myself.account_id.or(myself.name).is_some())
}

fn unknown(why: &str) -> Error {
    Error::new(
        ErrorKind::Authentication,
        format!("{why}, and the site does not say who is asking"),
    )
    .hint("the login may have expired: jsmql test shows whether it is good")
}
