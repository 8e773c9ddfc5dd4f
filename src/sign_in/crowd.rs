//! Crowd: a session by its REST API, and the page that answers with SAML.

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use serde::Deserialize;
use serde_json::json;
use url::Url;

use super::sso::Ways;
use crate::connection::{Secret, SsoOptions};
use crate::error::{Error, ErrorKind, Result};
use crate::http::{Method, WireAnswer, WireRequest};

#[derive(Deserialize)]
struct Session {
    token: String,
}

#[derive(Deserialize)]
struct Cookie {
    name: String,
}

/// The page of the sign-in URL, as a user sees it who is signed in.
pub(super) async fn page(settings: &SsoOptions, name: &str, password: &Secret, ways: &Ways) -> Result<String> {
    let base = base(&settings.login);
    let pair = format!("{name}:{}", password.expose());
    let headers = vec![
        (
            "authorization".to_owned(),
            Secret::from(format!("Basic {}", STANDARD.encode(pair))),
        ),
        ("accept".to_owned(), "application/json".into()),
    ];
    let account = json!({
        "username": settings.user,
        "password": settings.password.expose(),
        "validation-factors": { "validationFactors": [] },
    });
    let answer = ask(
        ways,
        &base,
        "rest/usermanagement/1/session",
        &headers,
        Some(account.to_string().into()),
    )
    .await?;
    let session: Session = match answer.status {
        200 | 201 => read(&answer)?,
        400 => {
            return Err(
                Error::new(ErrorKind::Authentication, "Crowd does not accept User and Password")
                    .hint("check User and Password, and that the user may use the application SSOAppName"),
            );
        }
        401 | 403 => {
            return Err(Error::new(
                ErrorKind::Authentication,
                format!("Crowd does not accept the application: HTTP {}", answer.status),
            )
            .hint("check SSOAppName and SSOAppPassword, and that Crowd allows this machine's address"));
        }
        status => return Err(failed(status)),
    };
    // The session is carried by a cookie whose name is a setting of Crowd.
    let answer = ask(ways, &base, "rest/usermanagement/1/config/cookie", &headers, None).await?;
    let cookie: Cookie = match answer.status {
        200 => read(&answer)?,
        _ => Cookie {
            name: "crowd.token_key".to_owned(),
        },
    };
    ways.browser
        .keep(&format!("{}={}; Path=/", cookie.name, session.token), &settings.login);
    let answer = ways
        .browser
        .send(WireRequest {
            method: Method::Get,
            url: settings.login.clone(),
            headers: Vec::new(),
            body: None,
        })
        .await?;
    match answer.status {
        200 => Ok(answer.text().into_owned()),
        status => Err(failed(status)),
    }
}

/// The root of Crowd: the origin of its sign-in page with the context path, which is `/crowd` unless it is at the origin itself.
fn base(login: &Url) -> Url {
    let mut base = login.clone();
    base.set_query(None);
    base.set_fragment(None);
    let context = login.path_segments().and_then(|mut segments| segments.next()) == Some("crowd");
    base.set_path(if context { "/crowd/" } else { "/" });
    base
}

async fn ask(ways: &Ways, base: &Url, path: &str, headers: &[(String, Secret)], body: Option<Secret>) -> Result<WireAnswer> {
    let url = base
        .join(path)
        .map_err(|_| Error::new(ErrorKind::Internal, "an address of Crowd is malformed"))?;
    ways.plain
        .send(WireRequest {
            method: if body.is_some() { Method::Post } else { Method::Get },
            url,
            headers: headers.to_vec(),
            body: body.map(|body| ("application/json", body)),
        })
        .await
}

fn read<T: for<'d> Deserialize<'d>>(answer: &WireAnswer) -> Result<T> {
    serde_json::from_slice(&answer.body).map_err(|_| {
        Error::new(ErrorKind::Decode, "Crowd answered something unexpected").hint("check that SSOLoginURL is a page of Crowd")
    })
}

fn failed(status: u16) -> Error {
    let kind = if status >= 500 {
        ErrorKind::Unavailable
    } else {
        ErrorKind::Authentication
    };
    Error::new(kind, format!("Crowd did not sign the user in: HTTP {status}"))
        .hint("check SSOLoginURL; it must be a page of Crowd")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_root_of_crowd() {
        for (login, root) in [
            (
                "https://c.example:8095/crowd/console/login.action?x=1",
                "https://c.example:8095/crowd/",
            ),
            ("https://c.example/crowd", "https://c.example/crowd/"),
            ("https://c.example/plugins/servlet/samlidp", "https://c.example/"),
        ] {
            assert_eq!(base(&Url::parse(login).unwrap()).as_str(), root);
        }
    }
}
