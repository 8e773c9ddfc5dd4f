//! The certificates of a server.

use std::path::Path;

use tonic::transport::{Certificate, Identity, ServerTlsConfig};
use zeroize::Zeroizing;

use super::options::TlsFiles;
use crate::error::{Error, ErrorKind, Result};

/// The configuration that the files make.
pub(super) fn config(files: &TlsFiles) -> Result<ServerTlsConfig> {
    let certificate = read(&files.certificate, "CERTIFICATE-----", "--tls-cert")?;
    let key = read(&files.key, "PRIVATE KEY-----", "--tls-key")?;
    let config = ServerTlsConfig::new().identity(Identity::from_pem(&*certificate, &*key));
    Ok(match &files.client_authority {
        None => config,
        Some(path) => {
            let authority = read(path, "CERTIFICATE-----", "--tls-client-ca")?;
            config.client_ca_root(Certificate::from_pem(&*authority))
        }
    })
}

/// A PEM file that holds what the option is for. What TLS makes of it shows when the server starts.
fn read(path: &Path, what: &str, option: &str) -> Result<Zeroizing<String>> {
    let text = crate::profile::text::read(path).map_err(|error| {
        Error::new(
            ErrorKind::Io,
            format!("cannot read the file of {option}, {}: {error}", path.display()),
        )
        .hint("give the path of a PEM file")
    })?;
    match text.contains(what) {
        true => Ok(text),
        false => Err(Error::new(
            ErrorKind::Option,
            format!(
                "{} of {option} holds no {}",
                path.display(),
                what.trim_end_matches('-').to_lowercase()
            ),
        )
        .hint("give a PEM file; a key must not be encrypted")),
    }
}
