//! The site that statements run on.

use super::args::SiteArgs;
use crate::connection::Connection;
use crate::error::Result;
#[cfg(feature = "demo")]
use crate::error::{Error, ErrorKind};
use crate::session::Session;

/// A session, and the demo site it may live on.
pub(super) struct Site {
    pub(super) session: Session,
    #[cfg(feature = "demo")]
    _demo: Option<crate::demo::DemoSite>,
}

impl Site {
    /// Connects as the arguments say.
    pub(super) async fn open(site: &SiteArgs) -> Result<Self> {
        let text = site.connection.as_deref().unwrap_or_default();
        #[cfg(feature = "demo")]
        if site.demo {
            let demo = start_demo(&site.demo_site, 0).await?;
            let own = format!(
                "URL={};AuthScheme=APIToken;User={};APIToken={}",
                demo.url(),
                crate::demo::USER,
                crate::demo::TOKEN
            );
            // The demo site needs no environment; a variable meant for a real site must not reach it.
            let connection = Connection::parse(&format!("{own};{text}"), std::iter::empty())?;
            let session = Session::open(connection)?;
            session.greet().await?;
            return Ok(Self {
                session,
                _demo: Some(demo),
            });
        }
        Self::connect(text, site.profile.as_deref()).await
    }

    /// Connects by a connection string, a profile, and the environment.
    pub(super) async fn connect(text: &str, profile: Option<&str>) -> Result<Self> {
        let session = Session::open(crate::profile::connection(text, profile)?)?;
        session.greet().await?;
        for warning in session.connection().warnings() {
            eprintln!("warning: {warning}");
        }
        Ok(Self {
            session,
            #[cfg(feature = "demo")]
            _demo: None,
        })
    }
}

/// Starts the demo site.
#[cfg(feature = "demo")]
pub(super) async fn start_demo(demo: &super::args::DemoArgs, port: u16) -> Result<crate::demo::DemoSite> {
    let options = crate::demo::DemoOptions {
        port,
        seed: demo.seed,
        requests: demo.requests,
        date: demo.date,
        latency: std::time::Duration::from_millis(demo.latency_ms),
        rate_limit: demo.rate_limit,
        time_zone: demo.time_zone.clone(),
        faults: demo.faults.clone(),
    };
    crate::demo::DemoSite::start(options)
        .await
        .map_err(|error| Error::new(ErrorKind::Io, format!("cannot start the demo site: {error}")).hint("choose another --port"))
}
