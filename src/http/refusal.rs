//! What an answer other than a usable 2xx means, and what to do about it. Pure: an answer in, an error out.

use super::exchange::Answer;
use super::link::origin;
use super::throttle::Throttle;
use super::transport::account_hint;
use super::{ClientOptions, Terms, envelope};
use crate::error::{Error, ErrorKind};
use chrono::{DateTime, SecondsFormat, Utc};
use reqwest::header::LOCATION;
use std::time::{Duration, SystemTime};
use url::Url;

/// The error for an answer with a status other than 2xx.
pub(super) fn status_error(answer: &Answer, throttle: &Throttle, options: &ClientOptions, now: SystemTime) -> Error {
    let status = answer.status;
    if (300..400).contains(&status) {
        return redirect_error(answer, options);
    }
    if let Some(place) = &answer.place {
        return elsewhere(answer, place);
    }
    if is_locked(answer) {
        return Error::new(
            ErrorKind::Authentication,
            "the site wants a CAPTCHA solved after too many failed logins; the request was not repeated",
        )
        .hint("log in to the site in a browser once, correct the credentials, and run the statement again");
    }
    let words = envelope::message(answer.content_type(), &answer.body);
    let kind = match status {
        _ if login_refused(answer, options) => ErrorKind::Authentication,
        401 | 407 => ErrorKind::Authentication,
        403 => ErrorKind::Permission,
        404 | 410 => ErrorKind::NotFound,
        409 => ErrorKind::Conflict,
        429 => ErrorKind::RateLimited,
        500.. => ErrorKind::Unavailable,
        _ => ErrorKind::Invalid,
    };
    let mut message = match &words {
        Some(words) => words.clone(),
        None => format!(
            "the site answered with {}{}",
            reason(status),
            if answer.body.is_empty() { " and no message" } else { "" }
        ),
    };
    if let (429, Some(after)) = (status, throttle.after) {
        message = format!("{message}; the site wants no requests until {}", clock(now + after));
    }
    let error = Error::new(kind, message);
    match hint(kind, status, words.is_some(), options) {
        Some(hint) => error.hint(hint),
        None => error,
    }
}

/// The error of another host, to which the site has sent us for a file. It knows nothing of our credentials, nor of licences.
fn elsewhere(answer: &Answer, place: &Url) -> Error {
    let kind = match answer.status {
        401 | 403 => ErrorKind::Permission,
        404 | 410 => ErrorKind::NotFound,
        429 => ErrorKind::RateLimited,
        500.. => ErrorKind::Unavailable,
        _ => ErrorKind::Invalid,
    };
    let words = envelope::message(answer.content_type(), &answer.body).map(|words| format!(": {words}"));
    let message = format!(
        "{}, where the site keeps the file, answered with {}{}",
        origin(place),
        reason(answer.status),
        words.unwrap_or_default()
    );
    Error::new(kind, message)
        .hint("its addresses are good for a short time: run the statement again; or a proxy stands before that host")
}

/// Why a 2xx answer cannot be used, if so: it is a web page, or the site took us for a stranger.
pub(super) fn unusable(answer: &Answer, terms: &Terms, options: &ClientOptions) -> Option<Error> {
    if !terms.text && terms.save.is_none() && envelope::is_html(answer.content_type(), &answer.body) {
        let title = envelope::message(answer.content_type(), &answer.body).map(|title| format!(" titled “{title}”"));
        let message = format!(
            "the site answered with a web page{} instead of JSON (a login page?)",
            title.unwrap_or_default()
        );
        let hint = "check the credentials and option URL; a proxy or single sign-on may stand in front of the site";
        return Some(Error::new(ErrorKind::Authentication, message).hint(hint));
    }
    // Jira answers a wrong token as if nobody had logged in: fewer rows, status 200. That must not pass for the whole answer.
    login_refused(answer, options).then(|| {
        let message = "the site did not accept the credentials and answered as to a stranger";
        Error::new(ErrorKind::Authentication, message).hint(credentials_hint(options))
    })
}

/// The error for an answer larger than the limit.
pub(super) fn too_large(options: &ClientOptions) -> Error {
    Error::new(
        ErrorKind::Limit,
        format!("the answer is larger than {} bytes", options.max_body_bytes),
    )
    .hint("raise option MaxBodySize, or select fewer columns or fewer rows at a time")
}

