//! The server: it listens, and it ends without breaking off what is under way.

use std::net::SocketAddr;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering::Relaxed};
use std::time::Duration;

use arrow_flight::flight_service_server::FlightServiceServer;
use tokio::net::TcpListener;
use tokio_util::sync::CancellationToken;
use tonic::transport::server::Router;

use super::limits::Limits;
use super::login::Login;
use super::options::ServeOptions;
use super::service::Service;
use super::sessions::Sessions;
use super::{tls, wire};
use crate::connection::Connection;
use crate::error::{Error, ErrorKind, Result};

/// How often sessions are looked through for those that have ended.
const SWEEP: Duration = Duration::from_secs(10);
/// How often a silent client is asked whether it is still there, and how long it may take to say so.
const HEARTBEAT: Duration = Duration::from_secs(20);
/// How often a server that ends looks whether the last statement has.
const LOOK: Duration = Duration::from_millis(20);
/// How long statements that were broken off may take to say so.
const LAST_WORDS: Duration = Duration::from_secs(2);
/// Calls of a connection at a time.
const STREAMS: u32 = 256;

/// A Flight SQL server that listens and does not answer yet: [`serve`](Self::serve) does.
pub struct Server {
    listener: TcpListener,
    address: SocketAddr,
    encrypted: bool,
    router: Router,
    sessions: Arc<Sessions>,
    draining: Arc<AtomicBool>,
    limits: Limits,
}

impl std::fmt::Debug for Server {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Server").field("url", &self.url()).finish_non_exhaustive()
    }
}

impl Server {
    /// Listens. `connection` is the server's own; with [`Access::PassThrough`](super::Access::PassThrough) it says everything but the
    /// account (`AuthScheme=Anonymous`).
    ///
    /// # Errors
    /// The options would let anybody in from other machines, a file cannot be used, or the address is taken.
    pub async fn bind(connection: Connection, options: ServeOptions) -> Result<Self> {
        options.check()?;
        let login = Login::new(connection, &options)?;
        let mut server = tonic::transport::Server::builder()
            .http2_keepalive_interval(Some(HEARTBEAT))
            .http2_keepalive_timeout(Some(HEARTBEAT))
            .max_concurrent_streams(STREAMS);
        if let Some(files) = &options.tls {
            server = server.tls_config(tls::config(files)?).map_err(|error| {
                let cause = std::error::Error::source(&error).map_or_else(|| error.to_string(), ToString::to_string);
                Error::new(ErrorKind::Option, format!("the files for encryption cannot be used: {cause}"))
                    .hint("check that --tls-key belongs to --tls-cert, and that both are PEM")
            })?;
        }
        let limits = options.limits;
        let sessions = Arc::new(Sessions::new(limits.clone()));
        let draining = Arc::new(AtomicBool::new(false));
        let service = Service::new(login, sessions.clone(), limits.clone(), draining.clone());
        let service = FlightServiceServer::new(service)
            .max_decoding_message_size(limits.message)
            .max_encoding_message_size(usize::MAX);
        let listener = TcpListener::bind(options.bind).await.map_err(|error| {
            Error::new(ErrorKind::Io, format!("cannot listen on {}: {error}", options.bind)).hint("choose another --bind")
        })?;
        let address = listener
            .local_addr()
            .map_err(|error| Error::new(ErrorKind::Io, format!("cannot tell the address: {error}")))?;
        Ok(Self {
            address,
            encrypted: options.tls.is_some(),
            router: server.add_service(service),
            listener,
            sessions,
            draining,
            limits,
        })
    }

    /// The address that the server listens on.
    pub fn address(&self) -> SocketAddr {
        self.address
    }

    /// The address as clients write it.
    pub fn url(&self) -> String {
        format!("{}://{}", if self.encrypted { "grpc+tls" } else { "grpc" }, self.address)
    }

    /// Answers until `stop`, then lets statements that run or were planned go on for [`Limits::drain`], and breaks off the rest. Meanwhile
    /// rows are given out and statements closed as before, but nobody logs in and no statement begins.
    ///
    /// # Errors
    /// The server cannot go on; no client can cause that.
    pub async fn serve(self, stop: impl Future<Output = ()>) -> Result<()> {
        let closing = CancellationToken::new();
        let incoming = wire::incoming(self.listener, self.limits.connections, self.sessions.clone());
        let serving = self
            .router
            .serve_with_incoming_shutdown(incoming, closing.clone().cancelled_owned());
        tokio::pin!(serving);
        let failed = |error: tonic::transport::Error| Error::new(ErrorKind::Io, format!("the server cannot go on: {error}"));
        let sweeping = async {
            loop {
                tokio::time::sleep(SWEEP).await;
                self.sessions.sweep();
            }
        };
        tokio::select! {
            ended = &mut serving => return ended.map_err(failed),
            () = sweeping => {}
            () = stop => {}
        }
        self.draining.store(true, Relaxed);
        let deadline = tokio::time::Instant::now() + self.limits.drain;
        let drained = async {
            while self.sessions.are_busy() {
                tokio::time::sleep(LOOK).await;
            }
        };
        // Connections stay open so long: a client that has planned a statement could not come back for its rows.
        tokio::select! {
            ended = &mut serving => return ended.map_err(failed),
            _ = tokio::time::timeout_at(deadline, drained) => {}
        }
        closing.cancel();
        if let Ok(ended) = tokio::time::timeout_at(deadline, &mut serving).await {
            return ended.map_err(failed);
        }
        self.sessions.end_all();
        match tokio::time::timeout(LAST_WORDS, &mut serving).await {
            Ok(ended) => ended.map_err(failed),
            // Clients that do not even read an error.
            Err(_) => Ok(()),
        }
    }
}
