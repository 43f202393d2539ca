//! Several schedulers on the same ports share the partitions, and hand them over.

use std::sync::Arc;
use std::time::Duration;

use doubles::{
    InMemoryCheckpoints, InMemoryHeartbeatLog, InMemoryHistory, InMemoryQueue, InMemoryRegistry,
    InMemoryRoster, InMemoryStateStore, samples,
};
use model::ids::PartitionId;
use model::time::TimeRules;
use model::wire::frame::Frame;
use ports::clock::{Clock, ManualClock};
use ports::heartbeat_log::HeartbeatLog;
use ports::state_store::{Leases, StateError};
use scheduler::{Deps, Service};
use serving::Readiness;
use tokio::task::JoinSet;
use tokio_util::sync::CancellationToken;

use histories::START;

const PARTITIONS: u16 = 4;

struct World {
    clock: Arc<ManualClock>,
    log: Arc<InMemoryHeartbeatLog>,
    states: Arc<InMemoryStateStore>,
    roster: Arc<InMemoryRoster>,
}

/// A running scheduler. Dropping it is a crash.
struct Running {
    stop: CancellationToken,
    readiness: Readiness,
    tasks: JoinSet<()>,
}

impl Running {
    async fn drain(mut self) {
        self.stop.cancel();
        while let Some(ended) = self.tasks.join_next().await {
            ended.expect("it drains");
        }
    }
}

impl World {
    fn new() -> Self {
        let clock = Arc::new(ManualClock::new(START));
        let log = InMemoryHeartbeatLog::with_partitions(PARTITIONS, Arc::clone(&clock) as Arc<dyn Clock>);
        Self {
            clock,
            log: Arc::new(log),
            states: Arc::new(InMemoryStateStore::new()),
            roster: Arc::new(InMemoryRoster::new()),
        }
    }

    fn start(&self, name: &str) -> Running {
        let deps = Deps {
            owner: name.to_owned(),
            log: Arc::clone(&self.log) as _,
            registry: Arc::new(InMemoryRegistry::new()),
            states: Arc::clone(&self.states) as _,
            roster: Arc::clone(&self.roster) as _,
            checkpoints: Arc::new(InMemoryCheckpoints::new()),
            checkpoint_every: scheduler::CHECKPOINTS_IN_CLUSTER,
            concerns: Vec::new(),
            history: Arc::new(InMemoryHistory::new(10)),
            alerts: Arc::new(InMemoryQueue::new(10)),
            clock: Arc::clone(&self.clock) as _,
        };
        let mut metrics = prometheus_client::registry::Registry::default();
        let service = Service::new(scheduler::Config::default(), TimeRules::CLUSTER, deps, &mut metrics);
        let service = service.expect("an HTTP client");
        let readiness = service.readiness();
        let stop = CancellationToken::new();
        let mut tasks = JoinSet::new();
        let stopped = stop.clone();
        tasks.spawn(async move { service.run(stopped).await.expect("it runs") });
        Running { stop, readiness, tasks }
    }

    /// An entry for the log, so that owners look into the store.
    fn tick(&self) -> Frame {
        samples::tick(1, self.clock.now())
    }

    /// The holder of each partition. The question must not take a partition: it is asked under a name that no
    /// share belongs to.
    async fn holders(&self) -> Vec<String> {
        let mut holders = Vec::new();
        for partition in (0..PARTITIONS).map(PartitionId) {
            let holder = match self.states.acquire(partition, "asks").await {
                Err(StateError::Held { owner, .. }) => owner,
                Ok(lease) => {
                    self.states.release(&lease).await.expect("memory");
                    "nobody".to_owned()
                }
                Err(error) => panic!("{error}"),
            };
            holders.push(holder);
        }
        holders.sort_unstable();
        holders
    }

    /// Lets time pass until the partitions are held by these. Two processors may be busy with other tests:
    /// time is paused.
    async fn until_held_by(&self, expected: [&str; PARTITIONS as usize]) {
        for _ in 0..400 {
            if self.holders().await == expected {
                return;
            }
            tokio::time::sleep(Duration::from_millis(100)).await;
            self.clock.advance(Duration::from_millis(100));
        }
        panic!("held by {:?}, not {expected:?}", self.holders().await);
    }
}

#[tokio::test(start_paused = true)]
async fn schedulers_share_the_partitions_and_hand_them_over() {
    let world = World::new();
    let first = world.start("first");
    world.until_held_by(["first", "first", "first", "first"]).await;
    let second = world.start("second");
    world.until_held_by(["first", "first", "second", "second"]).await;
    let third = world.start("third");
    world.until_held_by(["first", "second", "second", "third"]).await;
    third.drain().await;
    world.until_held_by(["first", "first", "second", "second"]).await;
    first.drain().await;
    world.until_held_by(["second", "second", "second", "second"]).await;
    assert_eq!(second.readiness.check(), Ok(()));
    second.drain().await;
    world.until_held_by(["nobody", "nobody", "nobody", "nobody"]).await;
}

#[tokio::test(start_paused = true)]
async fn what_a_dead_scheduler_held_is_taken_after_the_lease_time() {
    let world = World::new();
    let (first, second) = (world.start("first"), world.start("second"));
    world.until_held_by(["first", "first", "second", "second"]).await;
    drop(first);
    let died_at = world.clock.elapsed();
    world.until_held_by(["second", "second", "second", "second"]).await;
    let took = world.clock.elapsed() - died_at;
    // Its last beat may have been half a second before.
    assert!(took >= Duration::from_millis(4_400), "it might have been alive: {took:?}");
    assert!(took <= Duration::from_secs(7), "{took:?}");
    second.drain().await;
}

#[tokio::test(start_paused = true)]
async fn more_schedulers_than_partitions_stand_by_and_are_ready() {
    let world = World::new();
    let names = ["a", "b", "c", "d", "e"];
    let running: Vec<Running> = names.iter().map(|name| world.start(name)).collect();
    for _ in 0..100 {
        tokio::time::sleep(Duration::from_millis(100)).await;
        world.clock.advance(Duration::from_millis(100));
    }
    let mut holders = world.holders().await;
    holders.dedup();
    assert_eq!(holders.len(), 4, "one each: {holders:?}");
    for scheduler in &running {
        assert_eq!(scheduler.readiness.check(), Ok(()));
    }
    for scheduler in running {
        scheduler.drain().await;
    }
}

#[tokio::test(start_paused = true)]
async fn a_lease_that_a_set_back_store_gives_to_who_released_it_is_given_back() {
    let world = World::new();
    let first = world.start("first");
    world.until_held_by(["first", "first", "first", "first"]).await;
    let second = world.start("second");
    world.until_held_by(["first", "first", "second", "second"]).await;
    // The store loses the writes by which the first gave partitions to the second.
    for partition in (0..PARTITIONS).map(PartitionId) {
        let holder = world.states.holder(partition).await.expect("memory").expect("it is held");
        if holder.owner == "second" {
            world.states.take_over(partition, &holder.token, "first").await.expect("memory");
        }
        world.log.append(partition, Arc::new(world.tick())).await.expect("memory takes it");
    }
    assert_eq!(world.holders().await, ["first", "first", "first", "first"]);
    let set_back_at = world.clock.elapsed();
    world.until_held_by(["first", "first", "second", "second"]).await;
    let took = world.clock.elapsed() - set_back_at;
    assert!(took <= Duration::from_secs(8), "{took:?}");
    first.drain().await;
    second.drain().await;
}
