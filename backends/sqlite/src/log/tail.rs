//! The newest entries of a partition, in memory: what live readers read without touching the disk.

use std::collections::VecDeque;

use parking_lot::Mutex;
use tokio::sync::watch;

use super::rows::StoredExtent;
use model::ids::Offset;
use model::time::EventTime;
use ports::heartbeat_log::{LogEntry, LogError};

/// Most entries kept; unwritten ones are kept in any case.
const ENTRIES: usize = 4_096;

/// Most bytes of entries kept, as they are encoded.
const BYTES: usize = 8 << 20;

/// Bytes that an entry takes besides its encoded form, roughly.
const OVERHEAD: usize = 256;

/// The end of a partition's log.
pub(super) struct Tail {
    kept: Mutex<KeptEntries>,
    end: watch::Sender<Offset>,
}

struct KeptEntries {
    entries: VecDeque<(LogEntry, usize)>,
    bytes: usize,
    /// Every entry after this one is in `entries`.
    floor: Offset,
    last: Offset,
    durable: Offset,
    expired: Offset,
    top_sealed_at: Option<EventTime>,
}

/// The entries that a reader gets.
pub(super) enum Available {
    /// The next entries.
    Entries(Vec<LogEntry>),
    /// The next entry is older than the tail: it must be read from the disk.
    OnDisk,
    /// No further entry yet.
    Nothing,
}

impl Tail {
    pub(super) fn new(stored: StoredExtent) -> Self {
        let kept = KeptEntries {
            entries: VecDeque::new(),
            bytes: 0,
            floor: stored.last,
            last: stored.last,
            durable: stored.last,
            expired: stored.expired,
            top_sealed_at: stored.top_sealed_at,
        };
        Self { kept: Mutex::new(kept), end: watch::Sender::new(stored.last) }
    }

    /// Adds entries with their encoded sizes; everything up to `durable` is on the disk now.
    pub(super) fn extend(&self, entries: Vec<(LogEntry, usize)>, durable: Offset) {
        let last = {
            let mut kept = self.kept.lock();
            for (entry, size) in entries {
                let sealed_at = entry.frame.as_ref().ok().map(|frame| frame.sealed_at);
                kept.top_sealed_at = kept.top_sealed_at.max(sealed_at);
                kept.last = entry.offset;
                kept.bytes += size + OVERHEAD;
                kept.entries.push_back((entry, size + OVERHEAD));
            }
            kept.durable = durable;
            kept.shrink();
            kept.last
        };
        self.end.send_if_modified(|end| std::mem::replace(end, last) != last);
    }

    /// Entries up to `through` are about to be removed from the disk. Called before the removal, so that no
    /// reader takes the hole for the log.
    pub(super) fn expire(&self, through: Offset) {
        let mut kept = self.kept.lock();
        kept.expired = kept.expired.max(through);
    }

    pub(super) fn durable(&self) -> Offset {
        self.kept.lock().durable
    }

    /// The first and the last offset.
    pub(super) fn extent(&self) -> (Offset, Offset) {
        let kept = self.kept.lock();
        (kept.expired.next(), kept.last)
    }

    /// Whether a reader may be positioned at `after`.
    pub(super) fn check(&self, after: Offset) -> Result<(), LogError> {
        self.kept.lock().check(after)
    }

    pub(super) fn subscribe(&self) -> watch::Receiver<Offset> {
        self.end.subscribe()
    }

    /// The entries after `after`.
    pub(super) fn read(&self, after: Offset, limit: usize) -> Result<Available, LogError> {
        let kept = self.kept.lock();
        kept.check(after)?;
        if after < kept.floor {
            return Ok(Available::OnDisk);
        }
        let start = kept.entries.partition_point(|(entry, _)| entry.offset <= after);
        let entries: Vec<LogEntry> =
            kept.entries.range(start..).take(limit).map(|(entry, _)| entry.clone()).collect();
        Ok(if entries.is_empty() { Available::Nothing } else { Available::Entries(entries) })
    }
}

impl KeptEntries {
    fn check(&self, after: Offset) -> Result<(), LogError> {
        if after < self.expired {
            Err(LogError::Expired { first: self.expired.next() })
        } else if after > self.last {
            Err(LogError::Ahead { last: self.last })
        } else {
            Ok(())
        }
    }

    /// Unwritten entries stay: the tail has the only copy.
    fn shrink(&mut self) {
        while (self.entries.len() > ENTRIES || self.bytes > BYTES)
            && let Some((oldest, _)) = self.entries.front()
            && oldest.offset <= self.durable
            && let Some((gone, size)) = self.entries.pop_front()
        {
            self.floor = gone.offset;
            self.bytes -= size;
        }
    }
}
