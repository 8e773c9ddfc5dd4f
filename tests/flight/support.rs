//! A demo site, a server in front of it, and clients of both.

use std::sync::Arc;

use arrow::array::{Array, AsArray, RecordBatch};
use arrow_flight::error::FlightError;
use arrow_flight::sql::client::FlightSqlServiceClient;
use arrow_flight::{FlightInfo, Ticket};
use futures::TryStreamExt;
use jsmql::Connection;
use jsmql::demo::{DemoOptions, DemoSite, TOKEN, USER};
use jsmql::flight::{Access, Limits, ServeOptions, Server};
use tokio::sync::oneshot;
use tonic::transport::Channel;
use tonic::{Code, Status};

pub(crate) type Client = FlightSqlServiceClient<Channel>;

/// A server that runs, and the site behind it.
pub(crate) struct Served {
    pub(crate) site: DemoSite,
    pub(crate) url: String,
    stop: Option<oneshot::Sender<()>>,
    task: tokio::task::JoinHandle<jsmql::Result<()>>,
}

/// Starts a site and a server in front of it.
pub(crate) async fn serve(demo: DemoOptions, options: ServeOptions) -> Served {
    serve_with(demo, options, "").await
}

/// The same with further options of the connection.
pub(crate) async fn serve_with(demo: DemoOptions, options: ServeOptions, further: &str) -> Served {
    let site = DemoSite::start(demo).await.unwrap();
    let account = match options.access {
        Access::PassThrough => "AuthScheme=Anonymous".to_owned(),
        Access::Own { .. } => format!("User={USER};APIToken={TOKEN}"),
    };
    let text = format!("URL={};{account};{further}", site.url());
    let connection = Connection::parse(&text, std::iter::empty()).unwrap();
    let server = Server::bind(connection, options).await.unwrap();
    let url = server
        .url()
        .replace("grpc+tls://127.0.0.1", "https://localhost")
        .replace("grpc://", "http://");
    let (stop, stopped) = oneshot::channel();
    let task = tokio::spawn(server.serve(async {
        let _ = stopped.await;
    }));
    Served {
        site,
        url,
        stop: Some(stop),
        task,
    }
}

/// A server that lets everybody read.
pub(crate) async fn open() -> Served {
    serve(DemoOptions::fixed(), ServeOptions::default()).await
}

/// A server that lets everybody read and write.
pub(crate) async fn writable() -> Served {
    let access = Access::Own {
        writes: true,
        users: None,
    };
    serve(
        DemoOptions::fixed(),
        ServeOptions {
            access,
            ..ServeOptions::default()
        },
    )
    .await
}

pub(crate) async fn with_limits(demo: DemoOptions, limits: Limits) -> Served {
    let options = ServeOptions {
        limits,
        ..ServeOptions::default()
    };
    serve(demo, options).await
}

impl Served {
    /// A client that has not said who it is, on a connection of its own.
    pub(crate) async fn client(&self) -> Client {
        let channel = Channel::from_shared(self.url.clone()).unwrap().connect().await.unwrap();
        FlightSqlServiceClient::new(channel)
    }

    /// Requests that the site was sent so far: method, address and the account that signed in.
    pub(crate) fn requests(&self) -> Vec<(String, String, Option<usize>)> {
        let served = self.site.served().into_iter();
        served.map(|served| (served.method, served.address, served.account)).collect()
    }

    /// Requests that the site was sent so far.
    pub(crate) fn asked(&self) -> usize {
        self.site.served().len()
    }

    /// Requests that write.
    pub(crate) fn written(&self) -> usize {
        self.site.served().iter().filter(|served| served.method != "GET").count()
    }

    /// Tells the server to stop.
    pub(crate) fn stop(&mut self) {
        if let Some(stop) = self.stop.take() {
            let _ = stop.send(());
        }
    }

    /// Waits until it has.
    pub(crate) async fn stopped(&mut self) {
        (&mut self.task).await.unwrap().unwrap();
    }
}

/// The rows behind the tickets of an answer.
pub(crate) async fn fetch(client: &mut Client, info: &FlightInfo) -> Result<Vec<RecordBatch>, FlightError> {
    let stream = client.do_get(ticket(info)).await?;
    stream.try_collect().await
}

pub(crate) fn ticket(info: &FlightInfo) -> Ticket {
    info.endpoint[0].ticket.clone().unwrap()
}

/// The rows of a statement.
pub(crate) async fn query(client: &mut Client, sql: &str) -> Result<Vec<RecordBatch>, FlightError> {
    let info = client.execute(sql.to_owned(), None).await?;
    fetch(client, &info).await
}

/// Every row as texts.
pub(crate) fn texts(batches: &[RecordBatch]) -> Vec<Vec<String>> {
    let mut found = Vec::new();
    for batch in batches {
        let columns: Vec<_> = batch
            .columns()
            .iter()
            .map(|column| arrow::compute::cast(column, &arrow::datatypes::DataType::Utf8).unwrap())
            .collect();
        for row in 0..batch.num_rows() {
            let cell = |column: &Arc<dyn Array>| {
                let column = column.as_string::<i32>();
                if column.is_null(row) {
                    "NULL".to_owned()
                } else {
                    column.value(row).to_owned()
                }
            };
            found.push(columns.iter().map(cell).collect());
        }
    }
    found
}

/// The only cell of an answer.
pub(crate) async fn cell(client: &mut Client, sql: &str) -> String {
    texts(&query(client, sql).await.unwrap()).remove(0).remove(0)
}

/// The status of a call that failed.
pub(crate) fn status(error: FlightError) -> Status {
    match error {
        FlightError::Tonic(status) => *status,
        other => panic!("no status: {other}"),
    }
}

/// A call that failed with this code, a message that says so, and a hint.
pub(crate) fn refused<T>(outcome: Result<T, FlightError>, code: Code, fragment: &str) {
    let status = status(outcome.err().expect("the call succeeded"));
    assert_eq!(status.code(), code, "{status:?}");
    assert!(status.message().contains(fragment), "{status:?}");
    assert!(status.message().contains("\nhint: "), "no hint: {status:?}");
}
