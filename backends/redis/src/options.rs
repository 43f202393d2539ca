//! How Redis is reached, and what is kept there.

use std::fmt;
use std::path::PathBuf;

use model::channel::Secret;

/// How Redis is reached, and what is kept there.
#[derive(Clone)]
pub struct RedisOptions {
    /// `redis://`, `rediss://` or `unix:`; several comma-separated ones, or `redis+cluster://` with
    /// comma-separated hosts, for a Redis Cluster; `redis+sentinel://` with comma-separated Sentinels, `/`,
    /// the name of the primary, and optionally `?db=1`. `rediss+…` uses TLS for all of them. A user and
    /// password in the URL are used, for Sentinels as well.
    pub url: String,
    /// The user, if the URL does not name one.
    pub user: Option<String>,
    /// The user's password, if the URL does not have one.
    pub password: Option<Secret>,
    /// A file with the password, in place of `password`. It is read again whenever a connection is made.
    pub password_file: Option<PathBuf>,
    /// Certificates in PEM that are trusted instead of the system's. Only with TLS.
    pub ca: Option<Vec<u8>>,
    /// A file with them, in place of `ca`. It is read again whenever a connection is made.
    pub ca_file: Option<PathBuf>,
    /// Prefix of all keys: several installations can share one server.
    pub prefix: String,
    /// Least number of heartbeats kept of each monitor; 0 = none at all.
    pub history_per_monitor: usize,
    /// Least number of flips kept of each monitor.
    pub flips_per_monitor: usize,
}

impl RedisOptions {
    /// The default settings.
    pub fn new(url: impl Into<String>) -> Self {
        Self {
            url: url.into(),
            user: None,
            password: None,
            password_file: None,
            ca: None,
            ca_file: None,
            prefix: "lubdub".to_owned(),
            history_per_monitor: 200,
            flips_per_monitor: 200,
        }
    }
}

/// Without the URL, which may contain a password.
impl fmt::Debug for RedisOptions {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self {
            url: _,
            user,
            password: _,
            password_file,
            ca: _,
            ca_file,
            prefix,
            history_per_monitor,
            flips_per_monitor,
        } = self;
        f.debug_struct("RedisOptions")
            .field("user", user)
            .field("password_file", password_file)
            .field("ca_file", ca_file)
            .field("prefix", prefix)
            .field("history_per_monitor", history_per_monitor)
            .field("flips_per_monitor", flips_per_monitor)
            .finish_non_exhaustive()
    }
}
