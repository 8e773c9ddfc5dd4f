//! The connection of a server: its statements come from elsewhere, and so may its accounts.

use super::credentials::sign_in;
use super::site::{is_cloud, is_gateway};
use super::{Connection, Source};
use crate::error::Result;

impl Connection {
    /// The same connection for statements that come from elsewhere: no path in them means a file of this machine, and a statement may use
    /// so many bytes of memory for what it sorts, joins and groups.
    pub(crate) fn served(mut self, memory: usize) -> Self {
        self.local_files = false;
        self.memory = Some(memory);
        self
    }

    /// The same connection, unable to change the site.
    ///
    /// # Errors
    /// Never, as far as is known: `Readonly` takes `true`.
    pub(crate) fn read_only(mut self) -> Result<Self> {
        self.values = self.values.with(&[("Readonly", "true")], &Source::Server)?;
        Ok(self)
    }

    /// The same site as another account sees it, with all that the connection says besides the account.
    ///
    /// On Atlassian Cloud `secret` is an API token. On Data Center it is the password of `user`, or a personal access token where the
    /// user is left empty.
    ///
    /// # Errors
    /// The credentials cannot be used, such as a token with a line break in it.
    pub(crate) fn for_account(&self, user: &str, secret: &str) -> Result<Self> {
        let cloud = is_cloud(&self.site) || is_gateway(&self.site);
        let pairs: &[(&'static str, &str)] = match (cloud, user.is_empty()) {
            (true, _) => &[("AuthScheme", "APIToken"), ("User", user), ("APIToken", secret)],
            (false, true) => &[("AuthScheme", "PAT"), ("APIToken", secret)],
            (false, false) => &[("AuthScheme", "Basic"), ("User", user), ("Password", secret)],
        };
        let values = self.values.with(pairs, &Source::Login)?;
        Ok(Self {
            sign_in: sign_in(&values, &self.site)?,
            values,
            ..self.clone()
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::connection::Credentials;

    fn connection(text: &str) -> Connection {
        Connection::parse(text, std::iter::empty()).unwrap()
    }

    #[test]
    fn each_account_signs_in_with_its_own_secret() {
        for (url, user, expected) in [
            ("https://acme.atlassian.net", "ann@acme.example", Some("ann@acme.example")),
            ("https://jira.acme.example", "ann", Some("ann")),
            ("https://jira.acme.example", "", None),
        ] {
            let base = connection(&format!("URL={url};AuthScheme=Anonymous;MaxRows=7"));
            let own = base.for_account(user, "canary;=' ").map(|_| ());
            assert_eq!(
                own.is_ok(),
                url.contains("jira") && !user.is_empty(),
                "white space is for passwords only"
            );
            let own = base.for_account(user, "canary").unwrap();
            assert_eq!(own.max_rows(), Some(7));
            match (own.credentials(), expected) {
                (Credentials::Basic { user, password }, Some(expected)) => {
                    assert_eq!((user.as_str(), password.expose()), (expected, "canary"));
                }
                (Credentials::Bearer(token), None) => assert_eq!(token.expose(), "canary"),
                other => panic!("{other:?}"),
            }
            assert!(!format!("{own:?}").contains("canary"), "{own:?}");
            assert!(matches!(base.credentials(), Credentials::Anonymous));
        }
    }

    #[test]
    fn a_served_connection_has_no_files_and_may_be_read_only() {
        let own = connection("URL=https://acme.atlassian.net;User=a@b.example;APIToken=t;Readonly=false");
        assert!(own.has_local_files() && own.memory().is_none());
        let served = own.served(5).read_only().unwrap();
        assert!(!served.has_local_files() && served.readonly());
        assert_eq!(served.memory(), Some(5));
    }
}
