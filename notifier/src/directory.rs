//! The channels, as the registry tells of them.

use std::collections::HashMap;
use std::sync::Arc;

use common::model::channel::{Channel, ChannelState};
use common::model::ids::{ChannelId, Revision};
use common::ports::registry::{
    Expected, Record, RecordKey, RecordKind, Registry, RegistryError, RegistryObserver,
};
use common::wire;
use parking_lot::RwLock;
use tokio::sync::watch;

/// How often a change to a channel is tried again when somebody else changed it meanwhile.
const CHANGE_TRIES: usize = 5;

/// Every channel, kept current by a watch on the registry.
pub(crate) struct Directory {
    registry: Arc<dyn Registry>,
    channels: RwLock<HashMap<ChannelId, Entry>>,
    loaded: watch::Sender<bool>,
}

struct Entry {
    revision: Revision,
    channel: Arc<Channel>,
}

impl Directory {
    pub(crate) fn new(registry: Arc<dyn Registry>) -> Self {
        Self { registry, channels: RwLock::default(), loaded: watch::Sender::new(false) }
    }

    /// Returns when every channel of the registry has been told.
    pub(crate) async fn loaded(&self) {
        // The sender lives in `self`, so waiting cannot fail.
        let _ = self.loaded.subscribe().wait_for(|loaded| *loaded).await;
    }

    /// Channels for monitors that name none, in the order of their making.
    pub(crate) fn defaults(&self) -> Vec<Arc<Channel>> {
        let channels = self.channels.read();
        let mut defaults: Vec<_> =
            channels.values().filter(|entry| entry.channel.default).map(|entry| &entry.channel).collect();
        defaults.sort_unstable_by_key(|channel| channel.id);
        defaults.into_iter().map(Arc::clone).collect()
    }

    /// A channel. One that was never told of is asked for: the monitor that names it may be newer than the watch.
    pub(crate) async fn find(&self, id: ChannelId) -> Result<Option<Arc<Channel>>, RegistryError> {
        if let Some(channel) = self.known(id) {
            return Ok(Some(channel));
        }
        let record = self.registry.get(&RecordKey::new(RecordKind::Channel, id)).await?;
        Ok(record.and_then(|record| read(&record)).map(Arc::new))
    }

    pub(crate) fn known(&self, id: ChannelId) -> Option<Arc<Channel>> {
        self.channels.read().get(&id).map(|entry| Arc::clone(&entry.channel))
    }

    /// Puts a channel into a state, unless it is gone, disabled, or in that state already.
    pub(crate) async fn set_state(
        &self,
        id: ChannelId,
        state: ChannelState,
        detail: Option<String>,
    ) -> Result<(), RegistryError> {
        let key = RecordKey::new(RecordKind::Channel, id);
        let mut conflict = Ok(());
        for _ in 0..CHANGE_TRIES {
            let Some(record) = self.registry.get(&key).await? else { return Ok(()) };
            let Some(channel) = read(&record) else { return Ok(()) };
            if channel.state == state || channel.state == ChannelState::Disabled {
                return Ok(());
            }
            let changed = Channel { state, state_detail: detail.clone(), ..channel };
            match self.registry.put(&key, Expected::At(record.revision), wire::encode(&changed)).await {
                Ok(_) => {
                    tracing::warn!(channel.id = %id, channel.state = state.as_str(), "changed the state of a channel");
                    return Ok(());
                }
                Err(error @ RegistryError::Conflict) => conflict = Err(error),
                Err(error @ RegistryError::Unavailable(_)) => return Err(error),
            }
        }
        conflict
    }
}

impl RegistryObserver for Directory {
    fn put(&self, record: &Record) {
        let Some(channel) = read(record) else { return };
        let mut channels = self.channels.write();
        let newer = channels.get(&channel.id).is_none_or(|entry| entry.revision < record.revision);
        if newer {
            channels.insert(channel.id, Entry { revision: record.revision, channel: Arc::new(channel) });
        }
    }

    fn deleted(&self, key: &RecordKey) {
        if let Ok(id) = key.id.parse() {
            self.channels.write().remove(&id);
        }
    }

    fn current(&self) {
        self.loaded.send_replace(true);
    }
}

fn read(record: &Record) -> Option<Channel> {
    match wire::decode(&record.value) {
        Ok(channel) => Some(channel),
        Err(error) => {
            tracing::error!(%error, channel.id = record.key.id, "failed to read a channel; nothing is sent to it");
            None
        }
    }
}
