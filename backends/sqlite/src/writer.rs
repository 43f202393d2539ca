//! The one thread that writes to a database.
//!
//! The thread runs all waiting jobs in one transaction and answers them after the commit: one fsync for all
//! of them. When a job fails, nothing of the transaction stands, and each job is run again by itself.

use model::chain::Chain;
use ports::repeats::Repeats;
use std::sync::Arc;
use std::sync::mpsc::{Receiver, RecvTimeoutError, Sender, channel};
use std::time::{Duration, Instant};

use rusqlite::Connection;
use tokio::sync::{OwnedSemaphorePermit, Semaphore, oneshot};

use super::database::in_transaction;
use super::directory::DataDir;
use super::error::StoreError;
use super::pages::{cut_wal, write_back};

/// Most waiting jobs; further callers wait for room.
const WAITING: usize = 4_096;

/// Most jobs in one transaction.
const BATCH: usize = 1_024;

/// On a short disk, the write-ahead log is cut so often.
const CUT_EVERY: Duration = Duration::from_secs(10);

/// The work of a writer thread.
pub(super) trait Handler: Send + 'static {
    type Job: Send + 'static;

    /// A transaction begins; everything since the last [`committed`](Self::committed) is undone.
    fn begin(&mut self);
    /// Does a job's writes. It may be called again after another `begin`.
    fn run(&mut self, conn: &Connection, job: &mut Self::Job) -> rusqlite::Result<()>;
    /// The jobs since `begin` are durable.
    fn committed(&mut self, jobs: Vec<Self::Job>);
    /// A job failed by itself.
    fn failed(&mut self, job: Self::Job, error: rusqlite::Error);
    /// Does periodic work, and answers when to call again.
    fn maintain(&mut self, conn: &Connection) -> rusqlite::Result<Duration>;
    /// Whether [`maintain`](Self::maintain) should be called before its time.
    fn wants_maintenance(&self) -> bool {
        false
    }
    /// Writes what is left in memory.
    fn close(&mut self, conn: &Connection) -> rusqlite::Result<()>;
}

/// Gives jobs to a writer thread, which ends when it is closed, or with its last writer.
pub(super) struct Writer<J> {
    commands: Sender<Command<J>>,
    permits: Arc<Semaphore>,
}

enum Command<J> {
    Run(J, OwnedSemaphorePermit),
    Close(oneshot::Sender<rusqlite::Result<()>>),
}

impl<J: Send + 'static> Writer<J> {
    /// Starts the thread, which holds the data directory as long as it writes.
    pub(super) fn start<H: Handler<Job = J>>(
        name: &str,
        conn: Connection,
        handler: H,
        dir: Arc<DataDir>,
    ) -> std::io::Result<Self> {
        let (commands, received) = channel();
        let thread = WriterThread {
            conn,
            handler,
            received,
            permits: Vec::new(),
            next_cut: Instant::now(),
            write_back_at: None,
            tidying: Repeats::default(),
            dir,
        };
        std::thread::Builder::new().name(name.to_owned()).spawn(move || thread.run())?;
        Ok(Self { commands, permits: Arc::new(Semaphore::new(WAITING)) })
    }

    /// Hands a job over.
    pub(super) async fn submit(&self, job: J) -> Result<(), StoreError> {
        let permit = Arc::clone(&self.permits).acquire_owned().await.map_err(|_| StoreError::Closed)?;
        self.commands.send(Command::Run(job, permit)).map_err(|_| StoreError::Closed)
    }

    /// Ends the thread after all jobs that were handed over before.
    pub(super) async fn close(&self) -> Result<(), StoreError> {
        let (closed, answer) = oneshot::channel();
        self.commands.send(Command::Close(closed)).map_err(|_| StoreError::Closed)?;
        answer.await.map_err(|_| StoreError::Closed)?.map_err(StoreError::Sqlite)
    }
}

struct WriterThread<H: Handler> {
    conn: Connection,
    handler: H,
    received: Receiver<Command<H::Job>>,
    permits: Vec<OwnedSemaphorePermit>,
    next_cut: Instant,
    /// When the write-ahead log is written back; `None` as long as nothing was written since.
    write_back_at: Option<Instant>,
    tidying: Repeats,
    dir: Arc<DataDir>,
}

