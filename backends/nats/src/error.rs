//! Why NATS cannot be used as it is.

use std::fmt;
use std::path::PathBuf;

use async_nats::{ConnectError, ConnectErrorKind};

use ports::BackendError;

/// Why NATS cannot be used as it is.
#[derive(Debug, thiserror::Error)]
pub enum NatsError {
    /// A server's URL cannot be read.
    #[error("read the address of a NATS server")]
    Address(#[source] std::io::Error),
    /// The credentials file cannot be read.
    #[error("read the NATS credentials file {path}")]
    Credentials {
        /// Which.
        path: PathBuf,
        /// Why not.
        #[source]
        source: std::io::Error,
    },
    /// The file with the nkey cannot be read.
    #[error("read the NATS nkey file {path}")]
    Nkey {
        /// Which.
        path: PathBuf,
        /// Why not.
        #[source]
        source: std::io::Error,
    },
    /// The file with the trusted certificates cannot be read.
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
    /// The server refuses this node.
    #[error("connect to NATS: it refused {shown}")]
    Refused {
        /// The credentials that the node showed to the server.
        shown: Shown,
    },
    /// The TLS handshake failed.
    #[error("connect to NATS by TLS, trusting {trusted}")]
    Untrusted {
        /// The trusted authorities.
        trusted: Trusted,
        /// The cause.
        #[source]
        source: ConnectError,
    },
    /// A stream or bucket is missing. Only `lubdub init` makes it.
    #[error(
        "use {what} on NATS: it is missing; is this the NATS of the installation? `lubdub init` sets a new one up"
    )]
    Missing {
        /// What.
        what: String,
    },
    /// A stream is missing beside others of its installation.
    #[error(
        "use {what} on NATS: it is missing, and others of installation {installation} are there; if `lubdub init` is not at work, \
         NATS lost it: restore NATS"
    )]
    Lost {
        /// What.
        what: String,
        /// The identity of the installation.
        installation: String,
    },
    /// The servers cannot keep so many copies.
    #[error(
        "set up {what} on NATS: a server that stands alone keeps one copy; give --replicas 1, or a cluster of servers"
    )]
    Replicas {
        /// The thing that should be made.
        what: String,
        /// The server's error.
        #[source]
        source: BackendError,
    },
    /// A stream of Lubdub says of no installation that it is its own.
    #[error(
        "use stream {stream} on NATS: it has no identity of an installation, for a version before the first release made it; begin with an empty server"
    )]
    Nameless {
        /// Its name.
        stream: String,
    },
    /// The server takes only smaller messages.
    #[error("use NATS: its max_payload is {found} bytes and must be at least {least}")]
    Payload {
        /// The server's limit, bytes.
        found: usize,
        /// The least limit, bytes.
        least: usize,
    },
    /// The installation has another number of partitions.
    #[error("use {prefix} on NATS: it has {found} partitions, not {wanted}; their number never changes")]
    Partitions {
        /// Which installation.
        prefix: String,
        /// The installation's number.
        found: u16,
        /// The number in the options.
        wanted: u16,
    },
    /// Another program made a stream of that name.
    #[error("use stream {stream} on NATS: it is not Lubdub's; choose another prefix")]
    NotOurs {
        /// Its name.
        stream: String,
    },
    /// The server has no JetStream, or not for this account.
    #[error("use NATS: JetStream is off; put `jetstream {{}}` into the server's configuration")]
    NoJetStream(#[source] BackendError),
    /// The server cannot reserve the bytes of a stream.
    #[error(
        "set up {what} on NATS: no room; give the log fewer bytes, or JetStream a greater max_file_store"
    )]
    NoRoom {
        /// The thing that should be made.
        what: String,
        /// The server's error.
        #[source]
        source: BackendError,
    },
    /// The server did not answer, or refused.
    #[error("set up {what} on NATS")]
    SetUp {
        /// The thing that should be made or read.
        what: String,
        /// Why not.
        #[source]
        source: BackendError,
    },
}

impl NatsError {
    /// Whether the error may pass while servers and installations are still starting.
    #[must_use]
    pub fn may_pass(&self) -> bool {
        match self {
            Self::Connect(error) => may_come(error),
            Self::Missing { .. } | Self::Lost { .. } => true,
            Self::Address(_)
            | Self::Credentials { .. }
            | Self::Nkey { .. }
            | Self::Ca { .. }
            | Self::Refused { .. }
            | Self::Untrusted { .. }
            | Self::Payload { .. }
            | Self::Replicas { .. }
            | Self::Nameless { .. }
            | Self::Partitions { .. }
            | Self::NotOurs { .. }
            | Self::NoJetStream(_)
            | Self::NoRoom { .. }
            | Self::SetUp { .. } => false,
        }
    }

    /// Whether the error stays until a person mends a setting, of this node or of the servers.
    #[must_use]
    pub fn stays_wrong(&self) -> bool {
        !self.may_pass() && !matches!(self, Self::NoRoom { .. } | Self::SetUp { .. })
    }
}

/// The credentials that a node shows to the servers.
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

/// The authorities whose certificates a node trusts.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Trusted {
    /// The authorities that the system trusts.
    System,
    /// Only the authorities in this file.
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

/// Whether an unreachable server may only be starting.
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
