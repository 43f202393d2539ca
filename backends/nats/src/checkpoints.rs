//! Checkpoints in an object store, one object for each.
//!
//! Each `put` writes chunks under a new subject, and last a message that names that subject. This message
//! makes the new object valid and the old one stray.

mod strays;

use std::collections::HashSet;
use std::time::Duration;

use async_nats::jetstream::object_store::{InfoErrorKind, ObjectInfo, ObjectStore, PutErrorKind};
use async_nats::jetstream::stream::{Config, DiscardPolicy, StorageType};
use async_trait::async_trait;
use bytes::{Bytes, BytesMut};
use parking_lot::Mutex;
use tokio::time::Instant;

use super::connection::Nats;
use super::follow::{Follower, Start};
use model::chain::Chain;
use model::ids::{Offset, PartitionId};
use model::time::EventTime;
use ports::BackendError;
use ports::checkpoints::{CheckpointError, CheckpointPlace, CheckpointStore};
use strays::Strays;

/// Longest time for one operation.
const TIMEOUT: Duration = Duration::from_secs(60);
/// How often stray chunks are searched: the search lists all chunks.
const SWEEP_EVERY: Duration = Duration::from_secs(300);
/// How often a read starts over because its checkpoint was replaced.
const ATTEMPTS: usize = 5;

/// The stream of the object store, as other clients make it, but read only from its leader.
pub(super) fn stream_config(nats: &Nats) -> Config {
    let bucket = nats.names.checkpoints_bucket();
    Config {
        name: nats.names.checkpoints_stream(),
        description: Some("Lubdub: checkpoints of partitions".to_owned()),
        subjects: vec![format!("$O.{bucket}.C.>"), format!("$O.{bucket}.M.>")],
        storage: StorageType::File,
        num_replicas: nats.options.replicas.max(1),
        discard: DiscardPolicy::New,
        allow_rollup: true,
        ..Config::default()
    }
}

/// A [`CheckpointStore`] on JetStream.
pub struct NatsCheckpoints {
    nats: Nats,
    /// Chunks without an object: a writer is at work, or died.
    strays: Mutex<Strays>,
    swept_at: Mutex<Option<Instant>>,
}

impl NatsCheckpoints {
    pub(super) fn new(nats: Nats) -> Self {
        Self { nats, strays: Mutex::default(), swept_at: Mutex::default() }
    }

    async fn store(&self) -> Result<ObjectStore, BackendError> {
        self.nats.connected().await?;
        Ok(self.nats.jetstream.get_object_store(self.nats.names.checkpoints_bucket()).await?)
    }

    fn stream(&self) -> String {
        self.nats.names.checkpoints_stream()
    }

    fn chunks(&self, object: &str) -> String {
        format!("$O.{}.C.{object}", self.nats.names.checkpoints_bucket())
    }

    async fn write(&self, name: &str, checkpoint: Bytes) -> Result<(), BackendError> {
        let store = self.store().await?;
        match store.put(name, &mut &checkpoint[..]).await {
            Ok(_) => {}
            // The new object is there. The rest of the old one is swept away later.
            Err(error) if error.kind() == PutErrorKind::PurgeOldChunks => {}
            Err(error) => return Err(error.into()),
        }
        let now = Instant::now();
        let is_due = {
            let mut swept_at = self.swept_at.lock();
            let is_due = swept_at.is_none_or(|at| now.duration_since(at) >= SWEEP_EVERY);
            if is_due {
                *swept_at = Some(now);
            }
            is_due
        };
        if is_due && let Err(error) = self.sweep(now).await {
            tracing::debug!(error = %Chain(error.as_ref()), "chunks of old checkpoints stay for now");
        }
        Ok(())
    }

    async fn read(&self, name: &str) -> Result<Option<Bytes>, BackendError> {
        let store = self.store().await?;
        let mut incomplete = None;
        for _ in 0..ATTEMPTS {
            let Some(object) = find(&store, name).await? else { return Ok(None) };
            if incomplete.as_ref() == Some(&object.nuid) {
                tracing::error!(name, "a checkpoint is damaged: it counts as none");
                return Ok(None);
            }
            if let Some(checkpoint) = self.read_chunks(&object).await? {
                return Ok(Some(checkpoint));
            }
            incomplete = Some(object.nuid);
        }
        Err("it is replaced faster than it can be read".into())
    }

