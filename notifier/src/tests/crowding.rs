//! A channel that cannot take its deliveries stops no other.

use std::sync::Arc;
use std::time::Duration;

use doubles::{InMemoryQueue, eventually};
use model::delivery::DeliveryState;
use model::ids::DeliveryId;
use ports::queue::Standing;

use super::receiver::{Receiver, Reply};
use super::world::World;

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
