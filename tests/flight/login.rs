//! Who may do what: logins, tokens, and a hundred accounts at once.

use std::io::Write;
use std::time::Duration;

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use jsmql::demo::{DemoOptions, TOKEN, USER, account};
use jsmql::flight::{Access, Limits, ServeOptions};
use tonic::Code;

use super::support::*;

fn users() -> (tempfile::NamedTempFile, ServeOptions) {
    let mut file = tempfile::NamedTempFile::new().unwrap();
    writeln!(file, "ann:C4N4RY1\nbob:C4N4RY2").unwrap();
    let access = Access::Own {
        writes: false,
        users: Some(file.path().to_owned()),
    };
    let options = ServeOptions {
        access,
        ..ServeOptions::default()
    };
    (file, options)
}

fn pass_through() -> ServeOptions {
    ServeOptions {
        access: Access::PassThrough,
        ..ServeOptions::default()
    }
}

fn basic(user: &str, secret: &str) -> String {
    format!("Basic {}", STANDARD.encode(format!("{user}:{secret}")))
}

#[tokio::test]
async fn a_login_gives_a_token_and_headers_do_as_well() {
    let (_file, options) = users();
    let served = serve(DemoOptions::fixed(), options).await;
    let mut stranger = served.client().await;
    refused(
        query(&mut stranger, "SELECT 1").await,
        Code::Unauthenticated,
        "wants to know who you are",
    );
    for (user, password) in [("ann", "C4N4RY2"), ("eve", "C4N4RY1"), ("", ""), ("ann", "")] {
        let error = stranger.handshake(user, password).await.unwrap_err().to_string();
        assert!(error.contains("user or password is wrong"), "{error}");
        assert!(!error.contains("C4N4RY"), "{error}");
    }

    let mut ann = served.client().await;
    let payload = ann.handshake("ann", "C4N4RY1").await.unwrap();
    assert_eq!(
        Some(&String::from_utf8(payload.to_vec()).unwrap()),
        ann.token(),
        "in the message as in the header"
    );
    assert_eq!(cell(&mut ann, "SELECT count(*) FROM service_desks").await, "3");

    let mut bob = served.client().await;
    bob.set_header("authorization", basic("bob", "C4N4RY2"));
    assert_eq!(cell(&mut bob, "SELECT count(*) FROM service_desks").await, "3");
    bob.set_header("authorization", basic("bob", "C4N4RY1"));
    refused(query(&mut bob, "SELECT 1").await, Code::Unauthenticated, "is wrong");
    for header in ["Bearer C4N4RY", "Basic C4N4RY!", "Digest C4N4RY", "C4N4RY"] {
        bob.set_header("authorization", header);
        let status = status(query(&mut bob, "SELECT 1").await.unwrap_err());
        assert_eq!(status.code(), Code::Unauthenticated, "{header}");
        assert!(!format!("{status:?}").contains("C4N4RY"), "{status:?}");
    }
    // Everything that was asked of the site was asked by its own account.
    assert!(served.requests().iter().all(|(_, _, account)| *account == Some(0)));
}

#[tokio::test]
async fn a_server_that_asks_nobody_takes_no_password() {
    let served = open().await;
    let mut client = served.client().await;
    let error = client.handshake(USER, TOKEN).await.unwrap_err().to_string();
    assert!(error.contains("asks nobody who they are"), "{error}");
    assert!(!error.contains(TOKEN));
    assert_eq!(served.asked(), 0);
}

#[tokio::test]
async fn handles_are_for_the_client_that_got_them() {
    let (_file, options) = users();
    let served = serve(DemoOptions::fixed(), options).await;
    let (mut ann, mut bob) = (served.client().await, served.client().await);
    ann.handshake("ann", "C4N4RY1").await.unwrap();
    bob.handshake("bob", "C4N4RY2").await.unwrap();
    let info = ann.execute("SELECT 1".into(), None).await.unwrap();
    refused(fetch(&mut bob, &info).await, Code::NotFound, "no statement of this handle");
    assert_eq!(texts(&fetch(&mut ann, &info).await.unwrap()), [["1"]]);

    // The token decides, not the connection: another connection with it is the same client, and a second login is another.
    let info = ann.execute("SELECT 2".into(), None).await.unwrap();
    let mut again = served.client().await;
    again.handshake("ann", "C4N4RY1").await.unwrap();
    refused(fetch(&mut again, &info).await, Code::NotFound, "no statement of this handle");
    again.set_token(ann.token().unwrap().clone());
    assert_eq!(texts(&fetch(&mut again, &info).await.unwrap()), [["2"]]);
}

