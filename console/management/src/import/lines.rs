//! Pure. What an import says, line by line, checked.

use std::borrow::Cow;
use std::time::Duration;

use api::export::Micros;
use model::heartbeat::{Heartbeat, HeartbeatKind, clean_message};
use model::ids::{MonitorId, Revision};
use model::imported::PastEvent;
use model::monitor::Definition;
use model::schedule::{CronSchedule, MAX_GRACE_SECS, MAX_TIMEOUT_SECS, Schedule};
use model::time::{EventTime, Interval};
use model::validation::FieldError;
use serde::Deserialize;
use serde_json::{Map, Value};

use super::mode::Mode;
use crate::draft::Change;
use crate::draft::fields::{Fields, line, whole_number};

/// Lines of one import.
pub const MAX_LINES: usize = 10_000;

/// The most errors that are answered.
const MAX_ERRORS: usize = 100;

/// How far ahead a time may be, for clocks differ; until then the import waits.
pub const AHEAD: Duration = Duration::from_secs(1);

/// How old a live heartbeat may be. It is stamped when it is sent. An older one is not live: its monitor is
/// up by it for a moment, and down again by the silence that followed it.
pub const LIVE_FOR: Duration = Duration::from_secs(60);

/// How old a live heartbeat may be that is sent again with its first stamp, because it is not known whether
/// it was recorded: within a day a person finds in the morning that its sender was killed.
pub const LIVE_AGAIN_FOR: Duration = Duration::from_secs(86_400);

/// How the lines of a body are judged.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Judgement {
    /// What the import does with them.
    pub mode: Mode,
    /// Whether they may have been sent before.
    pub again: bool,
    /// The time here.
    pub now: EventTime,
}

/// A line.
#[derive(Debug, Clone, PartialEq)]
pub struct Item {
    /// Its number in the body, from 1.
    pub line: usize,
    /// The monitor.
    pub monitor: MonitorId,
    /// The event.
    pub event: PastEvent,
}

/// Why a body is refused.
#[derive(Debug, PartialEq)]
pub enum Refused {
    /// More than [`MAX_LINES`].
    TooMany,
    /// Lines that are wrong.
    Lines(Vec<FieldError>),
}

/// The usual form of a heartbeat, read in one go.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Plain<'a> {
    #[serde(borrow)]
    r#type: Cow<'a, str>,
    monitor: MonitorId,
    at: Micros,
    status: HeartbeatKind,
    #[serde(default)]
    msg: Option<String>,
    #[serde(default)]
    value: Option<f64>,
    #[serde(default)]
    settled: Option<Micros>,
}

/// Reads every line. Errors name line and field.
pub fn read(body: &[u8], judgement: Judgement) -> Result<Vec<Item>, Refused> {
    let (mut items, mut errors) = (Vec::new(), Vec::new());
    for (index, bytes) in body.split(|byte| *byte == b'\n').enumerate() {
        let number = index + 1;
        if bytes.trim_ascii().is_empty() {
            continue;
        }
        if items.len() >= MAX_LINES {
            return Err(Refused::TooMany);
        }
        match read_line(bytes, judgement) {
            Ok((monitor, event)) => items.push(Item { line: number, monitor, event }),
            Err(wrong) => errors.extend(wrong.into_iter().map(|error| at_line(number, error))),
        }
        if errors.len() >= MAX_ERRORS {
            errors.truncate(MAX_ERRORS);
            break;
        }
    }
    if errors.is_empty() { Ok(items) } else { Err(Refused::Lines(errors)) }
}

fn at_line(number: usize, error: FieldError) -> FieldError {
    let field = if error.field.is_empty() {
        format!("line {number}")
    } else {
        format!("line {number}.{}", error.field)
    };
    FieldError { field, ..error }
}

fn read_line(bytes: &[u8], judgement: Judgement) -> Result<(MonitorId, PastEvent), Vec<FieldError>> {
    if let Ok(plain) = serde_json::from_slice::<Plain<'_>>(bytes)
        && plain.r#type == "heartbeat"
        && (judgement.mode == Mode::History || plain.settled.is_none())
        && judgement.refused_time(plain.at.0).is_none()
    {
        let heartbeat = heartbeat(plain.monitor, plain.at.0, plain.status, plain.msg, plain.value);
        return Ok((plain.monitor, PastEvent::Heard { heartbeat, settled: plain.settled.map(|at| at.0) }));
    }
    match serde_json::from_slice(bytes) {
        Ok(Value::Object(map)) => read_object(map, judgement),
        Ok(_) => Err(vec![FieldError::new("", "must be a JSON object")]),
        Err(error) => Err(vec![FieldError::new("", format!("is not JSON: {error}"))]),
    }
}

