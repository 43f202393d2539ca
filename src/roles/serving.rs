//! One role behind one listener, from start to drain. The listener answers from the first moment on: until
//! the role has what it stands on, `/readyz` says what it waits for, and everything else is answered 503.

use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use anyhow::Context;
use axum::Router;
use axum::http::StatusCode;
use axum::http::header::{CONTENT_TYPE, RETRY_AFTER};
use clap::Args;
use model::chain::Chain;
use model::role::Role;
use model::time::TimeRules;
use ports::clock::Clock;
use prometheus_client::registry::Registry as MetricsRegistry;
use serde_json::json;
use serving::{
    Entrance, ListenAddress, Readiness, Routes, ServerLimits, TrustedProxies, serve, tell_reasons,
};
use tokio::net::TcpListener;
use tokio::task::{JoinError, JoinSet};
use tokio_util::sync::CancellationToken;

use cli::Seconds;

use crate::installation::InstallationError;
use crate::limits;
use crate::metrics_listener::{MetricsListen, Ops};
use crate::signals::StopSignals;

/// After a signal, connections have this long to finish what they are at.
const DRAIN_CONNECTIONS: Duration = Duration::from_secs(3);
/// After a signal, the process is gone within this.
const DRAIN: Duration = Duration::from_millis(9_500);

/// How a role stops.
#[derive(Debug, Clone, Args)]
#[group(skip)]
pub(super) struct Stopping {
    /// After SIGTERM say on /readyz that the role is draining, and work on for so long before the port is
    /// closed, 0s to 60s: by then balancers send their requests elsewhere
    #[arg(long, env = "LUBDUB_DRAIN_DELAY", value_name = "DURATION", default_value = "2s")]
    drain_delay: Seconds,
}

impl Stopping {
    pub(super) fn validate(&self) -> anyhow::Result<()> {
        anyhow::ensure!(
            self.drain_delay.0 <= MOST_DRAIN_DELAY.0,
            "--drain-delay must be 0s to {MOST_DRAIN_DELAY}"
        );
        Ok(())
    }
}

/// The longest [`Stopping::drain_delay`].
const MOST_DRAIN_DELAY: Seconds = Seconds(60);

/// The things that a role begins with: its signals and its listener.
pub(super) struct Serving {
    signals: StopSignals,
    address: SocketAddr,
    entrance: Entrance,
    routes: Routes,
    ops: Ops,
    starting: Readiness,
    drain_delay: Duration,
    /// The listeners, until `closing` is cancelled.
    front: JoinSet<()>,
    closing: CancellationToken,
}

/// The order in which a role drains.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Drain {
    /// First the listener, so that what it has accepted is still dealt with; then the role.
    ListenerFirst,
    /// The listener only tells how the role is; or its requests wait for things that the role lets go.
    RoleFirst,
}

impl Serving {
    /// Listens for a role. `proxies` are those behind whose addresses there are many clients.
    ///
    /// # Errors
    /// If the role cannot listen on the address.
    pub(super) async fn begin(
        role: Role,
        (listen, metrics, stopping): (&ListenAddress, &MetricsListen, &Stopping),
        proxies: TrustedProxies,
        clock: Arc<dyn Clock>,
    ) -> anyhow::Result<Self> {
        let listener = listen.bind().await.with_context(|| {
            format!(
                "failed to listen on {listen}; is another server running there? choose another with --listen"
            )
        })?;
        Self::over(listener, role, (metrics, stopping), proxies, clock).await
    }

    async fn over(
        listener: TcpListener,
        role: Role,
        (metrics, stopping): (&MetricsListen, &Stopping),
        proxies: TrustedProxies,
        clock: Arc<dyn Clock>,
    ) -> anyhow::Result<Self> {
        let signals = StopSignals::listen()?;
        limits::leave_no_core();
        let files = limits::raise_open_files();
        let address = listener.local_addr().context("ask for the address that is listened on")?;
        let metrics = metrics.bind(Arc::clone(&clock)).await?;
        let entrance = Entrance::new(clock, TimeRules::CLUSTER.silence);
        let (mut front, closing) = (JoinSet::new(), CancellationToken::new());
        let ops = metrics.start(&mut front, closing.clone());
        let starting = Readiness::new(role.name());
        let routes = Routes::from(waiting(role, &ops, starting.clone()));
        let limits =
            ServerLimits { drain: DRAIN_CONNECTIONS, proxies, ..ServerLimits::within_open_files(files) };
        front.spawn(serve(listener, routes.clone(), limits, entrance.clone(), closing.clone()));
        let drain_delay = Duration::from_secs(stopping.drain_delay.0);
        Ok(Self { signals, address, entrance, routes, ops, starting, drain_delay, front, closing })
    }

    pub(super) const fn address(&self) -> SocketAddr {
        self.address
    }

    /// What the listener states of itself.
    pub(super) fn entrance(&self) -> Entrance {
        self.entrance.clone()
    }

    /// Why the role cannot begin with its work yet.
    pub(super) fn starting(&self) -> Readiness {
        self.starting.clone()
    }

    /// Makes what the role stands on, unless a signal comes first: then there is nothing to drain.
    pub(super) async fn prepare<T>(
        &mut self,
        prepare: impl Future<Output = anyhow::Result<T>>,
    ) -> anyhow::Result<Option<T>> {
        tokio::select! {
            prepared = prepare => prepared.map(Some),
            () = self.signals.received() => Ok(None),
            Some(ended) = self.front.join_next() => Err(listener_ended(ended)),
        }
    }

