//! The servers of a cluster, NATS and Redis, and how they are set up.

use std::fmt;
use std::path::PathBuf;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use anyhow::Context;
use backend_nats::{NatsBackend, NatsError, NatsOptions, Provisioned, Remains};
use backend_redis::{RedisBackend, RedisError, RedisOptions};
use clap::Args;
use model::byte_size::ByteSize;
use model::chain::Chain;
use model::prefix::check_prefix;
use model::role::Role;
use ports::clock::Clock;
use ports::repeats::Said;
use serving::Readiness;
use tokio::time::Instant;

use cli::Seconds;

use crate::installation::{Installation, InstallationError};

/// How long `init` waits for a server that is not there yet: they are all started at once.
const WAIT_FOR_SERVERS: Duration = Duration::from_secs(60);
const TRY_AGAIN: Duration = Duration::from_secs(1);

/// The shortest retention of the log: a scheduler that was down that long must find what is not applied yet.
const SHORTEST_RETENTION: Seconds = Seconds(3_600);
const LONGEST_RETENTION: Seconds = Seconds(3_650 * 24 * 3_600);

const LEAST_LOG: ByteSize = ByteSize(64 << 20);
const MOST_LOG: ByteSize = ByteSize(10_000_000_000_000);

/// NATS, and what is kept on it.
#[derive(Debug, Clone, Args)]
#[group(skip)]
pub(crate) struct Nats {
    /// The NATS servers, comma-separated; JetStream must be enabled, with sync_interval: always
    #[arg(
        long,
        env = "LUBDUB_NATS",
        value_name = "URLS",
        default_value = "nats://127.0.0.1:4222",
        hide_env_values = true
    )]
    nats: String,

    /// Authenticate to NATS by this credentials file
    #[arg(long, env = "LUBDUB_NATS_CREDENTIALS", value_name = "FILE", conflicts_with = "nats_nkey")]
    nats_credentials: Option<PathBuf>,

    /// Authenticate to NATS by the nkey whose seed is in this file
    #[arg(long, env = "LUBDUB_NATS_NKEY", value_name = "FILE")]
    nats_nkey: Option<PathBuf>,

    /// Trust the certificates in this file (PEM), and no others, where NATS speaks TLS (tls://…) [default:
    /// those that the system trusts]
    #[arg(long, env = "LUBDUB_NATS_CA", value_name = "FILE")]
    nats_ca: Option<PathBuf>,

    /// What all names on NATS and Redis begin with, 1 to 32 of A–Z a–z 0–9 _ -: several installations can
    /// share the servers
    #[arg(long, env = "LUBDUB_PREFIX", value_name = "NAME", default_value = "lubdub")]
    prefix: String,

    /// Number of copies of everything on NATS, 1 to 5 (3 needs three servers)
    #[arg(long, env = "LUBDUB_REPLICAS", value_name = "COPIES", default_value_t = 1,
          value_parser = clap::value_parser!(u8).range(1..=5))]
    replicas: u8,

    /// Number of partitions, 1 to 64; it is fixed when the installation is made [default: as it is; 4 in a
    /// new one]
    #[arg(long, env = "LUBDUB_PARTITIONS", value_name = "NUMBER",
          value_parser = clap::value_parser!(u16).range(1..=64))]
    partitions: Option<u16>,

    /// How long the heartbeat log is kept, 1h to 3650d
    #[arg(long, env = "LUBDUB_RETENTION", value_name = "DURATION", default_value = "90d")]
    retention: Seconds,

    /// Most bytes of each partition's heartbeat log, 64MiB to 10TB; beyond it the oldest entries go first
    /// [default: as it is; in a new installation as much as there is room for, up to 16 GiB]
    #[arg(long, env = "LUBDUB_LOG_SIZE", value_name = "SIZE")]
    log_size: Option<ByteSize>,
}

/// Redis, and what is kept on it.
#[derive(Debug, Clone, Args)]
#[group(skip)]
pub(crate) struct Redis {
    /// Redis 7 or Valkey; comma-separated addresses mean a Redis Cluster, redis+sentinel://HOST,HOST/NAME the
    /// primary that Sentinels watch under that name; rediss:// and rediss+sentinel:// are with TLS
    #[arg(
        long,
        env = "LUBDUB_REDIS",
        value_name = "URLS",
        default_value = "redis://127.0.0.1:6379",
        hide_env_values = true
    )]
    redis: String,

    /// Trust the certificates in this file (PEM), and no others, where Redis speaks TLS (rediss://…)
    /// [default: those that the system trusts]
    #[arg(long, env = "LUBDUB_REDIS_CA", value_name = "FILE")]
    redis_ca: Option<PathBuf>,

    /// Log in to Redis, and to its Sentinels, as this user, unless the URL names one
    #[arg(long, env = "LUBDUB_REDIS_USER", value_name = "NAME", requires = "redis_password_file")]
    redis_user: Option<String>,

    /// Log in to Redis, and to its Sentinels, by the password in this file, unless the URL holds one
    #[arg(long, env = "LUBDUB_REDIS_PASSWORD_FILE", value_name = "FILE")]
    redis_password_file: Option<PathBuf>,
}

