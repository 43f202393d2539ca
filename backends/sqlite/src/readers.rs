//! Reads beside the writer: a few connections on blocking threads, each used by one read at a time.

use std::path::PathBuf;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use parking_lot::Mutex;
use rusqlite::Connection;
use tokio::sync::Semaphore;

use super::database::Schema;
use super::error::StoreError;

/// Most reads at the same time.
const CONNECTIONS: usize = 4;

/// Reading connections to a database, opened as they are needed.
#[derive(Clone)]
pub(super) struct Readers {
    shared: Arc<ReadersInner>,
}

struct ReadersInner {
    schema: &'static Schema,
    dir: PathBuf,
    idle: Mutex<Vec<Connection>>,
    permits: Arc<Semaphore>,
    closed: AtomicBool,
}

impl Readers {
    pub(super) fn new(schema: &'static Schema, dir: PathBuf) -> Self {
        let permits = Arc::new(Semaphore::new(CONNECTIONS));
        let shared =
            ReadersInner { schema, dir, idle: Mutex::default(), permits, closed: AtomicBool::new(false) };
        Self { shared: Arc::new(shared) }
    }

    /// Runs `query` on a blocking thread. The query sees every write that was acknowledged before, and all
    /// its statements see one snapshot.
    pub(super) async fn read<T: Send + 'static>(
        &self,
        query: impl FnOnce(&Connection) -> Result<T, StoreError> + Send + 'static,
    ) -> Result<T, StoreError> {
        let shared = Arc::clone(&self.shared);
        let permit = Arc::clone(&shared.permits).acquire_owned().await.map_err(|_| StoreError::Closed)?;
        let reading = tokio::task::spawn_blocking(move || {
            let _permit = permit;
            shared.read(query)
        });
        // The thread panics only if the query does, and the runtime drops it only when it shuts down.
        reading.await.map_err(|_| StoreError::Closed)?
    }

    /// Closes the connections after the reads under way.
    pub(super) async fn close(&self) {
        self.shared.closed.store(true, Ordering::Release);
        let all = u32::try_from(CONNECTIONS).unwrap_or(1);
        // Waits for the reads that are under way.
        if let Ok(permits) = self.shared.permits.acquire_many(all).await {
            self.shared.idle.lock().clear();
            permits.forget();
        }
        self.shared.permits.close();
    }
}

impl ReadersInner {
    fn read<T>(&self, query: impl FnOnce(&Connection) -> Result<T, StoreError>) -> Result<T, StoreError> {
        if self.closed.load(Ordering::Acquire) {
            return Err(StoreError::Closed);
        }
        let idle = self.idle.lock().pop();
        let conn = match idle {
            Some(conn) => conn,
            None => self.schema.open_reader(&self.dir)?,
        };
        conn.prepare_cached("BEGIN")?.execute([])?;
        let answer = query(&conn);
        // After an error the connection may be broken: it is dropped.
        if conn.prepare_cached("COMMIT")?.execute([]).is_ok() {
            self.idle.lock().push(conn);
        }
        answer
    }
}
