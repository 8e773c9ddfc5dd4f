//! The connections of a server: counted, numbered, and heard of when they close.

use std::io;
use std::net::SocketAddr;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll};
use std::time::Duration;

use futures::Stream;
use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::{OwnedSemaphorePermit, Semaphore};
use tonic::transport::server::Connected;

use super::sessions::Sessions;

/// A connection.
pub(super) struct Wire {
    stream: TcpStream,
    info: WireInfo,
}

/// What a call knows of its connection.
#[derive(Clone)]
pub(super) struct WireInfo {
    pub(super) number: u64,
    pub(super) address: SocketAddr,
    _open: Arc<Open>,
}

/// Lives as long as the connection.
struct Open {
    number: u64,
    sessions: Arc<Sessions>,
    _permit: OwnedSemaphorePermit,
}

impl Drop for Open {
    fn drop(&mut self) {
        self.sessions.closed(self.number);
    }
}

impl Connected for Wire {
    type ConnectInfo = WireInfo;

    fn connect_info(&self) -> WireInfo {
        self.info.clone()
    }
}

/// Accepts connections, up to so many at a time; what comes beyond is closed at once.
pub(super) fn incoming(listener: TcpListener, most: usize, sessions: Arc<Sessions>) -> impl Stream<Item = io::Result<Wire>> {
    let permits = Arc::new(Semaphore::new(most.min(Semaphore::MAX_PERMITS)));
    futures::stream::unfold((listener, 1), move |(listener, number)| {
        let (permits, sessions) = (permits.clone(), sessions.clone());
        async move {
            loop {
                let Ok((stream, address)) = listener.accept().await else {
                    // Out of file descriptors, most likely: some must be closed first.
                    tokio::time::sleep(Duration::from_millis(50)).await;
                    continue;
                };
                let Ok(permit) = permits.clone().try_acquire_owned() else {
                    continue;
                };
                // Without it small messages wait for the acknowledgement of those before them; it is only slower.
                let _ = stream.set_nodelay(true);
                let open = Arc::new(Open {
                    number,
                    sessions,
                    _permit: permit,
                });
                let info = WireInfo {
                    number,
                    address,
                    _open: open,
                };
                return Some((Ok(Wire { stream, info }), (listener, number + 1)));
            }
        }
    })
}

impl AsyncRead for Wire {
    fn poll_read(mut self: Pin<&mut Self>, context: &mut Context<'_>, buffer: &mut ReadBuf<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.stream).poll_read(context, buffer)
    }
}

impl AsyncWrite for Wire {
    fn poll_write(mut self: Pin<&mut Self>, context: &mut Context<'_>, bytes: &[u8]) -> Poll<io::Result<usize>> {
        Pin::new(&mut self.stream).poll_write(context, bytes)
    }

    fn poll_flush(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.stream).poll_flush(context)
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.stream).poll_shutdown(context)
    }

    fn poll_write_vectored(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
        slices: &[io::IoSlice<'_>],
    ) -> Poll<io::Result<usize>> {
        Pin::new(&mut self.stream).poll_write_vectored(context, slices)
    }

    fn is_write_vectored(&self) -> bool {
        self.stream.is_write_vectored()
    }
}
