//! When a maintenance window is.

use std::time::Duration;

use model::maintenance::MAX_WINDOW_SECS;
use model::time::EventTime;
use serde_json::{Map, Value, json};

use super::super::cron::{pattern, zone};
use super::super::duration::{Seconds, within};
use super::super::moment::{Here, Lean, Moment, MomentError};
use super::super::view::Window;
use crate::bad_usage::BadUsage;

const WHEN: BadUsage =
    BadUsage("say when it is: --for DURATION, or --to TIME, or --cron PATTERN --for DURATION");

/// The flags that say when, of `create` and `edit`.
#[derive(Debug, Default, clap::Args)]
pub(super) struct Span {
    /// Beginning in local time, as in 22:00, 'tomorrow 22:00', '2026-12-01 22:00', 'in 2h', now, or RFC 3339
    #[arg(long, value_name = "TIME", allow_hyphen_values = true, conflicts_with_all = ["cron", "timezone"])]
    from: Option<Moment>,
    /// End in the same form, at most 31d later; a time of day is the first one after the beginning
    #[arg(long, value_name = "TIME", allow_hyphen_values = true, conflicts_with_all = ["cron", "timezone", "length"])]
    to: Option<Moment>,
    /// How long it lasts, 1s to 31d, as in 2h; with --cron at least 1m
    #[arg(long = "for", id = "length", value_name = "DURATION", value_parser = within(1, MAX_WINDOW_SECS as u64))]
    length: Option<Seconds>,
    /// Begin at each time of this cron pattern, as in '0 2 * * *'
    #[arg(long, value_name = "PATTERN", value_parser = pattern)]
    cron: Option<String>,
    /// Time zone of --cron, as in Europe/Berlin [default: that of this machine]
    #[arg(long, value_name = "ZONE", value_parser = zone)]
    timezone: Option<String>,
}

impl Span {
    /// Puts the time of a new window into a request's body.
    ///
    /// # Errors
    /// The flags do not say when, or name a time that is none.
    pub(super) fn fill_new(&self, body: &mut Map<String, Value>, here: &Here) -> anyhow::Result<()> {
        if let Some(cron) = &self.cron {
            let Some(length) = self.length else { return Err(WHEN.into()) };
            put(body, "cron", json!(cron));
            put(body, "duration", json!(length));
        } else {
            let from = self.from(here)?.unwrap_or(here.now);
            let to = match (&self.to, self.length) {
                (Some(to), _) => to.at(here, Lean::After(from))?,
                (None, Some(length)) => from + Duration::from_secs(length.0),
                (None, None) => return Err(WHEN.into()),
            };
            put(body, "from", json!(from.to_rfc3339()));
            put(body, "to", json!(to.to_rfc3339()));
        }
        if let Some(zone) = &self.timezone {
            put(body, "timezone", json!(zone));
        }
        Ok(())
    }

    /// Whether nothing was given.
    pub(super) const fn is_empty(&self) -> bool {
        self.from.is_none()
            && self.to.is_none()
            && self.length.is_none()
            && self.cron.is_none()
            && self.timezone.is_none()
    }

    fn from(&self, here: &Here) -> Result<Option<EventTime>, MomentError> {
        self.from.as_ref().map(|from| from.at(here, Lean::Today)).transpose()
    }

    /// Puts what changes of a window's time into a request's body.
    ///
    /// # Errors
    /// A time is none.
    pub(super) fn fill_change(
        &self,
        body: &mut Map<String, Value>,
        old: &Window,
        here: &Here,
    ) -> Result<(), MomentError> {
        let old_from = old.from.as_deref().and_then(EventTime::parse_rfc3339);
        let new_from = self.from(here)?;
        let from = new_from.or(old_from).unwrap_or(here.now);
        if let Some(from) = new_from {
            put(body, "from", json!(from.to_rfc3339()));
        }
        if let Some(to) = &self.to {
            put(body, "to", json!(to.at(here, Lean::After(from))?.to_rfc3339()));
        }
        if let Some(cron) = &self.cron {
            put(body, "cron", json!(cron));
        }
        if let Some(zone) = &self.timezone {
            put(body, "timezone", json!(zone));
        }
        let Some(length) = self.length else { return Ok(()) };
        let repeats =
            self.cron.is_some() || self.timezone.is_some() || (old.cron.is_some() && self.from.is_none());
        if repeats {
            put(body, "duration", json!(length));
            return Ok(());
        }
        put(body, "to", json!((from + Duration::from_secs(length.0)).to_rfc3339()));
        Ok(())
    }
}

