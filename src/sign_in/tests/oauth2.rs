//! OAuth 2.0 at a Data Center site with rotating refresh tokens, and at a gateway of Cloud.

use std::sync::{Arc, Mutex};
use std::time::Duration;

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use sha2::{Digest, Sha256};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use url::Url;

use super::server::{Asked, json, start};
use super::{ask, client, options, shared};
use crate::connection::{Connection, Credentials, Gateway};
use crate::error::ErrorKind;
use crate::http::{Client, ClientOptions, Wire};
use crate::sign_in::browser::{self, Prompt};
use crate::sign_in::cloud::Cloud;
use crate::sign_in::oauth2::{Endpoints, OAuth2};

/// A site and its authorization server: the newest tokens, and what was asked.
#[derive(Default)]
struct State {
    /// Number of the newest pair: `a2` and `r2`.
    number: u32,
    /// How long a token lives.
    lifetime: Option<u64>,
    /// Refreshes that were exchanged, and how many of their answers to lose first.
    refreshes: u32,
    lose: u32,
    /// Refresh tokens that were exchanged once: good again within the leeway.
    code_challenge: String,
    asked: Vec<String>,
    /// Whether the site wants a CAPTCHA solved.
    captcha: bool,
    /// Whether old access tokens still work.
    lenient: bool,
    /// What is granted in another spelling, with `#` for the number of the tokens.
    spelling: Option<&'static str>,
}

type Shared = Arc<Mutex<State>>;

async fn site(state: &Shared) -> String {
    let state = Arc::clone(state);
    start(move |asked| answer(&state, &asked)).await
}

