//! The table of tokens: compact, because there may be millions.

use std::hash::{BuildHasher, RandomState};
use std::sync::atomic::{AtomicU8, AtomicU16, AtomicU64, Ordering};

use hashbrown::HashTable;
use model::ids::MonitorId;
use model::time::EventTime;

use super::digest::Digest;

/// The expiry of a token that does not expire.
pub(super) const NEVER: EventTime = EventTime::from_micros(i64::MAX);

/// The index of an entry; `NO_ENTRY` ends a list.
type EntryIndex = u32;
const NO_ENTRY: EntryIndex = EntryIndex::MAX;

/// What a token may still push.
#[derive(Debug, Default)]
pub(super) struct Budget {
    /// The rate limit's state, as governor wants it kept; 0 = none yet.
    pub(super) pushes: AtomicU64,
    /// The same for the reserve for changes of state.
    pub(super) changes: AtomicU64,
    /// The same for bytes of output.
    pub(super) outputs: AtomicU64,
}

impl Budget {
    fn copied(&self) -> Self {
        Self {
            pushes: AtomicU64::new(self.pushes.load(Ordering::Relaxed)),
            changes: AtomicU64::new(self.changes.load(Ordering::Relaxed)),
            outputs: AtomicU64::new(self.outputs.load(Ordering::Relaxed)),
        }
    }
}

/// One token.
#[derive(Debug)]
pub(super) struct Entry {
    digest: Digest,
    pub(super) monitor: MonitorId,
    pub(super) expires_at: EventTime,
    pub(super) budget: Budget,
    /// The status that was recorded last, as the limit writes it; 0 = none yet. Beside `next`, where it takes
    /// no room.
    pub(super) last: AtomicU8,
    /// Bodies that are being read; there for the same reason.
    pub(super) bodies: AtomicU16,
    /// The monitor's next token, or the next free place.
    next: EntryIndex,
}

/// Entries in one vector, found through two tables of 4-byte places: by token, and by monitor the first of
/// its tokens.
#[derive(Debug)]
pub(super) struct Table {
    entries: Vec<Entry>,
    free: EntryIndex,
    by_digest: HashTable<EntryIndex>,
    by_monitor: HashTable<EntryIndex>,
    hasher: RandomState,
}

impl Default for Table {
    fn default() -> Self {
        Self {
            entries: Vec::new(),
            free: NO_ENTRY,
            by_digest: HashTable::new(),
            by_monitor: HashTable::new(),
            hasher: RandomState::new(),
        }
    }
}

impl Table {
    /// How many tokens there are.
    pub(super) fn len(&self) -> usize {
        self.by_digest.len()
    }

    pub(super) fn find(&self, digest: &Digest) -> Option<&Entry> {
        self.place_of(digest).map(|place| self.at(place))
    }

    /// Makes these the monitor's tokens, and no others. A token that it had before keeps its budget.
    ///
    /// A token that another monitor holds moves only if it does not expire: then this monitor is its owner,
    /// and the other's record is behind or names it among its old ones.
    pub(super) fn set(&mut self, monitor: MonitorId, tokens: &[(Digest, EventTime)]) {
        let mut budgets = Vec::new();
        while let Some(first) = self.first_of(monitor) {
            let entry = self.at(first);
            let digest = entry.digest;
            let small = (entry.last.load(Ordering::Relaxed), entry.bodies.load(Ordering::Relaxed));
            budgets.push((digest, entry.budget.copied(), small));
            self.remove(&digest);
        }
        for (digest, expires_at) in tokens {
            if self.find(digest).is_some() {
                if *expires_at != NEVER {
                    continue;
                }
                self.remove(digest);
            }
            let kept = budgets.iter().find(|(of, ..)| of == digest);
            let (budget, (last, bodies)) =
                kept.map_or_else(Default::default, |(_, budget, small)| (budget.copied(), *small));
            self.insert(Entry {
                digest: *digest,
                monitor,
                expires_at: *expires_at,
                budget,
                last: AtomicU8::new(last),
                bodies: AtomicU16::new(bodies),
                next: NO_ENTRY,
            });
        }
    }

    fn insert(&mut self, mut entry: Entry) {
        // Four billion tokens do not fit in memory anyway.
        let Ok(end) = EntryIndex::try_from(self.entries.len()) else { return };
        let (digest, monitor) = (entry.digest, entry.monitor);
        let first = self.first_of(monitor);
        entry.next = first.unwrap_or(NO_ENTRY);
        let place = if self.free == NO_ENTRY {
            self.entries.push(entry);
            end
        } else {
            let place = self.free;
            self.free = self.at(place).next;
            *self.at_mut(place) = entry;
            place
        };
        self.set_first(monitor, first, place);
        let entries = &self.entries;
        self.by_digest.insert_unique(hash(&digest), place, |place| hash(&entries[*place as usize].digest));
    }

