//! Pure. How far a node's clock is off that of the heartbeat log.

use std::fmt;
use std::ops::RangeInclusive;
use std::time::Duration;

use model::time::EventTime;

/// The least that this node's clock is off the log's: microseconds, more than 0 if it is ahead.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct ClockOffset(i64);

impl ClockOffset {
    /// Zero as far as is known.
    pub(crate) const NONE: Self = Self(0);

    /// Of a frame that was sealed and handled at these times by the node's clock, and recorded at `logged_at`
    /// by the log's, which lies between the two if the clocks agree.
    pub(crate) fn of(in_hand: RangeInclusive<EventTime>, logged_at: EventTime) -> Self {
        let ahead = in_hand.start().as_micros() - logged_at.as_micros();
        let behind = logged_at.as_micros() - in_hand.end().as_micros();
        if ahead > 0 {
            Self(ahead)
        } else if behind > 0 {
            Self(-behind)
        } else {
            Self::NONE
        }
    }

    /// How much it is, either way.
    pub(crate) const fn length(self) -> Duration {
        Duration::from_micros(self.0.unsigned_abs())
    }

    /// Seconds, more than 0 if the node's clock is ahead.
    pub(crate) fn as_secs_f64(self) -> f64 {
        if self.0 < 0 { -self.length().as_secs_f64() } else { self.length().as_secs_f64() }
    }
}

impl fmt::Display for ClockOffset {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let direction = if self.0 < 0 { "behind" } else { "ahead of" };
        write!(f, "at least {:.3} s {direction} the heartbeat log's", self.length().as_secs_f64())
    }
}
