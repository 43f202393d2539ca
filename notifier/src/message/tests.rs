use std::time::Duration;

use model::ids::DeliveryId;
use model::notice::{Brief, Dependents, Digest, Flapping, Group, Notice, Storm, WasDown};

use super::*;
use crate::sample::{at, channel, down};

fn up() -> Flip {
    let span = Duration::from_secs(310);
    Flip {
        id: AlertId::derive(down().monitor, down().at + span, "up"),
        sequence: 13,
        from: State::Down,
        to: State::Up,
        reason: Reason::Recovered,
        at: down().at + span,
        message: None,
        deadline: None,
        down_for: Some(span),
        ..down()
    }
}

fn say(notice: impl Into<Notice>) -> Message {
    let notice = notice.into();
    let channel = channel();
    let dependents = Dependents { down: 3, names: vec!["a".to_owned(), "b".to_owned()] };
    let label = MonitorLabel { name: "nightly backup".to_owned(), tags: vec!["prod".to_owned()], dependents };
    let task = DeliveryTask {
        id: DeliveryId::derive(notice.id(), channel.id),
        monitor: notice.monitor().map(|_| label),
        notice,
        channel: channel.id,
        created_at: at("2026-11-22T10:00:07.120Z"),
        redriven: false,
        attempts: 0,
        sent_to: vec![],
        at_desk: false,
        folded_into: None,
    };
    Message::new(&task, &channel)
}

#[test]
fn a_missed_heartbeat_says_since_when_and_what_was_heard_last() {
    let message = say(Alert::Flip(down()));
    assert_eq!(message.title, "DOWN: nightly backup");
    assert_eq!(
        message.text,
        "No heartbeat for 66 s\nDown since 2026-11-22 10:00:05 UTC\nLast heartbeat 2026-11-22 09:58:59 UTC\n\
         3 monitors that depend on it down too: a, b and 1 more\nTags: prod"
    );
    assert_eq!((message.severity, message.action), (Severity::Critical, Action::Trigger));
}

#[test]
fn all_messages_of_an_incident_name_the_same_incident() {
    let down_id = down().id.to_string();
    let reminder = Alert::Reminder { id: up().id, number: 1, at: up().at, down: down() };
    let was = WasDown { id: up().id, down: down(), up: up(), flips: 2 };
    let alerts = [Alert::Flip(down()), Alert::Flip(up()), reminder].map(Notice::Alert);
    for notice in alerts.into_iter().chain([Notice::WasDown(Box::new(was))]) {
        assert_eq!(say(notice.clone()).incident, down_id, "{notice:?}");
    }
}

#[test]
fn a_recovery_tells_the_whole_incident() {
    let message = say(Alert::Flip(up()));
    assert_eq!(message.title, "UP: nightly backup");
    let first = message.text.lines().next().unwrap_or_default();
    assert_eq!(
        first,
        "Up again after 5 min 10 s: was down from 2026-11-22 10:00:05 UTC to 2026-11-22 10:05:15 UTC"
    );
    assert_eq!((message.action, message.down_seconds), (Action::Resolve, Some(310)));
}

#[test]
fn what_was_down_is_said_in_one_message() {
    let message = say(Notice::WasDown(Box::new(WasDown { id: up().id, down: down(), up: up(), flips: 4 })));
    assert_eq!(message.title, "WAS DOWN: nightly backup");
    assert!(message.text.starts_with("Was down from 2026-11-22 10:00:05 UTC to "), "{}", message.text);
    assert!(message.text.contains("It changed 4 times meanwhile"), "{}", message.text);
}

#[test]
fn flapping_is_closed_when_it_is_over() {
    let flapping = |over| {
        let (id, incident) = (up().id, down().id);
        say(Notice::Flapping(Box::new(Flapping { id, incident, flip: up(), flips: 6, over })))
    };
    assert_eq!(
        (flapping(false).title.as_str(), flapping(false).action),
        ("FLAPPING: nightly backup", Action::Trigger)
    );
    assert_eq!(
        (flapping(true).title.as_str(), flapping(true).action),
        ("QUIET: nightly backup", Action::Resolve)
    );
}

fn group(names: &[&str], count: u32, until: Option<EventTime>) -> Group {
    let brief = |name: &&str| Brief {
        monitor: down().monitor,
        name: (*name).to_owned(),
        since: Some(down().at),
        until,
        message: None,
        flips: 1,
    };
    Group { count, first: names.iter().map(brief).collect() }
}

#[test]
fn a_digest_counts_and_names() {
    let digest = Digest {
        id: down().id,
        from: down().at,
        to: down().at + Duration::from_secs(30),
        count: 9,
        down: group(&["a", "b"], 7, None),
        up: group(&["c"], 1, Some(up().at)),
        still_down: Group::default(),
        flapping: group(&["d"], 1, None),
        flips: vec![],
    };
    let message = say(Notice::Digest(Box::new(digest)));
    assert_eq!(message.title, "Monitors: 7 down, 1 up, 1 flapping");
    assert_eq!(
        message.text,
        "Down (7):\n- a, since 2026-11-22 10:00:05 UTC\n- b, since 2026-11-22 10:00:05 UTC\n- and 5 more\n\n\
         Up again (1):\n- c, was down from 2026-11-22 10:00:05 UTC to 2026-11-22 10:05:15 UTC (5 min 10 s)\n\n\
         Flapping (1):\n- d, since 2026-11-22 10:00:05 UTC"
    );
    assert_eq!(message.digest.map(|digest| (digest.down.more, digest.count)), Some((5, 9)));
}

#[test]
fn a_storm_says_how_many_of_how_many() {
    let storm = |over, down| {
        let (id, incident) = (down_id(over), down_id(false));
        let (since, at) = (self::down().at, up().at);
        let down = group(&[], down, None);
        say(Notice::Storm(Box::new(Storm { id, incident, since, at, over, members: 21, down })))
    };
    fn down_id(over: bool) -> AlertId {
        if over { up().id } else { down().id }
    }
    assert_eq!(storm(false, 3).title, "STORM: 3 of 21 monitors are down");
    assert_eq!(storm(true, 0).title, "All 21 monitors of the storm are up");
    assert_eq!((storm(false, 3).action, storm(true, 0).action), (Action::Trigger, Action::Resolve));
    assert_eq!(storm(false, 3).incident, storm(true, 0).incident);
}

#[test]
fn a_title_is_never_longer_than_two_hundred_characters() {
    assert_eq!(words::title("DOWN", &"ü".repeat(400)).chars().count(), 200);
}
