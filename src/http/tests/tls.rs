//! The client against real TLS servers: which certificates of the server it accepts, and which of its own it presents.

use super::*;
use crate::connection::Connection;
use crate::http::tls::Tls;
use rcgen::{BasicConstraints, CertificateParams, CertifiedIssuer, DnType, IsCa, KeyPair};
use rustls::pki_types::{CertificateDer, PrivatePkcs8KeyDer};
use rustls::server::WebPkiClientVerifier;
use rustls::{RootCertStore, ServerConfig, SupportedProtocolVersion};
use sha1::Sha1;
use sha2::{Digest, Sha256};
use std::fmt::Write as _;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpListener;
use tokio_rustls::TlsAcceptor;

/// A server of TLS with a certificate of its own authority.
struct Server {
    url: String,
    /// The authority, the certificate as PEM and as DER, and its public key as PEM.
    authority: String,
    pem: String,
    der: Vec<u8>,
    key: String,
}

impl Server {
    async fn start(names: &[&str], clients: bool, version: &'static SupportedProtocolVersion) -> Self {
        let mut params = CertificateParams::default();
        params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
        params.distinguished_name.push(DnType::CommonName, "authority of a test");
        let authority = CertifiedIssuer::self_signed(params, KeyPair::generate().unwrap()).unwrap();
        let key = KeyPair::generate().unwrap();
        let names = names.iter().map(|name| name.to_string()).collect::<Vec<_>>();
        let certificate = CertificateParams::new(names).unwrap().signed_by(&key, &authority).unwrap();
        let builder = ServerConfig::builder_with_provider(rustls::crypto::aws_lc_rs::default_provider().into());
        let builder = builder.with_protocol_versions(&[version]).unwrap();
        let builder = if clients {
            let mut roots = RootCertStore::empty();
            let known = std::fs::read("tests/certificates/authority.pem").unwrap();
            for der in crate::certificate::certificates(&known).unwrap() {
                roots.add(CertificateDer::from(der)).unwrap();
            }
            let provider = rustls::crypto::aws_lc_rs::default_provider().into();
            builder.with_client_cert_verifier(
                WebPkiClientVerifier::builder_with_provider(roots.into(), provider)
                    .build()
                    .unwrap(),
            )
        } else {
            builder.with_no_client_auth()
        };
        let config = builder.with_single_cert(
            vec![certificate.der().clone()],
            PrivatePkcs8KeyDer::from(key.serialize_der()).into(),
        );
        let acceptor = TlsAcceptor::from(Arc::new(config.unwrap()));
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let url = format!("https://localhost:{}", listener.local_addr().unwrap().port());
        tokio::spawn(async move {
            loop {
                let (stream, _) = listener.accept().await.unwrap();
                let acceptor = acceptor.clone();
                tokio::spawn(async move {
                    let Ok(mut stream) = acceptor.accept(stream).await else {
                        return;
                    };
                    let mut request = [0; 4096];
                    while !String::from_utf8_lossy(&request).contains("\r\n\r\n") {
                        if stream.read(&mut request).await.unwrap_or(0) == 0 {
                            return;
                        }
                    }
                    // The subject of the client's certificate is the answer.
                    let client = stream.get_ref().1.peer_certificates().map_or(0, <[_]>::len);
                    let answer = format!("HTTP/1.1 200 OK\r\nConnection: close\r\nContent-Length: 1\r\n\r\n{client}");
                    let _ = stream.write_all(answer.as_bytes()).await;
                    let _ = stream.shutdown().await;
                });
            }
        });
        Self {
            url,
            authority: authority.pem(),
            pem: certificate.pem(),
            der: certificate.der().to_vec(),
            key: key.public_key_pem(),
        }
    }

    async fn plain() -> Self {
        Self::start(&["localhost"], false, &rustls::version::TLS13).await
    }

    /// What a client with these options is answered.
    async fn ask(&self, options: &str) -> Result<String> {
        let connection = Connection::parse(&format!("URL={};AuthScheme=Anonymous;{options}", self.url), [])?;
        let client = Client::new(ClientOptions {
            tls: connection.tls().clone().into(),
            retry: RetryPolicy {
                transient_base: MS,
                ..RetryPolicy::default()
            },
            ..ClientOptions::site(connection.site().clone())
        })?;
        let response = client.send(&request(Safety::Read), &statement()).await?;
        Ok(String::from_utf8_lossy(&response.body).into_owned())
    }
}

fn hex(bytes: &[u8], separator: &str) -> String {
    let mut text = String::new();
    for byte in bytes {
        let _ = write!(text, "{byte:02X}{separator}");
    }
    text.trim_end_matches(separator).to_owned()
}

#[tokio::test]
async fn an_unknown_server_is_refused() {
    let server = Server::plain().await;
    let error = server.ask("").await.unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Tls, "{error}");
    assert!(error.hint_text().unwrap().contains("SSLServerCert"), "{error:?}");
    let other = Server::plain().await;
    for trust in [
        &other.authority,
        &other.pem,
        &other.key,
        &hex(&Sha256::digest(&other.der), ""),
    ] {
        let error = server.ask(&format!("SSLServerCert='{trust}'")).await.unwrap_err();
        assert_eq!(error.kind(), ErrorKind::Tls, "{error}");
    }
}

