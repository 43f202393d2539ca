//! One of every kind of alert, notice, channel and maintenance window, a rebuild in each state, and an
//! imported history.

use super::*;
use crate::channel::{Email, PresetChannel};
use crate::ids::{PartitionId, RebuildId, WindowId};
use crate::imported::{Imported, PastEvent};
use crate::maintenance::{MaintenanceWindow, WindowSpan};
use crate::monitor_state::Past;
use crate::notice::{Brief, ChannelFailing, Digest, Flapping, Group, LabelledFlip, Repost, Storm, WasDown};
use crate::rebuild::{Difference, MonitorDifference, Rebuild, RebuildFrom, RebuildReport, RebuildState};

fn id(number: u128) -> AlertId {
    AlertId::from_uuid(Uuid::from_u128(number))
}

fn up() -> Flip {
    Flip {
        id: AlertId::derive(monitor_id(), at(130), "up"),
        sequence: 3,
        from: State::Down,
        to: State::Up,
        reason: Reason::Recovered,
        at: at(130),
        message: Some("back".to_owned()),
        value: Some(0.5),
        last_heartbeat_at: Some(at(130)),
        deadline: None,
        deaf: Duration::ZERO,
        down_for: Some(Duration::from_secs(64)),
        silent_for: None,
        trace: TraceContext::parse("00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01"),
        ..flip()
    }
}

fn labelled() -> LabelledFlip {
    let dependents = Dependents { down: 1, names: vec!["child".to_owned()] };
    let monitor =
        MonitorLabel { name: "nightly backup".to_owned(), tags: vec!["prod".to_owned()], dependents };
    LabelledFlip { flip: flip(), monitor }
}

fn group(count: u32, until: Option<EventTime>) -> Group {
    let brief = Brief {
        monitor: monitor_id(),
        name: "nightly backup".to_owned(),
        since: Some(at(66)),
        until,
        message: Some("no heartbeat for 66 s".to_owned()),
        flips: 2,
    };
    Group { count, first: vec![brief] }
}

