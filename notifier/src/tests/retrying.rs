//! Attempts that a receiver does not accept.

use std::time::Duration;

use doubles::eventually;
use model::channel::{Channel, ChannelState, Secret, Webhook};
use model::delivery::{Delivery, DeliveryState};
use ports::clock::Clock;
use ports::registry::RecordKind;

use super::receiver::{Received, Receiver, Reply};
use super::world::World;

fn wait(delivery: &Delivery) -> Duration {
    let began = delivery.attempts.last().unwrap().at;
    delivery.next_attempt_at.unwrap().since(began)
}

#[tokio::test]
async fn attempts_follow_the_schedule_to_the_dead_letter_and_a_redrive_begins_anew() {
    let receiver = Receiver::start(|_| Reply { body: "busy".to_owned(), ..Reply::status(503) }).await;
    let mut world = World::new();
    let channel = world.channel(receiver.url("/")).await;
    let monitor = world.monitor("backup", None).await;
    let running = world.start();
    let id = world.alert(monitor, 1, channel).await;

    for (made, planned) in (1..).zip([5, 15, 40, 240, 600, 2_700, 7_200, 10_800, 21_600, 43_200_u64]) {
        let pending = world.delivery(id, DeliveryState::Pending, made).await;
        let waits = Duration::from_secs(planned).mul_f64(0.8)..=Duration::from_secs(planned).mul_f64(1.2);
        assert!(waits.contains(&wait(&pending)), "after attempt {made}: {:?}", wait(&pending));
        world.advance(pending.next_attempt_at.unwrap().since(world.clock.now())).await;
    }
    let dead = world.delivery(id, DeliveryState::Dead, 11).await;
    assert_eq!(dead.next_attempt_at, None);
    assert_eq!(dead.attempts[10].error.as_deref(), Some("answered 503 Service Unavailable"));
    assert_eq!(dead.attempts[10].answer.as_deref(), Some("busy"));
    world.nothing_left().await;

    receiver.behave(|_| Reply::status(202));
    assert!(world.redrive(id).await);
    world.delivery(id, DeliveryState::Delivered, 12).await;
    assert!(!world.redrive(id).await, "what is delivered is not sent again");
    running.drain().await;

    let received = receiver.received();
    assert_eq!(received.len(), 12);
    assert!(received.iter().all(|one| one.id() == id.to_string()));
    assert!(received.iter().all(|one| one.body == received[0].body), "the body stays");
    let timestamps: Vec<i64> =
        received.iter().map(|one| one.header("webhook-timestamp").parse().unwrap()).collect();
    assert!(timestamps.is_sorted() && timestamps[0] < timestamps[10], "the time is the attempt's");
}

#[tokio::test]
async fn retry_after_lengthens_a_wait_and_never_shortens_it() {
    let receiver = Receiver::start(|all| {
        let asked = ["60", "1", "999999"][all.len().clamp(1, 3) - 1];
        Reply { headers: vec![("retry-after", asked.to_owned())], ..Reply::status(429) }
    })
    .await;
    let mut world = World::new();
    let channel = world.channel(receiver.url("/")).await;
    let monitor = world.monitor("backup", None).await;
    let running = world.start();
    let id = world.alert(monitor, 1, channel).await;
    for (made, expected) in [(1, 60..=60), (2, 12..=18), (3, 3_600..=3_600)] {
        let pending = world.delivery(id, DeliveryState::Pending, made).await;
        assert!(expected.contains(&wait(&pending).as_secs()), "after attempt {made}: {:?}", wait(&pending));
        world.advance(wait(&pending)).await;
    }
    running.drain().await;
}

#[tokio::test]
async fn gone_disables_the_channel_and_nothing_more_is_sent_to_it() {
    let receiver = Receiver::start(|all| match all.last() {
        Some(one) if one.path == "/gone" => Reply::status(410),
        _ => Reply::status(200),
    })
    .await;
    let mut world = World::new();
    let gone = world.channel(receiver.url("/gone")).await;
    let fine = world.channel(receiver.url("/fine")).await;
    let monitor = world.monitor("backup", None).await;
    let running = world.start();
    let first = world.alert(monitor, 1, gone).await;
    let second = world.alert(monitor, 2, gone).await;
    let dead = world.delivery(first, DeliveryState::Dead, 1).await;
    assert_eq!(dead.attempts[0].status, Some(410));
    let dead = world.delivery(second, DeliveryState::Dead, 1).await;
    assert_eq!(dead.attempts[0].error.as_deref(), Some("the channel is disabled"));
    let channel = world.channel_now(gone).await;
    assert_eq!(channel.state, ChannelState::Disabled);
    assert_eq!(channel.state_detail.as_deref(), Some("answered 410 Gone; the channel is disabled"));

    let third = world.alert(monitor, 3, fine).await;
    world.delivery(third, DeliveryState::Delivered, 1).await;
    world.nothing_left().await;
    assert_eq!(receiver.count("/gone"), 1);
    let told = receiver.received();
    let mut types: Vec<String> = told.iter().filter(|one| one.path == "/fine").map(Received::kind).collect();
    types.sort_unstable();
    assert_eq!(types, ["channel.failing", "monitor.down", "monitor.down", "monitor.up"]);
    let notice = told.iter().find(|one| one.kind() == "channel.failing").expect("a notice").json();
    assert_eq!(notice["data"]["channel"]["id"], gone.to_string());
    assert_eq!(notice["data"]["disabled"], true);
    assert_eq!(world.channel_now(fine).await.state, ChannelState::Ok);

    // Enabled again, its dead letters can be sent.
    receiver.behave(|_| Reply::status(200));
    change(&world, &channel, |channel| channel.state = ChannelState::Ok).await;
    assert!(world.redrive(second).await);
    world.delivery(second, DeliveryState::Delivered, 2).await;
    running.drain().await;
}

