//! Pure. The body that receivers see. It is the same for every attempt of a delivery, but for what is looked
//! up for each: description, schedule and output.

use std::borrow::Cow;
use std::time::Duration;

use model::flip::{Alert, Flip};
use model::notice::{ChannelFailing, Digest, LabelledFlip, MonitorLabel, Notice, WasDown};
use model::time::EventTime;
use sending::words::flip_text;
use serde::Serialize;

use crate::message::{Facts, FlipView, Message, MonitorView, Telling, message_of};

#[derive(Serialize)]
struct Event<'a> {
    #[serde(rename = "type")]
    event_type: &'static str,
    timestamp: String,
    data: Data<'a>,
}

#[derive(Serialize)]
#[serde(untagged)]
enum Data<'a> {
    Monitor(Box<MonitorData<'a>>),
    Digest(DigestData<'a>),
    Channel(ChannelData<'a>),
    /// A notice that otherwise only chats and pagers get.
    Message(serde_json::Value),
}

#[derive(Serialize)]
struct MonitorData<'a> {
    flip: FlipView,
    monitor: MonitorView,
    /// Left out in digests, with schedule and output.
    #[serde(skip_serializing_if = "Option::is_none")]
    description: Option<Option<&'a str>>,
    #[serde(skip_serializing_if = "Option::is_none")]
    schedule: Option<Option<&'a str>>,
    message: Option<Cow<'a, str>>,
    value: Option<f64>,
    #[serde(skip_serializing_if = "Option::is_none")]
    output: Option<Option<&'a str>>,
    last_heartbeat_at: Option<String>,
    deadline: Option<String>,
    deaf_seconds: u64,
    down_seconds: Option<u64>,
    /// For reminders: the number within the incident.
    #[serde(skip_serializing_if = "Option::is_none")]
    reminder: Option<u32>,
    /// Monitors that depend on this one and are down; left out if there are none.
    #[serde(skip_serializing_if = "Option::is_none")]
    dependents: Option<DependentsData<'a>>,
}

#[derive(Serialize)]
struct DependentsData<'a> {
    down: u32,
    names: &'a [String],
}

#[derive(Serialize)]
struct DigestData<'a> {
    window: DigestWindow,
    flips: Vec<MonitorData<'a>>,
    count: u32,
    truncated: bool,
}

#[derive(Serialize)]
struct DigestWindow {
    from: String,
    to: String,
}

#[derive(Serialize)]
struct ChannelData<'a> {
    channel: ChannelLabelData<'a>,
    message: &'a str,
    #[serde(skip_serializing_if = "Option::is_none")]
    disabled: Option<bool>,
}

#[derive(Serialize)]
struct ChannelLabelData<'a> {
    id: String,
    name: &'a str,
}

/// The event as JSON.
pub(crate) fn body(telling: &Telling<'_>) -> Vec<u8> {
    let Telling { task, channel, facts, .. } = *telling;
    let none = MonitorLabel::default();
    let label = task.monitor.as_ref().unwrap_or(&none);
    let mut event_type = task.notice.event_type();
    let data = match &task.notice {
        Notice::Alert(Alert::Flip(flip)) => {
            Data::Monitor(Box::new(with_facts(monitor_data(flip, label, flip.down_for), facts)))
        }
        Notice::Alert(Alert::Reminder { number, at, down, .. }) => {
            let data = with_facts(monitor_data(down, label, Some(at.since(down.at))), facts);
            let message = message_of(down, *at).map(Cow::Owned);
            Data::Monitor(Box::new(MonitorData { message, reminder: Some(*number), ..data }))
        }
        Notice::Alert(Alert::Test { .. }) => Data::Channel(ChannelData {
            channel: ChannelLabelData { id: channel.id.to_string(), name: &channel.name },
            message: "This is a test: alerts of your monitors arrive here.",
            disabled: None,
        }),
        Notice::ChannelFailing(failing) => Data::Channel(channel_failing(failing)),
        Notice::Digest(digest) => Data::Digest(digest_data(digest)),
        Notice::WasDown(was) => {
            event_type = "digest";
            Data::Digest(was_down_data(was, label))
        }
        Notice::Flapping(_) | Notice::Storm(_) | Notice::Repost(_) => {
            Data::Message(message_data(&Message::new(telling)))
        }
    };
    let event = Event { event_type, timestamp: task.created_at.to_rfc3339(), data };
    serde_json::to_vec(&event).expect("the event has text keys, and memory takes every write")
}