fn put(body: &mut Map<String, Value>, name: &str, value: Value) {
    body.insert(name.to_owned(), value);
}

#[cfg(test)]
mod tests {
    use jiff::tz::TimeZone;

    use super::*;

    fn at(text: &str) -> EventTime {
        EventTime::parse_rfc3339(text).expect("a time")
    }

    /// 11:00 in Berlin.
    fn here() -> Here {
        Here { now: at("2026-11-22T10:00:00Z"), zone: TimeZone::get("Europe/Berlin").expect("a zone") }
    }

    fn moment(text: &str) -> Option<Moment> {
        Some(text.parse().expect("a moment"))
    }

    #[test]
    fn a_new_window_begins_now_unless_it_says_otherwise() {
        let body = |span: Span| {
            let mut body = Map::new();
            span.fill_new(&mut body, &here()).map(|()| Value::Object(body))
        };
        let two_hours = Some(Seconds(7_200));
        let cron = Some("0 2 * * *".to_owned());
        let timezone = Some("Europe/Berlin".to_owned());
        for (span, expected) in [
            (
                Span { length: two_hours, ..Span::default() },
                json!({"from": "2026-11-22T10:00:00.000Z", "to": "2026-11-22T12:00:00.000Z"}),
            ),
            (
                Span { from: moment("2026-11-23T01:00:00+01:00"), length: two_hours, ..Span::default() },
                json!({"from": "2026-11-23T00:00:00.000Z", "to": "2026-11-23T02:00:00.000Z"}),
            ),
            (
                Span { to: moment("2026-11-22T11:00:00Z"), ..Span::default() },
                json!({"from": "2026-11-22T10:00:00.000Z", "to": "2026-11-22T11:00:00.000Z"}),
            ),
            (
                Span { from: moment("22:00"), to: moment("02:00"), ..Span::default() },
                json!({"from": "2026-11-22T21:00:00.000Z", "to": "2026-11-23T01:00:00.000Z"}),
            ),
            (
                Span { cron: cron.clone(), timezone, length: two_hours, ..Span::default() },
                json!({"cron": "0 2 * * *", "timezone": "Europe/Berlin", "duration": 7_200}),
            ),
        ] {
            assert_eq!(body(span).expect("it says when"), expected);
        }
        for span in [
            Span::default(),
            Span { cron, ..Span::default() },
            Span { from: moment("now"), ..Span::default() },
        ] {
            assert!(body(span).expect_err("it does not say when").is::<BadUsage>());
        }
    }

    #[test]
    fn a_change_of_length_moves_the_end() {
        let once = Window { from: Some("2026-11-22T08:00:00.000Z".to_owned()), ..Window::default() };
        let nightly = Window { cron: Some("0 2 * * *".to_owned()), ..Window::default() };
        let body = |span: Span, old: &Window| {
            let mut body = Map::new();
            span.fill_change(&mut body, old, &here()).expect("times");
            Value::Object(body)
        };
        let an_hour = || Span { length: Some(Seconds(3_600)), ..Span::default() };
        assert_eq!(body(an_hour(), &once), json!({"to": "2026-11-22T09:00:00.000Z"}));
        assert_eq!(body(an_hour(), &nightly), json!({"duration": 3_600}));
        let from_now = Span { from: moment("now"), ..an_hour() };
        let expected = json!({"from": "2026-11-22T10:00:00.000Z", "to": "2026-11-22T11:00:00.000Z"});
        assert_eq!(body(from_now, &nightly), expected);
        let ended = Span { to: moment("now"), ..Span::default() };
        assert_eq!(body(ended, &once), json!({"to": "2026-11-22T10:00:00.000Z"}));
        assert!(Span::default().is_empty());
    }
}
