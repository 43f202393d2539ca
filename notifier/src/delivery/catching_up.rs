//! A channel that was disabled and is enabled again hears of what is down; one that had too many deliveries
//! hears of what was given up and is still so.
//!
//! Before a channel is disabled, a message to itself is put into its lane (see [`crate::trouble`]). The
//! message waits there as long as the channel is disabled, so neither the death of a notifier nor an owner
//! who enables the channel while no notifier runs loses it. Then the deliveries that the channel did not get
//! are looked through: those of incidents that go on are carried as if they came now, if their monitor still
//! names the channel. What a maintenance window silences now waits for its end.
//!
//! Before deliveries are given up for lack of room (see [`super::surplus`]), such a message is put there as
//! well. It waits until the lane has room again. A recovery that was given up is told, too, if its failure
//! had been.

use std::collections::HashMap;
use std::time::Duration;

use model::channel::{Channel, ChannelState};
use model::delivery::{Delivery, DeliveryMessage, DeliveryState, DeliveryTask};
use model::flip::{Alert, Flip, State};
use model::ids::{DeliveryId, MonitorId, PartitionId};
use model::maintenance::quiet_until;
use model::monitor::Monitor;
use model::notice::Notice;
use model::time::EventTime;
use model::wire;
use ports::history::{DeliveryFilter, HistoryError};
use ports::queue::{Claim, MessageId, QueueError, QueueMessage};
use ports::registry::{RecordKey, RecordKind, RegistryError};
use ports::state_store::StateError;

use super::context::Context;
use super::settled::Settled;
use super::surplus::{failure_of, is_given_up};
use crate::defects::GivenUp;
use crate::desk::keeper::Manner;
use crate::fanout::CHANNEL_DISABLED;
use crate::health;

/// How often it is looked whether a channel is enabled again.
const LOOK_EVERY: Duration = Duration::from_secs(30);

/// The longest time between two looks while a maintenance window holds something back.
const LOOK_AT_WINDOWS_EVERY: Duration = Duration::from_secs(5 * 60);

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
    #[error("look a monitor up")]
    Registry(#[from] RegistryError),
    #[error("use the delivery queue")]
    Queue(#[from] QueueError),
}

/// Most deliveries that are carried again before it is looked anew whether there is room.
const PART: usize = 256;

/// Why a channel catches up.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Cause {
    /// It was disabled.
    Disabled,
    /// Too many deliveries waited for it.
    NoRoom,
}

/// Whether the task is the message of a channel to itself.
pub(super) fn is_for_later(task: &DeliveryTask) -> bool {
    matches!(&task.notice, Notice::ChannelFailing(failing) if failing.channel == task.channel)
}

/// Tells the channel of what it missed, if it is enabled and has room; else asks again later.
pub(super) async fn catch_up(
    context: &Context,
    claim: Claim,
    task: &DeliveryTask,
    channel: Option<&Channel>,
) -> Settled {
    let now = context.clock.now();
    let again = |claim: Claim, wait| Settled::put_back(claim.id, claim.lane, claim.body, now + wait);
    let lacked_room = matches!(&task.notice, Notice::ChannelFailing(failing) if !failing.disabled);
    let cause = if lacked_room { Cause::NoRoom } else { Cause::Disabled };
    let Some(channel) = channel else { return Settled::done(claim.id, claim.lane) };
    if channel.state == ChannelState::Disabled {
        return again(claim, LOOK_EVERY);
    }
    match tell(context, cause, channel, task.created_at, now).await {
        Ok(Told::All { told, quiet_until }) => {
            if told > 0 || quiet_until.is_none() {
                tracing::info!(channel.id = %channel.id, told, "told a channel of what it missed and is still so");
            }
            match quiet_until {
                // The window may be shortened meanwhile.
                Some(until) => again(claim, until.since(now).clamp(RETRY_AFTER, LOOK_AT_WINDOWS_EVERY)),
                None => Settled::done(claim.id, claim.lane),
            }
        }
        Ok(Told::Part) => again(claim, RETRY_AFTER),
        Ok(Told::NoRoom) => again(claim, LOOK_EVERY),
        Err(error) => {
            context.health.trouble(health::Part::Attempts, &error);
            again(claim, RETRY_AFTER)
        }
    }
}

