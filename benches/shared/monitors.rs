//! Monitors, made through the adapters: by the API it would take long.

use std::sync::Arc;
use std::time::Duration;

use common::model::flip::State;
use common::model::ids::{MonitorId, Revision};
use common::model::monitor::{Definition, Monitor, Token};
use common::model::monitor_state::MonitorState;
use common::model::schedule::Schedule;
use common::model::time::EventTime;
use common::ports::registry::{Expected, RecordKey, RecordKind, Registry};
use common::wire;
use tokio::task::JoinSet;
use uuid::Uuid;

/// The monitors to make.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Seed {
    pub(crate) monitors: usize,
    /// Seconds; the grace is 0.
    pub(crate) timeout: u32,
    /// Heard before, so that they are up; else new.
    pub(crate) heard: bool,
}

/// A monitor that was made.
#[derive(Debug, Clone)]
pub(crate) struct Seeded {
    pub(crate) id: MonitorId,
    pub(crate) token: String,
}

impl From<Monitor> for Seeded {
    fn from(monitor: Monitor) -> Self {
        Self { id: monitor.id, token: monitor.token.expose().to_owned() }
    }
}

/// What a person's monitor looks like; the `nth`.
pub(crate) fn monitor(nth: usize, timeout: u32, now: EventTime) -> Monitor {
    let definition =
        Definition { schedule: Schedule::Period { timeout }, grace: 0, remind_every: 0, paused: false };
    let token = format!("{:032x}", rand::random::<u128>());
    Monitor {
        id: MonitorId::from_uuid(Uuid::now_v7()),
        name: format!("nightly backup of host {nth}"),
        description: String::new(),
        tags: vec!["prod".to_owned()],
        definition,
        interval: None,
        channels: None,
        token: Token::parse(&token).expect("hexadecimal digits are allowed in a token"),
        old_tokens: Vec::new(),
        created_at: now,
        updated_at: now,
    }
}

/// Its state: heard when it was made, or never.
pub(crate) fn state(monitor: &Monitor, revision: Revision, heard: bool) -> MonitorState {
    let heard_at = heard.then_some(monitor.created_at);
    let Schedule::Period { timeout } = monitor.definition.schedule else {
        unreachable!("only periods are made here")
    };
    MonitorState {
        revision,
        definition: Some(monitor.definition.clone()),
        state: if heard { State::Up } else { State::New },
        since: monitor.created_at,
        sequence: u64::from(heard),
        heard_at,
        counted_from: heard_at,
        incident: None,
        armed_at: heard_at.map(|at| at + Duration::from_secs(timeout.into())),
    }
}

/// Writes the records, many at once so that they share transactions, and answers their revisions.
pub(crate) async fn register(
    registry: Arc<dyn Registry>,
    monitors: &[Monitor],
) -> anyhow::Result<Vec<Revision>> {
    let mut writes = JoinSet::new();
    for (place, monitor) in monitors.iter().enumerate() {
        let (registry, value) = (Arc::clone(&registry), wire::encode(monitor));
        let key = RecordKey::new(RecordKind::Monitor, monitor.id);
        writes.spawn(async move { (place, registry.put(&key, Expected::Absent, value).await) });
    }
    let mut revisions = vec![Revision(0); monitors.len()];
    while let Some(written) = writes.join_next().await {
        let (place, revision) = written?;
        revisions[place] = revision?;
    }
    Ok(revisions)
}
