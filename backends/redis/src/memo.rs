//! What the holder of a lease remembers of what it wrote.
//!
//! A heartbeat changes the hot part of a state only. That the cold part and the wake-up are stored already is known here, in 40
//! bytes a monitor, so that they need be neither sent nor compared. What is not known is written.

use std::hash::BuildHasher;
use std::vec;

use hashbrown::{DefaultHashBuilder, HashMap};

use model::ids::MonitorId;
use model::monitor_state::MonitorState;
use model::time::EventTime;

/// What is stored of a monitor, certainly.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Stored {
    /// A hash of the cold part.
    pub(super) cold: u64,
    /// Its entry in a sorted set.
    pub(super) armed_at: Option<EventTime>,
}

/// What is remembered under one lease.
#[derive(Debug, Default)]
pub(super) struct Memo {
    /// `None`: it was to be written, and it is not known whether it was.
    stored: HashMap<MonitorId, Option<Stored>>,
    /// Of a monitor that is not in `stored`, nothing is stored.
    complete: bool,
    pages: Option<Pages>,
}

/// The states that were loaded and not yet asked for.
#[derive(Debug)]
pub(super) struct Pages {
    after: Option<MonitorId>,
    left: vec::IntoIter<(MonitorId, MonitorState)>,
}

impl Memo {
    /// What is stored of a monitor that is about to be written, if that is known. It is not certain any more until the write
    /// was answered.
    pub(super) fn take(&mut self, monitor: MonitorId) -> Option<Stored> {
        let nothing = Stored { cold: self.hash(&[]), armed_at: None };
        match self.stored.insert(monitor, None) {
            Some(before) => before,
            None => self.complete.then_some(nothing),
        }
    }

    /// What is stored of a monitor now, `None` for nothing at all.
    pub(super) fn put(&mut self, monitor: MonitorId, stored: Option<Stored>) {
        match stored {
            Some(_) => self.stored.insert(monitor, stored),
            None if self.complete => self.stored.remove(&monitor),
            None => self.stored.insert(monitor, None),
        };
    }

    /// A hash of a cold part. Not the same in another process.
    pub(super) fn hash(&self, cold: &[u8]) -> u64 {
        DefaultHashBuilder::hash_one(self.stored.hasher(), cold)
    }

    /// Keeps states, all that follow `after` in the order of their ids, to be given out in pages.
    pub(super) fn loaded(&mut self, after: Option<MonitorId>, states: Vec<(MonitorId, MonitorState)>) {
        self.complete = true;
        self.pages = Some(Pages { after, left: states.into_iter() });
    }

    /// The page that follows `after`, if that is where the last one ended.
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

    /// Whether states wait to be given out after `after`.
    pub(super) fn has_page(&self, after: Option<MonitorId>) -> bool {
        after.is_some() && self.pages.as_ref().is_some_and(|pages| pages.after == after)
    }

    /// Nothing is known any more.
    pub(super) fn forget(&mut self) {
        *self = Self::default();
    }

    /// Everything stored is gone.
    pub(super) fn cleared(&mut self) {
        *self = Self { complete: true, ..Self::default() };
    }
}
