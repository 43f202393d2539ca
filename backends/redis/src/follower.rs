//! A connection to one server, or to the primary among several, which is made anew when it is lost.
//!
//! Of several servers the client connects to the one that the Sentinels name, and only if that server calls
//! itself the primary. When the connection is lost, or the server says that it is no longer the primary, the
//! next call connects anew, by what the files of the login hold then. Concurrent calls connect once.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use ::redis::aio::MultiplexedConnection;
use ::redis::{
    AsyncConnectionConfig, Client, ConnectionInfo, ErrorKind, PushInfo, PushKind, RedisResult,
    ServerErrorKind, Value, cmd,
};
use tokio::time::{Instant, timeout};

use super::access::{Access, Login};
use super::address::ServerAddress;
use super::sentinel::Lookout;
use super::timeouts::{CONNECT_TIMEOUT, RESPONSE_TIMEOUT};

/// Longest search for the server, with connecting to it; shorter than a call may take.
const SEARCH_TIMEOUT: Duration = Duration::from_secs(4);
/// Calls that come within this time after a failed search share its failure.
const SEARCH_APART: Duration = Duration::from_millis(100);

/// A connection to the one server or the current primary.
pub(super) struct Follower {
    access: Arc<Access>,
    /// Knows the primary; `None`: there is one server.
    lookout: Option<Arc<Lookout>>,
    present: parking_lot::Mutex<Option<ServerConnection>>,
    /// Held by the call that searches.
    failed: tokio::sync::Mutex<Option<Failure>>,
}

/// A connection to a server that was the right one when it was made.
#[derive(Clone)]
pub(super) struct ServerConnection {
    pub(super) connection: MultiplexedConnection,
    address: String,
    lost: Arc<AtomicBool>,
}

struct Failure {
    error: ::redis::RedisError,
    at: Instant,
}

impl ServerConnection {
    /// The next call connects anew.
    pub(super) fn leave(&self) {
        self.lost.store(true, Ordering::Relaxed);
    }

    /// Leaves a server that is gone, forgot the login, or is not the primary, or not yet.
    pub(super) fn judge(&self, error: &::redis::RedisError) {
        let not_primary = matches!(
            error.kind(),
            ErrorKind::Server(
                ServerErrorKind::ReadOnly | ServerErrorKind::MasterDown | ServerErrorKind::BusyLoading
            )
        );
        let forgotten = error.code() == Some("NOAUTH");
        if not_primary || forgotten || error.is_io_error() || error.is_unrecoverable_error() {
            self.leave();
        }
    }

    fn is_lost(&self) -> bool {
        self.lost.load(Ordering::Relaxed)
    }
}

impl Follower {
    /// A follower that has found the server.
    pub(super) async fn connect(access: Arc<Access>, lookout: Option<Arc<Lookout>>) -> RedisResult<Self> {
        let (present, failed) = (parking_lot::Mutex::default(), tokio::sync::Mutex::default());
        let follower = Self { access, lookout, present, failed };
        follower.present().await?;
        Ok(follower)
    }

    /// The connection, a new one if the last was lost.
    pub(super) async fn present(&self) -> RedisResult<ServerConnection> {
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
        let too_late = || Err((ErrorKind::Io, "the server was not found in time").into());
        match timeout(SEARCH_TIMEOUT, self.log_in()).await.unwrap_or_else(|_| too_late()) {
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

    /// The next call connects anew.
    pub(super) fn leave(&self) {
        if let Some(present) = self.present.lock().as_ref() {
            present.leave();
        }
    }

    fn known(&self) -> Option<ServerConnection> {
        let present = self.present.lock().clone();
        let agrees = |at: &str| self.lookout.as_ref().is_none_or(|lookout| lookout.agrees(at));
        present.filter(|present| !present.is_lost() && agrees(&present.address))
    }

    /// Tries one login after the other. The error is that of the first.
    async fn log_in(&self) -> RedisResult<ServerConnection> {
        let mut first = None;
        for login in self.access.logins() {
            match self.search(&login).await {
                Ok(connection) => {
                    self.access.was_taken(&login);
                    return Ok(connection);
                }
                Err(error) => {
                    let may_be_other = self.access.may_be_other(&error);
                    let error = first.get_or_insert(error).clone();
                    if !may_be_other {
                        return Err(error);
                    }
                }
            }
        }
        Err(first.unwrap_or_else(|| (ErrorKind::InvalidClientConfig, "there is no address").into()))
    }

    async fn search(&self, login: &Login) -> RedisResult<ServerConnection> {
        let server = match (&login.address, &self.lookout) {
            (ServerAddress::Watched(watched), Some(lookout)) => lookout.find(watched).await?,
            (ServerAddress::Nodes(nodes), None) if nodes.len() == 1 => nodes[0].clone(),
            (ServerAddress::Watched(_) | ServerAddress::Nodes(_), _) => {
                return Err((ErrorKind::InvalidClientConfig, "the address is of another kind").into());
            }
        };
        let connection = open(server).await?;
        if self.lookout.is_some() {
            check_primary(connection.clone()).await?;
            tracing::info!(server = connection.address, "connected to the primary of Redis");
        }
        Ok(connection)
    }
}

async fn open(server: ConnectionInfo) -> RedisResult<ServerConnection> {
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
    let connection = Client::open(server)?.get_multiplexed_async_connection_with_config(&config).await?;
    Ok(ServerConnection { connection, address, lost })
}

async fn check_primary(mut server: ServerConnection) -> RedisResult<()> {
    let role: Vec<Value> = cmd("ROLE").query_async(&mut server.connection).await?;
    let role = role.into_iter().next().map(::redis::from_redis_value::<String>).transpose()?;
    if role.as_deref() == Some("master") {
        return Ok(());
    }
    let what = "the server that the Sentinels name is not the primary";
    Err((ErrorKind::Io, what, server.address).into())
}
