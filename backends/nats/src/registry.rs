//! The registry in streams, one for each kind, so that rights can be given by kind. Each record is the newest
//! message of its subject, as in a NATS key-value bucket.
//!
//! - `store`: reads and writes one record, through the stream's leader.
//! - `incarnation`: revisions that go on when a stream is made anew.
//! - `together`: a watch of several kinds.
//! - `watch`: tells an observer, `watch_state` is what its tasks share; `review` checks whether something was
//!   missed, `known` is what was told.
//! - `index`: the ids in order, for lists.
//! - `tail`: follows the stream for both. `pulse`: proves to them that nothing is missing.
//! - `keys`, `compact`: the subjects of records, and small ids.

mod compact;
mod incarnation;
mod index;
pub(super) mod keys;
mod known;
mod pulse;
mod review;
mod store;
mod tail;
mod together;
mod watch;
mod watch_state;

use std::sync::Arc;
use std::time::Duration;

use async_nats::jetstream::stream::{Config, DiscardPolicy, StorageType};
use async_trait::async_trait;
use bytes::Bytes;
use tokio::sync::OnceCell;
use tokio::time::Instant;

use super::connection::Nats;
use super::error::NatsError;
use super::follow::{Follower, Start};
use index::Index;
use keys::Keys;
use model::ids::{MonitorId, PartitionId, Revision};
use ports::BackendError;
use ports::clock::Clock;
use ports::registry::{
    Expected, Record, RecordKey, RecordKind, Registry, RegistryError, RegistryObserver, WatchGuard,
};
use pulse::Pulses;
use store::{Newest, Store, is_marker};
use together::Together;

/// Longest silence of a stream from which messages are still missing.
const STALLED_AFTER: Duration = Duration::from_secs(3);

/// The settings of the stream of a kind.
pub(super) fn stream_config(nats: &Nats, kind: RecordKind) -> Config {
    Config {
        name: nats.names.registry_stream(kind),
        // They are the same with any number of partitions.
        subjects: Keys::new(&nats.names.registry_root(), 1).of_stream(kind),
        max_messages_per_subject: 1,
        storage: StorageType::File,
        discard: DiscardPolicy::New,
        num_replicas: nats.options.replicas,
        deny_delete: true,
        allow_rollup: true,
        allow_message_ttl: true,
        // A direct read may be answered by a server that lags, and miss a record that was just written.
        allow_direct: false,
        ..Config::default()
    }
}

/// A [`Registry`] on NATS.
pub struct NatsRegistry {
    clock: Arc<dyn Clock>,
    monitors: Box<Kind>,
    channels: Box<Kind>,
    keys: Box<Kind>,
    tokens: Box<Kind>,
    maintenance: Box<Kind>,
    rebuilds: Box<Kind>,
    turns: Box<Kind>,
}

/// The records of a kind.
struct Kind {
    store: Store,
    /// Made at its first use.
    index: OnceCell<Index>,
}

impl Kind {
    async fn open(nats: &Nats, partitions: u16, kind: RecordKind) -> Result<Box<Self>, NatsError> {
        let stream_name = nats.names.registry_stream(kind);
        let stream = nats.jetstream.get_stream_no_info(&stream_name).await;
        let stream = stream.map_err(|source| NatsError::SetUp {
            what: format!("stream {stream_name}"),
            source: source.into(),
        })?;
        let keys = Keys::new(&nats.names.registry_root(), partitions);
        let incarnation = Arc::default();
        let store = Store { nats: nats.clone(), keys, kind, stream, stream_name, incarnation };
        Ok(Box::new(Self { store, index: OnceCell::new() }))
    }
}

impl NatsRegistry {
    /// Opens the registry on existing streams.
    pub(super) async fn open(nats: &Nats, partitions: u16, clock: Arc<dyn Clock>) -> Result<Self, NatsError> {
        // Boxed, so that no future of a caller holds all of them.
        let open = |kind| Box::pin(Kind::open(nats, partitions, kind));
        Ok(Self {
            clock,
            monitors: open(RecordKind::Monitor).await?,
            channels: open(RecordKind::Channel).await?,
            keys: open(RecordKind::Key).await?,
            tokens: open(RecordKind::Token).await?,
            maintenance: open(RecordKind::Maintenance).await?,
            rebuilds: open(RecordKind::Rebuild).await?,
            turns: open(RecordKind::Turn).await?,
        })
    }

    const fn of(&self, kind: RecordKind) -> &Kind {
        match kind {
            RecordKind::Monitor => &self.monitors,
            RecordKind::Channel => &self.channels,
            RecordKind::Key => &self.keys,
            RecordKind::Token => &self.tokens,
            RecordKind::Maintenance => &self.maintenance,
            RecordKind::Rebuild => &self.rebuilds,
            RecordKind::Turn => &self.turns,
        }
    }

