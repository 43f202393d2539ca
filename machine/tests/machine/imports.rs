//! Histories from elsewhere.

use std::collections::BTreeMap;
use std::time::Duration;

use histories::driver::Entry;
use histories::{START, monitor, ops, period, write};
use machine::{Effects, Partition, Replayer};
use model::flip::{Flip, Reason, State};
use model::heartbeat::{Heartbeat, HeartbeatKind};
use model::ids::{MonitorId, Offset, Revision};
use model::imported::{Imported, PastEvent};
use model::monitor::{Definition, DefinitionChange};
use model::monitor_state::PartitionHead;
use model::time::{EventTime, Interval, TimeRules};
use model::wire::frame::{Frame, Listening};
use proptest::prelude::*;

const RULES: TimeRules = TimeRules::CLUSTER;

/// Long after every history.
const NOW: EventTime = EventTime::from_secs(2_000_000);

/// The other installation, to which a history comes.
struct Target {
    replayer: Replayer,
    offset: u64,
    now: EventTime,
    effects: Effects,
}

impl Target {
    fn new() -> Self {
        let replayer = Replayer::new(RULES, PartitionHead::default(), []);
        let mut target = Self { replayer, offset: 0, now: NOW, effects: Effects::default() };
        target.tick(8);
        target
    }

    fn append(&mut self, change: impl FnOnce(&mut Frame)) {
        let mut frame = Frame {
            node: "there".to_owned(),
            boot: 1,
            number: self.offset,
            sealed_at: self.now,
            listening: Listening::No,
            refused: 0,
            heartbeats: Vec::new(),
            definitions: Vec::new(),
            imported: Vec::new(),
        };
        change(&mut frame);
        self.offset += 1;
        self.replayer.apply(Offset(self.offset), self.now, &frame, &mut self.effects);
    }

    fn tick(&mut self, half_seconds: u32) {
        for _ in 0..half_seconds {
            let since = self.now;
            self.now = self.now + Duration::from_millis(500);
            self.append(|frame| frame.listening = Listening::Since(since));
        }
    }

    fn define(&mut self, id: MonitorId, revision: u64, definition: Definition) {
        let at = self.now;
        self.append(|frame| {
            let definition = Some(definition);
            frame.definitions =
                vec![DefinitionChange { monitor: id, revision: Revision(revision), at, definition }];
        });
    }

    fn import(&mut self, id: MonitorId, events: Vec<PastEvent>) {
        let at = self.now;
        self.append(|frame| frame.imported = vec![Imported { monitor: id, at, events }]);
    }

    fn push(&mut self, id: MonitorId) {
        let heartbeat = heard(id, self.now);
        self.append(|frame| frame.heartbeats = vec![heartbeat]);
    }

    fn flips(&mut self) -> Vec<Flip> {
        std::mem::take(&mut self.effects.flips)
    }
}

fn heard(id: MonitorId, at: EventTime) -> Heartbeat {
    Heartbeat {
        monitor: id,
        received_at: at,
        kind: HeartbeatKind::Up,
        message: None,
        value: None,
        source: None,
        output: None,
        trace: None,
    }
}

fn secs(secs: u64) -> EventTime {
    START + Duration::from_secs(secs)
}

fn beat(secs_after: u64) -> PastEvent {
    PastEvent::Heard { heartbeat: heard(monitor(1), secs(secs_after)), settled: None }
}

fn brief(flips: &[Flip]) -> Vec<(State, Reason, u64)> {
    let second = |at: EventTime| at.since(START).as_secs();
    flips.iter().map(|flip| (flip.to, flip.reason, second(flip.at))).collect()
}

