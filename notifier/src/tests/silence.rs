//! Maintenance windows and monitors that depend on others.

use std::time::Duration;

use doubles::eventually;
use model::delivery::DeliveryState;
use model::flip::Alert;
use model::ids::{AlertId, ChannelId, DeliveryId};
use model::maintenance::WindowSpan;
use ports::clock::Clock;
use serde_json::json;

use super::receiver::{Receiver, Reply};
use super::world::World;

fn types_of(receiver: &Receiver, name: &str) -> Vec<String> {
    receiver.received().iter().filter(|one| one.monitor() == name).map(|one| one.kind()).collect()
}

/// A window of an hour from now, for the tag that every monitor has.
async fn window(world: &World) {
    let from = world.clock.now();
    world.maintenance("prod", WindowSpan::Once { from, to: from + Duration::from_secs(3_600) }).await;
}

#[tokio::test]
async fn who_comes_back_within_a_window_is_not_told_of_at_all() {
    let receiver = Receiver::start(|_| Reply::status(200)).await;
    let mut world = World::new();
    let channel = world.channel(receiver.url("/")).await;
    let monitor = world.monitor("backup", None).await;
    window(&world).await;
    let running = world.start();
    let down = world.happen(monitor, 1, None).await;
    world.advance(Duration::from_secs(100)).await;
    let up = world.happen(monitor, 2, Some(down.at)).await;
    for flip in [&down, &up] {
        let record = eventually("it is written down", async || {
            world.advance(Duration::from_secs(1)).await;
            world.history.get(DeliveryId::derive(flip.id, channel)).await.unwrap()
        })
        .await;
        assert_eq!(record.state, DeliveryState::Suppressed);
        assert_eq!(record.note.as_deref(), Some("maintenance window updates"));
    }
    world.nothing_left().await;
    // The next incident, after the window, is told from beginning to end.
    world.advance(Duration::from_secs(3_600)).await;
    let down = world.happen(monitor, 3, None).await;
    world.advance(Duration::from_secs(10)).await;
    world.happen(monitor, 4, Some(down.at)).await;
    world.nothing_left().await;
    running.drain().await;
    assert_eq!(types_of(&receiver, "backup"), ["monitor.down", "monitor.up"]);
}

#[tokio::test]
async fn who_is_still_down_when_a_window_ends_is_told_of_then() {
    let receiver = Receiver::start(|_| Reply::status(200)).await;
    let mut world = World::new();
    let channel = world.channel(receiver.url("/")).await;
    let monitor = world.monitor("backup", None).await;
    let early = world.monitor("early", None).await;
    let before = world.happen(early, 1, None).await;
    world.advance(Duration::from_secs(1)).await;
    window(&world).await;
    let running = world.start();
    // An incident that was told before the window is ended in it too.
    world.happen(early, 2, Some(before.at)).await;
    let down = world.happen(monitor, 1, None).await;
    let id = DeliveryId::derive(down.id, channel);
    for _ in 0..5 {
        let held = world.delivery(id, DeliveryState::Suppressed, 0).await;
        assert_eq!(held.note.as_deref(), Some("maintenance window updates"));
        world.advance(Duration::from_secs(700)).await;
        tokio::time::sleep(Duration::from_millis(20)).await;
        assert!(types_of(&receiver, "backup").is_empty());
    }
    world.advance(Duration::from_secs(100)).await;
    eventually("it is told", async || {
        world.advance(Duration::from_secs(1)).await;
        (types_of(&receiver, "backup") == ["monitor.down"]).then_some(())
    })
    .await;
    world.delivery(id, DeliveryState::Delivered, 1).await;
    world.happen(monitor, 2, Some(down.at)).await;
    world.nothing_left().await;
    running.drain().await;
    assert_eq!(types_of(&receiver, "backup"), ["monitor.down", "monitor.up"]);
    assert_eq!(types_of(&receiver, "early"), ["monitor.down", "monitor.up"]);
}

