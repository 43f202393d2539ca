//! Pure. The message of a delivery, for people and for templates. It is the same for every attempt.
//!
//! The variables of templates are the fields of [`Message`]; `docs/channels.md` lists them.

mod digest;
#[cfg(test)]
mod tests;
mod words;

use std::borrow::Cow;

use model::channel::Channel;
use model::delivery::DeliveryTask;
use model::flip::{Alert, Flip, Reason, State};
use model::ids::AlertId;
use model::notice::{Digest, LabelledFlip, MonitorLabel, Notice, Storm};
use model::time::EventTime;
use sending::words::flip_text;
use serde::Serialize;

use digest::DigestView;
pub(crate) use words::duration;

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
    /// The details, in lines.
    pub(crate) text: String,
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
    /// The flip, if it speaks of one.
    pub(crate) flip: Option<FlipView>,
    /// The text of the flip.
    pub(crate) message: Option<String>,
    /// The value of the heartbeat that caused it.
    pub(crate) value: Option<f64>,
    /// The beginning of the incident, RFC 3339.
    pub(crate) since: Option<String>,
    /// Its end.
    pub(crate) until: Option<String>,
    /// How long it has lasted, seconds.
    pub(crate) down_seconds: Option<u64>,
    /// The newest heartbeat, RFC 3339.
    pub(crate) last_heartbeat_at: Option<String>,
    /// The deadline that was missed, RFC 3339.
    pub(crate) deadline: Option<String>,
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
    /// The message of `task` on `channel`.
    pub(crate) fn new(task: &DeliveryTask, channel: &Channel) -> Self {
        let notice = &task.notice;
        let blank = Self {
            id: task.id.to_string(),
            event: notice.event_type(),
            at: notice.at().to_rfc3339(),
            title: String::new(),
            text: String::new(),
            severity: Severity::Info,
            action: Action::None,
            incident: incident(notice).to_string(),
            channel: channel.name.clone(),
            monitor: MonitorView::none(String::new()),
            flip: None,
            message: None,
            value: None,
            since: None,
            until: None,
            down_seconds: None,
            last_heartbeat_at: None,
            deadline: None,
            deaf_seconds: 0,
            reminder: None,
            dependents: 0,
            dependent_names: Vec::new(),
            digest: None,
            reposted: Vec::new(),
        };
        let none = MonitorLabel::default();
        let label = task.monitor.as_ref().unwrap_or(&none);
        match notice {
            Notice::Alert(Alert::Flip(flip)) => match flip.to {
                State::Down => blank.down(flip, label),
                State::Up | State::New | State::Paused => blank.up(flip, label),
            },
            Notice::Alert(Alert::Reminder { number, at, down, .. }) => {
                blank.reminder(*number, *at, down, label)
            }
            Notice::WasDown(was) => blank.was_down(&was.down, &was.up, was.flips, label),
            Notice::Flapping(flapping) => {
                blank.flapping(&flapping.flip, flapping.flips, flapping.over, label)
            }
            Notice::Digest(digest) => blank.digest(digest),
            Notice::Storm(storm) => blank.storm(storm),
            Notice::Repost(repost) => Self {
                title: format!("Still down: {}", words::monitors(repost.down.len())),
                severity: Severity::Critical,
                monitor: MonitorView::none(words::monitors(repost.down.len())),
                reposted: repost.down.iter().map(reposted).collect(),
                ..blank
            },
            Notice::ChannelFailing(failing) => Self {
                title: format!("Alerts do not arrive: channel {} is failing", failing.name),
                text: lines([
                    Some(format!("Since {}: {}", words::time(failing.since), failing.detail)),
                    failing.disabled.then(|| {
                        "It is disabled and gets nothing more until a test is accepted or it is enabled."
                            .to_owned()
                    }),
                ]),
                severity: Severity::Warning,
                monitor: MonitorView::none(format!("channel {}", failing.name)),
                since: Some(failing.since.to_rfc3339()),
                message: Some(failing.detail.clone()),
                ..blank
            },
            Notice::Alert(Alert::Test { .. }) => Self {
                title: format!("Test of channel {}", channel.name),
                text: TEST.to_owned(),
                monitor: MonitorView::none(TESTED),
                action: Action::Trigger,
                ..blank
            },
        }
    }

    fn of_monitor(self, flip: &Flip, label: &MonitorLabel) -> Self {
        Self {
            monitor: MonitorView::new(flip, label),
            flip: Some(FlipView::new(flip)),
            message: flip_text(flip).map(Cow::into_owned),
            value: flip.value,
            last_heartbeat_at: flip.last_heartbeat_at.map(EventTime::to_rfc3339),
            deadline: flip.deadline.map(EventTime::to_rfc3339),
            deaf_seconds: flip.deaf.as_secs(),
            dependents: label.dependents.down,
            dependent_names: label.dependents.names.clone(),
            ..self
        }
    }

    fn down(self, flip: &Flip, label: &MonitorLabel) -> Self {
        let said = match flip.reason {
            Reason::Reported => said(flip),
            Reason::First
            | Reason::Missed
            | Reason::Recovered
            | Reason::Paused
            | Reason::Resumed
            | Reason::Changed => flip_text(flip).as_deref().map(capitalised),
        };
        Self {
            title: words::title("DOWN", &label.name),
            text: lines([
                said,
                Some(format!("Down since {}", words::time(flip.at))),
                last_heartbeat(flip),
                deaf(flip),
                dependents(label, "down too"),
                tags(label),
            ]),
            severity: Severity::Critical,
            action: Action::Trigger,
            since: Some(flip.at.to_rfc3339()),
            ..self.of_monitor(flip, label)
        }
    }

    fn up(self, flip: &Flip, label: &MonitorLabel) -> Self {
        let since = flip.down_for.map(|span| flip.at - span);
        Self {
            title: words::title("UP", &label.name),
            text: lines([
                since.map(|since| {
                    let span = duration(flip.at.since(since));
                    format!(
                        "Up again after {span}: was down from {} to {}",
                        words::time(since),
                        words::time(flip.at)
                    )
                }),
                said(flip),
                dependents(label, "still down"),
                tags(label),
            ]),
            severity: Severity::Ok,
            action: Action::Resolve,
            since: since.map(EventTime::to_rfc3339),
            until: Some(flip.at.to_rfc3339()),
            down_seconds: flip.down_for.map(|span| span.as_secs()),
            ..self.of_monitor(flip, label)
        }
    }

    fn reminder(self, number: u32, at: EventTime, down: &Flip, label: &MonitorLabel) -> Self {
        let span = at.since(down.at);
        let this = self.down(down, label);
        Self {
            title: words::title("STILL DOWN", &label.name),
            text: format!("Down for {}, reminder {number}\n{}", duration(span), this.text),
            down_seconds: Some(span.as_secs()),
            reminder: Some(number),
            ..this
        }
    }

    fn was_down(self, down: &Flip, up: &Flip, flips: u32, label: &MonitorLabel) -> Self {
        let span = duration(up.at.since(down.at));
        let this = self.of_monitor(down, label);
        Self {
            title: words::title("WAS DOWN", &label.name),
            text: lines([
                Some(format!("Was down from {} to {} ({span})", words::time(down.at), words::time(up.at))),
                flip_text(down).as_deref().map(capitalised),
                (flips > 2).then(|| format!("It changed {flips} times meanwhile")),
                tags(label),
            ]),
            severity: Severity::Ok,
            action: Action::Resolve,
            since: Some(down.at.to_rfc3339()),
            until: Some(up.at.to_rfc3339()),
            down_seconds: Some(up.at.since(down.at).as_secs()),
            flip: Some(FlipView::new(up)),
            ..this
        }
    }

    fn flapping(self, flip: &Flip, flips: u32, over: bool, label: &MonitorLabel) -> Self {
        let (word, severity) = if over { ("QUIET", Severity::Ok) } else { ("FLAPPING", Severity::Warning) };
        let action = if over { Action::Resolve } else { Action::Trigger };
        let now = format!("It is {} now, since {}", flip.to.as_str(), words::time(flip.at));
        Self {
            title: words::title(word, &label.name),
            text: lines([
                Some(format!("It changed {flips} times{}", if over { " and is quiet again" } else { "" })),
                Some(now),
                (!over).then(|| "More of it comes in summaries until it is quiet.".to_owned()),
                said(flip),
                tags(label),
            ]),
            severity,
            action,
            since: Some(flip.at.to_rfc3339()),
            ..self.of_monitor(flip, label)
        }
    }

    fn digest(self, digest: &Digest) -> Self {
        let severity = if digest.down.count > 0 {
            Severity::Critical
        } else if digest.still_down.count + digest.flapping.count > 0 {
            Severity::Warning
        } else {
            Severity::Ok
        };
        Self {
            title: digest::title(digest),
            text: digest::text(digest),
            severity,
            monitor: MonitorView::none(words::monitors(digest::monitors(digest))),
            since: Some(digest.from.to_rfc3339()),
            digest: Some(DigestView::of_digest(digest)),
            ..self
        }
    }

    fn storm(self, storm: &Storm) -> Self {
        let (title, severity, action) = if storm.over {
            (format!("All {} monitors of the storm are up", storm.members), Severity::Ok, Action::Resolve)
        } else {
            let down = storm.down.count;
            (
                format!("STORM: {down} of {} are down", words::monitors(storm.members as usize)),
                Severity::Critical,
                Action::Trigger,
            )
        };
        Self {
            title,
            text: digest::section("Down", &storm.down).unwrap_or_default(),
            severity,
            action,
            monitor: MonitorView::none(words::monitors(storm.members as usize)),
            since: Some(storm.since.to_rfc3339()),
            until: storm.over.then(|| storm.at.to_rfc3339()),
            digest: Some(DigestView::of_storm(storm)),
            ..self
        }
    }
}