#[test]
fn a_history_gives_its_flips_and_no_alerts() {
    let mut target = Target::new();
    target.define(monitor(1), 1, period(60, 6));
    target.import(monitor(1), vec![beat(0), beat(60), beat(200)]);
    assert_eq!(target.replayer.partition().monitor(monitor(1)).map(|state| state.state), Some(State::New));
    target.tick(400);
    target.import(monitor(1), vec![beat(230), PastEvent::Until(secs(250))]);
    let flips = target.flips();
    let expected = [
        (State::Up, Reason::First, 0),
        (State::Down, Reason::Missed, 126),
        (State::Up, Reason::Recovered, 200),
    ];
    assert_eq!(brief(&flips), expected);
    assert_eq!(flips.iter().map(|flip| flip.sequence).collect::<Vec<_>>(), [1, 2, 3]);
    assert_eq!(target.effects.imported.len(), 4);
    assert_eq!(target.effects.alerts, []);

    // From its arrival on it is given a whole timeout and grace.
    let arrived = target.now;
    let state = target.replayer.partition().monitor(monitor(1)).expect("it is there").clone();
    assert_eq!((state.state, state.sequence, state.heard_at), (State::Up, 3, Some(secs(230))));
    assert_eq!(state.imported, None);
    target.tick(2 * 66 + 8);
    let flips = target.flips();
    assert_eq!(flips.len(), 1);
    assert_eq!((flips[0].to, flips[0].sequence), (State::Down, 4));
    assert!(flips[0].at >= arrived + Duration::from_secs(66));
    assert_eq!(target.effects.alerts.len(), 1);
}

#[test]
fn a_monitor_that_was_down_stays_down_and_comes_back_with_an_alert() {
    let mut target = Target::new();
    target.define(monitor(1), 1, period(60, 6));
    target.import(monitor(1), vec![beat(0), PastEvent::Until(secs(500))]);
    assert_eq!(target.flips().len(), 2);
    target.tick(600);
    assert_eq!((target.flips(), target.effects.alerts.len()), (vec![], 0), "it was told of elsewhere");
    target.push(monitor(1));
    let flips = target.flips();
    assert_eq!((flips[0].to, flips[0].reason, flips[0].sequence), (State::Up, Reason::Recovered, 3));
    assert_eq!(target.effects.alerts.len(), 1);
}

#[test]
fn a_monitor_with_heartbeats_of_its_own_takes_no_history() {
    let mut target = Target::new();
    target.define(monitor(1), 1, period(60, 6));
    target.push(monitor(1));
    target.import(monitor(1), vec![beat(0), PastEvent::Until(secs(500))]);
    assert_eq!(target.flips().len(), 1);
    assert_eq!((target.effects.imported.len(), target.effects.refused_imports), (0, 1));
    // Nor one that is paused.
    target.define(monitor(2), 2, Definition { paused: true, ..period(60, 6) });
    target.import(monitor(2), vec![beat(0)]);
    assert_eq!(target.effects.refused_imports, 2);
}

#[test]
fn a_heartbeat_of_its_own_ends_a_history_that_is_not_complete() {
    let mut target = Target::new();
    target.define(monitor(1), 1, period(60, 6));
    target.import(monitor(1), vec![beat(0), beat(300)]);
    target.push(monitor(1));
    target.import(monitor(1), vec![beat(360), PastEvent::Until(secs(400))]);
    let flips = target.flips();
    let sequences: Vec<u64> = flips.iter().map(|flip| flip.sequence).collect();
    assert_eq!(sequences, [1, 2, 3], "first, missed, recovered; it was up when it was heard here");
    assert_eq!((target.effects.imported.len(), target.effects.refused_imports), (2, 1));
    assert_eq!(target.effects.alerts, []);
}

#[test]
fn a_heartbeat_that_is_older_than_the_history_ends_it_too() {
    let mut target = Target::new();
    target.define(monitor(1), 1, period(60, 6));
    // The clock there is a little ahead of the clock here.
    let ahead = target.now + Duration::from_millis(200);
    target.import(
        monitor(1),
        vec![beat(0), PastEvent::Heard { heartbeat: heard(monitor(1), ahead), settled: None }],
    );
    target.push(monitor(1));
    target.flips();
    target.tick(2 * 66 + 10);
    let flips = target.flips();
    let found: Vec<(State, Reason)> = flips.iter().map(|flip| (flip.to, flip.reason)).collect();
    assert_eq!(found, [(State::Down, Reason::Missed)], "the monitor has a wake-up");
}

