//! The records that a watcher was told, in little room. Deletions are told by comparing with them.

use std::collections::{BTreeMap, HashMap};
use std::hash::BuildHasher;

use hashbrown::{DefaultHashBuilder, HashTable};

use super::compact::CompactId;
use ports::registry::{RecordKey, RecordKind};

/// The records that were told, each with its revision; about 45 to 75 bytes a record.
///
/// A *scan* is a pass over all records: those that it did not meet are gone, or were changed meanwhile.
#[derive(Debug, Default)]
pub(super) struct KnownRecords {
    tables: BTreeMap<RecordKind, Table>,
    /// Number of the current scan, or of the last one.
    scan: u64,
    /// Records that were told as gone before the deletion's message came.
    buried: HashMap<(RecordKind, CompactId), u64>,
}

/// Entries in a row, and the place of each by the hash of its id. Four bytes a place instead of an entry:
/// tables are half empty.
#[derive(Debug, Default)]
struct Table {
    entries: Vec<Entry>,
    places: HashTable<u32>,
    hasher: DefaultHashBuilder,
}

#[derive(Debug)]
struct Entry {
    id: CompactId,
    /// The revision, and in the lowest bit whether the scan met the record.
    revision_and_seen: u64,
}

impl Entry {
    const fn revision(&self) -> u64 {
        self.revision_and_seen >> 1
    }

    const fn is_seen(&self) -> bool {
        self.revision_and_seen & 1 == 1
    }
}

impl Table {
    fn find(&mut self, id: &CompactId) -> Option<&mut Entry> {
        let hash = self.hasher.hash_one(id);
        let entries = &self.entries;
        let place = *self.places.find(hash, |place| entries[*place as usize].id == *id)?;
        self.entries.get_mut(place as usize)
    }

    fn insert(&mut self, entry: Entry) {
        let hash = self.hasher.hash_one(&entry.id);
        let place = u32::try_from(self.entries.len()).unwrap_or(u32::MAX);
        self.entries.push(entry);
        let (entries, hasher) = (&self.entries, &self.hasher);
        self.places.insert_unique(hash, place, |place| hasher.hash_one(&entries[*place as usize].id));
    }

    fn remove(&mut self, id: &CompactId) -> bool {
        let hash = self.hasher.hash_one(id);
        let entries = &self.entries;
        let Ok(found) = self.places.find_entry(hash, |place| entries[*place as usize].id == *id) else {
            return false;
        };
        let (place, _) = found.remove();
        self.entries.swap_remove(place as usize);
        // The last entry has moved to this place.
        if let Some(moved) = self.entries.get(place as usize) {
            let was = u32::try_from(self.entries.len()).unwrap_or(u32::MAX);
            let hash = self.hasher.hash_one(&moved.id);
            if let Some(of_moved) = self.places.find_mut(hash, |place| *place == was) {
                *of_moved = place;
            }
        }
        true
    }
}

impl KnownRecords {
    /// How many records are known.
    pub(super) fn len(&self) -> usize {
        self.tables.values().map(|table| table.entries.len()).sum()
    }

    /// The revision of a record that was told.
    pub(super) fn revision(&mut self, kind: RecordKind, id: &CompactId) -> Option<u64> {
        self.tables.get_mut(&kind)?.find(id).map(|entry| entry.revision())
    }

    /// Notes a record at this revision; answers whether that is news.
    pub(super) fn put(&mut self, kind: RecordKind, id: &CompactId, revision: u64) -> bool {
        if !self.buried.is_empty() && self.buried.get(&(kind, id.clone())).is_some_and(|at| *at > revision) {
            return false;
        }
        let table = self.tables.entry(kind).or_default();
        let revision_and_seen = revision << 1 | 1;
        let Some(entry) = table.find(id) else {
            table.insert(Entry { id: id.clone(), revision_and_seen });
            return true;
        };
        let is_news = entry.revision() < revision;
        if is_news {
            entry.revision_and_seen = revision_and_seen;
        }
        entry.revision_and_seen |= 1;
        is_news
    }

    /// Notes a deletion at this revision; answers whether that is news.
    pub(super) fn delete(&mut self, kind: RecordKind, id: &CompactId, revision: u64) -> bool {
        let Some(table) = self.tables.get_mut(&kind) else { return false };
        if table.find(id).is_none_or(|entry| entry.revision() >= revision) {
            return false;
        }
        table.remove(id)
    }

