//! What is asked for, and the settings that are proposed.

use model::schedule::Schedule;

/// The fewest intervals that say what is usual.
pub(super) const LEAST_INTERVALS: u64 = 10;

/// What is asked for.
#[derive(Debug, Clone, PartialEq)]
pub struct Wish {
    /// How many alarms a month the settings may have cost.
    pub alarms_per_month: f64,
    /// The time zone in which a cron schedule is looked for, besides the monitor's own.
    pub timezone: String,
}

/// Settings that fit the past.
pub(super) struct Proposal {
    pub(super) schedule: Schedule,
    pub(super) grace: u32,
    pub(super) why: String,
}
