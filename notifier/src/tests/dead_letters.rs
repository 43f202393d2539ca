//! Dead letters stay in sight, even if the history forgets them.

use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use doubles::{Fault, FaultAt, FaultyDeliveryHistory, InMemoryHistory, eventually};
use model::channel::{Channel, ChannelState};
use model::delivery::{Delivery, DeliveryMessage, DeliveryState, DeliveryTask};
use model::ids::{ChannelId, DeliveryId, MonitorId};
use model::notice::MonitorLabel;
use model::wire;
use ports::clock::Clock;
use ports::history::DeliveryFilter;
use ports::queue::{LaneId, Outcome, QueueMessage};
use ports::registry::{Expected, RecordKey, RecordKind};
use uuid::Uuid;

use super::receiver::{Receiver, Reply};
use super::world::World;
use crate::dead_letters::{DeadLetterReview, RestoredCounts};
use crate::metrics::Metrics;

const DAY: Duration = Duration::from_secs(24 * 3_600);

fn metrics() -> Metrics {
    Metrics::new(&mut prometheus_client::registry::Registry::default())
}

fn review(world: &World) -> DeadLetterReview {
    let (deliveries, history) = (Arc::clone(&world.deliveries), Arc::clone(&world.history));
    DeadLetterReview::new(deliveries, history, Arc::clone(&world.clock) as _, metrics())
}

async fn pass(review: &mut DeadLetterReview) -> RestoredCounts {
    let mut tally = RestoredCounts::default();
    review.pass(Duration::ZERO, &mut tally).await.unwrap();
    tally
}

const fn tally(lost: u64, half_redriven: u64) -> RestoredCounts {
    RestoredCounts { lost, half_redriven }
}

impl World {
    async fn bury(&self, id: Uuid, lane: LaneId, body: Bytes) {
        let due_at = self.clock.now();
        let message = QueueMessage { id: id.into(), lane, order_key: id.into(), due_at, origin: None, body };
        self.deliveries.enqueue(vec![message]).await.unwrap();
        let claims = self.deliveries.claim(lane, due_at, 1).await.unwrap();
        assert_eq!(claims.len(), 1);
        self.deliveries.settle(vec![(id.into(), Outcome::Bury)]).await.unwrap();
    }

    /// A dead letter of which the history knows nothing.
    async fn dead_letter(&self, monitor: MonitorId, sequence: u64, channel: ChannelId) -> Delivery {
        let alert = self.flip(monitor, sequence);
        let task = DeliveryTask {
            id: DeliveryId::derive(alert.id(), channel),
            notice: alert.into(),
            channel,
            created_at: self.clock.now(),
            monitor: Some(MonitorLabel { name: "backup".to_owned(), ..MonitorLabel::default() }),
            redriven: false,
            attempts: 10,
            sent_to: vec![],
            at_desk: false,
            folded_into: None,
        };
        let body = wire::encode(&DeliveryMessage::from(task.clone()));
        self.bury(task.id.as_uuid(), channel.into(), body).await;
        Delivery { state: DeliveryState::Dead, next_attempt_at: None, ..task.pending(self.clock.now()) }
    }

    async fn enable(&self, channel: ChannelId) {
        let key = RecordKey::new(RecordKind::Channel, channel);
        let revision = self.registry.get(&key).await.unwrap().unwrap().revision;
        let enabled = Channel { state: ChannelState::Ok, ..self.channel_now(channel).await };
        self.registry.put(&key, Expected::At(revision), wire::encode(&enabled)).await.unwrap();
    }

    async fn dead(&self) -> Vec<Delivery> {
        let dead = DeliveryFilter { state: Some(DeliveryState::Dead), ..DeliveryFilter::default() };
        self.history.list(dead, None, usize::MAX).await.unwrap()
    }

    async fn state(&self, delivery: &Delivery) -> DeliveryState {
        self.history.get(delivery.id).await.unwrap().unwrap().state
    }
}

