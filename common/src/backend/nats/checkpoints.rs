//! Checkpoints in an object store, one object per partition.
//!
//! An object is its chunks, under a subject of their own for each time it is put, and a message that names that subject, written
//! last: that one makes the new object valid and the old one stray.

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
use crate::model::ids::PartitionId;
use crate::ports::BackendError;
use crate::ports::checkpoints::{CheckpointError, CheckpointStore};
use strays::Strays;

/// One that takes longer is given up.
const TIMEOUT: Duration = Duration::from_secs(60);
/// How often one may be replaced while it is read.
const ATTEMPTS: usize = 5;

/// The stream of the object store, as clients make it, but read from its leader only.
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
    partitions: u16,
    /// Chunks that belong to nothing: somebody is writing them, or died over it.
    strays: Mutex<Strays>,
}

impl NatsCheckpoints {
    pub(super) fn new(nats: Nats, partitions: u16) -> Self {
        Self { nats, partitions, strays: Mutex::default() }
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

    async fn write(&self, partition: PartitionId, checkpoint: Bytes) -> Result<(), BackendError> {
        let store = self.store().await?;
        match store.put(name(partition).as_str(), &mut &checkpoint[..]).await {
            Ok(_) => {}
            // The new one is there. What is left of the old one is swept away later.
            Err(error) if error.kind() == PutErrorKind::PurgeOldChunks => {}
            Err(error) => return Err(error.into()),
        }
        if let Err(error) = self.sweep(&store, Instant::now()).await {
            tracing::debug!(%error, "chunks of old checkpoints stay for now");
        }
        Ok(())
    }

    async fn read(&self, partition: PartitionId) -> Result<Option<Bytes>, BackendError> {
        let store = self.store().await?;
        let mut incomplete = None;
        for _ in 0..ATTEMPTS {
            let Some(object) = find(&store, partition).await? else { return Ok(None) };
            if incomplete.as_ref() == Some(&object.nuid) {
                tracing::error!(%partition, "a checkpoint is damaged: it counts as none");
                return Ok(None);
            }
            if let Some(checkpoint) = self.read_chunks(&object).await? {
                return Ok(Some(checkpoint));
            }
            incomplete = Some(object.nuid);
        }
        Err("it is replaced faster than it can be read".into())
    }

    /// `None` if there are not as many as there should be: it was replaced in between.
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

    /// Removes chunks that belonged to nothing for a while.
    async fn sweep(&self, store: &ObjectStore, now: Instant) -> Result<(), BackendError> {
        let present = self.chunk_subjects().await?;
        if present.len() <= usize::from(self.partitions) {
            return Ok(());
        }
        let mut used = HashSet::new();
        for partition in (0..self.partitions).map(PartitionId) {
            let object = find(store, partition).await?;
            used.extend(object.map(|object| self.chunks(&object.nuid)));
        }
        let old = self.strays.lock().old(present, &used, now);
        for subject in old {
            let what = format!("STREAM.PURGE.{}", self.stream());
            let body = serde_json::json!({ "filter": subject });
            self.nats.api::<serde_json::Value>(&what, &body).await?;
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

fn name(partition: PartitionId) -> String {
    format!("checkpoint-{partition}")
}

async fn find(store: &ObjectStore, partition: PartitionId) -> Result<Option<ObjectInfo>, BackendError> {
    match store.info(name(partition)).await {
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
    async fn put(&self, partition: PartitionId, checkpoint: Bytes) -> Result<(), CheckpointError> {
        in_time(self.write(partition, checkpoint)).await
    }

    async fn get(&self, partition: PartitionId) -> Result<Option<Bytes>, CheckpointError> {
        in_time(self.read(partition)).await
    }
}

#[cfg(test)]
mod tests {
    use testbed::NatsServer;

    use super::*;
    use crate::backend::nats::NatsOptions;

    #[tokio::test(flavor = "multi_thread", worker_threads = 2)]
    async fn what_a_dead_writer_left_is_removed_after_a_while() {
        let server = NatsServer::start();
        let nats = Nats::connect(NatsOptions::new(server.url(), "a node")).await.expect("connect");
        nats.create_stream(&stream_config(&nats)).await.expect("create").expect("none was there");
        let checkpoints = NatsCheckpoints::new(nats.clone(), 1);
        let kept = Bytes::from_static(b"a checkpoint");
        checkpoints.put(PartitionId(0), kept.clone()).await.expect("put");
        let stray = nats.jetstream.publish(checkpoints.chunks("stray"), "half of one".into()).await;
        stray.expect("publish").await.expect("an acknowledgement");

        let store = checkpoints.store().await.expect("a store");
        let began = Instant::now();
        checkpoints.sweep(&store, began).await.expect("sweep");
        assert_eq!(checkpoints.chunk_subjects().await.expect("subjects").len(), 2, "it may still be written");
        checkpoints.sweep(&store, began + Duration::from_secs(601)).await.expect("sweep");
        assert_eq!(checkpoints.chunk_subjects().await.expect("subjects").len(), 1);
        assert_eq!(checkpoints.get(PartitionId(0)).await.expect("get"), Some(kept));
    }
}
