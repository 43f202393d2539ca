//! How Redis is reached, and what is kept there.

use std::fmt;

use model::channel::Secret;

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
