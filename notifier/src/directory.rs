//! The channels and maintenance windows, as the registry tells of them.

use std::collections::{BTreeSet, HashMap};
use std::sync::Arc;

use model::chain::Chain;
use model::channel::{Channel, ChannelKind, PresetChannel, Secret};
use model::ids::{ChannelId, Revision, WindowId};
use model::maintenance::MaintenanceWindow;
use model::time::EventTime;
use model::wire;
use parking_lot::RwLock;
use ports::registry::{Expected, Record, RecordKey, RecordKind, Registry, RegistryError, RegistryObserver};
use tokio::sync::watch;

use crate::standing::{Evidence, judged};
use crate::transport::SettingChange;

/// How often a change is written over that of another.
const WRITE_TRIES: usize = 5;

/// Every channel and maintenance window, kept current by a watch on the registry.
pub(crate) struct Directory {
    registry: Arc<dyn Registry>,
    channels: RwLock<HashMap<ChannelId, ChannelEntry>>,
    windows: RwLock<HashMap<WindowId, (Revision, Arc<MaintenanceWindow>)>>,
    loaded: watch::Sender<bool>,
}

struct ChannelEntry {
    revision: Revision,
    channel: Arc<Channel>,
}

impl Directory {
    pub(crate) fn new(registry: Arc<dyn Registry>) -> Self {
        Self {
            registry,
            channels: RwLock::default(),
            windows: RwLock::default(),
            loaded: watch::Sender::new(false),
        }
    }

    /// Returns when every channel of the registry has been told.
    pub(crate) async fn loaded(&self) {
        // The sender lives in `self`, so waiting cannot fail.
        let _ = self.loaded.subscribe().wait_for(|loaded| *loaded).await;
    }

    /// The channels of a monitor that names these; `None`: it names none.
    pub(crate) async fn of_monitor(
        &self,
        named: Option<&[ChannelId]>,
    ) -> Result<Vec<Arc<Channel>>, RegistryError> {
        let Some(named) = named else { return Ok(self.defaults()) };
        let mut channels = Vec::with_capacity(named.len());
        for id in named.iter().collect::<BTreeSet<_>>() {
            channels.extend(self.find(*id).await?);
        }
        Ok(channels)
    }

    /// Channels for monitors that name none, in the order of their making.
    fn defaults(&self) -> Vec<Arc<Channel>> {
        let channels = self.channels.read();
        let mut defaults: Vec<_> =
            channels.values().filter(|entry| entry.channel.default).map(|entry| &entry.channel).collect();
        defaults.sort_unstable_by_key(|channel| channel.id);
        defaults.into_iter().map(Arc::clone).collect()
    }

    /// Whether there is a channel of e-mail.
    pub(crate) fn has_mail(&self) -> bool {
        let channels = self.channels.read();
        channels.values().any(|entry| matches!(entry.channel.kind, ChannelKind::Email(_)))
    }

    /// Every maintenance window.
    pub(crate) fn windows(&self) -> Vec<Arc<MaintenanceWindow>> {
        self.windows.read().values().map(|(_, window)| Arc::clone(window)).collect()
    }

    /// A channel. A channel that the watch never told is read from the registry: the monitor that names it
    /// may be newer than the watch.
    pub(crate) async fn find(&self, id: ChannelId) -> Result<Option<Arc<Channel>>, RegistryError> {
        if let Some(channel) = self.known(id) {
            return Ok(Some(channel));
        }
        let record = self.registry.get(&RecordKey::new(RecordKind::Channel, id)).await?;
        let Some(record) = record else { return Ok(None) };
        // A channel that cannot be read counts as existing: a newer notifier may know it.
        match wire::decode(&record.value) {
            Ok(channel) => Ok(Some(Arc::new(channel))),
            Err(error) => Err(RegistryError::Unavailable(error.into())),
        }
    }