fn a_monitor_and_a_channel() -> (MonitorId, ChannelId) {
    (MonitorId::from_uuid(Uuid::from_u128(1)), ChannelId::from_uuid(Uuid::from_u128(2)))
}

#[tokio::test]
async fn a_dead_letter_that_the_history_lost_is_listed_again_and_can_be_sent_again() {
    let receiver = Receiver::start(|all| Reply::status(if all.len() == 1 { 410 } else { 200 })).await;
    let mut world = World::new();
    world.limits.review = Duration::from_millis(10);
    let channel = world.channel(receiver.url("/")).await;
    let monitor = world.monitor("backup", None).await;
    let running = world.start();
    let id = world.alert(monitor, 1, channel).await;
    let dead = world.delivery(id, DeliveryState::Dead, 1).await;
    running.drain().await;

    // The history is gone; the owner of the channel wants it enabled again.
    world.history = Arc::new(InMemoryHistory::default());
    world.enable(channel).await;
    world.clock.advance(Duration::from_secs(60));
    let running = world.start();
    let listed = eventually("it is listed", async || world.dead().await.pop()).await;
    let [attempt] = &listed.attempts[..] else { panic!("{:?}", listed.attempts) };
    assert!(attempt.error.as_deref().unwrap().starts_with("its record was lost"));
    assert_eq!(attempt.at, world.clock.now());
    let without_attempts = |delivery: &Delivery| Delivery { attempts: vec![], ..delivery.clone() };
    assert_eq!(without_attempts(&listed), without_attempts(&dead));
    assert_eq!(listed.monitor.as_ref().unwrap().name, "backup");

    assert!(world.redrive(id).await);
    world.delivery(id, DeliveryState::Delivered, 2).await;
    running.drain().await;
    let received = receiver.received();
    assert_eq!(received.len(), 2);
    assert!(received.iter().all(|one| one.id() == id.to_string() && one.body == received[0].body));
    world.nothing_left().await;
}

#[tokio::test]
async fn redrives_go_on_while_the_dead_letters_are_looked_through_all_the_time() {
    let receiver = Receiver::start(|_| Reply::status(200)).await;
    let mut world = World::new();
    world.limits.review = Duration::from_millis(1);
    let channel = world.channel(receiver.url("/")).await;
    let monitor = world.monitor("backup", None).await;
    let mut letters = vec![];
    for sequence in 0..40 {
        letters.push(world.dead_letter(monitor, sequence, channel).await);
    }
    let running = world.start();
    for letter in &letters {
        eventually("it is listed", async || world.history.get(letter.id).await.unwrap()).await;
        assert!(world.redrive(letter.id).await);
    }
    for letter in &letters {
        world.delivery(letter.id, DeliveryState::Delivered, 2).await;
    }
    running.drain().await;
    assert_eq!(receiver.received().len(), 40, "each once");
    assert!(world.dead().await.is_empty());
}

#[tokio::test]
async fn a_redrive_that_died_half_way_is_taken_back_at_the_second_look() {
    let world = World::new();
    let (monitor, channel) = a_monitor_and_a_channel();
    let letter = world.dead_letter(monitor, 1, channel).await;
    world.history.put(vec![letter.redriven(world.clock.now())]).await.unwrap();
    let mut review = review(&world);
    assert_eq!(pass(&mut review).await, tally(0, 0));
    assert_eq!(world.state(&letter).await, DeliveryState::Pending);
    assert_eq!(pass(&mut review).await, tally(0, 1));
    assert_eq!(world.history.get(letter.id).await.unwrap().unwrap(), letter, "as it was");
    assert_eq!(pass(&mut review).await, tally(0, 0));
    assert!(world.redrive(letter.id).await);
    assert_eq!(world.state(&letter).await, DeliveryState::Pending);
}

