//! A partition that is computed again from its log, beside the live one.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;
use std::time::Duration;

use doubles::{
    FaultyRegistry, InMemoryCheckpoints, InMemoryHistory, InMemoryQueue, InMemoryRegistry, SeededFaults,
};
use model::flip::State;
use model::heartbeat::HeartbeatKind::{Down, Up};
use model::ids::{AlertId, MonitorId, Offset, RebuildId};
use model::monitor_state::{MonitorState, StateChange};
use model::rebuild::{Rebuild, RebuildFrom, RebuildReport, RebuildState};
use model::time::TimeRules;
use model::wire;
use ports::history::History;
use ports::queue::{Queue, QueueMessage};
use ports::registry::{Expected, RecordKey, RecordKind, Registry};
use ports::state_store::{Commit, Leases, StateReader, States};
use tokio_util::sync::CancellationToken;
use uuid::Uuid;

use super::world::{PARTITION, World, history, history_with_deletions};
use histories::driver::{Entry, Store, run};
use histories::{START, Writer, monitor, period};

struct Rebuilding {
    world: World,
    records: Arc<InMemoryRegistry>,
}

impl Rebuilding {
    fn new(seed: u64) -> Self {
        let records = Arc::new(InMemoryRegistry::new());
        let registry = FaultyRegistry::new(Arc::clone(&records) as _, SeededFaults::new(seed ^ 0x5eed))
            .only(RecordKind::Rebuild);
        Self { world: World::new(seed, Arc::new(registry)), records }
    }

    async fn ask(&self, change: impl FnOnce(&mut Rebuild)) {
        let key = RecordKey::new(RecordKind::Rebuild, PARTITION);
        let known = self.records.get(&key).await.expect("it answers");
        let mut rebuild = Rebuild {
            id: RebuildId::from_uuid(Uuid::from_u128(u128::from(self.world.faults.random()))),
            partition: PARTITION,
            verify: false,
            history: false,
            from: RebuildFrom::Oldest,
            requested_at: START,
            requested_by: "ops".to_owned(),
            updated_at: START,
            state: RebuildState::Waiting,
        };
        change(&mut rebuild);
        let expected = known.map_or(Expected::Absent, |record| Expected::At(record.revision));
        self.records.put(&key, expected, wire::encode(&rebuild)).await.expect("it is put");
    }

    async fn state(&self) -> RebuildState {
        let key = RecordKey::new(RecordKind::Rebuild, PARTITION);
        let record = self.records.get(&key).await.expect("it answers").expect("it was asked for");
        wire::decode::<Rebuild>(&record.value).expect("a rebuild").state
    }

    /// Runs a scheduler until the rebuild is over, and drains it.
    async fn outcome(&self) -> RebuildState {
        let stop = CancellationToken::new();
        let over = async {
            loop {
                self.world.clock.advance(Duration::from_secs(2));
                tokio::time::sleep(Duration::from_millis(50)).await;
                let state = self.state().await;
                if state.is_over() {
                    stop.cancel();
                    break state;
                }
            }
        };
        let both = async { tokio::join!(self.world.service().run(stop.clone()), over) };
        let Ok((ran, state)) = tokio::time::timeout(Duration::from_secs(600), both).await else {
            panic!("it does not end: {:?}", self.state().await);
        };
        ran.expect("it drains");
        state
    }

    async fn report(&self) -> RebuildReport {
        match self.outcome().await {
            RebuildState::Done(report) => *report,
            other @ (RebuildState::Waiting | RebuildState::Running { .. } | RebuildState::Failed { .. }) => {
                panic!("{other:?}")
            }
        }
    }

    /// Changes what the state store has, as no scheduler would.
    async fn corrupt(&self, states: Vec<StateChange>) {
        let lease = self.world.states.acquire(PARTITION, "test").await.expect("the partition is free");
        let head = self.world.states.load_head(&lease).await.expect("it answers");
        let commit = Commit { follows: head.applied, number: 1, head, states, outbox: Vec::new() };
        self.world.states.commit(&lease, &commit).await.expect("it is committed");
        self.world.states.release(&lease).await.expect("it is given back");
    }

    /// Everything is as an undisturbed run of the log would have it.
    async fn check(&self, expected: &Store, what: &str) {
        let ids: Vec<MonitorId> = (0..8).map(monitor).collect();
        let states = self.world.states.states(PARTITION, &ids).await.expect("they are there");
        for (id, state) in ids.iter().zip(states) {
            assert_eq!(state.as_ref(), expected.states.get(id), "{what}");
        }
        let head = self.world.states.head(PARTITION).await.expect("it is there");
        assert_eq!(head.last_number, expected.head.last_number, "{what}");
        assert_eq!(head.gaps, expected.head.gaps, "{what}");
    }

