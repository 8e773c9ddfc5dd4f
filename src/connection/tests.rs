//! What a connection string means as a whole: tables of strings with the meaning or the error expected of them.

use std::path::Path;
use std::time::Duration;

use super::*;

const CANARY: &str = "c4n4ry";

fn parse(text: &str) -> Result<Connection> {
    Connection::parse(text, [])
}

fn cloud(rest: &str) -> Result<Connection> {
    parse(&format!("URL=https://acme.atlassian.net;{rest}"))
}

fn on_premises(rest: &str) -> Result<Connection> {
    parse(&format!("URL=https://jira.example.net/jira;{rest}"))
}

/// The credentials with their secret in the open.
fn shown(connection: &Connection) -> String {
    match connection.credentials() {
        Credentials::Anonymous => "anonymous".into(),
        Credentials::Basic { user, password } => format!("basic {user} {}", password.expose()),
        Credentials::Bearer(token) => format!("bearer {}", token.expose()),
        other => format!("{other:?}"),
    }
}

#[test]
fn defaults() {
    let connection = cloud("User=ann@acme.example;APIToken=t").unwrap();
    assert_eq!(connection.site().as_str(), "https://acme.atlassian.net/");
    assert_eq!(connection.service_desk_ids(), [""; 0]);
    assert_eq!(connection.request_language(), None);
    assert_eq!(connection.max_rows(), None);
    assert_eq!(connection.max_requests(), None);
    assert_eq!(connection.max_concurrency(), 8);
    assert_eq!(connection.page_size(), None);
    assert_eq!(connection.timeout(), Some(Duration::from_secs(60)));
    assert!(connection.pushdown());
    assert_eq!(connection.schema_dir(), None);
    assert!(!connection.pseudo_columns().shows("requests", "search"));
    assert_eq!(connection.max_body_bytes(), 64 * 1024 * 1024);
}

#[test]
fn every_working_option_takes_effect() {
    let connection = on_premises(
        "Auth Scheme=PAT; PAT=t; service-desk_id = 1, 4,1; Request Language=pt-BR; MaxRows=0; MaxRequests=9; Max Concurrency=2;
         Page Size=50; Timeout=0; Pushdown=off; SchemaDir='/srv/my;tables'; PseudoColumns=requests=search; MaxBodySize=1",
    )
    .unwrap();
    assert_eq!(shown(&connection), "bearer t");
    assert_eq!(connection.service_desk_ids(), ["1", "4"]);
    assert_eq!(connection.request_language(), Some("pt-BR"));
    assert_eq!(connection.max_rows(), Some(0));
    assert_eq!(connection.max_requests(), Some(9));
    assert_eq!(connection.max_concurrency(), 2);
    assert_eq!(connection.page_size(), Some(50));
    assert_eq!(connection.timeout(), None);
    assert!(!connection.pushdown());
    assert_eq!(connection.schema_dir(), Some(Path::new("/srv/my;tables")));
    assert!(connection.pseudo_columns().shows("requests", "search"));
    assert_eq!(connection.max_body_bytes(), 1024 * 1024);
    assert!(parse("URL=http://jira.example.net;AllowInsecure=yes;PAT=t").is_ok());
}

#[test]
fn sign_in_follows_from_what_is_set() {
    for (connection, scheme, credentials) in [
        (
            cloud("User=a;APIToken=t="),
            "APIToken (inferred from User and APIToken)",
            "basic a t=",
        ),
        (
            cloud("User=a;APIToken=t;Password="),
            "APIToken (inferred from User and APIToken)",
            "basic a t",
        ),
        (cloud("AuthScheme=APIToken;User=a;APIToken=t"), "APIToken", "basic a t"),
        (
            cloud("AuthScheme=Basic;User=a;APIToken=t"),
            "Basic, with the API token",
            "basic a t",
        ),
        (
            on_premises("APIToken=t"),
            "PAT (inferred from APIToken without User)",
            "bearer t",
        ),
        (
            on_premises("Personal Access Token=t"),
            "PAT (inferred from APIToken without User)",
            "bearer t",
        ),
        (on_premises("AuthScheme=pat;APIToken=t;User="), "PAT", "bearer t"),
        (
            on_premises("User=a;Password=' p: ü '"),
            "Basic (inferred from User and Password)",
            "basic a  p: ü ",
        ),
        (on_premises("AuthScheme=Basic;User=a;Password=p"), "Basic", "basic a p"),
        (on_premises("AuthScheme=Anonymous"), "Anonymous", "anonymous"),
        (
            parse("URL=https://api.atlassian.com/ex/jira/1-2;APIToken=t"),
            "PAT (inferred from APIToken without User)",
            "bearer t",
        ),
    ] {
        let connection = connection.unwrap();
        assert_eq!((connection.scheme_text(), shown(&connection).as_str()), (scheme, credentials));
    }
}

