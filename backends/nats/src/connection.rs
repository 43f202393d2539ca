//! The client, its options, and why it cannot be used.

use std::path::PathBuf;
use std::time::Duration;

use async_nats::connection::State;
use async_nats::jetstream;
use async_nats::{ConnectError, ConnectErrorKind, ConnectOptions, ServerAddr};

use super::REQUEST_TIMEOUT;
use super::access::{Access, Shown, Trusted};
use super::names::Names;
use super::refusals::Refusals;
use super::rights::inbox_prefix;
use model::chain::Chain;
use model::role::Role;
use model::time::EventTime;
use ports::BackendError;

/// How often the connection is checked when nothing goes over it.
const PING_EVERY: Duration = Duration::from_secs(1);
/// Pause before the connection is tried again, by the number of the attempt.
const RECONNECT_STEP: Duration = Duration::from_millis(50);
const RECONNECT_MOST: Duration = Duration::from_millis(500);
/// How often a lost connection is looked at by whoever waits for it.
const LOOK_EVERY: Duration = Duration::from_millis(20);
/// The oldest server that this is tested with.
const SERVER: (i64, i64, i64) = (2, 14, 5);
/// A server that is just starting is given so long.
const PATIENCE: Duration = Duration::from_secs(10);
/// The server must take messages of this size, bytes: frames and their headers.
const LEAST_PAYLOAD: usize = 1 << 20;

/// How the servers are reached, and what is made on them.
#[derive(Debug, Clone)]
pub struct NatsOptions {
    /// Comma-separated URLs; a user and password in them are used.
    pub servers: String,
    /// A file with a JWT and its seed.
    pub credentials: Option<PathBuf>,
    /// A file with the seed of an nkey.
    pub nkey: Option<PathBuf>,
    /// A file with the certificates that are trusted, and no others; `None` = those of the system.
    pub ca: Option<PathBuf>,
    /// As what it connects. It gets its answers under a subject of that name, so that no role hears those of another.
    pub role: Role,
    /// What all names on the server begin with: several installations can share one.
    pub prefix: String,
    /// Copies of everything, 1 to 5.
    pub replicas: usize,
    /// How many partitions are to be there; `None` = as many as there are, 4 in a new installation.
    pub partitions: Option<u16>,
    /// The heartbeat log is kept for so long.
    pub retention: Duration,
    /// Most bytes of a partition's heartbeat log; the oldest entries go first.
    /// `None` = what a new installation is given by the room that there is, or what an old one has.
    pub log_bytes: Option<i64>,
    /// Most messages that a queue holds.
    pub queue_capacity: usize,
    /// This node's name: another one for each start.
    pub node: String,
}

impl NatsOptions {
    /// With the usual settings, for one server, as one who may do everything.
    pub fn new(servers: impl Into<String>, node: impl Into<String>) -> Self {
        Self {
            servers: servers.into(),
            credentials: None,
            nkey: None,
            ca: None,
            role: Role::Init,
            prefix: "lubdub".to_owned(),
            replicas: 1,
            partitions: None,
            retention: Duration::from_secs(7 * 24 * 3_600),
            log_bytes: None,
            queue_capacity: 1_000_000,
            node: node.into(),
        }
    }
}

/// Why NATS cannot be used as it is.
#[derive(Debug, thiserror::Error)]
pub enum NatsError {
    /// A server's URL.
    #[error("read the address of a NATS server")]
    Address(#[source] std::io::Error),
    /// The credentials file.
    #[error("read the NATS credentials file {path}")]
    Credentials {
        /// Which.
        path: PathBuf,
        /// Why not.
        #[source]
        source: std::io::Error,
    },
    /// The file with the nkey.
    #[error("read the NATS nkey file {path}")]
    Nkey {
        /// Which.
        path: PathBuf,
        /// Why not.
        #[source]
        source: std::io::Error,
    },
    /// The file with the certificates that are trusted.
    #[error("read the certificates of NATS from {path}")]
    Ca {
        /// Which.
        path: PathBuf,
        /// Why not.
        #[source]
        source: std::io::Error,
    },
    /// No server answers.
    #[error("connect to NATS")]
    Connect(#[source] ConnectError),
    /// It does not let this node in.
    #[error("connect to NATS: it refused {shown}")]
    Refused {
        /// What it was shown.
        shown: Shown,
    },
    /// There is no TLS with it.
    #[error("connect to NATS by TLS, trusting {trusted}")]
    Untrusted {
        /// Whose certificates are trusted.
        trusted: Trusted,
        /// Why it failed.
        #[source]
        source: ConnectError,
    },
    /// Something is not there, and this node may not make it.
    #[error(
        "use {what} on NATS: it is not there, and this node has no right to make it; run `lubdub init` first"
    )]
    Missing {
        /// What.
        what: String,
    },
    /// The server takes smaller messages only.
    #[error("use NATS: its max_payload is {found} bytes and must be at least {least}")]
    Payload {
        /// What the server takes.
        found: usize,
        /// What is needed.
        least: usize,
    },
    /// The installation has another number of partitions.
    #[error("use {prefix} on NATS: it has {found} partitions, not {wanted}; their number never changes")]
    Partitions {
        /// Which installation.
        prefix: String,
        /// What there is.
        found: u16,
        /// What was asked for.
        wanted: u16,
    },
    /// A stream of that name was made by something else.
    #[error("use stream {stream} on NATS: it is not Lubdub's; choose another prefix")]
    NotOurs {
        /// Its name.
        stream: String,
    },
    /// The server has no JetStream, or not for this account.
    #[error("use NATS: JetStream is off; put `jetstream {{}}` into the server's configuration")]
    NoJetStream(#[source] BackendError),
    /// The log's bytes are reserved when a stream is made.
    #[error(
        "set up {what} on NATS: no room; give the log fewer bytes, or JetStream a greater max_file_store"
    )]
    NoRoom {
        /// What was to be made.
        what: String,
        /// What the server said.
        #[source]
        source: BackendError,
    },
    /// It could not be asked, or refused.
    #[error("set up {what} on NATS")]
    SetUp {
        /// What was to be made or read.
        what: String,
        /// Why not.
        #[source]
        source: BackendError,
    },
}

