//! What waits for a store, or for its record, while notifiers end: it is hardly a suspect for that.

use std::sync::Arc;
use std::time::Duration;

use doubles::{FaultyDeliveryHistory, FaultyHistory, FaultyLedger, Switch};
use model::channel::Channel;
use model::delivery::DeliveryState;
use model::flip::{Alert, Flip, Reason};
use model::ids::DeliveryId;
use model::wire;
use uuid::Uuid;

use super::super::receiver::{Receiver, Reply};
use super::super::world::World;
use super::{FOR_EVER, Hangs, Mortal, came};
use crate::in_hand::{InHandNote, WAITING, scope};
use crate::service::Limits;

/// A world in which a call counts as a wait at once.
fn impatient() -> World {
    let mut world = World::new();
    world.limits = Limits { waits_after: Duration::ZERO, facts: FOR_EVER, ..world.limits };
    world
}

/// A delivery that was in the queue when a notifier ended amid its attempt.
async fn in_the_queue(world: &mut World, receiver: &Receiver) -> DeliveryId {
    let channel = world.channel(receiver.url("/")).await;
    let monitor = world.monitor("backup", None).await;
    let id = world.alert(monitor, 1, channel).await;
    let mortal = Mortal::start(world);
    came(receiver, "/", 1).await;
    mortal.die(world).await;
    receiver.behave(|_| Reply::status(200));
    id
}

#[tokio::test]
async fn a_delivery_that_waits_for_a_slow_history_is_not_given_up_after_three_ends() {
    let receiver = Receiver::start(|_| Reply::after(FOR_EVER)).await;
    let mut world = impatient();
    let id = in_the_queue(&mut world, &receiver).await;
    let hangs = Hangs::default();
    let history = Arc::clone(&world.history);
    world.history = Arc::new(FaultyDeliveryHistory::new(Arc::clone(&history), hangs.clone()));
    hangs.0.set(true);
    for ends in 1..=3 {
        let mortal = Mortal::start(&mut world);
        world.noted(id.into(), (1 + ends) * WAITING).await;
        mortal.die(&world).await;
    }
    hangs.0.set(false);
    let last = Mortal::start(&mut world);
    world.delivery(id, DeliveryState::Delivered, 1).await;
    last.drain(&world).await;
}

#[tokio::test]
async fn a_delivery_that_waits_for_the_output_of_its_job_is_not_given_up_after_three_ends() {
    let receiver = Receiver::start(|_| Reply::status(200)).await;
    let mut world = impatient();
    let hangs = Hangs::default();
    world.told = Arc::new(FaultyHistory::new(Arc::clone(&world.told), hangs.clone()));
    hangs.0.set(true);
    let channel = world.channel(receiver.url("/")).await;
    let monitor = world.monitor("backup", None).await;
    let alert = Alert::Flip(Flip { reason: Reason::Reported, ..world.flip_now(monitor, 1, None) });
    world.publish(std::slice::from_ref(&alert)).await;
    let id = DeliveryId::derive(alert.id(), channel);
    for ends in 1..=3 {
        let mortal = Mortal::start(&mut world);
        world.noted(id.into(), ends * WAITING).await;
        mortal.die(&world).await;
    }
    assert_eq!(receiver.count("/"), 0);
    hangs.0.set(false);
    let last = Mortal::start(&mut world);
    world.delivery(id, DeliveryState::Delivered, 1).await;
    last.drain(&world).await;
}

#[tokio::test]
async fn an_alert_that_waits_for_a_slow_store_is_not_given_up_after_three_ends() {
    let receiver = Receiver::start(|_| Reply::status(200)).await;
    let mut world = impatient();
    let channel = world.channel(receiver.url("/")).await;
    let monitor = world.monitor("backup", None).await;
    let hangs = Hangs::default();
    let ledger = FaultyLedger::new(Arc::clone(&world.ledger), hangs.clone());
    // A recovery is looked up among what is remembered of its monitor.
    world.ledger = Arc::new(ledger.only(monitor.as_uuid()));
    hangs.0.set(true);
    let alert = world.flip(monitor, 2);
    world.publish(std::slice::from_ref(&alert)).await;
    for ends in 1..=3 {
        let mortal = Mortal::start(&mut world);
        world.noted(alert.id().into(), ends * WAITING).await;
        mortal.die(&world).await;
    }
    hangs.0.set(false);
    let last = Mortal::start(&mut world);
    world.delivery(DeliveryId::derive(alert.id(), channel), DeliveryState::Delivered, 1).await;
    last.drain(&world).await;
}

#[tokio::test]
async fn a_suspect_whose_desk_is_deaf_gives_its_turn_to_the_next_one() {
    let receiver = Receiver::start(|_| Reply::after(FOR_EVER)).await;
    let mut world = World::new();
    let gathers = |channel: &mut Channel| World::webhook(channel).digest = true;
    let channel = world.channel_with(receiver.url("/"), gathers).await;
    let monitor = world.monitor("backup", Some(vec![channel])).await;
    let deaf = Switch::default();
    let ledger = FaultyLedger::new(Arc::clone(&world.ledger), deaf.clone());
    world.ledger = Arc::new(ledger.only(channel.as_uuid()));
    let first = world.alert(monitor, 1, channel).await;
    let mortal = Mortal::start(&mut world);
    came(&receiver, "/", 1).await;
    mortal.die(&world).await;
    // Long enough to make the desk deaf before it hears of the outcome.
    receiver.behave(|_| Reply::after(Duration::from_secs(3)));
    let last = Mortal::start(&mut world);
    came(&receiver, "/", 2).await;
    deaf.set(true);
    world.delivery(first, DeliveryState::Delivered, 1).await;
    let other = world.channel(receiver.url("/other")).await;
    let other_monitor = world.monitor("sync", Some(vec![other])).await;
    let next = DeliveryId::derive(world.flip(other_monitor, 1).id(), other);
    let note = wire::encode(&InHandNote { suspicion: WAITING });
    world.ledger.write(scope(next.into()), 0, vec![(Uuid::nil(), Some(note))]).await.unwrap();
    receiver.behave(|_| Reply::status(200));
    world.alert(other_monitor, 1, other).await;
    world.delivery(next, DeliveryState::Delivered, 1).await;
    // An end from now on is not for the sake of the first one, which is still a suspect.
    world.noted(first.into(), WAITING).await;
    deaf.set(false);
    world.noted(first.into(), 0).await;
    last.drain(&world).await;
}
