//! The option registry: every option jsmql knows by name, one row each. The only place where an option is declared.
//!
//! Besides its own options it lists every property of the commercial drivers' connection strings, so that such a string either
//! works or is told, property by property, what does not. It knows no values; what options mean together is for `Connection`.

use super::option::OptionKind::{Boolean, Choice, Integer, Lines, Path, Text, Url};
use super::option::{Category, OptionKind, OptionRow, Status, normalise};

/// A whole number not below zero.
const COUNT: OptionKind = Integer { min: 0, max: i64::MAX };
const PORT: OptionKind = Integer { min: 0, max: 65_535 };

const LOCAL_COPY: &str = "every statement reads the site itself, so that no row is stale; for a copy of your own write CREATE TABLE temp.x AS SELECT …, or a file with --output";
const METADATA: &str = "what a site says about its fields is kept for as long as the session lives";
const POOLING: &str = "jsmql always keeps and reuses its HTTP connections; use MaxConcurrency to bound them";
const FOREIGN_CACHE: &str = "jsmql loads no JDBC or ADO driver; copy the rows into the other database through ADBC";
const FIXED_NAMES: &str = "names of tables and columns are those of the schema files; rename columns in SQL with AS";

const SCHEMES: &[&str] = &["Auto", "APIToken", "Basic", "PAT", "Anonymous", "OAuth", "Crowd", "Okta"];

/// The store types of both sources, the seed's `P10BFILE` included.
const STORES: &[&str] = &[
    "USER",
    "MACHINE",
    "PFXFILE",
    "PFXBLOB",
    "JKSFILE",
    "JKSBLOB",
    "PEMKEY_FILE",
    "PEMKEY_BLOB",
    "PUBLIC_KEY_FILE",
    "PUBLIC_KEY_BLOB",
    "SSHPUBLIC_KEY_FILE",
    "SSHPUBLIC_KEY_BLOB",
    "P7BFILE",
    "P7BBLOB",
    "P10BFILE",
    "PPKFILE",
    "PPKBLOB",
    "XMLFILE",
    "XMLBLOB",
    "JWKFILE",
    "JWKBLOB",
    "BCFKSFILE",
    "BCFKSBLOB",
];

macro_rules! options {
    (@secret) => { false };
    (@secret secret) => { true };
    ($($category:ident {
        $($status:ident $(($what:expr))? $name:literal $(| $alias:literal)*: $kind:expr, $default:literal $($secret:ident)?, $doc:literal $(, $example:literal)?;)*
    })*) => {
        /// Every option, in the order of the documentation.
        pub(crate) static OPTIONS: &[OptionRow] = &[$($(OptionRow {
            name: $name,
            aliases: &[$($alias),*],
            category: Category::$category,
            kind: $kind,
            default: $default,
            secret: options!(@secret $($secret)?),
            status: Status::$status $(($what))?,
            doc: $doc,
            example: concat!($($example)?),
        },)*)*];
    };
}

