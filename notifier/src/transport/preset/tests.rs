//! Exactly what each preset sends for each message: `golden/NAME.txt` beside this file, one for each preset.
//!
//! Its first line is the settings as JSON. The rest is written by this test if `LUBDUB_WRITE_GOLDEN` is set;
//! read it before you commit it.

use std::collections::BTreeMap;
use std::path::PathBuf;

mod breakout;
mod tried;

use crate::message::incident_of;
use doubles::samples;
use model::channel::{Channel, ChannelKind, Secret};
use model::delivery::DeliveryTask;
use model::flip::{Alert, Flip, Reason, State};
use model::ids::{AlertId, ChannelId, DeliveryId, MonitorId};
use model::notice::{
    Brief, ChannelFailing, Dependents, Digest, Flapping, Group, LabelledFlip, MonitorLabel, Notice, Repost,
    Storm, WasDown,
};
use uuid::Uuid;

use super::*;
use crate::message::Facts;
use crate::sample::{self, at, down};

fn alert_id(number: u128) -> AlertId {
    AlertId::from_uuid(Uuid::from_u128(number))
}

fn label(name: &str) -> MonitorLabel {
    MonitorLabel {
        name: name.to_owned(),
        tags: vec!["prod".to_owned(), "db".to_owned()],
        ..MonitorLabel::default()
    }
}

fn up() -> Flip {
    let down = down();
    let up_at = at("2026-11-22T10:05:15Z");
    Flip {
        id: AlertId::derive(down.monitor, up_at, "up"),
        sequence: 13,
        from: State::Down,
        to: State::Up,
        reason: Reason::Recovered,
        at: up_at,
        message: Some("all is well".to_owned()),
        value: Some(12.5),
        last_heartbeat_at: Some(up_at),
        deadline: None,
        down_for: Some(up_at.since(down.at)),
        ..down
    }
}

/// Texts of an attacker.
fn hostile() -> (Flip, MonitorLabel) {
    let flip = Flip {
        reason: Reason::Reported,
        message: Some(
            "{{ 7 * 7 }} <!channel> @here <users/all> [a](http://b.example) \"\\\n<b>*x*</b> `y` &amp; ~~z~~"
                .to_owned(),
        ),
        ..down()
    };
    let dependents = Dependents { down: 21, names: vec!["\u{202e}</at>".to_owned()] };
    (flip, MonitorLabel { dependents, ..label("\"db\", <@U1> @all *{{ settings }}* </script> 🚨") })
}

fn hostile_facts() -> Facts {
    let text = "Call <@U1> @here <!channel>\n*now* `x` [a](http://b.example) {{ 7 * 7 }} </script> \"\\";
    let text = Some(text.to_owned());
    Facts { description: text.clone(), schedule: text.clone(), output: text, heard_at: None }
}

/// What is known besides of the monitor of a message.
fn facts_of(name: &str) -> Facts {
    match name {
        "down" | "reminder" | "flapping" => sample::facts(),
        "hostile" => hostile_facts(),
        _ => Facts::default(),
    }
}

fn group(names: &[&str], count: u32) -> Group {
    let brief = |name: &&str| Brief {
        monitor: MonitorId::from_uuid(Uuid::from_u128(7)),
        name: (*name).to_owned(),
        since: Some(down().at),
        until: None,
        message: None,
        flips: 1,
    };
    Group { count, first: names.iter().map(brief).collect() }
}

/// A monitor that went down and came back.
fn came_back() -> Group {
    let mut group = group(&["c"], 1);
    group.first.iter_mut().for_each(|one| one.until = Some(up().at));
    group
}

