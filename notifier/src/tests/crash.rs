//! A kill between any two steps, or an error at one, loses nothing and repeats under the same id.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;
use std::time::Duration;

use doubles::{
    Fault, FaultAt, FaultPlan, FaultyDeliveryHistory, FaultyLedger, FaultyQueue, FaultyRegistry,
    InMemoryHistory, eventually, samples,
};
use model::channel::ChannelState;
use model::delivery::{Attempt, Delivery, DeliveryMessage, DeliveryState, DeliveryTask};
use model::flip::Alert;
use model::ids::DeliveryId;
use model::wire;
use ports::clock::Clock;
use ports::queue::{OrderKey, QueueMessage};
use tokio::task::{JoinSet, LocalSet};

use super::aging::AgingLedger;
use super::receiver::{Received, Receiver, Reply};
use super::world::{Running, World};

/// How many runs go on at once.
const AT_ONCE: usize = 8;

#[tokio::test]
async fn a_fault_at_any_step_loses_nothing_and_repeats_with_the_same_id() {
    LocalSet::new().run_until(fail_everywhere(&FAULTS, |fault| Box::pin(one_run(fault)))).await;
}

#[tokio::test]
async fn a_fault_at_any_step_of_a_storm_leaves_every_flip_told_of() {
    let storm = |fault| Box::pin(gathering(fault, &STORM, &["a", "f", "g"], None)) as Run;
    LocalSet::new().run_until(fail_everywhere(&FAULTS, storm)).await;
}

#[tokio::test]
async fn a_death_at_any_step_of_a_storm_and_the_loss_of_the_ledger_leave_every_flip_told_of() {
    let storm = |fault| Box::pin(gathering(fault, &STORM, &["a", "f", "g"], Some(usize::MAX))) as Run;
    LocalSet::new().run_until(fail_everywhere(&DEATHS, storm)).await;
}

#[tokio::test]
async fn a_death_at_any_step_of_a_storm_and_an_older_ledger_leave_every_flip_told_of() {
    for writes in [1, 3] {
        LocalSet::new()
            .run_until(fail_everywhere(&DEATHS, move |fault| {
                Box::pin(gathering(fault, &STORM, &["a", "f", "g"], Some(writes)))
            }))
            .await;
    }
}

#[tokio::test]
async fn a_fault_at_any_step_of_a_recovery_that_joins_its_down_leaves_it_told_of() {
    let recovery = |fault| Box::pin(gathering(fault, &["a"], &["a"], None)) as Run;
    LocalSet::new().run_until(fail_everywhere(&FAULTS, recovery)).await;
}

/// The ledger was lost when the process died between writing an attempt down and putting the delivery back.
#[tokio::test]
async fn what_was_tried_before_a_crash_does_not_come_after_what_was_told_since() {
    let receiver = Receiver::start(|_| Reply::status(200)).await;
    let mut world = World::new();
    let channel =
        world.channel_with(receiver.url("/"), |channel| World::webhook(channel).digest = true).await;
    let monitor = world.monitor("a", None).await;
    let (down, up) = (world.flip(monitor, 1), world.flip(monitor, 2));
    let now = world.clock.now();
    let id = DeliveryId::derive(down.id(), channel);
    let Alert::Flip(flip) = down else { panic!("a flip") };
    let tried = samples::delivery(flip, channel, DeliveryState::Pending);
    let error = Some("answered 503".to_owned());
    let attempt = Attempt { at: now, ms: 3, status: Some(503), error, answer: None, request: None };
    let tried = Delivery { id, created_at: now, attempts: vec![attempt], ..tried };
    let message = QueueMessage {
        id: id.into(),
        lane: channel.into(),
        order_key: OrderKey::from_uuid(id.as_uuid()),
        due_at: now + Duration::from_secs(5),
        origin: None,
        body: wire::encode(&DeliveryMessage::from(DeliveryTask::of(&tried))),
    };
    world.history.put(vec![tried]).await.unwrap();
    world.deliveries.enqueue(vec![message]).await.unwrap();
    world.publish(std::slice::from_ref(&up)).await;
    let running = world.start();
    let up = DeliveryId::derive(up.id(), channel);
    world.delivery(up, DeliveryState::Delivered, 1).await;
    world.advance(Duration::from_secs(6)).await;
    let folded = world.delivery(id, DeliveryState::Folded, 1).await;
    assert_eq!(folded.folded_into, Some(up));
    world.advance(Duration::from_secs(60)).await;
    world.nothing_left().await;
    running.drain().await;
    assert_eq!(receiver.received().iter().map(Received::kind).collect::<Vec<_>>(), ["monitor.up"]);
}

