//! Histories that go to another installation with their times.

use ports::clock::{Clock, SystemClock};
use serde_json::{Value, json};

use super::histories::{eventful, everything, monitors, push, replays_to_the_same, until_equal, well};
use crate::api::time_ms;
use crate::harness::{directory, eventually};
use crate::pipeline::server::{ALLOW, Server};
use crate::receiver::Receiver;

#[test]
fn a_whole_past_is_the_same_elsewhere_and_nobody_is_told() {
    let home = directory();
    let source = std::cell::RefCell::new(Server::start(&[]));
    let api = **source.borrow();
    eventful(home.path(), &api, || {
        let mut source = source.borrow_mut();
        source.kill();
        source.start_again();
    });
    well(home.path(), &api, &["replay", "export", "--since", "1h", "--out", "all.ndjson.zst"]);

    let receiver = Receiver::start();
    let mut target = Server::start(&ALLOW);
    target.channel("ops", &receiver.url());
    let counted = well(
        home.path(),
        &target,
        &["replay", "import", "all.ndjson.zst", "--keep-times", "--create-missing", "--dry-run", "--json"],
    );
    let counted: Value = serde_json::from_str(&counted.stdout).expect("JSON");
    assert_eq!(counted["monitors"], json!({"matched": 0, "created": 8, "missing": 0, "heard": 0}));
    assert_eq!(monitors(&target).len(), 0, "nothing was sent");
    let began = SystemClock::new().now().as_millis();
    let import = ["replay", "import", "all.ndjson.zst", "--keep-times", "--create-missing"];
    well(home.path(), &target, &import);
    until_equal(&api, &target);
    replays_to_the_same(home.path(), &api);
    replays_to_the_same(home.path(), &target);
    assert!(!home.path().join("all.ndjson.zst.progress").exists());

    for monitor in monitors(&target) {
        let shown = target.get(&format!("/monitors/{}", monitor.id));
        let name = &monitor.name;
        let there = monitors(&api).into_iter().find(|there| there.name == *name).expect("it is there");
        assert_eq!((&monitor.state, &monitor.token), (&there.state, &there.token), "{name}");
        for field in ["timeout", "grace", "paused", "state_since"] {
            let original = api.get(&format!("/monitors/{}", there.id))[field].clone();
            assert!(shown[field] == original || name == "never", "{name}: {field} {shown}, {original}");
        }
        if monitor.state == "up" {
            let timeout = shown["timeout"].as_i64().expect("a number") * 1_000;
            assert!(time_ms(&shown["deadline"]) >= began + timeout, "{shown}");
        }
    }
    assert_eq!(target.list("/deliveries"), Vec::<Value>::new());

    let deaf = monitors(&target).into_iter().find(|monitor| monitor.name == "deaf").expect("it is there");
    push(home.path(), &target, &deaf, &["--msg", "here"]);
    let flips = target.until_reasons(&deaf, &["first", "missed", "recovered", "reported", "recovered"]);
    let sequences: Vec<u64> = flips.iter().map(|flip| flip.sequence).collect();
    assert_eq!(sequences, [1, 2, 3, 4, 5]);
    receiver.until_types(&deaf.id, &["monitor.up"]);
    assert_eq!(receiver.requests().len(), 1, "the past sends no alert");

    let before = everything(&target);
    let again = super::histories::command(home.path(), &target, &import);
    let again = crate::harness::Process::start(&mut { again }).finish();
    assert_eq!(again.status.code(), Some(1), "{again:?}");
    assert!(again.stderr.contains("never heard there") && again.stderr.contains("steady"), "{again:?}");
    eventually("nothing changed", || (everything(&target) == before).then_some(()));

    let said = target.stop().stderr;
    let flips = said.lines().filter(|line| line.contains(" flip ")).count();
    assert!(said.contains("replayed an imported past") && flips <= 3, "the past is no news: {said}");
}

/// What an export says of each monitor, by its name: definitions and heartbeats in their order, without ids,
/// revisions, and the deaf time of a partition. The last move is that of the import itself.
fn told(text: &str, with_last_move: bool) -> Value {
    let lines: Vec<Value> = text.lines().map(|line| serde_json::from_str(line).expect("JSON")).collect();
    let mut names = serde_json::Map::new();
    let mut told = serde_json::Map::new();
    for line in &lines {
        if line["type"] == "monitor" && line["name"].is_string() {
            names.insert(line["id"].as_str().expect("an id").to_owned(), line["name"].clone());
            told.insert(line["name"].as_str().expect("a name").to_owned(), json!([]));
            continue;
        }
        let Some(id) = line["monitor"].as_str().or(line["id"].as_str()) else { continue };
        let name = names[id].as_str().expect("it was listed");
        let mut line = line.clone();
        let fields = line.as_object_mut().expect("an object");
        for field in ["id", "monitor", "revision", "imported"] {
            fields.remove(field);
        }
        told[name].as_array_mut().expect("a list").push(line);
    }
    for lines in told.values_mut().filter(|_| !with_last_move) {
        let lines = lines.as_array_mut().expect("a list");
        if let Some(last) = lines.iter().rposition(|line| line["moved"] == true) {
            lines.remove(last);
        }
        lines.retain(|line| line["type"] != "gap");
    }
    told.values_mut().for_each(|lines| {
        lines.as_array_mut().expect("a list").retain(|line| line["type"] != "gap");
    });
    Value::Object(told)
}

#[test]
fn what_was_imported_can_be_exported_again() {
    let home = directory();
    let source = std::cell::RefCell::new(Server::start(&[]));
    let api = **source.borrow();
    eventful(home.path(), &api, || {
        let mut source = source.borrow_mut();
        source.kill();
        source.start_again();
    });
    let (second, third) = (Server::start(&[]), Server::start(&[]));
    let export = |api: &crate::api::Api, name: &str| {
        well(home.path(), api, &["replay", "export", "--since", "1h", "--out", name]);
    };
    let import = |api: &crate::api::Api, name: &str| {
        well(home.path(), api, &["replay", "import", name, "--keep-times", "--create-missing"]);
    };
    export(&api, "first.ndjson");
    import(&second, "first.ndjson");
    until_equal(&api, &second);
    // Life goes on there.
    let find =
        |name: &str| monitors(&second).into_iter().find(|monitor| monitor.name == name).expect("there");
    push(home.path(), &second, &find("steady"), &["--msg", "here"]);
    push(home.path(), &second, &find("deaf"), &[]);
    second.api(&format!("PATCH /monitors/{}", find("steady").id), &json!({"grace": 77}));
    push(home.path(), &second, &find("steady"), &["--status", "down"]);
    eventually("the last heartbeat is in the history", || {
        (second.heartbeats(&find("steady")).len() == 8).then_some(())
    });
    export(&second, "second.ndjson");
    import(&third, "second.ndjson");
    until_equal(&second, &third);
    replays_to_the_same(home.path(), &second);
    replays_to_the_same(home.path(), &third);
    export(&third, "third.ndjson");
    let read = |name: &str| std::fs::read_to_string(home.path().join(name)).expect("read");
    let (before, after) = (told(&read("second.ndjson"), true), told(&read("third.ndjson"), false));
    for (name, lines) in before.as_object().expect("an object") {
        assert_eq!(&after[name], lines, "{name}");
    }
}