impl NatsError {
    /// Whether it may be otherwise in a while, when servers and installations are still being started.
    #[must_use]
    pub fn may_pass(&self) -> bool {
        match self {
            Self::Connect(error) => may_come(error),
            Self::Missing { .. } => true,
            Self::Address(_)
            | Self::Credentials { .. }
            | Self::Nkey { .. }
            | Self::Ca { .. }
            | Self::Refused { .. }
            | Self::Untrusted { .. }
            | Self::Payload { .. }
            | Self::Partitions { .. }
            | Self::NotOurs { .. }
            | Self::NoJetStream(_)
            | Self::NoRoom { .. }
            | Self::SetUp { .. } => false,
        }
    }
}

/// A connection, and how everything is called.
#[derive(Debug, Clone)]
pub(super) struct Nats {
    pub(super) client: async_nats::Client,
    pub(super) jetstream: jetstream::Context,
    pub(super) options: NatsOptions,
    pub(super) names: Names,
    pub(super) refusals: Refusals,
}

impl Nats {
    pub(super) async fn connect(options: NatsOptions) -> Result<Self, NatsError> {
        let servers: Result<Vec<ServerAddr>, _> =
            options.servers.split(',').map(|url| url.trim().parse()).collect();
        let servers = servers.map_err(NatsError::Address)?;
        let refusals = Refusals::new();
        let hearing = refusals.clone();
        let connect = ConnectOptions::new()
            .name(&options.node)
            .custom_inbox_prefix(inbox_prefix(options.role))
            .ping_interval(PING_EVERY)
            .connection_timeout(REQUEST_TIMEOUT)
            .request_timeout(Some(REQUEST_TIMEOUT))
            .max_reconnects(None)
            .reconnect_delay_callback(|attempt| {
                RECONNECT_STEP.saturating_mul(u32::try_from(attempt).unwrap_or(u32::MAX)).min(RECONNECT_MOST)
            })
            .event_callback(move |event| {
                tracing::debug!(%event, "NATS connection");
                hearing.hear(&event);
                std::future::ready(())
            });
        let access = Access::prepare(connect, &options, &servers).await?;
        let client = patiently(&access, &servers).await?;
        if !client.is_server_compatible(SERVER.0, SERVER.1, SERVER.2) {
            let version = client.server_info().version;
            let (major, minor, patch) = SERVER;
            tracing::warn!(%version, "this NATS server is older than {major}.{minor}.{patch}: upgrade it");
        }
        let found = client.server_info().max_payload;
        if found < LEAST_PAYLOAD {
            return Err(NatsError::Payload { found, least: LEAST_PAYLOAD });
        }
        let jetstream = jetstream::context::ContextBuilder::new()
            .timeout(REQUEST_TIMEOUT)
            .ack_timeout(REQUEST_TIMEOUT)
            .build(client.clone());
        let names = Names::new(&options.prefix);
        Ok(Self { client, jetstream, options, names, refusals })
    }

    /// Waits for the connection, as long as a request may take: what is published without one queues in the client, without
    /// limit.
    pub(super) async fn connected(&self) -> Result<(), BackendError> {
        let connected = async {
            while self.client.connection_state() != State::Connected {
                tokio::time::sleep(LOOK_EVERY).await;
            }
        };
        tokio::time::timeout(REQUEST_TIMEOUT, connected)
            .await
            .map_err(|_| "there is no connection to NATS".into())
    }
}

/// Tries again for a while when nobody answers.
async fn patiently(access: &Access, servers: &[ServerAddr]) -> Result<async_nats::Client, NatsError> {
    let began = tokio::time::Instant::now();
    let mut told = false;
    loop {
        let error = match access.connect.clone().connect(servers).await {
            Ok(client) => return Ok(client),
            Err(error) => access.failed(error),
        };
        if !error.may_pass() || began.elapsed() >= PATIENCE {
            return Err(error);
        }
        if !std::mem::replace(&mut told, true) {
            tracing::warn!(error = %Chain(&error), "NATS does not answer; trying again for a while");
        }
        tokio::time::sleep(RECONNECT_MOST).await;
    }
}

/// Whether a server that cannot be reached may only be on its way.
fn may_come(error: &ConnectError) -> bool {
    match error.kind() {
        ConnectErrorKind::Dns | ConnectErrorKind::TimedOut | ConnectErrorKind::Io => true,
        ConnectErrorKind::ServerParse
        | ConnectErrorKind::Authentication
        | ConnectErrorKind::AuthorizationViolation
        | ConnectErrorKind::Tls
        | ConnectErrorKind::MaxReconnects => false,
    }
}

/// A time of the server's clock.
pub(super) fn event_time(at: async_nats::datetime::DateTime) -> EventTime {
    EventTime::from_micros(i64::try_from(at.unix_timestamp_nanos() / 1_000).unwrap_or(0))
}
