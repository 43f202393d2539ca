//! What an import makes beside what a target has, and an installation that comes back as it was.

use std::collections::HashMap;
use std::path::Path;

use ports::clock::{Clock, SystemClock};
use rand::rngs::StdRng;
use rand::{RngExt, SeedableRng};
use serde_json::{Value, json};
use tempfile::TempDir;

use super::histories::{command, monitors, well};
use crate::api::Api;
use crate::harness::{Finished, Process, directory};
use crate::pipeline::server::{ALLOW, Server};

const IMPORT: [&str; 5] = ["replay", "import", "f.ndjson", "--keep-times", "--create-missing"];

fn run(home: &Path, api: &Api, arguments: &[&str]) -> Finished {
    Process::start(&mut command(home, api, arguments)).finish()
}

/// A source with a default channel and one of its own for a monitor, exported, and an empty target.
fn exported() -> (TempDir, Server, Server) {
    let home = directory();
    let (source, target) = (Server::start(&ALLOW), Server::start(&ALLOW));
    let channel = |name: &str, more: Value| {
        let mut body = json!({"name": name, "kind": "webhook", "url": format!("http://127.0.0.1:9/{name}")});
        body.as_object_mut().expect("an object").extend(more.as_object().expect("an object").clone());
        source.api("POST /channels", &body)["id"].clone()
    };
    channel("ops", json!({}));
    let own = channel("own", json!({"default": false, "state": "disabled"}));
    let db = json!({"name": "db", "timeout": 3_600, "grace": 360, "channels": [own], "tags": ["db"]});
    let db = source.api("POST /monitors", &db)["id"].clone();
    source.api("POST /monitors", &json!({"name": "web", "timeout": 3_600}));
    let window =
        json!({"name": "updates", "monitors": [db], "tags": ["db"], "cron": "0 3 * * *", "duration": 3_600});
    source.api("POST /maintenance-windows", &window);
    well(home.path(), &source, &["replay", "export", "--since", "1h", "--out", "f.ndjson"]);
    let secrets = "OPS_URL=http://127.0.0.1:9/ops\nOWN_URL=http://127.0.0.1:9/own\n";
    std::fs::write(home.path().join("s"), secrets).expect("written");
    (home, source, target)
}

fn named(items: Vec<Value>, name: &str) -> Value {
    items.into_iter().find(|item| item["name"] == name).unwrap_or_else(|| panic!("there is no {name}"))
}

#[test]
fn what_the_target_has_keeps_its_routes() {
    let (home, _source, target) = exported();
    let (theirs, _) = target.channel("theirs", "http://127.0.0.1:9/theirs");
    target.api("POST /monitors", &json!({"name": "resident", "timeout": 60, "tags": ["db"]}));
    let taken = well(home.path(), &target, &[&IMPORT[..], &["--secrets", "s"]].concat());
    for said in ["are no default channels there: ops", "for these monitors of the target too: resident"] {
        assert!(taken.stderr.contains(said), "{said}: {taken:?}");
    }
    let (ops, own) = (named(target.list("/channels"), "ops"), named(target.list("/channels"), "own"));
    assert_eq!(
        (&ops["default"], &ops["state"], &own["state"]),
        (&json!(false), &json!("ok"), &json!("disabled"))
    );
    for (monitor, channel) in [("resident", &json!(theirs)), ("web", &ops["id"]), ("db", &own["id"])] {
        let shown = named(target.list("/monitors"), monitor);
        assert_eq!(shown["channels"], json!([channel]), "{monitor}");
    }
    let graces = |name: &str| {
        let shown = named(target.list("/monitors"), name);
        (shown["grace"].clone(), shown["own_grace"].clone())
    };
    assert_eq!(graces("db"), (json!(360), json!(true)), "it was given");
    assert_eq!(graces("web"), (json!(360), json!(false)), "it was not");
}

#[test]
fn a_channel_of_the_same_name_is_taken_only_if_it_is_the_same() {
    let (home, _source, target) = exported();
    target.channel("ops", "http://127.0.0.1:9/other");
    let import = [&IMPORT[..], &["--secrets", "s"]].concat();
    for more in [&["--dry-run"][..], &[]] {
        let refused = run(home.path(), &target, &[&import[..], more].concat());
        assert_eq!(refused.status.code(), Some(1), "{refused:?}");
        for said in ["channel ops", "differs in url", "--map-channel"] {
            assert!(refused.stderr.contains(said), "{said}: {refused:?}");
        }
        assert_eq!((monitors(&target).len(), target.list("/channels").len()), (0, 1), "nothing was made");
    }
    let unknown = run(home.path(), &target, &[&import[..], &["--map-channel", "nope=ops"]].concat());
    assert!(unknown.stderr.contains("the export has no channel nope"), "{unknown:?}");
    let unknown = run(home.path(), &target, &[&import[..], &["--map", "nope=web"]].concat());
    assert!(unknown.stderr.contains("the export has no monitor nope"), "{unknown:?}");
    assert!(!home.path().join("f.ndjson.progress").exists(), "an import that took nothing leaves nothing");
    well(home.path(), &target, &[&import[..], &["--map-channel", "ops=ops"]].concat());
    let ops = named(target.list("/channels"), "ops");
    assert_eq!(named(target.list("/monitors"), "web")["channels"], json!([ops["id"]]));
}