    async fn check_alerts(&self, expected: &Store, what: &str) {
        let told: Vec<AlertId> = self.world.published().await.iter().map(model::flip::Alert::id).collect();
        let once: BTreeSet<AlertId> = told.iter().copied().collect();
        assert_eq!(once.len(), told.len(), "{what}: none twice");
        let wanted: BTreeSet<AlertId> = expected.alerts.iter().map(|outbox| outbox.alert.id()).collect();
        assert_eq!(once, wanted, "{what}: every one, and no other");
    }
}

/// Runs each on one thread and in paused time, so that a seed always does the same.
fn for_seeds<F: Future<Output = ()>>(seeds: std::ops::Range<u64>, check: impl Fn(u64) -> F) {
    for seed in seeds {
        let runtime = tokio::runtime::Builder::new_current_thread()
            .enable_all()
            .start_paused(true)
            .build()
            .expect("a runtime");
        runtime.block_on(check(seed));
    }
}

/// Monitor 0 is down, 1 came back, 2 is up, 3 was deleted.
fn small_log() -> Vec<Entry> {
    let mut writer = Writer::new(1);
    writer.tick(2);
    for number in 0..4 {
        writer.define(number, Some(period(60, 1)));
        writer.push(0, number, Up);
        writer.tick(2);
    }
    for number in 0..2 {
        writer.push(0, number, Down);
        writer.tick(2);
    }
    writer.push(0, 1, Up);
    writer.define(3, None);
    writer.tick(20);
    writer.log
}

fn changed(
    states: &BTreeMap<MonitorId, MonitorState>,
    number: u8,
    change: impl FnOnce(&mut MonitorState),
) -> StateChange {
    let mut state = states[&monitor(number)].clone();
    change(&mut state);
    StateChange { monitor: monitor(number), state: Some(state) }
}

/// States that no log led to: a monitor that is not down, one that is gone, one that was deleted, one that
/// was heard earlier.
fn corruption(expected: &Store) -> Vec<StateChange> {
    let states = &expected.states;
    vec![
        changed(states, 0, |state| {
            state.state = State::Up;
            state.since = START;
            state.incident = None;
        }),
        StateChange { monitor: monitor(1), state: None },
        changed(states, 2, |state| state.heard_at = Some(START)),
        StateChange { monitor: monitor(3), state: Some(states[&monitor(2)].clone()) },
    ]
}

#[test]
fn a_live_partition_is_as_its_log_says() {
    for_seeds(0..40, async |seed| {
        let log = history(seed);
        let rebuilding = Rebuilding::new(seed);
        let (first, rest) = log.split_at(log.len() / 2);
        rebuilding.world.append(first).await;
        for _ in 0..3 {
            rebuilding.world.run_and_kill().await;
        }
        rebuilding.world.append(rest).await;
        rebuilding.ask(|rebuild| rebuild.verify = true).await;
        for _ in 0..3 {
            rebuilding.world.run_and_kill().await;
        }
        let report = rebuilding.report().await;
        assert!(report.is_equal(), "seed {seed}: {report:#?}");
        let expected = run(TimeRules::CLUSTER, &log);
        rebuilding.world.run_to_the_end(expected.alerts.len() as u64).await;
        rebuilding.check(&expected, &format!("seed {seed}")).await;
        rebuilding.check_alerts(&expected, &format!("seed {seed}")).await;
    });
}

#[test]
fn a_live_partition_of_which_monitors_were_deleted_is_as_its_log_says() {
    for_seeds(100..120, async |seed| {
        let log = history_with_deletions(seed);
        let rebuilding = Rebuilding::new(seed);
        rebuilding.world.append(&log).await;
        for _ in 0..3 {
            rebuilding.world.run_and_kill().await;
        }
        for verify in [true, false, true] {
            rebuilding.ask(|rebuild| rebuild.verify = verify).await;
            let report = rebuilding.report().await;
            assert!(report.is_equal(), "seed {seed}: {report:#?}");
        }
        rebuilding.check(&run(TimeRules::CLUSTER, &log), &format!("seed {seed}")).await;
    });
}

