//! Follows the primary among several servers, which Sentinels know.
//!
//! The client connects to the server that the Sentinels name, and only if that server calls itself the
//! primary. When the connection is lost, or the server says that it is no longer the primary, the next call
//! asks the Sentinels again. Concurrent calls ask once.
//!
//! A primary that is replaced while it lives hears so some ten seconds later; the writes that it takes until
//! then are lost. So the Sentinels are also asked periodically.

use std::collections::HashMap;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use ::redis::aio::MultiplexedConnection;
use ::redis::{
    AsyncConnectionConfig, Client, ConnectionInfo, ErrorKind, PushInfo, PushKind, RedisResult,
    ServerErrorKind, Value, cmd,
};
use futures_util::future::join_all;
use tokio::task::JoinSet;
use tokio::time::{Instant, timeout};

use super::address::WatchedPrimary;
use super::error::RedisError;
use super::timeouts::{CONNECT_TIMEOUT, RESPONSE_TIMEOUT};

/// Longest wait for one Sentinel: the others know as well.
const SENTINEL_TIMEOUT: Duration = Duration::from_secs(1);
/// Longest search for the primary, with connecting to it; shorter than a call may take.
const SEARCH_TIMEOUT: Duration = Duration::from_secs(4);
/// Calls that come within this time after a failed search share its failure.
const SEARCH_APART: Duration = Duration::from_millis(100);

/// How often, while calls are made, the Sentinels are asked for another primary.
const LOOK_EVERY: Duration = Duration::from_secs(2);

/// The known primary; all connections share it.
pub(super) struct Lookout {
    watched: WatchedPrimary,
    known: parking_lot::Mutex<NamedPrimary>,
}

struct NamedPrimary {
    /// The address that was named last, with its epoch.
    address: String,
    epoch: u64,
    look_at: Instant,
    looking: JoinSet<()>,
}

/// A connection to the current primary.
pub(super) struct Follower {
    lookout: Arc<Lookout>,
    present: parking_lot::Mutex<Option<PrimaryConnection>>,
    /// Held by the call that searches.
    failed: tokio::sync::Mutex<Option<Failure>>,
}

/// A connection to a server that was the primary when it was made.
#[derive(Clone)]
pub(super) struct PrimaryConnection {
    pub(super) connection: MultiplexedConnection,
    address: String,
    lost: Arc<AtomicBool>,
}

struct Failure {
    error: ::redis::RedisError,
    at: Instant,
}

/// A Sentinel's answer. A later fail-over has a greater epoch.
pub(super) struct Named {
    epoch: u64,
    pub(super) server: ConnectionInfo,
}

impl Lookout {
    /// A lookout before its first look.
    pub(super) fn new(watched: WatchedPrimary) -> Self {
        let known = NamedPrimary {
            address: String::new(),
            epoch: 0,
            look_at: Instant::now(),
            looking: JoinSet::new(),
        };
        Self { watched, known: parking_lot::Mutex::new(known) }
    }

    /// Whether the primary is still at this address, as far as is known. Does not wait for the Sentinels.
    fn agrees(self: &Arc<Self>, address: &str) -> bool {
        let mut known = self.known.lock();
        while known.looking.try_join_next().is_some() {}
        let now = Instant::now();
        if known.looking.is_empty() && now >= known.look_at {
            known.look_at = now + LOOK_EVERY;
            let lookout = Arc::clone(self);
            known.looking.spawn(async move {
                // A Sentinel that knows only of an earlier fail-over is cut off from the others.
                if let Ok(named) = find(&lookout.watched).await {
                    let mut known = lookout.known.lock();
                    if named.epoch > known.epoch {
                        known.name(&named);
                    }
                }
            });
        }
        known.address == address
    }

    /// Asks the Sentinels now.
    async fn find(&self) -> RedisResult<ConnectionInfo> {
        let named = find(&self.watched).await?;
        self.known.lock().name(&named);
        Ok(named.server)
    }
}

impl NamedPrimary {
    fn name(&mut self, named: &Named) {
        self.address = named.server.addr().to_string();
        self.epoch = named.epoch;
        self.look_at = Instant::now() + LOOK_EVERY;
    }
}

impl PrimaryConnection {
    /// The next call asks the Sentinels.
    pub(super) fn leave(&self) {
        self.lost.store(true, Ordering::Relaxed);
    }

    /// Leaves a server that is gone, or is not the primary, or not yet.
    pub(super) fn judge(&self, error: &::redis::RedisError) {
        let not_primary = matches!(
            error.kind(),
            ErrorKind::Server(
                ServerErrorKind::ReadOnly | ServerErrorKind::MasterDown | ServerErrorKind::BusyLoading
            )
        );
        if not_primary || error.is_io_error() || error.is_unrecoverable_error() {
            self.leave();
        }
    }

    fn is_lost(&self) -> bool {
        self.lost.load(Ordering::Relaxed)
    }
}

impl Follower {
    /// A follower that has found the primary.
    pub(super) async fn connect(lookout: Arc<Lookout>) -> RedisResult<Self> {
        let follower =
            Self { lookout, present: parking_lot::Mutex::default(), failed: tokio::sync::Mutex::default() };
        follower.present().await?;
        Ok(follower)
    }

