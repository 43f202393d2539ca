//! The record of a run: by the clients, by Lubdub's history, by the receiver, and in the schedulers' logs.

use std::collections::BTreeMap;

use super::load::{Habit, Load, Loader, Try};
use crate::api::{Api, Flip, Heartbeat, time_ms};
use crate::receiver::Receiver;

/// Everything.
#[derive(Debug, Clone, Default)]
pub(crate) struct Record {
    pub(crate) monitors: Vec<Watched>,
    /// In the order of their coming.
    pub(crate) events: Vec<Event>,
    pub(crate) logs: Vec<Log>,
}

/// A monitor, what its client did, and what Lubdub shows of it.
#[derive(Debug, Clone)]
pub(crate) struct Watched {
    pub(crate) id: String,
    pub(crate) name: String,
    pub(crate) habit: Habit,
    /// Timeout and grace together.
    pub(crate) down_after_ms: i64,
    pub(crate) tries: Vec<Try>,
    /// Oldest first.
    pub(crate) heartbeats: Vec<Heartbeat>,
    /// Oldest first.
    pub(crate) flips: Vec<Flip>,
    /// The newest heartbeat that the monitor shows.
    pub(crate) last_heartbeat_ms: Option<i64>,
}

/// A webhook.
#[derive(Debug, Clone)]
pub(crate) struct Event {
    pub(crate) webhook_id: String,
    pub(crate) monitor: String,
    pub(crate) flip: String,
    pub(crate) sequence: u64,
}

/// The log of a node.
#[derive(Debug, Clone)]
pub(crate) struct Log {
    pub(crate) node: String,
    /// Leases that it took, in order.
    pub(crate) leases: Vec<Lease>,
    /// Its lines at ERROR, and panics.
    pub(crate) errors: Vec<String>,
}

/// The right to a partition.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Lease {
    pub(crate) partition: u16,
    pub(crate) token: String,
}

impl Lease {
    /// The token's counter, by which epochs are told apart.
    pub(crate) fn epoch(&self) -> Option<u64> {
        self.token.split_once('-')?.0.parse().ok()
    }
}

impl Record {
    /// Reads what there is now; `said` is the log of each node, by its name.
    #[track_caller]
    pub(crate) fn read(
        receiver: &Receiver,
        api: &Api,
        load: &Load,
        said: impl IntoIterator<Item = (String, String)>,
    ) -> Self {
        // The alerts are read before the flips, so each alert has its flip.
        let events = receiver.requests().iter().filter_map(event).collect();
        let last_heartbeats = last_heartbeats(api);
        let monitors = load.loaders().iter().map(|loader| watched(api, loader, &last_heartbeats)).collect();
        let logs = said.into_iter().map(|(node, said)| log(&node, &said)).collect();
        Self { monitors, events, logs }
    }

    /// Flips of all monitors.
    pub(crate) fn flips(&self) -> usize {
        self.monitors.iter().map(|monitor| monitor.flips.len()).sum()
    }

    /// Pushes that were answered 200.
    pub(crate) fn acknowledged(&self) -> usize {
        self.monitors.iter().flat_map(|monitor| &monitor.tries).filter(|one| one.status == 200).count()
    }
}

fn last_heartbeats(api: &Api) -> BTreeMap<String, i64> {
    let shown = api.list("/monitors");
    let heard = shown.iter().filter(|monitor| !monitor["last_heartbeat"].is_null());
    let heard = heard.map(|monitor| {
        let id = monitor["id"].as_str().expect("a text").to_owned();
        (id, time_ms(&monitor["last_heartbeat"]["at"]))
    });
    heard.collect()
}

fn watched(api: &Api, loader: &Loader, last_heartbeats: &BTreeMap<String, i64>) -> Watched {
    let monitor = &loader.monitor;
    Watched {
        id: monitor.id.clone(),
        name: monitor.name.clone(),
        habit: loader.pace.habit,
        down_after_ms: i64::try_from(loader.pace.down_after().as_millis()).expect("it is short"),
        tries: loader.tries(),
        heartbeats: api.heartbeats(monitor),
        flips: api.flips(monitor),
        last_heartbeat_ms: last_heartbeats.get(&monitor.id).copied(),
    }
}

fn event(request: &crate::stub::Request) -> Option<Event> {
    let event = request.json();
    let text = |value: &serde_json::Value| value.as_str().map(str::to_owned);
    Some(Event {
        webhook_id: request.header("webhook-id").to_owned(),
        monitor: text(&event["data"]["monitor"]["id"])?,
        flip: text(&event["data"]["flip"]["id"])?,
        sequence: event["data"]["flip"]["sequence"].as_u64()?,
    })
}

fn log(node: &str, said: &str) -> Log {
    let leases = said.lines().filter_map(lease).collect();
    let bad = |line: &&str| line.contains(" ERROR ") || line.contains("panicked at");
    let errors = said.lines().filter(bad).map(str::to_owned).collect();
    Log { node: node.to_owned(), leases, errors }
}

fn lease(line: &str) -> Option<Lease> {
    let rest = line.split_once("took the partition ")?.1;
    let field = |name: &str| {
        rest.split(' ')
            .find_map(|field| field.strip_prefix(name)?.strip_prefix('='))
            .map(|value| value.trim_matches('"'))
    };
    Some(Lease { partition: field("partition.id")?.parse().ok()?, token: field("lease")?.to_owned() })
}

/// Deliveries that are not made: a state and how many.
#[track_caller]
pub(crate) fn undelivered(api: &Api) -> Vec<(&'static str, usize)> {
    let count = |state: &'static str| (state, api.list(&format!("/deliveries?state={state}")).len());
    ["pending", "dead"].map(count).into_iter().filter(|(_, count)| *count > 0).collect()
}

mod tests {
    use super::*;

    #[test]
    fn leases_and_errors_are_read_from_a_log() {
        let said = "2026-11-22T10:00:00.000000Z  INFO scheduler::owner::load: took the partition partition.id=3 \
                    lease=\"12-5f\" monitors=4 offset=17\n\
                    2026-11-22T10:00:01.000000Z ERROR ingest::service: failed to append\n\
                    2026-11-22T10:00:02.000000Z  WARN ingest::service: an error of theirs\n\
                    thread 'main' panicked at src/main.rs:1:1:\n";
        let log = log("scheduler-0", said);
        assert_eq!(log.leases, [Lease { partition: 3, token: "12-5f".to_owned() }]);
        assert_eq!(log.leases[0].epoch(), Some(12));
        assert_eq!(log.errors.len(), 2, "{log:?}");
    }
}
