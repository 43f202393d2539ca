//! The adapters on Redis or Valkey: state store, history, deliveries, roster, ledger.
//!
//! - `address`: which servers are meant, how they are reached, and as whom; `rights`: what each role may do there.
//! - `connection`: one server, a cluster of them, or whichever is the primary behind one face, and what a server must be;
//!   `sentinel` follows the primary.
//! - `keys`: the names of everything that is kept on the server.
//! - `hot`, `cold`: a monitor's state in its two stored parts; `records`: heartbeats and flips as they are kept.
//! - `packer`: many arguments of a script in one.
//! - `state`: the state store. `memo` is what the holder of a lease remembers of what it wrote, `commit` packs commits,
//!   `load` reads whole partitions, `due` asks the sorted sets.
//! - `history`, `deliveries`, `roster`, `ledger`.
//!
//! The scripts (`redis/*.lua`) read and write keys that they are not told as `KEYS`: thousands of names would cost more than
//! the work. All of them carry the hash tag of the key that they are told, so they lie on the same node of a cluster.

mod address;
mod cold;
mod commit;
mod connection;
mod deliveries;
mod due;
mod error;
mod history;
mod hot;
mod keys;
mod ledger;
mod load;
mod memo;
mod packer;
mod records;
mod rights;
mod roster;
mod sentinel;
mod state;

use std::fmt;
use std::sync::Arc;

use model::channel::Secret;
use ports::clock::Clock;

pub use deliveries::RedisDeliveries;
pub use error::RedisError;
pub use history::RedisHistory;
pub use ledger::RedisLedger;
pub use rights::{User, sentinel_acl, server_acl};
pub use roster::RedisRoster;
pub use state::RedisStateStore;

use connection::Server;
use keys::Keys;

/// How Redis is reached, and what is kept there.
#[derive(Clone)]
pub struct RedisOptions {
    /// `redis://`, `rediss://` or `unix:`; several comma-separated ones, or `redis+cluster://` with comma-separated hosts,
    /// for a Redis Cluster; `redis+sentinel://` with comma-separated Sentinels, `/`, the name of what they watch, and maybe
    /// `?db=1`. `rediss+…` is with TLS, to all of them. A user and password in it are used, for Sentinels as well.
    pub url: String,
    /// Who this is, if the URL does not say it.
    pub user: Option<String>,
    /// Its password, if the URL does not say it.
    pub password: Option<Secret>,
    /// Certificates, as PEM, that are trusted instead of the system's. Only with TLS.
    pub ca: Option<Vec<u8>>,
    /// What all keys begin with: several installations can share one server.
    pub prefix: String,
    /// How many heartbeats of a monitor are kept at least; 0 = none at all.
    pub history_per_monitor: usize,
    /// How many flips of a monitor are kept at least.
    pub flips_per_monitor: usize,
}

impl RedisOptions {
    /// With the usual settings.
    pub fn new(url: impl Into<String>) -> Self {
        Self {
            url: url.into(),
            user: None,
            password: None,
            ca: None,
            prefix: "lubdub".to_owned(),
            history_per_monitor: 200,
            flips_per_monitor: 200,
        }
    }
}

/// Without the URL: there may be a password in it.
impl fmt::Debug for RedisOptions {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { url: _, user, password: _, ca: _, prefix, history_per_monitor, flips_per_monitor } = self;
        f.debug_struct("RedisOptions")
            .field("user", user)
            .field("prefix", prefix)
            .field("history_per_monitor", history_per_monitor)
            .field("flips_per_monitor", flips_per_monitor)
            .finish_non_exhaustive()
    }
}

/// Everything that is kept in Redis.
pub struct RedisBackend {
    server: Server,
    keys: Keys,
    state: Arc<RedisStateStore>,
    history: Arc<RedisHistory>,
    deliveries: Arc<RedisDeliveries>,
    ledger: Arc<RedisLedger>,
}

impl RedisBackend {
    /// Looks whether the options can be used, without connecting.
    ///
    /// # Errors
    /// [`RedisError::Address`] and [`RedisError::Certificates`].
    pub fn check(options: &RedisOptions) -> Result<(), RedisError> {
        address::read(options).map(|_| ())
    }

    /// Connects, and looks whether the server will do. Each kind of use has a connection of its own, so that nothing waits
    /// behind the large answers of another.
    ///
    /// # Errors
    /// [`RedisError`].
    pub async fn connect(options: RedisOptions, clock: Arc<dyn Clock>) -> Result<Self, RedisError> {
        let keys = Keys::new(&options.prefix);
        let server = Server::find(&options).await?;
        let (writes, reads) = (server.connect().await?, server.connect().await?);
        let history = RedisHistory::new(server.connect().await?, keys.clone(), &options);
        let deliveries = RedisDeliveries::new(server.connect().await?, &keys, clock);
        let ledger = RedisLedger::new(server.connect().await?, keys.clone());
        Ok(Self {
            state: Arc::new(RedisStateStore::new(writes, reads, keys.clone())),
            history: Arc::new(history),
            deliveries: Arc::new(deliveries),
            ledger: Arc::new(ledger),
            server,
            keys,
        })
    }

    /// The state store, and its reader.
    pub fn state(&self) -> Arc<RedisStateStore> {
        Arc::clone(&self.state)
    }

    /// Heartbeats and flips.
    pub fn history(&self) -> Arc<RedisHistory> {
        Arc::clone(&self.history)
    }

    /// Deliveries.
    pub fn deliveries(&self) -> Arc<RedisDeliveries> {
        Arc::clone(&self.deliveries)
    }

    /// The notifier's ledger.
    pub fn ledger(&self) -> Arc<RedisLedger> {
        Arc::clone(&self.ledger)
    }

    /// The nodes of a role. Each roster has a connection of its own: a beat that waits looks like death.
    ///
    /// # Errors
    /// [`RedisError`].
    pub async fn roster(&self, role: &str) -> Result<Arc<RedisRoster>, RedisError> {
        Ok(Arc::new(RedisRoster::new(self.server.connect().await?, self.keys.roster(role))))
    }
}

/// The first eight bytes of a record or an index entry: microseconds, in the order of time.
fn time_bytes(at: model::time::EventTime) -> [u8; 8] {
    at.as_micros().max(0).to_be_bytes()
}
