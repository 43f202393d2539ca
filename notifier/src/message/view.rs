//! Pure. The fields of a message: the variables of templates, which `docs/channels.md` lists.

use jiff::tz::TimeZone;
use model::channel::Channel;
use model::delivery::DeliveryTask;
use model::flip::{Alert, Flip, Reason, State};
use model::ids::AlertId;
use model::notice::{LabelledFlip, MonitorLabel, Notice};
use model::time::EventTime;
use serde::Serialize;

use super::body::{Length, Part, text};
use super::digest::DigestView;
use super::words;

/// What is told of a monitor besides its alert, as it is at the time of the attempt: none of it travels with
/// the alert. What could not be found out is left out.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(crate) struct Facts {
    /// What the monitor's owner wrote about it.
    pub(crate) description: Option<String>,
    /// Its schedule and grace in words.
    pub(crate) schedule: Option<String>,
    /// The end of the output of the heartbeat that caused the alert's flip, made readable.
    pub(crate) output: Option<String>,
    /// Its newest heartbeat.
    pub(crate) heard_at: Option<EventTime>,
}

/// The message of a delivery.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub(crate) struct Message {
    /// The delivery's id: the same over all repeats.
    pub(crate) id: String,
    /// `monitor.down`, `monitor.up`, `monitor.reminder`, `monitor.was_down`, `monitor.flapping`, `digest`,
    /// `storm`, `repost`, `channel.failing` or `channel.test`.
    pub(crate) event: &'static str,
    /// The time of the event, RFC 3339.
    pub(crate) at: String,
    /// The title: one line, at most 200 characters.
    pub(crate) title: String,
    /// The details, in lines; long ones as far as a chat has room.
    pub(crate) text: String,
    /// The details in parts, whole.
    #[serde(skip)]
    pub(crate) parts: Vec<Part>,
    /// How bad it is.
    pub(crate) severity: Severity,
    /// What the message does to an incident.
    pub(crate) action: Action,
    /// Names the incident: the same from its first message to its last.
    pub(crate) incident: String,
    /// The channel's name.
    pub(crate) channel: String,
    /// The monitor that the message is about, or what stands in its place.
    pub(crate) monitor: MonitorView,
    /// What the monitor's owner wrote about it: what to do.
    pub(crate) description: Option<String>,
    /// The monitor's schedule in words.
    pub(crate) schedule: Option<String>,
    /// The flip, if it speaks of one.
    pub(crate) flip: Option<FlipView>,
    /// The text of the flip.
    pub(crate) message: Option<String>,
    /// The value of the heartbeat that caused it.
    pub(crate) value: Option<f64>,
    /// The end of the output of the heartbeat that caused it.
    pub(crate) output: Option<String>,
    /// The beginning of the incident, RFC 3339.
    pub(crate) since: Option<String>,
    /// Its end.
    pub(crate) until: Option<String>,
    /// How long it has lasted, seconds.
    pub(crate) down_seconds: Option<u64>,
    /// The same in words.
    pub(crate) down_for: Option<String>,
    /// The newest heartbeat, RFC 3339.
    pub(crate) last_heartbeat_at: Option<String>,
    /// The deadline that was missed, RFC 3339.
    pub(crate) deadline: Option<String>,
    /// These times as people read them.
    pub(crate) times: Times,
    /// The time zone in which they are.
    pub(crate) timezone: String,
    /// How long Lubdub itself was deaf meanwhile, seconds.
    pub(crate) deaf_seconds: u64,
    /// The number of a reminder in its incident, from 1.
    pub(crate) reminder: Option<u32>,
    /// Monitors that depend on this one and are down: how many, and the first of them.
    pub(crate) dependents: u32,
    /// Their names, at most 20.
    pub(crate) dependent_names: Vec<String>,
    /// The monitors of a digest or a storm.
    pub(crate) digest: Option<DigestView>,
    /// The monitors that a repost names as down.
    pub(crate) reposted: Vec<RepostedMonitor>,
}

/// The times of a message, in the time zone of its channel with UTC beside.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize)]
pub(crate) struct Times {
    pub(super) at: String,
    pub(super) since: Option<String>,
    pub(super) until: Option<String>,
    pub(super) last_heartbeat_at: Option<String>,
    pub(super) deadline: Option<String>,
}

/// How bad what a message says is: `critical`, `warning`, `info` or `ok`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "lowercase")]
pub(crate) enum Severity {
    Critical,
    Warning,
    Info,
    Ok,
}

/// What a message does to an incident: `trigger`, `resolve` or `none`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "lowercase")]
pub(crate) enum Action {
    Trigger,
    Resolve,
    None,
}

