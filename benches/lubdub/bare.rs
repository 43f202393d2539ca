//! A handler that does nothing, served as ours are: what can be had at most.

use std::sync::Arc;

use axum::Router;
use axum::extract::Path;
use axum::routing::any;
use ports::clock::SystemClock;
use serving::{Entrance, ServerLimits, serve};
use tokio::net::TcpListener;
use tokio_util::sync::CancellationToken;

/// Serves until it is killed.
pub(crate) async fn run(listener: TcpListener) {
    let router =
        Router::new().route("/api/push/{token}", any(|Path(_): Path<String>| async { "{\"ok\":true}" }));
    let entrance = Entrance::undoubted(Arc::new(SystemClock::new()));
    serve(listener, router, ServerLimits::default(), entrance, CancellationToken::new()).await;
}
