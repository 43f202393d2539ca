//! The state store in memory.

use std::collections::{BTreeMap, BTreeSet, HashMap};
use std::ops::Bound;

use async_trait::async_trait;
use parking_lot::Mutex;
use uuid::Uuid;

use model::ids::{MonitorId, PartitionId};
use model::monitor_state::{MonitorState, OutboxAlert, PartitionHead};
use model::time::EventTime;
use ports::state_store::{
    Commit, Holder, Lease, Leases, MAX_COMMIT_MONITORS, Outbox, StateError, StateReader, States,
};

/// A [`StateStore`](ports::state_store::StateStore) and [`StateReader`] in memory.
#[derive(Default)]
pub struct InMemoryStateStore {
    partitions: Mutex<HashMap<PartitionId, Partition>>,
}

#[derive(Default)]
struct Partition {
    holder: Option<Holding>,
    counter: u64,
    head: PartitionHead,
    states: BTreeMap<MonitorId, MonitorState>,
    wake_ups: BTreeSet<(EventTime, MonitorId)>,
    outbox: BTreeMap<u64, OutboxAlert>,
}

struct Holding {
    owner: String,
    token: String,
    committed: u64,
}

impl InMemoryStateStore {
    /// An empty store.
    pub fn new() -> Self {
        Self::default()
    }

    /// Runs `action` on the partition if the lease is in force.
    fn fenced<T>(
        &self,
        lease: &Lease,
        action: impl FnOnce(&mut Partition) -> Result<T, StateError>,
    ) -> Result<T, StateError> {
        let mut partitions = self.partitions.lock();
        let partition = partitions.entry(lease.partition).or_default();
        let in_force = partition.holder.as_ref().is_some_and(|holder| holder.token == lease.token);
        if in_force { action(partition) } else { Err(StateError::Fenced) }
    }
}

impl Holding {
    fn held(&self) -> StateError {
        StateError::Held { owner: self.owner.clone(), token: self.token.clone() }
    }
}

impl Partition {
    /// Makes `owner` the holder; answers the new lease's token.
    fn give(&mut self, owner: &str) -> String {
        self.counter += 1;
        let token = format!("{}-{}", self.counter, Uuid::new_v4().simple());
        self.holder = Some(Holding { owner: owner.to_owned(), token: token.clone(), committed: 0 });
        token
    }

    fn apply(&mut self, commit: &Commit) -> Result<(), StateError> {
        let found = commit.states.len();
        if found > MAX_COMMIT_MONITORS {
            return Err(StateError::TooLarge { found, most: MAX_COMMIT_MONITORS });
        }
        let holder = self.holder.as_mut().ok_or(StateError::Fenced)?;
        if commit.number <= holder.committed {
            return Ok(());
        }
        if commit.follows != self.head.applied {
            return Err(StateError::OutOfOrder { found: self.head.applied });
        }
        holder.committed = commit.number;
        self.head = commit.head.clone();
        for change in &commit.states {
            let before = match &change.state {
                Some(state) => self.states.insert(change.monitor, state.clone()),
                None => self.states.remove(&change.monitor),
            };
            if let Some(armed_at) = before.and_then(|state| state.armed_at) {
                self.wake_ups.remove(&(armed_at, change.monitor));
            }
            if let Some(armed_at) = change.state.as_ref().and_then(|state| state.armed_at) {
                self.wake_ups.insert((armed_at, change.monitor));
            }
        }
        self.outbox.extend(commit.outbox.iter().map(|alert| (alert.number, alert.clone())));
        Ok(())
    }
}

#[async_trait]
impl Leases for InMemoryStateStore {
    async fn acquire(&self, partition: PartitionId, owner: &str) -> Result<Lease, StateError> {
        let mut partitions = self.partitions.lock();
        let found = partitions.entry(partition).or_default();
        if let Some(holder) = &found.holder
            && holder.owner != owner
        {
            return Err(holder.held());
        }
        Ok(Lease { partition, token: found.give(owner) })
    }

