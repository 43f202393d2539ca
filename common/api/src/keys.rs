//! Pure. API keys, as they are shown and asked for.

use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use super::time::Time;

/// An API key. Only its owner knows the key itself.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[schema(as = Key)]
pub struct KeyView {
    /// The id. It never changes.
    #[schema(format = Uuid)]
    pub id: String,
    /// The name.
    pub name: String,
    /// The scope: what the key allows.
    pub scope: KeyScope,
    /// The time of its creation.
    pub created_at: Time,
    /// The key itself. Only the answer to its creation shows it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub key: Option<String>,
}

/// What a key allows: `admin` may do everything, `read` may read and sees no secrets.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "lowercase")]
pub enum KeyScope {
    /// Everything.
    Admin,
    /// Read what is not secret.
    Read,
}

/// A new API key.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct KeyCreate {
    /// The name.
    pub name: String,
    /// The scope: what the key allows.
    pub scope: KeyScope,
    /// Whether the request is refused with 409 if another key has the name. Default false: names may repeat.
    /// Of requests with true, at any consoles and at the same time, one is taken for each name.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub unique_name: Option<bool>,
}