#[test]
fn what_differs_is_told_by_field_and_nothing_is_changed() {
    for_seeds(0..3, async |seed| {
        let log = small_log();
        let expected = run(TimeRules::CLUSTER, &log);
        let rebuilding = Rebuilding::new(seed);
        rebuilding.world.append(&log).await;
        rebuilding.world.run_to_the_end(3).await;
        rebuilding.corrupt(corruption(&expected)).await;
        rebuilding.ask(|rebuild| rebuild.verify = true).await;
        let report = rebuilding.report().await;
        let found: Vec<(MonitorId, Vec<&str>)> = report
            .differences
            .iter()
            .map(|found| (found.monitor, found.fields.iter().map(|field| field.field.as_str()).collect()))
            .collect();
        let wanted = [
            (monitor(0), vec!["state", "since", "incident"]),
            (monitor(1), vec!["monitor"]),
            (monitor(2), vec!["heard_at"]),
            (monitor(3), vec!["monitor"]),
        ];
        assert_eq!(found, wanted);
        let state = &report.differences[0].fields[0];
        assert_eq!(state.rebuilt.as_deref(), Some("down"));
        assert_eq!((state.live.as_deref(), state.stored.as_deref()), (Some("up"), Some("up")));
        assert_eq!((report.monitors, report.different, report.heartbeats), (4, 4, 7));
        assert_eq!((report.replaced, report.alerts, report.damaged), (false, 0, 0));
        assert_eq!((report.began_after, report.known_since), (Offset::START, None));
        let found = rebuilding.world.states.states(PARTITION, &[monitor(1)]).await.expect("it is there");
        assert_eq!(found, [None], "nothing was changed");
        rebuilding.check_alerts(&expected, "no alert was published").await;
    });
}

#[test]
fn whatever_fails_and_whenever_it_is_killed_a_replaced_partition_is_as_its_log_says() {
    for_seeds(0..60, async |seed| {
        let log = small_log();
        let expected = run(TimeRules::CLUSTER, &log);
        let rebuilding = Rebuilding::new(seed);
        let (first, rest) = log.split_at(log.len() - 12);
        rebuilding.world.append(first).await;
        rebuilding.world.run_to_the_end(3).await;
        rebuilding.corrupt(corruption(&expected)).await;
        rebuilding.ask(|rebuild| rebuild.history = seed % 2 == 0).await;
        for _ in 0..seed % 12 {
            rebuilding.world.run_and_kill().await;
        }
        rebuilding.world.append(rest).await;
        for _ in 0..seed % 5 {
            rebuilding.world.run_and_kill().await;
        }
        let report = rebuilding.report().await;
        assert!(report.replaced, "seed {seed}");
        rebuilding.world.run_to_the_end(3).await;
        rebuilding.check(&expected, &format!("seed {seed}")).await;
        rebuilding.check_alerts(&expected, &format!("seed {seed}")).await;
        rebuilding.ask(|rebuild| rebuild.verify = true).await;
        assert!(rebuilding.report().await.is_equal(), "seed {seed}");
    });
}

#[test]
fn a_replacement_from_a_checkpoint_is_as_the_log_says_too() {
    for_seeds(0..30, async |seed| {
        let log = small_log();
        let expected = run(TimeRules::CLUSTER, &log);
        let rebuilding = Rebuilding::new(seed);
        let (first, rest) = log.split_at(log.len() - 12);
        rebuilding.world.append(first).await;
        let applied = rebuilding.world.run_to_a_checkpoint().await;
        rebuilding.world.log.expire(PARTITION, applied);
        rebuilding.world.append(rest).await;
        rebuilding.world.run_to_the_end(3).await;
        rebuilding.corrupt(corruption(&expected)).await;
        // Long enough for a checkpoint of what is wrong.
        rebuilding.world.run_for(Duration::from_secs(seed * 100)).await;
        rebuilding.ask(|_| {}).await;
        for _ in 0..seed % 7 {
            rebuilding.world.run_and_kill().await;
        }
        let report = rebuilding.report().await;
        assert!(report.replaced && report.known_since.is_some(), "seed {seed}: {report:#?}");
        assert_eq!(report.untold, 0, "seed {seed}");
        rebuilding.check(&expected, &format!("seed {seed}")).await;
        rebuilding.check_alerts(&expected, &format!("seed {seed}")).await;
    });
}

