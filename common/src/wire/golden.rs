//! Golden bytes: what was written once must be readable for ever, and must not change unnoticed.
//!
//! To add a version, keep the old file, give the new one a new name, and let both be read.

use std::net::{IpAddr, Ipv4Addr};
use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use uuid::Uuid;

use super::frame::{Frame, Listening};
use super::{Message, WireError, decode, encode};
use crate::model::channel::{Channel, ChannelKind, ChannelState, Secret};
use crate::model::delivery::{Attempt, Delivery, DeliveryState, DeliveryTask, MonitorLabel};
use crate::model::flip::{Alert, Flip, Reason, State};
use crate::model::gaps::Gaps;
use crate::model::heartbeat::{Heartbeat, HeartbeatKind};
use crate::model::ids::{AlertId, ChannelId, DeliveryId, KeyId, MonitorId, Offset, Revision};
use crate::model::key::{ApiKey, Scope};
use crate::model::monitor::{Definition, DefinitionChange, Monitor, OldToken, Token};
use crate::model::monitor_state::{Incident, MonitorState, OutboxAlert, PartitionHead};
use crate::model::schedule::{CronSchedule, Schedule};
use crate::model::time::{EventTime, Interval};
use crate::model::trace::TraceContext;

fn monitor_id() -> MonitorId {
    MonitorId::from_uuid(Uuid::from_u128(0x0199_0000_0000_7000_8000_0000_0000_0001))
}

fn at(secs: i64) -> EventTime {
    EventTime::from_secs(1_795_000_000 + secs)
}

fn period() -> Definition {
    Definition { schedule: Schedule::Period { timeout: 60 }, grace: 6, remind_every: 3_600, paused: false }
}

fn cron() -> Definition {
    let cron = CronSchedule::parse("30 2 * * *", "Europe/Berlin").expect("a schedule");
    Definition { schedule: Schedule::Cron(Arc::new(cron)), grace: 600, remind_every: 0, paused: true }
}

fn flip() -> Flip {
    Flip {
        id: AlertId::derive(monitor_id(), at(66), "down"),
        monitor: monitor_id(),
        sequence: 2,
        from: State::Up,
        to: State::Down,
        reason: Reason::Missed,
        at: at(66),
        message: Some("no heartbeat for 66 s".to_owned()),
        value: None,
        last_heartbeat_at: Some(at(0)),
        deadline: Some(at(66)),
        deaf: Duration::from_millis(1_500),
        down_for: None,
        trace: None,
    }
}

fn frame() -> Frame {
    Frame {
        node: "node-1".to_owned(),
        boot: 0xb007,
        number: 3,
        sealed_at: at(2),
        listening: Listening::Since(at(1)),
        refused: 4,
        heartbeats: vec![
            Heartbeat {
                monitor: monitor_id(),
                received_at: at(1),
                kind: HeartbeatKind::Down,
                message: Some("disk full ✗".to_owned()),
                value: Some(12.5),
                source: Some(IpAddr::V4(Ipv4Addr::new(192, 0, 2, 7))),
                output: Some(Bytes::from_static(b"\x00\xffline")),
                trace: TraceContext::parse("00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01"),
            },
            Heartbeat {
                monitor: monitor_id(),
                received_at: at(2),
                kind: HeartbeatKind::Up,
                message: None,
                value: None,
                source: None,
                output: None,
                trace: None,
            },
        ],
        definitions: vec![
            DefinitionChange {
                monitor: monitor_id(),
                revision: Revision(7),
                at: at(2),
                definition: Some(cron()),
            },
            DefinitionChange { monitor: monitor_id(), revision: Revision(8), at: at(2), definition: None },
        ],
    }
}

fn state() -> MonitorState {
    MonitorState {
        revision: Revision(7),
        definition: Some(period()),
        state: State::Down,
        since: at(66),
        sequence: 2,
        heard_at: Some(at(0)),
        counted_from: Some(at(0)),
        incident: Some(Box::new(Incident { down: flip(), reminders: 1, reminded_at: at(3_666) })),
        armed_at: Some(at(7_266)),
    }
}

fn head() -> PartitionHead {
    let mut gaps = Gaps::default();
    gaps.push(Interval { start: at(-100), end: at(-90) });
    PartitionHead {
        incarnation: "c0ffee".to_owned(),
        applied: Offset(99),
        applied_at: Some(at(2)),
        watermark: Some(at(1)),
        vouched: vec![Interval { start: at(1), end: at(2) }],
        gaps,
        settled: Some(at(1)),
        last_number: 5,
    }
}

fn monitor() -> Monitor {
    let token = |text| Token::parse(text).expect("a token");
    Monitor {
        id: monitor_id(),
        name: "nightly backup".to_owned(),
        description: String::new(),
        tags: vec!["prod".to_owned()],
        definition: period(),
        interval: Some(30),
        channels: Some(vec![ChannelId::from_uuid(Uuid::from_u128(5))]),
        token: token("token-0123456789"),
        old_tokens: vec![OldToken { token: token("token-before"), expires_at: at(86_400) }],
        created_at: at(0),
        updated_at: at(1),
    }
}