options! {
    Authentication {
        Works "URL": Url, "", "Root of the site, such as `https://acme.atlassian.net` or `https://help.example.com/jira`. Required. `http` is for loopback only, see AllowInsecure.", "https://acme.atlassian.net";
        Works "AuthScheme": Choice(SCHEMES), "Auto", "How to sign in. `Auto` looks at what is set: User and APIToken is `APIToken`, APIToken alone is `PAT`, User and Password is `Basic`. OAuthAccessToken, OAuthRefreshToken or OAuthClientId is `OAuth`. `Anonymous`, `Crowd` and `Okta` are never guessed.", "PAT";
        Works "User": Text, "", "E-mail address (Cloud) or user name (Data Center) of the account. Empty with `PAT`: the token names the account.", "ann@acme.example";
        Works "Password": Text, "" secret, "Password of a Data Center account. Atlassian Cloud takes none: use APIToken.", "s3cr3t";
        Works "APIToken" | "PersonalAccessToken" | "PAT": Text, "" secret, "API token of an Atlassian account (Cloud), or the personal access token (Data Center) where AuthScheme is `PAT`.", "ATATT3xFf…";
        Works "ScopedToken": Boolean, "false", "Whether APIToken has scopes or belongs to a service account: such tokens work only through Atlassian's gateway, with the site's CloudId.";
        Works "AllowInsecure": Boolean, "false", "Whether URL may be `http` to another machine. Credentials then cross the network unencrypted.";
    }
    Sso {
        Works "SSOLoginURL": Url, "", "The page of the identity provider that signs in to the site: the address of the site's tile in Okta, or the sign-in page of Crowd.", "https://acme.okta.com/home/jira/0oa1/46";
        Works "SSOProperties": Text, "" secret, "Further settings of the identity provider, `name=value;…`. Okta: `Domain`, where it differs from that of SSOLoginURL, and `APIToken`. Secret, since it may hold a token.", "'Domain=acme.okta.com;APIToken=00xy…'";
        Works "SSOExchangeUrl": Url, "", "The site's endpoint that takes the SAML answer, such as `https://jira.example.net/plugins/servlet/samlconsumer`.", "https://jira.example.net/plugins/servlet/samlconsumer";
        Works "SSOAppName": Text, "", "Name of the Crowd application in whose name Crowd is asked.", "jira";
        Works "SSOAppPassword": Text, "" secret, "Password of the Crowd application.", "s3cr3t";
    }
    OAuth {
        Works "InitiateOAuth": Choice(&["OFF", "GETANDREFRESH", "REFRESH"]), "OFF", "Who gets the tokens: the caller (`OFF`), jsmql with a browser (`GETANDREFRESH`, see `jsmql login`), or the caller once and jsmql from then on (`REFRESH`).", "GETANDREFRESH";
        Works "OAuthVersion": Choice(&["1.0", "2.0"]), "2.0", "Version of OAuth; `1.0` (1.0a) is for self-hosted sites.", "1.0";
        Works "OAuthClientId": Text, "", "Client id (2.0) or consumer key (1.0) of the OAuth app.", "kqZ81…";
        Works "OAuthClientSecret": Text, "" secret, "Client secret of the OAuth app. With OAuth 1.0 it means HMAC-SHA1 signatures.", "ATOAx9…";
        Works "OAuthAccessToken": Text, "" secret, "Access token.", "eyJhbGci…";
        Works "OAuthAccessTokenSecret": Text, "" secret, "Secret of an OAuth 1.0 access token.", "3jUm…";
        Works "Scope": Text, "", "Scopes to ask for, separated by spaces. Empty: all that jsmql uses, and `offline_access`.", "'read:servicedesk-request read:jira-work offline_access'";
        Works "OAuthSettingsLocation": Path, "", "Where the tokens are kept: a file (readable by its owner only), `memory://name` or `keyring://name`. Empty: a file of its own for each site, client and profile in the folder `jsmql/tokens` of the user's configuration.", "keyring://acme";
        Works "CallbackURL": Url, "http://localhost:33333", "Redirect URL of the OAuth app. `http://localhost` with a port is listened on by jsmql; with any other, the code is copied to OAuthVerifier.", "http://localhost:8400/done";
        Works "CloudId": Text, "", "Atlassian's id of the site. Empty: looked up by URL. Set with an API token it means ScopedToken.", "1324a887-45db-4bf4-8f1a-3f5c3f1c2a4b";
        Works "OAuthVerifier": Text, "" secret, "Code of a sign-in in a browser on another machine; `jsmql login` shows the address and takes it.", "eyJraWQi…";
        Works "AuthToken": Text, "" secret, "OAuth 1.0 request token that OAuthVerifier belongs to. Empty: the one that `jsmql login` kept.", "mtv6…";
        Works "AuthKey": Text, "" secret, "Secret of the OAuth 1.0 request token.", "Kd75…";
        Works "OAuthRefreshToken": Text, "" secret, "Refresh token to begin with. Once it is exchanged the newer one in OAuthSettingsLocation is used.", "eyJhbGci…";
        Works "OAuthExpiresIn": COUNT, "", "Lifetime of OAuthAccessToken in seconds. Empty: it is used until the site refuses it.", "3600";
        Works "OAuthTokenTimestamp": COUNT, "", "When OAuthAccessToken was issued, in Unix milliseconds. Empty: now.", "1794787200000";
        Works "CertificateStoreType": Choice(STORES), "", "What CertificateStore holds. `…FILE` takes a path, `…BLOB` the content. It must hold an RSA private key. `USER` and `MACHINE` are the stores of the operating system, as for SSLClientCertType.", "PEMKEY_FILE";
        Works "CertificateStore": Lines, "" secret, "File or content with the RSA key of OAuth 1.0, or the name of a store of the operating system. Secret, since it may hold the key itself.", "/etc/jsmql/jira.pem";
        Works "CertificateStorePassword": Text, "" secret, "Password of CertificateStore; not for `USER` and `MACHINE`, which have none.", "s3cr3t";
        Works "CertificateSubject": Text, "", "Which certificate of CertificateStore: its whole subject, else a part of it. Empty or `*`: the first with a key.", "'CN=jsmql, O=Acme'";
    }
    Tls {
        Works "SSLClientCert": Lines, "" secret, "Client certificate and its private key: a file, the content in base64 or PEM, or the name of a store of the operating system, as SSLClientCertType says. Secret, since it may hold the key itself.", "/etc/jsmql/client.p12";
        Works "SSLClientCertType": Choice(STORES), "PFXFILE", "What SSLClientCert holds. `…FILE` takes a path, `…BLOB` the content. It must hold a private key and its certificate: PFX (PKCS #12), JKS or PEM. `USER` and `MACHINE` are the stores of the operating system: a store of Windows (empty: `MY`) or a keychain of macOS (empty: the login keychain, or the system's), from which PowerShell or `security` exports; a key that may not be exported is refused. They are tested with stand-ins for these commands, and have not yet been run on a real Windows or macOS.", "PEMKEY_FILE";
        Works "SSLClientCertPassword": Text, "" secret, "Password of SSLClientCert, its keys included; not for `USER` and `MACHINE`, which have none.", "s3cr3t";
        Works "SSLClientCertSubject": Text, "*", "Which certificate of SSLClientCert: its whole subject, else a part of it; `*` is the first with a key.", "CN=jsmql";
        Works "SSLServerCert": Lines, "", "What is accepted from the server besides the certificates that the system trusts: a PEM file or PEM text with certificates (the server's own, or those of an authority) or a public key, the certificate's thumbprint (MD5, SHA-1 or SHA-256 in hexadecimal), or `*` for anything, which protects nothing.", "/etc/jsmql/ca.pem";
    }
    Firewall {
        Works "FirewallType": Choice(&["NONE", "TUNNEL", "SOCKS4", "SOCKS5"]), "NONE", "Protocol of the firewall: HTTP CONNECT (`TUNNEL`) or SOCKS.", "SOCKS5";
        Works "FirewallServer": Text, "", "Host of the firewall.", "gate.acme.example";
        Works "FirewallPort": PORT, "0", "Port of the firewall. 0: the usual one, 80 for `TUNNEL` and 1080 for SOCKS.", "1080";
        Works "FirewallUser": Text, "", "User at the firewall. Empty: none is needed.", "ann";
        Works "FirewallPassword": Text, "" secret, "Password at the firewall; not for `SOCKS4`, which has none.", "s3cr3t";
    }
    Proxy {
        Works "UseProxySettings": Boolean, "true", "The same as ProxyAutoDetect, under the name of another program.";
        Works "ProxyAutoDetect": Boolean, "true", "Whether the proxy of the environment (HTTPS_PROXY, HTTP_PROXY, ALL_PROXY, NO_PROXY), or else of the system (Windows, macOS), is used where neither ProxyServer nor FirewallType names one. A site on this machine is always reached directly. `false`: no proxy.";
        Works "ProxyServer": Text, "", "Host of the HTTP proxy.", "proxy.acme.example";
        Works "ProxyPort": PORT, "80", "Port of the proxy.", "3128";
        Works "ProxyAuthScheme": Choice(&["BASIC", "DIGEST", "NEGOTIATE", "NTLM", "PROPRIETARY", "NONE"]), "BASIC", "How to sign in at the proxy with ProxyUser. `NEGOTIATE`, `NTLM` and `PROPRIETARY` are refused: use a relay such as cntlm on this machine.", "DIGEST";
        Works "ProxyUser": Text, "", "User at the proxy. Empty: none is needed.", "ann";
        Works "ProxyPassword": Text, "" secret, "Password at the proxy.", "s3cr3t";
        Works "ProxySSLType": Choice(&["AUTO", "ALWAYS", "NEVER", "TUNNEL"]), "AUTO", "`ALWAYS`: the proxy itself is spoken to in TLS. `TUNNEL`: plain `http`, too, goes through CONNECT. `AUTO`: a tunnel for `https`, none for `http`. `NEVER`: the same, and `https` is refused.", "TUNNEL";
        Works "ProxyExceptions": Text, "", "Hosts and domains reached without the proxy, separated by `;`.", "'jira.acme.example;.internal.example'";
    }
    Logging {
        Works "Logfile": Path, "", "File to log to, readable by its owner only, or `STDOUT://` or `STDERR://`. Empty: no log. Secrets are never logged.", "/var/log/jsmql.log";
        Works "Verbosity": Integer { min: 1, max: 5 }, "1", "How much to log: 1 what went wrong, 2 statements and sign-ins too, 3 each request and what statements took, 4 the headers of answers, 5 bodies.", "3";
        Works "LogModules": Text, "", "Parts to log, separated by `;`: `SQL`, `HTTP`, `AUTH`. Empty: all.", "'HTTP;AUTH'";
        Works "MaxLogFileSize": Text, "100MB", "Size at which the log file is closed, by the name with `.1` behind it, and the next begun.", "10MB";
        Works "MaxLogFileCount": Integer { min: -1, max: i64::MAX }, "-1", "How many closed log files to keep. -1: all.", "5";
    }
    Schema {
        Works "SchemaDir": Path, "", "Folder with further schema files (TOML). Empty: only the built-in tables.", "/etc/jsmql/tables";
        Works "PseudoColumns": Text, "", "Which input columns `SELECT *` shows too: `table=column,…`, where `*` stands for all. Empty: none. By name they can always be selected.", "requests=search";
        Works "ServiceDeskID": Text, "", "Id of the service desk that tables are limited to where a query names none, or several separated by commas. Empty: all desks.", "1,4";
        Works "IncludeCustomFields": Boolean, "true", "Whether custom fields become columns. Tables of issues show them unless it is false; requests and queue_issues only where it is set to true, since it costs a request that their callers may not be allowed.", "true";
        Works "BrowsableSchemas": Text, "", "Schemas to list, separated by commas: `public`, `sys`, `temp`. Empty: all. What is not listed can still be named.", "public,sys";
        Works "Tables": Text, "", "Which of the tables that can be written to to list, separated by commas. Empty: all. What is not listed can still be named.", "organizations,request_comments";
        Works "Views": Text, "", "Which of the tables that can only be read to list, separated by commas. Empty: all. What is not listed can still be named.", "requests,queues";
        Works "UserDefinedViews": Path, "", "File with views, JSON: `{\"name\": {\"query\": \"SELECT …\"}}`. They are views of the schema `temp`, made by the first statement.", "/etc/jsmql/views.json";
        Refused("jsmql reads no .rsd files; describe tables in TOML and name their folder in SchemaDir") "Location": Path, "", "Folder of another driver's schema files.";
        Refused(FIXED_NAMES) "UseDisplayNames": Boolean, "false", "Whether columns have the names of the user interface.";
        Refused(FIXED_NAMES) "UseSimpleNames": Boolean, "false", "Whether names are reduced to letters, digits and `_`.";
    }
    Caching {
        Refused(LOCAL_COPY) "AutoCache": Boolean, "false", "Whether what is read is kept.";
        Refused(FOREIGN_CACHE) "CacheDriver": Text, "", "JDBC driver of the cache.";
        Refused(FOREIGN_CACHE) "CacheProvider": Text, "", "ADO provider of the cache.";
        Refused(FOREIGN_CACHE) "CacheConnection": Text, "" secret, "Connection string of the cache.";
        Refused(LOCAL_COPY) "CacheLocation": Path, "", "Folder of the local copy.";
        Refused(LOCAL_COPY) "CacheTolerance": COUNT, "600", "Age in seconds up to which the local copy is used.";
        Refused(LOCAL_COPY) "Offline": Boolean, "false", "Whether to answer from the local copy only.";
        Refused(METADATA) "CacheMetadata": Boolean, "false", "Whether to keep what the site says about its fields.";
    }
    Reading {
        Works "Timeout": Integer { min: 0, max: 86_400 }, "60", "Seconds one request may take from its first attempt on, retries and waits included. 0: no end.", "30";
        Works "MaxRows": Integer { min: -1, max: i64::MAX }, "-1", "Most rows a query returns. -1: all. Writes and calls tell all their rows.", "1000";
        Works "MaxRequests": COUNT, "0", "Most requests one statement may send; the statement fails before it exceeds them. 0: no limit.", "500";
        Works "MaxConcurrency": Integer { min: 1, max: 64 }, "8", "Most requests under way at the same time.", "16";
        Works "Pagesize": Integer { min: 0, max: 10_000 }, "0", "Rows to ask for in one page. The site may give fewer. 0: as many as the API allows.", "50";
        Works "MaxBodySize": Integer { min: 1, max: 1_024 }, "64", "Largest answer to accept, in MiB after decompression.", "16";
        Works "RequestLanguage": Text, "", "Language of names the site translates, as in the `Accept-Language` header, such as `de`. Empty: the language of the account.", "de";
        Works "Pushdown": Boolean, "true", "Whether filters, limits and columns reach the site. `false` reads everything and filters here; for testing.";
        Refused("use MaxConcurrency") "MaxThreads": COUNT, "", "How many requests run at the same time.";
        Refused("rows come in the order of the site; write ORDER BY") "UseDefaultOrderBy": Boolean, "false", "Whether statements without ORDER BY are sorted.";
        Refused("which filters reach the site is decided by the schema files and shown by EXPLAIN") "KeyColumnOperators": Text, "", "Operators sent to the site for key columns.";
        Refused("timestamps are in UTC; convert them in SQL with AT TIME ZONE") "Timezone": Text, "", "Time zone of timestamps.";
        Refused("the whole SQL dialect always works; to filter here for a test, use Pushdown=false") "SupportEnhancedSQL": Boolean, "true", "Whether SQL that the site cannot do is done here.";
    }
    Writing {
        Works "Readonly": Boolean, "false", "Whether every statement that changes the site is refused.";
        Works "RequireWhere": Boolean, "true", "Whether UPDATE and DELETE without WHERE are refused.";
        Works "MaxWriteRows": COUNT, "0", "Most rows one statement may write. 0: no limit.", "100";
        Works "OnRowError": Choice(&["stop", "continue"]), "stop", "What a statement does after a row that failed: `stop` writes row by row and stops there; `continue` goes on, and writes to several requests at a time.", "continue";
        Works "DryRun": Boolean, "false", "Whether the requests of writes are shown, with their bodies, instead of sent.";
        Works "BatchSize": COUNT, "0", "Rows written in one request where the API takes several. 0: as many as it takes.", "20";
        Works "AttachmentDir": Path, "", "Folder that attachments are downloaded to; where it is set, files are uploaded from there only. Empty: no downloads, uploads from anywhere.", "/srv/attachments";
        Works "MaxUploadSize": Integer { min: 1, max: 10_240 }, "100", "Largest file to upload, in MiB.", "20";
    }
    Other {
        Works "ConnectOnOpen": Boolean, "false", "Whether connecting asks the site who we are, so that wrong credentials are an error at once. `false`: the first statement notices.";
        Refused("a connection is named where it is kept, not in its connection string") "ConnectionName": Text, "", "Name of the connection.";
        Refused("jsmql has no hidden settings; each is an option of its own") "Other": Text, "" secret, "Hidden settings of another driver.";
        Refused("jsmql needs no licence key") "RTK": Text, "" secret, "Licence key of another driver.";
        Refused(POOLING) "UseConnectionPooling": Boolean, "false", "Whether connections are pooled.";
        Refused(POOLING) "ConnectionLifeTime": COUNT, "0", "Lifetime of a pooled connection in seconds.";
        Refused(POOLING) "PoolIdleTimeout": COUNT, "60", "Seconds a pooled connection may be idle.";
        Refused(POOLING) "PoolMaxSize": COUNT, "100", "Most connections in the pool.";
        Refused(POOLING) "PoolMinSize": COUNT, "1", "Least connections in the pool.";
        Refused(POOLING) "PoolWaitTime": COUNT, "60", "Seconds to wait for a pooled connection.";
    }
}

