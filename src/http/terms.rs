//! What is special about a request beyond its parts: a file that is sent or kept, an answer that is no JSON or no success.

use std::path::PathBuf;
use std::sync::Arc;
use std::sync::atomic::AtomicU64;

use bytes::Bytes;
use futures::stream::{self, Stream};
use reqwest::header::{HeaderName, HeaderValue};
use reqwest::multipart::{Form, Part};
use tokio::io::AsyncReadExt;

use crate::error::{Error, ErrorKind, Result};

/// Bytes of a file that are read at a time.
const CHUNK: usize = 64 << 10;

/// What is special about a request. The default is nothing.
#[derive(Debug, Clone, Default)]
pub(crate) struct Terms {
    /// Statuses besides 2xx whose body is an answer.
    pub accepts: Vec<u16>,
    /// The answer is a text of any kind, a web page too.
    pub text: bool,
    /// The body: a file, as `multipart/form-data`.
    pub upload: Option<Upload>,
    /// The file that takes the body of a 2xx answer, however large it is. Redirects are followed then, without credentials to
    /// other origins: sites keep attachments elsewhere.
    pub save: Option<PathBuf>,
    /// Counts each attempt as it is made, for whoever sends the request.
    pub counter: Option<Arc<AtomicU64>>,
}

/// A file that is sent.
#[derive(Debug, Clone)]
pub(crate) struct Upload {
    /// What the site is told it is called.
    pub name: String,
    /// Bytes that are sent: a file that has grown meanwhile is cut there.
    pub size: u64,
    /// Where they come from.
    pub content: Content,
}

/// Where the bytes of a file come from.
#[derive(Debug, Clone)]
pub(crate) enum Content {
    /// A file, opened anew for each attempt and never held whole in memory.
    File(PathBuf),
    /// These bytes.
    Bytes(Bytes),
}

impl Upload {
    /// The request with the file as its body.
    pub(super) fn attach(&self, http: &reqwest::Client, request: reqwest::Request) -> Result<reqwest::Request> {
        let body = match &self.content {
            Content::Bytes(bytes) => reqwest::Body::from(bytes.clone()),
            Content::File(path) => reqwest::Body::wrap_stream(chunks(path.clone(), self.size)),
        };
        let part = Part::stream_with_length(body, self.size).file_name(self.name.clone());
        // As browsers do it: the name in UTF-8. The site does not read the encoded form of RFC 5987.
        let form = Form::new().percent_encode_noop().part("file", part);
        let (method, url) = (request.method().clone(), request.url().clone());
        let mut built = http
            .request(method, url)
            .multipart(form)
            .build()
            .map_err(|error| Error::new(ErrorKind::Internal, "the file cannot be sent").source(error.without_url()))?;
        built.headers_mut().extend(request.headers().clone());
        // Forms of a browser could be forged, so the site wants to be told that this is none.
        built.headers_mut().insert(
            HeaderName::from_static("x-atlassian-token"),
            HeaderValue::from_static("no-check"),
        );
        Ok(built)
    }
}

/// The first `size` bytes of a file, opened when the first chunk is wanted.
fn chunks(path: PathBuf, size: u64) -> impl Stream<Item = std::io::Result<Bytes>> + Send + 'static {
    stream::try_unfold((None, size), move |(file, left)| {
        let path = path.clone();
        async move {
            if left == 0 {
                return Ok(None);
            }
            let mut file = match file {
                Some(file) => file,
                None => tokio::fs::File::open(&path).await?,
            };
            let mut chunk = vec![0; usize::try_from(left).unwrap_or(CHUNK).min(CHUNK)];
            let read = file.read(&mut chunk).await?;
            if read == 0 {
                return Err(std::io::Error::new(
                    std::io::ErrorKind::UnexpectedEof,
                    "the file has become shorter while it was sent",
                ));
            }
            chunk.truncate(read);
            Ok(Some((Bytes::from(chunk), (Some(file), left - read as u64))))
        }
    })
}
