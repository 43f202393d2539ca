//! A connection to a Redis Cluster. The client connects to its nodes by itself, always by the login that it
//! was made with, so a changed login makes another client.

use std::sync::Arc;
use std::time::Duration;

use ::redis::cluster::ClusterClientBuilder;
use ::redis::cluster_async::ClusterConnection;
use ::redis::{ErrorKind, ProtocolVersion, RedisResult};
use tokio::time::Instant;

use super::access::{Access, Login};
use super::address::ServerAddress;
use super::timeouts::{CALL_TIMEOUT, CONNECT_TIMEOUT, RESPONSE_TIMEOUT};

/// How often the client of a cluster follows a moved node in one call.
const CLUSTER_RETRIES: u32 = 3;
/// How often, while calls are made, it is looked whether the login changed.
const LOOK_EVERY: Duration = Duration::from_secs(2);

/// A client of a cluster, by the present login.
pub(super) struct Nodes {
    access: Arc<Access>,
    present: parking_lot::Mutex<Present>,
    /// Held by the call that makes another client.
    renewing: tokio::sync::Mutex<()>,
}

struct Present {
    connection: ClusterConnection,
    login: Arc<Login>,
    look_at: Instant,
}

impl Nodes {
    /// A client that has found the nodes.
    pub(super) async fn connect(access: Arc<Access>) -> RedisResult<Self> {
        let mut first = None;
        for login in access.logins() {
            match connect(&login).await {
                Ok(connection) => {
                    access.was_taken(&login);
                    let present = Present { connection, login, look_at: Instant::now() + LOOK_EVERY };
                    let (present, renewing) = (parking_lot::Mutex::new(present), tokio::sync::Mutex::new(()));
                    return Ok(Self { access, present, renewing });
                }
                Err(error) => {
                    access.may_be_other(&error);
                    first.get_or_insert(error);
                }
            }
        }
        Err(first.unwrap_or_else(|| (ErrorKind::InvalidClientConfig, "there is no address").into()))
    }

    /// The client. One of a changed login takes its place as soon as the nodes take that login; other calls
    /// do not wait for it.
    pub(super) async fn present(&self) -> ClusterConnection {
        if let Ok(_renewing) = self.renewing.try_lock()
            && let Some(login) = self.changed()
        {
            match connect(&login).await {
                Ok(connection) => {
                    self.access.was_taken(&login);
                    let mut present = self.present.lock();
                    (present.connection, present.login) = (connection, login);
                }
                Err(error) => drop(self.access.may_be_other(&error)),
            }
        }
        self.present.lock().connection.clone()
    }

    /// Another login than that of the client, if it is time to look for one.
    fn changed(&self) -> Option<Arc<Login>> {
        {
            let mut present = self.present.lock();
            let now = Instant::now();
            if now < present.look_at {
                return None;
            }
            present.look_at = now + LOOK_EVERY;
        }
        let login = self.access.present();
        let is_changed = !Arc::ptr_eq(&login, &self.present.lock().login);
        is_changed.then_some(login)
    }
}

async fn connect(login: &Login) -> RedisResult<ClusterConnection> {
    let ServerAddress::Nodes(nodes) = &login.address else {
        return Err((ErrorKind::InvalidClientConfig, "the address is of Sentinels").into());
    };
    let mut builder = ClusterClientBuilder::new(nodes.clone())
        .use_protocol(ProtocolVersion::RESP3)
        .retries(CLUSTER_RETRIES)
        .connection_timeout(CONNECT_TIMEOUT)
        .response_timeout(RESPONSE_TIMEOUT)
        .overall_response_timeout(Some(CALL_TIMEOUT));
    if let Some(certificates) = login.certificates.clone() {
        builder = builder.certs(certificates);
    }
    builder.build()?.get_async_connection().await
}
