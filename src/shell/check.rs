//! `jsmql test`: the steps to a site, one line each, up to the first that fails.

use crate::error::Result;
use crate::session::Session;

/// Prints each step as it succeeds; the first that fails is named and ends the test.
pub(super) async fn check(session: &Session) -> Result<()> {
    println!("site         {}", session.connection().site());
    println!("sign-in      {}", session.connection().scheme_text());
    let mut failed = "";
    let outcome = session
        .check_steps(&mut |step, found| match found {
            Some(found) => println!("{step:<12} {found}"),
            None => failed = step,
        })
        .await;
    if outcome.is_err() {
        println!("{failed:<12} FAILED");
    }
    outcome.map(drop)
}
