use doubles::samples;
use model::ids::MonitorId;
use serde_json::json;
use uuid::Uuid;

use super::*;

fn draft(value: Value) -> MonitorDraft {
    let Value::Object(map) = value else { panic!("an object") };
    MonitorDraft::read(map)
}

fn new(value: Value) -> NewMonitor {
    draft(value).into_new().expect("a good draft")
}

fn refused(value: Value) -> Vec<String> {
    let errors = draft(value).into_new().expect_err("a bad draft");
    errors.into_iter().map(|error| error.field).collect()
}

fn period(timeout: u32, grace: u32) -> Definition {
    Definition { schedule: Schedule::Period { timeout }, grace, remind_every: 0, paused: false }
}

fn stored(definition: Definition) -> Monitor {
    Monitor {
        description: "nightly".to_owned(),
        tags: vec!["prod".to_owned()],
        own_grace: Some(!definition.has_default_grace()),
        definition,
        interval: Some(7),
        channels: Some(vec![]),
        ..samples::monitor(MonitorId::from_uuid(Uuid::nil()))
    }
}

fn cron(pattern: &str, zone: &str) -> Schedule {
    Schedule::Cron(Arc::new(CronSchedule::parse(pattern, zone).expect("a schedule")))
}

#[test]
fn left_out_fields_have_the_contracts_defaults() {
    for (timeout, grace) in [(1, 5), (50, 5), (60, 6), (3_600, 360), (36_000, 3_600), (31_536_000, 3_600)] {
        let made = new(json!({"name": " backup ", "timeout": timeout}));
        assert_eq!(made.definition, period(timeout, grace));
        assert_eq!(
            (made.name.as_str(), made.channels, made.interval, made.token),
            ("backup", None, None, None)
        );
    }
    let made = new(json!({"name": "n", "cron": "0 3 * * *", "tags": ["a", "b", " a "], "channels": null}));
    assert_eq!(made.definition.schedule, cron("0 3 * * *", "UTC"));
    assert_eq!(made.definition.grace, 3_600);
    assert_eq!(made.tags, ["a", "b"]);
    assert_eq!(new(json!({"name": "n", "timeout": 60, "grace": 0})).definition.grace, 0);
}

#[test]
fn refused_fields_are_named_all_at_once() {
    let bad = json!({
        "name": "x".repeat(101), "description": "y".repeat(2_001), "tags": [""], "timeout": 0, "cron": 5,
        "timezone": 1, "grace": -1, "interval": 0, "remind_every": 59, "channels": ["x"], "paused": 1,
        "token": "short", "state": "up", "colour": "red",
    });
    let expected = [
        "name",
        "description",
        "tags",
        "timeout",
        "cron",
        "timezone",
        "grace",
        "interval",
        "remind_every",
        "channels",
        "paused",
        "token",
        "state",
        "colour",
    ];
    assert_eq!(refused(bad), expected);
}

#[test]
fn schedules_that_do_not_fit_together_are_refused() {
    for (body, fields) in [
        (json!({"name": "n"}), vec!["timeout"]),
        (json!({"name": "n", "timeout": 60, "cron": "* * * * *"}), vec!["timeout", "cron"]),
        (json!({"name": "n", "timeout": 60, "timezone": "UTC"}), vec!["timezone"]),
        (json!({"name": "n", "cron": "* * * * *", "timezone": "Mars/Olympus"}), vec!["timezone"]),
        (json!({"name": "n", "cron": "whenever", "timezone": "Mars/Olympus"}), vec!["cron", "timezone"]),
        (json!({"name": "n", "cron": "0 0 30 2 *"}), vec!["cron"]),
        (json!({"timeout": 31_536_001}), vec!["timeout", "name"]),
        (json!({"name": "n", "timeout": 60.5}), vec!["timeout"]),
        (json!({"name": "n", "timeout": "60"}), vec!["timeout"]),
        (json!({"name": null, "timeout": 60}), vec!["name"]),
    ] {
        assert_eq!(refused(body.clone()), fields, "{body}");
    }
}

#[test]
fn a_grace_that_was_given_stays_though_it_equals_the_default() {
    let graces = |created: Value, patches: &[Value]| {
        let NewMonitor { definition, own_grace, .. } = new(created);
        let mut monitor = Monitor { own_grace: Some(own_grace), ..stored(definition) };
        for patch in patches {
            monitor = draft(patch.clone()).onto(&monitor).expect("a good patch");
        }
        monitor.definition.grace
    };
    let given = json!({"name": "n", "timeout": 60, "grace": 6});
    let not_given = json!({"name": "n", "timeout": 60, "grace": null});
    let longer = json!({"timeout": 600});
    assert_eq!(graces(given.clone(), std::slice::from_ref(&longer)), 6);
    assert_eq!(graces(given.clone(), &[json!({"cron": "@daily"}), longer.clone()]), 6);
    assert_eq!(graces(given, &[json!({"grace": null}), longer.clone()]), 60);
    assert_eq!(graces(not_given.clone(), std::slice::from_ref(&longer)), 60);
    assert_eq!(graces(not_given.clone(), &[json!({"grace": 6}), longer.clone()]), 6);
    assert_eq!(graces(not_given, &[json!({"paused": true}), longer]), 60);
}

