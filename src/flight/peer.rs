//! Who makes a call, as far as the call itself says.

use base64::Engine;
use base64::engine::DecodePaddingMode;
use base64::engine::general_purpose::{GeneralPurpose, GeneralPurposeConfig};
use tonic::Extensions;
use tonic::metadata::MetadataMap;
use tonic::transport::server::TlsConnectInfo;

use super::wire::WireInfo;
use crate::connection::Secret;
use crate::error::{Error, ErrorKind, Result};

/// Who makes a call.
pub(super) struct Peer {
    pub(super) wire: WireInfo,
    pub(super) authorization: Option<Authorization>,
}

/// The header `authorization`.
pub(super) enum Authorization {
    Basic { user: String, secret: Secret },
    Bearer(Secret),
}

const BASE64: GeneralPurpose = GeneralPurpose::new(
    &base64::alphabet::STANDARD,
    GeneralPurposeConfig::new().with_decode_padding_mode(DecodePaddingMode::Indifferent),
);

impl Peer {
    pub(super) fn of(metadata: &MetadataMap, extensions: &Extensions) -> Result<Self> {
        let wire = extensions.get::<WireInfo>();
        let wire = wire.or_else(|| extensions.get::<TlsConnectInfo<WireInfo>>().map(TlsConnectInfo::get_ref));
        let wire = wire.ok_or_else(|| Error::new(ErrorKind::Internal, "a call came over no connection"))?;
        let header = metadata.get("authorization").map(|value| value.to_str().unwrap_or_default());
        // Clients that log in by message, not by header, send the token back like this.
        let token = metadata.get_bin("auth-token-bin").and_then(|value| value.to_bytes().ok());
        let token = token.map(|bytes| Authorization::Bearer(String::from_utf8_lossy(&bytes).into_owned().into()));
        Ok(Self {
            wire: wire.clone(),
            authorization: header.map(Authorization::parse).transpose()?.or(token),
        })
    }
}

impl Authorization {
    fn parse(header: &str) -> Result<Self> {
        // Not quoted: it is a secret, however wrong it is.
        let wrong = || {
            Error::new(ErrorKind::Authentication, "the header authorization cannot be understood")
                .hint("send Basic with user and password, or Bearer with the token that the login gave")
        };
        let (scheme, rest) = header.split_once(' ').ok_or_else(wrong)?;
        if scheme.eq_ignore_ascii_case("bearer") {
            return Ok(Self::Bearer(rest.trim().into()));
        }
        if !scheme.eq_ignore_ascii_case("basic") {
            return Err(wrong());
        }
        let text = BASE64
            .decode(rest.trim())
            .ok()
            .and_then(|bytes| String::from_utf8(bytes).ok());
        let text = Secret::from(text.ok_or_else(wrong)?);
        let (user, secret) = text.expose().split_once(':').ok_or_else(wrong)?;
        Ok(Self::Basic {
            user: user.to_owned(),
            secret: secret.into(),
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn both_schemes_are_read_and_no_error_shows_the_secret() {
        let basic = |header: &str| match Authorization::parse(header).unwrap() {
            Authorization::Basic { user, secret } => (user, secret.expose().to_owned()),
            Authorization::Bearer(_) => panic!("{header}"),
        };
        assert_eq!(basic("Basic YW5uOmE6Yg=="), ("ann".into(), "a:b".into()));
        assert_eq!(basic("basic YW5uOmE6Yg"), ("ann".into(), "a:b".into()));
        assert_eq!(basic("Basic Og=="), (String::new(), String::new()));
        assert!(matches!(Authorization::parse("Bearer x"), Ok(Authorization::Bearer(token)) if token.expose() == "x"));
        for header in ["", "canary", "Digest canary", "Basic canary!", "Basic Y2FuYXJ5"] {
            let error = Authorization::parse(header).err().unwrap();
            assert_eq!(error.kind(), ErrorKind::Authentication);
            assert!(!format!("{error:?}").contains("canary"));
        }
    }
}
