//! Checkpoints as files in the data directory.
//!
//! The store writes a file under another name, makes it durable and then renames it: a file is whole or not
//! there. A checkpoint of a million monitors is tens of megabytes; in a database, it would pass through the
//! write-ahead log and leave holes.

use std::fs::{DirBuilder, File, OpenOptions};
use std::io::{self, ErrorKind, Write};
use std::path::{Path, PathBuf};
use std::sync::Arc;

use async_trait::async_trait;
use bytes::Bytes;
use parking_lot::Mutex;

use super::directory::{CHECKPOINTS, DataDir};
use super::error::StoreError;
use model::chain::Chain;
use model::ids::{Offset, PartitionId};
use model::time::EventTime;
use ports::BackendError;
use ports::checkpoints::{CheckpointError, CheckpointPlace, CheckpointStore};

const ENDING: &str = ".checkpoint";
/// Ending of an unfinished file, whose writer is at work or was killed.
const UNFINISHED: &str = ".part";

/// A [`CheckpointStore`] of files.
pub struct FileCheckpoints(Arc<Files>);

struct Files {
    folder: PathBuf,
    /// Held by the task that writes: one at a time, so that every unfinished file that it finds is a
    /// left-over. `None` when closed.
    writing: Mutex<Option<Arc<DataDir>>>,
}

impl FileCheckpoints {
    /// The checkpoints in a data directory. The first `put` makes the folder.
    pub(super) fn new(dir: &Path, held: Arc<DataDir>) -> Self {
        Self(Arc::new(Files { folder: dir.join(CHECKPOINTS), writing: Mutex::new(Some(held)) }))
    }

    /// Waits for the write under way, and refuses later ones.
    pub(super) async fn close(&self) {
        let let_go = |files: &Files| {
            files.writing.lock().take();
            Ok(())
        };
        let closed = self.run(let_go).await;
        if let Err(error) = closed {
            tracing::debug!(error = %Chain(&error), "the checkpoints were not closed in order");
        }
    }

    /// Runs `work` on a blocking thread. Work that began is carried out, even if its caller is cancelled.
    async fn run<T: Send + 'static>(
        &self,
        work: impl FnOnce(&Files) -> Result<T, BackendError> + Send + 'static,
    ) -> Result<T, CheckpointError> {
        let files = Arc::clone(&self.0);
        let done = tokio::task::spawn_blocking(move || work(&files)).await;
        done.map_err(|stopping| CheckpointError(stopping.into()))?.map_err(CheckpointError)
    }
}

impl Files {
    fn path(&self, partition: PartitionId, place: CheckpointPlace) -> PathBuf {
        self.folder.join(name(partition, place))
    }

    fn put(&self, name: &str, checkpoint: &[u8]) -> Result<(), BackendError> {
        let writing = self.writing.lock();
        if writing.is_none() {
            return Err(StoreError::Closed.into());
        }
        self.make()?;
        for left in self.names()?.into_iter().filter(|name| name.ends_with(UNFINISHED)) {
            std::fs::remove_file(self.folder.join(left))?;
        }
        let unfinished = self.folder.join(format!("{name}{UNFINISHED}"));
        let mut options = OpenOptions::new();
        options.create_new(true).write(true);
        #[cfg(unix)]
        std::os::unix::fs::OpenOptionsExt::mode(&mut options, 0o600);
        let mut file = options.open(&unfinished)?;
        file.write_all(checkpoint)?;
        file.sync_all()?;
        std::fs::rename(&unfinished, self.folder.join(name))?;
        Ok(File::open(&self.folder)?.sync_all()?)
    }

    /// Makes the folder, for this user alone, like the data directory.
    fn make(&self) -> io::Result<()> {
        let mut builder = DirBuilder::new();
        #[cfg(unix)]
        std::os::unix::fs::DirBuilderExt::mode(&mut builder, 0o700);
        match builder.create(&self.folder) {
            Ok(()) => File::open(self.folder.parent().unwrap_or(&self.folder))?.sync_all(),
            Err(error) if error.kind() == ErrorKind::AlreadyExists => Ok(()),
            Err(error) => Err(error),
        }
    }

    /// The names of all files in the folder; none without a folder.
    fn names(&self) -> io::Result<Vec<String>> {
        let entries = match std::fs::read_dir(&self.folder) {
            Err(error) if error.kind() == ErrorKind::NotFound => return Ok(Vec::new()),
            entries => entries?,
        };
        let named = entries.map(|entry| Ok(entry?.file_name().into_string().unwrap_or_default()));
        named.collect()
    }