#[test]
fn a_grace_of_which_it_is_not_known_whether_it_was_given_is_not_reset() {
    for (grace, patch, expected) in [
        (0, json!({"paused": true}), (0, None)),
        (6, json!({"paused": true}), (6, None)),
        (0, json!({"timeout": 600}), (0, Some(true))),
        (6, json!({"timeout": 600}), (60, Some(false))),
        (0, json!({"timeout": 50, "grace": null}), (5, Some(false))),
    ] {
        let old = Monitor { own_grace: None, ..stored(period(60, grace)) };
        let changed = draft(patch.clone()).onto(&old).expect("a good patch");
        assert_eq!((changed.definition.grace, changed.own_grace), expected, "{grace}: {patch}");
    }
}

#[test]
fn a_patch_changes_only_what_it_names() {
    let berlin = Definition { schedule: cron("0 3 * * *", "Europe/Berlin"), ..period(1, 3_600) };
    for (old, patch, expected) in [
        (period(60, 6), json!({}), period(60, 6)),
        (period(60, 6), json!({"timeout": 600}), period(600, 60)),
        (period(60, 0), json!({"timeout": 600}), period(600, 0)),
        (period(60, 0), json!({"timeout": 600, "grace": null}), period(600, 60)),
        (period(60, 0), json!({"grace": null}), period(60, 6)),
        (period(60, 6), json!({"cron": null}), period(60, 6)),
        (period(60, 6), json!({"cron": "0 3 * * *", "timezone": "Europe/Berlin"}), berlin.clone()),
        (
            period(60, 6),
            json!({"cron": "0 3 * * *", "timezone": "Europe/Berlin", "timeout": null}),
            berlin.clone(),
        ),
        (berlin.clone(), json!({"timeout": 60}), period(60, 6)),
        (berlin.clone(), json!({"timeout": 60, "cron": null, "timezone": null}), period(60, 6)),
        (berlin.clone(), json!({"timeout": null}), berlin.clone()),
        (
            berlin.clone(),
            json!({"timezone": null}),
            Definition { schedule: cron("0 3 * * *", "UTC"), ..berlin.clone() },
        ),
        (
            berlin.clone(),
            json!({"cron": "0 4 * * *"}),
            Definition { schedule: cron("0 4 * * *", "Europe/Berlin"), ..berlin.clone() },
        ),
        (
            period(60, 6),
            json!({"paused": true, "remind_every": 60}),
            Definition { paused: true, remind_every: 60, ..period(60, 6) },
        ),
        (
            Definition { paused: true, remind_every: 60, ..period(60, 6) },
            json!({"paused": null, "remind_every": null}),
            period(60, 6),
        ),
    ] {
        let changed = draft(patch.clone()).onto(&stored(old)).expect("a good patch");
        assert_eq!(changed.definition, expected, "{patch}");
        assert_eq!((changed.name.as_str(), changed.interval), ("backup", Some(7)));
    }
    let emptied = draft(json!({"description": null, "tags": null, "interval": null, "channels": null}))
        .onto(&stored(period(60, 6)))
        .expect("a good patch");
    assert_eq!((emptied.description.as_str(), emptied.tags.len()), ("", 0));
    assert_eq!((emptied.interval, emptied.channels), (None, None));
}

#[test]
fn a_patch_that_would_leave_no_schedule_is_refused() {
    let berlin = Definition { schedule: cron("0 3 * * *", "Europe/Berlin"), ..period(1, 600) };
    for (old, patch, field) in [
        (period(60, 6), json!({"timeout": null}), "timeout"),
        (berlin.clone(), json!({"cron": null}), "cron"),
        (berlin, json!({"timeout": null, "cron": null}), "timeout"),
        (period(60, 6), json!({"timezone": "UTC"}), "timezone"),
        (period(60, 6), json!({"token": "12345678"}), "token"),
        (period(60, 6), json!({"name": null}), "name"),
    ] {
        let errors = draft(patch.clone()).onto(&stored(old)).expect_err("a bad patch");
        assert_eq!(errors.iter().map(|error| error.field.as_str()).collect::<Vec<_>>(), [field], "{patch}");
    }
}
