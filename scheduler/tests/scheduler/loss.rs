//! A state store or a log that lost entries: alerts go on all the same.

use std::collections::BTreeSet;
use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use doubles::{AbsentRegistry, InMemoryCheckpoints, InMemoryStateStore};
use model::heartbeat::HeartbeatKind::{Down, Up};
use model::ids::{AlertId, MonitorId, Offset};
use model::time::{EventTime, TimeRules};
use ports::checkpoints::{CheckpointPlace, CheckpointStore};
use ports::clock::Clock;
use ports::heartbeat_log::HeartbeatLog;
use ports::state_store::StateReader;

use tokio_util::sync::CancellationToken;

use super::world::{PARTITION, World};
use histories::driver::{Entry, run};
use histories::{Writer, monitor, period};

/// A log in which monitors 0 to 2 go down and come back, so that six alerts are published; and what follows,
/// in which monitor 3 does.
fn two_parts() -> (Vec<Entry>, Vec<Entry>) {
    let mut writer = Writer::new(1);
    writer.tick(2);
    for number in 0..3 {
        writer.define(number, Some(period(60, 1)));
        writer.push(0, number, Down);
        writer.tick(1);
        writer.push(0, number, Up);
        writer.tick(1);
    }
    writer.tick(20);
    let first = writer.log.len();
    writer.tick(4);
    writer.define(3, Some(period(3, 1)));
    writer.push(0, 3, Up);
    writer.tick(20);
    writer.push(0, 3, Up);
    writer.tick(20);
    let rest = writer.log.split_off(first);
    (writer.log, rest)
}

