//! Exports and questions that begin after the newest heartbeat of a monitor, or end before an import.

use ports::clock::{Clock, SystemClock};
use serde_json::{Value, json};

use super::histories::{monitors, push, well};
use crate::api::{Api, KEY, Monitor};
use crate::harness::{directory, eventually};
use crate::pipeline::server::Server;

fn named(api: &Api, name: &str) -> Monitor {
    monitors(api).into_iter().find(|monitor| monitor.name == name).expect("it is there")
}

/// A server with monitors in every state, all heard before the time that is returned.
fn heard_before(home: &std::path::Path) -> (Server, String) {
    let source = Server::start(&[]);
    let (steady, failed) = (source.monitor("steady", 86_400, None), source.monitor("failed", 86_400, None));
    let (resumed, asleep) = (source.monitor("resumed", 86_400, None), source.monitor("asleep", 86_400, None));
    let missed = source.monitor("missed", 1, 0);
    source.monitor("never", 86_400, None);
    for monitor in [&steady, &failed, &resumed, &asleep, &missed] {
        push(home, &source, monitor, &["--msg", "done"]);
    }
    push(home, &source, &failed, &["--status", "down", "--msg", "disk full"]);
    source.until_reasons(&missed, &["first", "missed"]);
    for (monitor, actions) in [(&asleep, &["pause"][..]), (&resumed, &["pause", "resume"])] {
        for action in actions {
            source.api(&format!("POST /monitors/{}/{action}", monitor.id), &Value::Null);
        }
    }
    source.until_reasons(&failed, &["first", "reported"]);
    source.until_reasons(&asleep, &["first", "paused"]);
    source.until_reasons(&resumed, &["first", "paused", "resumed"]);
    let since = SystemClock::new().now().to_rfc3339();
    push(home, &source, &steady, &["--msg", "again"]);
    eventually("it is heard again", || (source.heartbeats(&steady).len() == 2).then_some(()));
    (source, since)
}

#[test]
fn a_monitor_that_was_watched_is_watched_where_it_is_copied_to() {
    let home = directory();
    let (source, since) = heard_before(home.path());
    let (target, third) = (Server::start(&[]), Server::start(&[]));
    let copy = |from: &Api, to: &Api, since: &str| {
        let url = format!("http://{}", to.address());
        let keep = ["--keep-times", "--create-missing"];
        let arguments = ["replay", "copy", "--since", since, "--to", &url, "--to-key", KEY];
        well(home.path(), from, &[&arguments[..], &keep].concat())
    };
    let states = |api: &Api| -> Vec<(String, String)> {
        monitors(api).into_iter().map(|monitor| (monitor.name, monitor.state)).collect()
    };
    let said = copy(&source, &target, &since).stderr;
    assert!(said.contains("1 monitor without a known heartbeat") && said.contains(": never"), "{said}");
    eventually("each is in the state that it had", || (states(&target) == states(&source)).then_some(()));
    let failed = target.heartbeats(&named(&target, "failed"));
    assert_eq!(failed.iter().filter_map(|heard| heard.msg.clone()).collect::<Vec<_>>(), ["disk full"]);
    // One that was heard before it was paused is watched when it is resumed.
    let asleep = named(&target, "asleep");
    target.api(&format!("POST /monitors/{}/resume", asleep.id), &Value::Null);
    eventually("it is up", || (named(&target, "asleep").state == "up").then_some(()));
    // What came there by an import was heard before as well.
    let said = copy(&target, &third, &SystemClock::new().now().to_rfc3339()).stderr;
    assert!(said.contains(": never"), "{said}");
    eventually("each is as it was", || (states(&third) == states(&target)).then_some(()));
}
