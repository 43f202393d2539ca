//! Tests a channel: one real delivery, waited for.

use std::time::Duration;

use model::delivery::{Delivery, DeliveryState};
use model::flip::Alert;
use model::ids::{AlertId, ChannelId, DeliveryId};
use model::wire;
use ports::queue::QueueMessage;
use uuid::Uuid;

use crate::app::App;
use crate::refusal::Refusal;

/// An attempt may take 15 s.
const WAIT: Duration = Duration::from_secs(20);
const LOOK_EVERY: Duration = Duration::from_millis(100);

impl App {
    /// Sends a test to a channel, also to one that is disabled, and waits until its delivery is over, at most
    /// 20 s. `None`: it was not over by then.
    ///
    /// # Errors
    /// There is no such channel, the server is stopping, or the registry, the queue or the delivery history
    /// cannot be reached.
    pub async fn test_channel(&self, id: ChannelId) -> Result<Option<Delivery>, Refusal> {
        let channel = self.channels().load(id).await?.value.id;
        let alert = self.enqueue_test(channel).await?;
        let delivery = DeliveryId::derive(alert, channel);
        tokio::select! {
            outcome = tokio::time::timeout(WAIT, self.settled(delivery)) => outcome.ok().transpose(),
            () = self.stopping.cancelled() => Err(Refusal::unavailable("the server is stopping")),
        }
    }

    async fn enqueue_test(&self, channel: ChannelId) -> Result<AlertId, Refusal> {
        let id = AlertId::from_uuid(Uuid::new_v4());
        let at = self.ports.clock.now();
        let message = QueueMessage {
            id: id.into(),
            lane: channel.into(),
            order_key: id.into(),
            due_at: at,
            origin: None,
            body: wire::encode(&Alert::Test { id, channel, at }),
        };
        self.ports.alert_queue.enqueue(vec![message]).await?;
        Ok(id)
    }

    async fn settled(&self, id: DeliveryId) -> Result<Delivery, Refusal> {
        loop {
            match self.ports.deliveries.get(id).await? {
                Some(delivery) if delivery.state != DeliveryState::Pending => return Ok(delivery),
                Some(_) | None => tokio::time::sleep(LOOK_EVERY).await,
            }
        }
    }
}
