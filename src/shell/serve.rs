//! `jsmql serve`: the Flight SQL server as a command.

use std::time::Duration;

use super::args::ServeArgs;
use crate::connection::Connection;
use crate::error::{Error, ErrorKind, Result};
use crate::flight::{Access, Limits, ServeOptions, Server, TlsFiles};

/// Serves until Ctrl-C or SIGTERM.
pub(super) async fn serve(arguments: ServeArgs) -> Result<()> {
    // Heard from the beginning: a signal that comes early must not end the process by its default.
    let stop = Stop::listen()?;
    let site = site(&arguments).await?;
    for warning in site.connection.warnings() {
        eprintln!("warning: {warning}");
    }
    let server = Server::bind(site.connection, options(arguments)).await?;
    println!("{}", server.url());
    eprintln!("stop with Ctrl-C");
    server.serve(stop.heard()).await
}

fn options(arguments: ServeArgs) -> ServeOptions {
    let tls = match (arguments.tls_cert, arguments.tls_key) {
        (Some(certificate), Some(key)) => Some(TlsFiles {
            certificate,
            key,
            client_authority: arguments.tls_client_ca,
        }),
        _ => None,
    };
    let access = match arguments.pass_through {
        true => Access::PassThrough,
        false => Access::Own {
            writes: arguments.allow_writes,
            users: arguments.users,
        },
    };
    let mebibytes = |count: u32| (count as usize) << 20;
    ServeOptions {
        bind: arguments.bind,
        access,
        tls,
        limits: Limits {
            message: mebibytes(arguments.max_message),
            connections: arguments.max_connections,
            sessions: arguments.max_sessions,
            sessions_per_user: arguments
                .max_sessions_per_user
                .map_or((arguments.max_sessions / 4).max(1), |most| most as usize),
            statements: arguments.max_statements,
            running: arguments.max_running,
            time: Some(Duration::from_secs(arguments.statement_timeout)).filter(|time| !time.is_zero()),
            memory: mebibytes(arguments.max_memory),
            idle: Duration::from_secs(arguments.session_idle),
            life: Duration::from_secs(arguments.session_life),
            drain: Duration::from_secs(arguments.drain),
            ..Limits::default()
        },
    }
}

/// What is served, and the demo site it may be.
struct Served {
    connection: Connection,
    #[cfg(feature = "demo")]
    _demo: Option<crate::demo::DemoSite>,
}

async fn site(arguments: &ServeArgs) -> Result<Served> {
    let text = arguments.site.connection.as_deref().unwrap_or_default();
    #[cfg(feature = "demo")]
    if arguments.site.demo {
        use crate::demo::{TOKEN, USER};
        let demo = super::site::start_demo(&arguments.site.demo_site, 0).await?;
        let account = match arguments.pass_through {
            true => "AuthScheme=Anonymous".to_owned(),
            false => format!("AuthScheme=APIToken;User={USER};APIToken={TOKEN}"),
        };
        return Ok(Served {
            connection: Connection::parse(&format!("URL={};{account};{text}", demo.url()), std::iter::empty())?,
            _demo: Some(demo),
        });
    }
    let profile = arguments.site.profile.as_deref();
    Ok(Served {
        connection: match arguments.pass_through {
            true => crate::profile::without_account(text, profile)?,
            false => crate::profile::connection(text, profile)?,
        },
        #[cfg(feature = "demo")]
        _demo: None,
    })
}

/// The signals that ask the process to end.
struct Stop {
    #[cfg(unix)]
    terminate: tokio::signal::unix::Signal,
}

impl Stop {
    fn listen() -> Result<Self> {
        #[cfg(unix)]
        {
            use tokio::signal::unix::{SignalKind, signal};
            let terminate = signal(SignalKind::terminate())
                .map_err(|error| Error::new(ErrorKind::Io, format!("cannot listen for signals: {error}")))?;
            Ok(Self { terminate })
        }
        #[cfg(not(unix))]
        Ok(Self {})
    }

    async fn heard(self) {
        #[cfg(unix)]
        {
            let mut terminate = self.terminate;
            tokio::select! {
                _ = terminate.recv() => {}
                _ = tokio::signal::ctrl_c() => {}
            }
        }
        #[cfg(not(unix))]
        let _ = tokio::signal::ctrl_c().await;
    }
}
