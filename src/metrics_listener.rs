//! A listener for metrics alone, so that the public one need not show them.

use std::sync::Arc;

use anyhow::Context;
use axum::Router;
use clap::Args;
use model::time::TimeRules;
use ports::clock::Clock;
use prometheus_client::registry::Registry as MetricsRegistry;
use serving::{
    Entrance, ListenAddress, Readiness, Routes, ServerLimits, metrics_router, ops_router, probes_router,
    register_node, serve,
};
use tokio::net::TcpListener;
use tokio::task::JoinSet;
use tokio_util::sync::CancellationToken;

/// Connections of a monitoring system at once.
const CONNECTIONS: usize = 64;

/// Where metrics are served.
#[derive(Debug, Clone, Args)]
pub(crate) struct MetricsListen {
    /// Serve /metrics here alone, given like --listen, which then answers 404 for it [default: on --listen]
    #[arg(long, env = "LUBDUB_METRICS_LISTEN", value_name = "[ADDRESS:]PORT")]
    metrics_listen: Option<ListenAddress>,
}

/// The listener for metrics, if they have one of their own.
pub(crate) struct MetricsListener(Option<(TcpListener, Entrance)>);

impl MetricsListen {
    /// # Errors
    /// If the address cannot be listened on.
    pub(crate) async fn bind(&self, clock: Arc<dyn Clock>) -> anyhow::Result<MetricsListener> {
        let Some(address) = &self.metrics_listen else { return Ok(MetricsListener(None)) };
        let listener = address.bind().await.with_context(|| {
            format!("failed to listen on {address} for metrics; choose another with --metrics-listen")
        })?;
        let address = listener.local_addr().context("ask for the address that is listened on")?;
        tracing::info!(%address, "metrics are served apart");
        // Nothing depends on what this listener states.
        let entrance = Entrance::new(clock, TimeRules::CLUSTER.silence);
        Ok(MetricsListener(Some((listener, entrance))))
    }
}

/// Where the routes for operators are: those of metrics may have a listener of their own.
pub(crate) struct Ops(Option<Routes>);

impl MetricsListener {
    /// Lets metrics that have a listener of their own be served by a task among `tasks` until `shutdown`.
    pub(crate) fn start(self, tasks: &mut JoinSet<()>, shutdown: CancellationToken) -> Ops {
        Ops(self.0.map(|(listener, entrance)| {
            let limits = ServerLimits { connections: CONNECTIONS, ..ServerLimits::default() };
            let routes = Routes::from(Router::new());
            tasks.spawn(serve(listener, routes.clone(), limits, entrance, shutdown));
            routes
        }))
    }
}

impl Ops {
    /// The routes for operators on the main listener.
    pub(crate) fn routes(&self, roles: Vec<Readiness>, mut metrics: MetricsRegistry) -> Router {
        register_node(&mut metrics, env!("CARGO_PKG_VERSION"), roles.clone());
        let metrics = Arc::new(metrics);
        match &self.0 {
            None => ops_router(roles, metrics),
            Some(own) => {
                own.exchange(metrics_router(metrics));
                probes_router(roles)
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use std::net::SocketAddr;
    use std::time::Duration;

    use ports::clock::SystemClock;
    use tokio::io::{AsyncReadExt, AsyncWriteExt};
    use tokio::net::TcpStream;

    use super::*;

    async fn status(address: SocketAddr, path: &str) -> String {
        let mut stream = TcpStream::connect(address).await.expect("a connection");
        let request = format!("GET {path} HTTP/1.1\r\nhost: x\r\nconnection: close\r\n\r\n");
        stream.write_all(request.as_bytes()).await.expect("sent");
        let mut answer = String::new();
        stream.read_to_string(&mut answer).await.expect("an answer");
        answer.split(' ').nth(1).expect("a status").to_owned()
    }

    #[tokio::test]
    async fn metrics_with_a_listener_of_their_own_are_not_on_the_public_one() {
        let clock: Arc<dyn Clock> = Arc::new(SystemClock::new());
        let free = SocketAddr::from(([127, 0, 0, 1], 0));
        for (metrics_listen, on_public, on_own) in
            [(None, "200", None), (Some(ListenAddress::At(free)), "404", Some("200"))]
        {
            let metrics =
                MetricsListen { metrics_listen }.bind(Arc::clone(&clock)).await.expect("a listener");
            let own = metrics.0.as_ref().map(|(own, _)| own.local_addr().expect("an address"));
            let (mut tasks, shutdown) = (JoinSet::new(), CancellationToken::new());
            let ops = metrics.start(&mut tasks, shutdown.clone());
            let router = ops.routes(vec![Readiness::new("test")], MetricsRegistry::default());
            let entrance = Entrance::new(Arc::clone(&clock), TimeRules::CLUSTER.silence);
            let public = TcpListener::bind(free).await.expect("a listener");
            let address = public.local_addr().expect("an address");
            tasks.spawn(serve(public, router, ServerLimits::default(), entrance, shutdown.clone()));
            assert_eq!(status(address, "/metrics").await, on_public);
            assert_eq!(status(address, "/healthz").await, "200");
            if let (Some(own), Some(expected)) = (own, on_own) {
                assert_eq!(status(own, "/metrics").await, expected);
                assert_eq!(status(own, "/healthz").await, "404");
            }
            shutdown.cancel();
            let ended = async { while tasks.join_next().await.is_some() {} };
            tokio::time::timeout(Duration::from_secs(30), ended).await.expect("they end");
        }
    }
}
