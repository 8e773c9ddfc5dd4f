//! What is asked of each operating system and what its answers mean; the commands themselves by stand-ins (`tests/certificates`).

use std::path::Path;

use super::*;
use crate::connection::Connection;

/// The store that these options name.
fn store(options: &str) -> StoreOptions {
    let text = format!("URL=https://jira.example.net;AuthScheme=Anonymous;{options}");
    let connection = Connection::parse(&text, []).unwrap();
    connection.tls().client.clone().expect("SSLClientCert is set")
}

fn program(system: System, options: &str) -> Program {
    system.program(&store(options), &"pass".into()).unwrap()
}

fn variables(options: &str) -> Vec<String> {
    let program = program(System::Windows, options);
    assert!(program.input.expose().is_empty());
    program
        .variables
        .iter()
        .map(|(name, value)| format!("{}={}", name.trim_start_matches("CERTIFICATE_EXPORT_"), value.expose()))
        .collect()
}

#[test]
fn windows_is_asked_by_a_fixed_script() {
    for (options, location, name) in [
        ("SSLClientCertType=USER", "CurrentUser", "MY"),
        ("SSLClientCertType=USER;SSLClientCert=my", "CurrentUser", "MY"),
        ("SSLClientCertType=MACHINE", "LocalMachine", "MY"),
        (
            "SSLClientCertType=MACHINE;SSLClientCert=WebHosting",
            "LocalMachine",
            "WebHosting",
        ),
        (
            "SSLClientCertType=USER;SSLClientCert=\"x'); Remove-Item *; ('\"",
            "CurrentUser",
            "x'); Remove-Item *; ('",
        ),
    ] {
        let expected = [
            format!("LOCATION={location}"),
            format!("STORE={name}"),
            "PASSWORD=pass".to_owned(),
        ];
        assert_eq!(variables(options), expected);
        let program = program(System::Windows, options);
        assert_eq!(program.path, Path::new("powershell.exe"));
        assert_eq!(program.arguments[..3], ["-NoLogo", "-NoProfile", "-NonInteractive"]);
        assert_eq!(program.arguments[5..], ["-Command", SCRIPT]);
    }
    assert!(!SCRIPT.contains('"'), "a double quote would have to be escaped");
    for variable in ["LOCATION", "STORE", "PASSWORD"] {
        assert!(SCRIPT.contains(&format!("$env:CERTIFICATE_EXPORT_{variable}")), "{variable}");
    }
    assert_eq!(
        SCRIPT.matches(['{', '(', '[']).count(),
        SCRIPT.matches(['}', ')', ']']).count()
    );
}

#[test]
fn macos_is_asked_by_a_line_of_input() {
    for (options, keychain) in [
        ("SSLClientCertType=USER", "login.keychain"),
        ("SSLClientCertType=USER;SSLClientCert=MY", "login.keychain"),
        ("SSLClientCertType=USER;SSLClientCert=work.keychain", "work.keychain"),
        (
            "SSLClientCertType=USER;SSLClientCert='/tmp/my keys.keychain-db'",
            "/tmp/my keys.keychain-db",
        ),
        ("SSLClientCertType=MACHINE", "/Library/Keychains/System.keychain"),
        (
            "SSLClientCertType=MACHINE;SSLClientCert=a.keychain",
            "/Library/Keychains/a.keychain",
        ),
        ("SSLClientCertType=MACHINE;SSLClientCert=/tmp/a.keychain", "/tmp/a.keychain"),
        (r#"SSLClientCertType=USER;SSLClientCert='a" -o \b'"#, r#"a\" -o \\b"#),
    ] {
        let program = program(System::MacOs, options);
        assert_eq!(program.path, Path::new("/usr/bin/security"));
        assert_eq!(program.arguments, ["-q", "-i"]);
        assert!(program.variables.is_empty());
        assert_eq!(
            program.input.expose(),
            format!("export -k \"{keychain}\" -t identities -f pkcs12 -P pass\n")
        );
        assert!(!format!("{program:?}").contains("pass"), "{program:?}");
    }
}

#[test]
fn what_is_no_name_is_refused() {
    for name in ["a\nlist-keychains".to_owned(), "a\0".to_owned(), "A".repeat(1001)] {
        let mut store = store("SSLClientCertType=USER");
        store.place = StorePlace::File(name.into());
        for system in [System::Windows, System::MacOs] {
            let error = system.program(&store, &"pass".into()).unwrap_err();
            assert_eq!(error.message(), "SSLClientCert is no name of a certificate store");
        }
    }
}

#[test]
fn elsewhere_there_is_none() {
    assert_eq!(System::of("windows"), Some(System::Windows));
    assert_eq!(System::of("macos"), Some(System::MacOs));
    for os in ["linux", "freebsd", "ios", ""] {
        assert_eq!(System::of(os), None);
    }
    let export = Export {
        os: "linux",
        ..Export::here().unwrap()
    };
    let error = export.open(&store("SSLClientCertType=MACHINE")).unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Unsupported);
    assert_eq!(
        error.message(),
        "SSLClientCert: there is no MACHINE certificate store on this operating system"
    );
    assert!(error.hint_text().unwrap().contains("PFXFILE"));
}

