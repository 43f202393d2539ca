//! A channel that cannot take its deliveries stops no other.

use std::collections::{HashMap, HashSet};
use std::sync::Arc;
use std::time::Duration;

use doubles::{InMemoryQueue, eventually};
use model::delivery::{Delivery, DeliveryMessage, DeliveryState, DeliveryTask};
use model::flip::{Alert, Flip, State};
use model::ids::{AlertId, ChannelId, DeliveryId, MonitorId};
use model::notice::{ChannelFailing, Notice};
use model::time::EventTime;
use model::wire;
use ports::clock::Clock;
use ports::queue::{QueueMessage, Standing};

use super::receiver::{Receiver, Reply};
use super::world::World;
use crate::delivery::surplus::{NO_ROOM, is_given_up};

impl World {
    /// A world whose delivery queue has little room.
    fn small(capacity: usize) -> Self {
        Self { deliveries: Arc::new(InMemoryQueue::new(capacity)), ..Self::new() }
    }

    async fn held(&self, channel: ChannelId) -> usize {
        let loads = self.deliveries.crowded().await.unwrap();
        loads.iter().find(|load| load.lane == channel.into()).map_or(0, |load| load.held)
    }

    /// All deliveries to a channel that tell of a flip.
    async fn of_flips(&self, channel: ChannelId) -> Vec<Delivery> {
        let mut all = self.all_deliveries().await;
        all.retain(|one| one.channel == channel && one.notice.flip().is_some());
        all
    }

    /// Lets time pass until a channel got everything that it is to get.
    async fn catches_up(&self, channel: ChannelId) {
        eventually("the channel has caught up", async || {
            self.advance(Duration::from_secs(3_600)).await;
            tokio::time::sleep(Duration::from_millis(20)).await;
            let idle = self.deliveries.lanes(EventTime::from_micros(i64::MAX)).await.unwrap();
            let pending = self.of_flips(channel).await.iter().any(|one| one.state == DeliveryState::Pending);
            (!idle.contains(&channel.into()) && !pending).then_some(())
        })
        .await;
    }
}

/// What a receiver of plain webhooks got, by monitor: the flips' numbers, in their order.
fn told(receiver: &Receiver, since: usize) -> HashMap<String, Vec<u64>> {
    let mut told: HashMap<String, Vec<u64>> = HashMap::new();
    for one in receiver.received().into_iter().skip(since) {
        if let Some(sequence) = one.json()["data"]["flip"]["sequence"].as_u64() {
            told.entry(one.monitor()).or_default().push(sequence);
        }
    }
    told
}

/// Whether a delivery says what became of it.
fn is_accounted_for(one: &Delivery) -> bool {
    match one.state {
        DeliveryState::Pending | DeliveryState::Delivered | DeliveryState::Dead => true,
        DeliveryState::Folded => one.folded_into.is_some(),
        DeliveryState::Suppressed => one.note.as_deref() == Some(NO_ROOM),
    }
}

