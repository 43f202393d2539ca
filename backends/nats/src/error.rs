//! Why NATS cannot be used as it is.

use std::fmt;
use std::path::PathBuf;

use async_nats::{ConnectError, ConnectErrorKind};

use ports::BackendError;

/// Why NATS cannot be used as it is.
#[derive(Debug, thiserror::Error)]
pub enum NatsError {
    /// A server's URL.
    #[error("read the address of a NATS server")]
    Address(#[source] std::io::Error),
    /// The credentials file.
    #[error("read the NATS credentials file {path}")]
    Credentials {
        /// Which.
        path: PathBuf,
        /// Why not.
        #[source]
        source: std::io::Error,
    },
    /// The file with the nkey.
    #[error("read the NATS nkey file {path}")]
    Nkey {
        /// Which.
        path: PathBuf,
        /// Why not.
        #[source]
        source: std::io::Error,
    },
    /// The file with the certificates that are trusted.
    #[error("read the certificates of NATS from {path}")]
    Ca {
        /// Which.
        path: PathBuf,
        /// Why not.
        #[source]
        source: std::io::Error,
    },
    /// No server answers.
    #[error("connect to NATS")]
    Connect(#[source] ConnectError),
    /// It does not let this node in.
    #[error("connect to NATS: it refused {shown}")]
    Refused {
        /// What it was shown.
        shown: Shown,
    },
    /// There is no TLS with it.
    #[error("connect to NATS by TLS, trusting {trusted}")]
    Untrusted {
        /// Whose certificates are trusted.
        trusted: Trusted,
        /// Why it failed.
        #[source]
        source: ConnectError,
    },
    /// Something is not there, and this node may not make it.
    #[error(
        "use {what} on NATS: it is not there, and this node has no right to make it; run `lubdub init` first"
    )]
    Missing {
        /// What.
        what: String,
    },
    /// The server takes smaller messages only.
    #[error("use NATS: its max_payload is {found} bytes and must be at least {least}")]
    Payload {
        /// What the server takes.
        found: usize,
        /// What is needed.
        least: usize,
    },
    /// The installation has another number of partitions.
    #[error("use {prefix} on NATS: it has {found} partitions, not {wanted}; their number never changes")]
    Partitions {
        /// Which installation.
        prefix: String,
        /// What there is.
        found: u16,
        /// What was asked for.
        wanted: u16,
    },
    /// A stream of that name was made by something else.
    #[error("use stream {stream} on NATS: it is not Lubdub's; choose another prefix")]
    NotOurs {
        /// Its name.
        stream: String,
    },
    /// The server has no JetStream, or not for this account.
    #[error("use NATS: JetStream is off; put `jetstream {{}}` into the server's configuration")]
    NoJetStream(#[source] BackendError),
    /// The log's bytes are reserved when a stream is made.
    #[error(
        "set up {what} on NATS: no room; give the log fewer bytes, or JetStream a greater max_file_store"
    )]
    NoRoom {
        /// What was to be made.
        what: String,
        /// What the server said.
        #[source]
        source: BackendError,
    },
    /// It could not be asked, or refused.
    #[error("set up {what} on NATS")]
    SetUp {
        /// What was to be made or read.
        what: String,
        /// Why not.
        #[source]
        source: BackendError,
    },
}

impl NatsError {
    /// Whether it may be otherwise in a while, when servers and installations are still being started.
    #[must_use]
    pub fn may_pass(&self) -> bool {
        match self {
            Self::Connect(error) => may_come(error),
            Self::Missing { .. } => true,
            Self::Address(_)
            | Self::Credentials { .. }
            | Self::Nkey { .. }
            | Self::Ca { .. }
            | Self::Refused { .. }
            | Self::Untrusted { .. }
            | Self::Payload { .. }
            | Self::Partitions { .. }
            | Self::NotOurs { .. }
            | Self::NoJetStream(_)
            | Self::NoRoom { .. }
            | Self::SetUp { .. } => false,
        }
    }
}

/// What a node shows to the servers.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Shown {
    /// Nothing at all.
    Nothing,
    /// The user and the password in the URL.
    User,
    /// A file with a JWT and its seed.
    Credentials(PathBuf),
    /// A file with the seed of an nkey.
    Nkey(PathBuf),
}

impl fmt::Display for Shown {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Nothing => write!(f, "a node without nkey or credentials"),
            Self::User => write!(f, "the user in the URL"),
            Self::Credentials(path) => write!(f, "the credentials in {}", path.display()),
            Self::Nkey(path) => write!(f, "the nkey in {}", path.display()),
        }
    }
}

/// Whose certificates a node trusts.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Trusted {
    /// Those whom the system trusts.
    System,
    /// Those in this file, and nobody else.
    File(PathBuf),
}

impl fmt::Display for Trusted {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::System => write!(f, "the system's authorities, without --nats-ca"),
            Self::File(path) => write!(f, "the authority in {}", path.display()),
        }
    }
}

/// Whether a server that cannot be reached may only be on its way.
fn may_come(error: &ConnectError) -> bool {
    match error.kind() {
        ConnectErrorKind::Dns | ConnectErrorKind::TimedOut | ConnectErrorKind::Io => true,
        ConnectErrorKind::ServerParse
        | ConnectErrorKind::Authentication
        | ConnectErrorKind::AuthorizationViolation
        | ConnectErrorKind::Tls
        | ConnectErrorKind::MaxReconnects => false,
    }
}
