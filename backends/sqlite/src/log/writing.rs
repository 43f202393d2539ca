//! The work of the log's writer thread.

use std::sync::Arc;
use std::time::{Duration, Instant};

use bytes::Bytes;
use rusqlite::{Connection, params};
use tokio::sync::oneshot;

use super::bound::{Bound, Surplus};
use super::fold::PendingTicks;
use super::rows::{StoredExtent, key, offset};
use super::tail::Tail;
use crate::database::{from_sql, in_transaction, to_sql};
use crate::error::StoreError;
use crate::options::LogOptions;
use crate::pages::give_back;
use crate::writer::Handler;
use model::ids::Offset;
use model::time::EventTime;
use model::wire::encode;
use model::wire::frame::Frame;
use ports::clock::Clock;
use ports::heartbeat_log::LogEntry;

/// Longest time that a tick waits to be written.
const TICKS_WAIT: Duration = Duration::from_secs(10);

/// Entries removed in one transaction, and the pause before the next: removal must not delay appends.
const EXPIRE_STEP: i64 = 1_000;
const EXPIRE_PAUSE: Duration = Duration::from_millis(100);

/// The offset and the time of a recorded entry.
#[derive(Debug, Clone, Copy)]
pub(super) struct Written {
    pub(super) offset: Offset,
    pub(super) logged_at: EventTime,
}

pub(super) enum Job {
    Append {
        partition: u16,
        frame: Arc<Frame>,
        /// The frame's stored form; `None` for a tick.
        bytes: Option<Bytes>,
        written: Option<Written>,
        answer: oneshot::Sender<Result<Written, StoreError>>,
    },
    Sync {
        partition: u16,
        through: Offset,
        answer: oneshot::Sender<Result<(), StoreError>>,
    },
}

/// A partition as the current transaction sees it.
#[derive(Debug, Clone, Default)]
struct Partition {
    last: Offset,
    durable: Offset,
    logged_at: Option<EventTime>,
    top_sealed_at: Option<EventTime>,
    pending: PendingTicks,
    /// When the oldest pending tick arrived.
    pending_since: Option<Instant>,
}

pub(super) struct LogWriter {
    committed: Vec<Partition>,
    working: Vec<Partition>,
    tails: Vec<Arc<Tail>>,
    clock: Arc<dyn Clock>,
    retention: Duration,
    expire_every: Duration,
    next_expiry: Instant,
    bound: Bound,
}

impl Partition {
    fn append(
        &mut self,
        conn: &Connection,
        partition: u16,
        now: EventTime,
        frame: &Arc<Frame>,
        bytes: Option<&Bytes>,
    ) -> rusqlite::Result<Written> {
        let logged_at = self.logged_at.map_or(now, |before| before.max(now));
        if bytes.is_some() || self.pending.is_full() {
            self.write_pending(conn, partition)?;
        }
        let written = Written { offset: self.last.next(), logged_at };
        self.last = written.offset;
        self.logged_at = Some(logged_at);
        self.top_sealed_at = self.top_sealed_at.max(Some(frame.sealed_at));
        match bytes {
            Some(bytes) => self.insert(conn, partition, written, bytes)?,
            None => {
                self.pending.push(written.offset, logged_at, frame);
                self.pending_since.get_or_insert_with(Instant::now);
            }
        }
        Ok(written)
    }

    /// Writes the pending ticks, before any entry with a later offset.
    fn write_pending(&mut self, conn: &Connection, partition: u16) -> rusqlite::Result<()> {
        for fold in self.pending.take() {
            let written = Written { offset: fold.last, logged_at: fold.logged_at };
            self.insert(conn, partition, written, &encode(&fold.frame()))?;
        }
        self.pending_since = None;
        Ok(())
    }

    fn insert(
        &mut self,
        conn: &Connection,
        partition: u16,
        written: Written,
        bytes: &[u8],
    ) -> rusqlite::Result<()> {
        let mut insert = conn.prepare_cached("INSERT INTO entries VALUES (?1, ?2, ?3, ?4)")?;
        let top_sealed_at = self.top_sealed_at.map_or(0, EventTime::as_micros);
        let key = to_sql(key(partition, written.offset));
        insert.execute(params![key, written.logged_at.as_micros(), top_sealed_at, bytes])?;
        self.durable = written.offset;
        Ok(())
    }
}

impl LogWriter {
    pub(super) fn new(
        stored: &[StoredExtent],
        tails: Vec<Arc<Tail>>,
        clock: Arc<dyn Clock>,
        options: &LogOptions,
        bound: Bound,
    ) -> Self {
        let partition = |stored: &StoredExtent| Partition {
            last: stored.last,
            durable: stored.last,
            logged_at: stored.logged_at,
            top_sealed_at: stored.top_sealed_at,
            ..Partition::default()
        };
        let committed: Vec<Partition> = stored.iter().map(partition).collect();
        let working = committed.clone();
        let (retention, expire_every) = (options.retention, options.expire_every);
        let next_expiry = Instant::now();
        Self { committed, working, tails, clock, retention, expire_every, next_expiry, bound }
    }

    /// Writes all pending ticks, or those that have waited long enough.
    fn write_ticks(&mut self, conn: &Connection, all: bool) -> rusqlite::Result<()> {
        let due = |partition: &Partition| {
            partition.pending_since.is_some_and(|since| all || since.elapsed() >= TICKS_WAIT)
        };
        if !self.committed.iter().any(due) {
            return Ok(());
        }
        self.begin();
        let working = &mut self.working;
        in_transaction(conn, |conn| {
            let numbered = (0_u16..).zip(working).filter(|(_, partition)| due(partition));
            numbered.into_iter().try_for_each(|(number, partition)| partition.write_pending(conn, number))
        })?;
        self.committed(Vec::new());
        Ok(())
    }

