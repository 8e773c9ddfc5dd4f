//! Stores made by `openssl`, `keytool`, `ssh-keygen` and `puttygen` (`tests/certificates/make.sh`), each read as its type.

use std::path::{Path, PathBuf};

use base64::Engine as _;
use rsa::pkcs8::DecodePublicKey;
use rsa::traits::PublicKeyParts;
use sha1::Sha1;

use super::*;
use crate::connection::Connection;

const PASSWORD: &str = "test-only";
const CLIENT: &str = "CN=jsmql client";

fn path(file: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/certificates").join(file)
}

/// The store as an option of a connection string sets it.
fn store(kind: &str, content: &str, password: &str, subject: &str) -> Result<Entry> {
    let text = format!(
        "URL=https://jira.example.net;AuthScheme=Anonymous;SSLClientCert=\"{}\";SSLClientCertType={kind};\
         SSLClientCertPassword={password};SSLClientCertSubject='{subject}'",
        content.replace('"', "\"\"")
    );
    let connection = Connection::parse(&text, [])?;
    open(connection.tls().client.as_ref().expect("SSLClientCert is set"))
}

fn file(kind: &str, name: &str, password: &str, subject: &str) -> Result<Entry> {
    store(kind, path(name).to_str().unwrap(), password, subject)
}

fn blob(kind: &str, name: &str, password: &str) -> Result<Entry> {
    let bytes = std::fs::read(path(name)).unwrap();
    store(kind, &base64::engine::general_purpose::STANDARD.encode(bytes), password, "*")
}

/// Whether the key signs for the public key of the client.
fn is_client(entry: &Entry) -> bool {
    let pem = std::fs::read_to_string(path("public.pem")).unwrap();
    let public = rsa::PublicKey::from_public_key_pem(&pem).unwrap();
    assert!(public.size() == 256);
    let signature = entry.rsa().unwrap().unwrap().sign_sha1(b"text").unwrap();
    public.pkcs1v15_verify::<Sha1>(b"text", &signature).is_ok()
}

#[test]
fn private_keys_of_every_format() {
    for (kind, name, password) in [
        ("PEMKEY_FILE", "client.pem", ""),
        ("PEMKEY_FILE", "client-pkcs1.pem", ""),
        ("PEMKEY_FILE", "client-encrypted.pem", PASSWORD),
        ("PEMKEY_FILE", "id_rsa", ""),
        ("PEMKEY_FILE", "id_rsa_encrypted", PASSWORD),
        ("PFXFILE", "client.p12", PASSWORD),
        ("PFXFILE", "client-legacy.p12", PASSWORD),
        ("PPKFILE", "key.ppk", ""),
        ("PPKFILE", "key-v2.ppk", ""),
        ("PPKFILE", "key-encrypted.ppk", PASSWORD),
        ("PPKFILE", "key-v2-encrypted.ppk", PASSWORD),
        ("XMLFILE", "key.xml", ""),
        ("JWKFILE", "key.jwk", ""),
    ] {
        let entry = file(kind, name, password, "*").unwrap_or_else(|error| panic!("{name}: {error}"));
        assert!(is_client(&entry), "{name}");
        let (word, _) = kind.split_at(kind.len() - 4);
        let entry = blob(&format!("{word}BLOB"), name, password).unwrap_or_else(|error| panic!("{name}: {error}"));
        assert!(is_client(&entry), "{name} as a blob");
    }
    for (kind, name) in [("PFXFILE", "two.p12"), ("JKSFILE", "two.jks"), ("JKSFILE", "two.p12")] {
        let entry = file(kind, name, PASSWORD, CLIENT).unwrap_or_else(|error| panic!("{name}: {error}"));
        assert!(is_client(&entry), "{name}");
        assert!(!is_client(&file(kind, name, PASSWORD, "CN=other client").unwrap()), "{name}");
    }
    assert!(
        is_client(&blob("JKSBLOB", "two.jks", PASSWORD).unwrap()),
        "client precedes other"
    );
}

#[test]
fn text_formats_are_taken_as_they_are() {
    for (kind, name) in [
        ("PEMKEY_BLOB", "client.pem"),
        ("PPKBLOB", "key.ppk"),
        ("XMLBLOB", "key.xml"),
        ("JWKBLOB", "key.jwk"),
    ] {
        let text = std::fs::read_to_string(path(name)).unwrap();
        assert!(is_client(&store(kind, &text, "", "*").unwrap()), "{name}");
    }
}

#[test]
fn chains_begin_with_the_certificate_of_the_key() {
    let certificate = std::fs::read(path("certificate.der")).unwrap();
    for (kind, name, length) in [
        ("PEMKEY_FILE", "client.pem", 2),
        ("PFXFILE", "client.p12", 2),
        ("PFXFILE", "client-legacy.p12", 1),
        ("JKSFILE", "two.jks", 2),
    ] {
        let entry = file(kind, name, PASSWORD, CLIENT).unwrap();
        assert_eq!((entry.chain.len(), &entry.chain[0]), (length, &certificate), "{name}");
    }
    for name in ["curve.pem", "curve-sec1.pem"] {
        let entry = file("PEMKEY_FILE", name, "", "*").unwrap();
        assert_eq!(entry.chain.len(), 1);
        assert!(entry.rsa().unwrap().is_err(), "{name}");
    }
}

