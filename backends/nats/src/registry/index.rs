//! All ids in order: the server keeps records by subject, without an order.

use std::collections::BTreeSet;
use std::ops::Bound;
use std::sync::Arc;
use std::time::Duration;

use parking_lot::Mutex;
use tokio::sync::watch;
use tokio::task::JoinSet;
use tokio::time::timeout;

use super::compact::CompactId;
use super::pulse::Pulses;
use super::store::{Store, is_marker};
use super::tail::{Heard, Tail};
use ports::BackendError;
use ports::clock::Clock;
use ports::registry::{RecordKey, RecordKind};

/// Longest wait for an index without progress.
const STALLED_AFTER: Duration = Duration::from_secs(3);

/// The ids of one kind of record, kept up to date by headers alone: about 40 bytes an id.
pub(super) struct Index {
    kind: RecordKind,
    shared: Arc<IndexCore>,
    /// Held while a pulse is on its way, so that the pulse with the greatest number is the one that stays.
    sending: tokio::sync::Mutex<()>,
    _tasks: JoinSet<()>,
}

struct IndexCore {
    pulses: Pulses,
    ids: Mutex<Ids>,
    /// Counts the messages that were heard.
    heard: watch::Sender<u64>,
}

#[derive(Default)]
struct Ids {
    set: BTreeSet<CompactId>,
    /// The set has every change that was acknowledged before the pulse of this number.
    proven: u64,
}

impl Index {
    pub(super) async fn begin(store: Store, clock: Arc<dyn Clock>) -> Result<Self, BackendError> {
        let kind = store.kind;
        let pulses = Pulses::new(store.clone(), Arc::clone(&clock));
        let filters = vec![store.keys.of_kind(kind), pulses.subject().to_owned()];
        let shared = Arc::new(IndexCore { pulses, ids: Mutex::default(), heard: watch::Sender::new(0) });
        let mut tail = Tail::begin(store.clone(), clock, filters, true).await?;
        let mut tasks = JoinSet::new();
        let follows = Arc::clone(&shared);
        tasks.spawn(async move {
            loop {
                let heard = tail.next().await;
                follows.take(&store, heard);
            }
        });
        Ok(Self { kind, shared, sending: tokio::sync::Mutex::default(), _tasks: tasks })
    }

    /// A moment, for [`Self::page`] to reach at least.
    pub(super) async fn now(&self) -> Result<u64, BackendError> {
        let _one_by_one = self.sending.lock().await;
        Ok(self.shared.pulses.send_stored().await?)
    }

    /// Keys after `after` in order, at most `limit`, as of `moment` or later.
    pub(super) async fn page(
        &self,
        moment: u64,
        after: Option<&str>,
        limit: usize,
    ) -> Result<Vec<RecordKey>, BackendError> {
        let after = after.map(CompactId::new);
        let mut heard = self.shared.heard.subscribe();
        loop {
            heard.mark_unchanged();
            if let Some(page) = self.shared.page(self.kind, moment, after.as_ref(), limit) {
                return Ok(page);
            }
            timeout(STALLED_AFTER, heard.changed()).await.map_err(|_| "the registry is not heard of")??;
        }
    }
}

impl IndexCore {
    fn take(&self, store: &Store, heard: Heard) {
        match heard {
            Heard::Anew { .. } => *self.ids.lock() = Ids::default(),
            Heard::Message(message) => match self.pulses.read(&message) {
                Some(pulse) => {
                    let mut ids = self.ids.lock();
                    ids.proven = ids.proven.max(pulse);
                }
                None => {
                    let Some((_, id)) = store.keys.read(&message.subject) else { return };
                    let set = &mut self.ids.lock().set;
                    let _ =
                        if is_marker(message.headers.as_ref()) { set.remove(&id) } else { set.insert(id) };
                }
            },
            Heard::Nothing => return,
        }
        self.heard.send_modify(|heard| *heard += 1);
    }

    /// `None` if the index has not reached `moment` yet.
    fn page(
        &self,
        kind: RecordKind,
        moment: u64,
        after: Option<&CompactId>,
        limit: usize,
    ) -> Option<Vec<RecordKey>> {
        let ids = self.ids.lock();
        if ids.proven < moment {
            return None;
        }
        let start = after.map_or(Bound::Unbounded, Bound::Excluded);
        let page = ids.set.range((start, Bound::Unbounded)).take(limit);
        Some(page.map(|id| RecordKey::new(kind, id)).collect())
    }
}
