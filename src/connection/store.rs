//! Where a certificate or key is kept: CertificateStore…, and SSLClientCert…, as one value each.
//!
//! It knows the words, not the formats: nothing is opened or decoded here.

use super::secret::Secret;
use super::values::OptionValues;
use crate::error::{Error, ErrorKind, Result};

/// What a store holds and how it is written.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum StoreFormat {
    /// The certificate store of the operating system: of the account, or of the machine.
    System,
    /// PKCS #12.
    Pkcs12,
    /// Java key store.
    Jks,
    /// Private keys and certificates as PEM.
    Pem,
    /// One certificate or public key, PEM or DER.
    Public,
    /// A public key as OpenSSH writes it.
    SshPublic,
    /// Certificates in a PKCS #7 envelope.
    Pkcs7,
    /// A private key as PuTTY writes it.
    Ppk,
    /// An RSA key as .NET writes it.
    Xml,
    /// An RSA key as JOSE writes it.
    Jwk,
    /// Bouncy Castle's key store.
    Bcfks,
}

/// Every word of CertificateStoreType and SSLClientCertType, with what it means. P10BFILE is how one form spells P7BFILE.
const KINDS: &[(&str, StoreFormat, bool)] = &[
    ("USER", StoreFormat::System, true),
    ("MACHINE", StoreFormat::System, true),
    ("PFXFILE", StoreFormat::Pkcs12, true),
    ("PFXBLOB", StoreFormat::Pkcs12, false),
    ("JKSFILE", StoreFormat::Jks, true),
    ("JKSBLOB", StoreFormat::Jks, false),
    ("PEMKEY_FILE", StoreFormat::Pem, true),
    ("PEMKEY_BLOB", StoreFormat::Pem, false),
    ("PUBLIC_KEY_FILE", StoreFormat::Public, true),
    ("PUBLIC_KEY_BLOB", StoreFormat::Public, false),
    ("SSHPUBLIC_KEY_FILE", StoreFormat::SshPublic, true),
    ("SSHPUBLIC_KEY_BLOB", StoreFormat::SshPublic, false),
    ("P7BFILE", StoreFormat::Pkcs7, true),
    ("P7BBLOB", StoreFormat::Pkcs7, false),
    ("P10BFILE", StoreFormat::Pkcs7, true),
    ("PPKFILE", StoreFormat::Ppk, true),
    ("PPKBLOB", StoreFormat::Ppk, false),
    ("XMLFILE", StoreFormat::Xml, true),
    ("XMLBLOB", StoreFormat::Xml, false),
    ("JWKFILE", StoreFormat::Jwk, true),
    ("JWKBLOB", StoreFormat::Jwk, false),
    ("BCFKSFILE", StoreFormat::Bcfks, true),
    ("BCFKSBLOB", StoreFormat::Bcfks, false),
];

/// The bytes of a store, or where they are.
#[derive(Debug, Clone)]
pub(crate) enum StorePlace {
    /// A file, or the name of a store of the operating system, where empty is the usual one. Not known to exist, and kept like a
    /// secret: with the wrong type it may be the content.
    File(Secret),
    /// The content itself: base64, or text where the format is text.
    Blob(Secret),
}

/// A certificate store and which of its entries is meant.
#[derive(Debug, Clone)]
pub(crate) struct StoreOptions {
    /// The option that holds the store, for messages.
    pub(crate) option: &'static str,
    /// The type as the option spells it, for messages.
    pub(crate) kind: &'static str,
    pub(crate) format: StoreFormat,
    pub(crate) place: StorePlace,
    pub(crate) password: Option<Secret>,
    /// The whole subject or a part of it; `*` is the first entry.
    pub(crate) subject: String,
}

/// The names of the options that describe one store.
pub(super) struct StoreNames {
    pub(super) content: &'static str,
    pub(super) kind: &'static str,
    pub(super) password: &'static str,
    pub(super) subject: &'static str,
}

/// The store of a TLS client certificate.
pub(super) const CLIENT: StoreNames = StoreNames {
    content: "SSLClientCert",
    kind: "SSLClientCertType",
    password: "SSLClientCertPassword",
    subject: "SSLClientCertSubject",
};

/// The store of the key that signs OAuth 1.0 requests.
pub(super) const SIGNING: StoreNames = StoreNames {
    content: "CertificateStore",
    kind: "CertificateStoreType",
    password: "CertificateStorePassword",
    subject: "CertificateSubject",
};

