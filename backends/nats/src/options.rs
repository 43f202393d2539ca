//! How the servers are reached, and the settings of streams on them.

use std::path::PathBuf;
use std::sync::Arc;
use std::sync::atomic::AtomicBool;
use std::time::Duration;

use model::role::Role;

/// How the servers are reached, and the settings of streams on them.
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
    /// The node's role. Its answers come on subjects with this name, so that no role hears another's.
    pub role: Role,
    /// Prefix of all names on the server: several installations can share one.
    pub prefix: String,
    /// Copies of every stream, 1 to 5.
    pub replicas: usize,
    /// Number of partitions; `None` = the existing number, 4 in a new installation.
    pub partitions: Option<u16>,
    /// How long the heartbeat log is kept.
    pub retention: Duration,
    /// Most bytes of a partition's heartbeat log; the oldest entries go first.
    /// `None` = the existing limit, or in a new installation one that fits the free room.
    pub log_bytes: Option<i64>,
    /// Most messages that a queue holds.
    pub queue_capacity: usize,
    /// This node's name: a new one for each start.
    pub node: String,
    /// Whether it was said that no server can be reached. A caller that connects again and again keeps the
    /// same options, so that it is said once.
    pub is_away_told: Arc<AtomicBool>,
}

impl NatsOptions {
    /// The default settings for one server, with all rights.
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
            retention: Duration::from_secs(90 * 24 * 3_600),
            log_bytes: None,
            queue_capacity: 1_000_000,
            node: node.into(),
            is_away_told: Arc::default(),
        }
    }
}
