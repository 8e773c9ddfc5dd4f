//! Running statements one after the other.

use std::io::{IsTerminal, Read};
use std::path::Path;

use futures::StreamExt;

use super::args::{Command, Format, SiteArgs, Source};
use super::output::Output;
use super::{check, profile, progress};
use crate::connection::Connection;
use crate::error::{Error, ErrorKind, Result};
use crate::session::{ParsedStatement, Session};

/// Does what the command line says.
pub(super) async fn run(command: Command) -> Result<()> {
    match command {
        Command::Sql {
            site,
            sources,
            format,
            output,
        } => {
            let site = Opened::open(&site).await?;
            let mut output = Output::new(format, output.as_deref())?;
            for source in sources {
                let sql = read(&source)?;
                for statement in site.session.statements(&sql).await? {
                    let outcome = tokio::select! {
                        outcome = execute(&site.session, statement, &mut output) => outcome,
                        _ = tokio::signal::ctrl_c() => Err(Error::new(ErrorKind::Cancelled, "cancelled")),
                    };
                    match outcome {
                        Err(error) if output.is_closed() => {
                            drop(error);
                            return Ok(());
                        }
                        outcome => outcome?,
                    }
                }
            }
            output.close()
        }
        Command::Test(site) => {
            let site = Opened::open(&site).await?;
            check::check(&site.session).await
        }
        Command::Login { site, browser } => {
            let site = Opened::open(&site).await?;
            let place = site.session.login(browser).await?;
            println!("signed in; the tokens are kept in {place}");
            Ok(())
        }
        Command::Logout(site) => {
            let site = Opened::open(&site).await?;
            println!("{}", site.session.logout().await?);
            Ok(())
        }
        Command::Profile(action) => profile::profile(&action),
        Command::ShowConfig(site) => profile::config(site.connection.as_deref().unwrap_or_default(), site.profile.as_deref()),
        #[cfg(feature = "flight")]
        Command::Serve(serve) => super::serve::serve(*serve).await,
        #[cfg(feature = "demo")]
        Command::Demo { port, demo } => {
            let site = start_demo(&demo, port).await?;
            println!("{}", site.url());
            eprintln!(
                "user {}, API token {}; stop with Ctrl-C",
                crate::demo::USER,
                crate::demo::TOKEN
            );
            tokio::select! {
                () = site.wait() => {}
                _ = tokio::signal::ctrl_c() => {}
            }
            Ok(())
        }
    }
}

async fn execute(session: &Session, statement: ParsedStatement, output: &mut Output) -> Result<()> {
    let mut rows = session.execute(statement).await?;
    let progress = progress::show(rows.meter());
    output.begin(rows.schema())?;
    while let Some(batch) = rows.next().await {
        let batch = batch?;
        progress.pause(|| output.write(&batch))?;
    }
    drop(progress);
    output.end()?;
    for warning in rows.meter().warnings() {
        eprintln!("warning: {warning}");
    }
    if rows.is_capped() {
        eprintln!("note: the rows end at MaxRows; there are more");
    }
    Ok(())
}

fn read(source: &Source) -> Result<String> {
    let failed = |name: &str, error: std::io::Error| Error::new(ErrorKind::Io, format!("cannot read {name}: {error}"));
    match source {
        Source::Text(text) => Ok(text.clone()),
        Source::File(path) => std::fs::read_to_string(path).map_err(|error| failed(&path.display().to_string(), error)),
        Source::Stdin => {
            let mut text = String::new();
            if std::io::stdin().is_terminal() {
                eprintln!("reading SQL from the terminal; end with Ctrl-D");
            }
            std::io::stdin()
                .read_to_string(&mut text)
                .map_err(|error| failed("standard input", error))?;
            Ok(text)
        }
    }
}

/// A session, and the demo site it may live on.
struct Opened {
    session: Session,
    #[cfg(feature = "demo")]
    _demo: Option<crate::demo::DemoSite>,
}

impl Opened {
    async fn open(site: &SiteArgs) -> Result<Self> {
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
            return Ok(Self {
                session: Session::open(connection)?,
                _demo: Some(demo),
            });
        }
        let session = Session::open(crate::profile::connection(text, site.profile.as_deref())?)?;
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

#[cfg(feature = "demo")]
pub(super) async fn start_demo(demo: &super::args::DemoArgs, port: u16) -> Result<crate::demo::DemoSite> {
    let options = crate::demo::DemoOptions {
        port,
        seed: demo.seed,
        requests: demo.requests,
        latency: std::time::Duration::from_millis(demo.latency_ms),
        rate_limit: demo.rate_limit,
        faults: demo.faults.clone(),
        ..crate::demo::DemoOptions::default()
    };
    crate::demo::DemoSite::start(options)
        .await
        .map_err(|error| Error::new(ErrorKind::Io, format!("cannot start the demo site: {error}")).hint("choose another --port"))
}

/// The format that a file name asks for.
pub(super) fn format_of(path: &Path) -> Option<Format> {
    match path.extension()?.to_str()?.to_ascii_lowercase().as_str() {
        "csv" => Some(Format::Csv),
        "tsv" => Some(Format::Tsv),
        "json" => Some(Format::Json),
        "ndjson" | "jsonl" => Some(Format::Ndjson),
        "md" => Some(Format::Markdown),
        _ => None,
    }
}
