//! What messages tell besides their alert, from the stores to the receiver.

use std::future::pending;
use std::sync::Arc;

use async_trait::async_trait;
use bytes::Bytes;
use doubles::samples;
use model::delivery::DeliveryState;
use model::flip::{Alert, Flip, Reason};
use model::heartbeat::{Heartbeat, HeartbeatKind};
use model::ids::{DeliveryId, MonitorId};
use model::time::EventTime;
use ports::history::{HeartbeatEntry, History, HistoryBatch, HistoryError};
use serde_json::json;

use super::receiver::{Receiver, Reply};
use super::world::World;

const AT: EventTime = EventTime::from_secs(1_001);

/// A job reports its failure.
fn reported(monitor: MonitorId) -> Flip {
    let message = Some("disk full".to_owned());
    let flip = samples::flip(monitor, AT);
    Flip { reason: Reason::Reported, message, silent_for: None, deadline: None, ..flip }
}

/// The same with an output.
async fn fail(world: &World, monitor: MonitorId, output: &'static [u8]) -> Flip {
    let heartbeat = Heartbeat {
        monitor,
        received_at: AT,
        kind: HeartbeatKind::Down,
        message: None,
        value: None,
        source: None,
        output: Some(Bytes::from_static(output)),
        trace: None,
    };
    world.told.append(HistoryBatch { heartbeats: vec![heartbeat], ..HistoryBatch::default() }).await.unwrap();
    let flip = reported(monitor);
    world.publish(&[Alert::Flip(flip.clone())]).await;
    flip
}

#[tokio::test]
async fn a_webhook_tells_what_to_do_the_schedule_and_the_end_of_the_output() {
    let receiver = Receiver::start(|_| Reply::status(200)).await;
    let mut world = World::new();
    let channel = world.channel(receiver.url("/")).await;
    let monitor = world.monitor("backup", None).await;
    world.change_monitor(monitor, |monitor| monitor.description = "Ring Ann.\n".to_owned()).await;
    let running = world.start();
    let flip = fail(&world, monitor, b"\x1b[31mno space\x1b[0m left\n").await;
    world.delivery(DeliveryId::derive(flip.id, channel), DeliveryState::Delivered, 1).await;
    running.drain().await;
    let data = &receiver.received()[0].json()["data"];
    assert_eq!(data["description"], "Ring Ann.");
    assert_eq!(data["output"], "no space left");
    assert!(data["schedule"].as_str().unwrap().starts_with("every "), "{data}");
    assert_eq!((&data["message"], &data["monitor"]["name"]), (&json!("disk full"), &json!("backup")));
}

/// A history that never answers.
struct Stuck;

#[async_trait]
impl History for Stuck {
    async fn append(&self, _: HistoryBatch) -> Result<(), HistoryError> {
        pending().await
    }

    async fn heartbeats(
        &self,
        _: MonitorId,
        _: Option<EventTime>,
        _: usize,
    ) -> Result<Vec<HeartbeatEntry>, HistoryError> {
        pending().await
    }

    async fn newest(&self, _: &[MonitorId]) -> Result<Vec<Option<HeartbeatEntry>>, HistoryError> {
        pending().await
    }

    async fn output(&self, _: MonitorId, _: EventTime) -> Result<Option<Bytes>, HistoryError> {
        pending().await
    }

    async fn flips(&self, _: MonitorId, _: Option<EventTime>, _: usize) -> Result<Vec<Flip>, HistoryError> {
        pending().await
    }
}

#[tokio::test]
async fn an_alert_goes_out_without_the_output_if_the_history_does_not_answer() {
    let receiver = Receiver::start(|_| Reply::status(200)).await;
    let mut world = World::new();
    let channel = world.channel(receiver.url("/")).await;
    let monitor = world.monitor("backup", None).await;
    world.change_monitor(monitor, |monitor| monitor.description = "Ring Ann.".to_owned()).await;
    world.told = Arc::new(Stuck);
    let running = world.start();
    let flip = reported(monitor);
    world.publish(&[Alert::Flip(flip.clone())]).await;
    world.delivery(DeliveryId::derive(flip.id, channel), DeliveryState::Delivered, 1).await;
    running.drain().await;
    let data = &receiver.received()[0].json()["data"];
    assert_eq!((&data["description"], &data["output"]), (&json!("Ring Ann."), &json!(null)));
}
