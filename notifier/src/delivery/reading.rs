//! Reads the bodies of deliveries.
//!
//! A body over which the decoder panics ends no task of those who only look at it: to them it is no message.
//! The attempts to carry it count the panics, and give it up (I18).

use std::panic::catch_unwind;

use model::delivery::DeliveryMessage;
use model::wire::{self, WireError};

/// Reads a body, to carry what it says.
pub(super) fn decode(body: &[u8]) -> Result<DeliveryMessage, WireError> {
    #[cfg(test)]
    assert!(!body.ends_with(PANICS), "a defect on purpose");
    wire::decode(body)
}

/// Reads a body, to look at what it says. `None`: it cannot be read.
pub(crate) fn look(body: &[u8]) -> Option<DeliveryMessage> {
    match catch_unwind(|| decode(body)) {
        Ok(message) => message.ok(),
        Err(_panic) => {
            tracing::error!("the body of a delivery cannot be looked at, by a defect of ours");
            None
        }
    }
}

/// The end of a body over which the decoder panics.
#[cfg(test)]
pub(crate) const PANICS: &[u8] = b"a defect on purpose";
