//! What waits for a store while notifiers end: it is hardly a suspect for that.

use std::sync::Arc;
use std::time::Duration;

use doubles::{FaultyDeliveryHistory, FaultyHistory, FaultyLedger};
use model::delivery::DeliveryState;
use model::flip::{Alert, Flip, Reason};
use model::ids::DeliveryId;

use super::super::receiver::{Receiver, Reply};
use super::super::world::World;
use super::{FOR_EVER, Hangs, Mortal, came};
use crate::in_hand::WAITING;
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