/// How far it came.
enum Told {
    /// All is told that may be told now.
    All {
        /// The deliveries that are carried now.
        told: usize,
        /// When a maintenance window first ends that holds another one back.
        quiet_until: Option<EventTime>,
    },
    /// There is more.
    Part,
    /// Too many deliveries wait for the channel still.
    NoRoom,
}

/// When a channel is to hear of a monitor.
enum Due {
    Now,
    /// A maintenance window is in force until then.
    At(EventTime),
    /// The monitor is gone, or is no business of the channel any longer.
    Never,
}

/// Carries what the channel did not get and is still so. It can be done again. `since`: when the channel came
/// to need it.
async fn tell(
    context: &Context,
    cause: Cause,
    channel: &Channel,
    since: EventTime,
    now: EventTime,
) -> Result<Told, CatchUpError> {
    // Pending ones were begun by a notifier that died, or are on their way.
    let (states, most) = match cause {
        Cause::Disabled => {
            ([DeliveryState::Pending, DeliveryState::Dead, DeliveryState::Suppressed].as_slice(), usize::MAX)
        }
        Cause::NoRoom => {
            let lane = channel.id.into();
            if context.deliveries.crowded().await?.iter().any(|load| load.lane == lane) {
                return Ok(Told::NoRoom);
            }
            // What is given up from now on has a message of its own.
            context.owed.lock().is_catching_up(channel.id);
            ([DeliveryState::Pending, DeliveryState::Suppressed].as_slice(), PART)
        }
    };
    let mut told = 0;
    let mut quiet_until: Option<EventTime> = None;
    for state in states {
        let filter =
            DeliveryFilter { channel: Some(channel.id), state: Some(*state), ..DeliveryFilter::default() };
        let mut before: Option<(EventTime, DeliveryId)> = None;
        loop {
            let page = context.history.list(filter, before, PAGE).await?;
            let Some(last) = page.last() else { break };
            before = Some((last.created_at, last.id));
            let mut missed: Vec<(Flip, Delivery)> =
                page.into_iter().filter_map(|one| missed(cause, since, one)).collect();
            if cause == Cause::NoRoom && *state == DeliveryState::Pending {
                missed = not_queued(context, channel, missed).await?;
            }
            for delivery in still_so(context, missed).await? {
                // The ones before it took their time.
                let flip = delivery.notice.flip().cloned();
                let again = flip.map(|flip| (flip, delivery)).into_iter().collect();
                let Some(delivery) = still_so(context, again).await?.pop() else { continue };
                match due(context, channel, &delivery, now).await? {
                    Due::Now if told >= most => return Ok(Told::Part),
                    Due::Now => {
                        carry(context, channel, delivery, now).await?;
                        told += 1;
                    }
                    Due::At(at) => quiet_until = Some(quiet_until.unwrap_or(at).min(at)),
                    Due::Never => {}
                }
            }
        }
    }
    Ok(Told::All { told, quiet_until })
}

/// Asks the monitor's record: it may have changed since the delivery was suppressed. A recovery is due
/// whenever its failure was told.
async fn due(
    context: &Context,
    channel: &Channel,
    delivery: &Delivery,
    now: EventTime,
) -> Result<Due, RegistryError> {
    let failure = delivery.notice.flip().filter(|flip| flip.to == State::Down);
    let Some(id) = failure.map(|flip| flip.monitor) else { return Ok(Due::Now) };
    let key = RecordKey::new(RecordKind::Monitor, id);
    let Some(record) = context.trouble.registry.get(&key).await? else { return Ok(Due::Never) };
    // One that cannot be read may be of a newer Lubdub: better told once too often.
    let Ok(monitor) = wire::decode::<Monitor>(&record.value) else { return Ok(Due::Now) };
    let channels = context.directory.of_monitor(monitor.channels.as_deref()).await?;
    if !channels.iter().any(|named| named.id == channel.id) {
        return Ok(Due::Never);
    }
    let windows = context.directory.windows();
    let quiet = quiet_until(windows.iter().map(AsRef::as_ref), monitor.id, &monitor.tags, now);
    Ok(quiet.map_or(Due::Now, |(until, _)| Due::At(until)))
}

