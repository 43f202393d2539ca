//! Whether a delivery that tells of others is on its way, or did arrive.

use model::delivery::DeliveryState;
use model::ids::DeliveryId;
use ports::history::HistoryError;
use ports::queue::{LaneId, QueueError, Standing};

use super::context::Context;

/// How many settled deliveries are remembered for those that were folded into them.
const SETTLED_KNOWN: usize = 1_024;

#[derive(Debug, thiserror::Error)]
pub(super) enum TellerError {
    #[error("use the delivery queue")]
    Queue(#[from] QueueError),
    #[error("use the delivery history")]
    History(#[from] HistoryError),
}

/// The first of these deliveries that the queue knows, or the history as delivered: the queue may have
/// forgotten it.
pub(super) async fn teller(
    context: &Context,
    lane: LaneId,
    tellers: &[DeliveryId],
) -> Result<Option<(DeliveryId, Standing)>, TellerError> {
    for teller in tellers {
        if context.settled.lock().contains(teller) {
            return Ok(Some((*teller, Standing::Settled)));
        }
        let standing = match context.deliveries.standing(lane, &[(*teller).into()]).await?.first() {
            Some(Some(standing)) => Some(*standing),
            Some(None) | None => {
                let known = context.history.get(*teller).await?;
                let is_told = known.is_some_and(|known| known.state == DeliveryState::Delivered);
                is_told.then_some(Standing::Settled)
            }
        };
        match standing {
            Some(Standing::Settled) => {
                let mut settled = context.settled.lock();
                if settled.len() >= SETTLED_KNOWN {
                    settled.clear();
                }
                settled.insert(*teller);
                return Ok(Some((*teller, Standing::Settled)));
            }
            Some(Standing::Open) => return Ok(Some((*teller, Standing::Open))),
            None => {}
        }
    }
    Ok(None)
}
