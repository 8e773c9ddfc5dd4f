//! What is presented to the server and what is accepted from it: the options SSLClientCert… and SSLServerCert.
//!
//! Pure: no file is opened, no certificate decoded.

use std::path::PathBuf;

use super::store::{CLIENT, StoreOptions, store};
use super::values::OptionValues;
use crate::error::{Error, ErrorKind, Result};

/// The TLS side of a connection.
#[derive(Debug, Clone, Default)]
pub(crate) struct TlsOptions {
    /// The store with the client certificate and its key.
    pub(crate) client: Option<StoreOptions>,
    /// What is accepted besides the certificates that the operating system trusts.
    pub(crate) server: ServerTrust,
}

/// What is accepted besides the certificates that the operating system trusts.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(crate) enum ServerTrust {
    /// Nothing else.
    #[default]
    System,
    /// Every certificate of every host.
    Anything,
    /// The certificate with this thumbprint: MD5, SHA-1 or SHA-256 by its length.
    Thumbprint(Vec<u8>),
    /// The certificates or the public key of this PEM text.
    Pem(String),
    /// The certificates or the public key in this PEM file.
    File(PathBuf),
}

/// Reads SSLClientCert… and SSLServerCert.
pub(super) fn tls(values: &OptionValues) -> Result<TlsOptions> {
    Ok(TlsOptions {
        client: store(values, &CLIENT)?,
        server: match values.filled("SSLServerCert") {
            None => ServerTrust::System,
            Some(text) => server_trust(text.trim())?,
        },
    })
}

fn server_trust(text: &str) -> Result<ServerTrust> {
    if text == "*" {
        return Ok(ServerTrust::Anything);
    }
    if text.starts_with("-----BEGIN ") {
        if text.contains("PRIVATE KEY") {
            return Err(Error::new(
                ErrorKind::Option,
                "SSLServerCert holds a private key, not the server's certificate",
            )
            .hint("a client certificate with its key belongs in SSLClientCert"));
        }
        return Ok(ServerTrust::Pem(text.to_owned()));
    }
    let digits: String = text.chars().filter(|c| !matches!(c, ' ' | ':')).collect();
    if matches!(digits.len(), 32 | 40 | 64) && digits.chars().all(|c| c.is_ascii_hexdigit()) {
        let byte = |at: usize| u8::from_str_radix(&digits[at..at + 2], 16).unwrap_or_default();
        return Ok(ServerTrust::Thumbprint((0..digits.len()).step_by(2).map(byte).collect()));
    }
    Ok(ServerTrust::File(PathBuf::from(text)))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_form_is_told_from_the_others() {
        let sha1 = "AA:BB:CC:DD:EE:FF:00:11:22:33:44:55:66:77:88:99:aa:bb:cc:dd";
        let ServerTrust::Thumbprint(bytes) = server_trust(sha1).unwrap() else {
            panic!("no thumbprint")
        };
        assert_eq!((bytes.len(), bytes[0], bytes[19]), (20, 0xaa, 0xdd));
        assert!(matches!(server_trust(&"0f".repeat(16)), Ok(ServerTrust::Thumbprint(bytes)) if bytes.len() == 16));
        assert!(matches!(server_trust(&"0f ".repeat(32)), Ok(ServerTrust::Thumbprint(bytes)) if bytes.len() == 32));
        assert_eq!(server_trust("*").unwrap(), ServerTrust::Anything);
        assert_eq!(server_trust("/etc/ca.pem").unwrap(), ServerTrust::File("/etc/ca.pem".into()));
        assert!(matches!(
            server_trust("-----BEGIN CERTIFICATE-----\nx"),
            Ok(ServerTrust::Pem(_))
        ));
        let error = server_trust("-----BEGIN PRIVATE KEY-----\ncanary").unwrap_err();
        assert!(!format!("{error:?}").contains("canary"));
    }
}