/// A monitor, as templates see it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub(crate) struct MonitorView {
    /// `None` if the message is about no monitor, or about several: then the name says so.
    pub(crate) id: Option<String>,
    pub(crate) name: String,
    pub(crate) tags: Vec<String>,
}

/// A flip, as templates and receivers see it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub(crate) struct FlipView {
    id: String,
    sequence: u64,
    from: State,
    to: State,
    reason: Reason,
    at: String,
}

/// A monitor that is down, in a repost.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub(crate) struct RepostedMonitor {
    pub(crate) incident: String,
    pub(crate) monitor: MonitorView,
    pub(crate) title: String,
    pub(crate) message: Option<String>,
    pub(crate) since: String,
}

impl FlipView {
    pub(crate) fn new(flip: &Flip) -> Self {
        Self {
            id: flip.id.to_string(),
            sequence: flip.sequence,
            from: flip.from,
            to: flip.to,
            reason: flip.reason,
            at: flip.at.to_rfc3339(),
        }
    }
}

impl Message {
    pub(super) fn blank(task: &DeliveryTask, channel: &Channel) -> Self {
        let notice = &task.notice;
        Self {
            id: task.id.to_string(),
            event: notice.event_type(),
            at: notice.at().to_rfc3339(),
            title: String::new(),
            text: String::new(),
            parts: Vec::new(),
            severity: Severity::Info,
            action: Action::None,
            incident: incident(notice).to_string(),
            channel: channel.name.clone(),
            monitor: MonitorView::none(String::new()),
            description: None,
            schedule: None,
            flip: None,
            message: None,
            value: None,
            output: None,
            since: None,
            until: None,
            down_seconds: None,
            down_for: None,
            last_heartbeat_at: None,
            deadline: None,
            times: Times::default(),
            timezone: String::new(),
            deaf_seconds: 0,
            reminder: None,
            dependents: 0,
            dependent_names: Vec::new(),
            digest: None,
            reposted: Vec::new(),
        }
    }

    /// With what follows from the rest.
    pub(super) fn finished(self, zone: &TimeZone, at: EventTime) -> Self {
        let shown = |time: &Option<String>| {
            let time = EventTime::parse_rfc3339(time.as_deref()?)?;
            Some(words::time(time, zone))
        };
        Self {
            text: text(&self.parts, Length::Chat),
            times: Times {
                at: words::time(at, zone),
                since: shown(&self.since),
                until: shown(&self.until),
                last_heartbeat_at: shown(&self.last_heartbeat_at),
                deadline: shown(&self.deadline),
            },
            timezone: words::zone_name(zone, at),
            down_for: self.down_seconds.map(words::seconds),
            ..self
        }
    }
}

/// The alert that began the incident.
pub(crate) fn incident(notice: &Notice) -> AlertId {
    match notice {
        Notice::Alert(Alert::Flip(flip)) => incident_of(flip),
        Notice::Alert(Alert::Reminder { down, .. }) => down.id,
        Notice::Flapping(flapping) => flapping.incident,
        Notice::WasDown(was) => was.down.id,
        Notice::Storm(storm) => storm.incident,
        Notice::Alert(Alert::Test { .. })
        | Notice::Digest(_)
        | Notice::Repost(_)
        | Notice::ChannelFailing(_) => notice.id(),
    }
}

/// A recovery says how long the monitor was down, and an alert's id is a function of its time.
pub(crate) fn incident_of(flip: &Flip) -> AlertId {
    match flip.down_for {
        Some(span) => AlertId::derive(flip.monitor, flip.at - span, State::Down.as_str()),
        None => flip.id,
    }
}

impl MonitorView {
    /// What stands in the place of a monitor, so that a template that names it always has a name.
    pub(super) fn none(name: impl Into<String>) -> Self {
        Self { id: None, name: name.into(), tags: Vec::new() }
    }

    pub(crate) fn new(flip: &Flip, label: &MonitorLabel) -> Self {
        Self { id: Some(flip.monitor.to_string()), name: label.name.clone(), tags: label.tags.clone() }
    }
}

impl RepostedMonitor {
    pub(super) fn new(one: &LabelledFlip) -> Self {
        Self {
            incident: one.flip.id.to_string(),
            monitor: MonitorView::new(&one.flip, &one.monitor),
            title: words::title("DOWN", &one.monitor.name),
            message: sending::words::flip_text(&one.flip).map(std::borrow::Cow::into_owned),
            since: one.flip.at.to_rfc3339(),
        }
    }
}