#[tokio::test]
async fn what_was_held_back_is_told_although_the_history_is_of_that_time_again() {
    let receiver = Receiver::start(|all| Reply::status(if all.len() <= 1 { 503 } else { 200 })).await;
    let mut world = World::new();
    let channel = world.channel(receiver.url("/")).await;
    let monitor = world.monitor("backup", None).await;
    window(&world).await;
    let running = world.start();
    let down = world.happen(monitor, 1, None).await;
    let id = DeliveryId::derive(down.id, channel);
    let held = world.delivery(id, DeliveryState::Suppressed, 0).await;
    world.advance(Duration::from_secs(3_600)).await;
    eventually("the first attempt is refused", async || {
        world.advance(Duration::from_secs(1)).await;
        (world.history.get(id).await.unwrap()?.attempts.len() == 1).then_some(())
    })
    .await;
    // The message waits in the queue for its next attempt.
    world.history.put(vec![held]).await.unwrap();
    eventually("it is told", async || {
        world.advance(Duration::from_secs(1)).await;
        (world.history.get(id).await.unwrap()?.state == DeliveryState::Delivered).then_some(())
    })
    .await;
    world.nothing_left().await;
    running.drain().await;
    assert_eq!(types_of(&receiver, "backup"), ["monitor.down"; 2]);
}

#[tokio::test]
async fn a_window_that_is_deleted_holds_no_alert_back_any_more() {
    let receiver = Receiver::start(|_| Reply::status(200)).await;
    let mut world = World::new();
    world.channel(receiver.url("/")).await;
    let monitor = world.monitor("backup", None).await;
    let from = world.clock.now();
    let id =
        world.maintenance("prod", WindowSpan::Once { from, to: from + Duration::from_secs(86_400) }).await;
    let running = world.start();
    world.happen(monitor, 1, None).await;
    world.delete(ports::registry::RecordKind::Maintenance, id).await;
    eventually("it is told within a minute", async || {
        world.advance(Duration::from_secs(1)).await;
        (!receiver.received().is_empty()).then_some(())
    })
    .await;
    assert!(world.clock.now().since(from) < Duration::from_secs(600));
    running.drain().await;
}

#[tokio::test]
async fn reminders_do_not_come_in_a_window() {
    let receiver = Receiver::start(|_| Reply::status(200)).await;
    let mut world = World::new();
    let channel = world.channel(receiver.url("/")).await;
    let monitor = world.monitor("backup", None).await;
    let down = world.happen(monitor, 1, None).await;
    let running = world.start();
    world.nothing_left().await;
    world.advance(Duration::from_secs(60)).await;
    window(&world).await;
    let at = world.clock.now();
    let id = AlertId::derive(monitor, at, "reminder");
    world.publish(&[Alert::Reminder { id, number: 1, at, down }]).await;
    let record = world.delivery(DeliveryId::derive(id, channel), DeliveryState::Suppressed, 0).await;
    assert_eq!(record.note.as_deref(), Some("maintenance window updates"));
    running.drain().await;
    assert_eq!(types_of(&receiver, "backup"), ["monitor.down"]);
}

/// A router, and three hosts behind it.
async fn network(world: &mut World, receiver: &Receiver) -> (ChannelId, Vec<model::ids::MonitorId>) {
    let channel = world.channel(receiver.url("/")).await;
    let router = world.monitor("router", None).await;
    let mut monitors = vec![router];
    for name in ["host a", "host b", "host c"] {
        let host = world.monitor(name, None).await;
        world.change_monitor(host, |monitor| monitor.parent = Some(router)).await;
        monitors.push(host);
    }
    (channel, monitors)
}