#[test]
fn what_holds_no_private_key() {
    for (kind, name, certificates) in [
        ("PUBLIC_KEY_FILE", "certificate.pem", 1),
        ("PUBLIC_KEY_FILE", "certificate.der", 1),
        ("PUBLIC_KEY_FILE", "public.pem", 0),
        ("SSHPUBLIC_KEY_FILE", "id_rsa.pub", 0),
        ("SSHPUBLIC_KEY_FILE", "id_ed25519.pub", 0),
        ("P7BFILE", "chain.p7b", 1),
        ("P7BFILE", "chain-pem.p7b", 1),
        ("P10BFILE", "chain.p7b", 1),
        ("JKSFILE", "trust.jks", 1),
        ("XMLFILE", "public.xml", 0),
    ] {
        let entry = file(kind, name, PASSWORD, "*").unwrap_or_else(|error| panic!("{name}: {error}"));
        assert!(entry.key.is_none() && entry.rsa().is_none(), "{name}");
        assert_eq!(entry.chain.len(), certificates, "{name}");
    }
    for (kind, name) in [
        ("PUBLIC_KEY_BLOB", "certificate.pem"),
        ("SSHPUBLIC_KEY_BLOB", "id_rsa.pub"),
        ("P7BBLOB", "chain.p7b"),
    ] {
        assert!(blob(kind, name, "").unwrap().key.is_none(), "{name}");
    }
}

#[test]
fn the_subject_selects() {
    for subject in [
        "E=ann@acme.example, CN=jsmql client, OU=Help desk, O=\"Acme, Inc\", S=New York, C=US",
        "C=US,S=New York,O=\"Acme, Inc\",OU=Help desk,CN=jsmql client,E=ann@acme.example",
        "CN=jsmql client",
        "OU=help desk",
        "ann@acme",
        "*",
    ] {
        assert!(
            is_client(&file("JKSFILE", "two.jks", PASSWORD, subject).unwrap()),
            "{subject}"
        );
    }
    // A part of both: the first of the store.
    assert!(is_client(&file("JKSFILE", "two.jks", PASSWORD, "O=\"Acme, Inc\"").unwrap()));
    // The whole of the second goes before a part of the first.
    assert!(!is_client(
        &file("JKSFILE", "two.jks", PASSWORD, "CN=other client, O=\"Acme, Inc\"").unwrap()
    ));
    let error = file("PFXFILE", "two.p12", PASSWORD, "CN=nobody").unwrap_err();
    assert_eq!(error.message(), "SSLClientCert holds no certificate of that subject");
    assert!(
        error.hint_text().unwrap().contains("CN=other client"),
        "{:?}",
        error.hint_text()
    );
}

#[test]
fn what_cannot_be_opened_says_why() {
    for (kind, name, password, message) in [
        ("PFXFILE", "client.p12", "wrong", "SSLClientCertPassword is wrong"),
        ("PFXFILE", "client.p12", "", "protected by a password"),
        ("PFXFILE", "client-legacy.p12", "wrong", "SSLClientCertPassword is wrong"),
        ("PFXFILE", "client.pem", "", "cannot be read as PFXFILE"),
        ("JKSFILE", "two.jks", "wrong", "SSLClientCertPassword is wrong"),
        ("JKSFILE", "two.jks", "", "protected by a password"),
        ("JKSFILE", "client.pem", PASSWORD, "cannot be read as JKSFILE"),
        (
            "PEMKEY_FILE",
            "client-encrypted.pem",
            "wrong",
            "SSLClientCertPassword is wrong",
        ),
        ("PEMKEY_FILE", "client-encrypted.pem", "", "protected by a password"),
        (
            "PEMKEY_FILE",
            "client-traditional.pem",
            PASSWORD,
            "encrypted in the traditional way",
        ),
        ("PEMKEY_FILE", "id_rsa_encrypted", "wrong", "SSLClientCertPassword is wrong"),
        ("PEMKEY_FILE", "id_ed25519", "", "not an RSA key"),
        ("PEMKEY_FILE", "public.pem", "", "neither a private key nor a certificate"),
        ("PEMKEY_FILE", "client.p12", "", "neither a private key nor a certificate"),
        ("PPKFILE", "key-encrypted.ppk", "wrong", "SSLClientCertPassword is wrong"),
        ("PPKFILE", "key-v2-encrypted.ppk", "wrong", "SSLClientCertPassword is wrong"),
        ("PPKFILE", "key-encrypted.ppk", "", "protected by a password"),
        ("PPKFILE", "client.pem", "", "no private key of PuTTY"),
        ("XMLFILE", "client.pem", "", "cannot be read as XMLFILE"),
        ("JWKFILE", "client.pem", "", "no JSON Web Key"),
        ("P7BFILE", "client.pem", "", "no PKCS #7"),
        ("SSHPUBLIC_KEY_FILE", "client.pem", "", "no public key of OpenSSH"),
        ("PUBLIC_KEY_FILE", "key.xml", "", "no certificate and no public key"),
        ("BCFKSFILE", "two.jks", "", "Bouncy Castle"),
        ("PFXFILE", "missing.p12", "", "cannot read the file of SSLClientCert"),
    ] {
        let error = file(kind, name, password, "*").unwrap_err();
        assert!(error.message().contains(message), "{kind} {name}: {error}\n  lacks {message}");
        assert!(error.hint_text().is_some(), "{kind} {name}");
    }
    if cfg!(not(any(windows, target_os = "macos"))) {
        let error = store("USER", "MY", "", "*").unwrap_err();
        assert!(error.message().contains("there is no USER certificate store"), "{error}");
    }
    let error = store("PFXBLOB", "not base64!", "", "*").unwrap_err();
    assert_eq!(error.message(), "SSLClientCert is not base64");
    let bomb = "<!DOCTYPE a [<!ENTITY x \"y\">]><RSAKeyValue><Modulus>&x;</Modulus></RSAKeyValue>";
    let error = store("XMLBLOB", bomb, "", "*").unwrap_err();
    assert!(error.message().contains("document type"), "{error}");
}
