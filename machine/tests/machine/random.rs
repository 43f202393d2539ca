//! Random histories: the machine equals the model, and replay equals live.

use std::collections::BTreeMap;
use std::time::Duration;

use model::flip::{Reason, State};
use model::heartbeat::HeartbeatKind;
use model::ids::MonitorId;
use model::monitor::Definition;
use model::time::TimeRules;
use model::wire::frame::Listening;
use proptest::prelude::*;

use histories::driver::{Driver, Entry, Store, check, run};
use histories::reference::Model;
use histories::{Writer, ops, period, write};

fn flips(store: &Store) -> BTreeMap<MonitorId, Vec<(State, Reason)>> {
    let mut flips: BTreeMap<MonitorId, Vec<(State, Reason)>> =
        store.states.keys().map(|id| (*id, Vec::new())).collect();
    for flip in store.flips.values() {
        flips.entry(flip.monitor).or_default().push((flip.to, flip.reason));
    }
    flips
}

/// Joins runs of ticks that vouch, as a log may.
fn fold(rules: TimeRules, log: &[Entry]) -> Vec<Entry> {
    let mut folded: Vec<Entry> = Vec::new();
    for entry in log {
        let vouches = |entry: &Entry| match entry.frame.listening {
            Listening::Since(since) => {
                let good = entry.frame.is_tick()
                    && entry.frame.sealed_at.since(since) <= rules.silence
                    && entry.frame.sealed_at <= entry.logged_at + rules.skew * 2;
                good.then_some(since)
            }
            Listening::Folded(since) => Some(since),
            Listening::No | Listening::First => None,
        };
        if let (Some(last), Some(since)) = (folded.last_mut(), vouches(entry))
            && let Some(first_since) = vouches(last)
            && last.frame.boot == entry.frame.boot
            && last.frame.sealed_at == since
            && entry.frame.sealed_at > since
            && last.frame.sealed_at > first_since
            && entry.frame.sealed_at.since(first_since) <= Duration::from_secs(10)
        {
            let mut joined = entry.clone();
            joined.frame.listening = Listening::Folded(first_since);
            *last = joined;
        } else {
            folded.push(entry.clone());
        }
    }
    folded
}

fn same_outcome(left: &Store, right: &Store) -> Result<(), TestCaseError> {
    prop_assert_eq!(&left.flips, &right.flips);
    prop_assert_eq!(&left.alerts, &right.alerts);
    prop_assert_eq!(&left.states, &right.states);
    prop_assert_eq!(&left.head.gaps, &right.head.gaps);
    prop_assert_eq!(left.head.watermark, right.head.watermark);
    Ok(())
}

/// Runs a log as it is and with its ticks folded.
///
/// # Errors
/// The two do not say the same.
fn same_when_folded(log: &[Entry]) -> Result<(), TestCaseError> {
    let rules = TimeRules::EMBEDDED;
    // An entry in the sorted set may be moved less often, as there are fewer polls; nothing follows from
    // that.
    let unarmed = |log: &[Entry]| {
        let mut store = run(rules, log);
        store.states.values_mut().for_each(|state| state.armed_at = None);
        store
    };
    same_outcome(&unarmed(&fold(rules, log)), &unarmed(log))
}

#[test]
fn reminders_that_are_overdue_do_not_hang_on_how_often_the_watermark_moves() {
    let reminded = Definition { remind_every: 60, ..period(10, 1) };
    // The second reminder is due within this span.
    for half_seconds in 220..260 {
        let mut redefined = Writer::new(1);
        redefined.define(0, Some(period(10, 1)));
        redefined.push(0, 0, HeartbeatKind::Down);
        redefined.tick(half_seconds);
        redefined.define(0, Some(reminded.clone()));
        redefined.tick(60);
        same_when_folded(&redefined.log).expect("the interval was changed");

        let mut late = Writer::new(1);
        late.define(0, Some(reminded.clone()));
        late.push(0, 0, HeartbeatKind::Down);
        let frame = late.seal(0);
        late.tick(half_seconds);
        late.append(frame);
        late.tick(60);
        same_when_folded(&late.log).expect("the report landed late");

        let mut missed = Writer::new(1);
        missed.define(0, Some(reminded.clone()));
        missed.push(0, 0, HeartbeatKind::Up);
        let frame = missed.seal(0);
        missed.tick(half_seconds);
        missed.append(frame);
        missed.tick(60);
        same_when_folded(&missed.log).expect("the last heartbeat landed late");
    }
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 400, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn the_machine_equals_the_model(ops in ops(2), in_cluster: bool) {
        let rules = if in_cluster { TimeRules::CLUSTER } else { TimeRules::EMBEDDED };
        let log = write(2, &ops);
        prop_assert_eq!(flips(&run(rules, &log)), Model::run(rules, &log));
    }

    #[test]
    fn crashes_at_any_step_and_batches_of_any_size_change_nothing(
        ops in ops(2),
        due_limit in 1..4_usize,
        steps in proptest::collection::vec(0..6_u8, 1..50),
    ) {
        let rules = TimeRules::CLUSTER;
        let log = write(2, &ops);
        let mut driver = Driver::new(rules, due_limit);
        let mut at = 0;
        let mut step = steps.iter().cycle();
        // Bounded, so that every history comes to its end.
        let mut crashes = 0;
        while at < log.len() {
            match step.next().expect("it is endless") {
                0 if crashes < 60 => {
                    crashes += 1;
                    driver.crash();
                    at = usize::try_from(driver.store.head.applied.0).expect("short");
                }
                1 if crashes < 60 => {
                    crashes += 1;
                    driver.apply_and_settle_partly(at, &log[at], 1);
                    driver.crash();
                    at = usize::try_from(driver.store.head.applied.0).expect("short");
                }
                2 if crashes < 60 => {
                    crashes += 1;
                    driver.commit();
                    let applied = usize::try_from(driver.store.head.applied.0).expect("short");
                    prop_assert_eq!(applied, at);
                    // Entries that were read already are read again.
                    for (index, entry) in log.iter().enumerate().take(at).skip(at.saturating_sub(3)) {
                        driver.apply(index, entry);
                    }
                }
                _ => {
                    driver.apply(at, &log[at]);
                    at += 1;
                }
            }
        }
        driver.commit();
        check(&driver.store);
        same_outcome(&driver.store, &run(rules, &log))?;
    }

    #[test]
    fn a_log_whose_ticks_are_folded_says_the_same(ops in ops(1)) {
        same_when_folded(&write(1, &ops))?;
    }
}