/// The option of this very name; for names written in the source.
pub(super) fn row(name: &'static str) -> &'static OptionRow {
    OPTIONS
        .iter()
        .find(|row| row.name == name)
        .expect("names in the source are registered: the tests `defaults` and `sign_in…` look up each of them")
}

impl OptionRow {
    /// The option of this name or alias, however it is spelled.
    pub fn find(name: &str) -> Option<&'static Self> {
        let wanted = normalise(name);
        OPTIONS.iter().find(|row| row.names().any(|known| normalise(known) == wanted))
    }

    /// The name, then its aliases.
    pub fn names(&self) -> impl Iterator<Item = &'static str> {
        std::iter::once(self.name).chain(self.aliases.iter().copied())
    }
}

#[cfg(test)]
mod tests {
    use super::super::values::OptionValues;
    use super::*;
    use std::collections::HashSet;

    /// The names of the seed, of the commercial driver's reference (4.1 to 4.11) and of jsmql itself, in their own spellings.
    const NAMES: &str = "Auth Scheme,URL,User,Password,API Token,SSO Login URL,SSO Properties,SSO Exchange Url,SSO App Name,\
        SSO App Password,Initiate OAuth,OAuth Version,OAuth Client Id,OAuth Client Secret,OAuth Access Token,\
        OAuth Access Token Secret,Scope,Cloud Id,OAuth Verifier,Auth Token,Auth Key,OAuth Refresh Token,OAuth Expires In,\
        OAuth Token Timestamp,OAuth Settings Location,Callback URL,Certificate Store Type,Certificate Store,\
        Certificate Store Password,Certificate Subject,SSL Client Cert,SSL Client Cert Type,SSL Client Cert Password,\
        SSL Client Cert Subject,SSL Server Cert,Use Proxy Settings,Connection Name,\
        FirewallType,FirewallServer,FirewallPort,FirewallUser,FirewallPassword,ProxyAutoDetect,ProxyServer,ProxyPort,\
        ProxyAuthScheme,ProxyUser,ProxyPassword,ProxySSLType,ProxyExceptions,Logfile,Verbosity,LogModules,MaxLogFileSize,\
        MaxLogFileCount,Location,BrowsableSchemas,Tables,Views,AutoCache,CacheDriver,CacheProvider,CacheConnection,\
        CacheLocation,CacheTolerance,Offline,CacheMetadata,IncludeCustomFields,MaxRows,PseudoColumns,RequestLanguage,\
        ServiceDeskID,Timeout,Pagesize,Other,Readonly,RTK,BatchSize,ConnectionLifeTime,PoolIdleTimeout,PoolMaxSize,\
        PoolMinSize,PoolWaitTime,UseConnectionPooling,ConnectOnOpen,UserDefinedViews,MaxThreads,Timezone,UseDefaultOrderBy,\
        UseDisplayNames,UseSimpleNames,KeyColumnOperators,SupportEnhancedSQL,\
        AllowInsecure,ScopedToken,MaxRequests,MaxConcurrency,Pushdown,SchemaDir,RequireWhere,MaxWriteRows,OnRowError,DryRun,MaxBodySize,AttachmentDir,MaxUploadSize";

