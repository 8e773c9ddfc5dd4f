//! A Flight SQL client in Rust: `cargo run --example flight_client -- http://127.0.0.1:50051 "SELECT issue_key, summary FROM requests LIMIT 5"`
//!
//! Start a server first, such as `jsmql serve --demo`. With `--pass-through` or `--users` it wants a login; set FLIGHT_USER and
//! FLIGHT_PASSWORD for it.

use arrow::util::pretty::pretty_format_batches;
use arrow_flight::sql::client::FlightSqlServiceClient;
use futures::TryStreamExt;
use tonic::transport::Channel;

#[tokio::main]
async fn main() -> Result<(), Box<dyn std::error::Error>> {
    let mut arguments = std::env::args().skip(1);
    let url = arguments.next().unwrap_or_else(|| "http://127.0.0.1:50051".to_owned());
    let sql = arguments
        .next()
        .unwrap_or_else(|| "SELECT issue_key, summary, status FROM requests LIMIT 5".to_owned());

    let mut client = FlightSqlServiceClient::new(Channel::from_shared(url)?.connect().await?);
    if let (Ok(user), Ok(password)) = (std::env::var("FLIGHT_USER"), std::env::var("FLIGHT_PASSWORD")) {
        // The token that it gives is sent with every call from here on.
        client.handshake(&user, &password).await?;
    }
    // The statement is planned here, and its columns are known; it runs when the ticket is redeemed.
    let info = client.execute(sql, None).await?;
    for endpoint in info.endpoint {
        let ticket = endpoint.ticket.ok_or("an endpoint without a ticket")?;
        let mut rows = client.do_get(ticket).await?;
        while let Some(batch) = rows.try_next().await? {
            println!("{}", pretty_format_batches(&[batch])?);
        }
    }
    Ok(())
}