fn heartbeat(
    monitor: MonitorId,
    received_at: EventTime,
    kind: HeartbeatKind,
    message: Option<String>,
    value: Option<f64>,
) -> Heartbeat {
    // As with a push.
    let message = message.map(clean_message).filter(|text| !text.is_empty());
    Heartbeat { monitor, received_at, kind, message, value, source: None, output: None, trace: None }
}

impl Judgement {
    /// Why an event cannot be of this time.
    fn refused_time(self, at: EventTime) -> Option<String> {
        let here = self.now.to_rfc3339_micros();
        if at > self.now + AHEAD {
            return Some(format!("must not lie in the future; it is {here} here"));
        }
        let allowed = match (self.mode, self.again) {
            (Mode::History, _) => return None,
            (Mode::Live, false) => LIVE_FOR,
            (Mode::Live, true) => LIVE_AGAIN_FOR,
        };
        (at + allowed < self.now).then(|| match self.again {
            false => format!(
                "must be at most 60 s old with mode=live, which is for heartbeats that happen now; it is {here} here. \
                 What happened before is a history: mode=history. Add again=true to send again what may be recorded, for a day"
            ),
            true => format!("must be at most a day old with mode=live and again=true; it is {here} here"),
        })
    }
}

/// One line's fields.
struct Reader {
    fields: Fields,
    judgement: Judgement,
}

fn read_object(
    map: Map<String, Value>,
    judgement: Judgement,
) -> Result<(MonitorId, PastEvent), Vec<FieldError>> {
    let mode = judgement.mode;
    let mut reader = Reader { fields: Fields::new(map), judgement };
    let allowed = match mode {
        Mode::Live => "must be heartbeat with mode=live",
        Mode::History => "must be heartbeat, monitor, gap or until",
    };
    let kind = reader.fields.read("type", allowed, |value| {
        let kind = value.as_str().map(str::to_owned)?;
        let known = match mode {
            Mode::Live => kind == "heartbeat",
            Mode::History => ["heartbeat", "monitor", "gap", "until"].contains(&kind.as_str()),
        };
        known.then_some(kind)
    });
    let Change::Set(kind) = kind else {
        if !reader.fields.is_refused("type") {
            reader.fields.refuse("type", allowed);
        }
        return Err(reader.fields.into_errors().into_iter().filter(|error| error.field == "type").collect());
    };
    let read = match kind.as_str() {
        "monitor" => reader.definition(),
        "gap" => reader.gap(),
        "until" => reader.until(),
        _ => reader.heartbeat(),
    };
    let errors = reader.fields.into_errors();
    match read {
        Some(read) if errors.is_empty() => Ok(read),
        Some(_) | None => Err(errors),
    }
}

impl Reader {
    fn required<T>(
        &mut self,
        name: &'static str,
        allowed: &str,
        read: impl FnOnce(&Value) -> Option<T>,
    ) -> Option<T> {
        let found = self.fields.read(name, allowed, |value| read(&value)).set();
        if found.is_none() && !self.fields.is_refused(name) {
            self.fields.refuse(name, format!("is needed: {allowed}"));
        }
        found
    }

    fn monitor(&mut self, name: &'static str) -> Option<MonitorId> {
        self.required(name, "must be a monitor's id", |value| value.as_str()?.parse().ok())
    }

    fn time(&mut self, name: &'static str) -> Option<EventTime> {
        let allowed = "must be an RFC 3339 time such as 2026-11-22T10:00:00.000000Z";
        let at = self.required(name, allowed, |value| EventTime::parse_rfc3339(value.as_str()?))?;
        match self.judgement.refused_time(at) {
            None => Some(at),
            Some(why) => {
                self.fields.refuse(name, why);
                None
            }
        }
    }

    /// The time up to which silence had been settled, if the line gives it.
    fn settled(&mut self) -> Option<EventTime> {
        let allowed = "must be an RFC 3339 time or null";
        self.fields.read("settled", allowed, |value| EventTime::parse_rfc3339(value.as_str()?)).set()
    }

