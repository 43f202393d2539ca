//! Isolation: which deliveries wait for which.

use std::time::Duration;

use doubles::eventually;
use model::delivery::DeliveryState;

use super::receiver::{Receiver, Reply};
use super::world::World;

#[tokio::test]
async fn a_monitors_flips_arrive_in_order_and_other_monitors_go_on() {
    let receiver = Receiver::start(|all| {
        let rejected = all.last().is_some_and(|one| one.monitor() == "rejected");
        Reply::status(if rejected { 503 } else { 200 })
    })
    .await;
    let mut world = World::new();
    let channel = world.channel(receiver.url("/")).await;
    let rejected = world.monitor("rejected", None).await;
    let fine = world.monitor("fine", None).await;
    let running = world.start();
    let down = world.alert(rejected, 1, channel).await;
    let up = world.alert(rejected, 2, channel).await;
    for sequence in 1..=4 {
        let id = world.alert(fine, sequence, channel).await;
        world.delivery(id, DeliveryState::Delivered, 1).await;
    }
    let pending = world.delivery(down, DeliveryState::Pending, 1).await;
    world.delivery(up, DeliveryState::Pending, 0).await;
    receiver.behave(|_| Reply::status(200));
    world.advance(Duration::from_secs(6)).await;
    world.delivery(down, DeliveryState::Delivered, 2).await;
    world.delivery(up, DeliveryState::Delivered, 1).await;
    running.drain().await;
    assert!(pending.next_attempt_at.is_some());
    let order = |name: &str| {
        let received = receiver.received();
        let of_monitor = received.iter().filter(|one| one.monitor() == name);
        of_monitor.map(|one| one.json()["data"]["flip"]["sequence"].as_u64().unwrap()).collect::<Vec<_>>()
    };
    assert_eq!(order("rejected"), [1, 1, 2]);
    assert_eq!(order("fine"), [1, 2, 3, 4]);
}

#[tokio::test]
async fn slow_channels_delay_no_other() {
    let receiver = Receiver::start(|_| Reply::status(200)).await;
    let mut world = World::new();
    world.limits =
        crate::service::Limits { attempt: Duration::from_secs(600), drain: Duration::ZERO, ..world.limits };
    let mut slow = vec![];
    let mut hosts = vec![];
    for _ in 0..10 {
        let host = Receiver::start(|_| Reply::after(Duration::from_secs(600))).await;
        for _ in 0..4 {
            slow.push(world.channel_with(host.url("/slow"), |channel| channel.default = false).await);
        }
        hosts.push(host);
    }
    let stuck = || hosts.iter().map(|host| host.count("/slow")).sum::<usize>();
    let fast = world.channel_with(receiver.url("/fast"), |channel| channel.default = false).await;
    let running = world.start();
    for n in 0..50 {
        let monitor = world.monitor(&format!("slow {n}"), Some(slow.clone())).await;
        world.publish(&[world.flip(monitor, 1)]).await;
    }
    // Every slow channel has something stuck; together they would fill every attempt there may be.
    eventually("the slow channels are stuck", async || (stuck() >= 150).then_some(())).await;
    for n in 0..100 {
        let monitor = world.monitor(&format!("fast {n}"), Some(vec![fast])).await;
        world.publish(&[world.flip(monitor, 1)]).await;
    }
    eventually("the fast channel got all of its own", async || {
        (receiver.count("/fast") == 100).then_some(())
    })
    .await;
    assert!(stuck() < 256);
    assert!(hosts.iter().all(|host| host.count("/slow") <= 32), "one host has too much");
    // A test does not wait behind what its own channel has not accepted.
    hosts[0].behave(|all| match all.last() {
        Some(one) if one.json()["type"] == "channel.test" => Reply::status(200),
        _ => Reply::after(Duration::from_secs(600)),
    });
    let id = world.test(slow[0]).await;
    world.delivery(id, DeliveryState::Delivered, 1).await;
    running.drain().await;
}

