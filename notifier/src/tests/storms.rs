//! Storms and what is gathered, on a notifier with everything around it.

use std::sync::Arc;
use std::time::Duration;

use async_trait::async_trait;
use bytes::Bytes;
use doubles::{FaultyLedger, InMemoryLedger, Switch, eventually};
use model::delivery::DeliveryState;
use model::flip::State;
use model::ids::DeliveryId;
use parking_lot::Mutex;
use ports::ledger::{Ledger, LedgerError, LedgerPage};
use serde_json::json;
use uuid::Uuid;

use super::receiver::{Received, Receiver, Reply};
use super::world::World;

/// A ledger that can be set back to what it was.
#[derive(Default)]
struct Restored {
    now: InMemoryLedger,
    kept: Mutex<Option<(Uuid, LedgerPage)>>,
}

#[async_trait]
impl Ledger for Restored {
    async fn load(&self, scope: Uuid) -> Result<LedgerPage, LedgerError> {
        match &*self.kept.lock() {
            Some((set_back, page)) if *set_back == scope => return Ok(page.clone()),
            Some(_) | None => {}
        }
        self.now.load(scope).await
    }

    async fn write(
        &self,
        scope: Uuid,
        expected: u64,
        changes: Vec<(Uuid, Option<Bytes>)>,
    ) -> Result<u64, LedgerError> {
        let set_back =
            self.kept.lock().as_ref().filter(|(kept, _)| *kept == scope).map(|(_, page)| page.version);
        match set_back {
            Some(found) if found != expected => return Err(LedgerError::Conflict { found }),
            Some(_) | None => {}
        }
        // A writer that knows where it was set back to may go on from there.
        *self.kept.lock() = None;
        let version = self.now.load(scope).await?.version;
        self.now.write(scope, version, changes).await
    }
}

fn digests(receiver: &Receiver) -> Vec<Received> {
    receiver.received().into_iter().filter(|one| one.kind() == "digest").collect()
}

#[tokio::test]
async fn a_ledger_that_is_set_back_costs_no_message() {
    let receiver = Receiver::start(|_| Reply::status(200)).await;
    let mut world = World::new();
    let ledger = Arc::new(Restored::default());
    world.ledger = Arc::clone(&ledger) as _;
    let channel =
        world.channel_with(receiver.url("/"), |channel| World::webhook(channel).digest = true).await;
    let running = world.start();
    let mut ids = vec![];
    for n in 0..6 {
        let monitor = world.monitor(&format!("early {n}"), None).await;
        ids.push(world.alert(monitor, 1, channel).await);
    }
    for id in &ids[..5] {
        world.delivery(*id, DeliveryState::Delivered, 1).await;
    }
    let early = ledger.now.load(channel.as_uuid()).await.unwrap();
    for n in 0..20 {
        let monitor = world.monitor(&format!("late {n}"), None).await;
        ids.push(world.alert(monitor, 1, channel).await);
    }
    for id in &ids[5..] {
        world.delivery(*id, DeliveryState::Folded, 0).await;
    }
    *ledger.kept.lock() = Some((channel.as_uuid(), early));
    world.advance(Duration::from_secs(31)).await;
    eventually("the digest", async || (!digests(&receiver).is_empty()).then_some(())).await;
    running.drain().await;
    assert_eq!(digests(&receiver)[0].json()["data"]["count"], 21);
}

