//! The watches of the registry.

use std::collections::HashMap;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use parking_lot::Mutex;
use rusqlite::Connection;
use tokio::task::JoinSet;
use tokio::time::MissedTickBehavior;

use super::rows::{kind_number, record};
use crate::database::{from_sql, optional};
use model::ids::Revision;
use ports::registry::{Record, RecordKey, RecordKind, RegistryObserver};

/// A change to report to observers.
#[derive(Debug, Clone)]
pub(super) enum Change {
    Put(Record),
    Deleted(RecordKey, Revision),
}

impl Change {
    fn key(&self) -> &RecordKey {
        match self {
            Self::Put(record) => &record.key,
            Self::Deleted(key, _) => key,
        }
    }

    fn revision(&self) -> Revision {
        match self {
            Self::Put(record) => record.revision,
            Self::Deleted(_, revision) => *revision,
        }
    }
}

/// All watchers.
#[derive(Default)]
pub(super) struct Watchers {
    list: Mutex<Vec<Arc<Watcher>>>,
}

/// One watcher. It is told the records of one snapshot of the database first. Changes that come meanwhile are
/// kept, each record in its latest form only, and told afterwards.
pub(super) struct Watcher {
    kinds: Vec<RecordKind>,
    observer: Arc<dyn RegistryObserver>,
    phase: Mutex<Phase>,
    ended: AtomicBool,
}

enum Phase {
    Loading(HashMap<RecordKey, Change>),
    /// The revision of the snapshot. Changes up to it are in the snapshot, though they may be announced only
    /// now.
    Live(Revision),
}

impl Watchers {
    /// Tells all watchers of a change. Called by the writer thread alone, in the order of the commits.
    pub(super) fn tell(&self, change: &Change) {
        let watchers: Vec<Arc<Watcher>> = self.list.lock().clone();
        watchers.iter().for_each(|watcher| watcher.hear(change));
    }

    /// Begins to keep changes for a watcher.
    pub(super) fn begin(
        self: &Arc<Self>,
        kinds: &[RecordKind],
        observer: Arc<dyn RegistryObserver>,
    ) -> Watching {
        let watcher = Arc::new(Watcher {
            kinds: kinds.to_vec(),
            observer,
            phase: Mutex::new(Phase::Loading(HashMap::new())),
            ended: AtomicBool::new(false),
        });
        self.list.lock().push(Arc::clone(&watcher));
        Watching { watchers: Arc::clone(self), watcher, beats: JoinSet::new() }
    }
}

impl Watcher {
    fn hear(&self, change: &Change) {
        if !self.kinds.contains(&change.key().kind) {
            return;
        }
        match &mut *self.phase.lock() {
            Phase::Loading(kept) => drop(kept.insert(change.key().clone(), change.clone())),
            // Under the lock, so that the observer hears one change at a time.
            Phase::Live(loaded) if change.revision() > *loaded => self.tell(change),
            Phase::Live(_) => {}
        }
    }

    fn tell(&self, change: &Change) {
        if self.ended.load(Ordering::Acquire) {
            return;
        }
        match change {
            Change::Put(record) => self.observer.put(record),
            Change::Deleted(key, _) => self.observer.deleted(key),
        }
    }

    /// Tells the records of the current read transaction, then the changes since.
    pub(super) fn load(&self, conn: &Connection) -> rusqlite::Result<()> {
        let sql = "SELECT value FROM counters WHERE name = 'revision'";
        let loaded = Revision(from_sql(optional::<i64>(conn, sql, [])?.unwrap_or(0)));
        let sql = "SELECT id, revision, value FROM records WHERE kind = ?1";
        for kind in &self.kinds {
            let mut query = conn.prepare_cached(sql)?;
            let mut rows = query.query([kind_number(*kind)])?;
            while let Some(row) = rows.next()? {
                if self.ended.load(Ordering::Acquire) {
                    return Ok(());
                }
                self.observer.put(&record(*kind, row)?);
            }
        }
        let mut phase = self.phase.lock();
        if let Phase::Loading(kept) = &mut *phase {
            let mut changes: Vec<Change> = std::mem::take(kept).into_values().collect();
            changes.retain(|change| change.revision() > loaded);
            changes.sort_by_key(Change::revision);
            changes.iter().for_each(|change| self.tell(change));
        }
        *phase = Phase::Live(loaded);
        self.observer.current();
        Ok(())
    }
}

/// A watch, which ends when this is dropped.
pub(super) struct Watching {
    watchers: Arc<Watchers>,
    watcher: Arc<Watcher>,
    beats: JoinSet<()>,
}

impl Watching {
    pub(super) fn watcher(&self) -> &Arc<Watcher> {
        &self.watcher
    }

    /// Says twice a second that the loaded watcher is current; the contract asks for once.
    pub(super) fn go_on(mut self) -> Self {
        let watcher = Arc::clone(&self.watcher);
        self.beats.spawn(async move {
            let mut beat = tokio::time::interval(Duration::from_millis(500));
            beat.set_missed_tick_behavior(MissedTickBehavior::Delay);
            loop {
                beat.tick().await;
                let phase = watcher.phase.lock();
                if matches!(*phase, Phase::Live(_)) && !watcher.ended.load(Ordering::Acquire) {
                    watcher.observer.current();
                }
            }
        });
        self
    }
}

impl Drop for Watching {
    fn drop(&mut self) {
        self.watcher.ended.store(true, Ordering::Release);
        self.watchers.list.lock().retain(|watcher| !Arc::ptr_eq(watcher, &self.watcher));
    }
}
