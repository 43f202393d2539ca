use serde_json::json;
use uuid::Uuid;

use super::*;

fn monitor() -> MonitorId {
    MonitorId::from_uuid(Uuid::from_u128(7))
}

fn at(micros: i64) -> Micros {
    Micros(EventTime::from_micros(1_795_341_607_120_999 + micros))
}

fn lines() -> Vec<Line> {
    let expected =
        Expected { timeout: Some(60), cron: None, timezone: None, grace: 6, remind_every: 0, paused: false };
    let labels = Labels {
        name: "n".to_owned(),
        token: Some("12345678".to_owned()),
        partition: 3,
        ..Labels::default()
    };
    let first = MonitorLine {
        id: Some(monitor()),
        at: Some(at(0)),
        revision: Some(3),
        settled: None,
        moved: false,
        deleted: false,
        labels: Some(labels),
        expected: Some(expected.clone()),
    };
    let changed = MonitorLine {
        labels: None,
        at: Some(at(9)),
        revision: Some(4),
        settled: Some(at(8)),
        ..first.clone()
    };
    let deleted =
        MonitorLine { deleted: true, expected: None, revision: None, settled: None, ..changed.clone() };
    let heartbeat = HeartbeatLine {
        monitor: monitor(),
        at: at(1),
        status: HeartbeatKind::Down,
        msg: Some("disk \"full\"\n".to_owned()),
        value: Some(1.5),
        settled: Some(at(0)),
        imported: false,
        before: false,
    };
    vec![
        Line::Monitor(Box::new(first)),
        Line::Heartbeat(HeartbeatLine { settled: None, msg: None, value: None, ..heartbeat.clone() }),
        Line::Heartbeat(heartbeat),
        Line::Monitor(Box::new(changed)),
        Line::Monitor(Box::new(deleted)),
        Line::Gap(GapLine { partition: Some(3), monitor: None, from: at(1), to: at(2) }),
        Line::Summary(SummaryLine {
            from: at(0),
            until: at(9),
            monitors: 1,
            heartbeats: 2,
            skipped: Skipped { count: 1, entries: vec![SkippedEntry { partition: 3, offset: 77 }] },
            partitions: vec![PartitionEnd { partition: 3, until: at(10) }],
        }),
    ]
}

#[test]
fn every_line_reads_back() {
    for line in lines() {
        let text = serde_json::to_string(&line).expect("written");
        assert!(!text.contains('\n'), "{text}");
        assert_eq!(Line::parse(&text).expect("read"), Some(line), "{text}");
    }
}

#[test]
fn the_form_is_the_documented_one() {
    let written: Vec<serde_json::Value> =
        lines().iter().map(|line| serde_json::to_value(line).expect("written")).collect();
    let id = monitor().to_string();
    assert_eq!(
        written[1],
        json!({"type": "heartbeat", "monitor": id, "at": "2026-11-22T10:00:07.121000Z", "status": "down", "msg": null,
            "value": null})
    );
    assert_eq!(written[2]["settled"], "2026-11-22T10:00:07.120999Z");
    assert_eq!(
        written[0],
        json!({"type": "monitor", "id": id, "at": "2026-11-22T10:00:07.120999Z", "revision": 3, "name": "n", "description": "", "tags": [],
            "interval": null, "channels": [], "parent": null, "token": "12345678", "partition": 3, "timeout": 60, "cron": null, "default_channels": false,
            "timezone": null, "grace": 6, "remind_every": 0, "paused": false})
    );
    assert_eq!(
        written[4],
        json!({"type": "monitor", "id": id, "at": "2026-11-22T10:00:07.121008Z", "deleted": true})
    );
}

#[test]
fn what_is_wrong_with_a_line_is_said() {
    let id = monitor();
    for (text, said) in [
        ("{", "EOF"),
        ("[]", "expected"),
        (r#"{"at": 1}"#, "type"),
        (r#"{"type": "monitor", "name": "n"}"#, "id"),
        (r#"{"type":"heartbeat","monitor":"x"}"#, "UUID"),
        (&format!(r#"{{"type":"heartbeat","monitor":"{id}","at":"then"}}"#), "RFC 3339"),
        (&format!(r#"{{"type":"heartbeat","monitor":"{id}"}}"#), "at"),
    ] {
        let error = Line::parse(text).expect_err(text).to_string();
        assert!(error.contains(said), "{text}: {error}");
    }
    assert_eq!(Line::parse(r#"{"type": "song"}"#).expect("left out"), None);
}

#[test]
fn a_definition_survives() {
    let zone = CronSchedule::parse("30 2 * * *", "Europe/Berlin").expect("a pattern");
    for schedule in [Schedule::Period { timeout: 60 }, Schedule::Cron(Arc::new(zone))] {
        let definition = Definition { schedule, grace: 6, remind_every: 60, paused: true };
        assert_eq!(Expected::from(&definition).definition().expect("good"), definition);
    }
}
