//! What a server is like, and which combinations would be unsafe.

use std::net::SocketAddr;
use std::path::PathBuf;

use super::limits::Limits;
use crate::error::{Error, ErrorKind, Result};

/// As whom the clients of a server read the site.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Access {
    /// As the account of the server's own connection.
    Own {
        /// Whether they may change the site.
        writes: bool,
        /// File with a `name:password` on each line. None: no client says who it is.
        users: Option<PathBuf>,
    },
    /// As themselves: each logs in with the e-mail address and API token of its own account, and may do what that account may do.
    PassThrough,
}

/// Where the PEM files of a server are.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct TlsFiles {
    /// The certificate of the server, with those that lead to its authority.
    pub certificate: PathBuf,
    /// Its private key.
    pub key: PathBuf,
    /// The authorities whose certificates clients must present. None: clients need no certificate.
    pub client_authority: Option<PathBuf>,
}

/// What a server is like.
#[derive(Debug, Clone)]
pub struct ServeOptions {
    /// Where to listen; port 0 takes any free one.
    pub bind: SocketAddr,
    /// As whom the clients read the site.
    pub access: Access,
    /// Encryption. None: none.
    pub tls: Option<TlsFiles>,
    /// What clients may use.
    pub limits: Limits,
}

impl Default for ServeOptions {
    /// Any free port of 127.0.0.1, the server's own account read-only, without encryption.
    fn default() -> Self {
        Self {
            bind: SocketAddr::from(([127, 0, 0, 1], 0)),
            access: Access::Own {
                writes: false,
                users: None,
            },
            tls: None,
            limits: Limits::default(),
        }
    }
}

impl ServeOptions {
    /// Whether a client must say who it is.
    pub(super) fn asks_who(&self) -> bool {
        !matches!(self.access, Access::Own { users: None, .. })
    }

    /// Refuses to be reached from other machines by anybody, or by passwords that everybody can read.
    pub(super) fn check(&self) -> Result<()> {
        if self.bind.ip().is_loopback() {
            return Ok(());
        }
        let Some(tls) = &self.tls else {
            return Err(refused(self.bind, "without encryption")
                .hint("give --tls-cert and --tls-key, or bind to 127.0.0.1 and put a TLS proxy in front"));
        };
        if self.asks_who() || tls.client_authority.is_some() {
            return Ok(());
        }
        Err(refused(self.bind, "to clients that do not say who they are")
            .hint("let them log in with --pass-through or --users, or present certificates with --tls-client-ca"))
    }
}

fn refused(bind: SocketAddr, how: &str) -> Error {
    Error::new(
        ErrorKind::Option,
        format!("{bind} can be reached from other machines, and would serve {how}"),
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn other_machines_need_encryption_and_a_login() {
        let tls = |authority: bool| {
            Some(TlsFiles {
                certificate: "c".into(),
                key: "k".into(),
                client_authority: authority.then(|| "a".into()),
            })
        };
        let own = |users: bool| Access::Own {
            writes: false,
            users: users.then(|| "u".into()),
        };
        for (bind, access, tls, fragment) in [
            ("127.0.0.1:0", own(false), None, None),
            ("[::1]:0", own(false), None, None),
            ("0.0.0.0:0", own(true), None, Some("without encryption")),
            ("0.0.0.0:0", Access::PassThrough, None, Some("without encryption")),
            ("[::]:0", own(false), tls(false), Some("do not say who they are")),
            ("10.0.0.1:0", own(false), tls(true), None),
            ("10.0.0.1:0", own(true), tls(false), None),
            ("10.0.0.1:0", Access::PassThrough, tls(false), None),
        ] {
            let options = ServeOptions {
                bind: bind.parse().unwrap(),
                access,
                tls,
                ..ServeOptions::default()
            };
            match (options.check(), fragment) {
                (Ok(()), None) => {}
                (Err(error), Some(fragment)) => {
                    assert!(error.message().contains(fragment), "{error}");
                    assert!(error.hint_text().is_some());
                }
                (outcome, _) => panic!("{options:?}: {outcome:?}"),
            }
        }
    }
}
