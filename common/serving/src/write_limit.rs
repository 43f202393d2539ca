//! A stream that does not wait for ever for a client that does not read.

use std::io::{self, IoSlice};
use std::pin::Pin;
use std::task::{Context, Poll, ready};
use std::time::Duration;

use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};
use tokio::time::{Sleep, sleep};

/// A client that takes nothing of what is written to it for this long is gone, or might as well be.
const WITHOUT_PROGRESS: Duration = Duration::from_secs(30);

/// A stream whose writes fail with [`io::ErrorKind::TimedOut`] when the other side takes nothing for 30 s.
///
/// Nothing limits how long a client may be slow: each byte that it takes begins the time anew. Nor is there a
/// limit while nothing waits to be written.
#[derive(Debug)]
pub(super) struct WriteLimit<S> {
    stream: S,
    /// Runs while a write waits.
    waiting: Option<Pin<Box<Sleep>>>,
}

impl<S> WriteLimit<S> {
    pub(super) const fn new(stream: S) -> Self {
        Self { stream, waiting: None }
    }

    /// What became of a write: when it waits, for how much longer.
    fn limited<T>(&mut self, cx: &mut Context<'_>, written: Poll<io::Result<T>>) -> Poll<io::Result<T>> {
        if written.is_ready() {
            self.waiting = None;
            return written;
        }
        let waiting = self.waiting.get_or_insert_with(|| Box::pin(sleep(WITHOUT_PROGRESS)));
        ready!(waiting.as_mut().poll(cx));
        Poll::Ready(Err(io::Error::new(io::ErrorKind::TimedOut, "the client has read nothing for 30 s")))
    }
}

impl<S: AsyncRead + Unpin> AsyncRead for WriteLimit<S> {
    fn poll_read(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        buf: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        Pin::new(&mut self.stream).poll_read(cx, buf)
    }
}

impl<S: AsyncWrite + Unpin> AsyncWrite for WriteLimit<S> {
    fn poll_write(mut self: Pin<&mut Self>, cx: &mut Context<'_>, bytes: &[u8]) -> Poll<io::Result<usize>> {
        let written = Pin::new(&mut self.stream).poll_write(cx, bytes);
        self.limited(cx, written)
    }

    fn poll_write_vectored(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        parts: &[IoSlice<'_>],
    ) -> Poll<io::Result<usize>> {
        let written = Pin::new(&mut self.stream).poll_write_vectored(cx, parts);
        self.limited(cx, written)
    }

    fn is_write_vectored(&self) -> bool {
        self.stream.is_write_vectored()
    }

    fn poll_flush(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        let flushed = Pin::new(&mut self.stream).poll_flush(cx);
        self.limited(cx, flushed)
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        let shut = Pin::new(&mut self.stream).poll_shutdown(cx);
        self.limited(cx, shut)
    }
}

#[cfg(test)]
mod tests {
    use std::convert::Infallible;

    use axum::body::Body;
    use axum::response::Response;
    use hyper::body::Incoming;
    use hyper::server::conn::http1;
    use hyper::service::service_fn;
    use hyper_util::rt::TokioIo;
    use tokio::io::{AsyncReadExt, AsyncWriteExt, duplex};
    use tokio::time::Instant;

    use super::*;

    async fn answer(_: hyper::Request<Incoming>) -> Result<Response, Infallible> {
        let endless = futures_util::stream::repeat_with(|| Ok::<_, Infallible>(vec![b'x'; 1_000]));
        Ok(Response::new(Body::from_stream(endless)))
    }

    #[tokio::test(start_paused = true)]
    async fn a_connection_whose_client_does_not_read_is_closed_after_30_s() {
        let (mut client, server) = duplex(4_096);
        client.write_all(b"GET / HTTP/1.1\r\nhost: x\r\n\r\n").await.expect("a request");
        let stream = TokioIo::new(WriteLimit::new(server));
        let began = Instant::now();
        let served = http1::Builder::new().serve_connection(stream, service_fn(answer)).await;
        served.expect_err("the connection does not end in order");
        let took = began.elapsed();
        assert!((WITHOUT_PROGRESS..WITHOUT_PROGRESS * 2).contains(&took), "{took:?}");
    }

    #[tokio::test(start_paused = true)]
    async fn a_slow_client_that_goes_on_reading_is_served() {
        let (mut client, server) = duplex(64);
        let mut server = WriteLimit::new(server);
        let writing = async {
            server.write_all(&[1; 640]).await.expect("it is read in the end");
            server.shutdown().await.expect("closed");
        };
        let reading = async {
            let mut read = 0;
            loop {
                sleep(WITHOUT_PROGRESS - Duration::from_secs(1)).await;
                match client.read(&mut [0; 64]).await.expect("it is open") {
                    0 => return read,
                    count => read += count,
                }
            }
        };
        assert_eq!(tokio::join!(writing, reading).1, 640);
    }
}
