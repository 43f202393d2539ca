//! A handler to compare with, in a process of its own: this program again, with a hidden argument.

use std::hash::{DefaultHasher, Hash, Hasher};
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use anyhow::Context;
use axum::Router;
use axum::extract::{Path, State};
use axum::http::StatusCode;
use axum::routing::any;
use backend_nats::{NatsBackend, NatsHeartbeatLog, NatsOptions};
use model::ids::{MonitorId, PartitionId};
use model::wire::frame::Listening;
use ports::clock::{Clock, SystemClock};
use ports::heartbeat_log::HeartbeatLog;
use serving::{Entrance, ServerLimits, serve};
use tokio::net::TcpListener;
use tokio_util::sync::CancellationToken;
use uuid::Uuid;

use crate::frames::{frame, heartbeat};
use crate::server::{Server, this_program};

/// A handler that publishes each push by itself and waits for the acknowledgement.
pub(crate) fn start_naive(nats: &str) -> anyhow::Result<Server> {
    Server::start(this_program()?.args(["--child", "naive", nats])).context("start the naive handler")
}

/// The naive handler does not even look the token up.
struct Naive {
    log: Arc<NatsHeartbeatLog>,
    clock: Arc<dyn Clock>,
    frames: AtomicU64,
}

/// Serves the naive handler until the process is killed.
pub(crate) async fn naive(listener: TcpListener, nats: &str) -> anyhow::Result<()> {
    let address = listener.local_addr()?;
    let clock: Arc<dyn Clock> = Arc::new(SystemClock::new());
    let backend = NatsBackend::connect(NatsOptions::new(nats, "naive"), Arc::clone(&clock)).await?;
    let entrance = Entrance::undoubted(Arc::clone(&clock));
    let naive = Naive { log: backend.log(), clock, frames: AtomicU64::new(0) };
    let router = Router::new().route("/api/push/{token}", any(publish)).with_state(Arc::new(naive));
    println!("http://{address}");
    serve(listener, router, ServerLimits::default(), entrance, CancellationToken::new()).await;
    Ok(())
}

async fn publish(
    State(naive): State<Arc<Naive>>,
    Path(token): Path<String>,
) -> Result<&'static str, StatusCode> {
    let mut hasher = DefaultHasher::new();
    token.hash(&mut hasher);
    let monitor = MonitorId::from_uuid(Uuid::from_u128(hasher.finish().into()));
    let PartitionId(partition) = monitor.partition(naive.log.partitions());
    let (now, number) = (naive.clock.now(), naive.frames.fetch_add(1, Ordering::Relaxed));
    let frame = frame(number as usize, now, Listening::No, vec![heartbeat(monitor, now)]);
    match naive.log.append(PartitionId(partition), Arc::new(frame)).await {
        Ok(_) => Ok("{\"ok\":true}"),
        Err(_) => Err(StatusCode::SERVICE_UNAVAILABLE),
    }
}
