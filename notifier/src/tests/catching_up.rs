//! What a channel hears that was disabled and is enabled again.

use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use model::channel::{Channel, ChannelState};
use model::delivery::DeliveryState;
use model::ids::{ChannelId, DeliveryId};
use model::maintenance::WindowSpan;
use model::time::EventTime;
use model::wire;
use ports::clock::Clock;
use ports::queue::{Outcome, QueueMessage};
use ports::registry::{Expected, RecordKey, RecordKind};
use uuid::Uuid;

use doubles::{InMemoryQueue, eventually};

use super::receiver::{Receiver, Reply};
use super::world::World;

impl World {
    async fn enable_again(&self, id: ChannelId) {
        let key = RecordKey::new(RecordKind::Channel, id);
        let revision = self.registry.get(&key).await.unwrap().unwrap().revision;
        let channel = self.channel_now(id).await;
        let enabled = Channel { state: ChannelState::Ok, state_detail: None, failing_since: None, ..channel };
        self.registry.put(&key, Expected::At(revision), wire::encode(&enabled)).await.unwrap();
    }

    async fn is_disabled(&self, id: ChannelId) {
        eventually("the channel is disabled", async || {
            (self.channel_now(id).await.state == ChannelState::Disabled).then_some(())
        })
        .await;
    }
}

#[tokio::test]
async fn a_channel_that_is_enabled_again_hears_of_what_is_down() {
    for digest in [false, true] {
        let receiver = Receiver::start(|_| Reply::status(410)).await;
        let mut world = World::new();
        let channel =
            world.channel_with(receiver.url("/"), |channel| World::webhook(channel).digest = digest).await;
        let first = world.monitor("first", None).await;
        let second = world.monitor("second", None).await;
        let over = world.monitor("over", None).await;
        let running = world.start();
        let refused = world.happen(first, 1, None).await;
        let refused = DeliveryId::derive(refused.id, channel);
        world.delivery(refused, DeliveryState::Dead, 1).await;
        world.is_disabled(channel).await;
        let mut missed = Vec::new();
        for (monitor, sequence) in [(second, 1), (over, 1), (over, 2)] {
            world.advance(Duration::from_secs(1)).await;
            let since = (sequence == 2).then(|| world.clock.now());
            let flip = world.happen(monitor, sequence, since).await;
            missed.push(DeliveryId::derive(flip.id, channel));
            world.delivery(*missed.last().unwrap(), DeliveryState::Suppressed, 0).await;
        }
        // It is looked at while the channel is disabled.
        world.advance(Duration::from_secs(40)).await;
        // Nobody is there when the channel is enabled.
        running.drain().await;
        world.enable_again(channel).await;
        receiver.behave(|_| Reply::status(200));
        world.clock.advance(Duration::from_secs(40));
        let running = world.start();
        world.delivery(refused, DeliveryState::Delivered, 2).await;
        world.delivery(missed[0], DeliveryState::Delivered, 1).await;
        world.nothing_left().await;
        running.drain().await;
        let told: Vec<_> =
            receiver.received().iter().skip(1).map(super::receiver::Received::monitor).collect();
        assert_eq!(told.len(), 2, "{told:?}");
        for id in &missed[1..] {
            assert_eq!(world.history.get(*id).await.unwrap().unwrap().state, DeliveryState::Suppressed);
        }
    }
}

