//! The records of the registry in memory: a watch keeps them current, and every request reads them.
//!
//! Monitors are kept as their stored bytes (about 300 bytes each) and decoded on demand: there may be a
//! million.

use std::collections::{BTreeMap, HashMap};
use std::ops::Bound;
use std::sync::Arc;
use std::time::Duration;

use model::chain::Chain;
use model::channel::Channel;
use model::ids::{ChannelId, KeyId, MonitorId, Revision};
use model::key::ApiKey;
use model::monitor::Monitor;
use model::wire::{self, Message};
use parking_lot::{Mutex, RwLock};
use ports::clock::Clock;
use ports::registry::{Record, RecordKey, RecordKind, RegistryObserver};

use crate::dependents::Dependents;
use crate::records::Stored;

/// The kinds that are followed.
pub const KINDS: [RecordKind; 3] = [RecordKind::Key, RecordKind::Channel, RecordKind::Monitor];

/// The registry is not known to be followed when nothing confirmed it for this long.
const CURRENT_FOR: Duration = Duration::from_secs(5);

/// A monitor's stored form.
#[derive(Debug, Clone)]
pub struct StoredMonitor {
    /// The monitor.
    pub id: MonitorId,
    /// The revision of its record.
    pub revision: Revision,
    /// The stored form of its record.
    pub value: Arc<[u8]>,
}

impl StoredMonitor {
    /// The monitor; one that cannot be read is left out, and said so.
    pub fn decode(&self) -> Option<Stored<Monitor>> {
        wire::decode(&self.value)
            .inspect_err(|error| {
                tracing::error!(
                    error = %Chain(error),
                    monitor.id = %self.id,
                    "left out a monitor that cannot be read"
                );
            })
            .ok()
            .map(|monitor| Stored { revision: self.revision, value: monitor })
    }
}

/// A record's revision and bytes.
type RecordBytes = (Revision, Arc<[u8]>);

/// Whether the directory can be relied on.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Freshness {
    /// Not everything was read yet.
    Loading,
    /// The directory may miss changes.
    Stale,
    /// The directory is known to miss nothing.
    Current,
}

/// The registry in memory.
pub struct Directory {
    clock: Arc<dyn Clock>,
    current_at: Mutex<Option<Duration>>,
    monitors: RwLock<BTreeMap<MonitorId, RecordBytes>>,
    dependents: RwLock<Dependents>,
    channels: RwLock<BTreeMap<ChannelId, (Revision, Arc<Channel>)>>,
    keys: RwLock<Keys>,
}

#[derive(Default)]
struct Keys {
    by_id: BTreeMap<KeyId, Arc<ApiKey>>,
    by_hash: HashMap<[u8; 32], Arc<ApiKey>>,
}

impl Directory {
    /// A directory that has not read the registry yet.
    pub fn new(clock: Arc<dyn Clock>) -> Self {
        Self {
            clock,
            current_at: Mutex::default(),
            monitors: RwLock::default(),
            dependents: RwLock::default(),
            channels: RwLock::default(),
            keys: RwLock::default(),
        }
    }

    /// Whether the directory may be believed.
    pub fn freshness(&self) -> Freshness {
        match *self.current_at.lock() {
            None => Freshness::Loading,
            Some(at) if self.clock.elapsed().saturating_sub(at) > CURRENT_FOR => Freshness::Stale,
            Some(_) => Freshness::Current,
        }
    }

    /// The key with this hash. A look-up by hash tells an attacker nothing by the time it takes.
    pub fn key(&self, hash: &[u8; 32]) -> Option<Arc<ApiKey>> {
        self.keys.read().by_hash.get(hash).cloned()
    }

    /// Whether the directory has the channel.
    pub fn channel_exists(&self, id: ChannelId) -> bool {
        self.channels.read().contains_key(&id)
    }

    /// Ids of the channels that monitors without channels of their own use, in the order of their creation.
    pub fn default_channels(&self) -> Vec<ChannelId> {
        let channels = self.channels.read();
        channels.iter().filter(|(_, (_, channel))| channel.default).map(|(id, _)| *id).collect()
    }

    /// How many channels there are.
    pub fn channel_count(&self) -> usize {
        self.channels.read().len()
    }

    /// Channels after `after` in the order of their creation, at most `limit`.
    pub fn channels(&self, after: Option<ChannelId>, limit: usize) -> Vec<(Revision, Arc<Channel>)> {
        let channels = self.channels.read();
        channels
            .range((beyond(after), Bound::Unbounded))
            .take(limit)
            .map(|(_, found)| found.clone())
            .collect()
    }