fn answer(state: &Shared, asked: &Asked) -> super::server::Answer {
    let mut state = state.lock().unwrap();
    state.asked.push(format!("{} {}", asked.method, asked.path));
    match asked.path.as_str() {
        "/rest/oauth2/latest/token" => {
            let form = asked.form();
            let field = |name: &str| form.get(name).map_or("", String::as_str);
            if field("client_id") != "client" || field("client_secret") != "s3cret" {
                return json(401, r#"{"error":"invalid_client"}"#);
            }
            match field("grant_type") {
                "refresh_token" => {
                    // The newest token, or within the leeway the one before it.
                    let newest = format!("r{}", state.number);
                    let before = format!("r{}", state.number.saturating_sub(1));
                    let token = field("refresh_token").to_owned();
                    if token == before && state.number > 0 {
                        // Exchanged already; the answer was lost.
                    } else if token == newest {
                        state.number += 1;
                        state.refreshes += 1;
                    } else {
                        return json(
                            403,
                            r#"{"error":"invalid_grant","error_description":"Unknown or invalid refresh token."}"#,
                        );
                    }
                    if state.lose > 0 {
                        state.lose -= 1;
                        return (0, String::new(), String::new());
                    }
                }
                "authorization_code" => {
                    let challenge = URL_SAFE_NO_PAD.encode(Sha256::digest(field("code_verifier")));
                    if field("code") != "c0de" || challenge != state.code_challenge {
                        return json(
                            400,
                            r#"{"error":"invalid_grant","error_description":"wrong code or verifier"}"#,
                        );
                    }
                    state.number += 1;
                }
                _ => return json(400, r#"{"error":"unsupported_grant_type"}"#),
            }
            let lifetime = state
                .lifetime
                .map_or(String::new(), |lifetime| format!(",\"expires_in\":{lifetime}"));
            let n = state.number;
            if let Some(spelling) = state.spelling {
                return json(200, spelling.replace('#', &n.to_string()));
            }
            json(
                200,
                format!(r#"{{"access_token":"a{n}","refresh_token":"r{n}","token_type":"bearer","scope":"WRITE"{lifetime}}}"#),
            )
        }
        _ if state.captcha => {
            let denied = "X-Authentication-Denied-Reason: CAPTCHA_CHALLENGE; login-url=x\r\n".to_owned();
            (401, denied, "{}".to_owned())
        }
        _ => {
            let newest = format!("Bearer a{}", state.number);
            if asked.header("authorization") == newest || state.lenient {
                json(200, r#"{"ok":true}"#)
            } else {
                json(401, r#"{"message":"the token has expired"}"#)
            }
        }
    }
}

fn text(url: &str, rest: &str) -> String {
    format!("URL={url};OAuthClientId=client;OAuthClientSecret=s3cret;{rest}")
}

fn count(state: &Shared, what: &str) -> usize {
    state
        .lock()
        .unwrap()
        .asked
        .iter()
        .filter(|asked| asked.as_str() == what)
        .count()
}

const REFRESH: &str = "POST /rest/oauth2/latest/token";

#[tokio::test]
async fn a_given_token_is_used_and_never_refreshed() {
    let state: Shared = shared();
    let url = site(&state).await;
    let (good, _) = client(&text(&url, "OAuthAccessToken=a0")).unwrap();
    assert_eq!(ask(&good).await.unwrap().status, 200);
    let (bad, _) = client(&text(&url, "OAuthAccessToken=c4n4ry")).unwrap();
    let error = ask(&bad).await.unwrap_err();
    assert_eq!(error.message(), "OAuthAccessToken was not accepted by the site");
    assert!(error.hint_text().unwrap().contains("InitiateOAuth=REFRESH"));
    let (old, _) = client(&text(
        &url,
        "OAuthAccessToken=a0;OAuthExpiresIn=60;OAuthTokenTimestamp=1600000000000",
    ))
    .unwrap();
    assert_eq!(ask(&old).await.unwrap_err().message(), "OAuthAccessToken has expired");
    assert_eq!(count(&state, REFRESH), 0);
}

#[tokio::test]
async fn a_refused_token_is_refreshed_once_for_all_requests() {
    let state: Shared = shared();
    let url = site(&state).await;
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("tokens.json");
    let rest = format!(
        "InitiateOAuth=REFRESH;OAuthAccessToken=old;OAuthRefreshToken=r0;OAuthSettingsLocation={}",
        file.display()
    );
    let (client_, _) = client(&text(&url, &rest)).unwrap();
    let answers = futures::future::join_all((0..20).map(|_| ask(&client_))).await;
    assert!(answers.iter().all(Result::is_ok), "{answers:?}");
    assert_eq!(state.lock().unwrap().refreshes, 1);
    // Another process goes on with what was kept, though its options still hold the first refresh token.
    let (other, _) = client(&text(&url, &rest)).unwrap();
    assert!(ask(&other).await.is_ok());
    assert_eq!(state.lock().unwrap().refreshes, 1);
    #[cfg(unix)]
    {
        use std::os::unix::fs::PermissionsExt;
        assert_eq!(std::fs::metadata(&file).unwrap().permissions().mode() & 0o777, 0o600);
    }
}

#[tokio::test]
async fn a_refresh_token_that_was_granted_is_never_lost() {
    for (number, spelling) in [
        r##"{"access_token":"a#","refresh_token":"r#","expires_in":"3600"}"##,
        r##"{"access_token":"a#","refresh_token":"r#","token_type":"bearer","expires_in":3600.0}"##,
        r##"{"access_token":"a#","refresh_token":"r#","scope":["WRITE","READ"]}"##,
        "access_token=a#&refresh_token=r#&token_type=bearer",
    ]
    .into_iter()
    .enumerate()
    {
        let state: Shared = shared();
        state.lock().unwrap().spelling = Some(spelling);
        let url = site(&state).await;
        let rest = format!(
            "InitiateOAuth=REFRESH;OAuthAccessToken=old;OAuthRefreshToken=r0;OAuthSettingsLocation=memory://spelt-{number}"
        );
        let (client, _) = client(&text(&url, &rest)).unwrap();
        assert_eq!(ask(&client).await.unwrap().status, 200, "{spelling}");
        assert_eq!(state.lock().unwrap().refreshes, 1, "{spelling}");
    }
    // An answer without an access token is an error, and what it grants for the next refresh is kept.
    let state: Shared = shared();
    state.lock().unwrap().spelling = Some(r##"{"refresh_token":"r#"}"##);
    let url = site(&state).await;
    let rest = "InitiateOAuth=REFRESH;OAuthAccessToken=old;OAuthRefreshToken=r0;OAuthSettingsLocation=memory://spelt-without";
    let (client, _) = client(&text(&url, rest)).unwrap();
    let error = ask(&client).await.unwrap_err();
    assert_eq!(error.message(), "the authorization server granted no access token");
    state.lock().unwrap().spelling = None;
    assert_eq!(ask(&client).await.unwrap().status, 200);
    assert_eq!(state.lock().unwrap().refreshes, 2);
}

/// By hand, as the test of the keyring itself.
#[cfg(feature = "keyring")]
#[tokio::test]
#[ignore = "needs a desktop session with a keyring that is unlocked"]
async fn tokens_are_kept_in_a_desktop_session() {
    let state: Shared = shared();
    let url = site(&state).await;
    let rest =
        "InitiateOAuth=REFRESH;OAuthAccessToken=old;OAuthRefreshToken=r0;OAuthSettingsLocation=keyring://jsmql test of tokens";
    let (one, sign_in) = client(&text(&url, rest)).unwrap();
    sign_in.logout().await.unwrap();
    let answers = futures::future::join_all((0..20).map(|_| ask(&one))).await;
    assert!(answers.iter().all(Result::is_ok), "{answers:?}");
    let (other, sign_in) = client(&text(&url, rest)).unwrap();
    assert!(ask(&other).await.is_ok());
    assert_eq!(state.lock().unwrap().refreshes, 1);
    assert_eq!(
        sign_in.logout().await.unwrap(),
        "removed the tokens in keyring://jsmql test of tokens"
    );
}

#[tokio::test]
async fn a_locked_account_is_asked_for_once() {
    let state: Shared = shared();
    state.lock().unwrap().captcha = true;
    let url = site(&state).await;
    let rest = "InitiateOAuth=REFRESH;OAuthAccessToken=a0;OAuthRefreshToken=r0;OAuthSettingsLocation=memory://locked";
    let (client, _) = client(&text(&url, rest)).unwrap();
    let error = ask(&client).await.unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Authentication);
    assert!(error.message().contains("CAPTCHA"), "{error}");
    assert_eq!(count(&state, "GET /rest/api/2/myself"), 1);
    assert_eq!(count(&state, REFRESH), 0, "another token would not help");
}

#[tokio::test]
async fn a_token_is_refreshed_before_it_expires() {
    let state: Shared = shared();
    let url = site(&state).await;
    state.lock().unwrap().lenient = true;
    let now = crate::sign_in::tokens::now() * 1000;
    // Four fifths of the lifetime are over for the first, not for the second.
    for (age, refreshes) in [(900_000, 1), (500_000, 1)] {
        let rest = format!(
            "InitiateOAuth=REFRESH;OAuthAccessToken=x{age};OAuthRefreshToken=r0;OAuthExpiresIn=1000;OAuthTokenTimestamp={};\
             OAuthSettingsLocation=memory://before-{age}",
            now - age
        );
        let (client, _) = client(&text(&url, &rest)).unwrap();
        assert!(ask(&client).await.is_ok());
        assert_eq!(state.lock().unwrap().refreshes, refreshes, "{age}");
    }
}

#[tokio::test]
async fn a_clock_that_went_back_means_a_refresh_not_a_wait() {
    let state: Shared = shared();
    let url = site(&state).await;
    let future = (crate::sign_in::tokens::now() + 100_000) * 1000;
    let rest = format!(
        "InitiateOAuth=REFRESH;OAuthAccessToken=x;OAuthRefreshToken=r0;OAuthExpiresIn=1000;OAuthTokenTimestamp={future};\
         OAuthSettingsLocation=memory://clock"
    );
    let (client, _) = client(&text(&url, &rest)).unwrap();
    assert!(ask(&client).await.is_ok());
    assert_eq!(
        count(&state, "GET /rest/api/2/myself"),
        1,
        "the stale token was not even tried"
    );
}

#[tokio::test]
async fn a_lost_answer_is_asked_for_again_with_the_same_token() {
    let state: Shared = shared();
    state.lock().unwrap().lose = 2;
    let url = site(&state).await;
    let (client, _) = client(&text(
        &url,
        "InitiateOAuth=REFRESH;OAuthRefreshToken=r0;OAuthSettingsLocation=memory://lost",
    ))
    .unwrap();
    assert!(ask(&client).await.is_ok());
    assert_eq!(count(&state, REFRESH), 3);
    assert_eq!(state.lock().unwrap().refreshes, 1);
}

#[tokio::test]
async fn a_cancelled_statement_loses_no_refresh() {
    let state: Shared = shared();
    let url = site(&state).await;
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("tokens.json");
    let rest = format!(
        "InitiateOAuth=REFRESH;OAuthRefreshToken=r0;OAuthSettingsLocation={}",
        file.display()
    );
    let (client_, _) = client(&text(&url, &rest)).unwrap();
    for _ in 0..20 {
        // Dropped at the first chance: the refresh has begun and is not over.
        let _ = tokio::time::timeout(Duration::from_micros(1), ask(&client_)).await;
    }
    tokio::time::timeout(Duration::from_secs(5), async {
        while !file.exists() {
            tokio::time::sleep(Duration::from_millis(5)).await;
        }
    })
    .await
    .unwrap();
    let (other, _) = client(&text(&url, &rest)).unwrap();
    assert!(ask(&other).await.is_ok());
    assert_eq!(state.lock().unwrap().refreshes, 1);
}

#[tokio::test]
async fn a_refused_refresh_keeps_what_is_there() {
    let state: Shared = shared();
    let url = site(&state).await;
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("tokens.json");
    let rest = format!(
        "InitiateOAuth=REFRESH;OAuthRefreshToken=revoked;OAuthSettingsLocation={}",
        file.display()
    );
    let (client_, _) = client(&text(&url, &rest)).unwrap();
    let error = ask(&client_).await.unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Authentication);
    assert_eq!(
        error.message(),
        "the refresh token was refused: Unknown or invalid refresh token."
    );
    assert!(error.hint_text().unwrap().contains("jsmql login"));
    // Newer tokens in the options are taken.
    let (client_, _) = client(&text(&url, &rest.replace("revoked", "r0"))).unwrap();
    assert!(ask(&client_).await.is_ok());
    let kept = std::fs::read_to_string(&file).unwrap();
    let (client_, _) = client(&text(&url, &rest)).unwrap();
    assert!(ask(&client_).await.is_err());
    assert_eq!(
        std::fs::read_to_string(&file).unwrap(),
        kept,
        "the good tokens of the other option are still there"
    );
    let error = ask(
        &client(&text(&url, "InitiateOAuth=REFRESH;OAuthSettingsLocation=memory://none"))
            .unwrap()
            .0,
    )
    .await
    .unwrap_err();
    assert!(error.message().contains("there are no tokens"), "{error}");
    let wrong = text(
        &url,
        "InitiateOAuth=REFRESH;OAuthRefreshToken=r1;OAuthSettingsLocation=memory://client",
    );
    let error = ask(&client(&wrong.replace("s3cret", "c4n4ry")).unwrap().0).await.unwrap_err();
    assert!(error.message().contains("does not accept the client"), "{error}");
    assert!(!format!("{error:?}").contains("c4n4ry"));
}

#[tokio::test]
async fn a_file_that_others_may_read_or_that_is_damaged_is_refused() {
    let state: Shared = shared();
    let url = site(&state).await;
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("tokens.json");
    let (client_, _) = client(&text(
        &url,
        &format!(
            "InitiateOAuth=REFRESH;OAuthRefreshToken=r0;OAuthSettingsLocation={}",
            file.display()
        ),
    ))
    .unwrap();
    #[cfg(unix)]
    {
        use std::os::unix::fs::PermissionsExt;
        std::fs::write(&file, "{}").unwrap();
        std::fs::set_permissions(&file, std::fs::Permissions::from_mode(0o644)).unwrap();
        let error = ask(&client_).await.unwrap_err();
        assert!(error.message().contains("other users may read"), "{error}");
        assert!(error.hint_text().unwrap().contains("chmod 600"));
        std::fs::set_permissions(&file, std::fs::Permissions::from_mode(0o600)).unwrap();
    }
    for text in ["{", "{}", "[1]", ""] {
        std::fs::write(&file, text).unwrap();
        let error = ask(&client_).await.unwrap_err();
        assert!(error.message().contains("cannot be read"), "{error}");
        assert_eq!(std::fs::read_to_string(&file).unwrap(), text, "it is left as it is");
    }
    assert_eq!(count(&state, REFRESH), 0, "nothing is exchanged that could not be kept");
}

/// Ten sessions stand for ten processes: they share nothing but the file, whose lock belongs to the open file.
#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn ten_processes_refresh_once() {
    let state: Shared = shared();
    let url = site(&state).await;
    let folder = tempfile::tempdir().unwrap();
    let rest = format!(
        "InitiateOAuth=REFRESH;OAuthAccessToken=old;OAuthRefreshToken=r0;OAuthSettingsLocation={}",
        folder.path().join("sub/tokens.json").display()
    );
    let clients: Vec<_> = (0..10).map(|_| client(&text(&url, &rest)).unwrap()).collect();
    let answers = futures::future::join_all(clients.iter().map(|(client, _)| ask(client))).await;
    assert!(answers.iter().all(Result::is_ok), "{answers:?}");
    assert_eq!(state.lock().unwrap().refreshes, 1);
}

/// A browser that follows the address and comes back as told.
async fn browse(callback: &str, query: &str) -> String {
    let url = Url::parse(callback).unwrap();
    let mut stream = loop {
        match tokio::net::TcpStream::connect(("127.0.0.1", url.port().unwrap())).await {
            Ok(stream) => break stream,
            Err(_) => tokio::time::sleep(Duration::from_millis(5)).await,
        }
    };
    let request = format!("GET {}?{query} HTTP/1.1\r\nHost: x\r\n\r\n", url.path());
    stream.write_all(request.as_bytes()).await.unwrap();
    let mut answer = String::new();
    let _ = stream.read_to_string(&mut answer).await;
    answer.lines().next().unwrap_or_default().to_owned()
}

fn free_port() -> u16 {
    std::net::TcpListener::bind("127.0.0.1:0")
        .unwrap()
        .local_addr()
        .unwrap()
        .port()
}

#[tokio::test]
async fn a_callback_is_taken_only_with_the_right_state() {
    let callback = format!("http://localhost:{}/done", free_port());
    let listening = browser::listen(&Url::parse(&callback).unwrap()).await.unwrap().unwrap();
    let waiting = tokio::spawn(listening.wait("right"));
    assert!(browse(&callback, "code=evil&state=wrong").await.contains("400"));
    assert!(browse(&callback, "code=evil").await.contains("400"));
    assert!(
        browse(&callback.replace("done", "other"), "code=evil&state=right")
            .await
            .contains("404")
    );
    assert!(browse(&callback, "code=c0de&state=right").await.contains("200"));
    assert_eq!(waiting.await.unwrap().unwrap().expose(), "c0de");
    let listening = browser::listen(&Url::parse(&callback).unwrap()).await.unwrap().unwrap();
    let waiting = tokio::spawn(listening.wait("right"));
    browse(&callback, "error=access_denied&error_description=User+said+no&state=right").await;
    let error = waiting.await.unwrap().unwrap_err();
    assert_eq!(error.message(), "the sign-in was refused: User said no");
    for elsewhere in ["https://localhost:1/x", "https://app.example/x"] {
        assert!(browser::listen(&Url::parse(elsewhere).unwrap()).await.unwrap().is_none());
    }
}

/// What the page of an authorization request asks for.
fn parameters(url: &Url) -> std::collections::HashMap<String, String> {
    url.query_pairs().into_owned().collect()
}

fn oauth(url: &str, rest: &str) -> Arc<OAuth2> {
    let (_, sign_in) = client(&text(url, rest)).unwrap();
    match sign_in.oauth {
        Some(crate::sign_in::OAuth::Two(oauth)) => oauth,
        other => panic!("{other:?}"),
    }
}

#[tokio::test]
async fn a_sign_in_with_state_and_pkce() {
    let state: Shared = shared();
    let url = site(&state).await;
    let oauth = oauth(
        &url,
        "InitiateOAuth=GETANDREFRESH;OAuthSettingsLocation=memory://sign-in;CallbackURL=https://app.example/done;Scope=READ,WRITE",
    );
    let begun = oauth.begin(None, None, None).await.unwrap();
    let asked = parameters(&begun.url);
    assert!(begun.url.as_str().starts_with(&format!("{url}rest/oauth2/latest/authorize?")));
    assert_eq!(
        (asked["client_id"].as_str(), asked["scope"].as_str()),
        ("client", "READ WRITE")
    );
    assert_eq!(
        (asked["redirect_uri"].as_str(), asked["code_challenge_method"].as_str()),
        ("https://app.example/done", "S256")
    );
    state.lock().unwrap().code_challenge = asked["code_challenge"].clone();
    let wrong = format!("https://app.example/done?code=c0de&state=x{}", asked["state"]);
    let error = oauth.finish(&wrong.as_str().into(), None).await.unwrap_err();
    assert!(error.message().contains("its state is wrong"), "{error}");
    let error = oauth.finish(&"other".into(), None).await.unwrap_err();
    assert!(error.message().contains("the code of the sign-in was refused"), "{error}");
    let right = format!("https://app.example/done?code=c0de&state={}", asked["state"]);
    let granted = oauth.finish(&right.as_str().into(), None).await.unwrap();
    assert_eq!(
        (
            granted.access_token.expose(),
            granted.refresh_token.unwrap().expose(),
            granted.expires_in
        ),
        ("a1", "r1", None)
    );
    // Another session uses what was kept; then it is forgotten.
    let (client, sign_in) = client(&text(
        &url,
        "InitiateOAuth=GETANDREFRESH;OAuthSettingsLocation=memory://sign-in;CallbackURL=https://app.example/done",
    ))
    .unwrap();
    assert!(ask(&client).await.is_ok());
    assert_eq!(sign_in.logout().await.unwrap(), "removed the tokens in memory://sign-in");
    assert_eq!(sign_in.logout().await.unwrap(), "there were no tokens in memory://sign-in");
    let renewed = oauth.renewed(&"r1".into()).await.unwrap();
    assert_eq!(
        (renewed.access_token.expose(), renewed.refresh_token.unwrap().expose()),
        ("a2", "r2")
    );
}

#[tokio::test]
async fn a_login_through_a_browser_on_loopback() {
    let state: Shared = shared();
    let url = site(&state).await;
    let callback = format!("http://localhost:{}/", free_port());
    let rest = format!("InitiateOAuth=GETANDREFRESH;OAuthSettingsLocation=memory://login;CallbackURL={callback}");
    let (client_, sign_in) = client(&text(&url, &rest)).unwrap();
    // The user's side: what login printed is what begin made; the pending state is in the store.
    let store =
        crate::sign_in::store::Store::new(&crate::connection::TokenPlace::Memory("login".into()), &url, "client", None).unwrap();
    let user = tokio::spawn(async move {
        let pending = loop {
            match store.load().await.unwrap().and_then(|tokens| tokens.pending) {
                Some(pending) => break pending,
                None => tokio::time::sleep(Duration::from_millis(5)).await,
            }
        };
        let challenge = URL_SAFE_NO_PAD.encode(Sha256::digest(pending.verifier.expose()));
        state.lock().unwrap().code_challenge = challenge;
        browse(&callback, &format!("code=c0de&state={}", pending.state)).await
    });
    assert_eq!(sign_in.login(Prompt { browser: false }).await.unwrap(), "memory://login");
    assert!(user.await.unwrap().contains("200"));
    assert!(ask(&client_).await.is_ok());
}

#[tokio::test]
async fn without_a_browser_the_code_is_copied() {
    let state: Shared = shared();
    let url = site(&state).await;
    let rest = "InitiateOAuth=GETANDREFRESH;OAuthSettingsLocation=memory://headless;CallbackURL=https://app.example/done";
    let (_, sign_in) = client(&text(&url, rest)).unwrap();
    let error = sign_in.login(Prompt { browser: false }).await.unwrap_err();
    assert_eq!(error.message(), "the sign-in waits for its code");
    let shown = error.hint_text().unwrap().split(' ').nth(1).unwrap().parse::<Url>().unwrap();
    state.lock().unwrap().code_challenge = parameters(&shown)["code_challenge"].clone();
    let (client_, _) = client(&text(&url, &format!("{rest};OAuthVerifier=c0de"))).unwrap();
    assert!(ask(&client_).await.is_ok());
    // The code is good once; the kept tokens are used from then on.
    let (client_, _) = client(&text(&url, &format!("{rest};OAuthVerifier=c0de"))).unwrap();
    assert!(ask(&client_).await.is_ok());
    assert_eq!(state.lock().unwrap().number, 1);
}

#[tokio::test]
async fn cloud_asks_for_offline_access_and_all_scopes() {
    let connection = Connection::parse(
        "URL=https://acme.atlassian.net;AuthScheme=OAuth;OAuthClientId=c;OAuthClientSecret=s;InitiateOAuth=GETANDREFRESH;OAuthSettingsLocation=memory://scopes",
        [],
    )
    .unwrap();
    let sign_in = crate::sign_in::SignIn::new(&connection, &options(&connection)).unwrap();
    let Some(crate::sign_in::OAuth::Two(oauth)) = sign_in.oauth else {
        panic!("no OAuth")
    };
    let asked = parameters(&oauth.begin(None, None, Some("mine")).await.unwrap().url);
    assert_eq!(
        (asked["audience"].as_str(), asked["prompt"].as_str()),
        ("api.atlassian.com", "consent")
    );
    assert_eq!(asked["state"], "mine");
    for scope in [
        "read:servicedesk-request",
        "manage:servicedesk-customer",
        "read:jira-work",
        "offline_access",
    ] {
        assert!(asked["scope"].split(' ').any(|asked| asked == scope), "{scope}");
    }
}

/// A gateway: two sites that a token was granted for, and the API of one. It does not answer at once.
async fn gateway() -> String {
    let is_awake = std::sync::atomic::AtomicBool::new(false);
    start(move |asked| match asked.path.as_str() {
        "/oauth/token/accessible-resources" if !is_awake.swap(true, std::sync::atomic::Ordering::Relaxed) => json(503, "{}"),
        "/oauth/token/accessible-resources" if asked.header("authorization") == "Bearer token" => json(
            200,
            r#"[null,{"id":null,"url":"https://one.example"},{"id":"id-1","url":"https://one.example","name":"one"},{"id":"id-2","url":"https://two.example","name":"two"}]"#,
        ),
        "/_edge/tenant_info" => json(200, r#"{"cloudId":"id-1"}"#),
        "/ex/jira/id-1/rest/api/2/myself" => json(200, format!("{{\"seen\":\"{}\"}}", asked.header("authorization"))),
        "/ex/jira/id-3/rest/api/2/myself" => json(401, r#"{"code":401,"message":"Unauthorized; scope does not match"}"#),
        _ => json(401, "{}"),
    })
    .await
}

/// A client of `site`, whose API is at the gateway.
async fn through(gateway: &str, site: &str, known: Gateway, oauth: bool) -> Client {
    let base = Url::parse(site).unwrap();
    let options = ClientOptions {
        scopes: crate::schema::Catalog::load(None).unwrap().scopes().clone(),
        ..ClientOptions::site(base.clone())
    };
    let connection = Connection::parse(&format!("URL={site};OAuthAccessToken=token"), []).unwrap();
    let Credentials::OAuth2(settings) = connection.credentials() else {
        panic!("no OAuth")
    };
    let endpoints = Endpoints {
        authorize: base.clone(),
        token: base.clone(),
    };
    let wire = Wire::new(&options).unwrap();
    let signer = OAuth2::at(endpoints, settings, &base, None, wire.clone()).unwrap().shared();
    let cloud = Cloud::at(gateway, &base, &known, oauth.then(|| Arc::clone(&signer)), wire);
    Client::new(ClientOptions {
        authorization: crate::http::Authorization::Signed(signer),
        locator: Some(Arc::new(cloud)),
        ..options
    })
    .unwrap()
}

#[tokio::test]
async fn the_gateway_is_found_by_the_cloud_id() {
    let gateway = gateway().await;
    for (site, known, oauth) in [
        ("https://one.example/", Gateway::Unknown, true),
        ("https://else.example/", Gateway::Known("id-1".into()), true),
        (gateway.as_str(), Gateway::Unknown, false),
    ] {
        let client = through(&gateway, site, known, oauth).await;
        let answer = ask(&client).await.unwrap_or_else(|error| panic!("{site}: {error}"));
        assert_eq!(answer.body, r#"{"seen":"Bearer token"}"#);
        // The gateway's links name the site or the gateway.
        assert!(client.follow(&format!("{site}rest/api/2/x?start=1")).is_ok());
        assert!(client.follow(&format!("{gateway}ex/jira/id-1/rest/api/2/x?start=1")).is_ok());
        assert!(client.follow("https://evil.example/rest/api/2/x").is_err());
    }
    let client = through(&gateway, "https://else.example/", Gateway::Unknown, true).await;
    let error = ask(&client).await.unwrap_err();
    assert!(
        error.message().contains("was not granted for https://else.example/"),
        "{error}"
    );
    assert!(
        error.hint_text().unwrap().contains("https://two.example (CloudId=id-2)"),
        "{error:?}"
    );
}

#[tokio::test]
async fn a_missing_scope_is_named_and_is_no_reason_to_refresh() {
    let gateway = gateway().await;
    let client = through(&gateway, "https://one.example/", Gateway::Known("id-3".into()), true).await;
    let error = ask(&client).await.unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Permission, "{error}");
    assert!(error.message().contains("scope"), "{error}");
    assert!(error.hint_text().unwrap().contains("read:jira-user"), "{error:?}");
}
