//! `jsmql test`: what a connection leads to.

use crate::error::Result;
use crate::session::Session;

/// Prints who we are, what the site is, what we may do and how far it is away.
pub(super) async fn check(session: &Session) -> Result<()> {
    let findings = session.check().await?;
    println!("site         {}", session.connection().site());
    println!("deployment   {}", findings.deployment);
    println!("sign-in      {}", session.connection().scheme_text());
    println!("account      {}", findings.account);
    println!(
        "permissions  {}",
        if findings.permissions.is_empty() {
            "none of those asked for".into()
        } else {
            findings.permissions.join(", ")
        }
    );
    println!("service desk {}", findings.service_desk);
    println!("round trip   {:.0} ms", findings.round_trip.as_secs_f64() * 1_000.0);
    Ok(())
}
