//! Accepts connections, bounded in number, memory and time.

use std::io;
use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use axum::body::Body;
use axum::extract::ConnectInfo;
use hyper::body::{Body as _, Incoming};
use hyper::server::conn::http1;
use hyper::{Request, Response};
use hyper_util::rt::{TokioIo, TokioTimer};
use hyper_util::server::graceful::{GracefulShutdown, Watcher};
use model::chain::Chain;
use rustix::io::Errno;
use tokio::net::TcpListener;
use tokio::time::MissedTickBehavior;
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;
use tower::ServiceExt;

use super::client::{ClientConnection, SharedStream};
use super::connections::{Admitted, Connections, Phase, Room};
use super::door::{Accepted, Door};
use super::entrance::{Entrance, STATE_EVERY};
use super::exchange::Watched;
use super::proxies::TrustedProxies;
use super::routes::Routes;
use super::wire::Wire;
use super::write_limit::WriteLimit;

/// The limits of one listener.
#[derive(Debug, Clone)]
pub struct ServerLimits {
    /// Connections at once, at least 1. Beyond them those that are idle longest are closed.
    pub connections: usize,
    /// Connections at once of one client's address, at least 1; those of trusted proxies do not count.
    pub connections_of_an_address: usize,
    /// Proxies behind whose addresses there are many clients.
    pub proxies: TrustedProxies,
    /// Bytes of buffers for request heads in memory, of all connections together; those of 8 kB that each one
    /// has are not counted.
    pub head_bytes: usize,
    /// A request's head must arrive within this time after the answer before it, so a connection may be idle
    /// for as long: more than the 60 s for which balancers keep theirs, lest a request meet its end.
    pub head_timeout: Duration,
    /// After shutdown began, connections are given this long to finish.
    pub drain: Duration,
}

/// The most connections of a listener, where the system allows so many files. A connection with a request
/// half sent takes 20 to 31 kB: a process whose connections are all taken stays below 300 MB.
const MOST_CONNECTIONS: usize = 8_192;
/// Files that a process needs besides its connections, if it may have so many.
const OTHER_FILES: usize = 256;

impl ServerLimits {
    /// Limits for a process that may have so many files open.
    pub fn within_open_files(files: usize) -> Self {
        let connections = files.saturating_sub(OTHER_FILES.min(files / 3 * 2)).clamp(1, MOST_CONNECTIONS);
        Self {
            connections,
            connections_of_an_address: connections.div_ceil(2),
            proxies: TrustedProxies::default(),
            head_bytes: 48 << 20,
            head_timeout: Duration::from_secs(90),
            drain: Duration::from_secs(8),
        }
    }
}

impl Default for ServerLimits {
    fn default() -> Self {
        Self::within_open_files(usize::MAX)
    }
}

/// Largest request head, and read buffer of a connection: long messages come in the query.
const BUFFER_BYTES: usize = 64 * 1024;

/// How long the listener rests when the system has nothing for a further connection.
const REST: Duration = Duration::from_millis(50);

/// Serves `routes` until `shutdown`, then lets connections finish what they are at. It ends in the same way,
/// before its time, if the listener takes no connection ever again.
///
/// Handlers find the client in [`ConnectInfo`]`<SocketAddr>`, and its connection in [`ClientConnection`].
/// Others learn by `entrance` whether clients can get in.
pub async fn serve(
    listener: TcpListener,
    routes: impl Into<Routes>,
    limits: ServerLimits,
    entrance: Entrance,
    shutdown: CancellationToken,
) {
    let routes = routes.into();
    let graceful = GracefulShutdown::new();
    let room = Room { of_an_address: limits.connections_of_an_address, head_bytes: limits.head_bytes };
    let connections = Connections::new(room, entrance.clone());
    let mut door = Door::new(listener, limits.connections, connections.clone(), entrance.clone());
    let tasks = TaskTracker::new();
    let mut statements = tokio::time::interval(STATE_EVERY);
    statements.set_missed_tick_behavior(MissedTickBehavior::Delay);
    loop {
        let accepted = tokio::select! {
            () = shutdown.cancelled() => break,
            _ = statements.tick() => {
                door.state();
                continue;
            }
            accepted = door.accept() => accepted,
        };
        let Accepted { stream, peer, permit, standstills } = match accepted {
            Ok(accepted) => accepted,
            // The client left before it was accepted.
            Err(error) if error.kind() == io::ErrorKind::ConnectionAborted => continue,
            Err(error) if is_gone(&error) => {
                tracing::error!(error = %Chain(&error), "the listener is gone: no client can get in any more");
                break;
            }
            Err(error) => {
                // Out of files, mostly: others must finish first.
                door.failed(&error);
                tokio::time::sleep(REST).await;
                continue;
            }
        };
        let address = Some(peer.ip().to_canonical()).filter(|peer| !limits.proxies.trusts(*peer));
        door.could_take_one();
        let Some(admitted) = connections.admit(address) else { continue };
        let _ = stream.set_nodelay(true);
        let wire = Arc::new(Wire::new(stream, standstills, entrance.clone()));
        admitted.over(Arc::clone(&wire));
        let connection = Connection { wire, peer, routes: routes.clone(), watcher: graceful.watcher() };
        let serving = connection.serve(admitted, limits.head_timeout);
        tasks.spawn(async move {
            serving.await;
            drop(permit);
        });
    }
    entrance.opened(None);
    drop(door);
    tasks.close();
    let drained = tokio::time::timeout(limits.drain, graceful.shutdown()).await;
    if drained.is_err() {
        tracing::warn!(connections = tasks.len(), "closing connections that did not finish in time");
    }
}

