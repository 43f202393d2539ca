//! Pure. Answers about the past.

use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use super::time::Time;

/// What was read of the past.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, ToSchema)]
#[schema(as = ReplayRead)]
pub struct ReadView {
    /// From when on everything is known; `from`, unless the history begins later.
    pub begins: Time,
    /// Heartbeats that were read, of all monitors.
    pub heartbeats: u64,
    /// Damaged entries of the log that were passed over.
    pub skipped: SkippedView,
    /// Time for which Lubdub itself was deaf.
    pub deaf: DeafView,
    /// What else is to be known, in sentences.
    pub notes: Vec<String>,
}

/// Damaged entries of the log.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, ToSchema)]
#[schema(as = ReplaySkipped)]
pub struct SkippedView {
    /// How many.
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
    /// Its place there.
    pub offset: u64,
}

/// Deaf time; of several partitions that were deaf together, once.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, ToSchema)]
#[schema(as = ReplayDeaf)]
pub struct DeafView {
    /// How many spans of it.
    pub gaps: usize,
    /// How long in all.
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
    /// Missed deadlines after which it was heard again within one period: the timeout, or for cron the time from the due time that was
    /// missed to the next.
    pub false_alarms: u64,
}

/// Downs as they were, and as they would have been.
#[derive(Debug, Default, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[schema(as = ReplayComparison)]
pub struct ComparisonView {
    /// With the settings as they were.
    pub was: CountsView,
    /// With those that were tried.
    pub would_be: CountsView,
}

impl CountsView {
    /// Those of another monitor, too.
    pub const fn add(&mut self, other: Self) {
        self.downs += other.downs;
        self.down_seconds += other.down_seconds;
        self.false_alarms += other.false_alarms;
    }
}

impl ComparisonView {
    /// That of another monitor, too.
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

/// What would have happened.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, ToSchema)]
#[schema(as = WhatIf)]
pub struct WhatIfView {
    /// Beginning of the time that was looked at.
    pub from: Time,
    /// Its end.
    pub until: Time,
    /// What was read for it.
    #[serde(flatten)]
    pub read: ReadView,
    /// Those with the largest difference first.
    pub monitors: Vec<WhatIfMonitorView>,
    /// Of all monitors, those too that are not in the list.
    pub total: ComparisonView,
    /// How many monitors were asked about.
    pub count: usize,
    /// Whether the list leaves some out.
    pub truncated: bool,
}

/// What would have happened to a monitor.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, ToSchema)]
#[schema(as = WhatIfMonitor)]
pub struct WhatIfMonitorView {
    /// Whose.
    #[schema(format = Uuid)]
    pub id: String,
    /// Its name.
    pub name: String,
    /// What was, and what would have been.
    #[serde(flatten)]
    pub comparison: ComparisonView,
}

/// Advice.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, ToSchema)]
#[schema(as = Advice)]
pub struct AdviceView {
    /// Beginning of the time that was looked at.
    pub from: Time,
    /// Its end.
    pub until: Time,
    /// How many alarms a month the proposals may have cost.
    pub alarms_per_month: f64,
    /// What was read for it.
    #[serde(flatten)]
    pub read: ReadView,
    /// Those to be changed first, of them those with the largest difference.
    pub monitors: Vec<AdviceMonitorView>,
    /// Of all monitors, those too that are not in the list.
    pub total: ComparisonView,
    /// How many monitors were asked about.
    pub count: usize,
    /// Whether the list leaves some out.
    pub truncated: bool,
}

/// Advice on a monitor.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, ToSchema)]
#[schema(as = AdviceMonitor)]
pub struct AdviceMonitorView {
    /// Whose.
    #[schema(format = Uuid)]
    pub id: String,
    /// Its name.
    pub name: String,
    /// The revision that the advice is about: for `If-Match` when it is followed.
    pub revision: u64,
    /// What to do.
    pub verdict: AdviceVerdict,
    /// Its settings now.
    pub current: SettingsView,
    /// Settings that fit; null unless the verdict is `change`.
    pub proposal: Option<SettingsView>,
    /// Why, for people.
    pub why: String,
    /// What was, and with the proposal would have been. Without one both are the same.
    #[serde(flatten)]
    pub comparison: ComparisonView,
}

/// What to do, the most urgent first.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "lowercase")]
pub enum AdviceVerdict {
    /// To follow the proposal.
    Change,
    /// To leave the settings as they are.
    Keep,
    /// Too little is known.
    Unknown,
}

/// When a monitor is down.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, ToSchema)]
#[schema(as = AdviceSettings)]
pub struct SettingsView {
    /// Seconds; without `cron` only.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub timeout: Option<u32>,
    /// A cron pattern.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub cron: Option<String>,
    /// Of `cron`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub timezone: Option<String>,
    /// Seconds.
    pub grace: u32,
}
