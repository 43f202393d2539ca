//! How the servers are reached, and what is made on them.

use std::path::PathBuf;
use std::time::Duration;

use model::role::Role;

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
