//! Who may have a session, and whose.

use std::net::IpAddr;
use std::sync::Mutex;
use std::time::Instant;

use tokio::sync::Semaphore;

use super::flood::Flood;
use super::options::{Access, ServeOptions};
use super::users::Users;
use crate::connection::{Connection, Secret};
use crate::error::{Error, ErrorKind, Result};
use crate::session::Session;

/// Logins that are tried at the same time, and those that wait for their turn.
const AT_A_TIME: usize = 8;
const WAITING: usize = 1_000;

/// Opens sessions.
pub(super) struct Login {
    kind: Kind,
    flood: Mutex<Flood>,
    turns: Semaphore,
    waiting: Semaphore,
}

enum Kind {
    /// Everybody reads as the server's own account.
    Open(Connection),
    /// The same, for those who know a password.
    Users(Connection, Users),
    /// Everybody reads as themselves.
    PassThrough(Connection),
}

impl Login {
    /// `connection` is the server's own, or says everything but the account.
    pub(super) fn new(connection: Connection, options: &ServeOptions) -> Result<Self> {
        let served = connection.served(options.limits.memory);
        let kind = match &options.access {
            Access::PassThrough => Kind::PassThrough(served),
            Access::Own { writes, users } => {
                let own = if *writes { served } else { served.read_only()? };
                match users {
                    None => Kind::Open(own),
                    Some(path) => Kind::Users(own, Users::read(path)?),
                }
            }
        };
        Ok(Self {
            kind,
            flood: Mutex::new(Flood::new(options.limits.wrong_logins)),
            turns: Semaphore::new(AT_A_TIME),
            waiting: Semaphore::new(WAITING),
        })
    }

    /// A session for somebody who does not say who it is.
    pub(super) async fn stranger(&self) -> Result<Session> {
        match &self.kind {
            Kind::Open(own) => open(own.clone()).await,
            Kind::Users(..) | Kind::PassThrough(_) => {
                Err(Error::new(ErrorKind::Authentication, "the server wants to know who you are").hint(self.who()))
            }
        }
    }

    /// A session for a user. `from` is counted when the login is wrong.
    pub(super) async fn user(&self, from: IpAddr, user: &str, secret: &Secret) -> Result<Session> {
        if let Kind::Open(_) = &self.kind {
            // Taken without a word, a token would seem to have decided whose rows are shown.
            return Err(Error::new(
                ErrorKind::Authentication,
                "the server asks nobody who they are: it reads the site as its own account",
            )
            .hint("connect without user and password, or start the server with --pass-through or --users"));
        }
        let busy = || {
            Error::new(ErrorKind::Limit, "too many clients are logging in at the same time").hint("try again in a few seconds")
        };
        let _waits = self.waiting.try_acquire().map_err(|_| busy())?;
        let _turn = self.turns.acquire().await.map_err(|_| busy())?;
        if let Ok(mut flood) = self.flood.lock() {
            flood.admit(from, Instant::now()).map_err(|wait| {
                Error::new(ErrorKind::Limit, "too many wrong logins came from your address")
                    .hint(format!("try again in {} seconds", wait.as_secs() + 1))
            })?;
        }
        let session = self.checked(user, secret).await;
        if let Err(error) = &session
            && error.kind() == ErrorKind::Authentication
            && let Ok(mut flood) = self.flood.lock()
        {
            flood.wrong(from, Instant::now());
        }
        session
    }

    async fn checked(&self, user: &str, secret: &Secret) -> Result<Session> {
        let wrong = |what: &str| Error::new(ErrorKind::Authentication, what).hint(self.who());
        match &self.kind {
            Kind::Users(own, users) if users.know(user, secret.expose()) => open(own.clone()).await,
            Kind::Open(_) | Kind::Users(..) => Err(wrong("user or password is wrong")),
            Kind::PassThrough(site) => {
                // An option of the message is an option of the login here.
                let own = site
                    .for_account(user, secret.expose())
                    .map_err(|error| wrong(&format!("the login cannot be used: {}", error.message())))?;
                let session = open(own).await?;
                match session.authenticate().await {
                    // The site knows the account, but shows it no profile.
                    Err(error) if error.kind() == ErrorKind::Permission => Ok(session),
                    Err(error) if error.kind() == ErrorKind::Authentication => {
                        Err(wrong("the site does not accept user and token"))
                    }
                    Err(error) => Err(error),
                    Ok(()) => Ok(session),
                }
            }
        }
    }

    fn who(&self) -> &'static str {
        match &self.kind {
            Kind::PassThrough(_) => "log in with the e-mail address of your account as user and an API token as password",
            Kind::Users(..) | Kind::Open(_) => "log in with a user and password of the server",
        }
    }
}

/// Opens a session where waiting hurts nobody: schema files are read and certificates looked for.
async fn open(connection: Connection) -> Result<Session> {
    let session = tokio::task::spawn_blocking(move || Session::open(connection))
        .await
        .map_err(|error| Error::new(ErrorKind::Internal, format!("cannot open a session: {error}")))??;
    session.greet().await?;
    Ok(session)
}
