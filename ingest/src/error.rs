//! Why ingest cannot run.

/// Why ingest cannot run. What happens to a single push is its answer, not an error.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// A setting that makes no sense.
    #[error("read the configuration: {flag} {rule}")]
    Config {
        /// The flag.
        flag: &'static str,
        /// The rule for the value.
        rule: &'static str,
    },
    /// A part of ingest ended by a defect of its own.
    #[error("run a part of ingest")]
    Task(#[source] tokio::task::JoinError),
}

impl Error {
    /// Whether trying again can help.
    pub const fn is_transient(&self) -> bool {
        match self {
            Self::Config { .. } | Self::Task(_) => false,
        }
    }
}
