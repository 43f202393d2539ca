//! The history in Redis: a list of heartbeats, one of outputs and one of flips for each monitor, oldest first
//! and trimmed now and then.
//!
//! The names of a monitor's lists end in its sixteen bytes. Lists are packed blocks: a heartbeat takes its
//! record and two or three bytes.

use std::collections::BTreeMap;

use ::redis::{Script, pipe};
use async_trait::async_trait;
use bytes::Bytes;
use futures_util::future::try_join_all;

use super::connection::Link;
use super::keys::{Keys, MonitorPlace, SHARDS};
use super::options::RedisOptions;
use super::packer::Packer;
use super::records::{
    decode_flip, decode_heartbeat, encode_at, encode_flip, encode_heartbeat, time_bytes, time_of,
};
use model::flip::Flip;
use model::ids::MonitorId;
use model::time::EventTime;
use ports::BackendError;
use ports::history::{HeartbeatEntry, History, HistoryBatch, HistoryError};

/// Outputs kept of each monitor: each may take 10 kB.
const OUTPUTS: usize = 20;
/// Most records that one script adds; it takes a millisecond or two.
const RECORDS_AT_ONCE: usize = 500;
/// Most bytes that one script adds: outputs are large.
const BYTES_AT_ONCE: usize = 256 * 1024;
/// Most scripts under way at the same time.
const SCRIPTS_AT_ONCE: usize = 16;
/// Most monitors that one pipeline asks for.
const MONITORS_AT_ONCE: usize = 500;

const OUTPUT_SCRIPT: &str = include_str!("output.lua");

/// A [`History`] in Redis.
pub struct RedisHistory {
    link: Link,
    shards: Vec<Vec<u8>>,
    heartbeats: usize,
    flips: usize,
    append: Script,
}

/// The kinds of list. The letter is part of the list's name and must never change.
#[derive(Debug, Clone, Copy)]
enum List {
    Heartbeats = b'b' as isize,
    Outputs = b'o' as isize,
    Flips = b'f' as isize,
}

impl List {
    const ALL: [Self; 3] = [Self::Heartbeats, Self::Outputs, Self::Flips];
}

/// Records that one script adds to lists of one kind.
struct Group {
    list: List,
    first_key: Vec<u8>,
    items: Packer,
    bytes: usize,
}

impl RedisHistory {
    pub(super) fn new(link: Link, keys: Keys, options: &RedisOptions) -> Self {
        Self {
            link,
            shards: (0..SHARDS).map(|shard| keys.shard(shard)).collect(),
            heartbeats: options.history_per_monitor,
            flips: options.flips_per_monitor.max(1),
            append: Script::new(include_str!("append.lua")),
        }
    }

    fn key(&self, list: List, monitor: MonitorId) -> Vec<u8> {
        let shard =
            self.shards.get(MonitorPlace::of(monitor).shard as usize).map(Vec::as_slice).unwrap_or_default();
        [shard, &[list as u8, b':'], monitor.as_uuid().as_bytes()].concat()
    }

    /// Commands with equal numbers may share a pipeline: in a cluster those of one hash tag.
    fn together(&self, monitor: MonitorId) -> u32 {
        if self.link.is_cluster() { MonitorPlace::of(monitor).shard } else { 0 }
    }

    async fn add(
        &self,
        list: List,
        records: impl Iterator<Item = (MonitorId, Vec<u8>)>,
    ) -> Result<(), BackendError> {
        let mut open: BTreeMap<u32, Group> = BTreeMap::new();
        let mut full = Vec::new();
        for (monitor, record) in records {
            let key = self.key(list, monitor);
            let group = open.entry(self.together(monitor)).or_insert_with(|| Group {
                list,
                first_key: key.clone(),
                items: Packer::default(),
                bytes: 0,
            });
            group.items.push(&key);
            group.items.push(&record);
            group.bytes += key.len() + record.len();
            if group.items.len() >= RECORDS_AT_ONCE * 2 || group.bytes >= BYTES_AT_ONCE {
                full.extend(open.remove(&self.together(monitor)));
            }
            if full.len() >= SCRIPTS_AT_ONCE {
                self.append_groups(&full).await?;
                full.clear();
            }
        }
        full.extend(open.into_values());
        self.append_groups(&full).await
    }

    /// Appends the groups; those of one hash tag in their order over one connection.
    async fn append_groups(&self, groups: &[Group]) -> Result<(), BackendError> {
        let append = async |group: &Group| {
            let keep = match group.list {
                List::Heartbeats => self.heartbeats,
                List::Outputs => OUTPUTS,
                List::Flips => self.flips,
            };
            let mut script = self.append.key(group.first_key.as_slice());
            script.arg(keep + keep / 8 + 4).arg(keep).arg(group.items.finish());
            self.link.run::<()>(&script).await
        };
        try_join_all(groups.iter().map(append)).await?;
        Ok(())
    }

    async fn remove(&self, monitors: &[MonitorId]) -> Result<(), BackendError> {
        for (_, monitors) in self.by_tag(monitors) {
            for monitors in monitors.chunks(MONITORS_AT_ONCE) {
                let mut pipeline = pipe();
                for (_, monitor) in monitors {
                    pipeline.unlink(List::ALL.map(|list| self.key(list, *monitor)).as_slice()).ignore();
                }
                self.link.pipe::<()>(&pipeline).await?;
            }
        }
        Ok(())
    }