type Run = std::pin::Pin<Box<dyn Future<Output = bool>>>;

/// The monitors of a storm.
const STORM: [&str; 8] = ["a", "b", "c", "d", "e", "f", "g", "h"];

const DEATHS: [Fault; 2] = [Fault::DeathBefore, Fault::DeathAfter];

const FAULTS: [Fault; 4] = [Fault::DeathBefore, Fault::DeathAfter, Fault::Before, Fault::After];

async fn fail_everywhere(faults: &[Fault], one_run: impl Fn(FaultAt) -> Run) {
    for fault in faults.iter().copied() {
        let mut steps = 0..;
        let mut runs = JoinSet::new();
        let mut finished = false;
        while !finished || !runs.is_empty() {
            while !finished && runs.len() < AT_ONCE {
                runs.spawn_local(one_run(FaultAt::new(fault, steps.next().unwrap())));
            }
            finished |= !runs.join_next().await.unwrap().unwrap();
        }
        // Fan-out, two claims, looking up, writing down, twice for what was rejected once: there are many.
        assert!(steps.start > 25, "only {} steps", steps.start);
    }
}

/// The things that a process that dies leaves behind.
pub(super) struct Doomed {
    pub(super) fault: FaultAt,
    alerts: Arc<FaultyQueue>,
    deliveries: Arc<FaultyQueue>,
}

impl Doomed {
    /// Starts a notifier whose ports meet a fault; the world itself keeps the whole ones.
    pub(super) fn start(world: &mut World, fault: FaultAt) -> (Running, Self) {
        let alerts = Arc::new(FaultyQueue::new(Arc::clone(&world.alerts), fault.clone()));
        let deliveries = Arc::new(FaultyQueue::new(Arc::clone(&world.deliveries), fault.clone()));
        let queues = (Arc::clone(&world.alerts), Arc::clone(&world.deliveries));
        let stores = (Arc::clone(&world.history), Arc::clone(&world.registry), Arc::clone(&world.ledger));
        world.alerts = Arc::clone(&alerts) as _;
        world.deliveries = Arc::clone(&deliveries) as _;
        world.history = Arc::new(FaultyDeliveryHistory::new(Arc::clone(&stores.0), fault.clone()));
        world.registry = Arc::new(FaultyRegistry::new(Arc::clone(&stores.1), fault.clone()));
        world.ledger = Arc::new(FaultyLedger::new(Arc::clone(&stores.2), fault.clone()));
        let running = world.start();
        (world.alerts, world.deliveries) = queues;
        (world.history, world.registry, world.ledger) = stores;
        (running, Self { fault, alerts, deliveries })
    }

    /// Its claims return to the queues.
    pub(super) async fn recover(&self, world: &World) {
        self.alerts.recover(world.clock.now()).await.unwrap();
        self.deliveries.recover(world.clock.now()).await.unwrap();
    }
}

