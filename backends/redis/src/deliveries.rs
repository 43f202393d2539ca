//! The delivery history in Redis: a hash of deliveries, and sorted sets of (time, id) by which they are
//! listed.

use std::sync::Arc;

use ::redis::Script;
use async_trait::async_trait;

use super::connection::Link;
use super::hot::PackedError;
use super::keys::Keys;
use super::packer::Packer;
use super::records::time_bytes;
use model::chain::Chain;
use model::delivery::{Delivery, DeliveryState};
use model::ids::DeliveryId;
use model::time::EventTime;
use model::wire;
use ports::BackendError;
use ports::clock::Clock;
use ports::history::{
    DeliveryFilter, DeliveryHistory, FINISHED_DELIVERIES, HistoryError, OPEN_DELIVERIES_FOR,
};

/// Finished deliveries beyond the kept ones that may come before a removal.
const FINISHED_SLACK: usize = 1_000;

/// Most deliveries that one script writes, and most that it forgets.
const WRITTEN_AT_ONCE: usize = 200;
const FORGOTTEN_AT_ONCE: usize = 500;
/// Entries of an index that one command reads, to be filtered further.
const LOOKED_AT: usize = 500;

/// Length of a stored delivery's head, bytes: state, time, channel, whether there is a monitor, monitor.
const HEAD: usize = 1 + 8 + 16 + 1 + 16;

/// A [`DeliveryHistory`] in Redis.
pub struct RedisDeliveries {
    link: Link,
    base: String,
    by_id: String,
    put: Script,
    clock: Arc<dyn Clock>,
}

impl RedisDeliveries {
    pub(super) fn new(link: Link, keys: &Keys, clock: Arc<dyn Clock>) -> Self {
        let base = keys.deliveries();
        let by_id = format!("{base}by-id");
        Self { link, base, by_id, put: Script::new(include_str!("deliveries.lua")), clock }
    }

    async fn write(&self, deliveries: &[Delivery]) -> Result<(), BackendError> {
        let oldest_open = self.clock.now() - OPEN_DELIVERIES_FOR;
        for deliveries in deliveries.chunks(WRITTEN_AT_ONCE) {
            let mut items = Packer::default();
            for delivery in deliveries {
                items.push(delivery.id.as_uuid().as_bytes());
                items.push(&stored(delivery));
            }
            let mut script = self.put.key(&self.by_id);
            script.arg(&self.base).arg(FINISHED_DELIVERIES + FINISHED_SLACK).arg(FINISHED_DELIVERIES);
            script.arg(FORGOTTEN_AT_ONCE).arg(time_bytes(oldest_open).as_slice()).arg(items.finish());
            self.link.run::<()>(&script).await?;
        }
        Ok(())
    }

    /// The index for a filter: the one that is likely to be the shortest.
    fn index(&self, filter: &DeliveryFilter) -> Vec<u8> {
        let named = |kind: &str, id: &[u8]| [self.base.as_bytes(), kind.as_bytes(), id].concat();
        match filter {
            DeliveryFilter { monitor: Some(monitor), .. } => named("m:", monitor.as_uuid().as_bytes()),
            DeliveryFilter { channel: Some(channel), .. } => named("c:", channel.as_uuid().as_bytes()),
            DeliveryFilter { state: Some(state), .. } => named("s:", &[state_digit(*state)]),
            DeliveryFilter { monitor: None, channel: None, state: None } => named("all", &[]),
        }
    }

    async fn read(
        &self,
        filter: DeliveryFilter,
        before: Option<(EventTime, DeliveryId)>,
        limit: usize,
    ) -> Result<Vec<Delivery>, BackendError> {
        let index = self.index(&filter);
        let filters = [filter.monitor.is_some(), filter.channel.is_some(), filter.state.is_some()];
        let one_filter = filters.iter().filter(|given| **given).count() <= 1;
        let at_once = if one_filter { limit } else { limit.max(LOOKED_AT) };
        let mut until = match before {
            Some((at, id)) => [b"(".as_slice(), &time_bytes(at), id.as_uuid().as_bytes()].concat(),
            None => b"+".to_vec(),
        };
        let mut found = Vec::new();
        while found.len() < limit {
            let mut command = ::redis::cmd("ZREVRANGEBYLEX");
            command.arg(&index).arg(&until).arg("-").arg("LIMIT").arg(0).arg(at_once.min(LOOKED_AT));
            let entries: Vec<Vec<u8>> = self.link.ask(&command).await?;
            let Some(last) = entries.last() else { break };
            until = [b"(".as_slice(), last].concat();
            let ids: Vec<&[u8]> = entries.iter().filter_map(|entry| entry.get(8..)).collect();
            let deliveries: Vec<Option<Vec<u8>>> =
                self.link.ask(::redis::cmd("HMGET").arg(&self.by_id).arg(ids)).await?;
            for stored in deliveries.iter().flatten() {
                let Some(delivery) = readable(read_stored(stored)) else { continue };
                if holds(&filter, &delivery) && found.len() < limit {
                    found.push(delivery);
                }
            }
        }
        Ok(found)
    }
}

