//! The channels that a monitor's alerts reach.

use model::natural;

use super::super::api::{Api, ApiError};
use super::super::confirm::several;
use super::super::lookup::{Kind, Named, SEARCHED};
use super::super::view::{Channel, Monitor, Window};

/// More channels than this are not looked at.
const CHANNELS: usize = 10_000;

/// Every channel of the server, by name.
pub(crate) async fn channels(api: &Api) -> Result<Vec<Channel>, ApiError> {
    let listing = api.list(&["channels"], &[], CHANNELS).await?;
    let mut channels: Vec<Channel> =
        listing.items.iter().map(|item| api.view(item)).collect::<Result<_, _>>()?;
    channels.sort_by(|one, other| natural::compare(&one.name, &other.name));
    Ok(channels)
}

/// Every monitor of the server.
pub(crate) async fn monitors(api: &Api) -> Result<Vec<Monitor>, ApiError> {
    let listing = api.list(&["monitors"], &[], SEARCHED).await?;
    listing.items.iter().map(|item| api.view(item)).collect()
}

/// The monitors whose alerts reach one of these channels.
pub(crate) fn reaching(monitors: &[Monitor], channels: &[Channel]) -> Vec<Named> {
    let reaches = |monitor: &&Monitor| used(monitor, channels).iter().any(|channel| channel.works());
    let named = |monitor: &Monitor| Named { id: monitor.id.clone(), name: monitor.name.clone() };
    monitors.iter().filter(reaches).map(named).collect()
}

/// The monitors that reached a channel before and reach none after, in words; `None` if there are none.
pub(crate) fn left_alone(before: Vec<Named>, after: &[Named]) -> Option<String> {
    let left: Vec<Named> = before.into_iter().filter(|one| !after.contains(one)).collect();
    (!left.is_empty()).then(|| several(Kind::Monitor.noun(), &left))
}

/// Every maintenance window of the server; it holds 1,000 at most.
pub(super) async fn windows(api: &Api) -> Result<Vec<Window>, ApiError> {
    let listing = api.list(&["maintenance-windows"], &[], 1_000).await?;
    listing.items.iter().map(|item| api.view(item)).collect()
}

/// The window that keeps the monitor's channels silent now.
pub(super) fn silencing<'a>(monitor: &Monitor, windows: &'a [Window]) -> Option<&'a Window> {
    windows.iter().find(|window| window.active && window.is_for(monitor))
}

/// The channels that the monitor uses.
pub(super) fn used<'a>(monitor: &Monitor, all: &'a [Channel]) -> Vec<&'a Channel> {
    let uses = |channel: &&Channel| match &monitor.channels {
        Some(ids) => ids.contains(&channel.id),
        None => channel.default,
    };
    all.iter().filter(uses).collect()
}

/// The names of the channels, for people.
pub(super) fn told(used: &[&Channel]) -> String {
    if used.is_empty() {
        return "nobody".to_owned();
    }
    let name = |channel: &&Channel| {
        let note = match channel.state.as_str() {
            state @ ("disabled" | "failing") => format!(", {state}"),
            _ => String::new(),
        };
        format!("{} ({}{note})", channel.name, channel.kind)
    };
    used.iter().map(name).collect::<Vec<_>>().join(", ")
}

/// The warning if the monitor's alerts would reach no channel.
pub(super) fn warning(monitor: &Monitor, all: &[Channel], program: &str) -> Option<String> {
    let used = used(monitor, all);
    if used.iter().any(|channel| channel.works()) {
        return None;
    }
    let name = super::super::shell::quoted(&monitor.name);
    let (why, what) = match (used.first(), all.iter().find(|channel| channel.works())) {
        (Some(disabled), _) => (
            "its channels are disabled",
            format!("channel enable {}", super::super::shell::quoted(&disabled.name)),
        ),
        (None, Some(channel)) => (
            "it uses no channel",
            format!("monitor edit {name} --channel {}", super::super::shell::quoted(&channel.name)),
        ),
        (None, None) => ("there is no channel yet", "channel create ops webhook --url https://…".to_owned()),
    };
    Some(format!("nobody will be alerted: {why}. To change that:\n  {program} {what}"))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn channel(name: &str, default: bool, state: &str) -> Channel {
        Channel {
            id: format!("id of {name}"),
            name: name.to_owned(),
            kind: "webhook".to_owned(),
            default,
            state: state.to_owned(),
            ..Channel::default()
        }
    }

    fn monitor(channels: Option<&[&str]>) -> Monitor {
        let ids = |names: &[&str]| names.iter().map(|name| format!("id of {name}")).collect();
        Monitor { name: "my job".to_owned(), channels: channels.map(ids), ..Monitor::default() }
    }

    #[test]
    fn warns_exactly_when_nobody_would_be_alerted() {
        let ops = || channel("ops", true, "ok");
        let spare = || channel("spare", false, "failing");
        let dead = || channel("dead", true, "disabled");
        for (all, channels, expected) in [
            (vec![ops()], None, None),
            (vec![spare()], Some(&["spare"][..]), None),
            (vec![ops(), dead()], None, None),
            (vec![], None, Some("channel create ops webhook")),
            (vec![spare()], None, Some("monitor edit 'my job' --channel spare")),
            (vec![ops()], Some(&[][..]), Some("monitor edit 'my job' --channel ops")),
            (vec![ops(), dead()], Some(&["dead"][..]), Some("channel enable dead")),
        ] {
            let warning = warning(&monitor(channels), &all, "./lubdub");
            match expected {
                None => assert_eq!(warning, None),
                Some(command) => {
                    let warning = warning.expect("a warning");
                    assert!(warning.contains(&format!("\n  ./lubdub {command}")), "{warning}");
                }
            }
        }
    }
}
