//! How long a server may take.

use std::time::Duration;

/// A server that does not answer within this is not there. It may yet do what it was told.
pub(super) const RESPONSE_TIMEOUT: Duration = Duration::from_secs(3);
pub(super) const CONNECT_TIMEOUT: Duration = Duration::from_secs(2);
