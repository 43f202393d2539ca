//! `lubdub backup` of a process under load, and what `lubdub restore` makes of it.

use std::path::Path;
use std::time::Duration;

use super::pusher::{Habit, Pusher, check_answers};
use super::server::{ALLOW, Server};
use crate::api::KEY;
use crate::harness::{Finished, Process, directory, eventually, lubdub};
use crate::receiver::Receiver;

/// Longer than the timeout and the grace of the monitor that is pushed to.
const AWAY: Duration = Duration::from_secs(5);

fn run(arguments: &[&str], folder: &Path) -> Finished {
    let home = directory();
    let mut command = lubdub(home.path());
    Process::start(command.args(arguments).arg("--data-dir").arg(folder)).finish()
}

#[test]
fn a_back_up_under_load_is_restored_elsewhere_whole_and_without_a_false_alarm() {
    let receiver = Receiver::start();
    let mut server = Server::start(&ALLOW);
    server.channel("hook", &receiver.url());
    let steady = server.monitor("steady", 2, 1);
    let reported = server.monitor("reported", 600, 60);
    let pushers: Vec<Pusher> = (0..4)
        .map(|number| {
            let habit = Habit::every(Duration::from_millis(100));
            Pusher::start(server.address(), &steady, &format!("steady-{number}"), habit)
        })
        .collect();
    assert_eq!(server.push(&reported, "status=down"), 200);
    server.until_reasons(&reported, &["reported"]);
    eventually("the pushes are in the history", || (server.heartbeats(&steady).len() > 4).then_some(()));
    eventually("the webhook came", || (!receiver.requests().is_empty()).then_some(()));

    let elsewhere = directory();
    let file = elsewhere.path().join("copy.tar.zst");
    let file = file.to_str().expect("a name");
    let done = run(&["backup", file], server.data());
    assert_eq!(done.status.code(), Some(0), "{done:?}");
    assert!(done.stdout.contains("2 monitors"), "{done:?}");
    let twice = run(&["backup", file], server.data());
    assert!(twice.stderr.contains("is there already"), "{twice:?}");
    let onto = run(&["restore", file], server.data());
    assert!(onto.status.code() == Some(1) && onto.stderr.contains("is not empty"), "{onto:?}");
    // Made after the back-up: the restored one does not know it.
    server.monitor("late", 600, 60);
    for pusher in pushers {
        check_answers(&pusher.stop());
    }
    server.stop();
    std::thread::sleep(AWAY);

    let checked = run(&["restore", file, "--check"], server.data());
    assert!(checked.stdout.contains("is whole"), "{checked:?}");
    let mut restored = Server::start_with(
        |data| {
            let done = run(&["restore", file], data);
            assert_eq!(done.status.code(), Some(0), "{done:?}");
        },
        &ALLOW,
    );
    let mut names: Vec<String> = restored
        .list("/monitors")
        .iter()
        .map(|monitor| monitor["name"].as_str().expect("a name").to_owned())
        .collect();
    names.sort_unstable();
    assert_eq!(names, ["reported", "steady"]);
    assert_eq!(restored.shown(&reported).state, "down");
    assert!(!restored.heartbeats(&steady).is_empty(), "the history is there");
    let mut verify = lubdub(elsewhere.path());
    verify.args(["replay", "rebuild", "--verify"]);
    verify.env("LUBDUB_URL", format!("http://{}", restored.address())).env("LUBDUB_API_KEY", KEY);
    let verified = Process::start(&mut verify).finish();
    assert_eq!(verified.status.code(), Some(0), "{verified:?}");
    assert!(verified.stdout.contains("all 2 monitors are as the log says"), "{verified:?}");
    // The push URLs are the same, and the silence in between is no alarm.
    assert_eq!(restored.push(&steady, "status=up&msg=again"), 200);
    eventually("it is heard", || {
        restored.heartbeats(&steady).iter().any(|one| one.msg.as_deref() == Some("again")).then_some(())
    });
    assert_eq!(restored.reasons(&steady), ["first"], "no false alarm");
    assert_eq!(restored.push(&reported, "status=up"), 200);
    restored.until_reasons(&reported, &["reported", "recovered"]);
    eventually("the recovery is told", || {
        receiver.events(&reported.id).iter().any(|event| event["type"] == "monitor.up").then_some(())
    });
    assert!(receiver.events(&steady.id).is_empty(), "{:?}", receiver.events(&steady.id));
    restored.stop();
}