fn channel() -> Channel {
    let secret = |text: &str| Secret::new(text.to_owned());
    Channel {
        id: ChannelId::from_uuid(Uuid::from_u128(5)),
        name: "ops".to_owned(),
        kind: ChannelKind::Webhook {
            url: secret("https://example.com/hook"),
            secret: secret("whsec_MDEyMzQ1Njc4OTAxMjM0NTY3ODkwMTIz"),
            headers: [("x-team".to_owned(), secret("ops"))].into(),
        },
        default: true,
        state: ChannelState::Ok,
        state_detail: None,
        created_at: at(0),
    }
}

fn key() -> ApiKey {
    ApiKey {
        id: KeyId::from_uuid(Uuid::from_u128(9)),
        name: "admin".to_owned(),
        scope: Scope::Admin,
        hash: vec![0xab; 32],
        created_at: at(0),
    }
}

fn delivery() -> Delivery {
    let channel = ChannelId::from_uuid(Uuid::from_u128(5));
    Delivery {
        id: DeliveryId::derive(flip().id, channel),
        alert: Alert::Flip(flip()),
        channel,
        state: DeliveryState::Pending,
        created_at: at(1_067),
        next_attempt_at: Some(at(1_072)),
        attempts: vec![Attempt {
            at: at(1_067),
            ms: 12,
            status: Some(503),
            error: Some("answered 503 Service Unavailable".to_owned()),
            answer: Some("busy".to_owned()),
        }],
        monitor: Some(MonitorLabel { name: "nightly backup".to_owned(), tags: vec!["prod".to_owned()] }),
    }
}

/// Compares with `golden/NAME`; writes it when there is none, for a new message.
fn check<M: Message + PartialEq + std::fmt::Debug>(file: &str, message: &M) {
    let path = std::path::Path::new(env!("CARGO_MANIFEST_DIR")).join("src/wire/golden").join(file);
    let hex = |bytes: &[u8]| {
        let lines =
            bytes.chunks(40).map(|line| line.iter().map(|byte| format!("{byte:02x}")).collect::<String>());
        lines.collect::<Vec<_>>().join("\n") + "\n"
    };
    let found = hex(&encode(message));
    let golden = std::fs::read_to_string(&path).unwrap_or_else(|_| {
        std::fs::write(&path, &found).expect("write a new golden file");
        panic!("{file} was not there; it was written: look at it and commit it");
    });
    assert_eq!(found, golden, "the stored form of {} changed: raise its version", M::NAME);
    let digits: String = golden.split_whitespace().collect();
    let bytes: Vec<u8> = (0..digits.len())
        .step_by(2)
        .map(|i| u8::from_str_radix(&digits[i..i + 2], 16).expect("hexadecimal"))
        .collect();
    assert_eq!(&decode::<M>(&bytes).expect("readable"), message);

    // A reader of today before data of tomorrow.
    let mut newer = bytes.clone();
    newer[0] = M::VERSION + 1;
    assert!(matches!(decode::<M>(&newer), Err(WireError::Newer { .. })));
    // Damage is an error, never a panic, wherever it is.
    for cut in 0..bytes.len() {
        assert!(decode::<M>(&bytes[..cut]).is_err(), "{} cut at {cut}", M::NAME);
    }
}

#[test]
fn stored_forms_are_as_they_were() {
    check("frame_v1.hex", &frame());
    check("monitor_state_v1.hex", &state());
    check("partition_head_v1.hex", &head());
    check("alert_v1.hex", &Alert::Flip(flip()));
    check(
        "outbox_reminder_v1.hex",
        &OutboxAlert {
            number: 6,
            alert: Alert::Reminder {
                id: AlertId::derive(monitor_id(), at(3_666), "reminder"),
                number: 1,
                at: at(3_666),
                down: flip(),
            },
        },
    );
    check("flip_v1.hex", &flip());
    check("delivery_v1.hex", &delivery());
    check("delivery_task_v1.hex", &DeliveryTask { attempts: 3, ..DeliveryTask::of(&delivery()) });
    check("monitor_v1.hex", &monitor());
    check("channel_v1.hex", &channel());
    check("key_v1.hex", &key());
}

#[test]
fn a_record_without_newer_fields_is_read_with_their_defaults() {
    #[derive(serde::Serialize)]
    struct FirstMonitor {
        id: MonitorId,
        name: &'static str,
        definition: Definition,
        token: &'static str,
        created_at: EventTime,
        updated_at: EventTime,
    }
    let first = FirstMonitor {
        id: monitor_id(),
        name: "old",
        definition: period(),
        token: "token-0123456789",
        created_at: at(0),
        updated_at: at(0),
    };
    let mut bytes = vec![1];
    rmp_serde::encode::write_named(&mut bytes, &first).expect("encoded");
    let read: Monitor = decode(&bytes).expect("readable");
    assert_eq!((read.name.as_str(), read.channels, read.interval), ("old", None, None));
}