    /// Like [`Self::delete`], while the message of the deletion is still to come, and perhaps an older one of
    /// the same record before it.
    pub(super) fn bury(&mut self, kind: RecordKind, id: &CompactId, revision: u64) -> bool {
        let is_news = self.delete(kind, id, revision);
        if is_news && revision < u64::MAX {
            self.buried.insert((kind, id.clone()), revision);
        }
        is_news
    }

    /// Notes that all messages up to the last buried record have come.
    pub(super) fn forget_buried(&mut self) {
        self.buried.clear();
    }

    /// Notes that the stream was replaced: all its messages are news.
    pub(super) fn forget_revisions(&mut self) {
        self.buried.clear();
        for table in self.tables.values_mut() {
            table.entries.iter_mut().for_each(|entry| entry.revision_and_seen &= 1);
        }
    }

    /// Begins a scan in place of the current one; answers its number.
    pub(super) fn begin_scan(&mut self) -> u64 {
        for table in self.tables.values_mut() {
            table.entries.iter_mut().for_each(|entry| entry.revision_and_seen &= !1);
        }
        self.scan += 1;
        self.scan
    }

    /// Notes that the scan met this record.
    pub(super) fn see(&mut self, scan: u64, kind: RecordKind, id: &CompactId) {
        let found = self.tables.get_mut(&kind).and_then(|table| table.find(id));
        if let Some(entry) = found.filter(|_| scan == self.scan) {
            entry.revision_and_seen |= 1;
        }
    }

    /// The records that the scan did not meet, with their known revisions; `None` if another scan began
    /// meanwhile.
    pub(super) fn unseen(&self, scan: u64) -> Option<Vec<(RecordKey, u64)>> {
        if scan != self.scan {
            return None;
        }
        let entries = self
            .tables
            .iter()
            .flat_map(|(kind, table)| table.entries.iter().map(move |entry| (*kind, entry)));
        let unseen = entries.filter(|(_, entry)| !entry.is_seen());
        Some(unseen.map(|(kind, entry)| (RecordKey::new(kind, &entry.id), entry.revision())).collect())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const KIND: RecordKind = RecordKind::Monitor;

    #[test]
    fn only_what_is_newer_is_news() {
        let mut known = KnownRecords::default();
        let id = CompactId::new("a");
        assert!(known.put(KIND, &id, 5));
        assert!(!known.put(KIND, &id, 5));
        assert!(!known.put(KIND, &id, 4));
        assert!(known.put(KIND, &id, 6));
        assert!(!known.delete(KIND, &id, 5));
        assert!(known.delete(KIND, &id, 7));
        assert!(!known.delete(KIND, &id, 8));
        assert_eq!(known.revision(KIND, &id), None);
    }

    #[test]
    fn a_buried_record_does_not_come_back_at_an_older_revision() {
        let mut known = KnownRecords::default();
        let id = CompactId::new("a");
        known.put(KIND, &id, 5);
        assert!(known.bury(KIND, &id, 9));
        assert!(!known.put(KIND, &id, 7));
        assert!(known.put(KIND, &id, 10));
    }

    #[test]
    fn removals_leave_the_others_in_their_places() {
        let mut known = KnownRecords::default();
        let id = |n: u128| CompactId::new(&uuid::Uuid::from_u128(n).to_string());
        for n in 0..1_000 {
            known.put(KIND, &id(n), u64::try_from(n).expect("small") + 1);
        }
        for n in (0..1_000).step_by(3) {
            assert!(known.delete(KIND, &id(n), 2_000));
        }
        for n in 0..1_000 {
            let expected = (n % 3 != 0).then(|| u64::try_from(n).expect("small") + 1);
            assert_eq!(known.revision(KIND, &id(n)), expected);
        }
        assert_eq!(known.len(), 666);
    }

    #[test]
    fn a_scan_finds_what_it_did_not_come_by() {
        let mut known = KnownRecords::default();
        for id in ["a", "b", "c"] {
            known.put(KIND, &CompactId::new(id), 3);
        }
        let old = known.begin_scan();
        let scan = known.begin_scan();
        known.see(old, KIND, &CompactId::new("a"));
        known.see(scan, KIND, &CompactId::new("b"));
        known.put(KIND, &CompactId::new("d"), 7);
        known.put(KIND, &CompactId::new("c"), 8);
        assert_eq!(known.unseen(old), None);
        assert_eq!(known.unseen(scan), Some(vec![(RecordKey::new(KIND, "a"), 3)]));
    }
}
