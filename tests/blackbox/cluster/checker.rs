//! Reads a record and says which promises were broken. It knows the promises, not how they are kept.
//!
//! Times are the clients': a push was received between the moment when its client began to send it and the
//! moment when the answer was there. On one machine these are the server's times too.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt;

use super::load::{Habit, Try};
use super::record::{Log, Record, Watched};
use crate::api::Flip;

/// A client that is at its next try this long before the deadline is in time, even if the first node that it
/// meets does not answer within its patience.
const RESCUE_MS: i64 = 4_000;
/// The shortest and the longest second chance after deaf time.
const CHANCE_MS: (i64, i64) = (10_000, 600_000);
/// Errors that are explained by nothing.
const PANIC: &str = "panicked at";

/// The deviations that the fault explains.
#[derive(Debug, Clone, Copy, Default)]
pub(crate) struct Allowed {
    /// Lubdub was deaf for moments that are too short to be shown, so silence may be noticed later.
    pub(crate) deaf: bool,
    /// The heartbeat log lost, unread, what was pushed in these milliseconds.
    pub(crate) lost: Option<(i64, i64)>,
    /// The history from before this time was lost and could not be computed again.
    pub(crate) history_from: Option<i64>,
    /// The state store lost its counters, so that they count again from what they were.
    pub(crate) counters_again: bool,
    /// A notifier was frozen amid an attempt: what it sent when it thawed came after later flips.
    pub(crate) late_repeats: bool,
    /// Parts of the errors that may be logged.
    pub(crate) errors: &'static [&'static str],
}

/// A broken promise.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Violation {
    /// A push was answered 200 and is in no history.
    Unapplied { monitor: String, msg: String },
    /// The newest heartbeat that is shown is older than the newest push that was answered 200.
    Stale { monitor: String, msg: String },
    /// A monitor went down by silence though its client was heard, or was trying to be.
    FalseDown { monitor: String, at_ms: i64, msg: String },
    /// A client fell silent and its monitor did not go down, or more than once.
    Silence { monitor: String, downs: usize },
    /// The monitor went down, but at another time than its deadline.
    Misdated { monitor: String, at_ms: i64, earliest_ms: i64, latest_ms: i64 },
    /// Flips do not follow on each other.
    Disorder { monitor: String, sequence: u64 },
    /// Pushes said up and down in turn more often than the monitor flipped.
    Unflipped { monitor: String, changes: usize, flips: usize },
    /// A flip that pages was not received.
    Undelivered { monitor: String, sequence: u64 },
    /// A flip was received that is in no history.
    Unknown { monitor: String, flip: String },
    /// A flip was received under several webhook ids, or several flips under one.
    Ids { flip: String, ids: usize },
    /// A running number of a monitor was received with different flips.
    Renumbered { monitor: String, sequence: u64 },
    /// A flip was first received after a later one of its monitor.
    Overtaken { monitor: String, sequence: u64 },
    /// A partition was given twice in one epoch.
    TwoOwners { partition: u16, lease: String },
    /// A scheduler's epochs of a partition went back.
    EpochBack { node: String, partition: u16, lease: String },
    /// A node complained of something that the fault does not explain.
    Complaint { node: String, line: String },
}

impl fmt::Display for Violation {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{self:?}")
    }
}

/// The violations in a record.
pub(crate) fn violations(record: &Record, allowed: &Allowed) -> Vec<Violation> {
    let mut found = Vec::new();
    for monitor in &record.monitors {
        found.extend(pushes(monitor, allowed));
        found.extend(false_downs(monitor));
        found.extend(silence(monitor, allowed));
        found.extend(order(monitor, allowed));
        found.extend(changes(monitor, allowed));
        found.extend(deliveries(monitor, record, allowed));
    }
    found.extend(ids(record));
    found.extend(owners(&record.logs, allowed));
    found.extend(complaints(&record.logs, allowed));
    found
}

fn acknowledged(monitor: &Watched) -> impl DoubleEndedIterator<Item = &Try> {
    monitor.tries.iter().filter(|one| one.status == 200)
}

/// Every push that was answered 200 is applied.
fn pushes(monitor: &Watched, allowed: &Allowed) -> Vec<Violation> {
    let lost = |one: &Try| allowed.lost.is_some_and(|(from, to)| one.ended_ms >= from && one.began_ms <= to);
    let forgotten = |one: &Try| allowed.history_from.is_some_and(|from| one.began_ms < from);
    let recorded: BTreeSet<&str> = monitor.heartbeats.iter().filter_map(|one| one.msg.as_deref()).collect();
    let name = || monitor.name.clone();
    let missing =
        acknowledged(monitor).filter(|one| !lost(one) && !forgotten(one) && !recorded.contains(&*one.msg));
    let mut found: Vec<Violation> =
        missing.map(|one| Violation::Unapplied { monitor: name(), msg: one.msg.clone() }).collect();
    let newest = acknowledged(monitor).rfind(|one| !lost(one)).filter(|one| !forgotten(one));
    if let Some(newest) = newest.filter(|one| monitor.last_heartbeat_ms.is_none_or(|at| at < one.began_ms)) {
        found.push(Violation::Stale { monitor: name(), msg: newest.msg.clone() });
    }
    found
}

