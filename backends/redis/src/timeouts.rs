//! Time limits for a server's answers.

use std::time::Duration;

/// Longest wait for an answer. A late server may still carry out the command.
pub(super) const RESPONSE_TIMEOUT: Duration = Duration::from_secs(3);
pub(super) const CONNECT_TIMEOUT: Duration = Duration::from_secs(2);
/// Longest time that a call takes, with waiting for a connection.
pub(super) const CALL_TIMEOUT: Duration = Duration::from_secs(5);
