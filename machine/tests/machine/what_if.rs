//! What-if against the reference model, against the machine that decides live, and against itself.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

use machine::Effects;
use machine::replayer::Replayer;
use machine::what_if::{Compared, Counts, Trial, Trials, WhatIf};
use model::flip::{Flip, Reason, State};
use model::heartbeat::HeartbeatKind::{Down, Up};
use model::ids::{MonitorId, Offset};
use model::monitor::Definition;
use model::monitor_state::PartitionHead;
use model::schedule::{CronSchedule, Schedule};
use model::time::{EventTime, Interval, TimeRules};
use proptest::prelude::*;

use histories::driver::{Entry, run, secs};
use histories::reference::Model;
use histories::{START, Writer, monitor, ops, period, write};

const ALWAYS: Interval = Interval { start: EventTime::EPOCH, end: EventTime::from_secs(2_000_000_000) };

fn compare(
    rules: TimeRules,
    log: &[Entry],
    trials: Trials,
    window: Interval,
) -> BTreeMap<MonitorId, Compared> {
    go_on(WhatIf::new(rules, PartitionHead::default(), [], trials, window), log, 0)
}

/// Applies what comes after `applied` entries.
fn go_on(mut what_if: WhatIf, log: &[Entry], applied: usize) -> BTreeMap<MonitorId, Compared> {
    for (index, entry) in log.iter().enumerate().skip(applied) {
        what_if.apply(Offset(index as u64 + 1), entry.logged_at, &entry.frame);
    }
    what_if.compared().map(|compared| (compared.monitor, compared)).collect()
}

/// The log as it would be if every definition had been made with other settings.
fn with(log: &[Entry], timeout: u32, grace: u32) -> Vec<Entry> {
    let mut changed = log.to_vec();
    for change in changed.iter_mut().flat_map(|entry| &mut entry.frame.definitions) {
        if let Some(definition) = &mut change.definition {
            *definition = Definition { schedule: Schedule::Period { timeout }, grace, ..definition.clone() };
        }
    }
    changed
}

/// Counts flips one by one, in the plainest words. `period`: of every monitor, if it is known.
fn counted(flips: &[&Flip], window: Interval, period: Option<Duration>) -> Counts {
    let mut counts = Counts::default();
    for (index, down) in flips.iter().enumerate().filter(|(_, flip)| flip.to == State::Down) {
        if down.at > window.end {
            continue;
        }
        let end = flips.get(index + 1).filter(|end| end.at <= window.end);
        let until = end.map_or(window.end, |end| end.at);
        counts.down += until.since(down.at.max(window.start));
        if down.at < window.start {
            continue;
        }
        counts.downs += 1;
        let recovered = end.is_some_and(|end| end.reason == Reason::Recovered);
        let soon = period.is_some_and(|period| until.since(down.at) <= period);
        counts.false_alarms += u64::from(down.reason == Reason::Missed && recovered && soon);
    }
    counts
}

fn live(
    rules: TimeRules,
    log: &[Entry],
    window: Interval,
    period: Option<Duration>,
) -> BTreeMap<MonitorId, Counts> {
    let store = run(rules, log);
    let of = |id: &MonitorId| store.flips.values().filter(|flip| flip.monitor == *id).collect::<Vec<_>>();
    store.states.keys().map(|id| (*id, counted(&of(id), window, period))).collect()
}

fn trial(timeout: u32, grace: u32) -> Trial {
    Trial { schedule: Some(Schedule::Period { timeout }), grace: Some(grace), ..Trial::default() }
}

fn without_false_alarms(counts: Counts) -> Counts {
    Counts { false_alarms: 0, ..counts }
}