#[tokio::test]
async fn a_channel_that_is_enabled_again_hears_of_what_still_concerns_it() {
    let receiver = Receiver::start(|_| Reply::status(410)).await;
    let mut world = World::new();
    let channel = world.channel(receiver.url("/")).await;
    let refused = world.monitor("refused", None).await;
    let told = world.monitor("told", Some(vec![channel])).await;
    let moved = world.monitor("moved", None).await;
    let deleted = world.monitor("deleted", None).await;
    let quiet = world.monitor("quiet", None).await;
    let running = world.start();
    let down = world.happen(refused, 1, None).await;
    world.delivery(DeliveryId::derive(down.id, channel), DeliveryState::Dead, 1).await;
    world.is_disabled(channel).await;
    world.advance(Duration::from_secs(1)).await;
    let mut missed = Vec::new();
    for monitor in [told, moved, deleted, quiet] {
        let flip = world.happen(monitor, 1, None).await;
        missed.push(DeliveryId::derive(flip.id, channel));
        world.delivery(*missed.last().unwrap(), DeliveryState::Suppressed, 0).await;
    }
    for monitor in [refused, moved] {
        world.change_monitor(monitor, |monitor| monitor.channels = Some(Vec::new())).await;
    }
    world.change_monitor(quiet, |monitor| monitor.tags = vec!["being mended".to_owned()]).await;
    world.delete(RecordKind::Monitor, deleted).await;
    let from = world.clock.now();
    let ends = from + Duration::from_secs(3_600);
    world.maintenance("being mended", WindowSpan::Once { from, to: ends }).await;
    world.enable_again(channel).await;
    receiver.behave(|_| Reply::status(200));
    world.advance(Duration::from_secs(60)).await;
    world.delivery(missed[0], DeliveryState::Delivered, 1).await;
    world.advance(Duration::from_secs(600)).await;
    assert_eq!(receiver.received().len(), 2, "the one that was refused, and the one that is told");
    while world.clock.now() < ends + Duration::from_secs(60) {
        world.advance(Duration::from_secs(240)).await;
    }
    world.delivery(missed[3], DeliveryState::Delivered, 1).await;
    world.nothing_left().await;
    running.drain().await;
    let told: Vec<_> = receiver.received().iter().map(super::receiver::Received::monitor).collect();
    assert_eq!(told.len(), 3, "{told:?}");
    for id in &missed[1..3] {
        assert_eq!(world.history.get(*id).await.unwrap().unwrap().state, DeliveryState::Suppressed);
    }
}

#[tokio::test]
async fn a_channel_that_is_enabled_again_hears_nothing_when_all_is_up() {
    let receiver = Receiver::start(|_| Reply::status(410)).await;
    let mut world = World::new();
    let channel = world.channel(receiver.url("/")).await;
    let monitor = world.monitor("backup", None).await;
    let running = world.start();
    let down = world.happen(monitor, 1, None).await;
    world.delivery(DeliveryId::derive(down.id, channel), DeliveryState::Dead, 1).await;
    world.is_disabled(channel).await;
    world.advance(Duration::from_secs(5)).await;
    let up = world.happen(monitor, 2, Some(down.at)).await;
    world.delivery(DeliveryId::derive(up.id, channel), DeliveryState::Suppressed, 0).await;
    world.enable_again(channel).await;
    receiver.behave(|_| Reply::status(200));
    world.advance(Duration::from_secs(60)).await;
    world.nothing_left().await;
    running.drain().await;
    assert_eq!(receiver.received().len(), 1);
}

#[tokio::test]
async fn a_channel_is_not_disabled_before_it_is_certain_that_it_hears_of_what_it_misses() {
    let receiver = Receiver::start(|_| Reply::status(410)).await;
    let mut world = World::new();
    world.deliveries = Arc::new(InMemoryQueue::new(2));
    let channel = world.channel(receiver.url("/")).await;
    let [first, second] = [world.monitor("first", None).await, world.monitor("second", None).await];
    // What another channel has waiting.
    let other = |n| QueueMessage {
        id: Uuid::from_u128(n).into(),
        lane: Uuid::from_u128(n).into(),
        order_key: Uuid::from_u128(n).into(),
        due_at: EventTime::from_micros(i64::MAX),
        origin: None,
        body: Bytes::new(),
    };
    world.deliveries.enqueue(vec![other(1_000_001)]).await.unwrap();
    let running = world.start();
    let down = world.happen(first, 1, None).await;
    let refused = DeliveryId::derive(down.id, channel);
    world.delivery(refused, DeliveryState::Dead, 1).await;
    assert_eq!(
        world.channel_now(channel).await.state,
        ChannelState::Ok,
        "it would never hear of the failure"
    );
    // There is room again.
    let claimed =
        world.deliveries.claim(Uuid::from_u128(1_000_001).into(), EventTime::from_micros(i64::MAX), 1);
    let removed = (claimed.await.unwrap()[0].id, Outcome::Complete);
    world.deliveries.settle(vec![removed]).await.unwrap();
    world.advance(Duration::from_secs(1)).await;
    let down = world.happen(second, 1, None).await;
    world.delivery(DeliveryId::derive(down.id, channel), DeliveryState::Dead, 1).await;
    world.is_disabled(channel).await;
    world.enable_again(channel).await;
    receiver.behave(|_| Reply::status(200));
    world.advance(Duration::from_secs(60)).await;
    world.delivery(refused, DeliveryState::Delivered, 2).await;
    world.nothing_left().await;
    running.drain().await;
}