/// Answers whether the fault was met: with a later step than there are, it is not.
async fn one_run(fault: FaultAt) -> bool {
    // The first attempt of all is rejected, and one channel does not want to hear of it any more.
    let receiver = Receiver::start(|all| match all.last() {
        Some(one) if one.path == "/gone" => Reply::status(410),
        _ if all.len() <= 2 => Reply::status(503),
        _ => Reply::status(200),
    })
    .await;
    let mut world = World::new();
    let channel = world.channel_with(receiver.url("/"), |channel| channel.default = false).await;
    let gone = world.channel_with(receiver.url("/gone"), |channel| channel.default = false).await;
    let twice = world.monitor("twice", Some(vec![channel])).await;
    let once = world.monitor("once", Some(vec![channel, gone])).await;
    let alerts = [world.flip(twice, 1), world.flip(once, 1), world.flip(twice, 2)];
    world.publish(&alerts).await;

    let (first, doomed) = Doomed::start(&mut world, fault.clone());
    let buried = DeliveryId::derive(alerts[1].id(), gone);
    let ids: Vec<DeliveryId> = alerts.iter().map(|alert| DeliveryId::derive(alert.id(), channel)).collect();
    let until = |what: &'static str, or_dead: bool| {
        let (world, fault, ids) = (&world, &doomed.fault, &ids);
        async move {
            eventually(what, async || {
                if or_dead && fault.is_dead() {
                    return Some(());
                }
                world.advance(Duration::from_millis(200)).await;
                for id in ids {
                    let delivery = world.history.get(*id).await.unwrap()?;
                    (delivery.state == DeliveryState::Delivered).then_some(())?;
                }
                let disabled = world.channel_now(gone).await.state == ChannelState::Disabled;
                let dead = world.history.get(buried).await.unwrap()?;
                (disabled && dead.state == DeliveryState::Dead).then_some(())
            })
            .await;
        }
    };
    until("everything is delivered, or the process is dead", true).await;
    let met = doomed.fault.was_met();
    first.kill().await;

    doomed.recover(&world).await;
    let second = world.start();
    until("everything is delivered after all", false).await;
    // A suspect that had no turn comes again in a while.
    eventually("no delivery is pending", async || {
        world.advance(Duration::from_millis(200)).await;
        world.history.oldest_pending().await.unwrap().is_none().then_some(())
    })
    .await;
    world.nothing_left().await;
    second.drain().await;

    let mut times: BTreeMap<String, Vec<u64>> = BTreeMap::new();
    let received = receiver.received();
    let (notices, flips): (Vec<_>, Vec<_>) =
        received.iter().filter(|one| one.path == "/").partition(|one| one.kind() == "channel.failing");
    let notices: BTreeSet<String> = notices.into_iter().map(Received::id).collect();
    assert!(!notices.is_empty(), "{fault:?}: no channel was told of the one that is gone");
    for one in flips {
        let sequence = one.json()["data"]["flip"]["sequence"].as_u64().unwrap();
        times.entry(one.id()).or_default().push(sequence);
    }
    let mut expected: Vec<String> = ids.iter().map(ToString::to_string).collect();
    expected.sort_unstable();
    assert_eq!(times.keys().cloned().collect::<Vec<_>>(), expected, "{fault:?}");
    // Two are rejected once, and what was in hand at the death may be sent once more.
    assert!(times.values().all(|times| times.len() <= 3), "{fault:?}: {times:?}");
    let of_twice: Vec<u64> = receiver
        .received()
        .iter()
        .filter(|one| one.monitor() == "twice")
        .map(|one| one.json()["data"]["flip"]["sequence"].as_u64().unwrap())
        .collect();
    assert!(of_twice.is_sorted(), "{fault:?}: an older state after a newer one: {of_twice:?}");
    met
}

