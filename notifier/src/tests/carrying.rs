//! Deliveries: what reaches which channel.

use doubles::eventually;
use model::channel::{ChannelState, Secret};
use model::delivery::DeliveryState;
use model::flip::Alert;
use model::ids::{AlertId, ChannelId, DeliveryId};
use ports::registry::RecordKind;
use uuid::Uuid;

use super::receiver::{Received, Receiver, Reply};
use super::world::World;

#[tokio::test]
async fn a_flip_reaches_each_enabled_default_channel_signed() {
    let receiver = Receiver::start(|_| Reply::status(204)).await;
    let mut world = World::new();
    let first = world.channel(receiver.url("/first")).await;
    let second =
        world.channel_with(receiver.url("/second"), |channel| channel.state = ChannelState::Failing).await;
    world.channel_with(receiver.url("/disabled"), |channel| channel.state = ChannelState::Disabled).await;
    world.channel_with(receiver.url("/other"), |channel| channel.default = false).await;
    let monitor = world.monitor("nightly backup", None).await;
    let running = world.start();

    let to_first = world.alert(monitor, 1, first).await;
    let to_second = DeliveryId::derive(world.flip(monitor, 1).id(), second);
    world.delivery(to_first, DeliveryState::Delivered, 1).await;
    let delivery = world.delivery(to_second, DeliveryState::Delivered, 1).await;
    assert_eq!((delivery.attempts[0].status, &delivery.attempts[0].error), (Some(204), &None));
    assert_eq!(delivery.next_attempt_at, None);
    running.drain().await;

    let mut received = receiver.received();
    received.sort_by(|a, b| a.path.cmp(&b.path));
    let paths: Vec<_> = received.iter().map(|one| (one.path.as_str(), one.id())).collect();
    assert_eq!(paths, [("/first", to_first.to_string()), ("/second", to_second.to_string())]);
    assert!(received.iter().all(Received::is_signed));
    let one = &received[0];
    assert_eq!(one.header("content-type"), "application/json");
    assert_eq!(one.header("user-agent"), concat!("lubdub-notifier/", env!("CARGO_PKG_VERSION")));
    assert_eq!(one.json()["type"], "monitor.down");
    assert_eq!(one.json()["data"]["monitor"]["tags"][0], "prod");
    world.nothing_left().await;
}

/// The request of a webhook with headers of its own, and the URL of its receiver.
async fn sent_with(headers: &[(&str, &str)]) -> (Received, String) {
    let receiver = Receiver::start(|_| Reply::status(200)).await;
    let mut world = World::new();
    let own = headers.iter().map(|&(name, value)| (name.to_owned(), Secret::new(value.to_owned())));
    let channel =
        world.channel_with(receiver.url("/"), |channel| World::webhook(channel).headers.extend(own)).await;
    let monitor = world.monitor("backup", None).await;
    let running = world.start();
    let id = world.alert(monitor, 1, channel).await;
    world.delivery(id, DeliveryState::Delivered, 1).await;
    running.drain().await;
    (receiver.received().remove(0), receiver.url(""))
}

#[tokio::test]
async fn a_channel_with_a_user_agent_of_its_own_is_known_for_a_notifier() {
    let (one, _) = sent_with(&[("User-Agent", "mine/1")]).await;
    assert_eq!(one.header("user-agent"), "mine/1");
    assert_eq!(one.header("lubdub-notifier"), env!("CARGO_PKG_VERSION"));
}

#[tokio::test]
async fn a_monitor_that_names_its_channels_uses_these_and_no_others() {
    let receiver = Receiver::start(|_| Reply::status(200)).await;
    let mut world = World::new();
    world.channel(receiver.url("/default")).await;
    let own = world.channel_with(receiver.url("/own"), |channel| channel.default = false).await;
    let gone = ChannelId::from_uuid(Uuid::from_u128(999));
    let running = world.start();
    let monitor = world.monitor("backup", Some(vec![own, gone, own])).await;
    let nobody = world.monitor("unheard", Some(vec![])).await;
    world.publish(&[world.flip(nobody, 1)]).await;
    let id = world.alert(monitor, 1, own).await;
    world.delivery(id, DeliveryState::Delivered, 1).await;
    running.drain().await;
    assert_eq!(receiver.received().len(), 1);
    assert_eq!(world.all_deliveries().await.len(), 1);
    world.nothing_left().await;
}

#[tokio::test]
async fn an_alert_that_is_published_again_is_not_delivered_again() {
    let receiver = Receiver::start(|_| Reply::status(200)).await;
    let mut world = World::new();
    let channel = world.channel(receiver.url("/")).await;
    let monitor = world.monitor("backup", None).await;
    let first = world.start();
    let id = world.alert(monitor, 1, channel).await;
    world.delivery(id, DeliveryState::Delivered, 1).await;
    world.nothing_left().await;
    first.drain().await;
    // Beyond the queue's window for equal ids: another queue that knows nothing.
    world.alerts = std::sync::Arc::new(doubles::InMemoryQueue::default());
    world.deliveries = std::sync::Arc::new(doubles::InMemoryQueue::default());
    let second = world.start();
    world.alert(monitor, 1, channel).await;
    let other = world.monitor("another", None).await;
    let later = world.alert(other, 1, channel).await;
    world.delivery(later, DeliveryState::Delivered, 1).await;
    second.drain().await;
    assert_eq!(receiver.received().len(), 2);
}

