//! A checkpoint: a whole partition at an offset, compressed.

use std::io;

use serde::{Deserialize, Serialize};

use model::ids::MonitorId;
use model::monitor_state::{MonitorState, PartitionHead};
use model::wire::{self, WireError};

const NAME: &str = "checkpoint";
const VERSION: u8 = 3;
/// Level of zstd: compressing the states of a million monitors takes a second.
const LEVEL: i32 = 3;

/// A whole partition as it was at [`PartitionHead::applied`].
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Checkpoint {
    /// Position, watermark, gaps.
    pub head: PartitionHead,
    /// Every monitor's state, in no order.
    pub states: Vec<(MonitorId, MonitorState)>,
}

/// A checkpoint that is not compressed yet.
#[derive(Debug)]
pub struct PackedCheckpoint(Vec<u8>);

impl PackedCheckpoint {
    /// Encodes a partition without copying its states first.
    #[expect(clippy::missing_panics_doc, reason = "our messages hold nothing that MessagePack cannot")]
    pub fn of<'a>(head: &PartitionHead, states: impl Iterator<Item = (MonitorId, &'a MonitorState)>) -> Self {
        let states: Vec<(MonitorId, &MonitorState)> = states.collect();
        Self(rmp_serde::to_vec(&(head, states)).expect("a message of ours has a MessagePack form"))
    }

    /// The stored form: one version byte, then compressed MessagePack. Compressing is slow: use a thread that
    /// no task waits for.
    ///
    /// # Errors
    /// If memory runs out.
    pub fn compress(&self) -> io::Result<Vec<u8>> {
        let mut bytes = vec![VERSION];
        zstd::stream::copy_encode(self.0.as_slice(), &mut bytes, LEVEL)?;
        Ok(bytes)
    }
}

/// Reads a stored checkpoint. Slow, like [`PackedCheckpoint::compress`].
///
/// # Errors
/// [`WireError`] if it is empty, of another version, or damaged.
pub fn decode(bytes: &[u8]) -> Result<Checkpoint, WireError> {
    let body = wire::versioned(NAME, VERSION, bytes)?;
    let unpacked = zstd::stream::Decoder::new(body)
        .map_err(|_| WireError::Damaged { name: NAME, what: "it cannot be unpacked" })?;
    rmp_serde::from_read(unpacked).map_err(|error| WireError::damaged(NAME, &error))
}

#[cfg(test)]
mod tests {
    use uuid::Uuid;

    use super::*;
    use model::flip::State;
    use model::ids::{Offset, Revision};
    use model::time::EventTime;

    fn state(n: u64) -> MonitorState {
        MonitorState {
            revision: Revision(n),
            definition: None,
            state: State::New,
            since: EventTime::from_secs(1),
            sequence: n,
            heard_at: None,
            counted_from: None,
            incident: None,
            armed_at: Some(EventTime::from_secs(2)),
            imported: None,
        }
    }

    #[test]
    fn what_is_packed_comes_back() {
        let head = PartitionHead { applied: Offset(9), last_number: 3, ..PartitionHead::default() };
        let states: Vec<_> =
            (0..100).map(|n| (MonitorId::from_uuid(Uuid::from_u128(n.into())), state(n))).collect();
        let packed = PackedCheckpoint::of(&head, states.iter().map(|(id, state)| (*id, state)));
        let stored = packed.compress().expect("memory");
        assert_eq!(decode(&stored).expect("it is whole"), Checkpoint { head, states });
        assert!(matches!(decode(&[]), Err(WireError::Empty { .. })));
        assert!(matches!(decode(&[9, 1]), Err(WireError::Newer { found: 9, .. })));
        assert!(matches!(decode(&[1, 1]), Err(WireError::Older { found: 1, .. })));
        assert!(matches!(decode(&stored[..stored.len() / 2]), Err(WireError::Damaged { .. })));
    }
}