async fn change(world: &World, channel: &Channel, how: impl FnOnce(&mut Channel)) {
    let key = ports::registry::RecordKey::new(RecordKind::Channel, channel.id);
    let revision = world.registry.get(&key).await.unwrap().unwrap().revision;
    let mut channel = channel.clone();
    how(&mut channel);
    let expected = ports::registry::Expected::At(revision);
    world.registry.put(&key, expected, model::wire::encode(&channel)).await.unwrap();
}

#[tokio::test]
async fn what_waits_for_a_deleted_channel_is_dead() {
    let receiver = Receiver::start(|_| Reply::status(500)).await;
    let mut world = World::new();
    let channel = world.channel(receiver.url("/")).await;
    let monitor = world.monitor("backup", None).await;
    let running = world.start();
    let id = world.alert(monitor, 1, channel).await;
    world.delivery(id, DeliveryState::Pending, 1).await;
    world.delete(RecordKind::Channel, channel).await;
    world.advance(Duration::from_secs(6)).await;
    let dead = world.delivery(id, DeliveryState::Dead, 2).await;
    assert_eq!(dead.attempts[1].error.as_deref(), Some("the channel was deleted"));
    world.nothing_left().await;
    assert!(!world.redrive(id).await);
    running.drain().await;
    assert_eq!(receiver.received().len(), 1);
}

#[tokio::test]
async fn a_channel_is_shown_as_failing_while_it_fails() {
    let receiver = Receiver::start(|all| Reply::status(if all.len() <= 3 { 500 } else { 200 })).await;
    let mut world = World::new();
    let channel = world.channel(receiver.url("/")).await;
    let monitor = world.monitor("backup", None).await;
    let running = world.start();
    let id = world.alert(monitor, 1, channel).await;
    for made in 1..=3 {
        let pending = world.delivery(id, DeliveryState::Pending, made).await;
        let expected = if made < 3 { ChannelState::Ok } else { ChannelState::Failing };
        eventually("the channel's state", async || {
            (world.channel_now(channel).await.state == expected).then_some(())
        })
        .await;
        world.advance(wait(&pending)).await;
    }
    world.delivery(id, DeliveryState::Delivered, 4).await;
    let healed = eventually("the channel works", async || {
        Some(world.channel_now(channel).await).filter(|channel| channel.state == ChannelState::Ok)
    })
    .await;
    assert_eq!(healed.state_detail, None);
    running.drain().await;
}

#[tokio::test]
async fn every_other_answer_is_retried_and_said_in_words() {
    let receiver = Receiver::start(|all| match all.last().map(|one| one.path.as_str()) {
        Some("/302") => Reply { headers: vec![("location", "/elsewhere".to_owned())], ..Reply::status(302) },
        Some("/404") => Reply::status(404),
        Some("/slow") => Reply::after(Duration::from_secs(60)),
        _ => Reply::status(200),
    })
    .await;
    let mut world = World::new();
    world.limits.attempt = Duration::from_millis(300);
    let closed = std::net::TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap();
    let running = world.start();
    for (n, (url, error)) in [
        (receiver.url("/302"), "answered 302 Found; redirects are not followed"),
        (receiver.url("/404"), "answered 404 Not Found"),
        (receiver.url("/slow"), "no answer within 0.3 s"),
        (format!("http://{closed}/"), "failed to connect: Connection refused"),
        ("http://".to_owned(), "the channel's URL cannot be read: empty host"),
    ]
    .into_iter()
    .enumerate()
    {
        let channel = world.channel_with(url, |channel| channel.default = false).await;
        let monitor = world.monitor(&format!("monitor {n}"), Some(vec![channel])).await;
        let id = world.alert(monitor, 1, channel).await;
        let pending = world.delivery(id, DeliveryState::Pending, 1).await;
        let found = pending.attempts[0].error.clone().unwrap();
        assert!(found.starts_with(error), "{found}");
        assert!(!found.contains("http://"), "the URL may be secret: {found}");
    }
    running.drain().await;
    assert_eq!(receiver.count("/elsewhere"), 0);
}

#[tokio::test]
async fn a_channel_with_a_bad_secret_or_header_can_be_put_right() {
    let receiver = Receiver::start(|_| Reply::status(200)).await;
    let mut world = World::new();
    let channel = world
        .channel_with(receiver.url("/"), |channel| {
            let Webhook { secret, headers, .. } = World::webhook(channel);
            *secret = Secret::new("whsec_%%%".to_owned());
            headers.insert("bad name".to_owned(), Secret::new("x".to_owned()));
        })
        .await;
    let monitor = world.monitor("backup", None).await;
    let running = world.start();
    let id = world.alert(monitor, 1, channel).await;
    let pending = world.delivery(id, DeliveryState::Pending, 1).await;
    assert_eq!(pending.attempts[0].error.as_deref(), Some("the channel's secret is not `whsec_` and base64"));
    let bad = world.channel_now(channel).await;
    let secret_of = |channel: &mut Channel| {
        World::webhook(channel).secret = Secret::new(super::world::SECRET.to_owned());
    };
    change(&world, &bad, secret_of).await;
    world.advance(wait(&pending)).await;
    let pending = world.delivery(id, DeliveryState::Pending, 2).await;
    assert_eq!(pending.attempts[1].error.as_deref(), Some("the channel's header `bad name` cannot be sent"));
    change(&world, &bad, |channel| {
        secret_of(channel);
        World::webhook(channel).headers.clear();
    })
    .await;
    world.advance(wait(&pending)).await;
    world.delivery(id, DeliveryState::Delivered, 3).await;
    running.drain().await;
}