#[tokio::test]
async fn a_storm_goes_on_after_a_restart_and_each_flip_names_the_message_that_tells_of_it() {
    let receiver = Receiver::start(|_| Reply::status(200)).await;
    let mut world = World::new();
    let channel =
        world.channel_with(receiver.url("/"), |channel| World::webhook(channel).digest = true).await;
    let running = world.start();
    let mut ids: Vec<DeliveryId> = vec![];
    for n in 0..300 {
        let monitor = world.monitor(&format!("monitor {n}"), None).await;
        ids.push(world.alert(monitor, 1, channel).await);
    }
    eventually("all are told of or gathered", async || {
        let all = world.all_deliveries().await;
        (all.iter().filter(|one| one.state.is_over()).count() == 300).then_some(())
    })
    .await;
    running.kill().await;
    assert_eq!(receiver.received().len(), 5);
    let running = world.start();
    world.advance(Duration::from_secs(31)).await;
    eventually("the digest", async || (!digests(&receiver).is_empty()).then_some(())).await;
    world.nothing_left().await;
    running.drain().await;
    let digest = &digests(&receiver)[0];
    let data = &digest.json()["data"];
    assert_eq!((&data["count"], &data["truncated"]), (&json!(295), &json!(true)));
    assert_eq!(data["flips"].as_array().map(Vec::len), Some(100));
    assert!(digest.is_signed());
    for id in &ids {
        let delivery = world.history.get(*id).await.unwrap().unwrap();
        let told_by = delivery.folded_into.unwrap_or(delivery.id);
        let teller = world.history.get(told_by).await.unwrap().unwrap();
        assert_eq!(teller.state, DeliveryState::Delivered, "{delivery:?}");
    }
    assert_eq!(receiver.received().len(), 6);
}

#[tokio::test]
async fn a_monitor_that_was_paused_is_not_told_of_as_still_down_for_ever() {
    let receiver = Receiver::start(|_| Reply::status(200)).await;
    let mut world = World::new();
    let channel =
        world.channel_with(receiver.url("/"), |channel| World::webhook(channel).digest = true).await;
    let paused = world.monitor("paused", None).await;
    let running = world.start();
    let down = world.happen(paused, 1, None).await;
    world.delivery(DeliveryId::derive(down.id, channel), DeliveryState::Delivered, 1).await;
    let entries = async || world.ledger.load(channel.as_uuid()).await.unwrap().rows.len();
    assert_eq!(entries().await, 2, "the head, and the monitor");
    let mut pause = world.flip_now(paused, 2, None);
    pause.to = State::Paused;
    world.commit(&pause).await;
    eventually("it is forgotten", async || {
        world.advance(Duration::from_secs(60)).await;
        (entries().await == 1).then_some(())
    })
    .await;
    running.drain().await;
}

#[tokio::test]
async fn a_desk_that_cannot_be_written_down_holds_up_no_other_channel() {
    let receiver = Receiver::start(|all| match all.last() {
        Some(one) if one.path == "/gathered" => Reply::after(Duration::from_millis(300)),
        _ => Reply::status(200),
    })
    .await;
    let mut world = World::new();
    let gathered = world
        .channel_with(receiver.url("/gathered"), |channel| {
            channel.default = false;
            World::webhook(channel).digest = true;
        })
        .await;
    let plain = world.channel_with(receiver.url("/plain"), |channel| channel.default = false).await;
    let one = world.monitor("one", Some(vec![gathered])).await;
    let other = world.monitor("other", Some(vec![plain])).await;
    let away = Switch::default();
    let ledger = FaultyLedger::new(Arc::clone(&world.ledger), away.clone()).only(gathered.as_uuid());
    world.ledger = Arc::new(ledger);
    let running = world.start();
    let first = world.alert(one, 1, gathered).await;
    eventually("an attempt is in hand", async || (receiver.count("/gathered") == 1).then_some(())).await;
    away.set(true);
    world.delivery(first, DeliveryState::Delivered, 1).await;
    for sequence in 1..=3 {
        let id = world.alert(other, sequence, plain).await;
        world.delivery(id, DeliveryState::Delivered, 1).await;
    }
    away.set(false);
    // Told by itself, or by a message of the desk's, whichever is first.
    world.alert(one, 2, gathered).await;
    eventually("the recovery", async || (receiver.count("/gathered") == 2).then_some(())).await;
    world.nothing_left().await;
    running.drain().await;
    let last = receiver.received().into_iter().rfind(|one| one.path == "/gathered").unwrap();
    assert_eq!(last.kind(), "monitor.up");
}
