//! The servers of a cluster, and its roles as child processes.

use std::fs::File;
use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::sync::Arc;
use std::time::{Duration, Instant};

use anyhow::Context;
use backend_nats::{NatsBackend, NatsOptions};
use backend_redis::{RedisBackend, RedisOptions};
use ports::clock::{Clock, SystemClock};
use servers::{RedisServer, free_port};

use crate::installation::{Installation, KEY};
use crate::server::Server;

/// The number of partitions unless a section sets another one.
pub(crate) const PARTITIONS: u16 = 4;

/// Room for the log of a partition: a server on a small disk has no more to give.
const LOG_BYTES: i64 = 2 << 30;

/// The addresses of NATS and Redis.
#[derive(Debug, Clone)]
pub(crate) struct Site {
    nats: String,
    redis: String,
    replicas: u8,
    partitions: u16,
}

impl Site {
    /// On one NATS server and Redis.
    pub(crate) fn new(nats: String, redis: &RedisServer) -> Self {
        Self { redis: redis.url(), ..Self::without_redis(nats, 1) }
    }

    /// For ingest alone.
    pub(crate) const fn without_redis(nats: String, replicas: u8) -> Self {
        Self { nats, redis: String::new(), replicas, partitions: PARTITIONS }
    }

    /// With another number of partitions than usual.
    pub(crate) fn with_partitions(self, partitions: u16) -> Self {
        Self { partitions, ..self }
    }

    /// The adapters on NATS; what is missing there is made, and Redis is marked.
    pub(crate) async fn nats(&self) -> anyhow::Result<NatsBackend> {
        let options = NatsOptions {
            replicas: self.replicas.into(),
            partitions: Some(self.partitions),
            log_bytes: Some(LOG_BYTES),
            ..NatsOptions::new(&self.nats, format!("bench-{:08x}", rand::random::<u32>()))
        };
        let clock: Arc<dyn Clock> = Arc::new(SystemClock::new());
        backend_nats::init(options.clone()).await.context("set NATS up")?;
        let nats = NatsBackend::connect(options, clock).await.context("connect to NATS")?;
        let marked = self.redis().await?.mark().set(nats.installation()).await;
        marked.map_err(anyhow::Error::from_boxed).context("mark Redis")?;
        Ok(nats)
    }

    /// The adapters on Redis.
    pub(crate) async fn redis(&self) -> anyhow::Result<RedisBackend> {
        let clock: Arc<dyn Clock> = Arc::new(SystemClock::new());
        RedisBackend::connect(RedisOptions::new(&self.redis), clock).await.context("connect to Redis")
    }

    /// Starts a role. It is not waited for.
    pub(crate) fn start(&self, role: &str, arguments: &[&str]) -> anyhow::Result<Starting> {
        let address = SocketAddr::from(([127, 0, 0, 1], free_port()));
        let log = log_of(address);
        let mut command = Command::new(env!("CARGO_BIN_EXE_lubdub"));
        command.args([role, "--listen", &address.to_string(), "--nats", &self.nats]);
        if role != "ingest" {
            command.args(["--redis", &self.redis]);
        }
        if role == "console" {
            command.env("LUBDUB_API_KEY", KEY);
        }
        command.args(arguments).stdin(Stdio::null()).stdout(Stdio::null()).stderr(File::create(&log)?);
        let began = Instant::now();
        let child = command.spawn().with_context(|| format!("start {role}"))?;
        Ok(Starting { server: Server::new(child, address), log, began })
    }

    /// Starts a role and waits until it is ready.
    pub(crate) async fn role(&self, role: &str, arguments: &[&str]) -> anyhow::Result<Installation> {
        self.start(role, arguments)?.ready().await.with_context(|| format!("start {role}"))
    }
}

/// A role that was started.
pub(crate) struct Starting {
    server: Server,
    log: PathBuf,
    /// When.
    pub(crate) began: Instant,
}

impl Starting {
    /// Waits until it is ready.
    pub(crate) async fn ready(self) -> anyhow::Result<Installation> {
        Installation::when_ready(self.server, self.log, self.began).await
    }
}

/// The log file of the role with this address.
pub(crate) fn log_of(address: SocketAddr) -> PathBuf {
    Path::new(env!("CARGO_TARGET_TMPDIR")).join(format!("bench-{}.log", address.port()))
}

/// The usage that Redis reports.
#[derive(Debug, Clone, Copy)]
pub(crate) struct RedisUse {
    /// The processor time of the main thread, which runs the commands.
    pub(crate) processor: Duration,
    pub(crate) memory: u64,
}

impl RedisUse {
    pub(crate) fn of(redis: &RedisServer) -> anyhow::Result<Self> {
        let text = redis.cli(&["INFO", "everything"]);
        let number = |name: &str| -> anyhow::Result<f64> {
            let line = text.lines().find_map(|line| line.strip_prefix(name)?.strip_prefix(':'));
            line.and_then(|value| value.trim().parse().ok()).with_context(|| format!("{name} in INFO"))
        };
        let processor = number("used_cpu_user_main_thread")? + number("used_cpu_sys_main_thread")?;
        Ok(Self { processor: Duration::from_secs_f64(processor), memory: number("used_memory")? as u64 })
    }
}