fn channel_failing(failing: &ChannelFailing) -> ChannelData<'_> {
    ChannelData {
        channel: ChannelLabelData { id: failing.channel.to_string(), name: &failing.name },
        message: &failing.detail,
        disabled: Some(failing.disabled),
    }
}

fn digest_data(digest: &Digest) -> DigestData<'_> {
    let flips =
        digest.flips.iter().map(|LabelledFlip { flip, monitor }| monitor_data(flip, monitor, flip.down_for));
    let flips: Vec<MonitorData<'_>> = flips.collect();
    let told = digest.down.count + digest.up.count + digest.still_down.count + digest.flapping.count;
    DigestData {
        window: DigestWindow { from: digest.from.to_rfc3339(), to: digest.to.to_rfc3339() },
        truncated: flips.len() < told as usize,
        flips,
        count: digest.count,
    }
}

fn was_down_data<'a>(was: &'a WasDown, label: &'a MonitorLabel) -> DigestData<'a> {
    DigestData {
        window: DigestWindow { from: was.down.at.to_rfc3339(), to: was.up.at.to_rfc3339() },
        flips: vec![monitor_data(&was.down, label, None), monitor_data(&was.up, label, was.up.down_for)],
        count: was.flips,
        truncated: was.flips > 2,
    }
}

/// Programs find no monitor where there is none; only templates get a name in its place.
fn message_data(message: &Message) -> serde_json::Value {
    // A message has text keys only.
    let mut data = serde_json::to_value(message).unwrap_or_default();
    if message.monitor.id.is_none() {
        data["monitor"] = serde_json::Value::Null;
    }
    data
}

fn monitor_data<'a>(flip: &'a Flip, label: &'a MonitorLabel, down_for: Option<Duration>) -> MonitorData<'a> {
    let dependents = &label.dependents;
    MonitorData {
        flip: FlipView::new(flip),
        monitor: MonitorView::new(flip, label),
        description: None,
        schedule: None,
        message: flip_text(flip),
        value: flip.value,
        output: None,
        last_heartbeat_at: flip.last_heartbeat_at.map(EventTime::to_rfc3339),
        deadline: flip.deadline.map(EventTime::to_rfc3339),
        deaf_seconds: flip.deaf.as_secs(),
        down_seconds: down_for.map(|span| span.as_secs()),
        reminder: None,
        dependents: (dependents.down > 0)
            .then(|| DependentsData { down: dependents.down, names: &dependents.names }),
    }
}

fn with_facts<'a>(data: MonitorData<'a>, facts: &'a Facts) -> MonitorData<'a> {
    MonitorData {
        description: Some(facts.description.as_deref()),
        schedule: Some(facts.schedule.as_deref()),
        output: Some(facts.output.as_deref()),
        ..data
    }
}

#[cfg(test)]
mod tests {
    use jiff::tz::TimeZone;
    use model::delivery::DeliveryTask;
    use model::flip::{Reason, State};
    use model::ids::{AlertId, ChannelId, DeliveryId};
    use serde_json::{Value, json};
    use uuid::Uuid;

    use super::*;
    use crate::sample::{at, channel, down};

