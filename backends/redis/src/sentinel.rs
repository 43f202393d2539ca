//! Finds the primary among several servers, which Sentinels know.
//!
//! A primary that is replaced while it lives hears so some ten seconds later; the writes that it takes until
//! then are lost. So the Sentinels are also asked periodically.

use std::collections::HashMap;
use std::sync::Arc;
use std::time::Duration;

use ::redis::{AsyncConnectionConfig, Client, ConnectionInfo, ErrorKind, RedisResult, cmd};
use futures_util::future::join_all;
use tokio::task::JoinSet;
use tokio::time::{Instant, timeout};

use super::access::Access;
use super::address::{ServerAddress, WatchedPrimary};
use super::error::RedisError;

/// Longest wait for one Sentinel: the others know as well.
const SENTINEL_TIMEOUT: Duration = Duration::from_secs(1);
/// How often, while calls are made, the Sentinels are asked for another primary.
const LOOK_EVERY: Duration = Duration::from_secs(2);

/// The known primary; all connections share it.
pub(super) struct Lookout {
    access: Arc<Access>,
    known: parking_lot::Mutex<NamedPrimary>,
}

struct NamedPrimary {
    /// The address that was named last, with its epoch.
    address: String,
    epoch: u64,
    look_at: Instant,
    looking: JoinSet<()>,
}

/// A Sentinel's answer. A later fail-over has a greater epoch.
pub(super) struct Named {
    epoch: u64,
    pub(super) server: ConnectionInfo,
}

impl Lookout {
    /// A lookout before its first look.
    pub(super) fn new(access: Arc<Access>) -> Self {
        let known = NamedPrimary {
            address: String::new(),
            epoch: 0,
            look_at: Instant::now(),
            looking: JoinSet::new(),
        };
        Self { access, known: parking_lot::Mutex::new(known) }
    }

    /// Whether the primary is still at this address, as far as is known. Does not wait for the Sentinels.
    pub(super) fn agrees(self: &Arc<Self>, address: &str) -> bool {
        let mut known = self.known.lock();
        while known.looking.try_join_next().is_some() {}
        let now = Instant::now();
        if known.looking.is_empty() && now >= known.look_at {
            known.look_at = now + LOOK_EVERY;
            let lookout = Arc::clone(self);
            known.looking.spawn(async move {
                // A refusal is told by the next call that has to find the primary.
                for login in lookout.access.logins() {
                    let ServerAddress::Watched(watched) = &login.address else { return };
                    let Ok(named) = find(watched).await else { continue };
                    let mut known = lookout.known.lock();
                    // A Sentinel that knows only of an earlier fail-over is cut off from the others.
                    if named.epoch > known.epoch {
                        known.name(&named);
                    }
                    return;
                }
            });
        }
        known.address == address
    }

    /// Asks the Sentinels now.
    pub(super) async fn find(&self, watched: &WatchedPrimary) -> RedisResult<ConnectionInfo> {
        let named = find(watched).await?;
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