#[tokio::test]
async fn while_a_monitor_is_down_those_that_depend_on_it_are_told_of_in_its_messages() {
    let receiver = Receiver::start(|_| Reply::status(200)).await;
    let mut world = World::new();
    let (channel, monitors) = network(&mut world, &receiver).await;
    let running = world.start();
    let router = world.happen(monitors[0], 1, None).await;
    world.advance(Duration::from_secs(5)).await;
    let mut downs = vec![];
    for host in &monitors[1..] {
        downs.push(world.happen(*host, 1, None).await);
    }
    world.advance(Duration::from_secs(10)).await;
    // While they are held back, their deliveries say why.
    let told_by = DeliveryId::derive(router.id, channel);
    for down in &downs {
        let record = world.delivery(DeliveryId::derive(down.id, channel), DeliveryState::Folded, 0).await;
        assert_eq!(record.folded_into, Some(told_by));
        assert_eq!(record.note.as_deref(), Some("its parent router is down"));
    }
    let back = world.happen(monitors[1], 2, Some(downs[0].at)).await;
    // Both of the first host's flips are folded into the router's alert.
    eventually("the first host is settled", async || {
        world.advance(Duration::from_secs(1)).await;
        let record = world.history.get(DeliveryId::derive(back.id, channel)).await.unwrap()?;
        (record.state == DeliveryState::Folded && record.folded_into == Some(told_by)).then_some(())
    })
    .await;
    let up = world.happen(monitors[0], 2, Some(router.at)).await;
    world.delivery(DeliveryId::derive(up.id, channel), DeliveryState::Delivered, 1).await;
    let received = receiver.received();
    let message = received.iter().find(|one| one.kind() == "monitor.up").unwrap().json();
    assert_eq!(message["data"]["dependents"], json!({"down": 2, "names": ["host b", "host c"]}));
    assert_eq!(received.len(), 2, "no message is about the hosts alone");

    // One of them is heard within its chance; the other is reported after it.
    world.advance(Duration::from_secs(30)).await;
    world.happen(monitors[2], 2, Some(downs[1].at)).await;
    eventually("the last host is told of", async || {
        world.advance(Duration::from_secs(1)).await;
        (!types_of(&receiver, "host c").is_empty()).then_some(())
    })
    .await;
    assert!(world.clock.now().since(up.at) >= Duration::from_secs(66), "it had its chance");
    world.happen(monitors[3], 2, Some(downs[2].at)).await;
    world.nothing_left().await;
    running.drain().await;
    assert_eq!(types_of(&receiver, "host a"), Vec::<String>::new());
    assert_eq!(types_of(&receiver, "host b"), Vec::<String>::new());
    assert_eq!(types_of(&receiver, "host c"), ["monitor.down", "monitor.up"]);
    assert_eq!(types_of(&receiver, "router"), ["monitor.down", "monitor.up"]);
}

#[tokio::test]
async fn what_was_told_before_its_parent_went_down_is_ended_too() {
    let receiver = Receiver::start(|_| Reply::status(200)).await;
    let mut world = World::new();
    let (_, monitors) = network(&mut world, &receiver).await;
    let running = world.start();
    let down = world.happen(monitors[1], 1, None).await;
    world.nothing_left().await;
    world.advance(Duration::from_secs(5)).await;
    world.happen(monitors[0], 1, None).await;
    world.happen(monitors[1], 2, Some(down.at)).await;
    world.nothing_left().await;
    running.drain().await;
    assert_eq!(types_of(&receiver, "host a"), ["monitor.down", "monitor.up"]);
}

/// It would hear neither of the parent nor of what depends on it.
#[tokio::test]
async fn a_channel_that_is_not_told_of_the_parent_is_told_of_what_depends_on_it() {
    let receiver = Receiver::start(|_| Reply::status(200)).await;
    let mut world = World::new();
    let (channel, monitors) = network(&mut world, &receiver).await;
    let own = world.channel_with(receiver.url("/own"), |channel| channel.default = false).await;
    world.change_monitor(monitors[1], |monitor| monitor.channels = Some(vec![channel, own])).await;
    let running = world.start();
    world.happen(monitors[0], 1, None).await;
    world.advance(Duration::from_secs(5)).await;
    let down = world.happen(monitors[1], 1, None).await;
    let held = world.happen(monitors[2], 1, None).await;
    for told in [channel, own] {
        world.delivery(DeliveryId::derive(down.id, told), DeliveryState::Delivered, 1).await;
    }
    world.delivery(DeliveryId::derive(held.id, channel), DeliveryState::Folded, 0).await;
    running.drain().await;
}
