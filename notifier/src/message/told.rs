//! Pure. What the message of each kind of notice says.

use std::borrow::Cow;
use std::time::Duration;

use jiff::tz::TimeZone;
use model::channel::Channel;
use model::duration::rounded;
use model::flip::{Alert, Flip, Reason, State};
use model::notice::{ChannelFailing, Digest, MonitorLabel, Notice, Storm};
use model::time::EventTime;
use sending::words::flip_text;

use super::body::Part;
use super::digest::{self, DigestView};
use super::view::{Action, Facts, FlipView, Message, MonitorView, RepostedMonitor, Severity};
use super::words;

/// The name of a test's monitor.
const TESTED: &str = "test";

const TEST: &str = "This is a test: alerts of your monitors arrive here.";

/// The text of a flip in a message at `at`: of a monitor that is down it says how long the silence lasts by
/// then.
pub(crate) fn message_of(flip: &Flip, at: EventTime) -> Option<String> {
    let later = at.since(flip.at);
    let silent_for = flip.silent_for.map(|span| span.saturating_add(later));
    flip_text(&Flip { silent_for, ..flip.clone() }).map(Cow::into_owned)
}

/// Tells of a notice.
pub(super) struct Teller<'a> {
    pub(super) facts: &'a Facts,
    pub(super) zone: &'a TimeZone,
    pub(super) label: &'a MonitorLabel,
}

