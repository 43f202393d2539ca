//! Looks after an incident that stands for many flips, until it is closed: a storm on a pager, or a monitor
//! that flaps.
//!
//! What such an incident stands for is told by the message that opens it, and leaves the queue with that. So
//! the queue holds the incident itself as long as it is open. Now and then that message asks the desk. If
//! the ledger was lost, or set back, the desk does not know the incident, or not all of it. Then the states
//! of the monitors say how it stands: a storm goes on with every monitor of the channel that is down and may
//! belong to it; the incident of a monitor that flapped is closed.

use std::collections::{BTreeSet, HashMap};
use std::time::Duration;

use model::channel::{Channel, ChannelState};
use model::delivery::{DeliveryMessage, IncidentSubject, OpenIncident};
use model::flip::State;
use model::ids::{ChannelId, MonitorId, PartitionId};
use model::monitor::Monitor;
use model::notice::{Dependents, MonitorLabel};
use model::time::EventTime;
use model::wire;
use ports::queue::Claim;
use ports::registry::{RecordKey, RecordKind, RegistryError};
use ports::state_store::StateError;

use super::context::Context;
use super::settled::Settled;
use super::teller::{TellerError, teller};
use crate::desk::keeper::{DeskError, Manner};
use crate::desk::{
    FoundDown, IncidentNews, IncidentStanding, MonitorNow, closing_delivery, storm_goes_back_to,
};
use crate::health::Part;

/// The least time between two looks at an incident that the desk knows.
const AT_LEAST: Duration = Duration::from_secs(35);

/// The longest time between two looks.
const AT_MOST: Duration = Duration::from_secs(15 * 60);

/// The wait until the states of monitors are as new as the incident is forgotten.
const STATES_WITHIN: Duration = Duration::from_secs(5);

/// The wait after something could not be reached.
const RETRY_AFTER: Duration = Duration::from_secs(1);

/// The number of monitors that are looked up together.
const PAGE: usize = 500;

