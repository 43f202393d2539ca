//! Monitors, made through the adapters: by the API it would take long.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

use model::channel::{Channel, ChannelKind, ChannelState, Secret, Webhook, WebhookMethod};
use model::flip::State;
use model::ids::{ChannelId, MonitorId, Revision};
use model::monitor::{Definition, Monitor, Token};
use model::monitor_state::MonitorState;
use model::schedule::Schedule;
use model::time::EventTime;
use model::wire;
use ports::clock::{Clock, SystemClock};
use ports::registry::{Expected, RecordKey, RecordKind, Registry};
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
    /// The number of channels that share the monitors, those of [`channel`]; 0: monitors name none.
    pub(crate) channels: usize,
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

/// The `nth` of a person's monitors.
pub(crate) fn monitor(nth: usize, seed: Seed, now: EventTime) -> Monitor {
    let schedule = Schedule::Period { timeout: seed.timeout };
    let definition = Definition { schedule, grace: 0, remind_every: 0, paused: false };
    let token = format!("{:032x}", rand::random::<u128>());
    Monitor {
        id: MonitorId::from_uuid(Uuid::now_v7()),
        name: format!("nightly backup of host {nth}"),
        description: String::new(),
        tags: vec!["prod".to_owned()],
        definition,
        own_grace: Some(true),
        interval: None,
        channels: (seed.channels > 0).then(|| vec![channel(nth % seed.channels)]),
        parent: None,
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
        imported: None,
    }
}

/// The `nth` channel that monitors may share.
pub(crate) fn channel(nth: usize) -> ChannelId {
    ChannelId::from_uuid(Uuid::from_u128(0xc0de_0000 + nth as u128))
}

/// Makes those channels, webhooks to these URLs, which gather or do not.
pub(crate) async fn register_channels(
    registry: &dyn Registry,
    urls: &[String],
    digest: bool,
) -> anyhow::Result<()> {
    for (nth, url) in urls.iter().enumerate() {
        let webhook = Webhook {
            url: Secret::new(url.clone()),
            secret: Secret::new("whsec_YSBrZXkgdGhhdCBldmVyeWJvZHkga25vd3M=".to_owned()),
            old_secrets: Vec::new(),
            headers: BTreeMap::new(),
            method: WebhookMethod::Post,
            template: None,
            content_type: None,
            digest,
        };
        let made = Channel {
            id: channel(nth),
            name: format!("receiver {nth}"),
            kind: ChannelKind::Webhook(Box::new(webhook)),
            default: false,
            state: ChannelState::Ok,
            state_detail: None,
            failing_since: None,
            timezone: None,
            created_at: SystemClock::new().now(),
        };
        let key = RecordKey::new(RecordKind::Channel, made.id);
        registry.put(&key, Expected::Absent, wire::encode(&made)).await?;
    }
    Ok(())
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