/// The name of a test's monitor.
const TESTED: &str = "test";

const TEST: &str = "This is a test: alerts of your monitors arrive here.";

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
    fn none(name: impl Into<String>) -> Self {
        Self { id: None, name: name.into(), tags: Vec::new() }
    }

    pub(crate) fn new(flip: &Flip, label: &MonitorLabel) -> Self {
        Self { id: Some(flip.monitor.to_string()), name: label.name.clone(), tags: label.tags.clone() }
    }
}

fn reposted(one: &LabelledFlip) -> RepostedMonitor {
    RepostedMonitor {
        incident: one.flip.id.to_string(),
        monitor: MonitorView::new(&one.flip, &one.monitor),
        title: words::title("DOWN", &one.monitor.name),
        message: flip_text(&one.flip).map(Cow::into_owned),
        since: one.flip.at.to_rfc3339(),
    }
}

/// The text of the flip: what the client said, or Lubdub's own words. A recovery without a message from the
/// client has none: the message gives its length already, in other words.
fn said(flip: &Flip) -> Option<String> {
    let is_repeated = flip.reason == Reason::Recovered && flip.message.is_none();
    let text = flip_text(flip).filter(|_| !is_repeated)?;
    Some(match flip.message {
        Some(_) => format!("It said: {text}"),
        None => format!("The reason: {text}"),
    })
}

