//! What an option is: the type of one row of the registry, and the check of a value against its kind.
//!
//! It does not know which options exist, nor what their values mean to each other.

use std::fmt;

/// One option of a connection. Parser, help, documentation and `sys.options` all read these rows.
pub struct OptionRow {
    /// Its name in the documentation. Matching ignores case, spaces, `_` and `-`.
    pub name: &'static str,
    /// Other names that mean the same option.
    pub aliases: &'static [&'static str],
    /// The chapter of the documentation it belongs to.
    pub category: Category,
    /// What its value must look like.
    pub kind: OptionKind,
    /// The value it has where nobody sets it, in canonical spelling. A secret has none.
    pub default: &'static str,
    /// Whether the value must never be shown.
    pub secret: bool,
    /// Whether jsmql honours it.
    pub status: Status,
    /// What it does, with unit and the meaning of empty or zero.
    pub doc: &'static str,
    /// A value other than the default, as a connection string has it. Empty where the kind tells one.
    pub example: &'static str,
}

/// Whether jsmql honours an option.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Status {
    /// It works.
    Works,
    /// It will not come; the sentence says why and what to use instead. Any value but the default is an error.
    Refused(&'static str),
}

/// What a value must look like.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum OptionKind {
    /// Any text on one line.
    Text,
    /// Any text, also of several lines.
    Lines,
    /// A whole number in this range, both ends included.
    Integer {
        /// Smallest value.
        min: i64,
        /// Largest value; `i64::MAX` stands for "no upper end".
        max: i64,
    },
    /// true, yes, on, 1 or false, no, off, 0.
    Boolean,
    /// One of these words; matched like option names.
    Choice(&'static [&'static str]),
    /// An absolute URL.
    Url,
    /// A file or folder.
    Path,
}

/// A chapter of the option documentation.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Category {
    /// Site and account.
    Authentication,
    /// Crowd and Okta.
    Sso,
    /// OAuth 1.0 and 2.0.
    OAuth,
    /// Certificates.
    Tls,
    /// TCP-level tunnels.
    Firewall,
    /// HTTP proxies.
    Proxy,
    /// Log files.
    Logging,
    /// Which tables there are.
    Schema,
    /// Local copies.
    Caching,
    /// How tables are read.
    Reading,
    /// How tables are written.
    Writing,
    /// The rest.
    Other,
}

impl Category {
    /// The heading in the documentation.
    pub fn title(self) -> &'static str {
        match self {
            Category::Authentication => "Site and account",
            Category::Sso => "Single sign-on",
            Category::OAuth => "OAuth",
            Category::Tls => "TLS",
            Category::Firewall => "Firewall",
            Category::Proxy => "Proxy",
            Category::Logging => "Logging",
            Category::Schema => "Schema",
            Category::Caching => "Caching",
            Category::Reading => "Reading",
            Category::Writing => "Writing",
            Category::Other => "Other",
        }
    }
}

impl OptionRow {
    /// The environment variable that sets it, such as `JSMQL_APITOKEN`.
    pub fn variable(&self) -> String {
        format!("{}{}", super::sources::PREFIX, self.name.to_ascii_uppercase())
    }

    /// The canonical spelling of a value of this option, or what it should have been, to follow the option's name.
    ///
    /// Empty text passes where the default is empty. Elsewhere it is refused: `MaxRequests=$LIMIT` with the shell variable
    /// unset must not lift the limit. The reason never quotes the value: `Timeout=5 APIToken=…`, a forgotten `;`, would print
    /// the token.
    pub(super) fn canonical(&self, text: &str) -> Result<String, String> {
        let allowed = |c: char| self.kind == OptionKind::Lines && matches!(c, '\n' | '\r' | '\t');
        if text.chars().any(|c| c.is_control() && !allowed(c)) {
            return Err("holds a line break or another control character".into());
        }
        let word = text.trim();
        if word == self.default {
            return Ok(word.to_owned());
        }
        match self.kind {
            OptionKind::Text | OptionKind::Lines | OptionKind::Path => Ok(text.to_owned()),
            OptionKind::Url => Ok(word.to_owned()),
            OptionKind::Boolean => match word.to_ascii_lowercase().as_str() {
                "true" | "yes" | "on" | "1" => Ok("true".into()),
                "false" | "no" | "off" | "0" => Ok("false".into()),
                _ => Err("must be true or false".into()),
            },
            OptionKind::Integer { min, max } => match word.parse::<i64>() {
                Ok(number) if (min..=max).contains(&number) => Ok(number.to_string()),
                _ if max == i64::MAX => Err(format!("must be a whole number not below {min}")),
                _ => Err(format!("must be a whole number from {min} to {max}")),
            },
            OptionKind::Choice(words) => {
                let wanted = normalise(word);
                let found = words.iter().find(|choice| normalise(choice) == wanted);
                found
                    .map(|choice| choice.to_string())
                    .ok_or_else(|| format!("must be one of {}", words.join(", ")))
            }
        }
    }
}

/// The name only: whoever prints values that point to their rows does not want the documentation.
impl fmt::Debug for OptionRow {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name)
    }
}

/// The form in which names are compared: lower case, without spaces, `_` and `-`.
pub(super) fn normalise(name: &str) -> String {
    name.chars()
        .filter(|c| !c.is_whitespace() && !matches!(c, '_' | '-'))
        .map(|c| c.to_ascii_lowercase())
        .collect()
}

#[cfg(test)]
mod tests {
    use super::super::registry::row;

    #[test]
    fn canonical_spelling() {
        for (name, text, expected) in [
            ("AllowInsecure", " YES ", "true"),
            ("AllowInsecure", "0", "false"),
            ("Pushdown", "Off", "false"),
            ("Pushdown", "1", "true"),
            ("Timeout", " 007 ", "7"),
            ("MaxRows", "-1", "-1"),
            ("AuthScheme", "api token", "APIToken"),
            ("AuthScheme", "OKTA", "Okta"),
            ("SSLClientCertType", "pemkey_file", "PEMKEY_FILE"),
            ("User", " a b ", " a b "),
            ("ServiceDeskID", "", ""),
        ] {
            assert_eq!(row(name).canonical(text).as_deref(), Ok(expected), "{name}={text}");
        }
    }

    #[test]
    fn a_wrong_value_is_described_and_not_quoted() {
        for (name, text, reason) in [
            ("AllowInsecure", "canary", "must be true or false"),
            ("AllowInsecure", "", "must be true or false"),
            ("Timeout", "canary", "from 0 to 86400"),
            ("MaxConcurrency", "0", "from 1 to 64"),
            ("MaxConcurrency", "65", "from 1 to 64"),
            ("MaxRequests", "", "not below 0"),
            ("MaxRequests", "9223372036854775808", "not below 0"),
            ("MaxRows", "-2", "not below -1"),
            ("AuthScheme", "canary", "must be one of Auto, "),
            ("User", "canary\n", "control character"),
            ("SchemaDir", "canary\0", "control character"),
        ] {
            let found = row(name).canonical(text).unwrap_err();
            assert!(found.contains(reason) && !found.contains("canary"), "{name}={text}: {found}");
        }
    }
}
