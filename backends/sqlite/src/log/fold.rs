//! Ticks that wait to be written, folded where one entry can say the same as many.

use std::sync::Arc;

use model::ids::Offset;
use model::time::{EventTime, TimeRules};
use model::wire::frame::{Frame, Listening};

/// Folds and single ticks that wait at most; more are written. Only ticks that cannot be folded come to so many.
const WAITING: usize = 64;

/// Longest fold, in ticks. The tail in memory holds what waits, tick by tick.
const LONGEST: u64 = 1_000;

/// Ticks of a partition that are not written yet, in order.
#[derive(Debug, Clone, Default)]
pub(super) struct PendingTicks {
    folds: Vec<Fold>,
}

/// A tick, or several in a row as one entry.
#[derive(Debug, Clone)]
pub(super) struct Fold {
    /// Offset of the first.
    pub(super) first: Offset,
    /// Offset of the last, where the entry stands.
    pub(super) last: Offset,
    /// When the last was recorded.
    pub(super) logged_at: EventTime,
    newest: Arc<Frame>,
    /// What the first was counted from, if all of them vouch.
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

    /// Whether they are to be written before more are taken.
    pub(super) fn is_full(&self) -> bool {
        self.folds.len() >= WAITING
    }

    /// Whether one of them stands for an offset up to `through`.
    pub(super) fn reaches(&self, through: Offset) -> bool {
        self.folds.first().is_some_and(|fold| fold.first <= through)
    }

    /// The entries to write; none wait any more.
    pub(super) fn take(&mut self) -> Vec<Fold> {
        std::mem::take(&mut self.folds)
    }
}

impl Fold {
    /// Whether the next tick can be folded into it: both vouch, and the next is counted from the seal of the last. Then
    /// the span from the first one's start to the last one's seal is vouched for without a break.
    fn takes(&self, next: &Frame, logged_at: EventTime, next_since: Option<EventTime>) -> bool {
        self.vouched_since.is_some()
            && next_since == Some(self.newest.sealed_at)
            && next.boot == self.newest.boot
            && next.node == self.newest.node
            && logged_at >= self.logged_at
            && self.last.0 - self.first.0 + 1 < LONGEST
    }

    /// The frame that is stored.
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

/// Since when a tick vouches that its boot was listening, by the rules of one process; `None` if it does not vouch.
fn vouches_since(tick: &Frame, logged_at: EventTime) -> Option<EventTime> {
    let rules = TimeRules::EMBEDDED;
    match tick.listening {
        Listening::Since(since) => {
            let vouches = since <= tick.sealed_at
                && tick.sealed_at.since(since) <= rules.silence
                && tick.sealed_at <= logged_at + rules.skew * 2;
            vouches.then_some(since)
        }
        // Only this adapter folds, so nobody appends a folded tick; if somebody does, it stands by itself.
        Listening::No | Listening::First | Listening::Folded(_) => None,
    }
}
