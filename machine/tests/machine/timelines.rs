//! Timelines written by hand: what happened, and the flips that are expected.

use std::sync::Arc;

use model::flip::{Alert, Flip, Reason, State};
use model::heartbeat::HeartbeatKind::{Down, Up};
use model::monitor::Definition;
use model::monitor_state::OutboxAlert;
use model::schedule::{CronSchedule, Schedule};
use model::time::{EventTime, TimeRules};

use histories::driver::{Store, run, secs};
use histories::{START, Writer, period};

/// (to, reason, seconds since the start)
type Expected = (State, Reason, i64);

fn check(timeline: impl FnOnce(&mut Writer), expected: &[Expected]) -> Store {
    let mut writer = Writer::new(1);
    writer.tick(2);
    timeline(&mut writer);
    let store = run(TimeRules::EMBEDDED, &writer.log);
    let seconds = |at: EventTime| i64::try_from(at.since(START).as_secs()).expect("short");
    let found: Vec<Expected> =
        store.flips.values().map(|flip| (flip.to, flip.reason, seconds(flip.at))).collect();
    assert_eq!(found, expected);
    store
}

fn paged(store: &Store) -> Vec<&Flip> {
    store.alerts.iter().filter_map(|outbox| outbox.alert.flip()).collect()
}

#[test]
fn silence_past_the_deadline_is_down_and_the_next_heartbeat_recovers() {
    let store = check(
        |w| {
            w.define(0, Some(period(60, 6)));
            w.push(0, 0, Up);
            w.tick(2 * 100);
            w.push(0, 0, Up);
            w.tick(4);
        },
        &[
            (State::Up, Reason::First, 1),
            (State::Down, Reason::Missed, 67),
            (State::Up, Reason::Recovered, 101),
        ],
    );
    let paged = paged(&store);
    assert_eq!(paged.len(), 2, "the first heartbeat does not page");
    assert_eq!((paged[0].silent_for, paged[0].message.as_deref()), (Some(secs(66)), None));
    assert_eq!(paged[0].deadline, Some(paged[0].at));
    assert_eq!(paged[1].down_for, Some(secs(34)));
}

#[test]
fn pushing_as_often_as_the_timeout_does_not_flap() {
    check(
        |w| {
            w.define(0, Some(period(60, 6)));
            for _ in 0..20 {
                w.push(0, 0, Up);
                w.tick(2 * 60);
            }
        },
        &[(State::Up, Reason::First, 1)],
    );
}

#[test]
fn a_reported_down_alerts_at_once_and_repeats_do_not() {
    let store = check(
        |w| {
            w.define(0, Some(period(60, 6)));
            w.push(0, 0, Down);
            w.tick(1);
            w.push(0, 0, Down);
            w.tick(400);
            w.push(0, 0, Up);
            w.tick(1);
        },
        &[(State::Down, Reason::Reported, 1), (State::Up, Reason::Recovered, 201)],
    );
    assert_eq!(paged(&store).len(), 2);
}

#[test]
fn an_outage_of_lubdub_is_not_held_against_anybody() {
    check(
        |w| {
            w.define(0, Some(period(10, 1)));
            w.push(0, 0, Up);
            w.tick(2);
            // The node is gone for an hour; the client's next push comes 8 s after it is back.
            w.wait(secs(3_600));
            w.restart(0);
            w.tick(16);
            w.push(0, 0, Up);
            w.tick(4);
        },
        &[(State::Up, Reason::First, 1)],
    );
}

#[test]
fn a_job_that_died_during_an_outage_of_lubdub_is_found_after_it() {
    let store = check(
        |w| {
            w.define(0, Some(period(10, 1)));
            w.push(0, 0, Up);
            w.tick(2);
            w.wait(secs(3_600));
            w.restart(0);
            w.tick(80);
        },
        // Heard at 1, the node listened until 2 and again from 3602.5 on: chance = 11 s.
        &[(State::Up, Reason::First, 1), (State::Down, Reason::Missed, 3_613)],
    );
    assert_eq!(paged(&store)[0].deaf.as_secs(), 3_600);
}

#[test]
fn pause_and_resume_are_silent_and_a_job_that_stays_dead_alerts() {
    let paused = Definition { paused: true, ..period(10, 1) };
    let store = check(
        |w| {
            w.define(0, Some(period(10, 1)));
            w.push(0, 0, Up);
            w.tick(2);
            w.define(0, Some(paused));
            w.tick(200);
            w.define(0, Some(period(10, 1)));
            w.tick(40);
        },
        &[
            (State::Up, Reason::First, 1),
            (State::Paused, Reason::Paused, 2),
            (State::Up, Reason::Resumed, 102),
            (State::Down, Reason::Missed, 113),
        ],
    );
    assert_eq!(paged(&store).len(), 1);
}

