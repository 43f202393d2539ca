//! Accepts connections, bounded in number, memory and time.

use model::chain::Chain;
use std::io;
use std::sync::Arc;
use std::time::Duration;

use axum::Router;
use axum::extract::ConnectInfo;
use hyper::Request;
use hyper::body::Incoming;
use hyper::server::conn::http1;
use hyper_util::rt::{TokioIo, TokioTimer};
use hyper_util::server::graceful::GracefulShutdown;
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::{OwnedSemaphorePermit, Semaphore};
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;
use tower::ServiceExt;

use super::client::SharedStream;
use super::write_limit::WriteLimit;

/// The limits of one listener.
#[derive(Debug, Clone, Copy)]
pub struct ServerLimits {
    /// Connections at once; further ones wait in the system's backlog.
    pub connections: usize,
    /// A request's head must arrive within this time after the answer before it, so a connection may be idle
    /// for as long: more than the 60 s for which balancers keep theirs, lest a request meet its end.
    pub head_timeout: Duration,
    /// After shutdown began, connections are given this long to finish.
    pub drain: Duration,
}

impl Default for ServerLimits {
    fn default() -> Self {
        Self { connections: 16_384, head_timeout: Duration::from_secs(90), drain: Duration::from_secs(8) }
    }
}

/// Largest request head, and read buffer of a connection: long messages come in the query.
const BUFFER_BYTES: usize = 64 * 1024;

/// Serves `router` until `shutdown`, then lets connections finish what they are at.
///
/// Handlers find the client in [`ConnectInfo`]`<SocketAddr>`, and whether it is still there by
/// [`ClientConnection`].
///
/// [`ClientConnection`]: super::ClientConnection
pub async fn serve(listener: TcpListener, router: Router, limits: ServerLimits, shutdown: CancellationToken) {
    let graceful = GracefulShutdown::new();
    let permits = Arc::new(Semaphore::new(limits.connections));
    let tasks = TaskTracker::new();
    loop {
        let accepted = tokio::select! {
            () = shutdown.cancelled() => break,
            accepted = accept(&listener, &permits) => accepted,
        };
        let (stream, permit) = match accepted {
            Ok(accepted) => accepted,
            Err(error) => {
                // Out of file descriptors, mostly: others must finish first.
                tracing::warn!(error = %Chain(&error), "failed to accept a connection");
                tokio::time::sleep(Duration::from_millis(50)).await;
                continue;
            }
        };
        tasks.spawn(connection(stream, permit, router.clone(), limits, graceful.watcher()));
    }
    drop(listener);
    tasks.close();
    let drained = tokio::time::timeout(limits.drain, graceful.shutdown()).await;
    if drained.is_err() {
        tracing::warn!(connections = tasks.len(), "closing connections that did not finish in time");
    }
}

async fn accept(
    listener: &TcpListener,
    permits: &Arc<Semaphore>,
) -> io::Result<(TcpStream, OwnedSemaphorePermit)> {
    let permit = Arc::clone(permits).acquire_owned().await.map_err(io::Error::other)?;
    let (stream, _) = listener.accept().await?;
    Ok((stream, permit))
}

async fn connection(
    stream: TcpStream,
    permit: OwnedSemaphorePermit,
    router: Router,
    limits: ServerLimits,
    watcher: hyper_util::server::graceful::Watcher,
) {
    let Ok(peer) = stream.peer_addr() else { return };
    let _ = stream.set_nodelay(true);
    let (stream, client) = SharedStream::new(stream);
    let service = hyper::service::service_fn(move |mut request: Request<Incoming>| {
        request.extensions_mut().insert(ConnectInfo(peer));
        request.extensions_mut().insert(client.clone());
        router.clone().oneshot(request)
    });
    let connection = http1::Builder::new()
        .timer(TokioTimer::new())
        .header_read_timeout(limits.head_timeout)
        .max_buf_size(BUFFER_BYTES)
        // A client may shut down its side right after the request and still wait for the answer.
        .half_close(true)
        .serve_connection(TokioIo::new(WriteLimit::new(stream)), service);
    // A client that hangs up or talks nonsense is its own business.
    let _ = watcher.watch(connection).await;
    drop(permit);
}
