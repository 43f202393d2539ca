//! The prefix that all names on NATS and Redis begin with, so that installations can share servers.

/// A prefix that is not one.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("--prefix must be 1 to 32 of A–Z a–z 0–9 _ -")]
pub struct BadPrefix;

/// Checks a prefix.
///
/// # Errors
/// [`BadPrefix`] names the flag and what is allowed.
pub fn check_prefix(prefix: &str) -> Result<(), BadPrefix> {
    let plain = |c: char| c.is_ascii_alphanumeric() || c == '_' || c == '-';
    let good = (1..=32).contains(&prefix.len()) && prefix.chars().all(plain);
    if good { Ok(()) } else { Err(BadPrefix) }
}