#[tokio::test]
async fn every_form_of_trust() {
    let server = Server::plain().await;
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("ca.pem");
    std::fs::write(&file, &server.authority).unwrap();
    for trust in [
        "*".to_owned(),
        server.authority.clone(),
        server.pem.clone(),
        server.key.clone(),
        file.to_str().unwrap().to_owned(),
        hex(&md5::Md5::digest(&server.der), ":"),
        hex(&Sha1::digest(&server.der), " "),
        hex(&Sha256::digest(&server.der), ""),
    ] {
        let answer = server.ask(&format!("SSLServerCert='{trust}'")).await;
        assert_eq!(answer.unwrap_or_else(|error| panic!("{trust}: {error}")), "0");
    }
}

#[tokio::test]
async fn an_authority_vouches_for_the_name_too_but_a_pinned_certificate_is_known() {
    let server = Server::start(&["jira.example.net"], false, &rustls::version::TLS12).await;
    let error = server
        .ask(&format!("SSLServerCert='{}'", server.authority))
        .await
        .unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Tls, "{error}");
    assert_eq!(server.ask(&format!("SSLServerCert='{}'", server.pem)).await.unwrap(), "0");
}

#[tokio::test]
async fn a_trust_that_cannot_be_read_is_an_option_error() {
    let server = Server::plain().await;
    for (trust, message) in [
        ("/no/such/file", "cannot read the file of SSLServerCert"),
        ("tests/certificates/key.xml", "neither a certificate nor a public key"),
        (
            "-----BEGIN CERTIFICATE-----\nAAAA\n-----END CERTIFICATE-----",
            "neither a certificate nor a public key",
        ),
    ] {
        let error = server.ask(&format!("SSLServerCert='{trust}'")).await.unwrap_err();
        assert!(error.message().contains(message), "{trust}: {error}");
    }
}

#[tokio::test]
async fn a_client_certificate_is_presented() {
    for version in [&rustls::version::TLS12, &rustls::version::TLS13] {
        let server = Server::start(&["localhost"], true, version).await;
        for (kind, file) in [
            ("PEMKEY_FILE", "client.pem"),
            ("PEMKEY_FILE", "client-pkcs1.pem"),
            ("PEMKEY_FILE", "curve-sec1.pem"),
            ("PFXFILE", "client.p12"),
            ("JKSFILE", "two.jks"),
        ] {
            let options = format!(
                "SSLServerCert=*;SSLClientCert=tests/certificates/{file};SSLClientCertType={kind};SSLClientCertPassword=test-only"
            );
            let answer = server.ask(&options).await.unwrap_or_else(|error| panic!("{file}: {error}"));
            assert_ne!(answer, "0", "{file}");
        }
        let error = server.ask("SSLServerCert=*").await.unwrap_err();
        assert_eq!(error.kind(), ErrorKind::Tls, "{error}");
        assert!(error.hint_text().unwrap().contains("SSLClientCert"), "{error:?}");
    }
}

#[test]
fn the_clients_of_a_session_open_the_store_once() {
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("client.pem");
    std::fs::copy("tests/certificates/client.pem", &file).unwrap();
    let text = format!("SSLClientCert={};SSLClientCertType=PEMKEY_FILE", file.display());
    let connection = Connection::parse(&format!("URL=https://localhost;AuthScheme=Anonymous;{text}"), []).unwrap();
    let tls = Tls::from(connection.tls().clone());
    assert!(tls.clone().config().unwrap().is_some());
    std::fs::remove_file(&file).unwrap();
    assert!(tls.clone().config().unwrap().is_some());
    let error = Tls::from(connection.tls().clone()).config().unwrap_err();
    assert!(error.message().contains("cannot read the file of SSLClientCert"), "{error}");
}

#[tokio::test]
async fn the_subject_selects_the_client_certificate() {
    let server = Server::start(&["localhost"], true, &rustls::version::TLS13).await;
    let ask = async |subject: &str| {
        let options = format!(
            "SSLServerCert=*;SSLClientCert=tests/certificates/two.jks;SSLClientCertType=JKSFILE;SSLClientCertPassword=test-only;\
             SSLClientCertSubject='{subject}'"
        );
        server.ask(&options).await
    };
    assert_ne!(ask("CN=jsmql client").await.unwrap(), "0");
    let error = ask("CN=nobody").await.unwrap_err();
    assert_eq!(error.message(), "SSLClientCert holds no certificate of that subject");
}

#[tokio::test]
async fn what_is_no_client_certificate_says_so() {
    let server = Server::plain().await;
    let folder = tempfile::tempdir().unwrap();
    let mixed = folder.path().join("mixed.pem");
    let certificate = std::fs::read_to_string("tests/certificates/authority.pem").unwrap();
    let key = std::fs::read_to_string("tests/certificates/id_rsa").unwrap();
    std::fs::write(&mixed, certificate + &key).unwrap();
    for (kind, file, message) in [
        ("P7BFILE", "tests/certificates/chain.p7b", "holds no private key"),
        (
            "PUBLIC_KEY_FILE",
            "tests/certificates/certificate.pem",
            "holds no private key",
        ),
        ("PPKFILE", "tests/certificates/key.ppk", "holds no certificate"),
        ("PEMKEY_FILE", mixed.to_str().unwrap(), "does not belong to its certificate"),
    ] {
        let options = format!("SSLClientCert={file};SSLClientCertType={kind}");
        let error = server.ask(&options).await.unwrap_err();
        assert!(error.message().contains(message), "{file}: {error}");
    }
}
