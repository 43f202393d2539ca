//! A channel that its owner disables where no notifier runs.

use model::channel::{Channel, ChannelState};
use model::ids::ChannelId;
use model::time::EventTime;
use model::wire::{self, WireError};
use ports::queue::{Queue, QueueError};
use ports::registry::{Expected, RecordKey, RecordKind, Registry, RegistryError};

use crate::trouble::{to_itself, told_of};

/// Why it shows as disabled.
const BY_HAND: &str = "disabled by hand while Lubdub did not run";

/// Why a channel could not be disabled.
#[derive(Debug, thiserror::Error)]
pub enum DisableError {
    /// There is no such channel.
    #[error("there is no such channel")]
    NotFound,
    /// The channel is of another Lubdub, or damaged.
    #[error("read the channel")]
    Unreadable(#[source] WireError),
    /// The registry cannot be used.
    #[error("write the channel down")]
    Registry(#[from] RegistryError),
    /// The queue cannot be used.
    #[error("use the delivery queue")]
    Queue(#[from] QueueError),
}

/// What was done to a channel.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Disabled {
    /// It is disabled, and hears of what it missed when it is enabled again.
    Done,
    /// It is disabled, and will not hear of what it missed: the queue has no room for the message to itself.
    Forgetful,
    /// It was disabled before.
    Before,
}

/// Disables a channel as a notifier does whose receiver wants no more messages (I14). Its other deliveries
/// and channels stay as they are, and nobody is told. `now` is the current time. No notifier may run.
///
/// # Errors
/// [`DisableError`]; nothing was changed then.
pub async fn disable(
    registry: &dyn Registry,
    deliveries: &dyn Queue,
    id: ChannelId,
    now: EventTime,
) -> Result<Disabled, DisableError> {
    let key = RecordKey::new(RecordKind::Channel, id);
    let record = registry.get(&key).await?.ok_or(DisableError::NotFound)?;
    let channel: Channel = wire::decode(&record.value).map_err(DisableError::Unreadable)?;
    if channel.state == ChannelState::Disabled {
        return Ok(Disabled::Before);
    }
    let detail = Some(BY_HAND.to_owned());
    let channel = Channel { state: ChannelState::Disabled, state_detail: detail, ..channel };
    let (_, notice) = told_of(&channel, now);
    // Before the channel is disabled: if we die in between, the message finds a channel that misses nothing.
    let done = match deliveries.enqueue(vec![to_itself(id, &notice, now)]).await {
        Ok(()) => Disabled::Done,
        Err(QueueError::Full) => Disabled::Forgetful,
        Err(error @ QueueError::Unavailable(_)) => return Err(error.into()),
    };
    registry.put(&key, Expected::At(record.revision), wire::encode(&channel)).await?;
    Ok(done)
}
