//! Pure. API keys, as they are shown and asked for.

use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use super::time::Time;

/// An API key; the key itself is known to its owner only.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[schema(as = Key)]
pub struct KeyView {
    /// Never changes.
    #[schema(format = Uuid)]
    pub id: String,
    /// What it is called.
    pub name: String,
    /// What it allows.
    pub scope: KeyScope,
    /// When it was made.
    pub created_at: Time,
    /// The key itself: in the answer to its creation only.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub key: Option<String>,
}

/// What a key allows: `admin` may do everything, `read` may read and sees no secrets.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "lowercase")]
pub enum KeyScope {
    /// Everything.
    Admin,
    /// To read what is not secret.
    Read,
}

/// A new API key.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct KeyCreate {
    /// What it is called.
    pub name: String,
    /// What it allows.
    pub scope: KeyScope,
}
