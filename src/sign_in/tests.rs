//! Signing in at servers that behave like the real ones, started here.

mod oauth1;
mod oauth2;
mod server;
mod sso;

use std::sync::Arc;

use crate::connection::Connection;
use crate::error::Result;
use crate::http::{Client, ClientOptions, Method, Request, Response, RetryPolicy, Safety, Statement};
use crate::sign_in::SignIn;

/// The way to the site, as a session takes it.
fn options(connection: &Connection) -> ClientOptions {
    ClientOptions {
        retry: RetryPolicy {
            transient_base: std::time::Duration::from_millis(1),
            ..RetryPolicy::default()
        },
        scopes: crate::schema::Catalog::load(None).unwrap().scopes().clone(),
        ..ClientOptions::site(connection.site().clone())
    }
}

/// A client that signs in as `text` says.
fn client(text: &str) -> Result<(Client, SignIn)> {
    let connection = Connection::parse(text, [])?;
    let options = options(&connection);
    let sign_in = SignIn::new(&connection, &options)?;
    let client = Client::new(ClientOptions {
        authorization: sign_in.authorization.clone(),
        locator: sign_in.locator.clone(),
        ..options
    })?;
    Ok((client, sign_in))
}

/// Asks for something of the site's API.
async fn ask(client: &Client) -> Result<Response> {
    let request = Request {
        method: Method::Get,
        path: "/rest/api/2/myself".into(),
        template: "/rest/api/2/myself".into(),
        query: vec![("expand".into(), "a b".into()), ("limit".into(), "1".into())],
        headers: vec![],
        body: None,
        safety: Safety::Read,
        table: None,
    };
    client.send(&request, &Statement::new(1, None)).await
}

fn shared<T: Default>() -> Arc<std::sync::Mutex<T>> {
    Arc::default()
}