#[tokio::test]
async fn own_headers_are_sent_but_not_in_place_of_ours() {
    let (received, url) = sent_with(&[
        ("Authorization", "Bearer x"),
        ("Webhook-Id", "mine"),
        ("webhook-signature", "v1,mine"),
        ("Host", "elsewhere.example"),
        ("Content-Length", "1"),
        ("content-type", "text/plain"),
    ])
    .await;
    assert!(received.is_signed());
    assert_eq!(received.header("authorization"), "Bearer x");
    assert_eq!(received.header("content-type"), "application/json");
    assert!(url.ends_with(&received.header("host")), "{}", received.header("host"));
}

#[tokio::test]
async fn a_test_goes_to_its_channel_once_whatever_comes_of_it() {
    let receiver = Receiver::start(|all| match all.last() {
        Some(one) if one.path == "/broken" => Reply { body: "no".to_owned(), ..Reply::status(500) },
        _ => Reply::status(200),
    })
    .await;
    let mut world = World::new();
    let disabled = world.channel_with(receiver.url("/ok"), |one| one.state = ChannelState::Disabled).await;
    let broken = world.channel(receiver.url("/broken")).await;
    let gone = ChannelId::from_uuid(Uuid::from_u128(999));
    let running = world.start();

    let id = world.test(disabled).await;
    world.delivery(id, DeliveryState::Delivered, 1).await;
    assert_eq!(receiver.received()[0].json()["type"], "channel.test");
    eventually("it works, so it is enabled", async || {
        (world.channel_now(disabled).await.state == ChannelState::Ok).then_some(())
    })
    .await;

    let id = world.test(broken).await;
    let dead = world.delivery(id, DeliveryState::Dead, 1).await;
    assert_eq!((dead.attempts[0].status, dead.attempts[0].answer.as_deref()), (Some(500), Some("no")));
    assert_eq!(dead.attempts[0].error.as_deref(), Some("answered 500 Internal Server Error"));
    world.nothing_left().await;
    assert!(!world.redrive(id).await);

    let id = world.test(gone).await;
    let dead = world.delivery(id, DeliveryState::Dead, 1).await;
    assert_eq!(dead.attempts[0].error.as_deref(), Some("the channel was deleted"));
    running.drain().await;
    assert_eq!(receiver.received().len(), 2);
}

#[tokio::test]
async fn what_is_gone_or_damaged_holds_nothing_up() {
    let receiver = Receiver::start(|_| Reply::status(200)).await;
    let mut world = World::new();
    let channel = world.channel(receiver.url("/")).await;
    let deleted = world.monitor("deleted", None).await;
    world.delete(RecordKind::Monitor, deleted).await;
    world.publish(&[world.flip(deleted, 1)]).await;
    for (n, body) in [&b""[..], b"\x01\xc1", b"\x01"].iter().enumerate() {
        let id = Uuid::from_u128(u128::try_from(5_000 + n).unwrap());
        let message = ports::queue::QueueMessage {
            id: id.into(),
            lane: Uuid::nil().into(),
            order_key: id.into(),
            due_at: model::time::EventTime::EPOCH,
            origin: None,
            body: bytes::Bytes::from_static(body),
        };
        world.alerts.enqueue(vec![message.clone()]).await.unwrap();
        world.deliveries.enqueue(vec![message]).await.unwrap();
    }
    let monitor = world.monitor("backup", None).await;
    let running = world.start();
    let id = world.alert(monitor, 1, channel).await;
    world.delivery(id, DeliveryState::Delivered, 1).await;
    world.nothing_left().await;
    running.drain().await;
    assert_eq!(receiver.received().len(), 1);
}

#[tokio::test]
async fn a_reminder_is_an_event_of_its_own() {
    let receiver = Receiver::start(|_| Reply::status(200)).await;
    let mut world = World::new();
    world.channel(receiver.url("/")).await;
    let monitor = world.monitor("backup", None).await;
    let Alert::Flip(down) = world.flip(monitor, 1) else { unreachable!() };
    let running = world.start();
    let at = down.at + std::time::Duration::from_secs(3_600);
    let id = AlertId::derive(monitor, at, "reminder");
    world.publish(&[Alert::Flip(down.clone()), Alert::Reminder { id, number: 1, at, down }]).await;
    let received = eventually("two events", async || {
        let received = receiver.received();
        (received.len() == 2).then_some(received)
    })
    .await;
    running.drain().await;
    let types: Vec<_> = received.iter().map(|one| one.json()["type"].clone()).collect();
    assert_eq!(types, ["monitor.down", "monitor.reminder"]);
    assert_ne!(received[0].id(), received[1].id());
}
