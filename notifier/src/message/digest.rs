//! Pure. The texts of messages about many monitors.

use model::notice::{Brief, Digest, Group, Storm};
use model::time::EventTime;
use serde::Serialize;

use super::words::{self, duration};

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
    pub(super) fn of_digest(digest: &Digest) -> Self {
        Self {
            from: digest.from.to_rfc3339(),
            to: digest.to.to_rfc3339(),
            count: digest.count,
            down: group(&digest.down),
            up: group(&digest.up),
            still_down: group(&digest.still_down),
            flapping: group(&digest.flapping),
        }
    }

    pub(super) fn of_storm(storm: &Storm) -> Self {
        let empty = GroupView { count: 0, first: Vec::new(), more: 0 };
        Self {
            from: storm.since.to_rfc3339(),
            to: storm.at.to_rfc3339(),
            count: storm.members,
            down: group(&storm.down),
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
pub(super) fn text(digest: &Digest) -> String {
    let sections = [
        ("Down", &digest.down),
        ("Up again", &digest.up),
        ("Still down", &digest.still_down),
        ("Flapping", &digest.flapping),
    ];
    let sections = sections.iter().filter_map(|(head, group)| section(head, group));
    sections.collect::<Vec<_>>().join("\n\n")
}

/// A heading and a line for each monitor of a group; `None` for an empty one.
pub(super) fn section(head: &str, group: &Group) -> Option<String> {
    if group.count == 0 {
        return None;
    }
    let mut text = format!("{head} ({}):", group.count);
    for brief in &group.first {
        text.push_str("\n- ");
        text.push_str(&line(brief));
    }
    let more = more(group);
    if more > 0 {
        text.push_str(&format!("\n- and {more} more"));
    }
    Some(text)
}

fn more(group: &Group) -> u32 {
    group.count.saturating_sub(u32::try_from(group.first.len()).unwrap_or(u32::MAX))
}

fn line(brief: &Brief) -> String {
    let mut text = brief.name.clone();
    match (brief.since, brief.until) {
        (Some(since), Some(until)) => {
            let span = duration(until.since(since));
            text.push_str(&format!(
                ", was down from {} to {} ({span})",
                words::time(since),
                words::time(until)
            ));
        }
        (Some(since), None) => text.push_str(&format!(", since {}", words::time(since))),
        (None, Some(until)) => text.push_str(&format!(", since {}", words::time(until))),
        (None, None) => {}
    }
    if brief.flips > 2 {
        text.push_str(&format!(", {} changes", brief.flips));
    }
    if let Some(message) = &brief.message {
        text.push_str(": ");
        text.push_str(message);
    }
    text
}

fn group(group: &Group) -> GroupView {
    let first = group.first.iter().map(|brief| BriefView {
        id: brief.monitor.to_string(),
        name: brief.name.clone(),
        since: brief.since.map(EventTime::to_rfc3339),
        until: brief.until.map(EventTime::to_rfc3339),
        message: brief.message.clone(),
        flips: brief.flips,
        line: line(brief),
    });
    GroupView { count: group.count, first: first.collect(), more: more(group) }
}
