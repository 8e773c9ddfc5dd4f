//! The options in words: `docs/options.md` and the list in `--help`. Pure text from the registry; it reads no values.

#[cfg(any(feature = "shell", test))]
use std::fmt::Write as _;

#[cfg(any(feature = "shell", test))]
use super::option::Status;
use super::option::{OptionKind, OptionRow};
#[cfg(any(feature = "shell", test))]
use super::registry::OPTIONS;

#[cfg(test)]
const HEAD: &str = "# Options

Generated from the option registry (`src/connection/registry.rs`); do not edit.

A connection string is a list of options, `Name=value;Name=value`. Case, spaces, `_` and `-` in names do not matter: `Auth Scheme`
is `AuthScheme`. A value that contains `;`, or blanks at an end, is quoted with `'` or `\"`; the mark is doubled to stand for itself.

Every option can also be set by an environment variable: `JSMQL_` and the name in capitals, such as `JSMQL_APITOKEN`. The connection
string wins over the environment. `JSMQL_CONNECTION` holds a whole connection string, used where none is given. A name that is
no option is an error in both places.

Each option is taken from the first of these that sets it: the connection string; the environment; the profile (`--profile NAME`, see
`jsmql profile`); the default. Each secret can also be kept elsewhere: `<Option>File` names a file that holds it, `<Option>Variable` an environment variable,
`<Option>Command` a program that prints it (not in a connection string), `<Option>Keyring` an entry of the keyring. A profile's values may
hold `${VARIABLE}`.

An option that is *refused* is known from other programs, and an error as soon as it has another value than its default.
";

#[cfg(test)]
const SIGN_IN: &str = "
## Connection strings

One for each way to sign in. `jsmql test` says which was chosen, and looks at each step. Browsers are needed where InitiateOAuth is `GETANDREFRESH`:
run `jsmql login` once; programs that show the page themselves call `get_oauth_authorization_url` and `get_oauth_access_token` (docs/procedures.md).
";

/// A way to sign in, and a connection string for it. `tests/sign_in.rs` runs each of them.
#[cfg(test)]
struct Scheme {
    name: &'static str,
    when: &'static str,
    string: &'static str,
}

#[cfg(test)]
const SCHEMES: &[Scheme] = &[
    Scheme {
        name: "Auto.",
        when: "AuthScheme is left out: it follows from what is set.",
        string: "URL=https://acme.atlassian.net;User=ann@acme.example;APIToken=ATATT3xFf",
    },
    Scheme {
        name: "APIToken.",
        when: "Cloud, with an API token of the account.",
        string: "AuthScheme=APIToken;URL=https://acme.atlassian.net;User=ann@acme.example;APIToken=ATATT3xFf",
    },
    Scheme {
        name: "APIToken, scoped.",
        when: "Cloud, with an API token that has scopes, or that of a service account: requests go to Atlassian's gateway.",
        string: "AuthScheme=APIToken;URL=https://acme.atlassian.net;User=ann@acme.example;APIToken=ATSTT3xFf;ScopedToken=true",
    },
    Scheme {
        name: "Basic.",
        when: "Data Center, with user and password.",
        string: "AuthScheme=Basic;URL=https://jira.example.net;User=svc_sql;Password=s3cr3t",
    },
    Scheme {
        name: "PAT.",
        when: "Data Center, with a personal access token.",
        string: "AuthScheme=PAT;URL=https://jira.example.net;APIToken=MDk4NzY1",
    },
    Scheme {
        name: "OAuth 2.0.",
        when: "Cloud, with a browser: tokens are kept and refreshed. The app is made at developer.atlassian.com.",
        string: "AuthScheme=OAuth;URL=https://acme.atlassian.net;InitiateOAuth=GETANDREFRESH;OAuthClientId=kqZ81;OAuthClientSecret=ATOAx9",
    },
    Scheme {
        name: "OAuth 2.0, refreshed.",
        when: "Cloud, with a refresh token from elsewhere.",
        string: "AuthScheme=OAuth;URL=https://acme.atlassian.net;InitiateOAuth=REFRESH;OAuthClientId=kqZ81;OAuthClientSecret=ATOAx9;OAuthRefreshToken=r0",
    },
    Scheme {
        name: "OAuth 2.0, as given.",
        when: "An access token that somebody else refreshes.",
        string: "AuthScheme=OAuth;URL=https://acme.atlassian.net;OAuthAccessToken=a0",
    },
    Scheme {
        name: "OAuth 2.0, Data Center.",
        when: "The site is its own authorization server; the client is an incoming application link.",
        string: "AuthScheme=OAuth;URL=https://jira.example.net;InitiateOAuth=GETANDREFRESH;OAuthClientId=kqZ81;OAuthClientSecret=ATOAx9",
    },
    Scheme {
        name: "OAuth 1.0a.",
        when: "Data Center, signed with the RSA key of an application link.",
        string: "AuthScheme=OAuth;OAuthVersion=1.0;URL=https://jira.example.net;InitiateOAuth=GETANDREFRESH;OAuthClientId=jsmql;CertificateStoreType=PEMKEY_FILE;CertificateStore=/etc/jsmql/jira.pem",
    },
    Scheme {
        name: "Crowd.",
        when: "Data Center, single sign-on by Crowd.",
        string: "AuthScheme=Crowd;URL=https://jira.example.net;User=ann;Password=s3cr3t;SSOLoginURL=https://crowd.example.net/crowd/plugins/servlet/samlidp;SSOExchangeUrl=https://jira.example.net/plugins/servlet/samlconsumer;SSOAppName=jira;SSOAppPassword=4pp",
    },
    Scheme {
        name: "Okta.",
        when: "Data Center, single sign-on by Okta.",
        string: "AuthScheme=Okta;URL=https://jira.example.net;User=ann;Password=s3cr3t;SSOLoginURL=https://acme.okta.com/home/jira/0oa1/46;SSOExchangeUrl=https://jira.example.net/plugins/servlet/samlconsumer",
    },
    Scheme {
        name: "Anonymous.",
        when: "A site that shows something to everybody.",
        string: "AuthScheme=Anonymous;URL=https://jira.example.net",
    },
];

