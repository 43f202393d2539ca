//! Roles that run alone, each in a process of its own: this program again, with a hidden argument.

use std::fs::File;
use std::path::Path;
use std::sync::Arc;
use std::time::Instant;

use anyhow::Context;
use backend_sqlite::{SqliteBackend, SqliteOptions};
use model::time::TimeRules;
use ports::clock::{Clock, SystemClock};
use ports::queue::QueueName;
use ports::registry::Registry;
use prometheus_client::registry::Registry as MetricsRegistry;
use serving::{Entrance, ServerLimits, ops_router, serve};
use tokio::net::TcpListener;
use tokio_util::sync::CancellationToken;

use crate::installation::{Installation, KEY};
use crate::server::{Server, this_program};

/// Ingest on the SQLite log and nothing else.
pub(crate) fn start_ingest(dir: &Path) -> anyhow::Result<Server> {
    Server::start(this_program()?.args(["--child", "ingest"]).arg(dir)).context("start ingest alone")
}

/// The console alone, on a data directory that no scheduler reads.
pub(crate) async fn start_console(dir: &Path) -> anyhow::Result<Installation> {
    let log = dir.with_extension("log");
    let began = Instant::now();
    let mut command = this_program()?;
    command.args(["--child", "console"]).arg(dir).stderr(File::create(&log)?);
    let server = Server::start(&mut command).context("start the console alone")?;
    Installation::when_ready(server, log, began).await
}

/// Serves ingest on a data directory until the process is killed.
pub(crate) async fn ingest_alone(listener: TcpListener, dir: &Path) -> anyhow::Result<()> {
    let address = listener.local_addr()?;
    let clock: Arc<dyn Clock> = Arc::new(SystemClock::new());
    let backend = SqliteBackend::open(SqliteOptions::new(dir), Arc::clone(&clock))?;
    let mut metrics = MetricsRegistry::default();
    let entrance = Entrance::new(Arc::clone(&clock), TimeRules::EMBEDDED.silence);
    let service = ingest::Service::new(
        ingest::Config { push_limit: 0, ..ingest::Config::default() },
        ingest::Deps {
            log: backend.log(),
            registry: backend.registry(),
            clock,
            rules: TimeRules::EMBEDDED,
            entrance: entrance.clone(),
        },
        &mut metrics,
    )?;
    let router = service.router().merge(ops_router(vec![service.readiness()], Arc::new(metrics)));
    let never = CancellationToken::new();
    println!("http://{address}");
    let (served, ran) = tokio::join!(
        serve(listener, router, ServerLimits::default(), entrance, never.clone()),
        service.run(never)
    );
    let () = served;
    ran.context("run ingest")
}

/// Serves the console on a data directory until the process is killed.
pub(crate) async fn console_alone(listener: TcpListener, dir: &Path) -> anyhow::Result<()> {
    let address = listener.local_addr()?;
    let clock: Arc<dyn Clock> = Arc::new(SystemClock::new());
    let backend = SqliteBackend::open(SqliteOptions::new(dir), Arc::clone(&clock))?;
    let registry: Arc<dyn Registry> = backend.registry();
    management::ensure_admin_key(&registry, clock.as_ref(), Some(KEY)).await?;
    let mut metrics = MetricsRegistry::default();
    let entrance = Entrance::undoubted(Arc::clone(&clock));
    let deps = console_api::Deps {
        log: backend.log(),
        registry,
        states: backend.state(),
        history: backend.history(),
        deliveries: backend.deliveries(),
        checkpoints: backend.checkpoints(),
        rules: TimeRules::EMBEDDED,
        alert_queue: backend.queue(QueueName::Alerts),
        delivery_queue: backend.queue(QueueName::Deliveries),
        clock,
    };
    let service = console_api::Service::new(console_api::Config::default(), deps, &mut metrics)?;
    let router = service.router().merge(ops_router(vec![service.readiness()], Arc::new(metrics)));
    let never = CancellationToken::new();
    println!("http://{address}");
    let (served, ran) = tokio::join!(
        serve(listener, router, ServerLimits::default(), entrance, never.clone()),
        service.run(never)
    );
    let () = served;
    ran.context("run the console")
}