#[test]
fn a_monitor_that_is_paused_before_its_history_is_complete_goes_on_without_it() {
    let mut target = Target::new();
    target.define(monitor(1), 1, period(60, 6));
    target.import(monitor(1), vec![beat(0), beat(60)]);
    target.define(monitor(1), 2, Definition { paused: true, ..period(60, 6) });
    target.import(monitor(1), vec![beat(120), PastEvent::Until(secs(130))]);
    target.define(monitor(1), 3, period(60, 6));
    target.effects.flips.clear();
    target.push(monitor(1));
    let state = target.replayer.partition().monitor(monitor(1)).expect("it is there");
    assert_eq!((state.state, state.sequence, &state.imported), (State::Up, 3, &None));
    assert_eq!((target.effects.imported.len(), target.effects.refused_imports), (2, 1));
}

#[test]
fn a_monitor_that_was_paused_elsewhere_is_resumed_on_arrival() {
    let mut target = Target::new();
    target.define(monitor(1), 1, period(60, 6));
    let paused = Definition { paused: true, ..period(60, 6) };
    let defined =
        PastEvent::Defined { at: secs(30), revision: Revision(1), definition: paused, settled: None };
    target.import(monitor(1), vec![beat(0), defined, PastEvent::Until(secs(500))]);
    let flips = target.flips();
    let expected: Vec<(State, Reason)> = flips.iter().map(|flip| (flip.to, flip.reason)).collect();
    assert_eq!(
        expected,
        [(State::Up, Reason::First), (State::Paused, Reason::Paused), (State::Up, Reason::Resumed)]
    );
    assert_eq!(flips[2].at, target.now);
}

#[test]
fn a_monitor_that_was_heard_while_it_was_paused_is_watched_on_arrival() {
    let mut target = Target::new();
    target.define(monitor(1), 1, period(60, 6));
    let paused = Definition { paused: true, ..period(60, 6) };
    let defined =
        PastEvent::Defined { at: secs(30), revision: Revision(1), definition: paused, settled: None };
    target.import(monitor(1), vec![defined, beat(40), PastEvent::Until(secs(500))]);
    let flips: Vec<(State, Reason)> = target.flips().iter().map(|flip| (flip.to, flip.reason)).collect();
    assert_eq!(flips, [(State::Up, Reason::Resumed)]);
}

#[test]
fn deaf_time_of_elsewhere_counts_there() {
    let mut target = Target::new();
    target.define(monitor(1), 1, period(60, 6));
    let deaf = PastEvent::Deaf(Interval { start: secs(10), end: secs(1_000) });
    target.import(monitor(1), vec![beat(0), deaf, beat(1_020), PastEvent::Until(secs(1_030))]);
    assert_eq!(brief(&target.flips()), [(State::Up, Reason::First, 0)]);
}

#[test]
fn a_history_that_moved_before_goes_on_as_it_did_there() {
    let (id, revision) = (monitor(1), Revision(2));
    // It was up when it moved, and is not heard for longer than its timeout until it is there.
    let moved = |until, at| PastEvent::Moved {
        until: secs(until),
        at: secs(at),
        revision,
        definition: period(90, 0),
    };
    let mut target = Target::new();
    target.define(id, 1, period(60, 6));
    let events = vec![beat(0), moved(50, 1_000), beat(1_080), PastEvent::Until(secs(1_100))];
    target.import(id, events.clone());
    assert_eq!(brief(&target.flips()), [(State::Up, Reason::First, 0)], "the move takes none down");
    // Parts that come twice change nothing; the definition from there on counts.
    let mut target = Target::new();
    target.define(id, 1, period(60, 6));
    let later = [beat(0), moved(50, 1_000), beat(1_080), beat(1_175), PastEvent::Until(secs(1_180))];
    target.import(id, later[..3].to_vec());
    target.import(id, later[1..].to_vec());
    let expected = [
        (State::Up, Reason::First, 0),
        (State::Down, Reason::Missed, 1_170),
        (State::Up, Reason::Recovered, 1_175),
    ];
    assert_eq!(brief(&target.flips()), expected);
}

