//! The names of all keys on the server.
//!
//! A partition's keys carry one hash tag, `{p7}`, so that one script can touch them all in a cluster too.
//! Histories are spread over 16 tags, `{h3}`, since a history knows of no partitions.

use uuid::Uuid;

use model::ids::{MonitorId, PartitionId};

/// Number of a partition's buckets. It must never change: it is stored with the partition, and another number
/// is refused.
///
/// Hashes of up to 512 small fields are stored as one packed block, so a partition may have two million
/// monitors before they grow; at the 60 or so of a large installation a field is found in half a microsecond.
pub(super) const BUCKETS: u32 = 4_096;

/// Number of a partition's sorted sets. It must never change. Many small sets are two to four times as fast
/// as a large one.
pub(super) const DUE_SETS: u32 = 16;

/// Number of hash tags of the history. It must never change.
pub(super) const SHARDS: u32 = 16;

/// The prefix of all keys.
#[derive(Debug, Clone)]
pub(super) struct Keys {
    prefix: String,
}

impl Keys {
    pub(super) fn new(prefix: &str) -> Self {
        Self { prefix: prefix.to_owned() }
    }

    pub(super) fn partition(&self, partition: PartitionId) -> PartitionKeys {
        let base = format!("{}:{{p{partition}}}:", self.prefix);
        PartitionKeys { meta: format!("{base}meta"), outbox: format!("{base}outbox"), base }
    }

    /// Prefix of the keys of a shard of the history.
    pub(super) fn shard(&self, shard: u32) -> Vec<u8> {
        format!("{}:{{h{shard}}}:", self.prefix).into_bytes()
    }

    /// Prefix of the keys of the deliveries.
    pub(super) fn deliveries(&self) -> String {
        format!("{}:{{deliveries}}:", self.prefix)
    }

    /// The key of a scope of the ledger.
    pub(super) fn ledger(&self, scope: Uuid) -> String {
        format!("{}ledger:{}", self.deliveries(), scope.as_hyphenated())
    }

    /// The key of the mark: whose Redis it is.
    pub(super) fn installation(&self) -> String {
        format!("{}:{{installation}}", self.prefix)
    }

    /// A pattern of all keys.
    pub(super) fn all(&self) -> String {
        format!("{}:{{*", self.prefix)
    }

    /// The key that each role writes now and then, to know that it can.
    pub(super) fn probe(&self) -> String {
        format!("{}:probe", self.installation())
    }

    pub(super) fn roster(&self, role: &str) -> String {
        format!("{}:{{roster}}:{role}", self.prefix)
    }

    /// The key of the notes that the nodes of a role leave for each other.
    pub(super) fn told(&self, role: &str) -> String {
        format!("{}:told", self.roster(role))
    }
}

/// The keys of a partition.
#[derive(Debug, Clone)]
pub(super) struct PartitionKeys {
    /// Their prefix.
    pub(super) base: String,
    /// Lease, head, numbers.
    pub(super) meta: String,
    /// Alerts by their numbers.
    pub(super) outbox: String,
}

impl PartitionKeys {
    pub(super) fn hot(&self, bucket: u32) -> String {
        format!("{}h:{bucket}", self.base)
    }

    pub(super) fn cold(&self, bucket: u32) -> String {
        format!("{}c:{bucket}", self.base)
    }

    pub(super) fn due(&self, set: u32) -> String {
        format!("{}due:{set}", self.base)
    }
}

/// The bucket, sorted set and shard of a monitor.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct MonitorPlace {
    pub(super) bucket: u32,
    pub(super) due: u32,
    pub(super) shard: u32,
}

impl MonitorPlace {
    /// FNV-1a of the id, mixed, since the partition is a part of FNV-1a already. It must never change.
    pub(super) fn of(monitor: MonitorId) -> Self {
        let mut hash: u64 = 0xcbf2_9ce4_8422_2325;
        for byte in monitor.as_uuid().as_bytes() {
            hash ^= u64::from(*byte);
            hash = hash.wrapping_mul(0x0100_0000_01b3);
        }
        hash ^= hash >> 32;
        hash = hash.wrapping_mul(0xd6e8_feb8_6659_fd93);
        hash ^= hash >> 32;
        let part = |shift: u32, of: u32| u32::try_from((hash >> shift) % u64::from(of)).unwrap_or(0);
        Self { bucket: part(0, BUCKETS), due: part(16, DUE_SETS), shard: part(24, SHARDS) }
    }
}

#[cfg(test)]
mod tests {
    use std::collections::HashMap;

    use uuid::Uuid;

    use super::*;

    #[test]
    fn names_are_as_they_were() {
        let keys = Keys::new("lubdub").partition(PartitionId(7));
        assert_eq!(keys.meta, "lubdub:{p7}:meta");
        assert_eq!(keys.outbox, "lubdub:{p7}:outbox");
        assert_eq!((keys.hot(5), keys.cold(5)), ("lubdub:{p7}:h:5".into(), "lubdub:{p7}:c:5".into()));
        assert_eq!(keys.due(3), "lubdub:{p7}:due:3");
        assert_eq!(Keys::new("lubdub").installation(), "lubdub:{installation}");
        assert_eq!(Keys::new("lubdub").probe(), "lubdub:{installation}:probe");
        let scope = Keys::new("lubdub").ledger(Uuid::from_u128(7));
        assert_eq!(scope, "lubdub:{deliveries}:ledger:00000000-0000-0000-0000-000000000007");
        let monitor = MonitorId::from_uuid(Uuid::from_u128(0x0199_0000_0000_7000_8000_0000_0000_0001));
        assert_eq!(MonitorPlace::of(monitor), MonitorPlace { bucket: 1_772, due: 2, shard: 1 });
    }

    #[test]
    fn the_monitors_of_a_partition_are_spread_over_all_of_its_buckets() {
        let ids = (0..400_000_u128).map(|n| MonitorId::from_uuid(Uuid::from_u128(n << 40)));
        let (mut buckets, mut sets) = (HashMap::<u32, u32>::new(), HashMap::<u32, u32>::new());
        for place in ids.filter(|id| id.partition(4) == PartitionId(1)).map(MonitorPlace::of) {
            *buckets.entry(place.bucket).or_default() += 1;
            *sets.entry(place.due).or_default() += 1;
        }
        assert_eq!((buckets.len(), sets.len()), (4_096, 16));
        assert!(buckets.values().all(|count| *count < 80), "about 24 each");
        assert!(sets.values().all(|count| (5_000..8_000).contains(count)), "about 6,250 each");
    }
}