type Named = (&'static str, Notice, Option<MonitorLabel>);

fn messages() -> Vec<Named> {
    let mut messages = of_one_monitor();
    messages.extend(of_many_or_none().into_iter().map(|(name, notice)| (name, notice, None)));
    messages
}

fn of_one_monitor() -> Vec<Named> {
    let named = Some(label("nightly backup"));
    let (bad, bad_label) = hostile();
    let flapping = |over: bool| {
        let flip = if over { up() } else { down() };
        Notice::Flapping(Box::new(Flapping {
            id: alert_id(30),
            incident: incident_of(&flip),
            flip,
            flips: 6,
            over,
        }))
    };
    let reminded_at = at("2026-11-22T12:00:05Z");
    let reminder = Alert::Reminder { id: alert_id(2), number: 2, at: reminded_at, down: down() };
    let was_down = WasDown { id: alert_id(3), down: down(), up: up(), flips: 2 };
    vec![
        ("down", Alert::Flip(down()).into(), named.clone()),
        ("up", Alert::Flip(up()).into(), named.clone()),
        ("hostile", Alert::Flip(bad).into(), Some(bad_label)),
        ("reminder", reminder.into(), named.clone()),
        ("was down", Notice::WasDown(Box::new(was_down)), named.clone()),
        ("flapping", flapping(false), named.clone()),
        ("flapping over", flapping(true), named),
    ]
}

fn of_many_or_none() -> Vec<(&'static str, Notice)> {
    let storm = |over: bool| {
        Notice::Storm(Box::new(Storm {
            id: alert_id(if over { 22 } else { 21 }),
            incident: alert_id(20),
            since: down().at,
            at: at(if over { "2026-11-22T10:30:00Z" } else { "2026-11-22T10:00:09Z" }),
            over,
            members: 1_000,
            down: if over { Group::default() } else { group(&["a", "b"], 998) },
        }))
    };
    let digest = Digest {
        id: alert_id(4),
        from: down().at,
        to: at("2026-11-22T10:00:35Z"),
        count: 1_002,
        down: group(&["a", "b"], 1_000),
        up: came_back(),
        still_down: Group::default(),
        flapping: group(&["d"], 1),
        flips: vec![LabelledFlip { flip: down(), monitor: label("a") }],
    };
    let another = Flip { id: alert_id(11), monitor: MonitorId::from_uuid(Uuid::from_u128(12)), ..down() };
    let repost = Repost {
        part: 0,
        parts: 1,
        id: alert_id(5),
        at: at("2026-11-22T10:04:05Z"),
        down: vec![
            LabelledFlip { flip: down(), monitor: label("nightly backup") },
            LabelledFlip { flip: another, monitor: label("another \"one\"") },
        ],
    };
    let failing = ChannelFailing {
        id: alert_id(6),
        channel: ChannelId::from_uuid(Uuid::from_u128(10)),
        name: "mail".to_owned(),
        since: at("2026-11-22T09:00:00Z"),
        disabled: false,
        detail: "answered 500 Internal Server Error".to_owned(),
    };
    let channel = ChannelId::from_uuid(Uuid::from_u128(9));
    vec![
        ("digest", Notice::Digest(Box::new(digest))),
        ("storm", storm(false)),
        ("storm over", storm(true)),
        ("repost", Notice::Repost(Box::new(repost))),
        ("channel failing", Notice::ChannelFailing(Box::new(failing))),
        ("test", Alert::Test { id: alert_id(8), channel, at: at("2026-11-22T10:00:00Z") }.into()),
    ]
}

fn channel(preset: &str, settings: &Settings) -> (Channel, PresetChannel) {
    let settings = settings.iter().map(|(name, value)| (name.clone(), Secret::new(value.clone())));
    let kind = PresetChannel { preset: preset.to_owned(), settings: settings.collect() };
    let channel = samples::channel(ChannelKind::Preset(kind.clone()));
    (channel, kind)
}

fn task(notice: Notice, monitor: Option<MonitorLabel>) -> DeliveryTask {
    let channel = ChannelId::from_uuid(Uuid::from_u128(9));
    DeliveryTask {
        id: DeliveryId::derive(notice.id(), channel),
        notice,
        channel,
        created_at: at("2026-11-22T10:00:07.120Z"),
        monitor,
        redriven: false,
        attempts: 0,
        sent_to: vec![],
        at_desk: false,
        folded_into: None,
    }
}

fn request(
    preset: &str,
    settings: &Settings,
    notice: Notice,
    monitor: Option<MonitorLabel>,
    facts: &Facts,
) -> PresetRequest {
    let (channel, kind) = channel(preset, settings);
    PresetRequest::new(&sample::telling(&task(notice, monitor), &channel, facts), &kind)
        .unwrap_or_else(|error| panic!("{preset}: {error}"))
}

const NOW: &str = "2026-11-22T10:00:08Z";

/// The requests, with bodies of JSON spread over lines.
fn readable(made: &[presets::PresetRequest]) -> String {
    let mut text = String::new();
    for one in made {
        text.push_str(&format!("{} {}\ncontent-type: {}\n", one.method.as_str(), one.url, one.content_type));
        for (name, value) in &one.headers {
            text.push_str(&format!("{name}: {value}\n"));
        }
        let body: Value = serde_json::from_str(&one.body).expect("JSON");
        text.push_str(&format!("\n{}\n\n", serde_json::to_string_pretty(&body).expect("JSON")));
    }
    if made.is_empty() { "nothing\n\n".to_owned() } else { text }
}

fn golden(preset: &str) -> PathBuf {
    PathBuf::from(env!("CARGO_MANIFEST_DIR")).join(format!("src/transport/preset/golden/{preset}.txt"))
}

fn settings_of(preset: &str) -> Settings {
    let file = golden(preset);
    let text = std::fs::read_to_string(&file).unwrap_or_else(|_| {
        panic!("{} is missing: make it with the settings as JSON in its first line", file.display())
    });
    serde_json::from_str(text.lines().next().unwrap_or_default()).expect("settings in the first line")
}

#[test]
fn every_preset_sends_exactly_what_its_golden_file_says() {
    for preset in presets::all() {
        let settings = settings_of(&preset.name);
        let mut text = format!("{}\n\n", serde_json::to_string(&settings).expect("JSON"));
        for (name, notice, monitor) in messages() {
            let request = request(&preset.name, &settings, notice, monitor, &facts_of(name));
            let made = request.made(&settings, at(NOW));
            let made = made.unwrap_or_else(|error| panic!("{}, {name}: {error}", preset.name));
            text.push_str(&format!("=== {name}\n{}", readable(&made)));
        }
        let file = golden(&preset.name);
        if std::env::var_os("LUBDUB_WRITE_GOLDEN").is_some() {
            std::fs::write(&file, &text).expect("written");
        }
        let expected = std::fs::read_to_string(&file).expect("a file");
        for (line, (found, expected)) in (1..).zip(text.lines().zip(expected.lines())) {
            assert_eq!(found, expected, "{}, line {line}", file.display());
        }
        assert_eq!(text.lines().count(), expected.lines().count(), "{}", file.display());
    }
}

#[test]
fn there_is_no_golden_file_without_its_preset() {
    for entry in std::fs::read_dir(golden("x").parent().expect("a folder")).expect("a folder") {
        let file = entry.expect("an entry").path();
        let name = file.file_stem().and_then(|stem| stem.to_str()).expect("a name");
        assert!(presets::find(name).is_some(), "{}", file.display());
    }
}

#[test]
fn no_secret_is_shown_of_a_test() {
    for preset in presets::all() {
        let mut settings = settings_of(&preset.name);
        for field in preset.fields.iter().filter(|field| !field.shown) {
            let secret = match field.kind {
                presets::FieldKind::Url => "https://s3cret:s3cret@example.com/s3cret?s3cret=s3cret",
                presets::FieldKind::Token | presets::FieldKind::Text | presets::FieldKind::Choice => "s3cret",
            };
            settings.insert(field.name.clone(), secret.to_owned());
        }
        let (_, notice, monitor) = messages().pop().expect("the test");
        let request = request(&preset.name, &settings, notice, monitor, &Facts::default());
        let masked = request.masked(&request.settings, at(NOW));
        assert!(
            masked.starts_with("POST http")
                && (masked.contains("Test of channel ops") || masked.contains("lubdub.channel.test")),
            "{masked}"
        );
        assert!(!masked.contains("s3cret"), "{}: {masked}", preset.name);
    }
}

#[test]
fn on_pagers_every_incident_has_one_key_and_is_closed_by_it() {
    for preset in presets::all().iter().filter(|preset| preset.class == model::channel::ChannelClass::Pager) {
        let settings = settings_of(&preset.name);
        let incident = crate::message::incident(&Alert::Flip(down()).into()).to_string();
        let monitor = MonitorId::from_uuid(Uuid::from_u128(7)).to_string();
        for (name, notice, label) in messages().into_iter().take(5) {
            let request = request(&preset.name, &settings, notice, label, &Facts::default());
            let made = request.made(&settings, at(NOW)).expect("requests");
            assert_eq!(made.len(), 1, "{}, {name}", preset.name);
            // Alertmanager knows an alert by its labels.
            let known_by = if preset.name == "alertmanager" { &monitor } else { &incident };
            let said = format!("{} {}", made[0].url, made[0].body);
            assert!(said.contains(known_by), "{}, {name}: {said}", preset.name);
        }
    }
}

#[test]
fn a_long_message_is_cut_to_what_the_service_takes() {
    let flip = Flip { message: Some("&<>@*é🚨".repeat(140)), ..down() };
    let label = MonitorLabel { tags: vec!["<&@*>".repeat(10); 20], ..label(&"&<\"🚨".repeat(25)) };
    let facts = Facts {
        description: Some("&<>@*é🚨\n".repeat(285)),
        schedule: Some("&<>@*é🚨".repeat(40)),
        output: Some("&<>@*é\n".repeat(250)),
        heard_at: None,
    };
    let digest = messages().into_iter().find(|(name, ..)| *name == "digest").expect("a digest").1;
    let Notice::Digest(mut digest) = digest else { panic!("it is no digest") };
    let mut briefs = group(&[label.name.as_str(); 20], 1_000);
    briefs.first.iter_mut().for_each(|brief| brief.message.clone_from(&flip.message));
    digest.down = briefs.clone();
    digest.up = briefs;
    for preset in presets::all() {
        let settings = settings_of(&preset.name);
        for (notice, label) in
            [(Alert::Flip(flip.clone()).into(), Some(label.clone())), (Notice::Digest(digest.clone()), None)]
        {
            let request = request(&preset.name, &settings, notice, label, &facts);
            for one in request.made(&settings, at(NOW)).expect("requests") {
                serde_json::from_str::<Value>(&one.body).expect("JSON");
                let most = if preset.name == "teams" { 28_000 } else { 64_000 };
                assert!(one.body.len() <= most, "{}: {} bytes", preset.name, one.body.len());
            }
        }
    }
}
