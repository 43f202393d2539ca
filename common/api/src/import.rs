//! Pure. Imports.

use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use super::export::Micros;

/// The result of an import.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct ImportDone {
    /// The number of lines that are in the log now.
    pub accepted: usize,
    /// The number of lines that were skipped, because their monitors' histories are complete.
    pub ignored: usize,
    /// The server's time, with microseconds.
    #[schema(value_type = String, format = DateTime)]
    pub now: Micros,
}