    fn remove(&self, partition: PartitionId, place: CheckpointPlace) -> Result<(), BackendError> {
        let writing = self.writing.lock();
        if writing.is_none() {
            return Err(StoreError::Closed.into());
        }
        match std::fs::remove_file(self.path(partition, place)) {
            Err(error) if error.kind() != ErrorKind::NotFound => Err(error.into()),
            Ok(()) | Err(_) => Ok(()),
        }
    }
}

fn name(partition: PartitionId, place: CheckpointPlace) -> String {
    format!("{partition}_{}_{}{ENDING}", place.applied, place.watermark.as_micros())
}

/// The position of the checkpoint in the file of that name, if it is one of the partition's.
fn place(partition: PartitionId, name: &str) -> Option<CheckpointPlace> {
    let rest = name.strip_suffix(ENDING)?.strip_prefix(&format!("{partition}_"))?;
    let (applied, watermark) = rest.split_once('_')?;
    let watermark = EventTime::from_micros(watermark.parse().ok()?);
    Some(CheckpointPlace { applied: Offset(applied.parse().ok()?), watermark })
}

/// The partition and the offset of the checkpoint in the file of that name, if it is one.
pub(super) fn reached(name: &str) -> Option<(PartitionId, Offset)> {
    let partition = PartitionId(name.split_once('_')?.0.parse().ok()?);
    let place = place(partition, name)?;
    (name == self::name(partition, place)).then_some((partition, place.applied))
}

#[async_trait]
impl CheckpointStore for FileCheckpoints {
    async fn put(
        &self,
        partition: PartitionId,
        place: CheckpointPlace,
        checkpoint: Bytes,
    ) -> Result<(), CheckpointError> {
        self.run(move |files| files.put(&name(partition, place), &checkpoint)).await
    }

    async fn places(&self, partition: PartitionId) -> Result<Vec<CheckpointPlace>, CheckpointError> {
        let names = self.run(|files| Ok(files.names()?)).await?;
        let mut places: Vec<_> = names.iter().filter_map(|name| place(partition, name)).collect();
        places.sort_unstable();
        Ok(places)
    }

    async fn get(
        &self,
        partition: PartitionId,
        place: CheckpointPlace,
    ) -> Result<Option<Bytes>, CheckpointError> {
        self.run(move |files| match std::fs::read(files.path(partition, place)) {
            Ok(checkpoint) => Ok(Some(checkpoint.into())),
            Err(error) if error.kind() == ErrorKind::NotFound => Ok(None),
            Err(error) => Err(error.into()),
        })
        .await
    }

    async fn remove(&self, partition: PartitionId, place: CheckpointPlace) -> Result<(), CheckpointError> {
        self.run(move |files| files.remove(partition, place)).await
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;

    #[test]
    fn names_read_back_for_their_partition_only() {
        for (applied, micros) in [(0, 0), (1, -5), (u64::MAX, i64::MAX), (12, i64::MIN)] {
            let at = CheckpointPlace { applied: Offset(applied), watermark: EventTime::from_micros(micros) };
            let name = name(PartitionId(1), at);
            assert_eq!(place(PartitionId(1), &name), Some(at), "{name}");
            assert_eq!(place(PartitionId(11), &name), None);
            assert_eq!(place(PartitionId(1), &format!("{name}{UNFINISHED}")), None);
        }
        assert_eq!(place(PartitionId(1), "1_x_y.checkpoint"), None);
        assert_eq!(place(PartitionId(1), "notes.txt"), None);
    }

    #[tokio::test]
    async fn what_a_killed_writer_left_goes_with_the_next_one_and_nobody_else_may_look() {
        let dir = tempfile::tempdir().expect("a directory");
        let held = Arc::new(DataDir::take(dir.path(), &[], Duration::from_secs(60)).expect("take"));
        let store = FileCheckpoints::new(dir.path(), held);
        let at = |applied| CheckpointPlace { applied: Offset(applied), watermark: EventTime::from_secs(1) };
        store.put(PartitionId(0), at(1), Bytes::from_static(b"one")).await.expect("put");
        let folder = dir.path().join(CHECKPOINTS);
        std::fs::write(folder.join("0_2_1000000.checkpoint.part"), "half").expect("write");
        assert_eq!(store.places(PartitionId(0)).await.expect("places"), [at(1)]);
        store.put(PartitionId(0), at(3), Bytes::from_static(b"three")).await.expect("put");
        assert_eq!(store.0.names().expect("list").len(), 2, "the half is gone");
        #[cfg(unix)]
        for path in [folder.clone(), folder.join(name(PartitionId(0), at(3)))] {
            use std::os::unix::fs::PermissionsExt;
            let mode = std::fs::metadata(&path).expect("it is there").permissions().mode();
            assert_eq!(mode & 0o077, 0, "{}", path.display());
        }
        store.close().await;
        assert!(store.put(PartitionId(0), at(4), Bytes::new()).await.is_err(), "closed");
    }
}