/// The export of each monitor of a log, in the log's order, and the monitor's flips.
fn exported(log: &[Entry]) -> BTreeMap<MonitorId, (Vec<PastEvent>, Vec<Flip>)> {
    let mut replayer = Replayer::new(RULES, PartitionHead::default(), []);
    let mut effects = Effects::default();
    let mut monitors: BTreeMap<MonitorId, (Vec<PastEvent>, Vec<Flip>)> = BTreeMap::new();
    for entry in log {
        for entry in entry.frame.definitions.iter().map(|change| change.monitor) {
            monitors.entry(entry).or_default();
        }
        for entry in entry.frame.heartbeats.iter().map(|heartbeat| heartbeat.monitor) {
            monitors.entry(entry).or_default();
        }
    }
    let mut deaf_until = EventTime::EPOCH;
    for (index, Entry { logged_at, frame }) in log.iter().enumerate() {
        let watermark = replayer.partition().head().watermark.unwrap_or(EventTime::EPOCH);
        for change in &frame.definitions {
            let known = replayer.partition().monitor(change.monitor).map(|state| state.revision);
            let Some(definition) = change.definition.clone() else { continue };
            if known.is_none_or(|known| change.revision > known) {
                let (at, revision, settled) = (change.at, change.revision, Some(watermark));
                let event = PastEvent::Defined { at, revision, definition, settled };
                monitors.entry(change.monitor).or_default().0.push(event);
            }
        }
        let heard = |partition: &Partition, heartbeat: &Heartbeat| {
            let settled = partition.settled_before(heartbeat.monitor, heartbeat.received_at);
            let event = PastEvent::Heard { heartbeat: heartbeat.clone(), settled };
            monitors.entry(heartbeat.monitor).or_default().0.push(event);
        };
        replayer.apply_observed(Offset(index as u64 + 1), *logged_at, frame, heard, &mut effects);
        for gap in replayer.partition().head().gaps.as_slice() {
            if gap.end > deaf_until {
                let gap = Interval { start: gap.start.max(deaf_until), end: gap.end };
                monitors.values_mut().for_each(|(events, _)| events.push(PastEvent::Deaf(gap)));
                deaf_until = gap.end;
            }
        }
    }
    let settled = replayer.partition().head().settled.unwrap_or(EventTime::EPOCH);
    monitors.values_mut().for_each(|(events, _)| events.push(PastEvent::Until(settled)));
    for flip in effects.flips {
        monitors.entry(flip.monitor).or_default().1.push(flip);
    }
    monitors
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 400, failure_persistence: None, ..ProptestConfig::default() })]

    /// The outcome is the same however the history is cut into parts, and whichever parts come twice.
    #[test]
    fn an_exported_history_gives_the_same_flips_elsewhere(
        ops in ops(2),
        sizes in proptest::collection::vec((1..8_usize, 0..6_usize), 1..20),
    ) {
        let log: Vec<Entry> = write(2, &ops)
            .into_iter()
            .filter(|entry| entry.frame.definitions.iter().all(|change| change.definition.is_some()))
            .collect();
        for (id, (events, expected)) in exported(&log) {
            // A monitor whose events state no definition first would be judged by its definition at the
            // target.
            let defined = events.iter().find(|event| !matches!(event, PastEvent::Deaf(_)));
            if !matches!(defined, Some(PastEvent::Defined { .. })) {
                continue;
            }
            let mut target = Target::new();
            target.define(id, 1, period(60, 6));
            let (mut next, mut sizes) = (0, sizes.iter().cycle());
            while next < events.len() {
                let (size, again) = sizes.next().copied().expect("it is endless");
                let first = next.saturating_sub(again);
                next = (next + size).min(events.len());
                target.import(id, events[first..next].to_vec());
                target.tick(1);
            }
            let mut found = target.flips();
            let is_paused = events.iter().rev().find_map(|event| match event {
                PastEvent::Defined { definition, .. } => Some(definition.paused),
                PastEvent::Heard { .. } | PastEvent::Moved { .. } | PastEvent::Deaf(_) | PastEvent::Until(_) => None,
            });
            let is_heard = events.iter().any(|event| matches!(event, PastEvent::Heard { .. }));
            if is_paused == Some(true) && (is_heard || !expected.is_empty()) {
                prop_assert_eq!(found.pop().map(|flip| flip.reason), Some(Reason::Resumed));
            }
            // The trace of a heartbeat and everything else is the flip's.
            prop_assert_eq!(found, expected);
            prop_assert_eq!(&target.effects.alerts, &vec![]);
        }
    }
}
