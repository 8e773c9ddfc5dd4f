//! OAuth 1.0a: signatures against the RFC and against a public key, and the three steps of a sign-in.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex};

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use percent_encoding::{NON_ALPHANUMERIC, percent_decode_str, utf8_percent_encode};
use rsa::pkcs8::DecodePublicKey;
use sha1::Sha1;

use super::server::{Asked, start};
use super::{ask, client, shared};
use crate::error::ErrorKind;

/// The parameters of an `Authorization: OAuth` header.
fn parameters(asked: &Asked) -> BTreeMap<String, String> {
    let list = asked.header("authorization").strip_prefix("OAuth ").unwrap_or_default();
    list.split(',')
        .filter_map(|pair| pair.trim().split_once('='))
        .map(|(name, value)| {
            (
                name.to_owned(),
                percent_decode_str(value.trim_matches('"'))
                    .decode_utf8()
                    .unwrap()
                    .into_owned(),
            )
        })
        .collect()
}

const SET: &percent_encoding::AsciiSet = &NON_ALPHANUMERIC.remove(b'-').remove(b'.').remove(b'_').remove(b'~');

fn encoded(text: &str) -> String {
    utf8_percent_encode(text, SET).to_string()
}

/// The signature base string of RFC 5849, 3.4.1, made here on its own.
fn base_string(root: &str, asked: &Asked) -> String {
    let mut pairs: Vec<(String, String)> = parameters(asked)
        .into_iter()
        .filter(|(name, _)| name != "oauth_signature")
        .chain(asked.query.clone())
        .map(|(name, value)| (encoded(&name), encoded(&value)))
        .collect();
    pairs.sort();
    let list = pairs
        .iter()
        .map(|(name, value)| format!("{name}={value}"))
        .collect::<Vec<_>>()
        .join("&");
    let url = format!("{}{}", root.trim_end_matches('/'), asked.path);
    format!("{}&{}&{}", asked.method, encoded(&url), encoded(&list))
}

fn is_signed_by_rsa(root: &str, asked: &Asked) -> bool {
    let pem = std::fs::read_to_string("tests/certificates/public.pem").unwrap();
    let key = rsa::PublicKey::from_public_key_pem(&pem).unwrap();
    let found = parameters(asked);
    let signature = STANDARD.decode(&found["oauth_signature"]).unwrap();
    found["oauth_signature_method"] == "RSA-SHA1"
        && key
            .pkcs1v15_verify::<Sha1>(base_string(root, asked).as_bytes(), &signature)
            .is_ok()
}

fn is_signed_by_hmac(root: &str, asked: &Asked, secrets: &str) -> bool {
    use hmac::{Hmac, KeyInit, Mac};
    let found = parameters(asked);
    let mac = Hmac::<Sha1>::new_from_slice(secrets.as_bytes()).unwrap();
    let mac = mac.chain_update(base_string(root, asked).as_bytes()).finalize().into_bytes();
    found["oauth_signature_method"] == "HMAC-SHA1" && found["oauth_signature"] == STANDARD.encode(mac)
}

/// A site: the steps of the sign-in and one resource. `hmac` is how secrets sign; otherwise RSA does.
async fn site(hmac: bool) -> (String, Arc<Mutex<Vec<String>>>) {
    let seen: Arc<Mutex<Vec<String>>> = shared();
    let noted = Arc::clone(&seen);
    let root: Arc<Mutex<String>> = shared();
    let own = Arc::clone(&root);
    let url = start(move |asked| {
        let root = own.lock().unwrap().clone();
        let found = parameters(&asked);
        let field = |name: &str| found.get(name).map_or("", String::as_str);
        noted.lock().unwrap().push(format!("{} {}", asked.path, field("oauth_token")));
        let signed = |secrets: &str| {
            if hmac {
                is_signed_by_hmac(&root, &asked, secrets)
            } else {
                is_signed_by_rsa(&root, &asked)
            }
        };
        let refused = (401, String::new(), "oauth_problem=signature_invalid".to_owned());
        match asked.path.as_str() {
            "/plugins/servlet/oauth/request-token" if signed("s3cret&") && !field("oauth_callback").is_empty() => (
                200,
                String::new(),
                "oauth_token=rt&oauth_token_secret=rs&oauth_callback_confirmed=true".to_owned(),
            ),
            "/plugins/servlet/oauth/access-token"
                if signed("s3cret&rs") && field("oauth_token") == "rt" && field("oauth_verifier") == "c0de" =>
            {
                (
                    200,
                    String::new(),
                    "oauth_token=at&oauth_token_secret=as&oauth_expires_in=157680000".to_owned(),
                )
            }
            "/rest/api/2/myself" if signed("s3cret&as") && field("oauth_token") == "at" => (200, String::new(), "{}".to_owned()),
            _ => refused,
        }
    })
    .await;
    *root.lock().unwrap() = url.clone();
    (url, seen)
}