/// The store that these options describe. None: no store is set.
pub(super) fn store(values: &OptionValues, names: &StoreNames) -> Result<Option<StoreOptions>> {
    let kind = values.text(names.kind);
    let known = KINDS.iter().find(|(word, ..)| *word == kind);
    let system = matches!(known, Some((_, StoreFormat::System, _)));
    let content = match values.filled(names.content) {
        Some(content) => content,
        // The store of the operating system that keeps one's own certificates.
        None if system => "",
        None => {
            let orphan = [names.kind, names.password, names.subject]
                .into_iter()
                .find(|name| values.differs(name));
            return match orphan {
                None => Ok(None),
                Some(name) => Err(
                    Error::new(ErrorKind::Option, format!("{name} is set without {}", names.content)).hint(format!(
                        "set {}, or leave {name} out ({})",
                        names.content,
                        values.source(name)
                    )),
                ),
            };
        }
    };
    let Some(&(kind, format, is_file)) = known else {
        return Err(
            Error::new(ErrorKind::Option, format!("{} is set without {}", names.content, names.kind)).hint(format!(
                "say what {} holds, such as {}=PEMKEY_FILE",
                names.content, names.kind
            )),
        );
    };
    if system && values.filled(names.password).is_some() {
        return Err(Error::new(
            ErrorKind::Option,
            format!("{} is set, but the {kind} certificate store has no password", names.password),
        )
        .hint(format!("leave {} out", names.password)));
    }
    Ok(Some(StoreOptions {
        option: names.content,
        kind,
        format,
        place: if is_file {
            StorePlace::File(content.into())
        } else {
            StorePlace::Blob(content.into())
        },
        password: values.filled(names.password).map(Secret::from),
        subject: values.filled(names.subject).unwrap_or("*").to_owned(),
    }))
}

#[cfg(test)]
mod tests {
    use super::super::option::OptionKind;
    use super::super::registry::row;
    use super::*;

    #[test]
    fn every_word_of_the_options_has_a_meaning() {
        for names in [CLIENT, SIGNING] {
            let OptionKind::Choice(words) = row(names.kind).kind else {
                panic!("{} is no choice", names.kind)
            };
            let known: Vec<_> = KINDS.iter().map(|(word, ..)| *word).collect();
            assert_eq!(words, known);
        }
    }

    #[test]
    fn a_store_is_told_by_its_type() {
        let read = |text: &str| store(&OptionValues::read(text, []).unwrap(), &CLIENT);
        let file = read("SSLClientCert=/x.p12;SSLClientCertPassword=p").unwrap().unwrap();
        assert!(matches!(&file.place, StorePlace::File(path) if path.expose() == "/x.p12"));
        assert_eq!((file.format, file.subject.as_str()), (StoreFormat::Pkcs12, "*"));
        let blob = read("SSLClientCert='-----BEGIN\nx';SSLClientCertType=pemkey_blob;SSLClientCertSubject=CN=a")
            .unwrap()
            .unwrap();
        assert!(matches!(blob.place, StorePlace::Blob(_)));
        assert_eq!((blob.kind, blob.subject.as_str()), ("PEMKEY_BLOB", "CN=a"));
        assert!(read("").unwrap().is_none());
        let system = read("SSLClientCertType=USER").unwrap().unwrap();
        assert!(matches!(&system.place, StorePlace::File(name) if name.expose().is_empty()));
        assert_eq!((system.kind, system.format), ("USER", StoreFormat::System));
        let system = read("SSLClientCertType=machine;SSLClientCert=WebHosting").unwrap().unwrap();
        assert!(matches!(&system.place, StorePlace::File(name) if name.expose() == "WebHosting"));
        let error = read("SSLClientCertType=USER;SSLClientCertPassword=canary").unwrap_err();
        assert_eq!(
            error.message(),
            "SSLClientCertPassword is set, but the USER certificate store has no password"
        );
        let error = read("SSLClientCertPassword=canary").unwrap_err();
        assert_eq!(error.message(), "SSLClientCertPassword is set without SSLClientCert");
        let error = store(&OptionValues::read("CertificateStore=/x", []).unwrap(), &SIGNING).unwrap_err();
        assert_eq!(error.message(), "CertificateStore is set without CertificateStoreType");
    }
}
