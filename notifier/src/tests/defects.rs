//! Defects of ours: what panics is tried three times, ends in sight, and stops nothing else.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use doubles::{Fault, FaultPlan, FaultyLedger, FaultyRegistry, InMemoryQueue, eventually};
use model::delivery::{Delivery, DeliveryState};
use model::ids::DeliveryId;
use ports::clock::Clock;
use ports::queue::QueueMessage;
use uuid::Uuid;

use super::receiver::{Receiver, Reply};
use super::world::World;
use crate::config::POLL;
use crate::delivery::reading::PANICS;
use crate::service::Limits;

/// Panics at so many calls. Clones share the number.
#[derive(Debug, Clone, Default)]
struct Panics(Arc<AtomicUsize>);

impl Panics {
    fn at(calls: usize) -> Self {
        Self(Arc::new(AtomicUsize::new(calls)))
    }

    fn left(&self) -> usize {
        self.0.load(Ordering::SeqCst)
    }
}

impl FaultPlan for Panics {
    fn next(&self) -> Fault {
        let taken = self.0.fetch_update(Ordering::SeqCst, Ordering::SeqCst, |left| left.checked_sub(1));
        assert!(taken.is_err(), "a defect on purpose");
        Fault::None
    }
}

impl World {
    /// The delivery when it is dead, and the reason that it shows. Time goes on meanwhile.
    async fn dead_in_time(&self, id: DeliveryId) -> (Delivery, String) {
        eventually("the delivery is given up", async || {
            self.advance(Duration::from_secs(10)).await;
            let found = self.history.get(id).await.unwrap()?;
            let error = found.attempts.last().and_then(|attempt| attempt.error.clone());
            let error = error.or(found.note.clone())?;
            (found.state == DeliveryState::Dead).then_some((found, error))
        })
        .await
    }

    /// Waits until the letter is among the dead ones of the deliveries.
    async fn is_buried(&self, id: DeliveryId) {
        eventually("the delivery is a dead letter", async || {
            let letters = self.deliveries.dead_letters(None, 10).await.unwrap();
            letters.iter().any(|letter| letter.id == id.into()).then_some(())
        })
        .await;
    }
}

#[tokio::test]
async fn an_alert_that_panics_ends_as_dead_deliveries_and_holds_up_no_other() {
    let receiver = Receiver::start(|_| Reply::status(200)).await;
    let mut world = World::new();
    let channels = [world.channel(receiver.url("/a")).await, world.channel(receiver.url("/b")).await];
    let bad = world.monitor("bad", None).await;
    let fine = world.monitor("fine", None).await;
    let panics = Panics::at(1_000);
    // A recovery is looked up among what is remembered of its monitor.
    world.ledger = Arc::new(FaultyLedger::new(Arc::clone(&world.ledger), panics.clone()).only(bad.as_uuid()));
    let alerts = [world.flip(bad, 2), world.flip(fine, 2)];
    world.publish(&alerts).await;
    let running = world.start();
    for channel in channels {
        let id = DeliveryId::derive(alerts[1].id(), channel);
        world.delivery(id, DeliveryState::Delivered, 1).await;
    }
    for channel in channels {
        let id = DeliveryId::derive(alerts[0].id(), channel);
        let (dead, error) = world.dead_in_time(id).await;
        assert!(error.contains("by a defect of Lubdub"), "{error}");
        assert_eq!((dead.monitor.unwrap().name.as_str(), dead.attempts.len()), ("bad", 0));
        world.is_buried(id).await;
        assert!(world.redrive(id).await);
        assert_eq!(world.delivery(id, DeliveryState::Delivered, 1).await.note, None);
    }
    world.nothing_left().await;
    running.drain().await;
    assert_eq!(1_000 - panics.left(), 3);
}

