//! Messages as bytes: one version byte, then MessagePack.
//!
//! Frames, states and queue messages are arrays (compact); registry records are maps (readable by people, and
//! new fields may have defaults). A reader refuses a version newer than its own by name instead of guessing.
//! An array may grow at its end by fields with defaults, with a new version: the count in front tells an old
//! one from a damaged one.

pub mod frame;
#[cfg(test)]
mod golden;

use std::sync::Arc;

use bytes::Bytes;
use serde::Serialize;
use serde::de::DeserializeOwned;

use crate::channel::Channel;
use crate::delivery::{Delivery, DeliveryMessage};
use crate::flip::{Alert, Flip};
use crate::key::ApiKey;
use crate::maintenance::MaintenanceWindow;
use crate::monitor::Monitor;
use crate::monitor_state::{MonitorState, OutboxAlert, PartitionHead};
use crate::rebuild::Rebuild;

/// A type that has a stored form.
pub trait Message: Serialize + DeserializeOwned {
    /// For error messages.
    const NAME: &'static str;
    /// Version written. An older one is read if its form fits the type as it is, and is damaged otherwise.
    const VERSION: u8;
    /// Maps instead of arrays.
    const NAMED: bool = false;
}

/// Why stored bytes could not be read.
#[derive(Debug, Clone, thiserror::Error)]
pub enum WireError {
    /// No bytes at all.
    #[error("decode {name}: it is empty")]
    Empty {
        /// What was expected.
        name: &'static str,
    },
    /// Written by a newer Lubdub.
    #[error("decode {name}: version {found} is newer than {known}, the newest that this program knows")]
    Newer {
        /// What was expected.
        name: &'static str,
        /// Version found.
        found: u8,
        /// Version known.
        known: u8,
    },
    /// Damaged.
    #[error("decode {name}")]
    Damaged {
        /// What was expected.
        name: &'static str,
        /// What the decoder says.
        #[source]
        source: Arc<rmp_serde::decode::Error>,
    },
}

/// The stored form of a message.
#[expect(clippy::missing_panics_doc, reason = "our messages hold nothing that MessagePack cannot")]
pub fn encode<M: Message>(message: &M) -> Bytes {
    let mut bytes = vec![M::VERSION];
    let written = if M::NAMED {
        rmp_serde::encode::write_named(&mut bytes, message)
    } else {
        rmp_serde::encode::write(&mut bytes, message)
    };
    written.expect("a message of ours has a MessagePack form, and memory takes every write");
    Bytes::from(bytes)
}

/// Reads a stored message.
///
/// # Errors
/// [`WireError`] if it is empty, newer than this program, or damaged.
pub fn decode<M: Message>(bytes: &[u8]) -> Result<M, WireError> {
    let name = M::NAME;
    let (version, body) = bytes.split_first().ok_or(WireError::Empty { name })?;
    if *version > M::VERSION {
        return Err(WireError::Newer { name, found: *version, known: M::VERSION });
    }
    rmp_serde::from_slice(body).map_err(|source| WireError::Damaged { name, source: Arc::new(source) })
}

macro_rules! message {
    ($type:ty, $name:literal, version $version:literal, named $named:literal) => {
        impl Message for $type {
            const NAME: &'static str = $name;
            const VERSION: u8 = $version;
            const NAMED: bool = $named;
        }
    };
}

message!(frame::Frame, "frame", version 2, named false);
message!(MonitorState, "monitor state", version 3, named false);
message!(PartitionHead, "partition head", version 1, named false);
message!(OutboxAlert, "outbox alert", version 2, named false);
message!(Alert, "alert", version 2, named false);
message!(Flip, "flip", version 2, named false);
message!(Delivery, "delivery", version 4, named false);
message!(DeliveryMessage, "delivery message", version 1, named false);
message!(Monitor, "monitor", version 1, named true);
message!(Channel, "channel", version 1, named true);
message!(MaintenanceWindow, "maintenance window", version 1, named true);
message!(ApiKey, "key", version 1, named true);
message!(Rebuild, "rebuild", version 1, named true);
