//! A kill between any two steps, or an error at one, loses nothing and repeats under the same id.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;
use std::time::Duration;

use doubles::{
    Fault, FaultAt, FaultPlan, FaultyDeliveryHistory, FaultyLedger, FaultyQueue, FaultyRegistry, eventually,
};
use model::channel::ChannelState;
use model::delivery::DeliveryState;
use model::ids::DeliveryId;
use ports::clock::Clock;
use tokio::task::{JoinSet, LocalSet};

use super::receiver::{Received, Receiver, Reply};
use super::world::{Running, World};

/// How many runs go on at once.
const AT_ONCE: usize = 8;

#[tokio::test]
async fn a_fault_at_any_step_loses_nothing_and_repeats_with_the_same_id() {
    LocalSet::new().run_until(fail_everywhere(|fault| Box::pin(one_run(fault)))).await;
}

#[tokio::test]
async fn a_fault_at_any_step_of_a_storm_leaves_every_flip_told_of() {
    let storm = |fault| {
        Box::pin(gathering(fault, &["a", "b", "c", "d", "e", "f", "g", "h"], &["a", "f", "g"])) as Run
    };
    LocalSet::new().run_until(fail_everywhere(storm)).await;
}

#[tokio::test]
async fn a_fault_at_any_step_of_a_recovery_that_joins_its_down_leaves_it_told_of() {
    let recovery = |fault| Box::pin(gathering(fault, &["a"], &["a"])) as Run;
    LocalSet::new().run_until(fail_everywhere(recovery)).await;
}

type Run = std::pin::Pin<Box<dyn Future<Output = bool>>>;

async fn fail_everywhere(one_run: fn(FaultAt) -> Run) {
    for fault in [Fault::DeathBefore, Fault::DeathAfter, Fault::Before, Fault::After] {
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
struct Doomed {
    fault: FaultAt,
    alerts: Arc<FaultyQueue>,
    deliveries: Arc<FaultyQueue>,
}

impl Doomed {
    /// Starts a notifier whose ports meet a fault; the world itself keeps the whole ones.
    fn start(world: &mut World, fault: FaultAt) -> (Running, Self) {
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
    async fn recover(&self, world: &World) {
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
/// answers are refusals.
async fn gathering(fault: FaultAt, names: &[&str], recovering: &[&str]) -> bool {
    let receiver = Receiver::start(|all| Reply::status(if all.len() <= 2 { 503 } else { 200 })).await;
    let mut world = World::new();
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
    let second = world.start();
    eventually("every flip is told of after all", async || {
        world.advance(Duration::from_secs(2)).await;
        told(&world).await
    })
    .await;
    second.drain().await;

    // A reader of the messages in their order knows the state of each monitor.
    let mut known: BTreeMap<String, String> = BTreeMap::new();
    let mut newest: BTreeMap<String, u64> = BTreeMap::new();
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
            assert!(before <= sequence, "{fault:?}: an older state of {name} after a newer one");
            known.insert(name, to);
        }
    }
    let up: Vec<&str> = known.iter().filter(|(_, to)| *to == "up").map(|(name, _)| name.as_str()).collect();
    assert_eq!((known.len(), up), (names.len(), recovering.to_vec()), "{fault:?}: {known:?}");
    met
}
