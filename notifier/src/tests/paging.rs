//! A storm on a pager, and a kill between any two steps of it together with the loss of the ledger: its
//! incident is closed when all of its monitors are up, and not before.

use std::collections::{BTreeMap, BTreeSet};
use std::ops::Range;
use std::sync::Arc;
use std::time::Duration;

use doubles::{Fault, FaultAt, FaultPlan, InMemoryHistory, InMemoryQueue, eventually};
use model::channel::{ChannelKind, PresetChannel, Secret};
use model::flip::Flip;
use model::ids::{ChannelId, MonitorId};
use ports::clock::Clock;
use serde_json::Value;
use tokio::task::LocalSet;

use super::aging::AgingLedger;
use super::crash::Doomed;
use super::receiver::{Received, Receiver, Reply};
use super::world::World;

/// The monitors that go down, and how many of them, the first ones, have an incident of their own.
const MONITORS: usize = 22;
const ALONE: usize = 20;

/// The steps before which, or after which, the process dies: every so many, because a pager is told no more
/// than ten things a second.
const STRIDE: usize = 7;

/// How many runs go on at once: most of the time they wait for their turn at the pager.
const AT_ONCE: usize = 32;

#[tokio::test]
async fn a_death_at_a_step_of_a_pagers_storm_and_the_loss_of_the_ledger_leave_no_incident_open() {
    LocalSet::new().run_until(die_at_steps(usize::MAX)).await;
}

#[tokio::test]
async fn a_death_at_a_step_of_a_pagers_storm_and_an_older_ledger_leave_no_incident_open() {
    for writes in [1, 3] {
        LocalSet::new().run_until(die_at_steps(writes)).await;
    }
}

/// Neither the queue nor the states of monitors say that the channel was told of this one by itself.
#[tokio::test]
async fn the_storm_of_a_lost_ledger_goes_on_while_a_monitor_is_down_that_went_down_with_it() {
    let storm = one_storm(FaultAt::new(Fault::None, 0), usize::MAX, 0, 2);
    LocalSet::new().run_until(storm).await;
}

#[tokio::test]
async fn a_monitor_of_a_storm_gets_no_incident_of_its_own_if_the_queue_knows_that_it_is_folded() {
    for lost_writes in [1, 3, 6, usize::MAX] {
        let storm = one_storm(FaultAt::new(Fault::None, 0), lost_writes, MONITORS - 1, 1);
        let opened = LocalSet::new().run_until(storm).await.opened;
        assert_eq!(opened, ALONE + 1, "lost {lost_writes}");
    }
}

/// The message that was to tell of them was promised before the ledger was set back, and never made. The next
/// message of the desk, at the same moment of a clock, must not pass for it.
#[tokio::test]
async fn what_was_folded_into_a_message_that_a_set_back_ledger_lost_is_told_all_the_same() {
    let mut all = Patient::new().await;
    let (channel, ledger) = all.pager().await;
    let alive = FaultAt::new(Fault::None, 0);
    let what = "the clock stands still";
    let running = all.world.start();
    all.go_down(0..ALONE, &alive, what).await;
    let before = ledger.writes(channel.as_uuid());
    all.go_down(ALONE..MONITORS, &alive, what).await;
    running.kill().await;

    ledger.set_back(channel.as_uuid(), ledger.writes(channel.as_uuid()) - before);
    let running = all.world.start();
    all.go_down(MONITORS..MONITORS + 1, &alive, what).await;
    let second = Duration::from_secs(1);
    // One for what went down since, and one for each of the two that the desk forgot.
    all.until_open(ALONE + 3, second, 120 * second, &alive, what).await;
    running.drain().await;
}

#[tokio::test]
async fn the_storm_of_a_lost_ledger_goes_on_while_the_state_of_a_monitor_is_lost() {
    let mut all = Patient::new().await;
    let (channel, ledger) = all.pager().await;
    let (alive, second) = (FaultAt::new(Fault::None, 0), Duration::from_secs(1));
    let what = "a state is lost";
    let running = all.world.start();
    let mut down = all.go_down(0..ALONE, &alive, what).await;
    down.extend(all.go_down(ALONE..MONITORS, &alive, what).await);
    all.until_open(ALONE + 1, second, 60 * second, &alive, what).await;
    running.kill().await;

    ledger.set_back(channel.as_uuid(), usize::MAX);
    let (last, last_down) = down.pop().unwrap();
    all.world.lose_state(last).await;
    let running = all.world.start();
    for (monitor, flip) in &down {
        all.world.happen(*monitor, 2, Some(flip.at)).await;
    }
    for _ in 0..60 {
        all.pass(20 * second, &alive, what).await;
    }
    assert_eq!(all.open().len(), 1, "the monitor may be down still");
    all.world.happen(last, 2, Some(last_down.at)).await;
    all.until_open(0, 10 * second, 1_200 * second, &alive, what).await;
    running.drain().await;
}

async fn die_at_steps(lost_writes: usize) {
    for fault in [Fault::DeathBefore, Fault::DeathAfter] {
        let mut step = 0;
        let mut is_met = true;
        while is_met {
            let mut runs = tokio::task::JoinSet::new();
            for _ in 0..AT_ONCE {
                runs.spawn_local(one_storm(FaultAt::new(fault, step), lost_writes, MONITORS - 1, 1));
                step += STRIDE;
            }
            while let Some(met) = runs.join_next().await {
                is_met &= met.unwrap().met;
            }
        }
        assert!(step > 8 * STRIDE, "only {step} steps");
    }
}

/// What came of a storm.
struct Outcome {
    /// Whether the fault was met.
    met: bool,
    /// How many incidents were opened.
    opened: usize,
}