impl Teller<'_> {
    pub(super) fn tell(&self, blank: Message, notice: &Notice, channel: &Channel) -> Message {
        match notice {
            Notice::Alert(Alert::Flip(flip)) => match flip.to {
                State::Down => self.down(blank, flip),
                State::Up | State::New | State::Paused => self.up(blank, flip),
            },
            Notice::Alert(Alert::Reminder { number, at, down, .. }) => {
                self.reminder(blank, *number, *at, down)
            }
            Notice::WasDown(was) => self.was_down(blank, &was.down, &was.up, was.flips),
            Notice::Flapping(flapping) => self.flapping(blank, &flapping.flip, flapping.flips, flapping.over),
            Notice::Digest(digest) => self.digest(blank, digest),
            Notice::Storm(storm) => self.storm(blank, storm),
            Notice::Repost(repost) => Message {
                title: format!("Still down: {}", words::monitors(repost.down.len())),
                severity: Severity::Critical,
                monitor: MonitorView::none(words::monitors(repost.down.len())),
                reposted: repost.down.iter().map(RepostedMonitor::new).collect(),
                ..blank
            },
            Notice::ChannelFailing(failing) => self.channel_failing(blank, failing),
            Notice::Alert(Alert::Test { .. }) => Message {
                title: format!("Test of channel {}", channel.name),
                parts: vec![Part::Line(TEST.to_owned())],
                monitor: MonitorView::none(TESTED),
                action: Action::Trigger,
                ..blank
            },
        }
    }

    /// What is the same in all messages about one monitor.
    fn of_monitor(&self, blank: Message, flip: &Flip) -> Message {
        let Self { facts, label, .. } = self;
        Message {
            monitor: MonitorView::new(flip, label),
            description: facts.description.clone(),
            schedule: facts.schedule.clone(),
            flip: Some(FlipView::new(flip)),
            message: message_of(flip, flip.at),
            value: flip.value,
            output: facts.output.clone(),
            last_heartbeat_at: flip.last_heartbeat_at.map(EventTime::to_rfc3339),
            deadline: flip.deadline.map(EventTime::to_rfc3339),
            deaf_seconds: flip.deaf.as_secs(),
            dependents: label.dependents.down,
            dependent_names: label.dependents.names.clone(),
            ..blank
        }
    }

    fn down(&self, blank: Message, flip: &Flip) -> Message {
        Message {
            title: words::title("DOWN", &self.label.name),
            parts: all([
                why(flip, flip.at),
                self.when("Down since", Some(flip.at)),
                self.last_heartbeat(flip.last_heartbeat_at),
                value(flip),
                self.schedule(),
                deaf(flip),
                self.description(),
                self.dependents("Down too"),
                self.tags(),
                self.output(),
            ]),
            severity: Severity::Critical,
            action: Action::Trigger,
            since: Some(flip.at.to_rfc3339()),
            ..self.of_monitor(blank, flip)
        }
    }

    fn up(&self, blank: Message, flip: &Flip) -> Message {
        let since = flip.down_for.map(|span| flip.at - span);
        Message {
            title: words::title("UP", &self.label.name),
            parts: all([
                flip.down_for.map(|span| Part::Line(format!("Up again after {}", rounded(span)))),
                self.when("Was down from", since),
                self.when(if since.is_some() { "To" } else { "Up since" }, Some(flip.at)),
                said(flip),
                value(flip),
                self.dependents("Still down"),
                self.tags(),
            ]),
            severity: Severity::Ok,
            action: Action::Resolve,
            since: since.map(EventTime::to_rfc3339),
            until: Some(flip.at.to_rfc3339()),
            down_seconds: flip.down_for.map(|span| span.as_secs()),
            ..self.of_monitor(blank, flip)
        }
    }

    fn reminder(&self, blank: Message, number: u32, at: EventTime, down: &Flip) -> Message {
        let span = at.since(down.at);
        let heard_at = self.facts.heard_at.filter(|at| Some(*at) > down.last_heartbeat_at);
        let heard_at = heard_at.or(down.last_heartbeat_at);
        Message {
            title: words::title("STILL DOWN", &self.label.name),
            parts: all([
                Some(Part::Line(format!("Down for {}, reminder {number}", rounded(span)))),
                why(down, at),
                self.when("Down since", Some(down.at)),
                self.last_heartbeat(heard_at),
                value(down),
                self.schedule(),
                self.description(),
                self.dependents("Down too"),
                self.tags(),
                self.output(),
            ]),
            message: message_of(down, at),
            last_heartbeat_at: heard_at.map(EventTime::to_rfc3339),
            down_seconds: Some(span.as_secs()),
            reminder: Some(number),
            ..self.down(blank, down)
        }
    }

    fn was_down(&self, blank: Message, down: &Flip, up: &Flip, flips: u32) -> Message {
        let span = up.at.since(down.at);
        Message {
            title: words::title("WAS DOWN", &self.label.name),
            parts: all([
                Some(Part::Line(format!("It was down for {} and is up again", rounded(span)))),
                why(down, down.at),
                self.when("Was down from", Some(down.at)),
                self.when("To", Some(up.at)),
                value(down),
                (flips > 2).then(|| Part::Line(format!("It changed {flips} times meanwhile"))),
                self.schedule(),
                self.tags(),
                self.output(),
            ]),
            severity: Severity::Ok,
            action: Action::Resolve,
            since: Some(down.at.to_rfc3339()),
            until: Some(up.at.to_rfc3339()),
            down_seconds: Some(span.as_secs()),
            flip: Some(FlipView::new(up)),
            ..self.of_monitor(blank, down)
        }
    }

    fn flapping(&self, blank: Message, flip: &Flip, flips: u32, over: bool) -> Message {
        let (word, severity) = if over { ("QUIET", Severity::Ok) } else { ("FLAPPING", Severity::Warning) };
        let action = if over { Action::Resolve } else { Action::Trigger };
        let since = if flip.to == State::Down { "Down since" } else { "Up since" };
        Message {
            title: words::title(word, &self.label.name),
            parts: all([
                Some(Part::Line(format!(
                    "It changed {flips} times{}; it is {} now",
                    if over { " and is quiet again" } else { "" },
                    flip.to.as_str()
                ))),
                self.when(since, Some(flip.at)),
                (!over).then(|| Part::Line("More of it comes in summaries until it is quiet.".to_owned())),
                said(flip),
                value(flip),
                self.schedule(),
                self.description().filter(|_| !over),
                self.tags(),
                self.output().filter(|_| !over),
            ]),
            severity,
            action,
            since: Some(flip.at.to_rfc3339()),
            ..self.of_monitor(blank, flip)
        }
    }

    fn digest(&self, blank: Message, digest: &Digest) -> Message {
        let severity = if digest.down.count > 0 {
            Severity::Critical
        } else if digest.still_down.count + digest.flapping.count > 0 {
            Severity::Warning
        } else {
            Severity::Ok
        };
        Message {
            title: digest::title(digest),
            parts: digest::parts(digest, self.zone),
            severity,
            monitor: MonitorView::none(words::monitors(digest::monitors(digest))),
            since: Some(digest.from.to_rfc3339()),
            digest: Some(DigestView::of_digest(digest, self.zone)),
            ..blank
        }
    }

    fn storm(&self, blank: Message, storm: &Storm) -> Message {
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
        Message {
            title,
            parts: digest::parts_of_storm(storm, self.zone),
            severity,
            action,
            monitor: MonitorView::none(words::monitors(storm.members as usize)),
            since: Some(storm.since.to_rfc3339()),
            until: storm.over.then(|| storm.at.to_rfc3339()),
            digest: Some(DigestView::of_storm(storm, self.zone)),
            ..blank
        }
    }

    fn channel_failing(&self, blank: Message, failing: &ChannelFailing) -> Message {
        let disabled = "It is disabled and gets nothing more until a test is accepted or it is enabled.";
        Message {
            title: format!("Alerts do not arrive: channel {} is failing", failing.name),
            parts: all([
                self.when("Since", Some(failing.since)),
                Some(Part::Said { name: "Error", text: failing.detail.clone() }),
                failing.disabled.then(|| Part::Line(disabled.to_owned())),
            ]),
            severity: Severity::Warning,
            monitor: MonitorView::none(format!("channel {}", failing.name)),
            since: Some(failing.since.to_rfc3339()),
            message: Some(failing.detail.clone()),
            ..blank
        }
    }

    fn when(&self, name: &'static str, at: Option<EventTime>) -> Option<Part> {
        at.map(|at| Part::Fact { name, text: words::time(at, self.zone) })
    }

    fn last_heartbeat(&self, at: Option<EventTime>) -> Option<Part> {
        let never = || Some(Part::Fact { name: LAST_HEARTBEAT, text: "none yet".to_owned() });
        self.when(LAST_HEARTBEAT, at).or_else(never)
    }

    fn schedule(&self) -> Option<Part> {
        let text = words::one_line(self.facts.schedule.as_deref()?);
        Some(Part::Fact { name: "Schedule", text })
    }

    fn description(&self) -> Option<Part> {
        self.facts.description.clone().map(Part::Description)
    }

    fn output(&self) -> Option<Part> {
        self.facts.output.clone().map(Part::Output)
    }

    fn tags(&self) -> Option<Part> {
        let tags = &self.label.tags;
        (!tags.is_empty()).then(|| Part::Fact { name: "Tags", text: words::one_line(&tags.join(", ")) })
    }

    fn dependents(&self, name: &'static str) -> Option<Part> {
        let dependents = &self.label.dependents;
        let more = (dependents.down as usize).saturating_sub(dependents.names.len());
        let named = words::one_line(&dependents.names.join(", "));
        let rest = if more > 0 { format!(" and {more} more") } else { String::new() };
        let monitors = words::monitors(dependents.down as usize);
        let depend = if dependents.down == 1 { "depends" } else { "depend" };
        let text = format!("{monitors} that {depend} on it: {named}{rest}");
        (dependents.down > 0).then_some(Part::Fact { name, text })
    }
}

