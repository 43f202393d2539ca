//! The error of what is behind an adapter.

/// The error of what is behind an adapter: a database, a server, a file.
pub type BackendError = Box<dyn std::error::Error + Send + Sync>;