fn windows() -> impl Strategy<Value = Interval> {
    let at = |steps: u32| START + Duration::from_millis(250) * steps;
    (0..2_000_u32, 1..2_000_u32)
        .prop_map(move |(from, steps)| Interval { start: at(from), end: at(from + steps) })
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 300, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn with_unchanged_settings_all_is_as_it_was(ops in ops(2), window in windows()) {
        let rules = TimeRules::CLUSTER;
        let log = write(2, &ops);
        let compared = compare(rules, &log, Trials::Every(Trial::default()), window);
        let lived = live(rules, &log, window, None);
        prop_assert_eq!(compared.keys().collect::<Vec<_>>(), lived.keys().collect::<Vec<_>>());
        for (monitor, compared) in compared {
            prop_assert_eq!(compared.was, compared.would_be);
            prop_assert_eq!(without_false_alarms(compared.was), lived[&monitor]);
        }
    }

    #[test]
    fn with_other_settings_all_is_as_the_model_says(
        ops in ops(2), timeout in 1..20_u32, grace in 0..5_u32, window in windows(),
    ) {
        let rules = TimeRules::EMBEDDED;
        let log = write(2, &ops);
        let changed = with(&log, timeout, grace);
        let always = compare(rules, &log, Trials::Every(trial(timeout, grace)), ALWAYS);
        let downs = |flips: &[(State, Reason)]| flips.iter().filter(|(to, _)| *to == State::Down).count() as u64;
        for (monitor, flips) in Model::run(rules, &changed) {
            prop_assert_eq!(always[&monitor].would_be.downs, downs(&flips), "{}", monitor);
        }
        // The model knows no times; the machine that decides live does.
        let within = compare(rules, &log, Trials::Every(trial(timeout, grace)), window);
        for (monitor, counts) in live(rules, &changed, window, Some(secs(timeout.into()))) {
            prop_assert_eq!(within[&monitor].would_be, counts);
        }
        for (monitor, counts) in live(rules, &log, window, None) {
            prop_assert_eq!(without_false_alarms(within[&monitor].was), counts);
        }
    }

    #[test]
    fn a_narrow_question_has_the_answer_of_a_wide_one(ops in ops(1), timeout in 1..20_u32, window in windows()) {
        let rules = TimeRules::EMBEDDED;
        let log = write(1, &ops);
        let all = compare(rules, &log, Trials::Every(trial(timeout, 1)), window);
        let settings = BTreeMap::from([(monitor(1), trial(timeout, 1)), (monitor(2), Trial::default())]);
        let some = compare(rules, &log, Trials::Only(Arc::new(settings.into_iter().collect())), window);
        for (id, compared) in &some {
            prop_assert!([monitor(1), monitor(2)].contains(id));
            prop_assert_eq!(compared.was, all[id].was);
            let expected = if *id == monitor(1) { all[id].would_be } else { all[id].was };
            prop_assert_eq!(compared.would_be, expected);
        }
    }

    #[test]
    fn begun_from_a_checkpoint_it_tells_the_same(ops in ops(2), at in 0..100_usize, steps in 0..2_000_u32) {
        let rules = TimeRules::CLUSTER;
        let log = write(2, &ops);
        let applied = log.len() * at / 100;
        let mut owner = Replayer::new(rules, PartitionHead::default(), []);
        for (index, entry) in log.iter().enumerate().take(applied) {
            owner.apply(Offset(index as u64 + 1), entry.logged_at, &entry.frame, &mut Effects::default());
        }
        let checkpoint = owner.into_partition();
        let start = checkpoint.head().watermark.unwrap_or(START);
        // What was applied may lie ahead of the watermark, and so may the flips that it made: a heartbeat by
        // some seconds, a definition by all the time for which no frame was sealed.
        let logged = log[..applied].last().map_or(START, |entry| entry.logged_at);
        let start = start.max(logged) + rules.lateness + secs(4);
        let window = Interval { start, end: start + Duration::from_millis(250) * steps };
        let states: Vec<_> = checkpoint.states().map(|(id, state)| (id, state.clone())).collect();
        let trials = Trials::Every(Trial::default());
        let head = checkpoint.head().clone();
        let begun = go_on(WhatIf::new(rules, head, states, trials.clone(), window), &log, applied);
        let whole = compare(rules, &log, trials, window);
        prop_assert_eq!(begun, whole);
    }
}

