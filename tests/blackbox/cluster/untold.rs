//! Many monitors go down at once, and a chat is told of some: the notifier dies before it tells of the
//! others, and Redis comes back without what the notifier had noted there.

use std::collections::BTreeSet;
use std::thread::sleep;
use std::time::{Duration, Instant};

use serde_json::Value;

use super::installation::{Installation, Plan};
use super::node::Role;
use crate::api::Monitor;
use crate::harness::{PATIENCE, eventually};
use crate::http::Client;
use crate::told::{Channel, Ears, monitor};

/// The monitors that go down, and how many of them a chat is told of one by one.
const MONITORS: usize = 14;
const SINGLES: usize = 5;
/// A folded delivery asks after its teller 35 s later; then a digest is gathered for 30 s.
const TOLD_WITHIN: Duration = Duration::from_secs(180);
const LOOK_EVERY: Duration = Duration::from_millis(500);

struct Chat {
    cluster: Installation,
    ears: Ears,
    channel: Channel,
    monitors: Vec<Monitor>,
}

impl Chat {
    fn start(plan: Plan) -> Self {
        let ears = Ears::quick();
        let cluster = Installation::start(plan);
        cluster.until_held();
        let channel = ears.channel(&cluster.api(), "chat", true);
        let monitors = (0..MONITORS).map(|n| monitor(&cluster.api(), &format!("host-{n}"), &[&channel]));
        let monitors = monitors.collect();
        Self { cluster, ears, channel, monitors }
    }

    fn take_down(&self, which: std::ops::Range<usize>) {
        let mut client = Client::new(self.cluster.nodes(Role::Ingest)[0].address(), PATIENCE);
        for monitor in &self.monitors[which] {
            let line = format!("POST /api/push/{}?status=down", monitor.token);
            assert_eq!(client.ask(&line, "", b"").expect("an answer").status, 200);
        }
    }

    /// Waits until the others wait for a digest.
    fn until_folded(&self) {
        let path = format!("/deliveries?channel={}&state=folded", self.channel.id);
        eventually("the others are folded", || {
            let folded = self.cluster.api().list(&path).len();
            (folded == MONITORS - SINGLES && self.ears.count() == SINGLES).then_some(())
        });
    }

    /// Waits until the chat was told of every monitor, one way or another.
    fn until_told(&self) {
        let all: BTreeSet<String> = self.monitors.iter().map(|monitor| monitor.id.clone()).collect();
        let begin = Instant::now();
        loop {
            let mut told = BTreeSet::new();
            for event in self.ears.requests().iter().map(crate::stub::Request::json) {
                let one = |data: &Value| {
                    let down = data["flip"]["to"] == "down";
                    data["monitor"]["id"].as_str().filter(|_| down).map(str::to_owned)
                };
                let data = &event["data"];
                match data["flips"].as_array() {
                    Some(flips) => told.extend(flips.iter().filter_map(one)),
                    None => told.extend(one(data)),
                }
            }
            if told == all {
                return;
            }
            assert!(begin.elapsed() < TOLD_WITHIN, "told of {} in {TOLD_WITHIN:?}", told.len());
            sleep(LOOK_EVERY);
        }
    }
}

/// One of each, so that nobody else has in memory what the notifier knew.
const ALONE: Plan = Plan { ingest: 1, scheduler: 1, notifier: 1, ..Plan::USUAL };

#[test]
fn what_was_folded_is_told_although_redis_forgot_it_and_the_notifier_died() {
    let mut chat = Chat::start(ALONE);
    chat.take_down(0..MONITORS);
    chat.until_folded();
    chat.cluster.node(Role::Notifier, 0).kill();
    assert_eq!(chat.cluster.redis.cli(&["FLUSHALL"]).trim(), "OK");
    chat.cluster.node(Role::Notifier, 0).launch();
    chat.until_told();
}

#[test]
fn what_was_folded_is_told_although_redis_is_older_and_the_notifier_died() {
    let mut chat = Chat::start(Plan { appending: false, ..ALONE });
    chat.take_down(0..2);
    eventually("two were told of", || (chat.ears.count() == 2).then_some(()));
    let snapshot = chat.cluster.redis.snapshot();
    chat.take_down(2..MONITORS);
    chat.until_folded();
    chat.cluster.node(Role::Notifier, 0).kill();
    chat.cluster.redis.restore(&snapshot);
    chat.cluster.node(Role::Notifier, 0).launch();
    chat.until_told();
    let said = chat.cluster.nodes(Role::Notifier)[0].said();
    assert!(said.contains("the ledger was set back"), "{said}");
}