const LAST_HEARTBEAT: &str = "Last heartbeat";

/// Why it is down, as of `at`.
fn why(flip: &Flip, at: EventTime) -> Option<Part> {
    match flip.reason {
        Reason::Reported => {
            Some(said(flip).unwrap_or_else(|| Part::Line("It reported that it is down".to_owned())))
        }
        Reason::First
        | Reason::Missed
        | Reason::Recovered
        | Reason::Paused
        | Reason::Resumed
        | Reason::Changed => match &flip.message {
            Some(_) => said(flip),
            None => message_of(flip, at).map(|text| Part::Line(capitalised(&text))),
        },
    }
}

/// The text of the flip: what the client said, or Lubdub's own words. A recovery without a message from the
/// client has none: the message gives its length already, in other words.
fn said(flip: &Flip) -> Option<Part> {
    let is_repeated = flip.reason == Reason::Recovered && flip.message.is_none();
    let text = flip_text(flip).filter(|_| !is_repeated)?.into_owned();
    Some(match flip.message {
        Some(_) => Part::Said { name: "It said", text },
        None => Part::Fact { name: "The reason", text },
    })
}

fn value(flip: &Flip) -> Option<Part> {
    flip.value.map(|value| Part::Fact { name: "Value", text: value.to_string() })
}

fn deaf(flip: &Flip) -> Option<Part> {
    (flip.deaf >= Duration::from_secs(1)).then(|| {
        let deaf = rounded(flip.deaf);
        Part::Line(format!("Lubdub itself heard nothing for {deaf} of that; it was not counted"))
    })
}

fn all<const N: usize>(parts: [Option<Part>; N]) -> Vec<Part> {
    parts.into_iter().flatten().collect()
}

fn capitalised(text: &str) -> String {
    let mut letters = text.chars();
    letters.next().map_or_else(String::new, |first| first.to_uppercase().chain(letters).collect())
}