#[test]
fn every_password_is_another() {
    let (one, other) = (Export::here().unwrap(), Export::here().unwrap());
    assert_ne!(one.password, other.password);
    assert_eq!(one.password.expose().len(), 32);
    assert!(one.password.expose().chars().all(|c| c.is_ascii_hexdigit()));
    assert!(!format!("{one:?}").contains(one.password.expose()));
}

/// With stand-ins: scripts of a shell.
#[cfg(unix)]
mod asked {
    use std::time::Instant;

    use super::*;

    fn ask_within(os: &'static str, options: &str, patience: Duration) -> Result<Entry> {
        let name = if os == "windows" { "powershell.sh" } else { "security.sh" };
        let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/certificates").join(name);
        let export = Export {
            os,
            program: Some(path),
            password: "test-only".into(),
            patience,
        };
        export.open(&store(options))
    }

    fn ask(os: &'static str, options: &str) -> Result<Entry> {
        ask_within(os, options, PATIENCE)
    }

    fn subject(entry: &Entry) -> &str {
        assert!(entry.key.is_some());
        &entry.subjects[0]
    }

    #[test]
    fn the_subject_selects_what_was_exported() {
        const CLIENT: &str = "E=ann@acme.example, CN=jsmql client, OU=Help desk, O=\"Acme, Inc\", S=New York, C=US";
        const OTHER: &str = "CN=other client, O=\"Acme, Inc\"";
        for (os, options, expected, chain) in [
            // Those that vouch for it come along where the answer holds them.
            ("windows", "SSLClientCertType=USER", CLIENT, 2),
            (
                "windows",
                "SSLClientCertType=USER;SSLClientCertSubject=CN=jsmql client",
                CLIENT,
                2,
            ),
            ("windows", "SSLClientCertType=USER;SSLClientCertSubject=other", OTHER, 1),
            ("windows", "SSLClientCertType=USER;SSLClientCert=Legacy", CLIENT, 1),
            (
                "windows",
                "SSLClientCertType=MACHINE;SSLClientCertSubject=CN=other client",
                OTHER,
                1,
            ),
            ("macos", "SSLClientCertType=USER", CLIENT, 1),
            (
                "macos",
                "SSLClientCertType=MACHINE;SSLClientCertSubject=CN=other client",
                OTHER,
                1,
            ),
            ("macos", "SSLClientCertType=MACHINE;SSLClientCert=Other.keychain", CLIENT, 2),
            (
                "macos",
                r#"SSLClientCertType=USER;SSLClientCert="/tmp/it's ""mine"" \ $HOME.keychain-db";SSLClientCertSubject=other"#,
                OTHER,
                1,
            ),
        ] {
            let entry = ask(os, options).unwrap_or_else(|error| panic!("{os} {options}: {error}"));
            assert_eq!(subject(&entry), expected, "{os} {options}");
            assert!(entry.chain.len() >= chain, "{os} {options}: {}", entry.chain.len());
        }
        let error = ask("windows", "SSLClientCertType=USER;SSLClientCertSubject=CN=nobody").unwrap_err();
        assert_eq!(error.message(), "SSLClientCert holds no certificate of that subject");
        assert!(error.hint_text().unwrap().contains("CN=other client"));
    }

