//! Single sign-on through a Crowd and an Okta of a few lines, and a site that takes their SAML answers.

use std::sync::{Arc, Mutex};

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;

use super::server::{Answer, Asked, json, start};
use super::{ask, client, shared};
use crate::error::ErrorKind;

/// What happened.
#[derive(Default)]
struct State {
    /// The session that the site knows.
    session: u32,
    /// What the identity provider's SAML answer says.
    code: String,
    /// What Okta says of the account.
    okta: String,
    asked: Vec<String>,
}

fn saml(code: &str) -> String {
    let code = if code.is_empty() { "Success" } else { code };
    STANDARD.encode(format!(
        "<Response xmlns=\"urn:oasis:names:tc:SAML:2.0:protocol\"><Status><StatusCode Value=\"urn:oasis:names:tc:SAML:2.0:status:{code}\"/></Status></Response>"
    ))
}

fn form(state: &State) -> Answer {
    let page = format!(
        "<html><body onload=\"document.forms[0].submit()\"><form method=post action=\"https://anywhere.example/\">\
         <input type=hidden name=SAMLResponse value=\"{}\"><input type=hidden name=RelayState value=\"r&amp;s\"></form></body></html>",
        saml(&state.code)
    );
    (200, "Content-Type: text/html\r\n".into(), page)
}

fn answer(state: &mut State, asked: &Asked) -> Answer {
    state.asked.push(asked.path.clone());
    let cookie = asked.header("cookie");
    match asked.path.as_str() {
        // Crowd.
        "/crowd/rest/usermanagement/1/session" => {
            if asked.header("authorization") != "Basic YXBwOnMzY3JldA==" {
                return json(401, "{}");
            }
            let right = asked.body.contains("\"username\":\"ann\"") && asked.body.contains("\"password\":\"p4ss\"");
            if right {
                json(201, r#"{"token":"crowd-session"}"#)
            } else {
                json(400, r#"{"reason":"INVALID_USER_AUTHENTICATION"}"#)
            }
        }
        "/crowd/rest/usermanagement/1/config/cookie" => json(200, r#"{"secure":false,"name":"crowd.mine"}"#),
        "/crowd/plugins/servlet/samlidp" if cookie.contains("crowd.mine=crowd-session") => form(state),
        // Okta.
        "/api/v1/authn" => {
            if asked.header("authorization") != "SSWS okta-token" || !asked.body.contains("\"password\":\"p4ss\"") {
                return json(401, r#"{"errorCode":"E0000004"}"#);
            }
            match state.okta.as_str() {
                "" => json(200, r#"{"status":"SUCCESS","sessionToken":"once"}"#),
                other => json(200, format!("{{\"status\":\"{other}\"}}")),
            }
        }
        "/login/sessionCookieRedirect" if asked.query["token"] == "once" => {
            let to = asked.query["redirectUrl"].clone();
            (
                302,
                format!("Location: {to}\r\nSet-Cookie: sid=okta-session; Path=/\r\n"),
                String::new(),
            )
        }
        "/home/jira/1/2" if cookie.contains("sid=okta-session") => form(state),
        // The site.
        "/plugins/servlet/samlconsumer" => {
            let form = asked.form();
            if form["SAMLResponse"] != saml("") || form["RelayState"] != "r&s" {
                return json(403, "{}");
            }
            state.session += 1;
            let cookie = format!("Set-Cookie: JSESSIONID=session-{}; Path=/; HttpOnly\r\n", state.session);
            (302, format!("Location: /secure/Dashboard.jspa\r\n{cookie}"), String::new())
        }
        "/rest/api/2/myself" => {
            let known = cookie.contains(&format!("JSESSIONID=session-{}", state.session));
            // A session that has ended is a stranger's: Jira answers it all the same.
            let name = if known { "ann" } else { "anonymous" };
            (
                200,
                format!("Content-Type: application/json\r\nX-AUSERNAME: {name}\r\n"),
                "{}".into(),
            )
        }
        _ => (200, "Content-Type: text/html\r\n".into(), "<html>hello</html>".into()),
    }
}

async fn world() -> (String, Arc<Mutex<State>>) {
    let state: Arc<Mutex<State>> = shared();
    let own = Arc::clone(&state);
    (start(move |asked| answer(&mut own.lock().unwrap(), &asked)).await, state)
}

fn crowd(url: &str) -> String {
    format!(
        "URL={url};AuthScheme=Crowd;User=ann;Password=p4ss;SSOLoginURL={url}crowd/plugins/servlet/samlidp;\
         SSOExchangeUrl={url}plugins/servlet/samlconsumer;SSOAppName=app;SSOAppPassword=s3cret"
    )
}

fn okta(url: &str) -> String {
    format!(
        "URL={url};AuthScheme=Okta;User=ann;Password=p4ss;SSOLoginURL={url}home/jira/1/2;\
         SSOExchangeUrl={url}plugins/servlet/samlconsumer;SSOProperties='Domain={url};APIToken=okta-token'"
    )
}

#[tokio::test]
async fn a_session_is_made_once_and_renewed_when_it_ends() {
    for scheme in [crowd, okta] {
        let (url, state) = world().await;
        let (client, _) = client(&scheme(&url)).unwrap();
        let answers = futures::future::join_all((0..5).map(|_| ask(&client))).await;
        assert!(answers.iter().all(Result::is_ok), "{answers:?}");
        assert_eq!(state.lock().unwrap().session, 1);
        // The site forgets the session: nobody else knows the next one.
        state.lock().unwrap().session = 7;
        assert!(ask(&client).await.is_ok());
        assert_eq!(state.lock().unwrap().session, 8);
    }
}

#[tokio::test]
async fn what_goes_wrong_is_told() {
    type Change = fn(&mut State);
    for (scheme, from, to, change, message) in [
        (
            crowd as fn(&str) -> String,
            "p4ss",
            "c4n4ry",
            (|_| ()) as Change,
            "Crowd does not accept User and Password",
        ),
        (crowd, "s3cret", "c4n4ry", |_| (), "Crowd does not accept the application"),
        (crowd, "samlidp", "other", |_| (), "holds no SAML answer"),
        (crowd, "samlconsumer", "other", |_| (), "did not take the SAML answer"),
        (
            crowd,
            "",
            "",
            |state| state.code = "Responder".into(),
            "did not sign the user in: Responder",
        ),
        (okta, "p4ss", "c4n4ry", |_| (), "Okta does not accept User and Password"),
        (okta, "okta-token", "c4n4ry", |_| (), "Okta does not accept User and Password"),
        (
            okta,
            "",
            "",
            |state| state.okta = "MFA_REQUIRED".into(),
            "wants a second factor",
        ),
        (
            okta,
            "",
            "",
            |state| state.okta = "LOCKED_OUT".into(),
            "has locked the account",
        ),
    ] {
        let (url, state) = world().await;
        change(&mut state.lock().unwrap());
        let text = scheme(&url);
        let text = if from.is_empty() { text } else { text.replace(from, to) };
        let (client, _) = client(&text).unwrap();
        let error = ask(&client).await.unwrap_err();
        assert_eq!(error.kind(), ErrorKind::Authentication, "{error}");
        assert!(error.message().contains(message), "{error}\n  lacks {message}");
        assert!(!format!("{error:?}").contains("c4n4ry"));
        let tries = state
            .lock()
            .unwrap()
            .asked
            .iter()
            .filter(|path| path.contains("session") || path.contains("authn"))
            .count();
        assert!(tries <= 2, "a refused password is not sent again and again: {tries}");
    }
}
