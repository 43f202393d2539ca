//! Why Redis cannot be used, by what the operator can do about it.

use std::io;
use std::path::PathBuf;
use std::sync::Arc;

use ::redis::ErrorKind;

/// The oldest usable version.
pub(super) const OLDEST: (u32, u32) = (7, 0);

/// Why Redis cannot be used as it is.
#[derive(Debug, thiserror::Error)]
pub enum RedisError {
    /// The URL cannot be read.
    #[error("read the address of Redis")]
    Address(#[source] ::redis::RedisError),
    /// A file that the options name cannot be read.
    #[error("read {path}")]
    File {
        /// Which.
        path: PathBuf,
        /// Why not.
        #[source]
        source: io::Error,
    },
    /// The trusted certificates cannot be read.
    #[error("read the certificates that are to be trusted for Redis")]
    Certificates(#[source] ::redis::RedisError),
    /// The server does not answer, or not yet.
    #[error("connect to Redis")]
    Connect(#[source] ::redis::RedisError),
    /// The server hung up or said nothing. It may be starting or stopping, or only one of the two sides
    /// speaks TLS.
    #[error("connect to Redis, which hangs up or says nothing (rediss:// is with TLS, redis:// is without)")]
    Silent(#[source] ::redis::RedisError),
    /// The server refuses the user and password, or the user lacks the rights that every node needs. Trying
    /// again does not help.
    #[error("log in to Redis")]
    Login(#[source] ::redis::RedisError),
    /// The server is not the expected one, or does not speak TLS. Trying again does not help.
    #[error("agree with Redis on TLS")]
    Tls(#[source] ::redis::RedisError),
    /// No Sentinel knows a primary of this name.
    #[error("ask the Sentinels for the primary: none of them watches {name:?}")]
    Name {
        /// The value in the URL.
        name: String,
    },
    /// The server is too old.
    #[error("use Redis: it is version {found}, and must be at least {}.{}, or Valkey", OLDEST.0, OLDEST.1)]
    Version {
        /// The server's version.
        found: String,
    },
}

impl RedisError {
    /// Classifies a failure to connect.
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

    /// Whether the error may pass by itself.
    #[must_use]
    pub const fn is_transient(&self) -> bool {
        match self {
            Self::Connect(_) | Self::Silent(_) => true,
            Self::Address(_)
            | Self::File { .. }
            | Self::Certificates(_)
            | Self::Login(_)
            | Self::Tls(_)
            | Self::Name { .. }
            | Self::Version { .. } => false,
        }
    }
}

/// The error that the client wrapped in another one.
type Shared = Arc<dyn std::error::Error + Send + Sync>;

fn refuses_login(error: &::redis::RedisError) -> bool {
    error.kind() == ErrorKind::AuthenticationFailed
        || error.code().is_some_and(|code| ["NOAUTH", "WRONGPASS", "NOPERM"].contains(&code))
}

/// An untrusted certificate, a server without TLS, or one that asks for a client certificate.
fn is_about_tls(error: &::redis::RedisError) -> bool {
    let source = std::error::Error::source(error).and_then(|source| source.downcast_ref::<Shared>());
    let within = source.and_then(|source| source.downcast_ref::<io::Error>()).and_then(io::Error::get_ref);
    within.is_some_and(|within| within.is::<rustls::Error>())
}
