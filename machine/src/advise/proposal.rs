//! The request for advice, and the proposed settings.

use std::time::Duration;

use model::schedule::Schedule;

/// The fewest intervals of which anything can be said.
pub(super) const LEAST_INTERVALS: u64 = 3;

/// The fewest intervals that say what is usual. With fewer, a proposal has more room and says so.
pub(super) const ENOUGH_INTERVALS: u64 = 10;

/// The request.
#[derive(Debug, Clone, PartialEq)]
pub struct Wish {
    /// How many alarms a month the settings may have cost.
    pub alarms_per_month: f64,
    /// The time zone in which a cron schedule is sought, besides the monitor's own.
    pub timezone: String,
}

/// The time that was looked at.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Seen {
    /// From the monitor's first heartbeat, or the beginning of the time that was asked about, to its end.
    pub span: Duration,
    /// All of the time that was asked about.
    pub span_asked: Duration,
    /// How far the log reaches back from the end of that time, if what was before is not kept any more.
    pub log_reaches_back: Option<Duration>,
}

/// Settings that fit the past.
pub(super) struct Proposal {
    pub(super) schedule: Schedule,
    pub(super) grace: u32,
    pub(super) why: String,
}
