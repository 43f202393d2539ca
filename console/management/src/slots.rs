//! Slots: how much of what is costly runs at a time, and for whom.
//!
//! A slot is held as long as its work runs, which may be as long as a client likes. So no key may hold all
//! slots of a kind, and all read keys together leave some to admin keys.

use std::sync::Arc;

use hashbrown::HashMap;
use model::ids::KeyId;
use parking_lot::Mutex;

/// Whose work it is.
#[derive(Debug, Clone, Copy)]
pub struct Worker {
    /// The key.
    pub key: KeyId,
    /// Whether it is an admin key.
    pub is_admin: bool,
}

/// How many slots there are.
#[derive(Debug, Clone, Copy)]
pub struct SlotRules {
    /// In all.
    pub all: usize,
    /// For one key.
    pub one_key: usize,
    /// Which only admin keys may use.
    pub kept_for_admins: usize,
}

/// The slots of one kind of work.
#[derive(Debug, Clone)]
pub struct Slots {
    rules: SlotRules,
    taken: Arc<Mutex<Taken>>,
}

#[derive(Debug, Default)]
struct Taken {
    by_admins: usize,
    by_others: usize,
    by_key: HashMap<KeyId, usize>,
}

/// Why there is no slot.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum NoSlot {
    /// The key has as many as one key may have: this number.
    KeyHasEnough(usize),
    /// The others have all.
    Busy,
}

/// A slot. The next one may have it when this is dropped.
#[derive(Debug)]
pub struct Slot {
    worker: Worker,
    taken: Arc<Mutex<Taken>>,
}

impl Slots {
    /// Free slots.
    pub fn new(rules: SlotRules) -> Self {
        Self { rules, taken: Arc::default() }
    }

    /// A slot for this worker.
    ///
    /// # Errors
    /// [`NoSlot`].
    pub fn take(&self, worker: Worker) -> Result<Slot, NoSlot> {
        let rules = self.rules;
        let mut taken = self.taken.lock();
        if taken.by_key.get(&worker.key).is_some_and(|own| *own >= rules.one_key) {
            return Err(NoSlot::KeyHasEnough(rules.one_key));
        }
        let is_full = taken.by_admins + taken.by_others >= rules.all;
        let only_kept_left = taken.by_others + rules.kept_for_admins >= rules.all;
        if is_full || !worker.is_admin && only_kept_left {
            return Err(NoSlot::Busy);
        }
        *taken.count(worker) += 1;
        *taken.by_key.entry(worker.key).or_default() += 1;
        Ok(Slot { worker, taken: Arc::clone(&self.taken) })
    }
}

impl Taken {
    const fn count(&mut self, worker: Worker) -> &mut usize {
        if worker.is_admin { &mut self.by_admins } else { &mut self.by_others }
    }
}

impl Drop for Slot {
    fn drop(&mut self) {
        let mut taken = self.taken.lock();
        *taken.count(self.worker) -= 1;
        if let Some(own) = taken.by_key.get_mut(&self.worker.key) {
            *own -= 1;
            if *own == 0 {
                taken.by_key.remove(&self.worker.key);
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use uuid::Uuid;

    use super::*;

    fn worker(key: u128, is_admin: bool) -> Worker {
        Worker { key: KeyId::from_uuid(Uuid::from_u128(key)), is_admin }
    }

    #[test]
    fn read_keys_leave_slots_to_admins_and_no_key_has_all() {
        let slots = Slots::new(SlotRules { all: 8, one_key: 4, kept_for_admins: 2 });
        let take = |key, is_admin| slots.take(worker(key, is_admin));
        let mut held: Vec<Slot> = (0..4).map(|_| take(1, false).expect("a slot")).collect();
        assert_eq!(take(1, false).err(), Some(NoSlot::KeyHasEnough(4)));
        held.extend((0..2).map(|_| take(2, false).expect("a slot")));
        assert_eq!(take(2, false).err(), Some(NoSlot::Busy), "two are kept for admins");
        held.extend((0..2).map(|_| take(3, true).expect("a slot")));
        assert_eq!(take(3, true).err(), Some(NoSlot::Busy));
        held.clear();
        assert!(slots.taken.lock().by_key.is_empty());
        assert_eq!((0..9).filter_map(|key| take(key, true).ok()).collect::<Vec<_>>().len(), 8);
    }

    #[test]
    fn admins_at_work_do_not_count_against_what_read_keys_leave_them() {
        let slots = Slots::new(SlotRules { all: 2, one_key: 2, kept_for_admins: 1 });
        let _admin = slots.take(worker(1, true)).expect("a slot");
        let _reader = slots.take(worker(2, false)).expect("a slot");
        assert_eq!(slots.take(worker(2, false)).err(), Some(NoSlot::Busy));
    }
}
