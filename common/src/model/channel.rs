//! A configured destination of alerts.

use std::collections::BTreeMap;
use std::fmt;

use serde::{Deserialize, Serialize};

use super::ids::ChannelId;
use super::time::EventTime;

/// A secret text. Its `Debug` shows nothing.
#[derive(Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(transparent)]
pub struct Secret(String);

impl Secret {
    /// Wraps a secret.
    pub const fn new(text: String) -> Self {
        Self(text)
    }

    /// The secret itself.
    pub fn expose(&self) -> &str {
        &self.0
    }
}

impl fmt::Debug for Secret {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Secret(…)")
    }
}

/// A channel, as the registry holds it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Channel {
    /// Never changes.
    pub id: ChannelId,
    /// 1 to 100 characters.
    pub name: String,
    /// Where to.
    pub kind: ChannelKind,
    /// Whether monitors that name no channels use it.
    pub default: bool,
    /// Whether it works.
    pub state: ChannelState,
    /// Why it does not, for people.
    #[serde(default)]
    pub state_detail: Option<String>,
    /// When it was made.
    pub created_at: EventTime,
}

/// The kinds of channel, with what each needs.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub enum ChannelKind {
    /// A signed POST.
    Webhook {
        /// Where to. It may hold credentials.
        url: Secret,
        /// `whsec_` and base64: the Standard Webhooks key.
        secret: Secret,
        /// Headers of one's own.
        #[serde(default)]
        headers: BTreeMap<String, Secret>,
    },
}

/// Whether a channel works.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum ChannelState {
    /// As far as is known.
    Ok,
    /// Its last attempts failed.
    Failing,
    /// It gets nothing until it is enabled again.
    Disabled,
}

impl ChannelState {
    /// `ok`, `failing` or `disabled`.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Ok => "ok",
            Self::Failing => "failing",
            Self::Disabled => "disabled",
        }
    }
}
