//! How long a server may take.

use std::time::Duration;

/// Requests are given up after this.
pub(super) const REQUEST_TIMEOUT: Duration = Duration::from_secs(2);