pub(super) fn alerts() -> [(&'static str, Alert); 2] {
    let channel = ChannelId::from_uuid(Uuid::from_u128(5));
    [("test", Alert::Test { id: id(7), channel, at: at(1) }), ("up", Alert::Flip(up()))]
}

pub(super) fn notices() -> [(&'static str, Notice); 6] {
    let channel = ChannelId::from_uuid(Uuid::from_u128(5));
    let digest = Digest {
        id: id(1),
        from: at(60),
        to: at(90),
        count: 33,
        down: group(30, None),
        up: group(2, Some(at(80))),
        still_down: group(1, None),
        flapping: Group::default(),
        flips: vec![labelled()],
    };
    let storm = Storm {
        id: id(2),
        incident: id(3),
        since: at(60),
        at: at(90),
        over: false,
        members: 25,
        down: group(21, None),
    };
    let failing = ChannelFailing {
        id: id(6),
        channel,
        name: "ops".to_owned(),
        since: at(9),
        disabled: true,
        detail: "answered 410 Gone".to_owned(),
    };
    [
        ("was_down", Notice::WasDown(Box::new(WasDown { id: id(8), down: flip(), up: up(), flips: 4 }))),
        ("digest", Notice::Digest(Box::new(digest))),
        ("storm", Notice::Storm(Box::new(storm))),
        (
            "flapping",
            Notice::Flapping(Box::new(Flapping {
                id: id(4),
                incident: id(9),
                flip: up(),
                flips: 7,
                over: true,
            })),
        ),
        (
            "repost",
            Notice::Repost(Box::new(Repost {
                id: id(5),
                at: at(120),
                part: 0,
                parts: 1,
                down: vec![labelled()],
            })),
        ),
        ("channel_failing", Notice::ChannelFailing(Box::new(failing))),
    ]
}

pub(super) fn channel_kinds() -> [(&'static str, ChannelKind); 2] {
    let to = vec!["ops@example.com".to_owned(), "night@example.com".to_owned()];
    let settings = [("url", "https://hooks.slack.com/services/T/B/x"), ("token", "secret")];
    let settings = settings.map(|(name, value)| (name.to_owned(), Secret::new(value.to_owned()))).into();
    let preset = PresetChannel { preset: "slack".to_owned(), settings };
    [("email", ChannelKind::Email(Email { to })), ("preset", ChannelKind::Preset(preset))]
}

pub(super) fn windows() -> [(&'static str, MaintenanceWindow); 2] {
    let window = |span| MaintenanceWindow {
        id: WindowId::from_uuid(Uuid::from_u128(11)),
        name: "updates".to_owned(),
        monitors: vec![monitor_id()],
        tags: vec!["db".to_owned()],
        span,
        created_at: at(0),
    };
    let cron = Arc::new(CronSchedule::parse("0 2 * * 7", "Europe/Berlin").expect("a schedule"));
    [
        ("once", window(WindowSpan::Once { from: at(100), to: at(200) })),
        ("cron", window(WindowSpan::Cron { cron, duration: 7_200 })),
    ]
}

/// A delivery that is folded into a digest, and the digest's task.
pub(super) fn folded() -> (Delivery, DeliveryTask) {
    let [_, (_, digest), ..] = notices();
    let channel = ChannelId::from_uuid(Uuid::from_u128(5));
    let of = DeliveryId::derive(digest.id(), channel);
    let mut folded = Delivery {
        state: DeliveryState::Folded,
        next_attempt_at: None,
        folded_into: Some(of),
        note: Some("told in a digest".to_owned()),
        ..delivery()
    };
    folded.attempts.iter_mut().for_each(|attempt| attempt.request = Some("POST /hook".to_owned()));
    let task = DeliveryTask {
        id: of,
        notice: digest,
        channel,
        created_at: at(90),
        monitor: None,
        redriven: false,
        attempts: 0,
        sent_to: vec!["ops@example.com".to_owned()],
        at_desk: true,
        folded_into: None,
    };
    (folded, task)
}

/// One rebuild in each state.
pub(super) fn rebuilds() -> [(&'static str, Rebuild); 4] {
    let rebuild = |state| Rebuild {
        id: RebuildId::from_uuid(Uuid::from_u128(12)),
        partition: PartitionId(3),
        verify: true,
        history: false,
        from: RebuildFrom::Oldest,
        requested_at: at(0),
        requested_by: "ops".to_owned(),
        updated_at: at(2),
        state,
    };
    let difference = |field: &str| Difference {
        field: field.to_owned(),
        rebuilt: Some("down".to_owned()),
        live: Some("up".to_owned()),
        stored: None,
    };
    let report = RebuildReport {
        began_after: Offset(7),
        known_since: Some(at(-100)),
        applied: Offset(900),
        heartbeats: 5_000,
        damaged: 1,
        damaged_at: vec![Offset(80)],
        monitors: 10,
        different: 1,
        differences: vec![MonitorDifference { monitor: monitor_id(), fields: vec![difference("state")] }],
        head: vec![difference("watermark")],
        replaced: true,
        alerts: 1,
        untold: 2,
        stood_still_ms: 30,
    };
    [
        ("waiting", rebuild(RebuildState::Waiting)),
        ("running", rebuild(RebuildState::Running { applied: Offset(8), through: Offset(900) })),
        ("done", rebuild(RebuildState::Done(Box::new(report)))),
        ("failed", rebuild(RebuildState::Failed { why: "the log is gone".to_owned() })),
    ]
}

pub(super) fn imported() -> Imported {
    let heartbeat = Heartbeat {
        monitor: monitor_id(),
        received_at: at(-50),
        kind: HeartbeatKind::Up,
        message: Some("from elsewhere".to_owned()),
        value: None,
        source: None,
        output: None,
        trace: None,
    };
    Imported {
        monitor: monitor_id(),
        at: at(2),
        events: vec![
            PastEvent::Defined { at: at(-100), revision: Revision(3), definition: period(), settled: None },
            PastEvent::Deaf(Interval { start: at(-80), end: at(-70) }),
            PastEvent::Heard { heartbeat, settled: Some(at(-55)) },
            PastEvent::Moved { until: at(-40), at: at(-30), revision: Revision(4), definition: cron() },
            PastEvent::Until(at(0)),
        ],
    }
}

pub(super) fn past() -> Past {
    let mut gaps = Gaps::default();
    gaps.push(Interval { start: at(-80), end: at(-70) });
    let state = MonitorState {
        revision: Revision(0),
        definition: Some(period()),
        state: State::Up,
        since: at(-100),
        sequence: 1,
        heard_at: Some(at(-50)),
        counted_from: Some(at(-50)),
        incident: None,
        armed_at: None,
        imported: None,
    };
    Past { state, gaps, revision: Revision(3) }
}
