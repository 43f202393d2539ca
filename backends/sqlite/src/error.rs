//! Errors of a data directory and its databases.

use std::path::PathBuf;

use rusqlite::ErrorCode;

use ports::heartbeat_log::LogError;

/// Why a data directory could not be opened.
#[derive(Debug, thiserror::Error)]
pub enum OpenError {
    /// Another process has it open.
    #[error("the data directory {} is in use by another lubdub", .dir.display())]
    InUse {
        /// Which.
        dir: PathBuf,
    },
    /// The directory cannot be made or written to.
    #[error("the data directory {} cannot be written to", .dir.display())]
    NotWritable {
        /// Which.
        dir: PathBuf,
        /// Why.
        source: std::io::Error,
    },
    /// The directory holds files of another program.
    #[error("the directory {} holds other files ({}) and no Lubdub data", .dir.display(), .found.display())]
    Foreign {
        /// Which.
        dir: PathBuf,
        /// One of the foreign files.
        found: PathBuf,
    },
    /// There was an installation, and a part of it is missing.
    #[error(
        "the data directory {} holds {} of an installation, and {missing} is missing or empty. Copy or restore all files of the \
         folder together while its Lubdub is stopped, those that end in -wal too; to begin anew, name an empty folder with \
         --data-dir",
        .dir.display(),
        .found.display()
    )]
    Incomplete {
        /// Which.
        dir: PathBuf,
        /// The databases that are missing.
        missing: String,
        /// A file that says that there was an installation.
        found: PathBuf,
    },
    /// The databases are not of one moment.
    #[error(
        "the data directory {} is not of one moment: {why}. Its files were probably copied while its Lubdub ran, or without \
         those that end in -wal. Copy them again while it is stopped, or restore what `lubdub backup` made; to go on with what \
         is left, start once with --accept-torn",
        .dir.display()
    )]
    Torn {
        /// Which.
        dir: PathBuf,
        /// What does not fit together.
        why: String,
    },
    /// A page of the file is damaged.
    #[error(
        "{} is damaged: {found}. Copy the data directory again while its Lubdub is stopped, or restore what `lubdub backup` made",
        .file.display()
    )]
    Broken {
        /// The database.
        file: PathBuf,
        /// What is wrong with it.
        found: String,
    },
    /// A newer Lubdub wrote the database.
    #[error("{} is of a newer Lubdub: its format is {found}, this program reads {known}", .file.display())]
    Newer {
        /// The database.
        file: PathBuf,
        /// Its version.
        found: i64,
        /// The newest version that this program reads.
        known: i64,
    },
    /// An unreleased Lubdub wrote the database.
    #[error(
        "{} is of a Lubdub from before the first release: its format is {found}, this program knows {known}; begin with an empty \
         directory",
        .file.display()
    )]
    Older {
        /// The database.
        file: PathBuf,
        /// Its version.
        found: i64,
        /// The version that this program reads.
        known: i64,
    },
    /// The file is not a database, or lacks what it should hold.
    #[error(
        "{} is damaged; copy the data directory again while its Lubdub is stopped, or restore what `lubdub backup` made",
        .file.display()
    )]
    Damaged {
        /// The database.
        file: PathBuf,
        /// The error of SQLite.
        source: rusqlite::Error,
    },
    /// The log was created with another number of partitions.
    #[error("{} has {found} partitions, not {asked}; the number is fixed when a log is made", .file.display())]
    Partitions {
        /// The database.
        file: PathBuf,
        /// The number that it has.
        found: u16,
        /// The number in the options.
        asked: u16,
    },
    /// No room, or trouble with the disk.
    #[error("{} cannot be opened", .file.display())]
    Failed {
        /// The database.
        file: PathBuf,
        /// The error of SQLite.
        source: rusqlite::Error,
    },
}

impl OpenError {
    /// Translates an error of SQLite for the database `file`.
    pub(super) fn of(file: PathBuf, source: rusqlite::Error) -> Self {
        match source.sqlite_error_code() {
            Some(ErrorCode::DatabaseCorrupt | ErrorCode::NotADatabase) => Self::Damaged { file, source },
            Some(ErrorCode::ReadOnly | ErrorCode::CannotOpen | ErrorCode::PermissionDenied) => {
                let source = std::io::Error::new(std::io::ErrorKind::PermissionDenied, source);
                Self::NotWritable { dir: file.parent().map(PathBuf::from).unwrap_or(file), source }
            }
            // A table is missing, or holds something unexpected.
            _ if matches!(source, rusqlite::Error::QueryReturnedNoRows) => Self::Damaged { file, source },
            Some(ErrorCode::Unknown) => Self::Damaged { file, source },
            _ => Self::Failed { file, source },
        }
    }
}

/// Why a read or a write failed.
#[derive(Debug, thiserror::Error)]
pub(super) enum StoreError {
    #[error("use the database")]
    Sqlite(#[from] rusqlite::Error),
    #[error("the database is closed")]
    Closed,
    #[error("there is no partition {0}")]
    NoPartition(u16),
    #[error("read what is stored")]
    Stored(#[from] model::wire::WireError),
    #[error("the log has a hole after offset {0}")]
    Hole(u64),
}

impl From<StoreError> for LogError {
    fn from(error: StoreError) -> Self {
        if error.is_full() { Self::Full(error.into()) } else { Self::Unavailable(error.into()) }
    }
}

impl StoreError {
    fn is_full(&self) -> bool {
        match self {
            Self::Sqlite(error) => error.sqlite_error_code() == Some(ErrorCode::DiskFull),
            Self::Closed | Self::NoPartition(_) | Self::Stored(_) | Self::Hole(_) => false,
        }
    }
}