#[test]
fn contradictions_name_the_options() {
    for (connection, message, hint) in [
        (cloud(""), "there are no credentials", "set User and APIToken"),
        (
            cloud("User=a"),
            "User is set without APIToken or Password",
            "set User and APIToken",
        ),
        (cloud("User=a;APIToken="), "APIToken is empty", "set User and APIToken"),
        (on_premises("User=a;Password="), "Password is empty", "set User and APIToken"),
        (
            cloud("User=;APIToken=c4n4ry"),
            "User is empty",
            "it is set by: connection string",
        ),
        (on_premises("Password=c4n4ry"), "User is missing", "set User"),
        (
            cloud("User=a;APIToken=c4n4ry;Password=c4n4ry"),
            "Password (connection string) and APIToken (connection string) are both set",
            "AuthScheme",
        ),
        (
            cloud("APIToken=c4n4ry"),
            "Atlassian Cloud has no personal access tokens",
            "set User to the e-mail",
        ),
        (
            cloud("User=a;Password=c4n4ry"),
            "Atlassian Cloud accepts no passwords",
            "id.atlassian.com",
        ),
        (
            cloud("AuthScheme=Basic;User=a;Password=c4n4ry"),
            "Atlassian Cloud accepts no passwords",
            "APIToken",
        ),
        (
            cloud("AuthScheme=Basic;User=a;Password=c4n4ry;APIToken=c4n4ry"),
            "Basic, which does not use APIToken",
            "leave APIToken out",
        ),
        (
            on_premises("AuthScheme=Basic;User=a"),
            "Password is missing",
            "AuthScheme is Basic: set Password",
        ),
        (
            on_premises("AuthScheme=PAT;Password=c4n4ry"),
            "AuthScheme is PAT, which does not use Password",
            "leave Password out",
        ),
        (
            on_premises("AuthScheme=PAT;User=a;APIToken=c4n4ry"),
            "AuthScheme is PAT, which does not use User",
            "leave User out",
        ),
        (
            on_premises("AuthScheme=PAT"),
            "APIToken is missing",
            "AuthScheme is PAT: set APIToken",
        ),
        (
            cloud("AuthScheme=APIToken;APIToken=c4n4ry"),
            "User is missing",
            "AuthScheme is APIToken: set User",
        ),
        (
            cloud("AuthScheme=APIToken;User=a;Password=c4n4ry"),
            "APIToken, which does not use Password",
            "leave Password out",
        ),
        (
            cloud("AuthScheme=Anonymous;User=a"),
            "Anonymous, which does not use User",
            "leave User out",
        ),
        (cloud("User=a:c4n4ry;APIToken=t"), "User holds `:`", "APIToken"),
        (
            cloud("User=a;APIToken=c4n4ry x"),
            "APIToken holds white space",
            "copy the token again",
        ),
        (
            cloud("User=a;APIToken='c4n4ry\n'"),
            "APIToken holds a line break",
            "connection string",
        ),
        (
            cloud("User=a;APIToken=“c4n4ry”"),
            "APIToken holds white space or a character that no token has",
            "copy",
        ),
        (
            cloud("AuthScheme=LDAP"),
            "AuthScheme must be one of Auto, APIToken",
            "default, Auto",
        ),
        (
            parse("User=a;APIToken=c4n4ry"),
            "URL is missing",
            "URL=https://acme.atlassian.net;User=",
        ),
        (
            on_premises("PAT=t;ServiceDeskID=1,,2"),
            "ServiceDeskID is not a list",
            "ServiceDeskID=1,4",
        ),
        (
            on_premises("PAT=t;ServiceDeskID=../c4n4ry"),
            "ServiceDeskID is not a list",
            "ServiceDeskID=1,4",
        ),
        (
            on_premises("PAT=t;RequestLanguage=<c4n4ry>"),
            "RequestLanguage is not a language",
            "pt-BR",
        ),
        (
            on_premises("PAT=t;PseudoColumns=c4n4ry"),
            "PseudoColumns is not a list",
            "*=*",
        ),
    ] {
        let error = connection.expect_err(message);
        assert!(error.message().contains(message), "{error}\n  lacks {message}");
        assert!(
            error.hint_text().unwrap().contains(hint),
            "{message}: {:?}\n  lacks {hint}",
            error.hint_text()
        );
        assert!(!format!("{error:?} {error}").contains(CANARY), "{error:?}");
    }
}

#[test]
fn the_environment_completes_the_string() {
    let environment = |pairs: &[(&str, &str)]| {
        pairs
            .iter()
            .map(|(name, value)| (name.to_string(), value.to_string()))
            .collect::<Vec<_>>()
    };
    let connection = Connection::parse(
        "URL=https://acme.atlassian.net",
        environment(&[("JSMQL_USER", "a"), ("JSMQL_API_TOKEN", "t")]),
    )
    .unwrap();
    assert_eq!(shown(&connection), "basic a t");
    let error = Connection::parse(
        "URL=https://jira.example.net;User=a;Password=p",
        environment(&[("JSMQL_PAT", CANARY)]),
    )
    .unwrap_err();
    assert_eq!(
        error.message(),
        "Password (connection string) and APIToken (JSMQL_PAT) are both set"
    );
    let error = Connection::parse(
        "",
        environment(&[("JSMQL_CONNECTION", "URL=https://acme.atlassian.net;User=a;APIToken=")]),
    )
    .unwrap_err();
    assert_eq!(error.message(), "APIToken is empty");
}

