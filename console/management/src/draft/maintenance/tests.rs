use model::ids::WindowId;
use serde_json::json;
use uuid::Uuid;

use super::*;

const MONITOR: &str = "0192f0c0-0000-7000-8000-000000000001";

fn at(text: &str) -> EventTime {
    EventTime::parse_rfc3339(text).expect("a time")
}

fn draft(value: Value) -> WindowDraft {
    let Value::Object(map) = value else { panic!("an object") };
    WindowDraft::read(map)
}

fn created(value: Value) -> Result<NewWindow, Vec<String>> {
    let made = draft(value).into_new(at("2026-11-22T10:00:00Z"));
    made.map_err(|errors| errors.into_iter().map(|error| error.field).collect())
}

fn cron(pattern: &str, zone: &str, duration: u32) -> WindowSpan {
    WindowSpan::Cron { cron: Arc::new(CronSchedule::parse(pattern, zone).expect("a pattern")), duration }
}

fn once(from: &str, to: &str) -> WindowSpan {
    WindowSpan::Once { from: at(from), to: at(to) }
}

fn stored(span: WindowSpan) -> MaintenanceWindow {
    MaintenanceWindow {
        id: WindowId::from_uuid(Uuid::nil()),
        name: "updates".to_owned(),
        monitors: vec![MONITOR.parse().expect("an id")],
        tags: vec![],
        span,
        created_at: EventTime::EPOCH,
    }
}

#[test]
fn a_window_is_once_or_by_a_pattern() {
    let made = created(
        json!({"name": " move ", "tags": ["db", "db"], "from": "2026-11-22T11:00:00+01:00", "to": "2026-11-22T12:00:00Z"}),
    );
    let made = made.expect("good");
    assert_eq!((made.name.as_str(), made.tags), ("move", vec!["db".to_owned()]));
    assert_eq!(made.span, once("2026-11-22T10:00:00Z", "2026-11-22T12:00:00Z"));
    let made =
        created(json!({"name": "n", "monitors": [MONITOR, MONITOR], "cron": "0 2 * * *", "duration": 7_200}))
            .expect("good");
    assert_eq!((made.monitors.len(), made.span), (1, cron("0 2 * * *", "UTC", 7_200)));
    let made = created(
        json!({"name": "n", "tags": ["a"], "cron": "@daily", "timezone": "Europe/Berlin", "duration": 60}),
    );
    assert_eq!(made.expect("good").span, cron("@daily", "Europe/Berlin", 60));
}

#[test]
fn what_is_wrong_is_named() {
    for (body, fields) in [
        (json!({}), vec!["name", "from", "monitors"]),
        (json!({"name": "n", "tags": ["a"]}), vec!["from"]),
        (json!({"name": "n", "tags": ["a"], "from": "2026-11-22T11:00:00Z"}), vec!["to"]),
        (json!({"name": "n", "tags": ["a"], "to": "2026-11-22T11:00:00Z"}), vec!["from"]),
        (
            json!({"name": "n", "tags": ["a"], "from": "2026-11-22T11:00:00", "to": "tomorrow"}),
            vec!["from", "to"],
        ),
        (
            json!({"name": "n", "tags": ["a"], "from": "2026-11-22T11:00:00Z", "to": "2026-11-22T11:00:00Z"}),
            vec!["to"],
        ),
        (
            json!({"name": "n", "tags": ["a"], "from": "2026-11-22T08:00:00Z", "to": "2026-11-22T10:00:00Z"}),
            vec!["to"],
        ),
        (
            json!({"name": "n", "tags": ["a"], "from": "2026-11-22T11:00:00Z", "to": "2026-12-23T11:00:01Z"}),
            vec!["to"],
        ),
        (json!({"name": "n", "tags": ["a"], "cron": "0 2 * * *"}), vec!["duration"]),
        (json!({"name": "n", "tags": ["a"], "duration": 60}), vec!["cron"]),
        (json!({"name": "n", "tags": ["a"], "timezone": "UTC"}), vec!["cron", "duration"]),
        (json!({"name": "n", "tags": ["a"], "cron": "0 2 * * *", "duration": 59}), vec!["duration"]),
        (json!({"name": "n", "tags": ["a"], "cron": "0 2 * * *", "duration": 2_678_401}), vec!["duration"]),
        (
            json!({"name": "n", "tags": ["a"], "cron": "x", "timezone": "Mars", "duration": 60}),
            vec!["cron", "timezone"],
        ),
        (
            json!({"name": "n", "tags": ["a"], "cron": "0 2 * * *", "duration": 60, "from": "2026-11-22T11:00:00Z"}),
            vec!["from", "cron", "duration"],
        ),
        (
            json!({"name": "n", "tags": [""], "monitors": ["x"], "id": "x", "q": 1, "cron": "@daily", "duration": 60}),
            vec!["monitors", "tags", "id", "q"],
        ),
        (json!({"name": "n", "tags": [], "cron": "@daily", "duration": 60}), vec!["monitors"]),
    ] {
        assert_eq!(created(body.clone()).expect_err("refused"), fields, "{body}");
    }
}

#[test]
fn a_change_keeps_what_it_does_not_name() {
    let (night, move_) =
        (cron("0 2 * * *", "Europe/Berlin", 7_200), once("2026-11-22T08:00:00Z", "2026-11-22T12:00:00Z"));
    for (old, change, expected) in [
        (&night, json!({"name": "n"}), night.clone()),
        (&night, json!({"duration": 60}), cron("0 2 * * *", "Europe/Berlin", 60)),
        (&night, json!({"timezone": null}), cron("0 2 * * *", "UTC", 7_200)),
        (&night, json!({"cron": "@daily"}), cron("@daily", "Europe/Berlin", 7_200)),
        (&night, json!({"from": "2026-11-22T08:00:00Z", "to": "2026-11-22T12:00:00Z"}), move_.clone()),
        // Ended early: a time that is past is good here.
        (&move_, json!({"to": "2026-11-22T09:00:00Z"}), once("2026-11-22T08:00:00Z", "2026-11-22T09:00:00Z")),
        (
            &move_,
            json!({"cron": "0 2 * * *", "duration": 7_200, "timezone": "Europe/Berlin", "from": null}),
            night.clone(),
        ),
    ] {
        let changed = draft(change.clone()).onto(&stored(old.clone())).expect("good");
        assert_eq!(changed.span, expected, "{change}");
        assert_eq!(changed.monitors, stored(night.clone()).monitors);
    }
    for (old, change, fields) in [
        (&night, json!({"from": "2026-11-22T08:00:00Z"}), vec!["to"]),
        (&move_, json!({"duration": 60}), vec!["cron"]),
        (&move_, json!({"to": null}), vec!["to"]),
        (&night, json!({"monitors": []}), vec!["monitors"]),
        (&night, json!({"monitors": null, "name": null}), vec!["name", "monitors"]),
    ] {
        let errors = draft(change.clone()).onto(&stored(old.clone())).expect_err("bad");
        assert_eq!(errors.into_iter().map(|error| error.field).collect::<Vec<_>>(), fields, "{change}");
    }
    let moved = draft(json!({"monitors": [], "tags": ["db"]})).onto(&stored(night)).expect("good");
    assert_eq!((moved.monitors, moved.tags), (vec![], vec!["db".to_owned()]));
}