    fn partitions(&self) -> u16 {
        u16::try_from(self.tails.len()).unwrap_or(u16::MAX)
    }

    /// Removes a step of expired entries; answers whether there are more.
    fn expire(&mut self, conn: &Connection) -> rusqlite::Result<bool> {
        let cutoff = self.clock.now() - self.retention;
        let mut more = false;
        for number in 0..self.partitions() {
            let first = to_sql(key(number, Offset::START));
            let end = to_sql(key(number, Offset(u64::MAX >> 16)));
            // The newest of the first entries that are all expired.
            let old: Option<i64> = conn
                .prepare_cached(
                    "SELECT max(key) FROM (SELECT key, logged_at FROM entries WHERE key BETWEEN ?1 AND ?2
                 ORDER BY key LIMIT ?3) WHERE logged_at < ?4",
                )?
                .query_row(params![first, end, EXPIRE_STEP, cutoff.as_micros()], |row| row.get(0))?;
            let Some(through) = old else { continue };
            let removed = self.remove(conn, number, through)?;
            more |= to_sql(removed as u64) >= EXPIRE_STEP;
        }
        Ok(more)
    }

    /// Removes the entries of a partition up to a key; answers how many.
    fn remove(&self, conn: &Connection, number: u16, through: i64) -> rusqlite::Result<usize> {
        let through_offset = offset(from_sql(through));
        let top = self.committed.get(usize::from(number)).and_then(|partition| partition.top_sealed_at);
        if let Some(tail) = self.tails.get(usize::from(number)) {
            tail.expire(through_offset);
        }
        in_transaction(conn, |conn| {
            conn.execute(
                "INSERT OR REPLACE INTO partitions VALUES (?1, ?2, ?3)",
                params![number, to_sql(through_offset.0), top.map(EventTime::as_micros)],
            )?;
            let first = to_sql(key(number, Offset::START));
            conn.execute("DELETE FROM entries WHERE key BETWEEN ?1 AND ?2", [first, through])
        })
    }

    /// Removes a step of the oldest entries if the log takes more than it may; answers whether it did.
    fn shrink(&mut self, conn: &Connection) -> rusqlite::Result<bool> {
        let partitions = self.partitions();
        let Some(Surplus { partition, through }) = self.bound.surplus(conn, partitions)? else {
            return Ok(false);
        };
        self.remove(conn, partition, through)?;
        Ok(true)
    }
}

impl Handler for LogWriter {
    type Job = Job;

    fn begin(&mut self) {
        self.working.clone_from(&self.committed);
    }

    fn run(&mut self, conn: &Connection, job: &mut Job) -> rusqlite::Result<()> {
        match job {
            Job::Append { partition, frame, bytes, written, .. } => {
                let now = self.clock.now();
                if let Some(working) = self.working.get_mut(usize::from(*partition)) {
                    *written = Some(working.append(conn, *partition, now, frame, bytes.as_ref())?);
                }
            }
            Job::Sync { partition, through, .. } => {
                if let Some(working) = self.working.get_mut(usize::from(*partition))
                    && working.pending.reaches(*through)
                {
                    working.write_pending(conn, *partition)?;
                }
            }
        }
        Ok(())
    }

    fn committed(&mut self, jobs: Vec<Job>) {
        self.committed.clone_from(&self.working);
        let mut added: Vec<Vec<(LogEntry, usize)>> = self.tails.iter().map(|_| Vec::new()).collect();
        for job in &jobs {
            if let Job::Append { partition, frame, bytes, written: Some(written), .. } = job
                && let Some(added) = added.get_mut(usize::from(*partition))
            {
                let Written { offset, logged_at } = *written;
                let entry = LogEntry { offset, logged_at, frame: Ok(Arc::clone(frame)) };
                let size = bytes.as_ref().map_or(0, Bytes::len);
                self.bound.count(size);
                added.push((entry, size));
            }
        }
        for ((tail, entries), partition) in self.tails.iter().zip(added).zip(&self.committed) {
            tail.extend(entries, partition.durable);
        }
        // A cancelled caller does not wait for the answer; the entry stands all the same.
        for job in jobs {
            match job {
                Job::Append { partition, written, answer, .. } => {
                    answer.send(written.ok_or(StoreError::NoPartition(partition))).ok();
                }
                Job::Sync { answer, .. } => drop(answer.send(Ok(()))),
            }
        }
    }

    fn failed(&mut self, job: Job, error: rusqlite::Error) {
        match job {
            Job::Append { answer, .. } => drop(answer.send(Err(error.into()))),
            Job::Sync { answer, .. } => drop(answer.send(Err(error.into()))),
        }
    }

    fn maintain(&mut self, conn: &Connection) -> rusqlite::Result<Duration> {
        // Before the ticks, which may find no room.
        let shrunk = self.shrink(conn)?;
        self.write_ticks(conn, false)?;
        let mut pause = Duration::from_secs(1).min(self.expire_every);
        if Instant::now() >= self.next_expiry {
            let more = self.expire(conn)?;
            self.next_expiry = Instant::now() + if more { EXPIRE_PAUSE } else { self.expire_every };
            pause = if more { pause.min(EXPIRE_PAUSE) } else { pause };
        }
        let more_to_give_back = give_back(conn)?;
        Ok(if shrunk || more_to_give_back { pause.min(EXPIRE_PAUSE) } else { pause })
    }

    fn wants_maintenance(&self) -> bool {
        self.bound.is_due()
    }

    fn close(&mut self, conn: &Connection) -> rusqlite::Result<()> {
        self.write_ticks(conn, true)
    }
}
