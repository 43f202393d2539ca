//! The adapters on Redis or Valkey: state store, history, deliveries, roster, ledger.
//!
//! - `options`, `address`: which servers are meant, how they are reached, and as which user; `access`: what
//!   the files of a login hold now; `rights`: what each role may do.
//! - `connection`: one server, a cluster, or the primary behind one type, and what a server must be;
//!   `follower` keeps a connection to one server or the primary, which `sentinel` finds; `nodes` one to a
//!   cluster; `timeouts`.
//! - `keys`: the names of all keys on the server.
//! - `hot`, `cold`: a monitor's state in its two stored parts; `records`: stored heartbeats and flips.
//! - `packer`: many arguments of a script in one.
//! - `state`: the state store. `memo` is what the holder of a lease remembers of its writes, `commit` packs
//!   commits, `load` reads whole partitions, `due` asks the sorted sets.
//! - `history`, `deliveries`, `roster`, `ledger`.
//! - `installation`: whose Redis it is, and whether it can be used; `trouble`: why not.
//!
//! The scripts (`*.lua`) use keys that are not among their `KEYS`: passing thousands of names would cost more
//! than the work. All keys of a script carry the hash tag of the passed key, so they lie on the same node of
//! a cluster.

mod access;
mod address;
mod cold;
mod commit;
mod connection;
mod deliveries;
mod due;
mod error;
mod follower;
mod history;
mod hot;
mod installation;
mod keys;
mod ledger;
mod load;
mod memo;
mod nodes;
mod options;
mod packer;
mod records;
mod rights;
mod roster;
mod sentinel;
mod state;
mod timeouts;
mod trouble;

use std::sync::Arc;

use ports::clock::Clock;

pub use deliveries::RedisDeliveries;
pub use error::RedisError;
pub use history::RedisHistory;
pub use installation::{Look, RedisMark};
pub use ledger::RedisLedger;
pub use options::RedisOptions;
pub use rights::{User, sentinel_acl, server_acl};
pub use roster::RedisRoster;
pub use state::RedisStateStore;
pub use trouble::RedisTrouble;

use access::Access;
use connection::Server;
use keys::Keys;

/// Everything that is kept in Redis.
pub struct RedisBackend {
    server: Server,
    keys: Keys,
    mark: RedisMark,
    state: Arc<RedisStateStore>,
    history: Arc<RedisHistory>,
    deliveries: Arc<RedisDeliveries>,
    ledger: Arc<RedisLedger>,
}

impl RedisBackend {
    /// Checks the options and the files that they name without connecting.
    ///
    /// # Errors
    /// [`RedisError::Address`], [`RedisError::File`] and [`RedisError::Certificates`].
    pub fn check(options: &RedisOptions) -> Result<(), RedisError> {
        Access::open(options).map(drop)
    }

    /// Connects, and checks whether the server can be used. Each kind of use has its own connection, so that
    /// no call waits behind large answers to another.
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
            mark: RedisMark::new(reads.clone(), keys.clone()),
            state: Arc::new(RedisStateStore::new(writes, reads, keys.clone())),
            history: Arc::new(history),
            deliveries: Arc::new(deliveries),
            ledger: Arc::new(ledger),
            server,
            keys,
        })
    }

    /// Whose Redis it is.
    pub const fn mark(&self) -> &RedisMark {
        &self.mark
    }

    /// The state store, for owners and readers of partitions.
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

    /// The nodes of a role. Each roster has its own connection: a delayed beat looks like death.
    ///
    /// # Errors
    /// [`RedisError`].
    pub async fn roster(&self, role: &str) -> Result<Arc<RedisRoster>, RedisError> {
        let (members, told) = (self.keys.roster(role), self.keys.told(role));
        Ok(Arc::new(RedisRoster::new(self.server.connect().await?, members, told)))
    }
}
