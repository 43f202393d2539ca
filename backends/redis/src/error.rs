//! Why Redis cannot be used, told apart by what can be done about it.

use std::io;
use std::sync::Arc;

use ::redis::ErrorKind;

/// The oldest that will do.
pub(super) const OLDEST: (u32, u32) = (7, 0);

/// Why Redis cannot be used as it is.
#[derive(Debug, thiserror::Error)]
pub enum RedisError {
    /// The URL.
    #[error("read the address of Redis")]
    Address(#[source] ::redis::RedisError),
    /// The certificates that are to be trusted.
    #[error("read the certificates that are to be trusted for Redis")]
    Certificates(#[source] ::redis::RedisError),
    /// It does not answer, or not yet.
    #[error("connect to Redis")]
    Connect(#[source] ::redis::RedisError),
    /// It hung up or said nothing. It may be on its way up or down, or one of the two speaks TLS and the other does not.
    #[error("connect to Redis, which hangs up or says nothing (rediss:// is with TLS, redis:// is without)")]
    Silent(#[source] ::redis::RedisError),
    /// It does not accept the user and password, or this user may not do what everybody must. Trying again does not help.
    #[error("log in to Redis")]
    Login(#[source] ::redis::RedisError),
    /// It is not who it should be, or does not speak TLS. Trying again does not help.
    #[error("agree with Redis on TLS")]
    Tls(#[source] ::redis::RedisError),
    /// No Sentinel knows a primary of this name.
    #[error("ask the Sentinels for the primary: none of them watches {name:?}")]
    Name {
        /// What the URL says.
        name: String,
    },
    /// It is too old.
    #[error("use Redis: it is version {found}, and must be at least {}.{}, or Valkey", OLDEST.0, OLDEST.1)]
    Version {
        /// What it says.
        found: String,
    },
}

impl RedisError {
    /// What kept somebody from connecting.
    pub(super) fn of(error: ::redis::RedisError) -> Self {
        if refuses_login(&error) {
            Self::Login(error)
        } else if is_about_tls(&error) {
            Self::Tls(error)
        } else if error.is_timeout() || (error.is_connection_dropped() && !error.is_connection_refusal()) {
            Self::Silent(error)
        } else {
            Self::Connect(error)
        }
    }

    /// Whether it may pass by itself.
    #[must_use]
    pub const fn is_transient(&self) -> bool {
        match self {
            Self::Connect(_) | Self::Silent(_) => true,
            Self::Address(_)
            | Self::Certificates(_)
            | Self::Login(_)
            | Self::Tls(_)
            | Self::Name { .. }
            | Self::Version { .. } => false,
        }
    }
}

/// How the client keeps the error that another came from.
type Shared = Arc<dyn std::error::Error + Send + Sync>;

fn refuses_login(error: &::redis::RedisError) -> bool {
    error.kind() == ErrorKind::AuthenticationFailed
        || error.code().is_some_and(|code| ["NOAUTH", "WRONGPASS", "NOPERM"].contains(&code))
}

/// A certificate that is not trusted, a server that speaks no TLS, or one that wants more of us than we have.
fn is_about_tls(error: &::redis::RedisError) -> bool {
    let source = std::error::Error::source(error).and_then(|source| source.downcast_ref::<Shared>());
    let within = source.and_then(|source| source.downcast_ref::<io::Error>()).and_then(io::Error::get_ref);
    within.is_some_and(|within| within.is::<rustls::Error>())
}