#[tokio::test]
async fn an_alert_whose_channels_cannot_be_found_is_a_dead_letter_of_its_own() {
    let receiver = Receiver::start(|_| Reply::status(200)).await;
    let mut world = World::new();
    let channel = world.channel(receiver.url("/")).await;
    let monitor = world.monitor("backup", None).await;
    let panics = Panics::default();
    world.registry = Arc::new(FaultyRegistry::new(Arc::clone(&world.registry), panics.clone()));
    let running = world.start();
    // Everything is known by then.
    let first = world.alert(monitor, 1, channel).await;
    world.delivery(first, DeliveryState::Delivered, 1).await;
    panics.0.store(4, Ordering::SeqCst);
    let alert = world.flip(monitor, 2);
    world.publish(std::slice::from_ref(&alert)).await;
    eventually("the alert is a dead letter", async || {
        world.clock.advance(Duration::from_secs(1));
        let letters = world.alerts.dead_letters(None, 10).await.unwrap();
        letters.iter().any(|letter| letter.id == alert.id().into()).then_some(())
    })
    .await;
    let after = world.alert(monitor, 3, channel).await;
    world.delivery(after, DeliveryState::Delivered, 1).await;
    running.drain().await;
    assert_eq!(panics.left(), 0);
}

#[tokio::test]
async fn a_body_over_which_the_decoder_panics_ends_no_task_that_looks_at_it() {
    let receiver = Receiver::start(|_| Reply::status(200)).await;
    let mut world = World::new();
    world.deliveries = Arc::new(InMemoryQueue::new(8));
    world.limits = Limits { review: Duration::from_millis(20), ..world.limits };
    let crowded = world.channel("http://127.0.0.1:9/".to_owned()).await;
    let bodies: Vec<QueueMessage> = (1..=7)
        .map(|n| QueueMessage {
            id: Uuid::from_u128(n).into(),
            lane: crowded.into(),
            order_key: Uuid::from_u128(n).into(),
            due_at: world.clock.now() + Duration::from_secs(5),
            origin: None,
            body: PANICS.into(),
        })
        .collect();
    world.deliveries.enqueue(bodies).await.unwrap();
    let fine = world.channel_with(receiver.url("/"), |channel| channel.default = false).await;
    let monitor = world.monitor("backup", Some(vec![fine])).await;
    let running = world.start();
    // The lane holds more than its share: it is looked through.
    tokio::time::sleep(2 * POLL).await;
    eventually("they are given up", async || {
        world.advance(Duration::from_secs(10)).await;
        let letters = world.deliveries.dead_letters(None, 10).await.unwrap();
        (letters.len() == 7).then_some(())
    })
    .await;
    // The dead letters are reviewed meanwhile.
    tokio::time::sleep(Duration::from_millis(200)).await;
    let id = world.alert(monitor, 1, fine).await;
    world.delivery(id, DeliveryState::Delivered, 1).await;
    running.drain().await;
}

#[tokio::test]
async fn a_delivery_that_panics_three_times_is_given_up_and_can_be_sent_again() {
    let receiver = Receiver::start(|_| Reply::status(200)).await;
    let mut world = World::new();
    let gathers = |channel: &mut model::channel::Channel| World::webhook(channel).digest = true;
    let bad = world.channel_with(receiver.url("/bad"), gathers).await;
    let fine = world.channel_with(receiver.url("/fine"), gathers).await;
    let monitor = world.monitor("backup", None).await;
    let panics = Panics::at(3);
    // The desk of a channel reads what it remembers.
    world.ledger = Arc::new(FaultyLedger::new(Arc::clone(&world.ledger), panics.clone()).only(bad.as_uuid()));
    let running = world.start();
    let id = world.alert(monitor, 1, bad).await;
    let alert = world.flip(monitor, 1);
    world.delivery(DeliveryId::derive(alert.id(), fine), DeliveryState::Delivered, 1).await;
    let (dead, error) = world.dead_in_time(id).await;
    assert!(error.contains("by a defect of Lubdub"), "{error}");
    assert_eq!((dead.attempts.len(), panics.left()), (1, 0));
    world.is_buried(id).await;
    assert!(world.redrive(id).await);
    world.delivery(id, DeliveryState::Delivered, 2).await;
    running.drain().await;
}
