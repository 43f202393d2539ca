//! The owner among faults: whichever port fails and whenever the owner is killed, the outcome is that of an
//! undisturbed run.

use std::collections::BTreeSet;
use std::sync::Arc;
use std::time::Duration;

use doubles::{AbsentRegistry, InMemoryRegistry, InMemoryStateStore, samples};
use model::ids::{MonitorId, Offset};
use model::monitor::{Definition, Monitor};
use model::time::{EventTime, TimeRules};
use model::wire;
use ports::heartbeat_log::HeartbeatLog;
use ports::history::History;
use ports::registry::{Expected, RecordKey, RecordKind, Registry};
use ports::state_store::StateReader;
use tokio_util::sync::CancellationToken;

use super::world::{PARTITION, World, history};
use histories::driver::run;
use histories::{monitor, period};

/// The fate of the state store between two runs.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Disaster {
    None,
    /// The store lost everything.
    Wiped,
    /// And the log begins where a checkpoint ends.
    WipedAndLogShort,
}

#[test]
fn faults_and_kills_change_nothing_of_the_outcome() {
    check_outcomes(Disaster::None);
}

#[test]
fn a_wiped_state_store_changes_nothing_of_the_outcome() {
    check_outcomes(Disaster::Wiped);
}

#[test]
fn a_checkpoint_and_the_rest_of_the_log_give_the_same_outcome() {
    check_outcomes(Disaster::WipedAndLogShort);
}

fn check_outcomes(disaster: Disaster) {
    for seed in 0..60 {
        // One thread and paused time: a seed always does the same.
        let runtime = tokio::runtime::Builder::new_current_thread()
            .enable_all()
            .start_paused(true)
            .build()
            .expect("a runtime");
        runtime.block_on(check_outcome(seed, disaster));
    }
}

async fn check_outcome(seed: u64, disaster: Disaster) {
    let log = history(seed);
    let expected = run(TimeRules::CLUSTER, &log);
    let mut world = World::new(seed, Arc::new(AbsentRegistry));
    let (first, rest) = log.split_at(log.len() / 2);
    world.append(first).await;
    for _ in 0..6 {
        world.run_and_kill().await;
    }
    if disaster == Disaster::WipedAndLogShort {
        let applied = world.run_to_a_checkpoint().await;
        world.log.expire(PARTITION, applied);
    }
    world.append(rest).await;
    for round in 0..6 {
        if round % 2 == 0 && disaster != Disaster::None {
            world.states = Arc::new(InMemoryStateStore::new());
        }
        world.run_and_kill().await;
    }
    world.run_to_the_end(expected.alerts.len() as u64).await;

    let ids: Vec<MonitorId> = expected.states.keys().copied().collect();
    let states = world.states.states(PARTITION, &ids).await.expect("they are there");
    for (id, state) in ids.iter().zip(states) {
        assert_eq!(state.as_ref(), expected.states.get(id), "seed {seed}");
        let mut flips = world.history.flips(*id, None, 10_000).await.expect("they are there");
        flips.reverse();
        let of_monitor: Vec<_> =
            expected.flips.values().filter(|flip| flip.monitor == *id).cloned().collect();
        assert_eq!(flips, of_monitor, "seed {seed}");
        let heard: BTreeSet<EventTime> = log
            .iter()
            .flat_map(|entry| &entry.frame.heartbeats)
            .filter(|heartbeat| heartbeat.monitor == *id)
            .map(|heartbeat| heartbeat.received_at)
            .collect();
        let kept = world.history.heartbeats(*id, None, 10_000).await.expect("they are there");
        let kept: BTreeSet<EventTime> = kept.iter().map(|entry| entry.heartbeat.received_at).collect();
        assert_eq!(kept, heard, "seed {seed}: every heartbeat of the log is in the history");
    }
    let published = world.published().await;
    let published: BTreeSet<_> = published.iter().map(|alert| (alert.at(), alert.id())).collect();
    let told: BTreeSet<_> =
        expected.alerts.iter().map(|outbox| (outbox.alert.at(), outbox.alert.id())).collect();
    assert_eq!(published, told, "seed {seed}: every alert once");
}

#[tokio::test(start_paused = true)]
async fn a_log_that_lost_its_newest_entries_is_read_from_where_it_goes_on() {
    for seed in 0..20 {
        let log = history(seed);
        let world = World::new(seed, Arc::new(AbsentRegistry));
        let (first, rest) = log.split_at(log.len() / 2);
        if first.len() < 4 {
            continue;
        }
        world.append(first).await;
        world.run_to_the_end(0).await;
        let last = world.log.extent(PARTITION).await.expect("it is there").last;
        world.log.lose(PARTITION, Offset(last.0 - 2));
        // More than were lost, so that their end does not give it away.
        world.append(rest).await;
        let after = world.log.extent(PARTITION).await.expect("it is there").last;
        assert!(after > last, "seed {seed}");
        world.run_to_the_end(0).await;
        for entry in rest.iter().flat_map(|entry| &entry.frame.heartbeats) {
            let kept = world.history.heartbeats(entry.monitor, None, 10_000).await.expect("they are there");
            let found = kept.iter().any(|kept| kept.heartbeat.received_at == entry.received_at);
            assert!(found, "seed {seed}: {} was not read", entry.received_at);
        }
    }
}

