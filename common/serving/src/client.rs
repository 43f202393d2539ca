//! The connection of a client, shared by who speaks over it and who waits for it to go.

use std::future::poll_fn;
use std::io::{self, IoSlice};
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll, ready};
use std::time::Duration;

use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};

use super::behind::{KEPT, may_be_a_request};
use super::connections::{Phase, Report};
use super::wire::Wire;

/// How often the server checks whether a client that sent more before it was answered has left.
const LOOK_EVERY: Duration = Duration::from_millis(500);

/// How long bytes that lie in the socket take to be read, at most.
const UNREAD_WITHIN: Duration = Duration::from_millis(100);

/// A request's connection, found in its extensions: says when the client has left.
///
/// A client that only shut down its own side and waits for the answer looks the same, so ask for work that is
/// worth stopping only, after the request's body was read, and only once at a time.
#[derive(Debug, Clone)]
pub struct ClientConnection {
    wire: Arc<Wire>,
    /// What came together with the head of the request, and behind it.
    behind: Vec<u8>,
}

impl ClientConnection {
    /// For the request whose head was read last.
    pub(super) fn of_request(wire: &Arc<Wire>) -> Self {
        let behind = wire.socket().head_end.take();
        Self { wire: Arc::clone(wire), behind }
    }

    /// Whether the end of what the client sent came after the process last stood still for longer than B.
    ///
    /// If it did not, the client may have given up since, and nobody knows when it sent this.
    pub fn is_fresh(&self) -> bool {
        self.wire.is_fresh()
    }

    /// Whether the client sent something behind the head of its request that is no other request. Of a
    /// request that names no length that is a body which is lost.
    ///
    /// What is not there yet is awaited for `patience`, unless the client has closed its side.
    pub async fn sent_more(&self, patience: Duration) -> bool {
        if !self.behind.is_empty() {
            return !may_be_a_request(&self.behind);
        }
        // The system is asked, because the runtime may not have heard yet of what came.
        let patience = if self.wire.has_unread() { patience.max(UNREAD_WITHIN) } else { patience };
        let peeked = tokio::time::timeout(patience, async {
            let mut bytes = [0; KEPT];
            let count = self.peek(&mut bytes).await.unwrap_or(0);
            may_be_a_request(bytes.get(..count).unwrap_or_default())
        });
        matches!(peeked.await, Ok(false))
    }

    async fn peek(&self, bytes: &mut [u8]) -> io::Result<usize> {
        // No other task reads from it while a request is answered.
        poll_fn(|cx| self.wire.socket().stream.poll_peek(cx, &mut ReadBuf::new(bytes))).await
    }

    /// Returns when the client has closed the connection or its side of it.
    pub async fn left(&self) {
        loop {
            match self.peek(&mut [0]).await {
                Ok(0) | Err(_) => return,
                // Its next request: nothing tells what comes behind that until it is read.
                Ok(_) => tokio::time::sleep(LOOK_EVERY).await,
            }
        }
    }
}

/// The stream that hyper reads from and writes to.
#[derive(Debug)]
pub(super) struct SharedStream {
    wire: Arc<Wire>,
    report: Report,
}

impl SharedStream {
    pub(super) const fn new(wire: Arc<Wire>, report: Report) -> Self {
        Self { wire, report }
    }
}

impl AsyncRead for SharedStream {
    fn poll_read(self: Pin<&mut Self>, cx: &mut Context<'_>, buf: &mut ReadBuf<'_>) -> Poll<io::Result<()>> {
        let stream = self.get_mut();
        let before = buf.filled().len();
        ready!(stream.wire.poll_read(cx, buf))?;
        let read = buf.filled().get(before..).unwrap_or_default();
        if stream.report.phase() == Phase::Head {
            stream.wire.socket().head_end.feed(read);
        }
        if stream.report.read(read.len()) {
            Poll::Ready(Ok(()))
        } else {
            Poll::Ready(Err(io::Error::other("no room for a request's head")))
        }
    }
}

impl AsyncWrite for SharedStream {
    fn poll_write(self: Pin<&mut Self>, cx: &mut Context<'_>, bytes: &[u8]) -> Poll<io::Result<usize>> {
        Pin::new(&mut self.wire.socket().stream).poll_write(cx, bytes)
    }

    fn poll_write_vectored(
        self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        parts: &[IoSlice<'_>],
    ) -> Poll<io::Result<usize>> {
        Pin::new(&mut self.wire.socket().stream).poll_write_vectored(cx, parts)
    }

    fn is_write_vectored(&self) -> bool {
        self.wire.socket().stream.is_write_vectored()
    }

    fn poll_flush(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.wire.socket().stream).poll_flush(cx)
    }

    fn poll_shutdown(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.wire.socket().stream).poll_shutdown(cx)
    }
}
