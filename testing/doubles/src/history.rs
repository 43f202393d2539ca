//! The history in memory.

use std::collections::{BTreeMap, HashMap};

use async_trait::async_trait;
use bytes::Bytes;
use parking_lot::Mutex;

use model::delivery::{Delivery, DeliveryState};
use model::flip::Flip;
use model::heartbeat::Heartbeat;
use model::ids::{DeliveryId, MonitorId};
use model::time::EventTime;
use ports::history::{
    DeliveryFilter, DeliveryHistory, FINISHED_DELIVERIES, HeartbeatEntry, History, HistoryBatch,
    HistoryError, OPEN_DELIVERIES_FOR,
};

/// A [`History`] and [`DeliveryHistory`] in memory.
pub struct InMemoryHistory {
    per_monitor: usize,
    monitors: Mutex<HashMap<MonitorId, OfMonitor>>,
    deliveries: Mutex<Deliveries>,
}

#[derive(Default)]
struct OfMonitor {
    heartbeats: BTreeMap<EventTime, Heartbeat>,
    flips: BTreeMap<EventTime, Flip>,
}

#[derive(Default)]
struct Deliveries {
    by_id: HashMap<DeliveryId, Delivery>,
    order: BTreeMap<(EventTime, DeliveryId), DeliveryState>,
    /// Number of deliveries in each state.
    counts: HashMap<DeliveryState, usize>,
}

impl InMemoryHistory {
    /// An empty history that keeps this many heartbeats, and this many flips, of each monitor.
    pub fn new(per_monitor: usize) -> Self {
        Self { per_monitor, monitors: Mutex::default(), deliveries: Mutex::default() }
    }
}

impl Default for InMemoryHistory {
    /// A history that keeps 1,000 of each.
    fn default() -> Self {
        Self::new(1_000)
    }
}

fn keep_newest<V>(entries: &mut BTreeMap<EventTime, V>, count: usize) {
    while entries.len() > count {
        entries.pop_first();
    }
}

fn entry(heartbeat: &Heartbeat) -> HeartbeatEntry {
    let has_output = heartbeat.output.is_some();
    HeartbeatEntry { heartbeat: Heartbeat { output: None, trace: None, ..heartbeat.clone() }, has_output }
}

fn newest_before<V>(
    entries: &BTreeMap<EventTime, V>,
    before: Option<EventTime>,
    limit: usize,
) -> impl Iterator<Item = &V> {
    let older = entries.iter().rev().skip_while(move |(at, _)| before.is_some_and(|before| **at >= before));
    older.take(limit).map(|(_, value)| value)
}

impl Deliveries {
    fn put(&mut self, delivery: Delivery) {
        self.remove(delivery.id);
        self.order.insert((delivery.created_at, delivery.id), delivery.state);
        *self.counts.entry(delivery.state).or_default() += 1;
        self.by_id.insert(delivery.id, delivery);
    }

    fn remove(&mut self, id: DeliveryId) {
        if let Some(before) = self.by_id.remove(&id) {
            self.order.remove(&(before.created_at, id));
            *self.counts.entry(before.state).or_default() -= 1;
        }
    }

    fn prune(&mut self) {
        let Some(((newest, _), _)) = self.order.last_key_value() else { return };
        let oldest_open = *newest - OPEN_DELIVERIES_FOR;
        let mut excess: HashMap<DeliveryState, usize> = self
            .counts
            .iter()
            .filter(|(state, count)| state.is_over() && **count > FINISHED_DELIVERIES)
            .map(|(state, count)| (*state, count - FINISHED_DELIVERIES))
            .collect();
        let mut gone = Vec::new();
        for ((created_at, id), state) in &self.order {
            if excess.values().all(|left| *left == 0) && *created_at >= oldest_open {
                break;
            }
            if state.is_over() {
                if let Some(left) = excess.get_mut(state).filter(|left| **left > 0) {
                    *left -= 1;
                    gone.push(*id);
                }
            } else if *created_at < oldest_open {
                gone.push(*id);
            }
        }
        gone.into_iter().for_each(|id| self.remove(id));
    }
}

