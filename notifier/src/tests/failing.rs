//! Channels that do not work, and who hears of it.

use std::time::Duration;

use doubles::eventually;
use model::channel::ChannelState;
use model::delivery::DeliveryState;
use model::ids::DeliveryId;
use ports::clock::Clock;

use super::receiver::{Receiver, Reply};
use super::world::World;

#[tokio::test]
async fn a_refused_delivery_is_attempted_three_times_and_the_channel_is_failing() {
    let receiver = Receiver::start(|all| match all.last() {
        Some(one) if one.path == "/broken" => Reply::status(404),
        _ => Reply::status(200),
    })
    .await;
    let mut world = World::new();
    let broken = world.channel(receiver.url("/broken")).await;
    world.channel(receiver.url("/fine")).await;
    let monitor = world.monitor("backup", None).await;
    let running = world.start();
    let id = world.alert(monitor, 1, broken).await;
    for attempts in 1..=2 {
        world.delivery(id, DeliveryState::Pending, attempts).await;
        world.advance(Duration::from_secs(30)).await;
    }
    let dead = world.delivery(id, DeliveryState::Dead, 3).await;
    assert_eq!(dead.attempts[2].error.as_deref(), Some("answered 404 Not Found"));
    let since = eventually("it is failing", async || {
        let channel = world.channel_now(broken).await;
        (channel.state == ChannelState::Failing).then_some(channel.failing_since).flatten()
    })
    .await;
    // The owner hears of it over the other channel, once.
    let notices =
        || receiver.received().into_iter().filter(|one| one.kind() == "channel.failing").collect::<Vec<_>>();
    eventually("a notice", async || (!notices().is_empty()).then_some(())).await;
    assert_eq!(notices()[0].path, "/fine");
    assert_eq!(notices()[0].json()["data"]["channel"]["id"], broken.to_string());

    // The failing state lasts over a restart. After five days of it the channel is disabled.
    running.drain().await;
    let running = world.start();
    world.advance(Duration::from_secs(5 * 24 * 3_600)).await;
    assert!(world.clock.now().since(since) >= Duration::from_secs(5 * 24 * 3_600));
    let second = world.alert(monitor, 2, broken).await;
    for attempts in 1..=2 {
        world.delivery(second, DeliveryState::Pending, attempts).await;
        world.advance(Duration::from_secs(30)).await;
    }
    eventually("it is disabled", async || {
        let channel = world.channel_now(broken).await;
        let detail = channel.state_detail.unwrap_or_default();
        (channel.state == ChannelState::Disabled && detail.starts_with("failing for 5 days: ")).then_some(())
    })
    .await;
    eventually("a second notice", async || (notices().len() == 2).then_some(())).await;
    assert_eq!(notices()[1].json()["data"]["disabled"], true);

    // A test that is accepted enables it.
    receiver.behave(|_| Reply::status(200));
    world.test(broken).await;
    eventually("it works again", async || {
        let channel = world.channel_now(broken).await;
        (channel.state == ChannelState::Ok && channel.failing_since.is_none()).then_some(())
    })
    .await;
    running.drain().await;
}

#[tokio::test]
async fn a_test_that_fails_says_nothing_of_the_channel() {
    let receiver = Receiver::start(|_| Reply::status(404)).await;
    let mut world = World::new();
    let channel = world.channel(receiver.url("/")).await;
    let running = world.start();
    for _ in 0..5 {
        let id = world.test(channel).await;
        world.delivery(id, DeliveryState::Dead, 1).await;
    }
    running.drain().await;
    assert_eq!(world.channel_now(channel).await.state, ChannelState::Ok);
}

#[tokio::test]
async fn each_flip_has_a_delivery_that_says_that_its_channel_was_disabled() {
    let receiver = Receiver::start(|_| Reply::status(200)).await;
    let mut world = World::new();
    let fine = world.channel(receiver.url("/fine")).await;
    let disabled =
        world.channel_with(receiver.url("/gone"), |channel| channel.state = ChannelState::Disabled).await;
    let monitor = world.monitor("backup", None).await;
    let running = world.start();
    for sequence in 1..=2 {
        let told = world.alert(monitor, sequence, fine).await;
        world.delivery(told, DeliveryState::Delivered, 1).await;
        let untold = DeliveryId::derive(world.flip(monitor, sequence).id(), disabled);
        let record = world.delivery(untold, DeliveryState::Suppressed, 0).await;
        assert_eq!(record.note.as_deref(), Some("the channel was disabled"));
    }
    world.nothing_left().await;
    running.drain().await;
    assert!(receiver.received().iter().all(|one| one.path == "/fine"));
}