    async fn take_over(&self, partition: PartitionId, token: &str, owner: &str) -> Result<Lease, StateError> {
        let mut partitions = self.partitions.lock();
        let found = partitions.entry(partition).or_default();
        match &found.holder {
            Some(holder) if holder.token != token => Err(holder.held()),
            Some(_) | None => Ok(Lease { partition, token: found.give(owner) }),
        }
    }

    async fn holder(&self, partition: PartitionId) -> Result<Option<Holder>, StateError> {
        let partitions = self.partitions.lock();
        let holding = partitions.get(&partition).and_then(|found| found.holder.as_ref());
        Ok(holding.map(|holding| Holder { owner: holding.owner.clone(), token: holding.token.clone() }))
    }

    async fn release(&self, lease: &Lease) -> Result<(), StateError> {
        let released = self.fenced(lease, |partition| {
            partition.holder = None;
            Ok(())
        });
        match released {
            Err(StateError::Fenced) => Ok(()),
            other => other,
        }
    }
}

#[async_trait]
impl States for InMemoryStateStore {
    async fn load_head(&self, lease: &Lease) -> Result<PartitionHead, StateError> {
        self.fenced(lease, |partition| Ok(partition.head.clone()))
    }

    async fn load_states(
        &self,
        lease: &Lease,
        after: Option<MonitorId>,
        limit: usize,
    ) -> Result<Vec<(MonitorId, MonitorState)>, StateError> {
        let start = after.map_or(Bound::Unbounded, Bound::Excluded);
        self.fenced(lease, |partition| {
            let states = partition.states.range((start, Bound::Unbounded));
            Ok(states.take(limit).map(|(monitor, state)| (*monitor, state.clone())).collect())
        })
    }

    async fn due(&self, lease: &Lease, up_to: EventTime, limit: usize) -> Result<Vec<MonitorId>, StateError> {
        self.fenced(lease, |partition| {
            let due = partition.wake_ups.iter().take_while(|(at, _)| *at < up_to);
            Ok(due.take(limit).map(|(_, monitor)| *monitor).collect())
        })
    }

    async fn commit(&self, lease: &Lease, commit: &Commit) -> Result<(), StateError> {
        self.fenced(lease, |partition| partition.apply(commit))
    }

    async fn reset(&self, lease: &Lease) -> Result<(), StateError> {
        self.fenced(lease, |partition| {
            let (holder, counter) = (partition.holder.take(), partition.counter);
            *partition = Partition { holder, counter, ..Partition::default() };
            Ok(())
        })
    }
}

#[async_trait]
impl Outbox for InMemoryStateStore {
    async fn outbox(&self, lease: &Lease, limit: usize) -> Result<Vec<OutboxAlert>, StateError> {
        self.fenced(lease, |partition| Ok(partition.outbox.values().take(limit).cloned().collect()))
    }

    async fn trim_outbox(&self, lease: &Lease, through: u64) -> Result<(), StateError> {
        self.fenced(lease, |partition| {
            partition.outbox.retain(|number, _| *number > through);
            Ok(())
        })
    }
}

#[async_trait]
impl StateReader for InMemoryStateStore {
    async fn states(
        &self,
        partition: PartitionId,
        monitors: &[MonitorId],
    ) -> Result<Vec<Option<MonitorState>>, StateError> {
        let partitions = self.partitions.lock();
        let states = partitions.get(&partition).map(|found| &found.states);
        Ok(monitors.iter().map(|monitor| states.and_then(|states| states.get(monitor)).cloned()).collect())
    }

    async fn head(&self, partition: PartitionId) -> Result<PartitionHead, StateError> {
        let partitions = self.partitions.lock();
        Ok(partitions.get(&partition).map(|found| found.head.clone()).unwrap_or_default())
    }
}
