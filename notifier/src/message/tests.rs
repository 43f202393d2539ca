use std::time::Duration;

use jiff::tz::TimeZone;
use model::flip::{Alert, Flip, Reason, State};
use model::ids::AlertId;
use model::notice::{Brief, Dependents, Digest, Flapping, Group, Notice, Storm, WasDown};
use model::time::EventTime;

use super::view::Action;
use super::*;
use crate::sample::{channel, down, facts, task};

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
    say_in("UTC", notice, &Facts::default())
}

fn say_in(zone: &str, notice: impl Into<Notice>, facts: &Facts) -> Message {
    let notice = notice.into();
    let channel = channel();
    let dependents = Dependents { down: 3, names: vec!["a".to_owned(), "b".to_owned()] };
    let label = MonitorLabel { name: "nightly backup".to_owned(), tags: vec!["prod".to_owned()], dependents };
    let task = task(notice, &channel, label);
    let zone = TimeZone::get(zone).expect("a zone");
    Message::new(&Telling { task: &task, channel: &channel, facts, zone: &zone })
}

#[test]
fn a_missed_heartbeat_says_since_when_and_what_was_heard_last() {
    let message = say(Alert::Flip(down()));
    assert_eq!(message.title, "DOWN: nightly backup");
    assert_eq!(
        message.text,
        "No heartbeat for 1 min 6 s\nDown since: 2026-11-22 10:00:05 UTC\n\
         Last heartbeat: 2026-11-22 09:58:59 UTC\n\
         Down too: 3 monitors that depend on it: a, b and 1 more\nTags: prod"
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
    let begins =
        "Up again after 5 min 10 s\nWas down from: 2026-11-22 10:00:05 UTC\nTo: 2026-11-22 10:05:15 UTC\n";
    assert!(message.text.starts_with(begins), "{}", message.text);
    assert_eq!((message.action, message.down_seconds), (Action::Resolve, Some(310)));
}

#[test]
fn what_was_down_is_said_in_one_message() {
    let message = say(Notice::WasDown(Box::new(WasDown { id: up().id, down: down(), up: up(), flips: 4 })));
    assert_eq!(message.title, "WAS DOWN: nightly backup");
    assert!(message.text.starts_with("It was down for 5 min 10 s and is up again\n"), "{}", message.text);
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
        "Down (7):\n- a, down since 2026-11-22 10:00:05 UTC\n- b, down since 2026-11-22 10:00:05 UTC\n- and 5 more\n\n\
         Up again (1):\n- c, up since 2026-11-22 10:05:15 UTC after 5 min 10 s\n\n\
         Flapping (1):\n- d, down since 2026-11-22 10:00:05 UTC"
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
fn what_helps_at_three_in_the_morning_is_in_the_message() {
    let reported = Flip { reason: Reason::Reported, message: Some("disk full".to_owned()), ..down() };
    let reported = Flip { value: Some(97.5), silent_for: None, deadline: None, ..reported };
    let message = say_in("Europe/Berlin", Alert::Flip(reported), &facts());
    assert_eq!(
        message.text,
        "It said: disk full\n\
         Down since: 2026-11-22 11:00:05 CET (10:00:05 UTC)\n\
         Last heartbeat: 2026-11-22 10:58:59 CET (09:58:59 UTC)\n\
         Value: 97.5\n\
         Schedule: at 02:30 from Monday to Friday, Europe/Berlin, 1 h of grace\n\
         What to do:\n| Look at /var/log/backup.log.\n| If the disk is full, ring Ann: 0123 456.\n\
         Down too: 3 monitors that depend on it: a, b and 1 more\n\
         Tags: prod\n\
         Last lines of its output:\n| copying /srv\n| error: No space left on device (os error 28)"
    );
    let Facts { description, schedule, output, .. } = facts();
    assert_eq!((message.description, message.schedule, message.output), (description, schedule, output));
    assert_eq!(message.times.since.as_deref(), Some("2026-11-22 11:00:05 CET (10:00:05 UTC)"));
    assert_eq!(
        (message.timezone.as_str(), message.since.as_deref()),
        ("Europe/Berlin", Some("2026-11-22T10:00:05.000Z"))
    );
}

#[test]
fn a_reminder_tells_the_newest_heartbeat() {
    let at = down().at + Duration::from_secs(780);
    let heard_at = Some(down().at + Duration::from_secs(700));
    let reminder = || Alert::Reminder { id: up().id, number: 3, at, down: down() };
    let message = say_in("UTC", reminder(), &Facts { heard_at, ..Facts::default() });
    assert_eq!(message.last_heartbeat_at.as_deref(), Some("2026-11-22T10:11:45.000Z"));
    assert!(message.text.contains("\nLast heartbeat: 2026-11-22 10:11:45 UTC\n"), "{}", message.text);
    assert_eq!(message.down_for.as_deref(), Some("13 min"));
    assert_eq!(say(reminder()).last_heartbeat_at.as_deref(), Some("2026-11-22T09:58:59.000Z"));
}

#[test]
fn a_flapping_monitor_in_a_digest_says_how_it_is_now() {
    let flapping = |until| {
        let digest = Digest {
            id: down().id,
            from: down().at,
            to: down().at + Duration::from_secs(120),
            count: 0,
            down: Group::default(),
            up: Group::default(),
            still_down: Group::default(),
            flapping: group(&["d"], 1, until),
            flips: vec![],
        };
        say(Notice::Digest(Box::new(digest))).text
    };
    assert_eq!(flapping(None), "Flapping (1):\n- d, down since 2026-11-22 10:00:05 UTC, for 2 min");
    assert_eq!(flapping(Some(down().at)), "Flapping (1):\n- d, up since 2026-11-22 10:00:05 UTC");
}

#[test]
fn a_reminder_says_how_long_it_has_been_down_and_how_long_nothing_was_heard() {
    let at = down().at + Duration::from_secs(780);
    let reminder = |down| say(Alert::Reminder { id: up().id, number: 3, at, down });
    let message = reminder(down());
    assert!(
        message.text.starts_with("Down for 13 min, reminder 3\nNo heartbeat for 14 min 6 s\n"),
        "{}",
        message.text
    );
    assert_eq!(message.message.as_deref(), Some("no heartbeat for 14 min 6 s"));
    let reported = Flip { reason: Reason::Reported, message: Some("disk full".to_owned()), ..down() };
    assert_eq!(reminder(reported).message.as_deref(), Some("disk full"));
}
