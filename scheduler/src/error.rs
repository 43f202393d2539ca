//! The errors of the scheduler.

use ports::checkpoints::CheckpointError;
use ports::heartbeat_log::LogError;
use ports::history::HistoryError;
use ports::queue::QueueError;
use ports::registry::RegistryError;
use ports::state_store::StateError;

/// Why a scheduler, or the owner of a partition, had to stop what it was doing.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// The heartbeat log.
    #[error(transparent)]
    Log(#[from] LogError),
    /// The state store.
    #[error(transparent)]
    State(#[from] StateError),
    /// The state store does not know the lease any more, and no other scheduler took it over.
    #[error("the state store forgot the lease: it was wiped, or restored from an older copy")]
    Forgotten,
    /// The history.
    #[error(transparent)]
    History(#[from] HistoryError),
    /// The alert queue.
    #[error(transparent)]
    Queue(#[from] QueueError),
    /// The registry.
    #[error(transparent)]
    Registry(#[from] RegistryError),
    /// The checkpoints.
    #[error(transparent)]
    Checkpoints(#[from] CheckpointError),
    /// The client for the operator's own alerts could not be made.
    #[error("make the HTTP client for the operator's alerts")]
    MetaClient(#[source] reqwest::Error),
    /// The operator wants mail, and nothing says by which server.
    #[error("--meta-mail needs --smtp-url and --mail-from: they say how mail is sent")]
    MetaMail,
    /// A part of the scheduler ended by a defect of its own.
    #[error("run a part of the scheduler")]
    Task(#[source] tokio::task::JoinError),
}

impl Error {
    /// Whether trying the same again can help.
    pub const fn is_transient(&self) -> bool {
        match self {
            Self::Log(error) => error.is_transient(),
            Self::State(error) => error.is_transient(),
            Self::History(_) | Self::Queue(_) | Self::Checkpoints(_) => true,
            Self::Registry(error) => error.is_transient(),
            Self::Forgotten | Self::MetaClient(_) | Self::MetaMail | Self::Task(_) => false,
        }
    }
}
