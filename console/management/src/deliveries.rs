//! What is done to deliveries.

use model::delivery::{Delivery, DeliveryMessage, DeliveryState, DeliveryTask};
use model::ids::DeliveryId;
use model::wire;

use crate::app::App;
use crate::refusal::Refusal;

impl App {
    /// A delivery that must be there.
    ///
    /// # Errors
    /// There is none, or the delivery history cannot be reached.
    pub async fn delivery(&self, id: DeliveryId) -> Result<Delivery, Refusal> {
        self.ports.deliveries.get(id).await?.ok_or_else(|| Refusal::not_found("delivery"))
    }

    /// Sends a dead letter again, from the first attempt on. Answers the delivery, which is pending then.
    ///
    /// # Errors
    /// There is no such delivery, it is not dead or can never be delivered, or the delivery history or the
    /// queue cannot be reached.
    pub async fn redrive(&self, id: DeliveryId) -> Result<Delivery, Refusal> {
        let dead = self.delivery(id).await?;
        if dead.state != DeliveryState::Dead {
            let detail = format!("it is {}; only a dead delivery is sent again", dead.state.as_str());
            return Err(Refusal::conflict(detail));
        }
        let now = self.ports.clock.now();
        let redriven = dead.redriven(now);
        // In this order an attempt that is made at once is not overwritten.
        self.ports.deliveries.put(vec![redriven.clone()]).await?;
        let body = wire::encode(&DeliveryMessage::from(DeliveryTask::again(&redriven)));
        match self.ports.delivery_queue.revive(dead.id.into(), now, body).await {
            Ok(true) => Ok(redriven),
            Ok(false) => {
                self.ports.deliveries.put(vec![dead]).await?;
                Err(Refusal::conflict("it cannot be sent again: its channel is gone, or it was a test"))
            }
            Err(error) => {
                self.ports.deliveries.put(vec![dead]).await?;
                Err(error.into())
            }
        }
    }
}