/// Monitors go down and some of them come back, on a channel that gathers what comes in numbers; its first
/// answers are refusals. With the process the ledger loses this many writes of the channel's desk, or the
/// history and all of it.
async fn gathering(
    fault: FaultAt,
    names: &'static [&str],
    recovering: &'static [&str],
    lost_writes: Option<usize>,
) -> bool {
    let receiver = Receiver::start(|all| Reply::status(if all.len() <= 2 { 503 } else { 200 })).await;
    let mut world = World::new();
    let ledger = Arc::new(AgingLedger::default());
    world.ledger = Arc::clone(&ledger) as _;
    let channel =
        world.channel_with(receiver.url("/"), |channel| World::webhook(channel).digest = true).await;
    let mut alerts = Vec::new();
    for name in names {
        let monitor = world.monitor(name, None).await;
        alerts.push(world.flip(monitor, 1));
        if recovering.contains(name) {
            alerts.push(world.flip(monitor, 2));
        }
    }
    world.publish(&alerts).await;

    let (first, doomed) = Doomed::start(&mut world, fault.clone());
    let ids: Vec<DeliveryId> = alerts.iter().map(|alert| DeliveryId::derive(alert.id(), channel)).collect();
    let told = async |world: &World| {
        for id in &ids {
            // Through however many it is folded into.
            let mut next = *id;
            for _ in 0..5 {
                let delivery = world.history.get(next).await.unwrap()?;
                match (delivery.state, delivery.folded_into) {
                    (DeliveryState::Folded, Some(into)) => next = into,
                    (state, _) => (state == DeliveryState::Delivered).then_some(())?,
                }
            }
        }
        Some(())
    };
    eventually("every flip is told of, or the process is dead", async || {
        if doomed.fault.is_dead() {
            return Some(());
        }
        world.advance(Duration::from_secs(2)).await;
        told(&world).await
    })
    .await;
    let met = doomed.fault.was_met();
    first.kill().await;

    doomed.recover(&world).await;
    if let Some(writes) = lost_writes {
        ledger.set_back(channel.as_uuid(), writes);
        if writes == usize::MAX {
            world.history = Arc::new(InMemoryHistory::default());
        }
    }
    let second = world.start();
    eventually(&format!("every flip is told of after all: {fault:?}, lost {lost_writes:?}"), async || {
        world.advance(Duration::from_secs(2)).await;
        match lost_writes {
            None => told(&world).await,
            // What was told before is not in the history any more.
            Some(_) => (known(&receiver).0 == expected(names, recovering)).then_some(()),
        }
    })
    .await;
    // What is folded asks again, and nothing more is said.
    for _ in 0..3 {
        world.advance(Duration::from_secs(40)).await;
        world.nothing_left().await;
    }
    second.drain().await;

    let (known, overtaken) = known(&receiver);
    // A notifier that has forgotten what it told may repeat it before it says what came later.
    assert!(lost_writes.is_some() || overtaken.is_empty(), "{fault:?}: an older state of {overtaken:?}");
    assert_eq!(known, expected(names, recovering), "{fault:?}");
    met
}

fn expected(names: &[&str], recovering: &[&str]) -> BTreeMap<String, String> {
    let state = |name: &&str| if recovering.contains(name) { "up" } else { "down" };
    names.iter().map(|name| ((*name).to_owned(), state(name).to_owned())).collect()
}

/// The states that a reader of the messages in their order knows, and the monitors of which an older state
/// came after a newer one.
fn known(receiver: &Receiver) -> (BTreeMap<String, String>, BTreeSet<String>) {
    let mut known: BTreeMap<String, String> = BTreeMap::new();
    let mut newest: BTreeMap<String, u64> = BTreeMap::new();
    let mut overtaken = BTreeSet::new();
    for one in receiver.received().iter().skip(2) {
        let event = one.json();
        let flips = match event["data"]["flips"].as_array() {
            Some(flips) => flips.clone(),
            None => vec![event["data"].clone()],
        };
        // The message about a monitor that went down and came back has both flips.
        let mut said: BTreeMap<String, (u64, String)> = BTreeMap::new();
        for data in flips {
            let name = data["monitor"]["name"].as_str().unwrap().to_owned();
            let sequence = data["flip"]["sequence"].as_u64().unwrap();
            said.insert(name, (sequence, data["flip"]["to"].as_str().unwrap().to_owned()));
        }
        for (name, (sequence, to)) in said {
            let before = newest.insert(name.clone(), sequence).unwrap_or_default();
            if before > sequence {
                overtaken.insert(name.clone());
            }
            known.insert(name, to);
        }
    }
    (known, overtaken)
}