#[derive(Debug, thiserror::Error)]
enum LookError {
    #[error("ask the desk")]
    Desk(#[from] DeskError),
    #[error("look for what closes the incident")]
    Closing(#[from] TellerError),
    #[error("look up what is down")]
    States(#[from] StateError),
    #[error("look monitors up")]
    Registry(#[from] RegistryError),
}

/// What comes of a look.
enum Looked {
    /// The incident is closed, or will be.
    Over,
    /// It is open, and the queue is to hold this of it.
    Open(Box<OpenIncident>),
    /// The states of monitors are not new enough.
    TooSoon,
}

/// Looks whether the desk of the channel knows an incident, and sees to it otherwise.
pub(super) async fn look_after(
    context: &Context,
    claim: Claim,
    mut open: OpenIncident,
    channel: Option<&Channel>,
) -> Settled {
    let now = context.clock.now();
    let Some(channel) = channel else { return Settled::done(claim.id, claim.lane) };
    let again = |open: OpenIncident, wait| {
        let body = wire::encode(&DeliveryMessage::Incident(Box::new(open)));
        Settled::put_back(claim.id, claim.lane, body, now + wait)
    };
    if channel.state == ChannelState::Disabled {
        // What closes it would not arrive.
        return again(open, AT_MOST);
    }
    match look(context, &mut open, channel, now).await {
        Ok(Looked::Over) => Settled::done(claim.id, claim.lane),
        Ok(Looked::Open(known)) => {
            let wait = now.since(known.since).clamp(AT_LEAST, AT_MOST);
            again(*known, wait)
        }
        Ok(Looked::TooSoon) => again(open, STATES_WITHIN),
        Err(error) => {
            context.health.trouble(Part::Desks, &error);
            again(open, RETRY_AFTER)
        }
    }
}

async fn look(
    context: &Context,
    open: &mut OpenIncident,
    channel: &Channel,
    now: EventTime,
) -> Result<Looked, LookError> {
    let manner = Manner::of(channel).unwrap_or(Manner::Chat);
    let tell = async |open: &OpenIncident, news| {
        let standing = context.desks.incident(open.clone(), manner, news).await;
        standing.inspect(|_| context.health.well(Part::Desks))
    };
    match tell(open, IncidentNews::Asked).await? {
        IncidentStanding::Open(known) => return Ok(Looked::Open(known)),
        IncidentStanding::Over => return Ok(Looked::Over),
        IncidentStanding::Later => return Ok(Looked::Open(Box::new(open.clone()))),
        IncidentStanding::Forgotten => {}
    }
    let closing = closing_delivery(open.channel, open.incident);
    if teller(context, open.channel.into(), &[closing]).await?.is_some() {
        tell(open, IncidentNews::Closed).await?;
        return Ok(Looked::Over);
    }
    let since = *open.forgotten_at.get_or_insert(now);
    let standing = match &open.of {
        IncidentSubject::Flapping { flip, .. } => {
            let Some(stands) = stands(context, flip.monitor, since).await? else {
                return Ok(Looked::TooSoon);
            };
            tell(open, IncidentNews::Stands(Box::new(stands))).await?
        }
        IncidentSubject::Storm { .. } => {
            let oldest = storm_goes_back_to(open);
            let Some(found) = down_since(context, open.channel, oldest, since).await? else {
                return Ok(Looked::TooSoon);
            };
            for some in found.chunks(PAGE) {
                tell(open, IncidentNews::Found(some.to_vec())).await?;
            }
            if found.is_empty() {
                tell(open, IncidentNews::Found(Vec::new())).await?;
            }
            tell(open, IncidentNews::FoundAll).await?
        }
    };
    tracing::warn!(channel.id = %open.channel, "took on an incident that the ledger had lost");
    Ok(match standing {
        IncidentStanding::Open(known) => Looked::Open(known),
        IncidentStanding::Over => Looked::Over,
        // It was closed at once, as the next look shows, or another storm began meanwhile.
        IncidentStanding::Forgotten | IncidentStanding::Later => Looked::Open(Box::new(open.clone())),
    })
}

/// How a monitor stands; `None`: its state is older than `since`, or lost.
async fn stands(
    context: &Context,
    monitor: MonitorId,
    since: EventTime,
) -> Result<Option<MonitorNow>, LookError> {
    let gone = MonitorNow::NotDown { state: State::Paused, since };
    let record = context.trouble.registry.get(&RecordKey::new(RecordKind::Monitor, monitor)).await?;
    if record.is_none() {
        return Ok(Some(gone));
    }
    let partition = monitor.partition(context.desks.partitions);
    if !is_new(context, partition, since).await? {
        return Ok(None);
    }
    let state = context.desks.states.states(partition, &[monitor]).await?.pop().flatten();
    Ok(state.map(|state| match state.incident.filter(|_| state.state == State::Down) {
        Some(incident) => MonitorNow::Down(Box::new(incident.down)),
        None => MonitorNow::NotDown { state: state.state, since: state.since },
    }))
}

/// The monitors of the channel that are down and went down at `oldest` or after; `None`: states are older
/// than `since`, or lost.
async fn down_since(
    context: &Context,
    channel: ChannelId,
    oldest: EventTime,
    since: EventTime,
) -> Result<Option<Vec<FoundDown>>, LookError> {
    let mut found = Vec::new();
    let mut new: BTreeSet<PartitionId> = BTreeSet::new();
    let mut after: Option<String> = None;
    loop {
        let page = context.trouble.registry.list(RecordKind::Monitor, after.as_deref(), PAGE).await?;
        let Some(last) = page.last() else { return Ok(Some(found)) };
        after = Some(last.key.id.clone());
        let mut by_partition: HashMap<PartitionId, Vec<Monitor>> = HashMap::new();
        for record in page {
            // One that cannot be read is of a newer Lubdub; no alert of it is told here either.
            let Ok(monitor) = wire::decode::<Monitor>(&record.value) else { continue };
            let channels = context.directory.of_monitor(monitor.channels.as_deref()).await?;
            if channels.iter().any(|named| named.id == channel) {
                by_partition.entry(monitor.id.partition(context.desks.partitions)).or_default().push(monitor);
            }
        }
        for (partition, monitors) in by_partition {
            if !new.contains(&partition) {
                if !is_new(context, partition, since).await? {
                    return Ok(None);
                }
                new.insert(partition);
            }
            let ids: Vec<MonitorId> = monitors.iter().map(|monitor| monitor.id).collect();
            let states = context.desks.states.states(partition, &ids).await?;
            for (monitor, state) in monitors.into_iter().zip(states) {
                let Some(state) = state else {
                    // A monitor that was just made has no state yet; of another one the state is lost.
                    if monitor.created_at < since {
                        return Ok(None);
                    }
                    continue;
                };
                let incident = state.incident.filter(|_| state.state == State::Down);
                let Some(down) = incident.map(|incident| incident.down) else { continue };
                if down.at >= oldest {
                    let (name, tags) = (monitor.name, monitor.tags);
                    let monitor = MonitorLabel { name, tags, dependents: Dependents::default() };
                    found.push(FoundDown { down, monitor });
                }
            }
        }
    }
}

/// Whether the states of a partition are those of `since` or later.
async fn is_new(context: &Context, partition: PartitionId, since: EventTime) -> Result<bool, StateError> {
    Ok(context.desks.states.head(partition).await?.watermark.is_some_and(|watermark| watermark >= since))
}
