//! How frames move the watermark (I4), and what becomes deaf time (I5).

use model::time::{EventTime, Interval};
use model::wire::frame::{Frame, Listening};

use super::monitors::Partition;

impl Partition {
    /// Advances the watermark by a frame that was just applied: W = the greatest
    /// `min(sealed_at, logged_at + S)` − L so far.
    pub(super) fn advance(&mut self, logged_at: EventTime, frame: &Frame) {
        if frame.listening == Listening::No {
            return;
        }
        if let Some(since) = self.vouched_since(logged_at, frame) {
            self.vouch(Interval { start: since, end: frame.sealed_at });
        }
        let reached = frame.sealed_at.min(logged_at + self.rules.skew);
        let watermark = reached - self.rules.lateness;
        match self.head.watermark {
            // Before a log's first frame no push was promised to be recorded.
            None => {
                self.head.watermark = Some(watermark);
                self.vouch(Interval { start: watermark, end: reached });
            }
            Some(before) if watermark > before => self.pass(before, watermark),
            Some(_) => {}
        }
    }

    /// The time since which the frame vouches that its node was listening without refusing a push.
    fn vouched_since(&self, logged_at: EventTime, frame: &Frame) -> Option<EventTime> {
        let in_step = frame.sealed_at <= logged_at + self.rules.skew * 2;
        match frame.listening {
            Listening::Since(since) => {
                let unbroken = frame.sealed_at.since(since) <= self.rules.silence;
                (unbroken && in_step && frame.refused == 0).then_some(since)
            }
            // Each of the folded ticks vouched by itself.
            Listening::Folded(since) => Some(since),
            Listening::No | Listening::First => None,
        }
    }

    /// Notes that a node listened during this span; what the watermark has passed is decided already.
    fn vouch(&mut self, span: Interval) {
        let passed = self.watermark();
        let mut joined = Interval { start: span.start.max(passed), end: span.end };
        if joined.end <= joined.start {
            return;
        }
        let vouched = &mut self.head.vouched;
        vouched.retain(|other| {
            let apart = other.end < joined.start || other.start > joined.end;
            if !apart {
                joined.start = joined.start.min(other.start);
                joined.end = joined.end.max(other.end);
            }
            apart
        });
        let at = vouched.partition_point(|other| other.start < joined.start);
        vouched.insert(at, joined);
    }

    /// Moves the watermark; event time that no frame vouches for by now is deaf.
    fn pass(&mut self, before: EventTime, watermark: EventTime) {
        let mut heard_up_to = before;
        for span in &self.head.vouched {
            if span.start >= watermark {
                break;
            }
            self.changes.gaps |= span.start > heard_up_to;
            self.head.gaps.push(Interval { start: heard_up_to, end: span.start });
            heard_up_to = span.end;
        }
        self.changes.gaps |= watermark > heard_up_to;
        self.head.gaps.push(Interval { start: heard_up_to, end: watermark });
        self.head.watermark = Some(watermark);
        self.head.vouched.retain_mut(|span| {
            span.start = span.start.max(watermark);
            span.end > span.start
        });
    }
}
