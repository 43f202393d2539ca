//! Many monitors go down at once, and a pager has one incident for most of them. The notifier dies, and Redis
//! comes back without what the notifier had noted there: the incident is closed all the same.

use std::collections::BTreeSet;

use serde_json::{Value, json};

use super::installation::{Installation, Plan};
use super::node::Role;
use crate::api::Monitor;
use crate::harness::{PATIENCE, eventually_within};
use crate::http::Client;
use crate::stub::{Answer, Request, Stub};
use crate::told::{Channel, monitor};

/// The monitors that go down, and how many of them have an incident of their own.
const MONITORS: usize = 26;
const ALONE: usize = 20;

/// The desk is asked about the storm 35 s after it began at the latest, or a minute later if Redis was away.
const CLOSED_WITHIN: std::time::Duration = std::time::Duration::from_secs(180);

/// One of each, so that no other notifier has in memory what the dead one knew.
const PLAN: Plan = Plan { ingest: 1, scheduler: 1, notifier: 1, ..Plan::USUAL };

struct Paged {
    cluster: Installation,
    pager: Stub,
    monitors: Vec<Monitor>,
}

impl Paged {
    fn start(plan: Plan) -> Self {
        let pager = Stub::start(|_| Answer::json(202, &json!({"status": "success"})));
        let cluster = Installation::start(plan);
        cluster.until_held();
        let settings = json!({"routing_key": "0".repeat(32)});
        let body = json!({"name": "pager", "kind": "pagerduty", "url": pager.url(), "settings": settings,
            "default": false});
        let made = cluster.api().api("POST /channels", &body);
        let id = made["id"].as_str().expect("a text").to_owned();
        let channel = Channel { id, path: "/v2/enqueue".to_owned(), digest: false };
        let monitors = (0..MONITORS).map(|n| monitor(&cluster.api(), &format!("host-{n}"), &[&channel]));
        let monitors = monitors.collect();
        Self { cluster, pager, monitors }
    }

    fn push(&self, which: std::ops::Range<usize>, status: &str) {
        let mut client = Client::new(self.cluster.nodes(Role::Ingest)[0].address(), PATIENCE);
        for monitor in &self.monitors[which] {
            let line = format!("POST /api/push/{}?status={status}", monitor.token);
            assert_eq!(client.ask(&line, "", b"").expect("an answer").status, 200);
        }
    }

    /// The incidents that are open, and those that were ever opened.
    fn incidents(&self) -> (BTreeSet<String>, BTreeSet<String>) {
        let (mut open, mut ever) = (BTreeSet::new(), BTreeSet::new());
        for event in self.pager.requests().iter().map(Request::json) {
            let text = |value: &Value| value.as_str().expect("a text").to_owned();
            let key = text(&event["dedup_key"]);
            match &*text(&event["event_action"]) {
                "trigger" => {
                    ever.insert(key.clone());
                    open.insert(key);
                }
                _ => drop(open.remove(&key)),
            }
        }
        (open, ever)
    }

    /// Waits until the storm is told, and the queue knows of each delivery what became of it. A member that
    /// the dead notifier still had in hand would be alerted by itself.
    fn until_told(&self) {
        self.until_open(ALONE + 1);
        eventually_within(CLOSED_WITHIN, "the others are folded", || {
            let count = |state: &str| self.cluster.api().list(&format!("/deliveries?state={state}")).len();
            (count("folded") == MONITORS - ALONE && count("delivered") == ALONE + 1).then_some(())
        });
        eventually_within(CLOSED_WITHIN, "nothing is in hand", || {
            let claimed = self.cluster.metric(Role::Notifier, "lubdub_notifier_deliveries_claimed");
            (claimed < 0.5).then_some(())
        });
    }

    /// Waits until no incident is open: one for each monitor that was alone, and one for the storm, were.
    fn until_closed(&self) {
        self.until_open(0);
        assert_eq!(self.incidents().1.len(), ALONE + 1, "no further incident was opened");
    }

    /// Waits until this many incidents are open.
    fn until_open(&self, count: usize) {
        eventually_within(CLOSED_WITHIN, &format!("{count} incidents are open"), || {
            (self.incidents().0.len() == count).then_some(())
        });
    }
}

#[test]
fn a_storm_is_closed_although_redis_forgot_it_and_the_notifier_died() {
    let mut paged = Paged::start(PLAN);
    paged.push(0..MONITORS, "down");
    paged.until_told();
    paged.cluster.node(Role::Notifier, 0).kill();
    assert_eq!(paged.cluster.redis.cli(&["FLUSHALL"]).trim(), "OK");
    paged.cluster.node(Role::Notifier, 0).launch();
    paged.push(0..MONITORS, "up");
    paged.until_closed();
}

#[test]
fn a_storm_is_closed_although_redis_is_older_and_the_notifier_died() {
    let mut paged = Paged::start(Plan { appending: false, ..PLAN });
    paged.push(0..2, "down");
    paged.until_open(2);
    let snapshot = paged.cluster.redis.snapshot();
    paged.push(2..MONITORS, "down");
    paged.until_told();
    paged.cluster.node(Role::Notifier, 0).kill();
    paged.cluster.redis.restore(&snapshot);
    paged.cluster.node(Role::Notifier, 0).launch();
    paged.push(0..MONITORS, "up");
    paged.until_closed();
    let said = paged.cluster.nodes(Role::Notifier)[0].said();
    assert!(said.contains("the ledger was set back"), "{said}");
}