fn holds(filter: &DeliveryFilter, delivery: &Delivery) -> bool {
    filter.monitor.is_none_or(|monitor| delivery.notice.monitor() == Some(monitor))
        && filter.channel.is_none_or(|channel| delivery.channel == channel)
        && filter.state.is_none_or(|state| delivery.state == state)
}

/// How a state is stored; it must never change. `deliveries.lua` knows which states are finished and which
/// are open.
const fn state_digit(state: DeliveryState) -> u8 {
    match state {
        DeliveryState::Pending => b'0',
        DeliveryState::Delivered => b'1',
        DeliveryState::Dead => b'2',
        DeliveryState::Folded => b'3',
        DeliveryState::Suppressed => b'4',
    }
}

/// A delivery with the head that the script reads.
fn stored(delivery: &Delivery) -> Vec<u8> {
    let monitor = delivery.notice.monitor();
    let mut bytes = vec![state_digit(delivery.state)];
    bytes.extend_from_slice(&time_bytes(delivery.created_at));
    bytes.extend_from_slice(delivery.channel.as_uuid().as_bytes());
    bytes.push(u8::from(monitor.is_some()));
    bytes.extend_from_slice(&monitor.map_or([0; 16], |monitor| *monitor.as_uuid().as_bytes()));
    bytes.extend_from_slice(&wire::encode(delivery));
    bytes
}

fn read_stored(bytes: &[u8]) -> Result<Delivery, BackendError> {
    let delivery = bytes.get(HEAD..).ok_or(PackedError::Damaged { name: "delivery" })?;
    Ok(wire::decode(delivery)?)
}

/// A record that cannot be read hides no other: it is logged, and counts as lost.
fn readable(read: Result<Delivery, BackendError>) -> Option<Delivery> {
    if let Err(error) = &read {
        tracing::error!(error = %Chain(error.as_ref()), "failed to read the record of a delivery; it is left out");
    }
    read.ok()
}

#[async_trait]
impl DeliveryHistory for RedisDeliveries {
    async fn oldest_pending(&self) -> Result<Option<EventTime>, HistoryError> {
        let pending = DeliveryFilter { state: Some(DeliveryState::Pending), ..DeliveryFilter::default() };
        let mut command = ::redis::cmd("ZRANGE");
        command.arg(self.index(&pending)).arg(0).arg(0);
        let entries: Vec<Vec<u8>> = self.link.ask(&command).await.map_err(HistoryError)?;
        let micros =
            entries.first().and_then(|entry| entry.first_chunk::<8>()).map(|at| i64::from_be_bytes(*at));
        Ok(micros.map(EventTime::from_micros))
    }

    async fn put(&self, deliveries: Vec<Delivery>) -> Result<(), HistoryError> {
        self.write(&deliveries).await.map_err(HistoryError)
    }

    async fn get(&self, id: DeliveryId) -> Result<Option<Delivery>, HistoryError> {
        let mut command = ::redis::cmd("HGET");
        command.arg(&self.by_id).arg(id.as_uuid().as_bytes().as_slice());
        let found: Option<Vec<u8>> = self.link.ask(&command).await.map_err(HistoryError)?;
        Ok(found.and_then(|bytes| readable(read_stored(&bytes))))
    }

    async fn list(
        &self,
        filter: DeliveryFilter,
        before: Option<(EventTime, DeliveryId)>,
        limit: usize,
    ) -> Result<Vec<Delivery>, HistoryError> {
        self.read(filter, before, limit).await.map_err(HistoryError)
    }
}
