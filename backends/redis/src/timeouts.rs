//! Time limits for a server's answers.

use std::time::Duration;

/// Longest wait for an answer. A late server may still carry out the command.
pub(super) const RESPONSE_TIMEOUT: Duration = Duration::from_secs(3);
pub(super) const CONNECT_TIMEOUT: Duration = Duration::from_secs(2);
