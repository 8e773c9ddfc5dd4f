//! TLS: which certificate we present, and which certificates of the server we accept.
//!
//! Without an option about it, reqwest's own configuration is used: the system's trust, TLS 1.2 and later. This module makes the
//! configuration for the rest.

use crate::certificate::{self, PrivateKey};
use crate::connection::{ServerTrust, StoreOptions, TlsOptions};
use crate::error::{Error, ErrorKind, Result};
use md5::Md5;
use rustls::client::WebPkiServerVerifier;
use rustls::client::danger::{HandshakeSignatureValid, ServerCertVerified, ServerCertVerifier};
use rustls::crypto::{CryptoProvider, verify_tls12_signature, verify_tls13_signature};
use rustls::pki_types::{
    CertificateDer, PrivateKeyDer, PrivatePkcs1KeyDer, PrivatePkcs8KeyDer, PrivateSec1KeyDer, ServerName, UnixTime,
};
use rustls::{ClientConfig, DigitallySignedStruct, RootCertStore, SignatureScheme};
use sha1::Sha1;
use sha2::{Digest, Sha256};
use std::fmt;
use std::sync::{Arc, Mutex, PoisonError};

/// What is presented to the server and accepted from it. Clones share the configuration, so that the store of the client certificate
/// is opened once for all clients of a session: some of them are made in the middle of a request, and the operating system may ask a
/// person before it opens its own.
#[derive(Clone, Default)]
pub(crate) struct Tls(Arc<Made>);

#[derive(Default)]
struct Made {
    options: TlsOptions,
    /// None: not made yet.
    config: Mutex<Option<Option<ClientConfig>>>,
}

impl From<TlsOptions> for Tls {
    fn from(options: TlsOptions) -> Self {
        Self(Arc::new(Made {
            options,
            config: Mutex::default(),
        }))
    }
}

impl fmt::Debug for Tls {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.options.fmt(f)
    }
}

impl Tls {
    /// The same trust, without the certificate that the site alone may see.
    pub(super) fn anonymous(&self) -> Self {
        TlsOptions {
            client: None,
            ..self.0.options.clone()
        }
        .into()
    }

    /// The configuration that the options ask for. None: they ask for nothing.
    pub(super) fn config(&self) -> Result<Option<ClientConfig>> {
        let mut made = self.0.config.lock().unwrap_or_else(PoisonError::into_inner);
        Ok(match &*made {
            Some(config) => config.clone(),
            None => made.insert(config(&self.0.options)?).clone(),
        })
    }
}

fn config(options: &TlsOptions) -> Result<Option<ClientConfig>> {
    if options.client.is_none() && options.server == ServerTrust::System {
        return Ok(None);
    }
    let provider = Arc::new(rustls::crypto::aws_lc_rs::default_provider());
    let verifier = Verifier::new(&options.server, &provider)?;
    let builder = ClientConfig::builder_with_provider(provider)
        .with_protocol_versions(&[&rustls::version::TLS13, &rustls::version::TLS12])
        .map_err(|error| internal(&error))?
        .dangerous()
        .with_custom_certificate_verifier(Arc::new(verifier));
    let mut config = match &options.client {
        None => builder.with_no_client_auth(),
        Some(store) => {
            let (chain, key) = identity(store)?;
            builder.with_client_auth_cert(chain, key).map_err(|error| {
                let message = match error {
                    rustls::Error::InconsistentKeys(_) => {
                        "the key in SSLClientCert does not belong to its certificate".to_owned()
                    }
                    error => format!("SSLClientCert cannot be used: {error}"),
                };
                Error::new(ErrorKind::Option, message).hint("check that certificate and key were made together")
            })?
        }
    };
    config.alpn_protocols = vec![b"h2".to_vec(), b"http/1.1".to_vec()];
    Ok(Some(config))
}

/// The client certificate with its chain, and its key.
fn identity(store: &StoreOptions) -> Result<(Vec<CertificateDer<'static>>, PrivateKeyDer<'static>)> {
    let entry = certificate::open(store)?;
    let lacks = |what| {
        Error::new(ErrorKind::Option, format!("{} holds no {what}: a client certificate needs one", store.option))
            .hint("use a PFX, JKS or PEM file that holds the certificate and its private key; SSLClientCertSubject selects among several")
    };
    let key = match entry.key.ok_or_else(|| lacks("private key"))? {
        PrivateKey::Pkcs8(der) => PrivatePkcs8KeyDer::from(der.to_vec()).into(),
        PrivateKey::Pkcs1(der) => PrivatePkcs1KeyDer::from(der.to_vec()).into(),
        PrivateKey::Sec1(der) => PrivateSec1KeyDer::from(der.to_vec()).into(),
    };
    if entry.chain.is_empty() {
        return Err(lacks("certificate"));
    }
    Ok((entry.chain.into_iter().map(CertificateDer::from).collect(), key))
}