    #[test]
    fn what_is_not_exported_says_why() {
        let sealed = "the private key of CN=jsmql test authority, O=jsmql test, C=US cannot be exported from the USER \
                      certificate store: Key not valid for use in specified state.";
        for (os, options, kind, message, hint) in [
            (
                "windows",
                "SSLClientCertType=USER;SSLClientCertSubject=jsmql test authority",
                ErrorKind::Unsupported,
                sealed,
                "PFXFILE",
            ),
            (
                "windows",
                "SSLClientCertType=MACHINE;SSLClientCert=Sealed",
                ErrorKind::Unsupported,
                "cannot be exported from the MACHINE certificate store",
                "marked as exportable",
            ),
            (
                "windows",
                "SSLClientCertType=USER;SSLClientCert=Empty",
                ErrorKind::Option,
                "the USER certificate store holds no certificate with a private key",
                "check the name",
            ),
            (
                "macos",
                "SSLClientCertType=USER;SSLClientCert=empty.keychain",
                ErrorKind::Option,
                "holds no certificate with a private key",
                "check the name",
            ),
            (
                "windows",
                "SSLClientCertType=USER;SSLClientCert=Absent",
                ErrorKind::Io,
                "nothing could be exported from the USER certificate store: Es wurde kein Speicher gefunden: grün.",
                "check the name",
            ),
            (
                "windows",
                "SSLClientCertType=USER;SSLClientCert=Denied",
                ErrorKind::Io,
                "certificate store: access is denied",
                "PFXFILE",
            ),
            (
                "macos",
                "SSLClientCertType=USER;SSLClientCert=denied.keychain",
                ErrorKind::Io,
                "certificate store: security: SecKeychainItemExport: User canceled the operation.",
                "PFXFILE",
            ),
            // It printed a certificate before it broke: not all that there are.
            (
                "windows",
                "SSLClientCertType=USER;SSLClientCert=Broken",
                ErrorKind::Io,
                "certificate store: exit status: 3",
                "PFXFILE",
            ),
            (
                "windows",
                "SSLClientCertType=USER;SSLClientCert=Words",
                ErrorKind::Io,
                "cannot be read: it is no list of certificates",
                "PFXFILE",
            ),
            (
                "windows",
                "SSLClientCertType=USER;SSLClientCert=Digits",
                ErrorKind::Io,
                "cannot be read: it is not base64",
                "PFXFILE",
            ),
            (
                "windows",
                "SSLClientCertType=USER;SSLClientCert=Bytes",
                ErrorKind::Io,
                "cannot be read: it is no text",
                "PFXFILE",
            ),
            (
                "windows",
                "SSLClientCertType=USER;SSLClientCert=Certificate",
                ErrorKind::Io,
                "cannot be read: it is no PKCS #12",
                "PFXFILE",
            ),
            (
                "macos",
                "SSLClientCertType=USER;SSLClientCert=garbage.keychain",
                ErrorKind::Io,
                "cannot be read: it is no PKCS #12",
                "PFXFILE",
            ),
        ] {
            let error = ask(os, options).unwrap_err();
            assert!(
                error.message().contains(message),
                "{os} {options}: {error}\n  lacks {message}"
            );
            assert!(error.message().starts_with("SSLClientCert: "), "{error}");
            assert_eq!(error.kind(), kind, "{os} {options}");
            assert!(error.hint_text().unwrap().contains(hint), "{os} {options}: {error:?}");
        }
    }

    #[test]
    fn a_command_that_does_not_end_is_ended() {
        for name in ["Hangs", "Mute"] {
            let began = Instant::now();
            let options = format!("SSLClientCertType=USER;SSLClientCert={name}");
            let error = ask_within("windows", &options, Duration::from_millis(300)).unwrap_err();
            assert_eq!(error.kind(), ErrorKind::Timeout, "{error}");
            assert!(error.message().ends_with("did not end within 0.3 s"), "{error}");
            assert!(error.hint_text().unwrap().contains("permission"), "{error:?}");
            assert!(began.elapsed() < Duration::from_secs(20), "{:?}", began.elapsed());
        }
    }

    #[test]
    fn a_command_that_is_missing_is_named() {
        let export = Export {
            os: "macos",
            program: Some("/no/such/security".into()),
            ..Export::here().unwrap()
        };
        let error = export.open(&store("SSLClientCertType=USER")).unwrap_err();
        assert_eq!(error.kind(), ErrorKind::Io);
        assert!(
            error
                .message()
                .starts_with("SSLClientCert: /no/such/security, which exports from the USER certificate store, cannot be run: "),
            "{error}"
        );
        // It answers under a password that was not asked for.
        let export = Export {
            os: "windows",
            program: Some(Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/certificates/powershell.sh")),
            ..Export::here().unwrap()
        };
        let error = export.open(&store("SSLClientCertType=USER")).unwrap_err();
        assert!(error.message().ends_with("no password"), "{error}");
    }
}
