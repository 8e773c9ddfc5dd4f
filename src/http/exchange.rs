//! One attempt: a request out, an answer in. The thin edge to reqwest; decides nothing.

use super::client::Shared;
use super::envelope::strip_bom;
use super::memory::Held;
use super::refusal;
use super::transport::Failure;
use super::{Statement, Terms};
use crate::error::{Error, ErrorKind};
use bytes::{Bytes, BytesMut};
use futures::StreamExt;
use percent_encoding::percent_decode_str;
use reqwest::header::{CONTENT_DISPOSITION, CONTENT_TYPE, HeaderMap, LOCATION};
use std::path::Path;
use tokio::io::AsyncWriteExt;
use url::Url;

/// Redirects that lead to a file at most.
const MOST_HOPS: usize = 3;

/// Read of an error answer: enough for its message.
const ERROR_BODY: usize = 64 << 10;

/// A whole answer of any status.
#[derive(Debug)]
pub(super) struct Answer {
    pub(super) status: u16,
    pub(super) headers: HeaderMap,
    pub(super) body: Bytes,
    /// Bytes of the body that went to a file instead.
    pub(super) saved: u64,
    /// What the body takes of the memory of the statement.
    pub(super) held: Held,
    /// The address of another host that the answer came from.
    pub(super) place: Option<Url>,
}

impl Answer {
    pub(super) fn header(&self, name: &str) -> Option<&str> {
        self.headers.get(name)?.to_str().ok()
    }

    pub(super) fn content_type(&self) -> Option<&str> {
        self.header(CONTENT_TYPE.as_str())
    }

    /// Bytes of the body, wherever they went.
    pub(super) fn bytes(&self) -> usize {
        self.body.len() + usize::try_from(self.saved).unwrap_or(usize::MAX)
    }

    /// The file name that the answer suggests; the encoded form of RFC 5987 is preferred.
    pub(super) fn disposition(&self) -> Option<String> {
        let value = self.headers.get(CONTENT_DISPOSITION)?;
        let value = String::from_utf8_lossy(value.as_bytes());
        let parameter = |name: &str| {
            value.split(';').find_map(|part| {
                let (key, value) = part.split_once('=')?;
                key.trim()
                    .eq_ignore_ascii_case(name)
                    .then(|| value.trim().trim_matches('"').to_owned())
            })
        };
        let encoded = parameter("filename*").and_then(|text| {
            let (_, name) = text.split_once("''")?;
            Some(percent_decode_str(name).decode_utf8_lossy().into_owned())
        });
        encoded.or_else(|| parameter("filename"))
    }
}

/// Sends `request` and reads the answer: of a 2xx into the file that the terms name, or at most as many decompressed bytes as the
/// options allow, and the memory of the statement has room for.
///
/// # Errors
/// With the address of another host, where it is that which failed.
pub(super) async fn exchange(
    shared: &Shared,
    request: reqwest::Request,
    terms: &Terms,
    statement: &Statement,
) -> Result<Answer, (Option<Url>, Failure)> {
    let mut place = None;
    let answer = carried(shared, request, terms, statement, &mut place).await;
    answer.map_err(|failure| (place, failure))
}

async fn carried(
    shared: &Shared,
    request: reqwest::Request,
    terms: &Terms,
    statement: &Statement,
    place: &mut Option<Url>,
) -> Result<Answer, Failure> {
    let response = shared.http.execute(request).await.map_err(Failure::sending)?;
    let response = match &terms.save {
        Some(_) => elsewhere(shared, response, place).await?,
        None => response,
    };
    let status = response.status().as_u16();
    let headers = response.headers().clone();
    let (mut body, mut saved, mut held) = (Bytes::new(), 0, statement.memory());
    match &terms.save {
        Some(path) if response.status().is_success() => saved = keep(response, path).await?,
        _ if response.status().is_success() || terms.accepts.contains(&status) => {
            body = read(response, shared.options.max_body_bytes, &mut held).await?;
        }
        // The status alone says enough: an error answer that breaks off or is too long is still that error.
        _ => body = read_start(response).await,
    }
    Ok(Answer {
        status,
        headers,
        body,
        saved,
        held,
        place: place.clone(),
    })
}

/// Follows the way to where the site keeps a file. Another origin hears nothing of our credentials, and is never asked in the clear
/// where the site is not; what is not followed is an answer like any other.
async fn elsewhere(
    shared: &Shared,
    mut response: reqwest::Response,
    place: &mut Option<Url>,
) -> Result<reqwest::Response, Failure> {
    for _ in 0..MOST_HOPS {
        let target = response
            .headers()
            .get(LOCATION)
            .filter(|_| response.status().is_redirection())
            .and_then(|value| response.url().join(value.to_str().ok()?).ok());
        // Files have names of any kind, so the path says nothing about what will come.
        let Some(target) = target.filter(|target| !target.host_str().is_some_and(refusal::is_login_host)) else {
            break;
        };
        let base = &shared.options.base;
        let http = if target.origin() == base.origin() {
            &shared.http
        } else {
            &shared.stranger
        };
        if target.scheme() != "https" && target.scheme() != base.scheme() || !target.username().is_empty() {
            break;
        }
        *place = (target.origin() != base.origin()).then(|| target.clone());
        let request = reqwest::Request::new(reqwest::Method::GET, target);
        response = http.execute(request).await.map_err(Failure::sending)?;
    }
    Ok(response)
}

/// Writes the whole body to a file, and tells how many bytes that were.
async fn keep(response: reqwest::Response, path: &Path) -> Result<u64, Failure> {
    let status = response.status().as_u16();
    let unkept = |error: std::io::Error| {
        Failure::Unkept(
            Error::new(ErrorKind::Io, format!("cannot write the file: {error}")).hint("check the folder in option AttachmentDir"),
        )
    };
    let mut file = tokio::fs::File::create(path).await.map_err(unkept)?;
    let mut stream = response.bytes_stream();
    let mut written = 0;
    while let Some(chunk) = stream.next().await {
        let chunk = chunk.map_err(|error| Failure::Lost {
            status: Some(status),
            error: error.without_url(),
        })?;
        file.write_all(&chunk).await.map_err(unkept)?;
        written += chunk.len() as u64;
    }
    file.flush().await.map_err(unkept)?;
    Ok(written)
}

/// The whole body. Counts what comes out of the decompressor: `Content-Length` is what went in.
async fn read(response: reqwest::Response, most: usize, held: &mut Held) -> Result<Bytes, Failure> {
    let status = response.status().as_u16();
    let mut stream = response.bytes_stream();
    let mut body = BytesMut::new();
    while let Some(chunk) = stream.next().await {
        let chunk = chunk.map_err(|error| Failure::Lost {
            status: Some(status),
            error: error.without_url(),
        })?;
        if body.len() + chunk.len() > most {
            return Err(Failure::TooLarge {
                status,
                bytes: body.len(),
            });
        }
        body.extend_from_slice(&chunk);
        held.reach(body.capacity())
            .map_err(|error| Failure::NoRoom { status, error })?;
    }
    let body = body.freeze();
    Ok(body.slice_ref(strip_bom(&body)))
}

async fn read_start(response: reqwest::Response) -> Bytes {
    let mut stream = response.bytes_stream();
    let mut body = BytesMut::new();
    while let Some(Ok(chunk)) = stream.next().await {
        body.extend_from_slice(&chunk[..chunk.len().min(ERROR_BODY - body.len())]);
        if body.len() == ERROR_BODY {
            break;
        }
    }
    body.freeze()
}
