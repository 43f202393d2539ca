//! Tells the owner of a channel that does not work, over the other channels.

use std::sync::Arc;
use std::time::Duration;

use model::channel::{Channel, ChannelState};
use model::delivery::{DeliveryMessage, DeliveryTask};
use model::ids::{AlertId, ChannelId, DeliveryId, MonitorId};
use model::monitor::Monitor;
use model::notice::{ChannelFailing, Notice};
use model::time::EventTime;
use model::wire;
use ports::queue::{Queue, QueueError, QueueMessage};
use ports::registry::{RecordKey, RecordKind, Registry, RegistryError};

use crate::directory::Directory;

/// A channel that is disabled has one message to itself for each such part of time in which that is tried.
const CATCH_UP_PART_MILLIS: i64 = 10_000;

/// The wait before that message is looked at: longer than a part and a write to the registry together.
const CATCH_UP_AFTER: Duration = Duration::from_secs(30);

/// Why the other channels could not be told yet.
#[derive(Debug, thiserror::Error)]
pub(crate) enum TroubleError {
    #[error("look a monitor or channel up")]
    Registry(#[from] RegistryError),
    #[error("use the delivery queue")]
    Queue(#[from] QueueError),
    /// There is no room for what tells the channel, once it is enabled again, of what it missed.
    #[error("note that a channel is to hear of what is down later")]
    NotKept,
}

/// The means to report a failing channel.
pub(crate) struct Trouble {
    pub(crate) registry: Arc<dyn Registry>,
    pub(crate) directory: Arc<Directory>,
    pub(crate) deliveries: Arc<dyn Queue>,
}

impl Trouble {
    /// Tells of `channel`, as it is from now on, over the other channels of `monitor`, whose alert did not
    /// arrive; without one over the default channels.
    ///
    /// Its ids are functions of the channel and of since when it fails, so telling twice is telling once.
    /// `now` is when it was judged, `tried_at` the current time.
    ///
    /// # Errors
    /// With `NotKept` the channel must not be disabled: it would never hear of what it misses.
    pub(crate) async fn tell(
        &self,
        channel: &Channel,
        monitor: Option<MonitorId>,
        now: EventTime,
        tried_at: EventTime,
    ) -> Result<(), TroubleError> {
        let (id, notice) = told_of(channel, now);
        // The records are written with the first attempts: a notifier that dies before this is enqueued tells
        // under another time.
        if channel.state == ChannelState::Disabled {
            // Alone: what the others are to hear must not keep it out.
            let later = to_itself(channel.id, &notice, tried_at);
            self.deliveries.enqueue(vec![later]).await.map_err(|error| match error {
                QueueError::Full => TroubleError::NotKept,
                error @ QueueError::Unavailable(_) => error.into(),
            })?;
        }
        let others = self.others(channel, monitor).await?;
        let messages: Vec<_> = others.iter().map(|other| message(id, &notice, other.id, now)).collect();
        if !messages.is_empty() {
            self.deliveries.enqueue(messages).await?;
        }
        Ok(())
    }

    /// Puts a message to itself into the lane of a channel: it is told of what was given up and is still so,
    /// when its lane has room again, see `delivery::catching_up`.
    pub(crate) async fn tell_later(
        &self,
        channel: &Channel,
        why: &str,
        now: EventTime,
    ) -> Result<(), QueueError> {
        let id = AlertId::of_channel(channel.id, &format!("no room/{}", now.as_micros()));
        let notice = Notice::ChannelFailing(Box::new(ChannelFailing {
            id,
            channel: channel.id,
            name: channel.name.clone(),
            since: now,
            disabled: false,
            detail: why.to_owned(),
        }));
        self.deliveries.enqueue(vec![message(id, &notice, channel.id, now + CATCH_UP_AFTER)]).await
    }

    /// The channels that work and that the same people may read.
    async fn others(
        &self,
        channel: &Channel,
        monitor: Option<MonitorId>,
    ) -> Result<Vec<Arc<Channel>>, RegistryError> {
        let mut named = None;
        if let Some(monitor) = monitor
            && let Some(record) = self.registry.get(&RecordKey::new(RecordKind::Monitor, monitor)).await?
            && let Ok(monitor) = wire::decode::<Monitor>(&record.value)
        {
            named = monitor.channels;
        }
        let mut others = self.directory.of_monitor(named.as_deref()).await?;
        others.retain(|other| other.id != channel.id && other.state == ChannelState::Ok);
        Ok(others)
    }
}

/// What is told of `channel`, as it is from now on, and the id of that.
pub(crate) fn told_of(channel: &Channel, now: EventTime) -> (AlertId, Notice) {
    let since = channel.failing_since.unwrap_or(now);
    let disabled = channel.state == ChannelState::Disabled;
    let name = if disabled { "disabled" } else { "failing" };
    let id = AlertId::of_channel(channel.id, &format!("{name}/{}", since.as_micros()));
    let notice = Notice::ChannelFailing(Box::new(ChannelFailing {
        id,
        channel: channel.id,
        name: channel.name.clone(),
        since,
        disabled,
        detail: channel.state_detail.clone().unwrap_or_default(),
    }));
    (id, notice)
}

/// The message of a disabled channel to itself: it is told of what is down when it is enabled again, see
/// `delivery::catching_up`. The message is put into the queue before the channel is disabled, and must not be
/// looked at before that, however long that takes.
pub(crate) fn to_itself(channel: ChannelId, notice: &Notice, tried_at: EventTime) -> QueueMessage {
    let part = tried_at.as_millis() / CATCH_UP_PART_MILLIS;
    let id = AlertId::of_channel(channel, &format!("catching up/{part}"));
    message(id, notice, channel, tried_at + CATCH_UP_AFTER)
}

fn message(id: AlertId, notice: &Notice, channel: ChannelId, due_at: EventTime) -> QueueMessage {
    let delivery = DeliveryId::derive(id, channel);
    let task = DeliveryTask {
        id: delivery,
        notice: notice.clone(),
        channel,
        created_at: due_at,
        monitor: None,
        redriven: false,
        attempts: 0,
        sent_to: Vec::new(),
        at_desk: false,
        folded_into: None,
    };
    QueueMessage {
        id: delivery.into(),
        lane: channel.into(),
        order_key: id.into(),
        due_at,
        origin: None,
        body: wire::encode(&DeliveryMessage::from(task)),
    }
}
