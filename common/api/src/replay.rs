//! Pure. Answers about the past.

use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use super::time::Time;

/// What was read of the past.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, ToSchema)]
#[schema(as = ReplayRead)]
pub struct ReadView {
    /// The time from which everything is known; equal to `from` unless the log knows nothing so early.
    pub begins: Time,
    /// The number of heartbeats of these monitors within the time, imported ones included.
    pub heartbeats: u64,
    /// Damaged entries of the log that were skipped.
    pub skipped: SkippedView,
    /// Time in which Lubdub itself was deaf.
    pub deaf: DeafView,
    /// Further remarks, in sentences.
    pub notes: Vec<String>,
}

/// Damaged entries of the log.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, ToSchema)]
#[schema(as = ReplaySkipped)]
pub struct SkippedView {
    /// The number.
    pub count: u64,
    /// The first 100 of them.
    pub entries: Vec<EntryView>,
}

/// A damaged entry.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, ToSchema)]
#[schema(as = ReplaySkippedEntry)]
pub struct EntryView {
    /// The partition of the log.
    pub partition: u16,
    /// Its offset.
    pub offset: u64,
}

/// Deaf time. If several partitions were deaf together, it counts once.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, ToSchema)]
#[schema(as = ReplayDeaf)]
pub struct DeafView {
    /// The number of gaps.
    pub gaps: usize,
    /// The whole deaf time, in seconds.
    pub seconds: u64,
}

/// Downs of a monitor, or of several.
#[derive(Debug, Default, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[schema(as = ReplayCounts)]
pub struct CountsView {
    /// Flips to down.
    pub downs: u64,
    /// Seconds in down.
    pub down_seconds: u64,
    /// Missed deadlines after which the monitor was heard again within one period: the timeout, or for cron
    /// the time from the missed due time to the next.
    pub false_alarms: u64,
}

/// Downs as they were, and as they would have been.
#[derive(Debug, Default, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[schema(as = ReplayComparison)]
pub struct ComparisonView {
    /// The downs with the settings as they were.
    pub was: CountsView,
    /// The downs with the settings that were tried.
    pub would_be: CountsView,
}

impl CountsView {
    /// Adds the downs of another monitor.
    pub const fn add(&mut self, other: Self) {
        self.downs += other.downs;
        self.down_seconds += other.down_seconds;
        self.false_alarms += other.false_alarms;
    }
}

impl ComparisonView {
    /// Adds the downs of another monitor.
    pub const fn add(&mut self, other: &Self) {
        self.was.add(other.was);
        self.would_be.add(other.would_be);
    }

    /// How much the two differ, the number of downs before their length.
    pub const fn difference(&self) -> (u64, u64, u64) {
        (
            self.was.downs.abs_diff(self.would_be.downs),
            self.was.down_seconds.abs_diff(self.would_be.down_seconds),
            self.was.false_alarms.abs_diff(self.would_be.false_alarms),
        )
    }
}

/// How long a job that stops goes unnoticed: from its last heartbeat to the flip to down. Deaf time comes on
/// top.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[schema(as = ReplayUnnoticedTime)]
pub struct UnnoticedTimeView {
    /// Seconds, after half of the heartbeats at most.
    pub typical_seconds: u64,
    /// Seconds, after any heartbeat at most: with cron before the longest time in which nothing is due.
    pub worst_seconds: u64,
}

/// The price of settings: how long a job that stops goes unnoticed.
#[derive(Debug, Default, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[schema(as = ReplayUnnoticed)]
pub struct UnnoticedView {
    /// With the settings that are in force now; null if nothing is expected, as while paused.
    pub was: Option<UnnoticedTimeView>,
    /// With the settings that were tried.
    pub would_be: Option<UnnoticedTimeView>,
}

/// What would have happened.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, ToSchema)]
#[schema(as = WhatIf)]
pub struct WhatIfView {
    /// The beginning of the time that was read.
    pub from: Time,
    /// Its end.
    pub until: Time,
    /// What was read for it.
    #[serde(flatten)]
    pub read: ReadView,
    /// The monitors, those with the largest difference first.
    pub monitors: Vec<WhatIfMonitorView>,
    /// The sum over all monitors, also those that are not in the list.
    pub total: ComparisonView,
    /// The number of monitors that were asked for.
    pub count: usize,
    /// The number of monitors on which the schedule was not tried, because theirs is of the other kind: a
    /// timeout is not tried on monitors with cron, nor a cron pattern on monitors with a timeout, unless the
    /// request names the monitor.
    pub left_alone: usize,
    /// Whether the list leaves some out.
    pub truncated: bool,
}

/// What would have happened to a monitor.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, ToSchema)]
#[schema(as = WhatIfMonitor)]
pub struct WhatIfMonitorView {
    /// Id of the monitor.
    #[schema(format = Uuid)]
    pub id: String,
    /// Its name.
    pub name: String,
    /// The downs as they were, and as they would have been.
    #[serde(flatten)]
    pub comparison: ComparisonView,
    /// The price.
    pub unnoticed: UnnoticedView,
}

/// Advice.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, ToSchema)]
#[schema(as = Advice)]
pub struct AdviceView {
    /// The beginning of the time that was read.
    pub from: Time,
    /// Its end.
    pub until: Time,
    /// How many false alarms a month the proposals may have cost.
    pub alarms_per_month: f64,
    /// What was read for it.
    #[serde(flatten)]
    pub read: ReadView,
    /// The monitors, those with a proposal first, and among these those with the largest difference.
    pub monitors: Vec<AdviceMonitorView>,
    /// The sum over all monitors, also those that are not in the list.
    pub total: ComparisonView,
    /// The number of monitors that were asked for.
    pub count: usize,
    /// Whether the list leaves some out.
    pub truncated: bool,
}

/// Advice on a monitor.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, ToSchema)]
#[schema(as = AdviceMonitor)]
pub struct AdviceMonitorView {
    /// Id of the monitor.
    #[schema(format = Uuid)]
    pub id: String,
    /// Its name.
    pub name: String,
    /// The revision that the advice is about. Send it as `If-Match` when you follow the advice.
    pub revision: u64,
    /// The verdict.
    pub verdict: AdviceVerdict,
    /// Its settings now.
    pub current: SettingsView,
    /// Settings that fit; null unless the verdict is `change`.
    pub proposal: Option<SettingsView>,
    /// The reason, in a sentence for people.
    pub why: String,
    /// The downs as they were, and as they would have been with the proposal. Without a proposal both are
    /// equal.
    #[serde(flatten)]
    pub comparison: ComparisonView,
    /// The price.
    pub unnoticed: UnnoticedView,
}

/// What to do, the most urgent first.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "lowercase")]
pub enum AdviceVerdict {
    /// Follow the proposal.
    Change,
    /// Leave the settings as they are.
    Keep,
    /// Too little is known.
    Unknown,
}

/// The settings that decide when a monitor is down.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, ToSchema)]
#[schema(as = AdviceSettings)]
pub struct SettingsView {
    /// The timeout, in seconds; only without `cron`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub timeout: Option<u32>,
    /// A cron pattern.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub cron: Option<String>,
    /// The time zone of `cron`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub timezone: Option<String>,
    /// Seconds.
    pub grace: u32,
}
