//! Pure. The texts of messages about many monitors.

use std::time::Duration;

use jiff::tz::TimeZone;
use model::duration::rounded;
use model::notice::{Brief, Digest, Group, Storm};
use model::time::EventTime;
use serde::Serialize;

use super::body::Part;
use super::words;

/// A line says how long a monitor has been down from this on.
const LONG: Duration = Duration::from_secs(60);

/// Most characters of a message in a line.
const MESSAGE: usize = 200;

/// Many monitors, as templates see them.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub(crate) struct DigestView {
    pub(crate) from: String,
    pub(crate) to: String,
    /// How many flips it tells of.
    pub(crate) count: u32,
    pub(crate) down: GroupView,
    pub(crate) up: GroupView,
    pub(crate) still_down: GroupView,
    pub(crate) flapping: GroupView,
}

/// Monitors of a digest.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub(crate) struct GroupView {
    /// How many there are.
    pub(crate) count: u32,
    /// The first 20 of them by name.
    pub(crate) first: Vec<BriefView>,
    /// How many more there are.
    pub(crate) more: u32,
}

/// A monitor of a digest.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub(crate) struct BriefView {
    pub(crate) id: String,
    pub(crate) name: String,
    pub(crate) since: Option<String>,
    pub(crate) until: Option<String>,
    pub(crate) message: Option<String>,
    pub(crate) flips: u32,
    /// All of it in one line.
    pub(crate) line: String,
}

impl DigestView {
    pub(super) fn of_digest(digest: &Digest, zone: &TimeZone) -> Self {
        Self {
            from: digest.from.to_rfc3339(),
            to: digest.to.to_rfc3339(),
            count: digest.count,
            down: group(&digest.down, digest.to, zone),
            up: group(&digest.up, digest.to, zone),
            still_down: group(&digest.still_down, digest.to, zone),
            flapping: group(&digest.flapping, digest.to, zone),
        }
    }

    pub(super) fn of_storm(storm: &Storm, zone: &TimeZone) -> Self {
        let empty = GroupView { count: 0, first: Vec::new(), more: 0 };
        Self {
            from: storm.since.to_rfc3339(),
            to: storm.at.to_rfc3339(),
            count: storm.members,
            down: group(&storm.down, storm.at, zone),
            up: empty.clone(),
            still_down: empty.clone(),
            flapping: empty,
        }
    }
}

/// How many monitors a digest tells of.
pub(super) fn monitors(digest: &Digest) -> usize {
    let groups = [&digest.down, &digest.up, &digest.still_down, &digest.flapping];
    groups.iter().map(|group| group.count as usize).sum()
}

/// `Monitors: 7 down, 1 up`
pub(super) fn title(digest: &Digest) -> String {
    let groups = [
        ("down", &digest.down),
        ("up", &digest.up),
        ("still down", &digest.still_down),
        ("flapping", &digest.flapping),
    ];
    let named: Vec<String> = groups
        .iter()
        .filter(|(_, group)| group.count > 0)
        .map(|(word, group)| format!("{} {word}", group.count))
        .collect();
    format!("Monitors: {}", named.join(", "))
}

/// A section for each group that has monitors.
pub(super) fn parts(digest: &Digest, zone: &TimeZone) -> Vec<Part> {
    let sections = [
        ("Down", &digest.down),
        ("Up again", &digest.up),
        ("Still down", &digest.still_down),
        ("Flapping", &digest.flapping),
    ];
    let sections = sections.iter().filter_map(|(head, group)| section(head, group, digest.to, zone));
    sections.collect()
}

/// The monitors of a storm that are down.
pub(super) fn parts_of_storm(storm: &Storm, zone: &TimeZone) -> Vec<Part> {
    section("Down", &storm.down, storm.at, zone).into_iter().collect()
}

/// A heading and a line for each monitor of a group, as of `at`; `None` for an empty one.
fn section(head: &str, group: &Group, at: EventTime, zone: &TimeZone) -> Option<Part> {
    if group.count == 0 {
        return None;
    }
    let mut lines: Vec<String> = group.first.iter().map(|brief| line(brief, at, zone)).collect();
    let more = more(group);
    if more > 0 {
        lines.push(format!("and {more} more"));
    }
    Some(Part::Group { head: format!("{head} ({}):", group.count), lines })
}

fn more(group: &Group) -> u32 {
    group.count.saturating_sub(u32::try_from(group.first.len()).unwrap_or(u32::MAX))
}

/// All about a monitor in one line, as of `at`.
fn line(brief: &Brief, at: EventTime, zone: &TimeZone) -> String {
    let mut text = brief.name.clone();
    match (brief.since, brief.until) {
        // A flapping monitor: both are the time of its newest flip.
        (Some(since), Some(until)) if since == until => {
            text.push_str(&format!(", up since {}", words::time(until, zone)));
        }
        (Some(since), Some(until)) => {
            let span = rounded(until.since(since));
            text.push_str(&format!(", up since {} after {span}", words::time(until, zone)));
        }
        (Some(since), None) => {
            text.push_str(&format!(", down since {}", words::time(since, zone)));
            let span = at.since(since);
            if span >= LONG {
                text.push_str(&format!(", for {}", rounded(span)));
            }
        }
        (None, Some(until)) => text.push_str(&format!(", up since {}", words::time(until, zone))),
        (None, None) => {}
    }
    if brief.flips > 2 {
        text.push_str(&format!(", {} changes", brief.flips));
    }
    if let Some(message) = &brief.message {
        text.push_str(": ");
        text.push_str(&words::cut(message, MESSAGE));
    }
    words::one_line(&text)
}

fn group(group: &Group, at: EventTime, zone: &TimeZone) -> GroupView {
    let first = group.first.iter().map(|brief| BriefView {
        id: brief.monitor.to_string(),
        name: brief.name.clone(),
        since: brief.since.map(EventTime::to_rfc3339),
        until: brief.until.map(EventTime::to_rfc3339),
        message: brief.message.clone(),
        flips: brief.flips,
        line: line(brief, at, zone),
    });
    GroupView { count: group.count, first: first.collect(), more: more(group) }
}