/// The error for a request that may not be sent before `until`: the gate is closed, nothing was sent.
pub(super) fn gate_closed(wait: Duration, now: SystemTime) -> Error {
    let message = format!(
        "the site's rate limit is used up; it wants no requests until {}",
        clock(now + wait)
    );
    Error::new(ErrorKind::RateLimited, message).hint(RATE_HINT)
}

const RATE_HINT: &str = "run the statement again later, narrow it, or lower option MaxConcurrency";

/// Whether Atlassian's gateway refused because the token lacks a scope. Its status is that of a wrong token, its words are not.
pub(super) fn lacks_scope(answer: &Answer) -> bool {
    matches!(answer.status, 401 | 403)
        && answer.body.len() < 4096
        && String::from_utf8_lossy(&answer.body)
            .to_ascii_lowercase()
            .contains("scope does not match")
}

/// What is said of a token without a scope.
const NO_SCOPE: &str = "the token lacks a scope for this request";

/// Whether the request was refused for want of a scope.
pub(crate) fn is_scope_error(error: &Error) -> bool {
    error.kind() == ErrorKind::Permission && error.message().contains(NO_SCOPE)
}

/// The error for a token without the scope that the request needs.
pub(super) fn scope_error(needed: Option<&str>) -> Error {
    Error::new(ErrorKind::Permission, NO_SCOPE).hint(match needed {
        Some(scope) => format!(
            "it needs the scope {scope} (or the granular scopes of the operation): add it to the OAuth app or API token, and run jsmql login again"
        ),
        None => "add the scopes of the operation to the OAuth app or API token, and run jsmql login again".to_owned(),
    })
}

/// Whether the account is locked until somebody solves a CAPTCHA. Every further attempt prolongs it.
pub(super) fn is_locked(answer: &Answer) -> bool {
    let reason = answer.header("x-authentication-denied-reason").unwrap_or_default();
    reason.to_ascii_uppercase().contains("CAPTCHA")
}

/// Jira's login filter says what it thought of our credentials, whatever the status of the answer.
fn login_refused(answer: &Answer, options: &ClientOptions) -> bool {
    let reason = answer.header("x-seraph-loginreason").unwrap_or_default();
    // A session that has ended leaves no reason; the name of the caller shows it.
    let stranger = answer
        .header("x-ausername")
        .is_some_and(|name| name.eq_ignore_ascii_case("anonymous"));
    let refused = ["AUTHENTICATED_FAILED", "AUTHENTICATION_DENIED"]
        .iter()
        .any(|bad| reason.contains(bad));
    !options.authorization.is_none() && (refused || stranger)
}

fn redirect_error(answer: &Answer, options: &ClientOptions) -> Error {
    let target = answer
        .headers
        .get(LOCATION)
        .and_then(|value| value.to_str().ok())
        .and_then(|text| options.base.join(text).ok());
    let Some(target) = target else {
        return Error::new(
            ErrorKind::Decode,
            format!("the site answered with {} and no usable address", reason(answer.status)),
        )
        .hint("check option URL");
    };
    if is_login(&target) {
        return Error::new(
            ErrorKind::Authentication,
            format!("the site redirects to a login page at {}", origin(&target)),
        )
        .hint(credentials_hint(options));
    }
    Error::new(ErrorKind::Decode, format!("redirect to {} not followed", origin(&target)))
        .hint("credentials are sent to option URL only; set it to the address where the site's API answers directly")
}

/// Whether an address is that of a login page.
pub(super) fn is_login(target: &Url) -> bool {
    let host = target.host_str().unwrap_or_default();
    // `/login.jsp` is one, `/authors/` is not.
    const WORDS: &[&str] = &[
        "login",
        "signin",
        "sso",
        "saml",
        "saml2",
        "samlsso",
        "auth",
        "oauth2",
        "authorize",
        "adfs",
        "cas",
    ];
    let is_word = |segment: &str| {
        let word = segment.split('.').next().unwrap_or_default().to_ascii_lowercase();
        WORDS.contains(&word.as_str())
    };
    target.path_segments().is_some_and(|mut segments| segments.any(is_word)) || is_login_host(host)
}

/// Whether a host does nothing but to log people in.
pub(super) fn is_login_host(host: &str) -> bool {
    ["id.atlassian.com", "auth.atlassian.com"].contains(&host)
}