    fn json_of(alert: Alert) -> Value {
        let channel = channel();
        let monitor = alert.monitor().map(|_| MonitorLabel {
            name: "nightly backup".to_owned(),
            tags: vec!["prod".to_owned()],
            ..MonitorLabel::default()
        });
        let task = DeliveryTask {
            id: DeliveryId::derive(alert.id(), channel.id),
            notice: alert.into(),
            channel: channel.id,
            created_at: at("2026-11-22T10:00:07.120Z"),
            monitor,
            redriven: false,
            attempts: 3,
            sent_to: vec![],
            at_desk: false,
            folded_into: None,
        };
        let facts = Facts {
            description: Some("Call the DBA.".to_owned()),
            schedule: Some("every 1 min, 5 s of grace".to_owned()),
            ..Facts::default()
        };
        let telling = Telling { task: &task, channel: &channel, facts: &facts, zone: &TimeZone::UTC };
        serde_json::from_slice(&body(&telling)).expect("JSON")
    }

    #[test]
    fn a_missed_heartbeat_reads_as_the_contract_says() {
        let id = down().id.to_string();
        let expected = json!({
            "type": "monitor.down", "timestamp": "2026-11-22T10:00:07.120Z",
            "data": {
                "flip": {"id": id, "sequence": 12, "from": "up", "to": "down", "reason": "missed",
                         "at": "2026-11-22T10:00:05.000Z"},
                "monitor": {"id": "00000000-0000-0000-0000-000000000007", "name": "nightly backup",
                            "tags": ["prod"]},
                "description": "Call the DBA.", "schedule": "every 1 min, 5 s of grace", "output": null,
                "message": "no heartbeat for 1 min 6 s", "value": null,
                "last_heartbeat_at": "2026-11-22T09:58:59.000Z", "deadline": "2026-11-22T10:00:05.000Z",
                "deaf_seconds": 0, "down_seconds": null,
            },
        });
        assert_eq!(json_of(Alert::Flip(down())), expected);
    }

    #[test]
    fn a_recovery_says_how_long_it_was_down() {
        let up = Flip {
            from: State::Down,
            to: State::Up,
            reason: Reason::Recovered,
            value: Some(1.5),
            deadline: None,
            deaf: Duration::from_millis(2_900),
            down_for: Some(Duration::from_millis(61_999)),
            ..down()
        };
        let event = json_of(Alert::Flip(up));
        let data = &event["data"];
        assert_eq!(event["type"], "monitor.up");
        assert_eq!((&data["flip"]["from"], &data["flip"]["to"]), (&json!("down"), &json!("up")));
        assert_eq!((&data["down_seconds"], &data["deaf_seconds"]), (&json!(61), &json!(2)));
        assert_eq!((&data["value"], &data["deadline"]), (&json!(1.5), &Value::Null));
    }

    #[test]
    fn a_reminder_carries_the_down_flip() {
        let id = AlertId::from_uuid(Uuid::from_u128(3));
        let event = json_of(Alert::Reminder {
            id,
            number: 2,
            at: down().at + Duration::from_secs(7_200),
            down: down(),
        });
        assert_eq!(event["type"], "monitor.reminder");
        assert_eq!(event["data"]["flip"], json_of(Alert::Flip(down()))["data"]["flip"]);
        assert_eq!(event["data"]["message"], "no heartbeat for 2 h 1 min", "as of the reminder");
        assert_eq!((&event["data"]["reminder"], &event["data"]["down_seconds"]), (&json!(2), &json!(7_200)));
    }

    #[test]
    fn a_test_speaks_of_the_channel_only() {
        let alert = Alert::Test {
            id: AlertId::from_uuid(Uuid::from_u128(3)),
            channel: ChannelId::from_uuid(Uuid::from_u128(9)),
            at: EventTime::EPOCH,
        };
        let event = json_of(alert);
        assert_eq!(event["type"], "channel.test");
        assert_eq!(
            event["data"]["channel"],
            json!({"id": "00000000-0000-0000-0000-000000000009", "name": "ops"})
        );
        assert!(event["data"]["flip"].is_null() && event["data"]["monitor"].is_null());
    }
}