    #[test]
    fn every_known_name_is_registered_once() {
        let names: Vec<_> = NAMES.split(',').map(str::trim).collect();
        for name in &names {
            let row = OptionRow::find(name).unwrap_or_else(|| panic!("{name} is not registered"));
            assert_eq!(normalise(row.name), normalise(name), "{name} is only an alias");
        }
        assert_eq!(names.len(), OPTIONS.len(), "an option that this list lacks");
        let mut seen = HashSet::new();
        for name in OPTIONS.iter().flat_map(OptionRow::names) {
            assert!(seen.insert(normalise(name)), "{name} is registered twice");
        }
    }

    #[test]
    fn defaults_are_canonical_and_no_secret_has_one() {
        for row in OPTIONS {
            assert_eq!(row.canonical(row.default).as_deref(), Ok(row.default), "{}", row.name);
            match row.kind {
                Boolean => assert!(["true", "false"].contains(&row.default), "{}", row.name),
                Integer { min, max } if !row.default.is_empty() => {
                    assert!((min..=max).contains(&row.default.parse().unwrap()), "{}", row.name);
                }
                Choice(words) => assert!(row.default.is_empty() || words.contains(&row.default), "{}", row.name),
                _ => {}
            }
            assert!(!row.secret || row.default.is_empty(), "{}", row.name);
        }
    }

