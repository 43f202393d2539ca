//! Keys of the management API.

use serde::{Deserialize, Serialize};

use super::ids::KeyId;
use super::time::EventTime;

/// The scope of a key.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Scope {
    /// Everything.
    Admin,
    /// Reading, without secrets.
    Read,
}

/// A key, as the registry holds it: only its hash.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct ApiKey {
    /// Never changes.
    pub id: KeyId,
    /// 1 to 100 characters.
    pub name: String,
    /// The scope.
    pub scope: Scope,
    /// SHA-256 of the key. A key has 256 random bits, so a plain hash cannot be guessed.
    #[serde(with = "serde_bytes")]
    pub hash: Vec<u8>,
    /// The time of its creation.
    pub created_at: EventTime,
}