/// The text of `docs/options.md`: a table per category.
#[cfg(test)]
pub(crate) fn options_markdown() -> String {
    let mut text = HEAD.to_owned();
    text += SIGN_IN;
    for scheme in SCHEMES {
        let _ = write!(
            text,
            "\n**{}** {}\n\n```text\n{}\n```\n",
            scheme.name, scheme.when, scheme.string
        );
    }
    for rows in OPTIONS.chunk_by(|a, b| a.category == b.category) {
        let title = rows[0].category.title();
        text += &format!(
            "\n## {title}\n\n| option | values | default | description | example | status |\n| --- | --- | --- | --- | --- | --- |\n"
        );
        for row in rows {
            let _ = writeln!(
                text,
                "| `{}` | {} | {} | {} | {} | {} |",
                row.name,
                kind(row),
                if row.default.is_empty() {
                    String::new()
                } else {
                    format!("`{}`", row.default)
                },
                description(row).replace('|', "\\|"),
                example(row).map_or_else(String::new, |example| format!("`{example}`")),
                status(row),
            );
        }
    }
    text
}

#[cfg(any(feature = "shell", test))]
/// The options that work, for `--help`: name, type and default, then what it does, wrapped at 80 characters.
pub(crate) fn options_help() -> String {
    let mut text = String::new();
    for row in OPTIONS.iter().filter(|row| row.status == Status::Works) {
        let _ = write!(text, "  {}=<{}>", row.name, kind(row));
        if !row.default.is_empty() {
            let _ = write!(text, " [default: {}]", row.default);
        }
        text.push('\n');
        wrap(&mut text, &description(row).replace('`', ""));
    }
    text
}

pub(crate) fn kind(row: &OptionRow) -> String {
    match row.kind {
        _ if row.secret => "secret".into(),
        OptionKind::Text | OptionKind::Lines => "text".into(),
        OptionKind::Boolean => "true, false".into(),
        OptionKind::Url => "URL".into(),
        OptionKind::Path => "path".into(),
        OptionKind::Integer { min, max: i64::MAX } => format!("integer, {min} or more"),
        OptionKind::Integer { min, max } => format!("integer, {min} to {max}"),
        OptionKind::Choice(words) => words.join(", "),
    }
}

#[cfg(any(feature = "shell", test))]
fn description(row: &OptionRow) -> String {
    match row.aliases {
        [] => row.doc.to_owned(),
        aliases => format!("{} Also: `{}`.", row.doc, aliases.join("`, `")),
    }
}

/// The option with a value that is not its default. None: it takes no other.
#[cfg(test)]
pub(super) fn example(row: &OptionRow) -> Option<String> {
    let value = match row.kind {
        _ if row.status != Status::Works => return None,
        _ if !row.example.is_empty() => row.example,
        OptionKind::Boolean if row.default == "true" => "false",
        OptionKind::Boolean => "true",
        _ => return None,
    };
    Some(format!("{}={value}", row.name))
}

#[cfg(test)]
fn status(row: &OptionRow) -> String {
    match row.status {
        Status::Works => "works".into(),
        Status::Refused(reason) => format!("refused: {reason}"),
    }
}

#[cfg(any(feature = "shell", test))]
/// Appends `words` in lines of at most 80 characters, indented by six.
fn wrap(text: &mut String, words: &str) {
    let mut width = 0;
    for word in words.split_whitespace() {
        if width > 0 && width + 1 + word.chars().count() <= 80 {
            text.push(' ');
            width += 1;
        } else {
            text.push_str(if width > 0 { "\n      " } else { "      " });
            width = 6;
        }
        text.push_str(word);
        width += word.chars().count();
    }
    text.push('\n');
}

#[cfg(test)]
mod tests {
    use super::super::parse::ConnectionString;
    use super::*;

    #[test]
    fn every_option_has_a_row_of_six_cells() {
        let text = options_markdown();
        for row in OPTIONS {
            let line = text
                .lines()
                .find(|line| line.starts_with(&format!("| `{}` |", row.name)))
                .expect(row.name);
            assert_eq!(line.replace("\\|", "").matches('|').count(), 7, "{line}");
            assert!(row.doc.ends_with('.'), "{}", row.name);
            let shown = example(row);
            assert_eq!(shown.is_some(), row.status == Status::Works, "{} needs an example", row.name);
            if let Some(shown) = shown {
                let string = ConnectionString::parse(&shown).unwrap();
                let (_, value) = string.pairs().next().unwrap();
                let canonical = row
                    .canonical(value.expose())
                    .unwrap_or_else(|reason| panic!("{shown}: {reason}"));
                assert!(
                    canonical != row.default || row.name == "IncludeCustomFields",
                    "{shown} is the default"
                );
            }
        }
        assert!(text.contains("| `Timeout` | integer, 0 to 86400 | `60` | Seconds one request may take"));
        assert!(text.contains("| `Password` | secret |  |"));
    }

    #[test]
    fn help_lists_what_works() {
        let text = options_help();
        assert!(text.contains("  MaxRows=<integer, -1 or more> [default: -1]\n      Most rows a query returns. -1: all. Writes and calls tell all their rows.\n"));
        assert!(!text.contains("RTK"));
        for line in text.lines().filter(|line| line.starts_with("      ")) {
            assert!(line.chars().count() <= 80, "{line}");
        }
    }
}
