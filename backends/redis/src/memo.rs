//! The memo: what the holder of a lease remembers of its writes.
//!
//! A heartbeat changes only the hot part of a state. The memo knows, in 40 bytes a monitor, that cold part
//! and wake-up are stored already, so that they need be neither sent nor compared. Unknown parts are written.

use std::hash::BuildHasher;
use std::vec;

use hashbrown::{DefaultHashBuilder, HashMap};

use model::ids::MonitorId;
use model::monitor_state::MonitorState;
use model::time::EventTime;

/// The certainly stored part of a monitor.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct StoredParts {
    /// A hash of the cold part.
    pub(super) cold: u64,
    /// The monitor's entry in a sorted set.
    pub(super) armed_at: Option<EventTime>,
}

/// The memo of one lease.
#[derive(Debug, Default)]
pub(super) struct Memo {
    /// `None`: a write was sent, and its result is unknown.
    stored: HashMap<MonitorId, Option<StoredParts>>,
    /// Whether nothing is stored of monitors that are not in `stored`.
    complete: bool,
    pages: Option<Pages>,
}

/// Loaded states that were not handed out yet.
#[derive(Debug)]
pub(super) struct Pages {
    after: Option<MonitorId>,
    left: vec::IntoIter<(MonitorId, MonitorState)>,
}

impl Memo {
    /// The stored part of a monitor that is about to be written, if known. From then on it is unknown until
    /// the write is answered.
    pub(super) fn take(&mut self, monitor: MonitorId) -> Option<StoredParts> {
        let nothing = StoredParts { cold: self.hash(&[]), armed_at: None };
        match self.stored.insert(monitor, None) {
            Some(before) => before,
            None => self.complete.then_some(nothing),
        }
    }

    /// Notes what is stored of a monitor now; `None` for nothing.
    pub(super) fn put(&mut self, monitor: MonitorId, stored: Option<StoredParts>) {
        match stored {
            Some(_) => self.stored.insert(monitor, stored),
            None if self.complete => self.stored.remove(&monitor),
            None => self.stored.insert(monitor, None),
        };
    }

    /// A hash of a cold part. It differs from process to process.
    pub(super) fn hash(&self, cold: &[u8]) -> u64 {
        DefaultHashBuilder::hash_one(self.stored.hasher(), cold)
    }

    /// Keeps all states after `after`, in the order of their ids, to be handed out in pages.
    pub(super) fn loaded(&mut self, after: Option<MonitorId>, states: Vec<(MonitorId, MonitorState)>) {
        self.complete = true;
        self.pages = Some(Pages { after, left: states.into_iter() });
    }

    /// The page after `after`, if the last page ended there.
    pub(super) fn page(
        &mut self,
        after: Option<MonitorId>,
        limit: usize,
    ) -> Option<Vec<(MonitorId, MonitorState)>> {
        let pages = self.pages.as_mut().filter(|pages| pages.after == after)?;
        let page: Vec<_> = pages.left.by_ref().take(limit).collect();
        pages.after = page.last().map_or(after, |(monitor, _)| Some(*monitor));
        if page.len() < limit {
            self.pages = None;
        }
        Some(page)
    }

    /// Whether states after `after` wait to be handed out.
    pub(super) fn has_page(&self, after: Option<MonitorId>) -> bool {
        after.is_some() && self.pages.as_ref().is_some_and(|pages| pages.after == after)
    }

    /// Forgets everything.
    pub(super) fn forget(&mut self) {
        *self = Self::default();
    }

    /// Notes that nothing is stored any more.
    pub(super) fn cleared(&mut self) {
        *self = Self { complete: true, ..Self::default() };
    }
}
