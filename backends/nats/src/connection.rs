//! The client.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};

use async_nats::connection::State;
use async_nats::jetstream;
use async_nats::{ConnectOptions, Event, ServerAddr};

use super::access::Access;
use super::error::NatsError;
use super::ground::Ground;
use super::names::{Names, inbox_prefix};
use super::options::NatsOptions;
use super::refusals::Refusals;
use super::renewal::{Renewal, Turnstile};
use super::timeouts::REQUEST_TIMEOUT;
use model::chain::Chain;
use model::time::EventTime;
use parking_lot::Mutex;
use ports::BackendError;
use ports::repeats::Repeats;

/// How often an idle connection is checked.
const PING_EVERY: Duration = Duration::from_secs(1);
/// Pause before another attempt to connect: the step for each earlier attempt, and the longest pause.
const RECONNECT_STEP: Duration = Duration::from_millis(50);
const RECONNECT_MOST: Duration = Duration::from_millis(500);
/// How often a waiting call looks whether the connection is back.
const LOOK_EVERY: Duration = Duration::from_millis(20);
/// The oldest server version that is tested.
const SERVER: (i64, i64, i64) = (2, 14, 5);
/// How long to wait for a server that is just starting.
const PATIENCE: Duration = Duration::from_secs(10);
/// Least size of messages that the server must take, bytes: frames and their headers.
const LEAST_PAYLOAD: usize = 1 << 20;

/// A connection, with the names of one installation.
#[derive(Debug, Clone)]
pub(super) struct Nats {
    pub(super) client: async_nats::Client,
    pub(super) jetstream: jetstream::Context,
    pub(super) options: NatsOptions,
    pub(super) names: Names,
    pub(super) refusals: Refusals,
    pub(super) ground: Arc<Ground>,
    /// Keeps requests from being under way while the node logs in anew.
    pub(super) turnstile: Turnstile,
    _renewal: Renewal,
}

impl Nats {
    pub(super) async fn connect(options: NatsOptions) -> Result<Self, NatsError> {
        let servers: Result<Vec<ServerAddr>, _> =
            options.servers.split(',').map(|url| url.trim().parse()).collect();
        let servers = servers.map_err(NatsError::Address)?;
        let refusals = Refusals::new();
        let hearing = refusals.clone();
        let access = Access::prepare(&options, &servers)?;
        let login = access.login.clone();
        let failures = Failures::default();
        let connect = settings(access.options(), &options).event_callback(move |event| {
            tracing::debug!(%event, "NATS connection");
            hearing.hear(&event);
            failures.hear(&event);
            if let (Event::Connected, Some(login)) = (&event, &login) {
                login.was_taken();
            }
            std::future::ready(())
        });
        let client = patiently(&access, connect, &servers, &options.is_away_told).await?;
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
        let turnstile = Turnstile::default();
        let probe = {
            let options = options.clone();
            move |with: ConnectOptions| settings(with, &options)
        };
        let renewal = Renewal::begin(access, client.clone(), servers, turnstile.clone(), probe);
        Ok(Self {
            client,
            jetstream,
            options,
            names,
            refusals,
            ground: Arc::default(),
            turnstile,
            _renewal: renewal,
        })
    }

    /// Waits for a connection, as long as a request may take; its number. Without one, the client would queue
    /// published messages without limit.
    pub(super) async fn connection(&self) -> Result<u64, BackendError> {
        let connected = async {
            while self.client.connection_state() != State::Connected {
                tokio::time::sleep(LOOK_EVERY).await;
            }
        };
        let connected = tokio::time::timeout(REQUEST_TIMEOUT, connected).await;
        connected.map(|()| self.connections()).map_err(|_| "there is no connection to NATS".into())
    }

    /// The number of connections so far. The client counts one before it says that it is connected.
    pub(super) fn connections(&self) -> u64 {
        self.client.statistics().connects.load(Ordering::Acquire)
    }

    /// Whether there is a connection.
    pub(super) fn is_connected(&self) -> bool {
        self.client.connection_state() == State::Connected
    }

    /// The same connection, by which whatever is there can be looked at.
    pub(super) fn wherever(&self) -> Self {
        Self { ground: Arc::default(), ..self.clone() }
    }
}

/// How a node of these options connects.
fn settings(connect: ConnectOptions, options: &NatsOptions) -> ConnectOptions {
    connect
        .name(&options.node)
        .custom_inbox_prefix(inbox_prefix(options.role))
        .ping_interval(PING_EVERY)
        .connection_timeout(REQUEST_TIMEOUT)
        .request_timeout(Some(REQUEST_TIMEOUT))
        .max_reconnects(None)
        .reconnect_delay_callback(|attempt| {
            RECONNECT_STEP.saturating_mul(u32::try_from(attempt).unwrap_or(u32::MAX)).min(RECONNECT_MOST)
        })
}

/// Tells why the client cannot connect again.
#[derive(Debug, Default)]
struct Failures(Mutex<Repeats>);

impl Failures {
    fn hear(&self, event: &Event) {
        match event {
            Event::Connected => *self.0.lock() = Repeats::default(),
            Event::ClientError(error) => {
                if let Some(failures) = self.0.lock().news(Instant::now()) {
                    tracing::warn!(%error, failures, "cannot connect to NATS again; trying on");
                }
            }
            Event::Disconnected
            | Event::LameDuckMode
            | Event::Draining
            | Event::Closed
            | Event::SlowConsumer(_)
            | Event::ServerError(_) => {}
        }
    }
}

/// The addresses of the servers, without users and passwords.
fn addresses(servers: &[ServerAddr]) -> String {
    servers.iter().map(|server| format!("{}:{}", server.host(), server.port())).collect::<Vec<_>>().join(", ")
}

/// Tries again for a while if no server answers.
async fn patiently(
    access: &Access,
    connect: ConnectOptions,
    servers: &[ServerAddr],
    is_away_told: &AtomicBool,
) -> Result<async_nats::Client, NatsError> {
    let began = tokio::time::Instant::now();
    loop {
        let error = match connect.clone().connect(servers).await {
            Ok(client) => return Ok(client),
            Err(error) => access.failed(error),
        };
        if !error.may_pass() || began.elapsed() >= PATIENCE {
            return Err(error);
        }
        if !is_away_told.swap(true, Ordering::Relaxed) {
            let at = addresses(servers);
            tracing::warn!(error = %Chain(&error), nats = at, "NATS cannot be reached; trying again for a while");
        }
        tokio::time::sleep(RECONNECT_MOST).await;
    }
}

/// A time of the server's clock.
pub(super) fn event_time(at: async_nats::datetime::DateTime) -> EventTime {
    EventTime::from_micros(i64::try_from(at.unix_timestamp_nanos() / 1_000).unwrap_or(0))
}
