//! Golden bytes: a stored form must not change unnoticed.
//!
//! To change one, raise its version and give its file the name of the new version.

mod samples;

use std::fmt::Debug;
use std::net::{IpAddr, Ipv4Addr};
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use uuid::Uuid;

use super::frame::{Frame, Listening};
use super::{Message, WireError, decode, encode};
use crate::channel::{Channel, ChannelKind, ChannelState, OldSecret, Secret, Webhook, WebhookMethod};
use crate::delivery::{
    Attempt, Delivery, DeliveryMessage, DeliveryState, DeliveryTask, IncidentSubject, OpenIncident, Wake,
};
use crate::flip::{Alert, Flip, Reason, State};
use crate::gaps::Gaps;
use crate::heartbeat::{Heartbeat, HeartbeatKind};
use crate::ids::{AlertId, ChannelId, DeliveryId, KeyId, MonitorId, Offset, Revision};
use crate::key::{ApiKey, Scope};
use crate::monitor::{Definition, DefinitionChange, Monitor, OldToken, Token};
use crate::monitor_state::{Incident, MonitorState, OutboxAlert, PartitionHead};
use crate::notice::{Dependents, MonitorLabel, Notice};
use crate::schedule::{CronSchedule, Schedule};
use crate::time::{EventTime, Interval};
use crate::trace::TraceContext;

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
        message: None,
        value: None,
        last_heartbeat_at: Some(at(0)),
        deadline: Some(at(66)),
        deaf: Duration::from_millis(1_500),
        down_for: None,
        trace: None,
        silent_for: Some(Duration::from_secs(66)),
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
        imported: vec![samples::imported()],
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
        imported: Some(Box::new(samples::past())),
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
        own_grace: Some(true),
        interval: Some(30),
        channels: Some(vec![ChannelId::from_uuid(Uuid::from_u128(5))]),
        parent: Some(MonitorId::from_uuid(Uuid::from_u128(6))),
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
        kind: ChannelKind::Webhook(Box::new(Webhook {
            url: secret("https://example.com/hook"),
            secret: secret("whsec_MDEyMzQ1Njc4OTAxMjM0NTY3ODkwMTIz"),
            old_secrets: vec![OldSecret {
                secret: secret("whsec_YmVmb3JlIHRoYXQgaXQgd2FzIGFub3RoZXI="),
                expires_at: at(86_400),
            }],
            headers: [("x-team".to_owned(), secret("ops"))].into(),
            method: WebhookMethod::Put,
            template: Some("{{ title }}".to_owned()),
            content_type: Some("text/plain".to_owned()),
            digest: true,
        })),
        default: true,
        state: ChannelState::Ok,
        state_detail: Some("answered 500".to_owned()),
        failing_since: Some(at(9)),
        timezone: Some("Europe/Berlin".to_owned()),
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
        notice: Notice::Alert(Alert::Flip(flip())),
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
            request: None,
        }],
        monitor: Some(MonitorLabel {
            name: "nightly backup".to_owned(),
            tags: vec!["prod".to_owned()],
            dependents: Dependents { down: 2, names: vec!["a".to_owned(), "b".to_owned()] },
        }),
        folded_into: None,
        note: None,
    }
}

/// Compares with `golden/NAME`; writes it when there is none, for a new message.
fn check<M: Message + PartialEq + Debug>(file: &str, message: &M) {
    let found = encode(message);
    let bytes = golden(file).unwrap_or_else(|_| {
        let line = |line: &[u8]| line.iter().map(|byte| format!("{byte:02x}")).collect::<String>() + "\n";
        let hex: String = found.chunks(40).map(line).collect();
        std::fs::write(path(file), hex).expect("write a new golden file");
        panic!("{file} was not there; it was written: look at it and commit it");
    });
    assert_eq!(found, bytes, "the stored form of {} changed: raise its version", M::NAME);
    check_reading(&bytes, message);
}

/// These bytes say `message`, and neither parts of them nor other versions say anything.
fn check_reading<M: Message + PartialEq + Debug>(bytes: &[u8], message: &M) {
    assert_eq!(&decode::<M>(bytes).expect("readable"), message);

    let mut other = bytes.to_vec();
    other[0] = M::VERSION + 1;
    assert!(matches!(decode::<M>(&other), Err(WireError::Newer { .. })));
    other[0] = M::VERSION - 1;
    assert!(matches!(decode::<M>(&other), Err(WireError::Older { .. })));
    // Damage is an error, never a panic, wherever it is.
    for cut in 0..bytes.len() {
        assert!(decode::<M>(&bytes[..cut]).is_err(), "{} cut at {cut}", M::NAME);
    }
}