    /// Monitors grouped by shared pipeline, with their places in the request.
    fn by_tag(&self, monitors: &[MonitorId]) -> BTreeMap<u32, Vec<(usize, MonitorId)>> {
        let mut by_tag: BTreeMap<u32, Vec<(usize, MonitorId)>> = BTreeMap::new();
        for (index, monitor) in monitors.iter().enumerate() {
            by_tag.entry(self.together(*monitor)).or_default().push((index, *monitor));
        }
        by_tag
    }

    /// Records of a list before `before`, newest first.
    async fn read(
        &self,
        list: List,
        monitor: MonitorId,
        before: Option<EventTime>,
        limit: usize,
    ) -> Result<Vec<Vec<u8>>, BackendError> {
        // The position of a time in the list is unknown until the list is read; lists are short.
        let count = if before.is_some() { isize::MAX } else { isize::try_from(limit).unwrap_or(isize::MAX) };
        if limit == 0 {
            return Ok(Vec::new());
        }
        let mut command = ::redis::cmd("LRANGE");
        let mut records: Vec<Vec<u8>> =
            self.link.ask(command.arg(self.key(list, monitor)).arg(-count).arg(-1)).await?;
        if let Some(before) = before {
            records.truncate(records.partition_point(|record| time_of(record) < before));
        }
        records.reverse();
        records.truncate(limit);
        Ok(records)
    }

    async fn read_newest(&self, monitors: &[MonitorId]) -> Result<Vec<Option<HeartbeatEntry>>, BackendError> {
        let mut newest = vec![None; monitors.len()];
        for (_, monitors) in self.by_tag(monitors) {
            for monitors in monitors.chunks(MONITORS_AT_ONCE) {
                let mut pipeline = pipe();
                for (_, monitor) in monitors {
                    pipeline.lindex(self.key(List::Heartbeats, *monitor), -1);
                }
                let records: Vec<Option<Vec<u8>>> = self.link.pipe(&pipeline).await?;
                for ((index, monitor), record) in monitors.iter().zip(records) {
                    let entry = record.map(|record| decode_heartbeat(*monitor, &record)).transpose()?;
                    if let Some(place) = newest.get_mut(*index) {
                        *place = entry;
                    }
                }
            }
        }
        Ok(newest)
    }

    async fn write(&self, batch: &HistoryBatch) -> Result<(), BackendError> {
        if self.heartbeats > 0 {
            let heartbeats = &batch.heartbeats;
            let outputs = heartbeats.iter().filter_map(|heartbeat| {
                let output = heartbeat.output.as_deref()?;
                Some((heartbeat.monitor, encode_at(heartbeat.received_at, output)))
            });
            self.add(List::Outputs, outputs).await?;
            let heartbeats =
                heartbeats.iter().map(|heartbeat| (heartbeat.monitor, encode_heartbeat(heartbeat)));
            self.add(List::Heartbeats, heartbeats).await?;
        }
        self.add(List::Flips, batch.flips.iter().map(|flip| (flip.monitor, encode_flip(flip)))).await?;
        self.remove(&batch.removed).await
    }
}

#[async_trait]
impl History for RedisHistory {
    async fn append(&self, batch: HistoryBatch) -> Result<(), HistoryError> {
        self.write(&batch).await.map_err(HistoryError)
    }

    async fn heartbeats(
        &self,
        monitor: MonitorId,
        before: Option<EventTime>,
        limit: usize,
    ) -> Result<Vec<HeartbeatEntry>, HistoryError> {
        let records = self.read(List::Heartbeats, monitor, before, limit).await.map_err(HistoryError)?;
        let entry =
            |record: &Vec<u8>| decode_heartbeat(monitor, record).map_err(|error| HistoryError(error.into()));
        records.iter().map(entry).collect()
    }

    async fn newest(&self, monitors: &[MonitorId]) -> Result<Vec<Option<HeartbeatEntry>>, HistoryError> {
        self.read_newest(monitors).await.map_err(HistoryError)
    }

    async fn output(&self, monitor: MonitorId, at: EventTime) -> Result<Option<Bytes>, HistoryError> {
        // EVAL_RO, for users whose rights end at reading.
        let mut command = ::redis::cmd("EVAL_RO");
        command.arg(OUTPUT_SCRIPT).arg(2).arg(self.key(List::Outputs, monitor));
        command.arg(self.key(List::Heartbeats, monitor)).arg(time_bytes(at).as_slice());
        let output: Option<Vec<u8>> = self.link.ask(&command).await.map_err(HistoryError)?;
        Ok(output.map(Bytes::from))
    }

    async fn flips(
        &self,
        monitor: MonitorId,
        before: Option<EventTime>,
        limit: usize,
    ) -> Result<Vec<Flip>, HistoryError> {
        let records = self.read(List::Flips, monitor, before, limit).await.map_err(HistoryError)?;
        records.iter().map(|record| decode_flip(record).map_err(HistoryError)).collect()
    }
}
