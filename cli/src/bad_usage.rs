//! Usage that the parser of the command line cannot refuse.

/// Arguments that are each good and together mean nothing.
#[derive(Debug, thiserror::Error)]
#[error("{0}")]
pub(crate) struct BadUsage(pub(crate) &'static str);
