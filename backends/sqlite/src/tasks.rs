//! Jobs as closures, for databases whose writer keeps nothing in memory between transactions.

use std::time::Duration;

use rusqlite::Connection;
use tokio::sync::oneshot;

use super::error::StoreError;
use super::writer::{Handler, Writer};

/// A write, and the work after its commit.
pub(super) trait Task: Send {
    fn run(&mut self, conn: &Connection) -> rusqlite::Result<()>;
    fn finish(self: Box<Self>, written: Result<(), rusqlite::Error>);
}

struct Write<T, W, C> {
    work: W,
    outcome: Option<T>,
    on_commit: C,
    answer: oneshot::Sender<Result<T, StoreError>>,
}

impl<T, W, C> Task for Write<T, W, C>
where
    T: Send,
    W: FnMut(&Connection) -> rusqlite::Result<T> + Send,
    C: FnOnce(&T) + Send,
{
    fn run(&mut self, conn: &Connection) -> rusqlite::Result<()> {
        self.outcome = Some((self.work)(conn)?);
        Ok(())
    }

    fn finish(self: Box<Self>, written: Result<(), rusqlite::Error>) {
        let Self { outcome, on_commit, answer, .. } = *self;
        let outcome = written.map_err(StoreError::Sqlite).and_then(|()| outcome.ok_or(StoreError::Closed));
        if let Ok(outcome) = &outcome {
            on_commit(outcome);
        }
        // A cancelled caller does not wait for the answer; the write stands all the same.
        answer.send(outcome).ok();
    }
}

/// A writer of tasks.
pub(super) type TaskWriter = Writer<Box<dyn Task>>;

impl TaskWriter {
    /// Writes in the next transaction, and answers when the write is durable.
    ///
    /// `work` runs on the writer thread, perhaps more than once, and must change only the database. It
    /// reports a refusal as its outcome, before it writes. `on_commit` runs after the commit, in the order of
    /// the writes, before any caller has an answer.
    pub(super) async fn write<T: Send + 'static>(
        &self,
        work: impl FnMut(&Connection) -> rusqlite::Result<T> + Send + 'static,
        on_commit: impl FnOnce(&T) + Send + 'static,
    ) -> Result<T, StoreError> {
        let (answer, answered) = oneshot::channel();
        self.submit(Box::new(Write { work, outcome: None, on_commit, answer })).await?;
        answered.await.map_err(|_| StoreError::Closed)?
    }
}

/// Periodic work; answers when to call again.
pub(super) type Maintenance = Box<dyn FnMut(&Connection) -> rusqlite::Result<Duration> + Send>;

/// Runs tasks.
pub(super) struct TaskHandler {
    maintenance: Maintenance,
}

impl TaskHandler {
    pub(super) fn new(maintenance: Maintenance) -> Self {
        Self { maintenance }
    }
}

impl Handler for TaskHandler {
    type Job = Box<dyn Task>;

    fn begin(&mut self) {}

    fn run(&mut self, conn: &Connection, job: &mut Self::Job) -> rusqlite::Result<()> {
        job.run(conn)
    }

    fn committed(&mut self, jobs: Vec<Self::Job>) {
        jobs.into_iter().for_each(|job| job.finish(Ok(())));
    }

    fn failed(&mut self, job: Self::Job, error: rusqlite::Error) {
        job.finish(Err(error));
    }

    fn maintain(&mut self, conn: &Connection) -> rusqlite::Result<Duration> {
        (self.maintenance)(conn)
    }

    fn close(&mut self, _conn: &Connection) -> rusqlite::Result<()> {
        Ok(())
    }
}
