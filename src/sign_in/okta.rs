//! Okta: a session token by its authentication API, and the application's page that answers with SAML.

use serde::Deserialize;
use serde_json::json;
use url::Url;

use super::sso::Ways;
use crate::connection::{Secret, SsoOptions};
use crate::error::{Error, ErrorKind, Result};
use crate::http::{Method, WireRequest};

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Outcome {
    status: String,
    session_token: Option<String>,
}

/// The page of the application, as a user sees it who is signed in.
pub(super) async fn page(settings: &SsoOptions, domain: &Url, token: Option<&Secret>, ways: &Ways) -> Result<String> {
    let malformed = |_| Error::new(ErrorKind::Internal, "an address of Okta is malformed");
    let mut headers = vec![("accept".to_owned(), Secret::from("application/json"))];
    if let Some(token) = token {
        headers.push(("authorization".to_owned(), format!("SSWS {}", token.expose()).into()));
    }
    let account = json!({ "username": settings.user, "password": settings.password.expose() });
    let answer = ways
        .plain
        .send(WireRequest {
            method: Method::Post,
            url: domain.join("/api/v1/authn").map_err(malformed)?,
            headers,
            body: Some(("application/json", account.to_string().into())),
        })
        .await?;
    let outcome: Outcome = match answer.status {
        200 => serde_json::from_slice(&answer.body).map_err(|_| {
            Error::new(ErrorKind::Decode, "Okta answered something unexpected")
                .hint("check SSOLoginURL; where Okta has another domain, name it in SSOProperties: Domain=…")
        })?,
        401 => {
            return Err(
                Error::new(ErrorKind::Authentication, "Okta does not accept User and Password")
                    .hint("check User and Password; too many failures lock the account"),
            );
        }
        status => {
            let kind = if status >= 500 || status == 429 {
                ErrorKind::Unavailable
            } else {
                ErrorKind::Authentication
            };
            return Err(Error::new(kind, format!("Okta did not sign the user in: HTTP {status}"))
                .hint("check SSOLoginURL, and Domain and APIToken in SSOProperties"));
        }
    };
    let token = match (outcome.status.as_str(), outcome.session_token) {
        ("SUCCESS", Some(token)) => token,
        (status, _) => return Err(unfinished(status)),
    };
    // The session token is good for one use: it becomes a cookie, and the browser goes on to the application.
    let mut url = domain.join("/login/sessionCookieRedirect").map_err(malformed)?;
    url.query_pairs_mut()
        .append_pair("checkAccountSetupComplete", "true")
        .append_pair("token", &token)
        .append_pair("redirectUrl", settings.login.as_str());
    let answer = ways
        .browser
        .send(WireRequest {
            method: Method::Get,
            url,
            headers: Vec::new(),
            body: None,
        })
        .await?;
    match answer.status {
        200 => Ok(answer.text().into_owned()),
        status => Err(Error::new(
            ErrorKind::Authentication,
            format!("Okta did not open the application: HTTP {status}"),
        )
        .hint("check SSOLoginURL: it is the address of the site's tile on the Okta dashboard")),
    }
}

/// Okta knows the user, but wants more than a password.
fn unfinished(status: &str) -> Error {
    let (what, hint) = match status {
        "MFA_REQUIRED" | "MFA_ENROLL" | "MFA_CHALLENGE" => (
            "wants a second factor, which a driver cannot give",
            "use AuthScheme=PAT with a personal access token of the site, or exempt the user from the second factor",
        ),
        "PASSWORD_EXPIRED" | "PASSWORD_WARN" => ("wants the password changed", "log in to Okta in a browser and change it"),
        "LOCKED_OUT" => ("has locked the account", "unlock it in Okta; the sign-in was not repeated"),
        _ => (
            "did not finish the sign-in",
            "log in to Okta in a browser to see what it wants",
        ),
    };
    Error::new(ErrorKind::Authentication, format!("Okta {what}")).hint(hint)
}