    async fn page(
        &self,
        kind: RecordKind,
        after: Option<&str>,
        limit: usize,
    ) -> Result<Vec<Record>, BackendError> {
        let Kind { store, index } = self.of(kind);
        let index = index.get_or_try_init(|| Index::begin(store.clone(), Arc::clone(&self.clock))).await?;
        let moment = index.now().await?;
        let mut records: Vec<Record> = Vec::new();
        let mut after = after.map(str::to_owned);
        while records.len() < limit {
            let wanted = limit - records.len();
            let keys = index.page(moment, after.as_deref(), wanted).await?;
            let is_last = keys.len() < wanted;
            // Some records may have been deleted in between: others take their places.
            after = keys.last().map(|key| key.id.clone());
            records.extend(store.get_many(keys).await?);
            if is_last {
                break;
            }
        }
        Ok(records)
    }

    async fn partition_revisions(
        &self,
        partition: PartitionId,
    ) -> Result<Vec<(MonitorId, Revision)>, BackendError> {
        let store = &self.monitors.store;
        // The stream may have been made anew, and nothing else of this kind is followed here.
        store.info().await?;
        let pulses = Pulses::new(store.clone(), Arc::clone(&self.clock));
        let filters = vec![store.keys.of_partition(partition), pulses.subject().to_owned()];
        let mut follower =
            Follower::begin(&store.nats, &store.stream_name, filters, Start::Newest, true).await?;
        let end = pulses.send_stored().await?;
        let mut found = Vec::new();
        let mut heard_at = Instant::now();
        while heard_at.elapsed() < STALLED_AFTER {
            let Some(message) = follower.next().await? else { continue };
            heard_at = Instant::now();
            if pulses.read(&message).is_some_and(|pulse| pulse >= end) {
                return Ok(found);
            }
            let id = store.keys.read(&message.subject).and_then(|(_, id)| id.to_string().parse().ok());
            if let Some(monitor) = id.filter(|_| !is_marker(message.headers.as_ref())) {
                found.push((monitor, store.incarnation.revision(message.sequence)));
            }
        }
        Err("the stream of the registry does not go on".into())
    }
}

#[async_trait]
impl Registry for NatsRegistry {
    async fn get(&self, key: &RecordKey) -> Result<Option<Record>, RegistryError> {
        self.of(key.kind).store.get(key).await.map_err(RegistryError::Unavailable)
    }

    async fn put(
        &self,
        key: &RecordKey,
        expected: Expected,
        value: Bytes,
    ) -> Result<Revision, RegistryError> {
        self.of(key.kind).store.put(key, expected, value).await
    }

    async fn delete(&self, key: &RecordKey, expected: Revision) -> Result<(), RegistryError> {
        self.of(key.kind).store.delete(key, expected).await
    }

    async fn list(
        &self,
        kind: RecordKind,
        after: Option<&str>,
        limit: usize,
    ) -> Result<Vec<Record>, RegistryError> {
        self.page(kind, after, limit).await.map_err(RegistryError::Unavailable)
    }

    async fn revisions(
        &self,
        partition: PartitionId,
        count: u16,
    ) -> Result<Vec<(MonitorId, Revision)>, RegistryError> {
        let partitions = self.monitors.store.keys.partitions();
        if count != partitions {
            let why = format!("its records are kept in {partitions} partitions, not {count}");
            return Err(RegistryError::Unavailable(why.into()));
        }
        self.partition_revisions(partition).await.map_err(RegistryError::Unavailable)
    }

    async fn is_known(&self, kind: RecordKind) -> Result<bool, RegistryError> {
        let store = &self.of(kind).store;
        let newest = store.newest(&store.keys.of_kind(kind)).await;
        newest.map(|newest| !matches!(newest, Newest::Nothing)).map_err(RegistryError::Unavailable)
    }

    async fn watch(
        &self,
        kinds: &[RecordKind],
        observer: Arc<dyn RegistryObserver>,
    ) -> Result<WatchGuard, RegistryError> {
        let mut kinds = kinds.to_vec();
        kinds.sort_unstable();
        kinds.dedup();
        let parts = Together::parts(observer, Arc::clone(&self.clock), kinds.len());
        let mut watches = Vec::new();
        for (kind, part) in kinds.into_iter().zip(parts) {
            let watching = watch::begin(self.of(kind).store.clone(), Arc::clone(&self.clock), part).await;
            watches.push(watching.map_err(RegistryError::Unavailable)?);
        }
        Ok(WatchGuard::new(watches))
    }
}