/// Accepts what an option names, and otherwise what the system trusts.
#[derive(Debug)]
struct Verifier {
    extra: Extra,
    system: Result<rustls_platform_verifier::Verifier, rustls::Error>,
    provider: Arc<CryptoProvider>,
}

/// What is accepted besides what the system trusts.
#[derive(Debug)]
enum Extra {
    Nothing,
    Anything,
    /// These very certificates whatever their name and dates, and those that they vouch for.
    Certificates(Vec<Vec<u8>>, Option<Arc<WebPkiServerVerifier>>),
    /// Any certificate of this key.
    Key(Vec<u8>),
    Thumbprint(Vec<u8>),
}

impl Verifier {
    fn new(trust: &ServerTrust, provider: &Arc<CryptoProvider>) -> Result<Self> {
        let extra = match trust {
            ServerTrust::System => Extra::Nothing,
            ServerTrust::Anything => Extra::Anything,
            ServerTrust::Thumbprint(bytes) => Extra::Thumbprint(bytes.clone()),
            ServerTrust::Pem(text) => Extra::read(text.as_bytes(), provider)?,
            ServerTrust::File(path) => {
                let text = std::fs::read(path).map_err(|error| {
                    Error::new(ErrorKind::Io, format!("cannot read the file of SSLServerCert: {error}"))
                        .hint("it takes a PEM file, PEM text, a thumbprint in hexadecimal, or *")
                })?;
                Extra::read(&text, provider)?
            }
        };
        Ok(Self {
            extra,
            // A machine without any trusted certificates may still reach a site that an option vouches for.
            system: rustls_platform_verifier::Verifier::new(Arc::clone(provider)),
            provider: Arc::clone(provider),
        })
    }
}

impl Extra {
    fn read(text: &[u8], provider: &Arc<CryptoProvider>) -> Result<Self> {
        if let Some(key) = certificate::public_key(text) {
            return Ok(Self::Key(key));
        }
        let Some(certificates) = certificate::certificates(text) else {
            return Err(Error::new(
                ErrorKind::Option,
                "SSLServerCert holds neither a certificate nor a public key as PEM",
            )
            .hint("it takes a PEM file, PEM text, a thumbprint in hexadecimal, or *"));
        };
        let mut roots = RootCertStore::empty();
        roots.add_parsable_certificates(certificates.iter().map(|der| CertificateDer::from(der.clone())));
        let authority = WebPkiServerVerifier::builder_with_provider(roots.into(), Arc::clone(provider)).build();
        Ok(Self::Certificates(certificates, authority.ok()))
    }

    fn accepts(&self, certificate: &[u8]) -> bool {
        match self {
            Self::Nothing => false,
            Self::Anything => true,
            Self::Certificates(known, _) => known.iter().any(|known| known == certificate),
            Self::Key(key) => certificate::key_of(certificate).as_ref() == Some(key),
            Self::Thumbprint(print) => match print.len() {
                16 => Md5::digest(certificate)[..] == print[..],
                20 => Sha1::digest(certificate)[..] == print[..],
                _ => Sha256::digest(certificate)[..] == print[..],
            },
        }
    }
}

impl ServerCertVerifier for Verifier {
    fn verify_server_cert(
        &self,
        end_entity: &CertificateDer<'_>,
        intermediates: &[CertificateDer<'_>],
        server_name: &ServerName<'_>,
        ocsp: &[u8],
        now: UnixTime,
    ) -> Result<ServerCertVerified, rustls::Error> {
        if self.extra.accepts(end_entity) {
            return Ok(ServerCertVerified::assertion());
        }
        if let Extra::Certificates(_, Some(authority)) = &self.extra
            && let Ok(verified) = authority.verify_server_cert(end_entity, intermediates, server_name, ocsp, now)
        {
            return Ok(verified);
        }
        match &self.system {
            Ok(system) => system.verify_server_cert(end_entity, intermediates, server_name, ocsp, now),
            Err(error) => Err(error.clone()),
        }
    }

    fn verify_tls12_signature(
        &self,
        message: &[u8],
        certificate: &CertificateDer<'_>,
        signature: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, rustls::Error> {
        verify_tls12_signature(
            message,
            certificate,
            signature,
            &self.provider.signature_verification_algorithms,
        )
    }

    fn verify_tls13_signature(
        &self,
        message: &[u8],
        certificate: &CertificateDer<'_>,
        signature: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, rustls::Error> {
        verify_tls13_signature(
            message,
            certificate,
            signature,
            &self.provider.signature_verification_algorithms,
        )
    }

    fn supported_verify_schemes(&self) -> Vec<SignatureScheme> {
        self.provider.signature_verification_algorithms.supported_schemes()
    }
}

fn internal(error: &rustls::Error) -> Error {
    Error::new(ErrorKind::Internal, format!("TLS cannot be set up: {error}"))
}
