//! Channels, maintenance windows and what uses them, on their way to another installation.

use std::collections::BTreeMap;

use serde_json::{Value, json};

use super::histories::{command, monitors, push, well};
use crate::api::Api;
use crate::harness::{Process, directory, eventually};
use crate::pipeline::server::{ALLOW, Server};
use crate::receiver::Receiver;

/// What an export says of channels, windows and keys, and which monitor uses which, by names.
fn settings(text: &str) -> Value {
    let lines: Vec<Value> = text.lines().map(|line| serde_json::from_str(line).expect("JSON")).collect();
    let of = |kind: &str| lines.iter().filter(|line| line["type"] == kind).cloned().collect::<Vec<_>>();
    let names: BTreeMap<String, String> = [of("channel"), of("monitor")]
        .concat()
        .iter()
        .filter_map(|line| Some((line["id"].as_str()?.to_owned(), line["name"].as_str()?.to_owned())))
        .collect();
    let named = |ids: &Value| -> Vec<String> {
        let ids = ids.as_array().expect("a list").iter();
        ids.map(|id| names[id.as_str().expect("an id")].clone()).collect()
    };
    let mut shown: Vec<Value> = Vec::new();
    for mut line in [of("channel"), of("window")].concat() {
        if line["type"] == "window" {
            line["monitors"] = json!(named(&line["monitors"]));
        }
        line.as_object_mut().expect("an object").remove("id");
        shown.push(line);
    }
    for line in of("monitor").iter().filter(|line| line["name"].is_string()) {
        shown.push(json!([line["name"], line["default_channels"], named(&line["channels"])]));
    }
    shown.sort_by_key(Value::to_string);
    json!(shown)
}

fn exported(home: &std::path::Path, api: &Api, name: &str) -> String {
    well(home, api, &["replay", "export", "--since", "1h", "--out", name]);
    std::fs::read_to_string(home.join(name)).expect("read")
}

#[test]
fn channels_and_windows_move_with_their_monitors_and_secrets_come_from_elsewhere() {
    let home = directory();
    let receiver = Receiver::start();
    let (source, target) = (Server::start(&ALLOW), Server::start(&ALLOW));
    source.channel("ops", &receiver.url());
    let quiet = json!({"name": "quiet", "kind": "webhook", "url": receiver.url(), "default": false, "digest": true,
        "headers": {"X-Key": "s3cret"}});
    let quiet = source.api("POST /channels", &quiet)["id"].clone();
    let job = source.monitor("job", 3_600, None);
    let only = json!({"name": "quiet job", "timeout": 3_600, "channels": [quiet]});
    let only = source.api("POST /monitors", &only)["id"].clone();
    let window = json!({"name": "updates", "monitors": [only], "tags": ["db"], "cron": "0 3 * * *",
        "timezone": "Europe/Berlin", "duration": 3_600});
    source.api("POST /maintenance-windows", &window);
    source.api("POST /keys", &json!({"name": "grafana", "scope": "read"}));
    push(home.path(), &source, &job, &[]);
    eventually("it is heard", || (source.heartbeats(&job).len() == 1).then_some(()));
    let text = exported(home.path(), &source, "f.ndjson");
    for secret in ["s3cret", "whsec_", &receiver.url()] {
        assert!(!text.contains(secret), "{secret} is in the export");
    }

    let import = ["replay", "import", "f.ndjson", "--keep-times", "--create-missing"];
    for more in [&["--dry-run"][..], &[]] {
        let arguments = [&import[..], more].concat();
        let refused = Process::start(&mut command(home.path(), &target, &arguments)).finish();
        assert_eq!(refused.status.code(), Some(1), "{refused:?}");
        for name in ["OPS_URL", "QUIET_URL", "QUIET_HEADER_X_KEY", "--secrets"] {
            assert!(refused.stderr.contains(name), "{name}: {refused:?}");
        }
        assert_eq!((monitors(&target).len(), target.list("/channels").len()), (0, 0), "nothing was made");
        assert!(
            !home.path().join("f.ndjson.progress").exists(),
            "an import that took nothing leaves nothing"
        );
        let counts = "channels    2 created, and 1 maintenance windows";
        assert_eq!(refused.stdout.contains(counts), !more.is_empty(), "{refused:?}");
    }
    let secrets = format!("OPS_URL={0}\nQUIET_URL={0}\n", receiver.url());
    std::fs::write(home.path().join("secrets.env"), secrets).expect("written");
    let arguments = [&import[..], &["--secrets", "secrets.env"]].concat();
    let mut command = command(home.path(), &target, &arguments);
    let finished = Process::start(command.env("LUBDUB_SECRET_QUIET_HEADER_X_KEY", "s3cret")).finish();
    assert_eq!(finished.status.code(), Some(0), "{finished:?}");
    for said in ["quiet signs with a new secret", "--new-secret", "API keys are not moved", "grafana (read)"]
    {
        assert!(finished.stderr.contains(said), "{said}: {finished:?}");
    }
    assert!(!finished.stderr.contains("whsec_"), "a secret is not printed: {finished:?}");
    assert_eq!(settings(&exported(home.path(), &target, "g.ndjson")), settings(&text));
    // The receiver of the new channel is the one that was given.
    let made = target.list("/channels").into_iter().find(|channel| channel["name"] == "quiet").expect("made");
    let tested =
        target.api(&format!("POST /channels/{}/test", made["id"].as_str().expect("an id")), &Value::Null);
    assert_eq!(tested["delivered"], true, "{tested}");
}

#[test]
fn a_load_test_makes_no_channels() {
    let home = directory();
    let (source, target) = (Server::start(&ALLOW), Server::start(&ALLOW));
    source.channel("ops", "http://127.0.0.1:9/");
    let job = source.monitor("job", 3_600, None);
    push(home.path(), &source, &job, &[]);
    eventually("it is heard", || (source.heartbeats(&job).len() == 1).then_some(()));
    exported(home.path(), &source, "f.ndjson");
    well(home.path(), &target, &["replay", "import", "f.ndjson", "--create-missing", "--speed", "max"]);
    assert_eq!((monitors(&target).len(), target.list("/channels").len()), (1, 0));
    let other = Server::start(&ALLOW);
    let import = ["replay", "import", "f.ndjson", "--create-missing", "--keep-times", "--no-channels"];
    well(home.path(), &other, &import);
    assert_eq!((monitors(&other).len(), other.list("/channels").len()), (1, 0));
}
