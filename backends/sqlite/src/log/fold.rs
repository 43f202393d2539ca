//! Ticks that wait to be written, folded where one entry can stand for many.

use std::sync::Arc;

use model::ids::Offset;
use model::time::{EventTime, TimeRules};
use model::wire::frame::{Frame, Listening};

/// Most waiting folds and single ticks; beyond that they are written. Only ticks that cannot be folded reach
/// it.
const WAITING: usize = 64;

/// Longest fold, in ticks. The tail in memory holds the waiting ticks one by one.
const LONGEST: u64 = 1_000;

/// Unwritten ticks of a partition, in order.
#[derive(Debug, Clone, Default)]
pub(super) struct PendingTicks {
    folds: Vec<Fold>,
}

/// A tick, or several in a row as one entry.
#[derive(Debug, Clone)]
pub(super) struct Fold {
    /// Offset of the first.
    pub(super) first: Offset,
    /// Offset of the last, which is the entry's.
    pub(super) last: Offset,
    /// When the last was recorded.
    pub(super) logged_at: EventTime,
    newest: Arc<Frame>,
    /// The time that the first one vouches from, if all of them vouch.
    vouched_since: Option<EventTime>,
}

impl PendingTicks {
    pub(super) fn push(&mut self, offset: Offset, logged_at: EventTime, frame: &Arc<Frame>) {
        let vouched_since = vouches_since(frame, logged_at);
        if let Some(last) = self.folds.last_mut()
            && last.takes(frame, logged_at, vouched_since)
        {
            last.last = offset;
            last.logged_at = logged_at;
            last.newest = Arc::clone(frame);
            return;
        }
        let newest = Arc::clone(frame);
        self.folds.push(Fold { first: offset, last: offset, logged_at, newest, vouched_since });
    }

    /// Whether the ticks must be written before more are taken.
    pub(super) fn is_full(&self) -> bool {
        self.folds.len() >= WAITING
    }

    /// Whether one of the ticks stands for an offset up to `through`.
    pub(super) fn reaches(&self, through: Offset) -> bool {
        self.folds.first().is_some_and(|fold| fold.first <= through)
    }

    /// Takes the entries to write.
    pub(super) fn take(&mut self) -> Vec<Fold> {
        std::mem::take(&mut self.folds)
    }
}

impl Fold {
    /// Whether the next tick can be folded in: both vouch, and the next counts from the seal of the last.
    /// Then the span from the first one's start to the last one's seal is vouched for without a gap.
    fn takes(&self, next: &Frame, logged_at: EventTime, next_since: Option<EventTime>) -> bool {
        self.vouched_since.is_some()
            && next_since == Some(self.newest.sealed_at)
            && next.boot == self.newest.boot
            && next.node == self.newest.node
            && logged_at >= self.logged_at
            && self.last.0 - self.first.0 + 1 < LONGEST
    }

    /// The frame to store.
    pub(super) fn frame(&self) -> Frame {
        let mut frame = Frame::clone(&self.newest);
        if self.first < self.last
            && let Some(since) = self.vouched_since
        {
            frame.listening = Listening::Folded(since);
        }
        frame
    }
}

/// Since when a tick vouches that its boot was listening, by the rules of one process; `None` if the tick
/// does not vouch.
fn vouches_since(tick: &Frame, logged_at: EventTime) -> Option<EventTime> {
    let rules = TimeRules::EMBEDDED;
    match tick.listening {
        Listening::Since(since) => {
            let vouches = since <= tick.sealed_at
                && tick.sealed_at.since(since) <= rules.silence
                && tick.sealed_at <= logged_at + rules.skew * 2;
            vouches.then_some(since)
        }
        // Only this adapter folds; a folded tick from elsewhere stands by itself.
        Listening::No | Listening::First | Listening::Folded(_) => None,
    }
}
