//! The view of a monitor.

use std::collections::HashMap;

use api::monitors::{MonitorState, MonitorView};
use api::time::Time;
use model::gaps::Gaps;
use model::ids::{ChannelId, MonitorId, PartitionId, Revision};
use model::monitor::Monitor;
use model::schedule::Schedule;
use ports::history::HeartbeatEntry;

use crate::api::heartbeats;
use crate::auth::Caller;
use crate::problem::Problem;
use management::app::App;
use management::records::Stored;
use management::situation::{ShownState, Situation, situation};

/// Monitors as `caller` may see them, in the order given.
pub(super) async fn show(
    app: &App,
    caller: &Caller,
    held: Vec<(Stored<Monitor>, Situation)>,
) -> Result<Vec<MonitorView>, Problem> {
    let ids: Vec<MonitorId> = held.iter().map(|(held, _)| held.value.id).collect();
    let mut newest = app.ports.history.newest(&ids).await?.into_iter();
    let defaults = app.directory.default_channels();
    let views = held.into_iter().map(|(held, situation)| {
        let newest = newest.next().flatten();
        view(app, caller, held, situation, newest, &defaults)
    });
    Ok(views.collect())
}

/// The view of a monitor that was just made. Its state is known without asking the state store.
pub(super) fn show_new(app: &App, caller: &Caller, held: Stored<Monitor>) -> MonitorView {
    let situation = situation(&held.value, None, &Gaps::default(), app.ports.clock.now());
    view(app, caller, held, situation, None, &app.directory.default_channels())
}

/// The states of monitors now, in the order given.
pub(super) async fn situations(app: &App, held: &[&Stored<Monitor>]) -> Result<Vec<Situation>, Problem> {
    let partitions = app.ports.log.partitions();
    let mut of_partition: HashMap<PartitionId, Vec<usize>> = HashMap::new();
    for (index, held) in held.iter().enumerate() {
        of_partition.entry(held.value.id.partition(partitions)).or_default().push(index);
    }
    let now = app.ports.clock.now();
    let mut found: Vec<Option<Situation>> = vec![None; held.len()];
    for (partition, indexes) in of_partition {
        let ids: Vec<MonitorId> = indexes.iter().map(|index| held[*index].value.id).collect();
        let states = app.ports.states.states(partition, &ids).await?;
        let head = app.ports.states.head(partition).await?;
        for (index, state) in indexes.into_iter().zip(states) {
            found[index] = Some(situation(&held[index].value, state.as_ref(), &head.gaps, now));
        }
    }
    let unknown = |held: &Stored<Monitor>| situation(&held.value, None, &Gaps::default(), now);
    Ok(found.into_iter().zip(held).map(|(found, held)| found.unwrap_or_else(|| unknown(held))).collect())
}

fn view(
    app: &App,
    caller: &Caller,
    held: Stored<Monitor>,
    situation: Situation,
    newest: Option<HeartbeatEntry>,
    defaults: &[ChannelId],
) -> MonitorView {
    let Stored { revision: Revision(revision), value: monitor } = held;
    let channels = app.channels_among(&monitor, defaults).iter().map(ChannelId::to_string).collect();
    let (timeout, cron) = match &monitor.definition.schedule {
        Schedule::Period { timeout } => (Some(*timeout), None),
        Schedule::Cron(cron) => (None, Some(cron)),
    };
    let token = monitor.token.expose().to_owned();
    let own_grace = monitor.has_own_grace();
    caller.sees(MonitorView {
        id: monitor.id.to_string(),
        name: monitor.name,
        description: monitor.description,
        tags: monitor.tags,
        timeout,
        cron: cron.map(|cron| cron.pattern().to_owned()),
        timezone: cron.map(|cron| cron.timezone().to_owned()),
        grace: monitor.definition.grace,
        own_grace,
        interval: monitor.interval.or(timeout),
        remind_every: monitor.definition.remind_every,
        channels,
        parent: monitor.parent.filter(|id| app.directory.monitor_exists(*id)).map(|id| id.to_string()),
        paused: monitor.definition.paused,
        push_url: Some(caller.push_url(&token)),
        token: Some(token),
        state: state(situation.state),
        state_since: Time(situation.since),
        last_heartbeat: newest.map(heartbeats::view),
        expected_at: situation.expected.map(Time),
        deadline: situation.deadline.map(Time),
        revision,
        created_at: Time(monitor.created_at),
        updated_at: Time(monitor.updated_at),
    })
}

const fn state(state: ShownState) -> MonitorState {
    match state {
        ShownState::New => MonitorState::New,
        ShownState::Up => MonitorState::Up,
        ShownState::Late => MonitorState::Late,
        ShownState::Down => MonitorState::Down,
        ShownState::Paused => MonitorState::Paused,
    }
}