#[tokio::test]
async fn whoever_passes_through_is_who_it_is_on_the_site() {
    let served = serve(DemoOptions::fixed(), pass_through()).await;
    let mut client = served.client().await;
    refused(query(&mut client, "SELECT 1").await, Code::Unauthenticated, "who you are");
    for (user, token) in [
        (USER, "C4N4RY"),
        ("eve@demo.example", TOKEN),
        ("", "C4N4RY"),
        (USER, ""),
        ("a:b", "C4N4RY\n"),
    ] {
        let error = client.handshake(user, token).await.unwrap_err().to_string();
        assert!(error.contains("hint:"), "{error}");
        assert!(!error.contains("C4N4RY"), "{error}");
    }
    client.handshake(USER, TOKEN).await.unwrap();
    assert_eq!(cell(&mut client, "SELECT display_name FROM myself").await, "Dana Demo");
    // It may do what its account may do.
    let insert = "INSERT INTO request_comments (issue_key, body) VALUES ('ITSM-9', 'own')";
    assert_eq!(client.execute_update(insert.into(), None).await.unwrap(), 1);
    // The secrets are nowhere to be read.
    let options = texts(&query(&mut client, "SELECT * FROM sys.options").await.unwrap());
    assert!(!options.concat().iter().any(|text| text.contains(TOKEN)), "{options:?}");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_hundred_accounts_at_once_never_see_each_other() {
    let served = serve(
        DemoOptions {
            latency: Duration::from_millis(2),
            ..DemoOptions::fixed()
        },
        pass_through(),
    )
    .await;
    let served = std::sync::Arc::new(served);
    let clients = (0..100).map(|index| {
        let served = served.clone();
        tokio::spawn(async move {
            let (user, token) = account(index);
            let mut client = served.client().await;
            // Half of them log in, half send their credentials with every call.
            if index % 2 == 0 {
                client.handshake(&user, &token).await.unwrap();
            } else {
                client.set_header("authorization", basic(&user, &token));
            }
            client
                .execute_update(format!("CREATE TABLE temp.mine AS SELECT {index} AS who"), None)
                .await
                .unwrap();
            let me = texts(
                &query(&mut client, "SELECT account_id, display_name FROM myself")
                    .await
                    .unwrap(),
            );
            for _ in 0..3 {
                let again = texts(
                    &query(&mut client, "SELECT account_id, display_name FROM myself")
                        .await
                        .unwrap(),
                );
                assert_eq!(again, me);
                let reporters = "SELECT DISTINCT reporter_account_id FROM requests WHERE request_ownership = 'OWNED_REQUESTS'";
                for row in texts(&query(&mut client, reporters).await.unwrap()) {
                    assert_eq!(row[0], me[0][0], "{user} sees the requests of somebody else");
                }
                assert_eq!(cell(&mut client, "SELECT who FROM temp.mine").await, index.to_string());
            }
            let own = texts(&query(&mut client, "SELECT count(*) FROM sys.requests").await.unwrap());
            (index, me[0][0].clone(), own[0][0].parse::<usize>().unwrap())
        })
    });
    let mut ids = std::collections::HashSet::new();
    let mut own = vec![0; 100];
    for client in futures::future::join_all(clients).await {
        let (index, id, requests) = client.unwrap();
        assert!(ids.insert(id), "two clients are the same account");
        own[index] = requests;
    }
    // What the site was asked by each account is what the session of that client says.
    let mut asked = vec![0; 100];
    for (_, address, account) in served.requests() {
        asked[account.unwrap_or_else(|| panic!("{address} was asked by nobody"))] += 1;
    }
    assert_eq!(asked, own);
}

#[tokio::test]
async fn too_many_wrong_logins_are_refused_before_the_site_is_asked() {
    let options = ServeOptions {
        limits: Limits {
            wrong_logins: 3,
            ..Limits::default()
        },
        ..pass_through()
    };
    let served = serve(DemoOptions::fixed(), options).await;
    let mut client = served.client().await;
    for _ in 0..3 {
        assert!(client.handshake(USER, "wrong").await.is_err());
    }
    let asked = served.asked();
    assert_eq!(asked, 3);
    let error = client.handshake(USER, TOKEN).await.unwrap_err().to_string();
    assert!(error.contains("too many wrong logins"), "{error}");
    client.set_header("authorization", basic(USER, "wrong"));
    refused(
        query(&mut client, "SELECT 1").await,
        Code::ResourceExhausted,
        "too many wrong logins",
    );
    assert_eq!(served.asked(), asked);
}

#[tokio::test]
async fn sessions_end_when_they_are_old_or_not_used() {
    for (idle, life) in [(50, 60_000), (60_000, 50)] {
        let (_file, options) = users();
        let limits = Limits {
            idle: Duration::from_millis(idle),
            life: Duration::from_millis(life),
            ..Limits::default()
        };
        let served = serve(DemoOptions::fixed(), ServeOptions { limits, ..options }).await;
        let mut client = served.client().await;
        client.handshake("ann", "C4N4RY1").await.unwrap();
        tokio::time::sleep(Duration::from_millis(120)).await;
        refused(query(&mut client, "SELECT 1").await, Code::Unauthenticated, "has ended");
        client.clear_token();
        client.handshake("ann", "C4N4RY1").await.unwrap();
        client.execute("SELECT 1".into(), None).await.unwrap();
    }
}

#[tokio::test]
async fn a_password_file_that_others_can_read_is_refused() {
    let (file, options) = users();
    #[cfg(unix)]
    {
        use std::os::unix::fs::PermissionsExt;
        file.as_file()
            .set_permissions(std::fs::Permissions::from_mode(0o644))
            .unwrap();
        let connection = jsmql::Connection::parse("URL=https://acme.atlassian.net;User=a@b.example;APIToken=t", []).unwrap();
        let error = jsmql::flight::Server::bind(connection, options).await.unwrap_err();
        assert!(error.message().contains("others can read"), "{error}");
    }
}

#[tokio::test]
async fn one_user_leaves_room_for_the_others() {
    let (_file, options) = users();
    let limits = Limits {
        sessions: 4,
        sessions_per_user: 2,
        ..Limits::default()
    };
    let served = serve(DemoOptions::fixed(), ServeOptions { limits, ..options }).await;
    let logged_in = async |user: &str, password: &str| {
        let mut client = served.client().await;
        client.handshake(user, password).await.map(|_| client)
    };
    let mut oldest = logged_in("ann", "C4N4RY1").await.unwrap();
    let mut keeper = logged_in("ann", "C4N4RY1").await.unwrap();
    query(&mut keeper, "CREATE TABLE temp.kept AS SELECT 7 AS a").await.unwrap();
    // A session that holds nothing gives way to another of the same user, the one not used for longest first.
    let mut newest = logged_in("ann", "C4N4RY1").await.unwrap();
    refused(query(&mut oldest, "SELECT 1").await, Code::Unauthenticated, "has ended");
    assert_eq!(cell(&mut keeper, "SELECT a FROM temp.kept").await, "7");
    let held = newest.prepare("SELECT 1".into(), None).await.unwrap();
    let error = logged_in("ann", "C4N4RY1").await.map(drop).unwrap_err().to_string();
    assert!(
        error.contains("ann has 2 sessions") && error.contains("--max-sessions-per-user"),
        "{error}"
    );
    let mut bob = logged_in("bob", "C4N4RY2").await.unwrap();
    assert_eq!(cell(&mut bob, "SELECT 1").await, "1");
    held.close().await.unwrap();
    logged_in("ann", "C4N4RY1").await.unwrap();
    refused(query(&mut newest, "SELECT 1").await, Code::Unauthenticated, "has ended");
}

#[tokio::test]
async fn one_address_leaves_room_where_nobody_says_who_they_are() {
    let limits = Limits {
        sessions_per_user: 2,
        ..Limits::default()
    };
    let served = with_limits(DemoOptions::fixed(), limits).await;
    let (mut one, mut two, mut three) = (served.client().await, served.client().await, served.client().await);
    assert_eq!(cell(&mut one, "SELECT 1").await, "1");
    assert_eq!(cell(&mut two, "SELECT 1").await, "1");
    refused(
        query(&mut three, "SELECT 1").await,
        Code::ResourceExhausted,
        "127.0.0.1 has 2 sessions",
    );
}

#[tokio::test]
async fn the_sessions_of_closed_connections_make_room() {
    let limits = Limits {
        sessions_per_user: 3,
        ..Limits::default()
    };
    let (_file, options) = users();
    let served = serve(DemoOptions::fixed(), ServeOptions { limits, ..options }).await;
    let mut tokens = Vec::new();
    // Each logs in, leaves a statement and a table open, and goes.
    for _ in 0..10 {
        let mut client = served.client().await;
        client.handshake("ann", "C4N4RY1").await.unwrap();
        client.prepare("SELECT 1".into(), None).await.unwrap();
        client
            .execute_update("CREATE TABLE temp.t AS SELECT 1 AS a".into(), None)
            .await
            .unwrap();
        tokens.push(client.token().cloned().unwrap());
        drop(client);
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
    let mut late = served.client().await;
    late.set_token(tokens[0].clone());
    refused(
        query(&mut late, "SELECT 1").await,
        Code::Unauthenticated,
        "made room for another",
    );
    late.set_token(tokens[9].clone());
    assert_eq!(
        cell(&mut late, "SELECT a FROM temp.t").await,
        "1",
        "a session that was not pushed out is still there"
    );
}