fn missed(monitor: &Watched) -> impl Iterator<Item = &Flip> {
    monitor.flips.iter().filter(|flip| flip.reason == "missed")
}

/// No monitor goes down at D by silence if
/// - a push was answered 200 before D that moves the deadline beyond D; or
/// - the client goes on trying, and one of its tries began within timeout and grace before D, early enough to
///   be repeated on another node: a monitor whose client was refused gets a second chance.
fn false_downs(monitor: &Watched) -> Vec<Violation> {
    let after = monitor.down_after_ms;
    let false_down = |flip: &Flip| {
        let down = flip.at_ms;
        let heard = |one: &&Try| one.status == 200 && one.ended_ms < down && down < one.began_ms + after;
        let goes_on = monitor.tries.last().is_some_and(|last| last.ended_ms > down);
        let trying = |one: &&Try| goes_on && (down - after + 1..=down - RESCUE_MS).contains(&one.began_ms);
        let witness = monitor.tries.iter().find(|one| heard(one) || trying(one))?;
        Some(Violation::FalseDown { monitor: monitor.name.clone(), at_ms: down, msg: witness.msg.clone() })
    };
    missed(monitor).filter_map(false_down).collect()
}

/// When pushes were recorded whose clients had given up waiting for an answer: a frozen node reads them when
/// it thaws. They cannot be told from those of the living.
fn ghosts(monitor: &Watched) -> Vec<i64> {
    let mut given_up: BTreeMap<&str, i64> = BTreeMap::new();
    for one in &monitor.tries {
        given_up.insert(&one.msg, one.ended_ms);
    }
    let late = |msg: &str, at_ms: i64| given_up.get(msg).is_some_and(|ended_ms| at_ms > *ended_ms);
    let heartbeats = monitor.heartbeats.iter();
    heartbeats
        .filter(|one| one.msg.as_deref().is_some_and(|msg| late(msg, one.at_ms)))
        .map(|one| one.at_ms)
        .collect()
}

/// A monitor that falls silent for good goes down at the deadline that follows from its last heartbeat and
/// from deaf time, and stays down. It goes down once, and once more at most for each ghost.
fn silence(monitor: &Watched, allowed: &Allowed) -> Vec<Violation> {
    if monitor.habit != Habit::Mortal {
        return Vec::new();
    }
    let due_ms = acknowledged(monitor).next_back().map_or(0, |last| last.began_ms + monitor.down_after_ms);
    if allowed.history_from.is_some_and(|from| due_ms < from) {
        return Vec::new();
    }
    let ghosts = ghosts(monitor);
    let downs = missed(monitor).count();
    let last_flip = monitor.flips.last().filter(|last| last.to == "down" && last.reason == "missed");
    let Some(down) = last_flip.filter(|_| (1..=1 + ghosts.len()).contains(&downs)) else {
        return vec![Violation::Silence { monitor: monitor.name.clone(), downs }];
    };
    // A push that was not answered may be recorded as well.
    let (Some(last), Some(perhaps)) = (acknowledged(monitor).next_back(), monitor.tries.last()) else {
        return Vec::new();
    };
    let ghost = ghosts.into_iter().max().unwrap_or(0);
    let earliest_ms = last.began_ms.max(ghost) + monitor.down_after_ms;
    let mut latest_ms = perhaps.ended_ms.max(ghost) + monitor.down_after_ms;
    if allowed.deaf || down.deaf_seconds > 0 {
        // The shown value is cut to seconds.
        let deaf_ms =
            i64::try_from(down.deaf_seconds).unwrap_or(i64::MAX).saturating_add(1).saturating_mul(1_000);
        latest_ms += deaf_ms + monitor.down_after_ms.clamp(CHANCE_MS.0, CHANCE_MS.1);
    }
    if (earliest_ms..=latest_ms).contains(&down.at_ms) {
        return Vec::new();
    }
    vec![Violation::Misdated { monitor: monitor.name.clone(), at_ms: down.at_ms, earliest_ms, latest_ms }]
}

/// Flips are numbered from 1 without a hole, each begins where the one before ended, and later.
fn order(monitor: &Watched, allowed: &Allowed) -> Vec<Violation> {
    let disorder =
        |flip: &Flip| Violation::Disorder { monitor: monitor.name.clone(), sequence: flip.sequence };
    let mut found = Vec::new();
    if let Some(first) = monitor.flips.first() {
        let whole = (first.sequence, &*first.from) == (1, "new");
        if !whole && allowed.history_from.is_none() || first.from == first.to {
            found.push(disorder(first));
        }
    }
    for pair in monitor.flips.windows(2) {
        let [before, flip] = pair else { continue };
        let follows =
            flip.sequence == before.sequence + 1 && flip.from == before.to && flip.at_ms >= before.at_ms;
        if !follows || flip.from == flip.to {
            found.push(disorder(flip));
        }
    }
    found
}

