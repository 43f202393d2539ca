//! Time limits for a server's answers.

use std::time::Duration;

/// Longest wait for an answer to a request.
pub(super) const REQUEST_TIMEOUT: Duration = Duration::from_secs(2);