    #[test]
    fn what_sounds_secret_is_secret() {
        for row in OPTIONS {
            let name = row.name;
            let sounds = ["Password", "Secret", "AccessToken", "RefreshToken"]
                .iter()
                .any(|word| name.contains(word));
            assert!(!sounds || row.secret, "{name}");
        }
        assert!(
            ["APIToken", "AuthToken", "AuthKey", "RTK", "Other"]
                .iter()
                .all(|name| row(name).secret)
        );
    }

    #[test]
    fn categories_are_contiguous() {
        let mut seen = HashSet::new();
        for pair in OPTIONS.chunk_by(|a, b| a.category == b.category) {
            assert!(seen.insert(pair[0].category), "{:?} appears twice", pair[0].category);
        }
    }

    /// Each option that works, with a test that fails when it is ignored.
    const TESTS: &str = include_str!("../../tests/golden/options.txt");

    #[test]
    fn every_option_that_works_has_a_test_that_names_it() {
        let lines = TESTS.lines().filter(|line| !line.starts_with('#'));
        let tests: Vec<Vec<&str>> = lines.map(|line| line.split_whitespace().collect()).collect();
        for row in OPTIONS {
            let found: Vec<_> = tests.iter().filter(|words| words[0] == row.name).collect();
            let expected = usize::from(row.status == Status::Works);
            assert_eq!(found.len(), expected, "{} in tests/golden/options.txt", row.name);
            for words in found {
                let [_, file, test] = words[..] else { panic!("{words:?}") };
                let text = std::fs::read_to_string(file).unwrap_or_else(|error| panic!("{file}: {error}"));
                assert!(
                    test == "-" || text.contains(&format!("fn {test}(")),
                    "{file} has no test {test}"
                );
                assert!(
                    normalise(&text).contains(&normalise(row.name)),
                    "{file} does not name {}",
                    row.name
                );
            }
        }
        assert!(tests.iter().all(|words| OPTIONS.iter().any(|row| row.name == words[0])));
    }

    #[test]
    fn what_is_refused_says_why_and_what_to_use_instead() {
        for row in OPTIONS {
            let Status::Refused(reason) = row.status else { continue };
            let value = match row.kind {
                Boolean if row.default == "true" => "false",
                Boolean => "true",
                Integer { .. } => "7",
                _ => "c4n4ry",
            };
            let error = OptionValues::read(&format!("{}={value}", row.name), []).expect_err(row.name);
            assert_eq!(error.kind(), crate::error::ErrorKind::Unsupported, "{}", row.name);
            assert!(
                error.message().contains(reason) && error.message().starts_with(row.name),
                "{error}"
            );
            assert!(error.hint_text().is_some() && reason.split(' ').count() > 1, "{}", row.name);
            assert!(!format!("{error:?}").contains("c4n4ry"));
        }
    }
}
