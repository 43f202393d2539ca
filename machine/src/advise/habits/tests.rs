//! Habits from frames: what was heard here, and what was imported.

use model::heartbeat::{Heartbeat, HeartbeatKind};
use model::ids::Revision;
use model::monitor::{Definition, DefinitionChange};
use model::schedule::Schedule;
use model::wire::frame::Listening;
use std::time::Duration;

use super::*;

fn monitor() -> MonitorId {
    "0192f0c0-0000-7000-8000-000000000001".parse().expect("an id")
}

fn at(secs: i64) -> EventTime {
    EventTime::from_secs(1_795_000_000 + secs)
}

fn heartbeat(secs: i64) -> Heartbeat {
    Heartbeat {
        monitor: monitor(),
        received_at: at(secs),
        kind: HeartbeatKind::Up,
        message: None,
        value: None,
        source: None,
        output: None,
        trace: None,
    }
}

fn heard(secs: i64) -> PastEvent {
    PastEvent::Heard { heartbeat: heartbeat(secs), settled: None }
}

fn defined(secs: i64, paused: bool) -> PastEvent {
    let definition =
        Definition { schedule: Schedule::Period { timeout: 60 }, grace: 6, remind_every: 0, paused };
    PastEvent::Defined { at: at(secs), revision: Revision(1), definition, settled: None }
}

/// What the log holds, in order: imported parts, or heartbeats of here.
enum Entry {
    Imported(Vec<PastEvent>),
    Here(i64),
    Paused(bool),
}

fn habit(entries: Vec<Entry>) -> Habit {
    let window = Interval { start: at(-100_000), end: at(100_000) };
    let wanted = Arc::new([monitor()].into_iter().collect());
    let mut habits = Habits::new(TimeRules::EMBEDDED, PartitionHead::default(), [], wanted, window);
    for (index, entry) in entries.into_iter().enumerate() {
        let number = index as u64 + 1;
        let now = at(50_000 + index as i64);
        let mut frame = Frame {
            node: "n".to_owned(),
            boot: 1,
            number,
            sealed_at: now,
            listening: Listening::First,
            refused: 0,
            heartbeats: Vec::new(),
            definitions: Vec::new(),
            imported: Vec::new(),
        };
        match entry {
            Entry::Imported(events) => {
                frame.imported = vec![Imported { monitor: monitor(), at: now, events }]
            }
            Entry::Here(secs) => frame.heartbeats = vec![heartbeat(secs)],
            Entry::Paused(paused) => {
                let definition = Definition {
                    schedule: Schedule::Period { timeout: 60 },
                    grace: 6,
                    remind_every: 0,
                    paused,
                };
                let change = DefinitionChange {
                    monitor: monitor(),
                    revision: Revision(number),
                    at: now,
                    definition: Some(definition),
                };
                frame.definitions = vec![change];
            }
        }
        habits.apply(Offset(number), now, &frame);
    }
    habits.end().remove(&monitor()).unwrap_or_default()
}

fn longest(habit: &Habit) -> Duration {
    habit.intervals.buckets().last().expect("an interval").longest()
}

#[test]
fn an_imported_history_is_a_habit_like_any_other() {
    let minutes = (0..20).map(|minute| heard(minute * 60)).collect();
    let found = habit(vec![Entry::Imported(minutes), Entry::Imported(vec![PastEvent::Until(at(1_200))])]);
    assert_eq!((found.heard(), found.intervals.count()), (20, 19));
    assert_eq!(found.first(), Some(at(0)));
    assert_eq!(longest(&found), Duration::from_secs(60));
}

#[test]
fn the_time_between_two_installations_is_no_interval() {
    let past = || vec![heard(0), heard(60), heard(120)];
    let whole = habit(vec![
        Entry::Imported([past(), vec![PastEvent::Until(at(130))]].concat()),
        Entry::Here(50_010),
        Entry::Here(50_070),
    ]);
    let unfinished = habit(vec![Entry::Imported(past()), Entry::Here(50_010), Entry::Here(50_070)]);
    for found in [whole, unfinished] {
        assert_eq!((found.heard(), found.intervals.count()), (5, 3));
        assert_eq!(longest(&found), Duration::from_secs(60));
    }
}

#[test]
fn deaf_time_and_pauses_of_the_other_installation_are_no_intervals() {
    let found = habit(vec![
        Entry::Imported(vec![defined(0, false), heard(0), heard(60)]),
        Entry::Imported(vec![PastEvent::Deaf(Interval { start: at(70), end: at(970) }), heard(1_020)]),
        Entry::Imported(vec![defined(1_030, true), defined(9_000, false), heard(9_010), heard(9_070)]),
        Entry::Imported(vec![defined(9_080, true), PastEvent::Until(at(9_100))]),
        Entry::Here(50_010),
        Entry::Here(50_070),
    ]);
    assert_eq!((found.heard(), found.intervals.count()), (7, 4));
    assert_eq!(longest(&found), Duration::from_secs(60));
}

#[test]
fn a_history_that_the_monitor_does_not_take_is_no_habit() {
    let refused = || Entry::Imported(vec![heard(0), heard(30), PastEvent::Until(at(40))]);
    let found = habit(vec![Entry::Here(50_000), refused(), Entry::Here(50_060)]);
    assert_eq!((found.heard(), found.intervals.count()), (2, 1));
    assert_eq!(habit(vec![Entry::Paused(true), Entry::Paused(false), refused()]).heard(), 0);
    // Parts that come twice are one.
    let part = || Entry::Imported(vec![heard(0), heard(60)]);
    let until = || Entry::Imported(vec![PastEvent::Until(at(70))]);
    let found = habit(vec![part(), part(), until(), part(), until()]);
    assert_eq!((found.heard(), found.intervals.count()), (2, 1));
}