    /// Keys after `after` in the order of their creation, at most `limit`.
    pub fn keys(&self, after: Option<KeyId>, limit: usize) -> Vec<Arc<ApiKey>> {
        let keys = self.keys.read();
        let range = keys.by_id.range((beyond(after), Bound::Unbounded));
        range.take(limit).map(|(_, key)| Arc::clone(key)).collect()
    }

    /// Whether the directory has the monitor.
    pub fn monitor_exists(&self, id: MonitorId) -> bool {
        self.monitors.read().contains_key(&id)
    }

    /// A monitor.
    pub fn monitor(&self, id: MonitorId) -> Option<StoredMonitor> {
        let monitors = self.monitors.read();
        let (revision, value) = monitors.get(&id)?;
        Some(StoredMonitor { id, revision: *revision, value: Arc::clone(value) })
    }

    /// How many monitors in a row depend on this one, one through the other; counted up to `most`.
    pub fn levels_below(&self, id: MonitorId, most: usize) -> usize {
        self.dependents.read().levels_below(id, most)
    }

    /// How many monitors there are.
    pub fn monitor_count(&self) -> usize {
        self.monitors.read().len()
    }

    /// Monitors after `after` in the order of their creation, at most `limit`.
    pub fn monitors(&self, after: Option<MonitorId>, limit: usize) -> Vec<StoredMonitor> {
        let monitors = self.monitors.read();
        let range = monitors.range((beyond(after), Bound::Unbounded));
        range
            .take(limit)
            .map(|(id, (revision, value))| StoredMonitor {
                id: *id,
                revision: *revision,
                value: Arc::clone(value),
            })
            .collect()
    }
}

fn beyond<T>(after: Option<T>) -> Bound<T> {
    after.map_or(Bound::Unbounded, Bound::Excluded)
}

/// Reads a record; one that cannot be read is left out, and said so once for each version of it.
fn read<M: Message>(record: &Record) -> Option<M> {
    wire::decode(&record.value)
        .inspect_err(|error| {
            tracing::error!(
                error = %Chain(error),
                record.kind = record.key.kind.as_str(),
                record.revision = record.revision.0,
                "left out a registry record that cannot be read"
            );
        })
        .ok()
}

impl Keys {
    fn remove(&mut self, id: KeyId) {
        let Some(old) = self.by_id.remove(&id) else { return };
        let Ok(hash) = <[u8; 32]>::try_from(old.hash.as_slice()) else { return };
        if self.by_hash.get(&hash).is_some_and(|found| found.id == id) {
            self.by_hash.remove(&hash);
        }
    }
}

impl RegistryObserver for Directory {
    fn put(&self, record: &Record) {
        match record.key.kind {
            RecordKind::Monitor => {
                let Ok(id) = record.key.id.parse() else { return };
                self.monitors.write().insert(id, (record.revision, Arc::from(&*record.value)));
                // One that cannot be read is told of where it is asked for.
                let parent = wire::decode::<Monitor>(&record.value).ok().and_then(|monitor| monitor.parent);
                self.dependents.write().set(id, parent);
            }
            RecordKind::Channel => {
                let Some(channel) = read::<Channel>(record) else { return };
                self.channels.write().insert(channel.id, (record.revision, Arc::new(channel)));
            }
            RecordKind::Key => {
                let Some(key) = read::<ApiKey>(record).map(Arc::new) else { return };
                let mut keys = self.keys.write();
                keys.remove(key.id);
                if let Ok(hash) = <[u8; 32]>::try_from(key.hash.as_slice()) {
                    keys.by_hash.insert(hash, Arc::clone(&key));
                }
                keys.by_id.insert(key.id, key);
            }
            RecordKind::Token | RecordKind::Maintenance | RecordKind::Rebuild | RecordKind::Turn => {}
        }
    }

    fn deleted(&self, key: &RecordKey) {
        match key.kind {
            RecordKind::Monitor => {
                if let Ok(id) = key.id.parse() {
                    self.monitors.write().remove(&id);
                    self.dependents.write().set(id, None);
                }
            }
            RecordKind::Channel => {
                if let Ok(id) = key.id.parse() {
                    self.channels.write().remove(&id);
                }
            }
            RecordKind::Key => {
                if let Ok(id) = key.id.parse() {
                    self.keys.write().remove(id);
                }
            }
            RecordKind::Token | RecordKind::Maintenance | RecordKind::Rebuild | RecordKind::Turn => {}
        }
    }

    fn current(&self) {
        *self.current_at.lock() = Some(self.clock.elapsed());
    }
}