    /// All objects, with the subjects that name them.
    async fn objects(&self) -> Result<Vec<(String, ObjectInfo)>, BackendError> {
        let filters = vec![format!("$O.{}.M.>", self.nats.names.checkpoints_bucket())];
        let mut follower = Follower::begin(&self.nats, &self.stream(), filters, Start::Newest, false).await?;
        let mut objects = Vec::new();
        for _ in 0..follower.initial() {
            let Some(found) = follower.next().await? else { break };
            let object: ObjectInfo = serde_json::from_slice(&found.payload)?;
            if !object.deleted {
                objects.push((found.subject, object));
            }
        }
        Ok(objects)
    }

    async fn list(&self, partition: PartitionId) -> Result<Vec<CheckpointPlace>, BackendError> {
        let objects = self.objects().await?;
        let mut places: Vec<CheckpointPlace> =
            objects.iter().filter_map(|(_, object)| place(partition, &object.name)).collect();
        places.sort_unstable();
        Ok(places)
    }

    /// Removes first the message that makes an object valid, then its chunks; a later sweep removes what is
    /// left.
    async fn delete(&self, name: &str) -> Result<(), BackendError> {
        for (subject, object) in self.objects().await? {
            if object.name == name {
                self.purge(&subject).await?;
                self.purge(&self.chunks(&object.nuid)).await?;
            }
        }
        Ok(())
    }

    async fn purge(&self, subject: &str) -> Result<(), BackendError> {
        let what = format!("STREAM.PURGE.{}", self.stream());
        let body = serde_json::json!({ "filter": subject });
        self.nats.api::<serde_json::Value>(&what, &body).await?;
        Ok(())
    }

    /// `None` if chunks are missing: the object was replaced meanwhile.
    async fn read_chunks(&self, object: &ObjectInfo) -> Result<Option<Bytes>, BackendError> {
        let mut read = BytesMut::with_capacity(object.size);
        if object.chunks > 0 {
            let filters = vec![self.chunks(&object.nuid)];
            let mut follower =
                Follower::begin(&self.nats, &self.stream(), filters, Start::At(1), false).await?;
            for _ in 0..object.chunks {
                let Some(chunk) = follower.next().await? else { return Ok(None) };
                read.extend_from_slice(&chunk.payload);
            }
        }
        Ok((read.len() == object.size).then(|| read.freeze()))
    }

    /// Removes chunks that have been stray for long.
    async fn sweep(&self, now: Instant) -> Result<(), BackendError> {
        let present = self.chunk_subjects().await?;
        let objects = self.objects().await?;
        let used: HashSet<String> = objects.iter().map(|(_, object)| self.chunks(&object.nuid)).collect();
        let old = self.strays.lock().old(present, &used, now);
        for subject in old {
            self.purge(&subject).await?;
        }
        Ok(())
    }

    async fn chunk_subjects(&self) -> Result<Vec<String>, BackendError> {
        let body = serde_json::json!({ "subjects_filter": self.chunks(">") });
        let info: serde_json::Value = self.nats.api(&format!("STREAM.INFO.{}", self.stream()), &body).await?;
        let subjects = info.pointer("/state/subjects").and_then(serde_json::Value::as_object);
        Ok(subjects.map(|subjects| subjects.keys().cloned().collect()).unwrap_or_default())
    }
}

/// The name of a checkpoint's object.
fn name(partition: PartitionId, place: CheckpointPlace) -> String {
    format!("checkpoint-{partition}-{}-{}", place.applied, place.watermark.as_micros())
}

/// The position of the checkpoint of that name, if it is one of the partition's.
fn place(partition: PartitionId, name: &str) -> Option<CheckpointPlace> {
    let (applied, watermark) = name.strip_prefix(&format!("checkpoint-{partition}-"))?.split_once('-')?;
    let watermark = EventTime::from_micros(watermark.parse().ok()?);
    Some(CheckpointPlace { applied: Offset(applied.parse().ok()?), watermark })
}

async fn find(store: &ObjectStore, name: &str) -> Result<Option<ObjectInfo>, BackendError> {
    match store.info(name).await {
        Ok(object) => Ok(Some(object).filter(|object| !object.deleted)),
        Err(error) if error.kind() == InfoErrorKind::NotFound => Ok(None),
        Err(error) => Err(error.into()),
    }
}

async fn in_time<T>(work: impl Future<Output = Result<T, BackendError>>) -> Result<T, CheckpointError> {
    let done = tokio::time::timeout(TIMEOUT, work).await;
    done.map_err(|late| CheckpointError(late.into()))?.map_err(CheckpointError)
}

#[async_trait]
impl CheckpointStore for NatsCheckpoints {
    async fn put(
        &self,
        partition: PartitionId,
        place: CheckpointPlace,
        checkpoint: Bytes,
    ) -> Result<(), CheckpointError> {
        in_time(self.write(&name(partition, place), checkpoint)).await
    }