#[test]
fn a_monitor_whose_own_channel_is_not_made_alerts_no_other_one() {
    let (home, _source, target) = exported();
    target.channel("theirs", "http://127.0.0.1:9/theirs");
    let taken = well(home.path(), &target, &[&IMPORT[..], &["--no-channels"]].concat());
    assert!(taken.stderr.contains("alert no channel") && taken.stderr.contains(": db\n"), "{taken:?}");
    assert_eq!(named(target.list("/monitors"), "db")["channels"], json!([]));
}

#[test]
fn a_window_of_another_time_is_made_beside_the_one_of_its_name() {
    let (home, _source, target) = exported();
    let resident = target.monitor("resident", 60, None);
    let window = json!({"name": "updates", "monitors": [resident.id], "cron": "0 5 * * *", "duration": 60});
    target.api("POST /maintenance-windows", &window);
    let taken = well(home.path(), &target, &[&IMPORT[..], &["--secrets", "s"]].concat());
    assert!(taken.stderr.contains("a maintenance window updates is there"), "{taken:?}");
    assert_eq!(target.list("/maintenance-windows").len(), 2);
}

/// An installation of many parts, at random.
fn fill(server: &Server, random: &mut StdRng) {
    let mut some = |most: usize| random.random_range(0..=most);
    let mut channels = Vec::new();
    for n in 0..12 {
        // Some have the same name, and are of the same kind.
        let mut body = json!({"name": format!("channel {}", some(8)), "default": some(2) == 0,
            "url": format!("http://127.0.0.1:9/{n}"), "timezone": (["Europe/Berlin", "Asia/Tokyo"][some(1)])});
        if some(3) == 0 {
            body["state"] = json!("disabled");
        }
        if some(2) == 0 {
            body["kind"] = json!("ntfy");
            body["settings"] = json!({"topic": format!("topic{n}")});
        } else {
            body["kind"] = json!("webhook");
            body["method"] = json!(["POST", "PUT", "PATCH"][some(2)]);
            body["digest"] = json!(some(1) == 0);
            body["headers"] = if some(1) == 0 { json!({"x-key": format!("key{n}")}) } else { Value::Null };
            body["template"] = if some(2) == 0 { json!("{{ title }}") } else { Value::Null };
        }
        channels.push(server.api("POST /channels", &body)["id"].clone());
    }
    let mut ids: Vec<Value> = Vec::new();
    for n in 0..40 {
        let mut body = json!({"name": format!("monitor {n}"), "description": (["", "what to do"][some(1)]),
            "tags": (0..some(2)).map(|tag| format!("tag{tag}")).collect::<Vec<_>>(), "paused": some(3) == 0,
            "remind_every": ([0, 3_600][some(1)])});
        if some(1) == 0 {
            body["timeout"] = json!([60, 600, 3_600][some(2)]);
            body["grace"] = [Value::Null, json!(0), json!(6), json!(60), json!(77)][some(4)].clone();
        } else {
            body["cron"] = json!(["0 3 * * *", "*/5 * * * *"][some(1)]);
            body["timezone"] = json!(["UTC", "Europe/Berlin"][some(1)]);
            body["grace"] = [Value::Null, json!(300), json!(3_600)][some(2)].clone();
        }
        body["interval"] = [Value::Null, json!(30)][some(1)].clone();
        if some(1) == 0 {
            body["channels"] = (0..some(3)).map(|_| channels[some(11)].clone()).collect();
        }
        if n > 0 && some(2) == 0 {
            body["parent"] = ids[some(n - 1).min(5)].clone();
        }
        ids.push(server.api("POST /monitors", &body)["id"].clone());
    }
    let now = SystemClock::new().now().as_millis();
    let now = jiff::Timestamp::from_millisecond(now).expect("a time");
    for n in 0..6 {
        let monitors: Vec<&Value> = (0..=some(5)).map(|_| &ids[some(39)]).collect();
        let mut body = json!({"name": format!("window {}", n / 2), "monitors": monitors});
        body["tags"] = if some(1) == 0 { json!(["tag0"]) } else { json!([]) };
        if some(1) == 0 {
            body["cron"] = json!(["0 3 * * *", "0 4 * * 1"][some(1)]);
            body["duration"] = json!([60, 3_600][some(1)]);
        } else {
            // Not over when the import is made, and 31 days long at most.
            let from = now + jiff::SignedDuration::from_hours(24 + some(100) as i64);
            body["from"] = json!(format!("{from:.3}"));
            body["to"] = json!(format!("{:.3}", from + jiff::SignedDuration::from_hours(5)));
        }
        server.api("POST /maintenance-windows", &body);
    }
}