#[test]
fn options_tell_value_and_source() {
    let connection = Connection::parse(
        "url=https://acme.atlassian.net;apitoken=c4n4ry;pushdown=OFF",
        [("JSMQL_USER".into(), "a".into())],
    )
    .unwrap();
    let states: Vec<_> = connection.options().collect();
    assert_eq!(states.len(), OPTIONS.len());
    for (name, value, source) in [
        ("URL", "https://acme.atlassian.net", "connection string"),
        ("User", "a", "JSMQL_USER"),
        ("APIToken", "***", "connection string"),
        ("Password", "", "default"),
        ("Pushdown", "false", "connection string"),
        ("Timeout", "60", "default"),
    ] {
        let state = states.iter().find(|state| state.row.name == name).unwrap();
        assert_eq!(
            (state.value.as_str(), state.source.to_string().as_str()),
            (value, source),
            "{name}"
        );
    }
}

/// Every secret option in turn carries a canary, as connection string and as variable: it must show up nowhere.
#[test]
fn secrets_show_up_nowhere() {
    for row in OPTIONS.iter().filter(|row| row.secret) {
        let sso = "URL=https://jira.example.net;User=a;Password=p;SSOLoginURL=https://sso.example.net/x;\
            SSOExchangeUrl=https://jira.example.net/saml";
        let account = match row.name {
            "APIToken" => "URL=https://acme.atlassian.net;User=a".to_owned(),
            "Password" => "URL=https://jira.example.net;User=a".to_owned(),
            "SSOProperties" => format!("{sso};AuthScheme=Okta"),
            "SSOAppPassword" => format!("{sso};AuthScheme=Crowd;SSOAppName=x"),
            "OAuthAccessTokenSecret" | "AuthToken" | "AuthKey" | "CertificateStore" | "CertificateStorePassword" => {
                let mut text =
                    "URL=https://jira.example.net;OAuthVersion=1.0;OAuthClientId=c;InitiateOAuth=GETANDREFRESH".to_owned();
                for (name, other) in [
                    ("OAuthAccessTokenSecret", "OAuthAccessToken=t;OAuthClientSecret=s"),
                    ("AuthToken", "AuthKey=k;OAuthClientSecret=s"),
                    ("AuthKey", "AuthToken=k;OAuthClientSecret=s"),
                    ("CertificateStore", "CertificateStoreType=PFXBLOB"),
                    ("CertificateStorePassword", "CertificateStoreType=PFXFILE;CertificateStore=x"),
                ] {
                    if name == row.name {
                        text = format!("{text};{other}");
                    }
                }
                text
            }
            "OAuthAccessToken" => "URL=https://jira.example.net".to_owned(),
            "OAuthClientSecret" | "OAuthVerifier" | "OAuthRefreshToken" => {
                "URL=https://jira.example.net;OAuthClientId=c;InitiateOAuth=GETANDREFRESH".to_owned()
            }
            "SSLClientCertPassword" => "URL=https://jira.example.net;AuthScheme=Anonymous;SSLClientCert=x".to_owned(),
            "ProxyPassword" => "URL=https://jira.example.net;AuthScheme=Anonymous;ProxyServer=p;ProxyUser=u".to_owned(),
            "FirewallPassword" => {
                "URL=https://jira.example.net;AuthScheme=Anonymous;FirewallType=SOCKS5;FirewallServer=p;FirewallUser=u".to_owned()
            }
            _ => "URL=https://jira.example.net;AuthScheme=Anonymous".to_owned(),
        };
        // As a list of properties, which is what one of these options takes.
        let canary = if row.name == "SSOProperties" {
            "APIToken=c4n4ry"
        } else {
            CANARY
        };
        let texts = [format!("{account};{}='{canary}'", row.name), account];
        let environments = [vec![], vec![(row.variable(), canary.to_owned())]];
        for (text, environment) in texts.into_iter().zip(environments) {
            let seen = match Connection::parse(&text, environment) {
                Ok(connection) => format!("{connection:?} {:?}", connection.options().collect::<Vec<_>>()),
                Err(error) => format!("{error:?} {error} {:?}", error.hint_text()),
            };
            assert!(!seen.contains(CANARY), "{}: {seen}", row.name);
            assert!(
                matches!(row.status, Status::Works) == seen.contains("***"),
                "{}: {seen}",
                row.name
            );
        }
    }
}
