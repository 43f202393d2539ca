//! Commands on the data folder of a `lubdub up` that does not run.

use std::path::Path;
use std::sync::Arc;

use anyhow::{Context, bail};
use backend_sqlite::{SqliteBackend, SqliteOptions};
use model::chain::Chain;
use model::channel::{Channel, ChannelState};
use model::ids::ChannelId;
use model::monitor::Monitor;
use model::wire;
use notifier::Disabled;
use ports::clock::{Clock, SystemClock};
use ports::queue::QueueName;
use ports::registry::{Record, RecordKind, Registry};

use crate::limits;
use cli::{DisableChannel, Terminal};

/// Records of the registry that are read at once.
const PAGE: usize = 500;

/// `lubdub channel disable NAME --offline`.
///
/// # Errors
/// Lubdub runs, there is no data, or no such channel.
pub(crate) async fn disable_channel(command: &DisableChannel, terminal: &Terminal) -> anyhow::Result<()> {
    let folder = &command.data_dir();
    limits::keep_files_private();
    let clock = Arc::new(SystemClock::new());
    let backend = open(folder, &clock)?;
    let outcome = disable(&backend, command, clock.as_ref()).await;
    let closed = backend.close().await;
    let text = outcome?;
    // What is not on the disk was not done.
    closed
        .map_err(anyhow::Error::from_boxed)
        .with_context(|| format!("failed to write to {}", folder.display()))?;
    Ok(terminal.print(&text)?)
}

fn open(folder: &Path, clock: &Arc<SystemClock>) -> anyhow::Result<SqliteBackend> {
    if !SqliteBackend::is_in(folder) {
        bail!(
            "there is no Lubdub data in {}: name the folder of `lubdub up` with --data-dir",
            folder.display()
        );
    }
    let opened = SqliteBackend::open_with(SqliteOptions::keeping_all(folder), |newest| {
        newest.into_iter().for_each(|newest| clock.not_before(newest));
        Arc::clone(clock) as Arc<dyn Clock>
    });
    opened.context("failed to open the data of a Lubdub that must not run; stop it first")
}

async fn disable(
    backend: &SqliteBackend,
    command: &DisableChannel,
    clock: &dyn Clock,
) -> anyhow::Result<String> {
    let registry = backend.registry();
    let stored = records(registry.as_ref(), RecordKind::Channel).await?;
    let channels: Vec<(String, String)> = stored.iter().map(named).collect();
    let (id, name) = command.choose(&channels)?;
    let (channel, deliveries) = (id.parse::<ChannelId>()?, backend.queue(QueueName::Deliveries));
    let disabled = notifier::disable(registry.as_ref(), deliveries.as_ref(), channel, clock.now()).await;
    let missed = match disabled.with_context(|| format!("failed to disable {name}"))? {
        Disabled::Before => return Ok(format!("{name} ({id}) was disabled before\n")),
        Disabled::Done => "When it is enabled again, it hears of what is still down",
        Disabled::Forgetful => {
            "The delivery queue is full: when it is enabled again, it does not hear of what it missed"
        }
    };
    let monitors = records(registry.as_ref(), RecordKind::Monitor).await?;
    let alone = left_alone(&monitors, &stored, channel);
    let alone = if alone.is_empty() {
        String::new()
    } else {
        format!("Until then no channel is alerted for {}\n", DisableChannel::monitors(alone))
    };
    Ok(format!("disabled {name} ({id})\n{alone}{missed}: lubdub channel enable {id}\n"))
}

/// The names of the monitors that alert this channel and no other, among what there was before it was
/// disabled. What cannot be read is left out.
fn left_alone(monitors: &[Record], channels: &[Record], disabled: ChannelId) -> Vec<String> {
    let channels = channels.iter().filter_map(|record| wire::decode::<Channel>(&record.value).ok());
    let working: Vec<Channel> = channels.filter(|channel| channel.state != ChannelState::Disabled).collect();
    let alerts = |monitor: &Monitor, channel: &Channel| {
        monitor.channels.as_ref().map_or(channel.default, |named| named.contains(&channel.id))
    };
    let is_alone = |monitor: &Monitor| {
        let mut alerted = working.iter().filter(|channel| alerts(monitor, channel)).peekable();
        alerted.peek().is_some() && alerted.all(|channel| channel.id == disabled)
    };
    let monitors = monitors.iter().filter_map(|record| wire::decode::<Monitor>(&record.value).ok());
    monitors.filter(is_alone).map(|monitor| monitor.name).collect()
}

/// The id and the name of a channel. One that cannot be read has its id only.
fn named(record: &Record) -> (String, String) {
    let name = match wire::decode::<Channel>(&record.value) {
        Ok(channel) => channel.name,
        Err(error) => Chain(&error).to_string(),
    };
    (record.key.id.clone(), name)
}

/// All records of a kind.
async fn records(registry: &dyn Registry, kind: RecordKind) -> anyhow::Result<Vec<Record>> {
    let mut records: Vec<Record> = Vec::new();
    loop {
        let after = records.last().map(|last| last.key.id.clone());
        let page = registry.list(kind, after.as_deref(), PAGE).await?;
        if page.is_empty() {
            return Ok(records);
        }
        records.extend(page);
    }
}
