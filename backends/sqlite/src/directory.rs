//! The data directory: refuses foreign ones, and is held by one process at a time.

use std::fs::{File, OpenOptions};
use std::io;
use std::path::Path;
use std::time::Duration;

use rustix::fs::{FlockOperation, flock};

use super::error::OpenError;
use super::room::Room;

const LOCK: &str = "lock";

/// The folder of the checkpoints.
pub(super) const CHECKPOINTS: &str = "checkpoints";

/// Files that may lie in a data directory before the first database does.
const OURS: [&str; 6] = [LOCK, "admin.key", "admin.key.old", "starts", CHECKPOINTS, "lost+found"];

/// The data directory, held for this process until it is dropped.
pub(super) struct DataDir {
    /// The kernel releases the lock when the file is closed, also when the process is killed.
    _lock: File,
    room: Room,
    write_back_every: Duration,
}

impl DataDir {
    /// Makes the directory if it is missing, and locks it. `databases` are the files that mark a directory as
    /// Lubdub's.
    pub(super) fn take(
        dir: &Path,
        databases: &[&str],
        write_back_every: Duration,
    ) -> Result<Self, OpenError> {
        let not_writable = |source| OpenError::NotWritable { dir: dir.to_owned(), source };
        make(dir).map_err(not_writable)?;
        refuse_foreign(dir, databases, not_writable)?;
        let mut options = OpenOptions::new();
        options.create(true).truncate(false).write(true);
        #[cfg(unix)]
        std::os::unix::fs::OpenOptionsExt::mode(&mut options, 0o600);
        let lock = options.open(dir.join(LOCK)).map_err(not_writable)?;
        match flock(&lock, FlockOperation::NonBlockingLockExclusive) {
            Ok(()) => Ok(Self { _lock: lock, room: Room::new(dir), write_back_every }),
            Err(rustix::io::Errno::WOULDBLOCK) => Err(OpenError::InUse { dir: dir.to_owned() }),
            Err(error) => Err(not_writable(error.into())),
        }
    }

    /// How often write-ahead logs are written back.
    pub(super) const fn write_back_every(&self) -> Duration {
        self.write_back_every
    }

    /// The room on its disk.
    pub(super) const fn room(&self) -> &Room {
        &self.room
    }
}

/// Makes the directory for this user alone: the registry holds push tokens and secrets.
fn make(dir: &Path) -> io::Result<()> {
    let mut builder = std::fs::DirBuilder::new();
    #[cfg(unix)]
    std::os::unix::fs::DirBuilderExt::mode(&mut builder, 0o700);
    builder.recursive(true).create(dir)
}

fn refuse_foreign(
    dir: &Path,
    databases: &[&str],
    not_writable: impl Fn(io::Error) -> OpenError,
) -> Result<(), OpenError> {
    if databases.iter().any(|name| dir.join(name).exists()) {
        return Ok(());
    }
    for entry in std::fs::read_dir(dir).map_err(&not_writable)? {
        let name = entry.map_err(&not_writable)?.file_name();
        if !OURS.iter().any(|ours| name == *ours) {
            return Err(OpenError::Foreign { dir: dir.to_owned(), found: name.into() });
        }
    }
    Ok(())
}