async fn told_of(world: &World, monitor: MonitorId) -> usize {
    let told = world.published().await;
    let ids: BTreeSet<AlertId> = told.iter().map(model::flip::Alert::id).collect();
    assert_eq!(ids.len(), told.len(), "each once");
    told.iter().filter(|alert| alert.monitor() == Some(monitor)).count()
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Loss {
    /// The state store knows nothing, the log begins after what was applied, and there is no checkpoint.
    StatesAndLogAndCheckpoints,
    /// The log lost entries that were not read yet, and begins after them.
    UnreadEntries,
    /// The log lost its newest entries and goes on with others in their places.
    NewestEntries,
    /// Neither states nor log are there any more: another log begins.
    StatesAndLog,
}

#[tokio::test(start_paused = true)]
async fn whatever_was_lost_new_alerts_are_not_taken_for_known_ones() {
    for loss in
        [Loss::StatesAndLogAndCheckpoints, Loss::UnreadEntries, Loss::NewestEntries, Loss::StatesAndLog]
    {
        for seed in 0..5 {
            check(loss, seed).await;
        }
    }
}

async fn check(loss: Loss, seed: u64) {
    let (first, rest) = two_parts();
    let mut world = World::new(seed, Arc::new(AbsentRegistry));
    world.append(&first).await;
    world.run_to_the_end(6).await;
    assert_eq!(world.published().await.len(), 6);
    let last = world.log.extent(PARTITION).await.expect("it is there").last;
    match loss {
        Loss::StatesAndLogAndCheckpoints => {
            world.states = Arc::new(InMemoryStateStore::new());
            world.checkpoints = Arc::new(InMemoryCheckpoints::new());
            world.log.expire(PARTITION, last);
        }
        Loss::UnreadEntries => {
            // Their alerts were published from a state that the store has lost.
            world.states = Arc::new(InMemoryStateStore::new());
            let mut early = World::new(seed, Arc::new(AbsentRegistry));
            early.append(&first[..4]).await;
            early.states = Arc::clone(&world.states);
            early.run_to_the_end(0).await;
            world.checkpoints = Arc::new(InMemoryCheckpoints::new());
            world.log.expire(PARTITION, last);
        }
        Loss::NewestEntries => world.log.lose(PARTITION, Offset(last.0 - 2)),
        Loss::StatesAndLog => {
            world.states = Arc::new(InMemoryStateStore::new());
            world.checkpoints = Arc::new(InMemoryCheckpoints::new());
            let other = World::new(seed, Arc::new(AbsentRegistry));
            world.log = other.log;
            world.log_clock = other.log_clock;
            // The new owner comes to the end of what is there before the next is written.
            world.append(&rest[..1]).await;
            world.run_to_the_end(0).await;
        }
    }
    world.append(&rest).await;
    world.run_to_the_end(9).await;
    assert_eq!(told_of(&world, monitor(3)).await, 3, "{loss:?}, seed {seed}");
}

#[tokio::test(start_paused = true)]
async fn a_checkpoint_that_cannot_be_read_is_passed_over_for_an_older_one() {
    let (first, rest) = two_parts();
    let mut world = World::new(1, Arc::new(AbsentRegistry));
    world.append(&first).await;
    let applied = world.run_to_a_checkpoint().await;
    world.log.expire(PARTITION, applied);
    world.append(&rest).await;
    let place =
        CheckpointPlace { applied: Offset(applied.0 + 3), watermark: EventTime::from_secs(2_000_000) };
    world.checkpoints.put(PARTITION, place, Bytes::from_static(b"half of one")).await.expect("it is put");
    world.states = Arc::new(InMemoryStateStore::new());
    world.run_to_the_end(9).await;
    let log = [first, rest].concat();
    let expected = run(TimeRules::CLUSTER, &log);
    for number in 0..4 {
        let found = world.states.states(PARTITION, &[monitor(number)]).await.expect("it is there");
        assert_eq!(found[0].as_ref(), expected.states.get(&monitor(number)));
    }
}

#[tokio::test(start_paused = true)]
async fn where_a_checkpoint_is_due_once_an_hour_a_start_writes_none_before() {
    const HOUR: Duration = Duration::from_secs(3_600);
    let mut writer = Writer::new(1);
    writer.tick(10);
    let first = std::mem::take(&mut writer.log);
    writer.tick(10);
    let second = std::mem::take(&mut writer.log);
    let mut world = World::new(1, Arc::new(AbsentRegistry));
    world.checkpoint_every = HOUR;
    let places =
        async |world: &World| world.checkpoints.places(PARTITION).await.expect("they are there").len();
    world.append(&first).await;
    world.run_for(Duration::from_secs(300)).await;
    assert_eq!(places(&world).await, 1, "soon after the first start");
    world.run_for(Duration::from_secs(600)).await;
    assert_eq!(places(&world).await, 1, "nothing was appended");
    world.append(&second).await;
    world.run_for(HOUR / 2).await;
    assert_eq!(places(&world).await, 1, "the newest is not an hour old");
    world.run_for(HOUR / 2).await;
    assert_eq!(places(&world).await, 2);
}

#[tokio::test(start_paused = true)]
async fn the_age_of_the_newest_checkpoint_is_shown_soon_after_a_start() {
    let mut writer = Writer::new(1);
    writer.tick(10);
    let world = World::new(1, Arc::new(AbsentRegistry));
    world.append(&writer.log).await;
    world.run_to_a_checkpoint().await;
    world.clock.advance(Duration::from_secs(3_000));
    let newest = world.checkpoints.places(PARTITION).await.expect("they are there").pop().expect("one");
    let age_at_start = world.clock.now().since(newest.watermark).as_secs_f64();
    let (service, metrics) = world.measured();
    let stop = CancellationToken::new();
    let shown = async {
        loop {
            world.clock.advance(Duration::from_secs(2));
            tokio::time::sleep(Duration::from_millis(50)).await;
            let mut text = String::new();
            prometheus_client::encoding::text::encode(&mut text, &metrics).expect("text");
            let line = "lubdub_scheduler_checkpoint_age_seconds{partition=\"0\"} ";
            if let Some(age) = text.lines().find_map(|found| found.strip_prefix(line)) {
                stop.cancel();
                assert!(text.contains("lubdub_partitions 1\n"), "{text}");
                break age.parse::<f64>().expect("a number");
            }
        }
    };
    let both = async { tokio::join!(service.run(stop.clone()), shown) };
    let (outcome, age) = tokio::time::timeout(Duration::from_secs(600), both).await.expect("it is shown");
    outcome.expect("it drains");
    // Long before another one is due.
    assert!((age_at_start..age_at_start + 280.0).contains(&age), "{age}, {age_at_start} at the start");
}