/// A world whose clock stands still as long as the notifier has something to do: so a slow machine changes
/// nothing.
struct Patient {
    world: World,
    receiver: Receiver,
    queues: [Arc<InMemoryQueue>; 2],
}

impl Patient {
    async fn new() -> Self {
        let receiver = Receiver::start(|_| Reply::status(202)).await;
        let mut world = World::new();
        let queues: [Arc<InMemoryQueue>; 2] = Default::default();
        (world.alerts, world.deliveries) = (Arc::clone(&queues[0]) as _, Arc::clone(&queues[1]) as _);
        Self { world, receiver, queues }
    }

    /// A channel that pages the receiver, for all monitors, and the ledger with its desk.
    async fn pager(&mut self) -> (ChannelId, Arc<AgingLedger>) {
        let ledger = Arc::new(AgingLedger::default());
        self.world.ledger = Arc::clone(&ledger) as _;
        let settings = [("url", self.receiver.url("")), ("routing_key", "0".repeat(32))];
        let settings = settings.map(|(name, value)| (name.to_owned(), Secret::new(value)));
        let preset = PresetChannel { preset: "pagerduty".to_owned(), settings: settings.into() };
        let kind = ChannelKind::Preset(preset);
        (self.world.channel_with(String::new(), |channel| channel.kind = kind).await, ledger)
    }

    /// New monitors with these numbers go down.
    async fn go_down(
        &mut self,
        numbers: Range<usize>,
        fault: &FaultAt,
        what: &str,
    ) -> Vec<(MonitorId, Flip)> {
        let mut down = Vec::new();
        for n in numbers {
            let monitor = self.world.monitor(&format!("m{n}"), None).await;
            down.push((monitor, self.world.happen(monitor, 1, None).await));
        }
        self.rest(fault, what).await;
        down
    }

    /// Lets time pass in steps until this many incidents are open, or the process is dead.
    async fn until_open(&self, count: usize, step: Duration, within: Duration, fault: &FaultAt, what: &str) {
        let began = self.world.clock.now();
        self.rest(fault, what).await;
        while !fault.is_dead() && self.open().len() != count {
            assert!(self.world.clock.now() < began + within, "{:?} are open: {what}", self.open());
            self.pass(step, fault, what).await;
        }
    }

    /// Time passes, and the notifier does what is due.
    async fn pass(&self, step: Duration, fault: &FaultAt, what: &str) {
        self.world.pass(step).await;
        self.rest(fault, what).await;
    }

    /// Waits until nothing is due or in hand, or the process is dead.
    async fn rest(&self, fault: &FaultAt, what: &str) {
        eventually(&format!("nothing is due or in hand: {what}"), async || {
            let now = self.world.clock.now();
            (fault.is_dead() || self.queues.iter().all(|queue| queue.is_at_rest(now))).then_some(())
        })
        .await;
    }

    /// How many incidents were ever opened.
    fn opened(&self) -> usize {
        let events: Vec<Value> = self.receiver.received().iter().map(Received::json).collect();
        let triggers = events.iter().filter(|event| event["event_action"] == "trigger");
        triggers.map(|event| event["dedup_key"].as_str().unwrap()).collect::<BTreeSet<_>>().len()
    }

    /// The incidents that are open.
    fn open(&self) -> BTreeSet<String> {
        let mut open: BTreeMap<String, bool> = BTreeMap::new();
        for one in self.receiver.received() {
            let event = one.json();
            let key = event["dedup_key"].as_str().unwrap().to_owned();
            open.insert(key, event["event_action"] == "trigger");
        }
        open.into_iter().filter(|(_, is_open)| *is_open).map(|(key, _)| key).collect()
    }
}

/// All monitors go down, the process dies, and all of them come up, `last` after the others; until then
/// `open_for_last` incidents are open.
async fn one_storm(fault: FaultAt, lost_writes: usize, last: usize, open_for_last: usize) -> Outcome {
    let mut all = Patient::new().await;
    let (channel, ledger) = all.pager().await;
    let what = format!("{fault:?}, lost {lost_writes}");
    let (first, doomed) = Doomed::start(&mut all.world, fault);
    let second = Duration::from_secs(1);
    let mut down = all.go_down(0..ALONE, &doomed.fault, &what).await;
    down.extend(all.go_down(ALONE..MONITORS, &doomed.fault, &what).await);
    all.until_open(ALONE + 1, second, 60 * second, &doomed.fault, &what).await;
    let met = doomed.fault.was_met();
    first.kill().await;

    doomed.recover(&all.world).await;
    ledger.set_back(channel.as_uuid(), lost_writes);
    if lost_writes == usize::MAX {
        all.world.history = Arc::new(InMemoryHistory::default());
    }
    // The second process does not die.
    let alive = FaultAt::new(Fault::None, 0);
    let running = all.world.start();
    let (last, last_down) = down.remove(last);
    for (monitor, flip) in &down {
        all.world.happen(*monitor, 2, Some(flip.at)).await;
    }
    // An incident is looked after every 15 minutes at the least.
    let looked_after = 20 * 60 * second;
    all.until_open(open_for_last, 5 * second, looked_after, &alive, &what).await;
    for _ in 0..looked_after.as_secs() / 20 {
        all.pass(20 * second, &alive, &what).await;
    }
    assert_eq!(all.open().len(), open_for_last, "one monitor is down still: {what}");
    all.world.happen(last, 2, Some(last_down.at)).await;
    all.until_open(0, 10 * second, looked_after, &alive, &what).await;
    running.drain().await;
    Outcome { met, opened: all.opened() }
}
