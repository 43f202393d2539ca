//! Why the notifier cannot go on.

use ports::registry::RegistryError;

/// Why the notifier cannot go on. Failures of single attempts are no errors: they stand in the delivery
/// history.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// The HTTP client could not be built.
    #[error("prepare the HTTP client for webhooks")]
    Client(#[source] reqwest::Error),
    /// The registry cannot be followed.
    #[error("follow the channels in the registry")]
    Registry(#[source] RegistryError),
    /// A part of the notifier ended by a defect of its own.
    #[error("run a part of the notifier")]
    Task(#[source] tokio::task::JoinError),
}

impl Error {
    /// Whether trying again can help.
    pub const fn is_transient(&self) -> bool {
        match self {
            Self::Client(_) | Self::Task(_) => false,
            Self::Registry(error) => error.is_transient(),
        }
    }
}