    fn heartbeat(&mut self) -> Option<(MonitorId, PastEvent)> {
        let monitor = self.monitor("monitor");
        let at = self.time("at");
        let kind = self.required("status", "must be up or down", |value| match value.as_str()? {
            "up" => Some(HeartbeatKind::Up),
            "down" => Some(HeartbeatKind::Down),
            _ => None,
        });
        let message =
            self.fields.read("msg", "must be a text or null", |value| value.as_str().map(str::to_owned));
        let value = self.fields.read("value", "must be a finite number or null", |value| {
            value.as_f64().filter(|number| number.is_finite())
        });
        let settled = match self.judgement.mode {
            Mode::Live => None,
            Mode::History => self.settled(),
        };
        let (monitor, at, kind) = (monitor?, at?, kind?);
        let heartbeat = heartbeat(monitor, at, kind, message.set(), value.set());
        Some((monitor, PastEvent::Heard { heartbeat, settled }))
    }

    fn definition(&mut self) -> Option<(MonitorId, PastEvent)> {
        let monitor = self.monitor("id");
        let at = self.time("at");
        let revision = self.required("revision", "must be a whole number from 1 on", |value| {
            value.as_u64().filter(|revision| *revision > 0).map(Revision)
        });
        let settled = self.settled();
        let timeout = self.fields.seconds("timeout", 1..=MAX_TIMEOUT_SECS);
        let cron =
            self.fields.read("cron", "must be a cron pattern of at most 200 characters", |v| line(&v, 200));
        let zone = self.fields.read("timezone", "must be an IANA time zone name", |v| line(&v, 100)).set();
        let grace = self.fields.seconds("grace", 0..=MAX_GRACE_SECS).set();
        let remind = "must be 0 (never) or a whole number of seconds from 60 to 31536000";
        let remind_every = self.fields.read("remind_every", remind, |value| {
            whole_number(&value).filter(|secs| *secs == 0 || (60..=MAX_TIMEOUT_SECS).contains(secs))
        });
        let paused = self.fields.boolean("paused").set().unwrap_or(false);
        let schedule = match (timeout, cron) {
            (Change::Set(timeout), Change::Keep | Change::Reset) => Some(Schedule::Period { timeout }),
            (Change::Keep | Change::Reset, Change::Set(pattern)) => {
                match CronSchedule::parse(&pattern, zone.as_deref().unwrap_or("UTC")) {
                    Ok(cron) => Some(Schedule::Cron(cron.into())),
                    Err(error) => {
                        self.fields.refuse("cron", error.to_string());
                        None
                    }
                }
            }
            (Change::Set(_), Change::Set(_))
            | (Change::Keep | Change::Reset, Change::Keep | Change::Reset) => {
                if !self.fields.is_refused("timeout") && !self.fields.is_refused("cron") {
                    self.fields.refuse("timeout", "exactly one of timeout and cron is needed");
                }
                None
            }
        };
        let moved = self.fields.boolean("moved").set().unwrap_or(false);
        if moved && settled.is_none() && !self.fields.is_refused("settled") {
            self.fields.refuse("settled", "is needed with moved: up to when the history before is known");
        }
        let (monitor, at, revision, schedule) = (monitor?, at?, revision?, schedule?);
        let grace = grace.unwrap_or_else(|| schedule.default_grace());
        let definition =
            Definition { schedule, grace, remind_every: remind_every.set().unwrap_or(0), paused };
        let event = match settled.filter(|_| moved) {
            Some(until) => PastEvent::Moved { until, at, revision, definition },
            None => PastEvent::Defined { at, revision, definition, settled },
        };
        Some((monitor, event))
    }

    fn gap(&mut self) -> Option<(MonitorId, PastEvent)> {
        let monitor = self.monitor("monitor");
        let (start, end) = (self.time("from"), self.time("to"));
        let (monitor, start, end) = (monitor?, start?, end?);
        if end <= start {
            self.fields.refuse("to", "must be after from");
        }
        Some((monitor, PastEvent::Deaf(Interval { start, end })))
    }

    fn until(&mut self) -> Option<(MonitorId, PastEvent)> {
        let monitor = self.monitor("monitor");
        let at = self.time("at");
        Some((monitor?, PastEvent::Until(at?)))
    }
}

#[cfg(test)]
mod tests;
