//! The room on the disk of the databases, and how much of it they may take.

use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};

use parking_lot::Mutex;
use rusqlite::ErrorCode;

/// Bytes of a page: SQLite's default, which every database is made with.
pub(super) const PAGE: u64 = 4_096;

/// Without a limit in the options, the log may take this part of the disk, and at most so many bytes.
const PART_OF_DISK: u64 = 10;
const MOST: u64 = 8 << 30;
/// The limit where the disk cannot be asked.
const UNKNOWN_DISK: u64 = 1 << 30;

/// The disk is short when less than this part of it is free, or less than so many bytes if that is less.
const SHORT_PART: u64 = 10;
const SHORT: u64 = 256 << 20;

/// A write-ahead log is written back at this part of the disk, so that a small disk is not full of them.
const WAL_PART: u64 = 64;
const LEAST_WAL_PAGES: u64 = 64;

/// The size of a disk and what an ordinary user may still take of it, bytes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
struct Disk {
    size: u64,
    free: u64,
}

fn disk(dir: &Path) -> Option<Disk> {
    let found = rustix::fs::statvfs(dir).ok()?;
    let bytes = |blocks: u64| blocks.saturating_mul(found.f_frsize);
    Some(Disk { size: bytes(found.f_blocks), free: bytes(found.f_bavail) })
}

/// What an ordinary user may still take of the disk of `dir`, bytes; `None` where it cannot be asked.
pub(super) fn free(dir: &Path) -> Option<u64> {
    disk(dir).map(|disk| disk.free)
}

/// The limit of the log on the disk of `dir`: a tenth of it, at most 8 GiB.
pub(super) fn default_limit(dir: &Path) -> u64 {
    disk(dir).map_or(UNKNOWN_DISK, |disk| (disk.size / PART_OF_DISK).min(MOST))
}

/// The length at which a write-ahead log is written back, pages: `wanted`, or less on a small disk.
pub(super) fn wal_pages(dir: &Path, wanted: i64) -> i64 {
    let Some(disk) = disk(dir) else { return wanted };
    let fitting = (disk.size / WAL_PART / PAGE).max(LEAST_WAL_PAGES);
    wanted.min(i64::try_from(fitting).unwrap_or(i64::MAX))
}

/// Whether there is room, as the writers of all databases see it.
pub(super) struct Room {
    dir: PathBuf,
    disk_is_short: AtomicBool,
    log_is_full: AtomicBool,
    said_of_log: Mutex<Said>,
}

/// A log with a small limit may be full and have room again several times a second.
const SAY_EVERY: Duration = Duration::from_secs(60);

/// What the operator was told last of the log, and when.
#[derive(Default)]
struct Said {
    full: bool,
    at: Option<Instant>,
}

impl Said {
    /// Whether to tell of it now. What is so for a moment only is told once a minute at most.
    fn is_news(&mut self, full: bool, now: Instant) -> bool {
        let news =
            self.full != full && self.at.is_none_or(|at| now.saturating_duration_since(at) >= SAY_EVERY);
        if news {
            *self = Self { full, at: Some(now) };
        }
        news
    }
}

impl Room {
    pub(super) fn new(dir: &Path) -> Self {
        let room = Self {
            dir: dir.to_owned(),
            disk_is_short: AtomicBool::new(false),
            log_is_full: AtomicBool::new(false),
            said_of_log: Mutex::default(),
        };
        room.look();
        room
    }

    /// Whether only what is needed should be written: the disk is short, or the log is full of entries that
    /// are not applied.
    pub(super) fn is_short(&self) -> bool {
        self.disk_is_short() || self.log_is_full.load(Ordering::Relaxed)
    }

    pub(super) fn disk_is_short(&self) -> bool {
        self.disk_is_short.load(Ordering::Relaxed)
    }

    /// Asks how much of the disk is free.
    pub(super) fn look(&self) {
        let Some(disk) = disk(&self.dir) else { return };
        let was = self.disk_is_short();
        let is = is_short(disk, was);
        if self.disk_is_short.swap(is, Ordering::Relaxed) != is {
            let mebibytes_free = disk.free >> 20;
            if is {
                let folder = self.dir.display();
                tracing::warn!(%folder, mebibytes_free, "the disk is nearly full; outputs of jobs are not kept");
            } else {
                tracing::info!(folder = %self.dir.display(), mebibytes_free, "the disk has room again");
            }
        }
    }

    /// The error with the name of the disk, if that is full and not a database of limited size.
    pub(super) fn named(&self, error: rusqlite::Error) -> rusqlite::Error {
        let rusqlite::Error::SqliteFailure(code, _) = &error else { return error };
        let is_of_disk = matches!(code.code, ErrorCode::DiskFull | ErrorCode::SystemIoFailure);
        match disk(&self.dir) {
            Some(disk) if is_of_disk && is_short(disk, false) => {
                let (dir, mebibytes) = (self.dir.display(), disk.free >> 20);
                let text = format!("the disk of {dir} is full ({mebibytes} MiB are free)");
                rusqlite::Error::SqliteFailure(*code, Some(text))
            }
            Some(_) | None => error,
        }
    }

    /// Whether the log takes all that it may and can drop nothing.
    pub(super) fn set_log_full(&self, full: bool) {
        self.log_is_full.store(full, Ordering::Relaxed);
        if self.said_of_log.lock().is_news(full, Instant::now()) {
            if full {
                tracing::warn!(
                    "the heartbeat log is full of entries that are not applied; outputs of jobs are not kept"
                );
            } else {
                tracing::info!("the heartbeat log has room again");
            }
        }
    }
}

/// A disk that was short stays so until a quarter more is free: it would change to and fro otherwise.
fn is_short(disk: Disk, was: bool) -> bool {
    let least = (disk.size / SHORT_PART).min(SHORT);
    disk.free < if was { least + least / 4 } else { least }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_log_that_is_full_to_and_fro_is_told_of_once_a_minute() {
        let mut said = Said::default();
        let begin = Instant::now();
        let told: Vec<(u64, bool)> = (0..600)
            .map(|n| (n, n % 2 == 1))
            .filter(|(n, full)| said.is_news(*full, begin + Duration::from_millis(500 * n)))
            .collect();
        assert_eq!(told, [(1, true), (122, false), (243, true), (364, false), (485, true)]);
        let later = begin + Duration::from_secs(1_000);
        assert!(!said.is_news(true, later));
        assert!(said.is_news(false, later), "in the end it is told as it is");
    }

    #[test]
    fn a_disk_is_short_below_a_tenth_or_256_mib_and_until_a_quarter_more_is_free() {
        const MIB: u64 = 1 << 20;
        for (size, free, was, expected) in [
            (20 * MIB, 3 * MIB, false, false),
            (20 * MIB, MIB, false, true),
            (20 * MIB, 2 * MIB + MIB / 4, true, true),
            (20 * MIB, 3 * MIB, true, false),
            (1 << 40, 300 * MIB, false, false),
            (1 << 40, 300 * MIB, true, true),
            (1 << 40, 255 * MIB, false, true),
            (1 << 40, 321 * MIB, true, false),
        ] {
            assert_eq!(is_short(Disk { size, free }, was), expected, "{free} of {size}, short before: {was}");
        }
    }
}