/// Whenever a push that was answered 200 says another state than the one before, the monitor flips.
fn changes(monitor: &Watched, allowed: &Allowed) -> Vec<Violation> {
    if monitor.habit != Habit::Flapping || allowed.history_from.is_some() || allowed.lost.is_some() {
        return Vec::new();
    }
    let said: Vec<bool> = acknowledged(monitor).map(|one| one.down).collect();
    let first = usize::from(!said.is_empty());
    let changes = first + said.windows(2).filter(|pair| pair[0] != pair[1]).count();
    let told = ["first", "reported", "recovered"];
    let flips = monitor.flips.iter().filter(|flip| told.contains(&&*flip.reason)).count();
    if flips >= changes {
        return Vec::new();
    }
    vec![Violation::Unflipped { monitor: monitor.name.clone(), changes, flips }]
}

fn pages(flip: &Flip) -> bool {
    ["missed", "reported", "recovered"].contains(&&*flip.reason)
}

/// Every flip that pages is received, nothing else is, and in order.
fn deliveries(monitor: &Watched, record: &Record, allowed: &Allowed) -> Vec<Violation> {
    let name = || monitor.name.clone();
    let known: BTreeSet<&str> = monitor.flips.iter().map(|flip| &*flip.id).collect();
    let oldest = monitor.flips.first().map_or(u64::MAX, |flip| flip.sequence);
    let mut found = Vec::new();
    let mut received = BTreeSet::new();
    let mut numbers: BTreeMap<u64, &str> = BTreeMap::new();
    let mut newest = 0;
    for event in record.events.iter().filter(|event| event.monitor == monitor.id) {
        let (sequence, flip) = (event.sequence, &*event.flip);
        let forgotten = allowed.history_from.is_some() && sequence < oldest;
        if received.insert(flip) {
            if !known.contains(flip) && !forgotten {
                found.push(Violation::Unknown { monitor: name(), flip: flip.to_owned() });
            }
            if sequence < newest && !allowed.late_repeats {
                found.push(Violation::Overtaken { monitor: name(), sequence });
            }
        }
        if *numbers.entry(sequence).or_insert(flip) != flip {
            found.push(Violation::Renumbered { monitor: name(), sequence });
        }
        newest = newest.max(sequence);
    }
    let due = monitor.flips.iter().filter(|flip| pages(flip) && !received.contains(&*flip.id));
    found.extend(due.map(|flip| Violation::Undelivered { monitor: name(), sequence: flip.sequence }));
    found
}

/// However often a flip is sent, its webhook id is the same, and no other flip has it. There is one channel.
fn ids(record: &Record) -> Vec<Violation> {
    let mut by_flip: BTreeMap<&str, BTreeSet<&str>> = BTreeMap::new();
    let mut by_id: BTreeMap<&str, BTreeSet<&str>> = BTreeMap::new();
    for event in &record.events {
        by_flip.entry(&event.flip).or_default().insert(&event.webhook_id);
        by_id.entry(&event.webhook_id).or_default().insert(&event.flip);
    }
    let several = by_flip.iter().filter(|(_, ids)| ids.len() > 1);
    let mut found: Vec<Violation> =
        several.map(|(flip, ids)| Violation::Ids { flip: (*flip).to_owned(), ids: ids.len() }).collect();
    let shared = by_id.values().filter(|flips| flips.len() > 1).flatten();
    found.extend(shared.map(|flip| Violation::Ids { flip: (*flip).to_owned(), ids: 1 }));
    found
}

/// A partition has one owner in each epoch: no lease is given twice, and a partition that is taken again is
/// in a later epoch.
fn owners(logs: &[Log], allowed: &Allowed) -> Vec<Violation> {
    let mut found = Vec::new();
    let mut given = BTreeSet::new();
    for log in logs {
        let mut newest: BTreeMap<u16, u64> = BTreeMap::new();
        for lease in &log.leases {
            let (partition, token) = (lease.partition, lease.token.clone());
            // Counters tell epochs apart as long as nothing was lost; the random part does so even then.
            let epoch = lease.epoch().unwrap_or_default();
            let name = if allowed.counters_again { token.clone() } else { epoch.to_string() };
            if !given.insert((partition, name)) {
                found.push(Violation::TwoOwners { partition, lease: token.clone() });
            }
            let before = newest.insert(partition, epoch);
            if before.is_some_and(|before| before >= epoch) && !allowed.counters_again {
                found.push(Violation::EpochBack { node: log.node.clone(), partition, lease: token });
            }
        }
    }
    found
}

fn complaints(logs: &[Log], allowed: &Allowed) -> Vec<Violation> {
    let explained =
        |line: &str| !line.contains(PANIC) && allowed.errors.iter().any(|part| line.contains(part));
    let of = |log: &Log| -> Vec<Violation> {
        let unexplained = log.errors.iter().filter(|line| !explained(line));
        unexplained.map(|line| Violation::Complaint { node: log.node.clone(), line: line.clone() }).collect()
    };
    logs.iter().flat_map(of).collect()
}

mod tests;
