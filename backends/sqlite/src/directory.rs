//! The data directory: whose it is, and that one process at a time has it.

use std::fs::{File, OpenOptions};
use std::io;
use std::path::Path;

use rustix::fs::{FlockOperation, flock};

use super::error::OpenError;

const LOCK: &str = "lock";

/// The folder of the checkpoints.
pub(super) const CHECKPOINTS: &str = "checkpoints";

/// Files that may lie in a data directory before there is a database.
const OURS: [&str; 4] = [LOCK, "admin.key", CHECKPOINTS, "lost+found"];

/// The data directory, held for this process until it is dropped.
pub(super) struct DataDir {
    /// The kernel gives the lock back when the file is closed, also when the process is killed.
    _lock: File,
}

impl DataDir {
    /// Makes the directory if need be, and takes it. `databases` are the files by which it is known as ours.
    pub(super) fn take(dir: &Path, databases: &[&str]) -> Result<Self, OpenError> {
        let not_writable = |source| OpenError::NotWritable { dir: dir.to_owned(), source };
        make(dir).map_err(not_writable)?;
        refuse_foreign(dir, databases, not_writable)?;
        let mut options = OpenOptions::new();
        options.create(true).truncate(false).write(true);
        #[cfg(unix)]
        std::os::unix::fs::OpenOptionsExt::mode(&mut options, 0o600);
        let lock = options.open(dir.join(LOCK)).map_err(not_writable)?;
        match flock(&lock, FlockOperation::NonBlockingLockExclusive) {
            Ok(()) => Ok(Self { _lock: lock }),
            Err(rustix::io::Errno::WOULDBLOCK) => Err(OpenError::InUse { dir: dir.to_owned() }),
            Err(error) => Err(not_writable(error.into())),
        }
    }
}

/// The registry holds push tokens and secrets, so nobody else may look into a directory that we make.
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
