//! Pure. The mask of secret values.

/// The mask that answers show instead of a secret value. Sent back, it keeps the value.
pub const MASK: &str = "***";