#[tokio::test(start_paused = true)]
async fn a_definition_that_is_in_the_registry_only_is_put_into_the_log() {
    let registry: Arc<dyn Registry> = Arc::new(InMemoryRegistry::new());
    let world = World::new(7, Arc::clone(&registry));
    let record =
        |number: u8, definition: Definition| Monitor { definition, ..samples::monitor(monitor(number)) };
    let key = RecordKey::new(RecordKind::Monitor, monitor(1));
    let value = wire::encode(&record(1, period(10, 1)));
    registry.put(&key, Expected::Absent, value).await.expect("it is put");
    let stop = CancellationToken::new();
    let shown = async {
        let mut defined = None;
        while defined.is_none() {
            world.clock.advance(Duration::from_secs(2));
            tokio::time::sleep(Duration::from_millis(50)).await;
            let states = world.states.states(PARTITION, &[monitor(1)]).await.expect("they are there");
            defined = states.into_iter().flatten().next().and_then(|state| state.definition);
        }
        assert_eq!(defined, Some(period(10, 1)));

        // Deleted from the registry, and not appended to the log.
        let revision = registry.get(&key).await.expect("it answers").expect("it is there").revision;
        registry.delete(&key, revision).await.expect("it is deleted");
        loop {
            world.clock.advance(Duration::from_secs(30));
            tokio::time::sleep(Duration::from_millis(50)).await;
            let states = world.states.states(PARTITION, &[monitor(1)]).await.expect("they are there");
            if states == [None] {
                break stop.cancel();
            }
        }
    };
    let both = async { tokio::join!(world.service().run(stop.clone()), shown) };
    let (outcome, ()) = tokio::time::timeout(Duration::from_secs(600), both).await.expect("it ends");
    outcome.expect("it drains");
}

/// Runs a scheduler until the first monitor has this definition.
async fn run_until_defined(world: &World, wanted: &Definition) {
    let stop = CancellationToken::new();
    let defined = async {
        loop {
            world.clock.advance(Duration::from_secs(2));
            tokio::time::sleep(Duration::from_millis(50)).await;
            let states = world.states.states(PARTITION, &[monitor(1)]).await.expect("they are there");
            let state = states.into_iter().flatten().next();
            if state.is_some_and(|state| state.definition.as_ref() == Some(wanted)) {
                break stop.cancel();
            }
        }
    };
    let both = async { tokio::join!(world.service().run(stop.clone()), defined) };
    let (outcome, ()) = tokio::time::timeout(Duration::from_secs(600), both).await.expect("it ends");
    outcome.expect("it drains");
}

#[tokio::test(start_paused = true)]
async fn a_registry_that_was_set_back_is_followed_though_its_numbers_repeat() {
    let [key, quiet] = [1, 2].map(|number| RecordKey::new(RecordKind::Monitor, monitor(number)));
    let value = |period_secs| {
        let definition = period(period_secs, 1);
        wire::encode(&Monitor { definition, ..samples::monitor(monitor(1)) })
    };
    let registry = InMemoryRegistry::new();
    let mut revision = registry.put(&key, Expected::Absent, value(10)).await.expect("it is put");
    for period_secs in [11, 12, 13] {
        revision = registry.put(&key, Expected::At(revision), value(period_secs)).await.expect("it is put");
    }
    registry.put(&quiet, Expected::Absent, value(10)).await.expect("it is put");
    let mut world = World::new(7, Arc::new(registry));
    run_until_defined(&world, &period(13, 1)).await;

    let restored: Arc<dyn Registry> = Arc::new(InMemoryRegistry::new());
    restored.put(&quiet, Expected::Absent, value(10)).await.expect("it is put");
    let mut set_back = restored.put(&key, Expected::Absent, value(10)).await.expect("it is put");
    assert!(set_back < revision);
    world.registry = Arc::clone(&restored);
    run_until_defined(&world, &period(10, 1)).await;
    // Edits go on with numbers that the log knows, and beyond them.
    for period_secs in 20..=27 {
        set_back = restored.put(&key, Expected::At(set_back), value(period_secs)).await.expect("it is put");
        if period_secs % 3 == 0 {
            run_until_defined(&world, &period(period_secs, 1)).await;
        }
    }
    assert!(set_back > revision);
    let before = world.log.extent(PARTITION).await.expect("it is there").last;
    world.run_for(Duration::from_secs(180)).await;
    let after = world.log.extent(PARTITION).await.expect("it is there").last;
    assert_eq!(before, after, "nothing is appended again and again");
}
