//! A replay in memory gives what the owner got.

use histories::driver::{Entry, run};
use histories::{ops, write};
use machine::{Effects, Replayer};
use model::ids::Offset;
use model::monitor_state::PartitionHead;
use model::time::TimeRules;
use proptest::prelude::*;

fn apply(replayer: &mut Replayer, log: &[Entry], after: usize, effects: &mut Effects) {
    for (index, entry) in log.iter().enumerate().skip(after) {
        replayer.apply(Offset(index as u64 + 1), entry.logged_at, &entry.frame, effects);
    }
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 200, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn a_replay_gives_the_same_states_flips_and_alerts(ops in ops(2), in_cluster: bool) {
        let rules = if in_cluster { TimeRules::CLUSTER } else { TimeRules::EMBEDDED };
        let log = write(2, &ops);
        let expected = run(rules, &log);
        let mut effects = Effects::default();
        let mut replayer = Replayer::new(rules, PartitionHead::default(), []);
        apply(&mut replayer, &log, 0, &mut effects);
        prop_assert_eq!(&effects.alerts, &expected.alerts);
        let states: std::collections::BTreeMap<_, _> =
            replayer.partition().states().map(|(id, state)| (id, state.clone())).collect();
        prop_assert_eq!(states, expected.states);
        prop_assert_eq!(replayer.partition().head(), &expected.head);
    }

    #[test]
    fn a_replay_that_begins_in_the_middle_gives_the_rest(ops in ops(2), from in 0..1_000_usize) {
        let rules = TimeRules::CLUSTER;
        let log = write(2, &ops);
        let from = from % log.len();
        let expected = run(rules, &log);
        let first = run(rules, &log[..from]);
        let mut effects = Effects::default();
        let mut replayer = Replayer::new(rules, first.head.clone(), first.states.clone());
        apply(&mut replayer, &log, from, &mut effects);
        let mut alerts = first.alerts.clone();
        alerts.extend(effects.alerts);
        prop_assert_eq!(alerts, expected.alerts);
        prop_assert_eq!(replayer.partition().head(), &expected.head);
    }

    #[test]
    fn a_replay_of_some_monitors_gives_theirs(ops in ops(2), which in 0..4_u8) {
        let rules = TimeRules::CLUSTER;
        let log = write(2, &ops);
        let wanted = histories::monitor(which);
        let expected = run(rules, &log);
        let mut effects = Effects::default();
        let mut replayer = Replayer::new(rules, PartitionHead::default(), []).only(move |id| id == wanted);
        apply(&mut replayer, &log, 0, &mut effects);
        let theirs: Vec<_> = expected.flips.values().filter(|flip| flip.monitor == wanted).cloned().collect();
        // The flips of a monitor that was deleted are forgotten there.
        let deleted = log.iter().flat_map(|entry| &entry.frame.definitions).any(|change| {
            change.monitor == wanted && change.definition.is_none()
        });
        if !deleted {
            prop_assert_eq!(effects.flips, theirs);
        }
        prop_assert_eq!(&replayer.partition().head().gaps, &expected.head.gaps);
    }
}