    fn remove(&mut self, digest: &Digest) {
        let entries = &self.entries;
        let same = |place: &EntryIndex| entries[*place as usize].digest == *digest;
        let Ok(found) = self.by_digest.find_entry(hash(digest), same) else { return };
        let (place, _) = found.remove();
        self.unlink(place);
        self.at_mut(place).next = self.free;
        self.free = place;
    }

    /// Takes a place out of its monitor's list.
    fn unlink(&mut self, place: EntryIndex) {
        let (monitor, next) = (self.at(place).monitor, self.at(place).next);
        let Some(first) = self.first_of(monitor) else { return };
        if first == place {
            self.set_first(monitor, Some(first), next);
            return;
        }
        let mut before = first;
        while self.at(before).next != place {
            before = self.at(before).next;
        }
        self.at_mut(before).next = next;
    }

    fn first_of(&self, monitor: MonitorId) -> Option<EntryIndex> {
        let same = |place: &EntryIndex| self.at(*place).monitor == monitor;
        self.by_monitor.find(self.hasher.hash_one(monitor), same).copied()
    }

    /// Makes `to` the first of the monitor's places, which was `from`.
    fn set_first(&mut self, monitor: MonitorId, from: Option<EntryIndex>, to: EntryIndex) {
        let Self { entries, by_monitor, hasher, .. } = self;
        let hash = hasher.hash_one(monitor);
        let Some(from) = from else {
            by_monitor.insert_unique(hash, to, |place| hasher.hash_one(entries[*place as usize].monitor));
            return;
        };
        if let Ok(mut found) = by_monitor.find_entry(hash, |place| *place == from) {
            if to == NO_ENTRY {
                found.remove();
            } else {
                *found.get_mut() = to;
            }
        }
    }

    fn place_of(&self, digest: &Digest) -> Option<EntryIndex> {
        self.by_digest.find(hash(digest), |place| self.at(*place).digest == *digest).copied()
    }

    fn at(&self, place: EntryIndex) -> &Entry {
        &self.entries[place as usize]
    }

    fn at_mut(&mut self, place: EntryIndex) -> &mut Entry {
        &mut self.entries[place as usize]
    }
}

/// A digest is a hash already.
fn hash(digest: &Digest) -> u64 {
    let mut first = [0; 8];
    first.copy_from_slice(&digest[..8]);
    u64::from_le_bytes(first)
}

#[cfg(test)]
mod tests {
    use std::collections::HashMap;

    use proptest::prelude::*;
    use uuid::Uuid;

    use super::*;

    fn monitor(n: u64) -> MonitorId {
        MonitorId::from_uuid(Uuid::from_u128(n.into()))
    }

    fn token(n: u64) -> Digest {
        let mut digest = Digest::default();
        digest[..8].copy_from_slice(&n.wrapping_mul(0x9e37_79b9_7f4a_7c15).to_le_bytes());
        digest[8..].copy_from_slice(&n.to_le_bytes());
        digest
    }

    #[test]
    fn a_million_monitors_stay_well_under_200_bytes_each() {
        let mut table = Table::default();
        let many = 1_000_000;
        for n in 0..many {
            table.set(monitor(n), &[(token(n), NEVER)]);
        }
        let bytes = table.entries.capacity() * size_of::<Entry>()
            + table.by_digest.allocation_size()
            + table.by_monitor.allocation_size();
        assert!(bytes as u64 / many < 100, "{} bytes each", bytes as u64 / many);
        assert_eq!(table.find(&token(77)).unwrap().monitor, monitor(77));
    }

    proptest! {
        /// The reference: a map from token to (monitor, expiry).
        #[test]
        fn is_a_map_from_token_to_monitor(
            steps in proptest::collection::vec((0..6_u64, proptest::collection::vec((0..12_u64, any::<bool>()), 0..4)), 0..60)
        ) {
            let mut table = Table::default();
            let mut reference: HashMap<u64, (u64, EventTime)> = HashMap::new();
            for (owner, given) in steps {
                let tokens: Vec<_> = given
                    .iter()
                    .map(|(n, old)| (*n, if *old { EventTime::from_secs(9) } else { NEVER }))
                    .collect();
                table.set(monitor(owner), &tokens.iter().map(|(n, at)| (token(*n), *at)).collect::<Vec<_>>());
                reference.retain(|_, (held_by, _)| *held_by != owner);
                for (n, expires_at) in tokens {
                    if expires_at == NEVER || !reference.contains_key(&n) {
                        reference.insert(n, (owner, expires_at));
                    }
                }
                prop_assert_eq!(table.len(), reference.len());
                for n in 0..12 {
                    let found = table.find(&token(n)).map(|entry| (entry.monitor, entry.expires_at));
                    let expected = reference.get(&n).map(|(owner, at)| (monitor(*owner), *at));
                    prop_assert_eq!(found, expected);
                }
                prop_assert!(table.entries.len() <= 12, "places are used again");
            }
        }
    }
}
