//! Pure. The mask of secret values.

/// What stands in answers instead of a secret value; given back, it keeps the value.
pub const MASK: &str = "***";