    async fn places(&self, partition: PartitionId) -> Result<Vec<CheckpointPlace>, CheckpointError> {
        in_time(self.list(partition)).await
    }

    async fn get(
        &self,
        partition: PartitionId,
        place: CheckpointPlace,
    ) -> Result<Option<Bytes>, CheckpointError> {
        in_time(self.read(&name(partition, place))).await
    }

    async fn remove(&self, partition: PartitionId, place: CheckpointPlace) -> Result<(), CheckpointError> {
        in_time(self.delete(&name(partition, place))).await
    }
}

#[cfg(test)]
mod tests {
    use servers::NatsServer;

    use super::*;
    use crate::NatsOptions;

    async fn checkpoints(server: &NatsServer) -> (Nats, NatsCheckpoints) {
        let nats = Nats::connect(NatsOptions::new(server.url(), "a node")).await.expect("connect");
        nats.create_stream(&stream_config(&nats)).await.expect("create").expect("none was there");
        (nats.clone(), NatsCheckpoints::new(nats))
    }

    async fn messages(nats: &Nats) -> u64 {
        let mut stream = nats.jetstream.get_stream(nats.names.checkpoints_stream()).await.expect("a stream");
        stream.info().await.expect("info").state.messages
    }

    #[tokio::test(flavor = "multi_thread", worker_threads = 2)]
    async fn what_is_replaced_or_removed_leaves_nothing_in_the_stream() {
        let server = NatsServer::start();
        let (nats, checkpoints) = checkpoints(&server).await;
        let place =
            |applied| CheckpointPlace { applied: Offset(applied), watermark: EventTime::from_secs(1) };
        let large = Bytes::from(vec![7; 300_000]);
        for partition in (0..12).map(PartitionId) {
            for applied in [1, 2, 2, 3] {
                checkpoints.put(partition, place(applied), large.clone()).await.expect("put");
            }
        }
        // Three chunks each, and what names them.
        assert_eq!(messages(&nats).await, 12 * 3 * 4);
        for partition in (0..12).map(PartitionId) {
            for applied in [1, 3, 3] {
                checkpoints.remove(partition, place(applied)).await.expect("remove");
            }
            assert_eq!(checkpoints.places(partition).await.expect("places"), [place(2)]);
            assert_eq!(checkpoints.get(partition, place(2)).await.expect("get"), Some(large.clone()));
        }
        assert_eq!(messages(&nats).await, 12 * 4);
    }

    #[tokio::test(flavor = "multi_thread", worker_threads = 2)]
    async fn what_is_removed_while_it_is_read_is_whole_or_none() {
        let server = NatsServer::start();
        let (_, checkpoints) = checkpoints(&server).await;
        let place = CheckpointPlace { applied: Offset(1), watermark: EventTime::from_secs(1) };
        let kept = Bytes::from(vec![7; 2 << 20]);
        for _ in 0..10 {
            checkpoints.put(PartitionId(0), place, kept.clone()).await.expect("put");
            let (read, removed) = tokio::join!(
                checkpoints.get(PartitionId(0), place),
                checkpoints.remove(PartitionId(0), place)
            );
            removed.expect("remove");
            let read = read.expect("get");
            assert!(read.is_none() || read.as_ref() == Some(&kept), "a part");
        }
        assert_eq!(checkpoints.places(PartitionId(0)).await.expect("places"), []);
    }

    #[tokio::test(flavor = "multi_thread", worker_threads = 2)]
    async fn what_a_dead_writer_left_is_removed_after_a_while() {
        let server = NatsServer::start();
        let (nats, checkpoints) = checkpoints(&server).await;
        let kept = Bytes::from_static(b"a checkpoint");
        let place = CheckpointPlace { applied: Offset(9), watermark: EventTime::from_secs(1) };
        checkpoints.put(PartitionId(0), place, kept.clone()).await.expect("put");
        let stray = nats.jetstream.publish(checkpoints.chunks("stray"), "half of one".into()).await;
        stray.expect("publish").await.expect("an acknowledgement");

        let began = Instant::now();
        checkpoints.sweep(began).await.expect("sweep");
        assert_eq!(checkpoints.chunk_subjects().await.expect("subjects").len(), 2, "it may still be written");
        checkpoints.sweep(began + Duration::from_secs(601)).await.expect("sweep");
        assert_eq!(checkpoints.chunk_subjects().await.expect("subjects").len(), 1);
        assert_eq!(checkpoints.get(PartitionId(0), place).await.expect("get"), Some(kept));
    }
}
