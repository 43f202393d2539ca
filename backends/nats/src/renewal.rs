//! A changed credential is taken while the node works.
//!
//! A server that is told to forget a credential ends the connections that were made with it, and with them
//! requests that are under way: pushes among them. So a node whose file changed makes sure by a connection
//! beside its own that the servers take the new credential, lets no request be under way, and connects anew.

use std::sync::Arc;
use std::time::{Duration, Instant};

use async_nats::{Client, ConnectOptions, ServerAddr};
use parking_lot::Mutex;
use tokio::sync::{OwnedRwLockReadGuard, OwnedRwLockWriteGuard, RwLock};
use tokio::task::JoinSet;

use super::access::Access;
use super::login::Login;
use super::timeouts::REQUEST_TIMEOUT;
use model::chain::Chain;
use ports::repeats::Repeats;

/// How often the file is looked at.
const LOOK_EVERY: Duration = Duration::from_secs(5);
/// Longest wait for the requests that are under way. New ones wait meanwhile.
const REQUESTS_END: Duration = Duration::from_millis(500);
/// How often it is looked whether the connection is there.
const WAIT: Duration = Duration::from_millis(10);

/// Lets requests pass, or nothing but a new login.
#[derive(Debug, Clone, Default)]
pub(super) struct Turnstile(Arc<RwLock<()>>);

impl Turnstile {
    /// A request is under way until what is returned is dropped.
    pub(super) async fn pass(&self) -> OwnedRwLockReadGuard<()> {
        Arc::clone(&self.0).read_owned().await
    }

    /// No request is under way until what is returned is dropped; `None` if some take too long.
    async fn stop(&self) -> Option<OwnedRwLockWriteGuard<()>> {
        tokio::time::timeout(REQUESTS_END, Arc::clone(&self.0).write_owned()).await.ok()
    }
}

/// Looks after the file of a login until the last copy is dropped.
#[derive(Debug, Clone)]
pub(super) struct Renewal {
    _task: Arc<Mutex<JoinSet<()>>>,
}

impl Renewal {
    /// Begins. `settings` completes the options of the connection beside the node's own.
    pub(super) fn begin(
        access: Access,
        client: Client,
        servers: Vec<ServerAddr>,
        turnstile: Turnstile,
        settings: impl Fn(ConnectOptions) -> ConnectOptions + Send + 'static,
    ) -> Self {
        let mut task = JoinSet::new();
        if let Some(login) = access.login.clone() {
            task.spawn(async move {
                let mut refused = Repeats::default();
                loop {
                    tokio::time::sleep(LOOK_EVERY).await;
                    let Some(credential) = login.changed() else {
                        refused = Repeats::default();
                        continue;
                    };
                    let probe = settings(access.options_with(Arc::clone(&credential)));
                    match probe.connect(servers.as_slice()).await {
                        Ok(_) => take(&client, &turnstile, &login).await,
                        Err(error) => {
                            if let Some(failures) = refused.news(Instant::now()) {
                                let error = access.failed(error);
                                tracing::warn!(
                                    error = %Chain(&error), failures,
                                    "NATS does not take the changed credential; the former one stays in use"
                                );
                            }
                        }
                    }
                }
            });
        }
        Self { _task: Arc::new(Mutex::new(task)) }
    }
}

/// Connects anew while no request is under way.
async fn take(client: &Client, turnstile: &Turnstile, login: &Login) {
    let Some(_stopped) = turnstile.stop().await else { return };
    if client.force_reconnect().await.is_err() {
        return;
    }
    let taken = async {
        while login.changed().is_some() {
            tokio::time::sleep(WAIT).await;
        }
    };
    if tokio::time::timeout(REQUEST_TIMEOUT, taken).await.is_ok() {
        tracing::info!("logged in to NATS with the changed credential");
    }
}