#[tokio::test]
async fn at_most_sixteen_attempts_run_at_once_on_a_channel() {
    let receiver = Receiver::start(|_| Reply::after(Duration::from_secs(600))).await;
    let mut world = World::new();
    world.limits =
        crate::service::Limits { attempt: Duration::from_secs(600), drain: Duration::ZERO, ..world.limits };
    world.channel(receiver.url("/")).await;
    let running = world.start();
    for n in 0..100 {
        let monitor = world.monitor(&format!("monitor {n}"), None).await;
        world.publish(&[world.flip(monitor, 1)]).await;
    }
    eventually("sixteen attempts", async || (receiver.count("/") == 16).then_some(())).await;
    eventually("every alert is fanned out", async || {
        (world.all_deliveries().await.len() == 100).then_some(())
    })
    .await;
    assert_eq!(receiver.count("/"), 16);
    running.drain().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn ten_thousand_deliveries_on_one_channel_are_a_matter_of_seconds() {
    let receiver = Receiver::start(|_| Reply::status(200)).await;
    let mut world = World::new();
    world.channel(receiver.url("/")).await;
    let running = world.start();
    let mut alerts = vec![];
    for n in 0..10_000 {
        let monitor = world.monitor(&format!("monitor {n}"), None).await;
        alerts.push(world.flip(monitor, 1));
    }
    world.publish(&alerts).await;
    eventually("all are delivered", async || (receiver.count("/") >= 10_000).then_some(())).await;
    world.nothing_left().await;
    running.drain().await;
    assert_eq!(receiver.count("/"), 10_000);
    let mut ids: Vec<_> = receiver.received().iter().map(super::receiver::Received::id).collect();
    ids.sort_unstable();
    ids.dedup();
    assert_eq!(ids.len(), 10_000);
}

#[tokio::test]
async fn a_drain_lets_attempts_finish_and_gives_the_rest_back() {
    let receiver = Receiver::start(|_| Reply::after(Duration::from_millis(300))).await;
    let mut world = World::new();
    world.channel(receiver.url("/")).await;
    let running = world.start();
    for n in 0..40 {
        let monitor = world.monitor(&format!("monitor {n}"), None).await;
        world.publish(&[world.flip(monitor, 1)]).await;
    }
    eventually("attempts are in hand", async || (receiver.count("/") > 0).then_some(())).await;
    running.drain().await;
    let accepted = receiver.count("/");
    let finished: Vec<_> = world.all_deliveries().await;
    let delivered = finished.iter().filter(|one| one.state == DeliveryState::Delivered).count();
    assert_eq!(delivered, accepted, "what was sent is written down");
    assert!(accepted < 40, "the rest was not begun");

    receiver.behave(|_| Reply::status(200));
    let next = world.start();
    eventually("the next start carries the rest", async || {
        let all = world.all_deliveries().await;
        let delivered = all.iter().filter(|one| one.state == DeliveryState::Delivered).count();
        (delivered == 40).then_some(())
    })
    .await;
    next.drain().await;
    assert_eq!(receiver.count("/"), 40, "none is sent twice");
}

#[tokio::test]
async fn a_drain_does_not_wait_for_a_receiver_for_ever() {
    let receiver = Receiver::start(|_| Reply::after(Duration::from_secs(600))).await;
    let mut world = World::new();
    world.limits = crate::service::Limits {
        attempt: Duration::from_secs(600),
        drain: Duration::from_millis(100),
        ..world.limits
    };
    let channel = world.channel(receiver.url("/")).await;
    let monitor = world.monitor("backup", None).await;
    let running = world.start();
    let id = world.alert(monitor, 1, channel).await;
    eventually("an attempt is in hand", async || (receiver.count("/") == 1).then_some(())).await;
    tokio::time::timeout(Duration::from_secs(15), running.drain()).await.unwrap();
    world.delivery(id, DeliveryState::Pending, 0).await;
}
