//! Pure. Imports.

use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use super::export::Micros;

/// What became of an import.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct ImportDone {
    /// Lines that are in the log now.
    pub accepted: usize,
    /// Lines that were passed over, because their monitors' histories are complete.
    pub ignored: usize,
    /// The server's time, with microseconds.
    #[schema(value_type = String, format = DateTime)]
    pub now: Micros,
}