/// The bytes in `golden/NAME`.
fn golden(file: &str) -> std::io::Result<Vec<u8>> {
    let digits: String = std::fs::read_to_string(path(file))?.split_whitespace().collect();
    let byte = |i| u8::from_str_radix(&digits[i..i + 2], 16).expect("hexadecimal");
    Ok((0..digits.len()).step_by(2).map(byte).collect())
}

fn path(file: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("src/wire/golden").join(file)
}

#[test]
fn stored_forms_are_as_they_were() {
    check("frame_v3.hex", &frame());
    check("monitor_state_v3.hex", &state());
    check("partition_head_v1.hex", &head());
    check("alert_v2.hex", &Alert::Flip(flip()));
    check(
        "outbox_reminder_v2.hex",
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
    check("flip_v2.hex", &flip());
    check("delivery_v4.hex", &delivery());
    let task = DeliveryTask { attempts: 3, ..DeliveryTask::again(&delivery()) };
    check("delivery_message_task_v7.hex", &DeliveryMessage::from(task));
    let wake = Wake { channel: ChannelId::from_uuid(Uuid::from_u128(5)) };
    check("delivery_message_wake_v7.hex", &DeliveryMessage::Wake(wake));
    let storm = IncidentSubject::Storm { opens: 9, members: 25 };
    let flapping = IncidentSubject::Flapping { flip: Box::new(flip()), monitor: MonitorLabel::default() };
    for (name, of) in [("storm", storm), ("flapping", flapping)] {
        let (channel, incident) = (wake.channel, AlertId::from_uuid(Uuid::from_u128(6)));
        let open = OpenIncident { channel, incident, since: at(66), of, forgotten_at: Some(at(99)) };
        check(&format!("delivery_message_{name}_v7.hex"), &DeliveryMessage::Incident(Box::new(open)));
    }
    check("monitor_v1.hex", &monitor());
    check("channel_v1.hex", &channel());
    check("key_v1.hex", &key());
}

#[test]
fn every_kind_of_alert_notice_channel_window_and_rebuild_is_as_it_was() {
    for (name, alert) in samples::alerts() {
        check(&format!("alert_{name}_v2.hex"), &alert);
    }
    for (name, notice) in samples::notices() {
        check(&format!("delivery_{name}_v4.hex"), &Delivery { notice, ..delivery() });
    }
    for (name, kind) in samples::channel_kinds() {
        check(&format!("channel_{name}_v1.hex"), &Channel { kind, ..channel() });
    }
    for (name, window) in samples::windows() {
        check(&format!("maintenance_{name}_v1.hex"), &window);
    }
    for (name, rebuild) in samples::rebuilds() {
        check(&format!("rebuild_{name}_v1.hex"), &rebuild);
    }
    let (folded, task) = samples::folded();
    check("delivery_folded_v4.hex", &folded);
    check("delivery_message_digest_v7.hex", &DeliveryMessage::from(task));
}

/// The forms that the first consoles wrote.
#[test]
fn records_of_the_registry_get_new_fields_with_defaults() {
    fn check_first<M: Message + PartialEq + Debug>(file: &str, message: &M) {
        check_reading(&golden(file).expect("it is there"), message);
    }
    check_first("monitor_v1_first.hex", &Monitor { parent: None, own_grace: None, ..monitor() });
    let secret = |text: &str| Secret::new(text.to_owned());
    let webhook = Webhook {
        url: secret("https://example.com/hook"),
        secret: secret("whsec_MDEyMzQ1Njc4OTAxMjM0NTY3ODkwMTIz"),
        old_secrets: Vec::new(),
        headers: [("x-team".to_owned(), secret("ops"))].into(),
        method: WebhookMethod::Post,
        template: None,
        content_type: None,
        digest: false,
    };
    let kind = ChannelKind::Webhook(Box::new(webhook));
    let first = Channel { kind, state_detail: None, failing_since: None, timezone: None, ..channel() };
    check_first("channel_v1_first.hex", &first);
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
