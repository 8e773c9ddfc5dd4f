//! One attempt: a request out, an answer in. The thin edge to reqwest; decides nothing.

use super::envelope::strip_bom;
use super::transport::Failure;
use bytes::{Bytes, BytesMut};
use futures::StreamExt;
use reqwest::header::{CONTENT_TYPE, HeaderMap};

/// Read of an error answer: enough for its message.
const ERROR_BODY: usize = 64 << 10;

/// A whole answer of any status.
#[derive(Debug)]
pub(super) struct Answer {
    pub(super) status: u16,
    pub(super) headers: HeaderMap,
    pub(super) body: Bytes,
}

impl Answer {
    pub(super) fn header(&self, name: &str) -> Option<&str> {
        self.headers.get(name)?.to_str().ok()
    }

    pub(super) fn content_type(&self) -> Option<&str> {
        self.header(CONTENT_TYPE.as_str())
    }
}

/// Sends `request` and reads the answer, of a 2xx at most `most` decompressed bytes.
pub(super) async fn exchange(http: &reqwest::Client, request: reqwest::Request, most: usize) -> Result<Answer, Failure> {
    let response = http.execute(request).await.map_err(Failure::sending)?;
    let status = response.status().as_u16();
    let headers = response.headers().clone();
    let body = if response.status().is_success() {
        read(response, most).await?
    } else {
        // The status alone says enough: an error answer that breaks off or is too long is still that error.
        read_start(response).await
    };
    Ok(Answer { status, headers, body })
}

/// The whole body. Counts what comes out of the decompressor: `Content-Length` is what went in.
async fn read(response: reqwest::Response, most: usize) -> Result<Bytes, Failure> {
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
