//! A channel that was disabled and is enabled again hears of what is down.
//!
//! Before a channel is disabled, a message to itself is put into its lane (see [`crate::trouble`]). The
//! message waits there as long as the channel is disabled, so neither the death of a notifier nor an owner
//! who enables the channel while no notifier runs loses it. Then the deliveries that the channel did not get
//! are looked through: those of incidents that go on are carried as if they came now.

use std::collections::HashMap;
use std::time::Duration;

use model::channel::{Channel, ChannelState};
use model::delivery::{Delivery, DeliveryMessage, DeliveryState, DeliveryTask};
use model::flip::{Alert, Flip, State};
use model::ids::{DeliveryId, MonitorId, PartitionId};
use model::notice::Notice;
use model::time::EventTime;
use model::wire;
use ports::history::{DeliveryFilter, HistoryError};
use ports::queue::{Claim, QueueError, QueueMessage};
use ports::state_store::StateError;

use super::context::Context;
use super::settled::Settled;
use crate::desk::keeper::Manner;
use crate::fanout::CHANNEL_DISABLED;
use crate::health::Part;

/// How often it is looked whether a channel is enabled again.
const LOOK_EVERY: Duration = Duration::from_secs(30);

/// The wait after something could not be reached.
const RETRY_AFTER: Duration = Duration::from_secs(1);

/// The number of deliveries that are looked at together.
const PAGE: usize = 256;

#[derive(Debug, thiserror::Error)]
enum CatchUpError {
    #[error("look through the deliveries of a channel")]
    History(#[from] HistoryError),
    #[error("look up what is down")]
    States(#[from] StateError),
    #[error("use the delivery queue")]
    Queue(#[from] QueueError),
}

/// Whether the task is the message of a disabled channel to itself.
pub(super) fn is_for_later(task: &DeliveryTask) -> bool {
    matches!(&task.notice, Notice::ChannelFailing(failing) if failing.channel == task.channel)
}

/// Tells the channel of what is down, if it is enabled; else asks again later.
pub(super) async fn catch_up(context: &Context, claim: Claim, channel: Option<&Channel>) -> Settled {
    let now = context.clock.now();
    let again = |claim: Claim, wait| Settled::put_back(claim.id, claim.lane, claim.body, now + wait);
    match channel {
        None => Settled::done(claim.id, claim.lane),
        Some(channel) if channel.state == ChannelState::Disabled => again(claim, LOOK_EVERY),
        Some(channel) => match tell(context, channel, now).await {
            Ok(told) => {
                tracing::info!(channel.id = %channel.id, told, "told a channel that was disabled of what is down");
                Settled::done(claim.id, claim.lane)
            }
            Err(error) => {
                context.health.trouble(Part::Attempts, &error);
                again(claim, RETRY_AFTER)
            }
        },
    }
}

/// Carries what the channel did not get and is still so. Answers how many deliveries that are. It can be done
/// again.
async fn tell(context: &Context, channel: &Channel, now: EventTime) -> Result<usize, CatchUpError> {
    let mut told = 0;
    // Pending ones were begun by a notifier that died, or are on their way.
    for state in [DeliveryState::Pending, DeliveryState::Dead, DeliveryState::Suppressed] {
        let filter =
            DeliveryFilter { channel: Some(channel.id), state: Some(state), ..DeliveryFilter::default() };
        let mut before: Option<(EventTime, DeliveryId)> = None;
        loop {
            let page = context.history.list(filter, before, PAGE).await?;
            let Some(last) = page.last() else { break };
            before = Some((last.created_at, last.id));
            let missed: Vec<(Flip, Delivery)> = page.into_iter().filter_map(missed).collect();
            for delivery in still_down(context, missed).await? {
                carry(context, channel, delivery, now).await?;
                told += 1;
            }
        }
    }
    Ok(told)
}

/// The failure of which a delivery should have told the channel.
fn missed(delivery: Delivery) -> Option<(Flip, Delivery)> {
    let Notice::Alert(Alert::Flip(flip)) = &delivery.notice else { return None };
    let flip = flip.clone();
    // What a window or a parent silenced stays silent.
    let silenced =
        delivery.state == DeliveryState::Suppressed && delivery.note.as_deref() != Some(CHANNEL_DISABLED);
    (flip.to == State::Down && !silenced).then_some((flip, delivery))
}

/// Those whose incidents go on.
async fn still_down(context: &Context, missed: Vec<(Flip, Delivery)>) -> Result<Vec<Delivery>, CatchUpError> {
    let desks = &context.desks;
    let mut by_partition: HashMap<PartitionId, Vec<MonitorId>> = HashMap::new();
    for (flip, _) in &missed {
        by_partition.entry(flip.monitor.partition(desks.partitions)).or_default().push(flip.monitor);
    }
    let mut down = HashMap::new();
    for (partition, monitors) in by_partition {
        let states = desks.states.states(partition, &monitors).await?;
        for (monitor, state) in monitors.into_iter().zip(states) {
            let incident = state.filter(|state| state.state == State::Down).and_then(|state| state.incident);
            if let Some(incident) = incident {
                down.insert(monitor, incident.down.id);
            }
        }
    }
    let goes_on = |flip: &Flip| down.get(&flip.monitor) == Some(&flip.id);
    Ok(missed.into_iter().filter(|(flip, _)| goes_on(flip)).map(|(_, delivery)| delivery).collect())
}

/// The record first: a delivery that the history knows as suppressed is not carried.
async fn carry(
    context: &Context,
    channel: &Channel,
    delivery: Delivery,
    now: EventTime,
) -> Result<(), CatchUpError> {
    let task = DeliveryTask::of(&delivery);
    let (id, monitor) = (task.id, delivery.notice.monitor());
    let body = wire::encode(&DeliveryMessage::from(task));
    if delivery.state != DeliveryState::Pending {
        let pending = Delivery { note: None, ..delivery.redriven(now) };
        context.history.put(vec![pending]).await?;
    }
    if context.dead_letters.revive(id.into(), now, body.clone()).await? {
        return Ok(());
    }
    let in_turn = monitor.filter(|_| Manner::of(channel) != Some(Manner::Chat));
    let order_key = in_turn.map_or(id.into(), Into::into);
    let lane = channel.id.into();
    context
        .deliveries
        .enqueue(vec![QueueMessage { id: id.into(), lane, order_key, due_at: now, origin: None, body }])
        .await?;
    Ok(())
}
