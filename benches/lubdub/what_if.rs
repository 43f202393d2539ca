//! Heartbeats a second when the past is replayed with other settings, by the API.

use std::time::{Duration, Instant};

use anyhow::Context;
use futures_util::future::try_join_all;
use model::ids::{MonitorId, PartitionId, Revision};
use model::monitor::{Definition, DefinitionChange};
use model::schedule::Schedule;
use model::time::EventTime;
use model::wire::frame::{Frame, Listening};
use ports::clock::{Clock, SystemClock};
use ports::heartbeat_log::HeartbeatLog;
use std::sync::Arc;

use crate::frames::{frame, heartbeat};
use crate::installation::{Installation, KEY};
use crate::report::{Report, count, rate, seconds};

/// Seconds. Each monitor is heard three times in four of it.
pub(crate) const TIMEOUT: u32 = 60;

/// The heartbeats of a partition.
pub(crate) struct Past {
    pub(crate) partition: PartitionId,
    pub(crate) monitors: Vec<MonitorId>,
    pub(crate) heartbeats: usize,
    /// In each frame.
    pub(crate) together: usize,
    /// Frames appended at once, so that they share an fsync, where that keeps their order: the runtime makes
    /// a task that asks for much at once wait in between.
    pub(crate) at_once: usize,
}

impl Past {
    /// How much time they take.
    pub(crate) fn span(&self) -> Duration {
        let rounds = self.heartbeats as f64 / self.monitors.len() as f64;
        Duration::from_secs_f64(rounds * f64::from(TIMEOUT) * 0.75)
    }

    /// Writes them straight into the log, definitions first. They end now.
    pub(crate) async fn write(&self, log: &dyn HeartbeatLog) -> anyhow::Result<()> {
        let begin = SystemClock::new().now() - self.span();
        for chunk in self.monitors.chunks(500) {
            log.append(self.partition, Arc::new(definitions(chunk, begin))).await?;
        }
        let frames = self.heartbeats / self.together;
        let apart = self.span().div_f64(frames as f64);
        let mut sealed_at = begin;
        let mut next = self.monitors.iter().cycle();
        let mut waiting = Vec::with_capacity(self.at_once);
        for number in 1..=frames {
            let listening = if number == 1 { Listening::First } else { Listening::Since(sealed_at) };
            sealed_at = sealed_at + apart;
            let heard = (1..=self.together)
                .rev()
                .filter_map(|back| {
                    Some(heartbeat(*next.next()?, sealed_at - Duration::from_micros(back as u64)))
                })
                .collect();
            waiting.push(log.append(self.partition, Arc::new(frame(number, sealed_at, listening, heard))));
            if waiting.len() == self.at_once || number == frames {
                try_join_all(waiting.drain(..)).await?;
            }
        }
        Ok(())
    }
}

fn definitions(monitors: &[MonitorId], at: EventTime) -> Frame {
    let definition = Definition {
        schedule: Schedule::Period { timeout: TIMEOUT },
        grace: 0,
        remind_every: 0,
        paused: false,
    };
    let change = |monitor: &MonitorId| DefinitionChange {
        monitor: *monitor,
        revision: Revision(1),
        at,
        definition: Some(definition.clone()),
    };
    let definitions = monitors.iter().map(change).collect();
    Frame { definitions, ..frame(0, at, Listening::No, Vec::new()) }
}

/// A table of measurements.
pub(crate) fn report(place: &str) -> Report {
    Report::new(
        format!("What-if, {place}: every monitor with another timeout, by the API"),
        &[
            "monitors",
            "tried",
            "heartbeats in a frame",
            "heartbeats",
            "time",
            "processor",
            "heartbeats/s",
            "memory before",
            "memory at most",
        ],
    )
}

/// Settings that are tried, and what comes of them.
#[derive(Debug, Clone, Copy)]
pub(crate) enum Tried {
    /// No monitor goes down: the most common question, a longer timeout.
    Longer,
    /// Every monitor is down before each heartbeat: the worst case.
    Shorter,
}

/// Asks what would have happened, and measures how long the answer takes and how much memory it needs.
pub(crate) async fn ask(
    tried: Tried,
    console: &Installation,
    monitors: usize,
    heartbeats: usize,
    together: usize,
    span: Duration,
    report: &mut Report,
) -> anyhow::Result<()> {
    let (timeout, downs, words) = match tried {
        Tried::Longer => (90, false, "nobody is down"),
        Tried::Shorter => (30, true, "down before each heartbeat"),
    };
    let memory = console.server.resident()?;
    let processor = console.server.processor_time()?;
    let began = Instant::now();
    let since = (SystemClock::new().now() - span - Duration::from_secs(3_600)).to_rfc3339();
    let url = console
        .url(&format!("/api/v1/replay/what-if?all=true&timeout={timeout}&grace=10&limit=1&since={since}"));
    let answer: serde_json::Value =
        reqwest::Client::new().get(url).bearer_auth(KEY).send().await?.error_for_status()?.json().await?;
    let took = began.elapsed();
    let used = console.server.processor_time()?.saturating_sub(processor);
    let most = console.server.number("status", "VmHWM:")? * 1_024;
    let read = answer["heartbeats"].as_u64().context("how much was read")?;
    anyhow::ensure!(read == heartbeats as u64, "{answer}");
    anyhow::ensure!(answer["total"]["was"]["downs"] == 0, "{answer}");
    anyhow::ensure!((answer["total"]["would_be"]["downs"].as_u64() > Some(0)) == downs, "{answer}");
    let megabytes = |bytes: u64| format!("{:.0} MB", bytes as f64 / 1e6);
    report.row([
        count(monitors as f64),
        words.to_owned(),
        together.to_string(),
        count(heartbeats as f64),
        seconds(took),
        seconds(used),
        count(rate(heartbeats, took)),
        megabytes(memory),
        megabytes(most),
    ]);
    Ok(())
}
