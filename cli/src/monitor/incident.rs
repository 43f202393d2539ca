//! The last incident of a monitor: from a flip to down to the next one to another state.

use model::duration;
use model::time::EventTime;

use super::super::times::Times;
use super::super::view::Flip;

/// An incident, as a person is told of it.
#[derive(Debug)]
pub(super) struct Incident<'a> {
    down: &'a Flip,
    end: Option<&'a Flip>,
}

/// The last incident among flips, which are given newest first.
pub(super) fn last(flips: &[Flip]) -> Option<Incident<'_>> {
    let at = flips.iter().position(|flip| flip.to == "down")?;
    // A change of the reason while down is part of the incident.
    let begin = flips.iter().skip(at).take_while(|flip| flip.to == "down").last()?;
    let end = at.checked_sub(1).and_then(|after| flips.get(after));
    Some(Incident { down: begin, end })
}

impl Incident<'_> {
    /// `since 11:00:00 CET (6 min ago): no heartbeat for 66 s`, or
    /// `11:00:00 CET, for 4 min 6 s: no heartbeat for 66 s`.
    pub(super) fn in_words(&self, times: &Times) -> String {
        let why = self.down.message.as_deref().unwrap_or(match self.down.reason.as_str() {
            "reported" => "the job reported a failure",
            other => other,
        });
        let Some(end) = self.end else { return format!("since {}: {why}", times.told(&self.down.at)) };
        let at = |flip: &Flip| EventTime::parse_rfc3339(&flip.at);
        let length = match (at(self.down), at(end)) {
            (Some(down), Some(end)) => format!(", for {}", duration::in_words(end.since(down))),
            _ => String::new(),
        };
        let how = if end.to == "paused" { ", until it was paused" } else { "" };
        format!("{}{length}{how}: {why}", times.told(&self.down.at))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_incident_is_told_with_its_beginning_length_and_reason() {
        let times = Times::at("2026-11-22T10:06:00Z", "Europe/Berlin");
        let flip = |at: &str, to: &str, reason: &str, message: Option<&str>| Flip {
            at: format!("2026-11-22T{at}.000Z"),
            to: to.to_owned(),
            reason: reason.to_owned(),
            message: message.map(str::to_owned),
            ..Flip::default()
        };
        let told = |flips: &[Flip]| last(flips).map(|incident| incident.in_words(&times));
        let down = flip("10:00:00", "down", "missed", Some("no heartbeat for 66 s"));
        let first = flip("09:00:00", "up", "first", None);
        assert_eq!(told(std::slice::from_ref(&first)), None);
        assert_eq!(
            told(&[down.clone(), first.clone()]).as_deref(),
            Some("since 11:00:00 CET (6 min ago): no heartbeat for 66 s")
        );
        let up = flip("10:04:06", "up", "recovered", Some("heard again after 4 min"));
        assert_eq!(
            told(&[up, down.clone(), first.clone()]).as_deref(),
            Some("11:00:00 CET (6 min ago), for 4 min 6 s: no heartbeat for 66 s")
        );
        let reported = flip("09:58:00", "down", "reported", None);
        let paused = flip("10:03:00", "paused", "paused", None);
        assert_eq!(
            told(&[paused, down, reported, first]).as_deref(),
            Some("10:58:00 CET (8 min ago), for 5 min, until it was paused: the job reported a failure")
        );
    }
}
