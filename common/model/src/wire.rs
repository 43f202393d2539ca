//! Messages as bytes: one version byte, then MessagePack.
//!
//! Frames, states and queue messages are arrays (compact); registry records are maps (readable by people, and
//! new fields may have defaults). A reader refuses every other version by name instead of guessing: nothing
//! is released yet, so no older form is read.

pub mod frame;
#[cfg(test)]
mod golden;

use std::cmp::Ordering;

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
    /// Version written, and the only one that is read. A form that takes another's place goes on with its
    /// numbers, so that older programs leave it alone.
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
        /// The expected kind of message.
        name: &'static str,
    },
    /// Written by a newer Lubdub.
    #[error("decode {name}: version {found} is newer than {known}, the newest that this program knows")]
    Newer {
        /// The expected kind of message.
        name: &'static str,
        /// Version found.
        found: u8,
        /// Version known.
        known: u8,
    },
    /// Written by an older Lubdub.
    #[error("decode {name}: version {found} is older than {known}, the oldest that this program reads")]
    Older {
        /// The expected kind of message.
        name: &'static str,
        /// Version found.
        found: u8,
        /// Version known.
        known: u8,
    },
    /// Damaged.
    #[error("decode {name}: {what}")]
    Damaged {
        /// The expected kind of message.
        name: &'static str,
        /// What is wrong with it.
        what: &'static str,
    },
}

impl WireError {
    /// The error for what the decoder refused. The decoder's own words are left out: they may quote a value,
    /// and values may be secret.
    pub const fn damaged(name: &'static str, error: &rmp_serde::decode::Error) -> Self {
        use rmp_serde::decode::Error;
        let what = match error {
            Error::InvalidMarkerRead(_) | Error::InvalidDataRead(_) => "it ends too early",
            Error::TypeMismatch(_) => "a value is of another type",
            Error::OutOfRange => "a number is out of range",
            Error::LengthMismatch(_) => "a list is of another length",
            Error::Uncategorized(_) | Error::Syntax(_) => "a field is missing or does not fit",
            Error::Utf8Error(_) => "a text is not UTF-8",
            Error::DepthLimitExceeded => "it is nested too deep",
        };
        Self::Damaged { name, what }
    }
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
/// [`WireError`] if it is empty, of another version, or damaged.
pub fn decode<M: Message>(bytes: &[u8]) -> Result<M, WireError> {
    let name = M::NAME;
    let body = versioned(name, M::VERSION, bytes)?;
    rmp_serde::from_slice(body).map_err(|error| WireError::damaged(name, &error))
}

/// What stands behind the version byte of a stored form, if it is of this version.
///
/// # Errors
/// [`WireError::Empty`], [`WireError::Newer`], [`WireError::Older`].
pub fn versioned<'a>(name: &'static str, known: u8, bytes: &'a [u8]) -> Result<&'a [u8], WireError> {
    let (found, body) = bytes.split_first().ok_or(WireError::Empty { name })?;
    match found.cmp(&known) {
        Ordering::Equal => Ok(body),
        Ordering::Greater => Err(WireError::Newer { name, found: *found, known }),
        Ordering::Less => Err(WireError::Older { name, found: *found, known }),
    }
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

message!(frame::Frame, "frame", version 3, named false);
message!(MonitorState, "monitor state", version 3, named false);
message!(PartitionHead, "partition head", version 1, named false);
message!(OutboxAlert, "outbox alert", version 2, named false);
message!(Alert, "alert", version 2, named false);
message!(Flip, "flip", version 2, named false);
message!(Delivery, "delivery", version 4, named false);
message!(DeliveryMessage, "delivery message", version 7, named false);
message!(Monitor, "monitor", version 1, named true);
message!(Channel, "channel", version 1, named true);
message!(MaintenanceWindow, "maintenance window", version 1, named true);
message!(ApiKey, "key", version 1, named true);
message!(Rebuild, "rebuild", version 1, named true);