/// Heartbeats kept for people.
#[derive(Debug, Clone, Args)]
#[group(skip)]
pub(crate) struct HistorySize {
    /// Number of heartbeats that are kept of each monitor to look at, at most 10,000; 0 = none
    #[arg(long, env = "LUBDUB_HISTORY", value_name = "ENTRIES", default_value_t = 200,
          value_parser = clap::value_parser!(u32).range(0..=10_000))]
    history: u32,
}

impl HistorySize {
    pub(crate) const fn entries(&self) -> usize {
        self.history as usize
    }
}

impl Nats {
    /// Checks what the parser of the command line cannot.
    ///
    /// # Errors
    /// The flag, and what is wrong with it.
    pub(crate) fn validate(&self) -> anyhow::Result<()> {
        check_prefix(&self.prefix)?;
        if !(SHORTEST_RETENTION.0..=LONGEST_RETENTION.0).contains(&self.retention.0) {
            anyhow::bail!("--retention must be {SHORTEST_RETENTION} to {LONGEST_RETENTION}");
        }
        if self.log_size.is_some_and(|size| !(LEAST_LOG..=MOST_LOG).contains(&size)) {
            anyhow::bail!("--log-size must be {LEAST_LOG} to {MOST_LOG}");
        }
        Ok(())
    }

    /// The options for a node of a role.
    fn options(&self, role: Role, node: &str) -> NatsOptions {
        NatsOptions {
            credentials: self.nats_credentials.clone(),
            nkey: self.nats_nkey.clone(),
            ca: self.nats_ca.clone(),
            role,
            prefix: self.prefix.clone(),
            replicas: self.replicas.into(),
            partitions: self.partitions,
            retention: Duration::from_secs(self.retention.0),
            log_bytes: self.log_size.and_then(|size| i64::try_from(size.0).ok()),
            ..NatsOptions::new(&self.nats, node)
        }
    }

    /// Connects, waiting for servers that are not there yet, and for what `lubdub init` is to make on them.
    /// `starting` tells what is waited for.
    ///
    /// # Errors
    /// [`StaysWrong`].
    pub(crate) async fn connect(
        &self,
        role: Role,
        node: &str,
        starting: &Readiness,
        clock: Arc<dyn Clock>,
    ) -> anyhow::Result<Arc<NatsBackend>> {
        let options = self.options(role, node);
        let connect = || NatsBackend::connect(options.clone(), Arc::clone(&clock));
        let waiting = Waiting { server: "NATS", starting: Some(starting), is_told: &options.is_away_told };
        let connected = waiting.on(connect, |error: &NatsError| !error.stays_wrong()).await;
        connected.map(Arc::new).context(StaysWrong("start on NATS"))
    }

    /// What there is of an installation, waiting for a while for servers that are not there yet; `None`:
    /// there is none.
    ///
    /// # Errors
    /// An error that keeps the servers from being asked.
    pub(crate) async fn remains(&self) -> anyhow::Result<Option<Remains>> {
        self.for_init("look at NATS", backend_nats::remains).await
    }

    /// Sets the installation up, waiting for a while for servers that are not there yet.
    ///
    /// # Errors
    /// An error that keeps the work from being done.
    pub(crate) async fn init(&self) -> anyhow::Result<Provisioned> {
        self.for_init("set up NATS", backend_nats::init).await
    }

    async fn for_init<T, F: Future<Output = Result<T, NatsError>>>(
        &self,
        what: &'static str,
        work: impl Fn(NatsOptions) -> F,
    ) -> anyhow::Result<T> {
        let options = self.options(Role::Init, &node_name(Role::Init.name()));
        let waiting = Waiting { server: "NATS", starting: None, is_told: &options.is_away_told };
        match waiting.on(|| work(options.clone()), NatsError::may_pass).await {
            Err(error) if error.stays_wrong() => Err(error).context(StaysWrong(what)),
            done => done.context(what),
        }
    }
}

impl Redis {
    /// Checks what the parser of the command line cannot.
    ///
    /// # Errors
    /// The flag, and what is wrong with it.
    pub(crate) fn validate(&self) -> anyhow::Result<()> {
        self.options().map(|_| ())
    }

    fn options(&self) -> anyhow::Result<RedisOptions> {
        let options = RedisOptions {
            user: self.redis_user.clone(),
            password_file: self.redis_password_file.clone(),
            ca_file: self.redis_ca.clone(),
            ..RedisOptions::new(&self.redis)
        };
        RedisBackend::check(&options).map_err(|error| {
            let used = match (&error, &self.redis_ca) {
                (RedisError::File { path, .. }, Some(ca)) if path == ca => "use --redis-ca".to_owned(),
                (RedisError::File { .. }, _) => "use --redis-password-file".to_owned(),
                (_, Some(ca)) => format!("use --redis with --redis-ca {}", ca.display()),
                (_, None) => "use --redis".to_owned(),
            };
            anyhow::Error::new(error).context(used)
        })?;
        Ok(options)
    }

