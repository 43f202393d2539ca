//! A commit as the arguments of its script.

use super::cold;
use super::hot;
use super::keys::{DUE_SETS, MonitorPlace, PartitionKeys};
use super::memo::{Memo, StoredParts};
use super::packer::Packer;
use model::ids::MonitorId;
use model::monitor_state::{OutboxAlert, StateChange};
use model::time::EventTime;
use model::wire;
use ports::state_store::Commit;

/// Most entries of a sorted set in one command: Lua passes some 8,000 arguments at most.
const ENTRIES: usize = 1_000;

/// The packed arguments of a commit, and what will be stored after it.
#[derive(Debug)]
pub(super) struct PackedCommit {
    pub(super) set: Vec<u8>,
    pub(super) removed: Vec<u8>,
    pub(super) armed: Vec<u8>,
    pub(super) disarmed: Vec<u8>,
    pub(super) stored: Vec<(MonitorId, Option<StoredParts>)>,
}

#[derive(Debug, Default)]
struct Packing {
    set: Packer,
    removed: Packer,
    armed: Vec<Packer>,
    disarmed: Vec<Packer>,
    stored: Vec<(MonitorId, Option<StoredParts>)>,
    bytes: Vec<u8>,
}

/// Packs the changes. `memo` forgets them until the commit is answered.
pub(super) fn pack(commit: &Commit, keys: &PartitionKeys, memo: &mut Memo) -> PackedCommit {
    let sets = || (0..DUE_SETS).map(|_| Packer::default()).collect();
    let mut packing = Packing { armed: sets(), disarmed: sets(), ..Packing::default() };
    for change in &commit.states {
        packing.change(change, keys, memo);
    }
    let Packing { set, removed, armed, disarmed, stored, bytes: _ } = packing;
    let due = |sets: &[Packer], pairs: usize| -> Packer {
        let names = (0..DUE_SETS).map(|set| keys.due(set));
        let mut groups = Packer::default();
        sets.iter().zip(names).filter(|(set, _)| !set.is_empty()).for_each(|(set, name)| {
            set.split(ENTRIES * pairs, name.as_bytes()).iter().for_each(|group| groups.push_array(group));
        });
        groups
    };
    let mut armed = due(&armed, 2);
    outbox(&commit.outbox, keys).iter().for_each(|group| armed.push_array(group));
    PackedCommit {
        set: set.finish(),
        removed: removed.finish(),
        armed: armed.finish(),
        disarmed: due(&disarmed, 1).finish(),
        stored,
    }
}

fn outbox(alerts: &[OutboxAlert], keys: &PartitionKeys) -> Vec<Packer> {
    let mut entries = Packer::default();
    for alert in alerts {
        entries.push(alert.number.to_string().as_bytes());
        entries.push(&wire::encode(alert));
    }
    entries.split(ENTRIES * 2, keys.outbox.as_bytes())
}

impl Packing {
    fn change(&mut self, change: &StateChange, keys: &PartitionKeys, memo: &mut Memo) {
        let id = change.monitor.as_uuid();
        let (id, place) = (id.as_bytes(), MonitorPlace::of(change.monitor));
        let before = memo.take(change.monitor);
        let Some(state) = &change.state else {
            self.remove(&keys.hot(place.bucket), id);
            self.remove(&keys.cold(place.bucket), id);
            self.arm(place, id, None);
            self.stored.push((change.monitor, None));
            return;
        };
        self.bytes.clear();
        hot::encode(state, &mut self.bytes);
        self.set(&keys.hot(place.bucket), id);
        self.bytes.clear();
        cold::encode(state, &mut self.bytes);
        let stored = StoredParts { cold: memo.hash(&self.bytes), armed_at: state.armed_at };
        if before.is_none_or(|before| before.cold != stored.cold) {
            let key = keys.cold(place.bucket);
            if self.bytes.is_empty() { self.remove(&key, id) } else { self.set(&key, id) }
        }
        if before.is_none_or(|before| before.armed_at != stored.armed_at) {
            self.arm(place, id, stored.armed_at);
        }
        self.stored.push((change.monitor, Some(stored)));
    }

    fn set(&mut self, key: &str, id: &[u8]) {
        self.set.push(key.as_bytes());
        self.set.push(id);
        self.set.push(&self.bytes);
    }

    fn remove(&mut self, key: &str, id: &[u8]) {
        self.removed.push(key.as_bytes());
        self.removed.push(id);
    }

    fn arm(&mut self, place: MonitorPlace, id: &[u8], at: Option<EventTime>) {
        let sets = if at.is_some() { &mut self.armed } else { &mut self.disarmed };
        let Some(set) = sets.get_mut(place.due as usize) else { return };
        if let Some(at) = at {
            set.push(at.as_micros().to_string().as_bytes());
        }
        set.push(id);
    }
}
