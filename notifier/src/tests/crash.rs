//! A kill between any two steps, or an error at one, loses nothing and repeats under the same id.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

use common::clock::Clock;
use common::model::channel::ChannelState;
use common::model::delivery::DeliveryState;
use common::model::ids::DeliveryId;
use tokio::task::{JoinSet, LocalSet};

use super::faulty::{Fate, Fault, FaultyHistory, FaultyQueue, FaultyRegistry};
use super::receiver::{Receiver, Reply};
use super::world::{World, eventually};

/// How many runs go on at once.
const AT_ONCE: usize = 8;

#[tokio::test]
async fn a_fault_at_any_step_loses_nothing_and_repeats_with_the_same_id() {
    LocalSet::new().run_until(fail_everywhere()).await;
}

async fn fail_everywhere() {
    let faults: [fn(usize) -> Fault; 4] =
        [Fault::DeathBefore, Fault::DeathAfter, Fault::LostCall, Fault::LostAnswer];
    for fault in faults {
        let mut steps = 0..;
        let mut runs = JoinSet::new();
        let mut finished = false;
        while !finished || !runs.is_empty() {
            while !finished && runs.len() < AT_ONCE {
                runs.spawn_local(one_run(fault(steps.next().unwrap())));
            }
            finished |= !runs.join_next().await.unwrap().unwrap();
        }
        // Fan-out, two claims, looking up, writing down, twice for what was rejected once: there are many.
        assert!(steps.start > 25, "only {} steps", steps.start);
    }
}

/// Answers whether the fault was met: with a later step than there are, it is not.
async fn one_run(fault: Fault) -> bool {
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

    let fate = Fate::new(fault);
    let (alerts_queue, deliveries_queue) = (Arc::clone(&world.alerts), Arc::clone(&world.deliveries));
    let faulty_alerts = FaultyQueue::new(Arc::clone(&alerts_queue), Arc::clone(&fate));
    let faulty_deliveries = FaultyQueue::new(Arc::clone(&deliveries_queue), Arc::clone(&fate));
    let (history, registry) = (Arc::clone(&world.history), Arc::clone(&world.registry));
    world.alerts = Arc::clone(&faulty_alerts) as _;
    world.deliveries = Arc::clone(&faulty_deliveries) as _;
    world.history = Arc::new(FaultyHistory(Arc::clone(&history), Arc::clone(&fate)));
    world.registry = Arc::new(FaultyRegistry(Arc::clone(&registry), Arc::clone(&fate)));
    let first = world.start();
    (world.alerts, world.deliveries) = (alerts_queue, deliveries_queue);
    (world.history, world.registry) = (history, registry);

    let buried = DeliveryId::derive(alerts[1].id(), gone);
    let ids: Vec<DeliveryId> = alerts.iter().map(|alert| DeliveryId::derive(alert.id(), channel)).collect();
    let until = |what: &'static str, or_dead: bool| {
        let (world, fate, ids) = (&world, &fate, &ids);
        async move {
            eventually(what, async || {
                if or_dead && fate.is_dead() {
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
    let met = fate.was_met();
    first.kill().await;

    faulty_alerts.recover(world.clock.now()).await;
    faulty_deliveries.recover(world.clock.now()).await;
    let second = world.start();
    until("everything is delivered after all", false).await;
    world.nothing_left().await;
    second.drain().await;

    let mut times: BTreeMap<String, Vec<u64>> = BTreeMap::new();
    for one in receiver.received().iter().filter(|one| one.path == "/") {
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
