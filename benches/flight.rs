//! What does Flight SQL cost over the library?
//!
//! `cargo bench --bench flight [rows]`. All requests of a demo site (100,000 unless said otherwise) with 5 ms latency, ten columns: by the library and
//! through a Flight SQL server in the same process, in turn; the best of three each, in a session of its own. The site, the server and
//! both clients share the cores.

use std::time::{Duration, Instant};

use arrow_flight::sql::client::FlightSqlServiceClient;
use futures::TryStreamExt;
use jsmql::demo::{DemoOptions, DemoSite, TOKEN, USER};
use jsmql::flight::{ServeOptions, Server};
use jsmql::{Connection, Session};
use tonic::transport::Channel;

const SQL: &str = "SELECT issue_key, issue_id, summary, request_type_id, service_desk_id, created, reporter_account_id, \
                   reporter_display_name, status, status_date FROM requests";

fn connection(site: &DemoSite) -> Connection {
    let text = format!("URL={};User={USER};APIToken={TOKEN}", site.url());
    Connection::parse(&text, std::iter::empty()).expect("a connection")
}

/// Rows, and how long they took.
async fn library(site: &DemoSite) -> (usize, Duration) {
    let session = Session::open(connection(site)).expect("a session");
    let began = Instant::now();
    let mut rows = session.sql(SQL).await.expect("a plan");
    let mut count = 0;
    while let Some(batch) = rows.try_next().await.expect("rows") {
        count += batch.num_rows();
    }
    (count, began.elapsed())
}

/// The same through a server, which has a session for each client.
async fn flight(site: &DemoSite) -> (usize, Duration) {
    let server = Server::bind(connection(site), ServeOptions::default())
        .await
        .expect("a server");
    let url = server.url().replace("grpc://", "http://");
    let (stop, stopped) = tokio::sync::oneshot::channel::<()>();
    let task = tokio::spawn(server.serve(async {
        let _ = stopped.await;
    }));
    let channel = Channel::from_shared(url)
        .expect("an address")
        .connect()
        .await
        .expect("a connection");
    let mut client = FlightSqlServiceClient::new(channel);
    let began = Instant::now();
    let info = client.execute(SQL.to_owned(), None).await.expect("a plan");
    let mut count = 0;
    for endpoint in info.endpoint {
        let mut rows = client.do_get(endpoint.ticket.expect("a ticket")).await.expect("a stream");
        while let Some(batch) = rows.try_next().await.expect("rows") {
            count += batch.num_rows();
        }
    }
    let elapsed = began.elapsed();
    drop(client);
    let _ = stop.send(());
    task.await.expect("the server").expect("no error");
    (count, elapsed)
}

fn main() {
    let requests = std::env::args().find_map(|argument| argument.parse().ok()).unwrap_or(100_000);
    let runtime = tokio::runtime::Runtime::new().expect("a runtime");
    runtime.block_on(async {
        let site = DemoSite::start(DemoOptions {
            requests,
            latency: Duration::from_millis(5),
            ..DemoOptions::fixed()
        })
        .await
        .expect("a site");
        let mut best = [Duration::MAX; 2];
        let mut counts = [0; 2];
        for _ in 0..3 {
            for (way, (count, elapsed)) in [library(&site).await, flight(&site).await].into_iter().enumerate() {
                best[way] = best[way].min(elapsed);
                counts[way] = count;
            }
        }
        assert_eq!(counts, [requests; 2], "both give every row");
        let milliseconds = best.map(|time| time.as_secs_f64() * 1e3);
        println!("| rows | library ms | Flight SQL ms | ratio |\n|---:|---:|---:|---:|");
        println!(
            "| {requests} | {:.0} | {:.0} | {:.2} |",
            milliseconds[0],
            milliseconds[1],
            milliseconds[1] / milliseconds[0]
        );
    });
}