#[test]
fn of_what_nobody_was_told_everybody_is_told_once() {
    for_seeds(0..20, async |seed| {
        let log = small_log();
        let expected = run(TimeRules::CLUSTER, &log);
        let mut rebuilding = Rebuilding::new(seed);
        rebuilding.world.append(&log).await;
        rebuilding.world.run_to_the_end(3).await;
        rebuilding.corrupt(corruption(&expected)).await;
        // A queue by whose number the alerts are published, and that knows none of them.
        rebuilding.world.alerts = Arc::new(InMemoryQueue::new(100));
        let id = Uuid::from_u128(1);
        let last = QueueMessage {
            id: id.into(),
            lane: id.into(),
            order_key: id.into(),
            due_at: START,
            origin: Some((PARTITION, 3)),
            body: wire::encode(&expected.alerts[0].alert),
        };
        rebuilding.world.alerts.enqueue(vec![last]).await.expect("there is room");
        rebuilding.world.published().await;
        rebuilding.ask(|_| {}).await;
        for _ in 0..seed % 6 {
            rebuilding.world.run_and_kill().await;
        }
        rebuilding.report().await;
        let told = rebuilding.world.published().await;
        let of_down: Vec<_> =
            told.iter().filter(|alert| alert.monitor() == Some(monitor(0))).map(|a| a.id()).collect();
        let down = &expected.states[&monitor(0)].incident.as_ref().expect("it is down").down;
        assert_eq!(of_down, [down.id], "seed {seed}");
        assert!(told.len() <= 2, "seed {seed}: of the one that is gone, its recovery at most");
        assert_eq!(rebuilding.world.alerts.last_number(PARTITION).await.expect("it answers"), 3);
    });
}

#[test]
fn a_lost_history_comes_back() {
    for_seeds(0..10, async |seed| {
        let log = history(seed);
        let expected = run(TimeRules::CLUSTER, &log);
        let mut rebuilding = Rebuilding::new(seed);
        rebuilding.world.append(&log).await;
        rebuilding.world.run_to_the_end(expected.alerts.len() as u64).await;
        rebuilding.world.history = Arc::new(InMemoryHistory::new(10_000));
        rebuilding.ask(|rebuild| rebuild.history = true).await;
        for _ in 0..seed % 4 {
            rebuilding.world.run_and_kill().await;
        }
        assert!(rebuilding.report().await.is_equal(), "seed {seed}");
        for number in 0..4 {
            let id = monitor(number);
            let flips = rebuilding.world.history.flips(id, None, 10_000).await.expect("they are there");
            let wanted = expected.flips.values().filter(|flip| flip.monitor == id).count();
            assert_eq!(flips.len(), wanted, "seed {seed}");
            let heard: BTreeSet<_> = log
                .iter()
                .flat_map(|entry| &entry.frame.heartbeats)
                .filter(|heartbeat| heartbeat.monitor == id)
                .map(|heartbeat| heartbeat.received_at)
                .collect();
            let kept = rebuilding.world.history.heartbeats(id, None, 10_000).await.expect("they are there");
            assert_eq!(kept.len(), heard.len(), "seed {seed}");
        }
    });
}

#[test]
fn it_begins_at_a_checkpoint_where_the_log_does_not_reach_back() {
    for_seeds(0..6, async |seed| {
        let log = history(seed);
        let rebuilding = Rebuilding::new(seed);
        let (first, rest) = log.split_at(log.len() / 2);
        rebuilding.world.append(first).await;
        let applied = rebuilding.world.run_to_a_checkpoint().await;
        rebuilding.world.log.expire(PARTITION, applied);
        rebuilding.world.append(rest).await;
        for from in [RebuildFrom::Oldest, RebuildFrom::Newest] {
            rebuilding.ask(|rebuild| (rebuild.verify, rebuild.from) = (true, from)).await;
            let report = rebuilding.report().await;
            assert!(report.is_equal(), "seed {seed}: {report:#?}");
            assert!(report.began_after >= applied);
            assert!(report.known_since.is_some());
        }
    });
}

#[test]
fn without_a_beginning_it_is_refused_with_the_reason() {
    for_seeds(0..2, async |seed| {
        let mut rebuilding = Rebuilding::new(seed);
        rebuilding.world.append(&small_log()).await;
        rebuilding.world.run_to_the_end(3).await;
        rebuilding.world.log.expire(PARTITION, Offset(5));
        for from in [RebuildFrom::Oldest, RebuildFrom::Newest] {
            rebuilding.world.checkpoints = Arc::new(InMemoryCheckpoints::new());
            rebuilding.ask(|rebuild| rebuild.from = from).await;
            let RebuildState::Failed { why } = rebuilding.outcome().await else {
                panic!("it cannot be done")
            };
            assert!(why.contains("checkpoint"), "{why}");
        }
    });
}