fn hint(kind: ErrorKind, status: u16, has_words: bool, options: &ClientOptions) -> Option<&'static str> {
    Some(match (kind, status) {
        (_, 407) => account_hint(options),
        (ErrorKind::Authentication, _) => credentials_hint(options),
        (_, 403) if !has_words => "an empty refusal means: no Jira Service Management licence, or not a service project",
        (_, 403) if options.locator.is_some() => "the account lacks a permission, or the token a scope, for this: see jsmql test",
        (_, 403) => "the account lacks a permission, or the token a scope, for this",
        (_, 404) => "it does not exist, or the account may not see it; check the key, and option URL with its context path",
        (_, 410) => "the site no longer offers this operation; look for a newer version of jsmql",
        (_, 412) => "the operation is experimental: the request needs the header X-ExperimentalApi: opt-in",
        (_, 413 | 414) => "the request is too long: shorten the IN list or the text, or write fewer rows at a time",
        (ErrorKind::RateLimited, _) => RATE_HINT,
        (ErrorKind::Unavailable, _) => "the site, or a proxy before it, is failing; try again later",
        _ => return None,
    })
}

fn credentials_hint(options: &ClientOptions) -> &'static str {
    if let Some(signer) = options.authorization.signer() {
        return signer.hint();
    }
    let gateway = options.locator.is_some() || options.base.host_str() == Some("api.atlassian.com");
    match (options.authorization.is_none(), gateway) {
        (true, _) => "the site wants to know who asks: set options User and APIToken",
        (false, true) => {
            "check options User and APIToken, that the token has not expired, and that it has the scopes for this operation"
        }
        (false, false) => {
            "check options User and APIToken and that the token has not expired; a token with scopes, or of a service account, needs ScopedToken=true"
        }
    }
}

/// `HTTP 503 Service Unavailable`.
fn reason(status: u16) -> String {
    let name = reqwest::StatusCode::from_u16(status)
        .ok()
        .and_then(|code| code.canonical_reason());
    format!("HTTP {status} {}", name.unwrap_or_default()).trim_end().to_owned()
}

fn clock(instant: SystemTime) -> String {
    DateTime::<Utc>::from(instant).to_rfc3339_opts(SecondsFormat::Secs, true)
}

#[cfg(test)]
mod tests {
    use super::super::throttle::Scope;
    use super::super::{Authorization, Secret};
    use super::*;
    use reqwest::header::{HeaderMap, HeaderName, HeaderValue};

    fn answer(status: u16, header: Option<(&'static str, &'static str)>, body: &'static str) -> Answer {
        let pairs = header
            .into_iter()
            .map(|(name, value)| (HeaderName::from_static(name), HeaderValue::from_static(value)));
        Answer {
            held: crate::http::Held::new(None),
            status,
            headers: pairs.collect::<HeaderMap>(),
            body: body.into(),
            saved: 0,
            place: None,
        }
    }

    #[test]
    fn a_login_page_is_told_by_whole_words() {
        for (address, expected) in [
            ("https://a.example/login.jsp?os_destination=x", true),
            ("https://a.example/jira/secure/SAML/acs", true),
            ("https://idp.example/oauth2/v1/authorize", true),
            ("https://idp.example/auth/realms/x", true),
            ("https://id.atlassian.com/", true),
            ("https://a.example/blog/authors/", false),
            ("https://a.example/lesson", false),
            ("https://a.example/rest/api/3/user/authored", false),
            ("https://a.example/", false),
        ] {
            assert_eq!(is_login(&Url::parse(address).unwrap()), expected, "{address}");
        }
    }

    #[test]
    fn another_host_speaks_for_itself() {
        let mut refused = answer(
            403,
            None,
            "<?xml version=\"1.0\"?><Error><Message>Request has expired</Message></Error>",
        );
        refused.place = Some(Url::parse("https://media.example/file?token=x").unwrap());
        let error = error(&refused, None);
        assert_eq!(
            error.message(),
            "https://media.example, where the site keeps the file, answered with HTTP 403 Forbidden: Request has expired"
        );
        assert!(!error.hint_text().unwrap().contains("licence"));
    }

    fn options(authorization: Authorization) -> ClientOptions {
        ClientOptions {
            authorization,
            ..ClientOptions::site(Url::parse("https://a.net").unwrap())
        }
    }

    fn known() -> ClientOptions {
        options(Authorization::Bearer(Secret::from("t")))
    }