/// What an export says, with what things are in place of their ids.
fn told(text: &str, secrets: &HashMap<String, String>) -> Vec<String> {
    let mut lines: Vec<Value> = text.lines().map(|line| serde_json::from_str(line).expect("JSON")).collect();
    lines.retain(|line| {
        ["channel", "window", "monitor"].iter().any(|kind| line["type"] == *kind) && line["name"].is_string()
    });
    let mut things: HashMap<String, Value> = HashMap::new();
    for line in &mut lines {
        let id = line["id"].as_str().expect("an id").to_owned();
        let fields = line.as_object_mut().expect("an object");
        for field in ["id", "at", "revision", "created_at", "partition"] {
            fields.remove(field);
        }
        if fields["type"] == "channel" {
            // The name of a secret says which of several channels of a name came first; the value says which
            // channel it is.
            fields.remove("secret");
            resolve(line, secrets);
            things.insert(id, line.clone());
        } else {
            things.insert(id, line["name"].clone());
        }
    }
    for line in &mut lines {
        for field in ["channels", "monitors"] {
            let Some(ids) = line[field].as_array() else { continue };
            let mut named: Vec<String> =
                ids.iter().map(|id| things[id.as_str().expect("an id")].to_string()).collect();
            named.sort();
            line[field] = json!(named);
        }
        if let Some(parent) = line["parent"].as_str() {
            line["parent"] = things[parent].clone();
        }
    }
    let mut lines: Vec<String> = lines.iter().map(Value::to_string).collect();
    lines.sort();
    lines
}

fn resolve(value: &mut Value, secrets: &HashMap<String, String>) {
    match value {
        Value::String(text) => {
            if let Some(name) = text.strip_prefix("secret:") {
                *text = secrets.get(name).unwrap_or_else(|| panic!("no {name}")).clone();
            }
        }
        Value::Object(fields) => fields.values_mut().for_each(|value| resolve(value, secrets)),
        Value::Array(_) | Value::Bool(_) | Value::Null | Value::Number(_) => {}
    }
}

/// The secrets that an export names, as the API of its server knows them.
fn secrets(text: &str) -> HashMap<String, String> {
    let mut found = HashMap::new();
    for (n, line) in text.lines().filter(|line| line.starts_with(r#"{"type":"channel""#)).enumerate() {
        let line: Value = serde_json::from_str(line).expect("JSON");
        let mut given = vec![(&line["url"], format!("http://127.0.0.1:9/{n}"))];
        given.push((&line["headers"]["x-key"], format!("key{n}")));
        given.push((&line["settings"]["topic"], format!("topic{n}")));
        for (name, value) in given {
            if let Some(name) = name.as_str().and_then(|text| text.strip_prefix("secret:")) {
                found.insert(name.to_owned(), value);
            }
        }
    }
    found
}

#[test]
fn an_installation_comes_out_of_an_empty_one_as_it_went_in() {
    for _ in 0..3 {
        let seed: u64 = rand::random();
        let random = &mut StdRng::seed_from_u64(seed);
        let home = directory();
        let (source, target) = (Server::start(&ALLOW), Server::start(&ALLOW));
        fill(&source, random);
        let export = |api: &Api, name: &str| {
            well(home.path(), api, &["replay", "export", "--since", "1h", "--out", name]);
            std::fs::read_to_string(home.path().join(name)).expect("read")
        };
        let before = export(&source, "f.ndjson");
        // The channels come in the order in which they were made.
        let given = secrets(&before);
        let text: String = given.iter().map(|(name, value)| format!("{name}={value}\n")).collect();
        std::fs::write(home.path().join("s"), text).expect("written");
        well(home.path(), &target, &[&IMPORT[..], &["--secrets", "s"]].concat());
        let after = export(&target, "g.ndjson");
        let (before, after) = (told(&before, &given), told(&after, &secrets(&after)));
        assert_eq!(after, before, "seed {seed}");
    }
}