    /// The connection, a new one if the last was lost.
    pub(super) async fn present(&self) -> RedisResult<PrimaryConnection> {
        if let Some(present) = self.known() {
            return Ok(present);
        }
        let asked = Instant::now();
        let mut failed = self.failed.lock().await;
        // Another call may have searched meanwhile.
        if let Some(present) = self.known() {
            return Ok(present);
        }
        if let Some(failure) = failed.as_ref().filter(|failure| failure.at + SEARCH_APART > asked) {
            return Err(failure.error.clone());
        }
        let too_late = || Err((ErrorKind::Io, "the primary was not found in time").into());
        match timeout(SEARCH_TIMEOUT, self.search()).await.unwrap_or_else(|_| too_late()) {
            Ok(present) => {
                *self.present.lock() = Some(present.clone());
                Ok(present)
            }
            Err(error) => {
                *failed = Some(Failure { error: error.clone(), at: Instant::now() });
                Err(error)
            }
        }
    }

    /// The next call asks the Sentinels.
    pub(super) fn leave(&self) {
        if let Some(present) = self.present.lock().as_ref() {
            present.leave();
        }
    }

    fn known(&self) -> Option<PrimaryConnection> {
        let present = self.present.lock().clone();
        present.filter(|present| !present.is_lost() && self.lookout.agrees(&present.address))
    }

    async fn search(&self) -> RedisResult<PrimaryConnection> {
        let server = self.lookout.find().await?;
        let address = server.addr().to_string();
        let lost = Arc::new(AtomicBool::new(false));
        let tell = Arc::clone(&lost);
        let config = AsyncConnectionConfig::new()
            .set_connection_timeout(Some(CONNECT_TIMEOUT))
            .set_response_timeout(Some(RESPONSE_TIMEOUT))
            .set_push_sender(move |push: PushInfo| {
                if push.kind == PushKind::Disconnection {
                    tell.store(true, Ordering::Relaxed);
                }
                Ok::<(), ()>(())
            });
        let mut connection =
            Client::open(server)?.get_multiplexed_async_connection_with_config(&config).await?;
        let role: Vec<Value> = cmd("ROLE").query_async(&mut connection).await?;
        let role = role.into_iter().next().map(::redis::from_redis_value::<String>).transpose()?;
        if role.as_deref() != Some("master") {
            return Err(
                (ErrorKind::Io, "the server that the Sentinels name is not the primary", address).into()
            );
        }
        tracing::info!(server = address, "connected to the primary of Redis");
        Ok(PrimaryConnection { connection, address, lost })
    }
}

/// Finds the server that the Sentinels name. All are asked, and the one that knows of the latest fail-over is
/// believed: a Sentinel that is cut off from the others still names the former primary.
pub(super) async fn find(watched: &WatchedPrimary) -> RedisResult<Named> {
    let ask = async |sentinel| {
        let answer = timeout(SENTINEL_TIMEOUT, ask(watched, sentinel)).await;
        answer.unwrap_or_else(|_| Err((ErrorKind::Io, "a Sentinel does not answer").into()))
    };
    let (mut named, mut errors) = (Vec::new(), Vec::new());
    for answer in join_all(watched.sentinels.iter().map(ask)).await {
        match answer {
            Ok(answer) => named.push(answer),
            Err(error) => errors.push(error),
        }
    }
    if let Some(newest) = named.into_iter().max_by_key(|named| named.epoch) {
        return Ok(newest);
    }
    // A lasting error tells most.
    errors.sort_by_key(|error| RedisError::of(error.clone()).is_transient());
    let silence = || (ErrorKind::EmptySentinelList, "there is no Sentinel").into();
    Err(errors.into_iter().next().unwrap_or_else(silence))
}

async fn ask(watched: &WatchedPrimary, sentinel: &ConnectionInfo) -> RedisResult<Named> {
    let config = AsyncConnectionConfig::new()
        .set_connection_timeout(Some(SENTINEL_TIMEOUT))
        .set_response_timeout(Some(SENTINEL_TIMEOUT));
    let client = Client::open(sentinel.clone())?;
    let mut connection = client.get_multiplexed_async_connection_with_config(&config).await?;
    // During a fail-over the first answer names the new primary already, and the second only the old one.
    let mut question = cmd("SENTINEL");
    question.arg("GET-MASTER-ADDR-BY-NAME").arg(&watched.name);
    let address: Option<(String, u16)> = question.query_async(&mut connection).await?;
    let unknown = (ErrorKind::MasterNameNotFoundBySentinel, "a Sentinel does not know the name");
    let (host, port) = address.ok_or(unknown)?;
    let mut question = cmd("SENTINEL");
    question.arg("MASTER").arg(&watched.name);
    let known: HashMap<String, String> = question.query_async(&mut connection).await?;
    let epoch = known.get("config-epoch").and_then(|epoch| epoch.parse().ok()).unwrap_or(0);
    Ok(Named { epoch, server: watched.server(sentinel, host, port)? })
}