    /// Connects, waiting for a server that is not there yet; for `init`, which has no `starting` to tell what
    /// is waited for, only for a while.
    ///
    /// # Errors
    /// [`StaysWrong`]; for `init`, that no server came.
    pub(crate) async fn connect(
        &self,
        nats: &Nats,
        history: usize,
        starting: Option<&Readiness>,
        clock: Arc<dyn Clock>,
    ) -> anyhow::Result<Arc<RedisBackend>> {
        let options =
            RedisOptions { prefix: nats.prefix.clone(), history_per_monitor: history, ..self.options()? };
        let connect = || RedisBackend::connect(options.clone(), Arc::clone(&clock));
        let waiting = Waiting { server: "Redis", starting, is_told: &AtomicBool::new(false) };
        match waiting.on(connect, RedisError::is_transient).await.map(Arc::new) {
            Err(error) if !error.is_transient() => Err(error).context(StaysWrong("start on Redis")),
            connected => connected.context("start on Redis"),
        }
    }
}

/// Connects a role to NATS and Redis, and waits until both are of one installation. `starting` tells what is
/// waited for. What changes in the meantime is met anew.
///
/// # Errors
/// [`StaysWrong`].
pub(crate) async fn stand_on(
    (nats, redis, history): (&Nats, &Redis, usize),
    (role, node): (Role, &str),
    starting: &Readiness,
    clock: &Arc<dyn Clock>,
) -> anyhow::Result<(Arc<NatsBackend>, Arc<RedisBackend>, Installation)> {
    loop {
        let on_nats = nats.connect(role, node, starting, Arc::clone(clock)).await?;
        let on_redis = redis.connect(nats, history, Some(starting), Arc::clone(clock)).await?;
        let installation = Installation::new(role, Arc::clone(&on_nats), Some(Arc::clone(&on_redis)));
        let waiting =
            Waiting { server: "NATS and Redis", starting: Some(starting), is_told: &AtomicBool::new(false) };
        let may_pass = |error: &InstallationError| !error.changes_the_servers() && !error.stays_wrong();
        match waiting.on(|| installation.check(), may_pass).await {
            Ok(()) => return Ok((on_nats, on_redis, installation)),
            Err(error) if error.stays_wrong() => return Err(error).context(StaysWrong("start on Redis")),
            Err(error) => {
                tracing::warn!(error = %Chain(&error), "connecting anew");
                tokio::time::sleep(TRY_AGAIN).await;
            }
        }
    }
}

/// What a process failed at because of settings, its own or a server's, that stay wrong until a person mends
/// them: starting it again changes nothing.
#[derive(Debug, Clone, Copy)]
pub(crate) struct StaysWrong(pub(crate) &'static str);

impl fmt::Display for StaysWrong {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.0)
    }
}

/// Waiting for a server.
struct Waiting<'a> {
    server: &'static str,
    /// Tells what is waited for; `None`: nobody can ask, so it is given up after a while.
    starting: Option<&'a Readiness>,
    /// Whether the log says already that the server is away.
    is_told: &'a AtomicBool,
}

impl Waiting<'_> {
    /// Tries again as long as `may_pass` says so of the error. The log tells each error at once, and then
    /// once a minute.
    async fn on<T, E, F>(&self, mut connect: impl FnMut() -> F, may_pass: impl Fn(&E) -> bool) -> Result<T, E>
    where
        E: std::error::Error + Send + Sync + 'static,
        F: Future<Output = Result<T, E>>,
    {
        if let Some(starting) = self.starting {
            starting.set_not_ready(format!("it waits for {}", self.server));
        }
        let began = Instant::now();
        let mut said = Said::default();
        let mut failures = 0_u64;
        loop {
            let error = match connect().await {
                Err(error) if may_pass(&error) => error,
                other => return other,
            };
            if self.starting.is_none() && began.elapsed() >= WAIT_FOR_SERVERS {
                return Err(error);
            }
            failures += 1;
            let why = Chain(&error).to_string();
            if let Some(starting) = self.starting {
                starting.set_not_ready(format!("it waits for {}: {why}", self.server));
            }
            let is_news = said.is_news(&why, std::time::Instant::now());
            if is_news && (failures > 1 || !self.is_told.swap(true, Ordering::Relaxed)) {
                tracing::warn!(error = why, failures, "waiting for {}", self.server);
            }
            tokio::time::sleep(TRY_AGAIN).await;
        }
    }
}

/// A name for a node of a role, another one for each start.
pub(crate) fn node_name(role: &str) -> String {
    let host = rustix::system::uname().nodename().to_string_lossy().into_owned();
    let host: String = host.chars().filter(|c| c.is_ascii_alphanumeric() || *c == '-').take(40).collect();
    format!("{role}-{host}-{:08x}", rand::random::<u32>())
}