impl<H: Handler> WriterThread<H> {
    fn run(mut self) {
        let mut next_maintenance = Instant::now() + Duration::from_millis(100);
        let closed = loop {
            let next = self.write_back_at.map_or(next_maintenance, |at| at.min(next_maintenance));
            let wait = next.saturating_duration_since(Instant::now());
            let mut closing = None;
            match self.received.recv_timeout(wait) {
                Ok(Command::Run(job, permit)) => closing = self.run_batch(job, permit),
                Ok(Command::Close(closed)) => closing = Some(closed),
                Err(RecvTimeoutError::Timeout) => {}
                Err(RecvTimeoutError::Disconnected) => break None,
            }
            if closing.is_some() {
                break closing;
            }
            if Instant::now() >= next_maintenance || self.handler.wants_maintenance() {
                next_maintenance = Instant::now() + self.maintain();
            }
            self.write_back();
        };
        let Self { conn, mut handler, received, permits, dir, next_cut: _, write_back_at: _, tidying: _ } =
            self;
        let written = handler.close(&conn);
        drop(handler);
        // The last connection to close takes the write-ahead log into the database and removes it.
        let checkpoint = conn.query_row("PRAGMA wal_checkpoint(TRUNCATE)", [], |_| Ok(()));
        let ended = conn.close().map_err(|(_, error)| error);
        // Waiting callers get an error. The directory is free before anyone hears of the end.
        drop((received, permits, dir));
        if let Some(closed) = closed {
            closed.send(written.and(checkpoint).and(ended)).ok();
        }
    }

    /// Runs a job and all that wait behind it; answers a request to close that was among them.
    fn run_batch(
        &mut self,
        first: H::Job,
        permit: OwnedSemaphorePermit,
    ) -> Option<oneshot::Sender<rusqlite::Result<()>>> {
        let mut jobs = vec![first];
        let mut closing = None;
        self.permits.push(permit);
        while jobs.len() < BATCH && closing.is_none() {
            match self.received.try_recv() {
                Ok(Command::Run(job, permit)) => {
                    jobs.push(job);
                    self.permits.push(permit);
                }
                Ok(Command::Close(closed)) => closing = Some(closed),
                Err(_) => break,
            }
        }
        self.write(jobs);
        self.permits.clear();
        closing
    }

    fn write(&mut self, mut jobs: Vec<H::Job>) {
        self.handler.begin();
        let handler = &mut self.handler;
        let written =
            in_transaction(&self.conn, |conn| jobs.iter_mut().try_for_each(|job| handler.run(conn, job)));
        let every = self.dir.write_back_every();
        match written {
            Ok(()) => {
                self.write_back_at.get_or_insert_with(|| Instant::now() + every);
                self.handler.committed(jobs);
            }
            Err(error) if jobs.len() == 1 => {
                let error = self.dir.room().named(error);
                jobs.into_iter().zip([error]).for_each(|(job, error)| self.handler.failed(job, error));
            }
            Err(_) => jobs.into_iter().for_each(|job| self.write(vec![job])),
        }
    }

    fn write_back(&mut self) {
        if self.write_back_at.is_none_or(|at| Instant::now() < at) {
            return;
        }
        self.write_back_at = None;
        if let Err(error) = write_back(&self.conn) {
            // On a full disk it cannot be done; the next write asks for it again.
            tracing::debug!(error = %Chain(&error), "failed to write a write-ahead log back");
        }
    }

    fn maintain(&mut self) -> Duration {
        let room = self.dir.room();
        room.look();
        if room.disk_is_short() && Instant::now() >= self.next_cut {
            self.next_cut = Instant::now() + CUT_EVERY;
            if let Err(error) = cut_wal(&self.conn) {
                tracing::debug!(error = %Chain(&error), "failed to cut a write-ahead log");
            }
        }
        match self.handler.maintain(&self.conn) {
            Ok(next) => {
                self.tidying = Repeats::default();
                next
            }
            Err(error) => {
                if let Some(failures) = self.tidying.news(Instant::now()) {
                    let error = self.dir.room().named(error);
                    tracing::warn!(
                        thread = std::thread::current().name(),
                        failures,
                        error = %Chain(&error),
                        "failed to tidy up the database; it is tried again"
                    );
                }
                Duration::from_secs(10)
            }
        }
    }
}
