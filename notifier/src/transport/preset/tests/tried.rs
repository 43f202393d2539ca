//! The messages on which the console tries templates are those that the notifier makes.

use sending::template;

use super::*;

/// Every kind of message by the name that people are told, with as much or as little in it as there may be.
fn tried() -> Vec<(&'static str, Notice, Option<MonitorLabel>)> {
    let tagged = |tags: &[&str]| {
        let tags = tags.iter().map(|tag| (*tag).to_owned()).collect();
        Some(MonitorLabel { tags, ..label("nightly backup") })
    };
    let many: Vec<String> = (1..=20).map(|number| format!("tag-{number}")).collect();
    let many: Vec<&str> = many.iter().map(String::as_str).collect();
    let dependents = Dependents { down: 2, names: vec!["web".to_owned(), "mail".to_owned()] };
    let reported = Flip { reason: Reason::Reported, message: Some("disk full".to_owned()), ..down() };
    let reported = Flip { value: Some(97.5), deadline: None, ..reported };
    let first_up = Flip { reason: Reason::First, from: State::New, down_for: None, message: None, ..up() };
    let never_heard = Flip { last_heartbeat_at: None, ..down() };
    let mut all = vec![
        ("monitor.down", Alert::Flip(down()).into(), tagged(&["prod"])),
        ("monitor.down without tags", Alert::Flip(never_heard).into(), tagged(&[])),
        ("monitor.down with many tags", Alert::Flip(down()).into(), tagged(&many)),
        (
            "monitor.down as reported",
            Alert::Flip(reported).into(),
            tagged(&["prod"]).map(|label| MonitorLabel { dependents, ..label }),
        ),
        ("monitor.up for the first time", Alert::Flip(first_up).into(), tagged(&[])),
    ];
    for (name, notice, label) in messages() {
        let event = match name {
            "up" => "monitor.up",
            "reminder" => "monitor.reminder",
            "was down" => "monitor.was_down",
            "flapping" => "monitor.flapping",
            "flapping over" => "monitor.flapping that is over",
            "digest" => "digest",
            "storm" => "storm",
            "storm over" => "storm that is over",
            "repost" => "repost",
            "channel failing" => "channel.failing",
            "test" => "channel.test",
            _ => continue,
        };
        all.push((event, notice, label));
    }
    all
}

/// Of some of them nothing is known besides.
fn facts_of_sample(name: &str) -> Facts {
    match name {
        "monitor.down" => Facts { output: None, ..sample::facts() },
        "monitor.down as reported" | "monitor.down with many tags" | "monitor.reminder" => sample::facts(),
        _ => Facts::default(),
    }
}

#[test]
fn templates_are_tried_on_messages_as_they_are_made() {
    let (channel, _) = channel("slack", &BTreeMap::new());
    let made: serde_json::Map<String, Value> = tried()
        .into_iter()
        .map(|(name, notice, label)| {
            let task = task(notice, label);
            let message = Message::new(&sample::telling(&task, &channel, &facts_of_sample(name)));
            (name.to_owned(), serde_json::to_value(message).expect("JSON"))
        })
        .collect();
    let file = PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("../common/sending/src/template/samples.json");
    if std::env::var_os("LUBDUB_WRITE_GOLDEN").is_some() {
        let text = serde_json::to_string_pretty(&made).expect("JSON");
        std::fs::write(&file, format!("{text}\n")).expect("written");
    }
    let stored: Value = serde_json::from_str(&std::fs::read_to_string(&file).expect("a file")).expect("JSON");
    for (name, message) in &made {
        assert_eq!(&stored[name], message, "{name}");
    }
    assert_eq!(stored.as_object().map(serde_json::Map::len), Some(made.len()));
}

#[test]
fn every_message_names_a_monitor() {
    for (name, message) in template::samples() {
        let monitor = message["monitor"]["name"].as_str().expect(name);
        assert!(!monitor.is_empty(), "{name}");
    }
}