fn last_heartbeat(flip: &Flip) -> Option<String> {
    flip.last_heartbeat_at.map(|at| format!("Last heartbeat {}", words::time(at)))
}

fn deaf(flip: &Flip) -> Option<String> {
    (!flip.deaf.is_zero()).then(|| {
        format!("Lubdub itself heard nothing for {} of that; it was not counted", duration(flip.deaf))
    })
}

fn dependents(label: &MonitorLabel, how: &str) -> Option<String> {
    let dependents = &label.dependents;
    let more = (dependents.down as usize).saturating_sub(dependents.names.len());
    let named = dependents.names.join(", ");
    let rest = if more > 0 { format!(" and {more} more") } else { String::new() };
    (dependents.down > 0).then(|| {
        format!("{} that depend on it {how}: {named}{rest}", words::monitors(dependents.down as usize))
    })
}

fn tags(label: &MonitorLabel) -> Option<String> {
    (!label.tags.is_empty()).then(|| format!("Tags: {}", label.tags.join(", ")))
}

fn lines<const N: usize>(parts: [Option<String>; N]) -> String {
    parts.into_iter().flatten().collect::<Vec<_>>().join("\n")
}

fn capitalised(text: &str) -> String {
    let mut letters = text.chars();
    letters.next().map_or_else(String::new, |first| first.to_uppercase().chain(letters).collect())
}