/// Whether an error of `accept` says that the socket listens no more (accept(2)).
fn is_gone(error: &io::Error) -> bool {
    let gone = [Errno::INVAL, Errno::BADF, Errno::NOTSOCK, Errno::OPNOTSUPP];
    Errno::from_io_error(error).is_some_and(|error| gone.contains(&error))
}

struct Connection {
    wire: Arc<Wire>,
    peer: SocketAddr,
    routes: Routes,
    watcher: Watcher,
}

impl Connection {
    /// Answers requests until the client or the shutdown ends that, or others need the room.
    async fn serve(self, admitted: Admitted, head_timeout: Duration) {
        let Self { wire, peer, routes, watcher } = self;
        let stream = SharedStream::new(Arc::clone(&wire), admitted.report());
        let report = admitted.report();
        let service = hyper::service::service_fn(move |request: Request<Incoming>| {
            report.is_at(if request.is_end_stream() { Phase::Answer } else { Phase::Body });
            let mut request =
                request.map(|body| Body::new(Watched::new(body, report.clone(), Phase::Answer)));
            request.extensions_mut().insert(ConnectInfo(peer));
            request.extensions_mut().insert(ClientConnection::of_request(&wire));
            let (answer, report) = (routes.current().oneshot(request), report.clone());
            async move {
                let answer: Result<Response<Body>, _> = answer.await;
                report.is_at(Phase::Taking);
                answer.map(|answer| answer.map(|body| Watched::new(body, report, Phase::Head)))
            }
        });
        let connection = http1::Builder::new()
            .timer(TokioTimer::new())
            .header_read_timeout(head_timeout)
            .max_buf_size(BUFFER_BYTES)
            // A client may shut down its side right after the request and still wait for the answer.
            .half_close(true)
            .serve_connection(TokioIo::new(WriteLimit::new(stream)), service);
        tokio::select! {
            () = admitted.closing() => {}
            // A client that hangs up or talks nonsense is its own business.
            _ = watcher.watch(connection) => {}
        }
    }
}

#[cfg(test)]
mod tests {
    use axum::Router;
    use axum::routing::get;
    use model::time::EventTime;
    use ports::clock::ManualClock;
    use tokio::io::{AsyncReadExt, AsyncWriteExt};
    use tokio::net::TcpStream;
    use tokio::task::JoinSet;

    use super::*;

    /// The bytes of all answers to one request, sent `times` over a connection to a server whose handler
    /// answers at once.
    async fn answers(limits: ServerLimits, request: &str, times: usize) -> Vec<String> {
        let listener = TcpListener::bind("127.0.0.1:0").await.expect("a free port");
        let address = listener.local_addr().expect("its address");
        let entrance = Entrance::undoubted(Arc::new(ManualClock::new(EventTime::EPOCH)));
        let router = Router::new().route("/", get(|| async { "yes" }));
        let mut serving = JoinSet::new();
        serving.spawn(serve(listener, router, limits, entrance, CancellationToken::new()));
        let mut client = TcpStream::connect(address).await.expect("a connection");
        let mut answers = Vec::new();
        for _ in 0..times {
            // A connection that was closed shows in the answer that is missing.
            let _ = client.write_all(request.as_bytes()).await;
            let mut answer = Vec::new();
            while !answer.ends_with(b"yes") {
                let mut piece = [0; 1_024];
                match client.read(&mut piece).await {
                    Ok(0) | Err(_) => break,
                    Ok(bytes) => answer.extend_from_slice(&piece[..bytes]),
                }
            }
            answers.push(String::from_utf8(answer).expect("an answer is text"));
        }
        answers
    }

    #[tokio::test]
    async fn a_connection_may_bring_any_number_of_small_requests() {
        let limits = ServerLimits { head_bytes: 16 * 1_024, ..ServerLimits::default() };
        let request = format!("GET / HTTP/1.1\r\nhost: x\r\nx-filler: {}\r\n\r\n", "x".repeat(1_000));
        let answers = answers(limits, &request, 100).await;
        let refused = answers.iter().position(|answer| !answer.starts_with("HTTP/1.1 200 "));
        assert_eq!(refused, None, "heads are counted one by one");
    }
}
