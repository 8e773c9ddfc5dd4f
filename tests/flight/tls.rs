//! Encryption, and clients that show a certificate.

use arrow_flight::sql::client::FlightSqlServiceClient;
use jsmql::demo::DemoOptions;
use jsmql::flight::{Access, ServeOptions, Server, TlsFiles};
use jsmql::{Connection, Error};
use rcgen::{BasicConstraints, CertificateParams, CertifiedIssuer, DnType, IsCa, KeyPair};
use tonic::transport::{Certificate, Channel, ClientTlsConfig, Identity};

use super::support::*;

/// An authority, and what it vouches for.
struct Authority {
    folder: tempfile::TempDir,
    issuer: CertifiedIssuer<'static, KeyPair>,
}

impl Authority {
    fn new() -> Self {
        let mut params = CertificateParams::default();
        params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
        params.distinguished_name.push(DnType::CommonName, "authority of a test");
        let issuer = CertifiedIssuer::self_signed(params, KeyPair::generate().unwrap()).unwrap();
        let folder = tempfile::tempdir().unwrap();
        std::fs::write(folder.path().join("authority.pem"), issuer.pem()).unwrap();
        Self { folder, issuer }
    }

    /// A certificate for a name, and its key.
    fn vouch(&self, name: &str) -> (String, String) {
        let key = KeyPair::generate().unwrap();
        let params = CertificateParams::new(vec![name.to_owned()]).unwrap();
        (params.signed_by(&key, &self.issuer).unwrap().pem(), key.serialize_pem())
    }

    /// The files of a server.
    fn files(&self, clients: bool) -> TlsFiles {
        let (certificate, key) = self.vouch("localhost");
        let path = |name: &str| self.folder.path().join(name);
        std::fs::write(path("certificate.pem"), certificate).unwrap();
        std::fs::write(path("key.pem"), key).unwrap();
        TlsFiles {
            certificate: path("certificate.pem"),
            key: path("key.pem"),
            client_authority: clients.then(|| path("authority.pem")),
        }
    }

    fn trusted(&self) -> ClientTlsConfig {
        ClientTlsConfig::new().ca_certificate(Certificate::from_pem(self.issuer.pem()))
    }
}

async fn connect(served: &Served, config: ClientTlsConfig) -> Result<Client, tonic::transport::Error> {
    let channel = Channel::from_shared(served.url.clone())
        .unwrap()
        .tls_config(config)?
        .connect()
        .await?;
    Ok(FlightSqlServiceClient::new(channel))
}

#[tokio::test]
async fn encryption_is_used_and_the_server_shows_its_certificate() {
    let authority = Authority::new();
    let options = ServeOptions {
        tls: Some(authority.files(false)),
        access: Access::PassThrough,
        ..ServeOptions::default()
    };
    let served = serve(DemoOptions::fixed(), options).await;
    assert!(served.url.starts_with("https://"));
    let mut client = connect(&served, authority.trusted()).await.unwrap();
    let (user, token) = jsmql::demo::account(3);
    client.handshake(&user, &token).await.unwrap();
    assert_eq!(cell(&mut client, "SELECT count(*) FROM service_desks").await, "3");
    assert!(
        connect(&served, Authority::new().trusted()).await.is_err(),
        "another authority"
    );
    // Nothing is said in the clear.
    let plain = Channel::from_shared(served.url.replace("https", "http"))
        .unwrap()
        .connect()
        .await;
    if let Ok(channel) = plain {
        assert!(query(&mut FlightSqlServiceClient::new(channel), "SELECT 1").await.is_err());
    }
}

#[tokio::test]
async fn clients_show_a_certificate_where_the_server_wants_one() {
    let authority = Authority::new();
    let options = ServeOptions {
        tls: Some(authority.files(true)),
        ..ServeOptions::default()
    };
    let served = serve(DemoOptions::fixed(), options).await;
    let (certificate, key) = authority.vouch("client");
    let known = authority.trusted().identity(Identity::from_pem(certificate, key));
    let mut client = connect(&served, known).await.unwrap();
    assert_eq!(cell(&mut client, "SELECT count(*) FROM service_desks").await, "3");
    let (certificate, key) = Authority::new().vouch("client");
    let stranger = authority.trusted().identity(Identity::from_pem(certificate, key));
    for config in [stranger, authority.trusted()] {
        // TLS 1.3 lets a client believe that it is in until the server has read its certificate.
        if let Ok(mut client) = connect(&served, config).await {
            assert!(query(&mut client, "SELECT 1").await.is_err());
        }
    }
    let asked = served.asked();
    assert_eq!(asked, 1, "only the known client got that far");
}

#[tokio::test]
async fn a_server_that_would_be_open_to_the_network_does_not_start() {
    let authority = Authority::new();
    let bind = |options: ServeOptions| async {
        let connection = Connection::parse("URL=https://acme.atlassian.net;User=a@b.example;APIToken=t", []).unwrap();
        let bind = "0.0.0.0:0".parse().unwrap();
        Server::bind(connection, ServeOptions { bind, ..options }).await
    };
    let message = |outcome: Result<Server, Error>| outcome.err().unwrap().message().to_owned();
    assert!(message(bind(ServeOptions::default()).await).contains("without encryption"));
    let files = authority.files(false);
    let open = ServeOptions {
        tls: Some(files.clone()),
        ..ServeOptions::default()
    };
    assert!(message(bind(open).await).contains("do not say who they are"));
    let good = ServeOptions {
        tls: Some(authority.files(true)),
        ..ServeOptions::default()
    };
    assert!(bind(good).await.is_ok());

    let pair = |certificate: &std::path::Path, key: &std::path::Path| ServeOptions {
        tls: Some(TlsFiles {
            certificate: certificate.to_owned(),
            key: key.to_owned(),
            client_authority: None,
        }),
        access: Access::PassThrough,
        ..ServeOptions::default()
    };
    let none = authority.folder.path().join("none.pem");
    assert!(message(bind(pair(&none, &files.key)).await).contains("--tls-cert"));
    assert!(message(bind(pair(&files.certificate, &files.certificate)).await).contains("holds no private key"));
    let (_, other) = authority.vouch("other");
    std::fs::write(&none, other).unwrap();
    assert!(message(bind(pair(&files.certificate, &none)).await).contains("cannot be used"));
}
