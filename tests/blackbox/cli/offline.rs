//! What can be done to the data of a Lubdub that does not run.

use std::time::Duration;

use serde_json::Value;

use crate::harness::{Finished, PATIENCE, Process, directory, eventually_within, lubdub};
use crate::pipeline::server::{ALLOW, Server};
use crate::receiver::Receiver;

/// How long a message of a disabled channel to itself waits.
const LOOKED_AT_AFTER: Duration = Duration::from_secs(30);

fn disable(server: &Server, channel: &str) -> Finished {
    let mut command = lubdub(server.home());
    command.args(["channel", "disable", channel, "--offline", "--data-dir"]).arg(server.data());
    Process::start(&mut command).finish()
}

#[track_caller]
fn refused(finished: &Finished, code: i32, why: &str) {
    assert_eq!(finished.status.code(), Some(code), "{finished:?}");
    assert!(finished.stderr.contains(why), "{}", finished.stderr);
}

fn shown(server: &Server, channel: &str) -> Value {
    server.get(&format!("/channels/{channel}"))
}

#[test]
fn a_channel_is_disabled_where_no_server_runs_and_hears_of_what_is_down_when_enabled_again() {
    let receiver = Receiver::start();
    let mut server = Server::start(&ALLOW);
    let (id, _) = server.channel("ops", &receiver.url());
    let monitor = server.monitor("job", 3_600, None);
    assert_eq!(server.push(&monitor, "status=up"), 200);
    refused(&disable(&server, "ops"), 1, "in use by another lubdub");
    assert_eq!(shown(&server, &id)["state"], "ok");
    assert_eq!(server.stop().status.code(), Some(0));

    refused(&disable(&server, "opps"), 1, "there is no channel named \"opps\"; there are 1: ops");
    for named in ["ops", &id] {
        let done = disable(&server, named);
        assert_eq!(done.status.code(), Some(0), "{done:?}");
        let before = named == id;
        assert_eq!(done.stdout.contains("was disabled before"), before, "{done:?}");
        assert_eq!(done.stdout.contains(&format!("disabled ops ({id})")), !before, "{done:?}");
    }

    server.start_again();
    let channel = shown(&server, &id);
    assert_eq!(channel["state"], "disabled", "{channel}");
    assert!(channel["state_detail"].as_str().is_some_and(|why| why.contains("by hand")), "{channel}");
    assert_eq!(server.push(&monitor, "status=down&msg=disk"), 200);
    eventually_within(PATIENCE, "it is not told", || {
        let deliveries = server.list(&format!("/deliveries?channel={id}"));
        deliveries.iter().any(|one| one["state"] == "suppressed").then_some(())
    });
    assert_eq!(receiver.requests().len(), 0);
    let mut enable = lubdub(server.home());
    enable.args(["channel", "enable", "ops", "--data-dir"]).arg(server.data());
    enable.env("LUBDUB_URL", format!("http://{}", server.address()));
    assert_eq!(Process::start(&mut enable).finish().status.code(), Some(0));
    eventually_within(PATIENCE + LOOKED_AT_AFTER, "it is told now", || {
        receiver.events(&monitor.id).iter().any(|event| event["type"] == "monitor.down").then_some(())
    });
    assert_eq!(server.heartbeats(&monitor).len(), 2, "nothing of the data was lost");
}

#[test]
fn only_the_data_of_a_lubdub_is_touched_and_only_on_purpose() {
    let home = directory();
    let run = |arguments: &[&str]| Process::start(lubdub(home.path()).args(arguments)).finish();
    refused(&run(&["channel", "disable", "ops"]), 2, "--offline");
    let elsewhere = ["channel", "disable", "ops", "--offline", "--data-dir", "nothing/here"];
    refused(&run(&elsewhere), 1, "there is no Lubdub data in nothing/here");
    assert!(!home.path().join("nothing").exists(), "nothing is made");
}
