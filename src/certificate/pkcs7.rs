//! PKCS #7 envelopes (`.p7b`): certificates without keys.

use cms::cert::CertificateChoices;
use cms::content_info::ContentInfo;
use cms::signed_data::SignedData;
use der::{Decode, Encode};

use super::entry::Entry;
use super::{Fault, pem};

const NONE: Fault = Fault::Format("it is no PKCS #7 envelope of certificates");

/// The certificates, each an entry of its own.
pub(super) fn entries(bytes: &[u8]) -> Result<Vec<Entry>, Fault> {
    // `CMS` is how RFC 7468 spells it, `PKCS7` how OpenSSL does, and Windows writes DER or a certificate's label.
    let der = match pem::sections(bytes)?.into_iter().next() {
        Some(section) if ["PKCS7", "CMS", "CERTIFICATE"].contains(&section.label.as_str()) => section.contents,
        Some(_) => return Err(NONE),
        None => bytes.to_vec(),
    };
    let info = ContentInfo::from_der(&der).map_err(|_| NONE)?;
    let signed: SignedData = info.content.decode_as().map_err(|_| NONE)?;
    let certificates = signed.certificates.map(|set| set.0.into_vec()).unwrap_or_default();
    certificates
        .into_iter()
        .filter_map(|choice| match choice {
            CertificateChoices::Certificate(certificate) => Some(certificate),
            CertificateChoices::Other(_) => None,
        })
        .map(|certificate| Entry::new(None, vec![certificate.to_der().map_err(|_| NONE)?]))
        .collect()
}