    fn error(answer: &Answer, after: Option<u64>) -> Error {
        let throttle = Throttle {
            after: after.map(Duration::from_secs),
            scope: Scope::Unknown,
            pace: None,
        };
        status_error(answer, &throttle, &known(), SystemTime::UNIX_EPOCH)
    }

    #[test]
    fn each_status_has_its_kind_and_hint() {
        use ErrorKind::*;
        for (status, body, kind, hint) in [
            (400, "{}", Invalid, None),
            (401, "{}", Authentication, Some("APIToken")),
            (403, "", Permission, Some("licence")),
            (403, r#"{"message":"no"}"#, Permission, Some("scope")),
            (404, "{}", NotFound, Some("does not exist")),
            (407, "", Authentication, Some("HTTPS_PROXY")),
            (409, "{}", Conflict, None),
            (410, "{}", NotFound, Some("no longer")),
            (412, "{}", Invalid, Some("X-ExperimentalApi")),
            (413, "", Invalid, Some("too long")),
            (414, "", Invalid, Some("too long")),
            (418, "", Invalid, None),
            (429, "", RateLimited, Some("MaxConcurrency")),
            (500, "", Unavailable, Some("try again")),
            (503, "", Unavailable, Some("try again")),
            (304, "", Decode, Some("option URL")),
        ] {
            let error = error(&answer(status, None, body), None);
            assert_eq!(error.kind(), kind, "{status}");
            match hint {
                Some(hint) => assert!(
                    error.hint_text().is_some_and(|text| text.contains(hint)),
                    "{status}: {:?}",
                    error.hint_text()
                ),
                None => assert_eq!(error.hint_text(), None, "{status}"),
            }
        }
    }

    #[test]
    fn the_site_speaks_if_it_has_words() {
        let message = |status, body, after| error(&answer(status, None, body), after).message().to_owned();
        assert_eq!(message(404, r#"{"errorMessage":"No desk."}"#, None), "No desk");
        assert_eq!(
            message(403, "", None),
            "the site answered with HTTP 403 Forbidden and no message"
        );
        assert_eq!(message(599, "{}", None), "the site answered with HTTP 599");
        let busy = message(429, r#"{"message":"slow down"}"#, Some(1847));
        assert_eq!(busy, "slow down; the site wants no requests until 1970-01-01T00:30:47Z");
    }

    #[test]
    fn redirects_name_the_host_only() {
        for (location, kind, fragment) in [
            (
                "https://id.atlassian.com/x?continue=secret",
                ErrorKind::Authentication,
                "https://id.atlassian.com",
            ),
            ("/login.jsp?os_destination=secret", ErrorKind::Authentication, "https://a.net"),
            (
                "http://evil.net:81/secret",
                ErrorKind::Decode,
                "redirect to http://evil.net:81 not followed",
            ),
            (
                "//evil.net/secret",
                ErrorKind::Decode,
                "redirect to https://evil.net not followed",
            ),
            ("http://[", ErrorKind::Decode, "no usable address"),
        ] {
            let error = error(&answer(302, Some(("location", location)), ""), None);
            assert_eq!(error.kind(), kind, "{location}");
            assert!(
                error.message().contains(fragment) && !error.message().contains("secret"),
                "{error}"
            );
            assert!(error.hint_text().is_some());
        }
    }

    #[test]
    fn a_stranger_is_no_account() {
        let failed = answer(200, Some(("x-seraph-loginreason", "AUTHENTICATED_FAILED")), "{}");
        assert_eq!(
            unusable(&failed, &Terms::default(), &known()).unwrap().kind(),
            ErrorKind::Authentication
        );
        assert!(
            unusable(&failed, &Terms::default(), &options(Authorization::None)).is_none(),
            "a stranger by choice"
        );
        assert!(
            unusable(
                &answer(200, Some(("x-seraph-loginreason", "OK")), "{}"),
                &Terms::default(),
                &known()
            )
            .is_none()
        );
        let missing = answer(
            404,
            Some(("x-seraph-loginreason", "AUTHENTICATED_FAILED")),
            r#"{"errorMessage":"No issue"}"#,
        );
        assert_eq!(error(&missing, None).kind(), ErrorKind::Authentication, "not an empty table");
    }

    #[test]
    fn a_web_page_is_no_answer() {
        let error = unusable(&answer(200, None, "<html><title>Log in</title>"), &Terms::default(), &known()).unwrap();
        assert_eq!(error.kind(), ErrorKind::Authentication);
        assert!(error.message().contains("“Log in”"), "{error}");
    }
}