#[tokio::test]
async fn a_redrive_on_its_way_is_left_alone() {
    let world = World::new();
    let (monitor, channel) = a_monitor_and_a_channel();
    let letter = world.dead_letter(monitor, 1, channel).await;
    let mut review = review(&world);
    let revive = async || {
        let body = wire::encode(&DeliveryMessage::from(DeliveryTask::of(&letter)));
        assert!(world.deliveries.revive(letter.id.into(), world.clock.now(), body).await.unwrap());
    };
    // The look falls between its two steps.
    world.history.put(vec![letter.redriven(world.clock.now())]).await.unwrap();
    assert_eq!(pass(&mut review).await, tally(0, 0));
    revive().await;
    for _ in 0..3 {
        assert_eq!(pass(&mut review).await, tally(0, 0));
        assert_eq!(world.state(&letter).await, DeliveryState::Pending);
    }

    // The next look falls between the steps of another redrive: it is not the same as the last one.
    world.clock.advance(Duration::from_secs(60));
    let bury = async || {
        let claims = world.deliveries.claim(channel.into(), world.clock.now(), 1).await.unwrap();
        world.deliveries.settle(vec![(claims[0].id, Outcome::Bury)]).await.unwrap();
        world.history.put(vec![letter.clone()]).await.unwrap();
        world.history.put(vec![letter.redriven(world.clock.now())]).await.unwrap();
    };
    bury().await;
    assert_eq!(pass(&mut review).await, tally(0, 0));
    revive().await;
    world.clock.advance(Duration::from_secs(60));
    bury().await;
    assert_eq!(pass(&mut review).await, tally(0, 0));
    assert_eq!(world.state(&letter).await, DeliveryState::Pending);
    revive().await;
    assert_eq!(pass(&mut review).await, tally(0, 0));
    assert_eq!(world.state(&letter).await, DeliveryState::Pending);
}

#[tokio::test]
async fn only_what_is_lost_is_put_back() {
    let world = World::new();
    let (monitor, channel) = a_monitor_and_a_channel();
    let too_old = world.dead_letter(monitor, 0, channel).await;
    world.clock.advance(DAY * 29);
    let mut letters = vec![];
    for sequence in 1..=600 {
        letters.push(world.dead_letter(monitor, sequence, channel).await);
    }
    world.clock.advance(DAY);
    let unreadable = Uuid::from_u128(u128::MAX);
    world.bury(unreadable, channel.into(), Bytes::from_static(b"?")).await;
    let known = letters[0].clone();
    let accepted = Delivery { state: DeliveryState::Delivered, ..letters[1].clone() };
    world.history.put(vec![known.clone(), accepted.clone()]).await.unwrap();
    let mut review = review(&world);
    assert_eq!(pass(&mut review).await, tally(598, 0));
    assert_eq!(pass(&mut review).await, tally(0, 0), "what was put back stays");
    assert_eq!(world.history.get(letters[0].id).await.unwrap(), Some(known));
    assert_eq!(world.history.get(letters[1].id).await.unwrap(), Some(accepted));
    assert_eq!(world.history.get(too_old.id).await.unwrap(), None, "the history would forget it again");
    assert_eq!(world.history.get(DeliveryId::from_uuid(unreadable)).await.unwrap(), None);
    assert_eq!(world.dead().await.len(), 599);
}

#[tokio::test]
async fn a_history_that_fails_is_asked_again_at_the_next_pass() {
    let mut world = World::new();
    let (monitor, channel) = a_monitor_and_a_channel();
    let letter = world.dead_letter(monitor, 1, channel).await;
    let healthy = Arc::clone(&world.history);
    for call in 0..2 {
        let fault = FaultAt::new(Fault::Before, call);
        world.history = Arc::new(FaultyDeliveryHistory::new(Arc::clone(&healthy), fault));
        let mut review = review(&world);
        let mut found = RestoredCounts::default();
        assert!(review.pass(Duration::ZERO, &mut found).await.is_err());
        assert_eq!((found, healthy.get(letter.id).await.unwrap()), (tally(0, 0), None));
        if call == 1 {
            assert_eq!(pass(&mut review).await, tally(1, 0));
        }
    }
    assert_eq!(world.state(&letter).await, DeliveryState::Dead);
}