    /// Runs a role until a signal, or until `lost` says that it does not stand any more on what it began on;
    /// then drains it.
    ///
    /// # Errors
    /// The error that ended the role.
    pub(super) async fn run<F>(
        mut self,
        router: Router,
        readiness: Readiness,
        metrics: MetricsRegistry,
        drain: Drain,
        lost: impl Future<Output = InstallationError>,
        role: impl FnOnce(CancellationToken) -> F,
    ) -> anyhow::Result<()>
    where
        F: Future<Output = anyhow::Result<()>> + Send + 'static,
    {
        let (mut front, working) = (self.front, CancellationToken::new());
        // What was answered 503 until now is not to be vouched for.
        self.entrance.begin();
        self.routes.exchange(router.merge(self.ops.routes(vec![readiness.clone()], metrics)));
        let mut back = JoinSet::new();
        back.spawn(role(working.clone()));
        let failed = tokio::select! {
            never = tell_reasons(vec![readiness.clone()]) => match never {},
            () = self.signals.received() => {
                readiness.drain();
                // A second signal means at once.
                let _ = tokio::time::timeout(self.drain_delay, self.signals.received()).await;
                None
            }
            error = lost => Some(error.into()),
            Some(ended) = front.join_next() => Some(listener_ended(ended)),
            Some(ended) = back.join_next() => Some(match ended {
                Ok(Ok(())) => anyhow::anyhow!("the role ended by itself"),
                Ok(Err(error)) => error,
                Err(panicked) => panicked.into(),
            }),
        };
        if let Some(error) = &failed {
            tracing::error!(error = %Chain(error.as_ref()), "a task ended; stopping");
        }
        let drained = async {
            if drain == Drain::RoleFirst {
                working.cancel();
                while back.join_next().await.is_some() {}
            }
            self.closing.cancel();
            while front.join_next().await.is_some() {}
            working.cancel();
            while back.join_next().await.is_some() {}
        };
        if tokio::time::timeout(DRAIN, drained).await.is_err() {
            tracing::warn!("leaving before everything was drained; nothing that was acknowledged is lost");
        }
        failed.map_or(Ok(()), Err)
    }
}

fn listener_ended(ended: Result<(), JoinError>) -> anyhow::Error {
    match ended {
        Ok(()) => anyhow::anyhow!("the listener ended by itself"),
        Err(panicked) => panicked.into(),
    }
}

/// The routes until the role works. What it refuses meanwhile looks like its refusals later on, so that
/// clients understand it.
fn waiting(role: Role, ops: &Ops, starting: Readiness) -> Router {
    let why = format!("{} is starting, and /readyz says what it waits for", role.name());
    let (kind, body) = match role {
        Role::Ingest => ("application/json", json!({ "ok": false, "error": why, "msg": why })),
        Role::Console => {
            let status = StatusCode::SERVICE_UNAVAILABLE;
            let title = status.canonical_reason().unwrap_or_default();
            ("application/problem+json", json!({ "status": status.as_u16(), "title": title, "detail": why }))
        }
        Role::Init | Role::Scheduler | Role::Notifier => ("application/json", json!({ "error": why })),
    };
    let answer =
        (StatusCode::SERVICE_UNAVAILABLE, [(RETRY_AFTER, "1"), (CONTENT_TYPE, kind)], body.to_string());
    let routes = ops.routes(vec![starting], MetricsRegistry::default());
    routes.fallback(move || std::future::ready(answer))
}

#[cfg(test)]
mod tests {
    use std::net::{Shutdown, TcpStream};
    use std::os::fd::AsFd as _;

    use clap::Parser;
    use ports::clock::SystemClock;

    use super::*;

    #[derive(Parser)]
    struct Flags {
        #[command(flatten)]
        metrics: MetricsListen,
        #[command(flatten)]
        stopping: Stopping,
    }

    #[tokio::test]
    async fn a_role_whose_listener_ends_is_drained_and_ends_with_the_reason() {
        for drain in [Drain::ListenerFirst, Drain::RoleFirst] {
            let flags = Flags::try_parse_from(["lubdub"]).expect("no flags are needed");
            let clock = Arc::new(SystemClock::new());
            let free = SocketAddr::from(([127, 0, 0, 1], 0));
            let listener = TcpListener::bind(free).await.expect("a free port");
            // Another handle of the socket: what ends it is nothing that the listener does itself.
            let socket = TcpStream::from(listener.as_fd().try_clone_to_owned().expect("a handle"));
            let proxies = TrustedProxies::default();
            let serving =
                Serving::over(listener, Role::Ingest, (&flags.metrics, &flags.stopping), proxies, clock)
                    .await;
            let serving = serving.expect("it listens");
            let (entrance, address) = (serving.entrance(), serving.address());
            let (drained, mut told) = tokio::sync::mpsc::channel(1);
            let role = |stop: CancellationToken| async move {
                stop.cancelled().await;
                drained.send(()).await.context("tell the test")
            };
            let metrics = MetricsRegistry::default();
            let ended = async {
                while entrance.trouble().is_some() {
                    tokio::time::sleep(Duration::from_millis(10)).await;
                }
                assert!(TcpStream::connect(address).is_ok(), "it takes connections");
                socket.shutdown(Shutdown::Both).expect("it listens");
            };
            let running = serving.run(
                Router::new(),
                Readiness::new("test"),
                metrics,
                drain,
                std::future::pending(),
                role,
            );
            let (outcome, ()) = tokio::join!(running, ended);
            let error = outcome.expect_err("nobody asked it to end").to_string();
            assert_eq!(error, "the listener ended by itself");
            assert_eq!(told.recv().await, Some(()), "the role was drained");
            assert_eq!(entrance.address(), None);
        }
    }
}