/// Flips all monitors in turn, from up to down and back; `rounds` times each.
async fn flap(world: &World, monitors: &[MonitorId], rounds: u64, mut after_each: impl AsyncFnMut(u64)) {
    let mut since: HashMap<MonitorId, EventTime> = HashMap::new();
    for sequence in 1..=rounds {
        world.advance(Duration::from_millis(10)).await;
        for monitor in monitors {
            let flip = world.happen(*monitor, sequence, since.remove(monitor)).await;
            if flip.to == State::Down {
                since.insert(*monitor, flip.at);
            }
        }
        after_each(sequence).await;
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn monitors_that_flap_on_a_dead_webhook_stop_no_other_channel() {
    let (dead, fine) =
        (Receiver::start(|_| Reply::status(500)).await, Receiver::start(|_| Reply::status(200)).await);
    let mut world = World::small(200);
    let dead_channel = world.channel(dead.url("/")).await;
    let fine_channel = world.channel(fine.url("/")).await;
    let mut monitors = Vec::new();
    for n in 0..12 {
        monitors.push(world.monitor(&format!("monitor {n}"), None).await);
    }
    let running = world.start();
    flap(&world, &monitors, 61, async |sequence| {
        let all = usize::try_from(sequence).unwrap() * 12;
        eventually("the other channel hears of each flip at once", async || {
            let heard: usize = told(&fine, 0).values().map(Vec::len).sum();
            (heard == all).then_some(())
        })
        .await;
    })
    .await;
    eventually("the dead channel holds its share at most", async || {
        (world.held(dead_channel).await <= 50).then_some(())
    })
    .await;
    let records = world.of_flips(dead_channel).await;
    assert_eq!(records.len(), 12 * 61, "each flip has a delivery");
    assert!(records.iter().all(is_accounted_for));
    assert!(records.iter().filter(|one| is_given_up(one)).count() > 12 * 30);
    dead.behave(|_| Reply::status(200));
    let before = dead.received().len();
    world.catches_up(dead_channel).await;
    running.drain().await;
    let told = told(&dead, before);
    assert_eq!(told.len(), 12);
    for (monitor, numbers) in told {
        assert!(numbers.is_sorted(), "{monitor}: {numbers:?}");
        assert_eq!(numbers.last(), Some(&61), "{monitor} is down still");
        // Odd ones go down: each told failure but the last is followed by its recovery.
        for pair in numbers.chunks(2) {
            assert!(pair.len() == 1 || pair[1] == pair[0] + 1, "{monitor}: {numbers:?}");
        }
    }
    assert!(world.of_flips(fine_channel).await.iter().all(|one| one.state == DeliveryState::Delivered));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_dead_channel_that_is_well_again_hears_of_what_is_down_still() {
    let (dead, fine) =
        (Receiver::start(|_| Reply::status(500)).await, Receiver::start(|_| Reply::status(200)).await);
    let mut world = World::small(40);
    let channel = world.channel(dead.url("/")).await;
    world.channel(fine.url("/")).await;
    let running = world.start();
    let mut downs = Vec::new();
    for n in 0..60 {
        let monitor = world.monitor(&format!("monitor {n}"), None).await;
        downs.push(world.happen(monitor, 1, None).await);
        eventually("the other channel hears of it at once", async || {
            (told(&fine, 0).len() == n + 1).then_some(())
        })
        .await;
    }
    let given_up = |records: &[Delivery]| records.iter().filter(|one| is_given_up(one)).count();
    eventually("most are given up", async || {
        let (records, held) = (world.of_flips(channel).await, world.held(channel).await);
        (given_up(&records) >= 45 && held <= 13).then_some(())
    })
    .await;
    // Half of them recover while the channel is dead.
    world.advance(Duration::from_millis(10)).await;
    for (n, down) in downs[..30].iter().enumerate() {
        world.happen(down.monitor, 2, Some(down.at)).await;
        eventually("the other channel hears of the recovery", async || {
            let heard: usize = told(&fine, 0).values().map(Vec::len).sum();
            (heard == 61 + n).then_some(())
        })
        .await;
    }
    dead.behave(|_| Reply::status(200));
    let before = dead.received().len();
    world.catches_up(channel).await;
    running.drain().await;
    let told = told(&dead, before);
    for (n, down) in downs.iter().enumerate() {
        let numbers = told.get(&format!("monitor {n}")).cloned().unwrap_or_default();
        if n >= 30 {
            assert_eq!(numbers, [1], "monitor {n} is down still");
            let id = DeliveryId::derive(down.id, channel);
            let record = world.history.get(id).await.unwrap().unwrap();
            assert_eq!((record.state, record.note), (DeliveryState::Delivered, None));
        } else {
            assert!(numbers.is_empty() || numbers == [1, 2], "monitor {n} was down: {numbers:?}");
        }
    }
    let records = world.of_flips(channel).await;
    assert_eq!(records.len(), 90);
    assert!(records.iter().all(|one| is_accounted_for(one) && one.state != DeliveryState::Pending));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn many_monitors_down_and_up_on_three_channels_stop_no_fourth() {
    let receiver = Receiver::start(|_| Reply::status(500)).await;
    let fine = Receiver::start(|_| Reply::status(200)).await;
    let mut world = World::small(90);
    let mut channels = Vec::new();
    for n in 0..3 {
        let other = |channel: &mut model::channel::Channel| channel.default = false;
        channels.push(world.channel_with(receiver.url(&format!("/{n}")), other).await);
    }
    let fourth = world.channel_with(fine.url("/"), |channel| channel.default = false).await;
    let mut monitors = Vec::new();
    for n in 0..300 {
        monitors.push(world.monitor(&format!("monitor {n}"), Some(channels.clone())).await);
    }
    let alone = world.monitor("alone", Some(vec![fourth])).await;
    let running = world.start();
    flap(&world, &monitors, 2, async |sequence| {
        // Behind all of them.
        let flip = world.happen(alone, sequence, None).await;
        world.delivery(DeliveryId::derive(flip.id, fourth), DeliveryState::Delivered, 1).await;
    })
    .await;
    for channel in &channels {
        eventually("each channel holds its share at most", async || {
            (world.held(*channel).await <= 22).then_some(())
        })
        .await;
        let records = world.of_flips(*channel).await;
        assert_eq!(records.len(), 600);
        assert!(records.iter().all(is_accounted_for));
    }
    running.drain().await;
}

#[tokio::test]
async fn what_was_given_up_can_be_told_though_its_notifier_died_over_it() {
    let receiver = Receiver::start(|_| Reply::status(200)).await;
    let mut world = World::small(100);
    let channel = world.channel(receiver.url("/")).await;
    let monitor = world.monitor("backup", None).await;
    let down = world.flip_now(monitor, 1, None);
    world.commit(&down).await;
    let id = DeliveryId::derive(down.id, channel);
    let task = DeliveryTask {
        id,
        notice: Alert::Flip(down).into(),
        channel,
        created_at: world.clock.now(),
        monitor: None,
        redriven: false,
        attempts: 0,
        sent_to: vec![],
        at_desk: false,
        folded_into: None,
    };
    // Its record is written, and its message still in the queue.
    let note = Some(NO_ROOM.to_owned());
    let record = Delivery { state: DeliveryState::Suppressed, note, ..task.pending(world.clock.now()) };
    world.history.put(vec![record]).await.unwrap();
    let message = |task: DeliveryTask| QueueMessage {
        id: task.id.into(),
        lane: channel.into(),
        order_key: task.id.into(),
        due_at: task.created_at,
        origin: None,
        body: wire::encode(&DeliveryMessage::from(task)),
    };
    world.deliveries.enqueue(vec![message(task.clone())]).await.unwrap();
    let running = world.start();
    eventually("the message is taken out", async || {
        let standing = world.deliveries.standing(channel.into(), &[id.into()]).await.unwrap();
        (standing == [None]).then_some(())
    })
    .await;
    // The message of the channel to itself.
    let failing = ChannelFailing {
        id: AlertId::of_channel(channel, "no room"),
        channel,
        name: String::new(),
        since: world.clock.now(),
        disabled: false,
        detail: String::new(),
    };
    let to_itself = DeliveryTask {
        id: DeliveryId::derive(failing.id, channel),
        notice: Notice::ChannelFailing(Box::new(failing)),
        ..task
    };
    world.deliveries.enqueue(vec![message(to_itself)]).await.unwrap();
    world.delivery(id, DeliveryState::Delivered, 1).await;
    running.drain().await;
    assert_eq!(receiver.received().len(), 1);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_is_folded_is_told_though_its_message_was_taken_out() {
    let receiver = Receiver::start(|_| Reply::status(500)).await;
    let mut world = World::small(40);
    let channel =
        world.channel_with(receiver.url("/"), |channel| World::webhook(channel).digest = true).await;
    let running = world.start();
    let mut flips: Vec<Flip> = Vec::new();
    for n in 0..60 {
        let monitor = world.monitor(&format!("monitor {n}"), None).await;
        flips.push(world.happen(monitor, 1, None).await);
        let id = DeliveryId::derive(flips[n].id, channel);
        eventually("the desk has decided", async || {
            let found = world.history.get(id).await.unwrap()?;
            (found.state == DeliveryState::Folded || found.attempts.len() == 1).then_some(())
        })
        .await;
    }
    eventually("messages are taken out", async || (world.held(channel).await <= 13).then_some(())).await;
    let folded = async |world: &World| {
        let records = world.of_flips(channel).await;
        assert!(!records.iter().any(is_given_up), "nothing is given up");
        records.iter().filter(|one| one.state == DeliveryState::Folded).count()
    };
    assert!(folded(&world).await >= 50);
    running.drain().await;
    receiver.behave(|_| Reply::status(200));
    let before = receiver.received().len();
    // A desk that is read anew must not take for told what the queue does not know.
    let running = world.start();
    eventually("all that was folded is told", async || {
        world.advance(Duration::from_secs(40)).await;
        tokio::time::sleep(Duration::from_millis(20)).await;
        let mut told = HashSet::new();
        for one in receiver.received().iter().skip(before) {
            told.insert(one.monitor());
            let flips = one.json()["data"]["flips"].as_array().cloned().unwrap_or_default();
            told.extend(flips.iter().filter_map(|flip| Some(flip["monitor"]["name"].as_str()?.to_owned())));
        }
        told.remove("");
        (told.len() == 60).then_some(())
    })
    .await;
    running.drain().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_is_folded_does_not_wait_for_a_message_that_the_queue_forgot() {
    let receiver = Receiver::start(|_| Reply::status(200)).await;
    let mut world = World { deliveries: Arc::new(InMemoryQueue::with_memory(1_000, 0)), ..World::new() };
    let channel =
        world.channel_with(receiver.url("/"), |channel| World::webhook(channel).digest = true).await;
    let running = world.start();
    let mut ids = Vec::new();
    for n in 0..12 {
        let monitor = world.monitor(&format!("monitor {n}"), None).await;
        let flip = world.happen(monitor, 1, None).await;
        ids.push(DeliveryId::derive(flip.id, channel));
        eventually("the desk has decided", async || {
            let found = world.history.get(ids[n]).await.unwrap()?;
            (found.state != DeliveryState::Pending).then_some(())
        })
        .await;
    }
    let lane = channel.into();
    let waits = async |id: DeliveryId| {
        let standing = world.deliveries.standing(lane, &[id.into()]).await.unwrap();
        standing == [Some(Standing::Open)]
    };
    assert!(waits(ids[11]).await, "it is folded, and waits for the digest");
    world.advance(Duration::from_secs(31)).await;
    eventually("the digest is told", async || (receiver.received().len() == 6).then_some(())).await;
    world.advance(Duration::from_secs(3_600)).await;
    for id in ids {
        eventually("nothing waits any more", async || (!waits(id).await).then_some(())).await;
    }
    running.drain().await;
    assert_eq!(receiver.received().len(), 6, "and nothing is told twice");
}