fn text(url: &str, rest: &str) -> String {
    format!("URL={url};AuthScheme=OAuth;OAuthVersion=1.0;OAuthClientId=jsmql;{rest}")
}

const RSA: &str = "CertificateStore=tests/certificates/client.p12;CertificateStoreType=PFXFILE;CertificateStorePassword=test-only;\
    CertificateSubject='CN=jsmql client'";
const HMAC: &str = "OAuthClientSecret=s3cret";

#[tokio::test]
async fn requests_are_signed() {
    for (hmac, signing) in [(false, RSA), (true, HMAC)] {
        let (url, _) = site(hmac).await;
        let (good, _) = client(&text(
            &url,
            &format!("{signing};OAuthAccessToken=at;OAuthAccessTokenSecret=as"),
        ))
        .unwrap();
        assert!(ask(&good).await.is_ok(), "{signing}");
        let (bad, _) = client(&text(
            &url,
            &format!("{signing};OAuthAccessToken=c4n4ry;OAuthAccessTokenSecret=as"),
        ))
        .unwrap();
        let error = ask(&bad).await.unwrap_err();
        assert_eq!(error.kind(), ErrorKind::Authentication);
        assert!(!format!("{error:?}").contains("c4n4ry") && error.hint_text().unwrap().contains("jsmql login"));
    }
}

#[tokio::test]
async fn a_sign_in_in_three_steps() {
    for (name, hmac, signing) in [("rsa", false, RSA), ("hmac", true, HMAC)] {
        let (url, seen) = site(hmac).await;
        let rest = format!(
            "{signing};InitiateOAuth=GETANDREFRESH;CallbackURL=https://app.example/x;OAuthSettingsLocation=memory://one-{name}"
        );
        let (_, sign_in) = client(&text(&url, &rest)).unwrap();
        let error = sign_in.login(crate::sign_in::Prompt { browser: false }).await.unwrap_err();
        assert!(
            error
                .hint_text()
                .unwrap()
                .contains("/plugins/servlet/oauth/authorize?oauth_token=rt"),
            "{error:?}"
        );
        // The code with the request token that was kept, and then what was kept of the access token.
        for _ in 0..2 {
            let (client, _) = client(&text(&url, &format!("{rest};OAuthVerifier=c0de"))).unwrap();
            assert!(ask(&client).await.is_ok());
        }
        let asked = seen
            .lock()
            .unwrap()
            .iter()
            .filter(|asked| asked.contains("access-token"))
            .count();
        assert_eq!(asked, 1);
        // The request token of the options.
        let rest = format!("{rest}-other;AuthToken=rt;AuthKey=rs;OAuthVerifier=c0de");
        let (client, _) = client(&text(&url, &rest)).unwrap();
        assert!(ask(&client).await.is_ok());
    }
}

#[test]
fn a_store_without_a_private_rsa_key_is_refused() {
    for (store, message) in [
        (
            "CertificateStore=tests/certificates/chain.p7b;CertificateStoreType=P7BFILE",
            "holds no private key",
        ),
        (
            "CertificateStore=tests/certificates/curve.pem;CertificateStoreType=PEMKEY_FILE",
            "not an RSA key",
        ),
        (
            "CertificateStore=tests/certificates/two.p12;CertificateStoreType=PFXFILE;CertificateStorePassword=test-only;CertificateSubject=CN=x",
            "no certificate of that subject",
        ),
        (
            "CertificateStore=tests/certificates/two.p12;CertificateStoreType=PFXFILE;CertificateStorePassword=wrong",
            "CertificateStorePassword is wrong",
        ),
    ] {
        let rest = format!("{store};OAuthAccessToken=a;OAuthAccessTokenSecret=b");
        let error = client(&text("https://jira.example.net", &rest)).unwrap_err();
        assert!(error.message().contains(message), "{error}");
    }
}
