//! A site that repeats in its words what it was sent in secret: neither the status of a call nor what comes after the rows tells it.

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use futures::StreamExt;
use jsmql::Connection;
use jsmql::flight::{ServeOptions, Server};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};

use super::support::{Client, fetch, status, ticket};

const SECRET: &str = "c4n4ry-t0k-s3cret";

/// Answers one request: what is asked for with more than one key is empty, everything else is refused in words that repeat the login.
async fn answer(mut stream: TcpStream) {
    let mut request = String::new();
    let mut chunk = [0; 8192];
    loop {
        let read = stream.read(&mut chunk).await.unwrap_or(0);
        request.push_str(&String::from_utf8_lossy(&chunk[..read]));
        let is_whole = |(head, body): (&str, &str)| {
            let length = head
                .lines()
                .find_map(|line| line.to_ascii_lowercase().strip_prefix("content-length: ")?.parse().ok());
            body.len() >= length.unwrap_or(0)
        };
        if read == 0 || request.split_once("\r\n\r\n").is_some_and(is_whole) {
            break;
        }
    }
    let basic = STANDARD.encode(format!("a@b.example:{SECRET}"));
    let (status, body) = match request.contains(r#"["A-1","B-2"]"#) && request.contains("summary") {
        true => ("200 OK", r#"{"issues":[]}"#.to_owned()),
        false => (
            "400 Bad Request",
            format!(r#"{{"errorMessages":["no: {SECRET}, Basic {basic}"]}}"#),
        ),
    };
    let length = body.len();
    let head =
        format!("HTTP/1.1 {status}\r\nConnection: close\r\nContent-Type: application/json\r\nContent-Length: {length}\r\n\r\n");
    let _ = stream.write_all(format!("{head}{body}").as_bytes()).await;
}

/// A client of a server in front of such a site.
async fn client() -> Client {
    let site = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let url = format!("http://{}", site.local_addr().unwrap());
    tokio::spawn(async move {
        while let Ok((stream, _)) = site.accept().await {
            tokio::spawn(answer(stream));
        }
    });
    let options = format!("URL={url};User=a@b.example;APIToken={SECRET}");
    let connection = Connection::parse(&options, std::iter::empty()).unwrap();
    let server = Server::bind(connection, ServeOptions::default()).await.unwrap();
    let url = server.url().replace("grpc://", "http://");
    tokio::spawn(server.serve(std::future::pending()));
    let channel = tonic::transport::Channel::from_shared(url).unwrap().connect().await.unwrap();
    Client::new(channel)
}

fn assert_silent(text: &str) {
    let whole = STANDARD.encode(format!("a@b.example:{SECRET}"));
    for part in ["c4n4ry", "s3cret", &whole[18..30]] {
        assert!(!text.contains(part), "{part} in {text}");
    }
}

#[tokio::test]
async fn what_the_site_repeats_is_in_no_status_and_no_trailer() {
    let mut client = client().await;
    let info = client.execute("SELECT id FROM service_desks".into(), None).await.unwrap();
    let refusal = status(fetch(&mut client, &info).await.unwrap_err());
    assert!(refusal.message().contains("HTTP 400"), "{refusal:?}");
    assert_silent(&format!("{refusal:?} {}", String::from_utf8_lossy(refusal.details())));
    // A warning that has the words of the site.
    let sql = "SELECT summary FROM issues WHERE issue_key IN ('A-1', 'B-2')";
    let info = client.execute(sql.into(), None).await.unwrap();
    let mut stream = client.do_get(ticket(&info)).await.unwrap();
    while let Some(batch) = stream.next().await {
        batch.unwrap();
    }
    let trailers = stream.trailers().expect("trailing metadata");
    let told = trailers.get_bin("jsmql-warnings-bin").expect("a warning").to_bytes().unwrap();
    let told = String::from_utf8_lossy(&told).into_owned();
    assert!(told.contains("could not be asked"), "{told}");
    assert_silent(&told);
}