fn nightly(grace: u32) -> Definition {
    let cron = CronSchedule::parse("0 2 * * *", "Europe/Berlin").expect("a pattern");
    Definition { schedule: Schedule::Cron(Arc::new(cron)), grace, remind_every: 0, paused: false }
}

fn check(timeline: impl FnOnce(&mut Writer), trial: Trial, was: Counts, would_be: Counts) {
    let mut writer = Writer::new(1);
    writer.tick(2);
    timeline(&mut writer);
    let window = Interval { start: START, end: writer.now };
    let found = compare(TimeRules::EMBEDDED, &writer.log, Trials::Every(trial), window);
    let found = found.get(&monitor(0)).expect("it is there");
    assert_eq!((found.was, found.would_be), (was, would_be));
}

fn counts(downs: u64, down: u64, false_alarms: u64) -> Counts {
    Counts { downs, down: secs(down), false_alarms }
}

#[test]
fn a_job_that_takes_a_little_longer_now_and_then_was_a_false_alarm() {
    check(
        |w| {
            w.define(0, Some(period(60, 6)));
            for pause in [60, 60, 80, 60, 300, 60] {
                w.push(0, 0, Up);
                w.tick(2 * pause);
            }
            w.push(0, 0, Up);
            w.tick(10);
        },
        trial(90, 9),
        // Down for 14 s after 66 s, and for 234 s.
        counts(2, 248, 1),
        counts(1, 201, 0),
    );
}

#[test]
fn what_the_job_itself_reports_is_no_false_alarm() {
    check(
        |w| {
            w.define(0, Some(period(60, 6)));
            w.push(0, 0, Down);
            w.tick(20);
            w.push(0, 0, Up);
            w.tick(20);
        },
        trial(600, 0),
        counts(1, 10, 0),
        counts(1, 10, 0),
    );
}

#[test]
fn a_pause_stays_a_pause_whatever_is_tried() {
    check(
        |w| {
            w.define(0, Some(period(60, 6)));
            w.push(0, 0, Up);
            w.tick(2);
            w.define(0, Some(Definition { paused: true, ..period(60, 6) }));
            w.tick(2 * 100);
            w.define(0, Some(period(60, 6)));
            w.tick(2 * 30);
        },
        trial(10, 0),
        counts(0, 0, 0),
        counts(1, 20, 0),
    );
}

#[test]
fn a_cron_schedule_can_be_tried_and_its_period_is_the_time_to_the_next_run() {
    // The start is 13:46:40 UTC; the runs at 02:00 in Berlin are at 01:00 UTC.
    let first = 11 * 3_600 + 13 * 60 + 20;
    check(
        |w| {
            w.define(0, Some(period(86_400, 3_600)));
            w.push(0, 0, Up);
            w.tick(2 * (first + 600));
            w.push(0, 0, Up);
            // The second run is an hour late.
            w.tick(2 * (86_400 + 3_000));
            w.push(0, 0, Up);
            w.tick(2);
        },
        Trial { schedule: Some(nightly(0).schedule), grace: Some(1_200), ..Trial::default() },
        counts(0, 0, 0),
        counts(1, 2_401, 1),
    );
}

#[test]
fn what_is_down_at_the_edges_counts_as_far_as_it_lies_within() {
    let mut writer = Writer::new(1);
    writer.tick(2);
    writer.define(0, Some(period(10, 1)));
    writer.push(0, 0, Up);
    // Down from 12 to 51, and again from 62 on.
    writer.tick(2 * 50);
    writer.push(0, 0, Up);
    writer.tick(2 * 50);
    for (from, until, expected) in [
        (0, 100, counts(2, 39 + 38, 0)),
        (20, 30, counts(0, 10, 0)),
        (12, 12, counts(1, 0, 0)),
        (20, 62, counts(1, 31, 0)),
        (70, 80, counts(0, 10, 0)),
    ] {
        let window = Interval { start: START + secs(from), end: START + secs(until) };
        let found = compare(TimeRules::EMBEDDED, &writer.log, Trials::Every(Trial::default()), window);
        assert_eq!(found[&monitor(0)].was, expected, "{from} to {until}");
    }
}