/// The flip of which a delivery should have told the channel.
fn missed(cause: Cause, since: EventTime, delivery: Delivery) -> Option<(Flip, Delivery)> {
    let Notice::Alert(Alert::Flip(flip)) = &delivery.notice else { return None };
    let flip = flip.clone();
    let missed = match (cause, delivery.state) {
        (Cause::Disabled, DeliveryState::Suppressed) => {
            // What a window or a parent silenced stays silent.
            let was_disabled = delivery.note.as_deref() == Some(CHANNEL_DISABLED);
            (was_disabled || is_given_up(&delivery)) && flip.to == State::Down
        }
        // What died of itself, or died again since, is not for the channel's sake.
        (Cause::Disabled, DeliveryState::Dead) => {
            let last = delivery.attempts.last();
            let why = last.and_then(|last| last.error.as_deref()).or(delivery.note.as_deref());
            let of_itself = why.is_some_and(GivenUp::is_why);
            let before = last.is_none_or(|last| last.at <= since);
            before && !of_itself && flip.to == State::Down
        }
        (Cause::Disabled, _pending) => flip.to == State::Down,
        (Cause::NoRoom, DeliveryState::Suppressed) => is_given_up(&delivery),
        (Cause::NoRoom, _pending) => true,
    };
    missed.then_some((flip, delivery))
}

/// Those that the queue does not know.
async fn not_queued(
    context: &Context,
    channel: &Channel,
    missed: Vec<(Flip, Delivery)>,
) -> Result<Vec<(Flip, Delivery)>, CatchUpError> {
    let ids: Vec<MessageId> = missed.iter().map(|(_, delivery)| delivery.id.into()).collect();
    let standing = context.deliveries.standing(channel.id.into(), &ids).await?;
    Ok(missed.into_iter().zip(standing).filter(|(_, known)| known.is_none()).map(|(one, _)| one).collect())
}

/// Those whose incidents go on, and recoveries of which the failures were told and nothing came after.
async fn still_so(context: &Context, missed: Vec<(Flip, Delivery)>) -> Result<Vec<Delivery>, CatchUpError> {
    let desks = &context.desks;
    let mut by_partition: HashMap<PartitionId, Vec<MonitorId>> = HashMap::new();
    for (flip, _) in &missed {
        by_partition.entry(flip.monitor.partition(desks.partitions)).or_default().push(flip.monitor);
    }
    let mut states = HashMap::new();
    for (partition, monitors) in by_partition {
        let found = desks.states.states(partition, &monitors).await?;
        states.extend(monitors.into_iter().zip(found));
    }
    let mut still = Vec::new();
    for (flip, delivery) in missed {
        let Some(Some(state)) = states.get(&flip.monitor) else { continue };
        let is_so = match failure_of(&flip, delivery.channel) {
            None => {
                let incident = state.incident.as_ref().filter(|_| state.state == State::Down);
                incident.is_some_and(|incident| incident.down.id == flip.id)
            }
            Some(failure) => {
                let is_newest = state.state == flip.to && state.sequence == flip.sequence;
                let failure = if is_newest { context.history.get(failure).await? } else { None };
                failure.is_some_and(|failure| failure.state == DeliveryState::Delivered)
            }
        };
        if is_so {
            still.push(delivery);
        }
    }
    Ok(still)
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