    pub(crate) fn known(&self, id: ChannelId) -> Option<Arc<Channel>> {
        self.channels.read().get(&id).map(|entry| Arc::clone(&entry.channel))
    }

    /// The channel with the state that its attempts give, and the revision that this changes; `None`: nothing
    /// changes.
    pub(crate) async fn judge(
        &self,
        id: ChannelId,
        evidence: &Evidence,
        now: EventTime,
    ) -> Result<Option<(Revision, Channel)>, RegistryError> {
        let record = self.registry.get(&RecordKey::new(RecordKind::Channel, id)).await?;
        let judged = |record: Record| Some((record.revision, judged(&read(&record)?, evidence, now)?));
        Ok(record.and_then(judged))
    }

    /// Writes a channel that was judged.
    pub(crate) async fn change(&self, revision: Revision, channel: &Channel) -> Result<(), RegistryError> {
        let key = RecordKey::new(RecordKind::Channel, channel.id);
        self.registry.put(&key, Expected::At(revision), wire::encode(channel)).await?;
        let state = channel.state.as_str();
        tracing::warn!(channel.id = %channel.id, channel.state = state, "changed the state of a channel");
        Ok(())
    }

    /// Gives a setting of a channel another value, unless the channel was set to anything else since the
    /// service named it. Whether it did.
    pub(crate) async fn follow(&self, id: ChannelId, change: &SettingChange) -> Result<bool, RegistryError> {
        let key = RecordKey::new(RecordKind::Channel, id);
        for _ in 1..WRITE_TRIES {
            match self.try_to_follow(&key, change).await {
                // Something else of the channel was changed just now.
                Err(RegistryError::Conflict) => {}
                other => return other,
            }
        }
        self.try_to_follow(&key, change).await
    }

    async fn try_to_follow(&self, key: &RecordKey, change: &SettingChange) -> Result<bool, RegistryError> {
        let Some(record) = self.registry.get(key).await? else { return Ok(false) };
        let Some(mut channel) = read(&record) else { return Ok(false) };
        if channel.kind != ChannelKind::Preset(change.from.clone()) {
            return Ok(false);
        }
        let mut settings = change.from.settings.clone();
        settings.insert(change.setting.clone(), Secret::new(change.to.clone()));
        channel.kind = ChannelKind::Preset(PresetChannel { preset: change.from.preset.clone(), settings });
        self.registry.put(key, Expected::At(record.revision), wire::encode(&channel)).await?;
        Ok(true)
    }
}

impl Directory {
    fn put_window(&self, record: &Record) {
        let window: MaintenanceWindow = match wire::decode(&record.value) {
            Ok(window) => window,
            Err(error) => {
                let window = &record.key.id;
                tracing::error!(error = %Chain(&error), window.id = %window, "failed to read a maintenance window; it is ignored");
                return;
            }
        };
        let mut windows = self.windows.write();
        if windows.get(&window.id).is_none_or(|(revision, _)| *revision < record.revision) {
            windows.insert(window.id, (record.revision, Arc::new(window)));
        }
    }
}

impl RegistryObserver for Directory {
    fn put(&self, record: &Record) {
        if record.key.kind == RecordKind::Maintenance {
            return self.put_window(record);
        }
        let Some(channel) = read(record) else { return };
        let mut channels = self.channels.write();
        let newer = channels.get(&channel.id).is_none_or(|entry| entry.revision < record.revision);
        if newer {
            channels
                .insert(channel.id, ChannelEntry { revision: record.revision, channel: Arc::new(channel) });
        }
    }

    fn deleted(&self, key: &RecordKey) {
        if key.kind == RecordKind::Maintenance {
            if let Ok(id) = key.id.parse() {
                self.windows.write().remove(&id);
            }
        } else if let Ok(id) = key.id.parse() {
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
            tracing::error!(error = %Chain(&error), channel.id = record.key.id, "failed to read a channel; nothing is sent to it");
            None
        }
    }
}