#[async_trait]
impl History for InMemoryHistory {
    async fn append(&self, batch: HistoryBatch) -> Result<(), HistoryError> {
        let mut monitors = self.monitors.lock();
        for heartbeat in batch.heartbeats {
            let of_monitor = monitors.entry(heartbeat.monitor).or_default();
            of_monitor.heartbeats.entry(heartbeat.received_at).or_insert(heartbeat);
            keep_newest(&mut of_monitor.heartbeats, self.per_monitor);
        }
        for flip in batch.flips {
            let of_monitor = monitors.entry(flip.monitor).or_default();
            of_monitor.flips.entry(flip.at).or_insert(flip);
            keep_newest(&mut of_monitor.flips, self.per_monitor);
        }
        for monitor in batch.removed {
            monitors.remove(&monitor);
        }
        Ok(())
    }

    async fn heartbeats(
        &self,
        monitor: MonitorId,
        before: Option<EventTime>,
        limit: usize,
    ) -> Result<Vec<HeartbeatEntry>, HistoryError> {
        let monitors = self.monitors.lock();
        let Some(of_monitor) = monitors.get(&monitor) else { return Ok(Vec::new()) };
        Ok(newest_before(&of_monitor.heartbeats, before, limit).map(entry).collect())
    }

    async fn newest(&self, ids: &[MonitorId]) -> Result<Vec<Option<HeartbeatEntry>>, HistoryError> {
        let monitors = self.monitors.lock();
        let newest =
            |id| monitors.get(id)?.heartbeats.last_key_value().map(|(_, heartbeat)| entry(heartbeat));
        Ok(ids.iter().map(newest).collect())
    }

    async fn output(&self, monitor: MonitorId, at: EventTime) -> Result<Option<Bytes>, HistoryError> {
        let monitors = self.monitors.lock();
        let heartbeat = monitors.get(&monitor).and_then(|found| found.heartbeats.get(&at));
        Ok(heartbeat.and_then(|heartbeat| heartbeat.output.clone()))
    }

    async fn flips(
        &self,
        monitor: MonitorId,
        before: Option<EventTime>,
        limit: usize,
    ) -> Result<Vec<Flip>, HistoryError> {
        let monitors = self.monitors.lock();
        let Some(of_monitor) = monitors.get(&monitor) else { return Ok(Vec::new()) };
        Ok(newest_before(&of_monitor.flips, before, limit).cloned().collect())
    }
}

#[async_trait]
impl DeliveryHistory for InMemoryHistory {
    async fn put(&self, deliveries: Vec<Delivery>) -> Result<(), HistoryError> {
        let mut kept = self.deliveries.lock();
        deliveries.into_iter().for_each(|delivery| kept.put(delivery));
        kept.prune();
        Ok(())
    }

    async fn get(&self, id: DeliveryId) -> Result<Option<Delivery>, HistoryError> {
        Ok(self.deliveries.lock().by_id.get(&id).cloned())
    }

    async fn oldest_pending(&self) -> Result<Option<EventTime>, HistoryError> {
        let kept = self.deliveries.lock();
        let pending = kept.by_id.values().filter(|delivery| delivery.state == DeliveryState::Pending);
        Ok(pending.map(|delivery| delivery.created_at).min())
    }

    async fn list(
        &self,
        filter: DeliveryFilter,
        before: Option<(EventTime, DeliveryId)>,
        limit: usize,
    ) -> Result<Vec<Delivery>, HistoryError> {
        let kept = self.deliveries.lock();
        let matches = |delivery: &&Delivery| {
            filter.monitor.is_none_or(|monitor| delivery.notice.monitor() == Some(monitor))
                && filter.channel.is_none_or(|channel| delivery.channel == channel)
                && filter.state.is_none_or(|state| delivery.state == state)
        };
        let older = kept.order.keys().rev().skip_while(|at| before.is_some_and(|before| **at >= before));
        let found = older.filter_map(|(_, id)| kept.by_id.get(id)).filter(matches);
        Ok(found.take(limit).cloned().collect())
    }
}