#[test]
fn a_monitor_that_was_never_heard_stays_new_over_a_pause() {
    let store = check(
        |w| {
            w.define(0, Some(Definition { paused: true, ..period(10, 1) }));
            w.tick(20);
            w.define(0, Some(period(10, 1)));
            w.tick(100);
        },
        &[(State::New, Reason::Resumed, 11)],
    );
    assert!(store.alerts.is_empty());
}

#[test]
fn a_changed_schedule_takes_down_and_rescues() {
    let store = check(
        |w| {
            w.define(0, Some(period(60, 6)));
            w.push(0, 0, Up);
            w.tick(40);
            w.define(0, Some(period(10, 1)));
            w.tick(10);
            w.define(0, Some(period(60, 6)));
            w.tick(10);
        },
        &[(State::Up, Reason::First, 1), (State::Down, Reason::Missed, 21), (State::Up, Reason::Changed, 26)],
    );
    assert_eq!(paged(&store).len(), 2);
}

#[test]
fn a_rename_changes_nothing_and_a_deleted_monitor_says_nothing() {
    let store = check(
        |w| {
            w.define(0, Some(period(10, 1)));
            w.push(0, 0, Up);
            w.tick(2);
            w.define(0, Some(period(10, 1)));
            w.tick(2);
            w.define(0, None);
            w.tick(100);
        },
        &[],
    );
    assert!(store.states.is_empty() && store.alerts.is_empty());
}

#[test]
fn a_heartbeat_that_comes_before_its_definition_counts() {
    check(
        |w| {
            w.push(0, 0, Up);
            w.tick(2);
            w.define(0, Some(period(10, 1)));
            w.tick(40);
        },
        &[(State::Up, Reason::First, 1), (State::Down, Reason::Missed, 12)],
    );
}

#[test]
fn reminders_come_while_it_is_down() {
    let store = check(
        |w| {
            w.define(0, Some(Definition { remind_every: 60, ..period(10, 1) }));
            w.push(0, 0, Up);
            w.tick(2 * 200);
            w.push(0, 0, Up);
            w.tick(2 * 5);
        },
        &[
            (State::Up, Reason::First, 1),
            (State::Down, Reason::Missed, 12),
            (State::Up, Reason::Recovered, 201),
        ],
    );
    assert_eq!(reminders(&store), [(1, 72), (2, 132), (3, 192)]);
}

#[test]
fn a_changed_interval_of_reminders_counts_from_the_change() {
    let store = check(
        |w| {
            w.define(0, Some(period(10, 1)));
            w.push(0, 0, Down);
            w.tick(2 * 130);
            w.define(0, Some(Definition { remind_every: 60, ..period(10, 1) }));
            w.tick(2 * 100);
        },
        &[(State::Down, Reason::Reported, 1)],
    );
    let watermark = 1 + 130 - TimeRules::EMBEDDED.lateness.as_secs();
    assert_eq!(reminders(&store), [(1, watermark + 60)]);
}

/// The number of each reminder, and its seconds from the start.
fn reminders(store: &Store) -> Vec<(u32, u64)> {
    let reminder = |outbox: &OutboxAlert| {
        let Alert::Reminder { number, at, .. } = &outbox.alert else { return None };
        Some((*number, at.since(START).as_secs()))
    };
    store.alerts.iter().filter_map(reminder).collect()
}

#[test]
fn a_heartbeat_that_lands_late_rescues_only_if_it_reaches_to_now() {
    // The heartbeat was received in time, but its frame landed after the deadline had passed.
    check(
        |w| {
            w.define(0, Some(period(10, 1)));
            w.push(0, 0, Up);
            w.tick(20);
            w.push(0, 0, Up);
            let late = w.seal(0);
            w.tick(6);
            w.append(late);
            w.tick(2);
        },
        &[
            (State::Up, Reason::First, 1),
            (State::Down, Reason::Missed, 12),
            (State::Up, Reason::Recovered, 12),
        ],
    );
}

#[test]
fn a_cron_schedule_waits_for_its_grace() {
    let hourly = CronSchedule::parse("0 * * * *", "UTC").expect("a pattern");
    let definition =
        Definition { schedule: Schedule::Cron(Arc::new(hourly)), grace: 600, remind_every: 0, paused: false };
    // The start is 13:46:40 on some day: 1,000,000 s.
    check(
        |w| {
            w.define(0, Some(definition));
            w.push(0, 0, Up);
            w.tick(2 * 3_600);
        },
        &[(State::Up, Reason::First, 1), (State::Down, Reason::Missed, 800 + 600)],
    );
}
