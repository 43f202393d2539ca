//! Pure. The subjects of a queue's rows, and its division into shards.

use uuid::Uuid;

use model::ids::PartitionId;
use ports::queue::{LaneId, MessageId};

/// Number of shards of a queue. It must never change.
pub(crate) const SHARDS: u16 = 16;

/// The subjects of a queue's rows.
#[derive(Debug, Clone)]
pub(crate) struct Subjects {
    /// `<prefix>.<queue>`
    base: String,
}

impl Subjects {
    pub(crate) const fn new(base: String) -> Self {
        Self { base }
    }

    /// All subjects of the queue.
    pub(crate) fn all(&self) -> String {
        format!("{}.>", self.base)
    }

    /// The row of a message.
    pub(crate) fn row(&self, shard: u16, id: &MessageId) -> String {
        format!("{}.{shard}.{}", self.base, id.as_uuid().simple())
    }

    /// The rows of a shard.
    pub(crate) fn shard(&self, shard: u16) -> String {
        format!("{}.{shard}.*", self.base)
    }

    /// The greatest running number of a partition.
    pub(crate) fn number(&self, partition: PartitionId) -> String {
        format!("{}.number.{partition}", self.base)
    }

    /// The greatest running numbers of all partitions.
    pub(crate) fn numbers(&self) -> String {
        format!("{}.number.*", self.base)
    }
}

/// The id in a row's subject.
pub(crate) fn id_in(subject: &str) -> Option<MessageId> {
    subject.rsplit('.').next().and_then(|id| Uuid::try_parse(id).ok()).map(MessageId::from)
}

/// The shard of a lane: FNV-1a of its id.
pub(crate) fn shard_of(lane: &LaneId) -> u16 {
    let hash = lane.as_uuid().as_bytes().iter().fold(0xcbf2_9ce4_8422_2325_u64, |hash, byte| {
        (hash ^ u64::from(*byte)).wrapping_mul(0x0100_0000_01b3)
    });
    u16::try_from((hash ^ (hash >> 32)) % u64::from(SHARDS)).unwrap_or(0)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_shard_of_a_lane_never_changes() {
        let shards = [0, 1, 2, 3, u128::MAX].map(|lane| shard_of(&Uuid::from_u128(lane).into()));
        assert_eq!(shards, [12, 11, 6, 5, 13]);
    }

    #[test]
    fn lanes_spread_over_the_shards() {
        let mut lanes = [0_usize; SHARDS as usize];
        (0..16_000_u128)
            .for_each(|lane| lanes[usize::from(shard_of(&Uuid::from_u128(lane << 61 | lane).into()))] += 1);
        assert!(lanes.iter().all(|lanes| (800..1_200).contains(lanes)), "{lanes:?}");
    }

    #[test]
    fn the_id_is_in_the_subject() {
        let subjects = Subjects::new("lubdub.alerts".to_owned());
        let id = MessageId::from_uuid(Uuid::from_u128(99));
        assert_eq!(id_in(&subjects.row(3, &id)), Some(id));
        assert_eq!(id_in(&subjects.number(PartitionId(3))), None);
    }
}
