//! Why there is no back-up, or nothing was restored.

use std::io;
use std::path::{Path, PathBuf};

use crate::error::OpenError;

/// Why a back-up was not made, or not restored. Nothing is left behind.
#[derive(Debug, thiserror::Error)]
pub enum BackupError {
    /// No Lubdub has data there.
    #[error("there is no Lubdub data in {}: name the folder of `lubdub up` with --data-dir", .0.display())]
    NoData(PathBuf),
    /// A database is not one that this program reads.
    #[error("the data cannot be backed up")]
    Unreadable(#[from] OpenError),
    /// A file has the name of the back-up.
    #[error("{} is there already", .0.display())]
    Exists(PathBuf),
    /// No moment was found at which no database was being written to.
    #[error("the databases in {} were written to without a pause; try again", .0.display())]
    Busy(PathBuf),
    /// The copies would fill the disk.
    #[error(
        "{} has {free} bytes free, and making the back-up takes up to {needed}; name a file on another disk",
        .folder.display()
    )]
    NoRoom {
        /// Where the copies are made.
        folder: PathBuf,
        /// Bytes that they take.
        needed: u64,
        /// Bytes that are free.
        free: u64,
    },
    /// A database cannot be read, or its copy not written.
    #[error("{} cannot be copied", .file.display())]
    Copy {
        /// The database.
        file: PathBuf,
        /// The error of SQLite.
        source: rusqlite::Error,
    },
    /// A file or folder cannot be read or written.
    #[error("{} cannot be read or written", .path.display())]
    Disk {
        /// Which.
        path: PathBuf,
        /// Why.
        source: io::Error,
    },
    /// The file is another one, or cut off, or was changed.
    #[error("{} is damaged, or no back-up of Lubdub: {why}", .file.display())]
    Damaged {
        /// The file.
        file: PathBuf,
        /// What is wrong with it.
        why: String,
    },
    /// A Lubdub of another version made the back-up.
    #[error(
        "{} was made by {} Lubdub ({program}): the format of its {what} is {found}, this program reads {known}",
        .file.display(),
        if found > known { "a newer" } else { "an older" }
    )]
    Version {
        /// The file.
        file: PathBuf,
        /// The version of the program that made it.
        program: String,
        /// Which format.
        what: &'static str,
        /// Its version.
        found: i64,
        /// The version that this program reads.
        known: i64,
    },
    /// The folder to restore to is not empty.
    #[error("{} is not empty ({}): a back-up is restored to a new or empty folder only", .dir.display(), .found.display())]
    NotEmpty {
        /// The folder.
        dir: PathBuf,
        /// Something in it.
        found: PathBuf,
    },
    /// A signal ended it.
    #[error("stopped by a signal; nothing was left behind")]
    Stopped,
}

impl BackupError {
    pub(super) fn disk(path: &Path) -> impl FnOnce(io::Error) -> Self {
        move |source| Self::Disk { path: path.to_owned(), source }
    }

    pub(super) fn copy(file: PathBuf) -> impl Fn(rusqlite::Error) -> Self {
        move |source| Self::Copy { file: file.clone(), source }
    }
}
