//! Histories that have everything in them, and how two of them are compared.

use std::path::Path;
use std::process::Command;

use serde_json::{Value, json};

use crate::api::{Api, KEY, Monitor};
use crate::harness::{Finished, Process, eventually, lubdub};

/// A client command against a server.
pub(crate) fn command(at: &Path, api: &Api, arguments: &[&str]) -> Command {
    let mut command = lubdub(at);
    command.args(arguments).env("LUBDUB_URL", format!("http://{}", api.address())).env("LUBDUB_API_KEY", KEY);
    command
}

/// Runs one that must succeed.
#[track_caller]
pub(crate) fn well(at: &Path, api: &Api, arguments: &[&str]) -> Finished {
    let finished = Process::start(&mut command(at, api, arguments)).finish();
    assert_eq!(finished.status.code(), Some(0), "{arguments:?}: {finished:?}");
    finished
}

/// Every monitor by its name.
pub(crate) fn monitors(api: &Api) -> Vec<Monitor> {
    let mut monitors: Vec<Monitor> = api
        .list("/monitors")
        .into_iter()
        .map(|monitor| serde_json::from_value(monitor).expect("a monitor"))
        .collect();
    monitors.sort_by(|a, b| a.name.cmp(&b.name));
    monitors
}

/// The past of every monitor as the API shows it, by the monitor's name.
pub(crate) fn everything(api: &Api) -> Value {
    let of = |monitor: &Monitor| {
        let mut parts = serde_json::Map::new();
        for part in ["heartbeats", "flips"] {
            let mut items = api.list(&format!("/monitors/{}/{part}", monitor.id));
            for item in &mut items {
                let item = item.as_object_mut().expect("an object");
                // A flip's id is made of its monitor's; addresses and outputs are not exported.
                if part == "flips" {
                    item.remove("id");
                }
                item.remove("source");
                item.remove("has_output");
            }
            parts.insert(part.to_owned(), json!(items));
        }
        (monitor.name.clone(), Value::Object(parts))
    };
    Value::Object(monitors(api).iter().map(of).collect())
}

/// A replay finds the downs that the history knows of each monitor, and the state that the log says.
#[track_caller]
pub(crate) fn replays_to_the_same(at: &Path, api: &Api) {
    let asked = well(at, api, &["replay", "what-if", "--all", "--since", "1h", "--timeout", "1h", "--json"]);
    let answer: Value = serde_json::from_str(&asked.stdout).expect("JSON");
    for monitor in monitors(api) {
        let downs = api.flips(&monitor).iter().filter(|flip| flip.to == "down").count();
        let found = answer["monitors"].as_array().and_then(|found| {
            found.iter().find(|found| found["id"] == *monitor.id).map(|found| found["was"]["downs"].clone())
        });
        assert_eq!(found, Some(json!(downs)), "{}: {answer:#}", monitor.name);
    }
    well(at, api, &["replay", "rebuild", "--verify"]);
}

/// One push.
#[track_caller]
pub(crate) fn push(at: &Path, api: &Api, monitor: &Monitor, arguments: &[&str]) {
    well(at, api, &[&["push", &*monitor.push_url], arguments].concat());
}

/// Lets everything happen to monitors that may happen to one. `crash` kills Lubdub and starts it again.
#[track_caller]
pub(crate) fn eventful(at: &Path, api: &Api, crash: impl FnOnce()) {
    let steady = api.monitor("steady", 3_600, None);
    let missed = api.monitor("missed", 1, 1);
    let reported = api.monitor("reported", 3_600, None);
    let changed = api.monitor("changed", 3_600, None);
    let paused = api.monitor("paused", 3_600, None);
    let born = json!({"name": "born paused", "timeout": 3_600, "paused": true});
    let born: Monitor = serde_json::from_value(api.api("POST /monitors", &born)).expect("a monitor");
    let deaf = api.monitor("deaf", 2, 1);
    api.monitor("never", 3_600, None);

    for n in 0..5 {
        push(at, api, &steady, &["--msg", &format!("line {n} \"quoted\" ü"), "--value", "1.25"]);
    }
    for monitor in [&missed, &reported, &changed, &paused, &born] {
        push(at, api, monitor, &[]);
    }
    push(at, api, &reported, &["--status", "down", "--msg", "disk full"]);
    api.until_reasons(&missed, &["first", "missed"]);
    push(at, api, &reported, &["--msg", "well again"]);
    push(at, api, &missed, &[]);
    api.until_reasons(&missed, &["first", "missed", "recovered"]);
    let path = |monitor: &Monitor| format!("/monitors/{}", monitor.id);
    api.api(&format!("PATCH {}", path(&missed)), &json!({"timeout": 1_800}));
    api.api(&format!("PATCH {}", path(&changed)), &json!({"timeout": 600, "grace": 7}));
    push(at, api, &changed, &[]);
    for what in ["pause", "resume"] {
        api.api(&format!("POST {}/{what}", path(&paused)), &Value::Null);
    }
    api.api(&format!("POST {}/resume", path(&born)), &Value::Null);
    push(at, api, &paused, &[]);
    push(at, api, &born, &[]);

    push(at, api, &deaf, &[]);
    api.until_reasons(&deaf, &["first"]);
    crash();
    let flips = api.until_reasons(&deaf, &["first", "missed"]);
    assert_ne!(flips[1].message.as_deref(), Some("no heartbeat for 3 s"), "it was given another chance");
    push(at, api, &deaf, &["--msg", "back"]);
    push(at, api, &deaf, &["--status", "down", "--msg", "down for good"]);
    api.until_reasons(&deaf, &["first", "missed", "recovered", "reported"]);
    push(at, api, &steady, &["--msg", "the last"]);
    eventually("the last heartbeat is in the history", || (api.heartbeats(&steady).len() == 6).then_some(()));
}

/// Waits until two installations show the same past.
#[track_caller]
pub(crate) fn until_equal(one: &Api, other: &Api) {
    let expected = everything(one);
    let seen = std::cell::RefCell::new(Value::Null);
    let waiting = std::panic::catch_unwind(std::panic::AssertUnwindSafe(|| {
        eventually("both show the same past", || {
            let found = everything(other);
            let equal = found == expected;
            *seen.borrow_mut() = found;
            equal.then_some(())
        });
    }));
    let seen = seen.into_inner();
    if waiting.is_err() {
        for (name, past) in expected.as_object().expect("an object") {
            assert_eq!(&seen[name], past, "{name}");
        }
        panic!("they differ: {expected:#}\n{seen:#}");
    }
}
